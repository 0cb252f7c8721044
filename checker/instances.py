"""Instances of a shape (`lang.surface.terms`): the first with names of the same meaning is inferred, the others have
its types.

What is inferred of a term follows from its shape, from what its names mean, and from what is expected of it. Where all
of that is known already a *plan* is kept: the types of its nodes, the uses of its names, and the axes that its numbers
index. For another instance nothing is solved; the tables get its entries when its nodes are made.

There is no plan where inference leaves anything else behind than these: unknowns or constraints that are still open,
bindings, sizes of its own, findings. Then each instance is inferred by itself, as it is where a number is outside of
the axis that it indexes.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

from ..lang.record import dataclass
from ..lang.surface import ast
from ..lang.surface.terms import Instance, Shape
from ..lang.surface.words import SUFFIXES
from ..lang.types import FLOATS, Array, Record, Scalar, Tuple, Type, map_type
from .context import Checker, RawUse
from .result import Bound, LocalRef, Use
from .scope import Global, Local, Session

Rule = Callable[[Checker, ast.Exp, "Type | None"], Type]
_KINDS = (ast.Name, ast.Lit, ast.BinOp, ast.UnOp, ast.Apply, ast.Index, ast.Field, ast.TupleExp, ast.RecordExp,
          ast.ArrayLit, ast.If)
_LARGEST = {"i64": 1e18, "f64": 1e300, "i32": 2e9, "f32": 1e38}
"""Numbers of these types that are written with the digits of a shape fit below these."""


class Reading:
    """What of a shape's words the checker asks for."""

    __slots__ = ("fit", "literals", "names", "operators", "texts")

    def __init__(self, shape: Shape) -> None:
        self.fit = all(issubclass(cls, _KINDS) for cls, *_ in shape.nodes)
        self.names: dict[int, int] = {}
        """By number of node: the word that is a name by itself."""
        self.literals: dict[int, tuple[int, bool]] = {}
        """By number of node: the word, and whether a minus belongs to it."""
        self.operators: set[str] = set()
        self.texts = [k for k in shape.leaves if shape.signs[k] not in SUFFIXES]
        """Other words than names by themselves and numbers."""
        for number, (cls, _, _, fields) in enumerate(shape.nodes):
            given = {name: (how, what) for name, how, what in fields}
            if cls is ast.Name and given["qualifier"] == (3, ()) and given["name"][0] == 1:
                self.names[number] = given["name"][1]
                self.texts.remove(given["name"][1])
            elif cls is ast.Lit and given["value"][0] == 4:
                self.literals[number] = given["value"][1]
            elif cls in (ast.BinOp, ast.UnOp):
                self.operators.add(given["op"][1])


@dataclass(eq=False)
class Plan:
    """What was found of the first instance, which `first` is."""

    reading: Reading
    first: Instance
    type: Type
    types: list[Type | None]
    """By number of node, as far as it has one."""
    uses: list[tuple[int, RawUse | None]]
    """Numbers of nodes with what they use; None for the local that an instance names there."""
    axes: tuple[tuple[int, int, int, int], ...]
    """Indices: word, size of the axis, number of the node and of the array's."""
    numbers: list[int]
    """The words that name locals."""
    limits: tuple[tuple[int, float], ...]
    """Numbers of narrow types: word and what it must be below."""
    done: tuple[list[tuple[int, Type]], list[tuple[int, Use | None]]] | None = None
    """Types and uses as they are in the tables in the end."""
    steps: Any = ()
    """What lowering follows for instances, once it knows; None where there is nothing to follow."""


class Copy:
    """What an instance has of a plan: the plan, and the locals that it names."""

    __slots__ = ("locals", "plan", "session")

    def __init__(self, plan: Plan, locals: list[LocalRef], session: Session) -> None:
        self.plan, self.locals, self.session = plan, locals, session


def infer_instance(c: Checker, e: ast.Exp, instance: Instance, want: Type | None, general: Rule) -> Type:
    """The type of an instance; `general` infers it without regard to others."""
    if instance.found is not None:
        if instance.found.session is not c.session:
            instance.make()  # others have checked the same tree, and have their tables filled
        instance.found = instance.fill = None
    instance.place = c, len(c.log), want, c.solver.level, c.facts, c.given
    shape = instance.shape
    reading = shape.known.get("checker")
    if reading is None:
        reading = shape.known["checker"] = Reading(shape)
    key = _key(c, instance, reading, want) if reading.fit else None
    if key is None:
        return general(c, e, want)
    try:
        plan = c.plans[key]
    except KeyError:
        return _first(c, e, instance, reading, want, general, key)
    if plan is None:
        return general(c, e, want)
    infos, begin = instance.words.infos, instance.begin
    for word, size, _, _ in plan.axes:
        if int(infos[begin + word][1]) >= size:
            return general(c, e, want)
    for word, limit in plan.limits:
        if instance.value(word) > limit:
            return general(c, e, want)
    names = c.names
    instance.found = Copy(plan, [cast(Local, names[infos[begin + word][1]]).ref for word in plan.numbers], c.session)
    instance.fill = partial(fill, c)
    c.copies.append(instance)
    if instance.made is not None:
        fill(c, instance)
    return plan.type


def _key(c: Checker, instance: Instance, reading: Reading, want: Type | None) -> tuple[Any, ...] | None:
    """All that the types in an instance follow from; None where that is too much to say."""
    names = c.names
    for op in reading.operators:
        if op in names:
            return None
    infos, begin = instance.words.infos, instance.begin
    sorts: list[Any] = [instance.shape, c.file]
    if want is not None:
        want = c.solver.prune(want)
        if not isinstance(want, Scalar):
            return None
        sorts.append(want.name)
    known = c.sorts
    for word in reading.names.values():
        name = infos[begin + word][1]
        local = names.get(name)
        if local is None:
            meaning = known.get(name)
            if meaning is None:
                meaning = known[name] = _global(c, name)
            if not meaning:
                return None
            sorts.append(meaning)
        else:
            sorts.append(local.sort or _sort(c, local))
    for word in reading.texts:
        sorts.append(infos[begin + word][1])
    return tuple(sorts)


def _global(c: Checker, name: str) -> str:
    """The name itself, where it has a meaning outside of the definition that is the same everywhere in it."""
    from .names import find

    if name == c.current or c.file.parent is not None:
        return ""
    meaning = find(c, name)
    return "" if meaning is None or (isinstance(meaning, Global) and (meaning.pending or not meaning.definition)) \
        else f"= {name}"


def _sort(c: Checker, local: Any) -> Any:
    """What stands for a local in keys: its type where that is all that matters of it."""
    if isinstance(local, Local) and local.scheme is None and local.pending is None and local.below is None \
            and local.size is None and local.var is None:
        t = c.solver.prune(local.type)
        if isinstance(t, Scalar):
            if t.name in FLOATS or t.name == "bool":
                local.sort = t.name
                return t.name
        elif isinstance(t, (Array, Tuple, Record)):
            t = c.solver.zonk(t)
            if _of_floats(t):
                local.sort = repr(t)
                return local.sort
            return local
        else:
            return local
    local.sort = local
    return local


def _of_floats(t: Type) -> bool:
    """Whether all that is in it is floats and bools: nothing in it can be a size."""
    plain = True

    def leaf(inner: Type) -> Type | None:
        nonlocal plain
        if isinstance(inner, Scalar):
            plain = plain and (inner.name in FLOATS or inner.name == "bool")
            return inner
        if not isinstance(inner, (Array, Tuple, Record)):
            plain = False
            return inner
        return None

    map_type(t, leaf, lambda s: s)
    return plain


# ---------------------------------------------------------------- the first of its kind


def state(c: Checker) -> tuple[Any, ...]:
    """What inference may leave behind besides types, uses, literals and indices."""
    return (len(c.patterns), len(c.bindings), len(c.schemes), len(c.opened), len(c.size_values), len(c.binding_sizes),
            len(c.field_sizes), len(c.anonymous), len(c.loose_slices), len(c.loop_sizes), len(c.indices),
            len(c.index_params), len(c.values), len(c.negated), len(c.holes), len(c.at_end), len(c.type_defaults),
            len(c.undo), c.failed, c.oversized, c.expansions, c.current, len(c.session.report.diagnostics),
            len(c.session.warned), c.session.instances, c.solver.existential)


def _first(c: Checker, e: ast.Exp, instance: Instance, reading: Reading, want: Type | None, general: Rule,
           key: tuple[Any, ...]) -> Type:
    c.plans[key] = None  # also for what is inferred inside
    before, added, jobs, uses = state(c), c.solver.added, len(c.bounds), len(c.uses)
    t = general(c, e, want)
    newest = next(reversed(c.solver.open), None)
    if before != state(c) or (newest is not None and c.solver.open[newest] > added):
        return t
    c.types[e] = t
    plan = _plan(c, instance, reading, jobs, uses)
    if plan is not None:
        c.plans[key] = plan
        return plan.type
    return t


def _plan(c: Checker, instance: Instance, reading: Reading, jobs: int, uses: int) -> Plan | None:
    nodes = instance.make()
    types: list[Type | None] = []
    for node in nodes:
        t = c.types.get(node)
        if t is not None:
            t = c.solver.zonk(t)
            if not c.ground(t):
                return None
        types.append(t)
    number = {id(node): k for k, node in enumerate(nodes)}
    limits = []
    for k, (word, _) in reading.literals.items():
        t = types[k]
        if not isinstance(t, Scalar) or t.name not in _LARGEST:
            return None
        if t.name not in ("i64", "f64"):
            limits.append((word, _LARGEST[t.name]))
    found: list[tuple[int, RawUse | None]] = []
    for node in islice(reversed(c.uses), len(c.uses) - uses):
        at, raw = number.get(id(node)), c.uses[node]
        if at is None or not all(map(c.ground, raw.types)) or any(c.unsolved(s) for s in raw.sizes):
            return None
        if isinstance(raw.target, LocalRef) and raw.scheme is None:
            if at not in reading.names:
                return None
            found.append((at, None))
        else:
            found.append((at, raw))
    found.sort(key=lambda use: use[0])
    numbers = [reading.names[at] for at, raw in found if raw is None]
    axes: list[tuple[int, int, int, int]] = []
    for job in c.bounds[jobs:]:
        at, size = number.get(id(job.node)), c.solver.size(job.size).value
        array = number.get(id(job.array))
        literal = reading.literals.get(at) if at is not None else None
        if at is None or literal is None or literal[1] or size is None or array is None or job.axis or job.unknown:
            return None
        if not isinstance(types[at], Scalar) or not 0 <= instance.value(literal[0]) < size:
            return None
        axes.append((literal[0], size, at, array))
    own = types[-1]
    assert own is not None
    return Plan(reading, instance, own, types, found, tuple(axes), numbers, tuple(limits))


# ---------------------------------------------------------------- the tables


def fill(c: Checker, instance: Instance) -> None:
    """While the definition is being checked: entries for nodes that somebody has asked for, as if inferred."""
    copy: Copy = instance.found
    nodes, plan = instance.made, copy.plan
    assert nodes is not None
    c.types.update((node, t) for node, t in zip(nodes, plan.types, strict=True) if t is not None)
    refs = iter(copy.locals)
    c.uses.update((nodes[at], RawUse(next(refs)) if raw is None else raw) for at, raw in plan.uses)


def freeze(c: Checker) -> None:
    """After all else: what the first instance of each plan has, the others have."""
    tables, types = c.session.tables, c.session.types
    uses, proved = tables.uses, tables.proved

    def fill(instance: Instance) -> None:
        copy: Copy = instance.found
        nodes, plan = instance.made, copy.plan
        assert nodes is not None
        assert plan.done is not None
        for at, t in plan.done[0]:
            types[nodes[at]] = t
        refs = iter(copy.locals)
        for at, use in plan.done[1]:
            uses[nodes[at]] = Use(next(refs)) if use is None else use
        proved.update(nodes[at] for _, _, at, _ in plan.axes)

    for instance in c.copies:
        plan: Plan = instance.found.plan
        if plan.done is None:
            nodes = plan.first.make()
            plan.done = ([(k, types[node]) for k, node in enumerate(nodes) if node in types],
                         [(at, None if raw is None else uses[nodes[at]]) for at, raw in plan.uses])
        instance.fill = fill
        top = instance.top
        types[top] = plan.done[0][-1][1]
        if instance.made is not None:
            fill(instance)
        elif plan.done[1] and plan.done[1][-1][0] == len(plan.types) - 1:
            use = plan.done[1][-1][1]
            assert use is not None  # a name by itself is no instance
            uses[top] = use


def bounds(instance: Instance) -> Sequence[Bound]:
    """The indices of an instance, all of them proved."""
    plan: Plan = instance.found.plan
    made = []
    for _, size, at, array in plan.axes:
        _, low, high, _ = instance.shape.nodes[array]
        text = instance.span(low, high).text
        _, low, high, _ = instance.shape.nodes[at]
        span = instance.span(low, high)
        made.append(Bound(span, " ".join(text.split()), " ".join(span.text.split()), 0, str(size), True, ""))
    return made


__all__ = ["Copy", "Plan", "bounds", "fill", "freeze", "infer_instance", "state"]
