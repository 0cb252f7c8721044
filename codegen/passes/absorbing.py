"""Where a cotangent that is zero has to stay zero, although the slope it meets is not a number.

    let t = sin (sqrt x) in if x < 0 then 0 else t

For x below zero the arm taken does not read t, so its cotangent is zero. The slope of sqrt absorbs that (`singular` in
its record), but before it comes that of sin, cos nan, and zero times nan is nan. So slopes absorb zeros, at a
comparison each, wherever both may happen: the operation reads what may be infinite or no number though the program's
arguments are none such, and what it computes may turn out to be read by nobody.

In: a body before its reverse sweep. Out: the results of elementwise operations whose slopes are to absorb zeros, and
what is surely read.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Stmt, Var
from ...lang.prims import PRIMITIVES
from .adjoint import bound_in

OVERFLOWS = frozenset({"exp", "exp2", "expm1", "sinh", "cosh", "fma", "hypot"})
"""Elementwise, with slopes that are infinite where the function is."""
OF_MATRICES = frozenset({"solve", "solve_triangular", "inverse", "cholesky", "lu", "log_det", "orthogonal", "eigen",
                         "svd"})
"""They give nan for matrices that have none."""
PARTLY = frozenset({"index", "gather", "slice", "select", "max", "min", "update", "update_slice", "scatter",
                    "replicate", "maximum", "minimum", "cummax", "cummin", "max_at", "min_at", "triangle"})
"""Operands need not be read, though the result is."""


class SurelyReads(Protocol):
    """What this pass needs to know of called functions."""

    def surely_read(self, function: str, surely: tuple[bool, ...]) -> tuple[bool, ...]:
        """Which parameters have no zero cotangent when these results have none."""


def absorbing(params: Sequence[Var], body: Block, surely: Sequence[bool], calls: SurelyReads, *, finite: bool = False
              ) -> tuple[set[Var], set[Var]]:
    """`finite`: whether the parameters are numbers. `surely`: of each result, whether its cotangent is not zero."""
    doubtful = Doubtful(params if finite else ())
    doubtful.block(body)
    read = SurelyRead(calls)
    read.block(body, params, surely)
    return {v for v in doubtful.slopes if v not in read.vars}, read.vars


class Doubtful:
    """Forward: what may be infinite or no number. So may be all that comes from outside, but for what is `fine`."""

    def __init__(self, fine: Sequence[Var]) -> None:
        self.fine: set[Var] = set(fine)
        self.slopes: set[Var] = set()
        """Results of elementwise operations whose slopes may be such."""

    def block(self, block: Block) -> list[bool]:
        for stmt in block.stmts:
            self.bind(stmt.vars, self.stmt(stmt))
        return [self.doubted(x) for x in block.results]

    def doubted(self, x: Atom) -> bool:
        return isinstance(x, Var) and x.type.is_float and x not in self.fine

    def bind(self, vars: Sequence[Var], doubts: Sequence[bool]) -> None:
        self.fine.update(v for v, doubt in zip(vars, doubts, strict=True) if not doubt)

    def stmt(self, stmt: Stmt) -> Sequence[bool]:
        match stmt.op:
            case ir.Prim(name, args):
                record = PRIMITIVES[name]
                doubted = any(map(self.doubted, args))
                if record.partials is not None and not record.singular and (doubted or name in OVERFLOWS):
                    self.slopes.add(stmt.vars[0])
                return [doubted or record.singular or name in OVERFLOWS or name in OF_MATRICES]
            case ir.Map(arrays, body):
                self.bind(body.params, [self.doubted(x) for x in arrays])
                return self.block(body.body)
            case ir.If(_, then, orelse):
                return [a or b for a, b in zip(self.block(then), self.block(orelse), strict=True)]
            case ir.Loop() as op:
                doubts = [self.doubted(x) for x in op.init]
                before = set(self.fine)
                while True:
                    self.bind(op.params, doubts)
                    found = self.block(op.body)
                    states = [a or b for a, b in zip(doubts, found, strict=False)]
                    if states == doubts:
                        break
                    doubts, self.fine = states, set(before)
                whole = [*doubts, *found[len(doubts):]]
                return [*whole, *[False] * (len(stmt.vars) - len(whole))]
            case ir.Custom(_, body, _, args):
                self.bind(body.params, [self.doubted(x) for x in args])
                self.block(body.body)
                return [True] * len(stmt.vars)
            case _:
                return [True] * len(stmt.vars)


class SurelyRead:
    """Backward: what is read whenever it is computed, so that its cotangent is no zero that has to stay one."""

    def __init__(self, calls: SurelyReads) -> None:
        self.calls = calls
        self.vars: set[Var] = set()
        self.here: set[Var] = set()
        """What the block at hand binds: nested blocks may not run, so what they read of others is not surely read."""

    def block(self, block: Block, params: Sequence[Var], surely: Sequence[bool]) -> None:
        outside, self.here = self.here, {*params, *bound_in(block)}
        self.read([x for x, sure in zip(block.results, surely, strict=True) if sure])
        for stmt in reversed(block.stmts):
            self.stmt(stmt)
        self.here = outside

    def read(self, atoms: Sequence[Atom]) -> None:
        self.vars.update(x for x in atoms if isinstance(x, Var) and x in self.here)

    def among(self, atoms: Sequence[Atom]) -> list[bool]:
        return [isinstance(x, Var) and x in self.vars for x in atoms]

    def stmt(self, stmt: Stmt) -> None:
        sure = self.among(stmt.vars)
        match stmt.op:
            case ir.Prim(name, args):
                if sure[0] and name not in PARTLY:
                    self.read(args)
            case ir.Call(function, args):
                known = self.calls.surely_read(function, tuple(sure)) if any(sure) else ()
                self.read([x for x, one in zip(args, known, strict=False) if one])
            case ir.Map(arrays, body):
                self.block(body.body, body.params, sure)
                self.read([x for x, one in zip(arrays, self.among(body.params), strict=True) if one])
            case ir.If(_, then, orelse):
                self.block(then, (), sure)
                self.block(orelse, (), sure)
            case ir.Loop() as op:
                states, before = sure[:len(op.params)], set(self.vars)
                while True:
                    self.block(op.body, op.params, [*states, *sure[len(states):len(op.body.results)]])
                    carried = [a and b for a, b in zip(states, self.among(op.params), strict=True)]
                    if carried == states:
                        break
                    states, self.vars = carried, set(before)
                self.read([x for x, one in zip(op.init, states, strict=True) if one])
            case _:
                pass
