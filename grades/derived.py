"""Derivatives that a program takes, and functions with rules of their own.

The body of a derivative is walked with its parameters, and what moves of what it captures, for roots. A function that
is Cᵏ in two of them together has derivatives along one that are Cᵏ⁻¹ in both.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.walk import free_vars
from .lattice import Grade, Grades, compose, join, joined, lowered, times
from .promises import trust
from .report import Obligation, Step
from .values import Value

if TYPE_CHECKING:
    from .facts import Facts
    from .terms import Term
    from .walk import Walker


class Inner:
    """A block walked with roots of its own: `args` for its parameters, and everything that moves and is captured."""

    def __init__(self, w: Walker, params: Sequence[ir.Var], args: Sequence[Value], block: ir.Block,
                 env: Mapping[ir.Var, Value], moving: Sequence[bool] | None = None) -> None:
        self.w = w
        self.sources: dict[str, Value] = {}
        self.roots: list[str | None] = []
        self.sizes: dict[Term, Value] = {}
        activity, near, exact = w.activity, w.near, w.exact
        w.activity = {}
        inner = dict(env)
        for k, (p, v) in enumerate(zip(params, args, strict=True)):
            moves = p.type.is_float if moving is None else moving[k]
            inner[p] = self.local(p, v, moves)
        for var in free_vars(block, tuple(params)):
            if var in env and env[var].grades:
                inner[var] = self.local(var, env[var], True)
        start = w.near, w.exact
        self.results = w.block(block, inner)
        self.bounds = [w.bounds(v) for v in self.results]
        w.activity, w.near, w.exact = activity, near, exact
        del start

    def local(self, var: ir.Var, v: Value, moves: bool) -> Value:
        w = self.w
        bounds = w.bounds(v)
        shape = tuple(map(self.size, v.shape)) if v.shape is not None else None
        if not moves and not v.grades:
            self.roots.append(None)
            return Value(term=v.term, cond=v.cond, shape=shape, rows=None, squares=v.squares)
        root = f"\1{w.next()}"
        w.alias[root] = tuple(v.grades) or (var.name,)
        self.roots.append(root)
        self.sources[root] = v
        found = w.unknown({root: "affine"}, (), None, var.name, var.type, bounds=bounds, shape=shape)
        found.steps = {root: Step(None, var.name, "affine")}
        return found

    def size(self, v: Value) -> Value:
        """A number of elements, which roots outside may move."""
        if not v.grades or v.term is None:
            return v
        if v.term not in self.sizes:
            w = self.w
            root = f"\1{w.next()}"
            w.alias[root] = tuple(v.grades)
            self.sources[root] = v
            term = w.fresh("n", {root: "affine"}, w.bounds(v), integer=True)
            self.sizes[v.term] = Value({root: "affine"}, {root: Step(None, "n", "affine")}, term)
        return self.sizes[v.term]

    def outside(self, grades: Grades, extra: Sequence[Grades] = ()) -> dict[str, Grade]:
        """Grades in the roots outside, from those in the roots here."""
        parts = [{root: compose(grade, here) for root, here in self.sources[mine].grades.items()}
                 for mine, grade in grades.items() if mine in self.sources]
        return joined((*parts, *extra))


def values(w: Walker, inner: Inner, stmt: ir.Stmt, count: int) -> list[Value]:
    """The results of the body, outside."""
    found = []
    of = list(inner.sources.values())
    for v, var, b in zip(inner.results[:count], stmt.vars, inner.bounds, strict=False):
        grades = inner.outside(v.grades)
        if not var.type.is_float:
            grades = dict.fromkeys(grades, "flat")
        found.append(w.unknown(grades, of, stmt.span, var.name, var.type, bounds=b, shape=v.shape))
    return found


def diff(w: Walker, stmt: ir.Stmt, op: ir.Diff, env: dict[ir.Var, Value]) -> list[Value]:
    args = [w.atom(a, env) for a in op.args]
    seeds = [w.atom(a, env) for a in op.seeds]
    inner = Inner(w, op.body.params, args, op.body.body, env)
    body = op.body.body.results
    found = values(w, inner, stmt, len(body))
    of = [*inner.sources.values(), *seeds]
    floats = [(k, p) for k, p in enumerate(op.body.params) if p.type.is_float]
    params = [inner.roots[k] for k, _ in floats]
    results = [v for v, a in zip(inner.results, body, strict=True) if a.type.is_float]
    rest = stmt.vars[len(body):]
    if op.mode == "vjp":
        for root, var, (k, _) in zip(params, rest, floats, strict=True):
            parts = [times(inner.outside(along(v.grades, root)), seed.grades)
                     for v, seed in zip(results, seeds, strict=True) if root in v.grades]
            found.append(w.unknown(joined(parts), of, stmt.span, "derivative", var.type, shape=args[k].shape))
    else:
        for v, var in zip(results, rest, strict=True):
            parts = [times(inner.outside(along(v.grades, root)), seed.grades)
                     for root, seed in zip(params, seeds, strict=True) if root in v.grades]
            found.append(w.unknown(joined(parts), of, stmt.span, "derivative", var.type, shape=v.shape))
    return found


def along(grades: Grades, root: str | None) -> dict[str, Grade]:
    """Grades of the derivative along a root, from those of the function."""
    if root is None or root not in grades:
        return {}
    mine = grades[root]
    if mine == "flat":
        # What is constant but where it jumps has the derivative 0, which the other roots do not change.
        mine = "jump"
    found = {other: lowered(join(mine, grade)) for other, grade in grades.items()}
    return {other: grade for other, grade in found.items() if grade != "none"}


# ---------------------------------------------------------------- rules of the program's own


def custom(w: Walker, stmt: ir.Stmt, op: ir.Custom, env: dict[ir.Var, Value]) -> list[Value]:
    args = [w.atom(a, env) for a in op.args]
    if op.origin is None:
        return implicit(w, stmt, op, env, args)
    trust(w, op.origin.rule, "rule", f"the derivative of {', '.join(op.origin.args) or 'a function'}")
    results = w.block(op.body.body, {**env, **dict(zip(op.body.params, args, strict=True))})
    for k, (v, var) in enumerate(zip(results, stmt.vars, strict=True)):
        # The rule gives what is constant between its jumps a derivative: the gradient is not 0, and misses them.
        if var.type.is_float and "flat" in v.grades.values():
            grades: Grades = {root: "jump" if grade == "flat" else grade for root, grade in v.grades.items()}
            results[k] = w.unknown(grades, (v,), stmt.span, "derivative rule", var.type, bounds=w.bounds(v),
                                   shape=v.shape)
    return results


RAISED: dict[Grade, Grade] = {"none": "affine", "affine": "smooth", "smooth": "smooth", "cont": "C1", "flat": "jump"}


def raised(grade: Grade) -> Grade:
    """The grade of a function whose derivative has this grade."""
    if grade in RAISED:
        return RAISED[grade]
    if grade == "lip":
        return "C1+"
    if grade[0] == "C":
        return f"C{int(grade[1]) + 1}{grade[2:]}" if grade[1] != "9" else grade
    return "jump"


SEARCHES = {"prelude__fixpoint_with": "fixpoint", "prelude__root_with": "solve", "prelude__minimiser_with": "argmin"}


def regular(w: Walker, stmt: ir.Stmt, op: ir.Custom, args: Sequence[Value], results: Sequence[Value]) -> bool:
    """Whether the derivative of an equation in its unknown is not 0 at solutions, as the implicit function theorem
    asks: x ** 3 = c has no slope at c = 0. Noted down where that is not shown; of several unknowns taken on trust."""
    name = next((said for f in reversed(w.where) for s, said in SEARCHES.items() if f.startswith(s)), "implicit")
    if w.trusting:
        return True
    if len(results) != 1 or op.body.body.results[0].type.rank:
        trust(w, w.place(stmt.span), "rule", f"the equations of `{name}` are not singular at the solution")
        return True
    moved = bool(results[0].held)
    slope, shown_ = pivot(w, op, args, results[0], moved)
    if slope or w.quiet:
        return slope
    key = ("singular", id(stmt.op))
    if key not in w.obligations:
        roots = {root: "jump" for v in (*args, *results) for root in {**v.grades, **v.held}}
        w.obligations[key] = Obligation(
            w.place(stmt.span), name, shown_ or "the slope of its equation",
            "nowhere 0, since its start moves" if moved else "not 0",
            "nothing is known of its sign", w.seen(roots), False, "outside",
            "bound the parameters so that the equation's derivative in its unknown is not 0; or name the result and "
            "say `assume C1(x) \"one solution, which is not flat\"`", w.where[-1] if w.where else "", stmt.span)
    return slope


def pivot(w: Walker, op: ir.Custom, args: Sequence[Value], result: Value, everywhere: bool) -> tuple[bool, str]:
    """Whether the derivative of the equation is shown to be 0 at no solution, or nowhere at all, and what it is."""
    rule = op.rule.body.stmts[0].op if op.rule.body.stmts else None
    if not isinstance(rule, ir.Call) or rule.function not in w.program.functions:
        return False, ""
    function = w.program.functions[rule.function]
    unknown = function.params[len(args)]
    equation = next((s.op for s in function.body.stmts if isinstance(s.op, ir.Diff) and s.op.args == (unknown,)), None)
    if equation is None:
        return False, ""
    root = f"\1{w.next()}"
    w.alias[root] = ()
    x = w.unknown({root: "affine"}, (), None, "solution", unknown.type, bounds=w.bounds(result))
    inner = dict(zip(function.params, (*args, x), strict=False))
    body, order = equation.body, 1
    slopes = [s for s in body.body.stmts if isinstance(s.op, ir.Diff)]
    if len(slopes) == 1 and isinstance(slopes[0].op, ir.Diff) and slopes[0].op.args == body.params \
            and body.body.results == slopes[0].vars[-1:]:
        body, order = slopes[0].op.body, 2  # of a minimum: the function whose slope is 0
    start = w.near, w.exact
    inner[body.params[0]] = x
    w.quiet, w.trusting = w.quiet + 1, w.trusting + 1
    [found, *_] = w.block(body.body, inner)
    w.quiet, w.trusting = w.quiet - 1, w.trusting - 1
    w.near, w.exact = start
    if found.term is None or x.term is None:
        return False, ""
    if any(a is not x.term and root in w.activity.get(a, {}) for a in w.atoms(found.term)):
        return False, ""  # a sum or a search, of which there is no formula
    return apart(w, found.term, x.term, order, everywhere)


def apart(w: Walker, term: Term, x: Term, order: int, everywhere: bool) -> tuple[bool, str]:
    """Whether the derivative of this order in x is nowhere 0 where the one before is 0, or anywhere, and what it is.
    Where it is nowhere 0, there is one solution, wherever the search starts."""
    from .effort import TooHard
    from .prove import cases
    from .series import Expansion, Irregular, Series, Short, Split
    from .text import show

    value = w.near.normal(x)
    if value is None:
        return False, ""

    def run(near: Facts, at: Facts) -> Series:
        return Expansion(at, at, near, order + 2, 2, True, x, value).series(term)

    try:
        for series, _, facts, _ in cases(run, w.near, w.near):
            if series.val < 0 or series.order <= order or series.end <= order:
                return False, ""
            slope = series.at(order)
            level = facts.compared("==", slope).compared("==", series.at(order - 1))
            if not (facts.nonzero_poly(slope.num) or (not everywhere and (level.impossible or level.contradictory()))):
                text = show(slope.scale(math.factorial(order)))
                return False, text if len(text) <= 60 else ""
    except (Irregular, Short, Split, TooHard, ZeroDivisionError, RecursionError, OverflowError):
        return False, ""
    return True, ""


def implicit(w: Walker, stmt: ir.Stmt, op: ir.Custom, env: dict[ir.Var, Value], args: Sequence[Value]) -> list[Value]:
    """What solves an equation: as smooth as the equation, by the implicit function theorem, where the equation's own
    derivative is not singular. The rule that the compiler wrote is its derivative: that is looked at in its place."""
    results = w.block(op.body.body, {**env, **dict(zip(op.body.params, args, strict=True))})
    params = op.rule.params
    n, m = len(args), len(results)
    given = [*args, *results, *(Value() for _ in params[n + m:])]
    moving = [p.type.is_float and k < n + m for k, p in enumerate(params)]
    state = w.quiet, w.trusting
    w.quiet, w.trusting = w.quiet + 1, w.trusting + 1
    given[n + m:] = [w.unknown({}, (), None, p.name, p.type, shape=tuple(w.count() for _ in range(p.type.rank)))
                     for p in params[n + m:]]
    inner = Inner(w, params, given, op.rule.body, env, moving)
    w.quiet, w.trusting = state
    derivative = joined(v.grades for v in inner.results)
    worst: Grade = "none"
    for grade in derivative.values():
        worst = join(worst, grade)
    grade = raised(worst)
    if grade == "affine":
        grade = "smooth"
    grades: Grades = joined({root: compose(grade, here) for root, here in v.grades.items()} for v in args)
    start: Grades = dict.fromkeys(results[0].held if len(results) == 1 else (), "flat")
    if (grades or start) and not regular(w, stmt, op, args, results):
        grades = {**start, **dict.fromkeys(grades, "jump")}
    found = []
    for v, var in zip(results, stmt.vars, strict=True):
        found.append(w.unknown(grades if var.type.is_float else dict.fromkeys(grades, "flat"), args, stmt.span,
                               "root", var.type, bounds=w.bounds(v), shape=v.shape))
    return found
