"""Strips: what a loop over strips gives is what whole arrays give, and memory stays within bounds."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from random import Random
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.passes import strips
from dad.codegen.passes.vectorize import vectorize
from dad.lang.core.verify import verify
from dad.tests.ad.generate import Generator
from dad.tests.models.harness import close
from dad.tests.numpy.harness import agree
from dad.tests.numpy.test_contract import Products

GRADBENCH = Path(__file__).parents[2] / "benchmarks" / "gradbench"

PROGRAMS = """
def dot3 [d] (x: [d]f64) (y: [d]f64) : f64 = sum (map2 (*) x y)

entry nearest [n][k][d] (cs: param [k][d]f64) (ps: data [n][d]f64) : f64 =
  sum [minimum [sum [(p[j] - c[j]) ** 2 for j < d] for c in cs] for p in ps]

entry forces [n][d] (ps: param [n][d]f64) (mass: param [n]f64) : [n][d]f64 =
  [[sum [mass[j] * (ps[j, a] - ps[i, a]) / (1 + dot3 (ps[i] - ps[j]) (ps[i] - ps[j])) for j < n] for a < d] for i < n]

entry posterior [n][k][d] (cs: param [k][d]f64) (w: param [k]f64) (ps: data [n][d]f64) : [n][k]f64 =
  let scores = [[w[j] - dot3 (p - c) (p - c) for (j, c) in enumerate cs] for p in ps]
  in map softmax scores

entry share [n][k] (cs: param [k]f64) (ps: data [n]f64) : [n]f64 =
  let near = [sum [exp (-((p - c) ** 2)) for c in cs] for p in ps]
  let total = sum near
  in [sum [exp (-((ps[i] - c) ** 2)) / total for c in cs] for i < n]

entry running [n][k] (cs: param [k]f64) (ps: param [n]f64) : [k]f64 =
  let table = scan (map2 (+)) (replicate k 0.0) [[sin (p * c) for c in cs] for p in ps]
  in [sum [row[j] * row[j] for row in table] for j < k]

entry smoothed [n][k] (knots: param [k]f64) (at: data [n]i64) (ps: param [n]f64) (steps: i64) : [n]f64 =
  loop ps for _i < steps do
    [p + 0.1 * sum [knots[at[i]] * tanh (p - c) for c in knots] for (i, p) in enumerate ps]
"""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of a place or two, whatever the sizes."""
    monkeypatch.setattr(strips, "STRIP", 12)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_programs_in_strips(n: int) -> None:
    random = np.random.default_rng(n)
    cs, ps, knots = random.random((3, 2)), random.random((n, 2)), random.random(3)
    arguments: dict[str, tuple[Any, ...]] = {
        "nearest": (cs, ps), "forces": (ps, random.random(n)), "posterior": (cs, knots, ps),
        "share": (knots, ps[:, 0]), "running": (knots, ps[:, 0]),
        "smoothed": (knots, random.integers(0, 3, n), ps[:, 1], 3),
    }
    fast, slow = dad.compile(PROGRAMS, target="numpy"), dad.compile(PROGRAMS, target="interp")
    for name, args in arguments.items():
        entry, oracle = getattr(fast, name), getattr(slow, name)
        value = oracle(*args)
        close(entry(*args), value)
        seed = np.asarray(random.random(np.shape(value)))[()]
        close(entry.vjp(args, seed), oracle.vjp(args, seed))


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", range(40))
def test_random_sums_of_products(seed: int) -> None:
    products = Products(Random(seed))
    agree(products.program(), "f", products.values)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed: int) -> None:
    generator = Generator(Random(seed), nested=False)
    program = generator.program()
    verify(vectorize(program))
    agree(program, "f", generator.arguments())


def peak(run: Any) -> int:
    """Most bytes that arrays had at one time."""
    run()
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_is_bounded() -> None:
    """A gradient of 20,000 points and 200 centroids in four dimensions: an array with all three axes has 128 MB."""
    m = dad.load(GRADBENCH / "kmeans.dad", target="numpy")
    random = np.random.default_rng(0)
    points, centroids = random.random((20_000, 4)), random.random((200, 4))
    for entry in (m.cost, m.cost.grad, m.dir):
        assert peak(lambda entry=entry: entry(centroids, points)) < 16e6


def test_memory_of_a_mixture_is_bounded() -> None:
    """The gradient of a mixture of 50 in 16 dimensions at 10,000 points: an array with all three axes has 64 MB."""
    m = dad.load(GRADBENCH / "gmm.dad", target="numpy")
    random = np.random.default_rng(0)
    k, d = 50, 16
    theta = {"alpha": random.random(k), "mu": random.random((k, d)), "q": random.random((k, d)),
             "l": random.random((k, d * (d - 1) // 2))}
    x = random.random((10_000, d))
    assert peak(lambda: m.jacobian(theta, x, 1.0, 0)) < 24e6
