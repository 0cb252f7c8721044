"""The oracle against the corpus: jumps are where and as large as it says; grades that overstate are found out."""
from __future__ import annotations

from random import Random

import numpy as np
import pytest
from dad.tests.grades.cases import Case, cases, source
from dad.tests.grades.oracle import Line, greatest
from dad.tests.grades.trial import Subject
from dad.tests.programs.exact import mp, mpf

ABOVE = {"C2": "smooth", "C1": "C2", "lip": "C1", "cont": "lip", "jump": "cont"}
OVERSTATED = ("huber", "huber_without_half", "softplus_cut", "relu_branch", "posfun", "wrap_once", "saturated",
              "one_of_two", "equal_one", "removable", "root_relu", "tiny_step", "angle")
JUMPS = [case for case in cases() if case.jump is not None and case.name != "thin_square"]


def subject(case: Case) -> Subject:
    return Subject(source(case.subject).text, case.name)


@pytest.mark.parametrize("case", JUMPS, ids=lambda case: case.name)
def test_jumps(case: Case) -> None:
    """As large as it is said to be, where it is said to be, in real arithmetic."""
    jump = case.jump
    assert jump is not None
    made = subject(case)
    point, direction = [], []
    for leaf in made.leaves:
        at = np.asarray(jump.at.get(leaf.name, 0), np.float64 if leaf.dtype == "f64" else np.int64)[()]
        ahead = np.zeros(np.shape(at))
        ahead[(0,) * ahead.ndim] = 1.0
        point.append(at)
        direction.append(ahead[()] if leaf.name in jump.along else None)
    with mp.workdps(100):
        line = Line(made.oracle, tuple(point), direction)
        line.start = [decimal(x) if leaf.dtype == "f64" else x for leaf, x in zip(made.leaves, point, strict=True)]
        line.seen.clear()
        values = [line(t * mpf("1e-45")) for t in (-1, 0, 1)]
        gaps = [greatest(a, b) for a in values for b in values if a and b]
        assert abs(max(gaps) - jump.size) < 1e-3 * jump.size


def decimal(x: object) -> object:
    """The numbers as they are written; π is π."""
    read = np.frompyfunc(lambda v: mp.pi if v == np.pi else mpf(repr(float(v))), 1, 1)
    return np.asarray(read(x), object)[()]


@pytest.mark.parametrize("case", [c for c in cases() if c.name in OVERSTATED], ids=lambda case: case.name)
def test_overstated(case: Case) -> None:
    """A grade that is one too good is found out; the true one is not."""
    made = subject(case)
    assert made.oracle.violations(case.best, Random(1), 4) == []
    root, grade = max(case.best.items(), key=lambda item: [*ABOVE].index(item[1]) if item[1] in ABOVE else -1)
    better = {name: ABOVE[grade] if name == root else "opaque" for name in case.best}
    assert any(made.oracle.violations(better, Random(seed), 6) for seed in range(6))
