"""What derivatives cost: statements that the interpreter runs, bytes that it binds, at two sizes; no time is taken.

A cost is linear when doubling the size doubles it, up to what is constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.runtime.depth import Room
from dad.lang.core import ir
from dad.lang.source import Source


class Counting(interp.Run):
    """Counts bytes of arrays that a primitive makes anew, over all activations."""

    total = 0

    def bind(self, variables: Any, values: Any) -> None:
        super().bind(variables, values)

    def op(self, op: ir.Op) -> tuple[Any, ...]:
        made = super().op(op)
        if isinstance(op, ir.Prim) and op.name not in IN_PLACE:
            Counting.total += sum(np.asarray(x).nbytes for x in made)
        return made


IN_PLACE = frozenset(("update", "accumulate", "index", "slice", "dim", "reshape", "transpose"))
"""What the NumPy back end does without a copy, where the old value is dead; `tests/numpy` looks at that."""


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
