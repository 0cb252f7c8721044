"""Terms that repeat are read by their shape: the trees and the messages are those of the grammar's tables."""
from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.lang.surface import ast, parser, terms
from dad.lang.surface.lexer import tokenize
from dad.lang.surface.pieces import pieces
from dad.lang.surface.walk import descendants
from dad.lang.surface.words import words
from dad.tests.front.long_programs import broken, program
from dad.tests.programs import programs

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(ROOT.rglob("*.dad"))


def told(text: str) -> tuple[list[tuple[object, ...]], str]:
    """All that the syntax says, places included, and the messages."""
    report = Reporter()
    tree = parser.parse(Source("a.dad", text), report)
    rows: list[tuple[object, ...]] = [
        (type(node), node.span.start, node.span.end,
         *(value for name in node.FIELDS[1:] if isinstance(value := getattr(node, name), str | int | float)))
        for node in descendants(tree)]
    return rows, render_full(report.diagnostics)


def plainly(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple[object, ...]], str]:
    with monkeypatch.context() as only:
        only.setattr(parser, "SHORT", 1 << 60)
        return told(text)


def instances(text: str) -> list[ast.Node]:
    tree = parser.parse(Source("a.dad", text), Reporter())
    return [node for node in descendants(tree) if "instance" in node.__dict__]


@pytest.mark.parametrize("seed", range(12))
def test_same_trees(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = program(seed)
    assert instances(text)
    for version in (text, broken(text, seed), broken(text, -seed), program(seed, mistakes=1)):
        assert told(version) == plainly(version, monkeypatch)


def test_same_trees_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "SHORT", 60)
    for file in FILES:
        text = file.read_text("utf-8")
        if text.count("\n") < 120:
            assert told(text) == plainly(text, monkeypatch), file


def test_same_words() -> None:
    """What is found quickly are the tokens, but for qualifiers, which the parser marks afterwards."""
    found = 0
    spelled = ["entry f (x: ([2]f64, i64)) : f64 = x.0[x.1] + (x).0[0] + x.0 [0] + {a = x.0}.a[1].0 1.0[2] 3[4]\n"]
    generated = [programs.program(Random(seed), 20, False).text for seed in range(60)]
    for text in (*spelled, *generated, *(file.read_text("utf-8") for file in FILES)):
        cuts = pieces(text)
        for cut, after in pairwise(cuts):
            part = text[cut.word:after.begin]
            quick = words(part, 0)
            if quick is not None:
                report = Reporter()
                slow = [t._replace(kind="NAME") if t.kind == "QUALIFIER" else t
                        for t in tokenize(Source("", part), report)]
                assert (quick.tokens(0, len(quick.signs)), report.diagnostics) == (slow, [])
                found += 1
    assert found > 500


def test_what_is_below_a_term_is_made_when_it_is_asked_for() -> None:
    text = "def f (x: [3]f64) : f64 = " + " + ".join(f"sin (x[{k % 3}] * {k}.5)" for k in range(40))
    tree = parser.parse(Source("a.dad", text), Reporter())
    spine = tree.declarations[0]
    assert isinstance(spine, ast.Def)
    last = spine.body
    assert isinstance(last, ast.BinOp)
    term = last.right
    assert "instance" in term.__dict__
    assert "function" not in term.__dict__
    assert isinstance(term, ast.Apply)
    assert isinstance(term.function, ast.Name)
    assert term.function.span.text == "sin"
    with pytest.raises(AttributeError, match="has no width"):
        _ = term.width  # type: ignore[attr-defined]  # what no node has


def test_where_terms_bind_looser_they_are_not_cut() -> None:
    """`a // b * c` is one product, and `a * -b * c` too."""
    rows = ["x[0] // x[1] * x[2]", "x[0] * -x[1] * x[2]", "x[0] & x[1] * x[2]", "x[0] + x[1] ..< x[2] * x[0]"]
    for row in rows:
        text = f"def f (x: [3]i64) = [{', '.join([row] * 80)}]"
        joined = f"def f (x: [3]i64) = {' + '.join([row] * 80)}"
        for version in (text, joined):
            with pytest.MonkeyPatch.context() as patch:
                assert told(version) == plainly(version, patch)


def test_tables_of_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "MAX_SHAPES", 3)
    monkeypatch.setattr(terms, "_shapes", {})
    for seed in range(4):
        text = program(seed)
        assert told(text) == plainly(text, monkeypatch)
        assert len(terms._shapes) <= 3
