"""Diagnostics as text: frames for people, forms for programs, and nothing in them that a terminal obeys."""
from __future__ import annotations

import json
import re

import pytest
from dad.lang.diagnostics.render import render_concise, render_full, render_github, render_json, render_sarif
from dad.lang.diagnostics.report import Diagnostic, Diagnostics, Label
from dad.lang.source import Source, Span

SOURCE = Source("m.dad", "def f (x: f64) =\n\tlet y = x + zs in\n  y * 漢字\ndef g = (1\n  + 2)\n")


def span(text: str, source: Source = SOURCE) -> Span:
    at = source.text.index(text)
    return Span(source, at, at + len(text))


def labelled(*labels: Label, message: str = "message", notes: tuple[str, ...] = (), help: str | None = None
             ) -> Diagnostic:
    return Diagnostic("E010", message, labels, notes, help)


@pytest.mark.parametrize(("diagnostic", "text"), [
    (labelled(Label(span("zs"), "not there", True), Label(span("x: f64"), "x"), notes=("first\nsecond",),
              help="do"), """\
error[E010]: message
  --> m.dad:2:14
   |
 1 | def f (x: f64) =
   |        ------ x
 2 |     let y = x + zs in
   |                 ^^ not there
   |
   = note: first
           second
   = help: do"""),
    (labelled(Label(span("y", SOURCE), "one", True), Label(span("x + zs"), "two"), Label(span("zs"), "three")), """\
error[E010]: message
  --> m.dad:2:6
   |
 2 |     let y = x + zs in
   |         ^   ------
   |         |   |   |
   |         |   |   three
   |         |   two
   |         one"""),
    (labelled(Label(span("漢字"), "wide", True)), """\
error[E010]: message
  --> m.dad:3:7
   |
 3 |   y * 漢字
   |       ^^^^ wide"""),
    (labelled(Label(span("(1\n  + 2)"), "all of it", True)), """\
error[E010]: message
  --> m.dad:4:9
   |
 4 | def g = (1
   |         ^^
 5 |   + 2)
   |   ^^^^ all of it"""),
    (labelled(Label(Span(SOURCE, len(SOURCE.text), len(SOURCE.text)), "the end", True)), """\
error[E010]: message
  --> m.dad:6:1
   |
 6 |
   | ^ the end"""),
    (labelled(message="no place", notes=("a note",)), "error[E010]: no place\n   = note: a note"),
])
def test_frames(diagnostic: Diagnostic, text: str) -> None:
    assert render_full([diagnostic]) == text


def test_two_sources_and_gaps() -> None:
    other = Source("o.dad", "\n".join(f"line {i}" for i in range(1, 121)))
    told = render_full([labelled(Label(span("zs"), "a", True), Label(span("line 2", other), "b"),
                                 Label(span("line 4", other), "c"), Label(span("line 110", other), "d"))])
    assert told == """\
error[E010]: message
   --> m.dad:2:14
    |
  2 |     let y = x + zs in
    |                 ^^ a
   ::: o.dad:2:1
    |
  2 | line 2
    | ------ b
  3 | line 3
  4 | line 4
    | ------ c
...
110 | line 110
    | -------- d"""


def test_long_lines_are_windows() -> None:
    source = Source("long.dad", "x" * 100_000 + " bad " + "y" * 100_000)
    told = render_full([labelled(Label(span("bad", source), "here", True))])
    shown = told.split("\n")[3]
    assert len(shown) < 130
    assert shown.count("…") == 2
    caret = told.split("\n")[4].index("^")
    assert shown[caret:caret + 3] == "bad"


HOSTILE = "\x1b[2J\x07\r\u202e\u2066\ud800\u200b\x9b31m"


def test_nothing_drives_the_terminal() -> None:
    source = Source(f"a{HOSTILE}\nb.dad", f"def {HOSTILE} = 1")
    diagnostic = Diagnostic("E010", HOSTILE, (Label(Span(source, 4, 6), HOSTILE, True),), (HOSTILE,), HOSTILE)
    for told in (render_full([diagnostic]), render_concise([diagnostic]), render_github([diagnostic]),
                 render_json([diagnostic]), render_sarif([diagnostic])):
        assert [c for c in told if not c.isprintable() and c != "\n"] == []
    assert len(render_concise([diagnostic]).split("\n")) == 1
    assert len(render_github([diagnostic]).split("\n")) == 1


def test_colour_is_only_paint() -> None:
    diagnostic = labelled(Label(span("x + zs"), "one", True), Label(span("zs"), "two"), help="do", notes=("n",))
    painted = render_full([diagnostic], color=True)
    assert "\x1b[" in painted
    bare = re.sub(r"\x1b\[[0-9;]*m", "", painted)
    assert [line.rstrip() for line in bare.split("\n")] == render_full([diagnostic]).split("\n")


def test_concise() -> None:
    assert render_concise([labelled(Label(span("zs"), "", True)), labelled(message="b")]) == (
        "m.dad:2:14: error[E010] message\nerror[E010] b")


def test_json() -> None:
    told = json.loads(render_json([labelled(Label(span("zs"), "a", True), notes=("n",)),
                                   Diagnostic("E011", "w", severity="warning")]))
    assert told["version"] == 1
    assert told["summary"] == {"errors": 1, "warnings": 1}
    assert told["diagnostics"][0] == {
        "code": "E010", "severity": "error", "title": "syntax error", "message": "message",
        "labels": [{"file": "m.dad", "start": {"line": 2, "column": 14, "offset": 30},
                    "end": {"line": 2, "column": 16, "offset": 32}, "text": "a", "primary": True}],
        "notes": ["n"], "help": None}


def test_github() -> None:
    told = render_github([labelled(Label(span("zs"), "50%", True), message="a\nb", help="c, d: e")])
    assert told == ("::error file=m.dad,line=2,endLine=2,col=14,endColumn=16,title=E010%3A syntax error"
                    "::a%0Ab%0Am.dad:2:14: 50%25%0Ahelp: c, d: e")


def test_sarif() -> None:
    told = json.loads(render_sarif([labelled(Label(span("zs"), "a", True), Label(span("x + zs"), "b"))]))
    assert told["version"] == "2.1.0"
    run = told["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["E010"]
    result = run["results"][0]
    region = {"startLine": 2, "startColumn": 14, "endLine": 2, "endColumn": 16}
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "m.dad"}, "region": region}}]
    assert (result["ruleId"], result["level"]) == ("E010", "error")
    assert result["relatedLocations"][0]["message"] == {"text": "b"}


def test_the_exception_reads_as_its_frames() -> None:
    diagnostic = labelled(Label(span("zs"), "a", True))
    assert str(Diagnostics([diagnostic])) == render_full([diagnostic])
