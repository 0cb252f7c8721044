"""What LLVM assembly of a unit consists of: its functions' text, its table of words, and what it declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ....lang.core.ir import Table
from ..loops import tree
from ..loops.operands import everything
from ..loops.sites import FULL, HostCall, Site
from .half import CONVERSIONS
from .jit import ROOM_FOR_LINKS
from .kernels import table
from .scalars import LLVM

CALLS = 200
"""Calls of kernels in code that is optimised as a whole: more of them stay calls."""


@dataclass(frozen=True)
class DataCell:
    """The address of a table's numbers, or how many there are."""

    table: Table
    part: str


@dataclass(frozen=True)
class Routine:
    """The address of a routine of BLAS or LAPACK; of no name, whether there are such."""

    name: str = ""


Cell = str | HostCall | DataCell | Routine


@dataclass
class Unit:
    """Functions that are compiled together, as text without names of the program.

    `@unit.0`, `@unit.1` … are the functions, `@unit.t` is a table of words that the loader fills in: first a number
    that goes with each failure, then the addresses of what the unit calls. So the text is the same wherever the unit
    is used.
    """

    names: tuple[str, ...]
    text: str
    declared: dict[str, str]
    helpers: dict[str, str]
    sites: list[Site]
    cells: list[Cell]
    """What word 1, 2 … of the table is: the address of a function of the program, of a callback or of data, or how much
    data there is."""

    def called(self, symbol: str) -> str:
        """The text, with `symbol` in the place of `unit`."""
        return self.text.replace("@unit.", f"@{symbol}.")


@dataclass
class UnitWriter:
    names: dict[str, int]
    cut: bool = False
    """Whether it is for tier 1: long functions are cut in pieces, loops run in lanes."""
    whole: bool = False
    """Whether kernels for vectors will be part of the code (`kernels.table.inlined`)."""
    declared: dict[str, str] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=lambda: [FULL])
    cells: dict[Cell, int] = field(default_factory=dict)
    leaves: list[str] = field(default_factory=list)
    made: int = 0
    """Registers that the writer made."""
    data: dict[str, set[int]] = field(default_factory=dict)

    def tables(self, function: tree.Function) -> set[int]:
        """The pointers of a function to tables."""
        if function.name not in self.data:
            self.data[function.name] = {n.out.id for n in everything(function.body) if isinstance(n, tree.Data)}
        return self.data[function.name]

    def full(self) -> int:
        """The number of the failure of an arena without room: the same in all units."""
        return 1

    def site(self, site: Site) -> int:
        """Its number."""
        self.sites.append(site)
        return len(self.sites)

    def cell(self, what: Cell) -> str:
        """The word of the table that holds an address, as a constant expression."""
        return word(self.cells.setdefault(what, len(self.cells) + 1))


def word(k: int) -> str:
    return f"getelementptr (i8, ptr @unit.t, i64 {8 * k})" if k else "@unit.t"


def module(units: Sequence[tuple[str, Unit]], vectors: bool = False, inlined: bool = False) -> str:
    """The text of a module of units, each with the symbol that it has in there; with `vectors` kernels are known to
    exist for vectors too, and with `inlined` those for vectors are part of it."""
    declared: dict[str, str] = {}
    helpers: dict[str, str] = {}
    for _, u in units:
        declared |= u.declared
        helpers |= u.helpers
    texts = [u.called(symbol) for symbol, u in units]
    kernels = table.inlined(declared) if inlined and sum(t.count(" @dad_") for t in texts) <= CALLS else {}
    if vectors:
        declared = table.with_vectors(declared)
    declared |= kernels
    parts = [ROOM_FOR_LINKS, *declared.values(), *helpers.values(), *texts, METADATA]
    if any(" half " in part for part in parts):
        parts.append(CONVERSIONS)
    return "\n".join(parts) + "\n"


METADATA = """!0 = !{!"branch_weights", i32 1, i32 100000}
!1 = distinct !{}
!2 = !{!"llvm.loop.parallel_accesses", !1}
!3 = !{!"llvm.loop.mustprogress"}
!4 = distinct !{!4, !2, !3}
!5 = !{!"llvm.loop.interleave.count", i32 1}
!6 = distinct !{!6, !2, !3, !5}
!7 = !{}
!8 = distinct !{!8, !9}
!9 = !{!"llvm.loop.unroll.full"}
!10 = !{!"llvm.loop.unroll.disable"}
!11 = distinct !{!11, !2, !3, !10}
!12 = distinct !{!12, !2, !3, !5, !10}"""
ACCESS, PARALLEL, CALLING = ", !llvm.access.group !1", ", !llvm.loop !4", ", !llvm.loop !6"
"""Marks of what a loop of independent iterations does in memory, and of its last branch; of one that calls kernels,
which leave no registers for a second vector."""
ROLLED = {PARALLEL: ", !llvm.loop !11", CALLING: ", !llvm.loop !12"}
"""The same for loops of which is not known how long they are: what is left of vectors is one loop, not many copies."""
WRITTEN_OUT = ", !llvm.loop !8"
FEW = 4
"""Loops of so many iterations are written out."""
MEMMOVE = "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)"


def int_pow(dtype: str) -> str:
    t = LLVM[dtype]
    below = f"%y_neg = icmp slt {t} %y, 0" if dtype[0] == "i" else "%y_neg = icmp ne i1 false, false"
    return f"""
define internal {t} @pow_{dtype}({t} %x, {t} %y) {{
  {below}
  br i1 %y_neg, label %inverse, label %start
inverse:
  %is_one = icmp eq {t} %x, 1
  %is_minus = icmp eq {t} %x, -1
  %odd0 = and {t} %y, 1
  %is_odd = icmp ne {t} %odd0, 0
  %signed = select i1 %is_odd, {t} -1, {t} 1
  %other = select i1 %is_minus, {t} %signed, {t} 0
  %inv = select i1 %is_one, {t} 1, {t} %other
  ret {t} %inv
start:
  br label %head
head:
  %b = phi {t} [%x, %start], [%bb, %body]
  %e = phi {t} [%y, %start], [%ee, %body]
  %r = phi {t} [1, %start], [%rr, %body]
  %more = icmp ne {t} %e, 0
  br i1 %more, label %body, label %done
body:
  %low = and {t} %e, 1
  %odd = icmp ne {t} %low, 0
  %rb = mul {t} %r, %b
  %rr = select i1 %odd, {t} %rb, {t} %r
  %bb = mul {t} %b, %b
  %ee = lshr {t} %e, 1
  br label %head
done:
  ret {t} %r
}}
"""
