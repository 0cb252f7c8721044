"""The language, feature by feature: programs of this folder and of the others, each with its tests in blocks.

Every `.dad` file of the tree with a block is run on every target: features (here), models, programs about arrays and
sum types, programs that once went wrong (`tests/programs/regressions`).
"""
from __future__ import annotations

from pathlib import Path

import pytest
from dad.testing.runner import run_file

ROOT = Path(__file__).resolve().parent.parent.parent
ELSEWHERE = {"build", ".venv", ".tree"}


def with_blocks() -> list[str]:
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*.dad"))
    return sorted(str(path) for path in paths
                  if not ELSEWHERE & set(path.parts) and "-- ==" in (ROOT / path).read_text(encoding="utf-8"))


def test_programs_say_what_they_give() -> None:
    found = set(with_blocks())
    for folder in ("language", "programs/regressions", "programs/about_arrays", "programs/variants"):
        names = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / folder).glob("*.dad")}
        assert names
        assert names <= found


@pytest.mark.parametrize("name", with_blocks())
def test_blocks(name: str) -> None:
    result = run_file(str(ROOT / name))
    assert not result.diagnostics
    assert result.outcomes
    assert [f"{o.place}: {o.name}: {o.problem}" for o in result.outcomes if o.problem is not None] == []
