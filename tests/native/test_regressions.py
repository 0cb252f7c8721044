"""What machine code once got wrong, reduced."""

from __future__ import annotations

import numpy as np
import pytest
from dad.tests.native.agreement import check

TWO_STATES_OF_ONE_ARRAY = """
def f (xs.0: []f64) {
  let ys.1: []f64 = mul xs.0 2.0
  let a.2: []f64, b.3: []f64 = for 3 \\(i.4: i64, a.5: []f64, b.6: []f64) from (ys.1 ys.1) shapes () {
    let c.7: []f64 = add b.6 1.0
    return c.7 a.5
  }
  return a.2 b.3
}
"""
READ_BESIDE_ITS_STATE = """
def f (xs.0: []f64) {
  let ys.1: []f64 = mul xs.0 2.0
  let a.2: []f64 = for 3 \\(i.3: i64, a.4: []f64) from (ys.1) shapes () {
    let y.5: f64 = index ys.1 0
    let z.6: f64 = add y.5 1.0
    let b.7: []f64 = update a.4 z.6 0
    return b.7
  }
  return a.2
}
"""
STATE_OF_THREE_AXES_THAT_GROWS = """
def f (xs.0: [][][]f64) {
  let a.1: [][][]f64 = for 3 \\(i.2: i64, a.3: [][][]f64) from (xs.0) shapes () ragged {
    let b.4: [][][]f64 = concat a.3 xs.0
    let c.5: [][][]f64 = mul b.4 0.5
    return c.5
  }
  return a.1
}
"""
GROWS_WHILE_ITS_SUM_IS_SMALL = """
def f (xs.0: [][][]f64) {
  let a.1: [][][]f64, n.12: i64 = while \\(a.6: [][][]f64) {
    let s.7: [][]f64 = sum a.6 {axis = 0}
    let s.8: []f64 = sum s.7 {axis = 0}
    let s.9: f64 = sum s.8 {axis = 0}
    let t.10: bool = lt s.9 300.0
    return t.10
  } \\(i.2: i64, a.3: [][][]f64) from (xs.0) shapes () ragged {
    let b.4: [][][]f64 = concat a.3 xs.0
    let c.5: [][][]f64 = add b.4 1.0
    return c.5
  }
  return a.1 n.12
}
"""

A_ROW_IS_READ_AFTER_IT_IS_REPLACED = """
def f (xs.0: [][]f64) {
  let a.1: [][]f64 = for 3 \\(i.2: i64, s.3: [][]f64) from (xs.0) shapes () {
    let b.4: [][]f64 = map (s.3) shapes ((3)) \\(x.9: []f64) {
      let y.10: []f64 = mul x.9 2.0
      return y.10
    }
    let r.5: []f64 = index b.4 0
    let z.6: []f64 = index s.3 1
    let c.7: [][]f64 = update b.4 z.6 0
    let d.8: [][]f64 = accumulate c.7 r.5 1
    return d.8
  }
  return a.1
}
"""


@pytest.mark.parametrize("tier", [0, 1])
def test_what_is_still_read_is_not_written_at_its_place(tier: int) -> None:
    check(A_ROW_IS_READ_AFTER_IT_IS_REPLACED, np.arange(6.0).reshape(2, 3), tier=tier)


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("text", [TWO_STATES_OF_ONE_ARRAY, READ_BESIDE_ITS_STATE])
def test_states_of_loops_have_memory_of_their_own(text: str, tier: int) -> None:
    check(text, np.array([1.0, 2.0, -0.5]), tier=tier)


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("text", [STATE_OF_THREE_AXES_THAT_GROWS, GROWS_WHILE_ITS_SUM_IS_SMALL])
def test_strides_of_growing_states_are_those_of_the_iteration(text: str, tier: int) -> None:
    check(text, np.arange(12.0).reshape(2, 3, 2), tier=tier)
