"""The checker: from syntax to a program with a type at every expression and a meaning at every name.

`check` reports everything that is wrong in one run and gives None; otherwise it gives the tables that lowering reads.
Inside: `scope` (names), `typexp` (types in the source), `infer`, `calls`, `arrays`, `patterns`, `functions`
(expressions), `unify` and `constraints` (what is inferred), `definitions` (declarations), `activity` (param and
data), `messages` (prose).
"""
from __future__ import annotations

from collections.abc import Callable

from ..lang.diagnostics.report import Reporter
from ..lang.source import Span
from ..lang.surface import ast
from .definitions import check_file
from .result import Checked
from .scope import FileScope, Session

__all__ = ["Checked", "check"]


def check(program: ast.Program, report: Reporter, *,
          resolve_import: Callable[[str, Span], ast.Program | None] | None = None) -> Checked | None:
    """Check a file and what it imports. `resolve_import` gives the syntax of an imported file, None when it has
    reported.

    Everything found goes to `report`, in the order of the source; the result is None when there are errors.
    """
    before = len(report.diagnostics)
    session = Session(report, resolve_import)
    file = FileScope()
    check_file(session, program, file)
    found = report.diagnostics[before:]
    found.sort(key=lambda d: d.span.start if d.span is not None else 0)
    report.diagnostics[before:] = found
    if report.failed:
        return None
    tables = session.tables
    entries = tuple(d for d in session.definitions.values() if d.entry)
    return Checked(session.definitions, entries, session.types, tables.patterns, tables.uses, tables.bindings,
                   tables.schemes, tables.opened, tables.size_values, tables.binding_sizes, tables.field_sizes,
                   tables.global_sizes, tables.loop_sizes,
                   tables.flat, tables.proved, tables.recursive)
