"""The `.pyi` of an emitted module: what type checkers and editors know of its entries.

Arrays are `Annotated[NDArray[np.float64], "[n][d]f64"]`: rank, sizes and dtype in the words of the source.
"""

from __future__ import annotations

import keyword
from collections.abc import Collection, Mapping, Sequence

from ....lang.prims.common import NUMPY_NAMES
from ...runtime.arguments import field_name
from ..entry import (
    ArrayOf,
    ArraySpec,
    DimSpec,
    EntrySpec,
    ParamSpec,
    RecordSpec,
    ScalarSpec,
    SumSpec,
    TupleSpec,
    ValueSpec,
    is_float,
    leaves,
)
from .names import mangled

HEAD = """\
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

class DadArgumentError(TypeError, ValueError):
    code: str
    message: str

class RunError(Exception):
    code: str
    message: str
    where: str
"""

# JSON-like escapes keep strings of the source inside their quotes.
SCALARS = {"f64": "float", "i64": "int", "bool": "bool"}


class _Stub:
    def __init__(self, taken: Collection[str]) -> None:
        self.taken = taken
        """Names of entries."""
        self.records: dict[str, str] = {}
        """Text of each NamedTuple class, by class name."""

    def result(self, value: ValueSpec, title: str, outer: tuple[DimSpec, ...] = ()) -> str:
        match value:
            case ScalarSpec(dtype) if not outer:
                return SCALARS.get(dtype) or f"np.{NUMPY_NAMES[dtype]}"
            case ScalarSpec(dtype):
                return array(dtype, outer)
            case ArraySpec(dtype, dims):
                return array(dtype, outer + dims)
            case TupleSpec(()):
                return "tuple[()]"
            case TupleSpec(items):
                return f"tuple[{', '.join(self.result(i, f'{title}_{k}', outer) for k, i in enumerate(items))}]"
            case RecordSpec(name, fields):
                return self.record(
                    name or title, [(f, self.result(i, f"{title}_{mangled(f)}", outer)) for f, i in fields]
                )
            case SumSpec(_, _, constructors):
                cases = " | ".join(
                    f"tuple[{', '.join([f'Literal[{quoted(c)}]', *(self.result(i, f'{title}_{c}') for i in items)])}]"
                    if items
                    else f"Literal[{quoted(c)}]"
                    for c, items in constructors
                )
                return "list[" * len(outer) + cases + "]" * len(outer)
            case ArrayOf(dims, element):
                return self.result(element, title, outer + dims)

    def record(self, name: str, fields: Sequence[tuple[str, str]]) -> str:
        lines = [f"    {attribute(f, k)}: {t}" for k, (f, t) in enumerate(fields)] or ["    pass"]
        base = identifier(name.strip("_") or "record")
        base = f"{base}_record" if base in self.taken else base
        title, number = base, 2
        while self.records.get(title, lines_text := "\n".join(lines)) != lines_text:
            title, number = f"{base}_{number}", number + 1
        self.records[title] = lines_text
        return title


def identifier(name: str) -> str:
    """The name itself where Python could have it for a parameter or a class, else an ASCII one."""
    usable = name.isidentifier() and not keyword.iskeyword(name) and name != "self"
    return name if usable else f"{mangled(name)}_".replace("__", "_")


def attribute(field: str, position: int) -> str:
    """As `namedtuple(…, rename=True)` calls it."""
    text = field_name(field)
    return text if text.isidentifier() and not text.startswith("_") else f"_{position}"


def array(dtype: str, dims: Sequence[DimSpec]) -> str:
    shape = "".join(f"[{d.text}]" for d in dims)
    return f"Annotated[NDArray[np.{NUMPY_NAMES[dtype]}], {quoted(shape + dtype)}]"


def quoted(text: str) -> str:
    import json

    return json.dumps(text)


def argument(value: ValueSpec) -> str:
    match value:
        case ScalarSpec(dtype):
            return SCALARS.get(dtype) or f"int | np.{NUMPY_NAMES[dtype]}" if not is_float(dtype) else "float"
        case ArraySpec(dtype, dims):
            shape = "".join(f"[{d.text}]" for d in dims)
            return f"Annotated[ArrayLike, {quoted(shape + dtype)}]"
        case TupleSpec(items):
            return f"tuple[{', '.join(argument(i) for i in items) or '()'}]"
        case SumSpec(_, _, constructors):
            return " | ".join(
                f"tuple[{', '.join([f'Literal[{quoted(c)}]', *map(argument, items)])}]"
                if items
                else f"Literal[{quoted(c)}]"
                for c, items in constructors
            )
        case RecordSpec() | ArrayOf():
            return "Any"


def floats(value: ValueSpec) -> ValueSpec:
    """The type of its tangents."""
    match value:
        case ScalarSpec(dtype) | ArraySpec(dtype, _):
            return value if is_float(dtype) else TupleSpec(())
        case TupleSpec(items):
            return TupleSpec(tuple(map(floats, items)))
        case RecordSpec(name, fields):
            return RecordSpec(name, tuple((f, floats(i)) for f, i in fields))
        case SumSpec(_, _, constructors):
            parts = tuple((c, floats(TupleSpec(items) if len(items) > 1 else items[0])) for c, items in constructors
                          if items)
            return RecordSpec(None, parts) if any(has_floats(part) for _, part in parts) else TupleSpec(())
        case ArrayOf(dims, element):
            inner = floats(element)
            assert isinstance(inner, TupleSpec | RecordSpec)
            return ArrayOf(dims, inner)


def derivatives(value: ValueSpec, gradient: ValueSpec) -> ValueSpec:
    """The type of derivatives of values whose floats are those of `value`: a gradient for each float."""
    match value:
        case ScalarSpec():
            return gradient
        case ArraySpec(_, dims):
            return rows(dims, gradient)
        case TupleSpec(items):
            return TupleSpec(tuple(derivatives(i, gradient) for i in items))
        case RecordSpec(_, fields):
            return RecordSpec(None, tuple((f, derivatives(i, gradient)) for f, i in fields))
        case ArrayOf(dims, element):
            return rows(dims, derivatives(element, gradient))
        case SumSpec():
            raise AssertionError("floats of a sum are a record")


def rows(dims: tuple[DimSpec, ...], value: ValueSpec) -> ValueSpec:
    match value:
        case ScalarSpec(dtype):
            return ArraySpec(dtype, dims)
        case ArraySpec(dtype, inner):
            return ArraySpec(dtype, dims + inner)
        case ArrayOf(inner, element):
            return ArrayOf(dims + inner, element)
        case _:
            return ArrayOf(dims, value)


def has_floats(value: ValueSpec) -> bool:
    return any(is_float(dtype) for dtype, _ in leaves(value))


def stub(entries: Sequence[EntrySpec], published: Mapping[str, str], version: str) -> str:
    made, classes = _Stub(set(published.values())), []
    for entry in entries:
        classes.append(_entry(made, entry, published[entry.name]))
    records = [f"class {title}(NamedTuple):\n{body}\n" for title, body in made.records.items()]
    instances = [f"{published[e.name]}: _{published[e.name]}\n" for e in entries]
    return "\n".join([f"# Written by dad {version}.", HEAD, *records, *classes, *instances])


def _entry(made: _Stub, entry: EntrySpec, name: str) -> str:
    unnamed = any(p.name != identifier(p.name) for p in entry.params)
    params = [f"{identifier(p.name)}: {argument(p.value)}" for p in entry.params]
    head = ", ".join(["self", *params, *(["/"] if unnamed else [])])
    result = made.result(entry.result, name)
    lines = [f"    def __call__({head}) -> {result}: ..."]
    active = [p for p in entry.params if p.name in entry.wrt]
    with_wrt = ", ".join(["self", *params, *(["/"] if unnamed else []), "*", "wrt: Any = ..."])
    if active:
        if len(active) == 1:
            gradient = made.result(floats(active[0].value), f"{name}_gradient")
        else:
            gradient = made.record(
                f"{name}_gradient", [(p.name, made.result(floats(p.value), f"{name}_{p.name}")) for p in active]
            )
        if "value_and_grad" in entry.transforms:
            lines.append(f"    def grad({with_wrt}) -> {gradient}: ...")
            lines.append(f"    def value_and_grad({with_wrt}) -> tuple[{result}, {gradient}]: ...")
        if "vjp" in entry.transforms:
            lines.append(
                f"    def vjp(self, *args: Any, wrt: Any = ...) -> tuple[{result}, {gradient}]: ..."
            )
        if "jvp" in entry.transforms:
            tangent = made.result(floats(entry.result), f"{name}_tangent")
            lines.append(
                f"    def jvp(self, *args: Any, wrt: Any = ...) -> tuple[{result}, {tangent}]: ..."
            )
        lines += _all_directions(made, entry, name, with_wrt, active)
    if "vmap" in entry.transforms:
        batch = DimSpec("batch", ((1, ("batch",)),))
        lines.append(
            f"    def vmap(self, *args: Any, in_axes: Any = ..., **named: Any) -> "
            f"{made.result(entry.result, f'{name}_rows', (batch,))}: ..."
        )
    said = [f"Smoothness: {entry.grades}."] * bool(entry.grades)
    said += ["`@ nondet`: on a GPU the last digits may differ from run to run."] * entry.nondet
    if said:
        lines.insert(0, f'    """{" ".join(said)}"""')
    return f"class _{name}(Protocol):\n" + "\n".join(lines) + "\n"


def _all_directions(made: _Stub, entry: EntrySpec, name: str, head: str, active: Sequence[ParamSpec]) -> list[str]:
    """Jacobians and what is of second order."""
    lines = []
    slopes = [(p.name, floats(p.value)) for p in active]
    gradient = slopes[0][1] if len(slopes) == 1 else RecordSpec(f"{name}_gradient", tuple(slopes))
    for kind in ("jacobian", "jacfwd", "jacrev"):
        if kind in entry.transforms:
            whole = made.result(derivatives(floats(entry.result), gradient), f"{name}_jacobian")
            lines.append(f"    def {kind}({head}) -> {whole}: ...")
    if "hessian" in entry.transforms:
        second = made.result(derivatives(gradient, gradient), f"{name}_hessian")
        lines.append(f"    def hessian({head}) -> {second}: ...")
    if "laplacian" in entry.transforms:
        lines.append(f"    def laplacian({head}) -> {made.result(entry.result, name)}: ...")
    if "hvp" in entry.transforms:
        product = made.result(gradient, f"{name}_gradient")
        lines.append(f"    def hvp(self, *args: Any, wrt: Any = ...) -> {product}: ...")
    return lines
