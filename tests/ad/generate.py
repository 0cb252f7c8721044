"""Random well-typed IR programs, made by construction: randomness in, a program and arguments out.

Every construct is there, nested in every other: maps, branches, `for` and `while` loops with collected rows, folds
with operators of their own, calls, reads and writes of places, slices and gathered places, derivatives inside.
Indices are in range because they are taken modulo a size that is known to be positive; sizes are 0 to 4; functions
are smooth and bounded.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import numpy as np
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh, i64
from dad.lang.core.ir import Atom, Const, Lambda, Type, Var

Sizes = tuple[Atom, ...]
UNARY = ("sin", "cos", "tanh", "atan", "neg", "erf", "expm1")
INT = Type("i64")


class Scope:
    """Values to choose from, and the sizes known to be positive."""

    def __init__(self, values: dict[Atom, Sizes], positive: set[Atom]) -> None:
        self.values = values
        self.positive = positive

    def inner(self, positive: set[Atom] | None = None) -> Scope:
        return Scope(dict(self.values), self.positive | (positive or set()))


class Generator:
    """`differentiable` tells whether no branch depends on a float, so that differences are to be trusted."""

    def __init__(self, rng: Random, size: int = 8, depth: int = 3, dtype: str = "f64", nested: bool = True) -> None:
        self.rng = rng
        self.size = size
        self.depth = depth
        self.float = Type(dtype)
        self.nested = nested
        self.smallest = rng.choice((0, 1, 1))
        """Of the sizes of array arguments; where it is 1 the program may read places without asking."""
        self.differentiable = True
        self.functions: dict[str, ir.Function] = {}

    # ------------------------------------------------------------ whole programs

    def program(self) -> ir.Program:
        for k in range(self.rng.randrange(3)):
            self.function(f"g{k}", small=True)
        self.function("f", small=False)
        return ir.Program(self.functions)

    def function(self, name: str, small: bool) -> None:
        b = Builder(Fresh())
        F, r = self.float.dtype, self.rng
        xs, ys, grid = b.fresh("xs", Type(F, 1)), b.fresh("ys", Type(F, 1)), b.fresh("grid", Type(F, 2))
        a, c, k = b.fresh("a", self.float), b.fresh("c", self.float), b.fresh("k", INT)
        places = b.fresh("places", Type("i64", 1))
        n, m = b.dim(xs), b.dim(ys)
        values: dict[Atom, Sizes] = {xs: (n,), ys: (m,), grid: (n, m), a: (), c: (), k: (), places: (m,), n: (), m: ()}
        scope = Scope(values, {n, m} if self.smallest else set())
        depth, count = (self.depth - 1, r.randrange(1, 4)) if small else (self.depth, r.randrange(2, self.size))
        self.body(b, scope, depth, count)
        picked = [self.pick(scope, self.float, rank) for rank in (0, r.randrange(3))]
        results = [x for x in picked if x is not None]
        results.append(self.mixture(b, scope, scope.inner().values.keys() - {n, m}))
        if r.random() < 0.3:
            results.append(k)
        if r.random() < 0.2:
            results.append(Const(1.5, F))
        r.shuffle(results)
        params = (xs, ys, grid, a, c, k, places)
        self.functions[name] = ir.Function(name, params, b.block(results), name)

    def arguments(self) -> list[Any]:
        r = np.random.default_rng(self.rng.randrange(2**32))
        n, m = int(r.integers(self.smallest, 5)), int(r.integers(self.smallest, 5))
        kind = np.float64 if self.float.dtype == "f64" else np.float32

        def some(*shape: int) -> Any:
            return np.asarray(r.uniform(-1, 1, shape), kind)[()]

        return [some(n), some(m), some(n, m), some(), some(), np.int64(r.integers(-3, 6)), r.integers(-3, 6, m)]

    # ------------------------------------------------------------ choosing

    def pick(self, scope: Scope, type: Type, rank: int = 0, sizes: Sizes | None = None) -> Atom | None:
        want = Type(type.dtype, rank if sizes is None else len(sizes))
        found = [x for x, known in scope.values.items() if x.type == want and (sizes is None or known == sizes)]
        if not found:
            return None
        # Later values are more interesting, but inside maps and loops reads from outside are too.
        k = self.rng.randrange(len(found))
        return found[k if self.rng.random() < 0.4 else max(k, self.rng.randrange(len(found)))]

    def has_elements(self, scope: Scope, size: Atom) -> bool:
        return size in scope.positive or isinstance(size, Const)

    def scalar(self, scope: Scope) -> Atom:
        if self.rng.random() < 0.15:
            return Const(self.rng.choice((0.0, 1.0, -0.5, 0.75)), self.float.dtype)
        found = self.pick(scope, self.float)
        assert found is not None
        return found

    def place(self, b: Builder, scope: Scope, size: Atom) -> Atom:
        """An index below `size`, which is positive."""
        i = self.pick(scope, INT) or i64(0)
        if self.rng.random() < 0.5:
            i = b.add(i, i64(self.rng.randrange(3)))
        i = b.prim("mod", i, size)
        return b.prim("check_index", i, size, what="x", axis=0) if self.rng.random() < 0.2 else i

    def bounded(self, b: Builder, x: Atom) -> Atom:
        return b.prim(self.rng.choice(("sin", "tanh")), x)

    def mixture(self, b: Builder, scope: Scope, made: Iterable[Atom]) -> Atom:
        """One number from some of the floats that a body made, so that little of it is for nothing."""
        total: Atom = Const(0.5, self.float.dtype)
        for x in sorted((x for x in made if isinstance(x, Var) and x.type.is_float), key=lambda x: x.id):
            if self.rng.random() < 0.5:
                term: Atom = x
                for _ in range(x.type.rank):
                    term = b.prim("sum", term, axis=0)
                total = self.bounded(b, b.prim(self.rng.choice(("add", "mul")), total, term))
        scope.values[total] = ()
        return total

    # ------------------------------------------------------------ statements

    def body(self, b: Builder, scope: Scope, depth: int, count: int) -> None:
        kinds: list[Callable[[Builder, Scope, int], None]] = [
            self.arithmetic, self.arithmetic, self.arrays, self.arrays, *[self.reads] * 4, *[self.writes] * 2,
            self.integers]
        if depth > 0:
            kinds += [self.map, self.map, self.branch, self.for_loop, self.for_loop, self.while_loop, self.fold]
            kinds.append(self.call)
            if self.nested:
                kinds.append(self.derivative)
        for _ in range(count):
            self.rng.choice(kinds)(b, scope, depth)

    def keep(self, scope: Scope, x: Atom, sizes: Sizes) -> None:
        scope.values[x] = sizes

    def arithmetic(self, b: Builder, scope: Scope, depth: int) -> None:
        r = self.rng
        rank = r.choice((0, 0, 1, 2))
        x = self.pick(scope, self.float, rank) or self.scalar(scope)
        sizes = scope.values.get(x, ())
        match r.randrange(6):
            case 0:
                out = b.prim(r.choice(UNARY), x)
            case 1:
                y = self.pick(scope, self.float, sizes=sizes) or x
                out = b.prim(r.choice(("add", "sub", "mul")), x, y)
            case 2:
                y = self.scalar(scope)
                out = b.prim(r.choice(("add", "sub", "mul")), *r.sample((x, y), 2))
            case 3:
                y = self.pick(scope, self.float, sizes=sizes) or x
                out = b.div(x, b.add(b.mul(y, y), Const(1.0, self.float.dtype)))
            case 4:
                y = self.pick(scope, self.float, sizes=sizes) or x
                even = b.prim("eq", b.prim("mod", self.pick(scope, INT) or i64(1), i64(2)), i64(0))
                out = b.select(even, x, y)
            case _:
                out = b.prim("sqrt", b.add(b.mul(x, x), Const(0.5, self.float.dtype)))
        self.keep(scope, out, sizes if out.type.rank else ())

    def arrays(self, b: Builder, scope: Scope, depth: int) -> None:
        r = self.rng
        x = self.pick(scope, self.float, r.choice((1, 1, 2)))
        if x is None:
            return
        sizes = scope.values[x]
        match r.randrange(9):
            case 0:
                axis = r.randrange(len(sizes))
                self.keep(scope, b.prim("sum", x, axis=axis), sizes[:axis] + sizes[axis + 1:])
            case 1:
                axis = r.randrange(len(sizes))
                self.keep(scope, b.prim(r.choice(("cumsum", "cumprod")), x, axis=axis), sizes)
            case 2:
                self.keep(scope, b.prim("reverse", x), sizes)
            case 3 if len(sizes) == 2:
                self.keep(scope, b.prim("transpose", x, perm=(1, 0)), (sizes[1], sizes[0]))
            case 4:
                y = self.pick(scope, self.float, sizes=sizes) or x
                both = b.prim("concat", x, y)
                self.keep(scope, both, (b.dim(both), *sizes[1:]))
            case 5:
                size = self.rng.choice([i64(2), *sizes])
                y = self.pick(scope, self.float, r.choice((0, 1))) or self.scalar(scope)
                self.keep(scope, b.prim("replicate", size, y), (size, *scope.values.get(y, ())))
            case 6:
                y = self.pick(scope, self.float, sizes=sizes) or x
                self.keep(scope, b.prim("stack", x, y), (i64(2), *sizes)) if len(sizes) == 1 else None
            case 7:
                axis = r.randrange(len(sizes))
                self.keep(scope, b.prim("prod", x, axis=axis), sizes[:axis] + sizes[axis + 1:])
            case _:
                self.keep(scope, b.prim("rotate", x, self.pick(scope, INT) or i64(1)), sizes)

    def reads(self, b: Builder, scope: Scope, depth: int) -> None:
        r = self.rng
        x = self.pick(scope, self.float, r.choice((1, 1, 2)))
        if x is None or not self.has_elements(scope, scope.values[x][0]):
            return self.guarded(b, scope, x, depth)
        sizes = scope.values[x]
        match r.randrange(5):
            case 0 | 1:
                deep = r.randrange(1, 1 + len(sizes)) if all(self.has_elements(scope, s) for s in sizes) else 1
                out = b.prim("index", x, *(self.place(b, scope, s) for s in sizes[:deep]))
                self.keep(scope, out, sizes[deep:])
            case 2:
                where = self.pick(scope, INT, 1)
                if where is not None:
                    at = b.prim("mod", where, sizes[0])
                    self.keep(scope, b.prim("gather", x, at), (*scope.values[where], *sizes[1:]))
            case 3 if self.has_elements(scope, sizes[-1]):
                # A slice of one place, whose size is known outside.
                axis = r.randrange(len(sizes))
                out = b.prim("slice", x, self.place(b, scope, sizes[axis]), i64(1), i64(1), axis=axis)
                self.keep(scope, out, (*sizes[:axis], i64(1), *sizes[axis + 1:]))
            case _:
                start = self.place(b, scope, sizes[0])
                if r.random() < 0.5:
                    out = b.prim("slice", x, start, b.sub(sizes[0], start), i64(1), axis=0)
                else:
                    out = b.prim("slice", x, start, b.add(start, i64(1)), i64(-1), axis=0)
                self.keep(scope, out, (b.dim(out), *sizes[1:]))
        return None

    def guarded(self, b: Builder, scope: Scope, x: Atom | None, depth: int) -> None:
        """A read of an array that may be empty."""
        if x is None:
            return
        sizes = scope.values[x]
        empty = scope.inner()
        full = scope.inner(set(sizes))
        then, orelse = b.nested(), b.nested()
        first = then.prim("index", x, *(self.place(then, full, s) for s in sizes))
        other = self.scalar(empty)
        positive = b.prim("gt", sizes[0], i64(0))
        if len(sizes) == 2:
            positive = b.prim("and", positive, b.prim("gt", sizes[1], i64(0)))
        out, = b.bind(ir.If(positive, then.block([first]), orelse.block([other])))
        self.keep(scope, out, ())

    def writes(self, b: Builder, scope: Scope, depth: int) -> None:
        r = self.rng
        x = self.pick(scope, self.float, r.choice((1, 1, 2)))
        if x is None or not all(self.has_elements(scope, s) for s in scope.values[x]):
            return
        sizes = scope.values[x]
        match r.randrange(4):
            case 0:
                at = [self.place(b, scope, s) for s in sizes]
                out = b.prim(r.choice(("update", "accumulate")), x, self.scalar(scope), *at)
            case 1:
                row = self.pick(scope, self.float, sizes=sizes[1:]) or self.scalar(scope)
                if row.type.rank != len(sizes) - 1:
                    return
                out = b.prim(r.choice(("update", "accumulate")), x, row, self.place(b, scope, sizes[0]))
            case 2:
                where = self.pick(scope, INT, 1)
                rows = where and self.pick(scope, self.float, sizes=(*scope.values[where], *sizes[1:]))
                if where is None or rows is None:
                    return
                at_all = b.prim("mod", where, sizes[0])
                if r.random() < 0.5:
                    out = b.prim("scatter", x, at_all, rows)
                else:
                    out = b.prim("accumulate_at", x, rows, at_all)
            case _:
                start = self.place(b, scope, sizes[0])
                part = b.prim("slice", x, start, b.sub(sizes[0], start), i64(1), axis=0)
                name = r.choice(("update_slice", "accumulate_slice"))
                out = b.prim(name, x, self.bounded(b, part), i64(0), i64(1), axis=0)
        self.keep(scope, out, sizes)

    def integers(self, b: Builder, scope: Scope, depth: int) -> None:
        i = self.pick(scope, INT) or i64(2)
        if self.rng.random() < 0.2:
            # Of bounded floats, so that it stays in range; flat.
            x = b.prim("floor", b.mul(self.bounded(b, self.scalar(scope)), Const(3.0, self.float.dtype)))
            self.differentiable = False
            self.keep(scope, b.prim("cast", x, to="i64"), ())
        else:
            self.keep(scope, b.prim("mod", b.add(b.mul(i, i64(2)), i64(self.rng.randrange(4))), i64(5)), ())

    # ------------------------------------------------------------ nesting

    def outputs(self, b: Builder, scope: Scope, outer: Scope, count: int) -> list[tuple[Atom, Sizes]]:
        """Floats (and an integer now and then) whose sizes are known outside."""
        out: list[tuple[Atom, Sizes]] = []
        if self.rng.random() < 0.6:
            out.append((self.mixture(b, scope, scope.values.keys() - outer.values.keys()), ()))
        for _ in range(count):
            rank = self.rng.choice((0, 0, 1, 2))
            x = self.pick(scope, self.float, rank)
            sizes = scope.values.get(x, ()) if x is not None else ()
            if x is not None and all(isinstance(s, Const) or s in outer.values for s in sizes):
                out.append((x, sizes))
        if self.rng.random() < 0.2:
            i = self.pick(scope, INT)
            if i is not None:
                out.append((i, ()))
        return out or [(self.scalar(scope), ())]

    def map(self, b: Builder, scope: Scope, depth: int) -> None:
        first = self.pick(scope, self.rng.choice((self.float, INT)), self.rng.choice((1, 1, 2)))
        if first is None:
            return
        length = scope.values[first][0]
        arrays = [first]
        for rank in (1, 1, 2):
            for type in (self.float, INT):
                fitting = [x for x, s in scope.values.items() if x.type == Type(type.dtype, rank) and s[0] == length]
                if fitting and self.rng.random() < 0.4:
                    arrays.append(self.rng.choice(fitting))
        inner, body = scope.inner({length}), b.nested()
        params = []
        for array in arrays:
            p = b.fresh("x", Type(array.type.dtype, array.type.rank - 1))
            params.append(p)
            inner.values[p] = scope.values[array][1:]
        self.body(body, inner, depth - 1, self.rng.randrange(1, 5))
        results = self.outputs(body, inner, scope, self.rng.randrange(1, 3))
        lam = Lambda(tuple(params), body.block([x for x, _ in results]))
        vars = b.map(arrays, lam, [s for _, s in results], "mapped")
        for v, (_, sizes) in zip(vars, results, strict=True):
            self.keep(scope, v, (length, *sizes))

    def condition(self, b: Builder, scope: Scope) -> Atom:
        if self.rng.random() < 0.4:
            self.differentiable = False
            return b.prim("gt", self.scalar(scope), Const(0.1, self.float.dtype))
        return b.prim("lt", b.prim("mod", self.pick(scope, INT) or i64(3), i64(3)), i64(self.rng.randrange(3)))

    def branch(self, b: Builder, scope: Scope, depth: int) -> None:
        cond = self.condition(b, scope)
        scopes, builders = (scope.inner(), scope.inner()), (b.nested(), b.nested())
        for inner, arm in zip(scopes, builders, strict=True):
            self.body(arm, inner, depth - 1, self.rng.randrange(4))
        results: list[tuple[list[Atom], Sizes]] = []
        for x, sizes in self.outputs(builders[0], scopes[0], scope, 2):
            y = self.pick(scopes[1], Type(x.type.dtype), sizes=sizes)
            if y is not None:
                results.append(([x, y], sizes))
        if not results:
            return
        arms = [arm.block([both[k] for both, _ in results]) for k, arm in enumerate(builders)]
        for v, (_, sizes) in zip(b.bind(ir.If(cond, *arms), "joined"), results, strict=True):
            self.keep(scope, v, sizes)

    def state(self, b: Builder, scope: Scope) -> tuple[list[Atom], list[Var], Scope]:
        inner = scope.inner()
        init: list[Atom] = []
        for _ in range(self.rng.randrange(1, 4)):
            type = INT if self.rng.random() < 0.15 else self.float
            init.append(self.pick(scope, type, self.rng.choice((0, 0, 1, 1, 2))) or self.scalar(scope))
        params = [b.fresh("s", x.type) for x in init]
        for p, x in zip(params, init, strict=True):
            inner.values[p] = scope.values.get(x, ())
        return init, params, inner

    def next_state(self, body: Builder, inner: Scope, params: list[Var]) -> list[Atom]:
        out: list[Atom] = []
        for p in params:
            x = self.pick(inner, Type(p.type.dtype), sizes=inner.values[p])
            assert x is not None
            out.append(self.bounded(body, x) if x.type.is_float and self.rng.random() < 0.4 else x)
        return out

    def for_loop(self, b: Builder, scope: Scope, depth: int) -> None:
        init, params, inner = self.state(b, scope)
        sizes = [x for x in scope.values if x.type == INT]
        count: Atom = self.rng.choice([i64(2), i64(3)])
        if sizes and self.rng.random() < 0.6:
            chosen = self.rng.choice(sizes)
            if any(chosen == s[0] for s in scope.values.values() if s):
                count = chosen
                inner.positive.add(chosen)
            else:
                count = b.sub(b.prim("mod", chosen, i64(5)), i64(1))
        index = b.fresh("i", INT)
        inner.values[index] = ()
        body = b.nested()
        self.body(body, inner, depth - 1, self.rng.randrange(1, 6))
        self.mixture(body, inner, inner.values.keys() - scope.values.keys())
        states = self.next_state(body, inner, params)
        rows = self.outputs(body, inner, scope, 1) if self.rng.random() < 0.5 else []
        block = body.block([*states, *(x for x, _ in rows)])
        loop = ir.Loop(count, None, index, tuple(params), tuple(init), block, tuple(s for _, s in rows))
        vars = b.bind(loop, "looped")
        self.keep_loop(b, scope, vars, init, rows)

    def keep_loop(
        self, b: Builder, scope: Scope, vars: tuple[Var, ...], init: list[Atom], rows: list[tuple[Atom, Sizes]]
    ) -> None:
        for v, x in zip(vars, init, strict=False):
            self.keep(scope, v, scope.values.get(x, ()))
        for v, (_, sizes) in zip(vars[len(init):], rows, strict=False):
            self.keep(scope, v, (b.dim(v), *sizes))

    def while_loop(self, b: Builder, scope: Scope, depth: int) -> None:
        init, params, inner = self.state(b, scope)
        bound = b.prim("mod", self.pick(scope, INT) or i64(3), i64(4))
        counter, index = b.fresh("n", INT), b.fresh("i", INT)
        inner.values[index] = inner.values[counter] = ()
        seen = [b.fresh("s", p.type) for p in (*params, counter)]
        test = b.nested()
        cond = test.prim("lt", seen[-1], bound)
        heads = [p for p in seen if p.type == self.float]
        if heads and self.rng.random() < 0.5:
            self.differentiable = False
            cond = test.prim("and", cond, test.prim("lt", heads[0], Const(0.7, self.float.dtype)))
        body = b.nested()
        self.body(body, inner, depth - 1, self.rng.randrange(1, 5))
        self.mixture(body, inner, inner.values.keys() - scope.values.keys())
        states = [*self.next_state(body, inner, params), body.add(counter, i64(1))]
        rows = self.outputs(body, inner, scope, 1) if self.rng.random() < 0.5 else []
        block = body.block([*states, *(x for x, _ in rows)])
        loop = ir.Loop(None, Lambda(tuple(seen), test.block([cond])), index, (*params, counter), (*init, i64(0)), block,
                       tuple(s for _, s in rows))
        self.keep_loop(b, scope, b.bind(loop, "ran"), [*init, i64(0)], rows)

    def fold(self, b: Builder, scope: Scope, depth: int) -> None:
        """With an associative operator of its own: x + y + k*x*y, or the composition of x -> p*x + q."""
        xs = self.pick(scope, self.float, 1)
        if xs is None:
            return
        make = self.rng.choice((ir.Reduce, ir.Scan))
        F, body = self.float.dtype, b.nested()
        sizes = (scope.values[xs],) if make is ir.Scan else ((),)
        if self.rng.random() < 0.5:
            k = self.scalar(scope)
            p, q = b.fresh("p", self.float), b.fresh("q", self.float)
            out = body.add(body.add(p, q), body.mul(k, body.mul(p, q)))
            op: ir.Op = make((xs,), (Const(0.0, F),), Lambda((p, q), body.block([out])))
        else:
            ys = self.pick(scope, self.float, sizes=scope.values[xs]) or xs
            p, q, s, t = (b.fresh(name, self.float) for name in "pqst")
            results = [body.mul(p, s), body.add(body.mul(s, q), t)]
            op = make((xs, ys), (Const(1.0, F), Const(0.0, F)), Lambda((p, q, s, t), body.block(results)))
        for v in b.bind(op, "folded"):
            self.keep(scope, v, sizes[0])

    def call(self, b: Builder, scope: Scope, depth: int) -> None:
        if not self.functions:
            return
        f = self.rng.choice(list(self.functions.values()))
        grid = self.pick(scope, self.float, 2)
        if grid is None:
            return
        n, m = scope.values[grid]
        if self.smallest and not (self.has_elements(scope, n) and self.has_elements(scope, m)):
            return
        xs, ys = self.pick(scope, self.float, sizes=(n,)), self.pick(scope, self.float, sizes=(m,))
        places = self.pick(scope, INT, sizes=(m,))
        if xs is None or ys is None or places is None:
            return
        args = (xs, ys, grid, self.scalar(scope), self.scalar(scope), self.pick(scope, INT) or i64(1), places)
        for v in b.bind(ir.Call(f.name, args, f.result_types), "called"):
            self.keep(scope, v, b.shape(v))

    def derivative(self, b: Builder, scope: Scope, depth: int) -> None:
        """A derivative inside, by some values in scope; the rest is held fixed."""
        ranks = self.rng.choice(((0,), (1,), (0, 1)))
        args = [self.pick(scope, self.float, rank) or self.scalar(scope) for rank in ranks]
        inner, body = scope.inner(), b.nested()
        params = [b.fresh("d", x.type) for x in args]
        for p, x in zip(params, args, strict=True):
            inner.values[p] = scope.values.get(x, ())
        self.body(body, inner, depth - 1, self.rng.randrange(1, 4))
        result = self.bounded(body, self.scalar(inner))
        lam = Lambda(tuple(params), body.block([result]))
        if self.rng.random() < 0.5:
            op = ir.Diff("vjp", lam, tuple(args), (self.scalar(scope),))
            sizes: list[Sizes] = [(), *(scope.values.get(x, ()) for x in args)]
        else:
            op = ir.Diff("jvp", lam, tuple(args), tuple(args))
            sizes = [(), ()]
        for v, s in zip(b.bind(op, "slope"), sizes, strict=True):
            self.keep(scope, v, s)
