"""Rules for scalar and elementwise primitives, one before and after to each; and rules that must not be."""

# ruff: noqa: E501  (IR text on one line)
from __future__ import annotations

import pytest
from dad.codegen.passes.simplify import simplify
from dad.lang.core import ir

from .harness import canonical, expect, function

F = "x.0: f64, y.1: f64, xs.2: []f64, ys.3: []f64, i.4: i64, j.5: i64, c.6: bool, d.7: bool"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("let a.10: f64 = mul x.0 1.0 return a.10", "return x.0"),
        ("let a.10: []f64 = mul 1.0 xs.2 return a.10", "return xs.2"),
        ("let a.10: i64 = add 0 i.4 return a.10", "return i.4"),
        ("let a.10: f64 = sub x.0 0.0 return a.10", "return x.0"),
        ("let a.10: f64 = add x.0 -0.0 return a.10", "return x.0"),
        ("let a.10: []f64 = div xs.2 1.0 return a.10", "return xs.2"),
        ("let a.10: f64 = mul x.0 -1.0 return a.10", "let a.10: f64 = neg x.0 return a.10"),
        ("let a.10: f64 = neg x.0 let b.11: f64 = neg a.10 return b.11", "return x.0"),
        ("let a.10: f64 = neg x.0 let b.11: f64 = add y.1 a.10 return b.11", "let b.11: f64 = sub y.1 x.0 return b.11"),
        ("let a.10: f64 = neg x.0 let b.11: f64 = sub y.1 a.10 return b.11", "let b.11: f64 = add y.1 x.0 return b.11"),
        ("let a.10: f64 = neg x.0 let b.11: f64 = add a.10 y.1 return b.11", "let b.11: f64 = sub y.1 x.0 return b.11"),
        (
            "let a.10: f64 = neg x.0 let b.11: f64 = neg y.1 let e.12: f64 = mul a.10 b.11 return e.12",
            "let e.12: f64 = mul x.0 y.1 return e.12",
        ),
        ("let a.10: f64 = neg x.0 let b.11: f64 = div a.10 2.0 return b.11", "let b.11: f64 = div x.0 -2.0 return b.11"),
        ("let a.10: f64 = pow x.0 2.0 return a.10", "let a.10: f64 = mul x.0 x.0 return a.10"),
        (
            "let a.10: f64 = pow x.0 3.0 return a.10",
            "let a.10: f64 = mul x.0 x.0 let b.11: f64 = mul a.10 x.0 return b.11",
        ),
        ("let a.10: f64 = pow x.0 -1.0 return a.10", "let a.10: f64 = div 1.0 x.0 return a.10"),
        ("let a.10: i64 = add i.4 3 let b.11: i64 = sub a.10 3 return b.11", "return i.4"),
        ("let a.10: i64 = sub i.4 3 let b.11: i64 = add 1 a.10 return b.11", "let b.11: i64 = sub i.4 2 return b.11"),
        ("let a.10: i64 = sub i.4 i.4 return a.10", "return 0"),
        ("let a.10: i64 = mul i.4 0 return a.10", "return 0"),
        ("let a.10: f64 = max x.0 x.0 return a.10", "return x.0"),
        ("let a.10: f64 = select true x.0 y.1 return a.10", "return x.0"),
        ("let a.10: []f64 = select c.6 xs.2 xs.2 return a.10", "return xs.2"),
        (
            "let a.10: bool = not c.6 let b.11: f64 = select a.10 x.0 y.1 return b.11",
            "let b.11: f64 = select c.6 y.1 x.0 return b.11",
        ),
        ("let a.10: bool = select c.6 true false return a.10", "return c.6"),
        ("let a.10: bool = not c.6 let b.11: bool = not a.10 return b.11", "return c.6"),
        ("let a.10: bool = lt i.4 j.5 let b.11: bool = not a.10 return b.11", "let b.11: bool = ge i.4 j.5 return b.11"),
        ("let a.10: bool = and c.6 true return a.10", "return c.6"),
        ("let a.10: bool = or c.6 true return a.10", "return true"),
        ("let a.10: bool = le i.4 i.4 return a.10", "return true"),
        ("let a.10: bool = eq c.6 false return a.10", "let a.10: bool = not c.6 return a.10"),
        ('let a.10: f64 = cast x.0 {to = "f64"} return a.10', "return x.0"),
        ("let a.10: f64 = add 1.5 2.0 let b.11: f64 = mul a.10 x.0 return b.11", "let b.11: f64 = mul 3.5 x.0 return b.11"),
        ("let a.10: i64 = pow 2 70 return a.10", "return 0"),
        ('let a.10: i64 = cast 2.75 {to = "i64"} return a.10', "return 2"),
        ("let a.10: []f64 = zeros_like ys.3 let b.11: []f64 = add xs.2 a.10 return b.11", "return xs.2"),
        (
            "let a.10: []f64 = zeros_like ys.3 let b.11: []f64 = mul xs.2 a.10 return b.11",
            "let a.10: []f64 = zeros_like ys.3 return a.10",
        ),
        ("let a.10: i64 = stop_grad i.4 return a.10", "return i.4"),
        (
            "let a.10: f64 = stop_grad x.0 let b.11: f64 = stop_grad a.10 return b.11",
            "let a.10: f64 = stop_grad x.0 return a.10",
        ),
    ],
)
def test_rule(before: str, after: str) -> None:
    expect(simplify, F, before, after)


@pytest.mark.parametrize(
    "body",
    [
        "let a.10: f64 = mul x.0 0.0 return a.10",  # x may be nan or infinite
        "let a.10: f64 = sub x.0 x.0 return a.10",
        "let a.10: f64 = add x.0 0.0 return a.10",  # -0.0 + 0.0 is 0.0
        "let a.10: f64 = div x.0 x.0 return a.10",
        "let a.10: bool = eq x.0 x.0 return a.10",
        "let a.10: bool = lt x.0 y.1 let b.11: bool = not a.10 return b.11",  # nan is neither
        "let a.10: i64 = div 1 0 return a.10",  # not for the compiler to fail
        "let a.10: []f64 = mul xs.2 0.0 return a.10",
        "let a.10: f64 = stop_grad x.0 return a.10",
        "let a.10: f64 = pow x.0 0.5 return a.10",
    ],
)
def test_stays(body: str) -> None:
    expect(simplify, F, body, body)


def test_broadcast_operands_keep_their_shapes() -> None:
    """After vectorisation a sum may be larger than each operand."""
    for body in (
        "let a.10: []f64 = zeros_like ys.3 let b.11: []f64 = add xs.2 a.10 return b.11",
        "let a.10: []f64 = add xs.2 ys.3 let n.11: i64 = dim a.10 {axis = 0} return n.11",
        "let a.10: []bool = lt ys.3 0.0 let b.11: []f64 = select a.10 xs.2 xs.2 return b.11",
    ):
        before = function(F, body)
        assert canonical(simplify(before, broadcasting=True)) == canonical(before)
        assert canonical(simplify(before)) != canonical(before)


def test_common_subexpressions() -> None:
    expect(
        simplify,
        F,
        "let a.10: f64 = mul x.0 y.1 let b.11: f64 = mul y.1 x.0 let e.12: f64 = add a.10 b.11 return e.12",
        "let a.10: f64 = mul x.0 y.1 let e.12: f64 = add a.10 a.10 return e.12",
    )
    # An arm sees what was computed before the branch, not what the other arm computes.
    arms = """
      let a.10: f64 = sin x.0
      let r.11: []f64 = if c.6 {
        let b.12: f64 = sin x.0 let e.13: f64 = exp x.0 let u.14: []f64 = mul xs.2 b.12 let v.15: []f64 = mul u.14 e.13 return v.15
      } else {
        let e.16: f64 = exp x.0 let u.17: []f64 = mul xs.2 e.16 return u.17
      }
      return a.10 r.11"""
    after = arms.replace("let b.12: f64 = sin x.0 ", "").replace("b.12", "a.10")
    expect(simplify, F, arms, after)


def test_whole_maps_merge() -> None:
    twice = """
      let a.10: []f64 = map (xs.2 ys.3) shapes (()) \\(u.11: f64, v.12: f64) {
        let w.13: f64 = mul u.11 v.12 let z.14: f64 = sin w.13 return z.14 }
      let b.20: []f64 = map (xs.2 ys.3) shapes (()) \\(p.21: f64, q.22: f64) {
        let r.23: f64 = mul q.22 p.21 let s.24: f64 = sin r.23 return s.24 }
      let e.30: []f64 = add a.10 b.20
      return e.30"""
    once = """
      let a.10: []f64 = map (xs.2 ys.3) shapes (()) \\(u.11: f64, v.12: f64) {
        let w.13: f64 = mul u.11 v.12 let z.14: f64 = sin w.13 return z.14 }
      let e.30: []f64 = add a.10 a.10
      return e.30"""
    expect(simplify, F, twice, once)


def test_equal_checks_merge_whatever_they_say() -> None:
    expect(
        simplify,
        F,
        'let n.10: i64 = dim xs.2 {axis = 0} let a.11: i64 = check_index i.4 n.10 {axis = 0, what = "xs"}'
        ' let b.12: i64 = check_index i.4 n.10 {axis = 1, what = "zs"} let e.13: i64 = add a.11 b.12 return e.13',
        'let n.10: i64 = dim xs.2 {axis = 0} let a.11: i64 = check_index i.4 n.10 {axis = 0, what = "xs"}'
        " let e.13: i64 = add a.11 a.11 return e.13",
    )


def test_linear() -> None:
    """Twice as long a block takes twice as many calls of rules, and no deeper recursion."""
    from dad.codegen.passes import algebra
    from dad.codegen.passes import simplify as module
    from dad.lang.core.build import Builder, Fresh, i64

    def chain(length: int) -> ir.Program:
        b = Builder(Fresh())
        x = b.fresh("x", ir.Type("f64", 1))
        y: ir.Atom = x
        for k in range(length // 2):
            y = b.prim("update", y, ir.Const(float(k), "f64"), i64(k))
            y = b.prim("sin", y)
        return ir.Program({"f": ir.Function("f", (x,), b.block([b.dim(y), y]))})

    def calls(length: int) -> int:
        count = 0
        rewrite = algebra.rewrite

        def counted(*args: object) -> object:
            nonlocal count
            count += 1
            return rewrite(*args)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "rewrite", counted)
            done = simplify(chain(length))
        f = done.functions["f"]
        read = [stmt.op.args for stmt in f.body.stmts if isinstance(stmt.op, ir.Prim) and stmt.op.name == "dim"]
        assert read == [f.params]
        return count

    assert calls(20000) <= 2.1 * calls(10000)
