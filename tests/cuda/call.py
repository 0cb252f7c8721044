"""A call on the device for tests of the device library: memory, launches, arrays in and out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from dad.tests.cuda.standin import installed, set_order

DTYPES = {"f64": np.float64, "f32": np.float32, "f16": np.float16, "bool": np.bool_} | {
    f"{s}{b}": np.dtype(f"{s}{b // 8}").type for s in "iu" for b in (8, 16, 32, 64)}
ORDERS = ("forward", "reverse", "random")
SIZES = (0, 1, 2, 7, 8, 9, 31, 32, 33, 127, 128, 129, 136, 143, 144, 1000, 4097)


class Call:
    """What host functions of the device library are given as `run`."""

    def __init__(self, cupy: Any, text: str) -> None:
        self.cupy = cupy
        self.module = cupy.RawModule(code=text)
        self.kept: list[Any] = []

    def take(self, size: int) -> int:
        self.kept.append(self.cupy.cuda.alloc(max(size, 1)))
        return int(self.kept[-1].ptr)

    def launch(self, name: str, grid: int, block: int, args: Sequence[Any], shared: int = 0) -> None:
        self.module.get_function(name)((grid,), (block,), tuple(args), shared_mem=shared)

    def array(self, address: int, dtype: Any, shape: Any) -> Any:
        """A view of memory."""
        dtype = DTYPES.get(dtype, dtype)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = self.cupy.cuda.UnownedMemory(address, size, self)
        return self.cupy.ndarray(shape, dtype, self.cupy.cuda.MemoryPointer(memory, 0))

    def put(self, array: Any) -> int:
        """The address of a copy on the device."""
        self.kept.append(self.cupy.asarray(np.ascontiguousarray(array)))
        return int(self.kept[-1].data.ptr)

    def room(self, dtype: str, shape: Any) -> Any:
        """An array on the device that is not filled."""
        self.kept.append(self.cupy.empty(shape, DTYPES[dtype]))
        return self.kept[-1]


@contextmanager
def device() -> Iterator[Any]:
    """The stand-in for CuPy; threads run forward in the end."""
    with installed() as cupy:
        try:
            yield cupy
        finally:
            set_order("forward")


def bits(x: Any) -> Any:
    """Arrays that are equal when all bits are."""
    return np.ascontiguousarray(x).view(np.uint8)
