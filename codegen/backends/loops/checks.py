"""Checks before what they guard: a loop that only checks, and one that only computes.

In: a function in loop form. Out: the same, in which loops of independent iterations that check their indices, and then
compute and store, are two: the first looks whether all checks hold, in their order, and the second is straight code,
which can be joined with others and run in the lanes of vectors. What a loop writes before a check of it fails is the
function's own, and nobody sees it. Loops with little to compute stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from . import tree
from .copies import copied, renamed
from .fuse import Memory, straight
from .operands import defined, everything, own
from .tree import Code, Node, Reg

ENOUGH = 10
"""Operations that are worth a loop of their own."""
QUICK = frozenset({"add", "sub", "mul", "neg", "abs", "min", "max", "select", "eq", "ne", "lt", "le", "gt", "ge", "and",
                   "or", "not", "xor", "cast"})


def checks_first(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    if not any(isinstance(n, tree.Check) for loop in everything(f.body) if isinstance(loop, tree.For)
               for n in loop.body):
        return f
    return replace(f, body=Splits(f).code(f.body))


class Splits:
    """Of one function."""

    def __init__(self, f: tree.Function) -> None:
        self.memory = Memory(f)
        self.next = 1 + max((r.id for r in (*f.params, *defined(f.body))), default=0)

    def reg(self, dtype: str, pointer: bool = False) -> Reg:
        self.next += 1
        return Reg(self.next - 1, dtype, pointer)

    def code(self, code: Code) -> Code:
        return [made for node in code for made in self.node(node)]

    def node(self, node: Node) -> Code:
        match node:
            case tree.For():
                found = self.split(node)
                return [replace(node, body=self.code(node.body))] if found is None else found
            case tree.While():
                return [replace(node, test=self.code(node.test), body=self.code(node.body))]
            case tree.Choice():
                return [replace(node, then=self.code(node.then), orelse=self.code(node.orelse))]
            case _:
                return [node]

    def split(self, node: tree.For) -> Code | None:
        checks = [n for n in node.body if isinstance(n, tree.Check)]
        rest: Code = [n for n in node.body if not isinstance(n, tree.Check)]
        if not checks or not node.parallel or node.carried or not straight(rest):
            return None
        makers = {r.id: n for n in rest for r in own(n)[1]}
        wanted: set[int] = set()
        pending = [x.id for c in checks for x in own(c)[0] if isinstance(x, Reg)]
        while pending:
            maker = makers.get(pending.pop())
            if maker is None or id(maker) in wanted:
                continue
            if not isinstance(maker, tree.Scalar | tree.Load | tree.Shift):
                return None
            wanted.add(id(maker))
            pending += [x.id for x in own(maker)[0] if isinstance(x, Reg)]
        writes = set().union(*(self.memory.effects(n)[1] for n in rest))
        reads = set().union(*(self.memory.effects(n)[0] for n in rest if id(n) in wanted))
        if self.memory.clash(reads, writes):
            return None
        left = without_dead(rest)
        if work(left) < ENOUGH:
            return None
        first: Code = [n for n in node.body if id(n) in wanted or isinstance(n, tree.Check)]
        index = self.reg("i64")
        looking = copied(renamed(first, {node.index.id: index}), self.reg)
        return [tree.For(index, node.count, (), (), looking, (), (), True), replace(node, body=left)]


def without_dead(code: Code) -> Code:
    """Straight code that does not compute what nobody reads."""
    out: Code = []
    read: set[int] = set()
    for node in reversed(code):
        if isinstance(node, tree.Scalar | tree.Load | tree.Shift) and node.out.id not in read:
            continue
        for inside in everything([node]):
            read |= {x.id for x in own(inside)[0] if isinstance(x, Reg)}
        out.append(node)
    return out[::-1]


def work(code: Code) -> int:
    """About how many operations on numbers."""
    return sum(1 if n.name in QUICK else 5 for n in everything(code) if isinstance(n, tree.Scalar)
               and n.out.dtype != "i64")
