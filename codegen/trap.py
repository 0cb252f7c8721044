"""The first operation that gives nan or infinity: the interpreter, watching every result.

In: a program without derivatives left to take, a function, its arguments. Out: its results, or `NonFinite` (R109),
which names the operation, its operands, whether it belongs to the program as written or to a tangent or adjoint, the
place, and in which iterations it happened.

*What traps.* An operation whose operands are finite and whose result is not; and one that gives nan although no operand
is nan (inf - inf). Literals and arguments never trap, what passes them on does not either, and neither does the extreme
of no elements. Statements of the program as written trap at once. In tangents and adjoints slopes may be infinite
where nothing comes of it, since they meet a zero: the slope of `sqrt` at 0 in a branch that is not taken. So there, and
in linear algebra, whose nan is looked into by checks, an operation traps if what it gave reaches a result; it is noted,
and the note follows the value through maps, branches, loops and calls.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..lang.core import ir
from ..lang.core.ir import Atom, Block, Stmt, Var
from ..lang.core.part import described, parts
from ..lang.core.walk import scopes
from ..lang.prims import PRIMITIVES
from ..lang.source import Span
from . import interp
from .interp import Run, Steps, Value, argument, where
from .runtime.depth import LEVELS, Room
from .runtime.errors import RunError

FRAMES = 90
"""Calls of Python functions that one call of a function of the program takes at most."""
SILENT = frozenset(("maximum", "minimum", "cummax", "cummin", "bitcast"))
"""They may give infinities that mean something, or bits that somebody asked for."""
LATE = frozenset(("matmul", "triangle", "solve_triangular", "solve", "inverse", "log_det", "det", "cofactors",
                  "cholesky", "orthogonal", "eigen"))
INFIX = {"add": "+", "sub": "-", "mul": "*", "scaled": "*", "div": "/", "pow": "**", "mod": "%", "rem": "%%"}
SHOWN = 4
"""Elements of an operand that are shown."""


class NonFinite(RunError):
    """An operation gave nan or an infinity: code R109.

    `operation` (a primitive's name), `operands` and `result` as they were, at the `element` of an array operation (its
    index, else empty); `part` is "primal", "tangent", "adjoint" or a nesting of these, `iterations` pairs of words and
    place from the outside in; `span` is the place in the source.

    >>> error = NonFinite("log", (0.0,), -np.inf, None, "primal", (), ())
    >>> str(error)
    'R109: `log 0.0` gives -inf, in the primal code'
    """

    def __init__(self, operation: str, operands: tuple[Any, ...], result: Any, span: Span | None, part: str,
                 element: tuple[int, ...], iterations: tuple[str, ...]) -> None:
        message = f"`{written(operation, operands)}` gives {shown(result)}"
        details = [f"in the {part} code", f"at element {list(element)}" if element else "",
                   *iterations]
        self.details = ", ".join(filter(None, details))
        super().__init__("R109", f"{message}, {self.details}", where(span))
        self.summary = message
        self.operation, self.operands, self.result = operation, operands, result
        self.span, self.part, self.element, self.iterations = span, part, element, iterations

    def __reduce__(self) -> tuple[Any, ...]:
        return NonFinite, (self.operation, self.operands, self.result, self.span, self.part, self.element,
                           self.iterations)


def run(program: ir.Program, function: str, args: Sequence[Value], limit: int | None = None) -> tuple[Value, ...]:
    """As `interp.run`; raises NonFinite at the first operation that is to trap."""
    params = program.functions[function].params
    values = [argument(p, a) for p, a in zip(params, args, strict=True)]
    with np.errstate(all="ignore"), Room(FRAMES * LEVELS):
        target = program.functions[function]
        outside = Trapping(program, dict(zip(params, values, strict=True)), Steps(limit), Shared())
        results = outside.block(target.body)
    for atom, value in zip(target.body.results, results, strict=True):
        note = outside.note_of(atom, value)
        if note is not None:
            raise note
    return results


def run_confirmed(plain: ir.Program, optimised: Callable[[], ir.Program], function: str, args: Sequence[Value],
                  limit: int | None = None) -> tuple[Value, ...]:
    """As `run` of `plain`; but what nobody reads does not trap: it is not in `optimised`."""
    try:
        return run(plain, function, args, limit)
    except NonFinite:
        made = optimised()
        if worked_out(made):
            raise
        try:
            run(made, function, args, limit)
        except NonFinite:
            pass
        else:
            return interp.run(plain, function, args, limit)
        raise


def worked_out(optimised: ir.Program) -> bool:
    """Whether there are constants that are not finite: the operations that gave them may be gone."""
    return any(isinstance(a, ir.Const) and not finite(a.value) for op in primitives(optimised) for a in op.args)


# ------------------------------------------------------------------ compiled code

NOTICED = frozenset(("scaled", "sigmoid", "fma"))
"""Of the elementwise primitives with helpers of their own, those that compute in plain sight of NumPy."""
Function = Callable[..., Sequence[Value]]


def guarded(compiled: Function, optimised: ir.Program, plain: ir.Program, function: str) -> Function:
    """`compiled`, which is `optimised`; where something may have to trap, `plain` is run to find out what.

    NumPy notes when an operation makes infinity or nan of finite numbers, in lanes too that are computed for nothing.
    What the compiler worked out beforehand it cannot note; then `plain` is always run.
    """
    always = worked_out(optimised) or any(map(hidden, primitives(optimised)))

    def call(*values: Value) -> Sequence[Value]:
        noted: list[str] = []
        with np.errstate(divide="call", over="call", invalid="call", under="ignore",
                         call=lambda kind, flag: noted.append(kind)):
            try:
                results = compiled(*values)
            except RunError:
                run_confirmed(plain, lambda: optimised, function, values)  # what failed may have begun with nan
                raise
        many = results if isinstance(results, tuple) else (results,)
        if always or noted or not all(finite(x) for x in many):
            run_confirmed(plain, lambda: optimised, function, values)
        return results

    return call


def hidden(op: ir.Prim) -> bool:
    """Whether its code keeps from NumPy's notice what happens in it."""
    record = PRIMITIVES[op.name]
    return record.elementwise and (record.numpy or "").startswith("_") and op.name not in NOTICED


def primitives(program: ir.Program) -> Iterator[ir.Prim]:
    """All primitives that a program applies, at every depth."""
    pending = [f.body for f in program.functions.values()]
    while pending:
        for stmt in pending.pop().stmts:
            if isinstance(stmt.op, ir.Prim):
                yield stmt.op
            pending.extend(block for _, block in scopes(stmt.op))


# ------------------------------------------------------------------ the interpreter


@dataclass
class Around:
    """A map, fold or loop that is running, and the number of its iteration."""

    stmt: Stmt
    number: int = 0


@dataclass
class Shared:
    """What all calls of a run share: the iterations around, the places of the calls."""

    around: list[Around] = field(default_factory=list)
    calls: list[Span | None] = field(default_factory=list)


class Trapping(Run):
    """`notes` are operations that made a value nan or infinite and have not trapped, by the variable that holds it."""

    def __init__(self, program: ir.Program, env: dict[Var, Value], steps: Steps, shared: Shared) -> None:
        super().__init__(program, env, steps)
        self.shared = shared
        self.active: list[Stmt | None] = []
        self.notes: dict[Var, NonFinite] = {}

    # ------------------------------------------------------------ notes

    def note_of(self, atom: Atom, value: Value) -> NonFinite | None:
        """Where a value that is not finite comes from, if it was noted."""
        note = self.notes.get(atom) if isinstance(atom, Var) else None
        return note if note is not None and not finite(value) else None

    def passed(self, targets: Sequence[Var], sources: Sequence[Atom], keep: bool = False) -> None:
        """Notes go along with values; with `keep` an earlier note stays."""
        found = [self.note_of(a, self.value(a)) if isinstance(a, Var) and a in self.env else None for a in sources]
        for var, note in zip(targets, found, strict=True):
            if note is not None:
                if not (keep and var in self.notes):
                    self.notes[var] = note
            elif not keep:
                self.notes.pop(var, None)

    # ------------------------------------------------------------ statements

    def perform(self, stmt: Stmt) -> tuple[Value, ...]:
        op = stmt.op
        match op:
            case ir.Prim():
                results = self.op(op)
                self.look(stmt, op, results[0])
                return results
            case ir.Call(function, args, _):
                return self.called(stmt, function, args)
            case ir.If(cond, then, orelse):
                self.active.append(None)
                results = self.op(op)
                self.active.pop()
                self.passed(stmt.vars, (then if self.value(cond) else orelse).results)
                return results
            case ir.Custom(_, body, _, args):
                self.passed(body.params, args)
                self.active.append(None)
                results = self.op(op)
                self.active.pop()
                self.passed(stmt.vars, body.body.results)
                return results
            case ir.Map() | ir.Reduce() | ir.Scan() | ir.Loop():
                return self.repeated(stmt, op)
            case _:
                return self.op(op)

    def repeated(self, stmt: Stmt, op: ir.Map | ir.Reduce | ir.Scan | ir.Loop) -> tuple[Value, ...]:
        for var in stmt.vars:
            self.notes.pop(var, None)
        match op:
            case ir.Map(arrays, body, _):
                self.passed(body.params, arrays)
            case ir.Reduce(arrays, neutral, body) | ir.Scan(arrays, neutral, body):
                self.passed(body.params, (*neutral, *arrays))
            case ir.Loop():
                self.passed(op.params, op.init)
        self.active.append(stmt)
        self.shared.around.append(Around(stmt))
        results = self.op(op)
        self.shared.around.pop()
        self.active.pop()
        match op:
            case ir.Loop():
                states = stmt.vars[:len(op.params)]
                for var, param in zip(states, op.params, strict=True):
                    if param in self.notes:
                        self.notes[var] = self.notes[param]
            case ir.Reduce(_, neutral, body):
                for var, param in zip(stmt.vars, body.params, strict=False):
                    if param in self.notes:
                        self.notes[var] = self.notes[param]
            case _:
                pass
        return results

    def block(self, block: Block) -> tuple[Value, ...]:
        results = super().block(block)
        stmt = self.active[-1] if self.active else None
        if stmt is not None:
            self.ended(stmt, block)
        return results

    def ended(self, stmt: Stmt, block: Block) -> None:
        """After an iteration of the innermost map, fold or loop: notes of what the body gives."""
        match stmt.op:
            case ir.Map(body=body) if block is body.body:
                self.passed(stmt.vars, block.results, keep=True)
            case ir.Reduce(neutral=neutral, body=body) if block is body.body:
                self.passed(body.params[:len(neutral)], block.results)
            case ir.Scan(neutral=neutral, body=body) if block is body.body:
                self.passed(stmt.vars, block.results, keep=True)
                self.passed(body.params[:len(neutral)], block.results)
            case ir.Loop() as op if block is op.body:
                count = len(op.params)
                self.passed(stmt.vars[count:len(block.results)], block.results[count:], keep=True)
                self.passed(op.params, block.results[:count])
            case _:
                return
        self.shared.around[-1].number += 1

    def called(self, stmt: Stmt, function: str, args: Sequence[Atom]) -> tuple[Value, ...]:
        target = self.program.functions[function]
        values = self.values(args)
        inner = Trapping(self.program, dict(zip(target.params, values, strict=True)), self.steps, self.shared)
        for param, atom, value in zip(target.params, args, values, strict=True):
            note = self.note_of(atom, value)
            if note is not None:
                inner.notes[param] = note
        self.steps.depth += 1
        self.shared.calls.append(stmt.span)
        results = inner.block(target.body)
        self.shared.calls.pop()
        self.steps.depth -= 1
        for var, atom, value in zip(stmt.vars, target.body.results, results, strict=True):
            note = inner.note_of(atom, value)
            if note is not None:
                self.notes[var] = note
            else:
                self.notes.pop(var, None)
        return results

    # ------------------------------------------------------------ operations

    def look(self, stmt: Stmt, op: ir.Prim, result: Value) -> None:
        """Trap, or note where a result that is not finite comes from."""
        (var,) = stmt.vars
        if var in self.notes:
            del self.notes[var]
        if not var.type.is_float or finite(result):
            return
        values = self.values(op.args)
        for atom, value in zip(op.args, values, strict=True):
            note = self.note_of(atom, value)
            if note is not None:
                self.notes[var] = note
                return
        if op.name in SILENT:
            return
        place = first_bad(op, values, result)
        if place is None:
            return
        element, operands, given = place
        error = NonFinite(op.name, operands, given, self.place(stmt), described(stmt.span), element, self.iterations())
        if parts(stmt.span) or op.name in LATE:
            self.notes[var] = error
        else:
            raise error

    def place(self, stmt: Stmt) -> Span | None:
        """Where the operation stands; for one of the library, where the program calls it."""
        for span in (stmt.span, *reversed(self.shared.calls)):
            if span is not None and not span.source.shipped:
                return span
        return stmt.span

    def iterations(self) -> tuple[str, ...]:
        words = []
        for around in self.shared.around:
            span = around.stmt.span
            kind = "element" if isinstance(around.stmt.op, ir.Map) else "iteration"
            what = {ir.Map: "map", ir.Loop: "loop"}.get(type(around.stmt.op), "fold")
            way = ", backwards," if "adjoint" in parts(span) and kind == "iteration" else ""
            line = "" if span is None or span.source.shipped else f" at line {span.line}"
            words.append(f"in {kind} {around.number}{way} of the {what}{line}")
        return tuple(words)


def finite(value: Value) -> bool:
    """Whether a value has nothing but finite numbers; integers and booleans are."""
    kind = np.asarray(value).dtype.kind
    return kind != "f" or bool(np.all(np.isfinite(value)))


def first_bad(op: ir.Prim, values: Sequence[Value], result: Value
              ) -> tuple[tuple[int, ...], tuple[Any, ...], Any] | None:
    """Element, operands and result of the first trap in one operation."""
    floats = [v for v in values if np.asarray(v).dtype.kind == "f"]
    if PRIMITIVES[op.name].elementwise and op.name != "select":
        bad = ~np.isfinite(result)
        plain = np.ones(np.shape(result), bool)
        numbers = np.ones(np.shape(result), bool)
        for value in floats:
            plain &= np.isfinite(value)
            numbers &= ~np.isnan(value)
        found = np.argwhere(bad & (plain | (np.isnan(result) & numbers)))
        if not len(found):
            return None
        element = tuple(int(k) for k in found[0])
        return element, tuple(np.asarray(v)[element] if np.ndim(v) else v for v in values), np.asarray(result)[element]
    if not PRIMITIVES[op.name].flops:
        return None  # it moves numbers, and makes none
    if all(finite(v) for v in floats) or (np.any(np.isnan(result)) and not any(np.any(np.isnan(v)) for v in floats)):
        places = np.argwhere(~np.isfinite(result))
        element = tuple(int(k) for k in places[0]) if np.ndim(result) else ()
        return element, tuple(values), np.asarray(result)[element]
    return None


# ------------------------------------------------------------------ words


def written(operation: str, operands: Sequence[Any]) -> str:
    """`1.0 / 0.0`, `log 0.0`, `sum [1e+308, 1e+308]`."""
    texts = [shown(x) for x in operands]
    if operation in INFIX and len(texts) == 2:
        left, right = (f"({t})" if t.startswith("-") else t for t in texts)
        return f"{left} {INFIX[operation]} {right}"
    if operation == "neg":
        return f"-{texts[0]}"
    return " ".join([operation, *(f"({t})" if t.startswith("-") else t for t in texts)])


def shown(value: Any) -> str:
    """A number, or the first elements of an array."""
    array = np.asarray(value)
    if array.ndim:
        flat = [shown(x) for x in array.reshape(-1)[:SHOWN]]
        more = ["…"] if array.size > SHOWN else []
        return "[" + ", ".join(flat + more) + "]"
    if array.dtype.kind == "f":
        return repr(float(array)) if array.dtype == np.float64 else f"{array[()]!s}"
    return str(array[()])

