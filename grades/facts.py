"""What is known of terms where a statement stands: intervals, signs, comparisons that hold.

Comes in: conditions that hold there, bounds of parameters. Goes out: bounds and signs of terms. Facts are kept as
bounds of polynomials in normal form, without constant and with whole coefficients: `a < b` bounds `b - a`. The bounds
of another polynomial come from those of its monomials, from sums of facts that cancel a monomial without bounds (a
little of Fourier and Motzkin), from its factors, and from being a sum of squares.
"""
from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Any

from . import factors, normal, parts, ranges
from . import polynomials as po
from .effort import Effort, TooHard, answered
from .intervals import EVERYTHING, INFINITE, Bound, Interval, fractional, root_interval
from .normal import GENERATORS, Ratio
from .polynomials import Monomial, Number, Poly
from .rewriting import replaced
from .terms import FALSE, ZERO, And, Compare, Cond, Not, Or, Term, Unknown, compare, conj, disj, negate, simplified

_NOT_NEGATIVE = Interval(0, INFINITE, False)
_DEPTH = 3
_WIDTH = (0, 3, 5, 12)
"""How many facts are tried to cancel a term, by how many may still follow."""

__all__ = ["EVERYTHING", "INFINITE", "NO_FACTS", "Facts", "Interval"]


class Facts:
    """Immutable: each method that adds something gives another `Facts`."""

    __slots__ = ("_asked", "_assumed", "_busy", "_generators", "_monomials", "_normals", "_open", "_sums", "_terms",
                 "bounds", "impossible", "others", "unequal")

    def __init__(self, bounds: Mapping[Poly, Interval], unequal: frozenset[Poly], impossible: bool,
                 others: Mapping[Cond, None]) -> None:
        self.bounds = bounds
        """Canonical polynomial without constant → where it lies."""
        self.unequal = unequal
        """Primitive polynomials that are not 0."""
        self.impossible = impossible
        """Whether the facts contradict each other: no point is like this."""
        self.others = others
        """Conditions that hold, in the order in which they were found out; those that are comparisons too."""
        self._asked: dict[Poly, Interval] = {}
        self._assumed: dict[Cond, Facts] = {}
        self._generators: dict[int, Interval] = {}
        self._monomials: dict[Monomial, Interval] = {}
        self._open = 0
        """Generators whose bounds are being found: others are not remembered until these are known."""
        self._busy: set[Poly] = set()
        self._sums: dict[Monomial, list[tuple[Poly, Interval]]] | None = None
        self._normals: dict[Term, Any] = {}
        self._terms: dict[Term, tuple[Interval, int]] = {}
        """Bounds that were asked for, and how deep their parts were looked at."""

    @staticmethod
    def none() -> Facts:
        """Nothing is known."""
        return NO_FACTS

    # ---- more facts

    def assume(self, cond: Cond, holds: bool = True) -> Facts:
        """With a condition that holds, or does not."""
        if self.impossible:
            return self
        if not Effort.asking:
            return answered(self, lambda: self.assume(cond, holds))
        cond = simplified(cond if holds else negate(cond))
        if self is NO_FACTS:  # which lives for ever, and would keep all that is assumed once
            return self._assume(cond)
        found = self._assumed.get(cond)
        if found is None:
            found = self._assumed[cond] = self._assume(cond)
        return found

    def _assume(self, cond: Cond) -> Facts:
        match cond:
            case And(parts):
                facts = self
                for part in sorted(parts, key=lambda p: not isinstance(p, Compare)):
                    facts = facts.assume(part)
                return facts
            case Or(()):
                return _same(self.bounds, self.unequal, True, self.others)
            case Or(parts):
                left = [p for p in parts if not self.assume(p).impossible]
                if not left:
                    return self.assume(FALSE)
                if len(left) == 1:
                    return self.assume(left[0])
                return _same(self.bounds, self.unequal, False, {**self.others, cond: None})._either(left)
            case Compare(op, a, b):
                difference = self.normal(b, a)
                facts = _same(self.bounds, self.unequal, False, {**self.others, cond: None})
                facts = facts if difference is None else facts.compared(op, difference)._again()
                signs = _signs(op, a, b)
                if signs is not None and not facts.impossible and facts.decides(signs) is None:
                    facts = facts.assume(signs)
                return facts
            case _:
                known = Not(cond) if isinstance(cond, Unknown) else cond.part if isinstance(cond, Not) else cond
                impossible = known in self.others
                return _same(self.bounds, self.unequal, impossible, {**self.others, cond: None})

    def _again(self) -> Facts:
        """With what is left of alternatives, now that more is known."""
        facts = self
        for cond in self.others:
            if isinstance(cond, Or) and not facts.impossible:
                left = [p for p in cond.parts if not facts.assumed(p).impossible]
                if not left:
                    return facts.assume(FALSE)
                if len(left) == 1:  # it says more than the alternatives did, and takes their place
                    kept = {c: None for c in facts.others if c != cond}
                    facts = _same(facts.bounds, facts.unequal, False, kept).assume(left[0])
        return facts

    def assumed(self, cond: Cond) -> Facts:
        """`assume` for a look at what would follow: alternatives are not looked at again."""
        if not isinstance(cond, Compare):
            return self
        difference = self.normal(cond.b, cond.a)
        return self if difference is None else self.compared(cond.op, difference)

    def _either(self, parts: list[Cond]) -> Facts:
        """With the bounds that all alternatives give to the same polynomial."""
        cases = [self.assume(p) for p in parts]
        bounds = dict(self.bounds)
        for p in set(cases[0].bounds).intersection(*(c.bounds for c in cases[1:])):
            both = [c.bounds[p] for c in cases]
            lo, lo_open = min((i.lo, i.lo_open) for i in both)
            hi, hi_closed = max((i.hi, not i.hi_open) for i in both)
            bounds[p] = bounds.get(p, EVERYTHING).meet(Interval(lo, hi, lo_open, not hi_closed))
        unequal = self.unequal.union(frozenset.intersection(*(c.unequal for c in cases)))
        return _same(bounds, unequal, False, self.others)

    def within(self, term: Term, lo: Bound, hi: Bound, lo_open: bool = False, hi_open: bool = False) -> Facts:
        """With a term between two bounds."""
        if not Effort.asking:
            return answered(self, lambda: self.within(term, lo, hi, lo_open, hi_open))
        r = self.normal(term)
        if r is None or self.impossible:
            return self
        facts = self
        if lo != -INFINITE:
            facts = facts.compared("<" if lo_open else "<=", r - normal.constant(Fraction(lo)))
        if hi != INFINITE:
            facts = facts.compared("<" if hi_open else "<=", normal.constant(Fraction(hi)) - r)
        return facts

    def compared(self, op: str, r: Ratio) -> Facts:
        """With 0 op r."""
        if not Effort.asking:
            return answered(self, lambda: self.compared(op, r))
        p = r.num
        if r.den is not po.ONE:
            below = self.bounds_of(r.den)
            if below.negative:
                p = -p
            elif not below.positive and op in ("<", "<="):
                try:
                    p = p * r.den
                except TooHard:
                    return self
        if op == "!=":
            return self._unequal(p)
        if op == "==":
            if p.constant is None and po.primitive(p) in self.unequal:
                return _same(self.bounds, self.unequal, True, self.others)
            return self._bounded(p, Interval(0, 0, False, False))
        return self._bounded(p, Interval(0, INFINITE, op == "<"))

    def _unequal(self, p: Poly) -> Facts:
        value = p.constant
        if value is not None:
            return self if value else _same(self.bounds, self.unequal, True, self.others)
        unequal = self.unequal | {po.primitive(q) for q, _ in _factors(p)}
        facts = _same(self.bounds, unequal, self.impossible, self.others)
        found = self.bounds_of(p)
        if found.lo == 0 or found.hi == 0:
            facts = facts._bounded(p, Interval(found.lo, found.hi, found.lo_open or found.lo == 0,
                                               found.hi_open or found.hi == 0))
        return facts

    def _bounded(self, p: Poly, interval: Interval) -> Facts:
        value = p.constant
        if value is not None:
            inside = Interval(value, value, False, False).meet(interval)
            return _same(self.bounds, self.unequal, True, self.others) if inside.empty else self
        Effort.spend(3 + len(self.bounds) // 4)
        shape, scale, offset = _canonical(p)
        known = self.bounds_of(shape)
        bound = interval.plus(Interval(-offset, -offset, False, False)).scale(Fraction(1, scale))
        both = known.meet(bound)
        stored = ranges.whole(shape, self.bounds.get(shape, EVERYTHING).meet(both))
        if not both.empty and both.lo <= 0 <= both.hi and shape in self.unequal:
            stored = Interval(stored.lo, stored.hi, stored.lo_open or stored.lo == 0, stored.hi_open or stored.hi == 0)
        facts = _same({**self.bounds, shape: stored}, self.unequal, both.empty or stored.empty, self.others)
        if facts.impossible:
            return facts
        return facts._consequences(p, interval)

    def _consequences(self, p: Poly, interval: Interval) -> Facts:
        """What a bound says besides: p >= 0 with a term -c * abs u says it with +-u; bounds of a square are of a root;
        a product with a factor of known sign says it of the other."""
        facts = self
        for q, end, is_open in ((p, interval.lo, interval.lo_open), (-p, interval.hi, interval.hi_open)):
            if end != 0:
                continue
            for m, c in q.terms.items():
                if c < 0 and len(m) == 1 and m[0][1] == 1 and GENERATORS[m[0][0]].kind == "abs":
                    rest = q - Poly({m: c})
                    for sign in (1, -1):  # abs u >= +-u, with nothing said of equality
                        facts = facts._bounded(rest + GENERATORS[m[0][0]].base.scale(c * sign),
                                               Interval(0, INFINITE, is_open))
        squares = [(m, c) for m, c in p.terms.items() if m]
        if len(squares) == 1:
            (m, c), = squares
            if len(m) == 1 and GENERATORS[m[0][0]].kind == "root":
                made, bound = GENERATORS[m[0][0]], facts.bounds_of(Poly({m: 1}))
                facts = facts._narrowed(made.base, Interval(0, INFINITE, bound.positive))
                if bound.lo > 0 and (1 / Fraction(m[0][1])).denominator == 1:
                    least = Fraction(bound.lo) ** int(1 / Fraction(m[0][1]))
                    facts = facts._narrowed(made.base, Interval(least, INFINITE, bound.lo_open))
            elif len(m) == 1 and isinstance(m[0][1], int) and m[0][1] > 1:
                g, n = m[0]
                bound = facts.bounds_of(Poly({m: 1}))
                root = root_interval(bound, int(n), facts.bounds_of(po.generator(g)))
                facts = facts._narrowed(po.generator(g), root)
            elif len(m) == 1 and m[0][1] == 1 and GENERATORS[m[0][0]].kind in ("exp", "log", "root"):
                facts = facts._inverted(m[0][0])
        if interval.lo == 0 and interval.hi == INFINITE and not p.terms.get(po.UNIT):
            parts = _factors(p)
            unsigned = [(q, e) for q, e in parts if not facts.bounds_of(q).nonzero] if len(parts) > 1 else []
            if len(parts) > 1 and len(unsigned) == 1 and unsigned[0][1] % 2:
                q, _ = unsigned[0]
                sign = 1 if po.content(p) > 0 else -1
                for other, power in parts:
                    if other != q and facts.bounds_of(other).negative and power % 2:
                        sign = -sign
                facts = facts._narrowed(q.scale(sign), Interval(0, INFINITE, interval.lo_open))
        return facts

    def _narrowed(self, p: Poly, interval: Interval) -> Facts:
        shape, scale, offset = _canonical(p)
        bound = interval.plus(Interval(-offset, -offset, False, False)).scale(Fraction(1, scale))
        stored = self.bounds.get(shape, EVERYTHING).meet(bound)
        return _same({**self.bounds, shape: stored}, self.unequal, self.impossible or stored.empty, self.others)

    def _inverted(self, g: int) -> Facts:
        """A bound of an exponential, logarithm or root says one of its argument, at 0 and 1."""
        made, bound = GENERATORS[g], self.bounds_of(po.generator(g))
        pairs: list[tuple[int, Ratio]] = []
        if made.kind == "exp":
            pairs = [(1, made.args[0])]
        elif made.kind == "log":
            pairs = [(0, made.args[0] - normal.ONE)]
        facts = self
        for at, r in pairs:
            if bound.lo >= at:
                facts = facts.compared("<" if bound.lo_open or bound.lo > at else "<=", r)
            if bound.hi <= at:
                facts = facts.compared("<" if bound.hi_open or bound.hi < at else "<=", -r)
        return facts

    def substituted(self, g: int, by: Ratio) -> Facts:
        """With what the facts say when a generator is replaced by what it is equal to."""
        facts, term = self, GENERATORS[g].term
        for p, interval in self.bounds.items():
            if any(term in GENERATORS[h].atoms for h in p.generators):
                moved = self.replaced(p, g, by)
                if moved is not None and not moved.den.constant and not facts.bounds_of(moved.den).positive:
                    moved = None
                if moved is not None:
                    for r, at, is_open in ((moved, interval.lo, interval.lo_open),
                                           (-moved, -interval.hi, interval.hi_open)):
                        if at != -INFINITE:
                            facts = facts.compared("<" if is_open else "<=", r - normal.constant(Fraction(at)))
        for p in self.unequal:
            if any(term in GENERATORS[h].atoms for h in p.generators):
                moved = self.replaced(p, g, by)
                if moved is not None:
                    facts = facts.compared("!=", moved)
        return facts

    def undecided(self) -> tuple[Cond, ...] | None:
        """Alternatives of which one holds, and the facts do not say which."""
        for cond in self.others:
            if isinstance(cond, Or):
                left = tuple(p for p in cond.parts if not self.assume(p).impossible)
                if len(left) > 1 and not any(self.decides(p) for p in left):
                    return left
        return None

    def contradictory(self) -> bool:
        """Whether an equation that was assumed has become wrong by what has been assumed since."""
        return any(i.lo == i.hi and len(p.terms) > 1 and self._by_terms(p).meet(i).empty
                   for p, i in self.bounds.items())

    def equations(self) -> list[Poly]:
        """Polynomials that are 0."""
        found = [p - po.constant(Fraction(i.lo)) for p, i in self.bounds.items() if i.lo == i.hi]
        for g in sorted({g for p in self.bounds for g in p.generators}):
            i = self.bounds_of(po.generator(g))
            if i.lo == i.hi and (p := po.generator(g) - po.constant(Fraction(i.lo))) not in found:
                found.append(p)
        return found

    def replaced(self, p: Poly, g: int, by: Ratio) -> Ratio | None:
        """p with an atom's generator replaced; None where that has no meaning."""
        try:
            return replaced(normal.ratio(p), {g: by}, self)
        except (TooHard, ZeroDivisionError):
            return None

    # ---- questions

    def interval(self, term: Term, depth: int = parts.MOST) -> Interval:
        """Bounds of the term: of its normal form, and where these do not tell its sign, from those of its parts."""
        known = self._terms.get(term)
        if known is not None and (known[1] >= depth or known[0].nonzero):
            return known[0]
        if not Effort.asking:
            return answered(EVERYTHING, lambda: self.interval(term, depth))
        Effort.spend(4)
        r = self.normal(term)
        found = EVERYTHING if r is None else self.bounds_of_ratio(r)
        if not found.nonzero and term.args:
            found = found.meet(parts.bounds(term, self, depth))
        self._terms[term] = found, depth
        return found

    def nonzero(self, term: Term, cases_left: int = 2) -> bool:
        """Whether the term is shown to be nowhere 0."""
        if not Effort.asking:
            return answered(False, lambda: self.nonzero(term, cases_left))
        r = self.normal(term)
        if (r is not None and self.nonzero_poly(r.num)) or self.interval(term).nonzero:
            return True
        cases = self.undecided() if cases_left else None
        return cases is not None and all(self.assume(c).nonzero(term, cases_left - 1) for c in cases)

    def positive(self, term: Term) -> bool:
        """Whether the term is shown to be > 0."""
        found = self.interval(term)
        return found.positive or (found.nonnegative and self.nonzero(term))

    def nonnegative(self, term: Term) -> bool:
        """Whether the term is shown to be >= 0."""
        return self.interval(term).nonnegative

    def decides(self, cond: Cond) -> bool | None:
        """Whether the condition holds, where the facts say."""
        if not Effort.asking:
            return answered(None, lambda: self.decides(cond))
        cond = simplified(cond)
        match cond:
            case And(parts):
                answers = [self.decides(p) for p in parts]
                return False if False in answers else True if None not in answers else None
            case Or(parts):
                answers = [self.decides(p) for p in parts]
                return True if True in answers else False if None not in answers else None
            case Compare(op, a, b):
                if cond in self.others:
                    return True
                if negate(cond) in self.others:
                    return False
                r = self.normal(b, a)
                return None if r is None else self.decides_ratio(op, r)
            case _:
                opposite = Not(cond) if isinstance(cond, Unknown) else cond.part if isinstance(cond, Not) else cond
                return True if cond in self.others else False if opposite in self.others else None

    def decides_ratio(self, op: str, r: Ratio) -> bool | None:
        """Whether 0 op r."""
        if op in ("==", "!="):
            if not r.num:
                return op == "=="
            bound = self.bounds_of_ratio(r)
            if bound.lo == bound.hi == 0:
                return op == "=="
            return op == "!=" if bound.nonzero or self.nonzero_poly(r.num) else None
        bound = self.bounds_of_ratio(r)
        if op == "<":
            if bound.nonnegative and self.nonzero_poly(r.num):
                return True
            return True if bound.positive else False if bound.nonpositive else None
        if bound.nonpositive and self.nonzero_poly(r.num):
            return False
        return True if bound.nonnegative else False if bound.negative else None

    def normal(self, term: Term, minus: Term | None = None) -> Ratio | None:
        """The normal form of a term, or of a difference; None where it has none."""
        from .series import plain

        if not Effort.asking:
            return answered(None, lambda: self.normal(term, minus))
        return plain(term, minus, self, self._normals)

    def positive_poly(self, p: Poly) -> bool:
        return self.bounds_of(p).positive

    def nonnegative_poly(self, p: Poly) -> bool:
        return self.bounds_of(p).nonnegative

    def nonzero_poly(self, p: Poly) -> bool:
        value = p.constant
        if value is not None:
            return bool(value)
        if self.bounds_of(p).nonzero:
            return True
        if po.primitive(p) in self.unequal:
            return True
        parts = _factors(p)
        return all(self._nonzero_factor(q) for q, _ in parts)

    def _nonzero_factor(self, q: Poly) -> bool:
        if q in self.unequal or self.bounds_of(q).nonzero:
            return True
        size = normal.existing_absolute(q)
        return size is not None and self.bounds_of(po.generator(size)).positive

    def bounds_of_ratio(self, r: Ratio) -> Interval:
        if r.den is po.ONE:
            return self.bounds_of(r.num)
        below = self.bounds_of(r.den)
        if not below.nonzero:
            if self.nonzero_poly(r.den):
                try:
                    product = self.bounds_of(r.num * r.den)
                except TooHard:
                    return EVERYTHING
                zero = 0
                return Interval(zero if product.lo >= 0 else -INFINITE, zero if product.hi <= 0 else INFINITE,
                                product.lo != 0 or product.lo_open, product.hi != 0 or product.hi_open)
            return EVERYTHING
        return self.bounds_of(r.num).times(below.inverse())

    def bounds_of(self, p: Poly) -> Interval:
        """Where a polynomial lies."""
        value = p.constant
        if value is not None:
            return Interval(value, value, False, False)
        found = self._asked.get(p)
        if found is None:
            if p in self._busy or len(self._busy) > 12:
                return self._by_terms(p)
            self._busy.add(p)
            try:
                found = self._bounds(p)
            finally:
                self._busy.discard(p)
            self._asked[p] = found
        return found

    def _bounds(self, p: Poly) -> Interval:
        found = self._linear(p, _DEPTH, frozenset())
        if found.nonzero:
            return found
        if len(p.terms) > 1:
            least = factors.least_square(p, _halvable)
            if least is not None:
                found = found.meet(Interval(least, INFINITE, False))
            most = factors.least_square(-p, _halvable)
            if most is not None:
                found = found.meet(Interval(-INFINITE, -most, True, False))
            if len(p.terms) <= 12:
                found = found.meet(self._by_factors(p))
        if po.primitive(p) in self.unequal and not found.empty:
            found = Interval(found.lo, found.hi, found.lo_open or found.lo == 0, found.hi_open or found.hi == 0)
        return found

    def _by_factors(self, p: Poly) -> Interval:
        """The sign of p, from those of its factors."""
        parts = _factors(p)
        if len(parts) == 1 and parts[0][1] == 1:
            return EVERYTHING
        sign = 1 if po.content(p) > 0 else -1
        strict = True
        for q, e in parts:
            bound = self.bounds_of(q)
            if isinstance(e, Fraction) and e.denominator != 1:
                if not bound.nonnegative:
                    return EVERYTHING
            elif e % 2 and not bound.nonnegative:
                if not bound.nonpositive:
                    return EVERYTHING
                sign = -sign
            strict = strict and (bound.nonzero or q in self.unequal)
        return Interval(0, INFINITE, strict) if sign > 0 else Interval(-INFINITE, 0, True, strict)

    def _linear(self, p: Poly, depth: int, used: frozenset[Poly]) -> Interval:
        """Bounds by terms, by the same polynomial with another constant, and by facts that cancel a term."""
        found = self._by_terms(p)
        if self.bounds and len(p.terms) > 1:
            shape, scale, offset = _canonical(p)
            known = self.bounds.get(shape)
            if known is not None:
                found = found.meet(known.scale(scale).plus(Interval(offset, offset, False, False)))
        if depth == 0 or found.nonzero:
            return found
        sums = self.sums()
        if not sums:
            return found
        Effort.spend(4 * len(p.terms))
        candidates: list[tuple[int, Poly, Poly, Interval]] = []
        tried: set[tuple[int, Number]] = set()
        for m, c in p.terms.items():
            for fact, bound in sums.get(m, ()):
                if fact not in used:
                    factor = po.quotient(c, fact.terms[m])
                    if (id(fact), factor) in tried:  # by another term already
                        continue
                    tried.add((id(fact), factor))
                    rest = p + fact.scale(-factor)
                    if len(rest.terms) < len(p.terms) + len(fact.terms) - 1:
                        candidates.append((len(rest.terms), rest, fact, bound.scale(factor)))
        candidates.sort(key=lambda each: each[0])
        for _, rest, fact, bound in candidates[:_WIDTH[depth]]:
            value = rest.constant
            left = Interval(value, value, False, False) if value is not None else \
                self._linear(rest, depth - 1, used | {fact})
            found = found.meet(left.plus(bound))
            if found.nonzero:
                break
        return found

    def sums(self) -> dict[Monomial, list[tuple[Poly, Interval]]]:
        """The facts of several terms, by these."""
        if self._sums is None:
            self._sums = {}
            for fact, bound in self.bounds.items():
                if len(fact.terms) > 1:
                    for m in fact.terms:
                        self._sums.setdefault(m, []).append((fact, bound))
        return self._sums

    def _by_terms(self, p: Poly) -> Interval:
        out: Interval | None = None
        Effort.spend(len(p.terms))
        for m, c in p.terms.items():
            bound = self._monomial(m).scale(c) if m else Interval(c, c, False, False)
            out = bound if out is None else out.plus(bound)
            if out.lo == -INFINITE and out.hi == INFINITE:
                return EVERYTHING
        return Interval(0, 0, False, False) if out is None else out

    def _monomial(self, m: Monomial) -> Interval:
        if len(m) == 1 and m[0][1] == 1:
            return self._generator(m[0][0])
        out = self._monomials.get(m)
        if out is not None:
            return out
        Effort.spend(10 * len(m))
        for g, e in m:
            bound = self._power(g, e)
            out = bound if out is None else out.times(bound)
        assert out is not None
        known = self.bounds.get(Poly({m: 1}))
        if known is not None:
            out = out.meet(known)
        if not self._open:
            self._monomials[m] = out
        return out

    def _power(self, g: int, e: po.Exponent) -> Interval:
        bound = self._generator(g)
        if e == 1:
            return bound
        if isinstance(e, int):
            return bound.power(e)
        if GENERATORS[g].kind in ("exp", "root"):
            return fractional(self.base(g), e)
        return Interval(0, INFINITE, bound.positive) if e > 0 else EVERYTHING

    def base(self, g: int) -> Interval:
        made = GENERATORS[g]
        if made.kind == "exp":
            return self._generator(g)
        inner = self.bounds_of(made.base)
        return _NOT_NEGATIVE if inner.hi < 0 else inner.meet(_NOT_NEGATIVE)

    def _generator(self, g: int) -> Interval:
        found = self._generators.get(g)
        if found is None:
            self._generators[g] = EVERYTHING  # while it is asked for
            self._open += 1
            try:
                found = ranges.of_generator(self, g)
            except BaseException:
                del self._generators[g]
                raise
            finally:
                self._open -= 1
            known = self.bounds.get(po.generator(g))
            if known is not None:
                found = found.meet(known)
            if po.generator(g) in self.unequal:
                found = Interval(found.lo, found.hi, found.lo_open or found.lo == 0, found.hi_open or found.hi == 0)
            self._generators[g] = found
        return found


def _signs(op: str, a: Term, b: Term) -> Cond | None:
    """What the sign of a product says of its factors."""
    if op not in ("<", "<="):
        return None
    if a is ZERO and b.op == "mul":
        x, y, flipped = *b.args, False
    elif b is ZERO and a.op == "mul":
        x, y, flipped = *a.args, True
    else:
        return None
    if x is y or x.op == "number" or y.op == "number":
        return None

    def both(above: bool) -> Cond:
        pairs = ((x, above), (y, above != flipped))
        return conj(*(compare(op, ZERO, t) if up else compare(op, t, ZERO) for t, up in pairs))

    return disj(both(True), both(False))


def _halvable(g: int, e: po.Exponent) -> po.Exponent | None:
    """Half of an exponent, if the power is a square of something real."""
    if GENERATORS[g].kind == "exp":
        return po.whole(Fraction(e) / 2)
    return int(e) // 2 if isinstance(e, int) and e % 2 == 0 else None


_factored: dict[Poly, tuple[list[tuple[Poly, po.Exponent]], float]] = {}


def _factors(p: Poly) -> list[tuple[Poly, po.Exponent]]:
    """Factors, which cost as much as if they were never known: what is given up does not depend on what went before."""
    found = _factored.get(p)
    if found is not None:
        Effort.spend(found[1])
        return found[0]
    if len(_factored) > 20000:
        _factored.clear()
    before = Effort.left
    made = factors.factors(p)
    _factored[p] = made, before - Effort.left if before < math.inf else 0
    return made


def _canonical(p: Poly) -> tuple[Poly, Number, Number]:
    """(q, c, d) with p = c * q + d, where q is primitive and has no constant."""
    offset = p.terms.get(po.UNIT, 0)
    rest = Poly({m: c for m, c in p.terms.items() if m}) if offset else p
    return po.primitive(rest), po.content(rest), offset


_known: dict[Hashable, Facts] = {}
MOST_KNOWN = 2000


def _same(bounds: Mapping[Poly, Interval], unequal: frozenset[Poly], impossible: bool, others: Mapping[Cond, None]
          ) -> Facts:
    """These facts: where the same ones were found before, in another order, those, with all that they were asked."""
    key = frozenset(bounds.items()), unequal, impossible, frozenset(others)
    found = _known.get(key)
    if found is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        found = _known[key] = Facts(bounds, unequal, impossible, others)
    return found


def forget() -> None:
    """Begin anew: what a definition costs does not depend on those before it."""
    _known.clear()


NO_FACTS = Facts({}, frozenset(), False, {})
