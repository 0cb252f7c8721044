"""What nodes of syntax trees are: frozen, compared by identity, quickly imported and quickly made."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from ..source import Span

_N = TypeVar("_N", bound="Node")


@dataclass_transform(frozen_default=True, eq_default=False)
class _Made:
    """For type checkers and `match` the classes below are frozen dataclasses.

    They are not made by `dataclasses`, which compiles the methods of each class when it is imported: for these eighty
    that took longer than reading and checking a small file. One constructor serves all, or one those of few fields
    without defaults, which are made by position (`_CONSTRUCTORS`); `FIELDS` are the names, `span` first.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()

    if not TYPE_CHECKING:
        def __init_subclass__(cls) -> None:
            cls.FIELDS = cls.__match_args__ = (*cls.__base__.FIELDS, *cls.__annotations__)
            if not any(name in cls.__dict__ for name in cls.FIELDS):
                make = _CONSTRUCTORS.get(len(cls.FIELDS))
                cls.__init__ = make(*cls.FIELDS) if make is not None else _Made.__init__

        def __init__(self, *values: Any, **named: Any) -> None:
            """Fields by position or by name; those with a default may be left out. `TypeError` otherwise."""
            fields = self.FIELDS
            given = self.__dict__
            given.update(zip(fields, values))  # noqa: B905  # `strict` costs as much as the rest
            if named or len(values) != len(fields):
                count = len(given) + len(named)
                given.update(named)
                for name in fields:
                    if name not in given and name in type(self).__dict__:
                        given[name] = type(self).__dict__[name]
                        count += 1
                if not count == len(given) == len(fields) or len(values) > count or not given.keys() <= set(fields):
                    raise TypeError(f"{type(self).__name__} takes the fields {', '.join(fields)}")

        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"nodes are frozen: {type(self).__name__}.{name}")


def _of_two(a: str, b: str) -> Any:
    def make(self: Any, x: Any, y: Any) -> None:
        given = self.__dict__
        given[a] = x
        given[b] = y
    return make


def _of_three(a: str, b: str, c: str) -> Any:
    def make(self: Any, x: Any, y: Any, z: Any) -> None:
        given = self.__dict__
        given[a] = x
        given[b] = y
        given[c] = z
    return make


def _of_five(a: str, b: str, c: str, d: str, e: str) -> Any:
    def make(self: Any, x: Any, y: Any, z: Any, u: Any, v: Any) -> None:
        given = self.__dict__
        given[a] = x
        given[b] = y
        given[c] = z
        given[d] = u
        given[e] = v
    return make


_CONSTRUCTORS = {2: _of_two, 3: _of_three, 5: _of_five}
"""By number of fields: almost all nodes of a program are of such classes, and `zip` costs twice as much as these."""


class Node(_Made):
    span: Span

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            """What a term that is an instance of a shape has below it is made when it is asked for (see `terms`)."""
            instance = self.__dict__.get("instance")
            if instance is None or instance.made is not None or name not in self.FIELDS:
                raise AttributeError(f"{type(self).__name__} has no {name}")
            instance.make()
            return self.__dict__[name]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.span}>"


def replace(node: _N, **changes: Any) -> _N:
    """A copy of the node with some fields changed."""
    if not changes.keys() <= set(node.FIELDS):
        raise TypeError(f"{type(node).__name__} takes the fields {', '.join(node.FIELDS)}")
    return type(node)(*[changes[name] if name in changes else getattr(node, name) for name in node.FIELDS])
