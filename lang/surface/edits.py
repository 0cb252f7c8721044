"""An edit inside one term of a long declaration: the term alone is read, and takes the place of the one before.

In: a chunk of the version before and its text of now. Where the two differ inside one term (see `terms`), and what
stands there now is a term as well, the tree of the declaration is that of before with one part replaced. All spans
behind it move, which their piece knows (`source.Piece.edit`).
"""
from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from ..diagnostics.report import Reporter
from ..source import Piece, Source
from . import ast
from .build import Builder, actions
from .machine import MAX_DEPTH, load
from .operators import TooDeep
from .terms import REPEATED, Term, Text, may_stand
from .words import Words, words

if TYPE_CHECKING:
    from .parser import Chunk


class Place:
    """Where a term stands: in which node, and as which of its fields or of the items of a field."""

    __slots__ = ("field", "item", "parent")

    def __init__(self, parent: ast.Node, field: str, item: int) -> None:
        self.parent, self.field, self.item = parent, field, item

    def put(self, node: ast.Node) -> None:
        made: Any = node
        if self.item >= 0:
            items = list(getattr(self.parent, self.field))
            items[self.item] = node
            made = tuple(items)
        self.parent.__dict__[self.field] = made


class Terms:
    """The terms of a chunk, kept for edits in them."""

    __slots__ = ("_places", "counts", "depth", "ends", "nodes", "pieces", "starts", "text", "tight")

    def __init__(self, text: Text, depth: int) -> None:
        words = text.words
        self.text = words
        self.depth = depth
        """How deeply the declaration is nested, at most."""
        self.starts = [words.start(term.begin) for term, _ in text.terms]
        self.ends = [words.ends[term.end - 1] for term, _ in text.terms]
        """Where the terms begin and end, as offsets of the piece."""
        self.tight = [term for term, _ in text.terms]
        self.nodes = [node for _, node in text.terms]
        self.counts = [term.end - term.begin for term, _ in text.terms]
        """How many words each has."""
        self.pieces: list[Piece | None] = [None] * len(self.nodes)
        """Of terms that were edited: the piece that they are read from."""
        self._places: dict[int, Place] | None = None

    def place(self, root: ast.Node, node: ast.Node) -> Place | None:
        if self._places is None:
            self._places = _places(root, self.nodes)
        return self._places.get(id(node))

    def replaced(self, at: int, node: ast.Exp, piece: Piece) -> None:
        assert self._places is not None
        self._places[id(node)] = self._places.pop(id(self.nodes[at]))
        self.nodes[at], self.pieces[at] = node, piece


def _places(root: ast.Node, wanted: list[ast.Exp]) -> dict[int, Place]:
    """Where each of these nodes stands in a tree; what is in them is not looked at."""
    found: dict[int, Place] = {}
    ids = set(map(id, wanted))
    pending = [root]
    while pending:
        here = pending.pop()
        for name in here.FIELDS[1:]:
            value = getattr(here, name)
            for item, one in enumerate(value if isinstance(value, tuple) else (value,)):
                if id(one) in ids:
                    found[id(one)] = Place(here, name, item if isinstance(value, tuple) else -1)
                elif isinstance(one, ast.Node):
                    pending.append(one)
                elif isinstance(one, tuple):
                    pending += [part for part in one if isinstance(part, ast.Node) and id(part) not in ids]
    return found


def edited(chunk: Chunk, source: Source, begin: int, now: str) -> bool:
    """Make the chunk say what its text says now, if only one term differs. Whether that could be done."""
    if chunk.words is None or len(chunk.parts) != 1:
        return False
    if chunk.terms is None:
        chunk.terms = Terms(chunk.words, chunk.depth)
    terms = chunk.terms
    whole = chunk.pieces[0]
    before = whole.text
    first = _common(before, now)
    last = len(before) - _common_end(before, now, min(len(before), len(now)) - first)
    at = bisect_right(terms.starts, first, key=lambda start: whole.at(start) - whole.offset) - 1
    if at < 0:
        return False
    low, high = whole.at(terms.starts[at]) - whole.offset, whole.at(terms.ends[at]) - whole.offset
    if last > high:
        return False
    old, root = terms.nodes[at], _definition(chunk.declarations[0])
    place = terms.place(root, old) if root is not None else None
    if place is None or root is None:
        return False
    up = high + len(now) - len(before)
    term = terms.tight[at]
    if up <= low or not _fits(terms.text, term, now, low, up, whole):
        return False
    piece = Piece(source, now[low:up], begin + low)
    made = _read(piece, term)
    if made is None or made[1] + terms.depth > MAX_DEPTH:
        return False
    chunk.place(source, begin)
    place.put(made[0])
    for k in range(at + 1, len(terms.pieces)):
        other = terms.pieces[k]
        if other is not None:
            other.offset += len(now) - len(before)
    whole.edit(terms.starts[at], terms.ends[at], up - low, now)
    gone = terms.pieces[at]
    chunk.pieces = [*(p for p in chunk.pieces if p is not gone), piece]
    chunk.parts = [now]
    terms.replaced(at, made[0], piece)
    chunk.tokens += made[2] - terms.counts[at]
    terms.counts[at] = made[2]
    root.__dict__.setdefault("edits", []).append((old, made[0]))
    return True


def _definition(declaration: ast.Decl) -> ast.Def | None:
    inner = declaration.declaration if isinstance(declaration, ast.Local) else declaration
    return inner if isinstance(inner, ast.Def) else None


def _fits(text: Words, term: Term, now: str, low: int, up: int, whole: Piece) -> bool:
    """Whether there are the same words around the term as before, and a term of its kind between them."""
    start = whole.at(text.start(term.begin - 1)) - whole.offset
    ended = term.end >= len(text.signs)
    end = len(now) if ended else up + _behind(text, term)
    around = words(now, start, end)
    if around is None:
        return False
    signs, infos = around.signs, around.infos
    stop = len(signs) if ended else len(signs) - 1
    if signs[:1] != text.signs[term.begin - 1] or infos[0][1] != text.infos[term.begin - 1][1] or stop < 2:
        return False
    if not ended and (signs[stop] != text.signs[term.end] or infos[stop][1] != text.infos[term.end][1]):
        return False
    return around.start(1) == low and around.ends[stop - 1] == up and may_stand(signs[1:stop], term.tight)


def _behind(text: Words, term: Term) -> int:
    """From the end of a term to the end of the word behind it."""
    return text.ends[term.end] - text.ends[term.end - 1]


def _read(piece: Piece, like: Term) -> tuple[ast.Exp, int, int] | None:
    """The term that a piece is, how deeply it is nested, and how many words it has."""
    found = words(piece.text, 0)
    if found is None:
        return None
    builder = Builder(piece, Reporter())
    builder.actions = actions(load(), builder)
    term = Term(" ")
    term.text, term.begin, term.end, term.number, term.tight = Text(found, builder), 0, len(found.signs), REPEATED, \
        like.tight
    try:
        made = term.read()
    except TooDeep:
        return None
    return None if made is None or builder.report.diagnostics else (*made, term.end)


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str, most: int) -> int:
    """How many characters two texts end with together, at most so many."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle:len(one) - low] == other[len(other) - middle:len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


__all__ = ["Place", "Terms", "edited"]
