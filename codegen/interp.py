"""The reference interpreter: runs IR one operation at a time, slow and obvious. The oracle of every other back end.

In: a program, the name of a function, its arguments. Out: its results, as NumPy arrays, and NumPy scalars of rank 0, of
exactly the IR's dtypes. Elements of a map are computed one at a time, folds go from the left, nothing is skipped or
reordered. Relies on `Diff` having been removed by `passes.differentiate`.

Everything here that is wrong about a *program* is a compiler's mistake (`InterpreterError`); what is wrong about the
*run*, an index out of bounds say, is a `RunError` with the source line.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.prims.checks import CheckFailed
from ..lang.prims.common import NUMPY_NAMES
from ..lang.source import Span
from .runtime.depth import LEVELS, Room, too_deep
from .runtime.errors import RunError

Value = Any  # np.ndarray, or a NumPy scalar where the rank is 0
Env = dict[ir.Var, Value]


FRAMES = 60
"""Calls of Python functions that one call of a function of the program takes at most, whatever it is nested in."""


class InterpreterError(Exception):
    """IR that can't be run: it does not verify, still holds `Diff`, or a value does not have its declared type."""


class OutOfSteps(Exception):
    """The run took more steps than it was allowed."""


class Steps:
    """How many statements may still be run; without a limit, any number."""

    def __init__(self, limit: int | None = None) -> None:
        self.left = -1 if limit is None else limit
        self.depth = 0
        """How many calls are inside each other."""


def run(program: ir.Program, function: str, args: Sequence[Value], limit: int | None = None) -> tuple[Value, ...]:
    """Results of calling `function`; Python numbers and lists are converted to the parameters' dtypes.

    Raises `RunError` when a check fails, TypeError when an argument has another dtype or rank than its parameter, and
    `OutOfSteps` after `limit` statements.
    """
    params = program.functions[function].params
    if len(args) != len(params):
        raise TypeError(f"{function} takes {len(params)} arguments, got {len(args)}")
    values = [argument(p, a) for p, a in zip(params, args, strict=True)]
    with np.errstate(all="ignore"), Room(FRAMES * LEVELS):
        return call(program, function, values, Steps(limit))


def argument(param: ir.Var, given: Value) -> Value:
    """`given` as a value of the parameter's type; an array of another dtype is refused rather than converted."""
    dtype = dtype_of(param.type)
    if isinstance(given, np.ndarray | np.generic) and given.dtype != dtype:
        raise TypeError(f"argument {param.name} has dtype {given.dtype}, not {dtype}")
    value = np.asarray(given, dtype)
    if value.ndim != param.type.rank:
        raise TypeError(f"argument {param.name} has rank {value.ndim}, not {param.type.rank}")
    return value[()]


def dtype_of(type: ir.Type) -> np.dtype[Any]:
    return np.dtype(NUMPY_NAMES[type.dtype])


def call(program: ir.Program, name: str, args: Sequence[Value], steps: Steps) -> tuple[Value, ...]:
    function = program.functions[name]
    steps.depth += 1
    results = Run(program, dict(zip(function.params, args, strict=True)), steps).block(function.body)
    steps.depth -= 1
    return results


class Run:
    """One activation of one function. Variables are unique in it, so one environment serves all its blocks."""

    def __init__(self, program: ir.Program, env: Env, steps: Steps | None = None) -> None:
        self.program = program
        self.env = env
        self.steps = Steps() if steps is None else steps

    def value(self, atom: ir.Atom) -> Value:
        if isinstance(atom, ir.Const):
            return dtype_of(atom.type).type(atom.value)
        return self.env[atom]

    def values(self, atoms: Sequence[ir.Atom]) -> tuple[Value, ...]:
        return tuple(self.value(a) for a in atoms)

    def shape(self, sizes: Sequence[ir.Atom]) -> tuple[int, ...]:
        return tuple(max(int(self.value(size)), 0) for size in sizes)

    def bind(self, variables: Sequence[ir.Var], values: Sequence[Value]) -> None:
        if len(variables) != len(values):
            raise InterpreterError(f"{len(values)} values for {', '.join(map(str, variables))}")
        for var, value in zip(variables, values, strict=True):
            value = np.asarray(value)
            if value.ndim != var.type.rank or value.dtype != dtype_of(var.type):
                found = f"dtype {value.dtype} and rank {value.ndim}"
                raise InterpreterError(f"{var}: {var.type} is given a value of {found}")
            self.env[var] = value[()]

    # ------------------------------------------------------------ blocks

    def block(self, block: ir.Block) -> tuple[Value, ...]:
        for stmt in block.stmts:
            if self.steps.depth > LEVELS and isinstance(stmt.op, ir.Call):
                name = self.program.functions[stmt.op.function].source_name or stmt.op.function
                raise too_deep(name, where(stmt.span), self.steps.depth)
            if self.steps.left == 0:
                raise OutOfSteps
            self.steps.left -= 1
            try:
                self.bind(stmt.vars, self.perform(stmt))
            except CheckFailed as failure:
                raise RunError(failure.code, failure.message, where(stmt.span)) from None
        return self.values(block.results)

    def perform(self, stmt: ir.Stmt) -> tuple[Value, ...]:
        """The results of one statement; interpreters that look on begin here."""
        return self.op(stmt.op)

    def apply(self, function: ir.Lambda, args: Sequence[Value]) -> tuple[Value, ...]:
        self.bind(function.params, args)
        return self.block(function.body)

    # ------------------------------------------------------------ operations

    def op(self, op: ir.Op) -> tuple[Value, ...]:
        match op:
            case ir.Prim(name, args, attrs):
                return (PRIMITIVES[name].evaluate(*self.values(args), **dict(attrs)),)
            case ir.Call(function, args, _):
                return call(self.program, function, self.values(args), self.steps)
            case ir.If(cond, then, orelse):
                return self.block(then if self.value(cond) else orelse)
            case ir.Map():
                return self.map(op)
            case ir.Reduce() | ir.Scan():
                return self.fold(op)
            case ir.Loop():
                return self.loop(op)
            case ir.Custom():
                return self.custom(op)
            case ir.Diff():
                raise InterpreterError("a derivative that passes.differentiate should have taken")
            case _:
                assert_never(op)

    def custom(self, op: ir.Custom) -> tuple[Value, ...]:
        return self.apply(op.body, self.values(op.args))

    def map(self, op: ir.Map) -> tuple[Value, ...]:
        arrays = self.values(op.arrays)
        rows = [self.apply(op.body, row) for row in self.rows(arrays)]
        return tuple(self.stacked([row[k] for row in rows], result.type, op.shapes[k])
                     for k, result in enumerate(op.body.body.results))

    def fold(self, op: ir.Reduce | ir.Scan) -> tuple[Value, ...]:
        state = self.values(op.neutral)
        history = []
        for row in self.rows(self.values(op.arrays)):
            state = self.apply(op.body, state + row)
            history.append(state)
        if isinstance(op, ir.Reduce):
            return state
        shapes = [np.shape(neutral) for neutral in self.values(op.neutral)]
        return tuple(stack([row[k] for row in history], atom.type, shapes[k]) for k, atom in enumerate(op.neutral))

    def loop(self, op: ir.Loop) -> tuple[Value, ...]:
        state = self.values(op.init)
        collected: list[tuple[Value, ...]] = []
        done = 0
        while self.goes_on(op, state, done):
            self.bind((op.index, *op.params), (np.int64(done), *state))
            results = self.block(op.body)
            state = results[:len(op.params)]
            collected.append(results[len(op.params):])
            done += 1
        stacks = tuple(self.stacked([row[k] for row in collected], atom.type, op.collect_shapes[k])
                       for k, atom in enumerate(op.body.results[len(op.params):]))
        return state + stacks + (() if op.count is not None else (np.int64(done),))

    def goes_on(self, op: ir.Loop, state: tuple[Value, ...], done: int) -> bool:
        if op.cond is None:
            assert op.count is not None
            return done < int(self.value(op.count))
        return bool(self.apply(op.cond, state)[0])

    # ------------------------------------------------------------ rows of arrays

    def rows(self, arrays: Sequence[Value]) -> list[tuple[Value, ...]]:
        """Elements along axis 0, one from each array."""
        lengths = {len(array) for array in arrays}
        if len(lengths) != 1:
            raise InterpreterError(f"arrays of lengths {sorted(lengths)} side by side")
        return list(zip(*arrays, strict=True))

    def stacked(self, rows: Sequence[Value], type: ir.Type, sizes: Sequence[ir.Atom]) -> Value:
        return stack(rows, type, self.shape(sizes))


def stack(rows: Sequence[Value], type: ir.Type, shape: tuple[int, ...]) -> Value:
    """Rows of `type` and `shape` as one array, which has its full shape without any row too."""
    for row in rows:
        if np.shape(row) != shape:
            raise InterpreterError(f"a row of shape {np.shape(row)} among rows of shape {shape}")
    return np.array(rows, dtype_of(type)).reshape((len(rows), *shape))


def where(span: Span | None) -> str:
    return f"{span.source.name}:{span.line}" if span else ""
