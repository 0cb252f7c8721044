"""Text to tokens, by one regular expression.

In: a `Source`. Out: tokens with offsets, whatever the text is; what cannot be a token is reported and replaced by the
nearest thing that lets the parser go on, or by a BAD token, which makes the declaration around it fail without another
message. Comments vanish; documentation comments (`-- | …`) stay as DOC tokens.

Two things that Futhark also decides by spacing are decided here: `x[` is indexing (INDEX) and `f [` begins an array;
digits after the dot of `x.0` are a projection (NAT), never a fraction. `param` and `data` are ordinary names but
where a type begins with them (QUALIFIER), `assume` is one but before `property(names) "reason"` (ASSUME), and the colon
of `'a: num` is IS, so that `def e 'a : a = …` keeps its result type.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from ..diagnostics.report import Reporter
from ..source import Piece, Source, Span

MAX_CHARACTERS = 4_000_000
MAX_TOKENS = 1_000_000
MAX_LITERAL = 400
MAX_NAME = 200
MAX_REPORTS = 100


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


KEYWORDS = {word: word.upper() for word in (
    "def", "entry", "type", "import", "open", "local", "module", "val", "include", "let", "in", "if", "then", "else",
    "loop", "for", "while", "do", "match", "case", "with", "assert", "true", "false")}
DECLARATION_WORDS = frozenset({"DEF", "ENTRY", "TYPE", "IMPORT", "OPEN", "LOCAL", "MODULE", "VAL", "INCLUDE"})
PUNCTUATION = {
    "(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", "{": "LBRACE", "}": "RBRACE", ",": "COMMA", ":": "COLON",
    ":>": "COERCE", ".": "DOT", "..": "DOTDOT", "...": "ELLIPSIS", "..<": "DOTLT", "..>": "DOTGT", "->": "ARROW",
    "@": "AT", "\\": "BACKSLASH", "?": "QMARK", "~": "TILDE", "???": "HOLE",
    # operators that the grammar mentions; all others are OP
    "=": "EQUAL", "-": "MINUS", "!": "BANG", "<": "LESSTHAN", "*": "STAR", "|": "VBAR", "^": "CIRCUMFLEX",
    ">": "REL", ">=": "REL", "<=": "REL",
}
MODULES = ("f64", "f32", "f16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bool")
"""Modules that every program has; `f64.sin` is a qualified name, while `x.sin` is a field."""

SUFFIXES = frozenset({"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "f32", "f64"})
_SYMBOL = r"[-+*/%=!><|&^]"
_SYMBOLS = r"[-+*/%=!><|&^.]"
_WORD = r"[A-Za-z_][A-Za-z0-9_']*"
_TOKEN = re.compile(rf"""
    (?P<skip> [ \t\r\n\f\v]+ | --(?![ ]\|)[^\n]* )
  | (?P<opname> (?:{_WORD}\.)+{_SYMBOL}{_SYMBOLS}* )
  | (?P<name> {_WORD}(?!\w) )
  | (?P<doc> --[ ]\|[^\n]*(?:\n[ \t]*--(?![ ]\||[ ]==)[^\n]*)* )
  | (?P<nat> (?<=[^.]\.)[0-9]+(?!\w) )
  | (?P<float> (?: 0[xX][0-9a-fA-F][0-9a-fA-F_]*(?:\.[0-9a-fA-F][0-9a-fA-F_]*)?[pP][-+]?[0-9][0-9_]*
                 | [0-9][0-9_]*(?:\.[0-9][0-9_]*(?:[eE][-+]?[0-9][0-9_]*)?|[eE][-+]?[0-9][0-9_]*) )
               (?P<fsuffix> f[0-9]+ )? (?!\w|\.(?!\.)) )
  | (?P<int> (?: 0[xX][0-9a-fA-F][0-9a-fA-F_]* | 0[bB][01][01_]* | [0-9][0-9_]* )
             (?P<isuffix> [iuf][0-9]+ )? (?!\w|\.(?!\.)) )
  | (?P<badnum> [0-9][0-9_]*\.[eE][-+]?[0-9]+ | (?:[0-9][0-9_]*\.[0-9]|[0-9])[\w']*(?:\.(?!\.))? )
  | (?P<punct> \.\.\.|\.\.<|\.\.>|\.\.|->|:>|\?\?\?|(?<=\{{)[<>]=?|=(?=[-!](?!{_SYMBOLS}))|[()\[\]{{}},:.@\\?~] )
  | (?P<op> {_SYMBOL}{_SYMBOLS}* )
  | (?P<docstring> \"""(?:(?!\""").)*(?:\"""|\Z) )
  | (?P<string> "[^"\\\n]*(?:\\[^\n][^"\\\n]*)*" )
  | (?P<char> '(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{{1,2}}|u\{{[0-9a-fA-F]+\}}|[0-9]+|[^\n]))' )
  | (?P<tyvar> '[~^]?{_WORD} )
  | (?P<attr> \#\[[^\]\n]*\] )
  | (?P<constr> \#{_WORD}(?!\w) )
  | (?P<backtick> `{_WORD}(?:\.{_WORD})*` )
  | (?P<openquote> "[^\n]* )
  | (?P<openchar> '\\?. )
  | (?P<hash> \#(?=[ \t!\#\n])[^\n]* )
  | (?P<badname> [^\W0-9][\w']* )
  | (?P<curly> [“”„][^\n“”„]*[“”]? | ‘[^\n‘’]{{1,10}}’ )
  | (?P<bad> (?P<one>.)(?P=one)* )
""", re.VERBOSE | re.DOTALL)

# Characters that no text may contain, wherever they stand: controls, bidirectional controls, zero-width spaces and
# marks, unpaired surrogates, a carriage return that ends no line, line separators, a byte order mark inside the text.
FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]"
                        "|\r(?!\n)")
_END_OF_LINE = re.compile(r"[ \t\r]*(?:--.*)?(?:\n|\Z)")
_PREFIXES = frozenset({"f", "r", "b", "u", "F", "R", "B", "rb", "fr"})
_ENDS_VALUE = frozenset({"NAME", "RPAR", "RSQB", "RBRACE", "NAT", "STRING"})
_BEGINS_TYPE = frozenset({"NAME", "LSQB", "INDEX", "LPAR", "LBRACE", "STAR", "QMARK", "TYVAR", "CONSTR"})
_CONSTRAINT = re.compile(r"\s*(?:num|float|int|integral|integer|real|number|numeric|eq|ord|fractional|floating)\b",
                         re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u\{([0-9a-fA-F]+)\}|([0-9]+)|([\s\S]))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}


def tokenize(source: Source | Piece, report: Reporter) -> list[Token]:
    """The tokens of a text, in order, without an end marker. Never raises; see the module's head for mistakes."""
    text = source.text
    if len(text) > MAX_CHARACTERS:
        too_long(source, report)
        return []
    if FORBIDDEN.search(text):
        text = _without_controls(source, report)
    tokens: list[Token] = []
    append = tokens.append
    keywords, punctuation = KEYWORDS, PUNCTUATION
    qualifiers: list[int] = []
    assumptions: list[int] = []
    mistakes = 0
    last_kind, last_end = "", -1
    for match in _TOKEN.finditer(text):
        group = match.lastgroup
        if group == "skip":
            continue
        start, end = match.span()
        word = match.group()
        if group == "name":
            kind = keywords.get(word, "NAME")
            if end - start > MAX_NAME:
                kind = _long_name(source, report, start, end)
            elif word == "_":
                kind = "UNDERSCORE"
            elif kind == "NAME" and last_kind == "COLON" and (word == "param" or word == "data"):
                qualifiers.append(len(tokens))
            elif word == "assume":
                assumptions.append(len(tokens))
        elif group == "punct":
            kind = punctuation[word]
            if word == "[":
                if last_end == start and last_kind in _ENDS_VALUE:
                    kind = "INDEX"
            elif word == ":" and last_kind == "TYVAR" and _CONSTRAINT.match(text, end):
                kind = "IS"
        elif group == "op":
            kind = punctuation.get(word, "OP")
        elif group == "float" or group == "int" or group == "nat":
            kind = group.upper()
            if group == "int" and match["isuffix"] and match["isuffix"][0] == "f":
                kind = "FLOAT"
            if end - start > MAX_LITERAL or (match["fsuffix"] or match["isuffix"] or "f64") not in SUFFIXES:
                word = _bad_literal(source, report, start, end, match["fsuffix"] or match["isuffix"] or "")
                mistakes += 1
        elif group in ("tyvar", "doc", "attr", "constr", "backtick"):
            kind = group.upper()
        elif group == "opname":
            kind = "OP"
        elif group == "string" or group == "char":
            kind = group.upper()
            if last_kind == "NAME" and last_end == start and word[0] == '"' and tokens[-1].text in _PREFIXES:
                mistakes += 1
                prefix = tokens.pop()
                report.error("E015", f"there are no {prefix.text}-strings", Span(source, prefix.start, end),
                             "a prefix before a string", help="a program computes with numbers: return the values")
            if "\\" in word:
                mistakes += _check_escapes(source, report, word, start)
        else:
            kind, word = _mistake(source, report, str(group), word, start, last_kind)
            mistakes += 1
            if word == ";" and (_open(tokens) or not _END_OF_LINE.match(text, end)):
                kind = "COMMA"
            if not kind:
                continue
        append(Token(kind, word, start, end))
        last_kind, last_end = kind, end
        if len(tokens) > MAX_TOKENS:
            report.error("E006", f"the file has more than {MAX_TOKENS:,} tokens", Span(source, start, end))
            return []
        if mistakes >= MAX_REPORTS:
            report.error("E001", "too many unreadable characters: the rest of the file was not looked at",
                         Span(source, start, end), "stopped here", help="is this a text file with a Dad program?")
            append(Token("BAD", "", end, end))
            break
    if qualifiers:
        mark_qualifiers(tokens, qualifiers)
    for at in assumptions:
        mark_assumption(tokens, at)
    return tokens


def too_long(source: Source | Piece, report: Reporter) -> None:
    report.error("E006", f"the file has {len(source.text):,} characters; {MAX_CHARACTERS:,} are the limit",
                 Span(source, 0, 0))


def mark_qualifiers(tokens: list[Token], candidates: list[int]) -> None:
    """`param` and `data` after a colon begin a type when one follows; inside brackets the colon belongs to a slice."""
    wanted = set(candidates)
    openers: list[str] = []
    for at, token in enumerate(tokens):
        kind = token.kind
        if kind in ("LPAR", "LSQB", "LBRACE", "INDEX"):
            openers.append(kind)
        elif kind in ("RPAR", "RSQB", "RBRACE"):
            if openers:
                openers.pop()
        elif kind in DECLARATION_WORDS:
            openers.clear()
        elif at in wanted and at + 1 < len(tokens) and tokens[at + 1].kind in _BEGINS_TYPE \
                and not (openers and openers[-1] in ("LSQB", "INDEX")):
            tokens[at] = token._replace(kind="QUALIFIER")


def mark_assumption(tokens: list[Token], at: int) -> None:
    """`assume` before a property of names and a reason, `continuous(x, y) "because"`, is no name."""
    kinds = [token.kind for token in tokens[at + 1:at + 3]]
    if kinds == ["NAME", "LPAR"]:
        end = at + 3
        while end < len(tokens) and tokens[end].kind in ("NAME", "COMMA", "DOT", "IN"):
            end += 1
        if end + 1 < len(tokens) and tokens[end].kind == "RPAR" and tokens[end + 1].kind == "STRING":
            tokens[at] = tokens[at]._replace(kind="ASSUME")


def _without_controls(source: Source | Piece, report: Reporter) -> str:
    """The text with forbidden characters reported and blanked; a byte order mark at the start is fine."""
    found = 0
    for match in FORBIDDEN.finditer(source.text):
        at = match.start()
        if at == 0 and match.group() == "\ufeff":
            continue
        found += 1
        if found > 20:
            break
        character = match.group()
        what = "unpaired surrogate" if "\ud800" <= character <= "\udfff" else "control character"
        report.error("E004", f"invisible {what} U+{ord(character):04X} in the text", Span(source, at, at + 1), "here",
                     help="delete it; in a string write it as an escape")
    return FORBIDDEN.sub(" ", source.text)


def _bad_literal(source: Source | Piece, report: Reporter, start: int, end: int, suffix: str) -> str:
    span = Span(source, start, end)
    if end - start > MAX_LITERAL:
        report.error("E008", f"this number has {end - start} characters; {MAX_LITERAL} are the limit",
                     Span(source, start, start + 40), "begins here")
        return "0"
    help = "the number types are i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64"
    report.error("E018", f"there is no number type `{suffix}`", span, "as written here", help=help)
    return source.text[start:end - len(suffix)]


def _long_name(source: Source | Piece, report: Reporter, start: int, end: int) -> str:
    report.error("E026", f"this name has {end - start:,} characters; {MAX_NAME} are the limit",
                 Span(source, start, start + 40), "begins here", help="choose a shorter one")
    return "BAD"


def _open(tokens: list[Token]) -> bool:
    """Whether a bracket of this declaration is open."""
    depth = 0
    for token in reversed(tokens):
        if token.kind in DECLARATION_WORDS:
            break
        depth += (token.kind in ("LPAR", "LSQB", "INDEX", "LBRACE")) - (token.kind in ("RPAR", "RSQB", "RBRACE"))
    return depth > 0


def _check_escapes(source: Source | Piece, report: Reporter, word: str, start: int) -> int:
    bad = 0
    for match in _ESCAPE.finditer(word, 1, len(word) - 1):
        code = match[2] or match[3] or "0"
        number = int(code, 16 if match[2] else 10) if len(code) < 10 else 0x110000
        if (match[4] and match[4] not in _ESCAPES) or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            bad += 1
            span = Span(source, start + match.start(), start + match.end())
            report.error("E009", f"unknown escape `{match.group()}`", span, "in this literal",
                         help="escapes are \\n \\t \\r \\0 \\\\ \\\" \\' \\xHH \\u{HHHH}; a backslash itself is \\\\")
    return bad


def unescape(word: str) -> str:
    """The value of a string or character literal as written, quotes included. Unknown escapes stand for themselves.

    >>> unescape('"a\\\\tb"') == "a" + chr(9) + "b"
    True
    """
    def value(match: re.Match[str]) -> str:
        if match[4]:
            return _ESCAPES.get(match[4], match[4])
        digits = match[1] or match[2] or match[3]
        number = int(digits, 10 if match[3] else 16) if len(digits) < 10 else 0x110000
        return chr(number) if number < 0x110000 and not 0xD800 <= number <= 0xDFFF else "?"

    body = word[1:-1]
    return _ESCAPE.sub(value, body) if "\\" in body else body


def _mistake(source: Source | Piece, report: Reporter, group: str, word: str, start: int, before: str
             ) -> tuple[str, str]:
    """Reports text that is no token, behind one of the kind `before`; returns the kind and text of a token to go on
    with, or no kind to skip it.
    """
    shown = Span(source, start, start + min(len(word), 60))
    if group == "badnum":
        if before in ("DEF", "ENTRY", "LET", "TYPE"):
            report.error("E003", f"`{word[:40]}` is not a name", shown, "begins like a number",
                         help="names do not begin with a digit")
            return "NAME", word
        point = word.find(".")
        if point >= 0 and not word[point + 1:point + 2].isdigit() and word[:point].isdigit():
            report.error("E003", f"a fraction needs a digit after its point: `{word[:40]}`", shown, "this number",
                         help=f"write `{word[:point + 1]}0{word[point + 1:40]}`")
            return "FLOAT", f"{word[:point + 1]}0{word[point + 1:]}"
        report.error("E003", f"`{word[:40]}` is not a number", shown, "begins like a number", help=_number_help(word))
        return "INT", "0"
    if group == "openquote":
        report.error("E002", "this string does not end", shown, "opened here",
                     help='close it with `"` on the same line')
        return "STRING", '""'
    if group == "openchar":
        report.error("E002", "this character literal does not end", shown, "opened here",
                     help="characters are like 'a'; type variables like 'a begin with a letter; strings use \"")
        return "BAD", word
    if group in ("hash", "docstring"):
        sign = "#" if group == "hash" else '"""'
        report.error("E016", f"comments begin with `--`, not with `{sign}`", shown, "read as a comment",
                     help=f"write `--` instead of `{sign}`" + ", before each line" * (group != "hash"))
        return "", ""
    if group == "badname":
        spelled = _spelled(word)
        power = spelled.rstrip("0123456789") if not word.isdecimal() and word[-1] in "²³" else ""
        help = "spell the letters out" + (f", `{spelled}`" if spelled else "") + \
            ": names consist of a-z, A-Z, digits, _ and '"
        if power:
            help = f"write `{power} ** {spelled[len(power):]}`"
        elif word[0] == "λ" and word != "λ":
            help = f"an anonymous function is written `\\{word[1:]} -> …`; names consist of a-z, A-Z, digits, _ and '"
        report.error("E005", f"the name `{word[:40]}` has letters outside ASCII", shown, "this name", help=help)
        return "NAME", word
    character = word[0]
    meant = {
        ";": "a line ends by itself; sequences of definitions are `let a = … let b = … in …`; commas separate fields",
        "$": "apply with parentheses, or with `<|`",
        "#": "constructors are like `#name`, comments begin with `--`",
        "`": "a function between its arguments is written with backticks on both sides",
        "“": 'strings use plain quotes: "', "”": 'strings use plain quotes: "', "„": 'strings use plain quotes: "',
        "‘": "use the plain quote '", "’": "use the plain quote '", "′": "use the plain quote '",
        "−": "use the plain minus sign -", "–": "use the plain minus sign -", "—": "comments begin with --",
        "×": "multiplication is *", "·": "multiplication is *", "÷": "division is /", "√": "write sqrt x",
        "≤": "write <=", "≥": "write >=", "≠": "write !=", "→": "write ->", "λ": "write \\x -> …", "…": "write ...",
        "∞": "write f64.inf", "∑": "write sum xs",
    }.get(character) or ("write a plain space" if character.isspace() else None)
    if meant is None and not character.isascii():
        import unicodedata

        spelled = unicodedata.normalize("NFKC", character)
        meant = f"write {spelled}" if spelled.isascii() else None
    report.error("E001", f"`{character}` (U+{ord(character):04X}) means nothing in Dad", shown, "this character",
                 help=meant)
    if group == "curly" and character != "‘":
        return "STRING", '""'
    return ("", word) if character.isspace() or word == ";" else ("BAD", word)


def _number_help(word: str) -> str:
    match = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)([A-Za-z_][\w']*)", word[:60])
    if match is None or word[:2] in ("0x", "0X", "0b", "0B", "0o", "0O"):
        return "numbers are like 12, 1_000, 0xff, 2.5, 1e-3, 1i32; names do not begin with a digit"
    number, rest = match.groups()
    kind = {"f": "f32", "F": "f32", "d": "f64", "D": "f64", "l": "i64", "L": "i64", "u": "u32", "U": "u32"}.get(rest)
    if kind is not None:
        return f"write `{number}{kind}`"
    return f"to multiply, write `{number} * {rest}`; names do not begin with a digit"


def _spelled(word: str) -> str:
    """A name in letters of ASCII: Greek letters by their names, others without their marks; empty where there is none.

    >>> _spelled("σ2"), _spelled("Δx"), _spelled("naïve")
    ('sigma2', 'Deltax', 'naive')
    """
    import unicodedata

    spelled = ""
    for letter in word[:40]:
        _, greek, name = unicodedata.name(letter, "").partition(" LETTER ")
        if greek and unicodedata.name(letter).startswith("GREEK"):
            name = name.split()[0].lower().replace("lamda", "lambda")
            spelled += name.capitalize() if letter.isupper() else name
        else:
            spelled += "".join(c for c in unicodedata.normalize("NFKD", letter) if c.isascii())
    return spelled if spelled.replace("'", "").isidentifier() else ""
