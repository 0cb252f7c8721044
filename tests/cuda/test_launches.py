"""What the programs of `benchmarks/gpu.py` come to at their sizes: launches, fills, copies, waits; nothing runs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dad.tests.cuda.standin.planned import Plan, planned

HERE = Path(__file__).resolve().parents[2] / "benchmarks"
COUNTS = {  # launches of the value, and of value and gradient; bytes of zeros that are written
    "chain": (1, None, 0), "gmm": (3, 7, 0), "kmeans": (2, 4, 0), "mesh": (1, 13, 1 << 23), "hessians": (1, None, 0),
    "ode": (2, 7, 1 << 20), "hmm": (2, 7, 0)}


@pytest.fixture(scope="module")
def plan() -> Iterator[Plan]:
    sys.path.insert(0, str(HERE))
    try:
        with planned() as made:
            yield made
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def benchmark(plan: Plan) -> Any:
    import gpu

    return gpu


@pytest.fixture(scope="module")
def module(benchmark: Any) -> Any:
    return benchmark.program("cuda")


def placed(args: tuple[Any, ...]) -> list[Any]:
    import cupy

    return [cupy.empty(x.shape, x.dtype) if isinstance(x, np.ndarray) else x for x in args]


@pytest.mark.parametrize("entry", list(COUNTS))
def test_launches_of_benchmarks(plan: Plan, benchmark: Any, module: Any, entry: str) -> None:
    case = next(c for c in benchmark.CASES if c.entry == entry)
    args = placed(case.arguments(min(case.size, 1_000_000)))
    function = getattr(module, entry)
    value, gradient, zeros = COUNTS[entry]
    for run, launches in ((function, value), (function.value_and_grad, gradient)):
        if launches is not None:
            run(*args)
            plan.clear()
            run(*args)
            assert len(plan.launches) == launches, Counter(plan.names)
            assert sum(plan.fills) <= zeros
            assert plan.waits <= 1


def test_a_mesh_is_sorted_once_by_corners(plan: Plan, benchmark: Any, module: Any) -> None:
    """Three keys to a triangle in the plane, whose rows have two numbers; of 19 bits, three passes."""
    case = next(c for c in benchmark.CASES if c.entry == "mesh")
    args = placed(case.arguments(1_000_000))
    triangles = args[1].shape[0]
    module.mesh.value_and_grad(*args)
    plan.clear()
    module.mesh.value_and_grad(*args)
    moves = [one for one in plan.launches if one.name == "dad_move_u32"]
    assert [int(one.args[2]) for one in moves] == [3 * triangles] * 3
    last = next(one for one in plan.launches if one.name == "dad_stretches_add_f64")
    assert (int(last.args[3]), int(last.args[4])) == (3 * triangles, 2)

