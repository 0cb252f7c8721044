"""How generated programs make values of sum types and take them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dad.tests.programs.kinds import BOOL, I64, Array, Dim, Scalar, Sum, Tuple, Type, dim

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope


def declared(F: Scalar) -> tuple[Sum, Sum, Sum]:
    """The sums that programs may have: numbers, something without floats, and one with sizes and sums inside."""
    shape = Sum("shape", (("circle", (F,)), ("box", (F, I64)), ("many", (Array(Dim(2), F),)), ("none", ())))
    color = Sum("color", (("red", ()), ("green", (I64,)), ("mixed", (BOOL, I64))))
    found = Sum("found [n]", (("nothing", ()), ("all", (Array(dim("n"), F),)), ("some", (Tuple((F, color)), shape))))
    return shape, color, found


def made(g: Generator, type: Sum, s: Scope, depth: int) -> str:
    """A constructor; what it holds is made one step less deep."""
    name, items = g.rng.choice(type.cases)
    held = "".join(f" {g.expr(t, s, depth - 1)}" for t in items)
    return f"(#{name}{held} : {type.name})"


def leaf(g: Generator, type: Sum, s: Scope) -> str:
    name, items = type.cases[0]
    held = "".join(f" {g.leaf(t, s)}" for t in items)
    return f"(#{name}{held} : {type.name})"


def matched(g: Generator, type: Type, s: Scope, depth: int) -> str:
    """A `match` that gives a value of this type: every constructor has a case, or the last case takes the rest."""
    d = depth - 1
    if not g.sums or g.chance(20):
        return numbers(g, type, s, d)
    sum_ = g.rng.choice(g.sums)
    cases = []
    some = list(sum_.cases)
    g.rng.shuffle(some)
    if g.chance(30):
        some = some[:-1]
    for name, items in some:
        patterns, bound, exact = parts(g, items)
        if not exact:  # a pattern that looks into what is held: another case takes what is left
            cases.append(f"case #{name}{patterns} -> {g.expr(type, s.inner(*bound), d)}")
            patterns, bound, _ = parts(g, items, plain=True)
        cases.append(f"case #{name}{patterns} -> {g.expr(type, s.inner(*bound), d)}")
    if len(some) < len(sum_.cases):
        rest = g.fresh("rest")
        cases.append(f"case {rest} -> {g.expr(type, s.inner((rest, sum_)), d)}")
    return f"(match {g.expr(sum_, s, d)} {' '.join(cases)})"


def parts(g: Generator, items: tuple[Type, ...], plain: bool = False) -> tuple[str, list[tuple[str, Type]], bool]:
    """Patterns for what a constructor holds, what they bind, and whether they fit all of it."""
    text, bound, exact = "", [], True
    for t in items:
        name = g.fresh("p")
        if g.chance(20):
            text += " _"
        elif not plain and t == I64 and g.chance(40):
            text, exact = f"{text} {g.rng.choice(('0', '1', '(-2)'))}", False
        elif not plain and t == BOOL and g.chance(40):
            text, exact = f"{text} {g.rng.choice(('true', 'false'))}", False
        elif isinstance(t, Tuple):
            names = [g.fresh("q") for _ in t.items]
            text += f" ({', '.join(names)})"
            bound += list(zip(names, t.items, strict=True))
        else:
            text += f" {name}"
            bound.append((name, t))
    return text, bound, exact


def numbers(g: Generator, type: Type, s: Scope, d: int) -> str:
    """A `match` of numbers and bools."""
    n = g.fresh("n")
    cases = [
        f"case (0, true) -> {g.expr(type, s, d)}",
        f"case (-1, _) -> {g.expr(type, s, d)}",
        f"case ({n}, false) -> {g.expr(type, s.inner((n, I64)), d)}",
        f"case ({n}, _) -> {g.expr(type, s.inner((n, I64)), d)}",
    ]
    return f"(match ({g.expr(I64, s, d)} % 4 - 1, {g.expr(BOOL, s, d)}) {' '.join(cases)})"


def equal(g: Generator, s: Scope, d: int) -> str:
    """Whole values without floats, which two ways of rounding tell apart alike."""
    n = g.size(s)
    exact: list[Type] = [Array(n, I64), Tuple((I64, Array(n, BOOL))), *(t for t in g.sums if t.name == "color")]
    t = g.rng.choice(exact)
    return f"({g.expr(t, s, d)} {g.rng.choice(('==', '!='))} {g.expr(t, s, d)})"
