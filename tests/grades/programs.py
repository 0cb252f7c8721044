"""Programs for the tests of grades: lowered, with their sites."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dad import driver
from dad.lang.core import ir, walk
from dad.lang.source import Source


def lowered(text: str) -> tuple[ir.Program, str]:
    """The program as lowered, and the function of its first entry."""
    made = driver.lowered(driver.check(Source("program.dad", text)).require())
    return made.program, next(iter(made.entries.values()))


def statements(program: ir.Program) -> Iterator[ir.Stmt]:
    """All of a program, outer ones first."""
    for function in program.functions.values():
        blocks = [function.body]
        while blocks:
            for stmt in blocks.pop(0).stmts:
                yield stmt
                blocks.extend(block for _, block in walk.scopes(stmt.op))


def sites(program: ir.Program, kind: str = "if") -> list[ir.Stmt]:
    """Branches, or uses of the primitive `kind`."""
    return [s for s in statements(program)
            if (isinstance(s.op, ir.If) if kind == "if" else isinstance(s.op, ir.Prim) and s.op.name == kind)]


def float_names(function: ir.Function) -> list[str | None]:
    """What `refute` asks for: the names of parameters that move."""
    return [p.name if p.type.is_float else None for p in function.params]


def in_order(function: ir.Function, *tables: Any) -> Sequence[Any]:
    """Arguments of the interpreter from values by name."""
    return [next(table[p.name] for table in tables if p.name in table) for p in function.params]
