"""Primitives that only `codegen.passes.vectorize` and `contract` write: array code with leading batch axes.

They say in one operation what a map over an unbatched primitive says: reads and writes below `lead` whole axes,
alignment by axes of size one, and sums of products. After vectorisation elementwise primitives broadcast axes of size
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import ir
from ..core.ir import Type
from ..core.primitive import Attrs, Primitive, register
from .common import expect_attrs, expect_same, fail


def _lead(attrs: Attrs) -> int:
    lead = attrs["lead"]
    assert isinstance(lead, int)
    return lead


def _tuple(attrs: Attrs, name: str) -> tuple[int, ...]:
    value = attrs[name]
    assert isinstance(value, tuple)
    return value


def _indices(array: Type, indices: Sequence[Type], lead: int) -> int:
    """The common rank of index arrays into `array` below `lead` axes."""
    if any(i.dtype not in ir.INTEGERS for i in indices):
        raise fail(f"indices of types {', '.join(map(str, indices))}")
    if lead + len(indices) > array.rank:
        raise fail(f"{len(indices)} indices below {lead} axes of an array of type {array}")
    ranks = {i.rank for i in indices} - {0}
    if len(ranks) > 1:
        raise fail(f"index arrays of ranks {sorted(ranks)}")
    return max(ranks, default=0)


# ------------------------------------------------------------------ alignment


def _expand_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, axes=tuple)
    return Type(args[0].dtype, args[0].rank + len(_tuple(attrs, "axes")))


def _expand(x: Any, *, axes: tuple[int, ...]) -> Any:
    import numpy as np

    return np.expand_dims(x, axes)


register(
    Primitive(
        "expand",
        _expand_type,
        _expand,
        flat=True,
        doc="Axes of size one at the positions `axes` of the result.",
    )
)


def _broadcast_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, axes=tuple)
    axes = _tuple(attrs, "axes")
    if len(args) != 1 + len(axes):
        raise fail(f"{len(args) - 1} sizes for {len(axes)} axes")
    return Type(args[0].dtype, args[0].rank + len(axes))


def _broadcast(x: Any, *sizes: Any, axes: tuple[int, ...]) -> Any:
    import numpy as np

    expanded = np.expand_dims(x, axes)
    shape = list(expanded.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = max(int(size), 0)
    return np.broadcast_to(expanded, shape)


register(
    Primitive(
        "broadcast",
        _broadcast_type,
        _broadcast,
        flat=True,
        doc="`x` repeated along new axes at the positions `axes` of the result, of the sizes that follow it.",
    )
)


# ------------------------------------------------------------------ reading and writing


def _take_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, lead=int, total=bool)
    array, *indices = args
    rank = _indices(array, indices, _lead(attrs))
    return Type(array.dtype, array.rank - len(indices) + rank)


def _take(x: Any, *indices: Any, lead: int, total: bool) -> Any:
    import numpy as np

    x = np.asarray(x)
    if not total:
        return x[(slice(None),) * lead + indices]
    sizes = x.shape[lead : lead + len(indices)]
    if 0 in sizes:
        shape = np.broadcast_shapes(*(np.shape(i) for i in indices))
        return np.zeros(x.shape[:lead] + shape + x.shape[lead + len(indices) :], x.dtype)
    clipped = tuple(np.clip(i, 0, size - 1) for i, size in zip(indices, sizes, strict=True))
    return x[(slice(None),) * lead + clipped]


register(
    Primitive(
        "take",
        _take_type,
        _take,
        flat=True,
        doc="x[:, …, i, j, …] below `lead` whole axes; `total`: out of bounds, any value will do.",
    )
)


def _put_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, lead=int, total=bool)
    array, value, *indices = args
    rank = _indices(array, indices, _lead(attrs))
    expect_same(value, Type(array.dtype, array.rank - len(indices) + rank), "the value written")
    return array


def _inside(x: Any, value: Any, indices: Any, lead: int) -> tuple[Any, Any, Any]:
    """Axes to be indexed first, index arrays flat and in bounds, values with one row to each."""
    import numpy as np

    shape = np.broadcast_shapes(*(np.shape(i) for i in indices))
    rank = len(shape)
    flat = [np.broadcast_to(i, shape).reshape(-1) for i in indices]
    keep = np.ones(flat[0].shape, bool)
    for i, size in zip(flat, x.shape[lead : lead + len(indices)], strict=True):
        keep &= (i >= 0) & (i < size)
    front = np.moveaxis(x, range(lead), range(-lead, 0)) if lead else x
    full = np.broadcast_to(value, x.shape[:lead] + shape + x.shape[lead + len(indices) :])
    moved = np.moveaxis(full, range(lead), range(-lead, 0)) if lead else full
    return front, tuple(i[keep] for i in flat), moved.reshape((-1, *moved.shape[rank:]))[keep]


def _put(x: Any, value: Any, *indices: Any, lead: int, total: bool) -> Any:
    import numpy as np

    x = np.array(x)
    if total:
        front, inside, values = _inside(x, value, indices, lead)
        front[inside] = values
    else:
        x[(slice(None),) * lead + indices] = value
    return x


def _put_add(x: Any, value: Any, *indices: Any, lead: int, total: bool) -> Any:
    import numpy as np

    x = np.array(x)
    front, inside, values = _inside(x, value, indices, lead)
    np.add.at(front, inside, values)
    return x


register(
    Primitive(
        "put",
        _put_type,
        _put,
        flat=True,
        doc="`x` with x[:, …, i, j, …] = value below `lead` axes, places distinct; `total`: none out of bounds.",
    )
)
register(
    Primitive(
        "put_add",
        _put_type,
        _put_add,
        flat=True,
        doc="`x` with x[:, …, i, j, …] += value below `lead` axes, places distinct; `total`: none out of bounds.",
    )
)


# ------------------------------------------------------------------ whole arrays along any axis


def _same_along(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, axis=int)
    return args[0]


def _pack_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, axis=int)
    for arg in args:
        expect_same(arg, args[0], "a row")
    return Type(args[0].dtype, args[0].rank + 1)


def _along(name: str) -> Any:
    def evaluate(*args: Any, axis: int) -> Any:
        import numpy as np

        if name == "flip":
            return np.flip(args[0], axis)
        if name == "roll":
            return np.roll(args[0], -int(args[1]), axis)
        if name == "join":
            return np.concatenate(args, axis)
        return np.stack(args, axis)

    return evaluate


register(Primitive("flip", _same_along, _along("flip"), flat=True, doc="`reverse` along `axis`."))
register(Primitive("roll", _same_along, _along("roll"), flat=True, doc="`rotate` along `axis`."))
register(Primitive("join", _same_along, _along("join"), flat=True, doc="`concat` along `axis`."))
register(Primitive("pack", _pack_type, _along("pack"), flat=True, doc="`stack` along a new axis `axis`."))


# ------------------------------------------------------------------ sums of products, and whether any lane is active


def _contract_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, spec=str)
    spec = attrs["spec"]
    assert isinstance(spec, str)
    inputs, output = spec.split("->")
    for arg, labels in zip(args, inputs.split(","), strict=True):
        if arg.rank != len(labels):
            raise fail(f"contract {spec} of operands of types {', '.join(map(str, args))}")
    return Type(args[0].dtype, len(output))


def _contract(*args: Any, spec: str) -> Any:
    import numpy as np

    return np.einsum(spec, *args)


register(
    Primitive(
        "contract",
        _contract_type,
        _contract,
        flat=True,
        doc="The sum of products that `spec` says in the notation of einsum; two float operands.",
    )
)


def _any_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    return ir.BOOL


def _any_lane(x: Any) -> Any:
    import numpy as np

    return np.any(x)


register(
    Primitive("any_lane", _any_type, _any_lane, flat=True, doc="Whether any element is true, over all axes.")
)
