"""Where the sizes of a result of array code come from: for each axis the operand's axis, or the atom, of the same size.

`vectorize` asks, so that a size is read once and from a parameter, slices of whole axes vanish, and a constant index
below a constant size needs no care.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom, Type
from ...lang.core.primitive import PRIMITIVES

Source = Atom | tuple[Atom, int] | None
ONE = i64(1)


def axis_sources(name: str, args: Sequence[Atom], attrs: dict[str, ir.AttrValue], result: Type) -> list[list[Source]]:
    """For each axis of the result the sources that may be taken; an axis of size one counts only when all are."""
    rank = result.rank
    if PRIMITIVES[name].elementwise:
        return [[(a, k) for a in args if a.type.rank == rank] for k in range(rank)]
    match name:
        case "expand":
            axes = attrs["axes"]
            assert isinstance(axes, tuple)
            kept = iter(range(rank))
            return [[ONE] if k in axes else [(args[0], next(kept))] for k in range(rank)]
        case "broadcast":
            axes = attrs["axes"]
            assert isinstance(axes, tuple)
            sizes, kept = iter(args[1:]), iter(range(rank))
            return [[next(sizes)] if k in axes else [(args[0], next(kept))] for k in range(rank)]
        case "iota":
            return [[args[0]]]
        case "replicate":
            inner: list[list[Source]] = [[(args[1], k)] for k in range(rank - 1)]
            return [[args[0]], *inner]
        case "transpose":
            perm = attrs["perm"]
            assert isinstance(perm, tuple)
            return [[(args[0], p)] for p in perm]
        case "slice":
            return [[args[2]] if k == attrs["axis"] else [(args[0], k)] for k in range(rank)]
        case "take":
            lead = attrs["lead"]
            assert isinstance(lead, int)
            indices = args[1:]
            depth = max(i.type.rank for i in indices)
            after = rank - lead - depth
            picked: list[list[Source]] = [[(i, k) for i in indices if i.type.rank] for k in range(depth)]
            rest: list[list[Source]] = [[(args[0], lead + len(indices) + k)] for k in range(after)]
            whole: list[list[Source]] = [[(args[0], k)] for k in range(lead)]
            return [*whole, *picked, *rest]
        case "sum" | "ordered_sum" | "prod" | "maximum" | "minimum" | "all" | "any" | "argmax" | "argmin":
            axis = attrs["axis"]
            assert isinstance(axis, int)
            return [[(args[0], k + (k >= axis))] for k in range(rank)]
        case "argsort" | "cumsum" | "cumprod" | "cummax" | "cummin" | "flip" | "roll" | "reverse" | "rotate":
            return [[(args[0], k)] for k in range(rank)]
        case "zeros_like" | "put":
            return [[(args[0], k)] for k in range(rank)]
        case ("put_add" | "update" | "accumulate" | "accumulate_at" | "max_at" | "min_at" | "update_slice"
              | "accumulate_slice" | "scatter"):
            return [[(args[0], k)] for k in range(rank)]
    return [[] for _ in range(rank)]
