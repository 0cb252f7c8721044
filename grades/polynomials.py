"""Polynomials with rational coefficients in many variables: arithmetic and division; `factors.py` takes them apart.

Variables are *generators*, known here by their number alone (`normal.py` says what they stand for). A monomial is a
tuple of (generator, exponent), highest generator first, so that Python's order of tuples is the lexicographic order of
monomials. Exponents are positive and may be fractions, where a generator is known to stand for something positive;
what needs whole degrees scales them first.

Coefficients that are whole are `int`, others are `Fraction`: mostly all are whole, and these are much quicker.
Quotients are therefore made by `quotient` alone.
"""
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache

from .effort import Effort, TooHard

Exponent = int | Fraction
Number = int | Fraction
Monomial = tuple[tuple[int, Exponent], ...]
UNIT: Monomial = ()
MOST_TERMS = 400
MOST_STEPS = 4000
LONG = 5000
"""Bits of a coefficient."""


class Poly:
    """Immutable. `terms`: monomial → coefficient, none of them 0."""

    __slots__ = ("_content", "_degrees", "_hash", "_long", "settled", "terms")

    def __init__(self, terms: Mapping[Monomial, Number]) -> None:
        self.terms = terms
        self._hash: int | None = None
        self._content: Number | None = None
        self._long: bool | None = None
        self._degrees: dict[int, Exponent] | None = None
        self.settled = False
        """Whether relations of its generators have been seen to leave it as it is (`normal.settled`)."""

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Poly) and self.terms == other.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __add__(self, other: Poly) -> Poly:
        if not self.terms:
            return other
        if not other.terms:
            return self
        Effort.spend(len(other.terms))
        out = dict(self.terms)
        for m, c in other.terms.items():
            before = out.get(m)
            if before is None:
                out[m] = c
                continue
            total = before + c
            if total:
                out[m] = total if total.__class__ is int else whole(total)
            else:
                del out[m]
        return Poly(out)

    def __neg__(self) -> Poly:
        return Poly({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Poly) -> Poly:
        return self + -other

    def __mul__(self, other: Poly) -> Poly:
        if self is ONE:
            return other
        if other is ONE:
            return self
        if len(self.terms) * len(other.terms) > 20 * MOST_TERMS or self.long or other.long:
            raise TooHard
        Effort.spend(len(self.terms) * len(other.terms) + 2)
        out: dict[Monomial, Number] = {}
        one, more = (self, other) if len(self.terms) == 1 else (other, self)
        if len(one.terms) == 1:
            (m, c), = one.terms.items()
            if c == 1:
                return Poly({times(m, n): d for n, d in more.terms.items()})
            for n, d in more.terms.items():
                product = c * d
                out[times(m, n)] = product if product.__class__ is int else whole(product)
            return Poly(out)
        for m, c in self.terms.items():
            for n, d in other.terms.items():
                p = times(m, n)
                total = out.get(p)
                out[p] = c * d if total is None else total + c * d
        return Poly({m: c if c.__class__ is int else whole(c) for m, c in out.items() if c})

    def __pow__(self, power: int) -> Poly:
        out = ONE
        for _ in range(power):
            out = out * self
            if len(out.terms) > MOST_TERMS:
                raise TooHard
        return out

    def scale(self, factor: Number) -> Poly:
        if factor == 1:
            return self
        if not factor:
            return ZERO
        if factor.__class__ is int:
            out = {m: c * factor for m, c in self.terms.items()}
            return Poly(out if all(c.__class__ is int for c in out.values()) else {m: whole(c) for m, c in out.items()})
        over_ = factor.denominator
        if over_ == 1:
            return self.scale(factor.numerator)
        top = factor.numerator
        made: dict[Monomial, Number] = {}
        for m, c in self.terms.items():
            if c.__class__ is int:
                up = c * top
                q, rest = divmod(up, over_)
                made[m] = Fraction(up, over_) if rest else q
            else:
                made[m] = whole(c * factor)
        return Poly(made)

    @property
    def constant(self) -> Number | None:
        """Its value, if no generator is left."""
        if not self.terms:
            return 0
        return self.terms.get(UNIT) if len(self.terms) == 1 else None

    @property
    def long(self) -> bool:
        """Whether coefficients have so many digits that nothing is multiplied with them."""
        found = self._long
        if found is None:
            found = self._long = any(c.numerator.bit_length() > LONG or c.denominator.bit_length() > LONG
                                     for c in self.terms.values())
        return found

    @property
    def degrees(self) -> Mapping[int, Exponent]:
        """Each generator that occurs, and its largest exponent."""
        found = self._degrees
        if found is None:
            found = self._degrees = {}
            for m in self.terms:
                for g, e in m:
                    if e > found.get(g, 0):
                        found[g] = e
        return found

    @property
    def generators(self) -> set[int]:
        return set(self.degrees)

    def lead(self) -> tuple[Monomial, Number]:
        m = max(self.terms)
        return m, self.terms[m]

    def degree(self, g: int) -> Exponent:
        return self.degrees.get(g, 0)

    def coefficients(self, g: int) -> dict[Exponent, Poly]:
        """Exponent of the generator → what it is multiplied by."""
        parts: dict[Exponent, dict[Monomial, Number]] = {}
        for m, c in self.terms.items():
            power: Exponent = 0
            rest = m
            for i, (h, e) in enumerate(m):
                if h == g:
                    power, rest = e, m[:i] + m[i + 1:]
                    break
            parts.setdefault(power, {})[rest] = c
        return {e: Poly(p) for e, p in parts.items()}

    def derivative(self, g: int) -> Poly:
        out: dict[Monomial, Number] = {}
        for m, c in self.terms.items():
            for i, (h, e) in enumerate(m):
                if h == g:
                    out[m[:i] + (((h, e - 1),) if e != 1 else ()) + m[i + 1:]] = whole(c * e)
        return Poly(out)


ZERO = Poly({})
ONE = Poly({UNIT: 1})


def constant(value: Number) -> Poly:
    return Poly({UNIT: whole(value)}) if value else ZERO


@cache
def generator(g: int, power: Exponent = 1) -> Poly:
    return Poly({((g, power),): 1})


def whole(e: Number) -> Number:
    """The same number, as an `int` if it is one."""
    return e if e.__class__ is int else e.numerator if e.denominator == 1 else e


def quotient(a: Number, b: Number) -> Number:
    """a / b, which is no float."""
    return whole(Fraction(a, b))


def times(m: Monomial, n: Monomial) -> Monomial:
    if not m:
        return n
    if not n:
        return m
    out: list[tuple[int, Exponent]] = []
    i = j = 0
    while i < len(m) and j < len(n):
        g, h = m[i][0], n[j][0]
        if g == h:
            out.append((g, whole(m[i][1] + n[j][1])))
            i += 1
            j += 1
        elif g > h:
            out.append(m[i])
            i += 1
        else:
            out.append(n[j])
            j += 1
    out.extend(m[i:])
    out.extend(n[j:])
    return tuple(out)


def over(m: Monomial, n: Monomial) -> Monomial | None:
    """m / n, None where some exponent would be negative."""
    powers = dict(m)
    for g, e in n:
        left = powers.get(g, 0) - e
        if left < 0:
            return None
        if left:
            powers[g] = whole(left)
        else:
            powers.pop(g, None)
    return tuple(sorted(powers.items(), reverse=True))


def total(polys: Iterable[Poly]) -> Poly:
    out = ZERO
    for p in polys:
        out = out + p
    return out


def content(p: Poly) -> Number:
    """The rational number c with p / c of whole coefficients without common divisor, the leading one positive."""
    if not p:
        return 1
    found = p._content
    if found is None:
        top, bottom = 0, 1
        for c in p.terms.values():
            if c.__class__ is int:
                top = math.gcd(top, c)
            else:
                top = math.gcd(top, c.numerator)
                bottom = math.lcm(bottom, c.denominator)
        if p.lead()[1] < 0:
            top = -top
        found = p._content = top if bottom == 1 else Fraction(top, bottom)
    return found


def primitive(p: Poly) -> Poly:
    c = content(p)
    if c == 1:
        return p
    if c == -1:
        return -p
    found = p.scale(Fraction(c.denominator, c.numerator))
    found._content = 1
    return found


def common_monomial(polys: Iterable[Poly]) -> Monomial:
    """The largest monomial that divides all terms."""
    shared: dict[int, Exponent] | None = None
    for p in polys:
        Effort.spend(len(p.terms) // 2)
        for m in p.terms:
            here = dict(m)
            shared = here if shared is None else {g: min(e, here[g]) for g, e in shared.items() if g in here}
            if not shared:
                return UNIT
    return tuple(sorted((shared or {}).items(), reverse=True))


def without(p: Poly, m: Monomial) -> Poly:
    """p / m, which is known to divide it."""
    if not m:
        return p
    return Poly({over(n, m) or UNIT: c for n, c in p.terms.items()})


def divide(a: Poly, b: Poly) -> Poly | None:
    """a / b where b divides a, else None."""
    value = b.constant
    if value is not None:
        return a.scale(Fraction(1, value)) if value else None
    if len(b.terms) == 1:
        m, c = b.lead()
        out: dict[Monomial, Number] = {}
        for n, d in a.terms.items():
            rest = over(n, m)
            if rest is None:
                return None
            out[rest] = d if c == 1 else quotient(d, c)
        return Poly(out)
    lead, first = b.lead()
    left = dict(a.terms)
    found: dict[Monomial, Number] = {}
    steps = 0
    while left:
        top = max(left)
        m_ = over(top, lead)
        steps += len(b.terms)
        Effort.spend(len(b.terms))
        if m_ is None or steps > MOST_STEPS:
            return None
        factor = left[top] if first == 1 else quotient(left[top], first)
        found[m_] = factor
        for n, d in b.terms.items():
            p = times(n, m_)
            rest_ = left.get(p, 0) - factor * d
            if rest_:
                left[p] = whole(rest_)
            else:
                left.pop(p, None)
    return Poly(found)
