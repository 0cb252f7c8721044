"""Names that every program knows: operators, primitives, array combinators, differential operators; one rule to a name.

A rule gets the frame, what the use fixes (`Inst`: type arguments, and sizes through the frame) and the arguments.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...checker.result import Use
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder
from ...lang.core.ir import Atom, Lambda
from ...lang.intrinsics import CONSTANTS, LIMITS, SIGNATURES, constant
from ...lang.members import MEMBERS
from ...lang.prims import PRIMITIVES
from ...lang.sizes import Opaque, Size, SizeVar
from ...lang.source import Span
from . import derivatives, implicit, matrices, members, rules, soacs
from .frame import Frame
from .functions import apply, canonical, stuck
from .values import FunV, TupV, Value, leaves, map_leaves, rebuild, the_atom

__all__ = ["BINARY", "arithmetic", "builtin_value", "loop_over", "unary"]

# ---------------------------------------------------------------- operators

BINARY = members.OPERATORS


def arithmetic(b: Builder, op: str, left: Value, right: Value) -> Value:
    """`left op right`: element by element for arrays, a scalar meeting each element.

    `==` and `!=` compare whole values.
    """
    if op in ("==", "!="):
        return equal(b, BINARY[op], left, right)
    return members.operator(b, op, the_atom(left), the_atom(right))


def equal(b: Builder, name: str, left: Value, right: Value) -> Atom:
    """Whether all parts of two values of one type are equal; arrays have one shape, as their types say."""
    pairs = list(zip(leaves(left), leaves(right), strict=True))
    if len(pairs) == 1 and pairs[0][0].type.rank == 0:
        return b.prim(name, *pairs[0])
    same: Atom | None = None
    for x, y in pairs:
        part = b.prim("eq", x, y)
        for _ in range(x.type.rank):
            part = b.prim("all", part, axis=0)
        same = part if same is None else b.prim("and", same, part)
    if same is None:
        return ir.Const(name == "eq", "bool")
    return b.prim("not", same) if name == "ne" else same


def unary(b: Builder, op: str, x: Atom) -> Atom:
    if op == "-":
        return ir.Const(wrapped(-x.value, x.dtype), x.dtype) if isinstance(x, ir.Const) else b.neg(x)
    return b.prim("not" if x.type.dtype == "bool" else "bnot", x)


def wrapped(value: float, dtype: str) -> float:
    """The number modulo the size of its type, when that is a type of integers."""
    if dtype not in LIMITS:
        return value
    low, high = LIMITS[dtype]
    return (int(value) - low) % (high - low + 1) + low


# ---------------------------------------------------------------- names


@dataclass(frozen=True, slots=True)
class Inst:
    """What a use of a builtin fixes: its type and size arguments, by the names in its signature."""

    types: dict[str, ty.Type]
    sizes: dict[str, Atom]
    place: Span | None = None
    """Where the name stands."""

    def size(self, f: Frame, name: str) -> Atom:
        """A size that is needed although no array that holds anything has it."""
        if name not in self.sizes:
            assert f.b.span is not None
            raise stuck(f.b.span, "E692", "the size of an array of units is not known here", "needs it as a value",
                        "make the array where its size is known: `replicate n ()`")
        return self.sizes[name]


Rule = Callable[[Frame, Inst, list[Value]], Value]


def builtin_value(f: Frame, name: str, dtype: str | None, use: Use, place: Span | None = None) -> Value:
    """The builtin `name` as a value, at the instance that `use` says."""
    if name == "cast":
        assert dtype is not None
        target = dtype
        return FunV(1, ("cast", dtype), (), lambda g, _, args: convert(g.b, the_atom(args[0]), target))
    if name == "num_bits":
        return ir.Const(constant(name, dtype or "f64"), "i32")
    if name in CONSTANTS or name in ("highest", "lowest"):
        return ir.Const(constant(name, dtype or "f64"), dtype or "f64")
    if name in MEMBERS:
        assert dtype is not None
        return member_value(name, dtype)
    if name not in RULES:
        return primitive_value(name)
    arity, rule = RULES[name]
    types, names, atoms = canonical(f, use.types)
    sizes = {v: s for v, s in use.sizes.items() if known(f, s)}
    captured = (*atoms, *(f.size(s) for s in sizes.values()))
    labels = tuple(v.name for v in sizes)
    by_name = {v.name: t for v, t in types.items()}
    key = ("builtin", name, tuple(by_name.items()), labels)

    def invoke(g: Frame, captured: tuple[Value, ...], args: list[Value]) -> Value:
        values = [the_atom(c) for c in captured]
        count = len(names)
        h = g.inside({}, dict(zip(names, values[:count], strict=True)), {})
        return rule(h, Inst(by_name, dict(zip(labels, values[count:], strict=True)), place), args)

    return FunV(arity, key, captured, invoke)


def known(f: Frame, size: Size) -> bool:
    return all(isinstance(a, Opaque) or (isinstance(a, SizeVar) and (a.fixed or a in f.sizes)) for a in size.atoms())


def member_value(name: str, dtype: str) -> FunV:
    """`dtype.name` as a function."""
    rule = members.RULES[name]

    def invoke(g: Frame, _: tuple[Value, ...], args: list[Value]) -> Value:
        return rule(g.b, dtype, [the_atom(a) for a in args])

    return FunV(MEMBERS[name][1].count("("), ("member", dtype, name), (), invoke)


def primitive_value(name: str) -> FunV:
    record = PRIMITIVES[name]
    assert record.signature is not None, name
    arity = record.signature.count("(")

    def invoke(g: Frame, _: tuple[Value, ...], args: list[Value]) -> Value:
        return g.b.prim(name, *(the_atom(a) for a in args))

    return FunV(arity, ("prim", name), (), invoke)


def convert(b: Builder, x: Atom, dtype: str) -> Atom:
    if x.type.dtype == dtype:
        return x
    return b.prim("cast", x, to=dtype)


# ---------------------------------------------------------------- combinators


def loop_over(
    f: Frame, arrays: Sequence[Value], element: ty.Type, body: Callable[[Frame, list[Value]], Value],
    known: Mapping[Size, Atom] | None = None,
) -> Value:
    """Map `body` over the rows of `arrays`; `element` is the type of its result, `known` are sizes in it."""
    atoms = [a for array in arrays for a in leaves(array)]
    g = f.nested()
    rows = tuple(
        g.b.fresh(a.name if isinstance(a, ir.Var) else "x", ir.Type(a.type.dtype, a.type.rank - 1)) for a in atoms
    )
    for a, row in zip(atoms, rows, strict=True):
        if isinstance(a, ir.Var) and a in f.bounded:
            g.bounded[row] = f.bounded[a]
    supply = iter(rows)
    result = body(g, [rebuild(array, supply) for array in arrays])
    if not leaves(result):
        return result
    lam = Lambda(rows, g.b.block(leaves(result)))
    return rebuild(result, iter(f.b.map(atoms, lam, f.row_shapes(element, known), "ys")))


def mapped(f: Frame, inst: Inst, args: list[Value]) -> Value:
    function, *arrays = args
    results = {1: "b", 2: "c", 3: "d", 4: "e", 5: "g"}
    if not any(leaves(a) for a in arrays):
        arrays[0] = TupV((arrays[0], f.b.prim("iota", inst.size(f, "n"))))

        def row(g: Frame, rows: list[Value]) -> Value:
            assert isinstance(rows[0], TupV)
            return apply(g, function, [rows[0].items[0], *rows[1:]])

        return loop_over(f, arrays, inst.types[results[len(arrays)]], row)
    return loop_over(f, arrays, inst.types[results[len(arrays)]], lambda g, rows: apply(g, function, rows))


def tabulated(f: Frame, inst: Inst, args: list[Value]) -> Value:
    n, function = args
    count = f.b.prim("check_size", the_atom(n), what="the length of a tabulation")
    rows = f.b.prim("iota", count, as_="is")
    return loop_over(f, [rows], inst.types["a"], lambda g, elements: apply(g, function, elements))


def folded(kind: Literal["reduce", "scan"]) -> Rule:
    def rule(f: Frame, inst: Inst, args: list[Value]) -> Value:
        function, neutral, array = args
        start, rows = leaves(neutral), leaves(array)
        if not start:
            return neutral if kind == "reduce" else array
        g = f.nested()
        left = tuple(g.b.fresh("acc", a.type) for a in start)
        right = tuple(g.b.fresh("x", a.type) for a in start)
        result = apply(g, function, [rebuild(neutral, iter(left)), rebuild(neutral, iter(right))])
        lam = Lambda((*left, *right), g.b.block(leaves(result)))
        node = ir.Reduce if kind == "reduce" else ir.Scan
        results = f.b.bind(node(tuple(rows), tuple(start), lam), "r")
        return rebuild(neutral if kind == "reduce" else array, iter(results))

    return rule


def quantified(name: str) -> Rule:
    def rule(f: Frame, inst: Inst, args: list[Value]) -> Value:
        flags = loop_over(f, [args[1]], ty.BOOL, lambda g, rows: apply(g, args[0], rows))
        return f.b.prim(name, the_atom(flags), axis=0)

    return rule


# ---------------------------------------------------------------- array functions


def along(name: str) -> Rule:
    """A reduction primitive over the first axis."""
    return lambda f, inst, args: f.b.prim(name, the_atom(args[0]), axis=0)


def leafwise(change: Callable[[Frame, Inst, Atom], Atom]) -> Rule:
    """A rule that treats every field of an array of records alike; the array is the last argument."""
    return lambda f, inst, args: map_leaves(args[-1], lambda a: change(f, inst, a))


def concatenated(f: Frame, inst: Inst, args: list[Value]) -> Value:
    pairs = zip(leaves(args[0]), leaves(args[1]), strict=True)
    return rebuild(args[0], iter([f.b.prim("concat", x, y, as_="xs") for x, y in pairs]))


def replicated(f: Frame, inst: Inst, args: list[Value]) -> Value:
    n = f.b.prim("check_size", the_atom(args[0]), what="the length of replicate")
    return map_leaves(args[1], lambda a: f.b.prim("replicate", n, a, as_="xs"))


def rotated(f: Frame, inst: Inst, args: list[Value]) -> Value:
    return map_leaves(args[1], lambda a: f.b.prim("rotate", a, the_atom(args[0]), as_="xs"))


def scattered(f: Frame, inst: Inst, args: list[Value]) -> Value:
    dest, indices, values = args
    pairs = zip(leaves(dest), leaves(values), strict=True)
    return rebuild(dest, iter([f.b.prim("scatter", d, the_atom(indices), v, as_="xs") for d, v in pairs]))


def flattened(f: Frame, inst: Inst, a: Atom) -> Atom:
    n, m, *rest = f.b.shape(a)
    return f.b.prim("reshape", a, f.b.mul(n, m), *rest, as_="xs")


def unflattened(f: Frame, inst: Inst, a: Atom) -> Atom:
    _, *rest = f.b.shape(a)
    return f.b.prim("reshape", a, inst.size(f, "n"), inst.size(f, "m"), *rest, as_="xs")


def length(f: Frame, inst: Inst, args: list[Value]) -> Value:
    atoms = leaves(args[0])
    return f.b.dim(atoms[0], 0) if atoms else inst.size(f, "n")


def transposed(f: Frame, inst: Inst, a: Atom) -> Atom:
    return f.b.prim("transpose", a, perm=(1, 0, *range(2, a.type.rank)), as_="xs")


def unzipped(f: Frame, inst: Inst, args: list[Value]) -> Value:
    return args[0]


def iota(f: Frame, inst: Inst, args: list[Value]) -> Value:
    count = f.b.prim("check_size", the_atom(args[0]), what="the length of iota")
    return f.b.prim("iota", count, as_="is")


def as_wanted(f: Frame, inst: Inst, args: list[Value]) -> Value:
    wanted = inst.types["a"]
    assert isinstance(wanted, ty.Scalar)
    return convert(f.b, the_atom(args[0]), wanted.name)


RULES: dict[str, tuple[int, Rule]] = {
    "map": (2, mapped), "map2": (3, mapped), "map3": (4, mapped), "map4": (5, mapped), "map5": (6, mapped),
    "vmap": (2, mapped),
    "reduce": (3, folded("reduce")), "reduce_comm": (3, folded("reduce")), "scan": (3, folded("scan")),
    "tabulate": (2, tabulated),
    "length": (1, length),
    "iota": (1, iota),
    "replicate": (2, replicated),
    "concat": (2, concatenated),
    "transpose": (1, leafwise(transposed)),
    "reverse": (1, leafwise(lambda f, inst, a: f.b.prim("reverse", a, as_="xs"))),
    "rotate": (2, rotated),
    "flatten": (1, leafwise(flattened)),
    "unflatten": (1, leafwise(unflattened)),
    "zip": (2, lambda f, inst, args: TupV(tuple(args))),
    "zip3": (3, lambda f, inst, args: TupV(tuple(args))),
    "unzip": (1, unzipped),
    "unzip3": (1, unzipped),
    "scatter": (3, scattered),
    "filter": (2, soacs.filtered), "partition": (2, soacs.parted), "partition2": (3, soacs.parted),
    "reduce_by_index": (5, soacs.by_index), "hist": (5, soacs.hist),
    "argsort": (1, soacs.sorting),
    "sum": (1, along("sum")), "product": (1, along("prod")),
    "maximum": (1, along("maximum")), "minimum": (1, along("minimum")),
    "argmax": (1, along("argmax")), "argmin": (1, along("argmin")),
    "all": (2, quantified("all")), "any": (2, quantified("any")),
    "and": (1, along("all")), "or": (1, along("any")),
    **matrices.RULES,
    "from_i64": (1, as_wanted), "from_f64": (1, as_wanted),
    **derivatives.RULES,
    "stop_grad": (1, leafwise(derivatives.stopped)),
    **implicit.RULES,
    "with_jvp": (3, rules.with_rule("jvp")), "with_vjp": (3, rules.with_rule("vjp")),
}
assert set(SIGNATURES) == set(RULES), set(SIGNATURES) ^ set(RULES)
