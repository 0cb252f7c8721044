"""Loops: how often they run, and what their states are from iteration to iteration.

A state that the body hands on as it is, or greater by something that stays the same, is a formula of the number of the
iteration. To find out, the body is looked at with a symbol for each such state, for nothing but to see what becomes of
it; then once more, with what was found.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...lang.core import cost as costs
from ...lang.core import ir
from ...lang.core.ir import Stmt, Var
from ...lang.formulas import Formula, opaque
from ...lang.sizes import Opaque, SizeVar
from .values import Abstract, Cost, Place

if TYPE_CHECKING:
    from .analysis import Body

COUNTED = ("size", "trips", "branch", "calls")
"""Kinds of symbols that are not negative."""
ROUNDS = 3
"""How often states are looked at again because others have become known."""


def loop(body: Body, stmt: Stmt, op: ir.Loop) -> None:
    """The cost of a loop, and what is known of its results."""
    if op.count is not None:
        count = trips(body, body.number(op.count, stmt.span))
    else:
        count = body.watched(stmt.vars[-1], None, "trips", "iterations of the loop", stmt.span)
    init = [body.abstract(a) for a in op.init]
    for var, first in zip(op.params, op.init, strict=True):
        if not var.type.rank and var.type.dtype in ("i64", "bool") and isinstance(first, Var):
            init[op.params.index(var)] = Abstract((), body.number(first, stmt.span))
    sizes = [tuple(body.number(n, stmt.span) for n in row) for row in op.collect_shapes]
    states = States(body, stmt, op, init)
    steps = states.found(count)

    before = body.apart()
    index = body.enter(stmt, count)
    body.bind(op.index, Abstract((), Formula.of(index)))
    states.enter(steps, index)
    tests: Cost = {}
    if op.cond is not None:
        for param, state in zip(op.cond.params, op.params, strict=True):
            body.bind(param, body.env[state])
        states.watch_again(op.cond.params)
        body.block(op.cond.body)
        tests = body.apart()
    body.block(op.body)
    body.leave(stmt, before, body.cost, count, index)
    # The condition is asked once more than it holds.
    for (metric, place), formula in body.repeated(stmt, tests, count + 1, index, True).items():
        body.spend(metric, place, formula)

    last = len(op.params)
    for k, var in enumerate(stmt.vars[:last]):
        states.leave(k, var, steps, count)
    for var, row in zip(stmt.vars[last:last + len(sizes)], sizes, strict=True):
        body.bind(var, Abstract((count, *row)))
        shape = body.env[var].shape
        body.spend("bytes", Place.of(stmt.span), costs.elements(shape) * costs.BYTES[var.type.dtype])
    if op.count is None:
        body.bind(stmt.vars[-1], Abstract((), count))


Part = tuple[int, int | None]
"""Of state number k: an axis, or (None) its value."""


class States:
    def __init__(self, body: Body, stmt: Stmt, op: ir.Loop, init: Sequence[Abstract]) -> None:
        self.body, self.stmt, self.op, self.init = body, stmt, op, init
        self.first: dict[Part, Formula] = {}
        self.tried: set[Part] = set()
        for k, value in enumerate(init):
            if value.value is not None and not op.params[k].type.rank:
                self.first[k, None] = value.value
            for axis, size in enumerate(value.shape if op.ragged else ()):
                self.first[k, axis] = size

    def found(self, count: Formula) -> dict[Part, Formula | None]:
        """By how much each part grows in an iteration; None where that differs."""
        body, op = self.body, self.op
        steps: dict[Part, Formula | None] = dict.fromkeys(self.first, Formula.of(0))
        if not steps:
            return steps
        for _ in range(ROUNDS * (len(steps) + 1)):
            counts = dict(body.counts)
            before = body.apart()
            index = body.enter(self.stmt, count)
            body.bind(op.index, Abstract((), Formula.of(index)))
            marks = self.enter(steps, index)
            results = body.block(op.body)
            body.level -= 1
            body.cost = before
            body.counts = counts
            changed = False
            for part, step in steps.items():
                if step is None:
                    continue
                k, axis = part
                after = results[k].value if axis is None else results[k].shape[axis]
                grows = None if after is None else after - marks[part]
                if grows is not None and any(body.age(a) > body.level for a in grows.atoms()):
                    grows = None
                if grows != step:
                    # What was assumed does not hold: a constant growth is tried once, then nothing is assumed.
                    steps[part] = grows if step == Formula.of(0) and part not in self.tried else None
                    self.tried.add(part)
                    changed = True
            if not changed:
                return steps
        return dict.fromkeys(self.first)

    def enter(self, steps: dict[Part, Formula | None], index: SizeVar) -> dict[Part, Formula]:
        """Bind the parameters inside the body; what each part is there."""
        body, op = self.body, self.op
        marks: dict[Part, Formula] = {}
        for k, (param, first) in enumerate(zip(op.params, self.init, strict=True)):
            body.bound[param] = body.level
            parts: list[Formula] = []
            for axis in (*range(param.type.rank), None):
                if (k, axis) not in self.first:
                    parts.append(first.shape[axis] if axis is not None else Formula.of(0))
                    continue
                step = steps[k, axis]
                if step is not None:
                    mark = self.first[k, axis] + step * Formula.of(index) if step.value != 0 else self.first[k, axis]
                else:
                    what = f"the length of `{param.name}`" if axis is not None else f"the value of `{param.name}`"
                    mark = body.watched(param, axis, "value" if axis is None else "size", what, self.stmt.span)
                marks[k, axis] = mark
                parts.append(mark)
            value = parts[-1] if (k, None) in self.first else None
            body.bind(param, Abstract(tuple(parts[:param.type.rank]), value))
        return marks

    def watch_again(self, params: Sequence[Var]) -> None:
        """Parameters of the condition have values of their own: the last test sees the last state."""
        watch, name = self.body.owner.watch, self.body.name
        for param, state in zip(params, self.op.params, strict=True):
            for entry in watch.bound.get((name, state), ()):
                if entry not in watch.bound.setdefault((name, param), []):
                    watch.bound[name, param].append(entry)

    def leave(self, k: int, var: Var, steps: dict[Part, Formula | None], count: Formula) -> None:
        """What is known of a state after the loop."""
        body = self.body
        sizes: list[Formula | None] = []
        for axis in range(var.type.rank):
            sizes.append(self.last((k, axis), steps, count) if (k, axis) in self.first else self.init[k].shape[axis])
        value = self.last((k, None), steps, count) if (k, None) in self.first else None
        body.measured(var, sizes, value, self.stmt.span)

    def last(self, part: Part, steps: dict[Part, Formula | None], count: Formula) -> Formula | None:
        step = steps[part]
        return None if step is None else self.first[part] + step * count


# ------------------------------------------------------------------ numbers of iterations


def trips(body: Body, count: Formula) -> Formula:
    """`count`, if it is not negative; a `max` where nothing can be said."""
    number = count.value
    if number is not None:
        return count if number >= 0 else Formula.of(0)
    lowest = None if body.owner.careful or body.family is not None else least(body, count)
    if lowest is None or (lowest.value is not None and lowest.value < 0):
        return opaque("max", count, Formula.of(0))
    body.counts[lowest] = None
    return count


def least(body: Body, count: Formula) -> Formula | None:
    """The least value over all iterations of the loops around, if the count is linear in their numbers."""
    if count.below != 1:
        return None
    for atom in dict.fromkeys(a for monomial, _ in count.top.terms for a in monomial):
        if isinstance(atom, Opaque):
            plain = atom.op in ("/", "//", "%") and all(c > 0 for o in atom.operands for _, c in o.terms)
            if body.age(atom) or not (plain or atom.op == "max") or not all(c > 0 for _, c in count.top.terms):
                return None
            continue
        if body.age(atom) == 0 and atom not in body.owner.symbols:
            continue
        if isinstance(atom, SizeVar) and atom in body.owner.symbols and body.owner.symbols[atom].kind in COUNTED:
            continue
        if atom not in body.limits:
            return None
        split = count.top.linear(atom)
        if split is None:
            return None
        factor = split[0].value
        if factor is None:
            return None
        at = Formula.of(0) if factor > 0 else body.limits[atom] - 1
        count = count.substitute({atom: at})
    return count


def plainly_positive(count: Formula) -> bool:
    return all(c > 0 for _, c in count.top.terms)
