"""Syntax errors as sentences to people.

In: the tokens of a declaration and the place where the machine could not go on. Out: one diagnostic. Brackets are
looked at first, then the mistakes that people make most (each a small function below), and only then the general
answer: what was found and what could stand there, in words of the language.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ..diagnostics.report import Reporter
from ..record import dataclass, replace
from ..source import Piece, Source, Span
from . import habits
from .lexer import DECLARATION_WORDS, KEYWORDS, Token
from .machine import Failure, Tables, expected
from .slips import OPERATORS, WORDS

_CLOSER = {"LPAR": "RPAR", "LSQB": "RSQB", "INDEX": "RSQB", "LBRACE": "RBRACE"}
_BRACKETS = {"RPAR": ")", "RSQB": "]", "RBRACE": "}", "LPAR": "(", "LSQB": "[", "INDEX": "[", "LBRACE": "{"}
_WORD_OF_KIND = {kind: word for word, kind in KEYWORDS.items()}
_SYMBOLS = {**_BRACKETS, "COMMA": ",", "COLON": ":", "EQUAL": "=", "ARROW": "->", "DOT": ".", "AT": "@",
            "LESSTHAN": "<"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the machine stopped: `tokens[at]` fits nowhere, `kinds` would."""

    source: Source | Piece
    report: Reporter
    tokens: Sequence[Token]
    at: int
    kinds: set[str]
    openers: tuple[Token, ...]

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    @property
    def before(self) -> Token | None:
        return self.tokens[self.at - 1] if self.at else None

    @property
    def ended(self) -> bool:
        return self.token.kind == "$END"

    def span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def where(self) -> Span:
        """The token that does not fit; at the end, the last token."""
        return self.span(self.before if self.ended and self.before is not None else self.token)

    def first_on_line(self, token: Token) -> bool:
        begin = self.source.text.rfind("\n", 0, token.start) + 1
        return not self.source.text[begin:token.start].strip("\ufeff \t\r")

    def column(self, token: Token) -> int:
        return self.source.position(token.start)[1]

    def end_of_what(self) -> str:
        return "the declaration" if self.ended else "the expression"

    def found(self) -> str:
        return "the declaration ends" if self.ended else f"found `{_short(self.token.text)}`"


def report_failure(report: Reporter, source: Source | Piece, tables: Tables, start: str, tokens: Sequence[Token],
                   failure: Failure) -> None:
    """One diagnostic for a declaration (or expression, type) that does not parse; `tokens` ends with `$END`."""
    kinds = expected(tables, start, tokens[:failure.at])
    place = Place(source, report, tokens, failure.at, kinds, _open_brackets(tokens[:failure.at]))
    for rule in _RULES:
        if rule(place):
            return
    _general(place)


def report_stray(report: Reporter, source: Source | Piece, tokens: Sequence[Token]) -> None:
    """Tokens before the first declaration of a file."""
    first = next((token for token in tokens if token.kind not in ("DOC", "ATTR")), None)
    if first is None:
        if tokens[0].kind == "ATTR":
            report.error("E023", "this attribute stands before no declaration",
                         Span(source, tokens[0].start, tokens[0].end), "here", help="write the declaration after it")
        return
    if first.kind == "BAD":
        return
    span = Span(source, first.start, first.end)
    end = Span(source, 0, tokens[-1].end).end
    report.diagnostics[:] = [d for d in report.diagnostics if d.code not in ("E001", "E002", "E003", "E005")
                             or d.span is None or d.span.start > end]  # nothing in it is to be mended
    if first.text.startswith(("//", "/*")):
        report.error("E016", f"comments begin with `--`, not with `{first.text[:2]}`", span, "here",
                     help=f"write `--` instead of `{first.text[:2]}`")
        return
    help = "begin with `def name = …`, `entry name = …` or `type name = …`"
    if first.kind == "NAME" and [token.kind for token in tokens[1:2]] == ["LBRACE"]:
        help = "what is sought and what is given are parameters: `entry f (p: param f64) (y: data [n]f64) : f64 = …`"
    elif first.text in WORDS:
        help = WORDS[first.text]
    elif first.kind == "NAME" and any(token.kind == "EQUAL" and "\n" not in source.text[first.start:token.start]
                                      for token in tokens[:8]):
        help = f"write `def {first.text} …`"
    report.error("E023", f"a declaration is expected here, not `{_short(first.text)}`", span,
                 "no declaration begins so", help=help)


# ---------------------------------------------------------------- brackets


def _open_brackets(tokens: Sequence[Token]) -> tuple[Token, ...]:
    openers: list[Token] = []
    for token in tokens:
        if token.kind in _CLOSER:
            openers.append(token)
        elif token.kind in ("RPAR", "RSQB", "RBRACE") and openers:
            openers.pop()
    return tuple(openers)


def report_brackets(report: Reporter, source: Source | Piece, tokens: Sequence[Token]) -> bool:
    """Whether brackets match in tokens that nothing else parses (bodies of modules); reports the first that doesn't."""
    ended = [*tokens, Token("$END", "", tokens[-1].end, tokens[-1].end)]
    openers: list[Token] = []
    for at, token in enumerate(ended):
        if token.kind in _CLOSER:
            openers.append(token)
        elif token.kind in ("RPAR", "RSQB", "RBRACE") and openers and _CLOSER[openers[-1].kind] == token.kind:
            openers.pop()
        elif token.kind in ("RPAR", "RSQB", "RBRACE") or (token.kind == "$END" and openers):
            return not _brackets(Place(source, report, ended, at, set(), tuple(openers)))
    return True


def _brackets(place: Place) -> bool:
    token = place.token
    opener = place.openers[-1] if place.openers else None
    if opener is None:
        if token.kind not in ("RPAR", "RSQB", "RBRACE"):
            return False
        place.report.error("E011", f"`{token.text}` closes nothing", place.span(token), "no bracket is open here",
                           help="remove it, or add the bracket that it should close")
        return True
    wanted = _BRACKETS[_CLOSER[opener.kind]]
    begin = "[" if opener.kind == "INDEX" else opener.text
    opened = [(place.span(opener), "opened here")]
    if token.kind in ("RPAR", "RSQB", "RBRACE") and token.text != wanted:
        place.report.error("E011", f"`{begin}` is closed by `{token.text}`", place.span(token), f"`{wanted}` expected",
                           others=opened, help=f"write `{wanted}` here, or add it before")
        return True
    if place.ended:
        place.report.error("E011", f"`{begin}` is never closed", place.span(opener), "opened here",
                           others=[(place.where(), f"the declaration ends here without `{wanted}`")],
                           help=f"add `{wanted}`")
        return True
    if _CLOSER[opener.kind] in place.kinds and len(_open_brackets(place.tokens)) > 0 and token.kind in (
            "EQUAL", "COLON", "IN", "THEN", "ELSE", "DO", "ARROW"):
        place.report.error("E011", f"`{wanted}` is missing before `{token.text}`", place.span(token),
                           f"`{wanted}` expected before this", others=opened, help=f"add `{wanted}`")
        return True
    return False


# ---------------------------------------------------------------- frequent slips


def _comment(place: Place) -> bool:
    for token in place.tokens[:place.at + 1]:
        if token.text.startswith(("//", "/*")) and (place.first_on_line(token) or token.text.startswith("/*")):
            place.report.error("E016", f"comments begin with `--`, not with `{token.text[:2]}`", place.span(token),
                               "read as an operator", help=f"write `--` instead of `{token.text[:2]}`")
            return True
    before = place.before
    if before is not None and before.kind == "LBRACE" and place.token.kind == "MINUS" \
            and before.end == place.token.start:
        place.report.error("E016", "comments begin with `--`, not with `{-`", place.span(before), "read as a record",
                           help="write `--` before each line")
        return True
    return False


def _foreign_word(place: Place) -> bool:
    """A word of another language among the last tokens, in a position where it is most likely meant as that word."""
    for at in range(place.at, max(-1, place.at - 12), -1):
        token = place.tokens[at]
        if token.kind != "NAME" or token.text not in WORDS or token.text in ("data", "len", "range", "pow", "record"):
            continue
        after = place.tokens[at + 1].kind if at + 1 < len(place.tokens) else ""
        before = place.tokens[at - 1].kind if at else ""
        if after in ("EQUAL", "COLON", "DOT", "COMMA") or before in ("DOT", "DEF", "ENTRY", "COLON"):
            continue
        place.report.error("E015", f"`{token.text}` is no word of Dad", place.span(token), "this word",
                           help=WORDS[token.text])
        return True
    return False


def _foreign_operator(place: Place) -> bool:
    token, before = place.token, place.before
    if token.kind == "QMARK" and "OP" in place.kinds:
        place.report.error("E015", "there is no `? :`", place.span(token), "this operator",
                           help="write `if c then a else b`")
        return True
    if token.text == "<-" and "EQUAL" in place.kinds:
        updated = before is not None and before.kind == "RSQB"
        place.report.error("E014", "a new value is given with `=`, not `<-`", place.span(token), "this operator",
                           help="write `a with [i] = v`" if updated else "write `=`")
        return True
    if token.kind == "COLON" and before is not None and before.kind == "COLON":
        place.report.error("E015", "a type is said with one colon", Span(place.source, before.start, token.end),
                           "two of them", help="write `x : f64`")
        return True
    if token.kind == "EQUAL" and before is not None and before.kind == "COLON" and before.end == token.start:
        place.report.error("E015", "there is no assignment `:=`", Span(place.source, before.start, token.end), "here",
                           help=OPERATORS[":="])
        return True
    recent = [each for each in place.tokens[max(0, place.at - 3):place.at + 1] if each.text == "=>"]
    if recent:
        place.report.error("E015", "arrows are written `->`", place.span(recent[-1]), "this arrow", help="write `->`")
        return True
    return False


def _equals(place: Place) -> bool:
    if place.token.kind != "EQUAL" or "OP" not in place.kinds:
        return False
    first = place.at
    while first > 0 and not place.first_on_line(place.tokens[first]):
        first -= 1
    line = place.tokens[first:place.at]
    name = line[0].text if line and line[0].kind == "NAME" else ""
    header = {"NAME", "LPAR", "RPAR", "COLON", "LSQB", "RSQB", "INDEX", "COMMA"}
    if name and first and all(token.kind in header for token in line):
        if place.column(line[0]) == 1:
            place.report.error("E014", f"a definition of `{name}` begins with `def`", place.span(line[0]),
                               "read as part of the declaration before it",
                               others=[(place.span(place.token), "because of this")], help=f"write `def {name} …`")
        else:
            place.report.error("E014", f"to give the name `{name}` to a value, write `let`", place.span(place.token),
                               "there is no assignment", help=f"write `let {name} = … in …`")
        return True
    place.report.error("E014", "`=` does not compare", place.span(place.token),
                       "a comparison could stand here, but no definition",
                       help="equality is `==`; a name is given with `let name = value in …`")
    return True


def _python_if(place: Place) -> bool:
    """`if c: a` and `if c { a }`"""
    before = place.before
    pending = _pending(place, "IF", "THEN")
    if pending is None and place.openers and place.openers[-1].kind == "LBRACE":
        at = _index(place, place.openers[-1])
        if all(token.kind != "EQUAL" for token in place.tokens[at:place.at]):  # otherwise it is a record
            place = replace(place, at=at, openers=place.openers[:-1])
            pending = _pending(place, "IF", "THEN")
    if pending is None:
        return False
    colon = _colon(place, pending) or (place.token if place.token.kind in ("COLON", "LBRACE") else before)
    if colon is None or colon.kind not in ("COLON", "LBRACE"):
        if "THEN" not in place.kinds:
            return False
        place.report.error("E013", "`if` without `then`", place.where(), _missing("then", place),
                           others=[(place.span(pending), "this `if`")], help="write `if c then a else b`")
        return True
    place.report.error("E013", "`if` without `then`", place.span(colon), "`then` expected here",
                       others=[(place.span(pending), "this `if`")], help="write `if c then a else b`")
    return True


def _else(place: Place) -> bool:
    if "ELSE" not in place.kinds:
        return False
    pending = _pending(place, "IF", "ELSE")
    if pending is None or (place.token.kind in ("THEN", "EQUAL", "ARROW", "COMMA") and not place.ended):
        return False
    place.report.error("E013", "`if` without `else`", place.where(), _missing("else", place),
                       others=[(place.span(pending), "this `if`")],
                       help="an `if` has a value in both cases: `if c then a else b`")
    return True


def _loop(place: Place) -> bool:
    if "DO" in place.kinds and place.token.kind != "EQUAL":
        pending = _pending(place, "LOOP", "DO")
        others = [(place.span(pending), "this loop")] if pending is not None else []
        body = _line_below(place, pending) if pending is not None and place.ended else None
        colon = _colon(place, pending) if pending is not None else None
        where, label = (place.span(colon), "`do` expected here") if colon is not None else (
            place.where(), _missing("do", place)) if body is None else (place.span(body), "`do` expected before this")
        place.report.error("E017", "`loop` without `do`", where, label, others=others,
                           help="write `loop x = start for i < n do …`")
        return True
    if place.token.kind in ("FOR", "WHILE") and "LOOP" in place.kinds:
        place.report.error("E017", f"`{place.token.text}` belongs to a `loop`", place.span(place.token), "here",
                           help=f"write `loop x = start {place.token.text} … do …`, where `x` is what the loop changes")
        return True
    return False


def _let(place: Place) -> bool:
    """A declaration that ends where `in` could stand: the last `let` has no body, or its `in` was forgotten."""
    if "IN" not in place.kinds or not (place.ended or place.token.kind in ("EQUAL", "COMMA", "RPAR", "RSQB", "RBRACE")):
        return False
    pending = _pending_let(place)
    if pending is None:
        return False
    if place.token.kind == "COMMA":
        place.report.error("E012", "one `let` gives one name", place.span(place.token),
                           "a second one cannot follow here",
                           others=[(place.span(pending), "this `let`")], help="write `let a = 1 let b = 2 in …`")
        return True
    body = _line_below(place, pending)
    if place.token.kind == "EQUAL" and body is None:
        return False
    if body is not None:
        place.report.error("E012", "`in` is missing before the body of this `let`", place.span(body),
                           "read as part of the value above", others=[(place.span(pending), "this `let`")],
                           help=f"write `in {_short(body.text)} …`")
    else:
        place.report.error("E012", "this `let` has no body", place.span(pending), "gives a name",
                           others=[(place.where(), f"but {place.end_of_what()} ends here")],
                           help="add `in` and the expression that uses the name")
    return True


def _in(place: Place) -> bool:
    if place.token.kind == "IN" and "OP" in place.kinds:
        place.report.error("E012", "this `in` belongs to no `let`", place.span(place.token), "no `let` is open here",
                           help="remove it, or write `let name = value` before it")
        return True
    if place.token.kind in ("THEN", "ELSE") and "OP" in place.kinds:
        place.report.error("E013", f"this `{place.token.text}` belongs to no `if`", place.span(place.token),
                           "no `if` is open here", help="an `if` is `if c then a else b`")
        return True
    return False


def _arrow(place: Place) -> bool:
    if place.token.kind != "ARROW" or "OP" not in place.kinds:
        return False
    before = place.before
    matches = [token for token in place.tokens[:place.at] if token.kind in ("MATCH", "CASE")]
    if before is not None and before.kind == "NAME" and before.end == place.token.start:
        place.report.error("E015", "a field is taken with a dot", place.span(place.token), "not with an arrow",
                           help=f"write `{before.text}.field`; an anonymous function is `\\x -> …`")
    elif matches and matches[-1].kind == "MATCH":
        place.report.error("E010", "each case of a `match` begins with `case`", place.span(place.token),
                           "`case` is missing before the pattern", others=[(place.span(matches[-1]), "this `match`")],
                           help="write `match e case p -> …`")
    else:
        place.report.error("E010", "unexpected `->`", place.span(place.token), "no function begins before it",
                           help="an anonymous function is written `\\x -> …`")
    return True


def _reserved(place: Place) -> bool:
    word, kind = place.token.text, place.token.kind
    pattern = "UNDERSCORE" in place.kinds and "INT" in place.kinds
    if kind in ("DEF", "ENTRY") and "LET" in place.kinds and place.first_on_line(place.token):
        following = place.tokens[place.at + 1]
        name = following.text if following.kind == "NAME" else "name"
        place.report.error("E010", "a name inside of a definition is given with `let`", place.span(place.token),
                           f"`{word}` begins one of the whole file", help=f"write `let {name} … = … in …`")
        return True
    if kind in _WORD_OF_KIND and "NAME" in place.kinds and (
            kind in DECLARATION_WORDS or pattern or not place.kinds & {"IF", "OP"}):
        place.report.error("E010", f"`{word}` is a word of the language and cannot be a name", place.span(place.token),
                           "a name is expected here", help=f"choose another name, such as `{word}_` or `{word}'`")
        return True
    return False


def _quoted(place: Place) -> bool:
    if place.token.kind == "TYVAR" and "STRING" in place.kinds:
        closed = place.token.text.endswith("'")
        message = "strings are written with double quotes" if closed else (
            f"a type variable `{place.token.text}` cannot stand in an expression")
        place.report.error("E010", message, place.span(place.token), "here",
                           help=f'write "{place.token.text[1:-1]}"' if closed else "characters are like 'a'")
        return True
    return False


_RULES: tuple[Callable[[Place], bool], ...] = (
    _comment, *habits.RULES, _foreign_word, _foreign_operator, _equals, _python_if, _let, _brackets, _else, _loop, _in,
    _arrow, _reserved, _quoted)


def _missing(word: str, place: Place) -> str:
    return f"the declaration ends here without `{word}`" if place.ended else f"`{word}` expected before this"


def _colon(place: Place, opener: Token) -> Token | None:
    """A colon behind the word, outside of brackets that are closed: it ends the head of a statement in Python."""
    depth = 0
    for token in place.tokens[_index(place, opener) + 1:place.at + 1]:
        depth += (token.kind in _CLOSER) - (token.kind in ("RPAR", "RSQB", "RBRACE"))
        if token.kind == "COLON" and not depth:
            return token
    return None


def _line_below(place: Place, opener: Token) -> Token | None:
    """The first line after `opener` that is not indented below it: most likely a body whose `in` or `do` is missing."""
    return next((token for token in place.tokens[_index(place, opener) + 1:place.at]
                 if place.first_on_line(token) and place.column(token) <= max(place.column(opener), 3)), None)


def _index(place: Place, token: Token) -> int:
    return next(at for at, each in enumerate(place.tokens) if each is token)


def _pending(place: Place, opener: str, closer: str) -> Token | None:
    """The innermost `opener` before the place that no `closer` has answered, within the innermost open bracket."""
    inside = _index(place, place.openers[-1]) + 1 if place.openers else 0
    pending: list[Token] = []
    for token in place.tokens[inside:place.at]:
        if token.kind == opener:
            pending.append(token)
        elif token.kind == closer and pending:
            pending.pop()
    return pending[-1] if pending else None


def _pending_let(place: Place) -> Token | None:
    """The last `let` of the chain that has no `in` yet; an `in` after `for` answers no `let`."""
    inside = _index(place, place.openers[-1]) + 1 if place.openers else 0
    chains: list[Token] = []
    previous = ""
    for_in = False
    depth = 0
    for token in place.tokens[inside:place.at]:
        kind = token.kind
        if kind in _CLOSER:
            depth += 1
        elif kind in ("RPAR", "RSQB", "RBRACE"):
            depth -= 1
        elif depth:
            continue
        elif kind == "LET":
            if chains and previous not in ("EQUAL", "IN", "THEN", "ELSE", "DO", "ARROW"):
                chains.pop()
            chains.append(token)
        elif kind == "FOR":
            for_in = True
        elif kind == "LESSTHAN":
            for_in = False
        elif kind == "IN":
            if for_in:
                for_in = False
            elif chains:
                chains.pop()
        previous = kind
    return chains[-1] if chains else None


# ---------------------------------------------------------------- the general answer


def words(kinds: set[str]) -> list[str]:
    """Kinds of token as a person would name them, the telling ones first.

    >>> words({"RPAR", "COMMA", "OP", "MINUS", "STAR"})
    ['`)`', '`,`']
    """
    left = set(kinds)
    said: list[str] = []
    late: list[str] = []
    expression = {"NAME", "INT", "FLOAT", "STRING", "CHAR", "TRUE", "FALSE", "HOLE", "CONSTR", "LPAR", "LSQB", "LBRACE",
                  "IF", "LET", "LOOP", "MATCH", "BACKSLASH", "MINUS", "BANG", "ASSERT", "ATTR"}
    operator = {"OP", "REL", "LESSTHAN", "STAR", "VBAR", "CIRCUMFLEX", "BACKTICK", "MINUS", "DOTDOT", "ELLIPSIS",
                "DOTLT", "DOTGT", "COERCE", "AT", "WITH", "INDEX", "DOT", "COLON"}
    kind_of_type = {"NAME", "TYVAR", "LPAR", "LSQB", "INDEX", "LBRACE", "STAR", "QMARK", "CONSTR", "QUALIFIER"}
    pattern = {"NAME", "UNDERSCORE", "INT", "FLOAT", "CHAR", "TRUE", "FALSE", "CONSTR", "LPAR", "LBRACE", "MINUS",
               "ATTR"}
    if {"INT", "IF"} <= left:
        late.append("an expression")
        left -= expression
    if {"QUALIFIER", "STAR"} <= left and "OP" not in left:
        late.append("a type")
        left -= kind_of_type
    if "UNDERSCORE" in left:
        late.append("a pattern" if "ATTR" in left else "a parameter")
        left -= pattern
    if {"OP", "REL"} <= left:
        late.append("an operator")
        left -= operator
        if {"INT", "STRING"} <= left:
            left -= expression
    if "NAME" in left:
        said.append("a name")
        left.discard("NAME")
    if "TYVAR" in left:
        late.append("a type parameter")
        left.discard("TYVAR")
    if left & {"LSQB", "INDEX"}:
        late.append("`[`")
        left -= {"LSQB", "INDEX"}
    if "$END" in left:
        late.append("the end of the declaration")
        left.discard("$END")
    first = ("RPAR", "RSQB", "RBRACE", "EQUAL", "IN")
    for kind in sorted(left, key=lambda kind: (first.index(kind) if kind in first else len(first), kind)):
        text = _SYMBOLS.get(kind) or _WORD_OF_KIND.get(kind)
        named = {"STRING": "a string", "INT": "a whole number", "NAT": "a field's number", "CONSTR": "a constructor",
                 "IS": "`:`"}.get(kind)
        if text or named:
            said.append(f"`{text}`" if text else str(named))
    return said + late


def _general(place: Place) -> None:
    candidates = words(place.kinds)[:4]
    *most, last = candidates or ["something else"]
    wanted = ", ".join(most) + (" or " if most else "") + last
    message = f"{wanted} expected, but {place.found()}" if candidates else f"unexpected `{_short(place.token.text)}`"
    others: list[tuple[Span, str]] = []
    if place.openers and _CLOSER[place.openers[-1].kind] in place.kinds and not place.ended:
        others.append((place.span(place.openers[-1]), "inside this bracket"))
    label = "the declaration ends after this" if place.ended else "not expected here"
    help = None
    before = place.before
    if before is not None and before.kind == "OP" and before.text in OPERATORS:
        help = OPERATORS[before.text]
    elif before is not None and before.kind in ("DEF", "ENTRY"):
        message = f"a name expected, but {place.found()}"
        help = f"write `{before.text} name = …`"
    elif before is not None and before.kind == "IMPORT":
        help = f'write `import "{place.token.text}"`' if place.token.kind == "NAME" else 'write `import "file"`'
    elif place.openers and place.openers[-1].kind == "LBRACE" and place.token.kind in ("COLON", "RBRACE"):
        help = "records are `{name = value}`, their types `{name: type}`"
    elif place.token.kind == "COMMA" and before is not None and before.kind == "COMMA":
        help = "remove one of the commas"
    place.report.error("E010", message, place.where(), label, others=others, help=help)


def _short(text: str) -> str:
    text = text.split("\n", 1)[0]
    return text if len(text) <= 30 else text[:30] + "…"
