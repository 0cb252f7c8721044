"""What reverse mode is said to keep is what a run keeps: the interpreter watches what a sweep reads from before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.lower import Transform, lower
from dad.codegen.passes.saved import Sweep, sweeps
from dad.interface import axis_formulas, possible
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.sizes import Opaque, Size
from dad.lang.source import Source


class Watched(interp.Run):
    """Notes what the sweeps of one activation read of the values that were there when they began."""

    def __init__(self, program: ir.Program, env: interp.Env) -> None:
        super().__init__(program, env)
        self.before: dict[int, dict[ir.Var, int]] = {}
        self.read: dict[int, dict[ir.Var, int]] = {}

    def value(self, atom: ir.Atom) -> Any:
        value = super().value(atom)
        if isinstance(atom, ir.Var):
            for site, before in self.before.items():
                if atom in before:
                    self.read[site][atom] = before[atom]
        return value

    def op(self, op: ir.Op) -> tuple[Any, ...]:
        if isinstance(op, ir.Prim) and op.name == "mark":
            site = int(self.value(op.args[0]))
            if op.attr("end"):
                del self.before[site]
            else:
                self.before[site] = {v: np.asarray(x).nbytes for v, x in self.env.items()}
                self.read[site] = {}
        return super().op(op)


def marked(text: str, entry: str, grad: bool = True) -> tuple[ir.Program, str, list[Sweep]]:
    checked = driver.check(Source("<test>", text)).require()
    (definition,) = [d for d in checked.entries if d.name == entry]
    wanted = [Transform(d.name, k, w) for d in (definition,) for k, w in possible(d) if k == "value_and_grad"]
    made = lower(checked, wanted if grad else (), [definition])
    root = next(iter(made.transforms.values())) if grad else made.entries[definition.qualified]
    program = driver.optimised(made.program, [root], marked=True)
    return program, root, sweeps(program, [root], {root: axis_formulas(definition)})


def kept_in_run(program: ir.Program, root: str, args: Sequence[Any]) -> dict[int, dict[ir.Var, int]]:
    function = program.functions[root]
    values = [interp.argument(p, a) for p, a in zip(function.params, args, strict=True)]
    run = Watched(program, dict(zip(function.params, values, strict=True)))
    with np.errstate(all="ignore"):
        run.block(function.body)
    return run.read


def number(size: Size, values: dict[str, int]) -> int:
    total = 0
    for monomial, coefficient in size.terms:
        for atom in monomial:
            if isinstance(atom, Opaque):
                parts = [np.int64(number(x, values)) for x in atom.operands]
                coefficient *= int(PRIMITIVES[atom.op].evaluate(*parts))
            else:
                coefficient *= values[str(Size.of(atom))]
        total += coefficient
    return total


def compare(sweep: Sweep, run: dict[ir.Var, int], values: dict[str, int]) -> None:
    assert {k.var: number(k.bytes, values) for k in sweep.kept} == run
    assert number(sweep.total, values) == sum(run[k.var] for k in sweep.kept if not k.given)


PROGRAMS = {
    "loops": ("""
def step (a: f64) (x: f64) : f64 = sin (a * x) + 0.1 * x
entry f [n] (theta: param [n]f64) (y: data [n]f64) (t: i64) : f64 =
  let x = loop x = 1.0 for i < t do step theta[0] x
  let z = loop z = y[0] while z < 10.0 do z + exp theta[1] * z
  let s = scan (\\a b -> a * b + sin a) 1.0 theta
  in x * z + sum (map2 (\\a b -> (a - b) ** 2) theta y) + sum s
""", ([0.3, 0.2, 0.5], [0.9, 1.0, 2.0], 5), {"n": 3, "t": 5, "trips@5": 4}, "8*n + 8*t + 8*trips@5 + 32"),
    "states": ("""
entry f [n] (x: param [n]f64) (t: i64) : f64 =
  let y = loop y = x for i < t do map (\\v -> sin v * v) y
  in sum y
""", ([0.3, 0.2, 0.5], 4), {"n": 3, "t": 4}, "8*n*t + 8"),
    "in place": ("""
entry f [n] (x: param [n]f64) : f64 =
  let y = loop y = x for i < n - 1 do y with [i + 1] = y[i] * y[i + 1]
  in y[n - 1]
""", ([0.3, 0.2, 0.5, 2.0],), {"n": 4}, None),
    "sizes": ("""
entry f [n][m] (a: param [n][m]f64) (k: i64) : f64 =
  let b = replicate k (flatten a)
  let c = loop c = map (map exp) b for i < k + 2 do map (map (\\v -> sin v * v)) c
  in sum (map sum c)
""", ([[0.3, 0.2, 0.5], [1.0, 2.0, 3.0]], 2), {"n": 2, "m": 3, "k": 2}, None),
    "growing": ("""
entry f [n] (x: param [n]f64) (t: i64) : f64 =
  let y = loop y = x for i < t do concat (map sin y) x
  in sum (map (\\v -> v * v) y)
""", ([0.3, 0.2], 3), {"n": 2, "t": 3, "s.shape[0]@3": 8, "used@3": 12}, None),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_formulas_say_what_a_run_keeps(name: str) -> None:
    text, args, values, total = PROGRAMS[name]
    program, root, (sweep,) = marked(text, "f")
    run = kept_in_run(program, root, args)
    compare(sweep, run[1], values)
    assert total is None or str(sweep.total) == total
