"""What derivatives cost: statements that the interpreter runs, bytes that it binds, at two sizes; no time is taken.

A cost is linear when doubling the size doubles it, up to what is constant.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.backends.numpy import emit_module
from dad.codegen.runtime.depth import Room
from dad.interface import entry_specs
from dad.lang.core import ir
from dad.lang.source import Source


def compiled(text: str) -> tuple[ir.Program, str]:
    checked = driver.check(Source("<test>", text)).require()
    made = driver.lowered(checked)
    (root,) = made.entries.values()
    return driver.optimised(made.program, [root]), root


def steps(program: ir.Program, root: str, *args: Any) -> int:
    """Statements run."""
    values = [interp.argument(p, a) for p, a in zip(program.functions[root].params, args, strict=True)]
    counter = interp.Steps()
    with np.errstate(all="ignore"), Room(interp.FRAMES * 2000):
        interp.call(program, root, values, counter)
    return -1 - counter.left


GO = """
def go (a: f64) (k: i64) (x: f64) : f64 = if k == 0 then x else sin (a * go a (k - 1) (x * 1.01)) + x
"""
RECURSIVE = {
    "a chain": GO + "entry f (x: f64) (n: i64) : f64 = grad (\\x -> go x n x) x",
    "a chain, forward over reverse": GO + "entry f (x: f64) (n: i64) : f64 = jvp (grad (\\x -> go x n x)) x 1.0",
    "a chain, reverse over reverse": GO + "entry f (x: f64) (n: i64) : f64 = grad (grad (\\x -> go x n x)) x",
    "two functions": """
def even (n: i64) (x: f64) : f64 = if n == 0 then x else odd (n - 1) (x * 1.1) + x
def odd (n: i64) (x: f64) : f64 = if n == 0 then sin x else x * even (n - 1) (x - 0.1)
entry f (x: f64) (n: i64) : f64 = grad (even n) x
""",
    "calls in a loop": """
def go (k: i64) (x: f64) : f64 =
  if k <= 0 then sin x else let y = loop y = x for i < 2 do y * go (if i == 0 then k - 1 else 0) y in y + x
entry f (x: f64) (n: i64) : f64 = grad (go n) x
""",
    "calls in a map": """
def go (k: i64) (x: f64) : f64 =
  if k <= 0 then sin x else x + sum (map (\\i -> go (if i == 0 then k - 1 else 0) (x * 0.5)) (iota 3))
entry f (x: f64) (n: i64) : f64 = grad (go n) x
""",
    "a chain in each iteration": GO + """
entry f (x: f64) (n: i64) : f64 = grad (\\x -> loop s = x for i < 3 do go s n x) x
""",
}


@pytest.mark.parametrize("name", RECURSIVE)
def test_recursion_costs_what_it_costs_once(name: str) -> None:
    program, root = compiled(RECURSIVE[name])
    small, middle, large = (steps(program, root, 0.5, n) for n in (20, 40, 80))
    assert large - middle <= 2.1 * (middle - small)


def test_a_tree_of_calls_costs_what_it_costs_once() -> None:
    text = """
def fib (x: f64) (n: i64) : f64 = if n < 2 then x * f64 (n + 1) else fib x (n - 1) + sin (fib x (n - 2))
entry f (x: f64) (n: i64) : f64 = {}
"""
    plain, back = (compiled(text.replace("{}", body)) for body in ("fib x n", "grad (\\x -> fib x n) x"))
    ratios = [steps(*back, 0.5, n) / steps(*plain, 0.5, n) for n in (6, 12)]
    assert ratios[1] < ratios[0] * 1.05


IN_PLACE = {
    "a recurrence": "loop y = x for i < n - 1 do y with [i + 1] = sin (y[i] * y[i + 1])",
    "filled": "loop y = replicate n 0.0 for i < n do y with [i] = sin x[i]",
    "two arrays": """(let (y, z) = loop (y, z) = (replicate n 0.0, replicate n 1.0) for i < n do
      let a = sin x[i] in (y with [i] = a * z[i], z with [i] = a * a) in map2 (*) y z)""",
    "let": "loop a = x for i in 1..<n do (let a[i] = a[i - 1] * a[i] let a[i - 1] = a[i] + 1 in a)",
    "swaps": """loop y = x for i < n - 1 do
      if y[i] > y[i + 1] then (let t = y[i] let y[i] = y[i + 1] let y[i + 1] = t in y) else y""",
    "a short loop inside": """loop y = x for i < n do
      loop y for j < 3 do y with [(i + j) % n] = y[(i + j) % n] * y[i] + 1""",
    "a loop of other lengths inside": """loop y = x for i < n do
      loop y for j < i % 3 do y with [(i + j) % n] = y[(i + j) % n] * y[i] + 1""",
    "while": "(loop (y, i) = (x, 1) while i < n do (y with [i] = y[i - 1] * x[i], i + 1)).0",
    "slices": "loop y = x for i < n - 3 do y with [i:i + 2] = map sin y[i + 1:i + 3]",
    "a histogram": "loop h = replicate n 0.0 for i < n do h with [(i * i) % n] = h[(i * i) % n] + x[i] * x[i]",
}


class Watching(interp.Run):
    """Bytes of arrays that primitives make anew, where the NumPy back end makes one too."""

    made = 0

    def op(self, op: ir.Op) -> tuple[Any, ...]:
        results = super().op(op)
        if isinstance(op, ir.Prim) and op.name not in PLACES:
            self.made += sum(np.asarray(x).nbytes for x in results)
        return results


PLACES = frozenset((
    "update", "accumulate", "update_slice", "accumulate_slice", "index", "slice", "reshape", "replicate"))
"""Changed in place, or a view; the test looks for copies in the Python text."""


def copies_in_loops(text: str) -> list[str]:
    """Copies of whole arrays in the loops of the emitted module: calls of `copy` on a state."""
    checked = driver.check(Source("<test>", text)).require()
    made = driver.lowered(checked)
    program = driver.optimised(made.program, list(made.entries.values()))
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(emit_module(program, entry_specs(checked, made), "").body)):
        if isinstance(node, ast.For | ast.While):
            states = {target.id for n in ast.walk(node) if isinstance(n, ast.Assign)
                      for target in n.targets if isinstance(target, ast.Name) and target.id.startswith(("s", "x", "y"))}
            for inner in ast.walk(node):
                match inner:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="copy")) if name in states:
                        found[ast.unparse(inner)] = None
    return list(found)


@pytest.mark.parametrize("name", IN_PLACE)
def test_arrays_changed_in_place_cost_what_is_changed(name: str) -> None:
    text = ("entry f [n] (x: [n]f64) : [n]f64 = grad (\\x -> let y: [n]f64 = " + IN_PLACE[name]
            + " in sum (map2 (*) y x)) x")
    program, root = compiled(text)
    function = program.functions[root]
    costs = []
    for n in (12, 24, 48):
        run = Watching(program, dict(zip(function.params, [np.linspace(0.5, 0.9, n)], strict=True)))
        with np.errstate(all="ignore"):
            run.block(function.body)
        saved = sum(np.asarray(x).nbytes for x in run.env.values())
        costs.append((run.made + saved, -1 - run.steps.left))
    for small, middle, large in zip(*costs, strict=True):
        assert large - middle <= 2.6 * (middle - small)  # arrays with room double
    assert copies_in_loops(text) == []


def test_zero_iterations_and_no_elements() -> None:
    for name, body in IN_PLACE.items():
        if name not in ("two arrays", "let"):
            text = f"entry f [n] (x: [n]f64) : [n]f64 = grad (\\x -> let y: [n]f64 = {body} in sum (map2 (*) y x)) x"
            program, root = compiled(text)
            (found,) = interp.run(program, root, [np.zeros(0)])
            assert found.shape == (0,)


@pytest.mark.parametrize(("keep", "most"), [
    ("checkpoint", lambda t: math.isqrt(t) + 1), ("checkpoint_log", lambda t: math.log2(t) + 3)])
@pytest.mark.parametrize("loop", ["for i < t", "while s.0 < f64 t"])
def test_checkpoint_keeps_few_states(keep: str, most: Callable[[int], float], loop: str,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest array of a run, a stack of states, has the rows that the schedule says, √(2 T) of a `while`."""
    text = f"""
entry f (x: f64) (t: i64) : f64 =
  grad (\\x -> {keep} (\\x -> (loop s = (0.0, x) {loop} do (s.0 + 1, sin (s.1 * x) + s.1)).1) x) x
"""
    largest = [0]

    class Measuring(interp.Run):
        def bind(self, variables: Any, values: Any) -> None:
            super().bind(variables, values)
            largest.append(max(largest.pop(), *(np.asarray(v).nbytes for v in values), 8))

    monkeypatch.setattr(interp, "Run", Measuring)
    program, root = compiled(text)
    for t in (64, 256):
        largest[0] = 0
        interp.run(program, root, [0.5, t])
        factor = 1.5 if loop.startswith("while") else 1
        assert 8 < largest[0] <= 8 * factor * most(t) + 8
