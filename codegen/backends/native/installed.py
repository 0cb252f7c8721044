"""Whether there is an llvmlite here that reads the assembly that `llvm` writes. Imports it only where it is found."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec

LEAST = (0, 45)
"""Of earlier ones LLVM wants pointers that say what they point to."""


@cache
def version() -> str:
    """Of llvmlite; empty where it is not installed."""
    if find_spec("llvmlite") is None:
        return ""
    import llvmlite

    return str(llvmlite.__version__)


def missing(found: str) -> str:
    """What is wrong with this version; empty where nothing is. What is no number is new.

    >>> missing("0.44.0"), missing("0.45.1"), missing("1.0")
    ('needs llvmlite 0.45 or newer, and 0.44.0 is installed', '', '')
    """
    if not found:
        return "needs llvmlite, which is not installed"
    numbers = re.match(r"(\d+)\.(\d+)", found)
    if numbers is None or tuple(map(int, numbers.groups())) >= LEAST:
        return ""
    return f"needs llvmlite {LEAST[0]}.{LEAST[1]} or newer, and {found} is installed"
