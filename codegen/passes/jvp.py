"""Forward mode: tangents carried along with values.

In: a function body and the inputs that vary. Out: the same statements, each followed by those that give its tangent.
`x_tan` is the tangent of `x`; where it is zero by construction there is none, and no code. Every structure stays: a
map's tangent is in the map, an arm's in the arm, a loop carries tangents of the states that vary (`activity` found
which), a fold's operator becomes the operator on dual numbers, which is associative when the operator is.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Lambda, Op, Stmt, Var
from ...lang.core.part import tangent as tangent_span
from ...lang.core.walk import Renamer, free_vars
from ...lang.prims import PRIMITIVES
from ...lang.source import Span
from .activity import Calls, varying
from .recompute import Rerun
from .slopes import times

if TYPE_CHECKING:
    from .vjp import Reverse


class ForwardCalls(Calls, Protocol):
    def jvp_function(self, function: str, varying: tuple[bool, ...]) -> str:
        """From arguments, and tangents of those that vary, to results, and tangents of those that vary."""

    def transposed(self, op: ir.Custom, supply: Fresh) -> Lambda:
        """The rule of a custom derivative for the other mode."""


def jvp_lambda(
    lam: Lambda, supply: Fresh, calls: ForwardCalls, inputs: Sequence[Var] | None = None, zeros: bool = True
) -> Lambda:
    """The lambda from parameters, and a tangent to each of `inputs`, to results, and a tangent to each float result.

    `inputs` are float parameters, all by default. With `zeros` False only results that vary have a tangent.
    """
    chosen = [p for p in lam.params if p.type.is_float] if inputs is None else list(inputs)
    forward = Forward(supply, calls, varying(lam.body, chosen, calls))
    seeds = forward.params(chosen)
    b = Builder(supply)
    forward.statements(b, lam.body.stmts)
    results = [x for x in lam.body.results if x.type.is_float and (zeros or forward.varies(x))]
    tangents = tuple(forward.tangent(b, x) for x in results)
    return Lambda((*lam.params, *seeds), b.block((*lam.body.results, *tangents)))


class Forward:
    def __init__(self, supply: Fresh, calls: ForwardCalls, varied: set[Var]) -> None:
        self.supply = supply
        self.calls = calls
        self.varied = varied
        self.tangents: dict[Var, Atom] = {}

    # ------------------------------------------------------------ tangents

    def varies(self, x: Atom) -> bool:
        return isinstance(x, Var) and x in self.varied

    def known(self, x: Atom) -> Atom | None:
        return self.tangents.get(x) if isinstance(x, Var) else None

    def tangent(self, b: Builder, x: Atom) -> Atom:
        """The tangent of `x`, zeros if there is none."""
        found = self.known(x)
        return b.zeros_like(x) if found is None else found

    def params(self, params: Sequence[Var]) -> list[Var]:
        """Tangent parameters to those parameters that vary."""
        seeds = []
        for p in params:
            if p in self.varied:
                seed = self.supply.var(p.name + "_tan", p.type)
                self.tangents[p] = seed
                seeds.append(seed)
        return seeds

    # ------------------------------------------------------------ statements

    def statements(self, b: Builder, stmts: Sequence[Stmt]) -> None:
        for stmt in stmts:
            b.span = tangent_span(stmt.span)
            if any(v in self.varied for v in stmt.vars):
                self.statement(b, stmt)
            else:
                b.stmts.append(stmt)

    def statement(self, b: Builder, stmt: Stmt) -> None:
        match stmt.op:
            case ir.Prim() as op:
                self.primitive(b, stmt, op)
            case ir.Call(function, args, types):
                pattern = tuple(map(self.varies, args))
                name = self.calls.jvp_function(function, pattern)
                results = self.calls.varying_results(function, pattern)
                tangents = tuple(self.tangent(b, x) for x in args if self.varies(x))
                dual = tuple(t for t, active in zip(types, results, strict=True) if active)
                call = ir.Call(name, args + tangents, types + dual)
                self.bind(b, stmt, call, [v for v, active in zip(stmt.vars, results, strict=True) if active])
            case ir.If(cond, then, orelse):
                live = [k for k, v in enumerate(stmt.vars) if v in self.varied]
                arms = [self.block(b, arm, arm.results, [arm.results[k] for k in live]) for arm in (then, orelse)]
                self.bind(b, stmt, ir.If(cond, *arms), [stmt.vars[k] for k in live])
            case ir.Map(arrays, lam, shapes):
                live = [k for k, v in enumerate(stmt.vars) if v in self.varied]
                seeds = self.params(lam.params)
                pairs = zip(lam.params, arrays, strict=True)
                tangents = tuple(self.tangent(b, x) for p, x in pairs if p in self.varied)
                body = self.block(b, lam.body, lam.body.results, [lam.body.results[k] for k in live])
                dual_lam = Lambda((*lam.params, *seeds), body)
                dual_shapes = shapes + tuple(shapes[k] for k in live)
                self.bind(b, stmt, ir.Map(arrays + tangents, dual_lam, dual_shapes), [stmt.vars[k] for k in live])
            case ir.Reduce() | ir.Scan():
                self.fold(b, stmt, stmt.op)
            case ir.Loop():
                self.loop(b, stmt, stmt.op)
            case ir.Custom():
                self.custom(b, stmt, stmt.op)
            case ir.Diff():
                raise AssertionError("derivatives inside are taken before those outside")

    def bind(self, b: Builder, stmt: Stmt, op: Op, dual: Sequence[Var]) -> None:
        """Write the operation whose results are those of `stmt`, then the tangents of `dual`."""
        seeds = [self.supply.var(v.name + "_tan", v.type) for v in dual]
        b.stmts.append(Stmt((*stmt.vars, *seeds), op, stmt.span))
        self.tangents.update(zip(dual, seeds, strict=True))

    def block(self, b: Builder, block: Block, results: Sequence[Atom], dual: Sequence[Atom]) -> Block:
        inner = b.nested()
        self.statements(inner, block.stmts)
        return inner.block((*results, *(self.tangent(inner, x) for x in dual)))

    def primitive(self, b: Builder, stmt: Stmt, op: ir.Prim) -> None:
        # dy = sum over arguments of (d y / d x) dx
        record = PRIMITIVES[op.name]
        y = stmt.vars[0]
        tangents = [self.known(x) if self.varies(x) else None for x in op.args]
        if record.toward is not None:
            name, args = record.toward(op.args, tangents)
            b.stmts.append(Stmt((y,), ir.Prim(name, args, op.attrs), stmt.span))
        else:
            b.stmts.append(stmt)
        total: Atom | None = None
        if record.partials is not None:
            partials = record.partials(b, op.args, y, [t is not None for t in tangents])
            for k, (partial, t) in enumerate(zip(partials, tangents, strict=True)):
                if partial is not None and t is not None:
                    term = times(b, t, partial, record.singular, k in record.chooses)
                    total = term if total is None else b.add(total, term)
        elif record.jvp is not None:
            total = record.jvp(b, op.args, y, tangents, dict(op.attrs))
        if total is not None:
            self.tangents[y] = full_rank(b, total, y)

    def custom(self, b: Builder, stmt: Stmt, op: ir.Custom) -> None:
        # dy = rule args y dargs + tangent by captured variables
        b.stmts.append(stmt)
        again = captured(self, b, op)
        if again is not None:
            self.statements(b, again.stmts)
            for y, x in zip(stmt.vars, again.results, strict=True):
                known = self.known(x)
                if known is not None:
                    self.tangents[y] = known
        b.span = tangent_span(stmt.span)
        if not any(map(self.varies, op.args)):
            return
        rule = op.rule if op.mode == "jvp" else self.calls.transposed(op, self.supply)
        seeds = [self.tangent(b, x) for x in op.args if x.type.is_float]
        made = apply_rule(b, rule, (*op.args, *stmt.vars, *seeds), tangent_span)
        for y, t in zip([y for y in stmt.vars if y.type.is_float], made, strict=True):
            before = self.tangents.get(y)
            self.tangents[y] = t if before is None else b.add(before, t)

    def fold(self, b: Builder, stmt: Stmt, op: ir.Reduce | ir.Scan) -> None:
        count = len(op.neutral)
        accumulators, elements = op.body.params[:count], op.body.params[count:]
        live = [k for k, p in enumerate(accumulators) if p in self.varied]
        neutral = tuple(self.tangent(b, op.neutral[k]) for k in live)
        arrays = tuple(self.tangent(b, op.arrays[k]) for k in live)
        params = (*accumulators, *self.params(accumulators), *elements, *self.params(elements))
        results = op.body.body.results
        lam = Lambda(params, self.block(b, op.body.body, results, [results[k] for k in live]))
        make = ir.Reduce if isinstance(op, ir.Reduce) else ir.Scan
        self.bind(b, stmt, make(op.arrays + arrays, op.neutral + neutral, lam), [stmt.vars[k] for k in live])

    def loop(self, b: Builder, stmt: Stmt, op: ir.Loop) -> None:
        # Results: states, their tangents, stacks, their tangents, and of a `while` the number of iterations.
        states = len(op.params)
        live = [k for k, p in enumerate(op.params) if p in self.varied]
        results = op.body.results
        rows = [k for k in range(states, len(results)) if self.varies(results[k])]
        init = tuple(self.tangent(b, op.init[k]) for k in live)
        cond = op.cond
        if cond is not None:
            unused = [self.supply.var(cond.params[k].name + "_tan", cond.params[k].type) for k in live]
            cond = Lambda((*cond.params, *unused), cond.body)
        seeds = self.params(op.params)
        inner = b.nested()
        self.statements(inner, op.body.stmts)
        next_tangents = tuple(self.tangent(inner, results[k]) for k in live)
        row_tangents = tuple(self.tangent(inner, results[k]) for k in rows)
        body = inner.block((*results[:states], *next_tangents, *results[states:], *row_tangents))
        shapes = op.collect_shapes + tuple(op.collect_shapes[k - states] for k in rows)
        dual = [stmt.vars[k] for k in (*live, *rows)]
        made = [self.supply.var(v.name + "_tan", v.type) for v in dual]
        self.tangents.update(zip(dual, made, strict=True))
        stacks = stmt.vars[states:len(results)]
        vars = (*stmt.vars[:states], *made[:len(live)], *stacks, *made[len(live):], *stmt.vars[len(results):])
        loop = ir.Loop(op.count, cond, op.index, (*op.params, *seeds), op.init + init, body, shapes, op.ragged, op.part)
        b.stmts.append(Stmt(vars, loop, stmt.span))


def full_rank(b: Builder, x: Atom, like: Atom) -> Atom:
    """`x`, or the array of `like`'s shape with the scalar `x` everywhere."""
    return x if x.type.rank == like.type.rank else b.full(x, b.shape(like))


def apply_rule(
    b: Builder, rule: Lambda, given: Sequence[Atom], part: Callable[[Span | None], Span | None]
) -> tuple[Atom, ...]:
    """Write the statements of a rule, with fresh names, as that part of the derivative, and give its results."""
    copy = _Written(b.supply, dict(zip(rule.params, given, strict=True)), part).block(rule.body)
    b.stmts.extend(copy.stmts)
    return copy.results


class _Written(Renamer):
    def __init__(self, supply: Fresh, env: dict[Var, Atom], part: Callable[[Span | None], Span | None]) -> None:
        super().__init__(supply, env)
        self.part = part

    def stmt(self, stmt: Stmt) -> Stmt:
        made = super().stmt(stmt)
        return Stmt(made.vars, made.op, self.part(made.span))


def captured(of: Forward | Reverse, b: Builder, op: ir.Custom) -> Block | None:
    """The body of a function with a rule once more, as code to differentiate with respect to what it captures, if any
    of that varies. Its arguments come in as copies, which do not vary here, but do in derivatives of this derivative.
    """
    free = [v for v in free_vars(op.body.body, op.body.params) if of.varies(v)]
    if not free:
        return None
    given = {p: copy(b, x) if of.varies(x) else x for p, x in zip(op.body.params, op.args, strict=True)}
    block = Rerun(b.supply, given).block(op.body.body)
    of.varied |= varying(block, free, of.calls)
    return block


def copy(b: Builder, x: Atom) -> Atom:
    """Another variable for `x`, with its derivatives."""
    p, q, y, t = (b.fresh("x", x.type) for _ in range(4))
    return b.bind(ir.Custom("jvp", Lambda((p,), Block((), (p,))), Lambda((q, y, t), Block((), (t,))), (x,)), "x")[0]
