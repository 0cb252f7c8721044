"""The same loop code once more, with other registers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from . import tree
from .operands import defined, inner
from .tree import Code, Node, Operand, Reg

NewReg = Callable[[str, bool], Reg]


def renamed(code: Code, names: Mapping[int, Operand]) -> Code:
    """Code with other registers: bound ones and read ones."""

    def r(reg: Reg) -> Reg:
        found = names.get(reg.id, reg)
        assert isinstance(found, Reg)
        return found

    def s(x: Operand) -> Operand:
        return names.get(x.id, x) if isinstance(x, Reg) else x

    def all_of(xs: Sequence[Operand]) -> tuple[Operand, ...]:
        return tuple(map(s, xs))

    def regs(xs: Sequence[Reg]) -> tuple[Reg, ...]:
        return tuple(map(r, xs))

    def c(code: Code) -> Code:
        return [one(n) for n in code]

    def one(node: Node) -> Node:
        match node:
            case tree.Scalar():
                return replace(node, out=r(node.out), args=all_of(node.args))
            case tree.Load():
                return tree.Load(r(node.out), r(node.base), s(node.offset))
            case tree.Store():
                return tree.Store(r(node.base), s(node.offset), s(node.value))
            case tree.Shift():
                return tree.Shift(r(node.out), r(node.base), s(node.offset))
            case tree.Alloc():
                return tree.Alloc(r(node.out), s(node.count))
            case tree.Local():
                return replace(node, out=r(node.out))
            case tree.Data():
                return replace(node, out=r(node.out), count=r(node.count))
            case tree.Mark():
                return tree.Mark(r(node.out))
            case tree.Release():
                return tree.Release(r(node.mark))
            case tree.Resize():
                return tree.Resize(r(node.out), s(node.slot), s(node.count))
            case tree.Copy():
                return tree.Copy(r(node.target), r(node.source), s(node.count))
            case tree.For():
                return replace(node, index=r(node.index), count=s(node.count), carried=regs(node.carried),
                               init=all_of(node.init), body=c(node.body), next=all_of(node.next), outs=regs(node.outs))
            case tree.Lanes():
                return tree.Lanes(r(node.index), s(node.start), node.count, c(node.body))
            case tree.Spread():
                return tree.Spread(r(node.start), r(node.stop), s(node.count), s(node.work), c(node.body))
            case tree.While():
                return tree.While(regs(node.carried), all_of(node.init), c(node.test), s(node.cond), c(node.body),
                                  all_of(node.next), regs(node.outs))
            case tree.Sum():
                return replace(node, out=r(node.out), index=r(node.index), count=s(node.count), body=c(node.body),
                               value=s(node.value), more=tuple((r(out), s(value)) for out, value in node.more))
            case tree.Choice():
                return tree.Choice(s(node.cond), c(node.then), all_of(node.then_values), c(node.orelse),
                                   all_of(node.orelse_values), regs(node.outs), node.rare)
            case tree.Invoke():
                return replace(node, args=all_of(node.args), outs=regs(node.outs))
            case tree.Host():
                return replace(node, args=tuple(map(all_of, node.args)), results=tuple(map(regs, node.results)))
            case tree.Linked():
                return tree.Linked(r(node.out))
            case tree.Library():
                return tree.Library(node.routine, all_of(node.args), None if node.info is None else r(node.info))
            case tree.Check():
                return replace(node, holds=s(node.holds), values=all_of(node.values))
            case tree.Poll():
                return tree.Poll(s(node.operations))

    return c(code)


def inlined(code: Code, program: tree.Program, reg: NewReg, limit: int) -> Code | None:
    """The code with the code of the functions that it calls, and of those that these call, in the place of calls; None
    where that would be more than so many nodes, or more than a copy."""
    names: dict[int, Operand] = {}
    left = limit

    def block(code: Code, within: tuple[str, ...]) -> Code | None:
        nonlocal left
        out: Code = []
        for node in code:
            left -= 1
            if left < 0:
                return None
            if isinstance(node, tree.Invoke):
                f = program.functions[node.function]
                if node.function in within or f.slots:
                    return None
                bound = {r.id: reg(r.dtype, r.pointer) for r in defined(f.body)}
                given: dict[int, Operand] = dict(zip((p.id for p in f.params), node.args, strict=True))
                body = block(renamed(f.body, given | bound), (*within, node.function))
                if body is None:
                    return None
                out += body
                for r, x in zip(node.outs, f.results, strict=True):
                    names[r.id] = (given | bound).get(x.id, x) if isinstance(x, Reg) else x
                continue
            parts = [block(part, within) for part in inner(node)]
            if None in parts:
                return None
            out.append(with_inner(node, [part for part in parts if part is not None]))
        return out

    made = block(code, ())
    if made is None:
        return None
    for k in names:
        x = names[k]
        while isinstance(x, Reg) and x.id in names:
            x = names[x.id]
        names[k] = x
    return renamed(made, names)


def with_inner(node: Node, parts: Sequence[Code]) -> Node:
    """A node with other code inside."""
    match node:
        case tree.For() | tree.Sum() | tree.Lanes() | tree.Spread():
            return replace(node, body=parts[0])
        case tree.While():
            return replace(node, test=parts[0], body=parts[1])
        case tree.Choice():
            return replace(node, then=parts[0], orelse=parts[1])
        case _:
            return node


def copied(code: Code, reg: NewReg) -> Code:
    """The same code, with registers of its own for all that it defines."""
    return renamed(code, {r.id: reg(r.dtype, r.pointer) for r in defined(code)})
