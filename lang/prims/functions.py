"""Elementwise primitives: functions of real numbers, from roots and exponentials to the special functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.ir import Atom, Type
from ..core.primitive import Attrs, Primitive, register
from . import special
from .common import expect_attrs, expect_count, fail, number, one
from .declare import POSITIVE, divide_number, each, from_one, plus, ufunc, unary

if TYPE_CHECKING:
    from ..core.build import Builder

# ------------------------------------------------------------------ powers and exponentials

unary(
    "sqrt",
    lambda b, x, y: divide_number(b, 0.5, y),
    lambda mp, x: mp.sqrt(x),
    grade="cont",
    sample=POSITIVE,
    special=[0.0],
    doc="The derivative of `sqrt` at 0 is inf.",
    singular=True,
)
unary(
    "rsqrt",
    lambda b, x, y: b.div(b.mul(y, number(-0.5, y)), x),
    lambda mp, x: 1 / mp.sqrt(x),
    evaluate=lambda x: ufunc("divide")(1, ufunc("sqrt")(x)),
    numpy="1 / np.sqrt({0})",
    grade="cont",
    sample=POSITIVE,
    singular=True,
)
unary(
    "cbrt",
    lambda b, x, y: b.div(divide_number(b, 1.0 / 3.0, y), y),
    lambda mp, x: mp.sign(x) * mp.cbrt(abs(x)),
    grade="cont",
    special=[0.0],
    doc="The derivative of `cbrt` at 0 is inf.",
    singular=True,
)
unary("exp", lambda b, x, y: y, lambda mp, x: mp.exp(x))
unary("exp2", lambda b, x, y: b.mul(y, number(math.log(2.0), y)), lambda mp, x: mp.power(2, x))
unary("expm1", lambda b, x, y: b.prim("exp", x), lambda mp, x: mp.expm1(x), special=[0.0])
unary(
    "log",
    lambda b, x, y: divide_number(b, 1.0, x),
    lambda mp, x: mp.log(x),
    sample=POSITIVE,
    special=[0.0],
    doc="The derivative of `log` at 0 is inf.",
    singular=True,
)
unary(
    "log2",
    lambda b, x, y: divide_number(b, 1.0 / math.log(2.0), x),
    lambda mp, x: mp.log(x) / mp.log(2),
    sample=POSITIVE,
    singular=True,
)
unary(
    "log10",
    lambda b, x, y: divide_number(b, 1.0 / math.log(10.0), x),
    lambda mp, x: mp.log10(x),
    sample=POSITIVE,
    singular=True,
)
unary(
    "log1p",
    lambda b, x, y: divide_number(b, 1.0, plus(b, x, 1.0)),
    lambda mp, x: mp.log1p(x),
    sample=(-0.9, 5.0),
    special=[0.0],
    singular=True,
)


def _sigmoid(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        small = np.exp(-np.abs(x))
        return (np.where(x >= 0, np.ones_like(small), small) / (1 + small))[()]


unary(
    "sigmoid",
    lambda b, x, y: b.mul(y, from_one(b, y)),
    lambda mp, x: 1 / (1 + mp.exp(-x)),
    evaluate=_sigmoid,
    numpy="_sigmoid({0})",
    special=[0.0],
)

# ------------------------------------------------------------------ trigonometry


def _one_over_root(b: Builder, x: Atom, sign: float) -> Atom:
    """sign / sqrt((1 - x)(1 + x)), accurate near 1"""
    return divide_number(b, sign, b.prim("sqrt", b.mul(from_one(b, x), plus(b, x, 1.0))))


unary("sin", lambda b, x, y: b.prim("cos", x), lambda mp, x: mp.sin(x), special=[0.0])
unary("cos", lambda b, x, y: b.neg(b.prim("sin", x)), lambda mp, x: mp.cos(x), special=[0.0])
unary("tan", lambda b, x, y: plus(b, b.mul(y, y), 1.0), lambda mp, x: mp.tan(x), sample=(-1.5, 1.5), singular=True)
unary(
    "asin",
    lambda b, x, y: _one_over_root(b, x, 1.0),
    lambda mp, x: mp.asin(x),
    evaluate=ufunc("arcsin"),
    numpy="np.arcsin({0})",
    grade="cont",
    sample=(-0.95, 0.95),
    special=[1.0],
    doc="The derivative of `asin` at 1 and -1 is inf.",
    singular=True,
)
unary(
    "acos",
    lambda b, x, y: _one_over_root(b, x, -1.0),
    lambda mp, x: mp.acos(x),
    evaluate=ufunc("arccos"),
    numpy="np.arccos({0})",
    grade="cont",
    sample=(-0.95, 0.95),
    special=[1.0],
    doc="The derivative of `acos` at 1 and -1 is -inf.",
    singular=True,
)
unary(
    "atan",
    lambda b, x, y: divide_number(b, 1.0, plus(b, b.mul(x, x), 1.0)),
    lambda mp, x: mp.atan(x),
    evaluate=ufunc("arctan"),
    numpy="np.arctan({0})",
)
unary("sinh", lambda b, x, y: b.prim("cosh", x), lambda mp, x: mp.sinh(x))
unary("cosh", lambda b, x, y: b.prim("sinh", x), lambda mp, x: mp.cosh(x))
unary("tanh", lambda b, x, y: from_one(b, b.mul(y, y)), lambda mp, x: mp.tanh(x), special=[0.0])
unary(
    "asinh",
    lambda b, x, y: divide_number(b, 1.0, b.prim("hypot", x, one(x))),
    lambda mp, x: mp.asinh(x),
    evaluate=ufunc("arcsinh"),
    numpy="np.arcsinh({0})",
)
unary(
    "acosh",
    lambda b, x, y: b.div(divide_number(b, 1.0, b.prim("sqrt", plus(b, x, -1.0))), b.prim("sqrt", plus(b, x, 1.0))),
    lambda mp, x: mp.acosh(x),
    evaluate=ufunc("arccosh"),
    numpy="np.arccosh({0})",
    grade="cont",
    sample=(1.1, 5.0),
    special=[1.0],
    doc="The derivative of `acosh` at 1 is inf.",
    singular=True,
)
unary(
    "atanh",
    lambda b, x, y: divide_number(b, 1.0, b.mul(from_one(b, x), plus(b, x, 1.0))),
    lambda mp, x: mp.atanh(x),
    evaluate=ufunc("arctanh"),
    numpy="np.arctanh({0})",
    sample=(-0.95, 0.95),
    singular=True,
)

# ------------------------------------------------------------------ angles in half turns


def _pi_times(b: Builder, x: Atom) -> Atom:
    return b.mul(x, number(math.pi, x))


def _over_pi(b: Builder, x: Atom) -> Atom:
    return b.mul(x, number(1 / math.pi, x))


unary(
    "sinpi",
    lambda b, x, y: _pi_times(b, b.prim("cospi", x)),
    lambda mp, x: mp.sinpi(x),
    evaluate=special.sinpi,
    numpy="_sinpi({0})",
    special=[0.0, 0.5],
)
unary(
    "cospi",
    lambda b, x, y: b.neg(_pi_times(b, b.prim("sinpi", x))),
    lambda mp, x: mp.cospi(x),
    evaluate=special.cospi,
    numpy="_cospi({0})",
    special=[0.0, 0.5],
)
unary(
    "tanpi",
    lambda b, x, y: _pi_times(b, plus(b, b.mul(y, y), 1.0)),
    lambda mp, x: mp.sinpi(x) / mp.cospi(x),
    evaluate=special.tanpi,
    numpy="_tanpi({0})",
    sample=(-0.4, 0.4),
    singular=True,
)
unary(
    "asinpi",
    lambda b, x, y: _over_pi(b, _one_over_root(b, x, 1.0)),
    lambda mp, x: mp.asin(x) / mp.pi,
    evaluate=lambda x: _divided_by_pi("arcsin", x),
    numpy="np.arcsin({0}) / np.pi",
    grade="cont",
    sample=(-0.95, 0.95),
    singular=True,
)
unary(
    "acospi",
    lambda b, x, y: _over_pi(b, _one_over_root(b, x, -1.0)),
    lambda mp, x: mp.acos(x) / mp.pi,
    evaluate=lambda x: _divided_by_pi("arccos", x),
    numpy="np.arccos({0}) / np.pi",
    grade="cont",
    sample=(-0.95, 0.95),
    singular=True,
)
unary(
    "atanpi",
    lambda b, x, y: _over_pi(b, divide_number(b, 1.0, plus(b, b.mul(x, x), 1.0))),
    lambda mp, x: mp.atan(x) / mp.pi,
    evaluate=lambda x: _divided_by_pi("arctan", x),
    numpy="np.arctan({0}) / np.pi",
)


def _divided_by_pi(name: str, x: Any) -> Any:
    return ufunc(name)(x) / math.pi


# ------------------------------------------------------------------ special functions

unary(
    "lgamma",
    lambda b, x, y: b.prim("digamma", x),
    lambda mp, x: mp.re(mp.loggamma(x)),
    evaluate=each(special.lgamma),
    numpy="_lgamma({0})",
    sample=POSITIVE,
    doc="log |gamma x|; its derivative is `digamma x`.",
    singular=True,
)
unary(
    "gamma",
    lambda b, x, y: b.mul(y, b.prim("digamma", x)),
    lambda mp, x: mp.gamma(x),
    evaluate=each(special.gamma),
    numpy="_gamma({0})",
    sample=POSITIVE,
    singular=True,
)
unary(
    "digamma",
    lambda b, x, y: b.prim("polygamma", x, order=1),
    lambda mp, x: mp.digamma(x),
    evaluate=each(special.digamma),
    numpy="_digamma({0})",
    sample=POSITIVE,
    singular=True,
)
unary(
    "erf",
    lambda b, x, y: b.mul(number(2.0 / math.sqrt(math.pi), x), b.prim("exp", b.neg(b.mul(x, x)))),
    lambda mp, x: mp.erf(x),
    evaluate=each(math.erf),
    numpy="_erf({0})",
)
unary(
    "erfc",
    lambda b, x, y: b.mul(number(-2.0 / math.sqrt(math.pi), x), b.prim("exp", b.neg(b.mul(x, x)))),
    lambda mp, x: mp.erfc(x),
    evaluate=each(math.erfc),
    numpy="_erfc({0})",
)


def _polygamma_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 1)
    expect_attrs(attrs, order=int)
    if not args[0].is_float:
        raise fail(f"operand of type {args[0]}")
    if _order(attrs) < 1:
        raise fail(f"order {attrs['order']} is not positive")
    return args[0]


def _order(attrs: Attrs) -> int:
    order = attrs["order"]
    assert isinstance(order, int)
    return order


# The slope depends on an attribute, so it is written as jvp and vjp.
def _polygamma_slope(b: Builder, x: Atom, attrs: Attrs) -> Atom:
    return b.prim("polygamma", x, order=_order(attrs) + 1)


register(
    Primitive(
        "polygamma",
        _polygamma_type,
        lambda x, order: special.each(lambda v: special.polygamma(order, v), x),
        "_polygamma({0}, {order})",
        elementwise=True,
        sample=(POSITIVE,),
        mp=lambda mp, x, order: mp.polygamma(order, x),
        jvp=lambda b, args, r, dargs, attrs: (
            None if dargs[0] is None else b.mul(dargs[0], _polygamma_slope(b, args[0], attrs))
        ),
        vjp=lambda b, args, r, ct, attrs: [b.mul(ct, _polygamma_slope(b, args[0], attrs))],
        doc="Derivative number `order` (1, 2, …) of `digamma`.",
    )
)
