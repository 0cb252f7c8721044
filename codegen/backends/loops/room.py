"""Loops that may run beyond their end.

In: a function in loop form. Out: the same, with `room` set on loops of independent iterations that do no harm when they
go on up to a multiple of `WIDTH`: they read tables and arrays of the function's own at their index, which have room for
as much, or where tables say, and write arrays of their own length. So they run in whole vectors alone.
"""

from __future__ import annotations

from dataclasses import replace

from . import tree
from .fuse import straight
from .operands import everything
from .tree import Code, Imm, Operand, Reg

WIDTH = 8
"""Elements of eight bytes in the least piece of the arena; tables are followed by as many."""


def with_room(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    tables: set[int] = set()
    arrays: dict[int, Operand] = {}
    for node in everything(f.body):
        match node:
            case tree.Data(out=out):
                tables.add(out.id)
            case tree.Alloc(out=out, count=count):
                arrays[out.id] = count
    if not tables:
        return f
    body = rewritten(f.body, tables, arrays)
    return f if body is f.body else replace(f, body=body)


def rewritten(code: Code, tables: set[int], arrays: dict[int, Operand]) -> Code:
    """Loops of the function's own block are looked at, as tables and what is computed from them lie there."""
    out: Code = []
    changed = False
    for node in code:
        if (isinstance(node, tree.Sum) or (isinstance(node, tree.For) and (node.parallel or node.last))) \
                and straight(node.body) and harmless(apart(node), node.index, node.count, tables, arrays):
            node = replace(node, room=True)
            changed = True
        out.append(node)
    return out if changed else code


def apart(node: tree.For | tree.Sum) -> Code:
    """What of the body is independent of other iterations."""
    return node.body[:-node.last] if isinstance(node, tree.For) and node.last else node.body


def harmless(code: Code, index: Reg, count: Operand, tables: set[int], arrays: dict[int, Operand]) -> bool:
    """Whether it is so for this body. Beyond the end a table has the number that it ends with again."""
    moving: set[int] = {index.id}
    """What the index moves, other than by way of a table."""
    at: dict[int, int] = {}
    """Addresses of an array's element at the index."""
    for node in code:
        match node:
            case tree.Scalar(out=out, args=args):
                if any(isinstance(a, Reg) and a.id in moving for a in args):
                    moving.add(out.id)
            case tree.Shift(out=out, base=base, offset=offset):
                if offset == index and (base.id in tables or base.id in arrays):
                    at[out.id] = base.id
                elif moves(base, offset, moving) or base.id in at:
                    return False
            case tree.Load(out=out, base=base, offset=offset):
                array = place(base, offset, index, at)
                if array is None:
                    if moves(base, offset, moving) or base.id in at:
                        return False
                elif array not in tables:
                    return False
            case tree.Store(base=base, offset=offset):
                array = place(base, offset, index, at)
                if array is None or arrays.get(array) != count:
                    return False
            case _:
                return False
    return True


def place(base: Reg, offset: Operand, index: Reg, at: dict[int, int]) -> int | None:
    """The array of which this is the element at the index."""
    if offset == index and base.id not in at:
        return base.id
    return at.get(base.id) if isinstance(offset, Imm) and offset.value == 0 else None


def moves(base: Reg, offset: Operand, moving: set[int]) -> bool:
    return base.id in moving or (isinstance(offset, Reg) and offset.id in moving)
