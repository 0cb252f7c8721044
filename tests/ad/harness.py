"""Derivatives put to the test: a program and a function of it in, an AssertionError out if they disagree with anything.

`derive` adds to a program the functions that a user's `jvp` and `vjp` make; the rest runs them with the interpreter.
Disagreement means: of forward mode with differences, of reverse mode with forward mode, of second derivatives with
differences of first ones, of the orders in which modes nest, of the Hessian with its transpose.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any, Literal

import numpy as np
from dad.codegen import interp
from dad.codegen.passes.differentiate import differentiate
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.verify import verify
from dad.lang.core.walk import Renamer, next_id
from dad.tests.ad.generate import Generator

Mode = Literal["jvp", "vjp"]
Values = Sequence[Any]


def derive(program: ir.Program, name: str, mode: Mode, called: bool = False) -> tuple[ir.Program, str]:
    """The program with one more function, from parameters and seeds of `name`: the Diff of its body, or of a call."""
    f = program.functions[name]
    b = Builder(Fresh(next_id(f)))
    args = tuple(b.like(p) for p in f.params)
    params = tuple(b.like(p) for p in f.params)
    seeded = [p.type for p in f.params] if mode == "jvp" else list(f.result_types)
    seeds = tuple(b.fresh("seed", type) for type in seeded if type.is_float)
    if called:
        inner = b.nested()
        body = inner.block(inner.bind(ir.Call(name, params, f.result_types)))
    else:
        body = Renamer(b.supply, dict(zip(f.params, params, strict=True))).block(f.body)
    results = b.bind(ir.Diff(mode, ir.Lambda(params, body), args, seeds))
    new = f"{name}_{mode}" if f"{name}_{mode}" not in program.functions else f"{name}_{mode}_again"
    made = ir.Function(new, (*args, *seeds), b.block(results), new)
    return ir.Program(program.functions | {new: made}), new


def derivative(seed: int) -> tuple[ir.Program, str, list[Any]]:
    """The derivative of a random program, forwards where the seed is odd: a program, its function, arguments."""
    generator = Generator(Random(1000 + seed))
    program, args = generator.program(), generator.arguments()
    mode: Mode = "jvp" if seed % 2 else "vjp"
    derived, name = derive(program, "f", mode)
    ready = differentiate(derived)
    like = args if mode == "jvp" else interp.run(ready, "f", args)
    rng = np.random.default_rng(seed)
    return ready, name, [*args, *(np.asarray(rng.uniform(-1, 1, np.shape(x)))[()] for x in floats(like))]


def weighted(program: ir.Program, name: str) -> tuple[ir.Program, str]:
    """The program with a function more: the sum of the float results of `name`, times weights that it is also given.

    Weights come after the parameters; they are what makes one number of many results.
    """
    f = program.functions[name]
    b = Builder(Fresh(next_id(f)))
    params = tuple(b.like(p) for p in f.params)
    results = b.bind(ir.Call(name, params, f.result_types))
    weights = []
    total: ir.Atom = ir.Const(0.0, "f64")
    for r in results:
        if r.type.is_float:
            w = b.like(r, "_weight")
            weights.append(w)
            term = b.mul(b.prim("stop_grad", w), r)
            for _ in range(r.type.rank):
                term = b.prim("sum", term, axis=0)
            total = b.add(total, b.prim("cast", term, to="f64"))
    new = f"{name}_weighted"
    return ir.Program(program.functions | {new: ir.Function(new, (*params, *weights), b.block([total]), new)}), new


def compiled(program: ir.Program, name: str) -> Callable[..., tuple[Any, ...]]:
    verify(program)
    ready = differentiate(program)
    verify(ready)
    return lambda *args: interp.run(ready, name, args)


def is_float(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f"


def floats(values: Values) -> list[Any]:
    return [v for v in values if is_float(v)]


def seeds_like(values: Values, rng: np.random.Generator) -> list[Any]:
    return [np.asarray(rng.normal(size=np.shape(v)), np.asarray(v).dtype)[()] for v in floats(values)]


def dot(xs: Values, ys: Values) -> float:
    return float(sum(np.sum(np.asarray(x, float) * np.asarray(y, float)) for x, y in zip(xs, ys, strict=True)))


def moved(args: Values, tangents: Values, h: float) -> list[Any]:
    rest = iter(tangents)
    return [np.asarray(a + h * next(rest), np.asarray(a).dtype)[()] if is_float(a) else a for a in args]


def slope(f: Callable[..., Values], args: Values, tangents: Values, h: float = 1e-3) -> list[Any]:
    """The derivative of the float results of `f` along the tangents: central differences, extrapolated twice."""

    def central(step: float) -> list[Any]:
        ahead, behind = floats(f(*moved(args, tangents, step))), floats(f(*moved(args, tangents, -step)))
        return [(x - y) / (2 * step) for x, y in zip(ahead, behind, strict=True)]

    first = [central(h / 2**k) for k in range(3)]
    once = [[(4 * b - a) / 3 for a, b in zip(x, y, strict=True)] for x, y in pairwise(first)]
    return [(16 * b - a) / 15 for a, b in zip(*once, strict=True)]


def close(xs: Values, ys: Values, tolerance: float, what: str) -> None:
    assert len(xs) == len(ys), f"{what}: {len(xs)} and {len(ys)} values"
    for x, y in zip(xs, ys, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.shape == y.shape, f"{what}: shapes {x.shape} and {y.shape}"
        scale = 1.0 + max(np.max(np.abs(x), initial=0.0), np.max(np.abs(y), initial=0.0))
        assert np.all(np.abs(x - y) <= tolerance * scale), f"{what}: {x} and {y}"


def check(
    program: ir.Program, name: str, args: Values, *, differences: float = 1e-6, exact: float = 1e-10, order: int = 2,
    called: bool = False, seed: int = 0,
) -> None:
    """First (and second) derivatives of `name` at `args` agree with everything they should agree with."""
    rng = np.random.default_rng(seed)
    primal = compiled(program, name)
    results = primal(*args)
    tangents, cotangents = seeds_like(args, rng), seeds_like(results, rng)
    count = len(results)
    forward = compiled(*derive(program, name, "jvp", called))(*args, *tangents)
    reverse = compiled(*derive(program, name, "vjp", called))(*args, *cotangents)
    for side in (forward, reverse):
        close(side[:count], results, 0.0, "values")
    if differences:
        close(forward[count:], slope(primal, args, tangents), differences, "forward mode and differences")
    ahead, back = dot(forward[count:], cotangents), dot(tangents, reverse[count:])
    assert abs(ahead - back) <= exact * (1 + abs(ahead)), f"forward mode {ahead}, reverse mode {back}"
    if order > 1 and tangents and cotangents:
        second(program, name, args, cotangents, differences=differences, exact=exact, called=called, rng=rng)


def second(
    program: ir.Program, name: str, args: Values, weights: Values, *, differences: float, exact: float, called: bool,
    rng: np.random.Generator,
) -> None:
    """Hessians of the weighted sum of results, by all ways of nesting the modes, agree and are symmetric."""
    whole, total = weighted(program, name)
    args = [*args, *weights]
    one = np.float64(1.0)
    gradient, gradient_name = derive(whole, total, "vjp", called)
    pushed, pushed_name = derive(whole, total, "jvp", called)
    u, v = seeds_like(args, rng), seeds_like(args, rng)
    free = len(u) - len(weights)
    for seeds in (u, v):  # weights are held fixed
        seeds[free:] = [np.zeros_like(w) for w in seeds[free:]]
    inputs = len(u)

    def hessian_times(direction: Values, way: str) -> list[Any]:
        if way == "forward of reverse":
            both = compiled(*derive(gradient, gradient_name, "jvp"))
            found = both(*args, one, *direction, np.float64(0.0))
            return list(found[-inputs:])
        if way == "reverse of forward":
            both = compiled(*derive(pushed, pushed_name, "vjp"))
            found = both(*args, *direction, np.float64(0.0), one)
            return list(found[2:2 + inputs])
        both = compiled(*derive(gradient, gradient_name, "vjp"))
        found = both(*args, one, np.float64(0.0), *direction)
        return list(found[1 + inputs:1 + 2 * inputs])

    ways = ("forward of reverse", "reverse of forward", "reverse of reverse")
    products = [hessian_times(u, way)[:free] for way in ways]
    for way, product in zip(ways[1:], products[1:], strict=True):
        close(products[0], product, exact, f"{ways[0]} and {way}")
    other = hessian_times(v, ways[0])[:free]
    left, right = dot(products[0], v[:free]), dot(other, u[:free])
    assert abs(left - right) <= exact * (1 + abs(left)), f"the Hessian is not symmetric: {left} and {right}"
    if differences:
        run = compiled(gradient, gradient_name)
        expected = slope(lambda *at: run(*at, one)[1:], args, u)[:free]
        close(products[0], expected, 30 * differences, "second derivatives and differences")


class Counting(interp.Run):
    """Runs and counts the array elements that operations make, but not those of arrays written in place."""

    IN_PLACE = ("update", "accumulate", "update_slice", "accumulate_slice", "accumulate_at", "scatter")
    made = 0

    def op(self, op: ir.Op) -> tuple[Any, ...]:
        if isinstance(op, ir.Call):
            function = self.program.functions[op.function]
            env = dict(zip(function.params, self.values(op.args), strict=True))
            return Counting(self.program, env, self.steps).block(function.body)
        results = super().op(op)
        writes = isinstance(op, ir.Prim) and op.name in self.IN_PLACE
        if not writes and not isinstance(op, ir.If):
            # The states of a loop are arrays that exist already; its stacks are new.
            states = len(op.params) if isinstance(op, ir.Loop) else 0
            Counting.made += sum(int(np.size(r)) for r in results[states:])
        return results


def elements_made(program: ir.Program, name: str, args: Values) -> int:
    """How many elements the function `name`, which has no derivative left to take, makes at these arguments."""
    Counting.made = 0
    f = program.functions[name]
    values = [interp.argument(p, a) for p, a in zip(f.params, args, strict=True)]
    with np.errstate(all="ignore"):
        Counting(program, dict(zip(f.params, values, strict=True)), interp.Steps()).block(f.body)
    return Counting.made
