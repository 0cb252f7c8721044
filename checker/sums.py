"""Constructors and `match`: values of sum types made and taken apart.

A constructor's sum is the one that is wanted where it stands, or an unknown one that collects constructors
(`variants`). Whether the cases of a `match` fit every value is asked at the end, when all types are known.
"""
from __future__ import annotations

from collections.abc import Callable

from ..lang.sizes import Size
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import Error, Meta, Sum, Type, sizes_of
from . import coverage, messages, patterns, variants
from .clashes import Clash
from .context import Because, Checker, map_sizes


def infer_constr(c: Checker, e: ast.Constr, want: Type | None) -> Type:
    from .infer import bounded, infer

    wanted = c.solver.prune(want) if want is not None else None
    if isinstance(wanted, Sum):
        return bounded(c, _known_constr(c, e, wanted), e.span)
    known = _open(c, wanted)
    hints = known.constructors.get(e.name, ()) if known is not None else ()
    payload = tuple(infer(c, a, hints[k] if k < len(hints) else None) for k, a in enumerate(e.arguments))
    return bounded(c, variants.open_sum(c.solver, e.name, payload, e.span), e.span)


def _open(c: Checker, t: Type | None) -> variants.Variants | None:
    """What is known of an unknown sum."""
    return c.solver.variants.get(t.uid) if isinstance(t, Meta) else None


def _known_constr(c: Checker, e: ast.Constr, wanted: Sum) -> Type:
    """The sum is known. Its sizes are left open: whoever asks for the type compares them."""
    from .infer import check, infer

    payload = dict(wanted.constructors).get(e.name)
    if payload is None or len(payload) != len(e.arguments):
        for a in e.arguments:
            infer(c, a)
        if payload is None:
            return messages.no_constructor(c, e.name, wanted, e.span)
        return messages.wrong_payload(c, e.name, len(e.arguments), len(payload), wanted, e.span)
    made = _loose(c, wanted)
    assert isinstance(made, Sum)
    loose = dict(made.constructors)
    shown = wanted.name or "this sum type"
    for a, t in zip(e.arguments, loose[e.name], strict=True):
        check(c, a, t, Because(f"`#{e.name}` of {shown} holds {{expected}} here", None,
                               title=f"`#{e.name}` of {shown} holds {c.show(t)} here"))
    return made


def infer_match(c: Checker, e: ast.Match, want: Type | None) -> Type:
    from .infer import blame, infer, open_branches

    scrutinee = infer(c, e.scrutinee)
    result: Type | None = None
    first: Span = e.span
    for case in e.cases:
        mark = len(c.undo)
        c.solver.level += 1
        patterns.bind(c, case.pattern, scrutinee, "match")
        t = infer(c, case.body, want)
        c.solver.level -= 1
        c.leave(mark)
        if result is None:
            result, first = t, blame(case.body).span
            if len(e.cases) == 1:
                result, _ = open_branches(c, e, t, t)
            continue
        result, t = open_branches(c, e, result, t)
        because = Because("because the first case is {expected}", first, code="E206",
                          title="the cases of a `match` have one type")
        if not c.unify(t, result, blame(case.body).span, because):
            result = Error()
    assert result is not None
    c.at_end.append(lambda: coverage.check_match(c, e, scrutinee))
    return result


# ---------------------------------------------------------------- branches

Walk = Callable[[Type, Type], tuple[Type, Type]]


def _loose(c: Checker, t: Type) -> Type:
    """The type with its sizes unknown, equal ones alike."""
    made: dict[Size, Size] = {}
    return map_sizes(c.solver.zonk(t), lambda s: made.setdefault(s, c.solver.size_meta()))


def open_payloads(c: Checker, one: Type, other: Type, walk: Walk) -> tuple[Type, Type]:
    """Two branches of which at least one is a known sum: `walk` pairs what their constructors hold."""
    known = one if isinstance(one, Sum) else other
    if not isinstance(one, Sum) or not isinstance(other, Sum):
        unknown = other if known is one else one
        if _open(c, unknown) is None:
            return one, other
        loose = _loose(c, known)
        try:
            c.solver.unify(unknown, loose)
        except Clash:
            return one, other
        one, other = (one, loose) if known is one else (loose, other)
    assert isinstance(one, Sum)
    assert isinstance(other, Sum)
    if [(n, len(p)) for n, p in one.constructors] != [(n, len(p)) for n, p in other.constructors]:
        return one, other
    left, right = [], []
    for (name, p), (_, q) in zip(one.constructors, other.constructors, strict=True):
        pairs = [walk(x, y) for x, y in zip(p, q, strict=True)]
        left.append((name, tuple(x for x, _ in pairs)))
        right.append((name, tuple(y for _, y in pairs)))
    return Sum(tuple(left), one.name, one.order), Sum(tuple(right), other.name, other.order)


def open_variants(c: Checker, one: Meta, other: Meta, walk: Walk) -> tuple[Type, Type]:
    """Two branches that are unknown sums, of which one holds a size that only it knows."""
    mine, theirs = c.solver.variants.get(one.uid), c.solver.variants.get(other.uid)
    if mine is None or theirs is None:
        return one, other
    payloads = [t for v in (mine, theirs) for items in v.constructors.values() for t in items]
    if not any(c.is_inner(s) for t in payloads for s in sizes_of(c.solver.zonk(t))):
        return one, other
    left, right = {}, {}
    for name in {**mine.constructors, **theirs.constructors}:
        p, q = mine.constructors.get(name), theirs.constructors.get(name)
        p, q = p or tuple(_loose(c, t) for t in q or ()), q or tuple(_loose(c, t) for t in p or ())
        pairs = [walk(x, y) for x, y in zip(p, q, strict=False)]
        left[name], right[name] = tuple(x for x, _ in pairs), tuple(y for _, y in pairs)
    made = [c.solver.meta(), c.solver.meta()]
    for unknown, variants_, payload in zip(made, (mine, theirs), (left, right), strict=True):
        c.solver.variants[unknown.uid] = variants.Variants(payload, variants_.because)
    return made[0], made[1]
