"""Values between Futhark's notation and NumPy: literals by the type that is wanted, results as text, results compared.

A number without a suffix takes the type that is wanted; one with a suffix must agree with it. What does not fit is
reported with code U302 and span.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..lang import types as ty
from ..lang.diagnostics.report import Reporter
from ..lang.intrinsics import LARGEST
from ..lang.source import Span
from .literals import Empty, Fields, Given, Group, Literal, Many, Number, Truth, Variant

DTYPES: dict[str, type[Any]] = {
    "f64": np.float64, "f32": np.float32, "f16": np.float16,
    "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8,
    "u64": np.uint64, "u32": np.uint32, "u16": np.uint16, "u8": np.uint8, "bool": np.bool_,
}

# ---------------------------------------------------------------- literals → NumPy


def convert(literal: Literal, wanted: ty.Type, report: Reporter, what: str = "the value") -> Any:
    """`literal` as a Python value of type `wanted`, or None where it does not fit (reported, U302).

    Scalars become NumPy scalars, arrays NumPy arrays, tuples tuples, records dicts; an array of records becomes a dict
    of arrays. Sizes are not compared: the entry does that, which knows what else has the same size.
    """
    before = len(report.diagnostics)
    result = _convert([literal], (), wanted, _Wanted(wanted, report, what))
    return None if len(report.diagnostics) > before else result


@dataclass(frozen=True)
class _Wanted:
    whole: ty.Type
    report: Reporter
    what: str

    def misfit(self, literal: Literal, expected: str, found: str) -> None:
        self.report.error("U302", f"{self.what} must be of type {ty.show(self.whole)}", literal.span,
                          f"expected {expected}, found {found}")


def _convert(literals: Sequence[Literal], shape: tuple[int, ...], wanted: ty.Type, context: _Wanted) -> Any:
    """`literals` are the elements, in row-major order, of an array of `shape` whose elements have type `wanted`."""
    match wanted:
        case ty.Array():
            return _array(literals, shape, wanted, context)
        case ty.Tuple(items):
            for each in literals:
                if not isinstance(each, Group) or len(each.items) != len(items):
                    return context.misfit(each, f"a tuple of {len(items)}", describe(each))
            groups = [each.items for each in literals if isinstance(each, Group)]
            return tuple(_convert([g[k] for g in groups], shape, item, context) for k, item in enumerate(items))
        case ty.Record(fields):
            names = [name for name, _ in fields]
            for each in literals:
                if not isinstance(each, Fields) or sorted(name for name, _ in each.fields) != names:
                    return context.misfit(each, "a record with " + ", ".join(names), describe(each))
            records = [dict(each.fields) for each in literals if isinstance(each, Fields)]
            return {name: _convert([r[name] for r in records], shape, item, context) for name, item in fields}
        case ty.Scalar(name):
            return _scalars(literals, shape, name, context)
        case ty.Sum():
            values = iter([_variant(each, wanted, context) for each in literals])
            return _nested(values, shape)
        case _:
            context.report.error("U302", f"{context.what}: values of type {ty.show(wanted)} cannot be written",
                                 literals[0].span if literals else None)
            return None


def _variant(literal: Literal, wanted: ty.Sum, context: _Wanted) -> Any:
    """`"name"`, or `("name", value, …)`, as entries take it."""
    payloads = dict(wanted.constructors)
    if not isinstance(literal, Variant):
        return context.misfit(literal, f"a constructor such as #{wanted.written[0][0]}", describe(literal))
    if literal.name not in payloads:
        return context.misfit(literal, "one of " + ", ".join(f"#{name}" for name in payloads), f"`#{literal.name}`")
    types = payloads[literal.name]
    if len(types) != len(literal.items):
        return context.misfit(literal, f"#{literal.name} with {len(types)} values", f"{len(literal.items)}")
    held = [_convert([item], (), t, context) for item, t in zip(literal.items, types, strict=True)]
    return (literal.name, *held) if held else literal.name


def _nested(values: Iterator[Any], shape: tuple[int, ...]) -> Any:
    """The next values as lists of lists of this shape."""
    return [_nested(values, shape[1:]) for _ in range(shape[0])] if shape else next(values)


def spread(literals: Sequence[Literal], wanted: Sequence[ty.Type]) -> list[Literal]:
    """Values side by side, where a constructor has taken those that follow it: what it does not hold is given back."""
    found: list[Literal] = []
    pending = list(literals)
    while pending:
        here = pending.pop(0)
        t = wanted[len(found)] if len(found) < len(wanted) else None
        if isinstance(here, Variant) and isinstance(t, ty.Sum):
            holds = len(dict(t.constructors).get(here.name, here.items))
            if holds < len(here.items):
                pending[:0] = here.items[holds:]
                end = here.items[holds - 1].span.end if holds else here.span.start + 1 + len(here.name)
                here = Variant(here.name, here.items[:holds], Span(here.span.source, here.span.start, end))
            elif missing := pending[:holds - len(here.items)]:  # it was given back by another one
                here = Variant(here.name, (*here.items, *missing), here.span.to(missing[-1].span))
                del pending[:len(missing)]
        found.append(here)
    return found


def _array(literals: Sequence[Literal], shape: tuple[int, ...], wanted: ty.Array, context: _Wanted) -> Any:
    if len(literals) == 1 and not shape and isinstance(literals[0], Empty | Given):
        return _ready(literals[0], wanted, context)
    for each in literals:
        if isinstance(each, Empty) and each.shape[0] == 0:
            continue
        if not isinstance(each, Many):
            return context.misfit(each, "an array", describe(each))
    rows = [each.items if isinstance(each, Many) else () for each in literals]
    for each, row in zip(literals, rows, strict=True):
        if len(row) != len(rows[0]):
            return context.misfit(each, f"a row of {len(rows[0])} elements like the first", f"one of {len(row)}")
    inner = [item for row in rows for item in row]
    return _convert(inner, (*shape, len(rows[0]) if rows else 0), wanted.element, context)


def _ready(literal: Empty | Given, wanted: ty.Array, context: _Wanted) -> Any:
    """An array that has its shape and type already."""
    rank, element = 0, _plain(wanted)
    while isinstance(element, ty.Array):
        rank, element = rank + 1, element.element
    if not isinstance(element, ty.Scalar):
        return context.misfit(literal, "an array of records or tuples", describe(literal))
    array = np.empty(literal.shape, DTYPES[literal.dtype]) if isinstance(literal, Empty) else literal.array
    if array.ndim == 1 and array.size == 0 and isinstance(literal, Empty) and rank > 1:
        array = array.reshape((0,) * rank)
    if array.ndim != rank or array.dtype != DTYPES[element.name]:
        return context.misfit(literal, ty.show(wanted), describe(literal))
    return array


def _plain(t: ty.Type) -> ty.Type:
    """The same type, no longer known to be an array."""
    return t


def _scalars(literals: Sequence[Literal], shape: tuple[int, ...], name: str, context: _Wanted) -> Any:
    dtype = DTYPES[name]
    values: list[int | float | bool] = []
    for each in literals:
        if isinstance(each, Given) and each.array.ndim == 0 and each.array.dtype == dtype:
            values.append(each.array.item())
        elif isinstance(each, Truth | Number) and fits(each, name):
            values.append(_stored(each, name))
        else:
            return context.misfit(each, _expected(each, name), describe(each))
    with np.errstate(over="ignore"):
        array = np.array(values, dtype).reshape(shape)
    return array if shape else array[()]


def fits(literal: Number | Truth, name: str) -> bool:
    """Whether a scalar can be of this type: fractions only as floats, whole numbers within the range.

    With its type behind it a number may also be written by its bits, as Futhark's tests do: `0xffi8` is `-1i8`.
    """
    if isinstance(literal, Truth) or name == "bool":
        return isinstance(literal, Truth) and name == "bool"
    if literal.suffix not in (None, name):
        return False
    value = literal.value
    if name in ty.FLOATS:
        return not (LARGEST[name] < abs(value) < math.inf)
    if isinstance(value, float):
        return False
    info = np.iinfo(DTYPES[name])
    highest = int(info.max) if literal.suffix is None or info.min == 0 else 2 * int(info.max) + 1
    return int(info.min) <= value <= highest


def _stored(literal: Number | Truth, name: str) -> int | float | bool:
    """The number that the bits of a literal are."""
    value = literal.value
    if name not in ty.INTEGERS or not isinstance(value, int):
        return value
    info = np.iinfo(DTYPES[name])
    return value - 2 * (int(info.max) + 1) if value > info.max else value


def _expected(literal: Literal, name: str) -> str:
    whole = isinstance(literal, Number) and isinstance(literal.value, int) and literal.suffix in (None, name)
    if whole and name != "bool":
        return f"a number in the range of {name}"
    return name


def describe(literal: Literal) -> str:
    """What a literal is, in words, for messages."""
    match literal:
        case Number(_, suffix):
            return f"{suffix} `{literal.span.text}`" if suffix else f"`{literal.span.text}`"
        case Truth():
            return f"bool `{literal.span.text}`"
        case Many(items):
            return f"an array of {len(items)}"
        case Empty(shape, dtype):
            return "".join(f"[{n}]" for n in shape) + dtype
        case Group(items):
            return f"a tuple of {len(items)}"
        case Fields(fields):
            return "a record with " + (", ".join(name for name, _ in fields) or "no fields")
        case Variant(name):
            return f"`#{name}`"
        case Given(array):
            return "".join(f"[{n}]" for n in array.shape) + dtype_name(array.dtype)


def dtype_name(dtype: Any) -> str:
    """Dad's name of a NumPy dtype; NumPy's own where Dad has none."""
    return next((name for name, each in DTYPES.items() if np.dtype(each) == dtype), str(dtype))


# ---------------------------------------------------------------- NumPy → text


def show_value(value: Any, wanted: ty.Type | None = None, limit: int | None = None) -> str:
    """A result in the notation that is read above; numbers of other types than i64 and f64 carry their suffix.

    Named tuples and dicts are records. `wanted` is the type in the source, if it is known: Python's numbers don't tell
    f32 from f64, and an array of records is held as a record of arrays. With `limit`, longer arrays are cut short.

    >>> show_value(np.array([[1.0, 2.5]], np.float32))
    '[[1.0f32, 2.5f32]]'
    >>> show_value({"x": np.array([1, 2])}, ty.Array(ty.Size.constant(2), ty.Record((("x", ty.I64),))))
    '[{x = 1}, {x = 2}]'
    """
    return _show(value if wanted is None else natural(value, wanted), limit)


def natural(value: Any, t: ty.Type) -> Any:
    """A result with NumPy's leaves of the source's types, records as dicts, arrays of records as lists of dicts."""
    match t:
        case ty.Scalar(name):
            return np.asarray(value, DTYPES[name])[()]
        case ty.Tuple(items):
            return tuple(natural(v, item) for v, item in zip(value, items, strict=True))
        case ty.Record():
            parts = value if isinstance(value, dict) else value._asdict()
            return {name: natural(parts[name], item) for name, item in t.written}
        case ty.Sum(constructors):
            name, *held = (value,) if isinstance(value, str) else value
            types = dict(constructors)[name]
            return Case(name, tuple(natural(v, u) for v, u in zip(held, types, strict=True)))
        case ty.Array(_, element):
            base: ty.Type = element
            while isinstance(base, ty.Array):
                base = base.element
            if isinstance(base, ty.Scalar):
                return np.asarray(value, DTYPES[base.name])
            return [natural(_row(value, k), element) for k in range(_length(value))]
        case _:
            return value


@dataclass(frozen=True)
class Case:
    """A value of a sum type."""

    name: str
    held: tuple[Any, ...]


def _row(value: Any, k: int) -> Any:
    """Element `k` of an array of records, held as a record of arrays."""
    if isinstance(value, dict):
        return {name: _row(item, k) for name, item in value.items()}
    if isinstance(value, tuple):
        items = [_row(item, k) for item in value]
        names = getattr(value, "_fields", None)
        return tuple(items) if names is None else dict(zip(names, items, strict=True))
    return value[k]


def _length(value: Any) -> int:
    while isinstance(value, dict | tuple):
        items = list(value.values()) if isinstance(value, dict) else list(value)
        if not items:
            return 0
        value = items[0]
    return len(value)


def _show(value: Any, limit: int | None, inside: bool = False) -> str:
    if isinstance(value, Case):
        text = " ".join([f"#{value.name}", *(_show(v, limit, True) for v in value.held)])
        return f"({text})" if inside and value.held else text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_show(item, limit)}" for name, item in value.items()) + "}"
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        if names is not None:
            return _show(dict(zip(names, value, strict=True)), limit)
        return "(" + ", ".join(_show(item, limit) for item in value) + ")"
    if isinstance(value, list):
        shown = [_show(item, limit) for item in (value if limit is None else value[:limit])]
        return "[" + ", ".join([*shown, "…"] if len(shown) < len(value) else shown) + "]"
    array = np.asarray(value)
    if array.ndim and array.size == 0:
        return "empty(" + "".join(f"[{n}]" for n in array.shape) + dtype_name(array.dtype) + ")"
    return _show_rows(array, dtype_name(array.dtype), [limit if limit is not None else array.size])


def _show_rows(array: Any, name: str, left: list[int]) -> str:
    if array.ndim == 0:
        left[0] -= 1
        return show_scalar(array[()], name)
    parts = []
    for row in array:
        if left[0] <= 0:
            parts.append("…")
            break
        parts.append(_show_rows(row, name, left))
    return "[" + ", ".join(parts) + "]"


def show_scalar(value: Any, name: str) -> str:
    if name == "bool":
        return "true" if value else "false"
    if name not in ty.FLOATS:
        return str(int(value)) + ("" if name == "i64" else name)
    if math.isnan(value):
        return f"{name}.nan"
    if math.isinf(value):
        return ("-" if value < 0 else "") + f"{name}.inf"
    return str(value).replace("e+", "e") + ("" if name == "f64" else name)


# ---------------------------------------------------------------- comparison


def mismatch(expected: Any, found: Any, *, tolerance: Mapping[str, float], path: str = "") -> str | None:
    """Where and how two results differ, or None. Floats agree within tolerance · max(1, |expected|), nan equals nan.

    Both are in the form that `natural` gives; records and tuples are compared item by item; `path` says where in the
    result, as one would write it in Dad.
    """
    if isinstance(expected, Case):
        if not isinstance(found, Case) or found.name != expected.name:
            return f"expected {_show(expected, 20)}, found {_show(found, 20)}" + (f" at {path}" if path else "")
        expected, found, path = expected.held, found.held, f"{path}#{expected.name}"
    if isinstance(expected, dict | tuple | list):
        pairs = _parts(expected, found)
        if pairs is None:
            return f"expected {_show(expected, 20)}, found {_show(found, 20)}"
        found_first = (mismatch(a, b, tolerance=tolerance, path=path + name) for name, a, b in pairs)
        return next((text for text in found_first if text is not None), None)
    a, b = np.asarray(expected), np.asarray(found)
    at = f" at {path}" if path else ""
    if a.dtype != b.dtype:
        return f"expected {dtype_name(a.dtype)}, found {dtype_name(b.dtype)}{at}"
    if a.shape != b.shape:
        return f"expected shape {_shape(a)}, found {_shape(b)}{at}"
    if a.dtype.kind == "f":
        with np.errstate(all="ignore"):
            close = np.abs(a - b) <= tolerance[dtype_name(a.dtype)] * np.maximum(1.0, np.abs(a))
        same = np.where(np.isfinite(a) & np.isfinite(b), close, (a == b) | (np.isnan(a) & np.isnan(b)))
    else:
        same = a == b
    if bool(np.all(same)):
        return None
    first = tuple(int(k) for k in np.argwhere(~same)[0]) if a.ndim else ()
    index = f"[{', '.join(map(str, first))}]" if first else ""
    at = f" at {path}{index}" if path or index else ""
    many = f" (and {wrong - 1} more)" if (wrong := int(np.sum(~same))) > 1 else ""
    return f"expected {_show(a[first], None)}, found {_show(b[first], None)}{at}{many}"


def _parts(expected: Any, found: Any) -> list[tuple[str, Any, Any]] | None:
    if isinstance(expected, dict):
        if not isinstance(found, dict) or set(found) != set(expected):
            return None
        return [(f".{name}", item, found[name]) for name, item in expected.items()]
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return None
        return [(f"[{k}]", a, b) for k, (a, b) in enumerate(zip(expected, found, strict=True))]
    if not isinstance(found, tuple) or len(found) != len(expected):
        return None
    return [(f".{k}", a, b) for k, (a, b) in enumerate(zip(expected, found, strict=True))]


def _shape(array: Any) -> str:
    return "".join(f"[{n}]" for n in array.shape) or "of a scalar"

