"""Patterns, types and numbers: the nodes that expressions and declarations are made around."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from ..source import Span
from . import ast
from .lexer import Token, unescape
from .operators import RANGES, Chains


class Refinement(NamedTuple):
    """`{>0}` until the type before it is known."""

    span: Span
    op: str
    bounds: tuple[ast.Exp, ...]


_N = TypeVar("_N")


def in_order(fields: Sequence[tuple[str, _N]]) -> tuple[_N, ...] | None:
    """The items of the tuple that a record with the fields 0, 1, … is; None for any other record."""
    by_name = dict(fields)
    names = [str(k) for k in range(len(fields))]
    return tuple(by_name[name] for name in names) if len(names) > 1 and all(n in by_name for n in names) else None


class TypeBuilder(Chains):
    """One method per rule of patterns, types and numbers; see `build.Builder`."""

    # ------------------------------------------------------------ numbers

    def int_(self, v: list[Any], start: int, end: int) -> ast.Lit:
        text = v[0].text.replace("_", "")
        at = text.find("i") if "i" in text else text.find("u")
        digits, suffix = (text[:at], text[at:]) if at >= 0 else (text, None)
        base = {"0x": 16, "0X": 16, "0b": 2, "0B": 2}.get(digits[:2], 10)
        return ast.Lit(self.span(start, end), int(digits[2:] if base != 10 else digits, base), suffix)

    def float_(self, v: list[Any], start: int, end: int) -> ast.Lit:
        text = v[0].text.replace("_", "")
        hexadecimal = text[:2] in ("0x", "0X")
        suffix = text[-3:] if text[-3:] in ("f16", "f32", "f64") and (not hexadecimal or "p" in text.lower()) else None
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

    def pat_constr_ascribe(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        inner = ast.PConstr(self.at(v[0]).to(v[1][-1].span), v[0].text[1:], tuple(v[1]))
        return ast.PAscribe(self.span(start, end), inner, v[3])

    def pat_constr0(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PConstr(self.span(start, end), v[0].text[1:], ())

    def pat_unit(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PTuple(self.span(start, end), ())

    def pat_tuple(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PTuple(self.span(start, end), (v[1], *v[3]))

    def pat_record_empty(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        return ast.PRecord(self.span(start, end), ())

    def pat_record(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        fields: dict[str, ast.Pattern] = {}
        for name, inner in v[1]:
            if name in fields:
                self.report.error("E209", f"field `{name}` is matched twice", inner.span, "the second pattern",
                                  others=[(fields[name].span, "the first")], help="remove one of them")
            else:
                fields[name] = inner
        items = in_order(tuple(fields.items()))
        return ast.PRecord(self.span(start, end), tuple(fields.items())) if items is None else \
            ast.PTuple(self.span(start, end), items)

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
                before = made[-1].span.last if made else words[-1].end
                head = self._refined(head or self._named(words, tuple(made), before), argument)
        return head if head is not None else self._named(words, tuple(made), end)

    def _refined(self, type: ast.TypeExp, refinement: Refinement) -> ast.TypeExp:
        return ast.TRefined(type.span.to(refinement.span), type, refinement.op, refinement.bounds)

    def type_size_arg(self, v: list[Any], start: int, end: int) -> ast.TSizeArg:
        return ast.TSizeArg(self.span(start, end), v[0])

    def refine(self, v: list[Any], start: int, end: int) -> Refinement:
        return Refinement(self.span(start, end), v[1].text, (v[2],))

    def refine_range(self, v: list[Any], start: int, end: int) -> Refinement:
        chain = v[1]
        dots = [at for at in range(1, len(chain), 2) if chain[at].text in RANGES]
        if len(dots) == 1 and chain[dots[0]].text == "..":
            bounds = self._climb(chain[:dots[0]]), self._climb(chain[dots[0] + 1:])
            return Refinement(self.span(start, end), "..", bounds)
        span = self.span(start, end)
        body = "; the body of a definition follows `=`, without braces" if "\n" in span.text else ""
        self.report.error("E010", "a refinement is a bound or a range", span, "after this type",
                          help="write `f64{>0}`, `f64{>=0}` or `f64{0..1}`" + body)
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
        items = in_order(v[1])
        return ast.TRecord(self.span(start, end), tuple(v[1])) if items is None else \
            ast.TTuple(self.span(start, end), items)

    def type_field(self, v: list[Any], start: int, end: int) -> tuple[str, ast.TypeExp]:
        return v[0].text, v[2]

    def size_any(self, v: list[Any], start: int, end: int) -> None:
        return None

    def size(self, v: list[Any], start: int, end: int) -> Any:
        return v[1]

    def type_sum(self, v: list[Any], start: int, end: int) -> ast.TSum:
        return ast.TSum(self.span(start, end), tuple(v[0]))

    def sum_clause(self, v: list[Any], start: int, end: int) -> tuple[str, tuple[ast.TypeExp, ...]]:
        """`#c t u`, and refinements among these: each refines the type before it, or the elements of that."""
        made: list[ast.TypeExp] = []
        for argument in v[1] if len(v) > 1 else ():
            if not isinstance(argument, Refinement):
                made.append(argument)
            elif made:
                made[-1] = self._elements_refined(made[-1], argument)
            else:
                self.report.error("E010", "a refinement stands behind a type", argument.span, "what does it refine?",
                                  help="write `#c f64{>0}`")
        return v[0].text[1:], tuple(made)

    def _elements_refined(self, type: ast.TypeExp, refinement: Refinement) -> ast.TypeExp:
        if isinstance(type, ast.TArray):
            return ast.TArray(type.span.to(refinement.span), type.size,
                              self._elements_refined(type.element, refinement))
        return self._refined(type, refinement)
