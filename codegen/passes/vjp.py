"""Reverse mode on structured IR.

In: a function body and the inputs that vary. Out: the body, followed by its reverse sweep, which goes through the
statements backwards and gives each variable its cotangent (`x_adj`) from the cotangents of what was made of it.
Statements whose results have no cotangent are passed over, so what is zero by construction costs nothing.

The structure stays: the reverse of a map is a map, of an `if` an `if` (a branch not taken contributes nothing), of a
loop a loop backwards (`reverse_map`, `reverse_if`, `reverse_loop`). Their bodies run forward again in the reverse
sweep, before going backwards, as in "AD for an array language with nested parallelism" (Schenck, Rønning, Henriksen,
Oancea, SC 2022); what a loop has to remember for that is decided in `recompute`. Reverse sweeps are written as if
they stood in the scope of the forward statements, and copied with fresh names into place once they are complete.

The result is IR like any other and can be differentiated again.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Type, Var
from ...lang.core.part import adjoint
from ...lang.core.walk import free_vars
from ...lang.prims import PRIMITIVES
from .absorbing import SurelyReads, absorbing
from .activity import Calls, varying
from .adjoint import Read, Scope, SliceRead, bound_in
from .checkpoints import in_pieces
from .jvp import apply_rule, captured
from .prune import prune
from .recompute import WRITES, Roots
from .reverse_if import reverse_if
from .reverse_loop import reverse_loop
from .reverse_map import reverse_map
from .sequentialize import sequentialize
from .slopes import times


@dataclass(frozen=True)
class Returned:
    """A cotangent that a backward function returns: of parameter `param`, all or (`indices` > 0) at some places."""

    param: int
    indices: int = 0
    holes: bool = False
    carried: bool = False
    """What was there before is in it."""


@dataclass(frozen=True)
class Split:
    """The derivative of a function, in two.

    `forward` takes the arguments and returns the results and the values of types `saved`. `backward` takes the
    arguments at `params`, the saved values, and the cotangents of the wanted results, and returns what `returned`
    says, of types `types`.
    """

    forward: str
    saved: tuple[Type, ...]
    backward: str
    params: tuple[int, ...]
    returned: tuple[Returned, ...]
    types: tuple[Type, ...]
    carried: tuple[int, ...] = ()
    """Parameters whose cotangents so far `backward` takes, after those of the results."""


Schedule = Literal["", "sqrt", "log"]
"""How loops are gone through backwards: keeping every iteration's state, about sqrt(T) or about log(T) of them."""


class ReverseCalls(Calls, SurelyReads, Protocol):
    def runs_again(self, function: str) -> bool:
        """Whether nothing is kept of what the function computes."""

    def split(self, function: str, varying: tuple[bool, ...], wanted: tuple[bool, ...], once: bool,
              carried: tuple[bool, ...] = (), schedule: Schedule = "", surely: tuple[bool, ...] = ()) -> Split:
        """The two functions, for these varying arguments and results with a cotangent; `once`: called outside loops.

        `carried`: arguments whose cotangent so far the backward function takes, and returns with its own added.
        `surely`: results whose cotangent is not zero.
        """

    def transposed(self, op: ir.Custom, supply: Fresh) -> Lambda:
        """The rule of a custom derivative for the other mode."""


def vjp_lambda(lam: Lambda, supply: Fresh, calls: ReverseCalls, mark: Callable[[bool], Stmt] | None = None) -> Lambda:
    """The lambda from parameters, and cotangents of float results, to results, and cotangents of float parameters.

    `mark` gives statements to stand before the reverse sweep (False) and behind it (True).
    """
    inputs = [p for p in lam.params if p.type.is_float]
    body, varied = prepared(lam.body, inputs, supply, calls)
    floats = [x for x in body.results if x.type.is_float]
    alone = [len(floats) == 1 and x.type.rank == 0 for x in body.results]
    reverse = Reverse(supply, calls, varied, absorbing(lam.params, body, alone, calls, finite=True))
    scope = Scope("whole", Builder(supply), [*lam.params, *bound_in(body)])
    seeds = reverse.seeds(scope, body.results)
    forward = reverse.sweep(scope, body.stmts)
    cotangents = []
    for p in inputs:
        ct = scope.take(p)
        cotangents.append(scope.b.zeros_like(p) if ct is None else ct)
    back = prune(scope.b.block(cotangents))
    stmts = (*forward, *back.stmts) if mark is None else (*forward, mark(False), *back.stmts, mark(True))
    return Lambda((*lam.params, *seeds), Block(stmts, (*body.results, *back.results)))


def prepared(body: Block, inputs: Sequence[Var], supply: Fresh, calls: Calls, schedule: Schedule = ""
             ) -> tuple[Block, set[Var]]:
    """The body with folds that vary written as loops, which go by the schedule, and what varies in it."""
    varied = varying(body, inputs, calls)

    def varies(stmt: Stmt) -> bool:
        return any(v in varied for v in stmt.vars)

    loops = sequentialize(body, supply, varies)
    if schedule:
        varied = varied if loops is body else varying(loops, inputs, calls)
        loops = in_pieces(loops, supply, varies, schedule == "log")
    return loops, varied if loops is body else varying(loops, inputs, calls)


class Reverse:
    def __init__(self, supply: Fresh, calls: ReverseCalls, varied: set[Var],
                 absorbing: tuple[set[Var], set[Var]], schedule: Schedule = "") -> None:
        self.absorbing, self.surely = absorbing
        self.schedule = schedule
        self.supply = supply
        self.calls = calls
        self.varied = varied
        self.roots: Roots = {}
        self.once: Callable[[Stmt], bool] = lambda stmt: False
        """Statements that must not run again: in recursive functions those that call them."""
        self.trimmed: set[Var] = set()
        """Arrays that grew in loops, without the room that is left."""
        self.sequential: dict[int, Lambda] = {}
        """Bodies of maps, by identity, that are reversed as loops."""

    def varies(self, x: Atom) -> bool:
        return isinstance(x, Var) and x in self.varied

    def seeds(self, scope: Scope, results: Sequence[Atom], wanted: Sequence[bool] | None = None) -> list[Var]:
        """A cotangent parameter to each float result (that is wanted)."""
        seeds = []
        for k, x in enumerate(results):
            if x.type.is_float and (wanted is None or wanted[k]):
                seed = self.supply.var(f"{x.name}_adj" if isinstance(x, Var) else "adj", x.type)
                seeds.append(seed)
                if self.varies(x):
                    scope.add(x, seed)
        return seeds

    def sweep(self, scope: Scope, stmts: Sequence[Stmt]) -> list[Stmt]:
        """Write the reverse sweep; returns the forward statements, which may have more results now, for it to read."""
        forward = [(stmt,) for stmt in stmts]
        replaced: dict[int, list[Stmt]] = {}
        adjoints = scope.adjoints
        for k in range(len(stmts) - 1, -1, -1):
            stmt = stmts[k]
            if any(v in adjoints for v in stmt.vars):
                scope.b.span = adjoint(stmt.span)
                replaced[k] = self.statement(scope, stmt)
        return [s for k, part in enumerate(forward) for s in replaced.get(k, part)]

    def statement(self, scope: Scope, stmt: Stmt) -> list[Stmt]:
        cts = [scope.take(v) for v in stmt.vars]
        match stmt.op:
            case ir.Prim() as op:
                if cts[0] is not None:
                    self.primitive(scope, stmt.vars[0], op, cts[0])
                return [stmt]
            case ir.If() as op:
                return reverse_if(self, scope, stmt, op, cts)
            case ir.Map() as op:
                return reverse_map(self, scope, stmt, op, cts)
            case ir.Loop() as op:
                return reverse_loop(self, scope, stmt, op, cts)
            case ir.Call() as op:
                return self.call(scope, stmt, op, cts)
            case ir.Custom() as op:
                return self.custom(scope, stmt, op, cts)
            case ir.Reduce() | ir.Scan() | ir.Diff():
                raise AssertionError(f"{type(stmt.op).__name__} is rewritten before reverse mode")

    def primitive(self, scope: Scope, y: Var, op: ir.Prim, ct: Atom) -> None:
        b, args = scope.b, op.args
        active = [self.varies(x) for x in args]
        if not any(active):
            return
        x = args[0]
        match op.name:
            case "index" | "gather":
                # Of an index made by the compiler nothing says that it is not -1.
                assert isinstance(x, Var)
                scope.add_read(x, Read(args[1:], ct, holes=op.name == "gather"))
                return
            case "slice":
                axis = op.attr("axis")
                assert isinstance(x, Var)
                assert isinstance(axis, int)
                scope.add_read(x, SliceRead(args[1], args[2], args[3], axis, ct))
                return
        record = PRIMITIVES[op.name]
        if record.partials is not None:
            for k, (x, partial) in enumerate(zip(args, record.partials(b, args, y, active), strict=True)):
                if partial is not None and self.varies(x):
                    singular = record.singular or y in self.absorbing
                    scope.add(x, pulled(b, ct, partial, x, singular, k in record.chooses))
        elif record.vjp is not None:
            start = len(b.stmts)
            parts = record.vjp(b, args, y, ct, dict(op.attrs))
            if op.name in WRITES:
                # The cotangent is read before it is written, so that it can be written in place.
                made = b.stmts[start:]
                writes = [isinstance(s.op, ir.Prim) and s.op.name in WRITES and s.op.args[0] is ct for s in made]
                b.stmts[start:] = [s for s, last in zip(made, writes, strict=True) if not last]
                b.stmts.extend(s for s, last in zip(made, writes, strict=True) if last)
            for x, part in zip(args, parts, strict=True):
                if part is not None and self.varies(x):
                    scope.add(x, part)

    def call(self, scope: Scope, stmt: Stmt, op: ir.Call, cts: Sequence[Atom | None]) -> list[Stmt]:
        # f_fwd gives the results and what f_bwd needs of the values inside.
        wanted = tuple(ct is not None for ct in cts)
        once = not scope.repeats()
        carried: tuple[bool, ...] = ()
        if self.calls.runs_again(op.function):
            # Cotangents go through the function, so that they are summed up as if it were written out.
            carried = tuple(isinstance(x, Var) and self.varies(x) and x not in op.args[:k]
                            and (x in scope.adjoints or (x.type.rank > 0 and scope.carries(x)))
                            for k, x in enumerate(op.args))
        surely = tuple([v in self.surely for v in stmt.vars])
        split = self.calls.split(op.function, tuple(map(self.varies, op.args)), wanted, once, carried, self.schedule,
                                 surely)
        saved = tuple(self.supply.var("saved", type) for type in split.saved)
        args = [*(op.args[k] for k in split.params), *saved, *(ct for ct in cts if ct is not None)]
        for k in split.carried:
            x = op.args[k]
            assert isinstance(x, Var)
            args.append(scope.dense(x))
        parts = iter(scope.b.bind(ir.Call(split.backward, tuple(args), split.types)))
        for part in split.returned:
            x = op.args[part.param]
            indices = tuple(next(parts) for _ in range(part.indices))
            ct = next(parts)
            assert isinstance(x, Var)
            if part.carried:
                scope.adjoint(x).dense = ct
            elif indices:
                scope.add_read(x, Read(indices, ct, part.holes))
            else:
                scope.add(x, ct)
        if split.forward == op.function:
            return [stmt]
        return [Stmt((*stmt.vars, *saved), ir.Call(split.forward, op.args, op.types + split.saved), stmt.span)]


    def custom(self, scope: Scope, stmt: Stmt, op: ir.Custom, cts: Sequence[Atom | None]) -> list[Stmt]:
        # To the arguments goes what the rule makes of the cotangents; captured variables are reached through the code.
        b = scope.b
        if any(map(self.varies, op.args)):
            rule = op.rule if op.mode == "vjp" else self.calls.transposed(op, self.supply)
            pairs = zip(stmt.vars, cts, strict=True)
            seeds = [b.zeros_like(y) if ct is None else ct for y, ct in pairs if y.type.is_float]
            made = apply_rule(b, rule, (*op.args, *stmt.vars, *seeds), adjoint)
            for x, part in zip([x for x in op.args if x.type.is_float], made, strict=True):
                if self.varies(x):
                    scope.add(x, part)
        copies = Builder(self.supply, stmt.span)
        again = captured(self, copies, op)
        if again is None:
            return [stmt]
        again = sequentialize(again, self.supply, lambda s: any(v in self.varied for v in s.vars))
        self.varied |= varying(again, [v for v in free_vars(again) if self.varies(v)], self.calls)
        scope.local.update(bound_in(again))
        for x, ct in zip(again.results, cts, strict=True):
            if ct is not None and self.varies(x):
                scope.add(x, ct)
        return [stmt, *copies.stmts, *self.sweep(scope, again.stmts)]


def pulled(b: Builder, ct: Atom, partial: Atom, x: Atom, singular: bool, chooses: bool) -> Atom:
    """The cotangent times the partial derivative; summed up if `x` is a scalar that met an array."""
    if ct.type.rank == x.type.rank:
        return times(b, ct, partial, singular, chooses)
    if partial.type.rank == 0:
        return times(b, total(b, ct), partial, singular, chooses)
    return total(b, times(b, ct, partial, singular, chooses))


def total(b: Builder, x: Atom) -> Atom:
    """The sum over all axes."""
    for _ in range(x.type.rank):
        x = b.prim("sum", x, axis=0)
    return x
