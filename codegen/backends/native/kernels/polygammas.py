"""Derivatives of digamma, what they rise by, and the logarithm of the beta function.

Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 6.4.11 (asymptotic series), 6.4.6 (recurrence), 6.4.7
(reflection). lbeta after Didonato & Morris, Algorithm 708 (1992): Stirling's formulas of large numbers cancel on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb, factorial, pi

from .builder import Builder, Pair, Value
from .coefficients import HALF_LOG_TWO_PI_PAIR, LGAMMA_FAR
from .gammas import digamma, log_of, positive_lgamma, turn
from .logarithm import log_sum

INF = float("inf")
NAN = float("nan")
TERMS = 10


def bernoulli(count: int) -> list[Fraction]:
    """B_2, B_4, … so many."""
    found = [Fraction(1)]
    for n in range(1, 2 * count + 1):
        found.append(-sum((comb(n + 1, k) * found[k] for k in range(n)), Fraction(0)) / (n + 1))
    return found[2::2]


BERNOULLI = bernoulli(TERMS)


def power(b: Builder, x: Pair, n: int) -> Pair:
    total = x
    for _ in range(n - 1):
        total = b.product(total, x)
    return total


def tail_series(order: int) -> tuple[float, list[float]]:
    """Of order 1 and more, over y**-order: the first term, and the coefficients of y**-2, y**-4 …"""
    return float(factorial(order - 1)), [
        float(c * Fraction(factorial(2 * k + order - 1), factorial(2 * k))) for k, c in enumerate(BERNOULLI, 1)]


def positive(b: Builder, order: int, x: Value) -> Value:
    """The size of derivative number `order` of digamma, which is at least 1, for x > 0."""
    count = float(factorial(order))
    border = float(16 + order)

    def step(y: Value, s: Value, e: Value) -> Sequence[Value]:
        high, low = power(b, (y, b.value(0.0)), order + 1)
        usual = high > 1e-250
        q, rest = b.quotient((b.value(count), b.value(0.0)), (b.where(usual, high, 1.0), b.where(usual, low, 0.0)))
        over = b.value(1.0) / y
        plain = b.value(count)
        for _ in range(order + 1):
            plain = plain * over
        t, lost = b.two_sum(s, b.where(usual, q, plain))
        return y + 1.0, t, b.where(b.abs(t) < INF, e + (lost + b.where(usual, rest, 0.0)), 0.0)

    zero = b.value(0.0)
    y, s, e = b.loop([x, zero, zero], lambda y, s, e: y < border, step)
    inverse = b.quotient((b.value(1.0), zero), (y, zero))
    inverse = (inverse[0], b.where(y < 1e100, inverse[1], 0.0))
    first, rest = tail_series(order)
    z = inverse[0] * inverse[0]
    bracket = b.fast_two_sum(first, inverse[0] * (count / 2) + z * b.horner(z, rest))
    high, low = b.product(power(b, inverse, order), bracket)
    t, lost = b.two_sum(s, high)
    return b.where(b.abs(t) < INF, t + (lost + (e + low)), t)


def cotangent(order: int) -> list[int]:
    """Derivative number `order` of the cotangent as a polynomial in it: cot' = -(1 + cot**2)."""
    coefficients = [0, 1]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [0] * (len(slope) + 2)
        for k, c in enumerate(slope):
            coefficients[k] -= c
            coefficients[k + 2] -= c
    return coefficients


def polygamma(b: Builder, x: Value, order: int) -> Value:
    """Of numbers that are not positive by reflection; at poles inf for odd orders, nan for even ones."""
    if order == 0:
        return b.call(digamma, x)[0]
    left = x <= 0.0
    a = b.where(left, b.value(1.0) - x, x)
    a = b.where(b.both(a > 0.0, a < INF), a, 1.0)
    size = positive(b, order, a)

    def reflected() -> list[Value]:
        near = x - b.intrinsic("rint", x)
        sin, cos = turn(b, b.where(left, near, 0.25))
        pole = sin.equals(0.0)
        cot = cos / b.where(pole, 1.0, sin)
        bend = b.horner(cot, list(map(float, cotangent(order)))) * -(pi ** (order + 1))
        value = bend - size
        return [b.where(b.either(pole, b.nan(near)), INF if order % 2 else NAN, value)]

    plain = size if order % 2 else -size
    (result,) = b.when(left, [plain], reflected)
    result = b.where(x.equals(INF), 0.0, b.where(x.equals(-INF), NAN, result))
    return b.where(b.nan(x), x, result)


def trigamma(b: Builder, x: Value) -> Value:
    return polygamma(b, x, 1)


def polygamma_rise(b: Builder, x: Value, d: Value, order: int) -> Value:
    """polygamma (x + d) - polygamma x for positive numbers: u**m - v**m is (u - v) times a sum of positive terms."""
    fine = b.both(b.both(x > 0.0, x < INF), b.both(d >= 0.0, d < INF))
    start, by = b.where(fine, x, 1.0), b.where(fine, d, 1.0)
    count = float(factorial(order))
    border = float(16 + order)

    def inverses(y: Value) -> tuple[Value, Value, Value]:
        """1 / y, 1 / (y + d), and how much less that is."""
        u, v = b.value(1.0) / y, b.value(1.0) / (y + by)
        return u, v, by * v * u

    def sums(u: Value, v: Value, m: int) -> Value:
        """u**m - v**m, over u - v"""
        total, last = b.value(1.0), b.value(1.0)
        for _ in range(m - 1):
            last = last * v
            total = b.mad(total, u, last)
        return total

    def step(y: Value, s: Value, e: Value) -> Sequence[Value]:
        u, v, less = inverses(y)
        t, lost = b.two_sum(s, less * sums(u, v, order + 1) * count)
        return y + 1.0, t, b.where(b.abs(t) < INF, e + lost, 0.0)

    zero = b.value(0.0)
    y, s, e = b.loop([start, zero, zero], lambda y, s, e: y < border, step)
    u, v, less = inverses(y)
    uu, vv = u * u, v * v
    # c_k (u**(2 k + order) - v**(2 k + order)), term by term
    if order == 0:
        head = log1p_of(b, by, y)
        powers, scale = [Fraction(c) / (2 * k) for k, c in enumerate(BERNOULLI, 1)], 0.5
    else:
        head = less * sums(u, v, order) * float(factorial(order - 1))
        powers, scale = [c * Fraction(factorial(2 * k + order - 1), factorial(2 * k))
                         for k, c in enumerate(BERNOULLI, 1)], count / 2
    rest = sums(u, v, order + 1) * scale
    even, last, base = b.value(0.0), b.value(1.0), b.value(1.0)
    # u**m - v**m with m = 2 k + order: u**order (uu**k - vv**k) + vv**k (u**order - v**order)
    for _ in range(order):
        base = base * u
    slope = sums(u, v, order) if order else b.value(0.0)
    both = u + v
    for c in powers:
        even = b.mad(even, uu, last)
        last = last * vv
        rest = b.mad(b.mad(base * even, both, last * slope), float(c), rest)
    total = head + less * rest
    t, lost = b.two_sum(s, total)
    total = b.where(b.abs(t) < INF, t + (lost + e), t)
    # polygamma of odd order falls, of even order rises
    total = -total if order % 2 else total
    end = b.where(b.both(x > 0.0, d.equals(INF)), b.where(x < INF, limit(b, x, order), NAN), NAN)
    return b.where(fine, total, end)


def limit(b: Builder, x: Value, order: int) -> Value:
    """Where d is infinite."""
    if order == 0:
        return b.value(INF)
    size = positive(b, order, b.where(b.both(x > 0.0, x < INF), x, 1.0))
    return -size if order % 2 else size


def log1p_of(b: Builder, d: Value, y: Value) -> Value:
    """log (1 + d / y)"""
    high, low = b.call(log1p_pair, d, y)
    return high + low


def pair_of(values: tuple[Value, ...]) -> Pair:
    first, second = values
    return first, second


def log1p_pair(b: Builder, d: Value, y: Value) -> Pair:
    """log (1 + d / y), for d / y from 0, or from -1/2."""
    zero = b.value(0.0)
    q, rest = b.quotient((d, zero), (y, zero))
    rest = b.where(b.both(b.abs(q) < 1e300, b.abs(d) > 1e-250), rest, 0.0)
    tiny = b.abs(q) < 2.0**-55
    high, low = log_sum(b, 1.0, b.where(tiny, 1.0, q), b.where(tiny, 0.0, rest))
    return b.where(tiny, q, high), b.where(tiny, rest, low)


def stirling(b: Builder, x: Value) -> Value:
    """What is left of lgamma x beside Stirling's formula, for x >= 8."""
    inverse = b.value(1.0) / x
    return inverse * b.poly(inverse * inverse, LGAMMA_FAR)


def lbeta(b: Builder, p: Value, q: Value) -> Value:
    low, high = b.where(p < q, p, q), b.where(p < q, q, p)
    usual = b.both(low > 0.0, high < INF)
    x, y = b.where(usual, low, 1.0), b.where(usual, high, 1.0)
    large = b.where(y >= 10.0, y, 10.0)
    both, lost = b.two_sum(x, y)
    none_large = y < 10.0
    small = b.where(x < 10.0, x, 10.0)
    first = b.call(positive_lgamma, small)
    zero = b.value(0.0)

    def three() -> Sequence[Value]:
        second = b.call(positive_lgamma, b.where(none_large, y, 1.0))
        third = b.call(positive_lgamma, b.where(none_large, both, 1.0))
        slope = log_of(b, both)[0] - b.value(0.5) / both
        s, e = b.two_sum(second[0], -third[0])
        t, f = b.two_sum(first[0], s)
        return [t + (f + (e + (first[1] + second[1] - third[1] - lost * slope)))]

    (little,) = b.when(none_large, [zero], three)
    # one large number: lgamma x + x - x log (x + y) + (y - 1/2) log (1 - x / (x + y))
    total = small + large
    part = pair_of(b.call(log1p_pair, -small, total))
    down = b.product((large - 0.5, zero), part)
    spread = b.product((small, zero), log_of(b, b.where(total < 1e308, total, 1e308)))
    s, e = b.two_sum(small, down[0])
    t, f = b.two_sum(s, -spread[0])
    u, g = b.two_sum(t, first[0])
    one = u + (g + (f + (e + (down[1] - spread[1] + first[1] + (stirling(b, large) - stirling(b, total))))))
    # two of them
    less = b.where(x >= 10.0, x, 10.0)
    left = b.product((less - 0.5, zero), pair_of(b.call(log1p_pair, large, less)))
    right = b.product((large, zero), pair_of(b.call(log1p_pair, less, large)))
    half = log_of(b, large)
    rest = stirling(b, less) + (stirling(b, large) - stirling(b, less + large))
    s, e = b.two_sum(-left[0], -right[0])
    two = s + (e + (rest - left[1] - right[1] + (b.value(HALF_LOG_TWO_PI_PAIR[0]) - half[0] * 0.5)))
    result = b.where(none_large, little, b.where(x < 10.0, one, two))
    result = b.where(usual, result, b.where(low.equals(0.0), INF, b.where(low > 0.0, -INF, NAN)))
    return b.where(b.either(b.nan(p), b.nan(q)), p + q, result)
