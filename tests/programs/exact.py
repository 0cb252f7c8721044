"""IR in high precision: the interpreter with numbers of 50 digits in place of floats.

Floats of every width become mpmath's numbers, arrays of them object arrays; integers and booleans stay NumPy's. What
an operation means is what its record says (`Primitive.mp`, or `evaluate` where it only moves values about), so control
flow, reads and writes are those of `codegen.interp`. Differences of what runs here are right to 25 digits and more,
which leaves no room to doubt a derivative.

`stop_grad` is held fixed while arguments move: a run keeps what went through it, and a later one is given that.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
from dad.codegen import interp
from dad.codegen.interp import Value
from dad.codegen.runtime.depth import LEVELS, Room
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.prims.checks import CheckFailed

mp = mpmath.mp.clone()
mp.dps = 50
mpf = mp.mpf
ZERO, ONE, INF, NAN = mpf(0), mpf(1), mpf("inf"), mpf("nan")


def _constants() -> dict[float, Any]:
    """Constants that rules of derivatives hold as floats, as what they stand for."""
    known = {
        1 / math.pi: 1 / mp.pi, math.pi: +mp.pi, math.log(2.0): mp.log(2), 1 / math.log(2.0): 1 / mp.log(2),
        1 / math.log(10.0): 1 / mp.log(10), 2.0 / math.sqrt(math.pi): 2 / mp.sqrt(mp.pi), 1.0 / 3.0: ONE / 3,
    }  # fmt: skip
    rounding = {2.0**-k: mpf(10) ** -36 for k in (10, 23, 52)}  # how far solutions of equations are to be found
    return known | {-x: -exact for x, exact in known.items()} | rounding


CONSTANTS = _constants()


class Stops:
    """What went through `stop_grad`, in the order of the run; `fixed`: what to give instead of what comes.

    Where it is used to find the solution of an equation, which moves with its arguments, nothing is to be fixed.
    """

    def __init__(self, fixed: Sequence[Value] = ()) -> None:
        self.fixed = iter(fixed)
        self.replays = bool(fixed)
        self.seen: list[Value] = []

    def through(self, x: Value) -> Value:
        value = next(self.fixed, x) if self.replays else x
        self.seen.append(value)
        return value


def lifted(x: Any) -> Value:
    """A value with numbers of 50 digits where it had floats."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        return x[()]
    out = np.empty(x.shape, object)
    for at in np.ndindex(x.shape):
        out[at] = mpf(float(x[at]))
    return out[()]


def lowered(x: Value) -> Any:
    """Back to float64; integers and booleans as they are."""
    if isinstance(x, mpf):
        return np.float64(x)
    x = np.asarray(x)
    return x.astype(np.float64) if x.dtype == object else x


def run(program: ir.Program, function: str, args: Sequence[Value], stops: Stops | None = None) -> tuple[Value, ...]:
    """Results of a function without derivatives left to take, at lifted arguments. Raises `RunError`."""
    f = program.functions[function]
    with np.errstate(all="ignore"), Room(interp.FRAMES * LEVELS):
        return Exact(program, dict(zip(f.params, args, strict=True)), stops or Stops()).block(f.body)


def matrices() -> dict[str, Callable[..., Value]]:
    from dad.tests.programs.exact_matrices import RULES as found

    return found


class Exact(interp.Run):
    """One activation of one function."""

    def __init__(self, program: ir.Program, env: interp.Env, stops: Stops) -> None:
        super().__init__(program, env)
        self.stops = stops

    def value(self, atom: ir.Atom) -> Value:
        if isinstance(atom, ir.Var):
            return self.env[atom]
        if atom.dtype in ir.FLOATS:
            return self.constant(float(atom.value))
        return super().value(atom)

    def constant(self, number: float) -> Any:
        return CONSTANTS.get(number) or mpf(number)

    def within(self, env: interp.Env) -> Exact:
        """Another activation, of a function that is called."""
        return Exact(self.program, env, self.stops)

    def bind(self, variables: Sequence[ir.Var], values: Sequence[Value]) -> None:
        for var, value in zip(variables, values, strict=True):
            if np.ndim(value) != var.type.rank:
                raise interp.InterpreterError(f"{var}: {var.type} is given a value of rank {np.ndim(value)}")
            self.env[var] = value

    def block(self, block: ir.Block) -> tuple[Value, ...]:
        for stmt in block.stmts:
            try:
                self.bind(stmt.vars, self.op(stmt.op))
            except CheckFailed as failure:
                raise RunError(failure.code, failure.message, interp.where(stmt.span)) from None
        return self.values(block.results)

    def op(self, op: ir.Op) -> tuple[Value, ...]:
        if isinstance(op, ir.Prim):
            return (self.primitive(op),)
        if isinstance(op, ir.Call):
            function = self.program.functions[op.function]
            env = dict(zip(function.params, self.values(op.args), strict=True))
            return self.within(env).block(function.body)
        return super().op(op)

    def primitive(self, op: ir.Prim) -> Value:
        args = self.values(op.args)
        if op.name == "stop_grad":
            return self.stops.through(args[0])
        if not any(a.type.is_float for a in op.args) and op.name != "cast":
            return PRIMITIVES[op.name].evaluate(*args, **dict(op.attrs))
        rule = RULES.get(op.name) or matrices().get(op.name)
        if rule is None:
            record = PRIMITIVES[op.name]
            rule = record.evaluate if record.mp is None else elementwise(record.mp)
        return rule(*args, **dict(op.attrs))

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

    def stacked(self, rows: Sequence[Value], type: ir.Type, sizes: Sequence[ir.Atom]) -> Value:
        return stack(rows, type, self.shape(sizes))


def stack(rows: Sequence[Value], type: ir.Type, shape: tuple[int, ...]) -> Value:
    for row in rows:
        if np.shape(row) != shape:
            raise interp.InterpreterError(f"a row of shape {np.shape(row)} among rows of shape {shape}")
    dtype = object if type.is_float else interp.dtype_of(type)
    out = np.empty((len(rows), *shape), dtype)
    for k, row in enumerate(rows):
        out[k] = row
    return out


# ---------------------------------------------------------------- what operations mean


def real(value: Any) -> Any:
    """A real number: outside of their domain functions are not a number, as floats have it."""
    if isinstance(value, mp.mpc):
        return value.real if value.imag == 0 else NAN
    return value


def elementwise(function: Callable[..., Any]) -> Callable[..., Value]:
    """`function` of numbers, given mpmath first, as one of arrays and numbers."""

    def one(*args: Any, **attrs: Any) -> Any:
        try:
            return real(function(mp, *args, **attrs))
        except (ZeroDivisionError, ValueError, OverflowError):
            return NAN

    def evaluate(*args: Any, **attrs: Any) -> Value:
        if not any(isinstance(a, np.ndarray) for a in args):
            return one(*args, **attrs)
        return np.asarray(np.frompyfunc(lambda *xs: one(*xs, **attrs), len(args), 1)(*args), object)[()]

    return evaluate


def divided(_mp: Any, x: Any, y: Any) -> Any:
    if y == 0:
        return NAN if x == 0 or mp.isnan(x) else INF * mp.sign(x)
    return x / y


def scaled(_mp: Any, x: Any, y: Any) -> Any:
    return x if x == 0 else x * y


def power(_mp: Any, x: Any, y: Any) -> Any:
    if x == 0:
        return ONE if y == 0 else ZERO if y > 0 else INF
    return mp.power(x, y)


def logarithm(_mp: Any, x: Any) -> Any:
    return -INF if x == 0 else mp.log(x)


def larger(_mp: Any, x: Any, y: Any) -> Any:
    return y if mp.isnan(x) else x if mp.isnan(y) else max(x, y)


def smaller(_mp: Any, x: Any, y: Any) -> Any:
    return y if mp.isnan(x) else x if mp.isnan(y) else min(x, y)


def comparison(compare: Callable[[Any, Any], Any]) -> Callable[..., Value]:
    def evaluate(x: Any, y: Any) -> Value:
        return np.asarray(compare(x, y), np.bool_)[()]

    return evaluate


def test(ask: Callable[[Any], bool]) -> Callable[..., Value]:
    asked = np.frompyfunc(ask, 1, 1)
    return lambda x: np.asarray(asked(x), np.bool_)[()]


def select(c: Any, x: Any, y: Any) -> Value:
    if np.ndim(c) == np.ndim(x) == np.ndim(y) == 0:
        return x if c else y
    return np.where(c, x, y)[()]


def cast(x: Any, to: str) -> Value:
    of_float = isinstance(x, mpf) or np.asarray(x).dtype == object
    if to in ir.FLOATS:
        return x if of_float else lifted(np.asarray(x, np.float64))
    if not of_float:
        return PRIMITIVES["cast"].evaluate(x, to=to)
    if to == "bool":
        return np.asarray(x != 0, np.bool_)[()]
    cut = np.frompyfunc(lambda v: int(v) if mp.isfinite(v) else 0, 1, 1)(x)
    return PRIMITIVES["cast"].evaluate(np.asarray(cut, np.int64)[()], to=to)


def folded(function: Callable[..., Any], neutral: Any) -> Callable[..., Value]:
    def evaluate(x: Any, axis: int) -> Value:
        rows = np.moveaxis(x, axis, 0)
        total: Any = np.full(rows.shape[1:], neutral, object)[()]
        for row in rows:
            total = function(total, row)
        return total

    return evaluate


def prefixes(function: Callable[..., Any]) -> Callable[..., Value]:
    def evaluate(x: Any, axis: int) -> Value:
        rows = np.moveaxis(np.array(x), axis, 0)
        for k in range(1, len(rows)):
            rows[k] = function(rows[k - 1], rows[k])
        return np.moveaxis(rows, 0, axis)

    return evaluate


def gather(x: Any, *indices: Any) -> Value:
    found = np.array(PRIMITIVES["gather"].evaluate(x, *indices), object)
    for at in np.ndindex(found.shape):
        found[at] = mpf(found[at])  # places that are not there are an int 0
    return found[()]


def extreme_place(name: str) -> Callable[..., Value]:
    def evaluate(x: Any, axis: int) -> Value:
        if x.shape[axis] == 0:
            return np.zeros(np.delete(x.shape, axis), np.int64)[()]
        return np.asarray(getattr(np, name)(x, axis=axis), np.int64)[()]

    return evaluate


RULES: dict[str, Callable[..., Value]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg, "abs": abs,
    "div": elementwise(divided), "scaled": elementwise(scaled), "pow": elementwise(power),
    "log": elementwise(logarithm), "max": elementwise(larger), "min": elementwise(smaller),
    "eq": comparison(operator.eq), "ne": comparison(operator.ne), "lt": comparison(operator.lt),
    "le": comparison(operator.le), "gt": comparison(operator.gt), "ge": comparison(operator.ge),
    "isnan": test(lambda v: bool(mp.isnan(v))), "isinf": test(lambda v: bool(mp.isinf(v))),
    "select": select, "cast": cast, "gather": gather,
    "sum": folded(operator.add, ZERO), "prod": folded(operator.mul, ONE),
    "cumsum": prefixes(operator.add), "cumprod": prefixes(operator.mul),
    "maximum": folded(elementwise(larger), -INF), "minimum": folded(elementwise(smaller), INF),
    "cummax": prefixes(elementwise(larger)), "cummin": prefixes(elementwise(smaller)),
    "zeros_like": lambda x: np.full(np.shape(x), ZERO, object)[()],
    "argmax": extreme_place("argmax"), "argmin": extreme_place("argmin"),
}  # fmt: skip

