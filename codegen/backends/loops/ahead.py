"""What an inner loop computes anew in each iteration of the loop around it, computed once, ahead of that.

    for r < n { for c < m { … f(c) … } }    becomes    for c < m { t[c] = f(c) }; for r < n { for c < m { … t[c] … } }

where `f(c)` reads nothing that depends on r. In lanes, reading a number from a row of each lane's own counts as work:
it is one load to a lane, and `t` has the lanes side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from . import tree
from .copies import NewReg, copied, renamed
from .fuse import Memory
from .operands import Loop, defined, everything, own, read, without_unused
from .tree import Code, Imm, Node, Operand, Reg
from .varying import Varying


def ahead(body: Code, varying: Varying, memory: Memory, reg: NewReg) -> Code:
    """The body of a loop that is to run in lanes, its loops so."""
    return Ahead(varying, memory, reg).block(body)


def apart(body: Code, varying: Varying, memory: Memory, reg: NewReg) -> Code:
    """The body of a loop that is to run in lanes: in loops of it, what is added to elements that all lanes share is
    added by a loop of its own."""
    out: Code = []
    for node in body:
        match node:
            case tree.For(parallel=True, carried=()) if any(id(n) in varying.additions for n in node.body):
                out += divided(node, varying, memory, reg)
            case tree.For() | tree.Sum() | tree.Lanes():
                out.append(replace(node, body=apart(node.body, varying, memory, reg)))
            case tree.Choice():
                out.append(replace(node, then=apart(node.then, varying, memory, reg),
                                   orelse=apart(node.orelse, varying, memory, reg)))
            case _:
                out.append(node)
    return out


def divided(node: tree.For, varying: Varying, memory: Memory, reg: NewReg) -> Code:
    found = [varying.additions[id(n)] for n in node.body if id(n) in varying.additions]
    found = [a for a in found if varying.shared(a)]
    by = {r.id: n for n in node.body for r in own(n)[1]}
    needed: set[int] = set()
    pending = [x.id for a in found for x in (a.load.base, a.load.offset, a.value) if isinstance(x, Reg)]
    while pending:
        at = pending.pop()
        if at in by and id(by[at]) not in needed:
            needed.add(id(by[at]))
            pending += [x.id for x in own(by[at])[0] if isinstance(x, Reg)]
    adding = {id(n) for a in found for n in (a.load, a.add, a.store)}
    adds = [n for n in node.body if id(n) in needed | adding]
    rest = without_unused([n for n in node.body if id(n) not in adding], node)
    if not found or not any(not isinstance(n, tree.Scalar | tree.Load | tree.Shift) for n in rest):
        return [node]
    if not varying.only_adds(replace(node, body=adds)):
        return [node]
    written = {memory.root(n.base) for n in everything(rest) if isinstance(n, tree.Store)}
    if any(isinstance(n, tree.Store | tree.Load) and memory.root(n.base) in written for n in adds):
        return [node]
    if any(not isinstance(n, tree.Scalar | tree.Load | tree.Shift | tree.Store) for n in rest):
        return [node]
    index = reg("i64", False)
    own_body = copied(renamed(adds, {node.index.id: index}), reg)
    rooted(own_body, memory)
    return [replace(node, index=index, body=own_body), replace(node, body=rest)]


@dataclass
class Found:
    """Values of an inner loop that are the same in each iteration of the loop around: how they are computed."""

    nodes: list[Node]
    wanted: list[Reg]


class Ahead:
    def __init__(self, varying: Varying, memory: Memory, reg: NewReg) -> None:
        self.varying, self.memory, self.reg = varying, memory, reg

    def block(self, code: Code) -> Code:
        out: Code = []
        taken = False
        for node in code:
            match node:
                case tree.For() if node.last:
                    pass
                case tree.For() | tree.Sum():
                    before, node = self.around(replace(node, body=self.block(node.body)))
                    out += before
                    taken = taken or bool(before)
                case tree.Choice() if any(r.pointer for r in node.outs):
                    pass  # what an arm gives lies in the arena, so an arm cannot give anything back
                case tree.Choice():
                    node = replace(node, then=self.block(node.then), orelse=self.block(node.orelse))
                case _:
                    pass
            out.append(node)
        if taken and not isinstance(out[0], tree.Mark):
            mark = Reg(self.reg("u8", True).id, "u8", True)
            out = [tree.Mark(mark), *out, tree.Release(mark)]
        return out

    def around(self, loop: Loop) -> tuple[Code, Loop]:
        """What goes before a loop, and the loop."""
        bound = {r.id for r in defined([loop])}
        written = {self.memory.root(n.base if isinstance(n, tree.Store) else n.target)
                   for n in everything(loop.body) if isinstance(n, tree.Store | tree.Copy)}
        before: Code = []
        made: dict[object, Reg] = {}
        body: Code = []
        for node in loop.body:
            if isinstance(node, tree.For | tree.Sum) and not (isinstance(node.count, Reg) and node.count.id in bound) \
                    and not self.varying.only_adds(node) and not (isinstance(node, tree.For) and node.last):
                found = self.found(node, bound, written)
                if found.wanted:
                    node = self.moved(loop, node, found, before, made)
            body.append(node)
        return before, replace(loop, body=body)

    def found(self, inner: Loop, bound: set[int], written: set[int]) -> Found:
        same = {inner.index.id}
        nodes: list[Node] = []

        def fixed(x: Operand) -> bool:
            return isinstance(x, Imm) or x.id not in bound or x.id in same

        for node in inner.body:
            match node:
                case tree.Scalar() if all(map(fixed, node.args)):
                    pass
                case tree.Load() if fixed(node.base) and fixed(node.offset) and \
                        self.memory.root(node.base) not in written:
                    pass
                case tree.Shift() if fixed(node.base) and fixed(node.offset):
                    pass
                case _:
                    continue
            same.update(r.id for r in own(node)[1])
            nodes.append(node)
        inside = {id(n) for n in nodes}
        outside: set[int] = set()
        for node in inner.body:
            if id(node) not in inside:
                outside |= {r.id for r in read([node])}
        ends = [inner.value, *(v for _, v in inner.more)] if isinstance(inner, tree.Sum) else list(inner.next)
        outside |= {x.id for x in ends if isinstance(x, Reg)}
        by = {r.id: n for n in nodes for r in own(n)[1]}
        wanted = [r for n in nodes for r in own(n)[1] if r.id in outside and not r.pointer
                  and self.work(r, by, inner.index.id)]
        return Found(nodes, wanted)

    def work(self, reg: Reg, by: dict[int, Node], index: int) -> bool:
        """Whether computing it is more than reading it from where the lanes lie side by side, and it changes with the
        inner loop's index."""
        worth = changes = False
        pending = [reg.id]
        while pending:
            at = pending.pop()
            changes = changes or at == index
            node = by.get(at)
            if node is None:
                continue
            if isinstance(node, tree.Scalar) and node.out.dtype in ("f64", "f32") and self.varying.varies(node.out):
                worth = True
            if isinstance(node, tree.Load) and self.varying.varies(node.out) and not self.varying.mine(node.base):
                worth = True
            pending += [x.id for x in own(node)[0] if isinstance(x, Reg)]
        return worth and changes

    def moved(self, loop: Loop, inner: Loop, found: Found, before: Code, made: dict[object, Reg]) -> Loop:
        """The inner loop, reading what `before` computes."""
        by = {r.id: n for n in found.nodes for r in own(n)[1]}
        reads: dict[int, tree.Load] = {}
        for value in found.wanted:
            needed: set[int] = set()
            pending = [value.id]
            while pending:
                at = pending.pop()
                if at in by and at not in needed:
                    needed.add(at)
                    pending += [x.id for x in own(by[at])[0] if isinstance(x, Reg)]
            code = [n for n in found.nodes if any(r.id in needed for r in own(n)[1])]
            key = (inner.count, form(code, inner.index))
            place = made.get(key)
            if place is None:
                place = made[key] = self.reg(value.dtype, True)
                count: Operand = inner.count
                if not isinstance(loop.count, Imm):  # a loop that is not entered reads nothing
                    some, size = self.reg("bool", False), self.reg("i64", False)
                    before += [tree.Scalar(some, "gt", (loop.count, Imm(0, "i64"))),
                               tree.Scalar(size, "select", (some, inner.count, Imm(0, "i64")))]
                    count = size
                elif int(loop.count.value) <= 0:
                    count = Imm(0, "i64")
                index = self.reg("i64", False)
                names = {r.id: self.reg(r.dtype, r.pointer) for n in code for r in own(n)[1]}
                copy = renamed(code, names | {inner.index.id: index})
                before += [tree.Alloc(place, inner.count),
                           tree.For(index, count, (), (), [*copy, tree.Store(place, index, names[value.id])], (), (),
                                    True)]
                for n, m in zip(code, copy, strict=True):  # the new ones vary as the old ones do
                    for r, q in zip(own(n)[1], own(m)[1], strict=True):
                        if r.id in self.varying.values:
                            self.varying.values.add(q.id)
                        if r.id in self.varying.rows:
                            self.varying.rows.add(q.id)
                rooted(copy, self.memory)
                self.memory.roots[place.id] = place.id
                self.varying.inside.add(place.id)
                self.varying.private.add(place.id)
            reads[value.id] = tree.Load(value, place, inner.index)
        body: Code = []
        for node in inner.body:
            mine = [r.id for r in own(node)[1]]
            body.append(reads[mine[0]] if len(mine) == 1 and mine[0] in reads else node)
        return replace(inner, body=without_unused(body, inner))


def rooted(code: Code, memory: Memory) -> None:
    """Have it known where pointers of new code lead to."""
    for node in everything(code):
        if isinstance(node, tree.Shift):
            memory.roots[node.out.id] = memory.root(node.base)




def form(code: Code, index: Reg) -> object:
    """The same for code that computes the same: registers of its own by number."""
    number: dict[int, int] = {index.id: -1}
    found: list[object] = []
    for node in code:
        reads, makes = own(node)
        found.append((type(node).__name__, getattr(node, "name", ""), getattr(node, "attrs", ()), tuple(
            ("own", number[x.id]) if isinstance(x, Reg) and x.id in number else repr(x) for x in reads)))
        for r in makes:
            number[r.id] = len(number)
    return tuple(found)
