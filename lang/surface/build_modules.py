"""Nodes of modules and module types; see `build`."""
from __future__ import annotations

from typing import Any

from . import ast
from .build_types import TypeBuilder
from .lexer import Token, unescape


def split(parameters: list[Any]) -> tuple[tuple[ast.SizeBinder, ...], tuple[ast.TypeParam, ...]]:
    """Size and type parameters may be mixed in the text; the tree keeps them apart."""
    return (tuple(p for p in parameters if isinstance(p, ast.SizeBinder)),
            tuple(p for p in parameters if isinstance(p, ast.TypeParam)))


class ModuleBuilder(TypeBuilder):
    def open_(self, v: list[Any], start: int, end: int) -> ast.Open:
        return ast.Open(self.span(start, end), v[1])

    def module_def(self, v: list[Any], start: int, end: int) -> ast.ModuleDef:
        return ast.ModuleDef(self.span(start, end), v[1].text, self.at(v[1]), tuple(v[2]), v[3], v[5], None)

    def module_type_def(self, v: list[Any], start: int, end: int) -> ast.ModuleTypeDef:
        return ast.ModuleTypeDef(self.span(start, end), v[2].text, self.at(v[2]), v[4], None)

    def module_param(self, v: list[Any], start: int, end: int) -> ast.ModuleParam:
        return ast.ModuleParam(self.span(start, end), v[1].text, self.at(v[1]), v[3])

    # ------------------------------------------------------------ module expressions

    def module_ascribe(self, v: list[Any], start: int, end: int) -> ast.ModuleExp:
        return ast.ModAscribe(self.span(start, end), v[0], v[2])

    def module_lambda(self, v: list[Any], start: int, end: int) -> ast.ModuleExp:
        return ast.ModLambda(self.span(start, end), v[1], v[2], v[4])

    def module_import(self, v: list[Any], start: int, end: int) -> ast.ModuleExp:
        return ast.ModImport(self.span(start, end), unescape(v[1].text), self.at(v[1]))

    def module_apply(self, v: list[Any], start: int, end: int) -> ast.ModuleExp:
        return ast.ModApply(self.span(start, end), v[0], v[1])

    def module_name(self, v: list[Any], start: int, end: int) -> ast.ModuleExp:
        *qualifier, name = (token.text for token in v[0])
        return ast.ModName(self.span(v[0][0].start, end), name, tuple(qualifier))

    def module_body(self, v: list[Any], start: int, end: int) -> ast.ModuleExp:
        token: Token = v[0]
        return ast.ModBody(self.span(start, end), self.bodies[token.start])

    # ------------------------------------------------------------ module types

    def sig_name(self, v: list[Any], start: int, end: int) -> ast.ModuleType:
        *qualifier, name = (token.text for token in v[0])
        return ast.SigName(self.span(v[0][0].start, end), name, tuple(qualifier))

    def sig_body(self, v: list[Any], start: int, end: int) -> ast.ModuleType:
        return ast.SigBody(self.span(start, end), tuple(v[1]))

    def sig_with(self, v: list[Any], start: int, end: int) -> ast.ModuleType:
        path = v[2]
        sizes, types = split(v[3])
        where = self.span(path[0].start, path[-1].end)
        return ast.SigWith(self.span(start, end), v[0], tuple(t.text for t in path), where, sizes, types, v[5])

    def sig_arrow(self, v: list[Any], start: int, end: int) -> ast.ModuleType:
        return ast.SigArrow(self.span(start, end), None, v[0], v[2])

    def sig_arrow_named(self, v: list[Any], start: int, end: int) -> ast.ModuleType:
        return ast.SigArrow(self.span(start, end), v[1].text, v[3], v[6])

    def val_spec(self, v: list[Any], start: int, end: int) -> ast.ValSpec:
        sizes, types = split(v[2])
        return ast.ValSpec(self.span(start, end), v[1].text.strip("`"), self.at(v[1]), sizes, types, v[4])

    def type_spec(self, v: list[Any], start: int, end: int) -> ast.TypeSpec:
        sizes, types = split(v[3])
        lifted = v[1].text if v[1] else ""
        return ast.TypeSpec(self.span(start, end), v[2].text, self.at(v[2]), lifted, sizes, types)

    def module_spec(self, v: list[Any], start: int, end: int) -> ast.ModuleSpec:
        return ast.ModuleSpec(self.span(start, end), v[1].text, self.at(v[1]), v[3])

    def include(self, v: list[Any], start: int, end: int) -> ast.Include:
        return ast.Include(self.span(start, end), v[1])

    def attributed_spec(self, v: list[Any], start: int, end: int) -> ast.Spec:
        self.attribute(v[0])
        spec: ast.Spec = v[1]
        return spec

    def attributed_pat(self, v: list[Any], start: int, end: int) -> ast.Pattern:
        self.attribute(v[0])
        pattern: ast.Pattern = v[1]
        return pattern

    def attribute(self, token: Token) -> ast.Attribute:
        raise TypeError("attributes are read by the whole builder")
