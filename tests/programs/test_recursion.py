"""Recursive programs: the back ends against the interpreter, derivatives against differences, deep recursion."""
from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.lower.program import Transform
from dad.driver import compile_source
from dad.lang.source import Source

from .recursion import PROGRAMS, Program


def converted(point: tuple[Any, ...]) -> list[Any]:
    return [np.array(a) if isinstance(a, list) else a for a in point]


@pytest.mark.parametrize("target", ["native", "numpy"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_back_ends_agree_and_derivatives_fit_differences(program: Program, target: str) -> None:
    fast, slow = dad.compile(program.text, target=target), dad.compile(program.text, target="interp")
    first = slow.f.names[0]
    for point in program.points:
        x, *rest = converted(point)
        np.testing.assert_allclose(fast.f(x, *rest), slow.f(x, *rest), rtol=1e-12)
        value, gradient = fast.f.value_and_grad(x, *rest, wrt=(first,))
        np.testing.assert_allclose(value, slow.f(x, *rest), rtol=1e-12)
        np.testing.assert_allclose(slow.f.grad(x, *rest, wrt=(first,)), gradient, rtol=1e-9, atol=1e-12)
        d = np.asarray(gradient, float)
        for k in np.ndindex(d.shape):
            h = np.zeros(d.shape)
            h[k] = 1e-6
            difference = (fast.f(x + h, *rest) - fast.f(x - h, *rest)) / 2e-6
            np.testing.assert_allclose(d[k], difference, rtol=1e-6, atol=1e-7)
            direction = np.zeros(d.shape)
            direction[k] = 1.0
            _, tangent = fast.f.jvp((x, *rest), direction if d.shape else 1.0, wrt=(first,))
            np.testing.assert_allclose(tangent, d[k], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("target", ["native", "numpy"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_many_at_once(program: Program, target: str) -> None:
    m = dad.compile(program.text, target=target)
    for point in program.points:
        x, *rest = converted(point)
        xs = np.stack([np.asarray(x) * s for s in (1.0, 0.9, 1.1)])
        others = [np.stack([r] * 3) for r in rest]
        one_by_one = [m.f(y if y.ndim else float(y), *rest) for y in xs]
        np.testing.assert_allclose(m.f.vmap(xs, *others), one_by_one, rtol=1e-12)


DEEP = """
def ones (n: i64) : f64 = if n == 0 then 0 else 1 + ones (n - 1)
entry f (x: f64) (n: i64) : f64 = let go (k: i64) : f64 = if k == 0 then x else sin (go (k - 1)) + 1 in go n
entry g (x: f64) (n: i64) : f64 = grad (\\x -> let go (k: i64) : f64 = if k == 0 then x else x * go (k - 1) in go n) x
entry h (n: i64) : f64 = ones n
"""


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_recursion_is_deep_and_its_end_is_an_error_with_a_place(target: str) -> None:
    m = dad.compile(DEEP, target=target)
    limit = sys.getrecursionlimit()
    assert abs(m.f(0.5, 10_000) - 1.9345632107520243) < 1e-12
    assert m.h(15_000) == 15_000
    for entry, arguments in ((m.h, (-1,)), (m.f, (0.5, 30_000))):
        with pytest.raises(dad.RunError, match=r"R110: `(go|ones)` called itself (19|20),\d{3} levels deep") as caught:
            entry(*arguments)
        assert caught.value.where.endswith((":2", ":3"))
    assert m.h(100) == 100
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("target", ["native", "numpy"])
def test_threads_share_the_room_for_recursion(target: str) -> None:
    m = dad.compile(DEEP, target=target)
    m.h(1)
    limit = sys.getrecursionlimit()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(m.h, [5000, 100, 12_000, 15_000] * 3)) == [5000, 100, 12_000, 15_000] * 3
    assert sys.getrecursionlimit() == limit


REFUSED = (
    ("def f (g: f64 -> f64) (n: i64) (x: f64) : f64 = if n == 0 then g x else f (\\y -> g (y + 1)) (n - 1) x\n"
     "entry main (x: f64) = f sin 3 x", "E693"),
    ("def g 'a (n: i64) (x: a) : i64 = if n == 0 then 0 else g (n - 1) (x, x)\nentry main (x: f64) = g 3 x", "E693"),
    ("def g 'a (n: i64) (x: a) : i64 = if n == 0 then 0 else g (n - 1) (1, x)\nentry main (x: f64) = g 3 x", "E693"),
    ("def f (g: f64 -> f64) (x: f64) (n: i64) : f64 = if n == 0 then g x else grad (\\y -> f g y (n - 1)) x\n"
     "entry main (x: f64) = f sin x 3", "E512"),
)


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_what_would_need_code_without_end_is_refused_with_a_place(text: str, code: str) -> None:
    with pytest.raises(dad.Diagnostics) as caught:
        dad.compile(text)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert found.span is not None
    assert found.span.line == 1


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_every_pass_leaves_what_verifies(program: Program) -> None:
    transforms = [Transform("f", "value_and_grad", ("x",))] if "entry f (x:" in program.text else []
    compile_source(Source("program.dad", program.text), transforms=lambda _: transforms, verify=True)


LOOPS = """
def collatz (n: i64) (k: i64) : i64 =
  if n == 1 then k else if n % 2 == 0 then collatz (n / 2) (k + 1) else collatz (3 * n + 1) (k + 1)
def even (n: i64) (x: f64) : f64 = if n == 0 then x else odd (n - 1) (x * 1.1)
def odd (n: i64) (x: f64) : f64 = if n == 0 then -x else even (n - 1) (sin x)
def total (xs: []f64) (acc: f64) : f64 = if length xs == 0 then acc else total (tail xs) (acc * 0.5 + xs[0])
entry steps [n] (ns: [n]i64) : [n]i64 = map (\\n -> collatz n 0) ns
entry slope (n: i64) (x: f64) : f64 = grad (even n) x
entry slopes [n] (xs: [n]f64) : [n]f64 = grad (\\xs -> total xs 1) xs
entry sum_to (n: i64) : i64 = let go (k: i64) (sum: i64) : i64 = if k == 0 then sum else go (k - 1) (sum + k) in go n 0
"""


@pytest.mark.parametrize("target", ["native", "numpy", "interp"])
def test_calls_that_come_last_are_loops(target: str) -> None:
    m = dad.compile(LOOPS, target=target)
    assert list(m.steps(np.array([1, 6, 27]))) == [0, 8, 111]
    assert m.sum_to(50_000) == 1_250_025_000
    np.testing.assert_allclose(m.slopes(np.array([1.0, 2.0, 4.0])), [0.25, 0.5, 1.0])
    x = 0.3
    by_differences = (m.slope(4, x), 1.1 * np.cos(1.1 * x) * 1.1 * np.cos(1.1 * np.sin(1.1 * x)))
    np.testing.assert_allclose(*by_differences)


def test_lanes_of_a_loop_that_was_recursion_run_together() -> None:
    text = compile_source(Source("loops.dad", LOOPS)).body
    assert "for i in range" not in text[text.index("def _steps"):text.index("def _sum_to")]
