"""The functions of probability against mpmath: values, first and second derivatives in all modes, quantiles of samples.

Errors are in units of the last place, 2.2e-16 of the value. What is far out in a tail is an exponential, whose errors
are those of its exponent: there as many units as that is large.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import dad
import mpmath
import numpy as np
import pytest
from dad.codegen.runtime import probability
from dad.lang.core.primitive import PRIMITIVES

UNIT = 2.0**-52


def ndtr(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def ratio(x: Any) -> Any:
    return mpmath.besseli(1, x) / mpmath.besseli(0, x)


TRUTH: dict[str, Callable[..., Any]] = {
    "ndtr": ndtr,
    "log_ndtr": lambda x: mpmath.log(ndtr(x)),
    "ndtri": lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1),
    "erfinv": mpmath.erfinv,
    "trigamma": lambda x: mpmath.psi(1, x),
    "lbeta": lambda p, q: mpmath.loggamma(p) + mpmath.loggamma(q) - mpmath.loggamma(p + q),
    "lchoose": lambda n, k: mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1),
    "gammainc": lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
    "gammaincc": lambda a, x: mpmath.gammainc(a, x, mpmath.inf, regularized=True),
    "betainc": lambda p, q, x: mpmath.betainc(p, q, 0, x, regularized=True),
    "bessel_i0": lambda x: mpmath.besseli(0, x),
    "bessel_i1": lambda x: mpmath.besseli(1, x),
    "log_i0": lambda x: mpmath.log(mpmath.besseli(0, x)),
    "bessel_ratio": ratio,
}
rng = np.random.default_rng(4)


def gammas(count: int, low: float, high: float) -> list[tuple[float, ...]]:
    shapes = 10.0 ** rng.uniform(low, high, count)
    return [(float(a), float(a * np.exp(rng.normal() * 2 / np.sqrt(a + 0.3)))) for a in shapes]


def betas(count: int) -> list[tuple[float, ...]]:
    found = [(float(p), float(q)) for p, q in 10.0 ** rng.uniform(-1, 2.5, (count, 2))]
    return [(p, q, float(np.clip(rng.beta(p, q), 1e-6, 1 - 1e-6))) for p, q in found]


def line(*parts: Any) -> list[tuple[float, ...]]:
    return [(float(x),) for x in np.concatenate(parts)]


# Points, and how many units values, first and second derivatives may be off.
POINTS: dict[str, tuple[list[tuple[float, ...]], float, float, float]] = {
    "ndtr": (line(rng.uniform(-37, 9, 12), rng.normal(size=6)), 4, 4, 6),
    "log_ndtr": (line(rng.uniform(-300, 8, 8), rng.normal(size=8)), 6, 6, 16),
    "ndtri": (
        line(rng.uniform(0, 1, 8), 10.0 ** rng.uniform(-30, -1, 4), 0.5 + 10.0 ** rng.uniform(-9, -1, 4)), 4, 6, 16
    ),
    "erfinv": (line(rng.uniform(-1, 1, 8), 10.0 ** rng.uniform(-30, -1, 4)), 6, 8, 16),
    "trigamma": (line(rng.uniform(0.01, 30, 8), -rng.uniform(0.1, 0.9, 2)), 8, 8, 8),
    "lbeta": (gammas(8, -3, 4), 40, 8, 12),
    "lchoose": ([(10.0, 3.0), (50.5, 20.25), (1e6, 2.0)], 40, 60, 60),
    "gammainc": (gammas(10, -3, 2.5), 100, 200, 2000),
    "gammaincc": (gammas(10, -3, 2.5), 200, 200, 2000),
    "betainc": (betas(5), 200, 400, 4000),
    "bessel_i0": (line(rng.uniform(-20, 20, 4), 10.0 ** rng.uniform(-6, 2.8, 6)), 4, 4, 16),
    "bessel_i1": (line(rng.uniform(-20, 20, 4), 10.0 ** rng.uniform(-6, 2.8, 6)), 4, 8, 32),
    "log_i0": (line(rng.uniform(-20, 20, 4), 10.0 ** rng.uniform(-6, 2.8, 6)), 4, 4, 40),
    "bessel_ratio": (line(rng.uniform(-20, 20, 4), 10.0 ** rng.uniform(-1, 2, 6)), 4, 40, 1e4),
}


def off(found: float, true: Any, least: float = 1e-300) -> float:
    return float(abs(mpmath.mpf(float(found)) - true) / (max(abs(true), least) * UNIT))


def exact(name: str, point: tuple[float, ...]) -> Any:
    """With digits to spare: small numbers are found by subtracting large ones."""
    with mpmath.workdps(90):
        return TRUTH[name](*map(mpmath.mpf, point))


@cache
def partial(name: str, point: tuple[float, ...], orders: tuple[int, ...]) -> Any:
    with mpmath.workdps(100):
        where = [mpmath.mpf(x) for x in point]
        scale = [min(abs(x), 1 - x if name in ("ndtri", "betainc") and k == len(point) - 1 else abs(x) or 1, 1)
                 for k, x in enumerate(where)]
        steps = [mpmath.mpf("1e-18") * s for s in scale]

        def at(*moves: int) -> Any:
            return TRUTH[name](*[x + m * h for x, m, h in zip(where, moves, steps, strict=True)])

        def differ(orders: tuple[int, ...], moves: tuple[int, ...]) -> Any:
            if not any(orders):
                return at(*moves)
            k = next(k for k, order in enumerate(orders) if order)
            less = tuple(order - (j == k) for j, order in enumerate(orders))
            ahead, back = (differ(less, tuple(m + s * (j == k) for j, m in enumerate(moves))) for s in (1, -1))
            return (ahead - back) / (2 * steps[k])

        return differ(orders, (0,) * len(point))


@cache
def compiled(name: str, target: str = "numpy") -> Any:
    """The value, the gradient, the Hessian by forward over reverse mode, and its sum by the three other pairs."""
    n = len(POINTS[name][0][0])
    call = f"{name} " + " ".join(f"x[{k}]" for k in range(n))
    ones = "[" + ", ".join(["1"] * n) + "]"
    return dad.compile(f"""
def f (x: [{n}]f64) : f64 = {call}
def f1 (x: [{n}]f64) : [1]f64 = [f x]
def everything (x: [{n}]f64) =
  (f x, grad f x, jacfwd f1 x, hessian f x,
   [sum (grad (\\x -> jvp f x {ones}) x), jvp (\\x -> jvp f x {ones}) x {ones},
    sum (grad (\\x -> sum (grad f x)) x)])
entry one (x: [{n}]f64) = everything x
entry many [m] (xs: [m][{n}]f64) = map everything xs
""", target=target)


@pytest.mark.parametrize("name", POINTS)
def test_values_and_derivatives(name: str) -> None:
    points, value, first, second = POINTS[name]
    n = len(points[0])
    found = compiled(name).many(np.array(points))
    for k, point in enumerate(points):
        v, gradient, forward, hessian, sums = (part[k] for part in found)
        least = 1.0 if name in ("lbeta", "lchoose") else 1e-300  # around their zeros errors are absolute
        assert off(v, exact(name, point), least) <= value, (name, point, v)
        unit = [tuple(int(j == i) for j in range(n)) for i in range(n)]
        for i in range(n):
            true = partial(name, point, unit[i])
            assert off(gradient[i], true) <= first, (name, point, i, gradient[i], float(true))
            assert off(forward[0][i], true) <= first, (name, point, i)
        truths = [[partial(name, point, tuple(a + b for a, b in zip(unit[i], unit[j], strict=True)))
                   for j in range(n)] for i in range(n)]
        largest = max(abs(t) for row in truths for t in row)
        for i in range(n):
            for j in range(n):
                error = float(abs(hessian[i][j] - truths[i][j]) / (largest if n > 1 else abs(truths[i][j])))
                assert error <= second * UNIT, (name, point, i, j, hessian[i][j], float(truths[i][j]))
        np.testing.assert_allclose(sums, hessian.sum(), rtol=1e-9, atol=1e-12 * float(largest))


@pytest.mark.parametrize("name", [name for name in POINTS if name != "lchoose"])
def test_the_interpreter_agrees(name: str) -> None:
    for point in POINTS[name][0][:2]:
        slow, fast = compiled(name, "interp").one(np.array(point)), compiled(name).one(np.array(point))
        for a, b in zip(slow[:4], fast[:4], strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-11, atol=1e-300)


EDGES: list[tuple[str, tuple[float, ...], float]] = [
    ("ndtr", (np.inf,), 1), ("ndtr", (-np.inf,), 0), ("ndtr", (-1e200,), 0), ("log_ndtr", (-np.inf,), -np.inf),
    ("log_ndtr", (1e200,), 0), ("ndtri", (0.0,), -np.inf), ("ndtri", (1.0,), np.inf), ("ndtri", (0.5,), 0),
    ("ndtri", (1.5,), np.nan), ("erfinv", (1.0,), np.inf), ("erfinv", (-1.0,), -np.inf), ("erfinv", (0.0,), 0),
    ("erfinv", (-2.0,), np.nan), ("lbeta", (0.0, 1.0), np.inf), ("lbeta", (-1.0, 1.0), np.nan),
    ("lbeta", (1.0, 1.0), 0), ("gammainc", (2.0, 0.0), 0), ("gammainc", (2.0, np.inf), 1),
    ("gammaincc", (2.0, 0.0), 1),
    ("gammainc", (2.0, -1.0), np.nan), ("gammainc", (-2.0, 1.0), np.nan), ("gammainc", (0.0, 1.0), 1),
    ("gammainc", (3.0, 1e300), 1), ("gammaincc", (3.0, 1e300), 0), ("gammainc", (1e-300, 1.0), 1),
    ("betainc", (2.0, 3.0, 0.0), 0), ("betainc", (2.0, 3.0, 1.0), 1), ("betainc", (2.0, 3.0, 1.5), np.nan),
    ("betainc", (1.0, 1.0, 0.25), 0.25), ("bessel_i0", (0.0,), 1), ("bessel_i1", (0.0,), 0),
    ("bessel_i0", (1e4,), np.inf),
    ("log_i0", (1e200,), 1e200), ("bessel_ratio", (1e300,), 1), ("bessel_ratio", (-1e300,), -1), ("log_i0", (0.0,), 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "point", "expected"), EDGES)
def test_edges(name: str, point: tuple[float, ...], expected: float) -> None:
    args = [np.float64(x) for x in point]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(PRIMITIVES[name].evaluate(*args), expected, rtol=1e-15, atol=1e-70)
        np.testing.assert_allclose(getattr(probability, name)(*args), expected, rtol=4e-15, atol=1e-70)
        stacks = [np.array([x, x]) for x in args]
        np.testing.assert_allclose(getattr(probability, name)(*stacks), [expected] * 2, rtol=4e-15, atol=1e-70)
        short = getattr(probability, name)(*(x.astype(np.float32) for x in stacks))
    assert short.dtype == np.float32


def test_shapes_meet_arrays() -> None:
    module = dad.compile("entry f [n] (xs: [n]f64) = (betainc 2 3 xs, betainc xs 2 0.5, gammainc 2 xs, lbeta xs xs)")
    xs = np.array([0.25, 0.5])
    first, second, third, fourth = module.f(xs)
    np.testing.assert_allclose(first, [probability.betainc(*map(np.float64, (2, 3, x))) for x in xs])
    np.testing.assert_allclose(second, [probability.betainc(*map(np.float64, (x, 2, 0.5))) for x in xs])
    np.testing.assert_allclose(third, [probability.gammainc(*map(np.float64, (2, x))) for x in xs])
    np.testing.assert_allclose(fourth, [probability.lbeta(*map(np.float64, (x, x))) for x in xs])


# ---------------------------------------------------------------- samples that move with their shape


def quantile(a: Any, level: Any, near: Any) -> Any:
    return mpmath.findroot(lambda x: mpmath.gammainc(a, 0, x, regularized=True) - level, near)


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_samples_of_gamma_move_as_their_quantiles_do(target: str) -> None:
    module = dad.compile("""
def draw (k: i64) (a: f64) : f64 = (random.gamma a (random.seed k)).1
entry f (k: i64) (a: f64) = (draw k a, grad (draw k) a, jvp (draw k) a 1, jvp (grad (draw k)) a 1)
""", target=target)
    for k, a in ((1, 0.3), (2, 1.0), (3, 2.5), (4, 40.0)):
        x, reverse, forward, second = module.f(k, a)
        with mpmath.workdps(50):
            level = mpmath.gammainc(a, 0, x, regularized=True)
            h = mpmath.mpf(10) ** -12
            ahead, here, back = (quantile(mpmath.mpf(a) + s * h, level, mpmath.mpf(x)) for s in (1, 0, -1))
            first, curvature = float((ahead - back) / (2 * h)), float((ahead - 2 * here + back) / h**2)
        assert reverse == pytest.approx(first, rel=1e-11)
        assert forward == pytest.approx(first, rel=1e-11)
        assert second == pytest.approx(curvature, rel=1e-9)


def test_expectations_have_the_derivatives_of_their_samples() -> None:
    """The mean of log x under gamma a is digamma a, so that of its derivative trigamma a; likewise the others."""
    module = dad.compile("""
entry gammas (a: f64) (n: i64) =
  let slope (k: i64) = grad (\\a -> log (random.gamma a (random.fork k (random.seed 5))).1) a
  in sum (map slope (iota n)) / f64 n
entry betas (p: f64) (q: f64) (n: i64) =
  let slope (k: i64) = grad (\\(p, q) -> (random.beta p q (random.fork k (random.seed 6))).1) (p, q)
  in (sum (map (\\k -> (slope k).0) (iota n)) / f64 n, sum (map (\\k -> (slope k).1) (iota n)) / f64 n)
entry student (nu: f64) (n: i64) =
  let slope (k: i64) = grad (\\nu -> abs (random.student_t nu (random.fork k (random.seed 7))).1) nu
  in sum (map slope (iota n)) / f64 n
""", target="numpy")
    assert module.gammas(1.5, 4000) == pytest.approx(float(mpmath.psi(1, 1.5)), abs=0.05)
    by_p, by_q = module.betas(2.0, 3.0, 4000)
    assert by_p == pytest.approx(3 / 25, abs=0.005)
    assert by_q == pytest.approx(-2 / 25, abs=0.005)

    def mean(nu: Any) -> Any:  # of |t|
        rest = mpmath.sqrt(mpmath.pi) * mpmath.gamma(nu / 2) * (nu - 1)
        return 2 * mpmath.sqrt(nu) * mpmath.gamma((nu + 1) / 2) / rest

    assert module.student(6.0, 4000) == pytest.approx(float(mpmath.diff(mean, 6)), abs=0.01)
