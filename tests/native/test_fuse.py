"""Loops that become one: what they compute, in which order sums are added, and when loops must stay apart."""

from __future__ import annotations

from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.loops import again, tree
from dad.codegen.backends.loops.fuse import fused
from dad.codegen.backends.loops.operands import everything
from dad.codegen.backends.loops.tree import Imm, Reg

N = Reg(1, "i64")
ZERO = Imm(0, "i64")
PROGRAM = """
def term (t: [4]f64) (a: f64) (b: f64) : f64 =
  let u = a * t[0] + b * t[1] + t[2]
  let r = sin u * t[3] + exp (-0.5 * u * u)
  in if r > 0.3 then r * r else softplus u

entry total [n] (t: param [4]f64) (a: data [n]f64) (b: data [n]f64) : f64 = sum (map2 (term t) a b)

entry rows [n] (xs: param [n][3]f64) (d: [n]f64) : f64 =
  sum (map2 (\\x d -> let h = sqrt (x[0] ** 2 + x[1] ** 2 + 0.1) - d in h * h + sin x[0] * cos x[0] * x[2]) xs d)

entry arithmetic [n] (x: [n]f64) (y: [n]f64) : (f64, f64, [n]f64) =
  let z = map2 (\\x y -> x * y - 0.5 * x) x y
  in (sum z, sum (map2 (*) x y), map2 (\\z x -> z / (1 + x * x)) z x)

entry shifted [n] (x: [n]f64) : (f64, [n]f64) =
  let y = map (\\v -> 2 * v) x
  in (sum y, map2 (+) y (rotate 1 y))
"""


def pointer(k: int) -> Reg:
    return Reg(k, "f64", True)


def number(k: int) -> Reg:
    return Reg(k, "f64")


def loop(k: int, source: Reg, target: Reg, name: str = "exp") -> tree.For:
    index = Reg(k, "i64")
    return tree.For(index, N, (), (), [tree.Load(number(k + 1), source, index),
                                       tree.Scalar(number(k + 2), name, (number(k + 1),)),
                                       tree.Store(target, index, number(k + 2))], (), (), True)


def total(k: int, source: Reg) -> tree.Sum:
    index = Reg(k, "i64")
    return tree.Sum(number(k + 1), index, N, [tree.Load(number(k + 2), source, index)], number(k + 2))


def function(body: tree.Code, *results: tree.Operand) -> list[tree.Node]:
    return list(everything(fused(tree.Function("f", (N, pointer(2), pointer(3)), body, results)).body))


def count(nodes: list[tree.Node], *kinds: type) -> int:
    return sum(isinstance(n, kinds) for n in nodes)


def test_a_map_and_its_sum_are_one_loop_that_stores_nothing() -> None:
    body: tree.Code = [tree.Alloc(pointer(4), N), loop(10, pointer(2), pointer(4)), total(20, pointer(4))]
    nodes = function(body, number(21))
    assert count(nodes, tree.For, tree.Store, tree.Alloc) == 0
    assert count(nodes, tree.Sum) == 1


def test_what_two_loops_compute_alike_is_computed_once() -> None:
    body: tree.Code = [tree.Alloc(pointer(4), N), loop(10, pointer(2), pointer(4)), total(20, pointer(4)),
                       tree.Alloc(pointer(5), N), loop(30, pointer(2), pointer(5)), total(40, pointer(5))]
    nodes = function(body, number(21), number(41), pointer(5))
    assert count(nodes, tree.Sum) == 1
    assert [n.name for n in nodes if isinstance(n, tree.Scalar)] == ["exp"]
    assert count(nodes, tree.Store) == 1


@pytest.mark.parametrize("between", [
    tree.Check(Imm(True, "bool"), "check_index", (ZERO, ZERO), ()),
    tree.Mark(Reg(60, "u8", True)),
    tree.Copy(pointer(2), pointer(3), N),
])
def test_loops_stay_apart(between: tree.Node) -> None:
    """Where a check, the arena, or a change of what is read comes between."""
    body: tree.Code = [tree.Alloc(pointer(4), N), loop(10, pointer(2), pointer(4)), between,
                       tree.Alloc(pointer(5), N), loop(30, pointer(2), pointer(5))]
    assert count(function(body, pointer(4), pointer(5)), tree.For) == 2


def test_a_loop_that_reads_elsewhere_what_another_writes_stays_behind_it() -> None:
    other = loop(30, pointer(4), pointer(5))
    other.body[0] = tree.Load(number(31), pointer(4), ZERO)
    body: tree.Code = [tree.Alloc(pointer(4), N), tree.Alloc(pointer(5), N), loop(10, pointer(2), pointer(4)), other]
    assert count(function(body, pointer(4), pointer(5)), tree.For) == 2


def test_a_loop_that_needs_a_sum_comes_after_it() -> None:
    other = loop(30, pointer(2), pointer(5))
    other.body[1] = tree.Scalar(number(32), "mul", (number(31), number(21)))
    body: tree.Code = [tree.Alloc(pointer(5), N), total(20, pointer(2)), other]
    nodes = function(body, number(21), pointer(5))
    assert count(nodes, tree.For) == count(nodes, tree.Sum) == 1


def test_a_sum_does_not_join_a_loop_that_adds_in_order() -> None:
    """A sum's terms come in no order, so what follows each iteration has no place in it."""
    index, place = Reg(40, "i64"), Reg(41, "i64")
    scatter = tree.For(index, N, (), (), [
        tree.Load(number(42), pointer(4), index), tree.Load(place, Reg(6, "i64", True), index),
        tree.Load(number(43), pointer(5), place), tree.Scalar(number(44), "add", (number(43), number(42))),
        tree.Store(pointer(5), place, number(44))], (), ())
    body: tree.Code = [tree.Alloc(pointer(4), N), tree.Alloc(pointer(5), N), loop(10, pointer(2), pointer(4)), scatter,
                       total(20, pointer(3))]
    nodes = function(body, number(21), pointer(5))
    assert [n.last for n in nodes if isinstance(n, tree.For)] == [4]
    assert count(nodes, tree.Sum) == count(nodes, tree.Store) == 1


@pytest.mark.parametrize("given_back", [False, True])
def test_what_was_given_back_is_not_read_again(given_back: bool) -> None:
    """Values of a loop between a mark and its release do not outlive it."""
    mark = Reg(60, "u8", True)
    first, second = loop(10, pointer(2), pointer(4)), loop(30, pointer(2), pointer(5))
    between: tree.Code = [tree.Alloc(pointer(4), N), first]
    body: tree.Code = [tree.Alloc(pointer(5), N), *([tree.Mark(mark), *between, tree.Release(mark)] if given_back
                                                    else between), second]
    f = again.function(tree.Function("f", (N, pointer(2)), body, (pointer(5),)))
    exps = [n for n in everything(f.body) if isinstance(n, tree.Scalar) and n.name == "exp"]
    assert len(exps) == (2 if given_back else 1)


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("n", [0, 1, 3, 7, 8, 9, 31, 128, 129, 1000])
def test_programs(n: int, tier: int) -> None:
    """Beside NumPy: with its bits where only arithmetic is done."""
    native, plain = modules(tier), modules(None)
    rng = np.random.default_rng(n)
    t, a, b = rng.normal(size=4), rng.normal(size=n), rng.normal(size=n)
    for x, y in zip(native.total.value_and_grad(t, a, b), plain.total.value_and_grad(t, a, b), strict=True):
        assert np.allclose(x, y, rtol=1e-13, atol=1e-13)
    xs = rng.normal(size=(n, 3))
    for x, y in zip(native.rows.value_and_grad(xs, a), plain.rows.value_and_grad(xs, a), strict=True):
        assert np.allclose(x, y, rtol=1e-13, atol=1e-13)
    z = a * b - 0.5 * a
    wants: Any = (np.sum(z), np.sum(a * b), z / (1 + a * a))
    for x, y in zip(native.arithmetic(a, b), wants, strict=True):
        assert np.array_equal(x, y)
    wants = (np.sum(2 * a), 2 * a + np.roll(2 * a, -1))
    for x, y in zip(native.shifted(a), wants, strict=True):
        assert np.array_equal(x, y)


def test_the_same_bits_in_both_tiers() -> None:
    rng = np.random.default_rng(0)
    t, a, b = rng.normal(size=4), rng.normal(size=777), rng.normal(size=777)
    first, second = (modules(tier).total.value_and_grad(t, a, b) for tier in (0, 1))
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])


_modules: dict[Any, Any] = {}


def modules(tier: int | None) -> Any:
    if tier not in _modules:
        _modules[tier] = dad.compile(PROGRAM, target="numpy") if tier is None else \
            dad.compile(PROGRAM, target="native", tier=tier)
    return _modules[tier]


EXTREMES = """
entry both [n] (x: [n]f64) : (f64, f64) = (maximum x, minimum x)
entry whole [n] (x: [n]i32) : (i32, i32) = (maximum x, minimum x)
"""


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 17, 1000])
def test_extremes_of_long_arrays(n: int, tier: int) -> None:
    """In several chains, with what is left behind them: nan is passed over, and of nothing there is the worst."""
    if (EXTREMES, tier) not in _modules:
        _modules[EXTREMES, tier] = dad.compile(EXTREMES, target="native", tier=tier)
    m = _modules[EXTREMES, tier]
    rng = np.random.default_rng(n)
    x = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    assert m.both(x) == (np.fmax.reduce(x, initial=-np.inf), np.fmin.reduce(x, initial=np.inf))
    y = rng.integers(-99, 99, n).astype(np.int32)
    worst = np.iinfo(np.int32)
    assert m.whole(y) == (np.max(y, initial=worst.min), np.min(y, initial=worst.max))
