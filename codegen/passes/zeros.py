"""Zeros of a known shape, made once.

In: a program whose derivatives are taken. Out: the same, in which `zeros_like` of an array that was only made to carry
a shape, itself zeros, is that array. Until here the primitive's name told `simplify` that nothing flows.
"""

from __future__ import annotations

from ...lang.core import ir
from ...lang.core.build import zero
from ...lang.core.ir import Const, Prim, Stmt, Var
from ...lang.core.walk import summary
from .substitute import Substitution

ZEROS = frozenset(Const(zero(dtype), dtype) for dtype in ir.DTYPES)


def plain_zeros(program: ir.Program) -> ir.Program:
    return ir.Program({name: _function(f) for name, f in program.functions.items()})


def _function(f: ir.Function) -> ir.Function:
    if "zeros_like" not in summary(f).prims:
        return f
    return ir.Function(f.name, f.params, _Zeros().block(f.body), f.source_name, f.dims, f.again)


class _Zeros(Substitution):
    def __init__(self) -> None:
        super().__init__()
        self.blank: set[Var] = set()

    def stmt(self, stmt: Stmt, out: list[Stmt]) -> None:
        op = self.op(stmt.op)
        match op:
            case Prim("replicate", (_, value)) if value in self.blank or value in ZEROS:
                self.blank.update(stmt.vars)
            case Prim("zeros_like", (Var() as shape,)) if shape in self.blank:
                self.env[stmt.vars[0]] = shape
                return
        out.append(Stmt(stmt.vars, op, stmt.span))
