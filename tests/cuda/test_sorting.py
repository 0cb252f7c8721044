"""Sorting on the device: the order of NumPy's stable sort, in whatever order threads run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.cuda.device import sorting
from dad.codegen.runtime import device_sorting
from dad.tests.cuda.call import DTYPES, ORDERS, SIZES, Call, device
from dad.tests.cuda.standin import set_order


def numbers(rng: Any, n: int, dtype: str) -> Any:
    """With equal ones; of floats zeros of both signs, infinite ones and nan of both signs."""
    if dtype == "bool":
        return rng.integers(0, 2, n).astype(bool)
    if dtype[0] in "iu":
        info = np.iinfo(DTYPES[dtype])
        wide = rng.integers(info.min, info.max, n, DTYPES[dtype], endpoint=True)
        return np.where(rng.random(n) < 0.5, wide, (wide % 7).astype(DTYPES[dtype]))
    usual = np.round(rng.normal(size=n) * 3, 1).astype(DTYPES[dtype])
    odd: Any = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1.0], DTYPES[dtype])
    return np.where(rng.random(n) < 0.3, odd[rng.integers(0, len(odd), n)], usual)


TEXT = sorting.text({"u32"}, set(DTYPES), True, True)


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_argsort_is_stable(dtype: str) -> None:
    rng = np.random.default_rng(5)
    with device() as cupy:
        call = Call(cupy, TEXT)
        for n in SIZES if dtype == "f64" else (0, 1, 300, 4097):
            x = numbers(rng, n, dtype)
            for order in ORDERS if dtype in ("f64", "i8") else ORDERS[2:]:
                set_order(order, n)
                out = call.room("i64", (n,))
                device_sorting.argsort_rows(call, call.put(x), 1, n, dtype, out.data.ptr)
                assert (out.get() == np.argsort(x, kind="stable")).all(), (n, order)


@pytest.mark.parametrize(("rows", "n"), [(0, 3), (3, 0), (5, 7), (300, 5), (2, 5000)])
def test_rows_are_sorted_apart(rows: int, n: int) -> None:
    rng = np.random.default_rng(6)
    x = numbers(rng, rows * n, "f32").reshape(rows, n)
    with device() as cupy:
        call = Call(cupy, TEXT)
        out = call.room("i64", (rows, n))
        device_sorting.argsort_rows(call, call.put(x), rows, n, "f32", out.data.ptr)
        assert (out.get() == np.argsort(x, axis=1, kind="stable")).all()


def test_sums_before_counts() -> None:
    rng = np.random.default_rng(7)
    with device() as cupy:
        call = Call(cupy, TEXT)
        for n in (1, 255, 2048, 2049, 600_000):
            x = rng.integers(0, 1000, n).astype(np.uint32)
            at = call.put(x)
            device_sorting.sums_before(call, at, n)
            assert (call.array(at, np.uint32, (n,)).get() == np.cumsum(x) - x).all()


def test_positions_of_flags() -> None:
    rng = np.random.default_rng(8)
    with device() as cupy:
        call = Call(cupy, TEXT)
        for n in SIZES:
            for share in (0.0, 0.4, 1.0):
                flags = rng.random(n) < share
                out = call.room("i64", (n,))
                count = device_sorting.flag_positions(call, call.put(flags), n, out.data.ptr)
                assert (out.get()[:count] == np.flatnonzero(flags)).all()
                assert count == flags.sum()
