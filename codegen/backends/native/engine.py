"""From a program to machine code in this process.

Object code is kept by what it was made of (`objects`), code in memory by that and by what it calls: a program gets what
is there already, and only what is new is compiled, all of it in one module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakMethod, finalize

import numpy as np

from ....lang.core import ir
from ....lang.core.ir import Table
from ....lang.core.primitive import PRIMITIVES
from ....lang.prims.common import NUMPY_NAMES
from ....lang.source import Span
from ..loops.room import WIDTH
from ..loops.sites import HostCall, Site
from . import background, jit, library, symbols
from .assembly import Cell, DataCell, Routine, module
from .duration import long
from .host import HOST, runner
from .kernels import table
from .llvm import flat_name
from .objects import NUMBER, Instance, Made, Object, find, instances, keep, rest, retired, symbol
from .threads import looped
from .units import SMALL, Keyed, Units, units_of

PATIENCE, PATIENCE_PER_LINE = 1e-3, 2e-6
"""Seconds that calls take in all before tier 1 is worth its time: compiling takes about ten times that."""
MIDDLE = 8000
"""Lines of assembly up to which LLVM runs some of its passes on loops; most of them up to `units.SMALL`."""

_callbacks: dict[HostCall, Any] = {}
"""Functions of ctypes."""


def callback(call: HostCall) -> int:
    """The address of the callback of a primitive."""
    if call not in _callbacks:
        _callbacks[call] = HOST(runner(PRIMITIVES[call.name], call))
    return symbols.address(_callbacks[call])


class Engine:
    """Machine code of all functions of a program, and what keeps it alive.

    Tier 0 is there at once, tier 1 is fast code, all functions in one unit. Without `tier` the program begins with what
    is there already, else with tier 0, and goes on with tier 1, which is compiled in the background when the calls so
    far took long enough for it to pay. `roots` are the functions that Python calls: all, where it is not said.
    """

    def __init__(self, program: ir.Program, tier: int | None = 0, roots: Collection[str] | None = None,
                 units: Units | None = None, data: Mapping[str, Table] | None = None) -> None:
        """`units` of the program, where they are known; `data` has other tables in place of some of the program."""
        self.program = program
        self.units: Units = units or units_of(looped(program), program.functions if roots is None else roots)
        self.data = data or {}
        self.places: Mapping[Span, Span] = {}
        """Where statements stand now whose places the program says otherwise."""
        self.sites: dict[int, list[Site]] = {}
        self.addresses: dict[str, int] = {}
        self.instances: dict[str, Instance] = {}
        self.kept: list[Instance] = []
        """All that calls may be in: code that better code has replaced too."""
        finalize(self, retired.append, self.kept).atexit = False
        self.tables: dict[str, tuple[Any, int, int]] = {}
        """Tables as arrays that hold their numbers, with the address of the first and how many there are."""
        self.given(self.data)
        self.using: list[WeakMethod[Callable[[], None]]] = []
        self.tier = 0
        self.trouble: Exception | None = None
        """Why there is no tier 1."""
        self.left = math.inf
        """Seconds of calls until tier 1 is compiled."""
        with jit.LOCK:
            if tier or (tier is None and find(jit.environment().key(self.units.group_digest(), 1)) is not None):
                self.promote()
            else:
                self.load(self.units.units, 0)
                if tier is None:
                    self.left = PATIENCE + PATIENCE_PER_LINE * self.units.weight()

    def promote(self) -> None:
        """Go on with tier 1. What runs now ends as it began."""
        group = self.units.group_outline()
        if find(jit.environment().key(group.digest, 1)) is None:
            group = self.units.group()
        self.load([group], 1)
        self.tier = 1
        for method in self.using:
            use = method()
            if use is not None:
                use()

    def spent(self, seconds: float) -> bool:
        """A call took so long; False when nobody needs to know any more."""
        self.left -= seconds
        if self.left > 0:
            return True
        self.left = math.inf
        background.later(self)
        return False

    def address(self, function: str) -> int:
        """Where the machine code of a root begins, in the form that Python calls."""
        return self.addresses[flat_name(function)]

    def long(self, function: str) -> bool:
        """Whether a run of it may take longer than to let other threads of Python run meanwhile."""
        return long(self.units.program, function)

    def site(self, code: int) -> Site:
        """The check with this number in the context."""
        found = self.sites[code >> NUMBER][(code & (1 << NUMBER) - 1) - 1]
        return found if found.span is None else replace(found, span=self.places.get(found.span, found.span))

    def load(self, units: list[Keyed], tier: int) -> None:
        """Have code for these units, and their functions' addresses."""
        environment = jit.environment()
        keys = [environment.key(k.digest, tier) for k in units]
        objects = {key: find(key) for key in keys}
        missing = {key: unit for key, unit in zip(keys, units, strict=True) if objects[key] is None}
        if missing:
            made = compiled(missing, tier)
            keep(made)
            objects |= dict.fromkeys(missing, made)
        fresh: list[Instance] = []
        with jit.LOCK:
            rest()
            for key, unit in zip(keys, units, strict=True):
                found = objects[key]
                assert found is not None
                self.place(key, unit, found, fresh)

    def place(self, key: str, k: Keyed, made: Object, fresh: list[Instance]) -> None:
        """Code of a unit in memory that calls what this program calls there, and whose failures are told apart.

        `fresh` holds what was put into memory for this program.
        """
        unit = k.unit
        called: list[object] = [self.instances[cell] for cell in unit.cells if isinstance(cell, str)]
        called += {id(a): a for a in (self.numbers(c.table)[0] for c in unit.cells if isinstance(c, DataCell))}.values()
        binding = tuple(map(self.word, unit.cells))
        instance = self.fitting(key, binding, unit.sites)
        if instance is None:
            fresh += made.load()
            instance = self.fitting(key, binding, unit.sites)
            assert instance is not None
        if instance.binding is None:
            instance.bind(binding, called)
        instance.users += 1
        self.kept.append(instance)
        self.sites[instance.number] = unit.sites
        for name, address in zip(unit.names, instance.addresses, strict=True):
            self.addresses[name] = address
            self.instances[name] = instance

    def word(self, cell: Cell) -> int:
        """What the loader puts into a unit's table for this."""
        match cell:
            case str():
                return self.addresses[cell]
            case DataCell(rows, part):
                return self.numbers(rows)[2 if part == "count" else 1]
            case Routine(name):
                return library.address(name) if name else int(library.linked())
            case _:
                return callback(cell)

    def numbers(self, rows: Table) -> tuple[Any, int, int]:
        """A table of the program; instances that read it keep its array."""
        if rows.name not in self.tables:
            self.given({rows.name: rows})
        return self.tables[rows.name]

    def given(self, tables: Mapping[str, Table]) -> None:
        """Put tables into memory, those of one dtype side by side; the last number of each stands there again, for
        loops that go on to a whole vector (`loops.room`)."""
        by_dtype: dict[str, list[Table]] = {}
        for one in tables.values():
            by_dtype.setdefault(one.dtype, []).append(one)
        for dtype, some in by_dtype.items():
            numbers: list[int | float] = []
            places: list[int] = []
            for one in some:
                places.append(len(numbers))
                numbers += one.values
                numbers += one.values[-1:] * (-len(one.values) % WIDTH)
            array = np.array(numbers, NUMPY_NAMES[dtype])
            address, size = int(array.ctypes.data), array.itemsize
            for one, place in zip(some, places, strict=True):
                self.tables[one.name] = array, address + size * place, len(one.values)

    def fitting(self, key: str, binding: tuple[int, ...], sites: list[Site]) -> Instance | None:
        for instance in instances(key):
            if instance.binding in (None, binding) and self.sites.get(instance.number, sites) == sites:
                return instance
        return None


def compiled(units: dict[str, Keyed], tier: int) -> Object:
    """Object code of units, under their keys."""
    weight = sum(k.weight for k in units.values())
    level = 0
    if tier and any(k.looping for k in units.values()):
        level = 2 if weight <= SMALL else 1 if weight <= MIDDLE else 0
    made = jit.parsed(module([(symbol(key), k.unit) for key, k in units.items()], tier > 0, level > 1))
    declared = jit.declared(made)
    symbols.check(declared, [name for name in declared if table.symbol(name)])
    background.go_on()
    if level:
        jit.optimised(made, level)
        background.go_on()
    return Object(jit.object_code(made, tier and max(level, 1)), tier, {
        key: Made(len(k.unit.names), len(k.unit.cells), k.digest, k.unit.names) for key, k in units.items()},
        vars(jit.environment()))
