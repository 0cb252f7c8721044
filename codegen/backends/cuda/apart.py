"""Arrays that each thread has one of, element by element beside those of other threads.

Threads of a warp run side by side: where they read the same element of their arrays, a card reads 32 numbers at once
if these are neighbours. So word `w` of thread `k` among `count` lies at word `w * count + k`, for arrays of a thread in
scratch memory as for those that it adds to. Pointers count as if a thread's memory were in one piece; loads and stores
find the place (`dad_word`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..loops import tree
from ..loops.operands import everything, own
from ..loops.tree import Code, Reg
from .roots import Leads

OWN = "c->own"
"""Scratch memory of a thread, as a `dad_memory`."""


def scratch_apart(code: Code, memory: Leads) -> dict[int, str]:
    """What code takes, if all of it may lie so: no function is called that knows nothing of it, and no pointer leads
    now here, now elsewhere."""
    taken = {n.out.id for n in everything(code) if isinstance(n, tree.Alloc)}
    for n in everything(code):
        if isinstance(n, tree.Invoke | tree.Resize | tree.Host):
            return {}
        reads, made = own(n)
        for x in (*reads, *made):
            if isinstance(x, Reg) and x.pointer:
                roots = memory.of(x)
                if roots & taken and not roots <= taken:
                    return {}
    return dict.fromkeys(taken, OWN)


def words_of(apart: Mapping[int, str], memory: Leads, pointer: Reg) -> str | None:
    """The `dad_memory` that a pointer leads into; None where memory is as it seems."""
    if not apart:
        return None
    found = {apart.get(root) for root in memory.of(pointer)}
    return found.pop() if len(found) == 1 else None
