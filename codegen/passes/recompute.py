"""What a reverse sweep reads of the forward values: which of them to save, which to compute again.

In: the statements of a body (a map's, a loop's, an arm's) and the reverse sweep over it, written as if it stood
behind them. Out: a `Plan`: the variables the forward run must save, and the statements to run again before the
reverse sweep. `Rerun` copies both with fresh names.

The rule. A loop saves the scalar state it must know at the start of an iteration, and recomputes the rest. State
*arrays* are not copied at every iteration, since a loop that fills or reads an array place by place would then take
time and memory of iterations times size: they and the arrays made from them by writing single places are *fragile*. A
statement that reads a fragile array has its results saved instead, so what is saved is at most the work that was
done; so are numbers that a loop arrives at. Only when the reverse sweep itself reads such an array is the array saved,
and then its readers are recomputed after all.

Reads that only ask for a shape (`dim`, `zeros_like`) are answered by `Extents` and need no value.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, zero
from ...lang.core.ir import Atom, Block, Const, Op, Prim, Stmt, Var
from ...lang.core.walk import Renamer, atoms, scopes
from ...lang.prims import PRIMITIVES
from .extents import Extents, lengths
from .prune import narrow

# Array primitives whose result is their first operand with places changed.
WRITES = frozenset(("update", "accumulate", "update_slice", "accumulate_slice", "accumulate_at", "max_at", "min_at",
                    "scatter"))
Roots = dict[Var, frozenset[Var]]
"""A fragile array, and the loop states it comes from."""


def mark_fragile(op: ir.Loop, roots: Roots) -> None:
    """Note the state arrays of a loop, and of the loops inside, and what is made from them by writing places.

    Of a loop over pieces (or `log`) the states are kept whole: few are kept, and what comes of them is run again.
    """
    for p in op.params:
        if p.type.rank and op.part not in ("pieces", "log"):
            roots[p] = frozenset((p,))
    _spread(op.body, roots)


def _spread(block: Block, roots: Roots) -> None:
    for stmt in block.stmts:
        match stmt.op:
            case Prim(name, args) if name in WRITES:
                _inherit(roots, stmt.vars[0], args[0])
            case ir.If(_, then, orelse):
                _spread(then, roots)
                _spread(orelse, roots)
                for v, x, y in zip(stmt.vars, then.results, orelse.results, strict=True):
                    _inherit(roots, v, x, y)
            case ir.Map(body=lam) | ir.Reduce(body=lam) | ir.Scan(body=lam):
                _spread(lam.body, roots)
            case ir.Loop() as loop:
                mark_fragile(loop, roots)
                inner = frozenset(loop.params)
                for v, p, x, y in zip(stmt.vars, loop.params, loop.init, loop.body.results, strict=False):
                    # Fragile outside is what came from outside; what the inner loop made itself is an ordinary value.
                    if p.type.rank and isinstance(x, Var) and x in roots and isinstance(y, Var) and y in roots:
                        roots[v] = (roots[x] | roots[y]) - inner
            case _:
                pass


def _inherit(roots: Roots, var: Var, *sources: Atom) -> None:
    found = [roots[x] for x in sources if isinstance(x, Var) and x in roots]
    if found and var.type.rank:
        roots[var] = frozenset().union(*found)


# ------------------------------------------------------------------ reads


class Reads:
    """The variables an operation reads by value: not those whose shape alone it asks, where `extents` can tell it."""

    def __init__(self, extents: Extents | None) -> None:
        self.extents = extents

    def op(self, op: Op) -> dict[Var, None]:
        found: dict[Var, None] = {}
        self._op(op, set(), found)
        return found

    def block(self, block: Block) -> dict[Var, None]:
        found: dict[Var, None] = {}
        self._block(block, set(), found)
        return found

    def _block(self, block: Block, bound: set[Var], found: dict[Var, None]) -> None:
        for stmt in block.stmts:
            self._op(stmt.op, bound, found)
            bound.update(stmt.vars)
        for a in block.results:
            if isinstance(a, Var) and a not in bound:
                found[a] = None

    def _op(self, op: Op, bound: set[Var], found: dict[Var, None]) -> None:
        if isinstance(op, Prim):
            if self.shape_only(op):
                return
            # A re-run leaves checks out: they give their first argument.
            args = op.args[:1] if PRIMITIVES[op.name].fails else op.args
            for a in args:
                if isinstance(a, Var) and a not in bound:
                    found[a] = None
            return
        for a in atoms(op):
            if isinstance(a, Var) and a not in bound:
                found[a] = None
        for params, block in scopes(op):
            self._block(block, bound | set(params), found)

    def shape_only(self, op: Prim) -> bool:
        """Whether the operation asks for the shape of a value inside, and that is known outside."""
        if self.extents is None or op.name not in ("dim", "zeros_like") or not self.extents.inside(op.args[0]):
            return False
        return shape_answer(op, self.extents) is not None


def shape_answer(op: Prim, extents: Extents) -> tuple[Atom, ...] | None:
    """The size, or all sizes, that a `dim` or `zeros_like` asks for, from outside."""
    if op.name == "dim":
        axis = op.attr("axis")
        assert isinstance(axis, int)
        size = extents.dim(op.args[0], axis)
        return None if size is None else (size,)
    return extents.dims(op.args[0])


class Rerun(Renamer):
    """Copies statements that ran before: fresh names, checks left out, shapes asked outside."""

    def __init__(self, supply: Fresh, env: Mapping[Var, Atom] | None = None, extents: Extents | None = None) -> None:
        super().__init__(supply, env)
        self.extents = extents
        self.reads = Reads(extents)

    def block(self, block: Block) -> Block:
        stmts: list[Stmt] = []
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, Prim):
                if PRIMITIVES[op.name].fails:
                    self.env[stmt.vars[0]] = self.atom(op.args[0])
                    continue
                if self.reads.shape_only(op):
                    self._shape(stmt, op, stmts)
                    continue
            stmts.append(self.stmt(stmt))
        return Block(tuple(stmts), self.atoms(block.results))

    def _shape(self, stmt: Stmt, op: Prim, out: list[Stmt]) -> None:
        assert self.extents is not None
        sizes = shape_answer(op, self.extents)
        assert sizes is not None
        if op.name == "dim":
            self.env[stmt.vars[0]] = sizes[0]
            return
        b = Builder(self.supply, stmt.span)
        dtype = stmt.vars[0].type.dtype
        self.env[stmt.vars[0]] = b.full(Const(zero(dtype), dtype), sizes)
        out.extend(b.stmts)


# ------------------------------------------------------------------ the plan


@dataclass(frozen=True)
class Plan:
    saved: tuple[Var, ...]
    again: tuple[Stmt, ...]
    needed: dict[Var, None]
    """Variables bound elsewhere (parameters, surroundings) that the statements and the reverse sweep read."""


def plan(forward: Sequence[Stmt], reverse: Block, reads: Reads, roots: Roots, own: frozenset[Var],
         can_save: Callable[[Var], bool], once: Callable[[Stmt], bool]) -> Plan:
    """Decide for every forward value that `reverse` needs. `own`: the state arrays of the loop, which it may save.

    `once`: statements that must not run again.
    """
    start = reads.block(reverse)
    promoted: set[Var] = set()

    def fragile(v: Var) -> bool:
        return v in roots and not roots[v] <= promoted

    while True:
        needed = dict(start)
        saved: list[Var] = []
        again: list[Stmt] = []
        for stmt in reversed(forward):
            hits = [v for v in stmt.vars if v in needed]
            if not hits:
                continue
            live = narrow(stmt, set(hits))
            read = reads.op(live.op)
            costly = any(map(fragile, read)) and not any(map(fragile, hits)) and all(map(can_save, hits))
            if costly or (_long(stmt, hits) and all(map(can_save, hits))) or once(stmt):
                saved.extend(hits)
            else:
                again.append(live)
                needed.update(read)
            for v in hits:
                del needed[v]
        wrong = {root for v in (*needed, *(v for s in again for v in s.vars)) if fragile(v) for root in roots[v] & own}
        if wrong <= promoted:
            saved.reverse()
            again.reverse()
            return Plan(tuple(saved), tuple(again), needed)
        promoted |= wrong


def _long(stmt: Stmt, hits: Sequence[Var]) -> bool:
    """Whether a loop runs for nothing but numbers: one number is less than its iterations."""
    return isinstance(stmt.op, ir.Loop) and not stmt.op.part and all(v.type.rank == 0 for v in hits)


def padding(b: Builder, var: Var, sizes: Sequence[Atom]) -> Atom:
    """Zeros in place of a saved value, for the arm that has none."""
    return b.full(Const(zero(var.type.dtype), var.type.dtype), lengths(b, sizes))
