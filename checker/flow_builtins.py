"""What built-in functions make of dependence: what of their arguments reaches their results, and how it is lost.

Beside `activity.Walk`, which evaluates a definition over the values of `flow` and asks here for what is built in.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import Fun, Type
from .builtins import DERIVATIVES
from .flow import (
    NOTHING,
    Closure,
    Flow,
    Known,
    Operation,
    Parts,
    Root,
    Value,
    copied,
    flat,
    has_floats,
    join,
    lose,
    losses_of,
    mapped,
    rooted,
    union,
)

if TYPE_CHECKING:
    from .activity import Walk

FLAT = {"floor": "rounded by `floor`", "ceil": "rounded by `ceil`", "round": "rounded by `round`",
        "trunc": "cut by `trunc`",
        "sign": "only its sign is taken", "isnan": "only tested by `isnan`", "isinf": "only tested by `isinf`"}
_ARITY = {"cast": 1, "stop_grad": 1}


def builtin(walk: Walk, name: str, node: ast.Node) -> Value:
    t = walk.session.types.get(node) if isinstance(node, (ast.Name, ast.Field)) else None
    arity = _arity(t) if t is not None else 2
    if arity == 0:
        return NOTHING
    if name in DERIVATIVES:
        return Operation(arity, lambda args, span: derivative(walk, name, node, t, args, span))
    return Operation(min(arity, _ARITY.get(name, arity)), lambda args, span: run(walk, name, args, span))


def run(walk: Walk, name: str, args: tuple[Value, ...], span: Span) -> Value:
    def call(f: Value, *inner: Value) -> Value:
        return walk.apply(f, inner, (span,) * len(inner), span)

    match name:
        case "map" | "map2" | "map3" | "map4" | "map5" | "vmap":
            return call(args[0], *map(copied, args[1:]))
        case "reduce" | "reduce_comm" | "scan":
            return folded(walk, args[0], join(args[1], args[2]), args[2], span)
        case "hist" | "reduce_by_index":
            op, start, places = (args[0], args[1], args[3]) if name == "hist" else (args[1], args[0], args[3])
            chosen = lose(places, span, "it only chooses an element")
            return join(folded(walk, op, join(start, args[4]), args[4], span), chosen)
        case "filter" | "partition" | "partition2":
            *tests, xs = args
            chosen = union(lose(call(test, copied(xs)), span, "it only chooses elements") for test in tests)
            kept = join(xs, chosen)
            return kept if name == "filter" else Parts(tuple((str(k), kept) for k in range(len(args))))
        case "tabulate":
            return join(call(args[1], NOTHING), lose(args[0], span, "it only says how many"))
        case "zip" | "zip3":
            return Parts(tuple((str(k), a) for k, a in enumerate(args)))
        case "unzip" | "unzip3" | "transpose" | "reverse" | "flatten" | "unflatten":
            return args[0]
        case "sum" | "product" | "maximum" | "minimum":
            return args[0]
        case "rotate":
            return join(args[1], lose(args[0], span, "it only chooses an element"))
        case "replicate":
            return join(args[1], lose(args[0], span, "it only says how many"))
        case "concat":
            return join(args[0], args[1])
        case "scatter":
            return join(join(args[0], args[2]), lose(args[1], span, "it only chooses an element"))
        case "length":
            return lose(args[0], span, "only its length is taken")
        case "iota":
            return lose(args[0], span, "it only says how many")
        case "all" | "any":
            return lose(call(args[0], args[1]), span, "it is only compared")
        case "argmax" | "argmin":
            return lose(args[0], span, f"only an index is taken by `{name}`")
        case "stop_grad":
            here, how = walk.outside(span)
            return mapped(args[0], lambda v: lose(v, here, how or "`stop_grad` holds it fixed"))
        case "implicit" | "_implicit":
            r, x = args
            out = mapped(x, lambda v: lose(v, span, "a solution depends on its equation, not on how it was found"))
            return join(out, flat(call(r, mapped(x, lambda _: NOTHING))))
        case "with_jvp" | "with_vjp":
            # What f captures is differentiated as f is written, its argument by the rule.
            f, rule, x = args
            ruled = flat(call(rule, x, Flow(frozenset({walk.seed}))))
            out = call(f, mapped(x, lambda _: NOTHING))
            reached = walk.seed in ruled.active
            return join(out, flat(x) if reached else lose(x, span, f"the rule given to `{name}` has no derivative"))
        case "cast":
            return flat(args[0])
        case _ if name in FLAT:
            return lose(args[0], span, FLAT[name])
        case _:
            return union(flat(a) for a in args)


def folded(walk: Walk, op: Value, first: Value, xs: Value, span: Span) -> Value:
    """What an operator makes of elements, in whichever order."""
    out = first
    for _ in range(64):
        after = join(out, walk.apply(op, (out, xs), (span, span), span))
        after = join(after, walk.apply(op, (xs, out), (span, span), span))
        if after == out:
            break
        out = after
    return out


def derivative(walk: Walk, name: str, node: ast.Node, t: Type | None, args: tuple[Value, ...], span: Span) -> Value:
    """A derivative of `args[0]` at `args[1]`: something to differentiate, and a path from it."""
    f, x = args[0], args[1]
    at = t.result.param if isinstance(t, Fun) and isinstance(t.result, Fun) else None
    flow = flat(x)
    fixed = walk.fixed.get(id(x))
    if at is not None and not has_floats(at):
        walk.report("E502", f"there is nothing to differentiate with respect to: {walk.c.show(at)} has no floats",
                    span,
                    "integers and bools have no tangents", [], "differentiate with respect to floats")
        return NOTHING
    if fixed is not None:
        walk.report("E501", f"this derivative is taken with respect to data, `{fixed.name}`", span,
                    "data is held fixed", [(fixed.span, "declared `data` here")],
                    f"remove `data` from `{fixed.name}`")
        return NOTHING
    variable = walk.rounds.variables.get(node)
    if variable is None:
        variable = Root(next(walk.session.uids), "variable", _variable_name(f), _variable_span(f, span))
        if walk.rounds.assumed:
            walk.rounds.variables[node] = variable
    seen = join(x, rooted(at, variable) if at is not None else Flow(frozenset({variable})))
    walk.rounds.order += 1
    walk.taken.append(span)
    result = walk.apply(f, (seen,), (span,), span)
    walk.rounds.order -= 1
    walk.taken.pop()
    out = flat(result)
    if variable not in out.active:
        losses = losses_of(out, variable)
        if losses:
            walk.report("E504",
                        "this derivative is zero: the result depends on the argument only where there is none",
                        span,
                        "the path is lost",
                        [(loss.span, f"here: {loss.how}") for loss in losses[:3]],
                        "let the result depend on it smoothly")
        else:
            walk.report("E504", "this derivative is zero: the result does not depend on the argument", span,
                        "nothing to differentiate", [], "is another variable meant?")
    clean = _without(result, variable)
    spread = union([flat(clean), flow, *(flat(a) for a in args[2:])])
    if name in ("value_and_grad", "jvp2", "vjp2"):
        return Parts((("0", clean), ("1", spread)))
    return spread


def _arity(t: Type | None) -> int:
    count = 0
    while isinstance(t, Fun):
        count, t = count + 1, t.result
    return count


def _without(v: Value, root: Root) -> Value:
    match v:
        case Flow(active, lost):
            return Flow(active - {root}, frozenset(pair for pair in lost if pair[0] != root))
        case Parts(items):
            return Parts(tuple((n, _without(x, root)) for n, x in items))
        case _:
            return v


def _variable_name(f: Value) -> str:
    if isinstance(f, Closure):
        return " ".join(f.params[0].span.text.split())
    if isinstance(f, Known):
        return f.definition.param_names[0]
    return "the argument"


def _variable_span(f: Value, span: Span) -> Span:
    return f.params[0].span if isinstance(f, Closure) else span
