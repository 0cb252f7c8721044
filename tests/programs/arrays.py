"""How generated programs make arrays of a wanted type: one way to a case, of `Generator.expr`'s making inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dad.tests.programs import control, folds, library, transforms
from dad.tests.programs.kinds import BOOL, I64, Array, Dim, Record, Scalar, Tuple, Type

if TYPE_CHECKING:
    from dad.tests.programs.generate import Generator, Scope


def array(g: Generator, type: Array, s: Scope, depth: int) -> str:
    n, element, d = type.size, type.element, depth - 1
    for _ in range(6):  # not every way makes every type
        text = one_way(g, n, element, type, s, d, g.rng.randrange(46))
        if text is not None:
            return text
    return comprehension(g, n, element, s, d)


def comprehension(g: Generator, n: Dim, element: Type, s: Scope, d: int) -> str:
    i = g.fresh("i")
    inner = s.inner((i, I64))
    inner.below[i] = n
    if isinstance(element, Array) and isinstance(element.element, Scalar) and g.chance(60):
        j = g.fresh("j")
        inner.values.append((j, I64))
        inner.below[j] = element.size
        return f"[{g.expr(element.element, inner, d)} for {i} < {n}, {j} < {element.size}]"
    return f"[{g.expr(element, inner, d)} for {i} < {n}]"


def one_way(g: Generator, n: Dim, element: Type, type: Array, s: Scope, d: int, way: int) -> str | None:
    F = g.F
    match way:
        case 0 | 1 | 2:
            return comprehension(g, n, element, s, d)
        case 3 | 4 | 5:
            source, x = g.small_type(s), g.fresh("x")
            note = f"({x}: {source})" if g.chance(50) or isinstance(source, Record | Tuple) else x
            return f"(map (\\{note} -> {g.expr(element, s.inner((x, source)), d)}) {g.expr(Array(n, source), s, d)})"
        case 6 | 7:
            x, y = g.fresh("x"), g.fresh("y")
            other = g.rng.choice((F, I64, *([type.element] if isinstance(element, Scalar) else [])))
            body = g.expr(element, s.inner((x, F), (y, other)), d)
            return f"(map2 (\\{x} {y} -> {body}) {g.expr(Array(n, F), s, d)} {g.expr(Array(n, other), s, d)})"
        case 8:
            return f"(replicate ({n}) {g.expr(element, s, d)})"
        case 9:
            return f"(reverse {g.expr(type, s, d)})"
        case 10:
            return f"(rotate {g.expr(I64, s, 0)} {g.expr(type, s, d)})"
        case 11:
            return joined(g, n, element, s, d)
        case 12:
            k = Dim(g.rng.randrange(1, 3))
            whole = g.expr(Array(n + k, element), s, d)
            return g.rng.choice((f"(take ({n}) {whole})", f"(drop {k} {whole})", f"{whole}[{k}:]", f"{whole}[:{n}]"))
        case 13:
            if g.rng.randrange(2):
                return f"{g.expr(type, s, d)}[::-1]"
            return f"(tail {g.expr(Array(n + Dim(1), element), s, d)})"
        case 14 if isinstance(element, Array):
            return f"(transpose {g.expr(Array(element.size, Array(n, element.element)), s, d)})"
        case 15 if len(n.terms) == 1 and "*" in n.terms[0][0] and n.constant == 0 and n.terms[0][1] == 1:
            rows, columns = (Dim(0, ((name, 1),)) for name in n.terms[0][0].split("*"))
            return f"(flatten {g.expr(Array(rows, Array(columns, element)), s, d)})"
        case 16 | 17 if g.readable(n, s) or n.least > 0:
            new = g.expr(element, s, d)
            return f"({g.expr(type, s, d)} with [{g.place(n, s, d)}] = {new})"
        case 18:
            m = g.size(s)
            if m.least == 0:
                m = m + Dim(1)
            x, i = g.fresh("xs"), g.fresh("i")
            bound = f"let {x} = {g.expr(Array(m, element), s, d)}"
            places = g.expr(Array(n, I64), s, d)
            return f"({bound} in map (\\{i} -> {x}[{i} % ({m})]) {places})"
        case 19:
            m = g.size(s)
            return (
                f"(scatter {g.expr(type, s, d)} {g.expr(Array(m, I64), s, d)} {g.expr(Array(m, element), s, d)})"
                if isinstance(element, Scalar)
                else None
            )
        case 20 | 21 | 34 if folds.supported(g, element):
            return folds.scanned(g, n, element, s, d)
        case 35 | 36 if folds.supported(g, element):
            return folds.histogram(g, n, element, s, d)
        case 20 | 21 if element == I64:
            return g.rng.choice(
                (f"(scan (+) 0 {g.expr(type, s, d)})", f"(scan max (-9) {g.expr(type, s, d)})", f"(iota ({n}))")
            )
        case 22 if isinstance(element, Tuple) and len(element.items) == 2:
            first, second = element.items
            return f"(zip {g.expr(Array(n, first), s, d)} {g.expr(Array(n, second), s, d)})"
        case 23:
            pair = Tuple((element, g.small_type(s)))
            return f"(unzip {g.expr(Array(n, pair), s, d)}).0"
        case 24 | 25 if element == F:
            op = g.rng.choice("+-*")
            a, b = g.expr(type, s, d), g.rng.choice((g.expr(type, s, d), g.expr(F, s, d)))
            return f"({a} {op} {b})" if g.chance(70) else f"({b} {op} {a})"
        case 26 if element == F:
            return f"({g.rng.choice(('sin', 'tanh', 'exp <| tanh', 'sqrt <| 0.5 + sin'))} {g.expr(type, s, d)})"
        case 27 | 37 if element == F and g.nesting < g.derivatives:
            return transforms.array(g, n, s, d)
        case 28 if element == F:
            return f"(map (.0) {g.expr(Array(n, Tuple((F, I64))), s, d)})"
        case 28 if element == F and g.records:
            return f"(map (.y) {g.expr(Array(n, g.records[0]), s, d)})"
        case 29:
            x = g.fresh("x")
            source = g.rng.choice((F, I64))
            body = g.expr(element, s.inner((x, source)), d)
            return f"({g.expr(Array(n, source), s, d)} |> map (\\{x} -> {body}))"
        case 30:
            i = g.fresh("i")
            inner = s.inner((i, I64))
            inner.below[i] = n
            return f"(tabulate ({n}) (\\{i} -> {g.expr(element, inner, d)}))"
        case 31 | 32 if g.helpers:
            return called(g, n, element, type, s, d)
        case 33 if element == F:
            op = g.rng.choice(("(+ 1)", "(* 0.5)", "(0.3 -)", "(max 0.1371)", "(hypot 0.5)"))
            return f"(map {op} {g.expr(type, s, d)})"
        case 38 if element == F:
            return f"(map sum {g.expr(Array(n, Array(g.size(s), F)), s, d)})"
        case 38 if isinstance(element, Array) and element.element == F:
            return outer(g, n, element.size, s, d)
        case 39 if element == F:
            return f"(sort.sort {g.expr(type, s, d)})"
        case 39 if isinstance(element, Array) and element.element == F:
            k = g.size(s)
            left, right = g.expr(Array(n, Array(k, F)), s, d), g.expr(Array(k, element), s, d)
            return f"(map (map tanh) (matmul {left} {right}))"
        case 40 if element == F:
            k = g.size(s)
            return f"(matvec {g.expr(Array(n, Array(k, F)), s, d)} {g.expr(Array(k, F), s, d)})"
        case 40 if isinstance(element, Array) and isinstance(element.element, Array):
            turned = Array(element.element.size, Array(element.size, element.element.element))
            return f"(map transpose {g.expr(Array(n, turned), s, d)})"
        case 42 | 43 if element == F:
            return library.rows(g, n, s, d)
        case 44 if isinstance(element, Array) and isinstance(element.element, Scalar):
            m = g.size(s)
            return f"(scatter {g.expr(type, s, d)} {g.expr(Array(m, I64), s, d)} {g.expr(Array(m, element), s, d)})"
        case 45 if isinstance(element, Array) and isinstance(element.element, Array):
            i, j, l = g.fresh("i"), g.fresh("j"), g.fresh("l")
            deep = s.counting(i, n).counting(j, element.size).counting(l, element.element.size)
            sizes = f"{i} < {n}, {j} < {element.size}, {l} < {element.element.size}"
            return f"[{g.expr(element.element.element, deep, d)} for {sizes}]"
        case 41 if n.least > 0:
            part = Dim(g.rng.randrange(1, n.least + 1))
            return f"({g.expr(type, s, d)} with [:{part}] = {g.expr(Array(part, element), s, d)})"
        case 33 if element == I64:
            return f"(map {g.rng.choice(('(+ 1)', '(% 5)', 'abs', '(max 1)'))} {g.expr(type, s, d)})"
        case 33 if element == BOOL:
            return f"(map (> 1) {g.expr(Array(n, I64), s, d)})"
    return None


def joined(g: Generator, n: Dim, element: Type, s: Scope, d: int) -> str | None:
    """`concat` of two arrays whose sizes add up to `n`."""
    if len(n.terms) == 2 and n.constant == 0:
        a, b = (Dim(0, (term,)) for term in n.terms)
    elif n.constant:
        a, b = Dim(0, n.terms), Dim(n.constant)
        if not n.terms:
            a, b = Dim(1), Dim(n.constant - 1)
    else:
        return None
    if g.rng.randrange(2):
        a, b = b, a
    return f"(concat {g.expr(Array(a, element), s, d)} {g.expr(Array(b, element), s, d)})"


def outer(g: Generator, n: Dim, m: Dim, s: Scope, d: int) -> str:
    """A matrix from two vectors: all products, or any function of both."""
    xs, ys = g.expr(Array(n, g.F), s, d), g.expr(Array(m, g.F), s, d)
    if g.chance(40):
        return f"(outer {xs} {ys})"
    x, y = g.fresh("x"), g.fresh("y")
    body = g.expr(g.F, s.inner((x, g.F), (y, g.F)), d)
    return f"(map (\\{x} -> map (\\{y} -> {body}) {ys}) {xs})"


def called(g: Generator, n: Dim, element: Type, type: Array, s: Scope, d: int) -> str | None:
    """A call of one of the program's own definitions that makes such an array."""
    match g.rng.choice(g.helpers):
        case "apply_all":
            x, source = g.fresh("x"), g.rng.choice((g.F, I64))
            return f"(apply_all (\\{x} -> {g.expr(element, s.inner((x, source)), d)}) {g.expr(Array(n, source), s, d)})"
        case "pairwise" if element == g.F:
            op = g.rng.choice(("(-)", "(*)", "hypot", "(\\a b -> sin a + b)"))
            return f"(pairwise {op} {g.expr(Array(n + Dim(1), element), s, d)})"
        case "states" if n.constant == 1 and element in (g.F, Tuple((g.F, g.F))):
            x = g.fresh("x")
            step = control.bounded(g, element, s.inner((x, element)), d)
            return f"(states ({Dim(0, n.terms)}) {g.expr(element, s, d)} (\\({x}: {element}) -> {step}))"
        case "local_array" if element == g.F:
            return f"(local_array {g.expr(g.F, s, d)} {g.expr(type, s, d)} {g.expr(I64, s, d)})"
    return None
