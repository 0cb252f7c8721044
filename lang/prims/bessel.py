"""Reference meanings of modified Bessel functions, in decimal arithmetic.

Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 9.6.10 and 9.7.1.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

from .decimals import PI


def _scaled(order: int, x: Decimal) -> Decimal:
    """exp(-x) I(x) for x >= 0"""
    if x < 300:
        term = total = (x / 2) ** order / math.factorial(order) if order else Decimal(1)
        k = 0
        while term > total.scaleb(-140):
            k += 1
            term *= x * x / 4 / (k * (k + order))
            total += term
        return total * (-x).exp()
    term = total = Decimal(1)
    for k in range(1, 200):
        term *= -Decimal(4 * order * order - (2 * k - 1) ** 2) / (8 * k * x)
        total += term
        if abs(term) < Decimal(1).scaleb(-140):
            break
    return total / (2 * PI * x).sqrt()


def bessel_order(x: Decimal, order: int) -> Decimal:
    size = abs(x)
    value = Decimal("inf") if size > 10**4 else _scaled(order, size) * size.exp()
    return -value if x < 0 and order % 2 else value


def bessel_i0(x: Decimal) -> Decimal:
    return bessel_order(x, 0)


def bessel_i1(x: Decimal) -> Decimal:
    return bessel_order(x, 1)


def log_i0(x: Decimal) -> Decimal:
    return _scaled(0, abs(x)).ln() + abs(x) if x else Decimal(0)


def bessel_ratio(x: Decimal) -> Decimal:
    return (_scaled(1, abs(x)) / _scaled(0, abs(x))).copy_sign(x)


def bessel_spread(x: Decimal) -> Decimal:
    if x == 0:
        return Decimal("0.5")
    with localcontext() as context:
        context.prec += 2 * abs(x.adjusted())
        ratio = bessel_ratio(x)
        return 1 - ratio / x - ratio * ratio
