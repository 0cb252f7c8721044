"""Patterns: taking a value of a known type apart and binding names to its parts."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import Derived, Error, Meta, Record, Scalar, Sum, Tuple, Type
from . import coverage, messages, variants
from .context import Because, Checker
from .contracts import annotated
from .typexp import TypeContext

WHAT = {"let": "the value of `{}`", "parameter": "the parameter `{}`", "loop": "the loop's `{}`",
        "match": "the matched `{}`"}
COVERED = {"let": "the value", "parameter": "the argument", "loop": "the loop's state"}


def declared(c: Checker, p: ast.Pattern, inferred: bool = False) -> Type:
    """The type that a pattern's annotations say; parts without one are unknown."""
    match p:
        case ast.PAscribe(type=t):
            inner = t.type if isinstance(t, ast.TQualified) else t
            context = TypeContext(c, c.file, lambda span: c.solver.size_meta("", span, "the size left open here"))
            return annotated(context, inner)
        case ast.PTuple(items=items) if inferred:
            return Tuple(tuple(declared(c, i, True) for i in items))
        case ast.PRecord(fields=fields) if inferred:
            return Record.of((n, declared(c, i, True)) for n, i in fields)
        case _:
            return c.solver.meta()


def bind(c: Checker, p: ast.Pattern, t: Type, what: str, ascribed: bool = False, value: ast.Exp | None = None) -> None:
    """Bind the pattern's names to parts of a value of type `t`. `ascribed`: its outer annotation is in `t` already."""
    if not isinstance(p, (ast.PName, ast.PWild, ast.PLit)):
        distinct(c, (p,))
    if what != "match" and coverage.refutable(p):
        c.at_end.append(lambda: coverage.check_binding(c, p, t, COVERED[what]))
    _bind(c, p, t, what, ascribed, value)


def _bind(c: Checker, p: ast.Pattern, t: Type, what: str, ascribed: bool, value: ast.Exp | None) -> None:
    c.patterns[p] = t
    match p:
        case ast.PName(name=name):
            local = c.local(p, name, p.span, t, WHAT[what].format(name))
            local.below = c.index_params.get(p)
            if value is not None:
                from .calls import size_of

                known = c.solver.prune(t)
                if known == Scalar("i64") or (isinstance(known, Meta) and known.uid in c.solver.kinds):
                    local.size = size_of(c, value)
        case ast.PWild():
            return
        case ast.PAscribe(pattern=inner, type=written):
            if ascribed:
                _bind(c, inner, t, what, False, value)
                return
            wanted = declared(c, p)
            if not c.unify(t, wanted, p.span, Because("declared here", written.span)):
                wanted = Error()
            c.patterns[p] = wanted
            _bind(c, inner, wanted, what, False, value)
        case ast.PTuple(items=items):
            _tuple(c, p, items, t, what, value)
        case ast.PRecord(fields=fields):
            _record(c, p, fields, t, what)
        case ast.PLit(value=literal):
            _literal(c, p, literal, t)
        case ast.PConstr():
            _constructor(c, p, t, what)


def _literal(c: Checker, p: ast.PLit, literal: ast.Lit, t: Type) -> None:
    from .infer import infer

    found = infer(c, literal)
    c.unify(found, t, p.span, Because(title="a pattern has the type of the value that it is matched with", code="E405"))


def _constructor(c: Checker, p: ast.PConstr, t: Type, what: str) -> None:
    known = c.solver.prune(t)
    parts: Sequence[Type] = [Error()] * len(p.arguments)
    match known:
        case Sum(constructors):
            payload = dict(constructors).get(p.name)
            if payload is None:
                messages.no_constructor(c, p.name, known, p.span)
            elif len(payload) != len(p.arguments):
                messages.wrong_payload(c, p.name, len(p.arguments), len(payload), known, p.span, pattern=True)
            else:
                parts = payload
        case Meta():
            parts = [c.solver.meta() for _ in p.arguments]
            c.unify(variants.open_sum(c.solver, p.name, tuple(parts), p.span), known, p.span, Because())
        case Error():
            pass
        case _:
            c.error("E405", f"a value of type {c.show(known)} has no constructors", p.span,
                    "this takes a value of a sum type apart")
    for argument, part in zip(p.arguments, parts, strict=True):
        _bind(c, argument, part, what, False, None)


def _tuple(c: Checker, p: ast.PTuple, items: tuple[ast.Pattern, ...], t: Type, what: str,
           value: ast.Exp | None) -> None:
    known = c.solver.prune(t)
    parts: Sequence[Type]
    if isinstance(known, Tuple) and len(known.items) == len(items):
        parts = known.items
    elif isinstance(known, (Meta, Derived)):
        parts = [c.solver.meta() for _ in items]
        c.unify(known, Tuple(tuple(parts)), p.span, Because())
    else:
        parts = [Error()] * len(items)
        if isinstance(known, Tuple):
            c.error("E405", f"this pattern has {len(items)} parts, but the value has {len(known.items)}", p.span,
                    f"matched with {c.show(known)}", help="give every part a name, or `_`")
        elif not isinstance(known, Error):
            c.error("E405", f"a value of type {c.show(known)} has no {len(items)} parts", p.span,
                    "this takes a tuple apart",
                    help="use its fields, such as `p.x`" if isinstance(known, Record) else "bind one name")
    values: Sequence[ast.Exp | None] = [None] * len(items)
    if isinstance(value, ast.TupleExp) and len(value.items) == len(items):
        values = value.items
    for item, part, v in zip(items, parts, values, strict=True):
        _bind(c, item, part, what, False, v)


def _record(c: Checker, p: ast.PRecord, fields: tuple[tuple[str, ast.Pattern], ...], t: Type, what: str) -> None:
    known = c.solver.prune(t)
    if isinstance(known, Meta):
        wanted = Record.of((name, c.solver.meta()) for name, _ in fields)
        c.unify(known, wanted, p.span, Because())
        known = wanted
    types = dict(known.fields) if isinstance(known, Record) else {}
    if not isinstance(known, (Record, Error)):
        c.error("E405", f"a value of type {c.show(known)} has no fields", p.span, "this takes a record apart")
        known = Error()
    for name, inner in fields:
        part = types.get(name)
        if part is None:
            part = Error()
            if isinstance(known, Record):
                messages.no_field(c, known, name, inner.span, p.span)
        _bind(c, inner, part, what, False, None)


def names_of(p: ast.Pattern) -> Iterator[tuple[str, Span]]:
    match p:
        case ast.PName(name=name):
            yield name, p.span
        case ast.PAscribe(pattern=inner):
            yield from names_of(inner)
        case ast.PTuple(items=items) | ast.PConstr(arguments=items):
            for i in items:
                yield from names_of(i)
        case ast.PRecord(fields=fields):
            for _, i in fields:
                yield from names_of(i)
        case _:
            return


def distinct(c: Checker, ps: Sequence[ast.Pattern]) -> None:
    """Report a name that is bound twice side by side."""
    seen: dict[str, Span] = {}
    for p in ps:
        for name, span in names_of(p):
            if name in seen and seen[name] is not span:
                c.error("E105", f"`{name}` is bound twice", span, "again here", others=[(seen[name], "first here")],
                        help="rename one of them, or write `_` for a value that is not used")
            seen[name] = span
