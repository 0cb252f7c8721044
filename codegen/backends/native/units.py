"""A program in units of compilation: functions that call each other in a circle together, each other one alone.

The text of a unit has no names of the program, no lines and no messages in it, so its key says what the machine does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from ....lang.clock import timed
from ..loops import tree
from ..loops.operands import everything, inner
from ..loops.sites import FULL, HostCall
from .assembly import Cell, Unit, module
from .llvm import flat_name, unit
from .polls import polled

SMALL = 4000
"""Lines of assembly up to which LLVM runs most of its passes, with kernels for vectors in the code."""


@dataclass(frozen=True)
class Keyed:
    """A unit and the digest of what it does."""

    unit: Unit
    digest: str
    weight: int
    """Instructions, about."""
    looping: bool = True
    """Whether a good part of it is in loops: what LLVM's passes do for straight code was done before."""


@dataclass
class Units:
    """The units of a program, what is called before what calls it."""

    program: tree.Program
    units: list[Keyed]
    roots: Collection[str]

    def names(self) -> list[str]:
        return [name for k in self.units for name in k.unit.names if name in self.program.functions]

    def cells(self) -> dict[Cell, int]:
        """The words of all functions as one unit: those of the units, without calls."""
        found: dict[Cell, int] = {}
        for k in self.units:
            for cell in k.unit.cells:
                if not isinstance(cell, str):
                    found.setdefault(cell, len(found))
        return found

    def group_digest(self) -> str:
        """The digest of all functions as one unit, made of those of the units, of who calls whom, and of which words
        are the same."""
        number: dict[Cell, int] = {name: -1 - k for k, name in enumerate(self.names())}
        number |= self.cells()
        return digest("\n".join(f"{k.digest} {' '.join(str(number[cell]) for cell in k.unit.cells)}"
                                for k in self.units))

    def weight(self) -> int:
        return sum(k.weight for k in self.units)

    @timed("emit")
    def group(self) -> Keyed:
        """All functions as one unit, of which only the functions for Python can be called from outside."""
        weight, loops = self.weight(), looping(self.program)
        made = unit(self.program, self.names(), (), self.roots, cut=True, whole=loops and weight <= SMALL)
        return Keyed(made, self.group_digest(), weight, loops)

    def group_outline(self) -> Keyed:
        """That unit without its text, for code that is there already."""
        names = self.names()
        sites = [FULL, *(site for k in self.units for site in k.unit.sites[1:])]
        flat = [flat_name(name) for name in names if name in self.roots]
        return Keyed(Unit((*names, *flat), "", {}, {}, sites, list(self.cells())), self.group_digest(), self.weight())


@timed("emit")
def units_of(program: tree.Program, roots: Collection[str] = ()) -> Units:
    """`roots` are the functions that Python calls."""
    program = polled(program)
    alone = {name: unit(program, (name,), roots=roots) for name in program.functions}
    calls = {name: [c for c in u.cells if isinstance(c, str)] for name, u in alone.items()}
    made = []
    for names in circles(calls):
        made.append(keyed(alone[names[0]] if len(names) == 1 else unit(program, names, roots=roots)))
    return Units(program, made, roots)


def looping(program: tree.Program) -> bool:
    """Whether at least a fifth of the nodes is in loops."""
    bodies = [f.body for f in program.functions.values()]
    total = sum(1 for body in bodies for _ in everything(body))
    loops: tree.Code = [n for body in bodies for n in body if inner(n) and not isinstance(n, tree.Choice)]
    inside = sum(1 for _ in everything(loops))
    return 5 * inside >= total


def keyed(u: Unit) -> Keyed:
    helpers = "\n".join(u.helpers[name] for name in sorted(u.helpers))
    return Keyed(u, digest(f"{len(u.cells)}\n{helpers}\n{u.text}"), u.text.count("\n"))


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def circles(calls: dict[str, list[str]]) -> list[list[str]]:
    """The strongly connected components of a graph, those that are called first (Tarjan, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    inside: set[str] = set()
    found: list[list[str]] = []
    for root in calls:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        inside.add(root)
        work = [(root, iter(calls[root]))]
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    inside.add(other)
                    work.append((other, iter(calls[other])))
                    break
                if other in inside:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    component = stack[at:]
                    del stack[at:]
                    inside.difference_update(component)
                    found.append(sorted(component, key=index.__getitem__))
    return found


def shown(program: tree.Program) -> str:
    """The assembly of a program, each unit called by the name of its first function."""
    return module([(k.unit.names[0], k.unit) for k in units_of(program).units])


def targets(u: Unit) -> list[HostCall]:
    """The callbacks of a unit."""
    return [cell for cell in u.cells if isinstance(cell, HostCall)]
