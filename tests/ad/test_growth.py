"""Derivatives of longer programs are longer in proportion, at every order: nothing is written out twice a level."""

from __future__ import annotations

from collections.abc import Callable

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen.backends.numpy import emit_module
from dad.interface import entry_specs
from dad.lang.source import Source

OPERATORS = {
    "grad": "entry main (x: [4]f64) (v: [4]f64) = grad f x\n",
    "forward over reverse": "entry main (x: [4]f64) (v: [4]f64) = jvp (grad f) x v\n",
    "reverse over reverse": "entry main (x: [4]f64) (v: [4]f64) = vjp (grad f) x v\n",
}


def lets(line: Callable[[int], str], count: int) -> str:
    """`f` with that many lines more; line k names `v{k}`, out of `x` and earlier ones."""
    before = [f"  let v{k} = x[{k}]" for k in range(4)]
    lines = [f"  let v{k} = {line(k)}" for k in range(4, count + 4)]
    return "\n".join(["def f (x: [4]f64) : f64 =", *before, *lines, f"  in v{count + 3}\n"])


def straight(count: int) -> str:
    return lets(lambda k: f"sin (v{k - 1} * v{k - 3}) + tanh v{k - 2}", count)


def branches(count: int) -> str:
    return lets(lambda k: f"if v{k - 1} > 0.31 then v{k - 2} * x[1] else cos v{k - 1} - v{k - 3}", count)


def loops(count: int) -> str:
    return lets(lambda k: f"loop a = v{k - 1} for i < 3 do 0.5 * a + sin v{k - 2}", count)


def arrays(count: int) -> str:
    ways = ("map2 (*) {} (map sin {})", "scan (+) 0 ({} * 0.1)", "map (\\a -> if a > 0.3 then a * sum {} else 0) {}")
    lines = [f"  let v{k} = {ways[k % 3].format(f'v{k - 1}', f'v{k - 2}')}" for k in range(2, count + 2)]
    start = ["def f (x: [4]f64) : f64 =", "  let v0 = map cos x", "  let v1 = x with [1] = 0.5"]
    return "\n".join([*start, *lines, f"  in sum v{count + 1}\n"])


def calls(count: int) -> str:
    """Each function calls the one before it twice: as it runs, 2 to the power of `count` calls."""
    first = "def f0 (x: [4]f64) : f64 = sin x[0] * x[1] + x[2]"
    more = [
        f"def f{k} (x: [4]f64) : f64 = f{k - 1} [x[1], sin x[0], x[3], x[2]] + 0.5 * f{k - 1} [x[0] * 0.3, x[1], 1, 2]"
        for k in range(1, count)
    ]
    return "\n".join([first, *more, f"def f (x: [4]f64) : f64 = f{count - 1} x\n"])


def nested_loops(count: int) -> str:
    """Loops in loops; how long reverse mode over reverse mode is grows as the square of their depth."""
    text = "sin (a * x[0])"
    for k in range(count):
        text = f"(loop a = a for i{k} < 2 do 0.5 * {text} + x[{k % 4}])"
    return f"def f (x: [4]f64) : f64 = let a = x[1] in {text}\n"


def code(text: str) -> str:
    checked = driver.check(Source("growth.dad", text)).require()
    lowered = driver.lowered(checked)
    program = driver.optimised(lowered.program, list(lowered.entries.values()))
    return emit_module(program, entry_specs(checked, lowered), "").body


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("program", "count", "factor"),
    [(straight, 12, 2.6), (branches, 10, 2.6), (loops, 10, 2.6), (arrays, 12, 2.6), (calls, 8, 4.5),
     (nested_loops, 3, 5)],
)  # fmt: skip
def test_twice_the_program_is_twice_the_code(
    program: Callable[[int], str], count: int, factor: float, operator: str
) -> None:
    short, long = (len(code(program(n) + OPERATORS[operator])) for n in (count, 2 * count))
    assert long < factor * short


def test_a_function_that_would_pass_on_too_much_runs_again() -> None:
    m = dad.compile(calls(9) + OPERATORS["grad"] + "entry ahead (x: [4]f64) (v: [4]f64) = jvp f x v\n")
    x = np.array([0.3, 0.7, -0.2, 1.1])
    expected = [m.ahead(x, unit) for unit in np.eye(4)]
    np.testing.assert_allclose(m.main(x, x), expected, rtol=1e-12)
    few = dad.compile(calls(3) + OPERATORS["grad"] + "entry ahead (x: [4]f64) (v: [4]f64) = jvp f x v\n")
    np.testing.assert_allclose(few.main(x, x), [few.ahead(x, unit) for unit in np.eye(4)], rtol=1e-12)
