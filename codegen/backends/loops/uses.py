"""How often a variable is read, and whether where it was made: what decides if an array need ever be in memory."""

from __future__ import annotations

from ....lang.core import ir
from ....lang.core.ir import Atom, Block, Var
from ....lang.core.walk import atoms, scopes


class Uses:
    """`once`: array variables that are read one time, by a statement of the block that makes them. `counts`: how often
    each array variable is read. `mapped`: those that nobody reads but maps in the block that makes them, element by
    element. `rows`: tables that are as long as another one, whatever their numbers are, as maps go over both."""

    def __init__(self, function: ir.Function) -> None:
        counts: dict[Var, int] = {}
        home: dict[Var, Block] = {}
        away: set[Var] = set()
        elements: dict[Var, int] = {}
        pending = [function.body]
        blocks: list[Block] = []
        while pending:
            block = pending.pop()
            blocks.append(block)
            for stmt in block.stmts:
                for var in stmt.vars:
                    home[var] = block
                pending.extend(inner for _, inner in scopes(stmt.op))
        pending = [function.body]
        while pending:
            block = pending.pop()
            for stmt in block.stmts:
                if isinstance(stmt.op, ir.Map):
                    for atom, param in zip(stmt.op.arrays, stmt.op.body.params, strict=True):
                        if isinstance(atom, Var) and param.type.rank == 0:
                            elements[atom] = elements.get(atom, 0) + 1
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
        self.mapped = {var for var, n in elements.items() if n == counts.get(var) and var not in away}
        self.rows = same_rows(function.body)
        self.columns: set[Var] = set()
        self.rows_of_columns: dict[Var, tuple[Atom, ...]] = {}
        """What a scatter adds row by row, and where: by the arrays that stand side by side in it."""
        for block in blocks:
            self.scatters(block)

    def scatters(self, block: Block) -> None:
        """Note the arrays that scatters of this block add row by row."""
        made = {s.vars[0]: s.op for s in block.stmts
                if isinstance(s.op, ir.Prim) and s.op.name in ("stack", "transpose")}
        for stmt in block.stmts:
            if not isinstance(stmt.op, ir.Prim) or stmt.op.name != "accumulate_at":
                continue
            found: dict[Var, tuple[Var, tuple[Atom, ...]]] = {}
            for atom in stmt.op.args[1:]:
                turned = made.get(atom) if isinstance(atom, Var) and atom in self.once else None
                stack = turned.args[0] if turned is not None and turned.name == "transpose" else None
                beside = made.get(stack) if isinstance(stack, Var) and stack in self.once else None
                if beside is None or beside.name != "stack" or beside.args[0].type.rank != 1:
                    break
                assert isinstance(atom, Var)
                assert isinstance(stack, Var)
                found[atom] = stack, beside.args
            else:
                self.columns.update(stack for stack, _ in found.values())
                self.rows_of_columns |= {atom: args for atom, (_, args) in found.items()}


def is_dim(op: ir.Op) -> bool:
    return isinstance(op, ir.Prim) and op.name in ("dim", "zeros_like")


def same_rows(block: Block) -> dict[Var, Var]:
    """To each table of a block that a map goes over, by itself or by what it picks, one that stands for all that the
    map goes over."""
    table: dict[Var, Var] = {}
    """Arrays as long as a table."""
    above: dict[Var, Var] = {}

    def top(var: Var) -> Var:
        while var in above:
            var = above[var]
        return var

    for stmt in block.stmts:
        match stmt.op:
            case ir.Prim(name="table"):
                table[stmt.vars[0]] = stmt.vars[0]
            case ir.Prim(name="gather", args=(_, Var() as places, *_)) if places in table:
                table[stmt.vars[0]] = table[places]
            case ir.Map(arrays=arrays):
                found = [top(table[a]) for a in arrays if isinstance(a, Var) and a in table]
                for other in found[1:]:
                    first, second = top(found[0]), top(other)
                    if first != second:
                        above[second] = first
    return {var: top(var) for var in table if var in above}
