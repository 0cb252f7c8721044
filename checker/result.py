"""What the checker hands to lowering: the program with a type at every expression and a meaning at every name."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, overload

from ..lang.record import dataclass, field
from ..lang.sizes import Size, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import Type, TypeVar

if TYPE_CHECKING:
    from ..lang.surface.terms import Instance

Activity = Literal["param", "data", "plain"]


@dataclass(frozen=True, eq=False)
class Scheme:
    """`type` generalised over `type_vars` and `size_vars`."""

    type_vars: tuple[TypeVar, ...]
    size_vars: tuple[SizeVar, ...]
    type: Type


@dataclass(frozen=True, eq=False)
class LocalRef:
    """A name bound by a pattern, loop, lambda or local function; `key` is unique to the binding in its definition."""

    name: str
    key: int


Limit: TypeAlias = "float | LocalRef | tuple[str, Limit, Limit]"
"""A bound: a number, a parameter of the same definition, or arithmetic with these."""


@dataclass(frozen=True, eq=False)
class Refinement:
    """`f64{>0}`: the floats at `path` of a value are above `low` and below `high`, or at most there where not `open`.

    A step of a path is a field, a number in a tuple, or `#name.0` in a sum; arrays are no step, all elements are meant.
    """

    path: tuple[str, ...]
    low: Limit | None
    high: Limit | None
    open: bool
    text: str
    """As it is written: `> 0`, `0..1`."""
    span: Span

    def extended(self, *steps: str) -> Refinement:
        return Refinement((*steps, *self.path), self.low, self.high, self.open, self.text, self.span)

    @property
    def constant(self) -> bool:
        return isinstance(self.low, float | None) and isinstance(self.high, float | None)

    def holds(self, value: float) -> bool:
        """Of a constant refinement: whether a number satisfies it."""
        low, high = self.low, self.high
        assert isinstance(low, float | None)
        assert isinstance(high, float | None)
        return (low is None or value > low or (value == low and not self.open)) \
            and (high is None or value < high or (value == high and not self.open))


@dataclass(frozen=True, eq=False)
class Graded:
    """`a -> b @ C1`: what is asked of the function at `path` of a value. Names in grades are its parameters."""

    path: tuple[str, ...]
    grades: tuple[ast.Grade, ...]
    span: Span

    def extended(self, *steps: str) -> Graded:
        return Graded((*steps, *self.path), self.grades, self.span)


Contract = Refinement | Graded


@dataclass(eq=False)
class Definition:
    """A checked top-level `def` or `entry` (prelude and imports included). Its types are set when its group is done."""

    name: str
    qualified: str
    """Unique in the program, an identifier: `loss`, or `lib__dist` for an imported file."""
    node: ast.Def
    scheme: Scheme
    param_types: tuple[Type, ...]
    result_type: Type
    activities: tuple[Activity, ...]
    param_names: tuple[str, ...]
    entry: bool = False
    """Callable from outside: declared `entry`, or called `main` and of a type that an entry may have."""
    recursive: bool = False
    """It, or its group, mentions it."""
    edits: int = 0
    """How often terms of it were replaced since it was checked (`checker.edits`)."""
    asks: bool = False
    """Something in it promises, demands or assumes a grade: the definition, an expression, or a function it calls."""

    @property
    def nondet(self) -> bool:
        """Whether its head says `@ nondet`: additions to one place come in any order."""
        return self.node.nondet is not None

    @property
    def demands(self) -> bool:
        """Whether a parameter is a function that must have a grade."""
        return any(isinstance(c, Graded) for contracts in self.contracts for c in contracts)

    contracts: tuple[tuple[Contract, ...], ...] = ()
    """Of each parameter, and last of the result: bounds, and grades of functions."""


@dataclass(frozen=True, eq=False)
class GlobalRef:
    definition: Definition


@dataclass(frozen=True, eq=False)
class BuiltinRef:
    """An intrinsic (`lang.intrinsics`) or primitive (`lang.prims`); `sin`, `map`, `f64.i32` as ("cast", "f64")."""

    name: str
    dtype: str | None = None
    """The dtype that a module member fixes: `f32.sin` has "f32"; for conversions the target."""


@dataclass(frozen=True, eq=False)
class SizeRef:
    """A size parameter used as a value."""

    var: SizeVar


@dataclass(frozen=True, eq=False)
class Use:
    """What a `Name` (or an operator section, or a binary operator resolved to a definition) means here.

    `types` and `sizes` instantiate the target's scheme; values may mention the enclosing definition's own variables.
    """

    target: LocalRef | GlobalRef | BuiltinRef | SizeRef
    types: Mapping[TypeVar, Type] = field(default_factory=dict)
    sizes: Mapping[SizeVar, Size] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bound:
    """An index or slice: where it stands, as it is written, and whether it is inside its axis for certain."""

    span: Span
    array: str
    text: str
    axis: int
    size: str
    proved: bool
    why: str
    """Why it is checked when the program runs."""


class Bounds(Sequence[Bound]):
    """All of them; those of instances of shapes are written when somebody reads them."""

    def __init__(self, parts: Sequence[Bound | Instance]) -> None:
        self.parts = parts

    def _all(self) -> Sequence[Bound]:
        if not all(isinstance(part, Bound) for part in self.parts):
            from .instances import bounds

            self.parts = [one for part in self.parts for one in ((part,) if isinstance(part, Bound) else bounds(part))]
        return cast("Sequence[Bound]", self.parts)

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, at: int) -> Bound: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Bound]: ...
    def __getitem__(self, at: int | slice) -> Bound | Sequence[Bound]:
        return self._all()[at]


@dataclass(eq=False)
class Checked:
    """All tables are keyed by node identity. Types are fully resolved: no `Meta`, no `SizeMeta`, no `Error`."""

    definitions: dict[str, Definition]
    """By qualified name, in dependency order; prelude definitions appear when they are used."""
    entries: tuple[Definition, ...]
    types: dict[ast.Exp, Type]
    patterns: dict[ast.Pattern, Type]
    uses: dict[ast.Node, Use]
    """Name, BinOp (user-defined operators only), OpSection, LetFun (its own binding), Loop/ForBelow names …"""
    bindings: dict[ast.Node, LocalRef]
    """PName, ForBelow, LetFun, and LetUpdate (the new binding of its name)."""
    schemes: dict[ast.LetFun, Scheme]
    """Local functions may be polymorphic."""
    opened: dict[ast.Exp, tuple[SizeVar, ...]]
    """Sizes that this expression's result opens (existential): read them off the value by matching its type."""
    size_values: dict[SizeVar, ast.Exp]
    """A size variable that stands for the i64 value of an expression (an argument, as in `iota (f x)`)."""
    binding_sizes: dict[int, SizeVar]
    """By `LocalRef.key`: the size variable that stands for a bound i64 name (parameter, let, loop index)."""
    field_sizes: dict[int, dict[tuple[str, ...], SizeVar]]
    """By `LocalRef.key`: the size variables that stand for fields of a bound name, by their path."""
    global_sizes: dict[SizeVar, Definition]
    """Size variables that stand for the values of definitions."""
    loose_slices: set[ast.Slice]
    """Slices that are replaced by something whose size is to be compared when the program runs."""
    loop_sizes: dict[ast.Loop, tuple[SizeVar, ...]]
    """Sizes of a loop's state that change from iteration to iteration: read off the state's values."""
    flat: dict[tuple[str, str], str]
    """Parameters, by definition and name, on which an entry's result does not depend differentiably, and why."""
    bounds: Bounds
    """Every index and slice of the program's own files."""
    proved: set[ast.Node]
    """Index expressions and slices (Index, IndexArg nodes) whose bounds the checker has proved; no run-time check."""
    recursive: set[ast.LetFun]
    """Local functions that mention themselves."""
    contracts: dict[ast.TypeExp, tuple[Contract, ...]]
    """By type expression of an annotation: the bounds and grades in it, those of abbreviations included."""

    @property
    def promises(self) -> bool:
        """Whether anything in the program's own files asks for grades: then they are looked at by every check."""
        return any(d.asks for d in self.definitions.values() if not d.node.span.source.shipped)
