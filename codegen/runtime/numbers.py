"""Arithmetic that NumPy does not have, or has with another meaning at the edges; on scalars and arrays.

Emitted modules carry the text of those they use, so each stands on NumPy and Python's own library alone. All run
where NumPy's floating-point warnings are off.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

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
