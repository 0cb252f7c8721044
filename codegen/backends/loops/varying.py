"""What differs from lane to lane when iterations of a loop run side by side.

Comes in: the body of the loop and its index. A register is the same in all lanes, or it varies; a pointer leads to the
same place in all of them, to memory of which each lane has a part of its own (what the body takes, and what varies is
written there), or to a place of each lane's own in memory that others see (a row).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import tree
from .operands import everything, inner, own, read
from .tree import Code, Imm, Node, Operand, Reg


class NotAlike(Exception):
    """Lanes would have to go different ways, or what they do has no form for vectors."""


@dataclass(frozen=True)
class Addition:
    """What adds to an element of an array that all lanes share: the number that is read, the sum, and what is added."""

    load: tree.Load
    add: tree.Scalar
    store: tree.Store

    @property
    def value(self) -> Operand:
        x, y = self.add.args
        return y if x == self.load.out else x


class Varying:
    """`values`: registers that vary; `private` and `rows`: pointers. Raises `NotAlike`."""

    def __init__(self, index: Reg, body: Code) -> None:
        self.values: set[int] = {index.id}
        self.private: set[int] = set()
        self.rows: set[int] = set()
        self.parent: dict[int, int] = {}
        self.inside: set[int] = set()
        """Roots of what the body takes."""
        self.outer: set[int] = set()
        """Roots of groups of pointers that come from elsewhere too."""
        self.groups(body)
        self.additions = {id(a.store): a for a in additions(body)}
        self.adding = {id(a.add): a for a in self.additions.values()}
        self.apart = 0
        """In how many arms that lanes go into or not the code stands."""
        before = -1
        while before != self.known():
            before = self.known()
            self.code(body)
        self.check(body)

    def known(self) -> int:
        return len(self.values) + len(self.private) + len(self.rows)

    def root(self, pointer: int) -> int:
        while pointer in self.parent:
            pointer = self.parent[pointer]
        return pointer

    def join(self, x: int, y: int) -> None:
        x, y = self.root(x), self.root(y)
        if x != y:
            self.parent[y] = x

    def groups(self, body: Code) -> None:
        """Pointers that lead into each other."""
        made = [node.out.id for node in everything(body) if isinstance(node, tree.Alloc | tree.Local)]
        bound = {r.id for node in everything(body) for r in own(node)[1]}
        used = {r.id for r in read(body) if r.pointer}
        for node in everything(body):
            match node:
                case tree.Shift():
                    self.join(node.base.id, node.out.id)
                case tree.For() | tree.While():
                    for reg, start, following, out in zip(node.carried, node.init, node.next, node.outs, strict=True):
                        if reg.pointer and isinstance(start, Reg) and isinstance(following, Reg):
                            for other in (start, following, out):
                                self.join(reg.id, other.id)
                case tree.Choice():
                    for x, y, out in zip(node.then_values, node.orelse_values, node.outs, strict=True):
                        if out.pointer and isinstance(x, Reg) and isinstance(y, Reg):
                            self.join(out.id, x.id)
                            self.join(out.id, y.id)
        self.inside = {self.root(p) for p in made}
        self.outer = {self.root(p) for p in used - bound}

    def varies(self, x: Operand) -> bool:
        return isinstance(x, Reg) and (x.id in self.rows or self.mine(x) if x.pointer else x.id in self.values)

    def mine(self, pointer: Reg) -> bool:
        return self.root(pointer.id) in self.private

    def shared(self, a: Addition) -> bool:
        """Whether all lanes add to the same element."""
        return not self.varies(a.load.base) and not self.varies(a.load.offset) and \
            self.root(a.load.base.id) not in self.inside

    def vary(self, *regs: Reg) -> None:
        for reg in regs:
            if reg.pointer:
                raise NotAlike
            self.values.add(reg.id)

    def own_memory(self, pointer: Reg) -> None:
        """What varies is written where this leads to."""
        root = self.root(pointer.id)
        if root in self.inside:
            if root in self.outer:
                raise NotAlike
            self.private.add(root)

    def code(self, code: Code) -> None:
        for node in code:
            self.node(node)

    def node(self, node: Node) -> None:
        match node:
            case tree.Scalar():
                added = self.adding.get(id(node))
                if any(map(self.varies, node.args)) and not (added is not None and self.shared(added)):
                    self.vary(node.out)
            case tree.Load():
                if self.varies(node.base) or self.varies(node.offset) or self.apart:
                    self.vary(node.out)
            case tree.Shift():
                if node.base.id in self.rows or (self.varies(node.offset) and not self.mine(node.base)):
                    self.rows.add(node.out.id)
            case tree.Store():
                if self.apart or any(map(self.varies, (node.base, node.offset, node.value))):
                    self.own_memory(node.base)
            case tree.Copy():
                if self.varies(node.source) or self.varies(node.target):
                    self.own_memory(node.target)
            case tree.For() | tree.While():
                for reg, start, following in zip(node.carried, node.init, node.next, strict=True):
                    if self.varies(start) or self.varies(following):
                        if reg.pointer and not self.mine(reg):
                            raise NotAlike
                        if not reg.pointer:
                            self.vary(reg)
                for part in inner(node):
                    self.code(part)
                for reg, start, following, out in zip(node.carried, node.init, node.next, node.outs, strict=True):
                    if not reg.pointer and (self.varies(start) or self.varies(following)):
                        self.vary(reg, out)
            case tree.Sum():
                self.code(node.body)
                self.vary(*(out for out, x in ((node.out, node.value), *node.more) if self.varies(x)))
            case tree.Choice():
                self.apart += self.varies(node.cond)
                self.code(node.then)
                self.code(node.orelse)
                self.apart -= self.varies(node.cond)
                for x, y, out in zip(node.then_values, node.orelse_values, node.outs, strict=True):
                    if not out.pointer and (self.varies(node.cond) or self.varies(x) or self.varies(y)):
                        self.vary(out)
            case _:
                pass

    def only_adds(self, node: Node) -> bool:
        """Whether a loop of independent iterations does nothing but add to elements that all lanes share, numbers that
        come from no memory of a lane's own: each element gets its numbers in one go, as many as there are lanes."""
        if not isinstance(node, tree.For) or not node.parallel or node.carried:
            return False
        some = False
        for inside in node.body:
            match inside:
                case tree.Store():
                    added = self.additions.get(id(inside))
                    if added is None or not self.shared(added):
                        return False
                    some = True
                case tree.Load():
                    if self.mine(inside.base):
                        return False
                case tree.Scalar() | tree.Shift():
                    pass
                case _:
                    return False
        return some

    # ------------------------------------------------------------ what lanes cannot do

    def check(self, code: Code, masked: bool = False) -> None:
        for node in code:
            regs = [*own(node)[1], *(x for x in own(node)[0] if isinstance(x, Reg))]
            if any(r.dtype == "f16" and not r.pointer for r in regs):
                raise NotAlike
            match node:
                case tree.Scalar() | tree.Mark() | tree.Release() | tree.Poll():
                    pass
                case tree.Load() | tree.Shift() | tree.Store():
                    if self.mine(node.base) and self.varies(node.offset):
                        raise NotAlike
                case tree.Alloc():
                    if self.varies(node.count):
                        raise NotAlike
                case tree.Local():
                    pass
                case tree.Copy():
                    if self.varies(node.count):
                        raise NotAlike
                case tree.For() | tree.Sum():
                    if self.varies(node.count) or masked:
                        raise NotAlike
                case tree.While():
                    if self.varies(node.cond) or masked:
                        raise NotAlike
                case tree.Choice():
                    if self.varies(node.cond) and any(out.pointer for out in node.outs):
                        raise NotAlike
                    values = zip(node.outs, node.then_values, node.orelse_values, strict=True)
                    if any(out.pointer and any(map(self.varies, (out, x, y))) for out, x, y in values):
                        raise NotAlike
                case tree.Check():
                    if self.varies(node.holds) or masked:
                        raise NotAlike
                case _:
                    raise NotAlike
            if masked and not isinstance(node, tree.Scalar | tree.Load | tree.Store | tree.Shift | tree.Choice):
                raise NotAlike
            apart = masked or (isinstance(node, tree.Choice) and self.varies(node.cond))
            for part in inner(node):
                self.check(part, apart)


def additions(body: Code) -> list[Addition]:
    """Where numbers are added to elements, each in one block of code: read, added, stored, and nothing else."""
    uses = read(body)
    found: list[Addition] = []

    def look(code: Code) -> None:
        loads: dict[int, tree.Load] = {}
        sums: dict[int, tuple[tree.Load, tree.Scalar]] = {}
        for node in code:
            match node:
                case tree.Load():
                    if uses.get(node.out) == 1:
                        loads[node.out.id] = node
                case tree.Scalar(out, "add", (x, y)):
                    for arg in (x, y):
                        if isinstance(arg, Reg) and arg.id in loads and x != y and uses.get(out) == 1:
                            sums[out.id] = loads[arg.id], node
                            break
                case tree.Store(base, offset, value):
                    if isinstance(value, Reg) and value.id in sums:
                        load, add = sums[value.id]
                        if load.base == base and load.offset == offset:
                            found.append(Addition(load, add, node))
                case _:
                    for part in inner(node):
                        look(part)

    look(body)
    return found


def constant(x: Operand) -> int | None:
    return int(x.value) if isinstance(x, Imm) else None
