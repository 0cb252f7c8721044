"""States of a loop's iterations, last first, in memory of their logarithm: the loop runs again from states that a stack
still holds.

In: a loop of T iterations (known once it has run), and the states that its reverse loop reads. Out: statements for the
head of an iteration of the reverse loop, which bind these states as they were at the beginning of iteration i, and the
states that the reverse loop has for it: a stack of states, where each of them belongs, how many there are.

    while position[top] < i: push the state halfway between position[top] and i, from the one at the top
    take the state at the top

So at most log2(T) + 2 states exist at a time, and each iteration runs about log2(T) / 2 times more. (Griewank,
*Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation*, Optim. Methods
Softw. 1, 1992; halving in place of binomial steps, since what counts is bounded memory, not the least number of steps.)
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Var
from ...lang.core.walk import Renamer
from ...lang.source import Span
from .prune import narrow


@dataclass(frozen=True)
class Rewind:
    """`states` of the reverse loop (parameter, first value, next value), and what stands at the head of its body."""

    states: tuple[tuple[Var, Atom, Atom], ...]
    head: tuple[Stmt, ...]


def rewind(op: ir.Loop, needed: Sequence[Var], trips: Atom, supply: Fresh, outer: Builder, span: Span | None) -> Rewind:
    """`needed`: states to bind; `op.index` is bound already where the head stands. `outer` writes before the loop."""
    step = _step(op, needed, supply)
    count = outer.prim("cast", outer.prim("max", trips, i64(1)), to="f64")
    room = outer.add(outer.prim("cast", outer.prim("floor", outer.prim("log2", count)), to="i64"), i64(3))
    first: list[Atom] = [i64(0), outer.prim("replicate", room, i64(0), as_="positions")]
    first += [outer.prim("replicate", room, start, as_="states") for start in step.init]
    b = outer.nested()
    params = [b.fresh("top", ir.I64), b.fresh("positions", ir.Type("i64", 1))]
    params += [b.fresh(f"{p.name}s", ir.Type(p.type.dtype, p.type.rank + 1)) for p in step.params]

    tested = [supply.var(p.name, p.type) for p in params]
    test = Builder(supply, span)
    short = test.prim("lt", test.prim("index", tested[1], tested[0]), op.index)
    cond = Lambda(tuple(tested), test.block([short]))
    own = [supply.var(p.name, p.type) for p in params]
    top, positions, *stacks = own
    push = Builder(supply, span)
    here = push.prim("index", positions, top, as_="here")
    half = push.prim("quot", push.add(push.sub(op.index, here), i64(1)), i64(2), as_="half")
    k = supply.var(op.index.name, ir.I64)
    at = supply.var(op.index.name, ir.I64)
    renamed = Renamer(supply, {op.index: at})
    binders = tuple(renamed.binder(p) for p in step.params)
    body = renamed.block(step.body)
    body = Block((Stmt((at,), ir.Prim("add", (here, k)), span), *body.stmts), body.results)
    starts = tuple(push.prim("index", stack, top) for stack in stacks)
    reached = push.bind(ir.Loop(half, None, k, binders, starts, body), [p.name for p in binders])
    higher = push.add(top, i64(1))
    filled = [push.prim("update", positions, push.add(here, half), higher)]
    filled += [push.prim("update", stack, x, higher) for stack, x in zip(stacks, reached, strict=True)]
    loop = ir.Loop(None, cond, supply.var("pushed", ir.I64), tuple(own), tuple(params), push.block([higher, *filled]))
    top_now, positions_now, *stacks_now, _ = b.bind(loop, [*(p.name for p in params), "pushes"])
    for p, stack in zip(step.params, stacks_now, strict=True):
        if p in needed:
            b.stmts.append(Stmt((p,), ir.Prim("index", (stack, top_now)), span))
    following: list[Atom] = [b.sub(top_now, i64(1)), positions_now, *stacks_now]
    return Rewind(tuple(zip(params, first, following, strict=True)), tuple(b.stmts))


def _step(op: ir.Loop, needed: Sequence[Var], supply: Fresh) -> ir.Loop:
    """The loop with the states that the needed ones depend on, and nothing else."""
    width = len(op.params)
    results = [supply.var(p.name, p.type) for p in op.params]
    plain = ir.Loop(i64(0), None, op.index, op.params, op.init, Block(op.body.stmts, op.body.results[:width]))
    live = {r for p, r in zip(op.params, results, strict=True) if p in needed}
    small = narrow(Stmt(tuple(results), plain), live).op
    assert isinstance(small, ir.Loop)
    return small
