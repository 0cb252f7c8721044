"""A program that is checked through its edits gives what it gives when it is checked for the first time."""
from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from dad import driver
from dad.checker import Checked
from dad.lang.core.text import show as show_ir
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Diagnostics
from dad.lang.source import Source
from dad.lang.surface.walk import descendants
from dad.lang.types import show

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """\
type point = {x: f64, y: f64}

def scale : i64 = 3

def inner [n] (a: [n]f64) (b: [n]f64) : f64 =
  sum (map2 (*) a b)

def norm [n] (a: [n]f64) : f64 = sqrt (inner a a)

def twice 'a (f: a -> a) (x: a) : a = f (f x)

def (+++) (a: f64) (b: f64) : f64 = a + 2 * b

def ones (n: i64) = replicate n 1.0

module M = {
  def half (x: f64) : f64 = x / 2
  def quarter (x: f64) : f64 = half (half x)
}

def even (n: i64) : bool = if n == 0 then true else odd (n - 1)
def odd (n: i64) : bool = if n == 0 then false else even (n - 1)

def move (p: point) (d: f64) : point = {x = p.x + d, y = p.y +++ d}

open M

def both (x: f64) = quarter x + M.half x

entry length_of [n] (a: [n]f64) : f64 = norm a + f64 scale

entry slope (x: f64) : f64 = grad (twice (\\y -> sin y * both y)) x

entry shifted (x: param f64) (k: data f64) : f64 =
  let p = move {x = x, y = k} 1.0
  in p.x * p.y +++ inner (ones scale) (ones 3)

entry steps [n] (x: f64) (xs: [n]f64) (k: i64) : f64 = floor x + xs[k] + xs[0]

entry is_even (n: i64) : bool = even n
"""
LINES = [
    "def scale : i64 = 4", "def scale : f64 = 3", "def norm [n] (a: [n]f64) : f64 = inner a a",
    "def inner [n] (a: [n]f64) (b: [n]f64) : f64 = a[0] * b[0]", "def inner (a: f64) (b: f64) : f64 = a",
    "def sum (xs: []f64) : f64 = 1.0", "def map2 = 3", "type point = {x: f64, y: f64, z: f64}", "def unknown = nothing",
    "module M = { def half (x: f64) : f64 = x\n def quarter (x: f64) = 2 * x }", "local def secret = 1",
    "def twice (f: f64 -> f64) (x: f64) : f64 = f x", "def odd (n: i64) : bool = false", "def noise (x: f64) = x +",
    "def ones (n: i64) : [n]f64 = replicate n 2", "def (+++) (a: f64) (b: f64) : f64 = a - b", "def (+++) = 1",
    "entry also (x: f64) : f64 = scale + x", "open f64", "def both (x: f64) = floor x", "-- words", "",
    "def promise (x: f64) : f64 @ smooth = sin x", "def even n = n % 2 == 0", "def halff = 1", "def move = norm",
]


def told(checking: driver.Checking) -> str:
    """Findings; and types of all expressions, and the code of entries, if there are no errors."""
    lines = [render_full(checking.diagnostics)]
    checked = checking.checked
    if checked is not None:
        lines += [f"{d.qualified} {d.entry} {show(d.scheme.type)} {[*d.scheme.type_vars, *d.scheme.size_vars]!s:.0}"
                  for d in checked.definitions.values() if d.node.span.source is checking.source]
        lines += types(checking, checked)
        lines += [f"{key}: {why}" for key, why in sorted(checked.flat.items())]
        lines += [str([getattr(bound, name) for name in bound.__match_args__]) for bound in checked.bounds]
        try:
            lines.append(show_ir(driver.lowered(checked).program))
        except Diagnostics as error:
            lines.append(str(error))
    return "\n".join(lines)


def types(checking: driver.Checking, checked: Checked) -> Iterator[str]:
    for node in descendants(checking.program):
        t = checked.types.get(node)  # type: ignore[call-overload]  # a node that is no expression has none
        if t is not None:
            yield f"{node.span}: {show(t)} {node in checked.proved}"


def edits(text: str, seed: int, count: int) -> Iterator[str]:
    """Versions of a program: declarations that come, go, move and change."""
    rng = random.Random(seed)
    original = text.split("\n\n")
    parts = list(original)
    for _ in range(count):
        at = rng.randrange(len(parts) + 1)
        match rng.randrange(8):
            case 0 | 1:
                parts.insert(at, rng.choice(LINES))
            case 2 if parts:
                del parts[at % len(parts)]
            case 3 if parts:
                name = rng.choice(LINES)
                same = [k for k, part in enumerate(parts) if part.split("(")[0].split("=")[0].split("[")[0][:9] ==
                        name.split("(")[0].split("=")[0].split("[")[0][:9]]
                if same:
                    parts[same[0]] = name
            case 4 if parts:
                part = parts.pop(at % len(parts))
                parts.insert(rng.randrange(len(parts) + 1), part)
            case 5 if parts:
                k = at % len(parts)
                parts[k] = parts[k].replace(*rng.choice([("x", "x * 1.5"), ("2", "3"), ("f64", "f32"), ("+", "-"),
                                                         ("half", "quarter"), ("=", "=  ")]), 1)
            case 6:
                parts = list(original)
            case _:
                for k, part in enumerate(original):
                    if k < len(parts) and rng.random() < 0.7:
                        parts[k] = part
        yield "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("seed", range(5))
def test_edited_programs_are_checked_as_new_ones(seed: int) -> None:
    editing = driver.Editing()
    for text in edits(PROGRAM, seed, 20):
        assert told(editing.update(Source("<t>", text))) == told(driver.check(Source("<t>", text))), text


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.dad")) + sorted(ROOT.glob("benchmarks/*.dad")),
                         ids=lambda path: path.stem)
def test_edited_examples(path: Path) -> None:
    editing = driver.Editing()
    for text in edits(path.read_text(encoding="utf-8"), 3, 4):
        assert told(editing.update(Source("<t>", text))) == told(driver.check(Source("<t>", text)))


def test_a_declaration_that_does_not_parse_is_mended() -> None:
    editing = driver.Editing()
    uses = "\n\ndef g (x: f64) : f64 = f x\n"
    for text in ("def f (x: f64) = x +", "def f (x: f64) = x + 1", "def f (x: f64) = x +", "", "open M {", "open M",
                 "def f (x: f64) = (x", "def f (x: i64) = x"):
        assert told(editing.update(Source("<t>", text + uses))) == told(driver.check(Source("<t>", text + uses))), text


def rechecked(editing: driver.Editing, text: str) -> int:
    checking = editing.update(Source("<t>", text))
    assert told(checking) == told(driver.check(Source("<t>", text)))
    assert editing.checker is not None
    assert editing.checker.kept is not None
    return editing.checker.kept.rechecked


def test_only_what_is_touched_is_checked() -> None:
    editing = driver.Editing()
    everything = rechecked(editing, PROGRAM)
    assert everything == 17
    assert rechecked(editing, "-- more\n\n" + PROGRAM) == 0
    assert rechecked(editing, PROGRAM.replace("def scale", "def other = 1\n\ndef scale")) == 1
    # `norm` looks as before; the entry that calls it is followed for derivatives, and nothing else is.
    assert rechecked(editing, PROGRAM) == 0
    assert rechecked(editing, PROGRAM.replace("sqrt (inner", "abs (inner")) == 2
    # Another type: all that use it are checked, and what uses those only if they look different.
    assert rechecked(editing, PROGRAM) == 2
    assert rechecked(editing, PROGRAM.replace("y: f64}", "y: f64, z: f64}")) == 3


def test_a_name_that_was_lost_is_known_again_or_unknown() -> None:
    editing = driver.Editing()
    head, rest = "def f (x: f64) = x", "\ntype t = f64\ndef g (y: t) : f64 = f y\ndef h (z: f64) = g z\n"
    for text in (head + rest, "def f (x: f64) = (x" + rest, rest, "def f = (2" + rest,
                 head + rest.replace("= f64\n", "= [f64\n"), rest,
                 "def f = (1" + rest, head + rest.replace("type t", "type s"), head + rest):
        assert told(editing.update(Source("<edited>", text))) == told(driver.check(Source("<edited>", text)))


def test_uses_of_a_generic_definition_that_is_checked_again() -> None:
    editing = driver.Editing()
    text = ("def id 'a (x: a) : a = x\n\ndef f (x: f64) : f64 = id x\n\ndef g (x: f64) = id (f x)\n\n"
            "entry e (x: i64) = id x\n")
    rechecked(editing, text)
    assert rechecked(editing, text.replace("= x\n", "= let y = x in y\n", 1)) == 2
    assert rechecked(editing, text) == 2


def test_imported_files(tmp_path: Path) -> None:
    library, main = tmp_path / "lib.dad", str(tmp_path / "main.dad")
    library.write_text("def one : f64 = 1\n", encoding="utf-8")
    text = 'import "lib"\n\nentry f (x: f64) : f64 = x + one\n'
    editing = driver.Editing()

    def same(text: str) -> int:
        checking = editing.update(Source(main, text))
        assert told(checking) == told(driver.check(Source(main, text)))
        return len(checking.diagnostics)

    assert same(text) == 0
    assert same(text.replace("x + one", "x - one")) == 0
    library.write_text("def one : f64 = true\ndef two = \n", encoding="utf-8")
    assert same(text) == 2
    assert same(text + "\n") == 2
    library.unlink()
    assert same(text) > 0
    library.write_text("def one : f64 = 2\n", encoding="utf-8")
    assert same(text) == 0
    assert editing.files() == [str(library)]
