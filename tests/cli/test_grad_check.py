"""`dad grad-check`: wrong rules are found where they are, right ones and kinks raise no alarm."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dad.cli import main
from dad.testing.slopes import compare, slopes


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, *options: str) -> tuple[int, str]:
    file = tmp_path / "p.dad"
    file.write_text(text, encoding="utf-8")
    status = main(["grad-check", str(file), *options])
    return status, capsys.readouterr().out.replace(str(file), "p.dad")


WRONG = {
    "a factor is missing": (
        r"entry f (x: f64) : f64 = with_vjp (\x -> x * x) (\x dy -> x * dy) x", "1:49",
        "the cotangent of x for dy = 1"),
    "the error cancels": (
        r"entry f (x: f64) : f64 = let g = with_jvp sin (\x dx -> dx) in g x - g x + x", "1:47",
        "the tangent of the result when x changes"),
    "one branch only": (
        r"def g (x: f64) = with_jvp (\x -> if x > 1 then x else x * x) (\x dx -> 2 * x * dx) x" "\n"
        r"entry f [n] (xs: [n]f64) : f64 = sum (map g xs)", "1:62", "the tangent of the result when x changes"),
    "one component": (
        r"def mul = with_vjp (\(a, b) -> a * b) (\(a, b) dy -> (b * dy, b * dy))" "\n"
        r"entry f (a: f64) (b: f64) : f64 = mul (a, b)", "1:39", "the cotangent of x.1 for dy = 1"),
    "an element of a field": (
        r"type t = {k: f64, xs: [2]f64}" "\n"
        r"def g = with_vjp (\(r: t) -> r.k * sum r.xs) (\r dy -> {k = dy * sum r.xs, xs = [dy * r.k, 0]})" "\n"
        r"entry f (k: f64) (xs: [2]f64) : f64 = g {k, xs}", "2:46", "the cotangent of x.xs[1] for dy = 1"),
    "a result of several": (
        r"def g = with_jvp (\x -> (x, x * x)) (\x dx -> (dx, dx))" "\n"
        r"entry f (x: f64) : (f64, f64) = g x", "1:37", "the tangent of the result.1 when x changes"),
    "in a function that is differentiated": (
        r"def g = with_vjp exp (\x dy -> 2 * dy * exp x)" "\n" r"entry f (x: f64) : f64 = grad g x", "1:22",
        "the cotangent of x for dy = 1"),
    "that captures": (
        r"entry f (c: f64) (x: f64) : f64 = with_vjp (\x -> c * x) (\x dy -> dy / c) x", "1:58",
        "the cotangent of x for dy = 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rules_are_found(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, place, component = WRONG[name]
    status, out = run(tmp_path, capsys, text, "--format", "concise")
    assert status == 1
    assert f"p.dad:{place}: error[G102]" in out
    assert component in out
    assert out.count("G102") == 1
    assert "G101" not in out


FINE = {
    "kinks": "entry f [n] (xs: [n]f64) : f64 = maximum xs + sum (map abs xs) + norm xs",
    "kinks at special points": "entry f (x: f64) : f64 = abs x + max x 0 + norm [x, x]\n-- ==\n-- input { 0.0 }",
    "poles and edges": "entry f (x: f64) (y: f64) : f64 = log x + sqrt y + 1 / x + x ** y",
    "steps": "entry f (x: f64) : f64 = x + floor x",
    "single precision": "entry f [n] (xs: [n]f32) : f32 = sum (map (\\x -> sin x * exp x) xs)",
    "half precision": "entry f (x: f16) (y: f16) : f16 = x * y + sin x / (1 + y * y)",
    "a straight-through estimator": "def g = #[surrogate] with_vjp round (\\_ dy -> dy)\nentry f (x: f64) : f64 = g x",
    "values held fixed": "entry f (x: f64) : f64 = x * stop_grad x",
    "integers, records, sums": """
def area (s: #circle f64 | #rect f64 f64 | #none) =
  match s case #circle r -> 3 * r * r case #rect a b -> a * b case #none -> 0
def area' = with_vjp area (\\s dy -> vjp area s dy)
entry f (x: {r: f64, n: i64}) (b: bool) : f64 = f64 x.n * area' (if b then #circle x.r else #rect x.r 2)""",
    "solutions": "entry f (c: f64) : f64 = fixpoint (\\x -> 0.5 * cos (c + x)) 0",
    "rules of many numbers": """
entry f [n] (xs: [n]f64) : f64 =
  sum (with_vjp (map sin) (\\xs ds -> map2 (\\x d -> cos x * d) xs ds) (xs ++ xs ++ xs ++ xs ++ xs))""",
}


@pytest.mark.parametrize("name", FINE)
def test_no_false_alarms(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(tmp_path, capsys, FINE[name])
    assert status == 0, out
    assert "G10" not in out


def test_an_error_beside_the_rules_is_one_of_the_entry() -> None:
    """Slopes are what they are said to be, at kinks too; a number that is none is called wrong."""
    found = slopes(lambda t: np.array([np.sin(1 + t), abs(t)]), 0.1)
    assert found.both is not None
    assert abs(found.both.value[0] - np.cos(1.0)) < 1e-10
    for given, wrong in ((np.cos(1.0), False), (np.cos(1.0) + 1e-4, True)):
        verdict = compare(lambda t: np.array([np.sin(1 + t)]), 0.1, np.array([given]), 1e-6)
        assert verdict is not None
        assert bool(verdict.wrong[0]) == wrong
    for given, wrong in ((-1.0, False), (0.3, False), (1.0, False), (1.1, True)):
        verdict = compare(lambda t: np.array([abs(t)]), 0.1, np.array([given]), 1e-6)
        assert verdict is not None
        assert bool(verdict.wrong[0]) == wrong
    assert compare(lambda t: np.array([np.nan]), 0.1, np.array([1.0]), 1e-6) is None


def test_lines_formats_and_statuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "def sq = with_jvp (\\x -> x * x) (\\x dx -> 2 * x * dx)\n" \
        "entry f (x: f64) : f64 = sq x\nentry g (n: i64) = n\n"
    status, out = run(tmp_path, capsys, text)
    assert (status, out) == (0, "f: derivatives agree with differences at 5 points\ng: nothing to differentiate\n"
                                "the rule at p.dad:1: agrees at 5 points\n")
    status, out = run(tmp_path, capsys, text.replace("2 *", "3 *"), "--format", "json", "--entry", "f")
    assert status == 1
    found = json.loads(out)
    assert [d["code"] for d in (found if isinstance(found, list) else found["diagnostics"])] == ["G102"]
    status, out = run(tmp_path, capsys, "def sq = with_jvp (\\x -> x * x) (\\x dx -> x * dx)\nentry f (x: f64) = x")
    assert (status, "G104" in out, "no entry reaches it" in out) == (0, True, True)
    status, out = run(tmp_path, capsys, "entry f (x: f64) : f64 = log (-1 - x * x)")
    assert (status, "G103" in out) == (0, True)
    assert run(tmp_path, capsys, text, "--points", "0")[0] == 2
    assert run(tmp_path, capsys, text, "--tolerance", "big")[0] == 2
    assert run(tmp_path, capsys, text, "--entry", "h")[0] == 1
    assert main(["grad-check"]) == 2
    capsys.readouterr()
