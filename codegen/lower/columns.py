"""What the parameters of a table's kernel are, row by row.

In: the instances of one shape. Out: a column to each operand in which they differ. It follows from the instances alone,
so of a program that is being edited only tables in which a row has changed are looked at again (`Memory.columns`).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...lang.core.ir import Const
from .shapes import Instance, Slot


@dataclass(slots=True, eq=False)
class Column:
    """One operand in all rows: `literals` where all are such, `axes` where all are elements of one array: where they
    stand along each of its axes."""

    slots: Sequence[Slot]
    literals: tuple[int | float, ...] | None
    axes: tuple[tuple[int, ...], ...] | None


@dataclass(slots=True, eq=False)
class Columns:
    """`pattern` says of each slot which column it is, or -1 for what is the same in each instance."""

    columns: Sequence[Column]
    pattern: tuple[int, ...]


def columns_of(instances: Sequence[Instance]) -> Columns:
    """The columns of these rows, of which equal ones are one."""
    found: list[Column] = []
    known: dict[Sequence[Slot], int] = {}
    pattern: list[int] = []
    for slots in zip(*[instance.slots for instance in instances], strict=True):
        one = slots[0]
        if not isinstance(one, Const) and not one[2] and slots.count(one) == len(slots):
            pattern.append(-1)
            continue
        place = None
        if not all([isinstance(slot, Const) for slot in slots]):  # noqa: C419  # literals may be edited one by one
            place = known.get(slots)
        if place is None:
            place = known[slots] = len(found)
            found.append(described(slots))
        pattern.append(place)
    return Columns(found, tuple(pattern))


def described(slots: Sequence[Slot]) -> Column:
    one = slots[0]
    if isinstance(one, Const):
        literals = tuple([slot.value for slot in slots if isinstance(slot, Const)])
        return Column(slots, literals if len(literals) == len(slots) else None, None)
    number, path, indices, part = one
    if not indices:
        return Column(slots, None, None)
    places = [slot[2] for slot in slots if not isinstance(slot, Const) and slot[0] == number and slot[1] == path
              and slot[3] == part and len(slot[2]) == len(indices)]
    return Column(slots, None, tuple(zip(*places, strict=True)) if len(places) == len(slots) else None)
