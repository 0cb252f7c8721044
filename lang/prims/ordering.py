"""Primitives that say where elements go: the places of true flags, the order that sorts.

Both give indices, so they are flat; what is read at these indices is linear in the array that is read. That is how
`filter`, `partition` and `sort` have derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import ir
from ..core.ir import Type
from ..core.primitive import Attrs, Primitive, register
from .common import axis_of, expect_no_attrs, expect_same, fail


def _positions_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_no_attrs(args, attrs, 1)
    expect_same(args[0], Type("bool", 1), "the flags")
    return Type("i64", 1)


def _positions(flags: Any) -> Any:
    import numpy as np

    return np.array([k for k, flag in enumerate(flags) if flag], np.int64)


register(
    Primitive(
        "positions",
        _positions_type,
        _positions,
        numpy="np.flatnonzero({0})",
        flat=True,
        grade="flat",
        doc="The indices at which a flag is true, in order; how many there are, only the run knows.",
    )
)


def _order_type(args: Sequence[Type], attrs: Attrs) -> Type:
    axis_of(attrs, args[0])
    if args[0].dtype not in (*ir.FLOATS, *ir.INTEGERS, "bool"):
        raise fail(f"an order of {args[0]}")
    return Type("i64", args[0].rank)


def _order(x: Any, axis: int) -> Any:
    import numpy as np

    return np.argsort(x, axis=axis, kind="stable")


register(
    Primitive(
        "argsort",
        _order_type,
        _order,
        flat=True,
        grade="flat",
        doc="Where the least element stands, the next one, …; equal elements in their order, nan last.",
    )
)
