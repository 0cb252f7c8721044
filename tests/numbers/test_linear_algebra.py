"""Linear algebra against NumPy, and its first and second derivatives against differences, in f64 and f32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dad
import numpy as np
import pytest

PROGRAM = """
entry cholesky_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (map sum (w * cholesky a))
entry solve_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (map2 (\\u b -> sum (u * solve a b)) w w)
entry solve_many_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (map sum (w * solve_many a w))
entry inverse_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (map sum (w * inverse a))
entry lower_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (map sum (w * solve_lower_many a w))
entry upper_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (w[0] * solve_upper a w[0])
entry det_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = det a
entry logdet_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = logdet a
entry orthogonal_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 = sum (map sum (w * orthogonal a))
entry eigen_sum [n] (a: [n][n]f64) (w: [n][n]f64) : f64 =
  let (values, vectors) = eigen a in sum (w[0] * values) + sum (map sum (w * vectors))
"""
NAMES = ("cholesky", "solve", "solve_many", "inverse", "lower", "upper", "det", "logdet", "orthogonal", "eigen")


def with_derivatives() -> str:
    """To each entry its gradient, the derivative of that along a direction, and the function on many matrices."""
    text = PROGRAM
    for name in NAMES:
        text += (
            f"entry {name}_grad [n] (a: [n][n]f64) (w: [n][n]f64) = grad (\\x -> {name}_sum x w) a\n"
            f"entry {name}_hvp [n] (a: [n][n]f64) (w: [n][n]f64) (d: [n][n]f64) =\n"
            f"  jvp (\\a -> grad (\\x -> {name}_sum x w) a) a d\n"
            f"entry {name}_jvp [n] (a: [n][n]f64) (w: [n][n]f64) (d: [n][n]f64) = jvp (\\x -> {name}_sum x w) a d\n"
            f"entry {name}_grads [k][n] (a: [k][n][n]f64) (w: [n][n]f64) = map (grad (\\x -> {name}_sum x w)) a\n"
        )
    return text


@pytest.fixture(scope="module")
def module() -> Any:
    return dad.compile(with_derivatives())


def matrix(seed: int, n: int = 4) -> Any:
    rng = np.random.default_rng(seed)
    return 0.3 * rng.normal(size=(n, n)) + np.diag(2.0 + np.arange(n))


def difference(f: Callable[[Any], Any], x: Any, d: Any) -> Any:
    """The derivative along `d`, by central differences of two widths, extrapolated."""
    h = 1e-3
    one, two = ((f(x + k * h * d) - f(x - k * h * d)) / (2 * k * h) for k in (1, 2))
    return (4 * one - two) / 3


@pytest.mark.parametrize("name", NAMES)
def test_derivatives(module: Any, name: str) -> None:
    a, w, d = matrix(1), matrix(2), matrix(3) - np.eye(4)
    value, gradient = getattr(module, f"{name}_sum"), getattr(module, f"{name}_grad")
    along = difference(lambda x: value(x, w), a, d)
    assert np.sum(gradient(a, w) * d) == pytest.approx(along, rel=1e-8, abs=1e-9)
    assert getattr(module, f"{name}_jvp")(a, w, d) == pytest.approx(along, rel=1e-8, abs=1e-9)
    second = difference(lambda x: gradient(x, w), a, d)
    np.testing.assert_allclose(getattr(module, f"{name}_hvp")(a, w, d), second, rtol=1e-7, atol=1e-8)
    stack = np.stack([a, matrix(4), matrix(5)])
    expected = np.stack([gradient(x, w) for x in stack])
    np.testing.assert_allclose(getattr(module, f"{name}_grads")(stack, w), expected, rtol=1e-11, atol=1e-12)


VALUES = """
entry all [n] (a: [n][n]f64) (b: [n]f64) =
  (cholesky a, solve a b, inverse a, det a, logdet a, solve_lower a b, solve_upper a b, orthogonal a, eigen a)
entry short [n] (a: [n][n]f32) (b: [n]f32) =
  (cholesky a, solve a b, inverse a, det a, logdet a, solve_lower a b, solve_upper a b, orthogonal a, eigen a)
"""


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
@pytest.mark.parametrize("name", ["all", "short"])
def test_values(target: str, name: str) -> None:
    run = getattr(dad.compile(VALUES, target=target), name)
    kind = np.float64 if name == "all" else np.float32
    slack = 1e-11 if name == "all" else 1e-3
    for n in (1, 2, 5):
        a, b = matrix(7, n), np.arange(n) - 1.5
        a = (a + a.T) / 2
        found = run(a.astype(kind), b.astype(kind))
        factor, x, inv, det, logdet, low, up, q, (values, vectors) = found
        assert all(np.asarray(r).dtype == kind for r in (*found[:8], values, vectors))
        np.testing.assert_allclose(factor @ factor.T, a, rtol=slack, atol=slack)
        assert not np.triu(factor, 1).any()
        np.testing.assert_allclose(a @ x, b, rtol=slack, atol=slack)
        np.testing.assert_allclose(a @ inv, np.eye(n), rtol=slack, atol=slack)
        assert det == pytest.approx(np.linalg.det(a), rel=slack)
        assert logdet == pytest.approx(np.log(np.linalg.det(a)), rel=slack, abs=slack)
        np.testing.assert_allclose(np.tril(a) @ low, b, rtol=slack, atol=slack)
        np.testing.assert_allclose(np.triu(a) @ up, b, rtol=slack, atol=slack)
        np.testing.assert_allclose(q.T @ q, np.eye(n), rtol=slack, atol=slack)
        assert (np.diag(q.T @ a) > 0).all()
        np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, a, rtol=slack, atol=slack)


def test_large_triangles_are_solved_by_halves() -> None:
    rng = np.random.default_rng(0)
    a = np.eye(211) + rng.normal(size=(211, 211)) / 211
    module = dad.compile("entry f [n][m] (a: [n][n]f64) (b: [n][m]f64) = (solve_lower_many a b, solve_upper_many a b)")
    b = rng.normal(size=(211, 3))
    low, up = module.f(a, b)
    np.testing.assert_allclose(np.tril(a) @ low, b, atol=1e-12)
    np.testing.assert_allclose(np.triu(a) @ up, b, atol=1e-12)


FAILING = """
entry factor [n] (k: [n][n]f64) = cholesky k
entry system [n] (k: [n][n]f64) = solve k (replicate n 1)
entry reversed [n] (k: [n][n]f64) = inverse k
entry triangular [n] (k: [n][n]f64) = solve_upper k (replicate n 1)
entry many [m][n] (ks: [m][n][n]f64) = map (\\k -> cholesky k) ks
entry careful [m][n] (ks: [m][n][n]f64) = map (\\k -> if det k > 0 then logdet (cholesky k) else 0) ks
entry slope [m][n] (ks: [m][n][n]f64) = map (grad (\\k -> if det k > 0 then logdet (cholesky k) else 0)) ks
"""


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_a_matrix_without_a_factor_is_an_error(target: str) -> None:
    module = dad.compile(FAILING, target=target)
    good, bad = np.diag([1.0, 2.0, 3.0]), np.diag([1.0, -2.0, 3.0])
    singular = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    for run, argument, message in (
        (module.factor, bad, r"R107: the matrix is not positive definite, in `cholesky k`: pivot 1 \(<string>:2\)"),
        (module.factor, 0 * bad, "pivot 0"),
        (module.system, singular, "R107: the matrix is singular, in `solve k"),
        (module.reversed, singular, "R107: the matrix is singular, in `inverse k`: pivot 1"),
        (module.triangular, np.diag([1.0, 2.0, 0.0]), "R107: the triangular matrix is singular.*pivot 2"),
        (module.many, np.stack([good, bad]), "pivot 1"),
    ):
        with pytest.raises(dad.RunError, match=message):
            run(argument)
    found = module.careful(np.stack([good, bad]))
    np.testing.assert_allclose(found, [0.5 * np.log(6), 0])
    expected = [np.diag(0.5 / np.diag(good)), 0 * good]
    np.testing.assert_allclose(module.slope(np.stack([good, bad])), expected, atol=1e-12)


def test_the_derivative_of_a_singular_determinant_is_its_cofactors() -> None:
    module = dad.compile("entry f [n] (a: [n][n]f64) = grad det a")
    a = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 5.0]])
    np.testing.assert_allclose(module.f(a), [[14, -10, 2], [-7, 5, -1], [0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(module.f(np.zeros((1, 1))), [[1.0]])
