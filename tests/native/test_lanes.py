"""Iterations side by side: which loops run so, and that every number is what it is one by one."""

from __future__ import annotations

from random import Random
from typing import Any

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.backends.loops import lanes, tree
from dad.codegen.backends.loops.nests import nests
from dad.codegen.backends.loops.operands import everything
from dad.codegen.lower import Transform
from dad.codegen.passes import run_pipeline
from dad.codegen.passes.differentiate import differentiate
from dad.lang.source import Source
from dad.tests.ad.generate import Generator
from dad.tests.ad.harness import derive, is_float
from dad.tests.native.agreement import agree

NEAREST = """
entry f [n][k][d] (c: [k][d]f64) (points: [n][d]f64) : f64 =
  sum [minimum [sum [(p[j] - q[j])**2 for j < d] for q in c] for p in points]
"""
QUADRATIC = """
entry f [n][k][d] (q: [k][d][d]f64) (x: [n][d]f64) : f64 =
  sum [maximum [sum [(sum [m[r,c] * (p[c] - m[0,c]) for c < d])**2 for r < d] for m in q] for p in x]
"""
POLYNOMIAL = """
entry f [m][n] (x: [m]f64) (t: [n]f64) : f64 =
  sum [(foldr (\\a v -> a + u * v) 0.0 x - sign u) ** 2 for u in t]
"""
BRANCHES = """
entry f [n][k] (x: [n]f64) (y: [k]f64) : f64 =
  sum [loop s = a for i < k do (if s > y[i] then s * y[i] else if a < 0.5 then s + y[i % 3] else s - 1.0) for a in x]
"""
WIDE = """
entry f [n][k] (x: [n]f64) (y: [k]f64) : [n][2]f64 =
  [[sum [if a > b then a * b else b - a for b in y], minimum [a * b for b in y]] for a in x]
"""
PROGRAMS = {"nearest": NEAREST, "quadratic": QUADRATIC, "polynomial": POLYNOMIAL, "branches": BRANCHES, "wide": WIDE}


def arguments(name: str, n: int, k: int) -> list[Any]:
    rng = np.random.default_rng(n * 100 + k)
    match name:
        case "nearest":
            return [rng.standard_normal((k, 5)), rng.standard_normal((n, 5))]
        case "quadratic":
            return [rng.standard_normal((3, k, k)), rng.standard_normal((n, k))]
        case "polynomial":
            return [rng.standard_normal(k), rng.standard_normal(n)]
        case _:
            return [rng.standard_normal(n), rng.standard_normal(k)]


def results(name: str, tier: int) -> list[Any]:
    """Values and gradients at counts below, at and beyond a strip; with inner loops that are short, whole blocks, and
    too long for lanes."""
    module = dad.compile(PROGRAMS[name], tier=tier)
    found: list[Any] = []
    for n, k in ((0, 3), (1, 3), (8, 1), (9, 8), (17, 9), (24, 19), (11, 130)):
        args = arguments(name, n, min(k, 40) if name == "quadratic" else k)
        gradient = module.f.grad(*args) if name != "wide" else ()
        found += [module.f(*args), *(gradient if isinstance(gradient, tuple) else (gradient,))]
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_numbers_are_those_of_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = [results(name, 0), results(name, 1)]
    monkeypatch.setattr(lanes, "WORTH", 0.0)
    alone = results(name, 0)
    for found in together:
        for x, y in zip(found, alone, strict=True):
            np.testing.assert_array_equal(x, y)


def in_lanes(text: str, kind: str = "") -> list[tree.Lanes]:
    checked = driver.check(Source("f.dad", text)).require()
    wanted = [Transform("f", "value_and_grad", tuple(checked.entries[0].param_names))] if kind else []
    made = driver.lowered(checked, wanted)
    roots = [*made.transforms.values()] if kind else [*made.entries.values()]
    program = nests(driver.optimised(made.program, roots))
    return [n for f in program.functions.values() for n in everything(f.body) if isinstance(n, tree.Lanes)]


@pytest.mark.parametrize("name", ["nearest", "quadratic", "polynomial", "wide"])
def test_outer_loops_with_short_or_sequential_inner_loops_run_so(name: str) -> None:
    assert in_lanes(PROGRAMS[name])


def test_what_is_long_and_contiguous_does_not() -> None:
    text = "entry f [n][k] (x: [n][k]f64) : [n][k]f64 = [[2.0 * v + 1.0 for v in row] for row in x]"
    assert not in_lanes(text)


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """All loops that may run so do, a few iterations at a time."""
    monkeypatch.setattr(lanes, "WIDTH", 2)
    monkeypatch.setattr(lanes, "WORTH", 1e9)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("seed", range(16))
def test_random_programs(seed: int) -> None:
    generator = Generator(Random(2000 + seed), dtype="f32" if seed % 5 == 0 else "f64", nested=False)
    agree(generator.program(), "f", generator.arguments(), 1e-4 if seed % 5 == 0 else 1e-9, tier=seed % 10 == 0)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("seed", range(8))
def test_derivatives_of_random_programs(seed: int) -> None:
    generator = Generator(Random(3000 + seed))
    program, args = generator.program(), generator.arguments()
    mode: Any = "jvp" if seed % 2 else "vjp"
    derived, name = derive(program, "f", mode)
    ready = differentiate(derived)
    like = args if mode == "jvp" else interp.run(ready, "f", args)
    rng = np.random.default_rng(seed)
    seeds = [np.asarray(rng.uniform(-1, 1, np.shape(x)))[()] for x in like if is_float(x)]
    agree(run_pipeline(ready, [name]), name, [*args, *seeds])


def test_what_the_forward_pass_had_is_not_computed_again() -> None:
    text = """
entry f [n] (x: [n]f64) : f64 =
  let top = stop_grad (maximum x)
  in top + log (sum [exp (v - top) for v in x])
"""
    checked = driver.check(Source("f.dad", text)).require()
    made = driver.lowered(checked, [Transform("f", "value_and_grad", ("x",))])
    program = nests(driver.optimised(made.program, [*made.transforms.values()]))
    exps = [n for f in program.functions.values() for n in everything(f.body)
            if isinstance(n, tree.Scalar) and n.name == "exp"]
    assert len(exps) == 1


def test_the_largest_of_many_is_found_eight_at_a_time() -> None:
    text = "entry f [n] (x: [n]f64) : (f64, f64) = (maximum x, minimum [v * v - v for v in x])"
    rng = np.random.default_rng(5)
    for tier in (0, 1):
        module, plain = dad.compile(text, tier=tier), dad.compile(text, target="interp")
        for n in (1, 7, 8, 9, 100, 4099):
            x = rng.standard_normal(n)
            for given in (x, np.where(rng.random(n) < 0.2, np.nan, x), np.full(n, np.nan), np.full(n, -np.inf)):
                np.testing.assert_array_equal(module.f(given), plain.f(given))
