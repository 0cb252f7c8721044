"""Modules: what a module expression is, whether it fits a module type, and applications of parametric modules.

Modules exist while checking only. A parametric module's body is checked once by itself, its parameter known by its type
alone; nothing of that is kept. Each application checks a fresh copy of the body's syntax, the parameter's types still
closed (so that it cannot fail where the first check did not), and then puts the argument's types in their place in what
the application exports. Lowering sees through closed types, and never sees a module.
"""
from __future__ import annotations

from ..lang.record import replace as changed
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.surface.walk import copied
from .paths import exported_module, module_at
from .scope import FileScope, Functor, Module, ModuleEntry, Sealed, Session, Substitution
from .sealing import missing, seal_types, seal_value
from .signatures import composed, elaborate, put_module

MAX_INSTANCES = 2_000
"""Applications of parametric modules in one program."""


def module_of(session: Session, scope: FileScope, exp: ast.ModuleExp, prefix: str) -> Module:
    """The module that an expression is; what is wrong is reported, and gives a module that fits everything."""
    match exp:
        case ast.ModName(name=name, qualifier=qualifier):
            found = module_at(session, scope, (*qualifier, name), exp.span, session.report.error)
            return found if found is not None else broken()
        case ast.ModBody(declarations=declarations):
            from .definitions import check_declarations

            inner = FileScope(prefix=prefix, parent=scope, abstract=scope.abstract)
            start = len(session.report.diagnostics)
            check_declarations(session, inner, declarations)
            inner.broken = inner.broken or session.failures(start)
            return inner
        case ast.ModImport():
            from .definitions import imported

            return imported(session, exp.path, exp.path_span) or broken()
        case ast.ModAscribe(module=inner_exp, type=sig):
            return ascribed(session, scope, module_of(session, scope, inner_exp, prefix), sig, inner_exp.span, prefix)
        case ast.ModApply(function=function_exp, argument=argument_exp):
            function = module_of(session, scope, function_exp, prefix)
            argument = module_of(session, scope, argument_exp, f"{prefix}__argument")
            if isinstance(function, Functor):
                return apply(session, function, argument, exp.span, argument_exp.span, prefix, scope.abstract)
            if not function.broken:
                session.report.error("E111", f"`{one_line(function_exp.span.text)}` is not a parametric module",
                                     function_exp.span, "applied here, but it has no parameter")
            return broken()
        case ast.ModLambda(param=param, ascription=ascription, body=body):
            made = Functor(exp.span, scope, param.name, param.type, ascription, body, prefix)
            check_functor(session, made, param.name_span)
            return made


def broken() -> FileScope:
    return FileScope(broken=True)


def one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:39] + "…"


def declared(session: Session, scope: FileScope, node: ast.ModuleDef) -> Module:
    """The module of a declaration `module M (P: S) : T = …`."""
    prefix = f"{scope.prefix}__{node.name}" if scope.prefix else node.name
    body: ast.ModuleExp = node.body
    if not node.params:
        made = module_of(session, scope, body, prefix)
        if node.ascription is None:
            return made
        return ascribed(session, scope, made, node.ascription, node.name_span, prefix, node.name)
    for k, param in reversed(list(enumerate(node.params))):
        body = ast.ModLambda(node.name_span, param, node.ascription if k == len(node.params) - 1 else None, body)
    return module_of(session, scope, body, prefix)


# ---------------------------------------------------------------- parametric modules


def check_functor(session: Session, f: Functor, span: Span) -> None:
    """Check the body of a parametric module by itself."""
    start = len(session.report.diagnostics)
    param = elaborate(session, f.scope, f.param_type, f.param or "")
    inner = FileScope(prefix=f.prefix, parent=f.scope, abstract=True)
    if f.param is not None:
        inner.modules[f.param] = ModuleEntry(f.param, span, param)
    if f.body is not None:
        result = module_of(session, inner, f.body, f.prefix)
        if f.ascription is not None:
            ascribed(session, inner, result, f.ascription, f.body.span, f.prefix)
    f.broken = session.failures(start)


def apply(session: Session, f: Functor, argument: Module, span: Span, where: Span, prefix: str, abstract: bool
          ) -> Module:
    """The module that a parametric module gives for an argument."""
    if f.broken or argument.broken:
        return broken()
    session.instances += 1
    if session.instances > MAX_INSTANCES:
        if session.instances == MAX_INSTANCES + 1:
            session.report.error("E115", f"parametric modules are applied more than {MAX_INSTANCES:,} times", span,
                                 "this is one application too many",
                                 help="apply once, give the result a name, and use the name")
        return broken()
    start = len(session.report.diagnostics)
    label = f.param or ""
    wanted = elaborate(session, f.scope, f.param_type, label)
    known = f.substitution or Substitution()
    view = Substitution({**known.types}, {**known.sizes})
    param = seal(session, argument, wanted, where, prefix, view)
    if session.failures(start):
        return broken()
    session.constants.update(view.sizes)
    abstract = abstract or (f.body is not None and f.scope.abstract)
    inner = FileScope(prefix=prefix, parent=f.scope, abstract=abstract)
    if f.param is not None:
        inner.modules[f.param] = ModuleEntry(f.param, where, param)
    if f.body is not None:
        result = module_of(session, inner, copied(f.body), prefix)
        if f.ascription is not None:
            result = ascribed(session, inner, result, f.ascription, span, prefix, prefix.replace("__", "."))
    else:
        assert f.ascription is not None
        result = elaborate(session, inner, f.ascription, prefix.replace("__", "."))
        if f.inner is not None:
            seen = f.view or Substitution()
            found = apply(session, f.inner, put_module(seen, session, param), span, where, prefix, abstract)
            result = seal(session, found, result, span, prefix, Substitution({**seen.types}, {**seen.sizes}))
    if session.failures(start):
        return broken()
    return put_module(view, session, result)


def ascribed(session: Session, scope: FileScope, found: Module, sig: ast.ModuleType, span: Span, prefix: str,
             label: str = "") -> Module:
    """`found : sig`: only what the module type says is visible, and its closed types are closed."""
    view = Substitution()
    made = seal(session, found, elaborate(session, scope, sig, label), span, prefix, view)
    return put_module(Substitution({}, view.sizes), session, made) if view.sizes else made


# ---------------------------------------------------------------- what fits a module type


def seal(session: Session, found: Module, wanted: Module, span: Span, prefix: str, view: Substitution) -> Module:
    """What is visible of `found` through `wanted`; what does not fit is reported at `span`.

    `view` comes to say what the closed types of `wanted` are, and the sizes that its values are.
    """
    if found.broken or wanted.broken:
        return broken()
    if isinstance(wanted, Functor):
        if isinstance(found, Functor):
            return _parametric(session, found, wanted, span, prefix, view)
        session.report.error("E114", "a parametric module is wanted here", span, "this module has no parameter",
                             others=[(wanted.span, "the module type says so")])
        return broken()
    if isinstance(found, Functor):
        session.report.error("E114", "a plain module is wanted here", span, "this is a parametric module",
                             others=[(found.span, "its parameter is here")], help="apply it to an argument")
        return broken()
    seal_types(session, found, wanted, span, (), view)
    return _members(session, found, wanted, span, (), prefix, view)


def _members(session: Session, found: FileScope, wanted: FileScope, span: Span, path: tuple[str, ...], prefix: str,
             view: Substitution) -> FileScope:
    made = FileScope(prefix=prefix, types=wanted.types, module_types=wanted.module_types)
    for name, spec in wanted.values.items():
        assert isinstance(spec, Sealed)
        made.values[name] = seal_value(session, found, spec, span, (*path, name), view)
    for name, inner in wanted.modules.items():
        entry = exported_module(found, name)
        module: Module = broken()
        if entry is None:
            missing(session, found, "modules", (*path, name), span, inner.span)
        elif isinstance(inner.module, FileScope) and isinstance(entry.module, FileScope):
            module = _members(session, entry.module, inner.module, span, (*path, name), f"{prefix}__{name}", view)
        else:
            module = seal(session, entry.module, inner.module, span, f"{prefix}__{name}", view)
        made.modules[name] = ModuleEntry(name, inner.span, module)
    return made


def _parametric(session: Session, found: Functor, wanted: Functor, span: Span, prefix: str, view: Substitution
                ) -> Functor:
    """A parametric module seen through `(P: S) -> T`: it takes whatever is an S, and gives a T."""
    start = len(session.report.diagnostics)
    seen = composed(wanted.substitution, Substitution({**view.types}, {**view.sizes}), session)
    made = changed(wanted, inner=found, prefix=prefix, view=seen)
    param = put_module(seen, session, elaborate(session, wanted.scope, wanted.param_type, wanted.param or ""))
    given = apply(session, found, param, span, span, prefix, True)
    assert wanted.ascription is not None
    inner = FileScope(prefix=prefix, parent=wanted.scope, abstract=True)
    if wanted.param is not None:
        inner.modules[wanted.param] = ModuleEntry(wanted.param, span, param)
    result = put_module(seen, session, elaborate(session, inner, wanted.ascription))
    seal(session, given, result, span, prefix, Substitution())
    made.broken = session.failures(start)
    return made
