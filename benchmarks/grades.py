"""How long `dad check` takes to grade a program of 500 lines with 50 branches on parameters.

The program is made of ten models in five variants each (robust losses, thresholds, contact, splines, censoring …); each
promises a grade, which has to be proved, and one objective adds them up. Timed are a fresh process, from start to exit,
and the analysis within a process that has checked something before. `--write FILE` keeps the program.
"""
from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from dad import driver
from dad.lang.source import Source

MODELS = (
    """
-- | Huber's loss of scaled residuals, variant {k}.
def huber{k} (r: f64) (delta: f64{{>0}}) (s: f64{{>0}}) : f64 @ C1 =
  let z = r / s
  let inside = 0.5 * z * z
  let outside = delta * (abs z - 0.5 * delta)
  in log s + (if abs z <= delta
              then inside
              else outside)
""",
    """
-- | Two lines that meet at a threshold, variant {k}.
def stick{k} (x: f64) (k: f64) (a: f64) (b: f64) : f64 @ lip =
  let level = a + 0.{k} * k
  let before = level + a * (x - k)
  let after = level + b * (x - k)
  in if x < k
     then before
     else after
""",
    """
-- | A positive function, variant {k}.
def positive{k} (x: f64) (eps: f64{{>0}}) : f64 @ C1 =
  let u = x * {k}.5 - 1
  let low = eps / (2 - u / eps)
  in if u >= eps
     then u
     else low
""",
    """
-- | A disk that pushes, variant {k}.
def disk{k} (x: f64) (y: f64) (r: f64) : f64 @ C1 =
  let s = (x - {k}) ** 2 + (y + {k}) ** 2
  let depth = r * r - s
  let energy = 0.5 * {k} * depth * depth
  in if depth > 0
     then energy
     else 0
""",
    """
-- | The exponential unit, variant {k}.
def unit{k} (w: f64) (b: f64) (x: f64) : f64 @ C1 =
  let u = w * x + b * {k}
  let below = exp u - 1
  in if u > 0
     then u
     else below
""",
    """
-- | A truncated cubic, variant {k}.
def cubic{k} (x: f64) (t: f64) (b: f64) : f64 @ C2 =
  let u = x - t - 0.{k}
  let part = b * u * u * u
  let line = {k} * x
  in if u > 0
     then line + part
     else line
""",
    """
-- | A dead zone, variant {k}.
def zone{k} (x: f64) (w: f64{{>=0}}) (g: f64) : f64 @ lip =
  let above = g * (x - w)
  let below = g * (x + w) * {k} / {k}
  in if x > w
     then above
     else if x < -w
     then below
     else 0
""",
    """
-- | A logarithm with a tangent, variant {k}.
def tangent{k} (x: f64) (e: f64{{>0}}) : f64 @ C1 =
  let u = x * x - {k}
  let line = log e + (u - e) / e
  in if u > e
     then log u
     else line
""",
    """
-- | A density of two halves, variant {k}.
def halves{k} (x: f64) (m: f64) (a: f64{{>0}}) (b: f64{{>0}}) : f64 @ C1 =
  let z = x - m * {k}
  let left = z * z / (2 * a * a)
  let right = z * z / (2 * b * b)
  in -log (a + b) - (if z < 0
                     then left
                     else right)
""",
    """
-- | A sum over rows with a hinge, variant {k}.
def rows{k} [n] (b: [2]f64) (t: f64) (x: [n]f64) : f64 @ C1 =
  let bend u = b[0] + b[1] * u * {k}
  let hinge u =
    let d = bend u - t
    in if d > 0
       then d * d
       else 0
  in sum (map hinge x)
""",
)
CALLS = ("huber{k} p q q", "stick{k} p q p q", "positive{k} p q", "disk{k} p q p", "unit{k} p q p", "cubic{k} p q p",
         "zone{k} p q p", "tangent{k} p q", "halves{k} p p q q", "rows{k} [p, q] q xs")


def program() -> str:
    """The text: 500 lines, 50 definitions with a branch on parameters, and what adds them up."""
    parts = [model.format(k=k) for k in range(1, 6) for model in MODELS]
    terms = [call.format(k=k) for k in range(1, 6) for call in CALLS]
    total = "entry total [n] (p: param f64) (q: param f64{>0}) (xs: data [n]f64) : f64 @ lip =\n  "
    head = ("-- | Fifty small models with a branch on parameters each, and their sum.\n"
            "-- Each promises how smooth it is.\n")
    return head + "".join(parts) + "\n" + total + "\n  + ".join(terms) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    text = program()
    if options.write:
        options.write.write_text(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grades.dad"
        path.write_text(text)
        command = [sys.executable, "-m", "dad", "check", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        print((done.stdout + done.stderr).strip())
        whole = [timed(lambda: subprocess.run(command, capture_output=True)) for _ in range(options.repeat)]
    bare = [timed(lambda: subprocess.run([sys.executable, "-c", "pass"])) for _ in range(options.repeat)]
    checking = [timed(lambda: driver.check(Source("<bench>", text))) for _ in range(options.repeat)]
    checked = driver.check(Source("<bench>", text))
    grading = [timed(lambda: driver.graded(checked)) for _ in range(options.repeat)]
    print(f"{len(text.splitlines())} lines, 50 branches on parameters, best of {options.repeat}:")
    print(f"  dad check, a fresh process  {min(whole):.3f} s   (a bare Python {min(bare):.3f} s)")
    print(f"  checking, in a process      {min(checking):.3f} s")
    print(f"  grading, in a process       {min(grading):.3f} s")
    return int(done.returncode or min(whole) > 1)


def timed(function: object) -> float:
    start = perf_counter()
    assert callable(function)
    function()
    return perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
