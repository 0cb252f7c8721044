"""Bounds of a term from the bounds of its parts, as it is written: `u * u + 1` is at least 1 whatever u is."""
from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from .functions import expanded
from .intervals import EVERYTHING, INFINITE, Interval, fractional, logarithm
from .terms import Term, negate

if TYPE_CHECKING:
    from .facts import Facts

MOST = 10
"""No deeper than this."""
_NOT_NEGATIVE = Interval(0, INFINITE, False)
_UNIT = Interval(-1, 1, False, False)


def bounds(term: Term, facts: Facts, depth: int) -> Interval:
    """Where a term lies, asking the facts for its arguments."""
    if depth <= 0:
        return EVERYTHING

    def of(t: Term) -> Interval:
        return facts.interval(t, depth - 1)
    match term.op, term.args:
        case "number", _:
            return Interval(term.value, term.value, False, False)
        case "add", (a, b):
            return of(a).plus(of(b))
        case "sub", (a, b):
            return of(a).plus(of(b).scale(-1))
        case "neg", (a,):
            return of(a).scale(-1)
        case ("mul" | "scaled"), (a, b):
            return of(a).power(2) if a is b else of(a).times(of(b))
        case "div", (a, b):
            under = of(b)
            return of(a).times(under.inverse()) if under.nonzero else EVERYTHING
        case "pow", (a, Term(op="number", value=p)):
            inner = of(a)
            if p.denominator == 1 and 0 < p <= 40:
                return inner.power(int(p))
            if p > 0:
                return fractional(inner, p) if inner.nonnegative else _NOT_NEGATIVE
            return Interval(0, INFINITE) if inner.positive else EVERYTHING
        case "exp", (a,):
            return of(a).rising(math.exp, 0).meet(Interval(0, INFINITE))
        case "log", (a,):
            inner = of(a)
            if inner.hi <= 0:
                return EVERYTHING
            return Interval(max(inner.lo, 0), inner.hi, inner.lo_open, inner.hi_open).rising(logarithm)
        case "sqrt", (a,):
            inner = of(a)
            return fractional(inner, Fraction(1, 2)) if inner.nonnegative else _NOT_NEGATIVE
        case "abs", (a,):
            return of(a).size()
        case "max", (a, b):
            return larger(of(a), of(b))
        case "min", (a, b):
            return larger(of(a).scale(-1), of(b).scale(-1)).scale(-1)
        case ("sin" | "cos"), _:
            return _UNIT
        case "select", (a, b):
            assert term.cond is not None
            x = facts.assume(term.cond)
            y = facts.assume(negate(term.cond))
            if x.impossible:
                return y.interval(b, depth - 3)
            if y.impossible:
                return x.interval(a, depth - 3)
            return x.interval(a, depth - 3).hull(y.interval(b, depth - 3))
    plainer = expanded(term)
    return EVERYTHING if plainer is None else bounds(plainer, facts, depth)


def larger(x: Interval, y: Interval) -> Interval:
    """Where the larger one of two lies."""
    lo, lo_open = max((x.lo, x.lo_open), (y.lo, y.lo_open))
    hi, hi_closed = max((x.hi, not x.hi_open), (y.hi, not y.hi_open))
    return Interval(lo, hi, lo_open, not hi_closed)
