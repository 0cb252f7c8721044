"""Choosing between values while the program runs."""
from __future__ import annotations

from collections.abc import Callable

from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom
from ...lang.source import Span
from .frame import Frame
from .functions import stuck
from .values import Value, form, leaves, rebuild


def branch(f: Frame, cond: Atom, then: Callable[[Frame], Value], orelse: Callable[[Frame], Value], span: Span) -> Value:
    """The value of one of two branches, each written into a block of its own."""
    yes, no = f.nested(), f.nested()
    a = then(yes)
    b = orelse(no)
    if form(a) != form(b):
        raise stuck(span, "E691", "an `if` cannot choose between functions", "here",
                    "apply the functions inside the branches")
    results = f.at(span).bind(ir.If(cond, yes.b.block(leaves(a)), no.b.block(leaves(b))), "r") if leaves(a) else ()
    return rebuild(a, iter(results))


def ragged_branch(
    f: Frame, cond: Atom, then: Callable[[Frame], Value], orelse: Callable[[Frame], Value], span: Span
) -> Value:
    """A branch whose arms give arrays of different sizes: two loops of one iteration or none, so that no pass takes the
    sizes of one arm for those of the other."""
    shape: Value | None = None
    state: list[Atom] = []
    for arm, taken in ((then, cond), (orelse, f.b.prim("not", cond))):
        g = f.nested()
        value = arm(g)
        if shape is None:
            shape = value
            state = [f.b.full(f.b.const(0, a.type) if a.type.dtype != "bool" else ir.Const(False, "bool"),
                              [i64(0)] * a.type.rank) for a in leaves(value)]
        params = tuple(g.b.fresh("s", a.type) for a in leaves(shape))
        count = f.at(span).prim("cast", taken, to="i64")
        body = g.b.block(leaves(value))
        state = list(f.b.bind(ir.Loop(count, None, g.b.fresh("i", ir.I64), params, tuple(state), body, (), True), "r"))
    assert shape is not None
    return rebuild(shape, iter(state))
