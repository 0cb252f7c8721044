"""Terms that repeat: a long sum, array or sequence of `let` is mostly a few shapes with other names and numbers in it.

The words of a long declaration (`words`) are cut where parts of it stand that are expressions of their own: what is
between commas, keywords and brackets, or between the `+` and `-` of a sum. Where one of the same signs stands three
times or more it has a *shape*: it is read once, with marks for its names and numbers, and from what the grammar makes
of that each of them is made by putting its own words in. The parser treats it as one operand (`machine.measured`).

An *instance* of a shape is a node like any other. What is below it is made only when somebody looks: the checker and
lowering may know the shape already (`Instance`).
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..diagnostics.report import Reporter
from ..source import Piece, Source, Span
from . import ast
from .lexer import KEYWORDS, Token
from .machine import Failure, load, measured
from .operators import TooDeep
from .words import FLOAT, INDEX, INT, KINDS, NAME, NAT, SUFFIXES, Words, sign, words

if TYPE_CHECKING:
    from .build import Builder

LIMIT = 120
"""Longer terms are cut where that is possible, and have no shape."""
REPEATED = 3
MAX_SHAPES = 4000

_MARK = 1_000_000
"""Marks of numbers count from here."""


# ---------------------------------------------------------------- where terms stand


@lru_cache(maxsize=1)
def _expressions() -> tuple[re.Pattern[str], ...]:
    def signs(*given: str) -> str:
        return "".join(re.escape(sign(w)) for w in given)

    opening, closing = signs("(", "[", "{") + INDEX, signs(")", "]", "}")
    hard = signs(*(w for w in KEYWORDS if w not in ("true", "false")), ",", "=", ":", ":>", "@", "\\", "->", "..",
                 "...", "..<", "..>", "_")
    soft = signs("+", "-", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "|>", "<|")
    values = NAME + NAT + "".join(SUFFIXES) + closing + signs("true", "false", "param", "data")
    group = f"[{opening}][^{opening}{closing}]*+[{closing}]"
    for _ in range(3):
        group = f"[{opening}](?:[^{opening}{closing}]|{group})*+[{closing}]"
    inside = f"[^{opening}{closing}{hard}]"
    tight = f"[{NAME}{NAT}{''.join(SUFFIXES)}{signs('.', '*', '/', '%', '**', 'true', 'false', 'param', 'data')}]"
    start = f"(?:(?<=[{values}][{soft}])|(?<=[{hard}{opening}]))"
    return (re.compile(f"(?:[^{opening}{closing}{sign('=')}]|{group})*+{sign('=')}"),
            re.compile(f"(?:{inside}|{group})++(?=[{hard}{closing}]|\\Z)"),
            re.compile(f"{start}{sign('-')}?+(?:{tight}|{group})++(?<=[{values}])(?=[{soft}]|\\Z)"),
            re.compile(group), re.compile(f"(?:{inside}|{group})++"),
            re.compile(f"{sign('-')}?+(?:{tight}|{group})++(?<=[{values}])"),
            re.compile(f"{sign(':')}[{signs('param', 'data')}]"))


def _places(signs: str, begin: int, end: int, found: list[tuple[int, int, bool]]) -> None:
    """Where terms stand between two words, and whether only operators that bind tighter than `+` may be in them.

    Brackets need not match, and what is found need not be an expression.
    """
    _, segment, piece, *_ = _expressions()
    for match in segment.finditer(signs, begin, end):
        first, last = match.span()
        if last - first <= LIMIT:
            if last - first > 2:
                found.append((first, last, False))
            continue
        at = first
        for part in piece.finditer(signs, first, last):
            low, high = part.span()
            if high - low > LIMIT:
                continue
            if high - low > 2:
                _groups(signs, at, low, found)
                found.append((low, high, True))
                at = high
        _groups(signs, at, last, found)


def _groups(signs: str, begin: int, end: int, found: list[tuple[int, int, bool]]) -> None:
    """The same inside long brackets."""
    if end - begin > LIMIT:
        for match in _expressions()[3].finditer(signs, begin, end):
            low, high = match.span()
            if high - low > LIMIT:
                _places(signs, low + 1, high - 1, found)


class Term(str):
    """The text of a token that stands for several."""

    text: Text
    begin: int
    end: int
    number: int
    """How many like it the declaration has."""
    tight: bool

    def read(self) -> tuple[ast.Exp, int] | None:
        """The expression and how deeply it is nested; None where the words are none."""
        return self.text.read(self)

    def tokens(self) -> list[Token]:
        return self.text.words.tokens(self.begin, self.end)


class Text:
    """A declaration's words, for the terms in it."""

    __slots__ = ("builder", "terms", "words")

    def __init__(self, words: Words, builder: Builder) -> None:
        self.words = words
        self.builder = builder
        self.terms: list[tuple[Term, ast.Exp]] = []
        """Those that are operands, in order."""

    def read(self, term: Term) -> tuple[ast.Exp, int] | None:
        made = self._read(term)
        if made is not None:
            self.terms.append((term, made[0]))
        return made

    def _read(self, term: Term) -> tuple[ast.Exp, int] | None:
        words, begin, end = self.words, term.begin, term.end
        signs = words.signs[begin:end]
        shape = _shapes.get(signs)
        if shape is None:
            if term.number < REPEATED:
                return self._once(term)
            if len(_shapes) >= MAX_SHAPES:
                _shapes.clear()
            made = self._once(term)
            shape = (_shape(signs, term.tokens(), made[1]) if made is not None else None) or UNFIT
            if shape is not UNFIT and made is not None and not same(made[0], shape.instance(self, begin, end)):
                shape = UNFIT
            _shapes[signs] = shape
            if shape is UNFIT:
                return made
        if shape is UNFIT:
            return self._once(term)
        return shape.instance(self, begin, end), shape.level

    def _once(self, term: Term) -> tuple[ast.Exp, int] | None:
        tokens = term.tokens()
        end = tokens[-1].end
        made = measured(load(), "exp", [*tokens, Token("$END", "", end, end)], self.builder.actions)
        return None if isinstance(made, Failure) else made


def cut(text: str, begin: int, builder: Builder) -> tuple[list[Token], Text] | None:
    """The tokens of a declaration that begins at `begin`, with a `Term` for each term; and its words.

    None where the declaration is not one that this is for.
    """
    found = words(text, begin)
    if found is None:
        return None
    head, *_, qualified = _expressions()
    signs = found.signs
    match = head.match(signs)
    if match is None:
        return None
    body = match.end()
    places: list[tuple[int, int, bool]] = []
    _places(signs, body, len(signs), places)
    if len(places) < REPEATED or qualified.search(signs, body):
        return None
    counts = Counter([signs[i:j] for i, j, _ in places])
    whole = Text(found, builder)
    tokens: list[Token] = []
    at = 0
    start, ends = found.start, found.ends
    for i, j, tight in places:
        count = counts[signs[i:j]]
        if count < REPEATED:
            continue
        term = Term(" ")
        term.text, term.begin, term.end, term.number, term.tight = whole, i, j, count, tight
        if at < i:
            tokens += found.tokens(at, i)
        tokens.append(Token(KINDS[signs[i]], term, start(i), ends[j - 1]))
        at = j
    tokens += found.tokens(at, len(signs))
    return tokens, whole


def may_stand(signs: str, tight: bool) -> bool:
    """Whether words of these signs are one term where such a term stood."""
    *_, loose, tighter, qualified = _expressions()
    return bool((tighter if tight else loose).fullmatch(signs)) and not qualified.search(signs)


# ---------------------------------------------------------------- shapes


class Shape:
    """What terms of the same signs have in common.

    `nodes` says how their nodes are made, children first: class, first and last word, and of each field how its value
    comes about.
    """

    __slots__ = ("cls", "count", "known", "leaves", "level", "nodes", "signs")

    def __init__(self, signs: str, level: int, nodes: list[tuple[type[ast.Node], int, int, tuple[Any, ...]]]) -> None:
        self.signs = signs
        self.level = level
        self.nodes = nodes
        self.cls: Any = nodes[-1][0]
        self.count = len(nodes)
        self.leaves = [k for k, s in enumerate(signs) if s in _LEAVES]
        """Its words that differ from one instance to the next."""
        self.known: dict[Any, Any] = {}
        """What the checker has found out, by what it follows from."""

    def instance(self, text: Text, begin: int, end: int) -> Any:
        """A node of this shape; what is below it comes when it is asked for."""
        node = object.__new__(self.cls)
        words, within = text.words, text.builder.source
        given = node.__dict__
        given["span"] = Span(within, words.start(begin), words.ends[end - 1])
        given["instance"] = Instance(self, node, words, within, begin)
        return node


class Instance:
    """A term that is one of many of its shape.

    `made` are its nodes in the order of the shape's, once they were needed. `fill`, when the checker has set it, puts
    what it knows of them into its tables then.
    """

    __slots__ = ("begin", "fill", "flow", "found", "made", "place", "shape", "top", "within", "words")

    def __init__(self, shape: Shape, top: ast.Exp, words: Words, within: Source | Piece, begin: int) -> None:
        self.shape, self.top, self.words, self.within, self.begin = shape, top, words, within, begin
        self.made: list[Any] | None = None
        self.fill: Any = None
        self.found: Any = None
        """What the checker knows of it (`checker.instances`)."""
        self.place: Any = None
        self.flow: Any = None
        """Where the checker met it, and what it depends on there (`checker.edits`)."""

    def word(self, at: int) -> str:
        """Its word number `at`."""
        return self.words.infos[self.begin + at][1]

    def span(self, first: int, last: int) -> Span:
        """From one of its words to another."""
        return Span(self.within, self.words.start(self.begin + first), self.words.ends[self.begin + last])

    def value(self, at: int) -> int | float:
        """The number that its word number `at` is."""
        return number(self.words.signs[self.begin + at], self.word(at))

    def make(self) -> list[Any]:
        """All nodes, the term's own last."""
        if self.made is not None:
            return self.made
        shape, begin, within = self.shape, self.begin, self.within
        ends, infos = self.words.ends, self.words.infos
        made: list[Any] = []
        last = shape.count - 1
        for cls, low, high, fields in shape.nodes:
            if len(made) == last:
                node: Any = self.top
                given = node.__dict__
            else:
                node = object.__new__(cls)
                given = node.__dict__
                given["span"] = Span(within, ends[begin + low] - infos[begin + low][2], ends[begin + high])
            for name, how, what in fields:
                if how == 0:
                    given[name] = made[what]
                elif how == 1:
                    given[name] = infos[begin + what][1]
                elif how == 2:
                    given[name] = what
                elif how == 3:
                    given[name] = tuple([made[k] for k in what])
                else:
                    given[name] = self._field(how, what, made)
            made.append(node)
        self.made = made
        if self.fill is not None:
            self.fill(self)
        return made

    def _field(self, how: int, what: Any, made: list[Any]) -> Any:
        if how == 4:
            at, negative = what
            value = self.value(at)
            return -value if negative else value
        if how == 5:
            return self.span(*what)
        if how == 6:
            return tuple([self._field(one, of, made) for one, of in what])
        return made[what] if how == 0 else self.word(what) if how == 1 else what


UNFIT: Any = Shape.__new__(Shape)
"""For signs that are no expression, or one that does not follow from its signs."""
_shapes: dict[str, Shape] = {}
_LEAVES = frozenset((NAME, NAT, *SUFFIXES))


def number(sign: str, word: str) -> int | float:
    suffix = SUFFIXES[sign]
    digits = word if suffix is None else word[:-len(suffix)]
    return int(digits) if digits.isdigit() and KINDS[sign] == "INT" else float(digits)


def _shape(signs: str, tokens: Sequence[Token], level: int) -> Shape | None:
    """The shape of terms like these tokens; None where what they are does not follow from the signs alone."""
    from .build import Builder, actions

    marked: list[Token] = []
    text: list[str] = []
    marks: dict[str, int] = {}
    for k, (s, token) in enumerate(zip(signs, tokens, strict=True)):
        word = token.text
        if s in (NAME, NAT):
            word = f"\0{k}"
            marks[word] = k
        elif s in SUFFIXES:
            fraction = ".5" if token.kind == "FLOAT" and not _whole(s, token.text) else ""
            word = f"{_MARK + k}{fraction}{SUFFIXES[s] or ''}"
        marked.append(Token(token.kind, word, 2 * k, 2 * k + 1))
        text += [token.text[0], " "]
    piece, report = Piece(Source("", ""), "".join(text), 0), Reporter()
    builder = Builder(piece, report)
    builder.actions = actions(load(), builder)
    end = 2 * len(tokens)
    try:
        made = measured(load(), "exp", [*marked, Token("$END", "", end, end)], builder.actions)
    except TooDeep:
        return None
    if isinstance(made, Failure) or report.diagnostics or type(made[0]) in (ast.Name, ast.Lit):
        return None
    nodes: list[tuple[type[ast.Node], int, int, tuple[Any, ...]]] = []
    return Shape(signs, level, nodes) if _describe(made[0], signs, marks, nodes) is not None else None


def _whole(sign: str, word: str) -> bool:
    return sign == INT or (sign != FLOAT and word[:-3].isdigit())


def _describe(node: ast.Node, signs: str, marks: Mapping[str, int],
              nodes: list[tuple[type[ast.Node], int, int, tuple[Any, ...]]]) -> int | None:
    """Adds what makes the node, after those below it; gives its number."""
    fields: list[tuple[str, int, Any]] = []
    for name in node.FIELDS[1:]:
        how = _value(getattr(node, name), node, signs, marks, nodes)
        if how is None:
            return None
        if how[0] == 6 and all(item[0] == 0 for item in how[1]):
            how = 3, tuple([item[1] for item in how[1]])
        fields.append((name, *how))
    nodes.append((type(node), node.span.first // 2, node.span.last // 2, tuple(fields)))
    return len(nodes) - 1


def _value(value: Any, node: ast.Node, signs: str, marks: Mapping[str, int],
           nodes: list[tuple[type[ast.Node], int, int, tuple[Any, ...]]]) -> tuple[int, Any] | None:
    if isinstance(value, ast.Node):
        child = _describe(value, signs, marks, nodes)
        return None if child is None else (0, child)
    if isinstance(value, tuple):
        items = [_value(item, node, signs, marks, nodes) for item in value]
        return None if None in items else (6, tuple(items))
    if isinstance(value, Span):
        return 5, (value.first // 2, value.last // 2)
    if isinstance(value, str):
        at = marks.get(value)
        return (1, at) if at is not None else (2, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        at = int(abs(value)) - _MARK
        return (4, (at, value < 0)) if 0 <= at < len(signs) and isinstance(node, ast.Lit) and signs[at] in SUFFIXES \
            else None
    return 2, value


def same(one: Any, other: Any) -> bool:
    """Whether two trees are the same, places included."""
    if isinstance(one, ast.Node):
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in one.FIELDS)
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


__all__ = ["REPEATED", "Instance", "Shape", "Term", "Text", "cut", "may_stand", "same"]
