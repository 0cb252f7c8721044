"""How generated programs make numbers, whole numbers and truth values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dad.tests.programs import folds, library, sums, transforms
from dad.tests.programs.kinds import BOOL, I32, I64, Array, Dim, Scalar

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope

UNARY = (
    "sin {}", "cos {}", "tanh {}", "atan {}", "erf {}", "sigmoid {}", "softplus {}", "asinh {}", "-{}",
    "log1p (sigmoid {})", "sqrt (0.5 + {} ** 2)", "1 / (1.5 + sin {})", "exp (tanh {})", "log (1.25 + cos {})",
    "expm1 (sin {})", "lgamma (1.5 + sin {})", "digamma (2.5 + sin {})", "cbrt (1.5 + cos {})", "cosh (sin {})",
    "acosh (1.5 + sigmoid {})", "atanh (0.9 * sin {})", "asin (0.9 * sin {})", "tan (0.7 * tanh {})",
    "exp2 (sin {})", "rsqrt (1.5 + cos {})", "abs ({} + 0.0719)", "erfc {}", "sinpi {}",
)  # fmt: skip
ODD = ("0.1713", "0.3119", "(-0.2371)", "0.0719")
"""Numbers that nothing is equal to."""


def number(g: Generator, s: Scope, depth: int) -> str:
    F, d = g.F, depth - 1
    n = g.size(s)
    match g.rng.randrange(48):
        case 0 | 1 | 2:
            return f"({g.rng.choice(UNARY).format(g.expr(F, s, d))})"
        case 3 | 4:
            return f"({g.expr(F, s, d)} {g.rng.choice('+-*')} {g.expr(F, s, d)})"
        case 5:
            return f"({g.expr(F, s, d)} / (1.5 + {g.expr(F, s, d)} ** 2))"
        case 6:
            return f"({g.rng.choice(('max', 'min'))} {g.expr(F, s, d)} ({g.expr(F, s, d)} + 0.1371))"
        case 7:
            return f"(sum {g.expr(Array(n, F), s, d)})"
        case 8:
            return f"(product (map tanh {g.expr(Array(n, F), s, d)}))"
        case 9 if n.least > 0:
            return f"({g.rng.choice(('maximum', 'minimum'))} {g.expr(Array(n, F), s, d)})"
        case 10 | 11 | 12 | 13:
            return folds.number(g, s, d)
        case 14:
            return f"({F} {g.expr(I64, s, d)} / 7)"
        case 15:
            x, y = g.expr(Array(n, F), s, d), g.expr(Array(n, F), s, d)
            return g.rng.choice(
                (
                    f"(dot {x} {y})", f"(logsumexp (concat [0.3] {x}))", f"(variance (concat {y} [0.5, 1.0]))",
                    f"(norm (concat {x} [0.7]))", f"(dot (softmax {x}) {y})", f"(mean (concat {x} [0.2]))",
                )
            )  # fmt: skip
        case 16 | 17 | 18 if g.nesting < g.derivatives:
            return transforms.number(g, s, d)
        case 19 if g.nesting < g.derivatives and g.stops:
            return f"(stop_grad {g.expr(F, s, d)})"
        case 20:
            x = g.fresh("x")
            return f"({g.expr(F, s, d)} |> (\\{x} -> {g.expr(F, s.inner((x, F)), d)}) |> (+ 0.25))"
        case 21:
            return f"(sum (map sum {g.expr(Array(g.size(s), Array(n, F)), s, d)}))"
        case 22 | 23 if g.helpers:
            return called(g, s, d) or g.expr(F, s, d)
        case 24:
            return f"(fst ({g.expr(F, s, d)}, {g.expr(I64, s, 0)}))"
        case 25:
            i = g.fresh("i")
            return f"(sum [{g.expr(F, s.counting(i, n), d)} for {i} < {n}])"
        case 26:
            a, x = g.fresh("a"), g.fresh("x")
            body = g.expr(F, s.inner((a, F), (x, F)), d)
            fold = g.rng.choice((f"foldl (\\{a} {x} -> sin {a} + {body})", f"foldr (\\{x} {a} -> {a} * 0.5 + {body})"))
            return f"({fold} {g.expr(F, s, d)} {g.expr(Array(n, F), s, d)})"
        case 27:
            f = g.rng.choice(("hypot", "atan2"))
            return f"({f} {g.expr(F, s, d)} (1.75 + sin {g.expr(F, s, d)}))"
        case 28:
            power = g.rng.choice(("3", "0.5", "(-2)", f"(tanh {g.expr(F, s, d)})"))
            return f"((1.5 + sin {g.expr(F, s, d)}) ** {power})"
        case 29 | 30:
            return of_unknown_size(g, n, s, d)
        case 31:
            return ordered(g, n, s, d)
        case 32:
            return sliced(g, s, d)
        case 33:
            return linear_algebra(g, s, d)
        case 35 | 36:
            return library.guarded(g, s, d)
        case 37 | 38:
            return library.functions(g, s, d)
        case 39 | 40:
            return library.modules(g, s, d)
        case 41 | 42 if g.implicit:
            return library.implicit(g, s, d)
        case 34:
            grid = g.expr(Array(n, Array(g.size(s), F)), s, d)
            row = g.fresh("row")
            f = g.rng.choice(("product", "norm", f"(\\{row} -> logsumexp (concat [0.1] {row}))"))
            return f"(sum (map {f} {grid}))"
    return g.element_of(F, s, d) or f"(cos {g.expr(F, s, d)})"


def of_unknown_size(g: Generator, n: Dim, s: Scope, d: int) -> str:
    """A number from arrays whose sizes only the run knows."""
    F, x, k, i = g.F, g.expr(Array(n, g.F), s, d), g.fresh("k"), g.fresh("i")
    if g.chance(50):
        condition = f"{i} {g.rng.choice('<>')} {g.rng.choice(ODD)}"
        kept = f"(filter (\\{i} -> {condition}) {x})"
    else:
        kept = f"(map (.0) (filter (\\({i}, {k}) -> {k} % 2 == 0) (zip {x} {g.expr(Array(n, I64), s, 0)})))"
    body = g.expr(F, s.inner((i, F)), d)
    match g.rng.randrange(7):
        case 0:
            return f"(sum (loop ys = {kept} for _k < 2 do ys ++ [1.5]))"
        case 1:
            ys = g.fresh("ys")
            return f"(let {ys} = {kept} in sum (map2 (*) {ys} (reverse {ys})))"
        case 2:
            a, b = g.fresh("a"), g.fresh("b")
            parts = f"let ({a}, {b}) = partition (\\{i} -> {i} > {g.rng.choice(ODD)}) {x}"
            return f"({parts} in sum (map sin {a}) - product (map cos {b}))"
        case 3:
            # A list that grows in a loop, by what is found on the way.
            ys, y = g.fresh("ys"), g.fresh("y")
            more = f"if {y} > {g.rng.choice(ODD)} then {ys} ++ [{y} * {y}] else {ys}"
            return f"(product (map cos (loop {ys} = [] for {y} in {x} do {more})))"
        case 4:
            y, j = g.fresh("y"), g.fresh("j")
            many = f"(replicate ({j} % 3) (sin {y}), {y})"
            there = g.expr(Array(n, I64), s, 0)
            return f"(sum (flatmap (\\({y}, {j}) -> {many}) (zip {x} {there})).3)"
    return f"(sum (map (\\{i} -> {body}) {kept}))"


def ordered(g: Generator, n: Dim, s: Scope, d: int) -> str:
    xs, ys, o, i = g.expr(Array(n, g.F), s, d), g.expr(Array(n, g.F), s, d), g.fresh("o"), g.fresh("i")
    match g.rng.randrange(3):
        case 0:
            return f"(let {o} = argsort {xs} in sum [{ys}[{o}[{i}]] * {g.F} {i} for {i} < {n}])"
        case 1:
            return f"(sum (map2 (*) {xs} (sort.merge_sort (<=) {ys})))"
    return f"(sum (map2 (*) {xs} (sort.sort {ys})))"


def sliced(g: Generator, s: Scope, d: int) -> str:
    """A number from a slice whose bounds only the run knows, forwards or backwards, in steps."""
    found = [(n, t) for n, t in g.found(s, lambda t: isinstance(t, Array)) if isinstance(t, Array) and t.size.terms]
    vectors = [(n, t) for n, t in found if t.element == g.F]
    if not vectors:
        return g.expr(g.F, s, d)
    name, t = g.rng.choice(vectors)
    size = t.size
    a = f"(min {g.rng.choice('012')} ({size}))"
    match g.rng.randrange(5):
        case 0:
            part = f"{name}[{a}:]"
        case 1:
            part = f"{name}[{a}::2]"
        case 2:
            part = f"{name}[::-2]"
        case 3:
            part = f"{name}[:({size}) - {a}]"
        case _:
            part = f"{name}[::{g.rng.choice(('-1', '3'))}]"
    x = g.fresh("x")
    return f"(sum (map (\\{x} -> {g.expr(g.F, s.inner((x, g.F)), d)}) {part}))"


def linear_algebra(g: Generator, s: Scope, d: int) -> str:
    """A number from a small matrix that is far from singular."""
    n = g.rng.choice((Dim(2), Dim(3), g.size(s)))
    i, j, m = g.fresh("i"), g.fresh("j"), g.fresh("m")
    entry = g.expr(g.F, s.counting(i, n).counting(j, n), d)
    matrix = f"[(if {i} == {j} then 4 + 0.3 * {g.F} {i} else 0) + tanh {entry} for {i} < {n}, {j} < {n}]"
    vector = g.expr(Array(n, g.F), s, d)
    spd = f"(matmul {m} (transpose {m}))"
    what = g.rng.choice(
        (
            f"logdet {m}", f"dot {vector} (solve {m} {vector})", f"sum (map sum (inverse {m}))",
            f"sum (map sum (cholesky {spd}))", f"logdet {spd}", f"det (map (map (* 0.2)) {m})",
            f"sum (solve_lower (cholesky {spd}) {vector})", f"sum (map (** 3) (linalg.eigenvalues {spd})) / 1000",
            f"sum (matvec (linalg.qr {m}).0 {vector})", f"sum (map log (abs (linalg.diagonal (linalg.lu {m}).1)))",
            f"sum (map (** 1.5) (linalg.singular_values {m}))", f"(linalg.slogdet {m}).1",
            f"dot (matvec (inverse (map (map (+ 0.1)) {spd})) {vector}) {vector}",
        )
    )  # fmt: skip
    return f"(let {m} = {matrix} in {what})"


def called(g: Generator, s: Scope, d: int) -> str | None:
    """A call of one of the program's own definitions that makes a float."""
    x, n, F = g.fresh("x"), g.size(s), g.F
    match g.rng.choice(g.helpers or [""]):
        case "lerp":
            return f"(lerp {g.expr(F, s, d)} {g.expr(F, s, d)} {g.expr(F, s, d)})"
        case "square":
            return f"(square (sin {g.expr(F, s, d)}) + {F} (square {g.expr(I64, s, 0)} % 5))"
        case "twice":
            return f"(twice (\\{x} -> sin {g.expr(F, s.inner((x, F)), d)}) {g.expr(F, s, d)})"
        case "local_number":
            return f"(local_number {g.expr(F, s, d)} {g.expr(Array(n, F), s, d)} {g.expr(I64, s, d)})"
        case "fold_with":
            body = g.expr(F, s.inner((x, F)), d)
            return f"(fold_with (\\a {x} -> tanh a + {body}) 0.5 {g.expr(Array(n, F), s, d)})"
        case "newton":
            return f"(newton (\\{x} -> {x} * {x} - 1.5 - sin {g.expr(F, s.inner((x, F)), d)} / 4) 1.2)"
        case "tree":
            a, b = g.fresh("a"), g.fresh("b")
            op = g.expr(F, s.inner((a, F), (b, F)), d)
            return f"(tree (\\{a} {b} -> sin {a} + 0.5 * tanh {op} * {b}) 0.3 {g.expr(Array(n, F), s, d)})"
    return None


# ---------------------------------------------------------------- whole numbers and truth


def integer(g: Generator, type: Scalar, s: Scope, depth: int) -> str:
    d, n = depth - 1, g.size(s)
    if type == I32:
        return f"(i32 {g.expr(I64, s, d)})"
    match g.rng.randrange(13):
        case 0 | 1:
            op = g.rng.choice(("+", "-", "*", "&", "|", "^"))
            return f"({g.expr(I64, s, d)} {op} {g.expr(I64, s, 0)} % 1009)"
        case 2:
            op, by = g.rng.choice(("/", "%", "//", "%%")), g.rng.choice(("3", "(-2)", "(1 + abs 4)"))
            return f"({g.expr(I64, s, d)} {op} {by})"
        case 3:
            return f"({g.rng.choice(('max', 'min'))} {g.expr(I64, s, d)} {g.expr(I64, s, d)})"
        case 4:
            return f"(length {g.expr(Array(n, g.F), s, d)})"
        case 5:
            return f"(sum {g.expr(Array(n, I64), s, d)})"
        case 6:
            return f"(count (\\b -> b) {g.expr(Array(n, BOOL), s, d)})"
        case 7 if n.least > 0:
            x = g.fresh("i")
            return f"({g.rng.choice(('argmax', 'argmin'))} [sin (1.7 * {g.F} {x}) for {x} < {n}])"
        case 8:
            return f"(i64 (floor (3.1 * tanh (0.37 + {g.expr(g.F, s, d)}))))"
        case 9:
            return f"(abs {g.expr(I64, s, d)})"
        case 10:
            return f"(reduce max (-5) {g.expr(Array(n, I64), s, d)})"
        case 11:
            return f"(i64 (i32 {g.expr(I64, s, d)}))"
    return f"(if {g.expr(BOOL, s, d)} then 1 else 2)"


def truth(g: Generator, s: Scope, depth: int) -> str:
    d, n = depth - 1, g.size(s)
    match g.rng.randrange(9):
        case 0 | 1 | 2:
            op = g.rng.choice(("<", ">", "<=", ">="))
            return f"({g.expr(g.F, s, d)} {op} {g.expr(g.F, s, 0)} + {g.rng.choice(ODD)})"
        case 3:
            return f"({g.expr(I64, s, d)} {g.rng.choice(('<', '==', '!=', '>='))} {g.expr(I64, s, d)})"
        case 4:
            return f"({g.expr(BOOL, s, d)} {g.rng.choice(('&&', '||'))} {g.expr(BOOL, s, d)})"
        case 5:
            return f"(!{g.expr(BOOL, s, d)})"
        case 6:
            return f"({g.rng.choice(('all', 'any'))} (> 1) {g.expr(Array(n, I64), s, d)})"
        case 7:
            return sums.equal(g, s, d)
    return f"({g.expr(I64, s, d)} % 2 == 0)"

