"""Repeated values that elementwise operations need not see repeated: `x + broadcast y` is `x + expand y` in array code.

Runs on array code, block by block. An operand that is a `broadcast` or `replicate` becomes its base with axes of size
one where another operand has those axes in full; an operation whose array operands are all repeated works on the
bases, and its result is repeated instead. What is added at repeated places is added up first. Nothing is computed more
often than before, and most repetition disappears.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import dataclass, replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Lambda, Prim, Stmt, Var
from ...lang.core.primitive import PRIMITIVES

Made = MutableMapping[Var, Prim]


def relax(block: Block, supply: Fresh, made: Made | None = None) -> Block:
    """The block with fewer repetitions; what that leaves unused is for `prune`."""
    known: Made = dict(made or {})
    b = Builder(supply)
    for stmt in block.stmts:
        b.span = stmt.span
        match stmt.op:
            case Prim() as op:
                _prim(b, stmt, op, known)
            case ir.If(cond, then, orelse):
                b.stmts.append(replace(stmt, op=ir.If(cond, relax(then, supply, known), relax(orelse, supply, known))))
            case ir.Map(arrays, body, shapes):
                inner = Lambda(body.params, relax(body.body, supply, known))
                b.stmts.append(replace(stmt, op=ir.Map(arrays, inner, shapes)))
            case ir.Loop(cond=cond, body=inside) as loop:
                tested = None if cond is None else Lambda(cond.params, relax(cond.body, supply, known))
                b.stmts.append(replace(stmt, op=replace(loop, cond=tested, body=relax(inside, supply, known))))
            case _:
                b.stmts.append(stmt)
    return Block(tuple(b.stmts), block.results)


@dataclass(frozen=True, slots=True)
class _Repeated:
    """An array as `base`, repeated along new `axes` of these sizes; `flat` are axes of size one."""

    base: Atom
    axes: tuple[int, ...]
    sizes: tuple[Atom, ...]
    flat: tuple[int, ...]


def _repeated(atom: Atom, made: Made) -> _Repeated:
    op = made.get(atom) if isinstance(atom, Var) else None
    if op is not None and op.name == "expand":
        axes = op.attr("axes")
        assert isinstance(axes, tuple)
        return _Repeated(atom, (), (), axes)
    if op is None or op.name not in ("broadcast", "replicate"):
        return _Repeated(atom, (), (), ())
    if op.name == "replicate":
        outer_axes: tuple[int, ...] = (0,)
        base, sizes = op.args[1], op.args[:1]
    else:
        found = op.attr("axes")
        assert isinstance(found, tuple)
        outer_axes, base, sizes = found, op.args[0], op.args[1:]
    inner = _repeated(base, made)
    if not inner.axes:
        return _Repeated(base, outer_axes, sizes, ())
    # Axes of the base move to the places that the new axes leave.
    places = [k for k in range(atom.type.rank) if k not in outer_axes]
    every = {
        **dict(zip(outer_axes, sizes, strict=True)),
        **{places[k]: size for k, size in zip(inner.axes, inner.sizes, strict=True)},
    }
    axes = tuple(sorted(every))
    return _Repeated(inner.base, axes, tuple(every[k] for k in axes), ())


def _prim(b: Builder, stmt: Stmt, op: Prim, made: Made) -> None:
    record = PRIMITIVES[op.name]
    rank = stmt.vars[0].type.rank
    if record.elementwise and not record.fails and rank:
        whole = [k for k, a in enumerate(op.args) if a.type.rank]
        seen = [_repeated(a, made) for a in op.args]
        common = seen[whole[0]]
        if common.axes and all(seen[k].axes == common.axes for k in whole):
            _repeat_result(b, stmt, op, seen, whole, made)
            return
        if len(whole) > 1:
            op = replace(op, args=_flattened(b, op.args, seen, rank, made))
            stmt = replace(stmt, op=op)
    if op.name in ("broadcast", "replicate"):
        # A repetition of a repetition is one; of a scalar, it is an array of its own.
        whole_chain = _repeated(stmt.vars[0], ChainMap({stmt.vars[0]: op}, made))
        if whole_chain.base != op.args[op.name == "replicate"]:
            op = Prim("broadcast", (whole_chain.base, *whole_chain.sizes), (("axes", whole_chain.axes),))
            stmt = replace(stmt, op=op)
    if op.name == "accumulate_at":
        op = _added_up(b, op, made)
        stmt = replace(stmt, op=op)
    made[stmt.vars[0]] = op
    b.stmts.append(stmt)


def _added_up(b: Builder, op: Prim, made: Made) -> Prim:
    """accumulate_at x values (broadcast indices) = accumulate_at x (sum values) indices"""
    x, values, *indices = op.args
    seen = [_repeated(i, made) for i in indices]
    axes = seen[0].axes
    if not axes or len(axes) == indices[0].type.rank or any(s.axes != axes for s in seen):
        return op
    for axis in reversed(axes):
        values = b.prim("sum", values, axis=axis)
    return replace(op, args=(x, values, *(s.base for s in seen)))


def _repeat_result(b: Builder, stmt: Stmt, op: Prim, seen: list[_Repeated], whole: list[int], made: Made) -> None:
    """f (broadcast x) (broadcast y) = broadcast (f x y)"""
    args = tuple(seen[k].base if k in whole else a for k, a in enumerate(op.args))
    once = b.prim(op.name, *args, as_=stmt.vars[0].name, **dict(op.attrs))
    common = seen[whole[0]]
    last = Prim("broadcast", (once, *common.sizes), (("axes", common.axes),))
    made[stmt.vars[0]] = last
    b.stmts.append(replace(stmt, op=last))


def _flattened(b: Builder, args: tuple[Atom, ...], seen: list[_Repeated], rank: int, made: Made) -> tuple[Atom, ...]:
    """The operands, repeated ones with axes of size one instead wherever another operand has the axis in full."""
    flat = [set(s.flat) if a.type.rank else set(range(rank)) for a, s in zip(args, seen, strict=True)]
    new = list(args)
    for k, (atom, s) in enumerate(zip(args, seen, strict=True)):
        if not s.axes or not all(any(axis not in flat[j] for j in range(len(args)) if j != k) for axis in s.axes):
            continue
        flat[k] |= set(s.axes)
        if s.base.type.rank == 0:
            new[k] = s.base
        else:
            expanded = b.prim("expand", s.base, axes=s.axes)
            if isinstance(expanded, Var):
                made[expanded] = Prim("expand", (s.base,), (("axes", s.axes),))
            new[k] = expanded
        assert new[k].type.dtype == atom.type.dtype
    return tuple(new)
