r"""Rows that are made to be added up are added as they come.

In: a block after derivatives. Out: the block where a map or a loop whose rows only a sum, or a scatter that adds, reads
is a loop that carries the total:

    r = map f xs; t = sum r                    ->  t = for i: t + f xs[i]                 from zeros; rows are arrays
    r, k = map f xs; t = accumulate_at a r k   ->  t = for i: accumulate_at t r k         from a
    … r = for …: … collect x; t = sum r        ->  the same, with one more state

With `parts`, rows of a map that are many are added up in up to `PARTS` parts, each by a loop of its own, which may run
at once; then the parts are added. How many there are depends on the number of rows alone.

    r = map f xs; t = sum r                    ->  p = map (\c -> for j: t + f xs[c * m + j]) (iota k); t = sum p

Otherwise additions keep their order. A map of scalars stays one: its lanes are worth more than its memory. What is made
between the map and its reader, and does not depend on the map, is made before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom, Block, Lambda, Op, Prim, Stmt, Var
from ...lang.core.walk import atoms, free_in_op, scopes
from ...lang.prims import PRIMITIVES

PARTS, LEAST = 32, 32
"""Parts of a sum at most, and rows of a part at least."""


def accumulate(block: Block, supply: Fresh, parts: bool = False) -> Block:
    """The block, and the blocks inside, with totals carried; those of its own maps in `parts`."""
    stmts = list(block.stmts)
    k = 0
    while k < len(stmts):
        if isinstance(stmts[k].op, ir.Map | ir.Loop):
            k += _carried(stmts, k, block.results, supply, parts)
        k += 1
    return Block(tuple(Stmt(s.vars, _inside(s.op, supply), s.span) for s in stmts), block.results)


def _inside(op: Op, supply: Fresh) -> Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, accumulate(then, supply), accumulate(orelse, supply))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, Lambda(body.params, accumulate(body.body, supply)), shapes)
        case ir.Loop(body=body):
            return replace(op, body=accumulate(body, supply))
        case _:
            return op


def _rows(stmt: Stmt) -> tuple[Var, ...]:
    """What the statement stacks row by row."""
    match stmt.op:
        case ir.Map():
            return stmt.vars
        case ir.Loop(params=params, collect_shapes=shapes):
            return stmt.vars[len(params):len(params) + len(shapes)]
    return ()


def _carried(stmts: list[Stmt], k: int, results: Sequence[Atom], supply: Fresh, parts: bool) -> int:
    """Carry totals of the rows of statement `k`; how many statements to go on by."""
    rows = _rows(stmts[k])
    whole = stmts[k].op
    least = 2 if isinstance(whole, ir.Map) else 1
    if not any(row.type.rank >= least for row in rows):
        return 0
    if isinstance(whole, ir.Loop) and (whole.ragged or whole.count is None):
        return 0
    uses = _uses(stmts, results)
    readers: list[int] = []
    moved: dict[int, None] = {}
    for at in range(k + 1, len(stmts)):
        op = stmts[at].op
        if not isinstance(op, Prim) or not _adds(op, rows, uses, least):
            continue
        before = _before(stmts, k, at, [a for a in op.args if a not in rows], set(readers))
        if before is not None:
            readers.append(at)
            moved.update(before)
    if not readers:
        return 0
    earlier = [stmts[at] for at in sorted(moved)]
    totals = [stmts[at] for at in readers]
    loop, zeros = _loop(stmts[k], rows, totals, supply)
    made = [*zeros, loop]
    if parts and isinstance(stmts[k].op, ir.Map) and len(totals) == len(rows) and all(
            isinstance(t.op, Prim) and t.op.name == "sum" for t in totals):
        made = _in_parts(loop, zeros, supply)
    gone = {*moved, *readers}
    stmts[k:] = [*earlier, *made, *(s for at, s in enumerate(stmts) if at > k and at not in gone)]
    return len(earlier) + len(made) - 1


def _in_parts(loop: Stmt, zeros: list[Stmt], supply: Fresh) -> list[Stmt]:
    """The loop over parts of its indices, and the sums of what the parts give."""
    op = loop.op
    assert isinstance(op, ir.Loop)
    assert op.count is not None
    first = Builder(supply, loop.span)

    def covered(count: Atom, size: Atom) -> Atom:
        return first.prim("quot", first.sub(first.add(count, size), i64(1)), size)

    size = first.prim("max", covered(op.count, i64(PARTS)), i64(LEAST))
    number = covered(op.count, size)
    shapes = [tuple(first.dim(start, axis) for axis in range(start.type.rank)) for start in op.init]
    b = Builder(supply, loop.span)
    part, j = b.fresh("c", ir.I64), b.fresh("j", ir.I64)
    begin = b.mul(part, size)
    count = b.prim("min", size, b.sub(op.count, begin))
    index = Stmt((op.index,), Prim("add", (begin, j)), loop.span)
    made = b.bind(replace(op, count=count, index=j, body=Block((index, *op.body.stmts), op.body.results)))
    rows = first.map([first.prim("iota", number)], Lambda((part,), b.block(made)), shapes)
    sums = [Stmt((var,), Prim("sum", (row,), (("axis", 0),)), loop.span)
            for var, row in zip(loop.vars, rows, strict=True)]
    return [*zeros, *first.stmts, *sums]


def _uses(stmts: Sequence[Stmt], results: Sequence[Atom]) -> Counter[Var]:
    found: Counter[Var] = Counter(a for a in results if isinstance(a, Var))
    for stmt in stmts:
        found.update(a for a in atoms(stmt.op) if isinstance(a, Var))
        for _, block in scopes(stmt.op):
            found.update(_uses(block.stmts, block.results))
    return found


def _adds(op: Prim, rows: Sequence[Var], uses: Counter[Var], least: int) -> bool:
    """Whether it adds up rows along their first axis, which nobody else reads."""
    made = [a for a in op.args if a in rows]
    if not made or any(uses[a] != 1 for a in made if isinstance(a, Var)):
        return False
    if op.name == "sum":
        return op.attr("axis") == 0 and op.args[0].type.rank >= 2
    return (op.name == "accumulate_at" and op.args[0] not in rows and op.args[1].type.rank >= least
            and op.args[2].type.rank >= 1 and (op.args[1] in rows or least == 1))


def _before(stmts: list[Stmt], k: int, at: int, read: Sequence[Atom], taken: set[int]) -> dict[int, None] | None:
    """The statements between that must come before statement `k` for what statement `at` reads besides its rows; None
    where they cannot."""
    made = {var: j for j in range(k, at) for var in stmts[j].vars}
    found: dict[int, None] = {}
    pending = list(read)
    while pending:
        atom = pending.pop()
        j = made.get(atom) if isinstance(atom, Var) else None
        if j is None or j in found:
            continue
        op = stmts[j].op
        if j == k or j in taken or not isinstance(op, Prim) or PRIMITIVES[op.name].fails:
            return None
        found[j] = None
        pending += free_in_op(op)
    return found


def _loop(stmt: Stmt, rows: Sequence[Var], totals: Sequence[Stmt], supply: Fresh) -> tuple[Stmt, list[Stmt]]:
    """The loop that carries the totals, and statements that come before it."""
    first = Builder(supply, stmt.span)
    b = Builder(supply, stmt.span)
    op = stmt.op
    if isinstance(op, ir.Map):
        index = b.fresh("i", ir.I64)
        count: Atom = first.dim(op.arrays[0])
        b.stmts += [Stmt((p,), Prim("index", (a, index)), stmt.span)
                    for p, a in zip(op.body.params, op.arrays, strict=True)]
        b.stmts += op.body.body.stmts
        made = dict(zip(rows, op.body.body.results, strict=True))
        shapes = dict(zip(rows, op.shapes, strict=True))
        params: tuple[Var, ...] = ()
        init: tuple[Atom, ...] = ()
        states: tuple[Atom, ...] = ()
        vars: tuple[Var, ...] = ()
    else:
        assert isinstance(op, ir.Loop)
        assert op.count is not None
        index, count, params, init = op.index, op.count, op.params, op.init
        b.stmts += op.body.stmts
        n = len(params)
        states, vars = op.body.results[:n], stmt.vars[:n]
        made = dict(zip(rows, op.body.results[n:], strict=True))
        shapes = dict(zip(rows, op.collect_shapes, strict=True))
    read: set[Atom] = set()
    for total in totals:
        adding = total.op
        assert isinstance(adding, Prim)
        read.update(adding.args)
        var = total.vars[0]
        state = b.fresh(var.name, var.type)
        params, vars = (*params, state), (*vars, var)
        if adding.name == "sum":
            row = adding.args[0]
            assert isinstance(row, Var)
            init = (*init, first.full(_zero(var.type.dtype), shapes[row]))
            states = (*states, b.add(state, made[row]))
        else:
            init = (*init, adding.args[0])
            operands = [made[a] if isinstance(a, Var) and a in made else b.prim("index", a, index)
                        for a in adding.args[1:]]
            states = (*states, b.prim("accumulate_at", state, *operands))
    kept = [row for row in rows if row not in read]
    body = Block(tuple(b.stmts), (*states, *(made[row] for row in kept)))
    part = op.part if isinstance(op, ir.Loop) else ""
    loop = ir.Loop(count, None, index, params, init, body, tuple(shapes[row] for row in kept), part=part)
    return Stmt((*vars, *kept), loop, stmt.span), first.stmts


def _zero(dtype: str) -> ir.Const:
    return ir.Const(0.0 if dtype in ir.FLOATS else 0, dtype)
