"""Every program in `rejected/` is refused with exactly the message beside it; every one in `accepted/` has the types
beside it.

`DAD_UPDATE=1 pytest tests/checker/test_literate.py` writes what the checker says now into the files; read it before
accepting it.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dad.checker
import pytest
from dad.checker import Checked, check
from dad.lang.diagnostics.codes import CODES
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.lang.surface.parser import parse
from dad.lang.types import show

HERE = Path(__file__).parent
REJECTED = sorted((HERE / "rejected").glob("*.md"))
ACCEPTED = sorted((HERE / "accepted").glob("*.md"))


_BLOCKS = re.compile(r"```dad\n(.*?)```\n(.*?)```text\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """`start` and `end` are where the expected text stands in the file."""

    title: str
    program: str
    expected: str
    start: int
    end: int


def examples(path: Path) -> list[Example]:
    """The programs of a file, each with the heading that it stands under."""
    text = path.read_text(encoding="utf-8")
    found = []
    for m in _BLOCKS.finditer(text):
        headings = re.findall(r"^#+ (.*)$", text[:m.start()], re.MULTILINE)
        found.append(Example(headings[-1] if headings else path.stem, m.group(1), m.group(3), m.start(3), m.end(3)))
    return found


def run(program: str) -> tuple[Checked | None, Reporter]:
    """Parse and check a program."""
    report = Reporter()
    tree = parse(Source("example.dad", program), report)
    return check(tree, report), report


def findings(program: str) -> str:
    """All diagnostics of a program, as the terminal shows them."""
    _, report = run(program)
    return render_full(report.diagnostics).strip() + "\n"


def revealed(program: str) -> str:
    """The type of every definition, one a line, with its size and type parameters."""
    checked, report = run(program)
    if checked is None:
        return render_full(report.diagnostics).strip() + "\n"
    lines = []
    for d in checked.definitions.values():
        if d.qualified.startswith("prelude__"):
            continue
        header = [f"[{v.name}]" for v in d.scheme.size_vars]
        header += [f"'{v.name}: {v.constraint}" if v.constraint else f"'{v.name}" for v in d.scheme.type_vars]
        lines.append(" ".join([d.name, *header, ":", show(d.scheme.type)]))
    return "\n".join(lines) + "\n"


def rewrite(path: Path, results: list[tuple[Example, str]]) -> None:
    """Put the actual texts into the file."""
    text = path.read_text(encoding="utf-8")
    for example, actual in sorted(results, key=lambda r: -r[0].start):
        text = text[:example.start] + actual + text[example.end:]
    path.write_text(text, encoding="utf-8")


def _compare(path: Path, actual: Callable[[str], str]) -> None:
    results = [(e, actual(e.program)) for e in examples(path)]
    assert results
    if os.environ.get("DAD_UPDATE"):
        rewrite(path, results)
    for example, said in results:
        assert said == example.expected or os.environ.get("DAD_UPDATE"), f"{path.name}: {example.title}\n{said}"


@pytest.mark.parametrize("path", REJECTED, ids=lambda p: p.stem)
def test_rejected_programs_say_what_is_wrong(path: Path) -> None:
    _compare(path, findings)


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda p: p.stem)
def test_accepted_programs_have_these_types(path: Path) -> None:
    _compare(path, revealed)
    assert "error[" not in path.read_text(encoding="utf-8")


def test_every_code_of_the_checker_has_a_rejected_program() -> None:
    """And no program is accepted by mistake, nor finds an error twice."""
    seen: set[str] = set()
    for path in REJECTED:
        for example in examples(path):
            codes = re.findall(r"^(?:error|warning)\[(\w+)\]", example.expected, re.MULTILINE)
            assert codes, f"{path.name}: {example.title} is accepted"
            seen.update(codes)
    sources = Path(dad.checker.__file__).parent.glob("*.py")
    ours = {c for source in sources for c in re.findall(r'"([EW]\d{3})"', source.read_text(encoding="utf-8"))}
    assert ours <= set(CODES)
    assert not ours - seen - {"E010", "E199"}, f"no rejected program shows {sorted(ours - seen)}"
