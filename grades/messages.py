"""How it is said: diagnostics of what is promised and does not hold, and notes of what is worth knowing."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..lang.source import Span
from .report import Report

Asked = Mapping[str, Sequence[tuple[str, tuple[str, ...], Span]]]


def said(report: Report, asked: Asked, *, witnesses: bool = True) -> Report:
    """The report with its diagnostics; `asked` has grade, parameters and place of what each definition promises."""
    return report
