"""Grades of a checked program: which definitions are looked at, what their roots are called, and what comes of it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lang.diagnostics.report import Diagnostics

if TYPE_CHECKING:
    from .checker.result import Checked, Definition
    from .grades.report import Graded, Report, Root


def graded(checked: Checked, names: Sequence[str] | None = None) -> Report:
    """The report of the user's definitions, in order, or of those that `names` has."""
    from .grades.messages import said
    from .grades.report import Report

    found: dict[str, Graded] = {}
    for definition in checked.definitions.values():
        if own(checked, definition) and (names is None or definition.name in names):
            one = grade(checked, definition)
            if one is not None:
                found[definition.name] = one
    return said(Report(found))


def own(checked: Checked, definition: Definition) -> bool:
    """Whether it is written in the user's files."""
    return not definition.node.span.source.shipped


def grade(checked: Checked, definition: Definition) -> Graded | None:
    """Of one definition; None where it has no result with floats, or can only be looked at where it is used."""
    from .codegen.lower import lower
    from .grades.walk import grade_function

    if definition.scheme.type_vars:
        return None
    try:
        made = lower(checked, (), [definition])
    except (Diagnostics, TypeError):
        return None
    function = made.entries[definition.qualified]
    return grade_function(made.program, function, roots(definition), definition.node.name_span, definition.name)


def roots(definition: Definition) -> list[Root | None]:
    """One to each parameter of the IR function: what a float is called in the source, None if it is held fixed."""
    from .codegen.lower.values import RecV, SumV, TupV, Value, from_type
    from .grades.report import Root
    from .lang.core import ir

    found: list[Root | None] = []

    def walk(value: Value, name: str, fixed: bool) -> None:
        match value:
            case TupV(items):
                for k, item in enumerate(items):
                    walk(item, f"{name}.{k}", fixed)
            case RecV(fields):
                for field, item in fields:
                    walk(item, f"{name}.{field}", fixed)
            case SumV(tag, cases):
                if tag is not None:
                    found.append(None)
                for case, payload in cases:
                    for k, item in enumerate(payload):
                        walk(item, f"{name}.{case}" + (f".{k}" if len(payload) > 1 else ""), fixed)
            case ir.Var(type=t) | ir.Const(type=t):
                found.append(None if fixed or not t.is_float else Root(name, t.rank, definition.node.name_span))
            case _:
                raise TypeError("a function has no floats of its own")

    for t, name, activity in zip(definition.param_types, definition.param_names, definition.activities, strict=True):
        walk(from_type(t, lambda t, sizes: ir.Var(0, "", t)), name, activity == "data")
    return found
