"""The grades of smoothness: order, join, composition, and what a derivative leaves of them.

    none ⊑ affine ⊑ smooth ⊑ … ⊑ C2 ⊑ C1 ⊑ lip ⊑ cont ⊑ jump ⊑ opaque          none ⊑ flat ⊑ jump

A value has a grade in each *root*, a float of a parameter of the function that is looked at. The grades of one value
are meant jointly: for every grade g, the value is at least g as a function of all roots together whose grade is at
least as good as g, the others held fixed. A root that is not mentioned has the grade `none`: the value does not depend
on it.

`C1+` and its like, between C2 and C1, are for this room alone: the first derivative has no jumps, and kinks at most. It
is what tells apart the derivatives of `x * abs x`, which are `lip`, and of `x ** 1.5`, which are `cont`. To everybody
else it is C1 (`published`).
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

Grade = str
Grades = Mapping[str, Grade]

MOST = 9
"""Beyond C9 a function is called C9."""
CHAIN: tuple[Grade, ...] = ("none", "affine", "smooth",
                            *(f"C{k}{more}" for k in range(MOST, 0, -1) for more in ("+", "")),
                            "lip", "cont", "jump", "opaque")
RANK: dict[Grade, int] = {grade: rank for rank, grade in enumerate(CHAIN)}
LOWEST = {"C1+": "lip", "C1": "cont"}
GRADES: tuple[Grade, ...] = (*CHAIN, "flat")


def better(a: Grade, b: Grade) -> bool:
    """Whether `a` is `b` or better: what is `a` may stand where `b` is promised.

    >>> better("C2", "C1"), better("flat", "jump"), better("flat", "cont"), better("none", "flat")
    (True, True, False, True)
    """
    if a == b:
        return True
    if a == "flat":
        return b in ("jump", "opaque")
    if b == "flat":
        return a == "none"
    return RANK[a] < RANK[b]


def join(a: Grade, b: Grade) -> Grade:
    """The best grade that both are.

    >>> join("C1", "affine"), join("flat", "affine"), join("none", "flat")
    ('C1', 'jump', 'flat')
    """
    if a == b:
        return a
    if a == "flat" or b == "flat":
        other = b if a == "flat" else a
        return "flat" if other == "none" else "opaque" if other == "opaque" else "jump"
    return a if RANK[a] > RANK[b] else b


def compose(outer: Grade, inner: Grade) -> Grade:
    """The grade of `f u` in a root, where `f` has the grade `outer` in `u` and `u` has `inner` in the root.

    >>> compose("smooth", "lip"), compose("flat", "affine"), compose("C1", "flat"), compose("jump", "none")
    ('lip', 'flat', 'flat', 'none')
    """
    if outer == "none" or inner == "none":
        return "none"
    if outer == "flat" or inner == "flat":
        return "flat"
    return outer if RANK[outer] > RANK[inner] else inner


def lowered(grade: Grade) -> Grade:
    """The grade of the derivative of a function with this grade.

    >>> lowered("smooth"), lowered("affine"), lowered("C2"), lowered("C1+"), lowered("C1"), lowered("lip")
    ('smooth', 'none', 'C1', 'lip', 'cont', 'jump')
    """
    if grade in ("none", "affine"):
        return "none"
    if grade in ("smooth", "opaque"):
        return grade
    if grade[0] == "C":
        return LOWEST[grade] if grade in LOWEST else f"C{int(grade[1]) - 1}{grade[2:]}"
    return "jump"


def joined(several: Iterable[Grades]) -> dict[str, Grade]:
    """The grades of a value that takes all of these, one beside the other."""
    found: dict[str, Grade] = {}
    for grades in several:
        for root, grade in grades.items():
            found[root] = join(found[root], grade) if root in found else grade
    return found


def published(grade: Grade) -> Grade:
    """The grade as everybody knows it."""
    return grade.removesuffix("+")


def shown(grades: Grades) -> dict[str, Grade]:
    return {root: published(grade) for root, grade in grades.items()}


def bounded(grade: Grade) -> Grade:
    """The grade of a function whose derivatives up to this one are continuous, and the next one bounded.

    >>> bounded("C1"), bounded("smooth")
    ('C1+', 'smooth')
    """
    return grade + "+" if grade[0] == "C" and grade[-1] != "+" else grade


def worst(grades: Grades) -> Grade:
    """The grade in all roots together."""
    found: Grade = "none"
    for grade in grades.values():
        found = join(found, grade)
    return found


def at_least(grades: Grades, grade: Grade) -> dict[str, Grade]:
    """The same, no better than `grade` in any root that is there: after a function that has this grade itself."""
    return {root: compose(grade, here) for root, here in grades.items()}


def times(a: Grades, b: Grades) -> dict[str, Grade]:
    """The grades of a product: affine in both factors at once is no longer affine.

    >>> times({"x": "affine"}, {"y": "affine"}), times({"x": "affine"}, {"y": "smooth"}), times({"x": "affine"}, {})
    ({'x': 'smooth', 'y': 'smooth'}, {'x': 'affine', 'y': 'smooth'}, {'x': 'affine'})
    """
    found = joined((a, b))
    if "affine" in a.values() and "affine" in b.values():
        return {root: "smooth" if grade == "affine" else grade for root, grade in found.items()}
    return found


def over(a: Grades, b: Grades) -> dict[str, Grade]:
    """The grades of `a` joined with those of a smooth function of `b`, as in a quotient."""
    return joined((a, at_least(b, "smooth")))
