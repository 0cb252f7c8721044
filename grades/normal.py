"""The normal form of formulas: quotients of polynomials over generators, in which what is equal is mostly the same.

A generator stands for an atom, for pi, or for a function of normal forms that no rule takes apart. The rules:

    exp (a + b) = exp a * exp b,  exp (c * log u) = u ** c,  log (a * b) = log a + log b where the signs are known,
    u ** (p/q) * u ** (r/s) = u ** (p/q + r/s),  sqrt (u ** 2) = abs u,  abs u = u or -u where the sign is known,
    sin u ** 2 + cos u ** 2 = 1,  sums of angles,  whole turns.

Functions that can be written by exp, log and powers are, see `functions.expanded`. That a quotient is 0 is seen by its
numerator. What is not 0 here may still be 0: then nothing is proved.
"""
from __future__ import annotations

import math
from collections.abc import Hashable
from fractions import Fraction
from typing import Protocol

from . import factors
from . import polynomials as po
from .effort import TooHard
from .polynomials import Exponent, Monomial, Number, Poly
from .terms import Term, atoms


class Oracle(Protocol):
    """What the rules ask of facts."""

    def positive_poly(self, p: Poly) -> bool: ...

    def nonnegative_poly(self, p: Poly) -> bool: ...


class Generator:
    """`kind`: atom, pi, exp, log, root, sin, cos, abs, or `call` of the function `op`; `args` are its arguments."""

    __slots__ = ("args", "atoms", "base", "id", "kind", "op", "size", "term")

    def __init__(self, id: int, kind: str, op: str, args: tuple[Ratio, ...], base: Poly, term: Term | None) -> None:
        self.id, self.kind, self.op, self.args, self.base, self.term = id, kind, op, args, base, term
        inside: frozenset[Term] = frozenset() if term is None else atoms(term)
        for g in {g for r in args for g in r.generators} | base.generators:
            inside |= GENERATORS[g].atoms
        self.atoms: frozenset[Term] = inside
        """The atoms on which it depends."""
        parts = (base, *(part for r in args for part in (r.num, r.den)))
        self.size: int = min(1 + sum(GENERATORS[g].size + 1 for p in parts for m in p.terms for g, _ in m), 10**9)
        """How long it is when it is written out."""


GENERATORS: list[Generator] = []
_numbers: dict[Hashable, int] = {}
_RELATED: set[int] = set()
"""Generators with a relation that bounds their powers: sin, abs, root."""


def _generator(kind: str, op: str = "", args: tuple[Ratio, ...] = (), base: Poly = po.ZERO,
               term: Term | None = None) -> int:
    key = (kind, op, args, base, term)
    found = _numbers.get(key)
    if found is None:
        found = _numbers[key] = len(GENERATORS)
        GENERATORS.append(Generator(found, kind, op, args, base, term))
        if kind in ("sin", "abs", "root"):
            _RELATED.add(found)
    return found


class Ratio:
    """numerator / denominator; the denominator's leading coefficient is 1. Made by `ratio`."""

    __slots__ = ("den", "num")

    def __init__(self, num: Poly, den: Poly) -> None:
        self.num, self.den = num, den

    def __hash__(self) -> int:
        return hash((self.num, self.den))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Ratio) and self.num == other.num and self.den == other.den)

    def __bool__(self) -> bool:
        return bool(self.num)

    @property
    def generators(self) -> set[int]:
        return self.num.generators | self.den.generators

    @property
    def constant(self) -> Number | None:
        return self.num.constant if self.den is po.ONE else None

    def __add__(self, other: Ratio) -> Ratio:
        if not self.num:
            return other
        if not other.num:
            return self
        if self.den == other.den:
            return ratio(self.num + other.num, self.den)
        if self.den is po.ONE:
            return ratio(self.num * other.den + other.num, other.den)
        if other.den is po.ONE:
            return ratio(self.num + other.num * self.den, self.den)
        shared = factors.gcd(self.den, other.den)
        left, right = po.divide(self.den, shared), po.divide(other.den, shared)
        if left is None or right is None:
            return ratio(self.num * other.den + other.num * self.den, self.den * other.den)
        return ratio(self.num * right + other.num * left, left * other.den)

    def __neg__(self) -> Ratio:
        return Ratio(-self.num, self.den)

    def __sub__(self, other: Ratio) -> Ratio:
        return self + -other

    def __mul__(self, other: Ratio) -> Ratio:
        if not self.num or not other.num:
            return ZERO
        if self is ONE:
            return other
        if other is ONE:
            return self
        return ratio(self.num * other.num, self.den * other.den)

    def __truediv__(self, other: Ratio) -> Ratio:
        if not other.num:
            raise ZeroDivisionError
        return ratio(self.num * other.den, self.den * other.num)

    def scale(self, factor: Number) -> Ratio:
        return Ratio(self.num.scale(factor), self.den) if factor else ZERO


ZERO, ONE = Ratio(po.ZERO, po.ONE), Ratio(po.ONE, po.ONE)


def constant(value: Number) -> Ratio:
    return Ratio(po.constant(value), po.ONE) if value != 1 else ONE


def ratio(num: Poly, den: Poly = po.ONE) -> Ratio:
    """num / den in lowest terms, as far as common divisors are found."""
    num = settled(num)
    if den is po.ONE:
        return Ratio(num, den) if num.terms else ZERO
    den = settled(den)
    if not num:
        return ZERO
    value = den.constant
    if value is not None:
        if not value:
            raise ZeroDivisionError
        return Ratio(num if value == 1 else num.scale(Fraction(1, value)), po.ONE)
    shared = po.common_monomial((num, den))
    if shared:
        num, den = po.without(num, shared), po.without(den, shared)
        if den.constant is not None:
            return ratio(num, den)
    if len(den.terms) > 1 and len(num.terms) > 1 and num.generators & den.generators:
        divisor = factors.gcd(num, den)
        if divisor.constant is None:
            a, b = po.divide(num, divisor), po.divide(den, divisor)
            if a is not None and b is not None:
                return ratio(a, b)
    lead = den.lead()[1]
    if lead == 1:
        return Ratio(num, den)
    under = Fraction(1, lead)
    return Ratio(num.scale(under), den.scale(under))


def settled(p: Poly) -> Poly:
    """p with powers of sines, absolute values and roots bounded by their relations."""
    if p.settled:
        return p
    for _ in range(50):
        for g, e in p.degrees.items():
            if g in _RELATED and e >= (1 if GENERATORS[g].kind == "root" else 2):
                break
        else:
            p.settled = True
            return p
        p = _settled_once(p, g)
    raise TooHard


def _settled_once(p: Poly, g: int) -> Poly:
    made = GENERATORS[g]
    out: list[Poly] = []
    for e, rest in p.coefficients(g).items():
        count = math.floor(e) if made.kind == "root" else math.floor(e) // 2
        left = po.whole(e - (count if made.kind == "root" else 2 * count))
        if left:
            rest = rest * po.generator(g, left)
        if count:
            if made.kind == "sin":
                square = po.ONE - po.generator(_generator("cos", "", made.args), 2)
            else:
                square = made.base if made.kind == "root" else made.base * made.base
            rest = rest * square ** count
        out.append(rest)
    return po.total(out)


def of_generator(g: int, power: Exponent = 1) -> Ratio:
    power = po.whole(power)
    if power == 0:
        return ONE
    if power > 0:
        return ratio(po.generator(g, power))
    return ratio(po.ONE, po.generator(g, -power))


def of_atom(term: Term) -> Ratio:
    return of_generator(_generator("atom", term=term))


def atom_generator(term: Term) -> int:
    return _generator("atom", term=term)


def existing_absolute(p: Poly) -> int | None:
    """The generator of abs p, if some formula has it."""
    return _numbers.get(("abs", "", (), p, None))


def pi() -> Ratio:
    return of_generator(_generator("pi"))


def call(op: str, args: tuple[Ratio, ...], term: Term | None = None) -> Ratio:
    """A function of which nothing but its name is used."""
    return of_generator(_generator("call", op, args, term=term))


def inverse_of(p: Poly) -> Ratio:
    return ratio(po.ONE, p)


# ------------------------------------------------------------------ powers, exponentials, logarithms

def power(base: Ratio, p: Fraction, oracle: Oracle) -> Ratio:
    """base ** p. Where p is not whole, base is >= 0 or the result has no meaning."""
    if p.denominator == 1:
        n = abs(p.numerator)
        if n > 40:
            raise TooHard
        out = ratio(base.num ** n, base.den ** n)
        return out if p >= 0 else ONE / out
    if not base.num:
        return ZERO
    scale = po.quotient(po.content(base.num), po.content(base.den))
    out = ONE
    unsigned: list[tuple[Poly, Fraction]] = []
    sign = 1 if scale > 0 else -1
    for part, direction in ((base.num, 1), (base.den, -1)):
        for factor, times in factors.factors(part):
            e = Fraction(times) * direction
            bare = single(factor)
            if bare is not None and GENERATORS[bare].kind in ("exp", "root", "abs"):
                out = out * _nonnegative_generator(bare, e * p)
            elif oracle.nonnegative_poly(factor):
                out = out * _root(factor, e * p)
            elif oracle.nonnegative_poly(-factor):
                out = out * _root(-factor, e * p)
                sign *= -1 if e % 2 else 1
            elif e % 2 == 0:
                out = out * _power_of(absolute(ratio(factor), oracle), e * p)
            else:
                unsigned.append((factor, e))
    out = out * rational_power(abs(Fraction(scale)), p)
    if unsigned:  # an odd power is the factor itself and an even power, that of its absolute value
        base_left = po.constant(sign)
        for factor, e in unsigned:
            base_left = base_left * factor
            if e != 1:
                out = out * _power_of(absolute(ratio(factor), oracle), (e - 1) * p)
        out = out * _root(base_left, p)
    elif sign < 0:
        raise TooHard
    return out


def single(p: Poly) -> int | None:
    """The generator that p is."""
    if len(p.terms) == 1:
        (m, c), = p.terms.items()
        if c == 1 and len(m) == 1 and m[0][1] == 1:
            return m[0][0]
    return None


def _nonnegative_generator(g: int, e: Fraction) -> Ratio:
    """A power of a generator that is never negative."""
    made = GENERATORS[g]
    if made.kind == "exp":
        return of_generator(g, e)
    return _root(po.generator(g), e)


def _power_of(r: Ratio, e: Fraction) -> Ratio:
    """r ** e for a product of generators that are never negative."""
    out = ONE
    for part, direction in ((r.num, 1), (r.den, -1)):
        for m, c in part.terms.items():
            out = out * rational_power(Fraction(c), e * direction)
            for g, k in m:
                out = out * _root(po.generator(g), Fraction(k) * e * direction)
    return out


def _root(base: Poly, e: Fraction) -> Ratio:
    """base ** e for base >= 0."""
    if base.constant is not None:
        return rational_power(Fraction(base.constant), e)
    down = math.floor(e)
    rest = e - down
    if abs(down) > 40:
        raise TooHard
    whole = ratio(base ** down) if down >= 0 else ratio(po.ONE, base ** -down)
    return whole * of_generator(_generator("root", base=base), rest) if rest else whole


def rational_power(value: Fraction, e: Fraction) -> Ratio:
    """A positive rational number to a rational power, by its prime factors."""
    if value < 0:
        raise TooHard
    if e.denominator == 1 and abs(e) < 64:
        return constant(value ** int(e)) if value else (ZERO if e > 0 else _no_power())
    if not value:
        return ZERO
    out = ONE
    for prime, count in _primes(value):
        out = out * _root_of_number(prime, e * count)
    return out


def _no_power() -> Ratio:
    raise ZeroDivisionError


def _root_of_number(prime: int, e: Fraction) -> Ratio:
    down = math.floor(e)
    rest = e - down
    if abs(down) > 64:
        raise TooHard
    whole = constant(Fraction(prime) ** down)
    return whole * of_generator(_generator("root", base=po.constant(prime)), rest) if rest else whole


def _primes(value: Fraction) -> list[tuple[int, int]]:
    """Prime factors with exponents; a large rest counts as prime."""
    out: list[tuple[int, int]] = []
    for n, sign in ((value.numerator, 1), (value.denominator, -1)):
        d = 2
        while n > 1 and d < 1000:
            count = 0
            while n % d == 0:
                n //= d
                count += sign
            if count:
                out.append((d, count))
            d += 1 if d == 2 else 2
        if n > 1:
            out.append((n, sign))
    return out


def exponential(r: Ratio) -> Ratio:
    out = ONE
    for m, c in r.num.terms.items():
        unit = _monic(m, r.den)
        bare = single(unit.num) if unit.den is po.ONE else None
        if bare is not None and GENERATORS[bare].kind == "log":
            base = GENERATORS[bare].args[0]
            if base.den is po.ONE:
                out = out * _root(base.num, Fraction(c))
            elif c.denominator == 1 and -40 <= c <= 40:
                out = out * (ratio(base.num ** int(c), base.den ** int(c)) if c > 0 else
                             ratio(base.den ** int(-c), base.num ** int(-c)))
            else:
                out = out * of_generator(_generator("exp", "", (unit,)), c)
        else:
            out = out * of_generator(_generator("exp", "", (unit,)), c)
    return out


def _monic(m: Monomial, den: Poly) -> Ratio:
    return ratio(Poly({m: 1}), den)


def logarithm(r: Ratio, oracle: Oracle) -> Ratio:
    """log r; r is positive or the result has no meaning."""
    if not r.num:
        raise ZeroDivisionError
    scale = po.quotient(po.content(r.num), po.content(r.den))
    sign = 1 if scale > 0 else -1
    out = ZERO
    unsigned, under = po.ONE, po.ONE
    for part, direction in ((r.num, 1), (r.den, -1)):
        for factor, times in factors.factors(part):
            e = Fraction(times) * direction
            bare = single(factor)
            made = None if bare is None else GENERATORS[bare]
            if made is not None and made.kind == "exp":
                out = out + made.args[0].scale(e)
            elif made is not None and made.kind == "root":
                out = out + logarithm(ratio(made.base), oracle).scale(e)
            elif oracle.nonnegative_poly(factor):
                out = out + _log(ratio(factor)).scale(e)
            elif oracle.nonnegative_poly(-factor):
                out = out + _log(ratio(-factor)).scale(e)
                sign *= -1 if e % 2 else 1
            elif e % 2 == 0:
                out = out + _log(absolute(ratio(factor), oracle)).scale(e)
            elif e > 0:
                unsigned = unsigned * factor ** int(e)
            else:
                under = under * factor ** int(-e)
    for prime, count in _primes(abs(Fraction(scale))):
        out = out + _log(constant(prime)).scale(count)
    if unsigned is not po.ONE or under is not po.ONE:
        out = out + _log(ratio(unsigned.scale(sign), under))
    elif sign < 0:
        raise TooHard
    return out


def _log(r: Ratio) -> Ratio:
    return ZERO if r.constant == 1 else of_generator(_generator("log", "", (r,)))


# ------------------------------------------------------------------ absolute values, angles

def absolute(r: Ratio, oracle: Oracle) -> Ratio:
    """abs r: factors whose sign is known, and even powers, leave it."""
    if not r.num:
        return r
    scale = po.quotient(po.content(r.num), po.content(r.den))
    out = constant(scale if scale > 0 else -scale)
    for part, direction in ((r.num, 1), (r.den, -1)):
        for factor, times in factors.factors(part):
            even = Fraction(times) % 2 == 0
            if even or oracle.nonnegative_poly(factor):
                piece = _plain_power(factor, times)
            elif oracle.nonnegative_poly(-factor):
                piece = _plain_power(-factor, times)
            else:
                piece = of_generator(_generator("abs", base=factor))
                piece = ratio(piece.num ** int(times))
            out = out * piece if direction > 0 else out / piece
    return out


def _plain_power(p: Poly, e: Exponent) -> Ratio:
    e = po.whole(e)
    if isinstance(e, int):
        return ratio(p ** e)
    bare = single(p)
    if bare is None:
        raise TooHard
    return of_generator(bare, e)


_ANGLES = {Fraction(1, 6): (Fraction(1, 4), Fraction(3, 4)), Fraction(1, 4): (Fraction(1, 2), Fraction(1, 2)),
           Fraction(1, 3): (Fraction(3, 4), Fraction(1, 4))}
"""Part of half a turn → squares of its sine and cosine."""


def sine_cosine(r: Ratio) -> tuple[Ratio, Ratio]:
    """sin r and cos r."""
    turns = Fraction(0)
    parts: list[tuple[Monomial, Number]] = []
    for m, c in r.num.terms.items():
        if r.den is po.ONE and len(m) == 1 and m[0][1] == 1 and GENERATORS[m[0][0]].kind == "pi":
            turns = Fraction(c)
        else:
            parts.append((m, c))
    quarters = math.floor(turns * 2)
    s, c_ = _quarter(quarters)
    rest = turns - Fraction(quarters, 2)
    if rest:
        if rest in _ANGLES:
            known = tuple(rational_power(v, Fraction(1, 2)) for v in _ANGLES[rest])
            s, c_ = sum_of_angles((s, c_), (known[0], known[1]))
        else:
            s, c_ = sum_of_angles((s, c_), angle(pi().scale(rest)))
    if len(parts) > 3 or any(abs(c.numerator) > 4 for _, c in parts):
        left = ratio(Poly(dict(parts)), r.den)
        return sum_of_angles((s, c_), angle(left))
    for m, c in parts:
        unit = angle(_monic(m, r.den).scale(Fraction(1, c.denominator)))
        for _ in range(abs(c.numerator)):
            s, c_ = sum_of_angles((s, c_), unit if c > 0 else (-unit[0], unit[1]))
    return s, c_


def _quarter(quarters: int) -> tuple[Ratio, Ratio]:
    return ((ZERO, ONE), (ONE, ZERO), (ZERO, -ONE), (-ONE, ZERO))[quarters % 4]


def sum_of_angles(a: tuple[Ratio, Ratio], b: tuple[Ratio, Ratio]) -> tuple[Ratio, Ratio]:
    return a[0] * b[1] + a[1] * b[0], a[1] * b[1] - a[0] * b[0]


def angle(r: Ratio) -> tuple[Ratio, Ratio]:
    """The generators of sin r and cos r, taken apart no further."""
    if not r.num:
        return ZERO, ONE
    flip = r.num.lead()[1] < 0
    args = (-r if flip else r,)
    s, c = of_generator(_generator("sin", "", args)), of_generator(_generator("cos", "", args))
    return (-s if flip else s), c


_ODD = frozenset({"atan", "asin", "asinh", "erf", "cbrt", "atanh", "erfinv"})


def function(op: str, args: tuple[Ratio, ...]) -> Ratio:
    """A function without rules but its value at a few points and its symmetry."""
    if len(args) == 1:
        (r,) = args
        value = None if r.constant is None else Fraction(r.constant)
        if op in _ODD:
            if not r.num:
                return ZERO
            if r.num.lead()[1] < 0:
                return -function(op, (-r,))
        match op, value:
            case "atan", 1:
                return pi().scale(Fraction(1, 4))
            case "asin", 1:
                return pi().scale(Fraction(1, 2))
            case ("lgamma" | "acosh"), 1:
                return ZERO
            case "lgamma", 2:
                return ZERO
            case "gamma", Fraction(denominator=1, numerator=n) if 0 < n < 20:
                return constant(math.factorial(n - 1))
            case "floor", Fraction() as v:
                return constant(math.floor(v))
        if op == "cbrt" and value is not None:
            return rational_power(value, Fraction(1, 3))
    return call(op, args)
