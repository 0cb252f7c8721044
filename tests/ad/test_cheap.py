"""Every operator on arrays and every form of control flow, differentiated: right in all modes, and for a bounded price.

A gradient costs a few times what the value does, whatever the size of the argument (Griewank & Walther, *Evaluating
Derivatives*, 2008, section 4.4). What is counted are the numbers that the interpreter makes; of an array that is
changed at some places, as many as there are places.
"""
from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.backends.numpy import emit_module
from dad.interface import entry_specs
from dad.lang.core import ir
from dad.lang.source import Source
from dad.tests.numpy.harness import loaded

FOLDER = Path(__file__).parent / "functions"
NAMED = re.compile(r"^def (\w+) \[n\] \(x: \[n\]f64\) : f64 =", re.M)
FUNCTIONS = [(path.stem, name) for path in sorted(FOLDER.glob("*.dad")) for name in NAMED.findall(path.read_text())]
MOST = 10.0
"""Times the value that a gradient may cost at size 15, and by how much more than at size 6."""
GROWTH = 1.35
VIEWS = {"slice", "transpose", "reshape", "index", "dim", "reverse", "check_index", "check_slice"}
PLACES = {"update": 1, "update_slice": 1, "accumulate": 1, "accumulate_slice": 1, "accumulate_at": 1, "scatter": 2}
"""Primitives that change some places of their first argument: which argument is written there."""

ENTRIES = """
entry value_ [n] (x: [n]f64) : f64 = {f} x
entry gradient [n] (x: [n]f64) : [n]f64 = grad {f} x
entry forward [n] (x: [n]f64) (v: [n]f64) : f64 = jvp {f} x v
entry product_ [n] (x: [n]f64) (v: [n]f64) : [n]f64 = hvp {f} x v
entry many [m] [n] (x: [m][n]f64) : [m][n]f64 = vmap (grad {f}) x
"""


class Counting(interp.Run):
    made = 0

    def op(self, op: ir.Op) -> tuple[Any, ...]:
        results = super().op(op)
        size = 1
        if isinstance(op, ir.Prim) and op.name in PLACES:
            size = np.size(self.value(op.args[PLACES[op.name]]))
        elif isinstance(op, ir.Prim) and op.name not in VIEWS:
            size = max(np.size(v) for v in (*results, *self.values(op.args)))
        Counting.made += max(size, 1)
        return results


def price(program: ir.Program, name: str, args: list[Any], monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as m:
        m.setattr(interp, "Run", Counting)
        Counting.made = 0
        interp.run(program, name, args)
    return Counting.made


@pytest.mark.parametrize(("file", "name"), FUNCTIONS)
def test_right_in_every_mode_and_cheap(file: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (FOLDER / f"{file}.dad").read_text() + ENTRIES.format(f=name)
    checked = driver.check(Source(name, text)).require()
    made = driver.lowered(checked)
    program = driver.optimised(made.program, list(made.entries.values()))
    module = SimpleNamespace(**loaded(emit_module(program, entry_specs(checked, made), "test")))

    rng = np.random.default_rng(7)
    x, v = rng.uniform(-1.5, 1.5, 6), rng.normal(size=6)
    xs = np.stack([x, x[::-1], 0.5 * x])
    given: dict[str, list[Any]] = {"value_": [x], "gradient": [x], "forward": [x, v], "product_": [x, v], "many": [xs]}
    found = {e: np.asarray(getattr(module, e)(*args)) for e, args in given.items()}
    for entry, args in given.items():
        (oracle,) = interp.run(program, made.entries[entry], args)
        np.testing.assert_allclose(found[entry], oracle, rtol=1e-11, atol=1e-12, err_msg=entry)
    np.testing.assert_allclose(found["gradient"] @ v, found["forward"], rtol=1e-10, atol=1e-11)
    h = 1e-6
    difference = (module.value_(x + h * v) - module.value_(x - h * v)) / (2 * h)
    np.testing.assert_allclose(found["forward"], difference, rtol=1e-5, atol=1e-6)
    difference = (module.gradient(x + h * v) - module.gradient(x - h * v)) / (2 * h)
    np.testing.assert_allclose(found["product_"], difference, rtol=1e-4, atol=1e-5)
    for row, gradient in zip(xs, found["many"], strict=True):
        np.testing.assert_allclose(gradient, module.gradient(row), rtol=1e-11, atol=1e-12)

    ratios = []
    for n in (6, 15):
        x, v = rng.uniform(-1.5, 1.5, n), rng.normal(size=n)
        once = price(program, made.entries["value_"], [x], monkeypatch)
        ratios.append([price(program, made.entries[e], given, monkeypatch) / once
                       for e, given in (("gradient", [x]), ("forward", [x, v]), ("product_", [x, v]))])
    small, large = ratios
    assert max(large[:2]) < MOST, large
    assert all(b < GROWTH * a + 1 for a, b in zip(small, large, strict=True)), ratios
