"""How declarations, modules and whole files are laid out."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..lang.surface.lexer import Token
from .concrete import Body, Declaration, Item, first_token
from .document import BLANK, FRESH, HARD, Align, Cat, Choice, Doc, Group, Nest, joined, width_of
from .expressions import ExpressionRules
from .rules import INDENT, WIDTH
from .trivia import Remark


class Layout(ExpressionRules):
    """All rules; `file` is where one begins."""

    depth = 0
    """In how many bodies of modules we are."""

    def file(self, declarations: Sequence[Declaration]) -> Doc:
        parts: list[Doc] = [self.sequence(declarations)] if declarations else []
        rest = self.trivia.rest
        if declarations:
            below = self._below(rest, True)
            parts.append(self.remarks(below, INDENT))
            rest = rest[len(below):]
            parts += [HARD, BLANK] if rest else []
        parts.append(self.remarks(rest, 0))
        return Cat(*parts)

    def remarks(self, remarks: Sequence[Remark], by: int) -> Doc:
        """Comments on lines of their own."""
        return Nest(by, Cat(*(part for remark in remarks
                              for part in (FRESH, BLANK if remark.blank else "", remark.text, HARD))))

    @staticmethod
    def _below(remarks: Sequence[Remark], outermost: bool) -> Sequence[Remark]:
        """Indented comments directly under a declaration belong to it."""
        end = 0
        while outermost and end < len(remarks) and not remarks[end].blank and not remarks[end].margin:
            end += 1
        return remarks[:end]

    def sequence(self, declarations: Sequence[Declaration]) -> Doc:
        """Declarations under each other. An empty line stands around those that take several lines or have comments;
        between others it is the writer's."""
        room = WIDTH - INDENT * self.depth
        parts: list[Doc] = []
        several = False
        for declaration in declarations:
            first = first_token(declaration)
            remarks = self.trivia.before.get(first.start, [])
            if parts:
                below = self._below(remarks, self.depth == 0)
                if below:
                    parts += [HARD, self.remarks(below, INDENT)]
                    remarks = self.trivia.before[first.start] = remarks[len(below):]
                    several = True
            before = self.remarks(self.trivia.before.pop(first.start, []), 0)
            doc = self.declaration(declaration)
            wide = width_of(doc) > room
            if parts:
                parts.append(HARD)
                if several or wide or remarks or first.start in self.trivia.blanks:
                    parts.append(BLANK)
            parts += [before, BLANK if remarks and first.start in self.trivia.blanks else "", doc]
            several = wide
        return Cat(*parts)

    def declaration(self, declaration: Declaration) -> Doc:
        parts: list[Doc] = []
        following: list[Item] = [*declaration.words, declaration.tree]
        for word, after in pairwise(following):
            parts += [self.token(word), HARD if word.kind == "ATTR" and self.broke(after) else " "]
        return Cat(*parts, self.doc(declaration.tree))

    def body(self, body: Body) -> Doc:
        self.depth += 1
        inside: Doc = self.sequence(body.declarations) if body.declarations else ""
        self.depth -= 1
        return self._braces(body.open, inside, body.close, [*body.declarations, body.close][0])

    def _braces(self, open: Token, inside: Doc, close: Token, first: Item) -> Doc:
        opening, closing = self.token(open), self.closing(close, INDENT)
        if inside == "":
            return Cat(opening, closing)
        broken = Cat(opening, Nest(INDENT, Cat(HARD, inside)), HARD, closing)
        if self.broke(first):
            return Choice(None, broken, hug=broken)
        return Choice(Cat(opening, " ", inside, " ", closing), broken, hug=broken)

    # ------------------------------------------------------------ definitions

    def rule_def_(self, items: list[Item]) -> Doc:
        word, name, parameters, params, result, grades, equal, value = items
        first = Cat(self.token(word), " ", self.doc(name), self.parameters(parameters))
        return self.definition(first, [*params, *self._given(result), *self._given(grades)], equal, value)

    def rule_def_infix(self, items: list[Item]) -> Doc:
        word, left, name, right, result, grades, equal, value = items
        first = self.words([word, left, name, right])
        return self.definition(first, [*self._given(result), *self._given(grades)], equal, value)

    def rule_signature(self, items: list[Item]) -> Doc:
        """Only in tables of the compiler, never in a file."""
        return self.words([*items[0], *items[1], *items[2:]])

    @staticmethod
    def _given(item: Item) -> list[Item]:
        return [item] if item else []

    def rule_type_def(self, items: list[Item]) -> Doc:
        return self.bind(Cat(self._named_type(items[:4]), " ", self.token(items[4])), items[5])

    def _named_type(self, items: list[Item]) -> Doc:
        word, lifted, name, parameters = items
        return Cat(self.token(word), "" if lifted is None else self.doc(lifted), " ", self.token(name),
                   self.parameters(parameters))

    def rule_type_spec(self, items: list[Item]) -> Doc:
        return self._named_type(items)

    def rule_import_(self, items: list[Item]) -> Doc:
        return self.words(items)

    rule_open_ = rule_module_import = rule_include = rule_import_

    # ------------------------------------------------------------ modules

    def rule_module_def(self, items: list[Item]) -> Doc:
        word, name, params, ascription, equal, body = items
        return self.definition(self.words([word, name]), [*params, *self._given(ascription)], equal, body)

    def rule_module_type_def(self, items: list[Item]) -> Doc:
        return self.bind(self.words(items[:4]), items[4])

    def rule_module_param(self, items: list[Item]) -> Doc:
        return Cat(self.tight(items[:3]), " ", self.doc(items[3]), self.closing(items[4]))

    def rule_module_ascribe(self, items: list[Item]) -> Doc:
        return self._annotated(items)

    def rule_module_lambda(self, items: list[Item]) -> Doc:
        slash, param, ascription, arrow, body = items
        return self.bind(Cat(self.token(slash), self.words([param, ascription, arrow])), body)

    def rule_module_apply(self, items: list[Item]) -> Doc:
        return self.rule_apply(items)

    def rule_module_name(self, items: list[Item]) -> Doc:
        return self.doc(items[0])

    rule_sig_name = rule_module_name

    def rule_sig_body(self, items: list[Item]) -> Doc:
        opening, specs, closing = items
        self.lead(*specs[1:])
        docs = [self.doc(spec) for spec in specs]
        if not specs:
            return Cat(self.token(opening), self.closing(closing))
        if any(map(self.broke, specs)):
            return self._braces(opening, self.stack(list(zip(specs, docs, strict=True))), closing, specs[0])
        flat = Cat(self.token(opening), " ", joined(docs, " "), " ", self.closing(closing))
        broken = Cat(self.token(opening), Nest(INDENT, Cat(HARD, joined(docs, HARD))), HARD, self.closing(closing))
        return Choice(flat, broken, hug=broken)

    def rule_sig_with(self, items: list[Item]) -> Doc:
        base, word, name, parameters, equal, type = items
        rest = Cat(self.token(word), " ", self.doc(name), self.parameters(parameters), " ", self.token(equal), " ",
                   self.doc(type))
        doc = self.doc(base)
        between = self.newline(word) if self.broke(word) else " "
        return Align(Cat(doc, between, rest))

    def rule_sig_arrow(self, items: list[Item]) -> Doc:
        return self.rule_type_fun(items)

    rule_sig_arrow_named = rule_sig_arrow

    def rule_val_spec(self, items: list[Item]) -> Doc:
        word, name, parameters, colon, type = items
        head = Cat(self.token(word), " ", self.doc(name), self.parameters(parameters), " ", self.token(colon))
        return self.bind(head, type)

    def rule_module_spec(self, items: list[Item]) -> Doc:
        return self.bind(self.words(items[:3]), items[3])

    def rule_attributed_spec(self, items: list[Item]) -> Doc:
        between = HARD if self.broke(items[1]) else " "
        return Group(Align(Cat(self.token(items[0]), between, self.doc(items[1]))))

