"""GradBench's programs: spoken to through the protocol and compared with plain NumPy, and all their derivatives."""
from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.models.gradbench_answers import ANSWERS, inputs, particle, saddle
from dad.tests.models.harness import check, check_vmap, close

PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "gradbench"
BY_MODULE = itemgetter(0)
TASKS = {module: list(tasks) for module, tasks in groupby(sorted(inputs(), key=BY_MODULE), BY_MODULE)}


def load(name: str) -> Any:
    return dad.load(PROGRAMS / f"{name}.dad")


def converse(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the tool answers to messages, which are numbered here."""
    text = "".join(json.dumps({"id": number, **message}) + "\n" for number, message in enumerate(messages))
    tool = [sys.executable, str(PROGRAMS / "tool.py")]
    done = subprocess.run(tool, input=text, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    responses = [json.loads(line) for line in done.stdout.splitlines()]
    assert [response.pop("id") for response in responses] == list(range(len(messages)))
    return responses


def differences(found: Any, expected: Any, at: str = "output") -> list[str]:
    """As GradBench compares: the same JSON, with numbers that differ by little, relative to their size but at least 1.

    GradBench allows 1e-4; these are small problems, and get 1e-9. Whole numbers are equal.
    """
    if isinstance(expected, np.ndarray):
        expected = expected.tolist()
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        return [line for key in expected for line in differences(found[key], expected[key], f"{at}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{at}[{i}]")]
    if isinstance(expected, int) and isinstance(found, int):
        return [] if found == expected else [f"{at}: {found}, not {expected}"]
    if isinstance(expected, float) and isinstance(found, float):
        near = abs(found - expected) <= 1e-9 * max(1, abs(found) + abs(expected))
        return [] if near else [f"{at}: {found}, not {expected}"]
    return [f"{at}: {found!r} has not the form of {expected!r}"]


@pytest.mark.parametrize("module", TASKS)
def test_gradbench(module: str) -> None:
    tasks = TASKS[module]
    messages: list[dict[str, Any]] = [{"kind": "start", "eval": module}, {"kind": "define", "module": module}]
    for _, function, given in tasks:
        runs = {"min_runs": 1, "min_seconds": 0.0} if isinstance(given, dict) else None
        messages.append({"kind": "evaluate", "module": module, "function": function,
                         "input": given if runs is None else {**given, **runs}})
        messages.append({"kind": "analysis", "of": len(messages) - 1, "valid": True})
    started, defined, *responses = converse(messages)
    assert started["tool"] == "dad"
    assert defined["success"], defined
    assert all(analysis == {} for analysis in responses[1::2])
    for (_, function, given), response in zip(tasks, responses[::2], strict=True):
        assert response["success"], response
        expected = ANSWERS[module](function, given)
        assert differences(response["output"], json.loads(json.dumps(expected, default=np.ndarray.tolist))) == []
        assert [t["name"] for t in response["timings"]] == ["evaluate"]
        assert all(isinstance(t["nanoseconds"], int) and t["nanoseconds"] > 0 for t in response["timings"])


def test_every_function_is_asked_for() -> None:
    asked = {(module, function) for module, tasks in TASKS.items() for _, function, _ in tasks}
    modes = ("ff", "fr", "rf", "rr")
    functions = {"hello": ("square", "double"), "kmeans": ("cost", "dir"), "saddle": modes, "particle": modes,
                 **dict.fromkeys(("gmm", "lstm", "ba", "ht"), ("objective", "jacobian")),
                 **dict.fromkeys(("lse", "llsq", "ode", "det"), ("primal", "gradient"))}
    assert asked == {(module, function) for module in functions for function in functions[module]}


def test_what_the_tool_cannot_do_is_said_in_its_answer() -> None:
    ask = {"kind": "evaluate", "module": "lse", "function": "primal", "input": {"x": [0.0, 0.0]}}
    _, undefined, unknown, _, no_function, no_input, runs, later = converse([
        {"kind": "start"}, ask, {"kind": "define", "module": "nonesuch"}, {"kind": "define", "module": "lse"},
        {**ask, "function": "hessian"}, {**ask, "input": {"y": 1}},
        {**ask, "input": {"x": [0.0, 0.0], "min_runs": 3, "min_seconds": 0.01}}, {"kind": "end"},
    ])
    for response in (undefined, unknown, no_function, no_input):
        assert not response["success"]
        assert response["error"]
    assert len(runs["timings"]) >= 3
    assert sum(t["nanoseconds"] for t in runs["timings"]) >= 10_000_000
    assert later == {}


def test_published_answers() -> None:
    close(saddle("rr", {"start": [1.0, 1.0]}), np.full(4, 8.246324826140356e-06), 1e-15)
    close(particle("rr", {"w": 0.0}), 0.2071918746486116, 1e-12)


# ---------------------------------------------------------------- derivatives of the programs, in all modes and batches


def test_derivatives_of_loops(random: np.random.Generator) -> None:
    polynomial, equation, network = load("llsq"), load("ode"), load("lstm")
    check(polynomial.primal, random.standard_normal(5), 20)
    assert polynomial.gradient([], 20).shape == (0,)
    x = random.random(3)
    close(equation.primal(x, 400), np.array([2 * x[0], 2 * x[0] * x[1], 4 / 3 * x.prod()]), 1e-6)
    for entry in (equation.primal, equation.gradient):
        check(entry, random.random(6), 8)
        check(entry, random.random(1), 3)
    layers, units = 2, 3
    gates = ("forget", "ingate", "outgate", "change")
    main = {part: {gate: random.standard_normal((layers, units)) for gate in gates} for part in ("weight", "bias")}
    ends = {name: random.standard_normal(units) for name in ("in_weight", "out_weight", "out_bias")}
    memory = {name: random.standard_normal((layers, units)) for name in ("hidden", "cell")}
    check(network.objective, main, ends, memory, random.standard_normal((5, units)))


def test_derivatives_of_determinants(random: np.random.Generator) -> None:
    m, a = load("det"), random.standard_normal((4, 4))
    for entry in (m.primal, m.recursive):
        close(entry(a), np.linalg.det(a))
        check(entry, a)
    close(m.gradient(a), np.linalg.det(a) * np.linalg.inv(a).T)


def test_derivatives_of_bundle_adjustment(random: np.random.Generator) -> None:
    m = load("ba")
    rotation = random.standard_normal((2, 3))
    cameras = {"rotation": rotation, "centre": 0.3 * random.standard_normal((2, 3)), "focal": np.full(2, 100.0),
               "principal": random.standard_normal((2, 2)), "radial": 0.1 * random.standard_normal((2, 2))}
    points = random.standard_normal((4, 3)) + np.array([0, 0, 10])
    weights = random.random(5)
    seen = {"camera": np.array([0, 1, 0, 1, 0]), "point": np.array([0, 1, 2, 3, 0]),
            "feature": random.standard_normal((5, 2))}
    check(m.objective, cameras, points, weights, seen)
    still = m.jacobian({**cameras, "rotation": 0 * rotation}, points, weights, seen)
    assert np.isfinite(still.vals).all()
    nothing = m.jacobian(cameras, points, weights[:0], {name: part[:0] for name, part in seen.items()})
    assert nothing.rows.tolist() == [0]
    assert nothing.vals.shape == nothing.cols.shape == (0,)


def test_derivatives_of_a_hand(random: np.random.Generator) -> None:
    m, bones = load("ht"), 22
    model = {"parents": np.array([-1, 0, *(1 if i % 4 == 2 else i - 1 for i in range(2, bones))]),
             "base_relatives": random.standard_normal((bones, 4, 4)),
             "inverse_base_absolutes": random.standard_normal((bones, 4, 4)),
             "base_positions": random.standard_normal((5, 4)), "weights": random.random((5, bones)),
             "triangles": np.array([[0, 1, 2], [2, 3, 4]]), "is_mirrored": False}
    theta, measured = 0.3 * random.standard_normal(26), random.standard_normal((4, 3))
    nearest, triangles = np.array([0, 4, 0, 2]), np.array([0, 1, 1, 0])
    check(m.objective, theta, model, nearest, measured, batched=False)
    check(m.objective_inside, theta, random.random((4, 2)), model, triangles, measured, batched=False)


SLOPES = """
import "solver"
import "particle"
entry missed (w: f64) : f64 = miss forward w
entry slope_ff (w: f64) : f64 = jvp (miss forward) w 1.0
entry slope_fr (w: f64) : f64 = jvp (miss backward) w 1.0
entry slope_rf (w: f64) : f64 = vjp (miss forward) w 1.0
entry slope_rr (w: f64) : f64 = vjp (miss backward) w 1.0
"""


def test_derivatives_of_nested_modes(random: np.random.Generator) -> None:
    m = dad.compile(SLOPES, name=str(PROGRAMS / "slopes.dad"))
    slopes = [entry(0.3) for entry in (m.slope_ff, m.slope_fr, m.slope_rf, m.slope_rr)]
    difference = (m.missed(0.3 + 1e-6) - m.missed(0.3 - 1e-6)) / 2e-6
    np.testing.assert_allclose(slopes, difference, rtol=1e-5)
    check_vmap(m.slope_rr, 0.3)
