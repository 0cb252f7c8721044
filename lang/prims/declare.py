"""How elementwise primitives are declared: a line to each, from slopes.

Each derivative is a `partials` rule: from arguments and result to the factor of each active argument, written so that
no intermediate overflows where the derivative is finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.ir import Atom
from ..core.primitive import Domain, Partials, Primitive, register
from . import special as special_functions
from .common import Evaluate, number, one, same_dtype

if TYPE_CHECKING:
    from ..core.build import Builder

NUMBERS = ir.FLOATS + ir.INTEGERS
Interval = tuple[float, float]
Slope = Callable[["Builder", Atom, Atom], Atom]
Slope3 = Callable[["Builder", Atom, Atom, Atom], "Atom | None"]
ANY: Interval = (-4.0, 4.0)
POSITIVE: Interval = (0.1, 5.0)
ELEMENTARY = 10
"""What exp, log, sin, pow … count, in operations on floats."""
SPECIAL = 50
"""What erf, lgamma … count."""


def ufunc(name: str) -> Evaluate:
    """The NumPy function of this name, looked up when called; for bool results and scalars too."""

    def evaluate(*args: Any) -> Any:
        import numpy as np

        with np.errstate(all="ignore"):
            return getattr(np, name)(*args)

    return evaluate


def each(function: Callable[[float], float]) -> Evaluate:
    return lambda x: special_functions.each(function, x)


def lazily(rules: Sequence[Callable[[Builder, Sequence[Atom], Atom], Atom | None]]) -> Partials:
    """A partials rule from one rule to an argument, run only when that argument is active."""

    def partials(b: Builder, args: Sequence[Atom], result: Atom, active: Sequence[bool]) -> Sequence[Atom | None]:
        return [rule(b, args, result) if wanted else None for rule, wanted in zip(rules, active, strict=True)]

    return partials


def unary(
    name: str,
    slope: Slope | None,
    mp: Callable[..., Any],
    *,
    evaluate: Evaluate | None = None,
    numpy: str | None = None,
    grade: str = "smooth",
    domain: Domain | None = None,
    sample: Interval = ANY,
    special: Sequence[float] = (),
    doc: str = "",
    dtypes: Sequence[str] = ir.FLOATS,
    kind: str = "float",
    singular: bool = False,
    visible: bool = True,
    flops: int = ELEMENTARY,
) -> Primitive:
    """A function of one number, from its slope (given argument and result; None: zero almost everywhere).

    Without `numpy` it is NumPy's function of the same name. Programs may name it if it is `visible`.
    """
    return register(
        Primitive(
            name,
            same_dtype(1, dtypes),
            evaluate or ufunc(name),
            numpy or f"np.{name}({{0}})",
            elementwise=True,
            signature=f"'a: {kind} (x: a) : a" if visible else None,
            flat=slope is None,
            grade=grade,
            domain=() if domain is None else (domain,),
            mp=mp,
            sample=(sample,),
            partials=None if slope is None else lazily([lambda b, args, y: slope(b, args[0], y)]),
            special=tuple((x,) for x in special),
            doc=doc,
            singular=singular,
            flops=flops,
        )
    )


def binary(
    name: str,
    dx: Slope3,
    dy: Slope3,
    mp: Callable[..., Any],
    *,
    numpy: str | None,
    evaluate: Evaluate | None = None,
    grade: str = "smooth",
    domain: Sequence[Domain] = (),
    sample: tuple[Interval, Interval] = (ANY, ANY),
    special: Sequence[tuple[float, float]] = (),
    doc: str = "",
    dtypes: Sequence[str] = ir.FLOATS,
    kind: str | None = "float",
    commutative: bool = False,
    singular: bool = False,
    chooses: tuple[int, ...] = (),
    flops: int = 1,
) -> Primitive:
    """A function of two numbers of one type; `dx`, `dy`: given both and the result, the partial derivatives.

    `numpy` is the template, or None where the back end has a rule of its own.
    """
    return register(
        Primitive(
            name,
            same_dtype(2, dtypes),
            evaluate or ufunc(name),
            numpy,
            elementwise=True,
            signature=f"'a: {kind} (x: a) (y: a) : a" if kind else None,
            grade=grade,
            domain=tuple(domain),
            mp=mp,
            sample=sample,
            partials=lazily(
                [lambda b, args, r: dx(b, args[0], args[1], r), lambda b, args, r: dy(b, args[0], args[1], r)]
            ),
            special=tuple(special),
            doc=doc,
            commutative=commutative,
            singular=singular,
            chooses=chooses,
            flops=flops,
        )
    )


def divide_number(b: Builder, value: float, x: Atom) -> Atom:
    return b.div(number(value, x), x)


def plus(b: Builder, x: Atom, value: float) -> Atom:
    return b.add(x, number(value, x))


def from_one(b: Builder, x: Atom) -> Atom:
    """1 - x"""
    return b.sub(one(x), x)
