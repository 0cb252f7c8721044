"""Adjoints under construction: what reverse mode knows so far of the cotangent of each variable, scope by scope.

The cotangent of an array is a dense part plus *reads*: cotangents of single places, slices or gathered places, which
stay as they are until somebody needs the whole array. A `Scope` is a block whose reverse sweep is being written.
Cotangents of variables bound outside of it go one of two ways:

- *threaded*, in loops, and in arms when there is something to thread: the sweep starts from the cotangent so far and
  adds to it, so that an array's cotangent is one array that every iteration updates in place;
- *returned*, in maps (and derivative functions): contributions start from nothing, dense parts become results that are
  summed outside, and reads become stacks of indices and values, so that a map over n elements that reads an array of n
  does not make n arrays of n.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Block, Const, Var
from .extents import Extents, lengths


@dataclass(frozen=True)
class Read:
    """Cotangents `value` of the places `indices`: scalars, or arrays of one rank.

    `holes`: an index may be -1, for nothing.
    """

    indices: tuple[Atom, ...]
    value: Atom
    holes: bool = False

    @property
    def rank(self) -> int:
        return self.indices[0].type.rank

    def of(self, value: Atom) -> Read:
        """The same places with other cotangents."""
        return Read(self.indices, value, self.holes)


@dataclass(frozen=True)
class SliceRead:
    """The cotangent of `slice(x, start, count, step)` along an axis."""

    start: Atom
    count: Atom
    step: Atom
    axis: int
    value: Atom

    def of(self, value: Atom) -> SliceRead:
        """The same places with other cotangents."""
        return SliceRead(self.start, self.count, self.step, self.axis, value)


@dataclass
class Adjoint:
    dense: Atom | None = None
    reads: list[Read | SliceRead] = field(default_factory=list)


@dataclass
class Total:
    """A cotangent, or that of a read, that is summed up through all pieces of a loop: at the start and end of one."""

    var: Var
    read: Read | SliceRead | None
    start: Var
    end: Atom | None = None


Kind = Literal["whole", "function", "map", "if", "loop"]


class Scope:
    """A block being reversed; `b` writes its reverse sweep. `local` variables are bound in it."""

    def __init__(
        self, kind: Kind, b: Builder, local: Iterable[Var], parent: Scope | None = None, part: str = ""
    ) -> None:
        self.kind = kind
        self.part = part
        """Of a loop: which part of a loop in pieces it is."""
        self.given: dict[Var, Var] = {}
        """Of a function: cotangents so far that it takes, to add to them."""
        self.totals: list[Total] = []
        """Of a loop over pieces: what each piece goes on summing up."""
        self.b = b
        self.local = set(local)
        self.parent = parent
        self.adjoints: dict[Var, Adjoint] = {}
        self.started: dict[Var, Atom] = {}
        """Threaded variables, and what their cotangent is at the start of the sweep."""

    # ------------------------------------------------------------ adding

    def adjoint(self, x: Var) -> Adjoint:
        found = self.adjoints.get(x)
        if found is None:
            found = self.adjoints[x] = Adjoint(self.given.get(x))
            threaded = found.dense is None and x.type.rank and self.threads(x)
            if threaded and (self.kind == "loop" or self.outer.carries(x)):
                found.dense = self.start(x)
        return found

    def add(self, x: Atom, ct: Atom) -> None:
        """Add a dense cotangent to a variable."""
        if not isinstance(x, Var):
            return
        adjoint = self.adjoint(x)
        adjoint.dense = ct if adjoint.dense is None else self.b.add(adjoint.dense, ct)

    def add_read(self, x: Var, read: Read | SliceRead) -> None:
        self.adjoint(x).reads.append(read)

    def threads(self, x: Var) -> bool:
        """Whether `x` is bound outside, with loops and arms only in between.

        A loop in pieces threads the parameters of its function in any case: stacks would have a row to each iteration.
        """
        scope: Scope | None = self
        if x in self.local:
            return False
        pieces = False
        while scope is not None and x not in scope.local:
            if scope.kind == "map" or (scope.kind == "function" and not pieces):
                return False
            pieces = pieces or scope.part in ("pieces", "log")
            scope = scope.parent
        return True

    @property
    def outer(self) -> Scope:
        assert self.parent is not None
        return self.parent

    def carries(self, x: Var) -> bool:
        """Whether there is a cotangent of `x` already, here or where it is threaded from."""
        adjoint = self.adjoints.get(x)
        if adjoint is not None and (adjoint.dense is not None or adjoint.reads):
            return True
        return self.threads(x) and (self.kind == "loop" or self.outer.carries(x))

    def crosses_map(self, x: Var) -> bool:
        """Whether `x` is bound outside of a map that this scope is in."""
        scope: Scope | None = self
        while scope is not None and x not in scope.local:
            if scope.kind == "map":
                return True
            scope = scope.parent
        return False

    def repeats(self) -> bool:
        """Whether the sweep may run many times: in a map, a loop or a function."""
        scope: Scope | None = self
        while scope is not None:
            if scope.kind not in ("whole", "if"):
                return True
            scope = scope.parent
        return False

    def start(self, x: Var) -> Atom:
        """What a threaded cotangent is when the sweep starts: of a loop a new state, of an arm what it is outside."""
        found = self.started.get(x)
        if found is None:
            found = self.b.fresh(x.name + "_adj", x.type) if self.kind == "loop" else self.outer.dense(x)
            self.started[x] = found
        return found

    # ------------------------------------------------------------ taking

    def take(self, x: Var) -> Atom | None:
        """The whole cotangent of `x`, which nothing adds to any more; None for zero."""
        if x not in self.adjoints:
            return None
        found = self.dense(x)
        del self.adjoints[x]
        return found

    def dense(self, x: Var) -> Atom:
        """The cotangent so far as one value; reads are added into it."""
        adjoint = self.adjoint(x)
        total = self.b.zeros_like(x) if adjoint.dense is None else adjoint.dense
        for read in adjoint.reads:
            total = accumulate(self.b, total, read)
        adjoint.reads.clear()
        adjoint.dense = total
        return total


# ------------------------------------------------------------------ reads


def accumulate(b: Builder, total: Atom, read: Read | SliceRead) -> Atom:
    """`total` with the read's values added at their places."""
    if isinstance(read, SliceRead):
        return b.prim("accumulate_slice", total, read.value, read.start, read.step, axis=read.axis)
    if read.rank:
        return b.prim("accumulate_at", total, read.value, *read.indices)
    if read.holes:
        return b.prim("accumulate_at", total, b.prim("stack", read.value), *(b.prim("stack", i) for i in read.indices))
    return b.prim("accumulate", total, read.value, *read.indices)


def as_read(b: Builder, x: Var, read: Read | SliceRead) -> Read:
    """A slice as the places it consists of: for axis k, indices of the axes up to k."""
    if isinstance(read, Read):
        return read
    iota = b.prim("iota", read.count)
    places = b.add(b.mul(iota, read.step), read.start)
    before = [b.dim(read.value, axis) for axis in range(read.axis)]
    return Read(tuple(grid(b, [*(b.prim("iota", n) for n in before), places], [*before, read.count])), read.value)


def grid(b: Builder, places: Sequence[Atom], sizes: Sequence[Atom]) -> list[Atom]:
    """Index arrays of shape `sizes`: the k-th varies along axis k as `places[k]` says."""
    out = []
    for axis, place in enumerate(places):
        for size in reversed(sizes[:axis]):
            place = b.prim("replicate", size, place)
        for size in sizes[axis + 1:]:
            place = b.prim("replicate", size, place)
            # The new axis stands in front; it belongs behind.
            place = b.prim("transpose", place, perm=(*range(1, place.type.rank), 0))
        out.append(place)
    return out


def no_places(b: Builder, read: Read, x: Var, sizes: Sequence[Atom]) -> list[Atom]:
    """Indices and value of a read of this form that says nothing; `sizes` is the shape of its index arrays."""
    sizes = lengths(b, sizes)
    hole = b.full(i64(-1), sizes)
    row = [b.dim(x, axis) for axis in range(len(read.indices), x.type.rank)]
    return [*[hole] * len(read.indices), b.full(Const(0.0, x.type.dtype), [*sizes, *row])]


def with_rows(b: Builder, read: Read, length: Atom) -> Read:
    """One read of each row of an array, stacked, as a read of the array: the row number comes first."""
    sizes = [length, *(b.dim(read.indices[0], axis) for axis in range(1, read.rank))]
    return Read((grid(b, [b.prim("iota", length)], sizes)[0], *read.indices), read.value, read.holes)


def fixed(extents: Extents, read: Read | SliceRead, value: Atom) -> Read | SliceRead | None:
    """The read with another value and with indices or bounds as known outside, if they are the same at every run."""
    if isinstance(read, SliceRead):
        bounds = [extents.value(n) for n in (read.start, read.count, read.step)]
        start, count, step = bounds
        if start is None or count is None or step is None:
            return None
        return SliceRead(start, count, step, read.axis, value)
    if read.rank:
        return None
    outside = [extents.value(i) for i in read.indices]
    known = tuple(i for i in outside if i is not None)
    return Read(known, value, read.holes) if len(known) == len(outside) else None


def if_run(b: Builder, runs: Atom, read: Read | SliceRead) -> Read | SliceRead:
    """A read that is the same in each of `runs` runs of a body, as seen outside: of nothing when there are none, since
    then nobody has looked whether its place exists.
    """
    if isinstance(runs, Const) and runs.value > 0:
        return read
    some = b.prim("gt", runs, i64(0))
    if isinstance(read, SliceRead):
        count = b.select(some, read.count, i64(0))
        value = b.prim("slice", read.value, i64(0), count, i64(1), axis=read.axis)
        return SliceRead(read.start, count, read.step, read.axis, value)
    if read.rank:
        return read
    first, *rest = read.indices
    return Read((b.select(some, first, i64(-1)), *rest), read.value, holes=True)


def value_shape(
    b: Builder, x: Var, read: Read | SliceRead, places: Sequence[Atom] = (), skip: int = 0
) -> tuple[Atom, ...]:
    """The shape of a read's value, outside. `places`: that of its index arrays; `skip`: axes of `x` to leave out."""
    if isinstance(read, SliceRead):
        count = read.count if isinstance(read.count, Const) else b.prim("max", read.count, i64(0))
        return tuple(count if k == read.axis else b.dim(x, skip + k) for k in range(x.type.rank - skip))
    return (*places, *(b.dim(x, axis) for axis in range(skip + len(read.indices), x.type.rank)))


def bound_in(block: Block) -> list[Var]:
    """The variables that the statements of a block bind."""
    return [v for stmt in block.stmts for v in stmt.vars]


class Irregular(Exception):
    """Reads in a map differ in shape from element to element: they cannot be stacked, so it is reversed as a loop."""
