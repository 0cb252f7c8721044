"""The normal, gamma and beta distributions: their functions, inverses, and derivatives in the shape parameters.

Incomplete gamma and beta integrals and their derivatives in the parameters are integrals over a tail of the density,
of which no digit cancels; they are taken by the trapezoidal rule after a doubly exponential substitution (Takahasi &
Mori, Double exponential formulas for numerical integration, 1974), whose errors are below rounding.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .special import (
    BERNOULLI,
    ERFC_FAR,
    ERFC_NEAR,
    LGAMMA,
    STIRLING,
    _erf_center,
    _in_blocks,
    _lgamma_block,
    _polynomial,
    polygamma,
)

# Chebyshev interpolants, written as polynomials, of (x + 2)**2 (1 / sqrt pi - x exp (x**2) erfc x) in a linear
# function of 1 / (x + 2), for 0.5 <= x <= 2.5 and beyond; errors below 3e-17.
TAIL_NEAR = (
    1.11915540062073, 0.42647415601377775, 0.05940852486308624, -0.0018280011003654528, -0.0011255067629657208,
    4.91700200650304e-05, 2.1588717783496554e-05, -2.572724114410195e-06, -2.744856347692677e-07,
    9.226632522130802e-08, -4.401477600521212e-09, -1.807433722970154e-09, 3.571066656629109e-10,
    -6.298413924599002e-12,
)  # fmt: skip
TAIL_FAR = (
    0.45272546273854597, 0.2253803754186064, 0.06483549274399429, 0.01038299506080682, -7.427032049349538e-05,
    -0.0004430993412391366, -6.054621712976846e-05, 1.6442856525857557e-05, 5.053887410579379e-06,
    -7.055842039441005e-07, -3.8185477400455016e-07, 4.22997535060103e-08, 3.039234911296813e-08,
    -3.895375324212252e-09, -2.5613769773240847e-09, 4.783649316603652e-10, 2.1756175096345708e-10,
    -6.401979489422178e-11, -1.666882270789969e-11, 7.78501032504123e-12, 8.559679613174741e-13,
    -6.078752547468683e-13,
)  # fmt: skip


# ---------------------------------------------------------------- the normal distribution


def _each(function: Any, *args: Any) -> Any:
    """`function` of numbers or arrays of float64, rounded to their type, in blocks."""
    arrays = np.broadcast_arrays(*args)
    if len(arrays) == 1:
        return _in_blocks(function, arrays[0])[()]
    out = np.empty(arrays[0].shape, arrays[0].dtype)
    flat, filled = [x.reshape(-1) for x in arrays], out.reshape(-1)
    for start in range(0, filled.size, 1024):
        filled[start : start + 1024] = function(*(x[start : start + 1024].astype(np.float64) for x in flat))
    return out[()]


def _scaled_erfc(x: Any) -> Any:
    """exp (x**2) erfc x for x >= 0"""
    t = 1 / (x + 2)
    far = t * _polynomial(ERFC_FAR, 9 * t - 1)
    near = t * _polynomial(ERFC_NEAR, 18 * t - 5)
    inner = np.minimum(x, 1)
    center = np.exp(inner * inner) * (1 - _erf_center(inner))
    return np.where(x < 1, center, np.where(x < 2.5, near, far))


def _scaled_tail(x: Any) -> Any:
    """1 / sqrt pi - x exp (x**2) erfc x for x >= 0: minus half the derivative of exp (x**2) erfc x."""
    t = 1 / (x + 2)
    far = t * t * _polynomial(TAIL_FAR, 9 * t - 1)
    near = t * t * _polynomial(TAIL_NEAR, TAIL_SCALE * t - TAIL_SHIFT)
    center = 0.5641895835477563 - np.minimum(x, 1) * _scaled_erfc(np.minimum(x, 1))
    return np.where(x < 0.5, center, np.where(x < 2.5, near, far))


TAIL_SCALE, TAIL_SHIFT = 11.25, 3.5


def bell(x: Any) -> Any:
    """exp (-x**2 / 2): the square of a multiple of 1/32 is exact, and what is left beside it is small."""
    x = np.clip(x, -64, 64)
    head = np.rint(x * 32) / 32
    return np.exp(-0.5 * head * head) * np.exp(0.5 * (head - x) * (head + x))


ROOT_HALF = 0.7071067811865476
ROOT_TWO_OVER_PI = 0.7978845608028654


def _lower_normal(y: Any) -> Any:
    """The probability below -y, for y >= 0."""
    return 0.5 * bell(y) * _scaled_erfc(ROOT_HALF * y)


def ndtr(x: Any) -> Any:
    """The probability that a normal number is less than x."""
    return _each(_ndtr, x)


def _ndtr(x: Any) -> Any:
    below = _lower_normal(np.abs(x))
    return np.where(x > 0, 1 - below, below)


def log_ndtr(x: Any) -> Any:
    return _each(_log_ndtr, x)


def _log_ndtr(x: Any) -> Any:
    y = np.abs(x)
    tail = np.log(0.5 * _scaled_erfc(ROOT_HALF * y)) - 0.5 * y * y
    return np.where(x < -1, tail, np.log1p(-_ndtr(-x)))


def inverse_mills(x: Any) -> Any:
    """The normal density over the probability below x."""
    return _each(_inverse_mills, x)


def _inverse_mills(x: Any) -> Any:
    tail = ROOT_TWO_OVER_PI / _scaled_erfc(ROOT_HALF * np.abs(x))
    return np.where(x < 0, tail, 0.5 * ROOT_TWO_OVER_PI * bell(x) / _ndtr(x))


def mills_excess(x: Any) -> Any:
    """x + inverse_mills x, without cancellation."""
    return _each(_mills_excess, x)


def _mills_excess(x: Any) -> Any:
    u = ROOT_HALF * np.abs(x)
    tail = 1.4142135623730951 * _scaled_tail(u) / _scaled_erfc(u)
    return np.where(x < -0.7, tail, x + _inverse_mills(x))


def ndtri(p: Any) -> Any:
    """The number below which a normal one is with probability p."""
    return _each(_ndtri, p)


def _ndtri(p: Any) -> Any:
    inner = np.abs(p - 0.5) < 0.25
    center = 1.4142135623730951 * _erf_inverse_center(np.where(inner, 2 * p - 1, 0))
    y = _normal_tail(np.minimum(p, 1 - p))
    return np.where(inner, center, np.where(p < 0.5, -y, y))


def _erf_inverse_center(r: Any) -> Any:
    """By Newton's iteration, for |r| <= 1/2."""
    y = 0.886226925452758 * r * (1 + 0.2617993877991494 * r * r)
    for _ in range(4):
        y = y - (_erf_center(y) - r) * (0.886226925452758 * np.exp(y * y))
    return y


def _normal_tail(q: Any) -> Any:
    """y with probability q above it, for q <= 1/2: Newton's iteration on the logarithm, which is concave."""
    wanted = np.log(q)
    y = np.sqrt(np.maximum(-2 * wanted, 0))
    for _ in range(7):
        y = np.maximum(y + (_log_ndtr(-y) - wanted) / _inverse_mills(-y), 0)
    return np.where(q == 0, np.inf, np.where(q > 0, y, np.nan))


def ndtri_slope(p: Any) -> Any:
    """1 / the normal density at ndtri p"""
    return _each(_ndtri_slope, p)


def _ndtri_slope(p: Any) -> Any:
    q = np.minimum(p, 1 - p)
    y = _ndtri(q)
    return np.where(q == 0, np.inf, 1 / (q * _inverse_mills(y)))


def erfinv(x: Any) -> Any:
    return _each(_erfinv, x)


def _erfinv(x: Any) -> Any:
    inner = np.abs(x) < 0.5
    tail = np.copysign(ROOT_HALF * _normal_tail(0.5 * (1 - np.abs(x))), x)
    return np.where(inner, _erf_inverse_center(np.where(inner, x, 0)), tail)


def erfinv_slope(x: Any) -> Any:
    """sqrt pi / 2 exp (erfinv x)**2"""
    return _each(lambda x: _ndtri_slope(0.5 * (1 - np.abs(x))) / 2.8284271247461903, x)


# ---------------------------------------------------------------- gamma functions that nearly cancel


def _stirling(x: Any) -> Any:
    """What is left of lgamma x beside Stirling's formula, for x >= 10."""
    over = 1 / x
    square = over * over
    series = np.full_like(x, STIRLING[-1])
    for c in STIRLING[-2::-1]:
        series = series * square + c
    return series * over


def _log1p_rest(x: Any) -> Any:
    """x - log (1 + x), for x > -1"""
    near = np.abs(x) < 0.5
    r = np.where(near, x / (2 + x), 0)
    square = r * r
    series = np.zeros_like(x)
    for k in range(20, 0, -1):
        series = series * square + 1 / (2 * k + 1)
    # x = 2 r / (1 - r) and log (1 + x) = 2 r (1 + r**2/3 + r**4/5 + ...)
    return np.where(near, 2 * square / (1 - r) - 2 * r * square * series, x - np.log1p(x))


def lbeta(a: Any, b: Any) -> Any:
    return _each(_lbeta, a, b)


def _lbeta(a: Any, b: Any) -> Any:
    """After Didonato & Morris, Algorithm 708 (1992): Stirling's formulas of large arguments cancel on paper."""
    a, b = np.minimum(a, b), np.maximum(a, b)
    large, larger = np.maximum(a, 10), np.maximum(b, 10)
    both = a + b
    rest = _stirling(larger) - _stirling(np.maximum(both, 10))
    two = (
        -0.5 * np.log(larger)
        + 0.9189385332046728
        + _stirling(large)
        + rest
        - (large - 0.5) * np.log1p(larger / large)
        - larger * np.log1p(large / larger)
    )
    small = np.minimum(a, 10)
    total = larger + small
    mixed = small - small * np.log(total) + (larger - 0.5) * np.log1p(-small / total)
    one = _lgamma_block(small) + rest + mixed
    none = _lgamma_block(small) + (_lgamma_block(np.minimum(b, 10)) - _lgamma_block(np.minimum(both, 20)))
    value = np.where(a >= 10, two, np.where(b >= 10, one, none))
    return np.where(a > 0, np.where(np.isinf(b), -np.inf, value), np.where(a == 0, np.inf, np.nan))


def polygamma_rise(x: Any, d: Any, order: int) -> Any:
    """polygamma (x + d) - polygamma x for positive numbers, without cancellation."""
    return _each(lambda x, d: _polygamma_rise(x, d, order), x, d)


def _polygamma_rise(x: Any, d: Any, order: int) -> Any:
    fine = (x > 0) & (d >= 0)
    x, d = np.where(fine, x, 1), np.where(fine, d, 1)
    factorial = float(math.factorial(order))
    y, terms = x, np.zeros_like(x)

    def change(m: int, z: Any) -> Any:
        """(z + d)**-m - z**-m"""
        return z ** float(-m) * np.expm1(-m * np.log1p(d / z))

    while (low := y < 16 + order).any():
        terms = terms + np.where(low, factorial * change(order + 1, y), 0.0)
        y = np.where(low, y + 1, y)
    tail = factorial / 2 * change(order + 1, y)
    tail = tail + (-np.log1p(d / y) if order == 0 else math.factorial(order - 1) * change(order, y))
    for k, c in enumerate(BERNOULLI, 1):
        tail = tail + c * (math.factorial(2 * k + order - 1) / math.factorial(2 * k)) * change(2 * k + order, y)
    total = np.where(fine, tail + terms, np.nan)
    return total if order % 2 else -total


# ---------------------------------------------------------------- the gamma distribution


def _over_gamma(a: Any, x: Any) -> Any:
    """x**a exp (-x) / gamma a"""
    large = np.maximum(a, 10)
    near = np.sqrt(large / (2 * math.pi)) * np.exp(-large * _log1p_rest((x - large) / large) - _stirling(large))
    small = np.minimum(a, 10)
    return np.where(a >= 10, near, np.exp(small * np.log(x) - x - _lgamma_block(small)))


def _steps(longest: Any) -> Any:
    """Nodes u of the trapezoidal rule for s = exp (u - exp (-u)) up to a length, and how far apart they are."""
    end = math.log(min(max(150.0, float(np.nan_to_num(longest))), 1e60))
    count = int(10 * (end + 4))
    u = np.linspace(-4, end, count)
    return u, u[1] - u[0]


def _log_over_digamma(a: Any) -> Any:
    """log a - digamma a"""
    large = np.maximum(a, 16)
    total = 0.5 / large
    for k, c in enumerate(BERNOULLI, 1):
        total = total + c / (2 * k * large ** (2.0 * k))
    return np.where(a >= 16, total, np.log(a) - polygamma(np.minimum(a, 16), 0))


def _bell_polynomial(order: int, slope: Any, curvatures: Any) -> Any:
    """The derivative number `order` of a density over the density, from those of its logarithm."""
    found = [1.0]
    for k in range(order):
        total = found[k] * slope
        for j in range(1, k + 1):
            total = total + math.comb(k, j) * found[k - j] * curvatures[j - 1]
        found.append(total)
    return found[order]


def gammainc(a: Any, x: Any) -> Any:
    """The probability that a number of the gamma distribution of shape a is less than x."""
    return _each(lambda a, x: _gamma_probability(a, x, 0, False), a, x)


def gammaincc(a: Any, x: Any) -> Any:
    return _each(lambda a, x: _gamma_probability(a, x, 0, True), a, x)


def gamma_shape(a: Any, x: Any, order: int) -> Any:
    """The derivative number `order` of `gammainc` in the shape."""
    return _each(lambda a, x: _gamma_probability(a, x, order, False), a, x)


def _gamma_probability(a: Any, x: Any, order: int, upper: bool) -> Any:
    fine = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    given, a, x = (a, x), np.where(fine, a, 1), np.where(fine, x, 1)
    # Below a small shape nearly all is at 0, which P(a, x) = P(a + 1, x) + x**a exp (-x) / gamma (a + 1) takes apart.
    small = (a < 0.5) & (x < a)
    first, a = a, np.where(small, a + 1, a)
    below = x < a
    scale = np.where(
        below, 1 / (a - x + np.minimum(np.sqrt(x), x)), x / (np.maximum(x - a, 0) + 1 + np.sqrt(a))
    )
    u, h = _steps(np.max(np.where(below, 0, 50 / scale), initial=0))
    s = np.minimum(scale[:, None] * np.exp(u - np.exp(-u)), 1e306)
    above, over, side = a[:, None], x[:, None], below[:, None]
    by_log = np.where(side, -s, np.log1p(s / over))
    exponent = np.where(side, -above * s - over * np.expm1(-s), (above - 1) * by_log - s)
    density = np.exp(exponent) * (s * (1 + np.exp(-u)))
    if order:
        # Of a / gamma (a + 1) instead of 1 / gamma a, where the latter's logarithm is steep.
        steep = a < 1
        shape = np.where(steep, a + 1, a)
        near = np.abs(x - shape) < 0.5 * shape
        from_mean = np.where(near, np.log1p(np.where(near, x - shape, 0) / shape), np.log(x / shape))
        start = from_mean + _log_over_digamma(shape)
        bends = [-polygamma(shape, k)[:, None] for k in range(1, order)]
        slope = start[:, None] + by_log
        flat = (order / above) * _bell_polynomial(order - 1, slope, bends)
        density = density * (_bell_polynomial(order, slope, bends) + np.where(steep[:, None], flat, 0))
    tail = h * density.sum(axis=-1) * _over_gamma(a, x) / np.where(below, 1, x)
    power = first * np.log(x) - x - (first * _polynomial(LGAMMA, 2 * np.minimum(first, 0.5)) - np.log1p(first))
    if order:
        bends = [-polygamma(first + 1, k) for k in range(1, order)]
        rest = np.exp(power) * _bell_polynomial(order, np.log(x) - polygamma(first + 1, 0), bends)
        value = np.where(below, tail + np.where(small, rest, 0), -tail)
        return np.where(fine, value, _where_undefined(*given, 0.0, 0.0))
    if upper:
        value = np.where(below, np.where(small, -np.expm1(power) - tail, 1 - tail), tail)
    else:
        value = np.where(below, tail + np.where(small, np.exp(power), 0), 1 - tail)
    return np.where(fine, value, _where_undefined(*given, float(upper), 1.0 - upper))


def _where_undefined(a: Any, x: Any, at_zero: float, at_infinity: float) -> Any:
    """At the ends of the domain, and nan outside of it."""
    ends = np.where((x == 0) & (a > 0), at_zero, np.where((x > 0) & ((a == 0) | np.isinf(x)), at_infinity, np.nan))
    return np.where(np.isinf(a) & (x >= 0) & np.isfinite(x), at_zero, ends)


def gamma_moved(a: Any, x: Any) -> Any:
    """x itself; a number with the shape a, of which it has derivatives."""
    return np.broadcast_arrays(x, a)[0][()]


def gamma_density(a: Any, x: Any) -> Any:
    """x**(a - 1) exp (-x) / gamma a"""
    return _each(_gamma_density, a, x)


def _gamma_density(a: Any, x: Any) -> Any:
    at_zero = np.where(a > 1, 0.0, np.where(a == 1, 1.0, np.inf))
    value = np.where(x > 0, _over_gamma(a, x) / x, np.where(x == 0, at_zero, np.nan))
    return np.where(a > 0, value, np.nan)


# ---------------------------------------------------------------- the beta distribution


def betainc(a: Any, b: Any, x: Any) -> Any:
    """The probability that a number of the beta distribution is less than x."""
    return _each(lambda a, b, x: _beta_probability(a, b, x, 0, 0), a, b, x)


def beta_shape(a: Any, b: Any, x: Any, first: int, second: int) -> Any:
    """The derivative of `betainc`, so many times in each of the shapes."""
    return _each(lambda a, b, x: _beta_probability(a, b, x, first, second), a, b, x)


def _beta_probability(a: Any, b: Any, x: Any, first: int, second: int) -> Any:
    fine = (a > 0) & (b > 0) & (x > 0) & (x < 1) & np.isfinite(a) & np.isfinite(b)
    given = (a, b, x)
    a, b, x = np.where(fine, a, 1), np.where(fine, b, 1), np.where(fine, x, 0.5)
    y, swap = 1 - x, x * b > a * (1 - x)
    tail = np.empty_like(x)
    for turned in (False, True):
        if (here := swap == turned).any():
            args = (b, a, y, x, second, first) if turned else (a, b, x, y, first, second)
            tail[here] = _beta_tail(*(z[here] if isinstance(z, np.ndarray) else z for z in args))
    order = first + second
    value = np.where(swap, -tail if order else 1 - tail, tail)
    a, b, x = given
    ends = np.where((x == 0) & (a > 0) & (b > 0), 0.0, np.where((x == 1) & (a > 0) & (b > 0), float(not order), np.nan))
    return np.where(fine, value, ends)


def _beta_tail(a: Any, b: Any, x: Any, y: Any, first: int, second: int) -> Any:
    """The integral below x = 1 - y, which is below the mean, with x exp (-s) for the variable."""
    bend = np.sqrt(np.maximum(b - 1, 0) * x) / y
    scale = 1 / (np.maximum(a - (b - 1) * x / y, 0) + np.minimum(bend, a))
    u, h = _steps(np.max(50 / (a * scale), initial=0))
    s = np.minimum(scale[:, None] * np.exp(u - np.exp(-u)), 1e306)
    rest = np.log1p(-(x / y)[:, None] * np.expm1(-s))
    density = np.exp(-a[:, None] * s + (b - 1)[:, None] * rest) * (s * (1 + np.exp(-u)))
    if first + second:

        def bends(i: int, j: int) -> Any:
            """The derivative of the density's logarithm, i times in a and j times in b."""
            if i and j:
                return polygamma(a + b, i + j - 1)[:, None]
            if i == 1:
                return _polygamma_rise(a, b, 0)[:, None] + (np.log(x)[:, None] - s)
            if j == 1:
                return _polygamma_rise(b, a, 0)[:, None] + np.log(y)[:, None] + rest
            return (_polygamma_rise(a, b, i - 1) if i else _polygamma_rise(b, a, j - 1))[:, None]

        density = density * _density_slope(first, second, bends)
    return h * density.sum(axis=-1) * _over_beta(a, b, x, y) / y


def _density_slope(first: int, second: int, bends: Any) -> Any:
    """The derivative of a density in two parameters, over the density, from those of its logarithm."""
    if first + second == 0:
        return 1.0
    if first == 0:
        return _density_slope(second, 0, lambda i, j: bends(j, i))
    total = 0.0
    for p in range(first):
        for q in range(second + 1):
            ways = math.comb(first - 1, p) * math.comb(second, q)
            total = total + ways * _density_slope(first - 1 - p, second - q, bends) * bends(p + 1, q)
    return total


def _over_beta(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x**a y**b / beta a b, where x + y is 1"""
    total = a + b
    off = np.where(x < y, x * total - a, b - y * total)  # of the mean, times a + b
    large = (a >= 10) & (b >= 10)
    p, q = np.maximum(a, 10), np.maximum(b, 10)
    gap = np.where(large, off, 0)
    near = np.sqrt(p * q / (2 * math.pi * (p + q))) * np.exp(
        -p * _log1p_rest(gap / p) - q * _log1p_rest(-gap / q) - (_stirling(p) + _stirling(q) - _stirling(p + q))
    )
    far = np.exp(a * np.log(x) + b * np.where(x < 0.5, np.log1p(-x), np.log(y)) - _lbeta(a, b))
    return np.where(large, near, far)


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """x**(a - 1) (1 - x)**(b - 1) / beta a b"""
    return _each(_beta_density, a, b, x)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    inside = (a > 0) & (b > 0) & (x > 0) & (x < 1)
    return np.where(inside, _over_beta(a, b, x, 1 - x) / (x * (1 - x)), np.nan)


# ---------------------------------------------------------------- the von Mises distribution


def _over_angles(x: Any, *functions: Any) -> list[Any]:
    """Integrals of functions of 1 - cos t and sin (t)**2 weighted by exp (x (cos t - 1)), over t from 0 to pi.

    The trapezoidal rule: the integrand is periodic, or has died out before the end.
    """
    end = 2 * np.arcsin(np.sqrt(20 / np.maximum(x, 20)))
    t = end[:, None] * np.linspace(0, 1, 65)
    away = 2 * np.sin(0.5 * t) ** 2
    weight = np.exp(-x[:, None] * away)
    weight[:, 0] *= 0.5
    weight[:, -1] *= 0.5
    return [(end / 64) * (weight * f(away, np.sin(t) ** 2)).sum(axis=-1) for f in functions]


def _bessel_scaled(order: int, x: Any) -> Any:
    """exp (-x) times a modified Bessel function, for x >= 0 (Abramowitz & Stegun 9.6.18)."""
    (integral,) = _over_angles(x, lambda away, sine: sine ** float(order))
    odd = math.prod(range(1, 2 * order, 2))
    return (np.where(np.isinf(x), 0, x) ** float(order) if order else 1.0) * integral / (odd * math.pi)


def bessel_i0(x: Any) -> Any:
    return bessel_order(x, 0)


def bessel_i1(x: Any) -> Any:
    return bessel_order(x, 1)


def bessel_order(x: Any, order: int) -> Any:
    """The modified Bessel function of this order."""
    return _each(lambda x: _bessel_order(x, order), x)


def _bessel_order(x: Any, order: int) -> Any:
    size = np.abs(x)
    value = np.where(size > 800, np.inf, np.exp(0.5 * size) * (np.exp(0.5 * size) * _bessel_scaled(order, size)))
    value = np.where(np.isnan(x), x, value)
    return np.copysign(value, x) if order % 2 else value


def log_i0(x: Any) -> Any:
    """log of the modified Bessel function of order 0; near 0 by the mean of 2 sinh (x / 2 cos t)**2, it less 1."""
    return _each(_log_i0, x)


def _log_i0(x: Any) -> Any:
    size = np.abs(x)
    angles = np.cos(np.linspace(0, math.pi, 65)[:-1])
    small = np.minimum(size, 2)
    less = (2 * np.sinh(0.5 * small[:, None] * angles) ** 2).mean(axis=-1)
    large = np.where(size > 1e300, size, size + np.log(_bessel_scaled(0, np.minimum(size, 1e300))))
    return np.where(size < 2, np.log1p(less), large)


def bessel_ratio(x: Any) -> Any:
    """The modified Bessel function of order 1 over that of order 0."""
    return _each(_bessel_ratio, x)


def _bessel_ratio(x: Any) -> Any:
    size = np.abs(x)
    size = np.where(np.isnan(x), x, np.minimum(size, 1e300))
    plain, first = _bessel_scaled(0, size), _bessel_scaled(1, size)
    return np.copysign(np.where(size > 1e17, 1, first / plain), x)


def bessel_spread(x: Any) -> Any:
    """The derivative of `bessel_ratio`: the variance of cos t under the weight exp (x cos t)."""
    return _each(_bessel_spread, x)


def _bessel_spread(x: Any) -> Any:
    size = np.minimum(np.abs(x), 1e150)
    plain, mean = _over_angles(size, lambda away, sine: 1.0, lambda away, sine: away)
    center = (mean / plain)[:, None]
    (spread,) = _over_angles(size, lambda away, sine: (away - center) ** 2)
    return np.where(np.isnan(x), x, np.where(np.abs(x) > 1e150, 0.5 / x / x, spread / plain))
