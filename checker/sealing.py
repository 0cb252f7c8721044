"""Whether what a module has fits what a module type says: its types, then its values.

In: a module's scope, and the structure of a module type (`signatures`), whose closed types get to know what they stand
for. A value that fits is seen with the type that the module type says; what it is, is kept with it for lowering.
"""
from __future__ import annotations

from ..lang.record import replace as changed
from ..lang.sizes import Size, SizeAtom, SizeMeta
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import Error, Fun, Record, Type, TypeVar, holds_function, show, sizes_of, substituted
from . import names
from .clashes import Clash
from .context import Because, Checker, Context
from .paths import exported_module, exported_type, exported_value
from .result import BuiltinRef, GlobalRef, Scheme
from .scope import FileScope, Global, Sealed, Session, Substitution, TypeEntry, nearest
from .signatures import put_entry, put_scheme

Path = tuple[str, ...]
WHAT = {"types": "type", "values": "value", "modules": "module"}


def missing(session: Session, found: FileScope, kind: str, path: Path, span: Span, declared: Span) -> None:
    """Say that a module lacks what its module type wants."""
    name = path[-1]
    if found.broken or name in found.unread:
        return
    help = None
    if name in getattr(found, kind):
        help = f"`{name}` is `local`: declare it without"
    else:
        other = next((k for k in WHAT if k != kind and name in found.names(k)), None)
        meant = nearest(name, found.names(kind))
        if other is not None:
            help = f"its `{name}` is a {WHAT[other]}"
        elif meant:
            help = f"it has a {WHAT[kind]} `{meant}`"
    session.report.error("E114", f"the module has no {WHAT[kind]} `{'.'.join(path)}`", span, "it is missing here",
                         others=[(declared, "the module type says that there is one")], help=help)


# ---------------------------------------------------------------- types


def seal_types(session: Session, found: FileScope, wanted: FileScope, span: Span, path: Path, view: Substitution
               ) -> None:
    """What the closed types of `wanted` are, those of modules inside included; its other types are compared."""
    for name, spec in wanted.types.items():
        entry = exported_type(found, name)
        if entry is None:
            missing(session, found, "types", (*path, name), span, spec.span)
            entry = TypeEntry(name, spec.span, spec.sizes, spec.types, (), Error(), "^")
        if _same_parameters(session, entry, spec, (*path, name), span):
            if spec.closed is not None:
                _close(session, entry, spec, (*path, name), span, view)
            else:
                _compare(session, entry, put_entry(view, session, spec), (*path, name), span)
        elif spec.closed is not None:
            view.types[spec.closed] = TypeEntry(name, spec.span, spec.sizes, spec.types, (), Error())
    for name, value in wanted.values.items():
        actual = exported_value(found, name)
        variable = value.constant.atom if isinstance(value, Sealed) and value.constant is not None else None
        if variable is not None and isinstance(actual, (Global, Sealed)) and actual.constant is not None:
            view.sizes[variable] = actual.constant
    for name, inner in wanted.modules.items():
        there = exported_module(found, name)
        if there is not None and isinstance(there.module, FileScope) and isinstance(inner.module, FileScope):
            seal_types(session, there.module, inner.module, span, (*path, name), view)


def _same_parameters(session: Session, entry: TypeEntry, spec: TypeEntry, path: Path, span: Span) -> bool:
    if (len(entry.sizes), len(entry.types)) == (len(spec.sizes), len(spec.types)):
        return True
    session.report.error("E114", f"the type `{'.'.join(path)}` has other parameters than the module type says", span,
                         f"it is `{_header(entry)}` here", others=[(spec.span, f"`{_header(spec)}` is wanted"),
                                                                   (entry.span, "declared here")])
    return False


def _header(entry: TypeEntry) -> str:
    return " ".join([entry.name, *(f"[{s.name}]" for s in entry.sizes), *(f"'{v.name}" for v in entry.types)])


def _close(session: Session, entry: TypeEntry, spec: TypeEntry, path: Path, span: Span, view: Substitution) -> None:
    family = spec.closed
    assert family is not None
    sizes: dict[SizeAtom, Size] = {v: Size.of(s) for v, s in zip(entry.sizes, family.sizes, strict=True)}
    types: dict[TypeVar, Type] = dict(zip(entry.types, family.types, strict=True))
    family.body = substituted(entry.body, types, sizes)
    view.types[family] = entry
    shown = ".".join(path)
    why, help = "", f"declare it as `type^ {_header(spec)}` in the module type"
    lost = [v for v in family.sizes if not any(s.atom == v for s in sizes_of(family.body))]
    if spec.lifted != "^" and holds_function(entry.body):
        why = f"the module type wants a non-lifted type `{shown}`, and this one holds functions"
    elif not spec.lifted and entry.open:
        why = f"the module type wants a type `{shown}` that says its sizes, and this one leaves some open"
        help = f"declare it as `type~ {_header(spec)}` in the module type"
    elif lost:
        why = f"the size `{lost[0].name}` of `{shown}` has no constructive use: no axis has this length"
        help = "a closed type keeps its sizes as lengths of its axes; add a parameter that is one, or leave it away"
    if why:
        session.report.error("E114", why, span, f"here it is {show(family.body)}",
                             others=[(spec.span, "the module type closes it here")], help=help)


def _compare(session: Session, entry: TypeEntry, spec: TypeEntry, path: Path, span: Span) -> None:
    c = Checker(session, FileScope(), span)
    sizes: dict[SizeAtom, Size] = {v: Size.of(s) for v, s in zip(entry.sizes, spec.sizes, strict=True)}
    sizes.update((v, Size.of(s)) for v, s in zip(entry.open, spec.open, strict=False))
    have = substituted(entry.body, dict(zip(entry.types, spec.types, strict=True)), sizes)
    try:
        c.solver.unify(have, spec.body)
    except Clash:
        session.report.error("E114", f"the type `{'.'.join(path)}` is not what the module type says", span,
                             f"here it is {show(plain(have))}",
                             others=[(spec.span, f"{show(plain(spec.body))} is wanted"), (entry.span, "declared here")])


def plain(t: Type) -> Type:
    """A record without its name, so that two of one name can be told apart."""
    return Record(t.fields, None, t.order) if isinstance(t, Record) else t


# ---------------------------------------------------------------- values


def seal_value(session: Session, found: FileScope, spec: Sealed, span: Span, path: Path, view: Substitution) -> Sealed:
    """The value of a module as the module type shows it."""
    member = exported_value(found, spec.name)
    if member is None:
        missing(session, found, "values", path, span, spec.span)
        return spec
    if isinstance(member, Global) and member.definition is None:
        return spec
    seen = put_scheme(view, session, spec.scheme)
    c = Checker(session, FileScope(), span)
    c.solver.level = 1
    node = ast.Name(span, spec.name)
    have = names.meaning_of(c, node, member, spec.name, span)
    want = _open_sizes(c, seen)
    shown = show(c.solver.zonk(have)) if not c.solver.kinds else None
    failed = False
    try:
        c.solver.unify(have, want, Context(span, Because(), have, want))
    except Clash:
        failed = True
    start = len(session.report.diagnostics)
    raw = c.uses.get(node)
    if not failed and raw is not None and raw.scheme is not None:
        failed = any(v.lifted == "" and holds_function(c.solver.zonk(t))
                     for v, t in zip(raw.scheme.type_vars, raw.types, strict=True))
    if not failed:
        _settle(c)
        failed = session.failures(start)
        del session.report.diagnostics[start:]
    if failed:
        here = getattr(member, "span", None)
        scheme = _scheme(member)
        has = shown or show(c.solver.zonk(have))
        others = [(spec.span, f"{_generic(seen)}{show(seen.type)} is wanted")]
        if here is not None:
            others.append((here, f"{_generic(scheme)}{has} is here" if scheme is not None else "declared here"))
        session.report.error("E114", f"the value `{'.'.join(path)}` has another type than the module type says", span,
                             "does not fit", others=others, notes=[] if here is not None else [f"it is {has}"])
        return spec
    constant = member.constant if isinstance(member, (Global, Sealed)) else None
    if spec.constant is not None and spec.constant.atom in view.sizes:
        constant = spec.constant
    if raw is None:
        return changed(spec, constant=constant)
    assert isinstance(raw.target, (GlobalRef, BuiltinRef))
    return Sealed(spec.name, spec.span, spec.scheme, raw.target, raw.scheme,
                  tuple(c.solver.zonk(t) for t in raw.types), tuple(c.solver.size(s) for s in raw.sizes), constant)


def _settle(c: Checker) -> None:
    """Decide what is left open, as at the end of a definition."""
    for constraint in list(c.solver.open):
        if not constraint.attempt() and not constraint.default():
            constraint.give_up()


def _open_sizes(c: Checker, seen: Scheme) -> Type:
    """The wanted type; sizes that it leaves open in a value that is no function may be any."""
    hidden = () if isinstance(seen.type, Fun) else names.hidden_sizes(seen)
    if not hidden:
        return seen.type
    env: dict[SizeAtom, Size] = {}
    for v in hidden:
        meta = SizeMeta(next(c.session.uids), v.origin, v.why, v.name)
        c.solver.levels[meta.uid] = 1 << 30
        env[v] = Size.of(meta)
    return substituted(seen.type, {}, env)


def _scheme(member: object) -> Scheme | None:
    if isinstance(member, Global) and member.definition is not None:
        return member.definition.scheme
    return member.scheme if isinstance(member, Sealed) else None


def _generic(scheme: Scheme) -> str:
    """The type parameters, as they are written before a type."""
    given = "".join(f"'{v.name}{f': {v.constraint}' if v.constraint else ''} " for v in scheme.type_vars)
    return f"{given}: " if given else ""


__all__ = ["missing", "seal_types", "seal_value"]
