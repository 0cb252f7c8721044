"""What running code has to itself in each thread: an arena, and the context that names it.

The arena is address space that is reserved once; the system gives memory to the pages that are touched.
"""

from __future__ import annotations

import ctypes
import mmap
import threading

from .llvm import END, SLOTS, TOP

SIZES = tuple(1 << bits for bits in (38, 36, 34, 32, 30))
"""Bytes of address space to reserve: the first that the system grants."""
SLOT_COUNT = 4096
NORESERVE = 0x4000


class Room:
    """The arena and the context of one thread."""

    def __init__(self) -> None:
        self.arena, self.size = _reserved()
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.arena))
        self.words = (ctypes.c_int64 * ((SLOTS + 16 * SLOT_COUNT) // 8))()
        self.address = ctypes.addressof(self.words)
        self.depth = 0
        """Calls from Python that are inside each other."""
        self.error: BaseException | None = None

    def clear(self) -> None:
        """Ready for a call."""
        words = self.words
        words[TOP // 8] = self.start
        words[END // 8] = self.start + self.size
        for k in range(2, SLOTS // 8):
            words[k] = 0


class _Rooms(threading.local):
    room: Room | None = None


_rooms = _Rooms()


def room() -> Room:
    """This thread's."""
    if _rooms.room is None:
        _rooms.room = Room()
    return _rooms.room


def _reserved() -> tuple[mmap.mmap, int]:
    for size in SIZES:
        try:
            flags = getattr(mmap, "MAP_PRIVATE", 2) | getattr(mmap, "MAP_ANONYMOUS", 32)
            return mmap.mmap(-1, size, flags=flags | getattr(mmap, "MAP_NORESERVE", NORESERVE)), size
        except (OSError, ValueError, OverflowError):
            continue
    raise MemoryError("the system grants no address space for the arena")
