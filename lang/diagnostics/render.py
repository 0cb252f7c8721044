"""Diagnostics as text: for people (full, concise), for programs (JSON, SARIF) and for GitHub's log.

In: diagnostics in the order to show them. Out: one string. Source text, file names and messages may come from
anybody, so everything that reaches a terminal goes through `clean`: no character of them can move the cursor, change
colours or reorder the line.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..record import dataclass
from ..source import Source, Span
from .codes import CODES
from .report import Diagnostic, Label

TAB = 4
WIDTH = 110
"""Columns of source shown; longer lines show a window around what is marked."""

_COLORS = {"error": "1;31", "warning": "1;33", "note": "1;36", "gutter": "1;34", "second": "1;34", "help": "1;32",
           "strong": "1"}


def render_full(diagnostics: Iterable[Diagnostic], color: bool = False) -> str:
    """Frames with source lines, one per diagnostic, separated by empty lines.

    >>> source = Source("a.dad", "def f = x")
    >>> print(render_full([Diagnostic("E101", "no `x`", (Label(Span(source, 8, 9), "here", True),))]))
    error[E101]: no `x`
      --> a.dad:1:9
       |
     1 | def f = x
       |         ^ here
    """
    return "\n\n".join(_Frame(d, color).text() for d in diagnostics)


def render_concise(diagnostics: Iterable[Diagnostic]) -> str:
    """One line each: `file:line:column: severity[CODE] message`; without a place, `severity[CODE] message`."""
    lines = []
    for d in diagnostics:
        where = f"{clean(str(d.span))}: " if d.span is not None else ""
        lines.append(f"{where}{d.severity}[{d.code}] {clean(d.message)}")
    return "\n".join(lines)


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """One JSON object, ASCII, with a stable shape:

        {"version": 1,
         "summary": {"errors": 1, "warnings": 0},
         "diagnostics": [
           {"code": "E301", "severity": "error" | "warning" | "note", "title": "…", "message": "…",
            "labels": [{"file": "m.dad", "start": {"line": 3, "column": 5, "offset": 40}, "end": {…}, "text": "…",
                        "primary": true}],
            "notes": ["…"], "help": "…" | null}]}

    Lines and columns count from 1, in characters; `offset` from 0; ends are exclusive. Fields may be added, never
    removed.
    """
    import json

    found = list(diagnostics)
    return json.dumps({
        "version": 1,
        "summary": {kind + "s": sum(d.severity == kind for d in found) for kind in ("error", "warning")},
        "diagnostics": [{
            "code": d.code, "severity": d.severity, "title": _title(d.code), "message": d.message,
            "labels": [{"file": label.span.source.name, "start": _place(label.span.source, label.span.start),
                        "end": _place(label.span.source, label.span.end), "text": label.text, "primary": label.primary}
                       for label in d.labels],
            "notes": list(d.notes), "help": d.help,
        } for d in found],
    }, indent=2)


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands (`::error file=…,line=…::message`), which GitHub shows beside the changed lines."""
    lines = []
    for d in diagnostics:
        kind = "notice" if d.severity == "note" else d.severity
        properties = [f"title={_property(d.code + ': ' + _title(d.code))}" if _title(d.code) else f"title={d.code}"]
        if d.span is not None:
            first = _place(d.span.source, d.span.start)
            last = _place(d.span.source, d.span.end)
            properties = [f"file={_property(d.span.source.name)}", f"line={first['line']}", f"endLine={last['line']}",
                          f"col={first['column']}", f"endColumn={last['column']}", *properties]
        lines.append(f"::{kind} {','.join(properties)}::{_data(_prose(d))}")
    return "\n".join(lines)


def render_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """A SARIF 2.1.0 log with one run; rules are the codes that occur, with their explanations."""
    import json

    found = list(diagnostics)
    used = sorted({d.code for d in found})
    rules: list[dict[str, Any]] = []
    for each in used:
        entry = CODES.get(each)
        rule: dict[str, Any] = {"id": each}
        if entry is not None:
            rule |= {"shortDescription": {"text": entry.title}, "fullDescription": {"text": entry.explanation}}
            if entry.fix:
                rule["help"] = {"text": entry.fix}
        rules.append(rule)
    results: list[dict[str, Any]] = []
    for d in found:
        result: dict[str, Any] = {"ruleId": d.code, "ruleIndex": used.index(d.code), "level": d.severity,
                                  "message": {"text": _prose(d, labels=False)}}
        if d.span is not None:
            result["locations"] = [_location(d.span)]
        related = [label for label in d.labels if label.span is not d.span]
        if related:
            result["relatedLocations"] = [{**_location(label.span), "message": {"text": label.text}}
                                          for label in related]
        results.append(result)
    return json.dumps({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "dad", "rules": rules}}, "columnKind": "unicodeCodePoints",
                  "results": results}],
    }, indent=2)


# ---------------------------------------------------------------- parts of the machine-readable forms


def _title(code: str) -> str:
    entry = CODES.get(code)
    return entry.title if entry is not None else ""


def _place(source: Source, offset: int) -> dict[str, int]:
    line, column = source.position(offset)
    return {"line": line, "column": column, "offset": offset}


def _location(span: Span) -> dict[str, Any]:
    from urllib.parse import quote

    first, last = span.source.position(span.start), span.source.position(span.end)
    uri = quote(span.source.name.encode("utf-8", "replace"), safe="/-._~")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {
        "startLine": first[0], "startColumn": first[1], "endLine": last[0], "endColumn": last[1]}}}


def _prose(d: Diagnostic, labels: bool = True) -> str:
    parts = [d.message]
    if labels:
        parts += [f"{clean(str(label.span))}: {label.text}" for label in d.labels if label.text]
    parts += [f"note: {note}" for note in d.notes]
    if d.help:
        parts.append(f"help: {d.help}")
    return "\n".join(parts)


def _data(text: str) -> str:
    text = "".join(character if character == "\n" else clean(character) for character in text)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# ---------------------------------------------------------------- text for terminals


def clean(text: str) -> str:
    """The text with everything escaped that a terminal could obey or hide: controls, bidirectional marks, surrogates.

    >>> clean("a" + chr(27) + "[2J")
    'a\\\\u{1B}[2J'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    """`isprintable` is false for all control, format, surrogate, private and unassigned characters and odd spaces."""
    return character if character.isprintable() else f"\\u{{{ord(character):X}}}"


def _columns(character: str) -> int:
    """Terminal columns of one printable character: two for wide ones, none for those that combine."""
    if character < "\u0300":
        return 1
    import unicodedata

    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True, slots=True)
class _Mark:
    """Columns `start` to `end` of one line on the screen."""

    start: int
    end: int
    primary: bool
    text: str


def _laid_out(line: str) -> tuple[list[str], list[int]]:
    """The line as cells (what is shown for each character) and the column where each begins, with one past the end."""
    if line.isascii() and line.isprintable():
        return list(line), list(range(len(line) + 1))
    cells: list[str] = []
    starts = [0]
    for character in line:
        at = starts[-1]
        cell = " " * (TAB - at % TAB) if character == "\t" else _shown(character)
        cells.append(cell)
        starts.append(at + (len(cell) if len(cell) != 1 else _columns(cell)))
    return cells, starts


class _Frame:
    """One diagnostic as text."""

    def __init__(self, diagnostic: Diagnostic, color: bool) -> None:
        self.diagnostic = diagnostic
        self.color = color
        spans = [label.span for label in diagnostic.labels]
        lines = [span.source.position(max(span.start, span.end - 1))[0] for span in spans]
        self.gutter = max(2, len(str(max(lines, default=1))))

    def paint(self, text: str, what: str) -> str:
        return f"\x1b[{_COLORS[what]}m{text}\x1b[0m" if self.color and text else text

    def text(self) -> str:
        d = self.diagnostic
        out = [self.paint(f"{d.severity}[{d.code}]", d.severity) + self.paint(f": {clean_lines(d.message)}", "strong")]
        sources: list[Source] = []
        for label in sorted(d.labels, key=lambda each: not each.primary):
            if not any(label.span.source is source for source in sources):
                sources.append(label.span.source)
        for number, source in enumerate(sources):
            labels = [label for label in d.labels if label.span.source is source]
            out += self._of_source(source, labels, "-->" if number == 0 else ":::")
        bar = self._bar("")
        if (d.notes or d.help) and sources:
            out.append(bar)
        margin = " " * (self.gutter + 1)
        for note in d.notes:
            out += self._remark(margin, "note", note)
        if d.help:
            out += self._remark(margin, "help", d.help)
        return "\n".join(line.rstrip() for line in out)

    def _remark(self, margin: str, what: str, text: str) -> list[str]:
        first, *rest = clean_lines(text).split("\n")
        indent = margin + " " * (len(what) + 4)
        lead = f"{margin}{self.paint('=', 'gutter')} {self.paint(what, what)}: {first}"
        return [lead, *(indent + line for line in rest)]

    def _bar(self, number: str) -> str:
        return self.paint(f"{number:>{self.gutter}} |", "gutter")

    def _of_source(self, source: Source, labels: Sequence[Label], arrow: str) -> list[str]:
        lead = next((label for label in labels if label.primary), labels[0])
        out = [" " * self.gutter + f"{self.paint(arrow, 'gutter')} {clean(str(lead.span))}", self._bar("")]
        marks: dict[int, list[tuple[int, int, Label, bool]]] = {}
        for label in labels:
            first, start, last, end = _extent(source, label.span)
            if first == last:
                marks.setdefault(first, []).append((start, end, label, True))
            else:  # both ends of a span of several lines are marked; its text stands at the end
                text = source.line(last)
                marks.setdefault(first, []).append((start, max(start + 1, len(source.line(first))), label, False))
                marks.setdefault(last, []).append((len(text) - len(text.lstrip()), end, label, True))
        previous = 0
        for number in sorted(marks):
            if previous and number == previous + 2:
                out += self._line(source, number - 1, [])
            elif previous and number > previous + 1:
                out.append(self.paint("." * 3, "gutter"))
            out += self._line(source, number, marks[number])
            previous = number
        return out

    def _line(self, source: Source, number: int, marks: list[tuple[int, int, Label, bool]]) -> list[str]:
        line = source.line(number)
        if len(line) > 4 * WIDTH:  # only what could be shown is laid out: a line may have millions of characters
            begin = max(0, min((mark[0] for mark in marks), default=0) - WIDTH)
            end = begin + 4 * WIDTH
            line = ("…" if begin else "") + line[begin:end] + ("…" if end < len(line) else "")
            moved = begin - (begin > 0)
            marks = [(min(a, end) - moved, min(b, end) - moved, label, here) for a, b, label, here in marks]
        cells, starts = _laid_out(line)
        placed = []
        for start, end, label, here in marks:
            first = starts[min(start, len(cells))]
            last = max(starts[min(end, len(cells))], first + 1)
            said = clean_lines(label.text).replace("\n", " ") if here else ""
            placed.append(_Mark(first, last, label.primary, said))
        text = "".join(cells)
        if starts[-1] > WIDTH:
            text, placed = _window(cells, starts, placed)
        out = [f"{self._bar(str(number))} {text}"]
        return out + [f"{self._bar('')} {row}" for row in self._rows(placed)]

    def _rows(self, marks: list[_Mark]) -> list[str]:
        """The row of carets, and rows below it for texts that find no room beside them."""
        if not marks:
            return []
        ordered = sorted(marks, key=lambda mark: (mark.start, mark.end))
        width = max(mark.end for mark in ordered)
        row: list[tuple[str, str]] = [(" ", "")] * width
        for mark in sorted(ordered, key=lambda mark: mark.primary):
            row[mark.start:mark.end] = [self._caret(mark)] * (mark.end - mark.start)
        line = self._joined(row)
        beside = ordered[-1] if all(mark.end <= ordered[-1].start for mark in ordered[:-1]) else None
        if beside is not None and beside.text:
            line += " " + self.paint(beside.text, self._style(beside))
        below = [mark for mark in ordered if mark is not beside and mark.text]
        rows = [line]
        while below:
            mark = below.pop()
            hanging = sorted({each.start: each for each in below if each.start < mark.start}.values(),
                             key=lambda each: each.start)
            if len(rows) == 1:
                rows.append(self._hang([*hanging, mark], "|"))
            rows.append(self._hang(hanging, "|", mark))
        return rows

    def _hang(self, bars: Sequence[_Mark], bar: str, last: _Mark | None = None) -> str:
        row, at = "", 0
        for mark in bars:
            row += " " * (mark.start - at) + self.paint(bar, self._style(mark))
            at = mark.start + 1
        if last is not None:
            row += " " * (last.start - at) + self.paint(last.text, self._style(last))
        return row

    def _style(self, mark: _Mark) -> str:
        return self.diagnostic.severity if mark.primary else "second"

    def _caret(self, mark: _Mark) -> tuple[str, str]:
        return ("^" if mark.primary else "-"), self._style(mark)

    def _joined(self, row: Sequence[tuple[str, str]]) -> str:
        out, at = "", 0
        while at < len(row):
            end = at
            while end < len(row) and row[end][1] == row[at][1]:
                end += 1
            piece = "".join(cell for cell, _ in row[at:end])
            out += self.paint(piece, row[at][1]) if row[at][1] else piece
            at = end
        return out


def _extent(source: Source, span: Span) -> tuple[int, int, int, int]:
    """First line, its first column, last line, the column past its last; columns from 0. Empty spans are one wide."""
    first, start = source.position(span.start)
    if span.end <= span.start:
        return first, start - 1, first, start
    last, end = source.position(span.end - 1)
    if last != first and source.text[span.end - 1] == "\n":
        end -= 1
    return first, start - 1, last, end


def _window(cells: list[str], starts: list[int], marks: list[_Mark]) -> tuple[str, list[_Mark]]:
    """A piece of a long line around its first mark; marks outside are moved to its edge."""
    begin = max(0, min((mark.start for mark in marks), default=0) - WIDTH // 3)
    first = next((at for at in range(len(cells)) if starts[at] >= begin), len(cells))
    last = next((at for at in range(first, len(cells)) if starts[at + 1] - starts[first] > WIDTH), len(cells))
    left = "…" if first else ""
    text = left + "".join(cells[first:last]) + ("…" if last < len(cells) else "")
    offset, limit = starts[first] - len(left), starts[last] + 1
    return text, [_Mark(min(mark.start, limit - 1) - offset, min(max(mark.end, mark.start + 1), limit) - offset,
                        mark.primary, mark.text) for mark in marks]


def clean_lines(text: str) -> str:
    """`clean`, but line ends stay."""
    return "\n".join(clean(line) for line in text.split("\n")) if "\n" in text else clean(text)
