"""Witnesses against smoothness: a point where a function jumps or has a kink, found by search and confirmed in high
precision.

Comes in: a lowered program, one of its functions and a *site* in it (the statement of a branch, or of a primitive that
is not smooth). Goes out: a `Witness`, or None where none was found, which proves nothing.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..lang.record import dataclass

if TYPE_CHECKING:
    from ..lang.core import ir


@dataclass(frozen=True)
class Bounds:
    """Where a parameter's numbers may lie: a refinement, or what the type says of an integer."""

    lo: float = float("-inf")
    hi: float = float("inf")
    lo_open: bool = True
    hi_open: bool = True


@dataclass(frozen=True)
class Witness:
    """Where two sides of a boundary differ.

    `roots`: the point, by the names of the parameters (`m.weight`), numbers or nested lists of them; `below` and
    `above`: points of the same line on either side, in doubles, which the program may be run at. `order`: which
    derivative differs first (0: the value itself); `jump`: by how much, along `direction`; `sides`: what it is below
    and above.
    `effect`: order and size for the results of the whole function, None where they agree as far as was looked.
    """

    roots: Mapping[str, Any]
    below: Mapping[str, Any]
    above: Mapping[str, Any]
    direction: Mapping[str, Any]
    order: int
    jump: float
    sides: tuple[float, float]
    effect: tuple[int, float] | None
    exact: bool
    """Whether `roots` lies on the boundary itself, not only to the last digit of a double."""
    direct: bool = True
    """Whether the condition passes through its boundary; False: it jumps there itself."""

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.roots.items()) + f" → {self.jump:.6g}"


def refute(program: ir.Program, function: str, site: ir.Stmt | None, roots: Mapping[int, str] | Sequence[str],
           bounds: Mapping[int, Bounds] | None = None, want: str = "smooth", seed: int = 0) -> Witness | None:
    """A witness that `site` (None: the function's results) is not as smooth as `want`.

    `roots`: names of parameters that may move, by their number; the others are held at values that fit. `bounds`: by
    the same numbers. `want` is a grade: orders of derivatives that it does not speak of are not looked at.
    """
    return None


def jump_along_lines(program: ir.Program, function: str, roots: Mapping[int, str] | Sequence[str],
                     bounds: Mapping[int, Bounds] | None = None, seed: int = 0) -> Witness | None:
    """A witness that the function's results jump, looked for without knowing where: for loops and what is unknown."""
    return None
