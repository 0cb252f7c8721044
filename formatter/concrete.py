"""Text to a tree that keeps every token: the parser's tables, with actions that only collect.

In: a text without syntax errors. Out: its declarations. A rule of the grammar becomes a `Tree` with the rule's name and
the values of its symbols: trees, tokens, lists (with their separators), and None for what is not there; one that makes
a node of a single token is that token. Redundant parentheses, spellings of numbers and the order of parameters are all
still there, so the formatter need not guess them.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from ..lang.diagnostics.report import Reporter
from ..lang.source import Source
from ..lang.surface.cutting import LEADING, cut, module_bodies
from ..lang.surface.lexer import Token, tokenize
from ..lang.surface.machine import Action, Failure, Tables, load, run


class Tree:
    """One use of a rule: `name` as in the grammar after `->`."""

    __slots__ = ("first", "items", "name")

    def __init__(self, name: str, items: list[Item]) -> None:
        self.items = items
        self.name = name
        self.first: Token | None = None
        """Its first token, once somebody has asked."""

    def __repr__(self) -> str:
        return f"{self.name}{self.items}"


Item: TypeAlias = Any
"""Tree | Token | list[Item] | None"""


class Declaration:
    """`words` are the attributes and the words `local` before the declaration."""

    __slots__ = ("tree", "words")

    def __init__(self, words: list[Token], tree: Tree) -> None:
        self.words = words
        self.tree = tree


class Body:
    """The braces of a module with its declarations."""

    __slots__ = ("close", "declarations", "open")

    def __init__(self, open: Token, declarations: list[Declaration], close: Token) -> None:
        self.open = open
        self.declarations = declarations
        self.close = close


def first_token(item: Item) -> Token:
    """The first token of a part of the tree that has any."""
    if isinstance(item, Token):
        return item
    if isinstance(item, Tree):
        if item.first is None:
            item.first = first_token(item.items)
        return item.first
    if isinstance(item, Body):
        return item.open
    if isinstance(item, Declaration):
        return item.words[0] if item.words else first_token(item.tree)
    return first_token(next(part for part in item if part is not None and part != []))


def last_token(item: Item) -> Token:
    """The last token of a part of the tree that has any."""
    pending = [item]
    while pending:
        here = pending.pop()
        if isinstance(here, Token):
            return here
        if isinstance(here, Body):
            return here.close
        if isinstance(here, Tree):
            pending += here.items
        elif isinstance(here, list):
            pending += here
    raise ValueError("no tokens")


def read(source: Source) -> tuple[list[Declaration], list[Token]]:
    """The declarations and all tokens but documentation. `ValueError` on a text that does not parse."""
    tokens = tokenize(source, Reporter())
    return _Reader(source).declarations(tokens, False), [token for token in tokens if token.kind != "DOC"]


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tables = load()
        self.bodies: dict[int, Body] = {}
        self.actions = [self._action(self.tables, rule) for rule in range(len(self.tables.rules))]

    def _action(self, tables: Tables, rule: int) -> Action | None:
        name, length, _ = tables.rules[rule]
        if not name or name == "climb":
            return None if not name else \
                lambda values, start, end: values[0][0] if len(values[0]) == 1 else Tree("chain", values[0])
        if name == "empty":
            return lambda values, start, end: []
        if name == "second_alone":
            return lambda values, start, end: [Tree("second", values)]
        if name in ("one", "chain_one"):
            return lambda values, start, end: values
        if name in ("push", "push_after", "chain_more"):
            return _extended
        if name == "local_size":  # the first of a list
            return lambda values, start, end: [Tree("size_binder", values)]
        if name == "nothing":
            return lambda values, start, end: None
        if name == "apply":
            return lambda values, start, end: values[0][0] if len(values[0]) == 1 else Tree("apply", values[0])
        if name == "module_body":
            return lambda values, start, end: self.bodies[values[0].start]
        if length == 1:
            return lambda values, start, end: values[0] if isinstance(values[0], Token) else Tree(name, values)
        return lambda values, start, end: Tree(name, values)

    def declarations(self, tokens: Sequence[Token], body: bool) -> list[Declaration]:
        starts = cut(self.source, tokens, body)
        return [self._declaration(tokens[start:end]) for start, end in pairwise([*starts, len(tokens)])]

    def _declaration(self, tokens: Sequence[Token]) -> Declaration:
        at = 0
        while at < len(tokens) and (tokens[at].kind in LEADING or tokens[at].kind == "LOCAL"):
            at += 1
        words = [token for token in tokens[:at] if token.kind != "DOC"]
        rest = list(tokens[at:])
        if rest and rest[0].kind in ("MODULE", "OPEN"):
            rest = self._without_bodies(rest)
        rest = [token for token in rest if token.kind != "DOC"]
        end = rest[-1].end if rest else 0
        made = run(self.tables, "declaration", [*rest, Token("$END", "", end, end)], self.actions)
        if isinstance(made, Failure):
            raise ValueError("the text does not parse")
        return Declaration(words, made)

    def _without_bodies(self, tokens: list[Token]) -> list[Token]:
        made: list[Token] = []
        done = 0
        for start, end in module_bodies(tokens):
            made += tokens[done:start]
            opening, closing = tokens[start], tokens[end - 1]
            self.bodies[opening.start] = Body(opening, self.declarations(tokens[start + 1:end - 1], True), closing)
            made.append(Token("BODY", "", opening.start, closing.end))
            done = end
        return made + tokens[done:]


def _extended(values: list[Any], start: int, end: int) -> list[Any]:
    first: list[Any] = values[0]
    first += values[1:]
    return first
