"""What programs come to on a device: few launches, no waiting, the right threads; results where arguments are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.runtime.errors import RunError
from dad.tests.cuda.agreement import leaves
from dad.tests.cuda.standin import COUNTS, installed

PROGRAM = """
entry energy [n][m] (x: param [n][3]f64) (tri: data [m][3]i64) : f64 =
  sum (map (\\t ->
    let (a, b, c) = (x[t[0]], x[t[1]], x[t[2]])
    in sum (map3 (\\u v w -> (u - v) ** 2 + (v - w) ** 2 + (w - u) ** 2) a b c)) tri)

entry cost [n][k][d] (centres: param [k][d]f64) (points: data [n][d]f64) : f64 =
  sum [minimum [sum [(p[j] - c[j])**2 for j < d] for c in centres] for p in points]

entry hmm [s][t][k] (obs: data [s][t]i64) (trans: param [k][k]f64) (start: param [k]f64) : f64 =
  sum (map (\\o ->
    let alpha = loop a = start for i < t do
      map (\\j -> (1.0 + f64 o[i]) * sum (map2 (*) a (transpose trans)[j])) (iota k)
    in log (sum alpha)) obs)

entry rows [n][m] (x: [n][m]f64) : [n]f64 = map (\\r -> let s = sum r in s * s + 1.0) x

entry late [n] (x: [n]f64) : f64 = loop y = 1.0 while y < sum x do 2.0 * y

entry picked [n] (x: [n]f64) (k: [n]i64) : [n]f64 = map (\\i -> x[i]) k
"""


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any, Any]]:
    with installed() as cupy:
        yield dad.compile(PROGRAM, target="cuda"), dad.compile(PROGRAM, target="numpy"), cupy


def same(got: Any, expected: Any) -> None:
    for x, y in zip(leaves(got), leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


RNG = np.random.default_rng(5)
MESH = (RNG.normal(size=(40, 3)), RNG.integers(0, 40, (90, 3)))
POINTS = (RNG.normal(size=(3, 2)), RNG.normal(size=(70, 2)))
SEQUENCES = (RNG.integers(0, 5, (35, 4)), RNG.random((3, 3)), RNG.random(3))


@pytest.mark.parametrize(("name", "args", "launches"),
                         [("energy", MESH, 14), ("cost", POINTS, 8), ("hmm", SEQUENCES, 16)])
@pytest.mark.parametrize("written_down", [False, True])
def test_gradients_take_few_launches(both: tuple[Any, Any, Any], name: str, args: tuple[Any, ...], launches: int,
                                     written_down: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from dad.codegen.runtime import device_additions

    if written_down:
        monkeypatch.setattr(device_additions, "PART_ROOM", 0)
        monkeypatch.setattr(device_additions, "FEW_PARTS", 1.5)
    module, reference, _ = both
    getattr(module, name).value_and_grad(*args)
    COUNTS.clear()
    same(getattr(module, name).value_and_grad(*args), getattr(reference, name).value_and_grad(*args))
    assert written_down or COUNTS.launches <= launches


@pytest.mark.parametrize("least", [0, 1 << 40])
def test_few_rows_run_in_pieces(both: tuple[Any, Any, Any], least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from dad.codegen.runtime import device

    monkeypatch.setattr(device, "NESTED_LEAST", least)
    module, reference, _ = both
    x = RNG.normal(size=(3, 300))
    assert np.array_equal(module.rows(x), reference.rows(x))


def test_results_are_where_arguments_are(both: tuple[Any, Any, Any]) -> None:
    module, reference, cupy = both
    x = RNG.normal(size=(4, 5))
    there = cupy.asarray(x)
    module.rows(there)
    COUNTS.clear()
    found = module.rows(there)
    assert isinstance(found, cupy.ndarray)
    assert COUNTS.synchronisations == 0
    same(found.get(), reference.rows(x))
    assert isinstance(module.rows(x), np.ndarray)
    many = module.rows.vmap(cupy.asarray(np.stack([x, x + 1])))
    same(many.get(), reference.rows.vmap(np.stack([x, x + 1])))


def test_a_while_waits_for_its_condition(both: tuple[Any, Any, Any]) -> None:
    module, reference, _ = both
    x = np.full(40, 2.0)
    assert module.late(x) == reference.late(x) == 128.0


def test_the_first_failure_is_said(both: tuple[Any, Any, Any]) -> None:
    module, reference, _ = both
    k = np.arange(900) % 7
    k[500], k[300], k[800] = 1077, -5, 1099
    said = []
    for each in (module, reference):
        with pytest.raises(RunError) as error:
            each.picked(np.ones(900), k)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert "-5" in said[0]
