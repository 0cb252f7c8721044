"""Threads for parts of loops: how many, and the workers that all programs of the process share.

`DAD_NUM_THREADS` says how many threads a call may use; one, where it is not set. With more, code is compiled that can
run loops in parts (`loops.spread`), and workers are started by the first loop that is worth it: threads of the system,
made by CPython, that never touch Python. One call has them at a time; another that comes meanwhile runs alone. A fork
leaves them behind: a child starts its own when it needs them.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache

from ....lang.core import ir
from ..loops import spread as loops
from ..loops import tree
from ..loops.nests import nests
from . import jit, memory, symbols
from . import threads_text as t
from .context import BUSY, LEAST, POOL, STOP
from .polls import HEAVY, LIGHT
from .scalars import called_back
from .stack import MARGIN

MOST = 256
STACK = 1 << 24
"""Bytes of stack that a worker has."""
ARENA = 1 << 36
NO_THREAD = ctypes.c_ulong(-1).value
BEGIN = ctypes.CFUNCTYPE(ctypes.c_int64)
assert loops.LEAST == LEAST


def number() -> int:
    """How many threads a call may use. Raises ValueError for a setting that is no number."""
    if _said is not None:
        return _said
    text = os.environ.get("DAD_NUM_THREADS", "").strip() or "1"
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"DAD_NUM_THREADS is {text!r}: a number of threads is needed, 0 for one to each processor")
    return min(int(text) or processors(), MOST)


def chosen() -> bool:
    """Whether somebody says how many: then long sums of arrays are cut, for one thread as for many."""
    return _said is not None or bool(os.environ.get("DAD_NUM_THREADS", "").strip())


_said: int | None = None


def use(count: int | None) -> None:
    """Have this many threads from now on, whatever the environment says; None: what it says."""
    global _said
    _said = count
    if pool.cache_info().currsize:
        pool().words[t.WANTED] = number() - 1


def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def looped(program: ir.Program) -> tree.Program:
    """The loops of a program, in parts where there is more than one thread for them."""
    made = nests(program, chosen())
    if number() == 1:
        return made
    pool()
    return loops.spread(made, cost, called_back)


def cost(name: str) -> int:
    return 1 if name in LIGHT else HEAVY


class Pool:
    """The workers, and the words that they and runs share."""

    def __init__(self) -> None:
        api = ctypes.pythonapi
        self.words = (ctypes.c_int64 * (t.words(MOST) + 8))()
        at = ctypes.addressof(self.words)
        self.words = (ctypes.c_int64 * t.words(MOST)).from_buffer(self.words, -at % 64)
        self.address = ctypes.addressof(self.words)
        made = jit.parsed(t.text(_pause()))
        symbols.check(jit.declared(made))
        self.loaded = jit.Loaded(jit.object_code(made, 1))
        self.begin = BEGIN(self.start)
        self.rooms: list[memory.Room] = []
        self.take = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)(self.loaded.function("dad_take"))
        self.give = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.loaded.function("dad_give"))
        self.starting = threading.Lock()
        for word, value in ((t.RUN, self.loaded.function("dad_run")), (t.WANTED, number() - 1),
                            (t.BEGIN, symbols.address(self.begin)), (t.ROOM, STACK - 2 * MARGIN),
                            (t.ACQUIRE, symbols.address(api.PyThread_acquire_lock_timed)),
                            (t.RELEASE, symbols.address(api.PyThread_release_lock)), (t.DONE, lock()),
                            (t.PIECE, t.USUAL_PIECE)):
            self.words[word] = value
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))  # workers run its code until the process ends

    def start(self) -> int:
        """Start workers, as many as are wanted; how many there are. The caller has the pool."""
        try:
            with self.starting:
                while self.words[t.STARTED] < self.words[t.WANTED] and self.start_one():
                    pass
        except (MemoryError, RuntimeError, ValueError):
            pass
        self.words[t.WANTED] = min(self.words[t.WANTED], self.words[t.STARTED])
        return self.words[t.STARTED]

    def start_one(self) -> bool:
        k = self.words[t.STARTED]
        if k == len(self.rooms):
            self.rooms.append(memory.Room(-1, ARENA))
        at = t.WORKERS + t.EACH * k
        for word, value in ((t.STATE, t.IDLE), (t.LOCK, lock()), (t.CONTEXT, self.rooms[k].address),
                            (t.OWNER, self.address)):
            self.words[at + word] = value
        begin = ctypes.pythonapi.PyThread_start_new_thread
        begin.argtypes, begin.restype = [ctypes.c_void_p, ctypes.c_void_p], ctypes.c_ulong
        before = threading.stack_size(STACK)
        try:
            made = begin(self.loaded.function("dad_work"), self.address + 8 * at)
        finally:
            threading.stack_size(before)
        if made == NO_THREAD:
            return False
        self.words[t.STARTED] = k + 1
        return True

    def settle(self) -> None:
        """Give back what workers' arenas took beyond what they keep, unless somebody uses them now."""
        if self.take(self.address):
            try:
                for room in self.rooms:
                    room.settle()
            finally:
                self.give(self.address)

    def forked(self) -> None:
        """In the child of a fork: nobody else is there."""
        if self.words[t.BUSY]:  # a signal's handler forked during a run: that ends, since its workers are gone
            for room in memory.rooms.values():
                if room[BUSY] and room[POOL]:
                    room[STOP] = 1
        self.starting = threading.Lock()
        self.words[t.STARTED] = self.words[t.BUSY] = self.words[t.LEFT] = 0
        self.words[t.HALT] = 1
        self.words[t.WANTED] = number() - 1
        self.words[t.DONE] = lock()


@cache
def pool() -> Pool:
    """The one pool of the process. No thread is started."""
    with jit.LOCK:
        made = Pool()
        memory.set_pool(made.address, made.settle)
        return made


def lock() -> int:
    """A lock that is taken."""
    new = ctypes.pythonapi.PyThread_allocate_lock
    new.restype = ctypes.c_void_p
    take = ctypes.pythonapi.PyThread_acquire_lock
    take.argtypes, take.restype = [ctypes.c_void_p, ctypes.c_int], ctypes.c_int
    made = int(new() or 0)
    if not made:
        raise MemoryError("the system has no lock left")
    take(made, 1)
    return made


def _pause() -> str:
    """What a processor that waits should do."""
    return "llvm.x86.sse2.pause" if jit.environment().triple.startswith(("x86_64", "i686")) else ""


def _in_child() -> None:
    if pool.cache_info().currsize:
        pool().forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
