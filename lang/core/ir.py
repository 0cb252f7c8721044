"""The intermediate representation: first-order, in A-normal form, monomorphic, with one rank and one dtype to a value.

A `Program` holds functions; a function's body is a `Block`: a list of statements, each binding the results of one
operation, and the atoms it returns. Records and tuples are gone (an array of records is one array to a field),
functions as values are gone (lambdas stand only inside the operations that apply them). Sizes are ordinary i64 atoms:
`dim` reads them, and operations whose result could have a shape that its operands do not show (a map over zero
elements) carry it.

Naming: a `Var` is unique by `id` within its function, lambdas included; `name` is what the source called it.
Free variables of nested blocks and lambdas are simply the enclosing function's variables.
"""
from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from ..source import Span

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(*, frozen: bool = True, slots: bool = True, eq: bool = True) -> Any:
        """Nodes are frozen to the type checker, which sees all code that touches them. At run time they are plain:
        compiling makes them by the ten thousand, and a frozen one takes three times as long to make.
        """
        return dataclasses.dataclass(slots=slots, eq=eq, unsafe_hash=eq)

FLOATS = ("f64", "f32", "f16")
SIGNED = ("i64", "i32", "i16", "i8")
UNSIGNED = ("u64", "u32", "u16", "u8")
INTEGERS = SIGNED + UNSIGNED
DTYPES = FLOATS + INTEGERS + ("bool",)


class Type:
    """An array of `rank` axes of `dtype`; rank 0 is a scalar. There is one object to a type, so `==` is identity."""

    __slots__ = ("dtype", "is_float", "rank")
    __match_args__ = ("dtype", "rank")

    dtype: str
    rank: int
    is_float: bool

    def __new__(cls, dtype: str, rank: int = 0) -> Type:
        known = _TYPES.get((dtype, rank))
        if known is None:
            known = object.__new__(cls)
            known.dtype, known.rank, known.is_float = dtype, rank, dtype in FLOATS
            _TYPES[dtype, rank] = known
        return known

    def __repr__(self) -> str:
        return f"Type({self.dtype!r}, {self.rank})"

    def __str__(self) -> str:
        return "[]" * self.rank + self.dtype


_TYPES: dict[tuple[str, int], Type] = {}
SCALARS: dict[str, Type] = {dtype: Type(dtype) for dtype in DTYPES}
I64 = SCALARS["i64"]
F64 = SCALARS["f64"]
BOOL = SCALARS["bool"]


@dataclass(frozen=True, slots=True, eq=False)
class Var:
    """A variable: one object wherever a program mentions it, so tables of variables are as quick as they can be.

    Those of two copies of a program may be equal, but are not the same in a table.
    """

    id: int
    name: str
    type: Type

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Var) and self.id == other.id and self.type == other.type)

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return f"{self.name}.{self.id}"


def called(var: Var, name: str) -> None:
    """Give a variable another name, before anybody else sees it."""
    object.__setattr__(var, "name", name)


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A scalar literal. Equality distinguishes -0.0 from 0.0 and makes nan equal to itself."""

    value: int | float | bool
    dtype: str

    @property
    def type(self) -> Type:
        return SCALARS[self.dtype]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Const) or self.dtype != other.dtype:
            return False
        x, y = self.value, other.value
        if type(x) is not type(y):
            return False
        if x == y:
            return bool(x) or repr(x) == repr(y)
        return x != x and y != y

    def __hash__(self) -> int:
        value = self.value
        return hash(value) if value == value else 1


Atom = Var | Const


PLACES = "places"


class Table:
    """Numbers that a program holds as data: what the primitive `table` gives. `name` is unique in the program; with
    `PLACES` in front it says that the numbers are indices, none below zero.

    Passes and back ends look at the name and the dtype, never at the values or how many there are: programs that differ
    in them alone are compiled once (`lang/core/data.py`).
    """

    __slots__ = ("dtype", "name", "values")

    def __init__(self, name: str, dtype: str, values: tuple[int | float, ...]) -> None:
        self.name, self.dtype, self.values = name, dtype, values

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (isinstance(other, Table) and self.name == other.name and self.dtype == other.dtype
                and repr(self.values) == repr(other.values))

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.dtype!r}, {self.values!r})"

    @property
    def places(self) -> bool:
        """Whether its numbers are indices."""
        return self.name.startswith(PLACES)


AttrValue = int | str | bool | tuple[int, ...] | Table


@dataclass(frozen=True, slots=True)
class Block:
    stmts: tuple[Stmt, ...]
    results: tuple[Atom, ...]
    free: tuple[Var, ...] | None = field(default=None, init=False, compare=False, repr=False)
    """What `walk.free_vars` has found, once somebody has asked."""


@dataclass(frozen=True, slots=True)
class Lambda:
    params: tuple[Var, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Prim:
    """One primitive of `lang.prims`, with one result unless the record says otherwise.

    `attrs` are static, sorted by name.
    """

    name: str
    args: tuple[Atom, ...]
    attrs: tuple[tuple[str, AttrValue], ...] = ()

    def attr(self, name: str) -> AttrValue:
        for key, value in self.attrs:
            if key == name:
                return value
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of another function of the program; `types` are its results' types."""

    function: str
    args: tuple[Atom, ...]
    types: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class If:
    cond: Atom
    then: Block
    orelse: Block


@dataclass(frozen=True, slots=True)
class Map:
    """Apply `body` to the elements along axis 0 of `arrays` (at least one, equal lengths), in any order.

    Result k is an array of the k-th results; `shapes[k]` is the shape of one such result (i64 atoms, one to an axis),
    so that a map over nothing still has its full shape.
    """

    arrays: tuple[Atom, ...]
    body: Lambda
    shapes: tuple[tuple[Atom, ...], ...]


@dataclass(frozen=True, slots=True)
class Reduce:
    """Fold along axis 0 with an associative `body` (accumulators then elements) whose neutral element is `neutral`."""

    arrays: tuple[Atom, ...]
    neutral: tuple[Atom, ...]
    body: Lambda


@dataclass(frozen=True, slots=True)
class Scan:
    """Inclusive prefixes of the same fold; results have the arrays' length."""

    arrays: tuple[Atom, ...]
    neutral: tuple[Atom, ...]
    body: Lambda


@dataclass(frozen=True, slots=True)
class Loop:
    """Sequential iteration: `count` times (`for`), or while `cond` holds of the state (`while`, then `count` is None).

    `index` is the iteration number from 0 and `params` the state, first `init`. The body returns the next state and
    then any number of *collected* values, which are stacked along a new first axis, one row an iteration;
    `collect_shapes` gives the shape of a row of each. Results: the final state, the stacks, and for `while` the number
    of iterations (i64). A negative count means none. `ragged`: arrays of the state may change their size from iteration
    to iteration, so nothing may be concluded from their first sizes.

    `part`: of a loop that reverse mode has cut into pieces, the loop over the `pieces`, of which it keeps the first
    states alone and runs each again when its turn comes, or the loop over one `piece`; `log` of one whose states it
    finds again by halving; empty for all others.
    """

    count: Atom | None
    cond: Lambda | None
    index: Var
    params: tuple[Var, ...]
    init: tuple[Atom, ...]
    body: Block
    collect_shapes: tuple[tuple[Atom, ...], ...] = ()
    ragged: bool = False
    part: Literal["", "pieces", "piece", "log"] = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """A derivative still to be taken, removed by `passes.differentiate`, innermost first.

    `jvp`: `seeds` are tangents of the float parameters in order; results are the body's results, then the tangents of
    its float results. `vjp`: `seeds` are cotangents of the float results; results are the body's results, then the
    cotangents of its float parameters. Free variables of the body are held fixed.
    """

    mode: Literal["jvp", "vjp"]
    body: Lambda
    args: tuple[Atom, ...]
    seeds: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Of a `Custom`: the place of the function with the rule, of the rule, and what its atoms are called (`.a`)."""

    place: Span
    rule: Span
    args: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Custom:
    """`body` of `args`, with a derivative rule of the program's own.

    The parameters of `rule` are `args`, the results, then seeds. `jvp`: seeds are tangents of the float `args`; what it
    gives are the tangents of the float results. `vjp`: seeds are cotangents of the float results; what it gives are the
    cotangents of the float `args`. Free variables of the body are differentiated as its code says; what they contribute
    is added. The rule is code like any other: derivatives of derivatives differentiate it. Once all derivatives are
    taken, `passes.stops` puts the body in place.
    """

    mode: Literal["jvp", "vjp"]
    body: Lambda
    rule: Lambda
    args: tuple[Atom, ...]
    origin: Origin | None = field(default=None, compare=False)
    """Where the rule stands in the program; None for rules of the compiler's own."""


Op = Prim | Call | If | Map | Reduce | Scan | Loop | Diff | Custom


@dataclass(frozen=True, slots=True)
class Stmt:
    vars: tuple[Var, ...]
    op: Op
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    """`name` is an identifier unique in the program; `source_name` what the user calls it.

    `dims` says what is known of the parameters' sizes: for each parameter and axis the atom that its size equals (a
    constant, or the result of a `dim` statement at the head of the body), or None; empty when nothing is known. It is
    how `(x: [n]f64) (y: [n]f64)` keeps saying that both have one length.

    `again`: reverse mode keeps nothing of what the function computes, and runs it again; a call of it is never written
    out. What it says is how its loops are gone through backwards (`passes/checkpoints.py`); empty for others.
    """

    name: str
    params: tuple[Var, ...]
    body: Block
    source_name: str = field(default="", compare=False)
    dims: tuple[tuple[Atom | None, ...], ...] = field(default=(), compare=False)
    again: Literal["", "plain", "sqrt", "log"] = ""
    known: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What analyses have found out about the function, by the name of the analysis: a function never changes."""

    @property
    def result_types(self) -> tuple[Type, ...]:
        return tuple(atom.type for atom in self.body.results)


@dataclass(frozen=True, slots=True)
class Program:
    """Functions in dependency order: a callee comes before its callers, except for recursion."""

    functions: dict[str, Function]
