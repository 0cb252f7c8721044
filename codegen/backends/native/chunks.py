"""Long code in pieces that are functions of their own.

LLVM's time for a function grows faster than the function. So long code is cut; registers that are read in another piece
lie in a frame, a word to each. A piece loads a register where it first reads it, and stores it where it defines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..loops import tree
from ..loops.operands import defined, inner, own, read
from ..loops.tree import Code, Node, Reg

if TYPE_CHECKING:
    from .llvm import FunctionWriter

class Plan:
    """Which code of a function is long, and what its registers are read by."""

    def __init__(self, function: tree.Function, limit: int) -> None:
        self.limit = limit
        self.weights: dict[int, int] = {}
        self.made: list[Code] = []
        """Code that is not the function's own; it must live as long as its weight is known."""
        self.depth = 0
        self.weight = self.weigh(function.body)
        self.reads = read(function.body)
        for x in function.results:
            if isinstance(x, Reg):
                self.reads[x] = self.reads.get(x, 0) + 1

    def words(self) -> int:
        """At most so many words has the frame: a register has one in each code that is cut, and they lie in each other.
        """
        return len(self.reads) * self.depth

    def weigh(self, code: Code, depth: int = 1) -> int:
        self.depth = max(self.depth, depth)
        total = 0
        for node in code:
            total += 1
            for part in inner(node):
                total += self.weigh(part, depth + 1)
        self.weights[id(code)] = total
        return total

    def heavy(self, code: Code) -> bool:
        if len(code) < 2:
            return False
        if id(code) not in self.weights:
            self.made.append(code)
            self.weigh(code)
        return self.weights[id(code)] > self.limit

    def node(self, node: Node) -> int:
        return 1 + sum(self.weights[id(part)] for part in inner(node))

    def pieces(self, code: Code) -> list[Code]:
        """The code in pieces of about the limit; a node that is longer is a piece."""
        made: list[Code] = []
        weight = self.limit
        for node in code:
            own = self.node(node)
            if weight + own > self.limit or not made:
                made.append([])
                weight = 0
            made[-1].append(node)
            weight += own
        return made


def write(w: FunctionWriter, code: Code) -> None:
    """Code that is cut."""
    plan = w.plan
    assert plan is not None
    frame = Frame(w)
    inside: dict[Reg, int] = {}
    home: dict[Reg, int] = {}
    """Which piece defines a register."""
    wanted: dict[Reg, set[int]] = {}
    """Which pieces read a register that they do not define."""
    for node in code:
        if isinstance(node, tree.Local):  # not in the frame of a piece, which is gone when the next one runs
            w.node(node)
    pieces = plan.pieces([node for node in code if not isinstance(node, tree.Local)])
    for k, piece in enumerate(pieces):
        home |= dict.fromkeys(defined(piece), k)
        for reg, count in read(piece).items():
            inside[reg] = inside.get(reg, 0) + count
            if home.get(reg) != k:
                wanted.setdefault(reg, set()).add(k)
    apart = [not (len(p) == 1 and plan.node(p[0]) > plan.limit) for p in pieces]
    late = {reg for reg in home if plan.reads.get(reg, 0) > inside.get(reg, 0)}
    kept = {*wanted, *late}
    for reg, readers in wanted.items():
        if reg not in home and any(apart[k] for k in readers):
            frame.put(reg)
    for k, piece in enumerate(pieces):
        if apart[k]:
            call(w, frame, piece, kept)
            continue
        for reg, readers in wanted.items():
            if k in readers and reg in home and apart[home[reg]]:
                frame.get(reg)
        w.node(piece[0])
        for reg in own(piece[0])[1]:
            if any(apart[j] for j in wanted.get(reg, ())):
                frame.put(reg)
    for reg in late:
        if apart[home[reg]]:
            frame.get(reg)


def call(w: FunctionWriter, frame: Frame, piece: Code, kept: set[Reg]) -> None:
    """A piece as a function, and its call."""
    from .llvm import sines_and_cosines

    place = len(w.module.leaves)
    w.module.leaves.append("")
    part = w.inner()
    part.leaf = w.leaf
    part.ctx, part.base = "%ctx", "%base"
    known: set[Reg] = set()
    paired = sines_and_cosines(piece)
    for k, node in enumerate(piece):
        reads, made = own(node)
        if inner(node):
            known.update(defined([node]))
            reads = tuple(read([node]))
        for reg in reads:
            if isinstance(reg, Reg) and reg not in known:
                known.add(reg)
                part.get("%frame", frame.slot(reg), reg)
                part.lines[-1 - (reg.dtype == "bool" and not reg.pointer)] += ", !invariant.load !7"
        part.one(node, paired.get(k))
        known.update(made)
        for reg in made:
            if reg in kept:
                part.put("%frame", frame.slot(reg), reg)
    part.do("ret i1 false")
    w.module.leaves[place] = part.text(
        f"define internal i1 @unit.l{place}(ptr %ctx, i64 %base, ptr noalias %frame) noinline nounwind")
    w.called = w.called or part.called
    failed = w.line(f"call i1 @unit.l{place}(ptr {w.ctx}, i64 {w.base}, ptr {frame.name})")
    if not w.leaf:
        w.leave_if(failed)


class Frame:
    """Words for the registers of pieces of one function."""

    def __init__(self, w: FunctionWriter) -> None:
        self.w = w
        self.name = w.frame()
        self.slots: dict[Reg, int] = {}

    def slot(self, reg: Reg) -> int:
        if reg not in self.slots:
            self.slots[reg] = self.w.words
            self.w.words += 1
        return self.slots[reg]

    def put(self, reg: Reg) -> None:
        self.w.put(self.name, self.slot(reg), reg)

    def get(self, reg: Reg) -> None:
        w = self.w
        w.names[reg.id] = w.fresh("f")
        w.get(self.name, self.slot(reg), reg)
