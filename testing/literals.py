"""Futhark's notation for values, read: text to literals.

    3  2.5f32  -1i32  0xff  1e-3  f64.nan  true  [1, 2, 3]  [[1, 2], [3, 4]]  empty([0][2]f64)  (1, 2.0)  {x = 1}
    "abc"  #some 1  (#some 1)

Whatever is wrong is reported with code U301 and span; nothing else raises for what the text says. What type a number
without a suffix has is decided later (`values.convert`).
"""
from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..lang import types as ty
from ..lang.diagnostics.report import Reporter
from ..lang.source import Source, Span

MAX_NESTING = 64
MAX_NUMBER = 400
DTYPES = (*sorted(ty.FLOATS), *sorted(ty.INTEGERS), "bool")


@dataclass(frozen=True, slots=True)
class Number:
    value: int | float
    suffix: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Truth:
    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Many:
    """`[a, b]`"""

    items: tuple[Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Empty:
    """`empty([0][2]f64)`: an array without elements; one of its dimensions is 0."""

    shape: tuple[int, ...]
    dtype: str
    span: Span


@dataclass(frozen=True, slots=True)
class Group:
    """`(a, b)`"""

    items: tuple[Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Fields:
    """`{x = a, y = b}`, in the order of the text."""

    fields: tuple[tuple[str, Literal], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Variant:
    """`#name a b`"""

    name: str
    items: tuple[Literal, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Given:
    """An array that came from a data file as it is."""

    array: Any
    span: Span


Literal = Number | Truth | Many | Empty | Group | Fields | Variant | Given

# ---------------------------------------------------------------- text → literals

SUFFIX = r"[iu](?:8|16|32|64)|f(?:16|32|64)"
TOKEN = re.compile(rf"""
    (?P<space>(?:\s|--[^\n]*)+)
  | (?P<special>[+-]?f(?:16|32|64)\.(?:nan|inf)\b)
  | (?P<number>[+-]?(?:
        0[xX][0-9a-fA-F][0-9a-fA-F_]*(?:\.[0-9a-fA-F]+)?(?:[pP][+-]?[0-9]+)?
      | 0[bB][01][01_]*
      | [0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?
    )(?P<suffix>{SUFFIX})?(?![\w.]))
  | (?P<text>"(?:[^"\\\n]|\\.)*")
  | (?P<constructor>\#[A-Za-z_][\w']*)
  | (?P<word>[A-Za-z_][\w']*)
  | (?P<mark>[][(){{}},=:])
""", re.VERBOSE | re.ASCII)


class Unreadable(Exception):
    """Ends the reading of one text; what is wrong has been reported."""


class Reader:
    """Reads values from `text[at:]`. `text` is that of `source`, or one of the same length with parts blanked out."""

    def __init__(self, source: Source, report: Reporter, text: str | None = None, at: int = 0) -> None:
        self.source = source
        self.text = source.text if text is None else text
        self.report = report
        self.at = at

    # ------------------------------------------------------------ tokens

    def fail(self, message: str, start: int, end: int, label: str = "", help: str | None = None) -> Unreadable:
        self.report.error("U301", message, Span(self.source, start, max(end, start)), label, help=help)
        return Unreadable()

    def skip_space(self) -> None:
        match = TOKEN.match(self.text, self.at)
        if match and match.lastgroup == "space":
            self.at = match.end()

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        self.skip_space()
        return self.text[self.at:self.at + 1]

    def take(self, mark: str) -> bool:
        if self.peek() != mark:
            return False
        self.at += 1
        return True

    def expect(self, mark: str, inside: str) -> None:
        if not self.take(mark):
            found = self.text[self.at:self.at + 1]
            raise self.fail(f"expected `{mark}` in {inside}, found " + (f"`{found}`" if found else "the end"),
                            self.at, self.at + 1, f"`{mark}` is missing here")

    def word(self) -> str:
        """The name that stands here, or an empty string."""
        self.skip_space()
        match = TOKEN.match(self.text, self.at)
        if match is None or match.lastgroup != "word":
            return ""
        self.at = match.end()
        return match.group()

    # ------------------------------------------------------------ values

    def values(self, close: str = "") -> list[Literal]:
        """Values side by side up to the mark `close` (left unread) or the end."""
        found = []
        while (here := self.peek()) and here != close:
            found.append(self.value())
        return found

    def value(self, depth: int = 0) -> Literal:
        self.skip_space()
        start = self.at
        match = TOKEN.match(self.text, start)
        kind = match.lastgroup if match else None
        if match is None or kind is None:
            raise self.unreadable(start)
        if depth > MAX_NESTING:
            raise self.fail(f"values may be nested {MAX_NESTING} deep", start, match.end())
        self.at = match.end()
        match kind, match.group():
            case ("number" | "suffix"), _:
                return self.number(match)
            case "special", text:
                return Number(float(text.lstrip("+-")[4:]) * (-1 if text[0] == "-" else 1),
                              text.lstrip("+-")[:3], Span(self.source, start, self.at))
            case "word", ("true" | "false") as text:
                return Truth(text == "true", Span(self.source, start, self.at))
            case "word", "empty":
                return self.empty(start)
            case "text", text:
                return self.bytes(text, start)
            case "constructor", text:
                return self.variant(text[1:], start, depth)
            case "mark", "[":
                return Many(tuple(self.items("]", "an array", depth)), Span(self.source, start, self.at))
            case "mark", "(":
                items = tuple(self.items(")", "a tuple", depth))
                return items[0] if len(items) == 1 else Group(items, Span(self.source, start, self.at))
            case "mark", "{":
                return self.record(start, depth)
            case _, text:
                raise self.fail(f"`{text[:40]}` is not a value", start, self.at, "expected a value here", HELP)

    def unreadable(self, start: int) -> Unreadable:
        rest = re.compile(r"[^\s,\[\](){}]*").match(self.text, start)
        word = rest.group() if rest else ""
        if not self.text[start:start + 1]:
            return self.fail("the text ends where a value should stand", start, start, "expected a value here", HELP)
        if word[:1].isdigit() or word[:1] in tuple("+-."):
            return self.fail(f"`{word[:40]}` is not a number of Dad", start, start + len(word), help=NUMBERS)
        return self.fail(f"`{word[:40] or self.text[start]}` is not a value", start, start + max(len(word), 1),
                         "expected a value here", HELP)

    def number(self, match: re.Match[str]) -> Number:
        span = Span(self.source, match.start(), match.end())
        suffix: str | None = match.group("suffix")
        text = match.group().removesuffix(suffix or "").replace("_", "")
        if len(text) > MAX_NUMBER:
            raise self.fail(f"a number of {len(text)} characters", span.start, span.end,
                            help=f"numbers have at most {MAX_NUMBER} characters")
        digits = text.lstrip("+-").lower()
        value: int | float
        try:
            if digits.startswith("0x") and ("." in digits or "p" in digits):
                value = float.fromhex(text)
            elif digits.startswith(("0x", "0b")):
                value = int(text, 16 if digits[1] == "x" else 2)
            else:
                value = float(text) if any(c in digits for c in ".e") else int(text)
        except OverflowError:
            value = math.inf
        if isinstance(value, float) and math.isinf(value):
            raise self.fail("a number beyond the range of f64", span.start, span.end,
                            help="infinity is written f64.inf")
        if suffix in ty.INTEGERS and isinstance(value, float):
            raise self.fail(f"`{span.text}` is a fraction with the suffix of an integer", span.start, span.end,
                            help="write f64 or f32 behind it, or leave the fraction out")
        return Number(float(value) if suffix in ty.FLOATS else value, suffix, span)

    def bytes(self, text: str, start: int) -> Given:
        """A string is the array of its UTF-8 bytes."""
        from ..lang.surface.lexer import unescape

        content = unescape(text)
        return Given(np.frombuffer(content.encode("utf-8"), np.uint8), Span(self.source, start, self.at))

    def variant(self, name: str, start: int, depth: int) -> Variant:
        """`#name` takes all values that follow it; those that it does not hold are given back (`values.spread`)."""
        items: list[Literal] = []
        while self.peek() and self.text[self.at] not in ")]},=:":
            if self.text[self.at] == "#":  # inside, a constructor with values stands in parentheses
                at = self.at
                match = TOKEN.match(self.text, at)
                if match is None or match.lastgroup != "constructor":
                    raise self.unreadable(at)
                self.at = match.end()
                items.append(Variant(match.group()[1:], (), Span(self.source, at, self.at)))
                continue
            items.append(self.value(depth + 1))
        end = items[-1].span.end if items else start + 1 + len(name)
        return Variant(name, tuple(items), Span(self.source, start, end))

    def items(self, close: str, inside: str, depth: int) -> list[Literal]:
        found: list[Literal] = []
        while not self.take(close):
            if found:
                self.expect(",", inside)
            found.append(self.value(depth + 1))
        return found

    def record(self, start: int, depth: int) -> Fields:
        fields: list[tuple[str, Literal]] = []
        while not self.take("}"):
            if fields:
                self.expect(",", "a record")
            self.skip_space()
            at = self.at
            name = self.word()
            if not name:
                raise self.fail("expected the name of a field", at, at + 1, help="records are written {x = 1, y = 2.0}")
            if any(name == other for other, _ in fields):
                raise self.fail(f"field `{name}` twice in one record", at, self.at)
            self.expect("=", "a record")
            fields.append((name, self.value(depth + 1)))
        return Fields(tuple(fields), Span(self.source, start, self.at))

    def empty(self, start: int) -> Empty:
        self.expect("(", "`empty(…)`")
        shape, dtype = self.type()
        self.expect(")", "`empty(…)`")
        span = Span(self.source, start, self.at)
        if not shape:
            shape = (0,)  # the old notation: empty(i32)
        if 0 not in shape:
            raise self.fail("an empty array has a dimension of size 0", start, self.at, help="such as empty([0][2]f64)")
        return Empty(shape, dtype, span)

    def type(self) -> tuple[tuple[int, ...], str]:
        """`[3][2]f64` as its sizes and the name of its elements' type."""
        shape: list[int] = []
        while self.take("["):
            self.skip_space()
            at = self.at
            match = TOKEN.match(self.text, at)
            size = self.number(match) if match and match.group("number") else None
            whole = size is not None and isinstance(size.value, int) and size.suffix in (None, "i64")
            if size is None or not whole or not 0 <= size.value < 2**40:
                raise self.fail("expected the size of an axis, a whole number", at, match.end() if match else at + 1,
                                help="types of data are written [100][2]f64")
            assert match is not None
            self.at = match.end()
            self.expect("]", "a type")
            shape.append(int(size.value))
            if len(shape) > 32:
                raise self.fail("arrays have at most 32 axes", at, self.at)
        self.skip_space()
        at = self.at
        dtype = self.word()
        if dtype not in DTYPES:
            raise self.fail(f"`{dtype}` is not a type of data" if dtype else "expected a type", at,
                            max(self.at, at + 1), help="one of " + " ".join(DTYPES))
        return tuple(shape), dtype


HELP = "values are written 3, 2.5f32, true, [1, 2], [[1.0], [2.0]], empty([0]f64), (1, 2.0), {x = 1, y = 2.0}, #some 1"
NUMBERS = "numbers are written 3, -2, 1_000, 0xff, 2.5, 1e-3, f64.inf, with i64 i32 f64 f32 … behind them where wanted"


def parse_values(source: Source, report: Reporter) -> list[Literal] | None:
    """All values of a text, or None where one cannot be read (reported)."""
    try:
        return Reader(source, report).values()
    except Unreadable:
        return None


def parse_value(source: Source, report: Reporter) -> Literal | None:
    """The one value of a text, such as an argument of `dad run`."""
    found = parse_values(source, report)
    if found is None:
        return None
    if len(found) != 1:
        span = found[1].span if found else Span(source, 0, len(source.text))
        report.error("U301", f"{len(found)} values where one is expected", span,
                     help="quote each argument: '[1, 2]' is one value")
        return None
    return found[0]
