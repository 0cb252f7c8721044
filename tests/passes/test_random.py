"""Every pass on random programs: what comes out verifies, computes the same, and is left alone by a second run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from dad.codegen.passes import PIPELINE, run_pipeline
from dad.codegen.passes.differentiate import differentiate
from dad.codegen.passes.fuse import fuse
from dad.codegen.passes.inline import inline, size_of
from dad.codegen.passes.simplify import simplify
from dad.lang.core import ir
from dad.lang.core.verify import verify

from . import programs
from .harness import agree, outcome


@pytest.mark.parametrize("seed", range(48))
def test_passes(seed: int) -> None:
    program = programs.program(seed)
    verify(program)
    runs = [programs.arguments(3 * seed + k) for k in range(3)]
    wanted = [outcome(program, "main", args) for args in runs]
    done = program
    for transform in (simplify, lambda p: inline(p, ["main"]), simplify, fuse, simplify):
        done = transform(done)
        verify(done)
        if transform is simplify:
            assert simplify(done) == done
        for args, expected in zip(runs, wanted, strict=True):
            assert agree(outcome(done, "main", args), expected)


def derived(seed: int) -> tuple[ir.Program, str, list[Any]]:
    """A random program of `tests/ad`, for a third of the seeds its forward, for a third its reverse derivative."""
    generate, harness = _module("generate"), _module("harness")
    generator = generate.Generator(Random(seed))
    program, args = generator.program(), generator.arguments()
    if seed % 3 == 0:
        return program, "f", args
    import numpy as np

    mode = "jvp" if seed % 3 == 1 else "vjp"
    seeded = args if mode == "jvp" else outcome(differentiate(program), "f", args)
    if not isinstance(seeded, list | tuple):
        return program, "f", args
    seeds = harness.seeds_like([v for v in seeded if harness.is_float(v)], np.random.default_rng(seed))
    program, name = harness.derive(program, "f", mode, called=seed % 2 == 0)
    return program, name, [*args, *seeds]


def _module(name: str) -> Any:
    path = Path(__file__).resolve().parent.parent / "ad" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"passes_ad_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(36))
def test_pipeline(seed: int) -> None:
    program, name, args = derived(seed)
    wanted = outcome(differentiate(program), name, args)
    seen: list[tuple[str, ir.Program]] = []
    done = run_pipeline(program, [name], verify=True, observe=lambda stage, p: seen.append((stage, p)))
    assert [stage for stage, _ in seen] == [stage.name for stage in PIPELINE]
    assert agree(outcome(done, name, args), wanted, 1e-6)
    assert all(simplify(p) == p for stage, p in seen if stage == "simplify")


@pytest.mark.parametrize("grows", [False, True])
def test_deep_nesting(grows: bool) -> None:
    """Loops 200 deep, as deep as programs may nest: no work that doubles with each level."""
    from dad.lang.core.build import Builder, Fresh, i64

    b = Builder(Fresh())
    x = b.fresh("x", ir.Type("f64", 1))

    def nest(b: Builder, v: ir.Atom, depth: int) -> ir.Atom:
        if depth == 0:
            return b.prim("sin", v)
        inner, index, state = b.nested(), b.fresh("i", ir.I64), b.fresh("s", v.type)
        result = nest(inner, state, depth - 1)
        if grows:
            result = inner.prim("concat", result, x)
        return b.bind(ir.Loop(i64(2), None, index, (state,), (v,), inner.block([result])))[0]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20000)  # as the driver does
    try:
        program = ir.Program({"f": ir.Function("f", (x,), b.block([nest(b, x, 200)]))})
        done = fuse(simplify(program))
        verify(done)
        assert size_of(done.functions["f"].body) == 201 + (200 if grows else 0)
    finally:
        sys.setrecursionlimit(limit)
