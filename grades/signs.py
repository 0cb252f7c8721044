"""Signs of terms at a glance: as they are written, before their normal form is asked for."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .terms import Term, few

if TYPE_CHECKING:
    from .facts import Facts

SMALL = 25


def nonnegative(facts: Facts, term: Term) -> bool:
    """Whether a term is shown to be >= 0: at a glance, or where it is short."""
    return glance(facts, term, True, {}) or (few(term, SMALL) and facts.nonnegative(term))


def positive(facts: Facts, term: Term) -> bool:
    """Whether a term is shown to be > 0, in the same way."""
    return glance(facts, term, False, {}) or (few(term, SMALL) and facts.positive(term))


def glance(facts: Facts, t: Term, zero: bool, known: dict[tuple[Term, bool], bool], depth: int = 12) -> bool:
    """Whether a term is > 0, or (`zero`) >= 0, as it is written."""
    if depth == 0:
        return False
    found = known.get((t, zero))
    if found is None:
        found = known[t, zero] = _glance(facts, t, zero, known, depth)
    return found


def _glance(facts: Facts, t: Term, zero: bool, known: dict[tuple[Term, bool], bool], depth: int) -> bool:
    def of(part: Term, zero: bool = zero) -> bool:
        return glance(facts, part, zero, known, depth - 1)

    match t.op, t.args:
        case "number", _:
            return t.value >= 0 if zero else t.value > 0
        case "constant" | "exp" | "exp2" | "cosh" | "sigmoid" | "softplus", _:
            return True
        case "atom", _:
            i = facts.interval(t)
            return i.nonnegative if zero else i.positive
        case "add", (a, b):
            return of(a, True) and of(b, True) and (zero or of(a) or of(b))
        case ("mul" | "scaled"), (a, b):
            return (zero and a is b) or (of(a) and of(b))
        case ("div" | "max"), (a, b):
            return (of(a) and of(b)) if t.op == "div" else of(a) or of(b)
        case ("min" | "select"), (a, b):
            return of(a) and of(b)
        case "abs", _:
            return zero
        case "sqrt", (a,):
            return zero or of(a)
        case "pow", (a, Term(op="number", value=p)):
            return (zero and p >= 0 and p % 2 == 0) or of(a)
    return False
