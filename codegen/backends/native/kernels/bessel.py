"""Modified Bessel functions.

By their power series below 10, beyond by polynomials in 1 / x. High orders, and the variance of a cosine, by the
trapezoidal rule for integrals over an angle, of which the integrand is periodic or has died out before the end
(Abramowitz & Stegun, Handbook of Mathematical Functions, 9.6.10, 9.6.18).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import factorial, pi, prod

from .builder import Builder, Value
from .coefficients import BESSEL_0, BESSEL_1
from .exponential import exp, exp_parts
from .inverse import asin
from .logarithm import log, log1p
from .trigonometric import sin

INF = float("inf")
NAN = float("nan")
NODES = 64
NEAR = 10.0
TERMS = 29
RISING = 6
"""The highest order that comes from orders 0 and 1."""


def over_angles(b: Builder, x: Value, *functions: Callable[[Value, Value], Value]) -> list[Value]:
    """Integrals of functions of 1 - cos t and sin (t)**2 weighted by exp (x (cos t - 1)), over t from 0 to pi."""
    end = asin(b, b.sqrt(b.value(20.0) / b.where(x > 20.0, x, 20.0))) * 2.0
    step = end * (1.0 / NODES)

    def node(k: Value, *sums: Value) -> Sequence[Value]:
        half = sin(b, k * step * 0.5)
        away = half * half * 2.0
        weight = exp(b, -x * away)
        weight = b.where(b.either(k < 0.5, k > NODES - 0.5), weight * 0.5, weight)
        sine = away * (b.value(2.0) - away)
        return k + 1.0, *(total + weight * f(away, sine) for total, f in zip(sums, functions, strict=True))

    zero = b.value(0.0)
    found = b.loop([zero, *[zero] * len(functions)], lambda k, *sums: k <= float(NODES), node)
    return [total * step for total in found[1:]]


def power(b: Builder, x: Value, n: int) -> Value:
    total = b.value(1.0)
    for _ in range(n):
        total = total * x
    return total


def scaled(b: Builder, orders: Sequence[int], x: Value) -> list[Value]:
    """exp (-x) times modified Bessel functions of these orders, for finite x >= 0."""
    integrals = over_angles(b, x, *(lambda away, sine, n=n: power(b, sine, n) for n in orders))
    return [power(b, x, n) * value / (prod(range(1, 2 * n, 2)) * pi)
            for n, value in zip(orders, integrals, strict=True)]


def size_of(b: Builder, x: Value, most: float) -> Value:
    a = b.abs(x)
    return b.where(a < most, a, b.where(b.nan(x), 1.0, most))


def series(b: Builder, order: int, x: Value) -> Value:
    """The modified Bessel function over (x / 2)**order / order!, for x from 0 to `NEAR` (9.6.10)."""
    factors, factor = [1.0], Fraction(1)
    for k in range(1, TERMS):
        factor /= k * (k + order)
        factors.append(float(factor))
    z = x * x * 0.25
    return b.mad(z, b.poly(z, factors[1:]), 1.0)


def far(b: Builder, order: int, x: Value) -> Value:
    """sqrt x exp (-x) times the function of order 0 or 1, for x from `NEAR`."""
    return b.poly(b.value(10.0) / x, (BESSEL_0, BESSEL_1)[order])


def bessel_order(b: Builder, x: Value, order: int) -> Value:
    """The modified Bessel function of this order."""
    if order > RISING:
        return by_angles(b, x, order)
    a = b.abs(x)
    size = size_of(b, x, 800.0)
    small = b.where(size < NEAR, size, 0.0)
    near = series(b, order, small) * power(b, small * 0.5, order) * (1.0 / factorial(order))
    large = b.where(size < NEAR, NEAR, size)
    n, p = exp_parts(b, large)
    # 9.6.26: of these orders little cancels from `NEAR` on
    found = [far(b, 0, large), far(b, 1, large)]
    for k in range(1, order):
        found.append(found[k - 1] - found[k] * (b.value(2.0 * k) / large))
    away = b.scaled(found[order] / b.sqrt(large) * p[0], n)
    value = b.where(a < NEAR, near, b.where(a >= 800.0, INF, away))
    return b.where(b.nan(x), x, b.copysign(value, x) if order % 2 else value)


def by_angles(b: Builder, x: Value, order: int) -> Value:
    a = b.abs(x)
    size = size_of(b, x, 800.0)
    grown = exp(b, size * 0.5)
    value = b.where(a >= 800.0, INF, grown * (grown * scaled(b, [order], size)[0]))
    return b.where(b.nan(x), x, b.copysign(value, x) if order % 2 else value)


def bessel_i0(b: Builder, x: Value) -> Value:
    return bessel_order(b, x, 0)


def bessel_i1(b: Builder, x: Value) -> Value:
    return bessel_order(b, x, 1)


def log_i0(b: Builder, x: Value) -> Value:
    """Near 0 by the power series of it less 1."""
    a = b.abs(x)
    size = size_of(b, x, 1e300)
    small = b.where(a < NEAR, a, 0.0)
    z = small * small * 0.25
    factors, factor = [], Fraction(1)
    for k in range(1, TERMS):
        factor /= k * k
        factors.append(float(factor))
    near = log1p(b, z * b.poly(z, factors))
    large = b.where(size < NEAR, NEAR, size)
    away = large + (log(b, far(b, 0, large)) - log(b, large) * 0.5)
    return b.where(b.nan(x), x, b.where(a < NEAR, near, b.where(a < 1e300, away, a)))


def bessel_ratio(b: Builder, x: Value) -> Value:
    """The modified Bessel function of order 1 over that of order 0."""
    size = size_of(b, x, 1e17)
    small, large = b.where(size < NEAR, size, 0.0), b.where(size < NEAR, NEAR, size)
    top = b.where(size < NEAR, series(b, 1, small) * small * 0.5, far(b, 1, large))
    value = b.where(b.abs(x) >= 1e17, 1.0, top / b.where(size < NEAR, series(b, 0, small), far(b, 0, large)))
    return b.where(b.nan(x), x, b.copysign(value, x))


def bessel_spread(b: Builder, x: Value) -> Value:
    """The derivative of `bessel_ratio`: the variance of cos t under the weight exp (x cos t)."""
    a = b.abs(x)
    size = size_of(b, x, 1e150)
    plain, mean = over_angles(b, size, lambda away, sine: b.value(1.0), lambda away, sine: away)
    center = mean / plain
    (spread,) = over_angles(b, size, lambda away, sine: (away - center) * (away - center))
    return b.where(b.nan(x), x, b.where(a >= 1e150, b.value(0.5) / a / a, spread / plain))
