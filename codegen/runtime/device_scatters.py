"""Launches the kernels that add to places: `codegen/backends/cuda/device/scatters.py` says what they do."""

from __future__ import annotations

from typing import Any

import numpy as np

from .device_sorting import grid_of, sort_keys

SCATTER_WHOLE, SCATTER_FRACTIONS = ("i32", "u32", "i64", "u64"), ("f32", "f64")
SCATTER_STRETCH = 256
SCATTER_FEW = 1 << 18
"""Comparisons that a block makes at most to do without a sort."""
SCATTER_SIZES = {"f64": 8, "f32": 4, "f16": 2, "bool": 1} | {f"{s}{b}": b // 8 for s in "iu" for b in (8, 16, 32, 64)}


def scatter_op(run: Any, target: int, size: int, places: int, values: int, n: int, dtype: str, row: int = 1,
               op: str = "add", nondet: bool = False, keyed: bool = False) -> None:
    """target[places[k], j] = op(target[places[k], j], values[k, j]) for k in order: `target` has `size` rows of `row`
    numbers, `n` places are i64, those outside are passed over; `op` is add, mul, max or min; `nondet`: fractions may
    be added in any order; `keyed`: places are u32, and `size` stands for none."""
    if n <= 0 or size <= 0 or row <= 0:
        return
    if keyed and (n >= 1 << 32 or size >= 1 << 32):
        raise ValueError(f"{n} values cannot be added to {size} places at once")
    given = (np.int64(target), np.int64(size), np.int64(places), np.int64(values), np.int64(n), np.int64(row))
    kind = "keys_" if keyed else ""
    if op == "add" and dtype in (*SCATTER_WHOLE, *SCATTER_FRACTIONS * nondet):
        run.launch(f"dad_atomic_{kind}add_{dtype}", grid_of(n * row), 256, given)
        return
    if n * n * row <= SCATTER_FEW:
        run.launch(f"dad_few_{kind}{op}_{dtype}", 1, 256, given)
        return
    if n >= 1 << 32 or size >= 1 << 32:
        raise ValueError(f"{n} values cannot be added to {size} places at once")
    keys = places
    if not keyed:
        keys = run.take(4 * n)
        run.launch("dad_targets", grid_of(n), 256, (np.int64(places), np.int64(size), np.int64(n), np.int64(keys)))
    keys, order = sort_keys(run, "u32", keys, 0, n, size.bit_length())
    stretches = -(-n // SCATTER_STRETCH)
    part = run.take(2 * (stretches + 1) * row * SCATTER_SIZES[dtype])
    run.launch(f"dad_stretches_{op}_{dtype}", grid_of(n * row), 256, (
        np.int64(target), np.int64(size), np.int64(values), np.int64(n), np.int64(row), np.int64(keys), np.int64(order),
        np.int64(part)))
    if n > SCATTER_STRETCH:
        run.launch(f"dad_long_{op}_{dtype}", grid_of(stretches * row), 256, (
            np.int64(target), np.int64(size), np.int64(n), np.int64(row), np.int64(keys), np.int64(part)))


def scatter_put(run: Any, target: int, size: int, places: int, values: int, n: int, width: int, row: int = 1) -> None:
    """target[places[k]] = values[k], the last one stays; rows of `row` numbers of `width` bytes."""
    if n <= 0 or size <= 0 or row <= 0:
        return
    winner = run.take(8 * size)
    run.array(winner, "i64", (size,))[:] = -1
    run.launch("dad_winners", grid_of(n), 256, (np.int64(places), np.int64(size), np.int64(n), np.int64(winner)))
    run.launch(f"dad_winners_put_{width}", grid_of(n * row), 256, (
        np.int64(target), np.int64(size), np.int64(places), np.int64(values), np.int64(n), np.int64(row),
        np.int64(winner)))
