"""Walks over syntax trees, without recursion."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from . import ast

_N = TypeVar("_N", bound=ast.Node)


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


def standing(node: ast.Node) -> Iterator[ast.Node]:
    """The same, without what is below a term and was never asked for (see `terms`)."""
    pending = [node]
    while pending:
        here = pending.pop()
        yield here
        instance = here.__dict__.get("instance")
        if instance is None or instance.made is not None:
            pending.extend(reversed(list(children(here))))


def copied(node: _N) -> _N:
    """A copy of the tree: new nodes, with nothing in common but spans."""
    made: dict[int, ast.Node] = {}

    def value(old: Any) -> Any:
        if isinstance(old, ast.Node):
            return made[id(old)]
        return tuple([value(item) for item in old]) if isinstance(old, tuple) else old

    for here in reversed(list(descendants(node))):
        made[id(here)] = type(here)(*(value(getattr(here, name)) for name in here.FIELDS))
    return made[id(node)]  # type: ignore[return-value]  # a copy is of the type of what is copied
