"""What is known of a value of the IR while it is walked."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..lang.source import Span
from .functions import jumps
from .lattice import RANK, Grade, Grades
from .report import Step
from .terms import And, Compare, Cond, Not, Or, Term, Unknown, apply, compare, conj, disj, negate, select, whole

MATRICES = ("spectrum", "cholesky")
"""What is made of a matrix, and known of it as a whole alone: `Value.origin`."""


@dataclass(slots=True, eq=False)
class Value:
    """One atom of the IR.

    `grades`: its grade in each root that it depends on. `steps`: for each of these, the chain back to the root.
    `term`: what it is as a formula. Of an array it is the formula of an element, the same one for all: it speaks of
    *cells*, atoms that stand for the element, at the same place, of arrays of that shape.
    """

    grades: Grades = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)
    term: Term | None = None
    cond: Cond | None = None
    """Of a boolean in place of the term."""
    under: Grades = field(default_factory=dict)
    """Of a boolean: the grades of what is compared."""
    shape: tuple[Value, ...] | None = None
    """Of an array: the numbers of its elements along each axis; None where they are not known."""
    rows: tuple[Value, ...] | None = None
    """Of a short array that is written out: its rows."""
    squares: Grades | None = None
    """Of a sum of squares: the grades of what is squared."""
    finite: bool = False
    """It is held fixed, and is the value of something continuous."""
    some: bool = False
    """Of a sum: it is positive unless there is nothing to add up, and then no root moves it."""
    origin: tuple[str, Value] | None = None
    """Of whole numbers: `sorting`, `maximum` or `minimum`, if they are places of elements of that array. Of what is
    made of a matrix: one of MATRICES, and the matrix."""
    held: Grades = field(default_factory=dict)
    """What would move it were it not held fixed; of what a search has found: what moves the place where it starts."""
    call: tuple[str, tuple[Value, ...], int] | None = None
    """Of a result of a recursive function: the function, what was passed, which result it is."""

    @property
    def active(self) -> bool:
        return bool(self.grades)


def chains(grades: Grades, of: Iterable[Value], span: Span | None, what: str, named: bool) -> dict[str, Step]:
    """Chains of a value with these grades that is made of others: a new link where it has a name or is worse."""
    if not grades:
        return {}
    found: dict[str, Step] = {}
    sources = [v for v in of if v.steps]
    for root, grade in grades.items():
        before: Step | None = None
        for v in sources:
            step = v.steps.get(root)
            if step is not None and (before is None or weight(step.grade) > weight(before.grade)):
                before = step
        found[root] = before if before is not None and not named and before.grade == grade \
            else Step(span, what, grade, before)
    return found


def weight(grade: Grade) -> int:
    """How much a grade is to blame for a bad one."""
    return RANK["jump"] if grade == "flat" else RANK[grade]


def closure(cond: Cond, continuous: bool = False) -> Cond:
    """What holds where the condition does and at the edge of that; nothing, where what is compared may jump, unless it
    is known to be `continuous`."""
    match cond:
        case Compare(_, a, b) if not continuous and jumps(a, b):
            return And(())
        case Compare("<", a, b) if whole(a) and whole(b):
            return cond  # whole numbers do not come closer
        case Compare("<", a, b):
            return compare("<=", a, b)
        case Compare("<=" | "==" | "!=", _, _):
            # Whether what is behind `x != 0` goes on at 0 is the prover's question.
            return cond
        case And(parts):
            return conj(*(closure(p, continuous) for p in parts))
        case Or(parts):
            return disj(*(closure(p, continuous) for p in parts))
        case _:
            return And(())


def replaced(term: Term, by: Mapping[Term, Term], known: dict[Term, Term] | None = None) -> Term:
    """The term with other atoms."""
    if known is None:
        known = {}
    found = by.get(term) or known.get(term)
    if found is not None:
        return found
    if term.cond is not None:
        made = select(replaced_in(term.cond, by, known), replaced(term.args[0], by, known),
                      replaced(term.args[1], by, known))
    elif term.args:
        args = [replaced(a, by, known) for a in term.args]
        made = term if all(a is b for a, b in zip(args, term.args, strict=True)) else apply(term.op, args)
    else:
        made = term
    known[term] = made
    return made


def replaced_in(cond: Cond, by: Mapping[Term, Term], known: dict[Term, Term] | None = None) -> Cond:
    """The condition with other atoms."""
    if known is None:
        known = {}
    match cond:
        case Compare(op, a, b):
            return compare(op, replaced(a, by, known), replaced(b, by, known))
        case And(parts):
            return conj(*(replaced_in(p, by, known) for p in parts))
        case Or(parts):
            return disj(*(replaced_in(p, by, known) for p in parts))
        case Not(part):
            return negate(replaced_in(part, by, known))
        case Unknown(key, of):
            return Unknown(key, tuple(replaced(t, by, known) for t in of))


ORDERS: dict[Grade, float] = {"none": 99, "affine": 99, "smooth": 99, "lip": 0.5, "cont": 0}


def order(grades: Grades) -> float:
    """Up to which derivative a value with these grades is continuous, and 1/2 more if it has no infinite slopes; -1
    where it may jump itself."""
    return min((ORDERS[g] if g in ORDERS else int(g[1]) + (len(g) - 2) / 2 if g[0] == "C" else -1
                for g in grades.values()), default=99)
