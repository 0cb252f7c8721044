"""What an operation costs: operations on floats (*flops*), and bytes read from arrays and written to them.

A flop is an arithmetic operation or a comparison of floats; `exp`, `sin` and their like count several (the record of
each primitive says how many), arithmetic of integers, selections and conversions count nothing. Bytes are those of
arrays, operands and result; a number on its own stays in a register. In: the primitive, its types, and shapes whose
sizes are numbers or formulas. Out: a number or a formula.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .ir import Prim, Type
from .primitive import PRIMITIVES, Shape

BYTES = {"f64": 8, "f32": 4, "f16": 2, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u64": 8, "u32": 4, "u16": 2, "u8": 1,
         "bool": 1}


def elements(shape: Shape) -> Any:
    """How many elements an array of this shape has.

    >>> elements((3, 4))
    12
    """
    total: Any = 1
    for size in shape:
        total = size * total
    return total


def flops(op: Prim, types: Sequence[Type], shapes: Sequence[Shape], result: Type, shape: Shape) -> Any:
    """Operations on floats of one primitive, given types and shapes of operands and result."""
    record = PRIMITIVES[op.name]
    if not result.is_float and not any(t.is_float for t in types):
        return 0
    match record.flops:
        case None:
            return elements(shape) if record.elementwise else 0
        case int() as each:
            return elements(shape) * each if each else 0
        case count:
            return count(shapes, shape, dict(op.attrs))


def traffic(op: Prim, types: Sequence[Type], shapes: Sequence[Shape], result: Type, shape: Shape) -> Any:
    """Bytes that one primitive reads from arrays and writes to them."""
    def size(k: int) -> Any:
        return elements(shapes[k]) * BYTES[types[k].dtype] if types[k].rank else 0

    whole = elements(shape) * BYTES[result.dtype] if result.rank else 0
    others = range(1, len(types))
    match PRIMITIVES[op.name].moves:
        case "none":
            return 0
        case "result":
            return whole
        case "part":
            read = elements(shape) * BYTES[types[0].dtype] if types[0].rank else 0
            return total([whole, read, *(size(k) for k in others)])
        case "place":
            written = elements(shapes[-1 if op.name == "scatter" else 1]) * BYTES[result.dtype]
            return total([written, *(size(k) for k in others)])
        case _:
            return total([whole, *(size(k) for k in range(len(types)))])


def total(parts: Sequence[Any]) -> Any:
    found: Any = 0
    for part in parts:
        found = part + found
    return found
