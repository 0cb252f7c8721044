"""Bounds of floats, `f64{>0}`, at run time: which are checked where, and the checks.

The rule: what a pattern or an expression is declared to be is checked where it is bound; a definition's parameters at
the head of its function, its result at the end. A call needs no checks where every argument with bounds is known to
keep them: it is a number, or a value that has been checked against bounds as narrow in the same function (a parameter,
the result of a call, an element of a checked array). Such calls get a version of the function without checks at its
head.

Checks are statements beside the values: derivatives pass them by, and lanes have them like any other check.
"""
from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...checker.result import Contract, Definition, Limit, LocalRef, Refinement
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder
from ...lang.core.ir import Atom, Const, Lambda, Var
from ...lang.source import Span
from ...lang.surface import ast
from .frame import Frame
from .values import FunV, RecV, SumV, TupV, Value, the_atom

RESULT = "the result"
SHORT = {"f32": "f", "f16": "e"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A float somewhere in a value: its atom, what is written behind the value's name to say which it is (`.mass[]`),
    and of what constructors it must be: their tags with the number that each must have."""

    atom: Atom
    suffix: str
    cases: tuple[tuple[Atom, int], ...] = ()


def leaves_at(value: Value, t: ty.Type, path: Sequence[str], suffix: str = "",
              cases: tuple[tuple[Atom, int], ...] = ()) -> Iterator[Leaf]:
    """The atoms at a path of a contract."""
    while isinstance(t, ty.Array):
        t, suffix = t.element, suffix + "[]"
    if not path:
        if isinstance(value, (Var, Const)):
            yield Leaf(value, suffix, cases)
        return
    step, *rest = path
    match value, t:
        case TupV(items), ty.Tuple(types):
            yield from leaves_at(items[int(step)], types[int(step)], rest, f"{suffix}.{step}", cases)
        case RecV(), ty.Record(fields):
            yield from leaves_at(value.get(step), dict(fields)[step], rest, f"{suffix}.{step}", cases)
        case SumV(tag, _, known), ty.Sum(constructors):
            name, number = step.removeprefix("#").split(".")
            if tag is None and known != name:
                return
            inside = cases if tag is None else (*cases, (tag, value.number(name)))
            part, of = value.get(name)[int(number)], dict(constructors)[name][int(number)]
            yield from leaves_at(part, of, rest, suffix, inside)
        case _:
            return


def check(f: Frame, contracts: Iterable[Contract], value: Value, t: ty.Type, what: str, whose: str, span: Span) -> None:
    """Write the checks of a value of type `t`; `what` is its name, `whose` says of which function it is."""
    sums: set[Atom] = set()
    for refinement in contracts:
        if not isinstance(refinement, Refinement) or isinstance(value, FunV):
            continue
        for leaf in leaves_at(value, t, refinement.path):
            if not satisfied(f, leaf, refinement):
                f.b.span = span
                if f.specialiser.promises and not sums.issuperset(tag for tag, _ in leaf.cases):
                    sums.update(tag for tag, _ in leaf.cases)
                    _some_constructor(f.b, value, t)
                name = f"{what}{leaf.suffix}"
                _check(f, refinement, leaf, (name if what == RESULT else f"`{name}`") + whose)
                note(f, leaf, refinement)


def _check(f: Frame, refinement: Refinement, leaf: Leaf, what: str) -> None:
    dtype = leaf.atom.type.dtype
    low = _limit(f, refinement.low, dtype, -math.inf)
    high = _limit(f, refinement.high, dtype, math.inf)
    shown = "".join(name for name, limit in (("low", refinement.low), ("high", refinement.high))
                     if limit is not None and not isinstance(limit, float))
    both = refinement.low is not None and refinement.high is not None
    attrs = (("bound", f"in {refinement.text}" if both else refinement.text), ("open", refinement.open),
             ("shown", "both" if shown and both else shown), ("what", what))
    if f.specialiser.promises and all(tag.type.rank == 0 for tag, _ in leaf.cases):
        # Nobody runs this: what is said of all elements is said at once, of a constructor where it is the one.
        x = leaf.atom if dtype == "f64" else f.b.prim("cast", leaf.atom, to="f64")
        low, high = _where(f.b, leaf.cases, low, high)
        f.b.bind(ir.Prim("check_range", (x, low, high), attrs))
        return
    tags, numbers = [tag for tag, _ in leaf.cases], [number for _, number in leaf.cases]
    _written(f.b, leaf.atom, tags, numbers, (low, high), [], attrs)


def _written(b: Builder, x: Atom, tags: Sequence[Atom], numbers: Sequence[int], limits: tuple[Atom, Atom],
             index: list[Atom], attrs: tuple[tuple[str, ir.AttrValue], ...]) -> Atom:
    """The check of a number, or of each element of an array."""
    if x.type.rank == 0:
        low, high = _where(b, list(zip(tags, numbers, strict=True)), *limits)
        wide = x if x.type.dtype == "f64" else b.prim("cast", x, to="f64")
        return b.bind(ir.Prim("check_range", (wide, low, high, *index), attrs))[0]
    arrays = (x, b.prim("iota", b.dim(x, 0), as_="is"), *(tag for tag in tags if tag.type.rank))
    inner = b.nested()
    rows = tuple(b.fresh(a.name if isinstance(a, Var) else "x", ir.Type(a.type.dtype, a.type.rank - 1)) for a in arrays)
    supply = iter(rows[2:])
    inside = [next(supply) if tag.type.rank else tag for tag in tags]
    checked = _written(inner, rows[0], inside, numbers, limits, [*index, rows[1]], attrs)
    shape = tuple(b.dim(x, axis) for axis in range(1, x.type.rank))
    return b.bind(ir.Map(arrays, Lambda(rows, inner.block([checked])), (shape,)), "checked")[0]


def _some_constructor(b: Builder, value: Value, t: ty.Type) -> None:
    """For who checks grades: that the value of a sum has one of its constructors. Nobody runs it."""
    match value, t:
        case SumV(tag, _, _), ty.Sum(constructors) if tag is not None and tag.type.rank == 0:
            cases = [b.prim("eq", tag, Const(value.number(name), ty.TAG)) for name, _ in constructors]
            any_ = cases[0]
            for case in cases[1:]:
                any_ = b.prim("or", any_, case)
            b.bind(ir.Prim("assert", (any_,), (("what", "a constructor"),)))
        case TupV(items), ty.Tuple(types):
            for item, inner in zip(items, types, strict=True):
                _some_constructor(b, item, inner)
        case RecV(), ty.Record(fields):
            for name, inner in fields:
                _some_constructor(b, value.get(name), inner)
        case _:
            pass


def _where(b: Builder, cases: Sequence[tuple[Atom, int]], low: Atom, high: Atom) -> tuple[Atom, Atom]:
    """Limits where these are the constructors, none elsewhere."""
    for tag, number in cases:
        here = b.prim("eq", tag, Const(number, ty.TAG))
        low = b.select(here, low, Const(-math.inf, "f64"))
        high = b.select(here, high, Const(math.inf, "f64"))
    return low, high


def rounded(value: float, dtype: str) -> float:
    """A bound as a float of this type: 0.1 is where f32 has it."""
    if dtype not in SHORT or not math.isfinite(value):
        return value
    try:
        made: float = struct.unpack(SHORT[dtype], struct.pack(SHORT[dtype], value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return made


def _limit(f: Frame, limit: Limit | None, dtype: str, otherwise: float) -> Atom:
    match limit:
        case None:
            return Const(otherwise, "f64")
        case float():
            return Const(rounded(limit, dtype), "f64")
        case LocalRef(key=key):
            atom = the_atom(f.local(key))
            if isinstance(atom, Const):
                return Const(float(atom.value), "f64")
            return atom if atom.type.dtype == "f64" else f.b.prim("cast", atom, to="f64")
        case (op, left, right):
            name = {"+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow"}[op]
            return f.b.prim(name, _limit(f, left, "f64", 0.0), _limit(f, right, "f64", 0.0))


# ---------------------------------------------------------------- what is known


def note(f: Frame, leaf: Leaf, refinement: Refinement) -> None:
    """The atom keeps these bounds from here on."""
    if refinement.constant and not leaf.cases and isinstance(leaf.atom, Var):
        f.bounded[leaf.atom] = (*f.bounded.get(leaf.atom, ()), refinement)


def satisfied(f: Frame, leaf: Leaf, refinement: Refinement) -> bool:
    """Whether nothing need be checked."""
    if not refinement.constant:
        return False
    atom = leaf.atom
    if isinstance(atom, Const):
        return refinement.holds(float(atom.value))
    return any(narrower(known, refinement) for known in f.bounded.get(atom, ()))


def narrower(known: Refinement, wanted: Refinement) -> bool:
    """Whether what keeps the one bounds (constant ones) keeps the other."""
    def inside(limit: Limit | None, of: Limit | None, sign: int) -> bool:
        if of is None:
            return True
        if not isinstance(limit, float) or not isinstance(of, float):
            return False
        return sign * limit > sign * of or (limit == of and (known.open or not wanted.open))

    return inside(known.low, wanted.low, 1) and inside(known.high, wanted.high, -1)


def trusted(f: Frame, definition: Definition, types: Sequence[ty.Type], args: Sequence[Value]) -> bool:
    """Whether the arguments of a call are known to keep the bounds of the definition's parameters, if it has some."""
    found = False
    for contracts, t, arg in zip(definition.contracts, types, args, strict=False):
        for refinement in contracts:
            if isinstance(refinement, Refinement):
                found = True
                if isinstance(arg, FunV) or not all(satisfied(f, leaf, refinement)
                                                    for leaf in leaves_at(arg, t, refinement.path)):
                    return False
    return found


def given(f: Frame, contracts: Sequence[Contract], value: Value, t: ty.Type) -> None:
    """A value that has been checked elsewhere: its bounds are known here."""
    for refinement in contracts:
        if isinstance(refinement, Refinement) and not isinstance(value, FunV):
            for leaf in leaves_at(value, t, refinement.path):
                note(f, leaf, refinement)


# ---------------------------------------------------------------- patterns


def of_pattern(f: Frame, p: ast.PAscribe, value: Value) -> None:
    """The checks of what an annotation in a pattern says."""
    written = p.type.type if isinstance(p.type, ast.TQualified) else p.type
    contracts = f.checked.contracts.get(written)
    if contracts:
        inner: ast.Pattern = p
        while isinstance(inner, ast.PAscribe):
            inner = inner.pattern
        name = " ".join(inner.span.text.split())  # of a tuple, the pattern: `(x, y).0`
        whose = f" of `{f.owner}`" if f.owner else ""
        check(f, contracts, value, f.concrete(f.checked.patterns[p]), name, whose, written.span)
