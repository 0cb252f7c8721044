"""More than 2**20 numbers in each kind of kernel; and sizes whose product passes 2**31, of which only launches are
looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.standin import compiled, installed
from dad.tests.cuda.standin.planned import planned

PROGRAM = """
entry total [n] (x: [n]f64) : f64 = sum x
entry rows [n][m] (x: [n][m]f64) : [n]f64 = map sum x
entry folded [n] (x: [n]i64) : (i64, i64) = reduce (\\(p, q) (r, s) -> (p * r, q * r + s)) (1, 0) (zip x x)
entry running [n] (x: [n]i64) : [n]i64 = scan (+) 0 x
entry bins [n] (k: [n]i64) (x: [n]f64) (m: i64) : [m]f64 = hist (+) 0 m k x
entry sorted [n] (x: [n]i16) : [n]i16 = sort.sort x
entry kept [n] (x: [n]f64) : []f64 = filter (\\v -> v > 0.5) x
entry scale [n] (k: f64) (x: [n]f64) : [n]f64 = map (* k) x
"""
N = (1 << 20) + 12345
RNG = np.random.default_rng(2)
X = RNG.normal(size=N)
WHOLE = RNG.integers(-5, 6, N) * 2 + 1


@pytest.fixture(scope="module")
def device() -> Iterator[Any]:
    before, compiled.MODE.flags = compiled.MODE.flags, ("-O1",)
    try:
        with installed():
            yield dad.compile(PROGRAM, target="cuda")
    finally:
        compiled.MODE.flags = before


def test_elements_and_sums(device: Any) -> None:
    np.testing.assert_array_equal(device.scale(3.0, X), 3.0 * X)
    assert device.total(X) == np.sum(X)
    wide = X[:1 << 17].reshape(1 << 15, 4)
    np.testing.assert_array_equal(device.rows(wide), wide.sum(1))


def test_folds_and_scans_in_several_levels(device: Any) -> None:
    np.testing.assert_array_equal(device.running(WHOLE), np.cumsum(WHOLE))
    p, q = 1, 0
    for x in WHOLE.tolist():
        p, q = p * x % 2**64, (q * x + x) % 2**64
    found = device.folded(WHOLE)
    assert [int(v) % 2**64 for v in found] == [p, q]


def test_places_and_orders(device: Any) -> None:
    for m in (7, 1 << 17):  # parts of threads, and values sorted by place
        k = RNG.integers(0, m, N)
        want = np.bincount(k, X, m)
        np.testing.assert_allclose(device.bins(k, X, m), want, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(device.kept(X), X[X > 0.5])
    short = RNG.integers(-32768, 32768, N).astype(np.int16)  # two passes
    np.testing.assert_array_equal(device.sorted(short), np.sort(short))


VAST = """
entry outer [n][m] (x: [n]f64) (y: [m]f64) : [n][m]f64 = [[a * b for b in y] for a in x]
entry inner [n][m] (x: [n][m]f64) : f64 = sum (map (\\r -> sum (map (** 2) r)) x)
entry total [n] (x: [n]f32) : f32 = sum x
entry running [n] (x: [n]i64) : [n]i64 = scan (+) 0 x
entry scale [n] (x: [n]f32) : [n]f32 = map (* 2) x
entry turned [n][m] (x: [n][m]f64) : [m][n]f64 = transpose x
entry mesh [n][m] (x: param [n][3]f64) (t: data [m][2]i64) : f64 = sum [sum (map2 (*) x[k[0]] x[k[1]]) for k in t]
"""
SIDE, MANY = 70_000, 5_000_000_000


def test_sizes_that_pass_two_to_the_31st() -> None:
    """All numbers of elements are whole: in arguments, in bytes that are taken, in texts."""
    with planned() as plan:
        import cupy

        module = dad.compile(VAST, target="cuda")
        x, y = cupy.empty(SIDE), cupy.empty(SIDE)
        assert module.outer(x, y).shape == (SIDE, SIDE)
        assert 8 * SIDE * SIDE in plan.allocated
        square = cupy.empty((SIDE, SIDE))
        for run in (module.inner, module.turned):
            run(square)
        many = cupy.empty(MANY, np.float32)
        for run in (module.total, module.scale):
            plan.clear()
            run(many)
            assert any(int(MANY) in map(int, one.args[1:]) for one in plan.launches)
        plan.clear()
        module.running(cupy.empty(MANY, np.int64))
        assert all(one.grid[0] < 2**31 for one in plan.launches)
        points, ends = cupy.empty((10**9, 3)), cupy.empty((2 * 10**9, 2), np.int64)
        plan.clear()
        module.mesh.value_and_grad(points, ends)
        keys = [int(one.args[2]) for one in plan.launches if one.name == "dad_move_u32"]
        assert keys
        assert max(keys) <= 1 << 25  # written down bit by bit
        assert sum(keys) // 4 == 2 * 2 * 10**9  # four passes of two additions each


def test_indices_have_64_bits() -> None:
    """No text of a kernel counts elements, rows or threads in 32 bits."""
    with planned():
        from dad import driver
        from dad.lang.source import Source

        made = driver.compile_source(Source("vast.dad", VAST), target="cuda")
        narrow = [line for _, text in made.kernels for line in text.split("\n")
                  if "blockIdx.x *" in line and "int64_t)" not in line and "ll * blockIdx" not in line
                  and "long long" not in line]
        assert made.kernels
        assert narrow == []
