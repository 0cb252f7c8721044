"""Random programs and their derivatives: machine code does what the interpreter does, with its bits where it can."""

from __future__ import annotations

from random import Random

import pytest
from dad.codegen.passes import run_pipeline
from dad.codegen.passes.differentiate import differentiate
from dad.tests.ad.generate import Generator
from dad.tests.ad.harness import derivative
from dad.tests.native.agreement import agree
from dad.tests.passes import programs

OPTIMISED = 10
"""Every so many programs, tier 1 is asked."""


@pytest.mark.parametrize("seed", range(60))
def test_programs_with_checks(seed: int) -> None:
    program = differentiate(programs.program(seed))
    agree(program, "main", programs.arguments(seed))
    agree(run_pipeline(program, ["main"]), "main", programs.arguments(seed), tier=1 if seed % OPTIMISED == 0 else 0)


@pytest.mark.parametrize("seed", range(60))
def test_programs_of_every_nesting(seed: int) -> None:
    generator = Generator(Random(seed), dtype="f32" if seed % 5 == 0 else "f64", nested=False)
    tier = 1 if seed % OPTIMISED == 0 else 0
    agree(generator.program(), "f", generator.arguments(), 1e-4 if seed % 5 == 0 else 1e-9, tier)


@pytest.mark.parametrize("seed", range(40))
def test_derivatives(seed: int) -> None:
    program, name, args = derivative(seed)
    agree(run_pipeline(program, [name]), name, args, tier=1 if seed % OPTIMISED == 0 else 0)
