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


# ------------------------------------------------------------------ special functions


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
