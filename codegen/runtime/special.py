"""Functions of real numbers that NumPy does not have; of single numbers often Python's own.

Emitted modules carry the text of those they use. All run where NumPy's floating-point warnings are off.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# Bernoulli numbers B_2, B_4, … B_20.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1))

# Chebyshev interpolants, written as polynomials on -1 .. 1, of erf x / x in u = 2 x**2 - 1 for |x| <= 1, and of
# exp (x**2) (x + 2) erfc x in a linear function of 1 / (x + 2) for 1 <= x <= 2.5 and beyond; errors below 3e-17.
ERF = (
    0.9654687386698673, -0.1405360890227171, 0.019852496688984218, -0.0022854855611441132, 0.00021751715603563404,
    -1.7537169441124826e-05, 1.2233827638116999e-06, -7.51156928660089e-08, 4.115751497588646e-09,
    -2.035228404899467e-10, 9.211251258348265e-12, -3.8078827395263415e-13,
)  # fmt: skip
ERFC_NEAR = (
    1.1014307721753878, 0.16677614758439735, 0.014318250448510247, 0.00028719521768464013, -5.975861584591024e-05,
    -2.3046418235014915e-06, 4.230605551496898e-07, 6.80943523196743e-09, -3.7239848544210257e-09,
    1.295080231325138e-10, 2.6661102720300403e-11, -3.064308585684233e-12,
)  # fmt: skip
ERFC_FAR = (
    0.7182004889623764, 0.18725043651471554, 0.03812993890389306, 0.005093722925437027, 9.777460490659824e-05,
    -0.00012748273313345452, -2.0217046649294074e-05, 2.9181278379492526e-06, 1.1925829368413326e-06,
    -6.949894060783786e-08, -7.160772680790243e-08, 2.1860442319724143e-09, 4.8454023271198895e-09,
    -1.811912960800066e-10, -3.5484096990397743e-10, 2.5319217243069346e-11, 2.1153070507683546e-11,
    -2.3936880261808255e-12,
)  # fmt: skip

# Likewise of lgamma y / (y - 2) in 2 (y - 2), for 1.5 <= y <= 2.5.
LGAMMA = (
    0.42278433509846713, 0.16123351671205663, -0.0168380752632989, 0.002572601053472542, -0.0004615969393086234,
    9.032844784489912e-05, -1.863677970188128e-05, 3.981793088659667e-06, -8.716991355051541e-07,
    1.9425327031438992e-07, -4.387081746459628e-08, 1.001249236957858e-08, -2.3086762989770807e-09,
    5.352455971471404e-10, -1.2049490071353507e-10, 2.8075860826633894e-11, -8.869173050841157e-12,
    2.1270762170785405e-12,
)  # fmt: skip


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


def sech(x: Any) -> Any:
    """1 / cosh x, by the exponential that can't overflow."""
    small = np.exp(-np.abs(x))
    return 2 * small / (1 + small * small)


def softplus(x: Any) -> Any:
    """log (1 + exp x), by the exponential that can't overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def logit(p: Any) -> Any:
    """log (p / (1 - p)); around a half, where the logarithms cancel, by atanh."""
    return np.where(np.abs(p - 0.5) < 0.2, 2 * np.arctanh(2 * p - 1), np.log(p) - np.log1p(-p)).astype(p.dtype)[()]


def log1mexp(x: Any) -> Any:
    """log (1 - exp x)"""
    return np.where(x > -0.6931471805599453, np.log(-np.expm1(x)), np.log1p(-np.exp(x))).astype(x.dtype)[()]


def gauss(x: Any) -> Any:
    """exp (-x**2): the square of what is left beside a multiple of 1/64, whose square is exact, is small."""
    x = np.clip(x, -40, 40)
    head = np.rint(x * 64) / 64
    return np.exp(-head * head) * np.exp((head - x) * (head + x))


def direction(x: Any, y: Any) -> Any:
    """x / hypot x y, also where the length is no normal number; 0 at the origin."""
    length = np.asarray(np.hypot(x, y))
    out = np.asarray(x / length)
    odd = ~((length > 4 * np.finfo(length.dtype).smallest_normal) & (length < np.inf))
    if odd.any():
        u, v = (np.broadcast_to(z, length.shape)[odd] for z in (x, y))
        size = np.maximum(np.abs(u), np.abs(v))
        far, nowhere = np.isinf(size), size == 0
        scale = np.where(far | nowhere, 0, np.frexp(size)[1])
        u, v = (np.where(far, np.where(np.isinf(z), np.copysign(1, z), 0), np.ldexp(z, -scale)) for z in (u, v))
        found = np.where(nowhere, 0, u / np.where(nowhere, 1, np.hypot(u, v)))
        if out.ndim == 0:
            return found.astype(length.dtype)[0]
        out[odd] = found
    return out[()]


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
    """log |gamma x|; inf at the poles 0, -1, -2, …

    By Stirling's series (Abramowitz & Stegun 6.1.41) from 9 on, below that by the recurrence, left of 0 by reflection.
    """
    x = np.asarray(x)
    return each(_lgamma, x) if x.ndim == 0 else _in_blocks(_lgamma_block, x)


def _lgamma_block(x: Any) -> Any:
    tiny = np.abs(x) < 1e-10
    left = (x < 0.5) & ~tiny
    y = start = np.where(left, 1.0 - x, x)
    factor = np.ones_like(y)
    low = y < 9
    while low.any():
        factor *= np.where(low, y, 1.0)
        y = y + low
        low = y < 9
    over = 1.0 / y
    square = over * over
    series = np.full_like(y, STIRLING[-1])
    for c in STIRLING[-2::-1]:
        series = series * square + c
    value = (y - 0.5) * np.log(y) - y + (0.9189385332046728 + series * over) - np.log(factor)
    value = np.where(y < 1e306, value, y * (np.log(y) - 1))
    near = start < 3.5  # its zeros 1 and 2, and what the recurrence reaches from there; differences are exact
    if near.any():
        first = start[near]
        step = np.where(first < 1.5, -1.0, np.where(first < 2.5, 0.0, 1.0))
        from_two = first - (2 + step)
        around = from_two * _polynomial(LGAMMA, 2 * from_two)
        value[near] = around + step * np.log(np.where(step < 0, first, np.where(step > 0, first - 1, 1.0)))
    if left.any():
        value = np.where(left, 1.1447298858494002 - np.log(np.abs(sinpi(x))) - value, value)
        value = np.where(np.isinf(x) | (left & (x == np.floor(x))), np.inf, value)
    return np.where(np.isinf(x), np.inf, np.where(tiny, -np.log(np.abs(x)) - 0.5772156649015329 * x, value))


def gamma(x: Any) -> Any:
    """Signed infinity at 0, nan at -1, -2, …, inf where the value is too large."""
    return each(_gamma, x)


def erf(x: Any) -> Any:
    """2 / sqrt pi times the integral of exp (-t**2) from 0 to x; arrays by polynomials (see `ERF`)."""
    x = np.asarray(x)
    return each(math.erf, x) if x.ndim == 0 else _in_blocks(_erf_block, x)


def erfc(x: Any) -> Any:
    """1 - erf x, without cancellation."""
    x = np.asarray(x)
    return each(math.erfc, x) if x.ndim == 0 else _in_blocks(_erfc_block, x)


def _erf_block(x: Any) -> Any:
    size = np.abs(x)
    out = np.copysign(np.where(np.isnan(x), x, 1.0), x)
    inner, outer = size < 1, (size >= 1) & (size < 6)
    out[inner] = _erf_center(x[inner])
    out[outer] = np.copysign(1.0 - _erfc_tail(size[outer]), x[outer])
    return out


def _erfc_block(x: Any) -> Any:
    size = np.abs(x)
    out = np.where(np.isnan(x), x, np.where(x < 0, 2.0, 0.0))
    inner, outer = size < 1, (size >= 1) & (size < 28)
    out[inner] = 1.0 - _erf_center(x[inner])
    tail = _erfc_tail(size[outer])
    out[outer] = np.where(x[outer] < 0, 2.0 - tail, tail)
    return out


def _erf_center(x: Any) -> Any:
    """erf for |x| <= 1."""
    return x * _polynomial(ERF, 2 * x * x - 1)


def _erfc_tail(x: Any) -> Any:
    """erfc for 1 <= x < 28: exp (-x**2) / (x + 2) times a polynomial in 1 / (x + 2)."""
    t = 1 / (x + 2)
    scale, near = np.empty_like(t), x < 2.5
    scale[near] = _polynomial(ERFC_NEAR, 18 * t[near] - 5)
    far = ~near
    scale[far] = _polynomial(ERFC_FAR, 9 * t[far] - 1)
    # x**2 = head**2 + (x - head) (x + head), of which the first part is exact
    head = x.astype(np.float32).astype(np.float64)
    return np.exp(-head * head) * np.exp(-(x - head) * (x + head)) * scale * t


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total *= x
        total += c
    return total


def _in_blocks(function: Any, x: Any) -> Any:
    """`function` of an array, in float64 and in parts that fit into the processor's cache."""
    out = np.empty(x.shape, x.dtype)
    flat, filled = x.reshape(-1), out.reshape(-1)
    for start in range(0, flat.size, 8192):
        filled[start : start + 8192] = function(flat[start : start + 8192].astype(np.float64))
    return out


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
