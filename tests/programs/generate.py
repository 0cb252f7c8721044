"""Random well-typed Dad programs, made by construction: in a source of randomness, out source text and types.

The text checks without diagnostics, every index that it reads or writes is in range (but for one, when `risky`), every
loop ends, functions are bounded so that rounding does not grow, and every sort of expression stands inside every other.
Conditions on floats compare with odd constants, so that two ways of rounding do not take two branches; `smooth` is
False when a derivative by differences would not be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from dad.tests.programs import sums
from dad.tests.programs.kinds import BOOL, I32, I64, Array, Dim, Record, Scalar, Sum, Tuple, Type

if TYPE_CHECKING:
    from collections.abc import Iterator

UNARY = (
    "sin {}",
    "cos {}",
    "tanh {}",
    "atan {}",
    "erf {}",
    "sigmoid {}",
    "softplus {}",
    "asinh {}",
    "-{}",
    "log1p (sigmoid {})",
    "sqrt (0.5 + {} ** 2)",
    "1 / (1.5 + sin {})",
    "exp (tanh {})",
    "log (1.25 + cos {})",
)


@dataclass
class Generated:
    """A program: its text, the parameters of its entries `main` and (if `second`) `second`, its sizes."""

    text: str
    params: tuple[tuple[str, Type], ...]
    result: Type
    floats: str
    smooth: bool
    sizes: tuple[str, ...]
    second: tuple[str, ...] = ()
    """Names of the parameters whose directions `second` takes after the parameters of `main`."""


@dataclass
class Scope:
    """What can be named, what is positive, which names count elements of which size."""

    values: list[tuple[str, Type]]
    sizes: list[Dim]
    below: dict[str, Dim] = field(default_factory=dict)
    functions: list[tuple[str, tuple[Type, ...], Type]] = field(default_factory=list)

    def inner(self, *values: tuple[str, Type]) -> Scope:
        return Scope([*self.values, *values], self.sizes, dict(self.below), list(self.functions))


class Generator:
    """`program()` makes one; `rng` decides everything. `budget` is how many expressions there may still be."""

    def __init__(self, rng: Random, budget: int = 60, risky: bool = False) -> None:
        self.rng = rng
        self.budget = budget
        self.risky = risky
        self.F = Scalar("f32" if rng.randrange(8) == 0 else "f64")
        self.smooth = True
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
        return self.one_of(
            (
                self.F,
                self.F,
                self.F,
                I64,
                BOOL,
                Tuple((self.F, I64)),
                Tuple((self.F, self.F)),
                *self.records[:1],
                *self.sums[:1],
            )
        )

    def any_type(self, scope: Scope) -> Type:
        s = self.size(scope)
        return self.one_of(
            (
                self.F,
                self.F,
                I64,
                Array(s, self.F),
                Array(s, self.F),
                Array(s, self.F),
                Array(s, I64),
                Array(s, Array(self.size(scope), self.F)),
                Tuple((self.F, Array(s, self.F))),
                Array(s, self.small_type(scope)),
                *self.records,
                *self.sums,
            )
        )

    @contextmanager
    def nested(self) -> Iterator[None]:
        self.nesting += 1
        yield
        self.nesting -= 1

    # ------------------------------------------------------------ expressions; each text stands as an operand

    def expr(self, type: Type, s: Scope, depth: int) -> str:
        self.budget -= 1
        name = self.named(s, type)
        if depth <= 0 or self.budget <= 0:
            return name if name is not None and self.chance(85) else self.leaf(type, s)
        if name is not None and self.chance(8):
            return name
        parts = self.parts(s, type)
        if parts and self.chance(25):
            return self.rng.choice(parts)
        calls = [f for f in s.functions if f[2] == type]
        if calls and self.chance(30):
            function, params, _ = self.rng.choice(calls)
            return f"({function} {' '.join(self.expr(t, s, depth - 1) for t in params)})"
        general = self.rng.randrange(15 if self.sums else 14)
        if general == 14:
            return sums.matched(self, type, s, depth)
        if general == 0:
            return self.branch(type, s, depth)
        if general == 1:
            return self.let(type, s, depth)
        if general == 2:
            return self.loop(type, s, depth)
        if general == 3:
            element = self.element_of(type, s, depth)
            if element is not None:
                return element
        match type:
            case Scalar("f64" | "f32"):
                return self.number(s, depth)
            case Scalar("bool"):
                return self.truth(s, depth)
            case Scalar():
                return self.integer(type, s, depth)
            case Array():
                return self.array(type, s, depth)
            case Tuple(items):
                return self.tuple_of(items, s, depth)
            case Record():
                return self.record(type, s, depth)
            case Sum():
                return sums.made(self, type, s, depth)

    def leaf(self, type: Type, s: Scope) -> str:
        match type:
            case Scalar("f64" | "f32"):
                literal = self.rng.choice(("0.5", "1.5", "-0.75", "0.25", "0.0", "1.0"))
                return f"({literal}{type})" if type.name == "f32" else f"({literal})"  # f64 by itself
            case Scalar("bool"):
                return self.rng.choice(("true", "false"))
            case Scalar("i64"):
                return self.rng.choice(("0", "1", "3", "(-2)", *(f"({d})" for d in s.sizes), *s.below))
            case Scalar():
                return self.rng.choice(("0", "1", "3", "(-2)"))
            case Array(n, element):
                known = self.named(s, type)
                return known or f"(replicate ({n}) {self.leaf(element, s)})"
            case Tuple(items):
                return "(" + ", ".join(self.leaf(t, s) for t in items) + ")"
            case Record(_, fields):
                return "{" + ", ".join(f"{f} = {self.leaf(t, s)}" for f, t in fields) + "}"
            case Sum():
                return sums.leaf(self, type, s)

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
        arrays = self.found(
            s,
            lambda t: (
                isinstance(t, Array)
                and (t.element == type or (isinstance(t.element, Array) and t.element.element == type))
            ),
        )
        if not arrays:
            return None
        name, t = self.rng.choice(arrays)
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

    def branch(self, type: Type, s: Scope, depth: int) -> str:
        return (
            f"(if {self.expr(BOOL, s, depth - 1)} then {self.expr(type, s, depth - 1)} else "
            f"{self.expr(type, s, depth - 1)})"
        )

    def let(self, type: Type, s: Scope, depth: int) -> str:
        bound, inner = self.binding(s, depth)
        return f"({bound} in {self.expr(type, inner, depth - 1)})"

    def binding(self, s: Scope, depth: int) -> tuple[str, Scope]:
        """`let …` and the scope after it."""
        kind = self.rng.randrange(10)
        if kind == 0:
            items = (self.any_type(s), self.small_type(s))
            a, b = self.fresh("a"), self.fresh("b")
            return f"let ({a}, {b}) = {self.expr(Tuple(items), s, depth - 1)}", s.inner((a, items[0]), (b, items[1]))
        if kind == 1:
            taken, given = self.small_type(s), self.any_type(s)
            name, x, y = self.fresh("f"), self.fresh("x"), self.fresh("y")
            with self.nested():
                body = self.expr(given, s.inner((x, taken), (y, self.F)), depth - 1)
            inner = s.inner()
            inner.functions.append((name, (taken, self.F), given))
            return f"let {name} ({x}: {taken}) ({y}: {self.F}) : {given} = {body}", inner
        arrays = self.found(
            s, lambda t: isinstance(t, Array) and self.readable(t.size, s) and isinstance(t.element, Scalar)
        )
        if kind == 2 and arrays:
            name, t = self.rng.choice(arrays)
            assert isinstance(t, Array)
            new = self.expr(t.element, s, depth - 1)
            return f"let {name}[{self.place(t.size, s, depth)}] = {new}", s.inner()
        type = self.any_type(s)
        name = self.fresh("v")
        note = f" : {type}" if self.chance(20) else ""
        return f"let {name}{note} = {self.expr(type, s, depth - 1)}", s.inner((name, type))

    def loop(self, type: Type, s: Scope, depth: int) -> str:
        acc, i, x = self.fresh("acc"), self.fresh("i"), self.fresh("x")
        start = self.expr(type, s, depth - 1)
        inner = s.inner((acc, type))
        if self.chance(25):
            return self.recursion(type, acc, start, s, depth)
        form = self.rng.randrange(4)
        arrays = self.found(s, lambda t: isinstance(t, Array))
        if form == 0 and arrays:
            name, t = self.rng.choice(arrays)
            assert isinstance(t, Array)
            return (
                f"(loop {acc} = {start} for {x} in {name} do "
                f"{self.step(type, acc, inner.inner((x, t.element)), depth)})"
            )
        if form == 1:
            more = self.rng.choice(("true", self.expr(BOOL, s, depth - 1)))
            bound = self.rng.choice(("3", "2", self.expr(I64, s, 1)))
            pattern = f"({acc}, {i})"
            inner.values.append((i, I64))
            return (
                f"(loop {pattern} = ({start}, 0) while {i} < min 4 {bound} && {more} do "
                f"({self.step(type, acc, inner, depth)}, {i} + 1)).0"
            )
        count = self.size(s)
        if form == 2:
            return (
                f"(loop {acc} = {start} for {i} < min 3 {self.expr(I64, s, 1)} do "
                f"{self.step(type, acc, inner.inner((i, I64)), depth)})"
            )
        inner.values.append((i, I64))
        inner.below[i] = count
        return f"(loop {acc} = {start} for {i} < {count} do {self.step(type, acc, inner, depth)})"

    def recursion(self, type: Type, acc: str, start: str, s: Scope, depth: int) -> str:
        """A local function that calls itself: last, before it goes on, twice, or through another argument."""
        go, k = self.fresh("go"), self.fresh("k")
        inner = s.inner((acc, type), (k, I64))
        levels = f"(min {self.rng.choice(('3', '4'))} {self.expr(I64, s, 1)})"
        step = self.step(type, acc, inner, depth)
        match self.rng.randrange(4):
            case 0:
                body = f"if {k} <= 0 then {acc} else {go} ({k} - 1) {step}"
            case 1:
                body = f"if {k} <= 0 then {acc} else let {acc} = {go} ({k} - 1) {acc} in {step}"
            case 2:
                body = (
                    f"if {k} <= 0 then {acc} else let {acc} = {go} ({k} - 2) {acc} "
                    f"in if {self.expr(BOOL, inner, 1)} then {go} ({k} - 1) {step} else {step}"
                )
            case _:
                found = self.expr(BOOL, inner, 1)
                body = f"if {k} <= 0 then {step} else if {found} then {acc} else {go} ({k} - 1) {step}"
        return f"(let {go} ({k}: i64) ({acc}: {type}) : {type} = {body} in {go} {levels} {start})"

    def step(self, type: Type, acc: str, s: Scope, depth: int) -> str:
        """The next state of a loop, which does not grow."""
        if type == self.F:
            return f"(sin {acc} + tanh {self.expr(type, s, depth - 1)})"
        if isinstance(type, Scalar) and type in (I64, I32):
            return f"(({acc} + {self.expr(type, s, depth - 1)}) % 17)"
        if isinstance(type, Array) and self.readable(type.size, s) and self.chance(60):
            return f"({acc} with [{self.place(type.size, s, depth)}] = {self.bounded(type.element, s, depth - 1)})"
        return self.bounded(type, s, depth - 1)

    def bounded(self, type: Type, s: Scope, depth: int) -> str:
        if type == self.F:
            return f"(tanh {self.expr(type, s, depth)})"
        if isinstance(type, Tuple):
            return "(" + ", ".join(self.bounded(t, s, depth) for t in type.items) + ")"
        if isinstance(type, Array) and type.element == self.F:
            return f"(map tanh {self.expr(type, s, depth)})"
        if type in (I64, I32):
            return f"({self.expr(type, s, depth)} % 13)"
        return self.expr(type, s, depth)

    # ------------------------------------------------------------ scalars

    def number(self, s: Scope, depth: int) -> str:
        F, d = self.F, depth - 1
        n = self.size(s)
        match self.rng.randrange(32):
            case 28 | 29:
                # Arrays whose sizes only the run knows.
                x, i, keep = self.expr(Array(n, F), s, d), self.fresh("i"), self.expr(Array(n, I64), s, 0)
                kept = f"(map (.0) (filter (\\({i}, k) -> k % 2 == 0) (zip {x} {keep})))"
                inner = s.inner((i, F))
                body = f"map (\\{i} -> {self.expr(F, inner, d)}) {kept}"
                return self.rng.choice((f"(sum ({body}))", f"(sum (loop ys = {kept} for _k < 2 do ys ++ [1.5]))"))
            case 30:
                x, keep = self.expr(Array(n, F), s, d), self.expr(Array(n, I64), s, 0)
                op = self.rng.choice(("(+)", "(*)", "(\\a b -> a * b + a + b)"))
                return f"(sum (reduce_by_index [1, 0.5, 2] {op} 0 {keep} (map tanh {x})))"
            case 31:
                self.smooth = False
                return f"(sum (map2 (*) {self.expr(Array(n, F), s, d)} (sort.sort {self.expr(Array(n, F), s, d)})))"
            case 0 | 1:
                return f"({self.rng.choice(UNARY).format(self.expr(F, s, d))})"
            case 2 | 3:
                return f"({self.expr(F, s, d)} {self.rng.choice('+-*')} {self.expr(F, s, d)})"
            case 4:
                return f"({self.expr(F, s, d)} / (1.5 + {self.expr(F, s, d)} ** 2))"
            case 5:
                self.smooth = False
                f = self.rng.choice(("max", "min"))
                return f"({f} {self.expr(F, s, d)} ({self.expr(F, s, d)} + 0.1371))"
            case 6:
                self.smooth = False
                return f"(abs ({self.expr(F, s, d)} + 0.0719))"
            case 7:
                return f"(sum {self.expr(Array(n, F), s, d)})"
            case 8:
                return f"(product (map tanh {self.expr(Array(n, F), s, d)}))"
            case 9 if n.least > 0:
                self.smooth = False
                spread = self.rng.choice(("maximum", "minimum"))
                return f"({spread} {self.expr(Array(n, F), s, d)})"
            case 10:
                op, e = self.rng.choice((("(+)", "0"), ("(\\a b -> a + b - a * b)", "0"), ("(*)", "1")))
                return f"(reduce {op} {e} (map sin {self.expr(Array(n, F), s, d)}))"
            case 11:
                return f"({self.F} {self.expr(I64, s, d)} / 7)"
            case 12:
                x, e = self.expr(Array(n, F), s, d), self.expr(Array(n, F), s, d)
                return self.rng.choice(
                    (f"(dot {x} {e})", f"(logsumexp (concat [0.3] {x}))", f"(variance (concat {e} [0.5, 1.0]))")
                )
            case 13 | 14 if self.nesting < 2:
                return self.derivative_of_number(s, d)
            case 15 if self.nesting < 2:
                self.smooth = False
                return f"(stop_grad {self.expr(F, s, d)})"
            case 16:
                x = self.fresh("x")
                return f"({self.expr(F, s, d)} |> (\\{x} -> {self.expr(F, s.inner((x, F)), d)}) |> (+ 0.25))"
            case 17:
                pair = "(\\(a, b) (c, d) -> (a * c, b * c + d))"
                x = self.expr(Array(n, F), s, d)
                return f"(reduce {pair} (1, 0) (map (\\x -> (tanh x, sin x)) {x})).{self.rng.randrange(2)}"
            case 18:
                return f"(sum (map sum {self.expr(Array(self.size(s), Array(n, F)), s, d)}))"
            case 19 | 20 if self.helpers:
                return self.called(s, d) or self.expr(F, s, d)
            case 21:
                return f"(fst ({self.expr(F, s, d)}, {self.expr(I64, s, 0)}))"
            case 22:
                i = self.fresh("i")
                inner = s.inner((i, I64))
                inner.below[i] = n
                return f"(sum [{self.expr(F, inner, d)} for {i} < {n}])"
            case 23:
                x = self.expr(Array(n, F), s, d)
                return f"(foldl (\\a x -> sin a + x) {self.expr(F, s, d)} {x})"
            case 24:
                f = self.rng.choice(("hypot", "atan2"))
                return f"({f} {self.expr(F, s, d)} (1.75 + sin {self.expr(F, s, d)}))"
            case 25:
                return (
                    f"((1.5 + sin {self.expr(F, s, d)}) ** "
                    f"{self.rng.choice(('3', '0.5', '(-2)', f'(tanh {self.expr(F, s, d)})'))})"
                )
            case _:
                return self.element_of(F, s, d) or f"(cos {self.expr(F, s, d)})"

    def derivative_of_number(self, s: Scope, d: int) -> str:
        z = self.fresh("z")
        F = self.F
        with self.nested():
            kind = self.rng.randrange(5)
            if kind < 3:
                body = f"(sin {z} + {self.expr(F, s.inner((z, F)), d)})"
                at = self.expr(F, s, d)
                return {
                    0: f"(grad (\\{z} -> {body}) {at})",
                    1: f"(jvp (\\{z} -> {body}) {at} 0.5)",
                    2: f"(value_and_grad (\\{z} -> {body}) {at}).1",
                }[kind]
            n = self.size(s)
            body = f"(sum {z} + {self.expr(F, s.inner((z, Array(n, F))), d)})"
            at = self.expr(Array(n, F), s, d)
            if kind == 3:
                return f"(jvp (\\({z}: [{n}]{F}) -> {body}) {at} {self.expr(Array(n, F), s, 0)})"
            return f"(sum (grad (\\({z}: [{n}]{F}) -> {body}) {at}))"

    def integer(self, type: Scalar, s: Scope, depth: int) -> str:
        d, n = depth - 1, self.size(s)
        if type == I32:
            return f"(i32 {self.expr(I64, s, d)})"
        match self.rng.randrange(13):
            case 0 | 1:
                return (
                    f"({self.expr(I64, s, d)} {self.rng.choice(('+', '-', '*', '&', '|', '^'))} "
                    f"{self.expr(I64, s, 0)} % 1009)"
                )
            case 2:
                return (
                    f"({self.expr(I64, s, d)} {self.rng.choice(('/', '%', '//', '%%'))} "
                    f"{self.rng.choice(('3', '(-2)', '(1 + abs 4)'))})"
                )
            case 3:
                return f"({self.rng.choice(('max', 'min'))} {self.expr(I64, s, d)} {self.expr(I64, s, d)})"
            case 4:
                return f"(length {self.expr(Array(n, self.F), s, d)})"
            case 5:
                return f"(sum {self.expr(Array(n, I64), s, d)})"
            case 6:
                return f"(count (\\b -> b) {self.expr(Array(n, BOOL), s, d)})"
            case 7 if n.least > 0:
                self.smooth = False
                x = self.fresh("i")
                return f"({self.rng.choice(('argmax', 'argmin'))} [sin (1.7 * {self.F} {x}) for {x} < {n}])"
            case 8:
                self.smooth = False
                return f"(i64 (floor (3.1 * tanh (0.37 + {self.expr(self.F, s, d)}))))"
            case 9:
                return f"(abs {self.expr(I64, s, d)})"
            case 10:
                return f"(reduce max (-5) {self.expr(Array(n, I64), s, d)})"
            case 11:
                return f"(i64 (i32 {self.expr(I64, s, d)}))"
            case _:
                return f"(if {self.expr(BOOL, s, d)} then 1 else 2)"

    def truth(self, s: Scope, depth: int) -> str:
        d, n = depth - 1, self.size(s)
        match self.rng.randrange(8):
            case 7:
                return sums.equal(self, s, d)
            case 0 | 1:
                self.smooth = False
                return (
                    f"({self.expr(self.F, s, d)} {self.rng.choice(('<', '>', '<=', '>='))} "
                    f"{self.expr(self.F, s, 0)} + 0.1713)"
                )
            case 2:
                return f"({self.expr(I64, s, d)} {self.rng.choice(('<', '==', '!=', '>='))} {self.expr(I64, s, d)})"
            case 3:
                return f"({self.expr(BOOL, s, d)} {self.rng.choice(('&&', '||'))} {self.expr(BOOL, s, d)})"
            case 4:
                return f"(!{self.expr(BOOL, s, d)})"
            case 5:
                return f"({self.rng.choice(('all', 'any'))} (> 1) {self.expr(Array(n, I64), s, d)})"
            case _:
                return f"({self.expr(I64, s, d)} % 2 == 0)"

    # ------------------------------------------------------------ compound values

    def tuple_of(self, items: tuple[Type, ...], s: Scope, depth: int) -> str:
        if len(items) == 2 and items[0] == items[1] == self.F and self.nesting < 2 and self.chance(25):
            z = self.fresh("z")
            with self.nested():
                return (
                    f"(value_and_grad (\\{z} -> sin {z} + "
                    f"{self.expr(self.F, s.inner((z, self.F)), depth - 1)}) {self.expr(self.F, s, 1)})"
                )
        return "(" + ", ".join(self.expr(t, s, depth - 1) for t in items) + ")"

    def record(self, type: Record, s: Scope, depth: int) -> str:
        known = self.named(s, type)
        if known and self.chance(40):
            f, t = self.rng.choice(type.fields)
            return f"({known} with {f} = {self.expr(t, s, depth - 1)})"
        return "{" + ", ".join(f"{f} = {self.expr(t, s, depth - 1)}" for f, t in type.fields) + "}"

    def array(self, type: Array, s: Scope, depth: int) -> str:
        from dad.tests.programs.arrays import array

        return array(self, type, s, depth)

    def called(self, s: Scope, d: int) -> str | None:
        """A call of one of the program's own definitions that makes a float."""
        x, n, F = self.fresh("x"), self.size(s), self.F
        match self.rng.choice(self.helpers):
            case "lerp":
                return f"(lerp {self.expr(F, s, d)} {self.expr(F, s, d)} {self.expr(F, s, d)})"
            case "square":
                return f"(square (sin {self.expr(F, s, d)}) + {F} (square {self.expr(I64, s, 0)} % 5))"
            case "twice":
                return f"(twice (\\{x} -> sin {self.expr(F, s.inner((x, F)), d)}) {self.expr(F, s, d)})"
            case "local_number":
                return f"(local_number {self.expr(F, s, d)} {self.expr(Array(n, F), s, d)} {self.expr(I64, s, d)})"
            case "fold_with":
                return (
                    f"(fold_with (\\a {x} -> tanh a + {self.expr(F, s.inner((x, F)), d)}) 0.5 "
                    f"{self.expr(Array(n, F), s, d)})"
                )
        return None
