"""What many threads do together in programs: folds, scans, totals of rows, places that occur many times, sorting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.cuda.device.primitives import KNOWN
from dad.tests.cuda.agreement import compiled_twice, leaves
from dad.tests.cuda.standin import COUNTS, installed, set_order

PROGRAM = """
entry biggest [n] (x: [n]f64) : (f64, f64, bool, bool) =
  (maximum x, minimum x, all (\\v -> v < 3) x, any (\\v -> v > 2) x)

entry places [n] (x: [n]f64) : (i64, i64) = (argmax x, argmin x)

entry composed [n] (a: [n]i64) (b: [n]i64) : (i64, i64) =
  reduce (\\(p, q) (r, s) -> (p * r, q * r + s)) (1, 0) (zip a b)

entry composing [n] (a: [n]i64) (b: [n]i64) : ([n]i64, [n]i64) =
  unzip (scan (\\(p, q) (r, s) -> (p * r, q * r + s)) (1, 0) (zip a b))

entry running [n] (x: [n]f64) : ([n]f64, [n]f64) = (scan (+) 0 x, scan max (-f64.inf) x)

entry kmeans [n][k][d] (points: data [n][d]f64) (centers: param [k][d]f64) : f64 =
  sum (map (\\p -> minimum (map (\\c -> sum (map2 (\\a b -> (a - b) ** 2) p c)) centers)) points)

entry mesh [n][m] (x: param [n][3]f64) (tri: data [m][3]i64) : f64 =
  sum (map (\\t ->
    let (a, b, c) = (x[t[0]], x[t[1]], x[t[2]])
    in sum (map3 (\\u v w -> (u - v) ** 2 + (v - w) ** 2 + (w - u) ** 2) a b c)) tri)

entry bins [n] (k: [n]i64) (v: [n]f64) (w: [n]i64) : ([10]f64, [10]f64, [10]i64) =
  (hist (+) 0 10 k v, hist max (-f64.inf) 10 k v, hist (+) 0 10 k w)

entry placed [n] (k: [n]i64) (v: [n]f64) : [50]f64 = scatter (replicate 50 0.5) k v

entry kept [n] (x: [n]f64) : []f64 = filter (\\v -> v > 0.5) x

entry sorted [n] (x: [n]f64) : [n]f64 = sort.sort x

entry solved [n] (a: [n][n]f64) (b: [n]f64) : ([n]f64, f64) =
  let c = matmul a (transpose a) in (solve c b, logdet c)
"""


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    with compiled_twice(PROGRAM, "interp") as modules:
        yield modules


def same(got: Any, want: Any, tolerance: float = 0.0) -> None:
    for x, y in zip(leaves(got), leaves(want), strict=True):
        assert x.shape == y.shape
        assert x.dtype == y.dtype
        assert np.array_equal(x, y, equal_nan=True) or (tolerance and np.allclose(x, y, tolerance, tolerance))


@pytest.mark.parametrize("n", [0, 1, 33, 300, 5000])
def test_folds_and_scans(both: tuple[Any, Any], n: int) -> None:
    device, interp = both
    rng = np.random.default_rng(n)
    x = rng.normal(size=n).round(1)
    a, b = rng.integers(-9, 9, (2, n)) * 2 + 1
    set_order(("forward", "reverse", "random")[n % 3], n)
    same(device.biggest(x), interp.biggest(x))
    same(device.places(x), interp.places(x))
    same(device.composed(a, b), interp.composed(a, b))
    same(device.composing(a, b), interp.composing(a, b))
    same(device.running(x), interp.running(x), 1e-12 if n > 2048 else 0.0)
    same(device.kept(x), interp.kept(x))
    same(device.sorted(x), interp.sorted(x))


def test_nan_comes_first_among_the_largest(both: tuple[Any, Any]) -> None:
    x = np.array([1.0, np.nan, 5.0, np.nan] * 40)
    same(both[0].places(x), both[1].places(x))
    same(both[0].biggest(x), both[1].biggest(x))


@pytest.mark.parametrize("n", [0, 40, 3000])
def test_places(both: tuple[Any, Any], n: int) -> None:
    device, interp = both
    rng = np.random.default_rng(n + 1)
    k, v, w = rng.integers(-1, 11, n), rng.normal(size=n), rng.integers(0, 9, n)
    same(device.bins(k, v, w), interp.bins(k, v, w), 1e-12)
    same(device.placed(k * 5, v), interp.placed(k * 5, v))


def test_totals_of_rows_take_few_launches(both: tuple[Any, Any]) -> None:
    device, interp = both
    rng = np.random.default_rng(3)
    points, centers = rng.normal(size=(600, 2)), rng.normal(size=(5, 2))
    device.kmeans.value_and_grad(points, centers)
    COUNTS.clear()
    got = device.kmeans.value_and_grad(points, centers)
    assert COUNTS.launches < 10
    same(got, interp.kmeans.value_and_grad(points, centers), 1e-12)
    x, triangles = rng.normal(size=(30, 3)), rng.integers(0, 30, (80, 3))
    COUNTS.clear()
    got = device.mesh.value_and_grad(x, triangles)
    assert COUNTS.launches < 20
    same(got, interp.mesh.value_and_grad(x, triangles), 1e-12)


def test_linear_algebra_is_done_by_libraries(both: tuple[Any, Any]) -> None:
    rng = np.random.default_rng(4)
    for n in (1, 20):
        a, b = rng.normal(size=(n, n)), rng.normal(size=n)
        same(both[0].solved(a, b), both[1].solved(a, b), 1e-8)


def test_singular_systems_fail_as_elsewhere(both: tuple[Any, Any]) -> None:
    said = []
    for module in both:
        with pytest.raises(dad.RunError) as failure:
            module.solved(np.zeros((20, 20)), np.ones(20))
        said.append(str(failure.value))
    assert said[0] == said[1]


def test_both_sides_know_the_same_primitives() -> None:
    with installed():
        from dad.codegen.runtime.device_primitives import DEVICE_PRIMITIVES

        assert set(DEVICE_PRIMITIVES) == KNOWN


def test_derivatives_of_determinants_and_spectra_stay_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
entry dets [n] (a: param [n][n]f64) : f64 = det a
entry spectrum [n] (a: param [n][n]f64) : f64 =
  let (w, v) = eigen a in sum (map2 (\\x r -> x * r[0] ** 2) w v)
"""
    rng = np.random.default_rng(8)
    with installed():
        device, other = dad.compile(text, target="cuda"), dad.compile(text, target="numpy")
        from dad.codegen.runtime.device import Run

        def nowhere(self: object, *args: object) -> list[int]:
            raise AssertionError("NumPy was asked")

        monkeypatch.setattr(Run, "host", nowhere)
        for n in (2, 7):
            a = rng.normal(size=(n, n))
            for name, matrix in (("dets", a), ("dets", np.zeros((n, n))), ("spectrum", a)):
                found, want = (getattr(m, name).value_and_grad(matrix) for m in (device, other))
                same(found, want, 1e-8)
