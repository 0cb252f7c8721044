"""What is known of values before a program runs: the sizes of arrays, and whole numbers, as formulas.

Where a size or number depends on data, a *symbol* stands for it: a variable of formulas with a kind, a place in the
source and words for what it is. `Watch` says how the interpreter that counts finds the value of each symbol.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ...lang.core import ir
from ...lang.core.part import described
from ...lang.formulas import Formula
from ...lang.sizes import Monomial, SizeVar
from ...lang.source import Span

Kind = Literal["size", "value", "trips", "branch", "calls", "total"]
LETTERS: dict[Kind, str] = {"size": "s", "value": "v", "trips": "k", "branch": "b", "calls": "c", "total": "t"}

POSITION = SizeVar("position", -2)
"""In the `value` of an array: the place of the element."""


@dataclass(frozen=True, slots=True)
class Abstract:
    """`shape`; of an i64 or bool scalar its number (truth is 1), of a vector of them element number `POSITION`."""

    shape: tuple[Formula, ...] = ()
    value: Formula | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cost arises: a line of a file, and which part of a derivative."""

    file: str
    line: int
    part: str
    text: str = ""

    @staticmethod
    def of(span: Span | None) -> Place:
        if span is None or span.source.shipped:
            return Place("", 0, described(span))
        return Place(span.source.name, span.line, described(span), span.source.line(span.line).strip())


Metric = Literal["flops", "bytes", "saved"]
Cost = dict[tuple[Metric, Place], Formula]


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """`most`: what its value is at most, where something is known of that."""

    var: SizeVar
    kind: Kind
    span: Span | None
    most: Formula | None = None
    what: str = ""


Key = tuple[str, ir.Var | int]
"""A statement: its function, and `first` of it."""


OUTSIDE = ir.Var(0, "", ir.I64)
"""Stands for what calls a function from outside that has no parameters."""


def first(stmt: ir.Stmt) -> ir.Var | int:
    """The first variable that a statement binds; for one that binds none, a number that no other has."""
    return stmt.vars[0] if stmt.vars else id(stmt)


@dataclass
class Watch:
    """How to find the values of symbols in a run."""

    bound: dict[Key, list[tuple[int | None, SizeVar]]] = field(default_factory=dict)
    """Of a variable: its number (None), or the length of an axis."""
    totals: dict[Key, list[tuple[SizeVar, Monomial, bool]]] = field(default_factory=dict)
    """Of a map, fold or loop: sums over its iterations (or, True, over the tests of its condition) of products."""
    indices: dict[Key, list[SizeVar]] = field(default_factory=dict)
    """Of a map, fold or loop: numbers of the iteration."""
    ends: dict[tuple[str, ir.Var | int | None], list[tuple[SizeVar, Formula]]] = field(default_factory=dict)
    """Of an iteration, or (None) of a call of a function: what formulas are worth at its end."""
    calls: dict[Key, list[tuple[SizeVar, SizeVar]]] = field(default_factory=dict)
    """Of a call: symbols here, and those of the function called that they are."""
    families: dict[Key, list[tuple[SizeVar, str, Monomial]]] = field(default_factory=dict)
    """Of a call of a recursive function: sums over all calls of a function that follow from it."""
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    """The functions that a recursive function may lead back from."""


Kept = Mapping[Key, Sequence[tuple[ir.Var, Span | None]]]
"""Of the mark before a reverse sweep: the values that are kept for it, and where they come from."""


def known(*parts: Formula | None) -> Sequence[Formula] | None:
    """All of them, if all are known."""
    found = [p for p in parts if p is not None]
    return found if len(found) == len(parts) else None
