"""`@ nondet`: where a definition allows it, many threads add to one place in any order; nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dad.commands.output import signature
from dad.driver import check
from dad.lang.source import Source
from dad.tests.cuda.agreement import compiled_twice
from dad.tests.cuda.standin import COUNTS, set_order

PROGRAM = """
entry counts [n] (k: [n]i64) (x: [n]f64) (m: i64) : [m]f64 @ nondet = hist (+) 0 m k x
entry ordered [n] (k: [n]i64) (x: [n]f64) (m: i64) : [m]f64 = hist (+) 0 m k x
entry whole [n] (k: [n]i64) (m: i64) : [m]i64 = hist (+) 0 m k (map (const 1) k)
entry single [n][m] (y: [m]f32) (k: [n]i64) (x: [n]f32) : [m]f32 @ nondet = reduce_by_index y (+) 0 k x
entry largest [n][m] (y: [m]f64) (k: [n]i64) (x: [n]f64) : [m]f64 @ nondet = reduce_by_index y max (-f64.inf) k x
entry picked [n][m] (k: data [n]i64) (x: param [m]f64) : f64 @ nondet = sum [x[i] ** 2 for i in k]
"""
RNG = np.random.default_rng(7)
N, M = 3000, 300
K, X, Y = RNG.integers(0, M, N), RNG.normal(size=N) * 10.0 ** RNG.integers(-9, 9, N), RNG.normal(size=M)
CASES: list[tuple[str, tuple[Any, ...]]] = [
    ("counts", (K, X, M)), ("ordered", (K, X, M)), ("whole", (K, M)),
    ("single", (Y.astype(np.float32), K, X.astype(np.float32))), ("largest", (Y, K, X))]


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    with compiled_twice(PROGRAM, "numpy") as modules:
        yield modules


def in_orders(run: Any) -> list[Any]:
    found = []
    for order in ("forward", "reverse", "random"):
        set_order(order, 5)
        found.append(run())
    set_order("forward", 0)
    return found


@pytest.mark.parametrize(("name", "args"), CASES)
def test_only_what_allows_it_depends_on_the_order_of_threads(both: tuple[Any, Any], name: str, args: tuple[Any, ...]
                                                             ) -> None:
    module, reference = both
    found = in_orders(lambda: getattr(module, name)(*args))
    expected = getattr(reference, name)(*args)
    for one in found:
        np.testing.assert_allclose(one, expected, rtol=1e-5 if name == "single" else 1e-9, atol=1e-3)
    same = all(np.array_equal(found[0], one) for one in found)
    assert same == (name not in ("counts", "single"))


def test_additions_as_they_come_are_one_launch(both: tuple[Any, Any]) -> None:
    module, _ = both
    for name, launches in (("counts", 1), ("whole", 1)):
        args = dict(CASES)[name]
        COUNTS.clear()
        getattr(module, name)(*args)
        assert COUNTS.launches == launches, COUNTS.launched


def test_gradients_add_in_any_order_too(both: tuple[Any, Any]) -> None:
    module, reference = both
    found = module.picked.value_and_grad(K, Y)
    COUNTS.clear()
    module.picked.value_and_grad(K, Y)
    assert not any(name.startswith("dad_join") for name in COUNTS.launched)
    for x, y in zip(found, reference.picked.value_and_grad(K, Y), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_the_type_says_it() -> None:
    checked = check(Source("orders.dad", PROGRAM)).require()
    heads = [signature(d) for d in checked.entries]
    assert [head.endswith("@ nondet") for head in heads] == [True, False, False, True, True, True]


def test_the_stub_says_it() -> None:
    from dad import driver

    stub = driver.compile_source(Source("orders.dad", PROGRAM), target="cuda").stub
    said = re.findall(r'class _(\w+)\(Protocol\):\n    """`@ nondet`: on a GPU the last digits may differ', stub)
    assert [name.removesuffix("_2") for name in said] == ["counts", "single", "largest", "picked"]
