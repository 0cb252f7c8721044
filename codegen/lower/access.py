"""Indexing, slicing and functional update of arrays, of records too: every field's array is accessed alike.

Bounds are checked by statements of their own (`check_index`, `check_slice`) unless the checker has proved them, so that
`index` and `slice` themselves cannot fail.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom, Lambda
from ...lang.surface import ast
from .frame import Frame
from .values import Value, leaves, map_leaves, rebuild


@dataclass(frozen=True, slots=True)
class PlainArg:
    node: ast.Node
    index: Atom

    def atoms(self) -> list[Atom]:
        return [self.index]

    def over(self, supply: Iterator[Atom]) -> PlainArg:
        return PlainArg(self.node, next(supply))


@dataclass(frozen=True, slots=True)
class SliceArg:
    node: ast.Node
    start: Atom | None
    stop: Atom | None
    step: Atom | None

    def atoms(self) -> list[Atom]:
        return [a for a in (self.start, self.stop, self.step) if a is not None]

    def over(self, supply: Iterator[Atom]) -> SliceArg:
        return SliceArg(self.node, *(None if a is None else next(supply) for a in (self.start, self.stop, self.step)))


IndexArg = PlainArg | SliceArg


@dataclass(frozen=True, slots=True)
class Cut:
    """A slice with all its parts: rows `start`, `start + step` …, `count` of them."""

    start: Atom
    count: Atom
    step: Atom


def index(f: Frame, node: ast.Node, what: str, array: Value, args: Sequence[IndexArg]) -> Value:
    atoms = leaves(array)
    if not atoms:
        return array
    checked = resolve(f, node, what, atoms[0], args)
    slices = [(axis, c) for axis, c in enumerate(checked) if isinstance(c, Cut)]
    plain = [(axis, c) for axis, c in enumerate(checked) if not isinstance(c, Cut)]
    b = f.at(node.span)

    def one(x: Atom) -> Atom:
        for axis, cut in slices:
            x = b.prim("slice", x, cut.start, cut.count, cut.step, axis=axis, as_="xs")
        if not plain:
            return x
        first = [axis for axis, _ in plain]
        order = (*first, *(a for a in range(x.type.rank) if a not in first))
        if order != tuple(range(x.type.rank)):
            x = b.prim("transpose", x, perm=order, as_="xs")
        return b.prim("index", x, *(i for _, i in plain), as_="x")

    return map_leaves(array, one)


def update(f: Frame, node: ast.Node, what: str, array: Value, args: Sequence[IndexArg], value: Value) -> Value:
    atoms = leaves(array)
    if not atoms:
        return array
    checked = resolve(f, node, what, atoms[0], args)
    b = f.at(node.span)
    loose = [(cut, arg) for cut, arg in zip(checked, args, strict=True) if isinstance(cut, Cut)]
    for axis, (cut, arg) in enumerate(loose):
        if arg.node in f.checked.loose_slices:
            size = b.dim(leaves(value)[0], axis)
            what_differs = f"axis {axis} of the new part of `{what}` and the slice it replaces"
            b.prim("check_equal", size, cut.count, what=what_differs)
    return rebuild(array, iter([put(f, x, checked, v) for x, v in zip(atoms, leaves(value), strict=True)]))


def put(f: Frame, x: Atom, at: Sequence[Atom | Cut], v: Atom) -> Atom:
    """`x with [at] = v`"""
    b = f.b
    if not at:
        return v
    if not any(isinstance(a, Cut) for a in at):
        return b.prim("update", x, v, *(a for a in at if not isinstance(a, Cut)), as_="xs")
    first, rest = at[0], at[1:]
    if not isinstance(first, Cut):
        return b.prim("update", x, put(f, b.prim("index", x, first), rest, v), first, as_="xs")
    if rest:
        rows = b.prim("slice", x, first.start, first.count, first.step, axis=0)
        g = f.nested()
        row = g.b.fresh("x", ir.Type(x.type.dtype, x.type.rank - 1))
        new = g.b.fresh("v", ir.Type(v.type.dtype, v.type.rank - 1))
        body = Lambda((row, new), g.b.block([put(g, row, rest, new)]))
        (v,) = b.map([rows, v], body, [b.shape(rows)[1:]])
    return b.prim("update_slice", x, v, first.start, first.step, axis=0, as_="xs")


def resolve(f: Frame, node: ast.Node, what: str, x: Atom, args: Sequence[IndexArg]) -> list[Atom | Cut]:
    """Indices with their checks written."""
    b = f.at(node.span)
    proved = f.checked.proved
    made: list[Atom | Cut] = []
    for axis, arg in enumerate(args):
        safe = node in proved or arg.node in proved
        match arg:
            case PlainArg(index=i):
                made.append(i if safe else b.prim("check_index", i, b.dim(x, axis), what=what, axis=axis, as_="i"))
            case SliceArg():
                cut = whole_slice(f, arg, b.dim(x, axis))
                if not safe and arg.atoms():
                    within = (cut.start, cut.count, cut.step, b.dim(x, axis))
                    start = b.prim("check_slice", *within, what=what, axis=axis, as_="i")
                    cut = Cut(start, cut.count, cut.step)
                made.append(cut)
    return made


def whole_slice(f: Frame, arg: SliceArg, n: Atom) -> Cut:
    """`i:j:s` with defaults as in Futhark: a negative step runs from the last element down to the first."""
    b = f.b
    one = i64(1)
    step = one if arg.step is None else arg.step
    if isinstance(step, ir.Const):
        down = int(step.value) < 0
        start = arg.start if arg.start is not None else (b.sub(n, one) if down else i64(0))
        stop = arg.stop if arg.stop is not None else (i64(-1) if down else n)
        length = b.sub(stop, start)
        if step.value == 1:
            return Cut(start, length, step)
        # the number of steps is the length divided by the step, rounded up
        return Cut(start, b.neg(b.prim("div", b.neg(length), step)), step)
    down_atom = b.prim("lt", step, i64(0))
    start = arg.start if arg.start is not None else b.select(down_atom, b.sub(n, one), i64(0))
    stop = arg.stop if arg.stop is not None else b.select(down_atom, i64(-1), n)
    divisor = b.prim("check_divisor", step)
    return Cut(start, b.neg(b.prim("div", b.neg(b.sub(stop, start)), divisor)), step)
