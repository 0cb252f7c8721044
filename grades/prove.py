"""How smooth a branch is across the boundary of its condition.

Comes in: the condition and the results of both arms as terms, and what is known where the branch stands. Goes out: a
`Verdict`. What is proved holds for all values of the atoms that the facts allow; what is not proved is a `jump`.

A function made of pieces, each smooth on a neighbourhood of a point, is C^k there if all pieces whose region comes near
the point have the same derivatives up to order k at each point of the boundaries around it (Taylor's theorem, piece by
piece; no boundary has to be smooth itself). The boundary of `a < b` lies in the zeros of b - a, where comparisons
beside it leave it a say. So: factor b - a, for each factor solve for a variable that enters affinely with a coefficient
that is not 0, expand both arms in a power series across (`series.py`), and see how many coefficients agree identically.
On a graph, derivatives across give all others. Zeros that cannot be solved for a variable are followed along every
active variable, if their gradient is nowhere 0; or the difference of the arms is divisible by a power of the factor,
which is enough at singular points too. Each arm is written as it is on its own side: `abs x` is x where the condition
says so, and both, one after the other, where nothing says.

A branch that is taken on a thin set only, as `if x == 0 then 1 else sin x / x`, keeps the function continuous if its
value is the limit of the other arm. The program's derivative is that of the arm which is taken, so more is granted only
as far as the arms' derivatives agree there too: to `if x == 0 then 0 else x` no more than `lip`.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from ..lang.record import dataclass
from . import factors, normal, terms
from . import polynomials as po
from .effort import Spent, TooHard
from .effort import effort as limited
from .facts import NO_FACTS, Facts
from .functions import jumps
from .intervals import INFINITE
from .lattice import Grade, bounded
from .loci import Crossing, Roots, Zeros, in_sines, vanishes, zeros
from .normal import GENERATORS, Ratio
from .rewriting import one_angle
from .series import Expansion, Irregular, Order, Series, Short, Split
from .terms import (
    And,
    Compare,
    Cond,
    Not,
    Or,
    Term,
    apply,
    atoms_of,
    compare,
    negate,
    show_condition,
    simplified,
)
from .text import show
from .valued import compared, meaningful

LENGTHS = (3, 7)
"""How many coefficients are compared: first a few, more where all of these agree or a quotient eats some."""
MOST = 4
"""No more than C4 is claimed of arms that are different functions."""
SMOOTH = 99
"""The order of an atom that is smooth."""
EFFORT = 100_000
"""Work that a verdict may cost: some tenths of a second."""
_CASES = 6
TOO_MANY = "unknown, there are too many cases: a proof is given up after a fixed amount of work"
TOO_LARGE = "unknown, the formulas are too large to be compared"


@dataclass(frozen=True)
class Verdict:
    """What is shown of `if cond then … else …` near the points where the condition changes.

    `grade`: `smooth` (also where there is no such point), `C4` … `C1`, `lip`, `cont`; or `jump`, with `proved` false,
    where nothing is shown. `why`: a sentence. `boundary`: where the condition changes, as text, "" where nowhere.
    `difference`: what the arms differ by there, where that is not shown to be 0. `bounded`: of C^k, whether the next
    derivative is bounded.
    """

    grade: Grade
    proved: bool
    why: str
    boundary: str = ""
    difference: str = ""
    bounded: bool = False

    @property
    def tight(self) -> Grade:
        """The grade, with what is known besides."""
        return bounded(self.grade) if self.bounded else self.grade


@dataclass(frozen=True)
class _Finding:
    """Two arms at one boundary: how many derivatives agree (-1: not even the values), and what the next differs by."""

    order: Order
    rough: Order
    text: str
    reason: str = ""
    difference: str = ""

    @property
    def agree(self) -> Order:
        """The order k of C^k."""
        return min(self.order, math.ceil(self.rough) - 1 if self.rough != INFINITE else INFINITE)

    @property
    def rank(self) -> tuple[Order, Order]:
        return self.agree, min(self.rough, 1)


def across(cond: Cond, then: Sequence[Term], orelse: Sequence[Term], facts: Facts, active: Callable[[Term], bool],
           order: Callable[[Term], float] | None = None, effort: int = EFFORT) -> Verdict:
    """The regularity of a branch, jointly in its active atoms.

    `then`, `orelse`: one term for each result. `facts`: what is known where the branch stands, without the condition.
    `active`: whether an atom moves. `order`: up to which order an atom is smooth on a neighbourhood of the boundary,
    -1 for one that may jump; by default atoms are as smooth as one likes. `effort`: what it may cost.

    >>> x = terms.atom("x", "x")
    >>> across(compare(">", x, terms.ZERO), [apply("mul", (x, x))], [terms.ZERO], Facts.none(), lambda a: True).grade
    'C1'
    """
    try:
        with limited(effort):
            return _Branch(simplified(cond), list(then), list(orelse), facts, active, order).verdict()
    except Spent:
        return Verdict("jump", False, TOO_MANY, show_condition(cond))
    except (TooHard, ZeroDivisionError, RecursionError, OverflowError):
        return Verdict("jump", False, TOO_LARGE, show_condition(cond))


def closure(cond: Cond) -> Cond:
    """What holds at all limits of points where the condition holds; nothing, where what is compared may jump."""
    match cond:
        case Compare(_, a, b) if jumps(a, b):
            return terms.TRUE
        case Compare("<", a, b) if terms.whole(a) and terms.whole(b):
            return cond  # whole numbers do not come closer
        case Compare("<", a, b):
            return compare("<=", a, b)
        case Compare("!="):
            return terms.TRUE
        case Compare():
            return cond
        case And(parts):
            return terms.conj(*map(closure, parts))
        case Or(parts):
            return terms.disj(*map(closure, parts))
        case _:
            return terms.TRUE


def cases(run: Callable[[Facts, Facts], Series], near: Facts, at: Facts, depth: int = _CASES,
           splits: tuple[Cond, ...] = ()) -> Iterator[tuple[Series, Facts, Facts, tuple[Cond, ...]]]:
    """What `run` gives in each case of what it does not know: with what holds near and at the boundary then."""
    if depth > 0 and (parts := near.undecided()) is not None:
        yield from _sides(run, near, at, depth, splits, parts)
        return
    try:
        found = run(near, at)
    except Split as split:
        if depth == 0:
            raise Irregular("too many cases") from None
        yield from _sides(run, near, at, depth, (*splits, split.cond), (split.cond, negate(split.cond)))
        return
    yield found, near, at, splits


def _sides(run: Callable[[Facts, Facts], Series], near: Facts, at: Facts, depth: int, splits: tuple[Cond, ...],
           sides: tuple[Cond, ...]) -> Iterator[tuple[Series, Facts, Facts, tuple[Cond, ...]]]:
    """The cases in which one of several conditions holds near the boundary, hence its closure at the boundary."""
    for side in sides:
        near_side = near.assume(side)
        if near_side.impossible:
            continue
        at_side = at
        for cond in near_side.others:
            if cond not in near.others:
                at_side = at_side.assume(closure(cond))
        if not at_side.impossible and not at_side.contradictory():
            yield from cases(run, near_side, at_side, depth - 1, splits)


class _Branch:
    def __init__(self, cond: Cond, then: list[Term], orelse: list[Term], facts: Facts, active: Callable[[Term], bool],
                 order: Callable[[Term], float] | None) -> None:
        self.facts, self.active = meaningful(facts, [*then, *orelse, *compared(cond)], active), active
        pairs = [(a, b) for a, b in zip(then, orelse, strict=True) if a is not b]
        self.then, self.orelse = [a for a, _ in pairs], [b for _, b in pairs]
        self.cond = self.settled(cond)
        self.order = order
        self.thin = False
        """Whether the findings are about an arm that is taken on a thin set alone."""
        place = {a: i for i, a in enumerate(terms.in_order((*self.then, *self.orelse)))}
        self.roots = Roots(active, lambda a: place.get(a, len(place)))
        self.known: dict[object, _Finding] = {}

    def settled(self, cond: Cond) -> Cond:
        """The condition without what the facts decide; `a <= b` where a >= b is known is `a == b`."""
        answer = self.facts.decides(cond)
        if answer is not None:
            return terms.TRUE if answer else terms.FALSE
        match cond:
            case And(parts):
                return terms.conj(*map(self.settled, parts))
            case Or(parts):
                return terms.disj(*map(self.settled, parts))
            case Compare(("<" | "<=") as op, a, b):
                bound = self.facts.interval(apply("sub", (b, a)))
                if op == "<=" and bound.nonpositive:
                    return compare("==", a, b)
                if op == "<" and bound.nonnegative:
                    return compare("!=", a, b)
        return cond

    def moves(self, cond: Cond) -> bool:
        match cond:
            case And(parts) | Or(parts):
                return any(map(self.moves, parts))
            case Not(part):
                return self.moves(part)
            case _:
                return any(map(self.active, atoms_of(cond)))

    def is_thin(self, cond: Cond) -> bool:
        """Whether a condition holds on a set without interior, whatever is held fixed: `k == 0 && x > 0` is none if k
        does not move."""
        match cond:
            case Compare("==", a, b):
                return self.moves(cond) and not jumps(a, b)
            case And(parts):
                return any(map(self.is_thin, parts))
            case Or(parts):
                return bool(parts) and all(map(self.is_thin, parts))
            case _:
                return False

    def verdict(self) -> Verdict:
        if not self.moves(self.cond):
            same = self.cond in (terms.TRUE, terms.FALSE)
            return Verdict("smooth", True, "the condition never changes" if same else
                           "the condition does not depend on what is differentiated")
        if not self.then:
            return Verdict("smooth", True, "both arms are the same")
        if self.facts.impossible:
            return Verdict("smooth", True, "the branch is never reached")
        if any(self.facts.assume(self.cond, side).impossible for side in (True, False)):
            return Verdict("smooth", True, "the condition never changes")
        if self.identical():
            return Verdict("smooth", True, "both arms are the same function")
        limit: Order = INFINITE
        if self.order is not None:
            inside = {a for t in (*self.then, *self.orelse) for a in terms.atoms(t)} | atoms_of(self.cond)
            limit = min((o for a in inside if self.active(a) and (o := self.order(a)) < SMOOTH), default=INFINITE)
            if limit < 0:
                return Verdict("jump", False, "a value is not known to be smooth near the boundary",
                               show_condition(self.cond))
        findings: list[_Finding] | None = None
        reasons: list[str] = []
        for thin, cond, a, b in self.readings():
            try:
                found = self.examine(cond, a, b, thin)
            except (Irregular, Short, TooHard, ZeroDivisionError) as error:
                reasons.append(str(error))
                continue
            if findings is None or _worst(found).rank > _worst(findings).rank:
                findings, self.thin = found, thin
            if _worst(findings).agree == INFINITE:
                break
        if findings is None:
            return Verdict("jump", False, _sentence(reasons[0] if reasons else ""), show_condition(self.cond))
        return self.told(findings, limit)

    def readings(self) -> Iterator[tuple[bool, Cond, list[Term], list[Term]]]:
        """Whether one arm is taken on a thin set only: then that reading first, that arm first."""
        if self.is_thin(self.cond):
            yield True, self.cond, self.then, self.orelse
        elif self.is_thin(negate(self.cond)):
            yield True, negate(self.cond), self.orelse, self.then
        yield False, self.cond, self.then, self.orelse

    def identical(self) -> bool:
        """Whether both arms have one normal form where they are used."""
        sides = self.facts.assume(self.cond), self.facts.assume(self.cond, False)
        for a, b in zip(self.then, self.orelse, strict=True):
            try:
                forms = [Expansion(side, side, side, active=self.active).series(t).at(0)
                         for side, t in zip(sides, (a, b), strict=True)]
            except (Irregular, Short, Split, TooHard, ZeroDivisionError):
                return False
            if forms[0] != forms[1] and one_angle(forms[0] - forms[1]).num:
                return False
        return True

    # ---- the boundary

    def sites(self, cond: Cond, beside: tuple[Cond, ...], thin: bool) -> Iterator[tuple[Cond, tuple[Cond, ...]]]:
        """Each comparison of a condition, with what holds of the others where it has a say."""
        match cond:
            case And(parts):
                for i, part in enumerate(parts):
                    if thin and not self.is_thin(part):
                        continue
                    others = tuple(closure(p) for j, p in enumerate(parts) if j != i)
                    yield from self.sites(part, beside + others, thin)
                    if thin:
                        return
            case Or(parts):
                for i, part in enumerate(parts):
                    others = () if thin else tuple(closure(negate(p)) for j, p in enumerate(parts) if j != i)
                    yield from self.sites(part, beside + others, thin)
            case _:
                yield cond, beside

    def examine(self, cond: Cond, first: list[Term], second: list[Term], thin: bool) -> list[_Finding]:
        """The arms at every part of the boundary. `first` is taken where the condition holds."""
        near = self.facts.assume(cond), self.facts.assume(cond, False)
        findings: list[_Finding] = []
        for site, beside in self.sites(cond, (), thin):
            if not self.moves(site):
                continue
            if not isinstance(site, Compare):
                raise Irregular("the condition is not a comparison that can be followed")
            at = self.facts
            for other in beside:
                at = at.assume(other)
            if at.impossible:
                continue
            for part in self.zeros_of(site, at, thin):
                for a, b in zip(first, second, strict=True):
                    findings.append(self.at_zeros(part, a, b, near, thin))
                    if findings[-1].order < 0:
                        return findings
        return findings

    def zeros_of(self, site: Compare, at: Facts, thin: bool) -> list[Zeros]:
        """The zeros of what is compared, in all cases of what it is."""
        gap = apply("sub", (site.b, site.a))
        out: list[Zeros] = []

        def run(near: Facts, at: Facts) -> Series:
            return Expansion(near, at, near, checks=1, active=self.active).series(gap)

        for found, _, here, _ in cases(run, self.facts, at):
            if found.val < 0:
                raise Irregular("the condition compares something unbounded")
            difference = found.at(0)
            if not difference.num:
                if thin:
                    raise Irregular("equal on more than a thin set")
                continue
            for factor, _ in factors.factors(difference.num):
                if any(self.active(a) for g in factor.generators for a in GENERATORS[g].atoms):
                    out += zeros(factor, here, self.roots)
        return out

    # ---- two arms

    def at_zeros(self, part: Zeros, a: Term, b: Term, near: tuple[Facts, Facts], thin: bool) -> _Finding:
        """The best that any way across shows."""
        if part.corner:
            return self.at_corner(part, a, b, thin)
        best: _Finding | None = None
        for way in part.ways:
            worst: _Finding | None = None
            for crossing in way:
                try:
                    found = self.crossed(crossing, a, b, near, thin)
                except (Irregular, Short, TooHard, ZeroDivisionError) as error:
                    found = _Finding(-1, INFINITE, crossing.text, str(error))
                if worst is None or found.rank < worst.rank:
                    worst = found
            if worst is not None and (best is None or worst.rank > best.rank):
                best = worst
            if best is not None and (best.order >= 0 or best.difference):
                break
        if best is None or (best.order < 0 and not best.difference):
            reason = best.reason if best is not None else "the boundary may have singular points"
            divided = self.divided(part, a, b, near, thin)
            if divided is not None:
                return divided
            return _Finding(-1, INFINITE, best.text if best is not None else part.text, reason)
        return best

    def at_corner(self, part: Zeros, a: Term, b: Term, thin: bool) -> _Finding:
        """Where several atoms are 0 at once: the values of both arms. If they are the same, a branch that is taken at
        the corner alone gives what the other arm gives there: nothing is claimed but that slopes are as in the arms."""
        try:
            values = []
            for term in (a, b):
                expansion = Expansion(part.at, part.at, part.at, 1, 1, active=self.active)
                expansion.values = dict.fromkeys(part.corner, normal.ZERO)
                values.append(expansion.series(term).at(0))
        except (Irregular, Short, Split, TooHard, ZeroDivisionError) as error:
            return _Finding(-1, INFINITE, part.text, str(error) or "a sign that is not known")
        c = values[0] - values[1]
        if not vanishes(c, part.at, None):
            return _Finding(-1, INFINITE, part.text, "", show(c))
        if not thin:
            return _Finding(-1, INFINITE, part.text, "the boundary may have singular points")
        return _Finding(0, 1 if _gentle(self.facts.normal(b), set(part.corner)) else Fraction(1, 2), part.text)

    def crossed(self, crossing: Crossing, a: Term, b: Term, near: tuple[Facts, Facts], thin: bool) -> _Finding:
        for length in LENGTHS:
            try:
                found = self.compared(crossing, a, b, near, thin, length)
            except Short:
                if length == LENGTHS[-1]:
                    raise Irregular("a quotient of things that vanish there") from None
                continue
            if found.order < length - 1 or found.order == INFINITE:
                return found
        return _Finding(MOST, found.rough, found.text)

    def compared(self, crossing: Crossing, a: Term, b: Term, near: tuple[Facts, Facts], thin: bool, length: int
                 ) -> _Finding:
        """Both arms' series at one crossing, in all cases."""
        def expand(term: Term, frozen: bool) -> Callable[[Facts, Facts], Series]:
            def run(side: Facts, at: Facts) -> Series:
                expansion = Expansion(at, at, side, 1 if frozen else length, 2, True, crossing.variable, crossing.value,
                                      self.active, crossing.reduce)
                expansion.frozen = frozen
                return expansion.series(term)
            return run

        findings: list[_Finding] = []
        seconds = list(cases(expand(b, False), near[1], crossing.at))
        values = False  # whether of the first arm no more than the value on the thin set is known
        try:
            firsts = list(cases(expand(a, False), near[0], crossing.at))
        except (Irregular, Short):
            if not thin:
                raise
            values = True
            firsts = list(cases(expand(a, True), near[0], crossing.at))
        for i, (left, left_near, left_at, _) in enumerate(firsts):
            for right, right_near, right_at, _ in seconds:
                at = left_at
                if left_at is not crossing.at:
                    at = _both(left_at, right_at)
                elif right_at is not crossing.at:
                    at = right_at
                if at.impossible:
                    continue
                found = self.difference(left, right, at, crossing, 1 if values else length)
                if values and found.order >= 0:
                    found = _Finding(0, right.order, crossing.text)
                elif found.order >= 0 and found.order >= length - 1 and self.same(a, b, left_near, right_near, at):
                    found = _Finding(INFINITE, INFINITE, crossing.text)
                findings.append(found)
            del i
        for pieces, side in ((firsts, near[0]), (seconds, near[1])):
            if thin and pieces is firsts:
                continue
            for i, (left, _, left_at, splits) in enumerate(pieces):
                if not any(_apart(s, side) for s in splits):
                    continue
                for right, _, right_at, _ in pieces[:i]:
                    at = _both(left_at, right_at)
                    if not at.impossible:
                        findings.append(self.difference(left, right, at, crossing, length))
        return _worst(findings) if findings else _Finding(INFINITE, INFINITE, crossing.text)

    def same(self, a: Term, b: Term, near_a: Facts, near_b: Facts, at: Facts) -> bool:
        """Whether the arms are one function in this case."""
        try:
            left = Expansion(near_a, at, near_a, active=self.active).series(a)
            right = Expansion(near_b, at, near_b, active=self.active).series(b)
            return not one_angle(left.at(0) - right.at(0)).num
        except (Irregular, Short, Split, TooHard, ZeroDivisionError):
            return False

    def difference(self, left: Series, right: Series, at: Facts, crossing: Crossing, length: int) -> _Finding:
        """How many coefficients of two series agree."""
        rough = min(left.order, right.order)
        low = min(left.val, right.val, 0)
        end = int(min(left.end, right.end, length))
        for s in (left, right):
            if s.val < 0 and any(not vanishes(s.at(k), at, crossing.reduce) or self.meets(s.at(k), crossing)
                                 for k in range(s.val, 0)):
                raise Irregular("both arms are unbounded there")
        for k in range(low, end):
            if k >= rough:
                break
            c = left.at(k) - right.at(k)
            if not vanishes(c, at, crossing.reduce):
                if k < 0:
                    raise Irregular("an arm is unbounded there")
                if k == 0 and rough <= 0:
                    raise Irregular("an arm is not known to be continuous there")
                shown = c if crossing.equation is None else crossing.reduce(c)  # type: ignore[misc]  # there is one
                return _Finding(k - 1, rough, crossing.text, "", show(shown.scale(math.factorial(k))))
            if self.meets(c, crossing):
                return _Finding(k, min(rough, k + 1), crossing.text)
        if end < length and end < rough:
            raise Short
        if rough <= 0:
            raise Irregular("an arm is not known to be continuous there")
        if left.end == right.end == rough == INFINITE and max(s.val + len(s.coefs) for s in (left, right)) <= length:
            return _Finding(INFINITE, INFINITE, crossing.text)
        return _Finding(length - 1 if rough > length - 1 else math.ceil(rough) - 1, rough, crossing.text)

    def meets(self, c: Ratio, crossing: Crossing) -> bool:
        """Whether a coefficient that vanishes where the boundary is does so because the boundary is at the edge of what
        is known there, as x + y = 0 where neither is negative: not on a surface, so derivatives along it say nothing.
        Where two cases of the arms meet at such a place they are compared on either side of it, too."""
        left = crossing.reduce(c) if crossing.reduce is not None else c
        if not left.num or not vanishes(c, crossing.at, crossing.reduce):
            return False
        return not vanishes(c, self.facts, crossing.reduce)

    def divided(self, part: Zeros, a: Term, b: Term, near: tuple[Facts, Facts], thin: bool) -> _Finding | None:
        """The difference as a multiple of a power of the factor, which is enough at any point."""
        if thin:
            return None
        try:
            power: Order = INFINITE
            for left, _, at, _ in cases(self.whole(a), near[0], part.at):
                for right, _, _, _ in cases(self.whole(b), near[1], at):
                    difference: Ratio = left.at(0) - right.at(0)
                    if min(left.rough, right.rough) != INFINITE or min(left.val, right.val) < 0:
                        return None
                    count, rest = 0, in_sines(difference.num, part.factor)
                    while rest and count <= MOST:
                        quotient = po.divide(rest, part.factor)
                        if quotient is None:
                            break
                        count, rest = count + 1, quotient
                    power = min(power, count if rest else INFINITE)
        except (Irregular, Short, TooHard, ZeroDivisionError):
            return None
        if power == 0:
            return None
        return _Finding(power - 1 if power != INFINITE else INFINITE, INFINITE, part.text)

    def whole(self, term: Term) -> Callable[[Facts, Facts], Series]:
        def run(side: Facts, at: Facts) -> Series:
            return Expansion(side, at, side, 1, 2, True, None, None, self.active).series(term)
        return run

    # ---- what is said

    def told(self, findings: list[_Finding], limit: Order) -> Verdict:
        if not findings:
            return Verdict("smooth", True, "the condition never changes")
        worst = _worst(findings)
        boundary = " and ".join(dict.fromkeys(f.text for f in findings))
        if worst.order < 0:
            if worst.reason or not worst.difference:
                return Verdict("jump", False, _sentence(worst.reason) if worst.reason else TOO_LARGE, worst.text)
            why = f"across {worst.text} the arms differ by {worst.difference}, which is not shown to be 0"
            return Verdict("jump", False, why, worst.text, worst.difference)
        agree = min(worst.agree, limit)
        if agree == INFINITE:
            return Verdict("smooth", True, f"the arms agree with all derivatives across {boundary}", boundary)
        k = int(min(agree, MOST))
        tight = min(limit, *(f.agree + (f.rough == INFINITE) / 2 for f in findings)) > k
        if k == 0:
            if worst.agree == 0 and worst.rough < 1:
                why = f"the values agree across {worst.text}, but a slope is infinite there"
                return Verdict("cont", True, why, boundary)
            said = "the arm that is taken there alone has another slope, by" if self.thin else "the slope jumps by"
            slope = f"; {said} {worst.difference}" if worst.difference else ""
            why = f"the values agree across {worst.text}{slope}"
            return Verdict("lip" if worst.agree == 0 or tight else "cont", True, why, boundary)
        jumps = f"; the {_nth(k + 1)} derivative jumps by {worst.difference}" if worst.difference else ""
        upto = "first derivatives agree" if k == 1 else f"derivatives up to the {_nth(k)} agree"
        return Verdict(f"C{k}", True, f"values and {upto} across {worst.text}{jumps}", boundary, bounded=tight)


def _worst(findings: Sequence[_Finding]) -> _Finding:
    return min(findings, key=lambda f: f.rank) if findings else _Finding(INFINITE, INFINITE, "")


def _both(a: Facts, b: Facts) -> Facts:
    """What two cases of the same boundary say together."""
    if a is b:
        return a
    both = a
    for cond in b.others:
        if cond not in a.others:
            both = both.assume(cond)
    return both


def _apart(split: Cond, side: Facts) -> bool:
    """Whether the two cases of an arm do not meet where the arm is used, so that nobody else has compared them."""
    match split:
        case Compare(_, a, b):
            return side.nonzero(apply("sub", (a, b)))
        case _:
            return False


def _gentle(r: Ratio | None, moving: set[Term]) -> bool:
    """Whether roots are those of 2nd degree of what is nowhere negative: then slopes are bounded."""
    if r is None:
        return False
    for g in r.generators:
        made = GENERATORS[g]
        if made.kind not in ("atom", "abs", "exp", "sin", "cos", "pi") and made.atoms & moving:
            if made.kind != "root" or not NO_FACTS.nonnegative_poly(made.base):
                return False
            if any(e != Fraction(1, 2) for p in (r.num, r.den) for m in p.terms for h, e in m if h == g):
                return False
            if any(GENERATORS[h].kind != "atom" for h in made.base.generators):
                return False
    return True


def _nth(k: int) -> str:
    return {1: "1st", 2: "2nd", 3: "3rd"}.get(k, f"{k}th")


def _sentence(reason: str) -> str:
    return f"not understood at the boundary: {reason}" if reason else "not understood"
