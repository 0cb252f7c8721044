"""Facts never say too much: at points where the assumed conditions hold, terms lie where their bounds say."""
from __future__ import annotations

from typing import Any

import pytest
from dad.grades.facts import NO_FACTS, Facts
from dad.grades.intervals import INFINITE, Bound
from dad.grades.terms import Cond, show, show_condition
from dad.tests.grades.formulas import atom, op
from dad.tests.grades.soundness import Branch, Undefined, holds, mp, value

x, y, d = map(atom, ["x", "y", "delta"])


def wrong_bound(seed: int) -> str | None:
    """A bound that a value is not within, of random terms under random conditions."""
    branch = Branch(seed)
    r = branch.random
    pool = [branch.arm(r.choice((0, 1, 2))) for _ in range(4)]
    conds = []
    for _ in range(r.choice((1, 2, 3))):
        u, v = r.choice(pool), r.choice([*pool, op("add", r.choice((0, 1, -1, 2)), 0)])
        conds.append(r.choice((u < v, u <= v, u > v, u >= v, u.eq(v) if r.random() < 0.2 else u.ne(v))))
    facts = given(*conds)
    asked = [(t, facts.interval(t.term), facts.nonzero(t.term)) for t in [branch.arm(1), branch.arm(2), *pool]]
    for _ in range(20):
        point = {a.term.name: mp.mpf(r.choice((0, 1, -1, 2, 0.5, r.uniform(-3, 3), r.uniform(-3, 3))))
                 for a in branch.atoms}
        try:
            if not all(holds(c, point, {}) for c in conds):
                continue
        except Undefined:
            continue
        where = f"under {[show_condition(c) for c in conds]} at {point}"
        if facts.impossible:
            return f"called impossible {where}"
        for t, bounds, nonzero in asked:
            try:
                found = value(t.term, point)
            except Undefined:
                continue
            lo, hi, slack = number(bounds.lo), number(bounds.hi), mp.mpf(10) ** -80
            outside = found < lo - slack or found > hi + slack
            end = (bounds.lo_open and abs(found - lo) < slack) or (bounds.hi_open and abs(found - hi) < slack)
            if outside or end or (nonzero and abs(found) < slack):
                return f"{show(t.term)} = {found}, {bounds}, {where}"
    return None


def number(bound: Bound) -> Any:
    return mp.mpf(bound) if isinstance(bound, float) else mp.mpf(bound.numerator) / bound.denominator


@pytest.mark.parametrize("first", range(0, 90, 30))
def test_bounds_hold(first: int) -> None:
    for seed in range(first, first + 30):
        assert wrong_bound(seed) is None, seed


def given(*conds: Cond) -> Facts:
    facts = NO_FACTS
    for cond in conds:
        facts = facts.assume(cond)
    return facts


def test_consequences() -> None:
    size = op("abs", x)
    assert given(d > 0, size >= d).nonzero(x.term)
    inside = given(size < d)
    assert inside.positive((d - x).term)
    assert inside.positive((d + x).term)
    assert given(x < y, y < x).impossible
    assert given(x * x < 4).interval(x.term).hi == 2
    assert NO_FACTS.positive((x * x - 2 * x * y + 2 * y * y + 1).term)
    assert NO_FACTS.interval(op("sin", x).term).hi == 1
    assert NO_FACTS.interval(x.term).hi == INFINITE
