"""Launches the kernels of sums: `codegen/backends/cuda/device/sums.py` says what they do.

`run` is the call on the device: `run.take(bytes)` gives the address of memory, `run.launch(name, grid, block, args)`
runs a kernel behind those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SUM_SIZES = {"f64": 8, "f32": 4, "f16": 2}
SUM_WARPS = 1 << 14
"""Warps from which on each of them takes several nodes."""
SUM_STEPS = 6
SUM_GRID = 1 << 20


def sum_depth(n: int) -> int:
    """How deep all nodes of NumPy's tree over `n` numbers have more than 128.

    >>> [sum_depth(n) for n in (0, 128, 136, 143, 144, 1000, 10**6)]
    [0, 0, 1, 1, 1, 3, 13]
    """
    depth = 0
    while n >> 3 >> depth > 16:
        depth += 1
    return depth


def sum_steps(rows: int, depth: int) -> int:
    """Each warp goes through 2**steps nodes."""
    steps = 0
    while steps < min(depth, SUM_STEPS) and rows << (depth - steps - 1) >= SUM_WARPS:
        steps += 1
    return steps


def launch_total(run: Any, kernel: str, args: Sequence[Any], n: int, outs: Sequence[tuple[int, str]]) -> None:
    """Sums of `n` values by a kernel that takes `args`, then what `dad_sum_nodes` and `dad_sum_total` take; `outs` are
    where each goes, and its dtype."""
    depth = sum_depth(n)
    steps = sum_steps(1, depth)
    wide = depth - steps
    size = max(wide - 3, 0)
    to = [run.take(SUM_SIZES[dtype] << size) if size else address for address, dtype in outs]
    numbers = (np.int64(1), np.int64(n), np.int32(depth), np.int32(steps), np.int32(size))
    pairs = [np.int64(address) for left, (address, _) in zip(to, outs, strict=True) for address in (left, address)]
    run.launch(kernel, ((1 << wide) + 7) // 8, 256, (*args, *numbers, *pairs))


def launch_sums(run: Any, kernel: str, args: Sequence[Any], rows: int, n: int, outs: Sequence[tuple[int, str]]) -> None:
    """Sums of `n` values in each of `rows` rows, by a kernel that takes `args` and then what `dad_sum_nodes` takes;
    `outs` are where they go, one number to a row, and their dtypes."""
    if rows <= 0:
        return
    depth = sum_depth(n)
    steps = sum_steps(rows, depth)
    wide = depth - steps
    size = max(wide - 3, 0)
    to = [run.take((rows << size) * SUM_SIZES[dtype]) if size else address for address, dtype in outs]
    blocks = min(((rows << wide) + 7) // 8, SUM_GRID)
    numbers = (np.int64(rows), np.int64(n), np.int32(depth), np.int32(steps))
    run.launch(kernel, blocks, 256, (*args, *numbers, *(np.int64(address) for address in to)))
    if size:
        together = 256 >> min(size, 8)
        pairs = [np.int64(address) for left, (address, _) in zip(to, outs, strict=True) for address in (left, address)]
        run.launch("dad_sum_tree_" + "_".join(dtype for _, dtype in outs), min(-(-rows // together), SUM_GRID), 256,
                   (np.int64(rows), np.int64(size), *pairs))
