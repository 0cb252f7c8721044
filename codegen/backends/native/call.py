"""Machine code as Python functions of leaves: scalars and C-contiguous arrays in, fresh ones out."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any
from weakref import WeakMethod

import numpy as np

from ....lang.clock import timed
from ....lang.core import ir
from ....lang.prims.checks import MESSAGES, message_of
from ....lang.prims.common import NUMPY_NAMES
from ....lang.source import Span
from ...runtime.arguments import Leaves
from ...runtime.depth import LEVELS, too_deep
from ...runtime.errors import RunError
from ..loops.sites import DEPTH_SITE, FULL_SITE
from . import jit
from .address import Address
from .context import DEPTH, FAILED, MOST_VALUES, STOP, VALUES
from .direct import direct
from .engine import Engine
from .host import view
from .memory import Room, entered, failed_room, left, run_alone

FLAT = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
"""Context, arguments, results: eight bytes to each scalar, pointer and size. True when it failed."""
LARGE_STACK = 1 << 29
"""Bytes of stack for calls that are nested too deeply for the stack of their thread."""


def function(engine: Engine, name: str) -> Native:
    """A function of the program. Calls of it may be inside each other and in several threads."""
    return Native(engine, name)


class Native:
    """Machine code of one function."""

    def __init__(self, engine: Engine, name: str) -> None:
        f = engine.program.functions[name]
        self.engine = engine
        self.name = name
        self.cell = ctypes.c_int64()
        """The address of the code. It changes when there is better code."""
        self.use()
        engine.using.append(WeakMethod(self.use))
        self.params = [p.type for p in f.params]
        self.results = [a.type for a in f.body.results]
        self.given = sum(1 + t.rank for t in self.params)
        self.taken = sum(1 + t.rank for t in self.results)
        self.long = engine.long(name)
        self.address: Address | None = None

    def use(self) -> None:
        """Call what the engine has now."""
        self.cell.value = self.engine.address(self.name)
        self.run = FLAT(self.cell.value)

    def watch(self, call: Callable[..., Any], become: Callable[[Callable[..., Any]], None]) -> None:
        """While the engine wants to know how long calls take, have them be calls of what says that, then of `call`."""
        if self.engine.left == math.inf:
            return

        def timed(*leaves: Any) -> Any:
            begun = perf_counter()
            try:
                return call(*leaves)
            finally:
                if not self.engine.spent(perf_counter() - begun):
                    become(call)

        become(timed)

    @timed("first calls")
    def __call__(self, *values: Any) -> tuple[Any, ...]:
        cells, held = self.cells(values)
        out = np.zeros(max(self.taken, 1), np.int64)
        room = entered()
        try:
            if not self.run(room.address, cells.ctypes.data, out.ctypes.data):
                return taken(out, self.results)
            error = failure(self.engine, room)
        finally:
            left(room)
        del held
        return tuple(again(error, lambda: self(*values)))

    def direct(self, inputs: Leaves, spec: Any, slow: Callable[..., Any], wanted: Sequence[bool] = ()
               ) -> Callable[..., Any] | None:
        """A function of leaves that gives values of type `spec`, or that writes what is `wanted`, as `direct.direct`
        says; None when there is none.
        """

        def fail(*values: Any) -> Any:
            room = failed_room()
            try:
                error = failure(self.engine, room)
            finally:
                left(room)
            return again(error, lambda: slow(*values))

        return direct(self.cell, self.params, self.results, self.long, inputs, spec, slow, fail, wanted)

    def c_address(self, inputs: Leaves) -> int:
        """The address of a function of C, as `address` says."""
        with jit.LOCK:
            if self.address is None:
                self.address = Address(self.cell, self.params, self.results, inputs)
            return self.address.value

    def cells(self, values: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        """The arguments as machine code takes them, and what must live as long."""
        cells = np.zeros(max(self.given, 1), np.int64)
        held: list[Any] = []
        k = 0
        for t, value in zip(self.params, values, strict=True):
            dtype = np.dtype(NUMPY_NAMES[t.dtype])
            if t.rank:
                array = np.require(value, dtype, ["C", "A"])
                if array.ndim != t.rank:
                    raise TypeError(f"an array of {t.rank} axes is needed")
                held.append(array)
                cells[k] = array.ctypes.data
                cells[k + 1:k + 1 + t.rank] = array.shape
            else:
                cells[k:k + 1].view(dtype)[0] = value
            k += 1 + t.rank
        return cells, held


class StackFull(Exception):
    """Calls inside calls need more stack than this thread has."""

    def __init__(self, error: RunError) -> None:
        super().__init__(str(error))
        self.error = error


def again(error: BaseException, call: Callable[[], Any]) -> Any:
    """Raise the error; if it was that the stack is too small, what `call` returns on a larger one."""
    if not isinstance(error, StackFull):
        raise error
    if _thread.large:
        raise error.error
    return on_large_stack(call)


class _Thread(threading.local):
    large = False


_thread = _Thread()
_lock = threading.Lock()


def on_large_stack(call: Callable[[], Any]) -> Any:
    """What `call` returns, run in a thread with a large stack."""
    found: list[Any] = []
    rooms: list[Room] = []

    def run() -> None:
        _thread.large = True
        run_alone()  # other threads have no such stack
        try:
            room = entered()
            left(room)
            rooms.append(room)
            found.append((True, call()))
        except BaseException as error:
            found.append((False, error))

    thread = threading.Thread(target=run, daemon=True)
    with _lock:
        before = threading.stack_size(LARGE_STACK)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    try:
        while thread.is_alive():
            thread.join(0.02)
    except BaseException:
        for room in rooms:
            room[STOP] = 1
        thread.join()
        raise
    good, result = found[0]
    if good:
        return result
    raise result


def taken(out: Any, results: list[ir.Type]) -> tuple[Any, ...]:
    found: list[Any] = []
    at = 0
    for t in results:
        dtype = np.dtype(NUMPY_NAMES[t.dtype])
        if t.rank:
            shape = tuple(int(n) for n in out[at + 1:at + 1 + t.rank])
            found.append(view(int(out[at]), dtype, shape).copy())
        else:
            found.append(out[at:at + 1].view(dtype)[0])
        at += 1 + t.rank
    return tuple(found)


def failure(engine: Engine, room: Room) -> BaseException:
    """What stopped the run, as Python says it."""
    if room.error is not None:
        error, room.error = room.error, None
        return error
    raised = room.raised()
    if raised is not None:
        return raised
    if room[STOP]:
        return KeyboardInterrupt()
    site = engine.site(room[FAILED])
    if site.name == DEPTH_SITE:
        f = engine.program.functions[str(dict(site.attrs)["function"])]
        deep = too_deep(f.source_name or f.name, where(site.span), min(room[DEPTH], LEVELS))
        return StackFull(deep) if room[DEPTH] <= LEVELS else deep
    if site.name == FULL_SITE:
        return MemoryError("an array of this program does not fit into memory")
    values: list[Any] = []
    cells = np.frombuffer(memoryview(room.words), np.int64)
    for k, dtype in enumerate(site.dtypes):
        cell = cells[VALUES // 8 + min(k, MOST_VALUES - 1):][:1]
        values.append(cell.view(NUMPY_NAMES[dtype])[0].item() if dtype != "bool" else bool(cell[0] & 1))
    return RunError(MESSAGES[site.name][0], message_of(site.name, values, dict(site.attrs)), where(site.span))


def where(span: Span | None) -> str:
    return f"{span.source.name}:{span.line}" if span else ""
