"""Chains of operands and operators, as the grammar leaves them, into trees; and what all tree builders share.

`a + b * c with [i] = d` arrives flat. `Chains.climb` resolves it by Futhark's precedences with two stacks, left to
right: no recursion, so a sum of fifty thousand terms is a loop here (and a left-deep tree afterwards).
"""
from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ..diagnostics.report import Reporter
from ..source import Piece, Source, Span
from . import ast
from .lexer import Token
from .machine import MAX_DEPTH, Action

LEVELS: dict[str, int] = {
    "|>": 3, "<|": 4, "||": 5, "&&": 6, "==": 7, "!=": 7, "<": 7, "<=": 7, ">": 7, ">=": 7, "!": 7, "=": 7,
    "&": 8, "^": 8, "|": 8, "<<": 9, ">>": 9, "+": 10, "-": 10, "*": 11, "/": 11, "%": 11, "//": 11, "%%": 11, "**": 12,
}
"""Precedence of operators, by the longest of these that they begin with. 0 are ranges, 1 backticks, 2 `with`."""
RANGES = frozenset({"..", "...", "..<", "..>"})
_COMPARISONS = frozenset({"<", "<=", ">", ">="})


class With(NamedTuple):
    """`with [i] =` or `with a.b =` as an operator of a chain."""

    indices: tuple[Any, ...]
    path: tuple[str, ...]
    text: str = "with"


class TooDeep(Exception):
    """An operator chain whose tree would be nested beyond the limit; the parser reports it."""

    def __init__(self, span: Span) -> None:
        super().__init__("nesting")
        self.span = span


def level_of(operator: str) -> int:
    """The precedence of an infix operator, ranges and backticks included.

    >>> level_of("+.") == level_of("+"), level_of("|>") < level_of("||")
    (True, True)
    """
    if operator in LEVELS:
        return LEVELS[operator]
    if operator in RANGES:
        return 0
    if operator[0] == "`":
        return 1
    symbol = operator
    if operator[0].isalpha():  # M.+
        symbol = operator[next(at for at, c in enumerate(operator) if not (c.isalnum() or c in "_'.")):]
    for length in (2, 1):
        if symbol[:length] in LEVELS:
            return LEVELS[symbol[:length]]
    return LEVELS["="]


class Chains:
    """Values of rules that only pass on or collect, and of chains. Builders of nodes extend it."""

    def __init__(self, source: Source | Piece, report: Reporter) -> None:
        self.source = source
        self.report = report
        self.actions: list[Action | None] = []
        self.depth = 0
        """How deeply what was made last is nested."""
        self.chained: dict[ast.BinOp, tuple[str, ast.Exp]] = {}
        """Comparisons that another follows: how the two are meant to be joined, and the left side of the other."""
        """Comparisons that another follows, which is reported."""
        self.bodies: dict[int, tuple[ast.Decl, ...]] = {}
        """The declarations of each module's body, by where its brace opens; the parser reads them first."""

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def at(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def empty(self, v: list[Any], start: int, end: int) -> list[Any]:
        return []

    def nothing(self, v: list[Any], start: int, end: int) -> None:
        return None

    def one(self, v: list[Any], start: int, end: int) -> list[Any]:
        return v

    def push(self, v: list[Any], start: int, end: int) -> Any:
        v[0].append(v[1])
        return v[0]

    def push_after(self, v: list[Any], start: int, end: int) -> Any:
        v[0].append(v[2])
        return v[0]

    def first(self, v: list[Any], start: int, end: int) -> Any:
        return v[0]

    def second(self, v: list[Any], start: int, end: int) -> Any:
        return v[1]

    def second_alone(self, v: list[Any], start: int, end: int) -> list[Any]:
        return [v[1]]

    # ------------------------------------------------------------ chains

    def chain_one(self, v: list[Any], start: int, end: int) -> list[Any]:
        return v

    def chain_more(self, v: list[Any], start: int, end: int) -> Any:
        chain = v[0]
        chain.append(v[1])
        chain.append(v[2])
        return chain

    def with_indices(self, v: list[Any], start: int, end: int) -> With:
        return With(tuple(v[2]), ())

    def with_path(self, v: list[Any], start: int, end: int) -> With:
        return With((), tuple(token.text for token in v[1]))

    def climb(self, v: list[Any], start: int, end: int) -> ast.Exp:
        chain: list[Any] = v[0]
        if len(chain) == 1:
            only: ast.Exp = chain[0]
            return only
        ranges = [at for at in range(1, len(chain), 2) if chain[at].text in RANGES]
        return self._ranges(chain, ranges) if ranges else self._climb(chain)

    def _ranges(self, chain: list[Any], ranges: list[int]) -> ast.Exp:
        """Ranges bind loosest of all; what stands between their dots are chains of their own."""
        parts = [self._climb(chain[before + 1:after]) for before, after in zip([-1, *ranges], [*ranges, len(chain)],
                                                                             strict=True)]
        dots = [chain[at] for at in ranges]
        span = parts[0].span.to(parts[-1].span)
        kind: Literal["...", "..<", "..>"] = "..." if dots[-1].text == ".." else dots[-1].text
        if dots[-1].text == "..":
            self.report.error("E010", "a range needs an end", self.at(dots[-1]), "this gives only the second element",
                              help="write `a..<b` (without b), `a...b` (with b) or `a..s..<b` with a second element")
        elif len(dots) > 2 or (len(dots) == 2 and dots[0].text != ".."):
            self.report.error("E019", "this range has too many ends", self.at(dots[1]), "second end",
                              others=[(self.at(dots[0]), "first end")], help="add parentheses, or write `a..s..<b`")
        return ast.Range(span, parts[0], parts[1] if len(dots) == 2 else None, parts[-1], kind)

    def _climb(self, chain: list[Any]) -> ast.Exp:
        """Operator precedence with two stacks, left to right; the tree of a long sum is left-deep, made in one pass."""
        operands: list[ast.Exp] = [chain[0]]
        pending: list[tuple[int, Token | With]] = []
        updates = 0
        for at in range(1, len(chain), 2):
            operator = chain[at]
            level = 2 if isinstance(operator, With) else level_of(operator.text)
            while pending and (pending[-1][0] > level or (pending[-1][0] == level and level != 4)):
                self._combine(operands, pending, operator)
            pending.append((level, operator))
            operands.append(chain[at + 1])
            updates += level == 2
            if len(pending) > MAX_DEPTH or updates > MAX_DEPTH:
                raise TooDeep(operands[0].span.to(chain[-1].span))
        while pending:
            self._combine(operands, pending, None)
        return operands[0]

    def _combine(self, operands: list[ast.Exp], pending: list[tuple[int, Token | With]], following: Token | With | None
                 ) -> None:
        _, operator = pending.pop()
        right = operands.pop()
        left = operands.pop()
        span = self.span(left.span.first, right.span.last)
        if isinstance(operator, With):
            operands.append(ast.RecordUpdate(span, left, operator.path, right) if operator.path
                            else ast.Update(span, left, operator.indices, right))
            return
        chained = following is not None and operator.text in _COMPARISONS and following.text in _COMPARISONS
        meant, other = "&&", right
        if chained:
            assert isinstance(following, Token)
            help = "write `a < b && b < c`"
            if isinstance(right, ast.BinOp) and right.op in ("&", "|"):
                help = f"`{right.op}` binds more tightly: to join two conditions, write `a < b {right.op * 2} c < d`"
                meant, other, right = right.op * 2, right.right, right.left
            self.report.error(
                "E019", f"comparisons cannot be chained: `{operator.text}` is followed by `{following.text}`",
                self.at(following), "second comparison", others=[(self.at(operator), "first comparison")], help=help)
        made = ast.BinOp(span, operator.text, self.at(operator), left, right)
        if isinstance(left, ast.BinOp) and left in self.chained:  # what was meant: its types are right
            before, middle = self.chained[left]
            made = ast.BinOp(span, before, self.at(operator), left,
                             ast.BinOp(span, operator.text, self.at(operator), middle, right))
        if chained:
            self.chained[made] = meant, other
        operands.append(made)
