"""Arguments for a function of IR whose parameters a header in Dad describes: scalars, arrays, records of scalars."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Leaf:
    """One parameter of the IR function: the root's name, sizes of its axes, bounds; `active` if it may move."""

    name: str
    shape: tuple[str, ...]
    dtype: str
    active: bool
    lo: float = -float("inf")
    hi: float = float("inf")
    open: bool = False

    def draw(self, rng: Random, sizes: Mapping[str, int], simple: bool = False) -> Any:
        shape = tuple(size(text, sizes) for text in self.shape)
        out = np.empty(shape, object)
        for at in np.ndindex(shape):
            out[at] = self.number(rng, simple)
        if self.dtype == "f64":
            return out.astype(np.float64)[()]
        return out.astype(np.bool_ if self.dtype == "bool" else np.int64)[()]

    def number(self, rng: Random, simple: bool) -> Any:
        if self.dtype == "bool":
            return rng.random() < 0.5
        if self.dtype != "f64":
            return rng.randrange(3)
        for _ in range(1000):
            x = rng.choice(SIMPLE) if simple else rng.choice((1.0, 3.0)) * rng.gauss(0, 1)
            if self.fits(x):
                return x
            if self.hi < float("inf"):
                x = rng.uniform(self.lo, self.hi)
            elif self.lo > -float("inf"):
                x = self.lo + (abs(x) or 0.5)
            if self.fits(x) and not simple:
                return x
        raise ValueError(f"no number fits {self}")

    def fits(self, x: float) -> bool:
        return self.lo < x < self.hi if self.open else self.lo <= x <= self.hi


SIMPLE = (0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, 0.25, 1.5)


def size(text: str, sizes: Mapping[str, int]) -> int:
    return sum(sizes[part] if part in sizes else int(part) for part in re.split(r"\s*\+\s*", text))


def leaves(text: str, name: str) -> list[Leaf]:
    """The parameters of the definition `name` in a text, in the order of the IR's."""
    match = re.search(rf"^(?:def|entry) {name}\b(.*?)\) *:", text, re.DOTALL | re.MULTILINE)
    assert match is not None, name
    found: list[Leaf] = []
    for parameter, kind, type in re.findall(r"\((\w+): (data |param )?((?:[^(){}]|\{[^{}]*\})*)", match[1] + ")"):
        if type.startswith("{"):
            fields = [field.split(": ") for field in type.strip("{}").split(", ")]
            found += [leaf(f"{parameter}.{field}", kind, inner) for field, inner in sorted(fields)]
        else:
            found.append(leaf(parameter, kind, type))
    return found


def leaf(name: str, kind: str, type: str) -> Leaf:
    match = re.fullmatch(r"((?:\[[^\]]*\])*)(\w+)(?:\{(.*)\})?", type.strip())
    assert match is not None, type
    shape = tuple(re.findall(r"\[([^\]]*)\]", match[1]))
    active = kind != "data " and match[2] == "f64"
    lo, hi, open = -float("inf"), float("inf"), False
    if match[3]:
        if ".." in match[3]:
            lo, hi = (float(x) for x in match[3].split(".."))
        else:
            lo, open = float(match[3].strip(">= ")), "=" not in match[3]
    return Leaf(name, shape, match[2], active, lo, hi, open)
