"""An edit of one term of a long declaration: the term alone is read, and takes its place in the tree of before.

In: a chunk of the version before and its text of now. Where the two differ inside one term (see `terms`), and what
stands there now is a term as well, one part of the tree is replaced. Where a sum has a term more, or one less, the tree
gets an operator more or less. All spans behind it move, which their piece knows (`source.Piece.edit`).
"""
from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from ..diagnostics.report import Reporter
from ..source import Piece, Source, Span
from . import ast
from .build import Builder, actions
from .machine import MAX_DEPTH, load
from .operators import TooDeep
from .terms import REPEATED, Term, Text, may_stand
from .words import words

if TYPE_CHECKING:
    from .parser import Chunk

SUMS = frozenset(("+", "-"))


class Edit:
    """`new` stands where `old` stood. Without `old` it was added to a sum behind the term `like`, by `operator`.
    Without `new` the operator is gone, and with it the term `old`, which stood behind `like`.
    """

    __slots__ = ("like", "new", "old", "operator")

    def __init__(self, old: ast.Exp | None, new: ast.Exp | None, like: ast.Exp | None = None,
                 operator: ast.BinOp | None = None) -> None:
        self.old, self.new, self.like, self.operator = old, new, like, operator


class UpTo(Span):
    """A span that ends where the right operand of an operator ends, wherever that is read from."""

    __slots__ = ("node",)

    def __init__(self, within: Source | Piece, first: int, last: int, node: ast.BinOp) -> None:
        super().__init__(within, first, last)
        self.node = node

    @property
    def end(self) -> int:
        return self.node.right.span.end

    @property
    def text(self) -> str:
        return self.source.text[self.start:self.end]


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


class Region:
    """Offsets of the piece between which a term stood when the whole was read. What stands there now are its entries,
    none or many, with what is between them: `length` characters."""

    __slots__ = ("first", "last", "length", "number")

    def __init__(self, first: int, last: int, number: int) -> None:
        self.first, self.last, self.number = first, last, number
        self.length = last - first


class Entry:
    """A term: its node, the piece that it is read from if it was edited, and the words around it."""

    __slots__ = ("after", "before", "count", "lead", "node", "piece", "region", "sign", "tail", "tight")

    def __init__(self, node: ast.Exp, count: int, tight: bool, region: Region) -> None:
        self.node, self.count, self.tight, self.region = node, count, tight, region
        """`count`: how many words it has."""
        self.piece: Piece | None = None
        self.sign: Piece | None = None
        """The operator before it, if that was added."""
        self.before = self.after = ("", "")
        """Sign and text of the word before and of the one behind; none where the text ends."""
        self.lead = self.tail = 0
        """From the beginning of the word before to that of the term, and from its end to that of the word behind."""


class Terms:
    """The terms of a chunk, kept for edits of them."""

    __slots__ = ("_places", "depth", "entries", "regions", "whole")

    def __init__(self, text: Text, depth: int, whole: Piece) -> None:
        self.whole = whole
        self.depth = depth
        """How deeply the declaration is nested, at most."""
        self.entries: list[Entry] = []
        self.regions: list[Region] = []
        found = text.words
        for term, node in text.terms:
            begin, end = term.begin, term.end
            region = Region(found.start(begin), found.ends[end - 1], len(self.regions))
            entry = Entry(node, end - begin, term.tight, region)
            entry.before = found.signs[begin - 1], found.infos[begin - 1][1]
            entry.lead = region.first - found.start(begin - 1)
            if end < len(found.signs):
                entry.after = found.signs[end], found.infos[end][1]
                entry.tail = found.ends[end] - region.last
            self.entries.append(entry)
            self.regions.append(region)
        self._places: dict[int, Place] | None = None

    def start(self, entry: Entry) -> int:
        """Where a term begins in the text of now."""
        return (self.whole.at(entry.region.first) if entry.piece is None else entry.piece.offset) - self.whole.offset

    def end(self, entry: Entry) -> int:
        if entry.piece is None:
            return self.whole.at(entry.region.last) - self.whole.offset
        return entry.piece.offset + len(entry.piece.text) - self.whole.offset

    def place(self, root: ast.Node, node: ast.Node) -> Place | None:
        if self._places is None:
            self._places = _places(root, [entry.node for entry in self.entries])
        return self._places.get(id(node))

    def put(self, node: ast.Node, place: Place) -> None:
        """The node stands there now."""
        assert self._places is not None
        place.put(node)
        self._places[id(node)] = place

    def gone(self, node: ast.Node) -> None:
        assert self._places is not None
        self._places.pop(id(node), None)

    def move(self, at: int, by: int) -> None:
        """What is read from pieces of its own, from this entry on, stands elsewhere."""
        for entry in self.entries[at:]:
            for piece in (entry.piece, entry.sign):
                if piece is not None:
                    piece.offset += by


def _places(root: ast.Node, wanted: list[ast.Exp]) -> dict[int, Place]:
    """Where each of these nodes stands in a tree, and each operator; what is in the nodes is not looked at."""
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
                    if isinstance(one, ast.BinOp):
                        found[id(one)] = Place(here, name, item if isinstance(value, tuple) else -1)
                    pending.append(one)
                elif isinstance(one, tuple):
                    pending += [part for part in one if isinstance(part, ast.Node) and id(part) not in ids]
    return found


def edited(chunk: Chunk, source: Source, begin: int, now: str) -> bool:
    """Make the chunk say what its text says now, if only one term differs. Whether that could be done."""
    if chunk.words is None or len(chunk.parts) != 1:
        return False
    whole = chunk.pieces[0]
    if chunk.terms is None:
        chunk.terms = Terms(chunk.words, chunk.depth, whole)
    change = Change(chunk, chunk.terms, source, begin, now)
    return change.root is not None and (change.replaced() or change.added() or change.removed())


class Change:
    """One edit of a chunk's text. Each method says whether it was of its kind; only then anything is changed."""

    def __init__(self, chunk: Chunk, terms: Terms, source: Source, begin: int, now: str) -> None:
        self.chunk, self.terms, self.source, self.begin, self.now = chunk, terms, source, begin, now
        self.whole = chunk.pieces[0]
        self.root = _definition(chunk.declarations[0])
        self.before = before = self.whole.text
        self.first = _common(before, now)
        self.last = len(before) - _common_end(before, now, min(len(before), len(now)) - self.first)
        """What differs in the text before."""
        self.by = len(now) - len(before)
        self.at = bisect_right(terms.entries, self.first, key=terms.start) - 1
        """The last term that begins before what differs."""

    def replaced(self) -> bool:
        if self.at < 0:
            return False
        entry = self.terms.entries[self.at]
        low, high = self.terms.start(entry), self.terms.end(entry)
        if self.last > high:
            return False
        place = self.terms.place(self.root, entry.node) if self.root is not None else None
        up = high + self.by
        if place is None or up <= low or not _fits(entry, self.now, low, up):
            return False
        made = self.read(low, up, entry.tight)
        if made is None:
            return False
        self.place()
        entry.region.length += self.by
        self.put(self.at, made, place)
        self.terms.move(self.at + 1, self.by)
        self.say(entry.region)
        return True

    def added(self) -> bool:
        """Behind a term of a sum stand an operator and a term."""
        terms, by, now, before = self.terms, self.by, self.now, self.before
        at = self.at
        if at >= 0 and terms.end(terms.entries[at]) > self.first:
            at -= 1
        if by <= 0 or self.first != self.last or at < 0:
            return False
        entry = terms.entries[at]
        low, high = terms.start(entry), terms.end(entry)
        place = terms.place(self.root, entry.node) if self.root is not None else None
        if place is None or not _in_sum(place, entry) or before[high:self.first] != now[high + by:self.first + by] \
                or not _apart(now, high) or not _apart(now, high + by):
            return False
        found = words(now, high, high + by)
        if found is None or len(found.signs) < 3 or found.infos[0][1] not in SUMS or found.ends[-1] != high + by \
                or not may_stand(found.signs[1:], True):
            return False
        made, again = self.read(found.start(1), high + by, True), self.read(low, high, entry.tight)
        if made is None or again is None:
            return False
        self.place()
        region = entry.region
        region.length += by
        terms.move(at + 1, by)
        self.put(at, again, place)
        new = Entry(made[0], made[2], True, region)
        new.piece = made[3]
        new.sign = Piece(self.source, found.infos[0][1], self.begin + found.start(0))
        new.before, new.lead = (found.signs[0], found.infos[0][1]), found.start(1) - found.start(0)
        new.after, new.tail = entry.after, entry.tail
        entry.after, entry.tail = new.before, found.ends[0] - high
        terms.entries.insert(at + 1, new)
        self.chunk.pieces += [new.piece, new.sign]
        self.chunk.tokens += new.count + 1
        sum_before: ast.Exp = entry.node
        operator: Any = object.__new__(ast.BinOp)
        first = region.first
        if place.field == "right":
            assert isinstance(place.parent, ast.BinOp)
            sum_before = place.parent
            outer = terms.place(self.root, sum_before) if self.root is not None else None
            assert outer is not None
            first = sum_before.span.first
            sum_before.__dict__["span"] = UpTo(self.whole, first, region.last, sum_before)
        else:
            outer = place
        operator.__dict__.update(span=UpTo(self.whole, first, region.last, operator), op=found.infos[0][1],
                                 op_span=Span(new.sign, 0, 1), left=sum_before, right=new.node)
        terms.put(operator, outer)
        terms.put(sum_before, Place(operator, "left", -1))
        terms.put(new.node, Place(operator, "right", -1))
        self.edits().append(Edit(None, new.node, entry.node, operator))
        self.say(region)
        return True

    def removed(self) -> bool:
        """An operator of a sum and the term behind it are gone."""
        terms, by, now, before = self.terms, -self.by, self.now, self.before
        if by <= 0 or self.root is None:
            return False
        for at in (self.at, self.at + 1):
            if not 0 < at < len(terms.entries):
                continue
            entry, like = terms.entries[at], terms.entries[at - 1]
            low, high = terms.end(like), terms.end(entry)
            place = terms.place(self.root, entry.node)
            if high - low != by or before[high:] != now[low:] or before[:low] != now[:low] or not _apart(now, low) \
                    or place is None or place.field != "right" or not _in_sum(place, entry):
                continue
            operator = place.parent
            assert isinstance(operator, ast.BinOp)
            left = operator.left
            outer = terms.place(self.root, operator)
            between = words(before, low, terms.start(entry))
            if outer is None or between is None or len(between.signs) != 1 or (
                    left is not like.node and not (isinstance(left, ast.BinOp) and left.right is like.node)):
                continue
            self.place()
            region = entry.region
            if region is like.region:
                region.length -= by
            else:
                region.length += self.whole.at(region.first) - self.whole.offset - low - by
                region.first = terms.regions[region.number - 1].last
            like.after, like.tail = entry.after, entry.tail
            del terms.entries[at]
            terms.move(at, -by)
            terms.gone(operator)
            terms.gone(entry.node)
            terms.put(left, outer)
            own = (entry.piece, entry.sign)
            self.chunk.pieces = [piece for piece in self.chunk.pieces if piece not in own]
            self.chunk.tokens -= entry.count + 1
            self.edits().append(Edit(entry.node, None, like.node, operator))
            self.say(region)
            return True
        return False

    # ------------------------------------------------------------ parts of it

    def read(self, low: int, up: int, tight: bool) -> tuple[ast.Exp, int, int, Piece] | None:
        """What stands between two places of the text of now, as a term."""
        piece = Piece(self.source, self.now[low:up], self.begin + low)
        made = _read(piece, tight)
        return None if made is None or made[1] + self.terms.depth > MAX_DEPTH else (*made, piece)

    def place(self) -> None:
        self.chunk.place(self.source, self.begin)

    def put(self, at: int, made: tuple[ast.Exp, int, int, Piece], place: Place) -> None:
        """What was read stands where an entry's node stood."""
        terms, entry = self.terms, self.terms.entries[at]
        old, (node, _, count, piece) = entry.node, made
        gone, entry.piece, entry.node = entry.piece, piece, node
        terms.gone(old)
        terms.put(node, place)
        self.chunk.pieces = [*(p for p in self.chunk.pieces if p is not gone), piece]
        self.chunk.tokens += count - entry.count
        entry.count = count
        self.edits().append(Edit(old, node))

    def edits(self) -> list[Edit]:
        assert self.root is not None
        found: list[Edit] = self.root.__dict__.setdefault("edits", [])
        return found

    def say(self, region: Region) -> None:
        self.whole.edit(region.first, region.last, region.length, self.now)
        self.chunk.parts = [self.now]


def _in_sum(place: Place, entry: Entry) -> bool:
    """Whether a term is an operand of `+` or `-`, and no operator that binds tighter may stand beside it."""
    return entry.tight and isinstance(place.parent, ast.BinOp) and place.parent.op in SUMS


def _apart(text: str, at: int) -> bool:
    """Whether no word goes on here."""
    return at == len(text) or text[at] in " \n\r\t)]},"


def _fits(entry: Entry, now: str, low: int, up: int) -> bool:
    """Whether there are the same words around the term as before, and a term of its kind between them."""
    ended = not entry.after[0]
    around = words(now, low - entry.lead, len(now) if ended else up + entry.tail)
    if around is None:
        return False
    signs, infos = around.signs, around.infos
    stop = len(signs) if ended else len(signs) - 1
    if (signs[:1], infos[0][1]) != entry.before or stop < 2:
        return False
    if not ended and (signs[stop], infos[stop][1]) != entry.after:
        return False
    return around.start(1) == low and around.ends[stop - 1] == up and may_stand(signs[1:stop], entry.tight)


def _definition(declaration: ast.Decl) -> ast.Def | None:
    inner = declaration.declaration if isinstance(declaration, ast.Local) else declaration
    return inner if isinstance(inner, ast.Def) else None


def _read(piece: Piece, tight: bool) -> tuple[ast.Exp, int, int] | None:
    """The term that a piece is, how deeply it is nested, and how many words it has."""
    found = words(piece.text, 0)
    if found is None:
        return None
    builder = Builder(piece, Reporter())
    builder.actions = actions(load(), builder)
    term = Term(" ")
    term.text, term.begin, term.end = Text(found, builder), 0, len(found.signs)
    term.number, term.tight = REPEATED, tight
    try:
        made = term.read()
    except TooDeep:
        return None
    finally:
        builder.actions = []  # which refer to the builder
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


__all__ = ["Edit", "Place", "Terms", "edited"]
