"""Rules for array primitives, sizes and checks, one before and after to each."""

# ruff: noqa: E501  (IR text on one line)
from __future__ import annotations

import pytest
from dad.codegen.passes.simplify import simplify

from .harness import expect

F = "xs.0: []f64, ys.1: []f64, m.2: [][]f64, t.3: [][][]f64, i.4: i64, j.5: i64, s.6: f64, is.7: []i64, n.8: i64"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # sizes
        ("let a.10: []f64 = reverse xs.0 let d.11: i64 = dim a.10 {axis = 0} return d.11",
         "let d.11: i64 = dim xs.0 {axis = 0} return d.11"),
        ("let a.10: []f64 = sin xs.0 let b.11: []f64 = mul s.6 a.10 let d.12: i64 = dim b.11 {axis = 0} return d.12",
         "let d.11: i64 = dim xs.0 {axis = 0} return d.11"),
        ("let a.10: []f64 = replicate n.8 s.6 let d.11: i64 = dim a.10 {axis = 0} return d.11", "return n.8"),
        ("let a.10: []i64 = iota n.8 let d.11: i64 = dim a.10 {axis = 0} return d.11", "return n.8"),
        ("let a.10: []f64 = stack s.6 1.0 let d.11: i64 = dim a.10 {axis = 0} return d.11", "return 2"),
        ("let a.10: [][]f64 = transpose m.2 {perm = (1 0)} let d.11: i64 = dim a.10 {axis = 0} return d.11",
         "let d.11: i64 = dim m.2 {axis = 1} return d.11"),
        ("let a.10: []f64 = sum m.2 {axis = 0} let d.11: i64 = dim a.10 {axis = 0} return d.11",
         "let d.11: i64 = dim m.2 {axis = 1} return d.11"),
        ("let a.10: []f64 = concat xs.0 ys.1 let d.11: i64 = dim a.10 {axis = 0} return d.11",
         "let a.10: i64 = dim xs.0 {axis = 0} let b.11: i64 = dim ys.1 {axis = 0} let d.12: i64 = add a.10 b.11 return d.12"),
        ("let a.10: []f64 = slice xs.0 2 n.8 1 {axis = 0} let d.11: i64 = dim a.10 {axis = 0} return d.11", "return n.8"),
        ("let a.10: []f64 = index t.3 i.4 j.5 let d.11: i64 = dim a.10 {axis = 0} return d.11",
         "let d.11: i64 = dim t.3 {axis = 2} return d.11"),
        ("let a.10: [][]f64 = gather m.2 is.7 let d.11: i64 = dim a.10 {axis = 0} let e.12: i64 = dim a.10 {axis = 1} return d.11 e.12",
         "let d.11: i64 = dim is.7 {axis = 0} let e.12: i64 = dim m.2 {axis = 1} return d.11 e.12"),
        ("let a.10: [][]f64 = reshape xs.0 n.8 i.4 let d.11: i64 = dim a.10 {axis = 1} return d.11", "return i.4"),
        # moving
        ("let a.10: [][]f64 = transpose m.2 {perm = (1 0)} let b.11: [][]f64 = transpose a.10 {perm = (1 0)} return b.11", "return m.2"),
        ("let a.10: [][][]f64 = transpose t.3 {perm = (1 2 0)} let b.11: [][][]f64 = transpose a.10 {perm = (1 0 2)} return b.11",
         "let b.11: [][][]f64 = transpose t.3 {perm = (2 1 0)} return b.11"),
        ("let a.10: []f64 = reverse xs.0 let b.11: []f64 = reverse a.10 return b.11", "return xs.0"),
        ("let a.10: []f64 = rotate xs.0 0 return a.10", "return xs.0"),
        ("let d.10: i64 = dim xs.0 {axis = 0} let a.11: []f64 = slice xs.0 0 d.10 1 {axis = 0} return a.11", "return xs.0"),
        ("let d.10: i64 = dim xs.0 {axis = 0} let a.11: []f64 = reshape xs.0 d.10 return a.11", "return xs.0"),
        ("let a.10: []f64 = concat xs.0 return a.10", "return xs.0"),
        ("let a.10: []f64 = stack s.6 s.6 s.6 return a.10", "let a.10: []f64 = replicate 3 s.6 return a.10"),
        ("let a.10: []f64 = stack s.6 1.0 let b.11: f64 = index a.10 0 let c.12: f64 = index a.10 1 let d.13: []f64 = stack b.11 c.12 return d.13",
         "let a.10: []f64 = stack s.6 1.0 return a.10"),
        # reading
        ("let a.10: []f64 = index m.2 i.4 let b.11: f64 = index a.10 j.5 return b.11", "let b.11: f64 = index m.2 i.4 j.5 return b.11"),
        ("let a.10: []f64 = replicate n.8 s.6 let b.11: f64 = index a.10 i.4 return b.11", "return s.6"),
        ("let a.10: []i64 = iota n.8 let b.11: i64 = index a.10 i.4 return b.11", "return i.4"),
        ("let a.10: [][]f64 = stack xs.0 ys.1 let b.11: f64 = index a.10 1 j.5 return b.11", "let b.11: f64 = index ys.1 j.5 return b.11"),
        ("let a.10: [][]f64 = transpose m.2 {perm = (1 0)} let b.11: f64 = index a.10 i.4 j.5 return b.11",
         "let b.11: f64 = index m.2 j.5 i.4 return b.11"),
        ("let a.10: []f64 = slice xs.0 2 n.8 1 {axis = 0} let b.11: f64 = index a.10 i.4 return b.11",
         "let k.10: i64 = add i.4 2 let b.11: f64 = index xs.0 k.10 return b.11"),
        ("let a.10: []f64 = update xs.0 s.6 i.4 let b.11: f64 = index a.10 i.4 return b.11", "return s.6"),
        ("let a.10: []f64 = update xs.0 s.6 1 let b.11: f64 = index a.10 2 return b.11", "let b.11: f64 = index xs.0 2 return b.11"),
        ("let d.10: i64 = dim xs.0 {axis = 0} let a.11: []i64 = iota d.10 let b.12: []f64 = gather xs.0 a.11 return b.12", "return xs.0"),
        # copies of a scalar
        ("let a.10: []f64 = replicate n.8 1.0 let b.11: []f64 = mul a.10 xs.0 return b.11", "return xs.0"),
        ("let a.10: []f64 = replicate n.8 s.6 let b.11: []f64 = sub xs.0 a.10 return b.11", "let b.11: []f64 = sub xs.0 s.6 return b.11"),
        ("let a.10: []f64 = replicate n.8 s.6 let b.11: []f64 = replicate i.4 2.0 let c.12: []f64 = mul a.10 b.11 return c.12",
         "let c.12: f64 = mul s.6 2.0 let d.13: []f64 = replicate n.8 c.12 return d.13"),
        # writing
        ("let a.10: f64 = index xs.0 i.4 let b.11: []f64 = update xs.0 a.10 i.4 return b.11", "return xs.0"),
        ("let a.10: []f64 = update xs.0 1.0 i.4 let b.11: []f64 = update a.10 s.6 i.4 return b.11",
         "let b.11: []f64 = update xs.0 s.6 i.4 return b.11"),
        ("let z.10: []f64 = zeros_like xs.0 let b.11: []f64 = accumulate_slice z.10 xs.0 0 1 {axis = 0} return b.11", "return xs.0"),
        ("let d.9: i64 = dim xs.0 {axis = 0} let z.10: []f64 = zeros_like xs.0 let k.11: []i64 = iota d.9"
         " let b.12: []f64 = accumulate_at z.10 xs.0 k.11 return b.12", "return xs.0"),
        ("let z.10: []f64 = zeros_like xs.0 let b.11: []f64 = accumulate_at ys.1 z.10 is.7 return b.11", "return ys.1"),
        # zeros of derivative code
        ("let a.10: []f64 = sin xs.0 let z.11: []f64 = zeros_like a.10 return z.11", "let z.11: []f64 = zeros_like xs.0 return z.11"),
        ("let z.10: []f64 = zeros_like xs.0 let a.11: f64 = sum z.10 {axis = 0} return a.11", "return 0.0"),
        ("let z.10: []f64 = zeros_like xs.0 let a.11: f64 = index z.10 i.4 return a.11", "return 0.0"),
        ("let z.10: []f64 = zeros_like xs.0 let a.11: []f64 = reverse z.10 return a.11", "let z.10: []f64 = zeros_like xs.0 return z.10"),
        ("let z.10: f64 = zeros_like s.6 return z.10", "return 0.0"),
        # checks
        ('let a.10: i64 = check_index 1 3 {axis = 0, what = "x"} return a.10', "return 1"),
        ('let a.10: i64 = check_equal n.8 n.8 {what = "x"} return a.10', "return n.8"),
        ("let a.10: i64 = check_divisor 3 return a.10", "return 3"),
        ('let d.10: i64 = dim xs.0 {axis = 0} let a.11: i64 = check_size d.10 {what = "x"} return a.11',
         "let d.10: i64 = dim xs.0 {axis = 0} return d.10"),
        ('let a.10: bool = assert true {what = "x"} return a.10', "return true"),
        ('let d.10: i64 = dim xs.0 {axis = 0} let a.11: i64 = check_slice 0 d.10 1 d.10 {axis = 0, what = "x"} return a.11', "return 0"),
        # the same twice: the second check says what the first has found
        ('let d.10: i64 = dim xs.0 {axis = 0} let a.11: i64 = check_index i.4 d.10 {axis = 0, what = "x"}'
         ' let k.12: i64 = add d.10 1 let b.13: i64 = check_index i.4 k.12 {axis = 0, what = "y"} return a.11 b.13',
         'let d.10: i64 = dim xs.0 {axis = 0} let a.11: i64 = check_index i.4 d.10 {axis = 0, what = "x"} return a.11 i.4'),
        ('let d.10: i64 = dim xs.0 {axis = 0} let e.11: i64 = dim ys.1 {axis = 0} let a.12: i64 = check_equal d.10 e.11 {what = "x"}'
         ' let b.13: i64 = check_equal e.11 d.10 {what = "y"} return a.12',
         'let d.10: i64 = dim xs.0 {axis = 0} let e.11: i64 = dim ys.1 {axis = 0} let a.12: i64 = check_equal d.10 e.11 {what = "x"}'
         ' return a.12'),
        # remainders
        ('let d.10: i64 = dim xs.0 {axis = 0} let a.11: i64 = check_divisor d.10 let b.12: i64 = mod i.4 a.11'
         ' let k.13: i64 = check_index b.12 d.10 {axis = 0, what = "x"} return k.13',
         "let d.10: i64 = dim xs.0 {axis = 0} let a.11: i64 = check_divisor d.10 let b.12: i64 = mod i.4 a.11 return b.12"),
    ],
)  # fmt: skip
def test_rule(before: str, after: str) -> None:
    expect(simplify, F, before, after)


@pytest.mark.parametrize(
    "body",
    [
        'let a.10: i64 = check_index 3 3 {axis = 0, what = "x"} return',
        'let a.10: i64 = check_index i.4 n.8 {axis = 0, what = "x"} return',
        "let a.10: i64 = check_divisor 0 return",
        'let a.10: i64 = check_size n.8 {what = "x"} return',
        'let a.10: bool = assert false {what = "x"} return',
        "let a.10: []f64 = update xs.0 s.6 i.4 let b.11: f64 = index a.10 j.5 return b.11",
        # negative count: not the whole of anything
        'let a.10: i64 = check_slice 0 n.8 1 n.8 {axis = 0, what = "x"} return',
    ],
)
def test_stays(body: str) -> None:
    expect(simplify, F, body, body)


def test_known_sizes_of_parameters() -> None:
    """`dims` ties the lengths of parameters together; the statement they hang on stays."""
    expect(
        simplify,
        "xs.0: []f64, ys.1: []f64",
        'let n.2: i64 = dim xs.0 {axis = 0} let m.3: i64 = dim ys.1 {axis = 0} let a.4: i64 = check_equal n.2 m.3 {what = "n"} return a.4',
        "let n.2: i64 = dim xs.0 {axis = 0} return n.2",
        "((n.2) (n.2))",
    )


IN_A_MAP = """
  let n.20: i64 = dim xs.0 {{axis = 0}}
  let is.21: []i64 = iota {count}
  let r.22: []f64 = map (is.21) shapes (()) \\(k.23: i64) {{
    {body}
    let x.30: f64 = index xs.0 {index}
    return x.30
  }}
  return r.22"""


@pytest.mark.parametrize(
    ("count", "body", "index", "gone"),
    [
        ("n.20", 'let c.24: i64 = check_index k.23 n.20 {axis = 0, what = "x"}', "c.24", True),
        # i + 1 under i < n
        ("n.20", 'let a.24: i64 = add k.23 1 let c.25: i64 = check_index a.24 n.20 {axis = 0, what = "x"}', "c.25", False),
        # n - 1 - i
        ("n.20", "let l.24: i64 = sub n.20 1 let a.25: i64 = sub l.24 k.23"
         ' let c.26: i64 = check_index a.25 n.20 {axis = 0, what = "x"}', "c.26", True),
        # (i + 3) mod n
        ("n.20", "let a.24: i64 = add k.23 3 let d.25: i64 = mod a.24 n.20"
         ' let c.26: i64 = check_index d.25 n.20 {axis = 0, what = "x"}', "c.26", True),
        # min (max (i - 1) 0) (n - 1)
        ("n.20", "let a.24: i64 = sub k.23 1 let b.25: i64 = max a.24 0 let l.26: i64 = sub n.20 1 let m.27: i64 = min b.25 l.26"
         ' let c.28: i64 = check_index m.27 n.20 {axis = 0, what = "x"}', "c.28", True),
        ("n.8", 'let c.24: i64 = check_index k.23 n.20 {axis = 0, what = "x"}', "c.24", False),
    ],
)  # fmt: skip
def test_indices_of_maps(count: str, body: str, index: str, gone: bool) -> None:
    from dad.lang.core.text import show

    from .harness import function

    before = function(F, IN_A_MAP.format(count=count, body=body, index=index))
    assert ("check_index" not in show(simplify(before))) == gone


@pytest.mark.parametrize(
    ("condition", "offset", "gone"),
    [
        ("gt k.31 0", "sub k.31 1", True),
        ("ge k.31 1", "sub k.31 1", True),
        ("ne k.31 0", "sub k.31 1", True),
        ("lt k.31 l.30", "add k.31 1", True),
        ("le k.31 l.30", "add k.31 1", False),
        ("gt k.31 1", "sub k.31 2", True),
        ("gt k.31 0", "sub k.31 2", False),
        ("le k.31 0", "sub k.31 1", False),
    ],
)
def test_branches_prove_indices(condition: str, offset: str, gone: bool) -> None:
    """In the arm of a branch its condition is known, and in the other arm its opposite."""
    from dad.lang.core.text import show

    from .harness import function

    opposite = {"gt": "le", "ge": "lt", "ne": "eq", "lt": "ge", "le": "gt"}
    name, operands = condition.split(" ", 1)
    read = f"""let o.40: i64 = {offset} let c.41: i64 = check_index o.40 n.29 {{axis = 0, what = "x"}}
               let x.42: f64 = index xs.0 c.41 return x.42"""
    for test, then, orelse in ((condition, read, "return 0.0"), (f"{opposite[name]} {operands}", "return 0.0", read)):
        body = f"""
          let n.29: i64 = dim xs.0 {{axis = 0}} let l.30: i64 = sub n.29 1
          let r.50: f64 = for n.29 \\(k.31: i64, a.32: f64) from (0.0) shapes () {{
            let t.33: bool = {test}
            let v.34: f64 = if t.33 {{ {then} }} else {{ {orelse} }}
            let w.35: f64 = add a.32 v.34
            return w.35
          }}
          return r.50"""
        assert ("check_index" not in show(simplify(function(F, body)))) == gone


def test_a_read_does_not_move_past_what_made_it_safe() -> None:
    """The branch or check that shows an index to be in range may be inside a map over nothing."""
    body = """
      let d.10: i64 = dim ys.1 {axis = 0}
      let r.11: []f64 = map (xs.0) shapes (()) \\(x.12: f64) {
        let c.13: i64 = check_index i.4 d.10 {axis = 0, what = "y"}
        let y.14: f64 = index ys.1 c.13
        let z.15: f64 = mul x.12 y.14
        return z.15
      }
      return r.11"""
    expect(simplify, F, body, body)
    twice = body.replace("index ys.1 c.13", "index ys.1 i.4")
    expect(simplify, F, twice, twice)
