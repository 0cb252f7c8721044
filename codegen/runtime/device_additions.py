"""Launches loops whose iterations meet in places that they add to: `codegen/backends/cuda/additions.py` writes them.

`run` is the call on the device. A target is an array: its address, elements, dtype, operation, how many slots an
iteration has for what it adds to it at most, how many numbers go to a slot (0: a slot has its place as i64, else its
row as u32), and whether it is to begin with zeros that nobody has written yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from .arguments import DTYPES
from .device_scatters import scatter_op

AddTarget = tuple[int, int, str, str, int, int, bool]
AddLoop = tuple[str, str | None, int, bool, Sequence[AddTarget], Sequence[Any]]
"""What `add_to_places` is given."""
PART_LEAST, MOST_PARTS, FEW_PARTS = 16, 1 << 16, 256
"""Iterations that a thread goes through at least, and how many threads add to arrays of their own, at most; below so
many parts, what is added is written down."""
PART_ROOM = 1 << 24
"""Numbers that such arrays have in all."""
CROWDED = 64
"""Places of which so few would make threads wait for each other that add to them as they come."""
WRITTEN_DOWN = 1 << 25
"""Additions that are written down at once."""
ADD_BLOCK, ADD_BLOCKS = 256, 1 << 20
JOINED = 4
"""Targets that one launch joins."""


def parts_of(count: int, targets: Sequence[AddTarget]) -> int:
    """How many threads would have arrays of their own."""
    total = sum(target[1] for target in targets)
    return max(1, min(-(-count // PART_LEAST), MOST_PARTS, PART_ROOM // max(total, 1)))


def zeros_first(run: Any, targets: Sequence[AddTarget]) -> None:
    for address, elements, dtype, *_, fresh in targets:
        if fresh and elements > 0:
            run.clear(address, DTYPES[dtype].itemsize * elements)


def add_to_places(run: Any, name: str, other: str | None, count: int, scratch: bool, targets: Sequence[AddTarget],
                  args: Sequence[Any]) -> None:
    """In parts, each with arrays of its own, or, where these would be too large, by what `other` writes down."""
    number = parts_of(count, targets)
    mark = run.mark()
    if count <= 0:
        zeros_first(run, targets)
    elif other is not None and writes_down(other, count, targets):
        zeros_first(run, targets)
        written_down(run, other, count, scratch, targets, args)
    else:
        in_parts(run, name, count, number, scratch, targets, args)
    run.release(mark)


def writes_down(other: str | None, count: int, targets: Sequence[AddTarget]) -> bool:
    """Whether what iterations add is better written down."""
    number = parts_of(count, targets)
    return other is not None and number < FEW_PARTS and count > number * FEW_PARTS


def add_one_after_the_other(run: Any, loops: Sequence[AddLoop]) -> None:
    """Several loops, none of which reads what those before add to. Where all write down what they add, an array is
    sorted for once, with what the first loop adds before what the second does."""
    kinds: dict[int, tuple[Any, ...]] = {}
    total = 0
    together = True
    for _, other, count, _, targets, _ in loops:
        together = together and count > 0 and writes_down(other, count, targets)
        for address, elements, dtype, op, slots, row, _ in targets:
            kind = elements, dtype, op, row
            together = together and row > 0 and kinds.setdefault(address, kind) == kind
            total += max(count, 0) * slots
    if not together or total > WRITTEN_DOWN:
        for loop in loops:
            add_to_places(run, *loop)
        return
    mark = run.mark()
    all_of = dict.fromkeys(kinds, 0)
    for _, _, count, _, targets, _ in loops:
        zeros_first(run, targets)
        for address, _, _, _, slots, *_ in targets:
            all_of[address] += count * slots
    rooms = {address: (run.take(4 * all_of[address]), run.take(DTYPES[dtype].itemsize * row * all_of[address]))
             for address, (_, dtype, _, row) in kinds.items()}
    done = dict.fromkeys(kinds, 0)
    for _, other, count, scratch, targets, args in loops:
        words: list[np.int64] = []
        for address, elements, dtype, _, slots, row, _ in targets:
            places, values = rooms[address]
            at = done[address]
            words += [np.int64(x) for x in (address, places + 4 * at, values + DTYPES[dtype].itemsize * row * at, slots,
                                            elements // row)]
            done[address] += count * slots
        write_down(run, str(other), 0, count, scratch, words, args)
    for address, (elements, dtype, op, row) in kinds.items():
        scatter_op(run, address, elements // row, *rooms[address], all_of[address], dtype, row, op, keyed=True)
    run.release(mark)


def write_down(run: Any, name: str, first: int, many: int, scratch: bool, words: Sequence[Any], args: Sequence[Any]
               ) -> None:
    """Launch what writes down what so many iterations from `first` on add."""
    threads = run.threads(many) if scratch else many
    block = min(ADD_BLOCK, (threads + 31) // 32 * 32)
    run.launch(name, min(-(-threads // block), ADD_BLOCKS), block, (
        run.state, np.int64(first), np.int64(many), *words, *args))


def in_parts(run: Any, name: str, count: int, number: int, scratch: bool, targets: Sequence[AddTarget],
             args: Sequence[Any]) -> None:
    size = -(-count // number)
    number = -(-count // size)
    words: list[np.int64] = []
    rooms: list[int] = []
    for address, elements, dtype, *_ in targets:
        if number > 1:
            width = DTYPES[dtype].itemsize
            rooms.append(run.take(-(-max(elements, 0) * width // 8) * 8 * number))
            words += [np.int64(x) for x in (rooms[-1] - address, rooms[-1], elements)]
        else:
            words += [np.int64(x) for x in (0, address, 0)]
    if number == 1:
        zeros_first(run, targets)
    block = ADD_BLOCK
    if scratch and run.threads(number) < number:
        block = 32
    block = min(block, (number + 31) // 32 * 32)
    given = (run.state, np.int64(count), np.int64(number), np.int64(size), *words, *args)
    run.launch(name, -(-number // block), block, given)
    kinds: dict[tuple[str, str], list[tuple[int, int, int, bool]]] = {}
    for room, (address, elements, dtype, op, _, _, fresh) in zip(rooms, targets, strict=False):
        if elements > 0:
            kinds.setdefault((op, dtype), []).append((address, room, elements, fresh))
    together = 256 >> min(number.bit_length() - 1, 8)
    for (op, dtype), joins in kinds.items():
        for first in range(0, len(joins), JOINED):
            some = joins[first:first + JOINED]
            blocks = min(-(-max(elements for _, _, elements, _ in some) // together), ADD_BLOCKS)
            numbers = [np.int64(x) for one in (*some, *[(0, 0, 0, False)] * (JOINED - len(some))) for x in one]
            kernel = run.program.kernel(f"dad_join_{op}_{dtype}")
            kernel((blocks, len(some)), (256,), (run.state, np.int64(number), *numbers))


def add_in_any_order(run: Any, name: str, direct: str, count: int, scratch: bool, targets: Sequence[AddTarget],
                     args: Sequence[Any]) -> None:
    """The same where any order will do: where arrays for all parts have more elements than there are additions,
    `direct` adds to the places as it comes."""
    total = sum(target[1] for target in targets)
    number = parts_of(count, targets)
    if count > 0 and total > CROWDED and (number < FEW_PARTS or number * total > count):
        zeros_first(run, targets)
        run.grid(direct, count, scratch, *args)
    else:
        add_to_places(run, name, None, count, scratch, targets, args)


def written_down(run: Any, name: str, count: int, scratch: bool, targets: Sequence[AddTarget], args: Sequence[Any]
                 ) -> None:
    """Iterations write down what they add and where, as many at once as there is room for."""
    most = sum(target[4] for target in targets)
    size = max(1, min(count, WRITTEN_DOWN // max(most, 1)))
    for first in range(0, count, size):
        mark = run.mark()
        many = min(size, count - first)
        rooms: list[tuple[int, int]] = []
        words: list[np.int64] = []
        for address, elements, dtype, _, slots, row, _ in targets:
            places = run.take((4 if row else 8) * many * slots)
            values = run.take(DTYPES[dtype].itemsize * many * slots * max(row, 1))
            if not row and slots:
                cupy.cuda.runtime.memsetAsync(places, 255, 8 * many * slots, run.stream.ptr)
            rooms.append((places, values))
            words += [np.int64(x) for x in (address, places, values, slots, elements // max(row, 1))]
        write_down(run, name, first, many, scratch, words, args)
        for (places, values), (address, elements, dtype, op, slots, row, _) in zip(rooms, targets, strict=True):
            wide = max(row, 1)
            scatter_op(run, address, elements // wide, places, values, many * slots, dtype, wide, op, keyed=row > 0)
        run.release(mark)
