"""Runs programs on a GPU through CuPy: kernels, failures, and what is between arrays of users and addresses.

A `Program` has the text of the kernels and what Python must know of it. A function of the host level gets a `Run`,
the call on the device, and addresses, sizes and numbers. Nothing is allocated but results, if calls before were as
large (`device_memory.py`). Nothing waits for the device but `read`, and the end of a call where a check may fail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cupy
import numpy as np

from .arguments import DTYPES, Leaves, type_text
from .checks import digits
from .depth import LEVELS, Room, too_deep
from .device_additions import AddLoop, AddTarget, add_in_any_order, add_one_after_the_other, add_to_places
from .device_code import KernelCode, OnDevice
from .device_folds import launch_fold, launch_scan
from .device_memory import FIRST_BLOCKS, FIRST_SCRATCH, MOST_SLICES, RUN_WORDS, DeviceRoom, Memory, MoreScratch
from .device_numbers import host_number
from .device_primitives import device_primitive
from .device_sums import launch_sums, launch_total
from .entry import Entry
from .errors import DadArgumentError, RunError

SITE_BITS = 20
"""Of `failed`: the rest is the turn of the launch that failed."""
NESTED_MOST, NESTED_LEAST = 1 << 15, 8
"""Below so many outer iterations, inner loops of so many have threads of their own."""
MOST_ROWS = 1 << 15
BLOCK_WIDTH, BLOCK_WORK = 512, 1 << 15
"""Steps of loops that are as narrow are done by one block, if all its threads have no more to do in one."""
SHORT_SORT = 256
"""Numbers that a thread sorts, at most."""
THREADS = 256
MOST_BLOCKS = 1 << 20
FRAMES = 200
"""Of Python, inside of the deepest call of a program."""


class Program:
    """The kernels of a module, and its functions.

    `programs` are compiled or loaded when one of their kernels is launched: names of kernels, numbers of `texts`, what
    stands before these, and the numbers of its sites by what names of its kernels begin with. `sites` are the places
    where checks may fail: code, message, place, name of the check and dtypes of its values. `tables` are arrays that
    the program reads, `primitives` functions of NumPy arrays by number, `blocks` whether threads have blocks that grow.
    `images` is code for cards beside the module's `file`.
    """

    def __init__(self, texts: Sequence[str],
                 programs: Sequence[tuple[Sequence[str], Sequence[int], str, Mapping[str, Sequence[int]]]],
                 sites: Sequence[Any], tables: Sequence[Any], primitives: Mapping[str, Any], blocks: bool,
                 images: Sequence[tuple[int, str, str, Sequence[int]]] = (), file: str = "",
                 options: tuple[str, ...] = ("--std=c++17", "--fmad=false")) -> None:
        self.sources = tuple("".join((head, *(texts[k] for k in numbers))) for _, numbers, head, _ in programs)
        self.places = {name: k for k, (names, *_) in enumerate(programs) for name in names}
        self.before: dict[str, int] = {}
        """How many sites of other kernels stand before those of one, by the name that its kernels begin with."""
        self.order: list[int] = []
        """The numbers of the sites of kernels, of one after the other."""
        for _, _, _, checks in programs:
            for name, own in checks.items():
                self.before[name] = len(self.order)
                self.order += own
        self.sites, self.blocks, self.options = sites, blocks, options
        self.images, self.file = images, file
        self.primitives = primitives
        self.values = max([1, *(len(dtypes) for *_, dtypes, _ in sites)])
        self.recursive = any(name == "depth" for name, *_ in sites)
        self.numbers = tables
        self.tables: list[tuple[int, int]] = []
        self.held: list[Any] = []
        self.code: KernelCode | None = None
        self.kernels: dict[str, Any] = {}
        self.rooms: dict[tuple[int, int], DeviceRoom] = {}
        self.lock = threading.Lock()

    def load(self) -> None:
        """Find out what there is for this card, and bring tables there."""
        with self.lock:
            if self.code is None:
                code = KernelCode(cupy, self.sources, self.options, self.images, self.file)
                for numbers in self.numbers:
                    array = cupy.asarray(numbers)
                    self.held.append(array)
                    self.tables.append((array.data.ptr, len(numbers)))
                self.code = code

    def kernel(self, name: str) -> Any:
        found = self.kernels.get(name)
        if found is None:
            assert self.code is not None
            with self.lock:
                found = self.kernels[name] = self.code.function(self.places[name], name)
        return found

    def room(self, stream: Any) -> DeviceRoom:
        key = threading.get_ident(), stream.ptr
        found = self.rooms.get(key)
        if found is None:
            found = self.rooms[key] = DeviceRoom(FIRST_BLOCKS if self.blocks else FIRST_SCRATCH, self.values)
        return found

    def function(self, host: Callable[..., Any], params: Sequence[tuple[str, int]], results: Sequence[tuple[str, int]],
                 fails: bool, programs: Sequence[int] = ()) -> Callable[..., Any]:
        """A function of leaves: arrays, of NumPy or on the device, and numbers. `fails`: a check of it may; `programs`
        are those whose kernels it may launch."""
        first = [True]

        def call(*leaves: Any) -> tuple[Any, ...]:
            with OnDevice():
                if not self.recursive:
                    return called(*leaves)
                with Room(LEVELS + FRAMES):
                    return called(*leaves)

        def called(*leaves: Any) -> tuple[Any, ...]:
            if first[0]:
                if self.code is None:
                    self.load()
                assert self.code is not None
                self.code.ahead(programs)
                first[0] = False
            there = any(isinstance(x, cupy.ndarray) for x in leaves)
            given: list[Any] = []
            held: list[Any] = []
            for x, (dtype, rank) in zip(leaves, params, strict=True):
                if rank:
                    array = x if isinstance(x, cupy.ndarray) and x.flags.c_contiguous else cupy.ascontiguousarray(
                        cupy.asarray(x))
                    held.append(array)
                    given += [array.data.ptr, *array.shape]
                elif isinstance(x, cupy.ndarray):
                    given.append(host_number(x.get()[()], dtype))
                else:
                    given.append(host_number(x, dtype))
            stream = cupy.cuda.get_current_stream()
            room = self.room(stream)
            while True:
                run = Run(self, room, stream)
                room.clean = False
                try:
                    found = run.results(host(run, *given), results)
                    if fails:
                        run.check()
                    room.clean = True
                    break
                except MoreScratch:
                    room.slice *= 8
                    free = cupy.cuda.Device().mem_info[0]
                    if 8 * room.size > free + room.size:
                        raise MemoryError("an array of this program does not fit into memory") from None
                    room.grow(8 * room.size)
                finally:
                    run.end()
            del held
            return tuple(found) if there else tuple(np.asarray(x.get())[()] if x.ndim == 0 else x.get() for x in found)

        return call


class Run(Memory):
    """One call: memory, launches, and what the host reads."""

    def __init__(self, program: Program, room: DeviceRoom, stream: Any) -> None:
        super().__init__(room, stream)
        self.program = program
        self.state = room.state.ptr
        self.depth = 0
        self.turns = 0
        self.together = False
        """Whether launches are those of one nest."""
        if not room.clean:
            room.forget(stream)
        if program.blocks:
            cupy.cuda.runtime.memsetAsync(self.state + 40, 0, 8, stream.ptr)

    # ------------------------------------------------------------ launches

    def table(self, number: int) -> tuple[int, int]:
        return self.program.tables[number]

    def turn(self, name: str) -> int:
        """The number of the next launch, by which its threads know failures of launches before; and where the sites of
        this kernel stand among those of all."""
        if not self.together:
            self.turns += 1
        return (self.turns << SITE_BITS) + self.program.before.get(name, 0)

    def nest(self, begin: bool) -> None:
        """From here on launches are of one nest, or no more: of its iterations the first that fails is named."""
        self.turns += begin
        self.together = begin

    def launch(self, name: str, grid: int, block: int, args: Sequence[Any]) -> None:
        self.program.kernel(name)((int(grid),), (block,), tuple(args))

    def one(self, name: str, *args: Any) -> None:
        """A kernel of one thread."""
        self.program.kernel(name)((1,), (1,), (self.state, *args))

    def grid(self, name: str, count: int, scratch: bool, *args: Any) -> None:
        """A thread to each number below `count`, or to several of them."""
        if count <= 0:
            return
        threads = self.threads(count) if scratch else count
        block = THREADS if threads >= THREADS else (threads + 31) // 32 * 32
        self.program.kernel(name)((min(-(-threads // block), MOST_BLOCKS),), (block,), (self.state, count, *args))

    def threads(self, count: int) -> int:
        """How many threads there is scratch memory for."""
        room = self.room
        wanted = min(count, MOST_SLICES)
        if not self.program.blocks and wanted * room.slice > room.size:
            room.grow(wanted * room.slice)
        return max(32, min(wanted, room.size // room.slice) // 32 * 32)

    def nested(self, count: int, *widths: int) -> bool:
        """Whether so few outer iterations leave threads idle that inner ones have work for."""
        return count < NESTED_MOST and max(widths) >= NESTED_LEAST

    def both(self, name: str, rows: int, count: int, scratch: bool, *args: Any) -> None:
        """A thread to each number below `count` in each row."""
        if rows <= 0 or count <= 0:
            return
        threads = self.threads(max(32, min(count, MOST_SLICES // rows))) if scratch else count
        block = THREADS if threads >= THREADS else (threads + 31) // 32 * 32
        if scratch:
            self.threads(-(-threads // block) * block * min(rows, MOST_ROWS))
        self.program.kernel(name)((min(-(-threads // block), MOST_BLOCKS), min(rows, MOST_ROWS)), (block,),
                                  (self.state, rows, count, *args))

    def in_block(self, widths: Sequence[int], works: Sequence[int]) -> bool:
        """Whether steps so narrow, with so much work for all threads in each, are better done by one block than by
        launches."""
        return max(widths) <= BLOCK_WIDTH and max(works, default=0) <= BLOCK_WORK

    def short(self, widths: Sequence[int]) -> bool:
        """Whether so many numbers are sorted by a thread."""
        return max(widths) <= SHORT_SORT

    def block(self, name: str, widths: Sequence[int], *args: Any) -> None:
        """A kernel of one block."""
        threads = min(THREADS, max(32, (max(widths) + 31) // 32 * 32))
        self.program.kernel(name)((1,), (threads,), (self.state, *args))

    def sum(self, name: str, rows: int, count: int, scratch: bool, outs: Sequence[tuple[int, str]], *args: Any
            ) -> None:
        """Sums of terms that a kernel computes, one to a row, to these addresses; to none where that is 0."""
        mark = self.mark()
        rows, count = max(rows, 0), max(count, 0)
        if scratch:
            self.threads(rows * count + 256)
        places = [(address or self.take(DTYPES[dtype].itemsize * rows), dtype) for address, dtype in outs]
        launch_sums(self, name, (self.state, *args), rows, count, places)
        self.release(mark)

    def total(self, name: str, count: int, scratch: bool, outs: Sequence[tuple[int, str]], *args: Any) -> None:
        """Sums of terms that a kernel computes, to these addresses, in one launch."""
        mark = self.mark()
        count = max(count, 0)
        if scratch:
            self.threads(count + 256)
        launch_total(self, name, (self.state, *args), count, outs)
        self.release(mark)

    def fold(self, name: str, count: int, scratch: bool, width: int, args: Sequence[Any], rest: Sequence[Any]) -> None:
        """What a loop of `count` iterations carries."""
        mark = self.mark()
        n = max(count, 0)
        if scratch:
            self.threads(n + 256)
        launch_fold(self, name, f"{name}_more", (self.state, n, *args), (self.state, n, *rest), 1, n, width)
        self.release(mark)

    def adding(self, name: str, other: str | None, count: int, scratch: bool, targets: Sequence[AddTarget],
               args: Sequence[Any]) -> None:
        add_to_places(self, name, other, count, scratch, targets, args)

    def adding_all(self, *loops: AddLoop) -> None:
        add_one_after_the_other(self, loops)

    def adding_there(self, name: str, direct: str, count: int, scratch: bool, targets: Sequence[AddTarget], *args: Any
                     ) -> None:
        add_in_any_order(self, name, direct, count, scratch, targets, args)

    def folding(self, name: str, scans: bool, folds: bool, count: int, scratch: bool, width: int, ordered: int,
                *args: Any) -> None:
        """A scan, a fold or both of elements that a kernel computes; `ordered`: so many are joined one by one."""
        mark = self.mark()
        count = max(count, 0)
        if scratch:
            self.threads(count + 256)
        given = (self.state, *args)
        if scans:
            kernels = name, f"{name}_totals", f"{name}_more", f"{name}_more_totals"
            launch_scan(self, kernels, given, given, 1, count, width, ordered)
        if folds:
            launch_fold(self, f"{name}_fold", f"{name}_last", given, given, 1, count, width, ordered)
        self.release(mark)

    def whole(self, name: str, attrs: Mapping[str, Any], number: str, args: Sequence[tuple[str, Any, Any]],
              types: Sequence[tuple[str, int]]) -> list[int]:
        """A primitive that the device has a way for, else NumPy."""
        found = device_primitive(self, name, attrs, args)
        return self.host(number, args, types) if found is None else found

    def host(self, name: str, args: Sequence[tuple[str, Any, Any]], types: Sequence[tuple[str, int]]) -> list[int]:
        """A primitive that NumPy computes: there and back."""
        values: list[Any] = []
        for dtype, value, shape in args:
            if shape is None:
                values.append(DTYPES[dtype].type(value))
            else:
                read = self.array(value, dtype, shape).get()
                values.append(read if shape else read[()])
        self.check()
        with np.errstate(all="ignore"):
            made = self.program.primitives[name](*values)
        found: list[int] = []
        for (dtype, rank), value in zip(types, made if len(types) > 1 else (made,), strict=True):
            array = np.ascontiguousarray(value, DTYPES[dtype])
            address = self.take(array.nbytes)
            if array.nbytes:
                cupy.cuda.runtime.memcpy(address, array.ctypes.data, array.nbytes, 1)
            found += [address, *array.shape] if rank else [address]
        return found

    # ------------------------------------------------------------ what the host learns

    def read(self, address: int, dtype: str) -> Any:
        """The number that lies there; a failure before it stops the call."""
        value = np.empty(1, DTYPES[dtype])
        words = np.zeros(self.room.words, np.int64)
        copy = cupy.cuda.runtime.memcpyAsync
        copy(value.ctypes.data, address, value.nbytes, 2, self.stream.ptr)
        copy(words.ctypes.data, self.state, words.nbytes, 2, self.stream.ptr)
        self.stream.synchronize()
        if words[1]:
            self.raised(words)
        return host_number(value[0], dtype)

    def check(self) -> None:
        """Wait, and raise what has failed."""
        words = np.zeros(self.room.words, np.int64)
        cupy.cuda.runtime.memcpyAsync(words.ctypes.data, self.state, words.nbytes, 2, self.stream.ptr)
        self.stream.synchronize()
        if words[1]:
            self.raised(words)

    def raised(self, words: Any) -> None:
        """Raise the failure, of which nothing is left on the device."""
        self.room.forget(self.stream)
        number = int(words[1]) & (1 << SITE_BITS) - 1
        name, code, message, attrs, dtypes, where = self.program.sites[self.program.order[number - 1] - 1]
        if name == "full":
            raise MoreScratch
        values = [words[RUN_WORDS + k:][:1].view(DTYPES[dtype])[0].item() for k, dtype in enumerate(dtypes)]
        self.failed(name, code, message, attrs, values, where)

    def failed(self, name: str, code: str, message: str, attrs: Mapping[str, Any], values: Sequence[Any], where: str
               ) -> None:
        if name == "depth":
            raise too_deep(attrs["function"], where, min(self.depth, LEVELS))
        raise RunError(code, message.format(*values, **attrs, digits=digits(name, values)), where)

    def fail(self, site: int, *values: Any) -> None:
        """A check that the host makes does not hold; a failure on the device was before it."""
        self.check()
        name, code, message, attrs, _, where = self.program.sites[site - 1]
        self.failed(name, code, message, attrs, values, where)

    def deeper(self, site: int) -> None:
        """A call inside calls."""
        self.depth += 1
        if self.depth > LEVELS:
            self.fail(site)


# ------------------------------------------------------------------ entries


class DeviceLeaves(Leaves):
    """Leaves may lie on the device: then they stay there."""

    def leaf(self, value: Any, label: str, dtype: str, dims: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic | float | int | list | tuple):
            return super().leaf(value, label, dtype, dims)
        if not isinstance(value, cupy.ndarray):
            if hasattr(value, "__cuda_array_interface__"):
                value = cupy.asarray(value)
            elif on_device(value):
                value = cupy.from_dlpack(value)
            else:
                return super().leaf(value, label, dtype, dims)
        if value.ndim != len(dims):
            raise DadArgumentError("A101", f"argument `{label}`: expected {type_text(dtype, dims)}, found a "
                                   f"{value.dtype} array of shape {value.shape} on the device")
        want = DTYPES[dtype]
        if value.dtype != want and (want.kind == "b" or not np.can_cast(value.dtype, want, "safe")
                                    or (want.kind == "f" and value.dtype.kind in "iu")):
            raise DadArgumentError("A102", f"argument `{label}`: expected {type_text(dtype, dims)}, found a "
                                   f"{value.dtype} array on the device")
        return cupy.ascontiguousarray(value, want)

    def moved(self, value: Any, axis: int) -> Any:
        return cupy.moveaxis(value, axis, 0) if isinstance(value, cupy.ndarray) else super().moved(value, axis)

    def spread(self, value: Any, size: int) -> Any:
        if isinstance(value, cupy.ndarray):
            return cupy.ascontiguousarray(cupy.broadcast_to(value, (size, *value.shape)))
        return super().spread(value, size)


def on_device(value: Any) -> bool:
    """Whether this is an array of another library on a GPU."""
    return hasattr(value, "__dlpack_device__") and int(value.__dlpack_device__()[0]) in (2, 13)


class DeviceEntry(Entry):
    """A function of a Dad program on a GPU. Arrays on the device, CuPy's and those of other libraries through DLPack or
    `__cuda_array_interface__`, are read where they lie; then results lie there too, numbers as arrays of no axes.
    Without one, arguments are copied there, and results back.
    """

    plan = DeviceLeaves
