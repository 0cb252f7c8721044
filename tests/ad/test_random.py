"""Derivatives of random programs: forward and reverse mode agree, with each other, with differences, to second order.

And a branch that is not taken contributes nothing: where its derivative would be infinite or not a number, no trace of
that reaches the result.
"""
from __future__ import annotations

from random import Random

import numpy as np
import pytest
from dad.codegen.passes.differentiate import differentiate
from dad.lang.core.text import parse, show
from dad.tests.ad.generate import Generator
from dad.tests.ad.harness import check, compiled, derive
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32)


@settings(max_examples=110, derandomize=True, deadline=None)
@given(SEEDS, st.booleans())
def test_first_derivatives(seed: int, called: bool) -> None:
    made = Generator(Random(seed), size=8, depth=3)
    program, args = made.program(), made.arguments()
    check(program, "f", args, differences=1e-6 if made.differentiable else 0.0, order=1, called=called)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(SEEDS)
def test_second_derivatives(seed: int) -> None:
    made = Generator(Random(seed), size=6, depth=2)
    program, args = made.program(), made.arguments()
    check(program, "f", args, differences=1e-6 if made.differentiable else 0.0)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(SEEDS)
def test_single_precision(seed: int) -> None:
    made = Generator(Random(seed), size=6, depth=3, dtype="f32")
    check(made.program(), "f", made.arguments(), differences=0.0, exact=2e-3, order=1)


@settings(max_examples=20, derandomize=True, deadline=None)
@given(SEEDS)
def test_programs_are_deterministic(seed: int) -> None:
    """The same program, differentiated twice, is the same text."""
    texts = []
    for _ in range(2):
        program, _name = derive(Generator(Random(seed)).program(), "f", "vjp")
        texts.append(show(differentiate(program)))
    assert texts[0] == texts[1]


NOT_TAKEN = {
    "in a map": """
        def f (xs.0: []f64) {
          let ys.1: []f64 = map (xs.0) shapes (()) \\(x.2: f64) {
            let c.3: bool = gt x.2 0.0
            let y.4: f64 = if c.3 {
              let a.5: f64 = sqrt x.2
              let b.6: f64 = log x.2
              let d.7: f64 = add a.5 b.6
              return d.7
            } else { return 0.0 }
            return y.4
          }
          return ys.1
        }""",
    "in a loop": """
        def f (xs.0: []f64) {
          let n.1: i64 = dim xs.0 {axis = 0}
          let s.2: f64, ys.3: []f64 = for n.1 \\(i.4: i64, s.5: f64) from (0.0) shapes (()) {
            let x.6: f64 = index xs.0 i.4
            let c.7: bool = gt x.6 0.0
            let y.8: f64 = if c.7 {
              let a.9: f64 = sqrt x.6
              let b.10: f64 = div a.9 x.6
              return b.10
            } else { return s.5 }
            let t.11: f64 = add s.5 y.8
            return t.11 y.8
          }
          return s.2 ys.3
        }""",
}


@pytest.mark.parametrize("where", NOT_TAKEN)
def test_a_branch_not_taken_contributes_nothing(where: str) -> None:
    program = parse(NOT_TAKEN[where])
    xs = np.array([0.0, 0.25, -1.0, 4.0, 0.0])
    results = compiled(program, "f")(xs)
    gradient = compiled(*derive(program, "f", "vjp"))(xs, *(np.ones_like(r) for r in results))[-1]
    tangent = compiled(*derive(program, "f", "jvp"))(xs, np.ones_like(xs))
    twice, name = derive(*derive(program, "f", "vjp"), "vjp")
    second = compiled(twice, name)(xs, *[np.ones_like(r) for r in results] * 2, np.ones_like(xs))
    for values in (gradient, *tangent, *second):
        assert np.all(np.isfinite(values))
    assert gradient[0] == gradient[2] == gradient[4] == 0.0
    assert gradient[1] != 0.0
