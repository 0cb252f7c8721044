"""Random well-typed Dad programs, made by construction: in a source of randomness, out source text and types.

The text checks without diagnostics, every index that it reads or writes is in range (but for one, when `risky`), every
loop ends, functions are bounded so that rounding does not grow, and every sort of expression stands inside every other.
Conditions on floats compare with odd constants, so that two ways of rounding do not take two branches.

This module chooses; what is chosen from stands beside it: `control` (branches, `let`, loops, recursion, calls),
`numbers` (scalars), `arrays`, `folds` (operators for `reduce`, `scan` and histograms), `transforms` (derivatives inside
programs), `sums`. Each expression's text stands as an operand, and is marked with its type (`marks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from dad.lang.core.ir import DTYPES
from dad.tests.programs import arrays, control, numbers, sums
from dad.tests.programs.kinds import BOOL, I64, Array, Dim, Record, Scalar, Sum, Tuple, Type
from dad.tests.programs.marks import marked


@dataclass
class Scope:
    """What can be named, which sizes there are, which names count elements of which size."""

    values: list[tuple[str, Type]]
    sizes: list[Dim]
    below: dict[str, Dim] = field(default_factory=dict)
    functions: list[tuple[str, tuple[Type, ...], Type]] = field(default_factory=list)

    def inner(self, *values: tuple[str, Type]) -> Scope:
        return Scope([*self.values, *values], self.sizes, dict(self.below), list(self.functions))

    def counting(self, name: str, size: Dim) -> Scope:
        """With an index of that size."""
        inner = self.inner((name, I64))
        inner.below[name] = size
        return inner


class Generator:
    """`rng` decides everything. `budget` is how many expressions there may still be."""

    def __init__(self, rng: Random, budget: int = 60, risky: bool = False, derivatives: int = 2) -> None:
        self.rng = rng
        self.budget = budget
        self.risky = risky
        self.derivatives = derivatives
        """How deep derivatives may be nested inside the program."""
        self.F = Scalar("f32" if rng.randrange(12) == 0 else "f64")
        self.implicit = self.chance(30)
        """Whether solutions of equations may stand here."""
        self.stops = not self.implicit
        """Whether `stop_grad` occurs; it does not beside solutions of equations, which use it themselves."""
        self.nesting = 0
        self.count = 0
        self.helpers: list[str] = []
        """Definitions of `programs.HELPERS`, and `local_number` and `local_array`, that the program has."""
        self.records: list[Record] = []
        self.sums: list[Sum] = []

    # ------------------------------------------------------------ choosing

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def fresh(self, prefix: str) -> str:
        """A name that nothing else has; names of number types are conversions, in whose place a local would stand."""
        self.count += 1
        while f"{prefix}{self.count}" in DTYPES:
            self.count += 1
        return f"{prefix}{self.count}"

    def found(self, scope: Scope, want: Callable[[Type], bool]) -> list[tuple[str, Type]]:
        return [(n, t) for n, t in scope.values if want(t)]

    def named(self, scope: Scope, type: Type) -> str | None:
        """A value in scope of exactly this type; later ones are likelier."""
        names = [n for n, t in scope.values if t == type]
        if not names:
            return None
        return names[max(self.rng.randrange(len(names)), self.rng.randrange(len(names)))]

    def parts(self, scope: Scope, type: Type) -> list[str]:
        """Fields and components of this type of values in scope."""
        out = []
        for name, t in scope.values:
            if isinstance(t, Record):
                out += [f"{name}.{f}" for f, item in t.fields if item == type]
            elif isinstance(t, Tuple):
                out += [f"{name}.{k}" for k, item in enumerate(t.items) if item == type]
        return out

    def size(self, scope: Scope) -> Dim:
        return self.rng.choice(scope.sizes)

    def one_of(self, types: Sequence[Type]) -> Type:
        return self.rng.choice(types)

    def small_type(self, scope: Scope) -> Type:
        """A type of values that loops, tuples and arrays hold."""
        F = self.F
        plain = (F, F, F, F, F, I64, BOOL, Tuple((F, I64)), Tuple((F, F)), Tuple((F, F)), Tuple((F, F, F, F)))
        return self.one_of((*plain, *self.records[:1], *self.sums[:1]))

    def any_type(self, scope: Scope) -> Type:
        s, F = self.size(scope), self.F
        row, pair = Array(s, F), Array(Dim(2), F)
        return self.one_of(
            (
                F, F, F, row, row, row, row, pair, Array(s, Array(self.size(scope), F)), Array(s, pair),
                Array(self.size(scope), row), Array(Dim(2), Array(self.size(scope), pair)), Tuple((F, row)),
                Array(s, self.small_type(scope)), Array(s, self.small_type(scope)), self.small_type(scope),
                I64, Array(s, I64), *self.records, *self.sums,
            )
        )  # fmt: skip

    def active_type(self, scope: Scope) -> Type:
        """A type of what derivatives are taken with respect to."""
        s, F = self.size(scope), self.F
        records = [r for r in self.records if " " not in r.name]
        pairs = (Tuple((F, F)), Tuple((F, Array(s, F))), Array(s, Array(Dim(2), F)), Array(s, Tuple((F, F))))
        return self.one_of((F, F, Array(s, F), Array(s, F), Array(Dim(2), F), *pairs, *records))

    @contextmanager
    def nested(self) -> Iterator[None]:
        self.nesting += 1
        yield
        self.nesting -= 1

    # ------------------------------------------------------------ expressions; each text stands as an operand

    def expr(self, type: Type, s: Scope, depth: int) -> str:
        return marked(f"t{type}", self._expr(type, s, depth))

    def _expr(self, type: Type, s: Scope, depth: int) -> str:
        self.budget -= 1
        name = self.named(s, type)
        if depth <= 0 or self.budget <= 0:
            return name if name is not None and self.chance(85) else self.leaf(type, s)
        if name is not None and self.chance(12):
            return name
        parts = self.parts(s, type)
        if parts and self.chance(25):
            return self.rng.choice(parts)
        calls = [f for f in s.functions if f[2] == type]
        if calls and self.chance(30):
            function, params, _ = self.rng.choice(calls)
            return f"({function} {' '.join(self.expr(t, s, depth - 1) for t in params)})"
        match self.rng.randrange(18 if self.sums else 17):
            case 0:
                return control.branch(self, type, s, depth)
            case 1:
                return control.let(self, type, s, depth)
            case 2 | 3 | 4:
                return control.loop(self, type, s, depth)
            case 5:
                element = self.element_of(type, s, depth)
                if element is not None:
                    return element
            case 17:
                return sums.matched(self, type, s, depth)
        match type:
            case Scalar("f64" | "f32"):
                return numbers.number(self, s, depth)
            case Scalar("bool"):
                return numbers.truth(self, s, depth)
            case Scalar():
                return numbers.integer(self, type, s, depth)
            case Array():
                return arrays.array(self, type, s, depth)
            case Tuple(items):
                return control.tuple_of(self, items, s, depth)
            case Record():
                return control.record(self, type, s, depth)
            case Sum():
                return sums.made(self, type, s, depth)

    def leaf(self, type: Type, s: Scope) -> str:
        """Something small, mostly of what is there already."""
        match type:
            case Scalar("f64" | "f32"):
                return self.some_number(s)
            case Scalar("bool"):
                return self.rng.choice(("true", "false"))
            case Scalar("i64"):
                return self.rng.choice(("0", "1", "3", "(-2)", *(f"({d})" for d in s.sizes), *s.below, *s.below))
            case Scalar():
                return self.rng.choice(("0", "1", "3", "(-2)"))
            case Array(n, element):
                known = self.named(s, type)
                if known:
                    return known
                if self.chance(20):
                    return f"(replicate ({n}) {self.leaf(element, s)})"
                i = self.fresh("i")
                return f"[{self.leaf(element, s.counting(i, n))} for {i} < {n}]"
            case Tuple(items):
                return "(" + ", ".join(self.leaf(t, s) for t in items) + ")"
            case Record(_, fields):
                return "{" + ", ".join(f"{f} = {self.leaf(t, s)}" for f, t in fields) + "}"
            case Sum():
                return sums.leaf(self, type, s)

    def some_number(self, s: Scope) -> str:
        """A number in scope, perhaps changed by an index; a constant where there is none, and now and then."""
        name, F = self.named(s, self.F), self.F
        if name is None or self.chance(12):
            literal = self.rng.choice(("0.5", "1.5", "-0.75", "0.25", "0.0", "1.0"))
            return f"({literal}{F})" if F.name == "f32" else f"({literal})"  # f64 by itself
        if s.below and self.chance(70):
            i = self.rng.choice(list(s.below))
            return self.rng.choice((f"({name} * {F} {i})", f"(sin ({name} + {F} {i}))", f"({name} - 0.4 * {F} {i})"))
        return name if self.chance(70) else f"({name} + 0.3)"

    def place(self, n: Dim, s: Scope, depth: int) -> str:
        """An index below `n`, which is at least 1."""
        exact = [i for i, d in s.below.items() if d == n]
        if exact and self.chance(60):
            return self.rng.choice(exact)
        if self.risky and self.chance(50):
            self.risky = False
            return f"(k + {self.expr(I64, s, depth - 1)})"
        return f"({self.expr(I64, s, depth - 1)} % ({n}))"

    def readable(self, n: Dim, s: Scope) -> bool:
        return n.least > 0 or n in s.below.values()

    def element_of(self, type: Type, s: Scope, depth: int) -> str | None:
        """An element of an array in scope, also of a row or of one that may be empty."""

        def holds(t: Type) -> bool:
            if not isinstance(t, Array):
                return False
            return t.element == type or (isinstance(t.element, Array) and t.element.element == type)

        found = self.found(s, holds)
        if not found:
            return None
        name, t = self.rng.choice(found)
        assert isinstance(t, Array)
        dims = [t.size]
        if t.element != type:
            assert isinstance(t.element, Array)
            dims.append(t.element.size)
        index = ", ".join(self.place(d, s, depth) for d in dims)
        read = f"{name}[{index}]"
        if len(dims) == 2 and self.chance(20):
            read = f"{name}[{self.place(dims[0], s, depth)}][{self.place(dims[1], s, depth)}]"
        empty = [d for d in dims if not self.readable(d, s)]
        if not empty:
            return read
        asked = " && ".join(f"{d} > 0" for d in empty)
        return f"(if {asked} then {read} else {self.expr(type, s, 0)})"
