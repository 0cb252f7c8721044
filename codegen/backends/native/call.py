"""Machine code as Python functions of leaves: scalars and C-contiguous arrays in, fresh ones out."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from ....lang.core import ir
from ....lang.prims.checks import MESSAGES, message_of
from ....lang.prims.common import NUMPY_NAMES
from ....lang.source import Span
from ...runtime.depth import LEVELS, too_deep
from ...runtime.errors import RunError
from .engine import Engine
from .host import view
from .llvm import DEPTH_SITE, FULL_SITE, VALUES
from .memory import FAILED_WORD, Room, entered, left

CTYPES: dict[str, Any] = {
    "f64": ctypes.c_double, "f32": ctypes.c_float, "f16": ctypes.c_uint16, "bool": ctypes.c_bool,
} | {f"{s}{b}": getattr(ctypes, f"c_{'u' * (s == 'u')}int{b}") for s in "iu" for b in (8, 16, 32, 64)}


def function(engine: Engine, name: str) -> Callable[..., tuple[Any, ...]]:
    """A function of the program. Calls of it may be inside each other and in several threads."""
    f = engine.program.functions[name]
    types: list[Any] = [ctypes.c_void_p]
    for p in f.params:
        types += [CTYPES[p.type.dtype]] if p.type.rank == 0 else [ctypes.c_void_p] + [ctypes.c_int64] * p.type.rank
    native = ctypes.CFUNCTYPE(ctypes.c_bool, *types, ctypes.c_void_p)(engine.address(name))
    results = [a.type for a in f.body.results]
    width = max(sum(1 + t.rank for t in results), 1)

    def call(*values: Any) -> tuple[Any, ...]:
        flat: list[Any] = []
        held = []
        for p, value in zip(f.params, values, strict=True):
            dtype = np.dtype(NUMPY_NAMES[p.type.dtype])
            if p.type.rank:
                array = np.ascontiguousarray(value, dtype)
                held.append(array)
                flat += [array.ctypes.data, *array.shape]
            elif p.type.dtype == "f16":
                flat.append(int(np.float16(value).view(np.uint16)))
            else:
                flat.append(dtype.type(value).item())
        out = np.zeros(width, np.int64)
        room = entered()
        try:
            if native(room.address, *flat, out.ctypes.data):
                raise failure(engine, room)
            return taken(out, results)
        finally:
            left(room)

    return call


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
        return room.error
    site = engine.site(room.words[FAILED_WORD])
    if site.name == DEPTH_SITE:
        f = engine.program.functions[str(dict(site.attrs)["function"])]
        return too_deep(f.source_name or f.name, where(site.span), LEVELS)
    if site.name == FULL_SITE:
        return MemoryError("an array of this program does not fit into memory")
    values: list[Any] = []
    cells = np.frombuffer(memoryview(room.words), np.int64)
    for k, dtype in enumerate(site.dtypes):
        cell = cells[VALUES // 8 + k:VALUES // 8 + k + 1]
        values.append(cell.view(NUMPY_NAMES[dtype])[0].item() if dtype != "bool" else bool(cell[0] & 1))
    return RunError(MESSAGES[site.name][0], message_of(site.name, values, dict(site.attrs)), where(site.span))


def where(span: Span | None) -> str:
    return f"{span.source.name}:{span.line}" if span else ""
