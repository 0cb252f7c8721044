"""Small arrays that a loop carries stay where they lie.

Lowering carries a small array element by element: each iteration begins by storing them and ends by loading them. On a
device that makes iterations wait for each other that only add to the array. So, outside of what many threads do,

    for i < n carry (r = x -> s) { p[0] = r; …; s = p[0] } left t   ->   p[0] = x; for i < n { … }; t = p[0]

where nobody else reads or writes `p`.
"""

from __future__ import annotations

from dataclasses import replace

from ..loops import tree
from ..loops.operands import defined, everything, own, read
from ..loops.tree import Code, Imm, Operand, Reg


def states_in_place(program: tree.Program) -> tree.Program:
    return tree.Program({name: replace(f, body=_code(f.body, f)) for name, f in program.functions.items()})


def _code(code: Code, function: tree.Function) -> Code:
    out: Code = []
    for node in code:
        match node:
            case tree.For(parallel=False, body=body):
                out += in_place(replace(node, body=_code(body, function)), node, function)
            case tree.While(body=body):
                out.append(replace(node, body=_code(body, function)))
            case tree.Choice(then=then, orelse=orelse):
                out.append(replace(node, then=_code(then, function), orelse=_code(orelse, function)))
            case _:
                out.append(node)
    return out


def in_place(node: tree.For, before: tree.For, function: tree.Function) -> Code:
    """The loop with what is before and behind it; `before` is the node that stands in the function."""
    if not node.carried or node.last:
        return [node]
    uses = read([node])
    first: dict[Reg, tree.Store] = {}
    for n in node.body:
        if isinstance(n, tree.Store) and isinstance(n.offset, Imm) and n.value in node.carried:
            assert isinstance(n.value, Reg)
            first[n.value] = n
        elif not isinstance(n, tree.Mark):
            break
    last: dict[Reg, tree.Load] = {}
    for n in reversed(node.body):
        if isinstance(n, tree.Load) and isinstance(n.offset, Imm):
            last[n.out] = n
        elif not isinstance(n, tree.Release):
            break
    inside = set(defined([node]))
    kept: list[int] = []
    gone: set[int] = set()
    starts: Code = []
    ends: Code = []
    for k, (reg, following) in enumerate(zip(node.carried, node.next, strict=True)):
        store = first.get(reg)
        load = last.get(following) if isinstance(following, Reg) else None
        if store is None or load is None or store.base != load.base or store.offset != load.offset or uses[reg] != 1 \
                or uses[load.out] != 1 or store.base in inside or not private(store.base, before, function):
            kept.append(k)
            continue
        gone |= {id(store), id(load)}
        starts.append(tree.Store(store.base, store.offset, node.init[k]))
        ends.append(tree.Load(node.outs[k], store.base, store.offset))
    if not gone:
        return [node]

    def rest(xs: tuple[Operand, ...]) -> tuple[Operand, ...]:
        return tuple(xs[k] for k in kept)

    def registers(xs: tuple[Reg, ...]) -> tuple[Reg, ...]:
        return tuple(xs[k] for k in kept)

    made = replace(node, body=[n for n in node.body if id(n) not in gone], carried=registers(node.carried),
                   init=rest(node.init), next=rest(node.next), outs=registers(node.outs))
    return [*starts, made, *ends]


def private(base: Reg, node: tree.For, function: tree.Function) -> bool:
    """Whether this is a small array that the loop alone reads and writes."""
    if not any(isinstance(n, tree.Local) and n.out == base for n in everything(function.body)):
        return False
    inside = {id(n) for n in everything([node])}
    return not any(base in own(n)[0] for n in everything(function.body) if id(n) not in inside)
