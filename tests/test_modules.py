"""Modules in memory: which derivatives an entry refuses, and why; one compiled module for every size."""
from __future__ import annotations

from pathlib import Path

import dad
import numpy as np
import pytest
from dad import modules
from dad.codegen.backends.native import installed
from dad.codegen.runtime.errors import DadArgumentError

ENTRIES = Path(__file__).parent / "language" / "entries.dad"
TEXT = """
entry steps (x: f64) : f64 = floor x
entry either (x: f64) (k: f64) : f64 = if k > 0 then x * x else -x
entry unused (x: f64) (y: f64) : f64 = y
entry fitted (theta: param f64) (y: data f64) (n: i64) : f64 = theta * y + f64 n
entry pair (x: f64) : (f64, f64) = (x, 2 * x)
entry total [n] (xs: [n]f64) : f64 = sum xs
"""


@pytest.mark.parametrize(("call", "code", "words"), [
    (lambda m: m.steps.grad(1.5), "A107", "rounded by `floor`"),
    (lambda m: m.either.grad(1.0, 2.0, wrt="k"), "A107", "only compared"),
    (lambda m: m.unused.grad(1.0, 2.0, wrt=("x",)), "A107", "does not depend on `x`"),
    (lambda m: m.fitted.grad(1.0, 2.0, 3, wrt=("y",)), "A106", "declared `data`"),
    (lambda m: m.fitted.grad(1.0, 2.0, 3, wrt=("n",)), "A106", "is i64"),
    (lambda m: m.pair.grad(1.0), "A105", "use `.jacobian`, `.vjp` or `.jvp`"),
])
@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_a_derivative_that_does_not_exist_is_refused(call: object, code: str, words: str, target: str) -> None:
    assert callable(call)
    with pytest.raises(DadArgumentError) as caught:
        call(dad.compile(TEXT, target=target))
    assert caught.value.code == code
    assert words in caught.value.message


def test_what_is_left_is_derived() -> None:
    m = dad.compile(TEXT)
    assert m.either.grad(3.0, 1.0) == (6.0, 0.0)
    assert m.unused.grad(1.0, 2.0) == (0.0, 1.0)
    assert m.fitted.grad(1.0, 2.0, 3) == 2.0
    assert m.steps(1.5) == 1.0


def test_one_compilation_serves_every_size() -> None:
    m = dad.compile(TEXT)
    m.total.grad([1.0])
    compiled = dict(m.total.compiled)
    for n in range(100):
        np.testing.assert_array_equal(m.total.grad(np.zeros(n)), np.ones(n))
    assert m.total.compiled == compiled


def test_a_target_that_does_not_exist() -> None:
    with pytest.raises(dad.Diagnostics) as caught:
        dad.compile(TEXT, target="abacus")
    assert [d.code for d in caught.value.diagnostics] == ["U110"]


def test_fields_come_out_as_they_were_declared() -> None:
    module = dad.compile("""
type state = {x: f64, velocity: f64, mass: f64}
entry step (s: param state) (dt: f64) : state = s with x = s.x + dt * s.velocity
entry pair (b: param f64) (a: param f64) : f64 = a * b * b
""")
    before = {"mass": 3.0, "x": 1.0, "velocity": 2.0}
    after = module.step(before, 0.5)
    assert after == (2.0, 2.0, 3.0)
    assert after._fields == ("x", "velocity", "mass")
    assert module.step.vjp(before, 0.5, {"x": 1.0, "mass": 0.0, "velocity": 0.0})[1]._asdict() == {
        "x": 1.0, "velocity": 0.5, "mass": 0.0}
    assert module.pair.grad(3.0, 2.0)._asdict() == {"b": 12.0, "a": 9.0}


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_maps_over_sizes_that_are_solved_for_and_over_nothing(target: str) -> None:
    m = dad.load(ENTRIES, target=target)
    sums, counts = m.halves.vmap(np.ones((3, 4)))
    assert (sums.tolist(), counts.tolist()) == ([8.0] * 3, [2] * 3)
    with pytest.raises(DadArgumentError, match="no parameters to map over"):
        m.unit_parameter.vmap(())
    assert m.halves.jvp(np.ones(4), np.arange(4.0))[1][0] == 12.0


def test_an_llvmlite_that_is_too_old_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "version", lambda: "0.44.0")
    modules.available.cache_clear()
    try:
        assert modules.wanted(None) == "numpy"
        with pytest.raises(dad.Diagnostics, match=r"0\.45 or newer, and 0\.44\.0 is installed"):
            modules.wanted("native")
    finally:
        modules.available.cache_clear()
