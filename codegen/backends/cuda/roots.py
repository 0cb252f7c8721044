"""Where pointers of a function may lead: sets of what makes memory, by the numbers of registers.

Unlike `loops.fuse.Memory` it follows pointers through loops and branches.
"""

from __future__ import annotations

from ..loops import tree
from ..loops.operands import everything
from ..loops.tree import Operand, Reg

UNKNOWN = -1
Roots = frozenset[int]


class Leads:
    """Of a function: parameters, arrays it takes, tables, and what calls give are roots."""

    def __init__(self, function: tree.Function) -> None:
        self.found: dict[int, set[int]] = {p.id: {p.id} for p in function.params if p.pointer}
        self.made = {n.out.id: n for n in everything(function.body) if isinstance(n, tree.Scalar)}
        flows: list[tuple[int, int]] = []
        for node in everything(function.body):
            match node:
                case tree.Alloc(out) | tree.Local(out) | tree.Data(out):
                    self.found[out.id] = {out.id}
                case tree.Resize(out):
                    self.found[out.id] = {UNKNOWN}
                case tree.Shift(out, base):
                    flows.append((base.id, out.id))
                case tree.For() | tree.While():
                    for reg, first, later, last in zip(node.carried, node.init, node.next, node.outs, strict=True):
                        for x in (first, later):
                            flows += edge(x, reg)
                        flows += edge(reg, last)
                case tree.Choice():
                    for out, x, y in zip(node.outs, node.then_values, node.orelse_values, strict=True):
                        flows += [*edge(x, out), *edge(y, out)]
                case tree.Invoke(outs=outs):
                    self.found.update((r.id, {r.id}) for r in outs if r.pointer)
                case tree.Host(results=results):
                    self.found.update((r.id, {r.id}) for r, *_ in results if r.pointer)
                case _:
                    pass
        changed = True
        while changed:
            changed = False
            for source, to in flows:
                known, more = self.found.setdefault(to, set()), self.found.get(source, set())
                if not more <= known:
                    known |= more
                    changed = True

    def of(self, pointer: Reg) -> Roots:
        return frozenset(self.found.get(pointer.id) or (UNKNOWN,))


def edge(x: Operand, to: Reg) -> list[tuple[int, int]]:
    return [(x.id, to.id)] if isinstance(x, Reg) and x.pointer else []
