"""Which variables may share memory, and whose memory may be written: what makes in-place updates legal.

Every array variable has a set of *buffers* that it may be (part of). A buffer is *owned* when this function made it.
An update may write its array when all its buffers are owned, no variable that is still read shares one, and no place
of memory stands for several elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ....lang.core.ir import Atom, Block, Var
from ....lang.core.walk import free_in_op

Buffers = frozenset[int]
NONE: Buffers = frozenset()


@dataclass
class Frame:
    """One block being written: when each variable is last read in it, and what is read after every statement."""

    last: dict[Var, int]
    always: frozenset[Var]
    at: int = 0

    def reads_later(self, var: Var) -> bool:
        return self.last.get(var, -1) > self.at or var in self.always


def frame_of(block: Block, always: frozenset[Var] = frozenset()) -> Frame:
    last: dict[Var, int] = {}
    for k, stmt in enumerate(block.stmts):
        for var in free_in_op(stmt.op):
            last[var] = k
    for atom in block.results:
        if isinstance(atom, Var):
            last[atom] = len(block.stmts)
    return Frame(last, always)


@dataclass
class Memory:
    of: dict[Var, Buffers] = field(default_factory=dict)
    owned: set[int] = field(default_factory=set)
    repeating: set[Var] = field(default_factory=set)
    sharers: dict[int, list[Var]] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)
    frames: list[Frame] = field(default_factory=list)
    partial: dict[Var, int] = field(default_factory=dict)
    """Rows and slices of other arrays, and how many blocks were open where they were made."""
    count: int = 0

    def new(self, *, owned: bool) -> int:
        self.count += 1
        if owned:
            self.owned.add(self.count)
        return self.count

    def bind(self, var: Var, buffers: Buffers, *, repeating: bool = False) -> None:
        if var.type.rank == 0:
            return
        self.of[var] = buffers
        if repeating:
            self.repeating.add(var)
        for buffer in buffers:
            self.sharers.setdefault(buffer, []).append(var)

    def fresh(self, var: Var) -> None:
        self.bind(var, frozenset({self.new(owned=True)}))

    def view(self, var: Var, base: Atom, *, repeating: bool = False) -> None:
        if isinstance(base, Var) and base.type.rank:
            self.bind(var, self.of[base], repeating=repeating or base in self.repeating)
        else:
            self.fresh(var)

    def buffers(self, atom: Atom) -> Buffers:
        return self.of.get(atom, NONE) if isinstance(atom, Var) else NONE

    def alive(self, var: Var) -> bool:
        """Whether it is read after the statement being written, here or around here."""
        return any(frame.reads_later(var) for frame in self.frames)

    def in_the_way(self, atom: Atom) -> list[Var] | None:
        """Rows and slices that must be copied for the array to be changed in place; None where that would not do.

        Only those made in the block being written: another block might run without the copy.
        """
        if not isinstance(atom, Var) or atom in self.repeating or not self.of.get(atom, NONE) <= self.owned:
            return None
        found = {v: None for buffer in self.of.get(atom, NONE) for v in self.sharers[buffer] if self.alive(v)}
        here = len(self.frames)
        return list(found) if all(self.partial.get(v) == here and v != atom for v in found) else None

    def part_of(self, var: Var, base: Atom) -> None:
        """A row or slice of an array."""
        self.view(var, base)
        self.partial[var] = len(self.frames)

    def separate(self, var: Var) -> None:
        """It has been copied."""
        for buffer in self.of[var]:
            self.sharers[buffer].remove(var)
        del self.partial[var]
        self.fresh(var)

    def writable(self, atom: Atom) -> bool:
        """Whether nobody else will see it if the array is changed now."""
        if (
            not isinstance(atom, Var)
            or atom not in self.of
            or atom in self.repeating
            or not self.of[atom] <= self.owned
        ):
            return False
        return not any(self.alive(v) for buffer in self.of[atom] for v in self.sharers[buffer])
