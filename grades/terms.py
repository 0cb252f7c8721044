"""Formulas over the real numbers, as the prover of branches reads them.

Comes in: the primitives of the IR, applied by the walker to what it knows of their arguments. Goes out: terms, which
are made once and compared by identity, and conditions over them. A term is an expression over *atoms*: roots, and
whatever the walker cannot look into (elements that are gathered, results of loops). To the prover an atom is an
independent variable, so what it shows holds whatever function of the roots the atom is.

Numbers are exact. A literal means the decimal that it is written as, the shortest one that reads back as the same
double: 0.1 is 1/10. The doubles nearest to pi and e, which programs get as `f64.pi` and `f64.e`, mean pi and e: grades
speak of real arithmetic.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ..lang.record import dataclass
from .effort import Effort

Operator = Literal["<", "<=", "==", "!="]


class Term:
    """A number, an atom, or a primitive applied to terms. Made by `number`, `atom`, `apply` and `select` alone."""

    __slots__ = ("args", "atoms", "cond", "id", "inside", "integer", "jumps", "name", "op", "size", "value", "whole")

    id: int
    op: str
    """`number`, `atom`, `constant` (pi, e), `nonfinite`, `select`, or the name of a primitive."""
    args: tuple[Term, ...]
    value: Fraction
    """Of a number."""
    name: str
    """Of an atom or constant: what messages call it."""
    integer: bool
    """Of an atom: it is a whole number."""
    cond: Cond | None
    """Of a `select`."""
    inside: tuple[Term, ...]
    """The arguments, and what the condition compares."""
    atoms: frozenset[Term] | None
    """The atoms that occur in it, once somebody has asked."""
    jumps: bool | None
    """Whether some part of it may jump, likewise."""
    size: int
    """How long it is when it is written out: parts that occur twice count twice."""
    whole: bool
    """Whether it is a whole number, as far as one can see."""

    def __repr__(self) -> str:
        return f"<{show(self)}>"


@dataclass(frozen=True)
class Compare:
    """a op b."""

    op: Operator
    a: Term
    b: Term

    def __repr__(self) -> str:
        return f"<{show_condition(self)}>"


@dataclass(frozen=True)
class And:
    parts: tuple[Cond, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Cond, ...]


@dataclass(frozen=True)
class Not:
    part: Cond


@dataclass(frozen=True)
class Unknown:
    """A truth value that is no comparison. It may change with the terms in `of`."""

    key: Hashable
    of: tuple[Term, ...] = ()


Cond = Compare | And | Or | Not | Unknown

NONE: frozenset[Term] = frozenset()
TRUE: Cond = And(())
FALSE: Cond = Or(())

_terms: dict[Hashable, Term] = {}
LONG = 2500
"""Bits of a number: more than those of any double."""
VAST = 10**9
"""No term counts as longer than this."""
SHOWN = 150
"""How much of a term is written out in messages."""
CONDITIONS = 60
"""Comparisons of one condition; those of longer ones are not looked at."""


def _make(key: Hashable, op: str, args: tuple[Term, ...] = (), value: Fraction | None = None, name: str = "",
          integer: bool = False, cond: Cond | None = None) -> Term:
    found = _terms.get(key)
    if found is None:
        found = Term()
        found.id, found.op, found.args, found.cond = len(_terms), op, args, cond
        found.name, found.integer = name, integer
        found.inside = args if cond is None else (*args, *compared(cond))
        found.atoms = found.jumps = None
        found.size = min(1 + sum(a.size for a in args) + (length(cond) if cond is not None else 0), VAST)
        if value is not None:
            found.value = value
        match op:
            case "number":
                found.whole = found.value.denominator == 1
            case "add" | "sub" | "mul" | "neg" | "max" | "min" | "select":
                found.whole = all(a.whole for a in args)
            case _:
                found.whole = integer if op == "atom" else op in ("floor", "ceil", "trunc", "round", "sign")
        _terms[key] = found
    return found


def _of_fraction(value: Fraction) -> Term:
    return _make(("number", value), "number", value=value)


ZERO, ONE = _of_fraction(Fraction(0)), _of_fraction(Fraction(1))
PI, E = _make(("constant", "pi"), "constant", name="pi"), _make(("constant", "e"), "constant", name="e")


def number(value: Fraction | float) -> Term:
    """A constant. A double means the shortest decimal that reads as it; pi and e are themselves."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return _make(("nonfinite", repr(value)), "nonfinite", name=repr(value))
        if abs(value) == math.pi:
            return PI if value > 0 else apply("neg", (PI,))
        if value == math.e:
            return E
        value = Fraction(Decimal(repr(value)))
    return _of_fraction(Fraction(value))


def atom(key: Hashable, name: str, integer: bool = False) -> Term:
    """The variable of this key; `name` is what messages call it."""
    return _make(("atom", key), "atom", name=name, integer=integer)


def select(cond: Cond, then: Term, orelse: Term) -> Term:
    """`if cond then … else …`."""
    cond = simplified(cond)
    if cond == TRUE or then is orelse:
        return then
    if cond == FALSE:
        return orelse
    return _make(("select", cond, then.id, orelse.id), "select", (then, orelse), cond=cond)


def apply(op: str, args: Iterable[Term]) -> Term:
    """An elementwise primitive. One that is not known here is an unknown function, equal for equal arguments."""
    args = tuple(args)
    folded = _folded(op, args)
    return folded if folded is not None else _make((op, *(a.id for a in args)), op, args)


def _folded(op: str, args: tuple[Term, ...]) -> Term | None:
    """What is plain: arithmetic of numbers, neutral elements. Deeper identities are the normal form's."""
    if all(a.op == "number" for a in args):
        values = [a.value for a in args]
        match op, values:
            case ("add" | "sub" | "mul" | "scaled" | "div"), [x, y] if _long(x) or _long(y):
                pass
            case "add", [x, y]:
                return _of_fraction(x + y)
            case "sub", [x, y]:
                return _of_fraction(x - y)
            case ("mul" | "scaled"), [x, y]:
                return _of_fraction(x * y)
            case "div", [x, y] if y:
                return _of_fraction(x / y)
            case "neg", [x]:
                return _of_fraction(-x)
            case "abs", [x]:
                return _of_fraction(abs(x))
            case "max", [x, y]:
                return _of_fraction(max(x, y))
            case "min", [x, y]:
                return _of_fraction(min(x, y))
            case "floor", [x]:
                return _of_fraction(Fraction(math.floor(x)))
            case "ceil", [x]:
                return _of_fraction(Fraction(math.ceil(x)))
            case "trunc", [x]:
                return _of_fraction(Fraction(math.trunc(x)))
            case "sign", [x]:
                return _of_fraction(Fraction((x > 0) - (x < 0)))
            case "pow", [x, y] if y.denominator == 1 and 0 <= y <= 64 and max(abs(x.numerator), x.denominator) < 10**9:
                return _of_fraction(x ** int(y))
    first, last = args[0] if args else ZERO, args[-1] if args else ZERO
    match op, len(args):
        case ("floor" | "ceil" | "trunc" | "round"), 1 if whole(first):
            return first
        case "add", 2 if first is ZERO:
            return last
        case ("add" | "sub"), 2 if last is ZERO:
            return first
        case "mul", 2 if first is ONE:
            return last
        case ("mul" | "div"), 2 if last is ONE:
            return first
        case "neg", 1 if first.op == "neg":
            return first.args[0]
        case ("max" | "min"), 2 if first is last:
            return first
        case ("sin" | "cos"), 1 if first.op in ("acos", "asin"):
            (u,) = first.args
            if (op, first.op) in (("sin", "asin"), ("cos", "acos")):
                return u
            return apply("sqrt", (apply("sub", (ONE, apply("mul", (u, u)))),))
    return None


def _long(x: Fraction) -> bool:
    """Whether a number has so many digits that no more are made of it."""
    return x.numerator.bit_length() > LONG or x.denominator.bit_length() > LONG


def whole(term: Term) -> bool:
    """Whether a term is a whole number, as far as one can see."""
    return term.whole


def compare(op: str, a: Term, b: Term) -> Cond:
    """A comparison, by the sign (`<`) or the primitive (`lt`)."""
    if a.op == b.op == "number":
        x, y = a.value, b.value
        return TRUE if {"<": x < y, "lt": x < y, "<=": x <= y, "le": x <= y, ">": x > y, "gt": x > y, ">=": x >= y,
                        "ge": x >= y, "==": x == y, "eq": x == y, "!=": x != y, "ne": x != y}[op] else FALSE
    if a is b:
        return FALSE if op in ("<", "lt", ">", "gt", "!=", "ne") else TRUE
    match op:
        case "<" | "lt":
            return Compare("<", a, b)
        case "<=" | "le":
            return Compare("<=", a, b)
        case ">" | "gt":
            return Compare("<", b, a)
        case ">=" | "ge":
            return Compare("<=", b, a)
        case "==" | "eq":
            return Compare("==", a, b)
        case "!=" | "ne":
            return Compare("!=", a, b)
    raise ValueError(f"no comparison {op!r}")


def conj(*parts: Cond) -> Cond:
    flat: list[Cond] = []
    for part in parts:
        for each in part.parts if isinstance(part, And) else (part,):
            if each == FALSE:
                return FALSE
            if each not in flat:
                flat.append(each)
    Effort.spend(len(flat))
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def disj(*parts: Cond) -> Cond:
    flat: list[Cond] = []
    for part in parts:
        for each in part.parts if isinstance(part, Or) else (part,):
            if each == TRUE:
                return TRUE
            if each not in flat:
                flat.append(each)
    Effort.spend(len(flat))
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def negate(cond: Cond) -> Cond:
    """The opposite. Over real numbers: the opposite of `a < b` is `b <= a`."""
    match cond:
        case Compare("<", a, b):
            return Compare("<=", b, a)
        case Compare("<=", a, b):
            return Compare("<", b, a)
        case Compare("==", a, b):
            return Compare("!=", a, b)
        case Compare("!=", a, b):
            return Compare("==", a, b)
        case And(parts):
            return disj(*map(negate, parts))
        case Or(parts):
            return conj(*map(negate, parts))
        case Not(part):
            return simplified(part)
        case _:
            return Not(cond)


def simplified(cond: Cond) -> Cond:
    """The same condition, `Not` only before `Unknown`, constants gone."""
    match cond:
        case And(parts):
            return conj(*map(simplified, parts))
        case Or(parts):
            return disj(*map(simplified, parts))
        case Not(Unknown()):
            return cond
        case Not(part):
            return negate(part)
        case Compare(op, a, b):
            return compare(op, a, b)
        case _:
            return cond


def subterms(roots: Iterable[Term]) -> list[Term]:
    """All terms that occur in these, each once, arguments first; those in conditions of `select` too."""
    seen: set[Term] = set()
    out: list[Term] = []
    stack: list[tuple[Term, bool]] = [(r, False) for r in roots]
    while stack:
        term, ready = stack.pop()
        if ready:
            out.append(term)
        elif term not in seen:
            seen.add(term)
            stack.append((term, True))
            for a in term.inside:
                if a not in seen:
                    stack.append((a, False))
    Effort.spend(len(out) // 4)
    return out


def few(term: Term, most: int) -> bool:
    """Whether no more than so many different terms occur in a term."""
    if term.size <= most:
        return True
    seen = {term}
    stack = [term]
    while stack:
        for a in stack.pop().inside:
            if a not in seen:
                if len(seen) == most:
                    return False
                seen.add(a)
                stack.append(a)
    return True


def unasked(term: Term, asked: Callable[[Term], bool]) -> list[Term]:
    """The parts of a term, arguments first, of which something has not been asked yet; not below others.

    What is asked once for ever counts as no work: a check would cost less where another one came before it.
    """
    out: list[Term] = []
    seen: set[Term] = set()
    stack = [(term, False)]
    while stack:
        each, ready = stack.pop()
        if ready:
            out.append(each)
        elif each not in seen and not asked(each):
            seen.add(each)
            stack.append((each, True))
            stack.extend((a, False) for a in each.inside)
    return out


def compared(cond: Cond) -> list[Term]:
    """What a condition compares."""
    match cond:
        case Compare(_, a, b):
            return [a, b]
        case And(parts) | Or(parts):
            return [t for part in parts for t in compared(part)]
        case Not(part):
            return compared(part)
        case Unknown(_, of):
            return list(of)


def length(cond: Cond) -> int:
    """How long a condition is when it is written out."""
    match cond:
        case And(parts) | Or(parts):
            return sum(map(length, parts))
        case Not(part):
            return length(part)
        case Unknown():
            return 1
        case _:
            return cond.a.size + cond.b.size


def large(cond: Cond) -> bool:
    """Whether a condition has more comparisons than are looked at."""
    left = CONDITIONS
    stack = [cond]
    while stack:
        each = stack.pop()
        left -= 1
        if left < 0:
            return True
        if isinstance(each, And | Or):
            stack.extend(each.parts)
    return False


def atoms(term: Term) -> frozenset[Term]:
    """The atoms that occur in a term."""
    if term.atoms is None:
        for t in unasked(term, lambda t: t.atoms is not None):
            parts = [a.atoms for a in t.inside if a.atoms]
            widest = max(parts, key=len, default=NONE)
            t.atoms = frozenset((t,)) if t.op == "atom" else widest if all(p <= widest for p in parts) else \
                widest.union(*parts)
    assert term.atoms is not None
    return term.atoms


def in_order(roots: Iterable[Term]) -> list[Term]:
    """The atoms of these, as they are read."""
    seen: set[Term] = set()
    out: list[Term] = []
    stack = list(roots)[::-1]
    while stack:
        term = stack.pop()
        if term not in seen:
            seen.add(term)
            if term.op == "atom":
                out.append(term)
            stack.extend(reversed(term.args))
    return out


def atoms_of(cond: Cond) -> frozenset[Term]:
    """The atoms that occur in a condition."""
    return frozenset().union(*map(atoms, compared(cond)))


# ------------------------------------------------------------------ text

_INFIX = {"add": ("+", 4), "sub": ("-", 4), "mul": ("*", 5), "scaled": ("*", 5), "div": ("/", 5), "mod": ("%", 5),
          "pow": ("**", 7)}
_APPLICATION = 8


def show(term: Term) -> str:
    """A term as source text would say it; of a long one the outer parts."""
    return _show(term, 0, SHOWN)


def _show(term: Term, place: int, room: int) -> str:
    """`place`: how tightly what stands around binds. `room`: how many parts there is room for."""
    if term.size > room and (room < 2 or not term.args):
        return "…"
    share = room if term.size <= room else (room - 1) // len(term.args)
    match term:
        case Term(op="number"):
            text, binds = show_number(term.value), 9
            if text.startswith("-"):
                binds = 4
            elif "/" in text:
                binds = 5
        case Term(op="atom" | "constant" | "nonfinite"):
            text, binds = term.name, 9 if " " not in term.name or term.name.endswith("]") else 0
        case Term(op="select"):
            assert term.cond is not None
            then, orelse = (_show(a, 0, share) for a in term.args)
            text, binds = f"if {_show_condition(term.cond, share)} then {then} else {orelse}", 0
        case Term(op="neg"):
            text, binds = "-" + _show(term.args[0], 6, share), 4
        case Term(op=op, args=(a, b)) if op in _INFIX:
            sign, binds = _INFIX[op]
            right = binds if op == "pow" else binds + 1
            text = f"{_show(a, binds + (op == 'pow'), share)} {sign} {_show(b, right, share)}"
        case _:
            text = " ".join([term.op, *(_show(a, _APPLICATION + 1, share) for a in term.args)])
            binds = _APPLICATION
    return f"({text})" if binds < place else text


def show_number(value: Fraction) -> str:
    """A rational number: a decimal where that is short, else a quotient."""
    if value.denominator == 1 and abs(value.numerator) < 10**9:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1 or abs(value.numerator) > 10**12 or value.denominator > 10**12:
        power = math.floor(math.log10(abs(value.numerator)) - math.log10(value.denominator) + 1e-9)
        if abs(power) > 300:  # no double
            scaled = value / Fraction(10) ** power
            return f"{float(scaled):.6g}e{power:+}"
        text = repr(float(value))
        if rest != 1 or Fraction(Decimal(text)) == value:
            return text
    return f"{value.numerator}/{value.denominator}"


def show_condition(cond: Cond) -> str:
    """A condition as source text would say it; of a long one the outer parts."""
    return _show_condition(cond, SHOWN)


def _show_condition(cond: Cond, room: int) -> str:
    match cond:
        case Compare(op, a, b):
            share = room if a.size + b.size <= room else room // 2
            return f"{_show(a, 4, share)} {op} {_show(b, 4, share)}"
        case And(()):
            return "true"
        case Or(()):
            return "false"
        case And(parts) | Or(parts):
            sign = " && " if isinstance(cond, And) else " || "
            share = room if length(cond) <= room else room // len(parts)
            if share < 3:
                return "…"
            return sign.join(f"({_show_condition(p, share)})" if sign == " && " and isinstance(p, Or) else
                             _show_condition(p, share) for p in parts)
        case Not(part):
            return f"!({_show_condition(part, room)})"
        case Unknown(key):
            return str(key)
