"""Reading an edited text again: the same as reading it for the first time, and only what was touched is read."""
from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from dad.lang.diagnostics.render import render_full, render_json
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.lang.surface import ast
from dad.lang.surface.parser import Chunk, parse, read
from dad.lang.surface.show import show_ast
from dad.lang.surface.walk import descendants

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """\
-- | About the file.

-- | A constant.
def a = 1.0

type state [n] = {pos: [n]f64, vel: [n]f64}
#[inline]
def step [n] (s: state [n]) : state [n] =
let v = map (* 2) s.vel
in s with vel = v
-- == entry: run
-- input { 1.0 }

module M = {
def inner = 1
  def other = inner
let third = 2
}
local def b = a
def twice = 1
def twice = 1
entry run (x: f64) : f64 = (x * a)[0
def bad = + $ 1 "open
"""
LINES = ["def a = 2", "", "let z = 3", "-- | Words.", "module N = {", "}", "def f (x: f64) =", "  x + ", "in y", "(",
         "x]", "#[inline]", 'import "m"', "local", "entry e (x: i64) = x / 2", "type t = f64", "open M", "def g =",
         "-- ==", "def \u202e = 1", "let x = 1 in x", "def twice = 1", "data"]


def told(source: Source, before: list[Chunk]) -> tuple[str, list[Chunk], ast.Program]:
    """Everything that a program and its messages say of the text, places included."""
    report = Reporter()
    program, chunks = read(source, report, before)
    places = "\n".join(f"{node.span.start}-{node.span.end} {node.span} {node.span.text!r}"
                       for node in descendants(program))
    return "\n".join([show_ast(program), places, render_full(report.diagnostics),
                      render_json(report.diagnostics)]), chunks, program


def edits(text: str, seed: int, count: int) -> Iterator[str]:
    """Versions of a text, each a small edit of the one before: lines and characters that come, go and move."""
    rng = random.Random(seed)
    original = text.splitlines()
    lines = list(original)
    for _ in range(count):
        at = rng.randrange(len(lines) + 1)
        match rng.randrange(7):
            case 0:
                lines.insert(at, rng.choice(LINES))
            case 1:
                lines.insert(at, rng.choice(original))
            case 2 if lines:
                del lines[at % len(lines)]
            case 3 if lines:
                line = lines[at % len(lines)]
                k = rng.randrange(len(line) + 1)
                lines[at % len(lines)] = line[:k] + rng.choice("ab1 (){}=-\"'") + line[k + rng.randrange(2):]
            case 4 if len(lines) > 4:
                begin, size = rng.randrange(len(lines)), rng.randrange(1, 5)
                moved = lines[begin:begin + size]
                del lines[begin:begin + size]
                lines[at:at] = moved
            case 5:
                lines = list(original)
            case _:
                lines.insert(0, rng.choice(["", "-- c", "def first = 0"]))
        yield "\n".join(lines) + rng.choice(["\n", ""])


@pytest.mark.parametrize("seed", range(6))
def test_edited_texts_are_read_as_new_ones(seed: int) -> None:
    chunks: list[Chunk] = []
    for text in edits(PROGRAM, seed, 60):
        kept, chunks, _ = told(Source("t.dad", text), chunks)
        new, _, _ = told(Source("t.dad", text), [])
        assert kept == new


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/**/*.dad")) + sorted(ROOT.glob("stdlib/*.dad")),
                         ids=lambda path: path.stem)
def test_edited_programs_are_read_as_new_ones(path: Path) -> None:
    chunks: list[Chunk] = []
    for text in edits(path.read_text(encoding="utf-8"), 1, 8):
        kept, chunks, _ = told(Source("t.dad", text), chunks)
        assert kept == told(Source("t.dad", text), [])[0]


def test_what_is_untouched_keeps_its_tree() -> None:
    lines = [f"-- | The {k}th.\ndef f{k} (x: f64) : f64 = x * {k}.0\n" for k in range(100)]
    _, chunks, first = told(Source("t.dad", "".join(lines)), [])
    lines[50] = "def edited = 0\n\n"
    lines.insert(10, "-- another comment\ndef inserted = 1\n")
    _, _, second = told(Source("t.dad", "".join(lines)), chunks)
    kept = set(first.declarations) & set(second.declarations)
    assert len(kept) == 99
    last = second.declarations[-1]
    assert last.span.line == len("".join(lines).splitlines())
    assert last.span.text == "def f99 (x: f64) : f64 = x * 99.0"


def test_declarations_that_say_the_same_are_kept_apart() -> None:
    text = "def x = 1\n" * 3
    _, chunks, first = told(Source("t.dad", text), [])
    assert len({id(d) for d in first.declarations}) == 3
    _, _, second = told(Source("t.dad", "def y = 2\n" + text), chunks)
    assert [d.span.line for d in second.declarations] == [1, 2, 3, 4]
    assert second.declarations[1:] == first.declarations


def test_a_module_with_lines_that_look_like_declarations_is_one_chunk() -> None:
    text = "module M = {\ndef a = 1\ndef b = 2\n}\ndef c = 3\n"
    _, chunks, _ = told(Source("t.dad", text), [])
    assert [len(chunk.parts) for chunk in chunks] == [3, 1]
    kept, chunks, _ = told(Source("t.dad", "-- one\n" + text.replace("b = 2", "b = 3")), chunks)
    assert kept == told(Source("t.dad", "-- one\n" + text.replace("b = 2", "b = 3")), [])[0]


def test_a_hundred_declarations_that_do_not_parse_are_enough() -> None:
    report = Reporter()
    parse(Source("t.dad", "def = 1\n" * 1000), report)
    assert len(report.diagnostics) == 101
    assert report.diagnostics[-1].code == "E025"
