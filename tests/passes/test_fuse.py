"""Fusion: indices to arrays, gathers, map after map; and where it must keep its hands off."""

# ruff: noqa: E501  (IR text on one line)
from __future__ import annotations

import pytest
from dad.codegen.passes.fuse import fuse
from dad.codegen.passes.simplify import simplify
from dad.lang.core import ir

from .harness import agree, expect, function, outcome

F = "xs.0: []f64, ys.1: []f64, m.2: [][]f64, is.3: []i64, k.4: i64, s.5: f64, n.6: i64, c.7: bool"


def fused(program: ir.Program) -> ir.Program:
    return simplify(fuse(simplify(program)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # an array of the same length
        ("""let d.10: i64 = dim xs.0 {axis = 0} let j.11: []i64 = iota d.10
            let r.12: []f64 = map (j.11) shapes (()) \\(i.13: i64) {
              let x.14: f64 = index xs.0 i.13 let y.15: f64 = sin x.14 return y.15 } return r.12""",
         """let r.12: []f64 = map (xs.0) shapes (()) \\(x.14: f64) { let y.15: f64 = sin x.14 return y.15 } return r.12"""),
        # columns
        ("""let d.10: i64 = dim m.2 {axis = 1} let j.11: []i64 = iota d.10
            let r.12: []f64 = map (j.11) shapes (()) \\(i.13: i64) {
              let x.14: f64 = index m.2 k.4 i.13 let y.15: f64 = index m.2 0 i.13 let z.16: f64 = mul x.14 y.15
              return z.16 } return r.12""",
         """let t.10: [][]f64 = transpose m.2 {perm = (1 0)}
            let r.12: []f64 = map (t.10) shapes (()) \\(c.13: []f64) {
              let x.14: f64 = index c.13 k.4 let y.15: f64 = index c.13 0 let z.16: f64 = mul x.14 y.15
              return z.16 } return r.12"""),
        # a row is read once, if it surely exists
        ("""let d.10: i64 = dim m.2 {axis = 0} let e.11: i64 = dim m.2 {axis = 1} let j.12: []i64 = iota e.11
            let r.13: f64 = for d.10 \\(l.14: i64, a.15: f64) from (0.0) shapes () {
              let q.16: []f64 = map (j.12) shapes (()) \\(i.17: i64) {
                let x.18: f64 = index m.2 l.14 i.17 let y.19: f64 = mul x.18 a.15 return y.19 }
              let t.20: f64 = sum q.16 {axis = 0} return t.20 } return r.13""",
         """let d.10: i64 = dim m.2 {axis = 0}
            let r.13: f64 = for d.10 \\(l.14: i64, a.15: f64) from (0.0) shapes () {
              let row.16: []f64 = index m.2 l.14
              let q.17: []f64 = map (row.16) shapes (()) \\(x.18: f64) { let y.19: f64 = mul x.18 a.15 return y.19 }
              let t.20: f64 = sum q.17 {axis = 0} return t.20 } return r.13"""),
        # neighbours
        ("""let d.10: i64 = dim xs.0 {axis = 0} let l.11: i64 = sub d.10 1 let j.12: []i64 = iota l.11
            let r.13: []f64 = map (j.12) shapes (()) \\(i.14: i64) {
              let o.15: i64 = add i.14 1 let x.16: f64 = index xs.0 i.14 let y.17: f64 = index xs.0 o.15
              let z.18: f64 = sub y.17 x.16 return z.18 } return r.13""",
         """let d.10: i64 = dim xs.0 {axis = 0} let l.11: i64 = sub d.10 1
            let a.12: []f64 = slice xs.0 0 l.11 1 {axis = 0} let b.13: []f64 = slice xs.0 1 l.11 1 {axis = 0}
            let r.14: []f64 = map (a.12 b.13) shapes (()) \\(x.15: f64, y.16: f64) {
              let z.17: f64 = sub y.16 x.15 return z.17 } return r.14"""),
        # a matrix product
        ("""let n.10: i64 = dim m.2 {axis = 0} let p.11: i64 = dim m.2 {axis = 1}
            let a.12: []i64 = iota n.10 let b.13: []i64 = iota p.11
            let r.14: []f64 = map (a.12) shapes (()) \\(i.15: i64) {
              let q.16: []f64 = map (b.13) shapes (()) \\(j.17: i64) {
                let x.18: f64 = index m.2 i.15 j.17 let y.19: f64 = mul x.18 x.18 return y.19 }
              let t.20: f64 = sum q.16 {axis = 0} return t.20 } return r.14""",
         """let r.14: []f64 = map (m.2) shapes (()) \\(row.15: []f64) {
              let q.16: []f64 = map (row.15) shapes (()) \\(x.17: f64) { let y.18: f64 = mul x.17 x.17 return y.18 }
              let t.19: f64 = sum q.16 {axis = 0} return t.19 } return r.14"""),
        # gather, with the check of the index
        ("""let d.10: i64 = dim xs.0 {axis = 0}
            let r.11: []f64 = map (is.3) shapes (()) \\(i.12: i64) {
              let o.13: i64 = check_index i.12 d.10 {axis = 0, what = "xs"} let x.14: f64 = index xs.0 o.13 return x.14 }
            return r.11""",
         """let d.10: i64 = dim xs.0 {axis = 0} let o.11: []i64 = check_index is.3 d.10 {axis = 0, what = "xs"}
            let r.12: []f64 = gather xs.0 o.11 return r.12"""),
        # map after map
        ("""let a.10: []f64 = map (xs.0) shapes (()) \\(x.11: f64) { let y.12: f64 = sin x.11 return y.12 }
            let b.13: []f64 = map (a.10 ys.1) shapes (()) \\(u.14: f64, v.15: f64) {
              let w.16: f64 = mul u.14 v.15 return w.16 }
            let e.17: []f64 = map (b.13) shapes (()) \\(p.18: f64) { let q.19: f64 = exp p.18 return q.19 }
            return e.17""",
         """let e.17: []f64 = map (xs.0 ys.1) shapes (()) \\(x.11: f64, v.15: f64) {
              let y.12: f64 = sin x.11 let w.16: f64 = mul y.12 v.15 let q.19: f64 = exp w.16 return q.19 }
            return e.17"""),
        # by way of indices
        ("""let a.10: []f64 = map (xs.0) shapes (()) \\(x.11: f64) { let y.12: f64 = sin x.11 return y.12 }
            let d.20: i64 = dim xs.0 {axis = 0} let j.21: []i64 = iota d.20
            let b.13: []f64 = map (j.21) shapes (()) \\(i.14: i64) {
              let u.15: f64 = index a.10 i.14 let w.16: f64 = mul u.15 s.5 return w.16 } return b.13""",
         """let b.13: []f64 = map (xs.0) shapes (()) \\(x.11: f64) {
              let y.12: f64 = sin x.11 let w.16: f64 = mul y.12 s.5 return w.16 } return b.13"""),
    ],
)  # fmt: skip
def test_fused(before: str, after: str) -> None:
    expect(fused, F, before, after)


@pytest.mark.parametrize(
    "body",
    [
        # the inner map is read twice
        """let a.10: []f64 = map (xs.0) shapes (()) \\(x.11: f64) { let y.12: f64 = sin x.11 return y.12 }
           let b.13: []f64 = map (a.10) shapes (()) \\(u.14: f64) { let w.16: f64 = exp u.14 return w.16 }
           return a.10 b.13""",
        # not known to be as long, and read after a check that may say that it is not
        """let j.10: []i64 = iota n.6
           let r.11: []f64 = map (j.10) shapes (()) \\(i.12: i64) {
             let b.13: bool = lt i.12 k.4 let o.14: bool = assert b.13 {what = "short"}
             let x.15: f64 = index xs.0 i.12 let y.16: f64 = sin x.15 return y.16 } return r.11""",
        # read in a branch only
        """let j.10: []i64 = iota n.6
           let r.11: []f64 = map (j.10) shapes (()) \\(i.12: i64) {
             let b.13: bool = lt i.12 k.4
             let y.14: f64 = if b.13 { let x.15: f64 = index xs.0 i.12 return x.15 } else { return 0.0 }
             return y.14 } return r.11""",
        # two maps that may both fail stay in order
        """let a.10: []i64 = map (is.3) shapes (()) \\(i.11: i64) { let d.12: i64 = check_divisor i.11 let q.13: i64 = quot k.4 d.12 return q.13 }
           let b.14: []i64 = map (a.10) shapes (()) \\(i.15: i64) { let d.16: i64 = check_divisor i.15 let q.17: i64 = quot k.4 d.16 return q.17 }
           return b.14""",
    ],
)  # fmt: skip
def test_stays(body: str) -> None:
    expect(fused, F, body, body)


def test_a_row_that_may_not_exist_is_not_read_before_a_map_over_nothing() -> None:
    """m[k, i] for i < 0 reads nothing, so that any k will do."""
    program = function(
        F,
        """let e.10: i64 = dim m.2 {axis = 1} let j.11: []i64 = iota e.10
           let r.12: []f64 = map (j.11) shapes (()) \\(i.13: i64) {
             let x.14: f64 = index m.2 k.4 i.13 let y.15: f64 = sin x.14 return y.15 } return r.12""",
    )
    import numpy as np

    args = [np.ones(1), np.ones(1), np.ones((2, 0)), np.arange(1), np.int64(5), 1.0, np.int64(0), np.bool_(True)]
    assert agree(outcome(fused(program), "f", args), outcome(program, "f", args))


def test_long_chains_of_maps() -> None:
    """A thousand maps become one, without recursion on their number."""
    from dad.lang.core.build import Builder, Fresh

    b = Builder(Fresh())
    x = b.fresh("x", ir.Type("f64", 1))
    y: ir.Atom = x
    for _ in range(1000):
        element = b.fresh("e", ir.F64)
        inner = b.nested()
        body = inner.block([inner.prim("sin", element)])
        y = b.map([y], ir.Lambda((element,), body), [()])[0]
    done = fuse(ir.Program({"f": ir.Function("f", (x,), b.block([y]))}))
    assert len(done.functions["f"].body.stmts) == 1
