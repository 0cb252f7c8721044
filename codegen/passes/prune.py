"""Drops what a block of compiler-made code does not need: statements, results of maps and branches, states of loops.

In: a block whose checks have all passed before (a re-run or a reverse sweep), so that any statement may go. Out: the
block with what its results depend on, and no more. (Programs of users keep their checks: `simplify` knows how.)
"""
from __future__ import annotations

from collections.abc import Container, Iterable

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Var
from ...lang.core.walk import free_in_op


def prune(block: Block) -> Block:
    """The same results from fewer statements."""
    needed = _vars(block.results)
    kept: list[Stmt] = []
    for stmt in reversed(block.stmts):
        if any(v in needed for v in stmt.vars):
            stmt = narrow(stmt, needed)
            needed.update(free_in_op(stmt.op))
            kept.append(stmt)
    kept.reverse()
    return Block(tuple(kept), block.results)


def narrow(stmt: Stmt, needed: Container[Var]) -> Stmt:
    """The statement without results that nobody needs, where its operation can leave them out; nested blocks pruned."""
    live = [k for k, v in enumerate(stmt.vars) if v in needed]
    match stmt.op:
        case ir.If(cond, then, orelse):
            op: ir.Op = ir.If(cond, prune(_pick(then, live)), prune(_pick(orelse, live)))
        case ir.Map(arrays, lam, shapes):
            body = prune(_pick(lam.body, live))
            op = ir.Map(arrays, Lambda(lam.params, body), tuple(shapes[k] for k in live))
        case ir.Loop():
            return _narrow_loop(stmt, stmt.op, live)
        case _:
            return stmt
    return Stmt(tuple(stmt.vars[k] for k in live), op, stmt.span)


def _narrow_loop(stmt: Stmt, op: ir.Loop, live: list[int]) -> Stmt:
    states = len(op.params)
    rows = len(op.body.results) - states
    kept_rows = [k for k in live if states <= k < states + rows]
    kept = {k for k in live if k < states}
    if op.cond is not None:
        read = _vars(op.cond.body.results)
        for inner in op.cond.body.stmts:
            read.update(free_in_op(inner.op))
        kept.update(k for k, p in enumerate(op.cond.params) if p in read)
    position = {p: k for k, p in enumerate(op.params)}
    while True:
        order = [*sorted(kept), *kept_rows]
        body = prune(_pick(op.body, order))
        read = _vars(body.results)
        for inner in body.stmts:
            read.update(free_in_op(inner.op))
        found = {position[v] for v in read if v in position} - kept
        if not found:
            break
        kept |= found
    chosen = sorted(kept)
    cond = op.cond and Lambda(tuple(op.cond.params[k] for k in chosen), op.cond.body)
    params, init = tuple(op.params[k] for k in chosen), tuple(op.init[k] for k in chosen)
    shapes = tuple(op.collect_shapes[k - states] for k in kept_rows)
    loop = ir.Loop(op.count, cond, op.index, params, init, body, shapes, op.ragged, op.part)
    vars = [stmt.vars[k] for k in (*chosen, *kept_rows)]
    if op.count is None:
        vars.append(stmt.vars[-1])
    return Stmt(tuple(vars), loop, stmt.span)


def _pick(block: Block, positions: Iterable[int]) -> Block:
    return Block(block.stmts, tuple(block.results[k] for k in positions))


def _vars(atoms: Iterable[Atom]) -> dict[Var, None]:
    return {a: None for a in atoms if isinstance(a, Var)}
