"""Calls of native entries: what comes in and out, from where, and what must raise."""
from __future__ import annotations

import ctypes
import gc
import math
import os
import subprocess
import sys
import threading
import weakref
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.native import direct, memory
from dad.codegen.backends.native.context import NEXT
from dad.codegen.runtime.entry import Entry

PROGRAM = """
type point = {x: f64, y: f64}

entry add (x: f64) (y: f64) : f64 = x + y
entry next (n: i64) : i64 = n + 1
entry not (b: bool) : bool = !b
entry half (x: f32) : f32 = x / 2
entry small (k: i8) : i8 = k + 1
entry dot [n] (xs: [n]f64) (ys: [n]f64) : f64 = sum (map2 (*) xs ys)
entry scale [n] (a: f64) (xs: [n]f64) : [n]f64 = a * xs
entry both [n] (a: f64) (xs: [n]f64) : ([n]f64, f64) = (a * xs, sum xs)
entry rows [n][m] (xs: [n][m]f64) : [n]f64 = map sum xs
entry middle [n] (xs: [n + 2]f64) (ys: [n]f64) : f64 = xs[1] + sum ys
entry pairs [n] (xs: [2 * n]f64) : f64 = sum xs
entry given (n: i64) (xs: [n]f64) : f64 = sum xs
entry place (x: f64) (y: f64) : point = {y = y, x = x}
entry from_point (p: point) : f64 = p.x - p.y
entry flags [n] (xs: [n]f64) : [n]bool = map (> 0) xs
entry third [n] (xs: [n]f64) (k: i64) : f64 = xs[k]
entry singles [n] (xs: [n]f32) : f32 = sum xs
entry smooth [n] (a: f64) (xs: [n]f64) : f64 = sum (map (\\x -> a * exp x) xs)
entry same [n] (xs: [n]f64) : [n]f64 = xs
entry slow (n: i64) : f64 =
  loop s = 0.0 for i < n do s + f64 (i % 7)
def count (n: i64) : i64 = if n <= 0 then 0 else 1 + count (n - 1)
entry depth (n: i64) : i64 = count n
"""


@pytest.fixture(scope="module")
def program() -> Any:
    return dad.compile(PROGRAM, target="native", tier=0, name="calls.dad")


def fast(entry: Entry) -> bool:
    return type(entry.value.call) is type(len)


CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("add", (1.5, 2.0)), ("add", (1, 2.5)), ("add", (np.float64(1.5), -0.0)), ("add", (2 ** 53, -(2 ** 53))),
    ("next", (41,)), ("next", (np.int64(-3),)), ("next", (2 ** 63 - 1,)), ("not", (True,)), ("not", (np.bool_(False),)),
    ("half", (0.3,)), ("half", (np.float32(3),)), ("small", (np.int8(4),)), ("small", (5,)),
    ("dot", (np.arange(5.0), np.ones(5))), ("dot", ([1, 2], [3.0, 4.0])), ("dot", (np.zeros(0), np.zeros(0))),
    ("scale", (2.0, np.arange(3.0))), ("scale", (2.0, np.arange(6.0)[::2])), ("both", (2.0, np.arange(4.0))),
    ("rows", (np.arange(6.0).reshape(2, 3),)), ("rows", (np.arange(6.0).reshape(2, 3).T,)),
    ("rows", (np.zeros((0, 3)),)), ("middle", (np.arange(5.0), np.ones(3))), ("pairs", (np.ones(6),)),
    ("given", (3, np.ones(3))), ("place", (1.0, 2.0)), ("from_point", ({"x": 1.0, "y": 2.0},)),
    ("flags", (np.array([1.0, -1.0]),)), ("third", (np.arange(4.0), 2)), ("singles", (np.ones(9, np.float32),)),
    ("smooth", (2.0, np.zeros(3))), ("same", (np.arange(3.0),)), ("slow", (1000,)),
]


@pytest.mark.parametrize(("name", "args"), CALLS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_short_way_gives_what_the_long_way_gives(program: Any, name: str, args: tuple[Any, ...]) -> None:
    entry = program.entries[name]
    slowly = entry.value.slowly(*entry.parts(entry.arguments(args, {})))
    for _ in range(3):
        agree(entry(*args), slowly)
    assert fast(entry)


def agree(found: Any, wanted: Any) -> None:
    assert type(found) is type(wanted)
    if isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for x, y in zip(found, wanted, strict=True):
            agree(x, y)
    elif isinstance(wanted, np.ndarray):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        assert found.tobytes() == wanted.tobytes()
        assert all([found.flags.owndata, found.flags.c_contiguous, found.flags.writeable])
    else:
        assert (found, math.copysign(1, found)) == (wanted, math.copysign(1, wanted))


def test_derivatives_take_the_short_way_too(program: Any) -> None:
    xs = np.linspace(-1, 1, 7)
    for _ in range(3):
        value, gradient = program.smooth.value_and_grad(2.0, xs)
        assert value == program.smooth(2.0, xs)
        np.testing.assert_allclose(gradient.a, value / 2)
        np.testing.assert_allclose(gradient.xs, 2 * np.exp(xs))
        np.testing.assert_array_equal(program.smooth.grad(2.0, xs, wrt="xs"), gradient.xs)
        np.testing.assert_allclose(program.smooth.hvp(2.0, xs, (1.0, xs)).xs, np.exp(xs) * (1 + 2 * xs))
        np.testing.assert_allclose(program.smooth.jvp(2.0, xs, (1.0, 0 * xs))[1], value / 2)
    path = program.smooth.paths["value_and_grad", ("a", "xs")]
    assert type(path.call) is type(len)
    assert type(gradient).__name__ == "gradient"


def test_results_are_fresh(program: Any) -> None:
    xs = np.arange(3.0)
    for _ in range(3):
        found = program.same(xs)
        assert not np.shares_memory(found, xs)
        found[:] = 7
    np.testing.assert_array_equal(xs, np.arange(3.0))


WRONG = """
import sys, numpy as np, dad
from dad.codegen.runtime.errors import DadArgumentError, RunError
m = dad.compile(sys.stdin.read(), target="native", tier=0)
x = np.arange(3.0)
frozen = np.arange(3.0); frozen.flags.writeable = False
raw = np.zeros(25, np.uint8)[1:].view(np.float64)
class Sub(np.ndarray): pass
class Odd:
    def __float__(self): raise ValueError("odd")
    def __array__(self, *a, **k): raise ValueError("odd")
fine = [raw, x.astype(">f8"), frozen, x.view(Sub), x[::-1], list(x), (0.0, 1.0, 2.0), memoryview(x), np.ma.array(x),
        x.astype(np.float32), x.astype(np.int64)]
wrong = [None, "abc", b"abc", object(), Odd(), [1.0, "a"], np.array([None, 1.0, 2.0]), x.astype(complex),
         np.zeros((3, 1)),
         np.float64(1), np.array(1.0), 3, {}, x.astype("M8[s]"), np.array(["a", "b", "c"]), np.zeros(3, [("a", "f8")]),
         [[1.0], [2.0, 3.0]], range, np.array([2**63, 1, 2], np.uint64) + np.uint64(1), 10**400,
         x.astype(np.longdouble)]
numbers = [None, "a", object(), Odd(), [], x, 1j, 10**400, b"1", float, np.zeros((1,)), {}, np.array("a")]
integers = numbers + [1.5, 2**63, -2**63 - 1, np.float64(1), np.uint64(2**63)]
for round in range(3):
    for a in fine:
        assert m.dot(a, x) in (5.0, x @ x[::-1], 0.0), a
        assert m.dot(x, a) in (5.0, x @ x[::-1], 0.0), a
    cases = [(m.dot, (a, x)) for a in wrong] + [(m.dot, (x, a)) for a in wrong] + [(m.scale, (a, x)) for a in numbers]
    cases += [(m.third, (x, a)) for a in integers + [3, -1, 2**62]] + [(m.entries["not"], (a,))
                                                                              for a in integers + [1]]
    cases += [(m.dot, (x, np.ones(4))), (m.dot, (x,)), (m.dot, (x, x, x)), (m.dot, ()), (m.add, ()), (m.next, (True,))]
    cases += [(m.middle, (np.ones(4), np.ones(3))), (m.middle, (np.ones(1), np.ones(0))), (m.pairs, (np.ones(3),))]
    cases += [(m.given, (n, np.ones(3))) for n in (-1, 0, 2, 4, 2**31, 2**32 + 3, 2**61, 2**63 - 1)]
    cases += [(m.small, (200,)), (m.small, (np.int64(200),)), (m.half, ("a",)), (m.half, (1j,)), (m.rows, (x,)),
              (m.depth, (30000,)), (m.singles, (np.ones(2),)), (m.from_point, (1,)), (m.from_point, ({"x": 1},))]
    for entry, args in cases:
        try:
            found = entry(*args)
        except (DadArgumentError, RunError):
            continue
        print("accepted", entry, args, found)
        sys.exit(1)
    assert m.dot(x, x) == 5.0 and m.depth(19000) == 19000
print("done")
"""


def test_wrong_arguments_raise_and_never_signal() -> None:
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", WRONG], input=PROGRAM, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr


def test_calls_from_many_threads_agree(program: Any) -> None:
    xs = np.random.default_rng(1).normal(size=1000)
    wanted = program.smooth(1.5, xs), program.scale(2.0, xs).tobytes(), program.slow(20_000)
    found: list[Any] = []

    def work() -> None:
        for _ in range(20):
            found.append((program.smooth(1.5, xs), program.scale(2.0, xs).tobytes(), program.slow(20_000)))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 120


def test_rooms_of_a_thread_go_with_it(program: Any) -> None:
    kept: list[weakref.ref[memory.Room]] = []

    def work() -> None:
        program.slow(10)
        room = memory.entered()
        memory.left(room)
        kept.append(weakref.ref(room))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    assert kept[0]() is None
    for _ in range(3):
        assert program.slow(10) == 3 + 18 + 3


def test_contexts_are_there_whoever_takes_the_rooms(program: Any) -> None:
    """Machine code follows the list of contexts: rooms that the collector of garbage takes at once leave none that is
    freed, and new rooms have those that are left."""
    assert program.slow(10) == 3 + 18 + 3
    for _ in range(3):
        rooms: list[Any] = [memory.Room(-1, 1 << 28) for _ in range(3)]
        rooms.append(rooms)
        del rooms
        gc.collect()
    there = {ctypes.addressof(words) for words in memory._contexts}
    at, found = memory.HEAD.value, []
    while at:
        found.append(at)
        at = ctypes.c_int64.from_address(at + NEXT).value
    assert sorted(found) == sorted(there)
    assert set(memory.rooms) <= there
    assert len(memory.rooms) == len(memory._contexts) - len(memory._spare)
    assert program.slow(10) == 3 + 18 + 3


def test_deep_recursion_has_room(program: Any) -> None:
    assert program.depth(19_999) == 19_999
    found: list[Any] = []
    before = threading.stack_size(1 << 18)
    try:
        thread = threading.Thread(target=lambda: found.append(program.depth(15_000)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert found == [15_000]
    for _ in range(3):
        with pytest.raises(dad.RunError, match=r"R110.*20,000"):
            program.depth(20_001)


def test_a_fork_can_call(program: Any) -> None:
    program.slow(5)
    child = os.fork()
    if not child:
        good = program.slow(1000) == program.slow(1000) and program.scale(2.0, [1.0]).tolist() == [2.0]
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_function_outlives_its_entry() -> None:
    made = dad.compile("entry f (x: f64) : (f64, f64) = (x, 2 * x)", target="native")
    for _ in range(3):
        made.f(1.0)
    call = made.f.value.call
    del made
    gc.collect()
    assert call(3.0) == (3.0, 6.0)


def test_objects_are_laid_out_as_expected() -> None:
    assert direct.expected()
