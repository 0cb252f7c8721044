"""The library's searches and samplers, compared with SciPy and with what is known of distributions."""
from __future__ import annotations

from functools import cache
from typing import Any

import dad
import numpy as np
import pytest
import scipy.optimize

SEARCHES = """
type point = {x: f64, y: f64}
def rosenbrock (a: f64) (p: point) : f64 = (a - p.x) ** 2 + 100 * (p.y - p.x * p.x) ** 2
def residuals (a: f64) (p: point) : [2]f64 = [a - p.x, 10 * (p.y - p.x * p.x)]
def start : point = {x = -1.2, y = 1}
entry by_lbfgs (a: f64) = optimise.lbfgs (rosenbrock a) start
entry by_newton (a: f64) = optimise.newton (rosenbrock a) start
entry by_gauss_newton (a: f64) = optimise.gauss_newton (residuals a) start
entry by_levenberg_marquardt (a: f64) = optimise.levenberg_marquardt (residuals a) start
entry moves (a: f64) : f64 = grad (\\a -> (optimise.lbfgs (rosenbrock a) start).x.y) a
entry descended (a: f64) : (f64, [2]f64) =
  optimise.gradient_descent {rate = 0.1, steps = 400}
    (\\(x, v) -> (x - a) ** 2 + sum (map (\\u -> (u - 2 * x) ** 2) v)) (1.0, [0, 5])
entry adapted (a: f64) : f64 = optimise.adam {rate = 0.05, steps = 2000} (\\_ x -> abs (x - a)) 0
entry many (n: i64) =
  let valley x = sum [100 * (x[i+1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i < n - 1]
  let made = optimise.lbfgs valley (replicate n (-1.0))
  in (made.x, made.converged)
entry fitted [n] (t: [n]f64) (y: [n]f64) : [3]f64 =
  (optimise.levenberg_marquardt (\\p -> map2 (\\t y -> p[0] * exp (-p[1] * t) + p[2] - y) t y) [1.0, 1, 0]).x
"""


@cache
def searches() -> Any:
    return dad.compile(SEARCHES, target="native", tier=0)


@pytest.mark.parametrize("name", ["lbfgs", "newton", "gauss_newton", "levenberg_marquardt"])
def test_a_minimum_is_found(name: str) -> None:
    found = getattr(searches(), f"by_{name}")(1.5)
    assert found.converged
    assert found.x == pytest.approx((1.5, 2.25), abs=1e-7)
    assert found.value < 1e-14
    assert found.slope < 1e-6
    assert found.steps < 100


def test_the_place_moves_as_the_implicit_function_says() -> None:
    assert searches().moves(1.5) == pytest.approx(3.0, abs=1e-6)


def test_first_order() -> None:
    x, v = searches().descended(3.0)
    assert x == pytest.approx(3, abs=1e-3)
    assert v == pytest.approx([6, 6], abs=2e-3)
    assert searches().adapted(3.0) == pytest.approx(3, abs=0.05)


def test_many_parameters() -> None:
    x, converged = searches().many(60)
    assert converged
    assert x == pytest.approx(np.ones(60), abs=1e-6)


def test_a_fit_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    t = np.linspace(0, 4, 40)
    y = 3 * np.exp(-1.3 * t) + 0.5 + 0.05 * rng.normal(size=40)
    expected, _ = scipy.optimize.curve_fit(lambda t, a, b, c: a * np.exp(-b * t) + c, t, y, [1, 1, 0])
    assert searches().fitted(t, y) == pytest.approx(expected, rel=1e-5)


SAMPLERS = """
def density (p: {a: f64, b: [2]f64}) : f64 =
  let (z, u, v) = ((p.a - 1) / 2, p.b[0], p.b[1])
  in -0.5 * z * z - 0.5 * (u * u - 2 * 0.8 * u * v + v * v) / (1 - 0.64)
def summary [n] (c: mcmc.chain [n] {a: f64, b: [2]f64}) : ([n][3]f64, f64, i64) =
  (map (\\d -> [d.a, d.b[0], d.b[1]]) c.draws, c.acceptance, c.divergences)
def start : {a: f64, b: [2]f64} = {a = 0, b = [0, 0]}
entry hmc (n: i64) (k: i64) = summary (mcmc.hmc n density start (random.seed k)).1
entry nuts (n: i64) (k: i64) = summary (mcmc.nuts n density start (random.seed k)).1
entry metropolis (n: i64) (k: i64) = summary (mcmc.metropolis 1.2 n density start (random.seed k)).1
"""


@cache
def samplers() -> Any:
    return dad.compile(SAMPLERS, target="native", tier=0)


@pytest.mark.parametrize(("name", "count"), [("hmc", 20_000), ("nuts", 20_000), ("metropolis", 200_000)])
def test_draws_have_the_moments_of_the_density(name: str, count: int) -> None:
    """Means, variances and the covariance within four standard errors, which batches of the chain show."""
    draws, acceptance, divergences = getattr(samplers(), name)(count, 7)
    assert divergences == 0
    assert (0.7 if name != "metropolis" else 0.2) < acceptance < 0.99
    centred = draws - np.array([1, 0, 0])
    checked = np.concatenate([centred, centred ** 2, (centred[:, 1] * centred[:, 2])[:, None]], axis=1)
    expected = np.array([0, 0, 0, 4, 1, 1, 0.8])
    batches = checked.reshape(50, -1, 7).mean(axis=1)
    errors = batches.std(axis=0, ddof=1) / np.sqrt(50)
    assert np.all(np.abs(batches.mean(axis=0) - expected) < 4 * errors), (batches.mean(axis=0), errors)
    assert np.all(errors < [0.1, 0.05, 0.05, 0.4, 0.1, 0.1, 0.1])


def test_the_same_seed_gives_the_same_draws() -> None:
    first, again, other = (samplers().nuts(50, k)[0] for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
