"""Loops of narrow steps are one launch, whatever their number of steps, and nobody waits for their conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.agreement import compiled_twice, leaves
from dad.tests.cuda.standin import COUNTS, set_order

PROGRAM = """
entry steps [n] (a: [n][n]f64) (t: i64) (x: param [n]f64) : [n]f64 =
  loop y = x for _i < t do map (\\r -> sum (map2 (*) r y) * 0.5) a

entry likely [k][o][t] (w: data [t]i64) (start: param [k]f64) (moves: param [k][k]f64) (emits: param [k][o]f64) : f64 =
  let (_, total) = loop (p, total) = (start, 0.0) for s in w do
    let next = [sum [p[i] * moves[i, j] for i < k] * emits[j, s] for j < k]
    let norm = sum next
    in (map (/ norm) next, total + log norm)
  in total

entry settled [n] (a: [n][n]f64) (b: param [n]f64) : [n]f64 =
  let (x, _, _) = loop (x, r, i) = (map (const 0.0) b, 1.0, 0i64) while r > 1e-9 && i < 50 do
    let y = [x[j] + 0.25 * (b[j] - sum (map2 (*) a[j] x)) for j < n]
    in (y, maximum (map2 (\\u v -> abs (u - v)) x y), i + 1)
  in x

entry moved [n] (k: [n]i64) (t: i64) (x: param [n]f64) : [n]f64 =
  loop y = x for i < t do [y[k[j] + i] * 2.0 for j < n]

entry spread [n] (k: [n]i64) (t: i64) (x: param [n]f64) : [n]f64 =
  loop y = x for _i < t do
    let h = hist (+) 0 n k y
    in if h[0] > 3.0 then map2 (+) h (scan (+) 0 y) else map (* 0.5) h
"""
N, K = 37, 5
RNG = np.random.default_rng(11)
A, X = RNG.normal(size=(N, N)) / N, RNG.normal(size=N)
HIDDEN = (RNG.integers(0, 4, 9), np.full(K, 1 / K), RNG.dirichlet(np.ones(K), K), RNG.random((K, 4)))
NEAR = RNG.integers(0, N - 9, N)
CASES: dict[str, tuple[Any, ...]] = {
    "steps": (A, 7, X), "likely": HIDDEN, "settled": (A + 3 * np.eye(N), X), "moved": (NEAR, 5, X),
    "spread": (RNG.integers(0, N, N), 4, X)}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    with compiled_twice(PROGRAM, "interp") as modules:
        yield modules


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("derived", [False, True])
def test_steps_in_a_block_are_those_of_the_interpreter(both: tuple[Any, Any], name: str, derived: bool) -> None:
    def run(module: Any) -> list[Any]:
        entry, args = getattr(module, name), CASES[name]
        if not derived:
            return list(leaves(entry(*args)))
        return list(leaves(entry.value_and_grad(*args) if name == "likely" else entry.vjp(*args, np.arange(N) / N)))

    device, reference = both
    expected = run(reference)
    for order in ("forward", "reverse", "random"):
        set_order(order, 3)
        for x, y in zip(run(device), expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-13, atol=0)
    set_order("forward", 0)


def test_a_loop_of_narrow_steps_is_one_launch(both: tuple[Any, Any]) -> None:
    device, _ = both
    for name, launches, waits in (("steps", 1, 1), ("likely", 1, 2), ("settled", 2, 3), ("moved", 1, 2)):
        COUNTS.clear()
        getattr(device, name)(*CASES[name])
        assert (COUNTS.launches, COUNTS.synchronisations) <= (launches, waits), (name, COUNTS.launched)


def test_wide_steps_are_launched_one_by_one(both: tuple[Any, Any]) -> None:
    device, reference = both
    x = RNG.normal(size=700)
    args = np.arange(700) % 600, 3, x
    COUNTS.clear()
    np.testing.assert_array_equal(device.moved(*args), reference.moved(*args))
    assert COUNTS.launches >= 3


def test_the_first_failure_of_a_block_is_said(both: tuple[Any, Any]) -> None:
    said = []
    near = NEAR.copy()
    near[30], near[20] = N - 3, N - 3
    for module in both:
        with pytest.raises(dad.RunError) as error:
            module.moved(near, 20, X)
        said.append(str(error.value))
    assert said[0] == said[1]
