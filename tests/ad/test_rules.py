"""Derivative rules that say what the code says change nothing: values, first and second derivatives stay the same.

Random programs get rules in random places, on calls and on the bodies of maps, whose free variables are captured; each
rule is the derivative of the code that it stands for, taken in a random mode.
"""
from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from dad.codegen import interp
from dad.codegen.passes import run_pipeline
from dad.codegen.passes.differentiate import differentiate
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.ir import Block, Lambda, Stmt
from dad.lang.core.text import parse, show
from dad.lang.core.verify import verify
from dad.lang.core.walk import Renamer, next_id
from dad.tests.ad.generate import Generator
from dad.tests.ad.harness import Mode, check, derive
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32)
NESTINGS: tuple[tuple[Mode, ...], ...] = (("jvp",), ("vjp",), ("jvp", "vjp"), ("vjp", "jvp"), ("vjp", "vjp"))


class Ruled(Renamer):
    """Copies a function with rules in random places."""

    def __init__(self, supply: Fresh, rng: Random) -> None:
        super().__init__(supply)
        self.rng = rng
        self.made = 0

    def block(self, block: Block) -> Block:
        b = Builder(self.supply)
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, ir.Call) and self.rng.random() < 0.7:
                args = self.atoms(op.args)
                params = tuple(b.fresh("p", a.type) for a in args)
                inner = b.nested()
                body = Lambda(params, inner.block(inner.bind(ir.Call(op.function, params, op.types))))
                made = self.ruled(b, body, args)
                self.env.update(zip(stmt.vars, made, strict=True))
            else:
                b.stmts.append(self.stmt(stmt))
        return b.block(self.atoms(block.results))

    def stmt(self, stmt: Stmt) -> Stmt:
        made = super().stmt(stmt)
        if not isinstance(made.op, ir.Map) or self.rng.random() < 0.4:
            return made
        b = Builder(self.supply)
        params = tuple(b.like(p) for p in made.op.body.params)
        body = Lambda(params, b.block(self.ruled(b, made.op.body, params)))
        return Stmt(made.vars, ir.Map(made.op.arrays, body, made.op.shapes), made.span)

    def ruled(self, b: Builder, body: Lambda, args: tuple[ir.Atom, ...]) -> tuple[ir.Atom, ...]:
        """The body applied to `args`, with its own derivative as a rule."""
        self.made += 1
        values = body.body.results
        g = b.nested()
        mode: Mode = "jvp" if self.rng.random() < 0.5 else "vjp"
        xs, ys = (tuple(b.fresh("x", a.type) for a in many) for many in (args, values))
        seeds = tuple(b.fresh("s", a.type) for a in (xs if mode == "jvp" else ys) if a.type.is_float)
        again = Renamer(self.supply).function(body)
        slopes = g.bind(ir.Diff(mode, again, xs, seeds))[len(values):]
        rule = Lambda((*xs, *ys, *seeds), g.block(slopes))
        return b.bind(ir.Custom(mode, body, rule, tuple(args)))


def ruled(program: ir.Program, seed: int) -> tuple[ir.Program, int]:
    rng, made = Random(seed), 0
    functions: dict[str, ir.Function] = {}
    for name, f in program.functions.items():
        renamer = Ruled(Fresh(next_id(f)), rng)
        params = tuple(renamer.binder(p) for p in f.params)
        functions[name] = ir.Function(name, params, renamer.block(f.body), f.source_name)
        made += renamer.made
    return ir.Program(functions), made


def same(left: list[Any], right: list[Any], rtol: float) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=rtol, equal_nan=True)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(SEEDS)
def test_rules_that_are_derivatives_change_nothing(seed: int) -> None:
    made = Generator(Random(seed), size=6, depth=2)
    made.smallest = 1
    program, args = made.program(), made.arguments()
    with_rules, count = ruled(program, seed)
    verify(with_rules)
    if not count:
        return
    assert show(parse(show(with_rules))) == show(with_rules)
    draw = np.random.default_rng(seed)
    for modes in NESTINGS:
        found: list[list[Any]] = []
        seeds: list[Any] = []
        for source in (program, with_rules):
            derived, name = source, "f"
            for mode in modes:
                derived, name = derive(derived, name, mode)
            ready = differentiate(derived)
            verify(ready)
            if not seeds:
                values = interp.run(differentiate(source), "f", args)
                seeds = _seeds(modes, args, values, draw)
            found.append(list(interp.run(ready, name, [*args, *seeds])))
            fast = run_pipeline(derived, [name], verify=True)
            same(found[-1], list(interp.run(fast, name, [*args, *seeds])), 1e-9)
        same(found[0], found[1], 1e-9)


def _seeds(modes: tuple[Mode, ...], args: list[Any], values: tuple[Any, ...], draw: np.random.Generator) -> list[Any]:
    """Seeds of nested derivatives: those of the inner one are arguments and results to the outer one."""
    inputs, outputs, seeds = list(args), list(values), []
    for mode in modes:
        like = [v for v in (inputs if mode == "jvp" else outputs) if np.asarray(v).dtype.kind == "f"]
        new = [draw.standard_normal(np.shape(v)).astype(np.asarray(v).dtype) for v in like]
        other = [v for v in (outputs if mode == "jvp" else inputs) if np.asarray(v).dtype.kind == "f"]
        seeds += new
        inputs, outputs = [*inputs, *new], [*outputs, *other]
    return seeds


@pytest.mark.parametrize("seed", range(3))
def test_whole_check_with_rules(seed: int) -> None:
    """Forward against reverse, differences, second orders: as for programs without rules."""
    made = Generator(Random(seed), size=5, depth=2)
    program, args = made.program(), made.arguments()
    check(ruled(program, seed)[0], "f", args, differences=1e-6 if made.differentiable else 0.0)
