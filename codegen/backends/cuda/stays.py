"""State of loops that only seems to move: it has one place.

In: a function in loop form. Out: the same, where an array of a loop's state that is changed where it lies, and then
copied to where the next iteration looks for it, is not copied: both are one place. So it is with what a reverse sweep
adds up over iterations; then these only meet in places that they add to.
"""

from __future__ import annotations

from dataclasses import replace

from ..loops import tree
from ..loops.copies import renamed
from ..loops.operands import everything, own, read
from ..loops.tree import Code, Reg


def stays(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    uses = read(f.body)
    for x in f.results:
        if isinstance(x, Reg):
            uses[x] = uses.get(x, 0) + 1
    counts = {n.out.id: n.count for n in everything(f.body) if isinstance(n, tree.Alloc)}
    names: dict[int, Reg] = {}

    def code(code: Code) -> Code:
        made: Code = []
        for node in code:
            match node:
                case tree.For():
                    made.append(loop(replace(node, body=code_of(node.body))))
                case tree.While():
                    made.append(replace(node, test=code_of(node.test), body=code_of(node.body)))
                case tree.Choice():
                    made.append(replace(node, then=code_of(node.then), orelse=code_of(node.orelse)))
                case _:
                    made.append(node)
        return made

    code_of = code

    def loop(node: tree.For) -> tree.For:
        for k, (now, following) in enumerate(zip(node.carried, node.next, strict=True)):
            other = next((j for j, r in enumerate(node.carried) if r == following and node.next[j] == now), None)
            if not now.pointer or other is None or other == k or uses.get(node.outs[other]):
                continue
            copies = [j for j, n in enumerate(node.body) if isinstance(n, tree.Copy)
                      and n.target == node.carried[other] and n.source == now]
            first, second = node.init[k], node.init[other]
            if len(copies) != 1 or uses.get(node.carried[other]) != 2 or not isinstance(first, Reg) or not isinstance(
                    second, Reg):
                continue
            copy = node.body[copies[0]]
            assert isinstance(copy, tree.Copy)
            if counts.get(second.id) != copy.count or not all(
                    isinstance(n, tree.Release) for n in node.body[copies[0] + 1:]):
                continue
            names[now.id] = names[node.outs[k].id] = first
            kept = [j for j in range(len(node.carried)) if j not in (k, other)]
            node = replace(node, carried=tuple(node.carried[j] for j in kept), init=tuple(node.init[j] for j in kept),
                           next=tuple(node.next[j] for j in kept), outs=tuple(node.outs[j] for j in kept),
                           body=[n for n in node.body if n is not copy])
            return loop(node)
        return node

    body = code(f.body)
    if not names:
        return f
    for key in names:
        while names[key].id in names:
            names[key] = names[names[key].id]
    results = tuple(names.get(x.id, x) if isinstance(x, Reg) else x for x in f.results)
    used = {x.id for n in everything(body) for x in own(n)[0] if isinstance(x, Reg)} | {r.id for r in names.values()}
    body = renamed([n for n in body if not (isinstance(n, tree.Alloc) and n.out.id not in used
                                            and n.out not in results)], names)
    return replace(f, body=body, results=results)
