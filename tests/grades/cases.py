"""The public corpus: programs of tests/grades/corpus, each with the best true grade of every root.

Above a definition stand lines of comment that a program reads:

    -- grade: r C1, tau affine|smooth      the best true grade of each root; `a|b` takes either as exact
    -- may: r lip                          what is also expected: true, not the best
    -- why: the arms differ by …           the mathematics
    -- jump: 0.5 along r at r=1.0, tau=2.0 how large a jump is, and where, and along which roots it is crossed

A grade of C1 or better says two things: the function has that many continuous derivatives, and the derivatives that the
program computes are those. So `if x == 0 then 0 else x` is `lip`: it is the identity, but its derivative at 0 is 0.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dad.grades.lattice import better
from dad.lang.source import Source

FOLDER = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Jump:
    """The value changes by `size` where the roots in `along` pass through the place `at`."""

    size: float
    along: tuple[str, ...]
    at: dict[str, object]


@dataclass(frozen=True)
class Case:
    subject: str
    name: str
    exact: dict[str, tuple[str, ...]]
    """To each root the best grade, and others that count as such."""
    may: dict[str, tuple[str, ...]]
    why: str
    jump: Jump | None

    @property
    def best(self) -> dict[str, str]:
        return {root: grades[0] for root, grades in self.exact.items()}

    def verdict(self, found: dict[str, str]) -> str:
        """`exact`, `conservative`, or `unsound`, of the grades that an analysis gives."""
        if any(not better(best, found.get(root, "none")) for root, best in self.best.items()):
            return "unsound"
        if all(found.get(root, "none") in grades for root, grades in self.exact.items()):
            return "exact"
        return "conservative"

    def expected(self, found: dict[str, str]) -> bool:
        """Whether every root has a grade that is the best, or that `may` names."""
        return all(found.get(root, "none") in (*grades, *self.may.get(root, ())) for root, grades in self.exact.items())


def source(subject: str) -> Source:
    return Source(f"{subject}.dad", (FOLDER / f"{subject}.dad").read_text())


@cache
def subjects() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.dad")))


@cache
def cases() -> tuple[Case, ...]:
    return tuple(case for subject in subjects() for case in read(subject, source(subject).text))


def read(subject: str, text: str) -> list[Case]:
    found: list[Case] = []
    said: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.match(r"-- (grade|may|why|jump): (.*)", line):
            said[match[1]] = match[2]
        elif (match := re.match(r"def (\w+)", line)) and "grade" in said:
            found.append(Case(subject, match[1], grades(said["grade"]), grades(said.get("may", "")),
                              said.get("why", ""), jump(said["jump"]) if "jump" in said else None))
            said = {}
    return found


def grades(text: str) -> dict[str, tuple[str, ...]]:
    """
    >>> grades("x C1, m.b affine|smooth, x lip")
    {'x': ('C1', 'lip'), 'm.b': ('affine', 'smooth')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(", ") if text else ():
        root, several = part.split()
        found[root] = (*found.get(root, ()), *several.split("|"))
    return found


def jump(text: str) -> Jump:
    match = re.fullmatch(r"(\S+) along (.*) at (.*)", text)
    assert match is not None, text
    places = re.findall(r"([\w.]+)=(\[.*?\]|[^,\s]+)", match[3])
    return Jump(float(match[1]), tuple(match[2].split(", ")), {k: json.loads(v) for k, v in places})
