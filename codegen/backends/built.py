"""A program and its entries as the text of a Python module that holds the program itself, to compile it where it runs.

In: IR before `vectorize`, entries. Out: text that imports NumPy, llvmlite and dad. The program stands in it as IR in
its text form, so the module is the same for every processor; what the IR's text leaves out, the lines of the source,
stands beside it. Names of the program are data there, never code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from textwrap import wrap

from ...lang.core import ir
from ...lang.core.text import show
from ...lang.core.walk import scopes
from .entry import EntrySpec, Module
from .numpy.module import entry_of, public_names
from .numpy.stub import stub
from .numpy.syntax import call, const

CODE = "U111"
"""Of what says that the module cannot be used."""
RESERVED = frozenset({"DadArgumentError", "Entry", "RunError"})
IMPORTS = """\
\"\"\"Machine code for the processor at hand: needs NumPy, llvmlite and dad-lang (pip install "dad-lang[native]").\"\"\"
from __future__ import annotations

try:
    from dad import __version__ as _version
    from dad.codegen.backends.native.built import Built as _Built
    from dad.codegen.runtime.entry import Entry
    from dad.codegen.runtime.errors import DadArgumentError, RunError
except ImportError as _error:
    raise ImportError(f"CODE: this module needs NumPy, llvmlite and dad-lang, and {_error}; "
                      'pip install "dad-lang[native]", or build it with --target numpy') from _error
"""


def emit_built(program: ir.Program, entries: Sequence[EntrySpec], version: str) -> Module:
    """The module of these entries; the same program and entries give the same text."""
    published = public_names(entries, RESERVED)
    text = show(program)
    wrappers = [entry_of(e, published[e.name], {f: function(f) for f in (e.function, *e.transforms.values())})
                for e in entries]
    instances = "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in wrappers)
    places, numbers = lines(program)
    made = "\n".join([
        f"# Written by dad {version}.", IMPORTS.replace("CODE", CODE),
        "_PROGRAM = (", *literal(text.splitlines(keepends=True)), ")",
        "_PLACES = (", *(f"    {place!r}," for place in places), ")",
        "_LINES = (", *literal([part + " " for part in wrap(" ".join(map(str, numbers)), 100)] or [""]), ")",
        f"_built = _Built({version!r}, _version, _PROGRAM, _PLACES, _LINES)", "", instances, ""])
    return Module(made, stub(entries, published, version), made, text)


def literal(parts: Sequence[str]) -> Iterator[str]:
    """Lines of Python whose strings are these parts."""
    return (f"    {part!a}" for part in parts)


def function(name: str) -> ast.expr:
    """How the module calls a function of the program."""
    return call("_built.function", const(name))


def lines(program: ir.Program) -> tuple[list[tuple[str, int]], list[int]]:
    """Places in sources, and for each statement the number of its place, from 1; 0 where there is none."""
    numbers: dict[tuple[str, int], int] = {}
    found = []
    for stmt in statements(program):
        span = stmt.span
        found.append(0 if span is None else numbers.setdefault((span.source.name, span.line), len(numbers) + 1))
    return list(numbers), found


def statements(program: ir.Program) -> Iterator[ir.Stmt]:
    """All statements, in the order of the text."""
    for f in program.functions.values():
        yield from inside(f.body)


def inside(block: ir.Block) -> Iterator[ir.Stmt]:
    for stmt in block.stmts:
        yield stmt
        for _, inner in scopes(stmt.op):
            yield from inside(inner)
