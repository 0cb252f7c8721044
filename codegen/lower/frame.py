"""The function being written: where statements go, and what names, sizes and type variables mean there."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ...checker.result import Checked, Refinement
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom
from ...lang.sizes import Opaque, Size, SizeMeta, SizeVar
from ...lang.source import Span
from ...lang.surface import ast
from .values import RecV, RowV, SumV, TupV, Value, from_type

if TYPE_CHECKING:
    from .functions import Specialiser


SIZE_OPERATORS = {"/": "div", "%": "mod", "//": "quot", "%%": "rem", "**": "pow"}


class UnknownSize(Exception):
    """A size that cannot be computed where it was asked for (it belongs to a value made further inside)."""


class Frame:
    """`env` maps binding keys to values, `sizes` size variables to atoms, `types` the definition's type variables.

    Blocks inside blocks are child frames: what they bind is not seen outside.
    """

    def __init__(self, checked: Checked, specialiser: Specialiser, builder: Builder, env: dict[int, Value | RowV],
                 sizes: dict[SizeVar, Atom], types: Mapping[ty.TypeVar, ty.Type], function: str) -> None:
        self.checked = checked
        self.specialiser = specialiser
        self.b = builder
        self.env = env
        self.sizes = sizes
        self.types = types
        self.function = function
        """The name of the function that is being written."""
        self.param_dims: dict[int, tuple[Atom | None, ...]] = {}
        self.param_names: dict[int, str] = {}
        self.given: dict[ast.Exp, Value] = {}
        """Expressions that have a value already: parameters of a kernel (`tables`)."""
        self.bounded: dict[ir.Var, tuple[Refinement, ...]] = {}
        """Bounds that values of this function are known to keep (`ranges`)."""
        self.owner = ""
        """What the source calls the function whose parameters are being bound."""
        self.again: Literal["", "sqrt", "log"] = ""
        """Of a function's outermost frame: whether reverse mode runs it again (`ir.Function.again`)."""

    def nested(self) -> Frame:
        """For a block inside this one."""
        made = Frame(self.checked, self.specialiser, self.b.nested(), dict(self.env), dict(self.sizes), self.types,
                     self.function)
        made.given, made.bounded, made.owner = self.given, dict(self.bounded), self.owner
        return made

    def inside(self, env: dict[int, Value | RowV], sizes: dict[SizeVar, Atom], types: Mapping[ty.TypeVar, ty.Type]
               ) -> Frame:
        """For a function's body written in place: the same block, other names."""
        made = Frame(self.checked, self.specialiser, self.b, env, sizes, types, self.function)
        made.bounded = self.bounded
        return made

    def local(self, key: int) -> Value:
        """The value of a local name."""
        value = self.env[key]
        if isinstance(value, RowV):
            row = ir.Prim("index", (value.array, i64(value.row)))
            value = self.env[key] = self.b.bind(row, value.name, value.span)[0]
        return value

    # ------------------------------------------------------------ what is known of a function's parameters

    def name_params(self, name: str, value: Value) -> None:
        """Call the parameters that hold `value` after the source, fields by their path."""
        match value:
            case ir.Var(id=id):
                self.param_names[id] = name
            case RecV(fields):
                for field, v in fields:
                    self.name_params(f"{name}_{field}", v)
            case TupV(items):
                for k, v in enumerate(items):
                    self.name_params(f"{name}_{k}", v)
            case SumV(tag, cases):
                if tag is not None:
                    self.name_params(f"{name}_case" if any(payload for _, payload in cases) else name, tag)
                for case, payload in cases:
                    self.name_params(f"{name}_{case}", payload[0] if len(payload) == 1 else TupV(payload))
            case _:
                pass

    def named(self, params: tuple[ir.Var, ...]) -> tuple[ir.Var, ...]:
        for p in params:
            ir.called(p, self.param_names.get(p.id, p.name))
        return params

    def note_dims(self, axes: list[tuple[Size, Atom, int]]) -> None:
        """Remember which known size each axis of a parameter has (`ir.Function.dims`)."""
        for size, atom, axis in axes:
            if isinstance(atom, ir.Var):
                dims = list(self.param_dims.get(atom.id, (None,) * atom.type.rank))
                var = size.atom
                if size.value is not None:
                    dims[axis] = i64(size.value)
                elif isinstance(var, SizeVar) and var in self.sizes:
                    dims[axis] = self.sizes[var]
                self.param_dims[atom.id] = tuple(dims)

    # ------------------------------------------------------------ types and sizes

    def concrete(self, t: ty.Type) -> ty.Type:
        """`t` with this instance's type arguments in place of type variables."""
        types = self.types
        if not types:
            return t
        return ty.map_type(t, lambda x: types[x] if isinstance(x, ty.TypeVar) and x in types else None, lambda s: s)

    def type_of(self, e: ast.Exp) -> ty.Type:
        return self.concrete(self.checked.types[e])

    def size(self, size: Size) -> Atom:
        """The i64 atom that is this size; raises UnknownSize."""
        total: Atom | None = None
        for monomial, coefficient in size.terms:
            product: Atom | None = None if coefficient in (1, -1) and monomial else i64(abs(coefficient))
            for atom in monomial:
                factor = self.size_atom(atom)
                product = factor if product is None else self.b.mul(product, factor)
            assert product is not None
            if total is None:
                total = product if coefficient > 0 else self.b.neg(product)
            elif coefficient > 0:
                total = self.b.add(total, product)
            else:
                total = self.b.sub(total, product)
        return i64(0) if total is None else total

    def size_atom(self, atom: SizeVar | SizeMeta | Opaque) -> Atom:
        match atom:
            case SizeVar():
                if atom in self.sizes:
                    return self.sizes[atom]
                if atom in self.checked.global_sizes:
                    self.sizes[atom] = self.specialiser.constant(self, self.checked.global_sizes[atom])
                    return self.sizes[atom]
            case Opaque(op, operands):
                values = [self.size(o) for o in operands]
                return self.b.prim(SIZE_OPERATORS.get(op, op), *values)
            case SizeMeta():
                pass
        raise UnknownSize(str(Size.of(atom)))

    def shape(self, sizes: tuple[Size, ...]) -> tuple[Atom, ...]:
        return tuple(self.size(s) for s in sizes)

    def row_shapes(self, element: ty.Type, known: Mapping[Size, Atom] | None = None) -> tuple[tuple[Atom, ...], ...]:
        """Shapes of the atoms of one element of a map's result, also for the case that there is none.

        A size that only the element itself knows, unless it is `known`, is 0 there: nothing has it.
        """
        shapes: list[tuple[Atom, ...]] = []

        def leaf(_: ir.Type, sizes: tuple[Size, ...]) -> Atom:
            row: list[Atom] = []
            for s in sizes:
                try:
                    row.append(known[s] if known is not None and s in known else self.size(s))
                except UnknownSize:
                    row.append(i64(0))
            shapes.append(tuple(row))
            return i64(0)

        from_type(element, leaf)
        return tuple(shapes)

    def at(self, span: Span) -> Builder:
        """The builder, writing statements for this place in the source."""
        self.b.span = span
        return self.b
