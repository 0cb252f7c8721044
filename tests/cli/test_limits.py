"""Every limit, reached by a generated program: a diagnostic with a code, soon, in the memory of an ordinary machine.

Each program is checked, and compiled if it may be, in a process of its own, which is killed by a mistake such as an
overflow of the C stack: the status shows it.
"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def chain(count: int, first: str, following: str) -> str:
    """The first line, and `following` with `{i}` and `{j}` as 1 and 0, 2 and 1 …"""
    return first + "\n" + "".join(following.format(i=i, j=i - 1) + "\n" for i in range(1, count))


LIMITS = {
    "characters": ("--" + "x" * 4_100_000, "U103"),
    "tokens": ("def f = [" + "1," * 510_000 + "1]", "E006"),
    "nesting": ("def f = " + "(" * 100_000 + "1" + ")" * 100_000, "E007"),
    "brackets": ("def f = " + "[" * 100_000, "E007 E011"),
    "types": ("def f (x: " + "(" * 5_000 + "f64" + ", f64)" * 5_000 + ") = 1", "E007"),
    "patterns": ("def f " + "(" * 5_000 + "x" + ", y)" * 5_000 + " = 1", "E007"),
    "elses": ("def f (x: f64) = " + "if x < 1 then 1 else " * 5_000 + "2", "E007"),
    "updates": ("def f (x: [3]f64) = x" + " with [0] = 1" * 5_000, "E007"),
    "digits": ("def f = " + "9" * 100_000, "E008"),
    "number": ("def f = 0x" + "f" * 350, "E204"),
    "names": ("def " + "a" * 10_000 + " = 1", "E026"),
    "declarations": ("def = 1\n" * 5_000, "E025"),
    "characters that mean nothing": ("def f = " + "$" * 5_000, "E001"),
    "errors": ("".join(f"def f{i} (x: f64) = x + true\n" for i in range(3_000)), "E199"),
    "pairs of pairs": (chain(40, "def f0 x = (x, x)", "def f{i} x = f{j} (f{j} x)"), "E224"),
    "pairs in a body": ("def f x0 =\n" + chain(40, "", "  let x{i} = (x{j}, x{j})") + "  in x39", "E224"),
    "abbreviations": (chain(1_200, "type t0 = f64", "type t{i} = [2]t{j}"), "E224"),
    "abbreviations of pairs": (chain(40, "type t0 = f64", "type t{i} = (t{j}, t{j})"), "E224"),
    "types that stand in each other": ("def f (x0: f64) =\n" + chain(600, "", "  let x{i} = (x{j}, 1)") + "  in 1",
                                       "E224"),
    "terms of sizes": ("def f [a][b][c][d] (x: [a][b][c][d]f64) : [" + "*".join(["(a+b+c+d)"] * 40) + "]f64 = ???",
                       "E225"),
    "calls": (chain(4_000, "def f0 (x: f64) : f64 = x", "def f{i} (x: f64) : f64 = f{j} x") +
              "entry e (x: f64) = f3999 x", "E694"),
    "calls that are compiled": (chain(1_200, "def f0 (x: f64) : f64 = x", "def f{i} (x: f64) : f64 = f{j} x") +
                                "entry e (x: f64) = f1199 x", "E694"),
}
FINE = {
    "operators": "entry e (x: f64) : f64 = " + " + ".join(["x"] * 1_000),
    "a product of sums": "entry e (a: i64) (b: i64) (c: i64) = length (iota (" + "*".join(["(a + b + c)"] * 60) + "))",
    "squares of squares": "entry e (a: i64) (b: i64) =\n" + chain(30, "  let n0 = a + b", "  let n{i} = n{j} * n{j}") +
                          "  in iota n29",
    "quotients of quotients": "entry e (a: i64) =\n" + chain(60, "  let n0 = a", "  let n{i} = (n{j} + 1) / (n{j} + 2)")
                              + "  in iota n59",
    "composition": "entry e (x: f64) : f64 = (" + " >-> ".join(["sin"] * 300) + ") x",
    "twice twice": chain(16, "def f0 (g: f64 -> f64) = g 1", "def f{i} (g: f64 -> f64) = f{j} (\\x -> g (g x))") +
                   "entry e (x: f64) : f64 = f15 (\\y -> y * x)",
    "local functions": "entry e (x: f64) =\n" + chain(80, "  let f0 y = y * x", "  let f{i} y = f{j} y + 1") +
                       "  in f79 x",
    "an array": "entry e (i: i64) = [" + ", ".join(["1.5"] * 10_000) + "][i]",
    "lets": "entry e (x0: f64) =\n" + chain(1_000, "", "  let x{i} = x{j} + 1") + "  in x999",
    "quotients of values": "entry e (x0: i64) =\n" + chain(100, "", "  let x{i} = x{j} / 3 + 1") + "  in iota x99",
    "nested maps": "entry e [n] (x: [n]f64) = " + "map (\\_ -> " * 40 + "1.0" + ") x" * 40,
    "brackets": "entry e (x: f64) = " + "(" * 250 + "x" + ")" * 250,
    "fields": "entry e (x: f64) = " + "({a = " * 60 + "x" + "}).a" * 60,
    "comments": "-- x\n" * 100_000,
}
WORK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from dad import driver
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Diagnostics
try:
    checking = driver.check(driver.read(sys.argv[1]))
    found = checking.diagnostics
    if checking.checked is not None:
        driver.compile_source(checking.source)
except Diagnostics as error:
    found = error.diagnostics
text = render_full(found[:20])
assert len(text) < 40_000, len(text)
print(" ".join(sorted({each.code for each in found})))
"""


def outcome(tmp_path: Path, text: str) -> str:
    path = tmp_path / "a.dad"
    path.write_text(text + "\n", encoding="utf-8")
    command = [sys.executable, "-c", WORK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_too_much_is_refused(tmp_path: Path, name: str) -> None:
    text, code = LIMITS[name]
    assert set(outcome(tmp_path, text).split()) & set(code.split())


@pytest.mark.parametrize("name", FINE)
def test_what_is_long_is_fine(tmp_path: Path, name: str) -> None:
    assert outcome(tmp_path, FINE[name]) == ""


def test_a_chain_of_imports(tmp_path: Path) -> None:
    for i in range(1, 200):
        (tmp_path / f"m{i}.dad").write_text(f'import "m{i + 1}"\n', encoding="utf-8")
    (tmp_path / "m200.dad").write_text("def x = 1\n", encoding="utf-8")
    assert outcome(tmp_path, 'import "m1"') == "E194"
