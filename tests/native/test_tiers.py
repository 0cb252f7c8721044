"""Tiers: the same results from both, fast code in the background, nothing compiled twice, long programs."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.loops.lower import lower
from dad.codegen.backends.native import background, engine, jit, llvm, objects, units
from dad.codegen.backends.native.call import function
from dad.codegen.backends.native.engine import Engine
from dad.lang.core.text import parse

PROGRAM = """def g (x: f64) : f64 = loop y = x for i < 3 do y * x + 1
def down (n: i64) (x: f64) : f64 = if n <= 0 then x else g x + 0.5 * down (n - 1) (x / 2)
entry f [n] (xs: [n]f64) (k: i64) : f64 = sum (map g xs) + xs[k] + down 5 xs[0]
entry one (x: f64) : f64 = x * x
"""


def engine_of(entry: Any) -> Engine:
    found = entry.function.engine
    assert isinstance(found, Engine)
    return found


def test_the_tiers_agree() -> None:
    xs = np.linspace(-2, 2, 77)
    made = [dad.compile(PROGRAM, target=target, tier=tier)
            for target, tier in (("native", 0), ("native", 1), ("interp", None))]
    values = [m.f(xs, 5) for m in made]
    gradients = [m.f.grad(xs, 5).tobytes() for m in made]
    assert values[0] == values[1] == values[2]
    assert gradients[0] == gradients[1] == gradients[2]
    for m in made:
        with pytest.raises(dad.RunError, match=r"R101: index 77 is out of bounds .*:3"):
            m.f(xs, 77)


def test_fast_code_comes_when_calls_took_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAD_CACHE", "0")
    monkeypatch.setattr(objects, "_objects", type(objects._objects)())
    xs = np.linspace(-2, 2, 1000)
    m = dad.compile(PROGRAM, target="native")
    first = m.f(xs, 5)
    assert engine_of(m.f).tier == 0
    for _ in range(100_000):
        assert m.f(xs, 5) == first
        if engine_of(m.f).left == np.inf:
            break
    assert background.settle(60)
    assert (engine_of(m.f).tier, engine_of(m.f).trouble) == (1, None)
    assert m.f(xs, 5) == first
    again = dad.compile(PROGRAM, target="native")
    assert engine_of(again.f).tier == 1  # it is there already
    assert dad.compile(PROGRAM, target="native", tier=0).f.function.engine.tier == 0


def test_a_program_that_is_gone_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    promoted: list[Engine] = []
    monkeypatch.setattr(Engine, "promote", lambda self: promoted.append(self))
    m = dad.compile(PROGRAM.replace("+ 1", "+ 7"), target="native", tier=0)
    with background._worker.changed:
        background.later(engine_of(m.f))
        del m
        import gc

        gc.collect()
    assert background.settle(60)
    assert promoted == []


def test_what_cannot_be_compiled_stays_at_tier_0(monkeypatch: pytest.MonkeyPatch) -> None:
    m = dad.compile(PROGRAM, target="native", tier=0)
    trouble = RuntimeError("no")

    def fail(self: Engine) -> None:
        raise trouble

    monkeypatch.setattr(Engine, "promote", fail)
    background.later(engine_of(m.f))
    assert background.settle(60)
    assert engine_of(m.f).trouble is trouble
    assert m.one(3.0) == 9.0


def test_the_interpreter_ends_while_tier_1_is_compiled() -> None:
    code = f"""
import dad, os, threading
assert not [t for t in threading.enumerate() if t.name.startswith("dad")]
m = dad.compile({PROGRAM!r}, target="native")
from dad.codegen.backends.native import background
background.later(m.f.function.engine)
if os.fork() == 0:
    background.later(m.f.function.engine)
    assert background.settle(60) and m.f.function.engine.tier == 1 and m.one(3.0) == 9.0
    os._exit(7)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
background.later(m.f.function.engine)
"""
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, DAD_CACHE="0"), capture_output=True,
                          text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_code_that_runs_outlives_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAD_CACHE", "0")
    m = dad.compile("entry f (n: i64) (x: f64) : f64 = loop s = x for i < n do 0.5 * s + 1 / (1 + s * s)",
                    target="native", tier=None)
    assert m.f(3, 1.0) == m.f(3, 1.0)
    native = m.f.function
    before = [i.loaded for i in native.engine.kept]
    results: list[float] = []
    runner = threading.Thread(target=lambda: results.append(m.f(150_000_000, 1.0)))
    runner.start()
    native.engine.promote()
    gc.collect()
    runner.join()
    assert native.engine.tier == 1
    assert [i.loaded for i in native.engine.kept][:len(before)] == before
    assert results == [m.f(150_000_000, 1.0)]


def test_an_edit_compiles_what_it_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAD_CACHE", "0")
    names: list[str] = []
    real = engine.compiled

    def compiled(found: dict[str, units.Keyed], tier: int) -> objects.Object:
        names.extend(name for k in found.values() for name in k.unit.names)
        return real(found, tier)

    monkeypatch.setattr(engine, "compiled", compiled)
    text = """def a (n: i64) (x: f64) : f64 = if n <= 0 then x else a (n - 1) (x * 1.25) + 1 / a (n - 2) x
def b (n: i64) (x: f64) : f64 = if n <= 0 then x else b (n - 1) (x * 0.75) - 1 / b (n - 2) x
entry f (x: f64) : f64 = a 3 x + b 3 x
"""
    first = dad.compile(text, target="native", tier=0)
    value = first.f(2.0)
    assert {name[0] for name in names} == {"a", "b", "f"}
    names.clear()
    second = dad.compile(text.replace("0.75", "0.5"), target="native", tier=0)
    assert second.f(2.0) == dad.compile(text.replace("0.75", "0.5"), target="interp").f(2.0) != value
    assert names == ["b"]
    assert first.f(2.0) == value


def straight(count: int) -> str:
    """A function of so many operations in a row that reads early values late, with a loop and a check in between."""
    lines = ["def f (x.1: []f64, k.2: i64) {", "  let v.10: f64 = index x.1 0", "  let v.11: f64 = index x.1 1"]
    for k in range(12, 12 + count):
        early = 10 + (k * 7919) % (k - 10)
        op = ("add", "sub", "mul", "max")[k % 4]
        lines.append(f"  let v.{k}: f64 = {op} v.{early} v.{k - 1 - k % 2}")
        if k == 12 + count // 2:
            lines.append("  let c.5: i64 = check_index k.2 50 {axis = 0, what = \"x\"}")
    last = 11 + count
    return "\n".join([*lines, f"  let y.6: []f64 = map (x.1) shapes (()) \\(e.7: f64) {{\n    let z.8: f64 = "
                      f"mul e.7 v.{last}\n    return z.8\n  }}", f"  return v.{last} y.6 c.5", "}", ""])


def test_long_code_in_pieces_is_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAD_CACHE", "0")
    program = parse(straight(3000))
    xs = np.linspace(0.5, 1.5, 9)
    found = []
    for tier, long, piece in ((0, 6000, 400), (1, 6000, 400), (1, 500, 100), (1, 10, 1)):
        monkeypatch.setattr(llvm, "LONG", long)
        monkeypatch.setattr(llvm, "PIECE", piece)
        monkeypatch.setattr(objects, "_objects", type(objects._objects)())
        monkeypatch.setattr(objects, "_instances", {})
        run = function(Engine(program, tier, {"f"}), "f")
        value, array, index = run(xs, 7)
        found.append((float(value).hex(), array.tobytes(), int(index)))
        with pytest.raises(dad.RunError):
            run(xs, 50)
    assert found[1:] == found[:1] * 3


def test_blocks_are_bounded() -> None:
    """LLVM's time for a block grows with its square."""
    text = units.units_of(lower(parse(straight(3000))), {"f"}).units[0].unit.text
    longest = length = 0
    for line in text.splitlines():
        length = 0 if line.endswith(":") else length + 1
        longest = max(longest, length)
    assert longest < 400


def test_keys_do_not_depend_on_the_process() -> None:
    code = f"""
from dad import driver
from dad.lang.source import Source
from dad.codegen.lower import lower
from dad.codegen.backends.loops.nests import nests as loops
from dad.codegen.backends.native.units import units_of
checked = driver.check(Source("p.dad", {PROGRAM!r})).require()
made = lower(checked)
roots = list(made.entries.values())
units = units_of(loops(driver.optimised(made.program, roots)), roots)
print([k.digest for k in units.units], units.group_digest())
"""
    said = {subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONHASHSEED=seed), check=True,
                           capture_output=True, text=True).stdout for seed in ("1", "2")}
    assert len(said) == 1
    assert jit.environment().key("a", 0) != jit.environment().key("a", 1)


CHAIN = """entry chain [t] (ys: data [t]f64) (mu: [3]f64) (logits: [3][3]f64) (s: f64) : f64 =
  let lse = \\(xs: [3]f64) -> let m = maximum xs in m + log (sum (map (\\x -> exp (x - m)) xs))
  let logp = map (\\row -> map (\\x -> x - lse row) row) logits
  let emit = \\(y: f64) (k: i64) -> -0.5 * ((y - mu[k]) / s) ** 2 - log s
  in lse (loop a = [emit ys[0] 0, emit ys[0] 1, emit ys[0] 2] for i < t - 1 do
     [lse [a[0] + logp[0][0], a[1] + logp[1][0], a[2] + logp[2][0]] + emit ys[i + 1] 0,
      lse [a[0] + logp[0][1], a[1] + logp[1][1], a[2] + logp[2][1]] + emit ys[i + 1] 1,
      lse [a[0] + logp[0][2], a[1] + logp[1][2], a[2] + logp[2][2]] + emit ys[i + 1] 2])
"""


def test_loops_that_join_stay_behind_what_they_read() -> None:
    """Sums that have joined an earlier loop are what that loop defines: nothing that reads them may move before it."""
    args = np.sin(np.arange(20.0)), np.array([-1.0, 0.0, 1.0]), np.cos(np.arange(9.0)).reshape(3, 3), 0.7
    value, gradient = dad.compile(CHAIN, target="interp").chain.value_and_grad(*args)
    for tier in (0, 1):
        found, slopes = dad.compile(CHAIN, target="native", tier=tier).chain.value_and_grad(*args)
        assert abs(found - value) < 1e-12 * abs(value)
        for x, y in zip(slopes, gradient, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-10)
