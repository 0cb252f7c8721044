"""How it is said: diagnostics of what is promised and does not hold, and notes of what is worth knowing."""
from __future__ import annotations

from .report import Report


def said(report: Report) -> Report:
    """The report with its diagnostics."""
    return report
