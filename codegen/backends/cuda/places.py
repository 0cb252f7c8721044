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
    if writes & reads or not all(own_places(node, memory, root) for root in writes):
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


def own_places(node: tree.For, memory: Leads, root: int) -> bool:
    """Whether each iteration stores to places of an array that no other one stores to: element `i`, or row `i` of rows
    that inner loops go through."""
    offsets: dict[int, Operand] = {}
    made: dict[int, tree.Node] = {}
    for n in everything(node.body):
        match n:
            case tree.Scalar(out):
                made[out.id] = n
            case tree.Shift(out, base, offset) if root in memory.of(base):
                if base.id in offsets:
                    return False
                offsets[out.id] = offset
            case _:
                pass

    def width(offset: Operand) -> Operand | None:
        """The elements of a row, where the offset is that of row `i`."""
        if offset == node.index:
            return Imm(1, "i64")
        maker = made.get(offset.id) if isinstance(offset, Reg) else None
        if isinstance(maker, tree.Scalar) and maker.name == "mul" and node.index in maker.args:
            return next((a for a in maker.args if a != node.index), None)
        return None

    def stores(code: Code, bounds: dict[int, Operand]) -> bool:
        for n in code:
            match n:
                case tree.Store(base, offset) if root in memory.of(base):
                    if base.id in offsets:
                        row = width(offsets[base.id])
                        if row == Imm(1, "i64"):
                            if offset != Imm(0, "i64"):
                                return False
                        elif row is None or not below(offset, row, bounds):
                            return False
                    elif width(offset) != Imm(1, "i64"):
                        return False
                case tree.Copy(target=target, count=count) if root in memory.of(target):
                    if target.id not in offsets or width(offsets[target.id]) != count:
                        return False
                case tree.For(index=index, count=count, body=body) | tree.Sum(index=index, count=count, body=body):
                    if not stores(body, bounds | {index.id: count}):
                        return False
                case tree.Choice(then=then, orelse=orelse):
                    if not (stores(then, bounds) and stores(orelse, bounds)):
                        return False
                case tree.While(test=test, body=body):
                    if not (stores(test, bounds) and stores(body, bounds)):
                        return False
                case _:
                    pass
        return True

    def below(offset: Operand, row: Operand, bounds: dict[int, Operand]) -> bool:
        """Whether the offset is below the elements of a row: an index of a loop over them, or row and column of it."""
        if isinstance(offset, Imm):
            return isinstance(row, Imm) and 0 <= int(offset.value) < int(row.value)
        if offset.id in bounds:
            return bounds[offset.id] == row
        maker = made.get(offset.id)
        if not isinstance(maker, tree.Scalar) or maker.name != "add":
            return False
        size = made.get(row.id) if isinstance(row, Reg) else None
        if not isinstance(size, tree.Scalar) or size.name != "mul":
            return False
        for first, second in (maker.args, maker.args[::-1]):
            scaled = made.get(first.id) if isinstance(first, Reg) else None
            if not isinstance(scaled, tree.Scalar) or scaled.name != "mul" or not isinstance(second, Reg):
                continue
            columns = bounds.get(second.id)
            rows = next((a for a in scaled.args if a != columns), None)
            if columns in scaled.args and isinstance(rows, Reg) and rows.id in bounds and columns is not None \
                    and sorted(map(repr, size.args)) == sorted(map(repr, (bounds[rows.id], columns))):
                return True
        return False

    single = all(len(memory.of(n.base if isinstance(n, tree.Store) else n.target)) == 1
                 for n in everything(node.body) if isinstance(n, tree.Store | tree.Copy)
                 and root in memory.of(n.base if isinstance(n, tree.Store) else n.target))
    return single and stores(node.body, {})


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
