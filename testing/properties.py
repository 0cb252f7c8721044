"""Properties: entries of one parameter that must give true for whatever they are given (`property: names`).

Values are drawn from small to large, always the same ones; what makes the property false is reported. The attribute
`#[prop(gen(f), shrink(g), size(N))]` names entries that make values (`f size seed`) and smaller ones (`g value k`), and
the largest size.
"""
from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checker.result import Definition
from ..codegen.runtime.errors import DadArgumentError, RunError
from ..lang import types as ty
from .values import DTYPES, natural, show_value

ROUNDS = 100
SHRINKS = 200
SIZE = 50
OPTION = re.compile(r"(gen|shrink|size)\s*\(\s*([\w']+)\s*\)")


@dataclass(frozen=True)
class Property:
    """An entry with what its attribute says."""

    definition: Definition
    generator: str | None
    shrinker: str | None
    size: int

    @staticmethod
    def of(definition: Definition) -> Property:
        texts = [a.text for a in definition.node.attributes if a.text.split("(", 1)[0].strip() == "prop"]
        options = {key: value for text in texts for key, value in OPTION.findall(text)}
        size = options.get("size", "")
        return Property(definition, options.get("gen"), options.get("shrink"), int(size) if size.isdigit() else SIZE)


def properties(given: Property, entries: Mapping[str, Definition], run: Mapping[str, Any]) -> str | None:
    """Why the property does not hold, or None. `run` calls the entries that `entries` describes."""
    definition = given.definition
    if len(definition.param_types) != 1 or definition.result_type != ty.BOOL:
        return f"a property takes one value and gives a bool; `{definition.name}` does not"
    for name in (given.generator, given.shrinker):
        if name is not None and name not in entries:
            return f"the property names `{name}`, which is no entry of the program"
    wanted = definition.param_types[0]
    try:
        for k in range(ROUNDS):
            size = 1 + (given.size - 1) * k // (ROUNDS - 1)
            seed = zlib.crc32(f"{definition.name} {k}".encode())
            if given.generator is None:
                value = Drawn(np.random.default_rng(seed), size).value(wanted)
            else:
                value = run[given.generator](size, seed % 2**31)
            if not run[definition.name](value):
                value = smaller(given, value, run)
                shown = show_value(natural(value, wanted), limit=20)
                return f"false for {shown}"
    except Undrawn as problem:
        return str(problem)
    except (RunError, DadArgumentError) as error:
        return str(error)
    return None


def smaller(given: Property, value: Any, run: Mapping[str, Any]) -> Any:
    """The smallest value found that makes the property false."""
    if given.shrinker is None:
        return value
    for k in range(SHRINKS):
        candidate = run[given.shrinker](value, k)
        if not run[given.definition.name](candidate):
            value = candidate
    return value


class Undrawn(Exception):
    """Why there is no random value of a type."""


class Drawn:
    """Random values; sizes of one name are one number."""

    def __init__(self, generator: np.random.Generator, size: int) -> None:
        self.generator = generator
        self.size = size
        self.sizes: dict[str, int] = {}

    def value(self, t: ty.Type, shape: tuple[int, ...] = ()) -> Any:
        match t:
            case ty.Scalar(name):
                return self.scalars(name, shape)
            case ty.Array(size, element):
                return self.value(element, (*shape, self.length(str(size))))
            case ty.Tuple(items):
                return tuple(self.value(item, shape) for item in items)
            case ty.Record(fields):
                return {name: self.value(item, shape) for name, item in fields}
        raise Undrawn(f"no random values of type {ty.show(t)}: name an entry that makes them, `#[prop(gen(f))]`")

    def length(self, size: str) -> int:
        if size.isdigit():
            return int(size)
        if not size.isidentifier():
            raise Undrawn(f"no random array of size {size}: name an entry that makes it, `#[prop(gen(f))]`")
        return self.sizes.setdefault(size, int(self.generator.integers(0, self.size + 1)))

    def scalars(self, name: str, shape: tuple[int, ...]) -> Any:
        """Floats and integers are small more often than not, where most mistakes are."""
        dtype = np.dtype(DTYPES[name])
        drawn: Any
        if name == "bool":
            drawn = self.generator.integers(0, 2, shape)
        elif name in ty.FLOATS:
            drawn = self.generator.normal(0.0, self.size, shape)
        else:
            info = np.iinfo(dtype)
            low, high = max(int(info.min), -self.size), min(int(info.max), self.size)
            drawn = self.generator.integers(low, high + 1, shape)
        array = np.asarray(drawn).astype(dtype)
        return array if shape else array[()]
