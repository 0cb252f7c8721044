"""What reverse mode keeps: the values of the forward run that stay in memory until the reverse sweep has read them.

In: a program after all passes that was optimised `marked` (`driver.optimised(…, marked=True)`), so that each reverse
sweep stands between two marks. Out: a `Sweep` to each pair of marks: the values bound before it that it reads, with
types and sizes as formulas of the function's parameters (`formulas`), the place where each comes from and the places
whose derivatives read it.

Stacks of loops (one row an iteration) and what called functions hand to their backward functions are such values, so
the total is all that is kept while the rest of the forward run and the sweep go on. A sweep inside a loop or map runs
once an iteration or element; `Sweep.within` says which. What a sweep needs besides is computed again inside it.

    made = lower(checked, [Transform(entry, "value_and_grad", wrt)], [definition])
    program = driver.optimised(made.program, roots, marked=True)
    for sweep in sweeps(program, roots):
        sweep.total                  # bytes, a polynomial: `Size` of lang/sizes.py
        for kept in sweep.kept: kept.bytes, kept.shape, kept.span, kept.readers

Parameters are the caller's, and cost nothing (`Kept.bytes` counts them, `Sweep.total` leaves them out). A view (a
slice, a row, a transpose of another value) counts like the array that it would be.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.ir import Block, Prim, Stmt, Type, Var
from ...lang.core.part import parts
from ...lang.core.walk import callees, free_in_op, scopes
from ...lang.sizes import Size
from ...lang.source import Span
from .effects import reachable
from .formulas import Formulas
from .recompute import WRITES

PLACED = WRITES | frozenset((
    "index", "gather", "slice", "dim", "zeros_like", "replicate", "reshape", "transpose", "concat", "stack"))
"""Primitives that put numbers somewhere and compute none."""


@dataclass(frozen=True)
class Kept:
    """A value that waits for the reverse sweep."""

    var: Var
    shape: tuple[Size, ...]
    bytes: Size
    span: Span | None
    readers: tuple[Span, ...]
    given: bool
    """It is a parameter of the function, or a constant of it: the caller has it anyway."""
    stack: ir.Loop | None
    """The loop whose iterations it holds, a row to each."""

    @property
    def type(self) -> Type:
        return self.var.type


@dataclass(frozen=True)
class Sweep:
    """One reverse sweep, of `site` in `function`."""

    function: str
    site: int
    mark: Var
    """What the mark before it binds: no other sweep has it."""
    span: Span | None
    kept: tuple[Kept, ...]
    total: Size
    within: tuple[tuple[str, Size, Span | None], ...]
    """What it is nested in, outermost first: `map` or `loop`, how many elements or iterations, where."""
    again: tuple[Span, ...]
    """Places whose values it computes again."""


def sweeps(
    program: ir.Program, roots: Sequence[str], given: Mapping[str, Mapping[tuple[int, int], Size]] | None = None
) -> list[Sweep]:
    """All reverse sweeps of functions that the roots reach, in the order of the program.

    `given`: of functions the formulas of axes of parameters, as `Formulas` takes them.
    """
    calls = {name: callees(f.body) for name, f in program.functions.items()}
    wanted = reachable(calls, roots)
    found: list[Sweep] = []
    for name, function in program.functions.items():
        if name in wanted and _marks(function.body):
            found.extend(_Finder(program, function, (given or {}).get(name)).found)
    return found


def _marks(block: Block) -> bool:
    pending = [block]
    while pending:
        for stmt in pending.pop().stmts:
            if _mark(stmt) is not None:
                return True
            pending.extend(inner for _, inner in scopes(stmt.op))
    return False


def _mark(stmt: Stmt) -> tuple[int, bool] | None:
    """The site, and whether it is the end."""
    if not isinstance(stmt.op, Prim) or stmt.op.name != "mark":
        return None
    site = stmt.op.args[0]
    assert isinstance(site, ir.Const)
    return int(site.value), bool(stmt.op.attr("end"))


class _Finder:
    def __init__(
        self, program: ir.Program, function: ir.Function, given: Mapping[tuple[int, int], Size] | None
    ) -> None:
        self.program = program
        self.function = function
        self.formulas = Formulas(program, function, given)
        self.found: list[Sweep] = []
        self.within: list[tuple[str, Size, Span | None]] = []
        self.block(function.body, dict.fromkeys(function.params))

    def block(self, block: Block, outside: dict[Var, Stmt | None]) -> None:
        """`outside`: what is bound around the block, and by which statement; None for parameters."""
        bound = dict(outside)
        open_marks: dict[int, tuple[int, Stmt, dict[Var, Stmt | None]]] = {}
        for k, stmt in enumerate(block.stmts):
            mark = _mark(stmt)
            if mark is not None:
                site, end = mark
                if not end:
                    open_marks[site] = (k + 1, stmt, dict(bound))
                elif site in open_marks:
                    start, first, before = open_marks.pop(site)
                    self.sweep(site, first, before, block.stmts[start:k])
                continue
            self.nested(stmt, bound)
            bound.update(dict.fromkeys(stmt.vars, stmt))

    def nested(self, stmt: Stmt, bound: dict[Var, Stmt | None]) -> None:
        op = stmt.op
        if not any(_marks(inner) for _, inner in scopes(op)):
            return
        match op:
            case ir.Map(arrays, _, _) | ir.Reduce(arrays, _, _) | ir.Scan(arrays, _, _):
                self.within.append(("map", self.formulas.shape_of(arrays[0])[0], stmt.span))
            case ir.Loop():
                self.within.append(("loop", self.formulas.trips(op), stmt.span))
        for params, inner in scopes(op):
            self.block(inner, bound | dict.fromkeys(params))
        if isinstance(op, ir.Map | ir.Reduce | ir.Scan | ir.Loop):
            self.within.pop()

    def sweep(self, site: int, mark: Stmt, before: dict[Var, Stmt | None], stmts: Sequence[Stmt]) -> None:
        readers: dict[Var, dict[Span, None]] = {}
        for stmt in stmts:
            for var in _reads(stmt):
                if var in before:
                    places = readers.setdefault(var, {})
                    for reader in _reading(stmt, var):
                        places[reader] = None
        kept = []
        total = Size(())
        for var, places in readers.items():
            made = before[var]
            size = self.formulas.bytes(var)
            stack = None
            if made is not None and isinstance(made.op, ir.Loop):
                first, count = len(made.op.params), len(made.op.collect_shapes)
                stack = made.op if var in made.vars[first:first + count] else None
            kept.append(Kept(var, self.formulas.shape_of(var), size, None if made is None else made.span,
                             tuple(places), made is None, stack))
            if made is not None:
                total = total + size
        again = tuple(_again(self.program, stmts))
        self.found.append(Sweep(self.function.name, site, mark.vars[0], mark.span, tuple(kept), total,
                                tuple(self.within), again))


def _again(program: ir.Program, stmts: Sequence[Stmt]) -> dict[Span, None]:
    """Where the numbers come from that primal statements in a sweep compute, in the order of the text."""
    found: dict[Span, None] = {}
    seen: set[str] = set()
    around: set[tuple[str, int, int] | None] = set()
    pending = list(stmts)
    while pending:
        stmt = pending.pop()
        if isinstance(stmt.op, ir.Call) and stmt.op.function not in seen:
            seen.add(stmt.op.function)
            pending.extend(program.functions[stmt.op.function].body.stmts)
        pending.extend(s for _, block in scopes(stmt.op) for s in block.stmts)
        computes = isinstance(stmt.op, Prim) and stmt.op.name not in PLACED and stmt.vars[0].type.is_float
        if computes and stmt.span is not None and parts(stmt.span)[-1:] != ("adjoint",):
            found[stmt.span] = None
        if isinstance(stmt.op, ir.Loop):
            around.add(_place(stmt.span))  # a loop in pieces counts them with statements of its own
    inner = [span for span in found if _place(span) not in around]
    return dict.fromkeys(sorted(inner, key=lambda s: (s.source.name, s.start, s.end)))


def _place(span: Span | None) -> tuple[str, int, int] | None:
    return None if span is None else (span.source.name, span.start, span.end)


def _reads(stmt: Stmt) -> dict[Var, None]:
    return free_in_op(stmt.op)


def _reading(stmt: Stmt, var: Var) -> list[Span]:
    """The innermost statements that read a variable."""
    found: list[Span] = []
    pending = [stmt]
    while pending:
        here = pending.pop()
        deeper = [s for _, block in scopes(here.op) for s in block.stmts if var in free_in_op(s.op)]
        pending.extend(reversed(deeper))
        if not deeper and here.span is not None:
            found.append(here.span)
    return found
