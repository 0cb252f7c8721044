"""Entry points as Python sees them: arguments checked and taken apart into arrays, results put together, transforms.

A function of array code takes and gives *leaves*: NumPy scalars, and native C-contiguous arrays. Here stands what is
between it and a user: any array-like in, any strides, records as dicts, dataclasses or named tuples; fresh arrays,
Python numbers and named tuples out. Types come as nested tuples, the plain form of `codegen.backends.entry`:

    ("scalar", dtype)   ("array", dtype, dims)   ("tuple", items)   ("record", name, ((field, item), …))
    ("rows", dims, element)    with dims ((text, ((coefficient, (names, …)), …)), …)
"""

from __future__ import annotations

import keyword
import re
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import DadArgumentError

DTYPES: dict[str, Any] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "bool": np.dtype(np.bool_),
    "i64": np.dtype(np.int64),
    "i32": np.dtype(np.int32),
    "i16": np.dtype(np.int16),
    "i8": np.dtype(np.int8),
    "u64": np.dtype(np.uint64),
    "u32": np.dtype(np.uint32),
    "u16": np.dtype(np.uint16),
    "u8": np.dtype(np.uint8),
}
PYTHON: dict[str, Any] = {"f64": float, "i64": int, "bool": bool}
ROWS = ("batch", ((1, ("batch of vmap",)),))
"""The size of the axis that `vmap` maps over; a source name has no spaces."""


# ------------------------------------------------------------------ types


def leaves_of(spec: Any, label: str, outer: Any = ()) -> Iterator[tuple[str, str, Any]]:
    """Label, dtype and dims of each leaf: a field is called by its path, `m.mean`."""
    match spec:
        case ("scalar", dtype):
            yield label, dtype, outer
        case ("array", dtype, dims):
            yield label, dtype, outer + dims
        case ("tuple", items):
            for k, item in enumerate(items):
                yield from leaves_of(item, f"{label}.{k}", outer)
        case ("record", _, fields):
            for name, item in fields:
                yield from leaves_of(item, f"{label}.{name}", outer)
        case ("rows", dims, element):
            yield from leaves_of(element, label, outer + dims)


def floats_of(spec: Any) -> Any:
    """The type of its tangents: floats only, an empty tuple where there are none."""
    match spec:
        case ("scalar", dtype) | ("array", dtype, _):
            return spec if dtype in ("f64", "f32") else ("tuple", ())
        case ("tuple", items):
            return "tuple", tuple(floats_of(item) for item in items)
        case ("record", name, fields):
            return "record", name, tuple((field, floats_of(item)) for field, item in fields)
        case ("rows", dims, element):
            return "rows", dims, floats_of(element)
    raise AssertionError(spec)


def type_text(dtype: str, dims: Any) -> str:
    return "".join(f"[{text}]" for text, _ in dims) + dtype


def described(value: Any) -> str:
    """What was found, for a message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array of shape {value.shape}"
    if isinstance(value, np.generic):
        return f"{value.dtype} scalar"
    return f"a value of type {type(value).__name__}"


# ------------------------------------------------------------------ taking values apart


def taken_apart(spec: Any, value: Any, label: str, outer: int = 0) -> Iterator[Any]:
    """The leaves of a Python value, not yet converted; `outer` axes of rows stand around it."""
    match spec:
        case ("tuple", ()):
            return
        case ("scalar", _) | ("array", _, _):
            yield value
        case ("rows", dims, element):
            yield from taken_apart(element, value, label, outer + len(dims))
        case ("tuple", items):
            parts = columns(value, range(len(items)), label, outer, tuple_parts)
            for k, (item, part) in enumerate(zip(items, parts, strict=True)):
                yield from taken_apart(item, part, f"{label}.{k}", outer)
        case ("record", _, fields):
            names = [name for name, _ in fields]
            parts = columns(value, names, label, outer, record_parts)
            for (name, item), part in zip(fields, parts, strict=True):
                yield from taken_apart(item, part, f"{label}.{name}", outer)


def columns(value: Any, keys: Sequence[Any], label: str, outer: int, parts: Callable[..., list[Any]]) -> list[Any]:
    """The parts of one value, or of rows of them: a list of records becomes one list to each field."""
    if outer and isinstance(value, list):
        rows = [columns(row, keys, f"{label}[{k}]", outer - 1, parts) for k, row in enumerate(value)]
        return [[row[k] for row in rows] for k in range(len(keys))]
    if isinstance(value, np.ndarray) and value.dtype.names is not None:
        wanted = list(keys) if parts is record_parts else list(value.dtype.names)
        value = {name: value[name] for name in value.dtype.names}
        if parts is tuple_parts:
            value = tuple(value[name] for name in wanted)
    return parts(value, keys, label)


def tuple_parts(value: Any, keys: Sequence[int], label: str) -> list[Any]:
    if not isinstance(value, tuple | list):
        raise DadArgumentError("A102", f"argument `{label}`: expected a tuple of {len(keys)}, found {described(value)}")
    if len(value) != len(keys):
        raise DadArgumentError(
            "A104", f"argument `{label}`: expected a tuple of {len(keys)}, found one of {len(value)}"
        )
    return list(value)


def record_parts(value: Any, keys: Sequence[str], label: str) -> list[Any]:
    """Fields of a mapping by key, of any other object by attribute."""
    if isinstance(value, Mapping):
        for key in value:
            if key not in keys:
                raise DadArgumentError("A104", f"argument `{label}`: unexpected field `{key}`; it has {listed(keys)}")
        found = {key: value[key] for key in keys if key in value}
    else:
        found = {}
        for key in keys:
            if hasattr(value, field_name(key)):
                found[key] = getattr(value, field_name(key))
    for key in keys:
        if key not in found:
            raise DadArgumentError("A104", f"argument `{label}`: field `{key}` is missing in {described(value)}")
    return [found[key] for key in keys]


def listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def field_name(name: str) -> str:
    """The Python attribute for a field: `x'` is `x_`."""
    return re.sub(r"\W", "_", name)


# ------------------------------------------------------------------ leaves


def leaf(value: Any, label: str, dtype: str, dims: Any) -> Any:
    """A NumPy scalar or a native, aligned, C-contiguous array; the given array itself when it is one already."""
    if type(value) is float and dtype == "f64" and not dims:
        return np.float64(value)
    want = DTYPES[dtype]
    if type(value) is np.ndarray and value.dtype == want and value.ndim == len(dims) > 0 and value.flags.carray:
        return value
    array = as_array(value, label, dtype, dims)
    if array.ndim != len(dims):
        raise DadArgumentError(
            "A101", f"argument `{label}`: expected {type_text(dtype, dims)}, found {found(value, array)}"
        )
    converted = fitting(value, array, label, dtype, dims)
    return converted[()] if not dims else np.require(converted, want, ["C", "A"])


def found(value: Any, array: Any) -> str:
    return (
        described(value)
        if isinstance(value, np.ndarray | np.generic)
        else (f"a value of shape {array.shape}" if array.ndim else described(value))
    )


def as_array(value: Any, label: str, dtype: str, dims: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError, BufferError, RuntimeError) as error:
        raise DadArgumentError(
            "A101", f"argument `{label}`: expected {type_text(dtype, dims)}, found {described(value)} that is no array"
        ) from error
    if array.dtype == object and isinstance(value, int):
        raise DadArgumentError("A102", f"argument `{label}`: {value} does not fit {dtype}")
    return array


def fitting(value: Any, array: Any, label: str, dtype: str, dims: Any) -> Any:
    """The array in the wanted dtype, when that loses nothing."""
    want, kind = DTYPES[dtype], array.dtype.kind
    plain = not isinstance(value, np.ndarray | np.generic) and not hasattr(value, "__array__")
    if array.dtype == want or (plain and array.size == 0):
        return array.astype(want)
    wrong = DadArgumentError(
        "A102", f"argument `{label}`: expected {type_text(dtype, dims)}, found {found_dtype(value, array)}"
    )
    if dtype == "bool" or kind not in "iuf" or (want.kind in "iu" and kind == "f"):
        raise wrong
    if kind == "f":
        if array.dtype.itemsize > want.itemsize and not plain:
            raise wrong
        return array.astype(want)
    if want.kind in "iu" and not plain and not np.can_cast(array.dtype, want, "safe"):
        raise wrong
    with np.errstate(all="ignore"):
        converted = array.astype(want)
        # Compared on the integer side; out of range there means that the float was rounded up to 2**63 or 2**64.
        back = converted.astype(array.dtype)
        exact = (back == array) & ((converted < 0) == (array < 0))
        if want.kind == "f":
            exact &= converted < (2.0**63 if array.dtype.kind == "i" else 2.0**64)
    if not np.all(exact):
        raise DadArgumentError(
            "A102", f"argument `{label}`: {np.asarray(array)[~exact].flat[0]} does not fit {dtype} exactly"
        )
    return converted


def found_dtype(value: Any, array: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return described(value)
    return f"{array.dtype} values" if array.ndim else described(value)


class Leaves:
    """The leaves that a function takes: converts them, binds size variables, compares sizes."""

    def __init__(self, leaves: Sequence[tuple[str, str, Any]], scalars: Sequence[tuple[int, str]] = ()) -> None:
        self.leaves = tuple(leaves)
        self.binders: list[tuple[str, int, int, str]] = []
        self.checks: list[tuple[int, int, Any]] = []
        bound = set()
        names = {n for _, _, dims in self.leaves for _, terms in dims for _, factors in terms for n in factors}
        for k, name in scalars:
            if name in names:
                bound.add(name)
                self.binders.append((name, k, -1, f"argument `{name}`"))
        for k, (label, _, dims) in enumerate(self.leaves):
            for axis, (text, terms) in enumerate(dims):
                if len(terms) == 1 and terms[0][0] == 1 and len(terms[0][1]) == 1 and terms[0][1][0] not in bound:
                    bound.add(terms[0][1][0])
                    self.binders.append((terms[0][1][0], k, axis, f"axis {axis} of `{label}`"))
                else:
                    self.checks.append((k, axis, (text, terms)))
        self.checks = [c for c in self.checks if all(n in bound for _, factors in c[2][1] for n in factors)]

    def converted(self, values: Sequence[Any]) -> list[Any]:
        made = [leaf(value, *info) for value, info in zip(values, self.leaves, strict=True)]
        if self.checks:
            self.check(made)
        return made

    def check(self, made: Sequence[Any]) -> None:
        sizes = {name: int(made[k]) if axis < 0 else made[k].shape[axis] for name, k, axis, _ in self.binders}
        for k, axis, (text, terms) in self.checks:
            want = 0
            for coefficient, factors in terms:
                for name in factors:
                    coefficient *= sizes[name]
                want += coefficient
            if made[k].shape[axis] != want:
                names = {name for _, factors in terms for name in factors}
                origin = ", ".join(
                    f"from {where}" if name == text else f"`{name}` is {sizes[name]} from {where}"
                    for name, _, _, where in self.binders
                    if name in names
                )
                expected = f"`{text}` is {want} ({origin})" if names else f"it must be {want}"
                raise DadArgumentError(
                    "A103",
                    f"argument `{self.leaves[k][0]}`: axis {axis} has size {made[k].shape[axis]}, but {expected}",
                )


# ------------------------------------------------------------------ putting values together


class Builder:
    """Makes Python values of one type from leaves."""

    def __init__(self, spec: Any, outer: int = 0) -> None:
        self.build = self.builder(spec, outer)

    def builder(self, spec: Any, outer: int) -> Callable[[Iterator[Any]], Any]:
        match spec:
            case ("scalar", dtype) if not outer:
                python = PYTHON.get(dtype) or DTYPES[dtype].type
                return lambda parts: python(next(parts))
            case ("scalar", _) | ("array", _, _):
                return next
            case ("rows", dims, element):
                return self.builder(element, outer + len(dims))
            case ("tuple", items):
                builders = [self.builder(item, outer) for item in items]
                return lambda parts: tuple(b(parts) for b in builders)
            case ("record", name, fields):
                make = record_class(name or "record", [f for f, _ in fields])
                builders = [self.builder(item, outer) for _, item in fields]
                return lambda parts: make(*[b(parts) for b in builders])
        raise AssertionError(spec)


def record_class(name: str, fields: Sequence[str]) -> Any:
    """A named tuple class; fields that Python cannot name are `_0`, `_1`, … by position."""
    title = re.sub(r"\W", "_", name)
    fits = title.isidentifier() and not keyword.iskeyword(title)
    return namedtuple(title if fits else "record", [field_name(f) for f in fields], rename=True)


def owned(results: Sequence[Any], args: Sequence[Any]) -> Iterator[Any]:
    """The results, each array fresh: contiguous, writable, nobody else's."""
    seen = {id(a) for a in args}
    for x in results:
        if isinstance(x, np.ndarray):
            if x.base is not None or id(x) in seen or not x.flags.c_contiguous or not x.flags.writeable:
                x = np.array(x, order="C")
            seen.add(id(x))
        yield x


def shared_sizes(params: Sequence[Any], result: Any) -> tuple[str, ...]:
    """Parameters that are sizes of others or of the result: the same for all elements under `vmap`."""
    dims: list[Any] = []
    pending = [result, *(spec for _, _, spec in params)]
    while pending:
        match pending.pop():
            case ("array", _, own):
                dims += own
            case ("rows", own, element):
                dims += own
                pending.append(element)
            case ("tuple", items):
                pending += items
            case ("record", _, fields):
                pending += [item for _, item in fields]
    used = {name for _, terms in dims for _, factors in terms for name in factors}
    return tuple(name for name, _, spec in params if spec == ("scalar", "i64") and name in used)


def one_size(values: Any, name: str) -> tuple[Any, int]:
    """The number that all elements share, and how many there are; 0 when there is none."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise DadArgumentError("A101", f"argument `{name}`: expected one i64 an element, found {described(values)}")
    if array.size and (array != array[0]).any():
        both = f"{array.min()} and {array.max()}"
        raise DadArgumentError("A103", f"argument `{name}` is a size, the same for all elements; found {both}")
    return (array[0] if array.size else 0), array.size


# ------------------------------------------------------------------ entry points


class Entry:
    """A function of a Dad program. Call it with arrays and numbers; `grad`, `value_and_grad`, `jvp`, `vjp`, `vmap`
    derive it.

    Derivatives are taken with respect to the parameters declared `param`, or else all with floats that are not `data`.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        params: Any,
        result: Any,
        doc: str = "",
        wrt: Any = (),
        transforms: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc
        self.function = function
        self.params, self.result, self.wrt = params, result, tuple(wrt)
        self.transforms = dict(transforms or {})
        self.names = tuple(name for name, _, _ in params)
        self.output = Builder(result)
        self.tangent = Builder(floats_of(result))
        self.seeded: dict[Any, Leaves] = {}
        self.derivatives: dict[tuple[str, ...], Builder] = {}
        self.plain = all(spec[0] in ("scalar", "array") for _, _, spec in params)
        self.inputs = self.leaves_for({})

    def __repr__(self) -> str:
        return f"<entry {self.__name__}({', '.join(self.names)})>"

    def __call__(self, *args: Any, **named: Any) -> Any:
        values = self.inputs.converted(self.parts(self.arguments(args, named)))
        return self.output.build(owned(self.run(self.function, values), values))

    # -------------------------------------------------------- transforms

    def grad(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """The gradient of the scalar result: of one parameter as it is, of several as a named tuple."""
        return self.value_and_grad(*args, wrt=wrt, **named)[1]

    def value_and_grad(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """(value, gradient)."""
        active = self.active(wrt)
        function = self._transform("value_and_grad", active)
        values = self.inputs.converted(self.parts(self.arguments(args, named)))
        results = owned(self.run(function, values), values)
        return self.output.build(results), self.derivative(active).build(results)

    def jvp(self, *args: Any, wrt: Any = None) -> Any:
        """(value, tangent of the value): `f.jvp(x, y, tangents)`, or `f.jvp((x, y), tangents)`.

        Tangents are structured like a gradient: one parameter's as it is, several as a tuple or by name.
        """
        args, tangents = self.point_and_seed(args, "jvp", "tangents")
        active = self.active(wrt)
        function = self._transform("jvp", active)
        specs = [(f"tangent of {name}", floats_of(spec)) for name, _, spec in self.params if name in active]
        inputs = self.leaves_for(dict(specs))
        parts = [*self.parts(self.point(args)), *self.seeds(tangents, active, specs)]
        values = inputs.converted(parts)
        results = owned(self.run(function, values), values)
        return self.output.build(results), self.tangent.build(results)

    def vjp(self, *args: Any, wrt: Any = None) -> Any:
        """(value, gradient) for a cotangent structured like the value: `f.vjp(x, y, cotangent)`, or `f.vjp((x, y),
        cotangent)`.
        """
        args, cotangent = self.point_and_seed(args, "vjp", "a cotangent")
        active = self.active(wrt)
        function = self._transform("vjp", active)
        spec = floats_of(self.result)
        inputs = self.leaves_for({"cotangent": spec})
        values = inputs.converted([*self.parts(self.point(args)), *taken_apart(spec, cotangent, "cotangent")])
        results = owned(self.run(function, values), values)
        return self.output.build(results), self.derivative(active).build(results)

    def vmap(self, *args: Any, in_axes: Any = 0, **named: Any) -> Any:
        """The results for each element along an axis of the arguments (`in_axes`, one number or one to each; None:
        the same
        for all).
        """
        given = self.arguments(args, named)
        axes = list(in_axes) if isinstance(in_axes, tuple | list) else [in_axes] * len(given)
        if len(axes) != len(given) or all(axis is None for axis in axes):
            raise DadArgumentError(
                "A104", f"`in_axes` needs one axis or None for each of {listed(self.names)}, and one axis at least"
            )
        shared = shared_sizes(self.params, self.result)
        counts = {}
        for k, name in enumerate(self.names):
            if name in shared and axes[k] is not None:
                given[k], counts[name] = one_size(given[k], name)
                axes[k] = None
        if all(name in shared for name in self.names) or (counts and all(axis is None for axis in axes)):
            return self.repeated(given, counts)
        function = self._transform("vmap", tuple(name for name in self.names if name not in shared))
        leaves: list[tuple[str, str, Any]] = []
        scalars: list[tuple[int, str]] = []
        values, mapped = [], []
        for (name, _, spec), value, axis in zip(self.params, given, axes, strict=True):
            batched = name not in shared
            if not batched:
                scalars.append((len(leaves), name))
            found_leaves = list(leaves_of(spec, name, (ROWS,) if axis is not None else ()))
            parts = list(taken_apart(spec, value, name, int(axis is not None)))
            leaves += found_leaves
            mapped += [(axis is not None, batched)] * len(found_leaves)
            values += [np.moveaxis(np.asarray(p), axis, 0) if axis else p for p in parts]
        plan = Leaves(leaves, scalars)
        made = plan.converted(values)
        size = next(x.shape[0] for x, (is_mapped, _) in zip(made, mapped, strict=True) if is_mapped)
        for name, count in counts.items():
            if count != size:
                message = f"argument `{name}`: axis 0 has size {count}, but there are {size} elements"
                raise DadArgumentError("A103", message)
        made = [
            x if is_mapped or not batched else np.ascontiguousarray(np.broadcast_to(x, (size, *np.shape(x))))
            for x, (is_mapped, batched) in zip(made, mapped, strict=True)
        ]
        return Builder(self.result, 1).build(owned(self.run(function, made), made))

    def repeated(self, given: Sequence[Any], counts: Mapping[str, int]) -> Any:
        """The one result, as often as there are elements: nothing but sizes is mapped over."""
        if len(set(counts.values())) > 1:
            raise DadArgumentError("A103", "the arguments to map over have different lengths: "
                                   + ", ".join(f"`{name}` has {count}" for name, count in counts.items()))
        values = self.inputs.converted(self.parts(given))
        size = next(iter(counts.values()))
        results = [np.array(np.broadcast_to(x, (size, *np.shape(x)))) for x in self.run(self.function, values)]
        return Builder(self.result, 1).build(owned(results, values))

    def _transform(self, kind: str, wrt: tuple[str, ...]) -> Callable[..., Any]:
        """The function of leaves for a transform; whoever can compile more overrides this."""
        function = self.transforms.get(kind)
        if function is None or (kind != "vmap" and wrt != self.wrt):
            have = ", ".join(f"`{k}`" for k in self.transforms) or "no transforms"
            over = f" with respect to {listed(wrt)}" if wrt and kind != "vmap" else ""
            raise DadArgumentError(
                "A105",
                f"`{self.__name__}` was built without `{kind}`{over}; it has {have} with respect to {listed(self.wrt)}",
            )
        return function

    # -------------------------------------------------------- arguments

    def run(self, function: Callable[..., Any], values: Sequence[Any]) -> Sequence[Any]:
        with np.errstate(all="ignore"):
            results = function(*values)
        return results if isinstance(results, tuple) else (results,)

    def arguments(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        """One value to each parameter, in order."""
        names = self.names
        if len(args) == len(names) and not named:
            return list(args)
        if len(args) > len(names):
            raise DadArgumentError("A104", f"`{self.__name__}` takes {len(names)} arguments, got {len(args)}")
        given = dict(zip(names, args, strict=False))
        for name, value in named.items():
            if name not in names:
                raise DadArgumentError("A104", f"`{self.__name__}` has no parameter `{name}`; it has {listed(names)}")
            if name in given:
                raise DadArgumentError("A104", f"argument `{name}` is given twice")
            given[name] = value
        for name in names:
            if name not in given:
                raise DadArgumentError("A104", f"argument `{name}` of `{self.__name__}` is missing")
        return [given[name] for name in names]

    def point_and_seed(self, args: tuple[Any, ...], kind: str, seed: str) -> tuple[Any, Any]:
        if len(args) == 2:
            return args
        if len(args) == len(self.names) + 1:
            return args[:-1], args[-1]
        raise DadArgumentError(
            "A104",
            f"`{self.__name__}.{kind}` takes the arguments {listed(self.names)}, then {seed}; got {len(args)} values",
        )

    def point(self, args: Any) -> list[Any]:
        if isinstance(args, Mapping):
            return self.arguments((), args)
        whole = isinstance(args, tuple) and len(args) == len(self.names)
        return self.arguments(
            args if whole or (len(self.names) != 1 and isinstance(args, tuple | list)) else (args,), {}
        )

    def parts(self, values: Sequence[Any]) -> Sequence[Any]:
        if self.plain:
            return values
        return [
            part
            for (name, _, spec), value in zip(self.params, values, strict=True)
            for part in taken_apart(spec, value, name)
        ]

    def leaves_for(self, more: Mapping[str, Any]) -> Leaves:
        """What a function takes: the parameters, then these."""
        key = tuple(more.items())
        if key not in self.seeded:
            self.seeded[key] = self._leaves(key)
        return self.seeded[key]

    def _leaves(self, more: Sequence[tuple[str, Any]]) -> Leaves:
        leaves: list[tuple[str, str, Any]] = []
        scalars: list[tuple[int, str]] = []
        for name, _, spec in self.params:
            if spec == ("scalar", "i64"):
                scalars.append((len(leaves), name))
            leaves += leaves_of(spec, name)
        for label, spec in more:
            leaves += leaves_of(spec, label)
        return Leaves(leaves, scalars)

    def active(self, wrt: Any) -> tuple[str, ...]:
        if wrt is None:
            return self.wrt
        chosen = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        for name in chosen:
            if name not in self.names:
                raise DadArgumentError(
                    "A104", f"`{self.__name__}` has no parameter `{name}`; it has {listed(self.names)}"
                )
        return tuple(name for name in self.names if name in chosen)

    def derivative(self, active: tuple[str, ...]) -> Builder:
        """Of one parameter: its gradient; of several: a record by name."""
        if active not in self.derivatives:
            specs = [(name, floats_of(spec)) for name, _, spec in self.params if name in active]
            whole = specs[0][1] if len(specs) == 1 else ("record", "gradient", tuple(specs))
            self.derivatives[active] = Builder(whole)
        return self.derivatives[active]

    def seeds(self, tangents: Any, active: tuple[str, ...], specs: Sequence[tuple[str, Any]]) -> Iterator[Any]:
        if len(active) == 1:
            if isinstance(tangents, tuple) and len(tangents) == 1 and specs[0][1][0] in ("scalar", "array"):
                (tangents,) = tangents
            yield from taken_apart(specs[0][1], tangents, specs[0][0])
            return
        if isinstance(tangents, Mapping) or hasattr(tangents, "_fields"):
            values = record_parts(tangents, active, "tangents")
        else:
            values = tuple_parts(tangents, range(len(active)), "tangents")
        for (label, spec), value in zip(specs, values, strict=True):
            yield from taken_apart(spec, value, label)
