"""Random programs and their derivatives: kernels do what the interpreter does, with its bits where they can."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from dad.codegen.passes import run_pipeline
from dad.codegen.passes.differentiate import differentiate
from dad.tests.ad.generate import Generator
from dad.tests.ad.harness import derivative
from dad.tests.cuda.agreement import agree
from dad.tests.cuda.standin import installed
from dad.tests.passes import programs


@pytest.fixture(autouse=True, scope="module")
def device() -> Iterator[None]:
    with installed():
        yield


@pytest.mark.parametrize("seed", range(8))
def test_programs_with_checks(seed: int) -> None:
    program = differentiate(programs.program(seed))
    agree(run_pipeline(program, ["main"]), "main", programs.arguments(seed))


@pytest.mark.parametrize("seed", range(8))
def test_programs_of_every_nesting(seed: int) -> None:
    generator = Generator(Random(seed), dtype="f32" if seed % 5 == 0 else "f64", nested=False)
    agree(generator.program(), "f", generator.arguments(), 1e-4 if seed % 5 == 0 else 1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_derivatives(seed: int) -> None:
    program, name, args = derivative(seed)
    agree(run_pipeline(program, [name]), name, args)
