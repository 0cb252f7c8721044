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


def svd_of_each(a: Any, full: bool) -> tuple[Any, Any, Any]:
    """LAPACK's factors, nan for those matrices of a stack that are not finite."""
    fine = np.isfinite(a).all(axis=(-2, -1))
    found = np.linalg.svd(single(np.where(fine[..., None, None], a, 0)), full_matrices=full)
    if fine.all():
        return found
    u, s, v = found
    return u, np.where(fine[..., None], s, np.nan).astype(s.dtype), v


def cofactors(a: Any) -> Any:
    """det A · A⁻ᵀ, from singular values, so that A may be singular."""
    left, values, right = svd_of_each(a, True)
    before = np.ones_like(values)
    before[..., 1:] = np.cumprod(values[..., :-1], axis=-1)
    after = np.ones_like(values)
    after[..., :-1] = np.cumprod(values[..., :0:-1], axis=-1)[..., ::-1]
    sign = np.linalg.det(left) * np.linalg.det(right)
    return (sign[..., None, None] * np.matmul(left * (before * after)[..., None, :], right)).astype(a.dtype)


def cofactors_along(a: Any, d: Any) -> Any:
    """The derivative of the cofactors of A along D: with A = U S Vᵀ, products of singular values but two."""
    lead = np.broadcast_shapes(a.shape[:-2], d.shape[:-2])
    if a.size == 0 or d.size == 0:
        return np.zeros(lead + a.shape[-2:], a.dtype)
    left, values, right = svd_of_each(a, True)
    n = values.shape[-1]
    others = np.zeros((*values.shape, n), values.dtype)
    for i in range(n):
        for j in range(i):
            both = np.prod(np.delete(values, (j, i), axis=-1), axis=-1)
            others[..., i, j] = others[..., j, i] = both
    across = np.swapaxes(left, -1, -2) @ single(d) @ np.swapaxes(right, -1, -2)
    inner = -others * np.swapaxes(across, -1, -2)
    places = np.arange(n)
    inner[..., places, places] = (others @ np.diagonal(across, axis1=-2, axis2=-1)[..., None])[..., 0]
    sign = np.linalg.det(left) * np.linalg.det(right)
    return (sign[..., None, None] * (left @ inner @ right)).astype(a.dtype)


def det_sign(a: Any) -> Any:
    """-1, 0 or 1"""
    return np.linalg.slogdet(single(a))[0].astype(a.dtype)[()]


def lu(a: Any) -> Any:
    """L and U of P A = L U in one square, and below it P."""
    n = a.shape[-1]
    work = np.concatenate([a, np.broadcast_to(np.eye(n, dtype=a.dtype), a.shape)], axis=-1)
    for k in range(n):
        at = k + np.argmax(np.abs(work[..., k:, k]), axis=-1)[..., None, None]
        pivot, top = np.take_along_axis(work, at, -2), work[..., k : k + 1, :].copy()
        np.put_along_axis(work, at, top, -2)
        work[..., k : k + 1, :] = pivot
        below = work[..., k + 1 :, k]
        below[...] = np.where(below == 0, 0, below / pivot[..., k])
        work[..., k + 1 :, k + 1 : n] -= below[..., None] * pivot[..., k + 1 : n]
    return np.concatenate([work[..., :n], work[..., n:]], axis=-2)


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


# Eigenvalues that differ by less, times the largest one, are taken to be equal.
EQUAL = {"float64": 2.0**-46, "float32": 2.0**-17, "float16": 2.0**-5}


def eigen_toward(a: Any, d: Any) -> Any:
    """`eigen`, with the vectors of equal eigenvalues turned such that each stays one when A moves along D."""
    plain = eigen(a)
    lead = np.broadcast_shapes(a.shape[:-2], d.shape[:-2])
    values = plain[..., 0, :]
    slack = EQUAL[a.dtype.name] * np.max(np.abs(values), axis=-1, initial=0)
    apart = np.diff(values, axis=-1) > slack[..., None]
    out = np.broadcast_to(plain, lead + plain.shape[-2:])
    if apart.all():
        return out
    out, apart = out.copy(), np.broadcast_to(apart, lead + apart.shape[-1:])
    d = np.broadcast_to(single(d), lead + d.shape[-2:])
    for at in np.ndindex(*lead):
        if not apart[at].all() and np.isfinite(d[at]).all() and np.isfinite(out[at]).all():
            ends = [*(np.flatnonzero(apart[at]) + 1), a.shape[-1]]
            for start, end in zip([0, *ends], ends, strict=False):
                if end > start + 1:
                    basis = single(out[at][1:, start:end])
                    block = basis.T @ d[at] @ basis
                    out[at][1:, start:end] = basis @ np.linalg.eigh((block + block.T) / 2)[1]
    return out


def svd(a: Any) -> Any:
    """Singular values as the first row, below it U, below that V, whose largest components are positive."""
    u, values, across = svd_of_each(a, False)
    v = np.swapaxes(across, -1, -2)
    if a.shape[-1] == 0:
        return np.zeros((*a.shape[:-2], 1 + a.shape[-2], 0), a.dtype)
    largest = np.argmax(np.abs(v), axis=-2)[..., None, :]
    sign = np.where(np.take_along_axis(v, largest, -2) < 0, -1, 1).astype(v.dtype)
    return np.concatenate([values[..., None, :], u * sign, v * sign], axis=-2).astype(a.dtype)


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
