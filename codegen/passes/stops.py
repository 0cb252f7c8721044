"""Removes `stop_grad` and derivative rules of the program's own, once there are no derivatives left.

In: a program without `Diff`. Out: the same program, each `stop_grad x` replaced by x, and each function with a rule
by what it does.
"""

from __future__ import annotations

from ...lang.core import ir
from ...lang.core.ir import Prim, Stmt
from ...lang.core.walk import summary
from .substitute import Substitution


def drop_stops(program: ir.Program) -> ir.Program:
    return ir.Program({name: _function(f) for name, f in program.functions.items()})


def _function(f: ir.Function) -> ir.Function:
    known = summary(f)
    if "stop_grad" not in known.prims and ir.Custom not in known.ops:
        return f
    return ir.Function(f.name, f.params, _Stops().block(f.body), f.source_name, f.dims, f.again)


class _Stops(Substitution):
    def stmt(self, stmt: Stmt, out: list[Stmt]) -> None:
        if isinstance(stmt.op, ir.Custom):
            body = stmt.op.body
            self.env.update(zip(body.params, self.atoms(stmt.op.args), strict=True))
            for inner in body.body.stmts:
                self.stmt(inner, out)
            self.env.update(zip(stmt.vars, self.atoms(body.body.results), strict=True))
            return
        op = self.op(stmt.op)
        if isinstance(op, Prim) and op.name == "stop_grad":
            self.env[stmt.vars[0]] = op.args[0]
        else:
            out.append(Stmt(stmt.vars, op, stmt.span))
