"""Associative operators for `reduce`, `scan` and histograms in generated programs, with their neutral elements.

Each works on values of one type, made from a number `x` that is at hand; a fold of any length stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dad.tests.programs.kinds import BOOL, I64, Array, Dim, Scalar, Tuple, Type

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope


@dataclass(frozen=True)
class Operator:
    """`type`: of the values, given the type of floats. `of`: a value, made from a number `{x}`. `{c}` is any number."""

    text: str
    neutral: str
    of: str
    type: Callable[[Scalar], Type]
    commutative: bool = False


def numbers(count: int) -> Callable[[Scalar], Type]:
    return lambda F: F if count == 1 else Tuple((F,) * count)


def square(F: Scalar) -> Type:
    return Array(Dim(2), Array(Dim(2), F))


ONE = numbers(1)
OPERATORS: tuple[Operator, ...] = (
    Operator("(+)", "0", "{x}", ONE, True),
    Operator("(*)", "1", "(sin {x})", ONE, True),
    Operator("(*)", "1", "(if {x} > 0.3119 then {x} else 0)", ONE, True),
    Operator("max", "(-9)", "{x}", ONE, True),
    Operator("min", "9", "{x}", ONE, True),
    Operator("(\\a b -> a + b - a * b)", "0", "(tanh {x})", ONE, True),
    Operator("(\\a b -> a + b + 0.7 * a * b)", "0", "(0.5 * sin {x})", ONE, True),
    Operator("(\\a b -> a + b + tanh {c} * a * b)", "0", "(0.5 * sin {x})", ONE, True),
    Operator("(\\a b -> (a + b) / (1 + a * b))", "0", "(0.8 * tanh {x})", ONE, True),
    Operator("(\\a b -> hypot a b)", "0", "(1.5 + sin {x})", ONE, True),
    Operator("(\\a b -> log (exp a + exp b))", "(-40)", "(sin {x})", ONE, True),
    # affine functions, one after the other
    Operator("(\\(a, b) (c, d) -> (a * c, b * c + d))", "(1, 0)", "(tanh {x}, sin {x})", numbers(2)),
    # complex numbers
    Operator("(\\(a, b) (c, d) -> (a * c - b * d, a * d + b * c))", "(1, 0)", "(cos {x}, 0.4 * {x})", numbers(2), True),
    # values and slopes
    Operator("(\\(a, b) (c, d) -> (a * c, a * d + b * c))", "(1, 0)", "(sin {x}, {x})", numbers(2), True),
    # shifted and cut off: x -> max (a + x) b
    Operator("(\\(a, b) (c, d) -> (a + c, max (b + c) d))", "(0, -9)", "(0.1 * {x}, sin {x})", numbers(2)),
    # log-sum-exp by the greatest so far
    Operator(
        "(\\(m, s) (n, t) -> let k = max m n in (k, s * exp (m - k) + t * exp (n - k)))",
        "(-9, 0)", "({x}, 1.5 + sin {x})", numbers(2), True,
    ),
    # counts, means and sums of squares
    Operator(
        "(\\(n, m, s) (k, p, t) -> if n == 0 then (k, p, t) else if k == 0 then (n, m, s) else "
        "let d = p - m in (n + k, m + d * (k / (n + k)), s + t + d * d * (n * k / (n + k))))",
        "(0, 0, 0)", "(1, sin {x}, 0)", numbers(3), True,
    ),
    # triangular matrices
    Operator(
        "(\\(a, b, c) (d, e, f) -> (a * d, a * e + b * f, c * f))", "(1, 0, 1)", "(cos {x}, {x}, 0.9)", numbers(3)
    ),
    # matrices
    Operator(
        "(\\(a, b, c, d) (e, f, g, h) -> (a*e + b*g, a*f + b*h, c*e + d*g, c*f + d*h))",
        "(1, 0, 0, 1)", "(cos {x}, sin {x}, 0.3, 0.5 * {x})", numbers(4),
    ),
    Operator("matmul", "[[1, 0], [0, 1]]", "[[cos {x}, 0.2], [0.4 * {x}, sin {x}]]", square),
    # quaternions
    Operator(
        "(\\(a, b, c, d) (e, f, g, h) -> (a*e - b*f - c*g - d*h, a*f + b*e + c*h - d*g, a*g - b*h + c*e + d*f, "
        "a*h + b*g - c*f + d*e))",
        "(1, 0, 0, 0)", "(cos {x}, sin {x}, 0.2, 0.3 * {x})", numbers(4),
    ),
    # the greatest and where it stands
    Operator(
        "(\\(a, i) (b, j) -> if a >= b then (a, i) else (b, j))", "(-9, -1)", "({x}, i64 (7 * {x}))",
        lambda F: Tuple((F, I64)),
    ),
    # sums of segments
    Operator(
        "(\\(x, f) (y, g) -> (if g then y else x + y, f || g))", "(0, false)", "(sin {x}, {x} > 0.3119)",
        lambda F: Tuple((F, BOOL)),
    ),
    # rows of a matrix
    Operator("(map2 (+))", "[0, 0]", "[{x}, sin {x}]", lambda F: Array(Dim(2), F), True),
    Operator("(map2 (*))", "[1, 1]", "[cos {x}, {x}]", lambda F: Array(Dim(2), F), True),
)  # fmt: skip


def written(g: Generator, op: Operator, s: Scope) -> tuple[str, str]:
    """The operator's text, and the function from numbers to its values."""
    x = g.fresh("x")
    return op.text.replace("{c}", g.named(s, g.F) or "0.6"), f"(\\{x} -> {op.of.replace('{x}', x)})"


def supported(g: Generator, type: Type) -> bool:
    return any(o.type(g.F) == type for o in OPERATORS)


def folded(g: Generator, type: Type, s: Scope, d: int) -> str:
    """`reduce` to one value of this type."""
    op = g.rng.choice([o for o in OPERATORS if o.type(g.F) == type])
    text, of = written(g, op, s)
    name = "reduce_comm" if op.commutative and g.chance(40) else "reduce"
    return f"({name} {text} {op.neutral} (map {of} {g.expr(Array(g.size(s), g.F), s, d)}))"


def scanned(g: Generator, n: Dim, type: Type, s: Scope, d: int) -> str:
    op = g.rng.choice([o for o in OPERATORS if o.type(g.F) == type])
    text, of = written(g, op, s)
    name = "scan" if g.chance(85) else "scan_exclusive"
    return f"({name} {text} {op.neutral} (map {of} {g.expr(Array(n, g.F), s, d)}))"


def histogram(g: Generator, n: Dim, type: Type, s: Scope, d: int) -> str:
    """`reduce_by_index` into an array of this size, or `hist`; some indices lie outside."""
    commutative = [o for o in OPERATORS if o.type(g.F) == type and o.commutative]
    if not commutative:
        return scanned(g, n, type, s, d)
    op = g.rng.choice(commutative)
    text, of = written(g, op, s)
    m = g.size(s)
    places, values = g.expr(Array(m, I64), s, d), f"(map {of} {g.expr(Array(m, g.F), s, d)})"
    if g.chance(40):
        return f"(hist {text} {op.neutral} ({n}) {places} {values})"
    return f"(reduce_by_index (map {of} {g.expr(Array(n, g.F), s, d)}) {text} {op.neutral} {places} {values})"


def as_number(g: Generator, type: Type, text: str) -> str:
    """One number of a value that a fold gave."""
    match type:
        case Tuple(items):
            floats = [k for k, t in enumerate(items) if t == g.F]
            return f"({text}.{g.rng.choice(floats)})"
        case Array(_, Array()):
            return f"({text}[{g.rng.randrange(2)}, {g.rng.randrange(2)}])"
        case Array():
            return f"({text}[{g.rng.randrange(2)}])"
    return text


def number(g: Generator, s: Scope, d: int) -> str:
    """A number from a fold with any operator."""
    type = g.rng.choice(OPERATORS).type(g.F)
    x = g.fresh("x")
    if g.chance(35):
        n = g.size(s)
        scan = histogram(g, n, type, s, d) if g.chance(40) else scanned(g, n, type, s, d)
        return f"(sum (map (\\{x} -> {as_number(g, type, x)}) {scan}))"
    return as_number(g, type, folded(g, type, s, d))
