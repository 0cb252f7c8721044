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
    GAMMA,
    HALF_LOG_TWO_PI_PAIR,
    LGAMMA,
    LGAMMA_FAR,
    LGAMMA_REST,
    LOG_PI_PAIR,
    PI_PAIR,
)
from .exponential import exp_parts
from .logarithm import log_quotient, normal, split
from .power import log_long
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
    k, sin, cos = quarter(b, x)
    return turned(b, k, total(sin), total(cos))


def quarter(b: Builder, x: Value) -> tuple[Value, Pair, Pair]:
    """Quarters of a turn in pi x, and sine and cosine of what is beside them as pairs."""
    half, k = b.rounded(x * 2.0)
    r = x - half * 0.5
    high, left = b.two_product(r, PI_PAIR[0])
    angle = b.fast_two_sum(high, b.mad(r, PI_PAIR[1], left))
    square = angle[0] * angle[0]
    return k, b.fast_two_sum(*sine(b, angle, square)), b.fast_two_sum(*cosine(b, angle, square))


def within_a_turn(b: Builder, x: Value) -> Value:
    """x less an even number, from -1 to 1."""
    return b.where(x.equals(0.0), x, x - b.intrinsic("rint", x * 0.5) * 2.0)


def sinpi(b: Builder, x: Value) -> Value:
    return turn(b, within_a_turn(b, x))[0]


def cospi(b: Builder, x: Value) -> Value:
    return turn(b, within_a_turn(b, x))[1] + 0.0


def tanpi(b: Builder, x: Value) -> Value:
    """sinpi x / cospi x"""
    k, sin, cos = quarter(b, within_a_turn(b, x))
    odd = (k & 1).equals(1)
    q, rest = b.quotient((b.where(odd, -cos[0], sin[0]), b.where(odd, -cos[1], sin[1])),
                         (b.where(odd, sin[0], cos[0]), b.where(odd, sin[1], cos[1])))
    result = b.where(b.abs(q) < INF, q + rest, q)
    # at halves the sign is that of the sine
    pole = b.both(odd, sin[0].equals(0.0))
    return b.where(pole, b.copysign(INF, turn(b, within_a_turn(b, x))[0]), result)


def steps_down(b: Builder, y: Value) -> tuple[Value, Pair]:
    """A number below 2.5 that is whole steps below y, which is below 8, and the product of the numbers on the way."""
    p, lost = b.value(1.0), b.value(0.0)
    for _ in range(6):
        more = y >= 2.5
        step = y - 1.0
        high, low = b.two_product(p, step)
        p, lost = b.where(more, high, p), b.where(more, b.mad(lost, step, low), lost)
        y = b.where(more, step, y)
    return y, (p, lost)


def positive_lgamma(b: Builder, a: Value) -> Pair:
    """log gamma a as a pair, for positive finite a up to 2**900."""
    large = a >= 8.0
    y, (p, lost_p) = steps_down(b, b.where(large, 2.0, a))
    low, tiny = y < 1.5, y < 0.5
    d = b.where(tiny, y, b.where(low, y - 1.0, y - 2.0))
    inner = b.fast_two_sum(LGAMMA[0], d * b.poly(d, LGAMMA[1:]))
    center, lost = b.product((d, b.value(0.0)), (inner[0], inner[1] + LGAMMA_REST))
    # what is taken the logarithm of: the steps up or down
    above, rest = b.two_sum(y, 1.0)
    product, error = b.two_product(y, above)
    steps = b.where(large, a, b.where(tiny, product, b.where(low, y, p)))
    high, small = log_of(b, steps)
    by = b.where(tiny, error + y * rest, b.where(b.either(low, large), 0.0, lost_p))
    correction = by / b.where(b.abs(steps) > 0.0, steps, 1.0)
    sign = b.where(low, -1.0, 1.0)
    s, e = b.two_sum(center, high * sign)
    near = b.fast_two_sum(s, e + (lost + (small + correction) * sign))
    # Stirling's series
    big = b.where(large, a, 8.0)
    ph, pl = b.product((big - 0.5, b.value(0.0)), (high, small))
    s, e = b.two_sum(ph, -big)
    inverse = b.value(1.0) / big
    series = inverse * b.poly(inverse * inverse, LGAMMA_FAR)
    s, more_e = b.two_sum(s, HALF_LOG_TWO_PI_PAIR[0])
    far = b.fast_two_sum(s, more_e + (e + (pl + (series + HALF_LOG_TWO_PI_PAIR[1]))))
    return b.where(large, far[0], near[0]), b.where(large, far[1], near[1])


def lgamma(b: Builder, x: Value) -> Value:
    """log |gamma x|, of negative numbers log (pi / |x sin (pi x)|) - lgamma |x|."""
    a = b.abs(x)
    a = b.where(b.both(a > 0.0, a < INF), a, 1.0)
    huge = a > 2.0**900
    high, low = positive_lgamma(b, b.where(huge, 8.0, a))
    result = b.where(huge, a * (log_of(b, a)[0] - 1.0), high + low)
    sin, _ = turn(b, b.where(a < 2.0**50, a, 0.0))
    across, rest = b.two_product(b.abs(sin), a)
    fine = across > 0.0
    first, second = log_of(b, b.where(fine, across, 1.0))
    s, e = b.two_sum(b.value(LOG_PI_PAIR[0]), -first)
    t, f = b.two_sum(s, -high)
    reflected = t + (f + (e + (b.value(LOG_PI_PAIR[1]) - second - low - rest / b.where(fine, across, 1.0))))
    result = b.where(x < 0.0, b.where(fine, reflected, INF), result)
    return b.where(b.either(x.equals(0.0), b.abs(x).equals(INF)), INF, b.where(b.nan(x), x, result))


def gamma_parts(b: Builder, a: Value) -> tuple[Value, Pair]:
    """n and p with gamma a = 2**n p, for a from 2**-1000 to 200."""
    large = a >= 8.0
    y, (p, lost) = steps_down(b, b.where(large, 2.0, a))
    low, tiny = y < 1.5, y < 0.5
    d = b.where(tiny, y, b.where(low, y - 1.0, y - 2.0))
    inner = b.fast_two_sum(1.0, d * b.poly(d, GAMMA[1:]))
    center: Pair = (inner[0], inner[1] + (GAMMA[0] - 1.0))
    up = b.product(center, (p, lost))
    above, rest = b.two_sum(y, 1.0)
    below, error = b.two_product(y, above)
    down = b.quotient(center, (b.where(tiny, below, y), b.where(tiny, error + y * rest, 0.0)))
    near: Pair = (b.where(low, down[0], up[0]), b.where(low, down[1], up[1]))
    # exp of Stirling's series
    big = b.where(large, a, 8.0)
    ph, pl = b.product((big - 0.5, b.value(0.0)), log_long(b, big))
    s, e = b.two_sum(ph, -big)
    inverse = b.value(1.0) / big
    series = inverse * b.poly(inverse * inverse, LGAMMA_FAR)
    s, more_e = b.two_sum(s, HALF_LOG_TWO_PI_PAIR[0])
    n, far = exp_parts(b, s, more_e + (e + (pl + (series + HALF_LOG_TWO_PI_PAIR[1]))))
    return b.where(large, n, 0), (b.where(large, far[0], near[0]), b.where(large, far[1], near[1]))


def gamma(b: Builder, x: Value) -> Value:
    """Of negative numbers pi / (- x sin (pi x) gamma (-x))."""
    a = b.abs(x)
    inside = b.both(a > 2.0**-1000, a < 200.0)
    n, (high, low) = gamma_parts(b, b.where(inside, a, 1.0))
    f = b.where(inside, x, 0.5)
    k, sin, cos = quarter(b, f)
    odd = (k & 1).equals(1)
    first, second = b.where(odd, cos[0], sin[0]), b.where(odd, cos[1], sin[1])
    flip = (k & 2).equals(2)
    below = b.product(b.product((b.where(flip, -first, first), b.where(flip, -second, second)), (-f, b.value(0.0))),
                      (high, low))
    q, rest = b.quotient((b.value(PI_PAIR[0]), b.value(PI_PAIR[1])), below)
    negative = x < 0.0
    size = b.where(negative, q + rest, high + low)
    result = b.scaled(size, b.where(negative, b.value(0, "i") - n, n))
    result = b.where(a > 2.0**-1000, b.where(x > 171.7, INF, b.where(x < -190.0, 0.0, result)), b.value(1.0) / x)
    whole = b.intrinsic("rint", x).equals(x)
    result = b.where(b.both(negative, b.both(whole, x > -INF)), NAN, result)
    return b.where(b.nan(x), x, b.where(x.equals(INF), INF, b.where(x.equals(-INF), NAN, result)))


def digamma(b: Builder, x: Value) -> Value:
    negative = x < 0.0
    a = b.where(negative, b.value(1.0) - x, b.where(x > 0.0, x, 1.0))
    large = a >= 8.0
    y = b.where(large, 1.5, a)
    # n / d is the sum of 1 / (y - 1), 1 / (y - 2) …
    zero = b.value(0.0)
    n, rest_n, d, rest_d = zero, zero, b.value(1.0), zero
    for _ in range(6):
        more = y >= 2.0
        below = y - 1.0
        high, lost = b.two_product(n, below)
        top, e = b.two_sum(high, d)
        n, rest_n = b.where(more, top, n), b.where(more, b.mad(rest_n, below, lost) + (e + rest_d), rest_n)
        high, lost = b.two_product(d, below)
        d, rest_d = b.where(more, high, d), b.where(more, b.mad(rest_d, below, lost), rest_d)
        y = b.where(more, below, y)
    low = y < 1.0
    n, d = b.where(low, -1.0, n), b.where(low, y, d)
    up = b.where(low, y + 1.0, y)
    apart = b.where(low, (y - (DIGAMMA_ROOT[0] - 1.0)) - DIGAMMA_ROOT[1], (y - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1])
    q, rest = b.quotient((n, b.where(low, 0.0, rest_n)), (d, b.where(low, 0.0, rest_d)))
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
