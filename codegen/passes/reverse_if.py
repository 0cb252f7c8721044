"""The reverse of branches.

if c then a else b: both arms are reversed, each running forward again as far as its reverse sweep needs it; every
variable that either arm touches is a result of the reverse `if`. The arm that is not taken is not run: it contributes
nothing.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Block, Stmt, Var
from .adjoint import Irregular, Read, Scope, as_read, bound_in, no_places
from .extents import Extents
from .prune import prune
from .recompute import Plan, Reads, Rerun, padding, plan

if TYPE_CHECKING:
    from .vjp import Reverse

Export = tuple[Var, Read | None]
"""A cotangent that leaves the arms: of a variable, dense or at some places."""


class _Arm:
    def __init__(self, rev: Reverse, scope: Scope, block: Block, cts: Sequence[Atom | None]) -> None:
        self.block = block
        self.scope = Scope("if", scope.b.nested(), bound_in(block), scope)
        for x, ct in zip(block.results, cts, strict=True):
            if ct is not None and rev.varies(x):
                self.scope.add(x, ct)
        self.forward = rev.sweep(self.scope, block.stmts)
        self.results: list[Atom] = []

    def finish(self, outer: Builder, threaded: Sequence[Var]) -> None:
        """Know sizes; all reads that are returned as index arrays."""
        for x, adjoint in self.scope.adjoints.items():
            if x not in threaded:
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
    threaded = [x for x in touched if any(x in arm.scope.started for arm in arms)]
    for arm in arms:
        arm.results.extend(arm.scope.dense(x) if x in arm.scope.adjoints else scope.dense(x) for x in threaded)
        arm.finish(b, threaded)
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
    for x, read in exports:
        if read is None:
            scope.add(x, next(values))
        else:
            indices = tuple(next(values) for _ in read.indices)
            scope.add_read(x, Read(indices, next(values), read.holes))
    if not saved:
        return [stmt]
    # Forward, each arm also returns what it saves, and zeros for what the other one does.
    pads = [Builder(rev.supply, stmt.span) for _ in arms]
    then_zeros = tuple(_stand_in(pads[1], v, plans[0][2]) for v in then_saved)
    else_zeros = tuple(_stand_in(pads[0], v, plans[1][2]) for v in else_saved)
    then = Block((*arms[0].forward, *pads[0].stmts), op.then.results + then_saved + else_zeros)
    orelse = Block((*arms[1].forward, *pads[1].stmts), op.orelse.results + then_zeros + else_saved)
    return [*outside.stmts, Stmt((*stmt.vars, *made), ir.If(op.cond, then, orelse), stmt.span)]


def _join(b: Builder, arms: list[_Arm], x: Var) -> list[Export]:
    """Make the contributions of both arms to `x` results of the reverse `if`, in step."""
    exports: list[Export] = []
    reads = [arm.reads(x) for arm in arms]
    if any(arm.dense(x) is not None for arm in arms):
        exports.append((x, None))
        for arm in arms:
            dense = arm.dense(x)
            arm.results.append(arm.scope.b.zeros_like(x) if dense is None else dense)
    left = [list(part) for part in reads]
    while left[0] and left[1] and not left[0][0].rank and not left[1][0].rank and _alike(left[0][0], left[1][0]):
        pair = (left[0].pop(0), left[1].pop(0))
        exports.append((x, Read(pair[0].indices, pair[0].value, pair[0].holes or pair[1].holes)))
        for arm, read in zip(arms, pair, strict=True):
            arm.results.extend((*read.indices, read.value))
    for arm, other, rest in ((arms[0], arms[1], left[0]), (arms[1], arms[0], left[1])):
        for read in rest:
            sizes = arm.extents.dims(read.indices[0], read.rank) if read.rank else ()
            assert sizes is not None
            exports.append((x, Read(read.indices, read.value, holes=True)))
            arm.results.extend((*read.indices, read.value))
            other.results.extend(no_places(other.scope.b, read, x, sizes))
    return exports


def _alike(x: Read, y: Read) -> bool:
    return len(x.indices) == len(y.indices)


def _arm_plan(rev: Reverse, arm: _Arm, outside: Builder) -> tuple[Plan, Block, Extents]:
    back = prune(arm.scope.b.block(arm.results))
    sizes = Extents(outside)
    sizes.define(arm.forward)
    reads = Reads(arm.extents)
    return plan(arm.forward, back, reads, rev.roots, frozenset(), sizes.knows, rev.once), back, sizes


def _stand_in(b: Builder, v: Var, known: Extents) -> Atom:
    """What the arm that has no `v` gives for it; nobody reads it. Where the size is not known it is nothing, and of a
    size that nobody sees through, for the size of the other arm's is not that.
    """
    sizes = known.dims(v)
    return padding(b, v, [b.prim("abs", i64(0))] * v.type.rank if sizes is None else sizes)
