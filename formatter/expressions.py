"""How expressions are laid out: one method to a rule of the grammar, which receives the values of its symbols."""
from __future__ import annotations

from ..lang.surface.lexer import Token
from ..lang.surface.operators import level_of
from .concrete import Item, Tree, first_token
from .document import HARD, LINE, SOFT, Align, Cat, Choice, Doc, Fill, Group, IfBroken, Lines, Nest, joined, width_of
from .rules import INDENT, TRAILING, forced, hug_of
from .types import TypeRules

TIGHT = 8
"""Operators of this level and higher may be written without spaces: arithmetic and bits, not comparisons."""

BRACKETED = ("array", "comprehension", "record", "tuple_", "lambda_")
"""What begins on the line of a function's arrow although it takes several."""


def operator_of(item: Item) -> str:
    """The text of an operator of a chain; `with` for an update."""
    return item.text if isinstance(item, Token) else "with"


def level(item: Item) -> int:
    return level_of(item.text) if isinstance(item, Token) else 2


class ExpressionRules(TypeRules):
    # ------------------------------------------------------------ chains of operators

    def rule_chain(self, items: list[Item]) -> Doc:
        for at in range(1, len(items), 2):
            if isinstance(items[at], Token):
                self.trivia.before_operator(items[at], first_token(items[at + 1]))
            self.lead(items[at])
        spaced = max((level(items[at]) for at in range(1, len(items), 2) if not self._may_be_tight(items, at)),
                     default=-1)
        return self._chain(items, spaced)

    def _may_be_tight(self, items: list[Item], at: int) -> bool:
        operator = items[at]
        if not isinstance(operator, Token) or 0 < level_of(operator.text) < TIGHT:
            return False
        return operator.start in self.trivia.tight and first_token(items[at + 1]).start in self.trivia.tight

    def _chain(self, items: list[Item], spaced: int) -> Doc:
        """`spaced`: operators that bind more tightly than this have no spaces around them."""
        if len(items) == 1:
            return self.doc(items[0])
        lowest = min(map(level, items[1::2]))
        cuts = [at for at in range(1, len(items), 2) if level(items[at]) == lowest]
        if lowest == 2 and len(cuts) == 1 and not self.broke(items[cuts[0]]):
            return self._update(items[:cuts[0]], items[cuts[0]], items[cuts[0] + 1:], spaced)
        operators = [items[at] for at in cuts]
        operands = [self._chain(items[start:end], spaced)
                    for start, end in zip([0, *(at + 1 for at in cuts)], [*cuts, len(items)], strict=True)]
        before, after = (LINE, " ") if lowest <= spaced else (SOFT, IfBroken(" ", ""))
        gap = " " if lowest <= spaced else ""
        rows: list[tuple[Item, list[Doc]]] = [(items[0], [operands[0]])]
        flat: list[Doc] = [operands[0]]
        for operator, operand in zip(operators, operands[1:], strict=True):
            sign = self.doc(operator)
            if self.broke(operator):
                rows.append((operator, [sign, " ", Align(operand)]))
            else:
                rows[-1][1].extend([before, sign, after, Align(operand)])
            flat += [gap, sign, gap, operand]
        if len(rows) > 1:
            return Choice(None, Align(self.stack([(item, Group(Cat(*parts))) for item, parts in rows])))
        broken = Align(Cat(*rows[0][1]))
        hug = hug_of(operands[-1])
        if hug is None or any(forced(each) for each in operands[:-1]) \
                or (len(operators) > 1 and operator_of(operators[-1]) != "<|"):
            return Choice(Cat(*flat), broken)
        start = Cat(*flat[:-1], hug)
        return Choice(Cat(*flat), start, broken, hug=start)

    def _update(self, base: list[Item], update: Item, value: list[Item], spaced: int) -> Doc:
        """A single `with` is like a binding: its value may stand on the next line."""
        head = self._chain(base, spaced)
        if forced(head):
            return Choice(None, Align(Cat(head, HARD, self.doc(update), " ", Align(self._chain(value, spaced)))))
        return self.bind(Cat(head, " ", self.doc(update)), Tree("chain", value) if len(value) > 1 else value[0])

    def rule_with_indices(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), " ", self.rule_indices(items[1:4]), " ", self.token(items[4]))

    def rule_with_path(self, items: list[Item]) -> Doc:
        word, path, equal = items
        gap = " " if path[0].kind == "INT" and len(path) > 1 else ""  # `0.x` would begin like a number
        return Cat(self.token(word), " ", self.token(path[0]), gap, self.tight(path[1:]), " ", self.token(equal))

    def rule_prefix(self, items: list[Item]) -> Doc:
        sign, operand = self.token(items[0]), self.doc(items[1])
        hug = hug_of(operand)
        return Cat(sign, operand) if hug is None else Choice(Cat(sign, operand), Cat(sign, hug), hug=Cat(sign, hug))

    def _annotated(self, items: list[Item]) -> Doc:
        """`e : t` and its like."""
        operand = self.doc(items[0])
        rest = Cat(self.token(items[1]), " ", self.doc(items[2]))
        hug = hug_of(operand)
        broken = Align(Cat(operand, LINE, rest))
        flat = Cat(operand, " ", rest)
        if hug is None:
            return Choice(flat, broken)
        return Choice(flat, Cat(hug, " ", rest), broken, hug=Cat(hug, " ", rest))

    rule_ascribe = rule_coerce = rule_grade_ascribe = _annotated

    # ------------------------------------------------------------ calls

    def rule_apply(self, items: list[Item]) -> Doc:
        self.lead(*items[1:])
        rows = self.rows(items, [self.doc(item) for item in items])
        if len(rows) == 1:
            return self._call(rows[0][1])
        return Choice(None, Nest(INDENT, self.stack([(item, self._call(row)) for item, row in rows])))

    def rule_assert_(self, items: list[Item]) -> Doc:
        return self.rule_apply(items)

    def _call(self, docs: list[Doc]) -> Doc:
        """A function and its arguments; or one line of them, where the source breaks lines."""
        if len(docs) == 1:
            return docs[0]
        filled = Nest(INDENT, Fill(tuple(docs)))
        hug = self._hugged(docs)
        if hug is None:
            return Choice(joined(docs, " "), filled)
        return Choice(joined(docs, " "), hug, filled, hug=hug)

    def _hugged(self, docs: list[Doc]) -> Doc | None:
        """A call with one argument of several lines that begins on the line of the call."""
        must = [at for at, doc in enumerate(docs) if forced(doc)]
        can = [at for at, doc in enumerate(docs) if at and hug_of(doc) is not None]
        if len(must) > 1 or not can or (must and must[0] not in can):
            return None
        at = must[0] if must else max(can, key=lambda at: (width_of(docs[at]), at))
        if sum(width_of(doc) + 1 for doc in docs[at + 1:]) > TRAILING:
            return None
        return joined([*docs[:at], hug_of(docs[at]) or docs[at], *docs[at + 1:]], " ")

    def rule_paren(self, items: list[Item]) -> Doc:
        opening, inner, closing = self.token(items[0]), self.doc(items[1]), self.closing(items[2])
        broken: Doc = Align(Cat(opening, inner, closing))
        if isinstance(items[1], Tree) and items[1].name in ("lambda_", "loop"):
            broken = Cat(opening, hug_of(inner) or inner, closing)
        return Choice(Cat(opening, inner, closing), broken, hug=broken)

    def rule_lambda_(self, items: list[Item]) -> Doc:
        slash, params, result, arrow, body = items
        head = Cat(self.token(slash), self.words([*params, result, arrow]))
        return self.bind(head, body, hugs=isinstance(body, Tree) and body.name in BRACKETED)

    # ------------------------------------------------------------ let, if, match, loop

    def rule_let_(self, items: list[Item]) -> Doc:
        heads = [items[0]]
        rest = items[1]
        while True:
            if rest.name == "let_":
                heads.append(rest.items[0])
                rest = rest.items[1]
                continue
            word, body = rest.items
            if not (isinstance(body, Tree) and body.name == "let_"):
                break
            self.trivia.to_following(word, first_token(body))  # `in let` says no more than `let`
            rest = body
        self.lead(*heads[1:], word)
        docs = [self.doc(head) for head in heads]
        end = Cat(self.token(word), " ", Align(self.doc(body)))
        broken = Align(Cat(self.stack(list(zip(heads, docs, strict=True))), self.newline(word), end))
        if any(map(self.broke, heads[1:])) or self.broke(word) or self.broke(body):
            return Choice(None, broken)
        return Choice(joined([*docs, end], " "), broken)

    def rule_let_pat(self, items: list[Item]) -> Doc:
        return self.bind(self.words(items[:3]), items[3])

    def rule_let_pat_sizes(self, items: list[Item]) -> Doc:
        head = Cat(self.token(items[0]), " ", self.tight(items[1]), " ", self.words(items[2:4]))
        return self.bind(head, items[4])

    def rule_let_fun(self, items: list[Item]) -> Doc:
        word, name, parameters, params, result, equal, value = items
        first = Cat(self.token(word), " ", self.doc(name), self.parameters(parameters))
        return self.definition(first, [*params, *([] if result is None else [result])], equal, value)

    def rule_let_update(self, items: list[Item]) -> Doc:
        word, name, *indices, equal, value = items
        head = Cat(self.token(word), " ", self.token(name), self.rule_indices(indices), " ", self.token(equal))
        return self.bind(head, value)

    def rule_assume(self, items: list[Item]) -> Doc:
        return self.words(items)

    def definition(self, first: Doc, params: list[Item], equal: Token, value: Item) -> Doc:
        """A header with parameters and what it stands for."""
        flat, broken = self.header(first, params, equal)
        if flat is None or forced(flat):
            return self.bind(broken, value).alternatives[-1]
        return self.bind(flat, value, broken=broken)

    def rule_if_(self, items: list[Item]) -> Doc:
        rungs: list[list[Item]] = []
        rest: Item = Tree("if_", items)
        lead: list[Item] = []
        while isinstance(rest, Tree) and rest.name == "if_":
            word, condition, then, value, otherwise, following = rest.items
            rungs.append([*lead, word, condition, then, value])
            lead, rest = [otherwise], following
            if isinstance(rest, Tree) and rest.name == "if_":
                self.trivia.breaks.discard(first_token(rest).start)
        last = [*lead, rest]
        lines: list[Doc] = []
        parts: list[tuple[Item, Doc]] = []
        tall = False
        for rung in rungs:
            *words, condition, then, value = rung
            tall = tall or self.broke(condition) or self.broke(then) or self.broke(value)
            self.lead(then, *words[:-1])
            opening, test = self.words(words), self.doc(condition)
            so, result = self.token(then), self.doc(value)
            lines.append(Cat(opening, " ", test, " ", so, " ", result))
            parts.append((words[0], Cat(opening, " ", Align(test))))
            parts.append((then, Cat(so, " ", Align(result))))
        self.lead(last[0])
        otherwise = self.token(last[0])
        final = Cat(otherwise, " ", Align(self.doc(rest)))
        full = Align(self.stack([*parts, (last[0], final)]))
        starts = [*(rung[0] for rung in rungs), last[0]]
        if tall or any(map(forced, lines)):
            return Choice(None, full)
        widths = [width_of(line) for line in lines]
        ladder = Lines(self.stack(list(zip(starts, [*lines, final], strict=True))), widths[0], max(widths), 0)
        flat = None if any(map(self.broke, [*starts[1:], rest])) else joined([*lines, final], " ")
        return Align(Choice(flat, ladder, full))

    def rule_match_(self, items: list[Item]) -> Doc:
        word, subject, cases = items
        self.lead(*cases)
        head = Cat(self.token(word), " ", Align(self.doc(subject)))
        docs = [self.doc(case) for case in cases]
        broken = Align(Cat(head, self.newline(cases[0]), self.stack(list(zip(cases, docs, strict=True)))))
        if any(map(self.broke, cases)):
            return Choice(None, broken)
        return Choice(joined([head, *docs], " "), broken)

    def rule_case(self, items: list[Item]) -> Doc:
        return self.bind(self.words(items[:3]), items[3])

    def rule_loop(self, items: list[Item]) -> Doc:
        word, pattern, form, do, body = items
        self.lead(form, body)
        head = Cat(self.token(word), " ", self.doc(pattern))
        steps = Cat(self.doc(form), " ", self.token(do))
        inner = self.doc(body)
        below = Nest(INDENT, Cat(self.newline(body), inner))
        tall = Align(Cat(head, self.newline(form), steps, below))
        if self.broke(form) or forced(head) or forced(steps):
            return Choice(None, tall)
        wide = Cat(head, " ", steps, below)
        flat = None if self.broke(body) else Cat(head, " ", steps, " ", inner)
        return Choice(flat, Align(wide), tall, hug=wide)

    def rule_loop_pat(self, items: list[Item]) -> Doc:
        return self.doc(items[0])

    def rule_loop_init(self, items: list[Item]) -> Doc:
        return Cat(self.words(items[:2]), " ", Align(self.doc(items[2])))

    def rule_loop_sizes(self, items: list[Item]) -> Doc:
        return Cat(self.tight(items[0]), " ", self.doc(items[1]))

    def rule_loop_sizes_init(self, items: list[Item]) -> Doc:
        return Cat(self.tight(items[0]), " ", self.words(items[1:3]), " ", Align(self.doc(items[3])))

    def rule_for_below(self, items: list[Item]) -> Doc:
        return Cat(self.words(items[:3]), " ", Align(self.doc(items[3])))

    rule_for_in = rule_for_below

    def rule_while_(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), " ", Align(self.doc(items[1])))

    def rule_attributed(self, items: list[Item]) -> Doc:
        between = self.newline(items[1]) if self.broke(items[1]) else " "
        return Align(Cat(self.token(items[0]), between, self.doc(items[1])))

    # ------------------------------------------------------------ sections

    def rule_section(self, items: list[Item]) -> Doc:
        return self.tight(items)

    def rule_section_right(self, items: list[Item]) -> Doc:
        opening, operator, chain, closing = items
        return self._section(opening, [operator, chain], chain, closing)

    def rule_section_left(self, items: list[Item]) -> Doc:
        opening, chain, operator, closing = items
        return self._section(opening, [chain, operator], operator, closing)

    def _section(self, opening: Token, parts: list[Item], second: Item, closing: Token) -> Doc:
        docs = [self.rule_chain(part) if isinstance(part, list) else self.doc(part) for part in parts]
        gap = "" if first_token(second).start in self.trivia.tight else " "
        return Align(Cat(self.token(opening), joined(docs, gap), self.closing(closing)))

    def rule_section_field(self, items: list[Item]) -> Doc:
        return self.tight(items)

    def rule_section_index(self, items: list[Item]) -> Doc:
        return Cat(self.tight(items[:2]), self.rule_indices(items[2:5]), self.token(items[5]))

    # ------------------------------------------------------------ brackets

    def rule_unit(self, items: list[Item]) -> Doc:
        return Cat(self.token(items[0]), self.closing(items[1]))

    rule_array_empty = rule_record_empty = rule_unit

    def rule_array(self, items: list[Item]) -> Doc:
        return self.brackets(items[0], items[1], items[2])

    def rule_tuple_(self, items: list[Item]) -> Doc:
        opening, first, comma, rest, closing = items
        if isinstance(rest, Tree):
            return self.brackets(opening, Tree("first", [[first, comma, *rest.items[0]], rest.items[1]]), closing)
        return self.brackets(opening, [first, comma, *rest], closing)

    def rule_record(self, items: list[Item]) -> Doc:
        return self.brackets(items[0], items[1] if len(items) == 3 else Tree("first", items[1:3]), items[-1])

    def rule_field_item(self, items: list[Item]) -> Doc:
        return self.bind(self.words(items[:2]), items[2])

    def rule_comprehension(self, items: list[Item]) -> Doc:
        opening, body, word, clauses, closing = items
        self.lead(word)
        starts, docs = self.commas(clauses, rows=True)
        rows = self.rows(starts, docs)
        inner, given, end = self.doc(body), self.token(word), self.closing(closing)
        where = Cat(given, " ", Align(self.stack([(item, Fill(tuple(row))) for item, row in rows])))
        broken = Align(Cat(self.token(opening), Nest(1, Cat(inner, self.newline(word), where)), end))
        if self.broke(word) or len(rows) > 1:
            return Choice(None, broken, hug=broken)
        return Choice(Cat(self.token(opening), inner, " ", given, " ", joined(docs, " "), end), broken, hug=broken)

    def rule_clause_below(self, items: list[Item]) -> Doc:
        return Cat(self.words(items[:2]), " ", Align(self.doc(items[2])))

    rule_clause_in = rule_clause_below

    # ------------------------------------------------------------ parts of values

    def rule_field(self, items: list[Item]) -> Doc:
        number = isinstance(items[0], Token) and items[0].kind in ("INT", "FLOAT")
        return self._suffixed(items[0], Cat(" " if number else "", self.token(items[1]), self.doc(items[2])))

    def rule_index(self, items: list[Item]) -> Doc:
        return self._suffixed(items[0], self.rule_indices(items[1:]))

    def _suffixed(self, base: Item, suffix: Doc) -> Doc:
        doc = self.doc(base)
        hug = hug_of(doc)
        if hug is None:
            return Cat(doc, suffix)
        return Choice(Cat(doc, suffix), Cat(hug, suffix), hug=Cat(hug, suffix))

    def rule_indices(self, items: list[Item]) -> Doc:
        """`[i, j]`: the space after commas is the writer's."""
        opening, indices, closing = items
        starts, docs = self.commas(indices, rows=False)
        gap = SOFT if len(starts) > 1 and first_token(starts[1]).start in self.trivia.tight else LINE
        return Group(Align(Cat(self.token(opening), Nest(1, joined(docs, gap)), self.closing(closing))))

    def rule_slice(self, items: list[Item]) -> Doc:
        return self.tight(items)

    def rule_local_open(self, items: list[Item]) -> Doc:
        base = Cat(self.doc(items[0]), self.token(items[1]))
        inner = self.rule_paren(items[2:])
        hug = Cat(base, hug_of(inner) or inner)
        return Choice(Cat(base, inner), hug, hug=hug)
