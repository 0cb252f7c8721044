"""The reverse of maps.

map (\\x -> body) xs: the reverse map takes elements and cotangents of results, runs the body again as far as its
reverse sweep needs it, and gives the cotangents of elements; contributions to variables from outside are results too:
dense ones are summed, reads become reads of more places. Reads of one place or slice that is the same in every
element are summed and stay what they are. Where a map's reads have no common shape, it is reversed as a loop.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Var
from .adjoint import Irregular, Read, Scope, SliceRead, as_read, bound_in, fixed, if_run, value_shape, with_rows
from .extents import Extents
from .prune import prune
from .recompute import Reads, Rerun, plan
from .reverse_loop import reverse_loop

if TYPE_CHECKING:
    from .vjp import Reverse


def reverse_map(rev: Reverse, scope: Scope, stmt: Stmt, op: ir.Map, cts: Sequence[Atom | None]) -> list[Stmt]:
    if id(op.body) not in rev.sequential:
        mark = len(scope.b.stmts)
        try:
            return _reverse_map(rev, scope, stmt, op, cts)
        except Irregular:
            del scope.b.stmts[mark:]
            rev.sequential[id(op.body)] = op.body
    b = Builder(rev.supply, stmt.span)
    length = b.dim(op.arrays[0])
    index = b.fresh("i", ir.I64)
    rows = zip(op.body.params, op.arrays, strict=True)
    reads = tuple(Stmt((p,), ir.Prim("index", (x, index)), stmt.span) for p, x in rows)
    body = Block(reads + op.body.body.stmts, op.body.body.results)
    same = Stmt(stmt.vars, ir.Loop(length, None, index, (), (), body, op.shapes), stmt.span)
    assert isinstance(same.op, ir.Loop)
    forward = reverse_loop(rev, scope, same, same.op, cts)
    return [*b.stmts, *(stmt if s is same else s for s in forward)]


def _reverse_map(rev: Reverse, scope: Scope, stmt: Stmt, op: ir.Map, cts: Sequence[Atom | None]) -> list[Stmt]:
    lam, b = op.body, scope.b
    inner = Scope("map", b.nested(), [*lam.params, *bound_in(lam.body)], scope)
    seeds: list[Var] = []
    seed_arrays: list[Atom] = []
    for x, ct in zip(lam.body.results, cts, strict=True):
        if ct is not None and isinstance(x, Var) and rev.varies(x):
            seed = rev.supply.var(x.name + "_adj", x.type)
            seeds.append(seed)
            seed_arrays.append(ct)
            inner.add(x, seed)
    if not seeds:
        return [stmt]
    forward = rev.sweep(inner, lam.body.stmts)
    extents = Extents(b)
    extents.rows((*lam.params, *seeds), (*op.arrays, *seed_arrays))
    extents.define(forward)
    extents.define(inner.b.stmts)
    leaving = _Leaving(scope, inner, extents, dict(zip(lam.params, op.arrays, strict=True)))
    back = prune(inner.b.block(leaving.results))
    outside = Builder(rev.supply, stmt.span)
    sizes = Extents(outside)
    sizes.rows(lam.params, op.arrays)
    sizes.define(forward)
    chosen = plan(forward, back, Reads(extents), rev.roots, frozenset(), sizes.knows, rev.once)
    if not all(map(sizes.knows, chosen.saved)):
        raise Irregular

    params = [*lam.params, *chosen.saved, *seeds]
    saved = tuple(rev.supply.var(v.name + "s", ir.Type(v.type.dtype, v.type.rank + 1)) for v in chosen.saved)
    arrays = [*op.arrays, *saved, *seed_arrays]
    used = [k for k, p in enumerate(params) if p in chosen.needed or p in chosen.saved] or [len(params) - 1]
    again = Lambda(tuple(params[k] for k in used), Block((*chosen.again, *back.stmts), back.results))
    body = Rerun(rev.supply, {}, extents).function(again)
    if leaving.results:
        leaving.receive(b.bind(ir.Map(tuple(arrays[k] for k in used), body, tuple(leaving.shapes)), "adj"))
    if not saved:
        return [stmt]
    rows = tuple(sizes.dims(v) or () for v in chosen.saved)
    more = Lambda(lam.params, Block(tuple(forward), lam.body.results + chosen.saved))
    return [*outside.stmts, Stmt((*stmt.vars, *saved), ir.Map(op.arrays, more, op.shapes + rows), stmt.span)]


class _Leaving:
    """What leaves a reverse map: results, the shapes of their rows, and what to do with the stacks outside."""

    def __init__(self, scope: Scope, inner: Scope, extents: Extents, array_of: dict[Var, Atom]) -> None:
        self.scope = scope
        self.inner = inner
        self.extents = extents
        self.length = next(iter(array_of.values()))
        self.results: list[Atom] = []
        self.shapes: list[tuple[Atom, ...]] = []
        self.actions: list[tuple[int, Callable[[Sequence[Var]], None]]] = []
        for x in list(inner.adjoints):
            array = array_of.get(x)
            if array is None:
                self.outside(x)
            else:
                assert isinstance(array, Var)
                self.row(x, array)

    def leave(self, atoms: Sequence[Atom], shapes: Sequence[tuple[Atom, ...]],
              action: Callable[[Sequence[Var]], None]) -> None:
        self.results.extend(atoms)
        self.shapes.extend(shapes)
        self.actions.append((len(atoms), action))

    def receive(self, stacks: Sequence[Var]) -> None:
        start = 0
        for count, action in self.actions:
            action(stacks[start:start + count])
            start += count

    def total(self, stack: Atom) -> Atom:
        return self.scope.b.prim("sum", stack, axis=0)

    # ------------------------------------------------------------ variables from outside

    def outside(self, x: Var) -> None:
        b, scope, adjoint = self.scope.b, self.scope, self.inner.adjoints[x]
        if adjoint.dense is not None:
            shape = tuple(b.dim(x, axis) for axis in range(x.type.rank))
            self.leave([adjoint.dense], [shape], lambda stacks: scope.add(x, self.total(stacks[0])))
        for read in adjoint.reads:
            same = fixed(self.extents, read, read.value)
            if same is not None:
                self.leave([read.value], [value_shape(b, x, same)], self.add_total(x, same))
            else:
                self.leave_read(x, read, x, 0, lambda stacked: scope.add_read(x, stacked))

    def add_total(self, x: Var, same: Read | SliceRead) -> Callable[[Sequence[Var]], None]:
        def action(stacks: Sequence[Var]) -> None:
            b = self.scope.b
            self.scope.add_read(x, if_run(b, b.dim(self.length), same.of(self.total(stacks[0]))))

        return action

    def leave_read(self, x: Var, read: Read | SliceRead, array: Var, skip: int, use: Callable[[Read], None]) -> None:
        """A read whose indices leave with it. `array` is `x`, or (`skip` 1) the array that `x` is a row of."""
        mark = len(self.inner.b.stmts)
        places_read = as_read(self.inner.b, x, read)
        self.extents.define(self.inner.b.stmts[mark:])
        places = self.extents.dims(places_read.indices[0], places_read.rank)
        if places is None:
            raise Irregular
        shapes = [places] * len(places_read.indices)
        shapes.append(value_shape(self.scope.b, array, places_read, places, skip))
        holes = places_read.holes
        self.leave([*places_read.indices, places_read.value], shapes,
                   lambda stacks: use(Read(tuple(stacks[:-1]), stacks[-1], holes)))

    # ------------------------------------------------------------ rows of arrays

    def row(self, x: Var, array: Var) -> None:
        """All rows together are the cotangent of the array.

        Reads stay reads if they are one slice of the array, or if whole rows would be made over and over, in a loop,
        for the sake of a few places.
        """
        scope, b, adjoint = self.scope, self.scope.b, self.inner.adjoints[x]
        slices = [self.slice_of(x, array, read) for read in adjoint.reads]
        own = scope.kind == "map" and array in scope.local
        few = scope.repeats() and not own and all(map(self.stackable, adjoint.reads))
        if adjoint.dense is not None or not (few or all(slices)):
            shape = tuple(b.dim(array, axis) for axis in range(1, array.type.rank))
            self.leave([self.inner.dense(x)], [shape], lambda stacks: scope.add(array, stacks[0]))
            return

        def add_rows(stacked: Read) -> None:
            scope.add_read(array, with_rows(b, stacked, b.dim(self.length)))

        for read, part in zip(adjoint.reads, slices, strict=True):
            if part is not None:
                shape = tuple(value_shape(b, array, part)[1:])
                self.leave([part.value], [shape], self.add_slice(array, part))
            else:
                self.leave_read(x, read, array, 1, add_rows)

    def add_slice(self, array: Var, part: SliceRead) -> Callable[[Sequence[Var]], None]:
        def action(stacks: Sequence[Var]) -> None:
            b = self.scope.b
            self.scope.add_read(array, if_run(b, b.dim(self.length), part.of(stacks[0])))

        return action

    def slice_of(self, x: Var, array: Var, read: Read | SliceRead) -> SliceRead | None:
        """The read of each row as a slice of the array, if it is the same in every row; its value is the row's."""
        same = fixed(self.extents, read, read.value)
        if isinstance(same, SliceRead):
            return SliceRead(same.start, same.count, same.step, same.axis + 1, same.value)
        if isinstance(same, Read) and len(same.indices) == 1 and not same.holes:
            return SliceRead(same.indices[0], i64(1), i64(1), 1, self.inner.b.prim("stack", same.value))
        return None

    def stackable(self, read: Read | SliceRead) -> bool:
        if isinstance(read, Read):
            return None not in self.extents.shape(read.indices[0])
        return self.extents.value(read.count) is not None and None not in self.extents.shape(read.value)
