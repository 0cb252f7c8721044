"""Reference meanings of special functions, one number at a time, in float64; NumPy is imported when they are called.

Written to be obviously right, not fast: the emitted code has its own.

digamma and polygamma: Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 6.3.18 and 6.4.11 (asymptotic
series), 6.4.6 (recurrence), 6.4.7 (reflection).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

# Bernoulli numbers B_2, B_4, … B_20.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def each(function: Callable[[float], float], x: Any) -> Any:
    """`function` of every element, computed in float64 and rounded to `x`'s dtype."""
    import numpy as np

    x = np.asarray(x)
    out = np.empty(x.shape, x.dtype)
    flat_in, flat_out = x.reshape(-1), out.reshape(-1)
    with np.errstate(all="ignore"):
        for k in range(flat_in.size):
            flat_out[k] = function(float(flat_in[k]))
    return out[()]


def _half_turns(x: Any, near: str, far: str, odd: bool) -> Any:
    """sin or cos (pi x): by `near` close to a whole number, by the complement's `far` elsewhere; exact at halves."""
    import numpy as np

    x = np.asarray(x)
    with np.errstate(all="ignore"):
        whole = np.rint(x)
        rest = x - whole
        complement = getattr(np, far)(math.pi * (0.5 - np.abs(rest)))
        if odd:
            complement = np.copysign(complement, rest)
        value = np.where(np.abs(rest) > 0.25, complement, getattr(np, near)(math.pi * rest))
        return np.where(np.mod(whole, 2) == 0, value, -value)[()]


def sinpi(x: Any) -> Any:
    return _half_turns(x, "sin", "cos", odd=True)


def cospi(x: Any) -> Any:
    return _half_turns(x, "cos", "sin", odd=False)


def tanpi(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return sinpi(x) / cospi(x)


def lgamma(x: float) -> float:
    """log |gamma x|; inf at the poles 0, -1, -2, …"""
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def gamma(x: float) -> float:
    """Signed infinity at 0, nan at -1, -2, …, inf where the value is too large."""
    if x == 0:
        return math.copysign(math.inf, x)
    try:
        return math.gamma(x)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def digamma(x: float) -> float:
    return polygamma(0, x)


def polygamma(order: int, x: float) -> float:
    """The derivative number `order` of digamma. At the poles 0, -1, -2, …: inf for odd orders, nan for even ones."""
    if math.isnan(x) or x == -math.inf:
        return math.nan
    if x == math.inf:
        return math.inf if order == 0 else 0.0
    if x <= 0 and x == math.floor(x):
        return math.inf if order % 2 else math.nan
    if x < 0:
        # polygamma(n, x) = (-1)^n polygamma(n, 1 - x) - pi d^n/dx^n cot(pi x)
        sign = -1.0 if order % 2 else 1.0
        return sign * polygamma(order, 1 - x) - math.pi ** (order + 1) * _cot_derivative(order, x)
    return _positive_polygamma(order, x)


def _cot_derivative(order: int, x: float) -> float:
    """d^order cot(u) / du^order at u = pi x, from cot' = -(1 + cot^2): a polynomial in the cotangent."""
    coefficients = [0, 1]
    for _ in range(order):
        derivative = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [0] * (len(derivative) + 2)
        for k, c in enumerate(derivative):
            coefficients[k] -= c
            coefficients[k + 2] -= c
    from_pole = x - round(x)
    # Near half integers the tangent of the complement is the accurate way to a small cotangent.
    if abs(from_pole) > 0.25:
        cot = math.tan(math.pi * (math.copysign(0.5, from_pole) - from_pole))
    else:
        cot = 1 / math.tan(math.pi * from_pole)
    total = float(coefficients[-1])  # never 0, so that an infinite cotangent makes no nan
    for c in reversed(coefficients[:-1]):
        total = total * cot + c
    return total


def _positive_polygamma(order: int, x: float) -> float:
    import numpy as np

    terms = []
    y = np.float64(x)
    factorial = np.float64(math.factorial(order))
    while y < 16 + order:
        terms.append(float(factorial / y ** np.float64(order + 1)))
        y += 1
    if order == 0:
        tail = [float(np.log(y)), float(-0.5 / y)]
        tail += [float(-b / (2 * k * y ** np.float64(2 * k))) for k, b in enumerate(BERNOULLI, 1)]
        return math.fsum(tail + [-t for t in terms]) if all(map(math.isfinite, terms)) else -math.inf
    tail = [
        float(math.factorial(order - 1) / y ** np.float64(order)),
        float(factorial / (2 * y ** np.float64(order + 1))),
    ]
    for k, b in enumerate(BERNOULLI, 1):
        rising = math.factorial(2 * k + order - 1) / math.factorial(2 * k)
        tail.append(float(b * rising / y ** np.float64(2 * k + order)))
    total = math.fsum(tail + terms) if all(map(math.isfinite, terms)) else math.inf
    return total if order % 2 else -total
