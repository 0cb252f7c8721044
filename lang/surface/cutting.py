"""Where declarations begin in a file and in the body of a module, and where the bodies of modules stand.

This looks at words and brackets only, before anything is parsed: a mistake in one declaration hides nothing of others.
"""
from __future__ import annotations

from collections.abc import Sequence

from ..source import Piece, Source
from .lexer import DECLARATION_WORDS, Token

_OPENERS = frozenset({"LPAR", "LSQB", "LBRACE", "INDEX"})
_CLOSERS = frozenset({"RPAR", "RSQB", "RBRACE"})
_ENDS_EXPRESSION = _CLOSERS | {"NAME", "NAT", "INT", "FLOAT", "STRING", "CHAR", "TRUE", "FALSE", "HOLE", "CONSTR",
                               "TYVAR"}
LEADING = frozenset({"DOC", "ATTR"})


def cut(source: Source | Piece, tokens: Sequence[Token], body: bool = False) -> list[int]:
    """Where declarations begin, their documentation and attributes included; `body`: of a module, not of a file."""
    scan = Scan(body)
    scan.run(source.text, 0, tokens)
    return scan.finish(source.text, 0, tokens)


class Scan:
    """Looks for the beginnings of declarations in tokens that may arrive in several parts.

    Words that only begin declarations do so even inside brackets, so that a bracket left open harms one declaration
    only; what stands in the braces of a module is the exception. Not at the left margin (in a module: not first on
    their line) they do so after a finished expression or type alone: `let val = 1` has a bad name, and begins nothing.
    An old-style `let` counts after a finished expression, in a file at the left margin.
    """

    __slots__ = ("at", "body", "braces", "depth", "for_in", "lets", "module", "opened", "previous", "starts")

    def __init__(self, body: bool = False) -> None:
        self.body = body
        self.starts: list[int] = []
        self.at = self.depth = self.lets = self.braces = self.opened = 0
        self.module = self.for_in = False
        self.previous = ""

    def may_end(self, word: str) -> bool:
        """Whether a token of this kind at the left margin would begin a declaration of the file."""
        if self.braces:
            return False
        if word == "LET":
            return not self.depth and not self.lets and (self.previous in _ENDS_EXPRESSION or not self.starts)
        return not _continues(self.previous, word)

    def run(self, text: str, offset: int, tokens: Sequence[Token]) -> None:
        """Go on to the end of the tokens; their offsets count from `offset` in the text."""
        starts, previous = self.starts, self.previous
        depth, lets, module, for_in, braces = self.depth, self.lets, self.module, self.for_in, self.braces
        for at in range(self.at, len(tokens)):
            token = tokens[at]
            kind = token.kind
            if braces:
                if kind == "LBRACE":
                    braces += 1
                elif kind == "RBRACE":
                    braces -= 1
            elif module and kind == "LBRACE":
                braces = 1
                self.opened = at
            elif kind in _OPENERS:
                depth += 1
            elif kind in _CLOSERS:
                depth = max(0, depth - 1)
            elif kind in DECLARATION_WORDS:
                first = _leading(tokens, at)
                if not _continues(previous, kind) and (
                        not starts or previous in _ENDS_EXPRESSION
                        or _begins_line(text, offset + tokens[first].start, self.body)) \
                        and not (depth and _named(text, offset, tokens, at)):
                    starts.append(first)
                    words = tokens[at + (kind == "LOCAL"):at + 2]
                    module = bool(words) and words[0].kind in ("MODULE", "OPEN")
                    depth, lets, for_in = 0, 0, False
            elif kind == "LET":
                if not depth and not lets and (previous in _ENDS_EXPRESSION or not starts) \
                        and (self.body or _begins_line(text, offset + token.start)):
                    starts.append(_leading(tokens, at))
                    module, for_in = False, False
                elif not depth and previous not in _ENDS_EXPRESSION:
                    lets += previous != "LOCAL"
            elif depth:
                pass
            elif kind == "ASSUME":
                lets += previous not in _ENDS_EXPRESSION
            elif kind == "FOR":
                for_in = at + 2 < len(tokens) and tokens[at + 2].kind != "LESSTHAN"
            elif kind == "IN":
                if for_in:
                    for_in = False
                elif lets:
                    lets -= 1
            if kind not in LEADING:
                previous = kind
        self.at, self.previous = len(tokens), previous
        self.depth, self.lets, self.module, self.for_in, self.braces = depth, lets, module, for_in, braces

    def finish(self, text: str, offset: int, tokens: Sequence[Token]) -> list[int]:
        """All beginnings, when no more tokens come: a module's brace that nothing closes ends at the left margin."""
        while self.braces:
            self.braces = 0
            self.at = _after_open(text, offset, tokens, self.opened)
            self.previous = next((tokens[k].kind for k in range(self.at - 1, -1, -1)
                                  if tokens[k].kind not in LEADING), "")
            self.run(text, offset, tokens)
        return self.starts


def _named(text: str, offset: int, tokens: Sequence[Token], at: int) -> bool:
    """`type: i64` inside brackets, to the right of the margin: a field with a bad name."""
    return at + 1 < len(tokens) and tokens[at + 1].kind in ("COLON", "EQUAL") \
        and not _begins_line(text, offset + tokens[at].start)


def _begins_line(text: str, start: int, indented: bool = False) -> bool:
    """Whether this stands at the left margin, or is the first on its line."""
    first = text.rfind("\n", 0, start) + 1
    return not text[first:start].strip("\ufeff \t\r\f\v" if indented else "\ufeff")


def _continues(previous: str, kind: str) -> bool:
    """`local def`, `open import`, `module type`, `module M = import`: the second word begins nothing of its own."""
    return previous == "LOCAL" or (kind == "IMPORT" and previous in ("OPEN", "EQUAL", "LPAR", "ARROW")) or (
        kind == "TYPE" and previous == "MODULE")


def _leading(tokens: Sequence[Token], at: int) -> int:
    while at > 0 and tokens[at - 1].kind in LEADING:
        at -= 1
    return at


def _after_open(text: str, offset: int, tokens: Sequence[Token], at: int) -> int:
    """Where a body whose brace at `at` is never closed ends: before the next declaration on the left margin."""
    for here in range(at + 1, len(tokens)):
        token = tokens[here]
        if token.kind in DECLARATION_WORDS and text[offset + token.start - 1] == "\n" \
                and not _continues(tokens[here - 1].kind, token.kind):
            return _leading(tokens, here)
    return len(tokens)


def closing_brace(tokens: Sequence[Token], at: int) -> int:
    """After the brace that closes the one at `at`, other brackets left aside; beyond the end where none does."""
    depth = 0
    for here in range(at, len(tokens)):
        kind = tokens[here].kind
        if kind == "LBRACE":
            depth += 1
        elif kind == "RBRACE":
            depth -= 1
            if not depth:
                return here + 1
    return len(tokens) + 1


def module_bodies(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """The braces `{ declarations }` in a declaration that begins with `module` or `open`: from, to (exclusive).

    Braces where a module type, or the type after `with t =`, is expected are none of these.
    """
    if len(tokens) > 1 and tokens[1].kind == "TYPE":
        return []
    found: list[tuple[int, int]] = []
    outer: list[tuple[str, int]] = []
    mode, withs = ("module" if tokens[0].kind == "OPEN" else "type"), 0
    at = 1
    while at < len(tokens):
        kind = tokens[at].kind
        if kind == "LBRACE":
            end = min(closing_brace(tokens, at), len(tokens))
            if mode == "module":
                found.append((at, end))
            at = end
            continue
        if kind in _OPENERS:
            outer.append((mode, withs))
            mode, withs = ("type" if mode == "lambda" else mode), 0
        elif kind in _CLOSERS:
            if outer:
                mode, withs = outer.pop()
        elif kind == "WITH":
            withs += 1
        elif kind == "EQUAL" and mode == "type":
            if withs:
                withs -= 1
            else:
                mode = "module"
        elif kind == "COLON" and mode == "module":
            mode, withs = "type", 0
        elif kind == "BACKSLASH" and mode == "module":
            mode = "lambda"
        elif kind == "ARROW" and mode == "lambda":
            mode = "module"
        at += 1
    return found
