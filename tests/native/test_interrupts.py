"""Ctrl-C while native code runs: every kind of loop stops, and what was interrupted can be called again."""
from __future__ import annotations

import subprocess
import sys

import dad

PROGRAM = """
entry repeated (n: i64) : f64 = loop s = 0.0 for i < n do s + f64 (i % 7)
entry until (n: i64) : i64 = let (k, s) = loop (k, s) = (0, 0) while k < n do (k + 1, s + (k ^ s)) in s
entry nested (n: i64) (m: i64) : f64 =
  loop s = 0.0 for i < n do s + (loop t = 0.0 for j < m do t + f64 (i * j % 3))
entry rows (n: i64) (m: i64) : f64 = loop s = 0.0 for i < n do s + sum (map (\\j -> exp (f64 (j % 3 - i % 2))) (iota m))
def fib (n: i64) : i64 = if n < 2 then n else fib (n - 1) + fib (n - 2)
entry calls (n: i64) : i64 = fib n
def count (n: i64) : i64 = if n <= 0 then 0 else 1 + count (n - 1)
entry deep (n: i64) : i64 = loop s = 0 for i < n do s + count 19000
"""

RUN = """
import os, signal, sys, threading
import dad
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background begin with it ignored
m = dad.compile(sys.stdin.read(), target="native", tier=0)
small = {"repeated": (10,), "until": (10,), "nested": (3, 4), "rows": (2, 3), "calls": (9,), "deep": (2,)}
large = {"repeated": [(10**12,)], "until": [(10**12,)], "nested": [(10**9, 5), (5, 10**12)], "rows": [(10**9, 50)],
         "calls": [(80,)], "deep": [(10**6,)]}
for called in range(3):  # all that calls go through is compiled by then
    wanted = {name: m.entries[name](*args) for name, args in small.items()}
for again in range(2):
    for name, cases in large.items():
        for args in cases:
            try:
                threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
                m.entries[name](*args)
            except KeyboardInterrupt:
                assert m.entries[name](*small[name]) == wanted[name]
            else:
                sys.exit(f"{name} was not interrupted")
class Alarm(Exception): pass
def ring(*_):
    assert m.nested(3, 4) == wanted["nested"]
    raise Alarm("rings")
signal.signal(signal.SIGALRM, ring)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    m.repeated(10**12)
except Alarm as error:
    print(error)
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(m.until(10)))
signal.setitimer(signal.ITIMER_REAL, 0.01)
m.calls(27)
signal.setitimer(signal.ITIMER_REAL, 0)
print(m.calls(9) == wanted["calls"])
"""


def test_every_loop_stops() -> None:
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", RUN], input=PROGRAM, capture_output=True,
                          text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "rings\nTrue\n"), done.stdout + done.stderr


def test_counting_changes_no_result() -> None:
    made = [dad.compile(PROGRAM, target=target) for target in ("native", "numpy")]
    for name, args in [("repeated", (40_000,)), ("nested", (20_000, 1)), ("nested", (3, 9_000)), ("rows", (2, 5_000)),
                       ("until", (30_000,)), ("calls", (12,)), ("repeated", (-3,)), ("nested", (3, -5))]:
        found, wanted = (m.entries[name](*args) for m in made)
        assert found == wanted or abs(found - wanted) < 1e-12 * abs(wanted), name
