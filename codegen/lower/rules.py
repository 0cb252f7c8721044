"""`with_jvp` and `with_vjp`: functions with a derivative rule of the program's own.

Both are written out into an `ir.Custom`, so that no pass can look through the function to what the rule is to replace;
when all derivatives are taken, the function's code takes its place.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ...lang.core import ir
from ...lang.core.ir import Atom, Lambda
from .frame import Frame
from .functions import apply
from .values import FunV, RecV, SumV, TupV, Value, leaves, rebuild, tangent_leaves, tangent_value

if TYPE_CHECKING:
    from .builtins import Inst, Rule


def with_rule(mode: Literal["jvp", "vjp"]) -> Rule:
    def lowered(f: Frame, inst: Inst, args: list[Value]) -> Value:
        function, rule, x = args
        span = f.b.span
        h = f.nested()
        params = renewed(h, x)
        value = apply(h, function, [rebuild(x, iter(params))])
        body = Lambda(params, h.b.block(leaves(value)))
        g = f.nested()
        xs, ys = renewed(g, x), renewed(g, value)
        inner_x, inner_y = rebuild(x, iter(xs)), rebuild(value, iter(ys))
        given, wanted = (inner_x, inner_y) if mode == "jvp" else (inner_y, inner_x)
        seeds = tuple(g.b.fresh("seed", p.type) for p in (xs if mode == "jvp" else ys) if p.type.is_float)
        made = apply(g, rule, [inner_x, tangent_value(given, iter(seeds))])
        lam = Lambda((*xs, *ys, *seeds), g.b.block(tangent_leaves(wanted, made)))
        f.b.span = span
        place = inst.place or span
        origin = None
        if place is not None and not place.source.shipped:
            written = rule.place if isinstance(rule, FunV) else None
            origin = ir.Origin(place, written or place, tuple(paths(x)), tuple(paths(value)))
        return rebuild(value, iter(f.b.bind(ir.Custom(mode, body, lam, tuple(leaves(x)), origin), "y")))

    return lowered


def renewed(f: Frame, value: Value) -> tuple[ir.Var, ...]:
    """Parameters for the atoms of a value of this form."""
    return tuple(f.b.fresh(name(a), a.type) for a in leaves(value))


def name(a: Atom) -> str:
    return a.name if isinstance(a, ir.Var) else "x"


def paths(value: Value, here: str = "") -> Iterator[str]:
    """What each atom of a value is called behind the value's name: nothing, or `.a.0`."""
    match value:
        case TupV(items):
            for k, item in enumerate(items):
                yield from paths(item, f"{here}.{k}")
        case RecV(fields):
            for field, item in fields:
                yield from paths(item, f"{here}.{field}")
        case SumV(tag, cases):
            if tag is not None:
                yield here
            for case, payload in cases:
                for item in payload:
                    yield from paths(item, f"{here} #{case}")
        case _:
            for _ in leaves(value):
                yield here
