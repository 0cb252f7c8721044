"""Derivatives inside derivatives: published cases of perturbation confusion, and random nestings in closed form."""
from __future__ import annotations

import math
from typing import Any

import dad
import pytest
from dad.tests.ad.nestings import plain, program, value
from mpmath import mp

CASES: list[tuple[str, float]] = [
    # Siskind and Pearlmutter, "Perturbation confusion and referential transparency", 2005: 2 when confused
    ("grad (\\x -> x * grad (\\y -> x + y) 1) 1", 1.0),
    ("jvp (\\x -> x * jvp (\\y -> x + y) 1 1) 1 1", 1.0),
    ("grad (\\x -> x * jvp (\\y -> x + y) 1 1) 1", 1.0),
    ("jvp (\\x -> x * grad (\\y -> x + y) 1) 1 1", 1.0),
    # … with both derivatives active
    ("grad (\\x -> x * grad (\\y -> x * y) 2) 1", 2.0),
    ("grad (\\x -> x * grad (\\y -> x * y * y) 3) 5", 60.0),
    ("jvp (\\x -> x * jvp (\\y -> x * y * y) 3 1) 5 1", 60.0),
    ("grad (\\x -> grad (\\y -> x * y) 2) 1", 1.0),
    # the inner function is the outer variable's closure, at the outer variable
    ("grad (\\x -> let f = \\y -> x * y in grad f x) 3", 1.0),
    ("grad (\\x -> let f = \\y -> x * y in grad (\\z -> f z * z) x) 3", 12.0),
    ("grad (\\x -> grad (\\y -> grad (\\z -> x * x * y * y * y * z * z) x) x) 2", 480.0),
    # Manzyuk, Pearlmutter, Radul, Rush and Siskind, "Perturbation confusion in forward automatic differentiation of
    # higher-order functions" (JFP 2019): the derivative of the shift operator, applied twice
    ("shifted (shifted (\\x -> x * x * x)) 2", 12.0),
    ("shifted (shifted (shifted exp)) 0.5", math.exp(0.5)),
    ("shifted_back (shifted_back (\\x -> x * x * x)) 2", 12.0),
    ("shifted (shifted_back (\\x -> x * x * x)) 2", 12.0),
    ("shifted_back (shifted (\\x -> x * x * x)) 2", 12.0),
    # operators as values: passed on, composed, applied in part, written between arguments
    ("twice slope sin 1", -math.sin(1)),
    ("twice (twice slope) sin 1", math.sin(1)),
    ("(slope >-> slope >-> slope) sin 1", -math.cos(1)),
    ("1.0 |> grad sin", math.cos(1)),
    ("applied grad sin 1", math.cos(1)),
    ("applied (\\f -> grad (grad f)) sin 1", -math.sin(1)),
    ("let operators = (grad sin, grad cos) in operators.0 1 + operators.1 1", math.cos(1) - math.sin(1)),
    ("sum (map (grad sin) [0, 1])", 1 + math.cos(1)),
    ("swapped grad 1 sin", math.cos(1)),
    ("grad (sin <+> cos) 1", math.cos(1) - math.sin(1)),
    ("third slope (** 4) 2", 48.0),
    ("grad (\\x -> twice (\\y -> x * y) 3) 2", 12.0),
    ("Slopes.second sin 1", -math.sin(1)),
    ("Slopes.again exp 0.5", math.exp(0.5)),
    # a derivative of a recursive function, inside another derivative
    ("grad (\\x -> grad (\\y -> power (x * y) 3) 2) 1", 36.0),
    ("jvp (\\x -> grad (\\y -> power (x * y) 3) 2) 1 1", 36.0),
    # all four pairs, under map, with an active captured variable
    ("sum (map (\\k -> grad (\\x -> grad (\\y -> k * x * y * y) x) k) [1, 2])", 20.0),
    ("sum (map (\\k -> grad (\\x -> jvp (\\y -> k * x * y * y) x 1) k) [1, 2])", 20.0),
    ("sum (map (\\k -> jvp (\\x -> grad (\\y -> k * x * y * y) x) k 1) [1, 2])", 20.0),
    ("sum (map (\\k -> jvp (\\x -> jvp (\\y -> k * x * y * y) x 1) k 1) [1, 2])", 20.0),
    # stop_grad holds fixed in every order
    ("grad (\\x -> x * stop_grad x) 3", 3.0),
    ("grad (grad (\\x -> x * x * stop_grad x)) 3", 6.0),
    ("jvp (\\x -> x * stop_grad x) 3 1", 3.0),
    ("hessian (\\x -> x * stop_grad x * x) 3", 6.0),
    ("hvp (\\x -> stop_grad x * x * x) 2 1", 4.0),
    ("laplacian (\\x -> x[0] ** 2 * stop_grad (x[1] ** 2)) [2, 3]", 18.0),
    ("divergence (\\x -> x * stop_grad x) [1, 2]", 3.0),
    ("grad (\\x -> grad (\\y -> x * y * stop_grad (x * y)) 2) 3", 6.0),
    ("grad (\\x -> let p = stop_grad {a = x, b = [x, x]} in x * p.a * p.b[0]) 2", 4.0),
    ("grad (\\x -> (loop (a, b) = (x, x) for _k < 3 do (a * stop_grad b, b + a)).0) 2", 64.0),
]

TEXT = """
def slope (f: f64 -> f64) (x: f64) : f64 = grad f x
def shift (u: f64) (f: f64 -> f64) (x: f64) : f64 = f (x + u)
def shifted (f: f64 -> f64) : f64 -> f64 = \\x -> jvp (\\u -> shift u f x) 0 1
def shifted_back (f: f64 -> f64) : f64 -> f64 = \\x -> grad (\\u -> shift u f x) 0
def twice '^a (f: a -> a) (x: a) = f (f x)
def third '^a (f: a -> a) (x: a) = f (f (f x))
def applied (t: (f64 -> f64) -> f64 -> f64) (f: f64 -> f64) (x: f64) : f64 = t f x
def swapped '^a '^b '^c (f: a -> b -> c) (y: b) (x: a) = f x y
def (<+>) (f: f64 -> f64) (g: f64 -> f64) (x: f64) : f64 = f x + g x
def power (x: f64) (n: i64) : f64 = if n == 0 then 1 else x * power x (n - 1)
module Slopes = {
  def second (f: f64 -> f64) : f64 -> f64 = grad (grad f)
  def again (f: f64 -> f64) : f64 -> f64 = second f
}
"""


@pytest.fixture(scope="module", params=["native", "numpy", "interp"])
def cases(request: pytest.FixtureRequest) -> Any:
    entries = "\n".join(f"entry e{k} : f64 = {text}" for k, (text, _) in enumerate(CASES))
    return dad.compile(TEXT + entries, target=request.param)


@pytest.mark.parametrize("k", range(len(CASES)), ids=lambda k: CASES[k][0])
def test_published_cases(cases: Any, k: int) -> None:
    assert getattr(cases, f"e{k}")() == pytest.approx(CASES[k][1], rel=1e-14)


@pytest.mark.parametrize(("seed", "count", "nested"), [*((seed, 6, 2) for seed in range(8)), (100, 4, 3), (102, 4, 3)])
def test_random_nestings(seed: int, count: int, nested: int) -> None:
    text, expressions = program(seed, count, nested)
    module = dad.compile(text)
    with mp.workdps(30):
        for k, e in enumerate(expressions):
            expected = value(plain(e), {"x": 0.7})
            found = getattr(module, f"e{k}")(0.7)
            # The terms of a derivative may cancel; each is rounded once.
            assert abs(found - expected) <= 1e-12 * max(1, abs(expected)), text.splitlines()[k + 5]
