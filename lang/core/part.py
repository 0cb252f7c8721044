"""Which part of a derivative a statement is: kept in its span, so that it stays with the statement through all passes.

A statement of the program as written is *primal*. What a derivative adds to it is its *tangent* (forward mode) or its
*adjoint* (reverse mode), and has the place of the statement it belongs to. Derivatives of derivatives add one to the
other: the tangent of an adjoint. Statements that a reverse sweep runs again are primal still.

>>> from dad.lang.source import Source, Span
>>> here = Span(Source("<string>", "x * x"), 0, 5)
>>> described(here), described(tangent(adjoint(here)))
('primal', 'tangent of the adjoint')
"""
from __future__ import annotations

from typing import Literal

from ..source import Piece, Source, Span

Part = Literal["tangent", "adjoint"]


class PartSpan(Span):
    """A span, and by which derivatives the statement came about, the first one first."""

    __slots__ = ("parts",)

    def __init__(self, within: Source | Piece, first: int, last: int, parts: tuple[Part, ...]) -> None:
        super().__init__(within, first, last)
        self.parts = parts


def parts(span: Span | None) -> tuple[Part, ...]:
    """The derivatives that a statement with this span belongs to; none of what the program says itself."""
    return span.parts if isinstance(span, PartSpan) else ()


def tangent(span: Span | None) -> Span | None:
    """The span of what forward mode adds to a statement."""
    return None if span is None else PartSpan(span.within, span.first, span.last, (*parts(span), "tangent"))


def adjoint(span: Span | None) -> Span | None:
    """The span of what reverse mode adds to a statement."""
    return None if span is None else PartSpan(span.within, span.first, span.last, (*parts(span), "adjoint"))


def placed(span: Span, place: Span) -> Span:
    """`place`, as the place of a statement that had `span`: what belongs to a derivative goes on doing so."""
    both = (*parts(place), *parts(span))
    return PartSpan(place.within, place.first, place.last, both) if both else place


def described(span: Span | None) -> str:
    """`primal`, `tangent`, `adjoint`, `tangent of the adjoint` …"""
    names = parts(span)
    return " of the ".join(reversed(names)) if names else "primal"
