"""Linear algebra in 50 digits, for `exact`: what the primitives mean, by mpmath's matrices and textbook algorithms."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from dad.codegen.interp import Value
from dad.tests.programs.exact import NAN, ONE, ZERO, mp

CLUSTER = mp.mpf("1e-30")
"""Eigenvalues that differ by less, relative to the greatest, are equal."""


def of_matrices(function: Callable[..., Any]) -> Callable[..., Value]:
    """A rule from one on mpmath's matrices; what it gives is a matrix or a number, not a number where it fails."""

    def evaluate(*args: Any, **attrs: Any) -> Value:
        try:
            result = function(*(mp.matrix(a.tolist()) if a.size else mp.matrix(*a.shape) for a in args), **attrs)
        except (ZeroDivisionError, ValueError):
            result = mp.matrix(args[-1].shape[0], args[-1].shape[1]) * NAN
        return array(result) if isinstance(result, mp.matrix) else result

    return evaluate


def array(matrix: Any) -> Any:
    out = np.empty((matrix.rows, matrix.cols), object)
    for at in np.ndindex(out.shape):
        out[at] = matrix[at]
    return out


def solve_triangular(l: Any, rhs: Any, upper: bool) -> Any:
    out = rhs.copy()
    for i in reversed(range(l.rows)) if upper else range(l.rows):
        for k in range(rhs.cols):
            done = range(i + 1, l.rows) if upper else range(i)
            out[i, k] = (out[i, k] - sum((l[i, j] * out[j, k] for j in done), ZERO)) / l[i, i]
    return out


def solve(a: Any, rhs: Any) -> Any:
    order, lower, upper = mp.lu(a)
    return solve_triangular(upper, solve_triangular(lower, order * rhs, False), True)


def lu(a: Any) -> Any:
    """L below its diagonal of ones, U, and under both the permutation."""
    n = a.rows
    order, lower, upper = mp.lu(a)
    out = mp.matrix(2 * n, n)
    for i, j in np.ndindex(n, n):
        out[i, j] = upper[i, j] if j >= i else lower[i, j]
        out[n + i, j] = order[i, j]
    return out


def determinant(a: Any) -> Any:
    return mp.det(a) if a.rows else ONE


def minor(a: Any, i: int, j: int) -> Any:
    out = mp.matrix(a.rows - 1, a.rows - 1)
    for r, c in np.ndindex(a.rows - 1, a.rows - 1):
        out[r, c] = a[r + (r >= i), c + (c >= j)]
    return out


def cofactors(a: Any) -> Any:
    out = mp.matrix(a.rows, a.rows)
    for i, j in np.ndindex(a.rows, a.rows):
        out[i, j] = (-1) ** (i + j) * determinant(minor(a, i, j))
    return out


def cofactors_along(a: Any, d: Any) -> Any:
    """How cofactors change when the matrix changes by `d`."""
    out = mp.matrix(a.rows, a.rows)
    for i, j in np.ndindex(a.rows, a.rows):
        change = minor(d, i, j)
        slopes = cofactors(minor(a, i, j))
        places = np.ndindex(change.rows, change.rows)
        out[i, j] = (-1) ** (i + j) * sum((slopes[at] * change[at] for at in places), ZERO)
    return out


def orthogonal(a: Any) -> Any:
    q = a.copy()
    for k in range(a.cols):
        for j in range(k):
            part = mp.fdot(q[:, j], q[:, k])
            q[:, k] -= part * q[:, j]
        q[:, k] /= mp.sqrt(mp.fdot(q[:, k], q[:, k]))
    return q


def eigen(a: Any) -> Any:
    """Eigenvalues from the least, under each its vector, whose largest place is positive."""
    if not a.rows:
        return mp.matrix(1, 0)
    values, vectors = mp.eigsy((a + a.T) / 2)
    out = mp.matrix(a.rows + 1, a.rows)
    for k, at in enumerate(sorted(range(a.rows), key=lambda k: values[k])):
        column = [vectors[i, at] for i in range(a.rows)]
        sign = mp.sign(max(column, key=abs))
        out[0, k] = values[at]
        for i in range(a.rows):
            out[i + 1, k] = sign * column[i]
    return out


def eigen_toward(a: Any, d: Any) -> Any:
    """As `eigen`; vectors of equal eigenvalues are those that stay when the matrix moves along `d`."""
    out = eigen(a)
    n = a.rows
    block = out[1:, :].T * (d + d.T) * out[1:, :] / 2 if n else out
    slack = CLUSTER * max((abs(out[0, k]) for k in range(n)), default=ZERO)
    start = 0
    for end in range(1, n + 1):
        if end == n or out[0, end] - out[0, end - 1] > slack:
            if end > start + 1:
                out[1:, start:end] = out[1:, start:end] * eigen(block[start:end, start:end])[1:, :]
            start = end
    return out


def svd(a: Any) -> Any:
    """Singular values from the greatest, under each its left and its right vector; of the latter the largest place is
    positive.
    """
    n, m = a.rows, a.cols
    out = mp.matrix(1 + n + m, m)
    if not m:
        return out
    left, values, right = mp.svd_r(a)
    for k in range(m):
        sign = mp.sign(max((right[k, i] for i in range(m)), key=abs))
        column = [values[k], *(sign * left[i, k] for i in range(n)), *(sign * right[k, i] for i in range(m))]
        for i, x in enumerate(column):
            out[i, k] = x
    return out


RULES: dict[str, Callable[..., Value]] = {
    "matmul": of_matrices(operator.mul),
    "solve_triangular": of_matrices(solve_triangular),
    "solve": of_matrices(solve),
    "inverse": of_matrices(lambda a: solve(a, mp.eye(a.rows))),
    "lu": of_matrices(lu),
    "det": of_matrices(determinant),
    "det_sign": of_matrices(lambda a: mp.sign(determinant(a))),
    "log_det": of_matrices(lambda a: mp.log(abs(determinant(a)))),
    "cofactors": of_matrices(cofactors),
    "cofactors_along": of_matrices(cofactors_along),
    "cholesky": of_matrices(lambda a: mp.cholesky((a + a.T) / 2)),
    "orthogonal": of_matrices(orthogonal),
    "eigen": of_matrices(eigen),
    "eigen_toward": of_matrices(eigen_toward),
    "svd": of_matrices(svd),
    "failed_pivot": lambda a, result, kind: np.int64(-1),
}
