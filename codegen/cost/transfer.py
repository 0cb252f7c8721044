"""What is known of the result of a primitive, from what is known of its operands."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ...lang.core import ir
from ...lang.formulas import Formula, opaque
from ...lang.prims import PRIMITIVES
from ...lang.sizes import OversizedSize
from .values import POSITION, Abstract, known

KEEPS = frozenset((
    "zeros_like", "reverse", "rotate", "update", "accumulate", "update_slice", "accumulate_slice", "accumulate_at",
    "max_at", "min_at", "scatter", "cumsum", "cumprod", "cummax", "cummin", "argsort", "stop_grad", "triangle",
    "inverse", "cofactors", "cholesky", "orthogonal"))
FOLDS = frozenset(("sum", "ordered_sum", "prod", "maximum", "minimum", "all", "any", "argmax", "argmin"))
OPERATIONS = {"div": "/", "mod": "%", "quot": "//", "rem": "%%", "pow": "**", "min": "min", "max": "max", "eq": "eq",
              "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}


def shape_of(op: ir.Prim, args: Sequence[Abstract], number: Callable[[int], Formula],
             rank: int) -> tuple[Formula | None, ...]:
    """The sizes of the result; `number` gives the value of an operand. None: only the value itself knows."""
    shapes = [a.shape for a in args]
    match op.name:
        case "iota":
            return (number(0),)
        case "replicate":
            return (number(0), *shapes[1])
        case "stack":
            return (Formula.of(len(args)), *shapes[0])
        case "concat":
            total = Formula.of(0)
            for shape in shapes:
                total = total + shape[0]
            return (total, *shapes[0][1:])
        case "transpose":
            perm = op.attr("perm")
            assert isinstance(perm, tuple)
            return tuple(shapes[0][k] for k in perm)
        case "reshape":
            return tuple(number(k) for k in range(1, len(args)))
        case "slice":
            axis = op.attr("axis")
            return tuple(number(2) if k == axis else size for k, size in enumerate(shapes[0]))
        case "index":
            return shapes[0][len(args) - 1:]
        case "gather":
            return (*shapes[1], *shapes[0][len(args) - 1:])
        case "matmul":
            return (*shapes[0][:-1], shapes[1][-1])
        case "solve" | "solve_triangular":
            return shapes[1]
        case "log_det" | "det" | "failed_pivot":
            return shapes[0][:rank]
        case name if name in KEEPS:
            return shapes[0]
        case name if name in FOLDS:
            axis = op.attr("axis")
            return tuple(size for k, size in enumerate(shapes[0]) if k != axis)
        case name if PRIMITIVES[name].elementwise:
            return max(shapes, key=len)
        case _:
            return (None,) * rank


def value_of(op: ir.Prim, args: Sequence[Abstract], type: ir.Type) -> Formula | None:
    """The number that the result is, or the one at `POSITION` of a vector."""
    if type.dtype not in ("i64", "bool") or type.rank > 1:
        return None
    values = [a.value for a in args]
    if op.name == "dim":
        axis = op.attr("axis")
        assert isinstance(axis, int)
        return args[0].shape[axis]
    if PRIMITIVES[op.name].fails:
        return values[0]
    if op.name == "index":
        array, place = values[0], values[1]
        if len(args) != 2 or len(args[0].shape) != 1 or array is None:
            return None
        if POSITION not in array.atoms():
            return array
        return None if place is None else array.substitute({POSITION: place})
    if op.name == "replicate":
        return values[1]
    if op.name == "iota":
        return Formula.of(POSITION)
    if op.name == "select":
        if (parts := known(*values)) is None or any(len(a.shape) != type.rank for a in args[1:]):
            return None
        yes, x, y = parts
        return y + yes * (x - y)
    if op.name == "zeros_like":
        return Formula.of(0)
    found = known(*values)
    try:
        return None if found is None else arithmetic(op.name, found)
    except OversizedSize:
        return None


def arithmetic(name: str, args: Sequence[Formula]) -> Formula | None:
    one = Formula.of(1)
    match name:
        case "add":
            return args[0] + args[1]
        case "sub":
            return args[0] - args[1]
        case "mul" | "and":
            return args[0] * args[1]
        case "neg":
            return -args[0]
        case "not":
            return one - args[0]
        case "or":
            return args[0] + args[1] - args[0] * args[1]
        case "xor":
            return args[0] + args[1] - 2 * args[0] * args[1]
        case name if name in OPERATIONS:
            return opaque(OPERATIONS[name], args[0], args[1])
        case _:
            return None
