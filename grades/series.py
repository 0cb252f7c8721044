"""Power series of terms along a direction that crosses a boundary; normal forms, which are series of one coefficient.

Comes in: a term, the variable `v` that is followed, the value it has on the boundary. Goes out: coefficients c0, c1 …
with term = c0 + c1 t + c2 t² … where v = value + t, each a normal form in the other variables. What a function needs
of its argument *on the boundary* is asked of facts, so that the term is known to be smooth on a neighbourhood, in all
its variables; otherwise `Irregular` is raised. Quotients whose terms vanish on the boundary are removable
singularities where the series says so (sin t / t). Powers such as u ** 1.5 of what vanishes there are smooth up to an
order only: `rough`.

What depends on the sign of something whose sign is not known raises `Split`: the caller looks at both cases.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from . import limits, normal, special, terms
from .effort import Effort, TooHard
from .facts import NO_FACTS, Facts
from .functions import JUMPING, expanded, jumps, known
from .intervals import INFINITE
from .normal import GENERATORS, ONE, ZERO, Ratio
from .terms import And, Compare, Cond, Not, Or, Term, apply, compare, number, select, subterms
from .text import show

Order = Fraction | float
LOGARITHM = Fraction(1, 1000)
"""By how much a factor log t is worse than a constant: t ** 2 * log t is a little less than t ** 2, C1."""

class Irregular(Exception):
    """The term is not known to be smooth there; the text says why."""


class Split(Exception):
    """The term is one thing where the condition holds and another where it does not."""

    def __init__(self, cond: Cond) -> None:
        super().__init__(cond)
        self.cond = cond


class Short(Exception):
    """More coefficients are needed."""


class Series:
    """t ** val * (coefs[0] + coefs[1] t + …), known as far as there are coefficients, in full where `exact`.

    `rough`: the smallest exponent of t with something behind it that is no power series; infinite where all is smooth.
    `loss`: by how much a derivative lowers that exponent, 2 for sin (1/t). `exact` is also what vanishes with all of
    its derivatives besides, as exp (-1/t).
    """

    __slots__ = ("coefs", "exact", "loss", "rough", "val")

    def __init__(self, coefs: list[Ratio], val: int = 0, exact: bool = True, rough: Order = INFINITE,
                 loss: Order = 1) -> None:
        if exact:
            while coefs and not coefs[-1]:
                coefs = coefs[:-1]
        self.coefs, self.val, self.exact, self.rough, self.loss = coefs, val, exact, rough, loss

    @property
    def plain(self) -> bool:
        """Whether it is one coefficient and nothing else: a normal form."""
        return self.exact and len(self.coefs) == 1 and self.val == 0 and self.rough == INFINITE and self.loss == 1

    @property
    def end(self) -> float:
        """The exponent from which on coefficients are unknown."""
        return INFINITE if self.exact else self.val + len(self.coefs)

    def at(self, k: int) -> Ratio:
        i = k - self.val
        return self.coefs[i] if 0 <= i < len(self.coefs) else ZERO

    @property
    def order(self) -> Order:
        """Below how many derivatives all is known."""
        return self.rough / self.loss

    def constant(self) -> bool:
        return self.exact and self.val >= 0 and self.val + len(self.coefs) <= 1


def _plain_power(a: Series, n: int, multiply: Callable[[Series, Series], Series]) -> Series:
    out: Series | None = None
    while n:
        if n & 1:
            out = a if out is None else multiply(out, a)
        n >>= 1
        if n:
            a = multiply(a, a)
    return out if out is not None else Series([ONE])


class Expansion:
    """Series of terms, remembered.

    `signs`: decides which rules of the normal form may be used. `at`: what holds at the points of the boundary. `near`:
    what holds where the term is used, on one side of it. `length`: how many coefficients. `checks`: 0 for normal forms
    alone, 1 if the term must be continuous where it has a meaning, 2 if it must be smooth. `splits`: whether unknown
    signs raise `Split`, or stay in the normal form.
    """

    def __init__(self, signs: Facts, at: Facts, near: Facts, length: int = 1, checks: int = 0, splits: bool = True,
                 variable: Term | None = None, value: Ratio | None = None,
                 active: Callable[[Term], bool] | None = None, reduce: Callable[[Ratio], Ratio] | None = None,
                 memo: dict[Term, Series] | None = None) -> None:
        self.signs, self.at, self.near, self.length, self.checks, self.splits = signs, at, near, length, checks, splits
        self.variable, self.value, self.active, self.reduce = variable, value, active, reduce
        self.memo: dict[Term, Series] = {} if memo is None else memo
        self.steps = 0
        self.frozen = False
        """The variable stays at its value: the term is used on the boundary alone."""
        self.failed: dict[Term, Irregular] = {}
        """What has no series; a quotient with it may still have one."""
        self.values: dict[Term, Ratio] = {}
        """Atoms that stay at a value."""

    # ---- arithmetic

    def add(self, a: Series, b: Series, sign: int = 1) -> Series:
        if a.plain and b.plain:
            return Series([a.coefs[0] + b.coefs[0] if sign > 0 else a.coefs[0] - b.coefs[0]])
        if a.exact and not a.coefs:
            a = Series([], b.val, True, a.rough, a.loss)
        if b.exact and not b.coefs:
            b = Series([], a.val, True, b.rough, b.loss)
        val = min(a.val, b.val)
        end = min(a.end, b.end)
        top = max(a.val + len(a.coefs), b.val + len(b.coefs))
        exact = end == INFINITE
        count = int(min(end, top)) - val
        coefs = [a.at(k) + (b.at(k) if sign > 0 else -b.at(k)) for k in range(val, val + max(count, 0))]
        return Series(coefs, val, exact, min(a.rough, b.rough), max(a.loss, b.loss))

    def mul(self, a: Series, b: Series) -> Series:
        if a.plain and b.plain and self.reduce is None:
            self.steps += 1
            return Series([a.coefs[0] * b.coefs[0]])
        if (a.exact and not a.coefs) or (b.exact and not b.coefs):
            if any(s.exact and not s.coefs and s.rough == INFINITE for s in (a, b)):
                return Series([])
            return Series([], 0, True, min(a.rough, b.rough), max(a.loss, b.loss))
        a, b = self.trim(a), self.trim(b)
        full = max(len(a.coefs) + len(b.coefs) - 1, 0)
        exact = a.exact and b.exact
        known = min(len(s.coefs) for s in (a, b) if not s.exact) if not exact else full
        count = min(known, self.length) if not exact else min(full, self.length)
        exact = exact and count == full
        coefs = []
        for k in range(count):
            total = ZERO
            for i in range(max(0, k - len(b.coefs) + 1), min(k + 1, len(a.coefs))):
                if a.coefs[i] and b.coefs[k - i]:
                    total = total + a.coefs[i] * b.coefs[k - i]
            coefs.append(total)
        self.steps += count * count
        # What is rough itself may be the least power: t ** (1/3) * t ** (1/3) is no better than t ** (2/3).
        rough = min(a.rough + min(b.val, b.rough), b.rough + min(a.val, a.rough))
        return Series(coefs, a.val + b.val, exact, rough, max(a.loss, b.loss))

    def trim(self, a: Series) -> Series:
        """Without leading coefficients that are 0."""
        skip = 0
        while skip < len(a.coefs) and not self.reduced(a.coefs[skip]):
            skip += 1
        return Series(a.coefs[skip:], a.val + skip, a.exact, a.rough, a.loss) if skip else a

    def reduced(self, r: Ratio) -> Ratio:
        return self.reduce(r) if self.reduce is not None else r

    def inverse(self, a: Series, of: Term | None = None) -> Series:
        """1 / a; `of` is what a is the series of."""
        a = self.trim(a)
        calm(a)
        if not a.coefs:
            if a.exact:
                raise Irregular("a division by 0")
            raise Short
        first = self.reduced(a.coefs[0])
        if self.checks and not self.held(a, of) and not self.at.nonzero_poly(first.num) and (
                of is None or a.val or not self.at.nonzero(of)):
            raise Irregular(f"a division by {show(first)}, which may be 0")
        head = ONE / first
        if a.constant():
            return Series([head], -a.val, True, a.rough - 2 * a.val)
        count = self.length if a.exact else min(len(a.coefs), self.length)
        coefs = [head]
        for k in range(1, count):
            total = ZERO
            for i in range(1, min(k, len(a.coefs) - 1) + 1):
                if a.coefs[i]:
                    total = total + a.coefs[i] * coefs[k - i]
            coefs.append(-(total * head))
        self.steps += count * count
        return Series(coefs, -a.val, a.exact and len(a.coefs) == 1, a.rough - 2 * a.val)

    def held(self, a: Series, of: Term | None) -> bool:
        """Whether `of`, whose series is a, is held fixed. Then it is taken to lie where a function of it has a value:
        where it does not, there is nothing to be smooth (a mean of no elements)."""
        return of is not None and a.constant() and not self.moves(of)

    def regular(self, a: Series, what: str) -> list[Ratio]:
        """All coefficients from t ** 0 on, as many as are known or wanted; poles raise."""
        calm(a)
        if a.val < 0:
            a = self.trim(a)
            if a.val < 0 and (a.coefs or not a.exact):
                raise Irregular(f"{what} of something unbounded")
        count = int(min(a.end, self.length))
        if count <= 0:
            raise Short
        return [a.at(k) for k in range(count)]

    # ---- terms

    def series(self, term: Term) -> Series:
        found = self.memo.get(term)
        if found is None:
            if term in self.failed:
                raise self.failed[term]
            for each in _postorder(term, self.memo) if any(a not in self.memo for a in term.args) else ():
                if each.op == "select" or each.cond is not None or each in self.failed:
                    continue
                try:
                    self.memo[each] = self.expand(each)
                except Irregular as error:
                    self.failed[each] = error
                    if each is term:
                        raise
            found = self.memo.get(term)
            if found is None:
                found = self.memo[term] = self.expand(term)
            if self.steps > 60000:
                raise TooHard
        return found

    def expand(self, term: Term) -> Series:
        Effort.spend(2)
        match term.op, term.args:
            case "number", _:
                return Series([normal.constant(term.value)])
            case "atom", _:
                if term is self.variable:
                    assert self.value is not None
                    return Series([self.value] if self.frozen else [self.value, ONE])
                return Series([self.values[term] if term in self.values else normal.of_atom(term)])
            case "constant", _:
                return Series([normal.pi() if term is terms.PI else normal.exponential(ONE)])
            case "nonfinite", _:
                raise Irregular("infinity or nan")
            case "add", (a, b):
                return self.add(self.series(a), self.series(b))
            case "sub", (a, b):
                return self.add(self.series(a), self.series(b), -1)
            case "neg", (a,):
                return self.negative(self.series(a))
            case ("mul" | "scaled"), (a, b):
                return self.mul(self.series(a), self.series(b))
            case "div", (a, b):
                return limits.quotient(self, a, b) or self.mul(self.series(a), self.inverse(self.series(b), b))
            case "pow", (a, b):
                return self.power(a, b)
            case "sqrt", (a,):
                return self.rational(self.series(a), Fraction(1, 2), a)
            case "exp", (a,):
                return self.exponential(self.series(a), a)
            case "log", (a,):
                return self.logarithm(self.series(a), a)
            case ("sin" | "cos"), (a,):
                s, c = self.sine_cosine(self.series(a))
                return s if term.op == "sin" else c
            case "abs", (a,):
                return self.absolute(a)
            case ("max" | "min"), (a, b):
                return self.extreme(term.op, a, b)
            case "select", (a, b):
                assert term.cond is not None
                holds = self.decide(term.cond)
                if holds is None:
                    return self.opaque(term)
                return self.series(a if holds else b)
            case "sign", (a,):
                return self.series(select(compare(">", a, terms.ZERO), terms.ONE, select(
                    compare("<", a, terms.ZERO), number(-1), terms.ZERO)))
            case "copysign", (a, b):
                return self.series(select(compare(">=", b, terms.ZERO), apply("abs", (a,)),
                                          apply("neg", (apply("abs", (a,)),))))
            case "floor", (a,):
                return self.floor(term, a)
            case "cbrt", (a,):
                return self.cube_root(a)
            case "atan2", (y, x):
                return self.angle(y, x)
            case "element", _:
                return self.element(term)
        plainer = expanded(term) or special.recurrence(self, term)
        if plainer is not None:
            return self.series(plainer)
        return special.function(self, term)

    def negative(self, a: Series) -> Series:
        return Series([-c for c in a.coefs], a.val, a.exact, a.rough, a.loss)

    def power(self, a: Term, b: Term) -> Series:
        exponent = self.series(b)
        if exponent.constant():
            value = exponent.at(0).constant
            if value is not None:
                return self.rational(self.series(a), Fraction(value), a)
        base = self.series(a)
        first = self.first(base)
        if first is not None and self.signs.bounds_of_ratio(first).positive:
            return self.exponential(self.mul(exponent, self.logarithm(base, a)))
        found = limits.power(self, base, exponent, a) or limits.vanishing_exponent(self, base, exponent, a)
        if found is not None:
            return found
        if self.checks:
            raise Irregular("a power with an exponent that varies, of something that may be <= 0")
        return Series([normal.call("pow", (self.regular(base, "a power")[0], self.regular(exponent, "a power")[0]))])

    def first(self, a: Series) -> Ratio | None:
        """The value on the boundary, None where it is unbounded or not known."""
        if a.val > 0 and (a.coefs or a.exact):
            return ZERO
        return self.reduced(a.at(0)) if a.val == 0 and a.end > 0 else None

    def rational(self, a: Series, p: Fraction, base: Term) -> Series:
        """a ** p for a rational number p."""
        if p.denominator == 1:
            n = int(p)
            if abs(n) > 40:
                raise TooHard
            return _plain_power(a if n >= 0 else self.inverse(a, base), abs(n), self.mul)
        a = self.trim(a)
        calm(a)
        if not a.coefs:
            if not a.exact:
                raise Short
            if p < 0:
                raise Irregular("a division by 0")
            # 0 ** p all along the line, and then perhaps of something that is not 0 elsewhere
            return Series([])
        head = self.reduced(a.coefs[0])
        if not self.checks:
            if a.val:
                raise Irregular("a root of something that vanishes")
            return Series([normal.power(head, p, self.signs)])
        if self.held(a, base):
            return Series([normal.power(head, p, self.signs)], 0, True, a.rough)
        bound = self.at.bounds_of_ratio(head)
        if not bound.positive and not a.val:
            bound = bound.meet(self.at.interval(base))
        if a.val:
            if p < 0 or a.val < 0:
                raise Irregular("a root of something unbounded, or its inverse")
            if not (bound.positive or (a.val % 2 and self.at.nonzero_poly(head.num))):
                raise Irregular("a root of something that vanishes there")
            rough: Order = a.val * p
            return Series([ZERO] * math.ceil(rough), 0, False, rough)
        if bound.positive or (bound.nonnegative and self.at.nonzero_poly(head.num)):
            if a.constant():
                return Series([normal.power(head, p, self.signs)], 0, True, a.rough)
            count = self.length if a.exact else min(self.length, len(a.coefs))
            rough = a.rough
        elif bound.nonnegative and p > 0:
            rough = Fraction(1) if p == Fraction(1, 2) and _bowl(base) else p
            count = min(math.ceil(rough), self.length, len(a.coefs) if not a.exact else self.length)
        else:
            raise Irregular(f"a root of {show(head)}, which may be {'< 0' if p > 0 else '<= 0'}")
        coefs = [normal.power(head, p, self.signs)]
        for k in range(1, count):
            total = ZERO
            for i in range(1, k + 1):
                c = a.at(i)
                if c:
                    total = total + (c * coefs[k - i]).scale(p * i - (k - i))
            coefs.append((total / head).scale(Fraction(1, k)))
        return Series(coefs, 0, False, rough)

    def exponential(self, a: Series, of: Term | None = None) -> Series:
        if of is not None and limits.vanishes(self, a, of):
            return Series([])
        s = self.regular(a, "the exponential")
        head = normal.exponential(self.reduced(s[0]))
        if a.constant():
            return Series([head], 0, True, a.rough)
        coefs = [head]
        for k in range(1, len(s)):
            total = ZERO
            for i in range(1, k + 1):
                if s[i]:
                    total = total + (s[i] * coefs[k - i]).scale(i)
            coefs.append(total.scale(Fraction(1, k)))
        return Series(coefs, 0, False, a.rough)

    def logarithm(self, a: Series, of: Term) -> Series:
        a = self.trim(a)
        calm(a)
        if not a.coefs:
            raise Irregular("the logarithm of something that vanishes there")
        head = self.reduced(a.coefs[0])
        if a.val:
            if self.checks and self.at.nonzero_poly(head.num):
                return Series([], 0, False, -LOGARITHM)
            raise Irregular("the logarithm of something that vanishes, or is unbounded, there")
        if self.checks > 1 and not self.held(a, of) and not self._positive(head) and not self.at.positive(of):
            raise Irregular(f"the logarithm of {show(head)}, which may be <= 0")
        first = normal.logarithm(head, self.signs)
        if a.constant():
            return Series([first], 0, True, a.rough)
        s = self.regular(a, "the logarithm")
        coefs = [first]
        for k in range(1, len(s)):
            total = s[k].scale(k)
            for i in range(1, k):
                if coefs[i] and s[k - i]:
                    total = total - (coefs[i] * s[k - i]).scale(i)
            coefs.append((total / head).scale(Fraction(1, k)))
        return Series(coefs, 0, False, a.rough)

    def _positive(self, r: Ratio) -> bool:
        bound = self.at.bounds_of_ratio(r)
        return bound.positive or (bound.nonnegative and self.at.nonzero_poly(r.num))

    def sine_cosine(self, a: Series) -> tuple[Series, Series]:
        if self.checks and (found := limits.oscillation(self.trim(a))) is not None:
            return found, found
        s = self.regular(a, "the sine")
        sine, cosine = normal.sine_cosine(self.reduced(s[0]))
        if a.constant():
            return Series([sine], 0, True, a.rough), Series([cosine], 0, True, a.rough)
        sines, cosines = [sine], [cosine]
        for k in range(1, len(s)):
            up, down = ZERO, ZERO
            for i in range(1, k + 1):
                if s[i]:
                    up = up + (s[i] * cosines[k - i]).scale(i)
                    down = down - (s[i] * sines[k - i]).scale(i)
            sines.append(up.scale(Fraction(1, k)))
            cosines.append(down.scale(Fraction(1, k)))
        return Series(sines, 0, False, a.rough), Series(cosines, 0, False, a.rough)

    def integral(self, head: Ratio, slope: Series, a: Series) -> Series:
        """The series with this value whose derivative is slope · a′."""
        if a.constant():
            return Series([head], 0, True, a.rough)
        inner = self.regular(a, "a function")
        primed = Series([c.scale(k) for k, c in enumerate(inner)][1:], 0, False)
        rate = self.regular(self.mul(slope, primed), "a function") if len(inner) > 1 else []
        coefs = [head, *(c.scale(Fraction(1, k + 1)) for k, c in enumerate(rate))]
        return Series(coefs[:self.length], 0, False, min(a.rough, slope.rough + 1))

    # ---- signs and choices

    def sign(self, term: Term) -> int | None:
        """1 where the term is >= 0 on this side of the boundary, or > 0 on it; -1 likewise."""
        bound = self.near.interval(term)
        if bound.nonnegative:
            return 1
        if bound.nonpositive:
            return -1
        if self.steady(term):
            first = self.first(self.trim(self.series(term)))
            if first is not None:
                here = self.at.bounds_of_ratio(first)
                if here.nonnegative and self.at.nonzero_poly(first.num):
                    return 1
                if here.nonpositive and self.at.nonzero_poly(first.num):
                    return -1
        return None

    def steady(self, term: Term) -> bool:
        """Whether no part of the term may jump."""
        if not self.checks and self.variable is None and self.at is self.near:
            return False
        return not jumps(term) or not any(
            t.op in JUMPING or not known(t.op) for t in subterms([term]) if self.moves(t))

    def moves(self, term: Term) -> bool:
        return self.active is None or any(map(self.active, terms.atoms(term)))

    def absolute(self, a: Term) -> Series:
        inner = self.series(a)
        if not self.splits:
            bare = self.regular(inner, "the absolute value")[0]
            return Series([normal.absolute(bare, self.signs)])
        if self.tied(a):
            return Series([])
        sign = self.sign(a)
        if sign is None:
            raise Split(compare(">=", a, terms.ZERO))
        return inner if sign > 0 else self.negative(inner)

    def tied(self, gap: Term) -> bool:
        """Whether the term is used at a kink alone, where derivatives are those halfway between both sides."""
        bound = self.near.interval(gap)
        return bound.nonnegative and bound.nonpositive

    def extreme(self, op: str, a: Term, b: Term) -> Series:
        gap = apply("sub", (a, b))
        if not self.splits:
            size = self.absolute(gap)
            both = self.add(self.series(a), self.series(b))
            both = self.add(both, size if op == "max" else self.negative(size))
            return self.mul(both, Series([normal.constant(Fraction(1, 2))]))
        if self.tied(gap):
            return self.mul(self.add(self.series(a), self.series(b)), Series([normal.constant(Fraction(1, 2))]))
        sign = self.sign(gap)
        if sign is None:
            for inner in (a, b):  # their cases first: then this one is about plainer terms
                if inner.op in ("max", "min"):
                    self.series(inner)
            raise Split(compare(">=", gap, terms.ZERO))
        return self.series(a if (sign > 0) == (op == "max") else b)

    def decide(self, cond: Cond) -> bool | None:
        """Whether a condition holds where the term is used; raises `Split` where that is not known."""
        answer = self.near.decides(cond)
        if answer is not None or not self.splits:
            return answer
        match cond:
            case And(parts):
                return all(self.decide(p) for p in parts)
            case Or(parts):
                return any(self.decide(p) for p in parts)
            case Compare(op, a, b):
                gap = apply("sub", (b, a))
                if self.steady(gap):
                    first = self.first(self.trim(self.series(gap)))
                    if first is not None and self.at.nonzero_poly(first.num):
                        if op in ("==", "!="):
                            return op == "!="
                        here = self.at.bounds_of_ratio(first)
                        if here.nonnegative or here.nonpositive:
                            return here.nonnegative
            case Not(part):
                return not self.decide(part)
        raise Split(cond)

    def opaque(self, term: Term) -> Series:
        if self.checks and self.moves(term):
            raise Irregular("a choice that cannot be followed")
        return Series([normal.call("select", (), term)])

    def floor(self, term: Term, a: Term) -> Series:
        bound = self.near.interval(a)
        if bound.lo != -INFINITE:
            low = math.floor(bound.lo)
            if bound.hi < low + 1 or (bound.hi == low + 1 and bound.hi_open):
                return Series([normal.constant(low)])
        inner = self.series(a)
        if self.steady(a) and (first := self.first(inner)) is not None:
            bound = self.at.bounds_of_ratio(first)
            if bound.lo != -INFINITE:
                low = math.floor(bound.lo)
                above = bound.lo > low or bound.lo_open
                if above and (bound.hi < low + 1 or (bound.hi == low + 1 and bound.hi_open)):
                    return Series([normal.constant(low)])
        if self.checks and self.moves(a):
            raise Irregular("floor of something that varies")
        return Series([normal.function("floor", (self.regular(inner, "floor")[0],))])

    def cube_root(self, a: Term) -> Series:
        inner = self.series(a)
        if not self.splits:
            return Series([normal.function("cbrt", (self.regular(inner, "the cube root")[0],))])
        sign = self.sign(a)
        if sign is None:
            raise Split(compare(">=", a, terms.ZERO))
        if sign > 0:
            return self.rational(inner, Fraction(1, 3), a)
        return self.negative(self.rational(self.negative(inner), Fraction(1, 3), apply("neg", (a,))))

    def angle(self, y: Term, x: Term) -> Series:
        """atan2 by atan, on the half planes where that is one formula."""
        for facts in (self.at, self.near):  # first what is one formula around the boundary, too
            if facts is self.at and not (self.steady(x) and self.steady(y)):
                continue
            if facts.positive(x):
                return self.series(apply("atan", (apply("div", (y, x)),)))
            if facts.positive(y):
                return self.series(apply("sub", (apply("div", (terms.PI, number(2))),
                                                 apply("atan", (apply("div", (x, y)),)))))
            if facts.interval(y).negative:
                return self.series(apply("sub", (apply("neg", (apply("div", (terms.PI, number(2))),)),
                                                 apply("atan", (apply("div", (x, y)),)))))
        if self.checks and self.moves(apply("add", (x, y))):
            raise Irregular("an angle that may jump by a turn")
        return Series([normal.call("atan2", (self.regular(self.series(y), "an angle")[0],
                                             self.regular(self.series(x), "an angle")[0]))])

    def element(self, term: Term) -> Series:
        """An element of an array: a function of its place, which stands still."""
        inner = [self.series(a) for a in term.args]
        if not all(a.constant() for a in inner):
            raise Irregular("a place that moves")
        return Series([normal.call("element", tuple(self.reduced(a.at(0)) for a in inner))])


def calm(a: Series) -> None:
    """Of what oscillates without end only sums and products are understood."""
    if a.loss != 1:
        raise Irregular("something that oscillates faster and faster")


def _bowl(term: Term) -> bool:
    """Whether a term is smooth and nowhere negative, facts or not: then its root is Lipschitz."""
    r = NO_FACTS.normal(term)
    return r is not None and NO_FACTS.nonnegative(term) and all(
        GENERATORS[g].kind in ("atom", "exp", "sin", "cos", "pi") for g in r.generators)


def _postorder(term: Term, memo: dict[Term, Series]) -> list[Term]:
    """Deep arguments first, so that expansion does not recurse as deep as formulas are. Nothing below a choice."""
    out: list[Term] = []
    seen: set[Term] = set()
    stack: list[tuple[Term, bool]] = [(term, False)]
    while stack:
        each, ready = stack.pop()
        if ready:
            out.append(each)
        elif each not in seen and each not in memo:
            seen.add(each)
            stack.append((each, True))
            if each.op not in ("select", "max", "min", "copysign", "sign"):
                stack.extend((a, False) for a in each.args)
    Effort.spend(len(out))
    return out


def plain(term: Term, minus: Term | None, facts: Facts, memo: dict[Term, Series]) -> Ratio | None:
    """The normal form of a term, or of a difference; what cannot be decided stays in it. None where there is none."""
    if minus is not None:
        term = apply("sub", (term, minus))
    expansion = Expansion(facts, facts, facts, splits=False, memo=memo)
    try:
        a = expansion.series(term)
        if a.val < 0:
            return None
        return a.at(0)
    except (Irregular, Short, TooHard, ZeroDivisionError):
        return None
