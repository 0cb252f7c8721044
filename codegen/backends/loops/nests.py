"""From the IR to the loops that back ends write: lowered, cut in two, fused, what is dear computed once, side by side
where that is worth it."""

from __future__ import annotations

from ....lang.core import ir
from . import tree
from .again import once_for_all
from .checks import checks_first
from .extremes import apart
from .fuse import fuse
from .lanes import side_by_side
from .lower import lower
from .room import with_room
from .split import split


def nests(program: ir.Program, parts: bool = False) -> tree.Program:
    """All functions of a program without derivatives, before `vectorize`; with `parts` long sums of arrays are cut, so
    that threads can share them."""
    fused = fuse(split(checks_first(lower(program, parts))))
    return with_room(apart(side_by_side(once_for_all(fused))))
