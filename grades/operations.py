"""What primitives do to numbers of any kind, one by one and in arrays; those that decide say so to the run.

Arrays of floats are object arrays, whatever their numbers are; integers and booleans are NumPy's.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.prims.common import NUMPY_NAMES
from . import jets
from .jets import Jet, Number

if TYPE_CHECKING:
    from .evaluate import Run

Value = Any


class Failed(Exception):
    """The run came to no end: a check failed, it took too many steps, or something in it has no meaning here."""


def elements(array: Value) -> list[Value]:
    """Along the first axis."""
    return array.tolist() if array.ndim == 1 else list(array)


def stack(rows: Sequence[Value], type: ir.Type, shape: tuple[int, ...]) -> Value:
    out = np.empty((len(rows), *shape), object if type.is_float else NUMPY_NAMES[type.dtype])
    for k, row in enumerate(rows):
        out[k] = row
    return out


def normal(value: Value, type: ir.Type | None) -> Value:
    """As values are here: floats are Python's, arrays of them object arrays."""
    if type is None or not type.is_float:
        return value
    if type.rank:
        return np.asarray(value, object)
    if isinstance(value, np.ndarray):
        value = value[()]
    return float(value) if isinstance(value, np.generic) else value


def each(function: Callable[..., Any], *args: Value) -> Value:
    return spread(function, args)


def spread(function: Callable[..., Any], args: Sequence[Value]) -> Value:
    """`function` of numbers on numbers and arrays."""
    if not any(isinstance(a, np.ndarray) for a in args):
        return function(*args)
    return np.asarray(np.frompyfunc(function, len(args), 1)(*args), object)


def part(x: Number, level: int, k: int) -> Number:
    """A coefficient of the series of a level."""
    if type(x) is Jet and x.level == level:
        return x.c[k] if k < len(x.c) else jets.nan(x)
    return x if k == 0 else x * 0


SIMPLE: dict[str, Callable[..., Number]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg,
}  # fmt: skip
WHOLE: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "max": max, "min": min,
}  # fmt: skip
COMPARISONS: dict[str, Callable[[int], bool]] = {
    "eq": lambda s: s == 0, "ne": lambda s: s != 0, "lt": lambda s: s < 0, "le": lambda s: s <= 0,
    "gt": lambda s: s > 0, "ge": lambda s: s >= 0,
}  # fmt: skip
Rule = Callable[["Run", ir.Stmt, ir.Prim, list[Value]], Value]


def _comparison(name: str) -> Rule:
    holds = COMPARISONS[name]

    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if not op.args[0].type.is_float:
            return None

        watch = run.machine.watch

        def decide(x: Number, y: Number) -> tuple[Any, Any, Number]:
            if jets.leaf(x) != jets.leaf(x) or jets.leaf(y) != jets.leaf(y):
                return name == "ne", None, 1.0
            side = jets.compared(x, y)
            if watch.there and jets.meet(x, y):
                side = 0
            # Where two numbers are equal on all of a side is not where they meet.
            return holds(side), side if name in ("eq", "ne") else holds(side), x - y

        result = run.decisions(stmt, decide, args)
        return result.astype(np.bool_) if isinstance(result, np.ndarray) else result

    return rule


def _one_number(decide: Callable[[Number], tuple[Any, Any, Number]]) -> Rule:
    return lambda run, stmt, op, args: run.decisions(stmt, decide, args) if op.args[0].type.is_float else None


def _abs(x: Number) -> tuple[Any, Any, Number]:
    return jets.magnitude(x), jets.sign(x) >= 0, x


def _sign(x: Number) -> tuple[Any, Any, Number]:
    side = jets.sign(x)
    return jets.whole(x, side), side, x


def _to_integer(name: str, offset: float = 0.0) -> Callable[[Number], tuple[Any, Any, Number]]:
    def decide(x: Number) -> tuple[Any, Any, Number]:
        result = jets.apply(name, (x,))
        if type(x) is not Jet:
            result = jets.scalar(name, (x,), {})
        value = jets.leaf(x)
        if not jets.finite(value):
            return result, None, jets.whole(x, 1)
        from_step = x - (jets.nearest(value - offset) + offset)
        return result, int(jets.leaf(result)), from_step

    return decide


def _pair(name: str) -> Callable[[Number, Number], tuple[Any, Any, Number]]:
    choose = jets.larger if name == "max" else jets.smaller
    return lambda x, y: (choose(x, y), jets.compared(x, y) >= 0, x - y)


def _two_numbers(decide: Callable[[Number, Number], tuple[Any, Any, Number]]) -> Rule:
    return lambda run, stmt, op, args: run.decisions(stmt, decide, args) if op.args[0].type.is_float else None


def _quotient(name: str) -> Callable[[Number, Number], tuple[Any, Any, Number]]:
    def decide(x: Number, y: Number) -> tuple[Any, Any, Number]:
        times = jets.apply("div", (x, y))
        if not jets.finite(jets.leaf(times)):
            return jets.nan(x), None, 1.0
        cut = jets.floor(times) if name == "mod" else jets.trunc(times)
        return x - y * cut, int(jets.leaf(cut)), times - jets.nearest(jets.leaf(times))

    return decide


def _copysign(x: Number, y: Number) -> tuple[Any, Any, Number]:
    return jets.signed(x, y), (jets.sign(x) >= 0, jets.sign(y) >= 0), y


def _angle(name: str) -> Callable[[Number, Number], tuple[Any, Any, Number]]:
    def decide(y: Number, x: Number) -> tuple[Any, Any, Number]:
        return jets.apply(name, (y, x)), jets.sign(x) < 0 and jets.sign(y) < 0, y

    return decide


def _cast(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    to, given = str(op.attr("to")), op.args[0].type
    if given.is_float and to in ir.FLOATS:
        return args[0]
    if to in ir.FLOATS:
        return spread(run.machine.number, [np.asarray(args[0]).astype(object)[()]])
    if not given.is_float:
        return None
    if to == "bool":
        result = run.decisions(stmt, lambda x: (jets.sign(x) != 0, jets.sign(x), x), args)
        return result.astype(np.bool_) if isinstance(result, np.ndarray) else result
    whole = run.decisions(stmt, _to_integer("trunc"), args)
    return PRIMITIVES["cast"].evaluate(np.asarray(spread(_held, [whole])).astype(np.int64)[()], to=to)


def _held(x: Number) -> int:
    """A whole number as one of 64 bits."""
    return min(max(int(jets.leaf(x)), -(1 << 63)), (1 << 63) - 1) if jets.finite(x) else 0


def _select(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    c, x, y = args
    if not isinstance(c, np.ndarray) and not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray):
        return x if c else y
    if not op.args[1].type.is_float:
        return None
    return np.asarray(np.frompyfunc(lambda c, x, y: x if c else y, 3, 1)(c, x, y), object)


def _lanes(x: Any, axis: int) -> tuple[tuple[int, ...], list[list[Number]]]:
    """The shape without the axis, and the numbers along it."""
    rows = np.moveaxis(x, axis, -1)
    return rows.shape[:-1], [list(rows[at]) for at in np.ndindex(rows.shape[:-1])]


def _filled(shape: tuple[int, ...], found: Sequence[Any], dtype: Any) -> Value:
    out = np.empty(shape, dtype)
    for at, value in zip(np.ndindex(shape), found, strict=True):
        out[at] = value
    return out if shape else out[()]


def _best(numbers: Sequence[Number], least: bool) -> tuple[int, Number | None]:
    """Where the first of the extremes stands, and how far it is from the next."""
    at, gap = 0, None
    for k in range(1, len(numbers)):
        side = jets.compared(numbers[k], numbers[at]) * (-1 if least else 1)
        if side > 0 or jets.leaf(numbers[at]) != jets.leaf(numbers[at]):
            at = k
    for k, x in enumerate(numbers):
        if k != at:
            d = x - numbers[at] if least else numbers[at] - x
            if gap is None or jets.compared(d, gap) < 0:
                gap = d
    return at, gap


def _extreme(least: bool, place: bool) -> Rule:
    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if not op.args[0].type.is_float:
            return None
        axis = op.attr("axis")
        assert isinstance(axis, int)
        shape, lanes = _lanes(args[0], axis)
        found: list[Any] = []
        for lane in lanes:
            if not lane:
                found.append(0 if place else run.machine.number("inf" if least else "-inf"))
                continue
            at, gap = _best(lane, least)
            if gap is not None:
                run.machine.decide(stmt, at, gap)
            found.append(at if place else lane[at])
        return _filled(shape, found, np.int64 if place else object)

    return rule


def _running(least: bool) -> Rule:
    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if not op.args[0].type.is_float:
            return None
        axis = op.attr("axis")
        assert isinstance(axis, int)
        rows = np.moveaxis(np.array(args[0], object), axis, -1)
        for at in np.ndindex(rows.shape[:-1]):
            best: Number = None
            for k, x in enumerate(rows[at]):
                if best is not None:
                    side = jets.compared(x, best) * (-1 if least else 1)
                    run.machine.decide(stmt, side > 0, x - best)
                    x = x if side > 0 else best
                rows[at][k] = best = x
        return np.moveaxis(rows, -1, axis)

    return rule


def _argsort(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    if not op.args[0].type.is_float:
        return None
    axis = op.attr("axis")
    assert isinstance(axis, int)
    rows = np.moveaxis(args[0], axis, -1)
    out = np.empty(rows.shape, np.int64)
    for at in np.ndindex(rows.shape[:-1]):
        lane = list(rows[at])
        compared = cmp_to_key(jets.compared)
        order = sorted(range(len(lane)), key=[compared(x) for x in lane].__getitem__)
        gaps = [lane[j] - lane[i] for i, j in pairwise(order)]
        if gaps:
            run.machine.decide(stmt, tuple(order), min(gaps, key=cmp_to_key(jets.compared)))
        out[at] = order
    return np.moveaxis(out, -1, axis)


def _folded(function: Callable[[Number, Number], Number], neutral: int) -> Rule:
    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if not op.args[0].type.is_float:
            return None
        axis = op.attr("axis")
        assert isinstance(axis, int)
        shape, lanes = _lanes(args[0], axis)
        found = []
        for lane in lanes:
            total = run.machine.number(neutral)
            for x in lane:
                total = function(total, x)
            found.append(total)
        return _filled(shape, found, object)

    return rule


def _prefixes(function: Callable[[Number, Number], Number]) -> Rule:
    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if not op.args[0].type.is_float:
            return None
        axis = op.attr("axis")
        assert isinstance(axis, int)
        rows = np.moveaxis(np.array(args[0], object), axis, 0)
        for k in range(1, len(rows)):
            rows[k] = function(rows[k - 1], rows[k])
        return np.moveaxis(rows, 0, axis)

    return rule


def _gather(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    if not op.args[0].type.is_float:
        return None
    found = PRIMITIVES["gather"].evaluate(args[0], *(np.asarray(a) for a in args[1:]))
    missing = run.machine.number(0)
    return spread(lambda x: missing if type(x) is int else x, [found])


def _binned(least: bool) -> Rule:
    choose = jets.smaller if least else jets.larger

    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if not op.args[0].type.is_float:
            return None
        out = np.array(args[0], object)
        for place in np.ndindex(np.shape(args[2])):
            at = tuple(int(index[place]) for index in args[2:])
            if min(at) < 0:
                continue

            def decide(x: Number, y: Number) -> tuple[Any, Any, Number]:
                return choose(x, y), jets.compared(x, y) >= 0, x - y

            out[at] = run.decisions(stmt, decide, [out[at], args[1][place]])
        return out

    return rule


def _spectrum(name: str) -> Rule:
    """Eigenvalues and singular values have a meaning in doubles alone."""

    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        if run.machine.many or any(type(x) is Jet for a in args for x in np.ravel(a)):
            raise Failed(name)
        evaluate = PRIMITIVES[name].evaluate
        return evaluate(*(np.asarray(a, np.float64) for a in args), **dict(op.attrs)).astype(object)

    return rule


def _zeros_like(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    if not op.args[0].type.is_float:
        return None
    zero = run.machine.number(0)
    return np.full(np.shape(args[0]), zero, object) if op.args[0].type.rank else zero


def _table(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    table = op.attr("of")
    assert isinstance(table, ir.Table)
    if table.dtype not in ir.FLOATS:
        return None
    out = np.empty(len(table.values), object)
    for k, x in enumerate(table.values):
        out[k] = run.machine.const(ir.Const(x, table.dtype))
    return out


def _test(ask: Callable[[Any], bool]) -> Rule:
    def rule(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
        result = spread(lambda x: ask(jets.leaf(x)), args)
        return result.astype(np.bool_) if isinstance(result, np.ndarray) else result

    return rule


def _held_fixed(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    """Derivatives take it for a constant."""
    return spread(jets.leaf, args) if op.args[0].type.is_float else args[0]


def _same(run: Run, stmt: ir.Stmt, op: ir.Prim, args: list[Value]) -> Value:
    return args[0] if args else False


RULES: dict[str, Rule] = {
    **{name: _comparison(name) for name in COMPARISONS},
    "abs": _one_number(_abs), "sign": _one_number(_sign),
    "floor": _one_number(_to_integer("floor")), "ceil": _one_number(_to_integer("ceil")),
    "trunc": _one_number(_to_integer("trunc")), "round": _one_number(_to_integer("round", 0.5)),
    "max": _two_numbers(_pair("max")), "min": _two_numbers(_pair("min")),
    "mod": _two_numbers(_quotient("mod")), "rem": _two_numbers(_quotient("rem")),
    "copysign": _two_numbers(_copysign), "atan2": _two_numbers(_angle("atan2")),
    "atan2pi": _two_numbers(_angle("atan2pi")),
    "cast": _cast, "select": _select, "gather": _gather, "zeros_like": _zeros_like, "table": _table,
    "maximum": _extreme(False, False), "minimum": _extreme(True, False),
    "argmax": _extreme(False, True), "argmin": _extreme(True, True),
    "cummax": _running(False), "cummin": _running(True), "argsort": _argsort,
    "max_at": _binned(False), "min_at": _binned(True),
    **{name: _spectrum(name) for name in ("eigen", "eigen_toward", "svd")},
    "sum": _folded(operator.add, 0), "prod": _folded(operator.mul, 1),
    "cumsum": _prefixes(operator.add), "cumprod": _prefixes(operator.mul),
    "isnan": _test(lambda x: bool(x != x)), "isinf": _test(lambda x: bool(abs(x) == float("inf"))),
    "stop_grad": _held_fixed, "mark": _same, "promise": _same, "demand": _same,
}  # fmt: skip
