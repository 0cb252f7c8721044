"""Loops in parts on several threads: the same bits, the same errors, whoever calls and whatever happens meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dad
import numpy as np
import pytest
from dad.codegen.backends.native import threads, threads_text
from dad.tests.native.in_parts import in_parts

PROGRAM = """
entry norms [n][m] (x: [n][m]f64) : [n]f64 = map (\\r -> sqrt (sum [v * v + sin v for v in r])) x
entry total [n] (x: [n]f64) : f64 = sum [exp (sin v) for v in x]
entry walks [n] (k: i64) (x: [n]f64) : [n]f64 = map (\\v -> loop s = v for i < k do s + 0.01 * sin s) x
entry steps [n] (k: i64) (x: [n]f64) : f64 =
  sum (loop x = x for i < k do map (\\v -> v + 0.01 * (x[0] - v)) x)
entry rows [n][m] (w: [m]f64) (x: [n][m]f64) : f64 = sum [(sum (map2 (*) w r))**2 for r in x]
entry pick [n][l] (k: [n]i64) (x: [l]f64) : [n]f64 = map (\\i -> loop s = 0.0 for j < 3 do s + x[i + j]) k
def deep (k: i64) : f64 = if k <= 0 then 0.5 else 0.5 + deep (k - 1)
entry tower [n] (k: [n]i64) : [n]f64 = map deep k
entry grown [n] (k: [n]i64) : [n]f64 =
  map (\\m -> (loop (s, i) = (1.0, 0) while i < m do (s * 1.01, i + 1)).0) k
"""


def calls(m: dad.Module) -> list[object]:
    """What the program says to some arguments, errors and derivatives included."""
    rng = np.random.default_rng(5)
    x, y, w = rng.normal(size=(300, 7)), rng.normal(size=5000), rng.normal(size=7)
    found: list[object] = [
        m.norms(x), m.total(y), m.total.grad(y), m.walks(20, y[:400]), m.walks.vjp(5, y[:100], y[:100]),
        m.steps(9, y), m.steps.grad(3, y), m.rows(w, x), m.rows.grad(w, x), m.tower(np.arange(300)),
        m.grown(np.arange(300))]
    for first, second in ((17, 250), (250, 17), (299, 298)):
        k = np.arange(300)
        k[first], k[second] = 10**6 + first, 10**6 + second
        with pytest.raises(dad.RunError) as error:
            m.pick(k, np.ones(400))
        found.append(str(error.value))
    return found


def same(found: object, wanted: object) -> bool:
    if isinstance(wanted, tuple):
        return isinstance(found, tuple) and all(map(same, found, wanted))
    if isinstance(wanted, np.ndarray | float):
        return np.asarray(found).tobytes() == np.asarray(wanted).tobytes()
    return found == wanted


@pytest.mark.parametrize("tier", [0, 1])
def test_any_number_of_threads_gives_the_same(tier: int) -> None:
    with in_parts(1):
        wanted = calls(dad.compile(PROGRAM, target="native", tier=tier))
    assert "1000017" in str(wanted[-3])
    for count in (2, 3, 7) if tier == 0 else (3,):
        with in_parts(count):
            found = calls(dad.compile(PROGRAM, target="native", tier=tier))
        assert [same(x, y) for x, y in zip(found, wanted, strict=True)] == [True] * len(wanted)
    assert threads.pool().words[threads_text.STARTED] >= 2


def test_long_sums_of_arrays_are_cut_where_somebody_says_how_many_threads() -> None:
    rng = np.random.default_rng(2)
    w, few, many = rng.normal(size=5), rng.normal(size=(30, 5)), rng.normal(size=(3000, 5))
    whole = dad.compile(PROGRAM, target="native", tier=0).rows
    short, unset = whole.grad(w, few, wrt="w"), whole.grad(w, many, wrt="w")
    with in_parts(1):
        alone = dad.compile(PROGRAM, target="native", tier=0).rows
        one = alone.grad(w, many, wrt="w")
    with in_parts(3):
        together = dad.compile(PROGRAM, target="native", tier=0).rows
        assert same(together.grad(w, few, wrt="w"), short)
        assert same(together.grad(w, many, wrt="w"), one)
    assert not same(one, unset)
    np.testing.assert_allclose(one, unset, rtol=1e-12)


def test_calls_in_many_threads_of_python() -> None:
    with in_parts(1):
        wanted = calls(dad.compile(PROGRAM, target="native", tier=0))
    with in_parts(3):
        m = dad.compile(PROGRAM, target="native", tier=0)
        with ThreadPoolExecutor(6) as pool:
            found = [f.result() for f in [pool.submit(calls, m) for _ in range(8)]]
    assert all(same(x, y) for each in found for x, y in zip(each, wanted, strict=True))


def test_deep_calls_in_parts_run_again_on_a_larger_stack() -> None:
    with in_parts(2):
        m = dad.compile(PROGRAM, target="native", tier=0)
        k = np.full(50, 19_000)
        assert m.tower(k).tolist() == [0.5 * 19_001] * 50
        k[30] = 30_000
        with pytest.raises(dad.RunError, match="R110"):
            m.tower(k)


def test_a_setting_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAD_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="'many'"):
        threads.number()
    for text, count in (("", 1), ("5", 5), ("0", threads.processors())):
        monkeypatch.setenv("DAD_NUM_THREADS", text)
        assert threads.number() == count


RUN = """
import multiprocessing, os, signal, sys, threading, time
import numpy as np
import dad
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background begin with it ignored
SOURCE = sys.stdin.read()
assert threading.active_count() == 1
m = dad.compile(SOURCE, target="native", tier=0)
x = np.random.default_rng(0).normal(size=20_000)
tasks = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
before = tasks()
wanted = m.walks(300, x)
assert tasks() == before + 2 or not os.path.isdir("/proc/self/task"), (before, tasks())
def child(send):
    send.send((tasks(), m.walks(300, x).tobytes() == wanted.tobytes(), tasks()))
fork = multiprocessing.get_context("fork")
for again in range(3):
    ours, theirs = fork.Pipe()
    made = fork.Process(target=child, args=(theirs,))
    made.start()
    assert ours.poll(60), "the child hangs"
    print(ours.recv())
    made.join()
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
begun = time.perf_counter()
try:
    m.walks(10**9, x)
except KeyboardInterrupt:
    print("stopped")
assert m.walks(300, x).tobytes() == wanted.tobytes()
class Alarm(Exception): pass
def ring(*_):
    if os.fork() == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return
    raise Alarm
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    m.walks(10**9, x)
except KeyboardInterrupt:
    os._exit(0)
except Alarm:
    print("child ended with", os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_fork_and_signals() -> None:
    environment = {**os.environ, "DAD_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", RUN], input=PROGRAM, text=True,
                          capture_output=True, check=False, timeout=120, env=environment)
    child = "(1, True, 3)\n" if os.path.isdir("/proc/self/task") else "(0, True, 0)\n"
    assert (done.returncode, done.stdout) == (0, 3 * child + "stopped\nchild ended with 0\n"), done.stdout + done.stderr
