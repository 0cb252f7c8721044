"""Whether the cases of a `match` fit every value, and whether each is of use.

In: patterns and the type of what is matched, known by now. Out: the first value that no case fits, written as a
pattern. After Maranget, *Warnings for pattern matching* (JFP 17(3), 2007, §3): a matrix of patterns is taken apart
column by column, by the constructors of the column's type. Numbers have infinitely many constructors.
"""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..lang.intrinsics import wrapped
from ..lang.record import dataclass
from ..lang.surface import ast
from ..lang.types import FLOATS, INTEGERS, Record, Scalar, Sum, Tuple, Type
from .context import Checker

MAX_STEPS = 200_000
"""Of the search; the problem is exponential in the worst case."""
MAX_COLUMNS = 100
"""Parts that are looked at beside each other, each of them one deeper in the recursion."""


@dataclass(frozen=True)
class Con:
    """A pattern that looks: a constructor, literal, tuple or record (`key`) and patterns of its parts."""

    key: object
    parts: tuple[Pattern, ...] = ()


Pattern = Con | None
"""None fits everything."""

Row = tuple[Pattern, ...]
Shape = tuple[tuple[object, tuple[Type, ...]], ...]


class TooMany(Exception):
    """The search takes too long."""


class Search:
    def __init__(self) -> None:
        self.steps = 0

    def step(self, columns: int) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS or columns > MAX_COLUMNS:
            raise TooMany

    def missing(self, rows: Sequence[Row], types: tuple[Type, ...]) -> Row | None:
        """Patterns, one to a type, of values that no row fits; None when there are none."""
        self.step(len(types))
        if not types:
            return None if rows else ()
        if any(all(p is None for p in row) for row in rows):
            return None
        first, rest = types[0], types[1:]
        used = {row[0].key: row[0] for row in rows if row[0] is not None}
        shape = signature(first)
        if used and shape is not None and all(key in used for key, _ in shape):
            for key, parts in shape:
                found = self.missing(specialised(rows, key, len(parts)), (*parts, *rest))
                if found is not None:
                    return (Con(key, found[:len(parts)]), *found[len(parts):])
            return None
        found = self.missing([row[1:] for row in rows if row[0] is None], rest)
        return None if found is None else (absent(first, shape, used), *found)

    def useful(self, rows: Sequence[Row], row: Row, types: tuple[Type, ...]) -> bool:
        """Whether `row` fits a value that none of `rows` fits."""
        self.step(len(types))
        while types and all(r[0] is None for r in (*rows, row)):
            rows, row, types = [r[1:] for r in rows], row[1:], types[1:]
        if not types:
            return not rows
        if not rows:
            return True
        if any(all(p is None for p in r) for r in rows):
            return False
        head = row[0]
        if head is not None:
            parts = next((p for key, p in signature(types[0]) or () if key == head.key), ())
            inner = specialised([row], head.key, len(parts))[0]
            return self.useful(specialised(rows, head.key, len(parts)), inner, (*parts, *types[1:]))
        used = {r[0].key for r in rows if r[0] is not None}
        shape = signature(types[0])
        if shape is not None and all(key in used for key, _ in shape):
            return any(self.useful(specialised(rows, key, len(parts)), ((None,) * len(parts)) + row[1:],
                                   (*parts, *types[1:])) for key, parts in shape)
        return self.useful([r[1:] for r in rows if r[0] is None], row[1:], types[1:])


def signature(t: Type) -> Shape | None:
    """All constructors of a type with the types of their parts; None when there are infinitely many."""
    match t:
        case Sum(constructors):
            return constructors
        case Scalar("bool"):
            return ((True, ()), (False, ()))
        case Tuple(items):
            return (("tuple", items),)
        case Record(fields):
            return ((tuple(name for name, _ in fields), tuple(i for _, i in fields)),)
        case _:
            return None


def specialised(rows: Sequence[Row], key: object, width: int) -> list[Row]:
    """What is left to look at of values made by the constructor `key`."""
    found: list[Row] = []
    for row in rows:
        head = row[0]
        if head is None:
            found.append((*(None,) * width, *row[1:]))
        elif head.key == key and type(head.key) is type(key):
            found.append((*head.parts, *row[1:]))
    return found


def absent(t: Type, shape: Shape | None, used: dict[object, Con]) -> Pattern:
    """A pattern of type `t` with a constructor that is not in use; anything, when none is."""
    if not used:
        return None
    if shape is not None:
        return next(Con(key, (None,) * len(parts)) for key, parts in shape if key not in used)
    number = 0
    while number in used:
        number += 1
    if isinstance(t, Scalar) and t.name in INTEGERS:
        return Con(number)
    return Con(float(number)) if isinstance(t, Scalar) else None


def simplified(p: ast.Pattern, t: Type) -> Pattern:
    """A pattern without names and types."""
    match p:
        case ast.PAscribe(pattern=inner):
            return simplified(inner, t)
        case ast.PTuple(items=items) if isinstance(t, Tuple) and len(t.items) == len(items):
            return whole(Con("tuple", tuple(simplified(i, u) for i, u in zip(items, t.items, strict=True))))
        case ast.PRecord(fields=fields) if isinstance(t, Record):
            given = dict(fields)
            parts = tuple(simplified(given[n], u) if n in given else None for n, u in t.fields)
            return whole(Con(tuple(n for n, _ in t.fields), parts))
        case ast.PConstr(name=name, arguments=arguments) if isinstance(t, Sum):
            types = dict(t.constructors).get(name, ())
            return Con(name, tuple(simplified(a, u) for a, u in zip(arguments, types, strict=False)))
        case ast.PLit(value=literal):
            value = literal.value
            if isinstance(t, Scalar) and t.name in FLOATS:
                return Con(float(value))
            if isinstance(t, Scalar) and t.name in INTEGERS and isinstance(value, int):
                return Con(wrapped(value, t.name))
            return Con(value)
        case _:
            return None


def whole(p: Con) -> Pattern:
    """A tuple or record of which nothing is looked at fits everything."""
    return None if all(i is None for i in p.parts) else p


def shown(p: Pattern, t: Type, inside: bool = False) -> str:
    """The pattern in Dad's syntax."""
    if p is None:
        return "_"
    parts = next((u for key, u in signature(t) or () if key == p.key), ())
    match t:
        case Sum():
            text = " ".join([f"#{p.key}", *(shown(i, u, True) for i, u in zip(p.parts, parts, strict=True))])
            return f"({text})" if inside and p.parts else text
        case Tuple():
            return "(" + ", ".join(shown(i, u) for i, u in zip(p.parts, parts, strict=True)) + ")"
        case Record(fields):
            return "{" + ", ".join(f"{n} = {shown(i, u)}" for (n, u), i in zip(fields, p.parts, strict=True)) + "}"
        case Scalar("bool"):
            return "true" if p.key else "false"
        case _:
            return str(p.key)


# ---------------------------------------------------------------- reports


def check_match(c: Checker, e: ast.Match, scrutinee: Type) -> None:
    """Report the case that is missing, and warn of those that are never reached."""
    if c.failed:
        return
    t = c.solver.zonk(scrutinee)
    rows: list[Row] = [(simplified(case.pattern, t),) for case in e.cases]
    try:
        found = Search().missing(rows, (t,))
        if found is not None:
            text = shown(found[0], t)
            c.error("E408", f"unmatched cases in this `match`: `{text}`", e.scrutinee.span,
                    f"a value of type {c.show(scrutinee)} can be `{text}`",
                    others=[(e.cases[-1].pattern.span, "the last case")],
                    help=f"add `case {text} -> …`" if text != "_" else "add `case _ -> …`")
            return
    except TooMany:
        c.error("E409", "this `match` has too many cases to check", e.scrutinee.span,
                "whether the cases fit every value takes too long to find out",
                help="match in steps: the outer constructors first, what they hold in a `match` of its own")
        return
    with suppress(TooMany):
        for k, case in enumerate(e.cases):
            if k and not Search().useful(rows[:k], rows[k], (t,)):
                c.warning("W110", "this case is never reached", case.pattern.span,
                          "the cases above fit all of its values", help="remove it, or move it up")


def check_binding(c: Checker, p: ast.Pattern, t: Type, what: str) -> None:
    """A pattern of `let`, of a parameter or of a loop fits every value."""
    if c.failed:
        return
    known = c.solver.zonk(t)
    try:
        found = Search().missing([(simplified(p, known),)], (known,))
    except TooMany:
        return
    if found is not None:
        text = shown(found[0], known)
        c.error("E406", f"this pattern does not fit every value: not `{text}`", p.span, f"{what} can be `{text}`",
                notes=[f"its type is {c.show(t)}"], help="take it apart with `match`, which has a case for each")


def refutable(p: ast.Pattern) -> bool:
    """Whether the pattern looks at constructors or literals at all."""
    match p:
        case ast.PLit() | ast.PConstr():
            return True
        case ast.PAscribe(pattern=inner):
            return refutable(inner)
        case ast.PTuple(items=items):
            return any(refutable(i) for i in items)
        case ast.PRecord(fields=fields):
            return any(refutable(i) for _, i in fields)
        case _:
            return False
