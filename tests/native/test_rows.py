"""Rows of tables and of index arrays: gathers, terms and scatters in one loop, with the interpreter's bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.backends.loops import tree
from dad.codegen.backends.loops.checks import function as checks_first
from dad.codegen.backends.loops.fuse import fused
from dad.codegen.backends.loops.operands import everything
from dad.codegen.backends.loops.room import function as with_room
from dad.codegen.backends.loops.tree import Imm, Reg
from dad.codegen.passes.scatters import scatter_rows
from dad.interface import usual_transforms
from dad.lang.core import ir
from dad.lang.core.text import parse
from dad.lang.core.verify import verify
from dad.lang.source import Source
from dad.tests.native.agreement import compare, native, operations, outcome

MESHES = """
entry springs [n] [m] (x: param [n]f64) (i: data [m]i64) (j: data [m]i64) (d: data [m]f64) : f64 =
  sum (map3 (\\i j d -> let e = sqrt ((x[i] - x[j]) * (x[i] - x[j]) + 0.1) - d in e * e) i j d)

entry plane [n] [m] (x: param [n][2]f64) (i: data [m]i64) (j: data [m]i64) (w: data [m]f64) : f64 =
  sum [let a = x[i[k]] in let b = x[j[k]] in w[k] * (a[0] - b[1]) * (a[1] + b[0]) * (a[0] * b[0]) for k < m]

entry two [n] [m] [l] (x: param [n]f64) (i: data [m]i64) (j: data [l]i64) : f64 =
  sum (map (\\i -> x[i] * x[i] / (1 + x[i])) i) + sum (map (\\j -> if x[j] > 0 then x[j] * 3 else 1 / x[j]) j)

entry weights [n] [m] (x: param [n]f64) (w: param [m]f64) (i: data [m]i64) : f64 =
  sum (map2 (\\w i -> w * x[i] * x[i]) w i)

entry wave [n] [m] (x: param [n]f64) (i: data [m]i64) (j: data [m]i64) : f64 =
  sum (map2 (\\i j -> sin x[i] * cos x[i] * exp (0.1 * x[j])) i j)
"""
KINDS = {
    "spring": (4, 1, "let e = sqrt ((a - b) * (a - b) + (c - d) * (c - d) + 0.1) - p in e * e"),
    "area": (6, 1, "let e = (c - a) * (g - b) - (d - b) * (f - a) in p * e * e"),
    "level": (2, 2, "p * (a - b) * (a - b) / (q + a * a)"),
    "side": (2, 1, "if a > b then p * (a - b) else (b - a) * (b - a)"),
    "wall": (1, 1, "max 0.0 (a - p) * a"),
}
LETTERS = "abcdfghij"
Gradients = dict[str, str]


@cache
def program(text: str) -> tuple[ir.Program, Gradients]:
    """All entries of a program with their derivatives, optimised; and the function of each one's value and gradient."""
    checked = driver.check(Source("<test>", text)).require()
    made = driver.lowered(checked, usual_transforms(checked))
    names = {t.entry: name for t, name in made.transforms.items() if t.kind == "value_and_grad"}
    return driver.optimised(made.program, [*made.entries.values(), *made.transforms.values()]), names


@cache
def machine(text: str, tier: int) -> Mapping[str, Callable[..., Any]]:
    found, names = program(text)
    return native(found, sorted(names.values()), tier)


def same(text: str, tier: int, entry: str, *args: Any) -> None:
    """Machine code has the interpreter's bits where nothing elementary is computed."""
    found, names = program(text)
    name = names[entry]
    with np.errstate(all="ignore"):
        want = outcome(lambda: interp.run(found, name, args))
        got = outcome(lambda: machine(text, tier)[name](*args))
    compare(want, got, list(operations(found, name)), 1e-13, f"{entry}, tier {tier}")


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("m", [*range(18), 33, 140])
def test_meshes(m: int, tier: int) -> None:
    """Gradients of sums over edges, with the same point in many of them."""
    rng = np.random.default_rng(m)
    n = 1 + m % 6
    x, i, j = rng.normal(size=n), rng.integers(0, n, m), rng.integers(0, n, m)
    d = rng.normal(size=m)
    cases: dict[str, tuple[Any, ...]] = {
        "springs": (x, i, j, d), "plane": (rng.normal(size=(n, 2)), i, j, d), "two": (x, i, j[:m // 2]),
        "weights": (x, d, i), "wave": (x, i, j)}
    for name, args in cases.items():
        same(MESHES, tier, name, *args)


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("wrong", [(0, 3), (3, 0), (4, 4), (8, 9), (9, -1)])
def test_the_first_wrong_index_is_told(wrong: tuple[int, int], tier: int) -> None:
    """Checks come in the order of rows, and of columns within a row, also where they are a loop of their own."""
    i, j = np.arange(10) % 3, np.arange(10) % 2
    i[wrong[0]], j[wrong[1]] = 7, -1
    same(MESHES, tier, "springs", np.ones(3), i, j, np.ones(10))
    same(MESHES, tier, "plane", np.ones((3, 2)), i, j, np.ones(10))


def terms(seed: int, rows: Sequence[int], inputs: int) -> str:
    """A program that sums so many terms of each kind, shuffled, some subtracted."""
    rng = Random(seed)
    defs, found = [], []
    for (name, (points, constants, body)), count in zip(KINDS.items(), rows, strict=False):
        given = [*LETTERS[:points], *"pq"[:constants]]
        defs.append(f"def {name} {' '.join(f'({x}: f64)' for x in given)} : f64 =\n  {body}\n")
        for _ in range(count):
            args = [f"x[{rng.randrange(inputs)}]" for _ in range(points)]
            args += [f"{rng.uniform(0.5, 2):.3f}" for _ in range(constants)]
            found.append(f"{name} {' '.join(args)}")
    rng.shuffle(found)
    text = "\n".join(defs) + f"\nentry energy (x: param [{inputs}]f64) : f64 =\n  {found[0]}"
    return text + "".join(f"\n  {rng.choice('++-')} {term}" for term in found[1:]) + "\n"


@pytest.mark.parametrize("tier", [0, 1])
@pytest.mark.parametrize("seed", range(8))
def test_tables_of_terms(seed: int, tier: int) -> None:
    """Values and gradients of long sums, whose terms of one kind are rows: text order, in both tiers."""
    rng = Random(seed)
    rows = [rng.choice((4, 5, 7, 8, 9, 12, 17, 31)) for _ in KINDS]
    inputs = rng.choice((3, 10))
    text = terms(seed, rows, inputs)
    x = np.random.default_rng(seed).normal(size=inputs)
    same(text, tier, "energy", x)
    plain = dad.compile(text, target="interp").energy
    assert dad.compile(text, target="native", tier=tier).energy(x) == plain(x)


def test_the_last_row_is_done_once() -> None:
    """Loops with room go on with the numbers of the last row; what they add they add for rows that there are."""
    text = terms(3, (5, 6, 7, 9), 2)
    same(text, 1, "energy", np.array([1e200, -3.0]))


# ------------------------------------------------------------------ the pass

CHAIN = """
def f (x.0: []f64, i.1: []i64, j.2: []i64) {
  let a.3: []f64, b.4: []f64 = map (i.1) shapes (() ()) \\(k.5: i64) {
    let y.6: f64 = index x.0 k.5
    let z.7: f64 = mul y.6 3.0
    return y.6 z.7
  }
  let c.8: []f64 = map (j.2) shapes (()) \\(k.9: i64) {
    let y.10: f64 = index x.0 k.9
    return y.10
  }
  let t.11: []f64 = zeros_like x.0
  let t.12: []f64 = accumulate_at t.11 a.3 i.1
  let t.13: []f64 = accumulate_at t.12 b.4 i.1
  let t.14: []f64 = accumulate_at t.13 c.8 j.2
  return t.14
}
"""


def test_what_one_map_adds_is_added_at_once_and_maps_in_turn() -> None:
    program = parse(CHAIN)
    verify(program)
    after = scatter_rows(program)
    verify(after)
    ops = [s.op for s in after.functions["f"].body.stmts if isinstance(s.op, ir.Prim)]
    adds = [op for op in ops if op.name == "accumulate_at"]
    assert [op.args[1].type.rank for op in adds] == [1, 2]
    assert [op.name for op in ops].count("stack") == 2


@pytest.mark.parametrize("other", ["return t.14 t.12", "let u.15: []f64 = add t.12 t.14\n  return u.15"])
def test_what_is_read_between_stays(other: str) -> None:
    """A partial sum that somebody else reads."""
    text = CHAIN.replace("return t.14", other)
    program = parse(text)
    verify(program)
    after = scatter_rows(program)
    verify(after)
    adds = [s.op for s in after.functions["f"].body.stmts if isinstance(s.op, ir.Prim) and s.op.name == "accumulate_at"]
    assert [op.args[1].type.rank for op in adds] == [1, 1, 1]


# ------------------------------------------------------------------ loops

N = Reg(1, "i64")
ZERO = Imm(0, "i64")


def pointer(k: int, dtype: str = "f64") -> Reg:
    return Reg(k, dtype, True)


def number(k: int, dtype: str = "f64") -> Reg:
    return Reg(k, dtype)


def gather(k: int, source: Reg, places: Reg, target: Reg) -> tree.For:
    index = Reg(k, "i64")
    return tree.For(index, N, (), (), [
        tree.Load(number(k + 1, "i64"), places, index), tree.Load(number(k + 2), source, number(k + 1, "i64")),
        tree.Scalar(number(k + 3), "mul", (number(k + 2), number(k + 2))),
        tree.Store(target, index, number(k + 3))], (), (), True)


def scatter(k: int, source: Reg, places: Reg, target: Reg) -> tree.For:
    index = Reg(k, "i64")
    at = number(k + 1, "i64")
    return tree.For(index, N, (), (), [
        tree.Load(at, places, index), tree.Load(number(k + 2), target, at), tree.Load(number(k + 3), source, index),
        tree.Scalar(number(k + 4), "add", (number(k + 2), number(k + 3))),
        tree.Store(target, at, number(k + 4))], (), ())


def zeros(k: int, target: Reg) -> tree.For:
    index = Reg(k, "i64")
    return tree.For(index, Imm(9, "i64"), (), (), [tree.Store(target, index, Imm(0.0, "f64"))], (), (), True)


X, PLACES, MADE, TOTAL = pointer(2), pointer(3, "i64"), pointer(4), pointer(5)


def checked(target: Reg, *stores: tree.Node) -> list[tree.For]:
    """Loops of one that checks an index and then computes much."""
    index, at, value = Reg(10, "i64"), number(11, "i64"), number(12)
    numbers = [tree.Scalar(number(20 + k), "exp", (value if k == 0 else number(19 + k),)) for k in range(4)]
    loop = tree.For(index, N, (), (), [
        tree.Load(at, PLACES, index), tree.Scalar(number(13, "bool"), "lt", (at, N)),
        tree.Check(number(13, "bool"), "check_index", (at, N), ()), tree.Load(value, X, at), *numbers, *stores,
        tree.Store(target, index, number(23))], (), (), True)
    f = tree.Function("f", (N, X, PLACES), [tree.Alloc(MADE, N), loop], (MADE, N))
    return loops(checks_first(f))


def test_checks_come_first() -> None:
    first, second = checked(MADE)
    assert [type(n) for n in first.body] == [tree.Load, tree.Scalar, tree.Check]
    assert not any(isinstance(n, tree.Check) for n in second.body)
    assert [n.name for n in second.body if isinstance(n, tree.Scalar)] == ["exp"] * 4


def test_checks_stay_where_what_they_read_is_written() -> None:
    assert len(checked(MADE, tree.Store(PLACES, Reg(10, "i64"), ZERO))) == 1


def rows(between: Sequence[tree.Node] = (), made: Reg = MADE) -> tree.Function:
    body: tree.Code = [
        tree.Data(PLACES, Reg(6, "i64"), ir.Table("places1", "i64", ())), tree.Alloc(MADE, N),
        gather(10, X, PLACES, made), *between, tree.Alloc(TOTAL, Imm(9, "i64")), zeros(20, TOTAL),
        scatter(30, made, PLACES, TOTAL)]
    return tree.Function("f", (N, X), body, (TOTAL, Imm(9, "i64")))


def loops(f: tree.Function) -> list[tree.For]:
    return [n for n in everything(f.body) if isinstance(n, tree.For)]


def test_a_scatter_follows_the_loop_that_makes_what_it_adds() -> None:
    found = fused(rows())
    filling, loop = loops(found)
    assert filling.count == Imm(9, "i64")
    assert loop.last == 3  # read, add, write: the place is known, and what is added lies in a register
    assert not loop.parallel
    assert not any(isinstance(n, tree.Alloc) and n.out == MADE for n in found.body)


def test_a_scatter_stays_where_the_total_is_read_before() -> None:
    assert len(loops(fused(rows([tree.Alloc(TOTAL, N), tree.Load(number(60), TOTAL, ZERO)])))) == 3


def test_what_reads_the_total_comes_after_the_scatter() -> None:
    """Although it counts as far as the loop that fills the total, which stands before all of them now."""
    index, out = Reg(70, "i64"), pointer(7)
    f = rows()
    reader = tree.For(index, Imm(9, "i64"), (), (), [
        tree.Load(number(71), TOTAL, index), tree.Store(out, index, number(71))], (), (), True)
    body = [*f.body, tree.Alloc(out, Imm(9, "i64")), reader]
    filling, adding, reading = loops(fused(tree.Function("f", (N, X), body, (out, Imm(9, "i64")))))
    assert adding.last
    assert not filling.last
    assert any(isinstance(n, tree.Load) and n.base == TOTAL for n in reading.body)


def test_rooms() -> None:
    """A table is followed by its last number, and arrays of the function's own have room; what is given has none."""
    assert [loop.room for loop in loops(with_room(fused(rows())))] == [True, True]
    plain = rows()
    given = tree.Function("f", (N, X, PLACES), plain.body[1:], plain.results)
    assert not any(loop.room for loop in loops(with_room(given)))


@pytest.mark.parametrize(("offset", "count", "room"), [
    (Reg(10, "i64"), N, True), (Reg(10, "i64"), Imm(90, "i64"), False), (Reg(13, "i64"), N, False)])
def test_room_is_what_is_written_at_the_index_alone(offset: Reg, count: tree.Operand, room: bool) -> None:
    index = Reg(10, "i64")
    body: tree.Code = [
        tree.Data(PLACES, Reg(6, "i64"), ir.Table("places1", "i64", ())), tree.Alloc(MADE, count),
        tree.For(index, N, (), (), [
            tree.Load(number(11, "i64"), PLACES, index), tree.Load(number(12), X, number(11, "i64")),
            tree.Scalar(number(13, "i64"), "add", (index, Imm(1, "i64"))),
            tree.Store(MADE, offset, number(12))], (), (), True)]
    (loop,) = loops(with_room(tree.Function("f", (N, X), body, (MADE, N))))
    assert loop.room == room
