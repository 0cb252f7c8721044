"""The reverse of loops.

loop s = init for i < n: next(s, i), rows(s, i). The reverse loop goes from the last iteration to the first; its
states are the cotangents of the states that matter, and the cotangents so far of the variables from outside
(threaded), to which every iteration adds. Cotangents of collected rows enter at their row. A `while` is the same,
once it has counted its iterations.

What an iteration needs of the forward values is saved by the forward loop, which collects it row by row, or computed
again from what is (`recompute`).
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64, zero
from ...lang.core.ir import Atom, Block, Const, Stmt, Var
from ...lang.core.part import adjoint
from ...lang.core.walk import free_in_op
from ...lang.source import Span
from .adjoint import Irregular, Read, Scope, SliceRead, Total, accumulate, as_read, bound_in, fixed, if_run, value_shape
from .extents import Extents
from .prune import prune
from .recompute import Reads, Rerun, mark_fragile, plan
from .rewind import Rewind, rewind

if TYPE_CHECKING:
    from .vjp import Reverse

Action = tuple[Var, Read | SliceRead | None, int] | Total
"""Whose cotangent results of the reverse loop are: a variable, a read of it, how many indices are results too."""


def reverse_loop(rev: Reverse, scope: Scope, stmt: Stmt, op: ir.Loop, cts: Sequence[Atom | None]) -> list[Stmt]:
    return _ReverseLoop(rev, scope, stmt, op, cts).forward()


class _ReverseLoop:
    def __init__(self, rev: Reverse, scope: Scope, stmt: Stmt, op: ir.Loop, cts: Sequence[Atom | None]) -> None:
        self.rev, self.scope, self.stmt, self.op = rev, scope, stmt, op
        self.trips = stmt.vars[-1] if op.count is None else op.count
        mark_fragile(op, rev.roots)
        self.inner = Scope("loop", scope.b.nested(), [op.index, *op.params, *bound_in(op.body)], scope, op.part)
        self.states: list[tuple[Var, Atom, Atom]] = []
        """Of the reverse loop: parameter, first value, next value."""
        self.rows: list[tuple[Atom, tuple[Atom, ...]]] = []
        """Collected by the reverse loop: value, and its shape outside."""
        self.seed(cts)
        self.statements = rev.sweep(self.inner, op.body.stmts)

    # ------------------------------------------------------------ what enters

    def seed(self, cts: Sequence[Atom | None]) -> None:
        op, inner, count = self.op, self.inner, len(self.op.params)
        results = op.body.results
        wanted = {k for k, x in enumerate(results) if cts[k] is not None and self.rev.varies(x)}
        # Without iterations the result is the first state, whatever the body would make.
        wanted |= {k for k, p in enumerate(op.params) if cts[k] is not None and self.rev.varies(p)}
        self.carried = [k for k in useful_states(op, self.rev.varied, wanted) if k < count]
        self.seeds: dict[int, tuple[Var, Atom]] = {}
        for k in self.carried:
            seed = self.rev.supply.var(op.params[k].name + "_adj", op.params[k].type)
            ct = cts[k]
            last = self.stmt.vars[k] if op.ragged else op.init[k]
            self.seeds[k] = (seed, self.scope.b.zeros_like(last) if ct is None else ct)
            if self.rev.varies(op.body.results[k]):
                inner.add(op.body.results[k], seed)
        for k in range(count, len(op.body.results)):
            ct = cts[k]
            if ct is not None and self.rev.varies(op.body.results[k]):
                inner.add(op.body.results[k], inner.b.prim("index", ct, op.index))

    # ------------------------------------------------------------ what leaves

    def collect_results(self) -> list[Action]:
        """Fill `states` and `rows` after the sweep; returns what to do with results beyond carried and threaded ones.

        In order, those summed up in states, then those collected in rows.
        """
        op, inner, b = self.op, self.inner, self.inner.b
        for k in self.carried:
            p = op.params[k]
            ct = inner.take(p)
            self.states.append((*self.seeds[k], b.zeros_like(p) if ct is None else ct))
        assert not any(p in inner.adjoints for p in op.params), "the cotangent of a state that was thought useless"
        touched = list(inner.adjoints)
        self.threaded = [x for x in touched if x.type.rank and inner.threads(x)]
        for x in self.threaded:
            start = inner.start(x)
            assert isinstance(start, Var)
            self.states.append((start, self.scope.dense(x), inner.dense(x)))
        self.define_sizes()
        actions: list[Action] = []
        late: list[Action] = []
        for x in touched:
            if x not in self.threaded:
                self.collect_returned(x, actions, late)
        for going in inner.totals:
            read = going.read and fixed(self.extents, going.read, going.read.value)
            assert (read is None) == (going.read is None), "what is the same in all pieces is known outside"
            assert going.end is not None
            self.states.append((going.start, self.nothing(going.var, read), going.end))
            actions.append((going.var, read, 0))
        return actions + late

    def collect_returned(self, x: Var, actions: list[Action], late: list[Action]) -> None:
        """One variable: parts summed up in states, other reads collected in rows."""
        inner, b, outer = self.inner, self.inner.b, self.scope.b
        dense = inner.adjoints[x].dense
        for read in inner.adjoints[x].reads:
            same = fixed(self.extents, read, read.value)
            if same is not None:
                self.sum_up(x, same, read.value, actions)
                continue
            mark = len(b.stmts)
            many = as_read(b, x, read)
            self.extents.define(b.stmts[mark:])
            places = self.extents.dims(many.indices[0], many.rank)
            if places is not None:
                self.rows.extend((i, places) for i in many.indices)
                self.rows.append((many.value, value_shape(outer, x, many, places)))
                late.append((x, many, len(many.indices)))
            elif inner.crosses_map(x):
                raise Irregular
            else:
                dense = accumulate(b, b.zeros_like(x) if dense is None else dense, many)
        if dense is not None:
            self.sum_up(x, None, dense, actions)

    def sum_up(self, x: Var, read: Read | SliceRead | None, value: Atom, actions: list[Action]) -> None:
        """A state that adds `value` up, the cotangent of `x` or of a read of it; a piece goes on from the last one."""
        total = self.rev.supply.var("adj", value.type)
        following = self.inner.b.add(total, value)
        if self.op.part == "piece" and self.scope.part == "pieces":
            going = Total(x, read, self.rev.supply.var("adj", value.type))
            self.scope.totals.append(going)
            self.states.append((total, going.start, following))
            actions.append(going)
            return
        self.states.append((total, self.nothing(x, read), following))
        actions.append((x, read, 0))

    def nothing(self, x: Var, read: Read | SliceRead | None) -> Atom:
        """Zeros of the shape of a variable or of what is read of it."""
        b = self.scope.b
        return b.zeros_like(x) if read is None else b.full(Const(0.0, x.type.dtype), value_shape(b, x, read))

    def define_sizes(self) -> None:
        op = self.op
        self.extents = Extents(self.scope.b)
        self.extents.states(op)
        for k, (p, first, _) in enumerate(self.states):
            if op.ragged and k < len(self.carried):
                self.extents.unknown(p)
            else:
                self.extents.like([p], [first])
        self.extents.define(self.statements)
        self.extents.define(self.inner.b.stmts)

    # ------------------------------------------------------------ both loops

    def forward(self) -> list[Stmt]:
        """Write the reverse loop; returns the forward one, with what it must save."""
        op, rev, stmt = self.op, self.rev, self.stmt
        actions = self.collect_results()
        if not self.states and not self.rows:
            return [stmt]
        back = prune(self.inner.b.block([*(x for _, _, x in self.states), *(x for x, _ in self.rows)]))
        outside = Builder(rev.supply, stmt.span)
        sizes = Extents(outside)
        sizes.states(op)
        sizes.define(self.statements)
        own = frozenset(p for p in op.params if p.type.rank)
        chosen = plan(self.statements, back, Reads(self.extents), rev.roots, own, lambda v: True, rev.once)

        # Rows that the program collects anyway serve as saved values.
        count, results = len(op.params), op.body.results
        stacks = {x: v for x, v in zip(results[count:], stmt.vars[count:], strict=False) if isinstance(x, Var)}
        states = [p for p in op.params if p in chosen.needed]
        saved = [*chosen.saved] if op.part == "log" else [*states, *chosen.saved]
        new = [v for v in saved if v not in stacks]
        even = [v for v in new if sizes.knows(v)]
        ragged = [Ragged(rev.supply, v) for v in new if v not in even]
        made = [rev.supply.var(v.name + "s", ir.Type(v.type.dtype, v.type.rank + 1)) for v in even]
        stacks.update(zip(even, made, strict=True))
        loads = [(v, stacks[v]) for v in saved if v in stacks]
        found = None
        if op.part == "log" and states:
            found = rewind(op, states, self.trips, rev.supply, self.scope.b, self.scope.b.span)
        self.write(back, chosen.again, loads, ragged, op.index in chosen.needed, actions, found)
        if not new:
            return [stmt]
        rows = tuple(sizes.dims(v) or () for v in even)
        inside = Builder(rev.supply, stmt.span)
        grown = [x for r in ragged for x in r.append(inside)]
        noted = [x for r in ragged for x in r.noted]
        body = Block((*self.statements, *inside.stmts), (*results[:count], *grown, *results[count:], *even, *noted))
        kept = [x for r in ragged for x in r.states]
        cond = op.cond and ir.Lambda((*op.cond.params, *(rev.supply.var(x.name, x.type) for x in kept)), op.cond.body)
        loop = ir.Loop(op.count, cond, op.index, (*op.params, *kept),
                       (*op.init, *(x for r in ragged for x in r.empty(outside))), body,
                       op.collect_shapes + rows + ((),) * len(noted), op.ragged or bool(ragged), op.part)
        vars = (*stmt.vars[:count], *(x for r in ragged for x in r.wholes), *stmt.vars[count:len(results)], *made,
                *(v for r in ragged for v in r.notes), *stmt.vars[len(results):])
        rev.trimmed.update(r.whole for r in ragged)
        return [*outside.stmts, Stmt(vars, loop, stmt.span), *(r.trimmed(stmt.span) for r in ragged)]

    def write(self, back: Block, again: Sequence[Stmt], loads: Sequence[tuple[Var, Var]], ragged: Sequence[Ragged],
              indexed: bool, actions: Sequence[Action], found: Rewind | None) -> None:
        op, rev, scope = self.op, self.rev, self.scope
        b = scope.b
        k = rev.supply.var(op.index.name, ir.I64)
        head: list[Stmt] = []
        here = adjoint(self.stmt.span)
        if indexed or loads or ragged or found is not None:
            last = b.sub(self.trips, i64(1))
            head.append(Stmt((op.index,), ir.Prim("sub", (last, k)), here))
            head.extend(Stmt((v,), ir.Prim("index", (stack, op.index)), here) for v, stack in loads)
        loading = Builder(rev.supply, here)
        for r in ragged:
            r.load(loading, op.index)
        head.extend(loading.stmts)
        own: tuple[tuple[Var, Atom, Atom], ...] = ()
        if found is not None:
            head.extend(found.head)
            own = found.states
        rerun = Rerun(rev.supply, {}, self.extents)
        params = tuple(rerun.binder(p) for p, _, _ in (*own, *self.states))
        results = (*(x for _, _, x in own), *back.results)
        body = rerun.block(Block((*head, *again, *back.stmts), results))
        shapes = tuple(shape for _, shape in self.rows)
        starts = tuple(x for _, x, _ in (*own, *self.states))
        part = "" if op.part == "log" else op.part
        loop = ir.Loop(self.trips, None, k, params, starts, body, shapes, op.ragged, part)
        values = iter(b.bind(loop, "adj")[len(own):])
        entered = [(op.init[position], next(values)) for position in self.carried]
        # What was threaded holds all contributions so far; the first states may add to the same variables.
        for x in self.threaded:
            scope.adjoint(x).dense = next(values)
        for start, ct in entered:
            if rev.varies(start):
                scope.add(start, ct)
        for action in actions:
            if isinstance(action, Total):
                action.end = next(values)
                continue
            x, read, count = action
            places = tuple(next(values) for _ in range(count))
            value = next(values)
            if read is None:
                scope.add(x, value)
            elif places:
                assert isinstance(read, Read)
                scope.add_read(x, Read(places, value, read.holes))
            else:
                scope.add_read(x, if_run(b, self.trips, read.of(value)))


class Ragged:
    """Saved rows of different shapes: their elements one after another in one array, and for each row where it begins
    there and how long its axes are. The array has room: when that is used up it becomes more than twice as long, so
    that what is copied altogether is in proportion to what is kept.
    """

    def __init__(self, supply: Fresh, row: Var) -> None:
        self.supply = supply
        self.row = row
        name, room = row.name + "_kept", ir.Type(row.type.dtype, 1)
        self.states = self.room, self.used = supply.var(name, room), supply.var("used", ir.I64)
        self.wholes = supply.var(name, room), supply.var("used", ir.I64)
        self.whole = supply.var(name, room)
        """Without the room that is left: who keeps it in an array of its own would double it again."""
        self.notes = [supply.var("n", ir.Type("i64", 1)) for _ in range(row.type.rank + 1)]
        self.noted: list[Atom] = []

    def empty(self, b: Builder) -> tuple[Atom, Atom]:
        return self.nothing(b, i64(0)), i64(0)

    def nothing(self, b: Builder, size: Atom) -> Atom:
        dtype = self.row.type.dtype
        return b.full(Const(zero(dtype), dtype), [size])

    def trimmed(self, span: Span | None) -> Stmt:
        """Behind the forward loop."""
        raw, used = self.wholes
        return Stmt((self.whole,), ir.Prim("slice", (raw, i64(0), used, i64(1)), (("axis", 0),)), span)

    def append(self, b: Builder) -> tuple[Atom, Atom]:
        """In the forward loop: the array with this iteration's row; what is noted of the row is collected."""
        sizes = b.shape(self.row)
        self.noted = [self.used, *sizes]
        count = product(b, sizes)
        end = b.add(self.used, count)
        # if end > length then room ++ zeros else room: a loop, since arms of an `if` are of one shape
        short = b.prim("cast", b.prim("gt", end, b.dim(self.room)), to="i64")
        small, grow = b.like(self.room), b.nested()
        longer = grow.prim("concat", small, self.nothing(grow, grow.add(grow.dim(small), count)))
        i, body = self.supply.var("i", ir.I64), grow.block([longer])
        (room,) = b.bind(ir.Loop(short, None, i, (small,), (self.room,), body, (), True), small.name)
        return b.prim("update_slice", room, b.prim("reshape", self.row, count), self.used, i64(1), axis=0), end

    def load(self, b: Builder, index: Var) -> None:
        """In the reverse loop: the row of iteration `index`."""
        start, *sizes = (b.prim("index", note, index) for note in self.notes)
        elements = b.prim("slice", self.whole, start, product(b, sizes), i64(1), axis=0)
        b.stmts.append(Stmt((self.row,), ir.Prim("reshape", (elements, *sizes)), b.span))


def product(b: Builder, sizes: Sequence[Atom]) -> Atom:
    total: Atom = i64(1)
    for size in sizes:
        total = b.mul(total, size)
    return total


def useful_states(op: ir.Loop, varied: set[Var], wanted: set[int]) -> list[int]:
    """The varying states that the wanted results of the body (states and rows, by position) depend on, and those."""
    position = {p: k for k, p in enumerate(op.params) if p in varied}
    useful = set(wanted)
    while True:
        needed = {x for k in useful for x in (op.body.results[k],) if isinstance(x, Var) and x in varied}
        for stmt in reversed(op.body.stmts):
            if any(v in needed for v in stmt.vars):
                needed.update(v for v in free_in_op(stmt.op) if v in varied)
        found = {position[v] for v in needed if v in position} - useful
        if not found:
            return sorted(k for k in useful if k >= len(op.params) or op.params[k] in varied)
        useful |= found
