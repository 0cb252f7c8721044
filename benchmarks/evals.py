"""All twelve evals of GradBench at sizes that it measures: times of all functions, by way of `gradbench/tool.py`.

Comes in: inputs from the seeded generators below, shaped as GradBench's are. Goes out: a table with the best time of
each function, and of the gradients of peers where they are installed: HIPS autograd (objectives below), JAX and PyTorch
(`gradbench/peers_*.py`), which are optional; all with one thread. Where a peer is timed, its gradient must be ours.
"""
from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from timing import duration, seconds, table

sys.path.insert(0, str(Path(__file__).resolve().parent / "gradbench"))
import peers_jax
import peers_torch
from tool import EVALS, Tool

TOLERANCE = 1e-9


# ------------------------------------------------------------------ inputs


def inputs(seed: int = 31337) -> Iterator[tuple[str, str, Any]]:
    """Eval, size in words, input."""
    random = np.random.default_rng(seed)
    yield "hello", "", 3.0
    yield "lse", "n=100000", {"x": random.random(100_000)}
    yield "llsq", "n=4096 m=128", {"x": random.random(128), "n": 4096}
    for d, k in ((10, 25), (32, 25)):
        yield "gmm", f"d={d} k={k} n=1000", {
            "d": d, "k": k, "n": 1000, "m": 0, "gamma": 1.0, "x": random.standard_normal((1000, d)),
            "alpha": random.standard_normal(k), "mu": random.random((k, d)), "q": random.standard_normal((k, d)),
            "l": random.standard_normal((k, d * (d - 1) // 2))}
    points = random.random((10_000, 8))
    yield "kmeans", "k=100 n=10000 d=8", {"points": points, "centroids": points[-100:]}
    yield "lstm", "l=4 c=1024", {
        "main_params": random.standard_normal((8, 56)), "extra_params": random.standard_normal((3, 14)),
        "state": random.standard_normal((8, 14)), "sequence": random.random((1024, 14))}
    yield "ode", "n=10000 s=100", {"x": random.random(10_000), "s": 100}
    yield "det", "8", {"A": random.random(64), "ell": 8}
    yield "ba", "21, 11315, 36455", {
        "n": 21, "m": 11_315, "p": 36_455, "x": [-0.6, 0.57, -1.8], "w": 1.0, "feat": [-330.0, 260.0],
        "cam": [0.016, -0.013, -0.0044, -0.034, -0.11, 1.1, 400.0, 0.0, 0.0, -3e-7, 6e-13]}
    yield "ht", "544 points, 100 measured", hand(random, 544, 100, inside=False)
    yield "ht", "the same, inside", hand(random, 544, 100, inside=True)
    yield "saddle", "", {"start": [1.0, 1.0]}
    yield "particle", "", {"w": 0.0}


def hand(random: np.random.Generator, points: int, measured: int, *, inside: bool) -> Any:
    bones = 22
    model = {"bone_count": bones, "parents": [-1, 0, *(1 if i % 4 == 2 else i - 1 for i in range(2, bones))],
             "base_relatives": random.standard_normal((bones, 4, 4)),
             "inverse_base_absolutes": random.standard_normal((bones, 4, 4)),
             "base_positions": random.standard_normal((points, 4)), "weights": random.random((points, bones)),
             "triangles": random.integers(0, points, (points, 3)), "is_mirrored": False}
    return {"theta": 0.3 * random.standard_normal(26), "us": random.random((measured, 2)) if inside else [],
            "data": {"model": model, "correspondences": random.integers(0, points, measured),
                     "points": random.standard_normal((measured, 3))}}


# ------------------------------------------------------------------ peers: objectives over NumPy's names


def lse(xp: Any, given: Any) -> tuple[Callable[[Any], Any], Any]:
    def objective(x: Any) -> Any:
        top = xp.max(x)
        return top + xp.log(xp.sum(xp.exp(x - top)))

    return objective, given["x"]


def llsq(xp: Any, given: Any) -> tuple[Callable[[Any], Any], Any]:
    n = given["n"]
    t = -1 + np.arange(n) * 2 / (n - 1)
    powers, signs = t[:, None] ** np.arange(len(given["x"])), np.sign(t)
    return lambda x: 0.5 * xp.sum((signs - xp.dot(powers, x)) ** 2), given["x"]


def gmm(xp: Any, given: Any) -> tuple[Callable[[Any], Any], Any]:
    d, k, n, m, gamma, x = (given[name] for name in ("d", "k", "n", "m", "gamma", "x"))
    columns, rows = np.triu_indices(d, 1)
    place = np.zeros((d, d), dtype=np.int64)
    place[rows, columns] = 1 + np.arange(rows.size)
    degrees = d + m + 1
    constant = k * (degrees * d * math.log(gamma / math.sqrt(2)) - d * (d - 1) / 4 * math.log(math.pi)
                    - sum(math.lgamma((degrees - j) / 2) for j in range(d))) - 0.5 * n * d * math.log(2 * math.pi)

    def logsumexp(values: Any, axis: int) -> Any:
        top = xp.max(values, axis=axis, keepdims=True)
        return xp.squeeze(top, axis) + xp.log(xp.sum(xp.exp(values - top), axis=axis))

    def objective(parameters: Any) -> Any:
        alpha, mu, q, below = parameters
        scales = xp.exp(q)
        padded = xp.concatenate((xp.zeros((k, 1)), below), axis=1)
        factors = padded[:, place] + scales[:, :, None] * np.eye(d)
        white = xp.matmul(x[None] - mu[:, None], xp.swapaxes(factors, 1, 2))
        sums = xp.sum(q, axis=1)
        inner = alpha + sums - 0.5 * xp.transpose(xp.sum(white**2, axis=2))
        prior = 0.5 * gamma**2 * (xp.sum(scales**2) + xp.sum(below**2)) - m * xp.sum(sums)
        return xp.sum(logsumexp(inner, 1)) - n * logsumexp(alpha, 0) - prior + constant

    return objective, tuple(given[name] for name in ("alpha", "mu", "q", "l"))


def ode(xp: Any, given: Any) -> tuple[Callable[[Any], Any], Any]:
    s, h = given["s"], 2 / given["s"]

    def objective(x: Any) -> Any:
        def slope(y: Any) -> Any:
            return x * xp.concatenate((np.ones(1), y[:-1]))

        y = np.zeros(len(given["x"]))
        for _ in range(s):
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y[-1]

    return objective, given["x"]


OBJECTIVES = {"lse": lse, "llsq": llsq, "gmm": gmm, "ode": ode}


def with_autograd(module: str, function: str, given: Any) -> Callable[[], Any] | None:
    if module not in OBJECTIVES or function not in ("gradient", "jacobian"):
        return None
    import autograd
    import autograd.numpy as anp

    objective, at = OBJECTIVES[module](anp, given)
    slope = autograd.grad(objective)
    return lambda: slope(at)


# ------------------------------------------------------------------ times


def best(run: Callable[[], Any], budget: float) -> float:
    """Seconds of the fastest of the runs that fit into the budget, after one that is not counted if it is short."""
    start = perf_counter()
    times = [seconds(run)]
    while perf_counter() - start < budget and len(times) < 200:
        times.append(seconds(run))
    return min(times)


def flat(gradient: Any) -> Any:
    parts = gradient if isinstance(gradient, tuple) else (gradient,)
    return np.concatenate([flat(part) if isinstance(part, tuple) else np.asarray(part).ravel() for part in parts])


def off(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest number; of sparse matrices, of what is not zero."""
    theirs = flat(found)
    ours = flat(expected.vals if hasattr(expected, "vals") else expected)
    return float(np.max(np.abs(ours - theirs)) / max(1.0, float(np.max(np.abs(theirs)))))


def report(budget: float, only: Sequence[str] = tuple(EVALS), target: str = "native") -> list[str]:
    """Prints the table; returns the disagreements with peers."""
    tool, wrong = Tool(target), []
    rows: list[list[str]] = []
    for module, size, given in inputs():
        if module not in only:
            continue
        if module not in tool.modules:
            tool.define(module)
        for function in EVALS[module].functions:
            name, arguments = EVALS[module].call(function, given)
            ours = partial(getattr(tool.modules[module], name), *arguments)
            runs = (with_autograd(module, function, given), peers_jax.gradient(module, name, arguments),
                    peers_torch.gradient(module, name, arguments))
            mine = best(ours, budget)
            row, times = [f"{module} {function}", size, duration(mine)], []
            for peer, run in zip(("autograd", "JAX", "PyTorch"), runs, strict=True):
                if run is None:
                    row.append("")
                    continue
                if not off(run(), ours()) <= TOLERANCE:
                    wrong.append(f"{module} {size}: the gradient is not that of {peer}")
                times.append(best(run, budget))
                row.append(duration(times[-1]))
            rows.append([*row, f"{mine / min(times):.2f}" if times else ""])
    print(table(("function", "size", "Dad", "autograd", "JAX", "PyTorch", "ratio"), rows))
    print("Ratios are Dad / the fastest of the others, below 1 is faster.")
    return wrong
