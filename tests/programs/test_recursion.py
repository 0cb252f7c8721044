"""Recursive programs: the NumPy back end against the interpreter, derivatives against differences, deep recursion."""
from __future__ import annotations

from typing import Any

import dad
import numpy as np
import pytest

from .recursion import PROGRAMS, Program


def arguments(point: tuple[Any, ...]) -> list[Any]:
    return [np.array(a) if isinstance(a, list) else a for a in point]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_back_ends_agree_and_derivatives_fit_differences(program: Program) -> None:
    fast, slow = dad.compile(program.text), dad.compile(program.text, target="interp")
    first = slow.f.names[0]
    for point in program.points:
        x, *rest = arguments(point)
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


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_many_at_once(program: Program) -> None:
    m = dad.compile(program.text)
    for point in program.points:
        x, *rest = arguments(point)
        xs = np.stack([np.asarray(x) * s for s in (1.0, 0.9, 1.1)])
        others = [np.stack([r] * 3) for r in rest]
        np.testing.assert_allclose(m.f.vmap(xs, *others), [m.f(y if y.ndim else float(y), *rest) for y in xs], rtol=1e-12)
