"""Whether a formatted text is the same program with the same comments; what is not is never written."""
from __future__ import annotations

from typing import Any

from ..lang.diagnostics.report import Reporter
from ..lang.source import Source, Span
from ..lang.surface import ast
from ..lang.surface.lexer import Token, tokenize


def same_tree(left: ast.Node, right: ast.Node) -> bool:
    """Whether two syntax trees are equal, spans aside."""
    pending: list[tuple[Any, Any]] = [(left, right)]
    while pending:
        one, other = pending.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, ast.Node):
            pending += [(getattr(one, field), getattr(other, field)) for field in one.FIELDS if field != "span"]
        elif isinstance(one, tuple):
            if len(one) != len(other):
                return False
            pending += zip(one, other, strict=True)
        elif not isinstance(one, Span) and one != other and not (one != one and other != other):
            return False
    return True


def comments(source: Source) -> list[str]:
    """All comments of a text, in order, without the spaces around them."""
    text = source.text
    found: list[str] = []
    done = 0
    for kind, _, start, end in [*tokenize(source, Reporter()), Token("$END", "", len(text), len(text))]:
        if kind == "DOC":
            continue
        if start - done > 2:
            found += [line.strip() for line in text[done:start].split("\n") if line.strip() not in ("", "\ufeff")]
        done = end
    return found
