"""Lowered programs run on doubles, numbers of many digits and jets, with an eye on every decision that they take.

Comes in: a program as lowered, before any pass (derivatives still to be taken are taken here, by jets in jets). What an
operation means is what its record says; floats of every width are real numbers, integers and booleans are as ever.
A *decision* is a comparison of floats, the side of a kink, the step of a floor: whatever is constant until a number,
its *distance*, reaches zero. `Watch` writes down decisions in the order of the run, and what a chosen statement gave.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.prims.checks import CheckFailed
from ..lang.prims.common import NUMPY_NAMES
from . import jets, matrices
from .jets import Jet, Number
from .operations import COMPARISONS, RULES, SIMPLE, WHOLE, Failed, Value, each, elements, normal, part, spread, stack
from .reals import context, many_digits

Env = dict[ir.Var, Value]
Decision = tuple[ir.Stmt, Any, Number]
"""Where, what was decided, how far from deciding otherwise."""


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
