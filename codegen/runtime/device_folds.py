"""Launches folds and scans: `codegen/backends/cuda/device/folds.py` says what their kernels do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

FOLD_ONE = 4096
"""Elements that one block takes at most, if they are all."""
FOLD_GRID = 1 << 20


def fold_each(n: int, ordered: int = 1) -> int:
    """Elements of a thread: of `n` alone, so that the tree is the same on every card. Up to `ordered` elements are one
    thread's, which joins them one after the other.

    >>> [fold_each(n) for n in (0, 256, 257, 4096, 4097, 10**6, 10**8)]
    [1, 1, 2, 16, 4, 7, 32]
    """
    if n <= ordered:
        return max(1, n)
    if n <= FOLD_ONE:
        return max(1, -(-n // 256))
    return max(4, min(32, n >> 17))


def fold_tiles(n: int, ordered: int = 1) -> int:
    """Tiles of a row."""
    return max(1, -(-n // (256 * fold_each(n, ordered))))


def launch_fold(run: Any, kernel: str, more: str, args: Sequence[Any], rest: Sequence[Any], rows: int, n: int,
                width: int, ordered: int = 1) -> None:
    """A fold of each of `rows` rows of `n` elements.

    `kernel` takes args, rows, n, each, part and calls `dad_fold`; `more` takes rest, from, rows, n, each, part and
    does the same with `dad_stored` elements: `rest` is what its operator and its result need. `width` is the size of
    the state in bytes.
    """
    if rows <= 0:
        return
    given: tuple[Any, ...] = tuple(args)
    while True:
        tiles, each = fold_tiles(n, ordered), fold_each(n, ordered)
        part = run.take(rows * tiles * width) if tiles > 1 else 0
        run.launch(kernel, min(rows * tiles, FOLD_GRID), 256, (*given, np.int64(rows), np.int64(n), np.int32(each),
                                                               np.int64(part)))
        if tiles == 1:
            return
        kernel, given, n, ordered = more, (*rest, np.int64(part)), tiles, 1


def launch_scan(run: Any, kernels: tuple[str, str, str, str], args: Sequence[Any], rest: Sequence[Any], rows: int,
                n: int, width: int, ordered: int = 1) -> None:
    """The prefixes of each of `rows` rows of `n` elements, the element included.

    The kernels: the scan (args, rows, n, each, before), the totals of its tiles (args, rows, n, each, part), a scan of
    states in memory (rest, from, to, rows, n, each, before), and the totals of its tiles (rest, from, rows, n, each,
    part).
    """
    if rows <= 0 or n <= 0:
        return
    scan, totals, more, more_totals = kernels
    tiles, each = fold_tiles(n, ordered), fold_each(n, ordered)
    sizes = (np.int64(rows), np.int64(n), np.int32(each))
    before = 0
    grid = min(rows * tiles, FOLD_GRID)
    if tiles > 1:
        part, before = run.take(rows * tiles * width), run.take(rows * tiles * width)
        run.launch(totals, grid, 256, (*args, *sizes, np.int64(part)))
        launch_scan(run, (more, more_totals, more, more_totals), (*rest, np.int64(part), np.int64(before)), rest, rows,
                    tiles, width)
    run.launch(scan, grid, 256, (*args, *sizes, np.int64(before)))
