"""Limits that no power series has: powers of what vanishes with exponents that vary, exp (-1/t), sin (1/t).

Each gives a series in the variable t that crosses a boundary, for one side of it, or None where it does not apply. What
is known of such a function is how fast it vanishes and what a derivative costs: t ** m * sin (t ** -q) is C^k for
k * (q + 1) < m, in the other variables too.
"""
from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from .intervals import INFINITE

if TYPE_CHECKING:
    from .series import Expansion, Order, Series
    from .terms import Term


def vanishes(e: Expansion, a: Series, of: Term) -> bool:
    """Whether exp a vanishes with all derivatives: a, which is the series of `of`, goes to -infinity like a power.

    Its derivatives are exp a times polynomials in derivatives of a, which grow like powers of 1/t.
    """
    if not e.checks or e.frozen or e.variable is None or a.loss != 1:
        return False
    a = e.trim(a)
    if a.val >= 0 or not a.coefs or a.rough <= a.val:
        return False
    return e.at.nonzero_poly(e.reduced(a.coefs[0]).num) and e.near.interval(of).nonpositive


def oscillation(a: Series) -> Series | None:
    """sin a or cos a of something unbounded: bounded, and each derivative costs as much as one of a."""
    from .series import Series

    growth: Order = max(-a.val if a.coefs else 0, -a.rough)
    if growth <= 0 or a.loss != 1 or (a.val < 0 and not a.coefs):
        return None
    return Series([], 0, False, Fraction(0), 1 + growth)


def power(e: Expansion, base: Series, exponent: Series, of: Term) -> Series | None:
    """base ** exponent, where the base vanishes, and the exponent varies along the boundary and has a positive bound.

    With t ** a comes t ** a * log t, its derivative in a.
    """
    from .normal import ZERO
    from .series import LOGARITHM, Series

    base = e.trim(base)
    if not e.checks or base.val <= 0 or not base.coefs or base.loss != 1 or base.rough <= base.val:
        return None
    if not exponent.constant() or not e.near.interval(of).nonnegative:
        return None
    if not e.at.nonzero_poly(e.reduced(base.coefs[0]).num):
        return None
    bound = e.at.bounds_of_ratio(e.reduced(exponent.at(0)))
    if (bound.lo <= 0 or bound.lo == INFINITE) and (bound.lo < 0 or not bound.lo_open):
        return None
    rough: Order = base.val * Fraction(bound.lo) + (LOGARITHM if bound.lo_open else 0)
    return Series([ZERO] * ceil(rough), 0, False, rough)
