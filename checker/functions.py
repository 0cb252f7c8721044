"""Lambdas, local functions and the headers of definitions; generalisation of what was inferred.

Sizes in a function's result that only its body knows stay in its type; whoever applies the function opens them.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..lang.sizes import Size, SizeAtom, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import BOOL, F64, Derived, Error, Fun, Meta, Scalar, Type, TypeVar, map_type, sizes_of
from . import messages, patterns, recursion, variants
from .context import Because, Checker
from .contracts import annotated
from .result import LocalRef, Scheme
from .scope import Local, SizeParam
from .typexp import TypeContext, type_var


def infer_lambda(c: Checker, e: ast.Lambda, want: Type | None = None) -> Type:
    from .infer import anonymous as types_inside
    from .infer import check, infer

    mark = len(c.undo)
    facts = c.facts
    c.solver.level += 1
    hint = c.solver.prune(want) if want is not None else None
    params: list[Type] = []
    for p in e.params:
        t: Type = c.solver.meta()
        named: SizeVar | None = None
        if isinstance(hint, Fun):
            if not c.unify(t, hint.param, p.span, Because()):
                t = Error()
            named, hint = hint.size_var, c.solver.prune(hint.result)
        params.append(t)
        patterns.bind(c, p, t, "parameter")
        if named is not None and hint is not None:
            # What is expected of the result mentions the argument's value: here it has this parameter's name.
            hint = c.solver.substitute(hint, {named: _own_value(c, p)})
    result: Type
    c.solver.level += 1
    if e.result is not None:
        result = annotated(types_inside(c), e.result)
        check(c, e.body, result, Because(messages.RESULT, e.result.span))
    else:
        result = infer(c, e.body, hint)
    c.solver.level -= 1
    t = chain(c, e.params, params, result)
    c.leave(mark)
    c.facts = facts
    c.solver.level -= 1
    lower(c, t)
    return hide(c, t, len(e.params))


def _own_value(c: Checker, p: ast.Pattern) -> Size:
    """The value of an i64 parameter as a size; one that has no name keeps it under the pattern."""
    local = bound_local(c, p)
    if local is not None:
        return c.value_size(local)
    while isinstance(p, ast.PAscribe):
        p = p.pattern
    var = c.solver.size_var("_", p.span, "the argument of a function")
    c.bindings[p] = LocalRef("_", next(c.session.uids))
    c.binding_sizes[c.bindings[p].key] = var
    c.values.add(var)
    return Size.of(var)


def hide(c: Checker, t: Type, count: int, known: Iterable[SizeVar] = ()) -> Type:
    """A function of `count` parameters whose result mentions sizes that only its inside knows: each call opens them."""
    walked: list[Fun] = []
    bound: set[SizeVar] = set(known)
    while len(walked) < count and isinstance(t, Fun):
        walked.append(t)
        bound.update(v for _, v in t.parts)
        if t.size_var is not None:
            bound.add(t.size_var)
        t = t.result if len(walked) < count else c.solver.zonk(t.result)
    if not walked:
        return t

    def functions(inner: Type) -> Type | None:
        if isinstance(inner, Fun):
            bound.update((*inner.exists, *(v for _, v in inner.parts)))
            if inner.size_var is not None:
                bound.add(inner.size_var)
        return None

    map_type(t, functions, lambda s: s)
    levels, level = c.solver.levels, c.solver.level
    hidden = dict.fromkeys(a for s in sizes_of(t) for a in s.atoms() if isinstance(a, SizeVar) and a not in bound
                           and levels.get(a.uid, 0) > level)
    last = walked.pop()
    t = Fun(last.param, t, last.name, last.size_var, (*last.exists, *hidden), last.parts)
    for outer in reversed(walked):
        t = Fun(outer.param, t, outer.name, outer.size_var, outer.exists, outer.parts)
    return t


def chain(c: Checker, patterns_: Sequence[ast.Pattern], params: Sequence[Type], result: Type) -> Type:
    """The curried function type; a parameter whose value the result mentions as a size is named."""
    t = result
    for p, param in zip(reversed(patterns_), reversed(params), strict=True):
        local = bound_local(c, p)
        var = local.var if local else _unnamed_value(c, p)
        t = Fun(param, t, local.name if local else None, var, (), tuple(_parts(c, p, ())))
    return t


def _parts(c: Checker, p: ast.Pattern, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], SizeVar]]:
    """What the argument holds whose value is used as a size: names that the pattern binds, fields of a named one."""
    match p:
        case ast.PAscribe(pattern=inner):
            yield from _parts(c, inner, path)
        case ast.PName(name=name):
            local = c.names.get(name)
            if isinstance(local, Local) and c.bindings.get(p) is local.ref:
                if path and local.var is not None:
                    yield path, local.var
                for inside, var in c.field_sizes.get(local.ref.key, {}).items():
                    yield (*path, *inside), var
        case ast.PTuple(items=items):
            for k, item in enumerate(items):
                yield from _parts(c, item, (*path, str(k)))
        case ast.PRecord(fields=fields):
            for field, item in fields:
                yield from _parts(c, item, (*path, field))
        case _:
            return


def _unnamed_value(c: Checker, p: ast.Pattern) -> SizeVar | None:
    while isinstance(p, ast.PAscribe):
        p = p.pattern
    return c.binding_sizes.get(c.bindings[p].key) if isinstance(p, ast.PWild) and p in c.bindings else None


def bound_local(c: Checker, p: ast.Pattern) -> Local | None:
    """The binding of a parameter that is a plain name."""
    while isinstance(p, ast.PAscribe):
        p = p.pattern
    if isinstance(p, ast.PName):
        meaning = c.names.get(p.name)
        if isinstance(meaning, Local) and c.bindings.get(p) is meaning.ref:
            return meaning
    return None


def lower(c: Checker, t: Type) -> None:
    """Unknowns that outlive the scope they were made in belong to the scope around it."""
    level, levels = c.solver.level, c.solver.levels

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, Meta):
            known = c.solver.prune(inner)
            if isinstance(known, Meta):
                levels[known.uid] = min(levels[known.uid], level)
                if known.uid in c.solver.variants:
                    for payload in c.solver.variants[known.uid].constructors.values():
                        for i in payload:
                            map_type(i, leaf, size)
            else:
                map_type(known, leaf, size)
        return None

    def size(s: Size) -> Size:
        for atom in c.solver.size(s).atoms():
            if isinstance(atom, SizeMeta):
                levels[atom.uid] = min(levels[atom.uid], level)
        return s

    map_type(t, leaf, size)


# ---------------------------------------------------------------- headers


def bind_header(c: Checker, sizes: Sequence[ast.SizeBinder], type_params: Sequence[ast.TypeParam]
                ) -> tuple[list[SizeVar], list[TypeVar]]:
    """Size and type parameters come into scope, rigid."""
    size_vars: list[SizeVar] = []
    type_vars: list[TypeVar] = []
    seen: dict[str, Span] = {}
    for binder in sizes:
        if binder.name in seen:
            c.error("E105", f"size `{binder.name}` is declared twice", binder.span, "again here",
                    others=[(seen[binder.name], "first here")], help="remove one of them")
        seen[binder.name] = binder.span
        var = c.solver.size_var(binder.name, binder.span, f"the size `{binder.name}`")
        size_vars.append(var)
        c.bind(binder.name, SizeParam(binder.name, binder.span, Size.of(var)))
    for p in type_params:
        if p.name in c.type_names and any(v.name == p.name for v in type_vars):
            c.error("E105", f"type parameter `'{p.name}` is declared twice", p.span, "again here")
        var_ = type_var(c, p)
        c.solver.levels[var_.uid] = c.solver.level
        type_vars.append(var_)
        c.type_names[p.name] = var_
    return size_vars, type_vars


def param_context(c: Checker, name: str) -> TypeContext:
    """Types of parameters of definitions: each `[]` is a size of its own, unless the body needs two to be equal."""
    depth = 0

    def fresh(span: Span) -> Size:
        nonlocal depth
        axis = f"{name}{'[0]' * depth}" if name else "_"
        depth += 1
        size = c.solver.size_meta(f"(length {axis})" if name else "_", span,
                                  f"the length of `{axis}`" if name else "a size")
        c.anonymous.update(size.atoms())
        return size

    return TypeContext(c, c.file, fresh)


def pattern_name(p: ast.Pattern) -> str:
    while isinstance(p, ast.PAscribe):
        p = p.pattern
    return p.name if isinstance(p, ast.PName) else ""


def bind_params(c: Checker, params: Sequence[ast.Pattern], size_vars: list[SizeVar]) -> list[Type]:
    types: list[Type] = []
    for p in params:
        inner, t = p, None
        if isinstance(p, ast.PAscribe):
            declared = p.type.type if isinstance(p.type, ast.TQualified) else p.type
            t = annotated(param_context(c, pattern_name(p)), declared)
            c.patterns[p] = t
            inner = p.pattern
        if t is None:
            t = c.solver.meta()
        patterns.bind(c, inner, t, "parameter")
        types.append(t)
    patterns.distinct(c, params)
    return types


def header_type(c: Checker, sizes: Sequence[ast.SizeBinder], type_params: Sequence[ast.TypeParam],
                params: Sequence[ast.Pattern], result: ast.TypeExp | None) -> Scheme:
    """The scheme of a signature alone."""
    size_vars, type_vars = bind_header(c, sizes, type_params)
    types = bind_params(c, params, size_vars)
    assert result is not None
    context = TypeContext(c, c.file, lambda span: Size.of(c.solver.size_var("_", span, "a size of the result")))
    t = chain(c, params, types, annotated(context, result))
    c.solver.level -= 1
    t = hide(c, t, len(params), size_vars)
    c.solver.level += 1
    return Scheme(tuple(type_vars), tuple(size_vars), t)


def infer_body(c: Checker, body: ast.Exp, result: ast.TypeExp | None) -> Type:
    """The type of a function's result: as declared, where it is, with `[]` for sizes that callers open."""
    from .infer import check, infer

    if result is None:
        return infer(c, body)
    open_sizes: list[tuple[Size, Span]] = []

    def fresh(span: Span) -> Size:
        size = c.solver.size_meta("", span, "a size of the result")
        open_sizes.append((size, span))
        return size

    t = annotated(TypeContext(c, c.file, fresh), result)
    check(c, body, t, Because(messages.RESULT, result.span))
    if not open_sizes:
        return t
    # `[]` in a parameter of a function that is returned is whatever its argument has.
    taken: set[SizeAtom] = set()
    returned = t
    while isinstance(returned, Fun):
        for s in sizes_of(returned.param):
            taken.update(s.atoms())
        returned = returned.result
    hidden: dict[SizeAtom, Size] = {}
    for size, span in open_sizes:
        atom = size.atom
        assert isinstance(atom, SizeMeta)
        if atom in taken:
            continue
        hidden[atom] = Size.of(c.solver.size_var("_", span, "a size of the result"))
    return map_type(t, lambda _: None, lambda s: s.substitute(hidden))


def infer_let_fun(c: Checker, e: ast.LetFun) -> None:
    from .names import find

    mark = len(c.undo)
    saved = dict(c.type_names)
    facts = c.facts
    c.solver.level += 1
    since = c.solver.added
    size_vars, type_vars = bind_header(c, e.sizes, e.type_params)
    params = bind_params(c, e.params, size_vars)
    itself = None
    if e.name not in c.names and e.name in e.value.span.text and find(c, e.name) is None:
        ref = LocalRef(e.name, next(c.session.uids))
        itself = recursion.pending(c, e, ref, size_vars, type_vars, params)
        c.bind(e.name, Local(e.name, e.name_span, ref, itself.scheme.type, c.solver.level, "this function",
                             pending=itself))
    c.solver.level += 1
    result = infer_body(c, e.value, e.result if itself is None or not itself.broken else None)
    c.solver.level -= 1
    t = chain(c, e.params, params, result)
    if itself is not None and itself.mentions and e.result is None and not c.failed:
        recursion.same_result(c, itself, e.value, len(e.params), result)
    c.leave(mark)
    c.type_names = saved
    c.facts = facts
    c.solver.level -= 1
    if itself is not None and not recursion.settle(c, itself, t):
        t = Error()
    scheme = generalise(c, t, type_vars, size_vars, len(e.params), since)
    c.schemes[e] = scheme
    local = c.local(e, e.name, e.name_span, scheme.type, "a local function")
    if itself is not None and itself.mentions:
        assert isinstance(itself.ref, LocalRef)
        local.ref = c.bindings[e] = itself.ref
        c.session.tables.recursive.add(e)
        recursion.finish(c, itself, scheme)
    if scheme.type_vars or scheme.size_vars:
        local.scheme = scheme


# ---------------------------------------------------------------- generalisation


def generalise(c: Checker, t: Type, type_vars: Sequence[TypeVar], size_vars: Sequence[SizeVar], count: int,
               since: int | None = None) -> Scheme:
    """Quantify over what is still unknown and belongs to the function: its parameters' types and sizes.

    What stands in the result alone has one type: by default in a definition, by its uses for a local function, so that
    `let weight i = if i == 0 then 1 else 2` gives fractions where fractions are wanted. A definition without parameters
    made of whole numbers, `def limit = 10`, is a number of whatever type its uses want. `count` is the number of
    parameters; `since` marks a local function: how many constraints there had been before it.
    """
    solver, level = c.solver, c.solver.level
    solver.settle_inner(level, since or 0)
    new_types: list[TypeVar] = []
    new_sizes: list[SizeVar] = []
    names = iter(n for n in "abcdefghijklmnopqrstuvwxyz" if n not in {v.name for v in type_vars})

    def open_variants(unknown: Meta) -> None:
        """Which sum is meant must be said; a local function's uses may say it."""
        if solver.levels[unknown.uid] > level:
            if since is None:
                variants.undetermined(c, unknown)
            else:
                lower(c, unknown)

    def types_in(inner: Type) -> Type | None:
        known = solver.prune(inner)
        if isinstance(known, Derived):
            for i in known.of:
                map_type(i, types_in, sizes_in)
            return known
        if not isinstance(known, Meta):
            if isinstance(inner, (Meta, Derived)):
                map_type(known, types_in, sizes_in)
                return known
            return None
        if known.uid in solver.variants:
            open_variants(known)
            return known
        if solver.levels[known.uid] > level:
            kind = solver.kinds.get(known.uid)
            numbers = {"scalar": "num", "ordered": "num", "bits": "int"}
            constraint = None if kind is None else numbers.get(kind.cls, kind.cls)
            var = TypeVar(next(names, "t"), next(solver.uids), constraint)
            new_types.append(var)
            solver.types[known.uid] = var
        return known

    def sizes_in(s: Size) -> Size:
        for atom in list(solver.size(s).atoms()):
            if isinstance(atom, SizeMeta) and solver.levels[atom.uid] > level and atom not in solver.sizes:
                var = solver.size_var(atom.name or "n", atom.origin, atom.why)
                new_sizes.append(var)
                solver.sizes[atom] = Size.of(var)
        return s

    walked: Type = t
    while isinstance(walked, Fun):
        map_type(walked.param, types_in, sizes_in)
        walked = solver.prune(walked.result)

    def in_result(inner: Type) -> Type | None:
        known = solver.prune(inner)
        if isinstance(known, Meta) and solver.levels[known.uid] > level:
            if known.uid in solver.variants:
                open_variants(known)
            elif since is not None:
                solver.levels[known.uid] = level
            elif known.uid in solver.kinds and not (count == 0 and solver.kinds[known.uid].cls == "num"
                                                    and solver.kinds[known.uid].literal):
                default(c, known)
            else:
                types_in(known)
        elif isinstance(known, Derived):
            for i in known.of:
                map_type(i, in_result, size_in_result)
            return known
        elif isinstance(inner, (Meta, Derived)) and not isinstance(known, Meta):
            map_type(known, in_result, size_in_result)
            return known
        return None

    def size_in_result(s: Size) -> Size:
        if since is None:
            return sizes_in(s)
        for atom in solver.size(s).atoms():
            if isinstance(atom, SizeMeta):
                solver.levels[atom.uid] = min(solver.levels[atom.uid], level)
        return s

    map_type(walked, in_result, size_in_result)
    final = hide(c, solver.zonk(t), count, (*size_vars, *new_sizes))
    doubt(c, (*size_vars, *new_sizes), final)
    return Scheme((*type_vars, *new_types), (*size_vars, *new_sizes), final)


def doubt(c: Checker, size_vars: Sequence[SizeVar], t: Type) -> None:
    """A size is at least 0 when it is the length of something. In `[n+m]` alone, one of the two may be negative."""
    lengths: set[SizeAtom | None] = set()
    while isinstance(t, Fun):
        lengths.update(s.atom for s in sizes_of(t.param))
        t = t.result
    c.values.update(v for v in size_vars if v not in lengths)


def default(c: Checker, meta: Meta) -> None:
    """A literal of which nothing more is known is i64, or f64 when it is a fraction."""
    kind = c.solver.kinds.get(meta.uid)
    if kind is not None:
        boolean = kind.cls == "scalar" and not kind.literal
        c.solver.types[meta.uid] = F64 if kind.cls == "float" else BOOL if boolean else Scalar("i64")
