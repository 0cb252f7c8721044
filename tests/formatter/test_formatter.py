"""`dad fmt`: the style (layout.md), and what holds for every program: it says the same, comments included, and once
formatted it stays as it is."""
from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest
from dad import driver
from dad.formatter.concrete import Tree, read
from dad.formatter.declarations import Layout
from dad.formatter.document import HARD, LINE, Align, Cat, Choice, Comment, Fill, Group, Nest, joined, render
from dad.formatter.formatted import formatted
from dad.formatter.rules import WIDTH
from dad.formatter.safety import comments, same_tree
from dad.formatter.trivia import Trivia
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.lang.surface import ast
from dad.lang.surface.machine import load
from dad.lang.surface.parser import parse

from .sentences import declaration, respaced

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROGRAMS = sorted(path for path in ROOT.rglob("*.dad")
                  if not any(part[0] == "." or part in ("build", "dist") for part in path.relative_to(ROOT).parts))
_BLOCKS = re.compile(r"```dad\n(.*?)```\n(?:\n```dad formatted\n(.*?)```\n)?", re.DOTALL)
COLLECTED = {"", "one", "push", "push_after", "first", "empty", "nothing", "chain_one", "chain_more", "climb",
             "module_body", "local_size", "second_alone"}
"""Rules that the reader of the concrete tree takes in itself: they make lists, or pass on what they hold."""


def parses(text: str) -> bool:
    report = Reporter()
    parse(Source("t.dad", text), report)
    return not report.failed


def check(text: str) -> str:
    """Formats a text that parses; asserts everything that must hold of any."""
    driver.deepen()
    source = Source("t.dad", text)
    made = formatted(source).text
    assert made is not None, text
    again = Source("t.dad", made)
    assert same_tree(parse(source, Reporter()), parse(again, Reporter()))
    assert comments(source) == comments(again)
    assert formatted(again).text == made, text
    assert "\n\n\n" not in made
    assert not made.startswith("\n")
    assert not any(line != line.rstrip() for line in made.splitlines())
    return made


def test_the_style() -> None:
    path = HERE / "layout.md"
    text = path.read_text(encoding="utf-8")
    shown = _BLOCKS.sub(lambda m: f"```dad\n{m[1]}```\n\n```dad formatted\n{check(m[1])}```\n", text)
    if os.environ.get("DAD_UPDATE"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_are_formatted(path: Path) -> None:
    """Every program of the tree is written in the style that `dad fmt` writes."""
    text = path.read_text(encoding="utf-8")
    if parses(text):
        assert check(text) == text, f"run `dad fmt {path.relative_to(ROOT)}`"


@pytest.mark.parametrize("seed", range(12))
def test_programs_with_other_spaces_and_comments(seed: int) -> None:
    rng = random.Random(seed)
    for path in rng.sample(PROGRAMS, 6):
        text = respaced(rng, path.read_text(encoding="utf-8"), rng.choice([0, 0.03, 0.2]), rng.choice([0, 0.02, 0.1]))
        if parses(text):
            check(text)


@pytest.mark.parametrize("seed", range(10))
def test_random_sentences(seed: int) -> None:
    rng = random.Random(seed)
    done = 0
    while done < 12:
        text = declaration(rng)
        text = respaced(rng, text, rng.choice([0, 0.1]), rng.choice([0, 0.1]))
        if parses(text):
            check(text)
            done += 1


def test_every_rule_has_a_layout() -> None:
    rules = {name for name, _, _ in load().rules} - COLLECTED
    single = {name for name, length, _ in load().rules if length == 1 and name not in COLLECTED}
    without = {name for name in rules if not hasattr(Layout, "rule_" + name) and name != "apply"} - single
    assert without == set()
    assert hasattr(Layout, "rule_chain")
    assert hasattr(Layout, "rule_apply")


def test_every_node_and_layout_is_tested() -> None:
    """The programs and sentences of these tests have every kind of node that a program can have."""
    found: set[str] = set()
    layouts: set[str] = set()
    rng = random.Random(1)
    texts = [path.read_text(encoding="utf-8") for path in PROGRAMS] + [declaration(rng) for _ in range(800)]
    texts += ["def x = M.N.(map (.[0, 1]) [(2+), (+2), (.a), (-)])", "type t 'a = {a: f64{0..1}, b: f64{>0}}",
              "def x = let f [n] 'a (x: [n]a) = ??? in f", "def x = let (+) = 1 in 1 + 1",
              'def f (g: f64 -> f64 @ C1(x.y) @ lip) (h: (f64 -> f64 @ approx(1.5))) = g 1',
              'def f (x: f64) = assume C1(x, y in x, z) "so" in x @ smooth',
              "module type S = { module M : T #[inline] val x : i64 }"]
    for text in texts:
        if parses(text):
            source = Source("t.dad", text)
            pending: list[object] = [*parse(source, Reporter()).declarations]
            while pending:
                node = pending.pop()
                if isinstance(node, tuple):
                    pending += node
                elif isinstance(node, ast.Node):
                    found.update(each.__name__ for each in type(node).__mro__)
                    pending += [getattr(node, field) for field in node.FIELDS]
            trees: list[object] = [each.tree for each in read(source)[0]]
            while trees:
                tree = trees.pop()
                if isinstance(tree, Tree):
                    layouts.add(tree.name)
                    trees += tree.items
                elif isinstance(tree, list):
                    trees += tree
    every = {name for name, each in vars(ast).items() if isinstance(each, type) and issubclass(each, ast.Node)}
    assert sorted(every - found) == ["Program", "Unread"]
    methods = {name.removeprefix("rule_") for name in dir(Layout) if name.startswith("rule_")}
    assert methods - layouts <= {"signature", "indices"}


def test_a_program_with_mistakes_is_left_alone() -> None:
    made = formatted(Source("t.dad", "def f = (1\ndef g = 2"))
    assert made.text is None
    assert [d.code[0] for d in made.diagnostics] == ["E"]


@pytest.mark.parametrize(("text", "expected"), [
    ("", ""), ("\n\n", ""), ("-- only a comment", "-- only a comment\n"),
    ("\n\n-- | A\n\n\n-- b\n", "-- | A\n\n-- b\n"),
    ("def x = 1\r\n\r\n-- c\r\n", "def x = 1\n\n-- c\n"), ("\ufeffdef x=1", "def x = 1\n"),
    ("def f = - -x", "def f = - -x\n"), ("def f = a[ 1 : -2 ]", "def f = a[1:-2]\n"),
    ("def f = 1 .x", "def f = 1 .x\n"),
    ("def x = (((1)))", "def x = (((1)))\n"), ("def x = 0X1F + 1_000i32 + 1E5", "def x = 0X1F + 1_000i32 + 1E5\n"),
])
def test_small_texts(text: str, expected: str) -> None:
    assert check(text) == expected


def test_deep_and_long_programs() -> None:
    driver.deepen()
    check("def x = " + "(" * 120 + "1" + ")" * 120)
    check("def x = " + " + ".join(["1"] * 5000))
    check("def x = [" + ", ".join(map(str, range(5000))) + "]")
    check("def f x =\n" + "\n".join(f"  let x{i} = {i}" for i in range(2000)) + "\n  in x")
    check("def f x = " + " else ".join(f"if x == {i} then {i}" for i in range(60)) + " else 0")


def test_it_is_quick() -> None:
    """A thousand lines in well under a second; the limit is for a slow, busy machine."""
    text = "".join((ROOT / "tests/models" / f"{name}.dad").read_text(encoding="utf-8") + "\n\n"
                   for name in ("learning", "likelihoods", "splines", "sorting", "integers", "grids", "scans"))
    text += "\n\n".join([text] * 2)
    assert text.count("\n") > 1000
    formatted(Source("t.dad", "def x = 1"))
    start = time.process_time()
    assert formatted(Source("t.dad", text.replace("let ", "let  "))).text is not None
    assert time.process_time() - start < 4


def test_time_is_linear() -> None:
    """Calls within calls, all too long for a line: every decision looks no further than the width."""
    def seconds(depth: int) -> float:
        text = "def x = " + "some_function (another_name, " * depth + "1" + ")" * depth
        start = time.process_time()
        assert formatted(Source("t.dad", text)).text is not None
        return time.process_time() - start

    driver.deepen()
    seconds(8)
    assert seconds(80) < 40 * max(seconds(8), 0.002)


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize(("width", "expected"), [(20, "f(one, two, three)\n"), (12, "f(one,\n  two,\n  three)\n")])
def test_a_group_breaks_where_it_does_not_fit(width: int, expected: str) -> None:
    assert render(Group(Cat("f(", Align(joined(["one,", "two,", "three"], LINE)), ")")), width) == expected


def test_a_fill_packs_lines() -> None:
    assert render(Nest(2, Fill(("aaa", "bbb", "ccc", "ddd"))), 8) == "aaa bbb\n  ccc\n  ddd\n"


def test_a_choice_takes_what_fits() -> None:
    choice = Choice("a long line", Cat("short", HARD, "lines"), Cat("s", HARD, "l"))
    assert [render(choice, width) for width in (11, 5, 3)] == ["a long line\n", "short\nlines\n", "s\nl\n"]


def test_a_comment_swallows_nothing() -> None:
    assert render(Cat("a", Comment("-- c", 1), " ", "b", Comment("-- d", 1), HARD, "e"), 80) == "a b -- c\n-- d\ne\n"


def test_the_width() -> None:
    source = Source("t.dad", "def f = aaaa " + "x " * 200)
    text = render(Layout(Trivia(source, read(source)[1])).file(read(source)[0]), WIDTH)
    assert max(map(len, text.splitlines())) <= WIDTH
