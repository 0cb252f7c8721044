"""Sparse Jacobians and Hessians: equal to the dense ones, no entry left out, few products."""
from __future__ import annotations

import random
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.sparsity import column_colours, columns_of, entries, star_colours

TEXT = """
entry banana [n] (x: [n]f64) : f64 = sum [100 * (x[i+1] - x[i]**2)**2 + (1 - x[i])**2 for i < n - 1]
entry arrow [n] (x: [n]f64) : f64 = x[0] * sum (map (\\v -> v * v) x) + sum (map sin x)
entry dense [n] (x: [n]f64) : f64 = exp (sum x)
entry linear [n] (x: [n]f64) : f64 = sum x
entry chain [n] (x: [n]f64) : f64 =
  let (s, _) = loop (s, p) = (0, 1) for i < n do (s + sin (p * x[i]), x[i]) in s
entry branch [n] (x: [n]f64) : f64 = sum (map (\\v -> if v > 0 then v * v * v else v) x)
entry matrix [n] (x: [n]f64) : f64 =
  logdet (map (\\i -> map (\\j -> if i == j then x[i] ** 2 + 3 else 0.1) (iota n)) (iota n))
entry sorted [n] (x: [n]f64) : f64 = let is = argsort x in sum [x[is[i]] * x[is[i+1]] for i < n - 1]
entry placed [n] (x: [n]f64) : f64 =
  let y = scatter (replicate n 1.0) (map (% n) (iota n)) (map (** 2) x) with [0] = x[1]
  in sum (map2 (*) y (rotate 1 x)) + foldl (\\s v -> s + v ** 3) 0 (reverse x)
def power (x: f64) (n: i64) : f64 = if n == 0 then 1 else x * power x (n - 1)
entry called [n] (x: [n]f64) : f64 = sum (map (\\v -> power v 3) x)

entry record (m: {w: [3]f64, b: f64, k: i64}) : f64 = m.b ** 3 + sum (map (** 3) m.w) + m.w[0] * m.w[2] * f64 m.k
entry grid [n][k] (u: [n][k]f64) : f64 =
  sum [sum [(u[i+1, j] - u[i, j]) ** 4 + (u[i, j+1] - u[i, j]) ** 2 * u[i, j] for j < k - 1] for i < n - 1]
entry two [n] (a: f64) (x: [n]f64) : f64 = a * sum (map exp x)

entry step [n] (x: [n]f64) : [n]f64 = [x[i] * (if i > 0 then x[i-1] else 1) for i < n]
entry wide [n] (x: [n]f64) : (f64, [n]f64) = (sum (map sin x), map cos x)
entry tall [n] (a: f64) (x: [n]f64) : {p: [n]f64, q: [n]f64, n: i64} = {p = map (* a) x, q = scan (+) 0 x, n = 3}
entry through [n] (x: [n]f64) : [n]f64 = with_jvp (\\x -> map round x) (\\_ dx -> map (* 2) (rotate 1 dx)) x
"""

X = np.array([0.3, -0.7, 1.1, 0.45, -1.3, 0.9, 2.1])


@pytest.fixture(scope="module")
def module() -> Any:
    return dad.compile(TEXT)


@pytest.mark.parametrize("name", ["banana", "arrow", "dense", "linear", "chain", "branch", "matrix", "sorted", "placed",
                                  "called"])
def test_hessians_equal_the_dense_ones(module: Any, name: str) -> None:
    entry = module.entries[name]
    found = entry.sparse_hessian(X)
    assert found.format == "csr"
    np.testing.assert_allclose(found.toarray(), entry.hessian(X), rtol=1e-13, atol=1e-15)
    if name in ("banana", "arrow", "chain", "branch", "linear", "called"):
        assert found.nnz == np.count_nonzero(entry.hessian(X))


def test_order_of_rows_and_columns(module: Any) -> None:
    found = module.record.sparse_hessian({"w": [1.0, 2.0, 3.0], "b": 2.0, "k": 1}).toarray()
    assert found.tolist() == [[12, 0, 0, 0], [0, 6, 0, 1], [0, 0, 12, 0], [0, 1, 0, 18]]
    u = np.arange(12.0).reshape(3, 4) / 7
    np.testing.assert_allclose(module.grid.sparse_hessian(u).toarray(), module.grid.hessian(u).reshape(12, 12))
    h = module.two.hessian(2.0, X)
    whole = np.block([[np.array([[h.a.a]]), h.a.x[None]], [h.x.a[:, None], h.x.x]])
    np.testing.assert_allclose(module.two.sparse_hessian(2.0, X).toarray(), whole)
    np.testing.assert_allclose(module.two.sparse_hessian(2.0, x=X, wrt="x").toarray(), h.x.x)


def test_jacobians(module: Any) -> None:
    found = module.step.sparse_jacobian(X)
    np.testing.assert_allclose(found.toarray(), module.step.jacobian(X))
    assert found.nnz == 2 * len(X) - 1
    wide = module.wide.sparse_jacobian(X).toarray()
    np.testing.assert_allclose(wide, np.vstack([np.cos(X), -np.diag(np.sin(X))]))
    tall = module.tall.sparse_jacobian(2.0, X).toarray()
    n = len(X)
    np.testing.assert_allclose(tall, np.block([[X[:, None], 2 * np.eye(n)], [np.zeros((n, 1)), np.tri(n)]]))


def test_a_rule_of_its_own_may_depend_on_more_than_the_value(module: Any) -> None:
    np.testing.assert_allclose(module.through.sparse_jacobian(X).toarray(), module.through.jacobian(X))
    assert np.count_nonzero(module.through.jacobian(X)) == len(X)


def test_without_scipy(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("dad.sparse.importlib.import_module", missing)
    data, indices, indptr = module.branch.sparse_hessian(X)
    assert indices.tolist() == [0, 2, 3, 5, 6]
    assert indptr.tolist() == [0, 1, 1, 2, 3, 3, 4, 5]
    np.testing.assert_allclose(data, 6 * X[X > 0])


def test_refused(module: Any) -> None:
    with pytest.raises(dad.DadArgumentError, match="a Hessian is of one float"):
        module.step.sparse_hessian(X)
    with pytest.raises(dad.DadArgumentError, match="argument `x`"):
        module.step.sparse_jacobian([[1.0]])


# ---------------------------------------------------------------- colours


def symmetric(count: int, edges: Any) -> list[list[int]]:
    rows = [{i} for i in range(count)]
    for i, j in edges:
        rows[i].add(j)
        rows[j].add(i)
    return [sorted(row) for row in rows]


def test_an_arrow_needs_two_colours_and_a_band_three() -> None:
    assert max(star_colours(symmetric(50, [(0, k) for k in range(50)]))) == 1
    assert max(star_colours(symmetric(50, [(k, k + 1) for k in range(49)]))) == 2
    assert max(column_colours(symmetric(50, [(k, k + 1) for k in range(49)]), 50)) == 2


@pytest.mark.parametrize("seed", range(20))
def test_entries_are_read_off_random_symmetric_matrices(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 30)
    pairs = [(rng.randrange(count), rng.randrange(count)) for _ in range(rng.randint(0, 3 * count))]
    rows = symmetric(count, pairs)
    dense = np.zeros((count, count))
    for i, row in enumerate(rows):
        for j in row:
            dense[i, j] = dense[j, i] = rng.random()
    colours = star_colours(rows)
    data = entries(rows, colours, lambda c: dense @ (np.asarray(colours) == c), symmetric=True)
    assert data == [dense[i, j] for i, row in enumerate(rows) for j in row]
    across = column_colours(rows, count)
    assert entries(rows, across, lambda c: dense @ (np.asarray(across) == c), symmetric=False) == data


def test_sets_are_read_in_order() -> None:
    assert columns_of(1 << 200 | 5) == [0, 2, 200]
