"""Where primitives have a value: whether arguments lie inside, and what is left to be shown of them."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.primitive import Domain
from . import valued
from .lattice import Grade
from .report import Obligation
from .results import shown
from .terms import apply, negate, number, subterms
from .values import Value, closure, replaced

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker

INFINITE = math.inf


def domain_grade(w: Walker, stmt: ir.Stmt, name: str, domain: Domain, v: Value) -> Grade:
    """How smooth a primitive is in an argument that lies where it does. Notes down what is left to be shown."""
    if w.trusting or (v.term is None and not v.grades):
        return "affine"
    if v.some and domain.lo in (0, -INFINITE) and domain.hi == INFINITE and domain.apart in (None, 0):
        return "affine"
    near = inside(w, w.near, domain, v)
    exact = inside(w, w.exact, domain, v)
    if exact != "inside":
        note_domain(w, stmt, name, domain, v, exact)
    if near == "inside":
        return "affine"
    if near == "edge" and domain.edge:
        return domain.edge
    return "jump"


def inside(w: Walker, facts: Facts, domain: Domain, v: Value, depth: int = 3) -> str:
    """`inside` the domain, at its `edge`, or, as far as is known, `outside`."""
    found = placed(w, facts, domain, v)
    if found == "inside" or v.term is None or depth == 0:
        return found
    choice = next((t for t in subterms([v.term]) if t.cond is not None), None)
    if choice is None or choice.cond is None:
        return found
    # On each side of what is chosen: a sum of two choices may be positive though either may be 0.
    sides = []
    for cond, side in zip((choice.cond, negate(choice.cond)), choice.args, strict=True):
        here = facts.assume(closure(cond))
        if not here.impossible:
            sides.append(inside(w, here, domain, Value(term=replaced(v.term, {choice: side})), depth - 1))
    return next((s for s in ("outside", "edge") if s in sides), "inside")


def placed(w: Walker, facts: Facts, domain: Domain, v: Value) -> str:
    """The same, of a value as a whole."""
    if v.term is None:
        return "outside"
    facts = valued.at(w, facts, v.term)
    if domain.apart is not None:
        shifted = v.term if domain.apart == 0 else apply("sub", (v.term, number(domain.apart)))
        if facts.nonzero(shifted):
            return "inside"
        return "edge"
    i = facts.interval(v.term)
    low = i.lo > domain.lo or (i.lo == domain.lo and (i.lo_open or domain.lo == -INFINITE))
    high = i.hi < domain.hi or (i.hi == domain.hi and (i.hi_open or domain.hi == INFINITE))
    reached = i.lo >= domain.lo, i.hi <= domain.hi
    if not low:
        above = apply("sub", (v.term, number(domain.lo)))
        low, reached = facts.positive(above), (reached[0] or facts.nonnegative(above), reached[1])
    if not high:
        below = apply("sub", (number(domain.hi), v.term))
        high, reached = facts.positive(below), (reached[0], reached[1] or facts.nonnegative(below))
    return "inside" if low and high else "edge" if all(reached) else "outside"


def note_domain(w: Walker, stmt: ir.Stmt, name: str, domain: Domain, v: Value, found: str) -> None:
    if w.quiet or v.term is None:
        return
    span = w.place(stmt.span)
    defined = bool(domain.edge)
    met = found == "edge" and defined
    key = (name, id(stmt.op), domain.argument)
    before = w.obligations.get(key)
    if before is not None and not before.met:
        return
    w.obligations[key] = Obligation(
        span, name, shown(v.term), needs(domain), known(w, domain, v), w.seen(v.grades), met,
        "edge" if met else "outside", domain.fix, w.where[-1] if w.where else "", stmt.span)


def plain(value: float) -> str:
    for k, what in ((math.pi / 2, "pi/2"), (-math.pi / 2, "-pi/2")):
        if value == k:
            return what
    return f"{value:g}"


def needs(domain: Domain) -> str:
    if domain.apart is not None:
        return f"not {plain(domain.apart)}"
    if domain.hi == INFINITE:
        return f"> {plain(domain.lo)}"
    if domain.lo == -INFINITE:
        return f"< {plain(domain.hi)}"
    return f"between {plain(domain.lo)} and {plain(domain.hi)}"


def known(w: Walker, domain: Domain, v: Value) -> str:
    """What is known of an argument, in words."""
    assert v.term is not None
    i = w.exact.interval(v.term)
    if i.lo == -INFINITE and i.hi == INFINITE:
        return "nothing is known of its sign"
    if i.hi == INFINITE:
        return f"{'>' if i.lo_open else '>='} {float(i.lo):g}"
    if i.lo == -INFINITE:
        return f"{'<' if i.hi_open else '<='} {float(i.hi):g}"
    return f"between {float(i.lo):g} and {float(i.hi):g}"
