"""Futhark's test blocks: how they are read, and what `dad test` says of cases that pass and fail."""
from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dad.cli import main
from dad.lang.diagnostics.codes import CODES
from dad.lang.diagnostics.report import Diagnostic, Reporter
from dad.lang.source import Source
from dad.testing import runner
from dad.testing.blocks import Auto, Block, DataFile, Failure, RandomInput, Values, parse_blocks
from dad.testing.runner import Outcome, run_file
from hypothesis import given, settings
from hypothesis import strategies as st

PROGRAM = """
entry main (x: f64) : f64 = x * x
entry half (n: i64) : i64 = n / 2
entry divide (a: i64) (b: i64) : i64 = a / b
entry total [n] (xs: [n]f64) : f64 = sum xs
entry both (x: f64) (n: i64) : (f64, i64) = (x, n)
type point = {x: f64, y: f64}
entry flip (p: point) : point = {x = p.y, y = p.x}
entry points (n: i64) : []point = map (\\i -> {x = f64.i64 i, y = 1.0}) (iota n)
entry nothing : i64 = 3
entry pick [n] (xs: [n]f32) (i: i64) : f32 = xs[i]
entry ramp (n: i64) : []f64 = map f64.i64 (iota n)
entry ascii [n] (xs: [n]u8) : u8 = xs[0]
entry from_unit () : i64 = 7
entry of_pair (x: f64, n: i64) : f64 = x + f64.i64 n
entry reversed [n] (xs: [n]i64) : bool = all id (map2 (==) xs (reverse (reverse xs)))
entry sorted [n] (xs: [n]i64) : bool = all id [xs[i] <= xs[i+1] for i < max 0 (n - 1)]
entry twice (n: i64) (seed: i64) : i64 = 2 * n + 0 * seed
entry fewer (n: i64) (k: i64) : i64 = max 0 (n - 2)
#[prop(gen(twice), size(9))]
entry even (n: i64) : bool = n % 2 == 0
#[prop(gen(twice), shrink(fewer))]
entry small (n: i64) : bool = n < 10
"""


def read(text: str) -> tuple[list[Block], list[Diagnostic]]:
    report = Reporter()
    return parse_blocks(Source("test.dad", text), report), report.diagnostics


def comment(*lines: str) -> str:
    return "\n".join("-- " + line for line in ("==", *lines)) + "\n"


def outcomes(tmp_path: Path, *lines: str, program: str = PROGRAM, targets: Sequence[str] | None = ("numpy", "interp")
             ) -> list[Outcome]:
    path = tmp_path / "program.dad"
    path.write_text(program + "\n" + comment(*lines), encoding="utf-8")
    (tmp_path / "two.txt").write_text("[2.0, 3.0]")
    (tmp_path / "two.txt.gz").write_bytes(gzip.compress(b"[2.0, 3.0]"))
    (tmp_path / "script.txt").write_text("ramp 5i64\n")
    result = run_file(str(path), targets)
    assert result.diagnostics == ()
    return list(result.outcomes)


# ---------------------------------------------------------------- reading


def test_a_block_with_everything() -> None:
    blocks, found = read("""-- Some words, also input { and ==.
-- ==
-- tags { slow no_opencl }
-- entry: main other
-- input { 1.0 [2.0, 3.0] } output { 5.0 }
-- "by name" nobench input @ data/big.txt
-- output @ data/big.out
-- compiled random input { [100]f64 i64 10 } auto output
-- input { -1.0 } error: neg(at)?ive .*
-- structure gpu { Map 3
--   Screma 2 }
-- input {}
def main = 3
""")
    assert found == []
    block, = blocks
    assert block.error is None
    first, second, third, fourth, fifth = block.cases
    assert [name for name, _ in first.entries] == ["main", "other"]
    assert isinstance(first.input, Values)
    assert len(first.input.values) == 2
    assert isinstance(first.output, Values)
    assert (second.name, second.tags) == ("by name", frozenset({"nobench"}))
    assert isinstance(second.input, DataFile)
    assert isinstance(second.output, DataFile)
    assert second.output.path == "data/big.out"
    assert third.tags == {"compiled", "random"}
    assert isinstance(third.input, RandomInput)
    assert len(third.input.items) == 3
    assert isinstance(third.output, Auto)
    assert isinstance(fourth.output, Failure)
    assert fourth.output.regex.pattern == "neg(at)?ive .*"
    assert fifth.output is None
    assert fifth.input == Values((), fifth.input.span)
    assert str(fourth.span) == "test.dad:9:4"


def test_several_blocks_and_what_is_none() -> None:
    blocks, found = read("-- ==\n-- input { 1 }\n-- ==\n-- entry: f\n-- input { 2 }\n\n"
                         "  -- ==\n-- a\n--\n-- ==\r\n-- error:\r\n")
    assert found == []
    assert [len(block.cases) for block in blocks] == [1, 1, 0]
    assert [name for name, _ in blocks[0].cases[0].entries] == ["main"]
    assert blocks[2].error is not None
    assert read("def f = 1 -- ==\n-- comment\n") == ([], [])


def test_names_may_stand_behind_input() -> None:
    blocks, _ = read(comment('input "small" { 1 } output { 2 }'))
    assert blocks[0].cases[0].name == "small"


@pytest.mark.parametrize(("lines", "code", "words"), [
    (["input { 1 2"], "U401", "`input {` without `}`"),
    (["input 1"], "U401", "expected `{ values }` or `@ file`"),
    (["input { 1 } output 2"], "U401", "behind `output`"),
    (["input { 1. } output { 2 }"], "U301", "is not a number"),
    (["input { 1, 2 }"], "U301", "`,` is not a value"),
    (["input { 1 } ouput { 2 }"], "U401", "expected `input`, found `{`"),
    (["output { 2 }"], "U401", "expected `input`, found `output`"),
    (["entry main", "input { 1 }"], "U401", "expected `:`"),
    (["entry:", "input { 1 }"], "U401", "names no entry"),
    (["error: ("], "U401", "not a regular expression"),
    (["error: x", "input { 1 }"], "U401", "expects a compile-time error"),
    (["script input { f 3"], "U401", "expected `}` behind the expression"),
    (["script input f 3"], "U401", "expected `{ expression }`"),
    (["script input { let x 3 in x }"], "U301", "expected `=` in `let`"),
    (["script input { let x = 3 }"], "U401", "expected `in`"),
    (["script input { $run 3 }"], "U401", "no function `$run`"),
    (["script input { $loaddata 3 }"], "U401", "name of a file in quotes"),
    (["script input { " + "(" * 100], "U401", "nested 64 deep"),
    (["property:"], "U401", "names no entry"),
    (["random input { [n]f64 }"], "U301", "size of an axis"),
    (["random input { f80 }"], "U301", "`f80` is not a type"),
    (["random input { [3]f64"], "U401", "without `}`"),
    (["random input [3]f64"], "U401", "expected `{ types }`"),
    (['"name input { 1 }'], "U401", "closing quote"),
    (["tags [a]"], "U401", "expected `{` behind `tags`"),
    (["structure { Map 3"], "U401", "without `}`"),
    (["input { 1 } auto { 2 }"], "U401", "expected `auto output`"),
    (["input @"], "U401", "name of a file"),
])
def test_mistakes_in_blocks(lines: list[str], code: str, words: str) -> None:
    blocks, found = read(comment(*lines))
    assert blocks == []
    assert found[0].code == code
    assert words in found[0].message
    assert found[0].span is not None


def test_a_slip_is_named() -> None:
    _, found = read(comment("input { 1 } ouput { 2 }"))
    assert found[0].help == "for `ouput`, did you mean `output`?"


WORDS = st.sampled_from([
    "-- ==\n", "-- ", "\n", "input", " { ", " } ", "output", "error:", "entry:", "random", "auto", "1", "[2]f64", "@",
    '"', "(", "tags", "\r", "\0", "é", "==", "compiled", "empty(", "x"])


@given(st.one_of(st.text(), st.lists(WORDS, max_size=40).map("".join)))
@settings(max_examples=500, deadline=None)
def test_any_text_gives_blocks_or_diagnostics(text: str) -> None:
    _, found = read("-- ==\n" + text)
    assert {each.code for each in found} <= {"U301", "U401"}


# ---------------------------------------------------------------- running


@pytest.mark.parametrize("lines", [
    ["input { 3.0 } output { 9.0 }"],
    ["input { 3 } output { 9.01 }"],
    ["entry: half main", "input { 0 } output { 0 }"],
    ["entry: total", "input { empty([0]f64) } output { 0.0 }",
     "input { [1.0, f64.inf] } output { f64.inf }", "input { [f64.nan] } output { f64.nan }",
     "random input { [10]f64 } auto output", "input { [1.0, 2.0] }"],
    ["entry: both", "input { 1.5 2 } output { 1.5 2i64 }", "input { 1.5 2 } output { (1.5, 2) }"],
    ["entry: flip", "input { {x = 1, y = 2} } output { {x = 2, y = 1} }"],
    ["entry: points", "input { 2 } output { [{x = 0, y = 1}, {x = 1, y = 1}] }"],
    ["entry: nothing", "input {} output { 3 }"],
    ["entry: divide", "input { 7 2 } output { 3 }", "input { 1 0 } error: zero", "input { 1 0 } error:"],
    ["entry: pick", "input { [1, 2] 1 } output { 2f32 }", "input { [1, 2] 5 } error: index 5 .*size 2"],
    ["compiled random input { f64 } auto output"],
    ["entry: total", "script input { ramp 4i64 } output { 6.0 }",
     "script input { let n = 3 in [1.5, f64.inf] } output { f64.inf }", "script input { [main 2, 1] } output { 5.0 }",
     "script input { $loaddata \"two.txt\" } output { 5.0 }", "script input @ script.txt output { 10.0 }",
     "input @ two.txt.gz output { 5.0 }"],
    ["entry: both", "script input { (1.5, nothing) } output { 1.5 3 }", "script input { both 1 2 } output { 1.0 2 }",
     "script input { let (a, b) = both 1 2 in (a, b) } output { 1.0 2 }"],
    ["entry: flip", "script input { {x = 1, y = main 2} } output { {x = 4, y = 1} }"],
    ["entry: ascii", 'input { "ab" } output { 97u8 }', "script input { $loadbytes \"two.txt\" } output { 91u8 }",
     "script input { io.loadbytes \"two.txt\" } output { 91u8 }"],
    ["entry: total", "script input { io.loadvalue \"two.txt\" : [2]f64 } output { 5.0 }"],
    ["entry: of_pair", "input { 1.0 2 } output { 3.0 }", "input { (1.0, 2) } output { 3.0 }"],
    ["entry: from_unit", "input { } output { 7 }", "input { () } output { 7 }"],
    ["property: reversed even"],
])
def test_cases_that_pass(tmp_path: Path, lines: list[str]) -> None:
    found = outcomes(tmp_path, *lines)
    assert found
    assert [each.problem for each in found if each.problem] == []


def test_main_needs_no_entry(tmp_path: Path) -> None:
    found = outcomes(tmp_path, "input { 3.0 } output { 9.0 }", program="def main x = x * x")
    assert [each.problem for each in found] == [None, None]


def test_files_with_some_tags_are_left_alone(tmp_path: Path) -> None:
    lines = ["tags { no_opencl disable }", "input { 1 } output { 2 }"]
    assert outcomes(tmp_path, *lines, program="this is no program") == []


def test_the_interpreter_stops_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "STEPS", 2_000)
    lines = ["entry: far", "input { 1_000_000_000_000 } output { 0 }"]
    program = "entry far (n: i64) : i64 = loop k = n while k > 0 do (if k > 8 then k / 2 else k - 1)"
    assert [each.name[-7:] for each in outcomes(tmp_path, *lines, program=program)] == ["(numpy)", "interp)"]
    slow = "entry far (n: i64) : i64 = (loop (k, s) = (n, 0) while k > 0 do (k - 500_000_000, s + 1)) |> (.1) |> (* 0)"
    assert [each.name[-7:] for each in outcomes(tmp_path, *lines, program=slow)] == ["(numpy)"]


@pytest.mark.parametrize("expected", [CODES["E203"].title, "types do not match", "E203", "Expected I64.*found", ""])
def test_an_expected_error_may_be_that_of_the_explanation(tmp_path: Path, expected: str) -> None:
    program = "entry main (x: f64) : i64 = x"
    assert [each.problem for each in outcomes(tmp_path, f"error: {expected}", program=program)] == [None]


def test_futharks_words_for_errors(tmp_path: Path) -> None:
    lines = ["entry: pick", "input { [1, 2] 5 } error: Error: Index \\[5\\] out of bounds",
             'input { [1, 2] 5 } error: "xs"']
    assert [each.problem for each in outcomes(tmp_path, *lines)] == [None] * 4


def test_every_case_runs_on_every_target(tmp_path: Path) -> None:
    lines = ["input { 3.0 } output { 9.0 }", "compiled input { 3.0 }"]
    names = [each.name for each in outcomes(tmp_path, *lines, targets=None)]
    assert names == ["main, case 1 (native)", "main, case 1 (numpy)", "main, case 1 (interp)", "main, case 2 (native)",
                     "main, case 2 (numpy)"]


@pytest.mark.parametrize(("lines", "problem"), [
    (["input { 3.0 } output { 10.0 }"], "expected 10.0, found 9.0"),
    (["entry: both", "input { 1.5 2 } output { 1.5 3 }"], "expected 3, found 2 at .1"),
    (["entry: both", "input { 1.5 2 } output { 1.5 }"],
     "U302: the output must be of type (f64, i64): expected a tuple of 2, found `1.5`"),
    (["entry: flip", "input { {x = 1, y = 2} } output { {x = 1, y = 1} }"], "expected 1.0, found 2.0 at .x"),
    (["entry: pint", "input { 1 }"], "there is no entry `pint`"),
    (["entry: halff", "input { 1 }"], "there is no entry `halff`; did you mean `half`?"),
    (["entry: half", "input { 1 2 }"], "`half` takes 1 value, the input has 2"),
    (["entry: half", "input { 1.5 }"], "U302: `n` must be of type i64: expected i64, found `1.5`"),
    (["entry: half", "input { 1 } output { 1 2 }"], "`half` gives i64, the output has 2 values"),
    (["entry: half", "input { 4 } error: zero"], "expected an error that fits `zero`, found 2"),
    (["entry: divide", "input { 1 0 } error: overflow"], "expected an error that fits `overflow`, found R104: "),
    (["entry: divide", "input { 1 0 } output { 1 }"], "R104: "),
    (["entry: total", "random input { [1000000000]f64 }"], "random input of 1000000000 elements"),
    (["script input { nope 3 }"], "the script uses `nope`, which is no entry of the program"),
    (["script input { ramp }"], "the script gives `ramp` 0 values, it takes 1"),
    (["script input { ramp 1.5 }"], "U302: `n` of `ramp` must be of type i64: expected i64, found `1.5`"),
    (["script input { ramp 2 }"], "`x` must be of type f64, the script gives [_]f64"),
    (["script input { divide 1 0 }"], "`divide`, called by the script: R104: "),
    (["script input { $loaddata \"none\" }"], "cannot read the data file `none`"),
    (["property: main"], "a property takes one value and gives a bool; `main` does not"),
    (["property: sorted"], "false for ["),
    (["property: small"], "false for 10"),
    (["property: none"], "there is no entry `none`"),
    (["entry: total", "input @ missing.txt"],
     "U303: cannot read the data file `missing.txt`: No such file or directory"),
])
def test_cases_that_fail(tmp_path: Path, lines: list[str], problem: str) -> None:
    found = outcomes(tmp_path, *lines)
    assert found
    for each in found:
        assert each.problem is not None
        assert each.problem.startswith(problem)


def test_random_input_is_the_same_each_time(tmp_path: Path) -> None:
    failing = ["entry: total", "random input { [3]f64 } output { 100.0 }"]
    assert [o.problem for o in outcomes(tmp_path, *failing)] == [o.problem for o in outcomes(tmp_path, *failing)]


@pytest.mark.parametrize("dtype", ["f32", "i32", "bool"])
def test_random_input_of_other_types(tmp_path: Path, dtype: str) -> None:
    program = f"entry main [n] (xs: [n]{dtype}) (x: {dtype}) : [n]{dtype} = xs"
    found = outcomes(tmp_path, f"random input {{ [5]{dtype} {dtype} }} auto output", program=program)
    assert [each.problem for each in found] == [None, None]


def test_data_files(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("-- data\n[1.0,\n 2.0]\n", encoding="utf-8")
    (tmp_path / "out.txt").write_text("3.0", encoding="utf-8")
    np.save(tmp_path / "big.npy", np.array([1.0, 2.0], ">f8"))
    found = outcomes(tmp_path, "entry: total", "input @ in.txt output @ out.txt", "input @ big.npy output { 3 }")
    assert [each.problem for each in found] == [None] * 4


def binary(dtype: str, array: np.ndarray[Any, Any]) -> bytes:
    """Futhark's binary form of one value."""
    head = b" \nb\x02" + bytes([array.ndim]) + dtype.rjust(4).encode()
    return head + np.array(array.shape, "<u8").tobytes() + array.tobytes()


def test_binary_data_files(tmp_path: Path) -> None:
    (tmp_path / "in.bin").write_bytes(binary("f32", np.array([1.0, 2.5], "<f4")) + binary("i64", np.array(1)) + b"\n")
    (tmp_path / "empty.bin").write_bytes(binary("f64", np.zeros(0)))
    assert [o.problem for o in outcomes(tmp_path, "entry: pick", "input @ in.bin output { 2.5f32 }")] == [None] * 2
    assert [o.problem for o in outcomes(tmp_path, "entry: total", "input @ empty.bin output { 0 }")] == [None] * 2


WHOLE = binary("f64", np.array([1.0, 2.0]))


@pytest.mark.parametrize(("content", "problem"), [
    (WHOLE[:-1], "the value ends too early"), (WHOLE[:8], "the value ends too early"), (b"b", "value ends too early"),
    (WHOLE.replace(b"f64", b"f80"), "values of type f80"), (WHOLE.replace(b"b\x02", b"b\x03"), "version 3"),
    (WHOLE + b"x", "something else beside values"), (binary("bool", np.array([2], "u1")), "a bool that is neither"),
    (b"b\x02\x01 f64" + b"\xff" * 8, "size of an axis"), (b"b\x02\x01 f64" + b"\1" * 4, "the value ends too early"),
    (b"b\x02\x40 f64" + b"\0" * 1000, "64 axes"),
    (b"b\x02\x02 f64" + b"\0" * 8 + b"\xff" * 8, "size of an axis"),
])
def test_damaged_binary_data_files(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "in.bin").write_bytes(content)
    for outcome in outcomes(tmp_path, "entry: total", "input @ in.bin"):
        assert outcome.problem is not None
        assert problem in outcome.problem


def test_compile_time_errors(tmp_path: Path) -> None:
    program = "def f (x: f64) : i64 = x"
    assert [o.problem for o in outcomes(tmp_path, "error: i64", program=program)] == [None]
    problem = outcomes(tmp_path, "error: banana", program=program)[0].problem
    assert problem is not None
    assert problem.startswith("expected a compile-time error that fits `banana`, found ")
    assert outcomes(tmp_path, "error: x")[0].problem == "expected a compile-time error that fits `x`, found none"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.dad"
    path.write_text(PROGRAM + comment("input { 2.0 } output { 4.0 }"), encoding="utf-8")
    assert main(["test", str(path)]) == 0
    assert capsys.readouterr().out == "3 passed, 0 failed\n"
    assert main(["test", "-v", "--target", "numpy", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}:25: main, case 1 (numpy): passed\n1 passed, 0 failed\n"
    path.write_text(PROGRAM + comment("input { 2.0 } output { 5.0 }"), encoding="utf-8")
    assert main(["test", str(path), str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}:25: main, case 1 (native): expected 5.0, found 4.0"
    assert lines[-1] == "0 passed, 6 failed"


def test_programs_that_do_not_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.dad"
    path.write_text("entry main (x: f64) : i64 = x\n" + comment("input { 2.0 }"), encoding="utf-8")
    assert main(["test", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == "0 passed, 0 failed\n"
    assert "error[E" in err
    path.write_text(PROGRAM + comment("input { 2.0"), encoding="utf-8")
    assert main(["test", str(path)]) == 1
    assert "error[U401]" in capsys.readouterr().err


def test_an_empty_block_asks_that_the_program_compiles(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.dad", tmp_path / "bad.dad"
    good.write_text("-- ==\n\ndef main (x: i32) = x\n")
    bad.write_text("-- ==\n\ndef main (x: i32) = y\n")
    assert [outcome.problem for outcome in run_file(str(good)).outcomes] == [None]
    assert [d.code for d in run_file(str(bad)).diagnostics] == ["E101"]
