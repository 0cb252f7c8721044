"""Random IR programs that verify and run: what passes are tried on.

`program(seed)` gives a program whose function `main` takes ([]f64 of size n, [][]f64 of size n by m, []i64, f64, i64),
and `arguments(seed)` values for it. Programs are small and nested; most runs succeed, some end in a failed check.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh, i64
from dad.lang.core.ir import F64, I64, Atom, Const, Lambda, Type, Var

VEC = Type("f64", 1)
MAT = Type("f64", 2)
INTS = Type("i64", 1)
Sizes = tuple[Atom, ...]


class Scope:
    """Values that may be used, by type, with their sizes."""

    def __init__(self, outer: Scope | None = None) -> None:
        self.values: list[tuple[Atom, Sizes]] = list(outer.values) if outer else []

    def add(self, atom: Atom, *sizes: Atom) -> Atom:
        self.values.append((atom, sizes))
        return atom


class Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.functions: dict[str, ir.Function] = {}

    # ------------------------------------------------------------ values

    def pick(self, scope: Scope, type: Type, *sizes: Atom) -> Atom:
        found = [a for a, s in scope.values if a.type == type and s[: len(sizes)] == sizes]
        if type.rank == 0 and (not found or self.random.random() < 0.1):
            if type == F64:
                return Const(self.random.choice([0.0, 1.0, -1.0, 0.5, 2.0, -0.75]), "f64")
            return Const(self.random.choice([0, 1, 2, 3]), "i64") if type == I64 else Const(True, "bool")
        return self.random.choice(found[-8:] if self.random.random() < 0.7 else found)

    def array(self, scope: Scope) -> tuple[Atom, Sizes]:
        return self.random.choice([(a, s) for a, s in scope.values if a.type == VEC])

    # ------------------------------------------------------------ blocks

    def block(self, b: Builder, scope: Scope, steps: int, depth: int) -> None:
        for _ in range(steps):
            self.step(b, scope, depth)

    def step(self, b: Builder, scope: Scope, depth: int) -> None:
        simple = [self.scalar, self.scalar, self.integer, self.compare, self.vector, self.read, self.shape]
        nested = [self.map, self.map_iota, self.matrix, self.branch, self.repeat, self.until, self.fold, self.call]
        self.random.choice(simple + (nested if depth < 3 else []))(b, scope, depth)

    def scalar(self, b: Builder, scope: Scope, depth: int) -> None:
        x, y = self.pick(scope, F64), self.pick(scope, F64)
        name = self.random.choice(["add", "sub", "mul", "min", "max", "neg", "sin", "tanh", "abs", "select", "pow"])
        if name == "select":
            scope.add(b.select(self.pick(scope, ir.BOOL), x, y))
        elif name == "pow":
            scope.add(b.prim("tanh", b.prim("pow", x, Const(float(self.random.choice([1, 2, 3])), "f64"))))
        elif name in ("neg", "sin", "tanh", "abs"):
            scope.add(b.prim(name, x))
        elif name == "mul":
            scope.add(b.prim("tanh", b.mul(x, y)))
        else:
            scope.add(b.prim(name, x, y))

    def integer(self, b: Builder, scope: Scope, depth: int) -> None:
        x = self.pick(scope, I64)
        name = self.random.choice(["add", "sub", "mod", "min"])
        if name == "mod":
            d = b.prim("check_divisor", self.random.choice([self.sizes(scope), i64(3)]))
            scope.add(b.prim("mod", x, d))
        else:
            scope.add(b.prim(name, x, self.random.choice([i64(1), i64(2), self.pick(scope, I64)])))

    def sizes(self, scope: Scope) -> Atom:
        return self.random.choice([s for _, sizes in scope.values for s in sizes])

    def compare(self, b: Builder, scope: Scope, depth: int) -> None:
        name = self.random.choice(["lt", "le", "eq", "not", "and"])
        if name == "not":
            scope.add(b.prim("not", self.pick(scope, ir.BOOL)))
        elif name == "and":
            scope.add(b.prim("and", self.pick(scope, ir.BOOL), self.pick(scope, ir.BOOL)))
        else:
            type = self.random.choice([F64, I64])
            scope.add(b.prim(name, self.pick(scope, type), self.pick(scope, type)))

    def vector(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        k = self.index(b, scope, x, n)
        match self.random.randrange(8):
            case 0:
                scope.add(b.prim("reverse", x), n)
            case 1:
                scope.add(b.prim("replicate", n, self.pick(scope, F64)), n)
            case 2:
                scope.add(b.prim("update", x, self.pick(scope, F64), k), n)
            case 3:
                scope.add(b.prim("accumulate", b.zeros_like(x), self.pick(scope, F64), k), n)
            case 4:
                scope.add(b.prim(self.random.choice(["add", "sub", "max"]), x, self.pick(scope, VEC, n)), n)
            case 5:
                scope.add(b.prim("slice", x, i64(0), n, i64(1), axis=0), n)
            case 6:
                scope.add(b.add(b.zeros_like(x), b.mul(x, self.pick(scope, F64))), n)
            case _:
                more = b.prim("stack", self.pick(scope, F64), self.pick(scope, F64))
                scope.add(more, i64(2))

    def index(self, b: Builder, scope: Scope, x: Atom, n: Atom) -> Atom:
        i = self.pick(scope, I64)
        if self.random.random() < 0.95:
            i = b.prim("mod", i, b.prim("check_divisor", n))
        return b.prim("check_index", i, n, what="x", axis=0)

    def read(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        if self.random.random() < 0.5:
            scope.add(b.prim("index", x, self.index(b, scope, x, n)))
        else:
            scope.add(b.prim(self.random.choice(["sum", "maximum"]), x, axis=0))

    def shape(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        m = b.dim(x)
        scope.add(b.prim("check_equal", m, n, what="size") if self.random.random() < 0.5 else m)

    # ------------------------------------------------------------ nested

    def results(self, scope: Scope, count: int) -> list[Atom]:
        return [self.pick(scope, F64) for _ in range(count)]

    def map(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        arrays = [x, *(self.pick(scope, VEC, n) for _ in range(self.random.randrange(2)))]
        params = tuple(b.fresh("x", F64) for _ in arrays)
        here, inner = b.nested(), Scope(scope)
        for p in params:
            inner.add(p)
        self.block(here, inner, self.random.randrange(1, 5), depth + 1)
        out = self.results(inner, self.random.randrange(1, 3))
        for var in b.map(arrays, Lambda(params, here.block(out)), [()] * len(out)):
            scope.add(var, n)

    def map_iota(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        i = b.fresh("i", I64)
        here, inner = b.nested(), Scope(scope)
        inner.add(i)
        at: Atom = i
        if self.random.random() < 0.15:
            at = here.prim("check_index", here.add(i, i64(self.random.randrange(2))), n, what="x", axis=0)
        inner.add(here.prim("index", x, at))
        self.block(here, inner, self.random.randrange(1, 5), depth + 1)
        out = self.results(inner, 1)
        (r,) = b.map([b.prim("iota", n)], Lambda((i,), here.block(out)), [()])
        scope.add(r, n)

    def matrix(self, b: Builder, scope: Scope, depth: int) -> None:
        mats = [(a, s) for a, s in scope.values if a.type == MAT]
        x, (n, m) = self.random.choice(mats)
        if self.random.random() < 0.3:
            scope.add(b.prim("transpose", x, perm=(1, 0)), m, n)
            return
        i, j = b.fresh("i", I64), b.fresh("j", I64)
        outer, middle = b.nested(), Scope(scope)
        middle.add(i)
        inner, innermost = outer.nested(), Scope(middle)
        innermost.add(j)
        if self.random.random() < 0.5:
            innermost.add(inner.prim("index", x, i, j))
            rows, columns = n, m
        else:
            innermost.add(inner.prim("index", x, j, i))
            rows, columns = m, n
        self.block(inner, innermost, self.random.randrange(1, 4), depth + 2)
        row = outer.map(
            [outer.prim("iota", columns)], Lambda((j,), inner.block(self.results(innermost, 1))), [()]
        )[0]
        middle.add(row, columns)
        self.block(outer, middle, self.random.randrange(2), depth + 1)
        (r,) = b.map([b.prim("iota", rows)], Lambda((i,), outer.block([row])), [(columns,)])
        scope.add(r, rows, columns)

    def branch(self, b: Builder, scope: Scope, depth: int) -> None:
        _, (n,) = self.array(scope)
        arms = []
        for _ in range(2):
            here, inner = b.nested(), Scope(scope)
            self.block(here, inner, self.random.randrange(3), depth + 1)
            arms.append(here.block([self.pick(inner, F64), self.pick(inner, VEC, n)]))
        s, v = b.bind(ir.If(self.pick(scope, ir.BOOL), arms[0], arms[1]), "r")
        scope.add(s)
        scope.add(v, n)

    def body(
        self, b: Builder, scope: Scope, depth: int, n: Atom
    ) -> tuple[Builder, Scope, Var, tuple[Var, ...]]:
        index, s, t, v = b.fresh("k", I64), b.fresh("s", F64), b.fresh("t", F64), b.fresh("v", VEC)
        here, inner = b.nested(), Scope(scope)
        inner.add(index)
        inner.add(s)
        inner.add(t)
        inner.add(v, n)
        self.block(here, inner, self.random.randrange(1, 4), depth + 1)
        return here, inner, index, (s, t, v)

    def repeat(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        here, inner, index, params = self.body(b, scope, depth, n)
        count = self.random.choice([n, i64(0), i64(1), i64(3)])
        results = [self.pick(inner, F64), self.pick(inner, F64), self.pick(inner, VEC, n), self.pick(inner, F64)]
        init = (self.pick(scope, F64), self.pick(scope, F64), x)
        loop = ir.Loop(count, None, index, params, init, here.block(results), ((),))
        s, t, v, rows = b.bind(loop, "r")
        scope.add(s)
        scope.add(t)
        scope.add(v, n)
        scope.add(rows, count)

    def until(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        here, inner, index, params = self.body(b, scope, depth, n)
        steps = b.fresh("steps", I64)
        more = here.add(steps, i64(1))
        results = [self.pick(inner, F64), self.pick(inner, F64), self.pick(inner, VEC, n), more]
        init = (self.pick(scope, F64), self.pick(scope, F64), x, i64(0))
        tested = tuple(b.like(p) for p in (*params, steps))
        test = b.nested()
        below = test.prim("lt", tested[3], i64(self.random.randrange(4)))
        small = test.prim("lt", test.prim("abs", tested[0]), Const(50.0, "f64"))
        cond = Lambda(tested, test.block([test.prim("and", below, small)]))
        loop = ir.Loop(None, cond, index, (*params, steps), init, here.block(results), ())
        s, t, v, k, count = b.bind(loop, "w")
        for atom in (s, t, k, count):
            scope.add(atom)
        scope.add(v, n)

    def fold(self, b: Builder, scope: Scope, depth: int) -> None:
        x, (n,) = self.array(scope)
        acc, e = b.fresh("acc", F64), b.fresh("e", F64)
        here = b.nested()
        name, neutral = self.random.choice([("add", 0.0), ("max", float("-inf")), ("add", 2.0), ("mul", 1.0)])
        body = Lambda((acc, e), here.block([here.prim(name, acc, e)]))
        if name == "mul":
            x = b.prim("tanh", x)
        if self.random.random() < 0.5:
            (s,) = b.bind(ir.Reduce((x,), (Const(neutral, "f64"),), body), "s")
            scope.add(b.prim("tanh", s))
        else:
            (v,) = b.bind(ir.Scan((x,), (Const(neutral, "f64"),), body), "v")
            scope.add(b.prim("tanh", v), n)

    def call(self, b: Builder, scope: Scope, depth: int) -> None:
        if self.functions:
            function = self.random.choice(list(self.functions.values()))
            x, (n,) = self.array(scope)
            s, v = b.bind(ir.Call(function.name, (x, self.pick(scope, F64)), (F64, VEC)), "c")
            scope.add(s)
            scope.add(v, n)

    # ------------------------------------------------------------ programs

    def helper(self, name: str) -> None:
        b = Builder(Fresh())
        x, s = b.fresh("x", VEC), b.fresh("s", F64)
        scope = Scope()
        n = b.dim(x)
        scope.add(x, n)
        scope.add(s)
        scope.add(n)
        self.block(b, scope, 4, 3)
        body = b.block([self.pick(scope, F64), self.pick(scope, VEC, n)])
        self.functions[name] = ir.Function(name, (x, s), body)

    def program(self) -> ir.Program:
        for k in range(self.random.randrange(3)):
            self.helper(f"helper{k}")
        b = Builder(Fresh())
        params = tuple(b.fresh(n, t) for n, t in zip("xaisk", (VEC, MAT, INTS, F64, I64), strict=True))
        x, a, _, s, start = params
        n, m = b.dim(x), b.dim(a, 1)
        scope = Scope()
        scope.add(x, n)
        scope.add(a, n, m)
        for atom in (s, start, n):
            scope.add(atom)
        self.block(b, scope, self.random.randrange(4, 14), 0)
        results = [self.pick(scope, F64), self.pick(scope, VEC, n), self.pick(scope, F64), self.pick(scope, I64)]
        size = n if isinstance(n, Var) else None
        columns = m if isinstance(m, Var) else None
        dims: tuple[tuple[Atom | None, ...], ...] = ((size,), (size, columns), (None,), (), ())
        main = ir.Function("main", params, b.block(results), dims=dims)
        return ir.Program({**self.functions, "main": main})


def program(seed: int) -> ir.Program:
    return Generator(seed).program()


def arguments(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    n, m = rng.choice([0, 1, 2, 3, 4], 2, p=[0.08, 0.22, 0.3, 0.2, 0.2])
    return [
        rng.normal(size=n),
        rng.normal(size=(n, m)),
        rng.integers(0, 3, size=3),
        rng.normal(),
        np.int64(rng.integers(0, 4)),
    ]

