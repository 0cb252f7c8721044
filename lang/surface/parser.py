"""Text to syntax tree: the public face of `lang/surface`.

A file is cut into declarations before anything is parsed, and each is parsed on its own: a mistake in one is reported
and the others are still read, so that one run shows the mistakes of the whole file; and after an edit only what was
touched is read again (`read`). Nothing here raises on any text.

    parse(source, report) -> Program            a file
    parse_declaration(source, tokens, report)   one declaration, from its tokens
    parse_expression, parse_type                a bare expression or type
    parse_signature(text) -> Def                `name 'a [n] (x: [n]a) : a`, as in tables of intrinsics
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from ..diagnostics.report import Diagnostic, Diagnostics, Reporter
from ..record import replace
from ..source import Piece, Source, Span
from . import ast
from .build import Builder, actions
from .cutting import LEADING, Scan, cut, module_bodies
from .lexer import (
    FORBIDDEN,
    KEYWORDS,
    MAX_CHARACTERS,
    MAX_REPORTS,
    MAX_TOKENS,
    Token,
    mark_qualifiers,
    tokenize,
    too_long,
)
from .machine import Failure, load, measured
from .operators import TooDeep
from .pieces import Cut, pieces

if TYPE_CHECKING:
    from .edits import Terms
    from .terms import Text

SHORT = 600
"""Shorter declarations are read as they are."""
MAX_MODULES = 64
"""How deeply modules may stand in each other."""


class Chunk:
    """A part of a file that is read on its own: almost always one declaration with the comments before it.

    `read` makes them and takes those of the version before: one whose text is still there is moved, not read again.
    """

    __slots__ = ("declarations", "depth", "diagnostics", "doc", "failed", "key", "parts", "pieces", "scan",
                 "terms", "tokens", "words")

    def __init__(self, source: Source, begin: int, part: str, key: tuple[bool, str]) -> None:
        self.key = key
        self.parts = [part]
        self.pieces = [Piece(source, part, begin)]
        """The whole first; after it, parts that turned out not to begin with a declaration of the file."""
        self.scan = Scan()
        self.tokens = self.failed = 0
        self.declarations: tuple[ast.Decl, ...] = ()
        self.diagnostics: list[Diagnostic] = []
        self.doc: str | None = None
        """What is said about the file: only the first chunk may have it."""
        self.words: Text | None = None
        """Of a long definition: its words and the terms in it."""
        self.depth = 0
        self.terms: Terms | None = None
        """The terms, once one of them was edited."""

    def place(self, source: Source, begin: int) -> None:
        move = begin - self.pieces[0].offset
        for piece in self.pieces:
            piece.place(source, piece.offset + move)


def parse(source: Source, report: Reporter) -> ast.Program:
    """The declarations of a file that parse; what does not is reported. Never raises on any text.

    >>> [d.name for d in parse(Source("x.dad", "def f (x: f64) = x + 1"), Reporter()).declarations]
    ['f']
    """
    return read(source, report)[0]


def read(source: Source, report: Reporter, before: Sequence[Chunk] = ()) -> tuple[ast.Program, list[Chunk]]:
    """The same, and the chunks of the file; from those of an earlier version what is still there is taken over.

    The earlier version's program is not to be used afterwards: the spans of its trees say where they stand now.
    """
    text = source.text
    whole = Span(source, 0, len(text))
    if len(text) > MAX_CHARACTERS:
        too_long(source, report)
        return ast.Program(whole, (), None), []
    kept: dict[tuple[bool, str], list[Chunk]] = {}
    for chunk in reversed(before):
        kept.setdefault(chunk.key, []).append(chunk)
    cuts = pieces(text)
    if FORBIDDEN.search(text):  # it may stand in a comment: then these belong to what has to stay the same
        cuts = [cut._replace(end=after.begin) for cut, after in pairwise(cuts)] + cuts[-1:]
    builder = Builder(source, report)
    chunks: list[Chunk] = []
    declarations: list[ast.Decl] = []
    at = tokens = failed = 0
    while at < len(cuts) - 1:
        chunk = _kept(source, cuts, at, kept) or _edited(source, cuts, at, kept, before) \
            or _read(source, cuts, at, builder)
        at += len(chunk.parts)
        chunks.append(chunk)
        declarations += chunk.declarations
        report.diagnostics += chunk.diagnostics
        tokens += chunk.tokens
        failed += chunk.failed
        if tokens > MAX_TOKENS:
            report.error("E006", f"the file has more than {MAX_TOKENS:,} tokens", Span(chunk.pieces[0], 0, 1))
            return ast.Program(whole, (), None), chunks
        if failed >= MAX_REPORTS and at < len(cuts) - 1:
            begin = cuts[at][1]
            report.error("E025", "too many mistakes: the rest of the file was not looked at",
                         Span(source, begin, begin + 1), "stopped here", help="mend the first ones, and check again")
            break
    if report.diagnostics:
        _said_once(report)
    return ast.Program(whole, tuple(declarations), chunks[0].doc if chunks else None), chunks


def _said_once(report: Reporter) -> None:
    """A character or name that is none is told where it stands first."""
    found: dict[str, list[Diagnostic]] = {}
    for each in report.diagnostics:
        if each.code in ("E001", "E005"):
            found.setdefault(each.message, []).append(each)
    again = {id(each) for places in found.values() for each in places[1:]}
    if again:
        report.diagnostics[:] = [_again(each, len(found[each.message]) - 1) if each.message in found else each
                                 for each in report.diagnostics if id(each) not in again]


def _again(first: Diagnostic, more: int) -> Diagnostic:
    if not more:
        return first
    return replace(first, notes=(*first.notes, f"it stands in {more:,} more place{'s' * (more > 1)}"))


def _key(text: str, cut: Cut) -> tuple[bool, str]:
    """By this a chunk is found again; the first of a file may begin with a comment about the file."""
    part = text[cut.begin:cut.end].rstrip()
    return cut.begin == 0 and "-- |" in part, part


def _kept(source: Source, cuts: Sequence[Cut], at: int, kept: dict[tuple[bool, str], list[Chunk]]
          ) -> Chunk | None:
    """A chunk of the version before that says the same as the text at this cut; it is moved here."""
    text = source.text
    begin = cuts[at][0]
    known = kept.get(_key(text, cuts[at]), ())
    for k in range(len(known) - 1, -1, -1):
        chunk = known[k]
        count = len(chunk.parts)
        end = at + count
        if end < len(cuts) and (count == 1 or all(text[cuts[at + i][0]:cuts[at + i + 1][0]] == part
                                                  for i, part in enumerate(chunk.parts))) \
                and (end == len(cuts) - 1 or chunk.scan.may_end(_word(text, cuts[end][1]))):
            assert isinstance(known, list)
            del known[k]
            chunk.place(source, begin)
            return chunk
    return None


def _edited(source: Source, cuts: Sequence[Cut], at: int, kept: dict[tuple[bool, str], list[Chunk]],
            before: Sequence[Chunk]) -> Chunk | None:
    """A long definition of the version before, if only one of its terms is another one now (see `edits`)."""
    text = source.text
    begin, end = cuts[at][0], cuts[at + 1][0]
    if end - begin < SHORT:
        return None
    key = _key(text, cuts[at])
    for chunk in before:
        if chunk.words is not None and chunk.key[0] == key[0] and chunk in kept.get(chunk.key, ()) \
                and (at + 1 == len(cuts) - 1 or chunk.scan.may_end(_word(text, cuts[at + 1][1]))):
            from .edits import edited

            if edited(chunk, source, begin, text[begin:end]):
                kept[chunk.key].remove(chunk)
                chunk.key = key
                return chunk
    return None


def _read(source: Source, cuts: Sequence[Cut], at: int, builder: Builder) -> Chunk:
    """The chunk that begins at a cut: the text up to the next, and further while a body of a module is open."""
    text = source.text
    begin, end = cuts[at][0], cuts[at + 1][0]
    if end - begin >= SHORT and not source.shipped:
        quick = _quick(source, cuts, at, builder)
        if quick is not None:
            return quick
    chunk = Chunk(source, begin, text[begin:end], _key(text, cuts[at]))
    whole = chunk.pieces[0]
    report = Reporter()
    tokens = tokenize(whole, report)
    chunk.scan.run(text, begin, tokens)
    at += 1
    while at < len(cuts) - 1 and not chunk.scan.may_end(_word(text, cuts[at][1])):
        start, end = end, cuts[at + 1][0]
        chunk.parts.append(text[start:end])
        chunk.pieces.append(Piece(source, chunk.parts[-1], start))
        tokens += [Token(kind, word, first + start - begin, last + start - begin)
                   for kind, word, first, last in tokenize(chunk.pieces[-1], report)]
        chunk.scan.run(text, begin, tokens)
        at += 1
    whole.text = text[begin:end]
    chunk.tokens = len(tokens)
    chunk.diagnostics = report.diagnostics
    chunk.doc = _file_doc(whole.text, tokens) if begin == 0 else None
    builder.source, builder.report = whole, report
    builder.bodies.clear()
    before = len(report.diagnostics)
    chunk.declarations = _declarations(builder, tokens, has_file_doc=chunk.doc is not None)
    chunk.failed = len(report.diagnostics) - before
    return chunk


def _quick(source: Source, cuts: Sequence[Cut], at: int, builder: Builder) -> Chunk | None:
    """The same of a long definition without mistakes: terms of a shape that was read before are not read again.

    None where there is anything to report: it is read as others are then.
    """
    from . import terms

    text = source.text
    begin, word, _ = cuts[at]
    end = cuts[at + 1][0]
    if _word(text, word) not in ("DEF", "ENTRY"):
        return None
    chunk = Chunk(source, begin, text[begin:end], _key(text, cuts[at]))
    whole, report = chunk.pieces[0], Reporter()
    builder.source, builder.report = whole, report
    builder.bodies.clear()
    if not builder.actions:
        builder.actions = actions(load(), builder)
    found = terms.cut(whole.text, word - begin, builder)
    if found is None:
        return None
    tokens, chunk.words = found
    leading = tokenize(Piece(source, whole.text[:word - begin], begin), report) if word > begin else []
    tokens = leading + tokens
    qualified = [k for k in range(1, len(tokens)) if tokens[k].text in ("param", "data")
                 and tokens[k - 1].kind == "COLON"]
    if qualified:
        mark_qualifiers(tokens, qualified)
    chunk.scan.run(text, begin, tokens)
    if at + 1 < len(cuts) - 1 and not chunk.scan.may_end(_word(text, cuts[at + 1][1])):
        return None
    chunk.tokens = len(leading) + len(chunk.words.words.signs)
    chunk.doc = _file_doc(whole.text, tokens) if begin == 0 else None
    chunk.declarations = _declarations(builder, tokens, has_file_doc=chunk.doc is not None)
    chunk.depth = builder.depth
    return None if report.diagnostics or len(chunk.declarations) != 1 else chunk


def parse_declaration(source: Source, tokens: Sequence[Token], report: Reporter) -> ast.Decl | None:
    """One declaration from its tokens, leading documentation and attributes included; None when it does not parse."""
    return _declaration(Builder(source, report), list(tokens), False)


def parse_expression(source: Source, report: Reporter) -> ast.Exp | None:
    """The text as one expression, such as a line of a REPL; None (and diagnostics) when it is none."""
    return cast("ast.Exp | None", _bare(source, "exp", report))


def parse_type(source: Source, report: Reporter) -> ast.TypeExp | None:
    """The text as one type; None (and diagnostics) when it is none."""
    return cast("ast.TypeExp | None", _bare(source, "type", report))


def parse_signature(text: str, name: str = "<signature>") -> ast.Def:
    """A header without body, with or without its name, as a `Def` whose body is a hole; for the compiler's own tables.

    Raises `Diagnostics` when the text is no header: the tables are ours, so this is an internal mistake.

    >>> parse_signature("map 'a 'b [n] (f: a -> b) (xs: [n]a) : [n]b").name
    'map'
    """
    source, report = Source(name, text), Reporter()
    tokens = tokenize(source, report)
    kinds = [token.kind for token in tokens[:3]]
    named: Token | None = None
    if kinds[:1] == ["NAME"]:
        named, tokens = tokens[0], tokens[1:]
    elif len(kinds) == 3 and kinds[0] == "LPAR" and kinds[2] == "RPAR" and tokens[1].text[0] in "+-*/%=!><|&^":
        named, tokens = tokens[1], tokens[3:]
    made = cast("ast.Def | None", _run(Builder(source, report), "signature", tokens))
    if made is None or report.failed:
        raise Diagnostics(report.diagnostics)
    if named is None:
        return made
    return ast.replace(made, name=named.text, name_span=Span(source, named.start, named.end))


def _bare(source: Source, start: str, report: Reporter) -> object | None:
    tokens = [token for token in tokenize(source, report) if token.kind != "DOC"]
    return _run(Builder(source, report), start, tokens)


def _run(builder: Builder, start: str, tokens: list[Token]) -> object | None:
    """The machine over some tokens; its failures reported."""
    tables = load()
    source, report = builder.source, builder.report
    end = tokens[-1].end if tokens else len(source.text)
    ended = [*tokens, Token("$END", "", end, end)]
    if not builder.actions:
        builder.actions = actions(tables, builder)
    try:
        made = measured(tables, start, ended, builder.actions)
    except TooDeep as deep:
        _too_deep(report, deep.span)
        return None
    if not isinstance(made, Failure):
        builder.depth = made[1]
        return cast(object, made[0])
    if made.deep:
        _too_deep(report, Span(source, made.token.start, made.token.end))
    elif made.token.kind != "BAD" and not _reported(report, source, ended, made):
        from .syntax_errors import report_failure

        report_failure(report, source, tables, start, ended, made)
    return None


def _reported(report: Reporter, source: Source | Piece, tokens: Sequence[Token], failure: Failure) -> bool:
    """Whether what fits nowhere, or what stands before it, is part of a mistake that was told."""
    place = Span(source, tokens[max(failure.at - 1, 0)].start, failure.token.end)
    return any(d.span is not None and d.span.start < place.end and d.span.end > place.start and d.code != "E016"
               for d in report.diagnostics)


def _too_deep(report: Reporter, span: Span) -> None:
    at = Span(span.within, span.first, min(span.last, span.first + 60))
    report.error("E007", "this is nested more than 256 levels deep", at, "the part that is too deep begins here",
                 help="name inner parts with `let`")


# ---------------------------------------------------------------- cutting a file into declarations


def _declarations(builder: Builder, tokens: list[Token], *, has_file_doc: bool = False, depth: int = 0
                  ) -> tuple[ast.Decl, ...]:
    """The declarations of a file, or (`depth` > 0) of the body of a module; `ast.Unread` for those with mistakes."""
    if depth > MAX_MODULES:
        _too_deep(builder.report, Span(builder.source, tokens[0].start, tokens[-1].end))
        return ()
    starts = cut(builder.source, tokens, depth > 0)
    declarations: list[ast.Decl] = []
    if starts[:1] != [0] and tokens:
        from .syntax_errors import report_stray  # messages are loaded when there is something to say

        stray = tokens[:starts[0] if starts else len(tokens)]
        declarations += [ast.Unread(Span(builder.source, token.start, token.end), token.text)
                         for token in stray if token.kind == "NAME"][:2]
        report_stray(builder.report, builder.source, stray)
    failed = 0
    for start, end in pairwise([*starts, len(tokens)]):
        declaration = _declaration(builder, tokens[start:end], start == 0 and has_file_doc, depth)
        if declaration is not None:
            declarations.append(declaration)
        else:
            failed += 1
            declarations += _unread(builder.source, tokens[start:end])
            if failed >= MAX_REPORTS:
                break
    return tuple(declarations)


def _unread(source: Source | Piece, tokens: Sequence[Token]) -> list[ast.Decl]:
    """What a declaration that does not parse would have declared, as far as its first words say."""
    words = [token for token in tokens if token.kind not in LEADING and token.kind != "LOCAL"][:4]
    kinds = [token.kind for token in words]
    if kinds[:1] in (["OPEN"], ["IMPORT"]):
        return [ast.Unread(Span(source, words[0].start, tokens[-1].end), "")]
    if kinds[:1] in (["DEF"], ["ENTRY"], ["LET"], ["TYPE"], ["MODULE"]):
        for at, kind in enumerate(kinds[1:3], 1):
            if kind == "NAME" or (kind in ("OP", "REL", "MINUS", "STAR") and kinds[at - 1] == "LPAR"):
                return [ast.Unread(Span(source, words[0].start, tokens[-1].end), words[at].text)]
    return []


def _word(text: str, at: int) -> str:
    """The kind of the word that begins here."""
    end = at
    while text[end:end + 1].isalpha():
        end += 1
    return KEYWORDS.get(text[at:end], "")


def _file_doc(text: str, tokens: Sequence[Token]) -> str | None:
    """A first documentation comment is about the file when another follows, or an empty line."""
    if not tokens or tokens[0].kind != "DOC":
        return None
    after = tokens[1] if len(tokens) > 1 else None
    if after is None or after.kind == "DOC" or text[tokens[0].end:after.start].replace("\r", "").count("\n") > 1:
        return _doc_text(tokens[0].text)
    return None


def _doc_text(text: str) -> str:
    """`-- | first` and the `--` lines after it, without their dashes."""
    lines = text.replace("\r", "").split("\n")
    cleaned = [lines[0][4:], *(line.lstrip()[2:] for line in lines[1:])]
    return "\n".join(line[1:] if line[:1] == " " else line for line in cleaned).rstrip()


def _declaration(builder: Builder, tokens: list[Token], has_file_doc: bool, depth: int = 0) -> ast.Decl | None:
    at = 0
    while at < len(tokens) and tokens[at].kind in LEADING:
        at += 1
    leading = tokens[1:at] if has_file_doc else tokens[:at]
    if at == len(tokens):
        return None
    first = tokens[at].kind
    if first == "LOCAL" and at + 1 < len(tokens):
        inner = _declaration(builder, [*leading, *tokens[at + 1:]], False, depth)
        return None if inner is None else ast.Local(Span(builder.source, tokens[at].start, inner.span.last), inner)
    docs = [_doc_text(token.text) for token in leading if token.kind == "DOC"]
    doc = docs[-1] if docs else None
    attributes = tuple(builder.attribute(token) for token in leading if token.kind == "ATTR")
    if first in ("MODULE", "OPEN"):
        rest = _without_bodies(builder, tokens[at:], depth)
        if rest is None:
            return None
    else:
        rest = tokens[at:]
    made = cast("ast.Decl | None", _run(builder, "declaration", [token for token in rest if token.kind != "DOC"]))
    if isinstance(made, ast.Def) and (doc is not None or attributes):
        return ast.replace(made, doc=doc, attributes=attributes)
    if isinstance(made, (ast.TypeDef, ast.ModuleDef, ast.ModuleTypeDef)) and doc is not None:
        return ast.replace(made, doc=doc)
    return made


def _without_bodies(builder: Builder, tokens: list[Token], depth: int) -> list[Token] | None:
    """The tokens of a module's declaration with a single token for each body, whose declarations are parsed here.

    A mistake in one of them is reported and the others are kept. None when brackets do not match.
    """
    made: list[Token] = []
    done = 0
    for start, end in module_bodies(tokens):
        made += tokens[done:start]
        opening, closing = tokens[start], tokens[end - 1]
        closed = closing.kind == "RBRACE" and end - 1 > start
        inner = tokens[start + 1:end - closed]
        builder.bodies[opening.start] = _declarations(builder, inner, depth=depth + 1) if inner else ()
        made.append(Token("BODY", "{ … }", opening.start, closing.end) if closed else opening)
        done = end
    made += tokens[done:]
    from .syntax_errors import report_brackets

    return made if report_brackets(builder.report, builder.source, made) else None
