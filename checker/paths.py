"""Names with a module in front: which module `M.N` is, and what `M.x` is in it.

The modules `f64`, `i32` … are made when they are first used as modules; `f64.sin` alone makes none.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..lang.intrinsics import CONVERTIBLE
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import FLOATS, Scalar
from . import builtins
from .scope import (
    FileScope,
    Functor,
    LibraryScope,
    Member,
    Module,
    ModuleEntry,
    Session,
    TypeEntry,
    library_names,
    nearest,
)


class Complain(Protocol):
    """`Checker.error`, or that of a `Reporter`."""

    def __call__(self, code: str, message: str, span: Span, label: str = "", *,
                 others: list[tuple[Span, str]] = ..., notes: list[str] = ..., help: str | None = None) -> object: ...


def find_module(session: Session, scope: FileScope, name: str) -> ModuleEntry | None:
    """The module that a name means: the program's own, that of a type of numbers, one of the library."""
    found = scope.module(name)
    if found is not None:
        return found
    if name in CONVERTIBLE:
        return numbers(session, name)
    if name in library_names():
        return library(session, name)
    return None


def library(session: Session, name: str) -> ModuleEntry:
    """A module of the library."""
    entry = session.libraries.get(name)
    if entry is None:
        entry = ModuleEntry(name, Span(session.text, 0, 0), LibraryScope(session, name))
        session.libraries[name] = entry
    return entry


def numbers(session: Session, name: str) -> ModuleEntry:
    """The module of a type of numbers, with all its members."""
    entry = session.numbers.get(name)
    if entry is None:
        span = Span(session.text, 0, 0)
        scope = FileScope(prefix=name)
        for member in builtins.member_names(name):
            meaning = builtins.member(name, member)
            if meaning is not None:
                scope.values[member] = meaning
        scope.types["t"] = TypeEntry("t", span, (), (), (), Scalar(name))
        if name in FLOATS:
            scope.types["int_t"] = TypeEntry("int_t", span, (), (), (), Scalar(f"u{name[1:]}"))
        entry = session.numbers[name] = ModuleEntry(name, span, scope)
    return entry


def module_at(session: Session, scope: FileScope, path: Sequence[str], span: Span, complain: Complain
              ) -> Module | None:
    """The module `M.N`; None after a report, or when the names around it had errors."""
    entry = find_module(session, scope, path[0])
    if entry is None:
        later = scope.declared_later(path[0])
        if later is not None:
            complain("E106", f"`{path[0]}` is used before its declaration", span, "not declared yet",
                     others=[(later, "declared here")], help="move the declaration above this use")
            return None
        if scope.lacks(path[0]):
            return None
        meant = nearest(path[0], [*scope.module_names(), *CONVERTIBLE, *library_names()])
        if path[0] in ("np", "numpy", "jnp", "torch", "jax", "scipy", "math"):
            complain("E110", f"there is no module `{path[0]}`", span, "not a name of Dad",
                     help="functions are in scope without a module; types are like `f64`, `[n]f64`, `[n][m]f64`")
            return None
        complain("E110", f"unknown module `{path[0]}`", span, "no module of this name is in scope",
                 help=f"did you mean `{meant}`?" if meant else "declare it above: `module M = { … }`, or `import` it")
        return None
    module = entry.module
    for k, name in enumerate(path[1:], 1):
        if isinstance(module, Functor):
            parametric(module, ".".join(path[:k]), span, complain)
            return None
        inner = exported_module(module, name)
        if inner is None:
            if not module.broken and name not in module.unread:
                meant = nearest(name, module.names("modules"))
                complain("E110", f"module `{'.'.join(path[:k])}` has no module `{name}`", span, "not a member",
                         help=f"did you mean `{meant}`?" if meant else None)
            return None
        module = inner.module
    return module


def parametric(module: Functor, shown: str, span: Span, complain: Complain) -> None:
    if not module.broken:
        complain("E111", f"`{shown}` is a parametric module", span, "it has members only when it is applied",
                 others=[(module.span, "declared here")], help=f"apply it first: `module M = {shown} …`")


def structure_at(session: Session, scope: FileScope, path: Sequence[str], span: Span, complain: Complain
                 ) -> FileScope | None:
    """As `module_at`, for a module that has members."""
    module = module_at(session, scope, path, span, complain)
    if isinstance(module, Functor):
        parametric(module, ".".join(path), span, complain)
        return None
    return module


def path_of(e: ast.Exp) -> tuple[str, ...] | None:
    """`M.N.x` as names, when the expression is nothing but names and dots."""
    names: list[str] = []
    while isinstance(e, ast.Field):
        names.append(e.name)
        e = e.record
    if not isinstance(e, ast.Name):
        return None
    return (*e.qualifier, e.name, *reversed(names))


def exported_value(module: FileScope, name: str) -> Member | None:
    found = module.own_value(name)
    return found if module.exports("values", name) else None


def exported_type(module: FileScope, name: str) -> TypeEntry | None:
    found = module.own_type(name)
    return found if module.exports("types", name) else None


def exported_module(module: FileScope, name: str) -> ModuleEntry | None:
    found = module.own_module(name)
    return found if module.exports("modules", name) else None


def no_member(module: FileScope, path: Sequence[str], name: str, kind: str, span: Span, complain: Complain) -> None:
    """Say that a module lacks a value or type, unless its own errors are the cause."""
    if module.broken or name in module.unread:
        return
    shown = ".".join(path)
    others: list[tuple[Span, str]] = []
    help = None
    meant = nearest(name, [*module.names(kind), *(module.names("modules") if kind == "values" else ())])
    hidden = module.own_value(name) if kind == "values" else module.own_type(name)
    if hidden is not None:
        where = getattr(hidden, "span", None)
        if where is not None:
            others.append((where, "`local`: not visible outside its module"))
        help = "declare it without `local`"
    elif meant:
        help = f"did you mean `{shown}.{meant}`?"
    elif kind == "values" and name in module.names("types"):
        help = f"`{shown}.{name}` is a type"
    elif kind == "types" and name in module.names("values"):
        help = f"`{shown}.{name}` is a value"
    what = "member" if kind == "values" else "type"
    complain("E107", f"module `{shown}` has no {what} `{name}`", span, "not a member", others=others, help=help)
