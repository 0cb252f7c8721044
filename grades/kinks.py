"""Kinks that cancel: `h * h` with `h = max 0 x` is C1, though h is not; `m + log (exp (a - m) + exp (b - m))` with
`m = max a b` is smooth.

A result that is continuous with kinks is looked at as a whole: its formula is taken for a piecewise one, with a
boundary where an `abs`, `max`, `min` or `if` in it changes sides. All the pieces are smooth if their primitives are,
inside their domains; then the formula is as smooth as the worst of its boundaries, each of which the prover is asked
about.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..lang.core.primitive import PRIMITIVES
from . import valued
from .lattice import Grade, better, compose, join, worst
from .report import Step
from .terms import ZERO, Cond, Term, apply, atom, compare, subterms
from .values import Value, replaced

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker

MOST = 6
"""Boundaries that are looked at in one formula."""
LARGEST = 400
PLAIN = frozenset({"add", "sub", "mul", "neg", "scaled", "number", "atom", "constant"})


def polished(w: Walker, v: Value) -> Value:
    """The value, with better grades if its kinks cancel."""
    if v.term is None or not v.grades or not any(g in ("lip", "cont") for g in v.grades.values()) \
            or v.term.op == "atom":
        return v
    key = v.term, id(w.near)
    if key not in w.polished:
        w.alive.append(w.near)
        w.polished[key] = piecewise(w, v.term)
    grade = w.polished[key]
    return v if grade is None else regraded(w, v, grade)


def opened(w: Walker, v: Value, facts: Facts) -> Value:
    """The value of an arm with its grade away from the edge of its region."""
    if v.term is None or not v.grades or better(worst(v.grades), "lip"):
        return v
    nodes = subterms([v.term])
    if len(nodes) > LARGEST:
        return v
    found: Grade = "smooth"
    for t in nodes:
        if any(map(w.active, w.atoms(t))):
            found = join(found, piece(w, t, facts) or "jump")
    return regraded(w, v, found)


def regraded(w: Walker, v: Value, grade: Grade) -> Value:
    """The value, if its formula has this grade in its atoms."""
    assert v.term is not None
    inner: dict[str, Grade] = {}
    for t in subterms([v.term]):
        if t.op == "atom":
            for root, here in w.activity.get(t, {}).items():
                inner[root] = join(inner.get(root, "none"), here)
    found: dict[str, Grade] = {}
    for root, here in v.grades.items():
        better_one = compose(join(grade, "smooth"), inner.get(root, "none"))
        found[root] = better_one if better_one != "none" and better(better_one, here) else here
    if found == v.grades:
        return v
    steps = {root: step if found[root] == v.grades[root] else eased(step, found[root])
             for root, step in v.steps.items()}
    return Value(found, steps, v.term, shape=v.shape, squares=v.squares)


def eased(step: Step, grade: Grade) -> Step:
    """The chain of a value whose kinks cancel."""
    before: Step | None = None
    for link in step.chain():
        before = Step(link.span, link.what, link.grade if better(link.grade, grade) else grade, before)
    assert before is not None
    return before


def piecewise(w: Walker, term: Term) -> Grade | None:
    """The grade of a formula in its atoms together; None where nothing better than continuity is shown."""
    nodes = subterms([term])
    if len(nodes) > LARGEST:
        return None
    found: Grade = "smooth"
    boundaries: list[tuple[Cond, Term, Term, Term]] = []
    for t in nodes:
        if not any(map(w.active, w.atoms(t))):
            continue
        grade = piece(w, t, w.near)
        if grade is None:
            side = sides(t)
            if side is None:
                return None
            boundaries.append((side[0], t, side[1], side[2]))
            if len(boundaries) > MOST:
                return None
        else:
            found = join(found, grade)
    if better("lip", found):
        return None
    for cond, node, a, b in boundaries:
        one, other = replaced(term, {node: a}), replaced(term, {node: b})
        verdict = w.verdict(cond, one, other)
        gap = apply("sub", (a, b))
        if node.op != "select" and not w.exact.nonzero(gap) and (
                w.near.nonnegative(gap) or w.near.nonnegative(apply("neg", (gap,)))):
            return None  # the kink is at the end of what the argument may be, and is met there
        if verdict.proved and node.op != "select" and not better("C1", verdict.grade):
            # At the kink derivatives are those of the table of special points: a slope between those beside it.
            slope = atom(("slope", node.id), "s")
            between = apply("add", (b, apply("mul", (slope, apply("sub", (a, b))))))
            second = w.verdict(cond, one, replaced(term, {node: between}))
            if second.proved and better(second.grade, "C1"):
                verdict = second
            else:
                found = join(found, "C1")
        if not verdict.proved or not better(verdict.grade, "C1"):
            return None
        found = join(found, verdict.grade)
    return found


def piece(w: Walker, t: Term, near: Facts) -> Grade | None:
    """How smooth a primitive is in its arguments where they lie; None for one that has sides."""
    near = valued.at(w, near, t)
    match t.op:
        case "select":
            return None
        case "abs":
            return "smooth" if near.nonzero(t.args[0]) else None
        case "max" | "min":
            return "smooth" if near.nonzero(apply("sub", t.args)) else None
        case "div":
            return "smooth" if near.nonzero(t.args[1]) else "jump"
        case "pow":
            return power(near, t)
        case op if op in PLAIN:
            return "smooth"
    record = PRIMITIVES.get(t.op)
    if record is None or not record.elementwise or record.grade not in ("smooth", "affine"):
        return "jump"
    grade: Grade = "smooth"
    for domain in record.domain:
        from .rules import inside

        here = inside(w, near, domain, Value(term=t.args[domain.argument]))
        grade = join(grade, "smooth" if here == "inside" else domain.edge or "jump" if here == "edge" else "jump")
    return grade


def power(near: Facts, t: Term) -> Grade:
    base, exponent = t.args
    if near.positive(base):
        return "smooth"
    if exponent.op != "number":
        return "jump"
    p = exponent.value
    if p.denominator == 1:
        return "smooth" if p >= 0 or near.nonzero(base) else "jump"
    if p > 0 and near.nonnegative(base):
        return f"C{min(math.ceil(p) - 1, 9)}" if p > 1 else "cont"
    return "jump"


def sides(t: Term) -> tuple[Cond, Term, Term] | None:
    """Where a formula changes sides, and what it is on either."""
    match t.op:
        case "abs":
            u = t.args[0]
            return compare("<=", ZERO, u), u, apply("neg", (u,))
        case "max":
            a, b = t.args
            return compare("<=", b, a), a, b
        case "min":
            a, b = t.args
            return compare("<=", a, b), a, b
        case "select" if t.cond is not None:
            return t.cond, t.args[0], t.args[1]
    return None
