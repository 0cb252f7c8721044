"""Inlining and pruning of functions."""

# ruff: noqa: E501  (IR text on one line)
from __future__ import annotations

from dad.codegen.passes.dead import drop_unused
from dad.codegen.passes.inline import GROWTH, inline, size_of
from dad.codegen.passes.simplify import simplify
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.text import parse
from dad.lang.core.verify import verify

from .harness import canonical

SMALL = """
def sq (x.0: f64) { let y.1: f64 = mul x.0 x.0 return y.1 }
def norm (a.0: f64, b.1: f64) {
  let p.2: f64 = call sq (a.0) : (f64) let q.3: f64 = call sq (b.1) : (f64) let r.4: f64 = add p.2 q.3 return r.4 }
def main (xs.0: []f64) {
  let r.1: []f64 = map (xs.0) shapes (()) \\(x.2: f64) { let y.3: f64 = call norm (x.2 1.0) : (f64) return y.3 }
  return r.1 }
"""


def test_chains_of_small_functions_collapse() -> None:
    program = parse(SMALL)
    done = inline(program, ["main"])
    verify(done)
    assert list(done.functions) == ["main"]
    wanted = parse("""
      def main (xs.0: []f64) {
        let r.1: []f64 = map (xs.0) shapes (()) \\(x.2: f64) {
          let p.3: f64 = mul x.2 x.2 let r.5: f64 = add p.3 1.0 return r.5 }
        return r.1 }""")
    assert canonical(simplify(done)) == canonical(wanted)


def test_roots_stay_and_others_go() -> None:
    program = parse(SMALL)
    assert list(inline(program, ["main", "sq"]).functions) == ["sq", "main"]
    assert list(drop_unused(program, ["norm"]).functions) == ["sq", "norm"]
    assert list(drop_unused(program, ["main"]).functions) == ["sq", "norm", "main"]


def test_recursion_keeps_its_call() -> None:
    program = parse("""
      def down (n.0: i64) {
        let c.1: bool = gt n.0 0
        let r.2: i64 = if c.1 { let m.3: i64 = sub n.0 1 let s.4: i64 = call down (m.3) : (i64) return s.4 } else { return n.0 }
        return r.2 }
      def main (n.0: i64) { let r.1: i64 = call down (n.0) : (i64) return r.1 }""")
    done = inline(program, ["main"])
    verify(done)
    assert list(done.functions) == ["down", "main"]


def test_a_large_function_called_once_is_inlined_but_not_one_called_twice() -> None:
    def large(calls: int) -> ir.Program:
        b = Builder(Fresh())
        x = b.fresh("x", ir.F64)
        y: ir.Atom = x
        for _ in range(100):
            y = b.prim("sin", y)
        f = ir.Function("f", (x,), b.block([y]))
        b = Builder(Fresh())
        x = b.fresh("x", ir.F64)
        y = x
        for _ in range(calls):
            y = b.bind(ir.Call("f", (y,), (ir.F64,)))[0]
        return ir.Program({"f": f, "main": ir.Function("main", (x,), b.block([y]))})

    assert list(inline(large(1), ["main"]).functions) == ["main"]
    assert list(inline(large(2), ["main"]).functions) == ["f", "main"]


def test_growth_is_bounded() -> None:
    """f0 calls itself into f1 twice, f1 into f2 twice, …: sharing that must not unfold."""
    functions: dict[str, ir.Function] = {}
    for k in range(40):
        b = Builder(Fresh())
        x = b.fresh("x", ir.F64)
        if k == 0:
            y: ir.Atom = b.prim("sin", x)
        else:
            y = b.bind(ir.Call(f"f{k - 1}", (x,), (ir.F64,)))[0]
            y = b.bind(ir.Call(f"f{k - 1}", (y,), (ir.F64,)))[0]
        functions[f"f{k}"] = ir.Function(f"f{k}", (x,), b.block([y]))
    done = inline(ir.Program(functions), ["f39"])
    verify(done)
    assert all(size_of(f.body) <= GROWTH + 10 for f in done.functions.values())
    assert sum(size_of(f.body) for f in done.functions.values()) < 2000


def test_what_fails_is_called_even_if_nobody_reads_it() -> None:
    program = parse("""
      def checked (n.0: i64) { let c.1: i64 = check_divisor n.0 return c.1 }
      def pure (n.0: i64) { let c.1: i64 = add n.0 1 return c.1 }
      def main (n.0: i64) {
        let a.1: i64 = call checked (n.0) : (i64) let b.2: i64 = call pure (n.0) : (i64) return n.0 }""")
    done = drop_unused(simplify(program), ["main"])
    assert list(done.functions) == ["checked", "main"]
