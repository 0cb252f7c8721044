"""Recognises reduce and scan with a known operator: `reduce (+) 0 xs` becomes `sum`, `scan max` becomes `cummax`.

In: a reduce or scan whose body is simplified, of which component k is op(accumulator k, element k) and nothing else, op
being + * min max && ||; directly, on whole rows, or as a map over rows (a vectorised operator). Out: the atoms of its
results. A neutral element other than the operator's own is combined with the result: reduce (+) 5 xs = 5 + sum xs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.ir import Atom, Const, Lambda, Prim, Var

if TYPE_CHECKING:
    from .simplify import Simplifier

FOLDS = {"add": "sum", "mul": "prod", "max": "maximum", "min": "minimum", "and": "all", "or": "any"}
PREFIXES = {"add": "cumsum", "mul": "cumprod", "max": "cummax", "min": "cummin"}


def recognise(s: Simplifier, op: ir.Reduce | ir.Scan) -> tuple[Atom, ...] | None:
    """The results by known primitives, or None."""
    names = FOLDS if isinstance(op, ir.Reduce) else PREFIXES
    count = len(op.neutral)
    if not all(s.effects.harmless(stmt.op) for stmt in op.body.body.stmts):
        return None
    operators = []
    for k in range(count):
        operator = operator_of(op.body, op.body.params[k], op.body.params[count + k], op.body.body.results[k])
        if operator not in names:
            return None
        operators.append(operator)
    results: list[Atom] = []
    for array, neutral, operator in zip(op.arrays, op.neutral, operators, strict=True):
        result = s.emit(Prim(names[operator], (array,), (("axis", 0),)), names[operator])
        results.append(_with_neutral(s, op, operator, neutral, result))
    return tuple(results)


def operator_of(body: Lambda, acc: Var, element: Var, result: Atom) -> str:
    """The primitive of which `result` is the application to `acc` and `element`; "" if there is none."""
    made = {var: stmt.op for stmt in body.body.stmts for var in stmt.vars[:1] if len(stmt.vars) == 1}
    op = made.get(result) if isinstance(result, Var) else None
    while isinstance(op, ir.Map) and len(op.arrays) == 2 and set(op.arrays) == {acc, element}:
        acc, element = op.body.params
        if len(op.body.body.stmts) != 1 or op.body.body.results != op.body.body.stmts[0].vars:
            return ""
        op = op.body.body.stmts[0].op
    if isinstance(op, Prim) and op.args in ((acc, element), (element, acc)) and acc.type == element.type:
        return op.name
    return ""


def _with_neutral(s: Simplifier, op: ir.Reduce | ir.Scan, operator: str, neutral: Atom, result: Atom) -> Atom:
    if _is_identity(s, operator, neutral):
        return result
    if neutral.type.rank == 0 or isinstance(op, ir.Reduce):
        return s.emit(Prim(operator, (neutral, result)), "t")
    # Scan over rows: the neutral row meets every row of the result.
    assert isinstance(result, Var)
    rows = s.emit(Prim("replicate", (s.atom_of(s.size(result, 0)), neutral)), "neutral")
    return s.emit(Prim(operator, (rows, result)), "t")


def _is_identity(s: Simplifier, operator: str, neutral: Atom) -> bool:
    """Whether op(neutral, x) = x for every x."""
    made = s.prim(neutral)
    while made is not None and made.name == "replicate":
        neutral = s.resolve(made.args[1])
        made = s.prim(neutral)
    if made is not None and made.name == "zeros_like":
        return operator == "add"
    if not isinstance(neutral, Const):
        return False
    dtype, value = neutral.dtype, neutral.value
    match operator:
        case "add":
            return value == 0
        case "mul":
            return value == 1
        case "and" | "or":
            return bool(value) == (operator == "and")
        case _:
            return value == extreme(dtype, highest=operator == "min")


def extreme(dtype: str, *, highest: bool) -> int | float:
    """The largest or smallest value of a dtype, infinities included."""
    if dtype in ir.FLOATS:
        return math.inf if highest else -math.inf
    bits = int(dtype[1:])
    if dtype in ir.UNSIGNED:
        return (1 << bits) - 1 if highest else 0
    return (1 << (bits - 1)) - 1 if highest else -(1 << (bits - 1))
