"""The documentation says what is so: every code block of every page is run, and nothing public is left out.

`DAD_UPDATE=1 pytest tests/docs` writes what the blocks really give into the pages; read it before accepting it.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from dad.lang.diagnostics.codes import CODES
from dad.lang.intrinsics import CONSTANTS, CONVERTIBLE
from dad.lang.surface.build import ATTRIBUTES
from dad.lang.surface.build_grades import GRADES, PROPERTIES
from dad.lang.surface.lexer import KEYWORDS
from dad.lang.surface.operators import LEVELS, RANGES

from .blocks import actual, library, member_names

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / "reference").glob("*.md")))
CODE = "\n".join(block or word for block, word in
                 re.findall(r"^```.*\n((?:.*\n)*?)```$|`([^`\n]+)`", REFERENCE, re.MULTILINE))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_pages_say_what_happens(path: Path, tmp_path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    found = actual(page, tmp_path)
    if os.environ.get("DAD_UPDATE"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def mentioned(name: str) -> bool:
    """Whether the reference has the name among its code."""
    before = r"(?<![\w.'])" if name[0].isalpha() and "." not in name else r"(?<![\w'])" if name[0].isalpha() else ""
    return re.search(before + re.escape(name) + (r"(?![\w'])" if name[-1].isalnum() else ""), CODE) is not None


def missing(names: set[str]) -> list[str]:
    return sorted(name for name in names if not mentioned(name))


def test_the_reference_has_every_name_of_the_library() -> None:
    assert missing(set(library()) | set(CONVERTIBLE)) == []


def test_the_reference_has_every_member_of_the_modules_of_numbers() -> None:
    plain = {name for name in member_names() | set(CONSTANTS) | {"highest", "lowest", "num_bits"}
             if not re.search(rf"(?<![\w']){name}(?![\w'])", CODE)}
    assert sorted(plain) == []


def test_the_reference_has_every_word_and_operator() -> None:
    assert missing(set(KEYWORDS)) == []
    assert missing({*LEVELS, *RANGES, "->", ":>", "???", "@", "\\", "#[", "!"} - {"=", "!"}) == []
    assert missing({*GRADES, *PROPERTIES, *ATTRIBUTES, "approx", "allow", "assume"}) == []


def test_codes_in_the_documentation_exist() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert set(re.findall(r"\b[EWRAU]\d{3}\b", text)) <= set(CODES)


def test_links_lead_somewhere() -> None:
    for path in [*PAGES, ROOT / "README.md"]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
    for page in PAGES:
        if page.name != "README.md":
            index = (DOCS / "README.md").read_text(encoding="utf-8")
            assert str(page.relative_to(DOCS)) in index, f"docs/README.md does not name {page.name}"
