"""Which sizes of a loop's state change from iteration to iteration.

While the body is checked, every axis of the state has an unknown size, so that what the body asks of it is found out.
Then the sizes that an iteration leaves say which are as at the start and which are not. The latter become sizes of
their own, read off the state at each iteration; the loop opens them in its result.
"""
from __future__ import annotations

from contextlib import suppress

from ..lang.record import dataclass
from ..lang.sizes import Size, SizeAtom, SizeMeta, SizeVar
from ..lang.surface import ast
from ..lang.types import Derived, Fun, Meta, Type, map_type
from .clashes import Clash
from .context import Checker, map_sizes
from .guesses import same_size


@dataclass(eq=False)
class Loosened:
    """The state's type inside the loop; its unknown sizes and types with what they are at the start."""

    type: Type
    sizes: list[tuple[Size, Size]]
    types: list[tuple[Type, Type]]


def loosened(c: Checker, start: Type) -> Loosened:
    """The state's type with unknown sizes; in place of unknown types, which may turn out to be arrays, other ones."""
    solver = c.solver
    sizes: list[tuple[Size, Size]] = []
    types: dict[Type, Type] = {}

    def loose(s: Size) -> Size:
        names = [a for a in s.atoms() if isinstance(a, SizeVar)]
        sizes.append((solver.size_meta(names[0].name if len(names) == 1 else ""), s))
        return sizes[-1][0]

    def leaf(t: Type) -> Type | None:
        if isinstance(t, Meta) and t.uid not in solver.kinds:
            return types.setdefault(t, solver.meta())
        return t if isinstance(t, (Fun, Derived)) else None

    made = map_type(solver.zonk(start), leaf, loose)
    return Loosened(made, sizes, [(new, old) for old, new in types.items()])


def changing(c: Checker, e: ast.Loop, state: Loosened, after: Type) -> list[SizeVar]:
    """Sizes of the state that an iteration changes, as sizes of their own."""
    solver, inside, starts = c.solver, state.type, list(state.sizes)

    def first_size(s: Size) -> Size:
        solver.level -= 1
        starts.append((s, solver.size_meta()))
        solver.level += 1
        return starts[-1][1]

    for new, old in state.types:
        with suppress(Clash):
            solver.unify(old, map_sizes(solver.zonk(new), first_size))
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
    before_it = {a for pair in starts for s in pair for a in solver.size(s).atoms()}
    found: dict[SizeAtom, None] = {}
    progress = True
    while progress:
        progress = False
        same = {atom: start for atom, start in first.items() if atom not in found}
        for before, then in left:
            atom = solver.size(before).atom
            if atom is not None and atom in same:
                difference = solver.size(solver.size(then).substitute(same)) - same[atom]
                if difference.terms and not _can_vanish(c, difference, before_it) and not same_size(c, difference):
                    found[atom] = None
                    progress = True
    made: list[SizeVar] = []
    for atom in found:
        assert isinstance(atom, SizeMeta)
        why = "a size that changes from iteration to iteration"
        made.append(solver.size_var(atom.name or "k", e.pattern.span, why))
        solver.unify_sizes(Size.of(atom), Size.of(made[-1]))
    return made


def _can_vanish(c: Checker, difference: Size, fixed: set[SizeAtom]) -> bool:
    """Whether some unknown, none of the state before, can be chosen so that the difference is zero."""
    levels = c.solver.levels
    for a in difference.atoms():
        if isinstance(a, SizeMeta) and a not in fixed and a not in c.anonymous:
            solution = difference.solve_for(a)
            if solution is not None and not any(isinstance(x, SizeVar) and levels.get(x.uid, 0) > levels[a.uid]
                                                for x in solution.atoms()):
                return True
    return False
