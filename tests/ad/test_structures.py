"""Derivatives of every structure of the IR, in every nesting that has a rule of its own.

Each program is text; `check` compares forward mode, reverse mode, both again, and differences.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.codegen import interp
from dad.codegen.passes.differentiate import differentiate
from dad.lang.core.text import parse
from dad.tests.ad.harness import check, derive, elements_made

XS = np.array([0.3, -0.7, 1.1, 0.4])
YS = np.array([0.9, 0.2, -0.4])
GRID = np.array([[0.3, -0.2, 0.5], [0.7, 0.1, -0.6], [0.2, 0.8, 0.4], [-0.3, 0.6, 0.9]])

PROGRAMS: dict[str, tuple[str, list[Any]]] = {
    "the same variable twice, a parameter and a constant as results": ("""
        def f (x.0: f64, y.1: f64, k.2: i64) {
          let z.3: f64 = mul x.0 x.0
          return z.3 z.3 x.0 2.5 k.2
        }""", [1.3, 0.4, 7]),
    "a scalar meets an array": ("""
        def f (xs.0: []f64, k.1: f64) {
          let a.2: []f64 = mul k.1 xs.0
          let b.3: []f64 = add a.2 k.1
          let c.4: []f64 = div b.3 k.1
          return c.4
        }""", [XS, 0.7]),
    "a map with a free scalar, array and row": ("""
        def f (xs.0: []f64, k.1: f64, grid.2: [][]f64) {
          let n.20: i64 = dim grid.2 {axis = 1}
          let rs.3: []f64, ts.4: [][]f64 = map (grid.2 xs.0) shapes (() (n.20)) \\(row.5: []f64, x.6: f64) {
            let y.7: []f64 = mul row.5 k.1
            let z.8: []f64 = sin y.7
            let s.9: f64 = sum z.8 {axis = 0}
            let t.10: f64 = sum xs.0 {axis = 0}
            let u.11: f64 = mul s.9 t.10
            let v.12: f64 = mul u.11 x.6
            return v.12 z.8
          }
          return rs.3 ts.4
        }""", [XS, 0.7, GRID]),
    "reads of outside arrays in a map: places, rows, slices, gathers": ("""
        def f (xs.0: []f64, grid.1: [][]f64, places.2: []i64) {
          let ys.3: []f64 = map (places.2) shapes (()) \\(i.4: i64) {
            let a.5: f64 = index xs.0 i.4
            let b.6: f64 = index xs.0 1
            let c.7: f64 = index grid.1 i.4 2
            let row.8: []f64 = index grid.1 i.4
            let d.9: f64 = prod row.8 {axis = 0}
            let part.10: []f64 = slice xs.0 i.4 2 1 {axis = 0}
            let e.11: f64 = prod part.10 {axis = 0}
            let column.12: [][]f64 = slice grid.1 i.4 1 1 {axis = 1}
            let cs.13: []f64 = sum column.12 {axis = 1}
            let g.14: f64 = prod cs.13 {axis = 0}
            let many.15: []f64 = gather xs.0 places.2
            let h.16: f64 = prod many.15 {axis = 0}
            let p.17: f64 = mul a.5 b.6
            let q.18: f64 = mul c.7 d.9
            let r.19: f64 = mul e.11 g.14
            let s.20: f64 = add p.17 q.18
            let t.21: f64 = add r.19 h.16
            let u.22: f64 = mul s.20 t.21
            return u.22
          }
          return ys.3
        }""", [XS, GRID, np.array([0, 2, 2, 1, 0])]),
    "a map that reads slices of different lengths": ("""
        def f (xs.0: []f64) {
          let n.1: i64 = dim xs.0 {axis = 0}
          let places.2: []i64 = iota n.1
          let ys.3: []f64 = map (places.2 xs.0) shapes (()) \\(i.4: i64, y.9: f64) {
            let part.5: []f64 = slice xs.0 0 i.4 1 {axis = 0}
            let sq.6: []f64 = mul part.5 part.5
            let s.7: f64 = sum sq.6 {axis = 0}
            let t.8: f64 = mul s.7 y.9
            return t.8
          }
          return ys.3
        }""", [XS]),
    "maps in maps that read slices of different lengths": ("""
        def f (xs.0: []f64, k.1: f64) {
          let n.2: i64 = dim xs.0 {axis = 0}
          let places.3: []i64 = iota n.2
          let ys.4: [][]f64 = map (places.3 xs.0) shapes ((n.2)) \\(i.5: i64, y.6: f64) {
            let zs.7: []f64 = map (places.3) shapes (()) \\(j.8: i64) {
              let part.9: []f64 = slice xs.0 0 j.8 1 {axis = 0}
              let s.10: f64 = prod part.9 {axis = 0}
              let t.11: f64 = mul s.10 y.6
              let u.12: f64 = mul t.11 k.1
              return u.12
            }
            return zs.7
          }
          return ys.4
        }""", [XS, 0.7]),
    "loops inside a map, one to each element, that read an outside array": ("""
        def f (xs.0: []f64, ks.1: []f64) {
          let n.2: i64 = dim ks.1 {axis = 0}
          let ys.3: []f64 = map (xs.0) shapes (()) \\(x.4: f64) {
            let p.5: f64 = for n.2 \\(i.6: i64, p.7: f64) from (0.0) shapes () {
              let k.8: f64 = index ks.1 i.6
              let first.9: f64 = index ks.1 0
              let q.10: f64 = mul p.7 x.4
              let r.11: f64 = add q.10 k.8
              let s.12: f64 = mul r.11 first.9
              return s.12
            }
            return p.5
          }
          return ys.3
        }""", [XS, YS]),
    "a while loop inside a map that reads an outside array": ("""
        def f (xs.0: []f64, ks.1: []f64) {
          let ys.3: []f64, ns.30: []i64 = map (xs.0) shapes (() ()) \\(x.4: f64) {
            let p.5: f64, n.13: i64 = while \\(p.14: f64) {
              let small.15: bool = lt p.14 2.0
              return small.15
            } \\(i.6: i64, p.7: f64) from (x.4) shapes () {
              let j.16: i64 = mod i.6 3
              let k.8: f64 = index ks.1 j.16
              let e.17: f64 = exp k.8
              let q.10: f64 = mul e.17 x.4
              let r.11: f64 = mul q.10 x.4
              let s.12: f64 = add r.11 p.7
              return s.12
            }
            return p.5 n.13
          }
          return ys.3 ns.30
        }""", [XS, YS]),
    "a branch in a map, each arm with its own reads": ("""
        def f (xs.0: []f64, places.1: []i64) {
          let ys.2: []f64 = map (places.1) shapes (()) \\(i.3: i64) {
            let even.4: i64 = mod i.3 2
            let c.5: bool = eq even.4 0
            let y.6: f64 = if c.5 {
              let a.7: f64 = index xs.0 i.3
              let b.8: f64 = index xs.0 0
              let d.9: f64 = mul a.7 b.8
              return d.9
            } else {
              let part.10: []f64 = slice xs.0 1 2 1 {axis = 0}
              let e.11: f64 = prod part.10 {axis = 0}
              let g.12: f64 = index xs.0 3
              let h.13: f64 = mul e.11 g.12
              return h.13
            }
            let z.14: f64 = index xs.0 i.3
            let w.15: f64 = mul y.6 z.14
            return w.15
          }
          return ys.2
        }""", [XS, np.array([0, 1, 2, 3, 1])]),
    "a branch in a map whose slice has a length of its own": ("""
        def f (xs.0: []f64, places.1: []i64) {
          let ys.2: []f64 = map (places.1) shapes (()) \\(i.3: i64) {
            let c.5: bool = gt i.3 0
            let y.6: f64 = if c.5 {
              let part.10: []f64 = slice xs.0 0 i.3 1 {axis = 0}
              let e.11: f64 = prod part.10 {axis = 0}
              return e.11
            } else {
              let a.7: f64 = index xs.0 3
              return a.7
            }
            return y.6
          }
          return ys.2
        }""", [XS, np.array([0, 1, 2, 3, 1])]),
    "an array is one of two": ("""
        def f (xs.0: []f64, ys.1: []f64, k.2: i64) {
          let c.3: bool = gt k.2 0
          let zs.4: []f64 = if c.3 { return xs.0 } else {
            let two.5: []f64 = mul ys.1 2.0
            let a.6: f64 = index xs.0 0
            let up.7: []f64 = update two.5 a.6 1
            return up.7
          }
          let ws.8: []f64 = sin zs.4
          let s.9: f64 = index zs.4 2
          return ws.8 s.9
        }""", [YS, YS * 2, 0]),
    "an array filled place by place": ("""
        def f (xs.0: []f64, k.1: f64) {
          let n.2: i64 = dim xs.0 {axis = 0}
          let m.3: i64 = sub n.2 1
          let out.4: []f64 = for m.3 \\(i.5: i64, a.6: []f64) from (xs.0) shapes () {
            let x.7: f64 = index a.6 i.5
            let b.8: f64 = mul x.7 k.1
            let c.9: f64 = sin b.8
            let j.10: i64 = add i.5 1
            let y.11: f64 = index a.6 j.10
            let e.12: f64 = mul c.9 y.11
            let r.13: []f64 = update a.6 e.12 j.10
            return r.13
          }
          return out.4
        }""", [XS, 0.7]),
    "an array filled by one arm or the other": ("""
        def f (xs.0: []f64, k.1: f64) {
          let n.2: i64 = dim xs.0 {axis = 0}
          let m.3: i64 = sub n.2 1
          let out.4: []f64 = for m.3 \\(i.5: i64, a.6: []f64) from (xs.0) shapes () {
            let j.7: i64 = add i.5 1
            let even.8: i64 = mod i.5 2
            let c.9: bool = eq even.8 0
            let b.10: []f64 = if c.9 {
              let x.11: f64 = index a.6 i.5
              let y.12: f64 = index xs.0 j.7
              let z.13: f64 = mul x.11 y.12
              let s.14: f64 = sin z.13
              let up.15: []f64 = update a.6 s.14 j.7
              return up.15
            } else {
              let x.16: f64 = index a.6 j.7
              let y.17: f64 = index xs.0 i.5
              let z.18: f64 = mul x.16 y.17
              let w.19: f64 = mul z.18 k.1
              let up.20: []f64 = update a.6 w.19 j.7
              return up.20
            }
            return b.10
          }
          return out.4
        }""", [XS, 0.7]),
    "a table filled in two nested loops, with a branch": ("""
        def f (xs.0: []f64, ys.1: []f64, table.2: [][]f64) {
          let n.3: i64 = dim xs.0 {axis = 0} let m.4: i64 = dim ys.1 {axis = 0} let out.5: [][]f64, norm.50: f64 = for
          n.3 \\(i.6: i64, d.7: [][]f64, w.51: f64) from (table.2 1.0) shapes () {
            let row.8: [][]f64 = for m.4 \\(j.9: i64, e.10: [][]f64) from (d.7) shapes () {
              let inside.11: i64 = min i.6 j.9
              let c.12: bool = gt inside.11 0
              let x.13: f64 = index xs.0 i.6
              let y.14: f64 = index ys.1 j.9
              let v.15: f64 = if c.12 {
                let i1.16: i64 = sub i.6 1
                let j1.17: i64 = sub j.9 1
                let a.18: f64 = index e.10 i1.16 j1.17
                let b.19: f64 = index e.10 i1.16 j.9
                let p.20: f64 = mul a.18 b.19
                let q.21: f64 = add p.20 x.13
                return q.21
              } else { return y.14 }
              let s.22: f64 = sin v.15
              let t.23: f64 = mul s.22 y.14
              let u.24: [][]f64 = update e.10 t.23 i.6 j.9
              return u.24
            }
            let last.25: f64 = index row.8 i.6 0
            let w2.52: f64 = mul w.51 last.25
            return row.8 w2.52
          }
          return out.5 norm.50
        }""", [XS, YS, GRID]),
    "a table filled row by row by a map that reads the row before": ("""
        def f (grid.0: [][]f64, ks.1: []f64) {
          let n.2: i64 = dim grid.0 {axis = 0}
          let m.3: i64 = dim grid.0 {axis = 1}
          let places.4: []i64 = iota m.3
          let steps.5: i64 = sub n.2 1
          let out.6: [][]f64 = for steps.5 \\(i.7: i64, d.8: [][]f64) from (grid.0) shapes () {
            let row.9: []f64 = map (places.4 ks.1) shapes (()) \\(j.10: i64, k.11: f64) {
              let last.12: i64 = sub j.10 1
              let before.13: i64 = max last.12 0
              let a.14: f64 = index d.8 i.7 j.10
              let b.15: f64 = index d.8 i.7 before.13
              let c.16: f64 = mul a.14 b.15
              let e.17: f64 = mul c.16 k.11
              let s.18: f64 = sin e.17
              return s.18
            }
            let next.19: i64 = add i.7 1
            let d2.20: [][]f64 = update d.8 row.9 next.19
            return d2.20
          }
          return out.6
        }""", [GRID, YS]),
    "whole arrays as state, with collected rows": ("""
        def f (xs.0: []f64, dt.1: f64) {
          let n.2: i64 = dim xs.0 {axis = 0} let end.3: []f64, path.4: [][]f64, heads.5: []f64 = for 5 \\(i.6: i64,
          s.7: []f64) from (xs.0) shapes ((n.2) ()) {
            let v.8: []f64 = sin s.7
            let w.9: []f64 = mul v.8 dt.1
            let sq.10: []f64 = mul s.7 w.9
            let next.11: []f64 = sub s.7 sq.10
            let head.12: f64 = index next.11 0
            return next.11 next.11 head.12
          }
          return end.3 path.4 heads.5
        }""", [XS, 0.1]),
    "no iterations, and a negative count": ("""
        def f (xs.0: []f64, x.1: f64, k.2: i64) {
          let n.3: i64 = dim xs.0 {axis = 0}
          let a.4: f64, rows.5: []f64 = for k.2 \\(i.6: i64, s.7: f64) from (x.1) shapes (()) {
            let t.8: f64 = index xs.0 i.6
            let u.9: f64 = mul s.7 t.8
            return u.9 s.7
          }
          return a.4 rows.5
        }""", [XS, 0.6, -2]),
    "states that trade places, one replaced by a constant": ("""
        def f (x.0: f64, y.1: f64) {
          let a.2: f64, b.3: f64, c.4: f64, n.5: i64 = for 3 \\(i.6: i64, s.7: f64, t.8: f64, u.9: f64, k.10: i64)
              from (x.0 y.1 x.0 0) shapes () {
            let p.11: f64 = mul s.7 u.9
            let q.12: f64 = add p.11 t.8
            let k2.13: i64 = add k.10 2
            return t.8 q.12 1.5 k2.13
          }
          return a.2 b.3 c.4 n.5
        }""", [0.8, -0.3]),
    "a while loop with rows": ("""
        def f (x.0: f64, k.1: f64) {
          let s.2: f64, m.3: i64, rows.4: []f64, n.5: i64 = while \\(a.6: f64, j.7: i64) {
            let t.8: bool = lt a.6 6.0
            return t.8
          } \\(i.9: i64, a.10: f64, j.11: i64) from (x.0 0) shapes (()) {
            let b.12: f64 = mul a.10 k.1
            let c.13: f64 = sin b.12
            let d.14: f64 = add c.13 1.6
            let e.15: f64 = add d.14 a.10
            let j2.16: i64 = add j.11 1
            return e.15 j2.16 c.13
          }
          return s.2 m.3 rows.4 n.5
        }""", [1.1, 0.7]),
    "a reduction and a scan with operators of their own": ("""
        def f (xs.0: []f64, ys.1: []f64, k.2: f64) {
          let r.3: f64 = reduce (xs.0) neutral (0.0) \\(p.4: f64, q.5: f64) {
            let a.6: f64 = mul p.4 q.5
            let b.7: f64 = mul a.6 k.2
            let c.8: f64 = add p.4 q.5
            let d.9: f64 = add b.7 c.8
            return d.9
          } let ps.10: []f64, qs.11: []f64 = scan (xs.0 ys.1) neutral (1.0 0.0) \\(a.12: f64, b.13: f64, c.14: f64,
          d.15: f64) {
            let e.16: f64 = mul a.12 c.14
            let g.17: f64 = mul b.13 c.14
            let h.18: f64 = add g.17 d.15
            return e.16 h.18
          }
          return r.3 ps.10 qs.11
        }""", [XS, XS * 2, 0.4]),
    "calls, in a loop and in a map, of a function that reads single places": ("""
        def g (xs.0: []f64, i.1: i64, k.2: f64) {
          let a.3: f64 = index xs.0 i.1
          let j.4: i64 = add i.1 1
          let b.5: f64 = index xs.0 j.4
          let c.6: f64 = mul a.3 b.5
          let d.7: f64 = mul c.6 k.2
          let e.8: f64 = exp d.7
          return e.8 i.1 b.5
        }
        def f (xs.0: []f64, k.1: f64) {
          let n.2: i64 = dim xs.0 {axis = 0}
          let m.3: i64 = sub n.2 1
          let s.4: f64 = for m.3 \\(i.5: i64, s.6: f64) from (1.0) shapes () {
            let a.7: f64, j.8: i64, b.9: f64 = call g (xs.0 i.5 k.1) : (f64 i64 f64)
            let c.10: f64 = mul s.6 a.7
            return c.10
          }
          let places.11: []i64 = iota m.3
          let ys.12: []f64 = map (places.11) shapes (()) \\(i.13: i64) {
            let a.14: f64, j.15: i64, b.16: f64 = call g (xs.0 i.13 2.0) : (f64 i64 f64)
            let c.17: f64 = mul b.16 a.14
            return c.17
          }
          let z.18: f64, j.19: i64, b.20: f64 = call g (xs.0 0 s.4) : (f64 i64 f64)
          return s.4 ys.12 z.18
        }""", [XS, 0.7]),
    "a recursive function": ("""
        def power (x.0: f64, n.1: i64, k.9: f64) {
          let done.2: bool = le n.1 0
          let r.3: f64 = if done.2 { return 1.0 } else {
            let m.4: i64 = sub n.1 1
            let p.5: f64 = call power (x.0 m.4 k.9) : (f64)
            let q.6: f64 = mul p.5 x.0
            let s.7: f64 = mul q.6 k.9
            let t.8: f64 = sin s.7
            return t.8
          }
          return r.3
        }
        def f (x.0: f64) {
          let y.1: f64 = call power (x.0 4 1.3) : (f64)
          return y.1
        }""", [0.9]),
    "two functions that call each other, on an array": ("""
        def even (xs.0: []f64, n.1: i64) {
          let done.2: bool = le n.1 0
          let r.3: f64 = if done.2 { return 1.0 } else {
            let m.4: i64 = sub n.1 1
            let x.5: f64 = index xs.0 m.4
            let p.6: f64 = call odd (xs.0 m.4) : (f64)
            let q.7: f64 = mul p.6 x.5
            return q.7
          }
          return r.3
        }
        def odd (xs.0: []f64, n.1: i64) {
          let done.2: bool = le n.1 0
          let r.3: f64 = if done.2 { return 0.5 } else {
            let m.4: i64 = sub n.1 1
            let x.5: f64 = index xs.0 m.4
            let p.6: f64 = call even (xs.0 m.4) : (f64)
            let q.7: f64 = add p.6 x.5
            let s.8: f64 = sin q.7
            return s.8
          }
          return r.3
        }
        def f (xs.0: []f64) {
          let n.1: i64 = dim xs.0 {axis = 0}
          let y.2: f64 = call even (xs.0 n.1) : (f64)
          return y.2
        }""", [XS]),
    "a loop that may not run, whose state starts from what its body reads": ("""
        def f (ys.0: []f64, k.1: i64) {
          let a.2: []f64 = for 2 \\(i.3: i64, s.4: []f64) from (ys.0) shapes () {
            let b.5: []f64 = for k.1 \\(j.6: i64, t.7: []f64) from (s.4) shapes () { return s.4 }
            let c.8: []f64 = mul b.5 s.4
            return c.8
          }
          return a.2
        }""", [YS, 0]),
    "a fold one of whose arrays does not vary": ("""
        def f (xs.0: []f64, k.1: f64) {
          let ones.2: []f64 = zeros_like xs.0
          let ps.3: []f64, qs.4: []f64 = scan (xs.0 ones.2) neutral (1.0 0.0)
              \\(a.5: f64, b.6: f64, c.7: f64, d.8: f64) {
            let e.9: f64 = mul a.5 c.7
            let g.10: f64 = mul c.7 b.6
            let h.11: f64 = add g.10 d.8
            return e.9 h.11
          }
          let r.12: f64, t.13: f64 = reduce (ones.2 xs.0) neutral (1.0 0.0)
              \\(a.14: f64, b.15: f64, c.16: f64, d.17: f64) {
            let e.18: f64 = mul a.14 c.16
            let g.19: f64 = mul c.16 b.15
            let h.20: f64 = add g.19 d.17
            return e.18 h.20
          }
          return ps.3 qs.4 r.12 t.13
        }""", [XS, 0.3]),
    "columns and corners of rows, in a map and in a map in a loop": ("""
        def f (grid.0: [][]f64, k.1: f64) {
          let ys.2: []f64 = map (grid.0) shapes (()) \\(row.3: []f64) {
            let a.4: f64 = index row.3 0
            let b.5: f64 = index row.3 2
            let part.6: []f64 = slice row.3 1 2 1 {axis = 0}
            let c.7: f64 = prod part.6 {axis = 0}
            let d.8: f64 = mul a.4 b.5
            let e.9: f64 = mul d.8 c.7
            return e.9
          }
          let s.10: f64 = for 3 \\(i.11: i64, s.12: f64) from (k.1) shapes () {
            let zs.13: []f64 = map (grid.0) shapes (()) \\(row.14: []f64) {
              let a.15: f64 = index row.14 i.11
              let j.16: i64 = sub 2 i.11
              let b.17: f64 = index row.14 j.16
              let head.18: []f64 = slice row.14 0 2 1 {axis = 0}
              let c.19: f64 = prod head.18 {axis = 0}
              let d.20: f64 = mul a.15 b.17
              let e.21: f64 = mul d.20 c.19
              let g.22: f64 = add e.21 s.12
              let h.23: f64 = sin g.22
              return h.23
            }
            let t.24: f64 = sum zs.13 {axis = 0}
            return t.24
          }
          return ys.2 s.10
        }""", [GRID, 0.2]),
    "a derivative inside a loop inside a function": ("""
        def f (x.0: f64, k.1: f64) {
          let r.2: f64 = for 3 \\(i.3: i64, s.4: f64) from (x.0) shapes () {
            let v.5: f64, g.6: f64 = vjp (s.4) seeds (1.0) \\(p.7: f64) {
              let a.8: f64 = mul p.7 k.1
              let b.9: f64 = sin a.8
              let c.10: f64 = mul b.9 p.7
              return c.10
            }
            let h.11: f64 = mul g.6 0.5
            let t.12: f64 = sub s.4 h.11
            return t.12
          }
          return r.2
        }""", [0.8, 1.2]),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("called", [False, True], ids=["inlined", "called"])
def test_derivatives_agree(name: str, called: bool) -> None:
    text, args = PROGRAMS[name]
    check(parse(text), "f", args, called=called)


@pytest.mark.parametrize("name", PROGRAMS)
def test_third_derivatives(name: str) -> None:
    """The checks of first and second order, of a first derivative."""
    text, args = PROGRAMS[name]
    program, jvp = derive(parse(text), "f", "jvp")
    rng = np.random.default_rng(3)
    tangents = [rng.normal(size=np.shape(a)) for a in args if np.asarray(a).dtype.kind == "f"]
    check(differentiate(program), jvp, [*args, *(t[()] for t in tangents)], exact=1e-9, differences=1e-5)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "array filled" in name or "table filled" in name])
def test_filling_an_array_costs_as_much_as_it_fills(name: str) -> None:
    """No copy of the array to each iteration: twice the places, twice the elements."""
    text, args = PROGRAMS[name]
    program, vjp = derive(parse(text), "f", "vjp")
    ready = differentiate(program)

    def made(size: int) -> int:
        rng = np.random.default_rng(0)
        lengths = {4: size, 3: 3}
        shapes = [tuple(lengths[n] for n in np.shape(a)) for a in args]
        grown = [rng.uniform(-1, 1, shape) if shape else a for shape, a in zip(shapes, args, strict=True)]
        results = interp.run(ready, "f", grown)
        return elements_made(ready, vjp, [*grown, *(np.ones_like(r) for r in results)])

    assert made(80) < 2.2 * made(40)
