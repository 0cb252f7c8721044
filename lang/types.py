"""Types of the surface language, as the checker infers them and lowering reads them.

Tuples and records are structural. A function type names its parameter when later types may mention its value as a size:
`iota : (n: i64) -> [n]i64`.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from .record import dataclass, field
from .sizes import Size, SizeAtom, SizeVar
from .source import Span

FLOATS = frozenset({"f64", "f32", "f16"})
INTEGERS = frozenset({"i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8"})
SCALARS = FLOATS | INTEGERS | {"bool"}


@dataclass(frozen=True, slots=True)
class Scalar:
    name: str


@dataclass(frozen=True, slots=True)
class Array:
    size: Size
    element: Type


@dataclass(frozen=True, slots=True)
class Tuple:
    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Fields sorted by name, so that equal types are equal.

    `name` and `arguments` are the abbreviation it was written with (`mixture [k] f64`), `order` the fields as they were
    written: for messages and named tuples.
    """

    fields: tuple[tuple[str, Type], ...]
    name: str | None = field(default=None, compare=False)
    order: tuple[str, ...] = field(default=(), compare=False)
    arguments: tuple[Size | Type, ...] = field(default=(), compare=False)

    @staticmethod
    def of(fields: Iterable[tuple[str, Type]], name: str | None = None) -> Record:
        """The record with these fields, in the order in which they are written."""
        given = tuple(fields)
        return Record(tuple(sorted(given, key=lambda f: f[0])), name, tuple(f for f, _ in given))

    @property
    def written(self) -> tuple[tuple[str, Type], ...]:
        """The fields in the order in which they were written."""
        if len(self.order) != len(self.fields):
            return self.fields
        types = dict(self.fields)
        return tuple((f, types[f]) for f in self.order)


@dataclass(frozen=True, slots=True)
class Sum:
    """Constructors with what they hold, sorted by name. `name`, `order`, `arguments` are as in `Record`."""

    constructors: tuple[tuple[str, tuple[Type, ...]], ...]
    name: str | None = field(default=None, compare=False)
    order: tuple[str, ...] = field(default=(), compare=False)
    arguments: tuple[Size | Type, ...] = field(default=(), compare=False)

    @staticmethod
    def of(constructors: Iterable[tuple[str, tuple[Type, ...]]], name: str | None = None) -> Sum:
        """The sum with these constructors, in the order in which they are written."""
        given = tuple(constructors)
        return Sum(tuple(sorted(given, key=lambda c: c[0])), name, tuple(c for c, _ in given))

    @property
    def written(self) -> tuple[tuple[str, tuple[Type, ...]], ...]:
        """The constructors in the order in which they were written."""
        if len(self.order) != len(self.constructors):
            return self.constructors
        payloads = dict(self.constructors)
        return tuple((c, payloads[c]) for c in self.order)


@dataclass(frozen=True, slots=True)
class Fun:
    """`(name: param) -> ?[exists].result`. `size_var` is the argument's value in `result` when it can be a size.

    `parts` are the same for what the argument holds, by the path to it: `(p: {n: i64}) -> [p.n]f64`. `exists` are sizes
    in `result` that each call finds out; the expression that applies the function opens them.
    """

    param: Type
    result: Type
    name: str | None = field(default=None, compare=False)
    size_var: SizeVar | None = None
    exists: tuple[SizeVar, ...] = ()
    parts: tuple[tuple[tuple[str, ...], SizeVar], ...] = ()


@dataclass(frozen=True, slots=True)
class Exists:
    """`?[vars].body`: what a lifted type parameter stands for when the sizes of its values are found out one by one."""

    vars: tuple[SizeVar, ...]
    body: Type


@dataclass(frozen=True, slots=True)
class TypeVar:
    """A rigid type parameter, equal by `uid`; `constraint` is `num`, `int`, `float`, or None."""

    name: str = field(compare=False)
    uid: int
    constraint: str | None = field(default=None, compare=False)
    origin: Span | None = field(default=None, compare=False)
    lifted: str | None = field(default=None, compare=False)
    """How it is declared: '' as `'a`, for values; '^' as `'^a`, for functions too; '~'; None when it is inferred."""


@dataclass(frozen=True, slots=True)
class Meta:
    """A type to be inferred; the checker's substitution holds what it stands for."""

    uid: int


@dataclass(frozen=True, slots=True)
class Derived:
    """A type that is worked out from others, while these are not known: `function` is a name in `DERIVED`."""

    function: str
    of: tuple[Type, ...]


@dataclass(eq=False)
class Family:
    """A type that a module keeps closed, `type t [n] 'a` in its module type: equal to itself alone.

    `body`, over `sizes` and `types`, is what it stands for. Only lowering looks at it; it is None for a type of a
    parameter while a parametric module is checked by itself.
    """

    name: str
    span: Span
    sizes: tuple[SizeVar, ...] = ()
    types: tuple[TypeVar, ...] = ()
    lifted: str = ""
    body: Type | None = None


@dataclass(frozen=True, slots=True)
class Abstract:
    """A closed type with its arguments: `M.t`, `M.t [n] f64`."""

    family: Family
    sizes: tuple[Size, ...] = ()
    types: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class Error:
    """The type of what has been reported already; fits everything, so that one mistake gives one message."""


MAX_CONSTRUCTORS = 256
TAG = "u8"
"""The type of the number that says which constructor a value is."""

Type = Scalar | Exists | Array | Tuple | Record | Sum | Fun | TypeVar | Abstract | Meta | Derived | Error

UNIT = Tuple(())
BOOL = Scalar("bool")
I64 = Scalar("i64")
F64 = Scalar("f64")


def map_type(t: Type, leaf: Callable[[Type], Type | None], size: Callable[[Size], Size]) -> Type:
    """Rebuild a type: `leaf` may replace any node (None keeps and descends), `size` maps every size."""
    replaced = leaf(t)
    if replaced is not None:
        return replaced
    match t:
        case Array(s, element):
            return Array(size(s), map_type(element, leaf, size))
        case Tuple(items):
            return Tuple(tuple(map_type(i, leaf, size) for i in items))
        case Record(fields, name, order, arguments):
            given = arguments and tuple(size(a) if isinstance(a, Size) else map_type(a, leaf, size) for a in arguments)
            return Record(tuple((f, map_type(i, leaf, size)) for f, i in fields), name, order, given)
        case Sum(constructors, name, order, arguments):
            given = arguments and tuple(size(a) if isinstance(a, Size) else map_type(a, leaf, size) for a in arguments)
            mapped = tuple((c, tuple(map_type(i, leaf, size) for i in items)) for c, items in constructors)
            return Sum(mapped, name, order, given)
        case Fun(param, result, name, size_var, exists, parts):
            return Fun(map_type(param, leaf, size), map_type(result, leaf, size), name, size_var, exists, parts)
        case Exists(vars, body):
            return Exists(vars, map_type(body, leaf, size))
        case Abstract(family, sizes, types):
            if not sizes and not types:
                return t
            return Abstract(family, tuple(size(s) for s in sizes), tuple(map_type(i, leaf, size) for i in types))
        case Derived(function, of):
            return derived(function, tuple(map_type(i, leaf, size) for i in of))
        case _:
            return t


def substituted(t: Type, types: Mapping[TypeVar, Type], sizes: Mapping[SizeAtom, Size]) -> Type:
    """The type with these in place of type parameters and size variables."""
    if not types and not sizes:
        return t
    return map_type(t, lambda x: types.get(x) if isinstance(x, TypeVar) else None,
                    (lambda s: s.substitute(sizes)) if sizes else (lambda s: s))


def opened(t: Type, fresh: Callable[[SizeVar], SizeVar]) -> Type:
    """The type with new sizes in place of those that its `Exists` bind; function types stay as they are."""

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, Exists):
            env: dict[SizeAtom, Size] = {v: Size.of(fresh(v)) for v in inner.vars}
            return opened(substituted(inner.body, {}, env), fresh)
        return inner if isinstance(inner, (Scalar, Fun)) else None

    return map_type(t, leaf, lambda s: s)


def unbound(t: Type) -> Type:
    """The type with the sizes that its `Exists` bind left free, as lowering reads them: off the values."""
    return map_type(t, lambda x: unbound(x.body) if isinstance(x, Exists) else None, lambda s: s)


def pulled(t: Type, fresh: Callable[[SizeVar], SizeVar]) -> Type:
    """The type with each `Exists` in the result of a function made a size that the function finds out."""

    def leaf(inner: Type) -> Type | None:
        if not isinstance(inner, Fun):
            return inner if isinstance(inner, Scalar) else None
        found: list[SizeVar] = []

        def note(v: SizeVar) -> SizeVar:
            found.append(fresh(v))
            return found[-1]

        result = pulled(opened(inner.result, note), fresh)
        return Fun(pulled(inner.param, fresh), result, inner.name, inner.size_var, (*inner.exists, *found), inner.parts)

    return map_type(t, leaf, lambda s: s)


def revealed(t: Type) -> Type:
    """The type with what closed types stand for in their place."""

    def leaf(inner: Type) -> Type | None:
        if not isinstance(inner, Abstract):
            return inner if isinstance(inner, Scalar) else None
        family = inner.family
        if family.body is None:
            return UNIT
        opened = substituted(family.body, dict(zip(family.types, inner.types, strict=True)),
                             dict(zip(family.sizes, inner.sizes, strict=True)))
        return map_type(opened, leaf, lambda s: s)

    return map_type(t, leaf, lambda s: s)


def tangent(t: Type) -> Type:
    """The type of tangents and cotangents of a value of type `t`; a `Derived` node where that is not known yet."""
    return _with_floats(t, "tangent", (), None)


def derivative(a: Type, b: Type) -> Type:
    """The type of derivatives of functions from `a` to `b`: tangents of `b` with a tangent of `a` for each float.

    >>> show(derivative(Array(Size.constant(2), F64), Array(Size.constant(3), F64)))
    '[3][2]f64'
    """
    if isinstance(a, Derived) and a.function == "tangent":
        (a,) = a.of
    return _with_floats(b, "derivative", (a,), tangent(a))


def number(t: Type) -> Type:
    """The type of numbers that the floats of `t` add up to: the largest of their types."""
    found: set[Type] = set()

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, (Scalar, TypeVar, Meta, Abstract, Fun, Error)):
            if not isinstance(tangent(inner), Tuple):
                found.add(inner)
            return inner
        if isinstance(inner, Derived):
            found.add(inner)
            return inner
        return None

    map_type(t, leaf, lambda s: s)
    if len(found) == 1:
        (only,) = found
        if isinstance(only, (Scalar, Error)) or (isinstance(only, TypeVar) and only.constraint == "float"):
            return only
    if all(isinstance(i, Scalar) for i in found):
        return next((Scalar(name) for name in ("f64", "f32", "f16") if Scalar(name) in found), F64)
    return Derived("number", (t,))


DERIVED: dict[str, tuple[int, Callable[..., Type]]] = {
    "tangent": (1, tangent), "derivative": (2, derivative), "number": (1, number),
}
"""The functions of types that programs may write, `derivative a b`, and how many types each takes."""


def derived(function: str, of: tuple[Type, ...]) -> Type:
    return DERIVED[function][1](*of)


def _with_floats(t: Type, function: str, along: tuple[Type, ...], float_: Type | None) -> Type:
    """The type with `float_` in place of each float (None: the float itself) and units for what is none.

    What is not known yet becomes a node of `function`, with `along` before it.
    """
    match t:
        case Scalar(name):
            return UNIT if name not in FLOATS else t if float_ is None else float_
        case Array(size, element):
            inner = _with_floats(element, function, along, float_)
            return UNIT if inner == UNIT else Array(size, inner)
        case Tuple(items):
            return Tuple(tuple(_with_floats(i, function, along, float_) for i in items))
        case Record(fields):
            inner_fields = tuple((f, _with_floats(i, function, along, float_)) for f, i in fields)
            return t if inner_fields == fields else Record(inner_fields, None, t.order)
        case Sum():
            # A part to each constructor that holds something, zero where it is another one.
            parts: list[tuple[str, Type]] = []
            for name, items in t.written:
                if items:
                    held = tuple(_with_floats(i, function, along, float_) for i in items)
                    parts.append((name, held[0] if len(held) == 1 else Tuple(held)))
            flat = all(p == UNIT or (isinstance(p, Tuple) and all(i == UNIT for i in p.items)) for _, p in parts)
            return UNIT if flat else Record.of(parts)
        case TypeVar(constraint="float"):
            return t if float_ is None else float_
        case TypeVar(constraint="int"):
            return UNIT
        case Derived("tangent", (of,)):
            return t if float_ is None else _with_floats(of, function, along, float_)
        case Derived("derivative", _) if float_ is None:
            return t
        case Meta() | TypeVar() | Derived() | Abstract():
            return Derived(function, (*along, t))
        case Exists(vars, body):
            return Exists(vars, _with_floats(body, function, along, float_))
        case Fun() | Error():
            return UNIT if not isinstance(t, Error) else t


def holds_function(t: Type) -> bool:
    """Whether values of the type are functions or hold some, or may: lifted type parameters, `type^` of a module."""
    match t:
        case Fun():
            return True
        case TypeVar(lifted="^"):
            return True
        case Abstract(family):
            return family.lifted == "^"
        case Array(_, element):
            return holds_function(element)
        case Tuple(items):
            return any(holds_function(i) for i in items)
        case Record(fields):
            return any(holds_function(i) for _, i in fields)
        case Sum(constructors):
            return any(holds_function(i) for _, items in constructors for i in items)
        case _:
            return False


def varies(t: Type) -> bool:
    """Whether values of the type may differ in sizes that the type does not say: `type~` of a module, `'~a`."""
    match t:
        case TypeVar(lifted="~"):
            return True
        case Abstract(family):
            return family.lifted == "~"
        case Array(_, element):
            return varies(element)
        case Tuple(items):
            return any(varies(i) for i in items)
        case Record(fields):
            return any(varies(i) for _, i in fields)
        case Sum(constructors):
            return any(varies(i) for _, items in constructors for i in items)
        case _:
            return False


def sizes_of(t: Type) -> Iterator[Size]:
    match t:
        case Array(size, element):
            yield size
            yield from sizes_of(element)
        case Tuple(items):
            for i in items:
                yield from sizes_of(i)
        case Record(fields, _):
            for _, i in fields:
                yield from sizes_of(i)
        case Sum(constructors, _):
            for _, items in constructors:
                for i in items:
                    yield from sizes_of(i)
        case Fun(param, result):
            yield from sizes_of(param)
            yield from sizes_of(result)
        case Abstract(_, sizes, types):
            yield from sizes
            for i in types:
                yield from sizes_of(i)
        case Derived(_, of):
            for i in of:
                yield from sizes_of(i)
        case Exists(_, body):
            yield from sizes_of(body)
        case _:
            return


def show(t: Type) -> str:
    """The type in Dad's syntax."""
    match t:
        case Scalar(name):
            return name
        case Array(size, element):
            return f"[{size}]{show_atom(element)}"
        case Tuple(items):
            return "(" + ", ".join(show(i) for i in items) + ")"
        case Record(_, name, _, arguments) if name:
            return _applied(name, arguments)
        case Record():
            return "{" + ", ".join(f"{f}: {show(i)}" for f, i in t.written) + "}"
        case Sum(_, name, _, arguments) if name:
            return _applied(name, arguments)
        case Sum():
            return " | ".join(" ".join([f"#{c}", *(show_atom(i) for i in items)]) for c, items in t.written)
        case Fun(param, result, name):
            left = f"({name}: {show(param)})" if name else f"({show(param)})" if isinstance(param, Fun) else show(param)
            opened = "".join(f"[{v.name}]" for v in t.exists if v.name.isidentifier() and v.name != "_")
            return f"{left} -> {f'?{opened}.' if opened else ''}{show(result)}"
        case Exists(vars, body):
            return f"?{''.join(f'[{v.name}]' for v in vars)}.{show(body)}"
        case Abstract(family, sizes, types):
            given = [*(f"[{s}]" for s in sizes), *(show_atom(i) for i in types)]
            return " ".join([family.name, *given]).replace("] [", "][")
        case TypeVar(name):
            return name
        case Meta(uid):
            return f"t{uid}"
        case Derived(function, of):
            return " ".join([function, *(_argument(i) for i in of)])
        case Error():
            return "?"


def _applied(name: str, arguments: tuple[Size | Type, ...]) -> str:
    given = (f"[{a}]" if isinstance(a, Size) else show_atom(a) for a in arguments)
    return " ".join([name, *given]).replace("] [", "][")


def _argument(t: Type) -> str:
    text = show(t)
    return text if text.startswith(("(", "{")) or text.isidentifier() else f"({text})"


def show_atom(t: Type) -> str:
    text = show(t)
    return f"({text})" if isinstance(t, (Fun, Sum)) and not text.isidentifier() else text
