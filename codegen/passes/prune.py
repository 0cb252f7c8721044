"""Drops what a block of compiler-made code does not need: statements, results of maps and branches, states of loops.

In: a block whose checks have all passed before (a re-run or a reverse sweep), so that any statement may go. Out: the
block with what its results depend on, and no more. (Programs of users keep their checks: `simplify` knows how.)
"""
from __future__ import annotations

from collections.abc import Container, Iterable
from operator import is_

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Var
from ...lang.core.walk import free_in_op, free_of


def prune(block: Block) -> Block:
    """The same results from fewer statements."""
    return _Prune().block(block)


def narrow(stmt: Stmt, needed: Container[Var]) -> Stmt:
    """The statement without results that nobody needs, where its operation can leave them out; nested blocks pruned."""
    return _Prune().narrow(stmt, needed)


class _Prune:
    """Loops look at their bodies until it is known which states are needed: what is done to a block is remembered."""

    def __init__(self) -> None:
        self.done: dict[tuple[int, tuple[Atom, ...]], tuple[Block, Block]] = {}

    def block(self, block: Block) -> Block:
        key = (id(block.stmts), block.results)
        known = self.done.get(key)
        if known is not None:
            return known[1]
        needed = _vars(block.results)
        kept: list[Stmt] = []
        for stmt in reversed(block.stmts):
            op = stmt.op
            if isinstance(op, ir.Prim):
                if stmt.vars[0] in needed:
                    needed.update((a, None) for a in op.args if isinstance(a, Var))
                    kept.append(stmt)
            elif any(v in needed for v in stmt.vars):
                stmt = self.narrow(stmt, needed)
                needed.update(free_in_op(stmt.op))
                kept.append(stmt)
        kept.reverse()
        made = block if len(kept) == len(block.stmts) and all(map(is_, kept, block.stmts)) else Block(
            tuple(kept), block.results)
        self.done[key] = (block, made)  # the first keeps its identity from being used again
        return made

    def narrow(self, stmt: Stmt, needed: Container[Var]) -> Stmt:
        live = [k for k, v in enumerate(stmt.vars) if v in needed]
        match stmt.op:
            case ir.If(cond, then, orelse):
                op: ir.Op = ir.If(cond, self.block(_pick(then, live)), self.block(_pick(orelse, live)))
            case ir.Map(arrays, lam, shapes):
                body = self.block(_pick(lam.body, live))
                op = ir.Map(arrays, Lambda(lam.params, body), tuple(shapes[k] for k in live))
            case ir.Loop():
                return self.loop(stmt, stmt.op, live)
            case _:
                return stmt
        return Stmt(tuple(stmt.vars[k] for k in live), op, stmt.span)

    def loop(self, stmt: Stmt, op: ir.Loop, live: list[int]) -> Stmt:
        states = len(op.params)
        rows = len(op.body.results) - states
        kept_rows = [k for k in live if states <= k < states + rows]
        kept = {k for k in live if k < states}
        if op.cond is not None:
            read = set(free_of(op.cond.body))
            kept.update(k for k, p in enumerate(op.cond.params) if p in read)
        position = {p: k for k, p in enumerate(op.params)}
        while True:
            order = [*sorted(kept), *kept_rows]
            body = self.block(_pick(op.body, order))
            found = {position[v] for v in free_of(body) if v in position} - kept
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
    results = tuple([block.results[k] for k in positions])
    return block if results == block.results else Block(block.stmts, results)


def _vars(atoms: Iterable[Atom]) -> dict[Var, None]:
    return {a: None for a in atoms if isinstance(a, Var)}
