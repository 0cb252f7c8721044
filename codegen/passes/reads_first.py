"""Reads of an array before it is written, so that it can be written in place.

In: a block. Out: the block where a read of an array (`index`, `slice`) that stands behind an update of the same array
stands before it, with the sizes and indices that it needs:

    b = update a v i; x = index a j   ->   x = index a j; b = update a v i
"""

from __future__ import annotations

from ...lang.core import ir
from ...lang.core.ir import Block, Lambda, Op, Prim, Stmt, Var
from ...lang.core.walk import free_in_op
from ...lang.prims import PRIMITIVES
from .recompute import WRITES

READS = frozenset(("index", "slice"))


def reads_first(block: Block) -> Block:
    """The block, and the blocks inside, with reads before writes."""
    stmts = [Stmt(s.vars, _inside(s.op), s.span) for s in block.stmts]
    written: dict[Var, None] = {}
    k = 0
    while k < len(stmts):
        op = stmts[k].op
        if isinstance(op, Prim) and op.name in WRITES and isinstance(op.args[0], Var) and op.args[0] not in written:
            written[op.args[0]] = None
            k += _moved(stmts, k, op.args[0])
        k += 1
    return Block(tuple(stmts), block.results)


def _moved(stmts: list[Stmt], k: int, array: Var) -> int:
    """Move reads of the array to before statement `k`; how many statements came before it."""
    made = {var: j for j in range(k, len(stmts)) for var in stmts[j].vars}
    chosen: dict[int, None] = {}
    for j in range(k + 1, len(stmts)):
        op = stmts[j].op
        if not isinstance(op, Prim) or op.name not in READS or op.args[0] != array:
            continue
        needed: dict[int, None] = {}
        pending = [j]
        while pending:
            at = pending.pop()
            if at in needed:
                continue
            needed[at] = None
            if at <= k or (at != j and not _arithmetic(stmts[at])):
                break
            pending += [made[v] for v in free_in_op(stmts[at].op) if v in made]
        else:
            chosen.update(needed)
    if chosen:
        earlier = [stmts[j] for j in sorted(chosen)]
        stmts[k:] = [*earlier, *(s for j, s in enumerate(stmts) if j >= k and j not in chosen)]
    return len(chosen)


def _arithmetic(stmt: Stmt) -> bool:
    """Whether it computes a number of numbers, and cannot fail."""
    op = stmt.op
    return isinstance(op, Prim) and PRIMITIVES[op.name].elementwise and not PRIMITIVES[op.name].fails \
        and stmt.vars[0].type.rank == 0


def _inside(op: Op) -> Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, reads_first(then), reads_first(orelse))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, Lambda(body.params, reads_first(body.body)), shapes)
        case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
            return ir.Loop(count, cond, index, params, init, reads_first(body), shapes, ragged, part)
        case _:
            return op
