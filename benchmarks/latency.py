"""Time from text to first gradient, after an edit, and in steady state; the gradient's speed beside C; log densities.

What is ours and what peers do runs in turns, in one process for each figure, and each peer only where it is installed:
CasADi (`pip install casadi`), JAX, a C compiler. Tables say what was measured, the ratio, and whether the goal is met.

1. A flat sum of geometric constraints (`terms.py`), from text to first gradient, cold: a process of its own, without
   caches on the disk, warm but for the program. Then edits of one term, and one more item in an array.
2. The same gradient in steady state at tier 1 beside `gcc -O3 -march=native` of straight-line C.
3. An array of 100,000 terms beside vectorised C, and a mesh of 100,000 edges.
4. GradBench is in `evals.py`.
5. Log densities beside Stan's times as they were measured once: 17, 52, 367 us on a Xeon of 2.5 GHz, one thread.
6. What a call costs.
"""
from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import dad
import numpy as np

import terms
from timing import compare, duration, seconds, table

HERE = Path(__file__).resolve().parent
NATIVE = find_spec("llvmlite") is not None
FLAT = ("-O3", "-march=native")
VECTORISED = (*FLAT, "-ffast-math", "-mprefer-vector-width=512", "-fdisable-tree-sincos")
STAN = {"schools": 17e-6, "logistic_arrays": 52e-6, "logistic_loops": 52e-6, "hidden_markov": 367e-6}
"""Seconds for a gradient of Stan 2.3x on a Xeon of 2.5 GHz (Cascade Lake), gcc 12, one thread."""
NUMPYRO = {"schools": 23e-6, "logistic_arrays": 66e-6, "logistic_loops": 66e-6, "hidden_markov": 226e-6}
"""The same of NumPyro."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: seconds of ours and of the peer, and how often the peer's time is allowed; with `limit`
    so many seconds are, whatever a peer takes."""

    name: str
    ours: float
    peer: float | None = None
    whose: str = ""
    goal: float = 1.0
    limit: float | None = None

    def row(self) -> tuple[str, ...]:
        ratio = "" if self.peer is None else f"{self.ours / self.peer:.2f}"
        if self.limit is not None:
            goal, met = f"< {duration(self.limit)}", "yes" if self.ours < self.limit else "no"
        elif self.peer is None:
            goal = met = ""
        else:
            goal, met = f"{self.goal:g} x", "yes" if self.ours <= self.goal * self.peer else "no"
        peer = "" if self.peer is None else duration(self.peer)
        return self.name, duration(self.ours), peer, self.whose, ratio, goal, met


def shown(figures: Sequence[Figure]) -> str:
    return table(("figure", "Dad", "peer", "whose", "ratio", "goal", "met"), [f.row() for f in figures])


# ------------------------------------------------------------------ peers


def version(module: str) -> str:
    """A peer with its version, empty where it is not installed."""
    if find_spec(module) is None:
        return ""
    return f"{module} {getattr(import_module(module), '__version__', '')}".strip()


def casadi(program: terms.Program, x: Any) -> Callable[[], Any]:
    """Builds the expression and its gradient, and evaluates them once; gives what evaluates them again."""
    ca: Any = import_module("casadi")
    inputs = ca.SX.sym("x", terms.INPUTS)
    energy = program.expression(terms.Plain(ca), [inputs[k] for k in range(terms.INPUTS)])
    function = ca.Function("energy", [inputs], [energy, ca.gradient(energy, inputs)])
    function(x)
    return lambda: function(x)


def jax(program: terms.Program, x: Any) -> Callable[[], Any]:
    """The same of JAX, compiled."""
    module: Any = import_module("jax")
    module.config.update("jax_enable_x64", True)
    plain = terms.Plain(module.numpy, atan2="arctan2")
    all_of_them = tuple(range(len(x)))
    function = module.jit(module.value_and_grad(lambda *xs: program.expression(plain, xs), argnums=all_of_them))
    given = [float(v) for v in x]
    module.block_until_ready(function(*given))
    return lambda: module.block_until_ready(function(*given))


def compiler() -> str | None:
    return shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")


def compiled_c(text: str, flags: Sequence[str], folder: Path, libraries: Sequence[str] = ("-lm",)) -> Any:
    """A shared library of C. Flags that this compiler does not know are left out."""
    command = compiler()
    assert command is not None
    source, target = folder / "peer.c", folder / f"peer{len(list(folder.iterdir()))}.so"
    source.write_text(text, encoding="utf-8")
    for given in (flags, [f for f in flags if "sincos" not in f and "vector-width" not in f]):
        done = subprocess.run([command, *given, "-shared", "-fPIC", str(source), "-o", str(target), *libraries],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return ctypes.CDLL(str(target))
    raise AssertionError(done.stderr)


def pointer(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


# ------------------------------------------------------------------ 1: text to gradient


def first_gradient(text: str, x: Any) -> float:
    """Seconds from text to the first gradient."""
    return seconds(lambda: dad.compile(text, target="native", tier=0).energy.value_and_grad(x))


def cold(size: int, seed: int, others: Sequence[str]) -> dict[str, float]:
    """Seconds of ours and of peers for one program, each after a small program of other terms."""
    x = np.array(terms.point())
    build = {"casadi": casadi, "jax": jax}
    small = terms.Program(30, seed + 1000)
    first_gradient("entry energy (x: param [3]f64) : f64 = x[0] * sin x[1] + exp x[2]", x[:3])
    found = {"dad": first_gradient(terms.Program(size, seed).text, x)}
    for other in others:
        build[other](small, x)
        found[other] = seconds(partial(build[other], terms.Program(size, seed), x))
    return found


def in_process(*arguments: str) -> dict[str, Any]:
    """What a process of this file prints; without a cache on the disk."""
    environment = {**os.environ, "DAD_CACHE": "0"}
    done = subprocess.run([sys.executable, str(HERE / "latency.py"), *arguments], env=environment, text=True,
                          capture_output=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def cold_figures(sizes: Sequence[int], seeds: int, jax_up_to: int) -> list[Figure]:
    figures: list[Figure] = []
    for size in sizes:
        others = [n for n in ("casadi", "jax") if find_spec(n) and (n != "jax" or size <= jax_up_to)]
        runs = [in_process("--cold", str(size), str(seed), *others)
                for seed in range(1 if "jax" in others else seeds)]
        ours = statistics.median(r["dad"] for r in runs)
        figures += [Figure(f"text to gradient, {size:,} operations", ours,
                           statistics.median(r[other] for r in runs), version(other)) for other in others]
        if not others:
            figures.append(Figure(f"text to gradient, {size:,} operations", ours))
    return figures


def edits(size: int, count: int, budget: float = 60.0) -> dict[str, float]:
    """Seconds from an edited text to its gradient: half of the edits take less, 19 of 20. Fewer edits where these take
    longer than `budget` seconds."""
    program = terms.Program(size, 5)
    x, live = np.array(terms.point()), dad.Live("energy.dad", target="native", tier=0)

    def gradient(text: str) -> Any:
        return live.update(text).energy.value_and_grad(x)

    gradient(program.text)
    times: dict[str, list[float]] = {}
    start = perf_counter()
    for what, text in program.edits(count):
        times.setdefault(what, []).append(seconds(partial(gradient, text)))
        if perf_counter() - start > budget:
            break
    every = sorted(t for ts in times.values() for t in ts)
    late = every[min(len(every) - 1, len(every) * 95 // 100)]
    return {"count": len(every), "p50": statistics.median(every), "p95": late,
            **{what: statistics.median(ts) for what, ts in times.items()}}


def item_more(n: int) -> float:
    """Seconds that the first gradient of one item more takes beyond the next ones."""
    module = dad.load(HERE / "densities.dad", target="native", tier=0)
    random = np.random.default_rng(1)
    given = [[random.random(k) for _ in range(3)] for k in (n, n + 1)]
    for _ in range(5):
        module.terms.value_and_grad(*given[0])
    first = seconds(lambda: module.terms.value_and_grad(*given[1]))
    return max(0.0, first - min(seconds(lambda: module.terms.value_and_grad(*given[1])) for _ in range(20)))


def edit_figures(size: int, count: int) -> list[Figure]:
    found = in_process("--edits", str(size), str(count))
    count = int(found.pop("count"))
    figures = [Figure(f"edit of {size:,} operations, p50 of {count}", found.pop("p50"), limit=10e-3),
               Figure(f"edit of {size:,} operations, p95 of {count}", found.pop("p95"), limit=16e-3)]
    return [*figures, *(Figure(f"  median: {what}", time) for what, time in found.items())]


# ------------------------------------------------------------------ 2, 3: beside C


def steady(size: int, budget: float, folder: Path) -> list[Figure]:
    """The gradient at tier 1 beside straight-line C, in turns."""
    program = terms.Program(size, 7)
    x, out = np.array(terms.point()), np.zeros(terms.INPUTS + 1)
    entry = dad.compile(program.text, target="native", tier=1).energy
    value, gradient = entry.value_and_grad(x)
    figures: list[Figure] = []
    name = f"steady gradient, {size:,} operations"
    if compiler() is not None:
        library = compiled_c(terms.straight_line(program), FLAT, folder)
        at, to = pointer(x), pointer(out)
        library.energy(at, to)
        assert np.allclose(out, [value, *gradient], 1e-8, 1e-8), "C and ours differ"
        race = compare(name, lambda: library.energy(at, to), lambda: entry.value_and_grad(x), budget, most=20_000)
        figures.append(Figure(name, min(race.ours), min(race.peer), "C, -O3 -march=native", 1.2))
        ours = by_address(entry, x, out)
        assert ours() == 0
        assert np.array_equal(out, [value, *gradient]), "another way of calling, other numbers"
        race = compare(name, lambda: library.energy(at, to), ours, budget, most=20_000)
        figures.append(Figure("  both called by address", min(race.ours), min(race.peer), "C, -O3 -march=native", 1.2))
    if find_spec("casadi"):
        race = compare(name, casadi(program, x), lambda: entry.value_and_grad(x), budget / 2, most=2000)
        figures.append(Figure(name, min(race.ours), min(race.peer), version("casadi")))
    return figures or [Figure(name, min(seconds(lambda: entry.value_and_grad(x)) for _ in range(200)))]


def by_address(entry: Any, x: Any, out: Any) -> Callable[[], Any]:
    """Calls an entry's value and gradient as C does; `out` gets the value, then the gradient."""
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(entry.address_of("value_and_grad"))
    sizes = np.array([len(x), len(x)])
    inputs, outputs = np.array([x.ctypes.data]), np.array([out.ctypes.data, out.ctypes.data + out.itemsize])
    given = [pointer(array) for array in (inputs, sizes, outputs)]
    kept = (inputs, sizes, outputs)
    return lambda: function(*given) if kept else None


ARRAY = """
#include <math.h>
double terms(long n, const double *restrict x, const double *restrict k, const double *restrict p, double *restrict g) {
  double s = 0;
  for (long i = 0; i < n; i++) {
    double d = x[i] - p[i], q = 1 + x[i] * x[i];
    s += k[i] * (1 - cos(d)) + 0.5 * log(q);
    g[i] = k[i] * sin(d) + x[i] / q;
  }
  return s;
}
"""


def array(n: int, budget: float, folder: Path) -> list[Figure]:
    random = np.random.default_rng(3)
    x, k, p = (random.standard_normal(n) for _ in range(3))
    entry = dad.load(HERE / "densities.dad", target="native", tier=1).terms
    value, gradient = entry.value_and_grad(x, k, p)
    name = f"array of {n:,} terms"
    if compiler() is None:
        return [Figure(name, min(seconds(lambda: entry.value_and_grad(x, k, p)) for _ in range(50)))]
    try:
        library = compiled_c(ARRAY, VECTORISED, folder, ("-lmvec", "-lm"))
    except AssertionError:
        library = compiled_c(ARRAY, VECTORISED, folder)
    library.terms.restype = ctypes.c_double
    g = np.empty(n)
    given = (ctypes.c_long(n), pointer(x), pointer(k), pointer(p), pointer(g))
    assert abs(library.terms(*given) - value) < 1e-7 * (1 + abs(value)), "C and ours differ"
    assert np.allclose(g, gradient, 1e-8, 1e-8), "C and ours differ"
    race = compare(name, lambda: library.terms(*given), lambda: entry.value_and_grad(x, k, p), budget, most=2000)
    return [Figure(name, min(race.ours), min(race.peer), "C, vectorised, -ffast-math", 1.2)]


MESH = """
#include <math.h>
double mesh(long n, long m, const double *restrict x, const long *restrict i, const long *restrict j,
            const double *restrict d, double *restrict g) {
  double s = 0;
  for (long k = 0; k < n; k++) g[k] = 0;
  for (long k = 0; k < m; k++) {
    double t = x[i[k]] - x[j[k]], q = sqrt(t * t + 0.1), e = q - d[k], c = 2 * e * t / q;
    s += e * e;
    g[i[k]] += c;
    g[j[k]] -= c;
  }
  return s;
}
"""
EDGES = """
entry mesh [n] [m] (x: param [n]f64) (i: data [m]i64) (j: data [m]i64) (d: data [m]f64) : f64 =
  sum (map3 (\\i j d -> let e = sqrt ((x[i] - x[j]) * (x[i] - x[j]) + 0.1) - d in e * e) i j d)
"""


def mesh(edges: int, budget: float, folder: Path) -> list[Figure]:
    """Springs between points that index arrays say, where C does not look whether there are such points."""
    random = np.random.default_rng(4)
    points = edges // 5 + 1
    x, d = random.standard_normal(points), random.standard_normal(edges)
    i, j = random.integers(0, points, (2, edges))
    entry = dad.compile(EDGES, target="native", tier=1).mesh
    value, gradient = entry.value_and_grad(x, i, j, d)
    name = f"mesh of {edges:,} edges"
    if compiler() is None:
        return [Figure(name, min(seconds(lambda: entry.value_and_grad(x, i, j, d)) for _ in range(50)))]
    library = compiled_c(MESH, (*FLAT, "-ffast-math"), folder)
    library.mesh.restype = ctypes.c_double
    g = np.empty(points)
    given = (ctypes.c_long(points), ctypes.c_long(edges), *map(pointer, (x, i, j, d, g)))
    assert abs(library.mesh(*given) - value) < 1e-7 * (1 + abs(value)), "C and ours differ"
    assert np.allclose(g, gradient, 1e-8, 1e-8), "C and ours differ"
    race = compare(name, lambda: library.mesh(*given), lambda: entry.value_and_grad(x, i, j, d), budget, most=2000)
    return [Figure(name, min(race.ours), min(race.peer), "C, -O3 -ffast-math", 1.2)]


# ------------------------------------------------------------------ 5, 6: log densities, calls


def densities(rows: int, steps: int, budget: float) -> list[Figure]:
    random = np.random.default_rng(5)
    features, beta = random.standard_normal((rows, 20)), 0.1 * random.standard_normal(20)
    answers = (random.random(rows) < 0.5).astype(float)
    given: dict[str, tuple[Any, ...]] = {
        "schools": (1.0, 0.5, 0.1 * np.arange(8.0), np.array([28.0, 8, -3, 7, -1, 1, 18, 12]),
                    np.array([15.0, 10, 16, 11, 9, 11, 10, 18])),
        "logistic_arrays": (beta, features, answers), "logistic_loops": (beta, features, answers),
        "hidden_markov": (random.standard_normal((3, 3)), np.array([-1.0, 0, 1]), np.zeros(3),
                          random.standard_normal(steps))}
    module = dad.load(HERE / "densities.dad", target="native", tier=1)
    figures: list[Figure] = []
    for name, arguments in given.items():
        gradient = partial(getattr(module, name).value_and_grad, *arguments)
        compiling = seconds(gradient)
        start, times = perf_counter(), [compiling]
        while perf_counter() - start < budget or len(times) < 10:
            times.append(seconds(gradient))
        what = name.replace("_", " ")
        figures.append(Figure(f"log density: {what}", min(times), STAN[name], "Stan, measured once"))
        figures.append(Figure(f"log density: {what}", min(times), NUMPYRO[name], "NumPyro, measured once"))
        figures.append(Figure("  compiling it, gradient included", compiling, limit=0.1))
    loops, arrays = (next(f.ours for f in figures if f.name.endswith(n)) for n in ("loops", "arrays"))
    figures.append(Figure("logistic: the slower spelling", max(loops, arrays), min(loops, arrays), "the other", 1.1))
    return figures


def calls() -> list[Figure]:
    entry = dad.load(HERE / "densities.dad", target="native", tier=1).square
    rounds = range(1000)

    def many() -> None:
        for _ in rounds:
            entry(2.0)

    return [Figure("call of a small function", min(seconds(many) for _ in range(20)) / len(rounds), limit=5e-6)]


# ------------------------------------------------------------------ all of it


def report(budget: float = 2.0, tiny: bool = False, jax_up_to: int = 0) -> list[str]:
    """Prints the tables. `tiny`: sizes that only show that everything runs."""
    if not NATIVE:
        print("machine code needs llvmlite, which is not installed")
        return []
    sizes, seeds, edited, count = ((60,), 1, (60,), 5) if tiny else ((1000, 5000, 10_000), 3, (1000, 5000, 10_000), 200)
    many, rows, steps, budget = (100, 10, 5, 0.01) if tiny else (100_000, 1000, 500, budget)
    peers = ", ".join(filter(None, map(version, ("casadi", "jax")))) or "none"
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, {compiler() or 'no C compiler'};"
          f" peers: {peers}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sections: list[tuple[str, Callable[[], list[Figure]]]] = [
            ("1. From text to gradient", lambda: cold_figures(sizes, seeds, jax_up_to)),
            ("   After an edit", lambda: [*(f for size in edited for f in edit_figures(size, count)), Figure(
                "one item more in an array: compiling", item_more(1000), limit=1e-4)]),
            ("2. Steady state", lambda: [f for s in sizes[:2] for f in steady(s, budget, folder)]),
            ("3. An array", lambda: array(many, budget, folder) + mesh(many, budget, folder)),
            ("5. Log densities", lambda: densities(rows, steps, budget / 2)),
            ("6. Calls", calls)]
        for title, figures in sections:
            print(f"{title}\n\n{shown(figures())}\n", flush=True)
    return []


def main() -> int:
    options = argparse.ArgumentParser(description="Measure latency, and speed beside C.")
    options.add_argument("--tiny", action="store_true", help="small sizes: shows that all of it runs")
    options.add_argument("--jax-up-to", type=int, default=0, metavar="N", help="JAX too, for programs up to this size")
    options.add_argument("--cold", nargs="+", help=argparse.SUPPRESS)
    options.add_argument("--edits", nargs=2, type=int, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.cold:
        print(json.dumps(cold(int(given.cold[0]), int(given.cold[1]), given.cold[2:])))
    elif given.edits:
        print(json.dumps(edits(*given.edits)))
    else:
        report(tiny=given.tiny, jax_up_to=given.jax_up_to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
