"""How often a variable is read, and whether where it was made: what decides if an array need ever be in memory."""

from __future__ import annotations

from ....lang.core import ir
from ....lang.core.ir import Block, Var
from ....lang.core.walk import atoms, scopes


class Uses:
    """`once`: array variables that are read one time, by a statement of the block that makes them. `counts`: how often
    each array variable is read."""

    def __init__(self, function: ir.Function) -> None:
        counts: dict[Var, int] = {}
        home: dict[Var, Block] = {}
        away: set[Var] = set()
        pending = [function.body]
        while pending:
            block = pending.pop()
            for stmt in block.stmts:
                for var in stmt.vars:
                    home[var] = block
                pending.extend(inner for _, inner in scopes(stmt.op))
        pending = [function.body]
        while pending:
            block = pending.pop()
            for stmt in block.stmts:
                for atom in atoms(stmt.op):
                    if isinstance(atom, Var) and atom.type.rank and not is_dim(stmt.op):
                        counts[atom] = counts.get(atom, 0) + 1
                        if home.get(atom) is not block:
                            away.add(atom)
                pending.extend(inner for _, inner in scopes(stmt.op))
            for atom in block.results:
                if isinstance(atom, Var):
                    counts[atom] = counts.get(atom, 0) + 1
                    if home.get(atom) is not block:
                        away.add(atom)
        self.counts = counts
        self.once = {var for var, n in counts.items() if n == 1 and var not in away}


def is_dim(op: ir.Op) -> bool:
    return isinstance(op, ir.Prim) and op.name in ("dim", "zeros_like")
