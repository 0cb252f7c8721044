"""Memory of calls on a GPU: an arena for what a call computes in between, scratch memory for threads, and results.

The arena belongs to the program, the thread and the stream, and is as large as calls before needed. Calls of one stream
come one after the other, so that what is given back may be taken at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from .arguments import DTYPES

RUN_WORDS = 7
"""Words of a `dad_run`: lock, failed, key, scratch, its size, how much of it is kept, blocks done; then the values that
a failed check says."""
FIRST_CHUNK = 1 << 16
FIRST_SLICE, MOST_SLICES = 1 << 10, 1 << 17
"""Bytes of scratch memory of a thread, at first, and how many threads have some at once."""
FIRST_SCRATCH = 1 << 20
FIRST_BLOCKS = 1 << 24
"""Bytes of scratch memory at first; where a program has blocks that grow."""
ALIGNED = 256


class MoreScratch(Exception):
    """A thread had too little scratch memory."""


class DeviceRoom:
    """Memory of calls of one program, in one thread and stream: they come one after the other."""

    def __init__(self, scratch: int, values: int) -> None:
        self.words = RUN_WORDS + values
        self.chunks: list[Any] = []
        self.sizes: list[int] = []
        self.slice = FIRST_SLICE
        self.clean = True
        """Whether the last call came to its end: if not, the device may still say that it failed."""
        self.state = cupy.cuda.alloc(8 * self.words)
        self.size = 0
        self.grow(scratch)

    def grow(self, size: int) -> None:
        """Have so much scratch memory, and nothing of a call before."""
        if size > self.size:
            self.scratch = cupy.cuda.alloc(size)
            self.size = size
        words = np.zeros(self.words, np.int64)
        words[2], words[3], words[4] = np.iinfo(np.int64).max, self.scratch.ptr, self.size
        stream = cupy.cuda.get_current_stream()
        cupy.cuda.runtime.memcpyAsync(self.state.ptr, words.ctypes.data, words.nbytes, 1, stream.ptr)
        stream.synchronize()  # the words are gone after this

    def forget(self, stream: Any) -> None:
        """No failure is left on the device."""
        cupy.cuda.runtime.memsetAsync(self.state.ptr, 0, 16, stream.ptr)
        cupy.cuda.runtime.memsetAsync(self.state.ptr + 16, 127, 8, stream.ptr)  # no iteration has so large a number


class Memory:
    """What one call takes of a room, by addresses."""

    def __init__(self, room: DeviceRoom, stream: Any) -> None:
        self.room, self.stream = room, stream
        self.chunk, self.top = 0, 0
        self.kept: dict[int, Any] = {}
        """Memory of results, by address."""

    def take(self, size: int) -> int:
        """The address of so many bytes of the arena."""
        size = (max(size, 1) + ALIGNED - 1) // ALIGNED * ALIGNED
        room = self.room
        while self.chunk < len(room.chunks):
            if self.top + size <= room.sizes[self.chunk]:
                address: int = room.chunks[self.chunk].ptr + self.top
                self.top += size
                return address
            self.chunk, self.top = self.chunk + 1, 0
        more = max(size, FIRST_CHUNK, sum(room.sizes))
        room.chunks.append(cupy.cuda.alloc(more))
        room.sizes.append(more)
        self.top = size
        return int(room.chunks[-1].ptr)

    def fresh(self, size: int) -> int:
        """The address of so many bytes that are a result."""
        memory = cupy.cuda.alloc(max(size, 1))
        self.kept[memory.ptr] = memory
        return int(memory.ptr)

    def mark(self) -> tuple[int, int]:
        return self.chunk, self.top

    def release(self, mark: tuple[int, int]) -> None:
        """Give back what was taken since the mark. What runs on the device has its turn before what comes."""
        self.chunk, self.top = mark

    def end(self) -> None:
        """The arena is one piece of memory from now on."""
        room = self.room
        if len(room.chunks) > 1:
            total = sum(room.sizes)
            room.chunks.clear()
            room.chunks.append(cupy.cuda.alloc(total))
            room.sizes[:] = [total]

    def clear(self, address: int, size: int) -> None:
        cupy.cuda.runtime.memsetAsync(address, 0, size, self.stream.ptr)

    def copy(self, target: int, source: int, size: int) -> None:
        """Bytes of the device; the two may overlap."""
        if size <= 0 or target == source:
            return
        if abs(target - source) < size:
            mark = self.mark()
            between = self.take(size)
            self.copy(between, source, size)
            self.copy(target, between, size)
            self.release(mark)
            return
        cupy.cuda.runtime.memcpyAsync(target, source, size, 3, self.stream.ptr)

    def array(self, address: int, dtype: Any, shape: Sequence[int]) -> Any:
        """The array that lies there; `dtype` as Dad or NumPy calls it."""
        kind = DTYPES[dtype] if isinstance(dtype, str) else np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        if size <= 0:
            return cupy.empty(tuple(max(n, 0) for n in shape), kind)
        memory = cupy.cuda.UnownedMemory(address, size, self)
        return cupy.ndarray(tuple(shape), kind, memptr=cupy.cuda.MemoryPointer(memory, 0))

    def results(self, given: Sequence[Any], types: Sequence[tuple[str, int]]) -> list[Any]:
        """Arrays of the user's: numbers are arrays of no axes."""
        found: list[Any] = []
        at = 0
        for dtype, rank in types:
            shape = tuple(max(n, 0) for n in given[at + 1:at + 1 + rank])
            address = given[at]
            at += 1 + rank
            memory = self.kept.pop(address, None)
            if memory is not None:
                found.append(cupy.ndarray(shape, DTYPES[dtype], memptr=memory))
            else:
                made = cupy.empty(shape, DTYPES[dtype])
                self.copy(made.data.ptr, address, made.nbytes)
                found.append(made)
        return found
