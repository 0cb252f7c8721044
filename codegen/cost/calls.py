"""Calls: the cost of a function in the terms of its caller, and of functions that call themselves.

What a function costs is found once, in its formal parameters; a call puts in what is known of the arguments, and has a
symbol of its own for each symbol inside. A family of functions that call each other costs the sum over all calls that
follow from the first: a symbol counts the calls, others sum up what differs from call to call.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.ir import Stmt
from ...lang.formulas import Formula
from ...lang.sizes import Monomial, Opaque, Size, SizeAtom, SizeVar
from .values import Abstract, Place, first

if TYPE_CHECKING:
    from .analysis import Body


def call(body: Body, stmt: Stmt, op: ir.Call) -> None:
    """The cost of a call, and what is known of its results."""
    args = [body.abstract(a) for a in op.args]
    if body.family is not None and op.function in body.family.members:
        body.family.calls.append((op.function, args))
        unknown_results(body, stmt)
        return
    for k, atom in enumerate(op.args):
        if not atom.type.rank and atom.type.dtype in ("i64", "bool"):
            args[k] = Abstract((), body.number(atom, stmt.span))
    if op.function in body.owner.families:
        recursive(body, stmt, op.function, args)
        unknown_results(body, stmt)
        return
    summary = body.owner.summary(op.function)
    inside = Inside(body, stmt, matched(summary.formals, args))
    for (metric, place), formula in summary.cost.items():
        body.spend(metric, placed(place, stmt), inside.formula(formula))
    for count in summary.counts:
        body.counts[inside.formula(count)] = None
    for var, result in zip(stmt.vars if body.name else (), summary.results, strict=False):
        value = None if result.value is None or var.type.rank else inside.formula(result.value)
        body.bind(var, Abstract(tuple(inside.formula(s) for s in result.shape), value))


def placed(place: Place, stmt: Stmt) -> Place:
    """Lines of the library cost at the line that calls them."""
    return place if place.line else Place.of(stmt.span)


def matched(formals: Sequence[Abstract], args: Sequence[Abstract]) -> dict[SizeAtom, Formula]:
    """Formal parameters, and what they are."""
    env: dict[SizeAtom, Formula] = {}
    for formal, arg in zip(formals, args, strict=True):
        pairs = [*zip(formal.shape, arg.shape, strict=True)]
        if formal.value is not None and arg.value is not None:
            pairs.append((formal.value, arg.value))
        for left, right in pairs:
            atom = left.top.atom
            if atom is not None:
                env.setdefault(atom, right)
    return env


class Inside:
    """Formulas of a function as its caller sees them."""

    def __init__(self, body: Body, stmt: Stmt, env: dict[SizeAtom, Formula]) -> None:
        self.body, self.stmt, self.env = body, stmt, env

    def formula(self, formula: Formula) -> Formula:
        for atom in formula.atoms():
            if isinstance(atom, SizeVar) and atom not in self.env and atom in self.body.owner.symbols:
                self.env[atom] = self.own(atom)
        return formula.substitute(self.env)

    def own(self, inner: SizeVar) -> Formula:
        body = self.body
        symbol = body.owner.symbols[inner]
        most = None if symbol.most is None else symbol.most.substitute(self.env)
        made = body.symbol(symbol.kind, symbol.what, symbol.span, body.level, most)
        outer = made.top.atom
        assert isinstance(outer, SizeVar)
        body.owner.watch.calls.setdefault((body.name, first(self.stmt)), []).append((outer, inner))
        return made


def unknown_results(body: Body, stmt: Stmt) -> None:
    for var in stmt.vars if body.name else ():
        body.measured(var, [None] * var.type.rank, None, stmt.span)


# ------------------------------------------------------------------ recursion


def recursive(body: Body, stmt: Stmt, function: str, args: Sequence[Abstract]) -> None:
    """All calls that follow from this one."""
    from .analysis import Recursion

    owner = body.owner
    family = owner.recursions.get(owner.families[function])
    if family is None:
        family = owner.recursions[owner.families[function]] = Recursion(owner.families[function])
        for name in sorted(family.members):
            inner, formals = owner.body(name)
            inner.family = family
            inner.block(owner.program.functions[name].body)
            family.parts[name] = (inner.cost, formals)
    parts = family.parts
    env = unchanging(parts[function][1], args, family.calls) if len(parts) == 1 else {}
    key = (body.name, first(stmt))
    entries = owner.watch.families.setdefault(key, [])
    owner.watch.members.update(dict.fromkeys(family.members, family.members))
    made: dict[tuple[str, Monomial], Formula] = {}
    for name, (cost, _) in parts.items():
        for (metric, place), formula in cost.items():
            total = Formula.of(0)
            for monomial, coefficient in formula.top.terms:
                differs = tuple(a for a in monomial if not stays(a, env))
                same = Formula(Size(((tuple(a for a in monomial if stays(a, env)), coefficient),))).substitute(env)
                if (name, differs) not in made:
                    made[name, differs] = sum_of_calls(body, stmt, name, differs)
                    atom = made[name, differs].top.atom
                    assert isinstance(atom, SizeVar)
                    entries.append((atom, name, differs))
                total = total + same * made[name, differs]
            body.spend(metric, placed(place, stmt), total / formula.below)


def stays(atom: SizeAtom, env: dict[SizeAtom, Formula]) -> bool:
    if isinstance(atom, Opaque):
        return all(stays(a, env) for o in atom.operands for a in o.atoms())
    return atom in env


def unchanging(formals: Sequence[Abstract], args: Sequence[Abstract],
               calls: Sequence[tuple[str, Sequence[Abstract]]]) -> dict[SizeAtom, Formula]:
    """Formal parameters that every call hands on as they are, and what they are at first."""
    env = matched(formals, args)
    for _, given in calls:
        for formal, arg in zip(formals, given, strict=True):
            pairs = [*zip(formal.shape, arg.shape, strict=True)]
            if formal.value is not None:
                pairs.append((formal.value, arg.value if arg.value is not None else Formula.of(-1)))
            for left, right in pairs:
                if left != right and left.top.atom is not None:
                    env.pop(left.top.atom, None)
    return env


def sum_of_calls(body: Body, stmt: Stmt, name: str, product: Monomial) -> Formula:
    function = body.owner.program.functions[name]
    called = function.source_name or name
    if not product:
        return body.symbol("calls", f"calls of `{called}`", stmt.span, body.level)
    kind, span, _, what = body.described(product)
    if kind in ("size", "value", "total"):
        kind = "total"
        what = what if what.startswith("the sum of") else f"the sum of {what}"
    return body.symbol(kind, f"{what}, over the calls of `{called}`", span or stmt.span, body.level)
