"""The public corpus: no grade better than the truth, nine of ten exact, every witness reproduces."""
from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from dad import driver
from dad.graded import Search
from dad.grades.lattice import better
from dad.grades.messages import said
from dad.grades.report import Graded, Report
from dad.lang.source import Span
from dad.tests.grades.cases import Case, cases, read, source, subjects
from dad.tests.grades.trial import Subject


@cache
def report(subject: str) -> Report:
    return driver.graded(driver.check(source(subject)))


def graded(case: Case) -> Graded:
    return report(case.subject).functions[case.name]


def holds(grade: str) -> bool:
    return better(grade, "C1")


def test_corpus_is_large() -> None:
    """At least 80 definitions with branches; every definition of the corpus that has a grade is explained."""
    branches = [case for case in cases() if case.subject != "table"]
    assert len(branches) >= 80
    assert all(case.why for case in cases())
    assert all(len({c.name for c in read(s, source(s).text)}) == len(read(s, source(s).text)) for s in subjects())


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.subject}-{case.name}")
def test_sound(case: Case) -> None:
    found = graded(case)
    assert not found.unknown, found.unknown
    assert {root.name for root in found.roots} == set(case.exact)
    assert case.verdict(found.grades) != "unsound", f"{found.grades}, in truth {case.best}: {case.why}"


def test_exact(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = Counter(case.verdict(graded(case).grades) for case in cases())
    branches = [case for case in cases() if case.subject != "table"]
    exact = [case for case in branches if case.verdict(graded(case).grades) == "exact"]
    with capsys.disabled():
        print(f"\ncorpus: {len(cases())} definitions: {verdicts['exact']} exact, {verdicts['conservative']} "
              f"conservative, {verdicts['unsound']} unsound")
        print(f"of {len(branches)} with branches {len(exact)} exact; {false_alarms(branches)}")
    assert verdicts["unsound"] == 0
    assert [case.name for case in cases() if not case.expected(graded(case).grades)] == []
    assert verdicts["exact"] >= 0.9 * len(cases())
    assert len(exact) >= 0.9 * len(branches)


@pytest.mark.parametrize("case", [c for c in cases() if not all(holds(g) for g in c.best.values())],
                         ids=lambda case: f"{case.subject}-{case.name}")
def test_witnesses_reproduce(case: Case) -> None:
    """If C1 were promised of it, a branch would be shown with a point, at which runs see the jump that it tells of."""
    found = graded(case)
    subject = Subject(source(case.subject).text, case.name)
    whole = said(Report({case.name: found}), {case.name: [("C1", (), Span(source(case.subject), 0, 1))]}, Search())
    [promise, *_] = whole.functions[case.name].promises
    assert promise.code
    if promise.blame is not None and promise.blame.witness is not None:
        assert list(subject.unwitnessed(promise.blame.witness)) == []


def false_alarms(branches: list[Case]) -> str:
    """Of what is C1 in truth, how much is warned about, by the grades and by the rule to warn at every branch."""
    fine = [case for case in branches if all(holds(grade) for grade in case.best.values())]
    warned = [case for case in fine if not all(holds(grade) for grade in graded(case).grades.values())]
    ruled = [case for case in fine if graded(case).branches]
    return (f"false alarms on {len(fine)} that are C1: {len(warned)} ({len(warned) / len(fine):.0%}); "
            f"of the rule to warn at every branch on a parameter: {len(ruled)} ({len(ruled) / len(fine):.0%})")


