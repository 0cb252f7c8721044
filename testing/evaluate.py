"""Scripts, run: an expression over a program's entries to the values that a test is given.

In: a script, the entries of a loaded program. Out: a `Made` tree of literals, which take the type that is wanted of
them, and of results of entries, which are handed on as they are. What goes wrong ends in `Unfit`, which says why.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..checker.result import Definition
from ..codegen.runtime.errors import DadArgumentError, RunError
from ..lang import types as ty
from ..lang.diagnostics.report import Reporter
from .data import Unusable, read, read_values
from .literals import Fields, Given, Group, Literal, Many
from .script import Call, Collected, Constant, Let, LoadFile, Script
from .values import convert

MAX_BYTES = 1_000_000_000


class Unfit(Exception):
    """Why a script has no value."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an entry gave, in Python's form, and its type."""

    value: Any
    type: ty.Type


@dataclass(frozen=True, slots=True)
class Parts:
    """A tuple, an array, or a record (then `names` are its fields) with results of entries in it."""

    items: tuple[Made, ...]
    names: tuple[str, ...] | None
    array: bool


Made = Literal | Result | Parts


@dataclass(frozen=True)
class Evaluator:
    """`call` runs an entry of the program; files are found relative to `folder`."""

    entries: Mapping[str, Definition]
    loaded: Mapping[str, Any]
    folder: Path

    def arguments(self, script: Script, count: int) -> list[Made]:
        """The values that a script makes: those of a tuple where `count`, the number wanted, is not 1."""
        made = self.value(script, {})
        if count != 1:
            parts = tuple_items(made)
            if parts is not None:
                return parts
        return [made]

    def value(self, script: Script, names: Mapping[str, Made]) -> Made:
        match script:
            case Constant(value):
                return value
            case LoadFile():
                return self.load(script)
            case Collected(items, fields, array):
                return collected(tuple(self.value(item, names) for item in items), fields, array, script)
            case Let(bound, single, value, body):
                made = self.value(value, names)
                parts = [made] if single else tuple_items(made)
                if parts is None or len(parts) != len(bound):
                    raise Unfit(f"`let ({', '.join(bound)})` takes a tuple of {len(bound)}")
                return self.value(body, {**names, **dict(zip(bound, parts, strict=True))})
            case Call(name, (), _) if name in names:
                return names[name]
            case Call(name, arguments):
                return self.call(name, [self.value(a, names) for a in arguments])

    def call(self, name: str, arguments: list[Made]) -> Made:
        definition = self.entries.get(name)
        if definition is None:
            raise Unfit(f"the script uses `{name}`, which is no entry of the program")
        expected = len(definition.param_types)
        if len(arguments) != expected:
            raise Unfit(f"the script gives `{name}` {len(arguments)} values, it takes {expected}")
        given = [fitted(a, t, f"`{p}` of `{name}`") for a, t, p in
                 zip(arguments, definition.param_types, definition.param_names, strict=True)]
        try:
            return Result(self.loaded[name](*given), definition.result_type)
        except (RunError, DadArgumentError) as error:
            raise Unfit(f"`{name}`, called by the script: {error}") from None

    def found(self, path: str) -> Path:
        """The file; a program that was `x.fut` is found under its new name."""
        file = self.folder / path
        renamed = file.with_suffix(".dad") if file.suffix == ".fut" else file
        return file if file.exists() else renamed

    def load(self, script: LoadFile) -> Made:
        if script.kind == "loadbytes":
            try:
                return Given(np.frombuffer(read(self.found(script.path)), np.uint8), script.span)
            except (OSError, ValueError, Unusable) as error:
                raise Unfit(f"cannot read `{script.path}`: {getattr(error, 'strerror', None) or error}") from None
        report = Reporter()
        found = read_values(script.path, self.folder, script.span, report)
        if found is None:
            raise Unfit(report.diagnostics[0].message)
        return found[0] if len(found) == 1 else Group(tuple(found), script.span)


def tuple_items(made: Made) -> list[Made] | None:
    """The items of a tuple; None for anything else."""
    match made:
        case Group(items):
            return list(items)
        case Parts(items, None, False):
            return list(items)
        case Result(value, ty.Tuple(types)):
            return [Result(v, t) for v, t in zip(value, types, strict=True)]
    return None


def collected(items: tuple[Made, ...], names: tuple[str, ...] | None, array: bool, script: Collected) -> Made:
    """Literals side by side are a literal."""
    literals = tuple(item for item in items if not isinstance(item, Result | Parts))
    if len(literals) < len(items):
        return Parts(items, names, array)
    if names is not None:
        return Fields(tuple(zip(names, literals, strict=True)), script.span)
    return Many(literals, script.span) if array else Group(literals, script.span)


def fitted(made: Made, wanted: ty.Type, what: str) -> Any:
    """A value as an argument of type `wanted`."""
    match made, wanted:
        case Result(value, found), _:
            if not same_form(found, wanted):
                raise Unfit(f"{what} must be of type {ty.show(wanted)}, the script gives {ty.show(found)}")
            return value
        case Parts(items, None, False), ty.Tuple(types) if len(items) == len(types):
            return tuple(fitted(item, t, what) for item, t in zip(items, types, strict=True))
        case Parts(items, names, False), ty.Record(fields) if names is not None:
            if sorted(names) != sorted(f for f, _ in fields):
                raise Unfit(f"{what} must be of type {ty.show(wanted)}")
            by_name = dict(fields)
            return {n: fitted(item, by_name[n], what) for n, item in zip(names, items, strict=True)}
        case Parts(items, _, True), ty.Array(_, element):
            rows = [fitted(item, element, what) for item in items]
            try:
                return np.array(rows)
            except ValueError:
                raise Unfit(f"{what}: the rows have different shapes") from None
        case Parts(), _:
            raise Unfit(f"{what} must be of type {ty.show(wanted)}")
    assert not isinstance(made, Result | Parts)
    report = Reporter()
    value = convert(made, wanted, report, what)
    if report.failed:
        first = report.diagnostics[0]
        label = next((each.text for each in first.labels if each.primary and each.text), "")
        raise Unfit(f"{first.code}: {first.message}" + (f": {label}" if label else ""))
    return value


def same_form(found: ty.Type, wanted: ty.Type) -> bool:
    """Whether two types agree but for sizes."""
    match found, wanted:
        case ty.Array(_, a), ty.Array(_, b):
            return same_form(a, b)
        case ty.Tuple(a), ty.Tuple(b):
            return len(a) == len(b) and all(map(same_form, a, b))
        case ty.Record(a), ty.Record(b):
            return [f for f, _ in a] == [f for f, _ in b] and all(same_form(x, y) for (_, x), (_, y) in
                                                                 zip(a, b, strict=True))
        case ty.Sum(), ty.Sum():
            return ty.show(found) == ty.show(wanted)
    return found == wanted
