"""Series of functions that have no rule of their own: by their derivatives, inside of their domains."""
from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from . import normal
from .functions import SMOOTH, slope_of
from .intervals import INFINITE
from .normal import ONE, Ratio
from .terms import ONE as ONE_
from .terms import Term, apply, number
from .text import show

if TYPE_CHECKING:
    from .series import Expansion, Series


MOST = 20
"""Arguments beyond are not brought down."""


def function(e: Expansion, term: Term) -> Series:
    """The series of a function of what has one."""
    from .series import Irregular, Series

    inner = [e.series(a) for a in term.args]
    heads = tuple(e.reduced(e.regular(a, term.op)[0]) for a in inner)
    value = normal.function(term.op, heads)
    if not e.checks or not e.moves(term):
        return Series([value], 0, all(a.constant() for a in inner) or e.length == 1)
    if term.op not in SMOOTH:
        raise Irregular(f"{term.op}, of which nothing is known")
    rough = min((a.rough for a in inner), default=INFINITE)
    if e.checks > 1:
        if term.op in ("asin", "acosh"):
            room = (ONE - heads[0] * heads[0]) if term.op == "asin" else heads[0] - ONE
            if not e._positive(room) and e.at.bounds_of_ratio(room).nonnegative:
                return Series([value], 0, False, min(rough, Fraction(1, 2)))  # at the edge: like a root
        inside(e, term.op, heads)
    if all(a.constant() for a in inner):
        return Series([value], 0, True, rough)
    slope = slope_of(term)
    if slope is None:
        return Series([value], 0, False, min(rough, Fraction(1)))
    return e.integral(value, e.series(slope), inner[0])


def recurrence(e: Expansion, term: Term) -> Term | None:
    """lgamma (x + 1) by lgamma x, and its like, where x is positive: then both are in one normal form."""
    match term.op, term.args:
        case ("lgamma" | "gamma" | "digamma"), (Term(op="number", value=c),) if 1 < c <= MOST:
            below = number(c - 1)
        case ("lgamma" | "gamma" | "digamma"), ((Term(op="add", args=(x, Term(op="number", value=c)))
                                                 | Term(op="add", args=(Term(op="number", value=c), x))),) \
                if 1 <= c <= MOST and e.signs.positive(apply("add", (x, number(c - 1)))):
            below = apply("add", (x, number(c - 1)))
        case _:
            return None
    before = apply(term.op, (below,))
    match term.op:
        case "lgamma":
            return apply("add", (before, apply("log", (below,))))
        case "gamma":
            return apply("mul", (before, below))
    return apply("add", (before, apply("div", (ONE_, below))))


def inside(e: Expansion, op: str, args: tuple[Ratio, ...]) -> None:
    """Whether arguments lie in the open set where a function is smooth."""
    from .series import Irregular

    def need(r: Ratio, what: str) -> None:
        if not e._positive(r):
            raise Irregular(f"{op} of {show(args[0])}: {what}")
    match op:
        case "asin" | "erfinv":
            need(ONE - args[0] * args[0], "its argument may leave -1 .. 1")
        case "acosh":
            need(args[0] - ONE, "its argument may be <= 1")
        case "ndtri":
            need(args[0] * (ONE - args[0]), "its argument may leave 0 .. 1")
        case "lgamma" | "digamma" | "trigamma" | "gamma" | "gammainc" | "gammaincc" | "lbeta" | "betainc":
            for r in args[:2]:
                need(r, "an argument may be <= 0")
            if op == "betainc":
                need(args[2] * (ONE - args[2]), "its last argument may leave 0 .. 1")
        case _:
            pass
