"""From the IR to the loops that back ends write: lowered, cut in two, fused, side by side where that is worth it."""

from __future__ import annotations

from ....lang.core import ir
from . import tree
from .checks import checks_first
from .fuse import fuse
from .lanes import side_by_side
from .lower import lower
from .room import with_room
from .split import split


def nests(program: ir.Program, parts: bool = False) -> tree.Program:
    """All functions of a program without derivatives, before `vectorize`; with `parts` long sums of arrays are cut, so
    that threads can share them."""
    return with_room(side_by_side(fuse(split(checks_first(lower(program, parts))))))
