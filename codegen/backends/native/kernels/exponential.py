"""exp, exp2, expm1, the hyperbolic functions and what is made of them.

The argument is n ln 2 + r with |r| at most ln 2 / 2, where n ln 2 is subtracted in two parts (Cody & Waite, Software
Manual for the Elementary Functions, 1980); a polynomial gives exp r, and the exponent takes n.
"""

from __future__ import annotations

from .builder import Builder, Pair, Value
from .coefficients import COSH, EXP, EXP2, LN2, LOG2_E, SINH


def clamped(b: Builder, x: Value, low: float, high: float) -> Value:
    """Between `low` and `high`; nan stays."""
    x = b.where(x > high, high, x)
    return b.where(x < low, low, x)


def reduced(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """n, r, and what r misses by rounding."""
    whole, n = b.rounded(x * LOG2_E)
    first = b.less_product(x, whole, LN2[0])
    r = b.less_product(first, whole, LN2[1])
    return n, r, b.less_product(first - r, whole, LN2[1])


def exp_parts(b: Builder, x: Value, rest: Value | None = None) -> tuple[Value, Pair]:
    """n and a pair p, with exp (x + rest) = 2**n p; |x| below 2**20."""
    n, r, low = reduced(b, x)
    if rest is not None:
        r, more = b.fast_two_sum(r, rest)
        low = low + more
    s, e = b.fast_two_sum(1.0, r)
    return n, b.fast_two_sum(s, e + b.mad(r * r, b.poly(r, EXP), low))


def exp(b: Builder, x: Value) -> Value:
    x = clamped(b, x, -746.0, 710.0)
    whole, n = b.rounded(x * LOG2_E)
    r = b.less_product(b.less_product(x, whole, LN2[0]), whole, LN2[1])
    square = r * r
    return b.scaled(b.mad(square, b.poly(r, EXP, square), r) + 1.0, n)


def exp2(b: Builder, x: Value) -> Value:
    x = clamped(b, x, -1076.0, 1025.0)
    whole, n = b.rounded(x)
    r = x - whole
    return b.scaled(b.mad(r, b.poly(r, EXP2), 1.0), n)


def expm1(b: Builder, x: Value) -> Value:
    """2 (2**(n-1) - 1/2 + 2**(n-1) expm1 r)"""
    n, r, low = reduced(b, clamped(b, x, -50.0, 710.0))
    s = b.power_of_two(n - 1)
    high, e = b.two_sum(s - 0.5, s * r)
    result = (high + b.mad(s, b.mad(r * r, b.poly(r, EXP), low), e)) * 2.0
    return b.where(b.abs(x) < 2.0**-54, x, result)


def hyperbolic(b: Builder, a: Value, which: str) -> tuple[Value, Pair, Pair]:
    """n, and 2**(1-n) times sinh a and cosh a, for a from 0 to 711; what `which` does not name is left out (0).

    With w = 4**-n, C = cosh r, S = sinh r: (1 - w) C + (1 + w) S and (1 + w) C + (1 - w) S.
    """
    n, r, low = reduced(b, a)
    z = r * r
    c = z * b.poly(z, COSH)
    s = b.mad(r * z, b.poly(z, SINH), low)
    few = b.where(n > 60, 60, n)
    w = b.power_of_two(b.value(0, "i") - few - few)
    zero = b.value(0.0)

    def part(w: Value) -> Pair:
        one, lost = b.fast_two_sum(1.0, w)
        other = b.value(1.0) - w
        p, e = b.two_product(other, r)
        high, rest = b.two_sum(one, p)
        return b.fast_two_sum(high, rest + (e + lost) + b.mad(one, c, other * s))

    return n, part(-w) if "s" in which else (zero, zero), part(w) if "c" in which else (zero, zero)


def sinh(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    n, s, _ = hyperbolic(b, clamped(b, a, 0.0, 710.6), "s")
    return b.where(a < 2.0**-28, x, b.copysign(b.scaled(s[0], n - 1), x))


def cosh(b: Builder, x: Value) -> Value:
    n, _, c = hyperbolic(b, clamped(b, b.abs(x), 0.0, 710.6), "c")
    return b.scaled(c[0], n - 1)


def tanh(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    _, s, c = hyperbolic(b, clamped(b, a, 0.0, 22.0), "sc")
    q, rest = b.quotient(s, c)
    return b.where(a < 2.0**-28, x, b.copysign(q + rest, x))


def small_exp(b: Builder, a: Value, rest: Value | None = None) -> Pair:
    """exp -(a + rest) as a pair, for a >= 0."""
    n, p = exp_parts(b, -clamped(b, a, 0.0, 746.0), None if rest is None else -rest)
    return b.scaled(p[0], n), b.scaled(p[1], clamped_exponent(b, n))


def clamped_exponent(b: Builder, n: Value) -> Value:
    return b.where(n < -1000, -1000, n)


def sigmoid(b: Builder, x: Value) -> Value:
    """1 / (1 + e) or e / (1 + e) with e = exp -|x|"""
    e, lost = small_exp(b, b.abs(x))
    below, rest = b.fast_two_sum(1.0, e)
    up = x >= 0.0
    top: Pair = (b.where(up, 1.0, e), b.where(up, 0.0, lost))
    q, more = b.quotient(top, (below, rest + lost))
    return b.where(e < 2.0**-1000, top[0], q + more) + b.where(b.nan(x), x, 0.0)


def sech(b: Builder, x: Value) -> Value:
    """2 e / (1 + e e) with e = exp -|x|"""
    e, lost = small_exp(b, b.abs(x))
    square, more = b.two_product(e, e)
    below, rest = b.fast_two_sum(1.0, square)
    q, last = b.quotient((e, lost), (below, rest + (more + e * lost * 2.0)))
    return b.where(e < 2.0**-500, e, q + last) * 2.0


def gauss(b: Builder, x: Value) -> Value:
    """exp (-x**2)"""
    x = clamped(b, x, -28.0, 28.0)
    high, low = b.two_product(x, x)
    n, p = exp_parts(b, -high, -low)
    return b.scaled(p[0], n)
