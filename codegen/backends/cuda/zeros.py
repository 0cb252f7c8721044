"""Loops that fill an array with zeros, which need no kernel.

An array that nobody has used yet may be filled as a whole, whatever part of it a loop fills: so the loop is one
`memset`, and none where what comes next adds to it, and can begin with zeros itself.
"""

from __future__ import annotations

import math

from ..loops import tree
from ..loops.operands import everything, own
from ..loops.tree import Imm, Reg
from .roots import UNKNOWN, Leads


def filled(node: tree.Node, memory: Leads) -> int | None:
    """The root of the array that a loop fills with zeros, where it does nothing else."""
    if not isinstance(node, tree.For) or not node.parallel or node.carried:
        return None
    roots: set[int] = set()
    for n in everything([node]):
        match n:
            case tree.For(carried=()) | tree.Shift():
                pass
            case tree.Scalar(out=out) if out.dtype in ("i64", "bool"):
                pass
            case tree.Store(base=base, value=Imm(value=value)) if not value and math.copysign(1, value) > 0:
                roots |= memory.of(base)
            case _:
                return None
    return roots.pop() if len(roots) == 1 else None


def mentions(node: tree.Node, memory: Leads, root: int) -> bool:
    """Whether a node may have to do with an array."""
    for n in everything([node]):
        reads, made = own(n)
        for x in (*reads, *made):
            if isinstance(x, Reg) and x.pointer and memory.of(x) & {root, UNKNOWN}:
                return True
    return False
