"""A program in array code, and its entry points, as the text of a Python module and of its stub."""

from __future__ import annotations

import ast
from collections.abc import Container, Sequence

from ....lang.clock import stage, timed
from ....lang.core import ir
from ....lang.core.walk import callees, scopes
from ...passes.effects import reachable
from ...passes.vectorize import vectorize
from ..entry import (
    ArrayOf,
    ArraySpec,
    DimSpec,
    EntrySpec,
    Module,
    RecordSpec,
    ScalarSpec,
    SumSpec,
    TupleSpec,
    ValueSpec,
)
from .functions import Callee, Tables, emit_function
from .helpers import helpers, linked, standalone
from .names import RESERVED, Names
from .stub import stub
from .syntax import assign, const, name, tuple_

IMPORTS = """\
from __future__ import annotations

import keyword
import math
import re
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np"""


@timed("emit")
def emit_module(program: ir.Program, entries: Sequence[EntrySpec], version: str) -> Module:
    """The module of these entries; the same program and entries give the same text.

    >>> emit_module(ir.Program({}), [], "0.1.0").body
    '# Written by dad 0.1.0.\\n'
    """
    taken = frozenset(
        RESERVED
        | set(helpers())
        | {"keyword", "re", "sys", "threading", "namedtuple", "Callable", "Iterator", "Mapping", "Sequence", "Any"}
    )
    published = public_names(entries, taken)
    module_names = Names(taken)
    module_names.taken |= set(published.values())
    with stage("vectorize"):
        program = vectorize(program)
    order = _reachable(program, entries)
    function_names = Names(frozenset())
    known = {f: Callee("_" + function_names.new(f), ()) for f in order}
    written: list[ast.stmt] = []
    tables = Tables()
    for f in order:
        # Local names may not hide a function or a helper.
        local = Names(frozenset(module_names.taken | {c.name for c in known.values()}))
        made, callee = emit_function(program.functions[f], known[f].name, known, local, tables)
        known[f] = callee
        written.append(made)
    constants = "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in tables.made)
    circles = _recursive(program, order)
    wrappers = [entry_of(entry, published[entry.name], {
        f: _callable(f, program, circles, known) for f in (entry.function, *entry.transforms.values())
    }) for entry in entries]
    trees = (*tables.made, *written, *wrappers)
    mentioned = {n.id for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name)}
    used = mentioned & set(helpers())
    used |= {"RunError", "DadArgumentError", "Entry"}
    functions = "\n\n\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in written)
    instances = "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in wrappers)
    header = f"# Written by dad {version}.\n"
    body = "\n\n".join([header.rstrip("\n"), *(p for p in (constants, functions) if p)]) + "\n"
    wanted = sorted(used)

    def whole(support: str) -> str:
        parts = [header + IMPORTS, support, constants, functions, instances]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    return Module(whole(standalone(wanted)), stub(entries, published, version), whole(linked(wanted)), body)


def public_names(entries: Sequence[EntrySpec], taken: frozenset[str]) -> dict[str, str]:
    """What entries are called in a module: their own names, or near ones where Python or the module has these."""
    names = Names(taken)
    return {
        entry.name: names.new(entry.name)
        if not entry.name.isascii()
        or not entry.name.isidentifier()
        or entry.name in taken
        or entry.name.startswith("_")
        else entry.name
        for entry in entries
    }


def _reachable(program: ir.Program, entries: Sequence[EntrySpec]) -> list[str]:
    """Functions that the entries reach, in the program's order."""
    pending = [f for entry in entries for f in (entry.function, *entry.transforms.values())]
    found: set[str] = set()
    while pending:
        here = pending.pop()
        if here not in found:
            found.add(here)
            pending.extend(callees(program.functions[here].body))
    return [f for f in program.functions if f in found]


# ------------------------------------------------------------------ entries


def _recursive(program: ir.Program, order: Sequence[str]) -> dict[str, str]:
    """Functions that can call themselves, and where in the source a call of the circle stands."""
    calls = {f: callees(program.functions[f].body) for f in order}
    found: dict[str, str] = {}
    for f in order:
        circle = reachable(calls, calls[f])
        if f in circle:
            found[f] = _place_of_call(program.functions[f].body, circle)
    return found


def _place_of_call(body: ir.Block, circle: Container[str]) -> str:
    pending = [body]
    while pending:
        for stmt in pending.pop().stmts:
            if isinstance(stmt.op, ir.Call) and stmt.op.function in circle and stmt.span is not None:
                return f"{stmt.span.source.name}:{stmt.span.line}"
            pending.extend(block for _, block in scopes(stmt.op))
    return ""


def _callable(function: str, program: ir.Program, circles: dict[str, str], known: dict[str, Callee]) -> ast.expr:
    """The Python function; with room for recursion if it needs any."""
    plain_name = name(known[function].name)
    if not circles:
        return plain_name
    calls = {f: callees(program.functions[f].body) for f in known}
    deep = [f for f in reachable(calls, [function]) if f in circles]
    if not deep:
        return plain_name
    told = tuple((known[f].name, program.functions[f].source_name or f, circles[f]) for f in deep)
    return ast.Call(name("deep"), [plain_name, _literal(told)], [])


def entry_of(entry: EntrySpec, published: str, functions: dict[str, ast.expr], made: str = "Entry") -> ast.stmt:
    """The statement that makes an entry; `functions` are what it calls, `made` is its class."""
    params = tuple((p.name, p.activity, plain(p.value)) for p in entry.params)
    transforms = ast.Dict(
        [const(kind) for kind in entry.transforms], [functions[f] for f in entry.transforms.values()]
    )
    keywords = [
        ("params", _literal(params)),
        ("result", _literal(plain(entry.result))),
        ("doc", const(entry.doc)),
        ("wrt", _literal(entry.wrt)),
        ("transforms", transforms),
    ]
    call = ast.Call(
        name(made), [const(entry.name), functions[entry.function]], [ast.keyword(k, v) for k, v in keywords]
    )
    return assign(published, call)


def plain(value: ValueSpec) -> tuple[object, ...]:
    """The type as nested tuples, as `codegen.runtime.entry` reads it."""
    match value:
        case ScalarSpec(dtype):
            return "scalar", dtype
        case ArraySpec(dtype, dims):
            return "array", dtype, tuple(map(_dim, dims))
        case TupleSpec(items):
            return "tuple", tuple(map(plain, items))
        case RecordSpec(record, fields):
            return "record", record, tuple((field, plain(item)) for field, item in fields)
        case SumSpec(title, tag, cases):
            return "sum", title, tag, tuple((case, tuple(map(plain, items))) for case, items in cases)
        case ArrayOf(dims, element):
            return "rows", tuple(map(_dim, dims)), plain(element)


def _dim(dim: DimSpec) -> tuple[object, ...]:
    return dim.text, tuple((coefficient, tuple(names)) for coefficient, names in dim.terms)


def _literal(value: object) -> ast.expr:
    if isinstance(value, tuple):
        return tuple_([_literal(item) for item in value])
    assert value is None or isinstance(value, str | int)
    return const(value)
