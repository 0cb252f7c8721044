"""The loop form: structured code over scalars in registers and arrays in memory.

Registers are assigned once; what changes from iteration to iteration is carried by the loop, as in the IR. Memory is
reached through pointers to elements of one dtype, offsets count elements. Arrays that a function makes lie in an arena
that is handed to it: `Alloc` takes from its top, `Release` gives back all that was taken since `Mark`.

A function returns True when a check failed; then the failure is in the context and every caller returns at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ....lang.core.ir import AttrValue, Table
from ....lang.source import Span


@dataclass(frozen=True, slots=True)
class Reg:
    """A register: a scalar of `dtype`, or with `pointer` the address of elements of it."""

    id: int
    dtype: str
    pointer: bool = False


@dataclass(frozen=True, slots=True)
class Imm:
    value: int | float | bool
    dtype: str


Operand = Reg | Imm


@dataclass(frozen=True, slots=True)
class Scalar:
    """`out = name(args)`, an elementwise primitive of `lang.prims` on scalars."""

    out: Reg
    name: str
    args: tuple[Operand, ...]
    attrs: tuple[tuple[str, AttrValue], ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    out: Reg
    base: Reg
    offset: Operand


@dataclass(frozen=True, slots=True)
class Store:
    base: Reg
    offset: Operand
    value: Operand


@dataclass(frozen=True, slots=True)
class Shift:
    """`out` is the address `offset` elements past `base`."""

    out: Reg
    base: Reg
    offset: Operand


@dataclass(frozen=True, slots=True)
class Alloc:
    """Room for `count` elements, taken from the arena."""

    out: Reg
    count: Operand


@dataclass(frozen=True, slots=True)
class Data:
    """`out` is the address of a table's numbers, `count` how many there are: not part of the code, so that it serves
    other numbers too. Nothing writes there."""

    out: Reg
    count: Reg
    table: Table


@dataclass(frozen=True, slots=True)
class Local:
    """Room for `count` elements, few, for as long as the function runs: on the stack, and in registers once loops over
    them are unrolled. Nothing that leaves the function lies there."""

    out: Reg
    count: int


@dataclass(frozen=True, slots=True)
class Mark:
    out: Reg


@dataclass(frozen=True, slots=True)
class Release:
    mark: Reg


@dataclass(frozen=True, slots=True)
class Resize:
    """A block of the heap that belongs to the call: number `slot`, with room for at least `count` elements; contents
    are kept."""

    out: Reg
    slot: Operand
    count: Operand


@dataclass(frozen=True, slots=True)
class Copy:
    """`count` elements from `source` to `target`, which may overlap."""

    target: Reg
    source: Reg
    count: Operand


@dataclass(frozen=True, slots=True)
class For:
    """`index` from 0 below `count`; iterations are independent of each other when `parallel` (nothing is carried then).
    """

    index: Reg
    count: Operand
    carried: tuple[Reg, ...]
    init: tuple[Operand, ...]
    body: Code
    next: tuple[Operand, ...]
    outs: tuple[Reg, ...]
    parallel: bool = False
    room: bool = False
    """Whether it may go on beyond its count, up to a multiple of 8 (`room`)."""
    last: int = 0
    """So many nodes at the end of the body come in the order of the iterations; what is before them is independent of
    them, and of other iterations."""


@dataclass(frozen=True, slots=True)
class Spread:
    """`body` does what there is to do for the numbers from `start` below `stop`. It runs for parts that make up 0 …
    `count`, at once where there are threads and all of it takes enough operations (`work`, about), else for the whole;
    parts do not depend on each other, and nothing that the body defines is read behind it. Lowering makes none: a back
    end that has threads asks `spread` for them."""

    start: Reg
    stop: Reg
    count: Operand
    work: Operand
    body: Code


@dataclass(frozen=True, slots=True)
class Lanes:
    """`body` for `index` from `start` on, `count` times, side by side in the lanes of vectors: iterations have to do
    with each other only where they add to an array, and there they come in their order. Loops inside run equally often
    in all of them, and `loops.lanes` says what else may stand in there."""

    index: Reg
    start: Operand
    count: int
    body: Code


@dataclass(frozen=True, slots=True)
class While:
    """`test` runs first in every iteration, and `cond` is its outcome."""

    carried: tuple[Reg, ...]
    init: tuple[Operand, ...]
    test: Code
    cond: Operand
    body: Code
    next: tuple[Operand, ...]
    outs: tuple[Reg, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of `value` over `index` below `count`, added in NumPy's pairwise order (eight partial sums to a block of
    at most 128, blocks in halves). `more` are other sums over the same indices; the body may store, each index into
    places of its own."""

    out: Reg
    index: Reg
    count: Operand
    body: Code
    value: Operand
    more: tuple[tuple[Reg, Operand], ...] = ()
    room: bool = False
    """As of `For`."""


@dataclass(frozen=True, slots=True)
class Choice:
    cond: Operand
    then: Code
    then_values: tuple[Operand, ...]
    orelse: Code
    orelse_values: tuple[Operand, ...]
    outs: tuple[Reg, ...]
    rare: bool = False
    """Whether `then` is hardly ever what runs."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """A call of another function of the program."""

    function: str
    args: tuple[Operand, ...]
    outs: tuple[Reg, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """A primitive that the host runs on whole arrays. Each array is a pointer and its sizes; results lie in the arena
    and come as pointers and sizes."""

    name: str
    attrs: tuple[tuple[str, AttrValue], ...]
    args: tuple[tuple[Operand, ...], ...]
    results: tuple[tuple[Reg, ...], ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """Whether there are libraries of linear algebra, so that `Library` can be run."""

    out: Reg


@dataclass(frozen=True, slots=True)
class Library:
    """A routine of BLAS or LAPACK, as Fortran calls it: sizes are `i32`, letters `i8`, numbers are passed by address.
    With `info` it has one argument more, a number in which it says how it went."""

    routine: str
    args: tuple[Operand, ...]
    info: Reg | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Fails with check primitive `name` on `values` unless `holds`."""

    holds: Operand
    name: str
    values: tuple[Operand, ...]
    attrs: tuple[tuple[str, AttrValue], ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """Says that about so many operations come, so that a long run can be stopped. Lowering makes none: a back end puts
    them where it wants them."""

    operations: Operand


Node = (Scalar | Load | Store | Shift | Alloc | Local | Data | Mark | Release | Resize | Copy | For | Spread | Lanes
        | While | Sum | Choice | Invoke | Host | Linked | Library | Check
        | Poll)
Code = list[Node]


@dataclass(slots=True)
class Function:
    """`params` and `results` are scalars and pointers, each array's sizes after its pointer."""

    name: str
    params: tuple[Reg, ...]
    body: Code
    results: tuple[Operand, ...]
    slots: int = 0


@dataclass(slots=True)
class Program:
    functions: dict[str, Function] = field(default_factory=dict)
