"""Run-time checks: each returns its first argument, or raises RunError for the first element that fails.

The last argument of each is the place in the source, `file:line`. Messages have the words of `lang.prims.checks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import RunError


def everywhere(holds: Any) -> bool:
    return bool(holds.all()) if isinstance(holds, np.ndarray) else bool(holds)


def first_failing(holds: Any, *values: Any) -> list[Any]:
    """The values at the first place where `holds` is false."""
    arrays = np.broadcast_arrays(holds, *values)
    at = np.unravel_index(int(np.argmin(arrays[0])), arrays[0].shape)
    return [a.item(at) for a in arrays[1:]]


def check_index(i: Any, n: Any, what: str, axis: int, where: str) -> Any:
    holds = (i >= 0) & (i < n)
    if not everywhere(holds):
        index, size = first_failing(holds, i, n)
        raise RunError("R101", f"index {index} is out of bounds for axis {axis} of `{what}` with size {size}", where)
    return i


def check_slice(start: Any, count: Any, step: Any, n: Any, what: str, axis: int, where: str) -> Any:
    last = start + (count - 1) * step
    inside = (start >= 0) & (start < n) & (last >= 0) & (last < n) & (count > 0)
    first = 0 - (step < 0)  # downwards, nothing begins below what is there: all of an empty array begins at -1
    holds = inside | (count == 0) & (start >= first) & (start <= n)
    if not everywhere(holds):
        begin, length, stride, size = first_failing(holds, start, count, step, n)
        raise RunError(
            "R102",
            f"slice of {length} elements from {begin} with step {stride} does not fit axis {axis} of "
            f"`{what}` with size {size}",
            where,
        )
    return start


def check_equal(a: Any, b: Any, what: str, where: str) -> Any:
    holds = a == b
    if not everywhere(holds):
        x, y = first_failing(holds, a, b)
        raise RunError("R103", f"{what}: {x} and {y} differ", where)
    return a


def check_divisor(d: Any, where: str) -> Any:
    if not everywhere(d != 0):
        raise RunError("R104", "integer division by zero", where)
    return d


def check_size(n: Any, what: str, where: str) -> Any:
    holds = n >= 0
    if not everywhere(holds):
        (size,) = first_failing(holds, n)
        raise RunError("R105", f"{what}: negative size {size}", where)
    return n


def check_pivot(k: Any, what: str, where: str) -> Any:
    holds = k < 0
    if not everywhere(holds):
        (pivot,) = first_failing(holds, k)
        raise RunError("R107", f"{what}: pivot {pivot}", where)
    return k


def check_settled(off: Any, tolerance: Any, iterations: Any, what: str, where: str) -> Any:
    holds = off <= tolerance
    if not everywhere(holds):
        x, asked, count = first_failing(holds, off, tolerance, iterations)
        k = digits("check_settled", (x, asked))
        said = f"off by {x:.{k}g} after {count:.0f} iterations, where {asked:.{k}g} is asked"
        raise RunError("R108", f"`{what}` has not converged: {said}", where)
    return off


def check_range(x: Any, low: Any, high: Any, *rest: Any) -> Any:
    """`rest`: the places of `x` in the arrays that hold it, then attributes and the place in the source."""
    *index, what, bound, exclusive, shown, where = rest
    holds = (x >= low) & (x <= high)
    if exclusive:  # but an infinite limit is none
        holds = holds & ((x > low) | (low == -np.inf)) & ((x < high) | (high == np.inf))
    if not everywhere(holds):
        found, least, most, *places = first_failing(holds, x, low, high, *index)
        for at in places:
            what = what.replace("[]", f"[{at}]", 1)
        what = what.replace("][", ", ")
        k = digits("check_range", (found, least, most))
        if shown:
            limits = {"low": f"{least:.{k}g}", "high": f"{most:.{k}g}", "both": f"{least:.{k}g}..{most:.{k}g}"}
            bound += f", which is {limits[shown]}"
        raise RunError("R111", f"{what} is {found:.{k}g}, but must be {bound}", where)
    return x


def digits(name: str, args: Sequence[Any]) -> int:
    """How many digits tell the first number from the others that check `name` compares it with and that it is not."""
    least, compared = {"check_range": (6, 3), "check_settled": (3, 2)}.get(name, (17, 0))
    x, *limits = args[:compared] or [0]
    return next((k for k in range(least, 17) if all(x == y or f"{x:.{k}g}" != f"{y:.{k}g}" for y in limits)), 17)


def check_assert(c: Any, what: str, where: str) -> Any:
    if not everywhere(c):
        raise RunError("R106", what, where)
    return c
