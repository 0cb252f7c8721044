"""A program as code and data: what is compiled, and the numbers it works on.

The values of tables (`ir.Table`) are data. `code` is the text of a program without them: it is the same for programs
that do the same thing to other numbers, or to more or fewer of them.
What is made from a program with this text serves every program with it, once the tables have been put in (`with_data`).

>>> from dad.lang.core.build import Builder, Fresh
>>> def total(*values: float) -> Program:
...     b = Builder(Fresh())
...     rows = b.prim("table", of=Table("rows", "f64", values))
...     return Program({"f": Function("f", (), b.block([b.prim("sum", rows, axis=0)]))})
>>> program = total(1.0, 2.5)
>>> other = with_data(program, data(total(3.0)))
>>> code(other) == code(program), data(other)["rows"].values
(True, (3.0,))
"""
from __future__ import annotations

from collections.abc import Mapping

from . import ir
from .ir import Block, Function, Lambda, Op, Program, Stmt, Table
from .text import show
from .walk import scopes, summary

NOTHING: tuple[int | float, ...] = ()


def data(program: Program) -> dict[str, Table]:
    """The tables of a program by name, in the order in which they stand."""
    found: dict[str, Table] = {}
    for function in program.functions.values():
        if "table" not in summary(function).prims:
            continue
        pending = [function.body]
        while pending:
            for stmt in pending.pop().stmts:
                if isinstance(stmt.op, ir.Prim):
                    if stmt.op.name == "table":
                        table = table_of(stmt.op)
                        found[table.name] = table
                else:
                    pending.extend(block for _, block in scopes(stmt.op))
    return found


def table_of(op: ir.Prim) -> Table:
    """The table of a `table` primitive."""
    table = op.attr("of")
    assert isinstance(table, Table)
    return table


def code(program: Program) -> str:
    """The text of a program without its data."""
    return show(with_data(program, {name: Table(name, t.dtype, NOTHING) for name, t in data(program).items()}))


def with_data(program: Program, tables: Mapping[str, Table]) -> Program:
    """The program with these tables in place of its own of the same name."""
    return Program({name: _function(f, tables) for name, f in program.functions.items()})


def _function(f: Function, tables: Mapping[str, Table]) -> Function:
    if "table" not in summary(f).prims:
        return f
    return Function(f.name, f.params, _block(f.body, tables), f.source_name, f.dims, f.again)


def _block(block: Block, tables: Mapping[str, Table]) -> Block:
    return Block(tuple([Stmt(s.vars, _op(s.op, tables), s.span) for s in block.stmts]), block.results)


def _lambda(lam: Lambda, tables: Mapping[str, Table]) -> Lambda:
    return Lambda(lam.params, _block(lam.body, tables))


def _op(op: Op, tables: Mapping[str, Table]) -> Op:
    match op:
        case ir.Prim(name="table"):
            old = table_of(op)
            return ir.Prim("table", (), (("of", tables.get(old.name, old)),))
        case ir.Prim() | ir.Call():
            return op
        case ir.If(cond, then, orelse):
            return ir.If(cond, _block(then, tables), _block(orelse, tables))
        case ir.Map(arrays, body, shapes):
            return ir.Map(arrays, _lambda(body, tables), shapes)
        case ir.Reduce(arrays, neutral, body) | ir.Scan(arrays, neutral, body):
            return type(op)(arrays, neutral, _lambda(body, tables))
        case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
            test = None if cond is None else _lambda(cond, tables)
            return ir.Loop(count, test, index, params, init, _block(body, tables), shapes, ragged, part)
        case ir.Diff(mode, body, args, seeds):
            return ir.Diff(mode, _lambda(body, tables), args, seeds)
        case ir.Custom(mode, body, rule, args, origin):
            return ir.Custom(mode, _lambda(body, tables), _lambda(rule, tables), args, origin)
