"""Small arrays of a thread: in its registers, or where its other local numbers lie, not in scratch memory.

In: a function in loop form. Out: the same, where arrays of known, small size that an iteration of independent ones
takes are `Local`, and where straight code that reads what it has just stored in such an array has the number itself; a
store that is overwritten before anybody reads it is left out. A row of a Hessian, which begins with zeros to which
each number is added, is stored once then.
"""

from __future__ import annotations

from dataclasses import replace

from ..loops import tree
from ..loops.copies import renamed
from ..loops.tree import Code, Imm, Node, Operand, Reg
from .roots import UNKNOWN, Leads

MOST, ALL = 144, 512
"""Numbers of an array that becomes local, and of all of them in one nest."""
KINDS = ("f64", "f32", "i64")
"""Numbers that memory holds as registers do."""
Place = tuple[int, int]
"""A pointer and a constant number of elements from it."""


def own(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    if not any(isinstance(n, tree.For | tree.Sum) for n in f.body):
        return f
    made = replace(f, body=local(f.body, [ALL], False))
    writer = Forward(made)
    body = writer.block(made.body, frozenset())
    if not writer.names:
        return replace(made, body=body)
    results = tuple(writer.last(x) for x in made.results)
    return replace(made, body=renamed(body, {x: writer.last(y) for x, y in writer.names.items()}), results=results)


def apart(node: Node) -> bool:
    """Whether its iterations have nothing of each other."""
    return isinstance(node, tree.Sum) or (isinstance(node, tree.For) and node.parallel and not node.carried)


def local(code: Code, left: list[int], inside: bool) -> Code:
    """`left`: so many numbers a thread still has room for; `inside` says that the code is an iteration."""
    made: Code = []
    for node in code:
        match node:
            case tree.Alloc(out, Imm(value=count)) if inside and 0 < int(count) <= min(MOST, left[0]):
                left[0] -= int(count)
                node = tree.Local(out, int(count))
            case tree.For() | tree.Sum():
                node = replace(node, body=local(node.body, left if inside else [ALL], apart(node)))
            case tree.While():
                node = replace(node, test=local(node.test, left, False), body=local(node.body, left, False))
            case tree.Choice():
                node = replace(node, then=local(node.then, left, False), orelse=local(node.orelse, left, False))
            case _:
                pass
        made.append(node)
    return made


class Forward:
    """Of a function; `names` are loads that are no more, and what they would have read."""

    def __init__(self, f: tree.Function) -> None:
        self.memory = Leads(f)
        self.names: dict[int, Operand] = {}
        self.thread = False
        """Whether the code is that of an iteration."""

    def last(self, x: Operand) -> Operand:
        while isinstance(x, Reg) and x.id in self.names:
            x = self.names[x.id]
        return x

    def block(self, code: Code, mine: frozenset[int]) -> Code:
        """`mine` are arrays of the iteration that the code is part of."""
        if self.thread:
            mine |= {n.out.id for n in code if isinstance(n, tree.Local)}
        made: list[Node | None] = []
        cells: dict[Place, Operand] = {}
        stored: dict[Place, int] = {}
        """Where stores stand that nobody has read."""
        for node in code:
            match node:
                case tree.Load(out, base, Imm(value=offset)) if self.owned(base, mine):
                    place = base.id, int(offset)
                    if place in cells:
                        self.names[out.id] = cells[place]
                        continue
                    self.read(base, place, stored)
                    if out.dtype in KINDS:
                        cells[place] = out
                case tree.Load(base=base):
                    self.read(base, None, stored)
                case tree.Store(base, Imm(value=offset), value) if self.owned(base, mine):
                    place = base.id, int(offset)
                    if place in stored:
                        made[stored[place]] = None
                    self.written(base, place, cells)
                    self.read(base, place, stored, written=True)
                    if base.dtype in KINDS:
                        cells[place] = value
                        stored[place] = len(made)
                case tree.Store(base=base):
                    self.written(base, None, cells)
                case tree.Scalar() | tree.Shift() | tree.Alloc() | tree.Local() | tree.Data() | tree.Check():
                    pass
                case _:
                    cells, stored = {}, {}
                    node = self.inner(node, mine)
            made.append(node)
        return [n for n in made if n is not None]

    def inner(self, node: Node, mine: frozenset[int]) -> Node:
        match node:
            case tree.For() | tree.Sum():
                before, self.thread = self.thread, self.thread or apart(node)
                node = replace(node, body=self.block(node.body, mine))
                self.thread = before
            case tree.While():
                node = replace(node, test=self.block(node.test, mine), body=self.block(node.body, mine))
            case tree.Choice():
                node = replace(node, then=self.block(node.then, mine), orelse=self.block(node.orelse, mine))
            case _:
                pass
        return node

    def owned(self, base: Reg, mine: frozenset[int]) -> bool:
        return bool(mine) and self.memory.of(base) <= mine

    def meets(self, base: Reg, other: int) -> bool:
        """Whether two pointers may lead to the same array."""
        one, two = self.memory.of(base), frozenset(self.memory.found.get(other) or (UNKNOWN,))
        return bool(one & two) or UNKNOWN in one or UNKNOWN in two

    def written(self, base: Reg, place: Place | None, cells: dict[Place, Operand]) -> None:
        """What may be another number now."""
        for other in [p for p in cells if self.touched(base, place, p)]:
            del cells[other]

    def read(self, base: Reg, place: Place | None, stored: dict[Place, int], written: bool = False) -> None:
        """Stores that somebody may have read; a store is no reader."""
        for other in [p for p in stored if (p == place if written else self.touched(base, place, p))]:
            del stored[other]

    def touched(self, base: Reg, place: Place | None, other: Place) -> bool:
        if place is not None and place[0] == other[0]:
            return place == other
        return self.meets(base, other[0])

