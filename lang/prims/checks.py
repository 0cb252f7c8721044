"""Run-time checks: they fail with a code and a message, or return their first argument, on which users then depend.

All work elementwise, so that a check inside a map can run on all elements at once; the first failing one is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core.ir import BOOL, INTEGERS, Type
from ..core.primitive import Attrs, Primitive, register
from .common import elementwise_rank, expect_attrs, expect_count, fail

# What each check says: error code, and message over its argument values, and attributes. Back ends use the same words.
MESSAGES: dict[str, tuple[str, str]] = {
    "check_index": ("R101", "index {0} is out of bounds for axis {axis} of `{what}` with size {1}"),
    "check_slice": (
        "R102",
        "slice of {1} elements from {0} with step {2} does not fit axis {axis} of `{what}` with size {3}",
    ),
    "check_equal": ("R103", "{what}: {0} and {1} differ"),
    "check_divisor": ("R104", "integer division by zero"),
    "check_size": ("R105", "{what}: negative size {0}"),
    "assert": ("R106", "{what}"),
    "check_pivot": ("R107", "{what}: pivot {0}"),
    "check_settled": (
        "R108",
        "`{what}` has not converged: off by {0:.{digits}g} after {2:.0f} iterations, where {1:.{digits}g} is asked",
    ),
    "check_range": ("R111", "{what} is {0:.{digits}g}, but must be {bound}"),
}


class CheckFailed(Exception):
    """A check that did not hold; whoever runs the program adds the source line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def message_of(name: str, args: Sequence[object], attrs: Attrs) -> str:
    """The message of check `name` on these scalar arguments."""
    # Attributes come from source text and may hold braces: they are put in by `format`, never formatted themselves.
    return template_of(name, attrs).format(*args, **attrs, digits=digits(name, args))


def digits(name: str, args: Sequence[Any]) -> int:
    """How many digits tell the first number from the others that check `name` compares it with and that it is not."""
    least, compared = {"check_range": (6, 3), "check_settled": (3, 2)}.get(name, (17, 0))
    x, *limits = args[:compared] or [0]
    return next((k for k in range(least, 17) if all(x == y or f"{x:.{k}g}" != f"{y:.{k}g}" for y in limits)), 17)


def template_of(name: str, attrs: Attrs) -> str:
    """What check `name` says, over its argument values, `attrs` and `digits`."""
    if name != "check_range":
        return MESSAGES[name][1]
    # The places in arrays are further arguments: one for each `[]` in what stands outside of its bounds.
    what, bound = (str(attrs[key]).replace("{", "{{").replace("}", "}}") for key in ("what", "bound"))
    for place in range(3, 3 + what.count("[]")):
        what = what.replace("[]", f"[{{{place}}}]", 1)
    x, low, high = (f"{{{k}:.{{digits}}g}}" for k in range(3))
    shown = {"low": f", which is {low}", "high": f", which is {high}", "both": f", which is {low}..{high}"}
    return what.replace("][", ", ") + f" is {x}, but must be {bound}" + shown.get(str(attrs["shown"]), "")


def _verify(name: str, holds: Any, args: Sequence[Any], attrs: Attrs) -> Any:
    import numpy as np

    first, *_ = arrays = np.broadcast_arrays(*args)
    if not np.all(holds):
        at = np.unravel_index(int(np.argmin(holds)), first.shape)
        raise CheckFailed(MESSAGES[name][0], message_of(name, [a.item(at) for a in arrays], attrs))
    return first[()]


def _check_index(i: Any, n: Any, what: str, axis: int) -> Any:
    return _verify("check_index", (i >= 0) & (i < n), [i, n], {"what": what, "axis": axis})


def _check_slice(start: Any, count: Any, step: Any, n: Any, what: str, axis: int) -> Any:
    last = start + (count - 1) * step
    inside = (start >= 0) & (start < n) & (last >= 0) & (last < n) & (count > 0)
    first = 0 - (step < 0)  # downwards, nothing begins below what is there: all of an empty array begins at -1
    empty = (count == 0) & (start >= first) & (start <= n)
    return _verify("check_slice", inside | empty, [start, count, step, n], {"what": what, "axis": axis})


def _check_equal(a: Any, b: Any, what: str) -> Any:
    return _verify("check_equal", a == b, [a, b], {"what": what})


def _check_divisor(d: Any) -> Any:
    return _verify("check_divisor", d != 0, [d], {})


def _check_size(n: Any, what: str) -> Any:
    return _verify("check_size", n >= 0, [n], {"what": what})


def _check_pivot(k: Any, what: str) -> Any:
    return _verify("check_pivot", k < 0, [k], {"what": what})


def _check_settled(off: Any, tolerance: Any, iterations: Any, what: str) -> Any:
    return _verify("check_settled", off <= tolerance, [off, tolerance, iterations], {"what": what})


def _check_range(x: Any, low: Any, high: Any, *index: Any, what: str, bound: str, open: bool, shown: str) -> Any:
    inside = (x >= low) & (x <= high)
    if open:  # but a limit that is infinite is none: infinity is greater than 0
        inside = inside & ((x > low) | (low == -math.inf)) & ((x < high) | (high == math.inf))
    attrs: Attrs = {"what": what, "bound": bound, "shown": shown}
    return _verify("check_range", inside, [x, low, high, *index], attrs)


def _assert(c: Any, what: str) -> Any:
    return _verify("assert", c, [c], {"what": what})


def _check(name: str, count: int, dtypes: Sequence[str], evaluate: Any, attributes: dict[str, type], doc: str) -> None:
    def infer(args: Sequence[Type], attrs: Attrs) -> Type:
        expect_count(args, count)
        expect_attrs(attrs, **attributes)
        for arg in args:
            if arg.dtype not in dtypes or arg.dtype != args[0].dtype:
                raise fail(f"operands of types {', '.join(map(str, args))}")
        return Type(args[0].dtype, elementwise_rank(args))

    register(
        Primitive(
            name,
            infer,
            evaluate,
            elementwise=True,
            flat=True,
            fails=True,
            flops=0,
            moves="none",
            grade="flat",
            doc=doc,
        )
    )


_check("check_index", 2, ("i64",), _check_index, {"what": str, "axis": int}, "0 <= i < n, else R101; gives i.")
_check(
    "check_slice",
    4,
    ("i64",),
    _check_slice,
    {"what": str, "axis": int},
    "start, start + step, … (count of them) lie in 0 .. n-1, or count is 0 and 0 <= start <= n (-1 <= start for "
    "step < 0); else R102; gives start",
)
_check("check_equal", 2, ("i64",), _check_equal, {"what": str}, "a == b, else R103; gives a.")
_check("check_divisor", 1, INTEGERS, _check_divisor, {}, "d != 0, else R104; gives d.")
_check("check_size", 1, ("i64",), _check_size, {"what": str}, "n >= 0, else R105; gives n.")
_check("check_pivot", 1, ("i64",), _check_pivot, {"what": str}, "k < 0, else R107: a matrix has no factor; gives k.")
_check("check_settled", 3, ("f64",), _check_settled, {"what": str},
       "off <= tolerance, else R108: a search has not converged, after so many iterations; gives off.")
register(
    Primitive(
        "check_range",
        lambda args, attrs: _ranged(args, attrs),
        _check_range,
        elementwise=True,
        flat=True,
        fails=True,
        flops=0,
        moves="none",
        grade="flat",
        doc="low <= x <= high, or low < x < high where `open` (an infinite limit is none), else R111; gives x. "
        "Further operands are the places in "
        "the arrays that hold x, one for each `[]` in `what`. `bound` is as the program has it; `shown` (low, high, "
        "both, or nothing) says which limits are told as numbers, since the program computes them.",
    )
)


def _ranged(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, what=str, bound=str, open=bool, shown=str)
    if len(args) < 3 or any(a.dtype != ("f64" if k < 3 else "i64") for k, a in enumerate(args)):
        raise fail(f"operands of types {', '.join(map(str, args))}")
    return Type("f64", elementwise_rank(args))


_check("assert", 1, (BOOL.dtype,), _assert, {"what": str}, "c holds, else R106 with the message; gives c.")

register(
    Primitive(
        "mark",
        lambda args, attrs: _marked(args, attrs),
        lambda site, end: site,
        numpy="{0}",
        elementwise=True,
        flat=True,
        fails=True,
        moves="none",
        grade="flat",
        doc="Stands before the reverse sweep of derivative `site`, or (`end`) behind it, where someone asked for such "
        "marks; gives its argument. Like a check it stays where it is.",
    )
)


def _marked(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 1)
    expect_attrs(attrs, end=bool)
    return args[0]
