"""What can go wrong between two types, what is known of an unknown, and what waits until more is known."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from ..lang.record import dataclass
from ..lang.sizes import Size
from ..lang.source import Span
from ..lang.types import FLOATS, INTEGERS, SCALARS, Type, TypeVar


@dataclass(eq=False)
class Kind:
    """What is known of an unknown scalar: `scalar` (any, bool included), `ordered` (the same, but rather a number),
    `num`, `bits` (integer or bool), `int` or `float`.

    `literal` is set when it stands for a literal, so that it becomes i64 (f64 when `float`) if nothing else is known.
    """

    cls: str
    literal: bool = False
    because: Span | None = None


MEMBERS: dict[str, frozenset[str]] = {
    "scalar": SCALARS, "ordered": SCALARS, "num": FLOATS | INTEGERS, "bits": INTEGERS | {"bool"}, "int": INTEGERS,
    "float": FLOATS,
}

CONSTRAINTS: dict[str, frozenset[str]] = {name: MEMBERS[name] for name in ("num", "int", "float")}
"""What a type parameter may be constrained to, and which types that lets callers choose."""


class Clash(Exception):
    """Two types that do not unify; the subclasses say in which way, `found` and `expected` where."""


@dataclass(eq=False)
class TypeClash(Clash):
    found: Type
    expected: Type


@dataclass(eq=False)
class KindClash(Clash):
    """A type that is not among what `kind` allows; `flipped` when the type is the expected one."""

    type: Type
    kind: Kind
    flipped: bool

    __match_args__ = ("type", "kind")


@dataclass(eq=False)
class SizeClash(Clash):
    found: Size
    expected: Size


@dataclass(eq=False)
class TypeEscape(Clash):
    """A type parameter of a local function, which something outside of the function would have to be."""

    var: TypeVar

    __match_args__ = ("var",)


@dataclass(eq=False)
class Escape(Clash):
    """`size` is known only in an inner scope and would have to be known outside."""

    size: Size


@dataclass(eq=False)
class Occurs(Clash):
    found: Type
    expected: Type


MAX_TYPE = 20_000
"""Parts of the largest type; pairs of pairs of pairs … grow past every memory otherwise."""
MAX_NESTING = 256
"""How deeply the parts of a type may stand in each other: what walks over types recurses."""


@dataclass(eq=False)
class TooLarge(Clash):
    """A type of more than `MAX_TYPE` parts."""


class OversizedType(Exception):
    """As `TooLarge`, reported already: the rest of the definition is not looked at."""


class Constraint(ABC):
    """Something to be solved when more is known."""

    @abstractmethod
    def attempt(self) -> bool:
        """Solve and return True, or return False when it must wait (errors are reported and count as solved)."""

    @abstractmethod
    def blockers(self) -> Iterator[int]:
        """The unknowns whose solution may help."""

    def default(self) -> bool:
        """Decide without further knowledge; False when that is not possible."""
        return False

    def give_up(self) -> None:  # noqa: B027  (most constraints have a default and never get here)
        """Report that this was never decided."""
