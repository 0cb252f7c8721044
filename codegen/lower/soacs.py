"""Array combinators whose code is more than one operation of the IR: filters, histograms, orders.

    filter p xs    = gather xs (positions (map p xs))
    hist           in place: a fold for each bin over the elements that go there, found by a stable sort of the indices,
                   so that all bins run side by side; sums and extremes of scalars are one primitive
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Lambda
from .frame import Frame
from .functions import apply
from .values import TupV, Value, leaves, map_leaves, rebuild, the_atom

if TYPE_CHECKING:
    from .builtins import Inst


# ---------------------------------------------------------------- filters


def flags_of(f: Frame, predicate: Value, rows: Value) -> Atom:
    from .builtins import loop_over

    return the_atom(loop_over(f, [rows], ty.BOOL, lambda g, elements: apply(g, predicate, elements)))


def picked(f: Frame, rows: Value, flags: Atom) -> Value:
    """The rows whose flags are true, in order."""
    places = f.b.prim("positions", flags, as_="is")
    return map_leaves(rows, lambda a: f.b.prim("gather", a, places, as_="xs"))


def filtered(f: Frame, inst: Inst, args: list[Value]) -> Value:
    predicate, rows = args
    return picked(f, rows, flags_of(f, predicate, rows))


def parted(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """partition p xs: those that have the property, then those that have not; partition2 p q xs: p, q but not p, rest.

    Every predicate is asked only of what those before it refused.
    """
    *predicates, rows = args
    parts: list[Value] = []
    for predicate in predicates:
        flags = flags_of(f, predicate, rows)
        parts.append(picked(f, rows, flags))
        rows = picked(f, rows, f.b.prim("not", flags))
    return TupV((*parts, rows))


# ---------------------------------------------------------------- histograms


def by_index(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """reduce_by_index dest op ne is xs: dest[i] = op dest[i] x for each i and x in turn, i being an index of dest."""
    dest, function, neutral, indices, rows = args
    start, elements = leaves(dest), leaves(rows)
    if not start:
        return dest
    b, places = f.b, the_atom(indices)
    bins = b.dim(start[0])
    inside = b.prim("and", b.prim("ge", places, i64(0)), b.prim("lt", places, bins))
    at = b.select(inside, places, i64(-1))
    g = f.nested()
    left = tuple(g.b.fresh("acc", a.type) for a in leaves(neutral))
    right = tuple(g.b.fresh("x", a.type) for a in leaves(neutral))
    result = leaves(apply(g, function, [rebuild(neutral, iter(left)), rebuild(neutral, iter(right))]))
    at_once = one_to_one(g.b, left, right, result)
    if at_once is not None:
        done = [b.prim(name, x, v, at, as_="xs") for name, x, v in zip(at_once, start, elements, strict=True)]
        return rebuild(dest, iter(done))
    order = b.prim("argsort", b.select(inside, places, bins), axis=0, as_="order")
    ones = b.prim("replicate", b.dim(places), i64(1))
    counts = b.prim("accumulate_at", b.prim("replicate", bins, i64(0)), ones, at, as_="counts")
    firsts = b.sub(b.prim("cumsum", counts, axis=0), counts)
    body = f.nested()
    bin_rows = tuple(body.b.fresh("acc", ir.Type(a.type.dtype, a.type.rank - 1)) for a in start)
    first, count = body.b.fresh("first", ir.I64), body.b.fresh("count", ir.I64)
    step = body.nested()
    k = step.b.fresh("k", ir.I64)
    place = step.b.prim("index", order, step.b.add(first, k))
    xs = [step.b.prim("index", a, place, as_="x") for a in elements]
    state = tuple(step.b.fresh("acc", a.type) for a in leaves(neutral))
    after = leaves(apply(step, function, [rebuild(neutral, iter(state)), rebuild(neutral, iter(xs))]))
    loop = ir.Loop(count, None, k, state, bin_rows, step.b.block(after))
    results = body.b.bind(loop, "acc")
    shapes = [b.shape(a)[1:] for a in start]
    lam = Lambda((*bin_rows, first, count), body.b.block(results))
    return rebuild(dest, iter(b.map([*start, firsts, counts], lam, shapes, "xs")))


AT_ONCE = {"add": "accumulate_at", "max": "max_at", "min": "min_at"}


def one_to_one(b: Builder, left: tuple[ir.Var, ...], right: tuple[ir.Var, ...],
               results: list[Atom]) -> list[str] | None:
    """The primitives that do what an operator does, if it adds numbers or takes the larger or smaller, one to one."""
    known = {s.vars[0]: s.op for s in b.stmts if isinstance(s.op, ir.Prim) and s.op.name in AT_ONCE}
    if not len(b.stmts) == len(known) == len(results):
        return None
    names = [AT_ONCE[op.name] for r, x, y in zip(results, left, right, strict=True)
             if isinstance(r, ir.Var) and r.type.rank == 0 and (op := known.get(r)) and op.args in ((x, y), (y, x))]
    return names if len(names) == len(results) else None


def hist(f: Frame, inst: Inst, args: list[Value]) -> Value:
    function, neutral, size, indices, rows = args
    count = f.b.prim("check_size", the_atom(size), what="the number of bins of hist")
    dest = map_leaves(neutral, lambda a: f.b.prim("replicate", count, a, as_="xs"))
    return by_index(f, inst, [dest, function, neutral, indices, rows])


# ---------------------------------------------------------------- orders


def sorting(f: Frame, inst: Inst, args: list[Value]) -> Value:
    return f.b.prim("argsort", the_atom(args[0]), axis=0, as_="order")
