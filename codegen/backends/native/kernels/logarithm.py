"""Logarithms, and the inverse hyperbolic functions.

The argument is 2**k m with m from sqrt 1/2 to sqrt 2, and log m is 2 atanh s with s = (m - 1) / (m + 1), a polynomial
(Tang, Table-driven implementation of the logarithm function, 1990, without the table). `log_quotient` has s as a pair,
for arguments that are themselves sums, and for results that are multiplied.
"""

from __future__ import annotations

from .builder import Builder, Pair, Value, bits_of
from .coefficients import LN2, LOG, LOG2_E_PAIR, LOG10_2, LOG10_E_PAIR
from .exponential import small_exp

ONE = bits_of(1.0)
ROOT_HALF = bits_of(0.5**0.5)
INF = float("inf")
NAN = float("nan")


def split(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """k as a number, biased by 1023 as a whole number, and m, of a normal number."""
    bits = x.bits()
    biased = (bits + (ONE - ROOT_HALF)) >> 52
    return b.small_whole(biased) - 1023.0, biased, (bits - ((biased - 1023) << 52)).number()


def normal(b: Builder, x: Value) -> tuple[Value, Value]:
    """As a normal number, and what its k must be changed by."""
    tiny = x < 2.0**-1022
    return b.where(tiny, x * 2.0**54, x), b.where(tiny, -54.0, 0.0)


def defined(b: Builder, x: Value, result: Value) -> Value:
    """`result` of positive numbers; the rest of a logarithm."""
    rest = b.where(x.equals(0.0), -INF, b.where(x < 0.0, NAN, x))
    return b.where(b.both(x > 0.0, x < INF), result, rest)


def log(b: Builder, x: Value) -> Value:
    y, less = normal(b, x)
    k, _, m = split(b, y)
    k = k + less
    f = m - 1.0
    half = f * f * 0.5
    s = f / (f + 2.0)
    z = s * s
    inner = b.mad(s, b.mad(z, b.poly(z, LOG), half), k * LN2[1])
    return defined(b, x, b.mad(k, LN2[0], f - (half - inner)))


def log_quotient(b: Builder, top: Pair, below: Pair, k: Value | None) -> Pair:
    """k ln 2 + 2 atanh (top / below)"""
    s, low = b.quotient(top, below)
    z = s * s
    rest = b.mad(s * z, b.poly(z, LOG), low + low)
    if k is None:
        return b.fast_two_sum(s + s, rest)
    high, e = b.fast_two_sum(k * LN2[0], s + s)
    return b.fast_two_sum(high, e + b.mad(k, LN2[1], rest))


def log_pair(b: Builder, m: Value) -> Pair:
    return log_quotient(b, (m - 1.0, b.value(0.0)), b.two_sum(m, 1.0), None)


def log2(b: Builder, x: Value) -> Value:
    y, less = normal(b, x)
    k, _, m = split(b, y)
    p, low = b.product(log_pair(b, m), constant(b, LOG2_E_PAIR))
    high, e = b.fast_two_sum(k + less, p)
    return defined(b, x, high + (e + low))


def log10(b: Builder, x: Value) -> Value:
    y, less = normal(b, x)
    k, _, m = split(b, y)
    k = k + less
    p, low = b.product(log_pair(b, m), constant(b, LOG10_E_PAIR))
    high, e = b.fast_two_sum(k * LOG10_2[0], p)
    return defined(b, x, high + (e + b.mad(k, LOG10_2[1], low)))


def constant(b: Builder, pair: tuple[float, ...]) -> Pair:
    return b.value(pair[0]), b.value(pair[1])


def log_sum(b: Builder, one: Value | float, x: Value, low: Value | None = None, more: Value | float = 0.0) -> Pair:
    """log (one + x + low) + more ln 2, where one is 1 or 0; x + one from 2**-53 to the greatest number."""
    one = b.value(one)
    k, biased, _ = split(b, x + one)
    half = biased >> 1
    first, second = b.power_of_two(b.value(511, "i") - half), b.power_of_two(b.value(512, "i") - (biased - half))
    c, xc = one * first * second, x * first * second
    top = b.two_sum(c - 1.0, xc)
    below = b.two_sum(c + 1.0, xc)
    if low is not None:
        rest = low * first * second
        top, below = b.fast_two_sum(top[0], top[1] + rest), (below[0], below[1] + rest)
    return log_quotient(b, top, below, k + more)


def log1p(b: Builder, x: Value) -> Value:
    high, low = log_sum(b, 1.0, x)
    result = b.where(b.abs(x) < 2.0**-54, x, high + low)
    rest = b.where(x.equals(-1.0), -INF, b.where(x < -1.0, NAN, x))
    return b.where(b.both(x > -1.0, x < INF), result, rest)


def softplus(b: Builder, x: Value) -> Value:
    """log (1 + exp x) = max(x, 0) + log1p (exp -|x|)"""
    e, lost = small_exp(b, b.abs(x))
    high, low = log_sum(b, 1.0, e, lost)
    tiny = e < 2.0**-54
    high, low = b.where(tiny, e, high), b.where(tiny, 0.0, low)
    whole, rest = b.two_sum(b.where(x > 0.0, x, 0.0), high)
    return b.where(x < INF, whole + (rest + low), x)


def asinh(b: Builder, x: Value) -> Value:
    """log1p (a + a**2 / (1 + sqrt (a**2 + 1))), a = |x|; log (2 a) when it is large."""
    a = b.abs(x)
    large = a > 2.0**28
    small = b.where(large, 1.0, a)
    square = small * small
    w, low = b.two_sum(small, square / (b.sqrt(square + 1.0) + 1.0))
    high, rest = log_sum(b, b.where(large, 0.0, 1.0), b.where(large, a, w), b.where(large, 0.0, low),
                         b.where(large, 1.0, 0.0))
    result = b.copysign(high + rest, x)
    return b.where(b.either(a < 2.0**-28, b.opposite(a < INF)), x, result)


def acosh(b: Builder, x: Value) -> Value:
    """log1p (t + sqrt (t (t + 2))), t = x - 1"""
    large = x > 2.0**28
    y = b.where(large, 2.0, x)
    t, low = b.two_sum(y, -1.0)
    p, lost = b.two_product(t, t + 2.0)
    root = b.sqrt(p)
    again = b.where(p.equals(0.0), 0.0, (b.remainder(p, root, root) + lost) * 0.5 / root)
    w, rest = b.two_sum(t, root)
    high, last = log_sum(b, b.where(large, 0.0, 1.0), b.where(large, x, w), b.where(large, 0.0, rest + (low + again)),
                         b.where(large, 1.0, 0.0))
    return b.where(x.equals(INF), x, b.where(x >= 1.0, high + last, NAN))


def atanh(b: Builder, x: Value) -> Value:
    """1/2 log ((1 + a) / (1 - a)), with the quotient's power of two taken from 1 - a"""
    a = b.abs(x)
    up, below = b.two_sum(a, 1.0), b.fast_two_sum(1.0, -a)
    k, biased, _ = split(b, up[0] / below[0])
    c = b.power_of_two(b.where(b.both(biased > 1022, biased < 1100), biased - 1023, 0))
    high, low = below[0] * c, below[1] * c
    nh, nl = b.two_sum(up[0], -high)
    dh, dl = b.two_sum(up[0], high)
    h, rest = log_quotient(b, b.fast_two_sum(nh, nl + (up[1] - low)), b.fast_two_sum(dh, dl + (up[1] + low)), k)
    inside = b.copysign((h + rest) * 0.5, x)
    result = b.where(a.equals(1.0), b.copysign(INF, x), b.where(a < 1.0, inside, NAN))
    return b.where(a < 2.0**-28, x, result)
