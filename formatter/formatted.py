"""A program's text in Dad's style: the stages strung together.

    formatted(source) -> Formatted      the text, or the diagnostics that stand against it
"""
from __future__ import annotations

from ..lang.diagnostics.report import Diagnostic, Reporter
from ..lang.record import dataclass
from ..lang.source import Source
from ..lang.surface.parser import parse
from .concrete import read
from .declarations import Layout
from .document import render
from .rules import WIDTH
from .safety import comments, same_tree
from .trivia import Trivia

ROUNDS = 5
"""A comment at a strange place may move once more when it is formatted again; we do that until nothing moves."""


@dataclass(frozen=True)
class Formatted:
    """`text` is None when the program cannot be formatted; `diagnostics` then say why."""

    text: str | None
    diagnostics: tuple[Diagnostic, ...] = ()


def formatted(source: Source) -> Formatted:
    """The program in Dad's style: the same tree and comments, or none if its text does not parse.

    >>> print(formatted(Source("a.dad", "def  f x=x+ 1 -- more")).text, end="")
    def f x = x + 1 -- more
    """
    report = Reporter()
    tree = parse(source, report)
    if report.failed:
        return Formatted(None, tuple(report.diagnostics))
    text = _laid_out(source)
    if text == source.text:
        return Formatted(text)
    settled = _settled(source.name, text)
    if settled is None or comments(source) != comments(Source(source.name, settled)) \
            or not same_tree(tree, parse(Source(source.name, settled), Reporter())):
        report.error("U905", f"`dad fmt` would have changed what {source.name} says", None,
                     help="nothing was written; this is a mistake in Dad, not in your program: please report it")
        return Formatted(None, tuple(report.diagnostics))
    return Formatted(settled)


def _settled(name: str, text: str) -> str | None:
    """What formatting does not change any more; None when it never comes to that, or cannot be read."""
    for _ in range(ROUNDS):
        try:
            text, before = _laid_out(Source(name, text)), text
        except ValueError:
            return None
        if text == before:
            return text
    return None


def _laid_out(source: Source) -> str:
    declarations, tokens = read(source)
    return render(Layout(Trivia(source, tokens)).file(declarations), WIDTH)
