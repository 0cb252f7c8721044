"""Terms and conditions written with Python's operators, for tests of the prover."""
from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from dad.grades import terms
from dad.grades.facts import NO_FACTS, Facts
from dad.grades.prove import Verdict, across
from dad.grades.terms import Cond, Term

Like: TypeAlias = "F | int | float | Fraction"


class F:
    """A term."""

    def __init__(self, term: Term) -> None:
        self.term = term

    def __add__(self, other: Like) -> F:
        return op("add", self, other)

    def __radd__(self, other: Like) -> F:
        return op("add", other, self)

    def __sub__(self, other: Like) -> F:
        return op("sub", self, other)

    def __rsub__(self, other: Like) -> F:
        return op("sub", other, self)

    def __mul__(self, other: Like) -> F:
        return op("mul", self, other)

    def __rmul__(self, other: Like) -> F:
        return op("mul", other, self)

    def __truediv__(self, other: Like) -> F:
        return op("div", self, other)

    def __rtruediv__(self, other: Like) -> F:
        return op("div", other, self)

    def __pow__(self, other: Like) -> F:
        return op("pow", self, other)

    def __neg__(self) -> F:
        return op("neg", self)

    def __lt__(self, other: Like) -> Cond:
        return terms.compare("<", self.term, term(other))

    def __le__(self, other: Like) -> Cond:
        return terms.compare("<=", self.term, term(other))

    def __gt__(self, other: Like) -> Cond:
        return terms.compare(">", self.term, term(other))

    def __ge__(self, other: Like) -> Cond:
        return terms.compare(">=", self.term, term(other))

    def eq(self, other: Like) -> Cond:
        return terms.compare("==", self.term, term(other))

    def ne(self, other: Like) -> Cond:
        return terms.compare("!=", self.term, term(other))


def term(value: Like) -> Term:
    if isinstance(value, F):
        return value.term
    assert isinstance(value, int | float | Fraction)
    return terms.number(value)


def op(name: str, *args: Like) -> F:
    return F(terms.apply(name, [term(a) for a in args]))


def iff(cond: Cond, then: Like, orelse: Like) -> F:
    return F(terms.select(cond, term(then), term(orelse)))


def atom(name: str) -> F:
    return F(terms.atom(name, name))


def both(*parts: Cond) -> Cond:
    return terms.conj(*parts)


def either(*parts: Cond) -> Cond:
    return terms.disj(*parts)


PI = F(terms.PI)


def graded(cond: Cond, then: Like | tuple[Like, ...], orelse: Like | tuple[Like, ...], *given: Cond,
           fixed: str = "") -> Verdict:
    """The verdict of `if cond then … else …`, where `given` holds and the atoms named in `fixed` do not move."""
    facts: Facts = NO_FACTS
    for each in given:
        facts = facts.assume(each)
    pair = [[term(a) for a in (arm if isinstance(arm, tuple) else (arm,))] for arm in (then, orelse)]
    held = set(fixed.split())
    return across(cond, pair[0], pair[1], facts, lambda a: a.name not in held)
