"""What is known of a value of the IR while it is walked."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..lang.source import Span
from .lattice import Grade, compose, join
from .report import Step

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True, eq=False)
class Value:
    """One atom of the IR.

    `grades`: its grade in each root that it depends on. `steps`: for each of these, the chain back to the root.
    `term`: of a scalar, what it is as a formula; of a boolean, the condition. `rows`: of an array with a few elements
    of known number, its rows.
    """

    grades: dict[str, Grade] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    term: Any = None
    rows: tuple[Value, ...] | None = None
    key: Any = None
    """Of an array: what its elements' atoms are called by."""

    @property
    def active(self) -> bool:
        return bool(self.grades)


NOTHING = Value()


def derived(grades: dict[str, Grade], of: Iterable[Value], span: Span | None, what: str, named: bool) -> Value:
    """A value with these grades that is made of others. Its chain has a new link where it has a name or is worse."""
    sources = [v for v in of if v.grades]
    steps: dict[str, Step] = {}
    for root, grade in grades.items():
        before: Step | None = None
        for v in sources:
            step = v.steps.get(root)
            if step is not None and (before is None or join(before.grade, step.grade) != before.grade):
                before = step
        if before is not None and not named and compose(grade, before.grade) == before.grade == grade:
            steps[root] = before
        else:
            steps[root] = Step(span, what, grade, before)
    return Value(grades, steps)
