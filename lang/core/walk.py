"""Walks over IR: free variables, renaming, rebuilding. Every pass that has no reason of its own uses these."""
from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import ir
from .build import Fresh
from .ir import Atom, Block, Lambda, Op, Stmt, Var


def atoms(op: Op) -> Iterator[Atom]:
    """The operands an operation reads itself, outside its nested blocks."""
    match op:
        case ir.Prim(args=args) | ir.Call(args=args) | ir.Custom(args=args):
            yield from args
        case ir.If(cond, _, _):
            yield cond
        case ir.Map(arrays, _, shapes):
            yield from arrays
            for shape in shapes:
                yield from shape
        case ir.Reduce(arrays, neutral, _) | ir.Scan(arrays, neutral, _):
            yield from arrays
            yield from neutral
        case ir.Loop(count=count, init=init, collect_shapes=shapes):
            if count is not None:
                yield count
            yield from init
            for shape in shapes:
                yield from shape
        case ir.Diff(_, _, args, seeds):
            yield from args
            yield from seeds


def scopes(op: Op) -> Iterator[tuple[tuple[Var, ...], Block]]:
    """Nested blocks with the variables each binds at its head."""
    match op:
        case ir.If(_, then, orelse):
            yield (), then
            yield (), orelse
        case ir.Map(body=body) | ir.Reduce(body=body) | ir.Scan(body=body) | ir.Diff(body=body):
            yield body.params, body.body
        case ir.Loop(cond=cond, index=index, params=params, body=block):
            if cond is not None:
                yield cond.params, cond.body
            yield (index, *params), block
        case ir.Custom(_, body, rule, _):
            yield body.params, body.body
            yield rule.params, rule.body
        case _:
            pass


def free_vars(block: Block, bound: tuple[Var, ...] = ()) -> dict[Var, None]:
    """Variables read but not bound inside, in order of first use."""
    found: dict[Var, None] = {}
    _free(block, set(bound), found)
    return found


def free_in_op(op: Op) -> dict[Var, None]:
    found: dict[Var, None] = {}
    _free_op(op, set(), found)
    return found


def _free(block: Block, bound: set[Var], found: dict[Var, None]) -> None:
    for stmt in block.stmts:
        _free_op(stmt.op, bound, found)
        bound.update(stmt.vars)
    for atom in block.results:
        if isinstance(atom, Var) and atom not in bound:
            found[atom] = None


def _free_op(op: Op, bound: set[Var], found: dict[Var, None]) -> None:
    for atom in atoms(op):
        if isinstance(atom, Var) and atom not in bound:
            found[atom] = None
    for params, block in scopes(op):
        _free(block, bound | set(params), found)


class Renamer:
    """Copies IR with operands substituted and every variable bound inside made fresh."""

    def __init__(self, supply: Fresh, env: Mapping[Var, Atom] | None = None) -> None:
        self.supply = supply
        self.env: dict[Var, Atom] = dict(env or {})

    def atom(self, atom: Atom) -> Atom:
        return self.env.get(atom, atom) if isinstance(atom, Var) else atom

    def atoms(self, many: tuple[Atom, ...]) -> tuple[Atom, ...]:
        env = self.env
        return tuple(env.get(a, a) if isinstance(a, Var) else a for a in many)

    def binder(self, var: Var) -> Var:
        new = self.supply.var(var.name, var.type)
        self.env[var] = new
        return new

    def stmt(self, stmt: Stmt) -> Stmt:
        op = self.op(stmt.op)
        return Stmt(tuple(self.binder(v) for v in stmt.vars), op, stmt.span)

    def block(self, block: Block) -> Block:
        stmts = tuple([self.stmt(s) for s in block.stmts])
        return Block(stmts, self.atoms(block.results))

    def function(self, lam: Lambda) -> Lambda:
        params = tuple(self.binder(p) for p in lam.params)
        return Lambda(params, self.block(lam.body))

    def op(self, op: Op) -> Op:
        """The operation with operands substituted and nested binders renewed."""
        match op:
            case ir.Prim(name, args, attrs):
                return ir.Prim(name, self.atoms(args), attrs)
            case ir.Call(function, args, types):
                return ir.Call(function, self.atoms(args), types)
            case ir.If(cond, then, orelse):
                return ir.If(self.atom(cond), self.block(then), self.block(orelse))
            case ir.Map(arrays, body, shapes):
                return ir.Map(self.atoms(arrays), self.function(body), tuple(self.atoms(s) for s in shapes))
            case ir.Reduce(arrays, neutral, body):
                return ir.Reduce(self.atoms(arrays), self.atoms(neutral), self.function(body))
            case ir.Scan(arrays, neutral, body):
                return ir.Scan(self.atoms(arrays), self.atoms(neutral), self.function(body))
            case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
                count = None if count is None else self.atom(count)
                init = self.atoms(init)
                shapes = tuple(self.atoms(s) for s in shapes)
                cond = None if cond is None else self.function(cond)
                index = self.binder(index)
                params = tuple(self.binder(p) for p in params)
                return ir.Loop(count, cond, index, params, init, self.block(body), shapes, ragged, part)
            case ir.Diff(mode, body, args, seeds):
                return ir.Diff(mode, self.function(body), self.atoms(args), self.atoms(seeds))
            case ir.Custom(mode, body, rule, args, origin):
                return ir.Custom(mode, self.function(body), self.function(rule), self.atoms(args), origin)


def next_id(function: ir.Function) -> int:
    """The first id that no variable of the function has."""
    highest = max((p.id for p in function.params), default=-1)
    pending = [function.body]
    while pending:
        block = pending.pop()
        for stmt in block.stmts:
            for var in stmt.vars:
                highest = max(highest, var.id)
            for params, inner in scopes(stmt.op):
                for var in params:
                    highest = max(highest, var.id)
                pending.append(inner)
    return highest + 1


def callees(block: Block) -> dict[str, None]:
    """Names of functions called inside, in order of first call."""
    found: dict[str, None] = {}
    pending = [block]
    while pending:
        here = pending.pop()
        for stmt in here.stmts:
            if isinstance(stmt.op, ir.Call):
                found[stmt.op.function] = None
            pending.extend(inner for _, inner in scopes(stmt.op))
    return found
