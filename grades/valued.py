"""Where formulas have a value: divisors that are held fixed are not 0 there.

A mean of n numbers has no value if n is 0, and no root can change that: whether it is smooth is asked where it has one.
A divisor below a choice says nothing: the choice may have a value where the other side has none.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .terms import ZERO, Compare, Cond, Term, atoms, compare

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker


def divisors(values: Iterable[Term]) -> list[Term]:
    """What these formulas divide by, but numbers."""
    seen: set[Term] = set()
    found: list[Term] = []
    stack = list(values)
    while stack:
        term = stack.pop()
        if term in seen or term.op == "select":
            continue
        seen.add(term)
        if term.op == "div" and term.args[1].op not in ("number", "constant"):
            found.append(term.args[1])
        stack.extend(term.args)
    return found


def compared(cond: Cond) -> tuple[Term, ...]:
    """What a single comparison compares; of several, some may never be looked at."""
    return (cond.a, cond.b) if isinstance(cond, Compare) else ()


def meaningful(facts: Facts, values: Iterable[Term], active: Callable[[Term], bool]) -> Facts:
    """The facts where these formulas have a value."""
    for divisor in divisors(values):
        if any(map(active, atoms(divisor))):
            continue
        known = facts
        facts = known.assume(compare("!=", divisor, ZERO))
        if facts is known or facts.impossible:
            continue
        moving = atoms(divisor)
        for cond in known.others:  # what was said of quotients says more, now that their sign is known
            if isinstance(cond, Compare) and moving & (atoms(cond.a) | atoms(cond.b)):
                difference = facts.normal(cond.b, cond.a)
                if difference is not None:
                    facts = facts.compared(cond.op, difference)
    return facts


def at(w: Walker, facts: Facts, *values: Term) -> Facts:
    """What a walk knows where these formulas have a value."""
    held = False
    for value in values:
        known = w.divisors.get(value)
        if known is None:
            known = w.divisors[value] = divisors((value,))
        held = held or any(not any(map(w.active, w.atoms(d))) for d in known)
    if not held:
        return facts
    key = id(facts), values
    found = w.valued.get(key)
    if found is None:
        w.alive.append(facts)
        found = w.valued[key] = meaningful(facts, values, w.active)
    return found
