"""Programs that once went wrong, reduced: each in `regressions/`, with what it should give in its test blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from dad.cli import main

FOLDER = Path(__file__).parent / "regressions"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.dad")), ids=lambda path: path.stem)
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_once_wrong_now_right(path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["test", str(path), "--target", target])
    assert status == 0, capsys.readouterr().out


def test_there_are_some() -> None:
    assert list(FOLDER.glob("*.dad"))
