"""Where the generators of normal forms lie by what they are: exponentials are positive, sines between -1 and 1."""
from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from .intervals import EVERYTHING, INFINITE, Interval, fractional, logarithm
from .normal import GENERATORS, Generator
from .polynomials import Poly

if TYPE_CHECKING:
    from .facts import Facts

_NOT_NEGATIVE = Interval(0, INFINITE, False)
_POSITIVE = Interval(0, INFINITE)
_UNIT = Interval(-1, 1, False, False)
_PI = Interval(Fraction(3141592653589793, 10**15), Fraction(3141592653589794, 10**15))
_RANGES = {"atan": Interval(Fraction(-1571, 1000), Fraction(1571, 1000)),
           "asin": Interval(Fraction(-1571, 1000), Fraction(1571, 1000), False, False),
           "erf": Interval(-1, 1), "gammainc": Interval(0, 1, False, False),
           "gammaincc": Interval(0, 1, False, False),
           "betainc": Interval(0, 1, False, False),
           "acosh": _NOT_NEGATIVE, "bessel_i0": Interval(1, INFINITE, False),
           "log_i0": _NOT_NEGATIVE, "trigamma": _POSITIVE}


def of_generator(facts: Facts, g: int) -> Interval:
    """Where a generator lies by what it is."""
    made = GENERATORS[g]
    match made.kind:
        case "pi":
            return _PI
        case "exp":
            return facts.bounds_of_ratio(made.args[0]).rising(math.exp, 0).meet(_POSITIVE)
        case "log":
            inner = facts.bounds_of_ratio(made.args[0])
            if inner.hi <= 0:
                return EVERYTHING  # there it has no value, or one that is not a number
            lowest = Interval(inner.lo if inner.lo > 0 else 0, inner.hi, inner.lo_open, inner.hi_open)
            return lowest.rising(logarithm)
        case "root":
            return fractional(facts.base(g), Fraction(1))
        case "sin" | "cos":
            return _UNIT
        case "abs":
            inner = facts.bounds_of(made.base)
            if inner.nonnegative:
                return inner
            if inner.nonpositive:
                return inner.scale(-1)
            strict = made.base in facts.unequal
            top, closed = max((-inner.lo, not inner.lo_open), (inner.hi, not inner.hi_open))
            return Interval(0, top, strict, not closed)
        case "call":
            return _called(facts, made)
    return EVERYTHING


def _called(facts: Facts, made: Generator) -> Interval:
    bound = _RANGES.get(made.op, EVERYTHING)
    if not made.args:
        return bound
    inner = facts.bounds_of_ratio(made.args[0])
    if made.op in ("atan", "asin", "erf", "cbrt", "asinh", "erfinv", "atanh"):
        zero = 0
        bound = bound.meet(Interval(zero if inner.nonnegative else -INFINITE,
                                    zero if inner.nonpositive else INFINITE,
                                    not inner.nonnegative or inner.positive,
                                    not inner.nonpositive or inner.negative))
    elif made.op == "floor":
        bound = inner.floor()
    elif made.op == "gamma" and inner.positive:
        bound = _POSITIVE
    return bound


def whole(p: Poly, i: Interval) -> Interval:
    """The bounds of a polynomial with whole coefficients, narrowed to whole numbers if its atoms are such."""
    for g in p.generators:
        term = GENERATORS[g].term
        if GENERATORS[g].kind != "atom" or term is None or not term.integer:
            return i
    if any(e != int(e) or e < 0 for m in p.terms for _, e in m):
        return i
    lo, hi = i.lo, i.hi
    if lo != -INFINITE:
        lo = math.floor(lo) + 1 if i.lo_open else math.ceil(lo)
    if hi != INFINITE:
        hi = math.ceil(hi) - 1 if i.hi_open else math.floor(hi)
    return Interval(lo, hi, i.lo_open and lo == -INFINITE, i.hi_open and hi == INFINITE)
