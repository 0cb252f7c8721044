"""Formulas with parts that jump from one number to the next, taken apart: `x - floor x` is x - n where n <= x <= n + 1.

Comes in: a formula with `floor`, `ceil`, `round`, `trunc`, `%`, `atan2`, and elements at places that move. Goes out:
the formula with a whole number that stands still in place of each, what is known of these, and what has to be compared:
at x = n + 1 the formula with n and that with n + 1. An angle is a smooth function that is shifted by whole turns.

Two of these may jump at the same place. So they are only taken apart together if they do not share what moves them; and
none whose argument jumps itself.
"""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from .lattice import Grades, at_least, joined
from .terms import ONE, PI, ZERO, Cond, Term, apply, atom, compare, number, select, show, subterms
from .values import replaced, replaced_in

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker

STEPPING = frozenset({"floor", "trunc", "atan2"})
MOVING = STEPPING | {"select", "sign", "copysign", "element"}
"""What must not be inside the argument of another one."""


@dataclass(frozen=True, eq=False)
class Step:
    """Where a formula goes on as another one: `below` where the condition holds, `above` elsewhere."""

    cond: Cond
    below: Term
    above: Term
    near: Facts


@dataclass(frozen=True, eq=False)
class Apart:
    """`near`: what holds on each piece, and of the numbers that say which."""

    term: Term
    near: Facts
    steps: tuple[Step, ...]


def taken_apart(w: Walker, term: Term) -> Apart | None:
    """The formula without parts that step; None where that is not understood."""
    from .kinks import piece

    term = plainer(w, term)
    stepping = [t for t in subterms([term]) if t.op in STEPPING and any(map(w.active, w.atoms(t)))]
    seen: set[Term] = set()
    by: dict[Term, Term] = {}
    for t in stepping:
        moving = {a for a in w.atoms(t) if w.active(a)}
        inside = subterms(t.args)
        if moving & seen or any(s.op in MOVING or piece(w, s, w.near) == "jump" for s in inside):
            return None
        seen |= moving
        if t.op != "atan2":
            by[t] = atom(("step", t.id), show(t), integer=True)
        elif not near_smooth(w.near, t):
            if any(piece(w, s, w.near) != "smooth" for s in inside) or not apart_from_origin(w.near, t):
                return None
            # One turn of it is smooth; where it begins is compared below.
            by[t] = w.fresh("angle", angle_grades(w, t), key=("angle", t.id))
    whole = replaced(term, by)
    steps: list[Step] = []
    for t, n in by.items():
        near = w.near
        for other in by:
            if other is not t:
                near = placed(near, other, by[other])
        if t.op == "atan2":
            beside = w.fresh("angle", angle_grades(w, t), key=("beside", t.id))
            steps.append(Step(compare("<", beside, ZERO), replaced(whole, {n: apply("add", (beside, PI))}),
                              replaced(whole, {n: apply("sub", (beside, PI))}), near))
            continue
        u = t.args[0]
        next_, last = apply("add", (n, ONE)), apply("sub", (n, ONE))
        up = near.assume(compare("<=", n, u)).assume(compare("<=", u, apply("add", (n, number(2)))))
        down = near.assume(compare("<=", u, n)).assume(compare("<=", apply("sub", (n, number(2))), u))
        if t.op == "trunc":
            up, down = up.assume(compare("<=", ZERO, n)), down.assume(compare("<=", n, ZERO))
            steps.append(Step(compare("<", last, u), whole, replaced(whole, {n: last}), down))
        steps.append(Step(compare("<", u, next_), whole, replaced(whole, {n: next_}), up))
    near = w.near
    for t, n in by.items():
        near = placed(near, t, n)
    return Apart(whole, near, tuple(steps))


def placed(near: Facts, t: Term, n: Term) -> Facts:
    """With what holds of the number, or the angle, that stands for a part that steps."""
    if t.op == "atan2":
        return near.within(n, Fraction(-4), Fraction(4))
    u = t.args[0]
    if t.op == "trunc":
        near = near.assume(compare("<=", ZERO, apply("mul", (n, u))))
        near = near.assume(compare("<=", apply("sub", (n, ONE)), u))
    else:
        near = near.assume(compare("<=", n, u))
    return near.assume(compare("<=", u, apply("add", (n, ONE))))


def near_smooth(near: Facts, angle: Term) -> bool:
    y, x = angle.args
    return near.positive(x) or near.nonzero(y)


def apart_from_origin(near: Facts, angle: Term) -> bool:
    """Whether the arguments of an angle are never 0 together: there all angles meet."""
    y, x = (apply("mul", (a, a)) for a in angle.args)
    return near.nonzero(apply("add", (y, x)))


def angle_grades(w: Walker, angle: Term) -> Grades:
    return at_least(joined(w.activity.get(a, {}) for a in w.atoms(angle)), "smooth")


def plainer(w: Walker, term: Term) -> Term:
    """The formula with `floor`, `trunc` and `atan2` alone for what steps, and elements as functions of their place."""
    known: dict[Term, Term] = {}
    for t in subterms([term]):
        if t.op == "atom":
            known[t] = element(w, t, known)
            continue
        if not t.args:
            known[t] = t
            continue
        args = [known[a] for a in t.args]
        match t.op, args:
            case "select", [a, b]:
                assert t.cond is not None
                known[t] = select(replaced_in(t.cond, known), a, b)
            case "ceil", [u]:
                known[t] = apply("neg", (apply("floor", (apply("neg", (u,)),)),))
            case "round", [u]:
                known[t] = apply("floor", (apply("add", (u, number(Fraction(1, 2)))),))
            case ("mod" | "rem"), [x, y]:
                times = apply("floor" if t.op == "mod" else "trunc", (apply("div", (x, y)),))
                known[t] = apply("sub", (x, apply("mul", (y, times))))
            case "trunc", [u] if w.near.nonnegative(u):
                known[t] = apply("floor", (u,))
            case _:
                known[t] = t if all(a is b for a, b in zip(args, t.args, strict=True)) else apply(t.op, args)
    return known[term]


def element(w: Walker, t: Term, known: dict[Term, Term]) -> Term:
    """An atom that stands for an element at a place that moves, as a function of the place."""
    if t not in w.places:
        return t
    cell, places = w.places[t]
    if not any(w.active(a) for p in places for a in w.atoms(p)):
        return t
    base = element(w, cell, known)
    if base is cell:
        base = w.fresh(cell.name, w.activity.get(cell, {}), key=("array", cell.id))
    return apply("element", (base, *(plainer(w, p) for p in places)))
