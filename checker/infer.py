"""Types of expressions: from syntax to types, one function to each form, with what is expected as a hint.

`infer` gives the type that an expression has, `check` asks that it have a given one and blames the innermost
expression that has not. Sequences of `let` are walked in a loop, everything else by recursion on nesting.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..lang.sizes import Size, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import BOOL, I64, UNIT, Array, Derived, Error, Fun, Meta, Record, Scalar, Sum, Tuple, Type
from . import arrays, calls, guesses, loops, messages, patterns, sums
from .clashes import OversizedType
from .constraints import FieldAccess
from .context import Because, Checker, RawUse, map_sizes
from .contracts import annotated
from .equations import SizeClaim
from .functions import doubt, infer_lambda, infer_let_fun
from .names import FOREIGN_MODULES, find, foreign_member, infer_name, known, member_of, module_named
from .paths import exported_value, parametric, path_of, structure_at
from .result import SizeRef
from .scope import FileScope, Functor, Local, OpenedScope, SizeParam
from .typexp import TypeContext, elaborate

if TYPE_CHECKING:
    from ..lang.surface.terms import Instance


def infer(c: Checker, e: ast.Exp, want: Type | None = None) -> Type:
    rule = _RULES[type(e)]
    instance = e.__dict__.get("instance")
    if instance is None:
        t = rule(c, e, want)
    else:
        t = _of_instance()(c, e, instance, want, rule)
    c.types[e] = t
    return t


@lru_cache(maxsize=1)
def _of_instance() -> Callable[[Checker, ast.Exp, Instance, Type | None, Any], Type]:
    from .instances import infer_instance  # only long programs have them

    return infer_instance


def check(c: Checker, e: ast.Exp, want: Type, because: Because) -> bool:
    """Infer, and report where the type is not `want`."""
    found = infer(c, e, want)
    return c.unify(found, want, blame(e).span, because)


def blame(e: ast.Exp) -> ast.Exp:
    """The expression that gives `e` its value: what stands after the last `in`."""
    while isinstance(e, (ast.LetPat, ast.LetFun, ast.LetUpdate)):
        e = e.body
    return e


# ---------------------------------------------------------------- literals and constructors


def _lit(c: Checker, e: ast.Lit, want: Type | None) -> Type:
    if isinstance(e.value, bool):
        return BOOL
    c.literals.append(e)
    if e.suffix is not None:
        return Scalar(e.suffix)
    return c.fresh_kind("float" if isinstance(e.value, float) else "num", literal=True, because=e.span)


def _text(c: Checker, e: ast.Text, want: Type | None) -> Type:
    """A string is the array of its bytes in UTF-8."""
    return Array(Size.constant(len(e.value.encode())), Scalar("u8"))


def _hole(c: Checker, e: ast.Hole, want: Type | None) -> Type:
    t: Type = want if want is not None else c.solver.meta()
    scope = [(n, m.type) for n, m in c.names.items() if isinstance(m, Local) and m.scheme is None]
    c.holes.append((e, t, scope))
    return t


def _tuple(c: Checker, e: ast.TupleExp, want: Type | None) -> Type:
    if not e.items:
        return UNIT
    wants: tuple[Type | None, ...] = (None,) * len(e.items)
    if want is not None:
        wanted_type = c.solver.prune(want)
        if isinstance(wanted_type, Tuple) and len(wanted_type.items) == len(e.items):
            wants = wanted_type.items
    return bounded(c, Tuple(tuple(infer(c, i, w) for i, w in zip(e.items, wants, strict=True))), e.span)


def bounded(c: Checker, t: Type, span: Span) -> Type:
    """The type, unless it has grown too large for everything that walks over types."""
    if c.solver.too_large(t):
        messages.too_large(c, span)
        return Error()
    return t


def _record(c: Checker, e: ast.RecordExp, want: Type | None) -> Type:
    record_type = c.solver.prune(want) if want is not None else None
    wanted = dict(record_type.fields) if isinstance(record_type, Record) else {}
    fields: dict[str, Type] = {}
    for name, value in e.fields:
        t = infer(c, value, wanted.get(name))
        if name in fields:
            c.error("E209", f"field `{name}` is given twice", value.span, "the second value", help="remove one of them")
            continue
        fields[name] = t
    made = Record.of(fields.items())
    if isinstance(record_type, Record) and set(fields) == set(wanted):
        made = Record(made.fields, record_type.name, record_type.order, record_type.arguments)
    return bounded(c, made, e.span)


def _array(c: Checker, e: ast.ArrayLit, want: Type | None) -> Type:
    wanted_type = c.solver.prune(want) if want is not None else None
    element: Type = c.solver.meta()
    hint = wanted_type.element if isinstance(wanted_type, Array) else None
    for k, item in enumerate(e.items):
        t = infer(c, item, hint)
        because = Because() if k == 0 else Because("the first element", e.items[0].span, code="E218",
                                                   title="elements of an array have one type and one shape")
        if not c.unify(t, element, blame(item).span, because):
            return Array(Size.constant(len(e.items)), Error())
    if not e.items:
        c.at_end.append(lambda: _empty(c, e, element))
    return Array(Size.constant(len(e.items)), element)


def _empty(c: Checker, e: ast.ArrayLit, element: Type) -> None:
    if isinstance(c.solver.prune(element), Meta) and not c.failed:
        c.error("E214", "the element type of this empty array is not known", e.span, "elements of what type?",
                help="write the type, such as `([] : [0]f64)`")


# ---------------------------------------------------------------- let, if


def _let(c: Checker, e: ast.LetPat | ast.LetFun | ast.LetUpdate, want: Type | None) -> Type:
    mark = len(c.undo)
    chain: list[ast.Exp] = []
    body: ast.Exp = e
    while isinstance(body, (ast.LetPat, ast.LetFun, ast.LetUpdate)):
        chain.append(body)
        match body:
            case ast.LetPat():
                _let_pattern(c, body)
                if not c.oversized and c.solver.too_large(c.types.get(body.value, UNIT)):
                    messages.too_large(c, body.value.span)
                    raise OversizedType
            case ast.LetFun():
                infer_let_fun(c, body)
            case ast.LetUpdate():
                t = arrays.infer_update(c, body, body.name, body.indices, body.value)
                previous = c.names.get(body.name.name)
                local = c.local(body, body.name.name, body.name.span, t, "an updated array")
                if isinstance(previous, Local):
                    local.what = previous.what
        body = body.body
    t = infer(c, body, want)
    c.leave(mark)
    for link in chain:
        c.types[link] = t
    return t


def _let_pattern(c: Checker, e: ast.LetPat) -> None:
    if e.sizes:
        _let_sizes(c, e)
        return
    hint: Type | None = None
    if isinstance(e.pattern, ast.PAscribe):
        hint = patterns.declared(c, e.pattern)
    value = infer(c, e.value, hint)
    if hint is not None and not c.unify(value, hint, blame(e.value).span, Because("declared here", e.pattern.span)):
        value = hint
    patterns.bind(c, e.pattern, value, "let", ascribed=hint is not None, value=e.value)


def _let_sizes(c: Checker, e: ast.LetPat) -> None:
    """`let [n] (xs: [n]f64) = …`: n is whatever size the value has."""
    value = infer(c, e.value)
    env = bind_sizes(c, e.sizes, "the size `{}` opened here")
    declared = patterns.declared(c, e.pattern, inferred=True)
    doubt(c, env, Fun(declared, UNIT))
    loose = c.solver.substitute(declared, {v: c.solver.size_meta(v.name) for v in env})
    c.unify(value, loose, blame(e.value).span, Because("declared here", e.pattern.span))
    patterns.bind(c, e.pattern, declared, "let", ascribed=True)


def bind_sizes(c: Checker, binders: tuple[ast.SizeBinder, ...], why: str) -> list[SizeVar]:
    """Sizes that a pattern or a loop names; rigid."""
    made = []
    for binder in binders:
        var = c.solver.size_var(binder.name, binder.span, why.format(binder.name))
        made.append(var)
        c.uses[binder] = RawUse(SizeRef(var))
        c.bind(binder.name, SizeParam(binder.name, binder.span, Size.of(var)))
    return made


def _if(c: Checker, e: ast.If, want: Type | None) -> Type:
    check(c, e.condition, BOOL, Because("", None, code="E205", title="the condition of an `if` is a bool",
                                        help="compare with something, such as `x != 0`"))
    c.solver.level += 1
    given = c.given
    c.given = (*given, *arrays.conditions(c, e.condition, True))
    one = infer(c, e.then, want)
    c.given = (*given, *arrays.conditions(c, e.condition, False))
    other = infer(c, e.orelse, want if want is not None else None)
    c.given = given
    c.solver.level -= 1
    one, other = open_branches(c, e, one, other)
    because = Because("because the first branch is {expected}", blame(e.then).span, code="E206",
                      title="the branches of an `if` have one type")
    return one if c.unify(other, one, blame(e.orelse).span, because) else Error()


def _shown(c: Checker, s: Size) -> str:
    return f"[{messages.show_size(c, s)}]"


def open_branches(c: Checker, node: ast.Exp, one: Type, other: Type) -> tuple[Type, Type]:
    """Where a size of one branch is known only inside it, or sizes must differ, the result opens a size.

    Where the same two sizes meet again it is the same one: `if c then (xs, xs) else (ys, ys)` has two equal sizes.
    """
    c_size = c.solver.size
    opened: dict[tuple[Size, Size], Size] = {}

    def walk(a: Type, b: Type) -> tuple[Type, Type]:
        a, b = c.solver.prune(a), c.solver.prune(b)
        match a, b:
            case Array(n, x), Array(m, y):
                x, y = walk(x, y)
                n, m = c_size(n), c_size(m)
                difference = guesses.at_start(c, c_size(n - m))
                unlike = bool(difference.terms) and not any(isinstance(a, SizeMeta) and a not in c.anonymous
                                                            for a in difference.atoms())
                if (n, m) not in opened and (unlike or c.is_inner(n) or c.is_inner(m)):
                    why = f"a size that depends on which branch is taken: {_shown(c, n)} or {_shown(c, m)}"
                    var = c.solver.size_var("(if …)", node.span, why)
                    c.opened[node] = (*c.opened.get(node, ()), var)
                    opened[n, m] = Size.of(var)
                n, m = (opened.get((n, m), each) for each in (n, m))
                return Array(n, x), Array(m, y)
            case Tuple(xs), Tuple(ys) if len(xs) == len(ys):
                pairs = [walk(x, y) for x, y in zip(xs, ys, strict=True)]
                return Tuple(tuple(p for p, _ in pairs)), Tuple(tuple(q for _, q in pairs))
            case Record(fs), Record(gs) if [f for f, _ in fs] == [g for g, _ in gs]:
                pairs = [walk(x, y) for (_, x), (_, y) in zip(fs, gs, strict=True)]
                names = [f for f, _ in fs]
                return (Record(tuple(zip(names, (p for p, _ in pairs), strict=True)), a.name, a.order),
                        Record(tuple(zip(names, (q for _, q in pairs), strict=True)), b.name, b.order))
            case (Sum(), Sum() | Meta()) | (Meta(), Sum()):
                return sums.open_payloads(c, a, b, walk)
            case Meta(), Meta():
                return sums.open_variants(c, a, b, walk)
            case _:
                return a, b

    return walk(one, other)


# ---------------------------------------------------------------- loops


def _loop(c: Checker, e: ast.Loop, want: Type | None) -> Type:
    mark = len(c.undo)
    if e.init is not None:
        start = infer(c, e.init, want)
        start_span = blame(e.init).span
    else:
        start = _pattern_value(c, e.pattern)
        start_span = e.pattern.span
    bound_size: Size | None = None
    counted: Type = I64
    elements: Type | None = None
    if isinstance(e.form, ast.ForBelow):
        counted, bound_size = arrays.infer_count(c, e.form)
    elif isinstance(e.form, ast.ForIn):
        elements = arrays.infer_elements(c, e.form)
    c.solver.level += 1
    env = bind_sizes(c, e.sizes, "the size `{}` of this loop's state")
    inside: Type
    loose: loops.Loosened | None = None
    if e.sizes:
        inside = patterns.declared(c, e.pattern, inferred=True)
        doubt(c, env, Fun(inside, UNIT))
        _start(c, e, start, start_span, inside, env)
    else:
        loose = loops.loosened(c, start)
        inside = loose.type
        guesses.begin(c, e, loose.sizes)
    patterns.bind(c, e.pattern, inside, "loop", ascribed=bool(e.sizes))
    facts = c.facts
    if isinstance(e.form, ast.ForBelow):
        arrays.bind_index(c, e.form, bound_size, counted)
    elif isinstance(e.form, ast.ForIn):
        assert elements is not None
        patterns.bind(c, e.form.pattern, elements, "loop")
    else:
        check(c, e.form.condition, BOOL, Because("", None, code="E205", title="the condition of a `while` is a bool"))
    given = c.given
    if isinstance(e.form, ast.While):
        c.given = (*given, *arrays.conditions(c, e.form.condition, True))
    after = infer(c, e.body, inside)
    c.facts, c.given = facts, given
    if loose is not None:
        env = loops.changing(c, e, loose, after)
        c.loop_sizes[e] = tuple(env)
        _start(c, e, start, start_span, inside, env)
    expected = c.solver.substitute(inside, {v: c.solver.size_meta(v.name) for v in env})
    title = "an iteration must leave a state of the type that it found"
    fits = c.unify(after, expected, blame(e.body).span, Because("the state before the loop", start_span, code="E219",
                                                                title=title))
    c.solver.level -= 1
    c.leave(mark)
    if not fits:
        if loose is not None:
            guesses.refute(c, e, inside, loose.sizes, after)
        return Error()
    return c.open_inner(e, inside, "a size that a loop arrived at") if env else inside


def _start(c: Checker, e: ast.Loop, start: Type, span: Span, inside: Type, env: list[SizeVar]) -> bool:
    """The state before the loop has the type of the state inside, where sizes that iterations change are any."""
    c.solver.level -= 1
    first = c.solver.substitute(inside, {v: c.solver.size_meta(v.name) for v in env})
    fits = c.unify(start, first, span, Because("the loop's state is {expected}", e.pattern.span))
    c.solver.level += 1
    return fits


def _pattern_value(c: Checker, p: ast.Pattern) -> Type:
    """`loop x for …` starts with the values that the pattern's names have now."""
    match p:
        case ast.PName(name=name):
            meaning = c.names.get(name)
            if isinstance(meaning, Local) and meaning.scheme is None:
                c.uses[p] = RawUse(meaning.ref)
                return meaning.type
            return c.error("E101", f"unknown name `{name}`", p.span, "a loop without `=` starts with this name's value",
                           help=f"write `loop {name} = … for …`")
        case ast.PTuple(items=items):
            return Tuple(tuple(_pattern_value(c, i) for i in items))
        case ast.PRecord(fields=fields):
            return Record.of((n, _pattern_value(c, q)) for n, q in fields)
        case ast.PAscribe(pattern=inner):
            return _pattern_value(c, inner)
        case _:
            return c.error("E010", "a loop without `=` needs a name here", p.span, "this has no value to start with",
                           help="write `loop p = start for …`")


# ---------------------------------------------------------------- records, ascriptions


def _field(c: Checker, e: ast.Field, want: Type | None) -> Type:
    module = module_named(c, e.record)
    if module is not None:
        path = path_of(e.record)
        assert path is not None
        field = known(c, path[0]) and len(path) == 1 and not (
            isinstance(module, FileScope) and exported_value(module, e.name) is not None)
        if not field and isinstance(module, FileScope):
            return member_of(c, e, module, path, e.name, e.span)
        if not field and isinstance(module, Functor):
            parametric(module, ".".join(path), e.record.span, c.error)
            return Error()
    if isinstance(e.record, ast.Name) and not e.record.qualifier and not known(c, e.record.name):
        name = e.record.name
        if name in FOREIGN_MODULES:
            return foreign_member(c, e.span, name, e.name)
        if name[0].isupper() and find(c, name) is None:
            structure_at(c.session, c.file, (name,), e.record.span, c.error)
            return Error()
    record = infer(c, e.record)
    return field_type(c, record, e.name, e.name_span, e.record.span)


def field_type(c: Checker, record: Type, name: str, span: Any, record_span: Any) -> Type:
    """The type of a field, now or when the record's type is known."""
    found = c.solver.prune(record)
    if isinstance(found, Record):
        for field, t in found.fields:
            if field == name:
                return t
    if isinstance(found, Tuple) and name.isdigit() and int(name) < len(found.items):
        return found.items[int(name)]
    if isinstance(found, (Meta, Derived)):
        result = c.solver.meta()
        c.solver.add(FieldAccess(c, found, name, span, record_span, result))
        return result
    if isinstance(found, Error):
        return found
    return messages.no_field(c, found, name, span, record_span)


def _record_update(c: Checker, e: ast.RecordUpdate, want: Type | None) -> Type:
    base = infer(c, e.base, want)
    t = base
    for name in e.path:
        t = field_type(c, t, name, e.span, e.base.span)
    check(c, e.value, t, Because(f"the field `{'.'.join(e.path)}` of this record is {{expected}}", e.base.span))
    return base


def _field_section(c: Checker, e: ast.FieldSection, want: Type | None) -> Type:
    wanted_type = c.solver.prune(want) if want is not None else None
    record: Type = wanted_type.param if isinstance(wanted_type, Fun) else c.solver.meta()
    t = record
    for name in e.path:
        t = field_type(c, t, name, e.span, e.span)
    return Fun(record, t)


def anonymous(c: Checker) -> TypeContext:
    """Types inside bodies: `[]` is a size to be inferred."""
    return TypeContext(c, c.file, lambda span: c.solver.size_meta("", span, "the size left open here"))


def _ascribe(c: Checker, e: ast.Ascribe, want: Type | None) -> Type:
    t = annotated(anonymous(c), e.type)
    check(c, e.operand, t, Because("written here", e.type.span))
    return t


def _coerce(c: Checker, e: ast.Coerce, want: Type | None) -> Type:
    """A size that the type leaves open, `[]`, is whatever the value has: nothing says that it is another's."""
    opened: list[SizeVar] = []

    def anonymous_size(span: Span) -> Size:
        opened.append(c.solver.size_var("(:> …)", span, "the size left open here"))
        return Size.of(opened[-1])

    t = elaborate(TypeContext(c, c.file, anonymous_size), e.type)
    c.opened[e] = (*c.opened.get(e, ()), *opened)
    pairs: list[tuple[Size, Size]] = []

    def loosened(claimed: Size) -> Size:
        pairs.append((c.solver.size_meta(), claimed))
        return pairs[-1][0]

    loose = map_sizes(t, loosened)
    check(c, e.operand, loose, Because("`:>` changes sizes only", e.type.span))
    for found, claimed in pairs:
        c.solver.add(SizeClaim(c.solver, found, claimed, c.anonymous))
    return t


def _grade(c: Checker, e: ast.GradeAscribe, want: Type | None) -> Type:
    t = infer(c, e.operand, want)
    for name in e.names:
        infer(c, name)
    c.session.warned.add("grade")
    return t


def _assume(c: Checker, e: ast.Assume, want: Type | None) -> Type:
    """`assume continuous(x) "reason" in body`: of local values, which hold floats."""
    for name in e.names:
        t = infer(c, name)
        if not c.failed and name.name not in c.names:
            c.error("E028", f"`{name.name}` is a definition: an assumption is about a value", name.span,
                    "not a local name",
                    help=f"give the value a name first: `let y = {name.name} …`, then `assume {e.grade.name}(y) …`")
        elif isinstance(c.solver.prune(t), Fun):
            c.error("E028", f"`{name.name}` is a function: an assumption is about a value", name.span, c.show(t),
                    help="assume it of what the function gives")
    for name in e.grade.of:
        infer(c, name)
    c.session.warned.add("grade")
    return infer(c, e.body, want)


def _assert(c: Checker, e: ast.Assert, want: Type | None) -> Type:
    check(c, e.condition, BOOL, Because("", None, code="E205", title="`assert` takes a bool first"))
    return infer(c, e.body, want)


def _attributed(c: Checker, e: ast.Attributed, want: Type | None) -> Type:
    return infer(c, e.operand, want)


def _local_open(c: Checker, e: ast.LocalOpen, want: Type | None) -> Type:
    """`M.(e)`: what M exports hides other names in `e`, those of locals too."""
    module = structure_at(c.session, c.file, (*e.module.qualifier, e.module.name), e.module.span, c.error)
    if module is None:
        c.failed = True
        return Error()
    outside, types, mark = c.file, c.type_names, len(c.undo)
    c.file = OpenedScope(module, outside)
    for name in [n for n in c.names if c.file.own_value(n) is not None]:
        c.hide(name)
    c.type_names = {n: t for n, t in types.items() if c.file.own_type(n) is None}
    t = infer(c, e.body, want)
    c.leave(mark)
    c.file, c.type_names = outside, types
    return t


_RULES: dict[type, Callable[[Checker, Any, Type | None], Type]] = {
    ast.Lit: _lit, ast.Text: _text, ast.Name: infer_name, ast.Hole: _hole, ast.TupleExp: _tuple, ast.RecordExp: _record,
    ast.ArrayLit: _array, ast.Comprehension: arrays.infer_comprehension, ast.Apply: calls.infer_apply,
    ast.BinOp: calls.infer_binop, ast.UnOp: calls.infer_unop, ast.OpSection: calls.infer_op_section,
    ast.FieldSection: _field_section, ast.IndexSection: arrays.infer_index_section, ast.Lambda: infer_lambda,
    ast.LetPat: _let, ast.LetFun: _let, ast.LetUpdate: _let, ast.If: _if, ast.Match: sums.infer_match, ast.Loop: _loop,
    ast.Index: arrays.infer_index, ast.Field: _field, ast.Update: arrays.infer_update_exp,
    ast.RecordUpdate: _record_update, ast.Ascribe: _ascribe, ast.Coerce: _coerce, ast.GradeAscribe: _grade,
    ast.Range: arrays.infer_range, ast.Constr: sums.infer_constr, ast.Assert: _assert, ast.Assume: _assume,
    ast.Attributed: _attributed,
    ast.LocalOpen: _local_open,
}
