"""How each primitive that is not elementwise runs over lanes: one small rule to each, in the table `RULES`.

A rule receives the writer, the context, the operands as lanes and the attributes, and returns the result as lanes. An
index may be out of bounds where no lane is active (a branch not taken, a map over nothing): reads are then made
*total*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom, Const
from ...lang.prims.matrices import MATRIX_PRIMITIVES
from .lanes import ONE, ZERO, CannotVectorize, Context, Lanes, Levels, Writer, union

Attrs = dict[str, ir.AttrValue]
Rule = Callable[[Writer, Context, Sequence[Lanes], Attrs], Lanes]


def apply(b: Writer, ctx: Context, name: str, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    """One primitive that is not elementwise."""
    return RULES[name](b, ctx, args, attrs)


def same_in_all(sizes: Sequence[Lanes]) -> tuple[Atom, ...]:
    """Sizes, which array code needs to be the same in all lanes."""
    if any(s.levels for s in sizes):
        raise CannotVectorize("a size depends on the lane")
    return tuple(s.atom for s in sizes)


def is_total(b: Writer, ctx: Context, x: Lanes, indices: Sequence[Lanes]) -> bool:
    """Whether these may be computed although no lane asks for them, and so be out of bounds of `x`."""
    lead = len(x.levels)
    known = [b.below(i.atom, x.atom, lead + k) for k, i in enumerate(indices)]
    if all(known):
        return False
    return uncertain(ctx, [i for i, sure in zip(indices, known, strict=True) if not sure])


def uncertain(ctx: Context, indices: Sequence[Lanes]) -> bool:
    """Whether these may be computed although no lane asks for them."""
    return ctx.mask is not None or ctx.doubtful or any(i.levels != ctx.levels and i.iota is None for i in indices)


def not_negative(b: Writer, ctx: Context, size: Atom) -> Atom:
    """A size that is only sure to be one where lanes are active; a negative one would stop array code."""
    if isinstance(size, Const) or (ctx.mask is None and not ctx.doubtful):
        return size
    return b.prim("max", size, i64(0))


def all_lanes(b: Writer, ctx: Context, picked: Levels, levels: Levels, rank: int) -> list[Atom]:
    """The index arrays that pick every lane of each of `picked`, aligned to `levels` and `rank` more axes."""
    return [b.aligned(b.lane_index(level, ctx.sizes), levels, rank) for level in picked]


# ------------------------------------------------------------------ shapes and making


def _dim(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    axis = attrs["axis"]
    assert isinstance(axis, int)
    return Lanes(b.prim("dim", args[0].atom, axis=axis + len(args[0].levels), as_="n"))


def _iota(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    (size,) = same_in_all(args)
    return Lanes(b.prim("iota", not_negative(b, ctx, size), as_="i"))


def _table(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    return Lanes(b.prim("table", of=attrs["of"]))


def _replicate(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    (size,) = same_in_all(args[:1])
    size, x = not_negative(b, ctx, size), args[1]
    if not x.levels:
        return Lanes(b.prim("replicate", size, x.atom))
    return Lanes(b.prim("broadcast", x.atom, size, axes=(len(x.levels),)), x.levels)


def _zeros_like(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    return Lanes(b.prim("zeros_like", args[0].atom), args[0].levels)


def _stop_grad(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    return args[0]


def _reshape(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x, sizes = args[0], same_in_all(args[1:])
    return Lanes(b.prim("reshape", x.atom, *(ctx.sizes[level] for level in x.levels), *sizes), x.levels)


def _transpose(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    perm, lead = attrs["perm"], len(args[0].levels)
    assert isinstance(perm, tuple)
    return Lanes(b.prim("transpose", args[0].atom, perm=(*range(lead), *(lead + p for p in perm))), args[0].levels)


def _together(name: str, plain: str) -> Rule:
    """concat and stack: all parts get the same lanes."""

    def rule(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
        levels = union(a.levels for a in args)
        parts = [b.spread(a, levels, ctx.sizes) for a in args]
        if not levels:
            return Lanes(b.prim(plain, *parts))
        return Lanes(b.prim(name, *parts, axis=len(levels)), levels)

    return rule


def _reverse(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x = args[0]
    return Lanes(b.prim("flip", x.atom, axis=len(x.levels)) if x.levels else b.prim("reverse", x.atom), x.levels)


def _rotate(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x, k = args
    if not k.levels:
        made = b.prim("roll", x.atom, k.atom, axis=len(x.levels)) if x.levels else b.prim("rotate", x.atom, k.atom)
        return Lanes(made, x.levels)
    size = Lanes(b.dim(x.atom, len(x.levels)))
    places = b.elementwise("add", [Lanes(b.counter(size.atom)), k])
    # Modulo at least one: an array without elements has no places.
    places = b.elementwise("mod", [places, b.elementwise("max", [size, ONE])])
    return _pick(b, ctx, x, [places], 1, "take")


# ------------------------------------------------------------------ along one axis


def _along(b: Writer, name: str, x: Lanes, attrs: Attrs) -> Lanes:
    axis = attrs["axis"]
    assert isinstance(axis, int)
    return Lanes(b.prim(name, x.atom, axis=axis + len(x.levels)), x.levels)


def _fold(name: str) -> Rule:
    return lambda b, ctx, args, attrs: _along(b, name, args[0], attrs)


def _ordered(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    (places,) = same_in_all(args[1:])
    axis, x = attrs["axis"], args[0]
    assert isinstance(axis, int)
    return Lanes(b.prim("ordered_sum", x.atom, places, axis=axis + len(x.levels)), x.levels)


def _slice(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x, start, count, step = args
    axis = attrs["axis"]
    assert isinstance(axis, int)
    (size,) = same_in_all([count])
    lead = len(x.levels)
    if not start.levels and not step.levels and ctx.mask is None and not ctx.doubtful:
        return Lanes(b.prim("slice", x.atom, start.atom, size, step.atom, axis=lead + axis), x.levels)
    places = _places(b, start, Lanes(not_negative(b, ctx, size)), step)
    moved = x
    if axis:
        front = (axis, *(k for k in range(x.rank) if k != axis))
        moved = _transpose(b, ctx, [x], {"perm": front})
    picked = _pick(b, ctx, moved, [places], 1, "take")
    if axis:
        back = (*range(1, axis + 1), 0, *range(axis + 1, x.rank))
        picked = _transpose(b, ctx, [picked], {"perm": back})
    return picked


def _places(b: Writer, start: Lanes, count: Lanes, step: Lanes) -> Lanes:
    """start, start + step, … as an array of rank 1 in each lane."""
    steps = Lanes(b.counter(count.atom))
    if step.atom != i64(1):
        steps = b.elementwise("mul", [steps, step])
    return b.elementwise("add", [steps, start])


# ------------------------------------------------------------------ linear algebra


def _matrices(name: str) -> Rule:
    """Axes in front of a matrix are lanes already; those of size one broadcast."""

    def rule(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
        levels = union(a.levels for a in args)
        return Lanes(b.prim(name, *(b.aligned(a, levels, 2) for a in args), as_="m", **attrs), levels)

    return rule


# ------------------------------------------------------------------ indexing


def _index(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x, *indices = args
    return _by_slices(b, ctx, x, indices) or _pick(b, ctx, x, indices, 0, "take")


def _by_slices(b: Writer, ctx: Context, x: Lanes, indices: Sequence[Lanes]) -> Lanes | None:
    """x[i + 1, j, k] where i and j count lanes that `x` does not have yet: views of `x`, those axes as lanes."""
    if ctx.mask is not None or ctx.doubtful:
        return None
    found = [i.iota for i in indices]
    levels = [f[0] for f in found if f is not None]
    if not levels or len(set(levels)) < len(levels) or set(levels) & set(x.levels):
        return None
    if any(f is None and i.levels for f, i in zip(found, indices, strict=True)) or any(
        f is not None and f[1] < 0 for f in found
    ):
        return None
    rest = [k for k, f in enumerate(found) if f is None]
    lead = len(x.levels)
    if rest:
        front = (*rest, *(k for k in range(x.rank) if k not in rest))
        x = _transpose(b, ctx, [x], {"perm": front}) if front != tuple(range(x.rank)) else x
        x = _pick(b, ctx, x, [indices[k] for k in rest], 0, "take")
    atom = x.atom
    offsets = [f[1] for f in found if f is not None]
    for k, (level, offset) in enumerate(zip(levels, offsets, strict=True)):
        if offset or b.dim(atom, lead + k) != ctx.sizes[level]:
            atom = b.prim("slice", atom, i64(offset), ctx.sizes[level], i64(1), axis=lead + k)
    physical = [*x.levels, *levels]
    order = sorted(range(len(physical)), key=lambda k: physical[k])
    if order != list(range(len(physical))):
        atom = b.prim("transpose", atom, perm=(*order, *range(len(physical), atom.type.rank)))
    return Lanes(atom, tuple(sorted(physical)))


def _pick(b: Writer, ctx: Context, x: Lanes, indices: Sequence[Lanes], rank: int, name: str) -> Lanes:
    """x[indices] in each lane, where every index has `rank` axes; `name` is `take`, or `gather` (negative: zeros)."""
    levels = union([x.levels, *(i.levels for i in indices)])
    if name == "take" and not any(i.levels for i in indices):
        picked = b.prim(
            "take", x.atom, *(i.atom for i in indices), lead=len(x.levels), total=is_total(b, ctx, x, indices)
        )
        return Lanes(picked, x.levels)
    arrays = all_lanes(b, ctx, x.levels, levels, rank) + [b.aligned(i, levels, rank) for i in indices]
    if name == "take":
        return Lanes(b.prim("take", x.atom, *arrays, lead=0, total=is_total(b, ctx, x, indices)), levels)
    return Lanes(b.prim("gather", x.atom, *arrays), levels)


def _gather(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x, *indices = args
    rank = max(i.rank for i in indices)
    if not x.levels and not any(i.levels for i in indices):
        return Lanes(b.prim("gather", x.atom, *(i.atom for i in indices)))
    return _pick(b, ctx, x, indices, rank, "gather")


def _positions(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    (flags,) = args
    if flags.levels:
        raise CannotVectorize("how many flags are true depends on the lane")
    return Lanes(b.prim("positions", flags.atom))


def _write(name: str, plain: str) -> Rule:
    """update and accumulate: x[i, j] = v (or +=) in each lane."""

    def rule(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
        x, value, *indices = args
        levels = union(a.levels for a in args)
        total = is_total(b, ctx, x, indices)
        if not levels and not total:
            return Lanes(b.prim(plain, x.atom, value.atom, *(i.atom for i in indices)))
        full = b.spread(x, levels, ctx.sizes)
        lead = len(levels)
        written = b.aligned(value, levels)
        if not any(i.levels for i in indices):
            return Lanes(b.prim(name, full, written, *(i.atom for i in indices), lead=lead, total=total), levels)
        arrays = all_lanes(b, ctx, levels, levels, 0) + [b.aligned(i, levels, 0) for i in indices]
        return Lanes(b.prim(name, full, written, *arrays, lead=0, total=total), levels)

    return rule


def _write_slice(name: str, single: str) -> Rule:
    """update_slice and accumulate_slice: x[start:start+n*step:step] = v (or +=) along an axis, in each lane."""

    def rule(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
        x, value, start, step = args
        axis = attrs["axis"]
        assert isinstance(axis, int)
        levels = union(a.levels for a in args)
        full = b.spread(x, levels, ctx.sizes)
        lead = len(levels)
        if not start.levels and not step.levels and ctx.mask is None and not ctx.doubtful:
            written = b.spread(value, levels, ctx.sizes)
            return Lanes(b.prim(name, full, written, start.atom, step.atom, axis=lead + axis), levels)
        count = Lanes(b.dim(value.atom, len(value.levels) + axis))
        places = _places(b, start, count, step)
        # The written axis goes to the front of the own axes, so that index arrays can stand on leading axes.
        front = (axis, *(k for k in range(x.rank) if k != axis))
        back = (*range(1, axis + 1), 0, *range(axis + 1, x.rank))
        moved, rows = Lanes(full, levels), Lanes(b.aligned(value, levels), levels)
        if axis:
            moved = _transpose(b, ctx, [moved], {"perm": front})
            rows = _transpose(b, ctx, [rows], {"perm": front})
        arrays = [*all_lanes(b, ctx, levels, levels, 1), b.aligned(places, levels, 1)]
        made = Lanes(
            b.prim(single, moved.atom, rows.atom, *arrays, lead=0, total=uncertain(ctx, [start, step])), levels
        )
        return _transpose(b, ctx, [made], {"perm": back}) if axis else made

    return rule


def _fold_at(name: str) -> Rule:
    def rule(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
        x, values, *indices = args
        levels = union(a.levels for a in args)
        if not levels:
            return Lanes(b.prim(name, x.atom, values.atom, *(i.atom for i in indices)))
        rank = max(i.rank for i in indices)
        full = b.spread(x, levels, ctx.sizes)
        rows = b.spread(values, levels, ctx.sizes)
        arrays = all_lanes(b, ctx, levels, levels, rank) + [b.aligned(i, levels, rank) for i in indices]
        return Lanes(b.prim(name, full, rows, *arrays), levels)

    return rule


def _scatter(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
    x, places, values = args
    levels = union(a.levels for a in args)
    if not levels:
        return Lanes(b.prim("scatter", *(a.atom for a in args)))
    full = b.spread(x, levels, ctx.sizes)
    arrays = [*all_lanes(b, ctx, levels, levels, 1), b.aligned(places, levels, 1)]
    return Lanes(b.prim("put", full, b.aligned(values, levels), *arrays, lead=0, total=True), levels)


# ------------------------------------------------------------------ checks


def _check(name: str) -> Rule:
    """A check counts only in active lanes: elsewhere its operands are replaced by some that pass."""

    def rule(b: Writer, ctx: Context, args: Sequence[Lanes], attrs: Attrs) -> Lanes:
        active = active_lanes(b, ctx, union(a.levels for a in args))
        checked = list(args) if active is None else _passing(b, name, active, args)
        if name == "check_size" and active is not None and not args[0].levels:
            # Arrays of no lanes have their full shape too.
            b.elementwise(name, checked, attrs)
            size = args[0].atom
            return args[0] if size in b.sizes else Lanes(b.prim("max", size, i64(0)))
        made = b.elementwise(name, checked, attrs)
        # Without lanes of its own the value stays as it was, so that sizes stay sizes; the check stands before its use.
        return made if args[0].levels == made.levels else args[0]

    return rule


def _passing(b: Writer, name: str, active: Lanes, args: Sequence[Lanes]) -> list[Lanes]:
    if name == "assert":
        return [b.elementwise("or", [args[0], b.elementwise("not", [active])])]
    if name == "check_equal":
        return [args[0], b.choose(active, args[1], args[0])]
    if name == "check_range":
        limits = (0.0, -math.inf, math.inf)
        return [*(b.choose(active, arg, Lanes(Const(value, "f64"))) for arg, value in zip(args, limits, strict=False)),
                *args[3:]]
    harmless = {"check_index": (0, 1), "check_slice": (0, 0, 1, 0), "check_divisor": (1,), "check_size": (0,),
                "check_pivot": (-1,), "check_settled": (0.0, 0.0, 0.0)}[name]
    return [
        b.choose(active, arg, Lanes(Const(value, arg.atom.type.dtype)))
        for arg, value in zip(args, harmless, strict=True)
    ]


def active_lanes(b: Writer, ctx: Context, levels: Levels) -> Lanes | None:
    """Where an operation of these levels counts: the mask, and that maps it does not depend on have lanes."""
    active = ctx.mask
    met = set(levels) | set(active.levels if active else ())
    for level, size in ctx.sizes.items():
        if level not in met:
            some = b.elementwise("gt", [Lanes(size), ZERO])
            active = some if active is None else b.elementwise("and", [active, some])
    return active


RULES: dict[str, Rule] = {
    "dim": _dim,
    "iota": _iota,
    "table": _table,
    "replicate": _replicate,
    "zeros_like": _zeros_like,
    "stop_grad": _stop_grad,
    "reshape": _reshape,
    "transpose": _transpose,
    "reverse": _reverse,
    "rotate": _rotate,
    "concat": _together("join", "concat"),
    "stack": _together("pack", "stack"),
    "slice": _slice,
    "index": _index,
    "gather": _gather,
    "positions": _positions,
    "update": _write("put", "update"),
    "accumulate": _write("put_add", "accumulate"),
    "update_slice": _write_slice("update_slice", "put"),
    "accumulate_slice": _write_slice("accumulate_slice", "put_add"),
    **{name: _fold_at(name) for name in ("accumulate_at", "max_at", "min_at")},
    "scatter": _scatter,
    "ordered_sum": _ordered,
    **{name: _matrices(name) for name in (*MATRIX_PRIMITIVES, "failed_pivot")},
    **{
        name: _fold(name)
        for name in (
            "sum",
            "prod",
            "maximum",
            "minimum",
            "all",
            "any",
            "argmax",
            "argmin",
            "argsort",
            "cumsum",
            "cumprod",
            "cummax",
            "cummin",
        )
    },
    **{
        name: _check(name)
        for name in (
            "check_index",
            "check_slice",
            "check_equal",
            "check_divisor",
            "check_size",
            "check_pivot",
            "check_settled",
            "check_range",
            "assert",
        )
    },
}
