"""A program in array code, and its entry points, as the text of a Python module and of its stub."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ....lang.core import ir
from ....lang.core.walk import callees
from ...passes.vectorize import vectorize
from ..entry import ArrayOf, ArraySpec, DimSpec, EntrySpec, Module, RecordSpec, ScalarSpec, TupleSpec, ValueSpec
from .functions import Callee, emit_function
from .helpers import helpers, linked, standalone
from .names import RESERVED, Names
from .stub import stub
from .syntax import assign, const, name, tuple_

IMPORTS = """\
from __future__ import annotations

import keyword
import math
import re
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np"""


def emit_module(program: ir.Program, entries: Sequence[EntrySpec], version: str) -> Module:
    """The module of these entries; the same program and entries give the same text.

    >>> emit_module(ir.Program({}), [], "0.1.0").body
    '# Written by dad 0.1.0.\\n'
    """
    taken = frozenset(
        RESERVED
        | set(helpers())
        | {"keyword", "re", "namedtuple", "Callable", "Iterator", "Mapping", "Sequence", "Any"}
    )
    module_names = Names(taken)
    published = {
        entry.name: module_names.new(entry.name)
        if not entry.name.isascii()
        or not entry.name.isidentifier()
        or entry.name in taken
        or entry.name.startswith("_")
        else entry.name
        for entry in entries
    }
    module_names.taken |= set(published.values())
    program = vectorize(program)
    order = _reachable(program, entries)
    function_names = Names(frozenset())
    known = {f: Callee("_" + function_names.new(f), ()) for f in order}
    written: list[ast.stmt] = []
    for f in order:
        # Local names may not hide a function or a helper.
        local = Names(frozenset(module_names.taken | {c.name for c in known.values()}))
        made, callee = emit_function(program.functions[f], known[f].name, known, local)
        known[f] = callee
        written.append(made)
    wrappers = [_entry(entry, published[entry.name], known) for entry in entries]
    used = {n.id for tree in written for n in ast.walk(tree) if isinstance(n, ast.Name)} & set(helpers())
    used |= {"RunError", "DadArgumentError", "Entry"}
    functions = "\n\n\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in written)
    instances = "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in wrappers)
    header = f"# Written by dad {version}.\n"
    body = "\n\n".join([header.rstrip("\n"), *(p for p in (functions,) if p)]) + "\n"
    wanted = sorted(used)

    def whole(support: str) -> str:
        parts = [header + IMPORTS, support, functions, instances]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    return Module(whole(standalone(wanted)), stub(entries, published, version), whole(linked(wanted)), body)


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


def _entry(entry: EntrySpec, published: str, known: dict[str, Callee]) -> ast.stmt:
    params = tuple((p.name, p.activity, plain(p.value)) for p in entry.params)
    transforms = ast.Dict(
        [const(kind) for kind in entry.transforms], [name(known[f].name) for f in entry.transforms.values()]
    )
    keywords = [
        ("params", _literal(params)),
        ("result", _literal(plain(entry.result))),
        ("doc", const(entry.doc)),
        ("wrt", _literal(entry.wrt)),
        ("transforms", transforms),
    ]
    call = ast.Call(
        name("Entry"), [const(entry.name), name(known[entry.function].name)], [ast.keyword(k, v) for k, v in keywords]
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
        case ArrayOf(dims, element):
            return "rows", tuple(map(_dim, dims)), plain(element)


def _dim(dim: DimSpec) -> tuple[object, ...]:
    return dim.text, tuple((coefficient, tuple(names)) for coefficient, names in dim.terms)


def _literal(value: object) -> ast.expr:
    if isinstance(value, tuple):
        return tuple_([_literal(item) for item in value])
    assert value is None or isinstance(value, str | int)
    return const(value)
