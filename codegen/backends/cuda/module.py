"""A program for a GPU as the text of a Python module that needs CuPy and NumPy, and of its stub.

In: a program before `vectorize`, its entries. Out: text with the CUDA C of all kernels in it, the functions that drive
them, and what these need of `codegen/runtime`; primitives that NumPy computes on the host are functions of NumPy code.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ....lang.clock import stage, timed
from ....lang.core import ir
from ....lang.prims.checks import MESSAGES, template_of
from ..entry import EntrySpec, Module
from ..loops.sites import DEPTH_SITE, FULL_SITE, HostCall, Site
from ..numpy.expressions import numbers_of
from ..numpy.functions import Callee, Tables, emit_function
from ..numpy.helpers import DEVICE_FILES, helpers, linked, standalone
from ..numpy.module import IMPORTS, entry_of, public_names
from ..numpy.names import RESERVED, Names
from ..numpy.stub import stub
from ..numpy.syntax import call, const
from .images import NO_IMAGES
from .levels import Types
from .nests import nests
from .outline import Outlined, outlined

CUPY = """\
try:
    import cupy
except ImportError as _error:
    raise ImportError(f'U112: this module runs on a GPU through CuPy, and {_error}; pip install "cupy-cuda13x[ctk]", '
                      'or build it with --target native or numpy') from _error"""
RUNTIME = ("RunError", "DadArgumentError", "DeviceEntry", "Program", "_wrapped", "_quot", "_rem", "_div", "_mod",
           "_shl", "_shr", "host_number")


@timed("emit")
def emit_module(program: ir.Program, entries: Sequence[EntrySpec], version: str) -> Module:
    """The module of these entries; the same program and entries give the same text."""
    roots = list(dict.fromkeys(f for e in entries for f in (e.function, *e.transforms.values())))
    with stage("loops"):
        nondet = [f for e in entries if e.nondet for f in (e.function, *e.transforms.values())]
        made = outlined(nests(program), roots, types_of(program), nondet)
    taken = frozenset(RESERVED | set(helpers(DEVICE_FILES)) | {"cupy", "np", "run", "frame"})
    published = public_names(entries, taken)
    tables = Tables()
    primitives = [primitive(c, k, tables) for k, c in enumerate(made.hosts)]
    constants = "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in tables.made)
    functions = "\n\n\n".join([*(ast.unparse(ast.fix_missing_locations(tree)) for tree in primitives), *made.python])
    calls = {root: call("_program.function", ast.Name(made.roots[root]), *(literal(x) for x in types(program, root)),
                        const(made.fails[root]), literal(made.reached[root])) for root in roots}
    wrappers = [entry_of(e, published[e.name], {f: calls[f] for f in (e.function, *e.transforms.values())},
                         "DeviceEntry") for e in entries]
    instances = "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in wrappers)
    mentioned = {n.id for tree in (*tables.made, *primitives, *wrappers) for n in ast.walk(tree)
                 if isinstance(n, ast.Name)}
    wanted = sorted((mentioned & set(helpers(DEVICE_FILES))) | {*RUNTIME})
    header = f"# Written by dad {version}.\n"
    program_text = described(made)

    def whole(support: str) -> str:
        parts = [header + IMPORTS + "\n\n" + CUPY, support, constants, program_text, functions, instances]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    body = "\n\n".join([header.rstrip("\n"), program_text, functions]) + "\n"
    return Module(whole(standalone(wanted, DEVICE_FILES)), stub(entries, published, version),
                  whole(linked(wanted, DEVICE_FILES)), body, made.programs.each())


def emit_program(program: ir.Program, roots: Sequence[str], version: str) -> str:
    """The text of a module for tests, without entries: `FUNCTIONS` are the functions of leaves, by name."""
    made = outlined(nests(program), roots, types_of(program))
    tables = Tables()
    primitives = [primitive(c, k, tables) for k, c in enumerate(made.hosts)]
    mentioned = {n.id for tree in (*tables.made, *primitives) for n in ast.walk(tree) if isinstance(n, ast.Name)}
    wanted = sorted((mentioned & set(helpers(DEVICE_FILES))) | {*RUNTIME})
    functions = {root: f"_program.function({made.roots[root]}, {', '.join(map(repr, types(program, root)))}, "
                       f"{made.fails[root]}, {made.reached[root]})" for root in roots}
    return "\n\n".join([
        f"# Written by dad {version}.", IMPORTS, "import cupy", linked(wanted, DEVICE_FILES),
        *(ast.unparse(ast.fix_missing_locations(tree)) for tree in (*tables.made, *primitives)), described(made),
        *made.python, "FUNCTIONS = {" + ", ".join(f"{k!r}: {v}" for k, v in functions.items()) + "}"])


def described(made: Outlined) -> str:
    """The statement that makes the program of kernels."""
    sites = "".join(f"    {site(s)!r},\n" for s in made.sites)
    tables = "".join(f"    {ast.unparse(numbers_of(t))},\n" for t in made.tables)
    hosts = "".join(f"    {str(k)!r}: lambda *args: _p{k}(*args),\n" for k in range(len(made.hosts)))
    texts = "".join(f'    """\\\n{quoted(text)}""",\n' for text in made.programs.texts)
    programs = "".join(f"    ({p.names()!r}, {p.texts!r}, {p.head!r}, {p.checks()!r}),\n"
                       for p in made.programs.programs)
    return (f"_TEXTS = (\n{texts})\n_PROGRAMS = (\n{programs})\n_SITES = (\n{sites})\n_TABLES = (\n{tables}){NO_IMAGES}"
            f"_program = Program(_TEXTS, _PROGRAMS, _SITES, _TABLES, {{\n{hosts}}}, {made.blocks}, _IMAGES,\n"
            '                   globals().get("__file__", ""))')


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def site(s: Site) -> tuple[object, ...]:
    """What the module knows of a place where a check may fail."""
    code, message = ("", "") if s.name in (DEPTH_SITE, FULL_SITE) else \
        (MESSAGES[s.name][0], template_of(s.name, dict(s.attrs)))
    where = f"{s.span.source.name}:{s.span.line}" if s.span else ""
    return s.name, code, message, dict(s.attrs), s.dtypes, where


def types(program: ir.Program, root: str) -> tuple[object, object]:
    """Dtypes and ranks of parameters and results."""
    f = program.functions[root]
    return tuple((p.type.dtype, p.type.rank) for p in f.params), tuple((t.dtype, t.rank) for t in f.result_types)


def types_of(program: ir.Program) -> dict[str, Types]:
    return {name: ([p.type for p in f.params], f.result_types) for name, f in program.functions.items()}


def literal(value: object) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def primitive(c: HostCall, number: int, tables: Tables) -> ast.FunctionDef:
    """A primitive as a function of NumPy code."""
    params = tuple(ir.Var(k, f"x{k}", ir.Type(dtype, rank)) for k, (dtype, rank) in enumerate(c.args))
    outs = tuple(ir.Var(len(params) + k, f"y{k}", ir.Type(dtype, rank)) for k, (dtype, rank) in enumerate(c.results))
    body = ir.Block((ir.Stmt(outs, ir.Prim(c.name, params, c.attrs), None),), outs)
    function = ir.Function(c.name, params, body)
    known: dict[str, Callee] = {}
    names = Names(frozenset(RESERVED | set(helpers(DEVICE_FILES))))
    return emit_function(function, f"_p{number}", known, names, tables)[0]
