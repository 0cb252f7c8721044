"""The reverse of maps and branches.

map (\\x -> body) xs: the reverse map takes elements and cotangents of results, runs the body again as far as its
reverse sweep needs it, and gives the cotangents of elements; contributions to variables from outside are results too:
dense ones are summed, reads become reads of more places. Where a map's reads have no common shape, it is reversed as
a loop.

if c then a else b: both arms are reversed; each variable that either arm touches is a result of the reverse `if`.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import Builder
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Var
from .adjoint import Irregular, Read, Scope, as_read, bound_in, no_places, with_rows
from .extents import Extents
from .prune import prune
from .recompute import Plan, Reads, Rerun, padding, plan
from .reverse_loop import fixed_indices, reverse_loop

if TYPE_CHECKING:
    from .vjp import Reverse


@dataclass(frozen=True)
class Export:
    """A cotangent that leaves a nested block, as one or more of its results.

    `indices` atoms, then the value. `fixed`: the indices as known outside, then only the value is a result. `row`
    says that the variable is a row of `var`, an array the map goes over.
    """

    var: Var
    read: Read | None = None
    fixed: tuple[Atom, ...] | None = None
    row: bool = False


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
    array_of = dict(zip(lam.params, op.arrays, strict=True))
    parts = _parts(inner, array_of)

    extents = Extents(b)
    extents.rows((*lam.params, *seeds), (*op.arrays, *seed_arrays))
    extents.define(forward)
    extents.define(inner.b.stmts)
    exports, results, shapes = _map_results(extents, b, array_of, parts)
    back = prune(inner.b.block(results))
    outside = Builder(rev.supply, stmt.span)
    sizes = Extents(outside)
    sizes.rows(lam.params, op.arrays)
    sizes.define(forward)
    chosen = plan(forward, back, Reads(extents), rev.roots, frozenset(), sizes.knows)

    params = [*lam.params, *chosen.saved, *seeds]
    saved = tuple(rev.supply.var(v.name + "s", ir.Type(v.type.dtype, v.type.rank + 1)) for v in chosen.saved)
    arrays = [*op.arrays, *saved, *seed_arrays]
    used = [k for k, p in enumerate(params) if p in chosen.needed or p in chosen.saved] or [len(params) - 1]
    again = Lambda(tuple(params[k] for k in used), Block((*chosen.again, *back.stmts), back.results))
    body = Rerun(rev.supply, {}, extents).function(again)
    if results:
        made = b.bind(ir.Map(tuple(arrays[k] for k in used), body, tuple(shapes)), "adj")
        _receive(scope, exports, made, op.arrays[0])
    if not saved:
        return [stmt]
    rows = tuple(sizes.dims(v) or () for v in chosen.saved)
    more = Lambda(lam.params, Block(tuple(forward), lam.body.results + chosen.saved))
    return [*outside.stmts, Stmt((*stmt.vars, *saved), ir.Map(op.arrays, more, op.shapes + rows), stmt.span)]


def _parts(inner: Scope, rows: dict[Var, Atom]) -> list[tuple[Var, Atom | None, list[Read]]]:
    """What the sweep found for each variable from outside (and each row): the dense part and the reads."""
    parts: list[tuple[Var, Atom | None, list[Read]]] = []
    for x, adjoint in list(inner.adjoints.items()):
        reads = [as_read(inner.b, x, read) for read in adjoint.reads]
        if x in rows and (adjoint.dense is not None or any(read.rank for read in reads)):
            parts.append((x, inner.dense(x), []))
        else:
            parts.append((x, adjoint.dense, reads))
    return parts


def _map_results(
    extents: Extents, b: Builder, array_of: dict[Var, Atom], parts: list[tuple[Var, Atom | None, list[Read]]]
) -> tuple[list[Export], list[Atom], list[tuple[Atom, ...]]]:
    """What the reverse map returns: what it is for, the atoms, and the shapes of their rows."""
    exports: list[Export] = []
    results: list[Atom] = []
    shapes: list[tuple[Atom, ...]] = []
    for x, dense, reads in parts:
        array = array_of.get(x)
        var = x if array is None else array
        assert isinstance(var, Var)
        skip = 0 if array is None else 1
        whole = [b.dim(var, axis) for axis in range(skip, var.type.rank)]
        if dense is not None:
            exports.append(Export(var, row=array is not None))
            results.append(dense)
            shapes.append(tuple(whole))
        for read in reads:
            fixed = fixed_indices(extents, read) if array is None else None
            exports.append(Export(var, read, fixed, array is not None))
            places = extents.dims(read.indices[0], read.rank) if read.rank else ()
            if places is None:
                raise Irregular
            if fixed is None:
                results.extend(read.indices)
                shapes.extend([places] * len(read.indices))
            results.append(read.value)
            shapes.append((*places, *whole[len(read.indices):]))
    return exports, results, shapes


def _receive(scope: Scope, exports: Sequence[Export], vars: Sequence[Var], array: Atom) -> None:
    """Add what a reverse map returned to the cotangents outside."""
    b = scope.b
    values = iter(vars)
    for export in exports:
        if export.read is None:
            value: Atom = next(values)
            scope.add(export.var, value if export.row else b.prim("sum", value, axis=0))
        elif export.fixed is not None:
            scope.add_read(export.var, Read(export.fixed, b.prim("sum", next(values), axis=0), export.read.holes))
        else:
            indices = tuple(next(values) for _ in export.read.indices)
            read = Read(indices, next(values), export.read.holes)
            scope.add_read(export.var, with_rows(b, read, b.dim(array)) if export.row else read)


# ------------------------------------------------------------------ branches


class _Arm:
    def __init__(self, rev: Reverse, scope: Scope, block: Block, cts: Sequence[Atom | None]) -> None:
        self.block = block
        self.scope = Scope("if", scope.b.nested(), bound_in(block), scope)
        for x, ct in zip(block.results, cts, strict=True):
            if ct is not None and rev.varies(x):
                self.scope.add(x, ct)
        self.forward = rev.sweep(self.scope, block.stmts)
        self.results: list[Atom] = []

    def finish(self, outer: Builder) -> None:
        """Know sizes; all reads as index arrays."""
        for x, adjoint in self.scope.adjoints.items():
            if not (x.type.rank and self.scope.threads(x)):
                adjoint.reads[:] = [as_read(self.scope.b, x, read) for read in adjoint.reads]
        self.extents = Extents(outer)
        self.extents.define(self.forward)
        self.extents.define(self.scope.b.stmts)

    def reads(self, x: Var) -> list[Read]:
        """Reads of a variable from outside; those whose shape is not known outside go into the dense part."""
        adjoint = self.scope.adjoints.get(x)
        found = [] if adjoint is None else [read for read in adjoint.reads if isinstance(read, Read)]
        stackable = [self.extents.dims(read.indices[0], read.rank) is not None for read in found if read.rank]
        if adjoint is None or all(stackable):
            return found
        if self.scope.crosses_map(x):
            raise Irregular
        self.scope.dense(x)
        return []

    def dense(self, x: Var) -> Atom | None:
        adjoint = self.scope.adjoints.get(x)
        return None if adjoint is None else adjoint.dense


def reverse_if(rev: Reverse, scope: Scope, stmt: Stmt, op: ir.If, cts: Sequence[Atom | None]) -> list[Stmt]:
    b = scope.b
    arms = [_Arm(rev, scope, block, cts) for block in (op.then, op.orelse)]
    touched = {x: None for arm in arms for x in arm.scope.adjoints}
    threaded = [x for x in touched if x.type.rank and arms[0].scope.threads(x)]
    for arm in arms:
        arm.results.extend(arm.scope.dense(x) if x in arm.scope.adjoints else scope.dense(x) for x in threaded)
        arm.finish(b)
    exports = [e for x in touched if x not in threaded for e in _join(b, arms, x)]
    if not arms[0].results:
        return [stmt]

    outside = Builder(rev.supply, stmt.span)
    plans = [_arm_plan(rev, arm, outside) for arm in arms]
    then_saved, else_saved = plans[0][0].saved, plans[1][0].saved
    saved = [*then_saved, *else_saved]
    made = [rev.supply.var(v.name, v.type) for v in saved]
    env: dict[Var, Atom] = dict(zip(saved, made, strict=True))
    blocks = []
    for arm, (chosen, back, _) in zip(arms, plans, strict=True):
        blocks.append(Rerun(rev.supply, env, arm.extents).block(Block((*chosen.again, *back.stmts), back.results)))
    values = iter(b.bind(ir.If(op.cond, *blocks), "adj"))
    for x in threaded:
        scope.adjoint(x).dense = next(values)
    for export in exports:
        if export.read is None:
            scope.add(export.var, next(values))
        else:
            indices = tuple(next(values) for _ in export.read.indices)
            scope.add_read(export.var, Read(indices, next(values), export.read.holes))
    if not saved:
        return [stmt]
    # Forward, each arm also returns what it saves, and zeros for what the other one does.
    sizes = {v: known.dims(v) or () for (chosen, _, known) in plans for v in chosen.saved}
    pads = [Builder(rev.supply, stmt.span) for _ in arms]
    then_zeros = tuple(padding(pads[1], v, sizes[v]) for v in then_saved)
    else_zeros = tuple(padding(pads[0], v, sizes[v]) for v in else_saved)
    then = Block((*arms[0].forward, *pads[0].stmts), op.then.results + then_saved + else_zeros)
    orelse = Block((*arms[1].forward, *pads[1].stmts), op.orelse.results + then_zeros + else_saved)
    return [*outside.stmts, Stmt((*stmt.vars, *made), ir.If(op.cond, then, orelse), stmt.span)]


def _join(b: Builder, arms: list[_Arm], x: Var) -> list[Export]:
    """Make the contributions of both arms to `x` results of the reverse `if`, in step."""
    exports: list[Export] = []
    reads = [arm.reads(x) for arm in arms]
    if any(arm.dense(x) is not None for arm in arms):
        exports.append(Export(x))
        for arm in arms:
            dense = arm.dense(x)
            arm.results.append(arm.scope.b.zeros_like(x) if dense is None else dense)
    left = [list(part) for part in reads]
    while left[0] and left[1] and not left[0][0].rank and not left[1][0].rank and _alike(left[0][0], left[1][0]):
        pair = (left[0].pop(0), left[1].pop(0))
        exports.append(Export(x, Read(pair[0].indices, pair[0].value, pair[0].holes or pair[1].holes)))
        for arm, read in zip(arms, pair, strict=True):
            arm.results.extend((*read.indices, read.value))
    for arm, other, rest in ((arms[0], arms[1], left[0]), (arms[1], arms[0], left[1])):
        for read in rest:
            sizes = arm.extents.dims(read.indices[0], read.rank) if read.rank else ()
            assert sizes is not None
            exports.append(Export(x, Read(read.indices, read.value, holes=True)))
            arm.results.extend((*read.indices, read.value))
            other.results.extend(no_places(other.scope.b, read, x, sizes))
    return exports


def _alike(x: Read, y: Read) -> bool:
    return len(x.indices) == len(y.indices)


def _arm_plan(rev: Reverse, arm: _Arm, outside: Builder) -> tuple[Plan, Block, Extents]:
    back = prune(arm.scope.b.block(arm.results))
    sizes = Extents(outside)
    sizes.define(arm.forward)
    return plan(arm.forward, back, Reads(arm.extents), rev.roots, frozenset(), sizes.knows), back, sizes
