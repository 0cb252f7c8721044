"""Scripts: expressions over a program's entries that make the input of a test, after Futhark's FutharkScript.

    make 10i64 [1.0, 2.0]
    (make 10, $loaddata "data/big.in")
    let (xs, ys) = pair 3 in {a = xs, b = twice ys}

An expression is a value in the notation of test blocks, a name, an application of an entry, a tuple, an array, a
record, `let … in …`, `$loaddata "file"` (one value, or a tuple of several) or `$loadbytes "file"` (its bytes), which
may be written `io.loadvalue "file" : type` and `io.loadbytes "file"`. What cannot be read is reported as U401.
"""
from __future__ import annotations

from dataclasses import dataclass

from ..lang.source import Span
from .literals import Literal, Reader, Unreadable

MAX_NESTING = 64
BUILTINS = ("loaddata", "loadbytes", "loadvalue")


@dataclass(frozen=True, slots=True)
class Constant:
    value: Literal
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """An entry applied to arguments; without any, a name bound by `let` or an entry without parameters."""

    name: str
    arguments: tuple[Script, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class LoadFile:
    """`$loaddata`, `$loadbytes`"""

    kind: str
    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Collected:
    """`(a, b)`, `[a, b]`, or `{x = a, y = b}`: then `names` are the fields."""

    items: tuple[Script, ...]
    names: tuple[str, ...] | None
    array: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Let:
    """`let (a, b) = value in body`; one name alone stands without parentheses."""

    names: tuple[str, ...]
    single: bool
    value: Script
    body: Script
    span: Span


Script = Constant | Call | LoadFile | Collected | Let


class ScriptReader(Reader):
    """Reads scripts; the values in them are read by `Reader`."""

    def astray(self, message: str, start: int, end: int) -> Unreadable:
        self.report.error("U401", message, Span(self.source, start, max(end, start)), help="a script holds values, "
                          "entries applied to them as in `make 10`, tuples, `let x = … in …`, `$loaddata \"file\"`")
        return Unreadable()

    def script_expression(self, depth: int = 0) -> Script:
        """An expression, up to what cannot belong to it."""
        start = self.skipped()
        if depth > MAX_NESTING:
            raise self.astray(f"scripts may be nested {MAX_NESTING} deep", start, start + 1)
        if self.text[start:start + 3] == "let" and not self.text[start + 3:start + 4].isalnum():
            return self.script_let(start, depth)
        first = self.script_atom(depth)
        if not isinstance(first, Call):
            return first
        arguments: list[Script] = []
        while (here := self.peek()) and here not in ")]},=":
            if self.ahead("in"):
                break
            arguments.append(self.script_atom(depth + 1))
        return Call(first.name, tuple(arguments), Span(self.source, start, self.at))

    def skipped(self) -> int:
        self.skip_space()
        return self.at

    def ahead(self, word: str) -> bool:
        """Whether this word stands here; it is not taken."""
        at = self.at
        found = self.word() == word
        self.at = at
        return found

    def script_let(self, start: int, depth: int) -> Let:
        self.word()
        single = not self.take("(")
        names = [self.script_name()]
        while not single and not self.take(")"):
            self.expect(",", "a pattern")
            names.append(self.script_name())
        self.expect("=", "`let`")
        value = self.script_expression(depth + 1)
        if self.word() != "in":
            raise self.astray("expected `in` behind the value of a `let`", self.at, self.at + 1)
        body = self.script_expression(depth + 1)
        return Let(tuple(names), single, value, body, Span(self.source, start, self.at))

    def script_name(self) -> str:
        start = self.skipped()
        name = self.word()
        if not name:
            raise self.astray("expected a name", start, start + 1)
        return name

    def script_atom(self, depth: int) -> Script:
        start = self.skipped()
        here = self.peek()
        if depth > MAX_NESTING:
            raise self.astray(f"scripts may be nested {MAX_NESTING} deep", start, start + 1)
        if here in ("(", "["):
            self.at += 1
            close = ")" if here == "(" else "]"
            items = self.script_items(close, depth)
            span = Span(self.source, start, self.at)
            return items[0] if len(items) == 1 and here == "(" else Collected(tuple(items), None, here == "[", span)
        if here == "{":
            return self.script_record(start, depth)
        if here == "$" or self.text.startswith("io.", self.at):
            return self.script_load(start)
        word = self.word()
        if word and word not in ("true", "false", "empty") and not (
                word in ("f16", "f32", "f64") and self.text.startswith(".", self.at)):
            return Call(word, (), Span(self.source, start, self.at))
        self.at = start
        value = self.value()
        return Constant(value, Span(self.source, start, self.at))

    def script_items(self, close: str, depth: int) -> list[Script]:
        items: list[Script] = []
        while not self.take(close):
            if items:
                self.expect(",", "a script")
            items.append(self.script_expression(depth + 1))
        return items

    def script_record(self, start: int, depth: int) -> Collected:
        self.at += 1
        names: list[str] = []
        items: list[Script] = []
        while not self.take("}"):
            if names:
                self.expect(",", "a record")
            names.append(self.script_name())
            self.expect("=", "a record")
            items.append(self.script_expression(depth + 1))
        return Collected(tuple(items), tuple(names), False, Span(self.source, start, self.at))

    def script_load(self, start: int) -> LoadFile:
        self.at += 1 if self.text[start] == "$" else 3
        kind = self.word()
        shown = self.text[start:self.at]
        if kind not in BUILTINS:
            raise self.astray(f"scripts have no function `{shown}`", start, self.at)
        self.skip_space()
        first = self.at
        end = self.text.find('"', first + 1)
        if self.text[first:first + 1] != '"' or end < 0 or "\n" in self.text[first:end]:
            raise self.astray(f"expected the name of a file in quotes behind `{shown}`", start, self.at)
        self.at = end + 1
        if kind == "loadvalue" and self.take(":"):  # the type is that of the parameter anyway
            self.type()
        return LoadFile(kind, self.text[first + 1:end], Span(self.source, start, self.at))
