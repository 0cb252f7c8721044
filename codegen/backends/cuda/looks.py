"""Checks beside what they guard: one kernel less.

In: a function in loop form, whose loops that check and then compute are two (`loops/checks.py`), so that what computes
could be joined with others. Out: the same, where a loop that only checks runs as part of the next loop or sum over the
same count, before what each iteration does there: a thread that fails stops, and what others store is the function's
own, which nobody sees then. The loop that computes has no checks of its own, so the first failure is what it was. Loops
that write nothing and carry nothing are of independent iterations, whether lowering has said so or not.
"""

from __future__ import annotations

from dataclasses import replace

from ..loops import tree
from ..loops.copies import renamed
from ..loops.fuse import HOISTED, Memory, straight
from ..loops.operands import everything
from ..loops.tree import Code, Node


def looks(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    if not any(isinstance(n, tree.Check) for n in everything(f.body)):
        return f
    return replace(f, body=joined(f.body, Memory(f)))


LOOKS = (tree.Scalar, tree.Load, tree.Shift, tree.Check)


def looking(node: Node) -> bool:
    """Whether it is a loop that only checks."""
    return isinstance(node, tree.For) and node.parallel and not node.carried and any(
        isinstance(n, tree.Check) for n in node.body) and all(isinstance(n, LOOKS) for n in node.body)


def harmless(node: tree.For) -> bool:
    """Whether its iterations have nothing of each other, since none writes anything."""
    return not node.carried and not node.last and all(
        isinstance(n, (*LOOKS, tree.Choice)) or (isinstance(n, tree.For) and not n.carried) for n in everything([node]))


def joined(code: Code, memory: Memory) -> Code:
    """A block; loops that check go as far down as nothing is in the way."""
    made: Code = []
    waiting: tree.For | None = None
    for node in code:
        if isinstance(node, tree.For) and not node.parallel and harmless(node):
            node = replace(node, parallel=True)
        if waiting is not None and isinstance(node, tree.For | tree.Sum) and node.count == waiting.count and (
                isinstance(node, tree.Sum) or (node.parallel and not node.carried)) and straight(node.body) and not (
                memory.clash(memory.effects(waiting)[0], memory.effects(node)[1])):
            checks = renamed(waiting.body, {waiting.index.id: node.index})
            node, waiting = replace(node, body=[*checks, *node.body]), None
        elif waiting is not None and not isinstance(node, HOISTED):
            made.append(waiting)
            waiting = None
        match node:
            case tree.For() if looking(node):
                waiting = node
                continue
            case tree.For() | tree.Sum():
                node = replace(node, body=joined(node.body, memory))
            case tree.While():
                node = replace(node, test=joined(node.test, memory), body=joined(node.body, memory))
            case tree.Choice():
                node = replace(node, then=joined(node.then, memory), orelse=joined(node.orelse, memory))
            case _:
                pass
        made.append(node)
    return made if waiting is None else [*made, waiting]
