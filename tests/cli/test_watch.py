"""`dad check --watch`: a file is checked again when it, or what it imports, changes; Ctrl-C ends it."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest


def interruptible() -> None:
    """Ctrl-C reaches the command although the tests may run where it is ignored, in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Watched:
    """The command on a file; `until` gives what it has printed up to a line that contains some words."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "dad", "check", "--watch", *args], cwd=folder,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "PYTHONUNBUFFERED": "1"}, preexec_fn=interruptible)
        self.limit = threading.Timer(60, self.process.kill)  # a test that fails ends
        self.limit.start()

    def until(self, words: str) -> str:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if words in line:
                return said
        raise AssertionError(f"it ended without saying {words!r}: {said}")

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        _, error = self.process.communicate()
        self.limit.cancel()
        return self.process.returncode, error


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write(tmp_path / "lib.dad", "def one : f64 = 1\n")
    write(tmp_path / "a.dad", 'import "lib"\n\ndef two : f64 = 2\n\nentry f (x: f64) : f64 = x * two + one\n')
    return tmp_path


def write(path: Path, text: str) -> None:
    """As editors do: a new file takes the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def test_files_are_checked_again_when_they_change(here: Path) -> None:
    text = (here / "a.dad").read_text(encoding="utf-8")
    watched = Watched(here, "a.dad")
    assert watched.until("entry f") == "ok: a.dad (1 entry)\n  entry f (x: f64) : f64\n"
    write(here / "a.dad", text.replace("two + one", "too + one"))
    said = watched.until("error in")
    assert said.startswith("\n--- a.dad changed\nerror[E101]: unknown name `too`\n")
    assert "5 | entry f (x: f64) : f64 = x * too + one" in said
    assert said.endswith("1 error in a.dad\n")
    write(here / "a.dad", "\n\n" + text)
    assert watched.until("ok:") == "\n--- a.dad changed\nok: a.dad (1 entry)\n"
    write(here / "lib.dad", "def one : f64 = true\n")
    assert "lib.dad:1:17" in watched.until("error in")
    (here / "lib.dad").unlink()
    assert "E193" in watched.until("error in")
    write(here / "lib.dad", "def one : f64 = 1\n")
    assert watched.until("ok:") == "\n--- lib.dad changed\nok: a.dad (1 entry)\n"
    write(here / "lib.dad", "def one : f64 = true\n")
    watched.until("error in")
    assert watched.end() == (0, "")


def test_formats_and_status(here: Path) -> None:
    watched = Watched(here, "--format", "concise", "-q", "a.dad")
    assert watched.until("ok") == "ok: a.dad (1 entry)\n"
    write(here / "a.dad", "entry f (x: i64) : i64 = y\n")
    assert watched.until("E101").endswith("a.dad:1:26: error[E101] unknown name `y`\n")
    write(here / "a.dad", "entry f (x: i64) : i64 = x\n")
    assert watched.until("ok").endswith("ok: a.dad (1 entry)\n")
    assert watched.end() == (0, "")


def test_standard_input_cannot_be_watched(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "dad", "check", "--watch", "-"], capture_output=True, text=True,
                          cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "error[U001]: standard input cannot be watched" in done.stderr
