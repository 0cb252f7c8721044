"""One Python expression to each primitive that computes a value without changing another.

A rule gets the operands as trees and says the result as a tree. Primitives without a rule here use the template of
their record; importing this module fails for one that has neither, or both. Scalars are NumPy scalars, so that
arithmetic is IEEE's and wraps around; sizes, loop counters and their sums stay Python integers, and a literal becomes
a NumPy scalar where otherwise Python alone would compute.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence

from ....lang.core import ir
from ....lang.core.data import table_of
from ....lang.core.ir import Atom, Const, Prim, Type, Var
from ....lang.core.primitive import PRIMITIVES
from ....lang.prims.common import NUMPY_NAMES
from . import contraction
from .syntax import (
    WHOLE,
    binary,
    call,
    const,
    dotted,
    filled,
    ints,
    list_,
    method,
    name,
    shape_of,
    subscript,
    tuple_,
)

Operands = Sequence[ast.expr]
Rule = Callable[[Prim, Operands], ast.expr]


def dtype(of: str) -> ast.expr:
    return dotted("np.bool_" if of == "bool" else f"np.{NUMPY_NAMES[of]}")


def literal(value: Const, *, typed: bool = False) -> ast.expr:
    """A constant; `typed` where its dtype must not be left to the other operand."""
    if value.dtype in ir.FLOATS:
        number = float(value.value)
        if math.isnan(number):
            plain = dotted("np.nan")
        elif math.isinf(number):
            plain = dotted("np.inf") if number > 0 else ast.UnaryOp(ast.USub(), dotted("np.inf"))
        else:
            plain = const(number)
        return plain if value.dtype == "f64" and not typed else ast.Call(dtype(value.dtype), [plain], [])
    if value.dtype == "bool":
        return call("np.bool_", const(bool(value.value))) if typed else const(bool(value.value))
    plain = const(int(value.value))
    return plain if value.dtype == "i64" and not typed else ast.Call(dtype(value.dtype), [plain], [])


def is_small(atom: Atom, small: set[Var]) -> bool:
    """Whether the atom is a Python integer that sums cannot bring out of range: a size, a counter, a little literal."""
    if isinstance(atom, Const):
        return atom.dtype == "i64" and abs(atom.value) < 1 << 31
    return atom in small


def stays_small(op: Prim, small: set[Var]) -> bool:
    match op.name:
        case "dim":
            return True
        case "add" | "sub" | "min" | "max":
            return all(is_small(a, small) for a in op.args)
    return False


# ------------------------------------------------------------------ elementwise


def elementwise(op: Prim, args: Operands, small: set[Var]) -> ast.expr:
    scalar = all(a.type.rank == 0 for a in op.args)
    kind = op.args[0].type.dtype
    if op.name in _ARITHMETIC and scalar and not stays_small(op, small):
        args = _numpy_first(op, args, small)
    match op.name:
        case "div":
            return binary("/" if kind in ir.FLOATS else "//", args[0], args[1])
        case "mod" if kind not in ir.FLOATS:
            return binary("%", args[0], args[1])
        case "pow":
            exponent = op.args[1]
            if isinstance(exponent, Const) and exponent.value == 2:
                return call("np.square", args[0])
            return call("np.power" if kind in ir.FLOATS else "int_power", *args)
        case "min" | "max" if scalar and stays_small(op, small):
            return call(op.name, *args)
        case "not":
            return ast.UnaryOp(ast.Not() if scalar else ast.Invert(), args[0])
        case "select" if op.args[0].type.rank == 0 and scalar:
            yes, no = (
                literal(a, typed=True) if isinstance(a, Const) else tree
                for a, tree in zip(op.args[1:], args[1:], strict=True)
            )
            return ast.IfExp(args[0], yes, no)
        case "cast":
            return _cast(op, args[0])
    template = PRIMITIVES[op.name].numpy
    assert template is not None, op.name
    return _helpers(filled(template, args, op.attrs))


_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "mod", "neg", "abs", "band", "bor", "bxor", "bnot", "quot", "rem"})
"""Where two Python numbers would compute as Python does: without bound, and raising on division by zero."""


def _numpy_first(op: Prim, args: Operands, small: set[Var]) -> Operands:
    if all(isinstance(a, Const) or a in small for a in op.args):
        first = op.args[0]
        head = literal(first, typed=True) if isinstance(first, Const) else call("np.int64", args[0])
        return [head, *args[1:]]
    return args


_HELPERS = {"_quot": "quotient", "_shl": "shift_left", "_shr": "shift_right", "_ushr": "shift_right_zero"}
"""Helpers that have a longer name than their primitive."""


def _helpers(tree: ast.expr) -> ast.expr:
    """Templates call helpers of `codegen.runtime` by a name with an underscore in front."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        short = tree.func.id
        return ast.Call(name(_HELPERS.get(short, short.removeprefix("_"))), tree.args, [])
    return tree


def _cast(op: Prim, x: ast.expr) -> ast.expr:
    to, of = op.attr("to"), op.args[0].type
    assert isinstance(to, str)
    if to == "bool":
        return ast.Compare(x, [ast.NotEq()], [const(0)])
    if of.is_float and to not in ir.FLOATS:
        return call("truncated", x, dtype(to))
    if of.rank == 0:
        # np.int8(300) refuses, astype wraps around
        if to in ir.FLOATS or (to == "i64" and of.dtype != "u64"):
            return ast.Call(dtype(to), [x], [])
        return method(ast.Call(dtype(of.dtype), [x], []), "astype", dtype(to))
    return method(x, "astype", dtype(to))


# ------------------------------------------------------------------ making arrays


def _iota(op: Prim, args: Operands) -> ast.expr:
    return call("np.arange", args[0], dtype=dtype("i64"))


def full(shape: Sequence[ast.expr], value: Atom, tree: ast.expr) -> ast.expr:
    """A new array of one scalar."""
    sizes = shape[0] if len(shape) == 1 else tuple_(shape)
    kind = value.type.dtype
    if isinstance(value, Const) and str(value.value) in ("0.0", "0", "False"):
        return call("np.zeros", sizes) if kind == "f64" else call("np.zeros", sizes, dtype(kind))
    return call("np.full", sizes, tree) if kind == "f64" else call("np.full", sizes, tree, dtype(kind))


def _replicate(op: Prim, args: Operands) -> ast.expr:
    x = op.args[1]
    if x.type.rank == 0:
        return full([args[0]], x, args[1])
    return call("spread", args[1], ints([0]), args[0])


def _broadcast(op: Prim, args: Operands) -> ast.expr:
    axes = op.attr("axes")
    assert isinstance(axes, tuple)
    if not axes:
        return args[0]
    if op.args[0].type.rank == 0:
        return full(args[1:], op.args[0], args[0])
    return call("spread", args[0], ints(axes), *args[1:])


def _zeros_like(op: Prim, args: Operands) -> ast.expr:
    kind = op.args[0].type.dtype
    return call("np.zeros", shape_of(args[0])) if kind == "f64" else call("np.zeros", shape_of(args[0]), dtype(kind))


def _dim(op: Prim, args: Operands) -> ast.expr:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return subscript(shape_of(args[0]), [const(axis)])


def _stack(op: Prim, args: Operands) -> ast.expr:
    first = op.args[0].type
    if first.rank == 0:
        return call("np.array", list_(args), dtype(first.dtype))
    return call("np.stack", list_(args))


def _pack(op: Prim, args: Operands) -> ast.expr:
    return call("np.stack", list_(args), axis=_axis(op))


# ------------------------------------------------------------------ rearranging


def _axis(op: Prim) -> ast.expr:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return const(axis)


def _expand(op: Prim, args: Operands) -> ast.expr:
    axes = op.attr("axes")
    assert isinstance(axes, tuple)
    rank = op.args[0].type.rank + len(axes)
    if op.args[0].type.rank == 0:
        return call("np.expand_dims", args[0], ints(axes))
    return subscript(args[0], [ast.Constant(None) if k in axes else WHOLE for k in range(rank)])


def _transpose(op: Prim, args: Operands) -> ast.expr:
    perm = op.attr("perm")
    assert isinstance(perm, tuple)
    return contraction.transposed(args[0], perm)


def _reshape(op: Prim, args: Operands) -> ast.expr:
    if len(args) == 1:
        return subscript(method(args[0], "reshape", tuple_([])), [tuple_([])])
    if op.args[0].type.rank == 0:
        return call("np.reshape", args[0], tuple_(args[1:]))
    return method(args[0], "reshape", *args[1:])


def _reverse(op: Prim, args: Operands) -> ast.expr:
    axis = op.attr("axis") if op.name == "flip" else 0
    assert isinstance(axis, int)
    backwards = ast.Slice(None, None, const(-1))
    return subscript(args[0], [*[WHOLE] * axis, backwards])


def _rotate(op: Prim, args: Operands) -> ast.expr:
    return call("rotated", *args, _axis(op)) if op.name == "roll" else call("rotated", *args)


def _concat(op: Prim, args: Operands) -> ast.expr:
    return (
        call("np.concatenate", list_(args), axis=_axis(op))
        if op.name == "join"
        else call("np.concatenate", list_(args))
    )


# ------------------------------------------------------------------ reading


def stretch(start: ast.expr, count: ast.expr, step: ast.expr) -> ast.expr:
    """The subscript of `count` places from `start`, `step` apart."""
    if not (isinstance(step, ast.Constant) and step.value == 1):
        return call("strided", start, count, step)
    if isinstance(start, ast.Constant):
        if start.value == 0:
            return ast.Slice(None, count)
        if isinstance(count, ast.Constant) and isinstance(start.value, int) and isinstance(count.value, int):
            return ast.Slice(start, const(start.value + count.value))
        return ast.Slice(start, binary("+", count, start))
    return ast.Slice(start, binary("+", start, count))


def _slice(op: Prim, args: Operands) -> ast.expr:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return subscript(args[0], [*[WHOLE] * axis, stretch(args[1], args[2], args[3])])


def _index(op: Prim, args: Operands) -> ast.expr:
    return subscript(args[0], args[1:])


def _take(op: Prim, args: Operands) -> ast.expr:
    lead, total = op.attr("lead"), op.attr("total")
    assert isinstance(lead, int)
    if total:
        return call("take", args[0], const(lead), *args[1:])
    return subscript(args[0], [*[WHOLE] * lead, *args[1:]])


def _gather(op: Prim, args: Operands) -> ast.expr:
    return call("gather", *args)


# ------------------------------------------------------------------ folds


def _fold(method_name: str) -> Rule:
    def rule(op: Prim, args: Operands) -> ast.expr:
        x = op.args[0].type
        keywords: dict[str, ast.expr] = {}
        if x.rank > 1:
            keywords["axis"] = _axis(op)
        if method_name in ("sum", "prod") and x.dtype not in ("f64", "f32", "i64", "u64"):
            keywords["dtype"] = dtype(x.dtype)
        if method_name in ("max", "min"):
            keywords["initial"] = _worst(x, method_name)
            if x.is_float:  # nan is passed over
                return call(f"np.f{method_name}.reduce", args[0], **keywords)
        return method(args[0], method_name, **keywords)

    return rule


def _worst(x: Type, extreme: str) -> ast.expr:
    """The extreme of nothing."""
    if x.is_float:
        return literal(Const(-math.inf if extreme == "max" else math.inf, "f64"))
    bits = int(x.dtype[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if x.dtype in ir.SIGNED else (0, (1 << bits) - 1)
    return const(low if extreme == "max" else high)


def _arg(function: str) -> Rule:
    return lambda op, args: call("arg_extreme", dotted(function), args[0], _axis(op))


def _prefix(function: str) -> Rule:
    def rule(op: Prim, args: Operands) -> ast.expr:
        kind = op.args[0].type.dtype
        keywords = {"axis": _axis(op)}
        if function in ("np.cumsum", "np.cumprod") and kind not in ("f64", "f32", "i64", "u64"):
            keywords["dtype"] = dtype(kind)
        array = args[0]
        if function.endswith("accumulate") and kind in ir.FLOATS:  # nan is passed over, also where it comes first
            extreme = function.split(".")[1]
            array = call(f"np.{extreme}", array, _worst(op.args[0].type, extreme[1:]))
        return call(function, array, **keywords)

    return rule


def _any_lane(op: Prim, args: Operands) -> ast.expr:
    return method(args[0], "any") if op.args[0].type.rank else args[0]


def _contract(op: Prim, args: Operands) -> ast.expr:
    spec = op.attr("spec")
    assert isinstance(spec, str)
    return contraction.contracted(spec, args[0], args[1])


def numbers_of(table: ir.Table) -> ast.expr:
    """A table's numbers as an array."""
    numbers = [literal(Const(value, table.dtype)) for value in table.values]
    return call("np.array", ast.List(numbers, ast.Load()), dtype(table.dtype))


RULES: dict[str, Rule] = {
    "iota": _iota,
    "table": lambda op, args: numbers_of(table_of(op)),
    "replicate": _replicate,
    "broadcast": _broadcast,
    "zeros_like": _zeros_like,
    "dim": _dim,
    "stack": _stack,
    "pack": _pack,
    "concat": _concat,
    "join": _concat,
    "stop_grad": lambda op, args: args[0],
    "expand": _expand,
    "transpose": _transpose,
    "reshape": _reshape,
    "reverse": _reverse,
    "flip": _reverse,
    "rotate": _rotate,
    "roll": _rotate,
    "slice": _slice,
    "index": _index,
    "take": _take,
    "gather": _gather,
    "sum": _fold("sum"),
    "prod": _fold("prod"),
    "maximum": _fold("max"),
    "minimum": _fold("min"),
    "all": _fold("all"),
    "any": _fold("any"),
    "argmax": _arg("np.argmax"),
    "argmin": _arg("np.argmin"),
    "argsort": lambda op, args: call("np.argsort", args[0], axis=_axis(op), kind=const("stable")),
    "cumsum": _prefix("np.cumsum"),
    "cumprod": _prefix("np.cumprod"),
    "cummax": _prefix("np.fmax.accumulate"),
    "cummin": _prefix("np.fmin.accumulate"),
    "any_lane": _any_lane,
    "contract": _contract,
}

VIEWS = frozenset(
    {
        "expand",
        "transpose",
        "reshape",
        "reverse",
        "flip",
        "slice",
        "index",
        "take",
        "stop_grad",
        "broadcast",
        "replicate",
        "rotate",
        "roll",
    }
)
"""Results that may share memory with the first array operand."""

REPEATING = frozenset({"broadcast", "replicate"})
"""Views in which one place of memory is several elements, so never to be written."""

WRITES = {
    "update": "put",
    "put": "put",
    "update_slice": "put_slice",
    "scatter": "put_inside",
    "accumulate": "add",
    "put_add": "add",
    "accumulate_slice": "add_slice",
    "accumulate_at": "add_at",
    "max_at": "max_at",
    "min_at": "min_at",
}
"""Primitives that give an array with some places changed: done in place where the old array is not read again."""

CHECKS = {"check_index", "check_slice", "check_equal", "check_divisor", "check_size", "check_pivot", "check_settled",
          "check_range", "assert"}


OWN = frozenset({*RULES, *WRITES, *CHECKS, "div", "pow", "not", "cast"})
"""Primitives that are written here (the last four by `elementwise`), and so have no template."""

for _record in PRIMITIVES.values():
    if (_record.numpy is None) != (_record.name in OWN):
        raise TypeError(f"primitive {_record.name} needs either a NumPy template or a rule of the NumPy back end")


def value(op: Prim, args: Operands, small: set[Var]) -> ast.expr:
    """The expression of any primitive that is neither a write nor a check."""
    if op.name in RULES:
        return RULES[op.name](op, args)
    return elementwise(op, args, small)


def written(op: Prim, target: ast.expr, args: Operands) -> tuple[str, ast.expr, ast.expr | None]:
    """How to write: ("=" or "+=", place, value), or ("call", call that changes the target, None). `args` without the
    array.
    """
    match op.name:
        case "update":
            return "=", subscript(target, args[1:]), args[0]
        case "accumulate":
            return "+=", subscript(target, args[1:]), args[0]
        case "put" | "put_add":
            lead, total = op.attr("lead"), op.attr("total")
            assert isinstance(lead, int)
            if total:
                helper = "put_inside" if op.name == "put" else "add_inside"
                return "call", call(helper, target, args[0], const(lead), *args[1:]), None
            return "=" if op.name == "put" else "+=", subscript(target, [*[WHOLE] * lead, *args[1:]]), args[0]
        case "update_slice" | "accumulate_slice":
            axis = op.attr("axis")
            assert isinstance(axis, int)
            count = subscript(shape_of(args[0]), [const(axis)])
            place = subscript(target, [*[WHOLE] * axis, stretch(args[1], count, args[2])])
            return "=" if op.name == "update_slice" else "+=", place, args[0]
        case "scatter":
            return "call", call("put_inside", target, args[1], const(0), args[0]), None
        case "accumulate_at" | "max_at" | "min_at":
            return "call", call(WRITES[op.name], target, *args), None
    raise AssertionError(op.name)
