"""Largest and smallest of the values that go to a place: `hist max` and `hist min`.

    max_at x v is = x with, for each k in turn, [is[k]] = max x[is[k]] v[k]

Those that tie for the extreme of a place share its derivative equally, what was there before among them, as elements
do that tie for `maximum`. nan is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core.ir import Atom, Type
from ..core.primitive import Attrs, Primitive, register
from .access import Cotangents, _many_below, placed
from .common import expect_attrs, expect_same, fail, number, tangent_or_zero

if TYPE_CHECKING:
    from ..core.build import Builder


def _type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs)
    if len(args) < 3:
        raise fail("an extreme without indices")
    expect_same(args[1], _many_below(args[0], args[2:]), "the values")
    return args[0]


def _evaluate(better: str) -> Callable[..., Any]:
    def evaluate(x: Any, values: Any, *indices: Any) -> Any:
        import numpy as np

        out = x.copy()
        for place in np.ndindex(np.shape(indices[0])):
            at = tuple(int(index[place]) for index in indices)
            if min(at) >= 0:
                out[at] = getattr(np, better)(out[at], values[place])
        return out

    return evaluate


def _ties(b: Builder, args: Sequence[Atom], r: Atom) -> tuple[Atom, Atom, Atom]:
    """Whether what was there attains the extreme, whether each value does, and how many of both (at least 1)."""
    x, values, *indices = args
    kept = b.prim("eq", x, r)
    taken = b.prim("eq", values, b.prim("gather", r, *indices))
    one, other = (b.prim("cast", tie, to=x.type.dtype) for tie in (kept, taken))
    count = b.prim("accumulate_at", one, other, *indices)
    return kept, taken, b.prim("max", count, number(1.0, count))


def _jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
    if tangents[0] is None and tangents[1] is None:
        return None
    kept, taken, count = _ties(b, args, r)
    dx, dv = (tangent_or_zero(b, t, a) for t, a in zip(tangents[:2], args[:2], strict=True))
    mine, theirs = b.select(kept, dx, number(0.0, dx)), b.select(taken, dv, number(0.0, dv))
    return b.div(b.prim("accumulate_at", mine, theirs, *args[2:]), count)


def _vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Cotangents:
    kept, taken, count = _ties(b, args, r)
    share = b.div(ct, count)
    theirs = b.prim("gather", share, *args[2:])
    return [b.select(kept, share, number(0.0, ct)), b.select(taken, theirs, number(0.0, ct)), *[None] * (len(args) - 2)]


for _name, _better in (("max_at", "fmax"), ("min_at", "fmin")):
    register(
        Primitive(
            _name,
            _type,
            _evaluate(_better),
            flops=placed,
            moves="place",
            jvp=_jvp,
            vjp=_vjp,
            grade="lip",
            doc=f"The {_name[:3]} of what is there and of the values that go there; negative indices are passed over.",
        )
    )
