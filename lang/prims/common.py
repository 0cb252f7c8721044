"""Typing rules and small IR idioms that the primitive tables share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.ir import Atom, Const, Type
from ..core.primitive import Attrs, Infer, Jvp, PrimTypeError

if TYPE_CHECKING:
    from ..core.build import Builder

Evaluate = Callable[..., Any]
NUMPY_NAMES = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "i64": "int64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "u64": "uint64",
    "u32": "uint32",
    "u16": "uint16",
    "u8": "uint8",
    "bool": "bool_",
}


# ------------------------------------------------------------------ typing rules


def fail(reason: str) -> PrimTypeError:
    return PrimTypeError(reason)


def expect_count(args: Sequence[Type], count: int) -> None:
    if len(args) != count:
        raise fail(f"takes {count} argument{'s' * (count != 1)}, got {len(args)}")


def expect_attrs(attrs: Attrs, **kinds: type) -> None:
    """Exactly these attributes, of these kinds."""
    if set(attrs) != set(kinds):
        raise fail(f"takes attributes {sorted(kinds)}, got {sorted(attrs)}")
    for name, kind in kinds.items():
        if type(attrs[name]) is not kind:
            raise fail(f"attribute {name} is {attrs[name]!r}, not of type {kind.__name__}")


def expect_no_attrs(args: Sequence[Type], attrs: Attrs, count: int) -> None:
    """`count` arguments and no attributes."""
    expect_count(args, count)
    expect_attrs(attrs)


def expect_size(type: Type, what: str) -> None:
    if type != ir.I64:
        raise fail(f"{what} has type {type}, not i64")


def expect_array(type: Type, rank: int = 1) -> None:
    if type.rank < rank:
        raise fail(f"argument of type {type} needs at least {rank} {'axis' if rank == 1 else 'axes'}")


def expect_same(found: Type, expected: Type, what: str) -> None:
    if found != expected:
        raise fail(f"{what} has type {found}, not {expected}")


def axis_of(attrs: Attrs, array: Type, extra: Attrs | None = None) -> int:
    """The `axis` attribute, an axis of `array`."""
    expect_attrs(attrs, axis=int, **{name: type(value) for name, value in (extra or {}).items()})
    axis = attrs["axis"]
    assert isinstance(axis, int)
    if not 0 <= axis < array.rank:
        raise fail(f"axis {axis} of an argument of type {array}")
    return axis


def elementwise_rank(args: Sequence[Type]) -> int:
    """The rank of the result: all operands have it, or rank 0."""
    rank = max(arg.rank for arg in args)
    if any(arg.rank not in (0, rank) for arg in args):
        raise fail(f"operands of ranks {', '.join(str(arg.rank) for arg in args)}")
    return rank


def same_dtype(count: int, dtypes: Sequence[str], result: str | None = None) -> Infer:
    """`count` elementwise operands of one dtype among `dtypes`; the result has it too, or is of `result`."""

    def infer(args: Sequence[Type], attrs: Attrs) -> Type:
        expect_count(args, count)
        expect_attrs(attrs)
        dtype = args[0].dtype
        if any(arg.dtype != dtype for arg in args):
            raise fail(f"operands of different types {', '.join(map(str, args))}")
        if dtype not in dtypes:
            raise fail(f"operands of type {args[0]}")
        return Type(result or dtype, elementwise_rank(args))

    return infer


# ------------------------------------------------------------------ idioms of derivative rules


def one(like: Atom) -> Const:
    return Const(1.0, like.type.dtype)


def number(value: float, like: Atom) -> Const:
    """A float constant of the dtype of `like`."""
    return Const(value, like.type.dtype)


def apply(b: Builder, name: str, args: Sequence[Atom], attrs: Attrs) -> Atom:
    """The primitive `name` with attributes passed on as they are."""
    return b.bind(ir.Prim(name, tuple(args), tuple(sorted(attrs.items()))), name)[0]


def unbroadcast(b: Builder, cotangent: Atom, operand: Atom) -> Atom:
    """The cotangent of a scalar operand that met every element: the sum over all axes."""
    if operand.type.rank == 0:
        while cotangent.type.rank > 0:
            cotangent = b.prim("sum", cotangent, axis=0)
    return cotangent


def tangent_or_zero(b: Builder, tangent: Atom | None, primal: Atom) -> Atom:
    return b.zeros_like(primal) if tangent is None else tangent


def to_front(b: Builder, x: Atom, axis: int) -> Atom:
    """`x` with `axis` first and the others in order."""
    if axis == 0:
        return x
    return b.prim("transpose", x, perm=(axis, *(k for k in range(x.type.rank) if k != axis)))


def from_front(b: Builder, x: Atom, axis: int) -> Atom:
    """The inverse of `to_front`."""
    if axis == 0:
        return x
    return b.prim("transpose", x, perm=(*range(1, axis + 1), 0, *range(axis + 1, x.type.rank)))


def spread(b: Builder, reduced: Atom, array: Atom, axis: int) -> Atom:
    """Copies of `reduced` along `axis`, where it was reduced from `array`; has `array`'s shape."""
    return from_front(b, b.prim("replicate", b.dim(array, axis), reduced), axis)


# ------------------------------------------------------------------ tangents of linear primitives


def same_primitive(name: str, linear: Sequence[int]) -> Jvp:
    """The tangent is `name` of the tangents at the positions `linear`, with the other arguments unchanged."""

    def jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
        if all(tangents[k] is None for k in linear):
            return None
        mixed = [tangent_or_zero(b, tangents[k], x) if k in linear else x for k, x in enumerate(args)]
        return apply(b, name, mixed, attrs)

    return jvp


def all_linear(name: str) -> Jvp:
    """As `same_primitive`, linear in every argument."""

    def jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
        return same_primitive(name, range(len(args)))(b, args, r, tangents, attrs)

    return jvp
