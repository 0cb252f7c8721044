"""Sums, folds and scans along an axis, as loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ....lang.core import ir
from ....lang.core.ir import Var
from . import tree
from .arrays import RULES, Indices, rule
from .emitter import elements, small
from .tree import Imm, Operand, Reg
from .values import ZERO, Array, Stored

if TYPE_CHECKING:
    from .lower import Lowering


def _axis(op: ir.Prim) -> int:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return axis


def _along(lo: Lowering, var: Var, op: ir.Prim, one: Callable[[Array, Callable[[Operand], Indices]], Operand]) -> None:
    """Fold one axis away: `one` gives the fold of a line, whose k-th element is at the indices it asks for."""
    e = lo.e
    axis = _axis(op)
    x = lo.array(op.args[0])
    if len(x.shape) == 1:
        lo.env[var] = one(x, lambda k: [k])
        return
    out = lo.fresh(var, (*x.shape[:axis], *x.shape[axis + 1:]))
    e.each(out.shape, lambda ix: e.write(out, ix, one(x, lambda k: [*ix[:axis], k, *ix[axis:]])))


@rule("sum")
def _sum(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    axis = _axis(op)
    inner = axis == op.args[0].type.rank - 1
    dtype = var.type.dtype

    def one(x: Array, at: Callable[[Operand], Indices]) -> Operand:
        if small(x.shape[axis:axis + 1]):
            return _few(lo, [e.read(x, at(Imm(k, "i64"))) for k in range(elements(x.shape[axis:axis + 1]))], dtype,
                        inner)
        if not inner or dtype not in ir.FLOATS:
            with e.fold(x.shape[axis], [Imm(0.0 if dtype in ir.FLOATS else 0, dtype)]) as f:
                value = lo.joined(e.read(x, at(f.index)), 0, "rounds" if dtype in ir.FLOATS else "exact")
                f.next = (e.scalar("add", dtype, f.state[0], value),)
            return f.outs[0]
        index, out = e.reg("i64"), e.reg(dtype)
        with e.block() as code:
            value = e.read(x, at(index))
        e.add(tree.Sum(out, index, x.shape[axis], code, value))
        return out

    _along(lo, var, op, one)


def _few(lo: Lowering, values: list[Operand], dtype: str, pairs: bool) -> Operand:
    """The sum of a few numbers, in NumPy's order: one after the other, or along the last axis, from eight on, in pairs
    first."""
    total: Operand = Imm(_nothing(dtype), dtype)
    rest = values
    if pairs and dtype in ir.FLOATS and len(values) >= 8:
        whole = len(values) // 8 * 8
        lanes = values[:8]
        for start in range(8, whole, 8):
            lanes = [lo.e.scalar("add", dtype, x, y) for x, y in zip(lanes, values[start:start + 8], strict=True)]
        while len(lanes) > 1:
            lanes = [lo.e.scalar("add", dtype, x, y) for x, y in zip(lanes[::2], lanes[1::2], strict=True)]
        total, rest = lanes[0], values[whole:]
    for value in rest:
        total = lo.e.scalar("add", dtype, total, value)
    return total


CHAINS = 8
"""Extremes are looked for in so many parts of a long array at once."""


def joins(scalar: str, dtype: str) -> str:
    """What it does to a fold when other elements are joined first."""
    return "rounds" if scalar in ("add", "mul") and dtype in ir.FLOATS else "exact"


def _fold_rule(name: str, scalar: str, start: Callable[[str], int | float | bool]) -> None:
    def lower(lo: Lowering, var: Var, op: ir.Prim) -> None:
        e = lo.e
        dtype = var.type.dtype

        def one(x: Array, at: Callable[[Operand], Indices]) -> Operand:
            count, first = x.shape[_axis(op)], Imm(start(dtype), dtype)
            found: Operand = first
            done: Operand = ZERO
            alone = len(lo.memory.frames) == 1 and isinstance(count, Reg) and (isinstance(x, Stored) or x.cheap)
            if alone and scalar in ("max", "min") and lo.elements is None:
                # in any order the same: chains that do not wait for each other
                bits = Imm(CHAINS.bit_length() - 1, "i64")
                whole = e.scalar("shr", "i64", count, bits)
                with e.fold(whole, [first] * CHAINS) as f:
                    base = e.scalar("shl", "i64", f.index, bits)
                    f.next = tuple(e.scalar(scalar, dtype, s, e.read(x, at(e.plus(base, Imm(k, "i64")))))
                                   for k, s in enumerate(f.state))
                outs: list[Operand] = list(f.outs)
                while len(outs) > 1:
                    outs = [e.scalar(scalar, dtype, a, b) for a, b in zip(outs[::2], outs[1::2], strict=True)]
                found, done = outs[0], e.scalar("shl", "i64", whole, bits)
            with e.fold(e.minus(count, done), [found]) as f:
                value = lo.joined(e.read(x, at(e.plus(done, f.index))), 0, joins(scalar, dtype))
                f.next = (e.scalar(scalar, dtype, f.state[0], value),)
            return f.outs[0]

        _along(lo, var, op, one)

    RULES[name] = lower


def _scan_rule(name: str, scalar: str, start: Callable[[str], int | float | bool]) -> None:
    def lower(lo: Lowering, var: Var, op: ir.Prim) -> None:
        e = lo.e
        dtype = var.type.dtype
        axis = _axis(op)
        x = lo.array(op.args[0])
        out = lo.fresh(var, x.shape)
        with e.nest((*x.shape[:axis], *x.shape[axis + 1:])) as ix, \
                e.fold(x.shape[axis], [Imm(start(dtype), dtype)]) as f:
            at = [*ix[:axis], f.index, *ix[axis:]]
            value = e.scalar(scalar, dtype, f.state[0], lo.joined(e.read(x, at), 0, joins(scalar, dtype)))
            e.write(out, at, value)
            f.next = (value,)

    RULES[name] = lower


def _one(dtype: str) -> int | float:
    return 1.0 if dtype in ir.FLOATS else 1


def _nothing(dtype: str) -> int | float:
    return 0.0 if dtype in ir.FLOATS else 0


def _lowest(dtype: str) -> int | float:
    if dtype in ir.FLOATS:
        return float("-inf")
    return 0 if dtype[0] == "u" else -(1 << int(dtype[1:]) - 1)


def _highest(dtype: str) -> int | float:
    if dtype in ir.FLOATS:
        return float("inf")
    return (1 << int(dtype[1:])) - 1 if dtype[0] == "u" else (1 << int(dtype[1:]) - 1) - 1


_fold_rule("prod", "mul", _one)
_fold_rule("maximum", "max", _lowest)
_fold_rule("minimum", "min", _highest)
_fold_rule("all", "and", lambda _: True)
_fold_rule("any", "or", lambda _: False)
_scan_rule("cumsum", "add", _nothing)
_scan_rule("cumprod", "mul", _one)
_scan_rule("cummax", "max", _lowest)
_scan_rule("cummin", "min", _highest)


@rule("ordered_sum")
def _ordered_sum(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    places = lo.cheap(op.args[1])

    def one(x: Array, at: Callable[[Operand], Indices]) -> Operand:
        with e.fold(places.shape[0], [Imm(_nothing(x.dtype), x.dtype)]) as f:
            f.next = (e.scalar("add", x.dtype, f.state[0], e.read(x, at(e.read(places, [f.index])))),)
        return f.outs[0]

    _along(lo, var, op, one)


@rule("argmax", "argmin")
def _arg(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    better = "gt" if op.name == "argmax" else "lt"
    dtype = op.args[0].type.dtype

    def one(x: Array, at: Callable[[Operand], Indices]) -> Operand:
        worst = Imm(_lowest(dtype) if better == "gt" else _highest(dtype), dtype) if dtype != "bool" else \
            Imm(better == "lt", "bool")
        with e.fold(x.shape[_axis(op)], [worst, Imm(0, "i64"), Imm(False, "bool")]) as f:
            best, where, lost = f.state
            value, here = e.read(x, at(f.index)), lo.joined(f.index, 1, "exact")
            bad = lo.joined(e.scalar("isnan", "bool", value), 2, "exact") if dtype in ir.FLOATS else value
            value = lo.joined(value, 0, "exact")
            wins = e.scalar(better, "bool", value, best)
            if dtype in ir.FLOATS:
                wins = e.scalar("and", "bool", e.scalar("or", "bool", wins, bad), e.scalar("not", "bool", lost))
                after = e.scalar("or", "bool", lost, bad)
            else:
                after = lost
            f.next = (e.scalar("select", dtype, wins, value, best), e.scalar("select", "i64", wins, here, where),
                      after)
        return f.outs[1]

    _along(lo, var, op, one)
