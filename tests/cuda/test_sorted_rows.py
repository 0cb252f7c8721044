"""Rows that are sorted: short ones by a thread each, in one launch; long ones one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.standin import COUNTS, compiled, installed, set_order

PROGRAM = """
entry orders [n][m] (x: [n][m]f64) : [n][m]i64 = map argsort x
entry whole [n][m] (x: [n][m]i32) : [n][m]i64 = map argsort x
entry medians [n][m] (x: param [n][m]f64) : f64 = sum (map (\\r -> (sort.sort (map (** 2) r))[m / 2]) x)
"""
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    with compiled.quick(), installed():
        yield dad.compile(PROGRAM, target="cuda"), dad.compile(PROGRAM, target="numpy")


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (5, 1), (70, 2), (33, 7), (9, 200), (2, 300)])
def test_orders_are_stable_and_nan_is_last(both: tuple[Any, Any], shape: tuple[int, int]) -> None:
    device, _ = both
    x = RNG.normal(size=shape).round(1)
    x[RNG.random(shape) < 0.1] = np.nan
    x[RNG.random(shape) < 0.1] = -0.0
    set_order("random", 2)
    np.testing.assert_array_equal(device.orders(x), np.argsort(x, axis=1, kind="stable"))
    whole = RNG.integers(-3, 3, shape).astype(np.int32)
    np.testing.assert_array_equal(device.whole(whole), np.argsort(whole, axis=1, kind="stable"))
    set_order("forward")


def test_short_rows_are_one_launch(both: tuple[Any, Any]) -> None:
    device, _ = both
    x = RNG.normal(size=(500, 8))
    device.orders(x)
    COUNTS.clear()
    device.orders(x)
    assert COUNTS.launches == 1


def test_gradients_of_what_is_sorted(both: tuple[Any, Any]) -> None:
    device, numpy = both
    x = RNG.normal(size=(40, 9))
    device.medians.value_and_grad(x)
    COUNTS.clear()
    found = device.medians.value_and_grad(x)
    assert COUNTS.launches < 12
    for got, want in zip(found, numpy.medians.value_and_grad(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
