"""Documents: text with places where lines may break, and the rendering that decides which do.

In: a document of the algebra below and a width. Out: text. After Oppen (*Prettyprinting*, TOPLAS 1980) and Wadler
(*A prettier printer*, 2003), rendered greedily from left to right with one stack. Every document knows how wide it is
on one line when it is made, so a decision looks no further than the width: time is linear in the document.

    "text"            itself; holds no line break
    Cat(a, b, …)      one after the other
    LINE, SOFT, HARD  a space or a line break; nothing or a line break; always a line break
    Group(d)          on one line if that fits, otherwise all of its own breaks are line breaks
    Fill((a, b, …))   as many on a line as fit, separated by spaces or line breaks
    Nest(k, d)        lines that begin inside `d` are indented by k more
    Align(d)          … by as much as where `d` begins
    IfBroken(a, b)    `a` when the group around it is broken, else `b`
    Choice(flat, …)   on one line if that fits, otherwise the first of the alternatives whose first line fits
    Comment(text)     stands at the end of the line, after everything else on it, and counts for nothing
    FRESH             a line break, unless nothing stands on the line yet
    BLANK             an empty line, unless there is one already; only at the beginning of a line

Whatever must break (HARD, FRESH, BLANK) breaks all groups around it. A comment can never swallow code: code that comes
after it on the same line is put before it.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

NEVER = 1 << 30
"""The width of what does not fit on a line, however long the line."""


class Cat:
    __slots__ = ("parts", "width")

    def __init__(self, *parts: Doc) -> None:
        self.parts = parts
        self.width = sum(map(width_of, parts))


class Break:
    """LINE, SOFT and HARD; `flat` is what stands there when it is no line break."""

    __slots__ = ("flat", "width")

    def __init__(self, flat: str, width: int) -> None:
        self.flat = flat
        self.width = width


class Mark:
    """FRESH and BLANK."""

    __slots__ = ("width",)

    def __init__(self) -> None:
        self.width = NEVER


class Group:
    __slots__ = ("doc", "width")

    def __init__(self, doc: Doc, broken: bool = False) -> None:
        self.doc = doc
        self.width = NEVER if broken else width_of(doc)


class Fill:
    """`start` is the first item that is still to be written."""

    __slots__ = ("items", "start", "width")

    def __init__(self, items: tuple[Doc, ...], start: int = 0) -> None:
        self.items = items
        self.start = start
        self.width = NEVER if start else sum(map(width_of, items)) + len(items) - 1


class Nest:
    __slots__ = ("by", "doc", "width")

    def __init__(self, by: int, doc: Doc) -> None:
        self.by = by
        self.doc = doc
        self.width = width_of(doc)


class Align:
    __slots__ = ("doc", "width")

    def __init__(self, doc: Doc) -> None:
        self.doc = doc
        self.width = width_of(doc)


class IfBroken:
    __slots__ = ("broken", "flat", "width")

    def __init__(self, broken: str, flat: str) -> None:
        self.broken = broken
        self.flat = flat
        self.width = len(flat)


class Lines:
    """An alternative all of whose lines are known: the first, the widest of the others and the last must fit.

    The first begins where we are, the others at the indentation.
    """

    __slots__ = ("doc", "first", "last", "widest", "width")

    def __init__(self, doc: Doc, first: int, widest: int, last: int) -> None:
        self.doc = doc
        self.first = first
        self.widest = widest
        self.last = last
        self.width = NEVER


class Choice:
    """`hug` is the broken form of something that may begin in the middle of a line: brackets, functions, loops."""

    __slots__ = ("alternatives", "flat", "hug", "width")

    def __init__(self, flat: Doc | None, *alternatives: Doc, hug: Doc | None = None) -> None:
        self.flat = flat
        self.alternatives = alternatives
        self.hug = hug
        self.width = NEVER if flat is None else width_of(flat)


class Comment:
    """`gap` is the number of spaces before it. It takes no room: a long comment breaks no code."""

    __slots__ = ("gap", "text", "width")

    def __init__(self, text: str, gap: int) -> None:
        self.text = text
        self.gap = gap
        self.width = 0


Doc: TypeAlias = str | Cat | Break | Mark | Group | Fill | Nest | Align | IfBroken | Lines | Choice | Comment

LINE = Break(" ", 1)
SOFT = Break("", 0)
HARD = Break("", NEVER)
FRESH = Mark()
BLANK = Mark()


def width_of(doc: Doc) -> int:
    """The width on one line; at least NEVER if it cannot stand on one."""
    return len(doc) if isinstance(doc, str) else doc.width


def joined(parts: list[Doc], separator: Doc) -> Cat:
    """The parts with the separator between them."""
    out: list[Doc] = []
    for part in parts:
        if out:
            out.append(separator)
        out.append(part)
    return Cat(*out)


_Frame: TypeAlias = tuple[int, bool, Doc]
"""Indentation, whether breaks are on one line here, and what is to be written."""


class _Writer:
    """The text so far, and where on its last line we are."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.column = 0
        self.fresh = True
        """Nothing stands on the line; `column` is where its first word will."""
        self.after_blank = False
        self.last = ""
        self.comments: list[Comment] = []

    def word(self, text: str) -> None:
        if self.fresh:
            if not text or text == " ":
                return
            self.out.append(" " * self.column)
            self.fresh = self.after_blank = False
        elif text and _merges(self.last, text):
            self.out.append(" ")
            self.column += 1
        self.out.append(text)
        self.column += len(text)
        self.last = text or self.last

    def newline(self, indent: int) -> None:
        if self.fresh:
            self.column = indent
            return
        while self.out[-1] in ("", " "):
            self.out.pop()
        for at, comment in enumerate(self.comments):
            self.out.append((" " * comment.gap if not at else "\n" + " " * indent) + comment.text)
        self.comments.clear()
        self.out.append("\n")
        self.column = indent
        self.fresh = True
        self.last = ""

    def comment(self, comment: Comment) -> None:
        if self.fresh:
            self.word(comment.text)
            self.newline(self.column)
        else:
            self.comments.append(comment)

    def blank(self) -> None:
        if self.fresh and self.out and not self.after_blank:
            self.out.append("\n")
            self.after_blank = True


def _merges(before: str, after: str) -> bool:
    """Whether two tokens without a space between them could be read as another."""
    last, first = before[-1], after[0]
    if last in _SYMBOLS and first in _SYMBOLS:
        return before not in _DOTS and after not in _DOTS
    return (last.isalnum() or last in "_'") and (first.isalnum() or first in "_'")


_SYMBOLS = frozenset("-+*/%=!><|&^.:?")
_DOTS = frozenset({".", ":", "..", "...", "..<", "..>"})


def render(doc: Doc, width: int) -> str:
    """The text of a document, without spaces at the ends of lines; it ends with a line break unless it is empty.

    >>> render(Group(Cat("[", Align(Cat("one,", LINE, "two")), "]")), 8)
    '[one,\\n two]\\n'
    """
    writer = _Writer()
    stack: list[_Frame] = [(0, False, doc)]
    pop, push = stack.pop, stack.append
    while stack:
        indent, flat, here = pop()
        if isinstance(here, str):
            writer.word(here)
        elif isinstance(here, Cat):
            stack += [(indent, flat, part) for part in here.parts[::-1]]
        elif isinstance(here, Break):
            if flat and here.width < NEVER:
                writer.word(here.flat)
            else:
                writer.newline(indent)
        elif isinstance(here, Group):
            push((indent, flat or _fits(stack, width - writer.column - here.width), here.doc))
        elif isinstance(here, Nest):
            push((indent + here.by, flat, here.doc))
        elif isinstance(here, Align):
            push((writer.column, flat, here.doc))
        elif isinstance(here, Fill):
            _fill(stack, indent, flat, here, width - writer.column)
        elif isinstance(here, IfBroken):
            writer.word(here.flat if flat else here.broken)
        elif isinstance(here, Choice):
            if flat:
                push((indent, True, here.flat or ""))
            else:
                push((indent, *_choose(stack, here, width - writer.column, width - indent)))
        elif isinstance(here, Lines):
            push((indent, False, here.doc))
        elif isinstance(here, Comment):
            writer.comment(here)
        elif here is FRESH:
            writer.newline(indent)
        else:
            writer.blank()
    writer.newline(0)
    return "".join(writer.out).rstrip("\n") + "\n" if writer.out else ""


def _fill(stack: list[_Frame], indent: int, flat: bool, fill: Fill, room: int) -> None:
    """Puts one item on the stack, on one line if it fits, then the break before the next one, then the others."""
    items, at = fill.items, fill.start
    if flat:
        stack += [(indent, True, part) for item in items[::-1] for part in (item, " ")][:-1]
        return
    item = items[at]
    wide = width_of(item)
    if at == len(items) - 1:
        stack.append((indent, _fits(stack, room - wide), item))
        return
    both = wide + 1 + width_of(items[at + 1])
    stay = both <= room and (at + 2 < len(items) or _fits(stack, room - both))
    stack += [(indent, False, Fill(items, at + 1)), (indent, stay, LINE), (indent, wide <= room, item)]


def _choose(stack: list[_Frame], choice: Choice, room: int, below: int) -> tuple[bool, Doc]:
    """The alternative to take, and whether on one line; `room` is left on this line, `below` on the next ones."""
    if choice.flat is not None and _fits(stack, room - choice.width):
        return True, choice.flat
    for alternative in choice.alternatives[:-1]:
        if isinstance(alternative, Lines):
            if alternative.first <= room and alternative.widest <= below and _fits(stack, below - alternative.last):
                return False, alternative
        elif _fits(stack, room, alternative):
            return False, alternative
    return False, choice.alternatives[-1]


def _fits(stack: list[_Frame], room: int, first: Doc | None = None) -> bool:
    """Whether `first` (broken) and what is still to be written fit into the room, up to the first line break.

    What lies in `first` and need not break does not; what comes after it may break wherever it can.
    """
    below = len(stack)
    pending: list[tuple[bool, Iterator[Doc]]] = [] if first is None else [(False, iter((first,)))]
    while room >= 0:
        if pending:
            flat, parts = pending[-1]
            following = next(parts, None)
            if following is None:
                pending.pop()
                continue
            doc = following
        else:
            first = None
            below -= 1
            if below < 0:
                return True
            _, flat, doc = stack[below]
        if isinstance(doc, str):
            room -= len(doc)
        elif isinstance(doc, Cat):
            pending.append((flat, iter(doc.parts)))
        elif isinstance(doc, Break):
            if not flat or doc.width >= NEVER:
                return True
            room -= doc.width
        elif isinstance(doc, Mark):
            return True
        elif isinstance(doc, Comment):
            pass
        elif isinstance(doc, IfBroken):
            room -= len(doc.flat if flat else doc.broken)
        elif flat or (first is not None and doc.width < NEVER):
            room -= doc.width
        elif isinstance(doc, Choice):
            pending.append((False, iter((doc.alternatives[-1],))))
        elif isinstance(doc, Fill):
            if doc.start:
                return True
            pending.append((False, iter((doc.items[0], LINE))))
        else:
            pending.append((False, iter((doc.doc,))))
    return False
