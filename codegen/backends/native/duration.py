"""Which code is over at once, whatever it is given."""

from __future__ import annotations

from ..loops import tree
from ..loops.tree import Code, Imm

FEW = 2000
"""Operations that take less time than it takes to release the interpreter's lock often."""


def long(program: tree.Program, function: str) -> bool:
    """Whether a run may take longer than `FEW` operations."""
    return operations(program, program.functions[function].body, (function,)) > FEW


def operations(program: tree.Program, code: Code, within: tuple[str, ...] = ()) -> int:
    """Operations that a run of this code takes, more than `FEW` where that depends on what it is given."""
    total = 0
    for node in code:
        match node:
            case tree.For(count=Imm(value=times), body=body):
                total += int(times) * (1 + operations(program, body, within))
            case tree.Sum(count=Imm(value=times), body=body):
                total += int(times) * (1 + operations(program, body, within))
            case tree.Spread():
                total += operations(program, node.body, within)
            case tree.Lanes():
                total += node.count * (1 + operations(program, node.body, within))
            case tree.For() | tree.While() | tree.Sum() | tree.Host() | tree.Library() | tree.Copy() | tree.Resize():
                return FEW + 1
            case tree.Choice():
                total += max(operations(program, node.then, within), operations(program, node.orelse, within))
            case tree.Invoke():
                if node.function in within:
                    return FEW + 1
                total += 5 + operations(program, program.functions[node.function].body, (*within, node.function))
            case _:
                total += 1
        if total > FEW:
            return total
    return total
