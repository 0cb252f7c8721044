"""Array code of every structure does what the interpreter does, at sizes 0, 1 and more, and reads as intended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.tests.numpy.harness import check

RNG = np.random.default_rng(7)


def vector(n: int) -> Any:
    return RNG.normal(size=n)


def matrix(n: int, m: int) -> Any:
    return RNG.normal(size=(n, m))


sizes = pytest.mark.parametrize("n", [0, 1, 5])
shapes = pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0), (1, 1), (1, 4), (4, 1), (3, 5)])


@sizes
def test_a_branch_not_taken_gives_neither_nan_nor_warning(n: int) -> None:
    body = check(r"""def f (xs.0: []f64) {
      let ys.1: []f64 = map (xs.0) shapes (()) \(x.2: f64) {
        let c.3: bool = gt x.2 0.0
        let r.7: f64 = if c.3 {
          let s.4: f64 = sqrt x.2
          let l.5: f64 = log x.2
          let q.6: f64 = div s.4 l.5
          return q.6
        } else {
          return 0.0
        }
        return r.7
      }
      return ys.1
    }""", vector(n))  # fmt: skip
    assert "for " not in body


@sizes
def test_checks_count_only_in_lanes_that_take_the_arm(n: int) -> None:
    text = r"""def f (xs.0: []f64, limit.1: i64) {
      let n.2: i64 = dim xs.0 {axis = 0}
      let is.3: []i64 = iota n.2
      let ys.4: []f64 = map (is.3) shapes (()) \(i.5: i64) {
        let j.6: i64 = add i.5 1
        let c.7: bool = lt j.6 limit.1
        let r.11: f64 = if c.7 {
          let k.8: i64 = check_index j.6 n.2 {axis = 0, what = "xs"}
          let e.9: f64 = index xs.0 k.8
          return e.9
        } else {
          return 0.0
        }
        return r.11
      }
      return ys.4
    }"""
    check(text, vector(n), np.int64(n))
    check(text, vector(n), np.int64(n + 1))


@shapes
def test_a_check_that_depends_on_nothing_needs_a_lane_to_fail(n: int, m: int) -> None:
    check(r"""def f (a.0: [][]f64, k.1: i64) {
      let m.90: i64 = dim a.0 {axis = 1}
      let b.2: [][]f64 = map (a.0) shapes ((m.90)) \(row.3: []f64) {
        let n.4: i64 = dim row.3 {axis = 0}
        let ys.5: []f64 = map (row.3) shapes (()) \(x.6: f64) {
          let i.7: i64 = check_index k.1 n.4 {axis = 0, what = "row"}
          let e.8: f64 = index row.3 i.7
          let y.9: f64 = mul x.6 e.8
          return y.9
        }
        return ys.5
      }
      let t.10: []f64 = sum b.2 {axis = 0}
      return t.10
    }""", matrix(n, m), np.int64(3))  # fmt: skip


@sizes
def test_while_whose_trip_count_depends_on_the_lane(n: int) -> None:
    body = check(r"""def f (xs.0: []f64) {
      let ys.1: []f64, ks.2: []i64 = map (xs.0) shapes (() ()) \(x.3: f64) {
        let s.4: f64, k.5: i64 = while \(s.6: f64) {
          let a.7: f64 = abs s.6
          let c.8: bool = gt a.7 0.01
          return c.8
        } \(i.9: i64, s.10: f64) from (x.3) shapes () {
          let t.11: f64 = mul s.10 0.5
          return t.11
        }
        return s.4 k.5
      }
      return ys.1 ks.2
    }""", 3 * vector(n))  # fmt: skip
    assert "while" in body
    assert "for " not in body


@sizes
def test_for_whose_trip_count_depends_on_the_lane_and_collects(n: int) -> None:
    check(r"""def f (xs.0: []f64, counts.1: []i64) {
      let ys.2: []f64 = map (xs.0 counts.1) shapes (()) \(x.3: f64, k.4: i64) {
        let s.5: f64, rows.6: []f64 = for k.4 \(i.7: i64, s.8: f64) from (x.3) shapes (()) {
          let t.9: f64 = sin s.8
          let u.10: f64 = add t.9 1.0
          return u.10 s.8
        }
        let total.11: f64 = sum rows.6 {axis = 0}
        let r.12: f64 = add s.5 total.11
        return r.12
      }
      return ys.2
    }""", vector(n), np.arange(n)[::-1] - 1)  # fmt: skip


@shapes
def test_loop_state_depends_on_levels_found_by_and_by(n: int, m: int) -> None:
    """The state starts the same in all lanes and differs after the first iteration."""
    check(r"""def f (a.0: [][]f64) {
      let m.90: i64 = dim a.0 {axis = 1}
      let b.1: [][]f64 = map (a.0) shapes ((m.90)) \(row.2: []f64) {
        let n.3: i64 = dim row.2 {axis = 0}
        let zs.4: []f64 = replicate n.3 0.0
        let s.5: f64, t.6: f64, out.7: []f64
            = for n.3 \(i.8: i64, s.9: f64, t.10: f64, out.11: []f64) from (0.0 1.0 zs.4) shapes () {
          let x.12: f64 = index row.2 i.8
          let u.13: f64 = add s.9 x.12
          let v.14: f64 = mul t.10 s.9
          let w.15: []f64 = update out.11 u.13 i.8
          let z.16: []f64 = accumulate w.15 v.14 0
          return u.13 v.14 z.16
        }
        return out.7
      }
      return b.1
    }""", matrix(n, m))  # fmt: skip


@pytest.mark.parametrize("n", [0, 4])
def test_lanes_of_different_sizes_stay_a_loop(n: int) -> None:
    body = check(r"""def f (ns.0: []i64) {
      let ys.1: []i64 = map (ns.0) shapes (()) \(n.2: i64) {
        let is.3: []i64 = iota n.2
        let s.4: []i64 = map (is.3) shapes (()) \(i.5: i64) {
          let q.6: i64 = mul i.5 i.5
          return q.6
        }
        let t.7: i64 = sum s.4 {axis = 0}
        return t.7
      }
      return ys.1
    }""", np.arange(n))  # fmt: skip
    assert body.count("for ") == 1


@sizes
def test_recursion_in_a_map(n: int) -> None:
    body = check(r"""def fact "fact" (k.0: i64) {
      let c.1: bool = le k.0 1
      let r.2: i64 = if c.1 {
        return 1
      } else {
        let j.3: i64 = sub k.0 1
        let s.4: i64 = call fact (j.3) : (i64)
        let t.5: i64 = mul k.0 s.4
        return t.5
      }
      return r.2
    }
    def f (ks.0: []i64) {
      let ys.1: []i64 = map (ks.0) shapes (()) \(k.2: i64) {
        let y.3: i64 = call fact (k.2) : (i64)
        return y.3
      }
      return ys.1
    }""", np.arange(n))  # fmt: skip
    assert "for " in body


@shapes
def test_calls_get_a_copy_for_each_pattern_of_lanes(n: int, m: int) -> None:
    body = check(r"""def g (x.0: f64, row.1: []f64, k.2: i64) {
      let n.3: i64 = dim row.1 {axis = 0}
      let i.4: i64 = check_index k.2 n.3 {axis = 0, what = "row"}
      let e.5: f64 = index row.1 i.4
      let y.6: f64 = mul x.0 e.5
      return y.6 row.1
    }
    def f (a.0: [][]f64, xs.1: []f64) {
      let m.90: i64 = dim a.0 {axis = 1}
      let b.2: []f64, c.3: [][]f64 = map (a.0 xs.1) shapes (() (m.90)) \(row.4: []f64, x.5: f64) {
        let y.6: f64, r.7: []f64 = call g (x.5 row.4 0) : (f64 []f64)
        let z.8: f64, q.9: []f64 = call g (x.5 xs.1 0) : (f64 []f64)
        let u.10: f64 = add y.6 z.8
        return u.10 r.7
      }
      return b.2 c.3
    }""", matrix(n, m), vector(n))  # fmt: skip
    assert "for " not in body


@shapes
def test_folds_with_operators_of_their_own(n: int, m: int) -> None:
    check(r"""def f (a.0: [][]f64, xs.1: []f64) {
      let m.90: i64 = dim a.0 {axis = 1}
      let p.2: f64, q.3: f64 = reduce (xs.1 xs.1) neutral (1.0 0.0) \(a.4: f64, b.5: f64, c.6: f64, d.7: f64) {
        let e.8: f64 = mul a.4 c.6
        let g.9: f64 = mul c.6 b.5
        let h.10: f64 = add g.9 d.7
        return e.8 h.10
      }
      let s.11: [][]f64 = map (a.0) shapes ((m.90)) \(row.12: []f64) {
        let r.13: []f64 = scan (row.12) neutral (0.0) \(x.14: f64, y.15: f64) {
          let z.16: f64 = hypot x.14 y.15
          return z.16
        }
        return r.13
      }
      return p.2 q.3 s.11
    }""", matrix(n, m), vector(n))  # fmt: skip


@shapes
def test_structural_primitives_in_lanes(n: int, m: int) -> None:
    check(r"""def f (a.0: [][]f64, ks.1: []i64, x.2: []f64) {
      let m.90: i64 = dim a.0 {axis = 1}
      let l.91: i64 = add m.90 2
      let b.3: [][]f64, c.4: [][]f64, d.5: [][]f64, e.6: [][][]f64, g.7: [][]f64, h.8: []f64, o.9: [][]f64
          = map (a.0 ks.1) shapes ((m.90) (m.90) (l.91) (2 m.90) (m.90) () (m.90)) \(row.10: []f64, k.11: i64) {
        let n.12: i64 = dim row.10 {axis = 0}
        let b.13: []f64 = reverse row.10
        let c.14: []f64 = rotate row.10 k.11
        let d.15: []f64 = concat row.10 x.2
        let e.16: [][]f64 = replicate 2 row.10
        let s.17: []f64 = stack k.11 k.11
        return b.13 c.14 d.15 e.16 b.13 0.5 c.14
      }
      return b.3 c.4 d.5 e.6 g.7 h.8 o.9
    }""".replace("let s.17: []f64 = stack k.11 k.11", "let s.17: []i64 = stack k.11 k.11"),
        matrix(n, m), np.arange(n) - 2, vector(2))  # fmt: skip


@shapes
def test_slices_and_writes_at_places_of_the_lane(n: int, m: int) -> None:
    check(r"""def f (a.0: [][]f64, ks.1: []i64, z.2: []f64) {
      let b.3: [][]f64, c.4: [][]f64, d.5: [][]f64, g.6: [][]f64
            = map (a.0 ks.1) shapes ((2) (5) (5) (5)) \(row.7: []f64, k.8: i64) {
        let s.9: []f64 = slice z.2 k.8 2 1 {axis = 0}
        let u.10: []f64 = update_slice z.2 s.9 k.8 2 {axis = 0}
        let w.11: []f64 = accumulate_slice z.2 s.9 0 1 {axis = 0}
        let is.12: []i64 = stack k.8 k.8 -1
        let vs.13: []f64 = gather z.2 is.12
        let q.14: []f64 = accumulate_at z.2 vs.13 is.12
        return s.9 u.10 w.11 q.14
      }
      return b.3 c.4 d.5 g.6
    }""", matrix(n, m), np.arange(n) % 3, vector(5))  # fmt: skip


def test_an_update_in_a_loop_is_in_place_and_leaves_arguments_alone() -> None:
    body = check(r"""def f (xs.0: []f64, n.1: i64) {
      let out.2: []f64 = for n.1 \(i.3: i64, out.4: []f64) from (xs.0) shapes () {
        let x.5: f64 = index out.4 i.3
        let y.6: f64 = mul x.5 2.0
        let o.7: []f64 = update out.4 y.6 i.3
        return o.7
      }
      return out.2 xs.0
    }""", vector(5), np.int64(4))  # fmt: skip
    assert body.count(".copy()") == 1
    assert body.index(".copy()") < body.index("for ")


def test_an_array_still_read_is_copied_before_it_is_updated() -> None:
    check(r"""def f (n.0: i64) {
      let a.1: []f64 = replicate n.0 1.0
      let v.2: []f64 = slice a.1 1 2 1 {axis = 0}
      let b.3: []f64 = update a.1 7.0 1
      let c.4: []f64 = update b.3 8.0 2
      let s.5: f64 = sum v.2 {axis = 0}
      let t.6: f64 = sum c.4 {axis = 0}
      return s.5 t.6 b.3
    }""", np.int64(4))  # fmt: skip


def test_states_that_change_places_keep_their_own_arrays() -> None:
    check(r"""def f (xs.0: []f64, n.1: i64) {
      let a.2: []f64, b.3: []f64, rows.4: [][]f64
            = for n.1 \(i.5: i64, a.6: []f64, b.7: []f64) from (xs.0 xs.0) shapes ((5)) {
        let x.8: f64 = index b.7 i.5
        let y.9: f64 = add x.8 1.0
        let c.10: []f64 = update a.6 y.9 i.5
        return b.7 c.10 a.6
      }
      return a.2 b.3 rows.4
    }""", vector(5), np.int64(5))  # fmt: skip


def test_nested_loops_update_one_buffer() -> None:
    body = check(r"""def f (n.0: i64) {
      let zs.1: []f64 = replicate n.0 0.0
      let out.2: []f64 = for n.0 \(i.3: i64, out.4: []f64) from (zs.1) shapes () {
        let in.5: []f64 = for n.0 \(j.6: i64, in.7: []f64) from (out.4) shapes () {
          let q.8: []f64 = accumulate in.7 1.0 j.6
          return q.8
        }
        return in.5
      }
      return out.2
    }""", np.int64(4))  # fmt: skip
    assert ".copy()" not in body


def test_both_arms_of_a_branch_may_write_the_same_array() -> None:
    check(r"""def f (n.0: i64, c.1: bool) {
      let a.2: []f64 = replicate n.0 1.0
      let b.3: []f64 = if c.1 {
        let u.4: []f64 = update a.2 5.0 0
        return u.4
      } else {
        return a.2
      }
      let d.5: []f64 = update b.3 6.0 1
      return d.5
    }""", np.int64(3), np.bool_(True))  # fmt: skip


@pytest.mark.parametrize("dtype", ["i8", "i32", "i64", "u8", "u64", "f32"])
def test_literals_and_counters_keep_the_dtype(dtype: str) -> None:
    zero = "0.0" if dtype == "f32" else "0"
    two = f"2{'.0' if dtype == 'f32' else ''}:{dtype}" if dtype not in ("i64",) else "2"
    zero = zero if dtype == "i64" else f"{zero}:{dtype}"
    text = rf"""def f (xs.0: []{dtype}, n.1: i64) {{
      let s.2: {dtype} = for n.1 \(i.3: i64, s.4: {dtype}) from ({zero}) shapes () {{
        let k.5: {dtype} = cast i.3 {{to = "{dtype}"}}
        let t.6: {dtype} = mul s.4 {two}
        let u.7: {dtype} = add t.6 k.5
        return u.7
      }}
      let ys.8: []{dtype} = mul xs.0 s.2
      let z.9: {dtype} = sum ys.8 {{axis = 0}}
      return s.2 ys.8 z.9
    }}"""
    from dad.lang.prims.common import NUMPY_NAMES

    check(text, np.arange(5).astype(NUMPY_NAMES[dtype]), np.int64(80), tolerance=1e-5)


def test_counters_wrap_around_like_any_integer() -> None:
    check(r"""def f (n.0: i64) {
      let s.1: i64 = for n.0 \(i.2: i64, s.3: i64) from (1) shapes () {
        let a.4: i64 = add i.2 4294967296
        let b.5: i64 = mul a.4 a.4
        let c.6: i64 = mul s.3 b.5
        let d.7: i64 = add c.6 i.2
        return d.7
      }
      return s.1
    }""", np.int64(9))  # fmt: skip


def test_numbers_alone_follow_ieee() -> None:
    check(r"""def f (c.0: bool) {
      let a.1: f64 = div 1.0 0.0
      let b.2: f64 = for 3 \(i.3: i64, s.4: f64) from (0.0) shapes () {
        let t.5: f64 = div s.4 s.4
        return t.5
      }
      let e.6: f64 = select c.0 0.0 1.0
      let g.7: f64 = div 1.0 e.6
      let h.8: f64 = pow e.6 -1.0
      return a.1 b.2 g.7 h.8
    }""", np.bool_(True))  # fmt: skip


@sizes
def test_zeros_like_something_repeated(n: int) -> None:
    check(r"""def f (xs.0: []f64, m.1: i64) {
      let z.2: []f64 = zeros_like xs.0
      let r.3: [][]f64 = replicate m.1 z.2
      let y.4: []f64 = replicate m.1 1.0
      let k.5: bool = gt m.1 0
      let u.6: [][]f64 = if k.5 {
        let v.7: [][]f64 = update r.3 xs.0 0
        return v.7
      } else {
        return r.3
      }
      return u.6 y.4
    }""", vector(n), np.int64(2))  # fmt: skip
