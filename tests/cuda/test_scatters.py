"""Adding to places on the device: what the loop in order gives, bit by bit, in whatever order threads run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.cuda.device import scatters, sorting
from dad.codegen.runtime import device_scatters
from dad.tests.cuda.call import DTYPES, ORDERS, SIZES, Call, bits, device
from dad.tests.cuda.standin import set_order

OPERATIONS = {"add": np.add, "mul": np.multiply, "max": np.fmax, "min": np.fmin}
EACH = [("add", "f64"), ("add", "f32"), ("add", "i64"), ("add", "i32"), ("add", "u8"), ("max", "f64"), ("min", "i16"),
        ("mul", "u32")]


def text() -> str:
    return sorting.text({"u32"}, set(), False, False) + scatters.text(EACH, {1, 8})


def in_order(target: Any, places: Any, values: Any, op: str) -> Any:
    """Stretches of more values than one are added up first."""
    out = target.copy()
    with np.errstate(all="ignore"):
        for place in np.unique(places[(places >= 0) & (places < len(target))]):
            rows = values[places == place]
            if len(rows) > scatters.STRETCH and np.issubdtype(values.dtype, np.floating):
                cut = range(0, len(rows), scatters.STRETCH)
                rows = np.stack([left_to_right(op, rows[k], rows[k + 1:k + scatters.STRETCH]) for k in cut])
            out[place] = left_to_right(op, out[place], rows)
    return out


def left_to_right(op: str, start: Any, rows: Any) -> Any:
    total = start.copy()
    for row in rows:
        total = OPERATIONS[op](total, row).astype(rows.dtype)
    return total


def numbers(rng: Any, shape: Any, dtype: str) -> Any:
    if dtype[0] == "f":
        return rng.normal(size=shape).astype(DTYPES[dtype])
    return rng.integers(0, 100, shape).astype(DTYPES[dtype])


@pytest.mark.parametrize(("op", "dtype"), EACH)
def test_what_goes_to_places(op: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    with device() as cupy:
        call = Call(cupy, text())
        for few in (1 << 18, 0):
            monkeypatch.setattr(device_scatters, "SCATTER_FEW", few)
            for n, size, row in ((0, 3, 1), (1, 1, 1), (33, 5, 1), (300, 70000, 1), (100, 7, 3), (1000, 3, 2),
                                 (4097, 300, 1)):
                places = rng.integers(-2, size + 2, n)
                target, values = numbers(rng, (size, row), dtype), numbers(rng, (n, row), dtype)
                order = ORDERS[n % 3]
                set_order(order, n)
                at = call.put(target)
                device_scatters.scatter_op(call, at, size, call.put(places), call.put(values), n, dtype, row, op)
                got = call.array(at, DTYPES[dtype], (size, row)).get()
                want = in_order(target, places, values, op)
                assert (bits(got) == bits(want)).all(), (n, size, row, few)


@pytest.mark.parametrize("order", ORDERS)
def test_places_with_many_values(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(10)
    with device() as cupy:
        call = Call(cupy, text())
        set_order(order, 3)
        for places in (np.zeros(4000, int), np.sort(rng.integers(0, 9, 4000)), rng.integers(0, 4, 3000),
                       np.repeat([0, 1, 2, 3], [256, 257, 300, 513])):
            target, values = rng.normal(size=(9, 1)), rng.normal(size=(len(places), 1))
            at = call.put(target)
            device_scatters.scatter_op(call, at, 9, call.put(places), call.put(values), len(places), "f64")
            got = call.array(at, np.float64, (9, 1)).get()
            assert (bits(got) == bits(in_order(target, places, values, "add"))).all()


def test_the_last_value_stays() -> None:
    rng = np.random.default_rng(11)
    with device() as cupy:
        call = Call(cupy, text())
        for n in SIZES:
            for order in ORDERS:
                set_order(order, n)
                places, values = rng.integers(-3, 60, n), rng.normal(size=(n, 2))
                want = np.zeros((50, 2))
                for k, place in enumerate(places):
                    if 0 <= place < 50:
                        want[place] = values[k]
                at = call.put(np.zeros((50, 2)))
                device_scatters.scatter_put(call, at, 50, call.put(places), call.put(values), n, 8, 2)
                assert (call.array(at, np.float64, (50, 2)).get() == want).all()
