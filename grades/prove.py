"""How smooth a branch is across the boundary of its condition."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ..lang.record import dataclass
from .facts import Facts
from .lattice import Grade
from .terms import Cond, Term, atoms_of, show_condition


@dataclass(frozen=True)
class Verdict:
    """What is shown of `if cond then … else …` near the points where the condition changes.

    `grade`: `smooth` (also where there is no such point), `C2`, `C1`, `lip`, `cont`; or `jump`, with `proved` false,
    where nothing is shown. `why`: a sentence. `boundary`: where the condition changes, as text, "" where nowhere.
    `difference`: what the arms differ by there, where that is not shown to be 0.
    """

    grade: Grade
    proved: bool
    why: str
    boundary: str = ""
    difference: str = ""


def across(cond: Cond, then: Sequence[Term], orelse: Sequence[Term], facts: Facts, active: Callable[[Term], bool],
           order: Callable[[Term], int] | None = None) -> Verdict:
    """The regularity of a branch, jointly in its active atoms.

    `then`, `orelse`: one term for each result. `facts`: what is known where the branch stands, without the condition.
    `active`: whether an atom moves. `order`: up to which order an atom is smooth on a neighbourhood of the boundary,
    -1 for one that may jump; by default atoms are as smooth as one likes.
    """
    if not any(map(active, atoms_of(cond))):
        return Verdict("smooth", True, "the condition does not depend on what is differentiated")
    if tuple(then) == tuple(orelse):
        return Verdict("smooth", True, "both arms are the same")
    return Verdict("jump", False, "not examined", show_condition(cond))
