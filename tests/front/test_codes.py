"""Every code that the tree mentions is explained, and every code explained is used."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from dad.lang.diagnostics.codes import CODES, code, explain
from dad.lang.diagnostics.futhark import WORDS

ROOT = Path(__file__).resolve().parents[2]
MENTIONED = re.compile(r"""["'`]([EWRAGUSD][0-9]{3})["'`]""")


def mentioned() -> set[str]:
    """Codes as string literals in the package's Python files, the registry itself left out."""
    outside = {"tests", "build", "dist", ".venv", ".tree", "benchmarks", "examples"}
    files = (path for path in ROOT.rglob("*.py") if not outside & set(path.relative_to(ROOT).parts)
             and path.name not in ("program_codes.py", "use_codes.py"))
    return {found for path in files for found in MENTIONED.findall(path.read_text("utf-8"))}


def test_every_code_raised_is_registered() -> None:
    assert mentioned() - set(CODES) == set()


def test_every_code_registered_is_raised() -> None:
    assert set(CODES) - mentioned() == set()


def test_the_page_of_mistakes_has_every_code_of_programs() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    rows = "".join(line.split("|")[1] + line.split("|")[2] for line in page.splitlines() if line.startswith("| "))
    ranges = re.findall(r"\b([ERSD])([0-9]{3})(?:–[ERSD]([0-9]{3}))?", rows)
    told = {f"{letter}{number:03}" for letter, first, last in ranges
            for number in range(int(first), int(last or first) + 1)}
    assert {name for name in CODES if name[0] in "ERSD"} <= told


@pytest.mark.parametrize("name", sorted(CODES))
def test_explanations_are_complete(name: str) -> None:
    entry = CODES[name]
    assert entry.title
    assert not entry.title.endswith(".")
    assert entry.explanation.endswith((".", "`"))
    assert entry.fix, "say what to do"
    assert explain(name.lower()).startswith(f"{name}: {entry.title}")


def test_a_code_has_one_meaning() -> None:
    with pytest.raises(ValueError, match="twice"):
        code("E001", "again", "again")


def test_unknown_codes_are_unknown() -> None:
    with pytest.raises(KeyError):
        explain("E999")


def test_futharks_words_are_those_of_codes() -> None:
    assert WORDS.keys() <= CODES.keys()
    for name, words in WORDS.items():
        assert words[0] in explain(name)
