"""The gamma and beta distributions: densities, probabilities, and derivatives of these in the shapes.

Probabilities and their derivatives in the parameters are integrals over a tail of the density, of which no digit
cancels; they are taken by the trapezoidal rule after a doubly exponential substitution (Takahasi & Mori, Double
exponential formulas for numerical integration, 1974), node after node, as many as a lane needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb

from .builder import Builder, Pair, Value
from .exponential import clamped, exp_parts
from .exponential import exp as exponential
from .exponential import expm1 as exponential_less_one
from .gammas import digamma, positive_lgamma
from .logarithm import log, log1p
from .polygammas import BERNOULLI, lbeta, log1p_pair, polygamma, polygamma_rise, stirling
from .power import log_long

INF = float("inf")
NAN = float("nan")
STEP = 0.1
"""Of the trapezoidal rule, about."""
FIRST = -4.0
"""Where it begins."""


def fixed(b: Builder, cond: Value, *args: Value) -> list[Value]:
    """The arguments where they are usual, else 1."""
    return [b.where(cond, x, 1.0) for x in args]


def finite(b: Builder, x: Value) -> Value:
    return b.abs(x) < INF


def exp_of(b: Builder, x: Pair) -> Value:
    """exp of a pair of any size."""
    far = b.opposite(b.abs(x[0]) < 800.0)
    n, p = exp_parts(b, clamped(b, x[0], -800.0, 800.0), b.where(far, 0.0, x[1]))
    return b.where(b.nan(x[0]), x[0], b.scaled(p[0], b.where(n < -2000, -2000, n)))


# ------------------------------------------------------------------ the gamma distribution


def rest_of(b: Builder, d: Pair, a: Value) -> Pair:
    """t - log (1 + t) for t = d / a, and d is a pair of more than -a."""
    high, low = b.call(log1p_rest, *d, a)
    return high, low


def log1p_rest(b: Builder, d: Value, lost: Value, a: Value) -> Pair:
    zero = b.value(0.0)
    t = b.quotient((d, lost), (a, zero))
    near = b.abs(t[0]) < 0.4
    # with s = t / (2 + t): t - 2 atanh s = s t - 2 s**3 (1/3 + s**2 / 5 + ...)
    small = b.where(near, t[0], 0.0)
    low = b.where(near, t[1], 0.0)
    s = b.quotient((small, low), b.two_sum(small, 2.0))
    z = s[0] * s[0]
    series = b.horner(z, [1.0 / (2 * k + 3) for k in range(18)])
    product = b.product((small, low), s)
    cubic = s[0] * z * series * -2.0
    inner = b.fast_two_sum(product[0], product[1] + cubic)
    high, e = b.two_sum(a, d)
    top = b.fast_two_sum(high, e + lost)  # a + d
    top = (b.where(top[0] > 0.0, top[0], 1.0), top[1])
    one, two = log_long(b, top[0]), log_long(b, a)
    high, e = b.two_sum(two[0], -one[0])
    rest = e + (two[1] - one[1] - top[1] / top[0])
    high, e = b.two_sum(t[0], high)
    rest = rest + e + t[1]
    return b.where(near, inner[0], high), b.where(near, inner[1], rest)


def over_gamma(b: Builder, a: Value, x: Value) -> Value:
    """x**a exp (-x) / gamma a, for positive finite numbers."""
    zero = b.value(0.0)
    large = a >= 10.0
    y = b.where(large, a, 10.0)
    rest = rest_of(b, b.two_sum(x, -y), y)
    power = b.product((-y, zero), rest)
    near = b.sqrt(y * 0.15915494309189535) * exp_of(b, (power[0], power[1] - stirling(b, y)))
    small = b.where(large, 1.0, a)
    first = b.product((small, zero), log_long(b, x))
    gamma = b.call(positive_lgamma, small)
    s, e = b.two_sum(first[0], -x)
    t, f = b.two_sum(s, -gamma[0])
    return b.where(large, near, exp_of(b, (t, f + (e + (first[1] - gamma[1])))))


def gamma_density(b: Builder, a: Value, x: Value) -> Value:
    """x**(a - 1) exp (-x) / gamma a"""
    fine = b.both(b.both(a > 0.0, finite(b, a)), b.both(x > 0.0, finite(b, x)))
    p, q = fixed(b, fine, a, x)
    value = over_gamma(b, p, q) / q
    at_zero = b.where(a > 1.0, 0.0, b.where(a.equals(1.0), 1.0, INF))
    other = b.where(x.equals(0.0), at_zero, b.where(x > 0.0, 0.0, NAN))
    return b.where(fine, value, b.where(b.both(a > 0.0, b.opposite(b.nan(x))), other, NAN))


def log_over_digamma(b: Builder, a: Value) -> Value:
    """log a - digamma a"""
    large = b.where(a >= 16.0, a, 16.0)
    inverse = b.value(1.0) / large
    z = inverse * inverse
    series = b.horner(z, [float(c / (2 * k)) for k, c in enumerate(BERNOULLI, 1)])
    small = b.where(a < 16.0, a, 1.0)
    return b.where(a >= 16.0, b.mad(z, series, inverse * 0.5), log(b, small) - b.call(digamma, small)[0])


def bell(b: Builder, order: int, slope: Value, bends: Sequence[Value]) -> Value:
    """The derivative number `order` of a density over the density, from those of its logarithm."""
    found = [b.value(1.0)]
    for k in range(order):
        total = found[k] * slope
        for j in range(1, k + 1):
            total = total + found[k - j] * bends[j - 1] * float(comb(k, j))
        found.append(total)
    return found[order]


def nodes(b: Builder, longest: Value, density: Callable[[Value], Value], scale: Value) -> Value:
    """The integral of a function over s from 0, which has died out `longest` times `scale` from there."""
    end = log(b, b.where(longest > 150.0, b.where(longest < 1e60, longest, 1e60), 150.0))
    count = b.intrinsic("floor", (end - FIRST) * (1.0 / STEP))
    h = (end - FIRST) / (count - 1.0)

    def step(k: Value, total: Value) -> Sequence[Value]:
        u = b.mad(k, h, FIRST)
        away = exponential(b, -u)
        s = scale * exponential(b, u - away)
        s = b.where(s > 1e306, 1e306, s)
        return k + 1.0, total + density(s) * (s * (away + 1.0))

    zero = b.value(0.0)
    return b.loop([zero, zero], lambda k, total: k < count, step)[1] * h


def lower(b: Builder, x: Value, y: Value) -> Value:
    return b.where(x < y, x, y)


def not_below_zero(b: Builder, x: Value) -> Value:
    return b.where(x > 0.0, x, 0.0)


def gamma_probability(b: Builder, shape: Value, given: Value, order: int, upper: bool) -> Value:
    fine = b.both(b.both(shape > 0.0, finite(b, shape)), b.both(given > 0.0, finite(b, given)))
    first, x = fixed(b, fine, shape, given)
    # below a small shape nearly all is at 0: P(a, x) = P(a + 1, x) + x**a exp (-x) / gamma (a + 1)
    small = b.both(first < 0.5, x < first)
    a = b.where(small, first + 1.0, first)
    below = x < a
    root = b.sqrt(x)
    down = b.value(1.0) / (a - x + lower(b, root, x))
    up = x / (not_below_zero(b, x - a) + 1.0 + b.sqrt(a))
    scale = b.where(below, down, up)
    steep = a < 1.0
    bent = b.where(steep, a + 1.0, a)
    start, bends = b.value(0.0), []
    if order:
        near = b.abs(x - bent) < bent * 0.5
        from_mean = b.where(near, log1p(b, b.where(near, x - bent, 0.0) / bent), log(b, x / bent))
        start = from_mean + log_over_digamma(b, bent)
        bends = [-b.call(polygamma, bent, order=k)[0] for k in range(1, order)]

    def density(s: Value) -> Value:
        by_log = b.where(below, -s, log1p(b, b.where(below, 0.0, s / x)))
        by_shift = -a * s - x * exponential_less_one(b, b.where(below, -s, 0.0))
        value = exponential(b, b.where(below, by_shift, b.mad(a - 1.0, by_log, -s)))
        if order:
            slope = start + by_log
            flat = bell(b, order - 1, slope, bends) * float(order) / a
            value = value * (bell(b, order, slope, bends) + b.where(steep, flat, 0.0))
        return value

    integral = nodes(b, b.where(below, 0.0, b.value(50.0) / up), density, scale)
    tail = integral * b.call(over_gamma, a, x)[0] / b.where(below, 1.0, x)
    # x**a exp (-x) / gamma (a + 1) of the given shape
    little = b.where(small, first, 0.25)
    log_x = log(b, x)
    gamma = b.call(positive_lgamma, little + 1.0)
    power = little * log_x - x - (gamma[0] + gamma[1])
    if order:
        more = [-b.call(polygamma, little + 1.0, order=k)[0] for k in range(1, order)]
        rest = exponential(b, power) * bell(b, order, log_x - b.call(digamma, little + 1.0)[0], more)
        value = b.where(below, tail + b.where(small, rest, 0.0), -tail)
        ends = (0.0, 0.0)
    elif upper:
        value = b.where(below, b.where(small, -exponential_less_one(b, power) - tail, b.value(1.0) - tail), tail)
        ends = (1.0, 0.0)
    else:
        value = b.where(below, tail + b.where(small, exponential(b, power), 0.0), b.value(1.0) - tail)
        ends = (0.0, 1.0)
    at_zero = b.both(given.equals(0.0), shape > 0.0)
    beyond = b.both(given > 0.0, b.either(shape.equals(0.0), given.equals(INF)))
    other = b.where(at_zero, ends[0], b.where(beyond, ends[1], NAN))
    wide = b.both(shape.equals(INF), b.both(given >= 0.0, finite(b, given)))
    other = b.where(b.either(b.nan(shape), shape < 0.0), NAN, b.where(wide, ends[0], other))
    both = b.both(shape.equals(INF), given.equals(INF))
    return b.where(fine, value, b.where(both, NAN, other))


def gammainc(b: Builder, a: Value, x: Value) -> Value:
    return gamma_probability(b, a, x, 0, False)


def gammaincc(b: Builder, a: Value, x: Value) -> Value:
    return gamma_probability(b, a, x, 0, True)


def gamma_shape(b: Builder, a: Value, x: Value, order: int) -> Value:
    """The derivative number `order` of `gammainc` in the shape."""
    return gamma_probability(b, a, x, order, False)


def gamma_moved(b: Builder, a: Value, x: Value) -> Value:
    return x


# ------------------------------------------------------------------ the beta distribution


def over_beta(b: Builder, p: Value, q: Value, x: Value, y: Value) -> Value:
    """x**p y**q / beta p q, where x + y is 1, for positive finite numbers."""
    zero = b.value(0.0)
    large = b.both(p >= 10.0, q >= 10.0)
    c, d = b.where(large, p, 10.0), b.where(large, q, 10.0)
    total = c + d
    # how far x is off the mean, times p + q
    left, right = b.two_product(x, total), b.two_product(y, total)
    first = b.two_sum(left[0], -c)
    second = b.two_sum(-right[0], d)
    less = x < y
    off: Pair = (b.where(less, first[0], second[0]),
                 b.where(less, first[1] + left[1], second[1] - right[1]))
    off = b.fast_two_sum(*off)
    one = b.product((-c, zero), rest_of(b, off, c))
    two = b.product((-d, zero), rest_of(b, (-off[0], -off[1]), d))
    s, e = b.two_sum(one[0], two[0])
    bend = stirling(b, c) + stirling(b, d) - stirling(b, total)
    near = b.sqrt(c * d / total * 0.15915494309189535) * exp_of(b, (s, e + (one[1] + two[1] - bend)))
    u, v = b.where(large, 1.0, p), b.where(large, 1.0, q)
    log_y = log1p_pair(b, b.where(x < 0.5, -x, 0.0), b.value(1.0))
    plain = log_long(b, y)
    log_y = (b.where(x < 0.5, log_y[0], plain[0]), b.where(x < 0.5, log_y[1], plain[1]))
    one, two = b.product((u, zero), log_long(b, x)), b.product((v, zero), log_y)
    s, e = b.two_sum(one[0], two[0])
    t, f = b.two_sum(s, -b.call(lbeta, u, v)[0])
    return b.where(large, near, exp_of(b, (t, f + (e + (one[1] + two[1])))))


def inside(b: Builder, p: Value, q: Value, x: Value) -> Value:
    shapes = b.both(b.both(p > 0.0, finite(b, p)), b.both(q > 0.0, finite(b, q)))
    return b.both(shapes, b.both(x > 0.0, x < 1.0))


def beta_density(b: Builder, p: Value, q: Value, x: Value) -> Value:
    """x**(p - 1) (1 - x)**(q - 1) / beta p q"""
    fine = inside(b, p, q, x)
    x = b.where(fine, x, 0.5)
    y = b.value(1.0) - x
    return b.where(fine, b.call(over_beta, *fixed(b, fine, p, q), x, y)[0] / (x * y), NAN)


def density_slope(b: Builder, first: int, second: int, bends: Callable[[int, int], Value]) -> Value:
    """The derivative of a density in two parameters, over the density, from those of its logarithm."""
    if first + second == 0:
        return b.value(1.0)
    if first == 0:
        return density_slope(b, second, 0, lambda i, j: bends(j, i))
    total = b.value(0.0)
    for i in range(first):
        for j in range(second + 1):
            ways = float(comb(first - 1, i) * comb(second, j))
            total = total + density_slope(b, first - 1 - i, second - j, bends) * bends(i + 1, j) * ways
    return total


def beta_probability(b: Builder, p: Value, q: Value, given: Value, first: int, second: int) -> Value:
    """The integral over the tail without the mean, with x exp (-s) or (1 - x) exp (-s) for the variable."""
    fine = inside(b, p, q, given)
    shapes = b.both(p > 0.0, q > 0.0)
    p, q = fixed(b, fine, p, q)
    x = b.where(fine, given, 0.5)
    y = b.value(1.0) - x
    swap = x * q > p * y
    order = first + second
    c, d = b.where(swap, q, p), b.where(swap, p, q)
    u, v = b.where(swap, y, x), b.where(swap, x, y)
    bend = b.sqrt(not_below_zero(b, d - 1.0) * u) / v
    scale = b.value(1.0) / (not_below_zero(b, c - (d - 1.0) * u / v) + lower(b, bend, c))
    odds = u / v
    constants: dict[tuple[int, int], Value] = {}
    for i, j in wanted(first, second):
        if i and j:
            constants[i, j] = b.call(polygamma, p + q, order=i + j - 1)[0]
        else:
            of, other = (p, q) if i else (q, p)
            rise = b.call(polygamma_rise, of, other, order=i + j - 1)[0]
            constants[i, j] = rise + log(b, x if i else y) if i + j == 1 else rise

    def density(s: Value) -> Value:
        rest = log1p(b, -odds * exponential_less_one(b, -s))
        value = exponential(b, b.mad(-c, s, (d - 1.0) * rest))
        if order:
            def bends(i: int, j: int) -> Value:
                known = constants[i, j]
                if i + j > 1:
                    return known
                return known + (b.where(swap, rest, -s) if i else b.where(swap, -s, rest))

            value = value * density_slope(b, first, second, bends)
        return value

    (over,) = b.call(over_beta, p, q, x, y)
    tail = nodes(b, b.value(50.0) / (c * scale), density, scale) * over / v
    value = b.where(swap, -tail if order else b.value(1.0) - tail, tail)
    ends = b.where(b.both(given.equals(0.0), shapes), 0.0,
                   b.where(b.both(given.equals(1.0), shapes), float(not order), NAN))
    return b.where(fine, value, ends)


def wanted(first: int, second: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(first + 1) for j in range(second + 1) if i + j]


def betainc(b: Builder, p: Value, q: Value, x: Value) -> Value:
    return beta_probability(b, p, q, x, 0, 0)


def beta_shape(b: Builder, p: Value, q: Value, x: Value, first: int, second: int) -> Value:
    """The derivative of `betainc`, so many times in each of the shapes."""
    return beta_probability(b, p, q, x, first, second)
