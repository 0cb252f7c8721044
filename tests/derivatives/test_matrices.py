"""First and second derivatives of linear algebra, in all modes, against differences of mpmath's at fifty digits.

Each function of a matrix is weighted into a number; the derivative along D and the second one along D and E are
compared. Equal eigenvalues, singular matrices, sizes from none to eight, half as many digits at f32, lanes of a map.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import dad
import mpmath
import numpy as np
import pytest

FUNCTIONS = {
    "cholesky": "total (w * cholesky a)",
    "solve": "sum (solve a w[0] * w[1])",
    "solve_many": "total (w * solve_many a w)",
    "lower": "total (w * solve_lower_many a w)",
    "upper": "total (w * solve_upper_many a w)",
    "inverse": "total (w * inverse a)",
    "det": "det a",
    "logdet": "logdet a",
    "lu": "let (l, u, _) = lu a in total (w * l) + total (transpose w * u)",
    "orthogonal": "total (w * orthogonal a)",
    "eigen": "let (values, vectors) = eigen a in sum (w[0] * values) + total (w * vectors)",
    "svd": "let (u, s, v) = svd a in sum (w[0] * s) + total (w * u) + total (transpose w * v)",
    "trace_of_exp": "sum (map exp (eigen a).0)",
    "powers": "sum (map (\\x -> x ** 4 - 2 * x) (eigen a).0)",
    "log_of_eigenvalues": "sum (map log (eigen a).0)",
    "projector": "let (_, v) = eigen a in total (w * [v[i,0] * v[j,0] + v[i,1] * v[j,1] for i < n, j < n])",
}
SECOND = ("forward_reverse", "reverse_forward", "forward_forward", "reverse_reverse")


def program(name: str, dtype: str) -> str:
    square = f"[n][n]{dtype}"
    return f"""
def total [n][m] (x: [n][m]{dtype}) : {dtype} = sum (map sum x)
def weighted [n] (w: {square}) (a: {square}) : {dtype} = {FUNCTIONS[name]}
def all [n] (w: {square}) (d: {square}) (e: {square}) (a: {square}) =
  let f (a: {square}) : {dtype} = weighted w a
  in (f a, sum (map sum (d * grad f a)), jvp f a d,
      total (d * jvp (grad f) a e),
      total (e * grad (\\b -> jvp f b d) a),
      jvp (\\b -> jvp f b d) a e,
      total (e * grad (\\b -> total (d * grad f b)) a))
entry single [n] (w: {square}) (d: {square}) (e: {square}) (a: {square}) = all w d e a
entry many [k][n] (w: {square}) (d: {square}) (e: {square}) (a: [k]{square}) = map (all w d e) a
"""


@cache
def compiled(name: str, target: str = "numpy", dtype: str = "f64") -> Any:
    return dad.compile(program(name, dtype), target=target)


# ---------------------------------------------------------------- the truth


def symmetric(a: Any) -> Any:
    return (a + a.T) / 2


def turned(vectors: Any, others: Any = None) -> Any:
    """Columns with their largest component positive, and `others` turned with them."""
    for j in range(vectors.cols):
        column = [vectors[i, j] for i in range(vectors.rows)]
        if max(column, key=abs) < 0:
            for x in (vectors, others):
                for i in range(x.rows if x is not None else 0):
                    x[i, j] = -x[i, j]
    return vectors


def total(w: Any, x: Any) -> Any:
    return mpmath.fsum(w[i, j] * x[i, j] for i in range(x.rows) for j in range(x.cols))


def triangle(a: Any, keep: Callable[[int, int], bool]) -> Any:
    return mpmath.matrix(a.rows, a.cols) + mpmath.matrix(
        [[a[i, j] if keep(i, j) else 0 for j in range(a.cols)] for i in range(a.rows)]
    )


def eliminated(w: Any, a: Any) -> Any:
    n, l, u = a.rows, mpmath.eye(a.rows), a.copy()
    for k in range(n):
        at = max(range(k, n), key=lambda i: abs(u[i, k]))
        for j in range(n):
            u[k, j], u[at, j] = u[at, j], u[k, j]
            if j < k:
                l[k, j], l[at, j] = l[at, j], l[k, j]
        for i in range(k + 1, n):
            l[i, k] = u[i, k] / u[k, k]
            for j in range(n):
                u[i, j] -= l[i, k] * u[k, j]
    return total(w, l) + total(w.T, u)


def orthonormal(a: Any) -> Any:
    q, r = mpmath.qr(a)
    for j in range(a.cols):
        if r[j, j] < 0:
            for i in range(a.rows):
                q[i, j] = -q[i, j]
    return q


def by_eigen(w: Any, a: Any) -> Any:
    values, vectors = mpmath.eigsy(symmetric(a))
    return mpmath.fsum(w[0, k] * values[k] for k in range(a.rows)) + total(w, turned(vectors))


def by_svd(w: Any, a: Any) -> Any:
    u, s, vt = mpmath.svd_r(a)
    v = vt.T
    turned(v, u)
    return mpmath.fsum(w[0, k] * s[k] for k in range(a.rows)) + total(w, u) + total(w.T, v)


def of_eigenvalues(f: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda w, a: mpmath.fsum(map(f, mpmath.eigsy(symmetric(a), eigvals_only=True)))


def projected(w: Any, a: Any) -> Any:
    vectors = mpmath.eigsy(symmetric(a))[1][:, :2]
    return total(w, vectors * vectors.T)


TRUTH: dict[str, Callable[[Any, Any], Any]] = {
    "cholesky": lambda w, a: total(w, mpmath.cholesky(symmetric(a))),
    "solve": lambda w, a: (w[1, :] * mpmath.lu_solve(a, w[0, :].T))[0],
    "solve_many": lambda w, a: total(w, mpmath.inverse(a) * w),
    "lower": lambda w, a: total(w, mpmath.inverse(triangle(a, lambda i, j: j <= i)) * w),
    "upper": lambda w, a: total(w, mpmath.inverse(triangle(a, lambda i, j: j >= i)) * w),
    "inverse": lambda w, a: total(w, mpmath.inverse(a)),
    "det": lambda w, a: mpmath.det(a),
    "logdet": lambda w, a: mpmath.log(abs(mpmath.det(a))),
    "lu": eliminated,
    "orthogonal": lambda w, a: total(w, orthonormal(a)),
    "eigen": by_eigen,
    "svd": by_svd,
    "trace_of_exp": of_eigenvalues(mpmath.exp),
    "powers": of_eigenvalues(lambda x: x**4 - 2 * x),
    "log_of_eigenvalues": of_eigenvalues(mpmath.log),
    "projector": projected,
}


def differences(name: str, w: Any, d: Any, e: Any, a: Any) -> tuple[float, float, float]:
    """Value, derivative along D, second derivative along D and E."""
    with mpmath.workdps(100):
        w, d, e, a = (mpmath.matrix(x.astype(float).tolist()) for x in (w, d, e, a))
        h = mpmath.mpf("1e-20")

        def at(i: int, j: int) -> Any:
            return TRUTH[name](w, a + i * h * d + j * h * e)

        second = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * h * h)
        return float(at(0, 0)), float((at(1, 0) - at(-1, 0)) / (2 * h)), float(second)


def close(found: Any, truth: tuple[float, float, float], tolerance: float, skip: tuple[str, ...] = ()) -> None:
    value, reverse, forward, *seconds = (float(x) for x in found)
    near: Any = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(value, truth[0], err_msg="value", **near)
    np.testing.assert_allclose(reverse, truth[1], err_msg="reverse", **near)
    np.testing.assert_allclose(forward, truth[1], err_msg="forward", **near)
    for mode, second in zip(SECOND, seconds, strict=True):
        if mode not in skip:
            np.testing.assert_allclose(second, truth[2], err_msg=mode, **near)


# ---------------------------------------------------------------- the tests


def matrices(n: int, seed: int) -> list[Any]:
    """Weights, two directions, and a matrix that is regular in every sense."""
    rng = np.random.default_rng(seed)
    return [*rng.normal(size=(3, n, n)), 0.3 * rng.normal(size=(n, n)) + np.diag(1.5 + np.arange(n))]


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "projector"])
def test_regular_matrices(name: str) -> None:
    for n in (1, 3) if name != "solve" else (2, 3):
        w, d, e, a = matrices(n, 5 + n)
        close(compiled(name).single(w, d, e, a), differences(name, w, d, e, a), 1e-11)
    w, d, e, a = matrices(3, 4)
    truth = differences(name, w, d, e, a)
    stack = np.stack([a, a + 0.1, a])
    lanes = compiled(name).many(w, d, e, stack)
    for lane in (0, 2):
        close([x[lane] for x in lanes], truth, 1e-11)
    value, slope, _, second, *_ = (float(x) for x in compiled(name).single(w, d, e, stack[1]))
    close([x[1] for x in lanes], (value, slope, second), 1e-11)
    close(compiled(name, "interp").single(w, d, e, a), truth, 1e-11)


@pytest.mark.parametrize("name", ["cholesky", "solve_many", "det", "logdet", "orthogonal", "eigen", "svd"])
def test_single_precision_and_larger_matrices(name: str) -> None:
    w, d, e, a = (x.astype(np.float32) for x in matrices(3, 8))
    close(compiled(name, "numpy", "f32").single(w, d, e, a), differences(name, w, d, e, a), 1e-4)
    w, d, e, a = matrices(8, 1)
    rows = [float(x) for x in compiled(name).single(w, d, e, a)]
    scale = max(1.0, abs(rows[3]))
    assert rows[1] == pytest.approx(rows[2], rel=1e-10)
    assert all(abs(x - rows[3]) < 1e-9 * scale for x in rows[4:])


Q = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
EQUAL = {
    "identity": np.eye(3),
    "two": np.diag([1.5, 1.5, 4.0]),
    "two, turned": Q @ np.diag([1.5, 1.5, 4.0]) @ Q.T,
    "nearly two": np.diag([1.5, 1.5 + 1e-9, 4.0]),
}


@pytest.mark.parametrize("which", EQUAL)
@pytest.mark.parametrize("name", ["trace_of_exp", "powers", "log_of_eigenvalues", "projector"])
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_equal_eigenvalues(target: str, name: str, which: str) -> None:
    """What does not depend on the basis of a plane: right at second order too, where forward mode is the outer one."""
    w, d, e, _ = matrices(3, 6)
    w = w + w.T
    if name == "projector" and which in ("identity", "nearly two"):
        return  # it has no plane; its digits are lost as the square of the gap
    truth = differences(name, w, d, e, EQUAL[which])
    skip: tuple[str, ...] = () if which == "nearly two" else ("reverse_reverse",)
    skip += ("reverse_forward",) if name == "projector" else ()
    close(compiled(name, target).single(w, d, e, EQUAL[which]), truth, 1e-6 if which == "nearly two" else 1e-11, skip)


def test_hessian_at_the_identity() -> None:
    """The trace of exp A has the Hessian of vec A -> e/2 (vec A . (vec A + vec Aᵀ)) there, also by `hessian`."""
    module = dad.compile("""
entry f (x: [4]f64) = hessian (\\x -> sum (map exp (eigen (unflatten x : [2][2]f64)).0)) x""")
    expected = np.exp(1) * np.array([[1, 0, 0, 0], [0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(module.f(np.eye(2).ravel()), expected, atol=1e-14)


SINGULAR = {
    "rank two": np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 5.0]]),
    "rank one": np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
    "zero": np.zeros((3, 3)),
}


@pytest.mark.parametrize("which", SINGULAR)
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_determinant_of_singular_matrices(target: str, which: str) -> None:
    w, d, e, _ = matrices(3, 9)
    truth = differences("det", w, d, e, SINGULAR[which])
    close(compiled("det", target).single(w, d, e, SINGULAR[which]), truth, 1e-12)


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("solve", "eigen", "svd", "projector")])
def test_no_rows(target: str, name: str) -> None:
    empty = np.zeros((0, 0))
    value, *rest = compiled(name, target).single(empty, empty, empty, empty)
    assert float(value) == (1.0 if name == "det" else 0.0)
    assert [float(x) for x in rest] == [0.0] * 6


def test_ill_conditioned_systems() -> None:
    """The errors are the condition's times a few units, not its square's: Hilbert's matrix of size six."""
    n = 6
    hilbert = 1 / (1.0 + np.arange(n)[:, None] + np.arange(n))
    w, d, e, _ = matrices(n, 3)
    for name in ("solve", "logdet", "cholesky"):
        truth = differences(name, w, 1e-8 * (d + d.T), 1e-8 * (e + e.T), hilbert)
        found = compiled(name).single(w, 1e-8 * (d + d.T), 1e-8 * (e + e.T), hilbert)
        np.testing.assert_allclose([float(x) for x in found][1:3], [truth[1]] * 2, rtol=1e-7)


def test_slogdet_does_not_overflow() -> None:
    module = dad.compile("entry f [n] (a: [n][n]f64) = (slogdet a, grad (\\a -> (slogdet a).1) a)")
    (sign, size), gradient = module.f(-1e200 * np.eye(3))
    assert (sign, size) == (-1.0, pytest.approx(600 * np.log(10)))
    np.testing.assert_allclose(gradient, -1e-200 * np.eye(3))


def test_tall_matrices() -> None:
    """The gradient of a function of a tall matrix's factors, against differences."""
    module = dad.compile("""
def f [n][m] (w: [n][m]f64) (a: [n][m]f64) =
  let (u, s, v) = svd a
  in sum (map sum (w * u)) + sum (map sum v) + sum (s * s * s) + sum (map sum (w * orthogonal a))
entry value [n][m] (w: [n][m]f64) (a: [n][m]f64) = f w a
entry slope [n][m] (w: [n][m]f64) (a: [n][m]f64) (d: [n][m]f64) = (sum (map sum (d * grad (f w) a)), jvp (f w) a d)""")
    w, a, d = np.random.default_rng(7).normal(size=(3, 5, 3))
    h = 1e-5
    wanted = (module.value(w, a + h * d) - module.value(w, a - h * d)) / (2 * h)
    np.testing.assert_allclose(module.slope(w, a, d), [wanted] * 2, rtol=1e-7)


CLUSTERS = {
    "identity": np.eye(3),
    "zero": np.zeros((3, 3)),
    "a pair": np.diag([1.0, 1.0, 2.0]),
    "nearly a pair": np.diag([1.0, 1.0 + 1e-9, 2.0]),
    "apart": np.array([[2.0, 1.0, 0.5], [1.0, -1.0, 0.0], [0.5, 0.0, 0.3]]),
}


def exponential(a: Any) -> Any:
    """The series, in doubles; `a` is small."""
    total = term = np.eye(len(a))
    for k in range(1, 40):
        term = term @ a / k
        total = total + term
    return total


def direction(*place: int) -> Any:
    d = np.zeros((3, 3))
    d[place] = 1.0
    return (d + d.T) / 2


@pytest.mark.parametrize("which", CLUSTERS)
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_functions_of_matrices_with_equal_eigenvalues(target: str, which: str) -> None:
    """The whole matrix `V f(Λ) Vᵀ`: its value, its gradient in both modes, its Hessian."""
    module = dad.compile("""
entry value [n] (m: [n][n]f64) : [n][n]f64 = linalg.spectral exp m
entry single [n] (m: param [n][n]f64) (w: data [n][n]f64) : f64 = sum (map2 dot w (linalg.spectral exp m))
""", target=target)
    a = CLUSTERS[which]
    w = np.array([[1.0, 0.5, -2.0], [0.5, 3.0, 0.7], [-2.0, 0.7, 0.2]])
    np.testing.assert_allclose(module.value(a), exponential(a), rtol=1e-13, atol=1e-13)
    h = 1e-4
    gradient = module.single.grad(a, w)
    hessian = module.single.hessian(a, w)
    for place in np.ndindex(3, 3):
        d = direction(*place)
        near, far = ((w * (exponential(a + s * d) - exponential(a - s * d))).sum() for s in (h, 2 * h))
        difference = (8 * near - far) / (12 * h)
        np.testing.assert_allclose(gradient[place], difference, rtol=1e-9, atol=1e-9)
        tangent = np.zeros((3, 3))
        tangent[place] = 1.0
        np.testing.assert_allclose(module.single.jvp(a, w, tangent)[1], difference, rtol=1e-9, atol=1e-9)
        moved = (module.single.grad(a + h * d, w) - module.single.grad(a - h * d, w)) / (2 * h)
        np.testing.assert_allclose(hessian[(..., *place)], moved, rtol=2e-6, atol=2e-6)
