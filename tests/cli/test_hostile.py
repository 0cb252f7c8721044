"""Bad names and files, broken pipes, interrupts, mistakes in Dad itself: a message and a status, never a traceback."""
from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from dad.cli import COMMANDS, main
from hypothesis import given, settings
from hypothesis import strategies as st

Captured = pytest.CaptureFixture[str]
COMMANDS_WITH_FILES = {"check": [], "build": ["-o", "out"], "run": [], "show": [], "test": []}


def dad(args: Sequence[str | bytes], cwd: Path, **options: str) -> subprocess.CompletedProcess[bytes]:
    """`python -m dad` in a process of its own."""
    command = [sys.executable, "-m", "dad", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, env={**os.environ, **options}, timeout=60, check=False)


def fine(result: subprocess.CompletedProcess[bytes]) -> bool:
    return b"Traceback" not in result.stderr + result.stdout and b"U900" not in result.stderr


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES: dict[str, bytes] = {
    "binary.dad": bytes(range(256)) * 10,
    "nul.dad": b"def f = 1\0\n",
    "latin-1.dad": "-- na\xefve\ndef f = 1\n".encode("latin-1"),
    "utf-16.dad": "def f = 1\n".encode("utf-16"),
    "huge.dad": b"-- x\n" * 900_000,
    "deep.dad": b"def f = " + b"(" * 100_000,
    "escape.dad": b"def f = \x1b[2J\x1b[31m\n",
    "long line.dad": b"def f = " + b"1 + " * 100_000,
    "surrogate.dad": b"def f = \xed\xa0\x80\n",
}


@pytest.mark.parametrize("command", COMMANDS_WITH_FILES)
@pytest.mark.parametrize("name", FILES)
def test_bad_files(here: Path, capsys: Captured, command: str, name: str) -> None:
    (here / name).write_bytes(FILES[name])
    assert main([command, name, *COMMANDS_WITH_FILES[command]]) == 1
    out, err = capsys.readouterr()
    assert "error[" in out + err
    assert "\x1b" not in out + err
    assert "U900" not in err
    assert sorted(path.name for path in here.iterdir()) == [name]


@pytest.mark.parametrize("command", COMMANDS_WITH_FILES)
@pytest.mark.parametrize("name", ["missing.dad", "folder", "folder/below.dad", "a\0b", "", "x" * 5000, "new\nline.dad",
                                  "tab\t\x1b[2J.dad", "\udcff.dad", "….dad", "/dev/zero", "~/x.dad", "a/../../b.dad"])
def test_names_of_no_file(here: Path, capsys: Captured, command: str, name: str) -> None:
    (here / "folder").mkdir()
    assert main([command, name, *COMMANDS_WITH_FILES[command]]) == 1
    out, err = capsys.readouterr()
    assert "error[U10" in out + err
    assert "\x1b" not in out + err
    assert [path.name for path in here.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["new\nline.dad", "--help.dad", "-", "-q", "@file.dad", "a b.dad", "é.dad", ".dad",
                                  "x", "…\u202e.dad", "a'b\"c$(d).dad"])
def test_odd_names_of_good_files(here: Path, capsys: Captured, name: str) -> None:
    (here / name).write_text("entry main (x: f64) : f64 = x\n", encoding="utf-8")
    assert main(["check", "--", f"./{name}" if name == "-" else name]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("ok: ")
    assert len(out.splitlines()) == 2
    assert "\u202e" not in out
    assert main(["run", "--", f"./{name}" if name == "-" else name, "main", "2"]) == 0
    assert capsys.readouterr().out == "2.0\n"


def test_an_empty_file_is_a_program(here: Path, capsys: Captured) -> None:
    (here / "empty.dad").write_bytes(b"")
    assert main(["check", "empty.dad"]) == 0
    assert capsys.readouterr().out == "ok: empty.dad (0 entries)\n"
    assert main(["test", "empty.dad"]) == 0
    assert capsys.readouterr().out == "0 passed, 0 failed\n"
    assert main(["show", "empty.dad"]) == 0
    assert main(["build", "empty.dad", "-o", "."]) == 0


def test_a_file_that_may_not_be_read(here: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (here / "a.dad").write_text("def f = 1\n", encoding="utf-8")
    monkeypatch.setattr("builtins.open", refuse)
    assert main(["check", "a.dad"]) == 1
    assert "error[U101]: cannot read `a.dad`: Permission denied" in capsys.readouterr().out


def test_a_folder_that_may_not_be_written(here: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (here / "a.dad").write_text("entry f (x: f64) : f64 = x\n", encoding="utf-8")
    monkeypatch.setattr(os, "replace", refuse)
    assert main(["build", "a.dad", "-o", "."]) == 1
    assert "error[U104]" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["a.dad"]  # nothing half-written stays


def test_processes(here: Path) -> None:
    (here / "a.dad").write_text("entry f (x: f64) : f64 = x\n", encoding="utf-8")
    ok = dad(["check", "a.dad"], here)
    assert (ok.returncode, ok.stderr) == (0, b"")
    lines: list[tuple[list[str | bytes], int]] = [
        (["check", "b.dad"], 1), (["chek"], 2), (["check", b"\xff.dad"], 1), (["run", "a.dad", "1", "2"], 1)]
    for args, status in lines:
        result = dad(args, here)
        assert result.returncode == status
        assert fine(result)


def test_a_terminal_of_few_characters(here: Path) -> None:
    (here / "a.dad").write_text("-- ünïcödé\ndef f = “x”\n", encoding="utf-8")
    result = dad(["check", "a.dad"], here, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert result.returncode == 1
    assert fine(result)


def test_a_reader_who_leaves(here: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "dad", "explain"], cwd=here, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert error == b""


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr("sys.stdout", Full())
    assert main(["explain"]) == 1
    assert capsys.readouterr().err.startswith("error[U104]: the output cannot be written: No space left on device")


def test_an_interrupt(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dad.cli.dispatch", interrupted)
    assert main(["check", "a.dad"]) == 128 + signal.SIGINT
    assert capsys.readouterr() == ("", "")


def test_a_mistake_in_dad_itself(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def broken(_: object) -> None:
        raise KeyError("a\nb")

    monkeypatch.setattr("dad.cli.dispatch", broken)
    monkeypatch.delenv("DAD_DEBUG", raising=False)
    assert main(["check", "a.dad"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("error[U900]: internal error: KeyError: ")
    assert "Traceback" not in err
    monkeypatch.setenv("DAD_DEBUG", "1")
    assert main(["check", "a.dad"]) == 3
    assert "Traceback" in capsys.readouterr().err


WORDS = st.one_of(st.text(max_size=20), st.sampled_from(
    [*COMMANDS, "--format", "json", "--", "-", "-o", "--stage", "ir", "--grad", "--entry", "--help", "a.dad", "=",
     "--=", "-1"]))


@given(st.lists(WORDS, max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_command_line_gives_a_status(tmp_path_factory: pytest.TempPathFactory, args: list[str]) -> None:
    if "-" in args or "build" in args:  # those would wait for input, or write where the test stands
        return
    assert main(args) in (0, 1, 2)
