"""The normal distribution's logarithm and quantiles, with their slopes, and the inverse of erf.

The tail is exp (-x**2 / 2) times a smooth function (see error.py), which what follows is made of. A quantile of the
tail is a polynomial in the root of the logarithm, good to 29 bits, and one step of Newton's iteration on that
logarithm.
"""

from __future__ import annotations

from .builder import Builder, Pair, Value
from .coefficients import (
    ERF_INVERSE,
    MILLS_EXCESS,
    OVER_ROOT_PI_PAIR,
    OVER_ROOT_TWO_PI_PAIR,
    QUANTILE,
    ROOT_HALF_PAIR,
    ROOT_PI_OVER_TWO_PAIR,
    ROOT_TWO_OVER_PI_PAIR,
    ROOT_TWO_PAIR,
    ROOT_TWO_PI_PAIR,
)
from .error import without_exponential
from .exponential import exp_parts
from .logarithm import constant, log_sum
from .power import log_long

INF = float("inf")
NAN = float("nan")
FAR = 1e60
"""From here on x and the inverse of Mills' ratio at -x are the same."""


def sum_of(pair: Pair) -> Value:
    return pair[0] + pair[1]


def pair(b: Builder, x: Value) -> Pair:
    return x, b.value(0.0)


def scaled_erfc(b: Builder, u: Pair) -> Pair:
    """exp (u**2) erfc u, for u >= 0; the second part of u is at most a rounding of the first."""
    a = u[0]
    far = a > 27.0
    near = without_exponential(b, b.where(far, 1.0, a))
    size = b.where(far, a, 27.0)
    q, rest = b.quotient(constant(b, OVER_ROOT_PI_PAIR), pair(b, size))
    z = b.value(1.0) / (size * size)
    series = z * b.horner(z, (-0.5, 0.75, -1.875, 6.5625, -29.53125, 162.421875, -1055.7421875))
    away = b.fast_two_sum(q, b.mad(q, series, rest))
    high, low = b.where(far, away[0], near[0]), b.where(far, away[1], near[1])
    slope = b.where(far, -high / a, b.mad(a * 2.0, high, -1.1283791670955126))
    return high, low + u[1] * slope


def root_half(b: Builder, x: Value) -> Pair:
    """x / sqrt 2"""
    return b.product(pair(b, x), constant(b, ROOT_HALF_PAIR))


def log_tail(b: Builder, y: Value, tail: Pair) -> Pair:
    """The logarithm of the probability below -y for y >= 0, of which `tail` is the smooth part."""
    high, low = log_long(b, tail[0] * 0.5)
    square, rest = b.two_product(y, y)
    s, e = b.two_sum(square * -0.5, high)
    return s, e + (low + (tail[1] / tail[0] - rest * 0.5))


def clipped(b: Builder, x: Value) -> Value:
    """|x|, or 1 where that is beyond all."""
    a = b.abs(x)
    return b.where(a < FAR, a, 1.0)


def log_ndtr(b: Builder, x: Value) -> Value:
    a = clipped(b, x)
    u = root_half(b, a)
    tail = scaled_erfc(b, u)
    left = sum_of(log_tail(b, a, tail))
    # of positive numbers log (1 - the probability above)
    n, p = exp_parts(b, *half_square(b, b.where(a < 40.0, a, 40.0)))
    q = b.product(p, (tail[0] * 0.5, tail[1] * 0.5))
    above, lost = b.scaled(q[0], n), b.scaled(q[1], b.where(n < -900, -900, n))
    tiny = above < 2.0**-55
    right = b.where(tiny, -above, sum_of(log_sum(b, 1.0, b.where(tiny, 0.0, -above), -lost)))
    result = b.where(x < 0.0, left, right)
    size = b.abs(x)
    return b.where(size < FAR, result, b.where(x > 0.0, 0.0, size * size * -0.5))


def half_square(b: Builder, x: Value) -> Pair:
    """- x**2 / 2"""
    high, low = b.two_product(x, x)
    return high * -0.5, low * -0.5


def mills(b: Builder, x: Value) -> Pair:
    """The density over the probability below x, for |x| up to `FAR`."""
    a = b.abs(x)
    tail = scaled_erfc(b, root_half(b, a))
    negative = x < 0.0
    n, p = exp_parts(b, *half_square(b, b.where(negative, 0.0, b.where(a < 40.0, a, 40.0))))
    q = b.product(p, (tail[0] * 0.5, tail[1] * 0.5))
    above, lost = b.scaled(q[0], n), b.scaled(q[1], b.where(n < -900, -900, n))
    s, e = b.fast_two_sum(1.0, -above)
    top = b.product(p, constant(b, OVER_ROOT_TWO_PI_PAIR))
    first, second = constant(b, ROOT_TWO_OVER_PI_PAIR)
    high, low = b.quotient((b.where(negative, first, top[0]), b.where(negative, second, top[1])),
                           (b.where(negative, tail[0], s), b.where(negative, tail[1], e - lost)))
    n = b.where(n < -900, -900, n)
    deep = b.where(a > 35.0, b.where(negative, 1.0, 0.0), 1.0)
    return b.where(deep > 0.0, b.scaled(high, n), 0.0), b.where(deep > 0.0, b.scaled(low, n), 0.0)


def inverse_mills(b: Builder, x: Value) -> Value:
    near = sum_of(mills(b, b.where(b.abs(x) < FAR, x, 1.0)))
    # where the density is no normal number
    deep = b.both(x > 35.0, x < 40.0)
    n, p = exp_parts(b, *half_square(b, b.where(deep, x, 35.0)))
    near = b.where(deep, b.scaled(sum_of(b.product(p, constant(b, OVER_ROOT_TWO_PI_PAIR))), n), near)
    near = b.where(x >= 40.0, 0.0, near)
    return b.where(b.nan(x), x, b.where(x < -FAR, -x, near))


def mills_excess(b: Builder, x: Value) -> Value:
    """x + inverse_mills x"""
    a = clipped(b, x)
    high, low = mills(b, b.where(b.abs(x) < 2.0, x, 2.0))
    s, e = b.two_sum(b.where(x > -0.5, x, 0.0), b.where(x < 2.0, high, 0.0))
    near = s + (e + b.where(x < 2.0, low, 0.0))
    middle = b.where(a > 40.0, 1.0, a)
    inner = b.poly((middle - 3.0) / (middle + 3.0), MILLS_EXCESS) / (middle + 1.0)
    size = b.where(a > 40.0, a, 40.0)
    inverse = b.value(1.0) / size
    z = inverse * inverse
    far = b.mad(inverse * z, b.horner(z, (-2.0, 10.0, -74.0, 706.0, -8162.0, 110410.0, -1708394.0)), inverse)
    result = b.where(x > -0.5, near, b.where(a > 40.0, far, inner))
    result = b.where(x >= 2.0, x + inverse_mills(b, x), result)
    return b.where(b.nan(x), x, b.where(x < -FAR, b.value(-1.0) / x, result))


def center(b: Builder, r: Value) -> Pair:
    """The inverse of erf, for |r| <= 1/2."""
    z = r * r
    first = constant(b, ROOT_PI_OVER_TWO_PAIR)
    inner = b.fast_two_sum(first[0], b.poly(z, ERF_INVERSE))
    return b.product(pair(b, r), (inner[0], inner[1] + first[1]))


def above(b: Builder, q: Value) -> tuple[Pair, Value]:
    """y with probability q above it, for q from 0 below 1/2 but not near it; and the inverse of Mills' ratio at -y."""
    fine = b.both(q > 0.0, q < 0.4)
    high, low = log_long(b, b.where(fine, q, 0.25))
    r = b.sqrt(high * -2.0)
    t = (r - 8.0) / (r + 8.0)
    y = r * b.poly(t, QUANTILE)
    tail = scaled_erfc(b, root_half(b, y))
    slope = b.value(ROOT_TWO_OVER_PI_PAIR[0]) / tail[0]
    logarithm = log_tail(b, y, tail)
    s, e = b.two_sum(logarithm[0], -high)
    return b.fast_two_sum(y, (s + (e + (logarithm[1] - low))) / slope), slope


def ndtri(b: Builder, p: Value) -> Value:
    inner = b.abs(p - 0.5) <= 0.25
    middle = sum_of(b.product(center(b, b.where(inner, (p - 0.5) * 2.0, 0.0)), constant(b, ROOT_TWO_PAIR)))
    q = b.where(p < 0.5, p, b.value(1.0) - p)
    y = sum_of(above(b, q)[0])
    y = b.where(q > 0.0, y, b.where(q.equals(0.0), INF, NAN))
    return b.where(inner, middle, b.where(p < 0.5, -y, y))


def erfinv(b: Builder, x: Value) -> Value:
    a = b.abs(x)
    inner = a <= 0.5
    middle = sum_of(center(b, b.where(inner, x, 0.0)))
    q = (b.value(1.0) - a) * 0.5
    y, _ = above(b, q)
    far = sum_of(b.product(y, constant(b, ROOT_HALF_PAIR)))
    far = b.where(q > 0.0, far, b.where(q.equals(0.0), INF, NAN))
    return b.where(x.equals(0.0), x, b.where(inner, middle, b.copysign(far, x)))


def over_density(b: Builder, inner: Value, r: Value, q: Value, factor: tuple[float, ...]) -> Value:
    """`factor` over sqrt (2 pi) times the normal density where the probability above is q, or, `inner`, where erf is r.
    """
    y = center(b, b.where(inner, r, 0.0))
    n, p = exp_parts(b, *b.product(y, y))
    middle = b.scaled(sum_of(b.product(p, constant(b, factor))), n)
    tail = scaled_erfc(b, root_half(b, above(b, q)[0][0]))
    slope = b.quotient(constant(b, ROOT_TWO_OVER_PI_PAIR), tail)
    usual = b.both(q > 2.0**-1000, q <= 0.5)
    size = b.product(pair(b, b.where(usual, q, 0.25)), slope)
    scale = b.product(constant(b, factor), constant(b, OVER_ROOT_TWO_PI_PAIR))
    far = sum_of(b.quotient(scale, size))
    far = b.where(usual, far, b.where(q.equals(0.0), INF, b.where(q > 0.0, scale[0] / q / slope[0], NAN)))
    return b.where(inner, middle, far)


def ndtri_slope(b: Builder, p: Value) -> Value:
    """1 over the normal density at ndtri p"""
    q = b.where(p < 0.5, p, b.value(1.0) - p)
    return over_density(b, b.abs(p - 0.5) <= 0.25, (p - 0.5) * 2.0, q, ROOT_TWO_PI_PAIR)


def erfinv_slope(b: Builder, x: Value) -> Value:
    """sqrt pi / 2 exp (erfinv x)**2"""
    a = b.abs(x)
    return over_density(b, a <= 0.5, x, (b.value(1.0) - a) * 0.5, ROOT_PI_OVER_TWO_PAIR)
