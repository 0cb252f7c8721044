"""What lowering remembers of a program that is being edited: IR functions of definitions that are as they were.

In: what the checker says now. A function that a definition became is used again as long as that definition and all that
lowering looked up while it wrote the function and those that it calls are the same objects, of which no term has been
replaced since. Only functions of data are kept: where functions are passed to functions, versions are written anew.
"""
from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...checker.result import Checked, Definition
from ...lang.core import ir
from ...lang.core.walk import called, callees
from .values import FunV, RecV, SumV, TupV, Value

if TYPE_CHECKING:
    from .columns import Columns
    from .functions import Special
    from .shapes import Instance

ROUNDS = 8
"""What no version of the program used for so many rounds is forgotten."""


@dataclass(slots=True)
class Kept:
    """A function and those that it calls, what was looked up for them, and when it was last used."""

    special: Special
    functions: dict[str, ir.Function]
    seen: dict[Definition, int]
    used: int


@dataclass(slots=True)
class Kernel:
    """The body of a map over rows, and the keys of the functions that it calls."""

    body: ir.Lambda
    calls: dict[Hashable, Definition]
    used: int


@dataclass(slots=True)
class Rows:
    """The instances of a shape, and their columns."""

    instances: Sequence[Instance]
    columns: Columns
    used: int


class Memory:
    """Functions by what specialisation goes by, and bodies of tables by their shapes (`tables`), for one program
    through its edits."""

    def __init__(self) -> None:
        self.kept: dict[Hashable, Kept] = {}
        self.kernels: dict[Hashable, Kernel] = {}
        self.rows: dict[Hashable, Rows] = {}
        """By shape; of several tables of one shape the last one's."""
        self.rounds = 0

    def begin(self) -> None:
        """Another version of the program."""
        self.rounds += 1
        self.kept = {key: k for key, k in self.kept.items() if self.rounds - k.used <= ROUNDS}
        self.kernels = {key: k for key, k in self.kernels.items() if self.rounds - k.used <= ROUNDS}
        self.rows = {key: k for key, k in self.rows.items() if self.rounds - k.used <= ROUNDS}

    def columns(self, instances: Sequence[Instance], found: Callable[[Sequence[Instance]], Columns]) -> Columns:
        """What `found` gives for the rows of a table, which are the same objects where they are as they were."""
        key = instances[0].key
        rows = self.rows.get(key)
        if rows is None or rows.instances != instances:
            rows = self.rows[key] = Rows(instances, found(instances), self.rounds)
        rows.used = self.rounds
        return rows.columns

    def kernel(self, key: Hashable) -> Kernel | None:
        """The body of this shape."""
        found = self.kernels.get(key)
        if found is not None:
            found.used = self.rounds
        return found

    def keep_kernel(self, key: Hashable, body: ir.Lambda, calls: Mapping[Hashable, Definition]) -> None:
        """Remember the body of a shape that reads nothing but its parameters, if it calls nothing but definitions."""
        if len(callees(body.body)) == len(calls) and not any(
                isinstance(s.op, ir.Prim) and s.op.name == "table" for s in body.body.stmts):
            self.kernels[key] = Kernel(body, dict(calls), self.rounds)

    def find(self, key: Hashable, checked: Checked) -> Kept | None:
        """The function of this key, if it still says what it said."""
        found = self.kept.get(key)
        if found is None:
            return None
        definitions = checked.definitions
        if any(definitions.get(d.qualified) is not d or d.edits != edits for d, edits in found.seen.items()):
            del self.kept[key]
            return None
        found.used = self.rounds
        return found

    def keep(self, key: Hashable, special: Special, functions: dict[str, ir.Function],
             seen: dict[str, set[Definition]]) -> None:
        """Remember a function, `functions` being all there are and `seen` what was looked up for each."""
        names = reached(special.name, functions)
        if names is None or any(name not in seen for name in names):
            return
        looked = {d: d.edits for name in names for d in seen[name]}
        self.kept[key] = Kept(special, {name: functions[name] for name in functions if name in names}, looked,
                              self.rounds)


def reached(start: str, functions: dict[str, ir.Function]) -> set[str] | None:
    """A function and all that it calls; None where one of them is still being written."""
    names: set[str] = set()
    pending: list[str] = [start]
    while pending:
        name = pending.pop()
        if name in names:
            continue
        if name not in functions:
            return None
        names.add(name)
        pending.extend(called(functions[name]))
    return names


def of_data(values: Iterable[Value]) -> bool:
    """Whether there are no functions in these values."""
    for value in values:
        match value:
            case FunV():
                return False
            case TupV(items):
                inside: Iterable[Value] = items
            case RecV(fields):
                inside = [v for _, v in fields]
            case SumV(_, cases, known):
                if known is not None:
                    return False
                inside = [v for _, payload in cases for v in payload]
            case _:
                continue
        if not of_data(inside):
            return False
    return True
