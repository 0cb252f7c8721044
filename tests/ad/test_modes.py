"""Operators in all directions over every form of value: the structure that they give, and exact values.

All functions are polynomials with small whole coefficients, so both sides are equal to the bit.
"""
from __future__ import annotations

from typing import Any

import dad
import numpy as np
import pytest

TEXT = """
type shape = #circle f64 | #rect f64 f64 | #none
type model = {w: [2]f64, k: i64, flag: bool, inner: {a: f64, b: [2][2]f64}}
def area (s: shape) : f64 = match s case #circle r -> 3 * r * r case #rect a b -> a * b case #none -> 0
def rect : shape = #rect 2 3
def circle : shape = #circle 2
def f (m: model) : f64 = m.w[0] * m.w[1] * m.inner.a + m.inner.b[0,1] * m.inner.b[1,0] * f64 m.k
def m : model = {w = [1, 2], k = 3, flag = true, inner = {a = 2, b = [[1, 2], [3, 4]]}}
def rows = [{x = 1.0, n = 2i64}, {x = 2.0, n = 3}]
def power (x: f64) (n: i64) : f64 = if n == 0 then 1 else x * power x (n - 1)
def generic 'a 'b (f: a -> b) (x: a) : derivative a b = jacobian f x
def second 'a (f: a -> f64) (x: a) : derivative a a = hessian f x
def outward 'a (f: a -> tangent a) (x: a) : number a = divergence f x
"""

CASES: list[tuple[str, str]] = [
    # scalars and arrays of every rank
    ("jacobian (** 2) 3.0", "6.0"),
    ("jacobian (\\x -> [x, x ** 2]) 3.0", "[1.0, 6.0]"),
    ("jacobian (\\x -> x[0] * x[1]) [2.0, 3.0]", "[3.0, 2.0]"),
    ("jacobian (\\x -> [x[0] * x[1], x[1], 7]) [2.0, 3.0]", "[[3.0, 2.0], [0.0, 1.0], [0.0, 0.0]]"),
    ("jacrev (\\x -> [x[0] * x[1], x[1], 7]) [2.0, 3.0]", "[[3.0, 2.0], [0.0, 1.0], [0.0, 0.0]]"),
    ("(jacobian transpose [[1.0, 2.0]])[1][0]", "[[0.0, 1.0]]"),
    ("(hessian (\\x -> sum (map (\\row -> sum row ** 2) x)) [[1.0], [2.0]])[1][0]", "[[0.0], [2.0]]"),
    ("(jacobian (map (map (map (** 2)))) [[[1.0, 2.0]], [[3.0, 4.0]]])[1][0][0]", "[[[0.0, 0.0]], [[6.0, 0.0]]]"),
    # tuples and records, integers and booleans
    ("jacobian (\\(x, y) -> (x * y, 2i64, [x, y])) (2.0, 3.0)", "((3.0, 2.0), (), [(1.0, 0.0), (0.0, 1.0)])"),
    ("jacobian (\\(x, k, on) -> if on then x * f64 k else x) (2.0, 3i64, true)", "(3.0, (), ())"),
    ("grad f m", "{w = [4, 2], k = (), flag = (), inner = {a = 2, b = [[0, 9], [6, 0]]}}"),
    ("(hessian f m).w[0]", "{w = [0, 2], k = (), flag = (), inner = {a = 2, b = [[0, 0], [0, 0]]}}"),
    ("(hessian f m).inner.b[0, 1]", "{w = [0, 0], k = (), flag = (), inner = {a = 0, b = [[0, 0], [3, 0]]}}"),
    ("hvp f m {w = [1, 0], k = (), flag = (), inner = {a = 0, b = [[0, 1], [0, 0]]}}",
     "{w = [0, 2], k = (), flag = (), inner = {a = 2, b = [[0, 0], [3, 0]]}}"),
    ("laplacian (\\m -> f m + m.w[0] ** 3) m", "6.0"),
    ("divergence (grad f) m", "0.0"),
    ("jmp f m [grad f m, grad f m]", "[141.0, 141.0]"),
    ("map (\\g -> g.inner.a) (mjp f m [1, 2])", "[2.0, 4.0]"),
    ("(jmp2 (\\x -> (x * x, 1i64)) 3 [1, 2])", "((9.0, 1i64), [(6.0, ()), (12.0, ())])"),
    ("(mjp2 (\\x -> [x, x * x]) 3 [[1, 0], [0, 1]])", "([3.0, 9.0], [1.0, 6.0])"),
    # arrays of records
    ("grad (\\ps -> sum (map (\\p -> p.x ** f64 p.n) ps)) rows", "[{x = 2.0, n = ()}, {x = 12.0, n = ()}]"),
    ("(jacobian (\\ps -> map (\\p -> {y = p.x ** f64 p.n, m = p.n}) ps) rows)[1].y",
     "[{x = 0.0, n = ()}, {x = 12.0, n = ()}]"),
    ("(hessian (\\ps -> sum (map (\\p -> p.x ** f64 p.n) ps)) rows)[1].x", "[{x = 0.0, n = ()}, {x = 12.0, n = ()}]"),
    # sums
    ("grad area rect", "{circle = 0.0, rect = (3.0, 2.0)}"),
    ("(hessian area rect).rect.0", "{circle = 0.0, rect = (0.0, 1.0)}"),
    ("jvp area rect {circle = 100, rect = (1, 1)}", "5.0"),
    ("laplacian area circle", "6.0"),
    ("(jacobian (map area) [circle, rect, #none])[1]",
     "[{circle = 0.0, rect = (0.0, 0.0)}, {circle = 0.0, rect = (3.0, 2.0)}, {circle = 0.0, rect = (0.0, 0.0)}]"),
    # types of numbers
    ("grad (\\x -> x * x) 2f32", "4f32"),
    ("hessian (\\x -> x * x * x) 2f16", "12f16"),
    ("jacobian (\\(x, y) -> f64 x * y) (2f32, 3f64)", "(3f32, 2f64)"),
    ("laplacian (\\(x, y) -> f64 x * f64 x * y * y) (2f32, 3f64)", "26.0"),
    ("divergence (\\(x, y) -> (x * x, f64 x * y)) (2f32, 3f64)", "6.0"),
    ("divergence (\\x -> x * x) [1f32, 3]", "8f32"),
    # nothing in them
    ("jacobian (\\(x: [0]f64) -> map (** 2) x) []", "[]"),
    ("hessian (\\(x: [0]f64) -> sum x ** 2) []", "[]"),
    ("laplacian (\\(x: [0]f64) -> sum x ** 2) []", "0.0"),
    ("length (jacobian (\\(x: [2]f64) -> map (\\i -> x[i]) (iota 0)) [1, 2])", "0"),
    # written numbers are floats where a derivative is taken by them, unless there are floats beside them
    ("grad (** 3) 2", "12.0"),
    ("hessian (\\(a, b) -> a * b) (3, 4)", "((0.0, 1.0), (1.0, 0.0))"),
    ("grad (\\(k, x) -> f64 k * x) (3, 2.0)", "((), 3.0)"),
    ("map (grad (** 3)) [1, 2]", "[3.0, 12.0]"),
    # generic definitions, partial application, recursion
    ("generic (\\(x, y) -> [x * y, y]) (2.0, 3.0)", "[(3.0, 2.0), (0.0, 1.0)]"),
    ("second (\\p -> p.x * p.y) {x = 2.0, y = 3.0}", "{x = {x = 0.0, y = 1.0}, y = {x = 1.0, y = 0.0}}"),
    ("outward (\\x -> x * x) [1.0, 3.0]", "8.0"),
    ("(\\op -> op (\\x -> x * x * x) 2.0) hessian", "12.0"),
    ("let j = jacobian (\\x -> [x, x * x]) in map j [1.0, 2.0]", "[[1.0, 2.0], [1.0, 4.0]]"),
    ("hessian (\\x -> power x 5) 2.0", "160.0"),
    ("laplacian (\\(x, y) -> power x 3 * power y 2) (2.0, 3.0)", "124.0"),
    ("jacobian (map (\\v -> power v 3)) [1.0, 2.0]", "[[3.0, 0.0], [0.0, 12.0]]"),
    # under each other
    ("vmap (\\k -> jacobian (map (* k)) [1.0, 2.0]) [3, 4]", "[[[3.0, 0.0], [0.0, 3.0]], [[4.0, 0.0], [0.0, 4.0]]]"),
    ("grad (\\x -> laplacian (\\y -> y[0] ** 2 * y[1] ** 2 * x) [1, 2]) 3", "10.0"),
    ("(jacobian (jacobian (map (** 3))) [1.0, 2.0])[1][1]", "[0.0, 12.0]"),
    ("laplacian (laplacian (\\x -> x[0] ** 4 + x[0] ** 2 * x[1] ** 2)) [1.0, 2.0]", "32.0"),
    ("let x = tabulate 40 f64 in laplacian (\\x -> sum (map (** 3) x)) x", "4680.0"),
    ("let x = tabulate 40 f64 in (grad (laplacian (\\x -> sum (map (** 3) x))) x)[39]", "6.0"),
    ("divergence (\\x -> map (** 3) x) (tabulate 40 f64)", "61620.0"),
]


@pytest.fixture(scope="module", params=["native", "numpy", "interp"])
def cases(request: pytest.FixtureRequest) -> Any:
    entries = "\n".join(f"entry e{k} : bool = ({text}) == ({value})" for k, (text, value) in enumerate(CASES))
    return dad.compile(TEXT + entries, target=request.param)


@pytest.mark.parametrize("k", range(len(CASES)), ids=lambda k: CASES[k][0])
def test_values(cases: Any, k: int) -> None:
    assert getattr(cases, f"e{k}")(), f"{CASES[k][0]} is not {CASES[k][1]}"


SIZES = """
entry both [n][m] (a: [m][n]f64) (x: [n]f64) : [m][n]f64 = jacobian (\\x -> map (\\row -> dot row x ** 2) a) x
entry many [n][k] (x: [n]f64) (dxs: [k][n]f64) =
  jmp (\\x -> (loop (x, t) = (x, 0i64) while t < 20 && sum x < 50 do (map (\\v -> v * 1.5 + 0.1) x, t + 1)).0) x dxs
entry wide [n] (x: [n]f64) : f64 = laplacian (\\x -> let s = sum x in sum (map sin x) * s) x
"""


def test_the_mode_is_chosen_when_it_runs() -> None:
    module = dad.compile(SIZES)
    rng = np.random.default_rng(0)
    for m, n in ((2, 5), (5, 2), (1, 3), (0, 3), (3, 0), (3, 3)):
        a, x = rng.normal(size=(m, n)), rng.normal(size=n)
        np.testing.assert_allclose(module.both(a, x), 2 * (a @ x)[:, None] * a, rtol=1e-13)


def test_directions_share_the_value() -> None:
    """One run of the loop serves all directions: the code has one, over arrays of all directions."""
    from dad import driver
    from dad.lang.source import Source

    text = driver.compile_source(Source("loop.dad", SIZES)).body
    body = text[text.index("def _many("):text.index("def _wide(")]
    assert body.count("while True") == 1
    assert "for " not in body


def test_a_laplacian_keeps_no_matrix() -> None:
    import tracemalloc

    module = dad.compile(SIZES)
    x = np.linspace(0, 1, 3000)
    tracemalloc.start()
    found = module.wide(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 * x.nbytes  # a matrix has 3000 times as much
    np.testing.assert_allclose(found, 2 * np.cos(x).sum() - np.sin(x).sum() * x.sum(), rtol=1e-9)
