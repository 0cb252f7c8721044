"""A slice of the generated programs whose grades and promises are compared with 100 digits; `campaign` tries more."""
from __future__ import annotations

import pytest
from dad.driver import deepen
from dad.tests.grades.campaign import trial
from dad.tests.grades.varied import Varied


@pytest.mark.parametrize("seed", range(7000, 7013))
def test_grades_are_true(seed: int) -> None:
    deepen()
    subject, wrong = trial(seed, lines=2)
    assert wrong == [], f"{subject.graded.grades}\n{subject.text}"


@pytest.mark.parametrize("seed", range(1000, 1006))
def test_grades_of_varied_programs_are_true(seed: int) -> None:
    deepen()
    subject, wrong = trial(seed, lines=2, family=Varied)
    assert wrong == [], f"{subject.graded.grades}\n{subject.text}"
