"""The registry of codes: what a code is, and what `dad explain` says of it. `codes` has them all."""
from __future__ import annotations

from ..record import dataclass
from .futhark import WORDS


@dataclass(frozen=True, slots=True)
class Code:
    """`example` shows the mistake as a person would type it, `fix` what to type instead."""

    code: str
    title: str
    explanation: str
    example: str = ""
    fix: str = ""


CODES: dict[str, Code] = {}


def code(code: str, title: str, explanation: str, example: str = "", fix: str = "") -> None:
    """Declare a code. Raises `ValueError` when it is declared twice: two meanings of one code help nobody."""
    if code in CODES:
        raise ValueError(f"{code} is declared twice")
    CODES[code] = Code(code, title, explanation, example, fix)


def explain(code: str) -> str:
    """The text of `dad explain CODE`; raises `KeyError` for a code that does not exist.

    >>> explain("E001").splitlines()[0]
    'E001: character that Dad does not use'
    """
    entry = CODES[code.strip().upper()]
    parts = [f"{entry.code}: {entry.title}", "", entry.explanation]
    if entry.example:
        parts += ["", "For example:", "", *("    " + line for line in entry.example.splitlines())]
    if entry.fix:
        parts += ["", "What to do: " + entry.fix]
    if entry.code in WORDS:
        parts += ["", "Futhark's words for it: " + "; ".join(WORDS[entry.code]) + "."]
    return "\n".join(parts)
