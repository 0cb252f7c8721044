"""Differential operators: one `Diff` for a derivative in one direction, one map of a `Diff` for all directions.

A derivative in every direction counts the floats of a value, whatever holds them, from 0 to N: direction d is 1 at
float number d and 0 elsewhere. So a Jacobian is one pass with as many lanes as there are directions; what does not
depend on the direction, the value of the function, is computed once (`passes/vectorize`).

    jacfwd f x    = rows d of  map (\\d -> jvp f x (direction d)) [0..N)  turned into columns, N floats in x
    jacrev f x    = rows d of  map (\\d -> vjp f x (direction d)) [0..M),  M floats in f x
    hessian f x   = jacfwd (grad f) x
    laplacian f x = sum over d of  jvp (\\x -> jvp f x (direction d)) x (direction d)
    divergence f x = sum over d of float d of  jvp f x (direction d)

The sums take `CHUNK` directions at a time, so that memory grows with N and not with its square.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Const, Lambda
from ...lang.sizes import Size
from .frame import Frame, UnknownSize
from .functions import apply, stuck
from .values import FunV, TupV, Value, from_type, leaves, rebuild, tangent_leaves, tangent_value, the_atom

if TYPE_CHECKING:
    from .builtins import Inst, Rule

Shape = tuple[Atom, ...]
Mode = Literal["jacobian", "jacfwd", "jacrev"]
CHUNK = 16
"""Directions that a sum over all of them takes at once."""

# ---------------------------------------------------------------- one direction


def derivative(f: Frame, mode: Literal["jvp", "vjp"], function: Value, x: Value,
               seeds: Callable[[Value], list[Atom]]) -> tuple[Value, list[Atom]]:
    """The value of `function x`, and the tangents of its floats (jvp) or the cotangents of the floats in `x` (vjp).

    `seeds` gives the tangents of the floats in `x`, or, from the result's form, the cotangents of its floats.
    """
    g = f.nested()
    params = tuple(g.b.fresh("x", a.type) for a in leaves(x))
    result = apply(g, function, [rebuild(x, iter(params))])
    lam = Lambda(params, g.b.block(leaves(result)))
    out = f.b.bind(ir.Diff(mode, lam, tuple(leaves(x)), tuple(seeds(result))), "d")
    count = len(leaves(result))
    return rebuild(result, iter(out[:count])), list(out[count:])


def jvp(f: Frame, inst: Inst, args: list[Value]) -> tuple[Value, Value]:
    function, x, dx = args
    value, tangents = derivative(f, "jvp", function, x, lambda _: tangent_leaves(x, dx))
    return value, tangent_value(value, iter(tangents))


def vjp(f: Frame, inst: Inst, args: list[Value]) -> tuple[Value, Value]:
    function, x, dy = args
    value, cotangents = derivative(f, "vjp", function, x, lambda result: tangent_leaves(result, dy))
    return value, tangent_value(x, iter(cotangents))


def value_and_grad(f: Frame, inst: Inst, args: list[Value]) -> tuple[Value, Value]:
    function, x = args
    return gradient(f, function, x)


def gradient(f: Frame, function: Value, x: Value) -> tuple[Value, Value]:
    value, cotangents = derivative(f, "vjp", function, x, lambda result: [Const(1.0, the_atom(result).type.dtype)])
    return value, tangent_value(x, iter(cotangents))


def both(operator: Callable[[Frame, Inst, list[Value]], tuple[Value, Value]]) -> Rule:
    return lambda f, inst, args: TupV(operator(f, inst, args))


def second(operator: Callable[[Frame, Inst, list[Value]], tuple[Value, Value]]) -> Rule:
    return lambda f, inst, args: operator(f, inst, args)[1]


def stopped(f: Frame, inst: Inst, a: Atom) -> Atom:
    return f.b.prim("stop_grad", a) if a.type.is_float else a


# ---------------------------------------------------------------- all directions


class Directions:
    """The floats of a value, by dtype and shape of each leaf that holds some, numbered one after the other."""

    def __init__(self, b: Builder, floats: Sequence[tuple[str, Shape]]) -> None:
        self.floats = list(floats)
        self.starts: list[Atom] = []
        self.sizes: list[Atom] = []
        total: Atom = i64(0)
        for _, shape in self.floats:
            self.starts.append(total)
            self.sizes.append(product(b, shape))
            total = plus(b, total, self.sizes[-1])
        self.count = total
        self.numbers: list[Atom] = []
        for (_, shape), start, size in zip(self.floats, self.starts, self.sizes, strict=True):
            if not shape:
                self.numbers.append(start)
                continue
            numbers = plus(b, b.prim("iota", size, as_="is"), start)
            self.numbers.append(numbers if len(shape) == 1 else b.prim("reshape", numbers, *shape, as_="is"))

    def masks(self, b: Builder, d: Atom) -> list[Atom]:
        """Where direction `d` is 1."""
        return [b.prim("eq", numbers, d) for numbers in self.numbers]

    def seeds(self, b: Builder, d: Atom) -> list[Atom]:
        """Direction `d`."""
        if self.only:
            return [Const(1.0, self.floats[0][0])]
        return [b.prim("cast", mask, to=dtype) for mask, (dtype, _) in zip(self.masks(b, d), self.floats, strict=True)]

    @property
    def only(self) -> bool:
        """Whether there is one float and nothing else."""
        return len(self.floats) == 1 and not self.floats[0][1]

    def rows(self, b: Builder, k: int, x: Atom) -> Atom:
        """Of an array with an axis of directions in front, those of leaf `k`, with the leaf's axes in its place."""
        shape = self.floats[k][1]
        if self.only:
            return x
        if len(self.floats) > 1:
            x = b.prim("slice", x, self.starts[k], self.sizes[k], i64(1), axis=0)
        return x if len(shape) == 1 else b.prim("reshape", x, *shape, *b.shape(x)[1:], as_="xs") if shape \
            or x.type.rank > 1 else b.prim("index", x, i64(0))

    def each(self, f: Frame, body: Callable[[Frame, Atom], list[Atom]], shapes: Sequence[Shape]) -> list[Atom]:
        """What `body` gives for every direction, with an axis in front, unless there is `only` one."""
        if self.only:
            return body(f, i64(0))
        g = f.nested()
        d = g.b.fresh("d", ir.I64)
        lam = Lambda((d,), g.b.block(body(g, d)))
        return list(f.b.map([f.b.prim("iota", self.count, as_="ds")], lam, shapes, "rows"))

    def total(self, f: Frame, dtype: str, term: Callable[[Frame, Atom], Atom]) -> Atom:
        """The sum of `term` over all directions."""
        b, zero = f.b, Const(0.0, dtype)
        if self.only:
            return term(f, i64(0))
        if not self.floats:
            return zero

        def some(g: Frame, first: Atom, count: Atom) -> Atom:
            h = g.nested()
            k = h.b.fresh("k", ir.I64)
            d = plus(h.b, first, k)
            value = term(h, d)
            if count is not self.count:
                value = h.b.select(h.b.prim("lt", d, self.count), value, zero)
            lam = Lambda((k,), h.b.block([value]))
            return g.b.prim("sum", g.b.map([g.b.prim("iota", count, as_="ds")], lam, [()])[0], axis=0)

        if isinstance(self.count, Const) and self.count.value <= CHUNK:
            return some(f, i64(0), self.count)
        chunks = b.prim("quot", plus(b, self.count, i64(CHUNK - 1)), i64(CHUNK))
        g = f.nested()
        index, so_far = g.b.fresh("chunk", ir.I64), g.b.fresh("total", ir.Type(dtype))
        more = g.b.add(so_far, some(g, g.b.mul(index, i64(CHUNK)), i64(CHUNK)))
        return b.bind(ir.Loop(chunks, None, index, (so_far,), (zero,), g.b.block([more])), "total")[0]


def product(b: Builder, sizes: Sequence[Atom]) -> Atom:
    total: Atom = i64(1)
    for size in sizes:
        if isinstance(total, Const) and isinstance(size, Const):
            total = i64(int(total.value * size.value))
        else:
            total = b.mul(total, size)
    return total


def plus(b: Builder, x: Atom, y: Atom) -> Atom:
    if isinstance(x, Const) and isinstance(y, Const):
        return i64(int(x.value + y.value))
    return b.add(x, y)


def floats_of(f: Frame, t: ty.Type) -> list[tuple[str, Shape]]:
    """Dtype and shape of each leaf of type `t` that holds floats."""
    found: list[tuple[str, Shape]] = []

    def leaf(made: ir.Type, sizes: tuple[Size, ...]) -> Atom:
        if made.is_float:
            found.append((made.dtype, f.shape(sizes)))
        return i64(0)

    try:
        from_type(t, leaf)
    except UnknownSize as unknown:
        assert f.b.span is not None
        raise stuck(f.b.span, "E692", f"the size `{unknown}` is not known where this derivative is taken",
                    "needs it as a value", "use `jvp`, or give the result a size that is known outside") from None
    return found


# ---------------------------------------------------------------- Jacobians


def forward(f: Frame, function: Value, x: Value, inputs: Directions, outputs: Sequence[tuple[str, Shape]]) -> Value:
    """The Jacobian by columns, one to a float of `x`."""
    form: list[Value] = []

    def column(g: Frame, d: Atom) -> list[Atom]:
        value, tangents = derivative(g, "jvp", function, x, lambda _: inputs.seeds(g.b, d))
        form[:] = [value]
        return tangents

    columns = inputs.each(f, column, [shape for _, shape in outputs])

    def entries(y: Atom, k: int) -> Atom:
        dtype, shape = inputs.floats[k]
        block, rank = inputs.rows(f.b, k, y), len(shape)
        if rank and block.type.rank > rank:
            perm = (*range(rank, block.type.rank), *range(rank))
            block = f.b.prim("transpose", block, perm=perm, as_="xs")
        return block if block.type.dtype == dtype else f.b.prim("cast", block, to=dtype)

    return tangent_value(form[0], iter([
        tangent_value(x, iter([entries(y, k) for k in range(len(inputs.floats))])) for y in columns]))


def reverse(f: Frame, function: Value, x: Value, outputs: Directions, inputs: Sequence[tuple[str, Shape]]) -> Value:
    """The Jacobian by rows, one to a float of the result."""
    form: list[Value] = []

    def row(g: Frame, d: Atom) -> list[Atom]:
        value, cotangents = derivative(g, "vjp", function, x, lambda _: outputs.seeds(g.b, d))
        form[:] = [value]
        return cotangents

    rows = outputs.each(f, row, [shape for _, shape in inputs])
    return tangent_value(form[0], iter([
        tangent_value(x, iter([outputs.rows(f.b, k, r) for r in rows])) for k in range(len(outputs.floats))]))


def jacobian(mode: Mode) -> Rule:
    return lambda f, inst, args: jacobian_by(f, mode, args[0], args[1], inst.types["a"], inst.types["b"])


def jacobian_by(f: Frame, mode: Mode, function: Value, x: Value, a: ty.Type, b: ty.Type) -> Value:
    """The Jacobian of a function from `a` to `b`.

    `jacobian` takes the mode that takes fewer passes; where sizes are known only when it runs, it chooses then.
    """
    inputs, outputs = floats_of(f, a), floats_of(f, b)
    if mode == "jacfwd":
        return forward(f, function, x, Directions(f.b, inputs), outputs)
    if mode == "jacrev":
        return reverse(f, function, x, Directions(f.b, outputs), inputs)
    n, m = (number_of(f.b, floats) for floats in (inputs, outputs))
    if n == m or n == i64(1) or (isinstance(n, Const) and isinstance(m, Const) and n.value <= m.value):
        return forward(f, function, x, Directions(f.b, inputs), outputs)
    if m == i64(1) or (isinstance(n, Const) and isinstance(m, Const)):
        return reverse(f, function, x, Directions(f.b, outputs), inputs)
    g, h = f.nested(), f.nested()
    by_columns = forward(g, function, x, Directions(g.b, inputs), outputs)
    by_rows = reverse(h, function, x, Directions(h.b, outputs), inputs)
    choice = ir.If(f.b.prim("le", n, m), g.b.block(leaves(by_columns)), h.b.block(leaves(by_rows)))
    return rebuild(by_columns, iter(f.b.bind(choice, "jacobian")))


def number_of(b: Builder, floats: Sequence[tuple[str, Shape]]) -> Atom:
    total: Atom = i64(0)
    for _, shape in floats:
        total = plus(b, total, product(b, shape))
    return total


def hessian(f: Frame, inst: Inst, args: list[Value]) -> Value:
    function, x = args
    return second_derivatives(f, function, x, inst.types["a"])


def product_with(f: Frame, function: Value, x: Value, seeds: Callable[[Value], list[Atom]]) -> Value:
    """The Hessian times a tangent of `x`."""
    value, tangents = derivative(f, "jvp", slope_of(function), x, seeds)
    return tangent_value(value, iter(tangents))


def second_derivatives(f: Frame, function: Value, x: Value, a: ty.Type) -> Value:
    floats = floats_of(f, a)
    return forward(f, slope_of(function), x, Directions(f.b, floats), floats)


def slope_of(function: Value) -> FunV:
    return FunV(1, ("gradient",), (function,), lambda g, captured, given: gradient(g, captured[0], given[0])[1])


# ---------------------------------------------------------------- sums on the diagonal


def laplacian(f: Frame, inst: Inst, args: list[Value]) -> Value:
    function, x = args
    result = inst.types["b"]
    assert isinstance(result, ty.Scalar)
    return curvature(f, function, x, inst.types["a"], result.name)


def curvature(f: Frame, function: Value, x: Value, a: ty.Type, dtype: str) -> Atom:
    directions = Directions(f.b, floats_of(f, a))

    def term(g: Frame, d: Atom) -> Atom:
        seeds = directions.seeds(g.b, d)

        def slope(h: Frame, captured: tuple[Value, ...], given: list[Value]) -> Value:
            return derivative(h, "jvp", captured[0], given[0], lambda _: seeds)[1][0]

        return derivative(g, "jvp", FunV(1, ("slope",), (function,), slope), x, lambda _: seeds)[1][0]

    return directions.total(f, dtype, term)


def divergence(f: Frame, inst: Inst, args: list[Value]) -> Value:
    function, x = args
    result = ty.number(inst.types["a"])
    assert isinstance(result, ty.Scalar)
    directions = Directions(f.b, floats_of(f, inst.types["a"]))

    def term(g: Frame, d: Atom) -> Atom:
        _, tangents = derivative(g, "jvp", function, x, lambda _: directions.seeds(g.b, d))
        total: Atom | None = None
        for mask, tangent in zip(directions.masks(g.b, d), tangents, strict=True):
            own = tangent
            if not directions.only:
                own = g.b.select(mask, tangent, Const(0.0, tangent.type.dtype))
                for _ in range(tangent.type.rank):
                    own = g.b.prim("sum", own, axis=0)
            own = own if own.type.dtype == result.name else g.b.prim("cast", own, to=result.name)
            total = own if total is None else g.b.add(total, own)
        assert total is not None
        return total

    return directions.total(f, result.name, term)


RULES: dict[str, tuple[int, Rule]] = {
    "jvp": (3, second(jvp)), "jvp2": (3, both(jvp)),
    "vjp": (3, second(vjp)), "vjp2": (3, both(vjp)),
    "grad": (2, second(value_and_grad)), "value_and_grad": (2, both(value_and_grad)),
    "jacobian": (2, jacobian("jacobian")), "jacfwd": (2, jacobian("jacfwd")), "jacrev": (2, jacobian("jacrev")),
    "hessian": (2, hessian), "laplacian": (2, laplacian), "divergence": (2, divergence),
}
