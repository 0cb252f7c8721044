"""What a program says of its own smoothness, where lowering is asked to write it down (`lower(..., promises=True)`).

`dad check` looks at these. No program that runs has them: a compilation is lowered without.
"""
from __future__ import annotations

from collections.abc import Sequence

from ..core.ir import I64, Type
from ..core.primitive import Attrs, Primitive, register
from .common import expect_attrs, fail, tangent_or_zero


def _promise(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, kind=str, grade=str, of=str, tolerance=str, reason=str)
    if not args or not args[0].is_float:
        raise fail("a promise about no float")
    return args[0]


def _demand(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_attrs(attrs, function=str, grade=str, of=str, by=str, parameter=str)
    return I64


register(
    Primitive(
        "promise",
        _promise,
        lambda x, *of, **attrs: x,
        numpy="{0}",
        jvp=lambda b, args, y, dargs, attrs: None if not any(dargs) else tangent_or_zero(b, dargs[0], args[0]),
        vjp=lambda b, args, y, dy, attrs: (dy, *(b.zeros_like(x) if x.type.is_float else None for x in args[1:])),
        flops=0,
        moves="none",
        doc="Its first argument. `kind` says what is said of it: `promise` and `assume` have a `grade` in the other "
        "arguments (in everything, where there are none), which are called `of`, with commas between; an assumption "
        "has a `reason`, and its grade may be a sign: positive, nonnegative, nonzero. `approx`: jumps up to "
        "`tolerance` are taken for none. `allow`: the `grade` is accepted, for a `reason`.",
    )
)
register(
    Primitive(
        "demand",
        _demand,
        lambda *captured, **attrs: 0,
        numpy="0",
        flat=True,
        flops=0,
        moves="none",
        grade="flat",
        doc="The `function` of the program, whose first parameters are the arguments, must have the `grade` in its "
        "other parameters (in those called `of`, where it says some): parameter `parameter` of the definition `by` "
        "says so.",
    )
)
