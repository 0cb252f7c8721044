"""From recognised rules to syntax nodes: one method per `-> name` of `grammar.lark`.

Each method receives the values of the rule's symbols in order (tokens for terminals) and where the rule's text begins
and ends. Lists are Python lists that grow in place until the node is made.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ..source import Span
from . import ast
from .build_grades import GradeBuilder
from .build_modules import ModuleBuilder, split
from .build_types import in_order
from .lexer import MODULES, Token, unescape
from .machine import Action, Tables

ATTRIBUTES = ("inline", "noinline", "unroll", "unsafe", "sequential", "sequential_inner", "sequential_outer", "scratch",
              "incremental_flattening", "flatten", "cpu_function", "manifest", "blank", "opaque", "break", "trace",
              "warn", "warn_on_safety_checks", "prop", "flattening", "intrablock_result", "nomap", "stripmine", "bound",
              "true_dep", "surrogate")
"""Futhark's hints to its compiler; they never change what a program means, and are accepted without effect. And
`surrogate`: what is under it has on purpose another derivative than its own, so `dad grad-check` leaves it alone."""
_MODULES = frozenset(MODULES)


def actions(tables: Tables, builder: Builder) -> list[Action | None]:
    """The methods of a builder in the order of the rules, for `machine.run`."""
    return [getattr(builder, name) if name else None for name, _, _ in tables.rules]


class Builder(ModuleBuilder, GradeBuilder):
    """Makes the nodes of one source and reports what the grammar alone cannot refuse."""

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
        sizes, types = split(parameters)
        kind: Literal["def", "entry"] = "entry" if word == "entry" else "def"
        orders = [g for g in grades if g.name == "nondet"]
        for grade in orders:
            if grade.params or grade.of:
                self.report.error("E027", "`nondet` is said of a definition, not of its parameters", grade.span,
                                  "as written here", help="write `@ nondet`")
        promised = tuple([self._promised(g) for g in grades if g.name != "nondet"])
        return ast.Def(self.span(start, end), kind, name.text.strip("`"), self.at(name), sizes, types, tuple(params),
                       result, promised, body, None, (), orders[0].span if orders else None)

    def type_def(self, v: list[Any], start: int, end: int) -> ast.TypeDef:
        sizes, types = split(v[3])
        lifted = v[1].text if v[1] else ""
        return ast.TypeDef(self.span(start, end), v[2].text, self.at(v[2]), lifted, sizes, types, v[5], None)

    def import_(self, v: list[Any], start: int, end: int) -> ast.Import:
        return ast.Import(self.span(start, end), unescape(v[1].text), self.at(v[1]))

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
        if constraint not in ("num", "int", "float"):
            self.report.error("E022", f"there is no constraint `{constraint}`", self.at(v[2]), "on this type parameter",
                              help="a type parameter may be constrained to `num`, to `int` or to `float`")
            constraint = None
        return ast.TypeParam(self.span(start, end), name, constraint, self.at(v[2]), lifted)

    def prefix(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """A minus before a number belongs to the number, so that the smallest i64 can be written."""
        operand = v[1]
        if v[0].text == "-" and type(operand) is ast.Lit and type(operand.value) is not bool \
                and self.source.text[operand.span.first] != "(":
            return ast.Lit(self.span(start, end), -operand.value, operand.suffix)
        return ast.UnOp(self.span(start, end), v[0].text, operand)

    # ------------------------------------------------------------ expressions

    def ascribe(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Ascribe(self.span(start, end), v[0], v[2])

    def coerce(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Coerce(self.span(start, end), v[0], v[2])

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
        """`#[name(…)]`; a name that means nothing is refused, so that a misspelt instruction is noticed."""
        text = token.text[2:-1].strip()
        name = text.split("(", 1)[0].strip()
        if name not in ATTRIBUTES:
            from difflib import get_close_matches  # only where there is something to say

            near = get_close_matches(name[:40], ATTRIBUTES, 1)
            meant = f"did you mean `{near[0]}`? " if near else ""
            self.report.error("E020", f"there is no attribute `{name[:40]}`", self.at(token), "this attribute",
                              help=f"{meant}the attributes are {', '.join(ATTRIBUTES)}")
        return ast.Attribute(self.at(token), text)

    def attributed(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Attributed(self.span(start, end), self.attribute(v[0]), v[1])

    def apply(self, v: list[Any], start: int, end: int) -> ast.Exp:
        items: list[Any] = v[0]
        function: ast.Exp = items[0]
        if len(items) == 1:
            return function
        arguments = tuple(items[1:])
        if type(function) is ast.Constr and not function.arguments and self.source.text[function.span.first] == "#":
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
        sizes, types = split(parameters)
        return lambda span, body: ast.LetFun(span, name.text.strip("`"), self.at(name), sizes, types, tuple(params),
                                             result, value, body)

    def let_update(self, v: list[Any], start: int, end: int) -> Callable[[Span, ast.Exp], ast.Exp]:
        return lambda span, body: ast.LetUpdate(span, ast.Name(self.at(v[1]), v[1].text, ()), tuple(v[3]), v[6], body)

    # ------------------------------------------------------------ atoms

    def name(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Name(Span(self.source, start, end), v[0].text, ())

    def string(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Text(self.span(start, end), unescape(v[0].text))

    def char(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """The number of the code point."""
        return ast.Lit(self.span(start, end), ord(unescape(v[0].text)[:1] or "\0"), None)

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
        items = in_order(v[1])
        return ast.RecordExp(self.span(start, end), tuple(v[1])) if items is None else \
            ast.TupleExp(self.span(start, end), items)

    def field_item(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Exp]:
        return v[0].text, v[2]

    def field_pun(self, v: list[Any], start: int, end: int) -> tuple[str, ast.Exp]:
        return v[0].text, ast.Name(self.span(start, end), v[0].text, ())

    def field(self, v: list[Any], start: int, end: int) -> ast.Exp:
        """`f64.sin` is a name of a module that every program has; otherwise `x.y` is a field until scopes are known."""
        base, _, name = v
        if type(base) is ast.Name and base.name in _MODULES and not base.qualifier and name.kind == "NAME" \
                and base.span.last - base.span.first == len(base.name):
            return ast.Name(self.span(start, end), name.text, (base.name,))
        return ast.Field(self.span(start, end), base, name.text, self.at(name))

    def local_open(self, v: list[Any], start: int, end: int) -> ast.Exp:
        base, body = v[0], v[3]
        path: list[str] = []
        while type(base) is ast.Field:
            path.append(base.name)
            base = base.record
        if type(base) is not ast.Name or self.source.text[base.span.first] == "(":
            self.report.error("E010", "only a module is opened like this", v[0].span, "not the name of a module",
                              help="write `M.(…)` with the name of a module, or remove the dot")
            opened: ast.Exp = body
            return opened
        words = [*base.qualifier, base.name, *reversed(path)]
        return ast.LocalOpen(self.span(start, end), ast.Name(v[0].span, words[-1], tuple(words[:-1])), body)

    def index(self, v: list[Any], start: int, end: int) -> ast.Exp:
        return ast.Index(self.span(start, end), v[0], tuple(v[2]))

    def slice(self, v: list[Any], start: int, end: int) -> ast.Slice:
        return ast.Slice(self.span(start, end), v[0], v[2], v[4] if len(v) > 3 else None)


def _quoted(text: str) -> tuple[str, str]:
    """`'^a` into what it is lifted by and its name."""
    name = text[1:]
    return (name[0], name[1:]) if name[0] in "^~" else ("", name)
