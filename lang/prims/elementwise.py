"""Elementwise primitives: arithmetic, bits and truth, comparisons, selection, conversion.

Operands of rank r or 0; the result has the largest rank. Functions of real numbers are in `functions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.ir import Atom, Const, Type
from ..core.primitive import Attrs, Domain, Primitive, register
from . import integers
from .common import (
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
from .declare import ANY, ELEMENTARY, NUMBERS, POSITIVE, binary, divide_number, plus, ufunc, unary

if TYPE_CHECKING:
    from ..core.build import Builder

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


def _scaled(x: Any, y: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        return np.where(x == 0, x, x * y)[()]


binary(
    "scaled",
    lambda b, x, y, r: y,
    lambda b, x, y, r: x,
    lambda mp, x, y: x * y,
    evaluate=_scaled,
    numpy="_scaled({0}, {1})",
    kind=None,
    doc="x * y, and 0 where x is 0, whatever y is: a tangent or cotangent of zero times a slope. Written by "
    "derivatives.",
    singular=True,
    chooses=(1,),
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
    numpy=None,
    dtypes=NUMBERS,
    kind=None,
    domain=(Domain(1, apart=0.0, fix="add a small positive number to the divisor, or refine it, as in f64{>0}"),),
    sample=(ANY, POSITIVE),
    doc="Integers divide rounding towards minus infinity.",
    singular=True,
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
    # Only there: at other x the slope is 0 by itself, and its own derivative in y is not. The exponent that is not used
    # is harmless, so that derivatives of this rule have nothing infinite to multiply by 0.
    alone = b.prim("and", b.prim("eq", y, number(0.0, y)), b.prim("isinf", divide_number(b, 1.0, x)))
    slope = b.mul(y, b.prim("pow", x, b.select(alone, one(y), plus(b, y, -1.0))))
    return b.select(alone, number(0.0, r), slope)


def _pow_dy(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    # x**y * log x, with 0 where x or x**y is 0
    flat = b.prim("or", b.prim("eq", x, number(0.0, x)), b.prim("eq", r, number(0.0, r)))
    return b.select(flat, number(0.0, r), b.mul(r, b.prim("log", b.select(flat, one(x), x))))


binary(
    "pow",
    _pow_dx,
    _pow_dy,
    lambda mp, x, y: mp.power(x, y),
    evaluate=integers.power,
    numpy=None,
    dtypes=NUMBERS,
    kind=None,
    sample=(POSITIVE, ANY),
    special=[(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (-2.0, 3.0), (0.0, 1.5)],
    doc="`x ** y` is differentiated in `x` as `y * x ** (y - 1)`, 0 where `y` is 0; in `y` as "
    "`x ** y * log x`, 0 where `x` or `x ** y` is 0, and nan where `x < 0`, since the power is then defined "
    "for whole `y` only. Integers: wraps around; a negative exponent gives the inverse rounded towards zero.",
    singular=True,
    flops=ELEMENTARY,
)


def _min_max(name: str, mp: Callable[..., Any]) -> None:
    def share(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
        wins = b.select(b.prim("eq", r, x), one(r), number(0.0, r))
        return b.select(b.prim("eq", x, y), number(0.5, r), wins)

    binary(
        name,
        share,
        lambda b, x, y, r: share(b, y, x, r),
        mp,
        evaluate=ufunc(f"f{name}"),
        numpy=f"np.f{name}({{0}}, {{1}})",
        dtypes=NUMBERS,
        kind="num",
        grade="lip",
        commutative=True,
        chooses=(0, 1),
        special=[(1.5, 1.5), (0.0, 0.0)],
        doc=f"At a tie, `{name} x x`, the derivative is 1/2 in each argument. nan gives way to a number.",
    )


_min_max("max", lambda mp, x, y: max(x, y))
_min_max("min", lambda mp, x, y: min(x, y))

unary(
    "neg",
    lambda b, x, y: number(-1.0, y),
    lambda mp, x: -x,
    evaluate=ufunc("negative"),
    numpy="-{0}",
    dtypes=NUMBERS,
    kind="num",
    grade="affine",
    flops=1,
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
    flops=1,
)
unary(
    "sign",
    None,
    lambda mp, x: mp.sign(x),
    dtypes=NUMBERS,
    kind="num",
    grade="flat",
    doc="The derivative of `sign` is 0, also at 0.",
    flops=1,
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
        grade="flat",
        flops=1,
        special=[0.5, 1.5, 2.0],
        doc=f"The derivative of `{_name}` is 0, also at the jumps."
        + " Halves go to the even side." * (_name == "round"),
    )


def _direction(x: Any, y: Any) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(x), np.abs(y))
        scale = np.where((size > 0) & np.isfinite(size), np.frexp(size)[1], 0)
        far = np.isinf(size)  # the direction of a corner of the square
        u, v = (
            np.where(far, np.where(np.isinf(z), np.copysign(1, z), 0), np.ldexp(z, -scale)).astype(size.dtype)
            for z in (x, y)
        )
        length = np.hypot(u, v)
        return np.where(length == 0, 0, u / np.where(length == 0, 1, length)).astype(size.dtype)[()]


def _over_length(b: Builder, value: Atom, x: Atom, y: Atom) -> Atom:
    """value / hypot x y, where the value is 0 if the length is."""
    h = b.prim("hypot", x, y)
    return b.div(value, b.select(b.prim("eq", h, number(0.0, h)), one(h), h))


def _toward(b: Builder, x: Atom, y: Atom) -> Atom:
    return b.prim("direction", x, y)


def _direction_dx(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    across = _toward(b, y, x)
    return b.mul(across, _over_length(b, across, x, y))


def _direction_dy(b: Builder, x: Atom, y: Atom, r: Atom) -> Atom:
    return b.neg(b.mul(r, _over_length(b, _toward(b, y, x), x, y)))


binary(
    "direction",
    _direction_dx,
    _direction_dy,
    lambda mp, x, y: x / mp.hypot(x, y) if x else x,
    evaluate=_direction,
    numpy="_direction({0}, {1})",
    flops=ELEMENTARY,
    kind=None,
    grade="jump",
    sample=(POSITIVE, ANY),
    special=[(0.0, 0.0)],
    singular=True,
    doc="x / hypot x y, the cosine of an angle, without overflow; 0 at the origin, its derivatives too.",
)


def _atan2_dy(b: Builder, y: Atom, x: Atom, r: Atom) -> Atom:
    return _over_length(b, _toward(b, x, y), x, y)


def _atan2_dx(b: Builder, y: Atom, x: Atom, r: Atom) -> Atom:
    return b.neg(_over_length(b, _toward(b, y, x), x, y))


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
    flops=ELEMENTARY,
)
binary(
    "atan2pi",
    lambda b, y, x, r: b.mul(number(1 / math.pi, r), _atan2_dy(b, y, x, r)),
    lambda b, y, x, r: b.mul(number(1 / math.pi, r), _atan2_dx(b, y, x, r)),
    lambda mp, y, x: mp.atan2(y, x) / mp.pi,
    evaluate=lambda y, x: ufunc("arctan2")(y, x) / math.pi,
    numpy="np.arctan2({0}, {1}) / np.pi",
    grade="jump",
    special=[(0.0, 0.0)],
    sample=(POSITIVE, ANY),
    doc="The angle of `atan2`, as a part of half a turn. Its derivative at the origin is 0 in both arguments.",
    flops=ELEMENTARY,
)
binary(
    "hypot",
    lambda b, x, y, r: _toward(b, x, y),
    lambda b, x, y, r: _toward(b, y, x),
    lambda mp, x, y: mp.hypot(x, y),
    numpy="np.hypot({0}, {1})",
    grade="lip",
    commutative=True,
    special=[(0.0, 0.0), (0.0, 2.0)],
    doc="The derivative of `hypot` at the origin is 0 in both arguments.",
    flops=ELEMENTARY,
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
            grade="flat",
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
            grade="flat",
            signature="'a: float (x: a) : bool",
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
        flops=0,
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
        flops=0,
        elementwise=True,
        jvp=_cast_jvp,
        vjp=_cast_vjp,
        grade="jump",
        doc="Between floats: affine. To an integer: truncates, derivative 0; nan and inf give 0.",
    )
)
