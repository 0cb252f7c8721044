"""Which sizes of a loop's state change from iteration to iteration.

While the body is checked, every axis of the state has an unknown size, so that what the body asks of it is found out.
Then the sizes that an iteration leaves say which are as at the start and which are not. The latter become sizes of
their own, read off the state at each iteration; the loop opens them in its result.
"""
from __future__ import annotations

from contextlib import suppress

from ..lang.sizes import Size, SizeAtom, SizeMeta, SizeVar
from ..lang.surface import ast
from ..lang.types import Type
from .context import Checker, map_sizes
from .unify import Clash


def loosened(c: Checker, start: Type) -> tuple[Type, list[tuple[Size, Size]]]:
    """The state's type with unknown sizes, and what each of them is at the start."""
    starts: list[tuple[Size, Size]] = []

    def loose(s: Size) -> Size:
        names = [a for a in s.atoms() if isinstance(a, SizeVar)]
        starts.append((c.solver.size_meta(names[0].name if len(names) == 1 else ""), s))
        return starts[-1][0]

    return map_sizes(c.solver.zonk(start), loose), starts


def changing(c: Checker, e: ast.Loop, inside: Type, starts: list[tuple[Size, Size]], after: Type) -> list[SizeVar]:
    """Sizes of the state that an iteration changes, as sizes of their own."""
    solver = c.solver
    left: list[tuple[Size, Size]] = []

    def loose(s: Size) -> Size:
        left.append((s, solver.size_meta()))
        return left[-1][1]

    with suppress(Clash):  # which is reported when the types are compared as a whole
        solver.unify(after, map_sizes(solver.zonk(inside), loose))
    first: dict[SizeAtom, Size] = {}
    for unknown, start in starts:
        atom = solver.size(unknown).atom
        if isinstance(atom, SizeMeta) and solver.levels[atom.uid] >= solver.level:
            first.setdefault(atom, solver.size(start))
    found: dict[SizeAtom, None] = {}
    progress = True
    while progress:
        progress = False
        same = {atom: start for atom, start in first.items() if atom not in found}
        for before, then in left:
            atom = solver.size(before).atom
            if atom is not None and atom in same:
                difference = solver.size(solver.size(then).substitute(same)) - same[atom]
                if difference.terms and not _can_vanish(difference, found):
                    found[atom] = None
                    progress = True
    made: list[SizeVar] = []
    for atom in found:
        assert isinstance(atom, SizeMeta)
        why = "a size that changes from iteration to iteration"
        made.append(solver.size_var(atom.name or "k", e.pattern.span, why))
        solver.unify_sizes(Size.of(atom), Size.of(made[-1]))
    return made


def _can_vanish(difference: Size, fixed: dict[SizeAtom, None]) -> bool:
    """Whether some unknown can be chosen so that the difference is zero."""
    return any(isinstance(a, SizeMeta) and a not in fixed and difference.solve_for(a) is not None
               for a in difference.atoms())
