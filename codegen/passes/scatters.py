"""What maps add to places of one array is added map by map, and row by row.

In: a program whose derivatives are taken, after simplification. Out: the same, in which arrays that a map makes and
that are added to elements of one array, one behind the other, are added in one go:

    p, q = map f …                        p, q = map f …
    a = accumulate_at x p i          →    b = accumulate_at x (transpose (stack p q)) (transpose (stack i j))
    b = accumulate_at a q j

So a back end has one loop over the rows: first all that the first row adds, then all that the second one adds. Reverse
sweeps add last what was computed first; here what several maps add comes in the order in which the program computes, so
that each loop can add what it makes. What is added where stays the same, and this is its order for every back end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Lambda, Op, Prim, Stmt, Var
from ...lang.core.walk import atoms, next_id, scopes, summary

MOST = 16
"""Additions that are brought together."""


def scatter_rows(program: ir.Program) -> ir.Program:
    return ir.Program({name: _function(f) for name, f in program.functions.items()})


def _function(f: ir.Function) -> ir.Function:
    if "accumulate_at" not in summary(f).prims:
        return f
    return ir.Function(f.name, f.params, _block(f.body, Fresh(next_id(f))), f.source_name, f.dims, f.again)


def _block(block: Block, supply: Fresh) -> Block:
    stmts = [s if isinstance(s.op, Prim) else Stmt(s.vars, _inside(s.op, supply), s.span) for s in block.stmts]
    chains = {chain[-1][-1]: chain for chain in _chains(stmts, block.results)}
    if not chains:
        return Block(tuple(stmts), block.results)
    gone = {k for chain in chains.values() for group in chain for k in group}
    out: list[Stmt] = []
    for k, stmt in enumerate(stmts):
        if k in chains:
            out += _merged([[stmts[j] for j in group] for group in chains[k]], supply)
        elif k not in gone:
            out.append(stmt)
    return Block(tuple(out), block.results)


def _inside(op: Op, supply: Fresh) -> Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, _block(then, supply), _block(orelse, supply))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, Lambda(body.params, _block(body.body, supply)), shapes)
        case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
            return ir.Loop(count, cond, index, params, init, _block(body, supply), shapes, ragged, part)
        case _:
            return op


def _chains(stmts: Sequence[Stmt], results: Sequence[Atom]) -> list[list[list[int]]]:
    """Statements that add to one array, each to what the one before gives and nobody else reads: in groups of what one
    map makes."""
    uses: Counter[Var] = Counter(a for a in results if isinstance(a, Var))
    row: dict[Var, int] = {}
    """Arrays of numbers that a map makes, and which."""
    for k, stmt in enumerate(stmts):
        uses.update(_reads(stmt.op))
        if isinstance(stmt.op, ir.Map):
            row |= {var: k for var in stmt.vars if var.type.rank == 1}
    chain: dict[Var, list[list[int]]] = {}
    found: list[list[list[int]]] = []
    for k, stmt in enumerate(stmts):
        match stmt.op:
            case Prim("accumulate_at", (array, values, *places)) if values in row \
                    and all(place.type.rank == 1 for place in places):
                before = chain.get(array) if isinstance(array, Var) and uses[array] == 1 else None
                if before is None:
                    before = [[k]]
                    found.append(before)
                elif len(before[-1]) < MOST and _like(stmts[before[-1][-1]].op, stmt.op, row):
                    before[-1].append(k)
                else:
                    before.append([k])
                chain[stmt.vars[0]] = before
    return [c for c in found if len(c) > 1 or len(c[0]) > 1]


def _reads(op: Op) -> list[Var]:
    found = [a for a in atoms(op) if isinstance(a, Var)]
    for _, block in scopes(op):
        for stmt in block.stmts:
            found += _reads(stmt.op)
        found += [a for a in block.results if isinstance(a, Var)]
    return found


def _like(one: Op, other: Op, row: dict[Var, int]) -> bool:
    """Whether what both add comes from one map."""
    assert isinstance(one, Prim)
    assert isinstance(other, Prim)
    x, y = one.args[1], other.args[1]
    return isinstance(x, Var) and isinstance(y, Var) and row[x] == row[y] and len(one.args) == len(other.args)


def _merged(chain: Sequence[Sequence[Stmt]], supply: Fresh) -> list[Stmt]:
    """Statements in the place of these, one to each group, the last one first."""
    b = Builder(supply, chain[-1][-1].span)
    result = chain[-1][-1].vars
    start = chain[0][0].op
    assert isinstance(start, Prim)
    array = start.args[0]
    for group in reversed(chain):
        ops = [s.op for s in group if isinstance(s.op, Prim)]
        columns: list[Atom] = list(ops[0].args[1:])
        if len(ops) > 1:
            columns = [b.prim("transpose", b.prim("stack", *(op.args[k] for op in ops), as_="columns"), perm=(1, 0),
                              as_="rows") for k in range(1, len(ops[0].args))]
        added = Prim("accumulate_at", (array, *columns))
        if group is chain[0]:
            return [*b.stmts, Stmt(result, added, chain[-1][-1].span)]
        (array,) = b.bind(added, result[0].name)
    raise AssertionError(chain)
