"""Programs as people write them, the mistake that each of them holds, and the fix that the message proposes: applied,
the program keeps its promise.
"""
from __future__ import annotations

from dataclasses import dataclass

import pytest
from dad.tests.grades.test_messages import said

HUBER = """\
def huber (delta: f64) (r: f64) : f64 =
  if abs r <= delta then 0.5 * r * r else delta * (abs r - 0.5 * delta)

entry loss [n] (b: param [2]f64) (delta: param f64) (x: data [n]f64) (y: data [n]f64) : f64 @ C1 =
  sum (map2 (\\u v -> huber delta (v - b[0] - b[1] * u)) x y)
"""
NORMAL = """\
entry nll [n] (mu: param f64) (s: param f64) (y: data [n]f64) : f64 @ smooth =
  sum (map (\\v -> 0.5 * ((v - mu) / s) ** 2 + log s) y)
"""
THERMOSTAT = """\
def heating (t: f64) (target: f64) (power: f64) : f64 = if t < target then power else 0

entry loss [n] (theta: param [3]f64) (seen: data [n]f64) : f64 @ C1 =
  let (_, off) =
    loop (t, off) = (10.0, 0.0) for y in seen do
      let t = t + 0.1 * (heating t theta[0] theta[1] - theta[2] * (t - 5))
      in (t, off + (t - y) ** 2)
  in off
"""
CHANGE = """\
entry loss [n] (theta: param [3]f64) (t: data [n]f64) (y: data [n]f64) : f64 @ C1 =
  sum (map2 (\\u v -> (v - (if u < theta[0] then theta[1] else theta[2])) ** 2) t y)
"""
NETWORK = """\
entry loss [k] (w: param [4][2]f64) (v: param [4]f64) (xs: data [k][2]f64) (ys: data [k]f64) : f64 @ C1 =
  sum (map2 (\\x y -> (dot v (map (max 0) (matvec w x)) - y) ** 2) xs ys)
"""
ANGLES = """\
entry residual (p: param [2]f64) (q: param [2]f64) : f64 @ smooth =
  (atan2 p[1] p[0] - atan2 q[1] q[0]) ** 2
"""
SOFTPLUS = """\
def softplus_cut (x: f64) : f64 = if x < 20 then log1p (exp x) else x

entry rate (b: param [2]f64) (x: data f64) : f64 @ smooth = softplus_cut (b[0] + b[1] * x)
"""
LENGTH = """\
entry stretch (p: param [2]f64) (q: param [2]f64) : f64 @ smooth = sqrt (sum ((p - q) * (p - q)))
"""
TABLE = """\
entry price (x: param f64{0..3}) (t: param [5]f64) : f64 @ lip = t[i64 x] * x
"""
OPTION = """\
entry price [n] (s: param f64{>0}) (k: data f64) (z: data [n]f64) : f64 @ C1 =
  sum (map (\\u -> let v = s * exp u in if v > k then v - k else 0) z)
"""


@dataclass(frozen=True)
class Story:
    text: str
    code: str
    advice: str
    """What the help says, among other things."""
    old: str
    new: str


STORIES = {
    "a scale of which nobody said that it is positive": Story(
        HUBER, "S101", "declare `delta: f64{>0}`", "(delta: param f64)", "(delta: param f64{>0})"),
    "a standard deviation": Story(NORMAL, "D201", "declare `s: f64{>0}`", "(s: param f64)", "(s: param f64{>0})"),
    "a thermostat": Story(
        THERMOSTAT, "S102", "`let w = sigmoid ((x - k) / width) in w * a + (1 - w) * b`",
        "if t < target then power else 0", "let w = sigmoid ((target - t) / 0.5) in w * power"),
    "a change point": Story(
        CHANGE, "S102", "sigmoid", "(if u < theta[0] then theta[1] else theta[2])",
        "(let w = sigmoid ((theta[0] - u) / 0.1) in w * theta[1] + (1 - w) * theta[2])"),
    "a network": Story(NETWORK, "S101", "`b + softplus (a - b)` in place of `max a b`", "(max 0)", "softplus"),
    "angles": Story(
        ANGLES, "S102", "`1 - cos (a - b)`", "(atan2 p[1] p[0] - atan2 q[1] q[0]) ** 2",
        "norm2 p * norm2 q - (p[0] * q[0] + p[1] * q[1]) ** 2"),
    "a switch for rounding": Story(
        SOFTPLUS, "S102", "`(if …) @ approx(1e-8)`", "if x < 20 then log1p (exp x) else x",
        "(if x < 20 then log1p (exp x) else x) @ approx(1e-8)"),
    "a length": Story(
        LENGTH, "S101", "`sqrt (s + w * w)` is smooth", "sqrt (sum ((p - q) * (p - q)))",
        "sqrt (sum ((p - q) * (p - q)) + 0.001)"),
    "a table": Story(
        TABLE, "S102", "hold its argument fixed with `stop_grad`", "t[i64 x] * x", "t[i64 (stop_grad x)] * x"),
    "an option": Story(OPTION, "S101", "promise `@ lip`", "@ C1", "@ lip"),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
def test_what_is_proposed_helps(story: Story) -> None:
    message = said(story.text)
    assert f"error[{story.code}]" in message
    assert story.advice in message.split("= help:")[1]
    fixed = story.text.replace(story.old, story.new)
    if "norm2" in fixed:
        fixed = "def norm2 (p: [2]f64) : f64 = p[0] * p[0] + p[1] * p[1]\n\n" + fixed
    assert fixed != story.text
    assert said(fixed) == "\n"
