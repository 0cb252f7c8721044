"""Loops in order whose iterations only meet in places that all of them add to.

In: a loop of the outer level that carries nothing. Out: what its iterations do to arrays that others of them see, where
that is no more than `a[place] = a[place] op value`; the rest of an iteration is its own. Then iterations run at once,
with either of

    parts    each thread goes through a stretch of iterations and has arrays of its own to add to; then these are added
    places   each iteration writes down places and values, which are added in the order of the iterations

Rows of sums in a gradient are like that, and adjoints of what picks elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..loops import tree
from ..loops.operands import everything, inner, own, read
from ..loops.tree import Code, Imm, Operand, Reg
from .roots import UNKNOWN, Leads

OPS = frozenset({"add", "mul", "max", "min"})


@dataclass
class Target:
    """An array that iterations add to."""

    root: Reg
    op: str
    count: Operand
    """How many elements it has."""


@dataclass
class Places:
    """`stores` maps the identity of a store that adds to the number of its target, `loads` are those before them."""

    targets: list[Target] = field(default_factory=list)
    stores: dict[int, int] = field(default_factory=dict)
    values: dict[int, Operand] = field(default_factory=dict)
    loads: set[int] = field(default_factory=set)
    pointers: dict[int, int] = field(default_factory=dict)
    """Registers from outside that lead into a target."""
    makers: set[int] = field(default_factory=set)


def places_of(function: tree.Function, memory: Leads, node: tree.For) -> Places | None:
    """What the loop adds to; None where its iterations meet otherwise, or add to nothing."""
    allocated = {n.out.id: n.count if isinstance(n, tree.Alloc) else Imm(n.count, "i64")
                 for n in everything(function.body) if isinstance(n, tree.Alloc | tree.Local)}
    roots = {n.out.id: n.out for n in everything(function.body) if isinstance(n, tree.Alloc | tree.Local)}
    inside = {n.out.id for n in everything(node.body) if isinstance(n, tree.Alloc | tree.Local)}
    uses = read([node])
    found = Places()
    number: dict[int, int] = {}
    loaded: dict[int, list[tree.Load]] = {}
    for load, maker, store, value in additions(node.body, uses):
        root, *others = memory.of(store.base)
        if others or root in inside or root not in allocated:
            continue
        if root not in number:
            number[root] = len(found.targets)
            found.targets.append(Target(roots[root], maker.name, allocated[root]))
        if found.targets[number[root]].op != maker.name:
            return None
        found.stores[id(store)] = number[root]
        found.values[id(store)] = value
        found.loads.add(id(load))
        found.makers.add(id(maker))
        loaded.setdefault(root, []).append(load)
    writes: set[int] = set()
    reads: set[int] = set()
    for n in everything(node.body):
        match n:
            case tree.Load(base=base) if id(n) not in found.loads:
                reads |= memory.of(base)
            case tree.Store(base=base) if id(n) not in found.stores:
                writes |= memory.of(base)
            case tree.Copy(target=target, source=source):
                reads |= memory.of(source)
                writes |= memory.of(target)
            case tree.Invoke() | tree.Resize() | tree.Host():
                return None
            case _:
                pass
    writes -= inside
    reads -= inside
    added = set(number)
    if not added and not writes:
        return None
    if UNKNOWN in writes or UNKNOWN in reads or added & (writes | reads):
        return None
    if not all(own_places(node, memory, root, root in reads) for root in writes):
        return None
    made = {r.id for n in everything(node.body) for r in defined_pointers(n)}
    for reg in uses:
        if reg.pointer and reg.id not in made:
            shared = memory.of(reg) & number.keys()
            if shared and len(memory.of(reg)) > 1:
                return None
            for one in shared:
                found.pointers[reg.id] = number[one]
    return found


def defined_pointers(node: tree.Node) -> Iterator[Reg]:
    for reg in own(node)[1]:
        if reg.pointer:
            yield reg


def additions(code: Code, uses: Mapping[Reg, int]) -> Iterator[tuple[tree.Load, tree.Scalar, tree.Store, Operand]]:
    """Loads, operations and stores that come to `a[place] = a[place] op value`, in the code and what is inside."""
    loads: dict[int, tree.Load] = {}
    made: dict[int, tree.Scalar] = {}
    for node in code:
        match node:
            case tree.Load(out):
                loads[out.id] = node
            case tree.Scalar(out, name, (_, _)) if name in OPS and out.dtype != "bool":
                made[out.id] = node
            case tree.Store(base, offset, Reg() as value) if value.id in made and uses.get(value) == 1:
                maker = made[value.id]
                x, y = maker.args
                for a, b in ((x, y), (y, x)):
                    load = loads.get(a.id) if isinstance(a, Reg) else None
                    if load is not None and load.base == base and load.offset == offset and uses.get(load.out) == 1:
                        yield load, maker, node, b
                        break
                loads.clear()
            case tree.Store():
                loads.clear()  # what was read before may be another number now
            case _:
                if inner(node):
                    loads.clear()
                for part in inner(node):
                    yield from additions(part, uses)


Place = tuple[str, Operand]
"""Where a pointer leads in an array: its start ("all"), row `i` of so many elements ("row"), a part of one of so many
("part"), one element of the row ("one")."""
ONE, ZERO = Imm(1, "i64"), Imm(0, "i64")


def own_places(node: tree.For, memory: Leads, root: int, read: bool = False) -> bool:
    """Whether each iteration stores to places of an array that no other one stores to: element `i`, or row `i` of rows
    that inner loops go through; and reads no others, where the array is read."""
    return Rows(node, memory, root, read).own()


def first_of(at: Place) -> bool:
    """Whether it is the first element of a row that has some."""
    return at[0] in ("row", "part") and isinstance(at[1], Imm) and int(at[1].value) > 0


class Rows:
    """What one loop does to one array."""

    def __init__(self, node: tree.For, memory: Leads, root: int, read: bool) -> None:
        self.node, self.memory, self.root, self.read = node, memory, root, read
        self.made = {n.out.id: n for n in everything(node.body) if isinstance(n, tree.Scalar)}
        self.places: dict[int, Place | None] = {}

    def own(self) -> bool:
        return self.code(self.node.body, {})

    def code(self, code: Code, bounds: dict[int, Operand]) -> bool:
        """`bounds` are the counts of loops around, by their indices."""
        for n in code:
            match n:
                case tree.Shift(out, base, offset) if self.root in self.memory.of(base):
                    self.places[out.id] = self.shifted(self.place(base), offset, bounds)
                case tree.Store(base=base, offset=offset) if self.root in self.memory.of(base):
                    if not self.one(base, offset, bounds):
                        return False
                case tree.Load(base=base, offset=offset) if self.read and self.root in self.memory.of(base):
                    if not self.one(base, offset, bounds):
                        return False
                case tree.Copy(source=source) if self.read and self.root in self.memory.of(source):
                    return False
                case tree.Copy(target=target, count=count) if self.root in self.memory.of(target):
                    at = self.place(target)
                    if len(self.memory.of(target)) > 1 or at is None or at[0] not in ("row", "part") or at[1] != count:
                        return False
                case tree.For(index=index, count=count, body=body) | tree.Sum(index=index, count=count, body=body):
                    if isinstance(n, tree.For) and any(self.root in self.memory.of(r) for r in n.carried if r.pointer):
                        return False
                    if not self.code(body, bounds | {index.id: count}):
                        return False
                case _:
                    if not all(self.code(part, bounds) for part in inner(n)):
                        return False
        return True

    def one(self, base: Reg, offset: Operand, bounds: dict[int, Operand]) -> bool:
        """Whether it is an element of the iteration's own."""
        at = self.shifted(self.place(base), offset, bounds)
        return len(self.memory.of(base)) == 1 and at is not None and (at[0] == "one" or first_of(at))

    def place(self, base: Reg) -> Place | None:
        return self.places.get(base.id, ("all", ZERO))

    def shifted(self, at: Place | None, offset: Operand, bounds: dict[int, Operand]) -> Place | None:
        """Where a pointer leads that is moved on; None where nobody knows."""
        if at is None or (offset == ZERO and at[0] != "all"):
            return at
        kind, size = at
        if kind == "all":
            row = self.row(offset)
            if row is not None:
                return "row", row
            for first, second in self.terms(offset):
                row = self.row(first)
                if row is not None and row != ONE and self.below(second, row, bounds):
                    return "one", ONE
            return None
        if kind == "one" or size == ONE:
            return None
        if self.below(offset, size, bounds):
            return "one", ONE
        part = self.part(offset, size, bounds)
        return None if part is None else ("part", part)

    def row(self, offset: Operand) -> Operand | None:
        """The elements of a row, where the offset is that of row `i`."""
        if offset == self.node.index:
            return ONE
        maker = self.made.get(offset.id) if isinstance(offset, Reg) else None
        if maker is not None and maker.name == "mul" and self.node.index in maker.args:
            return next((a for a in maker.args if a != self.node.index), None)
        return None

    def terms(self, offset: Operand) -> list[tuple[Operand, Operand]]:
        """What is added up to an offset, either way round."""
        maker = self.made.get(offset.id) if isinstance(offset, Reg) else None
        if maker is None or maker.name != "add":
            return []
        x, y = maker.args
        return [(x, y), (y, x)]

    def below(self, offset: Operand, size: Operand, bounds: dict[int, Operand]) -> bool:
        """Whether the offset is at least 0 and below a size."""
        if isinstance(offset, Imm):
            return isinstance(size, Imm) and 0 <= int(offset.value) < int(size.value)
        if offset.id in bounds:
            return bounds[offset.id] == size
        return any(self.part(first, size, bounds) is not None and self.below(
            second, self.part(first, size, bounds) or ZERO, bounds) for first, second in self.terms(offset))

    def part(self, offset: Operand, size: Operand, bounds: dict[int, Operand]) -> Operand | None:
        """The elements of a row, where the offset is that of a row among rows of so many elements in all."""
        maker = self.made.get(offset.id) if isinstance(offset, Reg) else None
        if maker is None or maker.name != "mul":
            return None
        for row, columns in (maker.args, maker.args[::-1]):
            if isinstance(row, Reg) and row.id in bounds and self.product(size, bounds[row.id], columns):
                return columns
        return None

    def product(self, size: Operand, x: Operand, y: Operand) -> bool:
        """Whether the size is a product of these."""
        if isinstance(size, Imm):
            return isinstance(x, Imm) and isinstance(y, Imm) and int(x.value) * int(y.value) == int(size.value)
        maker = self.made.get(size.id) or self.memory.made.get(size.id)
        return maker is not None and maker.name == "mul" and sorted(map(repr, maker.args)) == sorted(map(repr, (x, y)))


def bound(code: Code, found: Places, number: int) -> list[tuple[int, tuple[Operand, ...]]] | None:
    """How many additions to a target an iteration makes at most: products of counts with a factor, to be added; None
    where nobody knows."""
    terms: list[tuple[int, tuple[Operand, ...]]] = []
    for n in code:
        match n:
            case tree.Store():
                if found.stores.get(id(n)) == number:
                    terms.append((1, ()))
            case tree.For(count=count, body=body) | tree.Sum(count=count, body=body):
                more = bound(body, found, number)
                if more is None:
                    return None
                terms += [(factor, (*counts, count)) for factor, counts in more]
            case tree.Choice(then=then, orelse=orelse):
                for part in (then, orelse):
                    more = bound(part, found, number)
                    if more is None:
                        return None
                    terms += more
            case tree.While(test=test, body=body):
                if any(found.stores.get(id(m)) == number for m in everything([*test, *body])):
                    return None
            case _:
                pass
    return terms
