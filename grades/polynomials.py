"""Polynomials with rational coefficients in many variables: arithmetic, division, greatest common divisors, factors.

Variables are *generators*, known here by their number alone (`normal.py` says what they stand for). A monomial is a
tuple of (generator, exponent), highest generator first, so that Python's order of tuples is the lexicographic order of
monomials. Exponents are positive and may be fractions, where a generator is known to stand for something positive;
what needs whole degrees scales them first.

Coefficients that are whole are `int`, others are `Fraction`: mostly all are whole, and these are much quicker.
Quotients are therefore made by `quotient` alone.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import Union

from .effort import Effort, TooHard

Exponent = Union[int, Fraction]  # noqa: UP007  # at run time
Number = Union[int, Fraction]  # noqa: UP007  # at run time
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


# ------------------------------------------------------------------ common divisors

def _scales(polys: Iterable[Poly]) -> dict[int, int]:
    """Generator → the factor that makes all its exponents whole, where that is not 1."""
    found: dict[int, int] = {}
    for p in polys:
        for m in p.terms:
            for g, e in m:
                if isinstance(e, Fraction):
                    found[g] = math.lcm(found.get(g, 1), e.denominator)
    return found


def _rescaled(p: Poly, by: Callable[[int], Fraction | int]) -> Poly:
    return Poly({tuple((g, whole(Fraction(e * by(g)))) for g, e in m): c for m, c in p.terms.items()})


def gcd(a: Poly, b: Poly) -> Poly:
    """A greatest common divisor, primitive; 1 where it is not worth the time."""
    if not a or not b:
        return primitive(a or b)
    shared = common_monomial((a, b))
    a, b = without(a, shared), without(b, shared)
    scales = _scales((a, b))
    if scales:
        a, b = (_rescaled(p, lambda g: scales.get(g, 1)) for p in (a, b))
    try:
        found = _gcd(primitive(a), primitive(b), 0)
    except TooHard:
        found = ONE
    if scales:
        found = _rescaled(found, lambda g: Fraction(1, scales.get(g, 1)))
    return found * Poly({shared: 1}) if shared else found


def _gcd(a: Poly, b: Poly, depth: int) -> Poly:
    if a == b:
        return a
    if a.constant is not None or b.constant is not None:
        return ONE
    if depth > 12 or len(a.terms) * len(b.terms) > 900:
        raise TooHard
    gens_a, gens_b = a.generators, b.generators
    if not gens_a & gens_b:
        return ONE
    for p, q, only in ((a, b, gens_a - gens_b), (b, a, gens_b - gens_a)):
        if only:
            g = max(only)
            found = q
            for part in p.coefficients(g).values():
                found = _gcd(found, primitive(part), depth + 1)
                if found.constant is not None:
                    return ONE
            return found
    smaller, larger = (a, b) if len(a.terms) <= len(b.terms) else (b, a)
    if divide(larger, smaller) is not None:
        return smaller
    g = min(gens_a, key=lambda h: max(a.degree(h), b.degree(h)))
    content_a, content_b = _content(a, g, depth), _content(b, g, depth)
    shared = _gcd(content_a, content_b, depth + 1)
    a, b = _exactly(a, content_a), _exactly(b, content_b)
    if a.degree(g) < b.degree(g):
        a, b = b, a
    while b.degree(g) > 0:
        rest = _remainder(a, b, g)
        if not rest:
            return primitive(b * shared)
        a, b = b, primitive(_exactly(rest, _content(rest, g, depth)))
    return shared if b else primitive(a * shared)


def _exactly(a: Poly, b: Poly) -> Poly:
    found = divide(a, b)
    if found is None:
        raise TooHard
    return found


def _content(p: Poly, g: int, depth: int) -> Poly:
    """The common divisor of the coefficients of p as a polynomial in g."""
    found: Poly | None = None
    for part in sorted(p.coefficients(g).values(), key=lambda q: len(q.terms)):
        found = primitive(part) if found is None else _gcd(found, primitive(part), depth + 1)
        if found.constant is not None:
            return ONE
    return found or ONE


def _remainder(a: Poly, b: Poly, g: int) -> Poly:
    """The remainder of lead(b)^k · a by b in g."""
    degree = b.degree(g)
    lead = b.coefficients(g)[degree]
    while a and a.degree(g) >= degree:
        top = a.degree(g)
        a = lead * a - b * a.coefficients(g)[top] * (generator(g, top - degree) if top > degree else ONE)
        if len(a.terms) > MOST_TERMS:
            raise TooHard
    return a


# ------------------------------------------------------------------ factors

def factors(p: Poly) -> list[tuple[Poly, Exponent]]:
    """Primitive factors with their multiplicities; their product is p up to a rational number.

    Powers are found, factors that some generator alone has, linear factors of what is quadratic in one generator, and
    rational roots of what is in one generator. What is left may still be reducible.
    """
    shared = common_monomial((p,))
    out: dict[Poly, Exponent] = {generator(g): e for g, e in shared}
    p = primitive(without(p, shared))
    Effort.spend(2 * len(p.terms))
    if _plainly_irreducible(p):
        out[p] = out.get(p, 0) + 1
        return list(out.items())
    scales = _scales((p,))
    if scales:
        p = _rescaled(p, lambda g: scales.get(g, 1))
    if p.constant is None:
        try:
            found = _square_free(p, 0)
        except TooHard:
            found = [(p, 1)]
        for q, e in found:
            for r in _split(q, 0):
                r = _rescaled(r, lambda g: Fraction(1, scales.get(g, 1))) if scales else r
                out[r] = out.get(r, 0) + e
    return list(out.items())


def _plainly_irreducible(p: Poly) -> bool:
    """Whether p is c * x + q with a number c, and no x in q: then it has no factors."""
    if len(p.terms) < 2:
        return False
    alone: set[int] = set()
    more: set[int] = set()
    for m in p.terms:
        if len(m) == 1 and m[0][1] == 1:
            alone.add(m[0][0])
        else:
            more.update(g for g, _ in m)
    return not alone <= more


def _square_free(p: Poly, depth: int) -> list[tuple[Poly, int]]:
    """Factors without common divisors, and their powers: Yun's algorithm in one generator, then on the content."""
    p = primitive(p)
    if p.constant is not None:
        return []
    if depth > 6:
        return [(p, 1)]
    g = min(p.generators, key=p.degree)
    inner = _content(p, g, 0)
    p = _exactly(p, inner)
    out = _square_free(inner, depth + 1)
    slope = p.derivative(g)
    shared = gcd(p, slope)
    if shared.constant is not None:
        return [*out, (p, 1)]
    b, c = _exactly(p, shared), _exactly(slope, shared)
    power = 1
    while b.constant is None:
        d = c - b.derivative(g)
        a = gcd(b, d) if d else primitive(b)
        if a.constant is None:
            out.append((a, power))
        b, c = _exactly(b, a), (_exactly(d, a) if d else ZERO)
        power += 1
        if power > 20:
            raise TooHard
    return out


def _split(p: Poly, depth: int) -> list[Poly]:
    """Factors of a square-free polynomial."""
    if depth > 8 or len(p.terms) > 60:
        return [p]
    gens = p.generators
    for g in sorted(gens, key=p.degree):
        degree = p.degree(g)
        if degree == 1:
            return [p]
        if degree == 2:
            parts = p.coefficients(g)
            a, b, c = (parts.get(k, ZERO) for k in (2, 1, 0))
            root = square_root(b * b - (a * c).scale(4))
            if root is not None:
                one = (a * generator(g)).scale(2) + b - root
                factor = gcd(p, one)
                other = divide(p, factor)
                if factor.constant is None and other is not None and other.constant is None:
                    return [*_split(factor, depth + 1), *_split(primitive(other), depth + 1)]
    if len(gens) == 1:
        (g,) = gens
        root_ = rational_root(p, g)
        if root_ is not None:
            factor = primitive(generator(g) - constant(root_))
            other = divide(p, factor)
            if other is not None and other.constant is None:
                return [factor, *_split(primitive(other), depth + 1)]
    for e in (2, 3):  # a difference of squares or cubes of two terms
        if len(p.terms) == 2:
            (m, first), (n, second) = p.terms.items()
            x, y = power_root(m, first, e), power_root(n, -second, e)
            if x is None or y is None:
                x, y = power_root(m, -first, e), power_root(n, second, e)
            if x is not None and y is not None:
                other = divide(p, x - y)
                if other is not None and other.constant is None:
                    return [*_split(primitive(x - y), depth + 1), *_split(primitive(other), depth + 1)]
    return [p]


def power_root(m: Monomial, c: Number, e: int) -> Poly | None:
    """The e-th root of one term, if it is one term."""
    root = rational_power_root(c, e)
    if root is None or any(k % e for _, k in m):
        return None
    return Poly({tuple((g, whole(Fraction(k, e))) for g, k in m): whole(root)})


def rational_power_root(c: Number, e: int) -> Fraction | None:
    """The rational number whose e-th power is c."""
    if c < 0:
        root = rational_power_root(-c, e) if e % 2 else None
        return None if root is None else -root
    top, bottom = _integer_root(c.numerator, e), _integer_root(c.denominator, e)
    return None if top is None or bottom is None else Fraction(top, bottom)


def _integer_root(n: int, e: int) -> int | None:
    if n < 2:
        return n
    guess = math.isqrt(n) if e == 2 else round(n ** (1 / e)) if n < 10**300 else 0
    for r in (guess - 1, guess, guess + 1):
        if r ** e == n:
            return r
    return None


def square_root(p: Poly) -> Poly | None:
    """A polynomial whose square is p."""
    if not p:
        return ZERO
    if len(p.terms) == 1:
        m, c = p.lead()
        return power_root(m, c, 2)
    m, c = p.lead()
    first = power_root(m, c, 2)
    if first is None:
        return None
    root, left = first, p - first * first
    (lead, factor) = first.lead()
    for _ in range(len(p.terms) + 2):
        if not left:
            return root
        n, d = left.lead()
        rest = over(n, lead)
        if rest is None:
            return None
        term = Poly({rest: quotient(d, 2 * factor)})
        left = left - (root.scale(2) + term) * term
        root = root + term
    return None


def rational_root(p: Poly, g: int) -> Fraction | None:
    """A rational number at which a polynomial in one generator is 0."""
    parts = {int(e): q.constant or 0 for e, q in primitive(p).coefficients(g).items()}
    low, high = parts.get(0, 0), parts[max(parts)]
    if not low:
        return Fraction(0)
    if max(low, -low, high, -high) > 10**7:
        return None
    for top in _divisors(abs(int(low))):
        for bottom in _divisors(abs(int(high))):
            Effort.spend(2 * len(parts))
            for r in (Fraction(top, bottom), Fraction(-top, bottom)):
                if not sum(c * r**e for e, c in parts.items()):
                    return r
    return None


def _divisors(n: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return small + [n // d for d in reversed(small) if d * d != n] if len(small) < 40 else [1, n]


def least_square(p: Poly, half: Callable[[int, Exponent], Exponent | None]) -> Number | None:
    """A lower bound >= 0 of p as a quadratic form in some monomials, by completing squares; None where that fails.

    `half`: half of a generator's exponent, None where the power is not known to be a square. The monomial 1 comes last:
    what is left of its coefficient is the bound.
    """
    if len(p.terms) > 15:
        return None
    keys: list[Monomial] = []
    for m, c in p.terms.items():
        halves = []
        for g, e in m:
            e_ = half(g, e)
            if e_ is None:
                break
            halves.append((g, e_))
        else:
            if c < 0:
                return None
            keys.append(tuple(halves))
    keys.sort(reverse=True)
    if not keys or keys[-1] != UNIT:
        keys.append(UNIT)
    size = len(keys)
    if 2 * len(p.terms) > size * (size + 1):  # more products than there are
        return None
    Effort.spend(size * size)
    form: list[list[Number]] = [[0] * size for _ in range(size)]
    left = dict(p.terms)
    for i, m in enumerate(keys):
        form[i][i] = left.pop(times(m, m), 0)
    for i in range(size):
        for j in range(i):
            cross = left.pop(times(keys[i], keys[j]), None)
            if cross is not None:
                form[i][j] = form[j][i] = quotient(cross, 2)
    if left:
        return None
    for k in range(size):
        pivot = form[k][k]
        if pivot < 0 or (pivot == 0 and any(form[k][j] for j in range(k + 1, size))):
            return None
        for i in range(k + 1, size):
            if form[i][k]:
                factor = quotient(form[i][k], pivot)
                for j in range(k + 1, size):
                    form[i][j] -= factor * form[k][j]
    return form[-1][-1]
