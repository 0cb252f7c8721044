"""How generated programs use what the library has: functions of functions, modules, implicit functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dad.tests.programs.kinds import BOOL, I64, Array, Dim, Tuple

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope


def guarded(g: Generator, s: Scope, d: int) -> str:
    """A number whose slope is infinite, or that is none, where the branch is not taken."""
    x, y, F = g.fresh("x"), g.expr(g.F, s, d), g.F
    what, where = g.rng.choice(
        (
            (f"sqrt {x}", f"{x} > 0.0719"), (f"log {x}", f"{x} > 0.0719"), (f"1 / {x}", f"abs {x} > 0.3119"),
            (f"{x} ** 1.5", f"{x} > 0.1713"), (f"asin {x}", f"abs {x} < 0.7119"), (f"log1p {x}", f"{x} > -0.7371"),
            (f"{x} ** {x}", f"{x} > 0.1713"), (f"lgamma {x}", f"{x} > 0.3119"), (f"acosh {x}", f"{x} > 1.2371"),
            (f"rsqrt ({x} - 0.2)", f"{x} > 0.4719"), (f"atanh {x}", f"{x} * {x} < 0.6371"),
        )
    )  # fmt: skip
    other = g.rng.choice(("0", g.expr(F, s, d)))
    if g.chance(40):
        xs = g.expr(Array(g.size(s), F), s, d)
        return f"(sum (map (\\{x} -> if {where} then {what} else {other}) {xs}))"
    return f"(let {x} = {y} in if {where} then {what} else {other})"


def implicit(g: Generator, s: Scope, d: int) -> str:
    """The solution of an equation, or a minimum, by the value of what it depends on."""
    x, y, F = g.fresh("x"), g.fresh("y"), g.F
    g.implicit = False  # one in the other would take thousands of steps
    e = g.expr(F, s, d)
    g.implicit = True
    match g.rng.randrange(6):
        case 0 | 1:
            return f"(fixpoint (\\{x} -> 0.3 * sin ({x} + {e})) {g.expr(F, s, 0)})"
        case 2:
            other = g.expr(F, s, 0)
            return f"(fixpoint (\\({x}, {y}) -> (0.3 * sin ({y} + {e}), 0.2 * cos ({x} - {other}))) (0.1, 0.2)).0"
        case 3:
            n = g.size(s)
            xs = g.expr(Array(n, F), s, 0)
            start = g.expr(Array(n, F), s, 0)
            return f"(sum (fixpoint (\\{x} -> map2 (\\a b -> 0.3 * sin (a + b)) {x} {xs}) {start}))"
        case 4:
            return f"(root (\\{x} -> {x} + 0.5 * sin ({x} + {e}) - 0.3) 0.1)"
    return f"(minimiser (\\{x} -> {x} * {x} + 0.3 * cos ({x} + {e})) 0.2)"


def functions(g: Generator, s: Scope, d: int) -> str:
    """A number from functions that are made, put together, kept in records, given back."""
    F, f, x, y = g.F, g.fresh("fn"), g.fresh("x"), g.fresh("y")
    body, at = g.expr(F, s.inner((x, F)), d), g.expr(F, s, d)
    match g.rng.randrange(6):
        case 0:
            return f"(iterate {g.rng.choice(('2', '3', '(k % 3)'))} (\\{x} -> tanh {body}) {at})"
        case 1:
            return f"(((\\{x} -> {body}) >-> sin >-> (* 1.5)) {at})"
        case 2:
            return f"(let {f} = {{of = (\\{x} -> {body}), at = {at}}} in {f}.of {f}.at)"
        case 3:
            inner = g.expr(F, s.inner((x, F), (y, F)), d)
            return f"(let {f} ({x}: {F}) = (\\{y} -> {inner}) in {f} {at} ({f} 0.3 {g.expr(F, s, 0)}))"
        case 4:
            return f"(iterate_while (\\{y} -> {y} > 0.3119) (\\{x} -> 0.5 * {x} - 0.1 * tanh {body}) {at})"
    return f"(uncurry (\\{x} {y} -> {body} * {y}) ({at}, {g.expr(F, s, d)}))"


def modules(g: Generator, s: Scope, d: int) -> str:
    """A number from the library's modules."""
    F, n = g.F, g.size(s)
    xs, a, b, c = g.expr(Array(n, F), s, d), g.fresh("a"), g.fresh("b"), g.fresh("c")
    match g.rng.randrange(8):
        case 0:
            flags = g.expr(Array(n, BOOL), s, d)
            name = g.rng.choice(("segmented_scan", "segmented_reduce"))
            op = g.rng.choice(("(+) 0", "(*) 1", "max (-9)", "(\\a b -> a + b - a * b) 0"))
            return f"(sum (segmented.{name} {op} {flags} (map sin {xs})))"
        case 1:
            body = g.expr(F, s.inner((a, F), (b, F), (c, F)), d)
            return f"(sum (stencil.stencil_1d (\\{a} {b} {c} -> sin {a} * {c} + {body}) 0.3 {xs}))"
        case 2:
            long = g.expr(Array(n + Dim(1), F), s, d)
            return f"(sum (map product (stencil.windows 2 {long})))"
        case 3:
            kernel, long = g.expr(Array(Dim(2), F), s, d), g.expr(Array(n + Dim(1), F), s, d)
            return f"(sum (map sin (stencil.convolve {kernel} {long})))"
        case 4:
            grid = g.expr(Array(n, Array(g.size(s), F)), s, d)
            five = " ".join(g.fresh("q") for _ in range(5))
            q = five.split()
            mixed = f"{q[0]} * {q[1]} + sin {q[2]} - {q[3]} * {q[4]}"
            return f"(sum (map sum (stencil.stencil_2d (\\{five} -> {mixed}) 0.2 {grid})))"
        case 5:
            counts = g.expr(Array(n, I64), s, d)
            get = f"(\\({a}, _) {b} -> {a} * {F} {b} + sin {a})"
            return f"(sum (segmented.expand_reduce (\\(_, {c}) -> {c} % 3) {get} (+) 0 (zip {xs} {counts})))"
        case 6 if F.name == "f64":
            draws = f"(random.{g.rng.choice(('normals', 'uniforms'))} ({n}) (random.seed {g.rng.randrange(9)})).1"
            return f"(dot {xs} {draws})"
    tall = g.expr(Array(Dim(3), Array(Dim(2), F)), s, d)
    right = g.expr(Array(Dim(3), F), s, d)
    name = g.fresh("m")
    return f"(let {name} = map2 (\\{a} {b} -> map (* 0.3) {a} with [{b}] = 2) {tall} [0, 1, 0] in " + \
        f"sum (linalg.lstsq {name} {right}))"


def rows(g: Generator, n: Dim, s: Scope, d: int) -> str:
    """An array of numbers by way of tuples, parts, or places in a matrix."""
    F, a, b = g.F, g.fresh("a"), g.fresh("b")
    xs = g.expr(Array(n, F), s, d)
    match g.rng.randrange(5):
        case 0:
            ys, zs, c = g.expr(Array(n, F), s, d), g.expr(Array(n, I64), s, d), g.fresh("c")
            body = g.expr(F, s.inner((a, F), (b, F), (c, I64)), d)
            return f"(map3 (\\{a} {b} {c} -> {body}) {xs} {ys} {zs})"
        case 1:
            x = g.fresh("x")
            cut = f"partition (\\{x} -> {x} > 0.1713) {xs}"
            return f"(let ({a}, {b}) = {cut} in concat (map sin {a}) (reverse {b}) :> [{n}]{F})"
        case 2:
            places = g.expr(Array(n, I64), s, d)
            many = f"(map (\\{a} -> ({a} % 2, {a} % 3)) {places})"
            grid = g.expr(Array(Dim(2), Array(Dim(2), F)), s, d)
            op = g.rng.choice(("(+) 0", "(*) 1", "max (-9)"))
            return f"(map (\\{b} -> {b} * sum (map sum (reduce_by_index_2d {grid} {op} {many} {xs}))) {xs})"
        case 3:
            pairs = g.expr(Array(n, Tuple((F, F))), s, d)
            return f"(map (uncurry (\\{a} {b} -> {a} * sin {b})) {pairs})"
    m = g.size(s)
    whole = g.expr(Array(n, Array(m, F)), s, d)
    flags = g.expr(Array(n, Array(m, F)), s, 0)
    return f"(map2 (\\{a} {b} -> dot {a} {b}) {whole} (map (map cos) {flags}))"
