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
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Const, Prim, Stmt, Var
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
    made: dict[Var, Prim] = {}
    for stmt in block.stmts:
        match stmt.op:
            case Prim():
                b.span = stmt.span
                found = _contracted(b, stmt, made, uses)
                if found is None:
                    made[stmt.vars[0]] = stmt.op
                    b.stmts.append(stmt)
                else:
                    # The result keeps its variable: the last statement written binds it.
                    last = b.stmts.pop()
                    assert last.vars[0] == found
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
class _Factor:
    """`below`: it divides."""

    atom: Atom
    labels: Labels
    below: bool = False


def _contracted(b: Builder, stmt: Stmt, made: dict[Var, Prim], uses: Counter[Var]) -> Var | None:
    """The sum written as a contraction, or None when it is not a sum of products that would gain."""
    if not isinstance(stmt.op, Prim) or stmt.op.name != "sum" or not stmt.vars[0].type.is_float:
        return None
    array, summed, output = _summed(stmt.op, made, uses)
    labels = LETTERS[: array.type.rank]
    if array.type.rank > len(LETTERS):
        return None
    over = {labels[k] for k in summed}
    result = _sum(b, array, labels, over, "".join(labels[k] for k in output), made, uses)
    if not isinstance(result, Var) or not b.stmts or b.stmts[-1].vars[0] != result:
        return None
    return result


def _sum(
    b: Builder, array: Atom, labels: Labels, over: set[str], out: Labels, made: dict[Var, Prim], uses: Counter[Var]
) -> Atom | None:
    """The sum of `array` over these labels, by products; None, and nothing written, when that gains nothing."""
    op = made.get(array) if isinstance(array, Var) else None
    if op is not None and op.name in ("add", "sub") and uses[array] == 1 and op.args[0] != op.args[1]:  # type: ignore[index]
        # The sum of a sum is taken apart when a part needs no array of all labels.
        if all(a.type.rank == len(labels) for a in op.args):
            parts = [_sum(b, a, labels, over, out, made, uses) for a in op.args]
            if any(p is not None for p in parts):
                left, right = (
                    _plain_sum(b, a, labels, over) if p is None else p for a, p in zip(op.args, parts, strict=True)
                )
                return b.bind(Prim(op.name, (left, right)))[0]
        return None
    factors: list[_Factor] = []
    over = set(over)
    scale = _factors(array, labels, made, uses, factors, over, top=True)
    inner = [f for f in factors if set(f.labels) & over]
    outer = [f for f in factors if not set(f.labels) & over]
    covered = {label for f in factors for label in f.labels}
    if len(factors) + (scale not in (1, -1)) < 2 or not inner or not (over | set(out)) <= covered:
        return None
    result = _combine(b, inner, over)
    for factor in sorted(outer, key=lambda f: len(f.labels)):
        result = _product(b, result, factor)
    if scale == -1:
        result = _Factor(b.neg(result.atom), result.labels)
    elif scale != 1:
        result = _Factor(b.mul(b.const(scale, result.atom), result.atom), result.labels)
    assert result.labels == out
    return result.atom


def _plain_sum(b: Builder, array: Atom, labels: Labels, over: set[str]) -> Atom:
    for k in reversed(range(len(labels))):
        if labels[k] in over:
            array = b.prim("sum", array, axis=k)
    return array


def _summed(op: Prim, made: dict[Var, Prim], uses: Counter[Var]) -> tuple[Atom, list[int], list[int]]:
    """Through sums of sums: the array, the axes of it that are summed, those that stay."""
    array = op.args[0]
    chain = [op]
    while isinstance(array, Var) and uses[array] == 1 and array in made and made[array].name == "sum":
        chain.append(made[array])
        array = made[array].args[0]
    kept = list(range(array.type.rank))
    summed = []
    for step in reversed(chain):
        axis = step.attr("axis")
        assert isinstance(axis, int)
        summed.append(kept.pop(axis))
    return array, summed, kept


def _factors(
    atom: Atom,
    labels: Labels,
    made: dict[Var, Prim],
    uses: Counter[Var],
    found: list[_Factor],
    over: set[str],
    top: bool = False,
) -> int:
    """Collects the factors of a product, each with the labels of the axes it really has; returns a whole number to
    scale by.
    """
    op = made.get(atom) if isinstance(atom, Var) else None
    if op is None:
        found.append(_Factor(atom, labels))
        return 1
    match op.name:
        case "expand" | "broadcast":
            axes = op.attr("axes")
            assert isinstance(axes, tuple)
            return _factors(op.args[0], _without(labels, axes), made, uses, found, over)
        case "transpose":
            perm = op.attr("perm")
            assert isinstance(perm, tuple)
            back = [""] * len(perm)
            for place, axis in enumerate(perm):
                back[axis] = labels[place]
            return _factors(op.args[0], "".join(back), made, uses, found, over)
    assert isinstance(atom, Var)
    if uses[atom] > 1 and not top and op.name != "neg":
        found.append(_Factor(atom, labels))
        return 1
    match op.name:
        case "mul":
            x, y = op.args
            return _factors(x, labels if x.type.rank else "", made, uses, found, over) * _factors(
                y, labels if y.type.rank else "", made, uses, found, over
            )
        case "add" if op.args[0] == op.args[1]:
            twice = op.args[0]
            return 2 * _factors(twice, labels, made, uses, found, over, isinstance(twice, Var) and uses[twice] == 2)
        case "contract" if not top and (spread := _inner_factors(op, labels, found, over)) is not None:
            return math.prod(_factors(x, own, made, uses, found, over) for x, own in spread)
        case "neg":
            return -_factors(op.args[0], labels, made, uses, found, over)
        case "div":
            divisor = _real_labels(op.args[1], labels if op.args[1].type.rank else "", made)
            if not set(divisor.labels) & over:
                found.append(divisor)
                return _factors(op.args[0], labels if op.args[0].type.rank else "", made, uses, found, over)
        case "pow" if isinstance(op.args[1], Const) and op.args[1].value == 2:
            found.extend([_Factor(op.args[0], labels)] * 2)
            return 1
    found.append(_Factor(atom, labels))
    return 1


def _inner_factors(op: Prim, labels: Labels, found: list[_Factor], over: set[str]) -> list[tuple[Atom, Labels]] | None:
    """The factors of a contraction inside the sum, whose labels join `over`. None when the sum does not touch it."""
    spec = op.attr("spec")
    assert isinstance(spec, str)
    inputs, out = spec.split("->")
    taken = set(labels) | over | {label for f in found for label in f.labels}
    free = [label for label in LETTERS if label not in taken and label > max(taken)]
    summed = sorted(set(inputs) - set(out) - {","})
    if not set(labels) & over or len(summed) > len(free):
        return None
    rename = dict(zip(out, labels, strict=True)) | dict(zip(summed, free, strict=False))
    over |= {rename[label] for label in summed}
    return [(x, "".join(rename[label] for label in own)) for x, own in zip(op.args, inputs.split(","), strict=True)]


def _real_labels(atom: Atom, labels: Labels, made: dict[Var, Prim]) -> _Factor:
    """A divisor without the axes of size one that it was given."""
    op = made.get(atom) if isinstance(atom, Var) else None
    if op is not None and op.name in ("expand", "broadcast"):
        axes = op.attr("axes")
        assert isinstance(axes, tuple)
        return _Factor(op.args[0], _without(labels, axes), below=True)
    return _Factor(atom, labels, below=True)


def _without(labels: Labels, axes: Sequence[int]) -> Labels:
    return "".join(label for k, label in enumerate(labels) if k not in axes)


def _combine(b: Builder, factors: Sequence[_Factor], over: set[str]) -> _Factor:
    """The product of the factors summed over `over`, two at a time."""
    items = list(factors)
    for k, item in enumerate(items):
        others = {label for j, other in enumerate(items) if j != k for label in other.labels}
        for label in sorted(set(item.labels) & over - others):
            item = _Factor(b.prim("sum", item.atom, axis=item.labels.index(label)), item.labels.replace(label, ""))
        items[k] = item
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
        items = [item for k, item in enumerate(items) if k not in (p, q)]
        items.insert(0, pair)
    return items[0]


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
