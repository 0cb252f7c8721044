"""Values of sum types: made by constructors, taken apart by `match`.

A `match` tries its cases in order; each is a bool made of comparisons of tags and literals, which cannot fail and cost
next to nothing, so they are plain statements and the code grows with the patterns, not with their products. Few cases
are `if`s inside each other. Of many, the number of the one that fits is found first and the `if`s halve the numbers, so
that they nest to the logarithm of the number of cases.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import zero
from ...lang.core.ir import Atom
from ...lang.intrinsics import wrapped
from ...lang.sizes import Size
from ...lang.surface import ast
from .choice import branch, ragged_branch
from .frame import Frame, UnknownSize
from .patterns import bind, data
from .values import RecV, SumV, TupV, Value, from_type, the_atom

FEW = 6


def construct(f: Frame, t: ty.Type, name: str, payload: Sequence[Value]) -> SumV:
    """`#name payload` of type `t`."""
    assert isinstance(t, ty.Sum)
    if not data(t):
        return SumV(None, ((name, tuple(payload)),), name)
    names = [c for c, _ in t.constructors]
    tag = ir.Const(names.index(name), ty.TAG)
    return SumV(tag, tuple((c, tuple(payload) if c == name else tuple(zeros(f, i) for i in items))
                           for c, items in t.constructors))


def zeros(f: Frame, t: ty.Type) -> Value:
    """What stands for a value that is not there: zeros of its shape.

    A size that nothing knows is 0, and so is one that only the other constructor has seen to be positive.
    """

    def leaf(t: ir.Type, sizes: tuple[Size, ...]) -> Atom:
        shape: list[Atom] = []
        for s in sizes:
            try:
                size = f.size(s)
                shape.append(size if isinstance(size, ir.Const) else f.b.prim("max", size, ir.Const(0, "i64")))
            except UnknownSize:
                shape.append(ir.Const(0, "i64"))
        return f.b.full(ir.Const(zero(t.dtype), t.dtype), shape)

    return from_type(t, leaf)


def match(f: Frame, e: ast.Match, value: Value, patterns: Sequence[ast.Pattern],
          bodies: Sequence[Callable[[Frame], Value]]) -> Value:
    """The body of the first pattern that fits."""
    f.at(e.scrutinee.span)
    cases: list[tuple[Atom | None, ast.Pattern, Callable[[Frame], Value]]] = []
    for pattern, body in zip(patterns, bodies, strict=True):
        fitting = fits(f, pattern, value)
        if fitting is False:
            continue
        cases.append((None if fitting is True else fitting, pattern, body))
        if fitting is True:
            break
    cases[-1] = (None, *cases[-1][1:])  # the checker has seen that the cases fit every value

    choose = ragged_branch if f.checked.opened.get(e) else branch

    def run(g: Frame, k: int) -> Value:
        bind(g, cases[k][1], value)
        return cases[k][2](g)

    def one_by_one(g: Frame, k: int) -> Value:
        test = cases[k][0]
        if test is None:
            return run(g, k)
        return choose(g, test, lambda h: run(h, k), lambda h: one_by_one(h, k + 1), e.span)

    if len(cases) <= FEW:
        return one_by_one(f, 0)
    chosen: Atom = ir.Const(len(cases) - 1, "i64")
    for k in reversed(range(len(cases) - 1)):
        test = cases[k][0]
        assert test is not None
        chosen = f.b.select(test, ir.Const(k, "i64"), chosen)

    def halves(g: Frame, low: int, high: int) -> Value:
        if high - low == 1:
            return run(g, low)
        middle = (low + high) // 2
        below = g.b.prim("lt", chosen, ir.Const(middle, "i64"))
        return choose(g, below, lambda h: halves(h, low, middle), lambda h: halves(h, middle, high), e.span)

    return halves(f, 0, len(cases))


def fits(f: Frame, pattern: ast.Pattern, value: Value) -> Atom | bool:
    """Whether the pattern fits the value: known while compiling, or a bool of the program."""
    tests: list[Atom] = []
    pending: list[tuple[ast.Pattern, Value]] = [(pattern, value)]
    while pending:
        match pending.pop():
            case ast.PAscribe(pattern=inner), v:
                pending.append((inner, v))
            case ast.PTuple(items=items), TupV(parts):
                pending.extend(reversed(list(zip(items, parts, strict=True))))
            case ast.PRecord(fields=fields), RecV() as record:
                pending.extend(reversed([(p, record.get(n)) for n, p in fields]))
            case ast.PConstr(name=name, arguments=arguments), SumV(tag, cases, known) as sum_:
                if tag is None:
                    if known != name:
                        return False
                elif isinstance(tag, ir.Const):
                    if tag.value != sum_.number(name):
                        return False
                elif len(cases) > 1:
                    tests.append(f.b.prim("eq", tag, ir.Const(sum_.number(name), tag.type.dtype)))
                pending.extend(reversed(list(zip(arguments, sum_.get(name), strict=True))))
            case ast.PLit(value=literal), v:
                atom = the_atom(v)
                wanted = literal.value
                if atom.type.is_float:
                    wanted = float(wanted)
                elif isinstance(wanted, int) and atom.type.dtype != "bool":
                    wanted = wrapped(wanted, atom.type.dtype)
                if isinstance(atom, ir.Const):
                    if atom.value != wanted:
                        return False
                elif atom.type.dtype == "bool":
                    tests.append(atom if wanted else f.b.prim("not", atom))
                else:
                    tests.append(f.b.prim("eq", atom, ir.Const(wanted, atom.type.dtype)))
            case _:
                pass
    if not tests:
        return True
    test = tests[0]
    for other in tests[1:]:
        test = f.b.prim("and", test, other)
    return test
