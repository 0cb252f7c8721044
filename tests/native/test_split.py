"""Loops cut in two: the same numbers, whatever the length; and which work may come before, and which may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.loops import split, tree
from dad.codegen.backends.loops.operands import everything
from dad.codegen.backends.loops.tree import Imm, Reg
from dad.codegen.backends.native import objects

PROGRAM = """
-- a likelihood, term by term, with a sum inside
entry logistic [n][d] (beta: param [d]f64) (x: [n][d]f64) (y: [n]f64) : f64 =
  loop total = 0.0 for i < n do
    let eta = loop s = 0.0 for j < d do s + x[i,j] * beta[j]
    in total + y[i] * eta - softplus eta

-- each element of the one that is written before
entry recurrence [n] (x: param [n]f64) : [n]f64 =
  loop a = replicate n 1.0 for i < n - 1 do a with [i+1] = 0.5 * a[i] + exp x[i+1]

-- places that are met again
entry bins [n] (x: param [n]f64) (bin: [n]i64) : [4]f64 =
  loop a = replicate 4 0.0 for i < n do a with [bin[i] % 4] = a[bin[i] % 4] + sin x[i]

-- what is kept besides the state; a state that the iteration before does not need
entry kept [n] (x: param [n]f64) : (f64, f64, [n]f64) =
  loop (last, best, seen) = (0.0, -1e300, replicate n 0.0) for i < n do
    let t = tanh x[i]
    let b = t > 0.1
    in (t, if b then best + t * x[i] else max best t, seen with [n-1-i] = t * t)

-- what fails, fails where it did
entry failing [n] (x: param [n]f64) (at: [n]i64) : f64 =
  loop s = 1.0 for i < n do
    let e = exp x[i]
    let _ = assert (e < 1e3) "too large"
    in s / e + x[at[i]]

-- two states that change places
entry states [n] (x: param [n]f64) (m: [3]f64) : [3]f64 =
  loop s = m for i < n do
    let w = log1p (x[i] * x[i])
    in map2 (\\a b -> a * w + b) s (rotate 1 s)

-- a map with sums inside, and what is made of them
entry rows [n][d] (x: param [n][d]f64) (beta: [d]f64) : [n]f64 =
  map (\\row -> let e = dot row beta in sigmoid e + log1p (e * e)) x
"""
RNG = np.random.default_rng(3)


def arguments(n: int) -> dict[str, tuple[Any, ...]]:
    x = RNG.uniform(-1, 1, n)
    places = RNG.integers(0, max(n, 1), n)
    return {
        "logistic": (RNG.normal(size=3), RNG.normal(size=(n, 3)), RNG.integers(0, 2, n).astype(float)),
        "recurrence": (x,), "bins": (x, places), "kept": (x,), "failing": (x, places),
        "states": (x, RNG.uniform(size=3)), "rows": (RNG.normal(size=(n, 3)), RNG.normal(size=3)),
    }


@pytest.fixture(scope="module")
def interp() -> Any:
    return dad.compile(PROGRAM, target="interp")


@pytest.fixture(scope="module", params=(0, 1))
def native(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Strips of three iterations, so that short arrays are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "STRIP", 3)
        patch.setattr(objects, "_objects", type(objects._objects)())
        made = dad.compile(PROGRAM, target="native", tier=request.param)
        for name, entry in made.entries.items():  # compiled while strips are short
            args = arguments(4)[name]
            entry(*args)
            derivative(entry, args)
        yield made


def derivative(entry: Any, args: tuple[Any, ...]) -> Any:
    if entry.result[0] == "scalar":
        return entry.value_and_grad(*args)
    return entry.jvp(*args, np.ones_like(args[0])), entry.vjp(*args, ones(entry(*args)))


def ones(value: Any) -> Any:
    return tuple(map(ones, value)) if isinstance(value, tuple) else np.ones_like(value) + 0.5


def flat(value: Any) -> list[float]:
    if isinstance(value, tuple | list):
        return [x for item in value for x in flat(item)]
    return [float(x) for x in np.asarray(value, dtype=np.float64).reshape(-1)]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 11])
def test_the_same_numbers(native: Any, interp: Any, n: int) -> None:
    for name, args in arguments(n).items():
        for call in (lambda e, a: e(*a), derivative):
            assert flat(call(native.entries[name], args)) == pytest.approx(
                flat(call(interp.entries[name], args)), rel=1e-13, abs=1e-13), name


def test_failures_come_as_they_did(native: Any, interp: Any) -> None:
    x = np.zeros(9)
    for values, places in (({4: 9.0}, {6: 70}), ({6: 9.0}, {4: 70}), ({}, {8: -1}), ({8: 8.0}, {})):
        given, at = x.copy(), np.zeros(9, np.int64)
        given[list(values)] = list(values.values())
        at[list(places)] = list(places.values())
        messages = []
        for made in (native, interp):
            with pytest.raises(dad.RunError) as error:
                made.failing(given, at)
            messages.append(str(error.value))
        assert messages[0] == messages[1]


# ------------------------------------------------------------------ the loop form

N = Reg(1, "i64")
INDEX = Reg(10, "i64")
SOURCE, TARGET = Reg(2, "f64", True), Reg(3, "f64", True)


def number(k: int) -> Reg:
    return Reg(k, "f64")


def cut(body: tree.Code, carried: bool = True) -> list[tree.For]:
    """The loops of a function whose loop has this body; with a state, its next value is register 20."""
    state = ((number(11),), (Imm(0.0, "f64"),), (number(20),), (number(12),)) if carried else ((), (), (), ())
    loop = tree.For(INDEX, N, state[0], state[1], body, state[2], state[3])
    room = tree.Alloc(Reg(4, "f64", True), N)
    results = (number(12),) if carried else ()
    program = tree.Program({"f": tree.Function("f", (N, SOURCE, TARGET), [room, loop], results)})
    return [n for n in everything(split.split(program).functions["f"].body) if isinstance(n, tree.For)]


def test_work_of_its_own_comes_first() -> None:
    strips, before, after = cut([tree.Load(number(15), SOURCE, INDEX), tree.Scalar(number(16), "exp", (number(15),)),
                                 tree.Scalar(number(20), "add", (number(11), number(16)))])
    assert [strips.parallel, before.parallel, after.parallel] == [False, True, False]
    assert [name for name in names(after) if name == "exp"] == []
    assert names(before)[-1] == "exp"


def names(loop: tree.For) -> list[str]:
    return [n.name for n in everything(loop.body) if isinstance(n, tree.Scalar)]


def test_work_on_the_state_stays() -> None:
    assert len(cut([tree.Scalar(number(20), "exp", (number(11),))])) == 1


def test_cheap_work_stays() -> None:
    assert len(cut([tree.Load(number(15), SOURCE, INDEX),
                    tree.Scalar(number(20), "add", (number(11), number(15)))])) == 1


def test_nothing_passes_a_check() -> None:
    holds = Reg(17, "bool")
    loops = cut([tree.Load(number(15), SOURCE, INDEX), tree.Scalar(holds, "lt", (number(15), Imm(1.0, "f64"))),
                 tree.Check(holds, "check_assert", (), ()), tree.Scalar(number(16), "exp", (number(15),)),
                 tree.Scalar(number(20), "add", (number(11), number(16)))])
    checking = [loop for loop in loops if any(isinstance(n, tree.Check) for n in loop.body)]
    assert [names(loop)[-1] for loop in checking] == ["add"]


@pytest.mark.parametrize(("at", "independent"), [(INDEX, True), (Reg(18, "i64"), True), (Imm(0, "i64"), False)])
def test_places_of_their_own(at: tree.Operand, independent: bool) -> None:
    """An element of its own, counted from either end, or one for all."""
    room = Reg(4, "f64", True)
    [loop] = cut([tree.Scalar(Reg(18, "i64"), "sub", (N, INDEX)), tree.Load(number(15), SOURCE, INDEX),
                  tree.Load(number(16), room, at), tree.Scalar(number(17), "add", (number(15), number(16))),
                  tree.Store(room, at, number(17))], carried=False)
    assert loop.parallel == independent


def test_the_place_before_is_waited_for() -> None:
    room, last = Reg(4, "f64", True), Reg(18, "i64")
    [loop] = cut([tree.Scalar(last, "sub", (INDEX, Imm(1, "i64"))), tree.Load(number(16), room, last),
                  tree.Store(room, INDEX, number(16))], carried=False)
    assert not loop.parallel
