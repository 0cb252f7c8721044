"""What a back end is told about an entry point, and the module it gives back: the border between Dad's types and
Python's.

A `ValueSpec` mirrors the source type of a parameter or result after monomorphisation. Its *leaves*, scalars and
arrays from left to right, are the IR function's parameters or results in order, the fields of a record by name; a field
of an array of records is one array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class DimSpec:
    """A size: as the source writes it (`n+1`), and as a sum of terms `coefficient * product of names`.

    >>> DimSpec("n+1", ((1, ("n",)), (1, ()))).name is None
    True
    """

    text: str
    terms: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def name(self) -> str | None:
        """The size variable, when the size is just one."""
        match self.terms:
            case ((1, (name,)),):
                return name
        return None


@dataclass(frozen=True, slots=True)
class ScalarSpec:
    dtype: str


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """An array of scalars; at least one axis."""

    dtype: str
    dims: tuple[DimSpec, ...]


@dataclass(frozen=True, slots=True)
class TupleSpec:
    items: tuple[ValueSpec, ...]


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """`name` is the type's name when it has one; `fields` are names and values as written, their leaves by name."""

    name: str | None
    fields: tuple[tuple[str, ValueSpec], ...]


@dataclass(frozen=True, slots=True)
class SumSpec:
    """`constructors` are names, in the order of the source, and what each holds.

    The leaves are the number of the constructor, of dtype `tag`, counted in the order of the names, then what each
    constructor holds, in that order too.
    """

    name: str | None
    tag: str
    constructors: tuple[tuple[str, tuple[ValueSpec, ...]], ...]


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """An array of records, tuples or sums, held as one array to each leaf of the element."""

    dims: tuple[DimSpec, ...]
    element: TupleSpec | RecordSpec | SumSpec


ValueSpec = ScalarSpec | ArraySpec | TupleSpec | RecordSpec | SumSpec | ArrayOf
Activity = Literal["param", "data", "plain"]


@dataclass(frozen=True, slots=True)
class ParamSpec:
    name: str
    value: ValueSpec
    activity: Activity = "plain"


@dataclass(frozen=True, slots=True)
class EntrySpec:
    """`function` is the IR function; `transforms` names the IR functions of the transforms built, by kind.

    `value_and_grad`, `vjp`, `jvp` have parameters and results as `codegen.lower.Transform` says, for the parameters
    that `active` names (None: the usual ones: those declared `param`, or else all with floats that are not `data`).
    `vmap` maps over axis 0 of every parameter.
    """

    name: str
    function: str
    params: tuple[ParamSpec, ...]
    result: ValueSpec
    doc: str = ""
    transforms: Mapping[str, str] = field(default_factory=dict)
    active: tuple[str, ...] | None = None
    grades: str = ""
    """How smooth it is in each parameter, in words: `theta C1, sigma smooth`."""
    nondet: bool = False
    """Whether numbers may be added to one place in any order."""

    @property
    def wrt(self) -> tuple[str, ...]:
        """Names of the parameters that derivatives are taken with respect to."""
        if self.active is not None:
            return self.active
        floats = [p for p in self.params if any(is_float(dtype) for dtype, _ in leaves(p.value))]
        declared = tuple(p.name for p in floats if p.activity == "param")
        return declared or tuple(p.name for p in floats if p.activity != "data")


@dataclass(frozen=True, slots=True)
class Module:
    """`python` imports NumPy alone; `linked` is the same with helpers imported from the installed `dad`, for use in
    memory.

    `body` is only what is written for this program, for people to read; `stub` is the text of the .pyi file; `kernels`
    are names of kernels and the CUDA C that makes them, for each text that is compiled at once.
    """

    python: str
    stub: str
    linked: str
    body: str
    kernels: tuple[tuple[tuple[str, ...], str], ...] = ()


def leaves(value: ValueSpec, outer: tuple[DimSpec, ...] = ()) -> Iterator[tuple[str, tuple[DimSpec, ...]]]:
    """Dtype and dims of each leaf, in order.

    >>> list(leaves(TupleSpec((ScalarSpec("f64"), ScalarSpec("i64")))))
    [('f64', ()), ('i64', ())]
    """
    match value:
        case ScalarSpec(dtype):
            yield dtype, outer
        case ArraySpec(dtype, dims):
            yield dtype, outer + dims
        case TupleSpec(items):
            for item in items:
                yield from leaves(item, outer)
        case RecordSpec(_, fields):
            for _, item in sorted(fields, key=by_name):
                yield from leaves(item, outer)
        case SumSpec(_, tag, constructors):
            yield tag, outer
            for _, items in sorted(constructors, key=lambda c: c[0]):
                for item in items:
                    yield from leaves(item, outer)
        case ArrayOf(dims, element):
            yield from leaves(element, outer + dims)


def by_name(field: tuple[str, ValueSpec]) -> str:
    return field[0]


def is_float(dtype: str) -> bool:
    return dtype in ("f64", "f32", "f16")
