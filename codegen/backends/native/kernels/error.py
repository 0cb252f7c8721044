"""erf and erfc.

erfc x = exp (-x**2) F / (1 + 2 x) for x >= 0, where F is smooth in t = (x - 3.75) / (x + 3.75) and one polynomial
(Shepherd & Laframboise, Chebyshev approximation of (1 + 2 x) exp (x**2) erfc x in 0 <= x < infinity, 1981); the
exponential, the quotient and the product are kept as sums of two numbers.
"""

from __future__ import annotations

from .builder import Builder, Pair, Value
from .coefficients import ERF, ERFC, ERFC_FIRST
from .exponential import exp_parts


def tail(b: Builder, a: Value, extra: Value | None = None) -> tuple[Value, Pair]:
    """n and p with erfc (a + extra) = 2**n p, for a from 0 to 28; `extra` is at most a rounding of `a`."""
    high, low = b.two_product(a, a)
    if extra is not None:
        low = b.mad(a * 2.0, extra, low)
    n, p = exp_parts(b, -high, -low)
    return n, b.product(p, without_exponential(b, a))


def without_exponential(b: Builder, a: Value) -> Pair:
    """exp (a**2) erfc a, for a from 0 to 28."""
    t, more = b.quotient((a - 3.75, b.value(0.0)), b.two_sum(a, 3.75))
    inner = b.poly(t, ERFC)
    top, e = b.fast_two_sum(ERFC_FIRST[0], t * inner)
    lost = b.remainder(t * inner, t, inner)
    below = b.two_sum(a * 2.0, 1.0)
    rest = b.mad(more, inner, e - lost) + ERFC_FIRST[1]
    return b.quotient((top, rest), below)


def near(b: Builder, x: Value) -> Value:
    """erf x for |x| below 0.875."""
    return b.mad(x, b.poly(x * x, ERF), x)


def erfc(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    n, p = tail(b, b.where(a > 28.0, 28.0, a))
    one = b.scaled(p[0], n)
    far = b.where(x < 0.0, b.value(2.0) - one, one)
    return b.where(a >= 0.45, far, b.value(1.0) - near(b, x))


def erf(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    n, p = tail(b, b.where(a > 7.0, 7.0, a))
    far = b.copysign(b.value(1.0) - b.scaled(p[0], n), x)
    return b.where(a >= 0.875, far, near(b, x))
