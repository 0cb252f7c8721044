"""Equations between types and sizes that wait until more is known."""
from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import suppress
from typing import TYPE_CHECKING

from ..lang.sizes import Size, SizeAtom, SizeMeta
from ..lang.types import UNIT, Array, Derived, Error, Meta, Type
from .clashes import Clash, Constraint, Kind, TypeClash

if TYPE_CHECKING:
    from .unify import Solver


class DerivedEquation(Constraint):
    """A type worked out from others, `tangent a`, equals a type; waits until these are known."""

    def __init__(self, solver: Solver, one: Type, other: Type) -> None:
        self.solver, self.one, self.other, self.context = solver, one, other, solver.context

    def attempt(self) -> bool:
        one, other = self.solver.prune(self.one), self.solver.prune(self.other)
        if isinstance(one, Derived) or isinstance(other, Derived):
            return self.solver.zonk(one) == self.solver.zonk(other)
        self._equate(one, other)
        return True

    def blockers(self) -> Iterator[int]:
        yield from self.solver.unknowns(self.one)
        yield from self.solver.unknowns(self.other)

    def default(self) -> bool:
        """Where only the tangent is known and consists of floats, the value has its type."""
        one, other = self.solver.prune(self.one), self.solver.prune(self.other)
        for derived, known in ((one, other), (other, one)):
            if isinstance(derived, Derived) and known == UNIT and isinstance(derived.of[-1], Meta):
                number = self.solver.prune(derived.of[-1])
                if self.solver.require(number, Kind("int")) is None:
                    return True  # a number without tangent
        if isinstance(one, Derived) and one.function == "tangent":
            (one,) = one.of
        if isinstance(other, Derived) and other.function == "tangent":
            (other,) = other.of
        if isinstance(one, Derived) or isinstance(other, Derived):
            return False  # of what something is a derivative cannot be seen
        self._equate(one, other)
        return True

    def give_up(self) -> None:
        self.solver.complain(TypeClash(self.one, self.other), self.one, self.other, self.context)

    def _equate(self, one: Type, other: Type) -> None:
        try:
            self.solver.unify(one, other, self.context)
        except Clash as clash:
            self.solver.complain(clash, one, other, self.context)


class SizeEquation(Constraint):
    """Two sizes are equal; waits until an unknown can be solved for."""

    def __init__(self, solver: Solver, found: Size, expected: Size) -> None:
        self.solver, self.found, self.expected, self.context = solver, found, expected, solver.context

    def attempt(self) -> bool:
        try:
            return self.solver.unify_sizes(self.found, self.expected)
        except Clash as clash:
            self.solver.complain(clash, Array(self.found, Error()), Array(self.expected, Error()), self.context)
            return True

    def blockers(self) -> Iterator[int]:
        for s in (self.found, self.expected):
            for atom in self.solver.size(s).atoms():
                if isinstance(atom, SizeMeta):
                    yield atom.uid

    def default(self) -> bool:
        """A product of two unknowns is taken apart as the type writes it: `[n*m]` into n and m."""
        solver = self.solver
        for left, right in ((self.found, self.expected), (self.expected, self.found)):
            first, known = two_unknowns(left) or two_unknowns(solver.size(left)), solver.size(right)
            if first is None:
                pairs = list(in_step(solver.size(left), known))
                if len(pairs) < 2:
                    continue
                try:
                    for factor, other in pairs:
                        solver.unify_sizes(factor, other)
                except Clash:
                    return False
                return True
            second, root = two_unknowns(known), square_root(known)
            if root is not None:
                factors = (root, root)
            elif right.written is not None and right.written[0] == "*":
                factors = right.written[1:]
            elif second is not None:
                factors = (Size.of(second[0]), Size.of(second[1]))
            else:
                continue
            try:
                for atom, factor in zip(first, factors, strict=True):
                    solver.unify_sizes(Size.of(atom), factor)
            except Clash:
                return False
            return True
        return False

    def give_up(self) -> None:
        self.solver.unsolved(self.solver.size(self.found), self.solver.size(self.expected), self.context)


def in_step(one: Size, other: Size) -> Iterator[tuple[Size, Size]]:
    """The factors of two products that are written alike, `n*(m*k)` and `p*(q*r)`."""
    if one.written is None or other.written is None or not one.written[0] == other.written[0] == "*":
        yield one, other
        return
    for left, right in zip(one.written[1:], other.written[1:], strict=True):
        yield from in_step(left, right)


def two_unknowns(s: Size) -> tuple[SizeMeta, SizeMeta] | None:
    """The factors of a size that is the product of two unknowns."""
    match s.terms:
        case (((SizeMeta() as one, SizeMeta() as other), 1),):
            return one, other
    return None


def square_root(s: Size) -> Size | None:
    """n, when the size is n*n."""
    match s.terms:
        case (((one, other), 1),) if one == other:
            return Size.of(one)
    return None


class SizeClaim(Constraint):
    """`e :> t`: a size of `e` that nothing else determines is the one that `t` claims.

    So `unflatten (flatten xs) :> [n][m]f64` takes the product apart as it says; any other size is compared at run time.
    """

    def __init__(self, solver: Solver, found: Size, claimed: Size, anonymous: Set[SizeAtom]) -> None:
        self.solver, self.found, self.claimed, self.anonymous = solver, found, claimed, anonymous

    def attempt(self) -> bool:
        return not any(True for _ in self.blockers())

    def blockers(self) -> Iterator[int]:
        for atom in self.solver.size(self.found).atoms():
            if isinstance(atom, SizeMeta):
                yield atom.uid

    def default(self) -> bool:
        atom = self.solver.size(self.found).atom
        if isinstance(atom, SizeMeta) and atom not in self.anonymous:
            with suppress(Clash):
                self.solver.unify_sizes(self.found, self.claimed)
        return True
