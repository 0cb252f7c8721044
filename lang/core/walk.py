"""Walks over IR: free variables, renaming, rebuilding. Every pass that has no reason of its own uses these."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from . import ir
from .build import Fresh
from .ir import Atom, Block, Lambda, Op, Stmt, Var


def atoms(op: Op) -> tuple[Atom, ...]:
    """The operands an operation reads itself, outside its nested blocks."""
    match op:
        case ir.Prim(args=args) | ir.Call(args=args) | ir.Custom(args=args):
            return args
        case ir.If(cond, _, _):
            return (cond,)
        case ir.Map(arrays, _, shapes):
            return (*arrays, *chain.from_iterable(shapes))
        case ir.Reduce(arrays, neutral, _) | ir.Scan(arrays, neutral, _):
            return arrays + neutral
        case ir.Loop(count=count, init=init, collect_shapes=shapes):
            return (*(() if count is None else (count,)), *init, *chain.from_iterable(shapes))
        case ir.Diff(_, _, args, seeds):
            return args + seeds


Scopes = Sequence[tuple[tuple[Var, ...], Block]]


def scopes(op: Op) -> Scopes:
    """Nested blocks with the variables each binds at its head."""
    if isinstance(op, ir.Prim | ir.Call):  # nearly all
        return ()
    match op:
        case ir.If(_, then, orelse):
            return (((), then), ((), orelse))
        case ir.Map(body=body) | ir.Reduce(body=body) | ir.Scan(body=body) | ir.Diff(body=body):
            return ((body.params, body.body),)
        case ir.Loop(cond=cond, index=index, params=params, body=block):
            inside = ((index, *params), block)
            return (inside,) if cond is None else ((cond.params, cond.body), inside)
        case ir.Custom(_, body, rule, _):
            return ((body.params, body.body), (rule.params, rule.body))


def free_vars(block: Block, bound: tuple[Var, ...] = ()) -> dict[Var, None]:
    """Variables read but not bound inside, in order of first use."""
    return {v: None for v in free_of(block) if v not in bound}


def free_in_op(op: Op) -> dict[Var, None]:
    """Variables that an operation reads, in order of first use."""
    found: dict[Var, None] = {}
    if isinstance(op, ir.Prim | ir.Call):
        for atom in op.args:
            if isinstance(atom, Var):
                found[atom] = None
    else:
        _read(op, found)
    return found


def free_of(block: Block) -> tuple[Var, ...]:
    """The free variables of a block, looked for once."""
    known = block.free
    if known is None:
        found: dict[Var, None] = {}
        bound: list[Var] = []
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, ir.Prim | ir.Call):
                for atom in op.args:
                    if isinstance(atom, Var):
                        found[atom] = None
            else:
                _read(op, found)
            bound += stmt.vars
        for atom in block.results:
            if isinstance(atom, Var):
                found[atom] = None
        for var in bound:  # nothing else of that name is read: variables are unique
            found.pop(var, None)
        known = tuple(found)
        object.__setattr__(block, "free", known)
    return known


def _read(op: Op, found: dict[Var, None]) -> None:
    for atom in atoms(op):
        if isinstance(atom, Var):
            found[atom] = None
    for params, block in scopes(op):
        free = free_of(block)
        if params:
            heads = set(params)
            found.update((v, None) for v in free if v not in heads)
        else:
            found.update(dict.fromkeys(free))


class Renamer:
    """Copies IR with operands substituted and every variable bound inside made fresh."""

    def __init__(self, supply: Fresh, env: Mapping[Var, Atom] | None = None) -> None:
        self.supply = supply
        self.env: dict[Var, Atom] = dict(env or {})

    def atom(self, atom: Atom) -> Atom:
        return self.env.get(atom, atom) if isinstance(atom, Var) else atom

    def atoms(self, many: tuple[Atom, ...]) -> tuple[Atom, ...]:
        env = self.env
        return tuple([env.get(a, a) if isinstance(a, Var) else a for a in many])

    def binder(self, var: Var) -> Var:
        new = self.supply.var(var.name, var.type)
        self.env[var] = new
        return new

    def stmt(self, stmt: Stmt) -> Stmt:
        op = stmt.op
        if isinstance(op, ir.Prim):
            return Stmt((self.binder(stmt.vars[0]),), ir.Prim(op.name, self.atoms(op.args), op.attrs), stmt.span)
        op = self.op(op)
        return Stmt(tuple([self.binder(v) for v in stmt.vars]), op, stmt.span)

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


@dataclass(slots=True)
class Summary:
    """What one walk over a function finds out, nested blocks included."""

    next_id: int
    """The first id that no variable of the function has."""
    size: int
    """How many statements it has."""
    calls: dict[str, int]
    """How many calls name each function, in order of first call."""
    prims: dict[str, None]
    ops: set[type]
    """Classes of its operations other than primitives."""
    endless: bool
    """It has a `while`, outside of derivative rules."""
    run: dict[str, None]
    """Primitives outside of derivative rules."""
    diffs: bool
    """It takes a derivative, outside of derivative rules."""


def summary(function: ir.Function) -> Summary:
    """The summary of a function, worked out once."""
    found: Summary | None = function.known.get("summary")
    if found is None:
        found = function.known["summary"] = _summary(function)
    return found


def _summary(function: ir.Function) -> Summary:
    made = Summary(max((p.id for p in function.params), default=-1), 0, {}, {}, set(), False, {}, False)
    _survey(made, function.body, made.run)
    made.prims.update(made.run)
    made.next_id += 1
    return made


def _survey(made: Summary, start: Block, prims: dict[str, None]) -> None:
    pending = [start]
    highest, calls = made.next_id, made.calls
    rules = prims is made.prims
    while pending:
        block = pending.pop()
        made.size += len(block.stmts)
        for stmt in block.stmts:
            for var in stmt.vars:
                if var.id > highest:
                    highest = var.id
            op = stmt.op
            if isinstance(op, ir.Prim):
                prims[op.name] = None
                continue
            made.ops.add(type(op))
            if isinstance(op, ir.Call):
                calls[op.function] = calls.get(op.function, 0) + 1
                continue
            inner = scopes(op)
            for params, _ in inner:
                for var in params:
                    if var.id > highest:
                        highest = var.id
            if isinstance(op, ir.Custom) and not rules:
                made.next_id = highest
                _survey(made, op.rule.body, made.prims)
                highest = made.next_id
                inner = inner[:1]
            elif not rules:
                made.endless |= isinstance(op, ir.Loop) and op.count is None
                made.diffs |= isinstance(op, ir.Diff)
            pending.extend([block for _, block in inner])
    made.next_id = highest


def next_id(function: ir.Function) -> int:
    """The first id that no variable of the function has."""
    return summary(function).next_id


def callees(block: Block) -> dict[str, None]:
    """Names of functions called inside, in order of first call."""
    found: dict[str, None] = {}
    pending = [block]
    while pending:
        here = pending.pop()
        for stmt in here.stmts:
            op = stmt.op
            if isinstance(op, ir.Call):
                found[op.function] = None
            elif not isinstance(op, ir.Prim):
                pending.extend(inner for _, inner in scopes(op))
    return found


def called(function: ir.Function) -> dict[str, int]:
    """How often each function is called inside, by name, in order of first call."""
    return summary(function).calls
