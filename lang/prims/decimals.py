"""Reference meanings of the functions of probability, in decimal arithmetic of sixty digits and more.

Written to be obviously right: series and continued fractions of Abramowitz & Stegun, Handbook of Mathematical Functions
(1964), with digits to spare, derivatives in a shape parameter as differences. The emitted code has its own way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import Any

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798")
DIGITS = 80  # of results; differences are taken with more


def exactly(function: Callable[..., Decimal], *args: float, digits: int = DIGITS) -> float:
    """The function of these numbers, rounded once; nan where an argument is, or where it is not defined."""
    if any(math.isnan(x) for x in args):
        return math.nan
    with localcontext() as context:
        context.prec = digits
        context.Emax, context.Emin = 10**12, -(10**12)
        try:
            return float(function(*map(Decimal, args)))
        except (ArithmeticError, ValueError):
            return math.nan


# ---------------------------------------------------------------- the normal distribution


def scaled_erfc(x: Decimal) -> Decimal:
    """exp(x²) erfc x for x >= 0: 7.1.6 below 8, 7.1.14 from there on."""
    if x < 8:
        term = total = x
        n = 0
        while term > total.scaleb(-DIGITS - 10):
            n += 1
            term *= 2 * x * x / (2 * n + 1)
            total += term
        return (x * x).exp() - 2 / PI.sqrt() * total
    fraction = x
    for k in range(160, 0, -1):
        fraction = x + Decimal(k) / 2 / fraction
    return 1 / (fraction * PI.sqrt())


def normal_below(x: Decimal) -> Decimal:
    if abs(x) > 10**5:
        return Decimal(int(x > 0))
    tail = (-x * x / 2).exp() * scaled_erfc(abs(x) / Decimal(2).sqrt()) / 2
    return tail if x < 0 else 1 - tail


def log_normal_below(x: Decimal) -> Decimal:
    if x > 0:
        tail = normal_below(-x)
        return (1 - tail).ln() if tail > Decimal(10) ** -40 else -tail
    return (scaled_erfc(-x / Decimal(2).sqrt()) / 2).ln() - x * x / 2


def mills(x: Decimal) -> Decimal:
    if x < 0:
        return (2 / PI).sqrt() / scaled_erfc(-x / Decimal(2).sqrt())
    return bell(x) / (2 * PI).sqrt() / normal_below(x)


def bell(x: Decimal) -> Decimal:
    return Decimal(0) if abs(x) > 10**5 else (-x * x / 2).exp()


def normal_quantile(p: Decimal) -> Decimal:
    if not 0 <= p <= 1:
        raise ValueError
    if p > Decimal("0.5"):
        return -normal_quantile(1 - p)
    if p == 0:
        return Decimal("-inf")
    if p == Decimal("0.5"):
        return Decimal(0)
    x, wanted = -(-2 * p.ln()).sqrt(), p.ln()
    for _ in range(60):  # Newton's iteration, monotonic since the logarithm is concave
        step = (log_normal_below(x) - wanted) / mills(x)
        x -= step
        if abs(step) < abs(x).scaleb(-40):
            break
    return x


def erf_inverse(x: Decimal) -> Decimal:
    return normal_quantile((1 + x) / 2) / Decimal(2).sqrt()


# ---------------------------------------------------------------- gamma functions


@cache
def bernoulli(count: int) -> tuple[Fraction, ...]:
    """B_2, B_4, …, so many"""
    found = [Fraction(1)]
    for n in range(1, 2 * count + 1):
        found.append(-sum((math.comb(n + 1, k) * found[k] for k in range(n)), Fraction(0)) / (n + 1))
    return tuple(found[2::2])


def log_gamma(x: Decimal) -> Decimal:
    """For positive x: 6.1.41 beyond 60, by recurrence."""
    factor = Decimal(1)
    while x < 60:
        factor *= x
        x += 1
    total = (x - Decimal("0.5")) * x.ln() - x + (2 * PI).ln() / 2 - factor.ln()
    power = x
    for k, b in enumerate(bernoulli(40), 1):
        total += Decimal(b.numerator) / Decimal(b.denominator) / (2 * k * (2 * k - 1)) / power
        power *= x * x
    return total


def log_beta(a: Decimal, b: Decimal) -> Decimal:
    if a <= 0 or b <= 0:
        return Decimal("inf") if min(a, b) == 0 else Decimal("nan")
    with localcontext() as context:
        context.prec += 2 * max(0, a.adjusted(), b.adjusted())
        return log_gamma(a) + log_gamma(b) - log_gamma(a + b)


def gamma_density(a: Decimal, x: Decimal) -> Decimal:
    return ((a - 1) * x.ln() - x - log_gamma(a)).exp()


def gamma_below(a: Decimal, x: Decimal) -> Decimal:
    """6.5.29 below the mean."""
    if x > a + 1:
        return 1 - gamma_above(a, x)
    term = total = Decimal(1)
    n = a
    while term > total.scaleb(-DIGITS):
        n += 1
        term *= x / n
        total += term
    return total * (a * x.ln() - x - log_gamma(a + 1)).exp()


def gamma_above(a: Decimal, x: Decimal) -> Decimal:
    """6.5.31 above the mean, evaluated forwards (Lentz)."""
    if x <= a + 1:
        return 1 - gamma_below(a, x)
    b = x + 1 - a
    c, d = Decimal("1e500"), 1 / b
    total = d
    for n in range(1, 200000):
        factor = -n * (n - a)
        b += 2
        d, c = 1 / (factor * d + b), b + factor / c
        total *= c * d
        if abs(c * d - 1) < Decimal(1).scaleb(-DIGITS + 10):
            break
    return total * (a * x.ln() - x - log_gamma(a)).exp()


def beta_below(a: Decimal, b: Decimal, x: Decimal) -> Decimal:
    """26.5.8, evaluated forwards (Lentz)."""
    if x * (a + b + 2) > a + 1:
        return 1 - beta_below(b, a, 1 - x)
    c, d = Decimal(1), 1 / (1 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, 200000):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / (1 + factor * d), 1 + factor / c
            total *= c * d
        if abs(c * d - 1) < Decimal(1).scaleb(-DIGITS + 10):
            break
    return total * (a * x.ln() + b * (1 - x).ln() - log_beta(a, b)).exp() / a


def differences(f: Callable[..., Decimal], orders: tuple[int, ...], *at: Decimal) -> Decimal:
    """The derivative of `f`, so many times in each argument, by central differences."""
    if not any(orders):
        return f(*at)
    k = next(k for k, order in enumerate(orders) if order)
    rest = tuple(order - (j == k) for j, order in enumerate(orders))
    h = min(at[k], Decimal(1)).scaleb(-18)
    ahead, back = (differences(f, rest, *at[:k], at[k] + sign * h, *at[k + 1 :]) for sign in (1, -1))
    return (ahead - back) / (2 * h)


def elementwise(function: Callable[..., float], *args: Any) -> Any:
    """`function` of every element of arrays that broadcast, rounded to their dtype."""
    import numpy as np

    arrays = np.broadcast_arrays(*args)
    out = np.empty(arrays[0].shape, arrays[0].dtype)
    with np.errstate(all="ignore"):
        for k in np.ndindex(out.shape):
            out[k] = function(*(float(x[k]) for x in arrays))
    return out[()]


def gamma_ends(a: float, x: float) -> float | None:
    """How much lies below x where no series is needed; nan outside of the domain."""
    if not (a >= 0 and x >= 0) or (math.isinf(a) and math.isinf(x)) or a == x == 0:
        return math.nan
    if x == 0 or math.isinf(a) or a - x > 40 * math.sqrt(a) + 2000:
        return 0.0
    if a == 0 or math.isinf(x) or x - a > 40 * math.sqrt(a) + 2000:
        return 1.0
    return None


def gamma_probability(a: float, x: float, order: int, upper: bool) -> float:
    """The incomplete gamma integral, or its derivative in the shape."""
    end = gamma_ends(a, x)
    if end is not None:
        return end * 0 if order else 1 - end if upper else end
    below = gamma_above if upper else gamma_below
    return exactly(lambda a, x: differences(below, (order, 0), a, x), a, x, digits=80 + 25 * order)


def beta_probability(a: float, b: float, x: float, first: int, second: int) -> float:
    if not (a > 0 and b > 0 and 0 <= x <= 1 and max(a, b) < 1e6):
        return math.nan
    if x in (0, 1):
        return 0.0 if first + second else x
    orders = (first, second, 0)
    return exactly(lambda a, b, x: differences(beta_below, orders, a, b, x), a, b, x, digits=80 + 25 * sum(orders))
