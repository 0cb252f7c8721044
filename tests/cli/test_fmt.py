"""`dad fmt`: what it writes, where, and with which status."""
from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from dad.cli import main

LOOSE = "-- c\ndef  f x=x  +1\n"
TIDY = "-- c\ndef f x = x + 1\n"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    path = tmp_path / "loose.dad"
    path.write_text(LOOSE, encoding="utf-8")
    return path


def test_files_are_rewritten_in_place(loose: Path, capsys: Captured) -> None:
    os.chmod(loose, 0o640)
    assert main(["fmt", str(loose)]) == 0
    assert loose.read_text(encoding="utf-8") == TIDY
    assert loose.stat().st_mode & 0o777 == 0o640
    assert capsys.readouterr().out == f"formatted {loose}\n"
    before = loose.stat().st_mtime_ns
    assert main(["fmt", str(loose)]) == 0
    assert capsys.readouterr() == ("", "")
    assert loose.stat().st_mtime_ns == before
    assert [path.name for path in loose.parent.iterdir()] == ["loose.dad"]


def test_a_link_stays_a_link(loose: Path) -> None:
    link = loose.with_name("link.dad")
    link.symlink_to(loose)
    assert main(["fmt", str(link)]) == 0
    assert link.is_symlink()
    assert loose.read_text(encoding="utf-8") == TIDY


def test_check_names_what_differs(loose: Path, capsys: Captured) -> None:
    tidy = loose.with_name("tidy.dad")
    tidy.write_text(TIDY, encoding="utf-8")
    assert main(["fmt", "--check", str(loose), str(tidy)]) == 1
    assert capsys.readouterr() == (f"{loose}\n", "")
    assert loose.read_text(encoding="utf-8") == LOOSE
    assert main(["fmt", "--check", str(tidy)]) == 0
    assert capsys.readouterr() == ("", "")


def test_diff_shows_what_would_change(loose: Path, capsys: Captured) -> None:
    assert main(["fmt", "--diff", str(loose)]) == 1
    out = capsys.readouterr().out
    assert out == (f"--- {loose}\n+++ {loose} (formatted)\n@@ -1,2 +1,2 @@\n -- c\n-def  f x=x  +1\n+def f x = x + 1\n")
    assert loose.read_text(encoding="utf-8") == LOOSE


@pytest.mark.parametrize(("options", "expected", "status"), [((), TIDY, 0), (("--check",), "<stdin>\n", 1)])
def test_standard_input(options: tuple[str, ...], expected: str, status: int, monkeypatch: pytest.MonkeyPatch,
                        capsys: Captured) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LOOSE.encode())))
    assert main(["fmt", "-", *options]) == status
    assert capsys.readouterr() == (expected, "")


def test_a_file_with_mistakes_is_left_alone_and_the_others_are_formatted(loose: Path, capsys: Captured) -> None:
    broken = loose.with_name("broken.dad")
    broken.write_text("def  f = (1\n", encoding="utf-8")
    assert main(["fmt", str(broken), str(loose)]) == 1
    out, err = capsys.readouterr()
    assert out == f"formatted {loose}\n"
    assert err.startswith("error[E")
    assert broken.read_text(encoding="utf-8") == "def  f = (1\n"


def test_what_would_change_a_program_is_not_written(loose: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
                                                    ) -> None:
    monkeypatch.setattr("dad.formatter.formatted.render", lambda doc, width: "def f x = x + 2\n")
    assert main(["fmt", str(loose)]) == 3
    assert "U905" in capsys.readouterr().err
    assert loose.read_text(encoding="utf-8") == LOOSE


def test_a_file_that_cannot_be_replaced(loose: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def refuse(old: str, new: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    assert main(["fmt", str(loose)]) == 1
    assert "U104" in capsys.readouterr().err
    assert [path.name for path in loose.parent.iterdir()] == ["loose.dad"]
    assert main(["fmt"]) == 2
