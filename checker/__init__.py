"""The checker: from syntax to a program with a type at every expression and a meaning at every name.

`check` reports everything that is wrong in one run and gives None; otherwise it gives the tables that lowering reads.
Inside: `scope` (names), `typexp` (types in the source), `infer`, `calls`, `arrays`, `patterns`, `functions`
(expressions), `unify` and `constraints` (what is inferred), `definitions` (declarations), `activity` (param and
data), `messages` (prose).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..lang.diagnostics.report import Reporter
from ..lang.source import Span
from ..lang.surface import ast
from .definitions import check_file
from .result import Bounds, Checked
from .scope import FileScope, Session

if TYPE_CHECKING:
    from .incremental import Kept

__all__ = ["Checked", "Checker", "check"]

WHOLE = frozenset({"E510"})
"""Errors of programs in which everything has a type and a meaning."""


def check(program: ast.Program, report: Reporter, *,
          resolve_import: Callable[[str, Span], ast.Program | None] | None = None) -> Checked | None:
    """Check a file and what it imports. `resolve_import` gives the syntax of an imported file, None when it has
    reported.

    Everything found goes to `report`, in the order of the source; the result is None when there are errors, unless all
    that is wrong is a `param` that is lost (`WHOLE`).
    """
    before = len(report.diagnostics)
    session = Session(report, resolve_import)
    check_file(session, program, FileScope())
    return _result(session, report, before)


class Checker:
    """Checks one file again and again while it is edited: `check`, in the time that the edit takes.

    Programs come from `parser.read`, which keeps the trees of what is not touched. Only the last result is good: its
    tables are those of the one before, changed.
    """

    def __init__(self, resolve_import: Callable[[str, Span], ast.Program | None] | None = None) -> None:
        self.resolve_import = resolve_import
        self.kept: Kept | None = None

    def check(self, program: ast.Program, report: Reporter) -> Checked | None:
        from .incremental import Again

        before = len(report.diagnostics)
        try:
            return self._check(program, report)
        except Again:
            self.kept = None
            del report.diagnostics[before:]
            return self._check(program, report)
        except BaseException:
            self.kept = None  # whatever was under way is not to be built upon
            raise

    def _check(self, program: ast.Program, report: Reporter) -> Checked | None:
        from .incremental import Kept

        before = len(report.diagnostics)
        kept = self.kept
        if kept is None:
            kept = self.kept = Kept(Session(report, self.resolve_import))
        file = kept.begin(report, program)
        check_file(kept.session, program, file, kept)
        kept.end()
        return _result(kept.session, report, before)


def _result(session: Session, report: Reporter, before: int) -> Checked | None:
    found = report.diagnostics[before:]
    found.sort(key=lambda d: d.span.start if d.span is not None else 0)
    report.diagnostics[before:] = found
    if any(d.severity == "error" and d.code not in WHOLE for d in report.diagnostics):
        return None
    tables = session.tables
    flat = {key: message + (f" (line {span.line}: {how})" if span is not None else "")
            for key, (message, span, how) in tables.flat.items()}
    entries = tuple(d for d in session.definitions.values() if d.entry)
    return Checked(session.definitions, entries, session.types, tables.patterns, tables.uses, tables.bindings,
                   tables.schemes, tables.opened, tables.size_values, tables.binding_sizes, tables.field_sizes,
                   tables.global_sizes, tables.loose_slices, tables.loop_sizes,
                   flat, Bounds(tables.bounds), tables.proved, tables.recursive, tables.contracts)
