"""The reference interpreter: what each operation of the IR means, written as small programs with their results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.codegen import interp
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.text import parse
from dad.lang.core.verify import verify
from dad.lang.source import Source, Span


def run(text: str, *args: Any) -> list[Any]:
    program = parse(text)
    verify(program)
    return [np.asarray(x).tolist() for x in interp.run(program, list(program.functions)[-1], args)]


def test_map_one_element_at_a_time() -> None:
    text = r"""def f (xs.0: []f64, ys.1: [][]f64, k.2: f64) {
      let a.3: []f64, b.4: [][]f64 = map (xs.0 ys.1) shapes (() (2)) \(x.5: f64, y.6: []f64) {
        let u.7: f64 = mul x.5 k.2
        let v.8: []f64 = add y.6 x.5
        return u.7 v.8
      }
      return a.3 b.4
    }"""
    assert run(text, [1.0, 2.0], [[0.0, 1.0], [2.0, 3.0]], 10.0) == [[10, 20], [[1, 2], [4, 5]]]


def test_map_over_nothing_has_its_shape() -> None:
    text = r"""def f (xs.0: []f64, n.1: i64) {
      let a.3: [][][]f64 = map (xs.0) shapes ((n.1 3)) \(x.5: f64) {
        let r.6: []f64 = replicate 3 x.5
        let s.7: [][]f64 = replicate n.1 r.6
        return s.7
      }
      let d.8: i64 = dim a.3 {axis = 1}
      let e.9: i64 = dim a.3 {axis = 2}
      return a.3 d.8 e.9
    }"""
    assert run(text, np.zeros(0), 4) == [[], 4, 3]
    assert run(text, np.ones(1), 0) == [[[]], 0, 3]


def test_fold_from_the_left() -> None:
    text = r"""def f (xs.0: []i64, ys.9: []i64) {
      let s.1: i64, t.10: i64 = reduce (xs.0 ys.9) neutral (100 0) \(a.2: i64, c.11: i64, b.3: i64, d.12: i64) {
        let r.4: i64 = sub a.2 b.3
        return r.4 d.12
      }
      let p.5: []i64 = scan (xs.0) neutral (100) \(a.6: i64, b.7: i64) {
        let r.8: i64 = sub a.6 b.7
        return r.8
      }
      return s.1 t.10 p.5
    }"""
    assert run(text, [1, 2, 3], [7, 8, 9]) == [94, 9, [99, 97, 94]]
    assert run(text, np.zeros(0, np.int64), np.zeros(0, np.int64)) == [100, 0, []]


FOR = r"""def f (n.0: i64, x.1: f64) {
  let last.2: f64, rows.3: []f64, at.4: [][]i64 = for n.0 \(i.5: i64, s.6: f64) from (x.1) shapes (() (2)) {
    let t.7: f64 = mul s.6 2.0
    let r.8: []i64 = replicate 2 i.5
    return t.7 s.6 r.8
  }
  return last.2 rows.3 at.4
}"""


def test_for_collects_rows() -> None:
    assert run(FOR, 3, 1.0) == [8, [1, 2, 4], [[0, 0], [1, 1], [2, 2]]]


@pytest.mark.parametrize("count", [0, -5])
def test_no_iterations(count: int) -> None:
    program = parse(FOR)
    last, rows, at = interp.run(program, "f", [count, 1.5])
    assert (last, rows.shape, at.shape) == (1.5, (0,), (0, 2))


def test_while_counts() -> None:
    text = r"""def f (x.0: f64) {
      let last.1: f64, index.9: i64, seen.2: []f64, n.3: i64 = while \(t.4: f64, j.10: i64) {
        let c.5: bool = lt t.4 10.0
        return c.5
      } \(i.6: i64, s.7: f64, j.11: i64) from (x.0 -1) shapes (()) {
        let t.8: f64 = mul s.7 2.0
        return t.8 i.6 t.8
      }
      return last.1 index.9 seen.2 n.3
    }"""
    assert run(text, 1.0) == [16, 3, [2, 4, 8, 16], 4]
    assert run(text, 10.0) == [10, -1, [], 0]


def test_loop_state_is_replaced_at_once() -> None:
    text = r"""def fib (n.0: i64) {
      let a.1: i64, b.2: i64 = for n.0 \(i.3: i64, a.4: i64, b.5: i64) from (0 1) shapes () {
        let c.6: i64 = add a.4 b.5
        return b.5 c.6
      }
      return a.1
    }"""
    assert run(text, 10) == [55]


def test_only_the_taken_branch_runs() -> None:
    text = """def f (c.0: bool) {
      let r.1: i64 = if c.0 { return 1 } else { let d.2: i64 = check_divisor 0 return d.2 }
      return r.1
    }"""
    assert run(text, True) == [1]
    with pytest.raises(RunError, match="R104: integer division by zero"):
        run(text, False)


def test_recursion_has_its_own_variables() -> None:
    text = """def fact (n.0: i64) {
      let c.1: bool = le n.0 0
      let r.2: i64 = if c.1 { return 1 } else {
        let m.3: i64 = sub n.0 1
        let s.4: i64 = call fact (m.3) : (i64)
        let t.5: i64 = mul s.4 n.0
        return t.5
      }
      return r.2
    }"""
    assert run(text, 10) == [3628800]


def test_results_have_the_exact_dtypes() -> None:
    text = """def f (a.0: i8, b.1: f32, c.2: u64) {
      let x.3: i8 = add a.0 100:i8
      let y.4: f32 = div b.1 3.0:f32
      let z.5: u64 = sub c.2 1:u64
      let t.6: bool = lt b.1 0.5:f32
      return x.3 y.4 z.5 t.6
    }"""
    got = interp.run(parse(text), "f", [100, 1.0, 0])
    assert [x.dtype.name for x in got] == ["int8", "float32", "uint64", "bool"]
    assert list(got) == [-56, np.float32(1) / np.float32(3), 2**64 - 1, False]


def test_arguments_are_values() -> None:
    """Nothing that the program does changes the caller's arrays."""
    text = "def f (xs.0: []f64) { let ys.1: []f64 = update xs.0 9.0 0 let zs.2: []f64 = reverse xs.0 return ys.1 zs.2 }"
    xs = np.arange(3.0)
    assert run(text, xs) == [[9, 1, 2], [2, 1, 0]]
    assert xs.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([1.0], "takes 2 arguments, got 1"),
        ([np.float32(1.0), [1.0]], "argument x has dtype float32, not float64"),
        ([1.0, 2.0], "argument ys has rank 0, not 1"),
        ([1.0, [[1.0]]], "argument ys has rank 2, not 1"),
    ],
)
def test_wrong_arguments(args: list[Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        interp.run(parse("def f (x.0: f64, ys.1: []f64) { return x.0 }"), "f", args)


# Statement on `n: i64` and `xs: [3]f64`, n, and what it raises; nothing when the message is empty.
CHECKS = [
    ('check_index n.0 3 {axis = 0, what = "xs"}', 2, ""),
    ('check_index n.0 3 {axis = 0, what = "xs"}', 3, "R101: index 3 is out of bounds for axis 0 of `xs` with size 3"),
    ('check_index n.0 3 {axis = 1, what = "xs"}', -1, "R101: index -1 is out of bounds for axis 1 of `xs` with size 3"),
    ('check_slice 1 n.0 1 3 {axis = 0, what = "xs"}', 2, ""),
    ('check_slice 3 n.0 1 3 {axis = 0, what = "xs"}', 0, ""),
    ('check_slice 2 n.0 -1 3 {axis = 0, what = "xs"}', 3, ""),
    (
        'check_slice 1 n.0 1 3 {axis = 0, what = "xs"}',
        3,
        "R102: slice of 3 elements from 1 with step 1 does not fit axis 0 of `xs` with size 3",
    ),
    ('check_slice 2 n.0 -1 3 {axis = 0, what = "xs"}', 4, "R102: slice of 4 elements from 2 with step -1 does not fit"),
    ('check_slice 4 n.0 1 3 {axis = 0, what = "xs"}', 0, "R102: slice of 0 elements from 4"),
    ('check_slice 2 n.0 1 3 {axis = 0, what = "xs"}', -1, "R102: slice of -1 elements from 2"),
    ('check_equal n.0 3 {what = "the sizes of `{0}`"}', 3, ""),
    ('check_equal n.0 3 {what = "the sizes of `{0}`"}', 4, "R103: the sizes of `{0}`: 4 and 3 differ"),
    ("check_divisor n.0", 1, ""),
    ("check_divisor n.0", 0, "R104: integer division by zero"),
    ('check_size n.0 {what = "iota n"}', 0, ""),
    ('check_size n.0 {what = "iota n"}', -2, "R105: iota n: negative size -2"),
]


@pytest.mark.parametrize(("check", "n", "message"), CHECKS)
def test_checks(check: str, n: int, message: str) -> None:
    text = f"def f (n.0: i64) {{ let m.1: i64 = {check} return m.1 }}"
    if not message:
        assert isinstance(run(text, n)[0], int)
        return
    with pytest.raises(RunError) as caught:
        run(text, n)
    assert str(caught.value).startswith(message)
    assert caught.value.code == message[:4]


def test_checks_on_arrays_report_the_first_failure() -> None:
    text = 'def f (n.0: []i64) { let m.1: []i64 = check_index n.0 3 {axis = 0, what = "xs"} return m.1 }'
    assert run(text, [0, 2, 1]) == [[0, 2, 1]]
    with pytest.raises(RunError, match="index 7 is out of bounds"):
        run(text, [0, 7, 9])
    assert run(text, np.zeros(0, np.int64)) == [[]]


def test_the_error_names_the_line() -> None:
    source = Source("model.dad", "one\ntwo\nassert (x > 0) y\n")
    b = Builder(Fresh(), Span(source, 8, 12))
    c = b.fresh("c", ir.BOOL)
    b.prim("assert", c, what="x > 0")
    program = ir.Program({"f": ir.Function("f", (c,), b.block([c]))})
    assert interp.run(program, "f", [True]) == (True,)
    with pytest.raises(RunError) as caught:
        interp.run(program, "f", [False])
    assert str(caught.value) == "R106: x > 0 (model.dad:3)"
    assert (caught.value.code, caught.value.message, caught.value.where) == ("R106", "x > 0", "model.dad:3")


def test_compilers_mistakes_are_no_run_errors() -> None:
    irregular = r"""def f (xs.0: []i64) {
      let a.1: [][]i64 = map (xs.0) shapes ((2)) \(x.2: i64) { let r.3: []i64 = iota x.2 return r.3 }
      return a.1
    }"""
    with pytest.raises(interp.InterpreterError, match="a row of shape"):
        run(irregular, [1, 2])
    unequal = r"""def f (xs.0: []i64, ys.1: []i64) {
      let a.2: []i64 = map (xs.0 ys.1) shapes (()) \(x.3: i64, y.4: i64) { return x.3 }
      return a.2
    }"""
    with pytest.raises(interp.InterpreterError, match="side by side"):
        run(unequal, [1], [1, 2])
    with pytest.raises(interp.InterpreterError, match="derivative"):
        run(
            r"def f (x.0: f64) { let y.1: f64, t.2: f64 = jvp (x.0) seeds (1.0) \(a.3: f64) { return "
            r"a.3 } return t.2 }",
            1.0,
        )


def test_no_warnings_escape() -> None:
    with np.errstate(all="raise"):
        assert run("def f (x.0: f64) { let y.1: f64 = div 1.0 x.0 let z.2: f64 = mul y.1 1e300 return z.2 }", 0.0) == [
            np.inf
        ]
