"""Calls go to CuPy's current stream, and are complete when it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.standin import COUNTS, compiled, installed

NUMBERS = [0.5 + k * k for k in range(40)]
PROGRAM = f"""
entry scale [n] (k: f64) (x: [n]f64) : [n]f64 = map (* k) x
entry loss [n] (x: param [n]f64) (k: data [n]i64) : f64 = sum [x[i] ** 2 for i in k]
entry table [n] (k: [n]i64) : [n]f64 = let t = {NUMBERS} in map (\\i -> t[i]) k
"""
N = 3000
RNG = np.random.default_rng(3)
X, K = RNG.normal(size=N), RNG.integers(0, N, N)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    with compiled.quick(), installed() as cupy:
        yield cupy, dad.compile(PROGRAM, target="cuda")


def test_what_is_launched_is_launched_there(both: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel, fill and copy of a call, and nothing waits for another stream."""
    cupy, m = both
    from dad.tests.cuda.standin import gpu, launch

    x, k = cupy.asarray(X), cupy.asarray(K)
    m.loss.value_and_grad(x, k)
    used: list[int] = []
    waited: list[int] = []

    def noted(self: Any, wait: Any = gpu.Stream.synchronize) -> None:
        waited.append(self.ptr)
        wait(self)

    monkeypatch.setattr(gpu.Stream, "synchronize", noted)
    launches = launch.Function.__call__

    def launched(self: Any, *args: Any, **named: Any) -> None:
        used.append(gpu.ready_stream().ptr)
        launches(self, *args, **named)

    monkeypatch.setattr(launch.Function, "__call__", launched)
    streams = [cupy.cuda.Stream(non_blocking=True), cupy.cuda.Stream()]
    found = []
    for stream in streams:
        used.clear()
        waited.clear()
        with stream:
            found.append(m.loss.value_and_grad(x, k))
        assert set(used) == {stream.ptr}
        assert set(waited) <= {stream.ptr}
        stream.synchronize()
    want, slope = float(np.sum(X[K] ** 2)), np.zeros(N)
    np.add.at(slope, K, 2 * X[K])
    for value, gradient in found:
        assert float(value.get()) == pytest.approx(want)
        np.testing.assert_allclose(gradient.get(), slope, rtol=1e-12)


def test_each_stream_has_memory_of_its_own(both: tuple[Any, Any]) -> None:
    """What one call computes in between is not where the call of another stream does."""
    cupy, m = both
    x, k = cupy.asarray(X), cupy.asarray(K)
    streams = [cupy.cuda.Stream(), cupy.cuda.Stream()]
    for stream in streams:
        with stream:
            m.loss.value_and_grad(x, k)
    from dad.codegen.runtime import device

    own = {stream.ptr for stream in streams}
    rooms = [room for made in programs(device) for (_, stream), room in made.rooms.items() if stream in own]
    places = [chunk.ptr for room in rooms for chunk in room.chunks] + [room.state.ptr for room in rooms]
    assert len(rooms) >= 2
    assert len(set(places)) == len(places)


def programs(device: Any) -> list[Any]:
    import gc

    return [x for x in gc.get_objects() if isinstance(x, device.Program)]


def test_a_stream_is_not_waited_for_where_nothing_can_fail(both: tuple[Any, Any]) -> None:
    cupy, m = both
    x = cupy.asarray(X)
    m.scale(2.0, x)
    with cupy.cuda.Stream() as stream:
        m.scale(3.0, x)
        COUNTS.clear()
        found = m.scale(3.0, x)
        assert COUNTS.synchronisations == 0
    stream.synchronize()
    np.testing.assert_array_equal(found.get(), 3.0 * X)


def test_a_table_is_there_for_every_stream_and_brought_once(both: tuple[Any, Any]) -> None:
    """Constants go to the card when the program is loaded, not with calls."""
    cupy, m = both
    k = cupy.asarray(K % 40)
    want = np.array(NUMBERS)[K % 40]
    np.testing.assert_array_equal(m.table(k).get(), want)
    for stream in (cupy.cuda.Stream(), cupy.cuda.Stream()):
        with stream:
            m.table(k)
            COUNTS.clear()
            found = m.table(k)
            assert COUNTS.launches <= 2
            assert COUNTS.to_device == 0
        stream.synchronize()
        np.testing.assert_array_equal(found.get(), want)
