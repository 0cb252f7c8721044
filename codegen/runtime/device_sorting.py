"""Launches the kernels that sort: `codegen/backends/cuda/device/sorting.py` says what they do.

Addresses are those of the device's memory, sizes are Python's. At most 2**32 - 1 numbers are sorted at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SORT_TILE = 4096
SORT_GRID = 1 << 16
SORT_BITS = {"bool": 1} | {f"{s}{b}": b for s in "iu" for b in (8, 16, 32, 64)} | {f"f{b}": b for b in (16, 32, 64)}


def grid_of(n: int) -> int:
    """Blocks of 256 threads for `n` things."""
    return max(1, min(-(-n // 256), SORT_GRID))


def sums_before(run: Any, counts: int, n: int) -> None:
    """Each of `n` counts becomes the sum of those before it."""
    stretches = -(-n // 2048)
    sums = run.take(4 * stretches)
    run.launch("dad_tiles", stretches, 256, (np.int64(counts), np.int64(n), np.int64(sums)))
    if stretches > 1:
        run.launch("dad_stretches", 1, 256, (np.int64(sums), np.int64(stretches)))
        run.launch("dad_offsets", -(-n // 256), 256, (np.int64(counts), np.int64(n), np.int64(sums)))


def sort_keys(run: Any, key: str, keys: int, places: int, n: int, bits: int) -> tuple[int, int]:
    """Keys (u32 or u64) of at most so many bits, and the numbers beside them, in order: where both lie then. The
    numbers are 0, 1, 2, … where `places` is 0, before and behind."""
    width = 4 if key == "u32" else 8
    if n < 2 or bits <= 0:
        return keys, places
    tiles = -(-n // SORT_TILE)
    stretches = -(-256 * tiles // 2048)
    counts, sums, ticket = run.take(4 * 256 * tiles), run.take(4 * stretches), run.take(4)
    rooms = [(run.take(width * n), run.take(4 * n)) for _ in range(min(2, (bits + 7) // 8))]
    for step, shift in enumerate(range(0, bits, 8)):
        to = rooms[step % len(rooms)]
        shifted = (np.int64(n), np.int32(shift), np.int64(counts))
        run.launch(f"dad_digits_{key}", tiles, 256, (np.int64(keys), *shifted, np.int64(ticket)))
        run.launch("dad_before_all", stretches, 256, (np.int64(counts), np.int64(256 * tiles), np.int64(sums),
                                                      np.int64(ticket)))
        run.launch(f"dad_move_{key}", tiles, 256, (np.int64(keys), np.int64(places), *shifted, np.int64(sums),
                                                   np.int64(to[0]), np.int64(to[1])))
        keys, places = to
    return keys, places


def argsort_rows(run: Any, x: int, rows: int, n: int, dtype: str, out: int) -> None:
    """Where the least number of each row stands, the next one, …; equal ones in their order, nan last."""
    count = rows * n
    if count == 0:
        return
    if count >= 1 << 32:
        raise ValueError(f"{count} numbers cannot be sorted at once")
    key = "u64" if SORT_BITS[dtype] == 64 else "u32"
    keys = run.take((8 if key == "u64" else 4) * count)
    run.launch(f"dad_keys_{dtype}", grid_of(count), 256, (np.int64(x), np.int64(count), np.int64(keys)))
    keys, places = sort_keys(run, key, keys, 0, count, SORT_BITS[dtype])
    if rows > 1:
        keys = run.take(4 * count)
        run.launch("dad_rows_of", grid_of(count), 256, (np.int64(places), np.int64(count), np.int64(n),
                                                      np.int64(keys)))
        _, places = sort_keys(run, "u32", keys, places, count, (rows - 1).bit_length())
    run.launch("dad_within", grid_of(count), 256, (np.int64(places), np.int64(count), np.int64(n), np.int64(out)))


def flag_positions(run: Any, flags: int, n: int, out: int) -> int:
    """Writes the indices of the flags that are set, in order; how many there are. The device is waited for."""
    if n == 0:
        return 0
    blocks = -(-n // 256)
    counts = run.take(4 * (blocks + 1))
    run.launch("dad_count_flags", blocks, 256, (np.int64(flags), np.int64(n), np.int64(counts)))
    run.array(counts, "u32", (blocks + 1,))[blocks:] = 0
    sums_before(run, counts, blocks + 1)
    run.launch("dad_positions", blocks, 256, (np.int64(flags), np.int64(n), np.int64(counts), np.int64(out)))
    return int(run.array(counts, "u32", (blocks + 1,))[blocks].get())
