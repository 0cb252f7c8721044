"""Elementwise primitives: functions of real numbers, from roots and exponentials to the special functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.ir import Atom, Type
from ..core.primitive import Attrs, Domain, Primitive, register
from . import special
from .common import expect_attrs, expect_count, fail, number, one
from .declare import ELEMENTARY, POSITIVE, SPECIAL, binary, divide_number, each, from_one, plus, ufunc, unary

if TYPE_CHECKING:
    from ..core.build import Builder

POSITIVE_FIX = "make sure that its argument is positive: refine the parameter, as in f64{>0}, or add a small number"

# ------------------------------------------------------------------ powers and exponentials

unary(
    "sqrt",
    lambda b, x, y: divide_number(b, 0.5, y),
    lambda mp, x: mp.sqrt(x),
    grade="smooth",
    sample=POSITIVE,
    special=[0.0],
    doc="The derivative of `sqrt` at 0 is inf.",
    singular=True,
    flops=1,
    domain=Domain(
        lo=0.0,
        edge="cont",
        fix="write `norm u` for the root of a sum of squares, or add a small positive number under the root",
    ),
)
unary(
    "rsqrt",
    lambda b, x, y: b.div(b.mul(y, number(-0.5, y)), x),
    lambda mp, x: 1 / mp.sqrt(x),
    evaluate=lambda x: ufunc("divide")(1, ufunc("sqrt")(x)),
    numpy="1 / np.sqrt({0})",
    grade="smooth",
    sample=POSITIVE,
    singular=True,
    flops=2,
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
unary(
    "cbrt",
    lambda b, x, y: b.div(divide_number(b, 1.0 / 3.0, y), y),
    lambda mp, x: mp.sign(x) * mp.cbrt(abs(x)),
    grade="smooth",
    special=[0.0],
    doc="The derivative of `cbrt` at 0 is inf.",
    singular=True,
    domain=Domain(apart=0.0, edge="cont", fix="make sure that its argument is not 0"),
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
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
unary(
    "log2",
    lambda b, x, y: divide_number(b, 1.0 / math.log(2.0), x),
    lambda mp, x: mp.log(x) / mp.log(2),
    sample=POSITIVE,
    singular=True,
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
unary(
    "log10",
    lambda b, x, y: divide_number(b, 1.0 / math.log(10.0), x),
    lambda mp, x: mp.log10(x),
    sample=POSITIVE,
    singular=True,
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
unary(
    "log1p",
    lambda b, x, y: divide_number(b, 1.0, plus(b, x, 1.0)),
    lambda mp, x: mp.log1p(x),
    sample=(-0.9, 5.0),
    special=[0.0],
    singular=True,
    domain=Domain(lo=-1.0, fix="make sure that its argument is greater than -1"),
)


def _sigmoid(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        small = np.exp(-np.abs(x))
        return (np.where(x >= 0, np.ones_like(small), small) / (1 + small))[()]


def _sech(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        small = np.exp(-np.abs(x))
        return 2 * small / (1 + small * small)


def _square(b: Builder, x: Atom) -> Atom:
    return b.mul(x, x)


# The slopes of functions that level off are functions of their own, so that no slope is a difference of numbers that
# are nearly equal, nor an infinite number times zero: 1 - tanh(x)**2 would be 0 from x = 19 on.
unary(
    "sech",
    lambda b, x, y: b.neg(b.mul(y, b.prim("tanh", x))),
    lambda mp, x: mp.sech(x),
    evaluate=_sech,
    numpy="_sech({0})",
    special=[0.0],
    visible=False,
    doc="1 / cosh x, without overflow.",
)
unary(
    "sigmoid",
    lambda b, x, y: _square(b, b.mul(number(0.5, x), b.prim("sech", b.mul(number(0.5, x), x)))),
    lambda mp, x: 1 / (1 + mp.exp(-x)),
    evaluate=_sigmoid,
    numpy="_sigmoid({0})",
    special=[0.0],
)

def _softplus(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


unary(
    "softplus",
    lambda b, x, y: b.prim("sigmoid", x),
    lambda mp, x: mp.log1p(mp.exp(x)),
    evaluate=_softplus,
    numpy="_softplus({0})",
    special=[0.0],
    doc="log (1 + exp x), without overflow.",
)


def _logit(p: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return np.where(np.abs(p - 0.5) < 0.2, 2 * np.arctanh(2 * p - 1), np.log(p) - np.log1p(-p)).astype(p.dtype)[()]


unary(
    "logit",
    lambda b, x, y: divide_number(b, 1.0, b.mul(x, from_one(b, x))),
    lambda mp, x: mp.log(x / (1 - x)),
    evaluate=_logit,
    numpy="_logit({0})",
    sample=(0.05, 0.95),
    special=[0.5],
    grade="smooth",
    singular=True,
    doc="log (p / (1 - p)) of a probability, the inverse of `sigmoid`. Its derivative at 0 and 1 is inf.",
    domain=Domain(lo=0.0, hi=1.0, fix="refine its argument, as in f64{0..1}, and keep it away from the ends"),
)


def _log1mexp(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return np.where(x > -0.6931471805599453, np.log(-np.expm1(x)), np.log1p(-np.exp(x))).astype(x.dtype)[()]


unary(
    "log1mexp",
    lambda b, x, y: b.neg(b.div(b.prim("exp", x), b.prim("abs", b.prim("expm1", x)))),
    lambda mp, x: mp.log(-mp.expm1(x)),
    evaluate=_log1mexp,
    numpy="_log1mexp({0})",
    sample=(-4.0, -0.01),
    singular=True,
    doc="log (1 - exp x) for negative `x` (Maechler, Accurately computing log(1 - exp(-|a|)), 2012). Its derivative at "
    "0 is -inf.",
    domain=Domain(hi=0.0, fix="make sure that its argument is negative"),
)


def _logaddexp_dx(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    # sigmoid (x - y), where two equal infinities are zero apart
    same = b.prim("and", b.prim("eq", x, y), b.prim("isinf", x))
    return b.prim("sigmoid", b.select(same, number(0.0, r), b.sub(x, b.select(same, number(0.0, r), y))))


binary(
    "logaddexp",
    _logaddexp_dx,
    lambda b, x, y, r: _logaddexp_dx(b, y, x, r),
    lambda mp, x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
    numpy="np.logaddexp({0}, {1})",
    flops=ELEMENTARY,
    commutative=True,
    special=[(1.5, 1.5), (0.0, 0.0)],
    doc="log (exp x + exp y), without overflow. Two equal infinities share the derivative equally.",
)

# ------------------------------------------------------------------ trigonometry


def _asin_slope(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return 1 / np.sqrt((1 - x) * (1 + x))


def _acosh_slope(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return 1 / (np.sqrt(x - 1) * np.sqrt(x + 1))


unary(
    "asin_slope",
    lambda b, x, y: b.mul(b.mul(x, y), _square(b, y)),
    lambda mp, x: 1 / mp.sqrt(1 - x * x),
    evaluate=_asin_slope,
    numpy="1 / np.sqrt((1 - {0}) * (1 + {0}))",
    sample=(-0.95, 0.95),
    visible=False,
    singular=True,
    doc="1 / sqrt (1 - x**2), accurate near 1.",
    domain=Domain(lo=-1.0, hi=1.0),
)
unary(
    "asinh_slope",
    lambda b, x, y: b.neg(b.mul(b.prim("direction", x, one(x)), _square(b, y))),
    lambda mp, x: 1 / mp.sqrt(x * x + 1),
    evaluate=lambda x: ufunc("divide")(1, ufunc("hypot")(x, x.dtype.type(1))),
    numpy="1 / np.hypot({0}, 1)",
    visible=False,
    doc="1 / sqrt (x**2 + 1), without overflow.",
)
unary(
    "acosh_slope",
    lambda b, x, y: b.neg(b.mul(b.prim("scaled", y, x), _square(b, y))),
    lambda mp, x: 1 / (mp.sqrt(x - 1) * mp.sqrt(x + 1)) if x >= 1 else mp.nan,
    evaluate=_acosh_slope,
    numpy="1 / (np.sqrt({0} - 1) * np.sqrt({0} + 1))",
    sample=(1.1, 5.0),
    visible=False,
    singular=True,
    doc="1 / sqrt (x**2 - 1), accurate near 1, without overflow.",
    domain=Domain(lo=1.0),
)


unary("sin", lambda b, x, y: b.prim("cos", x), lambda mp, x: mp.sin(x), special=[0.0])
unary("cos", lambda b, x, y: b.neg(b.prim("sin", x)), lambda mp, x: mp.cos(x), special=[0.0])
unary(
    "tan",
    lambda b, x, y: plus(b, b.mul(y, y), 1.0), lambda mp, x: mp.tan(x),
    sample=(-1.5, 1.5),
    singular=True,
    domain=Domain(lo=-math.pi / 2, hi=math.pi / 2, fix="keep its argument between -pi/2 and pi/2"),
)
unary(
    "asin",
    lambda b, x, y: b.prim("asin_slope", x),
    lambda mp, x: mp.asin(x),
    evaluate=ufunc("arcsin"),
    numpy="np.arcsin({0})",
    grade="smooth",
    sample=(-0.95, 0.95),
    special=[1.0],
    doc="The derivative of `asin` at 1 and -1 is inf.",
    singular=True,
    domain=Domain(lo=-1.0, hi=1.0, edge="cont", fix="keep its argument away from -1 and 1; `atan2` has no such ends"),
)
unary(
    "acos",
    lambda b, x, y: b.neg(b.prim("asin_slope", x)),
    lambda mp, x: mp.acos(x),
    evaluate=ufunc("arccos"),
    numpy="np.arccos({0})",
    grade="smooth",
    sample=(-0.95, 0.95),
    special=[1.0],
    doc="The derivative of `acos` at 1 and -1 is -inf.",
    singular=True,
    domain=Domain(lo=-1.0, hi=1.0, edge="cont", fix="keep its argument away from -1 and 1; `atan2` has no such ends"),
)
unary(
    "atan",
    lambda b, x, y: _square(b, b.prim("asinh_slope", x)),
    lambda mp, x: mp.atan(x),
    evaluate=ufunc("arctan"),
    numpy="np.arctan({0})",
)
unary("sinh", lambda b, x, y: b.prim("cosh", x), lambda mp, x: mp.sinh(x))
unary("cosh", lambda b, x, y: b.prim("sinh", x), lambda mp, x: mp.cosh(x))
unary("tanh", lambda b, x, y: _square(b, b.prim("sech", x)), lambda mp, x: mp.tanh(x), special=[0.0])
unary(
    "asinh",
    lambda b, x, y: b.prim("asinh_slope", x),
    lambda mp, x: mp.asinh(x),
    evaluate=ufunc("arcsinh"),
    numpy="np.arcsinh({0})",
)
unary(
    "acosh",
    lambda b, x, y: b.prim("acosh_slope", x),
    lambda mp, x: mp.acosh(x),
    evaluate=ufunc("arccosh"),
    numpy="np.arccosh({0})",
    grade="smooth",
    sample=(1.1, 5.0),
    special=[1.0],
    doc="The derivative of `acosh` at 1 is inf.",
    singular=True,
    domain=Domain(lo=1.0, edge="cont", fix="make sure that its argument is greater than 1"),
)
unary(
    "atanh",
    lambda b, x, y: _square(b, b.prim("asin_slope", x)),
    lambda mp, x: mp.atanh(x),
    evaluate=ufunc("arctanh"),
    numpy="np.arctanh({0})",
    sample=(-0.95, 0.95),
    singular=True,
    domain=Domain(lo=-1.0, hi=1.0, fix="keep its argument between -1 and 1"),
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
    domain=Domain(lo=-0.5, hi=0.5, fix="keep its argument between -1/2 and 1/2"),
)
unary(
    "asinpi",
    lambda b, x, y: _over_pi(b, b.prim("asin_slope", x)),
    lambda mp, x: mp.asin(x) / mp.pi,
    evaluate=lambda x: _divided_by_pi("arcsin", x),
    numpy="np.arcsin({0}) / np.pi",
    grade="smooth",
    sample=(-0.95, 0.95),
    singular=True,
    domain=Domain(lo=-1.0, hi=1.0, edge="cont", fix="keep its argument away from -1 and 1; `atan2` has no such ends"),
)
unary(
    "acospi",
    lambda b, x, y: b.neg(_over_pi(b, b.prim("asin_slope", x))),
    lambda mp, x: mp.acos(x) / mp.pi,
    evaluate=lambda x: _divided_by_pi("arccos", x),
    numpy="np.arccos({0}) / np.pi",
    grade="smooth",
    sample=(-0.95, 0.95),
    singular=True,
    domain=Domain(lo=-1.0, hi=1.0, edge="cont", fix="keep its argument away from -1 and 1; `atan2` has no such ends"),
)
unary(
    "atanpi",
    lambda b, x, y: _over_pi(b, _square(b, b.prim("asinh_slope", x))),
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
    flops=SPECIAL,
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
unary(
    "gamma",
    lambda b, x, y: b.mul(y, b.prim("digamma", x)),
    lambda mp, x: mp.gamma(x),
    evaluate=each(special.gamma),
    numpy="_gamma({0})",
    sample=POSITIVE,
    singular=True,
    flops=SPECIAL,
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
unary(
    "digamma",
    lambda b, x, y: b.prim("polygamma", x, order=1),
    lambda mp, x: mp.digamma(x),
    evaluate=each(special.digamma),
    numpy="_digamma({0})",
    sample=POSITIVE,
    singular=True,
    flops=SPECIAL,
    domain=Domain(lo=0.0, fix=POSITIVE_FIX),
)
def _gauss(x: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        x = np.clip(x, -40, 40)
        head = np.rint(x * 64) / 64  # its square is exact
        return np.exp(-head * head) * np.exp((head - x) * (head + x))


unary(
    "gauss",
    lambda b, x, y: b.mul(b.mul(x, y), number(-2.0, x)),
    lambda mp, x: mp.exp(-x * x),
    evaluate=_gauss,
    numpy="_gauss({0})",
    visible=False,
    doc="exp (-x**2), also where the square's rounding would show.",
)
unary(
    "erf",
    lambda b, x, y: b.mul(number(2.0 / math.sqrt(math.pi), x), b.prim("gauss", x)),
    lambda mp, x: mp.erf(x),
    evaluate=each(math.erf),
    numpy="_erf({0})",
    flops=SPECIAL,
)
unary(
    "erfc",
    lambda b, x, y: b.mul(number(-2.0 / math.sqrt(math.pi), x), b.prim("gauss", x)),
    lambda mp, x: mp.erfc(x),
    evaluate=each(math.erfc),
    numpy="_erfc({0})",
    flops=SPECIAL,
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
        flops=SPECIAL,
        sample=(POSITIVE,),
        mp=lambda mp, x, order: mp.polygamma(order, x),
        domain=(Domain(lo=0.0, fix=POSITIVE_FIX),),
        jvp=lambda b, args, r, dargs, attrs: (
            None if dargs[0] is None else b.mul(dargs[0], _polygamma_slope(b, args[0], attrs))
        ),
        vjp=lambda b, args, r, ct, attrs: [b.mul(ct, _polygamma_slope(b, args[0], attrs))],
        doc="Derivative number `order` (1, 2, …) of `digamma`.",
    )
)
