"""Maps, folds and loops. What they do is found with one element that stands for all, or one state that stands for all
iterations, by fixpoint: grades only get worse, and there are finitely many; intervals are widened to 0, 1 or nothing.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from ..lang.core import ir
from .intervals import EVERYTHING, Interval
from .lattice import Grades, at_least, joined
from .report import Branch
from .terms import Term, atoms, show_condition
from .values import MATRICES, Value, chains, replaced, replaced_in

if TYPE_CHECKING:
    from .walk import Walker

ROUNDS = 40
"""More than the grades of a few roots can get worse in a row; then all are taken for the worst."""


def flat_of(values: Sequence[Value]) -> Grades:
    return {root: "flat" for v in values for root in v.grades}


def count_of(arrays: Sequence[Value]) -> Value | None:
    return next((v.shape[0] for v in arrays if v.shape), None)


def sizes_of(arrays: Sequence[Value]) -> Grades:
    """The roots that a number of elements changes with."""
    return flat_of([v.shape[0] for v in arrays if v.shape])


# ---------------------------------------------------------------- elements


PLACES = "ijklmn"
"""What messages call the places of elements, in maps in maps."""


class Elements:
    """One element of each array, the same place of all. What their formulas say of each other is kept."""

    def __init__(self, w: Walker) -> None:
        self.w = w
        self.inner: dict[Term, Term] = {}
        self.outer: dict[Term, Term] = {}

    def of(self, v: Value, param: ir.Var) -> Value:
        w = self.w
        t = param.type
        shape = v.shape[1:] if v.shape is not None and t.rank else None
        cells = [c for part in self.parts(v) for c in atoms(part) if c in w.cells]
        for c in cells:
            if c not in self.inner:
                name = self.named(c, param.name if v.term is c and not t.rank else c.name)
                made = w.fresh(name, w.activity.get(c, {}), (w.near.interval(c), w.exact.interval(c)),
                               integer=c.integer, cell=t.rank > 0)
                if t.rank and c in w.arrays:
                    w.arrays.add(made)
                self.inner[c], self.outer[made] = made, c
            elif t.rank:
                w.cells.add(self.inner[c])
        term = replaced(v.term, self.inner) if v.term is not None else None
        cond = replaced_in(v.cond, self.inner) if v.cond is not None else None
        origin = v.origin if v.origin is not None and v.origin[0] not in MATRICES else None
        return Value(v.grades, v.steps, term, cond, v.under, shape, squares=v.squares, origin=origin)

    def named(self, c: Term, otherwise: str) -> str:
        """What messages call an element: `ys[i]`, where the array is a parameter, or one of its rows."""
        place = PLACES[min(self.w.nested, len(PLACES) - 1)]
        if c.integer and c.name == "is":
            return place
        if c not in self.w.arrays:
            return otherwise
        return f"{c.name[:-1]}, {place}]" if c.name.endswith("]") else f"{c.name}[{place}]"

    def parts(self, v: Value) -> list[Term]:
        if v.cond is not None:
            from .terms import compared

            return compared(v.cond)
        return [v.term] if v.term is not None else []

    def back(self, v: Value, t: ir.Type, made: set[Term], shape: tuple[Value, ...] | None, name: str,
             count: Grades) -> Value:
        """The array of such results; `made` are atoms that came up meanwhile."""
        w = self.w
        grades = joined((v.grades, count)) if t.is_float else {**count, **flat_of([v])}
        steps = v.steps
        if set(grades) != set(v.grades):
            steps = chains(grades, (v,), None, "the number of elements", False)
        if t.dtype == "bool":
            cond = replaced_in(v.cond, self.outer) if v.cond is not None else None
            for part in self.parts(Value(cond=cond)):
                w.cells.update(a for a in atoms(part) if a in made)
            return Value(grades, steps, None, cond, v.under, shape)
        squares = v.squares
        if v.term is None:
            return Value(grades, steps, w.fresh(name, grades, integer=not t.is_float, cell=True), shape=shape,
                         squares=squares)
        found = atoms(v.term)
        own = {a for a in found if a in w.cells}
        if t.rank > 1 and not all(a in self.outer or a in made for a in own):
            term = w.fresh(name, grades, w.bounds(v), integer=not t.is_float, cell=True)
            return Value(grades, steps, term, shape=shape, squares=squares)
        w.cells.update(a for a in found if a in made)
        term = replaced(v.term, self.outer)
        return Value(grades, steps, term, shape=shape, squares=squares)


def map_(w: Walker, stmt: ir.Stmt, op: ir.Map, env: dict[ir.Var, Value]) -> list[Value]:
    arrays = [w.atom(a, env) for a in op.arrays]
    count = count_of(arrays)
    elements = Elements(w)
    near, exact = w.near, w.exact
    start = len(w.made)
    given = [elements.of(v, p) for v, p in zip(arrays, op.body.params, strict=True)]
    w.nested += 1
    results = w.block(op.body.body, {**env, **dict(zip(op.body.params, given, strict=True))})
    w.nested -= 1
    made = set(w.made[start:])
    sizes = sizes_of(arrays)
    found = []
    # What checks in the body show of an element holds of all elements from here on.
    shown = [(c, (w.near.interval(m), w.exact.interval(m))) for c, m in elements.inner.items()]
    bounds = [w.bounds(v) if v.term is not None and v.term.op == "atom" else None for v in results]
    w.near, w.exact = near, exact
    for c, b in shown:
        w.within(c, b)
    w.recall(start)
    for v, var, inside, here in zip(results, stmt.vars, op.shapes, bounds, strict=True):
        whole = (count, *(w.atom(a, env) for a in inside)) if count is not None else None
        back = elements.back(v, var.type, made, whole, var.name, sizes)
        if back.term is not None and here is not None and back.term.op != "number":
            w.within(back.term, here)
        found.append(back)
    return found


# ---------------------------------------------------------------- states


def state(w: Walker, grades: Sequence[Grades], like: Sequence[Value], params: Sequence[ir.Var],
          bounds: Sequence[tuple[Interval, Interval] | None], shapes: Sequence[tuple[Value, ...] | None],
          squares: Sequence[Grades | None]) -> list[Value]:
    """A state that stands for those of all iterations."""
    found = []
    for g, v, p, b, shape, sq in zip(grades, like, params, bounds, shapes, squares, strict=True):
        if p.type.dtype == "bool":
            cond = w.undecided(p.name, g, cell=p.type.rank > 0)
            found.append(Value(g, chains(g, (v,), None, p.name, True), None, cond, g, shape))
            continue
        term = w.fresh(p.name, g, b, integer=not p.type.is_float, cell=p.type.rank > 0)
        found.append(Value(g, chains(g, (v,), None, p.name, False), term, shape=shape, squares=sq))
    return found


LOW = (Fraction(1), Fraction(0), Fraction(-1))


def widened(before: Interval, after: Interval) -> Interval:
    """An interval with both in it, whose ends move in few steps."""
    lo, lo_open, hi, hi_open = before.lo, before.lo_open, before.hi, before.hi_open
    if after.lo < lo or (after.lo == lo and lo_open and not after.lo_open):
        lo, lo_open = next(((m, m < after.lo or after.lo_open) for m in LOW if m <= after.lo), (-math.inf, True))
        if lo == before.lo and lo_open == before.lo_open:
            lo, lo_open = (lo, False) if lo == after.lo else (-math.inf, True)
    if after.hi > hi or (after.hi == hi and hi_open and not after.hi_open):
        hi, hi_open = next(((-m, -m > after.hi or after.hi_open) for m in LOW if -m >= after.hi), (math.inf, True))
        if hi == before.hi and hi_open == before.hi_open:
            hi, hi_open = (hi, False) if hi == after.hi else (math.inf, True)
    return Interval(lo, hi, lo_open, hi_open)


def contains(a: Interval, b: Interval) -> bool:
    low = a.lo < b.lo or (a.lo == b.lo and (not a.lo_open or b.lo_open))
    high = a.hi > b.hi or (a.hi == b.hi and (not a.hi_open or b.hi_open))
    return low and high


class Fixpoint:
    """What holds of a state in all iterations, from what holds of the first."""

    def __init__(self, w: Walker, init: Sequence[Value], params: Sequence[ir.Var]) -> None:
        self.w, self.params, self.init = w, params, init
        self.grades: list[Grades] = [v.grades for v in init]
        self.bounds: list[tuple[Interval, Interval] | None] = [
            w.bounds(v) if not p.type.rank or v.term is not None else None
            for v, p in zip(init, params, strict=True)]
        self.shapes = [v.shape for v in init]
        self.squares = [v.squares for v in init]
        self.rounds = 0

    def state(self) -> list[Value]:
        return state(self.w, self.grades, self.init, self.params, self.bounds, self.shapes, self.squares)

    def wider(self, before: Interval, after: Interval) -> Interval:
        if contains(before, after):
            return before
        return widened(before, after) if self.rounds < ROUNDS // 2 else EVERYTHING

    def settled(self, after: Sequence[Value], bounds: Sequence[tuple[Interval, Interval] | None]) -> bool:
        """Whether the next state is like this one; otherwise this one becomes worse."""
        from .walk import same_shape

        self.rounds += 1
        done = True
        for k, v in enumerate(after):
            grades = joined((self.grades[k], v.grades))
            if self.rounds > ROUNDS:
                grades = at_least(grades, "jump")
            if grades != self.grades[k]:
                self.grades[k], done = grades, False
            here, now = self.bounds[k], bounds[k]
            if here is not None:
                wide = (self.wider(here[0], now[0]), self.wider(here[1], now[1])) if now is not None else None
                if wide != here:
                    self.bounds[k], done = wide, False
            if self.shapes[k] is not None and same_shape(Value(shape=self.shapes[k]), v) is None:
                self.shapes[k], done = None, False
            mine, theirs = self.squares[k], v.squares
            if mine is not None:
                merged = joined((mine, theirs)) if theirs is not None else None
                if merged != mine:
                    self.squares[k], done = merged, False
        return done


def loop(w: Walker, stmt: ir.Stmt, op: ir.Loop, env: dict[ir.Var, Value]) -> list[Value]:
    init = [w.atom(a, env) for a in op.init]
    count = w.atom(op.count, env) if op.count is not None else None
    fixpoint = Fixpoint(w, init, op.params)
    near, exact = w.near, w.exact
    n = len(op.params)

    def once() -> tuple[list[Value], list[Value], Value | None]:
        """The next state and what is collected; of a `while`, the condition."""
        w.near, w.exact = near, exact
        index = w.fresh(op.index.name, {}, integer=True)
        w.within(index, (NATURAL, NATURAL))
        if count is not None and count.term is not None:
            from .terms import compare

            below = compare("<", index, count.term)
            w.near, w.exact = w.near.assume(below), w.exact.assume(below)
        here = fixpoint.state()
        inner = {**env, op.index: Value(term=index), **dict(zip(op.params, here, strict=True))}
        c: Value | None = None
        if op.cond is not None:
            [c] = w.block(op.cond.body, {**env, **dict(zip(op.cond.params, here, strict=True))})
            if c.cond is not None:
                from .values import closure

                w.exact = w.exact.assume(c.cond)
                w.near = w.near.assume(c.cond if not c.grades else closure(c.cond))
        results = w.block(op.body, inner)
        return results[:n], results[n:], c

    w.quiet += 1
    while True:
        after, _, c = once()
        if fixpoint.settled(after, [w.bounds(v) for v in after]):
            break
    w.quiet -= 1
    after, collected, c = once()
    stacks = [w.bounds(v) for v in collected]
    w.near, w.exact = near, exact
    ends: Grades = flat_of([count]) if count is not None else {}
    if c is not None and c.grades:
        ends = dict.fromkeys(c.grades, "flat")
        note_while(w, stmt, c)
    results = []
    for k, var in enumerate(stmt.vars[:n]):
        grades = joined((fixpoint.grades[k], ends)) if var.type.is_float else {**ends, **fixpoint.grades[k]}
        of = (after[k], init[k], *((c,) if c is not None else ()))
        results.append(w.unknown(grades, of, stmt.span, var.name if len(var.name) > 1 else "loop", var.type,
                                 bounds=fixpoint.bounds[k], shape=fixpoint.shapes[k], squares=fixpoint.squares[k]))
    for v, var, b in zip(collected, stmt.vars[n:], stacks, strict=False):
        grades = joined((v.grades, ends)) if var.type.is_float else {**ends, **v.grades}
        shape = (count, *(v.shape or ())) if count is not None and (var.type.rank == 1 or v.shape is not None) else None
        results.append(w.unknown(grades, (v,), stmt.span, var.name, var.type, bounds=b, shape=shape,
                                 squares=v.squares))
    for var in stmt.vars[len(results):]:
        results.append(w.unknown(ends, (), stmt.span, "iterations", var.type))
    return results


NATURAL = Interval(Fraction(0), math.inf, False, True)


def note_while(w: Walker, stmt: ir.Stmt, c: Value) -> None:
    if w.quiet:
        return
    text = show_condition(c.cond) if c.cond is not None else "the condition"
    key = ("while", id(stmt.op), *w.where[-1:])
    w.branches.setdefault(key, Branch(
        w.place(stmt.span), "while", text, w.seen(c.grades), "jump", False,
        "how often the loop runs changes with what it computes", "", w.where[-1] if w.where else "", dict(c.steps),
        site=stmt, raw=stmt.span))


# ---------------------------------------------------------------- folds


def fold(w: Walker, stmt: ir.Stmt, op: ir.Reduce | ir.Scan, env: dict[ir.Var, Value]) -> list[Value]:
    """An accumulator and one element, until the accumulator is no worse."""
    arrays = [w.atom(a, env) for a in op.arrays]
    neutral = [w.atom(a, env) for a in op.neutral]
    named = by_name(op, stmt.vars[0].type)
    if named:
        from .arrays import ARRAYS

        again = ir.Prim(named, op.arrays, (("axis", 0),))
        return [ARRAYS[named](w, ir.Stmt(stmt.vars, again, stmt.span), arrays)]
    n = len(neutral)
    fixpoint = Fixpoint(w, neutral, op.body.params[:n])
    near, exact = w.near, w.exact

    def once() -> list[Value]:
        w.near, w.exact = near, exact
        elements = Elements(w)
        given = [elements.of(v, p) for v, p in zip(arrays, op.body.params[n:], strict=True)]
        env_ = {**env, **dict(zip(op.body.params, [*fixpoint.state(), *given], strict=True))}
        return w.block(op.body.body, env_)

    w.quiet += 1
    while True:
        after = once()
        if fixpoint.settled(after, [w.bounds(v) for v in after]):
            break
    w.quiet -= 1
    after = once()
    w.near, w.exact = near, exact
    sizes = sizes_of(arrays)
    count = count_of(arrays)
    results = []
    for k, var in enumerate(stmt.vars):
        grades = joined((fixpoint.grades[k], sizes)) if var.type.is_float else {**sizes, **fixpoint.grades[k]}
        shape = fixpoint.shapes[k]
        if isinstance(op, ir.Scan):
            shape = (count, *(shape or ())) if count is not None and (shape is not None or var.type.rank == 1) else None
        results.append(w.unknown(grades, (after[k], *arrays), stmt.span, var.name if len(var.name) > 1 else "reduce",
                                 var.type, bounds=fixpoint.bounds[k], shape=shape, squares=fixpoint.squares[k]))
    return results


FOLDS = {"add": ("sum", 0.0), "mul": ("prod", 1.0)}


def by_name(op: ir.Reduce | ir.Scan, t: ir.Type) -> str:
    """What a fold of numbers is called that has a name: `reduce (+) 0` is `sum`."""
    body = op.body.body
    if not isinstance(op, ir.Reduce) or len(op.arrays) != 1 or t.rank or not t.is_float or len(body.stmts) != 1:
        return ""
    [stmt] = body.stmts
    [neutral] = op.neutral
    if not isinstance(stmt.op, ir.Prim) or stmt.op.name not in FOLDS or not isinstance(neutral, ir.Const) \
            or body.results != stmt.vars or set(stmt.op.args) != set(op.body.params):
        return ""
    name, value = FOLDS[stmt.op.name]
    return name if neutral.value == value else ""


__all__ = ["Elements", "Mapping", "fold", "loop", "map_"]
