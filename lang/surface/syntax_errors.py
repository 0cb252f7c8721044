"""Syntax errors as sentences to people."""
from __future__ import annotations

from collections.abc import Sequence

from ..diagnostics.report import Reporter
from ..source import Source, Span
from .lexer import Token
from .machine import Failure, Tables, expected


def report_failure(report: Reporter, source: Source, tables: Tables, start: str, tokens: Sequence[Token],
                   failure: Failure) -> None:
    token = failure.token
    kinds = expected(tables, failure.stack, tables.starts[start][1])
    report.error("E010", f"unexpected `{token.text}`", Span(source, token.start, token.end), str(sorted(kinds)))


def report_stray(report: Reporter, source: Source, tokens: Sequence[Token]) -> None:
    report.error("E023", "declaration expected", Span(source, tokens[0].start, tokens[0].end))
