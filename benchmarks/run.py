"""`make bench`: the figures that the project promises, measured on this machine and printed side by side.

1. Gradients of GradBench's gmm, lse and kmeans, machine code beside HIPS autograd, in turns in this process.
   Values and gradients must agree before anything is timed.
2. `dad check` of 100 and of 1,000 lines beside a bare start of Python; and checking 1,000 lines again after the edit
   of one, as editors and `dad check --watch` do.
3. Compile time, gradient included, of a loop: against its trip count and against the sizes of its arrays.
4. Every function of GradBench's twelve evals, at sizes that it measures, beside peers that are installed.
5. Machine code (`latency.py`): from text to first gradient beside CasADi, edits, the gradient beside C, log densities
   beside Stan's, calls.

`python benchmarks/run.py [--budget SECONDS] [--only agreement|gradients|check|edit|compile|gradbench|latency]`; exit
status 1 when sides disagree. `agreement` compares values and gradients and times nothing; `--tiny` is for `latency`.
"""
from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dad
import numpy as np
from dad import driver
from dad.lang.source import Source

import evals
import latency
import peers_autograd as peers
from timing import Comparison, compare, duration, report, seconds, table

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Race:
    """The same function twice; `plain` is its value the obvious way, pairs are values with gradients."""

    name: str
    plain: Callable[[], float]
    peer_pair: Callable[[], tuple[float, Any]]
    our_pair: Callable[[], tuple[float, Any]]
    peer: Callable[[], Any]
    ours: Callable[[], Any]


def machine_code(name: str) -> Any:
    return dad.load(HERE / "gradbench" / f"{name}.dad", target="native", tier=1)


def races() -> Iterator[Race]:
    mixture = peers.gmm_input(d=10, k=25, n=1000)
    parameters, x, gamma, m = mixture
    objective = peers.gmm_objective(mixture)
    posterior = machine_code("gmm").objective
    pair, slope = peers.value_and_gradient(objective), peers.gradient(objective)
    yield Race("gmm, d=10 k=25 n=1000", lambda: peers.gmm_value(mixture),
               lambda: pair(tuple(parameters)), lambda: posterior.value_and_grad(parameters, x, gamma, m),
               lambda: slope(tuple(parameters)), lambda: posterior.grad(parameters, x, gamma, m))

    vector = peers.lse_input(100_000)
    lse = machine_code("lse").primal
    lse_pair, lse_slope = peers.value_and_gradient(peers.lse_objective), peers.gradient(peers.lse_objective)
    yield Race("lse, n=100000", lambda: peers.lse_value(vector),
               lambda: lse_pair(vector), lambda: lse.value_and_grad(vector),
               lambda: lse_slope(vector), lambda: lse.grad(vector))

    clusters = peers.kmeans_input(k=100, n=10_000, d=8)
    points, centroids = clusters
    module = machine_code("kmeans")
    for name, cost, program in (("kmeans, k=100 n=10000 d=8", peers.kmeans_objective(clusters), module.cost),
                                ("kmeans, multiplied out", peers.kmeans_objective_of_products(clusters),
                                 module.cost_of_products)):
        yield kmeans(name, clusters, cost, program, points, centroids)


def kmeans(name: str, clusters: peers.KmeansInput, cost: Callable[[Any], Any], program: Any,
           points: peers.Array, centroids: peers.Array) -> Race:
    pair, slope = peers.value_and_gradient(cost), peers.gradient(cost)
    return Race(name, lambda: peers.kmeans_value(clusters),
                lambda: pair(centroids), lambda: program.value_and_grad(centroids, points),
                lambda: slope(centroids), lambda: program.grad(centroids, points))


def parts(gradient: Any) -> list[tuple[str, peers.Array]]:
    """A gradient by name: fields of a named tuple, or the one array. autograd returns plain tuples in our order."""
    if hasattr(gradient, "_fields"):
        return sorted((field, np.asarray(getattr(gradient, field))) for field in gradient._fields)
    if isinstance(gradient, tuple):
        return sorted(zip(peers.GmmParameters._fields, map(np.asarray, gradient), strict=True))
    return [("gradient", np.asarray(gradient))]


def disagreements(race: Race) -> list[str]:
    """What differs by more than the tolerance; gradients part by part, relative to the largest entry of the part."""
    peer_value, peer_gradient = race.peer_pair()
    our_value, our_gradient = race.our_pair()
    plain = race.plain()
    figures = [("autograd's value", peers.agreement(peer_value, plain)),
               ("our value", peers.agreement(our_value, plain))]
    for (field, found), (_, expected) in zip(parts(our_gradient), parts(peer_gradient), strict=True):
        if found.shape != expected.shape:
            return [f"{race.name}: {field} has shape {found.shape}, autograd's has {expected.shape}"]
        figures.append((f"the gradient's {field}", peers.agreement(found, expected)))
    return [f"{race.name}: {what} is off by {off:.1e}" for what, off in figures if not off <= TOLERANCE]


def agreement() -> list[str]:
    """Compares without timing; prints one line to each race."""
    wrong: list[str] = []
    for race in races():
        found = disagreements(race)
        wrong += found
        print(f"{race.name}: {'differs' if found else f'agrees to {TOLERANCE:g}'}")
    return wrong


def gradients(budget: float) -> list[str]:
    """Prints the race; returns the disagreements."""
    wrong: list[str] = []
    comparisons: list[Comparison] = []
    for race in races():
        found = disagreements(race)
        wrong += found
        if not found:
            comparisons.append(compare(race.name, race.peer, race.ours, budget))
    print(report(comparisons, "autograd", "Dad"))
    print(f"Ratios are Dad / autograd, below 1 is faster. Values and gradients agree to {TOLERANCE:g}, relative.")
    return wrong


def thousand() -> str:
    """A program of a thousand lines: the hundred lines ten times, with other names."""
    text = (HERE / "hundred.dad").read_text(encoding="utf-8")
    names = re.findall(r"^(?:def|entry|type) (\w+)", text, re.MULTILINE)
    pattern = re.compile(rf"(?<![.\w'])(?:{'|'.join(names)})(?![\w'])")
    return "\n".join(pattern.sub(rf"\g<0>_{k}", text) for k in range(10))


def check() -> list[str]:
    """Prints the time of `dad check` beyond that of a bare Python."""
    with tempfile.TemporaryDirectory() as folder:
        longer = Path(folder, "thousand.dad")
        longer.write_text(thousand(), encoding="utf-8")
        return check_file(HERE / "hundred.dad", 15) or check_file(longer, 7)


def edit(rounds: int = 40) -> list[str]:
    """Prints the time of checking a thousand lines for the first time in a process, and after the edit of one line."""
    text = thousand()
    lines = text.splitlines()
    places = [k for k, line in enumerate(lines) if line.startswith("  ") and " * " in line]
    first = min(seconds(lambda: driver.check(Source("<bench>", text))) for _ in range(3))
    editing = driver.Editing()
    editing.update(Source("<bench>", text))
    times: list[float] = []
    units: list[tuple[int, int]] = []
    for number in range(rounds):
        at = places[number * len(places) // rounds]
        edited = [*lines[:at], lines[at].replace(" * ", " * 1.0 * ", 1), *lines[at + 1:]]
        source = Source("<bench>", "\n".join(edited))
        times.append(seconds(partial(editing.update, source)))
        assert editing.checker is not None
        assert editing.checker.kept is not None
        units.append((editing.checker.kept.rechecked, len(editing.checker.kept.units)))
        editing.update(Source("<bench>", text))
    print(table(("in one process", "median", "worst"), (
        (f"{len(lines):,} lines cold", duration(first), ""),
        ("one edited line", duration(statistics.median(times)), duration(max(times))),
    )))
    print(f"Edited: {rounds} lines in turn, each in the body of a definition; {min(units)[0]} to {max(units)[0]} of"
          f" {units[0][1]} declarations were checked again.")
    return []


def check_file(program: Path, rounds: int) -> list[str]:
    """`dad check` and a bare Python, in turns."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    bare = [sys.executable, "-c", "pass"]
    checker = [sys.executable, "-m", "dad", "check", str(program)]
    first = subprocess.run(checker, capture_output=True, text=True, env=environment, check=False)
    if first.returncode != 0:
        return [f"dad check {program.name} ended with {first.returncode}:\n{first.stdout}{first.stderr}"]

    def run(command: list[str]) -> float:
        return seconds(lambda: subprocess.run(command, capture_output=True, env=environment, check=True))

    python, ours = zip(*((run(bare), run(checker)) for _ in range(rounds)), strict=True)
    beyond = [b - a for a, b in zip(python, ours, strict=True)]
    lines = len(program.read_text(encoding="utf-8").splitlines())
    print(table(("process", "best", "median"), (
        ("python -c pass", duration(min(python)), duration(statistics.median(python))),
        (f"dad check, {lines} lines", duration(min(ours)), duration(statistics.median(ours))),
        ("beyond Python's start", duration(min(ours) - min(python)), duration(statistics.median(beyond))),
    )))
    return []


# The trip count stands in the text, where the compiler sees it; `most` lets the benchmark run one step only.
LOOP = """-- {nonce}
def step [n] (x: [n]f64) (s: [n]f64) (i: i64) : [n]f64 =
  map2 (\\a b -> 0.5 * sin (a * b) + 1.0 / (2.0 + f64 i)) x s

entry walk (x: param [{size}]f64) (most: i64) : f64 =
  let last = loop s = x for i < min {trips} most do step x s i
  in sum last
"""


def compile_time(trips: int, size: int, repetitions: int = 3) -> float:
    """Seconds until the first gradient is there, less what the same call takes once it is compiled; best of several."""
    x = np.linspace(0.0, 1.0, size)

    def once(number: int) -> float:
        text = LOOP.format(nonce=f"{trips} {size} {number}", size=size, trips=trips)
        first = seconds(lambda: dad.compile(text).walk.value_and_grad(x, 1))
        module = dad.compile(text)
        module.walk.value_and_grad(x, 1)
        return first - min(seconds(lambda: module.walk.value_and_grad(x, 1)) for _ in range(5))

    return min(once(number) for number in range(repetitions))


def compile_times() -> list[str]:
    compile_time(1, 1)
    counts = [(trips, compile_time(trips, 10)) for trips in (10, 1_000, 100_000, 10_000_000)]
    sizes = [(size, compile_time(10, size)) for size in (1, 1_000, 100_000, 1_000_000)]
    print(table(("trips of the loop", "compile time", "ratio"),
                [(f"{trips:,}", duration(time), f"{time / counts[0][1]:.2f}") for trips, time in counts]))
    print()
    print(table(("size of the arrays", "compile time", "ratio"),
                [(f"{size:,}", duration(time), f"{time / sizes[0][1]:.2f}") for size, time in sizes]))
    return []


def main() -> int:
    arguments = argparse.ArgumentParser(description="Measure what Dad promises.")
    arguments.add_argument("--budget", type=float, default=4.0, help="seconds for each race (default 4)")
    arguments.add_argument("--only", choices=("agreement", "gradients", "check", "edit", "compile", "gradbench",
                                               "latency"), help="one part, not all")
    arguments.add_argument("--tiny", action="store_true", help="`latency` at sizes that only show that it runs")
    arguments.add_argument("--jax-up-to", type=int, default=0, metavar="N",
                           help="`latency` beside JAX too, for programs of up to so many operations")
    options = arguments.parse_args()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}, {os.cpu_count()} CPUs\n")
    sections: list[tuple[str, str, Callable[[], list[str]]]] = [
        ("agreement", "Values and gradients beside HIPS autograd's", agreement),
        ("gradients", "Gradients, machine code beside HIPS autograd", lambda: gradients(options.budget)),
        ("check", "Checking a file from the command line", check),
        ("edit", "Checking a file while it is edited", edit),
        ("compile", "Compiling a loop and its gradient", compile_times),
        ("gradbench", "GradBench's evals, machine code", lambda: evals.report(options.budget / 4)),
        ("latency", "Machine code", lambda: latency.report(options.budget / 2, options.tiny, options.jax_up_to)),
    ]
    wrong: list[str] = []
    for key, title, section in sections:
        if options.only == key or (options.only is None and key != "agreement"):
            print(f"{title}\n")
            wrong += section()
            print()
    for each in wrong:
        print(f"wrong: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
