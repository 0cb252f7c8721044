"""What writes the code of a kernel: an iteration of a loop, and what becomes of additions to places in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..loops import tree
from ..loops.tree import Reg
from .apart import words_of
from .device import scatters
from .kernel import ThreadWriter, operand, register
from .places import Places
from .roots import Leads
from .slots import Slots

if TYPE_CHECKING:
    from .outline import Outline


class BodyWriter(ThreadWriter):
    """Code of one kernel."""

    def __init__(self, owner: Outline, function: tree.Function) -> None:
        super().__init__(owner.unit, function)
        self.owner = owner
        self.count = 0
        self.memory: Leads | None = None
        self.apart: Mapping[int, str] = {}
        """Arrays that lie beside those of other threads, by root: `apart.py`."""

    def invoke(self, node: tree.Invoke) -> None:
        self.owner.needed_functions[node.function] = None
        super().invoke(node)

    def place(self, base: Reg, offset: str) -> str | None:
        """An element of an array that does not lie as it seems."""
        words = None if self.memory is None else words_of(self.apart, self.memory, base)
        return None if words is None else f"dad_word({words}, {register(base)} + {offset})"

    def node(self, node: tree.Node) -> None:
        match node:
            case tree.Load(out, base, offset) if (cell := self.place(base, operand(offset))) is not None:
                self.define(out, f"dad_of_half({cell})" if out.dtype == "f16" else cell)
            case tree.Store(base, offset, value) if (cell := self.place(base, operand(offset))) is not None:
                self.line(f"{cell} = {f'dad_to_half({operand(value)})' if value.dtype == 'f16' else operand(value)};")
            case tree.Copy(target, source, count) if self.place(target, "0") or self.place(source, "0"):
                t, s, n, k = register(target), register(source), operand(count), self.fresh("k")
                moved = f"{self.place(target, k) or f'{t}[{k}]'} = {self.place(source, k) or f'{s}[{k}]'};"
                self.line(f"if ({t} > {s} && {t} < {s} + {n}) for (int64_t {k} = {n}; {k}-- > 0;) {moved}")
                self.line(f"else for (int64_t {k} = 0; {k} < {n}; {k}++) {moved}")
            case _:
                super().node(node)

    def text(self) -> list[str]:
        return [*self.locals, *self.lines]


class PlacesWriter(BodyWriter):
    """Code of an iteration that adds to places: the additions are not what is written for them elsewhere."""

    def __init__(self, owner: Outline, function: tree.Function, found: Places) -> None:
        super().__init__(owner, function)
        self.found = found

    def node(self, node: tree.Node) -> None:
        if id(node) in self.found.loads or id(node) in self.found.makers:
            return
        target = self.found.stores.get(id(node))
        if target is None:
            super().node(node)
            return
        assert isinstance(node, tree.Store)
        self.add(node, target)

    @abstractmethod
    def add(self, node: tree.Store, target: int) -> None:
        """Write an addition; `target` is the number of the array."""


class AddWriter(PlacesWriter):
    """Code of an iteration that writes down what it adds, and where: in slots, or else one after the other."""

    def __init__(self, owner: Outline, function: tree.Function, found: Places, slots: Sequence[Slots | None]) -> None:
        super().__init__(owner, function, found)
        self.slots = slots
        for t, made in enumerate(slots):
            self.locals += [f"  uint32_t key{t}_{k} = (uint32_t)none{t};" for k in range(made.count if made else 0)]

    def add(self, node: tree.Store, target: int) -> None:
        value = operand(self.found.values[id(node)])
        value = f"dad_to_half({value})" if node.value.dtype == "f16" else value
        place = f"{register(node.base)} + {operand(node.offset)} - root{target}"
        slots = self.slots[target]
        if slots is None:
            self.line(f"places{target}[at{target}] = {place};")
            self.line(f"values{target}[at{target}++] = {value};")
            return
        slot, lane = slots.stores[id(node)]
        if id(node) in slots.rows:
            row = slots.rows[id(node)]
            self.line(f"key{target}_{slot} = (uint32_t)({place if row is None else operand(row)});")
        self.line(f"values{target}[(at{target} + {slot}) * {slots.width} + {operand(lane)}] = {value};")

    def end(self) -> None:
        """What comes behind the body."""
        for t, made in enumerate(self.slots):
            for k in range(made.count if made else 0):
                self.line(f"places{t}[at{t} + {k}] = key{t}_{k};")


class AtomicWriter(PlacesWriter):
    """Code of an iteration that adds to places as it comes."""

    def add(self, node: tree.Store, target: int) -> None:
        kind = scatters.atomic("add", node.base.dtype, nondet=True)
        self.line(f"atomicAdd(({kind} *){register(node.base)} + {operand(node.offset)}, "
                  f"({kind}){operand(self.found.values[id(node)])});")
