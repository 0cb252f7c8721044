"""The interpreter that counts: runs a program like the oracle, and adds up what each operation costs.

In: a program, a function, arguments, and perhaps symbols to find (`Watch`). Out: the results, operations on floats and
bytes by line as `analysis` defines them, and the values that the symbols had. It is the interpreter itself with its
statements overheard; the formulas are tested to be equal to what it counts.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ...lang.core import cost as costs
from ...lang.core import ir
from ...lang.core.ir import Block, Stmt, Var
from ...lang.core.walk import scopes
from ...lang.formulas import number
from ...lang.prims import PRIMITIVES
from ...lang.sizes import Monomial, SizeAtom, SizeVar
from ...lang.source import Span
from ..interp import Run, Steps, Value, argument
from ..runtime.depth import LEVELS, Room
from .values import OUTSIDE, Kept, Metric, Place, Watch, first

FRAMES = 90
"""Calls of Python functions that one call of a function of the program takes at most."""


@dataclass
class Counts:
    """`cost` by metric and place; `symbols` are those of the whole run."""

    results: tuple[Value, ...]
    cost: dict[tuple[Metric, Place], int | Fraction]
    symbols: dict[SizeAtom, int]

    def total(self, metric: Metric) -> int | Fraction:
        return sum((amount for (m, _), amount in self.cost.items() if m == metric), 0)


@dataclass
class Tally:
    """What all calls of a run share."""

    watch: Watch
    kept: Kept
    cost: dict[tuple[Metric, Place], int | Fraction] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)


@dataclass
class Family:
    """A call of a recursive function that is running: sums over the calls that follow from it."""

    members: frozenset[str]
    sums: list[tuple[SizeVar, str, Monomial]]
    values: dict[SizeAtom, int]


def count(program: ir.Program, function: str, args: Sequence[Value], watch: Watch | None = None,
          kept: Kept | None = None) -> Counts:
    """Run `function` and count; with `kept` as in `analysis` what is saved too. Raises what `interp.run` raises."""
    params = program.functions[function].params
    values = [argument(p, a) for p, a in zip(params, args, strict=True)]
    tally = Tally(watch or Watch(), kept or {})
    with np.errstate(all="ignore"), Room(FRAMES * LEVELS):
        outside = Counted(program, {}, Steps(), "", tally)
        key = params[0] if params else OUTSIDE
        results = outside.called(key, function, values, None)
    return Counts(results, tally.cost, outside.symbols)


class Counted(Run):
    def __init__(self, program: ir.Program, env: dict[Var, Value], steps: Steps, name: str, tally: Tally) -> None:
        super().__init__(program, env, steps)
        self.name = name
        self.tally = tally
        self.symbols: dict[SizeAtom, int] = {}
        self.active: list[Stmt] = []
        for var, value in env.items():
            self.noted(var, value)

    # ------------------------------------------------------------ symbols

    def noted(self, var: Var, value: Value) -> None:
        for axis, symbol in self.tally.watch.bound.get((self.name, var), ()):
            self.symbols[symbol] = int(value) if axis is None else np.shape(value)[axis]

    def bind(self, variables: Sequence[Var], values: Sequence[Value]) -> None:
        super().bind(variables, values)
        for var in variables:
            self.noted(var, self.env[var])

    def block(self, block: Block) -> tuple[Value, ...]:
        results = super().block(block)
        if self.active:
            stmt = self.active[-1]
            tests = isinstance(stmt.op, ir.Loop) and stmt.op.cond is not None and block is stmt.op.cond.body
            if tests or any(block is inner for _, inner in scopes(stmt.op)):
                if not tests:
                    self.worked_out(first(stmt))
                for symbol, product, of_tests in self.totals(stmt):
                    if of_tests == tests:
                        self.symbols[symbol] += multiplied(product, self.symbols)
                if not tests:
                    for index in self.indices(stmt):
                        self.symbols[index] += 1
        return results

    def worked_out(self, key: Var | int | None) -> None:
        """The formulas of an iteration or of the whole function, at its end."""
        for symbol, formula in self.tally.watch.ends.get((self.name, key), ()):
            worth = sum((c * multiplied(m, self.symbols) for m, c in formula.terms()), Fraction(0))
            self.symbols[symbol] = int(worth)  # a count, though its parts may be fractions

    def totals(self, stmt: Stmt) -> Sequence[tuple[SizeVar, Monomial, bool]]:
        return self.tally.watch.totals.get((self.name, first(stmt)), ())

    def indices(self, stmt: Stmt) -> Sequence[SizeVar]:
        return self.tally.watch.indices.get((self.name, first(stmt)), ())

    # ------------------------------------------------------------ statements

    def perform(self, stmt: Stmt) -> tuple[Value, ...]:
        op = stmt.op
        match op:
            case ir.Call(function, args, _):
                return self.called(first(stmt), function, self.values(args), stmt)
            case ir.Map() | ir.Reduce() | ir.Scan() | ir.Loop():
                self.active.append(stmt)
                self.symbols.update({symbol: 0 for symbol, _, _ in self.totals(stmt)})
                self.symbols.update(dict.fromkeys(self.indices(stmt), 0))
                results = self.op(op)
                self.active.pop()
                self.rows_moved(stmt, op, results)
                return results
            case ir.Prim():
                results = self.op(op)
                self.primitive(stmt, op, results[0])
                return results
            case _:
                active, self.active = self.active, []
                results = self.op(op)
                self.active = active
                return results

    def spend(self, metric: Metric, span: Span | None, amount: int | Fraction) -> None:
        if amount:
            key = (metric, Place.of(span))
            self.tally.cost[key] = self.tally.cost.get(key, 0) + amount

    def primitive(self, stmt: Stmt, op: ir.Prim, result: Value) -> None:
        types = [a.type for a in op.args]
        shapes: list[Sequence[int | Fraction]] = [np.shape(self.value(a)) for a in op.args]
        shape: Sequence[int | Fraction] = np.shape(result)
        if callable(PRIMITIVES[op.name].flops):
            shapes = [[Fraction(size) for size in s] for s in shapes]
            shape = [Fraction(size) for size in shape]
        (var,) = stmt.vars
        for kept, span in self.tally.kept.get((self.name, var), ()):
            self.spend("saved", span, np.size(self.env[kept]) * costs.BYTES[kept.type.dtype])
        self.spend("flops", stmt.span, costs.flops(op, types, shapes, var.type, shape))
        if var.type.rank or any(t.rank for t in types):
            self.spend("bytes", stmt.span, costs.traffic(op, types, shapes, var.type, shape))

    def rows_moved(self, stmt: Stmt, op: ir.Map | ir.Reduce | ir.Scan | ir.Loop, results: Sequence[Value]) -> None:
        start = 0
        if isinstance(op, ir.Loop):
            start = len(op.params)
        elif isinstance(op, ir.Reduce):
            start = len(results)
        for var, value in list(zip(stmt.vars, results, strict=True))[start:]:
            if var.type.rank:
                self.spend("bytes", stmt.span, np.size(value) * costs.BYTES[var.type.dtype])
        if not isinstance(op, ir.Loop):
            for atom in op.arrays:
                if atom.type.rank == 1:
                    self.spend("bytes", stmt.span, len(self.value(atom)) * costs.BYTES[atom.type.dtype])

    # ------------------------------------------------------------ calls

    def called(self, key: Var | int, function: str, args: Sequence[Value], stmt: Stmt | None) -> tuple[Value, ...]:
        tally = self.tally
        members = tally.watch.members.get(function)
        opens = members is not None and self.name not in members
        if opens and members is not None:
            sums = tally.watch.families.get((self.name, key), [])
            tally.families.append(Family(members, sums, {symbol: 0 for symbol, _, _ in sums}))
        target = self.program.functions[function]
        self.steps.depth += 1
        inner = Counted(self.program, dict(zip(target.params, args, strict=True)), self.steps, function, tally)
        results = inner.block(target.body)
        inner.worked_out(None)
        self.steps.depth -= 1
        if members is not None:
            family = next(f for f in reversed(tally.families) if f.members == members)
            for symbol, name, product in family.sums:
                if name == function:
                    family.values[symbol] += multiplied(product, inner.symbols)
            if opens:
                self.symbols.update(tally.families.pop().values)
        for outer, symbol in tally.watch.calls.get((self.name, key), ()):
            self.symbols[outer] = inner.symbols.get(symbol, 0)
        return results


def multiplied(product: Monomial, symbols: Mapping[SizeAtom, int]) -> int:
    """A product of symbols; what was not bound belongs to an arm that was not taken, and meets a zero."""
    total = 1
    for atom in product:
        try:
            total *= number(atom, symbols)
        except KeyError:
            return 0
    return total
