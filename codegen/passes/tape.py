"""What a recursive function remembers for its way back: two arrays, one of fractions and one of integers.

How much there is to remember is known only when the function has run: what a call remembers holds what the calls in it
remember. So all saved values, whatever their types and shapes, are laid end to end: scalars first, then the elements of
arrays, with the lengths of their axes among the integers. Integers and truth values fit an i64, fractions an f64.
"""
from __future__ import annotations

from collections.abc import Sequence

from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Prim, Stmt, Type, Var

TAPE = (Type("f64", 1), Type("i64", 1))
"""Types of the two arrays."""


def record(b: Builder, values: Sequence[Var]) -> list[Atom]:
    """The two arrays that hold the values."""
    made: list[Atom] = []
    for kind, type in zip((True, False), TAPE, strict=True):
        mine = [v for v in values if v.type.is_float == kind]
        first: list[Atom] = [] if kind else [n for v in values if v.type.rank for n in b.shape(v)]
        first += [_widened(b, v, type.dtype) for v in mine if not v.type.rank]
        parts = [b.prim("stack", *first)] if first else []
        for v in mine:
            if v.type.rank:
                flat = v if v.type.rank == 1 else b.prim("reshape", v, _count(b, b.shape(v)))
                parts.append(_widened(b, flat, type.dtype))
        if not parts:
            parts = [b.full(b.const(0, Type(type.dtype)), [i64(0)])]
        made.append(parts[0] if len(parts) == 1 else b.prim("concat", *parts))
    return made


def replay(b: Builder, values: Sequence[Var], tape: Sequence[Var]) -> None:
    """Statements that bind the values again."""
    fractions, integers = tape
    shapes: dict[Var, list[Atom]] = {}
    place = 0
    for v in values:
        if v.type.rank:
            shapes[v] = [b.prim("index", integers, i64(place + axis)) for axis in range(v.type.rank)]
            place += v.type.rank
    for kind, source in ((True, fractions), (False, integers)):
        at = 0 if kind else place
        mine = [v for v in values if v.type.is_float == kind]
        for v in mine:
            if not v.type.rank:
                _bind(b, v, b.prim("index", source, i64(at)))
                at += 1
        start: Atom = i64(at)
        for v in mine:
            if v.type.rank:
                count = _count(b, shapes[v])
                part = b.prim("slice", source, start, count, i64(1), axis=0)
                _bind(b, v, part if v.type.rank == 1 else b.prim("reshape", part, *shapes[v]))
                start = b.add(start, count)


def _count(b: Builder, sizes: Sequence[Atom]) -> Atom:
    total: Atom = i64(1)
    for size in sizes:
        total = b.mul(total, size)
    return total


def _widened(b: Builder, x: Atom, dtype: str) -> Atom:
    return x if x.type.dtype == dtype else b.prim("cast", x, to=dtype)


def _bind(b: Builder, v: Var, x: Atom) -> None:
    """`v` is `x`, the last value written, in its own type."""
    dtype = v.type.dtype
    if dtype == x.type.dtype:
        last = b.stmts.pop()
        assert last.vars == (x,)
        op = last.op
    elif dtype == "bool":
        op = Prim("ne", (x, b.const(0, Type(x.type.dtype))))
    else:
        op = Prim("cast", (x,), (("to", dtype),))
    b.stmts.append(Stmt((v,), op, b.span))
