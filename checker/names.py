"""What a name means and the type it has here: locals, sizes, definitions, built-in functions, the prelude.

A polymorphic name gets its own unknowns at each use; they are kept in the use, so that lowering can instantiate.
"""
from __future__ import annotations

import re
from functools import lru_cache
from itertools import count

from ..lang import members
from ..lang.diagnostics.report import Reporter
from ..lang.intrinsics import CONVERTIBLE, SIGNATURES
from ..lang.sizes import Opaque, Size, SizeAtom, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import FLOATS, I64, Array, Error, Fun, Meta, Scalar, Type, TypeVar, map_type, sizes_of, substituted
from . import builtins, derivative_messages, recursion, scope
from .clashes import Kind
from .constraints import Arithmetic, Base, Differentiated, SameShape
from .context import Checker, Pending, RawUse
from .paths import exported_module, exported_value, find_module, module_at, no_member, structure_at
from .result import BuiltinRef, GlobalRef, Scheme, SizeRef
from .scope import Builtin, FileScope, Global, Local, Meaning, Module, Sealed, Session, SizeParam, nearest


def infer_name(c: Checker, e: ast.Name, want: Type | None = None) -> Type:
    if e.qualifier:
        return _member(c, e, e.qualifier, e.name, e.span)
    return meaning_type(c, e, e.name, e.span)


def meaning_type(c: Checker, node: ast.Node, name: str, span: Span) -> Type:
    """The type of a name, or of an operator, at `node`; records the use. `name` may have modules in front: `M.+`."""
    path, plain = split(name)
    if path:
        return _member(c, node, path, plain, span)
    meaning = find(c, name)
    if name == c.current and c.file.value(name) is None and (meaning is None or isinstance(meaning, (Global, Builtin))):
        _older_meaning(c, name, span)
    return unknown(c, name, span) if meaning is None else meaning_of(c, node, meaning, name, span)


def split(name: str) -> tuple[tuple[str, ...], str]:
    """The modules in front of a name or operator, and what remains: `M.N.+.` gives M and N, and `+.`."""
    path: list[str] = []
    while name[:1].isalpha() or name[:1] == "_":
        head, dot, rest = name.partition(".")
        if not dot or not rest:
            break
        path.append(head)
        name = rest
    return tuple(path), name


def meaning_of(c: Checker, node: ast.Node, meaning: Meaning, name: str, span: Span) -> Type:
    """The type of what a name means; records the use."""
    match meaning:
        case Local(pending=Pending() as function) | Global(pending=Pending() as function):
            return recursion.mention(c, node, function, span)
        case Local(scheme=None):
            c.uses[node] = RawUse(meaning.ref)
            return meaning.type
        case Local(scheme=Scheme() as scheme):
            return _use(c, node, RawUse(meaning.ref, scheme), name)
        case SizeParam(size=size):
            atom = size.atom
            var = atom if isinstance(atom, SizeVar) else c.solver.size_var(name, meaning.span, "a size")
            c.uses[node] = RawUse(SizeRef(var), sizes=() if isinstance(atom, SizeVar) else (size,))
            return I64
        case Global(definition=None):
            return Error()
        case Global(definition=definition):
            assert definition is not None
            t = _use(c, node, RawUse(GlobalRef(definition), definition.scheme), name)
            if not isinstance(t, Fun) and isinstance(node, (ast.Name, ast.Field)):
                return c.open_inner(node, t, f"a size that `{name}` has")
            return t
        case Sealed():
            return _sealed(c, node, meaning, name)
        case Builtin():
            return builtin_type(c, node, meaning, name, span)
    raise TypeError(f"not a meaning: {meaning}")


def _sealed(c: Checker, node: ast.Node, meaning: Sealed, name: str) -> Type:
    """The type that the module type says; the use is of what the value is, at the same instance."""
    types, sizes, t = instantiate(c, meaning.scheme, name, node.span)
    if meaning.target is not None:
        type_env = dict(zip(meaning.scheme.type_vars, types, strict=True))
        size_env: dict[SizeAtom, Size] = dict(zip(meaning.scheme.size_vars, sizes, strict=True))
        c.uses[node] = RawUse(meaning.target, meaning.inner,
                              tuple(substituted(x, type_env, size_env) for x in meaning.types),
                              tuple(s.substitute(size_env) for s in meaning.sizes), meaning.scheme)
    if not isinstance(t, Fun) and isinstance(node, (ast.Name, ast.Field)):
        return c.open_inner(node, t, f"a size that `{name}` has")
    return t


def _older_meaning(c: Checker, name: str, span: Span) -> None:
    """Once to a definition: its own name means what it replaces."""
    c.current = None
    c.warning("W102", f"`{name}` means the function of the prelude here, not the definition that it stands in", span,
              "not a recursive call",
              notes=["a definition that takes a name of the prelude sees the older meaning in its own body"],
              help="give the definition another name if it should call itself")


def find(c: Checker, name: str) -> Meaning | None:
    local = c.names.get(name)
    if local is not None:
        return local
    found = c.file.value(name)
    if found is not None:
        return found
    builtin = builtins.find(name)
    if builtin is not None:
        return builtin
    return c.session.prelude.own_value(name)


def _use(c: Checker, node: ast.Node, use: RawUse, name: str) -> Type:
    assert use.scheme is not None
    types, sizes, t = instantiate(c, use.scheme, name, node.span)
    c.uses[node] = RawUse(use.target, use.scheme, types, sizes)
    if derivative_messages.operator_of(use.target) is not None:
        point = next(m for v, m in zip(use.scheme.type_vars, types, strict=True) if v.name == "a")
        c.solver.add(Differentiated(c, point))
    return t


def instantiate(c: Checker, scheme: Scheme, name: str, span: Span) -> tuple[tuple[Type, ...], tuple[Size, ...], Type]:
    """Fresh unknowns for what the scheme quantifies; sizes that only its result mentions belong to an inner level."""
    hidden = () if isinstance(scheme.type, Fun) else hidden_sizes(scheme)
    if not scheme.type_vars and not scheme.size_vars and not hidden:
        return (), (), scheme.type
    types = tuple(c.solver.meta(None if v.constraint is None else Kind(v.constraint, because=span), _lifted(v, scheme))
                  for v in scheme.type_vars)
    sizes = tuple(c.solver.size_meta(v.name, v.origin, v.why) for v in scheme.size_vars)
    type_env: dict[TypeVar, Type] = dict(zip(scheme.type_vars, types, strict=True))
    size_env: dict[SizeAtom, Size] = dict(zip(scheme.size_vars, sizes, strict=True))
    for var in hidden:
        size_env[var] = Size.of(c.solver.size_var(var.name, span, f"a size that `{name}` returns", c.solver.level + 1))

    def leaf(t: Type) -> Type | None:
        return t if isinstance(t, Scalar) else type_env.get(t) if isinstance(t, TypeVar) else None

    return types, sizes, map_type(scheme.type, leaf, lambda s: s.substitute(size_env))


def _lifted(v: TypeVar, scheme: Scheme) -> bool:
    """Whether values of its type may differ in size: it is declared so, or inferred and not of an array's elements."""
    if v.lifted is not None:
        return v.lifted != ""
    return v.constraint is None and not _element(scheme.type, v)


def _element(t: Type, v: TypeVar) -> bool:
    found = False

    def leaf(inner: Type) -> Type | None:
        nonlocal found
        found = found or (isinstance(inner, Array) and occurs(inner, v))
        return inner if found or isinstance(inner, (Scalar, Array)) else None

    map_type(t, leaf, lambda s: s)
    return found


def occurs(t: Type, v: TypeVar) -> bool:
    """Whether the type mentions the parameter."""
    found = False

    def leaf(inner: Type) -> Type | None:
        nonlocal found
        found = found or inner == v
        return inner if found else None

    map_type(t, leaf, lambda s: s)
    return found


_HIDDEN: dict[int, tuple[Scheme, tuple[SizeVar, ...]]] = {}


def hidden_sizes(scheme: Scheme) -> tuple[SizeVar, ...]:
    """Size variables that neither the scheme nor a parameter of the type binds: the result opens them."""
    known = _HIDDEN.get(id(scheme))
    if known is not None and known[0] is scheme:
        return known[1]
    bound: set[SizeVar] = set(scheme.size_vars)
    t = scheme.type

    def functions(inner: Type) -> Type | None:
        if isinstance(inner, Fun):
            bound.update((*inner.exists, *(v for _, v in inner.parts)))
            if inner.size_var is not None:
                bound.add(inner.size_var)
        return None

    map_type(t, functions, lambda s: s)
    found = dict.fromkeys(a for s in sizes_of(t) for a in s.atoms()
                          if isinstance(a, SizeVar) and a not in bound and not a.fixed)
    if len(_HIDDEN) > 4096:
        _HIDDEN.clear()
    _HIDDEN[id(scheme)] = (scheme, tuple(found))
    return tuple(found)


# ---------------------------------------------------------------- built-in functions

_SIGNATURE_SESSION = Session(Reporter(), None)
_SIGNATURE_SESSION.uids = count(-1, -1)


def signature_scheme(name: str) -> Scheme:
    """The type of a built-in function, from its signature."""
    return scheme_of(SIGNATURES[name], name)


@lru_cache(maxsize=512)
def scheme_of(text: str, name: str) -> Scheme:
    """The type that a signature in Dad's syntax says."""
    from ..lang.surface.parser import parse_signature
    from .functions import header_type

    signature = parse_signature(text)
    c = Checker(_SIGNATURE_SESSION, FileScope(), signature.name_span)
    scheme = header_type(c, signature.sizes, signature.type_params, signature.params, signature.result)
    if _SIGNATURE_SESSION.report.failed:
        raise AssertionError(f"signature of {name}: {_SIGNATURE_SESSION.report.diagnostics[0].message}")
    return scheme


def builtin_type(c: Checker, node: ast.Node, builtin: Builtin, name: str, span: Span) -> Type:
    ref = builtin.ref
    if builtin.rule == "scheme":
        t = _use(c, node, RawUse(ref, signature_scheme(ref.name)), name)
        if ref.dtype is not None:
            # `f64.sum`: the module fixes the type of the elements.
            c.solver.unify(c.uses[node].types[0], Scalar(ref.dtype))
        return t
    c.uses[node] = RawUse(ref)
    if builtin.rule == "constant":
        assert ref.dtype is not None
        return Scalar("i32" if ref.name == "num_bits" else ref.dtype)
    if builtin.rule == "member":
        assert ref.dtype is not None
        text = members.signature(ref.dtype, ref.name)
        assert text is not None
        return scheme_of(text, ref.name).type
    if builtin.rule.startswith("from "):
        assert ref.dtype is not None
        return Fun(Scalar(builtin.rule[5:]), Scalar(ref.dtype))
    if builtin.rule == "cast":
        assert ref.dtype is not None
        return Fun(c.fresh_kind("scalar", because=span), Scalar(ref.dtype))
    cls, result_base, arity = builtins.primitives()[ref.name]
    if ref.dtype is not None:
        scalar = Scalar(ref.dtype)
        result: Type = Scalar("bool") if result_base == "bool" else scalar
        for _ in range(arity):
            result = Fun(scalar, result)
        return result
    if arity > 1:
        # Scalars meet arrays: the shape of two, then of that and the third.
        operands = [c.solver.meta() for _ in range(arity)]
        so_far: Type = operands[0]
        for operand in operands[1:]:
            out = c.solver.meta()
            c.solver.add(Arithmetic(c, ref.name, cls, so_far, operand, out, span, span, span))
            so_far = out
        for operand in reversed(operands):
            so_far = Fun(operand, so_far)
        return so_far
    argument = c.solver.meta()
    c.solver.add(Base(c, argument, cls, ref.name, span))
    if result_base != "bool":
        return Fun(argument, argument)
    out = c.solver.meta()
    c.solver.add(SameShape(c, argument, out, Scalar("bool"), span))
    return Fun(argument, out)


def known(c: Checker, name: str) -> bool:
    """Whether the program itself binds the name."""
    return name in c.names or c.file.value(name) is not None


def _member(c: Checker, node: ast.Node, path: tuple[str, ...], name: str, span: Span) -> Type:
    """`M.N.x`, whose modules are `path`."""
    first = path[0]
    if len(path) == 1 and c.file.module(first) is None:
        if first in CONVERTIBLE:
            return _number_member(c, node, first, name, span)
        if first in FOREIGN_MODULES:
            return foreign_member(c, span, first, name)
    module = structure_at(c.session, c.file, path, span, c.error)
    if module is None:
        c.failed = True
        return Error()
    return member_of(c, node, module, path, name, span)


def member_of(c: Checker, node: ast.Node, module: FileScope, path: tuple[str, ...], name: str, span: Span) -> Type:
    """The type of a member of a module."""
    meaning = exported_value(module, name)
    if meaning is None:
        no_member(module, path, name, "values", span, c.error)
        c.failed = True
        return Error()
    return meaning_of(c, node, meaning, ".".join((*path, name)), span)


def _number_member(c: Checker, node: ast.Node, module: str, name: str, span: Span) -> Type:
    builtin = builtins.member(module, name)
    if builtin is not None:
        return builtin_type(c, node, builtin, name, span)
    meant = nearest(name, builtins.member_names(module))
    if name in builtins.primitives() and module not in FLOATS:
        return c.error("E107", f"`{name}` is for floats, so `{module}` has no `{name}`", span, "not a member",
                       help=f"convert first: `{name} (f64 x)`")
    return c.error("E107", f"module `{module}` has no member `{name}`", span, "not a member",
                   help=f"did you mean `{module}.{meant}`?" if meant else None)


def module_named(c: Checker, e: ast.Exp) -> Module | None:
    """The module that an expression in front of a dot is, unless a local of that name hides it. Reports nothing."""
    match e:
        case ast.Name(name=name, qualifier=()):
            if name in c.names or (known(c, name) and c.file.module(name) is None):
                return None
            entry = find_module(c.session, c.file, name)
            return entry.module if entry is not None else None
        case ast.Name(name=name, qualifier=path):
            return module_at(c.session, c.file, (*path, name), e.span, _silent)
        case ast.Field(record=record, name=name):
            module = module_named(c, record)
            if not isinstance(module, FileScope) or exported_value(module, name) is not None:
                return None
            entry = exported_module(module, name)
            return entry.module if entry is not None else None
        case _:
            return None


def member_size(c: Checker, e: ast.Name | ast.Field) -> Size | None:
    """The value of `M.n` as a size, where it is known."""
    if isinstance(e, ast.Name):
        module = module_at(c.session, c.file, e.qualifier, e.span, _silent) if e.qualifier else None
    else:
        module = module_named(c, e.record)
    found = exported_value(module, e.name) if isinstance(module, FileScope) else None
    return found.constant if isinstance(found, (Global, Sealed)) else None


def _silent(*_: object, **__: object) -> None:
    return None


FOREIGN_MODULES = frozenset({"math", "np", "numpy", "jnp", "torch", "scipy", "jax"})


def foreign_member(c: Checker, span: Span, module: str, name: str) -> Error:
    """`np.dot` and its like."""
    here = builtins.find(name) is not None or name in scope.prelude_names()
    hint = f"`{name}`" if here else scope.ELSEWHERE.get(name)
    return c.error("E101", f"there is no module `{module}`", span, "not a name of Dad",
                   notes=["functions are in scope without a module"], help=f"write {hint}" if hint else None)


# ---------------------------------------------------------------- names that do not exist


def unknown(c: Checker, name: str, span: Span) -> Error:
    """Say that the name does not exist, and which one may have been meant."""
    c.failed = True
    later = c.file.declared_later(name)
    if later is not None:
        return c.error("E106", f"`{name}` is used before its definition", span, "not defined yet",
                       others=[(later, "defined here")], notes=["a definition sees those above it"],
                       help=f"move `{name}` above this definition")
    if c.file.lacks(name) or name in c.unknown or not name.isascii():  # said already
        return Error()
    c.unknown.add(name)
    here = [n for n in c.names if n.isidentifier() or not name.isidentifier()]
    close = nearest(name, [*here, *c.file.value_names()]) or None
    if name in FOREIGN_MODULES:
        return c.error("E101", f"unknown name `{name}`", span, "not a name of Dad",
                       help="functions are in scope without a module: write `sin x`, `sum xs`, `dot x y`")
    if close is None and name in scope.ELSEWHERE:
        return c.error("E101", f"unknown name `{name}`", span, "a name of another language",
                       help=f"write {scope.ELSEWHERE[name]}")
    slip = _slip(c, name, span)
    if slip is not None:
        return c.error("E101", f"unknown name `{name}`", span, "not in scope", help=slip)
    close = close or nearest(name, [*builtins.names(), *scope.prelude_names()])
    if name in c.type_names or c.file.type(name) is not None:
        return c.error("E101", f"`{name}` is a type, not a value", span, "used as a value",
                       help="a record is `{x = 1, y = 2}`, a value of a sum type `#name 1`")
    if c.file.module(name) is not None:
        return c.error("E101", f"`{name}` is a module, not a value", span, "used as a value",
                       help=f"name one of its members: `{name}.x`")
    others: list[tuple[Span, str]] = []
    if close is not None:
        meaning = c.names.get(close) or c.file.value(close)
        if meaning is not None and not isinstance(meaning, Builtin):
            others.append((meaning.span, f"`{close}` is bound here"))
    return c.error("E101", f"unknown name `{name}`", span, "not in scope", others=others,
                   help=f"did you mean `{close}`?" if close else None)


def _slip(c: Checker, name: str, span: Span) -> str | None:
    """What to write for what another language writes so."""
    from ..lang.surface.slips import OPERATORS, WORDS

    if not name[0].isalpha() and name[0] != "_":
        return OPERATORS.get(name)
    source = span.source
    line, column = source.position(span.start)
    before = source.text[:span.start]
    if "//" in source.line(line)[:column - 1]:
        c.unknown.update(re.findall(r"\w+", source.line(line)[column - 1:]))
        return "a comment begins with `--`; `//` divides"
    if re.search(rf"\blet\s+rec\s+{re.escape(name)}\b", before):
        return f"functions may call themselves without `rec`: write `let {name} … = …`"
    if name.endswith("'") and name.rstrip("'") in c.names:
        return f"the transposed matrix is `transpose {name.rstrip(chr(39))}`"
    return WORDS.get(name)


__all__ = ["BuiltinRef", "Meta", "Opaque", "builtin_type", "find", "infer_name", "instantiate", "meaning_type",
           "signature_scheme", "unknown"]
