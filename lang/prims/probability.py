"""Elementwise primitives of probability: the normal, gamma, beta and von Mises distributions and what belongs to them.

Slopes are functions of their own wherever their terms would cancel, so that derivatives are as exact as values. Those
in the shape parameters of gamma and beta have no closed form: they are `gamma_shape` and `beta_shape`, of every order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..core.ir import Atom, Type
from ..core.primitive import Attrs, Domain, Primitive, register
from . import bessel, decimals, special
from .common import elementwise_rank, expect_attrs, expect_count, fail, number, one, unbroadcast
from .declare import SPECIAL, from_one, plus

if TYPE_CHECKING:
    from ..core.build import Builder

NAMES: list[str] = []
"""All of this table. Their reference meanings are slow, so that they have tests of their own."""
Slope = Callable[["Builder", Sequence[Atom], Atom, dict[str, int]], Atom]


def exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The reference meaning by decimal arithmetic."""
    return lambda *args: decimals.elementwise(lambda *xs: decimals.exactly(function, *xs), *args)


def _positive(argument: int) -> Domain:
    return Domain(argument, 0.0, fix="make sure that its arguments are positive: refine parameters, as in f64{>0}")


def shaped(
    name: str,
    slopes: Sequence[Slope],
    evaluate: Callable[..., Any],
    numpy: str,
    *,
    names: str = "",
    attrs: Sequence[str] = (),
    domain: Sequence[Domain] = (),
    doc: str = "",
) -> None:
    """A function of several numbers, whose slopes may depend on attributes; programs may name it if arguments have
    `names`."""

    def infer(args: Sequence[Type], given: Attrs) -> Type:
        expect_count(args, len(slopes))
        expect_attrs(given, **dict.fromkeys(attrs, int))
        if any(a.dtype != args[0].dtype or not a.is_float for a in args):
            raise fail(f"operands of types {', '.join(map(str, args))}")
        return Type(args[0].dtype, elementwise_rank(args))

    def orders(given: Attrs) -> dict[str, int]:
        return {key: value for key, value in given.items() if isinstance(value, int)}

    def jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], given: Attrs) -> Atom | None:
        total: Atom | None = None
        for slope, tangent in zip(slopes, tangents, strict=True):
            if tangent is not None:
                term = b.prim("scaled", tangent, slope(b, args, r, orders(given)))
                total = term if total is None else b.add(total, term)
        return total

    def vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, given: Attrs) -> Sequence[Atom | None]:
        return [
            unbroadcast(b, b.prim("scaled", ct, slope(b, args, r, orders(given))), x)
            for slope, x in zip(slopes, args, strict=True)
        ]

    NAMES.append(name)
    register(
        Primitive(
            name,
            infer,
            evaluate,
            numpy,
            flops=SPECIAL,
            elementwise=True,
            signature=f"'a: float {' '.join(f'({x}: a)' for x in names.split())} : a" if names else None,
            jvp=jvp,
            vjp=vjp,
            singular=True,
            domain=tuple(domain),
            doc=doc,
        )
    )


# ------------------------------------------------------------------ the normal distribution


def _times(b: Builder, value: float, x: Atom) -> Atom:
    return b.mul(number(value, x), x)


def _one(
    name: str,
    slope: Callable[[Builder, Atom, Atom], Atom],
    evaluate: Callable[..., Any],
    numpy: str,
    *,
    names: str = "x",
    domain: Sequence[Domain] = (),
    doc: str,
) -> None:
    """A function of one number."""
    shaped(
        name, [lambda b, args, r, attrs: slope(b, args[0], r)], evaluate, numpy, names=names, domain=domain, doc=doc
    )


_one(
    "bell",
    lambda b, x, y: b.neg(b.mul(x, y)),
    evaluate=exact(decimals.bell),
    numpy="_bell({0})",
    names="",
    doc="exp (-x**2 / 2), also where the square's rounding would show.",
)
_one(
    "ndtr",
    lambda b, x, y: _times(b, 1 / math.sqrt(2 * math.pi), b.prim("bell", x)),
    evaluate=exact(decimals.normal_below),
    numpy="_ndtr({0})",
    doc="The probability that a normal number with mean 0 and deviation 1 is less than `x`.",
)
_one(
    "log_ndtr",
    lambda b, x, y: b.prim("inverse_mills", x),
    evaluate=exact(decimals.log_normal_below),
    numpy="_log_ndtr({0})",
    doc="The logarithm of `ndtr x`, without underflow.",
)
_one(
    "inverse_mills",
    lambda b, x, y: b.neg(b.mul(y, b.prim("mills_excess", x))),
    evaluate=exact(decimals.mills),
    numpy="_inverse_mills({0})",
    names="",
    doc="The normal density over `ndtr x`: the inverse of Mills' ratio.",
)

_one(
    "mills_excess",
    lambda b, x, y: from_one(b, b.mul(b.prim("inverse_mills", x), y)),
    evaluate=lambda x: decimals.elementwise(
        lambda v: decimals.exactly(lambda d: d + decimals.mills(d), v, digits=80 + 640 * (abs(v) > 1e10)), x
    ),
    numpy="_mills_excess({0})",
    names="",
    doc="x + inverse_mills x, what of it does not cancel.",
)
_one(
    "ndtri",
    lambda b, p, y: b.prim("ndtri_slope", p),
    evaluate=exact(decimals.normal_quantile),
    numpy="_ndtri({0})",
    domain=(Domain(lo=0.0, hi=1.0, fix="keep its argument between 0 and 1"),),
    doc="The inverse of `ndtr`. Its derivative at 0 and 1 is inf.",
)
_one(
    "ndtri_slope",
    lambda b, p, y: b.mul(b.mul(b.prim("ndtri", p), y), y),
    evaluate=lambda p: decimals.elementwise(_quantile_slope, p),
    numpy="_ndtri_slope({0})",
    names="",
    domain=(Domain(lo=0.0, hi=1.0, fix="keep its argument between 0 and 1"),),
    doc="1 over the normal density at `ndtri p`.",
)


def _quantile_slope(p: float) -> float:
    if p in (0, 1):
        return math.inf
    return decimals.exactly(
        lambda p: (2 * decimals.PI).sqrt() * (decimals.normal_quantile(p) ** 2 / 2).exp(), p
    )


_one(
    "erfinv",
    lambda b, x, y: b.prim("erfinv_slope", x),
    evaluate=lambda x: decimals.elementwise(_erf_inverse, x),
    numpy="_erfinv({0})",
    domain=(Domain(lo=-1.0, hi=1.0, fix="keep its argument between -1 and 1"),),
    doc="The inverse of `erf`. Its derivative at 1 and -1 is inf.",
)
_one(
    "erfinv_slope",
    lambda b, x, y: b.mul(b.mul(_times(b, 2.0, b.prim("erfinv", x)), y), y),
    evaluate=lambda x: decimals.elementwise(_erf_inverse_slope, x),
    numpy="_erfinv_slope({0})",
    names="",
    domain=(Domain(lo=-1.0, hi=1.0, fix="keep its argument between -1 and 1"),),
    doc="sqrt pi / 2 exp (erfinv x)**2",
)


def _erf_inverse_slope(x: float) -> float:
    if abs(x) == 1:
        return math.inf
    return decimals.exactly(lambda x: decimals.PI.sqrt() / 2 * (decimals.erf_inverse(x) ** 2).exp(), x)


def _erf_inverse(x: float) -> float:
    return decimals.exactly(decimals.erf_inverse, x, digits=80 + (340 if abs(x) < 1e-10 else 0)) if x else x


# ------------------------------------------------------------------ gamma functions

_one(
    "trigamma",
    lambda b, x, y: b.prim("polygamma", x, order=2),
    evaluate=lambda x: special.each(_trigamma, x),
    numpy="_polygamma({0}, 1)",
    domain=(_positive(0),),
    doc="The derivative of `digamma`.",
)


def _trigamma(x: float) -> float:
    return special.polygamma(1, x)


def _rise(b: Builder, x: Atom, d: Atom, order: int = 0) -> Atom:
    return b.prim("polygamma_rise", x, d, order=order)


shaped(
    "polygamma_rise",
    [
        lambda b, args, r, attrs: _rise(b, args[0], args[1], attrs["order"] + 1),
        lambda b, args, r, attrs: b.prim("polygamma", b.add(args[0], args[1]), order=attrs["order"] + 1),
    ],
    lambda x, d, order: decimals.elementwise(lambda x, d: _polygamma_rise(x, d, order), x, d),
    "_polygamma_rise({0}, {1}, {order})",
    attrs=("order",),
    domain=(_positive(0),),
    doc="Derivative number `order` of digamma at x + d, less that at x, for positive numbers: without cancellation.",
)


def _polygamma_rise(x: float, d: float, order: int) -> float:
    if not (x > 0 and d >= 0):
        return math.nan

    def digamma(x: Decimal) -> Decimal:
        return decimals.differences(decimals.log_gamma, (order + 1,), x)

    return decimals.exactly(lambda x, d: digamma(x + d) - digamma(x), x, d, digits=110)


shaped(
    "lbeta",
    [
        lambda b, args, r, attrs: b.neg(_rise(b, args[0], args[1])),
        lambda b, args, r, attrs: b.neg(_rise(b, args[1], args[0])),
    ],
    exact(decimals.log_beta),
    "_lbeta({0}, {1})",
    names="p q",
    domain=(_positive(0), _positive(1)),
    doc="The logarithm of the beta function of positive numbers, lgamma p + lgamma q - lgamma (p + q).",
)

# ------------------------------------------------------------------ the gamma distribution


def _polynomial(b: Builder, first: int, second: int, bends: Callable[[int, int], Atom]) -> Atom | None:
    """The derivative of a density in two parameters, over the density, from those of its logarithm (`bends i j`); None
    for the density itself. f(i + 1, j) is the sum of C(i, p) C(j, q) f(i - p, j - q) bends(p + 1, q)."""
    if first + second == 0:
        return None
    if first == 0:
        return _polynomial(b, second, 0, lambda i, j: bends(j, i))
    total: Atom | None = None
    for p in range(first):
        for q in range(second + 1):
            bend = bends(p + 1, q)
            rest = _polynomial(b, first - 1 - p, second - q, bends)
            term = bend if rest is None else b.mul(rest, bend)
            ways = math.comb(first - 1, p) * math.comb(second, q)
            term = term if ways == 1 else _times(b, float(ways), term)
            total = term if total is None else b.add(total, term)
    assert total is not None
    return total


def _gamma_bend(b: Builder, a: Atom, x: Atom, order: int) -> Atom:
    if order == 1:
        return b.sub(b.prim("log", x), b.prim("digamma", a))
    return b.neg(b.prim("polygamma", a, order=order - 1))


def _gamma_shape_dx(b: Builder, args: Sequence[Atom], r: Atom, attrs: dict[str, int]) -> Atom:
    a, x = args
    factor = _polynomial(b, attrs["order"], 0, lambda i, j: _gamma_bend(b, a, x, i))
    density = b.prim("gamma_density", a, x)
    return density if factor is None else b.mul(density, factor)


shaped(
    "gamma_density",
    [
        lambda b, args, r, attrs: b.mul(r, _gamma_bend(b, args[0], args[1], 1)),
        lambda b, args, r, attrs: b.mul(r, b.div(b.sub(plus(b, args[0], -1.0), args[1]), args[1])),
    ],
    lambda a, x: decimals.elementwise(_gamma_density, a, x),
    "_gamma_density({0}, {1})",
    domain=(_positive(0), _positive(1)),
    doc="x**(a - 1) exp (-x) / gamma a",
)


def _gamma_density(a: float, x: float) -> float:
    if x == 0 and a > 0:
        return 0.0 if a > 1 else 1.0 if a == 1 else math.inf
    return decimals.exactly(decimals.gamma_density, a, x) if x > 0 and a > 0 else math.nan


shaped(
    "gamma_shape",
    [
        lambda b, args, r, attrs: b.prim("gamma_shape", *args, order=attrs["order"] + 1),
        _gamma_shape_dx,
    ],
    lambda a, x, order: decimals.elementwise(lambda a, x: decimals.gamma_probability(a, x, order, False), a, x),
    "_gamma_shape({0}, {1}, {order})",
    attrs=("order",),
    domain=(_positive(0), _positive(1)),
    doc="Derivative number `order` of `gammainc` in the shape.",
)


def _gamma_integral(name: str, sign: float, doc: str) -> None:
    shaped(
        name,
        [
            lambda b, args, r, attrs: _times(b, sign, b.prim("gamma_shape", *args, order=1)),
            lambda b, args, r, attrs: _times(b, sign, b.prim("gamma_density", *args)),
        ],
        lambda a, x: decimals.elementwise(lambda a, x: decimals.gamma_probability(a, x, 0, sign < 0), a, x),
        f"_{name}({{0}}, {{1}})",
        names="shape x",
        domain=(_positive(0), Domain(1, 0.0, edge="cont", fix="make sure that `x` is positive")),
        doc=doc,
    )


_gamma_integral(
    "gammainc",
    1.0,
    "The probability that a number of the gamma distribution of this shape is less than `x`: the regularised "
    "incomplete gamma function P(shape, x).",
)
_gamma_integral(
    "gammaincc",
    -1.0,
    "1 - gammainc shape x, without cancellation: the regularised incomplete gamma function Q(shape, x).",
)
shaped(
    "gamma_moved",
    [
        lambda b, args, r, attrs: b.neg(
            b.div(b.prim("gamma_shape", args[0], r, order=1), b.prim("gamma_density", args[0], r))
        ),
        lambda b, args, r, attrs: one(r),
    ],
    lambda a, x: decimals.elementwise(lambda a, x: x, a, x),
    "_gamma_moved({0}, {1})",
    names="shape x",
    domain=(_positive(0), _positive(1)),
    doc="`x`, a number of the gamma distribution, that moves with its shape as the quantile does: its derivative in "
    "the shape is the one that keeps `gammainc shape x` (Figurnov, Mohamed & Mnih, Implicit reparameterization "
    "gradients, 2018).",
)

# ------------------------------------------------------------------ the beta distribution


def _beta_bend(b: Builder, args: Sequence[Atom], i: int, j: int) -> Atom:
    """The derivative of the density's logarithm, i times in the one shape and j times in the other."""
    a, c, x = args
    if i and j:
        return b.prim("polygamma", b.add(a, c), order=i + j - 1)
    if i == 1:
        return b.add(b.prim("log", x), _rise(b, a, c))
    if j == 1:
        return b.add(b.prim("log1p", b.neg(x)), _rise(b, c, a))
    return _rise(b, a, c, i - 1) if i else _rise(b, c, a, j - 1)


def _beta_shape_dx(b: Builder, args: Sequence[Atom], r: Atom, attrs: dict[str, int]) -> Atom:
    factor = _polynomial(b, attrs["first"], attrs["second"], lambda i, j: _beta_bend(b, args, i, j))
    density = b.prim("beta_density", *args)
    return density if factor is None else b.mul(density, factor)


def _beta_density_dx(b: Builder, args: Sequence[Atom], r: Atom, attrs: dict[str, int]) -> Atom:
    a, c, x = args
    return b.mul(r, b.sub(b.div(plus(b, a, -1.0), x), b.div(plus(b, c, -1.0), from_one(b, x))))


shaped(
    "beta_density",
    [
        lambda b, args, r, attrs: b.mul(r, _beta_bend(b, args, 1, 0)),
        lambda b, args, r, attrs: b.mul(r, _beta_bend(b, args, 0, 1)),
        _beta_density_dx,
    ],
    lambda a, c, x: decimals.elementwise(_beta_density, a, c, x),
    "_beta_density({0}, {1}, {2})",
    domain=(_positive(0), _positive(1), Domain(2, 0.0, 1.0)),
    doc="x**(a - 1) (1 - x)**(b - 1) / beta a b",
)


def _beta_density(a: float, c: float, x: float) -> float:
    if not (a > 0 and c > 0 and 0 < x < 1):
        return math.nan
    return decimals.exactly(
        lambda a, c, x: ((a - 1) * x.ln() + (c - 1) * (1 - x).ln() - decimals.log_beta(a, c)).exp(), a, c, x
    )


shaped(
    "beta_shape",
    [
        lambda b, args, r, attrs: b.prim("beta_shape", *args, first=attrs["first"] + 1, second=attrs["second"]),
        lambda b, args, r, attrs: b.prim("beta_shape", *args, first=attrs["first"], second=attrs["second"] + 1),
        _beta_shape_dx,
    ],
    lambda a, c, x, first, second: decimals.elementwise(
        lambda a, c, x: decimals.beta_probability(a, c, x, first, second), a, c, x
    ),
    "_beta_shape({0}, {1}, {2}, {first}, {second})",
    attrs=("first", "second"),
    domain=(_positive(0), _positive(1), Domain(2, 0.0, 1.0)),
    doc="The derivative of `betainc`, so many times in each of the two shapes.",
)
shaped(
    "betainc",
    [
        lambda b, args, r, attrs: b.prim("beta_shape", *args, first=1, second=0),
        lambda b, args, r, attrs: b.prim("beta_shape", *args, first=0, second=1),
        lambda b, args, r, attrs: b.prim("beta_density", *args),
    ],
    lambda a, c, x: decimals.elementwise(lambda a, c, x: decimals.beta_probability(a, c, x, 0, 0), a, c, x),
    "_betainc({0}, {1}, {2})",
    names="p q x",
    domain=(_positive(0), _positive(1), Domain(2, 0.0, 1.0, "cont")),
    doc="The probability that a number of the beta distribution with shapes `p` and `q` is less than `x`.",
)

# ------------------------------------------------------------------ the von Mises distribution


def _ratio_bend(b: Builder, x: Atom, ratio: Atom, spread: Atom) -> Atom:
    # From A' = 1 - A / x - A²: A'' = (A / x - A') / x - 2 A A', and 0 at 0
    none = b.prim("eq", x, number(0.0, x))
    safe = b.select(none, one(x), x)
    total = b.sub(b.div(b.sub(b.div(ratio, safe), spread), safe), b.mul(_times(b, 2.0, ratio), spread))
    return b.select(none, number(0.0, x), total)


def _ratio(b: Builder, x: Atom) -> Atom:
    return b.prim("bessel_ratio", x)


def _bessel(name: str, slope: Callable[[Builder, Atom, Atom], Atom], visible: bool, doc: str) -> None:
    _one(name, slope, exact(getattr(bessel, name)), f"_{name}({{0}})", names="x" if visible else "", doc=doc)


def _order(b: Builder, x: Atom, n: int) -> Atom:
    return b.prim(f"bessel_i{n}", x) if n < 2 else b.prim("bessel_order", x, order=n)


def _order_slope(b: Builder, x: Atom, n: int) -> Atom:
    return _times(b, 0.5, b.add(_order(b, x, n - 1), _order(b, x, n + 1)))


_bessel("bessel_i0", lambda b, x, y: _order(b, x, 1), True, "The modified Bessel function of order 0.")
_bessel("bessel_i1", lambda b, x, y: _order_slope(b, x, 1), True, "The modified Bessel function of order 1.")
shaped(
    "bessel_order",
    [lambda b, args, r, attrs: _order_slope(b, args[0], attrs["order"])],
    lambda x, order: decimals.elementwise(
        lambda v: decimals.exactly(lambda d: bessel.bessel_order(d, order), v), x
    ),
    "_bessel_order({0}, {order})",
    attrs=("order",),
    doc="The modified Bessel function of this order.",
)
_bessel("log_i0", lambda b, x, y: _ratio(b, x), True, "log (bessel_i0 x), without overflow: the von Mises normaliser.")
_bessel(
    "bessel_ratio",
    lambda b, x, y: b.prim("bessel_spread", x),
    True,
    "bessel_i1 x / bessel_i0 x, the mean resultant length of a von Mises distribution.",
)
_bessel(
    "bessel_spread",
    lambda b, x, y: _ratio_bend(b, x, _ratio(b, x), y),
    False,
    "The derivative of `bessel_ratio`: the variance of the cosine.",
)
