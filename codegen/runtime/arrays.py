"""Reading, writing and joining arrays where NumPy's own operators don't say it in one expression.

Emitted modules carry the text of those they use. Functions named `add_…` and `put_…` change their first argument and
return it; the emitter hands them an array that nobody else reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import RunError


def take(x: Any, lead: int, *indices: Any) -> Any:
    """x[:, …, i, j] below `lead` whole axes, where indices may be out of bounds; what is read there means nothing."""
    try:
        return x[(slice(None),) * lead + indices]
    except IndexError:
        sizes = x.shape[lead : lead + len(indices)]
        if 0 in sizes:
            shape = np.broadcast_shapes(*(np.shape(i) for i in indices))
            return np.zeros(x.shape[:lead] + shape + x.shape[lead + len(indices) :], x.dtype)[()]
        inside = tuple(np.clip(i, 0, size - 1) for i, size in zip(indices, sizes, strict=True))
        return x[(slice(None),) * lead + inside]


def in_bounds(x: Any, value: Any, lead: int, indices: Any) -> Any:
    """x with the indexed axes first, flat index arrays without those out of bounds, and the values that go there."""
    shape = np.broadcast_shapes(*(np.shape(i) for i in indices))
    flat = [np.broadcast_to(i, shape).reshape(-1) for i in indices]
    keep = np.ones(flat[0].shape, bool)
    for i, size in zip(flat, x.shape[lead : lead + len(indices)], strict=True):
        keep &= (i >= 0) & (i < size)
    full = np.broadcast_to(value, x.shape[:lead] + shape + x.shape[lead + len(indices) :])
    front = np.moveaxis(x, range(lead), range(-lead, 0)) if lead else x
    rows = np.moveaxis(full, range(lead), range(-lead, 0)) if lead else full
    rows = rows.reshape((flat[0].size, *rows.shape[len(shape) :]))
    return front, tuple(i[keep] for i in flat), rows[keep]


def put_inside(x: Any, value: Any, lead: int, *indices: Any) -> Any:
    """x[:, …, i, j] = value below `lead` whole axes; out of bounds nothing happens, of equal places the last stays."""
    front, inside, rows = in_bounds(x, value, lead, indices)
    front[inside] = rows
    return x


def add_inside(x: Any, value: Any, lead: int, *indices: Any) -> Any:
    """x[:, …, i, j] += value below `lead` whole axes, distinct indices; those out of bounds write nothing."""
    front, inside, rows = in_bounds(x, value, lead, indices)
    front[inside] += rows
    return x


def outside(x: Any, indices: Any) -> Any:
    """Where any of the index arrays points outside of `x`."""
    missing = np.zeros(indices[0].shape, bool)
    for i, size in zip(indices, x.shape, strict=False):
        missing |= (i < 0) | (i >= size)
    return missing


def gather(x: Any, *indices: Any) -> Any:
    """x[i, j, …] for index arrays of one shape; zeros where an index is negative, or where no lane asks."""
    indices = np.broadcast_arrays(*indices)
    missing = outside(x, indices)
    if not missing.any():
        return x[tuple(indices)]
    out = np.zeros(missing.shape + x.shape[len(indices) :], x.dtype)
    there = ~missing
    out[there] = x[tuple(i[there] for i in indices)]
    return out


def add_at(x: Any, values: Any, *indices: Any) -> Any:
    """x[i, j, …] += values for index arrays of one shape; duplicates add up, negative indices are passed over."""
    places = list(np.broadcast_arrays(*indices))
    depth = len(places)
    values = np.broadcast_to(values, places[0].shape + x.shape[depth:])
    missing = outside(x, places)
    if missing.any():
        there = ~missing
        places, values = [i[there] for i in places], values[there]
    if x.size == 0 or values.size == 0:
        return x
    rows = int(np.prod(x.shape[:depth]))
    width = x.size // rows
    if x.dtype != np.float64 or values.size < 64 or 4 * values.size < x.size:
        np.add.at(x, tuple(places), values.copy() if np.may_share_memory(x, values) else values)
        return x
    place = np.ravel_multi_index(tuple(places), x.shape[:depth]).reshape(-1)
    if width > 1:
        place = (place[:, None] * width + np.arange(width)).reshape(-1)
    x += np.bincount(place, values.reshape(-1), x.size).reshape(x.shape)
    return x


def max_at(x: Any, values: Any, *indices: Any) -> Any:
    """x[i, j, …] = max of it and of the values that go there; negative indices are passed over."""
    return best_at(np.fmax, x, values, indices)


def min_at(x: Any, values: Any, *indices: Any) -> Any:
    """x[i, j, …] = min of it and of the values that go there; negative indices are passed over."""
    return best_at(np.fmin, x, values, indices)


def best_at(better: Any, x: Any, values: Any, indices: Any) -> Any:
    places = list(np.broadcast_arrays(*indices))
    values = np.broadcast_to(values, places[0].shape + x.shape[len(places) :])
    missing = outside(x, places)
    if missing.any():
        there = ~missing
        places, values = [i[there] for i in places], values[there]
    better.at(x, tuple(places), values.copy() if np.may_share_memory(x, values) else values)
    return x


def ordered_sum(x: Any, places: Any, axis: int) -> Any:
    """The sum along an axis, added one after the other in the order of the places."""
    sums = np.cumsum(np.take(x, places, axis), axis, x.dtype)
    return sums.take(-1, axis) if len(places) else np.sum(x, axis, x.dtype)


def spread(x: Any, axes: Any, *sizes: int) -> Any:
    """A view of `x` repeated along new axes of these sizes, at the positions `axes` of the result."""
    x = np.expand_dims(x, axes)
    shape = list(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    return np.broadcast_to(x, shape)


def strided(start: int, count: int, step: int) -> slice:
    """`count` places from `start`, `step` apart."""
    if count <= 0:
        return slice(0, 0)
    stop = start + count * step
    return slice(start, stop if stop >= 0 else None, step)


def rotated(x: Any, k: int, axis: int = 0) -> Any:
    """Element i of the result is element (i + k) mod n of `x`, along `axis`."""
    n = x.shape[axis]
    return np.roll(x, -(int(k) % n), axis) if n else x


def stacked_rows(rows: Any, shape: Any, dtype: Any) -> Any:
    """The rows of a loop as one array; `shape` is that of a row where there are none."""
    if len({np.shape(row) for row in rows}) > 1:
        sizes = " and ".join(str(size) for size in sorted({np.shape(row) for row in rows})[:2])
        raise RunError("R103", f"the elements of an array differ in size: {sizes}")
    out = np.empty((len(rows), *(np.shape(rows[0]) if rows else shape)), dtype)
    for k, row in enumerate(rows):
        out[k] = row
    return out


def arg_extreme(function: Any, x: Any, axis: int) -> Any:
    """argmax or argmin; 0 where there are no elements."""
    if x.shape[axis] == 0:
        return np.zeros(x.shape[:axis] + x.shape[axis + 1 :], np.int64)[()]
    return function(x, axis=axis)


def contracted(x: Any, y: Any, batch: int, kept_x: int, kept_y: int) -> Any:
    """Matrix products of x [batch…, kept_x…, summed…] and y [batch…, summed…, kept_y…] by groups of that many axes."""
    lead, rows, columns = x.shape[:batch], x.shape[batch : batch + kept_x], y.ndim - kept_y
    summed = int(np.prod(y.shape[batch:columns]))
    product = np.matmul(
        x.reshape((*lead, int(np.prod(rows)), summed)), y.reshape((*lead, summed, int(np.prod(y.shape[columns:]))))
    )
    return product.reshape(lead + rows + y.shape[columns:])
