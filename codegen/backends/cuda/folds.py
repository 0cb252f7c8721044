"""Loops that fold: what they carry comes out the same in any order of their iterations.

In: a loop in order. Out: for each number that it carries the operation, and what an iteration gives to it. Operations
are those of which the order shows nowhere: extremes, truth values, additions and products of whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....lang.core import ir
from ..loops import tree
from ..loops.operands import everything, own, read
from ..loops.tree import Code, Operand, Reg

ALWAYS = frozenset({"max", "min", "and", "or", "xor", "band", "bor", "bxor"})
WHOLE = frozenset({"add", "mul"})


@dataclass(frozen=True)
class Fold:
    """`body` computes `values`, one to each operation."""

    body: Code
    ops: tuple[str, ...]
    values: tuple[Operand, ...]


def fold_of(node: tree.For) -> Fold | None:
    """What the loop folds; None where it does something else."""
    if not node.carried or any(r.pointer for r in node.carried):
        return None
    uses = read([node])
    made = {n.out.id: n for n in node.body if isinstance(n, tree.Scalar)}
    ops: list[str] = []
    values: list[Operand] = []
    last: set[int] = set()
    for reg, following in zip(node.carried, node.next, strict=True):
        maker = made.get(following.id) if isinstance(following, Reg) else None
        if maker is None or len(maker.args) != 2 or uses.get(reg) != 1 or uses.get(maker.out) != 1:
            return None
        if maker.name not in ALWAYS and not (maker.name in WHOLE and reg.dtype in ir.INTEGERS):
            return None
        rest = [a for a in maker.args if a != reg]
        if len(rest) != 1:
            return None
        ops.append(maker.name)
        values.append(rest[0])
        last.add(id(maker))
    body = [n for n in node.body if id(n) not in last]
    carried = {r.id for r in node.carried}
    inside = {n.out.id for n in everything(body) if isinstance(n, tree.Alloc | tree.Local)}
    inside |= {n.out.id for n in everything(body) if isinstance(n, tree.Shift) and n.base.id in inside}
    for n in everything(body):
        if any(isinstance(x, Reg) and x.id in carried for x in own(n)[0]):
            return None
        match n:
            case tree.Store(base=target) | tree.Copy(target=target) if target.id not in inside:
                return None
            case tree.Resize():
                return None
            case _:
                pass
    return Fold(body, tuple(ops), tuple(values))
