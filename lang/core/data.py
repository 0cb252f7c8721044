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

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from ..source import Span
from . import ir
from .ir import Block, Const, Function, Lambda, Op, Program, Stmt, Table
from .primitive import PRIMITIVES
from .text import show
from .walk import atoms, scopes, summary

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


class Parts:
    """What the code of a function says, as a key."""

    __slots__ = ("hash", "said")

    def __init__(self, said: tuple[Hashable, ...]) -> None:
        self.said = said
        self.hash = hash(said)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Parts) and self.hash == other.hash and self.said == other.said)


@dataclass(slots=True)
class Outline:
    """A program, or a function, taken apart in one walk: `key` is equal for those with one `code`, and quicker to have
    than a text.
    """

    key: Hashable = None
    tables: dict[str, Table] = field(default_factory=dict)
    spans: list[Span | None] = field(default_factory=list)
    """Of the statements that may fail, of calls and of what has code inside, in order: those of two programs with one
    key belong together."""


def outline(program: Program) -> Outline:
    """The code of a program as a key, its data, and the places where it may fail."""
    made = Outline()
    keys = []
    for f in program.functions.values():
        found: Outline | None = f.known.get("outline")
        if found is None:
            found = f.known["outline"] = _outlined(f)
        keys.append(found.key)
        made.tables.update(found.tables)
        made.spans += found.spans
    made.key = tuple(keys)
    return made


def _outlined(f: Function) -> Outline:
    found = Outline()
    parts: list[Hashable] = [f.name, f.source_name, f.again, tuple([tuple(map(_atom, axes)) for axes in f.dims])]
    parts += [(p.id, p.type) for p in f.params]
    _outline(f.body, parts, found)
    found.key = Parts(tuple(parts))
    return found


def _atom(atom: ir.Atom | None) -> Hashable:
    return atom if atom is None or isinstance(atom, Const) else atom.id


def _outline(block: Block, parts: list[Hashable], found: Outline) -> None:
    """Adds what the block says. Variables are numbers, with their types where they are bound."""
    for stmt in block.stmts:
        op = stmt.op
        for var in stmt.vars:
            parts.append(var.id)
            parts.append(var.type)
        if isinstance(op, ir.Prim):
            parts.append(op.name)
            for a in op.args:
                parts.append(a if isinstance(a, Const) else a.id)
            if op.attrs:
                if op.name == "table":
                    table = table_of(op)
                    found.tables[table.name] = table
                    parts.append((table.name, table.dtype))
                else:
                    parts.append(op.attrs)
            if PRIMITIVES[op.name].fails:
                found.spans.append(stmt.span)
        else:
            found.spans.append(stmt.span)
            _outline_op(op, parts, found)
    parts.append("return")
    parts += [a if isinstance(a, Const) else a.id for a in block.results]


def _outline_op(op: Op, parts: list[Hashable], found: Outline) -> None:
    parts.append(type(op).__name__)
    parts.append(tuple(map(_atom, atoms(op))))
    match op:
        case ir.Call(function, _, types):
            parts += [function, types]
        case ir.Map(arrays, _, shapes):
            parts.append((len(arrays), tuple(map(len, shapes))))
        case ir.Reduce(arrays, _, _) | ir.Scan(arrays, _, _):
            parts.append(len(arrays))
        case ir.Loop(count, cond, _, _, init, _, shapes, ragged, part):
            parts.append((count is None, cond is None, len(init), tuple(map(len, shapes)), ragged, part))
        case ir.Diff(mode, _, args, _) | ir.Custom(mode, _, _, args):
            parts.append((mode, len(args)))
    for bound, block in scopes(op):
        parts.append(tuple([(v.id, v.type) for v in bound]))
        _outline(block, parts, found)


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
