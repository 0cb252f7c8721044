"""How patterns and types are laid out, and the parameters of definitions."""
from __future__ import annotations

from ..lang.surface.lexer import Token
from .concrete import Item, Tree, first_token
from .document import LINE, Align, Cat, Choice, Doc, Group, joined
from .rules import Rules


class TypeRules(Rules):
    def rule_type_name(self, items: list[Item]) -> Doc:
        return self.doc(items[0])

    rule_type_size_arg = rule_pat_name = rule_type_name

    def rule_second(self, items: list[Item]) -> Doc:
        """What only groups or introduces: `(p)`, `(+)`, `: t`, `@ C1`, an attribute before a pattern."""
        if isinstance(items[0], Token) and items[0].kind == "LPAR":
            inner = self.doc(items[1])
            broken = Align(Cat(self.token(items[0]), inner, self.closing(items[2])))
            return Choice(Cat(self.token(items[0]), inner, self.closing(items[2])), broken, hug=broken)
        if isinstance(items[1], list):
            return Cat(self.token(items[0]), " ", self.separated(items[1]))
        return self.words(items)

    rule_attributed_pat = rule_second

    def separated(self, items: list[Item]) -> Doc:
        """`a, b, c` without brackets."""
        return Align(Group(joined(self.commas(items, rows=False)[1], LINE)))

    # ------------------------------------------------------------ parameters

    def parameters(self, items: list[Item]) -> Doc:
        """Size and type parameters after a name: sizes that follow one another stand together."""
        parts: list[Doc] = []
        previous = ""
        for item in items:
            kind = item.name if isinstance(item, Tree) else ""
            if not (kind == previous == "size_binder"):
                parts.append(" ")
            parts.append(self.doc(item))
            previous = kind
        return Cat(*parts)

    def rule_size_binder(self, items: list[Item]) -> Doc:
        return self.tight(items)

    def rule_type_param_constrained(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), self.token(items[1]), " ", self.token(items[2]))

    def rule_grade_of(self, items: list[Item]) -> Doc:
        return Cat(self.tight(items[:2]), self.separated(items[2]), self.token(items[3]))

    def rule_grade_in(self, items: list[Item]) -> Doc:
        name, opening, arguments, word, names, closing = items
        inner = Cat(self.separated(arguments), " ", self.token(word), " ", self.separated(names))
        return Cat(self.tight([name, opening]), inner, self.token(closing))

    def rule_grade_root(self, items: list[Item]) -> Doc:
        return self.tight(items[0] if isinstance(items[0], list) else items)

    def promised(self, items: list[Item]) -> Doc:
        """`@ C1 @ approx(1e-8)` behind a type."""
        return self.words(items)

    # ------------------------------------------------------------ patterns

    def rule_pat_ascribe(self, items: list[Item]) -> Doc:
        return Cat(self.doc(items[0]), self.token(items[1]), " ", Align(self.doc(items[2])))

    rule_pat_field_typed = rule_type_field = rule_pat_ascribe

    def rule_pat_ascribe_graded(self, items: list[Item]) -> Doc:
        return Cat(self.rule_pat_ascribe(items[:3]), " ", self.promised(items[3]))

    def rule_type_graded(self, items: list[Item]) -> Doc:
        opening, type, promised, closing = items
        inner = Cat(self.doc(type), " ", self.promised(promised))
        return Align(Cat(self.token(opening), inner, self.closing(closing)))

    def rule_pat_constr(self, items: list[Item]) -> Doc:
        return self.words([items[0], *items[1]])

    def rule_pat_constr_ascribe(self, items: list[Item]) -> Doc:
        constructor, arguments, colon, type = items
        return Cat(self.words([constructor, *arguments]), self.token(colon), " ", Align(self.doc(type)))

    def rule_pat_negative(self, items: list[Item]) -> Doc:
        return self.tight(items)

    def rule_pat_unit(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), self.closing(items[1]))

    rule_pat_record_empty = rule_type_unit = rule_type_record_empty = rule_size_any = rule_pat_unit

    def rule_pat_tuple(self, items: list[Item]) -> Doc:
        opening, first, comma, rest, closing = items
        if isinstance(rest, Tree):
            return self.brackets(opening, Tree("first", [[first, comma, *rest.items[0]], rest.items[1]]), closing)
        return self.brackets(opening, [first, comma, *rest], closing)

    rule_type_tuple = rule_pat_tuple

    def rule_pat_record(self, items: list[Item]) -> Doc:
        return self.brackets(items[0], items[1] if len(items) == 3 else Tree("first", items[1:3]), items[-1])

    rule_type_record = rule_pat_record

    def rule_pat_field(self, items: list[Item]) -> Doc:
        return self.words(items)

    # ------------------------------------------------------------ types

    def rule_type_fun(self, items: list[Item]) -> Doc:
        """A function type: arrows begin lines."""
        parts: list[tuple[Item, Doc]] = []
        lead: list[Item] = []
        rest: Item = Tree("type_fun", items)
        while isinstance(rest, Tree) and rest.name in ("type_fun", "type_fun_named"):
            *param, arrow, rest = rest.items
            parts.append((lead[0] if lead else param[0], self._arrow(lead, param)))
            self.trivia.before_operator(arrow, first_token(rest))
            self.lead(arrow)
            lead = [arrow]
        parts.append((lead[0], self._arrow(lead, [rest])))
        rows = self.rows([item for item, _ in parts], [doc for _, doc in parts])
        if len(rows) > 1:
            return Choice(None, Align(self.stack([(item, Group(joined(row, LINE))) for item, row in rows])))
        return Group(Align(joined([doc for _, doc in parts], LINE)))

    rule_type_fun_named = rule_type_fun

    def _arrow(self, lead: list[Item], param: list[Item]) -> Doc:
        if len(param) == 1:
            return self.words([*lead, *param])
        opening, name, colon, type, closing = param
        named = Cat(self.tight([opening, name, colon]), " ", self.doc(type), self.closing(closing))
        return Cat(self.token(lead[0]), " ", named) if lead else named

    def rule_type_exists(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), self.tight(items[1]), self.token(items[2]), self.doc(items[3]))

    def rule_type_unique(self, items: list[Item]) -> Doc:
        return self.tight(items)

    rule_type_array = rule_size = rule_type_unique

    def rule_type_qualified(self, items: list[Item]) -> Doc:
        return self.words(items)

    def rule_type_apply(self, items: list[Item]) -> Doc:
        """`t [n][m] a`: sizes together, and a refinement at what it refines."""
        return self.refined(items[0], items[1])

    def refined(self, head: Item, arguments: list[Item]) -> Doc:
        parts: list[Doc] = [self.doc(head)]
        previous = ""
        for item in arguments:
            kind = item.name if isinstance(item, Tree) else ""
            if not (kind in ("refine", "refine_range") or kind == previous == "type_size_arg"):
                parts.append(" ")
            parts.append(self.doc(item))
            previous = kind
        return Cat(*parts)

    def rule_refine(self, items: list[Item]) -> Doc:
        return self.tight(items)

    def rule_refine_range(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), self.doc(Tree("chain", items[1])), self.token(items[2]))

    def rule_type_sum(self, items: list[Item]) -> Doc:
        """`#a t | #b`: bars begin lines."""
        clauses = items[0]
        parts: list[tuple[Item, Doc]] = [(clauses[0], self.doc(clauses[0]))]
        for bar, clause in zip(clauses[1::2], clauses[2::2], strict=True):
            self.trivia.before_operator(bar, first_token(clause))
            self.lead(bar)
            parts.append((bar, Cat(self.token(bar), " ", self.doc(clause))))
        rows = self.rows([item for item, _ in parts], [doc for _, doc in parts])
        if len(rows) > 1:
            return Choice(None, Align(self.stack([(item, Group(joined(row, LINE))) for item, row in rows])))
        return Group(Align(joined([doc for _, doc in parts], LINE)))

    def rule_sum_clause(self, items: list[Item]) -> Doc:
        """`#c t u{>0}`"""
        return self.refined(items[0], items[1] if len(items) > 1 else [])
