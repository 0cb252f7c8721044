"""What running code has to itself: rooms, each an arena and the context that names it.

A room belongs to a thread, and a thread has as many as runs of it are inside each other. The arena is address space
that is reserved once; the system gives memory to the pages that are touched, and what a run used far beyond what runs
use goes back when it is over. A room is freed when its thread ends.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
import weakref
from collections.abc import Callable
from functools import cache

from . import symbols
from .context import (
    BUDGET,
    BUSY,
    CAPACITY,
    DEPTH,
    END,
    FAILED,
    FLOOR,
    FUEL,
    KEPT,
    LARGE,
    LIMIT,
    LOOK,
    NEXT,
    OWNER,
    POLLED,
    POOL,
    RAISED,
    SLOT,
    STACK,
    START,
    STOP,
    TABLE,
    TOP,
    USUAL,
    WORDS,
)
from .stack import lowest

SIZES = tuple(1 << bits for bits in (38, 36, 34, 32, 30, 28))
"""Bytes of address space to reserve: the first that the system grants."""
NORESERVE = 0x4000
EACH_RUN = (DEPTH, FAILED, SLOT, STOP, POLLED)
PERIOD = 0.025
"""Seconds from one look for signals to the next."""


class Room:
    """The arena and the context of one run at a time."""

    def __init__(self, owner: int, most: int = 1 << 38) -> None:
        """`owner` is the number of a thread's state, or -1; `most` the bytes of the arena."""
        self.arena, self.size = _reserved(most)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.arena))
        self.words = _context()
        self.address = ctypes.addressof(self.words)
        self.error: BaseException | None = None
        """What a callback raised."""
        self.touched = self.last = 0
        """Bytes of the arena that may have memory; bytes that the run before took."""
        limit = self.start + min(self.size, memory())
        self[START], self[FLOOR], self[LIMIT] = self.start, min(self.start + USUAL, limit), limit
        self[END], self[STACK] = self[FLOOR], lowest()
        if owner >= 0 and threading.current_thread() is threading.main_thread():
            self[LOOK] = _look()
        if owner >= 0 and not _rooms.alone:
            self[POOL] = _pool[0]
        rooms[self.address] = self
        self[OWNER] = owner

    def __getitem__(self, field: int) -> int:
        return self.words[field // 8]

    def __setitem__(self, field: int, value: int) -> None:
        self.words[field // 8] = value

    def clear(self) -> None:
        """Ready for a run."""
        self[TOP] = self.start
        for field in EACH_RUN:
            self[field] = 0
        self[FUEL] = BUDGET
        self.error = None

    def take(self, size: int) -> int:
        """The address of so many bytes of the arena. Raises MemoryError when they do not fit."""
        top = self[TOP]
        after = top + pad(size)
        if after > self[LIMIT]:
            raise MemoryError("an array of this program does not fit into memory")
        if after > self[END]:
            self[END], self[LARGE] = min(self.start + (1 << (after - self.start).bit_length()), self[LIMIT]), 1
        self[TOP] = after
        return top

    def raised(self) -> BaseException | None:
        """What a handler of signals raised during the run."""
        kind, value, trace = (self[RAISED + 8 * k] or None for k in range(3))
        self[RAISED] = self[RAISED + 8] = self[RAISED + 16] = 0
        if kind is None:
            return None
        restore = ctypes.pythonapi.PyErr_Restore
        restore.argtypes, restore.restype = [ctypes.c_void_p] * 3, None
        try:
            restore(kind, value, trace)
        except BaseException as error:
            return error
        return None

    def settle(self) -> None:
        """Give memory back after a run that took much: it keeps what the last two runs both took."""
        taken = self[END] - self.start
        self.touched = max(self.touched, taken)
        keep = max(self[FLOOR] - self.start, min(taken, self.last))
        self.last = taken
        if self.touched > keep:
            give_back(self.arena, keep, min(self.touched, self.size))
            self.touched = keep
        if self[KEPT] > USUAL:
            self.free_blocks()
        self[END] = self[FLOOR]
        self[LARGE] = int(max(self.touched, taken) > self[FLOOR] - self.start)
        if self[POOL]:
            _settle[0]()

    def free_blocks(self) -> None:
        """Free the growable blocks."""
        if self[TABLE]:
            cells = (ctypes.c_int64 * (2 * self[CAPACITY])).from_address(self[TABLE])
            for k in range(0, len(cells), 2):
                if cells[k]:
                    _free(cells[k])
            _free(self[TABLE])
        self[TABLE] = self[CAPACITY] = self[KEPT] = 0

    def __del__(self) -> None:
        if _free is not None and hasattr(self, "words"):  # nothing is there any more when Python itself ends
            self[OWNER] = NOBODY
            self.free_blocks()
            _spare.append(self.words)


HEAD = ctypes.c_int64(0)
"""Address of the first context of a list of all."""
NOBODY = -2
"""The owner of a context whose room is gone."""
_contexts: list[ctypes.Array[ctypes.c_int64]] = []
_spare: list[ctypes.Array[ctypes.c_int64]] = []
_linking = threading.Lock()


def _context() -> ctypes.Array[ctypes.c_int64]:
    """The words of a context, in the list of all.

    Machine code follows the list, so none of it is ever freed: contexts of rooms that are gone, at whatever moment the
    collector of garbage takes them, stay where they are until a new room has them.
    """
    try:
        words = _spare.pop()
    except IndexError:
        words = (ctypes.c_int64 * WORDS)()
        words[OWNER // 8] = NOBODY
        with _linking:
            _contexts.append(words)
            words[NEXT // 8], HEAD.value = HEAD.value or 0, ctypes.addressof(words)
        return words
    for k in range(WORDS):
        if k not in (NEXT // 8, OWNER // 8):
            words[k] = 0
    return words


rooms: weakref.WeakValueDictionary[int, Room] = weakref.WeakValueDictionary()
"""Rooms by the addresses of their contexts."""


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.owner = thread_state()
        self.own: list[Room] = []
        self.alone = False
        """Whether its runs have no threads."""


def thread_state() -> int:
    """A number of this thread that no other thread of the process ever has."""
    return int(_get_id(_get_state()))


def set_pool(address: int, settle: Callable[[], None]) -> None:
    """Have runs use these threads; `settle` gives back memory that the threads took."""
    _pool[0], _settle[0] = address, settle
    for room in list(rooms.values()):
        if room[OWNER] >= 0:
            room[POOL] = address


def run_alone() -> None:
    """Have runs of this thread use no others."""
    _rooms.alone = True
    for room in _rooms.own:
        room[POOL] = 0


def entered() -> Room:
    """A room of this thread for a run that begins now."""
    room = next((room for room in _rooms.own if not room[BUSY]), None)
    if room is None:
        room = Room(_rooms.owner)
        _rooms.own.append(room)
    room.clear()
    room[BUSY] = 1
    return room


def left(room: Room) -> None:
    """The run is over and its results are taken."""
    if room[LARGE]:
        room.settle()
    room[BUSY] = 0


def failed_room() -> Room:
    """The room of the run of this thread that failed last: it is still busy."""
    return next(room for room in reversed(_rooms.own) if room[BUSY] and room[FAILED])


def at(context: int) -> Room:
    """The room whose context lies there."""
    return rooms[context]


@cache
def _look() -> int:
    """Where the table of what is needed to look for signals is."""
    api = ctypes.pythonapi
    functions = [symbols.clock(), int(PERIOD * 1e9), *(symbols.address(f) for f in (
        api.PyGILState_Ensure, api.PyErr_CheckSignals, api.PyErr_Fetch, api.PyGILState_Release))]
    _tables.append((ctypes.c_int64 * len(functions))(*functions))
    return ctypes.addressof(_tables[0])


_tables: list[ctypes.Array[ctypes.c_int64]] = []


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


def _reserved(most: int) -> tuple[mmap.mmap, int]:
    for size in (size for size in SIZES if size <= most):
        try:
            if not hasattr(mmap, "MAP_PRIVATE"):
                return mmap.mmap(-1, min(size, 1 << 30)), min(size, 1 << 30)
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", NORESERVE)
            return mmap.mmap(-1, size, flags=flags), size
        except (OSError, ValueError, OverflowError):
            continue
    raise MemoryError("the system grants no address space for the arena")


def give_back(arena: mmap.mmap, start: int, end: int) -> None:
    """Have the system take back the memory of these pages."""
    advice = getattr(mmap, "MADV_DONTNEED", None)
    page = mmap.PAGESIZE
    start = (start + page - 1) // page * page
    if advice is not None and end > start:
        arena.madvise(advice, start, end - start)


_MEMORY = _installed()
_free = ctypes.pythonapi.PyMem_RawFree
_free.argtypes, _free.restype = [ctypes.c_void_p], None
_get_state = ctypes.pythonapi.PyThreadState_Get
_get_state.restype = ctypes.c_void_p
_get_id = ctypes.pythonapi.PyThreadState_GetID
_get_id.argtypes, _get_id.restype = [ctypes.c_void_p], ctypes.c_uint64
_pool = [0]
_settle: list[Callable[[], None]] = [lambda: None]
_rooms = _Rooms()
