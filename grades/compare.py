"""Two runs beside each other: where they first decide otherwise, and the first derivative in which results differ."""
from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..lang.core import ir, walk
from . import jets
from .evaluate import Decision, Watch
from .jets import Jet, Number
from .lines import Line
from .operations import Value
from .reals import context

# ------------------------------------------------------------------ what decides a branch


def condition_of(program: ir.Program, site: ir.Stmt) -> tuple[ir.Var, ...]:
    """The comparisons of floats that the condition of a branch is made of; of a primitive, its own results."""
    if not isinstance(site.op, ir.If):
        return site.vars if isinstance(site.op, ir.Prim) else ()
    defined = next((found for function in program.functions.values()
                    for found in [definitions(function)] if found.get(site.vars[0]) is site), {}) if site.vars else {}
    todo: list[ir.Atom] = [site.op.cond]
    seen: dict[ir.Var, None] = {}
    found: list[ir.Var] = []
    while todo:
        atom = todo.pop()
        if not isinstance(atom, ir.Var) or atom in seen or atom not in defined:
            continue
        seen[atom] = None
        stmt = defined[atom]
        match stmt.op:
            case ir.Prim(_, args) if any(a.type.is_float for a in args):
                found.append(atom)
            case ir.Prim(_, args):
                todo.extend(args)
            case ir.If(cond, then, orelse):
                place = stmt.vars.index(atom)
                todo.extend((cond, then.results[place], orelse.results[place]))
            case _:
                pass
    return tuple(found)


def definitions(function: ir.Function) -> dict[ir.Var, ir.Stmt]:
    """Where each variable is bound, nested blocks included."""
    found: dict[ir.Var, ir.Stmt] | None = function.known.get("definitions")
    if found is None:
        found = function.known["definitions"] = {}
        blocks = [function.body]
        while blocks:
            for stmt in blocks.pop().stmts:
                found.update(dict.fromkeys(stmt.vars, stmt))
                blocks.extend(block for _, block in walk.scopes(stmt.op))
    return found


# ------------------------------------------------------------------ comparing runs


def differs(first: Watch, other: Watch) -> int | None:
    """The number of the first visit of the site that decides otherwise; without a site, 0 if anything does."""
    if first.site is None:
        assert first.trace is not None
        assert other.trace is not None
        return None if first_change(first.trace, other.trace) is None else 0
    for k, ((a, _), (b, _)) in enumerate(zip(first.visits, other.visits, strict=False)):
        if a != b:
            return k
    return None


def same(first: Watch, other: Watch, visit: int) -> bool:
    if first.site is None:
        return differs(first, other) is None
    return visit < len(other.visits) and first.visits[visit][0] == other.visits[visit][0]


def near(decision: Decision) -> bool:
    """Whether a decision is taken just where it could go otherwise."""
    return jets.tiny(jets.leaf(decision[2]), 1e10)


def first_change(first: Sequence[Decision], other: Sequence[Decision]) -> int | None:
    for k, (a, b) in enumerate(zip(first, other, strict=False)):
        if a[0] is not b[0]:
            return None
        if a[1] != b[1]:
            return k
    return None


def distance(watch: Watch, var: ir.Var) -> float | None:
    found = watch.condition.get(var)
    return None if found is None or not math.isfinite(found[1]) else float(found[1])


def zero_of(c: Sequence[Number]) -> Any | None:
    """The zero nearest to 0 of a series, by Newton's method; None where its slope is zero."""
    if jets.tiny(c[1]):
        return None if not jets.tiny(c[0]) else context().zero
    s = -c[0] / c[1]
    for _ in range(6):
        value, slope = context().zero, context().zero
        for k in reversed(range(len(c))):
            slope = slope * s + value
            value = value * s + c[k]
        if not slope:
            return None
        move = value / slope
        s -= move
        if abs(move) <= abs(s) * context().mpf(10) ** -50:
            break
    return s


def flat(value: Value) -> list[Number]:
    """The numbers of a result that are floats."""
    if isinstance(value, np.ndarray):
        return list(value.ravel()) if value.dtype == object else []
    return [] if isinstance(value, bool | int | np.generic) else [value]


def mirrored(value: Value) -> Value:
    """A series in the other direction."""
    def turned(x: Number) -> Number:
        return Jet(tuple([-a if k % 2 else a for k, a in enumerate(x.c)]), x.level) if type(x) is Jet else x

    if isinstance(value, np.ndarray):
        return np.asarray(np.frompyfunc(turned, 1, 1)(value), value.dtype)
    return turned(value)


def coefficient(results: Sequence[Value], at: tuple[int, int], order: int, way: int) -> Any:
    """A derivative of one number of the results, forwards; None where it is not known."""
    x = flat(results[at[0]])[at[1]]
    if type(x) is not Jet:
        return x if order == 0 else context().zero
    if order >= len(x.c):
        return None
    return x.c[order] * math.factorial(order) * way**order


def difference(below: Sequence[Value], above: Sequence[Value], limit: int
               ) -> tuple[int, float, tuple[int, int], tuple[float, float]] | None:
    """The first order at which two sides differ: that, by how much, where, and what the derivative is on either."""
    places = [(k, j) for k, r in enumerate(above) for j in range(len(flat(r)))]
    if any(len(flat(a)) != len(flat(b)) for a, b in zip(below, above, strict=True)):
        return None
    unknown: set[tuple[int, int]] = set()
    for order in range(limit + 1):
        best: tuple[int, float, tuple[int, int], tuple[float, float]] | None = None
        for at in places:
            if at in unknown:
                continue
            low, high = coefficient(below, at, order, -1), coefficient(above, at, order, 1)
            if low is None or high is None:
                unknown.add(at)
                continue
            size = max(abs(low), abs(high), *(abs(jets.leaf(flat(r[at[0]])[at[1]])) for r in (below, above)), 1)
            gap = abs(high - low)
            if gap > size * context().mpf(10) ** -32 and (best is None or gap > best[1]):
                best = order, float(gap), at, (float(low), float(high))
        if best is not None:
            return best
    return None


# ------------------------------------------------------------------ numbers that can be read


def decimal(x: Any) -> float | None:
    """The short decimal that a number of many digits is; None if it is none."""
    text = context().nstr(x, 7)
    return float(text) if abs(context().mpf(text) - x) <= context().mpf(10) ** -38 * max(1, abs(x)) else None


def said(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return [said(v) for v in x]
    if isinstance(x, context().mpf):
        found = decimal(x)
        return float(x) if found is None else found
    return x.item() if isinstance(x, np.generic) else x


def plain(x: Any) -> Any:
    """Lists and Python's numbers."""
    return x.tolist() if isinstance(x, np.ndarray | np.generic) else x


def slopes_of(line: Line, k: int, like: Any) -> Any:
    if not isinstance(like, np.ndarray):
        return float(line.slopes.get((k, ()), Fraction(0)))
    out = np.zeros(like.shape)
    for (param, at), slope in line.slopes.items():
        if param == k:
            out[at] = float(slope)
    return out


def length(x: Any, axis: int) -> int:
    return int(np.shape(x)[axis])
