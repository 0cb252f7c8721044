"""Sums of products: right for any placing of axes, and written as the NumPy call that needs no array of all axes."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.ir import Atom, Const, Lambda, Type, Var
from dad.lang.core.verify import verify
from dad.tests.numpy.harness import agree, check


class Products:
    """A nest of maps over axes; inside, a random product of elements of arrays; around, sums over some of the axes."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.b = Builder(Fresh())
        self.axes = rng.randrange(2, 5)
        self.sizes = [rng.choice((0, 1, 2, 3, 4)) for _ in range(self.axes)]
        self.params: list[Var] = []
        self.values: list[Any] = []
        self.lengths: dict[int, Atom] = {}

    def array(self, axes: tuple[int, ...]) -> Var:
        var = self.b.fresh("x", Type("f64", len(axes)))
        self.params.append(var)
        seeded = np.random.default_rng(self.rng.randrange(1000))
        self.values.append(np.asarray(seeded.normal(size=[self.sizes[k] for k in axes]))[()])
        return var

    def program(self) -> ir.Program:
        rng, b = self.rng, self.b
        covered = self.array(tuple(range(self.axes)))
        used = [tuple(rng.sample(range(self.axes), rng.randrange(self.axes + 1))) for _ in range(rng.randrange(1, 4))]
        factors = [(self.array(axes), axes) for axes in used]
        if rng.random() < 0.3:
            factors.append((covered, tuple(range(self.axes))))
        shape = b.shape(covered)
        order = list(range(self.axes))
        rng.shuffle(order)
        total = self.nest(b, order, {}, shape, factors)
        result: Atom = total
        for _ in range(rng.randrange(1, self.axes + 1)):
            result = b.prim("sum", result, axis=rng.randrange(result.type.rank))
        function = ir.Function("f", tuple(self.params), b.block([result]))
        return ir.Program({"f": function})

    def nest(
        self,
        b: Builder,
        order: list[int],
        places: dict[int, Atom],
        shape: tuple[Atom, ...],
        factors: list[tuple[Var, tuple[int, ...]]],
    ) -> Atom:
        if not order:
            return self.product(b, places, factors)
        here, *rest = order
        inner = b.nested()
        index = b.fresh("i", ir.I64)
        body = self.nest(inner, rest, {**places, here: index}, shape, factors)
        sizes = [shape[k] for k in rest]
        return b.map([b.prim("iota", shape[here])], Lambda((index,), inner.block([body])), [sizes])[0]

    def product(self, b: Builder, places: dict[int, Atom], factors: list[tuple[Var, tuple[int, ...]]]) -> Atom:
        rng = self.rng
        terms = []
        for _ in range(rng.choice((1, 1, 2))):
            term: Atom = Const(1.0, "f64")
            for array, axes in rng.sample(factors, rng.randrange(1, len(factors) + 1)):
                x = b.prim("index", array, *(places[k] for k in axes)) if axes else array
                if rng.random() < 0.2:
                    x = b.prim("pow", x, Const(2.0, "f64"))
                if rng.random() < 0.2:
                    x = b.neg(x)
                if rng.random() < 0.2:
                    x = b.add(x, x)
                if rng.random() < 0.2:
                    x = b.prim("exp", x)
                term = b.div(term, b.prim("exp", x)) if rng.random() < 0.2 else b.mul(term, x)
            terms.append(term)
        return terms[0] if len(terms) == 1 else b.prim(rng.choice(("add", "sub")), *terms)


@pytest.mark.parametrize("seed", range(120))
def test_random_sums_of_products(seed: int) -> None:
    products = Products(Random(seed))
    program = products.program()
    verify(program)
    agree(program, "f", products.values)


def test_a_matrix_product_is_one() -> None:
    body = check(r"""def f (a.0: [][]f64, b.1: [][]f64) {
      let m.2: i64 = dim b.1 {axis = 1}
      let c.3: [][]f64 = map (a.0) shapes ((m.2)) \(row.4: []f64) {
        let t.5: [][]f64 = transpose b.1 {perm = (1, 0)}
        let r.6: []f64 = map (t.5) shapes (()) \(col.7: []f64) {
          let p.8: []f64 = mul row.4 col.7
          let s.9: f64 = sum p.8 {axis = 0}
          return s.9
        }
        return r.6
      }
      return c.3
    }""", np.ones((3, 4)), np.arange(8.0).reshape(4, 2))  # fmt: skip
    assert "a @ b" in body


def test_a_quadratic_form_makes_no_array_of_all_axes() -> None:
    body = check(r"""def f (q.0: [][][]f64, x.1: [][]f64) {
      let d.2: i64 = dim x.1 {axis = 1}
      let k.3: i64 = dim q.0 {axis = 0}
      let out.4: [][][]f64 = map (x.1) shapes ((k.3 d.2)) \(p.5: []f64) {
        let o.6: [][]f64 = map (q.0) shapes ((d.2)) \(m.7: [][]f64) {
          let y.8: []f64 = map (m.7) shapes (()) \(row.9: []f64) {
            let z.10: []f64 = mul row.9 p.5
            let s.11: f64 = sum z.10 {axis = 0}
            return s.11
          }
          return y.8
        }
        return o.6
      }
      return out.4
    }""", np.random.default_rng(0).normal(size=(2, 3, 3)), np.random.default_rng(1).normal(size=(5, 3)))  # fmt: skip
    assert "tensordot" in body or "@" in body
    assert ".sum(" not in body
