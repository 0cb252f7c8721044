"""Witnesses at kinks of lengths: where all that is squared under a root is 0, and a run decides nothing.

Along a line through such a point the root is |t| times a number. The point is looked for where all numbers are 0, or 1;
slopes on either side are differences of plain runs in many digits.
"""
from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..lang.core import ir
from .compare import flat, length, plain, said, slopes_of
from .jets import leaf
from .lines import FREE, Line
from .operations import Failed, Value, each
from .reals import context

if TYPE_CHECKING:
    from .refute import Search, Witness

LENGTHS = ("sqrt", "hypot")
APART = 1e-8
"""How far the points on either side are from it."""


def witnesses(search: Search) -> Iterator[Witness]:
    """Points of a few lines at which the site, a length, has a kink."""
    for special in (Fraction(0), Fraction(1)):
        for _ in range(2):  # of other sizes
            point = at(search, special)
            for line in search.space.lines(point, False):
                found = kink(search, line) if line.lo < 0.0 < line.hi else None
                if found is not None:
                    yield found
                    return


def at(search: Search, special: Fraction) -> tuple[Any, ...]:
    """A point at which all floats are this number, as far as they may be."""
    point = []
    for k, x in enumerate(search.space.point(False, special)):
        bounds = search.space.bounds.get(k, FREE)
        if search.function.params[k].type.is_float and bounds.hold(special):
            x = np.full(np.shape(x), special, object)[()] if isinstance(x, np.ndarray) else special
        point.append(x)
    return tuple(point)


def kink(search: Search, line: Line) -> Witness | None:
    h = context().mpf(10) ** -20
    runs = [ran(search, line, k * h) for k in (-2, -1, 1, 2)]
    if any(r is None for r in runs):
        return None
    whole = [r[1] for r in runs if r is not None]
    for visit in zip(*(r[0] for r in runs if r is not None), strict=False):
        sides = slopes(list(visit), h)
        # The length itself goes to 0 there, with a slope.
        if sides is not None and all(abs(flat(v[0])[0]) < abs(3 * h * sides[1]) for v in visit if flat(v[0])):
            effect = slopes(whole, h)
            return told(search, line, sides, effect)
    return None


def ran(search: Search, line: Line, t: Any) -> tuple[list[tuple[Value, ...]], tuple[Value, ...]] | None:
    """What the site gives each time it is come to, and what the function gives."""
    watch = search.watch()
    try:
        results = search.many.run(search.name, line.many(t), watch)
    except Failed:
        return None
    finally:
        search.spend(search.many.steps * 15)
    return [tuple(each(leaf, v) for v in values) for _, values in watch.visits], results


def slopes(values: list[tuple[Value, ...]], h: Any) -> tuple[float, float] | None:
    """Slopes of the number that bends most, below and above; None where none does."""
    best: tuple[float, float] | None = None
    numbers = [[x for r in v for x in flat(r)] for v in values]
    for a, b, c, d in zip(*numbers, strict=False):
        low, high = float((b - a) / h), float((d - c) / h)
        if abs(high - low) > 1e-6 * max(1.0, abs(low), abs(high)) and (
                best is None or abs(high - low) > abs(best[1] - best[0])):
            best = low, high
    return best


def told(search: Search, line: Line, sides: tuple[float, float], effect: tuple[float, float] | None) -> Witness:
    from .refute import Witness

    here = line.many(context().zero)
    direction = search.said([plain(slopes_of(line, k, x)) for k, x in enumerate(line.point)])
    moving = {search.names[k] for k, _ in line.slopes}
    low, high = (search.said([plain(x) for x in line.at(t)]) for t in (-APART, APART))
    sizes = {atom.name: length(here[k], axis) for k, shape in enumerate(search.function.dims)
             for axis, atom in enumerate(shape) if isinstance(atom, ir.Var)}
    return Witness(
        search.said([said(x) for x in here]), low, high, {k: v for k, v in direction.items() if k in moving}, 1,
        abs(sides[1] - sides[0]), sides, None if effect is None else (1, abs(effect[1] - effect[0])), True, True, False,
        {name: said(here[k]) for k, (name, root) in enumerate(zip(search.names, search.roots, strict=True))
         if root is None}, sizes)
