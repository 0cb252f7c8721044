"""Grades of a checked program: which definitions are looked at, what their roots are called, and what comes of it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checker.result import Checked, Definition
    from .codegen.lower import Lowered
    from .grades.effort import Pool
    from .grades.refute import Witness
    from .grades.report import Branch, Graded, Promise, Report, Root
    from .grades.walk import Given
    from .lang.source import Span


def graded(checked: Checked, names: Sequence[str] | None = None, *, asking: bool = False, examples: bool = False
           ) -> Report:
    """The report of the user's definitions, in order: of those that `names` has, or (`asking`) of those that promise or
    demand something. `examples`: notes show points at which branches jump.
    """
    from .codegen.lower import lower
    from .grades.effort import Pool
    from .grades.messages import said
    from .grades.report import Graded, Report
    from .grades.sink import sunk

    asked = asking_definitions(checked) if asking else None
    wanted = [d for d in checked.definitions.values()
              if own(d) and (asked is None or d in asked) and (names is None or d.name in names)]
    made = lower(checked, (), wanted, promises=True)
    made = type(made)(sunk(made.program), made.entries, made.transforms, made.unknown)
    found: dict[str, Graded] = {}
    pool = Pool()
    for definition in wanted:
        if definition.qualified in made.entries:
            found[name_of(definition, found)] = grade(made, definition, pool)
        else:
            found[name_of(definition, found)] = Graded(
                definition.name, definition.node.name_span, (), {}, unknown="it is looked at where it is used")
    narrow = Narrow(made, dict(zip(found, wanted, strict=True)), pool)
    return said(Report(found), promises(wanted, found), Search(), narrow, Search() if examples else None)


def asking_definitions(checked: Checked) -> set[Definition]:
    """The user's definitions that promise or demand something, and those that use one of them that can only be looked
    at where it is used: since it takes functions, or values of any type.
    """
    from .checker.result import GlobalRef
    from .codegen.lower.promises import number_types
    from .lang import types as ty
    from .lang.surface.walk import descendants

    found = {d for d in checked.definitions.values() if own(d) and d.asks}

    def open_(d: Definition) -> bool:
        return number_types(d) is None or any(ty.holds_function(t) for t in d.param_types)

    new = {d for d in found if open_(d)}
    if not new:
        return found
    users: dict[Definition, list[Definition]] = {}
    for d in checked.definitions.values():
        if own(d) and d not in found:
            for node in descendants(d.node):
                use = checked.uses.get(node)
                if use is not None and isinstance(use.target, GlobalRef) and own(use.target.definition):
                    users.setdefault(use.target.definition, []).append(d)
    while new:
        next_ = {user for d in new for user in users.get(d, ())} - found
        found |= next_
        new = {d for d in next_ if open_(d)}
    return found


class Search:
    """Looks for points at which branches are missed: a few, as long as it takes."""

    MOST = 6

    def __init__(self) -> None:
        self.left = self.MOST

    def __call__(self, graded: Graded, promise: Promise, branch: Branch) -> Witness | None:
        from .grades.refute import Bounds, refute

        function = promise.function or graded.function
        if self.left <= 0 or graded.program is None or branch.site is None or not function:
            return None
        self.left -= 1
        params = graded.program.functions[function].params
        bounds: dict[int, Bounds] = {}
        if promise.kind == "demand":
            moving = [p.name if k >= promise.held and p.name in promise.roots else None for k, p in enumerate(params)]
            bounds = {k: Bounds(*b) for k, b in enumerate(promise.bounds) if b is not None}
        else:  # only what is promised of moves
            moving = [name if name in promise.roots else None for name in graded.params]
            bounds = {k: Bounds(*b) for k, b in enumerate(graded.bounds()) if b is not None}
        wanted = promise.wanted if promise.wanted != "none" else "smooth"
        return refute(graded.program, function, branch.site, moving, bounds, wanted)


class Narrow:
    """Looks for numbers among the parameters that need only be positive for a promise of others to hold."""

    MOST = 12

    def __init__(self, made: Lowered, definitions: dict[str, Definition], pool: Pool) -> None:
        self.made, self.definitions, self.pool, self.left = made, definitions, pool, self.MOST

    def __call__(self, graded: Graded, promise: Promise, domain: bool) -> tuple[str, ...]:
        """`domain`: whether the promise fails since an argument may lie outside of a domain."""
        from .grades.lattice import better

        definition = next((d for d in self.definitions.values() if d.node.name_span == graded.span), None)
        if definition is None or graded.unknown:
            return ()
        bounds = dict(zip(graded.params, graded.bounds(), strict=True))
        numbers = [root.name for root in graded.roots if root.rank == 0 and root.name in definition.param_names
                   and (bounds.get(root.name) or (-1.0,))[0] < 0]
        failing = {root for root, found in promise.found.items() if not better(found, promise.wanted)}
        for tried in [*((name,) for name in numbers), *([tuple(numbers)] if len(numbers) > 1 else [])]:
            if self.left <= 0 or self.pool.left <= 0:
                break
            if not domain and failing <= {*tried}:  # as in `abs x`: it would be no `abs` any more
                continue
            self.left -= 1
            found = grade(self.made, definition, self.pool, tried).grades
            if all(better(found.get(root, "none"), promise.wanted) for root in promise.roots):
                return tried
        return ()


def name_of(definition: Definition, taken: dict[str, Graded]) -> str:
    return definition.name if definition.name not in taken else definition.qualified


def own(definition: Definition) -> bool:
    """Whether it is written in the user's files."""
    return not definition.node.span.source.shipped


def promises(definitions: Sequence[Definition], found: dict[str, Graded]
             ) -> dict[str, list[tuple[str, tuple[str, ...], Span]]]:
    """What definitions promise: grade, parameters (none: all of them), place."""
    made: dict[str, list[tuple[str, tuple[str, ...], Span]]] = {}
    for name, definition in zip(found, definitions, strict=True):
        for g in definition.node.grades:
            if g.name not in ("approx", "allow"):
                made.setdefault(name, []).append((g.name, g.params, g.span))
    return made


def grade(made: Lowered, definition: Definition, pool: Pool, positive: Sequence[str] = ()) -> Graded:
    """Of one definition, lowered by itself; `positive` parameters are taken to be so."""
    from .grades.walk import grade_function
    from .lang.core.walk import summary

    function = made.entries[definition.qualified]
    with pool.share(summary(made.program.functions[function]).size, bool(positive)):
        return grade_function(made.program, function, roots(made, definition), definition.node.name_span,
                              definition.name, given(made), positive)


def given(made: Lowered) -> dict[str, Given]:
    """The functions that definitions are given."""
    from .grades.lattice import RANK, join
    from .grades.walk import Given

    found = {}
    for name, unknown in made.unknown.items():
        grade = "opaque"
        for g in unknown.grades:
            if not g.params and g.name in RANK:
                grade = g.name if grade == "opaque" else join(grade, g.name)
        found[name] = Given(unknown.parameter or unknown.definition.name, grade, not unknown.parameter)
    return found


def roots(made: Lowered, definition: Definition) -> list[Root | None]:
    """One to each parameter of the IR function: what a float is called in the source, None if it is held fixed."""
    from .codegen.lower.promises import number_types
    from .codegen.lower.values import RecV, SumV, TupV, Value, from_type
    from .grades.report import Root
    from .lang import types as ty
    from .lang.core import ir

    found: list[Root | None] = []
    numbers = number_types(definition) or {}

    def walk(value: Value, name: str, fixed: bool) -> None:
        match value:
            case TupV(items):
                for k, item in enumerate(items):
                    walk(item, f"{name}.{k}", fixed)
            case RecV(fields):
                for field, item in fields:
                    walk(item, f"{name}.{field}", fixed)
            case SumV(tag, cases):
                if tag is not None:
                    found.append(None)
                for case, payload in cases:
                    for k, item in enumerate(payload):
                        walk(item, f"{name}.{case}" + (f".{k}" if len(payload) > 1 else ""), fixed)
            case ir.Var(type=t) | ir.Const(type=t):
                found.append(None if fixed or not t.is_float else Root(name, t.rank, definition.node.name_span))
            case _:
                raise TypeError("a function has no floats of its own")

    def of(t: ty.Type, name: str, fixed: bool) -> None:
        if not ty.holds_function(t):
            walk(from_type(t, lambda t, sizes: ir.Var(0, "", t)), name, fixed)
            return
        match t:
            case ty.Tuple(items):
                for k, item in enumerate(items):
                    of(item, f"{name}.{k}", fixed)
            case ty.Record(fields):
                for field, item in fields:
                    of(item, f"{name}.{field}", fixed)
            case _:
                pass

    def concrete(t: ty.Type) -> ty.Type:
        return ty.map_type(t, lambda x: numbers.get(x) if isinstance(x, ty.TypeVar) else None, lambda s: s)

    for t, name, activity in zip(definition.param_types, definition.param_names, definition.activities, strict=True):
        of(concrete(t), name, activity == "data")
    params = made.program.functions[made.entries[definition.qualified]].params
    return [*[None] * (len(params) - len(found)), *found]  # sizes that no parameter shows come first


def smoothness(graded: Graded) -> str:
    """The grade in each parameter: `theta C1, sigma smooth`; nothing where there is none."""
    return ", ".join(f"{r.name} {graded.grades.get(r.name, 'none')}" for r in graded.roots)
