"""Greatest common divisors, factors and roots of polynomials."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

from .effort import Effort, TooHard
from .polynomials import (
    MOST_TERMS,
    ONE,
    UNIT,
    ZERO,
    Exponent,
    Monomial,
    Number,
    Poly,
    common_monomial,
    constant,
    divide,
    generator,
    over,
    primitive,
    quotient,
    times,
    whole,
    without,
)


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
