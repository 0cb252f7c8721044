"""Source texts and spans: every diagnostic, type and IR node points back through these.

A `Span` is a half-open range of character offsets; lines and columns (1-based) are computed when asked. It counts from
the beginning of a `Source`, or of a `Piece` of one: the tree of a declaration whose text has not changed is kept when
the text before it is edited, and all its spans move at once, by setting the one offset of the piece.
"""
from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import ClassVar

from .record import dataclass, field


@dataclass(frozen=True, eq=False)
class Source:
    """One text and the name it is reported under (a path, or `<string>`)."""

    name: str
    text: str
    shipped: bool = False
    """Whether it is a part of Dad: what goes wrong there is said of the place that uses it."""
    _starts: list[int] = field(init=False, repr=False, default_factory=list)
    offset: ClassVar[int] = 0
    """Where a span's count begins: see `Piece`."""

    def at(self, offset: int) -> int:
        return offset

    @property
    def source(self) -> Source:
        return self

    def __post_init__(self) -> None:
        starts = self._starts
        starts.append(0)
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its newline; empty past the end."""
        if not 1 <= number <= len(self._starts):
            return ""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


class Piece:
    """A part of a text that keeps its own text; where it stands, and in which version of the file, may change.

    Offsets in it are those of the text that it began with. A part of that may be replaced (`edit`): then no span that
    is still of use begins or ends in the part, and those behind it move.
    """

    __slots__ = ("_edits", "_ends", "_moves", "offset", "source", "text")

    def __init__(self, source: Source, text: str, offset: int) -> None:
        self.source = source
        self.text = text
        self.offset = offset
        self._edits: dict[int, int] = {}
        self._ends: list[int] = []
        self._moves = [0]

    def at(self, offset: int) -> int:
        """Where in the whole text of now an offset is."""
        if not self._ends:
            return self.offset + offset
        return self.offset + offset + self._moves[bisect_right(self._ends, offset)]

    def edit(self, first: int, last: int, length: int, text: str) -> None:
        """From `first` to `last` (offsets as ever) there are now `length` characters, and this is the text of now."""
        self._edits[last] = length - (last - first)
        self._ends = sorted(self._edits)
        self._moves = list(accumulate((self._edits[end] for end in self._ends), initial=0))
        self.text = text

    def place(self, source: Source, offset: int) -> None:
        """The piece stands here now; every span in it follows."""
        self.source = source
        self.offset = offset

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column in the whole text of an offset in the piece."""
        return self.source.position(self.at(offset))


class Span:
    """Characters `first` up to, not including, `last` of a source or of a piece of one. Not to be changed once made.

    `start` and `end` count from the beginning of the whole text.
    """

    __slots__ = ("first", "last", "within")

    def __init__(self, within: Source | Piece, first: int, last: int) -> None:
        self.within = within
        self.first = first
        self.last = last

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and (self.within is other.within, self.first, self.last) == (
            True, other.first, other.last)

    def __hash__(self) -> int:
        return hash((id(self.within), self.first, self.last))

    def __repr__(self) -> str:
        return f"Span({self.source.name}, {self.start}, {self.end})"

    @property
    def source(self) -> Source:
        return self.within.source

    @property
    def start(self) -> int:
        return self.within.at(self.first)

    @property
    def end(self) -> int:
        return self.within.at(self.last)

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        offset = self.within.offset
        return self.within.text[self.within.at(self.first) - offset:self.within.at(self.last) - offset]

    def to(self, other: Span) -> Span:
        """The smallest span that covers both (same source)."""
        if self.within is other.within:
            return Span(self.within, min(self.first, other.first), max(self.last, other.last))
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
