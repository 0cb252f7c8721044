"""What entries give: Python values put together from leaves, and arrays of the caller that leaves are written to.

Types are nested tuples, as `entry` describes them.
"""

from __future__ import annotations

import keyword
import re
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from .arguments import DTYPES, described, field_name, leaves_of, record_parts, tuple_parts
from .errors import DadArgumentError

PYTHON: dict[str, Any] = {"f64": float, "i64": int, "bool": bool}


class Builder:
    """Makes Python values of one type from leaves."""

    def __init__(self, spec: Any, outer: int = 0) -> None:
        self.build = self.builder(spec, outer)

    def builder(self, spec: Any, outer: int) -> Callable[[Iterator[Any]], Any]:
        match spec:
            case ("scalar", dtype) if not outer:
                python = PYTHON.get(dtype) or DTYPES[dtype].type
                return lambda parts: number(python, next(parts))
            case ("scalar", _) | ("array", _, _):
                return next
            case ("rows", dims, element):
                return self.builder(element, outer + len(dims))
            case ("tuple", items):
                builders = [self.builder(item, outer) for item in items]
                return lambda parts: tuple(b(parts) for b in builders)
            case ("record", name, fields):
                names = [f for f, _ in fields]
                make = record_class(name or "record", tuple(names))
                by_name = sorted(fields)
                builders = [self.builder(item, outer) for _, item in by_name]
                if by_name == list(fields):
                    return lambda parts: make(*[b(parts) for b in builders])
                places = [sorted(names).index(f) for f in names]

                def build(parts: Iterator[Any]) -> Any:
                    built = [b(parts) for b in builders]
                    return make(*[built[k] for k in places])

                return build
            case ("params", items):
                make = record_class("gradient", tuple(f for f, _ in items))
                builders = [self.builder(item, outer) for _, item in items]
                return lambda parts: make(*[b(parts) for b in builders])
            case ("sum", _, _, constructors) if outer:
                count = len(list(leaves_of(spec, "")))
                one = self.builder(spec, 0)
                return lambda parts: rows_of(one, [next(parts) for _ in range(count)], outer)
            case ("sum", _, _, constructors):
                variants = [(name, [self.builder(item, 0) for item in items]) for name, items in sorted(constructors)]
                return lambda parts: variant_of(int(next(parts)), variants, parts)
        raise AssertionError(spec)


def number(python: Any, x: Any) -> Any:
    """A number of Python's or NumPy's; one on a device stays there."""
    return x if hasattr(x, "__cuda_array_interface__") else python(x)


def variant_of(number: int, variants: Sequence[Any], parts: Iterator[Any]) -> Any:
    """The constructor with this number: its name alone, or a tuple of the name and what it holds."""
    payloads = [(name, [build(parts) for build in builders]) for name, builders in variants]
    name, held = payloads[number]
    return (name, *held) if held else name


def rows_of(build: Callable[[Iterator[Any]], Any], leaves: Sequence[Any], outer: int) -> Any:
    """Nested lists of values, from arrays with `outer` axes around each leaf."""
    if not outer:
        return build(iter(leaves))
    return [rows_of(build, [x[k] for x in leaves], outer - 1) for k in range(len(leaves[0]))]


@cache
def record_class(name: str, fields: tuple[str, ...]) -> Any:
    """A named tuple class; where two fields would have one name, the later is called by its position."""
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


def targets_of(spec: Any, out: Any) -> Iterator[Any]:
    """The arrays to write the leaves of a value of this type to; None for what is not wanted."""
    match spec:
        case ("scalar", _) | ("array", _, _):
            yield out
        case ("rows", _, element):
            yield from targets_of(element, out)
        case ("tuple", items):
            each = [None] * len(items) if out is None else tuple_parts(out, range(len(items)), "out")
            for item, part in zip(items, each, strict=True):
                yield from targets_of(item, part)
        case ("record", _, items) | ("params", items):
            keys = [name for name, _ in items]
            parts: Sequence[Any] = [None] * len(items)
            if type(out) is tuple:
                parts = tuple_parts(out, range(len(items)), "out")
            elif out is not None:
                parts = record_parts(out, keys, "out")
            pairs = list(zip(items, parts, strict=True))
            for (_, item), part in pairs if spec[0] == "params" else sorted(pairs, key=lambda pair: pair[0][0]):
                yield from targets_of(item, part)
        case _:
            raise DadArgumentError("A108", "`out`: values of sum types are not written into arrays")


def spec_leaves(spec: Any, label: str) -> Iterator[tuple[str, str, Any]]:
    """Label, dtype and dims of each leaf of a result."""
    if spec[0] == "params":
        for name, item in spec[1]:
            yield from leaves_of(item, f"{label}.{name}")
    elif spec[0] == "tuple":
        for k, item in enumerate(spec[1]):
            yield from spec_leaves(item, f"{label}.{k}")
    else:
        yield from leaves_of(spec, label)


def check_target(target: Any, result: Any) -> None:
    """Raise DadArgumentError unless the result can be written there."""
    wanted = f"expected an array {result.dtype} of shape {result.shape}, found {described(target)}"
    if not isinstance(target, np.ndarray) or target.dtype != result.dtype:
        raise DadArgumentError("A102", f"argument `out`: {wanted}")
    if target.shape != result.shape:
        raise DadArgumentError("A103", f"argument `out`: {wanted}")
    if not (target.flags.writeable and target.flags.c_contiguous and target.flags.aligned):
        raise DadArgumentError("A108", "argument `out`: results are written to arrays that are writable, aligned and "
                               "contiguous")
