"""Functions that are formulas of others: slopes of inverse functions, logarithms of probabilities, the normal density.

A slope is its formula, operation by operation, so it has the interpreter's bits where that rounds each operation.
"""

from __future__ import annotations

import math

from .builder import Builder, Value
from .coefficients import ROOT_HALF_PAIR
from .error import near, tail
from .exponential import clamped, exp, exp_parts, expm1
from .inverse import acos, asin, atan, atan2
from .logarithm import atanh, log, log1p
from .power import hypot

NAN = float("nan")


def asin_slope(b: Builder, x: Value) -> Value:
    """1 / sqrt ((1 - x) (1 + x))"""
    one = b.value(1.0)
    return one / b.sqrt((one - x) * (one + x))


def asinh_slope(b: Builder, x: Value) -> Value:
    """1 / hypot x 1"""
    one = b.value(1.0)
    return one / hypot(b, x, one)


def acosh_slope(b: Builder, x: Value) -> Value:
    """1 / sqrt ((x - 1) (x + 1)), the product without rounding errors to speak of; nan below 1"""
    usual = b.both(x >= 1.0, x < 2.0**500)
    y = b.where(usual, x, 2.0)
    below, above = b.two_sum(y, -1.0), b.two_sum(y, 1.0)
    high, low = b.product(below, above)
    near = b.value(1.0) / b.sqrt(high + low)
    return b.where(usual, near, b.where(x >= 1.0, b.value(1.0) / x, NAN) + b.where(b.nan(x), x, 0.0))


def logit(b: Builder, p: Value) -> Value:
    """2 atanh (2 p - 1) in the middle, else log p - log1p (-p)"""
    middle = b.abs(p - 0.5) < 0.2
    inner = atanh(b, b.where(middle, p * 2.0 - 1.0, 0.0)) * 2.0
    return b.where(middle, inner, log(b, p) - log1p(b, -p))


def log1mexp(b: Builder, x: Value) -> Value:
    """log (-expm1 x) from -log 2 on, else log1p (-exp x)"""
    return b.where(x > -math.log(2.0), log(b, -expm1(b, x)), log1p(b, -exp(b, x)))


def bell(b: Builder, x: Value) -> Value:
    """exp (-x**2 / 2)"""
    x = clamped(b, x, -40.0, 40.0)
    high, low = b.two_product(x, x)
    n, p = exp_parts(b, high * -0.5, low * -0.5)
    return b.scaled(p[0], n)


def ndtr(b: Builder, x: Value) -> Value:
    """1/2 erfc (-x / sqrt 2)"""
    a = b.abs(x)
    a = b.where(a > 39.0, 39.0, a)
    u, low = b.product((a, b.value(0.0)), (b.value(ROOT_HALF_PAIR[0]), b.value(ROOT_HALF_PAIR[1])))
    n, p = tail(b, u, low)
    below = b.scaled(p[0], n - 1)
    far = b.where(x > 0.0, b.value(1.0) - below, below)
    inner = b.value(0.5) + near(b, b.copysign(u, x)) * 0.5
    return b.where(b.nan(x), x, b.where(u < 0.45, inner, far))


def asinpi(b: Builder, x: Value) -> Value:
    return asin(b, x) / math.pi


def acospi(b: Builder, x: Value) -> Value:
    return acos(b, x) / math.pi


def atanpi(b: Builder, x: Value) -> Value:
    return atan(b, x) / math.pi


def atan2pi(b: Builder, y: Value, x: Value) -> Value:
    return atan2(b, y, x) / math.pi
