"""Structural primitives that read and write parts of arrays: one place, a slice, many places at once.

All are linear in their float operands, so tangents go through the same primitive and cotangents through its mirror
image. They are unchecked: `check_index` and `check_slice` come before them where the range was not proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.cost import elements
from ..core.ir import Atom, Const, Type
from ..core.primitive import Attrs, Primitive, Shape, register
from .common import (
    apply,
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

# ------------------------------------------------------------------ one place of an array


def _index_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if len(args) < 2:
        raise fail("index without indices")
    return _below(args[0], args[1:])


def _below(array: Type, indices: Sequence[Type]) -> Type:
    """The type at these scalar indices."""
    for index in indices:
        expect_size(index, "an index")
    expect_array(array, len(indices))
    return Type(array.dtype, array.rank - len(indices))


def placed(shapes: Sequence[Shape], result: Shape, attrs: Attrs) -> Any:
    """One addition for each element that is added."""
    return elements(shapes[1])


def _at(indices: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(index) for index in indices)


def _index(x: Any, *indices: Any) -> Any:
    return x[_at(indices)]


def _index_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [b.prim("accumulate", b.zeros_like(args[0]), ct, *args[1:]), *[None] * (len(args) - 1)]


register(
    Primitive(
        "index",
        _index_type,
        _index,
        moves="part",
        jvp=same_primitive("index", [0]),
        vjp=_index_vjp,
        grade="affine",
    )
)


def _update_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if len(args) < 3:
        raise fail("update without indices")
    expect_same(args[1], _below(args[0], args[2:]), "the new element")
    return args[0]


def _update(x: Any, v: Any, *indices: Any) -> Any:
    out = x.copy()
    out[_at(indices)] = v
    return out


def _update_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    indices = args[2:]
    return [
        b.prim("update", ct, b.zeros_like(args[1]), *indices),
        b.prim("index", ct, *indices),
        *[None] * len(indices),
    ]


register(
    Primitive(
        "update",
        _update_type,
        _update,
        moves="place",
        jvp=same_primitive("update", [0, 1]),
        vjp=_update_vjp,
        grade="affine",
        doc="The array with one place replaced.",
    )
)


def _accumulate(x: Any, v: Any, *indices: Any) -> Any:
    import numpy as np

    out = x.copy()
    with np.errstate(all="ignore"):
        out[_at(indices)] += v
    return out


def _accumulate_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [ct, b.prim("index", ct, *args[2:]), *[None] * (len(args) - 2)]


register(
    Primitive(
        "accumulate",
        _update_type,
        _accumulate,
        flops=placed,
        moves="place",
        jvp=same_primitive("accumulate", [0, 1]),
        vjp=_accumulate_vjp,
        grade="affine",
        doc="The array with one place increased.",
    )
)

# ------------------------------------------------------------------ slices


def _slice_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 4)
    axis_of(attrs, args[0])
    for arg, what in zip(args[1:], ("start", "count", "step"), strict=True):
        expect_size(arg, what)
    return args[0]


def _places(start: Any, count: Any, step: Any, axis: int) -> tuple[Any, ...]:
    import numpy as np

    return (*[slice(None)] * axis, int(start) + int(step) * np.arange(int(count)))


def _slice(x: Any, start: Any, count: Any, step: Any, axis: int) -> Any:
    return x[_places(start, count, step, axis)]


def _slice_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [apply(b, "accumulate_slice", [b.zeros_like(args[0]), ct, args[1], args[3]], attrs), None, None, None]


register(
    Primitive(
        "slice",
        _slice_type,
        _slice,
        moves="part",
        jvp=same_primitive("slice", [0]),
        vjp=_slice_vjp,
        grade="affine",
        doc="`count` places from `start`, `step` apart (negative: backwards).",
    )
)


def _update_slice_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 4)
    axis_of(attrs, args[0])
    expect_same(args[1], args[0], "the new part")
    expect_size(args[2], "start")
    expect_size(args[3], "step")
    return args[0]


def _update_slice(x: Any, v: Any, start: Any, step: Any, axis: int) -> Any:
    out = x.copy()
    out[_places(start, v.shape[axis], step, axis)] = v
    return out


def _part(b: Builder, ct: Atom, args: Sequence[Atom], attrs: Attrs) -> Atom:
    axis = attrs["axis"]
    assert isinstance(axis, int)
    return b.prim("slice", ct, args[2], b.dim(args[1], axis), args[3], axis=axis)


def _update_slice_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    rest = apply(b, "update_slice", [ct, b.zeros_like(args[1]), args[2], args[3]], attrs)
    return [rest, _part(b, ct, args, attrs), None, None]


register(
    Primitive(
        "update_slice",
        _update_slice_type,
        _update_slice,
        moves="place",
        jvp=same_primitive("update_slice", [0, 1]),
        vjp=_update_slice_vjp,
        grade="affine",
    )
)


def _accumulate_slice(x: Any, v: Any, start: Any, step: Any, axis: int) -> Any:
    import numpy as np

    out = x.copy()
    with np.errstate(all="ignore"):
        out[_places(start, v.shape[axis], step, axis)] += v
    return out


def _accumulate_slice_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [ct, _part(b, ct, args, attrs), None, None]


register(
    Primitive(
        "accumulate_slice",
        _update_slice_type,
        _accumulate_slice,
        flops=placed,
        moves="place",
        jvp=same_primitive("accumulate_slice", [0, 1]),
        vjp=_accumulate_slice_vjp,
        grade="affine",
    )
)

# ------------------------------------------------------------------ many places at once


def _gather_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if len(args) < 2:
        raise fail("gather without indices")
    return _many_below(args[0], args[1:])


def _many_below(array: Type, indices: Sequence[Type]) -> Type:
    """The type at these index arrays, which have a common rank."""
    rank = indices[0].rank
    for index in indices:
        expect_same(index, Type("i64", rank), "an index array")
    expect_array(array, len(indices))
    return Type(array.dtype, rank + array.rank - len(indices))


def _gather(x: Any, *indices: Any) -> Any:
    import numpy as np

    shape = np.shape(indices[0])
    out = np.zeros((*shape, *x.shape[len(indices) :]), x.dtype)
    for place in np.ndindex(shape):
        at = tuple(int(index[place]) for index in indices)
        if min(at) >= 0:
            out[place] = x[at]
    return out[()]


def _gather_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [b.prim("accumulate_at", b.zeros_like(args[0]), ct, *args[1:]), *[None] * (len(args) - 1)]


register(
    Primitive(
        "gather",
        _gather_type,
        _gather,
        moves="part",
        jvp=same_primitive("gather", [0]),
        vjp=_gather_vjp,
        grade="affine",
        doc="A negative index gives zeros; only the compiler writes such.",
    )
)


def _accumulate_at_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if len(args) < 3:
        raise fail("accumulate_at without indices")
    expect_same(args[1], _many_below(args[0], args[2:]), "the values")
    return args[0]


def _accumulate_at(x: Any, values: Any, *indices: Any) -> Any:
    import numpy as np

    out = x.copy()
    with np.errstate(all="ignore"):
        for place in np.ndindex(np.shape(indices[0])):
            at = tuple(int(index[place]) for index in indices)
            if min(at) >= 0:
                out[at] += values[place]
    return out


def _accumulate_at_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    return [ct, b.prim("gather", ct, *args[2:]), *[None] * (len(args) - 2)]


register(
    Primitive(
        "accumulate_at",
        _accumulate_at_type,
        _accumulate_at,
        flops=placed,
        moves="place",
        jvp=same_primitive("accumulate_at", [0, 1]),
        vjp=_accumulate_at_vjp,
        grade="affine",
        doc="Adds every value at its place; duplicates add up, negative indices are passed over.",
    )
)


def _scatter_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 3)
    expect_array(args[0])
    expect_same(args[1], Type("i64", 1), "the indices")
    expect_same(args[2], args[0], "the values")
    return args[0]


def _scatter(x: Any, indices: Any, values: Any) -> Any:
    out = x.copy()
    for place, index in enumerate(indices):
        if 0 <= index < x.shape[0]:
            out[index] = values[place]
    return out


def _scatter_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    # Only the last value written to a place counts: write positions the same way, and see which survive.
    x, indices, values = args
    number_of = b.prim("iota", b.dim(indices))
    outside = b.prim("ge", indices, b.dim(x))
    inside = b.select(outside, Const(-1, "i64"), indices)
    nobody = b.prim("replicate", b.dim(x), Const(-1, "i64"))
    last = b.prim("gather", b.prim("scatter", nobody, indices, number_of), inside)
    winning = b.select(b.prim("eq", last, number_of), inside, Const(-1, "i64"))
    return [b.prim("scatter", ct, indices, b.zeros_like(values)), None, b.prim("gather", ct, winning)]


register(
    Primitive(
        "scatter",
        _scatter_type,
        _scatter,
        moves="place",
        jvp=same_primitive("scatter", [0, 2]),
        vjp=_scatter_vjp,
        grade="affine",
        doc="Overwrites rows in order, the last one wins; indices out of bounds are passed over.",
    )
)
