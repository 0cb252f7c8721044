"""What a primitive is: one record of its type, meaning, derivative, grade, sample points and (if it is a line) code.

The records themselves are in `lang.prims`; they register here so that builder and verifier can ask for them by name.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .ir import Atom, AttrValue, Type

if TYPE_CHECKING:
    from .build import Builder

Attrs = dict[str, AttrValue]
Moves = Literal["all", "none", "result", "part", "place"]
"""`all`: operands are read and the result is written. `none`: nothing is, only a shape is asked or given. `result`: the
result is written. `part`: elements of the first operand, as many as the result has, are read, so are the other
operands, and the result is written. `place`: the other operands are read, and the second one's elements are written
into the first one, which becomes the result."""
Infer = Callable[[Sequence[Type], Attrs], Type]
# Elementwise: given arguments, result and which arguments are active (have a derivative that somebody wants), the
# factors d result / d argument, one to each argument: an atom of the result's dtype whose rank is 0 or the result's, or
# None where it is zero by definition. At arguments that are not active it is None too, and nothing is written for them.
Partials = Callable[["Builder", Sequence[Atom], Atom, Sequence[bool]], Sequence["Atom | None"]]
# Given arguments, result, tangents (None is zero) and attributes, the result's tangent.
Jvp = Callable[["Builder", Sequence[Atom], Atom, Sequence["Atom | None"], Attrs], "Atom | None"]
# Given arguments, result, cotangent and attributes, a cotangent to each argument.
Vjp = Callable[["Builder", Sequence[Atom], Atom, Atom, Attrs], Sequence["Atom | None"]]

# Sizes of an array, numbers or formulas: what is computed from them by +, -, * and division by a number stays such.
Shape = Sequence[Any]
# Given the operands' shapes, the result's and attributes, a count of elements.
Count = Callable[[Sequence[Shape], Shape, Attrs], Any]


class PrimTypeError(Exception):
    """An ill-typed use of a primitive in IR: a compiler's mistake, never a user's."""


@dataclass(frozen=True)
class Domain:
    """Where a primitive has its grade, in one of its arguments: strictly between `lo` and `hi`, and away from `apart`.

    At the ends, and at `apart`, its grade is `edge`; where that is empty it is not defined there.
    """

    argument: int = 0
    lo: float = -math.inf
    hi: float = math.inf
    edge: str = ""
    apart: float | None = None
    fix: str = ""
    """What to write instead, or to make sure of, in a message."""


@dataclass(frozen=True)
class Primitive:
    """See the fields; `lang/prims/elementwise.py` shows records.

    Exactly one of these describes the derivative: `partials` (elementwise), `jvp` and `vjp` (both), or `flat=True`
    (derivative zero almost everywhere, or no float result).
    """

    name: str
    infer: Infer
    evaluate: Callable[..., Any]
    """Reference meaning on NumPy values; attributes arrive as keyword arguments. Uses NumPy only when called."""
    numpy: str | None = None
    """The NumPy expression: a template over `{0}`, `{1}` … (the arguments) and attribute names. None where one line
    will not do and the back end has a rule of its own (`codegen/backends/numpy/expressions.py`), which it checks when
    it is imported."""
    elementwise: bool = False
    signature: str | None = None
    """Dad syntax, when programs may use the primitive by its name; the checker's typing rule."""
    partials: Partials | None = None
    jvp: Jvp | None = None
    vjp: Vjp | None = None
    toward: Callable[[Sequence[Atom], Sequence[Atom | None]], tuple[str, tuple[Atom, ...]]] | None = None
    """What forward mode puts in its place, a primitive and its arguments, given arguments and tangents: of several
    results that are as good, it gives that which moves smoothly along the tangents."""
    flat: bool = False
    fails: bool = False
    """May raise a run-time error, so it is never dropped, hoisted or evaluated for lanes that are not taken."""
    commutative: bool = False
    singular: bool = False
    """A partial derivative may be infinite or undefined. It is multiplied with tangents and cotangents by `scaled`, so
    that a zero one stays zero: what is computed before a branch and used in the arm not taken contributes nothing."""
    chooses: tuple[int, ...] = ()
    """Arguments that have no part in the result where their slope is 0, as what `max` does not choose: then nothing of
    a tangent or cotangent goes through, though it be infinite."""
    flops: int | Count | None = None
    """Operations on floats: of each element of the result (a number), or in all. None: one where a float takes part if
    the primitive is elementwise, else none. See `lang/core/cost.py`."""
    moves: Moves = "all"
    """Which elements are read and written."""
    grade: str = "smooth"
    """How smooth it is in its float arguments, jointly, inside its domain. Results that are no floats, and such as are
    constant but where they jump, are `flat`."""
    domain: tuple[Domain, ...] = ()
    mp: Callable[..., Any] | None = None
    """High-precision meaning, over mpmath numbers: given the mpmath module, then the arguments."""
    sample: tuple[tuple[float, float], ...] = ()
    """An interval of interior points to each argument."""
    special: tuple[tuple[float, ...], ...] = ()
    """Special argument tuples, and what their derivative is lies in `doc`."""
    doc: str = ""


PRIMITIVES: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
    if primitive.name in PRIMITIVES:
        raise ValueError(f"primitive {primitive.name} is declared twice")
    both_modes = primitive.jvp is not None and primitive.vjp is not None
    if sum((primitive.partials is not None, both_modes, primitive.flat)) != 1:
        raise ValueError(f"primitive {primitive.name} needs exactly one description of its derivative")
    PRIMITIVES[primitive.name] = primitive
    return primitive
