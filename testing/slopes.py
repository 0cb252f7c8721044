"""Derivatives of numeric functions by differences, with their own errors: what `dad grad-check` compares with.

In: a function of one number to arrays of numbers. Out: its slope at 0 from both sides, from the left and from the
right, each with an estimate of its error. Differences at halved steps are extrapolated (Ridders, *Accurate computation
of F'(x) and F'(x) F''(x)*, Advances in Engineering Software 4, 1982); each number of the result picks the entry of the
tableau that has the smallest error.

>>> import numpy as np
>>> found = slopes(lambda t: np.array([np.exp(t), abs(t)]), 0.1)
>>> [float(round(x, 9)) for x in found.left.value], [float(round(x, 9)) for x in found.right.value]
([1.0, -1.0], [1.0, 1.0])
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
STEPS = 10
SHRINKS = 5
"""How often the first step is made ten times smaller where the function has no value."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Values, and how far off they may be."""

    value: Array
    error: Array


@dataclass(frozen=True, slots=True)
class Slopes:
    """None where the function has no values on that side."""

    both: Slope | None
    left: Slope | None
    right: Slope | None


def slopes(f: Callable[[float], Array], step: float, rounding: float = 2.0**-52) -> Slopes:
    """The slopes of `f` at 0, starting with differences over `step`; its values are rounded by so much, relatively."""
    here = f(0.0)
    size = rounding * (np.abs(here) + 1e-3 * np.max(np.abs(here), initial=0.0))
    found = Slopes(None, None, None)
    for _ in range(SHRINKS):
        steps = [step * 0.5**k for k in range(STEPS)]
        noise = [size / h for h in steps]
        ahead, behind = [f(h) for h in steps], [f(-h) for h in steps]
        right, left = finite(ahead), finite(behind)
        found = Slopes(
            extrapolated([(a - b) / (2 * h) for a, b, h in zip(ahead, behind, steps, strict=True)], noise, 4.0)
            if left and right else None,
            extrapolated([(here - b) / h for b, h in zip(behind, steps, strict=True)], noise, 2.0) if left else None,
            extrapolated([(a - here) / h for a, h in zip(ahead, steps, strict=True)], noise, 2.0) if right else None)
        if left and right:
            break
        step /= 10
    return found


def finite(values: Sequence[Array]) -> bool:
    return all(bool(np.all(np.isfinite(v))) for v in values)


def extrapolated(differences: Sequence[Array], noise: Sequence[Array], factor: float) -> Slope:
    """Neville's tableau; the error of the k-th column falls by `factor` ** k when the step is halved.

    `noise` is how far off each difference is by rounding.
    """
    best = np.array(differences[0], float)
    error = np.full(best.shape, np.inf)
    before = [best]
    for difference, rounded in zip(differences[1:], noise[1:], strict=True):
        row = [np.asarray(difference, float)]
        weight = 1.0
        for k, older in enumerate(before):
            weight *= factor
            row.append((weight * row[k] - older) / (weight - 1))
            off = np.maximum(np.abs(row[k + 1] - row[k]), np.abs(row[k + 1] - older)) + rounded
            better = off < error
            best, error = np.where(better, row[k + 1], best), np.where(better, off, error)
        before = row
    return Slope(best, error)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where `given` differs for certain: `wrong`, at each number; `expected` is the slope from both sides."""

    wrong: Array
    expected: Array


def compare(f: Callable[[float], Array], step: float, given: Array, tolerance: float, rounding: float = 2.0**-52
            ) -> Verdict | None:
    """Whether `given` is a slope of `f` at 0. None where differences cannot tell.

    At a kink every number between the slopes of the two sides is one. A number is called wrong only if differences over
    other steps say so too, and agree with each other.
    """
    given = np.asarray(given, float)
    first = slopes(f, step, rounding)
    if first.both is None and first.left is None and first.right is None:
        return None
    wrong = ~accepted(first, given, tolerance)
    expected = next(s.value for s in (first.both, first.left, first.right) if s is not None)
    if np.any(wrong):
        again = slopes(f, step * 0.317, rounding)
        wrong &= ~accepted(again, given, tolerance)
        for one, other in ((first.both, again.both), (first.left, again.left), (first.right, again.right)):
            if one is not None and other is not None:
                size = np.maximum(np.abs(one.value), np.abs(other.value))
                apart = np.abs(one.value - other.value)
                wrong &= apart <= 0.05 * np.maximum(size, np.abs(given)) + 10 * tolerance
    return Verdict(wrong, expected)


def accepted(found: Slopes, given: Array, tolerance: float) -> Array:
    """Where a number fits what is known of the slopes."""
    fits = np.zeros(np.shape(given), bool)
    for slope in (found.both, found.left, found.right):
        if slope is not None:
            fits |= np.abs(given - slope.value) <= room(slope, given, tolerance)
    if found.left is not None and found.right is not None:
        low, high = np.minimum(found.left.value, found.right.value), np.maximum(found.left.value, found.right.value)
        slack = room(found.left, given, tolerance) + room(found.right, given, tolerance)
        fits |= (given >= low - slack) & (given <= high + slack)
    return fits


def room(slope: Slope, given: Array, tolerance: float) -> Array:
    return tolerance * (1e-3 + np.maximum(np.abs(slope.value), np.abs(given))) + 10 * slope.error
