"""Maps, folds, loops and branches simplified; dead code; code moved out of loops."""

# ruff: noqa: E501  (IR text on one line)
from __future__ import annotations

import pytest
from dad.codegen.passes.simplify import simplify

from .harness import expect

F = "xs.0: []f64, ys.1: []f64, m.2: [][]f64, k.3: i64, s.4: f64, c.5: bool, n.6: i64, z.7: f64"


def test_invariant_code_leaves_maps_and_loops_but_not_branches() -> None:
    expect(
        simplify,
        F,
        """
        let r.10: []f64 = map (xs.0) shapes (()) \\(x.11: f64) {
          let q.12: f64 = sin s.4
          let a.13: []f64 = map (ys.1) shapes (()) \\(y.14: f64) {
            let p.15: f64 = exp s.4 let o.16: f64 = mul x.11 x.11 let u.17: f64 = mul p.15 o.16 let v.18: f64 = add u.17 y.14
            return v.18 }
          let t.19: f64 = sum a.13 {axis = 0}
          let w.20: f64 = if c.5 { let l.21: f64 = log s.4 let e.22: f64 = mul l.21 t.19 return e.22 } else { return q.12 }
          return w.20
        }
        return r.10""",
        """
        let q.12: f64 = sin s.4
        let p.15: f64 = exp s.4
        let r.10: []f64 = map (xs.0) shapes (()) \\(x.11: f64) {
          let o.16: f64 = mul x.11 x.11 let u.17: f64 = mul p.15 o.16
          let a.13: []f64 = map (ys.1) shapes (()) \\(y.14: f64) { let v.18: f64 = add u.17 y.14 return v.18 }
          let t.19: f64 = sum a.13 {axis = 0}
          let w.20: f64 = if c.5 { let l.21: f64 = log s.4 let e.22: f64 = mul l.21 t.19 return e.22 } else { return q.12 }
          return w.20
        }
        return r.10""",
    )


def test_loops_that_might_not_end_stay_where_they_are() -> None:
    body = """
      let r.10: []f64 = map (xs.0) shapes (()) \\(x.11: f64) {
        let a.12: f64, i.13: i64 = while \\(p.14: f64) { let t.15: bool = gt p.14 0.0 return t.15 }
          \\(j.16: i64, q.17: f64) from (s.4) shapes () { let u.18: f64 = sub q.17 1.0 return u.18 }
        let v.19: f64 = mul x.11 a.12
        return v.19
      }
      return r.10"""
    expect(simplify, F, body, body)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # results that are operands, constants, or other results
        ("let a.10: []f64, b.11: []f64, e.12: []f64 = map (xs.0 ys.1) shapes (() () ()) \\(x.13: f64, y.14: f64) {"
         " let p.15: f64 = mul x.13 y.14 return p.15 y.14 p.15 } return a.10 b.11 e.12",
         "let a.10: []f64 = map (xs.0 ys.1) shapes (()) \\(x.13: f64, y.14: f64) {"
         " let p.15: f64 = mul x.13 y.14 return p.15 } return a.10 ys.1 a.10"),
        ("let a.10: []f64 = map (xs.0) shapes (()) \\(x.13: f64) { return s.4 } return a.10",
         "let d.10: i64 = dim xs.0 {axis = 0} let a.11: []f64 = replicate d.10 s.4 return a.11"),
        # operands: copies of one value, the same twice, one that nobody reads
        ("let d.9: i64 = dim xs.0 {axis = 0} let q.10: []f64 = replicate d.9 s.4"
         " let a.11: []f64 = map (xs.0 q.10 xs.0 ys.1) shapes (()) \\(x.12: f64, y.13: f64, u.14: f64, v.15: f64) {"
         " let p.16: f64 = mul x.12 y.13 let r.17: f64 = add p.16 u.14 return r.17 } return a.11",
         "let a.11: []f64 = map (xs.0) shapes (()) \\(x.12: f64) {"
         " let p.16: f64 = mul x.12 s.4 let r.17: f64 = add p.16 x.12 return r.17 } return a.11"),
        # of operands that nobody reads one is left, the cheapest, for its length
        ("let d.8: i64 = dim xs.0 {axis = 0} let i.9: []i64 = iota d.8"
         " let a.10: []f64 = map (xs.0 i.9) shapes (()) \\(x.11: f64, j.12: i64) {"
         " let e.13: i64 = check_divisor k.3 return s.4 } return",
         "let d.8: i64 = dim xs.0 {axis = 0} let i.9: []i64 = iota d.8"
         " let = map (i.9) shapes () \\(j.12: i64) { let e.13: i64 = check_divisor k.3 return } return"),
        # folds
        ("let a.10: f64 = reduce (xs.0) neutral (0.0) \\(p.11: f64, q.12: f64) { let r.13: f64 = add q.12 p.11 return r.13 } return a.10",
         "let a.10: f64 = sum xs.0 {axis = 0} return a.10"),
        ("let a.10: f64 = reduce (xs.0) neutral (2.0) \\(p.11: f64, q.12: f64) { let r.13: f64 = mul q.12 p.11 return r.13 } return a.10",
         "let a.10: f64 = prod xs.0 {axis = 0} let b.11: f64 = mul 2.0 a.10 return b.11"),
        ("let a.10: f64, b.11: f64 = reduce (xs.0 ys.1) neutral (-inf inf) \\(p.12: f64, o.13: f64, q.14: f64, t.15: f64) {"
         " let r.16: f64 = max p.12 q.14 let u.17: f64 = min o.13 t.15 return r.16 u.17 } return a.10 b.11",
         "let a.10: f64 = maximum xs.0 {axis = 0} let b.11: f64 = minimum ys.1 {axis = 0} return a.10 b.11"),
        ("let d.9: i64 = dim m.2 {axis = 1} let z.10: []f64 = replicate d.9 0.0"
         " let a.11: []f64 = reduce (m.2) neutral (z.10) \\(p.12: []f64, q.13: []f64) {"
         " let r.14: []f64 = map (p.12 q.13) shapes (()) \\(u.15: f64, v.16: f64) { let w.17: f64 = add u.15 v.16 return w.17 }"
         " return r.14 } return a.11",
         "let a.11: []f64 = sum m.2 {axis = 0} return a.11"),
        ("let a.10: []f64 = scan (xs.0) neutral (0.0) \\(p.11: f64, q.12: f64) { let r.13: f64 = add p.11 q.12 return r.13 } return a.10",
         "let a.10: []f64 = cumsum xs.0 {axis = 0} return a.10"),
        # branches
        ("let a.10: f64 = if true { let b.11: f64 = sin s.4 return b.11 } else { return 0.0 } return a.10",
         "let b.11: f64 = sin s.4 return b.11"),
        ("let a.10: []f64 = if c.5 { return xs.0 } else { return xs.0 } return a.10", "return xs.0"),
        ("let a.10: f64 = if c.5 { return s.4 } else { return z.7 } return a.10",
         "let a.10: f64 = select c.5 s.4 z.7 return a.10"),
        ("let a.10: bool = if c.5 { return false } else { return true } return a.10", "let a.10: bool = not c.5 return a.10"),
        ("let a.10: []f64 = if c.5 { let b.11: []f64 = if c.5 { return ys.1 } else { return xs.0 } return b.11 } else { return xs.0 }"
         " return a.10",
         "let a.10: []f64 = if c.5 { return ys.1 } else { return xs.0 } return a.10"),
        # loops that run once or not at all
        ("let a.10: f64, b.11: []f64 = for 1 \\(i.12: i64, p.13: f64) from (s.4) shapes (()) {"
         ' let f.14: f64 = cast i.12 {to = "f64"} let q.15: f64 = add p.13 f.14 let r.16: f64 = mul q.15 q.15 return r.16 q.15 }'
         " return a.10 b.11",
         "let q.15: f64 = add s.4 0.0 let r.16: f64 = mul q.15 q.15 let b.17: []f64 = stack q.15 return r.16 b.17"),
        ("let a.10: f64, b.11: []f64 = for 0 \\(i.12: i64, p.13: f64) from (s.4) shapes (()) {"
         " let q.15: f64 = sin p.13 return q.15 p.13 } return a.10 b.11",
         "let b.11: []f64 = replicate 0 0.0 return s.4 b.11"),
        # states that stay, states that are one, states and stacks that nobody reads
        ("let a.10: f64, b.11: f64 = for k.3 \\(i.12: i64, p.13: f64, q.14: f64) from (s.4 z.7) shapes () {"
         " let r.15: f64 = mul p.13 q.14 return r.15 q.14 } return a.10 b.11",
         "let a.10: f64 = for k.3 \\(i.12: i64, p.13: f64) from (s.4) shapes () {"
         " let r.15: f64 = mul p.13 z.7 return r.15 } return a.10 z.7"),
        ("let a.10: f64, b.11: f64 = for k.3 \\(i.12: i64, p.13: f64, q.14: f64) from (s.4 s.4) shapes () {"
         " let r.15: f64 = mul p.13 q.14 return r.15 r.15 } return a.10 b.11",
         "let a.10: f64 = for k.3 \\(i.12: i64, p.13: f64) from (s.4) shapes () {"
         " let r.15: f64 = mul p.13 p.13 return r.15 } return a.10 a.10"),
        ("let a.10: f64, b.11: f64, e.12: []f64 = for k.3 \\(i.13: i64, p.14: f64, q.15: f64) from (s.4 z.7) shapes (()) {"
         " let r.16: f64 = sin p.14 let t.17: f64 = add q.15 p.14 return r.16 t.17 t.17 } return a.10",
         "let a.10: f64 = for k.3 \\(i.13: i64, p.14: f64) from (s.4) shapes () { let r.16: f64 = sin p.14 return r.16 } return a.10"),
        # a loop whose results nobody reads, and one that might fail
        ("let a.10: f64 = for k.3 \\(i.12: i64, p.13: f64) from (s.4) shapes () { let q.14: f64 = sin p.13 return q.14 } return", "return"),
        ('let a.10: f64 = for k.3 \\(i.12: i64, p.13: f64) from (s.4) shapes () { let q.14: f64 = sin p.13'
         ' let e.15: i64 = check_index i.12 n.6 {axis = 0, what = "x"} return q.14 } return',
         "let = for k.3 \\(i.12: i64) from () shapes () {"
         ' let e.15: i64 = check_index i.12 n.6 {axis = 0, what = "x"} return } return'),
    ],
)  # fmt: skip
def test_rule(before: str, after: str) -> None:
    expect(simplify, F, before, after)


def test_sizes_of_loop_states_by_induction() -> None:
    """Each state keeps its shape if all do; one that does not takes no other's shape for granted."""
    keeps = """
      let a.10: []f64 = for k.3 \\(i.11: i64, v.12: []f64) from (xs.0) shapes () {
        let d.13: i64 = dim v.12 {axis = 0} let f.14: f64 = cast d.13 {to = "f64"} let w.15: []f64 = mul v.12 f.14 return w.15
      }
      return a.10"""
    expect(
        simplify,
        F,
        keeps,
        """
        let d.13: i64 = dim xs.0 {axis = 0} let f.14: f64 = cast d.13 {to = "f64"}
        let a.10: []f64 = for k.3 \\(i.11: i64, v.12: []f64) from (xs.0) shapes () {
          let w.15: []f64 = mul v.12 f.14 return w.15 }
        return a.10""",
    )
    grows = """
      let a.10: []f64 = for k.3 \\(i.11: i64, v.12: []f64) from (xs.0) shapes () {
        let d.13: i64 = dim v.12 {axis = 0} let f.14: f64 = cast d.13 {to = "f64"} let w.15: []f64 = mul v.12 f.14
        let u.16: []f64 = concat w.15 xs.0 return u.16
      }
      return a.10"""
    expect(simplify, F, grows, grows)


def test_fold_with_a_check_stays() -> None:
    body = """
      let a.10: f64 = reduce (xs.0) neutral (0.0) \\(p.11: f64, q.12: f64) {
        let t.13: bool = gt q.12 0.0 let o.14: bool = assert t.13 {what = "positive"} let r.15: f64 = add p.11 q.12 return r.15 }
      return a.10"""
    expect(simplify, F, body, body)


def test_callers_know_the_sizes_of_results() -> None:
    """By constants, by the axes of arguments and by their values, where the callee's code tells."""
    from dad.lang.core.text import parse, show

    program = parse("""
      def f (m.0: [][]f64, n.1: i64) {
        let t.2: [][]f64 = transpose m.0 {perm = (1 0)} let u.3: []f64 = replicate n.1 0.0 let v.4: []f64 = stack 1.0 2.0
        return t.2 u.3 v.4 }
      def main (m.0: [][]f64, k.1: i64) {
        let a.2: [][]f64, b.3: []f64, c.4: []f64 = call f (m.0 k.1) : ([][]f64 []f64 []f64)
        let p.5: i64 = dim a.2 {axis = 1} let q.6: i64 = dim b.3 {axis = 0} let r.7: i64 = dim c.4 {axis = 0}
        return p.5 q.6 r.7 }""")
    main = simplify(program).functions["main"]
    assert "call" not in show(main)
    assert show(main.body).splitlines() == ["let p.5: i64 = dim m.0 {axis = 0}", "return p.5 k.1 2"]


def test_zeros_that_only_carry_a_shape_are_made_once() -> None:
    from dad.codegen.passes.zeros import plain_zeros

    before = """let a.9: []f64 = replicate n.6 0.0 let b.10: [][]f64 = replicate k.3 a.9
                let z.11: [][]f64 = zeros_like b.10 let y.12: []f64 = zeros_like xs.0 return z.11 y.12"""
    after = """let a.9: []f64 = replicate n.6 0.0 let b.10: [][]f64 = replicate k.3 a.9
               let y.12: []f64 = zeros_like xs.0 return b.10 y.12"""
    expect(plain_zeros, F, before, after)
    expect(simplify, F, before, before)
