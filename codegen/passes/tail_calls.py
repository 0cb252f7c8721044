"""Functions whose recursive calls all come last become loops: as deep as they like, and lanes of a `map` run together.

In: a program. Out: one of the same meaning. A call is *last* when what it gives is what the function gives, also
through branches. Functions that call each other in a circle are first written into one another while one of them does
not call itself.

    def f(x, y) { S; if c { return f(x, e) } else { T; return r } }
        becomes
    def f(x, y) { going, y' = loop (true, y) while going { S; if c { (true, e) } else { (false, y) } }
                  S; T; return r }                       -- S and T for the last y

What is handed on unchanged is no state. `S` is run once more after the loop: it is what tells the branches apart, so
it is small; its checks have the outcome that they had.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Const, Function, Lambda, Program, Stmt, Var
from ...lang.core.walk import Renamer, called, callees, next_id, scopes
from .effects import reachable
from .extents import Dim, Extents
from .inline import size_of

LARGE = 500  # statements of a function that others of its circle are written into


def tail_calls(program: Program) -> Program:
    """The program with loops in place of recursion at the end of functions."""
    calls = {name: called(f) for name, f in program.functions.items()}
    recursive = {name: reachable(calls, calls[name]) for name in calls}
    recursive = {name: found for name, found in recursive.items() if name in found}
    if not recursive:
        return program
    functions = dict(program.functions)
    for name in recursive:
        circle = [other for other in recursive if other in recursive[name] and name in recursive[other]]
        if len(circle) > 1:
            _write_into(functions, name, circle)
    for name in recursive:
        made = _looped(functions[name])
        if made is not None:
            functions[name] = made
    return Program(functions)


# ---------------------------------------------------------------- circles


def _write_into(functions: dict[str, Function], name: str, circle: Sequence[str]) -> None:
    """Calls in `name` of others of its circle, by their bodies, if that leaves it with calls of itself alone."""
    function = functions[name]
    for _ in circle:
        called = [f for f in callees(function.body) if f in circle and f != name]
        if not called:
            functions[name] = function
            return
        callee = functions[called[0]]
        grown = size_of(function.body) + _count(function.body, called[0]) * size_of(callee.body)
        if called[0] in callees(callee.body) or grown > LARGE:
            return
        function = _Inlined(function, callee).run()


def _count(body: Block, name: str) -> int:
    """How many calls of a function stand in a block."""
    count, pending = 0, [body]
    while pending:
        for stmt in pending.pop().stmts:
            count += isinstance(stmt.op, ir.Call) and stmt.op.function == name
            pending.extend(block for _, block in scopes(stmt.op))
    return count


class _Inlined(Renamer):
    """A copy of a function with the calls of another one written out."""

    def __init__(self, function: Function, callee: Function) -> None:
        super().__init__(Fresh(max(next_id(function), next_id(callee))))
        self.source, self.callee = function, callee

    def run(self) -> Function:
        f = self.source
        params = tuple(self.binder(p) for p in f.params)
        body = self.block(f.body)
        dims = tuple(tuple(None if a is None else self.atom(a) for a in axes) for axes in f.dims)
        return Function(f.name, params, body, f.source_name, dims, f.again)

    def block(self, block: Block) -> Block:
        stmts: list[Stmt] = []
        for stmt in block.stmts:
            if not isinstance(stmt.op, ir.Call) or stmt.op.function != self.callee.name:
                stmts.append(self.stmt(stmt))
                continue
            args = self.atoms(stmt.op.args)
            inner = Renamer(self.supply, dict(zip(self.callee.params, args, strict=True)))
            body = inner.block(self.callee.body)
            stmts.extend(body.stmts)
            self.env.update(zip(stmt.vars, body.results, strict=True))
        return Block(tuple(stmts), self.atoms(block.results))


# ---------------------------------------------------------------- what comes last


@dataclass(frozen=True)
class Again:
    """The block ends by calling the function again."""

    args: tuple[Atom, ...]


@dataclass(frozen=True)
class Fork:
    then: Tail
    orelse: Tail


@dataclass(frozen=True)
class Done:
    """The block gives its results without another call."""


Tail = Again | Fork | Done


def _tail(block: Block, name: str) -> Tail | None:
    """How the block ends; None when it calls the function elsewhere than at its end."""
    if not _calls(block, name):
        return Done()
    *before, last = block.stmts
    if any(_calls_in(stmt, name) for stmt in before) or last.vars != block.results:
        return None
    match last.op:
        case ir.Call(function, args, _) if function == name:
            return Again(args)
        case ir.If(_, then, orelse):
            one, other = _tail(then, name), _tail(orelse, name)
            return None if one is None or other is None else Fork(one, other)
    return None


def _calls(block: Block, name: str) -> bool:
    return name in callees(block)


def _calls_in(stmt: Stmt, name: str) -> bool:
    if isinstance(stmt.op, ir.Call):
        return stmt.op.function == name
    return any(_calls(block, name) for _, block in scopes(stmt.op))


def _ends(tail: Tail) -> bool:
    match tail:
        case Fork(one, other):
            return _ends(one) or _ends(other)
        case _:
            return isinstance(tail, Done)


def _handed(tail: Tail) -> list[tuple[Atom, ...]]:
    match tail:
        case Again(args):
            return [args]
        case Fork(one, other):
            return _handed(one) + _handed(other)
        case _:
            return []


# ---------------------------------------------------------------- the loop


def _looped(f: Function) -> Function | None:
    tail = _tail(f.body, f.name)
    if tail is None or not _ends(tail) or isinstance(tail, Done):
        return None
    handed = _handed(tail)
    states = [k for k, p in enumerate(f.params) if any(args[k] != p for args in handed)]
    supply = Fresh(next_id(f))
    b = Builder(supply)
    head: dict[Var, Atom] = {}
    for stmt in f.body.stmts:  # what `dims` names is read at the head
        if isinstance(stmt.op, ir.Prim) and stmt.op.name == "dim" and stmt.op.args[0] in f.params:
            (head[stmt.vars[0]],) = b.bind(stmt.op, [stmt.vars[0].name], stmt.span)
    dims = tuple(tuple(head.get(a) if isinstance(a, Var) else a for a in axes) for axes in f.dims)

    params = tuple(supply.var(f.params[k].name, f.params[k].type) for k in states)
    going = supply.var("going", ir.BOOL)
    inside = Renamer(supply, dict(zip((f.params[k] for k in states), params, strict=True)))
    body = _step(f.body, tail, inside, states, params)
    test = tuple(supply.var(v.name, v.type) for v in (going, *params))
    loop = ir.Loop(None, Lambda(test, Block((), (test[0],))), supply.var("step", ir.I64), (going, *params),
                   (Const(True, "bool"), *(f.params[k] for k in states)), body, (), not _even(f, tail, states))
    span = next((s.span for s in reversed(f.body.stmts) if s.span is not None), None)
    _, *last, _ = b.bind(loop, ["going", *(p.name for p in params), "steps"], span)
    after = Renamer(supply, dict(zip((f.params[k] for k in states), last, strict=True)))
    rest = _rest(f.body, tail, after)
    return Function(f.name, f.params, Block((*b.stmts, *rest.stmts), rest.results), f.source_name, dims, f.again)


def _step(block: Block, tail: Tail, copy: Renamer, states: Sequence[int], params: Sequence[Var]) -> Block:
    """Whether to go on, and the next state; `params` is the state now."""
    match tail:
        case Again(args):
            stmts = tuple(copy.stmt(s) for s in block.stmts[:-1])
            return Block(stmts, (Const(True, "bool"), *(copy.atom(args[k]) for k in states)))
        case Done():
            return Block((), (Const(False, "bool"), *params))
        case Fork(one, other):
            stmts = tuple(copy.stmt(s) for s in block.stmts[:-1])
            last = block.stmts[-1]
            assert isinstance(last.op, ir.If)
            arms = [_step(last.op.then, one, copy, states, params), _step(last.op.orelse, other, copy, states, params)]
            vars = (copy.supply.var("going", ir.BOOL), *(copy.supply.var(p.name, p.type) for p in params))
            return Block((*stmts, Stmt(vars, ir.If(copy.atom(last.op.cond), *arms), last.span)), vars)


def _rest(block: Block, tail: Tail, copy: Renamer) -> Block:
    """What is done when the loop is over: the branches that go on are known not to be taken."""
    if not isinstance(tail, Fork):
        return copy.block(block)
    stmts = tuple(copy.stmt(s) for s in block.stmts[:-1])
    last = block.stmts[-1]
    assert isinstance(last.op, ir.If)
    arms = [_rest(arm, t, copy) for arm, t in ((last.op.then, tail.then), (last.op.orelse, tail.orelse)) if _ends(t)]
    if len(arms) == 1:
        return Block((*stmts, *arms[0].stmts), arms[0].results)
    vars = tuple(copy.binder(v) for v in last.vars)
    return Block((*stmts, Stmt(vars, ir.If(copy.atom(last.op.cond), *arms), last.span)), vars)


# ---------------------------------------------------------------- sizes of the state


def _even(f: Function, tail: Tail, states: Sequence[int]) -> bool:
    """Whether it can be seen that arrays of the state keep their sizes."""
    if not any(f.params[k].type.rank for k in states):
        return True
    known = Extents(Builder(Fresh(next_id(f))))
    first: dict[Atom, Dim] = {}
    same: dict[Dim, Dim] = {}
    for p, axes in zip(f.params, f.dims, strict=False):
        for axis, size in enumerate(axes):
            if isinstance(size, Var):
                same[Dim(p, axis)] = first.setdefault(size, Dim(p, axis))
    return _keeps(f, f.body, tail, states, known, same)


def _keeps(f: Function, block: Block, tail: Tail, states: Sequence[int], known: Extents, same: dict[Dim, Dim]) -> bool:
    match tail:
        case Done():
            return True
        case Again(args):
            known.define(block.stmts[:-1])
            for k in states:
                want = known.shape(f.params[k])
                for size, mine in zip(known.shape(args[k]), want, strict=True):
                    assert isinstance(mine, Dim)
                    if not isinstance(size, Dim) or same.get(size, size) != same.get(mine, mine):
                        return False
            return True
        case Fork(one, other):
            known.define(block.stmts[:-1])
            last = block.stmts[-1].op
            assert isinstance(last, ir.If)
            return (_keeps(f, last.then, one, states, known, same)
                    and _keeps(f, last.orelse, other, states, known, same))
