"""Programs as loops: what may lie where it is, stays there; and the numbers are the interpreter's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen.backends.loops import tree
from dad.codegen.backends.loops.lower import lower
from dad.codegen.lower import Transform
from dad.lang.core import ir
from dad.lang.source import Source

IN_PLACE = {
    "rows": """entry f [n] (x: param [n][8]f64) : f64 =
  let a = loop a = x for i < n - 1 do
    a with [i+1] = map2 (\\u v -> sin u + v * 0.5) a[i] a[i+1]
  in sum a[n-1]""",
    "cells": """entry f [n] (x: param [n]f64) : f64 =
  let a = loop a = x for i < n - 1 do a with [i+1] = 0.5 * a[i] * a[i+1] + a[i]
  in sum a""",
    "histogram": """entry f [n] (x: param [n]f64) : f64 =
  let a = loop a = replicate n 0.0 for i < n do a with [i * 3 % n] = a[i * 3 % n] + x[i] * x[i]
  in sum (map (\\v -> v * v) a)""",
    "table": """entry f [n] (x: param [n]f64) : f64 =
  let t = loop t = replicate n (replicate 3 1.0) for i < n - 1 do
    t with [i+1] = [t[i, 1] * x[i], t[i, 0] + x[i], t[i, 2] - t[i, 0] * x[i]]
  in t[n-1, 0] + t[n-1, 1] + t[n-1, 2]""",
    "two at a time": """entry f [n] (x: param [n]f64) : f64 =
  let (a, b) = loop (a, b) = (x, x) for i < n - 1 do
    let v = a[i] * b[i+1]
    in (a with [i+1] = sin v, b with [i] = v + b[i])
  in dot a b""",
    "window": """entry f [n] (x: param [n]f64) : f64 =
  let a = loop a = x for i < n - 4 do
    let w = a[i:i+4]
    in a with [i+4] = a[i+4] + sum (w * w) * 0.01
  in sum a""",
    "nested": """entry f [n] (x: param [n]f64) : f64 =
  let a = loop a = x for i < n / 8 do
    loop a for j < 8 do a with [i * 8 + j] = a[i * 8 + j] * 0.5 + (if i > 0 then a[i * 8 + j - 8] else 0.0)
  in sum a""",
    "until": """entry f [n] (x: param [n]f64) : f64 =
  let (a, _) = loop (a, i) = (x, 0) while i < n - 1 && a[i] < 1e9 do (a with [i+1] = a[i] * 0.9 + a[i+1], i + 1)
  in sum a""",
}
"""Loops that change an array place by place."""

OTHERS = {
    "a growing array": """entry f [n] (x: param [n]f64) : f64 =
  let xs = loop xs = [1.0] for i < n do xs ++ [last xs * 0.5 + x[i]]
  in sum xs""",
    "slices that grow": """entry f [n] (x: param [n]f64) : f64 =
  let a = loop a = x for i < n do a with [i] = a[i] - 0.01 * sum (map (\\v -> v * v) a[:i])
  in sum a""",
    "a stack": """entry f [n] (x: param [n]f64) : f64 =
  let (s, top) = loop (s, top) = (replicate (n+1) 0.0, 0) for i < n do
    if x[i] > 0.5 then (s with [top] = x[i] * 2.0, top + 1)
    else if top > 0 then (s with [top-1] = s[top-1] * x[i], top - 1) else (s, top)
  in sum s""",
    "a row read after it has changed": """entry f [n] (x: param [n][2]f64) : f64 =
  let a = x with [0] = [1.0, 2.0]
  let r = x[0]
  let b = a with [1] = r * a[0]
  in sum (flatten (map2 (\\u v -> u * v) a b)) + sum r""",
    "states that are small": """entry f (x: param [3]f64) (n: i64) : f64 =
  let (a, b) = loop (a, b) = (x, [x[2], x[0], x[1]]) for i < n do
    let c = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    in (if sum c > 0.0 then 0.5 * c + a else a - 0.25 * c, a)
  in dot a b""",
    "matrices that are small": """entry f (x: param [2][2]f64) (n: i64) : f64 =
  let p = loop p = x for i < n do matmul p x
  let q = loop q = x while q[0,0] < 10.0 do [[q[0,0] + 1.0, q[1,0]], [q[0,1] * p[1,1], q[1,1]]]
  in sum (flatten (matmul p q))""",
    "rows that are summed": """entry f [n] (x: param [n]f64) (w: [3][4]f64) : f64 =
  let rows = map (\\v -> map (\\r -> map (\\e -> sin (e * v)) r) w) x
  let total = reduce (map2 (map2 (+))) (replicate 3 (replicate 4 0.0)) rows
  in sum (flatten (map2 (map2 (*)) total w))""",
    "much arithmetic": """entry f [n] (x: param [n]f64) (y: [n]f64) : f64 =
  let a = x * y
  let b = a + y
  let c = exp (-(b * b))
  let d = a * c + map (\\v -> if v > 0.0 then v else 0.5 * v) b
  in dot d c + sum (a / (1.0 + c))""",
}


def given(name: str) -> tuple[Any, ...]:
    random = np.random.default_rng(5)
    match name:
        case "rows":
            return (random.random((6, 8)),)
        case "a row read after it has changed":
            return (random.random((4, 2)),)
        case "states that are small":
            return (np.array([0.3, -0.7, 0.9]), 7)
        case "matrices that are small":
            return (random.random((2, 2)), 3)
        case "rows that are summed":
            return random.random(5), random.random((3, 4))
        case "much arithmetic":
            return random.standard_normal(9), random.standard_normal(9)
    return (random.random(24),)


@pytest.mark.parametrize("name", [*IN_PLACE, *OTHERS])
def test_gives_the_numbers_of_the_interpreter(name: str) -> None:
    text = (IN_PLACE | OTHERS)[name]
    arguments = given(name)
    value, gradient = dad.compile(text, target="native", tier=0).f.value_and_grad(*arguments)
    expected, slope = dad.compile(text, target="interp").f.value_and_grad(*arguments)
    assert value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(gradient, slope, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_array_changed_place_by_place_is_not_copied(name: str) -> None:
    """Neither forward nor backward: no loop copies what is as long as an argument, or takes room for it."""
    checked = driver.check(Source("loops.dad", IN_PLACE[name])).require()
    lowered = driver.lowered(checked, [Transform("f", "value_and_grad", ("x",))])
    roots = [*lowered.entries.values(), *lowered.transforms.values()]
    program = lower(driver.optimised(lowered.program, roots))
    for function in program.functions.values():
        for body in loops(function.body):
            assert not [n for n in nodes(body) if isinstance(n, tree.Copy)], name
            assert all(isinstance(n.count, tree.Imm) for n in nodes(body) if isinstance(n, tree.Alloc)) or \
                name == "rows", name


def blocks(node: tree.Node) -> Iterator[tree.Code]:
    match node:
        case tree.For() | tree.Sum():
            yield node.body
        case tree.While():
            yield node.test
            yield node.body
        case tree.Choice():
            yield node.then
            yield node.orelse


def nodes(code: tree.Code) -> Iterator[tree.Node]:
    for node in code:
        yield node
        for inner in blocks(node):
            yield from nodes(inner)


def loops(code: tree.Code) -> Iterator[tree.Code]:
    for node in nodes(code):
        if isinstance(node, tree.For | tree.While):
            yield node.body


def test_programs_are_what_they_were() -> None:
    """The passes before loops keep the meaning: the interpreter says so."""
    from dad.codegen.interp import run
    from dad.codegen.passes.accumulate import accumulate
    from dad.codegen.passes.cluster import cluster
    from dad.codegen.passes.reads_first import reads_first
    from dad.lang.core.build import Fresh
    from dad.lang.core.verify import verify
    from dad.lang.core.walk import next_id

    for name, text in (IN_PLACE | OTHERS).items():
        checked = driver.check(Source("loops.dad", text)).require()
        lowered = driver.lowered(checked, [Transform("f", "value_and_grad", ("x",))])
        root, = lowered.transforms.values()
        program = driver.optimised(lowered.program, [root])
        made = {}
        for key, f in program.functions.items():
            supply = Fresh(next_id(f))
            body = reads_first(cluster(accumulate(f.body, supply), supply))
            made[key] = ir.Function(f.name, f.params, body, f.source_name, f.dims, f.again)
        changed = ir.Program(made)
        verify(changed)
        arguments = [np.asarray(a)[()] for a in given(name)]
        for x, y in zip(run(program, root, arguments), run(changed, root, arguments), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-13, err_msg=name)
