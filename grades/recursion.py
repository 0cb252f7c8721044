"""Functions that call themselves, and those that are looked at once for all calls: grades of results in parameters.

A recursive function is walked with its parameters for roots, as far as roots move what is passed, until nothing gets
worse: what holds of the results if it holds of all calls inside holds of every call that ends, by induction on how deep
it goes. Of parameters that nothing moves, such as a counter, no condition is a branch. What is known of the bounds of
arguments goes in, and of results comes out, widened as in loops.

Where a root moves the condition and an arm calls the function, depth itself may change from point to point. Then the
call is followed near the boundary: if it comes to an end there, both sides are formulas that can be compared
(`beside`). And `if c then f a else f b` is `f (if c then a else b)`.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.walk import called
from .effort import Effort
from .facts import NO_FACTS
from .intervals import EVERYTHING, Interval
from .lattice import Grade, Grades, compose, join, joined
from .report import Step
from .terms import And, Compare, Cond, Or, Term, apply, negate
from .values import Value, closure, replaced

if TYPE_CHECKING:
    from ..lang.source import Span
    from .walk import Walker

MOST = 8
"""Kinds of calls of one function that are told apart."""
ROUNDS = 40
TUBE = Fraction(1, 10**6)
"""How far from the boundary of a condition calls are followed."""
DEEPEST = 4
"""Calls in calls that are followed there."""
Bounds = tuple[Interval, Interval]
Extent = int | tuple[int, int] | None
"""A number of elements: itself, that of a parameter along an axis, or one of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an argument: whether roots move it, and how many elements it has; where it lies."""

    moves: bool
    sized: bool = False
    near: Interval = EVERYTHING
    exact: Interval = EVERYTHING


@dataclass(frozen=True, slots=True)
class Result:
    """A result of a function: its grades in the parameters by their number, where it lies, its shape."""

    grades: dict[int, Grade]
    bounds: Bounds | None
    shape: tuple[Extent, ...] | None


@dataclass(slots=True)
class Open:
    """A function that is being looked at: how it is called, what its results are, as far as is known."""

    given: tuple[Known, ...] | None = None
    """None: it has not been called so far."""
    results: list[Result] | None = None
    """None: no call has come to an end so far."""
    asked: list[Known] | None = None
    """How it will be called in the next round."""
    rounds: int = 0


@dataclass(slots=True)
class Found:
    """What a fixpoint came to: the results, and all functions of the circle as they are called."""

    results: list[Result] | None
    circle: dict[str, Open]
    noted: bool = False
    """Whether branches have been noted down."""


def call(w: Walker, name: str, args: Sequence[Value], span: Span | None) -> list[Value] | None:
    """The results of a call that is not walked with what is passed; None where it is to be."""
    open_ = w.open.get(name)
    if w.unfolding > 0 and Effort.left >= 0 and (open_ is not None or circle_of(w, name)):
        return unfolded(w, name, args)
    if open_ is not None:
        w.recursions += 1
        widen(w, open_, args)
        if open_.results is None:
            w.dead = True
        return through(w, open_.results, args, span, name)
    circle = circle_of(w, name)
    if circle:
        return through(w, of_circle(w, name, circle, contexts(w, name, args)), args, span, name)
    return None


def once(w: Walker, name: str, args: Sequence[Value], span: Span | None) -> list[Value]:
    """The results of a call, by what the function does whatever is passed."""
    given = tuple(Known(bool(v.grades), sized(v)) for v in args)
    key = name, given
    if key not in w.summaries:
        left, w.left = w.left, 0
        w.summaries[key] = Found(of_parameters(w, name, given), {})
        w.left = left
    return through(w, w.summaries[key].results, args, span, name)


def contexts(w: Walker, name: str, args: Sequence[Value]) -> tuple[Known, ...]:
    """How a function is called: with bounds, if there are not too many kinds of calls already."""
    if w.left <= 0 or sum(known == name for known, _ in w.summaries) >= MOST:
        return tuple(Known(bool(v.grades), sized(v)) for v in args)
    return tuple(known(w, v) for v in args)


def known(w: Walker, v: Value) -> Known:
    bounds = w.bounds(v)
    return Known(bool(v.grades), sized(v), *(bounds or ()))


def sized(v: Value) -> bool:
    """Whether roots move how many elements there are."""
    return any(n.grades for n in v.shape or ())


def widen(w: Walker, open_: Open, args: Sequence[Value]) -> None:
    """Note that the function is called with these, too."""
    here = [known(w, v) for v in args]
    open_.asked = here if open_.asked is None else [
        merged(a, b, open_.rounds) for a, b in zip(open_.asked, here, strict=True)]


def merged(a: Known, b: Known, rounds: int) -> Known:
    return Known(a.moves or b.moves, a.sized or b.sized, wider(a.near, b.near, rounds), wider(a.exact, b.exact, rounds))


def wider(before: Interval, after: Interval, rounds: int) -> Interval:
    from .loops import contains, widened

    if contains(before, after):
        return before
    return widened(before, after) if rounds < ROUNDS // 2 else EVERYTHING


def of_circle(w: Walker, name: str, circle: frozenset[str], given: tuple[Known, ...]) -> list[Result] | None:
    """Results of a recursive function, by fixpoint from below: a call that has not ended yet has none."""
    key = name, given
    found = w.summaries.get(key)
    if found is None:
        circle_: dict[str, Open] = {each: Open() for each in sorted(circle)}
        circle_[name].asked = list(given)
        w.open.update(circle_)
        w.quiet += 1
        while not settled(w, circle_):
            pass
        w.quiet -= 1
        found = w.summaries[key] = Found(circle_[name].results, circle_)
        for each in circle:
            del w.open[each]
    if not w.quiet and not found.noted:
        found.noted = True
        w.open.update(found.circle)
        for each, open_ in found.circle.items():
            if open_.given is not None:
                of_parameters(w, each, open_.given)
        for each in circle:
            del w.open[each]
    return found.results


def settled(w: Walker, circle: Mapping[str, Open]) -> bool:
    """One round over the functions of a circle; whether nothing has changed."""
    done = True
    for each, open_ in circle.items():
        if open_.asked is None:
            continue
        if open_.given != tuple(open_.asked):
            open_.given, done = tuple(open_.asked), False
        open_.rounds += 1
        results = together(open_.results, of_parameters(w, each, open_.given), open_.rounds)
        if results != open_.results:
            open_.results, done = results, False
    return done and all(o.asked is None or o.given == tuple(o.asked) for o in circle.values())


def together(a: list[Result] | None, b: list[Result] | None, rounds: int) -> list[Result] | None:
    if a is None or b is None:
        return b if a is None else a
    return [Result({k: join(p.grades.get(k, "none"), q.grades.get(k, "none")) for k in {**p.grades, **q.grades}},
                   (wider(p.bounds[0], q.bounds[0], rounds), wider(p.bounds[1], q.bounds[1], rounds))
                   if p.bounds is not None and q.bounds is not None else None,
                   p.shape if p.shape == q.shape else None) for p, q in zip(a, b, strict=True)]


def of_parameters(w: Walker, name: str, given: Sequence[Known]) -> list[Result] | None:
    """One walk over a function with its parameters for roots, as far as these are moved."""
    function = w.program.functions[name]
    state = w.activity, w.near, w.exact, w.dead
    w.activity, w.near, w.exact, w.dead = dict(w.activity), NO_FACTS, NO_FACTS, False
    sizes: dict[ir.Var, Value] = {}
    args: list[Value] = []
    number: dict[str, int] = {}
    for k, (p, here) in enumerate(zip(function.params, given, strict=True)):
        dims = function.dims[k] if k < len(function.dims) else (None,) * p.type.rank
        shape = tuple(w.size(d, sizes) for d in dims) if p.type.rank else None
        if here.moves:
            root = f"\0{w.next()}"
            w.alias[root] = (p.name,)
            number[root] = k
            if here.sized:
                for n in shape or ():
                    if n.term is not None and n.term.op == "atom":
                        w.activity[n.term] = n.grades = {root: "affine"}
            v = root_value(w, root, p, shape)
        else:
            v = w.unknown({}, (), None, p.name, p.type, shape=shape)
        if v.term is not None:
            w.within(v.term, (here.near, here.exact))
        args.append(v)
    w.where.append(name)
    values = w.block(function.body, dict(zip(function.params, args, strict=True)))
    w.where.pop()
    found = None if w.dead else [
        Result({number[root]: grade for root, grade in v.grades.items() if root in number}, w.bounds(v),
               extents(v, args)) for v in values]
    w.activity, w.near, w.exact, w.dead = state
    return found


def extents(v: Value, args: Sequence[Value]) -> tuple[Extent, ...] | None:
    """The shape of a result, by those of the parameters."""
    if v.shape is None:
        return None
    found: list[Extent] = []
    for n in v.shape:
        if n.term is not None and n.term.op == "number" and n.term.value.denominator == 1:
            found.append(int(n.term.value))
            continue
        found.append(next(((k, axis) for k, a in enumerate(args) for axis, m in enumerate(a.shape or ())
                           if m.term is not None and m.term is n.term), None))
    return tuple(found)


def root_value(w: Walker, root: str, param: ir.Var, shape: tuple[Value, ...] | None = None) -> Value:
    """A parameter that is a root."""
    if shape is None and param.type.rank:
        shape = tuple(w.count() for _ in range(param.type.rank))
    value = w.unknown({root: "affine"}, (), None, param.name, param.type, shape=shape)
    value.steps = {root: Step(None, param.name, "affine")}
    if param.type.rank and value.term is not None:
        w.arrays.add(value.term)
    return value


def through(w: Walker, results: Sequence[Result] | None, args: Sequence[Value], span: Span | None, name: str
            ) -> list[Value]:
    """The results of a function with these grades in its parameters."""
    from .walk import constant

    function = w.program.functions[name]
    out = []
    for k, atom in enumerate(function.body.results):
        here = results[k] if results is not None else Result({}, None, None)
        parts = [{root: compose(grade, mine) for root, mine in args[j].grades.items()}
                 for j, grade in here.grades.items()]
        shape = None
        if here.shape is not None:
            sizes = [constant(ir.Const(e, "i64")) if isinstance(e, int) else
                     (args[e[0]].shape or ())[e[1]] if e is not None and args[e[0]].shape is not None else None
                     for e in here.shape]
            known_ = [n for n in sizes if n is not None]
            shape = tuple(known_) if len(known_) == len(sizes) else None
        v = w.unknown(joined(parts), args, span, function.source_name or name, atom.type, bounds=here.bounds,
                      shape=shape)
        v.call = name, tuple(args), k
        if v.term is not None and circle_of(w, name):
            w.called[v.term] = v.call
        out.append(v)
    return out


# ---------------------------------------------------------------- once more


def unfolded(w: Walker, name: str, args: Sequence[Value]) -> list[Value]:
    """The results of a call by what the function does with these arguments."""
    w.unfolding -= 1
    w.where.append(name)
    values = w.block(w.program.functions[name].body, dict(zip(w.program.functions[name].params, args, strict=True)))
    w.where.pop()
    w.unfolding += 1
    return values


def calling(w: Walker, a: Value, b: Value) -> bool:
    """Whether formulas of both are known, and have results of recursive functions in them."""
    return a.term is not None and b.term is not None and any(t in w.called for v in (a.term, b.term)
                                                             for t in w.atoms(v))


def beside(w: Walker, cond: Cond, arms: tuple[Value, Value], before: set[Term]) -> tuple[Value, Value] | None:
    """Arms that call the function they are in, near where their condition changes: with what the calls come to there.
    `before`: atoms that were there before the arms. None where that is not known.

    Where calls end near the boundary without another one, both sides are ordinary formulas there. Elsewhere, one side
    alone is taken, and what calls give has the grade that they are supposed to have, by induction.
    """
    sites = [part for part in parts_of(cond) if isinstance(part, Compare)]
    if w.following or Effort.left < 0 or not sites or len(sites) != len(parts_of(cond)):
        return None
    found = None
    for site in sites:
        gap = apply("sub", (site.a, site.b))
        here = tuple(followed(w, v, gap, side, before) for v, side in zip(arms, (cond, negate(cond)), strict=True))
        if here[0] is None or here[1] is None:
            return None
        if found is not None and (here[0].term is not found[0].term or here[1].term is not found[1].term):
            return None
        found = here[0], here[1]
    return found


def parts_of(cond: Cond) -> tuple[Cond, ...]:
    return tuple(c for part in cond.parts for c in parts_of(part)) if isinstance(cond, And | Or) else (cond,)


def followed(w: Walker, v: Value, gap: Term, side: Cond, before: set[Term]) -> Value | None:
    """An arm near where the gap is 0 and the condition holds: its value without calls, with their grades joined."""
    assert v.term is not None
    state = w.near, w.exact, w.dead
    w.near = w.near.assume(closure(side)).within(gap, -TUBE, TUBE)
    w.exact = w.exact.assume(side).within(gap, -TUBE, TUBE)
    w.unfolding, w.following = DEEPEST, True
    w.quiet += 1
    by: dict[Term, Term] = {}
    grades: list[Grades] = [v.grades]
    try:
        for a in w.atoms(v.term):
            if a in w.called and a not in before:
                name, args, k = w.called[a]
                result = unfolded(w, name, args)[k]
                grades.append(result.grades)
                if result.term is not None:
                    by[a] = result.term
    finally:
        w.quiet -= 1
        w.unfolding, w.following = 0, False
        w.near, w.exact, w.dead = state
    term = replaced(v.term, by)
    if any(a not in before and (a not in w.places or w.places[a][0] not in before) for a in w.atoms(term)):
        return None
    return Value(joined(grades), v.steps, term)


def pushed(w: Walker, a: Value, b: Value) -> tuple[str, int, list[tuple[Value, Value, ir.Type]]] | None:
    """Of two values that are results of one function: it, which result, what is passed in either call."""
    if a.call is None or b.call is None or a.call[0] != b.call[0] or a.call[2] != b.call[2]:
        return None
    params = w.program.functions[a.call[0]].params
    return a.call[0], a.call[2], [(x, y, p.type) for x, y, p in zip(a.call[1], b.call[1], params, strict=True)]


def circle_of(w: Walker, name: str) -> frozenset[str]:
    """The functions that call each other in a circle with this one; none if it is not recursive."""
    if w.circles is None:
        w.circles = circles(w.program)
    return w.circles[name]


def circles(program: ir.Program) -> dict[str, frozenset[str]]:
    """The strongly connected components of the calls, for functions that are in one (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: dict[str, frozenset[str]] = {}
    calls = {name: [c for c in called(f) if c in program.functions] for name, f in program.functions.items()}

    for start in program.functions:
        if start in index:
            continue
        work: list[tuple[str, int]] = [(start, 0)]
        while work:
            name, k = work.pop()
            if k == 0:
                index[name] = low[name] = len(index)
                stack.append(name)
            else:
                low[name] = min(low[name], low[calls[name][k - 1]])
            while k < len(calls[name]):
                other = calls[name][k]
                k += 1
                if other not in index:
                    work += [(name, k), (other, 0)]
                    break
                if other not in found:
                    low[name] = min(low[name], index[other])
            else:
                if low[name] == index[name]:
                    at = stack.index(name)
                    component = frozenset(stack[at:])
                    del stack[at:]
                    circle = component if len(component) > 1 or name in calls[name] else frozenset()
                    for each in component:
                        found[each] = circle
    return found
