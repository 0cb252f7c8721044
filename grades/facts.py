"""What is known of terms where a statement stands: intervals, signs, comparisons that hold."""
from __future__ import annotations

from fractions import Fraction

from ..lang.record import dataclass
from .terms import Cond, Term

INFINITE = float("inf")


@dataclass(frozen=True)
class Interval:
    """Between `lo` and `hi`, which are themselves left out where `open` says so. Ends may be infinite, and are open."""

    lo: Fraction | float
    hi: Fraction | float
    lo_open: bool = True
    hi_open: bool = True


EVERYTHING = Interval(-INFINITE, INFINITE)


class Facts:
    """Immutable: each method that adds something gives another `Facts`."""

    def assume(self, cond: Cond, holds: bool = True) -> Facts:
        """With a condition that holds, or does not."""
        return self

    def within(self, term: Term, lo: Fraction | float, hi: Fraction | float, lo_open: bool = False,
               hi_open: bool = False) -> Facts:
        """With a term between two bounds."""
        return self

    def interval(self, term: Term) -> Interval:
        """Bounds of the term."""
        return EVERYTHING

    def nonzero(self, term: Term) -> bool:
        """Whether the term is shown to be nowhere 0."""
        return False

    def positive(self, term: Term) -> bool:
        """Whether the term is shown to be > 0."""
        return False

    def nonnegative(self, term: Term) -> bool:
        """Whether the term is shown to be >= 0."""
        return False

    @property
    def impossible(self) -> bool:
        """Whether the facts contradict each other: no point is like this."""
        return False


NO_FACTS = Facts()
