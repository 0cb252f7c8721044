"""What a value depends on: the abstract values that `activity` computes with.

A `Flow` says from which roots (parameters, variables of derivatives) a value comes differentiably, and from which only
through something that has no derivative, and through what. Tuples and records are followed part by part; an array is
described by its elements, so `zip` and `unzip` are the identity.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ..lang.record import dataclass, field
from ..lang.sizes import SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import FLOATS, Array, Fun, Record, Scalar, Sum, Tuple, Type
from .result import Definition


@dataclass(frozen=True, slots=True)
class Root:
    """Where dependence begins. `kind`: `param`, `data` or `plain` parameter, or the `variable` of a derivative."""

    uid: int
    kind: str = field(compare=False)
    name: str = field(compare=False)
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Loss:
    """Where a derivative is lost, and how."""

    start: int
    how: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Flow:
    active: frozenset[Root] = frozenset()
    lost: frozenset[tuple[Root, Loss]] = frozenset()


NOTHING = Flow()


@dataclass(frozen=True, slots=True)
class Parts:
    """A tuple or record, by name of field or number of part."""

    items: tuple[tuple[str, Value], ...]


@dataclass(eq=False, slots=True)
class Closure:
    params: tuple[ast.Pattern, ...]
    body: ast.Exp
    env: dict[int, Value]
    recursive: ast.LetFun | None = None
    """The local function that it is, if that mentions itself."""
    memo: dict[tuple[int, tuple[Value, ...]], Value] = field(default_factory=dict)
    """By round of a fixpoint around it (see `activity`)."""


@dataclass(eq=False, slots=True)
class Known:
    """A definition."""

    definition: Definition


@dataclass(eq=False, slots=True)
class Operation:
    """A built-in function, a section: `run` takes the arguments when there are `arity` of them."""

    arity: int
    run: Callable[[tuple[Value, ...], Span], Value]


@dataclass(eq=False, slots=True)
class Partial:
    function: Closure | Known | Operation
    given: tuple[Value, ...]
    spans: tuple[Span, ...]


@dataclass(eq=False, slots=True)
class Unknown:
    """A function of which only its own dependence is known: a parameter."""

    flow: Flow


Function = Closure | Known | Operation | Partial | Unknown
Value = Flow | Parts | Closure | Known | Operation | Partial | Unknown


def join(a: Value, b: Value) -> Value:
    """Either of two values, or both mixed."""
    if a is b or a == b:
        return a
    match a, b:
        case Flow(), Flow():
            return Flow(a.active | b.active, a.lost | b.lost)
        case Parts(xs), Parts(ys) if [n for n, _ in xs] == [n for n, _ in ys]:
            return Parts(tuple((n, join(x, y)) for (n, x), (_, y) in zip(xs, ys, strict=True)))
        case Parts(xs), _ if not _is_function(b):
            other = flat(b)
            return Parts(tuple((n, join(x, other)) for n, x in xs))
        case _, Parts():
            return join(b, a) if not _is_function(a) else a
        case _ if _is_function(a):
            return a
        case _:
            return b if _is_function(b) else join(flat(a), flat(b))


def widened(a: Value, b: Value) -> Value:
    """As `join`, but values of different structure become one flow: what a recursion builds up ends there."""
    match a, b:
        case Parts(xs), Parts(ys) if [n for n, _ in xs] == [n for n, _ in ys]:
            return Parts(tuple((n, widened(x, y)) for (n, x), (_, y) in zip(xs, ys, strict=True)))
        case (Parts(), Flow()) | (Flow(), Parts()) | (Parts(), Parts()):
            return join(flat(a), flat(b))
        case _:
            return join(a, b)


def _is_function(v: Value) -> bool:
    return not isinstance(v, (Flow, Parts))


def flat(v: Value) -> Flow:
    """All that a value depends on, in whichever part."""
    match v:
        case Flow():
            return v
        case Parts(items):
            return union(flat(x) for _, x in items)
        case Unknown(flow):
            return flow
        case Partial(given=given):
            return union(flat(g) for g in given)
        case Closure(env=env):
            # What a function has captured; functions in it are left out, they are applied where they are used.
            return union(data(x) for x in env.values())
        case _:
            return NOTHING


def data(v: Value) -> Flow:
    """What a value depends on, functions in it left out: what they have captured may hold the value itself."""
    match v:
        case Flow():
            return v
        case Parts(items):
            return union(data(x) for _, x in items)
        case _:
            return NOTHING


def union(flows: Iterable[Flow]) -> Flow:
    active: frozenset[Root] = frozenset()
    lost: frozenset[tuple[Root, Loss]] = frozenset()
    for f in flows:
        active |= f.active
        lost |= f.lost
    return Flow(active, lost)


def lose(v: Value, span: Span, how: str) -> Flow:
    """The same dependence without derivative."""
    f = flat(v)
    if not f.active:
        return f
    loss = Loss(span.start, how, span)
    return Flow(frozenset(), f.lost | {(r, loss) for r in f.active})


def mapped(v: Value, change: Callable[[Flow], Flow], made: dict[int, Closure] | None = None) -> Value:
    """The same structure of changed flows; of a function, what it has captured.

    `made`: functions on the way, for what a function has captured may hold the function itself.
    """
    made = {} if made is None else made
    match v:
        case Flow():
            return change(v)
        case Parts(items):
            return Parts(tuple((n, mapped(x, change, made)) for n, x in items))
        case Closure(params, body, env, recursive):
            known = made.get(id(v))
            if known is not None:
                return known
            captured: dict[int, Value] = {}
            new = made[id(v)] = Closure(params, body, captured, recursive)
            captured.update((k, mapped(x, change, made) if isinstance(x, (Flow, Parts)) else x) for k, x in env.items())
            return new
        case Partial(function, given, spans):
            return Partial(function, tuple(mapped(x, change, made) for x in given), spans)
        case Unknown(flow):
            return Unknown(change(flow))
        case _:
            return v


def copied(v: Value) -> Value:
    """An equal value that is another object: an element of a parameter is not the parameter itself."""
    match v:
        case Flow(active, lost):
            return Flow(active, lost)
        case Parts(items):
            return Parts(tuple((n, copied(x)) for n, x in items))
        case _:
            return v


def project(v: Value, name: str) -> Value:
    match v:
        case Parts(items):
            for n, x in items:
                if n == name:
                    return x
            return flat(v)
        case _:
            return v


TAG = "#"
"""The part of a sum that says which constructor it is."""


def held(constructor: str, k: int) -> str:
    """The name of the part of a sum that is the value number `k` of a constructor."""
    return f"{constructor}.{k}"


def rooted(t: Type, root: Root | None) -> Value:
    """A value of type `t` whose floats are `root`; its integers and bools depend on it without derivative by nature."""
    match t:
        case Scalar(name):
            return Flow(frozenset({root})) if name in FLOATS and root is not None else NOTHING
        case Sum(constructors):
            payload = [(held(n, k), rooted(i, root)) for n, items in constructors for k, i in enumerate(items)]
            return Parts(((TAG, NOTHING), *payload))
        case Array(_, element):
            return rooted(element, root)
        case Tuple(items):
            return Parts(tuple((str(k), rooted(i, root)) for k, i in enumerate(items)))
        case Record(fields, _):
            return Parts(tuple((n, rooted(i, root)) for n, i in fields))
        case Fun():
            return Unknown(NOTHING if root is None else Flow(frozenset({root})))
        case _:
            return NOTHING if root is None else Flow(frozenset({root}))


def parted(t: Type, root: Root, pattern: ast.Pattern, uids: Iterator[int]) -> tuple[Value, list[Root]]:
    """As `rooted`, but parts of tuples and records are roots of their own: `theta.rate`, or as the pattern names it."""
    roots: list[Root] = []

    def part(t: Type, name: str, p: ast.Pattern | None, span: Span) -> Value:
        while isinstance(p, ast.PAscribe):
            p = p.pattern
        if p is not None:
            span = p.span
        if isinstance(p, ast.PName):
            name = p.name
        match t:
            case Array(_, element):
                return part(element, name, p, span)
            case Tuple(items):
                inner = p.items if isinstance(p, ast.PTuple) else (None,) * len(items)
                return Parts(tuple((str(k), part(i, f"{name}.{k}", inner[k], span)) for k, i in enumerate(items)))
            case Record(fields, _):
                named = dict(p.fields) if isinstance(p, ast.PRecord) else {}
                return Parts(tuple((n, part(i, f"{name}.{n}", named.get(n), span)) for n, i in fields))
        new = Root(next(uids), root.kind, name, span)
        if has_floats(t):
            roots.append(new)
        return rooted(t, new)

    value = part(t, root.name, pattern, root.span)
    if len(roots) < 2:  # there is nothing to tell apart
        return rooted(t, root), [root]
    return value, roots


def axes(t: Type) -> Iterator[SizeVar]:
    """The size parameters that are axes of a type."""
    match t:
        case Array(size, element):
            if isinstance(size.atom, SizeVar):
                yield size.atom
            yield from axes(element)
        case Tuple(items):
            for item in items:
                yield from axes(item)
        case Record(fields, _):
            for _, item in fields:
                yield from axes(item)


def has_floats(t: Type) -> bool:
    match t:
        case Scalar(name):
            return name in FLOATS
        case Array(_, element):
            return has_floats(element)
        case Tuple(items):
            return any(has_floats(i) for i in items)
        case Record(fields, _):
            return any(has_floats(i) for _, i in fields)
        case Sum(constructors):
            return any(has_floats(i) for _, items in constructors for i in items)
        case Fun():
            return False
        case _:
            return True


def smooth_base(t: Type | None) -> bool:
    """Whether a value of this type can carry a derivative at all."""
    while isinstance(t, Array):
        t = t.element
    return not (isinstance(t, Scalar) and t.name not in FLOATS)


Env = Mapping[int, Value]


def losses_of(flow: Flow, root: Root) -> list[Loss]:
    return sorted((loss for r, loss in flow.lost if r == root), key=lambda loss: loss.start)
