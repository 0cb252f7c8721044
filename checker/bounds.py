"""Which indices and slices of a definition are inside their axes for certain, and why the others are not known to be.

What comes out is for people: `dad show --stage bounds`. That proved ones need no check is `Checked.proved`.
"""
from __future__ import annotations

from ..lang.sizes import Size
from ..lang.surface import ast
from . import arrays
from .context import BoundsJob, Checker
from .messages import short
from .result import Bound


def verdict(c: Checker, job: BoundsJob, proved: bool) -> Bound:
    """What became of one index or slice, in words."""
    size = c.solver.size(job.size)
    why = "" if proved else _why(c, job, size)
    return Bound(job.node.span, " ".join(job.array.span.text.split()), " ".join(job.node.span.text.split()), job.axis,
                 str(size), proved, why)


def _why(c: Checker, job: BoundsJob, size: Size) -> str:
    given = (*job.facts, size)
    if isinstance(job.node, ast.Slice):
        if job.unknown:
            return f"{job.unknown} is known only when the program runs"
        start, length, rest = job.facts[-3:]
        given = (*job.facts[:-3], size)
        parts = ((start, "starts at 0 or later"), (length, "ends where it starts or later"),
                 (rest, f"ends within {size}"))
        return ", ".join(f"it is not known that it {what}" for part, what in parts
                         if not arrays.nonnegative(c, part, given, job.given))
    if job.value is None:
        return f"`{short(job.index.span.text)}` is a value that only the run knows"
    value = c.solver.size(job.value)
    missing = []
    if not arrays.nonnegative(c, value, given, job.given):
        missing.append(f"0 <= {value}")
    if not arrays.nonnegative(c, size - arrays.ONE - value, given, job.given):
        missing.append(f"{value} < {size}")
    return f"not known: {' and '.join(missing)}"
