"""Members of the modules of numbers that are neither overloaded primitives nor conversions: `i32.+`, `u8.popc`,
`f64.to_bits`.

Each has a signature in Dad's syntax, in which `t` is the module's type and `bits` the unsigned integer of its width;
`codegen/lower/members.py` holds their lowering under the same names.
"""
from __future__ import annotations

import re

from .types import FLOATS, INTEGERS

_BINARY = "(x: t) (y: t) : t"
_COMPARISON = "(x: t) (y: t) : bool"

MEMBERS: dict[str, tuple[frozenset[str], str]] = {
    # operators
    **dict.fromkeys(("+", "-", "*", "/", "%", "**"), (FLOATS | INTEGERS, _BINARY)),
    **dict.fromkeys(("//", "%%", "&", "|", "^", "<<", ">>", ">>>"), (INTEGERS, _BINARY)),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), (FLOATS | INTEGERS, _COMPARISON)),
    "not": (INTEGERS, "(x: t) : t"),
    # bits
    "get_bit": (FLOATS | INTEGERS, "(bit: i32) (x: t) : i32"),
    "set_bit": (FLOATS | INTEGERS, "(bit: i32) (x: t) (value: i32) : t"),
    "popc": (INTEGERS, "(x: t) : i32"),
    "clz": (INTEGERS, "(x: t) : i32"),
    "ctz": (INTEGERS, "(x: t) : i32"),
    "mul_hi": (INTEGERS, _BINARY),
    "mad_hi": (INTEGERS, "(a: t) (b: t) (c: t) : t"),
    "to_bits": (FLOATS, "(x: t) : bits"),
    "from_bits": (FLOATS, "(x: bits) : t"),
    # conversions and arithmetic
    "to_i64": (FLOATS | INTEGERS, "(x: t) : i64"),
    "to_f64": (FLOATS, "(x: t) : f64"),
    "from_fraction": (FLOATS, "(x: i64) (y: i64) : t"),
    "recip": (FLOATS, "(x: t) : t"),
    "lerp": (FLOATS, "(from: t) (to: t) (at: t) : t"),
    "mad": (FLOATS, "(a: t) (b: t) (c: t) : t"),
    "fma": (FLOATS, "(a: t) (b: t) (c: t) : t"),
    "ldexp": (FLOATS, "(x: t) (n: i32) : t"),
}
"""Which modules have the member, and its type."""

_WORD = re.compile(r"\b(?:t|bits)\b(?![:'])")


def width(dtype: str) -> int:
    """How many bits a number has: `width("u8")` is 8."""
    return int(dtype[1:])


def signature(module: str, name: str) -> str | None:
    """The type of `module.name`, in Dad's syntax; None where the module has no such member.

    >>> signature("f32", "from_bits")
    '(x: u32) : f32'
    """
    modules, text = MEMBERS.get(name, (frozenset(), ""))
    if module not in modules:
        return None
    return _WORD.sub(lambda word: module if word.group() == "t" else f"u{width(module)}", text)
