"""From the IR to the loops that become kernels: lowered, fused, and independent iterations found.

Loops are not cut in strips, as for processors with vectors: a thread goes through its iteration as a whole.
"""

from __future__ import annotations

from ....lang.core import ir
from ..loops import tree
from ..loops.checks import checks_first
from ..loops.fuse import fuse
from ..loops.lower import lower
from .looks import looks
from .own import own
from .states import states_in_place
from .stays import stays


def nests(program: ir.Program) -> tree.Program:
    """All functions of a program without derivatives, before `vectorize`."""
    return own(states_in_place(looks(fuse(stays(checks_first(lower(program, folds=True)))))))
