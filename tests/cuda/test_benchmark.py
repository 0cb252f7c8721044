"""The programs that `benchmarks/gpu.py` measures: compiled as it compiles them, small, beside the processor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dad.tests.cuda.standin import COUNTS, compiled, installed

HERE = Path(__file__).resolve().parents[2] / "benchmarks"
MOST = {"chain": 1, "gmm": 40, "kmeans": 40, "mesh": 20, "hessians": 10, "ode": 20, "hmm": 20}
"""Launches of a call, at most."""


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    sys.path.insert(0, str(HERE))
    try:
        import gpu

        yield gpu
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def modules(benchmark: Any) -> Iterator[tuple[Any, Any]]:
    with compiled.quick(), installed():
        yield benchmark.program("cuda"), benchmark.program("numpy")


@pytest.mark.parametrize("entry", list(MOST))
def test_cases_agree_with_the_processor(benchmark: Any, modules: tuple[Any, Any], entry: str) -> None:
    device, host = modules
    case = next(c for c in benchmark.CASES if c.entry == entry)
    assert benchmark.agrees(device, host, case) < benchmark.TOLERANCE
    COUNTS.clear()
    benchmark.function(device, case)(*case.arguments(4))
    assert MOST[entry] >= COUNTS.launches


def test_without_a_gpu_it_says_so() -> None:
    if installed_here():
        return
    done = subprocess.run([sys.executable, str(HERE / "gpu.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("no CuPy here") or done.stderr.startswith("no GPU here")


def installed_here() -> bool:
    """Whether there is a GPU that CuPy sees."""
    script = "import cupy; raise SystemExit(not cupy.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
