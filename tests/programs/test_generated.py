"""Random well-typed Dad programs, from text to numbers: derivatives in 50 digits, NumPy, `vmap`, the built module.

The same 520 programs are tried every time; `python -m dad.tests.programs.campaign` tries others, replays one by
its seed and cuts it down. What is asked of a program, `properties` says.
"""

from __future__ import annotations

import pytest
from dad.codegen.runtime.errors import RunError
from dad.driver import deepen
from dad.tests.programs import exact, marks, properties
from dad.tests.programs.campaign import Case, examine, failure, kind_of
from dad.tests.programs.kinds import F64, I64, Array, Dim
from dad.tests.programs.programs import Generated
from dad.tests.programs.shrink import candidates, shrunk
from dad.tests.programs.subjects import Subject

BLOCK = 20


@pytest.mark.parametrize("first", range(0, 520, BLOCK))
def test_programs(first: int) -> None:
    for seed in range(first, first + BLOCK):
        case = Case(seed)
        error = failure(case.program, case)
        replay = f"python -m dad.tests.programs.campaign --seed {seed}"
        assert error is None, f"{replay}\n{kind_of(error)}: {error}\n{case.program.text}"


def test_a_seed_stands_for_one_program() -> None:
    for seed in (3, 4):
        assert Case(seed).program == Case(seed).program
        subject = Subject(Case(seed).program)
        assert subject.module().python == Subject(Case(seed).program).module().python


def test_most_programs_have_derivatives_to_compare() -> None:
    """The generator is worth its time: nearly all of its programs are smooth where they are looked at, and tame."""
    found = [examine(case.program, case) for case in map(Case, range(1000, 1030))]
    assert found.count("fine") >= 25


WRONG = """
def half (x: f64) : f64 = x + x

entry main (xs: [3]f64) (k: i64) : (f64, f64) = (sum (map (\\x -> sin x * stop_grad x) xs), half xs[k % 3])
"""


def test_a_wrong_derivative_is_found() -> None:
    """What `stop_grad` holds fixed, differences that let it move do not: they must notice."""
    subject = Subject(Generated(WRONG, (("xs", Array(Dim(3), F64)), ("k", I64)), "f64"))
    t = properties.trial(subject, {}, 1)
    assert properties.derivatives(t) == "fine"
    t.exact[0][0] += exact.ONE
    slopes = exact.run(subject.plain, subject.name("jvp"), [*t.exact, *map(exact.lifted, t.directions)])[2:]

    def at(step: object) -> list[object]:
        moved = properties.moved(t.exact, list(map(exact.lifted, t.directions)), step)
        return list(exact.run(subject.plain, "main", moved))

    with pytest.raises(AssertionError, match="differences"):
        properties.differences(at, at(0), slopes, properties.FIRST, "differences")


UNSETTLED = """
entry main (x: f64) : f64 = fixpoint (\\y -> 2 * y + x) 1.0
"""


def test_a_check_fails_in_50_digits_as_it_does_in_doubles() -> None:
    subject = Subject(Generated(UNSETTLED, (("x", F64),), "f64"))
    with pytest.raises(RunError, match="has not converged"):
        exact.run(subject.plain, "main", [exact.ONE])


def test_failures_are_cut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that fails whenever it mentions `hypot` becomes hardly more than that."""

    def examined(made: Generated, case: Case) -> str:
        Subject(made)
        assert "hypot" not in made.text, "hypot: it is there"
        return "fine"

    monkeypatch.setattr("dad.tests.programs.campaign.examine", examined)
    case = next(c for c in map(Case, range(200)) if "hypot" in c.program.text and "hypot" not in c.program.text[:200])
    error = failure(case.program, case)
    assert error is not None
    small = shrunk(case.program, case, error)
    assert "hypot" in small.text
    assert len(small.text) < 0.5 * len(case.program.text)
    assert all(len(marks.plain(c.marked)) < len(marks.plain(small.marked)) for c in candidates(small))


deepen()
