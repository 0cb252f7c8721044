"""Sums of products become contractions: sum over j of a[i,j] * b[j,k] is one matrix product, not a sum over an n × m
× k
array.

Runs on array code, after vectorisation, block by block. A `sum` (or a sum of sums) looks back through products,
squares, quotients, doublings, negations and alignment (`expand`, `broadcast`, `transpose`) to the factors and the
axes each really has; factors without a summed axis are taken out of the sum, the others are contracted two at a time,
the pair with the smallest result first. Only floats: the sum is taken in another order, which rounding alone can
tell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom, Block, Const, Prim, Stmt, Var
from ...lang.core.primitive import PRIMITIVES
from ...lang.core.walk import atoms, scopes

Labels = str
"""One letter to each axis; letters are in the order of the summed array's axes."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def contract(block: Block, supply: Fresh) -> Block:
    """The block with its sums of products contracted; what that leaves unused is for `prune`."""
    uses: Counter[Var] = Counter(_reads(block))
    return _block(block, supply, uses)


def _reads(block: Block) -> Iterator[Var]:
    pending = [block]
    while pending:
        here = pending.pop()
        for stmt in here.stmts:
            yield from (a for a in atoms(stmt.op) if isinstance(a, Var))
            pending.extend(inner for _, inner in scopes(stmt.op))
        yield from (a for a in here.results if isinstance(a, Var))


def _block(block: Block, supply: Fresh, uses: Counter[Var]) -> Block:
    b = Builder(supply)
    scope = _Scope(b, {}, uses, {})
    for stmt in block.stmts:
        match stmt.op:
            case Prim():
                b.span = stmt.span
                found = _contracted(scope, stmt)
                if found is None:
                    scope.define(stmt.vars[0], stmt.op)
                    b.stmts.append(stmt)
                else:
                    # The result keeps its variable: the last statement written binds it.
                    last = b.stmts.pop()
                    assert last.vars[0] == found
                    assert isinstance(last.op, Prim)
                    scope.define(stmt.vars[0], last.op)
                    b.stmts.append(Stmt(stmt.vars, last.op, stmt.span))
            case ir.If(cond, then, orelse):
                b.stmts.append(replace(stmt, op=ir.If(cond, _block(then, supply, uses), _block(orelse, supply, uses))))
            case ir.Map(arrays, body, shapes):
                inner = ir.Lambda(body.params, _block(body.body, supply, uses))
                b.stmts.append(replace(stmt, op=ir.Map(arrays, inner, shapes)))
            case ir.Loop(cond=cond, body=inside):
                tested = None if cond is None else ir.Lambda(cond.params, _block(cond.body, supply, uses))
                b.stmts.append(replace(stmt, op=replace(stmt.op, cond=tested, body=_block(inside, supply, uses))))
            case _:
                b.stmts.append(stmt)
    return Block(tuple(b.stmts), block.results)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is known of the block being written: how variables are made, how often read, what axes have size one."""

    b: Builder
    made: dict[Var, Prim]
    uses: Counter[Var]
    flat: dict[Var, frozenset[int]]

    def define(self, var: Var, op: Prim) -> None:
        self.made[var] = op
        flat = self._flat(op, var.type.rank)
        if flat:
            self.flat[var] = flat

    def _flat(self, op: Prim, rank: int) -> frozenset[int]:
        if op.name == "expand":
            axes = op.attr("axes")
            assert isinstance(axes, tuple)
            kept = [k for k in range(rank) if k not in axes]
            return frozenset(axes) | {kept[k] for k in self.flat_axes(op.args[0])}
        if op.name == "transpose":
            perm = op.attr("perm")
            assert isinstance(perm, tuple)
            return frozenset(place for place, axis in enumerate(perm) if axis in self.flat_axes(op.args[0]))
        if PRIMITIVES[op.name].elementwise and rank:
            return frozenset.intersection(*(self.flat_axes(a) for a in op.args if a.type.rank))
        return frozenset()

    def flat_axes(self, atom: Atom) -> frozenset[int]:
        return self.flat.get(atom, frozenset()) if isinstance(atom, Var) else frozenset()

    def op(self, atom: Atom) -> Prim | None:
        return self.made.get(atom) if isinstance(atom, Var) else None

    def leaf(self, atom: Atom, labels: Labels, below: bool = False) -> _Factor:
        """A factor with the axes it has in full; those of size one are summed away when it is used."""
        flat = self.flat_axes(atom)
        return _Factor(atom, _without(labels, tuple(flat)), below, tuple(sorted(flat, reverse=True)))


@dataclass(frozen=True, slots=True)
class _Factor:
    """`below`: it divides; `flat`: axes of size one of `atom`, which have no label."""

    atom: Atom
    labels: Labels
    below: bool = False
    flat: tuple[int, ...] = ()

    def squeezed(self, b: Builder) -> _Factor:
        atom = self.atom
        for axis in self.flat:
            atom = b.prim("sum", atom, axis=axis)
        return _Factor(atom, self.labels, self.below)


def _contracted(s: _Scope, stmt: Stmt) -> Var | None:
    """The sum written as a contraction, or None when it is not a sum of products that would gain."""
    if not isinstance(stmt.op, Prim) or stmt.op.name != "sum" or not stmt.vars[0].type.is_float:
        return None
    array, summed, output = _summed(stmt.op, s)
    if array.type.rank > len(LETTERS):
        return None
    labels = LETTERS[: array.type.rank]
    over = {labels[k] for k in summed}
    result = _sum(s, array, labels, over, "".join(labels[k] for k in output))
    if not isinstance(result, Var) or not s.b.stmts or s.b.stmts[-1].vars[0] != result:
        return None
    return result


def _sum(s: _Scope, array: Atom, labels: Labels, over: set[str], out: Labels) -> Atom | None:
    """The sum of `array` over these labels, by products; None, and nothing written, when that gains nothing."""
    b, op = s.b, s.op(array)
    if op is not None and op.name in ("add", "sub") and op.args[0] != op.args[1]:
        # The sum of a sum is taken apart when a part needs no array of all labels.
        if not isinstance(array, Var) or s.uses[array] > 1 or any(a.type.rank == 0 or s.flat_axes(a) for a in op.args):
            return None
        parts = [_sum(s, a, labels, over, out) for a in op.args]
        if all(p is None for p in parts):
            return None
        left, right = (_plain_sum(b, a, labels, over) if p is None else p for a, p in zip(op.args, parts, strict=True))
        return b.bind(Prim(op.name, (left, right)))[0]
    factors: list[_Factor] = []
    over, taken = set(over), set(labels)
    scale = _factors(s, array, labels, factors, over, taken, top=True)
    covered = {label for f in factors for label in f.labels}
    if len(factors) + (scale not in (1, -1)) < 2 or not (over | set(out)) <= covered:
        return None
    if any(f.below and set(f.labels) & over for f in factors) or not any(set(f.labels) & over for f in factors):
        return None
    factors = [f.squeezed(b) for f in factors]
    result = _combine(b, [f for f in factors if set(f.labels) & over], over)
    for factor in sorted((f for f in factors if not set(f.labels) & over), key=lambda f: len(f.labels)):
        result = _product(b, result, factor)
    assert set(result.labels) == set(out)
    total = _aligned(b, result, out)
    if scale == -1:
        total = b.neg(total)
    elif scale != 1:
        total = b.mul(b.const(scale, total), total)
    # Without terms the sum is zero, whatever is taken out of it. Arrays that are made here are not asked for their size
    # where that could keep them from being made a strip at a time.
    givers = [f for f in factors if total.type.rank == 0 or s.op(f.atom) is None]
    if all(over <= set(f.labels) for f in factors) or not over <= {label for f in givers for label in f.labels}:
        return total
    return b.prim("select", b.prim("eq", _terms(b, givers, over), i64(0)), b.const(0, total), total)


def _terms(b: Builder, factors: Sequence[_Factor], over: set[str]) -> Atom:
    """How many terms a sum over these labels has."""
    count: Atom = i64(1)
    for label in sorted(over):
        one = next(f for f in factors if label in f.labels)
        size = b.prim("dim", one.atom, axis=one.labels.index(label))
        count = size if count == i64(1) else b.mul(count, size)
    return count


def _plain_sum(b: Builder, array: Atom, labels: Labels, over: set[str]) -> Atom:
    for k in reversed(range(len(labels))):
        if labels[k] in over:
            array = b.prim("sum", array, axis=k)
    return array


def _summed(op: Prim, s: _Scope) -> tuple[Atom, list[int], list[int]]:
    """Through sums of sums: the array, the axes of it that are summed, those that stay."""
    array = op.args[0]
    chain = [op]
    while isinstance(array, Var) and s.uses[array] == 1 and array in s.made and s.made[array].name == "sum":
        chain.append(s.made[array])
        array = s.made[array].args[0]
    kept = list(range(array.type.rank))
    summed = []
    for step in reversed(chain):
        axis = step.attr("axis")
        assert isinstance(axis, int)
        summed.append(kept.pop(axis))
    return array, summed, kept


def _factors(
    s: _Scope, atom: Atom, labels: Labels, found: list[_Factor], over: set[str], taken: set[str], top: bool = False
) -> int:
    """Collects the factors of a product, with the labels of axes they have in full; returns a number to scale by.

    Axes summed inside a factor join `over`, with labels that are not `taken`.
    """
    op = s.op(atom)
    if op is None:
        found.append(s.leaf(atom, labels))
        return 1
    match op.name:
        case "expand" | "broadcast":
            axes = op.attr("axes")
            assert isinstance(axes, tuple)
            return _factors(s, op.args[0], _without(labels, axes), found, over, taken)
        case "transpose":
            return _factors(s, op.args[0], _untransposed(op, labels), found, over, taken)
    assert isinstance(atom, Var)
    if s.uses[atom] > 1 and not top and op.name != "neg":
        found.append(s.leaf(atom, labels))
        return 1
    match op.name:
        case "mul":
            x, y = op.args
            return _factors(s, x, labels if x.type.rank else "", found, over, taken) * _factors(
                s, y, labels if y.type.rank else "", found, over, taken
            )
        case "add" if op.args[0] == op.args[1]:
            twice = op.args[0]
            return 2 * _factors(s, twice, labels, found, over, taken, isinstance(twice, Var) and s.uses[twice] == 2)
        case "contract" if not top and (parts := _inner_factors(op, labels, over, taken)) is not None:
            return math.prod(_factors(s, x, own, found, over, taken) for x, own in parts)
        case "neg":
            return -_factors(s, op.args[0], labels, found, over, taken)
        case "div":
            divisor = _divisor(s, op.args[1], labels if op.args[1].type.rank else "")
            if not set(divisor.labels) & over:
                found.append(divisor)
                return _factors(s, op.args[0], labels if op.args[0].type.rank else "", found, over, taken)
        case "pow" if isinstance(op.args[1], Const) and op.args[1].value == 2:
            found.extend([s.leaf(op.args[0], labels)] * 2)
            return 1
    found.append(s.leaf(atom, labels))
    return 1


def _untransposed(op: Prim, labels: Labels) -> Labels:
    perm = op.attr("perm")
    assert isinstance(perm, tuple)
    back = [""] * len(perm)
    for place, axis in enumerate(perm):
        back[axis] = labels[place]
    return "".join(back)


def _inner_factors(op: Prim, labels: Labels, over: set[str], taken: set[str]) -> list[tuple[Atom, Labels]] | None:
    """The factors of a contraction inside the sum, whose labels join `over`. None when the sum does not touch it."""
    spec = op.attr("spec")
    assert isinstance(spec, str)
    inputs, out = spec.split("->")
    free = [label for label in LETTERS if label > max(taken)]
    summed = sorted(set(inputs) - set(out) - {","})
    if not set(labels) & over or len(summed) > len(free):
        return None
    rename = dict(zip(out, labels, strict=True)) | dict(zip(summed, free, strict=False))
    fresh = {rename[label] for label in summed}
    over |= fresh
    taken |= fresh
    return [(x, "".join(rename[label] for label in own)) for x, own in zip(op.args, inputs.split(","), strict=True)]


def _divisor(s: _Scope, atom: Atom, labels: Labels) -> _Factor:
    """A divisor without the alignment that it was given."""
    op = s.op(atom)
    if op is not None and op.name in ("expand", "broadcast"):
        axes = op.attr("axes")
        assert isinstance(axes, tuple)
        return s.leaf(op.args[0], _without(labels, axes), below=True)
    return s.leaf(atom, labels, below=True)


def _without(labels: Labels, axes: Sequence[int]) -> Labels:
    return "".join(label for k, label in enumerate(labels) if k not in axes)


def _combine(b: Builder, factors: Sequence[_Factor], over: set[str]) -> _Factor:
    """The product of the factors summed over `over`, two at a time."""
    items = _lonely_summed(b, factors, over)
    while len(items) > 1:
        best: tuple[tuple[int, int, int], int, int, str] | None = None
        for p in range(len(items)):
            for q in range(p + 1, len(items)):
                rest = {label for k, other in enumerate(items) if k not in (p, q) for label in other.labels}
                met = set(items[p].labels) | set(items[q].labels)
                result = "".join(sorted(label for label in met if label not in over or label in rest))
                cost = (len(result), len(met), p * len(items) + q)
                if best is None or cost < best[0]:
                    best = cost, p, q, result
        assert best is not None
        _, p, q, result = best
        pair = _pair(b, items[p], items[q], result)
        items = _lonely_summed(b, [pair, *(item for k, item in enumerate(items) if k not in (p, q))], over)
    return items[0]


def _lonely_summed(b: Builder, factors: Sequence[_Factor], over: set[str]) -> list[_Factor]:
    """Each factor summed over the labels of `over` that no other one has."""
    items = list(factors)
    for k, item in enumerate(items):
        others = {label for j, other in enumerate(items) if j != k for label in other.labels}
        for label in sorted((set(item.labels) & over) - others):
            summed = b.prim("sum", item.atom, axis=item.labels.index(label))
            item = _Factor(summed, item.labels.replace(label, ""))
        items[k] = item
    return items


def _pair(b: Builder, x: _Factor, y: _Factor, result: Labels) -> _Factor:
    if set(x.labels) | set(y.labels) == set(result):
        return _product(b, x, y)
    return _Factor(b.prim("contract", x.atom, y.atom, spec=f"{x.labels},{y.labels}->{result}"), result)


def _product(b: Builder, x: _Factor, y: _Factor) -> _Factor:
    """x * y, or x / y, with axes in alphabetical order."""
    labels = "".join(sorted(set(x.labels) | set(y.labels)))
    operation = b.div if y.below else b.mul
    return _Factor(operation(_aligned(b, x, labels), _aligned(b, y, labels)), labels)


def _aligned(b: Builder, x: _Factor, labels: Labels) -> Atom:
    if not x.labels or x.labels == labels:
        return x.atom
    atom = x.atom
    order = sorted(range(len(x.labels)), key=lambda k: x.labels[k])
    if order != list(range(len(order))):
        atom = b.prim("transpose", atom, perm=tuple(order))
    missing = tuple(k for k, label in enumerate(labels) if label not in x.labels)
    return b.prim("expand", atom, axes=missing) if missing else atom
