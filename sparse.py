"""Sparse Jacobians and Hessians of entries: a pattern, colours, one product for each colour, the entries read off.

Rows and columns count the floats of the result and of the parameters: parameters in order, fields by name, arrays row
by row. The pattern is found anew at each point (`codegen.sparsity`), so that no entry is ever left out.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .codegen.runtime.arguments import leaves_of
from .codegen.sparsity import column_colours, columns_of, dependence, entries, star_colours

if TYPE_CHECKING:
    from .modules import LiveEntry

FLOATS = ("f64", "f32", "f16")


def sparse_hessian(entry: LiveEntry, args: Sequence[Any], wrt: tuple[str, ...]) -> Any:
    """The Hessian of an entry with one float, as a CSR array of SciPy, or (data, indices, indptr) without SciPy."""
    product = entry.compiled_for("hvp", wrt)
    program, function = entry.pattern_program("value_and_grad", wrt)
    active = places(entry, wrt)
    _, *slopes = dependence(program, function, args, active)
    count = sum(np.size(args[k]) for k in active)
    meets = [set(row) for row in flat_rows(slopes, [np.size(args[k]) for k in active])]
    for i, row in enumerate(list(map(tuple, meets))):
        for j in row:
            meets[j].add(i)
    rows = [sorted(row) for row in meets]
    colours = star_colours(rows)

    def times(colour: int) -> Any:
        return flattened(entry.run(product, [*args, *directions(colours, colour, [args[k] for k in active])]))

    return compressed(rows, entries(rows, colours, times, symmetric=True), count)


def sparse_jacobian(entry: LiveEntry, args: Sequence[Any], wrt: tuple[str, ...]) -> Any:
    """The Jacobian of an entry, as a CSR array of SciPy, or (data, indices, indptr) without SciPy."""
    forward, backward = entry.compiled_for("jvp", wrt), entry.compiled_for("vjp", wrt)
    program, function = entry.pattern_program(None, wrt)
    active = places(entry, wrt)
    outputs = [k for k, (_, dtype, _) in enumerate(leaves_of(entry.result, "")) if dtype in FLOATS]
    results = entry.run(entry.function, args)
    shapes = [results[k] for k in outputs]
    found = dependence(program, function, args, active)
    rows = flat_rows([found[k] for k in outputs], [np.size(x) for x in shapes])
    count = sum(np.size(args[k]) for k in active)
    columns: list[list[int]] = [[] for _ in range(count)]
    for i, row in enumerate(rows):
        for j in row:
            columns[j].append(i)
    by_column, by_row = column_colours(rows, count), column_colours(columns, len(rows))
    points = [args[k] for k in active]

    def tangents(colour: int) -> Any:
        given = directions(by_column, colour, points)
        return flattened(entry.run(forward, [*args, *given])[len(results):])

    def cotangents(colour: int) -> Any:
        given = directions(by_row, colour, shapes)
        return flattened(entry.run(backward, [*args, *given])[len(results):])

    if max(by_column, default=0) <= max(by_row, default=0):
        return compressed(rows, entries(rows, by_column, tangents, symmetric=False), count)
    read = iter(entries(columns, by_row, cotangents, symmetric=False))
    values = {(i, j): next(read) for j, column in enumerate(columns) for i in column}
    return compressed(rows, [values[i, j] for i, row in enumerate(rows) for j in row], count)


def places(entry: LiveEntry, wrt: tuple[str, ...]) -> list[int]:
    """The numbers of the leaves that hold the floats of the parameters `wrt`."""
    leaves = [(name, dtype) for name, _, spec in entry.params for _, dtype, _ in leaves_of(spec, name)]
    return [k for k, (name, dtype) in enumerate(leaves) if name in wrt and dtype in FLOATS]


def flat_rows(sets: Sequence[Any], sizes: Sequence[int]) -> list[list[int]]:
    rows: list[list[int]] = []
    for each, size in zip(sets, sizes, strict=True):
        rows += [[]] * size if each is None else [columns_of(int(s)) for s in np.asarray(each, object).flat]
    return rows


def directions(colours: Sequence[int], colour: int, like: Sequence[Any]) -> list[Any]:
    """1 at the floats of a colour, in arrays like these."""
    whole = np.asarray(colours) == colour
    made, start = [], 0
    for x in like:
        part = whole[start:start + np.size(x)].reshape(np.shape(x)).astype(np.asarray(x).dtype)
        made.append(part if part.ndim else part[()])
        start += np.size(x)
    return made


def flattened(parts: Sequence[Any]) -> Any:
    return np.concatenate([np.ravel(p) for p in parts]) if parts else np.zeros(0)


def compressed(rows: Sequence[Sequence[int]], data: Sequence[Any], count: int) -> Any:
    values = np.array(data) if data else np.zeros(0)
    indices = np.array([j for row in rows for j in row], np.int64)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    try:
        csr: Callable[..., Any] = importlib.import_module("scipy.sparse").csr_array
    except ImportError:
        return values, indices, indptr
    return csr((values, indices, indptr), shape=(len(rows), count))
