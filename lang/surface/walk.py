"""Walks over syntax trees, without recursion."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import ast


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly under a node, in source order."""
    for field in node.FIELDS:
        yield from _nodes(getattr(node, field))


def _nodes(value: Any) -> Iterator[ast.Node]:
    if isinstance(value, ast.Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def descendants(node: ast.Node) -> Iterator[ast.Node]:
    """The node and everything under it, parents first."""
    pending = [node]
    while pending:
        here = pending.pop()
        yield here
        pending.extend(reversed(list(children(here))))
