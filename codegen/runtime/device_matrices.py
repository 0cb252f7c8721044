"""Linear algebra on the device by CuPy, that is cuBLAS and cuSOLVER: one matrix at a time.

A matrix without a factor or an inverse makes NumPy compute it on the host, which says what is nan: failures are rare.
Whether one has failed the factorisations learn from the device, for which they wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import cupy
import numpy as np

MOST_LEFT_OUT = 256
"""Singular values of which all products but two are made at once."""
EQUAL_EIGENVALUES = {"float64": 2.0**-46, "float32": 2.0**-17, "float16": 2.0**-5}
"""Eigenvalues that differ by less, times the largest one, are taken to be equal."""

MatrixArgs = Sequence[tuple[str, Any, Any]]


def _failing() -> AbstractContextManager[Any]:
    """Factorisations that fail raise LinAlgError inside."""
    import cupyx

    made: AbstractContextManager[Any] = cupyx.errstate(linalg="raise")
    return made


def _wide(x: Any) -> Any:
    """In single precision, where it is in half."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _symmetric(x: Any) -> Any:
    return (x + x.T) / x.dtype.type(2)


def _matmul(a: Any, b: Any) -> Any:
    return cupy.matmul(_wide(a), _wide(b))


def _solve(a: Any, rhs: Any) -> Any:
    return cupy.linalg.solve(_wide(a), _wide(rhs))


def _solve_triangular(l: Any, rhs: Any, upper: bool) -> Any:
    from cupyx.scipy.linalg import solve_triangular

    found = solve_triangular(_wide(l), _wide(rhs), lower=not upper)
    singular = (cupy.diagonal(l) == 0).any()
    return cupy.where(singular, cupy.asarray(np.nan, found.dtype), found)


def _inverse(a: Any) -> Any:
    return cupy.linalg.inv(_wide(a))


def _cholesky(a: Any) -> Any:
    return cupy.linalg.cholesky(_symmetric(_wide(a)))


def _orthogonal(a: Any) -> Any:
    q, r = cupy.linalg.qr(_wide(a))
    return q * cupy.where(cupy.diagonal(r) < 0, -1, 1).astype(q.dtype)[None, :]


def _log_det(a: Any) -> Any:
    return cupy.linalg.slogdet(_wide(a))[1]


def _det_sign(a: Any) -> Any:
    return cupy.linalg.slogdet(_wide(a))[0]


def _det(a: Any) -> Any:
    return cupy.linalg.det(_wide(a))


def _upright(vectors: Any) -> Any:
    """Signs that make the largest component of each column positive."""
    places = cupy.argmax(cupy.abs(vectors), axis=0)
    largest = cupy.take_along_axis(vectors, places[None, :], 0)
    return cupy.where(largest < 0, -1, 1).astype(vectors.dtype)


def _eigen(a: Any) -> Any:
    a = _symmetric(_wide(a))
    fine = cupy.isfinite(a).all()
    values, vectors = cupy.linalg.eigh(cupy.where(fine, a, cupy.zeros_like(a)))
    found = cupy.concatenate([values[None, :], vectors * _upright(vectors)], axis=0)
    return cupy.where(fine, found, cupy.asarray(np.nan, found.dtype))


def _svd(a: Any) -> Any:
    a = _wide(a)
    fine = cupy.isfinite(a).all()
    u, values, across = cupy.linalg.svd(cupy.where(fine, a, cupy.zeros_like(a)), full_matrices=False)
    values = cupy.where(fine, values, cupy.asarray(np.nan, values.dtype))
    v = across.T
    sign = _upright(v)
    return cupy.concatenate([values[None, :], u * sign, v * sign], axis=0)


def _turned(left: Any, right: Any) -> Any:
    """det U · det V of orthogonal matrices."""
    return cupy.linalg.det(left) * cupy.linalg.det(right)


def _whole_svd(a: Any) -> tuple[Any, Any, Any]:
    """Singular values of a square matrix and its factors, nan where it is not finite."""
    fine = cupy.isfinite(a).all()
    left, values, right = cupy.linalg.svd(cupy.where(fine, a, cupy.zeros_like(a)), full_matrices=True)
    return left, cupy.where(fine, values, cupy.asarray(np.nan, values.dtype)), right


def _cofactors(a: Any) -> Any:
    """det A · A⁻ᵀ, from singular values, so that A may be singular."""
    left, values, right = _whole_svd(_wide(a))
    one = cupy.ones_like(values[:1])
    before = cupy.concatenate([one, cupy.cumprod(values[:-1])])
    after = cupy.flip(cupy.concatenate([one, cupy.cumprod(cupy.flip(values[1:]))]))
    return _turned(left, right) * cupy.matmul(left * (before * after)[None, :], right)


def _cofactors_along(a: Any, d: Any) -> Any:
    """The derivative of the cofactors of A along D: with A = U S Vᵀ, products of singular values but two."""
    left, values, right = _whole_svd(_wide(a))
    n = values.shape[0]
    if n > MOST_LEFT_OUT:
        return None
    places = cupy.arange(n)
    i, j, k = places[:, None, None], places[None, :, None], places[None, None, :]
    one = cupy.asarray(1, values.dtype)
    others = cupy.where((k == i) | (k == j), one, values[None, None, :]).prod(axis=-1)
    others = cupy.where(i[:, :, 0] == j[:, :, 0], cupy.asarray(0, values.dtype), others)
    across = cupy.matmul(cupy.matmul(left.T, _wide(d)), right.T)
    diagonal = cupy.matmul(others, cupy.diagonal(across))
    inner = cupy.where(i[:, :, 0] == j[:, :, 0], diagonal[:, None], -others * across.T)
    return _turned(left, right) * cupy.matmul(cupy.matmul(left, inner), right)


def _eigen_toward(a: Any, d: Any) -> Any:
    """`eigen` where no two eigenvalues are equal, which the host waits to hear."""
    found = _eigen(a)
    values = found[0]
    if values.shape[0] > 1:
        slack = EQUAL_EIGENVALUES[str(a.dtype)] * cupy.abs(values).max()
        if not bool((cupy.diff(values) > slack).all()):
            return None
    return found


def _failed_pivot(a: Any, result: Any, kind: str) -> Any:
    if kind == "general":
        return None if bool(cupy.isnan(result).any()) else cupy.asarray(-1)
    bad = cupy.isnan(cupy.diagonal(result)) if kind == "cholesky" else cupy.diagonal(a) == 0
    first = cupy.where(bad.any(), cupy.argmax(bad), -1)
    return cupy.where(cupy.isfinite(a).all(), first, -1)


def _by_cupy(function: Callable[..., Any], dtype: str = "") -> Callable[..., Any]:
    def primitive(run: Any, args: MatrixArgs, **attrs: Any) -> list[Any] | None:
        if any(0 in shape for _, _, shape in args):
            return None
        arrays = [run.array(address, d, shape) for d, address, shape in args]
        try:
            with _failing():
                found = function(*arrays, **attrs)
        except np.linalg.LinAlgError:
            return None
        if found is None:
            return None
        found = cupy.ascontiguousarray(found.astype(np.int64 if dtype else arrays[0].dtype, copy=False))
        out: int = run.take(found.nbytes)
        run.copy(out, found.data.ptr, found.nbytes)
        return [out, *found.shape]

    return primitive


DEVICE_MATRICES: dict[str, Callable[..., Any]] = {
    "matmul": _by_cupy(_matmul), "solve": _by_cupy(_solve), "solve_triangular": _by_cupy(_solve_triangular),
    "inverse": _by_cupy(_inverse), "cholesky": _by_cupy(_cholesky), "orthogonal": _by_cupy(_orthogonal),
    "log_det": _by_cupy(_log_det), "det": _by_cupy(_det), "det_sign": _by_cupy(_det_sign),
    "cofactors": _by_cupy(_cofactors), "cofactors_along": _by_cupy(_cofactors_along),
    "eigen_toward": _by_cupy(_eigen_toward), "eigen": _by_cupy(_eigen), "svd": _by_cupy(_svd),
    "failed_pivot": _by_cupy(_failed_pivot, "i64"),
}
