"""Elementwise primitives: arithmetic, functions of real numbers, comparisons, selection, conversion.

Operands of rank r or 0; the result has the largest rank. Each derivative is a `partials` rule: from arguments and result
to the factor of each active argument. The rules are written so that no intermediate overflows where the derivative is finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.ir import Atom, Const, Type
from ..core.primitive import Attrs, Partials, Primitive, register
from . import integers, special
from .common import (
    Evaluate,
    apply,
    elementwise_rank,
    expect_attrs,
    expect_count,
    fail,
    number,
    one,
    same_dtype,
    tangent_or_zero,
    unbroadcast,
)

if TYPE_CHECKING:
    from ..core.build import Builder

NUMBERS = ir.FLOATS + ir.INTEGERS
Interval = tuple[float, float]
Slope = Callable[["Builder", Atom, Atom], Atom]
ANY: Interval = (-4.0, 4.0)
POSITIVE: Interval = (0.1, 5.0)


def ufunc(name: str) -> Evaluate:
    """The NumPy function of this name, looked up when called; for bool results and scalars too."""

    def evaluate(*args: Any) -> Any:
        import numpy as np

        with np.errstate(all="ignore"):
            return getattr(np, name)(*args)

    return evaluate


def each(function: Callable[[float], float]) -> Evaluate:
    return lambda x: special.each(function, x)


def lazily(rules: Sequence[Callable[[Builder, Sequence[Atom], Atom], Atom | None]]) -> Partials:
    """A partials rule from one rule to an argument, run only when that argument is active."""

    def partials(b: Builder, args: Sequence[Atom], result: Atom, active: Sequence[bool]) -> Sequence[Atom | None]:
        return [rule(b, args, result) if wanted else None for rule, wanted in zip(rules, active, strict=True)]

    return partials


def unary(
    name: str,
    slope: Slope | None,
    mp: Callable[..., Any],
    *,
    evaluate: Evaluate | None = None,
    numpy: str | None = None,
    grade: str = "smooth",
    sample: Interval = ANY,
    special: Sequence[float] = (),
    doc: str = "",
    dtypes: Sequence[str] = ir.FLOATS,
    kind: str = "float",
) -> Primitive:
    """A function of one number, from its slope (given argument and result; None: zero almost everywhere)."""
    return register(
        Primitive(
            name,
            same_dtype(1, dtypes),
            evaluate or ufunc(name),
            numpy or f"np.{name}({{0}})",
            elementwise=True,
            signature=f"'a: {kind} (x: a) : a",
            flat=slope is None,
            grade=grade,
            mp=mp,
            sample=(sample,),
            partials=None if slope is None else lazily([lambda b, args, y: slope(b, args[0], y)]),
            special=tuple((x,) for x in special),
            doc=doc,
        )
    )


def binary(
    name: str,
    dx: Slope3,
    dy: Slope3,
    mp: Callable[..., Any],
    *,
    numpy: str,
    evaluate: Evaluate | None = None,
    grade: str = "smooth",
    sample: tuple[Interval, Interval] = (ANY, ANY),
    special: Sequence[tuple[float, float]] = (),
    doc: str = "",
    dtypes: Sequence[str] = ir.FLOATS,
    kind: str | None = "float",
    commutative: bool = False,
) -> Primitive:
    """A function of two numbers of one type; `dx`, `dy`: given both and the result, the partial derivatives."""
    return register(
        Primitive(
            name,
            same_dtype(2, dtypes),
            evaluate or ufunc(name),
            numpy,
            elementwise=True,
            signature=f"'a: {kind} (x: a) (y: a) : a" if kind else None,
            grade=grade,
            mp=mp,
            sample=sample,
            partials=lazily(
                [lambda b, args, r: dx(b, args[0], args[1], r), lambda b, args, r: dy(b, args[0], args[1], r)]
            ),
            special=tuple(special),
            doc=doc,
            commutative=commutative,
        )
    )


Slope3 = Callable[["Builder", Atom, Atom, Atom], "Atom | None"]


def divide_number(b: Builder, value: float, x: Atom) -> Atom:
    return b.div(number(value, x), x)


def plus(b: Builder, x: Atom, value: float) -> Atom:
    return b.add(x, number(value, x))


def from_one(b: Builder, x: Atom) -> Atom:
    """1 - x"""
    return b.sub(one(x), x)


# ------------------------------------------------------------------ arithmetic

binary(
    "add",
    lambda b, x, y, r: one(r),
    lambda b, x, y, r: one(r),
    lambda mp, x, y: x + y,
    numpy="{0} + {1}",
    dtypes=NUMBERS,
    kind=None,
    grade="affine",
    commutative=True,
)
binary(
    "sub",
    lambda b, x, y, r: one(r),
    lambda b, x, y, r: number(-1.0, r),
    lambda mp, x, y: x - y,
    evaluate=ufunc("subtract"),
    numpy="{0} - {1}",
    dtypes=NUMBERS,
    kind=None,
    grade="affine",
)
binary(
    "mul",
    lambda b, x, y, r: y,
    lambda b, x, y, r: x,
    lambda mp, x, y: x * y,
    evaluate=ufunc("multiply"),
    numpy="{0} * {1}",
    dtypes=NUMBERS,
    kind=None,
    commutative=True,
)


def _div(x: Any, y: Any) -> Any:
    """Floats: IEEE division. Integers: rounded towards minus infinity; 0 where y is 0 (`check_divisor` came before)."""
    import numpy as np

    with np.errstate(all="ignore"):
        return np.true_divide(x, y) if np.asarray(x).dtype.kind == "f" else np.floor_divide(x, y)


def _float_mod_count(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    """-(x - r) / y, a whole number: robust where x / y itself rounds to the other side."""
    return b.neg(b.prim("round", b.div(b.sub(x, r), y)))


binary(
    "div",
    lambda b, x, y, r: divide_number(b, 1.0, y),
    lambda b, x, y, r: b.neg(b.div(r, y)),
    lambda mp, x, y: x / y,
    evaluate=_div,
    numpy="_div({0}, {1})",
    dtypes=NUMBERS,
    kind=None,
    sample=(ANY, POSITIVE),
    doc="Integers divide rounding towards minus infinity.",
)
binary(
    "mod",
    lambda b, x, y, r: one(r),
    _float_mod_count,
    lambda mp, x, y: x - y * mp.floor(x / y),
    evaluate=ufunc("mod"),
    numpy="np.mod({0}, {1})",
    dtypes=NUMBERS,
    kind=None,
    grade="jump",
    sample=((0.1, 0.9), (1.1, 5.0)),
    doc="`x % y` has the sign of `y`. The derivative is 1 in `x` and `-floor (x / y)` in `y`, also at the jumps.",
)
binary(
    "rem",
    lambda b, x, y, r: one(r),
    _float_mod_count,
    lambda mp, x, y: _mp_rem(mp, x, y),
    evaluate=ufunc("fmod"),
    numpy="np.fmod({0}, {1})",
    dtypes=NUMBERS,
    kind=None,
    grade="jump",
    sample=((0.1, 0.9), (1.1, 5.0)),
    doc="`x %% y` has the sign of `x`. The derivative is 1 in `x` and `-trunc (x / y)` in `y`, also at the jumps.",
)


def _mp_rem(mp: Any, x: Any, y: Any) -> Any:
    return x - y * _mp_trunc(mp, x / y)


def _mp_trunc(mp: Any, x: Any) -> Any:
    return mp.floor(x) if x >= 0 else mp.ceil(x)


def _pow_dx(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom | None:
    # y * x**(y-1), with 0 for y = 0 so that x = 0 gives no 0 * inf
    if isinstance(y, Const):
        if y.value == 0:
            return None
        if y.value == 1:
            return one(r)
        if y.value == 2:
            return b.mul(number(2.0, r), x)
        return b.mul(y, b.prim("pow", x, number(float(y.value) - 1.0, y)))
    slope = b.mul(y, b.prim("pow", x, plus(b, y, -1.0)))
    return b.select(b.prim("eq", y, number(0.0, y)), number(0.0, r), slope)


def _pow_dy(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    # x**y * log x, with 0 where x or x**y is 0
    flat = b.prim("or", b.prim("eq", x, number(0.0, x)), b.prim("eq", r, number(0.0, r)))
    return b.select(flat, number(0.0, r), b.mul(r, b.prim("log", x)))


binary(
    "pow",
    _pow_dx,
    _pow_dy,
    lambda mp, x, y: mp.power(x, y),
    evaluate=integers.power,
    numpy="_pow({0}, {1})",
    dtypes=NUMBERS,
    kind=None,
    sample=(POSITIVE, ANY),
    special=[(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (-2.0, 3.0), (0.0, 1.5)],
    doc="`x ** y` is differentiated in `x` as `y * x ** (y - 1)`, 0 where `y` is 0; in `y` as `x ** y * log x`, 0 where "
    "`x` or `x ** y` is 0, and nan where `x < 0`, since the power is defined for whole `y` only. "
    "Integers: wraps around; a negative exponent gives the inverse rounded towards zero.",
)


def _min_max(name: str, wins: str, mp: Callable[..., Any]) -> None:
    def share(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
        tie = b.select(b.prim("eq", x, y), number(0.5, r), number(0.0, r))
        return b.select(b.prim(wins, x, y), one(r), tie)

    binary(
        name,
        share,
        lambda b, x, y, r: share(b, y, x, r),
        mp,
        evaluate=ufunc(f"{name}imum"),
        numpy=f"np.{name}imum({{0}}, {{1}})",
        dtypes=NUMBERS,
        kind="num",
        grade="lip",
        commutative=True,
        special=[(1.5, 1.5), (0.0, 0.0)],
        doc=f"At a tie, `{name} x x`, the derivative is 1/2 in each argument. nan if either argument is nan.",
    )


_min_max("max", "gt", lambda mp, x, y: max(x, y))
_min_max("min", "lt", lambda mp, x, y: min(x, y))

unary(
    "neg",
    lambda b, x, y: number(-1.0, y),
    lambda mp, x: -x,
    evaluate=ufunc("negative"),
    numpy="-{0}",
    dtypes=NUMBERS,
    kind="num",
    grade="affine",
)
unary(
    "abs",
    lambda b, x, y: b.prim("sign", x),
    lambda mp, x: abs(x),
    dtypes=NUMBERS,
    kind="num",
    grade="lip",
    special=[0.0],
    doc="The derivative of `abs` at 0 is 0.",
)
unary(
    "sign",
    None,
    lambda mp, x: mp.sign(x),
    dtypes=NUMBERS,
    kind="num",
    grade="jump",
    doc="The derivative of `sign` is 0, also at 0.",
)

for _name, _mp in {
    "floor": lambda mp, x: mp.floor(x),
    "ceil": lambda mp, x: mp.ceil(x),
    "round": lambda mp, x: mp.nint(x),
    "trunc": lambda mp, x: _mp_trunc(mp, x),
}.items():
    unary(
        _name,
        None,
        _mp,
        evaluate=ufunc("rint" if _name == "round" else _name),
        numpy="np.rint({0})" if _name == "round" else None,
        grade="jump",
        special=[0.5, 1.5, 2.0],
        doc=f"The derivative of `{_name}` is 0, also at the jumps."
        + " Halves go to the even side." * (_name == "round"),
    )


def _unless_degenerate(b: Builder, h: Atom, value: Atom) -> Atom:
    """`value`, or 0 where the length `h` is 0 or infinite."""
    degenerate = b.prim("or", b.prim("eq", h, number(0.0, h)), b.prim("isinf", h))
    return b.select(degenerate, number(0.0, h), value)


def _atan2_dy(b: Builder, y: Atom, x: Atom, r: Atom) -> Atom:
    h = b.prim("hypot", x, y)
    return _unless_degenerate(b, h, b.div(b.div(x, h), h))


def _atan2_dx(b: Builder, y: Atom, x: Atom, r: Atom) -> Atom:
    h = b.prim("hypot", x, y)
    return _unless_degenerate(b, h, b.neg(b.div(b.div(y, h), h)))


def _hypot_dx(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    # x / hypot(x, y), scaled by the larger one so that the length can't overflow
    m = b.prim("max", b.prim("abs", x), b.prim("abs", y))
    u = b.div(x, m)
    slope = b.div(u, b.prim("hypot", u, b.div(y, m)))
    return b.select(b.prim("eq", m, number(0.0, m)), number(0.0, m), slope)


binary(
    "atan2",
    _atan2_dy,
    _atan2_dx,
    lambda mp, y, x: mp.atan2(y, x),
    evaluate=ufunc("arctan2"),
    numpy="np.arctan2({0}, {1})",
    grade="jump",
    special=[(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)],
    sample=(POSITIVE, ANY),
    doc="The derivative of `atan2 y x` at the origin is 0 in both arguments.",
)
binary(
    "hypot",
    _hypot_dx,
    lambda b, x, y, r: _hypot_dx(b, y, x, r),
    lambda mp, x, y: mp.hypot(x, y),
    numpy="np.hypot({0}, {1})",
    grade="lip",
    commutative=True,
    special=[(0.0, 0.0), (0.0, 2.0)],
    doc="The derivative of `hypot` at the origin is 0 in both arguments.",
)
binary(
    "copysign",
    lambda b, x, y, r: b.mul(b.prim("copysign", one(x), x), b.prim("copysign", one(y), y)),
    lambda b, x, y, r: None,
    lambda mp, x, y: abs(x) if y >= 0 else -abs(x),
    numpy="np.copysign({0}, {1})",
    grade="jump",
    special=[(0.0, 1.0)],
    doc="`copysign x y` has derivative 1 in `x` where the signs agree (of zeros too), else -1; 0 in `y`.",
)

# ------------------------------------------------------------------ bits and truth

for _name, _ufunc, _operator in (
    ("band", "bitwise_and", "&"),
    ("bor", "bitwise_or", "|"),
    ("bxor", "bitwise_xor", "^"),
):
    register(
        Primitive(
            _name,
            same_dtype(2, ir.INTEGERS),
            ufunc(_ufunc),
            f"{{0}} {_operator} {{1}}",
            elementwise=True,
            flat=True,
            grade="flat",
            commutative=True,
        )
    )
register(
    Primitive("bnot", same_dtype(1, ir.INTEGERS), ufunc("invert"), "~{0}", elementwise=True, flat=True, grade="flat")
)
register(
    Primitive(
        "shl",
        same_dtype(2, ir.INTEGERS),
        integers.shift_left,
        "_shl({0}, {1})",
        elementwise=True,
        flat=True,
        grade="flat",
        doc="A shift by the width or more, or by a negative amount, gives 0.",
    )
)
register(
    Primitive(
        "shr",
        same_dtype(2, ir.INTEGERS),
        integers.shift_right,
        "_shr({0}, {1})",
        elementwise=True,
        flat=True,
        grade="flat",
        doc="Keeps the sign; a shift out of range gives 0, or -1 for negative numbers.",
    )
)
register(
    Primitive(
        "ushr",
        same_dtype(2, ir.INTEGERS),
        integers.shift_right_zero,
        "_ushr({0}, {1})",
        elementwise=True,
        flat=True,
        grade="flat",
        doc="Fills with zeros; a shift out of range gives 0.",
    )
)
register(
    Primitive(
        "quot",
        same_dtype(2, ir.INTEGERS),
        integers.quotient,
        "_quot({0}, {1})",
        elementwise=True,
        flat=True,
        grade="flat",
        doc="Division rounding towards zero; 0 where the divisor is 0.",
    )
)
for _name, _ufunc, _operator in (("and", "logical_and", "&"), ("or", "logical_or", "|"), ("xor", "logical_xor", "^")):
    register(
        Primitive(
            _name,
            same_dtype(2, ("bool",)),
            ufunc(_ufunc),
            f"{{0}} {_operator} {{1}}",
            elementwise=True,
            flat=True,
            grade="flat",
            commutative=True,
        )
    )
register(
    Primitive(
        "not",
        same_dtype(1, ("bool",)),
        ufunc("logical_not"),
        "np.logical_not({0})",
        elementwise=True,
        flat=True,
        grade="flat",
    )
)
for _name, _ufunc, _operator in (
    ("eq", "equal", "=="),
    ("ne", "not_equal", "!="),
    ("lt", "less", "<"),
    ("le", "less_equal", "<="),
    ("gt", "greater", ">"),
    ("ge", "greater_equal", ">="),
):
    register(
        Primitive(
            _name,
            same_dtype(2, ir.DTYPES, "bool"),
            ufunc(_ufunc),
            f"{{0}} {_operator} {{1}}",
            elementwise=True,
            flat=True,
            grade="jump",
            commutative=_name in ("eq", "ne"),
        )
    )
for _name in ("isnan", "isinf"):
    register(
        Primitive(
            _name,
            same_dtype(1, ir.FLOATS, "bool"),
            ufunc(_name),
            f"np.{_name}({{0}})",
            elementwise=True,
            flat=True,
            grade="jump",
            signature="'a: float (x: a) : bool",
        )
    )

# ------------------------------------------------------------------ powers and exponentials

unary(
    "sqrt",
    lambda b, x, y: divide_number(b, 0.5, y),
    lambda mp, x: mp.sqrt(x),
    grade="cont",
    sample=POSITIVE,
    special=[0.0],
    doc="The derivative of `sqrt` at 0 is inf.",
)
unary(
    "cbrt",
    lambda b, x, y: b.div(divide_number(b, 1.0 / 3.0, y), y),
    lambda mp, x: mp.sign(x) * mp.cbrt(abs(x)),
    grade="cont",
    special=[0.0],
    doc="The derivative of `cbrt` at 0 is inf.",
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
)
unary(
    "log2",
    lambda b, x, y: divide_number(b, 1.0 / math.log(2.0), x),
    lambda mp, x: mp.log(x) / mp.log(2),
    sample=POSITIVE,
)
unary("log10", lambda b, x, y: divide_number(b, 1.0 / math.log(10.0), x), lambda mp, x: mp.log10(x), sample=POSITIVE)
unary(
    "log1p",
    lambda b, x, y: divide_number(b, 1.0, plus(b, x, 1.0)),
    lambda mp, x: mp.log1p(x),
    sample=(-0.9, 5.0),
    special=[0.0],
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
unary("tan", lambda b, x, y: plus(b, b.mul(y, y), 1.0), lambda mp, x: mp.tan(x), sample=(-1.5, 1.5))
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
)
unary(
    "atanh",
    lambda b, x, y: divide_number(b, 1.0, b.mul(from_one(b, x), plus(b, x, 1.0))),
    lambda mp, x: mp.atanh(x),
    evaluate=ufunc("arctanh"),
    numpy="np.arctanh({0})",
    sample=(-0.95, 0.95),
)

# ------------------------------------------------------------------ special functions

unary(
    "lgamma",
    lambda b, x, y: b.prim("digamma", x),
    lambda mp, x: mp.re(mp.loggamma(x)),
    evaluate=each(special.lgamma),
    numpy="_lgamma({0})",
    sample=POSITIVE,
    doc="log |gamma x|; its derivative is `digamma x`.",
)
unary(
    "gamma",
    lambda b, x, y: b.mul(y, b.prim("digamma", x)),
    lambda mp, x: mp.gamma(x),
    evaluate=each(special.gamma),
    numpy="_gamma({0})",
    sample=POSITIVE,
)
unary(
    "digamma",
    lambda b, x, y: b.prim("polygamma", x, order=1),
    lambda mp, x: mp.digamma(x),
    evaluate=each(special.digamma),
    numpy="_digamma({0})",
    sample=POSITIVE,
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

# ------------------------------------------------------------------ selection and conversion


def _select_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 3)
    expect_attrs(attrs)
    if args[0].dtype != "bool":
        raise fail(f"condition of type {args[0]}")
    if args[1].dtype != args[2].dtype:
        raise fail(f"alternatives of different types {args[1]}, {args[2]}")
    return Type(args[1].dtype, elementwise_rank(args))


def _select(c: Any, x: Any, y: Any) -> Any:
    import numpy as np

    return np.where(c, x, y)[()]


def _select_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # Selects among tangents instead of multiplying by 0 and 1: an infinite slope on the side not taken stays out.
    _, dx, dy = tangents
    if dx is None and dy is None:
        return None
    tangent = b.select(args[0], number(0.0, r) if dx is None else dx, number(0.0, r) if dy is None else dy)
    if tangent.type.rank == r.type.rank:
        return tangent
    return b.select(args[0], tangent_or_zero(b, dx, args[1]), tangent_or_zero(b, dy, args[2]))


def _select_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    nothing = number(0.0, ct)
    return [
        None,
        unbroadcast(b, b.select(args[0], ct, nothing), args[1]),
        unbroadcast(b, b.select(args[0], nothing, ct), args[2]),
    ]


register(
    Primitive(
        "select",
        _select_type,
        _select,
        "np.where({0}, {1}, {2})",
        elementwise=True,
        jvp=_select_jvp,
        vjp=_select_vjp,
        grade="jump",
        doc="The side that is not taken contributes nothing to the derivative.",
    )
)


def _cast_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 1)
    expect_attrs(attrs, to=str)
    if attrs["to"] not in ir.DTYPES:
        raise fail(f"no type {attrs['to']!r}")
    return Type(str(attrs["to"]), args[0].rank)


def _cast_jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
    dx = tangents[0]
    return None if dx is None or not r.type.is_float else apply(b, "cast", [dx], attrs)


def _cast_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    return [b.prim("cast", ct, to=args[0].type.dtype) if args[0].type.is_float and r.type.is_float else None]


register(
    Primitive(
        "cast",
        _cast_type,
        integers.convert,
        "_cast({0}, {to!r})",
        elementwise=True,
        jvp=_cast_jvp,
        vjp=_cast_vjp,
        grade="jump",
        doc="Between floats: affine. To an integer: truncates, derivative 0; nan and inf give 0.",
    )
)
