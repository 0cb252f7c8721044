"""Sum types that are not known yet: an unknown collects the constructors that are used with it until an annotation says
which sum is meant.

`#some x` alone has such an unknown as its type: a sum that has at least `#some`. Two unknowns that meet have the
constructors of both; one that meets a sum must find all its constructors there, with payloads that unify.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..lang.record import dataclass
from ..lang.source import Span
from ..lang.types import Error, Meta, Sum, Type
from .clashes import Clash

if TYPE_CHECKING:
    from ..lang.sizes import Size
    from .context import Checker
    from .unify import Solver

Pairs = list[tuple["Size", "Size"]]


@dataclass(frozen=True, eq=False)
class Variants:
    """What is known of an unknown sum: payloads by constructor, and where it was met first."""

    constructors: Mapping[str, tuple[Type, ...]]
    because: Span


@dataclass(eq=False)
class NoConstructor(Clash):
    """`sum` has no constructor `name`; `flipped` when the sum is what was expected."""

    name: str
    sum: Type
    flipped: bool


@dataclass(eq=False)
class Payload(Clash):
    """The constructor `name` holds `wanted` values, not `given`."""

    name: str
    given: int
    wanted: int
    sum: Type


def open_sum(solver: Solver, name: str, payload: tuple[Type, ...], because: Span) -> Meta:
    """A sum that has at least this constructor."""
    made = solver.meta()
    solver.variants[made.uid] = Variants({name: payload}, because)
    return made


def join(solver: Solver, mine: Variants, other: Meta, flipped: bool, pairs: Pairs) -> None:
    """`other`, an unknown, gets the constructors of `mine`; both have the same payloads."""
    theirs = solver.variants.get(other.uid)
    if theirs is None:
        solver.variants[other.uid] = mine
        return
    solver.variants[other.uid] = Variants({**mine.constructors, **theirs.constructors}, theirs.because)
    for name, payload in mine.constructors.items():
        if name in theirs.constructors:
            _unify_payload(solver, name, payload, theirs.constructors[name], other, flipped, pairs)


def meet(solver: Solver, mine: Variants, known: Sum, flipped: bool, pairs: Pairs) -> None:
    """The unknown turns out to be `known`."""
    payloads = dict(known.constructors)
    for name, payload in mine.constructors.items():
        if name not in payloads:
            raise NoConstructor(name, known, flipped)
        _unify_payload(solver, name, payload, payloads[name], known, flipped, pairs)


def _unify_payload(solver: Solver, name: str, mine: tuple[Type, ...], theirs: tuple[Type, ...], whole: Type,
                   flipped: bool, pairs: Pairs) -> None:
    if len(mine) != len(theirs):
        raise Payload(name, len(mine), len(theirs), whole)
    for one, other in zip(mine, theirs, strict=True):
        if flipped:
            solver.unify_parts(one, other, pairs)
        else:
            solver.unify_parts(other, one, pairs)


def undetermined(c: Checker, unknown: Meta) -> None:
    """Nothing says which sum is meant: reported once."""
    variants = c.solver.variants[unknown.uid]
    c.solver.types[unknown.uid] = Error()
    if c.failed:
        return
    names = ", ".join(f"`#{name}`" for name in sorted(variants.constructors))
    plural = "s" if len(variants.constructors) > 1 else ""
    c.error("E241", "nothing says which sum type this is", variants.because,
            f"a sum type with the constructor{plural} {names}",
            help="write its type, such as `(x: #some i64 | #none)`, or give the sum a name with `type`")
