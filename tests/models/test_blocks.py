"""The test blocks inside these programs, on every target."""
from __future__ import annotations

from pathlib import Path

import pytest
from dad.testing.runner import run_file

HERE = Path(__file__).parent
WITH_BLOCKS = sorted(p.name for p in HERE.glob("*.dad") if "-- ==" in p.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_blocks(name: str) -> None:
    result = run_file(str(HERE / name))
    assert not result.diagnostics
    assert result.outcomes
    assert [f"{o.place}: {o.name}: {o.problem}" for o in result.outcomes if o.problem is not None] == []
