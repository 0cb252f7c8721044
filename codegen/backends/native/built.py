"""The program inside a module that `dad build --target native` has written, compiled when a function of it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ....lang.core import ir
from ....lang.core.text import parse
from ....lang.core.verify import verify
from ....lang.source import Source, Span
from .call import Native, function
from .engine import Engine

CODE = "U111"


class Built:
    """A program as text; `places` are lines of sources, and `lines` has the number of one for each statement (0: none).

    Raises ImportError when another version of Dad has written it: the text may mean something else there.
    """

    def __init__(self, version: str, installed: str, text: str, places: Sequence[tuple[str, int]], lines: str) -> None:
        if version != installed:
            raise ImportError(f"{CODE}: this module was built by dad {version}, and dad {installed} is there; "
                              "build it again")
        self.text = text
        self.places = places
        self.lines = lines
        self.names: list[str] = []

    def function(self, name: str) -> Function:
        """A function of the program, compiled when it is first called."""
        self.names.append(name)
        return Function(self, name)

    @cached_property
    def engine(self) -> Engine:
        program = parse(self.text)
        verify(program)
        return Engine(located(program, self.places, self.lines), None, self.names)


class Function:
    """Stands for machine code until that is needed."""

    def __init__(self, built: Built, name: str) -> None:
        self.built = built
        self.name = name

    @cached_property
    def native(self) -> Native:
        return function(self.built.engine, self.name)

    def __call__(self, *values: Any) -> tuple[Any, ...]:
        return self.native(*values)

    def __getattr__(self, name: str) -> Any:
        """What machine code has besides: how to call it directly, its address."""
        return getattr(self.native, name)


def located(program: ir.Program, places: Sequence[tuple[str, int]], lines: str) -> ir.Program:
    """The program with a place for each statement, in the order of its text."""
    sources = {name: Source(name, "\n" * max(line for other, line in places if other == name)) for name, _ in places}
    spans: list[Span | None] = [None, *(Span(sources[name], line - 1, line - 1) for name, line in places)]
    supply = iter([spans[int(k)] for k in lines.split()])
    return ir.Program({name: replace(f, body=block(f.body, supply)) for name, f in program.functions.items()})


def block(b: ir.Block, spans: Iterator[Span | None]) -> ir.Block:
    made = []
    for stmt in b.stmts:
        span = next(spans)
        made.append(replace(stmt, op=operation(stmt.op, spans), span=span))
    return ir.Block(tuple(made), b.results)


def operation(op: ir.Op, spans: Iterator[Span | None]) -> ir.Op:
    match op:
        case ir.If(_, then, orelse):
            first = block(then, spans)
            return replace(op, then=first, orelse=block(orelse, spans))
        case ir.Map() | ir.Reduce() | ir.Scan():
            return replace(op, body=replace(op.body, body=block(op.body.body, spans)))
        case ir.Loop(cond=cond, body=body):
            test = None if cond is None else replace(cond, body=block(cond.body, spans))
            return replace(op, cond=test, body=block(body, spans))
        case _:
            return op
