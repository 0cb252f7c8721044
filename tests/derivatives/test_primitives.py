"""Every differentiable primitive that programs can name, through `dad.compile`: first and second derivatives.

The truth is differences of mpmath's functions at high precision; where there is none (kinks, ends of domains) the
published table says it, and the modes must agree. Each primitive is compiled once: an entry of one point, and `vmap`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import dad
import mpmath
import numpy as np
import pytest
from dad.lang.core.primitive import PRIMITIVES, Primitive
from dad.tests.prims.test_partials import TABLE, derivative, has_corner, interior

OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "pow": "**"}
VISIBLE = [p for p in PRIMITIVES.values() if p.mp is not None and (p.signature or p.name in (*OPERATORS, "neg"))]
SMOOTH = [p for p in VISIBLE if not p.flat]
FLAT = [p for p in VISIBLE if p.flat]
EXTREMES = (5e-324, 1e-310, 1e-300, 1e-155, 1e-20, 1e-8, 30.0, 1000.0, 1e20, 1e155, 1e300)
NAMES = {1: "x", 2: "xy"}


def call(p: Primitive) -> str:
    if p.name == "neg":
        return "-x"
    operator = OPERATORS.get(p.name)
    return f"x {operator} y" if operator else f"{p.name} {' '.join(NAMES[len(p.sample)])}"


def program(p: Primitive) -> str:
    """Value; gradient by reverse and forward mode; Hessian by forward over reverse, the other way, and twice one."""
    if len(p.sample) == 1:
        body = f"if true then {call(p)} else x" if p.name == "neg" else call(p)
        return f"""
def f (x: f64) : f64 = {body}
entry orders (x: f64) =
  (f x, grad f x, jvp f x 1, jvp (grad f) x 1, grad (\\t -> jvp f t 1) x, vjp (grad f) x 1, jvp (\\t -> jvp f t 1) x 1)
"""
    return f"""
def f (x: f64) (y: f64) : f64 = {call(p)}
def g (p: (f64, f64)) : f64 = f p.0 p.1
def dx (x: f64) (y: f64) : f64 = jvp (\\t -> f t y) x 1
def dy (x: f64) (y: f64) : f64 = jvp (\\t -> f x t) y 1
entry orders (x: f64) (y: f64) =
  (f x y, grad g (x, y), (dx x y, dy x y),
   (jvp (\\t -> grad g (t, y)) x 1, jvp (\\t -> grad g (x, t)) y 1),
   (grad (\\(t, u) -> dx t u) (x, y), grad (\\(t, u) -> dy t u) (x, y)),
   (grad (\\q -> (grad g q).0) (x, y), grad (\\q -> (grad g q).1) (x, y)),
   ((jvp (\\t -> dx t y) x 1, jvp (\\t -> dx x t) y 1), (jvp (\\t -> dy t y) x 1, jvp (\\t -> dy x t) y 1)))
"""


@cache
def compiled(name: str, target: str = "numpy") -> Any:
    return dad.compile(program(PRIMITIVES[name]), target=target)


def flat(value: Any) -> list[float]:
    return [x for v in value for x in flat(v)] if isinstance(value, tuple) else [value]


def special_points(p: Primitive) -> list[tuple[float, ...]]:
    return [*p.special, *(point for name, point, _ in TABLE if name == p.name)]


def extreme_points(p: Primitive) -> list[tuple[float, ...]]:
    signed = [s * x for x in EXTREMES for s in (1.0, -1.0)]
    if len(p.sample) == 1:
        return [(x,) for x in signed]
    return [(x, y) for x in signed for y in (*signed[::7], 1.5)]


def second(p: Primitive, point: tuple[float, ...], j: int, k: int) -> Any:
    """The true second derivative; None where there is none that is real."""
    magnitudes = [abs(math.log10(abs(x))) if x else 0 for x in point]
    with mpmath.workdps(150 + int(6 * max(magnitudes) + 2 * sum(magnitudes))):
        where = [mpmath.mpf(x) for x in point]
        step = min([mpmath.mpf(1), *(abs(x) for x in where if x), *(1 / abs(x) for x in where if x)]) * mpmath.mpf(
            "1e-25"
        )

        def at(a: int, b: int) -> Any:
            moved = list(where)
            moved[j] += a * step
            moved[k] += b * step
            return p.mp(mpmath, *moved)  # type: ignore[misc]

        try:
            value = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * step * step)
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        return None if isinstance(value, mpmath.mpc) or mpmath.isnan(value) or mpmath.isinf(value) else value


def close(got: float, expected: float, rtol: float, atol: float) -> bool:
    if math.isnan(expected) or math.isinf(expected):
        return got == expected or (math.isnan(got) and math.isnan(expected))
    return abs(got - expected) <= rtol * abs(expected) + atol


def values(
    p: Primitive, point: tuple[float, ...], target: str = "numpy"
) -> tuple[float, list[list[float]], list[list[float]]]:
    """Value, the two gradients, the four Hessians: in row j and column k the derivative in j of that in k."""
    n = len(point)
    found = flat(compiled(p.name, target).orders(*point))
    first, rest = found[1 : 1 + 2 * n], found[1 + 2 * n :]
    hessians = [np.array(rest[k : k + n * n]).reshape(n, n) for k in range(0, 4 * n * n, n * n)]
    return found[0], [first[:n], first[n:]], [(h.T if k else h).ravel().tolist() for k, h in enumerate(hessians)]


@pytest.mark.parametrize("p", SMOOTH, ids=lambda p: p.name)
def test_inside_the_domain(p: Primitive) -> None:
    whole = [(x, y) for x in (0.7, 2.0) for y in (0.0, 1.0, 2.0, -1.0)] if p.name == "pow" else []
    for point in [*interior(p, 8), *whole]:
        _, gradients, hessians = values(p, point)
        n = range(len(point))
        expected = [float(derivative(p, point, k)) for k in n]
        twice = [float(second(p, point, j, k)) for j in n for k in n]
        for gradient in gradients:
            assert all(close(a, b, 1e-12, 1e-14) for a, b in zip(gradient, expected, strict=True)), (
                point,
                gradient,
                expected,
            )
        for hessian in hessians:
            assert all(close(a, b, 1e-10, 1e-12) for a, b in zip(hessian, twice, strict=True)), (point, hessian, twice)


@pytest.mark.parametrize("p", SMOOTH, ids=lambda p: p.name)
def test_special_points(p: Primitive) -> None:
    """What the table says, in every mode; second derivatives do not depend on the order of the modes."""
    for name, point, wanted in TABLE:
        for gradient in values(p, point)[1] if name == p.name else ():
            assert all(close(a, b, 1e-14, 0.0) for a, b in zip(gradient, wanted, strict=True)), (
                point,
                gradient,
                wanted,
            )
    for point in special_points(p):
        _, gradients, hessians = values(p, point)
        for gradient in gradients:
            assert all(close(a, b, 1e-14, 0.0) for a, b in zip(gradient, gradients[0], strict=True)), (point, gradients)
        if not all(map(math.isfinite, (*gradients[0], *point))):  # a slope at the end of a domain has no slope
            continue
        for hessian in hessians:  # what overflows (beside the smallest numbers) is no number in any mode
            pairs = list(zip(hessian, hessians[0], strict=True))
            assert all(close(a, b, 1e-13, 1e-300) or not (math.isfinite(a) or math.isfinite(b)) for a, b in pairs), (
                point,
                hessians,
            )


@pytest.mark.parametrize(
    "p", [p for p in SMOOTH if p.name not in ("mod", "lgamma", "gamma", "digamma")], ids=lambda p: p.name
)
def test_huge_tiny_and_denormal(p: Primitive) -> None:
    """Never nan, nor infinite, where the true derivative is a number."""
    for point in extreme_points(p):
        value, gradients, _ = values(p, point)
        if (
            math.isnan(value)
            or has_corner(p, point)
            or (p.name == "pow" and (math.isinf(value) or point[0] < 0 or abs(1 / point[0]) == math.inf))
        ):
            continue
        for k in range(len(point)):
            true = derivative(p, point, k)
            if true is None or abs(true) > 1.7e308:
                continue
            for gradient in gradients:
                assert close(gradient[k], float(true), 1e-12, 1e-14), (point, k, gradient, float(true))


@pytest.mark.parametrize("p", SMOOTH, ids=lambda p: p.name)
def test_vmap_and_interpreter(p: Primitive) -> None:
    """Under `vmap`, and by the reference interpreter, the same as one at a time: at all sorts of points."""
    points = [*interior(p, 5), *special_points(p), *extreme_points(p)[::3]]
    single = np.array([flat(compiled(p.name).orders(*point)) for point in points])
    columns = compiled(p.name).orders.vmap(*[np.array(c) for c in zip(*points, strict=True)])
    mapped = np.array(flat(columns)).T
    np.testing.assert_allclose(mapped, single, rtol=1e-12, atol=1e-300)
    slow = np.array([flat(compiled(p.name, "interp").orders(*point)) for point in points[::2]])
    np.testing.assert_allclose(slow, single[::2], rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("p", FLAT, ids=lambda p: p.name)
def test_flat_ones_have_slope_zero(p: Primitive) -> None:
    """By the product rule the derivative of p x * x is p x: nothing comes from p itself, at jumps neither."""
    m = dad.compile(f"""
def f (x: f64) : f64 = {p.name} x * x
entry orders (x: f64) = (grad f x, jvp f x 1, jvp (grad f) x 1, grad (\\t -> jvp f t 1) x, {p.name} x)""")
    for x in (0.0, -0.0, 0.5, 1.5, -2.0, 0.3, 1e300, -5e-324):
        reverse, forward, one, other, value = m.orders(x)
        assert (reverse, forward, one, other) == (value, value, 0.0, 0.0), x


def test_flat_ones_have_no_gradient_of_their_own() -> None:
    with pytest.raises(dad.Diagnostics, match="derivative is zero"):
        dad.compile("entry f (x: f64) : f64 = grad (\\t -> floor t) x")
