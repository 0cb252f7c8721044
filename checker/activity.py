"""Differentiability of dependence: which parameters reach a result, and how a path is lost."""
from __future__ import annotations

from .context import Checker
from .result import Definition


def check_definition(c: Checker, definition: Definition) -> None:
    """Placeholder of the walk."""
