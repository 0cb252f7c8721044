"""lgamma and digamma.

From 8 on Stirling's series; below, the argument is moved by whole steps to where one polynomial times the distance
from a root gives the function (1.5 to 2.5 for lgamma, 1 to 2 for digamma), and the steps are one logarithm or one
quotient. Of negative numbers by reflection, as the interpreter.
"""

from __future__ import annotations

from .builder import Builder, Pair, Value
from .coefficients import (
    DIGAMMA,
    DIGAMMA_FAR,
    DIGAMMA_ROOT,
    HALF_LOG_TWO_PI,
    LGAMMA,
    LGAMMA_FAR,
    LOG_PI,
    PI_PAIR,
)
from .logarithm import log_quotient, normal, split
from .trigonometric import cosine, sine, total, turned

INF = float("inf")
NAN = float("nan")


def log_of(b: Builder, x: Value) -> Pair:
    """log x as a pair, for positive x."""
    y, less = normal(b, x)
    k, _, m = split(b, y)
    return log_quotient(b, (m - 1.0, b.value(0.0)), b.two_sum(m, 1.0), k + less)


def sum_of(pair: Pair) -> Value:
    return pair[0] + pair[1]


def turn(b: Builder, x: Value) -> Pair:
    """sin (pi x), cos (pi x), for |x| below 2**50."""
    half, k = b.rounded(x * 2.0)
    r = x - half * 0.5
    high, left = b.two_product(r, PI_PAIR[0])
    angle = b.fast_two_sum(high, b.mad(r, PI_PAIR[1], left))
    square = angle[0] * angle[0]
    sin, cos = total(sine(b, angle, square)), total(cosine(b, angle, square))
    return turned(b, k, sin, cos)


def lgamma(b: Builder, x: Value) -> Value:
    """log |gamma x|, of negative numbers log (pi / |x sin (pi x)|) - lgamma |x|."""
    a = b.abs(x)
    a = b.where(b.both(a > 0.0, a < INF), a, 1.0)
    large = a >= 8.0
    y, p = b.where(large, 2.0, a), b.value(1.0)
    for _ in range(6):
        more = y >= 2.5
        p = b.where(more, p * (y - 1.0), p)
        y = b.where(more, y - 1.0, y)
    low, tiny = y < 1.5, y < 0.5
    d = b.where(tiny, y, b.where(low, y - 1.0, y - 2.0))
    center, lost = b.two_product(d, b.poly(d, LGAMMA))
    # what is taken the logarithm of: the steps up or down
    above, rest = b.two_sum(y, 1.0)
    product, error = b.two_product(y, above)
    steps = b.where(large, a, b.where(tiny, product, b.where(low, y, p)))
    high, small = log_of(b, steps)
    correction = b.where(tiny, (error + y * rest) / b.where(tiny, product, 1.0), 0.0)
    sign = b.where(low, -1.0, 1.0)
    s, e = b.two_sum(center, high * sign)
    near = s + (e + (lost + (small + correction) * sign))
    # Stirling's series
    big = b.where(a > 2.0**900, 8.0, a)
    (ph, pl) = b.product((big - 0.5, b.value(0.0)), (high, small))
    s, e = b.two_sum(ph, -big)
    inverse = b.value(1.0) / big
    series = inverse * b.poly(inverse * inverse, LGAMMA_FAR)
    s, more_e = b.two_sum(s, HALF_LOG_TWO_PI)
    far = b.where(a > 2.0**900, a * (high - 1.0), s + (more_e + (e + (pl + series))))
    result = b.where(large, far, near)
    sin, _ = turn(b, b.where(a < 2.0**50, a, 0.0))
    across = b.abs(sin) * a
    reflected = b.value(LOG_PI) - sum_of(log_of(b, b.where(across > 0.0, across, 1.0))) - result
    result = b.where(x < 0.0, b.where(across > 0.0, reflected, INF), result)
    return b.where(b.either(x.equals(0.0), b.abs(x).equals(INF)), INF, b.where(b.nan(x), x, result))


def digamma(b: Builder, x: Value) -> Value:
    negative = x < 0.0
    a = b.where(negative, b.value(1.0) - x, b.where(x > 0.0, x, 1.0))
    large = a >= 8.0
    y = b.where(large, 1.5, a)
    # n / d is the sum of 1 / (y - 1), 1 / (y - 2) …
    n, d = b.value(0.0), b.value(1.0)
    for _ in range(6):
        more = y >= 2.0
        below = y - 1.0
        n, d = b.where(more, b.mad(n, below, d), n), b.where(more, d * below, d)
        y = b.where(more, below, y)
    low = y < 1.0
    n, d = b.where(low, -1.0, n), b.where(low, y, d)
    up = b.where(low, y + 1.0, y)
    apart = b.where(low, (y - (DIGAMMA_ROOT[0] - 1.0)) - DIGAMMA_ROOT[1], (y - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1])
    zero = b.value(0.0)
    q, rest = b.quotient((n, zero), (d, zero))
    s, e = b.two_sum(q, apart * b.poly(up - 1.5, DIGAMMA))
    near = s + (e + b.where(b.abs(q) < INF, rest, 0.0))
    far = b.where(large, a, 8.0)
    inverse = b.value(1.0) / far
    high, small = log_of(b, far)
    s, e = b.fast_two_sum(high, inverse * -0.5)
    z = inverse * inverse
    result = b.where(large, s + (e + (small - z * b.poly(z, DIGAMMA_FAR))), near)
    result = b.where(x > 2.0**1000, high, result)
    # reflection: less pi / tan (pi x)
    inside = b.both(negative, x > -(2.0**50))
    t = b.where(inside, x, -0.25)
    sin, cos = turn(b, t)
    cotangent = cos / sin
    pole = b.either(x.equals(0.0), b.both(negative, sin.equals(0.0)))
    reflected = result - cotangent * PI_PAIR[0]
    result = b.where(negative, b.where(b.either(pole, b.opposite(inside)), NAN, reflected), result)
    result = b.where(b.abs(x) < 2.0**-60, b.value(-1.0) / x, result)
    result = b.where(x.equals(0.0), NAN, result)
    return b.where(b.either(b.nan(x), x.equals(INF)), x, result)
