"""Values that a result does not depend on, though it is computed with them: m + log (sum of exp (v - m)) is the same
for every m, so it does not matter that `m = maximum x` has kinks.

Comes in: a result that is not C1. Its formula, with those of sums in it, is brought into a normal form in which what is
the same for all elements stands before a sum: sum (exp v * exp (-m)) = exp (-m) * sum (exp v). Where a value with kinks
is gone from it, the result is what it would be if that value stood still: near each point, a function of everything
else. Goes out: the result as that function, with its grade.

The derivative that a program computes there goes through the value too, but is multiplied by a derivative that is 0. So
this is for values with finite slopes alone.
"""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from . import polynomials as po
from .effort import Spent, TooHard, effort
from .intervals import INFINITE, Interval
from .lattice import Grade, better, compose, join, worst
from .normal import GENERATORS, ZERO, Ratio, of_atom, ratio
from .polynomials import Monomial, Poly
from .series import Expansion, Irregular, Short, Split
from .terms import Term, atom, subterms
from .values import Value, replaced

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker

EFFORT = 15_000
LARGEST = 400
KINKS = ("abs", "max", "min")
HELD = "\0held"
"""A root of its own that moves what is held: divisors are not taken for other than 0 because nothing moves them."""


@dataclass(frozen=True, eq=False)
class Sum:
    """What an atom is the sum of: the formula of an element, the atoms in it that differ from element to element, what
    holds of them, the number of elements; `some`: it is positive unless there are none."""

    element: Term
    cells: frozenset[Term]
    near: Facts
    count: Term
    some: bool


def settled(w: Walker, v: Value) -> Value:
    """The value, without the kinks that it does not depend on."""
    if v.term is None or not w.sums or not v.grades or better(worst(v.grades), "C1"):
        return v
    return shifted(w, v) or v


def shifted(w: Walker, v: Value) -> Value | None:
    """The value as a function that does not depend on values with kinks; None where no such thing is shown."""
    assert v.term is not None
    used = sums_in(w, v.term)
    if not used:
        return None
    by = {u: w.fresh("kink", kinked(w, u), (w.near.interval(u), w.exact.interval(u)), key=("kink", u.id))
          for u in kinks_in(w, v.term, used)}
    kinks = {a for t in (v.term, *(w.sums[s].element for s in used)) for a in w.atoms(replaced(t, by))
             if a not in used and worst(w.activity.get(a, {})) == "lip"}
    if not kinks:
        return None
    form = Form(w, by)
    try:
        with effort(EFFORT):
            left = form.of(v.term, w.near)
    except (Irregular, Short, Split, Spent, TooHard, ZeroDivisionError, RecursionError, OverflowError):
        return None
    gone = kinks - form.stuck - {a for g in left.generators for a in GENERATORS[g].atoms}
    if not gone:
        return None
    return Holding(w, by, gone, used).value(v)


def sums_in(w: Walker, term: Term) -> list[Term]:
    """The sums in a formula, and those in their elements; not those that stand for elements of an array themselves."""
    found: list[Term] = []
    stack = list(w.atoms(term))
    while stack:
        a = stack.pop()
        if a in w.sums and a not in w.cells and a not in found:
            found.append(a)
            stack += w.atoms(w.sums[a].element)
    return found


def kinks_in(w: Walker, term: Term, used: list[Term]) -> list[Term]:
    """Numbers with kinks in a formula that are the same for all elements."""
    found: list[Term] = []
    cells = {c for s in used for c in w.sums[s].cells}
    for t in subterms([term, *(w.sums[s].element for s in used)]):
        if t.op in KINKS and not w.atoms(t) & cells and any(map(w.active, w.atoms(t))) and all(
                s.op in (*KINKS, "add", "sub", "neg", "mul", "number", "atom", "constant") for s in subterms([t])):
            found.append(t)
    return found


def kinked(w: Walker, term: Term) -> dict[str, Grade]:
    """Of what has kinks, of other values."""
    found: dict[str, Grade] = {}
    for a in w.atoms(term):
        for root, grade in w.activity.get(a, {}).items():
            found[root] = join(found.get(root, "lip"), grade)
    return found


class Form:
    """Normal forms in which sums are taken apart."""

    def __init__(self, w: Walker, by: dict[Term, Term]) -> None:
        self.w, self.by = w, by
        self.known: dict[Term, Ratio] = {}
        self.stuck: set[Term] = set()
        """What sums depend on that could not be taken apart."""
        self.signs: list[tuple[Term, bool]] = []
        """Sums that are not negative, and whether they are positive."""

    def of(self, term: Term, facts: Facts) -> Ratio:
        if len(subterms([term])) > LARGEST:
            raise TooHard
        term = replaced(term, self.by)
        values = {a: self.sum(a) for a in self.w.atoms(term) if a in self.w.sums and a not in self.w.cells}
        for t, positive in self.signs:
            facts = facts.within(t, 0, INFINITE, positive)
        for m in self.by.values():
            i = self.w.near.interval(m)
            facts = facts.within(m, i.lo, i.hi, i.lo_open, i.hi_open)
        expansion = Expansion(facts, facts, facts, splits=False)
        expansion.values = values
        series = expansion.series(term)
        if series.val < 0:
            raise Irregular("")
        return series.at(0)

    def sum(self, a: Term) -> Ratio:
        if a not in self.known:
            try:
                self.known[a] = self.apart(self.w.sums[a])
            except (Irregular, Short, Split, ZeroDivisionError):
                self.stuck |= self.all(a)
                self.known[a] = of_atom(a)
        return self.known[a]

    def all(self, a: Term) -> set[Term]:
        """All atoms that a sum depends on."""
        inside = set(self.w.atoms(replaced(self.w.sums[a].element, self.by)))
        return inside | {b for s in sums_in(self.w, a) for b in self.w.atoms(replaced(self.w.sums[s].element, self.by))}

    def apart(self, s: Sum) -> Ratio:
        """Σ Σ free * own = Σ free * Σ own, over the monomials of an element; `own` differs from element to element."""
        r = self.of(s.element, s.near)
        under, below = po.ONE, r.den
        if len(r.den.terms) == 1:
            (m, c), = r.den.terms.items()
            own, free = split(m, s.cells)
            under, below = Poly({own: Fraction(1)}), Poly({free: c})
        elif any(GENERATORS[g].atoms & s.cells for g in r.den.generators):
            under, below = r.den, po.ONE
        total = ZERO
        for m, c in r.num.terms.items():
            own, free = split(m, s.cells)
            total = total + ratio(Poly({free: c}), below) * self.total(own, under, s)
        return total

    def total(self, own: Monomial, under: Poly, s: Sum) -> Ratio:
        """The sum of what differs from element to element."""
        if not own and under == po.ONE:
            return self.of(s.count, s.near)
        made = atom(("sum", own, under, s.count), "sum")
        element = ratio(Poly({own: Fraction(1)}), under)
        self.stuck |= {a for g in element.generators for a in GENERATORS[g].atoms}
        bounds = s.near.bounds_of_ratio(element)
        if bounds.nonnegative:
            self.signs.append((made, bounds.positive))
        return of_atom(made)


def split(m: Monomial, cells: frozenset[Term]) -> tuple[Monomial, Monomial]:
    """The part of a monomial that has to do with these atoms, and the other one."""
    own = tuple((g, e) for g, e in m if GENERATORS[g].atoms & cells)
    return own, tuple((g, e) for g, e in m if not GENERATORS[g].atoms & cells)


class Holding:
    """A formula with values that are held where they are."""

    def __init__(self, w: Walker, kinks: dict[Term, Term], gone: set[Term], used: list[Term]) -> None:
        self.w, self.used = w, used
        self.by: dict[Term, Term] = {}
        for term, name in [*kinks.items(), *((m, m) for m in gone if m not in kinks.values())]:
            if name in gone:
                self.by[term] = w.fresh(name.name, {HELD: "affine"}, (w.near.interval(name), w.exact.interval(name)),
                                        cell=name in w.cells, key=("held", name.id))
        self.done: set[Term] = set()

    def value(self, v: Value) -> Value | None:
        from .kinks import piecewise, regraded

        assert v.term is not None
        w = self.w
        for s in self.used:
            if not self.sum(s):
                return None
        term = replaced(v.term, self.by)
        grade = piecewise(w, term, worst(v.grades), len(v.grades) > 1)
        if grade is None:
            return None
        found = regraded(w, Value(v.grades, v.steps, term, shape=v.shape, squares=v.squares), grade)
        return found if found.grades != v.grades else None

    def sum(self, s: Term) -> bool:
        """Find out what a sum is where these are held; false where that is not understood."""
        from .kinks import piecewise

        if s in self.done:
            return True
        self.done.add(s)
        w, made = self.w, self.w.sums[s]
        for inner in self.used:
            if inner in w.atoms(made.element) and not self.sum(inner):
                return False
        element = replaced(made.element, self.by)
        if element is made.element:
            return True
        near = w.near
        w.near = made.near
        for held in self.by.values():
            i = near.interval(held)
            w.near = w.near.within(held, i.lo, i.hi, i.lo_open, i.hi_open)
        grade = piecewise(w, element, "jump")
        w.near = near
        if grade is None:
            return False
        grades: dict[str, Grade] = {}
        for a in w.atoms(element):
            for root, here in w.activity.get(a, {}).items():
                grades[root] = join(grades.get(root, "none"), compose(grade.of(a), here))
        bounds = w.near.interval(s), w.exact.interval(s)
        if made.some:
            bounds = opened(bounds[0]), opened(bounds[1])
        self.by[s] = w.fresh(s.name, grades, bounds, key=("held", s.id, frozenset(t.id for t in self.by)))
        w.sums[self.by[s]] = Sum(element, made.cells, made.near, made.count, made.some)
        return True


def opened(i: Interval) -> Interval:
    """With 0 left out."""
    return i.meet(Interval(Fraction(0), INFINITE, True, True))

