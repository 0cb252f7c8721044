"""Kinks and jumps that cancel: `h * h` with `h = max 0 x` is C1, though h is not; `m + log (exp (a - m) + exp (b - m))`
with `m = max a b` is smooth; `abs (x - floor x - 0.5)` has no jumps.

A result that is not C1 is looked at as a whole: its formula is taken for a piecewise one, with a boundary where an
`abs`, `max`, `min`, `if`, `sign`, `floor` … in it changes sides. All the pieces are smooth if their primitives are,
inside their domains; then the formula is as smooth as the worst of its boundaries, each of which the prover is asked
about. What jumps from one number to the next is taken apart by `steps.py`.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..lang.core.primitive import PRIMITIVES
from . import factors, valued
from .effort import Effort, answered
from .lattice import Grade, better, compose, join, worst
from .normal import GENERATORS
from .polynomials import Poly
from .report import Step
from .shifts import settled
from .steps import Apart, plainer, taken_apart
from .terms import (
    ONE,
    ZERO,
    And,
    Compare,
    Cond,
    Or,
    Term,
    apply,
    atom,
    compare,
    compared,
    few,
    negate,
    number,
    subterms,
)
from .values import Value, closure, replaced

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker

MOST = 6
"""Boundaries that are looked at in one formula."""
LARGEST = 400
EFFORT = 40_000
"""What the question about one step may cost: many will fail."""
KINKS = ("abs", "max", "min")
PLAIN = frozenset({"add", "sub", "mul", "neg", "scaled", "number", "atom", "constant"})


def polished(w: Walker, v: Value) -> Value:
    """The value, with better grades if its kinks and jumps cancel."""
    if v.term is None or not v.grades or not any(g in ("lip", "cont", "jump") for g in v.grades.values()) \
            or v.term.op == "atom":
        return v
    key = v.term, id(w.near)
    if key not in w.polished:
        w.alive.append(w.near)
        w.polished[key] = piecewise(w, v.term, worst(v.grades), len(v.grades) > 1)
    grade = w.polished[key]
    if grade is not None:
        v = regraded(w, v, grade)
    return settled(w, v)


def opened(w: Walker, v: Value, facts: Facts) -> Value:
    """The value of an arm with its grade away from the edge of its region."""
    if v.term is None or not v.grades or better(worst(v.grades), "lip"):
        return v
    if Effort.left < 0 or not few(v.term, LARGEST):
        return v
    nodes = subterms([v.term])
    found: Grade = "smooth"
    for t in nodes:
        if any(map(w.active, w.atoms(t))):
            found = join(found, piece(w, t, facts) or "jump")
    return regraded(w, v, found)


def regraded(w: Walker, v: Value, grade: Grade | Smooth) -> Value:
    """The value, if its formula has this grade in its atoms."""
    assert v.term is not None
    inner: dict[str, Grade] = {}
    for t in subterms([plainer(w, v.term) if worst(v.grades) == "jump" else v.term]):
        if t.op == "atom":
            own = grade.of(t) if isinstance(grade, Smooth) else join(grade, "smooth")
            for root, here in w.activity.get(t, {}).items():
                inner[root] = join(inner.get(root, "none"), compose(own, here))
    found: dict[str, Grade] = {}
    for root, here in v.grades.items():
        better_one = inner.get(root, "none")
        if here == "flat" and better(better_one, "cont"):
            here = better_one  # continuous, and constant almost everywhere
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


class Smooth:
    """The grade of a formula in each of its atoms, those that are worse held fixed: a boundary is crossed by those
    alone that move its condition."""

    def __init__(self, w: Walker, grade: Grade = "smooth") -> None:
        self.w = w
        self.all = grade
        self.own: dict[Term, Grade] = {}

    def of(self, t: Term) -> Grade:
        return join(self.all, self.own.get(t, "smooth"))

    def spoilt(self, grade: Grade, *terms: Term) -> None:
        for a in {a for t in terms for a in self.w.atoms(t)}:
            self.own[a] = join(self.own.get(a, "smooth"), grade)


def piecewise(w: Walker, term: Term, before: Grade, several: bool = False) -> Smooth | None:
    """The grades of a formula in its atoms; None where nothing better than `before` is shown. `several`: roots, which
    may differ."""
    if before == "jump" or not several:
        found = as_a_whole(w, term, before)
        return None if found is None else Smooth(w, found)
    if Effort.left < 0 or not few(term, LARGEST):
        return None
    lengths = lengths_in(w, term)
    smooth = Smooth(w)
    smooth.spoilt("C1", *lengths, *lengths.values())
    term = replaced(term, lengths)
    boundaries: dict[Term, tuple[Cond, Term, Term]] = {}
    for t, facts in parts(term, w.near):
        if any(map(w.active, w.atoms(t))):
            grade, side = piece(w, t, facts), sides(t)
            if grade is None and side is not None:
                boundaries[t] = side
            elif grade != "smooth":
                smooth.spoilt(grade or before, t)
    roots = {root for a in w.atoms(term) for root in w.activity.get(a, {})}
    for t, (cond, a, b) in list(boundaries.items())[:MOST]:
        if roots <= {root for a, grade in smooth.own.items() if not better(grade, before)
                     for root in w.activity.get(a, {})}:
            return None
        smooth.spoilt(boundary(w, term, t, cond, a, b, w.near) or before, *compared(cond))
    for cond, _, _ in list(boundaries.values())[MOST:]:
        smooth.spoilt(before, *compared(cond))
    for t, size in lengths.items():
        for a in w.atoms(size):
            smooth.spoilt(smooth.of(a), t)
    return smooth


def as_a_whole(w: Walker, term: Term, before: Grade) -> Grade | None:
    """The grade of a formula in its atoms together, with parts that step taken apart."""
    if Effort.left < 0 or not few(term, LARGEST):
        return None
    apart = taken_apart(w, term) if before == "jump" else Apart(term, w.near, ())
    if apart is None:
        return None
    term, near = apart.term, apart.near
    found: Grade = "smooth"
    lengths = lengths_in(w, term)
    if lengths:
        term, found = replaced(term, lengths), "C1"
    boundaries: list[tuple[Cond, Term, Term, Term]] = []
    for t, facts in parts(term, near):
        if not any(map(w.active, w.atoms(t))):
            continue
        grade = piece(w, t, facts)
        if grade is None:
            side = sides(t)
            if side is None or len(boundaries) == MOST:
                return None
            if all(t is not node for _, node, _, _ in boundaries):
                boundaries.append((side[0], t, side[1], side[2]))
        else:
            found = join(found, grade)
            if better(before, found):
                return None
    for step in apart.steps:
        verdict = w.verdict(step.cond, step.below, step.above, step.near, EFFORT)
        found = join(found, verdict.tight)
        if not verdict.proved or better(before, found):
            return None
    for cond, node, a, b in boundaries:
        grade = boundary(w, term, node, cond, a, b, near)
        if grade is None:
            return None
        found = join(found, grade)
        if better(before, found):
            return None
    return found


def boundary(w: Walker, term: Term, node: Term, cond: Cond, a: Term, b: Term, near: Facts) -> Grade | None:
    """The grade of a formula where a part of it changes sides; None where that is not known."""
    term = concerned(term, node, cond, near)
    one, other = replaced(term, {node: a}), replaced(term, {node: b})
    verdict = w.verdict(cond, one, other, near)
    if not verdict.proved:
        return None
    gap = apply("sub", (a, b))
    if node.op in KINKS and not w.exact.nonzero(gap) and (
            near.nonnegative(gap) or near.nonnegative(apply("neg", (gap,)))):
        return None  # the kink is at the end of what the argument may be, and is met there
    found: Grade = "smooth"
    if node.op in KINKS and better(verdict.tight, "C1+") and chosen(term):
        # An arm that is taken up to the kink has there, and there alone, a slope between both.
        thin = w.verdict(compare("==", gap, ZERO), term, one, near)
        if not thin.proved or not better(thin.grade, "C1"):
            return join(verdict.tight, "lip")
    if node.op in KINKS and not better("C1+", verdict.tight):
        # At the kink derivatives are those of the table of special points: a slope between those beside it.
        slope = atom(("slope", node.id), "s")
        between = apply("add", (b, apply("mul", (slope, apply("sub", (a, b))))))
        second = w.verdict(cond, one, replaced(term, {node: between}), near)
        if second.proved and better(second.grade, "C1"):
            verdict = second
        else:
            found = "C1+"
    found = join(found, verdict.tight)
    if node.op == "sign":
        # Where the argument is 0, so is the sign: this is taken on a thin set alone.
        thin = w.verdict(compare("==", node.args[0], ZERO), replaced(term, {node: ZERO}), one, near)
        found = join(found, thin.tight if thin.proved else "jump")
    return found


def concerned(term: Term, node: Term, cond: Cond, near: Facts) -> Term:
    """The summands of a formula that may change where a part of it changes sides: those with the part, and with others
    that may change sides at the same place. What is dropped is smooth there, or has a boundary of its own."""
    here = [zeros_of(near, gap) for gap in gaps(cond)]
    changing: dict[Term, bool] = {}
    for t in subterms([term]):
        side = None if t is node else sides(t)
        changing[t] = t is node or any(changing[a] for a in t.inside) or (side is not None and any(
            meeting(p, zeros_of(near, gap)) for gap in gaps(side[0]) for p in here))

    def kept(t: Term) -> Term:
        if not changing[t]:
            return ZERO
        if t.op in ("add", "sub", "neg"):
            return apply(t.op, [kept(a) for a in t.args])
        return t

    return kept(term)


def chosen(term: Term) -> bool:
    """Whether a formula has sides that are chosen, and not those of a kink."""
    return any(t.op in ("select", "sign", "copysign") for t in subterms([term]))


def gaps(cond: Cond) -> list[Term]:
    """What a condition compares with 0; what it compares with what, if that is not known."""
    match cond:
        case Compare(_, a, b):
            return [apply("sub", (b, a))]
        case And(parts) | Or(parts):
            return [gap for part in parts for gap in gaps(part)]
        case _:
            return compared(cond)


def zeros_of(near: Facts, gap: Term) -> Poly | None:
    """A polynomial in atoms with the zeros of a formula; None if there is none."""
    form = near.normal(gap)
    plain = form is not None and all(GENERATORS[g].kind == "atom" for g in form.num.generators)
    return form.num if form is not None and plain else None


def meeting(p: Poly | None, q: Poly | None) -> bool:
    """Whether two formulas may be 0 together on a whole boundary."""
    return p is None or q is None or answered(True, lambda: factors.gcd(p, q).constant is None)


def lengths_in(w: Walker, term: Term) -> dict[Term, Term]:
    """Lengths in a formula, as absolute values of a number: a function of a length, g (norm r), is C1 if g is, and its
    slope is 0 where the length is, as if there were one direction alone. Of higher derivatives nothing is said, and
    nothing of lengths of what has boundaries of its own."""
    found: dict[Term, Term] = {}
    for t in subterms([term]) if w.lengths else ():
        root = t.args[0] if t.op == "select" and t.args[1] is ZERO else t
        if root in w.lengths and (t is root or t.cond == compare("<", ZERO, root.args[0])) and (
                all(better(grade, "C1") for grade in w.lengths[root].values())
                or not (chosen(root) or any(s.op in KINKS for s in subterms([root])))):
            found[t] = apply("abs", (w.fresh("r", w.lengths[root], key=("radius", root.id)),))
    return found


def parts(term: Term, near: Facts) -> list[tuple[Term, Facts]]:
    """All parts of a formula, with what holds where they are used: parts of an arm are used where it is taken."""
    found: list[tuple[Term, Facts]] = []
    seen: set[tuple[Term, int]] = set()
    stack = [(term, near)]
    while stack and len(found) <= LARGEST:
        t, facts = stack.pop()
        if (t, id(facts)) in seen:
            continue
        seen.add((t, id(facts)))
        found.append((t, facts))
        if t.cond is not None:
            stack += [(a, facts) for a in compared(t.cond)]
            stack += [(t.args[0], facts.assume(closure(t.cond))), (t.args[1], facts.assume(closure(negate(t.cond))))]
        else:
            stack += [(a, facts) for a in t.args]
    return found


def piece(w: Walker, t: Term, near: Facts) -> Grade | None:
    """How smooth a primitive is in its arguments where they lie; None for one that has sides."""
    near = valued.at(w, near, t)
    match t.op:
        case "select":
            return None
        case "sign":
            return "smooth" if near.nonzero(t.args[0]) else None
        case "copysign":
            return "jump" if near.nonzero(t.args[1]) else None
        case "element":
            return "smooth"
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
        from .domains import inside

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
        case "sign":
            return compare("<=", ZERO, t.args[0]), ONE, number(-1)
        case "copysign":
            size = apply("abs", (t.args[0],))
            return compare("<=", ZERO, t.args[1]), size, apply("neg", (size,))
        case "select" if t.cond is not None:
            return t.cond, t.args[0], t.args[1]
    return None
