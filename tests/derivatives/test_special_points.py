"""The table of derivatives at special points is the documentation's page; each row is tested in every way there is.

A row is a function of the variables that its second column gives values; the third column is its value, the fourth the
derivative in each. All rows are entries of one program, compiled once for each target and type.
"""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import dad
import numpy as np
import pytest
from dad.lang.core.primitive import PRIMITIVES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "special_points.md"
CELL = re.compile(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| `(.+?)` \| .+ \|$", re.MULTILINE)


class Row(NamedTuple):
    expression: str
    names: tuple[str, ...]
    point: tuple[Any, ...]
    value: float
    derivative: tuple[Any, ...]


NUMBERS = {"nan": math.nan, "inf": math.inf, "f64.pi": math.pi, "log 2": math.log(2), "log 5": math.log(5)}


def number(text: str) -> Any:
    """A number, sum or quotient as the page writes it, or an array of them."""
    text = text.strip()
    if text.startswith("["):
        return np.array([number(part) for part in split(text[1:-1])])
    for operator in (" + ", " / ", "/"):
        if operator in text:
            left, right = map(number, text.split(operator))
            return left + right if "+" in operator else left / right
    if text in NUMBERS:
        return NUMBERS[text]
    return -number(text[1:]) if text.startswith("-") else float(text)


def split(text: str) -> list[str]:
    """At the commas that stand in no bracket."""
    return re.findall(r"(?:[^,\[]|\[(?:[^\[\]]|\[[^\]]*\])*\])+", text)


@cache
def rows() -> list[Row]:
    found = []
    for expression, at, value, derivative in CELL.findall(PAGE.read_text(encoding="utf-8")):
        places = [part.split("=", 1) for part in split(at)]
        names = tuple(name.strip() for name, _ in places)
        found.append(Row(expression, names, tuple(number(v) for _, v in places), number(value),
                         tuple(number(d) for d in split(derivative))))
    return found


def type_of(value: Any, dtype: str) -> str:
    return "".join(f"[{n}]" for n in np.shape(value)) + dtype


def units(value: Any) -> list[str]:
    """All directions in which a value can move, as literals."""
    n = np.size(value)
    return [np.array2string(row.reshape(np.shape(value)), separator=", ") if np.ndim(value) else "1"
            for row in np.eye(n).astype(int).reshape(n, -1)]


def entries(k: int, row: Row, dtype: str, single: bool, many: bool) -> str:
    """Value, all gradients at once, each one by forward mode, and the four second derivatives along all ones."""
    expression = row.expression.replace("f64.", f"{dtype}.")
    types = [type_of(value, dtype) for value in row.point]
    params = " ".join(f"({name}: {type})" for name, type in zip(row.names, types, strict=True))
    call = f"f{k} " + " ".join(row.names)
    whole = ", ".join(row.names)
    pattern = f"({whole})" if len(row.names) > 1 else whole
    point = f"({whole})"
    g = f"(\\({pattern}: ({', '.join(types)})) -> {call})"
    forward = []
    for name, type, value in zip(row.names, types, row.point, strict=True):
        others = f"(\\({name}: {type}) -> {call})"
        forward += [f"jvp {others} {name} {unit}" for unit in units(value)]
    ones = ["1" if not np.ndim(v) else np.array2string(np.ones(np.shape(v), int), separator=", ") for v in row.point]
    along = f"({', '.join(ones)})"
    lines = [f"def f{k} {params} : {dtype} = {expression}",
             f"def d{k} (p: ({', '.join(types)})) : {dtype} = jvp {g} p {along}",
             f"def r{k} (p: ({', '.join(types)})) = grad {g} p"]
    lines.append(f"def all{k} {params} = ({call}, grad {g} {point}, [{', '.join(forward)}],\n"
                 f"  jvp r{k} {point} {along}, grad d{k} {point}, vjp r{k} {point} {along}, jvp d{k} {point} {along})")
    if single:
        lines.append(f"entry at{k} {params} = all{k} {' '.join(row.names)}")
    stacks = " ".join(f"({name}s: [m]{type})" for name, type in zip(row.names, types, strict=True))
    mapped = "map" + (str(len(row.names)) if len(row.names) > 1 else "")
    if many:
        lines.append(f"entry many{k} [m] {stacks} = {mapped} all{k} {' '.join(name + 's' for name in row.names)}")
    return "\n".join(lines)


@cache
def compiled(target: str, dtype: str, single: bool, many: bool) -> Any:
    return dad.compile("\n".join(entries(k, row, dtype, single, many) for k, row in enumerate(rows())), target=target)


def flat(value: Any) -> Any:
    if isinstance(value, tuple):
        return np.concatenate([flat(v) for v in value]) if value else np.zeros(0)
    return np.asarray(value, np.float64).ravel()


def check(found: Any, row: Row, tolerance: float) -> None:
    value, gradient, forward, *seconds = found
    wanted = flat(row.derivative)
    near: Any = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(float(value), row.value, **near)
    np.testing.assert_allclose(flat(gradient), wanted, err_msg="reverse", **near)
    np.testing.assert_allclose(flat(forward), wanted, err_msg="forward", **near)
    infinite = row[:3] == ("x ** y", ("x", "y"), (0.0, 1.0))  # the mixed second derivative there
    if np.isfinite(wanted).all() and np.isfinite(flat(row.point)).all() and not infinite:
        over, under, twice, along = map(flat, seconds)
        np.testing.assert_allclose(under, over, err_msg="reverse over forward", **near)
        np.testing.assert_allclose(twice, over, err_msg="reverse over reverse", **near)
        np.testing.assert_allclose(along.sum(), over.sum(), err_msg="forward over forward", **near)


@pytest.mark.parametrize(
    ("target", "dtype", "single", "many"),
    [("numpy", "f64", True, True), ("numpy", "f32", False, True), ("interp", "f64", True, False)],
)
def test_the_table(target: str, dtype: str, single: bool, many: bool) -> None:
    kind: type = np.float64 if dtype == "f64" else np.float32
    tolerance = 1e-14 if dtype == "f64" else 1e-6
    module = compiled(target, dtype, single, many)
    wrong = []
    for k, row in enumerate(rows()):
        point: list[Any] = [np.asarray(v, kind)[()] for v in row.point]
        beside: list[Any] = [np.asarray(np.where(np.isfinite(v), v, 0) + 0.25, kind) for v in row.point]
        try:
            if single:
                check(getattr(module, f"at{k}")(*point), row, tolerance)
            if many:
                stacks = [np.stack([a, b, a]) for a, b in zip(point, beside, strict=True)]
                lanes = getattr(module, f"many{k}")(*stacks)
                for lane in (0, 2):
                    check(lane_of(lanes, lane), row, tolerance)
        except AssertionError as problem:
            wrong.append(f"{row.expression} at {row.point}: {problem}")
    assert not wrong, "\n".join(wrong)


def lane_of(value: Any, lane: int) -> Any:
    return tuple(lane_of(v, lane) for v in value) if isinstance(value, tuple) else value[lane]


def test_every_special_point_of_a_primitive_is_a_row() -> None:
    """Where a record names points and is not smooth, the page has rows of it."""
    text = PAGE.read_text(encoding="utf-8")
    assert len(rows()) == len(re.findall(r"^\| `", text, re.MULTILINE))
    for p in PRIMITIVES.values():
        if p.signature and p.special and (p.domain or p.grade in ("lip", "cont", "jump", "flat")):
            assert re.search(rf"`[^`]*\b{p.name}\b", text), p.name
