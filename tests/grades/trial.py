"""One program put to the test: its grades against what it really does, its witnesses against a run."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
from dad import driver
from dad.codegen import interp
from dad.codegen.lower import lower
from dad.codegen.runtime.errors import RunError
from dad.grades.refute import Witness
from dad.grades.report import Graded, Report
from dad.lang.source import Source
from dad.tests.grades.arguments import Leaf, leaves
from dad.tests.grades.oracle import DIGITS, Line, Oracle, Point, Value, differences, greatest
from dad.tests.programs.exact import mp, mpf

SIZES = {"n": 3, "m": 2}


@dataclass
class Subject:
    """A definition of a text, lowered."""

    text: str
    name: str

    @cached_property
    def checking(self) -> driver.Checking:
        return driver.check(Source("generated.dad", self.text))

    @cached_property
    def report(self) -> Report:
        return driver.graded(self.checking)

    @cached_property
    def graded(self) -> Graded:
        return self.report.functions[self.name]

    @cached_property
    def leaves(self) -> list[Leaf]:
        return leaves(self.text, self.name)

    @cached_property
    def oracle(self) -> Oracle:
        checked = self.checking.require()
        definition = next(d for d in checked.definitions.values() if d.name == self.name)
        made = lower(checked, (), [definition])
        names = {leaf.name: k for k, leaf in enumerate(self.leaves) if leaf.active}
        return Oracle(made.program, made.entries[definition.qualified], names, self.draw, self.inside)

    def draw(self, rng: Random, simple: bool) -> Point:
        return tuple(leaf.draw(rng, SIZES, simple) for leaf in self.leaves)

    def inside(self, args: Sequence[Value]) -> bool:
        return all(leaf.fits(v) for leaf, arg in zip(self.leaves, args, strict=True) if leaf.dtype == "f64"
                   for v in np.ravel(arg))

    # ------------------------------------------------------------ what is wrong

    def wrong(self, rng: Random, lines: int = 4) -> Iterator[str]:
        """Everything that shows a mistake of the analysis: claims that are false, witnesses that do not reproduce."""
        found = self.graded
        if found.unknown:
            return
        for violation in self.oracle.violations(found.grades, rng, lines):
            yield str(violation)
        for branch in found.branches:
            if branch.witness is not None:
                for what in self.unwitnessed(branch.witness):
                    yield f"witness of {branch.kind} {branch.condition}: {what}: {branch.witness}"

    def point(self, values: Mapping[str, Any]) -> Point:
        """Arguments from a witness; what it does not mention is drawn."""
        rng = Random(0)
        found = []
        for leaf in self.leaves:
            given = values.get(leaf.name)
            dtype = {"f64": np.float64, "bool": np.bool_}.get(leaf.dtype, np.int64)
            found.append(leaf.draw(rng, SIZES, True) if given is None else np.asarray(given, dtype)[()])
        return tuple(found)

    def unwitnessed(self, w: Witness) -> Iterator[str]:
        """What a witness says of the results that a run does not show."""
        if w.effect is not None:
            seen, what = self.reproduced(w, w.effect)
            if seen is False:
                yield what

    def reproduced(self, w: Witness, effect: tuple[int, float]) -> tuple[bool | None, str]:
        """Whether the results jump at the witness, in this order and by so much; None where that cannot be said.

        Doubles are compared at the two points beside it, derivatives in 100 digits from either side.
        """
        with mp.workdps(DIGITS):
            return self._reproduced(w, effect)

    def _reproduced(self, w: Witness, effect: tuple[int, float]) -> tuple[bool | None, str]:
        point = self.point({**w.others, **w.roots})
        direction = [np.asarray(w.direction[leaf.name], np.float64)[()] if leaf.name in w.direction else None
                     for leaf in self.leaves]
        line = Line(self.oracle, point, direction)
        order, size = effect
        if w.point:
            if not w.exact or order:
                return None, ""
            e, here = mpf("1e-40"), mpf(0)
            if line.trace(-e) == line.trace(here) == line.trace(e):
                return None, ""  # equal are numbers that binary fractions only come near to
            gaps = [greatest(line(here), line(t)) for t in (-e, e) if line(here) and line(t)]
            return self.close(gaps, size, "the value at the point differs")
        if order == 0 and size > 1e-9:
            ends = [self.values({**w.others, **side}) for side in (w.below, w.above)]
            if ends[0] is None or ends[1] is None:
                return False, "the points are outside of the domain"
            gap = max(abs(a - b) for a, b in zip(*ends, strict=True))
            if not abs(gap - size) <= 1e-2 * size + 1e-9 * max(1.0, *map(abs, ends[0])):
                return False, f"from below to above the value changes by {gap}, not {size}"
        pairs = [(mpf(0), mpf(0)), *line.changes(mpf("-1e-6"), mpf("1e-6"), 2)]
        if order == 0 and line.stopped:
            return (True, "") if size > 1e-9 else (None, "")  # the line holds what the jump changes
        if order == 0:
            e = mpf("1e-40")
            gaps = [greatest(line(a - e), line(b + e)) for a, b in pairs if line(a - e) and line(b + e)]
            return self.close(gaps, size, "the value jumps")
        h = mpf("1e-12")
        if order > 2:
            return None, ""
        sides = [(differences(line, a, -h, order), differences(line, b, h, order)) for a, b in pairs]
        gaps = [greatest(low, high) for low, high in sides if low is not None and high is not None]
        return self.close(gaps, size, f"derivative {order} jumps")

    def close(self, gaps: Sequence[Any], size: float, what: str) -> tuple[bool | None, str]:
        if not gaps:
            return None, ""
        if any(abs(gap - size) <= 1e-3 * size for gap in gaps):
            return True, ""
        return False, f"{what} by {[mp.nstr(gap, 6) for gap in gaps]} in 100 digits, not by {size}"

    def values(self, side: Mapping[str, Any]) -> list[float] | None:
        point = self.point(side)
        try:
            results = interp.run(self.oracle.plain, self.oracle.function, list(point))
        except RunError:
            return None
        return [float(v) for r in results if np.asarray(r).dtype.kind == "f" for v in np.ravel(r)]
