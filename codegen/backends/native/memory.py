"""What running code has to itself in each thread: an arena, and the context that names it.

The arena is address space that is reserved once; the system gives memory to the pages that are touched.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading

from .llvm import END, FAILED, SLOTS, TOP

SIZES = tuple(1 << bits for bits in (38, 36, 34, 32, 30))
"""Bytes of address space to reserve: the first that the system grants."""
SLOT_COUNT = 4096
NORESERVE = 0x4000
TOP_WORD, END_WORD, FAILED_WORD = TOP // 8, END // 8, FAILED // 8


class Room:
    """The arena and the context of one thread."""

    def __init__(self) -> None:
        self.arena, self.size = _reserved()
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.arena))
        self.words = (ctypes.c_int64 * ((SLOTS + 16 * SLOT_COUNT) // 8))()
        self.address = ctypes.addressof(self.words)
        self.error: BaseException | None = None
        """What a callback raised."""

    def clear(self) -> None:
        """Ready for a call."""
        words = self.words
        words[TOP_WORD] = self.start
        words[END_WORD] = self.start + min(self.size, memory())
        for k in range(2, SLOTS // 8):
            words[k] = 0
        self.error = None


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.free: list[Room] = []
        self.busy: list[Room] = []


_rooms = _Rooms()


def entered() -> Room:
    """A room of this thread for a call that begins now."""
    room = _rooms.free.pop() if _rooms.free else Room()
    _rooms.busy.append(room)
    room.clear()
    return room


def left(room: Room) -> None:
    _rooms.busy.remove(room)
    _rooms.free.append(room)


def current() -> Room:
    """The room of the innermost call that runs in this thread."""
    return _rooms.busy[-1]


def pad(size: int) -> int:
    """Bytes that `size` bytes take in an arena."""
    return (size + 63) // 64 * 64


def memory() -> int:
    """Bytes of memory that the machine has."""
    return _MEMORY


def _installed() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return SIZES[0]


_MEMORY = _installed()


def _reserved() -> tuple[mmap.mmap, int]:
    for size in SIZES:
        try:
            flags = getattr(mmap, "MAP_PRIVATE", 2) | getattr(mmap, "MAP_ANONYMOUS", 32)
            return mmap.mmap(-1, size, flags=flags | getattr(mmap, "MAP_NORESERVE", NORESERVE)), size
        except (OSError, ValueError, OverflowError):
            continue
    raise MemoryError("the system grants no address space for the arena")
