"""The standard library's complex numbers against Python's, in both precisions; derivatives by Cauchy and Riemann."""

from __future__ import annotations

import cmath
from collections.abc import Callable
from typing import Any

import dad
import numpy as np
import pytest

PROGRAM = """
module c = complex.mk_complex FLOAT
type z = c.complex
entry arithmetic (a: FLOAT) (b: FLOAT) (x: FLOAT) (y: FLOAT) =
  let (p, q) = (c.mk a b, c.mk x y)
  in c.([p + q, p - q, p * q, p / q, p ** q, neg p, conj p, scale 2 p, polar 2 (arg p)])
entry functions (a: FLOAT) (b: FLOAT) = map (\\f -> f) c.(let p = mk a b in [sqrt p, exp p, log p, sin p, cos p, i * p])
entry parts (a: FLOAT) (b: FLOAT) = c.(let p = mk a b in (mag p, arg p, re p, im p, p == mk a b, p != conj p))
entry folds [n] (xs: [n]FLOAT) (ys: [n]FLOAT) = let zs = map2 c.mk xs ys in (c.sum zs, c.product zs)
"""


@pytest.fixture(scope="module", params=["f64", "f32"])
def module(request: pytest.FixtureRequest) -> tuple[Any, str]:
    return dad.compile(PROGRAM.replace("FLOAT", request.param)), request.param


def numbers(z: Any) -> Any:
    return np.asarray(z.re) + 1j * np.asarray(z.im)


POINTS = (1.5 - 0.7j, -2 + 0.3j, -2 - 0.3j, 3 + 0j, -4 + 0j, 2j, -2j, 0.01 + 20j)


def test_values(module: tuple[Any, str]) -> None:
    run, dtype = module
    kind, slack = (np.float64, 1e-14) if dtype == "f64" else (np.float32, 2e-5)
    for p in POINTS:
        a, b = kind(p.real), kind(p.imag)
        q = 0.3 + 0.5j
        made = run.arithmetic(a, b, kind(q.real), kind(q.imag))
        assert made.re.dtype == kind
        expected = [p + q, p - q, p * q, p / q, p**q, -p, p.conjugate(), 2 * p, cmath.rect(2, cmath.phase(p))]
        np.testing.assert_allclose(numbers(made), expected, rtol=slack, atol=slack)
        with np.errstate(over="ignore"):
            expected = [f(p) for f in (np.sqrt, np.exp, np.log, np.sin, np.cos)] + [1j * p]
        np.testing.assert_allclose(numbers(run.functions(a, b)), expected, rtol=slack, atol=slack)
        mag, arg, re, im, same, other = run.parts(a, b)
        assert (mag, arg) == (pytest.approx(abs(p), rel=slack), pytest.approx(cmath.phase(p), rel=slack))
        assert (re, im, bool(same), bool(other)) == (a, b, True, b != 0)
    xs: Any = np.array([1, 2, 3], kind)
    ys: Any = np.array([0.5, -1, 2], kind)
    total, product = run.folds(xs, ys)
    both = [complex(x, y) for x, y in zip(xs, ys, strict=True)]
    assert complex(numbers(total)) == sum(both)
    assert complex(numbers(product)) == pytest.approx(both[0] * both[1] * both[2], rel=slack)


FUNCTIONS: dict[str, tuple[str, Callable[[complex], complex]]] = {
    "sqrt": ("sqrt z", lambda z: 0.5 / cmath.sqrt(z)),
    "exp": ("exp z", cmath.exp),
    "log": ("log z", lambda z: 1 / z),
    "sin": ("sin z", cmath.cos),
    "square": ("z * z", lambda z: 2 * z),
    "inverse": ("mk_re 1 / z", lambda z: -1 / z**2),
    "power": ("z ** mk_re 3", lambda z: 3 * z**2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name: str) -> None:
    """f' = d Re f / dx - i d Re f / dy."""
    text, slope = FUNCTIONS[name]
    module = dad.compile(
        f"def f (z: complex.c64.complex) = complex.c64.({text})\n"
        "entry both (x: f64) (y: f64) = let g = grad (\\z -> (f z).re) (complex.c64.mk x y) in (g.re, g.im)\n"
    )
    for z in (1.5 - 0.7j, -0.4 + 2j):
        dx, dy = module.both(z.real, z.imag)
        assert complex(dx, -dy) == pytest.approx(slope(z), rel=1e-12)


def test_a_huge_divisor_does_not_overflow() -> None:
    module = dad.compile("entry f (x: f64) = complex.c64.(mk x x / mk x x)")
    assert module.f(1e300) == (1, 0)
