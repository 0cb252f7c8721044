"""What a call of a program decided by its parameters: `entry.value_and_grad(…, certificate=True)`.

A derivative says nothing of the branches that were not taken. A certificate lists every place where an active value is
compared, or meets a kink or a step, with how often it went either way, how often it stood exactly on the switch, and
how near to it it came. It answers "is it this branch that my optimiser hangs on?" for the iterate at hand.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .codegen.passes.certificate import Site
from .sparse import places

if TYPE_CHECKING:
    from .modules import LiveEntry

Steps = Callable[[int], float]
SHOWN = 40
"""How many places `str` lists, the nearest to their switch."""
SIDES = {"lt": (True, False, False), "le": (True, False, True), "gt": (False, True, False), "ge": (False, True, True),
         "eq": (False, False, True), "ne": (True, True, False)}
"""Whether a comparison is true below its switch, above it, on it."""


class Switch:
    """One place that decides by the parameters, over the whole run.

    `line`, `column`, `source` say where; `text` is the condition as it is written. Of one in the library they say where
    the user calls it: `text` is `s > 0 in norm x`. `kind`: "comparison", "kink" (abs,
    max), "step" (floor), "choice" (maximum, sort). `below`, `above`, `on` count how often the two sides of a
    comparison were in that order, or the argument of a kink was negative, positive, zero (of a step, `above` counts
    all that are not on it). `distance` is the least |a - b| of all visits, inf where there was none; for a step it is
    to the next whole number.
    """

    def __init__(self, site: Site, counts: Sequence[int], distance: float, step: Callable[[], float]) -> None:
        span = site.call or site.span
        self.kind = site.kind
        self.name = site.name
        self.function = site.function
        self.source = span.source.name if span is not None else ""
        self.line, self.column = span.source.position(span.start) if span is not None else (0, 0)
        self.text = " in ".join(" ".join(s.text.split()) for s in (site.span, site.call) if s is not None) or site.name
        self.below, self.above, self.on = (int(n) for n in counts)
        self.distance = distance
        self._step = step

    @property
    def visits(self) -> int:
        """How often the run came here."""
        return self.below + self.above + self.on

    @property
    def taken(self) -> tuple[int, int]:
        """How often a comparison was true and false; for others, how often the argument was above and below."""
        sides = SIDES.get(self.name)
        if sides is None:
            return self.above, self.below
        true = sum(n for n, holds in zip((self.below, self.above, self.on), sides, strict=True) if holds)
        return true, self.visits - true

    @cached_property
    def step(self) -> float:
        """How far the parameters are from the switch, to first order: `distance` over the length of its gradient.

        No shorter step of the parameters (in the Euclidean norm) takes the nearest visit over the switch, as far as
        its value changes linearly. inf where it does not change to first order. It costs one gradient.
        """
        if self.distance == 0 or not math.isfinite(self.distance):
            return self.distance
        return self._step()

    def __repr__(self) -> str:
        return f"<{self.text} at line {self.line}: {self.said}>"

    @property
    def said(self) -> str:
        """The counts in words."""
        if not self.visits:
            return "not a number" if math.isnan(self.distance) else "not reached"
        if self.kind == "comparison":
            true, false = self.taken
            said = f"{true} true, {false} false"
            return said + f", {self.on} equal" * (self.on > 0)
        if self.kind == "kink":
            return f"{self.above} above, {self.below} below" + f", {self.on} on the kink" * (self.on > 0)
        said = f"{self.visits} visit" + "s" * (self.visits > 1)
        return said + f", {self.on} " * (self.on > 0) + ("on a step" if self.kind == "step" else "tied") * (self.on > 0)


class Certificate:
    """The switches of a call, in the order of the program; `print` shows them.

    `ties`: those that were met exactly: there the derivative is the one that the table of special points has.
    `nearest`: the one that the shortest step of the parameters reaches, to first order; None where there is none.
    """

    def __init__(self, switches: Sequence[Switch]) -> None:
        self.switches = tuple(switches)

    def __iter__(self) -> Iterator[Switch]:
        return iter(self.switches)

    def __len__(self) -> int:
        return len(self.switches)

    @property
    def ties(self) -> tuple[Switch, ...]:
        return tuple(s for s in self.switches if s.on)

    @property
    def nearest(self) -> Switch | None:
        reached = [s for s in self.switches if s.visits]
        return min(reached, key=lambda s: s.step, default=None)

    @property
    def step(self) -> float:
        """The length of the shortest step that reaches a switch, to first order; inf where none is reached."""
        nearest = self.nearest
        return math.inf if nearest is None else nearest.step

    def __repr__(self) -> str:
        return f"<certificate of {len(self)} switches>"

    def __str__(self) -> str:
        if not self.switches:
            return "nothing is decided by the parameters: the derivative misses no branch"
        rows = [(f"line {s.line}", shorter(s.text), s.said, number(s.distance), number(s.step) if s.visits else "")
                for s in sorted(self.switches, key=lambda s: (not s.visits, s.step))[:SHOWN]]
        head = ("where", "switch", "taken", "distance", "step")
        widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                 for row in (head, *rows)]
        if len(self.switches) > SHOWN:
            lines.append(f"… and {len(self.switches) - SHOWN} more")
        return "\n".join((*lines, "", self.advice()))

    def advice(self) -> str:
        """What it comes to, in a sentence."""
        ties = self.ties
        if ties:
            lines = sorted({s.line for s in ties})
            said = ("line " if len(lines) == 1 else "lines ") + ", ".join(map(str, lines))
            return (f"A switch is met exactly ({said}): there the derivative is that of one side, or of "
                    "the table of special points.")
        if self.step == math.inf:
            return "No step of the parameters reaches a switch, to first order."
        return f"To first order, no step of the parameters shorter than {number(self.step)} changes a decision."


def shorter(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def number(x: float) -> str:
    return "-" if x == math.inf else f"{x:.3g}"


def certificate_of(entry: LiveEntry, args: Sequence[Any], wrt: tuple[str, ...]) -> Certificate:
    """What a call of the entry with these leaves decides by the parameters `wrt`."""
    watched, moved, sites = entry.watched(wrt)
    counts, least = map(here, entry.run(watched, args))
    counts = counts.reshape(len(sites), 3)

    def step(k: int) -> float:
        weights = np.zeros(len(sites))
        weights[k] = 1.0
        slopes = entry.run(moved(), [*args, weights])
        length = math.sqrt(sum(float(np.sum(np.square(here(x).astype(np.float64)))) for x in slopes))
        return float(least[k]) / length if length else math.inf

    return Certificate([Switch(site, counts[k], float(least[k]), partial(step, k)) for k, site in enumerate(sites)])


def here(x: Any) -> Any:
    """An array of this machine's memory; those of a device say `get`."""
    return np.asarray(x.get() if hasattr(x, "get") else x)


def active_leaves(entry: LiveEntry, wrt: tuple[str, ...]) -> list[bool]:
    """Of each leaf of the arguments, whether it is one of these parameters."""
    moving = set(places(entry, wrt))
    return [k in moving for k in range(len(entry.inputs.leaves))]
