"""Reference meanings of linear algebra, one matrix at a time, by the textbook's algorithm; slow and obvious.

Every function also takes stacks of matrices, in which axes in front broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Single = Callable[..., Any]

TOLERANCE = {"f64": 2.0**-46, "f32": 2.0**-17, "f16": 2.0**-5}
"""Eigenvalues that differ by less, times the largest one, are taken to be equal: elimination has made their digits."""


def stacked(single: Single) -> Single:
    """`single` on every matrix of stacks."""

    def evaluate(*args: Any, **attrs: Any) -> Any:
        import numpy as np

        lead = np.broadcast_shapes(*(np.shape(a)[:-2] for a in args))
        whole = [np.broadcast_to(a, lead + np.shape(a)[-2:]) for a in args]
        with np.errstate(all="ignore"):
            if not lead:
                return single(*(np.array(a) for a in whole), **attrs)
            results = [single(*(np.array(a[at]) for a in whole), **attrs) for at in np.ndindex(*lead)]
            if not results:
                sample = single(*(np.zeros(np.shape(a)[-2:], np.asarray(a).dtype) for a in args), **attrs)
                return np.zeros(lead + np.shape(sample), np.asarray(sample).dtype)
            return np.array(results).reshape(lead + np.shape(results[0]))

    return evaluate


def _matmul(x: Any, y: Any) -> Any:
    import numpy as np

    out = np.zeros((x.shape[0], y.shape[1]), x.dtype)
    for k in range(x.shape[1]):
        out += x[:, k, None] * y[None, k]
    return out


def _triangle(x: Any, part: str) -> Any:
    import numpy as np

    if part == "lower_half":
        return np.tril(x, -1) + np.diag(np.diag(x) / 2) if x.shape[0] == x.shape[1] else _unequal()
    cut = {"lower": 0, "strict_lower": -1, "upper": 0, "strict_upper": 1}[part]
    return (np.tril if part.endswith("lower") else np.triu)(x, cut)


def _unequal() -> Any:
    raise ValueError("half of a diagonal needs a square matrix")


def _solve_triangular(l: Any, rhs: Any, upper: bool) -> Any:
    import numpy as np

    out = np.array(rhs)
    n = len(l)
    if np.any(np.diag(l) == 0):
        return np.full_like(out, np.nan)
    for i in reversed(range(n)) if upper else range(n):
        done = range(i + 1, n) if upper else range(i)
        for j in done:
            out[i] -= l[i, j] * out[j]
        out[i] /= l[i, i]
    return out


def _eliminated(a: Any, rhs: Any) -> tuple[Any, Any, float, int]:
    """Upper triangular form with pivoting by rows: it, the right-hand side, the sign, the first zero pivot or -1."""
    import numpy as np

    a, rhs = np.array(a), np.array(rhs)
    sign, failed = 1.0, -1
    n = len(a)
    for k in range(n):
        at = k + int(np.argmax(np.abs(a[k:, k])))
        if at != k:
            a[[k, at]], rhs[[k, at]], sign = a[[at, k]], rhs[[at, k]], -sign
        if a[k, k] == 0:
            return a, rhs, sign, k if failed < 0 else failed
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            a[i, k:] -= factor * a[k, k:]
            rhs[i] -= factor * rhs[k]
    return a, rhs, sign, failed


def _solve(a: Any, rhs: Any) -> Any:
    import numpy as np

    upper, turned, _, failed = _eliminated(a, rhs)
    if failed >= 0:
        return np.full_like(rhs, np.nan)
    return _solve_triangular(upper, turned, upper=True)


def _inverse(a: Any) -> Any:
    import numpy as np

    return _solve(a, np.eye(len(a), dtype=a.dtype))


def _det(a: Any) -> Any:
    import numpy as np

    upper, _, sign, failed = _eliminated(a, np.zeros_like(a))
    return a.dtype.type(0.0 if failed >= 0 else sign * np.prod(np.diag(upper)))


def _log_det(a: Any) -> Any:
    import numpy as np

    upper, _, _, failed = _eliminated(a, np.zeros_like(a))
    return a.dtype.type(-np.inf if failed >= 0 else np.sum(np.log(np.abs(np.diag(upper)))))


def _cofactors(a: Any) -> Any:
    import numpy as np

    n = len(a)
    out = np.empty_like(a)
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(a, i, 0), j, 1)
            out[i, j] = (-1) ** (i + j) * _det(minor)
    return out


def _cofactors_along(a: Any, d: Any) -> Any:
    """To each place what the determinant of the rest changes by: a sum over its places."""
    import numpy as np

    n = len(a)
    out = np.zeros_like(a)
    for i in range(n):
        for j in range(n):
            minor, change = (np.delete(np.delete(x, i, 0), j, 1) for x in (a, d))
            out[i, j] = (-1) ** (i + j) * np.sum(_cofactors(minor) * change)
    return out


def _det_sign(a: Any) -> Any:
    import numpy as np

    upper, _, sign, failed = _eliminated(a, np.zeros_like(a))
    return a.dtype.type(0.0 if failed >= 0 else sign * np.prod(np.sign(np.diag(upper))))


def _lu(a: Any) -> Any:
    import numpy as np

    n = len(a)
    a = np.concatenate([a, np.eye(n, dtype=a.dtype)], axis=1)  # beside it the order of the rows
    for k in range(n):
        at = k + int(np.argmax(np.abs(a[k:, k])))
        a[[k, at]] = a[[at, k]]
        for i in range(k + 1, n):
            if a[i, k] != 0:
                a[i, k] /= a[k, k]
                a[i, k + 1 : n] -= a[i, k] * a[k, k + 1 : n]
    return np.concatenate([a[:, :n], a[:, n:]])


def _cholesky(a: Any) -> Any:
    import numpy as np

    a = (a + a.T) / 2
    n = len(a)
    out = np.zeros_like(a)
    for j in range(n):
        pivot = a[j, j] - np.sum(out[j, :j] ** 2)
        if not pivot > 0:
            out[j:, j:] = np.tril(np.full((n - j, n - j), np.nan))
            return out
        out[j, j] = np.sqrt(pivot)
        for i in range(j + 1, n):
            out[i, j] = (a[i, j] - np.sum(out[i, :j] * out[j, :j])) / out[j, j]
    return out


def _orthogonal(a: Any) -> Any:
    """Gram and Schmidt, twice, so that rounding leaves no trace."""
    import numpy as np

    q = np.array(a)
    for k in range(a.shape[1]):
        for _ in range(2):
            for j in range(k):
                q[:, k] -= np.sum(q[:, j] * q[:, k]) * q[:, j]
        q[:, k] /= np.sqrt(np.sum(q[:, k] ** 2))
    return q


def _eigen(a: Any) -> Any:
    """Jacobi's rotations."""
    import numpy as np

    given = a.dtype
    a = ((a + a.T) / 2).astype(np.float64)
    n = len(a)
    v = np.eye(n)
    if not np.all(np.isfinite(a)):
        return np.full((n + 1, n), np.nan, given)
    for _ in range(60):
        for p in range(n):
            for q in range(p + 1, n):
                if a[p, q] == 0:
                    continue
                angle = 0.5 * np.arctan2(2 * a[p, q], a[q, q] - a[p, p])
                turn = np.eye(n)
                turn[p, p] = turn[q, q] = np.cos(angle)
                turn[p, q], turn[q, p] = np.sin(angle), -np.sin(angle)
                a, v = turn.T @ a @ turn, v @ turn
    order = np.argsort(np.diag(a), kind="stable")
    values, v = np.diag(a)[order], v[:, order]
    for k in range(n):
        if v[np.argmax(np.abs(v[:, k])), k] < 0:
            v[:, k] = -v[:, k]
    return np.concatenate([values[None], v]).astype(given)


def _eigen_toward(a: Any, d: Any) -> Any:
    """One cluster of equal eigenvalues after the other."""
    import numpy as np

    plain = _eigen(a)
    values, out = plain[0], np.array(plain)
    block = plain[1:].T @ ((d + d.T) / 2) @ plain[1:]
    if not np.all(np.isfinite(block)):
        return out
    slack = TOLERANCE[{"float64": "f64", "float32": "f32"}.get(a.dtype.name, "f16")] * np.max(np.abs(values), initial=0)
    start = 0
    for end in range(1, len(values) + 1):
        if end == len(values) or values[end] - values[end - 1] > slack:
            if end > start + 1:
                turn = _eigen(block[start:end, start:end])[1:]
                out[1:, start:end] = plain[1:, start:end] @ turn
            start = end
    return out


def _svd(a: Any) -> Any:
    """One-sided rotations after Jacobi: columns are turned until all are orthogonal."""
    import numpy as np

    given, (n, m) = a.dtype, a.shape
    u, v = a.astype(np.float64), np.eye(m)
    if not np.all(np.isfinite(u)):
        return np.full((1 + n + m, m), np.nan, given)
    for _ in range(40):
        for p in range(m):
            for q in range(p + 1, m):
                x, y = u[:, p], u[:, q]
                if abs(x @ y) <= 1e-300:
                    continue
                angle = 0.5 * np.arctan2(2 * (x @ y), x @ x - y @ y)
                c, s = np.cos(angle), np.sin(angle)
                for w in (u, v):
                    w[:, p], w[:, q] = c * w[:, p] + s * w[:, q], c * w[:, q] - s * w[:, p]
    values = np.sqrt(np.sum(u * u, axis=0))
    order = np.argsort(-values, kind="stable")
    u, v, values = u[:, order], v[:, order], values[order]
    u = _orthogonal(u + 0.0) if values.size and values[-1] > 1e-12 * values[0] else _completed(u, values)
    for k in range(m):
        if v[np.argmax(np.abs(v[:, k])), k] < 0:
            u[:, k], v[:, k] = -u[:, k], -v[:, k]
    return np.concatenate([values[None], u, v]).astype(given)


def _completed(u: Any, values: Any) -> Any:
    """Orthonormal columns, where some singular values are zero: unit vectors fill up."""
    import numpy as np

    columns: list[Any] = []
    spare = iter(np.eye(len(u)))
    for k, value in enumerate(values):
        column = u[:, k] / value if value > 1e-12 * values[0] else next(spare)
        for attempt in range(len(u) + 1):
            for _ in range(2):
                for other in columns:
                    column = column - (other @ column) * other
            if attempt == len(u) or np.sqrt(column @ column) > 1e-3:
                break
            column = next(spare)
        columns.append(column / np.sqrt(column @ column))
    return np.array(columns).T.reshape(len(u), len(values))


def _failed_pivot(a: Any, result: Any, kind: str) -> Any:
    import numpy as np

    if not np.any(np.isnan(result)) and not (kind == "triangular" and np.any(np.diag(a) == 0)):
        return np.int64(-1)
    if not np.all(np.isfinite(a)):
        return np.int64(-1)
    if kind == "cholesky":
        bad = np.isnan(np.diag(result))
    elif kind == "triangular":
        bad = np.diag(a) == 0
    else:
        return np.int64(_eliminated(a, np.zeros_like(a))[3])
    return np.int64(np.argmax(bad) if np.any(bad) else -1)


matmul = stacked(_matmul)
triangle = stacked(_triangle)
solve_triangular = stacked(_solve_triangular)
solve = stacked(_solve)
inverse = stacked(_inverse)
det = stacked(_det)
log_det = stacked(_log_det)
cofactors = stacked(_cofactors)
cofactors_along = stacked(_cofactors_along)
det_sign = stacked(_det_sign)
lu = stacked(_lu)
eigen_toward = stacked(_eigen_toward)
svd = stacked(_svd)
cholesky = stacked(_cholesky)
orthogonal = stacked(_orthogonal)
eigen = stacked(_eigen)
failed_pivot = stacked(_failed_pivot)
