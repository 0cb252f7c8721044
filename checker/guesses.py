"""What is guessed of the sizes of loops while definitions are checked, and how guesses are taken back.

In the body of a loop the sizes of its state are unknown. Whether a branch, or a loop in it, leaves a size as it is can
then depend on whether the outer loop does, which is seen only at its end:

    loop s = xs for i < m do
      loop t = s for j < 3 do replicate n 1.0

A definition is checked with one guess. When that finds errors and something depended on a guess, it is checked again
with another one; the first that finds no errors holds. Nothing is believed for being guessed: the types of every
iteration are compared in each case. When all have errors, the fewest are reported.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..lang.diagnostics.report import Diagnostic
from ..lang.record import dataclass, field
from ..lang.sizes import Size, SizeAtom
from ..lang.surface import ast
from ..lang.types import Type

if TYPE_CHECKING:
    from .context import Checker

MOST = 5
"""Guesses for one definition."""


@dataclass(eq=False)
class Guess:
    """`same`: a loop in a loop leaves sizes alone if it does when the outer loop does. `varying`: sizes of states that
    change, by loop and place among the state's sizes. The rest is what checking finds out.
    """

    same: bool = False
    varying: frozenset[tuple[ast.Loop, int]] = frozenset()
    number: int = 1
    final: bool = False
    """Whether checking came so far that what is wrong has nothing to do with sizes."""
    doubtful: bool = False
    """Whether some loop would leave a size alone if an outer loop did."""
    relied: set[SizeAtom] = field(default_factory=set)
    """Unknown sizes of states that were taken for those before the loop."""
    refuted: set[tuple[ast.Loop, int]] = field(default_factory=set)
    """Those that turned out to change."""

    def next(self) -> Guess | None:
        """Another guess, after one that found errors."""
        varying = self.varying | self.refuted
        if self.final or self.number == MOST or (varying == self.varying and (self.same or not self.doubtful)):
            return None
        return Guess(self.same or varying == self.varying, varying, self.number + 1)


def begin(c: Checker, e: ast.Loop, sizes: list[tuple[Size, Size]]) -> None:
    """Note what the unknown sizes of a state are before the loop; those that vary are some other size."""
    for k, (unknown, before) in enumerate(sizes):
        atom = unknown.atom
        if atom is not None:
            varies = (e, k) in c.guess.varying
            c.starts[atom] = Size.of(c.solver.size_var("", e.pattern.span, "")) if varies else before


def at_start(c: Checker, difference: Size) -> Size:
    """A difference of two sizes, if no loop around changes the sizes of its state."""
    for _ in range(len(c.starts) + 1):
        unknown = [a for a in difference.atoms() if a in c.starts]
        if not unknown:
            break
        c.guess.relied.update(unknown)
        difference = c.solver.size(difference.substitute(c.starts))
    return difference


def same_size(c: Checker, difference: Size) -> bool:
    """Whether a loop is guessed to leave a size alone, which it does if the loops around it do."""
    if not c.starts or at_start(c, difference).terms:
        return False
    c.guess.doubtful = True
    return c.guess.same


def refute(c: Checker, e: ast.Loop, state: Type, sizes: list[tuple[Size, Size]], after: Type) -> None:
    """An iteration does not leave the state that it found: what was taken to stay the same of it does not."""
    found, left = _sizes(c, state), _sizes(c, after)
    compared = len(found) == len(left) == len(sizes)
    for k, (unknown, _) in enumerate(sizes):
        if unknown.atom in c.guess.relied and not (compared and found[k] == left[k]):
            c.guess.refuted.add((e, k))


def _sizes(c: Checker, t: Type) -> list[Size]:
    from .context import map_sizes

    found: list[Size] = []

    def note(s: Size) -> Size:
        found.append(c.solver.size(s))
        return s

    map_sizes(c.solver.zonk(t), note)
    return found


def errors(found: list[Diagnostic]) -> int:
    return sum(d.severity == "error" for d in found)


def unrelated(found: list[Diagnostic]) -> list[Diagnostic]:
    """Errors that are there whatever is guessed, such as unknown names."""
    return [d for d in found if d.severity == "error" and d.code[:2] not in ("E2", "E3")]
