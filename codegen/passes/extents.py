"""Sizes of values made inside a nested block, computed outside it.

Reverse mode stacks values out of map and loop bodies, and rows of a stack have the shape it is told beforehand. In:
the statements of a block, in order, and what its parameters are rows of. Out: for a value inside, the length of an
axis as an atom outside, where it follows from sizes and integer arithmetic of the surroundings; else None.

Only sizes are computed, with operations that cannot fail, so nothing is evaluated that the program would not have
evaluated. Types give both arms of an `if` the same sizes, and a loop state the sizes of its first value.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom, Const, Op, Prim, Stmt, Var
from ...lang.prims import PRIMITIVES

SAME_SHAPE = frozenset((
    "zeros_like", "reverse", "rotate", "update", "accumulate", "update_slice", "accumulate_slice", "accumulate_at",
    "max_at", "min_at", "scatter", "cumsum", "cumprod", "cummax", "cummin", "argsort", "stop_grad"))
FOLDS = frozenset(("sum", "ordered_sum", "prod", "maximum", "minimum", "all", "any", "argmax", "argmin"))
ARITHMETIC = frozenset(("add", "sub", "mul", "min", "max", "neg"))
WEIGHT = 64  # expressions of more operations than this are given up


@dataclass(frozen=True, slots=True)
class Dim:
    """The length of an axis of a variable outside."""

    var: Var
    axis: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    name: str
    args: tuple[Size, ...]
    weight: int


Size = Atom | Dim | Arithmetic
Shape = tuple[Size | None, ...]


class Extents:
    """`outer` writes the size computations; it writes where the operation that holds the block is about to stand."""

    def __init__(self, outer: Builder) -> None:
        self.outer = outer
        self.shapes: dict[Var, Shape] = {}
        self.values: dict[Var, Size | None] = {}
        self.written: dict[Size, Atom] = {}

    # ------------------------------------------------------------ what is inside

    def rows(self, params: Sequence[Var], arrays: Sequence[Atom]) -> None:
        """Parameters that are rows of arrays outside."""
        for p, array in zip(params, arrays, strict=True):
            self._bind(p, self.shape(array)[1:], None)

    def like(self, params: Sequence[Var], values: Sequence[Atom]) -> None:
        """Parameters with the shapes of values outside."""
        for p, value in zip(params, values, strict=True):
            self._bind(p, self.shape(value), None)

    def states(self, op: ir.Loop) -> None:
        """A loop's parameters, inside it."""
        for p, first in zip(op.params, op.init, strict=True):
            self._bind(p, (None,) * p.type.rank if op.ragged else self.shape(first), None)
        self.unknown(op.index)

    def unknown(self, var: Var) -> None:
        self._bind(var, (None,) * var.type.rank, None)

    def define(self, stmts: Iterable[Stmt]) -> None:
        for stmt in stmts:
            self._define(stmt.vars, stmt.op)

    def inside(self, atom: Atom) -> bool:
        return isinstance(atom, Var) and atom in self.shapes

    # ------------------------------------------------------------ answers

    def dim(self, x: Atom, axis: int) -> Atom | None:
        """The length of an axis, outside."""
        size = self.shape(x)[axis]
        return None if size is None else self._write(size)

    def dims(self, x: Atom, axes: int | None = None) -> tuple[Atom, ...] | None:
        """The lengths of the first `axes` axes (all of them by default), outside; None if one is not known."""
        sizes = self.shape(x)[:axes]
        if any(size is None for size in sizes):
            return None
        return tuple(self._write(size) for size in sizes if size is not None)

    def knows(self, x: Atom) -> bool:
        """Whether the whole shape is known outside."""
        return None not in self.shape(x)

    def value(self, n: Atom) -> Atom | None:
        """An integer scalar, outside."""
        size = self._value(n)
        return None if size is None else self._write(size)

    def shape(self, x: Atom) -> Shape:
        if not isinstance(x, Var):
            return ()
        known = self.shapes.get(x)
        return tuple(Dim(x, axis) for axis in range(x.type.rank)) if known is None else known

    # ------------------------------------------------------------ definitions

    def _bind(self, var: Var, shape: Shape, value: Size | None) -> None:
        self.shapes[var] = shape
        self.values[var] = value

    def _value(self, n: Atom) -> Size | None:
        return self.values[n] if isinstance(n, Var) and n in self.values else n

    def _define(self, vars: Sequence[Var], op: Op) -> None:
        match op:
            case Prim():
                shape = self._prim(op) if vars[0].type.rank else ()
                value = self._integer(op) if vars[0].type == ir.I64 else None
                self._bind(vars[0], shape, value)
            case ir.If(_, then, orelse):
                self.define(then.stmts)
                self.define(orelse.stmts)
                for var, x, y in zip(vars, then.results, orelse.results, strict=True):
                    self._bind(var, _agreed(self.shape(x), self.shape(y)), None)
            case ir.Map(arrays, _, shapes):
                length = self.shape(arrays[0])[0]
                for var, row in zip(vars, shapes, strict=True):
                    self._bind(var, (length, *map(self._value, row)), None)
            case ir.Reduce(_, neutral, _):
                self.like(vars, neutral)
            case ir.Scan(arrays, neutral, _):
                for var, x in zip(vars, neutral, strict=True):
                    self._bind(var, (self.shape(arrays[0])[0], *self.shape(x)), None)
            case ir.Loop(count=count, params=params, init=init, collect_shapes=shapes, ragged=ragged):
                if not ragged:
                    self.like(vars[:len(params)], init)
                for var in vars[:len(params)] if ragged else ():
                    self.unknown(var)
                trips = None if count is None else self._arithmetic("max", self._value(count), i64(0))
                stacks = vars[len(params):len(params) + len(shapes)]
                for var, row in zip(stacks, shapes, strict=True):
                    self._bind(var, (trips, *map(self._value, row)), None)
                if count is None:
                    self.unknown(vars[-1])
            case ir.Custom(body=body, args=args):
                self.like(body.params, args)
                self.define(body.body.stmts)
                self.like(vars, body.body.results)
            case ir.Call() | ir.Diff():
                for var in vars:
                    self.unknown(var)

    def _prim(self, op: Prim) -> Shape:
        args, shape, value = op.args, self.shape, self._value
        match op.name:
            case "iota":
                return (value(args[0]),)
            case "replicate":
                return (value(args[0]), *shape(args[1]))
            case "stack":
                return (i64(len(args)), *shape(args[0]))
            case "concat":
                total: Size | None = i64(0)
                for x in args:
                    total = self._arithmetic("add", total, shape(x)[0])
                return (total, *shape(args[0])[1:])
            case "transpose":
                perm = op.attr("perm")
                assert isinstance(perm, tuple)
                return tuple(shape(args[0])[k] for k in perm)
            case "reshape":
                return tuple(map(value, args[1:]))
            case "slice":
                axis = op.attr("axis")
                return tuple(value(args[2]) if k == axis else size for k, size in enumerate(shape(args[0])))
            case "index":
                return shape(args[0])[len(args) - 1:]
            case "gather":
                return (*shape(args[1]), *shape(args[0])[len(args) - 1:])
            case name if name in SAME_SHAPE:
                return shape(args[0])
            case name if name in FOLDS:
                axis = op.attr("axis")
                return tuple(size for k, size in enumerate(shape(args[0])) if k != axis)
            case name if PRIMITIVES[name].elementwise:
                known: Shape = ()
                for x in args:
                    known = _either(known, shape(x))
                return known
            case _:
                return (None,) * PRIMITIVES[op.name].infer([a.type for a in args], dict(op.attrs)).rank

    def _integer(self, op: Prim) -> Size | None:
        if op.name == "dim":
            axis = op.attr("axis")
            assert isinstance(axis, int)
            return self.shape(op.args[0])[axis]
        if PRIMITIVES[op.name].fails:
            return self._value(op.args[0])
        if op.name in ARITHMETIC:
            return self._arithmetic(op.name, *map(self._value, op.args))
        if op.name in ("div", "quot", "mod", "rem") and isinstance(op.args[1], Const) and op.args[1].value > 0:
            return self._arithmetic(op.name, self._value(op.args[0]), op.args[1])
        return None

    def _arithmetic(self, name: str, *args: Size | None) -> Size | None:
        known = [x for x in args if x is not None]
        weight = 1 + sum(x.weight for x in known if isinstance(x, Arithmetic))
        if len(known) < len(args) or weight > WEIGHT:
            return None
        if name == "add" and known[0] == i64(0):
            return known[1]
        return Arithmetic(name, tuple(known), weight)

    def _write(self, size: Size) -> Atom:
        if isinstance(size, Var | Const):
            return size
        found = self.written.get(size)
        if found is None:
            if isinstance(size, Dim):
                found = self.outer.dim(size.var, size.axis)
            else:
                found = self.outer.prim(size.name, *(self._write(x) for x in size.args), as_="n")
            self.written[size] = found
        return found


def _either(x: Shape, y: Shape) -> Shape:
    """What either of two equal shapes knows; a scalar adapts to the other."""
    if len(x) != len(y):
        return x if len(x) > len(y) else y
    return tuple(b if a is None else a for a, b in zip(x, y, strict=True))


def _agreed(x: Shape, y: Shape) -> Shape:
    """The shape of what two arms give, where both say the same: arms may differ in size, and what is not taken does
    not tell anything.
    """
    return tuple(a if a == b else None for a, b in zip(x, y, strict=True))


def lengths(b: Builder, sizes: Sequence[Atom]) -> list[Atom]:
    """Sizes worked out where nothing says that the array exists: the arm that makes it may not be taken."""
    return [n if isinstance(n, Const) and n.value >= 0 else b.prim("max", n, i64(0)) for n in sizes]
