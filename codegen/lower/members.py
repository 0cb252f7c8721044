"""Members of the modules of numbers (`lang/members.py`), as statements of IR; one rule to a name.

A rule gets the builder, the module's type and the arguments.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ...lang.core import ir
from ...lang.core.build import Builder
from ...lang.core.ir import Atom
from ...lang.members import MEMBERS, width
from ...lang.types import FLOATS

Rule = Callable[[Builder, str, Sequence[Atom]], Atom]

OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "//": "quot", "%": "mod", "%%": "rem", "**": "pow",
             "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge",
             "&": "band", "|": "bor", "^": "bxor", "<<": "shl", ">>": "shr", ">>>": "ushr"}
"""The primitive of each infix operator. Shifts to the right of unsigned numbers fill with zeros, all by themselves."""
LOGIC = {"&": "and", "|": "or", "^": "xor"}
"""The same of bools; both operands are evaluated."""
DIVISIONS = ("div", "quot", "mod", "rem")


def operator(b: Builder, op: str, x: Atom, y: Atom) -> Atom:
    """`x op y` of numbers; the divisor of integers is checked."""
    name = OPERATORS[op]
    if x.type.dtype == "bool" and op in LOGIC:
        name = LOGIC[op]
    if name in DIVISIONS and not y.type.is_float:
        y = b.prim("check_divisor", y)
    return b.prim(name, x, y)


def _cast(b: Builder, x: Atom, to: str) -> Atom:
    return x if x.type.dtype == to else b.prim("cast", x, to=to)


def _bits(b: Builder, x: Atom) -> Atom:
    """A number as an integer of its width."""
    return b.prim("bitcast", x, to=f"u{width(x.type.dtype)}") if x.type.is_float else x


def _get_bit(b: Builder, dtype: str, args: Sequence[Atom]) -> Atom:
    x = _bits(b, args[1])
    shifted = b.prim("ushr", x, _cast(b, args[0], x.type.dtype))
    return _cast(b, b.prim("band", shifted, ir.Const(1, x.type.dtype)), "i32")


def _set_bit(b: Builder, dtype: str, args: Sequence[Atom]) -> Atom:
    x = _bits(b, args[1])
    at = _cast(b, args[0], x.type.dtype)
    others = b.prim("band", x, b.prim("bnot", b.prim("shl", ir.Const(1, x.type.dtype), at)))
    result = b.prim("bor", others, b.prim("shl", _cast(b, args[2], x.type.dtype), at))
    return b.prim("bitcast", result, to=dtype) if dtype in FLOATS else result


def _recip(b: Builder, dtype: str, args: Sequence[Atom]) -> Atom:
    return b.div(ir.Const(1.0, dtype), args[0])


def _lerp(b: Builder, dtype: str, args: Sequence[Atom]) -> Atom:
    start, end, at = args
    return b.add(start, b.mul(b.sub(end, start), at))


def _from_fraction(b: Builder, dtype: str, args: Sequence[Atom]) -> Atom:
    return b.div(_cast(b, args[0], dtype), _cast(b, args[1], dtype))


def _infix(op: str) -> Rule:
    return lambda b, dtype, args: operator(b, op, args[0], args[1])


def _prim(name: str, **attrs: str) -> Rule:
    return lambda b, dtype, args: b.prim(name, *args, **attrs)


RULES: dict[str, Rule] = {
    **{op: _infix(op) for op in OPERATORS},
    "not": _prim("bnot"),
    "get_bit": _get_bit,
    "set_bit": _set_bit,
    "popc": _prim("popc"),
    "clz": _prim("clz"),
    "ctz": _prim("ctz"),
    "mul_hi": _prim("mul_hi"),
    "mad_hi": lambda b, dtype, args: b.add(b.prim("mul_hi", args[0], args[1]), args[2]),
    "to_bits": lambda b, dtype, args: _bits(b, args[0]),
    "from_bits": lambda b, dtype, args: b.prim("bitcast", args[0], to=dtype),
    "to_i64": lambda b, dtype, args: _cast(b, args[0], "i64"),
    "to_f64": lambda b, dtype, args: _cast(b, args[0], "f64"),
    "from_fraction": _from_fraction,
    "recip": _recip,
    "lerp": _lerp,
    "mad": lambda b, dtype, args: b.add(b.mul(args[0], args[1]), args[2]),
    "fma": _prim("fma"),
    "ldexp": _prim("ldexp"),
}
assert set(MEMBERS) == set(RULES), set(MEMBERS) ^ set(RULES)
