"""What code written from loops says of places that Python must know: where checks fail, what is called back."""

from __future__ import annotations

from dataclasses import dataclass

from ....lang.core.ir import AttrValue
from ....lang.source import Span

DEPTH_SITE, FULL_SITE = "depth", "full"
"""Checks that are no primitives: calls inside each other, room in the arena."""


@dataclass(frozen=True)
class Site:
    """A place where a check may fail."""

    name: str
    attrs: tuple[tuple[str, AttrValue], ...]
    dtypes: tuple[str, ...]
    span: Span | None


FULL = Site(FULL_SITE, (), (), None)


@dataclass(frozen=True)
class HostCall:
    """A primitive that is called back: dtypes and ranks of arguments and results."""

    name: str
    attrs: tuple[tuple[str, AttrValue], ...]
    args: tuple[tuple[str, int], ...]
    results: tuple[tuple[str, int], ...]
