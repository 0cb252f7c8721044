"""Where a condition changes: the zeros of what it compares, solved for one variable where that can be done.

Comes in: a factor of what is compared, facts. Goes out: ways to walk across its zeros. A *crossing* is a variable with
the value that it has there, in terms of the others: then the zeros are a graph, and what is known along the variable is
known in all directions. Where no variable can be solved for, the variables are followed one by one, and what is
computed is reduced by the equation.
"""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..lang.record import dataclass
from . import factors, normal
from . import polynomials as po
from .effort import TooHard
from .facts import Facts
from .normal import GENERATORS, Ratio
from .polynomials import Monomial, Poly
from .rewriting import one_angle, replaced
from .terms import Term
from .text import show, show_poly


@dataclass(frozen=True, eq=False)
class Crossing:
    """`variable` = `value` + t crosses the zeros at t = 0. `at`: what holds there. `equation`: set where the zeros
    could not be solved for the variable; then its value is the variable itself, and `reduce` uses the equation."""

    variable: Term
    value: Ratio
    at: Facts
    text: str
    equation: Poly | None = None

    @property
    def reduce(self) -> Callable[[Ratio], Ratio] | None:
        equation = self.equation
        return None if equation is None else lambda r: reduced(r, equation)


@dataclass(frozen=True, eq=False)
class Zeros:
    """The zeros of one factor. Any of the `ways` alone will do; each is a list of crossings that are all needed. None
    at all: nobody knows how to cross."""

    factor: Poly
    at: Facts
    text: str
    ways: tuple[tuple[Crossing, ...], ...]
    corner: tuple[Term, ...] = ()
    """Atoms that are all 0 there: the factor is a sum of squares."""


@dataclass(frozen=True, eq=False)
class Roots:
    """`active`: whether an atom moves. `place`: which of two atoms is rather solved for, the smaller one."""

    active: Callable[[Term], bool]
    place: Callable[[Term], int]


def zeros(p: Poly, at: Facts, roots: Roots, depth: int = 4) -> list[Zeros]:
    """The zeros of an irreducible polynomial, in parts; an empty list where there are none."""
    if at.nonzero_poly(p):
        return []
    here = at.compared("==", normal.ratio(p))
    if here.impossible:
        return []
    corner = _corner(p)
    if corner:
        for term in corner:
            here = here.compared("==", normal.of_atom(term))
        text = " and ".join(f"{show(normal.of_atom(term))} = 0" for term in corner)
        return [] if here.impossible else [Zeros(p, here, text, (), corner)]
    ways = _solved(p, here, roots)
    if ways is None:
        return []
    text = ways[0][0].text if ways else f"{show_poly(p)} = 0"
    if not ways and depth > 0:
        inverted = _inverted(p, here, roots, depth)
        if inverted is not None and all(map(_plain, inverted)):
            return inverted
        ways = [*_powers(p, here, roots), *_followed(p, here, roots, text)]
        if inverted is not None and not ways:
            return inverted
    return [Zeros(p, here, text, tuple(ways))]


def _plain(part: Zeros) -> bool:
    """Whether zeros can be crossed, and have not been written by logarithms to no avail."""
    if not part.ways:
        return bool(part.corner)
    equation = part.ways[0][0].equation
    return equation is None or not any(GENERATORS[g].kind == "log" for g in equation.generators)


def _corner(p: Poly) -> tuple[Term, ...]:
    """Several atoms that are 0 where p is: p is a sum of even powers with one sign, some of them of one atom."""
    signs = {c > 0 for c in p.terms.values()}
    if len(signs) > 1 or len(p.terms) < 2 or po.UNIT in p.terms:
        return ()
    out: list[Term] = []
    for m in p.terms:
        if any(not isinstance(e, int) or e % 2 for _, e in m):
            return ()
        if len(m) == 1 and GENERATORS[m[0][0]].kind == "atom":
            term = GENERATORS[m[0][0]].term
            assert term is not None
            out.append(term)
    return tuple(out) if len(out) > 1 else ()


def _solved(p: Poly, at: Facts, roots: Roots) -> list[tuple[Crossing, ...]] | None:
    """Crossings by variables in which p is affine, the best first. None: there are no zeros."""
    found: list[tuple[tuple[bool, bool, int, int], Crossing]] = []
    for g in p.generators:
        made = GENERATORS[g]
        if made.kind != "atom" or p.degree(g) != 1:
            continue
        term = made.term
        assert term is not None
        if any(h != g and term in GENERATORS[h].atoms for h in p.generators):
            continue
        parts = p.coefficients(g)
        slope, rest = parts[1], parts.get(0, po.ZERO)
        if slope.constant is None and not at.nonzero_poly(slope):
            both = at.compared("==", normal.ratio(slope))
            if not (both.impossible or both.nonzero_poly(rest)):
                continue
        value = -normal.ratio(rest, slope)
        solved = at.substituted(g, value)
        if solved.impossible:
            return None
        text = f"{show_poly(po.generator(g))} = {show(value)}"
        found.append(((slope.constant is None, not roots.active(term), len(rest.terms), roots.place(term)),
                      Crossing(term, value, solved, text)))
    found.sort(key=lambda item: item[0])
    return [(c,) for _, c in found[:3]]


def _place(g: int, roots: Roots) -> int:
    term = GENERATORS[g].term
    return 0 if term is None else roots.place(term)


def _powers(p: Poly, at: Facts, roots: Roots) -> list[tuple[Crossing, ...]]:
    """Crossings by variables that stand in one term alone, as a power, and whose sign is known: roots."""
    found: list[tuple[Crossing, ...]] = []
    for g in sorted(p.generators, key=lambda g: _place(g, roots)):
        made, parts = GENERATORS[g], p.coefficients(g)
        term, n = made.term, max(parts)
        if (made.kind != "atom" or term is None or len(parts) != 2 or 0 not in parts or not isinstance(n, int)
                or parts[n].constant is None or any(h != g and term in GENERATORS[h].atoms for h in p.generators)):
            continue
        bound = at.bounds_of(po.generator(g))
        if not bound.nonzero:
            continue
        try:
            power = -normal.ratio(parts[0], parts[n])
            if n % 2 and bound.negative:
                value = -normal.power(-power, Fraction(1, n), at)
            else:
                value = normal.power(power, Fraction(1, n), at)
                value = value if bound.positive else -value
        except (TooHard, ZeroDivisionError):
            continue
        solved = at.substituted(g, value)
        if not solved.impossible:
            found.append((Crossing(term, value, solved, f"{show(normal.of_atom(term))} = {show(value)}"),))
    return found[:2]


def _inverted(p: Poly, at: Facts, roots: Roots, depth: int) -> list[Zeros] | None:
    """p = c * f(u) + e for a function f with an inverse: the zeros of u - f⁻¹(-e / c)."""
    for g in sorted(p.generators, reverse=True):
        made = GENERATORS[g]
        if made.kind not in ("exp", "log", "root", "abs", "call"):
            continue
        parts = p.coefficients(g)
        powers = sorted(parts)
        if len(powers) > 2 or (len(powers) == 2 and powers[0] != 0):
            continue
        e = powers[-1]
        slope, rest = parts[e], parts.get(0, po.ZERO)
        if slope.constant is None and not at.nonzero_poly(slope):
            both = at.compared("==", normal.ratio(slope))
            if not (both.impossible or both.nonzero_poly(rest)):
                continue
        try:
            value = -normal.ratio(rest, slope)
            moving = {a for a in made.atoms if roots.active(a)} or made.atoms
            if made.kind != "exp" and any(moving & GENERATORS[h].atoms for h in value.generators):
                continue
            equations = _inverse(made, e, value, at)
        except (TooHard, ZeroDivisionError):
            continue
        if equations is None:
            continue
        out: list[Zeros] = []
        for equation, facts in equations:
            if facts.impossible or not equation.num:
                if not facts.impossible:
                    return None
                continue
            if len(equation.num.terms) > 40:
                return None
            for factor, _ in factors.factors(equation.num):
                if factor == p:
                    return None
                out += zeros(factor, facts, roots, depth - 1)
        return out
    return None


def _inverse(made: normal.Generator, e: po.Exponent, value: Ratio, at: Facts) -> list[tuple[Ratio, Facts]] | None:
    """f(u) ** e = value, solved: equations with what holds for each, all together."""
    bound = at.bounds_of_ratio(value)
    match made.kind:
        case "exp":
            if bound.nonpositive:
                return []
            at = at.compared("<", value)
            logarithm = normal.logarithm(value, at)
            equation = made.args[0].scale(Fraction(e)) - logarithm
            shared = {g for h in equation.generators for g in (h,) if GENERATORS[h].kind == "exp"}
            return None if shared and len(value.num.terms) > 1 else [(equation, at)]
        case "log" if e == 1:
            return [(made.args[0] - normal.exponential(value), at)]
        case "root":
            if bound.negative:
                return []
            at = at.compared("<=", value)
            return [(normal.ratio(made.base) - normal.power(value, 1 / Fraction(e), at), at)]
        case "abs" if e == 1:
            base = normal.ratio(made.base)
            return [(base - value, at.compared("<=", base)), (base + value, at.compared("<=", -base))]
        case "call" if e == 1 and len(made.args) == 1 and made.op in ("atan", "asinh", "erf", "cbrt", "asin"):
            if not value.num:
                return [(made.args[0], at)]
            if made.op == "cbrt":
                return [(made.args[0] - normal.power(value, Fraction(3), at), at)]
    return None


def _followed(p: Poly, at: Facts, roots: Roots, text: str) -> list[tuple[Crossing, ...]]:
    """p cannot be solved: along each active variable, if the gradient vanishes nowhere on the zeros."""
    moving = {term for g in p.generators for term in GENERATORS[g].atoms if roots.active(term)}
    if not all(at.nonzero_poly(base) for base in _under_roots(p)):
        return []  # a slope may be infinite there
    slopes: list[tuple[Term, Ratio]] = []
    try:
        for term in sorted(moving, key=roots.place):
            slope = slope_along(normal.ratio(p), term)
            if slope is None:
                return []
            slopes.append((term, slope))
        for term, slope in slopes:
            if not _vanishing(slope, p, at):
                here = at.compared("!=", slope)
                return [(Crossing(term, normal.of_atom(term), here, text, p),)]
        square = normal.ZERO
        for _, slope in slopes:
            square = square + slope * slope
        if len(square.num.terms) < 60 and not _vanishing(square, p, at):
            return [tuple(Crossing(term, normal.of_atom(term), at, text, p) for term, _ in slopes)]
    except (TooHard, ZeroDivisionError):
        pass
    return []


def _under_roots(p: Poly) -> list[Poly]:
    """What roots are taken of, anywhere in p."""
    found: list[Poly] = []
    for g in p.generators:
        made = GENERATORS[g]
        if made.kind == "root":
            found.append(made.base)
        for inner in (made.base, *(part for r in made.args for part in (r.num, r.den))):
            if inner.generators:
                found += _under_roots(inner)
    return found


def _vanishing(r: Ratio, p: Poly, at: Facts) -> bool:
    """Whether r may be 0 on the zeros of p."""
    if not r.num:
        return True
    if at.nonzero_poly(r.num):
        return False
    here = reduced(normal.ratio(r.num), p)
    if not here.num:
        return True
    if at.nonzero_poly(here.num):
        return False
    # cos u is nowhere 0 where sin u is: its square is 1 there.
    square = reduced(here * here, p)
    return not square.num or not at.nonzero_poly(square.num)


def slope_along(r: Ratio, term: Term) -> Ratio | None:
    """The derivative of a normal form in an atom; None where a function in it has none that is known."""
    num = _slope(r.num, term)
    if num is None or r.den.constant is not None:
        return num if num is None else num / normal.ratio(r.den)
    den = _slope(r.den, term)
    if den is None:
        return None
    under = normal.ratio(r.den)
    return (num * under - normal.ratio(r.num) * den) / (under * under)


def _slope(p: Poly, term: Term) -> Ratio | None:
    total = normal.ZERO
    for g in sorted(p.generators):
        made = GENERATORS[g]
        if term not in made.atoms:
            continue
        inner: Ratio | None
        factor = normal.ZERO
        if made.kind in ("exp", "root"):  # with exponents that are no whole numbers: (g ** e)' = e * g ** e * rate
            for e, rest in p.coefficients(g).items():
                if e:
                    factor = factor + normal.ratio(rest * po.generator(g, e)).scale(Fraction(e))
            if made.kind == "exp":
                inner = slope_along(made.args[0], term)
            else:
                inner = _slope(made.base, term)
                inner = inner / normal.ratio(made.base) if inner is not None else None
        else:
            factor = normal.ratio(p.derivative(g))
            inner = _rate(made, term)
        if inner is None:
            return None
        total = total + factor * inner
    return total


def _rate(made: normal.Generator, term: Term) -> Ratio | None:
    """The derivative of a generator that stands with whole exponents."""
    if made.kind == "atom":
        return normal.ONE if made.term is term else normal.ZERO
    if made.kind not in ("log", "sin", "cos"):
        return None
    inner = slope_along(made.args[0], term)
    if inner is None:
        return None
    if made.kind == "log":
        return inner / made.args[0]
    sine, cosine = normal.angle(made.args[0])
    return inner * cosine if made.kind == "sin" else -(inner * sine)


def reduced(r: Ratio, equation: Poly) -> Ratio:
    """r where the equation is 0: its leading monomial replaced until it divides no term."""
    lead, factor = equation.lead()
    rest = (equation - Poly({lead: factor})).scale(Fraction(-1, factor))
    num, den = _reduced(r.num, lead, rest), _reduced(r.den, lead, rest)
    other = _partner(lead)
    if other is not None and other not in rest.generators and lead[0][0] not in rest.generators:
        square = po.ONE - rest * rest
        num, den = (_reduced(q, ((other, 2),), square) for q in (num, den))
    if num is r.num and den is r.den:
        return r
    return normal.ratio(num, den) if den else r


def _partner(lead: Monomial) -> int | None:
    """The cosine beside a sine."""
    if len(lead) != 1 or lead[0][1] != 1 or GENERATORS[lead[0][0]].kind != "sin":
        return None
    _, cosine = normal.angle(GENERATORS[lead[0][0]].args[0])
    return next(iter(cosine.num.generators), None)


def in_sines(p: Poly, factor: Poly) -> Poly:
    """p with squares of a cosine written by the sine, if that is what the factor is."""
    lead, _ = factor.lead()
    other = _partner(lead) if len(factor.terms) == 1 else None
    return p if other is None else _reduced(p, ((other, 2),), po.ONE - po.generator(lead[0][0], 2))


def _reduced(p: Poly, lead: Monomial, rest: Poly) -> Poly:
    for _ in range(200):
        for m, c in p.terms.items():
            left = po.over(m, lead)
            if left is not None:
                p = p - Poly({m: c}) + rest * Poly({left: c})
                break
        else:
            return p
    raise TooHard


def vanishes(r: Ratio, at: Facts, reduce: Callable[[Ratio], Ratio] | None) -> bool:
    """Whether r is 0 wherever the facts hold."""
    if not r.num:
        return True
    if reduce is not None:
        r = reduce(r)
        if not r.num:
            return True
    bound = at.bounds_of(r.num)
    if bound.lo == bound.hi == 0 or not one_angle(normal.ratio(r.num)):
        return True
    if any(GENERATORS[g].kind in ("abs", "root") for g in r.num.generators):
        try:
            if not replaced(normal.ratio(r.num), {}, at, again=True):
                return True
        except (TooHard, ZeroDivisionError):
            pass
    for equation in at.equations():
        for g in equation.generators:
            if GENERATORS[g].kind == "atom" and any(GENERATORS[g].atoms <= GENERATORS[h].atoms for h in r.generators):
                parts = equation.coefficients(g)
                slope = parts.get(1)
                if slope is None or set(parts) - {0, 1} or slope.constant is None:
                    continue
                other = at.replaced(r.num, g, -normal.ratio(parts.get(0, po.ZERO), slope))
                if other is not None and not other.num:
                    return True
    return False
