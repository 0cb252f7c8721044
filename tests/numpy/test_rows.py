"""Rows that loops collect: added up where they are made, when only their sums are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.models.harness import close
from dad.tests.numpy.harness import check
from dad.tests.numpy.test_strips import peak

GRADBENCH = Path(__file__).parents[2] / "benchmarks" / "gradbench"

PROGRAMS = """
entry polynomials [n][m] (x: param [m]f64) (t: data [n]f64) : [n]f64 =
  [foldl (\\value c -> c + value * s) 0.0 x for s in t]

entry steps [n][m] (x: param [m]f64) (t: param [n]f64) : f64 =
  sum [loop y = s for i < m do y + 0.1 * sin (y * x[m - 1 - i]) * x[(i * i) % m] for s in t]

entry until [n][m] (x: param [m]f64) (t: data [n]f64) : [n]f64 =
  [(loop (y, i) = (s, 0) while y < 3 && i < m do (y + x[i] * x[i] + 0.1, i + 1)).0 for s in t]

entry planes [n][m][k] (x: param [m][k]f64) (t: param [n][k]f64) : [n]f64 =
  [sum (loop y = row for i < m do x[i] * y + row) for row in t]
"""


@pytest.mark.parametrize(("n", "m"), [(0, 3), (1, 1), (4, 3), (5, 2)])
def test_gradients_of_arrays_read_in_loops(n: int, m: int) -> None:
    random = np.random.default_rng(n)
    x, t = random.random(m), random.random(n)
    arguments: dict[str, tuple[Any, ...]] = {
        "polynomials": (x, t), "steps": (x, t), "until": (x, t),
        "planes": (random.random((m, 2)), random.random((n, 2))),
    }
    fast, slow = dad.compile(PROGRAMS, target="numpy"), dad.compile(PROGRAMS, target="interp")
    for name, args in arguments.items():
        entry, oracle = getattr(fast, name), getattr(slow, name)
        seed = np.asarray(random.random(np.shape(oracle(*args))))[()]
        close(entry.vjp(args, seed), oracle.vjp(args, seed))


def test_sums_of_rows_are_taken_in_the_loop() -> None:
    body = check(r"""def f (x.0: []f64, m.1: i64) {
      let n.2: i64 = dim x.0 {axis = 0}
      let last.3: []f64, rows.4: [][]f64 = for m.1 \(i.5: i64, s.6: []f64) from (x.0) shapes ((n.2)) {
        let t.7: []f64 = mul s.6 0.5
        return t.7 s.6
      }
      let turned.8: [][]f64 = transpose rows.4 {perm = (1, 0)}
      let sums.9: []f64 = sum turned.8 {axis = 0}
      return last.3 sums.9
    }""", np.arange(4.0), 3)  # fmt: skip
    assert "[i] = s.sum()" in body


def test_a_stack_that_is_read_otherwise_too_stays() -> None:
    body = check(r"""def f (x.0: []f64, m.1: i64) {
      let n.2: i64 = dim x.0 {axis = 0}
      let last.3: []f64, rows.4: [][]f64 = for m.1 \(i.5: i64, s.6: []f64) from (x.0) shapes ((n.2)) {
        let t.7: []f64 = mul s.6 0.5
        return t.7 s.6
      }
      let sums.8: []f64 = sum rows.4 {axis = 1}
      return rows.4 sums.8
    }""", np.arange(4.0), 3)  # fmt: skip
    assert ".sum(axis=1)" in body


def test_memory_of_a_gradient_of_polynomials() -> None:
    """64 coefficients at 20,000 points: a number for each of both has 10 MB."""
    m = dad.load(GRADBENCH / "llsq.dad", target="numpy")
    x = np.random.default_rng(0).random(64)
    assert peak(lambda: m.gradient(x, 20_000)) < 2e6
