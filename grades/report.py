"""What is found out of a program: grades, branches, domains, promises, what is trusted."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..lang.diagnostics.report import Diagnostic
from ..lang.source import Span
from .lattice import Grade, worst

if TYPE_CHECKING:
    from ..lang.core import ir
    from .refute import Witness


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain from a result back to a root: `what` stands at `span` and has `grade` in the root."""

    span: Span | None
    what: str
    grade: Grade
    before: Step | None = None

    def chain(self) -> tuple[Step, ...]:
        """From the root to here."""
        steps: list[Step] = []
        step: Step | None = self
        while step is not None:
            steps.append(step)
            step = step.before
        return tuple(reversed(steps))


@dataclass(frozen=True, slots=True)
class Root:
    """A float of a parameter: `name` as the source would write it (`m.weight`), `rank` of the array it is."""

    name: str
    rank: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A place where the program goes on in one of several ways, as a root says.

    `kind`: `if`, `while`, `select`, `kink` (abs, max …), `index` (an element chosen by a root), `step` (floor …).
    `grade` is the smoothness across the boundary; `jump` and not `proved` where nothing could be shown.
    """

    span: Span | None
    kind: str
    condition: str
    roots: tuple[str, ...]
    grade: Grade
    proved: bool
    why: str
    boundary: str = ""
    function: str = ""
    trace: dict[str, Step] = field(default_factory=dict)
    """How the condition depends on each root."""
    witness: Witness | None = None
    site: ir.Stmt | None = None
    """The statement of the IR."""
    raw: Span | None = None
    """Its own place, which may be in the library."""
    difference: str = ""
    """What the arms differ by at the boundary."""
    allowed: str = ""
    """`approx` or `allow`, if the program says that it does not count."""
    tolerance: float = math.inf
    """Of `approx`: how large a jump may be."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """A domain that an argument must lie in: `what` (`sqrt`), `needs` (`x > 0`), whether it does, and why not."""

    span: Span | None
    what: str
    argument: str
    needs: str
    known: str
    roots: tuple[str, ...]
    met: bool
    severity: Literal["edge", "outside"]
    """`edge`: defined, but not differentiable at the end of the domain; `outside`: not defined beyond it."""
    fix: str = ""
    function: str = ""
    raw: Span | None = None


@dataclass(frozen=True, slots=True)
class Trusted:
    """Something taken on trust: `assume`, `allow`, `approx`, `stop_grad`, `rule`."""

    span: Span | None
    kind: str
    what: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """A grade that is written in the program: promised by a definition, of an expression, or demanded by a function."""

    span: Span | None
    kind: Literal["promise", "demand", "expression"]
    wanted: Grade
    roots: tuple[str, ...]
    found: dict[str, Grade]
    holds: bool
    by: str = ""
    """Who demands it: `lbfgs`."""
    what: str = ""
    chains: dict[str, Step] = field(default_factory=dict)
    branches: tuple[Branch, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    function: str = ""
    """Of a demand: the function of the IR, whose first `held` parameters are what it captures."""
    held: int = 0
    bounds: tuple[tuple[float, float, bool, bool] | None, ...] = ()
    """Of a demand: where these lie, as far as it is known."""
    calls: tuple[Span, ...] = ()
    """Of a demand inside of definitions that were called: the calls in the user's files, from outside."""
    waits: bool = False
    """Of a demand of a function that calls one which the definition is given, of which nothing is said: it is looked at
    where the definition is used."""
    code: str = ""
    """Of the error, where it does not hold and is reported here."""
    blame: Branch | None = None
    """The branch that the error shows, with its witness if there is one."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A definition: its grades in each root, the reasons, and everything that was looked at on the way."""

    name: str
    span: Span | None
    roots: tuple[Root, ...]
    grades: dict[str, Grade]
    results: tuple[Mapping[str, Grade], ...] = ()
    """The grades of each float that it gives, in order; `grades` is their join."""
    chains: dict[str, Step] = field(default_factory=dict)
    branches: tuple[Branch, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    trusted: tuple[Trusted, ...] = ()
    promises: tuple[Promise, ...] = ()
    steps: tuple[tuple[Span | None, str, Mapping[str, Step]], ...] = ()
    """Every named value that was bound on the way: its place, its name, its chains."""
    function: str = ""
    """The IR function that was looked at."""
    program: ir.Program | None = None
    """Its program."""
    params: tuple[str | None, ...] = ()
    """What the parameters of that function are called that move."""
    bounds: Callable[[], tuple[tuple[float, float, bool, bool] | None, ...]] = tuple
    """Of each parameter of that function, as far as that is known: low, high, and which of these are left out."""
    searches: frozenset[str] = frozenset()
    """What definitions of the library are called that were not looked into, as the steps of chains name them."""
    unknown: str = ""
    """Why the definition could not be looked at; then it has no grades."""

    def grade(self, *roots: str) -> Grade:
        """The grade in these roots together, in all where none is named; `theta` stands for all of `theta.a` too."""
        if not roots:
            return worst(self.grades)
        return worst({name: grade for name, grade in self.grades.items()
                      if any(name == root or name.startswith(root + ".") for root in roots)})


@dataclass(frozen=True, slots=True)
class Report:
    """All of a program: definitions by name, in order, and what is to be said about them."""

    functions: dict[str, Graded]
    diagnostics: tuple[Diagnostic, ...] = ()
    """Errors: promises and demands that do not hold."""
    notes: tuple[Diagnostic, ...] = ()
    """What is worth knowing where nothing was promised."""


changed = replace
"""A copy of one of these with some fields changed."""
