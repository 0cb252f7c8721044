"""Programs about numbers, with what they should give in their test blocks; no run may print a warning."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from dad.cli import main

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.dad")), ids=lambda path: path.stem)
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_program(path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status = main(["test", str(path), "--target", target])
    captured = capsys.readouterr()
    assert status == 0, captured.out + captured.err
