"""`python benchmarks/gpu.py`: gradients on a GPU, beside JAX and PyTorch on the same card, in one run.

Each of the programs in `gpu.dad` is compiled for the card, its numbers are compared with those of the processor at a
small size and with those of the peers at the measured one, then all are timed in turns, arrays lying on the device. A
program that memory limits is shown as a part of what the card copies in the same time. Peers that are not installed, or
do not see the card, are said and left out; without a GPU there is nothing to measure, which is said too (status 2).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import dad
import numpy as np

from gpu_cases import CASES, Case

HERE = Path(__file__).resolve().parent
SMALL = 64
TOLERANCE = 1e-8

Run = Callable[[], Any]


def program(target: str) -> Any:
    return dad.load(HERE / "gpu.dad", target=target)


def function(module: Any, case: Case) -> Callable[..., Any]:
    entry = getattr(module, case.entry)
    return entry if case.plain else entry.value_and_grad  # type: ignore[no-any-return]


def flat(result: Any) -> list[Any]:
    """All arrays of a result, in order."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in flat(part)]
    return [result]


def on_host(result: Any) -> list[Any]:
    found = []
    for leaf in flat(result):
        if hasattr(leaf, "detach"):
            leaf = leaf.detach().cpu().numpy()
        found.append(np.asarray(leaf.get() if hasattr(leaf, "get") and not isinstance(leaf, dict) else leaf))
    return found


def distance(got: Any, want: Any) -> float:
    """The largest difference, in parts of the largest number of each array."""
    worst = 0.0
    for x, y in zip(on_host(got), on_host(want), strict=True):
        scale = max(float(np.max(np.abs(y), initial=0)), 1e-300)
        worst = max(worst, float(np.max(np.abs(x - y), initial=0)) / scale)
    return worst


def agrees(device: Any, host: Any, case: Case) -> float:
    """How far the kernels of a case are from the processor, at a small size."""
    given = case.arguments(SMALL)
    return distance(function(device, case)(*given), function(host, case)(*given))


# ------------------------------------------------------------------ who runs


def ours(module: Any, case: Case, given: Sequence[Any]) -> Run:
    import cupy

    placed = [cupy.asarray(x) if isinstance(x, np.ndarray) else x for x in given]
    run = function(module, case)
    return lambda: run(*placed)


def with_jax(case: Case, given: Sequence[Any]) -> Run | str:
    try:
        jax: Any = import_module("jax")
    except ImportError:
        return "not installed"
    jax.config.update("jax_enable_x64", True)
    if not any(d.platform == "gpu" for d in jax.devices()):
        return "sees no GPU"
    compiled = jax.jit(case.jax(jax))
    placed = [jax.device_put(x) for x in given]
    return lambda: jax.block_until_ready(compiled(*placed))


def with_torch(case: Case, given: Sequence[Any]) -> Run | str:
    try:
        torch: Any = import_module("torch")
    except ImportError:
        return "not installed"
    if not torch.cuda.is_available():
        return "sees no GPU"
    placed = [torch.as_tensor(x, device="cuda") if isinstance(x, np.ndarray) else x for x in given]
    eager = case.torch(torch)
    compiled = torch.compile(eager) if case.plain and case.entry == "chain" else eager
    return lambda: compiled(*placed)


def seconds(run: Run, wait: Callable[[], None], budget: float) -> float:
    """The median of calls, each waited for."""
    run()
    wait()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - begin < budget and len(times) < 200):
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def bandwidth(cupy: Any, wait: Callable[[], None]) -> float:
    """Bytes that the card copies in a second, read and written."""
    source = cupy.zeros(1 << 27)
    target = cupy.empty_like(source)
    return float(2 * source.nbytes) / seconds(lambda: cupy.copyto(target, source), wait, 0.5)


def device() -> Any:
    """CuPy, where there is a GPU; else None, and why is said."""
    try:
        cupy: Any = import_module("cupy")
    except ImportError:
        print("no CuPy here: install cupy-cuda13x (or cupy-cuda12x) on a machine with an NVIDIA GPU", file=sys.stderr)
        return None
    if not cupy.cuda.is_available():
        print("no GPU here: CuPy finds no device, so there is nothing to measure", file=sys.stderr)
        return None
    return cupy


def main() -> int:
    parser = argparse.ArgumentParser(description="Gradients on a GPU, beside JAX and PyTorch.")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds for each side of each case")
    parser.add_argument("--only", choices=[c.entry for c in CASES], help="one case")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes")
    chosen = parser.parse_args()
    cupy = device()
    if cupy is None:
        return 2
    wait = cupy.cuda.Device().synchronize
    copies = bandwidth(cupy, wait)
    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    print(f"{name}: copies {copies / 1e9:.0f} GB/s\n")
    ours_module, host = program("cuda"), program("numpy")
    wrong = 0
    for case in CASES:
        if chosen.only not in (None, case.entry):
            continue
        size = max(1, int(case.size * chosen.scale))
        far = agrees(ours_module, host, case)
        wrong += far > TOLERANCE
        given = case.arguments(size)
        mine = ours(ours_module, case, given)
        spent = seconds(mine, wait, chosen.budget)
        line = f"{case.name:36s} dad {1e3 * spent:10.3f} ms   from the processor {far:.0e}"
        if case.bytes(size):
            line += f"   {100 * case.bytes(size) / spent / copies:.0f} % of the copy bandwidth"
        print(line)
        for peer, make in (("jax", with_jax), ("torch", with_torch)):
            theirs = make(case, given)
            if isinstance(theirs, str):
                print(f"{'':36s} {peer}: {theirs}")
                continue
            apart = distance(mine(), theirs())
            wrong += apart > TOLERANCE
            peers = seconds(theirs, wait, chosen.budget)
            print(f"{'':36s} {peer} {1e3 * peers:8.3f} ms   {peers / spent:.2f} times as long, apart {apart:.0e}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
