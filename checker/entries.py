"""What must be values: arguments and results of entries, elements of arrays, what branches and loops give."""
from __future__ import annotations

from ..lang.sizes import Size, SizeAtom
from ..lang.surface import ast
from ..lang.types import (
    F64,
    I64,
    Array,
    Fun,
    Scalar,
    Type,
    TypeVar,
    holds_function,
    map_type,
    sizes_of,
    varies,
)
from .builtins import DERIVATIVES
from .context import Checker
from .messages import show
from .result import BuiltinRef, GlobalRef, Scheme


def entry_scheme(c: Checker, node: ast.Def, scheme: Scheme) -> Scheme | None:
    """Entries are called from outside: concrete types, no functions; a generic number is f64, a generic integer i64.

    None when the definition cannot be one: an error, unless it is one only because it is called `main`.
    """
    rest: Type = scheme.type
    for _ in node.params:
        assert isinstance(rest, Fun)
        rest = rest.result
    if isinstance(rest, Fun):
        return None  # it will be checked again with all its parameters (`eta`)
    before = len(c.session.report.diagnostics)
    env: dict[TypeVar, Type] = {}
    _entry_sizes(c, node, scheme)
    for var in scheme.type_vars:
        if var.constraint is None:
            c.error("E221", f"the entry `{node.name}` has a parameter of any type, `{var.name}`",
                    var.origin or node.name_span, "callers from outside pass concrete types",
                    help=f"write a type such as f64, or declare `{node.name}` with `def`")
        env[var] = I64 if var.constraint == "int" or not node.params else F64
    _entry_values(c, node, scheme)
    if c.failed:
        if node.kind != "entry":
            c.failed = False
            del c.session.report.diagnostics[before:]
        return None
    if not env:
        return scheme

    def leaf(inner: Type) -> Type | None:
        return env.get(inner) if isinstance(inner, TypeVar) else None

    c.entry_types = {**c.entry_types, **env}
    return Scheme((), scheme.size_vars, map_type(scheme.type, leaf, lambda s: s))


def _entry_values(c: Checker, node: ast.Def, scheme: Scheme) -> None:
    """No function goes into an entry, and none comes out."""
    t: Type = scheme.type
    for p in node.params:
        assert isinstance(t, Fun)
        if holds_function(t.param):
            c.error("E221", f"a parameter of the entry `{node.name}` is a function", p.span,
                    f"this is {show(c, t.param)}",
                    help=f"functions cannot come from outside: declare `{node.name}` with `def`")
        t = t.result
    if holds_function(t):
        c.error("E221", f"the entry `{node.name}` gives a function", node.name_span, f"its result is {show(c, t)}",
                help="return values only")


def _entry_sizes(c: Checker, node: ast.Def, scheme: Scheme) -> None:
    """An entry reads each of its sizes off an axis of its arguments."""
    axes: list[Size] = []
    t: Type = scheme.type
    while isinstance(t, Fun):
        axes.extend(sizes_of(t.param))
        t = t.result
    shown: set[SizeAtom | None] = {s.atom for s in axes}
    missing = [v for v in scheme.size_vars if v not in shown]
    progress = True
    while missing and progress:
        progress = False
        for s in axes:
            unknown = [v for v in missing if v in s.atoms()]
            if len(unknown) == 1 and s.linear(unknown[0]) is not None:
                missing.remove(unknown[0])
                progress = True
    for var in missing:
        c.error("E306", f"the size `{var.name}` cannot be found from the axes of `{node.name}`'s parameters",
                var.origin or node.name_span, "an entry reads its sizes off its arguments",
                help=f"let some parameter have an axis `[{var.name}]`, or pass it as a value, `({var.name}: i64)`")


def function_values(c: Checker) -> None:
    """Functions exist while compiling only: none in an array, none chosen at run time, none for `'a`."""
    _value_types(c)
    for e, t in c.types.items():
        known = c.solver.prune(t)
        if isinstance(known, Scalar):
            continue
        element: Type = known
        while isinstance(element, Array):
            element = c.solver.prune(element.element)
        if known is not element and not isinstance(element, Scalar):
            rows = c.solver.zonk(element)
            if holds_function(rows):
                c.error("E216", "an array cannot hold functions", e.span, f"this is {show(c, known)}",
                        help="choose by index with `if`, and apply the function in each branch")
                return
            if varies(rows):
                c.error("E117", "the elements of an array have one size, and these might differ", e.span,
                        f"this is {show(c, known)}", notes=[f"sizes inside {show(c, rows)} are not known outside"],
                        help="let the type say its sizes: `type t [n]` instead of `type~ t`")
                return
        if isinstance(e, (ast.If, ast.Loop, ast.Match)) and holds_function(c.solver.zonk(known)):
            what = "an `if`" if isinstance(e, ast.If) else "a `loop`" if isinstance(e, ast.Loop) else "a `match`"
            c.error("E216", f"{what} cannot give a function", e.span, f"this is {show(c, known)}",
                    notes=["which function is meant must be known while compiling"],
                    help="apply the function inside: `if c then f x else g x`")
            return


def _value_types(c: Checker) -> None:
    """A type parameter that is declared `'a` stands for types of values; one declared `'^a` for functions too."""
    for node, use in c.uses.items():
        if use.scheme is None or (
                isinstance(use.target, GlobalRef) and use.target.definition.node.span.source.name == "prelude.dad"):
            continue
        for var, t in zip(use.scheme.type_vars, use.types, strict=True):
            if var.lifted == "" and holds_function(c.solver.zonk(t)):
                if isinstance(use.target, BuiltinRef) and use.target.name in DERIVATIVES:
                    c.error("E503", f"`{use.target.name}` differentiates functions from values to values", node.span,
                            f"here one of these would be a function, {show(c, t)}",
                            help="apply it inside, to what it is meant to be applied to: `\\x -> f x y`")
                    return
                c.error("E233", f"the type parameter `'{var.name}` stands for values, but here it would be a function",
                        node.span, f"`{var.name}` would be the functional type {show(c, t)}",
                        others=[(var.origin, f"`'{var.name}` is declared here")] if var.origin is not None else None,
                        help=f"declare it `'^{var.name}`, which stands for functions too")
                return
