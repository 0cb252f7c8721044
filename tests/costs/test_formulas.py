"""Formulas of costs are exact: evaluated, they give what the interpreter that counts has counted."""

from __future__ import annotations

from random import Random
from typing import Any

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen.cost import analysis
from dad.codegen.cost.counted import count
from dad.codegen.runtime.errors import RunError
from dad.costs import METRICS, OPS, applied
from dad.lang.formulas import Formula, opaque, summed
from dad.lang.sizes import SizeVar
from dad.lang.source import Source
from dad.tests.costs.harness import agree, compiled
from dad.tests.costs.harness import arguments as symbols
from dad.tests.programs.programs import arguments
from dad.tests.programs.programs import program as generated

N, I = SizeVar("n", 1), SizeVar("i", 2)
n, i = Formula.of(N), Formula.of(I)


def test_the_algebra() -> None:
    assert str((n + 1) * (n - 1) / 2) == "n²/2 - 1/2"
    assert (n * 3 / 6).python() == "n/2"
    assert str(summed(i * i, I, n)) == "n³/3 - n²/2 + n/6"
    assert (opaque("max", n, n + 1), opaque("lt", n, n)) == (n + 1, Formula.of(0))
    assert str(opaque("le", n * 2, i)) == "[2·n ≤ i]"
    assert str(opaque("/", n + 15, Formula.of(16))) == "⌊(n + 15)/16⌋"
    assert opaque("/", n + 15, Formula.of(16)).at({N: 20}) == 2
    assert opaque("max", n, i).substitute({N: Formula.of(2), I: Formula.of(7)}) == Formula.of(7)


@pytest.mark.parametrize("power", range(6))
def test_sums_over_an_index(power: int) -> None:
    product = Formula.of(1)
    for _ in range(power):
        product = product * i
    for count_of in (0, 1, 2, 7):
        assert summed(product, I, n).at({N: count_of}) == sum(k ** power for k in range(count_of))


def test_formulas_that_people_know() -> None:
    known = {
        "entry main [n] (x: [n]f64) (y: [n]f64) : f64 = sum (x * y)": "2·x_0",
        "entry main [n][m][k] (a: [n][m]f64) (b: [m][k]f64) : [n][k]f64 = "
        "map (\\r -> map (\\c -> sum (r * c)) (transpose b)) a": "2·a_0·a_1·b_1",
        "entry main [n] (a: [n][n]f64) : [n][n]f64 = linalg.cholesky a": "a_0³/3 + a_0²/2 + a_0/6",
        "entry main [n] (x: [n]f64) : [n]f64 = map (\\v -> exp v + 1) x": "11·x_0",
        "entry main [n] (x: [n]f64) : f64 = loop s = 0 for i < n do s + sum (map (\\j -> x[j]) (iota i))":
            "x_0²/2 + x_0/2",
    }
    for text, formula in known.items():
        program, names = compiled(text)
        given, _ = symbols(program.functions[names["primal"]])
        assert str(analysis.analyse(program, names["primal"], given).total("flops")) == formula, text


WRITTEN: list[tuple[str, tuple[Any, ...]]] = [
    ("entry main [n] (xs: [n]f64) : f64 = loop s = 0.0 for i < n do s + sum (map (\\j -> xs[j] * xs[i]) (iota i))",
     (np.arange(5.0),)),
    ("entry main (x: f64) : f64 =\n  let (y, _) = loop (y, k) = (x, 0i64) while k < 7 && y < 99 do (y * 1.5, k + 1)\n"
     "  in y * y", (np.float64(1.0),)),
    ("entry main [n] (steps: i64) (xs: [n]f64) : f64 =\n"
     "  sum (loop ys = xs for _i < steps do map (\\y -> if y > 0 then sin y else y * 2.0) ys)",
     (np.int64(4), np.array([1.0, -2.0, 3.0]))),
    ("entry main [n] (xs: [n]f64) : f64 = let ys = filter (> 0.0) xs in sum (map exp ys)",
     (np.array([1.0, -2.0, 3.0]),)),
    ("entry main [n] (ks: [n]i64) (x: f64) : f64 = sum (map (\\k -> loop y = x for _i < k do y * 1.1 + 1.0) ks)",
     (np.array([1, -2, 3]), np.float64(1.0))),
    ("def g [m] (n: i64) (x: [m]f64) : f64 =\n"
     "  if n <= 0 then sum x else 1.0 + g (n-1) (map sin x) * g (n - 2) (map cos x)\n"
     "entry main [m] (n: i64) (x: [m]f64) : f64 = g n x", (np.int64(4), np.array([1.0, 2.0]))),
    ("entry main [n] (x: [n]f64) : f64 = sum (loop ys = [1.0f64] : []f64 for i < n do concat ys (map (* x[i]) ys))",
     (np.ones(3),)),
    ("entry main [n] (ks: [n]i64) (x: f64) : f64 =\n"
     "  sum (map (\\k ->\n"
     "    let (y, _) = loop (y, k) = (x, k) while k > 1 do (y * 0.5 + sin y, if k % 2 == 0 then k / 2 else 3 * k + 1)\n"
     "    in y) ks)", (np.array([7, 1, 9]), np.float64(1.0))),
    ("entry main [n] (x: [n]f64) : f64 = loop s = 0.0 for i < n - 3 do s + x[i] * x[i + 3]", (np.ones(2),)),
]


@pytest.mark.parametrize(("text", "args"), WRITTEN)
def test_programs_whose_costs_depend_on_data(text: str, args: tuple[Any, ...]) -> None:
    program, names = compiled(text, ("value_and_grad",))
    agree(program, names["primal"], args)
    found, counted = agree(program, names["value_and_grad"], args)
    assert set(found.symbols.values()) or counted.total("bytes") > 0


def leaves(values: list[Any]) -> list[Any]:
    out: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            out += leaves([value[k] for k in sorted(value)])
        elif isinstance(value, tuple):
            out += leaves(list(value))
        else:
            out.append(value)
    return out


@pytest.mark.parametrize("seed", range(14))
@pytest.mark.parametrize("long", [40, 2])
def test_generated_programs(seed: int, long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At several sizes, empty ones too; also where formulas are given up for symbols early."""
    monkeypatch.setattr(analysis, "LONG", long)
    made = generated(Random(seed + 100 * long))
    program, names = compiled(made.text, ("vjp",))
    for sizes in ({"n": 3, "m": 2}, {"n": 1, "m": 4}, {"n": 0, "m": 0}):
        args = leaves(arguments(made, sizes, seed))
        try:
            agree(program, names["primal"], args)
            results = count(program, names["primal"], args).results
            ones = [np.ones_like(r)[()] for r in results if np.asarray(r).dtype.kind == "f"]
            agree(program, names["vjp"], [*args, *ones])
        except RunError:
            continue


def test_counting_changes_no_result() -> None:
    text = "entry main [n] (xs: [n]f64) : f64 = sum (map (\\x -> x * sin x) xs)"
    program, names = compiled(text)
    (result,) = count(program, names["primal"], [np.arange(4.0)]).results
    assert result == dad.compile(text, target="interp").main(np.arange(4.0))


def test_what_is_saved_is_what_waits_for_the_reverse_sweep() -> None:
    text = "entry main (steps: i64) (x: f64) : f64 = loop y = x for _i < steps do sin y"
    program, names = compiled(text, ("value_and_grad",))
    found, counted = agree(program, names["value_and_grad"], [np.int64(9), np.float64(1.0)])
    assert (str(found.total("saved")), counted.total("saved")) == ("8·steps", 72)
    assert METRICS == ("flops", "bytes", "saved")


def test_statements_without_results_cost_too() -> None:
    """A map for its checks alone."""
    text = ("entry main [n] (ks: [n]i64) : f64 =\n"
            "  let _ = map (\\k -> let s = sum (map f64 (iota k)) in assert (s < 100.0) s) ks\n"
            "  let _ = loop x = 1.0 for k in ks do assert (x * f64 k < 50.0) (x + 1.0)\n"
            "  in 1.0")
    program, names = compiled(text)
    _, counted = agree(program, names["primal"], (np.array([3, 0, 5]),))
    assert counted.total("flops") > 0


@pytest.mark.parametrize("op", OPS[1:])
def test_every_operator_is_counted_exactly(op: str) -> None:
    text = ("def base [n] (x: [n]f64) (k: i64) : f64 =\n"
            "  loop s = 1.0 for i < k do s * sum (sin (x * s)) + (if s > 0 then x[0] else sum x)\n"
            "entry main [n] (x: [n]f64) (k: i64) : f64 = base x k\n")
    definition = next(d for d in driver.check(Source("<test>", text)).require().entries)
    program, names = compiled(text + applied(definition, op, op, ("x",), "derived"), entry="derived")
    for size, steps in ((3, 2), (1, 0), (4, 3)):
        args = [np.linspace(-1, 1, size), np.int64(steps), *([np.ones(size)] if op == "hvp" else [])]
        _, counted = agree(program, names["primal"], args)
        assert counted.total("bytes") > 0
