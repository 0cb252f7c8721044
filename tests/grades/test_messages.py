"""Programs that promise more than holds are refused with exactly the messages beside them (`rejected.md`); the fixes
that messages propose are accepted.

`DAD_UPDATE=1 pytest tests/grades/test_messages.py` writes what is said now into the file; read it before accepting it.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from dad import driver
from dad.cli import main
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Diagnostics
from dad.lang.source import Source

PAGE = Path(__file__).parent / "rejected.md"
BLOCKS = re.compile(r"```dad\n(.*?)```\n\s*```text\n(.*?)```", re.DOTALL)


def said(program: str) -> str:
    checking = driver.check(Source("example.dad", program))
    return render_full([*checking.diagnostics, *driver.promises(checking)]).strip() + "\n"


def test_promises_that_do_not_hold() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = [(m, said(m.group(1))) for m in BLOCKS.finditer(text)]
    if os.environ.get("DAD_UPDATE"):
        for m, actual in reversed(found):
            text = text[:m.start(2)] + actual + text[m.end(2):]
        PAGE.write_text(text, encoding="utf-8")
    for m, actual in found:
        assert "error[" in actual
        assert actual == m.group(2) or os.environ.get("DAD_UPDATE"), actual
    codes = set(re.findall(r"error\[([SD]\d+)\]", "".join(actual for _, actual in found)))
    assert codes == {"S101", "S102", "S103", "S104", "S105", "D201", "D202"}


@pytest.mark.parametrize("program", [
    "def f (x: f64) : f64 @ smooth = 2 * sqrt (x * x + 0.1 * 0.1)",
    "def f (x: f64) : f64 @ smooth = 1 + softplus (x - 1)",
    "def f (x: f64) : f64 @ smooth = 1 - softplus (1 - x)",
    "def f (x: f64) : f64 @ lip = 2 * abs x",
    "def f (xs: [3]f64) : f64 @ smooth = log (sum (map exp xs))",
    "def f (xs: [3]f64) : f64 @ lip = norm xs",
    "def f (x: f64{>0}) : f64 @ smooth = log x + sqrt x",
    "def f (x: f64{>=0}) : f64 @ smooth = sqrt (x + 1e-9)",
    "def f (x: f64) : f64 @ smooth = log (x * x + 1)",
    "def f (x: f64) (k: data f64) : f64 @ smooth = let w = sigmoid ((x - k) / 0.1) in w * (k * x) + (1 - w) * x",
    "def f (x: f64) : f64 @ C1 = (if x < 1 then x else x + 1) @ allow(jump, \"tabulated\")",
    "def f (x: f64) : f64 @ C1 = x + floor (stop_grad x)",
    "def f (x: f64) : f64 @ C1 = if x < 0 then 0 else x * x",
    "def f (g: f64 -> f64 @ C1) (x: f64) : f64 @ C1 = g x",
    "def f (x: f64) : f64 @ smooth = loop s = x for i < 10 do 2 * s",
    "def f (x: f64{0..1}) : f64 @ smooth = fixpoint (\\s -> 0.5 * cos (s * x)) 0.5",
    "def f (x: f64) : f64 @ smooth = (if x < 20 then log1p (exp x) else x) @ approx(1e-8)",
    "def f (c: f64) : f64 @ C1 =\n  let x = solve (\\x -> x ** 3 - c) 1.0\n  assume C1(x) \"no zero\"\n  in x",
    "def f (c: f64{>0}) : f64 @ smooth = solve (\\x -> x * x * x - c) 1.0",
])
def test_what_messages_propose_is_accepted(program: str) -> None:
    assert said(program) == "\n"


FIXES = {  # what is wrong: the program, a part of the help, what it proposes done
    "jump": ("def f (k: data f64) (x: f64) : f64 @ C1 = if x < k then x else 2 * x",
             "let w = sigmoid ((x - k) / width) in w * a + (1 - w) * b",
             "def f (k: data f64) (x: f64) : f64 @ C1 = let w = sigmoid ((x - k) / 0.1) in w * (2 * x) + (1 - w) * x"),
    "jump, accepted": ("def f (x: f64) : f64 @ C1 = if x < 1 then x else 2 * x", '`@ allow(jump, "why")`',
                       'def f (x: f64) : f64 @ C1 = (if x < 1 then x else 2 * x) @ allow(jump, "tariff")'),
    "rounding": ("def f (x: f64) : f64 @ smooth = if x < 20 then log1p (exp x) else x", "`(if …) @ approx(1e-8)`",
                 "def f (x: f64) : f64 @ smooth = (if x < 20 then log1p (exp x) else x) @ approx(1e-8)"),
    "kink of a branch": ("def f (x: f64) : f64 @ C1 = if x < 1 then x else 2 * x - 1", "promise `@ lip`",
                         "def f (x: f64) : f64 @ lip = if x < 1 then x else 2 * x - 1"),
    "curvature": ("def f (x: f64) : f64 @ C2 = if x < 0 then 0 else x * x", "promise `@ C1`",
                  "def f (x: f64) : f64 @ C1 = if x < 0 then 0 else x * x"),
    "abs": ("def f (x: f64) : f64 @ C1 = abs x", "`sqrt (u * u + w * w)` in place of `abs u`",
            "def f (x: f64) : f64 @ C1 = let w = 0.1 in sqrt (x * x + w * w)"),
    "max": ("def f (x: f64) : f64 @ C1 = max x 1", "`b + softplus (a - b)` in place of `max a b`",
            "def f (x: f64) : f64 @ C1 = 1 + softplus (x - 1)"),
    "min": ("def f (x: f64) : f64 @ C1 = min x 1", "`b - softplus (b - a)` in place of `min a b`",
            "def f (x: f64) : f64 @ C1 = 1 - softplus (1 - x)"),
    "maximum": ("def f (x: [3]f64) : f64 @ C1 = maximum x", "`log (sum (map exp xs))` in place of `maximum xs`",
                "def f (x: [3]f64) : f64 @ C1 = log (sum (map exp x))"),
    "step": ("def f (x: f64) : f64 @ C1 = x + floor x", "hold its argument fixed with `stop_grad`",
             "def f (x: f64) : f64 @ C1 = x + floor (stop_grad x)"),
    "element": ("def f (x: f64) (t: data [9]f64) : f64 @ C1 = t[i64 x] * x", "with `stop_grad`",
                "def f (x: f64) (t: data [9]f64) : f64 @ C1 = t[i64 (stop_grad x)] * x"),
    "angle": ("def f (x: f64) (y: f64) : f64 @ C1 = atan2 y x", "say that the second argument is positive",
              "def f (x: f64{>0}) (y: f64) : f64 @ C1 = atan2 y x"),
    "while": ("def f (x: f64) : f64 @ C1 = loop s = x while s < 100 do 2 * s", "with `for`",
              "def f (x: f64) : f64 @ C1 = loop s = x for _i < 9 do 2 * s"),
    "domain": ("def f (x: f64) : f64 @ smooth = log x", "declare `x: f64{>0}`",
               "def f (x: f64{>0}) : f64 @ smooth = log x"),
    "domain of a quotient": ("def f (x: f64) (y: f64) : f64 @ smooth = x / y", "declare `y: f64{>0}`",
                             "def f (x: f64) (y: f64{>0}) : f64 @ smooth = x / y"),
    "end of a domain": ("def f (x: f64{>=0}) : f64 @ C1 = sqrt x", "add a small positive number under the root",
                        "def f (x: f64{>=0}) : f64 @ C1 = sqrt (x + 1e-9)"),
    "root of squares": ("def f (x: [2]f64) : f64 @ lip = sqrt (x[0] * x[0] + x[1] - x[1] * x[0])",
                        "add a small", "def f (x: [2]f64) : f64 @ lip = norm x"),
    "unknown function": ("def f (g: f64 -> f64) (x: f64) : f64 @ C1 = g x", "`(g: f64 -> f64 @ C1)`",
                         "def f (g: f64 -> f64 @ C1) (x: f64) : f64 @ C1 = g x"),
    "any type": ("def f 'a (x: a) (y: f64) : f64 @ C1 = y * y", "give its parameters types",
                 "def f (x: i64) (y: f64) : f64 @ C1 = y * y"),
    "what a search gives": ("def f (y: f64) : f64 @ C1 = (optimise.newton (\\x -> (x - y) ** 2) 0.0).x",
                            'assume C1(x) "one minimum, and it is not flat"',
                            "def f (y: f64) : f64 @ C1 =\n  let x = (optimise.newton (\\x -> (x - y) ** 2) 0.0).x\n"
                            '  assume C1(x) "one minimum, and it is not flat"\n  in x'),
    "demand": ("def f = optimise.newton (\\x -> if x < 1 then 0 else (x - 1) ** 2) 0.0", "take `lbfgs`, which needs C1",
               "def f = optimise.lbfgs (\\x -> if x < 1 then 0 else (x - 1) ** 2) 0.0"),
    "expression": ("def f (x: f64) : f64 = let v = (if x < 1 then x else 2 * x - 1) @ C1 in v * v", "promise `@ lip`",
                   "def f (x: f64) : f64 = let v = (if x < 1 then x else 2 * x - 1) @ lip in v * v"),
    "larger than allowed": ("def f (x: f64) : f64 @ smooth = (if x < 5 then log1p (exp x) else x) @ approx(1e-8)",
                            "or allow as much as they differ by",
                            "def f (x: f64) : f64 @ smooth = (if x < 5 then log1p (exp x) else x) @ approx(1e-2)"),
}


@pytest.mark.parametrize("kind", FIXES)
def test_the_fix_of_each_kind_of_message(kind: str) -> None:
    """It is proposed, and applied it checks at the grade that is promised."""
    program, part, fixed = FIXES[kind]
    found = said(program)
    assert "error[" in found
    assert part in found.split("= help:", 1)[1]
    assert said(fixed) == "\n"


def test_built_modules_say_how_smooth_entries_are() -> None:
    source = Source("m.dad", "entry f (theta: param f64) (s: f64{>0}) : f64 @ C1 =\n"
                    "  log s + (if theta < 0 then 0 else theta ** 2)")
    assert '"""Smoothness: theta C1, s smooth."""' in driver.compile_source(source, promises=True).stub
    jumps = Source("m.dad", "entry f (theta: param f64) : f64 @ C1 = if theta < 0 then theta else theta + 1")
    with pytest.raises(Diagnostics, match="S102"):
        driver.compile_source(jumps, promises=True)


def test_commands_say_what_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.dad"
    path.write_text("entry f (theta: param f64) : f64 =\n"
                    "  let y = if theta < 0 then 0 else theta * theta\n"
                    "  in y + floor (stop_grad theta)\n", encoding="utf-8")
    assert main(["check", "--notes", "--quiet", str(path)]) == 0
    assert "note[S110]: this branch on `theta` is C1 (proved)" in capsys.readouterr().out
    assert main(["check", "--explain", "y:2", "--quiet", str(path)]) == 0
    assert "y, line 2 of f : theta C1" in capsys.readouterr().out
    assert main(["check", "--trust", "--quiet", str(path)]) == 0
    assert "m.dad:3:16 stop_grad theta" in capsys.readouterr().out
    assert main(["show", "--stage", "grades", str(path)]) == 0
    assert "1: f : theta C1" in capsys.readouterr().out
