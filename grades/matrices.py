"""Linear algebra on numbers of any kind, jets included: textbook algorithms for small matrices."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import jets
from .jets import Number

Matrix = Any  # object array of rank 2


def matmul(a: Matrix, b: Matrix) -> Matrix:
    zero = _zero(a, b)
    out = np.full((a.shape[0], b.shape[1]), zero, object)
    for i, j in np.ndindex(out.shape):
        total = zero
        for k in range(a.shape[1]):
            total = total + a[i, k] * b[k, j]
        out[i, j] = total
    return out


def _zero(*matrices: Matrix) -> Number:
    for m in matrices:
        for x in m.flat:
            return jets.leaf(x) * 0
    return 0.0


def triangle(a: Matrix, part: str) -> Matrix:
    inside = np.triu if part.endswith("upper") else np.tril
    kept = inside(np.ones(a.shape, bool), {"strict_upper": 1, "strict_lower": -1}.get(part, 0))
    zero = _zero(a)
    out = np.array(np.where(kept, a, zero), object)
    if part == "lower_half":
        for k in range(len(a)):
            out[k, k] = jets.divided(a[k, k], jets.whole(zero, 2))
    return out


def eliminated(a: Matrix) -> tuple[Matrix, list[int], int]:
    """L below the diagonal and U, the order of the rows, and the sign of that order; pivots are the largest."""
    a = np.array(a, object)
    n = len(a)
    order, sign = list(range(n)), 1
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(jets.leaf(a[i, k])))
        if pivot != k:
            a[[k, pivot]] = a[[pivot, k]]
            order[k], order[pivot] = order[pivot], order[k]
            sign = -sign
        for i in range(k + 1, n):
            a[i, k] = jets.divided(a[i, k], a[k, k])
            for j in range(k + 1, n):
                a[i, j] = a[i, j] - a[i, k] * a[k, j]
    return a, order, sign


def solve_triangular(l: Matrix, rhs: Matrix, upper: bool) -> Matrix:
    out = np.array(rhs, object)
    n = len(l)
    for i in reversed(range(n)) if upper else range(n):
        for c in range(rhs.shape[1]):
            total = out[i, c]
            for j in range(i + 1, n) if upper else range(i):
                total = total - l[i, j] * out[j, c]
            out[i, c] = jets.divided(total, l[i, i])
    return out


def solve(a: Matrix, rhs: Matrix) -> Matrix:
    both, order, _ = eliminated(a)
    out = np.array(rhs, object)[order]
    n = len(a)
    for i in range(n):
        for j in range(i):
            for c in range(out.shape[1]):
                out[i, c] = out[i, c] - both[i, j] * out[j, c]
    return solve_triangular(both, out, True)


def identity(a: Matrix) -> Matrix:
    zero = _zero(a)
    out = np.full(a.shape, zero, object)
    for k in range(len(a)):
        out[k, k] = zero + 1
    return out


def inverse(a: Matrix) -> Matrix:
    return solve(a, identity(a))


def lu(a: Matrix) -> Matrix:
    both, order, _ = eliminated(a)
    places = np.full(a.shape, _zero(a), object)
    for k, row in enumerate(order):
        places[k, row] = places[k, row] + 1
    return np.concatenate([both, places])


def det(a: Matrix) -> Number:
    both, _, sign = eliminated(a)
    total: Number = _zero(a) + sign
    for k in range(len(a)):
        total = total * both[k, k]
    return total


def log_det(a: Matrix) -> Number:
    return jets.apply("log", (jets.magnitude(det(a)),))


def det_sign(a: Matrix) -> Number:
    value = det(a)
    return jets.whole(value, jets.sign(value))


def cofactors(a: Matrix) -> Matrix:
    out = np.empty(a.shape, object)
    for i, j in np.ndindex(a.shape):
        out[i, j] = det(np.delete(np.delete(a, i, 0), j, 1)) * (-1) ** (i + j)
    return out


def cholesky(a: Matrix) -> Matrix:
    zero = _zero(a)
    n = len(a)
    out = np.full(a.shape, zero, object)
    half = jets.divided(jets.whole(zero, 1), jets.whole(zero, 2))
    for i in range(n):
        for j in range(i + 1):
            total = (a[i, j] + a[j, i]) * half
            for k in range(j):
                total = total - out[i, k] * out[j, k]
            out[i, j] = jets.apply("sqrt", (total,)) if i == j else jets.divided(total, out[j, j])
    return out


def orthogonal(a: Matrix) -> Matrix:
    q = np.array(a, object)
    for k in range(q.shape[1]):
        for j in range(k):
            inner: Number = _zero(a)
            for i in range(len(q)):
                inner = inner + q[i, j] * q[i, k]
            for i in range(len(q)):
                q[i, k] = q[i, k] - inner * q[i, j]
        square: Number = _zero(a)
        for i in range(len(q)):
            square = square + q[i, k] * q[i, k]
        length = jets.apply("sqrt", (square,))
        for i in range(len(q)):
            q[i, k] = jets.divided(q[i, k], length)
    return q


RULES: dict[str, Callable[..., Any]] = {
    "matmul": matmul, "triangle": triangle, "solve_triangular": solve_triangular, "solve": solve, "inverse": inverse,
    "lu": lu, "det": det, "log_det": log_det, "det_sign": det_sign, "cofactors": cofactors, "cholesky": cholesky,
    "orthogonal": orthogonal, "failed_pivot": lambda a, result, kind: -1,
}  # fmt: skip
