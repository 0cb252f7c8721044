"""Tokens and trees as text, for `dad show --stage tokens|ast` and for tests: deterministic, one thing per line."""
from __future__ import annotations

from typing import Any

from ..diagnostics.render import clean
from ..diagnostics.report import Reporter
from ..source import Source, Span
from . import ast
from .lexer import tokenize


def show_tokens(source: Source) -> str:
    """One token per line: `line:column KIND text`, with text that is safe for a terminal.

    >>> print(show_tokens(Source("a.dad", "x + 1")))
    1:1 NAME x
    1:3 OP +
    1:5 INT 1
    """
    lines = []
    for token in tokenize(source, Reporter()):
        line, column = source.position(token.start)
        text = clean(token.text.replace("\n", "\\n"))
        lines.append(f"{line}:{column} {token.kind} {text}".rstrip())
    return "\n".join(lines)


def show_ast(node: ast.Node) -> str:
    """A tree with one node per line, indented by its depth: kind, plain fields, then children under their field's name.

    Works for any node; long chains are walked without recursion.

    >>> from .parser import parse_expression
    >>> tree = parse_expression(Source("a.dad", "f x.y"), Reporter())
    >>> print(show_ast(tree) if tree else "")
    Apply
      function: Name name='f'
      arguments: Field name='y'
        record: Name name='x'
    """
    lines: list[str] = []
    pending: list[tuple[int, str, ast.Node]] = [(0, "", node)]
    while pending:
        depth, label, here = pending.pop()
        plain: list[str] = []
        below: list[tuple[int, str, ast.Node]] = []
        for field in here.FIELDS:
            if field in ("span", "spans") or field.endswith("_span"):
                continue
            value: Any = getattr(here, field)
            nodes = list(_nodes(value, field))
            if nodes:
                below += [(depth + 1, name, child) for name, child in nodes]
            elif value is not None and value != () and value != "" and value is not False:
                plain.append(f"{field}={_plain(value)}")
            elif field == "value":
                plain.append(f"value={value!r}")
        if isinstance(here, ast.TSum):
            plain.append("".join(f"#{name}" for name, _ in here.constructors))
        head = f"{label}: " if label else ""
        lines.append("  " * depth + head + " ".join([type(here).__name__, *plain]))
        pending += reversed(below)
    return "\n".join(lines)


def _nodes(value: Any, name: str) -> list[tuple[str, ast.Node]]:
    """The nodes in a field, each under a label; `(name, node)` pairs of records and sums are labelled by their name."""
    if isinstance(value, ast.Node):
        return [(name, value)]
    if not isinstance(value, tuple):
        return []
    if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (ast.Node, tuple)):
        inner = _nodes(value[1], f"{name} {value[0]}")
        return inner
    return [each for item in value for each in _nodes(item, name)]


def _plain(value: Any) -> str:
    if isinstance(value, Span):
        return str(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(_plain(item) for item in value) + ")"
    return clean(repr(value))
