"""From recognised rules to syntax nodes: one method per `-> name` of `grammar.lark`.

Each method receives the values of the rule's symbols in order (tokens for terminals) and where the rule's text begins and
ends. Lists are Python lists that grow in place until the node is made. `climb` turns the flat chain of operands and
operators into a tree.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from ..diagnostics.report import Reporter
from ..source import Source, Span
from . import ast
from .lexer import MODULES, Token, unescape
from .machine import MAX_DEPTH, Action, Tables

LEVELS: dict[str, int] = {
    "|>": 3, "<|": 4, "||": 5, "&&": 6, "==": 7, "!=": 7, "<": 7, "<=": 7, ">": 7, ">=": 7, "!": 7, "=": 7,
    "&": 8, "^": 8, "|": 8, "<<": 9, ">>": 9, "+": 10, "-": 10, "*": 11, "/": 11, "%": 11, "//": 11, "%%": 11, "**": 12,
}
"""Precedence of operators, by the longest of these that they begin with. 0 are ranges, 1 backticks, 2 `with`."""
GRADES = ("none", "affine", "smooth", "C2", "C1", "lip", "cont", "flat", "jump", "opaque")
_RANGES = frozenset({"..", "...", "..<", "..>"})
_COMPARISONS = frozenset({"<", "<=", ">", ">="})
_MODULES = frozenset(MODULES)


class With(NamedTuple):
    """`with [i] =` or `with a.b =` as an operator of a chain."""

    indices: tuple[Any, ...]
    path: tuple[str, ...]
    text: str = "with"


class Refinement(NamedTuple):
    """`{>0}` until the type before it is known."""

    span: Span
    op: str
    bounds: tuple[ast.Exp, ...]


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
    if operator in _RANGES:
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


def actions(tables: Tables, builder: Builder) -> list[Action | None]:
    """The methods of a builder in the order of the rules, for `machine.run`."""
    return [getattr(builder, name) if name else None for name, _, _ in tables.rules]


class Builder:
    """Makes the nodes of one source and reports what the grammar alone cannot refuse."""

    def __init__(self, source: Source, report: Reporter) -> None:
        self.source = source
        self.report = report
        self.actions: list[Action | None] = []

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def at(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    # ------------------------------------------------------------ lists and passing on

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

    # ------------------------------------------------------------ declarations

    def def_(self, v: list[Any], start: int, end: int) -> ast.Def:
        word, name, parameters, params, result, grades, _, body = v
        return self._def(word.text, name, parameters, params, result, grades, body, start, end)

    def def_infix(self, v: list[Any], start: int, end: int) -> ast.Def:
        word, left, name, right, result, grades, _, body = v
        return self._def(word.text, name, [], [left, right], result, grades, body, start, end)

    def signature(self, v: list[Any], start: int, end: int) -> ast.Def:
        parameters, params, result, grades = v
        nameless = Token("NAME", "", start, start)
        return self._def("def", nameless, parameters, params, result, grades, ast.Hole(self.span(end, end)), start, end)

    def _def(self, word: str, name: Token, parameters: list[Any], params: list[Any], result: Any, grades: list[Any],
             body: ast.Exp, start: int, end: int) -> ast.Def:
        sizes, types = _split(parameters)
        return ast.Def(self.span(start, end), "entry" if word == "entry" else "def", name.text.strip("`"), self.at(name),
                       sizes, types, tuple(params), result, tuple(grades), body, None, ())

    def type_def(self, v: list[Any], start: int, end: int) -> ast.TypeDef:
        sizes, types = _split(v[3])
        lifted = v[1].text if v[1] else ""
        return ast.TypeDef(self.span(start, end), v[2].text, self.at(v[2]), lifted, sizes, types, v[5], None)

    def import_(self, v: list[Any], start: int, end: int) -> ast.Import:
        return ast.Import(self.span(start, end), unescape(v[1].text), self.at(v[1]))

    def open_(self, v: list[Any], start: int, end: int) -> ast.Open:
        *qualifier, name = (token.text for token in v[1])
        where = self.span(v[1][0].start, end)
        return ast.Open(self.span(start, end), ast.Name(where, name, tuple(qualifier)))

    def open_import(self, v: list[Any], start: int, end: int) -> ast.Import:
        return ast.Import(self.span(start, end), unescape(v[2].text), self.at(v[2]))

    def size_binder(self, v: list[Any], start: int, end: int) -> ast.SizeBinder:
        return ast.SizeBinder(self.at(v[1]), v[1].text)

    def local_size(self, v: list[Any], start: int, end: int) -> list[ast.SizeBinder]:
        return [self.size_binder(v, start, end)]

    def type_param(self, v: list[Any], start: int, end: int) -> ast.TypeParam:
        lifted, name = _quoted(v[0].text)
        return ast.TypeParam(self.span(start, end), name, None, None, lifted)

    def type_param_constrained(self, v: list[Any], start: int, end: int) -> ast.TypeParam:
        lifted, name = _quoted(v[0].text)
        constraint: str | None = v[2].text
        if constraint not in ("num", "float"):
            self.report.error("E022", f"there is no constraint `{constraint}`", self.at(v[2]), "on this type parameter",
                              help="a type parameter may be constrained to `num` or to `float`")
            constraint = None
        return ast.TypeParam(self.span(start, end), name, constraint, self.at(v[2]), lifted)

    def grade(self, v: list[Any], start: int, end: int) -> ast.Grade:
        return self._grade(v[0], (), start, end)

    def grade_of(self, v: list[Any], start: int, end: int) -> ast.Grade:
        return self._grade(v[0], tuple(token.text for token in v[2]), start, end)

    def _grade(self, name: Token, params: tuple[str, ...], start: int, end: int) -> ast.Grade:
        if name.text not in GRADES:
            self.report.error("E021", f"there is no grade `{name.text}`", self.at(name), "after `@`",
                              help="the grades are " + ", ".join(GRADES))
        return ast.Grade(self.span(start, end), name.text, params)

    # ------------------------------------------------------------ operators

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
        ranges = [at for at in range(1, len(chain), 2) if chain[at].text in _RANGES]
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
                              help="write `a..<b` (b excluded), `a...b` (b included) or `a..s..<b` with a second element")
        elif len(dots) > 2 or (len(dots) == 2 and dots[0].text != ".."):
            self.report.error("E019", "this range has too many ends", self.at(dots[1]), "second end",
                              others=[(self.at(dots[0]), "first end")], help="add parentheses, or write `a..s..<b`")
        return ast.Range(span, parts[0], parts[1] if len(dots) == 2 else None, parts[-1], kind)

    def _climb(self, chain: list[Any]) -> ast.Exp:
        """Operator precedence with two stacks, left to right; the tree of a long sum is left-deep and made in one pass."""
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
        span = self.span(left.span.start, right.span.end)
        if isinstance(operator, With):
            operands.append(ast.RecordUpdate(span, left, operator.path, right) if operator.path
                            else ast.Update(span, left, operator.indices, right))
            return
        if following is not None and operator.text in _COMPARISONS and following.text in _COMPARISONS:
            assert isinstance(following, Token)
            self.report.error(
                "E019", f"comparisons cannot be chained: `{operator.text}` is followed by `{following.text}`",
                self.at(following), "second comparison", others=[(self.at(operator), "first comparison")],
                help="write `a < b && b < c`")
        operands.append(ast.BinOp(span, operator.text, self.at(operator), left, right))

    def prefix(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """A minus before a number belongs to the number, so that the smallest i64 can be written."""
        operand = v[1]
        if v[0].text == "-" and type(operand) is ast.Lit and type(operand.value) is not bool \
                and self.source.text[operand.span.start] != "(":
            return ast.Lit(self.span(start, end), -operand.value, operand.suffix)
        return ast.UnOp(self.span(start, end), v[0].text, operand)

    # ------------------------------------------------------------ expressions

    def ascribe(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Ascribe(self.span(start, end), v[0], v[2])

    def coerce(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Coerce(self.span(start, end), v[0], v[2])

    def grade_ascribe(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.GradeAscribe(self.span(start, end), v[0], (v[2],))

    def if_(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.If(self.span(start, end), v[1], v[3], v[5])

    def loop(self, v: list[Any], start: int, end: int) -> ast.Exp:
        sizes, pattern, init = v[1]
        return ast.Loop(self.span(start, end), tuple(sizes), pattern, init, v[2], v[4])

    def loop_pat(self, v: list[Any], start: int, end: int) -> tuple[list[Any], Any, Any]:
        return [], v[0], None

    def loop_init(self, v: list[Any], start: int, end: int) -> tuple[list[Any], Any, Any]:
        return [], v[0], v[2]

    def loop_sizes(self, v: list[Any], start: int, end: int) -> tuple[list[Any], Any, Any]:
        return v[0], v[1], None

    def loop_sizes_init(self, v: list[Any], start: int, end: int) -> tuple[list[Any], Any, Any]:
        return v[0], v[1], v[3]

    def for_below(self, v: list[Any], start: int, end: int) -> ast.ForBelow:
        return ast.ForBelow(self.span(start, end), v[1].text, v[3])

    def for_in(self, v: list[Any], start: int, end: int) -> ast.ForIn:
        return ast.ForIn(self.span(start, end), v[1], v[3])

    def while_(self, v: list[Any], start: int, end: int) -> ast.While:
        return ast.While(self.span(start, end), v[1])

    def match_(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Match(self.span(start, end), v[1], tuple(v[2]))

    def case(self, v: list[Any], start: int, end: int) -> ast.Case:
        return ast.Case(self.span(start, end), v[1], v[3])

    def lambda_(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Lambda(self.span(start, end), tuple(v[1]), v[2], v[4])

    def assert_(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Assert(self.span(start, end), v[1], v[2])

    def attribute(self, token: Token) -> ast.Attribute:
        return ast.Attribute(self.at(token), token.text[2:-1].strip())

    def attributed(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Attributed(self.span(start, end), self.attribute(v[0]), v[1])

    def apply(self, v: list[Any], start: int, end: int) -> ast.Exp:
        items: list[Any] = v[0]
        function: ast.Exp = items[0]
        if len(items) == 1:
            return function
        arguments = tuple(items[1:])
        if type(function) is ast.Constr and not function.arguments and self.source.text[function.span.start] == "#":
            return ast.Constr(self.span(start, end), function.name, arguments)
        return ast.Apply(self.span(start, end), function, arguments)

    def let_(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """The head knows how to make the node; the body arrives last, from the inside out."""
        make, body = v
        made: ast.Exp = make(self.span(start, end), body)
        return made

    def let_pat(self, v: list[Any], start: int, end: int) -> Callable[[Span, ast.Exp], ast.Exp]:
        return lambda span, body: ast.LetPat(span, (), v[1], v[3], body)

    def let_pat_sizes(self, v: list[Any], start: int, end: int) -> Callable[[Span, ast.Exp], ast.Exp]:
        return lambda span, body: ast.LetPat(span, tuple(v[1]), v[2], v[4], body)

    def let_fun(self, v: list[Any], start: int, end: int) -> Callable[[Span, ast.Exp], ast.Exp]:
        _, name, parameters, params, result, _, value = v
        sizes, types = _split(parameters)
        return lambda span, body: ast.LetFun(span, name.text.strip("`"), self.at(name), sizes, types, tuple(params), result,
                                             value, body)

    def let_update(self, v: list[Any], start: int, end: int) -> Callable[[Span, ast.Exp], ast.Exp]:
        return lambda span, body: ast.LetUpdate(span, ast.Name(self.at(v[1]), v[1].text), tuple(v[3]), v[6], body)

    # ------------------------------------------------------------ atoms

    def name(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Name(Span(self.source, start, end), v[0].text)

    def int_(self, v: list[Any], start: int, end: int) -> ast.Lit:
        text = v[0].text.replace("_", "")
        at = text.find("i") if "i" in text else text.find("u")
        digits, suffix = (text[:at], text[at:]) if at >= 0 else (text, None)
        base = {"0x": 16, "0X": 16, "0b": 2, "0B": 2}.get(digits[:2], 10)
        return ast.Lit(self.span(start, end), int(digits[2:] if base != 10 else digits, base), suffix)

    def float_(self, v: list[Any], start: int, end: int) -> ast.Lit:
        text = v[0].text.replace("_", "")
        hexadecimal = text[:2] in ("0x", "0X")
        suffix = text[-3:] if text[-3:] in ("f32", "f64") and (not hexadecimal or "p" in text.lower()) else None
        digits = text[:-3] if suffix else text
        try:
            value = float.fromhex(digits) if hexadecimal else float(digits)
        except OverflowError:
            value = float("inf")
        if value == float("inf"):
            self.report.error("E024", f"the number {digits[:40]} is beyond the range of f64", self.span(start, end),
                              "this number", help="the largest f64 is about 1.8e308; infinity is `f64.inf`")
            value = 0.0
        return ast.Lit(self.span(start, end), value, suffix)

    def bool_(self, v: list[Any], start: int, end: int) -> ast.Lit:
        return ast.Lit(self.span(start, end), v[0].text == "true", None)

    def string(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Text(self.span(start, end), unescape(v[0].text), False)

    def char(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Text(self.span(start, end), unescape(v[0].text), True)

    def hole(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Hole(self.span(start, end))

    def constr(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Constr(self.span(start, end), v[0].text[1:], ())

    def unit(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.TupleExp(self.span(start, end), ())

    def paren(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """The expression itself, from now on with its parentheses: nobody else has seen the node yet."""
        node: ast.Exp = v[1]
        object.__setattr__(node, "span", self.span(start, end))
        return node

    def tuple_(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.TupleExp(self.span(start, end), (v[1], *v[3]))

    def section(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.OpSection(self.span(start, end), v[1].text, None, None)

    def section_right(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.OpSection(self.span(start, end), v[1].text, None, self.climb(v[2:3], start, end))

    def section_left(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.OpSection(self.span(start, end), v[2].text, self.climb(v[1:2], start, end), None)

    def section_field(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.FieldSection(self.span(start, end), tuple(token.text for token in v[2]))

    def section_index(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.IndexSection(self.span(start, end), tuple(v[3]))

    def array_empty(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.ArrayLit(self.span(start, end), ())

    def array(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.ArrayLit(self.span(start, end), tuple(v[1]))

    def comprehension(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Comprehension(self.span(start, end), v[1], tuple(v[3]))

    def clause_below(self, v: list[Any], start: int, end: int) -> ast.ForBelow:
        return ast.ForBelow(self.span(start, end), v[0].text, v[2])

    def clause_in(self, v: list[Any], start: int, end: int) -> ast.ForIn:
        return ast.ForIn(self.span(start, end), v[0], v[2])

    def record_empty(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.RecordExp(self.span(start, end), ())

    def record(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.RecordExp(self.span(start, end), tuple(v[1]))

    def field_item(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Exp]:
        return v[0].text, v[2]

    def field_pun(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Exp]:
        return v[0].text, ast.Name(self.span(start, end), v[0].text)

    def field(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """`f64.sin` is a name of a module that every program has; otherwise `x.y` is a field until scopes are known."""
        base, _, name = v
        if type(base) is ast.Name and base.name in _MODULES and not base.qualifier and name.kind == "NAME" \
                and base.span.end - base.span.start == len(base.name):
            return ast.Name(self.span(start, end), name.text, (base.name,))
        return ast.Field(self.span(start, end), base, name.text, self.at(name))

    def local_open(self, v: list[Any], start: int, end: int) -> ast.Exp:
        self.report.error("E690", "opening a module for one expression is not supported yet", self.span(start, end),
                          "`M.(…)`", help="write the module's name before each of its members: `M.x`")
        opened: ast.Exp = v[3]
        return opened

    def index(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Index(self.span(start, end), v[0], tuple(v[2]))

    def slice(self, v: list[Any], start: int, end: int) -> ast.Slice:
        return ast.Slice(self.span(start, end), v[0], v[2], v[4] if len(v) > 3 else None)

    # ------------------------------------------------------------ patterns

    def pat_name(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PName(self.span(start, end), v[0].text)

    def pat_wild(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PWild(self.span(start, end))

    def _number(self, token: Token) -> ast.Lit:
        return self.int_([token], token.start, token.end) if token.kind == "INT" \
            else self.float_([token], token.start, token.end)

    def pat_lit(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        token: Token = v[0]
        if token.kind in ("TRUE", "FALSE"):
            return ast.PLit(self.span(start, end), self.bool_(v, start, end))
        if token.kind == "CHAR":
            value = ord(unescape(token.text)[:1] or "\0")
            return ast.PLit(self.span(start, end), ast.Lit(self.span(start, end), value, None))
        return ast.PLit(self.span(start, end), self._number(token))

    def pat_negative(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        number = self._number(v[1])
        return ast.PLit(self.span(start, end), ast.Lit(self.span(start, end), -number.value, number.suffix))

    def pat_ascribe(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PAscribe(self.span(start, end), v[0], v[2])

    def pat_constr(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PConstr(self.span(start, end), v[0].text[1:], tuple(v[1]))

    def pat_constr0(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PConstr(self.span(start, end), v[0].text[1:], ())

    def pat_unit(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PTuple(self.span(start, end), ())

    def pat_tuple(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PTuple(self.span(start, end), (v[1], *v[3]))

    def pat_record_empty(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PRecord(self.span(start, end), ())

    def pat_record(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PRecord(self.span(start, end), tuple(v[1]))

    def pat_field(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Pattern]:
        return v[0].text, v[2]

    def pat_field_pun(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Pattern]:
        return v[0].text, ast.PName(self.span(start, end), v[0].text)

    def pat_field_typed(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Pattern]:
        return v[0].text, ast.PAscribe(self.span(start, end), ast.PName(self.at(v[0]), v[0].text), v[2])

    # ------------------------------------------------------------ types

    def type_fun(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TFun(self.span(start, end), None, v[0], v[2])

    def type_fun_named(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TFun(self.span(start, end), v[1].text, v[3], v[6])

    def type_exists(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TExists(self.span(start, end), tuple(v[1]), v[3])

    def type_unique(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TUnique(self.span(start, end), v[1])

    def type_qualified(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TQualified(self.span(start, end), v[0].text, v[1])

    def type_array(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TArray(self.span(start, end), v[0], v[1])

    def type_name(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return self._named(v[0], (), end)

    def _named(self, words: list[Token], arguments: tuple[Any, ...], end: int) -> ast.TypeExp:
        qualifier = tuple(token.text for token in words[:-1])
        return ast.TName(self.span(words[0].start, end), words[-1].text, qualifier, arguments)

    def type_apply(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        """`t a b`, and refinements among the arguments: each refines the type before it."""
        words, arguments = v
        made: list[Any] = []
        head: ast.TypeExp | None = None
        for argument in arguments:
            if not isinstance(argument, Refinement):
                if head is not None:
                    self.report.error("E010", "a refined type takes no arguments", argument.span, "argument")
                    continue
                made.append(argument)
            elif made and not isinstance(made[-1], ast.TSizeArg):
                made[-1] = self._refined(made[-1], argument)
            else:
                head = self._refined(head or self._named(words, tuple(made), made[-1].span.end if made else words[-1].end),
                                     argument)
        return head if head is not None else self._named(words, tuple(made), end)

    def _refined(self, type: ast.TypeExp, refinement: Refinement) -> ast.TypeExp:
        return ast.TRefined(type.span.to(refinement.span), type, refinement.op, refinement.bounds)

    def type_size_arg(self, v: list[Any], start: int, end: int) -> ast.TSizeArg:
        return ast.TSizeArg(self.span(start, end), v[0])

    def refine(self, v: list[Any], start: int, end: int) -> Refinement:
        return Refinement(self.span(start, end), v[1].text, (v[2],))

    def refine_range(self, v: list[Any], start: int, end: int) -> Refinement:
        chain = v[1]
        dots = [at for at in range(1, len(chain), 2) if chain[at].text in _RANGES]
        if len(dots) == 1 and chain[dots[0]].text == "..":
            return Refinement(self.span(start, end), "..", (self._climb(chain[:dots[0]]), self._climb(chain[dots[0] + 1:])))
        self.report.error("E010", "a refinement is a bound or a range", self.span(start, end), "after this type",
                          help="write `f64{>0}`, `f64{>=0}` or `f64{0..1}`")
        return Refinement(self.span(start, end), ">=", (ast.Lit(self.span(start, end), 0, None),))

    def type_var(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TVar(self.span(start, end), v[0].text.lstrip("'^~"))

    def type_unit(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TTuple(self.span(start, end), ())

    def type_tuple(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TTuple(self.span(start, end), (v[1], *v[3]))

    def type_record_empty(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TRecord(self.span(start, end), ())

    def type_record(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TRecord(self.span(start, end), tuple(v[1]))

    def type_field(self, v: list[Any], start: int, end: int) -> tuple[str, ast.TypeExp]:
        return v[0].text, v[2]

    def size_any(self, v: list[Any], start: int, end: int) -> None:
        return None

    def size(self, v: list[Any], start: int, end: int) -> Any:
        return v[1]

    def type_sum(self, v: list[Any], start: int, end: int) -> ast.TSum:
        return ast.TSum(self.span(start, end), tuple(v[0]))

    def sum_clause(self, v: list[Any], start: int, end: int) -> tuple[str, tuple[ast.TypeExp, ...]]:
        return v[0].text[1:], tuple(v[1]) if len(v) > 1 else ()


def _quoted(text: str) -> tuple[str, str]:
    """`'^a` into what it is lifted by and its name."""
    name = text[1:]
    return (name[0], name[1:]) if name[0] in "^~" else ("", name)


def _split(parameters: list[Any]) -> tuple[tuple[ast.SizeBinder, ...], tuple[ast.TypeParam, ...]]:
    """Size and type parameters may be mixed in the text; the tree keeps them apart."""
    return (tuple(p for p in parameters if isinstance(p, ast.SizeBinder)),
            tuple(p for p in parameters if isinstance(p, ast.TypeParam)))
