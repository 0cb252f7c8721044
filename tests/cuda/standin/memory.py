"""Memory of the device that is none: each block of its own pages, with pages behind it that nobody may touch.

What is allocated is filled with bytes of ones, so floats are nan; what is freed is gone. Under a sanitiser it is memory
of the heap, which the sanitiser watches.
"""

from __future__ import annotations

import ctypes
import weakref
from bisect import bisect_right, insort
from typing import Any

from .compiled import MODE

PAGE = 4096
LIBC: Any = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
LIBC.memalign.restype = ctypes.c_void_p
LIBC.memalign.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
LIBC.free.argtypes = [ctypes.c_void_p]
READ_WRITE, NONE, PRIVATE_ANONYMOUS = 3, 0, 0x22
ALIGNMENT = 16
"""Of the device's memory; more than that, kernels may not presume here."""


class OutOfMemoryError(MemoryError):
    """`cupy.cuda.memory.OutOfMemoryError`."""


class Counts:
    """What has happened on the device since the last `clear`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.launches = self.synchronisations = self.allocations = self.to_host = self.to_device = 0
        self.launched: list[str] = []


COUNTS = Counts()


class Device:
    """The memory that there is: `limit` bytes; `used` of them now."""

    def __init__(self) -> None:
        self.limit = 1 << 33
        self.used = 0
        self.places: list[tuple[int, int]] = []

    def taken(self, address: int, size: int) -> None:
        self.used += size
        insort(self.places, (address, size))

    def given_back(self, address: int, size: int) -> None:
        self.used -= size
        self.places.remove((address, size))

    def block_at(self, address: int) -> tuple[int, int] | None:
        """Start and size of the block in which this address lies, or right at whose end."""
        k = bisect_right(self.places, (address, 1 << 62)) - 1
        if k < 0:
            return None
        start, size = self.places[k]
        return (start, size) if start <= address <= start + size else None


DEVICE = Device()


def release(address: int, size: int, base: int, length: int) -> None:
    DEVICE.given_back(address, size)
    if length:
        LIBC.munmap(base, length)
    else:
        LIBC.free(base)


class Memory:
    """A block of so many bytes, `ptr` its address; freed when nobody holds it."""

    def __init__(self, size: int) -> None:
        if DEVICE.used + size > DEVICE.limit:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes (allocated so far: {DEVICE.used:,} "
                                   "bytes).")
        COUNTS.allocations += 1
        room = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        if MODE.sanitised:
            base, length = int(LIBC.memalign(256, room)), 0
            self.ptr = base
        else:
            pages = -(-room // PAGE) * PAGE
            length = pages + PAGE
            base = int(LIBC.mmap(None, length, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0))
            assert base not in (0, ctypes.c_size_t(-1).value), "no memory"
            LIBC.mprotect(base + pages, PAGE, NONE)
            self.ptr = base + pages - room
        ctypes.memset(self.ptr, 255, room)
        self.size, self.device_id = size, 0
        DEVICE.taken(self.ptr, size)
        weakref.finalize(self, release, self.ptr, size, base, length)

    @property
    def device(self) -> Any:
        return _device()


class UnownedMemory:
    """Memory that somebody else, `owner`, keeps."""

    def __init__(self, ptr: int, size: int, owner: object, device_id: int = -1) -> None:
        self.ptr, self.size, self._owner, self.device_id = int(ptr), int(size), owner, max(device_id, 0)

    @property
    def device(self) -> Any:
        return _device()


def _device() -> Any:
    from .gpu import Device as Chosen

    return Chosen()


class MemoryPointer:
    """A place in a block."""

    def __init__(self, mem: Memory | UnownedMemory, offset: int) -> None:
        self.mem, self.ptr = mem, mem.ptr + int(offset)

    @property
    def device(self) -> Any:
        return self.mem.device

    @property
    def device_id(self) -> int:
        return self.mem.device_id

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + int(offset))

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -int(offset)

    def memset(self, value: int, size: int) -> None:
        within(self.ptr, size)
        ctypes.memset(self.ptr, value, size)

    memset_async = memset

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        within(self.ptr, size)
        within(src.ptr, size)
        ctypes.memmove(self.ptr, src.ptr, size)

    copy_from_device_async = copy_from_device


def alloc(size: int) -> MemoryPointer:
    """`cupy.cuda.alloc`."""
    return MemoryPointer(Memory(int(size)), 0)


def within(address: int, size: int) -> None:
    """Fails unless these bytes are the device's."""
    if size == 0:
        return
    block = DEVICE.block_at(address)
    inside = block is not None and address + size <= sum(block)
    assert inside, f"{size} bytes at {address:#x} are not in a block of the device ({block})"
