"""Intervals with open and closed ends: bounds of what is made of bounded things.

Ends are rational numbers or infinite. What is computed in doubles is rounded outwards.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from . import factors
from . import polynomials as po

INFINITE = float("inf")
Bound = int | Fraction | float
LONG, DIGITS, VAST = 1200, 200, 4000
"""Ends with more bits than `LONG` are rounded to `DIGITS`; beyond 2 ** `VAST` they are infinite."""


class Interval:
    """Between `lo` and `hi`, which are themselves left out where `open` says so. Ends may be infinite, and are open.

    Never changed; a plain class, since very many are made.
    """

    __slots__ = ("hi", "hi_open", "lo", "lo_open")
    __match_args__ = ("lo", "hi", "lo_open", "hi_open")

    def __init__(self, lo: Bound, hi: Bound, lo_open: bool = True, hi_open: bool = True) -> None:
        self.lo, self.hi, self.lo_open, self.hi_open = lo, hi, lo_open, hi_open

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Interval) and self.lo == other.lo and self.hi == other.hi
                                 and self.lo_open == other.lo_open and self.hi_open == other.hi_open)

    def __hash__(self) -> int:
        return hash((self.lo, self.hi, self.lo_open, self.hi_open))

    def __repr__(self) -> str:
        return f"{'(' if self.lo_open else '['}{self.lo}, {self.hi}{')' if self.hi_open else ']'}"

    @property
    def empty(self) -> bool:
        return self.lo > self.hi or (self.lo == self.hi and (self.lo_open or self.hi_open))

    @property
    def positive(self) -> bool:
        return self.lo > 0 or (self.lo == 0 and self.lo_open)

    @property
    def nonnegative(self) -> bool:
        return self.lo >= 0

    @property
    def negative(self) -> bool:
        return self.hi < 0 or (self.hi == 0 and self.hi_open)

    @property
    def nonpositive(self) -> bool:
        return self.hi <= 0

    @property
    def nonzero(self) -> bool:
        return self.positive or self.negative

    def meet(self, other: Interval) -> Interval:
        if other is EVERYTHING:
            return self
        if self is EVERYTHING:
            return other
        lo, lo_open = max((self.lo, self.lo_open), (other.lo, other.lo_open))
        hi, hi_closed = min((self.hi, not self.hi_open), (other.hi, not other.hi_open))
        return Interval(lo, hi, lo_open, not hi_closed)

    def plus(self, other: Interval) -> Interval:
        if self is EVERYTHING or other is EVERYTHING:
            return EVERYTHING
        return short(_sum(self.lo, other.lo), _sum(self.hi, other.hi), self.lo_open or other.lo_open,
                     self.hi_open or other.hi_open)

    def scale(self, c: int | Fraction) -> Interval:
        if c == 1 or (self is EVERYTHING and c):
            return self
        if c == 0:
            return Interval(0, 0, False, False)
        if c > 0:
            return short(_scaled(self.lo, c), _scaled(self.hi, c), self.lo_open, self.hi_open)
        return short(_scaled(self.hi, c), _scaled(self.lo, c), self.hi_open, self.lo_open)

    def times(self, other: Interval) -> Interval:
        if self.lo >= 0 and other.lo >= 0:
            lo, lo_open = _corner(self.lo, self.lo_open, other.lo, other.lo_open)
            hi, hi_open = _corner(self.hi, self.hi_open, other.hi, other.hi_open)
            return short(lo, hi, lo_open, hi_open)
        if self is EVERYTHING and other is EVERYTHING:
            return EVERYTHING
        ends = [_corner(x, xo, y, yo) for x, xo in ((self.lo, self.lo_open), (self.hi, self.hi_open))
                for y, yo in ((other.lo, other.lo_open), (other.hi, other.hi_open))]
        lo, lo_open = min(ends)
        hi, hi_closed = max((v, not o) for v, o in ends)
        zero = (self.lo <= 0 <= self.hi and not self.nonzero) or (other.lo <= 0 <= other.hi and not other.nonzero)
        if zero:  # 0 is taken on, even where an end is open
            lo_open = lo_open and lo != 0
            hi_closed = hi_closed or hi == 0
        return short(lo, hi, lo_open, not hi_closed)

    def power(self, n: int) -> Interval:
        """x ** n for x in this interval, n > 0."""
        if n % 2 == 0:
            if self.lo >= 0:
                return _powers(self.lo, self.hi, n, self.lo_open, self.hi_open)
            if self.hi <= 0:
                return _powers(-self.hi, -self.lo, n, self.hi_open, self.lo_open)
            top, closed = max((-self.lo, not self.lo_open), (self.hi, not self.hi_open))
            return _powers(0, top, n, False, not closed)
        return _powers(self.lo, self.hi, n, self.lo_open, self.hi_open)

    def inverse(self) -> Interval:
        """1 / x for x in this interval, which does not contain 0."""
        if self.lo >= self.hi and (self.lo == 0 or self.hi == 0):
            return EVERYTHING  # there is no such x
        if self.positive:
            return Interval(_over(self.hi), INFINITE if self.lo == 0 else _over(self.lo),
                            self.hi_open, self.lo_open or self.lo == 0)
        if self.negative:
            return self.scale(-1).inverse().scale(-1)
        return EVERYTHING

    def size(self) -> Interval:
        """Where abs x lies."""
        if self.lo >= 0:
            return self
        if self.hi <= 0:
            return self.scale(-1)
        top, closed = max((-self.lo, not self.lo_open), (self.hi, not self.hi_open))
        return Interval(0, top, False, not closed)

    def hull(self, other: Interval) -> Interval:
        """The smallest interval around both."""
        lo, lo_open = min((self.lo, self.lo_open), (other.lo, other.lo_open))
        hi, hi_closed = max((self.hi, not self.hi_open), (other.hi, not other.hi_open))
        return Interval(lo, hi, lo_open, not hi_closed)

    def floor(self) -> Interval:
        """Where the floor of x lies."""
        lo: Bound = self.lo if self.lo == -INFINITE else math.floor(self.lo)
        hi: Bound = self.hi
        if hi != INFINITE:
            hi = math.ceil(hi) - 1 if self.hi_open else math.floor(hi)
        return Interval(lo, hi, lo == -INFINITE, hi == INFINITE)

    def rising(self, f: Callable[[Bound], float | Fraction], lowest: Bound = -INFINITE) -> Interval:
        """f x for an increasing f, which is computed in doubles: rounded outwards."""
        return Interval(_outward(f, self.lo, -1, lowest), _outward(f, self.hi, 1, lowest), self.lo_open, self.hi_open)


def _sum(x: Bound, y: Bound) -> Bound:
    """x + y. Infinite ends are doubles, and stay what they are."""
    if isinstance(x, float) and math.isinf(x):
        return x
    return y if isinstance(y, float) and math.isinf(y) else x + y


def _scaled(x: Bound, c: Bound) -> Bound:
    """x * c, where c is not 0, and infinite only if x is."""
    if isinstance(x, float) and math.isinf(x):
        return x if c > 0 else -x
    return x * c


def _power(x: Bound, n: int, up: bool) -> Bound:
    """x ** n, rounded up or down if it has too many digits; negative x for odd n."""
    if x < 0:
        return -_power(-x, n, not up)
    if isinstance(x, float) or (x <= 1 and x in (0, 1)):
        return x
    if (x.numerator.bit_length() + x.denominator.bit_length()) * n <= 2 * LONG:
        return x ** n
    out: Bound = 1
    for bit in bin(n)[2:]:
        out = rounded(out * out, up)
        if bit == "1":
            out = rounded(out * x, up)
        if not out or isinstance(out, float):
            break
    return out


def _powers(lo: Bound, hi: Bound, n: int, lo_open: bool, hi_open: bool) -> Interval:
    """Between lo ** n and hi ** n. Ends that are not 0 and are rounded to it are open."""
    low, high = _power(lo, n, False), _power(hi, n, True)
    return short(low, high, lo_open or (low == 0 and lo != 0), hi_open or (high == 0 and hi != 0))


def short(lo: Bound, hi: Bound, lo_open: bool, hi_open: bool) -> Interval:
    """The interval, or one around it whose ends have fewer digits: products of products have more and more."""
    low, high = rounded(lo, False), rounded(hi, True)
    return Interval(low, high, lo_open or (low == 0 and lo != 0), hi_open or (high == 0 and hi != 0))


def rounded(x: Bound, up: bool) -> Bound:
    """A number of few digits that is no less, or (not `up`) no more, than x; mostly x itself."""
    if isinstance(x, float):
        return x
    if isinstance(x, int) and x.bit_length() <= LONG:
        return x
    top, bottom = x.numerator, x.denominator
    if bottom.bit_length() <= LONG and top.bit_length() <= LONG:
        return x
    size = top.bit_length() - bottom.bit_length()
    if size > VAST:
        return (INFINITE if top > 0 else -(1 << VAST - 1)) if up else \
            (-INFINITE if top < 0 else 1 << VAST - 1)
    if size < -VAST:
        tiny = Fraction(1, 1 << VAST - 1)
        return (tiny if top > 0 else 0) if up else (-tiny if top < 0 else 0)
    shift = DIGITS - size
    if shift >= 0:
        top <<= shift
    else:
        bottom <<= -shift
    kept = -(-top // bottom) if up else top // bottom
    return po.whole(Fraction(kept, 1 << shift)) if shift >= 0 else kept << -shift


def _over(x: Bound) -> Bound:
    return 0 if isinstance(x, float) else po.whole(Fraction(1, x))


def _corner(x: Bound, x_open: bool, y: Bound, y_open: bool) -> tuple[Bound, bool]:
    if x == 0 or y == 0:
        return 0, (x_open if x == 0 else True) and (y_open if y == 0 else True)
    return _scaled(y, x) if isinstance(y, float) else _scaled(x, y), x_open or y_open


def _outward(f: Callable[[Bound], float | Fraction], x: Bound, direction: int, lowest: Bound) -> Bound:
    if x == -INFINITE and lowest != -INFINITE:
        return lowest
    try:
        exact = f(x)
    except OverflowError:
        return INFINITE if direction > 0 else 0 if lowest == 0 else -INFINITE
    except ValueError:
        return INFINITE * direction
    if exact in (INFINITE, -INFINITE):
        return float(exact)
    value = Fraction(exact)
    if value in (0, 1) and x in (0, 1):
        return value  # of exp, log and powers: exact
    slack = abs(value) / 10**12 + Fraction(1, 10**13 if lowest else 10**300)
    moved = value + direction * slack
    return 0 if lowest == 0 and moved < 0 else moved


EVERYTHING = Interval(-INFINITE, INFINITE)
POSITIVE = Interval(Fraction(0), INFINITE, True, True)


def fractional(base: Interval, e: Fraction) -> Interval:
    """x ** e for x in an interval of what is not negative."""
    if e == 1:
        return base
    return Interval(max(base.lo, 0), max(base.hi, 0), base.lo_open, base.hi_open).rising(
        lambda x: INFINITE if x == INFINITE else float(x) ** float(e), 0).meet(
            Interval(0, INFINITE, base.positive))


def root_interval(bound: Interval, n: int, base: Interval) -> Interval:
    """Where x lies if x ** n lies in `bound`."""
    def root(x: Bound, direction: int) -> Bound:
        if x in (INFINITE, -INFINITE):
            return x
        if x < 0:
            return -root(-x, -direction)
        exact = factors.rational_power_root(Fraction(x), n)
        if exact is not None:
            return exact
        try:
            near = Fraction(float(x) ** (1 / n))
        except OverflowError:
            return INFINITE if direction > 0 else 0
        return near + direction * near / 10**12
    if n % 2:
        return Interval(root(bound.lo, -1), root(bound.hi, 1), bound.lo_open, bound.hi_open)
    top = root(max(bound.hi, 0), 1)
    out = Interval(-top, top, bound.hi_open, bound.hi_open)
    low = root(max(bound.lo, 0), -1)
    if base.nonnegative:
        out = out.meet(Interval(low, INFINITE, bound.lo_open))
    elif base.nonpositive:
        out = out.meet(Interval(-INFINITE, -low, True, bound.lo_open))
    return out


def logarithm(x: Bound) -> float:
    """The logarithm, of large rational numbers too."""
    if x == 0:
        return -INFINITE
    x = Fraction(x) if x != INFINITE else x
    return x if isinstance(x, float) else math.log(x.numerator) - math.log(x.denominator)
