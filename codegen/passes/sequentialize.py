"""Folds with operators of their own, as loops: what reverse mode differentiates.

In: a block and which statements to rewrite. Out: the block where those `Reduce` and `Scan` are `Loop`s, whose states
are the accumulators and, for `Scan`, whose collected rows are the prefixes. Folds by recognised operators (sums,
products, extremes) are primitives long before and keep their closed forms.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Block, Lambda, Op, Stmt, Var


def sequentialize(block: Block, supply: Fresh, chosen: Callable[[Stmt], bool],
                  elements: dict[Var, int] | None = None) -> Block:
    """Rewrite the chosen folds at every depth; the variables they bind stay. `elements` gets the variables that stand
    for elements of folds over numbers, with the accumulator that each belongs to."""
    stmts: list[Stmt] = []
    changed = False
    for stmt in block.stmts:
        op = _inside(stmt.op, supply, chosen, elements)
        if isinstance(op, ir.Reduce | ir.Scan) and chosen(stmt):
            stmts.extend(_loop(stmt, op, supply, elements))
            changed = True
        else:
            changed = changed or op is not stmt.op
            stmts.append(stmt if op is stmt.op else Stmt(stmt.vars, op, stmt.span))
    return Block(tuple(stmts), block.results) if changed else block


def _inside(op: Op, supply: Fresh, chosen: Callable[[Stmt], bool], elements: dict[Var, int] | None) -> Op:
    def block(old: Block) -> Block:
        return sequentialize(old, supply, chosen, elements)

    def function(old: Lambda) -> Lambda:
        body = block(old.body)
        return old if body is old.body else Lambda(old.params, body)

    match op:
        case ir.If(cond, then, orelse):
            new_then, new_orelse = block(then), block(orelse)
            return op if new_then is then and new_orelse is orelse else ir.If(cond, new_then, new_orelse)
        case ir.Map(arrays, lam, shapes):
            new = function(lam)
            return op if new is lam else ir.Map(arrays, new, shapes)
        case ir.Reduce(arrays, neutral, lam):
            new = function(lam)
            return op if new is lam else ir.Reduce(arrays, neutral, new)
        case ir.Scan(arrays, neutral, lam):
            new = function(lam)
            return op if new is lam else ir.Scan(arrays, neutral, new)
        case ir.Loop(cond=cond, body=body):
            new_cond, new_body = cond and function(cond), block(body)
            return op if new_cond is cond and new_body is body else replace(op, cond=new_cond, body=new_body)
        case _:
            return op


def _loop(stmt: Stmt, op: ir.Reduce | ir.Scan, supply: Fresh, known: dict[Var, int] | None) -> list[Stmt]:
    b = Builder(supply, stmt.span)
    count = len(op.neutral)
    accumulators, elements = op.body.params[:count], op.body.params[count:]
    if known is not None and all(p.type.rank == 0 for p in op.body.params) and \
            [p.type for p in accumulators] == [p.type for p in elements]:
        known.update((x, k) for k, x in enumerate(elements))
    length = b.dim(op.arrays[0])
    index = b.fresh("i", ir.I64)
    rows = zip(elements, op.arrays, strict=True)
    reads = tuple(Stmt((x,), ir.Prim("index", (array, index)), stmt.span) for x, array in rows)
    results = op.body.body.results
    body = reads + op.body.body.stmts
    if isinstance(op, ir.Reduce):
        loop = ir.Loop(length, None, index, accumulators, op.neutral, Block(body, results))
        vars = stmt.vars
    else:
        shapes = tuple(b.shape(x) for x in op.neutral)
        loop = ir.Loop(length, None, index, accumulators, op.neutral, Block(body, results + results), shapes)
        vars = (*(b.like(x) for x in accumulators), *stmt.vars)
    return [*b.stmts, Stmt(vars, loop, stmt.span)]
