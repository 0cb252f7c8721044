"""What a function of the host knows, and where the rest lies: cells of its frame, in device memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..c.emit import ctype
from ..c.scalars import CELL
from ..loops import tree
from ..loops.operands import defined, everything, read
from ..loops.sites import Site
from ..loops.tree import Code, Imm, Operand, Reg
from .kernel import ThreadWriter, register
from .levels import Known
from .python import literal
from .roots import Leads

if TYPE_CHECKING:
    from .outline import Outline

WIDTH = {"f64": 8, "f32": 4, "f16": 2, "bool": 1} | {f"{s}{b}": b // 8 for s in "iu" for b in (8, 16, 32, 64)}
"""Bytes of an element."""

@dataclass(frozen=True, slots=True)
class Moves:
    """Cells that get values, all at once: the next state of a loop, what a branch gives."""

    pairs: tuple[tuple[Reg, Operand], ...]


Item = tree.Node | Moves

@dataclass
class Kernel:
    """What a kernel takes: numbers by value, cells of the frame, cells at addresses of their own."""

    name: str
    values: list[Reg] = field(default_factory=list)
    cells: list[Reg] = field(default_factory=list)

class Frame:
    """What is written of one function of the host, and where its numbers are."""

    def __init__(self, owner: Outline, function: tree.Function, params: Sequence[bool], python: str,
                 results: Sequence[bool], root: bool) -> None:
        self.owner, self.function, self.params, self.python = owner, function, params, python
        self.results, self.root = results, root
        self.levels = owner.levels
        self.known = Known(owner.levels, function, params)
        self.unit = owner.unit
        self.lines: list[str] = []
        self.indent = "    "
        self.pending: list[Item] = []
        self.additions: list[tuple[str, frozenset[int]]] = []
        """Launches that add to places, one behind the other, and the roots of these: more may be added with them."""
        self.zeroed: dict[int, tuple[str, str]] = {}
        """Arrays that begin with zeros, which nobody has written yet: addresses and bytes, by root."""
        self.cells: dict[int, int] = {}
        """Places of registers in the frame."""
        self.places: dict[int, str] = {}
        """Addresses of cells elsewhere, as Python says them."""
        self.size = 0
        self.forced: list[dict[int, str]] = [{}]
        """What the host has read, by blocks of Python."""
        self.total = {r.id: n for r, n in read(function.body).items()}
        for x in function.results:
            if isinstance(x, Reg):
                self.total[x.id] = self.total.get(x.id, 0) + 1
        own_results = {x.id for x in function.results if isinstance(x, Reg) and x.pointer}
        self.fresh_results = {n.out.id for n in function.body if isinstance(n, tree.Alloc) and n.out.id in own_results
                              } if root else set()
        self.slots = -1
        self.memory = Leads(function)
        self.next = 1 + max((r.id for r in (*function.params, *defined(function.body))), default=0)

    def reg(self, dtype: str, pointer: bool = False, known: bool = False) -> Reg:
        self.next += 1
        if known:
            self.known.known.add(self.next - 1)
        return Reg(self.next - 1, dtype, pointer)

    # ------------------------------------------------------------ text

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def open(self, text: str) -> None:
        self.line(text)
        self.indent += "    "
        self.forced.append({})

    def close(self, start: int) -> None:
        if len(self.lines) == start:  # nothing was written
            self.line("pass")
        self.indent = self.indent[:-4]
        self.forced.pop()

    def either(self, cond: str, then: Callable[[], object], orelse: Callable[[], object]) -> None:
        """Write two ways, of which a run takes one."""
        for head, write in ((f"if {cond}:", then), ("else:", orelse)):
            self.open(head)
            start = len(self.lines)
            write()
            self.flush()
            self.close(start)

    def cell(self) -> int:
        self.size += 1
        return self.size - 1

    # ------------------------------------------------------------ values

    def home(self, reg: Reg) -> str:
        """The address of a register in device memory."""
        if reg.id in self.places:
            return self.places[reg.id]
        if reg.id not in self.cells:
            self.cells[reg.id] = self.cell()
        return f"frame + {8 * self.cells[reg.id]}"

    def local(self, x: Operand) -> str | None:
        """What the host knows, as Python says it."""
        if isinstance(x, Imm):
            return literal(x)
        if x.id in self.known.known:
            return register(x)
        return next((names[x.id] for names in self.forced if x.id in names), None)

    def force(self, x: Operand) -> str:
        """The value on the host: it waits for the device where that is not known."""
        here = self.local(x)
        if here is not None:
            return here
        assert isinstance(x, Reg)
        self.flush()
        name = self.owner.fresh("h")
        self.line(f"{name} = run.read({self.home(x)}, {('i64' if x.pointer else x.dtype)!r})")
        self.forced[-1][x.id] = name
        return name

    # ------------------------------------------------------------ glue

    def moves(self, pairs: Iterable[tuple[Reg, Operand]]) -> None:
        made = tuple((r, x) for r, x in pairs if r != x)
        for r, _ in made:
            self.home(r)
        if made:
            self.pending.append(Moves(made))

    def flush(self) -> None:
        """Run what waits."""
        raise AssertionError("kernels are written elsewhere")

    def kept(self, x: Operand) -> str:
        """The address of a cell for a number that the host knows."""
        reg = self.reg(x.dtype)
        self.moves([(reg, x)])
        return self.home(reg)

    def site(self, site: Site) -> int:
        if site in self.unit.sites:
            return self.unit.sites.index(site) + 1
        self.unit.sites.append(site)
        return len(self.unit.sites)

    # ------------------------------------------------------------ what kernels are given

    def at(self, reg: Reg) -> str:
        return f"frame[{self.cells[reg.id]}]"

    def given(self, name: str, regs: Iterable[Reg]) -> Kernel:
        kernel = Kernel(name)
        for reg in regs:
            (kernel.cells if self.local(reg) is None else kernel.values).append(reg)
        return kernel

    def passed(self, kernel: Kernel, frame: bool) -> tuple[list[str], list[str], list[str]]:
        """Parameters of the kernel, what it loads first, and the arguments in Python."""
        params: list[str] = []
        loads: list[str] = []
        args: list[str] = []
        if frame:
            params.append("dad_cell *frame")
            args.append("frame")
        for x in kernel.values:
            if x.pointer:  # as a number: what nobody reads may lead beyond memory
                params.append(f"int64_t at_{register(x)}")
                loads.append(f"  {ctype(x)} {register(x)} = ({ctype(x)})at_{register(x)};")
            else:
                params.append(f"{ctype(x)} {register(x)}")
            here = self.local(x)
            assert here is not None
            args.append(here)
        for reg in kernel.cells:
            if reg.id in self.cells:
                cell = self.at(reg)
            else:
                params.append(f"const dad_cell *at_{register(reg)}")
                args.append(self.home(reg))
                cell = f"(*at_{register(reg)})"
            loads.append(f"  {ctype(reg)} {register(reg)} = {loaded(cell, reg)};")
        return params, loads, args

    def stops(self, name: str, writer: ThreadWriter, params: list[str], args: list[str], block: bool = False) -> str:
        """The first line of a kernel of many threads: they do nothing where a launch before has failed.

        Kernels that may fail themselves get the number of their launch for it, to tell their own failures.
        """
        return self.begins(name, writer.fails, params, args, block)

    def begins(self, name: str, fails: bool, params: list[str], args: list[str], block: bool = False) -> str:
        if fails:
            params.insert(0, "int64_t turn")
            args.insert(0, f"run.turn({name!r})")
        return stop(fails, block)

    def formal(self, kernel: Kernel, frame: bool) -> list[str]:
        """Parameters of the function of a thread."""
        return [*(["dad_cell *frame"] if frame else []),
                *(f"{ctype(x)} {register(x)}" for x in (*kernel.values, *kernel.cells))]

    def actual(self, kernel: Kernel, frame: bool) -> list[str]:
        return [*(["frame"] if frame else []),
                *(register(x) for x in (*kernel.values, *kernel.cells))]


def stop(fails: bool, block: bool = False) -> str:
    """`block`: all threads of a block go on, or none does."""
    failed = "dad_stopped(run, turn)" if fails else "run->failed != 0"
    return f"  if ({f'__syncthreads_or({failed})' if block else failed}) return;"


def takes_scratch(code: Code) -> bool:
    return any(isinstance(n, tree.Alloc | tree.Invoke | tree.Resize | tree.Host) for n in everything(code))


def stored(cell: str, reg: Reg, value: str) -> str:
    """A cell gets the value of a register."""
    if reg.pointer:
        return f"{cell}.p = {value};"
    if reg.dtype == "f16":
        return f"{cell}.f16 = dad_to_half({value});"
    return f"{cell}.{CELL[reg.dtype]} = {value};"


def loaded(cell: str, reg: Reg) -> str:
    if reg.pointer:
        return f"({ctype(reg)}){cell}.p"
    return f"dad_of_half({cell}.f16)" if reg.dtype == "f16" else f"{cell}.{CELL[reg.dtype]}"
