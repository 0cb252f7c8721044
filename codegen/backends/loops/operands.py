"""What loop code reads and defines, and how much of it there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from . import tree
from .tree import Code, Node, Operand, Reg

Loop = tree.For | tree.Sum
SIMPLE = frozenset((tree.Scalar, tree.Load, tree.Store, tree.Shift, tree.Alloc, tree.Data, tree.Local, tree.Mark,
                    tree.Release, tree.Resize, tree.Copy, tree.Invoke, tree.Host, tree.Check, tree.Poll))
"""What has no code inside: nearly all nodes are of these."""


def own(node: Node) -> tuple[tuple[Operand, ...], tuple[Reg, ...]]:
    """Operands and registers of a node itself: what its inner code ends with among them, not what is in the code."""
    match node:
        case tree.Scalar():
            return node.args, (node.out,)
        case tree.Load(out, base, offset) | tree.Shift(out, base, offset):
            return (base, offset), (out,)
        case tree.Store(base, offset, value):
            return (base, offset, value), ()
        case tree.Alloc(out, count):
            return (count,), (out,)
        case tree.Mark(out) | tree.Local(out):
            return (), (out,)
        case tree.Data():
            return (), (node.out, node.count)
        case tree.Release(mark):
            return (mark,), ()
        case tree.Resize(out, slot, count):
            return (slot, count), (out,)
        case tree.Copy(target, source, count):
            return (target, source, count), ()
        case tree.For():
            return (node.count, *node.init, *node.next), (node.index, *node.carried, *node.outs)
        case tree.Spread():
            return (node.count, node.work), (node.start, node.stop)
        case tree.Lanes():
            return (node.start,), (node.index,)
        case tree.While():
            return (*node.init, node.cond, *node.next), (*node.carried, *node.outs)
        case tree.Sum():
            return ((node.count, node.value, *(value for _, value in node.more)),
                    (node.index, node.out, *(out for out, _ in node.more)))
        case tree.Choice():
            return (node.cond, *node.then_values, *node.orelse_values), node.outs
        case tree.Invoke():
            return node.args, node.outs
        case tree.Host():
            return tuple(x for group in node.args for x in group), tuple(r for group in node.results for r in group)
        case tree.Linked(out):
            return (), (out,)
        case tree.Library(_, args, info):
            return args, () if info is None else (info,)
        case tree.Poll(operations):
            return (operations,), ()
        case tree.Check():
            return (node.holds, *node.values), ()
        case _:
            assert_never(node)


def inner(node: Node) -> tuple[Code, ...]:
    """The code inside of a node."""
    if type(node) in SIMPLE:
        return ()
    match node:
        case tree.For() | tree.Lanes() | tree.Sum() | tree.Spread():
            return (node.body,)
        case tree.While():
            return node.test, node.body
        case tree.Choice():
            return node.then, node.orelse
        case _:
            return ()


def everything(code: Code) -> Iterator[Node]:
    """All nodes, those inside of others included, each before what is inside of it."""
    pending = list(reversed(code))
    while pending:
        node = pending.pop()
        yield node
        if type(node) not in SIMPLE:
            for part in reversed(inner(node)):
                pending += reversed(part)


def read(code: Code) -> dict[Reg, int]:
    """How often each register is read."""
    found: dict[Reg, int] = {}
    for node in everything(code):
        for x in own(node)[0]:
            if isinstance(x, Reg):
                found[x] = found.get(x, 0) + 1
    return found


def defined(code: Code) -> dict[Reg, None]:
    """The registers that are defined here, in order."""
    return dict.fromkeys(reg for node in everything(code) for reg in own(node)[1])


def without_unused(body: Code, loop: Loop) -> Code:
    """Without numbers that nobody reads any more."""
    ends = [loop.value, *(v for _, v in loop.more)] if isinstance(loop, tree.Sum) else list(loop.next)
    while True:
        live = {r.id for r in read(body)} | {x.id for x in ends if isinstance(x, Reg)}
        kept = [n for n in body if not isinstance(n, tree.Scalar | tree.Load | tree.Shift)
                or any(r.id in live for r in own(n)[1])]
        if len(kept) == len(body):
            return body
        body = kept
