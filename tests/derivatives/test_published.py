"""Cases that have caught other systems: confused perturbations, branches not taken, loops, folds, writes, Hessians.

Each is a Dad program run by both targets and compared with a number known from analysis, a complex step, mpmath or
differences. Perturbation confusion: Siskind & Pearlmutter, *Perturbation Confusion and Referential Transparency*, 2005,
and Manzyuk et al., *Perturbation confusion in forward automatic differentiation of higher-order functions* (2019).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import dad
import mpmath
import numpy as np
import pytest

TARGETS = ("native", "numpy", "interp")


@cache
def module(text: str, target: str) -> Any:
    return dad.compile(text, target=target)


def run(text: str, *args: Any, entry: str = "main") -> list[Any]:
    """What the entry gives on each target."""
    return [getattr(module(text, target), entry)(*args) for target in TARGETS]


def gives(text: str, args: Sequence[Any], expected: Any, rtol: float = 1e-12, entry: str = "main") -> None:
    for target, found in zip(TARGETS, run(text, *args, entry=entry), strict=True):
        np.testing.assert_allclose(np.asarray(found, float), expected, rtol=rtol, atol=1e-14, err_msg=target)


def gradient(f: Callable[[Any], Any], x: Any, h: float = 1e-4) -> Any:
    """By differences, extrapolated, of a real function of an array."""
    x = np.asarray(x, float)
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        near, far = ((f(x + k * step) - f(x - k * step)) / (2 * k * h) for k in (1, 2))
        out[place] = (4 * near - far) / 3
    return out


# ---------------------------------------------------------------- perturbation confusion

CONFUSION: dict[str, tuple[str, Callable[[float], float]]] = {
    "forward in forward": ("jvp (\\x -> x * jvp (\\y -> x + y) 1 1) x 1", lambda x: 1.0),
    "reverse in forward": ("jvp (\\x -> x * grad (\\y -> x + y) 1) x 1", lambda x: 1.0),
    "forward in reverse": ("grad (\\x -> x * jvp (\\y -> x + y) 1 1) x", lambda x: 1.0),
    "reverse in reverse": ("grad (\\x -> x * grad (\\y -> x + y) 1) x", lambda x: 1.0),
    "a product": ("grad (\\x -> x * grad (\\y -> x * y) 2) x", lambda x: 2 * x),
    "the inner point depends on x": ("grad (\\x -> x * grad (\\y -> x * y * y) x) x", lambda x: 6 * x**2),
    "three deep": ("grad (\\x -> x * jvp (\\y -> y * grad (\\z -> x * y * z) x) x 1) x", lambda x: 6 * x**2),
    "three deep, all forward": (
        "jvp (\\x -> x * jvp (\\y -> y * jvp (\\z -> x * y * z) x 1) x 1) x 1",
        lambda x: 6 * x**2,
    ),
    "a tangent that is a variable": ("grad (\\x -> jvp (\\y -> y * y * x) x x) x", lambda x: 6 * x**2),
    "a cotangent that is a variable": ("grad (\\x -> vjp (\\y -> y * y * x) x x) x", lambda x: 6 * x**2),
    "a derivative of a derivative as a function": (
        "let d f = (\\x -> jvp f x 1) in let e f = (\\x -> grad f x) in d (e (d (e sin))) x",
        math.sin,
    ),
    "a function that makes functions": (
        "let s u = (\\f -> (\\x -> f (x + u))) in jvp (\\u -> jvp (s u exp) x 1) 0 1",
        math.exp,
    ),
    "applied twice, captured": (
        "let s u = (\\f -> (\\x -> f (x + u))) in jvp (\\u -> jvp (s u (s u exp)) x 1) 0 1",
        lambda x: 2 * math.exp(x),
    ),
    "inner variable held fixed": ("grad (\\x -> grad (\\y -> stop_grad x * y * x) 1) x", lambda x: x),
}


@pytest.mark.parametrize("name", CONFUSION)
def test_perturbations_are_not_confused(name: str) -> None:
    body, expected = CONFUSION[name]
    for x in (0.7, -1.3):
        gives(f"entry main (x: f64) : f64 = {body}", [x], expected(x))


def test_perturbations_in_arrays_and_loops() -> None:
    text = """
entry mapped [n] (xs: [n]f64) : [n]f64 = grad (\\xs -> sum (map (\\x -> x * grad (\\y -> x * y * sum xs) x) xs)) xs
entry looped (x: f64) : f64 = grad (\\x -> loop a = x for _i < 2 do a * jvp (\\y -> y * y * x) a 1) x"""
    xs = np.array([0.3, 1.1, -0.4])
    gives(text, [xs], gradient(lambda v: float(np.sum(v * v * np.sum(v))), xs), 1e-8, "mapped")
    gives(text, [0.9], 56 * 0.9**6, 1e-12, "looped")  # a ← 2 a² x, twice from x: 8 x⁷


# ---------------------------------------------------------------- branches not taken

PARTIAL: dict[str, tuple[str, str, Callable[[float], float], Callable[[float], float]]] = {
    "sqrt": ("x > 0", "sqrt x", lambda x: 0.5 / math.sqrt(x), lambda x: -0.25 * x**-1.5),
    "log": ("x > 0", "log x", lambda x: 1 / x, lambda x: -1 / x**2),
    "pow": ("x > 0", "x ** 0.5", lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
    "power of itself": (
        "x > 0",
        "x ** x",
        lambda x: x**x * (math.log(x) + 1),
        lambda x: x**x * ((math.log(x) + 1) ** 2 + 1 / x),
    ),
    "division": ("x != 0", "1 / x", lambda x: -1 / x**2, lambda x: 2 / x**3),
    "asin": ("abs x < 1", "asin x", lambda x: (1 - x * x) ** -0.5, lambda x: x * (1 - x * x) ** -1.5),
    "acos": ("abs x < 1", "acos x", lambda x: -((1 - x * x) ** -0.5), lambda x: -x * (1 - x * x) ** -1.5),
    "atanh": ("abs x < 1", "atanh x", lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2),
    "acosh": ("x > 1", "acosh x", lambda x: (x * x - 1) ** -0.5, lambda x: -x * (x * x - 1) ** -1.5),
    "log1p": ("x > -1", "log1p x", lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
    "cbrt": (
        "x != 0",
        "cbrt x",
        lambda x: x ** -(2 / 3) / 3 if x > 0 else (-x) ** -(2 / 3) / 3,
        lambda x: -2 / 9 * x ** -(5 / 3) if x > 0 else 2 / 9 * (-x) ** -(5 / 3),
    ),
    "atan2": ("x != 0", "atan2 x (x * x)", lambda x: -1 / (1 + x * x), lambda x: 2 * x / (1 + x * x) ** 2),
    "hypot of zeros": ("x != 0", "hypot x x", lambda x: math.copysign(math.sqrt(2), x), lambda x: 0.0),
    "norm": ("x != 0", "sqrt (x * x + x * x)", lambda x: math.copysign(math.sqrt(2), x), lambda x: 0.0),
    "lgamma": ("x > 0", "lgamma x", lambda x: float(mpmath.digamma(x)), lambda x: float(mpmath.polygamma(1, x))),
    "exp of something huge": ("x < 700", "exp x", math.exp, math.exp),
}
POINTS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 800.0)


HOLDS: dict[str, Callable[[float], bool]] = {
    "x > 0": lambda x: x > 0,
    "x != 0": lambda x: x != 0,
    "abs x < 1": lambda x: abs(x) < 1,
    "x > 1": lambda x: x > 1,
    "x > -1": lambda x: x > -1,
    "x < 700": lambda x: x < 700,
}


def holds(condition: str, x: float) -> bool:
    return HOLDS[condition](x)


@pytest.mark.parametrize("name", PARTIAL)
def test_a_branch_not_taken_contributes_nothing(name: str) -> None:
    condition, value, slope, curve = PARTIAL[name]
    text = f"""
def f (x: f64) : f64 = if {condition} then {value} else 3 * x
entry one (x: f64) : (f64, f64, f64, f64) = (grad f x, jvp f x 1, grad (grad f) x, jvp (grad f) x 1)
entry mapped [n] (xs: [n]f64) : ([n]f64, [n]f64, [n]f64) =
  (vmap (grad f) xs, vmap (grad (grad f)) xs, vmap (grad (\\t -> jvp f t 1)) xs)
entry summed [n] (xs: [n]f64) : ([n]f64, [n]f64) =
  (grad (\\v -> sum (map f v)) xs, jvp (grad (\\v -> sum (map f v))) xs (replicate n 1))
entry within [n] (xs: [n]f64) : ([n]f64, [n]f64) =
  let total v = loop a = 0 for i < n do a + (if i % 2 == 0 then f v[i] else v[i])
  in (grad total xs, grad (\\v -> sum (grad total v)) xs)
entry waiting [n] (xs: [n]f64) : [n]f64 =
  grad (\\v -> (loop (a, i) = (0, 0) while i < n do (a + f v[i], i + 1)).0) xs
entry lanes [n] (xs: [n]f64) : [n]f64 =
  vmap (grad (\\x -> (loop (a, i) = (0, 0) while i < (if x > 0 then 3 else 1) do (a + f x, i + 1)).0)) xs
"""
    points = [x for x in POINTS if not holds(condition, x) or abs(x) < 700]
    first = np.array([slope(x) if holds(condition, x) else 3.0 for x in points])
    second = np.array([curve(x) if holds(condition, x) else 0.0 for x in points])
    xs = np.array(points)
    even = np.arange(len(xs)) % 2 == 0
    for target in TARGETS:
        m = module(text, target)
        for x, a, b in zip(points, first, second, strict=True):
            np.testing.assert_allclose(m.one(x), [a, a, b, b], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(m.mapped(xs), [first, second, second], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(m.summed(xs), [first, second], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(
            m.within(xs), [np.where(even, first, 1), np.where(even, second, 0)], rtol=1e-11, atol=1e-13
        )
        np.testing.assert_allclose(m.waiting(xs), first, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(m.lanes(xs), first * np.where(xs > 0, 3, 1), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(m.one.vmap(xs)[0], first, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", [n for n in PARTIAL if n not in ("exp of something huge", "lgamma")])
def test_a_value_computed_before_the_branch_that_does_not_use_it(name: str) -> None:
    """Its cotangent is zero, and a slope that is infinite there makes nothing of it."""
    condition, value, slope, _ = PARTIAL[name]
    text = f"""
def f (x: f64) : f64 = let early = {value} in if {condition} then early else 3 * x
entry one (x: f64) : (f64, f64) = (grad f x, jvp f x 1)
entry summed [n] (xs: [n]f64) : [n]f64 =
  grad (\\v -> let early = map (\\x -> {value}) v
               in sum (map2 (\\x e -> if {condition} then e else 3 * x) v early)) xs
"""
    points = [x for x in POINTS if abs(x) < 700]
    first = np.array([slope(x) if holds(condition, x) else 3.0 for x in points])
    for target in TARGETS:
        m = module(text, target)
        np.testing.assert_allclose([m.one(x) for x in points], np.stack([first, first], axis=1), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(m.summed(np.array(points)), first, rtol=1e-11, atol=1e-13)


def test_a_branch_not_taken_with_a_read_out_of_range() -> None:
    text = """
entry main [n] (xs: [n]f64) (k: i64) : [n]f64 = grad (\\v -> if k < n then sqrt v[k] else v[0]) xs
entry mapped [n][m] (xs: [n]f64) (ks: [m]i64) : [n]f64 =
  grad (\\v -> sum (map (\\k -> if 0 <= k && k < n then v[k] * v[k] else 1) ks)) xs"""
    gives(text, [[4.0, 9.0], 1], [0.0, 1 / 6])
    gives(text, [[4.0, 9.0], 7], [1.0, 0.0])
    gives(text, [[4.0, 9.0], [-1, 1, 1, 5]], [0.0, 36.0], entry="mapped")


# ---------------------------------------------------------------- special points


SPECIAL: list[tuple[str, list[float], list[float]]] = [
    ("grad norm x", [0.0, 0.0], [0.0, 0.0]),
    ("grad norm x", [3.0, 4.0], [0.6, 0.8]),
    ("grad (\\v -> hypot v[0] v[1]) x", [0.0, 0.0], [0.0, 0.0]),
    ("grad (\\v -> sum (v ** 0)) x", [0.0, 2.0], [0.0, 0.0]),
    ("grad (\\v -> sum (map (\\t -> t ** 0.0) v)) x", [0.0, 2.0], [0.0, 0.0]),
    ("grad (\\v -> sum (map (\\t -> t ** 2) v)) x", [0.0, -2.0], [0.0, -4.0]),
    ("grad (\\v -> v[0] ** v[1]) x", [0.0, 0.0], [0.0, 0.0]),
    ("grad (\\v -> v[0] ** v[1]) x", [2.0, 0.0], [0.0, math.log(2)]),
    ("grad (\\v -> max v[0] v[1]) x", [1.0, 1.0], [0.5, 0.5]),
    ("grad (\\v -> min v[0] v[1]) x", [1.0, 1.0], [0.5, 0.5]),
    ("grad (\\v -> abs v[0]) x", [0.0, 1.0], [0.0, 0.0]),
    ("grad product x", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("grad product x", [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]),
    ("grad product x", [], []),
    ("grad (\\v -> reduce (*) 1 v) x", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("grad (\\v -> sum (scan (*) 1 v)) x", [0.0, 2.0, 3.0], [9.0, 0.0, 0.0]),
    ("grad (\\v -> (scan (*) 1 v)[2]) x", [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    ("grad logsumexp x", [-math.inf, 0.0], [0.0, 1.0]),
    ("grad logsumexp x", [1000.0, 1000.0], [0.5, 0.5]),
    ("grad (\\v -> softplus v[0]) x", [0.0, 1.0], [0.5, 0.0]),
]


@pytest.mark.parametrize(("body", "x", "expected"), SPECIAL, ids=lambda v: str(v)[:40])
def test_special_points(body: str, x: list[float], expected: list[float]) -> None:
    gives(f"entry main [n] (x: [n]f64) : [n]f64 = {body}", [np.array(x)], expected)


def test_ties_of_maximum_share_the_slope() -> None:
    """All modes take one and the same element of the subgradient: its parts are not negative and add up to 1."""
    text = """
entry reverse [n] (x: [n]f64) : [n]f64 = grad maximum x
entry forward [n] (x: [n]f64) : [n]f64 = [jvp maximum x [if i == j then 1 else 0 for j < n] for i < n]
entry lowest [n] (x: [n]f64) : [n]f64 = grad minimum x"""
    for x in ([1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [5.0], [0.0, -0.0]):
        for target in TARGETS:
            m = module(text, target)
            g = m.reverse(x)
            np.testing.assert_allclose(g, m.forward(x))
            assert np.all(g >= 0)
            assert np.sum(g) == pytest.approx(1)
            assert np.all(g[np.array(x) < max(x)] == 0)
    gives(text, [[1.0, 2.0]], [0.0, 1.0], entry="reverse")
    folds = """
entry main [n] (x: [n]f64) : ([n]f64, [n]f64) =
  (grad (\\v -> reduce max (-9) v) x, grad (\\v -> reduce (\\a b -> min a b) 9 v) x)
entry running [n] (x: [n]f64) : [n]f64 = jvp (scan max (-9)) x x"""
    gives(folds, [[2.0, 2.0, 2.0]], np.full((2, 3), 1 / 3))  # not by the order of a fold
    gives(folds, [[2.0, 2.0, 2.0]], [2.0, 2.0, 2.0], entry="running")
    gives(text, [[1.0, 2.0]], [1.0, 0.0], entry="lowest")


# ---------------------------------------------------------------- loops


NEWTON = """
def root (a: f64) : f64 = loop x = a while abs (x * x - a) > 1e-13 * a do 0.5 * (x + a / x)
entry value (a: f64) : f64 = root a
entry slopes (a: f64) : (f64, f64, f64, f64) = (grad root a, jvp root a 1, grad (grad root) a, jvp (grad root) a 1)
entry mapped [n] (xs: [n]f64) : [n]f64 = vmap (grad root) xs
entry summed [n] (xs: [n]f64) : [n]f64 = grad (\\v -> sum (map root v)) xs
"""


def test_while_loops_whose_length_depends_on_data() -> None:
    """Trip counts 0 (at 1) to many, alone and side by side; the iterate's derivative converges one step behind."""
    xs = np.array([1.0, 4.0, 2.0, 1e6, 1e-4])

    def newton(a: complex) -> complex:  # the same iteration in complex numbers: its derivative without differences
        x = a
        while abs(x.real * x.real - a.real) > 1e-13 * a.real:
            x = 0.5 * (x + a / x)
        return x

    exact = np.array([newton(complex(a, 1e-30 * a)).imag / (1e-30 * a) for a in xs])
    assert cmath.isclose(newton(complex(2.0)), math.sqrt(2))
    gives(NEWTON, [xs], exact, 1e-11, "mapped")
    gives(NEWTON, [xs], exact, 1e-11, "summed")
    for target in TARGETS:
        m = module(NEWTON, target)
        for a, slope in zip(xs, exact, strict=True):
            one, two, curve, other = m.slopes(a)
            assert one == pytest.approx(slope, rel=1e-11)
            assert two == pytest.approx(slope, rel=1e-11)
            assert curve == pytest.approx(other, rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(m.value.vmap(xs), np.sqrt(xs), rtol=1e-12)


def test_loops_that_do_not_run() -> None:
    text = """
entry main [n] (x: f64) (ys: [n]f64) (k: i64) : (f64, f64, f64, f64) =
  (grad (\\x -> loop a = x * x for _i < k do a * x) x,
   grad (\\x -> loop a = x * x for y in ys do a * y * x) x,
   grad (\\x -> loop a = x * x while a < -1 do a * x) x,
   grad (\\x -> sum (loop v = [x, x] for i < n do v with [0] = v[0] * v[1] * ys[i])) x)"""
    gives(text, [1.5, [], 0], [3.0, 3.0, 3.0, 2.0])
    gives(text, [1.5, [], -3], [3.0, 3.0, 3.0, 2.0])
    gives(text, [1.5, [2.0], 2], [4 * 1.5**3, 2 * 3 * 1.5**2, 3.0, 2 * 2 * 1.5 + 1])


def test_arrays_filled_in_loops() -> None:
    text = """
def orbit (r: f64) (n: i64) : [n+1]f64 =
  loop xs = replicate (n+1) 0.4 for i < n do xs with [i+1] = r * xs[i] * (1 - xs[i])
def backwards (r: f64) (n: i64) : [n]f64 =
  loop xs = [r * f64 i for i < n] for i < n - 1 do let xs[n-2-i] = xs[n-2-i] + sin xs[n-1-i] in xs
def sieve [n] (v: [n]f64) : [n]f64 =
  loop xs = v for i < n do (loop ys = xs for j < i do ys with [i] = ys[i] * 0.9 + ys[j] * ys[j])
entry main (r: f64) (n: i64) : (f64, f64, f64) =
  let f r = sum (orbit r n)
  let g r = sum (backwards r n)
  in (grad f r, grad g r, grad (grad f) r)
entry values (r: f64) (n: i64) : (f64, f64) = (sum (orbit r n), sum (backwards r n))
entry jacobian [n] (v: [n]f64) : [n][n]f64 = [vjp sieve v [if i == j then 1 else 0 for j < n] for i < n]
entry transposed [n] (v: [n]f64) : [n][n]f64 = [jvp sieve v [if i == j then 1 else 0 for j < n] for i < n]
entry seen [n] (v: [n]f64) : [n]f64 = sieve v"""
    m = module(text, "numpy")
    for n in (1, 2, 6):
        first = gradient(lambda r, n=n: m.values(float(r), n)[0], 2.7)  # type: ignore[misc]
        other = gradient(lambda r, n=n: m.values(float(r), n)[1], 2.7)  # type: ignore[misc]
        curve = gradient(lambda r, n=n: m.main(float(r), n)[0], 2.7)  # type: ignore[misc]
        gives(text, [2.7, n], [first, other, curve], 1e-7)
    v = np.array([0.3, -0.8, 0.5, 1.1])
    for target in TARGETS:
        m = module(text, target)
        np.testing.assert_allclose(m.jacobian(v), m.transposed(v).T, rtol=1e-13, atol=1e-15)
        rows = [gradient(lambda u, i=i, m=m: m.seen(u)[i], v) for i in range(4)]  # type: ignore[misc]
        np.testing.assert_allclose(m.jacobian(v), rows, rtol=1e-7, atol=1e-9)


# ---------------------------------------------------------------- reads, writes, folds


def test_gather_with_duplicates_and_writes() -> None:
    text = """
entry gathered [n][m] (x: [n]f64) (is: [m]i64) : [n]f64 = grad (\\v -> sum (map (\\i -> v[i] * v[i]) is)) x
entry hessian [n][m] (x: [n]f64) (is: [m]i64) (d: [n]f64) : [n]f64 =
  jvp (grad (\\v -> product (map (\\i -> v[i]) is))) x d
entry written [n] (x: [n]f64) (k: i64) : [n]f64 = grad (\\v -> let v[k] = v[0] * v[1] in sum (v * v)) x
entry twice [n] (x: [n]f64) (k: i64) : [n]f64 = grad (\\v -> let v[k] = 2 * v[k] in let v[k] = v[k] * v[k] in sum v) x
entry scattered [n][m] (x: [n]f64) (is: [m]i64) : [n]f64 =
  grad (\\v -> sum (scatter v is [v[0] * v[0] for _i < m])) x"""
    x, places = np.array([1.5, -2.0, 0.5]), np.array([0, 2, 2, 0, 0])
    gives(text, [x, places], [9.0, 0.0, 2.0], entry="gathered")
    d = np.array([0.3, 1.0, -0.7])
    curve = [6 * 1.5 * 0.25 * 0.3 + 3 * 2.25 * 2 * 0.5 * -0.7, 0.0, 3 * 2.25 * 2 * 0.5 * 0.3 + 2 * 1.5**3 * -0.7]
    gives(text, [x, places, d], curve, entry="hessian")  # of x[0]**3 * x[2]**2
    gives(text, [x, 1], gradient(lambda v: v[0] ** 2 + (v[0] * v[1]) ** 2 + v[2] ** 2, x), 1e-8, "written")
    gives(text, [x, 2], gradient(lambda v: v[0] + v[1] + 4 * v[2] ** 2, x), 1e-8, "twice")
    gives(text, [x, [2, 5, -1]], [1 + 2 * 1.5, 1.0, 0.0], entry="scattered")  # places outside are left alone


def test_scan_with_an_operator_of_its_own() -> None:
    text = """
def op (a: (f64, f64)) (b: (f64, f64)) : (f64, f64) = (a.0 * b.0, a.1 * b.0 + b.1)
def states [n] (a: [n]f64) (b: [n]f64) : [n]f64 = map (.1) (scan op (1, 0) (zip a b))
entry values [n] (a: [n]f64) (b: [n]f64) : [n]f64 = states a b
entry main [n] (a: [n]f64) (b: [n]f64) : ([n]f64, [n]f64) =
  grad (\\(a, b) -> sum (map2 (*) (states a b) (map f64 (iota n)))) (a, b)
entry smooth [n] (a: [n]f64) : [n]f64 = grad (\\v -> sum (scan (\\x y -> x + y - x * y) 0 v)) a
entry matrices [n] (a: [n]f64) : [n]f64 =
  let times (p: [2][2]f64) (q: [2][2]f64) = matmul p q
  in grad (\\v -> sum (map (\\m -> m[0,1]) (scan times (identity 2) (map (\\t -> [[t, 1], [0.5, t * t]]) v)))) a"""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=5), rng.normal(size=5)

    def states(a: Any, b: Any) -> float:
        y, total = 0.0, 0.0
        for i in range(len(a)):
            y = y * a[i] + b[i]
            total += i * y
        return total

    expected = [gradient(lambda v: states(v, b), a), gradient(lambda v: states(a, v), b)]
    gives(text, [a, b], expected, 1e-8)
    gives(text, [[], []], [[], []])

    def smooth(v: Any) -> float:
        return float(np.sum(1 - np.cumprod(1 - v)))

    gives(text, [a], gradient(smooth, a), 1e-8, "smooth")

    def matrices(v: Any) -> float:
        m, total = np.eye(2), 0.0
        for t in v:
            m = m @ np.array([[t, 1], [0.5, t * t]])
            total += m[0, 1]
        return total

    gives(text, [a], gradient(matrices, a), 1e-7, "matrices")


# ---------------------------------------------------------------- records, Hessians


def test_records_with_integer_fields() -> None:
    text = """
type model [n] = {degree: i64, weights: [n]f64, scale: f64, used: [n]bool}
entry loss [n] (m: param (model [n])) (x: data f64) : f64 =
  m.scale * (loop s = 0 for i < n do s + (if m.used[i] then m.weights[i] * x ** f64 (i % m.degree) else 0))
entry inside [n] (m: model [n]) (x: f64) = (grad (\\m -> loss m x) m).weights"""
    model = {"degree": 2, "weights": np.array([1.0, 2.0, 3.0]), "scale": 0.5, "used": np.array([True, True, False])}
    for target in TARGETS:
        m = module(text, target)
        g = m.loss.grad(model, 3.0)
        np.testing.assert_allclose(g.weights, [0.5, 1.5, 0.0])
        assert g.scale == 7.0
        assert g.degree == ()
        assert g.used == ()
        np.testing.assert_allclose(m.inside(model, 3.0), [0.5, 1.5, 0.0])
        value, slope = m.loss.jvp(model, 3.0, {"degree": (), "weights": np.ones(3), "scale": 1.0, "used": ()})
        assert (value, slope) == (3.5, 9.0)


def test_hessians() -> None:
    text = """
def f [n] (x: [n]f64) : f64 = sum [(1 - x[i])**2 + 100 * (x[i+1] - x[i]**2)**2 for i < n - 1]
def units (n: i64) : [n][n]f64 = identity n
entry forward [n] (x: [n]f64) : [n][n]f64 = vmap (\\d -> jvp (grad f) x d) (units n)
entry reverse [n] (x: [n]f64) : [n][n]f64 = vmap (\\d -> vjp (grad f) x d) (units n)
entry other [n] (x: [n]f64) : [n][n]f64 = vmap (\\d -> grad (\\y -> jvp f y d) x) (units n)
entry slowly [n] (x: [n]f64) : [n][n]f64 = [[jvp (\\y -> jvp f y d) x e for e in units n] for d in units n]
entry third [n] (x: [n]f64) (d: [n]f64) : [n]f64 = grad (\\y -> jvp (\\z -> jvp f z d) y d) x"""
    x = np.array([-1.2, 1.0, 0.7, 1.3])
    n = len(x)
    expected = np.zeros((n, n))
    for i in range(n - 1):
        expected[i, i] += 2 + 1200 * x[i] ** 2 - 400 * x[i + 1]
        expected[i + 1, i + 1] += 200
        expected[i, i + 1] -= 400 * x[i]
        expected[i + 1, i] -= 400 * x[i]
    for entry in ("forward", "reverse", "other", "slowly"):
        gives(text, [x], expected, 1e-12, entry)
    d = np.array([0.3, -0.2, 1.0, 0.4])
    m = module(text, "numpy")
    gives(text, [x, d], gradient(lambda y: float(d @ m.forward(y) @ d), x), 1e-7, "third")
