"""Programs with sum types and equality, each in `variants/` with what it gives in its test blocks, on both targets."""

from __future__ import annotations

from pathlib import Path

import pytest
from dad.cli import main

FOLDER = Path(__file__).parent / "variants"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.dad")), ids=lambda path: path.stem)
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_gives_what_it_says(path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["test", str(path), "--target", target])
    assert status == 0, capsys.readouterr().out


def test_there_are_some() -> None:
    assert list(FOLDER.glob("*.dad"))
