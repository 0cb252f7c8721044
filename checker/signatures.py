"""Module types: from syntax to what a module of the type has.

`elaborate` makes a *structure*: a scope whose types are closed where the module type does not say what they are
(`types.Family`, new ones each time), and whose values are known by their types alone. It serves as the parameter of a
parametric module while that is checked by itself, and as what a module is compared with.

A `Substitution` puts types in place of closed ones: for `with`, and for what an application gives to the outside.
"""
from __future__ import annotations

from collections.abc import Sequence

from ..lang.record import replace as changed
from ..lang.sizes import OversizedSize, Size, SizeAtom, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import (
    I64,
    Abstract,
    Error,
    Family,
    Fun,
    Record,
    Scalar,
    Sum,
    Type,
    holds_function,
    map_type,
    substituted,
)
from . import functions
from .context import Checker
from .contracts import contracts_of
from .messages import oversized, too_large
from .paths import structure_at
from .result import Contract, GlobalRef, Scheme
from .scope import (
    Builtin,
    FileScope,
    Functor,
    Global,
    Member,
    Module,
    ModuleEntry,
    Sealed,
    Session,
    SigEntry,
    Substitution,
    TypeEntry,
    nearest,
)
from .typexp import TypeContext
from .typexp import elaborate as elaborate_type


def value_of(session: Session, name: str, span: Span) -> Size:
    """The value of an i64 of a module or file, as a size."""
    return Size.of(SizeVar(name, next(session.uids), span, f"the value of `{name}`", fixed=True))


# ---------------------------------------------------------------- substitutions


def put_type(by: Substitution, session: Session, t: Type, made: list[SizeVar]) -> Type:
    """The type under a substitution; sizes that a new type leaves open go to `made`, or to the function that finds
    them out."""

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, Abstract) and inner.family in by.types:
            entry = by.types[inner.family]
            env: dict[SizeAtom, Size] = {v: size(s) for v, s in zip(entry.sizes, inner.sizes, strict=True)}
            for v in entry.open:
                made.append(SizeVar(v.name, next(session.uids), v.origin, v.why))
                env[v] = Size.of(made[-1])
            arguments = [map_type(i, leaf, size) for i in inner.types]
            return substituted(entry.body, dict(zip(entry.types, arguments, strict=True)), env)
        if isinstance(inner, Fun):
            param = map_type(inner.param, leaf, size)
            before = len(made)
            result = map_type(inner.result, leaf, size)
            found = made[before:]
            del made[before:]
            return Fun(param, result, inner.name, inner.size_var, (*inner.exists, *found))
        return inner if isinstance(inner, Scalar) else None

    def size(s: Size) -> Size:
        return s.substitute(by.sizes) if by.sizes else s

    return map_type(t, leaf, size)


def put_scheme(by: Substitution, session: Session, s: Scheme) -> Scheme:
    made: list[SizeVar] = []
    t = put_type(by, session, s.type, made)
    return Scheme(s.type_vars, (*s.size_vars, *made), t)


def put_entry(by: Substitution, session: Session, e: TypeEntry) -> TypeEntry:
    made: list[SizeVar] = []
    body = put_type(by, session, e.body, made)
    closed = e.closed if e.closed not in by.types else None
    return changed(e, body=body, open=(*e.open, *made), closed=closed)


def put_value(by: Substitution, session: Session, v: Member) -> Member:
    constant = v.constant.substitute(by.sizes) if not isinstance(v, Builtin) and v.constant is not None else None
    match v:
        case Global(definition=definition) if definition is not None:
            own = definition.scheme
            sizes = tuple(Size.of(s) for s in own.size_vars)
            seen = put_scheme(by, session, own)
            return Sealed(v.name, v.span, seen, GlobalRef(definition), own, own.type_vars, sizes, constant)
        case Sealed():
            made: list[SizeVar] = []
            return changed(v, scheme=put_scheme(by, session, v.scheme), constant=constant,
                           types=tuple(put_type(by, session, t, made) for t in v.types),
                           sizes=tuple(s.substitute(by.sizes) for s in v.sizes))
        case _:
            return v


def put_module(by: Substitution, session: Session, m: Module) -> Module:
    """What the module exports, with the substitution in all its types."""
    if isinstance(m, Functor):
        inner_functor = put_module(by, session, m.inner) if m.inner is not None else None
        assert not isinstance(inner_functor, FileScope)
        return changed(m, substitution=composed(m.substitution, by, session), inner=inner_functor,
                       view=composed(m.view, by, session))
    made = FileScope(prefix=m.prefix, abstract=m.abstract, broken=m.broken)
    for name in m.names("types"):
        entry = m.own_type(name)
        assert entry is not None
        made.types[name] = put_entry(by, session, entry)
    for name in m.names("values"):
        value = m.own_value(name)
        assert value is not None
        made.values[name] = put_value(by, session, value)
    for name in m.names("modules"):
        inner = m.own_module(name)
        assert inner is not None
        made.modules[name] = changed(inner, module=put_module(by, session, inner.module))
    for name in m.names("module_types"):
        sig = m.own_module_type(name)
        assert sig is not None
        made.module_types[name] = changed(sig, substitution=composed(sig.substitution, by, session))
    return made


def composed(first: Substitution | None, then: Substitution, session: Session) -> Substitution:
    """One substitution for both, one after the other."""
    if first is None:
        return then
    types = {family: put_entry(then, session, entry) for family, entry in first.types.items()}
    sizes = {atom: size.substitute(then.sizes) for atom, size in first.sizes.items()}
    return Substitution({**then.types, **types}, {**then.sizes, **sizes})


# ---------------------------------------------------------------- module types


def elaborate(session: Session, scope: FileScope, sig: ast.ModuleType, label: str = "") -> Module:
    """A module of this type, of which nothing more is known. `label` is what its closed types are called after."""
    match sig:
        case ast.SigName():
            return _named(session, scope, sig, label)
        case ast.SigBody(specs=specs):
            made = FileScope(parent=scope, prefix=scope.prefix, abstract=True)
            included: set[object] = set()
            for spec in specs:
                _spec(session, made, spec, label, included)
            return made
        case ast.SigWith():
            return _with(session, scope, sig, label)
        case ast.SigArrow(name=name, param=param, result=result):
            return Functor(sig.span, scope, name, param, result, None)


def _named(session: Session, scope: FileScope, sig: ast.SigName, label: str) -> Module:
    complain = session.report.error
    shown = ".".join((*sig.qualifier, sig.name))
    if sig.qualifier:
        module = structure_at(session, scope, sig.qualifier, sig.span, complain)
        if module is None:
            return FileScope(abstract=True, broken=True)
        entry = module.own_module_type(sig.name) if module.exports("module_types", sig.name) else None
        known = module.names("module_types")
        if entry is None and module.broken:
            return FileScope(abstract=True, broken=True)
    else:
        entry = scope.module_type(sig.name) or session.prelude.own_module_type(sig.name)
        known = _type_names(scope)
        if entry is None and scope.lacks(sig.name):
            return FileScope(abstract=True, broken=True)
    if entry is None:
        later = scope.declared_later(sig.name) if not sig.qualifier else None
        if later is not None:
            complain("E106", f"`{shown}` is used before its declaration", sig.span, "not declared yet",
                     others=[(later, "declared here")], help="move the declaration above this use")
        else:
            meant = nearest(sig.name, known)
            prefix = ".".join((*sig.qualifier, ""))
            complain("E112", f"unknown module type `{shown}`", sig.span, "no module type of this name is in scope",
                     help=f"did you mean `{prefix}{meant}`?" if meant else "declare it: `module type S = { … }`")
        return FileScope(abstract=True, broken=True)
    made = elaborate(session, entry.scope, entry.node, label)
    return put_module(entry.substitution, session, made) if entry.substitution is not None else made


def _type_names(scope: FileScope | None) -> list[str]:
    found: list[str] = []
    while scope is not None:
        found += scope.module_types
        scope = scope.parent
    return found


def _spec(session: Session, made: FileScope, spec: ast.Spec, label: str, included: set[object]) -> None:
    match spec:
        case ast.TypeSpec():
            if _new(session, made, "types", spec.name, spec.name_span):
                made.types[spec.name] = _closed(session, made, spec, label)
        case ast.TypeDef():
            if _new(session, made, "types", spec.name, spec.name_span):
                made.types[spec.name] = type_entry(session, made, spec)
        case ast.ValSpec():
            value, before = _value(session, made, spec), made.values.get(spec.name)
            again = before in included and _said_already(session, before, value)
            if again or _new(session, made, "values", spec.name, spec.name_span):
                made.values[spec.name] = value
        case ast.ModuleSpec(name=name):
            if _new(session, made, "modules", name, spec.name_span):
                inner = elaborate(session, made, spec.type, f"{label}.{name}" if label else name)
                made.modules[name] = ModuleEntry(name, spec.name_span, inner)
        case ast.ModuleTypeDef(name=name):
            if _new(session, made, "module_types", name, spec.name_span):
                made.module_types[name] = SigEntry(name, spec.name_span, spec.body, made)
        case ast.Include(type=inner_type):
            included.update(_include(session, made, inner_type, label))


def _new(session: Session, made: FileScope, kind: str, name: str, span: Span) -> bool:
    first = getattr(made, kind).get(name)
    if first is not None:
        session.report.error("E104", f"`{name}` is declared twice", span, "again here",
                             others=[(first.span, "first here")], help="rename one of them")
    return first is None


def _include(session: Session, made: FileScope, included: ast.ModuleType, label: str) -> list[object]:
    """What a module type adds to another; the result is what it says."""
    inner = elaborate(session, made, included, label)
    if isinstance(inner, Functor):
        session.report.error("E113", "only the type of a plain module can be included", included.span,
                             "this is the type of a parametric module")
        return []
    made.broken = made.broken or inner.broken
    said: list[object] = []
    for kind in ("types", "values", "modules", "module_types"):
        mine, theirs = getattr(made, kind), getattr(inner, kind)
        for name in inner.names(kind):
            if _said_already(session, mine.get(name), theirs[name]) or _new(session, made, kind, name, included.span):
                said.append(mine.setdefault(name, theirs[name]))
    return said


def _said_already(session: Session, mine: object, theirs: object) -> bool:
    """Whether two specifications of one name say the same, as when a module type includes two that share a third."""
    if isinstance(mine, TypeEntry) and isinstance(theirs, TypeEntry):
        if (len(mine.sizes), len(mine.types)) != (len(theirs.sizes), len(theirs.types)):
            return False
        one, other = mine.body, theirs.body
        sizes, types = (mine.sizes, theirs.sizes), (mine.types, theirs.types)
    elif isinstance(mine, Sealed) and isinstance(theirs, Sealed):
        one, other = mine.scheme.type, theirs.scheme.type
        sizes = (mine.scheme.size_vars, theirs.scheme.size_vars)
        types = (mine.scheme.type_vars, theirs.scheme.type_vars)
    else:
        return False
    if len(sizes[0]) != len(sizes[1]) or len(types[0]) != len(types[1]):
        return False
    env: dict[SizeAtom, Size] = {v: Size.of(s) for v, s in zip(sizes[1], sizes[0], strict=True)}
    other = substituted(other, dict(zip(types[1], types[0], strict=True)), env)
    return Checker(session, FileScope(), Span(session.text, 0, 0)).solver.fits(other, one)


def _closed(session: Session, made: FileScope, spec: ast.TypeSpec, label: str) -> TypeEntry:
    c = Checker(session, made, spec.name_span)
    sizes, types = functions.bind_header(c, spec.sizes, spec.type_params)
    shown = f"{label}.{spec.name}" if label else spec.name
    family = Family(shown, spec.name_span, tuple(sizes), tuple(types), spec.lifted)
    body = Abstract(family, tuple(Size.of(s) for s in sizes), tuple(types))
    return TypeEntry(spec.name, spec.name_span, tuple(sizes), tuple(types), (), body, spec.lifted, family)


def _value(session: Session, made: FileScope, spec: ast.ValSpec) -> Sealed:
    c = Checker(session, made, spec.name_span)
    c.solver.level = 1
    sizes, types = functions.bind_header(c, spec.sizes, spec.type_params)

    def fresh(span: Span) -> Size:
        var = c.solver.size_var("_", span, "a size left open")
        if isinstance(spec.type, ast.TFun):
            sizes.append(var)
        return Size.of(var)

    t = elaborate_type(TypeContext(c, made, fresh), spec.type)
    if c.failed:
        t = Error()
    constant = None
    if t == I64 and not c.failed:
        constant = value_of(c.session, spec.name, spec.name_span)
    return Sealed(spec.name, spec.name_span, Scheme(tuple(types), tuple(sizes), t), constant=constant)


def type_entry(session: Session, scope: FileScope, node: ast.TypeDef) -> TypeEntry:
    """An abbreviation, made into a type over its parameters once; its mistakes show here."""
    c = Checker(session, scope, node.name_span)
    sizes, types = functions.bind_header(c, node.sizes, node.type_params)
    left_open: list[SizeVar] = []

    def fresh(span: Span) -> Size:
        left_open.append(c.solver.size_var("_", span, "a size left open"))
        return Size.of(left_open[-1])

    inside = () if scope.type(node.name) is not None else (node.name,)
    body: Type = Error()
    contracts: tuple[Contract, ...] = ()
    try:
        context = TypeContext(c, scope, fresh, expanding=inside, closed=False)
        noted = session.contracted
        body = elaborate_type(context, node.body)
        if session.contracted != noted:
            context.closed = True
            context.types.update({v.name: v for v in types})
            contracts = tuple(contracts_of(context, node.body))
    except OversizedSize:
        c.failed = True
        oversized(session, node.name_span)
    if not c.failed and c.solver.too_large(body):
        too_large(c, node.name_span)
    if c.failed:
        return TypeEntry(node.name, node.name_span, tuple(sizes), tuple(types), (), Error(), node.lifted)
    if node.lifted != "^" and holds_function(body):
        c.error("E116", f"the non-lifted type `{node.name}` may not contain functions", node.name_span,
                "declared without `^`",
                others=[(node.body.span, f"this is {c.show(body)}")],
                notes=["functions cannot be put into arrays, nor chosen at run time: types that hold some say so"],
                help=f"write `type^ {node.name} …`")
    given: list[Size | Type] = [*(Size.of(s) for s in sizes), *types]
    return TypeEntry(node.name, node.name_span, tuple(sizes), tuple(types), tuple(left_open),
                     named(body, node.name, given), node.lifted, contracts=contracts)


def named(t: Type, name: str, given: Sequence[Size | Type]) -> Type:
    """The record or sum type with the name it is declared by."""
    if isinstance(t, Record) and t.name is None:
        return Record(t.fields, name, t.order, tuple(given))
    if isinstance(t, Sum) and t.name is None:
        return Sum(t.constructors, name, t.order, tuple(given))
    return t


# ---------------------------------------------------------------- with


def _with(session: Session, scope: FileScope, sig: ast.SigWith, label: str) -> Module:
    made = elaborate(session, scope, sig.type, label)
    shown = ".".join(sig.path)
    complain = session.report.error
    inside: Module = made
    for name in sig.path[:-1]:
        entry = inside.own_module(name) if isinstance(inside, FileScope) else None
        if entry is None:
            break
        inside = entry.module
    else:
        name = sig.path[-1]
        found = inside.own_type(name) if isinstance(inside, FileScope) else None
        if found is not None:
            return _refined(session, scope, sig, made, found, shown)
    if isinstance(made, Functor) or not made.broken:
        names = inside.names("types") if isinstance(inside, FileScope) else []
        meant = nearest(sig.path[-1], names)
        complain("E113", f"this module type has no type `{shown}`", sig.path_span, "named by `with`",
                 help=f"did you mean `{meant}`?" if meant else None)
    return made


def _refined(session: Session, scope: FileScope, sig: ast.SigWith, made: Module, found: TypeEntry, shown: str
             ) -> Module:
    complain = session.report.error
    node = ast.TypeDef(sig.span, found.name, sig.path_span, found.lifted, sig.sizes, sig.type_params, sig.body, None)
    given = type_entry(session, scope, node)
    if isinstance(given.body, Error):
        return made
    if found.closed is None:
        if not isinstance(found.body, Error):
            complain("E113", f"the module type says already what `{shown}` is", sig.path_span, "said again here",
                     others=[(found.span, "declared here")], help="remove this `with`")
        return made
    if (len(given.sizes), len(given.types)) != (len(found.sizes), len(found.types)):
        parameters = [f"[{s.name}]" for s in found.sizes] + [f"'{v.name}" for v in found.types]
        complain("E113", f"`{shown}` has other parameters in the module type", sig.path_span, "with these here",
                 others=[(found.span, "declared here")], help=f"write `with {' '.join([shown, *parameters])} = …`")
        return made
    return put_module(Substitution({found.closed: given}), session, made)


__all__ = ["composed", "elaborate", "named", "put_entry", "put_module", "put_scheme", "put_type",
           "type_entry"]
