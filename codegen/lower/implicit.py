"""Implicit differentiation: what solves an equation, whatever found it, and the steps of Newton's method that find it.

`implicit r x` is `x`, a root of `r`, with the derivative that a root has with respect to all that `r` captures, by the
implicit function theorem:  0 = dr = (∂r/∂x) dx + (∂r/∂c) dc. The rule of `ir.Custom` says just this of the result, so
that derivatives of any order come of it. Matrices are dense: one column of ∂r/∂x for each float of `x`.
(Krantz & Parks, *The Implicit Function Theorem*, 2002, §3.3; Griewank & Walther, *Evaluating Derivatives*, 2008, §15.)

The searches themselves are written in Dad (`stdlib/prelude.dad`), of the names here that begin with `_`: values of any
type taken as vectors of their floats. A value that is one number stays one number.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import Builder
from ...lang.core.ir import Atom, Const, Lambda
from .derivatives import Directions, derivative, gradient, product
from .frame import Frame
from .functions import apply
from .rules import renewed
from .values import FunV, TupV, Value, leaves, map_leaves, rebuild, tangent_value, the_atom

if TYPE_CHECKING:
    from .builtins import Inst, Rule

EPSILON = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10}
F64 = "f64"


def floats(value: Value) -> list[Atom]:
    return [a for a in leaves(value) if a.type.is_float]


def with_floats(value: Value, atoms: Sequence[Atom]) -> Value:
    """The value with other floats."""
    supply = iter(atoms)
    return map_leaves(value, lambda a: next(supply) if a.type.is_float else a)


def widest(atoms: Sequence[Atom]) -> str:
    return next((t for t in ir.FLOATS if any(a.type.dtype == t for a in atoms)), F64)


def cast(b: Builder, x: Atom, dtype: str) -> Atom:
    return x if x.type.dtype == dtype else b.prim("cast", x, to=dtype)


# ---------------------------------------------------------------- linear systems of a Jacobian


class System:
    """The Jacobian of `function` at `x` as a matrix, or as a number where `x` is one."""

    def __init__(self, f: Frame, function: Value, x: Value) -> None:
        b = f.b
        self.unknowns = floats(x)
        self.dtype = widest(self.unknowns)
        shapes = [b.shape(a) for a in self.unknowns]
        directions = Directions(b, [(a.type.dtype, shape) for a, shape in zip(self.unknowns, shapes, strict=True)])
        self.single = directions.only
        self.sizes = directions.sizes
        self.count = directions.count

        def column(g: Frame, d: Atom) -> list[Atom]:
            return derivative(g, "jvp", function, x, lambda _: directions.seeds(g.b, d))[1]

        columns = directions.each(f, column, shapes)
        if self.single:
            self.matrix = columns[0]
            return
        rows = [b.prim("transpose", cast(b, b.prim("reshape", c, self.count, n), self.dtype), perm=(1, 0))
                for c, n in zip(columns, self.sizes, strict=True)]
        self.matrix = rows[0] if len(rows) == 1 else b.prim("concat", *rows)

    def column(self, b: Builder, parts: Sequence[Atom]) -> Atom:
        rows = [b.prim("reshape", p, n) if p.type.rank else b.prim("stack", p)
                for p, n in zip(parts, self.sizes, strict=True)]
        flat = [cast(b, row, self.dtype) for row in rows]
        whole = flat[0] if len(flat) == 1 else b.prim("concat", *flat)
        return b.prim("reshape", whole, self.count, ir.Const(1, "i64"))

    def parts(self, b: Builder, column: Atom) -> list[Atom]:
        """The floats of a value from one column."""
        found, start = [], ir.Const(0, "i64")
        position: Atom = start
        for a, n in zip(self.unknowns, self.sizes, strict=True):
            part = b.prim("slice", column, position, n, ir.Const(1, "i64"), axis=0)
            like = b.shape(a)
            shaped = b.prim("reshape", part, *like) if like else b.prim("index", part, start, start)
            found.append(cast(b, shaped, a.type.dtype))
            position = b.add(position, n)
        return found

    def solved(self, b: Builder, right: Sequence[Atom]) -> list[Atom]:
        """x of  matrix x = right; nan where the matrix is singular."""
        if self.single:
            return [b.div(right[0], self.matrix)]
        return self.parts(b, b.prim("solve", self.matrix, self.column(b, right)))

    def descended(self, b: Builder, damping: Atom, right: Sequence[Atom]) -> list[Atom]:
        """x of  (matrix + damping I) x = right; nan where the sum is not positive definite."""
        damping = cast(b, damping, self.dtype)
        if self.single:
            total = b.add(self.matrix, damping)
            positive = b.prim("gt", total, Const(0.0, self.dtype))
            return [b.select(positive, b.div(right[0], total), Const(float("nan"), self.dtype))]
        rows, columns = (b.prim("iota", self.count) for _ in range(2))
        i, j, x = b.fresh("i", ir.I64), b.fresh("j", ir.I64), b.fresh("x", ir.Type(self.dtype))
        line = b.fresh("row", ir.Type(self.dtype, 1))
        inner, outer = b.nested(), b.nested()
        entry = inner.select(inner.prim("eq", i, j), inner.add(x, damping), x)
        outer.map([line, columns], Lambda((x, j), inner.block([entry])), [()])
        made = outer.stmts[-1].vars
        matrix = b.map([self.matrix, rows], Lambda((line, i), outer.block(made)), [(self.count,)])[0]
        lower = b.prim("cholesky", matrix)
        halfway = b.prim("solve_triangular", lower, self.column(b, right), upper=False)
        across = b.prim("transpose", lower, perm=(1, 0))
        return self.parts(b, b.prim("solve_triangular", across, halfway, upper=True))


# ---------------------------------------------------------------- the theorem


def implicit(f: Frame, inst: Inst, args: list[Value]) -> Value:
    function, x = args
    span = f.b.span
    found = map_leaves(x, lambda a: f.b.prim("stop_grad", a) if a.type.is_float else a)
    given = leaves(function)
    if not any(a.type.is_float for a in given) or not floats(x):
        return found
    kept = [k for k, a in enumerate(leaves(x)) if a.type.is_float]
    body = Lambda(renewed(f, function), ir.Block((), tuple(floats(found))))
    g = f.nested()
    params = renewed(g, function)
    ys = tuple(g.b.fresh("x", a.type) for a in floats(x))
    seeds = tuple(g.b.fresh("seed", p.type) for p in params if p.type.is_float)
    inner = rebuild(function, iter(params))

    # A function of its own, so that what stands around the result stays small.
    def rule(h: Frame, inputs: Value) -> Value:
        assert isinstance(inputs, TupV)
        of, at, moves = inputs.items
        return TupV(tuple(moved(h, of, at, leaves(moves))))

    made = g.specialiser.call(g, "implicit_rule", ("implicit",), TupV((inner, with_floats(x, ys), TupV(seeds))), rule)
    lam = Lambda((*params, *ys, *seeds), g.b.block(leaves(made)))
    f.b.span = span
    results = f.b.bind(ir.Custom("jvp", body, lam, tuple(given)), "x")
    after = list(leaves(found))
    for k, y in zip(kept, results, strict=True):
        after[k] = y
    return rebuild(x, iter(after))


def moved(f: Frame, function: Value, x: Value, tangents: Sequence[Atom]) -> list[Atom]:
    """dx of  (∂r/∂x) dx = -(∂r/∂c) dc."""
    def residual(g: Frame, _: tuple[Value, ...], given: list[Value]) -> Value:
        return apply(g, given[0], [x])

    _, right = derivative(f, "jvp", FunV(1, ("residual",), (), residual), function, lambda _: list(tangents))
    system = System(f, function, x)
    return [f.b.neg(a) for a in system.solved(f.b, right)]


# ---------------------------------------------------------------- steps of a search


def step(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """(∂r/∂x)⁻¹ r x."""
    function, x = args
    right = floats(apply(f, function, [x]))
    return with_floats(x, System(f, function, x).solved(f.b, right))


def descent(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """(∇²f + damping I)⁻¹ ∇f, at x."""
    function, damping, x = args
    slope = FunV(1, ("slope",), (function,), lambda g, captured, given: with_floats(
        given[0], floats(gradient(g, captured[0], given[0])[1])))
    right = floats(gradient(f, function, x)[1])
    return with_floats(x, System(f, slope, x).descended(f.b, the_atom(damping), right))


def along(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """x + t d."""
    x, t, d = args
    b = f.b
    pairs = zip(floats(x), floats(d), strict=True)
    return with_floats(x, [b.add(a, b.mul(cast(b, the_atom(t), a.type.dtype), v)) for a, v in pairs])


def relative(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """The largest |d| / (1 + |x|); nan if one of them is."""
    b, (d, x) = f.b, args
    largest: Atom = Const(0.0, F64)
    for change, place in zip(floats(d), floats(x), strict=True):
        part = b.div(b.prim("abs", change), b.add(b.prim("abs", place), Const(1.0, place.type.dtype)))
        if part.type.rank:
            part = b.prim("maximum", b.prim("reshape", part, product(b, b.shape(change))), axis=0)
        largest = b.prim("max", largest, cast(b, part, F64))
    total = the_atom(square(f, inst, [d]))
    return b.select(b.prim("eq", total, total), largest, Const(float("nan"), F64))


def square(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """The sum of the squares of all floats."""
    total: Atom = Const(0.0, F64)
    for a in floats(args[0]):
        wide = cast(f.b, a, F64)
        part = f.b.mul(wide, wide)
        for _ in range(a.type.rank):
            part = f.b.prim("sum", part, axis=0)
        total = f.b.add(total, part)
    return total


def flattened(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """All floats of a value, one after the other."""
    b = f.b
    parts = []
    for a in floats(args[0]):
        count = [product(b, b.shape(a))] if a.type.rank else []
        parts.append(cast(b, b.prim("reshape", a, *count) if count else b.prim("stack", a), F64))
    if not parts:
        return b.full(Const(0.0, F64), [ir.Const(0, "i64")])
    return parts[0] if len(parts) == 1 else b.prim("concat", *parts)


def filled(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """A value like the first one, with these floats."""
    x, vector = args
    b, v = f.b, the_atom(vector)
    found: list[Atom] = []
    position: Atom = ir.Const(0, "i64")
    unknowns = floats(x)
    for a in unknowns:
        if not a.type.rank:
            found.append(cast(b, b.prim("index", v, position), a.type.dtype))
            position = b.add(position, ir.Const(1, "i64"))
            continue
        shape = b.shape(a)
        count = product(b, shape)
        part = v if len(unknowns) == 1 else b.prim("slice", v, position, count, ir.Const(1, "i64"), axis=0)
        found.append(cast(b, b.prim("reshape", part, *shape), a.type.dtype))
        position = b.add(position, count)
    return with_floats(x, found)


def precision(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """The distance of 1 from the next number, in the coarsest type of floats that the value has."""
    return Const(max((EPSILON[a.type.dtype] for a in floats(args[0])), default=EPSILON[F64]), F64)


def settled(what: str, f: Frame, inst: Inst, args: list[Value]) -> Value:
    """The value, after a check that the search for it has come to its end."""
    x, off, tolerance, iterations = args
    count = f.b.prim("cast", the_atom(iterations), to=F64)
    f.b.prim("check_settled", the_atom(off), the_atom(tolerance), count, what=what)
    return x


def slope_of(f: Frame, inst: Inst, args: list[Value]) -> Value:
    """The gradient of a function, as a value of its argument's type."""
    function, x = args
    return with_floats(x, floats(tangent_value(x, iter(floats(gradient(f, function, x)[1])))))


RULES: dict[str, tuple[int, Rule]] = {
    "implicit": (2, implicit), "_implicit": (2, implicit),
    "_step": (2, step), "_descent": (3, descent), "_slope": (2, slope_of),
    "_along": (3, along), "_relative": (2, relative), "_square": (1, square), "_floats": (1, flattened),
    "_with_floats": (2, filled), "_precision": (1, precision),
    "_fixpoint_found": (4, partial(settled, "fixpoint")),
    "_root_found": (4, partial(settled, "root")),
    "_minimiser_found": (4, partial(settled, "minimiser")),
}
