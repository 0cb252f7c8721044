"""Every code that Dad can report, with its explanation: the one registry behind `dad explain` and the documentation.

A stage that reports something new adds an entry in its section and nowhere else; a test compares this table with the
codes that occur in the tree, both ways. Of programs (`program_codes`):

    E0xx  lexical and syntax errors          E4xx  application and patterns
    E1xx  names, imports, modules            E5xx  differentiation and activity
    E2xx  types                              E6xx  parses, but is not supported yet
    E3xx  sizes                              Wxxx  warnings

Of their use (`use_codes`):

    Rxxx  run-time checks that failed        Axxx  arguments given from Python
    Gxxx  derivatives that differ            Uxxx  command usage, files
"""
from __future__ import annotations

from . import program_codes, use_codes
from .registry import CODES, Code, code, explain

__all__ = ["CODES", "Code", "code", "explain", "program_codes", "use_codes"]
