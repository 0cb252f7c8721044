"""Loops in pieces, for reverse mode in little memory.

In: the body of a function whose values reverse mode does not keep. Out: the same body with its loops that vary cut in
two levels: a loop over *pieces*, of which reverse mode keeps the states at their beginnings alone, and in it a loop
over one *piece*, which is run again when its turn comes, and then keeps its states as any loop does.

    loop s = init for i < T: s = f(s, i)
        becomes, with K = ceil(sqrt(T)),
    loop s = init for j < ceil(T / K): { loop s for k < min(K, T - j K): s = f(s, j K + k) }

    loop s = init while c(s): s = f(s, i)
        becomes, since T is not known, pieces of 1, 2, 3 … iterations: about sqrt(2 T) of them
    loop s = init, i = 0 while c(s): { loop s, left = j + 1 while c(s) && left > 0: (f(s, i), left - 1) }

So of T iterations at most about 2 sqrt(T) (2 sqrt(2 T)) states are kept at a time, and each is computed once more than
by a loop in one piece (Griewank and Walther, *Evaluating Derivatives*, 2nd ed., section 12.3; for loops of unknown
length Stumm and Walther, *New algorithms for optimal online checkpointing*, SIAM J. Sci. Comput. 32, 2010). The order
of operations stays, and with it every bit of the result. What a loop collects becomes an array that is filled place by
place. A `while` that collects stays whole: only derivatives write such loops, and their stacks have a row to each
iteration anyway.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64, zero
from ...lang.core.ir import Atom, Block, Const, Lambda, Op, Stmt, Var
from ...lang.core.walk import Renamer

SHORT = 8
"""Loops that are known to run no more often than this stay whole."""


def in_pieces(block: Block, supply: Fresh, chosen: Callable[[Stmt], bool], log: bool = False) -> Block:
    """The block with the chosen loops in pieces, those in nested blocks too.

    `log`: they are marked instead, for `rewind`, which takes all but those whose arrays change their sizes.
    """
    stmts: list[Stmt] = []
    changed = False
    for stmt in block.stmts:
        op = _inside(stmt.op, supply, chosen, log)
        if isinstance(op, ir.Loop) and chosen(stmt) and _long(op, log):
            made = [Stmt(stmt.vars, replace(op, part="log"), stmt.span)] if log and not op.ragged else None
            stmts.extend(made or _cut(stmt, op, supply))
            changed = True
        else:
            changed = changed or op is not stmt.op
            stmts.append(stmt if op is stmt.op else Stmt(stmt.vars, op, stmt.span))
    return Block(tuple(stmts), block.results) if changed else block


def _inside(op: Op, supply: Fresh, chosen: Callable[[Stmt], bool], log: bool) -> Op:
    def block(inner: Block) -> Block:
        return in_pieces(inner, supply, chosen, log)

    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, block(then), block(orelse))
        case ir.Map(arrays, lam, shapes):
            return ir.Map(arrays, Lambda(lam.params, block(lam.body)), shapes)
        case ir.Loop(body=body):
            return replace(op, body=block(body))
        case _:
            return op


def _long(op: ir.Loop, log: bool) -> bool:
    if op.part:
        return False
    if isinstance(op.count, Const):
        return op.count.value > SHORT
    return op.count is not None or not op.collect_shapes or (log and not op.ragged)


def _cut(stmt: Stmt, op: ir.Loop, supply: Fresh) -> list[Stmt]:
    return _cut_while(stmt, op, supply) if op.count is None else _cut_for(stmt, op, op.count, supply)


def _cut_for(stmt: Stmt, op: ir.Loop, count: Atom, supply: Fresh) -> list[Stmt]:
    b = Builder(supply, stmt.span)
    width = len(op.params)
    rows = op.body.results[width:]
    trips = b.prim("max", count, i64(0), as_="trips")
    root = b.prim("ceil", b.prim("sqrt", b.prim("cast", trips, to="f64")))
    length = b.prim("max", b.prim("cast", root, to="i64"), i64(1), as_="length")
    pieces = b.prim("quot", b.add(trips, b.sub(length, i64(1))), length, as_="pieces")
    empty = [b.full(Const(zero(row.type.dtype), row.type.dtype), [trips, *shape])
             for row, shape in zip(rows, op.collect_shapes, strict=True)]

    piece, k = supply.var("piece", ir.I64), supply.var(op.index.name, ir.I64)
    inner = b.nested()
    first = inner.prim("mul", piece, length, as_="first")
    size = inner.prim("min", length, inner.sub(trips, first), as_="size")
    stacks = [supply.var("rows", x.type) for x in empty if isinstance(x, Var)]
    own = [*op.params, *stacks]
    outer = [inner.like(p) for p in own]
    body = b.nested()
    body.stmts.append(Stmt((op.index,), ir.Prim("add", (first, k)), stmt.span))
    body.stmts.extend(op.body.stmts)
    filled = [body.prim("update", stack, row, op.index) for stack, row in zip(stacks, rows, strict=True)]
    loop = ir.Loop(size, None, k, tuple(own), tuple(outer), body.block([*op.body.results[:width], *filled]), (),
                   op.ragged, "piece")
    results = inner.bind(loop, [p.name for p in own])
    whole = ir.Loop(pieces, None, piece, tuple(outer), (*op.init, *empty), inner.block(list(results)), (), op.ragged,
                    "pieces")
    return [*b.stmts, Stmt(stmt.vars, whole, stmt.span)]


def _cut_while(stmt: Stmt, op: ir.Loop, supply: Fresh) -> list[Stmt]:
    assert op.cond is not None
    b = Builder(supply, stmt.span)
    piece, k = supply.var("piece", ir.I64), supply.var(op.index.name, ir.I64)
    inner = b.nested()
    outer = [inner.like(p) for p in op.params]
    first = inner.fresh("first", ir.I64)
    left = inner.fresh("left", ir.I64)
    body = b.nested()
    body.stmts.append(Stmt((op.index,), ir.Prim("add", (first, k)), stmt.span))
    body.stmts.extend(op.body.stmts)
    fewer = body.sub(left, i64(1))
    cond = Renamer(supply).function(op.cond)
    test = Builder(supply, stmt.span)
    room = test.fresh("left", ir.I64)
    test.stmts.extend(cond.body.stmts)
    going = test.prim("and", cond.body.results[0], test.prim("gt", room, i64(0)))
    loop = ir.Loop(None, Lambda((*cond.params, room), test.block([going])), k, (*op.params, left),
                   (*outer, inner.add(piece, i64(1))), body.block([*op.body.results, fewer]), (), op.ragged, "piece")
    *states, _, ran = inner.bind(loop, [*(p.name for p in op.params), "left", "ran"])
    again = Renamer(supply).function(op.cond)
    unused = supply.var("first", ir.I64)
    whole = ir.Loop(None, Lambda((*again.params, unused), again.body), piece, (*outer, first), (*op.init, i64(0)),
                    inner.block([*states, inner.add(first, ran)]), (), op.ragged, "pieces")
    *last, total = stmt.vars
    return [*b.stmts, Stmt((*last, total, supply.var("pieces", ir.I64)), whole, stmt.span)]
