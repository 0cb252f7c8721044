"""Primitives on whole arrays that the device has its own ways for.

An argument is a dtype, then the address and the sizes of an array, or an address and no sizes for a number in device
memory, or a number and None. Results come as an address and sizes, one after the other. A function gives None where
NumPy has to do it, on the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .arguments import DTYPES
from .device_matrices import DEVICE_MATRICES
from .device_scatters import scatter_op, scatter_put
from .device_sorting import argsort_rows, flag_positions, grid_of
from .device_sums import launch_sums

COLUMN_STRETCH = 256
COLUMN_ORDERED = 2048
"""So many numbers of a column are added one after the other, as NumPy does; of more, stretches first."""

DeviceArgs = Sequence[tuple[str, Any, Any]]
DeviceResults = list[Any] | None


def _accumulate(run: Any, args: DeviceArgs, op: str, nondet: bool = False) -> DeviceResults:
    (dtype, x, shape), (_, values, _), *indices = args
    if any(not i[2] for i in indices):
        return None
    depth = len(indices)
    size, row, n = math.prod(shape[:depth]), math.prod(shape[depth:]), math.prod(indices[0][2])
    nbytes = size * row * DTYPES[dtype].itemsize
    out = run.take(nbytes)
    run.copy(out, x, nbytes)
    mark = run.mark()
    places = indices[0][1]
    if depth > 1:
        places = run.take(8 * n)
        for k, (_, index, _) in enumerate(indices):
            if n:
                run.launch("dad_flat_places", grid_of(n), 256, (np.int64(index), np.int64(n), np.int64(shape[k]),
                                                                np.int64(k == 0), np.int64(places)))
    scatter_op(run, out, size, places, values, n, dtype, row, op, nondet)
    run.release(mark)
    return [out, *shape]


def _scatter(run: Any, args: DeviceArgs) -> DeviceResults:
    (dtype, x, shape), (_, places, (n,)), (_, values, _) = args
    width = DTYPES[dtype].itemsize
    row = math.prod(shape[1:])
    nbytes = shape[0] * row * width
    out = run.take(nbytes)
    run.copy(out, x, nbytes)
    mark = run.mark()
    scatter_put(run, out, shape[0], places, values, n, width, row)
    run.release(mark)
    return [out, *shape]


def _argsort(run: Any, args: DeviceArgs, axis: int) -> DeviceResults:
    ((dtype, x, shape),) = args
    if axis != len(shape) - 1:
        return None
    n = shape[axis]
    rows = math.prod(shape[:axis])
    out = run.take(8 * rows * n)
    mark = run.mark()
    argsort_rows(run, x, rows, n, dtype, out)
    run.release(mark)
    return [out, *shape]


def _positions(run: Any, args: DeviceArgs) -> DeviceResults:
    ((_, flags, (n,)),) = args
    out = run.take(8 * n)
    mark = run.mark()
    count = flag_positions(run, flags, n, out)
    run.release(mark)
    return [out, count]


def _sum(run: Any, args: DeviceArgs, axis: int) -> DeviceResults:
    """Along the last axis in pairs, along others one after the other, as far as that does not take long."""
    ((dtype, x, shape),) = args
    before, n, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1:])
    width = DTYPES[dtype].itemsize
    out = run.take(before * after * width)
    mark = run.mark()
    if axis == len(shape) - 1 and dtype[0] == "f":
        launch_sums(run, f"dad_sum_rows_{dtype}", (np.int64(x),), before, n, [(out, dtype)])
    elif before * after:
        while n > COLUMN_ORDERED:
            parts = -(-n // COLUMN_STRETCH)
            to = run.take(before * parts * after * width)
            _columns(run, dtype, x, before, n, after, COLUMN_STRETCH, to)
            x, n = to, parts
        _columns(run, dtype, x, before, n, after, max(n, 1), out)
    run.release(mark)
    return [out, *shape[:axis], *shape[axis + 1:]]


def _columns(run: Any, dtype: str, x: int, before: int, n: int, after: int, each: int, to: int) -> None:
    count = before * max(1, -(-n // each)) * after
    run.launch(f"dad_columns_{dtype}", grid_of(count), 256, (
        np.int64(x), np.int64(before), np.int64(n), np.int64(after), np.int64(each), np.int64(to)))


DEVICE_PRIMITIVES: dict[str, Callable[..., Any]] = {
    "accumulate_at": lambda run, args, nondet=False: _accumulate(run, args, "add", nondet),
    "max_at": lambda run, args: _accumulate(run, args, "max"),
    "min_at": lambda run, args: _accumulate(run, args, "min"),
    "scatter": _scatter,
    "argsort": _argsort,
    "positions": _positions,
    "sum": _sum,
    **DEVICE_MATRICES,
}


def device_primitive(run: Any, name: str, attrs: Mapping[str, Any], args: DeviceArgs) -> DeviceResults:
    """What the primitive gives, or None where the device has no way."""
    found: DeviceResults = DEVICE_PRIMITIVES[name](run, args, **attrs)
    return found
