"""Where an iteration writes down what it adds: places of its own for each addition, and one key for a row of them.

In: a loop whose iterations meet in places that they add to (`places.py`). Out, for each array whose additions stand
outside of inner loops: a *slot* for each, or, where the array has rows of so many numbers and an iteration adds to all
numbers of a row, under one condition or in a loop over them, a slot for the row: `x[t[0]]`, `x[t[1]]`, `x[t[2]]` of
three numbers each are three slots, not nine. Slots have the order of the additions in the program, at each number of a
row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..loops import tree
from ..loops.operands import everything
from ..loops.tree import Code, Imm, Operand, Reg
from .places import Places
from .roots import Leads

Key = tuple[object, ...]
ZERO = Imm(0, "i64")


@dataclass
class Slots:
    """Of one array. `stores` maps the identity of a store to its slot and its place in the row; `rows` are what slots
    take for keys, None where that is the place itself, with the identity of the store that writes it."""

    width: int = 1
    stores: dict[int, tuple[int, Operand]] = field(default_factory=dict)
    rows: dict[int, Operand | None] = field(default_factory=dict)
    count: int = 0


@dataclass
class Addition:
    store: tree.Store
    condition: Key
    terms: list[tuple[Key, int, Operand]]
    """What the place comes to: values, each with a factor, from the array's beginning."""
    constant: int
    loop: tree.For | None
    """Over the numbers of a row."""


class Values:
    """What registers of an iteration come to, so that equal ones are found."""

    def __init__(self, code: Code, memory: Leads, changed: set[int]) -> None:
        """`changed` are the roots of what iterations write."""
        self.memory, self.changed = memory, changed
        self.made = {n.out.id: n for n in everything(code) if isinstance(n, tree.Scalar | tree.Load | tree.Shift)}
        self.keys: dict[int, Key] = {}

    def key(self, x: Operand) -> Key:
        if isinstance(x, Imm):
            return "number", x.dtype, repr(x.value)
        if x.id not in self.keys:
            self.keys[x.id] = self.found(x)
        return self.keys[x.id]

    def found(self, x: Reg) -> Key:
        match self.made.get(x.id):
            case tree.Scalar(name=name, args=args, attrs=attrs):
                return name, x.dtype, attrs, *map(self.key, args)
            case tree.Load(base=base, offset=offset) if not self.memory.of(base) & self.changed:
                return "load", self.key(base), self.key(offset)
            case tree.Shift(base=base, offset=offset):
                return "shift", self.key(base), self.key(offset)
        return "register", x.id

    def place(self, base: Reg, offset: Operand) -> tuple[Reg, list[tuple[Key, int, Operand]], int]:
        """The pointer from outside, and what is added to it."""
        terms: list[tuple[Key, int, Operand]] = []
        constant = 0
        pending = [offset]
        while isinstance(shift := self.made.get(base.id), tree.Shift):
            pending.append(shift.offset)
            base = shift.base
        while pending:
            x = pending.pop()
            if isinstance(x, Imm):
                constant += int(x.value)
                continue
            maker = self.made.get(x.id)
            if isinstance(maker, tree.Scalar) and maker.name == "add":
                pending += maker.args
                continue
            factor = 1
            if isinstance(maker, tree.Scalar) and maker.name == "mul":
                number = next((a for a in maker.args if isinstance(a, Imm)), None)
                other = next((a for a in maker.args if not isinstance(a, Imm)), None)
                if number is not None and other is not None:
                    factor, x = int(number.value), other
            terms.append((self.key(x), factor, x))
        return base, terms, constant


def slots_of(code: Code, found: Places, memory: Leads) -> list[Slots | None]:
    """For each target; None where nobody knows how many additions there are before the loop runs."""
    changed = {root for n in everything(code) if isinstance(n, tree.Store | tree.Copy)
               for root in memory.of(n.base if isinstance(n, tree.Store) else n.target)}
    values = Values(code, memory, changed)
    outside = {id(n) for n, *_ in reached(code, values, ())}
    made: list[Slots | None] = []
    for number, target in enumerate(found.targets):
        stores = {key for key, k in found.stores.items() if k == number}
        if not stores <= outside:
            made.append(None)
            continue
        additions = []
        plain = True
        for n, condition, loop in reached(code, values, ()):
            if id(n) in stores:
                base, terms, constant = values.place(n.base, n.offset)
                plain = plain and base == target.root
                additions.append(Addition(n, condition, terms, constant, loop))
        rows = in_rows(additions) if plain else None
        made.append(rows or (None if any(one.loop for one in additions) else one_by_one(additions)))
    return made


def reached(code: Code, values: Values, condition: Key, loop: tree.For | None = None
            ) -> Iterator[tuple[tree.Store, Key, tree.For | None]]:
    """Stores outside of inner loops but such as may be over a row, each with what must hold."""
    for n in code:
        match n:
            case tree.Store():
                yield n, condition, loop
            case tree.For(count=Imm(), body=body) if loop is None:
                yield from reached(body, values, condition, n)
            case tree.Choice(cond=cond, then=then, orelse=orelse):
                yield from reached(then, values, (condition, values.key(cond), True), loop)
                yield from reached(orelse, values, (condition, values.key(cond), False), loop)
            case _:
                pass


def one_by_one(additions: list[Addition]) -> Slots:
    made = Slots(1, count=len(additions))
    for k, one in enumerate(additions):
        made.stores[id(one.store)] = k, ZERO
        made.rows[id(one.store)] = None
    return made


def in_rows(additions: list[Addition]) -> Slots | None:
    """Whole rows, if all is in rows."""
    widths = {factor for one in additions for _, factor, x in one.terms if one.loop is None or x != one.loop.index}
    width = max(widths, default=0)
    if len(widths) != 1 or width < 2:
        return None
    made = Slots(width)
    groups: list[tuple[Key, set[int]]] = []
    for one in additions:
        if one.loop is not None:
            rows = [x for _, _, x in one.terms if x != one.loop.index]
            lanes = [factor for _, factor, x in one.terms if x == one.loop.index]
            if len(rows) != 1 or lanes != [1] or one.constant or one.loop.count != Imm(width, "i64"):
                return None
            made.rows[id(one.store)] = rows[0]
            made.stores[id(one.store)] = len(groups), one.loop.index
            groups.append(((), set(range(width))))
            continue
        if len(one.terms) != 1 or not 0 <= one.constant < width:
            return None
        (row, _, operand), = one.terms
        key = one.condition, row
        at = next((k for k in reversed(range(len(groups))) if groups[k][0] == key and one.constant not in groups[k][1]),
                  None)
        if at is None:
            at = len(groups)
            groups.append((key, set()))
            made.rows[id(one.store)] = operand
        elif any(one.constant in lanes for _, lanes in groups[at + 1:]):
            return None  # it would come before an addition that comes before it
        groups[at][1].add(one.constant)
        made.stores[id(one.store)] = at, Imm(one.constant, "i64")
    made.count = len(groups)
    return made if all(len(lanes) == width for _, lanes in groups) else None
