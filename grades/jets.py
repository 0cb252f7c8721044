"""Truncated Taylor series, on one side of a point: what is computed from a parameter t > 0 that goes to 0.

A `Jet` holds c[0] + c[1] t + c[2] t² + … as far as is known; coefficients are doubles, numbers of many digits, or jets
of a lower level (derivatives inside of derivatives). Since t has a sign, everything that is decided by a comparison has
one answer: the first coefficient that is not zero decides. So abs, floor and branches give what is on that side, and
0 / 0 and roots of squares are what they tend to. Recurrences: A. Griewank and A. Walther, Evaluating Derivatives
(2008), section 13.2.

>>> x = Jet((2.0, 1.0, 0.0))
>>> (x * x).c
(4.0, 4.0, 1.0)
>>> apply("abs", (Jet((0.0, -1.0, 0.0)),)).c
(0.0, 1.0, 0.0)
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .reals import NAN, context, precise, quick

Number = Any  # float | mpf | Jet
Attrs = dict[str, Any]


class Jet:
    """A series in the parameter of `level`; whatever has a lower level is constant to it."""

    __slots__ = ("c", "level")
    __array_priority__ = 1000.0

    def __init__(self, c: tuple[Number, ...], level: int = 0) -> None:
        self.c = c
        self.level = level

    def __repr__(self) -> str:
        return f"Jet({self.c!r}, {self.level})"

    def of(self, other: Number) -> tuple[Number, ...] | None:
        """The coefficients of a series in the same parameter; None for a constant."""
        return other.c if type(other) is Jet and other.level == self.level else None

    def below(self, other: Number) -> bool:
        return type(other) is Jet and other.level > self.level

    def __neg__(self) -> Jet:
        return Jet(tuple([-a for a in self.c]), self.level)

    def __pos__(self) -> Jet:
        return self

    def __add__(self, other: Number) -> Number:
        if self.below(other):
            return other + self
        d = self.of(other)
        if d is None:
            return Jet((self.c[0] + other, *self.c[1:]), self.level)
        return Jet(tuple([a + b for a, b in zip(self.c, d, strict=False)]), self.level)

    __radd__ = __add__

    def __sub__(self, other: Number) -> Number:
        return self + (-other)

    def __rsub__(self, other: Number) -> Number:
        return -self + other

    def __mul__(self, other: Number) -> Number:
        if self.below(other):
            return other * self
        d = self.of(other)
        if d is None:
            return Jet(tuple([a * other for a in self.c]), self.level)
        c = self.c
        out = []
        for k in range(min(len(c), len(d))):
            total = c[0] * d[k]
            for j in range(1, k + 1):
                total = total + c[j] * d[k - j]
            out.append(total)
        return Jet(tuple(out), self.level)

    __rmul__ = __mul__

    def __truediv__(self, other: Number) -> Number:
        return divided(self, other)

    def __rtruediv__(self, other: Number) -> Number:
        return divided(other, self)


# ------------------------------------------------------------------ what is small, what has which sign


def leaf(x: Number) -> Number:
    """The constant coefficient of all levels."""
    while type(x) is Jet:
        x = x.c[0]
    return x


def tiny(x: Number, scale: float = 1.0) -> bool:
    """Whether a coefficient is zero but for rounding, in a computation with numbers of size `scale`."""
    if type(x) is Jet:
        return all(tiny(a, scale) for a in x.c)
    return bool(abs(x) <= (1e-12 if isinstance(x, float) else 1e-40) * scale)


def sign(x: Number, scale: float = 1.0) -> int:
    """The sign for small t > 0; of a constant its own."""
    if type(x) is not Jet:
        return int(x > 0) - int(x < 0)
    for a in x.c:
        if not tiny(a, scale):
            return sign(a, scale)
    return 0


def compared(x: Number, y: Number) -> int:
    """The sign of x - y; 0 too where one of them is nan."""
    if type(x) is not Jet and type(y) is not Jet:
        return int(x > y) - int(x < y)
    size = max(abs(leaf(x)), abs(leaf(y)))
    if size == math.inf:
        return int(leaf(x) > leaf(y)) - int(leaf(x) < leaf(y))
    return sign(x - y, max(1.0, float(size)) if size < 1e300 else 1e300)


def meet(x: Number, y: Number) -> bool:
    """Whether two numbers are equal at the point itself, but for rounding."""
    a, b = leaf(x), leaf(y)
    return bool(a == b) or tiny(a - b, max(1.0, float(min(abs(a), 1e300))))


def valuation(c: Sequence[Number]) -> int:
    """How many coefficients at the beginning are zero."""
    for k, a in enumerate(c):
        if not tiny(a):
            return k
    return len(c)


def finite(x: Number) -> bool:
    """Whether all coefficients are finite numbers."""
    if type(x) is Jet:
        return all(finite(a) for a in x.c)
    return bool(-math.inf < x < math.inf)


def nan(x: Number) -> Number:
    return NAN if isinstance(leaf(x), float) else context().nan


def constant(name: str, x: Number) -> Number:
    """`pi` and the like, as numbers of the kind that `x` holds."""
    if isinstance(leaf(x), float):
        return float(getattr(context(), name))
    return +getattr(context(), name)


def whole(x: Number, value: int) -> Number:
    """An integer as a number of the kind that `x` holds."""
    return float(value) if isinstance(leaf(x), float) else context().mpf(value)


# ------------------------------------------------------------------ division, powers, roots


def divided(x: Number, y: Number) -> Number:
    if type(y) is not Jet or (type(x) is Jet and x.level > y.level):
        if type(x) is not Jet:
            return scalar("div", (x, y), {})
        return Jet(tuple([divided(a, y) for a in x.c]), x.level)
    d: Sequence[Number] = y.c
    own = y.of(x)
    c: Sequence[Number] = (x,) + (x * 0,) * (len(d) - 1) if own is None else own
    zeros = valuation(d)
    if zeros:
        if zeros == len(d) or valuation(c) < zeros:
            return nan(y)
        c, d = c[zeros:], d[zeros:]
    out: list[Number] = []
    for k in range(min(len(c), len(d))):
        total = c[k]
        for j in range(1, k + 1):
            total = total - d[j] * out[k - j]
        out.append(divided(total, d[0]))
    return Jet(tuple(out), y.level) if out else nan(y)


def power(x: Number, y: Number) -> Number:
    """x ** y: with a whole exponent for every x, else where x is positive or goes to 0 from above."""
    if type(y) is Jet:
        if all(tiny(a) for a in y.c[1:]):
            return power(x, y.c[0])
        return apply("exp", (y * apply("log", (x,)),))
    if not isinstance(x, Jet):
        return scalar("pow", (x, y), {})
    number = float(y)
    if number == int(number) and abs(number) <= 64:
        return _repeated(x, int(number))
    return _root(x, y)


def _repeated(x: Jet, n: int) -> Number:
    if n < 0:
        return divided(whole(x, 1), _repeated(x, -n))
    result: Number = Jet((whole(x, 1), *[a * 0 for a in x.c[1:]]), x.level)
    base: Number = x
    while n:
        if n & 1:
            result = result * base
        n >>= 1
        if n:
            base = base * base
    return result


def _root(x: Jet, p: Number) -> Number:
    """x ** p for a fraction p: t^v u(t) to the p is t^(v p) u^p, whose next term after t^(v p) is not a slope if v p is
    no whole number."""
    zeros = valuation(x.c)
    if zeros == len(x.c):
        return _flat_zero(x, float(p) * zeros) if float(p) > 0 else nan(x)
    c = x.c[zeros:]
    if sign(c[0]) < 0:
        return nan(x)
    lead = apply("sqrt", (c[0],)) if p == 0.5 else power(c[0], p)
    out = [lead]
    for k in range(1, len(c)):
        total: Number = c[0] * 0
        for j in range(1, k + 1):
            total = total + c[j] * out[k - j] * (p * j - (k - j))
        out.append(divided(total, c[0] * k))
    if not zeros:
        return Jet(tuple(out), x.level)
    first = float(p) * zeros
    if first < 0:
        return nan(x)
    if first != int(first):
        return _flat_zero(x, first)
    kept = (c[0] * 0,) * int(first) + tuple(out)
    return Jet(kept[:len(x.c)], x.level)


def _flat_zero(x: Jet, order: float) -> Number:
    """Zero as far as derivatives exist, of what behaves like t ** order."""
    return Jet((x.c[0] * 0,) * min(len(x.c), math.ceil(order)), x.level)


# ------------------------------------------------------------------ kinks and steps


def larger(x: Number, y: Number) -> Number:
    if leaf(x) != leaf(x):
        return y
    return x if leaf(y) != leaf(y) or compared(x, y) >= 0 else y


def smaller(x: Number, y: Number) -> Number:
    if leaf(x) != leaf(x):
        return y
    return x if leaf(y) != leaf(y) or compared(x, y) <= 0 else y


def magnitude(x: Number) -> Number:
    return -x if sign(x) < 0 else x


def floor(x: Number) -> Number:
    """The largest integer that is not greater, on this side."""
    value = leaf(x)
    if not -math.inf < value < math.inf:
        return value
    if type(x) is not Jet:
        return float(math.floor(x)) if isinstance(x, float) else context().floor(x)
    near = whole(x, round(float(value)) if abs(value) < 1e15 else int(value))
    size = max(1.0, abs(float(near)))
    if tiny(value - near, size):
        return near - 1 if sign(x - near, size) < 0 else near
    return context().floor(value) if not isinstance(value, float) else float(math.floor(value))


def ceil(x: Number) -> Number:
    return -floor(-x)


def trunc(x: Number) -> Number:
    return floor(x) if sign(x) >= 0 else ceil(x)


def nearest(x: Number) -> Number:
    """Rounded to whole numbers, halves to the even side."""
    value = leaf(x)
    if not -math.inf < value < math.inf:
        return value
    half = divided(whole(x, 1), whole(x, 2))
    low = floor(x)
    side = sign(x - low - half, max(1.0, abs(float(low))))
    if side:
        return low + 1 if side > 0 else low
    return low if int(low) % 2 == 0 else low + 1


def modulo(x: Number, y: Number) -> Number:
    return x - y * floor(divided(x, y))


def remainder(x: Number, y: Number) -> Number:
    return x - y * trunc(divided(x, y))


def signed(x: Number, y: Number) -> Number:
    size = magnitude(x)
    if type(y) is float:
        return -size if math.copysign(1.0, y) < 0 else size
    return -size if sign(y) < 0 else size


def angle(y: Number, x: Number) -> Number:
    """atan2: its derivative is (x dy - y dx) / (x² + y²); behind the origin the side of y decides."""
    level = max(z.level for z in (x, y) if type(z) is Jet)
    length = min(len(z.c) for z in (x, y) if type(z) is Jet and z.level == level)
    cx, cy = (z.c if type(z) is Jet and z.level == level else (z, *[z * 0] * (length - 1)) for z in (x, y))
    x0, y0 = cx[0], cy[0]
    if tiny(x0) and tiny(y0):
        return nan(x)
    start = apply("atan2", (y0, x0))
    if tiny(y0) and sign(x0) < 0 and sign(y) != 0:
        start = constant("pi", x) * sign(y) + (y0 * 0)
    short = length - 1
    if not short:
        return Jet((start,), level)
    jx, jy = Jet(tuple(cx[:length]), level), Jet(tuple(cy[:length]), level)
    dx, dy = slope(jx), slope(jy)
    lower_x, lower_y = Jet(jx.c[:short], level), Jet(jy.c[:short], level)
    rate = divided(lower_x * dy - lower_y * dx, lower_x * lower_x + lower_y * lower_y)
    return integrated(start, rate, level)


def slope(x: Jet) -> Jet:
    """The derivative in t."""
    return Jet(tuple([a * k for k, a in enumerate(x.c)][1:]), x.level)


def integrated(start: Number, rate: Number, level: int) -> Number:
    if type(rate) is not Jet or rate.level != level:
        return Jet((start, rate), level) if finite(rate) else nan(rate)
    return Jet((start, *(divided(a, whole(a, k + 1)) for k, a in enumerate(rate.c))), level)


# ------------------------------------------------------------------ smooth functions of one number


def _one(x: Number) -> Number:
    return whole(x, 1)


def _sqrt_of(x: Number) -> Number:
    return apply("sqrt", (x,))


def _reciprocal(x: Number) -> Number:
    return divided(_one(x), x)


def _exp(x: Number) -> Number:
    return apply("exp", (x,))


# The derivative of each function as one of its argument; itself, to one order less, is `apply(name, (x,))`.
SLOPES: dict[str, Callable[[Number], Number]] = {
    "exp": _exp,
    "exp2": lambda x: apply("exp2", (x,)) * constant("ln2", x),
    "expm1": _exp,
    "log": _reciprocal,
    "log2": lambda x: divided(_one(x), x * constant("ln2", x)),
    "log10": lambda x: divided(_one(x), x * constant("ln10", x)),
    "log1p": lambda x: _reciprocal(x + 1),
    "sigmoid": lambda x: _product(lambda s: s * (1 - s), "sigmoid", x),
    "softplus": lambda x: apply("sigmoid", (x,)),
    "logit": lambda x: _reciprocal(x * (1 - x)),
    "log1mexp": lambda x: divided(_exp(x), apply("expm1", (x,))),
    "sech": lambda x: -(apply("sech", (x,)) * apply("tanh", (x,))),
    "sin": lambda x: apply("cos", (x,)),
    "cos": lambda x: -apply("sin", (x,)),
    "tan": lambda x: _product(lambda y: y * y + 1, "tan", x),
    "asin": lambda x: _reciprocal(_sqrt_of(1 - x * x)),
    "acos": lambda x: -_reciprocal(_sqrt_of(1 - x * x)),
    "atan": lambda x: _reciprocal(x * x + 1),
    "sinh": lambda x: apply("cosh", (x,)),
    "cosh": lambda x: apply("sinh", (x,)),
    "tanh": lambda x: _product(lambda y: 1 - y * y, "tanh", x),
    "asinh": lambda x: _reciprocal(_sqrt_of(x * x + 1)),
    "acosh": lambda x: _reciprocal(_sqrt_of(x * x - 1)),
    "atanh": lambda x: _reciprocal(1 - x * x),
    "sinpi": lambda x: apply("cospi", (x,)) * constant("pi", x),
    "cospi": lambda x: -(apply("sinpi", (x,)) * constant("pi", x)),
    "tanpi": lambda x: _product(lambda y: (y * y + 1) * constant("pi", x), "tanpi", x),
    "asinpi": lambda x: divided(_reciprocal(_sqrt_of(1 - x * x)), constant("pi", x)),
    "acospi": lambda x: -divided(_reciprocal(_sqrt_of(1 - x * x)), constant("pi", x)),
    "atanpi": lambda x: divided(_reciprocal(x * x + 1), constant("pi", x)),
    "lgamma": lambda x: apply("digamma", (x,)),
    "gamma": lambda x: apply("gamma", (x,)) * apply("digamma", (x,)),
    "digamma": lambda x: apply("polygamma", (x,), {"order": 1}),
    "trigamma": lambda x: apply("polygamma", (x,), {"order": 2}),
    "bell": lambda x: -(x * apply("bell", (x,))),
    "gauss": lambda x: x * apply("gauss", (x,)) * -2,
    "erf": lambda x: divided(_exp(-(x * x)) * 2, _sqrt_of(constant("pi", x))),
    "erfc": lambda x: divided(_exp(-(x * x)) * -2, _sqrt_of(constant("pi", x))),
    "ndtr": lambda x: divided(apply("bell", (x,)), _sqrt_of(constant("pi", x) * 2)),
    "log_ndtr": lambda x: apply("inverse_mills", (x,)),
    "inverse_mills": lambda x: _product(lambda y: -(y * (x + y)), "inverse_mills", x),
    "ndtri": lambda p: divided(_sqrt_of(constant("pi", p) * 2), apply("bell", (apply("ndtri", (p,)),))),
    "erfinv": lambda x: divided(
        _sqrt_of(constant("pi", x)), _product(lambda y: _exp(-(y * y)) * 2, "erfinv", x)),
    "bessel_i0": lambda x: apply("bessel_i1", (x,)),
    "bessel_i1": lambda x: apply("bessel_i0", (x,)) - divided(apply("bessel_i1", (x,)), x),
    "log_i0": lambda x: apply("bessel_ratio", (x,)),
    "bessel_ratio": lambda x: _product(lambda r: 1 - divided(r, x) - r * r, "bessel_ratio", x),
}


def _product(rule: Callable[[Number], Number], name: str, x: Number) -> Number:
    return rule(apply(name, (x,)))


# What has kinks, steps or several arguments, in terms of the rest.
RULES: dict[str, Callable[..., Number]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "scaled": lambda x, y: x if sign(x) == 0 else x * y,
    "neg": lambda x: -x,
    "fma": lambda x, y, z: x * y + z,
    "div": divided,
    "pow": power,
    "sqrt": lambda x: _root(x, whole(x, 1) / 2),
    "rsqrt": lambda x: divided(_one(x), _sqrt_of(x)),
    "cbrt": lambda x: _cube_root(x),
    "mod": modulo,
    "rem": remainder,
    "max": larger,
    "min": smaller,
    "abs": magnitude,
    "sign": lambda x: whole(x, sign(x)),
    "floor": floor,
    "ceil": ceil,
    "trunc": trunc,
    "round": nearest,
    "copysign": signed,
    "hypot": lambda x, y: _sqrt_of(x * x + y * y),
    "direction": lambda x, y: divided(x, _sqrt_of(x * x + y * y)),
    "atan2": angle,
    "atan2pi": lambda y, x: divided(angle(y, x), constant("pi", y)),
    "logaddexp": lambda x, y: y + apply("softplus", (x - y,)),
    "lbeta": lambda p, q: apply("lgamma", (p,)) + apply("lgamma", (q,)) - apply("lgamma", (p + q,)),
    "nextafter": lambda x, y: x,
}


def _cube_root(x: Jet) -> Number:
    third = divided(whole(x, 1), whole(x, 3))
    return -_root(-x, third) if sign(x) < 0 else _root(x, third)


def scalar(name: str, args: Sequence[Number], attrs: Attrs) -> Number:
    """The primitive of numbers without a parameter."""
    if all(isinstance(x, float) for x in args):
        return quick(name, attrs)(*args)
    rule = precise(name)
    if rule is None:
        return context().nan
    return rule(*args, **attrs)


def apply(name: str, args: Sequence[Number], attrs: Attrs | None = None) -> Number:
    """An elementwise primitive of numbers, of which some may be jets; nan where it has no value or no series."""
    attrs = attrs or {}
    level = max((x.level for x in args if type(x) is Jet), default=-1)
    if level < 0:
        return scalar(name, args, attrs)
    rule = RULES.get(name)
    if rule is not None:
        return rule(*args)
    if name == "ldexp":
        return args[0] * (2.0 ** int(args[1]) if isinstance(leaf(args[0]), float) else context().mpf(2) ** int(args[1]))
    if name == "polygamma":
        return _composed(name, args[0], attrs, lambda x: apply("polygamma", (x,), {"order": attrs["order"] + 1}))
    if name in SLOPES:
        return _composed(name, args[0], attrs, SLOPES[name])
    return _sampled(name, args, attrs, level)


def _composed(name: str, x: Jet, attrs: Attrs, rate: Callable[[Number], Number]) -> Number:
    """f(x(t)) by integrating f'(x(t)) x'(t)."""
    start = apply(name, (x.c[0],), attrs)
    if len(x.c) == 1 or leaf(start) != leaf(start):
        return Jet((start,), x.level) if leaf(start) == leaf(start) else start
    if all(tiny(a) for a in x.c[1:]):
        return Jet((start, *x.c[1:]), x.level)
    short = Jet(x.c[:-1], x.level)
    return integrated(start, rate(short) * slope(x), x.level)


def _sampled(name: str, args: Sequence[Number], attrs: Attrs, level: int) -> Number:
    """By differences in still more digits, for what has no rule; all coefficients must be numbers."""
    series = [x.c if type(x) is Jet else (x,) for x in args]
    length = min(len(x.c) for x in args if type(x) is Jet)
    if level > 0 or any(type(a) is Jet for c in series for a in c):
        return nan(args[0])
    mp = context()
    rule = precise(name)
    if rule is None:
        return nan(args[0])

    def along(t: Any) -> Any:
        return rule(*(mp.fsum(a * t**k for k, a in enumerate(c)) for c in series), **attrs)

    found = mp.taylor(along, 0, length - 1)
    if any(isinstance(a, float) for c in series for a in c):
        found = [float(a) for a in found]
    return Jet(tuple(found), 0)
