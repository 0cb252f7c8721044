"""Functions of numbers that NumPy does not have, or has with another meaning at the edges; they work on scalars and
arrays.

Emitted modules carry the text of those they use, so each stands on NumPy and Python's own library alone. All run
where NumPy's floating-point warnings are off.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Bernoulli numbers B_2, B_4, … B_20.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


# ------------------------------------------------------------------ integers


def int_power(x: Any, y: Any) -> Any:
    """x**y, wrapping around; a negative exponent gives 1 / x**-y rounded towards zero (0 for x = 0)."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype.kind == "u":
        return np.power(x, y)[()]
    inverse = np.where(x == 1, 1, np.where(x == -1, np.where(y % 2 == 0, 1, -1), 0)).astype(x.dtype)
    return np.where(y < 0, inverse, np.power(x, np.where(y < 0, 0, y).astype(y.dtype)))[()]


def quotient(x: Any, y: Any) -> Any:
    """x / y rounded towards zero; 0 where y is 0."""
    return np.floor_divide(np.subtract(x, np.fmod(x, y)), y)


def shift_left(x: Any, y: Any) -> Any:
    """x times 2**y, wrapping around; 0 when y is not in 0 .. bits-1."""
    x, y = np.asarray(x), np.asarray(y)
    inside = (y >= 0) & (y < x.dtype.itemsize * 8)
    return np.where(inside, np.left_shift(x, np.where(inside, y, 0).astype(x.dtype)), np.zeros_like(x))[()]


def shift_right(x: Any, y: Any) -> Any:
    """Arithmetic shift; when y is not in 0 .. bits-1 only the sign is left: 0 or -1."""
    x, y = np.asarray(x), np.asarray(y)
    bits = x.dtype.itemsize * 8
    inside = (y >= 0) & (y < bits)
    shifted = np.right_shift(x, np.where(inside, y, bits - 1).astype(x.dtype))
    return np.where(inside | (x < 0), shifted, np.zeros_like(x))[()]


def shift_right_zero(x: Any, y: Any) -> Any:
    """Shift that fills with zeros, whatever the sign."""
    x, y = np.asarray(x), np.asarray(y)
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    inside = (y >= 0) & (y < x.dtype.itemsize * 8)
    shifted = np.right_shift(x.astype(unsigned), np.where(inside, y, 0).astype(unsigned))
    return np.where(inside, shifted, np.zeros_like(shifted)).astype(x.dtype)[()]


def truncated(x: Any, dtype: Any) -> Any:
    """Floats to integers: towards zero, saturated at 64 bits, then wrapped to the width; nan and inf give 0."""
    x, target = np.asarray(x), np.dtype(dtype)
    whole = np.trunc(np.where(np.isfinite(x), x, np.zeros_like(x))).astype(np.float64)
    high = whole >= 2.0**63
    small = np.where(high, 0.0, np.maximum(whole, -(2.0**63))).astype(np.int64)
    signed = np.where(high, np.int64(2**63 - 1), small)
    if target != np.uint64:
        return signed.astype(target)[()]
    big = np.where(whole >= 2.0**64, 0.0, np.maximum(whole, 0.0)).astype(np.uint64)
    big = np.where(whole >= 2.0**64, np.uint64(2**64 - 1), big)
    return np.where(high, big, signed.astype(np.uint64))[()]


# ------------------------------------------------------------------ bits


def unsigned(x: Any) -> Any:
    """The same bits as unsigned integers."""
    x = np.asarray(x)
    return x.view(f"u{x.dtype.itemsize}")


def popc(x: Any) -> Any:
    """How many bits are set: in pairs, in fours, in bytes, and all bytes added up by a multiplication."""
    x = unsigned(x).astype(np.uint64)
    pairs, fours, bytes_ = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
    x = x - (x >> np.uint64(1) & pairs)
    x = (x & fours) + (x >> np.uint64(2) & fours)
    x = x + (x >> np.uint64(4)) & bytes_
    return (x * np.uint64(0x0101010101010101) >> np.uint64(56)).astype(np.int32)[()]


def clz(x: Any) -> Any:
    """How many zeros stand before the first bit that is set."""
    x = unsigned(x)
    bits = x.dtype.itemsize * 8
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < bits:
            x = x | x >> x.dtype.type(shift)
    return np.int32(bits) - popc(x)


def ctz(x: Any) -> Any:
    """How many zeros follow the last bit that is set."""
    x = unsigned(x)
    one = x.dtype.type(1)
    return popc((x & (~x + one)) - one)


def mul_hi(x: Any, y: Any) -> Any:
    """The upper half of the product of the numbers read as unsigned ones."""
    x = np.asarray(x)
    a, b = unsigned(x), unsigned(y)
    bits = x.dtype.itemsize * 8
    if bits < 64:
        high = a.astype(np.uint64) * b.astype(np.uint64) >> np.uint64(bits)
        return high.astype(a.dtype).view(x.dtype)[()]
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a_low, a_high, b_low, b_high = a & mask, a >> half, b & mask, b >> half
    low, cross, other = a_low * b_low, a_high * b_low, a_low * b_high
    carry = (low >> half) + (cross & mask) + (other & mask)
    high = a_high * b_high + (cross >> half) + (other >> half) + (carry >> half)
    return np.asarray(high).view(x.dtype)[()]


def bitcast(x: Any, to: str) -> Any:
    """The numbers of type `to`, `"u32"` say, that have the same bits."""
    return np.asarray(x).view(f"{to[0]}{int(to[1:]) // 8}")[()]


# ------------------------------------------------------------------ fused multiplication and addition


def fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z, rounded once.

    Boldo & Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd (2008):
    product and sums are split into what is rounded and what is left. Near the ends of the range, element by element.
    """
    x, y, z = np.broadcast_arrays(np.asarray(x), np.asarray(y), np.asarray(z))
    given = x.dtype
    x, y, z = x.astype(np.float64), y.astype(np.float64), z.astype(np.float64)
    if given.itemsize < 8:  # the product is exact
        return _odd_sum(x * y, z).astype(given)[()]
    product = x * y
    plain = product + z
    high, low = _exact_product(x, y)
    sum_high, sum_low = _exact_sum(z, low)
    top, rest = _exact_sum(high, sum_high)
    fused = top + _odd_sum(rest, sum_low)
    size = np.abs(product)
    largest = np.maximum(np.maximum(np.abs(x), np.abs(y)), np.abs(z))
    easy = (size > 1e-250) & (size < 1e290) & (largest < 1e290) & ((z == 0) | (np.abs(z) > 1e-250))
    exact = (x == 0) | (y == 0)
    out = np.where(easy, fused, plain)
    for k in np.argwhere(~(easy | exact)):
        at = tuple(k)
        out[at] = _exact_fma(float(x[at]), float(y[at]), float(z[at]))
    return out[()]


def _exact_sum(a: Any, b: Any) -> Any:
    """a + b, rounded, and what rounding left."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _exact_product(a: Any, b: Any) -> Any:
    """a * b, rounded, and what rounding left; Dekker's splitting."""
    product = a * b
    a_high = a * 134217729.0
    a_high = a_high - (a_high - a)
    b_high = b * 134217729.0
    b_high = b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _odd_sum(a: Any, b: Any) -> Any:
    """a + b, where it is not exact rounded to the neighbour whose last bit is 1."""
    total, rest = _exact_sum(a, b)
    even = (np.asarray(total).view(np.int64) & 1) == 0
    odd = np.nextafter(total, np.where(rest > 0, np.inf, -np.inf))
    return np.where((rest != 0) & even & np.isfinite(total), odd, total)


def _exact_fma(x: float, y: float, z: float) -> float:
    if not (math.isfinite(x) and math.isfinite(y)):
        return x * y + z
    if not math.isfinite(z):
        return z
    (xn, xd), (yn, yd), (zn, zd) = x.as_integer_ratio(), y.as_integer_ratio(), z.as_integer_ratio()
    numerator, denominator = xn * yn * zd + zn * xd * yd, xd * yd * zd
    if numerator == 0:
        return x * y + z
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


# ------------------------------------------------------------------ special functions


def _from_whole(x: Any) -> Any:
    """The distance of x from the nearest whole number, and whether that is odd."""
    whole = np.rint(x)
    return x - whole, whole - 2 * np.floor(whole / 2) != 0


def sinpi(x: Any) -> Any:
    """sin (pi x), exact at multiples of a half."""
    x = np.asarray(x)
    rest, odd = _from_whole(x)
    far = np.abs(rest) > 0.25
    sine = np.where(far, np.copysign(np.cos(np.pi * (0.5 - np.abs(rest))), rest), np.sin(np.pi * rest))
    return np.where(odd, -sine, sine)[()]


def cospi(x: Any) -> Any:
    """cos (pi x), exact at multiples of a half."""
    x = np.asarray(x)
    rest, odd = _from_whole(x)
    far = np.abs(rest) > 0.25
    cosine = np.where(far, np.sin(np.pi * (0.5 - np.abs(rest))), np.cos(np.pi * rest))
    return np.where(odd, -cosine, cosine)[()]


def tanpi(x: Any) -> Any:
    """tan (pi x), exact at multiples of a half."""
    return sinpi(x) / cospi(x)


def scaled(x: Any, y: Any) -> Any:
    """x * y, and 0 where x is 0, whatever y is."""
    return np.where(x == 0, x, x * y)[()]


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), by the exponential that can't overflow."""
    small = np.exp(-np.abs(x))
    return (np.where(x >= 0, np.ones_like(small), small) / (1 + small))[()]


def each(function: Any, x: Any) -> Any:
    """`function` of every element, computed in float64 and rounded to x's dtype."""
    x = np.asarray(x)
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).astype(x.dtype).reshape(x.shape)[()]


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def _gamma(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, x)
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def lgamma(x: Any) -> Any:
    """log |gamma x|; inf at the poles 0, -1, -2, …"""
    return each(_lgamma, x)


def gamma(x: Any) -> Any:
    """Signed infinity at 0, nan at -1, -2, …, inf where the value is too large."""
    return each(_gamma, x)


def erf(x: Any) -> Any:
    return each(math.erf, x)


def erfc(x: Any) -> Any:
    return each(math.erfc, x)


def digamma(x: Any) -> Any:
    return polygamma(x, 0)


def polygamma(x: Any, order: int) -> Any:
    """The derivative number `order` of digamma. At the poles 0, -1, -2, …: inf for odd orders, nan for even ones.

    Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 6.3.18 and 6.4.11 (asymptotic series), 6.4.6
    (recurrence), 6.4.7 (reflection).
    """
    given = np.asarray(x)
    x = given.astype(np.float64)
    left = x <= 0
    value = _positive_polygamma(order, np.where(left, 1.0 - x, x))
    if left.any():
        sign = -1.0 if order % 2 else 1.0
        reflected = sign * value - math.pi ** (order + 1) * _cot_derivative(order, x)
        pole = np.inf if order % 2 else np.nan
        reflected = np.where(x == np.floor(x), np.where(np.isinf(x), np.nan, pole), reflected)
        value = np.where(left, reflected, value)
    return value.astype(given.dtype)[()]


def _cot_derivative(order: int, x: Any) -> Any:
    """d^order cot(u) / du^order at u = pi x, from cot' = -(1 + cot^2): a polynomial in the cotangent."""
    coefficients = [0, 1]
    for _ in range(order):
        derivative = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [0] * (len(derivative) + 2)
        for k, c in enumerate(derivative):
            coefficients[k] -= c
            coefficients[k + 2] -= c
    from_pole = x - np.rint(x)
    # Near half integers the tangent of the complement is the accurate way to a small cotangent.
    complement = np.tan(math.pi * (np.copysign(0.5, from_pole) - from_pole))
    cot = np.where(np.abs(from_pole) > 0.25, complement, 1 / np.tan(math.pi * from_pole))
    total = np.full_like(x, float(coefficients[-1]))  # never 0, so that an infinite cotangent makes no nan
    for c in reversed(coefficients[:-1]):
        total = total * cot + float(c)
    return total


def _positive_polygamma(order: int, x: Any) -> Any:
    """By recurrence to where the asymptotic series holds."""
    factorial = float(math.factorial(order))
    y, shifts = x, np.zeros_like(x)
    while True:
        low = y < 16 + order
        if not low.any():
            break
        shifts = shifts + np.where(low, factorial / y ** (order + 1), 0.0)
        y = np.where(low, y + 1, y)
    if order == 0:
        tail = np.where(np.isinf(y), y, np.log(y) - 0.5 / y)
        for k, b in enumerate(BERNOULLI, 1):
            tail = tail - b / (2 * k * y ** (2 * k))
        return tail - shifts
    tail = math.factorial(order - 1) / y**order + factorial / (2 * y ** (order + 1))
    for k, b in enumerate(BERNOULLI, 1):
        rising = math.factorial(2 * k + order - 1) / math.factorial(2 * k)
        tail = tail + b * rising / y ** (2 * k + order)
    total = tail + shifts
    return total if order % 2 else -total
