"""Entries as functions of C: an address that C, Fortran or Numba calls, without Python.

    int32_t entry(const void *const *inputs, const int64_t *sizes, void *const *outputs)

`inputs` are the addresses of the arguments' leaves, a number's or the first element's of a C-contiguous array; `sizes`
are the sizes of all arrays, those of the inputs and then those of the outputs, axis by axis; `outputs` are where the
results go. What it returns is one of the constants below. Several threads may call it at once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from ....lang.core import ir
from ...runtime.arguments import Leaves
from . import jit, symbols
from .context import BUDGET, BUSY, DEPTH, FAILED, FUEL, POLLED, SLOT, STACK, START, STOP, TOP
from .memory import Room
from .scalars import MEMORY, SIZES

FINE, REFUSED, BAD_INPUT, BAD_OUTPUT = range(4)
"""Results are there; a check of the program failed, memory or the stack was not enough; a size, an address or its
alignment is not what the entry takes; a size of an output is not that of the result."""
STACK_LEFT = 1 << 18
"""Bytes of stack that a caller's thread must have."""
NOBODY = -1
"""The owner of rooms that belong to no thread."""


@cache
def pool() -> tuple[Any, list[Room]]:
    """Rooms for callers that Python does not know, and the table of their contexts."""
    rooms = [Room(NOBODY, 1 << 34) for _ in range(2 * (os.cpu_count() or 1) + 2)]
    return (ctypes.c_int64 * len(rooms))(*(room.address for room in rooms)), rooms


class Address:
    """A function of C that runs the flat function whose address is in `cell`."""

    def __init__(self, cell: Any, params: Sequence[ir.Type], results: Sequence[ir.Type], inputs: Leaves) -> None:
        self.cell = cell
        table, self.rooms = pool()
        made = jit.parsed(Text(cell, params, results, inputs, ctypes.addressof(table), len(table)).text())
        symbols.check(jit.declared(made))
        self.loaded = jit.Loaded(jit.object_code(made, 0))
        self.value = self.loaded.function("dad_entry")


class Text:
    """The text of one."""

    def __init__(self, cell: Any, params: Sequence[ir.Type], results: Sequence[ir.Type], inputs: Leaves, table: int,
                 rooms: int) -> None:
        self.cell, self.params, self.results, self.inputs = ctypes.addressof(cell), params, results, inputs
        self.table, self.rooms = table, rooms
        self.lines: list[str] = []
        self.count = 0

    def v(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def word(self, base: str, k: int, kind: str = "i64") -> str:
        return self.v(f"load {kind}, ptr {self.place(base, k)}")

    def place(self, base: str, k: int) -> str:
        return self.v(f"getelementptr i64, ptr {base}, i64 {k}")

    def need(self, holds: str, otherwise: str) -> None:
        self.count += 1
        self.do(f"br i1 {holds}, label %on{self.count}, label %{otherwise}")
        self.lines.append(f"on{self.count}:")

    def field(self, room: str, field: int) -> str:
        return self.v(f"getelementptr i8, ptr {room}, i64 {field}")

    def text(self) -> str:
        given, taken = (sum(1 + t.rank for t in types) for types in (self.params, self.results))
        self.do(f"%in = alloca [{max(given, 1)} x i64], align 8")
        self.do(f"%out = alloca [{max(taken, 1)} x i64], align 8")
        axes = self.take()
        self.compare()
        self.run()
        self.give(axes)
        head = "define i32 @dad_entry(ptr %inputs, ptr %sizes, ptr %outputs) nounwind {\nentry:"
        declared = [f"declare {{i64, i1}} @llvm.{op}.with.overflow.i64(i64, i64)" for op in ("sadd", "smul")]
        declared.append(jit.ROOM_FOR_LINKS)
        declared.append("declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)")
        return "\n".join([*declared, head, *self.lines, "}", ""])

    def address(self, base: str, k: int, width: int, otherwise: str) -> str:
        """Address `k`, which must be one of elements of this width."""
        found = self.word(base, k)
        self.need(self.v(f"icmp ne i64 {found}, 0"), otherwise)
        if width > 1:
            self.need(self.v(f"icmp eq i64 {self.v(f'and i64 {found}, {width - 1}')}, 0"), otherwise)
        return found

    def take(self) -> int:
        """The arguments into words; how many sizes there were."""
        axes = slot = 0
        for k, p in enumerate(self.params):
            found = self.address("%inputs", k, SIZES[p.dtype], "bad_input")
            if p.rank:
                self.do(f"store i64 {found}, ptr {self.place('%in', slot)}")
            else:
                t = MEMORY[p.dtype]
                value = self.v(f"load {t}, ptr {self.v(f'inttoptr i64 {found} to ptr')}")
                if p.dtype == "bool":
                    value = self.v(f"and i8 {value}, 1")
                self.do(f"store {t} {value}, ptr {self.place('%in', slot)}")
            for axis in range(p.rank):
                size = self.word("%sizes", axes)
                self.need(self.v(f"icmp ule i64 {size}, {1 << 40}"), "bad_input")
                self.do(f"store i64 {size}, ptr {self.place('%in', slot + 1 + axis)}")
                axes += 1
            slot += 1 + p.rank
        return axes

    def compare(self) -> None:
        """Sizes that must be equal, as `Leaves.check` has them."""
        if not self.inputs.checks:
            return
        slots = [sum(1 + p.rank for p in self.params[:k]) for k in range(len(self.params))]
        sizes: dict[str, str] = {}
        for name, k, axis, _ in self.inputs.binders:
            sizes[name] = self.word("%in", slots[k] + 1 + axis)
        for name, k, axis, _, terms in self.inputs.solved:
            rest = self.evaluated(terms, {**sizes, name: "0"})
            factor = self.v(f"sub i64 {self.evaluated(terms, {**sizes, name: '1'})}, {rest}")
            self.need(self.v(f"icmp sgt i64 {factor}, 0"), "bad_input")
            much = self.v(f"sub i64 {self.word('%in', slots[k] + 1 + axis)}, {rest}")
            sizes[name] = self.v(f"sdiv i64 {much}, {factor}")
            self.need(self.v(f"icmp eq i64 {self.v(f'mul i64 {sizes[name]}, {factor}')}, {much}"), "bad_input")
            self.need(self.v(f"icmp sge i64 {sizes[name]}, 0"), "bad_input")
        for k, axis, (_, terms) in self.inputs.checks:
            have = self.word("%in", slots[k] + 1 + axis)
            self.need(self.v(f"icmp eq i64 {have}, {self.evaluated(terms, sizes)}"), "bad_input")

    def evaluated(self, terms: Any, sizes: dict[str, str]) -> str:
        total = "0"
        for coefficient, factors in terms:
            product = str(coefficient)
            for name in factors:
                product = self.checked("smul", product, sizes[name])
            total = self.checked("sadd", total, product)
        return total

    def checked(self, op: str, x: str, y: str) -> str:
        pair = self.v(f"call {{i64, i1}} @llvm.{op}.with.overflow.i64(i64 {x}, i64 {y})")
        over = self.v(f"extractvalue {{i64, i1}} {pair}, 1")
        self.need(self.v(f"xor i1 {over}, true"), "bad_input")
        return self.v(f"extractvalue {{i64, i1}} {pair}, 0")

    def run(self) -> None:
        """In the first room that is free."""
        self.do("br label %begin")
        self.lines.append("begin:")
        self.do("br label %look")
        self.lines.append("look:")
        self.do("%k = phi i64 [0, %begin], [%following, %other]")
        self.do(f"%place = getelementptr i64, ptr inttoptr (i64 {self.table} to ptr), i64 %k")
        self.do("%room = load ptr, ptr %place")
        busy = self.field("%room", BUSY)
        pair = self.v(f"cmpxchg ptr {busy}, i64 0, i64 1 acquire monotonic")
        self.do(f"br i1 {self.v(f'extractvalue {{i64, i1}} {pair}, 1')}, label %enter, label %other")
        self.lines.append("other:")
        self.do("%beyond = add i64 %k, 1")
        self.do(f"%end = icmp eq i64 %beyond, {self.rooms}")
        self.do("%following = select i1 %end, i64 0, i64 %beyond")
        self.do("br label %look")
        self.lines.append("enter:")
        for field in (DEPTH, FAILED, SLOT, STOP, POLLED):
            self.do(f"store i64 0, ptr {self.field('%room', field)}")
        self.do(f"store i64 {BUDGET}, ptr {self.field('%room', FUEL)}")
        start = self.v(f"load i64, ptr {self.field('%room', START)}")
        self.do(f"store i64 {start}, ptr {self.field('%room', TOP)}")
        low = self.v(f"sub i64 {self.v('ptrtoint ptr %in to i64')}, {STACK_LEFT // 2}")
        self.do(f"store i64 {low}, ptr {self.field('%room', STACK)}")
        code = self.v(f"load ptr, ptr inttoptr (i64 {self.cell} to ptr)")
        self.need(self.v(f"xor i1 {self.v(f'call i1 {code}(ptr %room, ptr %in, ptr %out)')}, true"), "refused")

    def give(self, axes: int) -> None:
        slot = 0
        for r in self.results:  # nothing is written where anything does not fit
            for axis in range(r.rank):
                want = self.word("%sizes", axes)
                axes += 1
                have = self.word("%out", slot + 1 + axis)
                self.need(self.v(f"icmp eq i64 {have}, {want}"), "bad_output")
            slot += 1 + r.rank
        targets = [self.address("%outputs", k, SIZES[r.dtype], "bad_output") for k, r in enumerate(self.results)]
        slot = 0
        for target, r in zip(targets, self.results, strict=True):
            size = str(SIZES[r.dtype])
            for axis in range(r.rank):
                size = self.v(f"mul i64 {size}, {self.word('%out', slot + 1 + axis)}")
            source = self.word("%out", slot, "ptr") if r.rank else self.place("%out", slot)
            to = self.v(f"inttoptr i64 {target} to ptr")
            self.do(f"call void @llvm.memmove.p0.p0.i64(ptr {to}, ptr {source}, i64 {size}, i1 false)")
            slot += 1 + r.rank
        self.leave(FINE)
        self.lines.append("refused:")
        self.leave(REFUSED)
        self.lines.append("bad_output:")
        self.leave(BAD_OUTPUT)
        self.lines.append("bad_input:")
        self.do(f"ret i32 {BAD_INPUT}")

    def leave(self, answer: int) -> None:
        self.do(f"store atomic i64 0, ptr {self.field('%room', BUSY)} release, align 8")
        self.do(f"ret i32 {answer}")
