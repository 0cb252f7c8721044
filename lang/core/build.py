"""Builds IR: allocates variables, infers result types, and folds what is trivially known while it writes.

A `Builder` writes one block; `nested()` gives a builder for a block inside it that shares the supply of variables.

>>> from dad.lang.core import ir
>>> b = Builder(Fresh())
>>> x = b.fresh("x", ir.F64)
>>> y = b.add(b.mul(x, x), ir.Const(1.0, "f64"))
>>> len(b.stmts)
2
"""
from __future__ import annotations

from collections.abc import Sequence

from ..source import Span
from . import ir
from .ir import Atom, AttrValue, Block, Const, Lambda, Op, Stmt, Type, Var
from .primitive import PRIMITIVES


class Fresh:
    """A supply of variable ids; start it past the ids already in use."""

    def __init__(self, start: int = 0) -> None:
        self.next = start

    def var(self, name: str, type: Type) -> Var:
        var = Var(self.next, name, type)
        self.next += 1
        return var


class Builder:
    def __init__(self, fresh: Fresh, span: Span | None = None) -> None:
        self.supply = fresh
        self.span = span
        self.stmts: list[Stmt] = []

    # ------------------------------------------------------------ variables and blocks

    def fresh(self, name: str, type: Type) -> Var:
        return self.supply.var(name, type)

    def like(self, var: Var, suffix: str = "") -> Var:
        return self.supply.var(var.name + suffix, var.type)

    def nested(self) -> Builder:
        return Builder(self.supply, self.span)

    def block(self, results: Sequence[Atom]) -> Block:
        return Block(tuple(self.stmts), tuple(results))

    # ------------------------------------------------------------ statements

    def bind(self, op: Op, names: Sequence[str] | str = "t", span: Span | None = None) -> tuple[Var, ...]:
        """Append `op` and return its results."""
        types = result_types(op)
        if isinstance(names, str):
            names = [names] * len(types)
        vars = tuple(self.fresh(name, type) for name, type in zip(names, types, strict=True))
        self.stmts.append(Stmt(vars, op, span or self.span))
        return vars

    def prim(self, name: str, *args: Atom, as_: str = "t", **attrs: AttrValue) -> Atom:
        """Append one primitive; identities that hold exactly (`x * 1`, `x + 0` of integers …) write nothing."""
        known = trivial(name, args)
        if known is not None:
            return known
        return self.bind(ir.Prim(name, args, tuple(sorted(attrs.items()))), as_)[0]

    # The primitives that compiler passes write most, by name.
    def add(self, x: Atom, y: Atom) -> Atom:
        return self.prim("add", x, y)

    def sub(self, x: Atom, y: Atom) -> Atom:
        return self.prim("sub", x, y)

    def mul(self, x: Atom, y: Atom) -> Atom:
        return self.prim("mul", x, y)

    def div(self, x: Atom, y: Atom) -> Atom:
        return self.prim("div", x, y)

    def neg(self, x: Atom) -> Atom:
        return self.prim("neg", x)

    def select(self, cond: Atom, x: Atom, y: Atom) -> Atom:
        return self.prim("select", cond, x, y)

    def dim(self, x: Atom, axis: int = 0) -> Atom:
        return self.prim("dim", x, axis=axis, as_="n")

    def shape(self, x: Atom) -> tuple[Atom, ...]:
        return tuple(self.dim(x, axis) for axis in range(x.type.rank))

    def zeros_like(self, x: Atom) -> Atom:
        """Zeros of `x`'s shape and dtype."""
        return Const(zero(x.type.dtype), x.type.dtype) if x.type.rank == 0 else self.prim("zeros_like", x)

    def full(self, value: Atom, shape: Sequence[Atom]) -> Atom:
        """`value` (a scalar) at every place of an array of this shape."""
        for size in reversed(shape):
            value = self.prim("replicate", size, value)
        return value

    def const(self, value: float, like: Atom | Type) -> Const:
        """A scalar of the dtype of `like`."""
        dtype = like.dtype if isinstance(like, Type) else like.type.dtype
        return Const(float(value) if dtype in ir.FLOATS else int(value), dtype)

    def map(
        self,
        arrays: Sequence[Atom],
        body: Lambda,
        shapes: Sequence[Sequence[Atom]],
        names: Sequence[str] | str = "t",
    ) -> tuple[Var, ...]:
        return self.bind(ir.Map(tuple(arrays), body, tuple(tuple(shape) for shape in shapes)), names)


def i64(value: int) -> Const:
    return Const(value, "i64")


def zero(dtype: str) -> int | float | bool:
    return 0.0 if dtype in ir.FLOATS else False if dtype == "bool" else 0


def trivial(name: str, args: Sequence[Atom]) -> Atom | None:
    """The result of a primitive when an identity gives it without changing any value's bits (nan and -0.0 included)."""
    match name:
        case "mul":
            x, y = args
            if is_const(y, 1) and x.type.rank >= y.type.rank:
                return x
            if is_const(x, 1) and y.type.rank >= x.type.rank:
                return y
        case "scaled":
            x, y = args
            if is_const(x, 1) and y.type.rank >= x.type.rank:
                return y
        case "add":
            x, y = args
            if x.type.dtype not in ir.FLOATS:
                if is_const(y, 0):
                    return x
                if is_const(x, 0) and x.type.rank == 0:
                    return y
        case "sub" | "div":
            x, y = args
            negative_zero = name == "sub" and repr(getattr(y, "value", 0)) == "-0.0"
            if is_const(y, 0 if name == "sub" else 1) and not negative_zero:
                return x
        case "select":
            if isinstance(args[0], Const):
                picked = args[1] if args[0].value else args[2]
                if picked.type.rank == max(a.type.rank for a in args):
                    return picked
    return None


def is_const(atom: Atom, value: float) -> bool:
    return isinstance(atom, Const) and not isinstance(atom.value, bool) and atom.value == value


_INFERRED: dict[tuple[str, tuple[Type, ...]], tuple[Type]] = {}
"""Types of results of primitives without attributes, by name and types of operands: there are few of them."""


def result_types(op: Op) -> tuple[Type, ...]:
    """The types of an operation's results, from its parts."""
    match op:
        case ir.Prim(name, args, attrs):
            types = tuple([a.type for a in args])
            if attrs:
                return (PRIMITIVES[name].infer(types, dict(attrs)),)
            known = _INFERRED.get((name, types))
            if known is None:
                known = _INFERRED[name, types] = (PRIMITIVES[name].infer(types, {}),)
            return known
        case ir.Call(_, _, types):
            return types
        case ir.If(_, then, _):
            return tuple(a.type for a in then.results)
        case ir.Map(_, body, _):
            return tuple(Type(a.type.dtype, a.type.rank + 1) for a in body.body.results)
        case ir.Reduce(_, neutral, _):
            return tuple(a.type for a in neutral)
        case ir.Scan(_, neutral, _):
            return tuple(Type(a.type.dtype, a.type.rank + 1) for a in neutral)
        case ir.Loop(count=count, params=params, body=body):
            states = tuple(p.type for p in params)
            stacks = tuple(Type(a.type.dtype, a.type.rank + 1) for a in body.results[len(params):])
            return states + stacks + (() if count is not None else (ir.I64,))
        case ir.Diff(mode, body, _, _):
            primal = tuple(a.type for a in body.body.results)
            if mode == "jvp":
                return primal + tuple(t for t in primal if t.is_float)
            return primal + tuple(p.type for p in body.params if p.type.is_float)
        case ir.Custom(body=body):
            return tuple(a.type for a in body.body.results)
