"""What stands between tokens: comments and line breaks, attached to the tokens beside them.

A comment on the same line after a token belongs to that token; one on a line of its own to the next token. The layout
may hand comments on to a neighbour, where the token is written somewhere else or not at all; their order stays.
"""
from __future__ import annotations

from collections.abc import Sequence

from ..lang.source import Source
from ..lang.surface.lexer import Token


class Remark:
    """A comment, dashes included. `blank`: an empty line stands before it; `gap`: spaces before one that trails;
    `margin`: it begins its line without indentation."""

    __slots__ = ("blank", "gap", "margin", "text")

    def __init__(self, text: str, blank: bool, gap: int, margin: bool) -> None:
        self.text = text
        self.blank = blank
        self.gap = gap
        self.margin = margin


class Trivia:
    """Tables by the offset at which a token begins."""

    def __init__(self, source: Source, tokens: Sequence[Token]) -> None:
        self.before: dict[int, list[Remark]] = {}
        """Comments on lines of their own."""
        self.after: dict[int, list[Remark]] = {}
        """Comments at the end of the token's line."""
        self.breaks: set[int] = set()
        """Tokens that do not stand on the line of the one before."""
        self.blanks: set[int] = set()
        """Tokens with an empty line before them, comments between aside."""
        self.tight: set[int] = set()
        """Tokens with nothing between them and the one before."""
        self.rest: list[Remark] = []
        """Comments after the last token."""
        text, done = source.text, 0
        previous: Token | None = None
        for token in tokens:
            if token.start == done:
                self.tight.add(token.start)
            else:
                gap = text[done:token.start]
                if "\n" in gap or "--" in gap:
                    self._gap(gap, previous, token)
            previous, done = token, token.end
        end = text[done:]
        if "--" in end:
            self._gap(end, previous, None)

    def _gap(self, gap: str, previous: Token | None, following: Token | None) -> None:
        lines = gap.replace("\r", "").replace("\ufeff", "").split("\n")
        own: list[Remark] = []
        blank = False
        for number, line in enumerate(lines):
            comment = line.strip()
            if comment:
                width = len(line) - len(line.lstrip())
                if number == 0 and previous is not None:
                    self.after.setdefault(previous.start, []).append(Remark(comment, False, max(1, width), False))
                else:
                    own.append(Remark(comment, blank, 1, width == 0))
                blank = False
            elif 0 < number < len(lines) - 1:
                blank = True
        if following is None:
            self.rest = own
            return
        if len(lines) > 1:
            self.breaks.add(following.start)
        if blank:
            self.blanks.add(following.start)
        if own:
            self.before[following.start] = own

    # ------------------------------------------------------------ handing on

    def to_following(self, token: Token, following: Token) -> None:
        """Comments around a token that is not written, to the one after it; so is an empty line before it."""
        own = self.before.pop(token.start, []) + self.after.pop(token.start, [])
        if own:
            self.before[following.start] = own + self.before.get(following.start, [])
            self.breaks.add(following.start)
        if token.start in self.breaks:
            self.breaks.add(following.start)
        if token.start in self.blanks:
            self.blanks.add(following.start)

    def before_operator(self, operator: Token, operand: Token) -> None:
        """Comments between an operator and its right operand, to before the operator: the two stay on one line."""
        if operand.start in self.before:
            own = self.after.pop(operator.start, []) + self.before.pop(operand.start)
            self.before.setdefault(operator.start, []).extend(own)
        if operand.start in self.breaks:
            self.breaks.add(operator.start)
            self.breaks.discard(operand.start)

    def around_comma(self, previous: Token, comma: Token, following: Token) -> None:
        """Comments beside a comma, which stays with what is before it: at the end of the line, to what is before; on
        lines of their own, to what is after."""
        own = self.before.pop(comma.start, [])
        if own:
            own += self.after.pop(comma.start, [])
            self.before[following.start] = own + self.before.get(following.start, [])
            self.breaks.add(following.start)
        elif comma.start in self.after:
            self.after.setdefault(previous.start, []).extend(self.after.pop(comma.start))
        if comma.start in self.breaks:
            self.breaks.add(following.start)
        if comma.start in self.blanks:
            self.blanks.add(following.start)
