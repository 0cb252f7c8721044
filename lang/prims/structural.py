"""Structural primitives: making arrays and rearranging them.

All are linear in their float operands, so tangents go through the same primitive and cotangents through its mirror
image. Reading and writing parts of arrays is in `access`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.ir import Atom, Const, Table, Type
from ..core.primitive import Attrs, Primitive, register
from .common import (
    NUMPY_NAMES,
    all_linear,
    axis_of,
    expect_array,
    expect_attrs,
    expect_count,
    expect_no_attrs,
    expect_same,
    expect_size,
    fail,
    same_primitive,
)

if TYPE_CHECKING:
    from ..core.build import Builder

Cotangents = Sequence[Atom | None]

# ------------------------------------------------------------------ making arrays


def _iota_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 1)
    expect_size(args[0], "the length")
    return Type("i64", 1)


def _iota(n: Any) -> Any:
    import numpy as np

    return np.arange(int(n), dtype=np.int64)


register(Primitive("iota", _iota_type, _iota, moves="result", flat=True, grade="flat", doc="0, 1, … n-1."))


def _table_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 0)
    table = attrs.get("of")
    if set(attrs) != {"of"} or not isinstance(table, Table):
        raise fail("takes one attribute, the table")
    return Type(table.dtype, 1)


def _table(of: Table) -> Any:
    import numpy as np

    return np.array(of.values, dtype=NUMPY_NAMES[of.dtype])


register(Primitive("table", _table_type, _table, moves="result", flat=True, grade="flat",
                   doc="Numbers that the program holds as data; see `lang/core/data.py`."))


def _replicate_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 2)
    expect_size(args[0], "the length")
    return Type(args[1].dtype, args[1].rank + 1)


def _replicate(n: Any, x: Any) -> Any:
    import numpy as np

    x = np.asarray(x)
    return np.broadcast_to(x, (int(n), *x.shape)).copy()


def _replicate_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [None, b.prim("sum", ct, axis=0)]


register(
    Primitive(
        "replicate",
        _replicate_type,
        _replicate,
        jvp=same_primitive("replicate", [1]),
        vjp=_replicate_vjp,
        grade="affine",
    )
)


def _zeros_like_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 1)
    return args[0]


def _zeros_like(x: Any) -> Any:
    import numpy as np

    return np.zeros_like(x)[()]


register(Primitive("zeros_like", _zeros_like_type, _zeros_like, moves="result", flat=True, grade="flat"))


def _dim_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 1)
    axis_of(attrs, args[0])
    return ir.I64


def _dim(x: Any, axis: int) -> Any:
    import numpy as np

    return np.int64(x.shape[axis])


register(Primitive("dim", _dim_type, _dim, moves="none", flat=True, grade="flat"))


def _stack_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if not args:
        raise fail("stack of no elements")
    for arg in args:
        expect_same(arg, args[0], "an element")
    return Type(args[0].dtype, args[0].rank + 1)


def _stack(*xs: Any) -> Any:
    import numpy as np

    return np.stack(xs)


def _stack_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [b.prim("index", ct, Const(k, "i64")) for k in range(len(args))]


register(
    Primitive(
        "stack",
        _stack_type,
        _stack,
        jvp=all_linear("stack"),
        vjp=_stack_vjp,
        grade="affine",
        doc="The array literal.",
    )
)


def _stop_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 1)
    return args[0]


register(
    Primitive(
        "stop_grad",
        _stop_type,
        lambda x: x,
        moves="none",
        flat=True,
        grade="flat",
        doc="Held fixed by every derivative.",
    )
)

# ------------------------------------------------------------------ rearranging


def _concat_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if not args:
        raise fail("concat of no arrays")
    expect_array(args[0])
    for arg in args:
        expect_same(arg, args[0], "an operand")
    return args[0]


def _concat(*xs: Any) -> Any:
    import numpy as np

    return np.concatenate(xs)


def _concat_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    start: Atom = Const(0, "i64")
    out: list[Atom | None] = []
    for x in args:
        length = b.dim(x)
        out.append(b.prim("slice", ct, start, length, Const(1, "i64"), axis=0))
        start = b.add(start, length)
    return out


register(
    Primitive(
        "concat",
        _concat_type,
        _concat,
        jvp=all_linear("concat"),
        vjp=_concat_vjp,
        grade="affine",
    )
)


def _transpose_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 1)
    expect_attrs(attrs, perm=tuple)
    if sorted(_perm(attrs)) != list(range(args[0].rank)):
        raise fail(f"{attrs['perm']} is no permutation of the axes of {args[0]}")
    return args[0]


def _perm(attrs: Attrs) -> tuple[int, ...]:
    perm = attrs["perm"]
    assert isinstance(perm, tuple)
    return perm


def _transpose(x: Any, perm: tuple[int, ...]) -> Any:
    import numpy as np

    return np.transpose(x, perm)


def _transpose_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    perm = _perm(attrs)
    return [b.prim("transpose", ct, perm=tuple(perm.index(k) for k in range(len(perm))))]


register(
    Primitive(
        "transpose",
        _transpose_type,
        _transpose,
        moves="none",
        jvp=all_linear("transpose"),
        vjp=_transpose_vjp,
        grade="affine",
        doc="Axis k of the result is axis `perm[k]` of the operand.",
    )
)


def _array_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 1)
    expect_array(args[0])
    return args[0]


def _reverse_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [b.prim("reverse", ct)]


register(
    Primitive(
        "reverse",
        _array_type,
        lambda x: x[::-1],
        jvp=all_linear("reverse"),
        vjp=_reverse_vjp,
        grade="affine",
        doc="Along axis 0.",
    )
)


def _rotate_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 2)
    expect_array(args[0])
    expect_size(args[1], "the distance")
    return args[0]


def _rotate(x: Any, k: Any) -> Any:
    import numpy as np

    n = x.shape[0]
    return x if n == 0 else x[(np.arange(n) + int(k) % n) % n]


def _rotate_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [b.prim("rotate", ct, b.neg(args[1])), None]


register(
    Primitive(
        "rotate",
        _rotate_type,
        _rotate,
        jvp=same_primitive("rotate", [0]),
        vjp=_rotate_vjp,
        grade="affine",
        doc="Element i of the result is element (i + k) mod n.",
    )
)


def _reshape_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if not args:
        raise fail("reshape of nothing")
    for size in args[1:]:
        expect_size(size, "a size")
    return Type(args[0].dtype, len(args) - 1)


def _reshape(x: Any, *shape: Any) -> Any:
    import numpy as np

    return np.reshape(x, tuple(int(size) for size in shape))[()]


def _reshape_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [b.prim("reshape", ct, *b.shape(args[0])), *[None] * (len(args) - 1)]


register(
    Primitive(
        "reshape",
        _reshape_type,
        _reshape,
        moves="none",
        jvp=same_primitive("reshape", [0]),
        vjp=_reshape_vjp,
        grade="affine",
        doc="Row-major; the number of elements stays.",
    )
)
