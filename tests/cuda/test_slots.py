"""Additions that are written down: a key to a row, several loops at once, in the order of the loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dad.codegen.runtime import device_scatters
from dad.tests.cuda.agreement import compiled_twice, leaves
from dad.tests.cuda.standin import COUNTS, set_order

PROGRAM = """
entry triangles [n][m] (x: param [n][3]f64) (t: data [m][3]i64) : f64 =
  sum (map (\\k -> let (a, b, c) = (x[k[0]], x[k[1]], x[k[2]])
    in (a[0] - b[0]) ** 2 * c[1] + (b[1] - c[2]) ** 2 * a[2] + a[1] * b[2] * c[0]) t)

entry springs [n][m] (x: param [n][3]f64) (ends: data [m][2]i64) (soft: data [m]bool) : f64 =
  sum (map2 (\\e s -> let (a, b) = (x[e[0]], x[e[1]])
    in sum (map2 (\\u v -> (u - v) ** 2) a b) + (if s then sum (map (** 4) x[e[1]]) else 0)) ends soft)

entry mixed [n][m] (x: param [n][2]f64) (y: param [n]f64) (k: data [m]i64) (j: data [m]i64) : f64 =
  sum (map2 (\\a b -> x[a, 0] * y[b] + x[b, 1] * y[a] ** 2 + (if a < b then x[a, 1] * x[b, 0] else 0)) k j)

entry apart [n][m] (x: param [n][2]f64) (k: data [m]i64) : f64 =
  sum [x[i, 0] * 3 for i in k] + sum [sum (map (** 2) x[i]) for i in k] * 2

entry graph [n][m] (x: param [n]f64) (src: data [m]i64) (dst: data [m]i64) : f64 =
  let y = reduce_by_index (replicate n 0.0) (+) 0 dst (map (\\i -> x[i]) src)
  in sum (map (** 2) y)

entry counted [n][m] (h: [n]f64) (k: [m]i64) (v: [m]f64) (w: [m]f64) : [n]f64 =
  reduce_by_index (reduce_by_index h (+) 0 k v) (+) 0 (map (\\i -> i / 2) k) w

entry read [n][m] (h: [n]f64) (k: [m]i64) (v: [m]f64) : f64 =
  let sums = reduce_by_index h (+) 0 k v
  in sums[0] * 2 + sums[n - 1]
"""
RNG = np.random.default_rng(12)
N, M = 90, 700


def ints(*shape: int) -> Any:
    return RNG.integers(0, N, shape)


CASES: dict[str, tuple[Any, ...]] = {
    "triangles": (RNG.normal(size=(N, 3)), ints(M, 3)),
    "springs": (RNG.normal(size=(N, 3)), ints(M, 2), RNG.random(M) < 0.5),
    "mixed": (RNG.normal(size=(N, 2)), RNG.normal(size=N), ints(M), ints(M)),
    "apart": (RNG.normal(size=(N, 2)), ints(M)),
}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    with compiled_twice(PROGRAM, "native") as modules:
        yield modules


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All additions are written down and sorted."""
    from dad.codegen.runtime import device_additions

    monkeypatch.setattr(device_additions, "PART_ROOM", 0)
    monkeypatch.setattr(device_additions, "FEW_PARTS", 1.5)
    monkeypatch.setattr(device_scatters, "SCATTER_FEW", 0)


@pytest.mark.parametrize("name", list(CASES))
def test_gradients_have_the_bits_of_machine_code(both: tuple[Any, Any], name: str, writing: None) -> None:
    device, native = both
    want = list(leaves(getattr(native, name).value_and_grad(*CASES[name])))
    for order in ("forward", "reverse", "random"):
        set_order(order, 3)
        for x, y in zip(leaves(getattr(device, name).value_and_grad(*CASES[name])), want, strict=True):
            np.testing.assert_array_equal(x, y, strict=True)
    set_order("forward")


def test_two_histograms_in_their_order(both: tuple[Any, Any], writing: None) -> None:
    device, native = both
    h, k, v, w = RNG.normal(size=N), ints(M), RNG.normal(size=M) * 1e9, RNG.normal(size=M)
    np.testing.assert_array_equal(device.counted(h, k, v, w), native.counted(h, k, v, w))


def test_loops_that_add_to_one_array_are_sorted_once(both: tuple[Any, Any], writing: None) -> None:
    device, _ = both
    for name in ("springs", "triangles"):
        getattr(device, name).value_and_grad(*CASES[name])
        COUNTS.clear()
        getattr(device, name).value_and_grad(*CASES[name])
        assert COUNTS.launched.count("dad_stretches_add_f64") == 1


def test_what_is_added_is_there_for_what_reads_it_next(both: tuple[Any, Any]) -> None:
    device, native = both
    given = RNG.normal(size=3), RNG.integers(0, 3, 50), RNG.normal(size=50)
    np.testing.assert_allclose(device.read(*given), native.read(*given), 1e-12)
    for x, y in zip(leaves(device.read.vjp(*given, 1.5)), leaves(native.read.vjp(*given, 1.5)), strict=True):
        np.testing.assert_allclose(x, y, 1e-12)


def test_what_an_iteration_stores_for_itself_it_may_read(both: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
                                                         ) -> None:
    """Edges of a graph: many threads add, not one."""
    from dad.tests.cuda.standin import launch

    device, native = both
    blocks: list[Any] = []

    def launched(self: Any, grid: Any, block: Any, *args: Any, call: Any = launch.Function.__call__, **named: Any
                 ) -> None:
        blocks.append(block)
        call(self, grid, block, *args, **named)

    monkeypatch.setattr(launch.Function, "__call__", launched)
    args = RNG.normal(size=N), ints(M), ints(M)
    found = device.graph.value_and_grad(*args)
    assert blocks
    assert (1,) not in blocks
    for x, y in zip(leaves(found), leaves(native.graph.value_and_grad(*args)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)
