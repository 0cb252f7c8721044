"""Lowered programs run on doubles, numbers of many digits and jets, with an eye on every decision that they take.

Comes in: a program as lowered, before any pass (derivatives still to be taken are taken here, by jets in jets). What an
operation means is what its record says; floats of every width are real numbers, integers and booleans are as ever.
A *decision* is a comparison of floats, the side of a kink, the step of a floor: whatever is constant until a number,
its *distance*, reaches zero. `Watch` writes down decisions in the order of the run, and what a chosen statement gave.
"""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from itertools import pairwise
from typing import Any

import numpy as np

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.prims.checks import CheckFailed
from ..lang.prims.common import NUMPY_NAMES
from . import jets, matrices
from .jets import Jet, Number
from .reals import context, many_digits

Value = Any
Env = dict[ir.Var, Value]
Decision = tuple[ir.Stmt, Any, Number]
"""Where, what was decided, how far from deciding otherwise."""


class Failed(Exception):
    """The run came to no end: a check failed, it took too many steps, or something in it has no meaning here."""


class Watch:
    """What a run has decided, and each time that it came to `site`: what was decided there and what it gave."""

    def __init__(self, site: ir.Stmt | None = None, decisions: bool = False,
                 condition: Sequence[ir.Var] = ()) -> None:
        self.site = site
        self.trace: list[Decision] | None = [] if decisions else None
        self.visits: list[tuple[Any, tuple[Value, ...]]] = []
        self.there = False
        """Whether comparisons are those at the point itself, not beside it: numbers that meet there are equal."""
        self.condition: dict[ir.Var, tuple[Any, Number] | None] = dict.fromkeys(condition)
        """What the site's condition is made of, and what was last decided there, how far from otherwise."""
        self.settled = True
        """No loop has run until something was small enough: results are exact but for rounding."""


class Machine:
    """Runs functions of a program; `many`: floats are numbers of many digits, else doubles."""

    def __init__(self, program: ir.Program, many: bool, limit: int = 20_000) -> None:
        self.program = program
        self.many = many
        self.limit = limit
        self.steps = 0
        self.watch = Watch()
        self.level = 0
        self.depth = 0
        self.inside_rule = 0
        self.constants: dict[tuple[str, Any], Value] = {}
        self.unbounded = False

    def run(self, function: str, args: Sequence[Value], watch: Watch | None = None) -> tuple[Value, ...]:
        """The results. Raises `Failed`."""
        self.watch = watch or Watch()
        self.steps = 0
        self.level = 0
        self.depth = 0
        self.unbounded = False
        try:
            with np.errstate(all="ignore"):
                results = self.call(function, args)
        except (CheckFailed, ArithmeticError, ValueError, IndexError, KeyError, RecursionError) as failure:
            raise Failed(str(failure)) from failure
        self.watch.settled = not self.unbounded
        return results

    def call(self, name: str, args: Sequence[Value]) -> tuple[Value, ...]:
        function = self.program.functions[name]
        self.depth += 1
        if self.depth > 100:
            raise Failed("too deep")
        results = Run(self, dict(zip(function.params, args, strict=True))).block(function.body)
        self.depth -= 1
        return results

    # ------------------------------------------------------------ numbers

    def number(self, value: Any) -> Number:
        """A double or an integer as the kind of number that is computed with."""
        return context().mpf(value) if self.many else float(value)

    def const(self, atom: ir.Const) -> Value:
        if atom.dtype not in ir.FLOATS:
            return atom.value
        value = float(atom.value)
        if not self.many:
            return value
        if self.inside_rule and value in (2.0**-10, 2.0**-23, 2.0**-52):
            return context().mpf(10) ** -45  # how far the solution of an equation is to be found
        return many_digits(value, atom.dtype)

    def decide(self, stmt: ir.Stmt, outcome: Any, distance: Number) -> None:
        watch = self.watch
        if watch.trace is not None:
            watch.trace.append((stmt, outcome, distance))
        if stmt.vars and stmt.vars[0] in watch.condition:
            watch.condition[stmt.vars[0]] = (outcome, distance)


class Run:
    """One activation of one function."""

    __slots__ = ("env", "machine")

    def __init__(self, machine: Machine, env: Env) -> None:
        self.machine = machine
        self.env = env

    def value(self, atom: ir.Atom) -> Value:
        if isinstance(atom, ir.Var):
            return self.env[atom]
        key = (atom.dtype, atom.value)
        constants = self.machine.constants
        if self.machine.inside_rule or atom.value == 0:  # minus zero is equal to zero
            return self.machine.const(atom)
        found = constants.get(key)
        if found is None:
            found = constants[key] = self.machine.const(atom)
        return found

    def values(self, atoms: Sequence[ir.Atom]) -> tuple[Value, ...]:
        return tuple([self.value(a) for a in atoms])

    def shape(self, sizes: Sequence[ir.Atom]) -> tuple[int, ...]:
        return tuple(max(int(self.value(size)), 0) for size in sizes)

    def block(self, block: ir.Block) -> tuple[Value, ...]:
        machine, env = self.machine, self.env
        site = machine.watch.site
        for stmt in block.stmts:
            machine.steps += 1
            if machine.steps > machine.limit:
                raise Failed("too many steps")
            if stmt is site:
                results = self.visited(stmt)
            else:
                op = stmt.op
                results = (self.prim(stmt, op),) if type(op) is ir.Prim else self.op(stmt, op)
            if len(stmt.vars) == 1:
                env[stmt.vars[0]] = results[0]
            else:
                for var, value in zip(stmt.vars, results, strict=len(stmt.vars) > 0):
                    env[var] = value
        return self.values(block.results)

    def visited(self, stmt: ir.Stmt) -> tuple[Value, ...]:
        """The statement that is watched: what it decides is its condition, or what is decided in it."""
        watch, op = self.machine.watch, stmt.op
        outcome: Any
        if isinstance(op, ir.If):
            outcome = (bool(self.value(op.cond)), tuple([found and found[0] for found in watch.condition.values()]))
            watch.visits.append((outcome, ()))
            number = len(watch.visits) - 1  # a call of the function by itself may come here before this one is done
            results = self.op(stmt, op)
            watch.visits[number] = outcome, results
            return results
        before = watch.trace
        start = 0 if before is None else len(before)
        if before is None:
            watch.trace = []
        try:
            results = (self.prim(stmt, op),) if isinstance(op, ir.Prim) else self.op(stmt, op)
        finally:
            inner = watch.trace
            watch.trace = before
        assert inner is not None
        outcome = tuple([decision[1] for decision in inner[start:]])
        if isinstance(op, ir.Prim):
            outcome += tuple(tuple(np.ravel(self.value(a)).tolist()) for a in op.args if not a.type.is_float)
        watch.visits.append((outcome, results))
        return results

    def apply(self, function: ir.Lambda, args: Sequence[Value]) -> tuple[Value, ...]:
        self.env.update(zip(function.params, args, strict=True))
        return self.block(function.body)

    # ------------------------------------------------------------ operations

    def op(self, stmt: ir.Stmt, op: ir.Op) -> tuple[Value, ...]:
        if isinstance(op, ir.Prim):
            return (self.prim(stmt, op),)
        if isinstance(op, ir.If):
            return self.block(op.then if self.value(op.cond) else op.orelse)
        if isinstance(op, ir.Call):
            return self.machine.call(op.function, self.values(op.args))
        if isinstance(op, ir.Map):
            rows = [self.apply(op.body, row) for row in zip(*map(elements, self.values(op.arrays)), strict=True)]
            return tuple(stack([row[k] for row in rows], result.type, self.shape(op.shapes[k]))
                         for k, result in enumerate(op.body.body.results))
        if isinstance(op, ir.Reduce | ir.Scan):
            return self.fold(op)
        if isinstance(op, ir.Loop):
            return self.loop(op)
        if isinstance(op, ir.Custom):
            self.machine.inside_rule += 1
            try:
                return self.apply(op.body, self.values(op.args))
            finally:
                self.machine.inside_rule -= 1
        return self.derivative(op)

    def fold(self, op: ir.Reduce | ir.Scan) -> tuple[Value, ...]:
        state = self.values(op.neutral)
        history = []
        for row in zip(*map(elements, self.values(op.arrays)), strict=True):
            state = self.apply(op.body, state + row)
            history.append(state)
        if isinstance(op, ir.Reduce):
            return state
        return tuple(stack([row[k] for row in history], atom.type, np.shape(self.value(atom)))
                     for k, atom in enumerate(op.neutral))

    def loop(self, op: ir.Loop) -> tuple[Value, ...]:
        state = self.values(op.init)
        collected: list[tuple[Value, ...]] = []
        done, width = 0, len(op.params)
        count = None if op.count is None else int(self.value(op.count))
        if count is None:
            self.machine.unbounded = True
        while True:
            if count is not None:
                if done >= count:
                    break
            elif op.cond is not None and not self.apply(op.cond, state)[0]:
                break
            self.env[op.index] = done
            self.env.update(zip(op.params, state, strict=True))
            results = self.block(op.body)
            state = results[:width]
            collected.append(results[width:])
            done += 1
            self.machine.steps += 1
            if self.machine.steps > self.machine.limit:
                raise Failed("too many steps")
        stacks = tuple(stack([row[k] for row in collected], atom.type, self.shape(op.collect_shapes[k]))
                       for k, atom in enumerate(op.body.results[width:]))
        return state + stacks + (() if count is not None else (done,))

    def derivative(self, op: ir.Diff) -> tuple[Value, ...]:
        """Of a function inside of the program, by jets of a level of their own."""
        machine = self.machine
        args, seeds = self.values(op.args), self.values(op.seeds)
        places = [k for k, p in enumerate(op.body.params) if p.type.is_float]
        machine.level += 1
        level = machine.level
        try:
            if op.mode == "jvp":
                moved = list(args)
                for k, seed in zip(places, seeds, strict=True):
                    moved[k] = each(lambda x, d: Jet((x, d), level), args[k], seed)
                results = self.apply(op.body, moved)
                floats = [r for r, atom in zip(results, op.body.body.results, strict=True) if atom.type.is_float]
                values = tuple(each(lambda r: part(r, level, 0), r) if atom.type.is_float else r
                               for r, atom in zip(results, op.body.body.results, strict=True))
                return values + tuple(each(lambda r: part(r, level, 1), r) for r in floats)
            values = self.apply(op.body, args)
            cotangents = []
            for k in places:
                x = args[k]
                out = np.empty(np.shape(x), object)
                for at in np.ndindex(out.shape):
                    moved = list(args)
                    moved[k] = np.array(x, object)
                    moved[k][at] = Jet((x[at] if out.shape else x, machine.number(1)), level)
                    if not out.shape:
                        moved[k] = moved[k][()]
                    results = self.apply(op.body, moved)
                    floats = [r for r, atom in zip(results, op.body.body.results, strict=True) if atom.type.is_float]
                    total = machine.number(0)
                    for r, seed in zip(floats, seeds, strict=True):
                        for a, d in zip(np.ravel(np.asarray(r, object)), np.ravel(np.asarray(seed, object)),
                                        strict=True):
                            total = total + part(a, level, 1) * d
                    out[at] = total
                cotangents.append(out if out.shape else out[()])
            return values + tuple(cotangents)
        finally:
            machine.level -= 1

    # ------------------------------------------------------------ primitives

    def prim(self, stmt: ir.Stmt, op: ir.Prim) -> Value:
        name = op.name
        args = [self.value(a) for a in op.args]
        result = stmt.vars[0].type if stmt.vars else None
        simple = SIMPLE.get(name)
        if simple is not None and op.args[0].type.is_float:
            if result is not None and result.rank == 0:
                return simple(*args)
            return spread(simple, args)
        rule = RULES.get(name)
        if rule is not None:
            found = rule(self, stmt, op, args)
            if found is not None:
                return found
        if name in COMPARISONS and op.args[0].type.dtype in ("i64", "bool") and op.args[0].type.rank == 0 == (
                op.args[1].type.rank):
            return COMPARISONS[name](int(args[0] > args[1]) - int(args[0] < args[1]))
        if name in WHOLE and op.args[0].type == ir.I64 == op.args[-1].type:
            number = WHOLE[name](int(args[0]), int(args[1]))
            if -(1 << 62) < number < 1 << 62:
                return number
        record = PRIMITIVES[name]
        floats = any(a.type.is_float for a in op.args)
        attrs = dict(op.attrs)
        if floats and record.elementwise and result is not None and result.is_float:
            return spread(lambda *xs: jets.apply(name, xs, attrs), args)
        if floats and name in matrices.RULES:
            return matrices.RULES[name](*args, **attrs)
        given = [a if atom.type.is_float else np.asarray(a, NUMPY_NAMES[atom.type.dtype])[()]
                 for a, atom in zip(args, op.args, strict=True)]
        return normal(record.evaluate(*given, **attrs), result)

    def decisions(self, stmt: ir.Stmt, decide: Callable[..., tuple[Any, Any, Number]], args: Sequence[Value]) -> Value:
        """An elementwise operation that decides: from numbers its result, the outcome and the distance."""
        machine = self.machine

        def one(*xs: Number) -> Any:
            result, outcome, distance = decide(*xs)
            machine.decide(stmt, outcome, distance)
            return result

        return spread(one, args)


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
Rule = Callable[[Run, ir.Stmt, ir.Prim, list[Value]], Value]


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
        key = cmp_to_key(lambda i, j, lane=lane: jets.compared(lane[i], lane[j]))  # type: ignore[misc]
        order = sorted(range(len(lane)), key=key)
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
