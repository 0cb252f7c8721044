"""Witnesses against smoothness: a point where a function jumps or has a kink, found by search and confirmed in high
precision.

Comes in: a lowered program, one of its functions and a *site* in it (the statement of a branch, or of a primitive that
is not smooth). Goes out: a `Witness`, or None where none was found, which proves nothing.

The search runs the function in doubles along lines through short numbers until the site decides otherwise than a step
before (`lines`), halves the step, and sees which comparison has changed. From there on numbers have many digits:
Newton's method on the Taylor series of that comparison's distance finds the boundary; then the function is run as a
series on either side of it (`jets`), where everything has one answer, and the two are compared order by order. What
differs is confirmed by one-sided differences of ordinary runs, so that a witness never rests on a rule of `jets`.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..lang.core import ir
from ..lang.record import dataclass
from . import jets, origins
from .compare import (
    coefficient,
    condition_of,
    decimal,
    difference,
    differs,
    distance,
    first_change,
    flat,
    length,
    mirrored,
    near,
    plain,
    said,
    same,
    slopes_of,
    zero_of,
)
from .evaluate import Machine, Watch
from .jets import Jet
from .lines import Bounds, Line, Space, numbers, samples
from .operations import COMPARISONS, Failed, Value
from .reals import context

__all__ = ["Bounds", "Witness", "jump_along_lines", "refute"]

ORDERS = {"lip": 0, "cont": 0, "C1": 1, "C2": 2, "smooth": 3, "affine": 3, "none": 3, "flat": 3}
"""How far derivatives are looked at where a grade is wanted."""
BUDGET = 35_000
"""Statements of one search, those in many digits counted `WEIGHT` times: some 150 milliseconds."""
WEIGHT = 15
HALVINGS = 26


@dataclass(frozen=True)
class Witness:
    """Where two sides of a boundary differ.

    `roots`: the point, by the names of the parameters (`m.weight`), numbers or nested lists of them; `below` and
    `above`: points of the same line on either side, in doubles, which the program may be run at. `order`: which
    derivative differs first (0: the value itself); `jump`: by how much, along `direction`; `sides`: what it is below
    and above. `effect`: order and size for the results of the whole function, None where they agree as far as was
    looked.
    """

    roots: Mapping[str, Any]
    below: Mapping[str, Any]
    above: Mapping[str, Any]
    direction: Mapping[str, Any]
    order: int
    jump: float
    sides: tuple[float, float]
    effect: tuple[int, float] | None
    exact: bool
    """Whether `roots` lies on the boundary itself, not only to the last digit of a double."""
    direct: bool = True
    """Whether the condition passes through its boundary; False: it jumps there itself."""
    point: bool = False
    """Whether it is at the boundary alone that the program does something else (`x == 0`): then `roots` is that point,
    and `sides` are what is there and what is beside it."""
    others: Mapping[str, Any] = {}  # never changed
    """The values of the parameters that do not move, as `roots` has the others."""
    sizes: Mapping[str, int] = {}  # never changed

    def __str__(self) -> str:
        return ", ".join(f"{name}={short(value)}" for name, value in self.roots.items()) + f" → {self.jump:.6g}"


def short(value: Any) -> str:
    """A number as one would write it, lists in brackets."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(short, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower()


def refute(program: ir.Program, function: str, site: ir.Stmt | None, roots: Sequence[str | None],
           bounds: Mapping[int, Bounds] | None = None, want: str = "smooth", seed: int = 0,
           names: Sequence[str] | None = None) -> Witness | None:
    """A witness that `site` (None: the function's results) is not as smooth as `want`.

    `roots`: an entry to each parameter of the function: its name if it moves, None if it is held at some value.
    `bounds`: what its numbers may be, by the parameter's number. `want` is a grade: orders of derivatives that it does
    not speak of are not looked at. `names`: what the parameters are called, held ones too. The same input always
    gives the same answer.
    """
    search = Search(program, function, site, roots, bounds or {}, ORDERS.get(want, 3), seed, names)
    best: Witness | None = None
    seen = 0
    try:
        if site is not None and isinstance(site.op, ir.Prim) and site.op.name in origins.LENGTHS and search.limit:
            best = next(origins.witnesses(search), None)
            if best is not None:
                return best
        for found in search.witnesses():
            seen += 1
            if best is None or merit(found) < merit(best):
                best = found
            if seen >= (4 if best.order else 1 if best.exact and best.direct else 3):
                break
    except Spent:
        pass
    return best


def jump_along_lines(program: ir.Program, function: str, roots: Sequence[str | None],
                     bounds: Mapping[int, Bounds] | None = None, seed: int = 0, want: str = "lip",
                     names: Sequence[str] | None = None) -> Witness | None:
    """A witness that the function's results jump (or are less than `want`), looked for without knowing where: for loops
    and whatever is unknown."""
    return refute(program, function, None, roots, bounds, want, seed, names)


def merit(w: Witness) -> tuple[Any, ...]:
    """Less is better: what says most, at numbers that can be read."""
    return not w.direct, w.order, not w.exact, len(w.direction)


class Spent(Exception):
    """The search has taken all the steps that it may."""


@dataclass(frozen=True)
class Crossing:
    """Two places of a line between which the site decides otherwise, when it is come to for the `visit`-th time."""

    line: Line
    lo: float
    hi: float
    visit: int
    touch: ir.Var | None = None
    """A comparison whose distance seems to touch zero between the two without a change of sign."""


@dataclass(frozen=True)
class Sides:
    """What is on either side of a boundary, as series away from it."""

    t: Any
    below: tuple[Value, ...]
    above: tuple[Value, ...]
    whole_below: tuple[Value, ...]
    whole_above: tuple[Value, ...]
    settled: bool
    direct: bool
    point: bool
    crowded: bool
    """Whether something else than the site is decided just here too."""


class Search:
    """One search: the function, what moves, how many steps are left."""

    def __init__(self, program: ir.Program, function: str, site: ir.Stmt | None, roots: Sequence[str | None],
                 bounds: Mapping[int, Bounds], limit: int, seed: int, names: Sequence[str] | None) -> None:
        self.name = function
        self.function = program.functions[function]
        self.site = site
        self.roots = roots
        self.names = names or [root or p.name for root, p in zip(roots, self.function.params, strict=True)]
        self.limit = limit
        self.inside = site is not None and any(var.type.is_float for var in site.vars)
        """Whether to look at what the site gives, and not at the results of the function."""
        self.condition = condition_of(program, site) if site is not None else ()
        self.doubles = Machine(program, False)
        self.many = Machine(program, True)
        self.left = BUDGET
        self.space = Space(self.function, [root is not None for root in roots], bounds, seed,
                           numbers(program, function))

    def watch(self, decisions: bool = False) -> Watch:
        return Watch(self.site, decisions or self.site is None, self.condition)

    # ------------------------------------------------------------ where something changes

    def witnesses(self) -> Iterator[Witness]:
        """One after the other, until steps are spent. Boundaries at which nothing differs are passed over."""
        same = 0
        for crossing in self.crossings():
            found = self.examined(crossing)
            if found is not None:
                yield found
            else:
                same += 1
                if same >= 10:
                    return

    def crossings(self) -> Iterator[Crossing]:
        for attempt in range(40):
            wide = attempt % 4 == 3
            special = (Fraction(0), Fraction(1))[attempt // 4 % 2] if attempt % 4 == 1 else None
            for line in self.space.lines(self.space.point(wide, special), special is not None):
                yield from self.on(line)

    def on(self, line: Line) -> Iterator[Crossing]:
        """Changes along a line; if there are none, where the distance of the condition seems to go to zero."""
        centre = self.looked(line, 0.0) if line.lo < 0.0 < line.hi else None
        seen: list[tuple[float, Watch]] = [] if centre is None else [(0.0, centre)]
        ends = {1: centre, -1: centre}
        last = {1: 0.0, -1: 0.0}
        found = 0
        for t in samples(line):
            way = 1 if t > 0 else -1
            before, watch = ends[way], self.looked(line, t)
            if watch is None:
                continue
            visit = None if before is None else differs(before, watch)
            if visit is not None:
                found += 1
                yield Crossing(line, *((last[way], t, visit) if t > 0 else (t, last[way], visit)))
                if found >= 3:
                    return
            ends[way], last[way] = watch, t
            seen.append((t, watch))
        if not found and len(seen) > 1 and self.condition:
            yield from self.toward(line, seen)
            yield from self.touching(line, seen)

    def toward(self, line: Line, seen: list[tuple[float, Watch]]) -> Iterator[Crossing]:
        """Secants of the distance of the condition that is nearest to its boundary."""
        for var in self.condition:
            known = [(t, watch, d) for t, watch in seen for d in [distance(watch, var)] if d is not None]
            near = sorted(known, key=lambda k: abs(k[2]))[:2]
            if len(near) < 2:
                continue
            (t1, first, d1), (t0, _, d0) = near
            for _ in range(6):
                if d1 == d0 or not math.isfinite(d1 - d0):
                    break
                t2 = t1 - d1 * (t1 - t0) / (d1 - d0)
                beyond = t2 + (t2 - t1) * 1e-3
                if not line.lo < t2 < line.hi or not math.isfinite(beyond):
                    break
                for t in (beyond, t2):
                    watch = self.looked(line, t)
                    if watch is None:
                        break
                    visit = differs(first, watch)
                    if visit is not None:
                        yield Crossing(line, *((t1, t, visit) if t1 < t else (t, t1, visit)))
                        return
                if watch is None:
                    break
                d2 = distance(watch, var)
                if d2 is None or abs(d2) >= abs(d1):
                    break
                t0, d0, t1, d1, first = t1, d1, t2, d2, watch

    def touching(self, line: Line, seen: list[tuple[float, Watch]]) -> Iterator[Crossing]:
        """Places where the distance of the condition is least, in between."""
        for var in self.condition:
            known = sorted((t, abs(d), len(watch.visits)) for t, watch in seen for d in [distance(watch, var)]
                           if d is not None)
            lowest = sorted((middle[1], k) for k, (before, middle, after) in enumerate(
                zip(known, known[1:], known[2:], strict=False), 1) if before[1] > middle[1] < after[1])
            for _, k in lowest[:2]:
                left, right = known[k - 1][0], known[k + 1][0]
                # Where a parabola has its least value; a series finds the place itself.
                yield Crossing(line, *self.least(line, var, left, known[k][0], right), known[k][2] - 1, var)

    def least(self, line: Line, var: ir.Var, left: float, middle: float, right: float) -> tuple[float, float]:
        """A short interval around the least distance, by sections of a third."""
        for _ in range(12):
            a, b = left + (right - left) / 3, right - (right - left) / 3
            first, second = self.looked(line, a), self.looked(line, b)
            da = distance(first, var) if first is not None else None
            db = distance(second, var) if second is not None else None
            if da is None or db is None:
                break
            if abs(da) < abs(db):
                right = b
            else:
                left = a
        return (left + right) / 2, right

    def looked(self, line: Line, t: float, decisions: bool = False) -> Watch | None:
        """What the run at t has met, in doubles; None where it fails."""
        watch = self.watch(decisions)
        try:
            self.doubles.run(self.name, line.at(t), watch)
        except Failed:
            return None
        finally:
            self.spend(self.doubles.steps + 4)
        return watch

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise Spent

    # ------------------------------------------------------------ the boundary itself

    def examined(self, crossing: Crossing) -> Witness | None:
        narrow = self.halved(crossing) if crossing.touch is None else crossing
        if narrow is None:
            return None
        sides = self.sides(narrow)
        if sides is None:
            return None
        found = difference(sides.below, sides.above, self.limit)
        if found is None:
            return None
        order, jump, at, values = found
        if not all(map(math.isfinite, (jump, *values))):
            return None  # beyond all floats nobody sees it
        if not sides.settled and jump < 1e-9 * max(1.0, *map(abs, values)):
            return None
        if not self.confirmed(narrow, sides, order, at, jump):
            return None
        if sides.crowded and not self.elsewhere(narrow, sides, order):
            return None
        return self.witness(narrow, sides, order, jump, values)

    def elsewhere(self, c: Crossing, sides: Sides, order: int) -> bool:
        """Whether the site has such a boundary at numbers nearby too, where nothing else is decided at the same place:
        short numbers meet by chance.
        """
        line = self.space.beside(c.line)
        before: tuple[float, Watch] | None = None
        for shift in (-0.3, -0.1, -0.04, -0.01, 0.01, 0.04, 0.1, 0.3):
            t = float(sides.t) + shift
            watch = self.looked(line, t)
            if watch is None:
                continue
            visit = None if before is None else differs(before[1], watch)
            if before is not None and visit is not None:
                narrow = self.halved(Crossing(line, before[0], t, visit))
                there = None if narrow is None else self.sides(narrow)
                found = None if there is None else difference(there.below, there.above, self.limit)
                if found is not None and found[0] <= order:
                    return True
            before = t, watch
        return False

    def halved(self, c: Crossing) -> Crossing | None:
        """The same change between places that are close together."""
        lo, hi = c.lo, c.hi
        first = self.looked(c.line, lo)
        if first is None:
            return None
        for _ in range(HALVINGS):
            t = (lo + hi) / 2
            if not lo < t < hi:
                break
            watch = self.looked(c.line, t)
            if watch is None:
                return None
            if same(first, watch, c.visit):
                lo = t
            else:
                hi = t
        return Crossing(c.line, lo, hi, c.visit)

    def sides(self, c: Crossing) -> Sides | None:
        found = self.decision(c)
        if found is None:
            return None
        number, stmt = found
        direct = self.site is None or stmt is self.site or not self.condition or stmt.vars[0] in self.condition
        t = self.boundary(c, number, stmt)
        if t is None:
            return None
        above, below = self.series(c.line, t, 1), self.series(c.line, t, -1)
        if above is None or below is None:
            return None
        settled = above[1].settled and below[1].settled
        crowded = self.inside and any(
            near(decision) and decision[0] is not stmt and decision[0].vars[0] not in self.condition
            for _, watch in (above, below) for decision in watch.trace or ())
        high, low = self.at_site(c, above), self.at_site(c, below)
        if high is None or low is None:
            return None
        both = self.checked(Sides(t, low[1], high[1], below[0], above[0], settled, direct, False, crowded))
        apart = None if both is None else difference(both.below, both.above, self.limit)
        if apart is not None and low[0] != high[0] and (self.inside or apart[0] == 0):
            return both
        if not (isinstance(stmt.op, ir.Prim) and stmt.op.name in COMPARISONS):
            return both
        # What the program does at the boundary alone; as a function of both ways it is one and the same.
        there = self.series(c.line, t, 1, there=True)
        met = None if there is None else self.at_site(c, there)
        if there is None or met is None or met[0] in (high[0], low[0]):
            return both
        here, whole = (tuple(map(mirrored, r)) for r in (met[1], there[0]))
        point = self.checked(Sides(t, here, high[1], whole, above[0], settled, direct, True, crowded))
        alone = None if point is None else difference(point.below, point.above, self.limit)
        return both if alone is None or (apart is not None and apart[0] <= alone[0]) else point

    def decision(self, c: Crossing) -> tuple[int, ir.Stmt] | None:
        """Which decision of the run changes, by its number, and where in the program it stands."""
        below = self.looked(c.line, c.lo, True)
        if below is None or below.trace is None:
            return None
        if c.touch is not None:
            found = [k for k, (stmt, _, _) in enumerate(below.trace) if stmt.vars[0] is c.touch]
            return (found[-1], below.trace[found[-1]][0]) if found else None
        above = self.looked(c.line, c.hi, True)
        if above is None or above.trace is None:
            return None
        number = first_change(below.trace, above.trace)
        return None if number is None else (number, below.trace[number][0])

    def at_site(self, c: Crossing, run: tuple[tuple[Value, ...], Watch]) -> tuple[Any, tuple[Value, ...]] | None:
        """What is decided at the site and what it gives, or all decisions and the results of the function."""
        results, watch = run
        if not self.inside:
            return tuple((id(stmt), outcome) for stmt, outcome, _ in watch.trace or ()), results
        if c.visit >= len(watch.visits):
            return None
        outcome, values = watch.visits[c.visit]
        return (outcome[0] if isinstance(self.site, ir.Stmt) and isinstance(self.site.op, ir.If) else outcome), values

    def checked(self, sides: Sides) -> Sides | None:
        """Regular on both sides: all numbers are finite."""
        numbers = [x for r in (*sides.below, *sides.above) for x in flat(r)]
        return sides if all(jets.finite(x) for x in numbers) else None

    def boundary(self, c: Crossing, number: int, stmt: ir.Stmt) -> Any | None:
        """Where the distance of a decision is zero, to all digits."""
        mp = context()
        t = mp.mpf(c.lo)
        width = mp.mpf(c.hi) - c.lo
        for _ in range(6):
            ran = self.series(c.line, t, 1)
            if ran is None or ran[1].trace is None or number >= len(ran[1].trace):
                return None
            where, _, distance = ran[1].trace[number]
            while type(distance) is Jet and distance.level > 0:  # in a derivative inside of the program
                distance = distance.c[0]
            if where is not stmt or type(distance) is not Jet or len(distance.c) < 2:
                return None
            if c.touch is None:
                step = zero_of(distance.c)
            else:
                step = zero_of(jets.slope(distance).c)
            if step is None or abs(step) > 100 * width + mp.mpf(10) ** -6 * max(abs(t), 1):
                return None
            t += step
            if abs(step) <= mp.mpf(10) ** -45 * max(abs(t), 1):
                return t if c.touch is None or jets.tiny(distance.c[0]) else None
        return None

    def series(self, line: Line, t: Any, way: int, there: bool = False
               ) -> tuple[tuple[Value, ...], Watch] | None:
        watch = self.watch(True)
        watch.there = there
        try:
            results = self.many.run(self.name, line.series(t, max(self.limit + 2, 4), way), watch)
        except Failed:
            return None
        finally:
            self.spend(self.many.steps * WEIGHT * 2)
        return results, watch

    # ------------------------------------------------------------ is it true?

    def confirmed(self, c: Crossing, sides: Sides, order: int, at: tuple[int, int], jump: float) -> bool:
        """Whether one-sided differences of ordinary runs say so too."""
        mp = context()
        # Beside a point where a distance touches zero its square must be seen, else the jump may be a small one.
        digits = (22 if sides.point else 42, 22 if sides.point else 28, 19, 14, 11)[order]
        step = mp.mpf(10) ** -digits * max(1, abs(sides.t))
        above = self.differenced(c, sides.t, step, order, at)
        below = self.differenced(c, sides.t, -step, order, at) if not sides.point else None
        if above is None or (below is None and not sides.point):
            return False
        claimed = coefficient(sides.above, at, order, 1)
        if sides.point:
            return bool(abs(above - claimed) <= abs(jump) * 1e-3)
        return bool(abs(abs(above - below) - abs(jump)) <= abs(jump) * 1e-3)

    def differenced(self, c: Crossing, t: Any, step: Any, order: int, at: tuple[int, int]) -> Any | None:
        """A derivative from values at order + 1 places on one side."""
        total = context().zero
        for i in range(order + 1):
            watch = self.watch()
            try:
                results = self.many.run(self.name, c.line.many(t + (i + 1) * step), watch)
            except Failed:
                return None
            finally:
                self.spend(self.many.steps * WEIGHT)
            if self.inside:
                if c.visit >= len(watch.visits):
                    return None
                results = watch.visits[c.visit][1]
            value = flat(results[at[0]])[at[1]]
            total += (-1) ** (order - i) * math.comb(order, i) * value
        return total / step**order

    # ------------------------------------------------------------ how it is said

    def witness(self, c: Crossing, sides: Sides, order: int, jump: float, values: tuple[float, float]) -> Witness:
        # Where something else is decided too, a series may be too short to say on which side of that it is.
        known = self.inside and sides.settled and not sides.crowded
        whole = difference(sides.whole_below, sides.whole_above, self.limit) if known else None
        effect = (order, jump) if not self.inside else None if whole is None else (whole[0], whole[1])
        if effect is not None and not math.isfinite(effect[1]):
            effect = None
        line = c.line
        here = line.many(sides.t)
        if sides.point and not self.has_value(here):
            effect = None  # series cross what a run divides by
        exact = all(decimal(here[k][at] if at else here[k]) is not None for k, at in line.slopes)
        width = self.apart(c, float(sides.t))
        point = self.said([said(x) for x in here])
        low, high = ([plain(x) for x in line.at(t)] for t in (float(sides.t) - width, float(sides.t) + width))
        direction = self.said([plain(slopes_of(line, k, x)) for k, x in enumerate(line.point)])
        moving = {self.names[k] for k, _ in line.slopes}
        sizes = {atom.name: length(here[k], axis) for k, shape in enumerate(self.function.dims)
                 for axis, atom in enumerate(shape) if isinstance(atom, ir.Var)}
        return Witness(
            point, self.said(low), self.said(high), {k: v for k, v in direction.items() if k in moving}, order,
            jump, values, effect, exact, sides.direct, sides.point,
            {name: said(here[k]) for k, (name, root) in enumerate(zip(self.names, self.roots, strict=True))
             if root is None}, sizes)

    def has_value(self, here: Sequence[Any]) -> bool:
        """Whether a run at this very point ends, with numbers."""
        try:
            results = self.many.run(self.name, here, self.watch())
        except Failed:
            return False
        finally:
            self.spend(self.many.steps * WEIGHT)
        return all(jets.finite(x) for r in results for x in flat(r))

    def said(self, args: Sequence[Any]) -> dict[str, Any]:
        return {root: x for root, x in zip(self.roots, args, strict=True) if root is not None}

    def apart(self, c: Crossing, t: float) -> float:
        """How far to either side of the boundary doubles see both sides."""
        width = 4e-16 * max(abs(t), *(abs(float(v)) for x in c.line.point for v in np.ravel(np.asarray(x, object))
                                      if isinstance(v, Fraction)), 1e-300)
        try:
            for k in range(60):
                low, high = self.looked(c.line, t - width), self.looked(c.line, t + width)
                if low is not None and high is not None and differs(low, high) is not None:
                    break
                width = width * 2 if k < 20 or width > 1e-6 else width**0.8  # powers of it may be too small for doubles
        except Spent:
            pass
        return width
