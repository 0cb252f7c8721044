"""What the three demos share: loading a program and saying what was checked, records as vectors, a test of gradients.

An optimiser wants one vector; a Dad program takes records. `Layout` goes between the two, both ways.
"""
from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import dad
import numpy as np
import numpy.typing as npt
from dad.commands.output import signature

Array = npt.NDArray[np.float64]
HERE = Path(__file__).resolve().parent
PICTURES = HERE.parent / "build"


def columns(name: str) -> dict[str, Array]:
    """The columns of examples/data/NAME.csv by their headings."""
    with (HERE / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    return dict(zip(heading, np.array(rows, dtype=np.float64).T.copy(), strict=True))


def say(label: str, text: str) -> None:
    """One line of a demo's account: what, and the figures."""
    print(f"  {label:<12}{text}")


def load(name: str) -> Any:
    """Loads examples/NAME.dad and says which entries it has, with the types that were checked, and what that took.

    The environment's DAD_TARGET is what it runs on, where it says something.
    """
    start = perf_counter()
    module = dad.load(HERE / f"{name}.dad", target=os.environ.get("DAD_TARGET") or None)
    took = perf_counter() - start
    for number, entry in enumerate(module.entries.values()):
        say("checked" if number == 0 else "", signature(entry.definition))
    say("compiled", f"in {milliseconds(took)}")
    return module


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def picture(figure: Any, name: str) -> None:
    """Writes the figure to build/NAME.png."""
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    figure.savefig(path, dpi=150)
    say("picture", str(path.relative_to(HERE.parent)))


def field(record: Any, name: str) -> Any:
    """A field of a record as it goes in (a dict) or as it comes out (a named tuple)."""
    return record[name] if isinstance(record, Mapping) else getattr(record, name)


class Layout:
    """Where each field of a record lies in one vector, learned from an example of the record.

    >>> layout = Layout({"a": np.zeros(2), "b": {"c": 1.0}})
    >>> layout.flatten({"a": np.array([1.0, 2.0]), "b": {"c": 3.0}})
    array([1., 2., 3.])
    >>> layout.unflatten(np.array([1.0, 2.0, 3.0]))["b"]["c"]
    3.0
    """

    def __init__(self, example: Mapping[str, Any]) -> None:
        self.fields: dict[str, Layout | tuple[int, ...]] = {
            name: Layout(value) if isinstance(value, Mapping) else np.shape(value) for name, value in example.items()}
        self.size: int = sum(inner.size if isinstance(inner, Layout) else int(np.prod(inner, dtype=np.int64))
                             for inner in self.fields.values())

    def flatten(self, record: Any) -> Array:
        """The record's numbers, [size]; dicts and named tuples alike."""
        pieces = [inner.flatten(field(record, name)) if isinstance(inner, Layout)
                  else np.asarray(field(record, name), dtype=np.float64).reshape(-1)
                  for name, inner in self.fields.items()]
        return np.concatenate(pieces)

    def unflatten(self, vector: Array) -> dict[str, Any]:
        """The record, as dicts of arrays and floats, from a vector [size]."""
        record: dict[str, Any] = {}
        at = 0
        for name, inner in self.fields.items():
            if isinstance(inner, Layout):
                record[name] = inner.unflatten(vector[at:at + inner.size])
                at += inner.size
            else:
                count = int(np.prod(inner, dtype=np.int64))
                record[name] = vector[at:at + count].reshape(inner) if inner else float(vector[at])
                at += count
        return record


def check_gradient(value_and_gradient: Callable[[Array], tuple[float, Array]], at: Array) -> None:
    """Compares a gradient with central differences and says how far they are apart, relative to its largest entry.

    Also says what the first call cost, which compiles the gradient, and what those cost that follow, in the middle.
    """
    start = perf_counter()
    _, gradient = value_and_gradient(at)
    first = perf_counter() - start
    times = []
    for _ in range(2 * at.size):
        start = perf_counter()
        value_and_gradient(at)
        times.append(perf_counter() - start)
    later = sorted(times)[at.size]
    differences = np.empty_like(at)
    for index in range(at.size):
        step = np.zeros_like(at)
        step[index] = 6e-6 * max(1.0, abs(float(at[index])))
        above, below = value_and_gradient(at + step)[0], value_and_gradient(at - step)[0]
        differences[index] = (above - below) / (2 * step[index])
    error = float(np.max(np.abs(gradient - differences)) / np.max(np.abs(differences)))
    say("gradient", f"{at.size} numbers; {error:.1e} from central differences, relative to the largest; "
                    f"first call {milliseconds(first)}, then {milliseconds(later)}")
    if not error < 1e-6:
        raise SystemExit(f"the gradient is not that of the function: relative error {error:.1e}")
