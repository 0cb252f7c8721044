"""Folds with `max` and `min` are the extremes of arrays, so that ties share the slope alike whoever runs the program.

In: a program with derivatives still to be taken. Out: the same, with `maximum`, `minimum`, `cummax`, `cummin` in place
of each reduce and scan by these operators. `simplify` does this and more (`folds`); the reference interpreter runs
programs that no optimisation has touched, but the derivative at a tie is meaning: no order of a reduce may show in it.
"""
from __future__ import annotations

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Block, Function, Prim, Program, Stmt
from ...lang.core.walk import Renamer, next_id
from .folds import FOLDS, PREFIXES, extreme, operator_of


def extremes(program: Program) -> Program:
    functions = {}
    for name, f in program.functions.items():
        copy = _Extremes(Fresh(next_id(f)))
        params = tuple(copy.binder(p) for p in f.params)
        body = copy.block(f.body)
        dims = tuple(tuple(d if d is None else copy.atom(d) for d in row) for row in f.dims)
        functions[name] = Function(f.name, params, body, f.source_name, dims, f.again)
    return Program(functions)


class _Extremes(Renamer):
    def block(self, block: Block) -> Block:
        stmts: list[Stmt] = []
        for stmt in block.stmts:
            operators = _operators(stmt.op)
            if operators is None:
                stmts.append(self.stmt(stmt))
                continue
            assert isinstance(stmt.op, ir.Reduce | ir.Scan)
            names = FOLDS if isinstance(stmt.op, ir.Reduce) else PREFIXES
            b = Builder(self.supply, stmt.span)
            for v, x, start, operator in zip(stmt.vars, stmt.op.arrays, stmt.op.neutral, operators, strict=True):
                result = b.prim(names[operator], self.atom(x), axis=0, as_=v.name)
                identity = operator in ("max", "min") and isinstance(start, ir.Const) \
                    and start.value == extreme(start.dtype, highest=operator == "min")
                self.env[v] = result if identity else b.prim(operator, self.atom(start), result, as_=v.name)
            stmts.extend(b.stmts)
        return Block(tuple(stmts), self.atoms(block.results))


def _operators(op: ir.Op) -> list[str] | None:
    """The operator of each component, where all are known and one of them is an extreme of floats."""
    if not isinstance(op, ir.Reduce | ir.Scan) or any(isinstance(op, ir.Scan) and n.type.rank for n in op.neutral):
        return None
    count, body = len(op.neutral), op.body
    if len(body.body.stmts) != count or not all(isinstance(s.op, Prim | ir.Map) for s in body.body.stmts):
        return None
    found = [operator_of(body, body.params[k], body.params[count + k], body.body.results[k]) for k in range(count)]
    names = FOLDS if isinstance(op, ir.Reduce) else PREFIXES
    if not all(name in names for name in found):
        return None
    floats = [x.type.is_float for x in op.arrays]
    return found if any(f and name in ("max", "min") for f, name in zip(floats, found, strict=True)) else None
