"""Dad as a tool of GradBench (https://github.com/gradbench/gradbench): `python benchmarks/gradbench/tool.py`.

Comes in: one message to a line of standard input, JSON. `start`; `define`, which compiles the program `MODULE.dad`
beside this file; `evaluate`, which calls one of its entries at least `min_runs` times, until `min_seconds` are spent.
Goes out: a line for each message, with its `id`; for an evaluation the output and how long each run took. Arrays of
numbers are made of the input before the clock starts, and lists of the output after it has stopped.

    gradbench run --eval EVAL --tool "python benchmarks/gradbench/tool.py"

The readme of each eval says what its functions are given and have to answer; `EVALS` below is the same as code.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import dad
import numpy as np

HERE = Path(__file__).resolve().parent
Call = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Eval:
    """`call` turns a function's name and its input into an entry and its arguments, `answer` a result into JSON."""

    functions: tuple[str, ...]
    call: Callable[[str, Any], Call]
    answer: Callable[[str, Any], Any]


def reals(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64)


def whole(values: Any) -> Any:
    return np.asarray(values, dtype=np.int64)


def plainly(_function: str, result: Any) -> Any:
    """Numbers and lists."""
    return result.tolist() if isinstance(result, np.ndarray) else result


# ---------------------------------------------------------------- gmm


def gmm_call(function: str, given: Any) -> Call:
    k, d = int(given["k"]), int(given["d"])
    theta = {"alpha": reals(given["alpha"]), "mu": reals(given["mu"]), "q": reals(given["q"]),
             "l": reals(given["l"]).reshape(k, d * (d - 1) // 2)}
    return function, (theta, reals(given["x"]), float(given["gamma"]), int(given["m"]))


def gmm_answer(function: str, result: Any) -> Any:
    if function == "jacobian":
        return {field: value.tolist() for field, value in result._asdict().items()}
    return result


# ---------------------------------------------------------------- lstm

GATES = ("forget", "ingate", "outgate", "change")
ENDS = ("in_weight", "out_weight", "out_bias")


def lstm_call(function: str, given: Any) -> Call:
    """The input has two rows to a layer: weights and biases, gate after gate; and hidden and cell."""
    main, state = reals(given["main_params"]), reals(given["state"])
    layers, units = len(main) // 2, main.shape[1] // 4
    gates, memory = main.reshape(layers, 2, 4, units), state.reshape(layers, 2, units)
    weight, bias = ({name: gates[:, part, k] for k, name in enumerate(GATES)} for part in (0, 1))
    return function, ({"weight": weight, "bias": bias}, dict(zip(ENDS, reals(given["extra_params"]), strict=True)),
                      {"hidden": memory[:, 0], "cell": memory[:, 1]}, reals(given["sequence"]))


def lstm_answer(function: str, result: Any) -> Any:
    """The gradient in the order of the input, as one list."""
    if function == "objective":
        return result
    layers, ends = result
    main = np.stack([getattr(part, name) for part in (layers.weight, layers.bias) for name in GATES], axis=1)
    return np.concatenate([main.ravel(), *(getattr(ends, name) for name in ENDS)]).tolist()


# ---------------------------------------------------------------- ba

CAMERA: dict[str, slice | int] = {
    "rotation": slice(0, 3), "centre": slice(3, 6), "focal": 6, "principal": slice(7, 9), "radial": slice(9, 11),
}


def ba_call(function: str, given: Any) -> Call:
    """The input has one camera, one point, one weight and one feature, for all of them."""
    n, m, p = int(given["n"]), int(given["m"]), int(given["p"])
    cameras = np.tile(reals(given["cam"]), (n, 1))
    seen = {"camera": whole(np.arange(p) % n), "point": whole(np.arange(p) % m),
            "feature": np.tile(reals(given["feat"]), (p, 1))}
    return function, ({field: cameras[:, part].copy() for field, part in CAMERA.items()},
                      np.tile(reals(given["x"]), (m, 1)), np.full(p, float(given["w"])), seen)


def ba_answer(function: str, result: Any) -> Any:
    """All observations being equal, GradBench looks at the first one and at the last number of each array."""
    if function == "objective":
        errors, regularisations = result
        return {"reproj_error": {"elements": errors[0].tolist(), "repeated": len(errors)},
                "w_err": {"element": float(regularisations[0]), "repeated": len(regularisations)}}
    return {name: [*values[:30].tolist(), values[-1].item()] for name, values in result._asdict().items()}


# ---------------------------------------------------------------- ht


def ht_call(function: str, given: Any) -> Call:
    """Without `us`, the measured points belong to points of the skin; with them, to points inside of triangles."""
    data, us = given["data"], reals(given["us"])
    model = data["model"]
    arguments = ({
        "parents": whole(model["parents"]), "base_relatives": reals(model["base_relatives"]),
        "inverse_base_absolutes": reals(model["inverse_base_absolutes"]),
        "base_positions": reals(model["base_positions"]), "weights": reals(model["weights"]),
        "triangles": whole(model["triangles"]).reshape(-1, 3), "is_mirrored": bool(model["is_mirrored"]),
    }, whole(data["correspondences"]), reals(data["points"]))
    theta = reals(given["theta"])
    if us.size == 0:
        return function, (theta, *arguments)
    return f"{function}_inside", (theta, us.reshape(-1, 2), *arguments)


# ---------------------------------------------------------------- all of them

MODES = ("ff", "fr", "rf", "rr")

EVALS = {
    "hello": Eval(("square", "double"), lambda f, given: (f, (float(given),)), plainly),
    "lse": Eval(("primal", "gradient"), lambda f, given: (f, (reals(given["x"]),)), plainly),
    "llsq": Eval(("primal", "gradient"), lambda f, given: (f, (reals(given["x"]), int(given["n"]))), plainly),
    "gmm": Eval(("objective", "jacobian"), gmm_call, gmm_answer),
    "kmeans": Eval(("cost", "dir"), lambda f, given: (f, (reals(given["centroids"]), reals(given["points"]))), plainly),
    "lstm": Eval(("objective", "jacobian"), lstm_call, lstm_answer),
    "ode": Eval(("primal", "gradient"), lambda f, given: (f, (reals(given["x"]), int(given["s"]))), plainly),
    "det": Eval(("primal", "gradient"),
                lambda f, given: (f, (reals(given["A"]).reshape(int(given["ell"]), -1),)),
                lambda f, result: result.ravel().tolist() if f == "gradient" else result),
    "ba": Eval(("objective", "jacobian"), ba_call, ba_answer),
    "ht": Eval(("objective", "jacobian"), ht_call, plainly),
    "saddle": Eval(MODES, lambda f, given: (f, (reals(given["start"]),)), plainly),
    "particle": Eval(MODES, lambda f, given: (f, (float(given["w"]),)), plainly),
}


class Tool:
    """What answers messages; it keeps the modules that were defined."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.modules: dict[str, Any] = {}

    def respond(self, message: Any) -> dict[str, Any]:
        """The response to a message, less its `id`."""
        match message.get("kind"):
            case "start":
                return {"tool": "dad", "config": {"target": self.target}}
            case "define":
                return self.define(message["module"])
            case "evaluate":
                return self.evaluate(message["module"], message["function"], message["input"])
        return {}

    def define(self, module: str) -> dict[str, Any]:
        if module not in EVALS:
            return failure(f"there is no program for `{module}`")
        start = time.perf_counter_ns()
        tier = 1 if self.target == "native" else None  # define is where compiling belongs
        self.modules[module] = dad.load(HERE / f"{module}.dad", target=self.target, tier=tier)
        return {"success": True, "timings": [timing("compile", time.perf_counter_ns() - start)]}

    def evaluate(self, module: str, function: str, given: Any) -> dict[str, Any]:
        if module not in self.modules:
            return failure(f"`{module}` was not defined")
        if function not in EVALS[module].functions:
            return failure(f"`{module}` has no function `{function}`")
        name, arguments = EVALS[module].call(function, given)
        entry = getattr(self.modules[module], name)
        runs = list(timed(lambda: entry(*arguments), *repetitions(given)))
        return {"success": True, "output": EVALS[module].answer(function, runs[-1][0]),
                "timings": [timing("evaluate", nanoseconds) for _, nanoseconds in runs]}


def repetitions(given: Any) -> tuple[int, float]:
    """How often to run at least, and for how many seconds; inputs that do not say are run once."""
    if not isinstance(given, dict):
        return 1, 0.0
    return max(1, int(given.get("min_runs", 1))), float(given.get("min_seconds", 0.0))


def timed(run: Callable[[], Any], least: int, budget: float) -> Iterator[tuple[Any, int]]:
    """Results of runs and what they took, in nanoseconds."""
    spent = number = 0
    while number < least or spent < budget * 1e9:
        start = time.perf_counter_ns()
        result = run()
        took = time.perf_counter_ns() - start
        yield result, took
        spent += took
        number += 1


def timing(name: str, nanoseconds: int) -> dict[str, Any]:
    return {"name": name, "nanoseconds": nanoseconds}


def failure(why: str) -> dict[str, Any]:
    return {"success": False, "error": why}


def answer(tool: Tool, message: Any) -> dict[str, Any]:
    """The whole response. Whatever goes wrong is said in it: the conversation goes on."""
    try:
        response = tool.respond(message)
    except Exception as error:
        response = failure(f"{type(error).__name__}: {error}")
    return {"id": message["id"], **response}


def converse(tool: Tool, messages: TextIO, responses: TextIO) -> None:
    for line in messages:
        if line.strip():
            print(json.dumps(answer(tool, json.loads(line))), file=responses, flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description="Dad as a tool of GradBench.")
    arguments.add_argument("--target", default="numpy", help="the back end (default: numpy)")
    try:
        converse(Tool(arguments.parse_args().target), sys.stdin, sys.stdout)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
