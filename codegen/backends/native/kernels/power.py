"""pow, cbrt, hypot, logaddexp.

x**y is exp (y log x), with log x as a pair that is exact to about 2**-66: its first two terms in s, 2 s + 2/3 s**3, are
computed as pairs (see logarithm.py).
"""

from __future__ import annotations

from .builder import Builder, Pair, Value
from .coefficients import CBRT, LN2, LOG_LONG, TWO_THIRDS
from .exponential import clamped, exp_parts, small_exp
from .logarithm import constant, log_sum, normal, split

INF = float("inf")
NAN = float("nan")


def log_long(b: Builder, x: Value) -> Pair:
    """log x for positive x, to about 2**-66."""
    y, less = normal(b, x)
    k, _, m = split(b, y)
    k = k + less
    s = b.fast_two_sum(*b.quotient((m - 1.0, b.value(0.0)), b.two_sum(m, 1.0)))
    z = b.product(s, s)
    tail = z[0] * b.poly(z[0], LOG_LONG)
    third = constant(b, TWO_THIRDS)
    inner = b.fast_two_sum(third[0], tail)
    cubic = b.product(b.product(s, z), (inner[0], inner[1] + third[1]))
    high, e = b.fast_two_sum(s[0] * 2.0, cubic[0])
    high, low = b.fast_two_sum(high, e + b.mad(s[1], 2.0, cubic[1]))
    first, lost = b.fast_two_sum(k * LN2[0], high)
    return b.fast_two_sum(first, lost + b.mad(k, LN2[1], low))


def pow(b: Builder, x: Value, y: Value) -> Value:
    a = b.abs(x)
    usual = b.both(b.both(a > 0.0, a < INF), b.both(b.opposite(b.nan(y)), b.abs(y) < INF))
    high, low = log_long(b, b.where(usual, a, 1.0))
    power = clamped(b, b.where(usual, y, 0.0), -(2.0**68), 2.0**68)
    p, lost = b.two_product(power, high)
    rest = b.mad(power, low, lost)
    far = b.abs(p) > 800.0
    n, e = exp_parts(b, clamped(b, p, -800.0, 800.0), b.where(far, 0.0, rest))
    size = b.scaled(e[0], n)
    # of 0, infinity and nan
    limit = b.where(b.where(y > 0.0, a > 1.0, a < 1.0), INF, 0.0)
    limit = b.where(b.either(a.equals(1.0), y.equals(0.0)), 1.0, limit)
    whole_part = b.abs(y) < 2.0**52
    nearest = b.rounded(b.where(whole_part, y, 0.0))
    even_half = b.rounded(nearest[0] * 0.5)[0] * 2.0
    whole = b.either(b.opposite(whole_part), nearest[0].equals(y))
    # a number from 2**52 below 2**53 is odd when its last bit is
    large_odd = b.both(b.both(b.opposite(whole_part), b.abs(y) < 2.0**53), (y.bits() & 1).equals(1))
    odd = b.either(large_odd, b.both(whole_part, b.both(whole, even_half.differs(nearest[0]))))
    size = b.where(usual, size, limit)
    negative = x.bits() < 0
    signed = b.where(b.both(odd, negative), -size, size)
    # of negative numbers only whole powers
    bad = b.both(b.both(x < 0.0, a < INF), b.both(b.opposite(whole), b.abs(y) < INF))
    result = b.where(bad, NAN, signed)
    result = b.where(b.either(b.nan(x), b.nan(y)), x + y, result)
    # 1 ** y and x ** 0
    return b.where(b.either(y.equals(0.0), x.equals(1.0)), 1.0, result)


def cbrt(b: Builder, x: Value) -> Value:
    """Halley's iteration, twice; the second with the error of the cube."""
    a, less = normal(b, b.abs(x))
    e = b.small_whole(a.bits() >> 52) - 1023.0
    third = b.rounded((e - 1.0) * (1.0 / 3.0))
    down = b.value(0, "i") - third[1]
    m = (a.bits() + ((down + down + down) << 52)).number()
    y = b.horner(m, CBRT)
    cube = y * y * y
    y = y * (cube + m * 2.0) / (cube * 2.0 + m)
    square, lost = b.two_product(y, y)
    cube, more = b.two_product(square, y)
    y = y + y * ((m - cube) - b.mad(lost, y, more)) / (cube * 2.0 + m)
    result = (y.bits() + (third[1] << 52)).number() * b.where(less < 0.0, 2.0**-18, 1.0)
    return b.where(b.either(x.equals(0.0), b.opposite(b.abs(x) < INF)), x, b.copysign(result, x))


def hypot(b: Builder, x: Value, y: Value) -> Value:
    a, c = b.abs(x), b.abs(y)
    over = a > c
    u, v = b.where(over, a, c), b.where(over, c, a)
    scale = b.where(u > 2.0**500, 2.0**-600, b.where(u < 2.0**-400, 2.0**600, 1.0))
    back = b.where(u > 2.0**500, 2.0**600, b.where(u < 2.0**-400, 2.0**-600, 1.0))
    u, v = u * scale, v * scale
    (p, e), (q, f) = b.two_product(u, u), b.two_product(v, v)
    s, g = b.fast_two_sum(p, q)
    result = b.sqrt(s + (g + (e + f))) * back
    infinite = b.either(a.equals(INF), c.equals(INF))
    return b.where(infinite, INF, b.where(b.either(b.nan(x), b.nan(y)), x + y, result))


def direction(b: Builder, x: Value, y: Value) -> Value:
    """x / hypot x y; 0 at the origin, and of a corner at infinity what its square says."""
    infinite = b.either(b.abs(x).equals(INF), b.abs(y).equals(INF))
    u = b.where(infinite, b.where(b.abs(x).equals(INF), b.copysign(1.0, x), 0.0), x)
    v = b.where(infinite, b.where(b.abs(y).equals(INF), 1.0, 0.0), y)
    size = b.where(b.abs(u) > b.abs(v), b.abs(u), b.abs(v))
    nothing = size.equals(0.0)
    # No length beyond all numbers, and none among those with few digits.
    near = b.where(size > 2.0**900, 2.0**-120, b.where(size < 2.0**-900, 2.0**120, 1.0))
    u, v, size = u * near, v * near, size * near
    scale = b.where(size > 2.0**400, 2.0**-600, b.where(size < 2.0**-400, 2.0**600, 1.0))
    back = b.where(size > 2.0**400, 2.0**600, b.where(size < 2.0**-400, 2.0**-600, 1.0))
    (p, e), (q, f) = b.two_product(u * scale, u * scale), b.two_product(v * scale, v * scale)
    s, g = b.two_sum(p, q)
    square = b.where(nothing, 1.0, s)
    root = b.sqrt(square)
    c, d = b.two_product(root, root)
    short = ((square - c) - d + (g + (e + f))) / (square * 2.0)  # of the length, to be added to it
    length = root * back
    quotient = u / length
    m, n = b.two_product(quotient, length)
    result = quotient + (((u - m) - n) / length - quotient * short)
    return b.where(b.either(b.nan(x), b.nan(y)), x + y, b.where(nothing, 0.0, b.copysign(result, u)))


def logaddexp(b: Builder, x: Value, y: Value) -> Value:
    """max + log1p (exp (min - max))"""
    over = x > y
    u, v = b.where(over, x, y), b.where(over, y, x)
    apart = b.both(u.differs(v), b.abs(u) < INF)
    d, rest = b.two_sum(b.where(apart, u, 0.0), b.where(apart, -v, 0.0))
    far = d > 746.0
    e, lost = small_exp(b, b.where(far, 746.0, d), b.where(far, 0.0, rest))
    high, low = log_sum(b, 1.0, e, lost)
    tiny = e < 2.0**-54
    s, rest = b.two_sum(u, b.where(tiny, e, high))
    result = b.where(b.abs(u) < INF, s + (rest + b.where(tiny, 0.0, low)), u)
    return b.where(b.either(b.nan(x), b.nan(y)), x + y, result)
