"""C from loops, compiled and called: many programs to one file, so that a compiler starts once for all of them.

`build` gives a library; `Library.run` calls a function of a program on leaves, as the interpreter does.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from dad.codegen.backends.c.emit import Unit, emit, most_values, whole
from dad.codegen.backends.loops import spread
from dad.codegen.backends.loops.nests import nests
from dad.codegen.backends.loops.sites import DEPTH_SITE, FULL_SITE, Site
from dad.codegen.runtime.depth import LEVELS, too_deep
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.prims.checks import MESSAGES, message_of
from dad.lang.prims.common import NUMPY_NAMES

ARENA = 1 << 28
PLAIN = ("-std=c11", "-w", "-fPIC", "-shared", "-ffp-contract=off", "-fno-builtin")
SANITISED = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer",
             "-DDAD_BLOCKS", "-fno-sanitize=pointer-overflow,alignment,null,object-size")
"""Without what the sanitiser of addresses finds anyhow: half the time of compilation."""
FASTEST, SLOWEST = ("-O3", "-march=native"), ("-O0",)
CTYPES: dict[str, Any] = {
    "f64": ctypes.c_double, "f32": ctypes.c_float, "f16": ctypes.c_float, "bool": ctypes.c_bool,
} | {f"{s}{b}": getattr(ctypes, f"c_{'u' * (s == 'u')}int{b}") for s in "iu" for b in (8, 16, 32, 64)}
HOST = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def compiler() -> str | None:
    """The C compiler of this machine."""
    return next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)


def units(programs: Sequence[ir.Program]) -> list[Unit]:
    """Of loops as machine code is made of them, all in parts."""
    with mock.patch.object(spread, "LEAST", 0), mock.patch.object(spread, "SMALLEST", 128):
        return [emit(spread.spread(nests(program), lambda _: 1, lambda _: False), f"p{k}_")
                for k, program in enumerate(programs)]


def compile_c(texts: Sequence[str], flags: Sequence[str], folder: Path) -> list[Path]:
    """Shared libraries, compiled two at a time."""
    command = compiler()
    assert command is not None
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    made: list[tuple[Path, subprocess.Popen[str]]] = []
    for k, text in enumerate(texts):
        source = folder / f"unit{k}.c"
        source.write_text(text, encoding="utf-8")
        target = folder / f"unit{k}_{abs(hash(tuple(flags))) % 10**6}.so"
        if len(made) > 1:
            made[-2][1].wait()
        made.append((target, subprocess.Popen([command, *PLAIN, *flags, str(source), "-o", str(target), "-lm"],
                                              stderr=subprocess.PIPE, text=True, env=environment)))
    for target, process in made:
        _, said = process.communicate()
        assert process.returncode == 0, f"{target}: {said}"
    return [target for target, _ in made]


class Library:
    """The functions of programs in one shared library."""

    def __init__(self, path: Path, programs: Sequence[ir.Program], made: Sequence[Unit]) -> None:
        self.code = ctypes.CDLL(str(path))
        self.programs = list(programs)
        self.units = list(made)
        for name, result, types in (
                ("dad_context_size", ctypes.c_int64, []),
                ("dad_begin", None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, HOST]),
                ("dad_turn", None, [ctypes.c_void_p, ctypes.c_bool]), ("dad_finish", None, [ctypes.c_void_p]),
                ("dad_end", None, [ctypes.c_void_p]),
                ("dad_take_room", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int64]),
                ("dad_failed", ctypes.c_int64, [ctypes.c_void_p, ctypes.c_void_p])):
            function = getattr(self.code, name)
            function.restype, function.argtypes = result, types
        self.arena = np.empty(ARENA, np.uint8)
        self.context = ctypes.create_string_buffer(self.code.dad_context_size())
        self.error: BaseException | None = None

    def run(self, number: int, name: str, leaves: Sequence[Any], backwards: bool = False) -> tuple[Any, ...]:
        """Results of function `name` of program `number`. Raises RunError; fails if it writes into its arguments."""
        unit, f = self.units[number], self.programs[number].functions[name]
        c = ctypes.addressof(self.context)
        self.error = None
        host = HOST(self.host(unit))
        start = (self.arena.ctypes.data + 63) // 64 * 64
        self.code.dad_begin(c, start, ARENA - 64, host)
        self.code.dad_turn(c, backwards)
        types: list[Any] = [ctypes.c_void_p]
        given: list[Any] = [c]
        held: list[tuple[int, Any]] = []
        for p, leaf in zip(f.params, leaves, strict=True):
            value = np.ascontiguousarray(leaf, NUMPY_NAMES[p.type.dtype])
            if p.type.rank:
                room = self.code.dad_take_room(c, value.nbytes)
                ctypes.memmove(room, value.ctypes.data, value.nbytes)
                held.append((room, value))
                types += [ctypes.c_void_p] + [ctypes.c_int64] * p.type.rank
                given += [room, *np.shape(leaf)]
            else:
                types.append(CTYPES[p.type.dtype])
                given.append(value.reshape(-1)[0].item())
        results = f.result_types
        out = (ctypes.c_int64 * max(1, sum(1 + t.rank for t in results)))()
        try:
            function = ctypes.CFUNCTYPE(ctypes.c_bool, *types, ctypes.c_void_p)((unit.names[name], self.code))
            if function(*given, ctypes.addressof(out)):
                raise self.failure(unit, c)
            for room, value in held:
                assert ctypes.string_at(room, value.nbytes) == value.tobytes(), "an argument was written into"
            return self.taken(ctypes.addressof(out), [(t.dtype, t.rank) for t in results])
        finally:
            self.code.dad_end(c)

    def taken(self, at: int, types: Sequence[tuple[str, int]]) -> tuple[Any, ...]:
        """Values out of cells."""
        found: list[Any] = []
        for dtype, rank in types:
            kind: np.dtype[Any] = np.dtype(NUMPY_NAMES[dtype])
            if rank:
                pointer, *shape = (ctypes.c_int64 * (1 + rank)).from_address(at)
                count = int(np.prod(shape))
                assert min(shape) >= 0
                found.append(np.frombuffer(ctypes.string_at(pointer, count * kind.itemsize), kind).reshape(shape))
            else:
                found.append(np.frombuffer(ctypes.string_at(at, kind.itemsize), kind)[0])
            at += 8 * (1 + rank)
        return tuple(found)

    def host(self, unit: Unit) -> Callable[[int, int, int, int], bool]:
        def run(context: int, which: int, given: int, out: int) -> bool:
            call = unit.hosts[which]
            try:
                results = PRIMITIVES[call.name].evaluate(*self.taken(given, call.args), **dict(call.attrs))
                results = results if len(call.results) > 1 else (results,)
                for (dtype, rank), result in zip(call.results, results, strict=True):
                    value = np.ascontiguousarray(result, NUMPY_NAMES[dtype])
                    target = out
                    if rank:
                        target = self.code.dad_take_room(context, value.nbytes)
                        (ctypes.c_int64 * (1 + rank)).from_address(out)[:] = [target, *value.shape]
                    ctypes.memmove(target, value.ctypes.data, value.nbytes)
                    out += 8 * (1 + rank)
            except BaseException as error:
                self.error = error
                return True
            return False

        return run

    def failure(self, unit: Unit, context: int) -> BaseException:
        if self.error is not None:
            return self.error
        cells = (ctypes.c_int64 * most_values(self.units))()
        site: Site = unit.sites[self.code.dad_failed(context, ctypes.addressof(cells)) - 1]
        where = f"{site.span.source.name}:{site.span.line}" if site.span else ""
        if site.name == DEPTH_SITE:
            return too_deep(str(dict(site.attrs)["function"]), where, LEVELS)
        if site.name == FULL_SITE:
            return MemoryError("no room in the arena")
        values = [v.item() for k, d in enumerate(site.dtypes)
                  for v in self.taken(ctypes.addressof(cells) + 8 * k, [(d, 0)])]
        return RunError(MESSAGES[site.name][0], message_of(site.name, values, dict(site.attrs)), where)


def build(programs: Sequence[ir.Program], flags: Sequence[str], folder: Path, batch: int = 40) -> list[Library]:
    """Libraries of so many programs each."""
    groups = [programs[k:k + batch] for k in range(0, len(programs), batch)]
    made = [units(group) for group in groups]
    paths = compile_c([whole(group) for group in made], flags, folder)
    return [Library(path, group, unit) for path, group, unit in zip(paths, groups, made, strict=True)]
