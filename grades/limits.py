"""Limits that no power series has: powers of what vanishes with exponents that vary, exp (-1/t), sin (1/t), 1 / log t.

Each gives a series in the variable t that crosses a boundary, for one side of it, or None where it does not apply. What
is known of such a function is how fast it vanishes and what a derivative costs: t ** m * sin (t ** -q) is C^k for
k * (q + 1) < m, in the other variables too.
"""
from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from .intervals import INFINITE
from .normal import ONE, ZERO, of_atom
from .terms import apply

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
    return e.at.nonzero_poly(e.reduced(a.coefs[0]).num) and (e.near.interval(of).nonpositive or falls(e, a))


def falls(e: Expansion, a: Series) -> bool:
    """Whether the first coefficient says that a goes to -infinity on this side."""
    assert e.variable is not None
    assert e.value is not None
    first = e.at.bounds_of_ratio(e.reduced(a.coefs[0]))
    if a.val % 2 == 0:
        return first.negative
    beyond = of_atom(e.variable) - e.value
    if not beyond.num:
        return False  # the boundary is not solved for the variable
    side = e.near.bounds_of_ratio(beyond)
    return (first.negative and side.nonnegative) or (first.positive and side.nonpositive)


def quotient(e: Expansion, a: Term, b: Term) -> Series | None:
    """a / b where b has no series, or one that says less than there is to know: a / (a + c) is 1 where c vanishes with
    all derivatives; 1 / (c + exp u) vanishes so where u is unbounded; 1 / log u goes to 0, with an infinite slope.
    """
    from .series import LOGARITHM, Irregular, Series, Short

    if not e.checks or e.variable is None or e.frozen or not e.moves(b):
        return None
    if b.op == "add":
        for other, c in (b.args, b.args[::-1]):
            try:
                if c.op == "exp" and large(e, c.args[0]):
                    e.regular(e.series(other), "a sum")
                    return e.mul(e.series(a), Series([]))
                if other is a and flat(e.series(c)):
                    whole = e.trim(e.series(a))
                    if whole.val == 0 and whole.coefs and e.at.nonzero_poly(e.reduced(whole.coefs[0]).num):
                        return Series([ONE], 0, True, whole.rough)
            except (Irregular, Short):
                continue
    if b.op == "log" and a.op in ("number", "atom", "mul", "pow", "sqrt"):
        inner = e.trim(e.series(b.args[0]))
        if inner.val > 0 and inner.coefs and inner.loss == 1 and inner.rough > inner.val \
                and e.at.nonzero_poly(e.reduced(inner.coefs[0]).num):
            return e.mul(e.series(a), Series([ZERO], 0, False, LOGARITHM))
    return None


def flat(a: Series) -> bool:
    """Whether a function vanishes with all its derivatives."""
    return a.exact and not a.coefs and a.rough == INFINITE


def large(e: Expansion, u: Term) -> bool:
    """Whether exp (-u) vanishes with all derivatives."""
    a = e.series(u)
    return a.val < 0 and vanishes(e, e.negative(a), apply("neg", (u,)))


def vanishing_exponent(e: Expansion, base: Series, exponent: Series, of: Term) -> Series | None:
    """base ** exponent = exp (exponent * log base), where the base vanishes, and the exponent too."""
    base = e.trim(base)
    if not e.checks or e.frozen or base.val <= 0 or not e.near.interval(of).nonnegative:
        return None
    product = e.mul(exponent, e.logarithm(base, of))
    return e.exponential(product) if product.rough > 0 and product.val >= 0 and product.loss == 1 else None


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
