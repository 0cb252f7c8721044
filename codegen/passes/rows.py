"""Rows that a loop collects only for their sums are summed in the loop.

Runs on array code, block by block. Reverse mode stacks what each iteration contributes to something outside, one entry
to each lane, and adds the lanes up afterwards:

    for i < m: … collect r                     for i < m: … collect sum r
    t = sum stack {axis = 1}           →       t = stack

so the stack has one number to an iteration, not one to each iteration and lane.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Block, Lambda, Prim, Stmt, Type, Var
from ...lang.core.walk import atoms, scopes


def sum_rows(block: Block, supply: Fresh) -> Block:
    """The block with fewer large stacks; what that leaves unused is for `prune`."""
    stmts = [replace(stmt, op=_inside(stmt.op, supply)) for stmt in block.stmts]
    while True:
        found = _find(stmts, block)
        if found is None:
            return Block(tuple(stmts), block.results)
        _rewrite(stmts, found, supply)


def _inside(op: ir.Op, supply: Fresh) -> ir.Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, sum_rows(then, supply), sum_rows(orelse, supply))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, Lambda(body.params, sum_rows(body.body, supply)), shapes)
        case ir.Loop(cond=cond, body=body):
            tested = None if cond is None else Lambda(cond.params, sum_rows(cond.body, supply))
            return replace(op, cond=tested, body=sum_rows(body, supply))
    return op


@dataclass(frozen=True, slots=True)
class _Found:
    """A sum at statement `at` over axis `axis` of rows `row` of the loop at statement `loop`; `turned` is the statement
    between them that transposes the stack, if there is one.
    """

    at: int
    loop: int
    row: int
    axis: int
    turned: int | None


def _find(stmts: list[Stmt], block: Block) -> _Found | None:
    uses = Counter(_reads(stmts, block))
    stacks: dict[Var, tuple[int, int]] = {}
    turned: dict[Var, int] = {}
    for k, stmt in enumerate(stmts):
        match stmt.op:
            case ir.Loop(params=params, collect_shapes=shapes):
                width = len(params)
                stacks.update({v: (k, row) for row, v in enumerate(stmt.vars[width : width + len(shapes)])})
            case Prim("transpose", (Var() as x,)) if x in stacks and uses[x] == 1:
                turned[stmt.vars[0]] = k
            case Prim("sum", (Var() as x,)) if uses[x] == 1 and (x in stacks or x in turned):
                axis = stmt.op.attr("axis")
                assert isinstance(axis, int)
                between = turned.get(x)
                if between is not None:
                    made = stmts[between].op
                    assert isinstance(made, Prim)
                    perm = made.attr("perm")
                    assert isinstance(perm, tuple)
                    assert isinstance(made.args[0], Var)
                    axis, x = perm[axis], made.args[0]
                if axis > 0:
                    return _Found(k, *stacks[x], axis, between)
    return None


def _reads(stmts: list[Stmt], block: Block) -> list[Var]:
    found: list[Var] = [r for r in block.results if isinstance(r, Var)]
    for stmt in stmts:
        found += [a for a in atoms(stmt.op) if isinstance(a, Var)]
        for _, inner in scopes(stmt.op):
            found += _reads(list(inner.stmts), inner)
    return found


def _rewrite(stmts: list[Stmt], found: _Found, supply: Fresh) -> None:
    loop = stmts[found.loop]
    op = loop.op
    assert isinstance(op, ir.Loop)
    at = len(op.params) + found.row
    b = Builder(supply, loop.span)
    b.stmts = list(op.body.stmts)
    row = b.prim("sum", op.body.results[at], axis=found.axis - 1)
    results = list(op.body.results)
    results[at] = row
    shapes = list(op.collect_shapes)
    shapes[found.row] = tuple(size for k, size in enumerate(shapes[found.row]) if k != found.axis - 1)
    old = loop.vars[at]
    stack = supply.var(old.name, Type(old.type.dtype, old.type.rank - 1))
    vars = tuple(stack if v == old else v for v in loop.vars)
    body = Block(tuple(b.stmts), tuple(results))
    stmts[found.loop] = replace(loop, vars=vars, op=replace(op, body=body, collect_shapes=tuple(shapes)))
    perm: tuple[int, ...] = tuple(range(stack.type.rank))
    if found.turned is not None:
        made = stmts[found.turned].op
        assert isinstance(made, Prim)
        before = made.attr("perm")
        assert isinstance(before, tuple)
        perm = tuple(k - (k > found.axis) for k in before if k != found.axis)
    stmts[found.at] = replace(stmts[found.at], op=Prim("transpose", (stack,), (("perm", perm),)))
    if found.turned is not None:
        del stmts[found.turned]
