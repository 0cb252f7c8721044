"""Primitives that machine code calls back into Python for: those without native code of their own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....lang.core.primitive import Primitive
from ....lang.prims.common import NUMPY_NAMES
from ..loops.sites import HostCall
from .context import FAILED
from .memory import Room, at

HOST = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
"""Context, arguments, results: eight bytes to each scalar, pointer and size. True when it failed."""


def runner(primitive: Primitive, call: HostCall) -> Callable[[int, int, int], bool]:
    """The callback of a primitive on arguments of these dtypes and ranks."""
    attrs = dict(call.attrs)

    def run(context: int, given: int, out: int) -> bool:
        room = at(context)
        try:
            values = taken(given, call.args)
            results = primitive.evaluate(*values, **attrs)
            give(room, out, results if len(call.results) > 1 else (results,), call.results)
        except BaseException as error:
            room.error = error
            room[FAILED] = -1
            return True
        return False

    return run


def taken(given: int, types: Sequence[tuple[str, int]]) -> list[Any]:
    slots = (ctypes.c_int64 * sum(1 + rank for _, rank in types)).from_address(given)
    values: list[Any] = []
    k = 0
    for dtype, rank in types:
        kind = np.dtype(NUMPY_NAMES[dtype])
        if rank:
            values.append(view(slots[k], kind, tuple(slots[k + 1:k + 1 + rank])))
        else:
            values.append(np.frombuffer(memoryview((ctypes.c_char * 8).from_address(given + 8 * k)), kind, 1)[0])
        k += 1 + rank
    return values


def give(room: Room, out: int, results: Sequence[Any], types: Sequence[tuple[str, int]]) -> None:
    """Put results where machine code looks for them: arrays into the arena."""
    k = 0
    for (dtype, rank), result in zip(types, results, strict=True):
        value = np.ascontiguousarray(result, NUMPY_NAMES[dtype])
        target = out + 8 * k
        if rank:
            where = room.take(value.nbytes)
            ctypes.memmove(where, value.ctypes.data, value.nbytes)
            (ctypes.c_int64 * (1 + rank)).from_address(target)[:] = [where, *value.shape]
        else:
            ctypes.memmove(target, value.ctypes.data, value.nbytes)
        k += 1 + rank


def view(address: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """The array that lies there, not copied."""
    count = 1
    for size in shape:
        count *= size
    if count == 0:
        return np.zeros(shape, dtype)
    raw = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
    return np.frombuffer(memoryview(raw), dtype).reshape(shape)
