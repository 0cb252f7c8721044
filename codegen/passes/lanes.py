"""What vectorisation works with: values that have one axis to an enclosing map, and a builder that aligns them.

A map nest numbers its maps from the outside: *levels*. A value depends on some of them. In array code it is one
array, with an axis to each level it depends on, in order, and then its own axes; a value that depends on no level is
computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom, Const, Prim, Var
from ...lang.core.primitive import PRIMITIVES
from ...lang.source import Span
from .lane_sizes import Source, axis_sources

Levels = tuple[int, ...]


class CannotVectorize(Exception):
    """This map has to stay a loop: lanes of different sizes, or recursion that depends on the lane."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """`atom` holds one value to each combination of `levels`; `iota` (level, offset): it is that level's index +
    offset.
    """

    atom: Atom
    levels: Levels = ()
    iota: tuple[int, int] | None = None

    @property
    def rank(self) -> int:
        """The rank of the value in one lane."""
        return self.atom.type.rank - len(self.levels)


@dataclass(frozen=True)
class Context:
    """Where a statement stands: the sizes of the maps around it, and which of their lanes are active (None: all).

    `doubtful`: there may be no active lane at all although no level and no mask says so.
    """

    sizes: dict[int, Atom] = field(default_factory=dict)
    mask: Lanes | None = None
    doubtful: bool = False

    @property
    def levels(self) -> Levels:
        return tuple(self.sizes)

    def inside(self, level: int, size: Atom) -> Context:
        return replace(self, sizes={**self.sizes, level: size})


def union(many: Iterable[Levels]) -> Levels:
    return tuple(sorted({level for levels in many for level in levels}))


class Writer(Builder):
    """A builder that writes no primitive twice in a scope."""

    UNSHARED = frozenset({"zeros_like", "replicate", "iota"})
    """Sharing these would make two updated arrays one."""

    def __init__(self, supply: Fresh, span: Span | None = None, outer: Writer | None = None) -> None:
        super().__init__(supply, span)
        self.outer = outer
        self.known: dict[tuple[object, ...], Atom] = {}
        self.same: dict[tuple[Atom, int], Atom | tuple[Atom, int]] = outer.same if outer is not None else {}
        """For an axis of an array: the constant, the size, or the axis of another array that it equals."""
        self.sizes: set[Atom] = outer.sizes if outer is not None else set()
        """Variables that are sizes, so not negative."""

    def nested(self) -> Writer:
        return Writer(self.supply, self.span, self)

    def prim(self, name: str, *args: Atom, as_: str = "t", **attrs: ir.AttrValue) -> Atom:
        if PRIMITIVES[name].fails or name in self.UNSHARED:
            return self.learned(name, args, attrs, super().prim(name, *args, as_=as_, **attrs))
        if name == "dim":
            axis = attrs["axis"]
            assert isinstance(axis, int)
            same = self.same.get((args[0], axis))
            if isinstance(same, tuple):
                args, attrs = (same[0],), {"axis": same[1]}
            elif same is not None:
                return same
        key = (name, args, tuple(sorted(attrs.items())))
        scope: Writer | None = self
        while scope is not None:
            if key in scope.known:
                return scope.known[key]
            scope = scope.outer
        made = self.learned(name, args, attrs, super().prim(name, *args, as_=as_, **attrs))
        self.known[key] = made
        return made

    def learned(self, name: str, args: tuple[Atom, ...], attrs: dict[str, ir.AttrValue], made: Atom) -> Atom:
        """`made`, remembering where its sizes come from."""
        if name == "dim" and isinstance(made, Var):
            self.sizes.add(made)
        if made.type.rank and (made, 0) not in self.same:
            for axis, sources in enumerate(axis_sources(name, args, attrs, made.type)):
                found = [s for s in map(self.size_source, sources) if s is not None]
                full = [s for s in found if s != ONE.atom]
                if len(found) == len(sources) and found:
                    self.same[made, axis] = full[0] if full else found[0]
        return made

    def size_source(self, source: Source) -> Atom | tuple[Atom, int] | None:
        """The constant, the size, or the axis of a variable from which this size comes first of all."""
        if isinstance(source, tuple):
            return self.same.get(source, source)
        known = source.value >= 0 if isinstance(source, Const) else source in self.sizes
        return source if known else None

    def below(self, index: Atom, x: Atom, axis: int) -> bool:
        """Whether a constant index is known to be in bounds."""
        size = self.same.get((x, axis))
        return isinstance(index, Const) and isinstance(size, Const) and 0 <= index.value < size.value

    def adopt(self, other: Writer) -> None:
        """Take over what was written on trial."""
        self.stmts.extend(other.stmts)
        self.known.update(other.known)

    def made(self, var: Var) -> ir.Op | None:
        """The operation that computed `var`, when it was written in a scope around here."""
        scope: Writer | None = self
        while scope is not None:
            for stmt in reversed(scope.stmts):
                if var in stmt.vars:
                    return stmt.op
            scope = scope.outer
        return None

    # ------------------------------------------------------------ alignment

    def aligned(self, value: Lanes, levels: Levels, rank: int | None = None) -> Atom:
        """`value` with an axis to each of `levels` (of size one where it does not depend on it), then `rank` own axes.

        A scalar that depends on nothing stays one when `rank` is given: elementwise operands may be scalars.
        """
        if value.levels == levels and rank in (None, value.rank):
            return value.atom
        if not value.levels and value.rank == 0 and rank is not None:
            return value.atom
        missing = [k for k, level in enumerate(levels) if level not in value.levels]
        if rank is not None and value.rank == 0:
            missing += range(len(levels), len(levels) + rank)
        return self.prim("expand", value.atom, axes=tuple(missing)) if missing else value.atom

    def spread(self, value: Lanes, levels: Levels, sizes: dict[int, Atom]) -> Atom:
        """`value` repeated so that it has all of `levels` in their full sizes."""
        missing = [k for k, level in enumerate(levels) if level not in value.levels]
        if not missing:
            return value.atom
        return self.prim("broadcast", value.atom, *(sizes[levels[k]] for k in missing), axes=tuple(missing))

    def elementwise(
        self, name: str, args: Sequence[Lanes], attrs: dict[str, ir.AttrValue] | None = None, as_: str = "t"
    ) -> Lanes:
        levels = union(a.levels for a in args)
        rank = max(a.rank for a in args)
        atoms = [self.aligned(a, levels, rank) for a in args]
        return Lanes(self.prim(name, *atoms, as_=as_, **(attrs or {})), levels, _iota(name, args))

    def choose(self, cond: Lanes, x: Lanes, y: Lanes) -> Lanes:
        return x if x == y else self.elementwise("select", [cond, x, y])

    def lane_index(self, level: int, sizes: dict[int, Atom]) -> Lanes:
        return Lanes(self.counter(sizes[level]), (level,), (level, 0))

    def counter(self, size: Atom) -> Atom:
        """0, 1, …, written once in a scope: nobody updates it."""
        key = ("lane index", size)
        scope: Writer | None = self
        while scope is not None:
            if key in scope.known:
                return scope.known[key]
            scope = scope.outer
        made = self.learned("iota", (size,), {}, super().prim("iota", size, as_="i"))
        self.known[key] = made
        return made


def _iota(name: str, args: Sequence[Lanes]) -> tuple[int, int] | None:
    """Whether a sum is again a level's index with a constant offset."""
    if name not in ("add", "sub") or len(args) != 2:
        return None
    x, y = args
    if name == "add" and x.iota is None:
        x, y = y, x
    if x.iota is None or not isinstance(y.atom, Const) or x.atom.type.dtype != "i64":
        return None
    level, offset = x.iota
    return level, offset + int(y.atom.value) * (1 if name == "add" else -1)


def prune(block: ir.Block, fallible: frozenset[str]) -> ir.Block:
    """The block without statements whose results nobody reads and that cannot fail."""
    live: set[Var] = {a for a in block.results if isinstance(a, Var)}
    kept: list[ir.Stmt] = []
    for stmt in reversed(block.stmts):
        if not any(v in live for v in stmt.vars) and not may_fail(stmt.op, fallible):
            continue
        op = _prune_op(stmt.op, fallible)
        kept.append(ir.Stmt(stmt.vars, op, stmt.span) if op is not stmt.op else stmt)
        _read(op, live)
    return ir.Block(tuple(reversed(kept)), block.results)


def _read(op: ir.Op, live: set[Var]) -> None:
    if isinstance(op, Prim):
        live.update(a for a in op.args if isinstance(a, Var))
    else:
        from ...lang.core.walk import free_in_op

        live.update(free_in_op(op))


def _prune_op(op: ir.Op, fallible: frozenset[str]) -> ir.Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, prune(then, fallible), prune(orelse, fallible))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, ir.Lambda(body.params, prune(body.body, fallible)), shapes)
        case ir.Loop(cond=cond, body=body):
            cond = None if cond is None else ir.Lambda(cond.params, prune(cond.body, fallible))
            return replace(op, cond=cond, body=prune(body, fallible))
        case _:
            return op


def may_fail(op: ir.Op, fallible: frozenset[str]) -> bool:
    """Whether running it may raise (or never end)."""
    match op:
        case ir.Prim(name=name):
            return PRIMITIVES[name].fails
        case ir.Call(function=function):
            return function in fallible
        case ir.If(_, then, orelse):
            return block_may_fail(then, fallible) or block_may_fail(orelse, fallible)
        case ir.Map(body=body) | ir.Reduce(body=body) | ir.Scan(body=body) | ir.Diff(body=body):
            return block_may_fail(body.body, fallible)
        case ir.Loop(cond=cond, body=block):
            return block_may_fail(block, fallible) or (cond is not None and block_may_fail(cond.body, fallible))
        case ir.Custom(body=body):
            return block_may_fail(body.body, fallible)


def block_may_fail(block: ir.Block, fallible: frozenset[str]) -> bool:
    return any(may_fail(s.op, fallible) for s in block.stmts)


ZERO = Lanes(i64(0))
ONE = Lanes(i64(1))
