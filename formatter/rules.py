"""What all rules of the layout share: tokens with their comments, rows, bindings, brackets.

Where a line breaks is decided by width, with one exception: a line break that stands in the source between the parts of
something that can be broken there stays, so that rows of a table, stages of a pipeline and steps of a formula are the
writer's. Likewise an empty line there. Everything else (indentation, spaces, where operators and commas stand) is not.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ..lang.surface.lexer import Token
from .concrete import Body, Item, Tree, first_token, last_token
from .document import (
    BLANK,
    FRESH,
    HARD,
    LINE,
    NEVER,
    Align,
    Cat,
    Choice,
    Comment,
    Doc,
    Fill,
    Group,
    Lines,
    Nest,
    joined,
    width_of,
)
from .trivia import Remark, Trivia

WIDTH = 100
INDENT = 2
HEADER = 4
"""Indentation of what continues a header, deeper than that of a body."""
TRAILING = 40
"""What may follow an argument of several lines on its last line."""


def hug_of(doc: Doc) -> Doc | None:
    return doc.hug if isinstance(doc, Choice) else None


def forced(doc: Doc) -> bool:
    """Whether a document cannot stand on one line."""
    return width_of(doc) >= NEVER


class Rules:
    """`doc(item)` is the document of any part of the tree; the rules by name are methods of the classes below."""

    def __init__(self, trivia: Trivia) -> None:
        self.trivia = trivia
        self.leads: dict[int, list[Remark]] = {}
        """Comments before parts that begin lines of their own, by the part's first token."""
        self.methods: dict[str, Callable[[list[Item]], Doc]] = {}

    def doc(self, item: Item) -> Doc:
        if isinstance(item, Tree):
            method = self.methods.get(item.name)
            if method is None:
                method = self.methods[item.name] = getattr(self, "rule_" + item.name)
            return method(item.items)
        if isinstance(item, Token):
            return self.token(item)
        if isinstance(item, Body):
            return self.body(item)
        assert isinstance(item, list)
        return self.tight(item)

    def body(self, body: Body) -> Doc:
        """Bodies of modules are laid out like files, by the class that knows both."""
        raise TypeError("a module's body")

    # ------------------------------------------------------------ tokens

    def token(self, token: Token) -> Doc:
        """The token's text with its comments."""
        trivia, at = self.trivia, token.start
        if at not in trivia.before and at not in trivia.after:
            return token.text
        parts: list[Doc] = []
        for remark in trivia.before.get(at, ()):
            parts.append(FRESH)
            if remark.blank:
                parts.append(BLANK)
            parts += [remark.text, HARD]
        if parts and at in trivia.blanks:
            parts.append(BLANK)
        parts.append(token.text)
        parts += [Comment(remark.text, remark.gap) for remark in trivia.after.get(at, ())]
        return Cat(*parts)

    def broke(self, item: Item) -> bool:
        """Whether the source has a line break before this part."""
        return first_token(item).start in self.trivia.breaks

    def lead(self, *items: Item) -> None:
        """Comments before parts that the source begins on lines of their own are written with their `newline`, not by
        their first token: they do not belong to what must fit on one line. To be called before `doc`."""
        trivia = self.trivia
        for item in items:
            at = first_token(item).start
            if at in trivia.before and at in trivia.breaks:
                self.leads[at] = trivia.before.pop(at)

    def newline(self, item: Item) -> Doc:
        """The line break before a part, with its comments and the empty lines that stand there in the source."""
        at = first_token(item).start
        if at in self.leads:
            parts = [part for remark in self.leads[at] for part in (BLANK if remark.blank else "", remark.text, HARD)]
            return Cat(HARD, *parts, BLANK if at in self.trivia.blanks else "")
        return Cat(HARD, BLANK) if at in self.trivia.blanks and at not in self.trivia.before else HARD

    # ------------------------------------------------------------ sequences

    def tight(self, items: Sequence[Item]) -> Cat:
        return Cat(*(self.doc(item) for item in items if item is not None and item != []))

    def words(self, items: Sequence[Item]) -> Cat:
        """The parts with spaces between them."""
        parts: list[Doc] = []
        for item in items:
            if item is not None and item != []:
                if parts:
                    parts.append(" ")
                parts.append(self.doc(item))
        return Cat(*parts)

    def rows(self, items: Sequence[Item], docs: Sequence[Doc]) -> list[tuple[Item, list[Doc]]]:
        """The documents in rows as the source has them, each with its first item."""
        rows: list[tuple[Item, list[Doc]]] = []
        for at, (item, doc) in enumerate(zip(items, docs, strict=True)):
            if at and not self.broke(item):
                rows[-1][1].append(doc)
            else:
                rows.append((item, [doc]))
        return rows

    def stack(self, rows: Sequence[tuple[Item, Doc]]) -> Cat:
        """One row under the other."""
        parts: list[Doc] = []
        for item, doc in rows:
            if parts:
                parts.append(self.newline(item))
            parts.append(doc)
        return Cat(*parts)

    # ------------------------------------------------------------ bindings

    def bind(self, head: Doc, value: Item, *, broken: Doc | None = None, hugs: bool = True) -> Choice:
        """`head` (which ends in `=` or `->`) and its value: on the line, or on the next one; `broken` is the head over
        several lines, taken last."""
        self.lead(value)
        inner = self.doc(value)
        under = Nest(INDENT, Cat(self.newline(value), inner))
        below = Cat(head, under)
        others = [] if broken is None else [Cat(broken, under)]
        if self.broke(value):
            return Choice(None, below, *others, hug=below)
        hug = hug_of(inner)
        alternatives: list[Doc] = [below, *others]
        if hugs and hug is not None:
            alternatives.insert(0, Cat(head, " ", hug))
        if not forced(head) and not forced(inner):
            wide = INDENT + width_of(inner)
            alternatives.insert(0, Lines(Cat(head, Nest(INDENT, Cat(HARD, inner))), width_of(head), wide, wide))
        return Choice(Cat(head, " ", inner), *alternatives, hug=Choice(None, *alternatives))

    # ------------------------------------------------------------ brackets

    def commas(self, items: Sequence[Item], *, rows: bool) -> tuple[list[Item], list[Doc]]:
        """The items of a list with separators, and their documents, each with the comma that follows it; `rows`: they
        are going to be written in the rows of the source."""
        for at in range(1, len(items), 2):
            self.trivia.around_comma(last_token(items[at - 1]), items[at], first_token(items[at + 1]))
        if rows:
            self.lead(*items[2::2])
        docs: list[Doc] = []
        for at in range(0, len(items), 2):
            doc = self.doc(items[at])
            docs.append(Cat(doc, ",") if at + 1 < len(items) else doc)
        return list(items[::2]), docs

    def brackets(self, open: Token, items: Item, close: Token, *, plain: bool = False) -> Choice:
        """A list in brackets. What lies inside is aligned; rows are the source's; a row that is too long is filled if
        its parts are short (or `plain`), otherwise each part gets a line."""
        if isinstance(items, Tree):  # a trailing comma
            self.trivia.to_following(items.items[1], close)
            items = items.items[0]
        starts, docs = self.commas(items, rows=True)
        opening, closing = self.token(open), self.closing(close)
        short = plain or all(width_of(doc) <= 24 for doc in docs)

        def row(parts: list[Doc]) -> Doc:
            if len(parts) == 1:
                return parts[0]
            if short:
                return Fill(tuple(parts))
            return Group(joined(parts, LINE))

        rows = [(item, row(parts)) for item, parts in self.rows(starts, docs)]
        inside = self.stack(rows)
        flat = None if len(rows) > 1 else Cat(opening, joined(docs, " "), closing)
        if not short and len(rows) == 1:
            inside = joined(docs, HARD)
        broken = Align(Cat(opening, Nest(width_of(open.text), inside), closing))
        return Choice(flat, broken, hug=broken)

    def closing(self, close: Token, by: int = 1) -> Doc:
        """A closing bracket; comments before it are indented like what is inside."""
        doc = self.token(close)
        if close.start in self.trivia.before:
            remarks = self.trivia.before[close.start]
            inside: list[Doc] = []
            for remark in remarks:
                inside += [FRESH, BLANK if remark.blank else "", remark.text]
            after = self.trivia.after.get(close.start, ())
            return Cat(Nest(by, Cat(*inside)), HARD, close.text, *(Comment(r.text, r.gap) for r in after))
        return doc

    def header(self, first: Doc, items: Sequence[Item], last: Item) -> tuple[Doc | None, Doc]:
        """A header on one line (None if the source breaks it) and in rows; `last` is its `=`."""
        self.lead(*items)
        docs = [first, *(self.doc(item) for item in items)]
        end = Cat(" ", self.token(last))
        rows = self.rows([None, *items], docs)
        filled = Fill(tuple(docs))
        if len(rows) == 1:
            return Cat(joined(docs, " "), end), Cat(Nest(HEADER, filled), end)
        lines = [(item, joined(row, " ")) for item, row in rows]
        widths = [width_of(line) for _, line in lines]
        stacked = Lines(Nest(HEADER, self.stack(lines)), widths[0], HEADER + max(widths[1:]), HEADER + widths[-1])
        if any(first_token(item).start in self.leads for item in items):
            return None, Cat(stacked.doc, end)
        return None, Cat(Choice(None, stacked, Nest(HEADER, filled)), end)
