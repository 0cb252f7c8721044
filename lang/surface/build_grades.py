"""What follows `@` and `assume`: grades, and what else is said of an expression, a function or a parameter."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..source import Span
from . import ast
from .build_types import TypeBuilder
from .lexer import Token, unescape

GRADES = ("none", "affine", "smooth", "C2", "C1", "lip", "cont", "flat", "jump", "opaque")
"""From the best to the worst; `flat` beside them."""
PROPERTIES = {"continuous": "cont", "lipschitz": "lip",
              **{name: name for name in GRADES if name not in ("jump", "opaque")},
              "positive": "positive", "nonnegative": "nonnegative", "nonzero": "nonzero"}
"""What may be assumed of a value, and the grade or the sign that it means."""


class GradeBuilder(TypeBuilder):
    """One method per rule of grades; see `build.Builder`."""

    def grade(self, v: list[Any], start: int, end: int) -> ast.Grade:
        return self._grade(v[0], [], start, end)

    def grade_of(self, v: list[Any], start: int, end: int) -> ast.Grade:
        return self._grade(v[0], v[2], start, end)

    def grade_in(self, v: list[Any], start: int, end: int) -> ast.Grade:
        name, _, arguments, _, others, _ = v
        made = self._grade(name, arguments, start, end)
        of = tuple(ast.Name(self.at(token), token.text) for token in others)
        return ast.Grade(made.span, made.name, made.params, made.spans, made.tolerance, made.reason, of)

    def grade_root(self, v: list[Any], start: int, end: int) -> list[Token]:
        return v[0] if isinstance(v[0], list) else v

    def _grade(self, name: Token, arguments: list[Any], start: int, end: int) -> ast.Grade:
        """`C1(x, m.weight)`, `approx(1e-8)`, `allow(jump, "reason")`, and `continuous(x)` behind `assume`."""
        span = self.span(start, end)
        roots = [a for a in arguments if isinstance(a, list) and a[0].kind == "NAME"]
        others = [a[0] if isinstance(a, list) else a for a in arguments if a not in roots]
        names = tuple(".".join(token.text for token in root) for root in roots)
        spans = tuple(self.span(root[0].start, root[-1].end) for root in roots)
        match name.text:
            case "approx":
                if len(others) == 1 and not roots and others[0].kind in ("FLOAT", "INT"):
                    read = self.float_ if others[0].kind == "FLOAT" else self.int_
                    number = read(others, start, end)
                    if number.value > 0:
                        return ast.Grade(span, "approx", (), (), float(number.value))
                self.report.error("E027", "`approx` says how large a jump is taken for none", span, "as written here",
                                  help="write a positive number: `@ approx(1e-8)`")
                return ast.Grade(span, "approx", (), (), 0.0)
            case "allow":
                if len(names) == 1 and names[0] in GRADES and len(others) == 1 and others[0].kind == "STRING":
                    return ast.Grade(span, "allow", names, spans, None, unescape(others[0].text))
                self.report.error("E027", "`allow` says which grade is accepted, and why", span, "as written here",
                                  help='write `@ allow(jump, "reason")`, with one of the grades ' + ", ".join(GRADES))
                return ast.Grade(span, "allow", ("jump",), (span,), None, "")
        if others:
            self.report.error("E027", f"`{name.text}` is said of names", self.at(others[0]), "not a name",
                              help=f"write `@ {name.text}(x)`, or `@ {name.text}` for all floats; a tolerance is "
                                   "`@ approx(1e-8)`, a reason belongs to `@ allow(jump, \"reason\")`")
        return ast.Grade(span, name.text, names, spans)

    def _unknown(self, name: Token, where: str) -> None:
        self.report.error("E021", f"there is no grade `{name.text}`", self.at(name), where,
                          help="the grades are " + ", ".join(GRADES) + "; the product of matrices is `matmul a b`")

    def grade_ascribe(self, v: list[Any], start: int, end: int) -> ast.Exp:
        grade = self._promised(v[2])
        names = () if grade.name == "allow" else tuple(
            self._value(name, span) for name, span in zip(grade.params, grade.spans, strict=True))
        return ast.GradeAscribe(self.span(start, end), v[0], (grade,), names)

    def _value(self, name: str, span: Span) -> ast.Exp:
        """`m.weight` as an expression."""
        first, *fields = name.split(".")
        value: ast.Exp = ast.Name(span if not fields else Span(span.within, span.first, span.first + len(first)), first)
        for field in fields:
            value = ast.Field(span, value, field, span)
        return value

    def _promised(self, grade: ast.Grade) -> ast.Grade:
        """Refuses what can only be assumed: `e @ positive`."""
        if grade.of:
            self.report.error("E027", "a grade is promised of parameters", grade.of[0].span, "what it is assumed in",
                              help=f"write `@ {grade.name}({', '.join(grade.params)})`; what is not proved may be "
                                   f'assumed: `assume {grade.name}(y in x) "reason"`')
        elif grade.name == "nondet":
            self.report.error("E027", "`nondet` is said of a definition", grade.span, "not of a part of one",
                              help="write it in the head: `def f (x: [n]f64) : f64 @ nondet = …`")
        elif grade.name not in (*GRADES, "approx", "allow"):
            name = Token("NAME", grade.name, grade.span.first, grade.span.first + len(grade.name))
            self._unknown(name, "after `@`")
        return grade

    def assume(self, v: list[Any], start: int, end: int) -> Callable[[Span, ast.Exp], ast.Exp]:
        """`assume continuous(x) "reason" in e`"""
        _, grade, reason = v
        if grade.name not in PROPERTIES:
            self.report.error("E028", f"`{grade.name}` is nothing that can be assumed", grade.span, "behind `assume`",
                              help="assume one of " + ", ".join(PROPERTIES))
        elif not grade.params or any("." in name for name in grade.params):
            self.report.error("E028", "an assumption is about values that have a name", grade.span, "of what?",
                              help=f'write `assume {grade.name}(x) "reason"`, with the names of values; '
                                   "name others with `let`")
        elif not unescape(reason.text).strip():
            self.report.error("E028", "an assumption says why it holds", self.at(reason), "no reason",
                              help="write where the assumption comes from; `dad check --trust` lists it")
        names = tuple(ast.Name(span, name) for name, span in zip(grade.params, grade.spans, strict=True))
        return lambda span, body: ast.Assume(span, grade, names, unescape(reason.text), body)

    def pat_ascribe_graded(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        grades = tuple(self._promised(g) for g in v[3])
        return ast.PAscribe(self.span(start, end), v[0], ast.TGraded(v[2].span.to(grades[-1].span), v[2], grades))

    def type_graded(self, v: list[Any], start: int, end: int) -> ast.TypeExp:
        return ast.TGraded(self.span(start, end), v[1], tuple(self._promised(g) for g in v[2]))
