"""Arrays of every kind go in, and come out where they should: none is changed, none is shared with the program."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.standin import DEVICE, compiled, installed

PROGRAM = """
entry same [n] (x: [n]f64) : [n]f64 = x
entry both [n] (x: [n]f64) : ([n]f64, [n]f64, f64) = (x, x, sum x)
entry part [n] (x: [n + 1]f64) : [n]f64 = x[1:]
entry add [n] (x: [n]f64) (k: f64) : [n]f64 = map (+ k) x
entry pick [n] [m] (i: [n]i64) (x: [m]f64) : [n]f64 = map (\\k -> 2 * x[k]) i
entry turn [n] [m] (a: [n][m]f32) : [m][n]f32 = transpose a
entry loss [n] (x: param [n]f64) (y: data [n]f64) : f64 = sum ((x - y) * (x - y))
"""


@pytest.fixture(scope="module")
def device() -> Iterator[tuple[Any, Any]]:
    with compiled.quick(), installed() as cupy:
        yield cupy, dad.compile(PROGRAM, target="cuda")


class Lent:
    """An array of another library, by one of two protocols."""

    def __init__(self, array: Any, dlpack: bool) -> None:
        self.array, self.asked = array, 0
        if dlpack:
            self.__dlpack_device__ = array.__dlpack_device__
        else:
            self.__cuda_array_interface__ = array.__cuda_array_interface__

    def __dlpack__(self, **options: Any) -> Any:
        self.asked += 1
        return self.array.__dlpack__(**options)


def test_results_belong_to_who_asked(device: tuple[Any, Any]) -> None:
    cupy, m = device
    x = cupy.asarray(np.arange(5.0))
    first, second, total = m.both(x)
    assert total.get() == 10
    rest, again = m.part(x), m.same(x)
    for made in (first, rest, again):
        made[:] = 7
    assert second.get().tolist() == x.get().tolist() == [0, 1, 2, 3, 4]
    given = np.arange(3.0)
    given.flags.writeable = False
    made = m.same(given)
    made[0] = 9
    assert given[0] == 0


def test_arrays_lie_as_they_like(device: tuple[Any, Any]) -> None:
    cupy, m = device
    x, a = cupy.asarray(np.arange(6.0)), np.arange(6, dtype=np.float32).reshape(2, 3)
    assert m.add(x[::2], 1.0).get().tolist() == [1, 3, 5]
    assert m.add(x[::-2], 1.0).get().tolist() == [6, 4, 2]
    assert m.add(x.astype(np.float32), np.float32(1)).get().dtype == np.float64
    assert m.turn(cupy.asarray(a).T).get().tolist() == m.turn(a.T).tolist() == a.tolist()
    assert m.turn(np.asfortranarray(a)).tolist() == a.T.tolist()
    assert m.add(np.arange(3).astype(">f8"), 1.0).tolist() == [1, 2, 3]
    odd = np.frombuffer(b"\0" + np.arange(3.0).tobytes(), np.uint8)[1:].view(np.float64)
    assert m.add(odd[::-1], 1.0).tolist() == [3, 2, 1]
    assert m.add(cupy.asarray(np.zeros(0)), 1.0).shape == (0,)
    assert m.pick(np.array([1, 2]), x).get().tolist() == m.pick(cupy.asarray(np.array([1, 2], "i4")), x).get().tolist()
    for bad in (x.astype(np.int64), x.astype(np.complex128), cupy.asarray(np.ones((2, 2)))):
        with pytest.raises(dad.DadArgumentError, match=r"argument `x`: expected \[n\]f64, found a .* on the device"):
            m.add(bad, 1.0)


@pytest.mark.parametrize("dlpack", [True, False])
def test_arrays_of_others_are_read_where_they_lie(device: tuple[Any, Any], dlpack: bool) -> None:
    cupy, m = device
    large = cupy.asarray(np.ones(100_000))
    lent = Lent(large, dlpack)
    assert m.loss(lent, large).get() == 0
    before = DEVICE.used
    assert m.loss(lent, large).get() == 0
    assert DEVICE.used - before < 8 * 100_000
    assert lent.asked == 2 * dlpack
    value, slope = m.loss.value_and_grad(lent, cupy.asarray(np.zeros(100_000)))
    assert (value.get(), slope.get()[99_999]) == (100_000, 2)


def test_streams_and_threads_are_apart(device: tuple[Any, Any]) -> None:
    cupy, m = device
    x = cupy.asarray(np.arange(4.0))
    with cupy.cuda.Stream(non_blocking=True):
        assert m.add(x, 1.0).get().tolist() == [1, 2, 3, 4]
    found: dict[int, list[Any]] = {k: [] for k in range(3)}

    def work(k: int) -> None:
        for _ in range(8):
            found[k].append(float(m.loss(np.full(50, float(k)), np.zeros(50))))
            try:
                m.pick(np.array([1, 100 + k]), np.ones(3))
            except dad.RunError as error:
                found[k].append(str(error))

    threads = [threading.Thread(target=work, args=(k,)) for k in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, values in found.items():
        assert values[::2] == [50.0 * k * k] * 8
        assert all(f"index {100 + k} is out of bounds" in said for said in values[1::2])
        assert len(values) == 16
