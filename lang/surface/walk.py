"""Walks over syntax trees, without recursion."""
from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from . import ast

_FIELDS: dict[type[ast.Node], tuple[str, ...]] = {}


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly under a node, in source order."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(
            f.name for f in dataclasses.fields(kind) if f.name not in ("span", "op_span", "name_span"))
    for field in fields:
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
