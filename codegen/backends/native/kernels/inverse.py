"""asin, acos, atan, atan2.

An angle's tangent is brought below tan (pi / 8) by turning through pi/4, and by exchanging the sides; all turns are
made on sums of two numbers, so that the result is rounded once.
"""

from __future__ import annotations

from .builder import Builder, Pair, Value
from .coefficients import ASIN, ATAN, PI_2_PAIR, PI_4_PAIR, PI_PAIR

INF = float("inf")
NAN = float("nan")


def angle(b: Builder, v: Value, u: Value) -> Pair:
    """atan (v / u) for 0 <= v <= u, u from 2**-900 to 2**1000."""
    middle = v > u * 0.4142135623730951
    zero = b.value(0.0)
    n, d = b.two_sum(v, b.where(middle, -u, zero)), b.two_sum(u, b.where(middle, v, zero))
    q, low = b.quotient(n, d)
    low = b.where(b.abs(q) < 2.0**-900, 0.0, low)  # a remainder below the normal numbers means nothing
    z = q * q
    high, e = b.fast_two_sum(b.where(middle, PI_4_PAIR[0], zero), q)
    return high, e + (b.where(middle, PI_4_PAIR[1], zero) + b.mad(q * z, b.poly(z, ATAN), low))


def placed(b: Builder, a: Pair, high: Value, low: Value, minus: Value) -> Value:
    """An angle added to a multiple of pi/2, or taken from it."""
    flip = (b.where(minus, -0.0, 0.0)).bits()
    x, y = (a[0].bits() ^ flip).number(), (a[1].bits() ^ flip).number()
    s, e = b.two_sum(high, x)
    return s + (e + (low + y))


def atan(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    over = a > 1.0
    v, u = b.where(over, 1.0, a), b.where(over, a, 1.0)
    infinite = a > 2.0**60
    found = angle(b, b.where(infinite, 0.0, v), b.where(infinite, 1.0, u))
    zero = b.value(0.0)
    result = placed(b, found, b.where(over, PI_2_PAIR[0], zero), b.where(over, PI_2_PAIR[1], zero), over)
    return b.where(b.either(a < 2.0**-28, b.nan(x)), x, b.copysign(result, x))


def atan2(b: Builder, y: Value, x: Value) -> Value:
    a, c = b.abs(y), b.abs(x)
    over = a > c
    v, u = b.where(over, c, a), b.where(over, a, c)
    infinite = u.equals(INF)
    v = b.where(infinite, b.where(v.equals(INF), 1.0, 0.0), v)
    u = b.where(infinite, 1.0, u)
    nothing = u.equals(0.0)
    scale = b.where(u > 2.0**300, 2.0**-100, 2.0**500)
    high, low = angle(b, v * scale, b.where(nothing, 1.0, u * scale))
    left = x.bits() < 0
    zero = b.value(0.0)
    high0 = b.where(over, PI_2_PAIR[0], b.where(left, PI_PAIR[0], zero))
    low0 = b.where(over, PI_2_PAIR[1], b.where(left, PI_PAIR[1], zero))
    minus = b.opposite(b.op(f"xor {b.type('m')} {over.text}, {left.text}", "m"))
    result = placed(b, (high, low), high0, low0, b.opposite(minus))
    return b.where(b.either(b.nan(x), b.nan(y)), x + y, b.copysign(b.abs(result), y))


def half_angle(b: Builder, a: Value) -> tuple[Value, Value, Pair]:
    """Whether |x| is above 1/2; z; t and what is added to it, for asin t with t = |x|, or sqrt ((1 - |x|) / 2)."""
    big = a > 0.5
    z = b.where(big, (b.value(1.0) - a) * 0.5, a * a)
    root = b.sqrt(z)
    again = b.where(z.equals(0.0), 0.0, b.remainder(z, root, root) * 0.5 / root)
    t = b.where(big, root, a)
    return big, z, (t, b.mad(t * z, b.poly(z, ASIN), b.where(big, again, 0.0)))


def asin(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    big, _, (t, rest) = half_angle(b, a)
    high, e = b.fast_two_sum(PI_2_PAIR[0], t * -2.0)
    turned = high + (e + (b.value(PI_2_PAIR[1]) - rest * 2.0))
    result = b.copysign(b.where(big, turned, t + rest), x)
    return b.where(a < 2.0**-28, x, result)


def acos(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    big, _, (t, rest) = half_angle(b, a)
    negative = x < 0.0
    sign = b.where(b.both(negative, b.opposite(big)), -1.0, 1.0)
    t, rest = t * sign, rest * sign
    factor = b.where(big, 2.0, 1.0)
    high0 = b.where(big, PI_PAIR[0], PI_2_PAIR[0])
    low0 = b.where(big, PI_PAIR[1], PI_2_PAIR[1])
    high, e = b.fast_two_sum(high0, -(t * factor))
    turned = high + (e + (low0 - rest * factor))
    return b.where(b.both(big, x > 0.0), (t + rest) * 2.0, turned)
