"""Object code by what it was made of, in this process and on the disk, and the code in memory that is made of it."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

from ....lang.clock import timed
from . import jit, store
from .kernels import table

NUMBER = 32
"""Bits of the number of a failure in its unit; above are those of the unit."""
KEPT = 64 << 20
"""Bytes of object code that this process keeps at most."""


@dataclass(frozen=True)
class Made:
    """A unit in object code: how many functions it has, how many addresses it needs, and for people what it is."""

    functions: int
    cells: int
    digest: str
    names: tuple[str, ...]


@dataclass
class Object:
    """Object code of units, by their keys."""

    code: bytes
    tier: int
    units: dict[str, Made]
    environment: dict[str, str]
    mentioned: Any = None
    """The kernels that the code calls, once it was looked through for them."""

    def load(self) -> list[Instance]:
        """Put the code into memory, its units bound to nothing yet."""
        if self.mentioned is None:
            self.mentioned = table.mentioned(self.code)
            table.provide(self.mentioned)
        loaded = jit.Loaded(self.code)
        made = []
        for key, unit in self.units.items():
            made.append(Instance(key, loaded, unit))
            _instances.setdefault(key, weakref.WeakSet()).add(made[-1])
        return made


class Instance:
    """Code of a unit in memory, bound to what it calls."""

    numbers = itertools.count(1)

    def __init__(self, key: str, loaded: jit.Loaded, unit: Made) -> None:
        self.loaded = loaded
        self.number = next(self.numbers)
        self.words = loaded.words(f"{symbol(key)}.t", 1 + unit.cells)
        self.words[0] = self.number << NUMBER
        self.addresses = tuple(loaded.function(f"{symbol(key)}.{k}") for k in range(unit.functions))
        self.binding: tuple[int, ...] | None = None
        self.called: list[object] = []
        """What must stay while this does."""
        self.users = 0
        """How many programs run it."""

    def bind(self, binding: tuple[int, ...], called: list[object]) -> None:
        self.binding, self.called = binding, called
        self.words[1:] = list(binding)


    def free(self) -> None:
        """Nobody runs it: it may be bound to something else."""
        self.binding, self.called = None, []


retired: deque[list[Instance]] = deque()
"""What programs that are gone ran."""
IDLE = 8
"""Pieces of loaded code that wait for a program to use them."""
_idle: OrderedDict[jit.Loaded, set[Instance]] = OrderedDict()


def rest() -> None:
    """Let instances that nobody runs any more wait for others to run them, under the lock of `jit`."""
    while retired:
        for instance in retired.popleft():
            instance.users -= 1
            if not instance.users:
                instance.free()
                _idle.setdefault(instance.loaded, set()).add(instance)
                _idle.move_to_end(instance.loaded)
    while len(_idle) > IDLE:
        _idle.popitem(last=False)


_instances: dict[str, weakref.WeakSet[Instance]] = {}
_objects: OrderedDict[str, Object] = OrderedDict()


def symbol(key: str) -> str:
    """What the functions of a unit are called in object code."""
    return f"u{key[:32]}"


def instances(key: str) -> list[Instance]:
    return list(_instances.get(key, ()))


@timed("cache")
def find(key: str) -> Object | None:
    """Object code that has this unit."""
    with jit.LOCK:
        found = _objects.get(key)
        if found is not None:
            _objects.move_to_end(key)
            return found
    entry = store.read(key)
    if entry is None:
        return None
    found = unpacked(entry)
    if found is None or key not in found.units:
        return None
    remember(found)
    return found


@timed("cache")
def keep(made: Object) -> None:
    """Have `find` find it, in this process and in later ones."""
    remember(made)
    about = {"tier": made.tier, "environment": made.environment,
             "units": {key: [u.functions, u.cells, u.digest, list(u.names)] for key, u in made.units.items()}}
    store.write(list(made.units), about, made.code)


def remember(made: Object) -> None:
    with jit.LOCK:
        for key in made.units:
            _objects[key] = made
        size = sum(len(o.code) for o in {id(o): o for o in _objects.values()}.values())
        while size > KEPT and len(_objects) > len(made.units):
            _, dropped = _objects.popitem(last=False)
            if dropped not in _objects.values():
                size -= len(dropped.code)


def unpacked(entry: store.Entry) -> Object | None:
    """The object code of an entry, if it is for this machine."""
    made = packed_object(entry)
    return made if made is not None and made.environment == vars(jit.environment()) else None


def packed_object(entry: store.Entry) -> Object | None:
    """The object code of an entry, for whatever machine; None where the entry does not say what it is."""
    try:
        return Object(entry.code, int(entry.about["tier"]), {
            str(key): Made(int(functions), int(cells), str(digest), tuple(map(str, names)))
            for key, (functions, cells, digest, names) in entry.about["units"].items()},
            {str(name): str(value) for name, value in entry.about["environment"].items()})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
