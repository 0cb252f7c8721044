"""Loops over the same count become one, and sums of what a loop stores are added up as it runs.

In: a function in loop form. Out: the same function, in which loops of independent iterations and sums that are straight
code, count to the same number and do not wait for each other run as one. What they compute alike is computed once, and
arrays that nobody reads any more are not stored. The order of additions in each sum is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import tree
from .operands import defined, everything, own, read
from .tree import Code, Imm, Node, Operand, Reg

Map = dict[int, Operand]
UNKNOWN = -1
"""The root of a pointer of which is not known where it points."""


def fuse(program: tree.Program) -> tree.Program:
    return tree.Program({name: fused(f) for name, f in program.functions.items()})


def fused(f: tree.Function) -> tree.Function:
    if sum(1 for node in everything(f.body) if isinstance(node, tree.For | tree.Sum)) < 2:
        return f
    memory = Memory(f)
    body = block(f.body, memory)
    return replace_body(f, without_dead_stores(body, f.results))


def replace_body(f: tree.Function, body: Code) -> tree.Function:
    return tree.Function(f.name, f.params, body, f.results, f.slots)


def straight(code: Code) -> bool:
    """Whether the code is without loops, calls, checks, and use of the arena."""
    for node in code:
        match node:
            case tree.Scalar() | tree.Load() | tree.Store() | tree.Shift():
                pass
            case tree.Choice(then=then, orelse=orelse):
                if not (straight(then) and straight(orelse)):
                    return False
            case _:
                return False
    return True


# ------------------------------------------------------------------ what nodes do


def needs(node: Node) -> set[int]:
    """Registers that a node reads and does not bind itself."""
    return {r.id for r in read([node])} - {r.id for r in defined([node])}


class Memory:
    """Where pointers point: to arrays of the function's own that only it can reach, or anywhere."""

    def __init__(self, f: tree.Function) -> None:
        self.roots: dict[int, int] = {}
        self.given = {p.id for p in f.params if p.pointer}
        mine: set[int] = set()
        escaped: set[int] = set()
        shifts: list[tuple[int, int]] = []
        for node in everything(f.body):
            match node:
                case tree.Alloc(out=out) | tree.Local(out=out):
                    mine.add(out.id)
                case tree.Data(out=out):
                    self.given.add(out.id)
                case tree.Shift(out=out, base=base):
                    shifts.append((out.id, base.id))
                case tree.Load() | tree.Store() | tree.Copy():
                    pass
                case _:
                    escaped |= {x.id for x in own(node)[0] if isinstance(x, Reg) and x.pointer}
        parent = dict(shifts)
        for reg in [*parent, *mine, *self.given]:
            at = reg
            while at in parent:
                at = parent[at]
            self.roots[reg] = at if at in mine or at in self.given else UNKNOWN
        lost = {self.roots.get(x, UNKNOWN) for x in escaped}
        self.roots = {reg: UNKNOWN if root in lost and root in mine else root for reg, root in self.roots.items()}

    def root(self, pointer: Reg) -> int:
        return self.roots.get(pointer.id, UNKNOWN)

    def effects(self, node: Node) -> tuple[set[int], set[int]]:
        """What is read and written, by root."""
        if isinstance(node, tree.Load):
            return {self.root(node.base)}, set()
        if isinstance(node, tree.Store):
            return set(), {self.root(node.base)}
        reads: set[int] = set()
        writes: set[int] = set()
        for inner in everything([node]):
            match inner:
                case tree.Load(base=base):
                    reads.add(self.root(base))
                case tree.Store(base=base):
                    writes.add(self.root(base))
                case tree.Copy(target=target, source=source):
                    reads.add(self.root(source))
                    writes.add(self.root(target))
                case _:
                    pass
        return reads, writes

    def clash(self, some: Iterable[int], others: Iterable[int]) -> bool:
        """Whether two sets of roots may have memory in common, of which one is written to."""
        a, b = set(some), set(others)
        if not a or not b:
            return False
        return bool(a & b) or (UNKNOWN in a and bool(b & self.given or UNKNOWN in b)) or (
            UNKNOWN in b and bool(a & self.given))


# ------------------------------------------------------------------ one block


Place = tuple[int, int]
"""Where a node stands: by the number of the node of the block before which it is written, then by a count."""


@dataclass
class Group:
    """Loops that have become one: it stands at `at`."""

    at: Place
    index: Reg
    count: Operand
    body: Code
    sums: list[tuple[Reg, Operand]]
    reads: set[int]
    writes: set[int]
    size: int = 1
    last: Code = field(default_factory=list)
    """What comes in the order of the iterations, and what it writes."""
    changes: set[int] = field(default_factory=set)


@dataclass
class Event:
    """A node that reads or writes memory, and what: a loop together with those that have joined it."""

    at: Place
    reads: set[int]
    writes: set[int]


HOISTED = (tree.Scalar, tree.Shift, tree.Alloc, tree.Local, tree.Data)
CROSSED = (*HOISTED, tree.Load, tree.Store, tree.Copy, tree.For, tree.Sum)
LONGEST = 400
"""Nodes in a loop's body at most."""
NEAR = 8
"""Loops over one count that a loop may join, the last ones."""


def block(code: Code, memory: Memory) -> Code:
    return Blocks(memory).run([deeper(node, memory) for node in code])


def deeper(node: Node, memory: Memory) -> Node:
    match node:
        case tree.For():
            return replace(node, body=block(node.body, memory))
        case tree.While():
            return replace(node, test=block(node.test, memory), body=block(node.body, memory))
        case tree.Choice():
            return replace(node, then=block(node.then, memory), orelse=block(node.orelse, memory))
        case _:
            return node


class Blocks:
    """One block while its loops are joined. A node keeps its number; what must come before a loop that others join is
    given a place in front of it, and all are put in order in the end."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.nodes: dict[Place, Node] = {}
        self.where: dict[int, Place] = {}
        """Where each register is defined."""
        self.groups: dict[Operand, list[Group]] = {}
        self.events: list[Event] = []
        self.moved = 0

    def run(self, code: Code) -> Code:
        made: list[Group] = []
        for k, node in enumerate(code):
            at = (k, 0)
            for reg in own(node)[1]:
                self.where[reg.id] = at
            group = self.group(node, at)
            if group is not None:
                if any(self.join(other, group, node) for other in reversed(self.groups.get(group.count, ())[-NEAR:])):
                    continue
                made.append(group)
                self.groups.setdefault(group.count, []).append(group)
            elif isinstance(node, tree.For) and not node.parallel and not node.carried and straight(node.body):
                other = Group(at, node.index, node.count, node.body, [], *self.memory.effects(node))
                if any(self.follow(g, other, node) for g in reversed(self.groups.get(node.count, ())[-NEAR:])):
                    continue
            if not isinstance(node, CROSSED):
                self.groups, self.events = {}, []
            elif group is not None:
                self.events.append(Event(at, group.reads, group.writes))
            elif not isinstance(node, HOISTED):
                self.events.append(Event(at, *self.memory.effects(node)))
            self.nodes[at] = node
        for group in made:
            if group.size > 1:
                self.nodes[group.at] = written(group, self.memory)
        return [self.nodes[at] for at in sorted(self.nodes)]

    def group(self, node: Node, at: Place) -> Group | None:
        """A loop that may be joined with others."""
        match node:
            case tree.For(parallel=True, carried=()) if straight(node.body):
                return Group(at, node.index, node.count, node.body, [], *self.memory.effects(node))
            case tree.Sum() if straight(node.body):
                return Group(at, node.index, node.count, node.body, [(node.out, node.value), *node.more],
                             *self.memory.effects(node))
        return None

    def join(self, group: Group, other: Group, node: Node) -> bool:
        """Move `node`, which is `other`, to the group's place if nothing between is in the way."""
        if len(group.body) + len(other.body) > LONGEST or (group.last and other.sums):  # a sum comes in no order
            return False
        hoisted = self.before(group.at, node)
        if hoisted is None or not self.apart(group, other):
            return False
        if self.memory.clash(group.changes, other.reads | other.writes):
            return False
        for at in hoisted:
            self.hoist(at, group)
        names: Map = {other.index.id: group.index}
        group.body = [*group.body, *(renamed(n, names) for n in other.body)]
        group.sums += [(r, substituted(x, names)) for r, x in other.sums]
        for reg, _ in other.sums:
            self.where[reg.id] = group.at
        group.reads |= other.reads
        group.writes |= other.writes
        group.size += 1
        return True

    def hoist(self, at: Place, group: Group) -> Place:
        """Move a node in front of a group."""
        self.moved += 1
        to = (group.at[0], self.moved - MANY)
        self.nodes[to] = self.nodes.pop(at)
        for reg in own(self.nodes[to])[1]:
            self.where[reg.id] = to
        return to

    def follow(self, group: Group, other: Group, node: Node) -> bool:
        """Have `node`, which is `other` and whose iterations come in their order, follow each iteration of the group;
        an array that it changes, and that begins with the same number everywhere, begins before the group then."""
        memory = self.memory
        if group.sums or len(group.body) + len(group.last) + len(other.body) > LONGEST:
            return False
        hoisted = self.before(group.at, node)
        if hoisted is None or memory.clash(group.changes, other.reads | other.writes) \
                or memory.clash(other.changes, group.reads):
            return False
        fills: list[Event] = []
        for event in reversed(self.events):
            if event.at <= group.at:
                break
            if memory.clash(other.writes, event.reads | event.writes) or memory.clash(other.reads, event.writes):
                filling = self.nodes.get(event.at)
                if not (isinstance(filling, tree.For) and filling.parallel and not event.reads
                        and event.writes <= other.writes) or any(
                            g.at == event.at and g.size > 1 for g in self.groups.get(filling.count, ())):
                    return False
                fills.append(event)
        if len(fills) > 1 or not self.beside(group, other):
            return False
        for event in fills:
            filling = self.nodes[event.at]
            first = self.before(group.at, filling)
            if first is None:
                return False
            for at in first:
                self.hoist(at, group)
            self.events.remove(event)
            assert isinstance(filling, tree.For)
            alike = self.groups.get(filling.count, [])
            alike[:] = [g for g in alike if g.at != event.at]  # nothing that comes later may join it where it goes
            event.at = self.hoist(event.at, group)
            self.events.insert(sum(e.at < event.at for e in self.events), event)
        for at in self.before(group.at, node) or ():
            self.hoist(at, group)
        names: Map = {other.index.id: group.index}
        group.last = [*group.last, *(renamed(n, names) for n in other.body)]
        group.changes |= other.writes
        group.reads |= other.reads
        group.writes |= other.writes
        group.size += 1
        return True

    def before(self, at: Place, node: Node) -> list[Place] | None:
        """The places of nodes that must come before `at` for the loop to stand there, in order; None if some cannot."""
        found: set[Place] = set()
        pending = list(needs(node))
        while pending:
            place = self.where.get(pending.pop())
            if place is None or place < at or place in found:
                continue
            inner = self.nodes.get(place)
            if not isinstance(inner, HOISTED):
                return None
            found.add(place)
            pending += needs(inner)
        return sorted(found)

    def apart(self, group: Group, other: Group) -> bool:
        """Whether it may run with the group: what it reads and writes is not changed or read between."""
        memory = self.memory
        for event in reversed(self.events):
            if event.at <= group.at:
                break
            if memory.clash(other.writes, event.reads | event.writes) or memory.clash(other.reads, event.writes):
                return False
        return self.beside(group, other)

    def beside(self, group: Group, other: Group) -> bool:
        """Whether an iteration has to do with no other iteration of the group than its own."""
        memory = self.memory
        if memory.clash(other.writes, group.reads | group.writes):
            return False
        if UNKNOWN in group.writes and memory.clash(other.reads, {UNKNOWN}):
            return False
        if UNKNOWN in other.reads and memory.clash(group.writes, {UNKNOWN}):
            return False
        shared = other.reads & group.writes
        return at_index(group.body, group.index, shared, memory) and at_index(other.body, other.index, shared, memory)


MANY = 1 << 40


def at_index(code: Code, index: Reg, roots: set[int], memory: Memory) -> bool:
    """Whether each access to these arrays is to the element at the loop's index."""
    if not roots:
        return True
    places = Places(index)
    for node in everything(code):
        match node:
            case tree.Shift():
                places.shift(node)
            case tree.Load(base=base, offset=offset) | tree.Store(base=base, offset=offset):
                if memory.root(base) in roots and places.of(base, offset) != (memory.root(base), True):
                    return False
            case _:
                pass
    return True


class Places:
    """Addresses in a body that are an array's beginning, or its beginning and the index."""

    def __init__(self, index: Reg) -> None:
        self.index = index
        self.known: dict[int, tuple[int, bool] | None] = {}

    def shift(self, node: tree.Shift) -> None:
        self.known[node.out.id] = self.of(node.base, node.offset)

    def of(self, base: Reg, offset: Operand) -> tuple[int, bool] | None:
        """Array, and whether the index has been added."""
        start = self.known.get(base.id, (base.id, False))
        if start is None or (isinstance(offset, Imm) and offset.value == 0):
            return start
        return (start[0], True) if offset == self.index and not start[1] else None


def written(group: Group, memory: Memory) -> Node:
    names: Map = {}
    body, last = once((group.body, group.last), group.index, memory, names)
    if not group.sums:
        return tree.For(group.index, group.count, (), (), [*body, *last], (), (), not last, last=len(last))
    (out, value), *more = [(r, substituted(x, names)) for r, x in group.sums]
    return tree.Sum(out, group.index, group.count, body, value, tuple(more))


def once(parts: Sequence[Code], index: Reg, memory: Memory, names: Map) -> list[Code]:
    """Straight code, part by part, in which nothing is computed or read twice, and nothing read that has just been
    stored."""
    made: list[Code] = []
    seen: dict[Any, Reg] = {}
    cells: dict[tuple[int, bool], Operand] = {}
    loads: dict[Any, tuple[Reg, int]] = {}
    places = Places(index)
    for part, old in ((k, node) for k, code in enumerate(parts) for node in code):
        while len(made) <= part:
            made.append([])
        out = made[-1]
        node = renamed(old, names)
        match node:
            case tree.Scalar():
                key: Any = (node.out.dtype, node.name, tuple(map(exactly, node.args)), node.attrs)
                if key in seen:
                    names[node.out.id] = seen[key]
                    continue
                seen[key] = node.out
            case tree.Shift():
                places.shift(node)
                key = ("shift", node.base, node.offset)
                if key in seen:
                    names[node.out.id] = seen[key]
                    continue
                seen[key] = node.out
            case tree.Load():
                place = places.of(node.base, node.offset)
                if place is not None and place in cells:
                    names[node.out.id] = cells[place]
                    continue
                where = (node.base, node.offset)
                if where in loads:
                    names[node.out.id] = loads[where][0]
                    continue
                loads[where] = (node.out, memory.root(node.base))
            case tree.Store():
                root = memory.root(node.base)
                cells = {p: v for p, v in cells.items() if not memory.clash({p[0]}, {root})}
                loads = {p: v for p, v in loads.items() if not memory.clash({v[1]}, {root})}
                place = places.of(node.base, node.offset)
                if place is not None and root == place[0]:
                    cells[place] = node.value
            case _:
                _, writes = memory.effects(node)
                if writes:
                    cells, loads = {}, {}
        out.append(node)
    return [*made, *([] for _ in parts[len(made):])]


def exactly(x: Operand) -> Any:
    """0.0 and -0.0 are two constants, and 1 and 1.0."""
    return x if isinstance(x, Reg) else (x.dtype, repr(x.value))


def substituted(x: Operand, names: Map) -> Operand:
    while isinstance(x, Reg) and x.id in names:
        x = names[x.id]
    return x


def renamed(node: Node, names: Map) -> Node:
    """Straight code with other operands."""
    def s(x: Operand) -> Operand:
        return substituted(x, names)

    def p(x: Reg) -> Reg:
        found = substituted(x, names)
        assert isinstance(found, Reg)
        return found

    def all_of(xs: Sequence[Operand]) -> tuple[Operand, ...]:
        return tuple(map(s, xs))

    if not isinstance(node, tree.Choice):
        for x in own(node)[0]:
            if isinstance(x, Reg) and x.id in names:
                break
        else:
            return node
    match node:
        case tree.Scalar():
            return tree.Scalar(node.out, node.name, all_of(node.args), node.attrs)
        case tree.Load():
            return tree.Load(node.out, p(node.base), s(node.offset))
        case tree.Store():
            return tree.Store(p(node.base), s(node.offset), s(node.value))
        case tree.Shift():
            return tree.Shift(node.out, p(node.base), s(node.offset))
        case tree.Choice():
            return tree.Choice(s(node.cond), [renamed(n, names) for n in node.then], all_of(node.then_values),
                               [renamed(n, names) for n in node.orelse], all_of(node.orelse_values), node.outs)
        case _:
            raise AssertionError(node)


# ------------------------------------------------------------------ arrays that nobody reads


def without_dead_stores(code: Code, results: Sequence[Operand]) -> Code:
    base: dict[int, int] = {}
    mine: set[int] = set()
    seen = {x.id for x in results if isinstance(x, Reg)}
    for node in everything(code):
        match node:
            case tree.Alloc(out=out):
                mine.add(out.id)
            case tree.Shift(out=out, base=start):
                base[out.id] = start.id
            case tree.Store(value=value):
                seen |= {value.id} if isinstance(value, Reg) else set()
            case _:
                seen |= {x.id for x in own(node)[0] if isinstance(x, Reg)}

    def root(reg: int) -> int:
        while reg in base:
            reg = base[reg]
        return reg

    live = {root(reg) for reg in seen}
    dead = mine - live
    return swept(code, lambda n: (isinstance(n, tree.Store) and root(n.base.id) in dead)
                 or (isinstance(n, tree.Alloc) and n.out.id in dead)
                 or (isinstance(n, tree.Shift) and root(n.base.id) in dead)) if dead else code


def swept(code: Code, drop: Callable[[Node], bool]) -> Code:
    out: Code = []
    for node in code:
        if drop(node):
            continue
        match node:
            case tree.For(last=last) if last:
                after = swept(node.body[-last:], drop)
                out.append(replace(node, body=[*swept(node.body[:-last], drop), *after], last=len(after)))
            case tree.For() | tree.Sum():
                out.append(replace(node, body=swept(node.body, drop)))
            case tree.While():
                out.append(replace(node, test=swept(node.test, drop), body=swept(node.body, drop)))
            case tree.Choice():
                out.append(replace(node, then=swept(node.then, drop), orelse=swept(node.orelse, drop)))
            case _:
                out.append(node)
    return out
