"""What the host computes, as Python writes it: numbers of 64 bits that wrap, and truth values."""

from __future__ import annotations

from collections.abc import Sequence

from ..loops import tree
from ..loops.tree import Imm


def literal(x: Imm) -> str:
    """A constant as Python writes it: the host knows numbers of other dtypes by their NumPy scalars."""
    if x.dtype in ("i64", "bool"):
        return repr(x.value)
    return f"host_number({x.value!r}, {x.dtype!r})" if x.value == x.value and abs(x.value) != float("inf") else \
        f"host_number(float({str(x.value)!r}), {x.dtype!r})"


OPERATORS = {"add": "+", "sub": "-", "mul": "*", "band": "&", "bor": "|", "bxor": "^"}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def python_of(node: tree.Scalar, args: Sequence[str]) -> str:
    """What the host computes: numbers of 64 bits that wrap, and truth values."""
    x, y = args[0], args[1] if len(args) > 1 else ""
    truth = node.args[0].dtype == "bool"
    match node.name:
        case "add" | "sub" | "mul" if not truth:
            return f"_wrapped({x} {OPERATORS[node.name]} {y})"
        case "neg":
            return f"_wrapped(-{x})"
        case "abs":
            return f"_wrapped(abs({x}))"
        case "min" | "max":
            return f"{node.name}({x}, {y})"
        case "and" | "or":
            return f"{x} {node.name} {y}"
        case "xor":
            return f"{x} != {y}"
        case "not":
            return f"not {x}"
        case "select":
            return f"{y} if {x} else {args[2]}"
        case "cast":
            return f"{x} != 0" if node.out.dtype == "bool" else f"int({x})"
        case "band" | "bor" | "bxor":
            return f"{x} {OPERATORS[node.name]} {y}"
        case _ if node.name in COMPARE:
            return f"{x} {COMPARE[node.name]} {y}"
    return f"_{node.name}({x}, {y})"
