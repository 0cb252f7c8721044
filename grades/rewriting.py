"""Normal forms rewritten: generators replaced by what they are equal to, angles written by a common part."""
from __future__ import annotations

import math
from fractions import Fraction

from . import polynomials as po
from .effort import TooHard
from .normal import (
    GENERATORS,
    ONE,
    ZERO,
    Oracle,
    Ratio,
    absolute,
    angle,
    constant,
    exponential,
    function,
    logarithm,
    of_generator,
    power,
    ratio,
    sine_cosine,
    sum_of_angles,
)
from .polynomials import Exponent, Poly

MOST_ANGLES = 8


def one_angle(r: Ratio) -> Ratio:
    """r with sines and cosines of parts of one angle, as u and u / 2, written by those of their common part."""
    parts: dict[Ratio, set[int]] = {}
    for g in r.generators:
        made = GENERATORS[g]
        if made.kind in ("sin", "cos"):
            scale = made.args[0].num.lead()[1]
            if scale.numerator == 1:
                parts.setdefault(made.args[0].scale(Fraction(1, scale)), set()).add(scale.denominator)
    wanted = {u: math.lcm(*counts) for u, counts in parts.items() if len(counts) > 1}
    if not wanted or any(n > MOST_ANGLES * min(parts[u]) for u, n in wanted.items()):
        return r

    def of_poly(p: Poly) -> Ratio:
        out = ZERO
        for m, c in p.terms.items():
            product = constant(c)
            for g, e in m:
                made = GENERATORS[g]
                factor = of_generator(g, e)
                if made.kind in ("sin", "cos") and isinstance(e, int):
                    scale = made.args[0].num.lead()[1]
                    u = made.args[0].scale(Fraction(1, scale))
                    if u in wanted and scale.numerator == 1:
                        unit = angle(u.scale(Fraction(1, wanted[u])))
                        s, k = ZERO, ONE
                        for _ in range(wanted[u] // scale.denominator):
                            s, k = sum_of_angles((s, k), unit)
                        factor = ONE
                        for _ in range(e):
                            factor = factor * (s if made.kind == "sin" else k)
                product = product * factor
            out = out + product
        return out

    return of_poly(r.num) / of_poly(r.den)


def replaced(r: Ratio, values: dict[int, Ratio], oracle: Oracle, again: bool = False) -> Ratio:
    """r with generators of atoms replaced by what they are equal to, also inside of functions.

    `again`: roots and absolute values are formed anew, by what the oracle knows now.
    """
    gone = frozenset(t for g in values if (t := GENERATORS[g].term) is not None)

    def touched(g: int) -> bool:
        made = GENERATORS[g]
        return bool(made.atoms & gone) or (again and made.kind in ("abs", "root"))

    def of_ratio(r: Ratio) -> Ratio:
        return r if r.den is po.ONE and not r.num.generators else of_poly(r.num) / of_poly(r.den)

    def of_poly(p: Poly) -> Ratio:
        out, kept = ZERO, {}
        for m, c in p.terms.items():
            if not any(touched(g) for g, _ in m):
                kept[m] = c
                continue
            product = constant(c)
            for g, e in m:
                product = product * power_of(g, e)
            out = out + product
        return out + ratio(Poly(kept)) if kept else out

    def power_of(g: int, e: Exponent) -> Ratio:
        made = GENERATORS[g]
        if not touched(g):
            return of_generator(g, e)
        match made.kind:
            case "atom":
                return power(values[g], Fraction(e), oracle) if g in values else of_generator(g, e)
            case "exp":
                return exponential(of_ratio(made.args[0]).scale(Fraction(e)))
            case "root":
                return power(of_poly(made.base), Fraction(e), oracle)
            case "log":
                inner = logarithm(of_ratio(made.args[0]), oracle)
            case "sin":
                inner = sine_cosine(of_ratio(made.args[0]))[0]
            case "cos":
                inner = sine_cosine(of_ratio(made.args[0]))[1]
            case "abs":
                inner = absolute(of_poly(made.base), oracle)
            case _:
                if made.term is not None:
                    raise TooHard
                inner = function(made.op, tuple(map(of_ratio, made.args)))
        return power(inner, Fraction(e), oracle)

    return of_ratio(r)
