"""Declarations: each definition checked by itself, generalised, and frozen into the tables; files and their imports.

A definition sees the declarations above it. One that has errors stays known, with a type that fits everything.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING

from ..lang.intrinsics import LARGEST, LIMITS
from ..lang.record import dataclass
from ..lang.sizes import OversizedSize, Size, SizeAtom, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import (
    I64,
    INTEGERS,
    UNIT,
    Derived,
    Error,
    Fun,
    Meta,
    Scalar,
    Sum,
    Type,
    TypeVar,
    map_type,
    revealed,
    sizes_of,
)
from . import (
    arrays,
    bounds,
    builtins,
    contracts,
    functions,
    guesses,
    messages,
    modules,
    paths,
    recursion,
    signatures,
    variants,
)
from .builtins import DERIVATIVES
from .calls import size_of
from .clashes import OversizedType
from .context import Checker, Pending
from .entries import entry_scheme, function_values
from .eta import wants_parameters, with_parameters
from .freezing import freeze
from .guesses import Guess
from .messages import show
from .result import Activity, BuiltinRef, Definition, GlobalRef, Scheme
from .scope import FileScope, Functor, Global, LibraryScope, Local, ModuleEntry, Session, SigEntry, SizeParam
from .signatures import value_of

if TYPE_CHECKING:
    from .incremental import Kept

MAX_ERRORS = 1_000


def check_file(session: Session, program: ast.Program, file: FileScope, kept: Kept | None = None) -> None:
    """Every declaration of a file, in order; errors are reported and the rest is still checked.

    With `kept`, what an edit has not touched is taken over from the version before.
    """
    check_declarations(session, file, program.declarations, kept)


def check_declarations(session: Session, file: FileScope, declarations: Sequence[ast.Decl],
                       kept: Kept | None = None) -> None:
    """The declarations of a file or module."""
    file.unread.update(d.name for d in declarations if isinstance(d, ast.Unread))
    file.broken = file.broken or "" in file.unread
    declarations = [d for d in declarations if not isinstance(d, ast.Unread)]
    for d in declarations:
        inner = d.declaration if isinstance(d, ast.Local) else d
        if isinstance(inner, (ast.Def, ast.TypeDef, ast.ModuleDef, ast.ModuleTypeDef)):
            file.later.setdefault(inner.name, inner.name_span)
    seen: dict[tuple[str, str], Span] = {}
    local = frozenset(d.declaration for d in declarations if isinstance(d, ast.Local))
    for step in ordered(declarations, file):
        group = step if isinstance(step, tuple) else (step,)
        if len(session.report.diagnostics) > MAX_ERRORS:
            session.report.error("E199", f"more than {MAX_ERRORS:,} errors: the rest is not checked", group[0].span,
                                 "stopped here", help="mend the first ones, and check again")
            break
        if not _first(session, group, seen):
            continue
        if kept is None:
            _check_step(session, file, step, local)
        else:
            kept.step(group, partial(_check_step, session, file, step, local))


def _first(session: Session, group: Sequence[ast.Decl], seen: dict[tuple[str, str], Span]) -> bool:
    """Whether nothing of these names is declared yet; reported if there is."""
    for declaration in group:
        inner = declaration.declaration if isinstance(declaration, ast.Local) else declaration
        if not isinstance(inner, (ast.Def, ast.TypeDef, ast.ModuleDef, ast.ModuleTypeDef)):
            continue
        key = (KINDS[type(inner)], inner.name)
        if key in seen:
            session.report.error("E104", f"`{inner.name}` is defined twice", inner.name_span, "again here",
                                 others=[(seen[key], "first here")], help="rename one of them")
            return False
        seen[key] = inner.name_span
    return True


def _check_step(session: Session, file: FileScope, step: recursion.Step, local: AbstractSet[ast.Decl]) -> None:
    if isinstance(step, tuple):
        define(session, file, step, local)
    else:
        inner = step.declaration if isinstance(step, ast.Local) else step
        declare(session, file, inner, inner is step)


def declare(session: Session, file: FileScope, node: ast.Decl, exported: bool) -> None:
    """Check one declaration and bring what it declares into scope."""
    match node:
        case ast.Def():
            define(session, file, (node,), frozenset() if exported else frozenset((node,)))
        case ast.TypeDef(name=name):
            file.later.pop(name, None)
            file.declare("types", name, signatures.type_entry(session, file, node), exported)
        case ast.ModuleDef(name=name, name_span=span):
            file.declare("modules", name, ModuleEntry(name, span, modules.declared(session, file, node)), exported)
            file.later.pop(name, None)
        case ast.ModuleTypeDef(name=name, name_span=span):
            signatures.elaborate(session, file, node.body)
            file.declare("module_types", name, SigEntry(name, span, node.body, file), exported)
            file.later.pop(name, None)
        case ast.Import(path=path, path_span=span):
            opened(file, imported(session, path, span), False)
        case ast.Open(module=module):
            prefix = f"{file.prefix}__open" if file.prefix else "open"
            made = modules.module_of(session, file, module, prefix)
            if isinstance(made, Functor):
                paths.parametric(made, " ".join(module.span.text.split()), module.span, session.report.error)
            else:
                opened(file, made, exported)
        case ast.Unread():
            pass
        case ast.Local():
            session.report.error("E010", "`local` stands once", node.span, "a second one")


KINDS: dict[type[ast.Node], str] = {ast.Def: "values", ast.TypeDef: "types", ast.ModuleDef: "modules",
                                    ast.ModuleTypeDef: "module_types"}


def ordered(declarations: Sequence[ast.Decl], file: FileScope) -> Iterator[recursion.Step]:
    """Declarations in the order of checking. What an import brings along is known when those after it are ordered."""
    run: list[ast.Decl] = []
    for declaration in (*declarations, None):
        inner = declaration.declaration if isinstance(declaration, ast.Local) else declaration
        if declaration is not None and isinstance(inner, (ast.Def, ast.TypeDef)):
            run.append(declaration)
            continue
        yield from recursion.steps(run, lambda name: file.value(name) is not None or recursion.built_in(name))
        run.clear()
        if declaration is not None:
            yield declaration


def define(session: Session, file: FileScope, group: Sequence[ast.Def], local: AbstractSet[ast.Decl]) -> None:
    """Check definitions and bring them into scope."""
    made = check_group(session, file, group)
    first = made[0].definition
    if len(group) == 1 and first is not None and not file.prefix and wants_parameters(first):
        del session.definitions[first.qualified]
        made = check_group(session, file, (with_parameters(first),))
    for node, entry in zip(group, made, strict=True):
        file.declare("values", node.name, entry, node not in local)
        file.later.pop(node.name, None)


def opened(file: FileScope, module: FileScope | None, exported: bool) -> None:
    """Bring what a module exports into scope."""
    if module is None:
        file.broken = True
        return
    for name in module.names("values"):
        file.declare("values", name, module.own_value(name), exported)
    for name in module.names("types"):
        file.declare("types", name, module.own_type(name), exported)
    for name in module.names("modules"):
        file.declare("modules", name, module.own_module(name), exported)
    for name in module.names("module_types"):
        file.declare("module_types", name, module.own_module_type(name), exported)
    file.broken = file.broken or module.broken
    file.unread |= module.unread


def imported(session: Session, path: str, span: Span) -> FileScope | None:
    """The scope of an imported file; None after a report."""
    program = session.resolve_import(path, span) if session.resolve_import is not None else None
    if program is None:
        if session.resolve_import is None:
            session.report.error("E108", f"cannot import \"{path}\" here", span, "there is no file to start from",
                                 help="load the program from a file")
        return None
    scope = session.imported.get(id(program))
    if scope is None:
        name = path.rsplit("/", 1)[-1].removesuffix(".dad")
        prefix = "".join(ch if ch.isascii() and ch.isalnum() else "_" for ch in name) or "import"
        scope = FileScope(prefix=prefix)
        session.imported[id(program)] = scope
        session.kept.append(program)
        check_file(session, program, scope)
    return scope


# ---------------------------------------------------------------- one definition


@dataclass(eq=False)
class Member:
    """A definition of a group while the group is checked."""

    node: ast.Def
    definition: Definition
    size_vars: list[SizeVar]
    type_vars: list[TypeVar]
    declared: int
    params: list[Type]
    bound: dict[str, Local | SizeParam]
    type_names: dict[str, Type]
    recursion: Pending | None
    type: Type = UNIT
    scheme: Scheme | None = None


def check_definition(session: Session, file: FileScope, node: ast.Def) -> Global:
    return check_group(session, file, (node,))[0]


def check_group(session: Session, file: FileScope, nodes: Sequence[ast.Def]) -> list[Global]:
    """Definitions that mention each other, mostly one alone. If one has errors, none is known."""
    outer = set(session.warned)  # of the definition that asks for this one, if it is of the library
    made = _checked_group(session, file, nodes)
    session.warned.clear()
    session.warned.update(outer)
    return made


def _checked_group(session: Session, file: FileScope, nodes: Sequence[ast.Def]) -> list[Global]:
    found, bounded = session.report.diagnostics, len(session.tables.bounds)
    start = len(found)
    guess = Guess()
    made = _guessed(session, file, nodes, guess)
    if made[0].definition is not None or not (guess.doubtful or guess.refuted):
        return made
    best, others = found[start:], guesses.unrelated(found[start:])
    while made[0].definition is None:
        another = guess.next()
        if another is None:
            found[start:] = best
            break
        guess = another
        del found[start:], session.tables.bounds[bounded:]
        made = _guessed(session, file, nodes, guess)
        if guesses.errors(found[start:]) < guesses.errors(best) and guesses.unrelated(found[start:]) == others:
            best = found[start:]
    return made


def _guessed(session: Session, file: FileScope, nodes: Sequence[ast.Def], guess: Guess) -> list[Global]:
    """The definitions checked with one guess about the sizes of loops."""
    try:
        return _group(session, file, nodes, guess)
    except (OversizedSize, OversizedType) as problem:
        if isinstance(problem, OversizedSize):
            messages.oversized(session, nodes[0].name_span)
        for node in nodes:
            known = file.values.get(node.name)
            if isinstance(known, Global) and known.pending is not None:
                del file.values[node.name]
        return [Global(node.name, node.name_span, None) for node in nodes]


def _group(session: Session, file: FileScope, nodes: Sequence[ast.Def], guess: Guess) -> list[Global]:
    c = Checker(session, file, nodes[0].name_span)
    c.guess = guess
    c.solver.level = 1
    members = [_header(c, node, len(nodes) > 1) for node in nodes]
    failed = [Global(m.node.name, m.node.name_span, None) for m in members]
    for m in members:
        if m.recursion is not None:
            file.values[m.node.name] = Global(m.node.name, m.node.name_span, m.definition, pending=m.recursion)
    warned: list[Member] = []
    for m in members:
        session.warned.clear()
        _body(c, m)
        if session.warned:
            warned.append(m)
    for m in members:
        if m.recursion is not None:
            del file.values[m.node.name]
    settled = all(m.recursion is None or recursion.settle(c, m.recursion, m.type) for m in members)
    constant = size_of(c, nodes[0].body) if len(nodes) == 1 and not nodes[0].params else None
    c.solver.level = 0
    if any(c.solver.too_large(x) for x in (*(m.type for m in members), *c.types.values())):
        if not c.failed:
            messages.too_large(c, nodes[0].name_span)
        return failed
    if not settled:
        return failed
    for m in members:
        m.scheme = functions.generalise(c, m.type, m.type_vars, m.size_vars, len(m.node.params))
    if len(members) > 1:
        _share(members)
    _finish(c)
    for job in c.bounds:
        proved = arrays.prove(c, job)
        if proved:
            session.tables.proved.add(job.node)
        else:
            session.tables.proved.discard(job.node)
        if file.prefix == "":
            session.tables.bounds.append(bounds.verdict(c, job, proved))
    if file.prefix == "":
        session.tables.bounds += [one for one in c.copies if one.found.plan.axes]
    for m in members:
        assert m.scheme is not None
        c.span = m.node.name_span
        if not c.failed:
            _unused_sizes(c, m.node, m.scheme, m.declared)
            if m is members[0]:
                _undetermined(c)
            _grades(c, m.node)
            if m is members[0]:
                _orders(c, members)
        m.definition.entry = (m.node.kind == "entry" or m.node.name == "main") and file.prefix == "" and not c.failed
        if m.definition.entry:
            allowed = entry_scheme(c, m.node, m.scheme)
            m.definition.entry = allowed is not None
            m.scheme = allowed or m.scheme
    if not c.failed:
        function_values(c)
    if c.failed:
        return failed
    guess.final = True
    for m in members:
        _complete(c, m)
        contracts.complete(c, m.definition, m in warned)
    if not file.abstract:
        freeze(c, session)
    concerned = not file.abstract and concerns_derivatives(session, c, [m.definition for m in members])
    for m in members:
        if not file.abstract and (concerned or m.definition.entry) \
                and not m.definition.qualified.startswith("prelude__"):
            from . import activity

            c.span = m.node.name_span
            c.followed = True
            activity.check_definition(c, m.definition)
    if c.failed:
        return failed
    if session.keeps and c.copies and len(members) == 1:
        session.finished[nodes[0]] = c
    known = _as_size(session, members[0], constant) if len(members) == 1 else None
    return [Global(m.node.name, m.node.name_span, m.definition, known) for m in members]


def _as_size(session: Session, m: Member, constant: Size | None) -> Size | None:
    """What the name of a definition is as a size: its value, when it is an i64."""
    t = m.definition.result_type
    if isinstance(t, TypeVar) and t.constraint == "num" and not m.node.params:
        return constant
    if t != I64 or m.node.params or m.definition.scheme.size_vars:
        return None
    if constant is not None:
        return constant
    size = value_of(session, m.node.name, m.node.name_span)
    assert isinstance(size.atom, SizeVar)
    session.tables.global_sizes[size.atom] = m.definition
    return size


def _header(c: Checker, node: ast.Def, grouped: bool) -> Member:
    """Bind the parameters, keep the bindings for the body, and leave again."""
    mark, types = len(c.undo), c.type_names
    c.type_names = dict(types)
    size_vars, type_vars = functions.bind_header(c, node.sizes, node.type_params)
    declared = len(size_vars)
    params = functions.bind_params(c, node.params, size_vars)
    definition = Definition(node.name, "", node, Scheme((), (), UNIT), (), UNIT,
                            tuple(_activity(p) for p in node.params),
                            tuple(functions.pattern_name(p) or "_" for p in node.params))
    wraps = isinstance(c.file, LibraryScope) and builtins.find(node.name) is not None  # `linalg.solve` is `solve`
    older = wraps or recursion.built_in(node.name) or c.file.value(node.name) is not None
    pending: Pending | None = None
    if (grouped or node.name in node.body.span.text) and not older:
        pending = recursion.pending(c, node, GlobalRef(definition), size_vars, type_vars, params)
    member = Member(node, definition, size_vars, type_vars, declared, params,
                    {name: c.names[name] for name, _ in c.undo[mark:]}, c.type_names, pending)
    c.type_names = types
    c.leave(mark)
    return member


def _body(c: Checker, m: Member) -> None:
    node, mark, types = m.node, len(c.undo), c.type_names
    for name, meaning in m.bound.items():
        c.bind(name, meaning)
    c.type_names = m.type_names
    c.span = node.name_span
    replaces = recursion.built_in(node.name) and not isinstance(c.file, LibraryScope) and c.file.parent is None
    c.current = node.name if replaces and c.file.value(node.name) is None else None
    broken = m.recursion is not None and m.recursion.broken
    c.solver.level += 1  # sizes that the body opens are no sizes of parameters
    result = functions.infer_body(c, node.body, None if broken else node.result)
    c.solver.level -= 1
    m.type = functions.chain(c, node.params, m.params, result)
    if m.recursion is not None and m.recursion.mentions and node.result is None and not c.failed:
        recursion.same_result(c, m.recursion, node.body, len(node.params), result)
    c.type_names = types
    c.leave(mark)


def _share(members: Sequence[Member]) -> None:
    """What the headers of a group leave open is shared by its members: each quantifies over all of it."""
    type_vars: dict[TypeVar, None] = {}
    size_vars: dict[SizeVar, None] = {}
    for m in members:
        assert m.scheme is not None
        type_vars.update((v, None) for v in m.scheme.type_vars if v not in m.type_vars)
        size_vars.update((v, None) for v in m.scheme.size_vars if v not in m.size_vars)
    for m in members:
        assert m.scheme is not None
        m.scheme = Scheme(tuple(dict.fromkeys((*m.scheme.type_vars, *type_vars))),
                          tuple(dict.fromkeys((*m.scheme.size_vars, *size_vars))), m.scheme.type)


def _complete(c: Checker, m: Member) -> None:
    """The definition as lowering and later definitions see it."""
    assert m.scheme is not None
    definition, session = m.definition, c.session
    params: list[Type] = []
    out: Type = c.solver.zonk(m.scheme.type)
    for _ in m.node.params:
        assert isinstance(out, Fun)
        params.append(out.param)
        out = out.result
    definition.scheme = m.scheme
    definition.param_types, definition.result_type = tuple(_frozen(c, t) for t in params), _frozen(c, out)
    if not c.file.abstract:
        definition.qualified = session.unique(m.node.name, c.file.prefix)
        session.definitions[definition.qualified] = definition
    if m.recursion is not None and m.recursion.mentions:
        definition.recursive = True
        recursion.finish(c, m.recursion, m.scheme)


def _frozen(c: Checker, t: Type) -> Type:
    """The type as lowering sees it: nothing is closed, and values of modules that serve as sizes are known."""
    t = revealed(t)
    constants = c.session.constants
    return map_type(t, lambda x: x if isinstance(x, Scalar) else None, lambda s: s.substitute(constants)) \
        if constants else t


def concerns_derivatives(session: Session, c: Checker, definitions: Sequence[Definition]) -> bool:
    """Whether `param`, `data` or a derivative occurs in the definitions or in what they call."""
    concerned = any(a != "plain" for d in definitions for a in d.activities)
    for use in c.uses.values():
        match use.target:
            case GlobalRef(definition=called):
                concerned = concerned or called in session.differential
            case BuiltinRef(name=name):
                concerned = concerned or name in DERIVATIVES
            case _:
                pass
    if concerned:
        session.differential.update(definitions)
    return concerned


def _activity(p: ast.Pattern) -> Activity:
    if isinstance(p, ast.PAscribe) and isinstance(p.type, ast.TQualified):
        return p.type.activity
    return "plain"


def _finish(c: Checker) -> None:
    """Nothing more will be known: defaults, then complaints about what is still open."""
    for constraint in list(c.solver.open):
        if constraint in c.solver.open and not constraint.default():
            constraint.give_up()
    for uid in list(c.solver.levels):
        if uid not in c.solver.types and uid in c.solver.kinds:
            functions.default(c, Meta(uid))
    for uid in list(c.solver.variants):
        if uid not in c.solver.types:
            variants.undetermined(c, Meta(uid))
    for late in c.at_end:
        late()
    for lit in c.literals:
        literal(c, lit)
    for hole, t, scope in c.holes:
        fitting = [f"`{n}` : {show(c, s)}" for n, s in scope if c.solver.fits(s, t)]
        c.error("E217", f"a hole of type {show(c, t)}", hole.span, "to be filled in",
                notes=[f"in scope and fitting: {', '.join(fitting[:8])}" if fitting
                       else "nothing in scope has this type"],
                help="replace `???` by an expression of this type")


def literal(c: Checker, e: ast.Lit) -> None:
    t = c.solver.prune(c.types.get(e, Error()))
    if isinstance(t, TypeVar) and t.constraint == "num":
        t = I64  # which it is when its uses say no more
    if not isinstance(t, Scalar) or isinstance(e.value, bool):
        return
    if t.name in LIMITS and isinstance(e.value, int):
        low, high = LIMITS[t.name]
        negated = e.value < 0 or e in c.negated  # -128i8 fits, and so does the unsigned -1u8, which is 255
        if abs(e.value) > high + (1 if low < 0 and negated else 0):
            c.error("E204", f"{e.span.text} does not fit into {t.name}", e.span, f"{t.name} goes from {low} to {high}",
                    help="use f64 for large numbers" if t.name == "i64" else "use a larger type, such as i64")
    elif t.name in INTEGERS:
        c.error("E204", f"a fraction does not fit into {t.name}", e.span, "this number has a fractional part",
                help="write a whole number, or a float type")
    elif t.name in LARGEST and abs(e.value) > LARGEST[t.name]:
        c.error("E204", f"{e.span.text} does not fit into {t.name}", e.span, "too large for any number of this type",
                help=f"for infinity, write `{t.name}.inf`")


def _unused_sizes(c: Checker, node: ast.Def, scheme: Scheme, declared: int) -> None:
    """A size parameter must be visible in the type: callers do not pass it, they have it or ask for it."""
    visible: set[SizeAtom] = set()
    t: Type = scheme.type
    while isinstance(t, Fun):
        for s in sizes_of(t.param):
            visible.update(s.atoms())
        t = t.result
    for s in sizes_of(t):
        visible.update(s.atoms())
    for binder, var in zip(node.sizes, scheme.size_vars[:declared], strict=False):
        if var not in visible:
            c.error("E306", f"the size `{binder.name}` occurs in no parameter or result of `{node.name}`",
                    binder.span, "callers have no way to say what it is",
                    help=f"pass it as a value, `({binder.name}: i64)`, or use it in the type of a parameter")


def _undetermined(c: Checker) -> None:
    """A size that only the result of a function mentions comes from what is asked of the result."""
    for node, raw in c.uses.items():
        if raw.scheme is None or not isinstance(node, ast.Exp):
            continue
        unknown = [v for v, s in zip(raw.scheme.size_vars, raw.sizes, strict=True)
                   if any(isinstance(a, SizeMeta) for a in c.solver.size(s).atoms())]
        if not unknown:
            continue
        t, given = raw.scheme.type, set[SizeAtom]()
        while isinstance(t, Fun):
            given.update(a for s in sizes_of(t.param) for a in s.atoms())
            t = t.result
        for var in unknown:
            if var not in given:
                c.error("E303", f"the size `{var.name}` of this result is not known", node.span,
                        "nothing says how long it is to be",
                        others=[(var.origin, "only the result has this size")] if var.origin is not None else None,
                        help=f"write its type, such as `({node.span.text} … : [3]t)`")
                break


def _grades(c: Checker, node: ast.Def) -> None:
    names = {n for p in node.params for n, _ in _names(p)}
    for grade in node.grades:
        if grade.name != "allow":
            contracts.unknown_roots(c, grade, names, f"`{node.name}`", "it has none")


def _orders(c: Checker, members: Sequence[Member]) -> None:
    """What uses a definition that is not determined says so."""
    for node, use in c.uses.items():
        match use.target:
            case GlobalRef(definition=called) if called.node.nondet is not None:
                holder = next((m.node for m in members if m.node.span.source is node.span.source
                               and m.node.span.start <= node.span.start < m.node.span.end), None)
                if holder is not None and holder.nondet is None:
                    c.error("E513", f"`{holder.name}` uses `{called.name}`, which may give other last digits in every "
                            "run", node.span, "adds in any order", others=[(called.node.nondet, "as its head says")],
                            help=f"say it in the head of `{holder.name}`, too, behind the type of its result: "
                                 "`… @ nondet = …`")


def _names(p: ast.Pattern) -> list[tuple[str, Span]]:
    from .patterns import names_of

    return list(names_of(p))


__all__ = ["Derived", "Sum", "check_definition", "check_file"]
