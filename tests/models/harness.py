"""What every derivative of an entry must satisfy, whatever the program computes.

`check` compares the forward derivative along a random direction with central differences, the reverse one with the
forward one (⟨Jv, w⟩ = ⟨v, Jᵀw⟩), and a `vmap` over three slightly different points with three calls.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dad
import numpy as np

STEP = 1e-5
TARGET = "native"


def load(name: str) -> Any:
    """The module of a program in this folder, for the target of the test."""
    return dad.load(Path(__file__).with_name(f"{name}.dad"), target=TARGET)


def leaves(value: Any) -> Iterator[Any]:
    """The arrays and numbers in a value; fields of records by name, `gradient`s by parameter."""
    if value is None:
        return
    if hasattr(value, "_asdict") and type(value).__name__ != "gradient":
        value = value._asdict()
    if isinstance(value, dict):
        for name in sorted(value):
            yield from leaves(value[name])
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield np.asarray(value)


def floats(value: Any) -> list[Any]:
    return [x for x in leaves(value) if x.dtype.kind == "f"]


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """The value with `change` of its float arrays, and None for everything else."""
    if isinstance(value, dict):
        return {name: mapped(change, item) for name, item in value.items()}
    if hasattr(value, "_fields"):
        return type(value)(*[mapped(change, item) for item in value])
    if isinstance(value, tuple):
        return tuple(mapped(change, item) for item in value)
    array = np.asarray(value)
    return change(array) if array.dtype.kind == "f" else None


def moved(value: Any, direction: Any, distance: float) -> Any:
    if isinstance(value, dict):
        return {name: moved(item, direction[name], distance) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(moved(a, b, distance) for a, b in zip(value, direction, strict=True))
    return value if direction is None else np.asarray(value) + distance * direction


def check(entry: Any, *args: Any, tolerance: float = 1e-5, batched: bool = True) -> None:
    """All of the above for `entry` at `args`; `tolerance` is that of the differences, relative to the largest one."""
    random = np.random.default_rng(1)

    def noise(a: Any) -> Any:
        return random.standard_normal(a.shape)

    active = [entry.names.index(name) for name in entry.wrt]
    directions = [mapped(noise, args[k]) for k in active]

    def at(distance: float) -> list[Any]:
        point = list(args)
        for k, direction in zip(active, directions, strict=True):
            point[k] = moved(args[k], direction, distance)
        return floats(entry(*point))

    value, tangent = entry.jvp(args, directions[0] if len(directions) == 1 else tuple(directions))
    close(value, entry(*args), 1e-9)
    slopes = floats(tangent)
    for ahead, behind, slope in zip(at(STEP), at(-STEP), slopes, strict=True):
        difference = (ahead - behind) / (2 * STEP)
        scale = 1 + np.max(np.abs(difference), initial=0)
        np.testing.assert_allclose(slope / scale, difference / scale, rtol=0, atol=tolerance)
    cotangent = mapped(noise, value)
    _, pulled = entry.vjp(args, cotangent)
    ahead = sum(np.sum(c * s) for c, s in zip(floats(cotangent), slopes, strict=True))
    back = sum(np.sum(g * d) for g, d in zip(floats(pulled), floats(tuple(directions)), strict=True))
    np.testing.assert_allclose(back, ahead, rtol=1e-7, atol=1e-7 * (1 + abs(ahead)))
    if batched:
        check_vmap(entry, *args)


def check_vmap(entry: Any, *args: Any) -> None:
    """`entry.vmap` over three points is three calls."""
    points = [tuple(varied(a, 1 + 0.01 * k) for a in args) for k in range(3)]
    batch = entry.vmap(*[stacked([p[k] for p in points]) for k in range(len(args))])
    for k, point in enumerate(points):
        for found, expected in zip(leaves(batch), leaves(entry(*point)), strict=True):
            np.testing.assert_allclose(found[k], expected, rtol=1e-9, atol=1e-9)


def varied(value: Any, factor: float) -> Any:
    if isinstance(value, dict):
        return {name: varied(item, factor) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(varied(item, factor) for item in value)
    array = np.asarray(value)
    return array * factor if array.dtype.kind == "f" else array


def stacked(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, dict):
        return {name: stacked([v[name] for v in values]) for name in first}
    if isinstance(first, tuple):
        return tuple(stacked([v[k] for v in values]) for k in range(len(first)))
    return np.stack(values)


def close(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Equal structure and nearly equal numbers; shapes do not broadcast."""
    for a, b in zip(leaves(found), leaves(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
