"""Calls at any size without doing them: what is launched, copied, filled and waited for, and how much memory is taken.

Memory is places alone, which hold zeros until somebody writes there: arrays of 2**40 bytes cost nothing. What the host
reads of the device is therefore 0.
"""

from __future__ import annotations

import contextlib
import weakref
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arrays, launch, memory, modules
from .gpu import ready_stream
from .memory import COUNTS, DEVICE
from .modules import installed

NO_RESERVE = 0x4000


@dataclass(frozen=True)
class Launch:
    """A kernel that would have run."""

    name: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    args: tuple[Any, ...]


@dataclass
class Plan:
    """What calls come to."""

    launches: list[Launch] = field(default_factory=list)
    fills: list[int] = field(default_factory=list)
    """Bytes that are set to a value."""
    copies: list[int] = field(default_factory=list)
    """Bytes that go from place to place on the device."""
    allocated: list[int] = field(default_factory=list)
    """Bytes that CuPy was asked for."""

    def clear(self) -> None:
        for part in (self.launches, self.fills, self.copies, self.allocated):
            part.clear()
        COUNTS.clear()

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.launches]

    @property
    def waits(self) -> int:
        return COUNTS.synchronisations


class Planned:
    """A kernel that nobody runs."""

    def __init__(self, name: str, plan: Plan) -> None:
        self.name, self.plan = name, plan

    def __call__(self, grid: Any, block: Any, args: Sequence[Any], *, shared_mem: int = 0) -> None:
        g, b = launch.three(grid), launch.three(block)
        assert min(*g, *b) >= 1, f"{self.name}: no threads"
        assert g[0] < 2**31, f"{self.name}: too many blocks"
        assert max(g[1:]) < 65536, f"{self.name}: too many blocks"
        assert b[0] * b[1] * b[2] <= 1024, f"{self.name}: too many threads"
        for value in args:  # what the numbers of a kernel's parameters hold
            assert not isinstance(value, int) or -2**63 <= value < 2**63, f"{self.name}: {value} has no 64 bits"
        self.plan.launches.append(Launch(self.name, g, b, tuple(args)))
        COUNTS.launches += 1
        COUNTS.launched.append(self.name)


def give_back(address: int, size: int, base: int, length: int) -> None:
    DEVICE.places.remove((address, size))
    memory.LIBC.munmap(base, length)


@contextlib.contextmanager
def planned() -> Iterator[Plan]:
    """`cupy` is the stand-in inside, whose kernels and copies do nothing; `COUNTS` counts as ever."""
    plan = Plan()

    def reserve(self: memory.Memory, size: int) -> None:
        assert 0 <= size < 1 << 46, f"{size} bytes are no size"
        COUNTS.allocations += 1
        plan.allocated.append(size)
        length = -(-max(size, 1) // memory.PAGE) * memory.PAGE
        base = memory.LIBC.mmap(None, length, memory.READ_WRITE, memory.PRIVATE_ANONYMOUS | NO_RESERVE, -1, 0)
        self.ptr = int(base)
        self.size, self.device_id = size, 0
        insort(DEVICE.places, (self.ptr, size))
        weakref.finalize(self, give_back, self.ptr, size, base, length)

    def copy(dst: int, size: int, kind: int) -> None:
        if kind == 2:
            COUNTS.to_host += 1
            ready_stream().pending.append((dst, bytes(size)))
        elif kind == 3:
            plan.copies.append(size)

    def function(self: launch.RawModule, name: str) -> Planned:
        return Planned(name, plan)

    def put(self: Any, key: Any, value: Any) -> None:
        plan.fills.append(int(np.prod(self.shape, dtype=np.int64)) * self.itemsize)

    patches = ((memory.Memory, "__init__", reserve), (launch.RawModule, "get_function", function),
               (launch.RawModule, "compile", lambda self, log_stream=None: None),
               (arrays.ndarray, "__setitem__", put))
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    limit = DEVICE.limit
    modules.INSTEAD.update(copy=copy, fill=plan.fills.append)
    for owner, name, made in patches:
        setattr(owner, name, made)
    try:
        with installed():
            DEVICE.limit = 1 << 60
            yield plan
    finally:
        DEVICE.limit = limit
        modules.INSTEAD.clear()
        for owner, name, old in before:
            setattr(owner, name, old)
