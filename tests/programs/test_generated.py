"""Random well-typed Dad programs, from text to numbers: both targets, derivatives, `vmap`, the built module.

Hypothesis drives the generator. Without settings the same programs are tried every time; `DAD_EXAMPLES=5000` makes a
long run of fresh ones. A failing program is reported as found; with `DAD_SHRINK=1`, which takes minutes, as small as it
gets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

from dad.driver import deepen
from dad.tests.programs import checks
from dad.tests.programs.programs import program
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("DAD_EXAMPLES", "0"))
SHRINK = "DAD_SHRINK" in os.environ
SIZES = (0, 1, 2, 5)


def examples(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Settings for `count` examples of every run, or for a long run's share of DAD_EXAMPLES."""
    total = max(1, EXAMPLES * count // 260) if EXAMPLES else count
    return settings(
        max_examples=total,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


randoms = st.randoms(use_true_random=False)


def sizes(rng: Random) -> dict[str, int]:
    return {"n": rng.choice(SIZES), "m": rng.choice(SIZES)}


def attempt(rng: Random, run: checks.Run, times: int = 3) -> tuple[dict[str, int], int] | None:
    """Values at some sizes; sizes and seed of arguments whose value is finite, if there are any."""
    finite = None
    for seed in range(times):
        at = sizes(rng)
        if checks.same_values(run, at, seed):
            finite = at, seed
    return finite


@examples(90)
@given(randoms)
def test_values(rng: Random) -> None:
    """No diagnostics; the interpreter and NumPy code agree, also on which check fails."""
    made = program(rng, budget=90, risky=rng.randrange(3) == 0)
    note(made.text)
    checks.without_diagnostics(made)
    attempt(rng, checks.Run(made))


@examples(70)
@given(randoms)
def test_derivatives(rng: Random) -> None:
    """Forward and reverse mode are transposes of each other, and agree with differences and between targets."""
    made = program(rng, budget=50)
    note(made.text)
    run = checks.Run(made)
    found = attempt(rng, run, 2)
    if found is not None:
        checks.derivatives(run, *found)


@examples(35)
@given(randoms)
def test_second_derivatives(rng: Random) -> None:
    """The Hessian is the same in every nesting of the modes."""
    made = program(rng, budget=25, second=True)
    note(made.text)
    run = checks.Run(made)
    found = attempt(rng, run, 2)
    if found is not None and made.second:
        checks.second_derivatives(run, *found)


@examples(45)
@given(randoms)
def test_vmap(rng: Random) -> None:
    """`vmap` is a loop of calls; a call that fails makes it fail."""
    made = program(rng, budget=60, risky=rng.randrange(3) == 0)
    note(made.text)
    checks.mapped(checks.Run(made), sizes(rng), 0, rows=rng.choice((1, 3)))


@examples(20)
@given(randoms)
def test_built(rng: Random) -> None:
    """What `dad build` writes needs NumPy alone, is the same text every time, and gives the same."""
    made = program(rng, budget=30)
    note(made.text)
    assert checks.build(made.text) == checks.build(made.text)
    run = checks.Run(made, built=True)
    found = attempt(rng, run)
    if found is not None:
        checks.derivatives(run, *found)


deepen()
