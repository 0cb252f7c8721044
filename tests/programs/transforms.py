"""Derivatives inside generated programs: every transform, by values of many types, with the rest of the scope free.

What is differentiated always depends smoothly on what it is differentiated by, since a derivative that is zero
everywhere is refused: `anchored` adds a term.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dad.tests.programs.kinds import I64, Array, Dim, Record, Tuple, Type

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope


def anchor(g: Generator, name: str, type: Type) -> str:
    """A number that depends on all floats of a value."""
    match type:
        case Array(_, element) if element == g.F:
            return g.rng.choice((f"sum (sin {name})", f"dot {name} {name}"))
        case Array(_, element):
            x = g.fresh("x")
            return f"sum (map (\\{x} -> {anchor(g, x, element)}) {name})"
        case Tuple(items):
            return " + ".join(anchor(g, f"{name}.{k}", t) for k, t in enumerate(items) if depends(g, t))
        case Record(_, fields):
            return " * ".join(f"(1 + {anchor(g, f'{name}.{f}', t)})" for f, t in fields if depends(g, t))
    return g.rng.choice((f"sin {name}", f"{name} * {name}", f"{name}"))


def depends(g: Generator, type: Type) -> bool:
    match type:
        case Array(_, element):
            return depends(g, element)
        case Tuple(items):
            return any(depends(g, t) for t in items)
        case Record(_, fields):
            return any(depends(g, t) for _, t in fields)
    return type == g.F


def number_of(g: Generator, type: Type, s: Scope, d: int) -> str:
    """A function from values of this type to a number."""
    z = g.fresh("z")
    with g.nested():
        body = g.expr(g.F, s.inner((z, type)), d)
    return f"(\\({z}: {type}) -> {anchor(g, z, type)} + {body})"


def array_of(g: Generator, type: Type, given: Type, s: Scope, d: int) -> str:
    """A function from values of this type to arrays of floats."""
    z = g.fresh("z")
    assert isinstance(given, Array)
    with g.nested():
        body = g.expr(given, s.inner((z, type)), d)
    x = g.fresh("x")
    start = anchor(g, z, type)
    return f"(\\({z}: {type}) -> let {x} = {start} in map (+ {x}) {body})"


def gradient(g: Generator, type: Type, s: Scope, d: int) -> str:
    """A value of this type, of floats alone: the gradient of a number by one."""
    f, at = number_of(g, type, s, d), g.expr(type, s, d)
    match g.rng.randrange(5):
        case 0:
            return f"(value_and_grad {f} {at}).1"
        case 1:
            return f"(vjp {f} {at} {g.expr(g.F, s, 0)})"
        case 2 if g.nesting + 1 < g.derivatives:
            return f"(jvp (grad {f}) {at} {g.expr(type, s, 0)})"
        case 3 if g.nesting + 1 < g.derivatives:
            return f"(hvp {f} {at} {g.expr(type, s, 0)})"
    return f"(grad {f} {at})"


def number(g: Generator, s: Scope, d: int) -> str:
    """A number that a derivative gives."""
    type = g.active_type(s)
    match g.rng.randrange(10):
        case 9:
            return own_rule(g, type, s, d)
        case 0 | 1:
            return f"(jvp {number_of(g, type, s, d)} {g.expr(type, s, d)} {g.expr(type, s, 0)})"
        case 2:
            found, x = gradient(g, type, s, d), g.fresh("x")
            return f"(let {x} = {found} in {anchor(g, x, type)})"
        case 3 | 4:
            return gradient(g, g.F, s, d)
        case 5:
            f, along = number_of(g, g.F, s, d), g.expr(g.F, s, 0)
            return f"(jvp2 (checkpoint {f}) {g.expr(g.F, s, d)} {along}).1"
        case 6 if g.nesting + 1 < g.derivatives:
            vector = Array(g.rng.choice((Dim(2), g.size(s))), g.F)
            return f"(laplacian {number_of(g, vector, s, d)} {g.expr(vector, s, d)})"
        case 7:
            vector = Array(g.rng.choice((Dim(2), g.size(s))), g.F)
            return f"(divergence {array_of(g, vector, vector, s, d)} {g.expr(vector, s, d)})"
        case 8 if g.nesting + 1 < g.derivatives:
            return f"(grad (grad {number_of(g, g.F, s, d)}) {g.expr(g.F, s, d)})"
    return gradient(g, g.F, s, d)


def own_rule(g: Generator, type: Type, s: Scope, d: int) -> str:
    """A number from a function with a derivative rule of its own, which says what the compiler knows."""
    f, x, dx = g.fresh("fn"), g.fresh("x"), g.fresh("d")
    mode = g.rng.choice(("jvp", "vjp"))
    known = f"let {f} = {number_of(g, type, s, d)}"
    return f"({known} in with_{mode} {f} (\\{x} {dx} -> {mode} {f} {x} {dx}) {g.expr(type, s, d)})"


def checkpointed(g: Generator, s: Scope, d: int) -> str:
    """A number from a loop of which reverse mode keeps little."""
    type, z, acc, i = g.active_type(s), g.fresh("z"), g.fresh("acc"), g.fresh("i")
    inner = s.inner((z, type), (acc, g.F), (i, I64))
    name, count = g.rng.choice(("checkpoint", "checkpoint_log")), g.rng.choice(("5", "9", "(k % 7)"))
    step = f"0.5 * {acc} + tanh {g.expr(g.F, inner, d)}"
    body = f"loop {acc} = {anchor(g, z, type)} for {i} < {count} do {step}"
    return f"({name} (\\({z}: {type}) -> {body}) {g.expr(type, s, d)})"


def own_rule_of_any(g: Generator, s: Scope, d: int) -> str:
    return own_rule(g, g.active_type(s), s, d)


def pair(g: Generator, s: Scope, d: int) -> str:
    """Two numbers: a value and a slope, or a gradient by a pair."""
    if g.chance(50):
        along = g.expr(g.F, s, 0)
        name = g.rng.choice((f"jvp2 {{}} {{}} {along}", f"vjp2 {{}} {{}} {along}", "value_and_grad {} {}"))
        return f"({name.format(number_of(g, g.F, s, d), g.expr(g.F, s, d))})"
    return gradient(g, Tuple((g.F, g.F)), s, d)


def array(g: Generator, n: Dim, s: Scope, d: int) -> str:
    """An array of floats of this size that derivatives give."""
    F, type = g.F, Array(n, g.F)
    m = g.size(s)
    other = Array(m, F)
    match g.rng.randrange(8):
        case 0:
            return f"({g.rng.choice(('vmap', 'map'))} (grad {number_of(g, F, s, d)}) {g.expr(type, s, d)})"
        case 1:
            return gradient(g, type, s, d)
        case 2:
            source = g.active_type(s)
            return f"(jvp {array_of(g, source, type, s, d)} {g.expr(source, s, d)} {g.expr(source, s, 0)})"
        case 3:
            return f"(vjp {array_of(g, type, other, s, d)} {g.expr(type, s, d)} {g.expr(other, s, 0)})"
        case 4:
            # The sums of the columns, or of the rows, of a matrix of partial derivatives.
            name = g.rng.choice(("jacobian", "jacfwd", "jacrev"))
            if g.chance(50):
                return f"(map sum ({name} {array_of(g, other, type, s, d)} {g.expr(other, s, d)}))"
            return f"(map sum (transpose ({name} {array_of(g, type, other, s, d)} {g.expr(type, s, d)})))"
        case 5 if g.nesting + 1 < g.derivatives:
            return f"(map sum (hessian {number_of(g, type, s, d)} {g.expr(type, s, d)}))"
        case 6:
            many = g.expr(Array(n, F), s, d)
            return f"(jmp {number_of(g, F, s, d)} {g.expr(F, s, d)} {many})"
        case 7:
            return f"(map sum (mjp {array_of(g, other, Array(Dim(2), F), s, d)} {g.expr(other, s, d)} " + \
                f"{g.expr(Array(n, Array(Dim(2), F)), s, d)}))"
    return gradient(g, type, s, d)
