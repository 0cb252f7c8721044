"""Results written into arrays of the caller, and entries as functions of C."""
from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import dad
import numpy as np
import pytest

PROGRAM = """
entry scale [n] (a: f64) (xs: [n]f64) : [n]f64 = a * xs
entry same [n] (xs: [n]f64) : [n]f64 = xs
entry both [n] (xs: [n]f64) : {total: f64, half: [n]f64} = {total = sum xs, half = map (/ 2) xs}
entry smooth [n] (a: f64) (xs: [n]f64) : f64 = sum (map (\\x -> a * exp x) xs)
entry kinds (b: bool) (k: i8) (x: f32) : (bool, i8, f32) = (!b, k + 1, x / 2)
entry middle [n] (xs: [n + 2]f64) (ys: [2 * n]f64) : f64 = xs[1] + sum ys
entry third [n] (xs: [n]f64) (k: i64) : f64 = xs[k]
entry table [n][m] (xs: [n][m]f64) : [m][n]f64 = transpose xs
entry slow (n: i64) : f64 = loop s = 0.0 for i < n do s + f64 (i % 7)
def count (n: i64) : i64 = if n <= 0 then 0 else 1 + count (n - 1)
entry depth (n: i64) : i64 = count n
"""


@pytest.fixture(scope="module", params=["native", "numpy"])
def program(request: pytest.FixtureRequest) -> Any:
    return dad.compile(PROGRAM, target=request.param)


@pytest.fixture(scope="module")
def native() -> Any:
    return dad.compile(PROGRAM, target="native", tier=0)


def test_results_are_written(program: Any) -> None:
    x = np.arange(4.0)
    for _ in range(3):
        y = np.full(4, np.nan)
        assert program.scale.into(2.0, x, out=y) is y
        np.testing.assert_array_equal(y, 2 * x)
        total, half = np.empty(()), np.empty(4)
        program.both.into(x, out={"total": total, "half": half})
        program.both.into(x, out=(lambda made: made)(program.both(x))._replace(total=None, half=half))
        assert total == 6
        np.testing.assert_array_equal(half, x / 2)
        value, gradient = np.empty(()), np.empty(4)
        program.smooth.into(2.0, x, out=(value, (None, gradient)), derivative="value_and_grad")
        assert value == program.smooth(2.0, x)
        np.testing.assert_array_equal(gradient, program.smooth.grad(2.0, x).xs)
        kinds = np.empty((), bool), np.empty((), np.int8), np.empty((), np.float32)
        program.kinds.into(True, np.int8(3), 0.5, out=kinds)
        assert [k.item() for k in kinds] == [False, 4, 0.25]
        z = x.copy()
        program.scale.into(3.0, z, out=z)
        np.testing.assert_array_equal(z, 3 * x)
        program.same.into(z[:3].copy(), out=z[:3])
        program.scale.into(1, list(x), out=y)
        np.testing.assert_array_equal(y, x)


WRONG: list[tuple[str, Any]] = [
    ("A102", [0.0] * 4), ("A102", np.empty(4, np.float32)), ("A102", 1.0), ("A102", np.empty(4, ">f8")),
    ("A103", np.empty(3)), ("A103", np.empty((4, 1))), ("A108", np.empty(8)[::2]),
    ("A108", np.empty(33, np.uint8)[1:].view(np.float64)), ("A108", np.broadcast_to(1.0, 4)),
]


@pytest.mark.parametrize(("code", "out"), WRONG)
def test_what_results_do_not_fit_into(program: Any, code: str, out: Any) -> None:
    for _ in range(3):
        with pytest.raises(dad.DadArgumentError, match=code):
            program.scale.into(2.0, np.arange(4.0), out=out)


def test_arrays_to_write_to_lie_apart(program: Any) -> None:
    memory = np.empty(5)
    with pytest.raises(dad.DadArgumentError, match="A108"):
        program.both.into(np.arange(4.0), out=(memory[:1].reshape(()), memory[:4]))
    with pytest.raises(dad.DadArgumentError, match="A104"):
        program.scale.into(1.0, np.arange(4.0), out=memory, derivative="hvp")


def call(address: int, inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    tables = [np.array([a.ctypes.data for a in arrays] or [0]) for arrays in (inputs, outputs)]
    sizes = np.array([n for a in (*inputs, *outputs) for n in a.shape] or [0])
    return int(kind(address)(tables[0].ctypes.data, sizes.ctypes.data, tables[1].ctypes.data))


def test_functions_of_c(native: Any) -> None:
    x, y = np.arange(4.0), np.empty(4)
    assert call(native.scale.address, [np.array(2.0), x], [y]) == 0
    np.testing.assert_array_equal(y, 2 * x)
    matrix, turned = np.arange(6.0).reshape(2, 3), np.empty((3, 2))
    assert call(native.table.address, [matrix], [turned]) == 0
    np.testing.assert_array_equal(turned, matrix.T)
    value, a, gradient = np.empty(()), np.empty(()), np.empty(4)
    assert call(native.smooth.address_of("value_and_grad"), [np.array(2.0), x], [value, a, gradient]) == 0
    np.testing.assert_array_equal(gradient, native.smooth.grad(2.0, x).xs)
    kinds = np.empty((), bool), np.empty((), np.int8), np.empty((), np.float32)
    assert call(native.kinds.address, [np.array(True), np.array(3, np.int8), np.array(0.5, np.float32)],
                kinds) == 0
    assert [k.item() for k in kinds] == [False, 4, 0.25]
    assert call(native.middle.address, [np.ones(5), np.ones(6)], [value]) == 0
    assert value == 7
    assert native.kinds.c_signature().splitlines()[1:3] == ["inputs[0]: b, bool", "inputs[1]: k, int8_t"]


def test_functions_of_c_refuse(native: Any) -> None:
    value, y = np.empty(()), np.full(4, 5.0)
    crooked = np.zeros(41, np.uint8)[1:].view(np.float64)
    for _ in range(3):
        assert call(native.middle.address, [np.ones(5), np.ones(5)], [value]) == 2
        assert call(native.middle.address, [np.ones(1), np.ones(0)], [value]) == 2
        assert call(native.third.address, [crooked, np.array(1)], [value]) == 2
        assert call(native.third.address, [np.ones(3), np.array(3)], [value]) == 1
        assert call(native.depth.address, [np.array(10**6)], [np.empty((), np.int64)]) == 1
        assert call(native.depth.address, [np.array(100)], [np.empty((), np.int64)]) == 0
        assert call(native.scale.address, [np.array(2.0), np.ones(3)], [y]) == 3
    np.testing.assert_array_equal(y, np.full(4, 5.0))


def test_functions_of_c_in_threads(native: Any) -> None:
    found: list[float] = []

    def work() -> None:
        out = np.empty(())
        for _ in range(50):
            assert call(native.slow.address, [np.array(20_000)], [out]) == 0
            found.append(out.item())

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [native.slow(20_000)] * 600


def test_other_targets_have_no_address() -> None:
    made = dad.compile("entry f (x: f64) : f64 = x", target="numpy")
    with pytest.raises(AttributeError, match="native"):
        made.f.address_of()
