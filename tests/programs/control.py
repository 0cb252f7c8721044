"""How generated programs branch, name things, repeat them and put values together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dad.tests.programs import transforms
from dad.tests.programs.kinds import BOOL, I32, I64, Array, Dim, Record, Scalar, Tuple, Type

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope


def branch(g: Generator, type: Type, s: Scope, depth: int) -> str:
    d = depth - 1
    return f"(if {g.expr(BOOL, s, d)} then {g.expr(type, s, d)} else {g.expr(type, s, d)})"


def let(g: Generator, type: Type, s: Scope, depth: int) -> str:
    bound, inner = binding(g, s, depth)
    return f"({bound} in {g.expr(type, inner, depth - 1)})"


def binding(g: Generator, s: Scope, depth: int) -> tuple[str, Scope]:
    """`let …` and the scope after it."""
    d = depth - 1
    match g.rng.randrange(10):
        case 0:
            items = (g.any_type(s), g.small_type(s))
            a, b = g.fresh("a"), g.fresh("b")
            return f"let ({a}, {b}) = {g.expr(Tuple(items), s, d)}", s.inner((a, items[0]), (b, items[1]))
        case 1:
            taken, given = g.small_type(s), g.any_type(s)
            name, x, y = g.fresh("fn"), g.fresh("x"), g.fresh("y")
            with g.nested():
                body = g.expr(given, s.inner((x, taken), (y, g.F)), d)
            inner = s.inner()
            inner.functions.append((name, (taken, g.F), given))
            return f"let {name} ({x}: {taken}) ({y}: {g.F}) : {given} = {body}", inner
        case 2 | 3:
            written = update(g, s, depth)
            if written is not None:
                return written, s.inner()
    type = g.any_type(s)
    name = g.fresh("v")
    note = f" : {type}" if g.chance(20) else ""
    return f"let {name}{note} = {g.expr(type, s, d)}", s.inner((name, type))


def update(g: Generator, s: Scope, depth: int) -> str | None:
    """`let xs[i] = …`, also of a row, of a place in a row, or of a slice."""
    d = depth - 1
    found = g.found(s, lambda t: isinstance(t, Array) and g.readable(t.size, s))
    if not found:
        return None
    name, t = g.rng.choice(found)
    assert isinstance(t, Array)
    row = t.element
    if isinstance(row, Array) and g.readable(row.size, s) and g.chance(50):
        i, j = g.place(t.size, s, d), g.place(row.size, s, d)
        return f"let {name}[{i}, {j}] = {g.expr(row.element, s, d)}"
    if t.size.least > 0 and g.chance(40):
        k = g.rng.randrange(1, t.size.least + 1)
        part, step = g.expr(Array(Dim(k), row), s, d), g.rng.choice(("", "", "::-1"))
        return f"let {name}[:{k}] = {part}{step and f'[{step}]'}"
    return f"let {name}[{g.place(t.size, s, d)}] = {g.expr(row, s, d)}"


# ---------------------------------------------------------------- repetition


def loop(g: Generator, type: Type, s: Scope, depth: int) -> str:
    d = depth - 1
    acc, i, x = g.fresh("acc"), g.fresh("i"), g.fresh("x")
    start = g.expr(type, s, d)
    inner = s.inner((acc, type))
    if g.chance(20):
        return recursion(g, type, acc, start, s, depth)
    arrays = g.found(s, lambda t: isinstance(t, Array))
    match g.rng.randrange(7):
        case 0 if arrays:
            name, t = g.rng.choice(arrays)
            assert isinstance(t, Array)
            xs = name if g.chance(70) else g.expr(t, s, d)
            after = step(g, type, acc, inner.inner((x, t.element)), depth)
            return f"(loop {acc} = {start} for {x} in {xs} do {after})"
        case 1:
            more = g.rng.choice(("true", g.expr(BOOL, s, d)))
            bound = g.rng.choice(("3", "2", g.expr(I64, s, 1)))
            inner.values.append((i, I64))
            return (
                f"(loop ({acc}, {i}) = ({start}, 0) while {i} < min 4 {bound} && {more} do "
                f"({step(g, type, acc, inner, depth)}, {i} + 1)).0"
            )
        case 2:
            return guarded(g, type, acc, start, s, depth)
        case 3:
            last = g.expr(I64, s, 1)
            after = step(g, type, acc, inner.inner((i, I64)), depth)
            return f"(loop {acc} = {start} for {i} < min 3 {last} do {after})"
        case 4:
            # Two values that change together, one of them an array written in place.
            other = Array(g.size(s), g.F)
            ys = g.fresh("ys")
            inner.values += [(ys, other), (i, I64)]
            first = g.expr(other, s, d)
            return (
                f"(loop ({acc}, {ys}) = ({start}, {first}) for {i} < {g.rng.choice(('2', '3', str(g.size(s))))} do "
                f"({step(g, type, acc, inner, depth)}, {step(g, other, ys, inner, depth)})).0"
            )
    count = g.size(s)
    inner.values.append((i, I64))
    inner.below[i] = count
    return f"(loop {acc} = {start} for {i} < {count} do {step(g, type, acc, inner, depth)})"


def guarded(g: Generator, type: Type, acc: str, start: str, s: Scope, depth: int) -> str:
    """`while` something active is far from what it tends to: how often, only the run knows."""
    x, d = g.fresh("x"), depth - 1
    F = g.F
    inner = s.inner((acc, type), (x, F))
    first = g.expr(F, s, d)
    next_ = g.rng.choice((f"0.5 * {x}", f"0.6 * sin {x}", f"{x} / (1.7 + {x} * {x})"))
    if g.chance(30):
        next_ = f"0.4 * {x} + 0.05 * tanh {g.expr(F, inner, d)}"
    limit = g.rng.choice(("0.1371", "0.3119"))
    return (
        f"(loop ({acc}, {x}) = ({start}, 1.3 * tanh {first}) while abs {x} > {limit} do "
        f"({step(g, type, acc, inner, depth)}, {next_})).0"
    )


def recursion(g: Generator, type: Type, acc: str, start: str, s: Scope, depth: int) -> str:
    """A local function that calls itself: last, before it goes on, twice, or through another argument."""
    go, k = g.fresh("go"), g.fresh("k")
    inner = s.inner((acc, type), (k, I64))
    levels = f"(min {g.rng.choice(('3', '4'))} {g.expr(I64, s, 1)})"
    next_ = step(g, type, acc, inner, depth)
    match g.rng.randrange(4):
        case 0:
            body = f"if {k} <= 0 then {acc} else {go} ({k} - 1) {next_}"
        case 1:
            body = f"if {k} <= 0 then {acc} else let {acc} = {go} ({k} - 1) {acc} in {next_}"
        case 2:
            body = (
                f"if {k} <= 0 then {acc} else let {acc} = {go} ({k} - 2) {acc} "
                f"in if {g.expr(BOOL, inner, 1)} then {go} ({k} - 1) {next_} else {next_}"
            )
        case _:
            found = g.expr(BOOL, inner, 1)
            body = f"if {k} <= 0 then {next_} else if {found} then {acc} else {go} ({k} - 1) {next_}"
    return f"(let {go} ({k}: i64) ({acc}: {type}) : {type} = {body} in {go} {levels} {start})"


def step(g: Generator, type: Type, acc: str, s: Scope, depth: int) -> str:
    """The next state of a loop, which does not grow."""
    d = depth - 1
    if type == g.F:
        return f"(sin {acc} + tanh {g.expr(type, s, d)})"
    if isinstance(type, Scalar) and type in (I64, I32):
        return f"(({acc} + {g.expr(type, s, d)}) % 17)"
    if isinstance(type, Array) and g.readable(type.size, s) and g.chance(60):
        row = type.element
        if isinstance(row, Array) and g.readable(row.size, s) and g.chance(60):
            place = f"{g.place(type.size, s, d)}, {g.place(row.size, s, d)}"
            return f"({acc} with [{place}] = {bounded(g, row.element, s, d)})"
        return f"({acc} with [{g.place(type.size, s, d)}] = {bounded(g, row, s, d)})"
    return bounded(g, type, s, d)


def bounded(g: Generator, type: Type, s: Scope, depth: int) -> str:
    if type == g.F:
        return f"(tanh {g.expr(type, s, depth)})"
    if isinstance(type, Tuple):
        return "(" + ", ".join(bounded(g, t, s, depth) for t in type.items) + ")"
    if isinstance(type, Array) and type.element == g.F:
        return f"(map tanh {g.expr(type, s, depth)})"
    if type in (I64, I32):
        return f"({g.expr(type, s, depth)} % 13)"
    return g.expr(type, s, depth)


# ---------------------------------------------------------------- compound values


def tuple_of(g: Generator, items: tuple[Type, ...], s: Scope, depth: int) -> str:
    if items == (g.F, g.F) and g.nesting < g.derivatives and g.chance(25):
        return transforms.pair(g, s, depth - 1)
    return "(" + ", ".join(g.expr(t, s, depth - 1) for t in items) + ")"


def record(g: Generator, type: Record, s: Scope, depth: int) -> str:
    known = g.named(s, type)
    if known and g.chance(40):
        f, t = g.rng.choice(type.fields)
        return f"({known} with {f} = {g.expr(t, s, depth - 1)})"
    if g.nesting < g.derivatives and " " not in type.name and all(t == g.F for _, t in type.fields) and g.chance(30):
        return transforms.gradient(g, type, s, depth - 1)
    return "{" + ", ".join(f"{f} = {g.expr(t, s, depth - 1)}" for f, t in type.fields) + "}"
