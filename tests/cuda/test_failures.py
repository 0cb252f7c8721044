"""What fails first: whatever the order of threads, the failure that the interpreter meets is the one that is told."""

from __future__ import annotations

from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.campaign import ORDERS
from dad.tests.cuda.standin import DEVICE, compiled, installed

PROGRAM = """
entry total [n] [m] (i: [n]i64) (j: [n][4]i64) (y: [m]f64) : f64 = sum (map (\\k -> y[k] * 2) i)
entry most [n] [m] (i: [n]i64) (j: [n][4]i64) (y: [m]f64) : f64 = maximum (map (\\k -> y[k] * 2) i)
entry twice [n] [m] (i: [n]i64) (j: [n][4]i64) (y: [m]f64) : [n]f64 =
  let a = map (\\k -> y[k] * 2) i
  let s = scan (+) 0 a
  in map (\\(v, k) -> v + y[2 * k + 3]) (zip s i)
entry nested [n] [m] [w] (i: [n]i64) (j: [n][w]i64) (y: [m]f64) : [n]f64 =
  map (\\(k, js) ->
         let s = sum (map (\\q -> y[q] * 2) js)
         let t = maximum (map (\\q -> y[q + k] * s) js)
         in s + t + y[k + k])
      (zip i j)
"""
RECURSION = """
def product (n: i64) : i64 = if n <= 0 then 1 else n * product (n - 1) % 1000003
entry products [n] (k: [n]i64) : [n]i64 = map product k
"""
BOUNDS = """
entry within [l] [n] [m] (low: f64) (high: f64) (a: [l][n][m]f64{low..high}) : f64 =
  sum (map (\\b -> sum (flatten b)) a)
entry small [n] (a: [n]f64{<1}) : f64 = sum (map (\\x -> 1 / (1 - x)) a)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.MODE, "flags", compiled.QUICK)


def told(function: Any, *args: Any) -> Any:
    try:
        return np.asarray(function(*args)).tolist()
    except dad.RunError as error:
        return error.args


def arguments() -> tuple[Any, ...]:
    """Iterations 30, 100, 500 and 600 fail, the first of them in a later piece of its nest than others."""
    i, j = np.zeros(1000, np.int64), np.random.default_rng(0).integers(0, 3, (1000, 40))
    i[[100, 500, 600]] = 11, 12, 13
    i[30] = 4
    j[37, 5], j[39, 0], j[300, 3] = 77, 88, 99
    return i, j, np.ones(6)


def test_the_first_failure_is_told() -> None:
    args = arguments()
    host, names = dad.compile(PROGRAM, target="interp"), ("total", "most", "twice", "nested")
    wanted = {}
    for name in names:
        given = args if name == "nested" else (args[0], args[1][:, :4], args[2])
        wanted[name] = given, told(getattr(host, name), *given)
    assert "index 6 is out of bounds for axis 0 of `y` with size 6" in wanted["nested"][1][1]
    for order in ORDERS:
        with installed(*order):
            device = dad.compile(PROGRAM, target="cuda")
            for name, (given, want) in wanted.items():
                assert told(getattr(device, name), *given) == want, (name, order)
            right = (args[0][:20], args[1][:20, :4], args[2])  # and what failed before has left nothing
            assert told(device.total, *right) == told(host.total, *right)


def test_recursion_is_as_deep_as_elsewhere_and_leaves_nothing() -> None:
    host = dad.compile(RECURSION, target="native")
    with installed():
        device = dad.compile(RECURSION, target="cuda")
        for k in ([3, 300], [20_010], [5]):
            assert told(device.products, np.array(k)) == told(host.products, np.array(k))


def test_what_ends_a_call_leaves_no_failure_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device has said that a check failed, when memory is out before the host hears of it."""
    program = """
    entry grown [n] [m] (i: [n]i64) (y: [m]f64) (k: i64) : f64 =
      let first = y[i[n - 1]]
      in first + sum (scan (+) 0 (tabulate k (\\j -> f64.i64 j)))
    """
    with installed():
        device = dad.compile(program, target="cuda")
        y = np.ones(3)
        assert device.grown(np.array([2]), y, 3) == 5
        monkeypatch.setattr(DEVICE, "limit", DEVICE.used + 40_000_000)
        with pytest.raises(dad.DeviceError, match="U115"):
            device.grown(np.array([7]), y, 10_000_000)
        assert device.grown(np.array([2]), y, 3) == 5


def test_failures_may_say_many_values() -> None:
    """A check of an element says it, both bounds and three indices; what the device knows of memory stays whole."""
    good, bad = np.full((2, 3, 4), 0.5), np.full((2, 3, 4), 0.5)
    bad[1, 2, 3] = 7.0
    host = dad.compile(BOUNDS, target="interp")
    with installed():
        device = dad.compile(BOUNDS, target="cuda")
        for a in (good, bad, good, bad):
            assert told(device.within, 0.0, 2.0, a) == told(host.within, 0.0, 2.0, a)
        for x in ([0.5], [0.5, 1.5], [0.25] * 500, [np.nextafter(1, 2)]):
            assert told(device.small, x) == told(host.small, x)
    assert "a[1, 2, 3]" in str(told(host.within, 0.0, 2.0, bad))
