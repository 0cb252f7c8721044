"""Linear algebra by LAPACK, as NumPy has it; the last two axes are a matrix, axes in front are lanes and broadcast.

A matrix without a factor or an inverse gives nan, and its neighbours on the stack what they should.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def each_matrix(function: Callable[..., Any], instead: Callable[..., Any], *stacks: Any) -> Any:
    """`function` on stacks of matrices; where LAPACK finds one that is singular, one by one, with `instead` for it.

    LAPACK has no half precision: such matrices are computed with in single precision.
    """
    if stacks[0].dtype == np.float16:
        return each_matrix(function, instead, *(s.astype(np.float32) for s in stacks)).astype(np.float16)
    try:
        return function(*stacks)
    except np.linalg.LinAlgError:
        pass
    lead = np.broadcast_shapes(*(s.shape[:-2] for s in stacks))
    whole = [np.broadcast_to(s, lead + s.shape[-2:]) for s in stacks]
    results = []
    for at in np.ndindex(*lead):
        given = [s[at] for s in whole]
        try:
            results.append(function(*given))
        except np.linalg.LinAlgError:
            results.append(instead(*given))
    return np.array(results).reshape(lead + results[0].shape)


def triangle(x: Any, part: str) -> Any:
    """x with zeros outside of a triangle."""
    if part == "lower_half":
        x = np.tril(x)
        places = np.arange(x.shape[-1])
        x[..., places, places] *= 0.5
        return x
    cut = {"lower": 0, "strict_lower": -1, "upper": 0, "strict_upper": 1}[part]
    return np.tril(x, cut) if part.endswith("lower") else np.triu(x, cut)


def solve(a: Any, rhs: Any) -> Any:
    """X with A X = B; nan where A is singular."""
    return each_matrix(np.linalg.solve, lambda _, b: np.full_like(b, np.nan), a, rhs)


def solve_triangular(l: Any, rhs: Any, upper: bool) -> Any:
    """X with L X = B for a triangular L; nan where a number on the diagonal is zero."""
    singular = (np.diagonal(l, axis1=-2, axis2=-1) == 0).any(axis=-1)
    found = _by_halves(l, rhs, upper)
    return np.where(singular[..., None, None], np.nan, found).astype(rhs.dtype) if singular.any() else found


def _by_halves(l: Any, rhs: Any, upper: bool) -> Any:
    """Small triangles by elimination, large ones from two halves: products do the work."""
    n = l.shape[-1]
    if n <= 48:
        return solve(np.triu(l) if upper else np.tril(l), rhs)
    half = n // 2
    low, high = l[..., :half, :half], l[..., half:, half:]
    if upper:
        below = _by_halves(high, rhs[..., half:, :], upper)
        above = _by_halves(low, rhs[..., :half, :] - np.matmul(l[..., :half, half:], below), upper)
    else:
        above = _by_halves(low, rhs[..., :half, :], upper)
        below = _by_halves(high, rhs[..., half:, :] - np.matmul(l[..., half:, :half], above), upper)
    return np.concatenate([above, below], axis=-2)


def inverse(a: Any) -> Any:
    return each_matrix(np.linalg.inv, lambda b: np.full_like(b, np.nan), a)


def log_det(a: Any) -> Any:
    """log |det A|"""
    return np.linalg.slogdet(single(a))[1].astype(a.dtype)[()]


def det(a: Any) -> Any:
    return np.linalg.det(single(a)).astype(a.dtype)[()]


def single(a: Any) -> Any:
    """The matrix, in single precision where it is in half."""
    return a.astype(np.float32) if a.dtype == np.float16 else a


def cofactors(a: Any) -> Any:
    """det A · A⁻ᵀ, from singular values, so that A may be singular."""
    if a.size == 0 or not np.all(np.isfinite(a)):
        return np.full_like(a, np.nan)
    left, values, right = np.linalg.svd(single(a))
    before = np.ones_like(values)
    before[..., 1:] = np.cumprod(values[..., :-1], axis=-1)
    after = np.ones_like(values)
    after[..., :-1] = np.cumprod(values[..., :0:-1], axis=-1)[..., ::-1]
    sign = np.linalg.det(left) * np.linalg.det(right)
    return (sign[..., None, None] * np.matmul(left * (before * after)[..., None, :], right)).astype(a.dtype)


def cholesky(a: Any) -> Any:
    """The lower factor of (A + Aᵀ) / 2; nan from the first pivot on that is not positive."""
    return each_matrix(np.linalg.cholesky, _cholesky_until, (a + np.swapaxes(a, -1, -2)) / 2)


def _cholesky_until(a: Any) -> Any:
    out = np.tril(np.full_like(a, np.nan))
    for j in range(len(a)):
        pivot = a[j, j] - out[j, :j] @ out[j, :j]
        if not pivot > 0:
            break
        out[j, j] = np.sqrt(pivot)
        out[j + 1 :, j] = (a[j + 1 :, j] - out[j + 1 :, :j] @ out[j, :j]) / out[j, j]
    else:
        return out
    out[j:, j:] = np.tril(np.full_like(out[j:, j:], np.nan))
    return out


def orthogonal(a: Any) -> Any:
    """Q of A = Q R with a positive diagonal of R."""
    q, r = np.linalg.qr(single(a))
    return (q * np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1, 1)[..., None, :]).astype(a.dtype)


def eigen(a: Any) -> Any:
    """Eigenvalues of (A + Aᵀ) / 2 as the first row; the columns below are eigenvectors, largest component positive."""

    def nothing(b: Any) -> Any:
        return np.full((b.shape[0] + 1, b.shape[1]), np.nan, b.dtype)

    return each_matrix(_eigen, nothing, (a + np.swapaxes(a, -1, -2)) / 2)


def _eigen(a: Any) -> Any:
    values, vectors = np.linalg.eigh(a)
    if a.shape[-1]:
        largest = np.argmax(np.abs(vectors), axis=-2)[..., None, :]
        vectors = vectors * np.where(np.take_along_axis(vectors, largest, -2) < 0, -1, 1).astype(a.dtype)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def failed_pivot(a: Any, result: Any, kind: str) -> Any:
    """The number of the pivot that is zero, or not positive, or -1; only a result that is not finite is looked into."""
    zero = (np.diagonal(a, axis1=-2, axis2=-1) == 0).any() if kind == "triangular" else False
    lead = np.broadcast_shapes(a.shape[:-2], result.shape[:-2])
    if not zero and not np.isnan(result).any():
        return np.full(lead, -1)[()]
    a, result = np.broadcast_to(a, lead + a.shape[-2:]), np.broadcast_to(result, lead + result.shape[-2:])
    found = [_failed(a[at], result[at], kind) for at in np.ndindex(*lead)]
    return np.array(found, np.int64).reshape(lead)[()]


def _failed(a: Any, result: Any, kind: str) -> int:
    if not np.isfinite(a).all():
        return -1
    if kind == "general":
        return _zero_pivot(a) if np.isnan(result).any() else -1
    bad = np.isnan(np.diagonal(result)) if kind == "cholesky" else np.diagonal(a) == 0
    return int(np.argmax(bad)) if bad.any() else -1


def _zero_pivot(a: Any) -> int:
    """Where elimination with pivoting by rows meets a zero."""
    a = np.array(a)
    for k in range(len(a)):
        at = k + int(np.argmax(np.abs(a[k:, k])))
        if a[at, k] == 0:
            return k
        a[[k, at]] = a[[at, k]]
        a[k + 1 :, k:] -= np.outer(a[k + 1 :, k] / a[k, k], a[k, k:])
    return -1
