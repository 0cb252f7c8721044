"""Which variables vary with chosen inputs: the only ones that have tangents and cotangents.

In: a block and the variables that vary. Out: the set of all float variables, in nested blocks too, that depend on them
through operations whose derivative is not zero by definition. Loops are followed to their fixpoint, so a state that
never meets an active value stays inactive.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Op, Stmt, Var
from ...lang.prims import PRIMITIVES


class Calls(Protocol):
    """What a pass needs to know of called functions."""

    def varying_results(self, function: str, varying: tuple[bool, ...]) -> tuple[bool, ...]:
        """Which results vary when these arguments do."""


def varying(block: Block, inputs: Iterable[Var], calls: Calls) -> set[Var]:
    """All variables of `block` that vary with the float variables among `inputs`, these included."""
    marked = {v for v in inputs if v.type.is_float}
    Marker(marked, calls).block(block)
    return marked


class Marker:
    def __init__(self, marked: set[Var], calls: Calls) -> None:
        self.marked = marked
        self.calls = calls

    def block(self, block: Block) -> None:
        for stmt in block.stmts:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        for var, active in zip(stmt.vars, self.results(stmt.op), strict=False):
            if active and var.type.is_float:
                self.marked.add(var)

    def results(self, op: Op) -> Sequence[bool]:
        """Whether each result varies; nested blocks are marked on the way."""
        active = self.active
        match op:
            case ir.Prim(name, args, _):
                return [not PRIMITIVES[name].flat and any(map(active, args))]
            case ir.Call(function, args, _):
                return self.calls.varying_results(function, tuple(map(active, args)))
            case ir.If(_, then, orelse):
                self.block(then)
                self.block(orelse)
                return [active(x) or active(y) for x, y in zip(then.results, orelse.results, strict=True)]
            case ir.Map(arrays, lam, _):
                self.bind(lam.params, arrays)
                self.block(lam.body)
                return list(map(active, lam.body.results))
            case ir.Reduce(arrays, neutral, lam) | ir.Scan(arrays, neutral, lam):
                # Accumulators and elements are interchangeable to an associative operator: they vary together.
                count = len(neutral)
                accumulators, elements = lam.params[:count], lam.params[count:]
                self.bind(accumulators, neutral)
                self.bind(accumulators, arrays)
                self.fixpoint(lam.body, accumulators)
                while self.bind(elements, accumulators):
                    self.fixpoint(lam.body, accumulators)
                return list(map(active, accumulators))
            case ir.Loop(params=params, init=init, body=body):
                self.bind(params, init)
                self.fixpoint(body, params)
                return list(map(active, (*params, *body.results[len(params):])))
            case ir.Custom(body=lam, args=args):
                self.block(lam.body)  # what varies otherwise than with the arguments
                ruled = any(map(active, args))
                return [ruled or active(x) for x in lam.body.results]
            case ir.Diff():
                raise AssertionError("derivatives inside are taken before those outside")

    def active(self, atom: Atom) -> bool:
        return isinstance(atom, Var) and atom in self.marked

    def bind(self, params: Sequence[Var], values: Sequence[Atom]) -> bool:
        """Mark parameters whose value varies; whether any was new."""
        pairs = zip(params, values, strict=False)
        new = [p for p, x in pairs if self.active(x) and p.type.is_float and p not in self.marked]
        self.marked.update(new)
        return bool(new)

    def fixpoint(self, body: Block, params: Sequence[Var]) -> None:
        self.block(body)
        while self.bind(params, body.results):
            self.block(body)
