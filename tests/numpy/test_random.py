"""Random programs and their derivatives: emitted code and the interpreter agree on every one, optimised or not."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from dad.codegen.passes import run_pipeline
from dad.codegen.passes.differentiate import differentiate
from dad.codegen.passes.vectorize import vectorize
from dad.lang.core import ir
from dad.lang.core.verify import verify
from dad.tests.ad.generate import Generator
from dad.tests.ad.harness import derivative
from dad.tests.numpy.harness import agree
from dad.tests.passes import programs


def both_ways(program: ir.Program, name: str, args: list[Any]) -> None:
    verify(vectorize(program))
    agree(program, name, args)
    agree(run_pipeline(program, [name]), name, args)


@pytest.mark.parametrize("seed", range(60))
def test_programs_with_checks(seed: int) -> None:
    both_ways(differentiate(programs.program(seed)), "main", programs.arguments(seed))


@pytest.mark.parametrize("seed", range(60))
def test_programs_of_every_nesting(seed: int) -> None:
    generator = Generator(Random(seed), dtype="f32" if seed % 5 == 0 else "f64", nested=False)
    program = generator.program()
    verify(vectorize(program))
    agree(program, "f", generator.arguments(), 1e-4 if seed % 5 == 0 else 1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_derivatives(seed: int) -> None:
    both_ways(*derivative(seed))
