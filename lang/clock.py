"""Where time goes: each stage of the compiler says its name, and whoever wants to know gets a table that adds up.

>>> with timing() as table:
...     with stage("think"):
...         pass
>>> list(table.rows)
['think']
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from time import perf_counter
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Timing:
    """Seconds of each stage, without those of stages inside of it, in the order in which they were begun first."""

    def __init__(self) -> None:
        self.rows: dict[str, float] = {}
        self.total = 0.0
        self.thread = threading.get_ident()
        self.inside: list[float] = []
        """For each stage that runs, the seconds of stages inside of it."""

    def table(self) -> list[tuple[str, float]]:
        """The stages and their seconds, `rest` for what belongs to none, and `total`, their sum."""
        rows = list(self.rows.items())
        return [*rows, ("rest", self.total - sum(self.rows.values())), ("total", self.total)]

    def __str__(self) -> str:
        return "\n".join(f"{name:16}{1e3 * seconds:10.1f} ms{share(seconds, self.total)}"
                         for name, seconds in self.table())


def share(seconds: float, total: float) -> str:
    return f"{100 * seconds / total:6.0f} %" if total > 0 else ""


_table: Timing | None = None


@contextmanager
def timing() -> Iterator[Timing]:
    """Time what this thread does meanwhile."""
    global _table
    before, _table = _table, Timing()
    table = _table
    begun = perf_counter()
    try:
        yield table
    finally:
        table.total = perf_counter() - begun
        _table = before


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What runs meanwhile is this stage."""
    table = _table
    if table is None or table.thread != threading.get_ident():
        yield
        return
    table.rows.setdefault(name, 0.0)
    table.inside.append(0.0)
    begun = perf_counter()
    try:
        yield
    finally:
        seconds = perf_counter() - begun
        table.rows[name] += seconds - table.inside.pop()
        if table.inside:
            table.inside[-1] += seconds


def timed(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function whose runs are a stage."""

    def around(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def run(*args: P.args, **named: P.kwargs) -> R:
            if _table is None:
                return function(*args, **named)
            with stage(name):
                return function(*args, **named)

        return run

    return around
