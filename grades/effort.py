"""How much work a question may take: counted, never timed, so that every machine says the same.

Work is counted in products of terms and in what takes about as long. A *question* (is this term positive? how smooth is
this branch?) is given so much, and no more than is left to the definition that it is asked for; when that is done it is
given up, and whoever asked says that nothing is known. A definition has its share by how long it is, and what it needs
beyond comes out of a pool that a program has once, at most half of what is left there. So what a check costs grows with
the length of the program, and no definition takes all that others may need.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

QUESTION = 30_000
"""Work for a question about facts: some 100 milliseconds."""
SHARE = 300
"""Work for each statement of a definition."""
LEAST = 6_000
"""What a definition has besides."""
POOL = 600_000
"""What a program has besides."""


class TooHard(Exception):
    """A polynomial grows beyond what is worth the time."""


class Spent(Exception):
    """What a question may cost is spent. It is no `TooHard`, which ends one way to the answer: this ends all."""


class Effort:
    """Work that is left. `asking`: whether a question is open, which is then given up; else there is nobody to ask."""

    left = math.inf
    asking = False

    @classmethod
    def spend(cls, work: float) -> None:
        cls.left -= work
        if cls.left < 0 and cls.asking:
            raise Spent


@contextmanager
def effort(work: float, asking: bool = True) -> Iterator[None]:
    """What is computed inside may take so much work, and no more than is left outside; that pays for it."""
    outer, before = Effort.left, Effort.asking
    given = Effort.left = min(outer, work)
    Effort.asking = asking
    try:
        yield
    finally:
        Effort.left, Effort.asking = outer - (given - Effort.left), before


def answered(otherwise: T, ask: Callable[[], T]) -> T:
    """The answer to a question about facts, `otherwise` where it takes too long. Within a larger question it is a part
    of that one, and given up together with it."""
    if Effort.asking:
        return ask()
    outer = Effort.left
    given = Effort.left = min(outer, QUESTION)
    Effort.asking = True
    try:
        return ask()
    except Spent:
        return otherwise
    finally:
        Effort.left, Effort.asking = outer - (given - Effort.left), False


class Pool:
    """The work that the definitions of a program share."""

    def __init__(self, work: int = POOL) -> None:
        self.left = work

    @contextmanager
    def share(self, statements: int, again: bool = False) -> Iterator[None]:
        """A definition with so many statements is looked at inside; if `again`, with what the program has left."""
        own = 0 if again else LEAST + SHARE * statements
        more = self.left // 2
        with effort(own + more, asking=False):
            try:
                yield
            finally:
                self.left -= more - int(max(min(more, Effort.left), 0))
