"""Each command: what it prints, where, and with which status."""
from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dad.cli import COMMANDS, PLANNED, main
from dad.commands.build import module_name
from dad.lang.diagnostics.codes import CODES

ROOT = Path(__file__).resolve().parents[2]
GOOD = """-- | The square.
entry square (x: param f64) : f64 = x * x
type point = {x: f64, y: f64}
entry dots [n] (xs: param [n]f64) (ys: data [n]f64) : f64 =
  let products = map2 (\\a b -> a * b) xs ys
  in sum products
entry shift (p: point) (by: i64) : point = {x = p.x + f64.i64 by, y = p.y}
entry pick [n] (xs: [n]i64) (i: i64) : i64 =
  xs[i]
entry narrow (x: f32) : f32 = x / 3
entry spread (a: param f64) (b: param f32) : f64 = a * 2 + f64.f32 b
entry swarm (n: i64) : []point = map (\\i -> {x = f64.i64 i, y = 0.5}) (iota n)
"""
BAD = "def f (x: f64) : i64 = x\ndef g = undefined_name\n"


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.dad"
    path.write_text(GOOD, encoding="utf-8")
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.dad"
    path.write_text(BAD, encoding="utf-8")
    return str(path)


Captured = pytest.CaptureFixture[str]


def output(capsys: Captured, status: int, *args: str) -> str:
    """Standard output of a command that ends with this status and says nothing else."""
    found = main(list(args))
    out, err = capsys.readouterr()
    assert (found, err) == (status, ""), err
    return out


def complaint(capsys: Captured, status: int, *args: str) -> str:
    """Standard error of a command that ends with this status and prints nothing else."""
    found = main(list(args))
    out, err = capsys.readouterr()
    assert (found, out) == (status, ""), err
    return err


# ---------------------------------------------------------------- use


@pytest.mark.parametrize("args", [[], ["help"], ["--help"], ["-h"], ["help", "nonsense"]])
def test_help(capsys: Captured, args: list[str]) -> None:
    out = output(capsys, 0, *args)
    for name in COMMANDS:
        assert f"\n  {name} " in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(capsys: Captured, name: str) -> None:
    assert output(capsys, 0, "help", name).startswith(f"usage: dad {name} ")
    assert output(capsys, 0, name, "--help").startswith(f"usage: dad {name} ")


def test_version(capsys: Captured) -> None:
    from dad import __version__

    assert output(capsys, 0, "--version") == f"dad {__version__}\n"


@pytest.mark.parametrize(("args", "code", "words"), [
    (["chek", "x"], "U001", "did you mean `check`?"),
    (["xyzzy"], "U001", "one of check, explain"),
    (["check"], "U001", "`dad check` needs a file"),
    (["check", "--fromat", "json", "x"], "U001", "did you mean `--format`?"),
    (["check", "--format", "yaml", "x"], "U001", "`--format` cannot be `yaml`"),
    (["check", "--format"], "U001", "needs a value"),
    (["check", "--quiet=1", "x"], "U001", "takes no value"),
    (["check", "-x", "x"], "U001", "has no option `-x`"),
    (["explain", "E9999"], "U003", "there is no code `E9999`"),
    (["build", "x.dad"], "U001", "needs a folder"),
    (["build", "-o", "y"], "U001", "takes one file"),
    (["build", "x.dad", "z.dad", "-o", "y"], "U001", "takes one file"),
    (["build", "x.dad", "-o", "y", "--target", "gpu"], "U001", "`--target` cannot be `gpu`"),
    (["build", "x.dad", "-o", "y", "--report"], "U001", "goes with `--target cuda`"),
    (["show"], "U001", "takes one file"),
    (["show", "x", "--stage", "memory"], "U002", "not in this version"),
    (["show", "x", "--pass", "fuse"], "U001", "`--pass` goes with `--stage ir`"),
    (["run"], "U001", "needs a file"),
    (["test"], "U001", "needs a file"),
    *(([name], "U002", "not in this version") for name in PLANNED),
])
def test_wrong_use(capsys: Captured, args: list[str], code: str, words: str) -> None:
    err = complaint(capsys, 2, *args)
    assert err.startswith(f"error[{code}]: ")
    assert words in err


# ---------------------------------------------------------------- explain


def test_explain(capsys: Captured) -> None:
    assert output(capsys, 0, "explain", "e001").startswith("E001: character that Dad does not use\n\n")
    both = output(capsys, 0, "explain", "[E001]", "U401")
    assert "E001: " in both
    assert "\n\nU401: " in both
    assert len(output(capsys, 0, "explain").splitlines()) == len(CODES)
    assert "did you mean `E0" in complaint(capsys, 2, "explain", "E0011")


# ---------------------------------------------------------------- check


def test_check_lists_the_entries(capsys: Captured, good: str) -> None:
    lines = output(capsys, 0, "check", good).splitlines()
    assert lines[0] == f"ok: {good} (7 entries)"
    assert lines[1] == "  entry square (x: param f64) : f64"
    assert lines[2] == "  entry dots [n] (xs: param [n]f64) (ys: data [n]f64) : f64"
    assert lines[3] == "  entry shift (p: point) (by: i64) : point"
    assert output(capsys, 0, "check", "-q", good) == f"ok: {good} (7 entries)\n"


def test_check_reports_everything(capsys: Captured, good: str, bad: str) -> None:
    out = output(capsys, 1, "check", bad)
    assert out.count("error[E") == 2
    assert out.endswith(f"2 errors in {bad}\n")
    assert "bad.dad:1:24" in out
    assert output(capsys, 1, "check", good, bad, "missing.dad").endswith("3 errors in 3 files\n")


def test_check_concise(capsys: Captured, bad: str) -> None:
    lines = output(capsys, 1, "check", "--format", "concise", bad).splitlines()
    assert lines[0].startswith(f"{bad}:1:24: error[E")
    assert lines[2] == f"2 errors in {bad}"


def test_check_json(capsys: Captured, good: str, bad: str) -> None:
    report: dict[str, Any] = json.loads(output(capsys, 1, "check", "--format=json", bad, "missing.dad"))
    assert report["version"] == 1
    assert report["summary"] == {"errors": 3, "warnings": 0}
    for each in report["diagnostics"]:
        assert set(each) == {"code", "severity", "title", "message", "labels", "notes", "help"}
        assert each["code"] in CODES
        assert each["severity"] in ("error", "warning", "note")
        assert isinstance(each["notes"], list)
        assert each["help"] is None or isinstance(each["help"], str)
        for label in each["labels"]:
            assert set(label) == {"file", "start", "end", "text", "primary"}
            assert set(label["start"]) == set(label["end"]) == {"line", "column", "offset"}
            assert all(isinstance(n, int) for n in label["start"].values())
    first = report["diagnostics"][0]["labels"][0]
    assert (first["file"], first["start"]) == (bad, {"line": 1, "column": 24, "offset": 23})
    assert json.loads(output(capsys, 0, "check", "--format=json", good))["diagnostics"] == []


def test_check_sarif_and_github(capsys: Captured, good: str, bad: str) -> None:
    report = json.loads(output(capsys, 1, "check", "--format=sarif", bad))
    assert report["version"] == "2.1.0"
    assert len(report["runs"][0]["results"]) == 2
    lines = output(capsys, 1, "check", "--format=github", bad).splitlines()
    assert [line.startswith("::error file=") for line in lines] == [True, True]
    assert output(capsys, 0, "check", "--format=github", good) == ""


def test_what_files_share_is_reported_once(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "lib.dad").write_text("def f (x: f64) : i64 = x\n", encoding="utf-8")
    (tmp_path / "a.dad").write_text('import "lib"\n', encoding="utf-8")
    (tmp_path / "b.dad").write_text('import "lib"\n', encoding="utf-8")
    out = output(capsys, 1, "check", str(tmp_path / "a.dad"), str(tmp_path / "b.dad"))
    assert out.endswith("1 error in 2 files\n")


class Typed:
    """Standard input that holds these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize(("content", "status", "words"), [
    (b"entry f (x: f64) : f64 = x\n", 0, "ok: <stdin> (1 entry)"), (b"", 0, "ok: <stdin> (0 entries)"),
    (b"\xff\xfe", 1, "error[U102]: standard input is not UTF-8"), (b"-" * 4_000_001, 1, "error[U103]"),
    (b"def f = ", 1, "<stdin>:1:"),
])
def test_check_standard_input(capsys: Captured, monkeypatch: pytest.MonkeyPatch, content: bytes, status: int,
                              words: str) -> None:
    monkeypatch.setattr("sys.stdin", Typed(content))
    assert words in output(capsys, status, "check", "-")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colors_are_for_people(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for setting, colored in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", setting)
        screen = Screen()
        monkeypatch.setattr("sys.stdout", screen)
        assert main(["check", bad]) == 1
        assert ("\x1b[" in screen.getvalue()) is colored


# ---------------------------------------------------------------- build


def test_build(capsys: Captured, good: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    out = output(capsys, 0, "build", good, "-o", str(folder))
    assert out == f"wrote {folder / 'good.py'}\nwrote {folder / 'good.pyi'}\n"
    assert sorted(path.name for path in folder.iterdir()) == ["good.py", "good.pyi"]
    script = "import good; print(good.square(3.0), good.square.value_and_grad(3.0), good.dots([1.0, 2.0], [3.0, 4.0]))"
    result = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False,
                            env={**os.environ, "PYTHONPATH": ""})
    assert (result.stdout, result.stderr) == ("9.0 (9.0, 6.0) 11.0\n", "")
    first = (folder / "good.py").read_bytes()
    assert output(capsys, 0, "build", good, "-o", str(folder)) == out  # its own files are replaced, with the same text
    assert (folder / "good.py").read_bytes() == first


def test_build_writes_nothing_for_a_bad_program(capsys: Captured, bad: str, tmp_path: Path) -> None:
    assert "error[E" in complaint(capsys, 1, "build", bad, "-o", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["good.py", "good.pyi"])
@pytest.mark.parametrize("content", ["import os\n", "", "# Written by hand\n"])
def test_build_overwrites_nothing_of_others(capsys: Captured, good: str, tmp_path: Path, name: str,
                                             content: str) -> None:
    mine = tmp_path / name
    mine.write_text(content, encoding="utf-8")
    err = complaint(capsys, 1, "build", good, "-o", str(tmp_path))
    assert "error[U105]" in err
    assert mine.read_text(encoding="utf-8") == content
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["good.dad", name])


def test_build_follows_no_links(capsys: Captured, good: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    elsewhere = tmp_path / "precious.py"
    output(capsys, 0, "build", good, "-o", str(folder))
    (folder / "good.py").rename(elsewhere)  # even a file that Dad has written
    (folder / "good.py").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert "error[U106]" in complaint(capsys, 1, "build", good, "-o", str(folder))
    assert elsewhere.read_bytes() == before
    elsewhere.unlink()
    assert "error[U106]" in complaint(capsys, 1, "build", good, "-o", str(folder))
    assert not elsewhere.exists()


def test_build_into_what_is_no_folder(capsys: Captured, good: str, tmp_path: Path) -> None:
    assert "error[U104]" in complaint(capsys, 1, "build", good, "-o", good)
    assert Path(good).read_text(encoding="utf-8") == GOOD
    assert "error[U104]" in complaint(capsys, 1, "build", good, "-o", str(tmp_path / "a\0b"))
    (tmp_path / "good.py").mkdir()
    assert "error[U105]" in complaint(capsys, 1, "build", good, "-o", str(tmp_path))


@pytest.mark.parametrize(("stem", "name"), [
    ("model", "model"), ("my-model", "my_model"), ("2d", "_2d"), ("class", "class_"), ("a.b", "a_b"), ("x y", "x_y"),
    ("é1", "_1"), ("None", "None_"),
])
def test_module_names(stem: str, name: str) -> None:
    assert module_name(stem) == name
    assert name.isidentifier()


def test_a_file_without_a_name_for_python(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "….dad"
    path.write_text(GOOD, encoding="utf-8")
    assert "error[U107]" in complaint(capsys, 1, "build", str(path), "-o", str(tmp_path / "out"))


# ---------------------------------------------------------------- run


@pytest.mark.parametrize(("args", "out"), [
    (["square", "3"], "9.0"), (["square", "-1.5"], "2.25"), (["square", "f64.inf"], "f64.inf"),
    (["square", "-f64.inf"], "f64.inf"), (["square", "3", "--grad"], "value    9.0\ngradient 6.0"),
    (["dots", "[1, 2]", "[3.0, 4.0]"], "11.0"), (["dots", "[]", "empty([0]f64)"], "0.0"),
    (["dots", "[1, 2]", "[3, 4]", "--grad"], "value    11.0\ngradient [3.0, 4.0]"),
    (["shift", "{x = 1, y = 2}", "3"], "{x = 4.0, y = 2.0}"), (["pick", "[1, 2, 3]", "2"], "3"),
    (["narrow", "1"], "0.33333334f32"),
    (["spread", "1", "2f32", "--grad"], "value    4.0\ngradient {a = 2.0, b = 1.0f32}"),
    (["swarm", "2"], "[{x = 0.0, y = 0.5}, {x = 1.0, y = 0.5}]"), (["swarm", "0"], "[]"),
    (["square", "3", "--target", "interp"], "9.0"),
])
def test_run(capsys: Captured, good: str, args: list[str], out: str) -> None:
    assert output(capsys, 0, "run", good, *args) == out + "\n"


def test_run_the_only_entry(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "one.dad"
    path.write_text("entry f (x: bool) (n: i64) : i64 = if x then n else 0\n", encoding="utf-8")
    assert output(capsys, 0, "run", str(path), "true", "3") == "3\n"
    assert output(capsys, 0, "run", str(path), "f", "false", "3") == "0\n"
    assert "error[U304]: `f` takes 2 values, 0 given" in complaint(capsys, 1, "run", str(path))
    path.write_text("def f (x: i64) = x\n", encoding="utf-8")
    assert "error[U305]: the program has no entry" in complaint(capsys, 1, "run", str(path))
    assert "write `entry`" in complaint(capsys, 1, "run", str(path), "f", "3")


def test_run_with_data_files(capsys: Captured, good: str, tmp_path: Path) -> None:
    (tmp_path / "xs.txt").write_text("[1, 2] -- and more\n[3, 4]", encoding="utf-8")
    np.save(tmp_path / "ys.npy", np.array([3.0, 4.0]))
    assert output(capsys, 0, "run", good, "dots", f"@{tmp_path}/xs.txt") == "11.0\n"
    assert output(capsys, 0, "run", good, "dots", "[1, 2]", f"@{tmp_path}/ys.npy") == "11.0\n"


@pytest.mark.parametrize(("args", "code", "words"), [
    ([], "U305", "several entries"), (["sqare", "3"], "U305", "did you mean `square`?"),
    (["square"], "U304", "0 given"),
    (["square", "1", "2"], "U304", "2 given"), (["square", "[1"], "U301", "<argument 1>:1:3"),
    (["square", ""], "U301", "0 values"), (["square", "[1]"], "U302", "expected f64, found an array of 1"),
    (["pick", "[1.5]", "0"], "U302", "expected i64, found `1.5`"), (["narrow", "1f64"], "U302", "found f64 `1f64`"),
    (["square", "1", "--target", "gpu"], "U001", "cannot be `gpu`"),
    (["dots", "[1, 2]", "[3]"], "A103", "`n` is 2"), (["shift", "{x = 1}", "3"], "U302", "a record with x, y"),
    (["pick", "[1, 2, 3]", "3"], "R101", "good.dad:9"), (["pick", "[1, 2]", "0", "--grad"], "A10", ""),
    (["dots", "@nothing.npy", "[1]"], "U303", "No such file"), (["dots", "@.", "[1]"], "U303", "it is a folder"),
    (["dots", "@a\0b", "[1]"], "U303", "cannot read"), (["dots", "@", "[1]"], "U303", "it is a folder"),
    (["swarm", "100000000000000000"], "U901", "memory"), (["swarm", "-1"], "R105", "negative size"),
])
def test_what_run_refuses(capsys: Captured, good: str, args: list[str], code: str, words: str) -> None:
    err = complaint(capsys, 2 if code == "U001" else 1, "run", good, *args)
    assert err.startswith(f"error[{code}")
    assert words in err


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.npy", b"", "not in NumPy's format"), ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr':", "NumPy says"),
    ("a.npy", b"1 2 3", "not in NumPy's format"), ("a.txt", b"\xff\xfe", "not UTF-8"), ("a.txt", b"[1,", "U301"),
])
def test_damaged_data_files(capsys: Captured, good: str, tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in complaint(capsys, 1, "run", good, "dots", f"@{tmp_path / name}", "[1]")


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1 + 2j]), np.array([(1, 2)], "i4,i4"),
                                   np.array([np.datetime64("2020-01-01")])])
def test_arrays_of_types_that_dad_lacks(capsys: Captured, good: str, tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "a.npy", array)
    assert "no type of Dad" in complaint(capsys, 1, "run", good, "dots", f"@{tmp_path}/a.npy", "[1]")


def test_pickles_are_not_loaded(capsys: Captured, good: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([object()], object), allow_pickle=True)
    assert "error[U303]" in complaint(capsys, 1, "run", good, "dots", f"@{tmp_path}/a.npy", "[1]")


# ---------------------------------------------------------------- show


def test_show_tokens_and_tree(capsys: Captured, good: str) -> None:
    assert "2:1 ENTRY entry\n2:7 NAME square\n" in output(capsys, 0, "show", good, "--stage", "tokens")
    assert "Def kind='entry' name='square'" in output(capsys, 0, "show", good, "--stage", "ast")


def test_show_types(capsys: Captured, good: str) -> None:
    lines = output(capsys, 0, "show", good, "--stage", "types").splitlines()
    assert lines[:5] == [
        "2: entry square (x: param f64) : f64", "4: entry dots [n] (xs: param [n]f64) (ys: data [n]f64) : f64",
        "  5:7 products : [n]f64", "  5:25 a : f64", "  5:27 b : f64"]
    assert len(output(capsys, 0, "show", good, "--stage", "types", "--entry", "square").splitlines()) == 1


def test_show_bounds(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "bounds.dad"
    path.write_text("entry f [n] (xs: [n]f64) (is: [n]i64) = [xs[i] for i < n] + map (\\k -> xs[k]) is\n"
                    "entry g [n] (xs: [n]f64) (i: i64) = if 0 <= i && i < n then xs[i] else 0\n"
                    "entry h [n] (xs: [n]f64) = (xs[1:], xs[::2])\n")
    assert output(capsys, 0, "show", str(path), "--stage", "bounds").splitlines() == [
        "1:45 xs[i], axis 0 of size n: proved",
        "1:75 xs[k], axis 0 of size n: checked: not known: 0 <= k and k < n",
        "2:64 xs[i], axis 0 of size n: proved",
        "3:32 xs[1:], axis 0 of size n: checked: it is not known that it ends where it starts or later",
        "3:40 xs[::2], axis 0 of size n: proved",
        "3 proved, 2 checked when the program runs"]
    assert len(output(capsys, 0, "show", str(path), "--stage", "bounds", "--entry", "g").splitlines()) == 2


def test_show_ir(capsys: Captured, good: str) -> None:
    from dad.lang.core.text import parse

    out = output(capsys, 0, "show", good, "--stage", "ir")
    assert out.startswith("-- as lowered\n")
    assert "\n\n-- after simplify\n" in out
    assert "square" in parse(out.split("\n\n-- after")[0].partition("\n")[2]).functions
    some = output(capsys, 0, "show", good, "--stage", "ir", "--entry", "dots", "--grad", "--pass", "differentiate")
    assert some.startswith("-- before differentiate (")
    assert "\n\n-- after differentiate (" in some
    assert "square" not in some
    assert "did you mean `fuse`?" in complaint(capsys, 2, "show", good, "--stage", "ir", "--pass", "fues")


def test_show_python(capsys: Captured, good: str) -> None:
    out = output(capsys, 0, "show", good, "--entry", "square", "--grad")
    assert "def _square(x):\n    return x * x\n" in out
    assert "value_and_grad" in out
    assert "dots" not in out
    assert out.count("def ") == 2


def test_show_loops(capsys: Captured, good: str) -> None:
    out = output(capsys, 0, "show", good, "--stage", "loops", "--entry", "dots")
    assert out.startswith("def dots(p1 : f64*, r2 : i64, p3 : f64*, r4 : i64) {\n")
    assert " = sum r" in out
    assert "square" not in out
    assert "define i1 @dots" in output(capsys, 0, "show", good, "--stage", "llvm")


def test_loops_of_every_kind_have_a_text(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "loops.dad"
    path.write_text("def f (x: f64) : f64 = if x < 0.5 then 1 else x * f (x - 1)\n"
                    "entry every [n] (xs: [n]f64) (ks: [n]i64) : (f64, [n]f64, [n]f64) =\n"
                    "  let last = loop ys = xs for i < n do ys with [i] = ys[ks[i]]\n"
                    "  let roots = map (\\k -> loop s = f64 k while s * s > 2.0 do s / 2.0 + f s) ks\n"
                    "  in (sum (map sin xs), scan (+) 0 last, roots)\n")
    out = output(capsys, 0, "show", str(path), "--stage", "loops")
    for text in (" parallel {", "carry (", "as long as", "sum r", " giving ", "call ", "check_index", "release",
                 "alloc", "copy", "mark"):
        assert text in out, text


def test_show_of_what_is_not_there(capsys: Captured, good: str, bad: str) -> None:
    assert "did you mean `square`?" in complaint(capsys, 1, "show", good, "--entry", "squre")
    assert "error[U306]" in complaint(capsys, 1, "show", good, "--entry", "pick", "--grad")
    for stage in ("types", "ir", "python"):
        assert "error[E" in complaint(capsys, 1, "show", bad, "--stage", stage)
    Path(bad).write_text("def f = (", encoding="utf-8")
    assert "error[E0" in complaint(capsys, 1, "show", bad, "--stage", "ast")
    assert output(capsys, 0, "show", bad, "--stage", "tokens") != ""


def test_verification(capsys: Captured, good: str, tmp_path: Path) -> None:
    for stage in ("ir", "python", "loops", "llvm"):
        assert output(capsys, 0, "show", good, "--stage", stage, "--grad", "--verify") != ""
    assert output(capsys, 0, "build", good, "-o", str(tmp_path / "out"), "--verify") != ""


def test_show_saved(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "saved.dad"
    path.write_text("entry f [n] (a: param f64) (xs: data [n]f64) : f64 =\n"
                    "  let s = loop s = a for x in xs do sin (s * x)\n"
                    "  in checkpoint (\\s -> loop s for i < n do cos s) s\n"
                    "entry g (n: i64) : i64 = n\n")
    *lines, last = output(capsys, 0, "show", str(path), "--stage", "saved").splitlines()
    assert lines[0] == "f: gradient with respect to a"
    assert "s of each iteration: [n]f64  8*n bytes  line 2  read by the adjoint of line 2" in "\n".join(lines)
    assert "  kept in all: 8*n + 16 bytes" in lines
    assert "  computed again: line 2 ((s * x)), line 3 (cos s)" in lines
    assert last == "g: no reverse mode, and no parameter of it has a gradient"
    assert output(capsys, 0, "show", str(path), "--stage", "saved", "--entry", "g") == last + "\n"


@pytest.mark.parametrize("target", ["numpy", "native"])
def test_build_time(good: str, capsys: Captured, target: str) -> None:
    """The rows add up to the total, and nothing is written."""
    rows: dict[str, float] = {}
    for line in output(capsys, 0, "build", "--time", "--target", target, good).splitlines():
        name, rest = line[:16].strip(), line[16:].split()
        rows[name] = float(rest[0])
    total = rows.pop("total")
    assert abs(sum(rows.values()) - total) <= 0.06 * len(rows)
    assert min(rows.values()) >= -0.05
    assert {"parse", "check", "lower", "simplify", "differentiate", "emit", "rest"} <= set(rows)
    assert ("link" in rows) == (target == "native")
    assert not list(Path(good).parent.glob("*.py"))
