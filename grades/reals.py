"""Functions of real numbers, as doubles and as numbers of many digits: what elementwise primitives mean.

A double is Python's `float`, a number of many digits one of mpmath's. Outside of their domain functions are nan; what
overflows is infinite.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from ..lang.intrinsics import CONSTANTS
from ..lang.prims import PRIMITIVES

DIGITS = 60
NAN = float("nan")
INF = float("inf")


@cache
def context() -> Any:
    """mpmath with numbers of `DIGITS` digits, our own, so that nobody else's precision changes."""
    import mpmath

    mp = mpmath.mp.clone()
    mp.dps = DIGITS
    return mp


def literal(value: float, dtype: str) -> Fraction | float:
    """What a number in a program stands for: 0.1 is a tenth, whatever floats make of it. Infinities stay floats."""
    if not math.isfinite(value):
        return value
    if dtype == "f64":
        return Fraction(repr(value))
    import numpy as np

    narrow = {"f32": np.float32, "f16": np.float16}[dtype]
    return Fraction(str(narrow(value)))


@cache
def many_digits(value: float, dtype: str) -> Any:
    """A number of a program in many digits; `f64.pi` and `f64.e` are themselves."""
    mp = context()
    if abs(value) == CONSTANTS["pi"]:
        return +mp.pi if value > 0 else -mp.pi
    if value == CONSTANTS["e"]:
        return +mp.e
    meant = literal(value, dtype)
    return mp.mpf(meant) if isinstance(meant, float) else mp.mpf(meant.numerator) / meant.denominator


# ------------------------------------------------------------------ many digits


def real(value: Any) -> Any:
    """A real number, nan where the function leaves the real numbers."""
    mp = context()
    if isinstance(value, mp.mpc):
        return value.real if value.imag == 0 else mp.nan
    return value


def precise(name: str) -> Callable[..., Any] | None:
    """The primitive `name` on numbers of many digits; None where it has no such meaning."""
    record = PRIMITIVES.get(name)
    if name in MEANINGS:
        return _guarded(name, MEANINGS[name])
    return None if record is None or record.mp is None else _guarded(name, record.mp)


VAST = 10 ** 24
"""From here on the many digits of an exponential or a sine take for ever: they count as numbers without a value."""
ANY_SIZE = frozenset((
    "add", "sub", "mul", "div", "neg", "abs", "sign", "copysign", "sqrt", "cbrt", "hypot", "max", "min", "floor",
    "ceil", "round", "trunc", "log", "log2", "log10", "log1p", "square", "recip", "select", "cast"))


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def vast(x: Any) -> bool:
        return isinstance(x, context().mpf) and bool(context().isfinite(x)) and bool(abs(x) > VAST)

    def of_numbers(*args: Any, **attrs: Any) -> Any:
        mp = context()
        try:
            if name not in ANY_SIZE and any(map(vast, args[1:] if name == "pow" else args)):
                return mp.nan
            return real(function(mp, *args, **attrs))
        except (ZeroDivisionError, ValueError, OverflowError, TypeError):
            return mp.nan

    return of_numbers


def _divided(mp: Any, x: Any, y: Any) -> Any:
    if y == 0:
        return mp.nan if x == 0 or mp.isnan(x) else mp.inf * mp.sign(x)
    return x / y


def _power(mp: Any, x: Any, y: Any) -> Any:
    if x == 0:
        return mp.one if y == 0 else mp.zero if y > 0 else mp.inf
    return mp.power(x, y)


def _below(mp: Any, x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _bessel_log(mp: Any, x: Any) -> Any:
    return mp.log(mp.besseli(0, x))


# Where a record has no meaning in many digits, or one that presumes an argument inside of its domain.
MEANINGS: dict[str, Callable[..., Any]] = {
    "div": _divided,
    "pow": _power,
    "log": lambda mp, x: -mp.inf if x == 0 else mp.log(x),
    "softplus": lambda mp, x: max(x, mp.zero) + mp.log1p(mp.exp(-abs(x))),
    "sigmoid": lambda mp, x: 1 / (1 + mp.exp(-x)),
    "trigamma": lambda mp, x: mp.polygamma(1, x),
    "ldexp": lambda mp, x, k: mp.ldexp(x, int(k)),
    "bell": lambda mp, x: mp.exp(-x * x / 2),
    "ndtr": _below,
    "log_ndtr": lambda mp, x: mp.log(_below(mp, x)),
    "inverse_mills": lambda mp, x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi) / _below(mp, x),
    "ndtri": lambda mp, p: mp.sqrt(2) * mp.erfinv(2 * p - 1),
    "erfinv": lambda mp, x: mp.erfinv(x),
    "lbeta": lambda mp, p, q: mp.loggamma(p) + mp.loggamma(q) - mp.loggamma(p + q),
    "gammainc": lambda mp, a, x: mp.gammainc(a, 0, x, regularized=True),
    "gammaincc": lambda mp, a, x: mp.gammainc(a, x, mp.inf, regularized=True),
    "betainc": lambda mp, a, b, x: mp.betainc(a, b, 0, x, regularized=True),
    "gamma_moved": lambda mp, a, x: x,
    "bessel_i0": lambda mp, x: mp.besseli(0, x),
    "bessel_i1": lambda mp, x: mp.besseli(1, x),
    "log_i0": _bessel_log,
    "bessel_ratio": lambda mp, x: mp.besseli(1, x) / mp.besseli(0, x),
}


# ------------------------------------------------------------------ doubles


def _of_floats(function: Callable[..., float]) -> Callable[..., float]:
    def of_numbers(*args: float) -> float:
        try:
            return function(*args)
        except (ValueError, ZeroDivisionError):
            return NAN
        except OverflowError:
            return INF

    return of_numbers


def _float_divided(x: float, y: float) -> float:
    if y == 0.0:
        return NAN if x == 0.0 or x != x else math.copysign(INF, x) * math.copysign(1.0, y)
    return x / y


def _float_power(x: float, y: float) -> float:
    if x == 0.0 and y < 0.0:
        return INF
    result = x**y
    return result if isinstance(result, float) else NAN


def _float_log(x: float) -> float:
    return math.log(x) if x > 0.0 else -INF if x == 0.0 else NAN


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _sigmoid(x: float) -> float:
    small = math.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1.0 + small)


def _log_of_sum(x: float, y: float) -> float:
    return max(x, y) + math.log1p(math.exp(-abs(x - y)))


DOUBLES: dict[str, Callable[..., float]] = {
    "div": _float_divided, "log": _float_log, "pow": _of_floats(_float_power),
    "softplus": _of_floats(_softplus), "sigmoid": _of_floats(_sigmoid), "logaddexp": _of_floats(_log_of_sum),
    **{name: _of_floats(getattr(math, name)) for name in (
        "sqrt", "cbrt", "exp", "exp2", "expm1", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan",
        "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "hypot", "atan2", "copysign")},
}  # fmt: skip


def quick(name: str, attrs: dict[str, Any]) -> Callable[..., float]:
    """The primitive `name` on doubles."""
    found = DOUBLES.get(name)
    if found is not None:
        return found
    evaluate = PRIMITIVES[name].evaluate

    def of_numbers(*args: float) -> float:
        import numpy as np

        with np.errstate(all="ignore"):
            return float(evaluate(*(np.float64(x) for x in args), **attrs))

    return of_numbers
