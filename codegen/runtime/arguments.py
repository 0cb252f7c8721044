"""Arguments of entry points: values taken apart into arrays and numbers, converted losslessly, their sizes compared.

Types come as the nested tuples that `entry` describes. Every refusal is a DadArgumentError in the words of the source.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .errors import DadArgumentError

DTYPES: dict[str, Any] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
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
            for name, item in sorted(fields):
                yield from leaves_of(item, f"{label}.{name}", outer)
        case ("sum", _, tag, constructors):
            yield label, tag, outer
            for name, items in sorted(constructors):
                for item in items:
                    yield from leaves_of(item, f"{label}.{name}", outer)
        case ("rows", dims, element):
            yield from leaves_of(element, label, outer + dims)


def floats_of(spec: Any) -> Any:
    """The type of its tangents: floats only, an empty tuple where there are none."""
    match spec:
        case ("scalar", dtype) | ("array", dtype, _):
            return spec if dtype in ("f64", "f32", "f16") else ("tuple", ())
        case ("tuple", items):
            return "tuple", tuple(floats_of(item) for item in items)
        case ("record", name, fields):
            return "record", name, tuple((field, floats_of(item)) for field, item in fields)
        case ("sum", _, _, constructors):
            parts = [
                (c, floats_of(("tuple", items) if len(items) > 1 else items[0])) for c, items in constructors if items
            ]
            flat = all(dtype not in ("f64", "f32", "f16") for _, dtype, _ in leaves_of(spec, ""))
            return ("tuple", ()) if flat else ("record", None, tuple(parts))
        case ("rows", dims, element):
            return "rows", dims, floats_of(element)
    raise AssertionError(spec)


def derivatives_of(spec: Any, gradient: Any) -> Any:
    """The type of derivatives of values whose floats are those of `spec`: a gradient for each float."""
    match spec:
        case ("scalar", _):
            return gradient
        case ("array", _, dims):
            return "rows", dims, gradient
        case ("tuple", items):
            return "tuple", tuple(derivatives_of(item, gradient) for item in items)
        case ("record", _, fields):
            return "record", None, tuple((field, derivatives_of(item, gradient)) for field, item in fields)
        case ("params", items):
            return "params", tuple((name, derivatives_of(item, gradient)) for name, item in items)
        case ("rows", dims, element):
            return "rows", dims, derivatives_of(element, gradient)
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
            parts = columns(value, [name for name, _ in fields], label, outer, record_parts)
            for (name, item), part in sorted(zip(fields, parts, strict=True), key=lambda pair: pair[0][0]):
                yield from taken_apart(item, part, f"{label}.{name}", outer)
        case ("sum", name, tag, constructors):
            yield from variants_apart(name or "a sum type", tag, sorted(constructors), value, label, outer)


def variants_apart(
    title: str, tag: str, constructors: Any, value: Any, label: str, outer: int
) -> Iterator[Any]:
    """The number of the constructor, then what each constructor holds, of one value or of rows of them."""
    shape: tuple[int, ...] = ()
    rows: list[tuple[tuple[int, ...], Any]] = [((), value)]
    for _ in range(outer):
        lengths = {len(row) if isinstance(row, list | tuple | np.ndarray) else -1 for _, row in rows}
        if -1 in lengths or len(lengths) > 1:
            raise DadArgumentError("A101", f"argument `{label}`: expected rows of {title}")
        shape += (lengths.pop() if lengths else 0,)
        rows = [((*at, k), item) for at, row in rows for k, item in enumerate(row)]
    names = [name for name, _ in constructors]
    tags = np.zeros(shape, DTYPES[tag])
    payloads: dict[str, list[Any]] = {name: [] for name in names}
    for at, row in rows:
        where = label + "".join(f"[{k}]" for k in at)
        name, held = variant(row, dict(constructors), where)
        tags[at] = names.index(name)
        payloads[name].append((at, held))
    yield tags if shape else int(tags)
    for name, items in constructors:
        for k, item in enumerate(items):
            parts = [(at, list(taken_apart(item, held[k], f"{label}.{name}"))) for at, held in payloads[name]]
            for leaf_number in range(len(list(leaves_of(item, "")))):
                yield Held(shape, [(at, found[leaf_number]) for at, found in parts])


def variant(value: Any, constructors: Mapping[str, Any], label: str) -> tuple[str, tuple[Any, ...]]:
    """`"name"` or `("name", value, …)` as the name of the constructor and what it holds."""
    parts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, tuple | list) else ()
    if not parts or not isinstance(parts[0], str):
        raise DadArgumentError(
            "A102",
            f"argument `{label}`: expected a constructor such as {example(constructors)}, found {described(value)}",
        )
    name = str(parts[0])
    if name not in constructors:
        raise DadArgumentError(
            "A104", f"argument `{label}`: there is no constructor `{name}`; there are {listed(list(constructors))}"
        )
    count = len(constructors[name])
    if len(parts) - 1 != count:
        raise DadArgumentError(
            "A104",
            f"argument `{label}`: `{name}` holds {count} {'value' if count == 1 else 'values'}, found {len(parts) - 1}",
        )
    return name, parts[1:]


def example(constructors: Mapping[str, Any]) -> str:
    name, items = next(iter(constructors.items()))
    return f'("{name}", {", ".join("…" for _ in items)})' if items else f'"{name}"'


class Held:
    """A leaf of what one constructor holds: given at some places of rows of `shape`, zeros elsewhere."""

    def __init__(self, shape: tuple[int, ...], parts: list[Any]) -> None:
        self.shape, self.parts = shape, parts

    def array(self, label: str, dtype: str, dims: Any, default: tuple[int, ...] | None = None) -> Any:
        """The whole leaf; None when it is given nowhere, so that its sizes are not known, without `default`."""
        inner = dims[len(self.shape) :]
        found = [
            (at, part.array(label, dtype, inner) if isinstance(part, Held) else leaf(part, label, dtype, inner))
            for at, part in self.parts
        ]
        shapes = {np.shape(part) for _, part in found if part is not None}
        if len(shapes) > 1:
            raise DadArgumentError("A103", f"argument `{label}`: values of shapes {listed([*map(str, shapes)])}")
        if not shapes and inner and default is None:
            return None
        whole = np.zeros(self.shape + (shapes.pop() if shapes else (default or ())), DTYPES[dtype])
        for at, part in found:
            if part is not None:
                whole[at] = part
        return whole if whole.ndim else whole[()]


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
    """The Python attribute for a field: `x'` is `x_`, `lambda` is `lambda_`, `_x` is `x_`."""
    text = re.sub(r"\W", "_", name)
    plain = text.lstrip("_")
    return f"{plain}_" if plain != text or keyword.iskeyword(text) else text


# ------------------------------------------------------------------ leaves


def leaf(value: Any, label: str, dtype: str, dims: Any) -> Any:
    """A NumPy scalar or a native, aligned, C-contiguous array; the given array itself when it is one already."""
    if type(value) is float and dtype == "f64" and not dims:
        return np.float64(value)
    want = DTYPES[dtype]
    usual = type(value) is np.ndarray and value.dtype == want and value.ndim == len(dims) > 0
    if usual and value.flags.c_contiguous and value.flags.aligned:
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


def evaluated(terms: Any, sizes: Mapping[str, int]) -> int:
    """A size, where those that nothing shows are 0."""
    total = 0
    for coefficient, factors in terms:
        for name in factors:
            coefficient *= sizes.get(name, 0)
        total += coefficient
    return int(total)


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
        self.solved: list[tuple[str, int, int, str, Any]] = []
        for _ in self.checks:
            for k, axis, (text, terms) in self.checks:
                unknown = [n for _, factors in terms for n in factors if n not in bound]
                if len(unknown) == 1:
                    bound.add(unknown[0])
                    self.solved.append((unknown[0], k, axis, text, terms))
        self.checks = [c for c in self.checks if all(n in bound for _, factors in c[2][1] for n in factors)]

    def leaf(self, value: Any, label: str, dtype: str, dims: Any) -> Any:
        return leaf(value, label, dtype, dims)

    def moved(self, value: Any, axis: int) -> Any:
        """The array with this axis in front."""
        return np.moveaxis(np.asarray(value), axis, 0)

    def spread(self, value: Any, size: int) -> Any:
        """So many of the same."""
        return np.ascontiguousarray(np.broadcast_to(value, (size, *np.shape(value))))

    def converted(self, values: Sequence[Any]) -> list[Any]:
        made = [
            value.array(*info) if isinstance(value, Held) else self.leaf(value, *info)
            for value, info in zip(values, self.leaves, strict=True)
        ]
        if any(part is None for part in made):
            self.fill(made, values)
        if self.checks:
            self.check(made)
        return made

    def fill(self, made: list[Any], values: Sequence[Any]) -> None:
        """Leaves that no constructor gives are zeros of the sizes that the others show."""
        sizes: dict[str, int] = {}
        for name, k, axis, _ in self.binders:
            if made[k] is not None:
                sizes[name] = int(made[k]) if axis < 0 else made[k].shape[axis]
        for part, (_, _, dims) in zip(made, self.leaves, strict=True):
            for axis, (_, terms) in enumerate(dims if part is not None else ()):
                if len(terms) == 1 and terms[0][0] == 1 and len(terms[0][1]) == 1:
                    sizes.setdefault(terms[0][1][0], part.shape[axis])
        for k, (label, dtype, dims) in enumerate(self.leaves):
            if made[k] is None:
                outer = len(values[k].shape)
                wanted = tuple(evaluated(terms, sizes) for _, terms in dims[outer:])
                made[k] = values[k].array(label, dtype, dims, wanted)

    def solve(self, name: str, size: int, k: int, axis: int, text: str, terms: Any, sizes: Mapping[str, int]) -> int:
        """The size variable that makes an axis of size `text` what it is."""
        rest = evaluated(terms, {**sizes, name: 0})
        factor = evaluated(terms, {**sizes, name: 1}) - rest
        if factor == 0:
            return 0
        found, left = divmod(size - rest, factor)
        if left or found < 0:
            label = self.leaves[k][0]
            message = f"argument `{label}`: axis {axis} has size {size}, which is `{text}` for no `{name}`"
            raise DadArgumentError("A103", message)
        return found

    def check(self, made: Sequence[Any]) -> None:
        sizes = {name: int(made[k]) if axis < 0 else made[k].shape[axis] for name, k, axis, _ in self.binders}
        for name, k, axis, text, terms in self.solved:
            sizes[name] = self.solve(name, made[k].shape[axis], k, axis, text, terms, sizes)
        for k, axis, (text, terms) in self.checks:
            want = evaluated(terms, sizes)
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


class Unusual(Exception):
    """A value whose structure needs a closer look."""


def taker(spec: Any) -> Callable[[Any, list[Any]], None]:
    """What appends the leaves of a value of this type, for values that are as they mostly are: dictionaries with just
    the fields, named tuples, tuples. Raises Unusual for any other; then `taken_apart` looks, converts or refuses.
    """
    match spec:
        case ("scalar", _) | ("array", _, _):
            return lambda value, leaves: leaves.append(value)
        case ("tuple", items) if items:
            takers = [taker(item) for item in items]

            def take_tuple(value: Any, leaves: list[Any]) -> None:
                if type(value) is not tuple or len(value) != len(takers):
                    raise Unusual
                for take, part in zip(takers, value, strict=True):
                    take(part, leaves)

            return take_tuple
        case ("record", _, fields):
            by_name = [(name, field_name(name), taker(item)) for name, item in sorted(fields)]

            def take_record(value: Any, leaves: list[Any]) -> None:
                if type(value) is dict and len(value) == len(by_name):
                    for name, _, take in by_name:
                        if name not in value:
                            raise Unusual
                        take(value[name], leaves)
                elif isinstance(value, tuple) and hasattr(value, "_fields"):
                    for _, attribute, take in by_name:
                        part = getattr(value, attribute, Unusual)
                        if part is Unusual:
                            raise Unusual
                        take(part, leaves)
                else:
                    raise Unusual

            return take_record

    def refuse(value: Any, leaves: list[Any]) -> None:
        raise Unusual

    return refuse
