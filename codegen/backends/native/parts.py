"""Loops in parts, as LLVM assembly: the body is a function of its own, of context, environment, and the first number of
a part and the one behind its last. `spread` of `context` calls it once, or has threads call it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..loops import tree
from ..loops.operands import defined, everything, read
from ..loops.tree import Reg
from .context import SLOT

if TYPE_CHECKING:
    from .llvm import FunctionWriter


def free_regs(node: tree.Spread) -> list[Reg]:
    """Registers read in the body that are defined outside."""
    bound = {node.start: None, node.stop: None, **defined(node.body)}
    return [reg for reg in read(node.body) if reg not in bound]


def write(w: FunctionWriter, node: tree.Spread) -> None:
    """The loop, in the function that `w` writes."""
    w.helper("spread")
    free = free_regs(node)
    part = w.inner()
    part.count = w.count + 1
    place = len(w.module.leaves)
    w.module.leaves.append("")
    part.names |= {node.start.id: "%lo", node.stop.id: "%hi"}
    for k, reg in enumerate(free):
        where = part.line(f"getelementptr i64, ptr %env, i64 {k}")
        part.load(reg, where)
    slots = w.function.slots if any(isinstance(n, tree.Resize) for n in everything(node.body)) else 0
    if slots:  # blocks of whoever runs the part
        part.base = part.line("load i64, ptr " + part.field(SLOT))
        part.do(f"store i64 {part.line(f'add i64 {part.base}, {slots}')}, ptr {part.field(SLOT)}")
    part.code(node.body)
    if slots:
        part.do(f"store i64 {part.base}, ptr {part.field(SLOT)}")
    part.do("ret i1 false")
    symbol = f"unit.l{place}"
    w.module.leaves[place] = part.text(
        f"define internal i1 @{symbol}(ptr %ctx, ptr %env, i64 %lo, i64 %hi) noinline nounwind")
    w.count = max(w.count, part.count)
    w.called = w.called or part.called
    env = w.fresh("env")
    w.buffers.append(f"  {env} = alloca [{max(len(free), 1)} x i64], align 8")
    for k, reg in enumerate(free):
        w.put(env, k, reg)
    w.leave_if(w.line(f"call i1 @spread(ptr {w.ctx}, ptr @{symbol}, ptr {env}, i64 {w.at(node.count)}, "
                      f"i64 {w.at(node.work)})"))
