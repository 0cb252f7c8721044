"""Arithmetic on whole arrays, brought together in maps.

In: a block after derivatives. Out: the block where statements that compute element by element, and maps of scalars, are
one map as far as they read each other:

    a = x * y; b = a + z; c = a * b       ->  b, c = map (x, y, z) \\x y z -> let a = x * y let b = a + z in b, a * b

What nobody else reads is then never stored, and what several read is computed once, in one loop. A group is written
where somebody first asks for one of its results. What only one fold reads stays behind, as its own statement: the fold
computes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Lambda, Op, Prim, Stmt, Type, Var
from ...lang.core.walk import Renamer, free_in_op
from ...lang.prims import PRIMITIVES

MOST = 128
"""Statements of a group."""


def cluster(block: Block, supply: Fresh) -> Block:
    """The block, and the blocks inside, with groups as maps."""
    inner = Block(tuple(Stmt(s.vars, _inside(s.op, supply), s.span) for s in block.stmts), block.results)
    return _Clusters(inner, supply).run()


def _inside(op: Op, supply: Fresh) -> Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, cluster(then, supply), cluster(orelse, supply))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, Lambda(body.params, cluster(body.body, supply)), shapes)
        case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
            test = None if cond is None else Lambda(cond.params, cluster(cond.body, supply))
            return ir.Loop(count, test, index, params, init, cluster(body, supply), shapes, ragged, part)
        case _:
            return op


@dataclass(eq=False)
class _Group:
    members: list[Stmt] = field(default_factory=list)


class _Clusters:
    def __init__(self, block: Block, supply: Fresh) -> None:
        self.block = block
        self.supply = supply
        self.out: list[Stmt] = []
        self.of: dict[Var, _Group] = {}
        self.readers: dict[Var, list[Stmt | None]] = {}
        for stmt in block.stmts:
            for var in free_in_op(stmt.op):
                self.readers.setdefault(var, []).append(stmt)
        for atom in block.results:
            if isinstance(atom, Var):
                self.readers.setdefault(atom, []).append(None)

    def run(self) -> Block:
        for stmt in self.block.stmts:
            rank = _rank(stmt)
            if rank == 0:
                self.ready(free_in_op(stmt.op))
                self.out.append(stmt)
                continue
            arrays = _arrays(stmt)
            self.ready({v: None for v in free_in_op(stmt.op) if v not in arrays})
            groups = list({id(self.of[a]): self.of[a] for a in arrays if a in self.of}.values())
            group = groups[0] if groups else _Group()
            for other in groups[1:]:
                group.members += other.members
            group.members.append(stmt)
            self.of.update({var: group for member in group.members for var in member.vars})
            if len(group.members) >= MOST:
                self.write(group)
        self.ready(dict.fromkeys(self.of))
        return Block(tuple(self.out), self.block.results)

    def ready(self, vars: dict[Var, None]) -> None:
        """Write the groups that make these."""
        for var in vars:
            if var in self.of:
                self.write(self.of[var])

    def write(self, group: _Group) -> None:
        members = _in_order(group.members)
        for member in members:
            for var in member.vars:
                del self.of[var]
        later: list[Stmt] = []
        while len(members) > 1 and self.left_to_fold(members[-1], members[:-1]):
            later.append(members.pop())
        if len(members) == 1 or not self.worth_it(members):
            self.out += members
        else:
            self.out += self.mapped(members)
        self.out += reversed(later)

    def outside(self, var: Var, members: list[Stmt]) -> bool:
        """Whether somebody else reads it."""
        return any(all(reader is not m for m in members) for reader in self.readers.get(var, ()))

    def left_to_fold(self, stmt: Stmt, others: list[Stmt]) -> bool:
        """Whether one fold alone reads the result, of arrays that are stored anyway."""
        made = {var for other in others for var in other.vars}
        readers = [r for var in stmt.vars for r in self.readers.get(var, ())]
        if len(stmt.vars) != 1 or len(readers) != 1:
            return False
        reader = readers[0]
        if reader is None or not isinstance(reader.op, Prim) or PRIMITIVES[reader.op.name].elementwise:
            return False
        return all(a not in made or self.outside(a, [*others, stmt]) for a in _arrays(stmt))

    def worth_it(self, members: list[Stmt]) -> bool:
        """Whether a result is read twice, or there are several."""
        made = [var for member in members for var in member.vars]
        return any(len(self.readers.get(var, ())) > 1 for var in made) or \
            sum(self.outside(var, members) for var in made) > 1

    def mapped(self, members: list[Stmt]) -> list[Stmt]:
        rank = _rank(members[0])
        made = {var for member in members for var in member.vars}
        arrays: dict[Var, None] = {a: None for member in members for a in _arrays(member) if a not in made}
        results = [var for var in made_in_order(members) if self.outside(var, members)]
        span = members[0].span
        first = Builder(self.supply, span)
        sizes = tuple(first.dim(next(iter(arrays)), axis) for axis in range(1, rank))
        params = tuple(self.supply.var(a.name, Type(a.type.dtype)) for a in arrays)
        elements: dict[Var, Atom] = dict(zip(arrays, params, strict=True))
        b = Builder(self.supply, span)
        for member in members:
            op = member.op
            if isinstance(op, ir.Map):
                copy = Renamer(self.supply, {p: elements[a] for p, a in zip(op.body.params, op.arrays, strict=True)
                                             if isinstance(a, Var)})
                body = copy.block(op.body.body)
                b.stmts += body.stmts
                elements.update(zip(member.vars, body.results, strict=True))
            else:
                assert isinstance(op, Prim)
                var = self.supply.var(member.vars[0].name, Type(member.vars[0].type.dtype))
                args = tuple(elements[a] if isinstance(a, Var) and a in elements else a for a in op.args)
                b.stmts.append(Stmt((var,), Prim(op.name, args, op.attrs), member.span))
                elements[member.vars[0]] = var
        body = b.block([elements[var] for var in results])
        for depth in range(rank - 1, -1, -1):
            rows = tuple(self.supply.var(a.name, Type(a.type.dtype, rank - depth)) for a in arrays) if depth else \
                tuple(arrays)
            vars = tuple(self.supply.var(v.name, Type(v.type.dtype, rank - depth)) for v in results) if depth else \
                tuple(results)
            whole = ir.Map(rows, Lambda(params, body), (sizes[depth:],) * len(results))
            body, params = Block((Stmt(vars, whole, span),), vars), rows
        return [*first.stmts, *body.stmts]


def made_in_order(members: list[Stmt]) -> list[Var]:
    return [var for member in members for var in member.vars]


def _in_order(members: list[Stmt]) -> list[Stmt]:
    """Members of merged groups, each behind what it reads."""
    made = {var: member for member in members for var in member.vars}
    done: dict[int, Stmt] = {}
    for member in members:
        pending = [member]
        while pending:
            here = pending[-1]
            missing = [made[a] for a in _arrays(here) if a in made and id(made[a]) not in done]
            if missing:
                pending.append(missing[0])
            else:
                done.setdefault(id(here), here)
                pending.pop()
    return list(done.values())


def _rank(stmt: Stmt) -> int:
    """How many axes the statement goes through element by element; 0 if it is not such a statement."""
    match stmt.op:
        case Prim(name=name):
            primitive = PRIMITIVES[name]
            return stmt.vars[0].type.rank if primitive.elementwise and not primitive.fails else 0
        case ir.Map(arrays, body, _):
            scalars = all(p.type.rank == 0 for p in body.params) and all(isinstance(a, Var) for a in arrays)
            return 1 if scalars and body.body.stmts and _plain(body.body) else 0
    return 0


def _plain(block: Block) -> bool:
    """Whether a block is arithmetic on scalars, which cannot fail."""
    for stmt in block.stmts:
        match stmt.op:
            case Prim(name=name):
                if stmt.vars[0].type.rank or not PRIMITIVES[name].elementwise or PRIMITIVES[name].fails:
                    return False
            case ir.If(_, then, orelse):
                if not _plain(then) or not _plain(orelse):
                    return False
            case _:
                return False
    return all(a.type.rank == 0 for a in block.results)


def _arrays(stmt: Stmt) -> list[Var]:
    """The arrays whose elements the statement reads."""
    assert isinstance(stmt.op, ir.Map | Prim)
    operands = stmt.op.arrays if isinstance(stmt.op, ir.Map) else stmt.op.args
    return list({a: None for a in operands if isinstance(a, Var) and a.type.rank})
