"""Futhark's test blocks, read: the comments of a program that say what its entries give for what.

    -- Any words.
    -- ==
    -- tags { slow }
    -- entry: main other
    -- input { 1.0 [2.0, 3.0] } output { 5.0 }
    -- "by name" nobench input @ data/big.txt  output @ data/big.out
    -- random input { [100]f64 i64 } auto output
    -- script input { (make 10i64, $loaddata "data/big.in") }
    -- input { -1.0 } error: negative

A block is a comment at the beginning of lines that holds a line with `==` alone. `error: regex` in place of cases
expects that the program does not compile; `property: names` in place of them names entries that must give true for
whatever they are given; a block that says nothing expects that the program
compiles. Structures and tags are read and left alone, save `compiled` (the case is not given to the interpreter) and
`disable` and `notest` (file or case are not tested). Mistakes are reported: U401, in values U301.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from ..lang.diagnostics.report import Reporter
from ..lang.source import Source, Span
from .literals import Literal, Unreadable
from .script import Script, ScriptReader


@dataclass(frozen=True, slots=True)
class Values:
    """Values that stand in the block itself."""

    values: tuple[Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DataFile:
    """`@ path`, relative to the program's folder."""

    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class RandomType:
    """`[100]f64` of random input."""

    shape: tuple[int, ...]
    dtype: str
    span: Span


@dataclass(frozen=True, slots=True)
class RandomInput:
    """A value of each type, always the same ones; values among the types are taken as they are."""

    items: tuple[RandomType | Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ScriptInput:
    """Values that an expression over the program's entries makes; the expression may stand in a file."""

    script: Script | DataFile
    span: Span


@dataclass(frozen=True, slots=True)
class Auto:
    """`auto output`: the back ends must agree."""

    span: Span


@dataclass(frozen=True, slots=True)
class Failure:
    """`error: regex`, whatever the case of its letters; an empty one fits every message."""

    regex: re.Pattern[str]
    span: Span


@dataclass(frozen=True, slots=True)
class Case:
    """One `input` with what is expected of it, if anything, for each of `entries`."""

    name: str
    entries: tuple[tuple[str, Span], ...]
    tags: frozenset[str]
    input: Values | DataFile | RandomInput | ScriptInput
    output: Values | DataFile | Auto | Failure | None
    span: Span


@dataclass(frozen=True, slots=True)
class Block:
    """`error` is what compiling must say, where it must fail; `warnings` what it must say besides.

    `properties` are entries that must give true.
    """

    error: Failure | None
    warnings: tuple[Failure, ...]
    properties: tuple[tuple[str, Span], ...]
    cases: tuple[Case, ...]
    tags: frozenset[str]
    span: Span


HEAD = re.compile(r"--[ \t]*==[ \t]*\r?$")
KEYWORDS = ("tags", "entry", "input", "output", "error", "warning", "structure", "random", "script", "auto", "property")
TYPE = re.compile(r"(?!true|false|empty)[A-Za-z]\w*(?!\w|\.)")  # f64, but not f64.nan
LINE = re.compile(r"[^\n]*\n|[^\n]+")
WORDS = re.compile(r"[^\s{}]+")
HELP = ("a block holds `entry: name`, then cases `input { values } output { values }`; instead of the output may stand "
        "`auto output` or `error: regex`")


def parse_blocks(source: Source, report: Reporter) -> list[Block]:
    """The blocks of a file in order; those with mistakes are reported and left out."""
    blocks = []
    for start, end in regions(source.text):
        body = re.sub(r"^--", "  ", source.text[start:end], flags=re.MULTILINE)
        reader = BlockReader(source, report, " " * start + body, start)
        try:
            blocks.append(reader.block())
        except Unreadable:
            continue
    return blocks


def regions(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the text after each line `-- ==`, up to the end of its comment."""
    at, begun = 0, -1
    for line in LINE.findall(text):
        comment = line.startswith("--")
        head = comment and HEAD.match(line.rstrip("\n")) is not None
        if begun >= 0 and (head or not comment):
            yield begun, at
            begun = -1
        if head:
            begun = at + len(line)
        at += len(line)
    if begun >= 0:
        yield begun, at


class BlockReader(ScriptReader):
    """Reads one block; the values and scripts in it are read by the classes below."""

    def wrong(self, message: str, start: int, end: int, label: str = "", help: str | None = HELP) -> Unreadable:
        self.report.error("U401", message, Span(self.source, start, max(end, start)), label, help=help)
        return Unreadable()

    def block(self) -> Block:
        start = self.at
        entries: tuple[tuple[str, Span], ...] = ()
        error: Failure | None = None
        warnings: list[Failure] = []
        properties: tuple[tuple[str, Span], ...] = ()
        cases: list[Case] = []
        tags: frozenset[str] = frozenset()
        while self.peek():
            at = self.at
            word = self.word()
            if word == "tags":
                first = self.at
                self.braces("tags")
                tags |= frozenset(WORDS.findall(self.text[first:self.at]))
            elif word == "structure":
                self.skip_space()
                if (kind := WORDS.match(self.text, self.at)) is not None:
                    self.at = kind.end()
                self.braces("structure")
            elif word == "property":
                properties += self.names(at, "property")
            elif word == "entry":
                entries = self.names(at)
            elif word == "error":
                error = self.failure(at)
            elif word == "warning":
                warnings.append(self.failure(at))
            else:
                self.at = at
                default = (("main", Span(self.source, start, start)),)
                cases.append(self.case(len(cases) + 1, entries or default))
        if error is not None and cases:
            case = cases[0].span
            raise self.wrong("cases in a block that expects a compile-time error", case.start, case.end,
                             help="write `error:` behind the input for an error at run time")
        return Block(error, tuple(warnings), properties, tuple(cases), tags, Span(self.source, start, self.at))

    # ------------------------------------------------------------ parts

    def colon(self, word: str) -> None:
        if not self.take(":"):
            raise self.wrong(f"expected `:` behind `{word}`", self.at, self.at + 1)

    def line(self) -> tuple[int, int]:
        """The rest of the line, without blanks around it."""
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        text = self.text[self.at:end]
        first = self.at + len(text) - len(text.lstrip())
        self.at = end
        return first, max(first, first + len(text.strip()))

    def names(self, at: int, word: str = "entry") -> tuple[tuple[str, Span], ...]:
        self.colon(word)
        start, end = self.line()
        found = tuple((m.group(), Span(self.source, m.start(), m.end())) for m in WORDS.finditer(self.text, start, end))
        if not found:
            raise self.wrong(f"`{word}:` names no entry", at, end)
        return found

    def failure(self, at: int) -> Failure:
        self.colon("error")
        start, end = self.line()
        try:
            return Failure(re.compile(self.text[start:end], re.IGNORECASE | re.DOTALL), Span(self.source, at, end))
        except (re.error, OverflowError, RecursionError) as error:
            raise self.wrong(f"not a regular expression: {error}", start, end,
                             help="put a backslash before characters that should stand for themselves") from None

    def braces(self, what: str) -> None:
        start = self.at
        if not self.take("{"):
            raise self.wrong(f"expected `{{` behind `{what}`", start, start + 1)
        end = self.text.find("}", self.at)
        if end < 0:
            raise self.wrong(f"`{what} {{` without `}}`", start, start + 1)
        self.at = end + 1

    def quoted(self) -> str | None:
        if self.peek() != '"':
            return None
        start, end = self.at, self.text.find('"', self.at + 1)
        if end < 0 or "\n" in self.text[start:end]:
            raise self.wrong("a name without its closing quote", start, start + 1)
        self.at = end + 1
        return self.text[start + 1:end]

    def case(self, number: int, entries: tuple[tuple[str, Span], ...]) -> Case:
        start = self.at
        name = self.quoted()
        tags = set[str]()
        self.skip_space()
        at = self.at
        while (word := self.word()) != "input":
            if not word or word in ("output", "auto"):
                found = word or self.text[self.at:self.at + 1]
                what = f"found `{found}`" if found else "the block ends"
                near = [(tag, known[0]) for tag in sorted(tags) if (known := get_close_matches(tag, KEYWORDS, n=1))]
                help = f"for `{near[0][0]}`, did you mean `{near[0][1]}`?" if near else HELP
                raise self.wrong(f"expected `input`, {what}", at, max(self.at, at + 1), help=help)
            tags.add(word)
            self.skip_space()
            at = self.at
        span = Span(self.source, start, self.at)
        name = name or self.quoted()
        given: Values | DataFile | RandomInput | ScriptInput
        if "script" in tags:
            given = self.script()
        else:
            given = self.random() if "random" in tags else self.data("input")
        return Case(name or f"case {number}", entries, frozenset(tags), given, self.expected(), span)

    def data(self, word: str) -> Values | DataFile:
        self.skip_space()
        start = self.at
        if self.take("@"):
            self.skip_space()
            match = WORDS.match(self.text, self.at)
            if match is None:
                raise self.wrong("expected the name of a file behind `@`", start, self.at)
            self.at = match.end()
            return DataFile(match.group(), Span(self.source, match.start(), match.end()))
        if not self.take("{"):
            raise self.wrong(f"expected `{{ values }}` or `@ file` behind `{word}`", start, start + 1)
        found = self.values("}")
        if not self.take("}"):
            raise self.wrong(f"`{word} {{` without `}}`", start, start + 1, "opened here")
        return Values(tuple(found), Span(self.source, start, self.at))

    def script(self) -> ScriptInput:
        self.skip_space()
        start = self.at
        if self.text.startswith("@", self.at):
            file = self.data("input")
            assert isinstance(file, DataFile)
            return ScriptInput(file, file.span)
        if not self.take("{"):
            raise self.wrong("expected `{ expression }` or `@ file` behind `script input`", start, start + 1)
        found = self.script_expression()
        if not self.take("}"):
            raise self.wrong("expected `}` behind the expression of a script", self.at, self.at + 1)
        return ScriptInput(found, Span(self.source, start, self.at))

    def random(self) -> RandomInput:
        self.skip_space()
        start = self.at
        if not self.take("{"):
            raise self.wrong("expected `{ types }` behind `random input`", start, start + 1)
        items: list[RandomType | Literal] = []
        while not self.take("}"):
            here = self.peek()
            if not here:
                raise self.wrong("`input {` without `}`", start, start + 1, "opened here")
            at = self.at
            if here == "[" or TYPE.match(self.text, at):
                shape, dtype = self.type()
                items.append(RandomType(shape, dtype, Span(self.source, at, self.at)))
            else:
                items.append(self.value())
        return RandomInput(tuple(items), Span(self.source, start, self.at))

    def expected(self) -> Values | DataFile | Auto | Failure | None:
        self.skip_space()
        at = self.at
        word = self.word()
        if word == "output":
            return self.data("output")
        if word == "error":
            return self.failure(at)
        if word == "auto":
            self.skip_space()
            if self.word() != "output":
                raise self.wrong("expected `auto output`", at, self.at)
            return Auto(Span(self.source, at, self.at))
        self.at = at
        return None
