"""A term of a long definition was edited (`lang.surface.edits`): it is checked alone, in the scope where it stands.

All that was found out of the rest holds if the term has the type that the one before had, leaves nothing behind in the
checker, and depends on the same values in the same way. Otherwise the definition is checked again as a whole.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ..lang.surface import ast
from ..lang.surface.edits import Edit
from ..lang.surface.terms import Instance
from ..lang.types import Scalar, Type
from . import activity, arrays, bounds
from .context import Checker
from .definitions import concerns_derivatives, literal
from .entries import function_values
from .flow import Flow
from .freezing import freeze
from .infer import infer
from .instances import state
from .result import Bound
from .scope import Local, Session, SizeParam

Bounds = list[Bound | Instance]
_EMPTY = {"types": dict, "patterns": dict, "uses": dict, "bindings": dict, "schemes": dict, "opened": dict,
          "size_values": dict, "binding_sizes": dict, "field_sizes": dict, "loop_sizes": dict, "loose_slices": set,
          "literals": list, "bounds": list, "copies": list}
"""What the checker collects of a definition, and of the term alone here."""


def replace(session: Session, nodes: Sequence[ast.Decl], edits: Sequence[Edit]) -> Callable[[Bounds], Bounds] | None:
    """Check the new terms in place of the old ones. What is to be done to the definition's bounds; None when the
    definition must be checked as a whole."""
    node = nodes[0].declaration if isinstance(nodes[0], ast.Local) else nodes[0]
    c = session.finished.get(node) if isinstance(node, ast.Def) else None
    if c is None or not isinstance(node, ast.Def) or not node.params:
        return None
    made: list[tuple[ast.Exp | None, Bounds]] = []
    for edit in edits:
        found = _edited(c, node, edit)
        if found is None:
            return None
        made.append((edit.old, found))

    def after(before: Bounds) -> Bounds:
        for old, found in made:
            before = [*(b for b in before if old is None or not _of(b, old)), *found]
        return before

    return after


def _edited(c: Checker, node: ast.Def, edit: Edit) -> Bounds | None:
    if edit.new is not None and edit.old is not None:
        return _replace(c, node, edit.old, edit.new)
    assert edit.like is not None
    assert edit.operator is not None
    like: Instance | None = edit.like.__dict__.get("instance")
    types = c.session.types
    if like is None or like.place is None or like.place[0] is not c or not isinstance(types.get(edit.like), Scalar):
        return None
    if edit.new is not None:
        left = edit.operator.left
        if types.get(left) != types[edit.like] or left in c.session.tables.uses:
            return None
        found = _replace(c, node, edit.like, edit.new, stays=True)
        if found is not None:
            types[edit.operator] = types[edit.like]
        return found
    gone: Instance | None = edit.old.__dict__.get("instance") if edit.old is not None else None
    if gone is None or gone.place is None or gone.place[0] is not c or edit.operator in c.session.tables.uses \
            or (c.followed and (like.flow is None or gone.flow is None or not isinstance(gone.flow[2], Flow)
                                or like.flow[0] is not gone.flow[0] or like.flow[2] != gone.flow[2])):
        return None
    _forget(c.session, gone)
    types.pop(edit.operator, None)
    return []


def _of(bound: Bound | Instance, old: ast.Exp) -> bool:
    if not isinstance(bound, Bound):
        return bound.top is old
    return bound.span.within is old.span.within and old.span.first <= bound.span.first \
        and bound.span.last <= old.span.last


def _replace(c: Checker, node: ast.Def, old: ast.Exp, new: ast.Exp, stays: bool = False) -> Bounds | None:
    """The bounds of `new`, checked where `old` stands, or stood unless it `stays`."""
    before: Instance | None = old.__dict__.get("instance")
    now: Instance | None = new.__dict__.get("instance")
    if before is None or now is None or before.place is None or before.place[0] is not c \
            or any(info.word == node.name for info in now.words.infos):
        return None
    report, said = c.session.report, len(c.session.report.diagnostics)
    _, logged, want, level, facts, given = before.place
    kept = {name: getattr(c, name) for name in (*_EMPTY, "names", "facts", "given")}
    for name, make in _EMPTY.items():
        setattr(c, name, make())
    c.names, c.facts, c.given = _scope(c, logged), facts, given
    c.solver.level = level
    try:
        found = _checked(c, node, before, new, want)
    finally:
        for name, value in kept.items():
            setattr(c, name, value)
        c.solver.level = 0
    if found is None or c.failed or len(report.diagnostics) > said:
        c.failed = False
        del report.diagnostics[said:]
        return None
    now.place = before.place
    if not stays:
        _forget(c.session, before)
    return found


def _scope(c: Checker, logged: int) -> dict[str, Local | SizeParam]:
    names: dict[str, Local | SizeParam] = {}
    for name, meaning in c.log[:logged]:
        if meaning is None:
            names.pop(name, None)
        else:
            names[name] = meaning
    return names


def _checked(c: Checker, node: ast.Def, before: Instance, new: ast.Exp, want: Type | None) -> Bounds | None:
    """The bounds of the new term, when all else is as it was."""
    session, tables = c.session, c.session.tables
    left, added = state(c), c.solver.added
    infer(c, new, want)
    newest = next(reversed(c.solver.open), None)
    if c.failed or left != state(c) or (newest is not None and c.solver.open[newest] > added):
        return None
    if not all(map(c.ground, c.types.values())) or any(map(c.solver.too_large, c.types.values())):
        return None
    for raw in c.uses.values():
        if not all(map(c.ground, raw.types)) or any(map(c.unsolved, raw.sizes)):
            return None
    c.solver.level = 0
    for one in c.literals:
        literal(c, one)
    made: Bounds = []
    for job in c.bounds:
        proved = arrays.prove(c, job)
        if proved:
            tables.proved.add(job.node)
        made.append(bounds.verdict(c, job, proved))
    function_values(c)
    if c.failed:
        return None
    c.entry_types, entry_types = c.entry_types, c.entry_types
    freeze(c, session)
    c.entry_types = entry_types
    made += [one for one in c.copies if one.found.plan.axes]
    was, now = session.types[before.top], session.types[new]
    if was != now or (not isinstance(was, Scalar) and repr(was) != repr(now)):
        return None
    definition = next((d for d in session.differential if d.node is node), None)
    if definition is None and concerns_derivatives(session, c, []):
        return None
    return made if _same_flow(c, before, new) else None


def _same_flow(c: Checker, before: Instance, new: ast.Exp) -> bool:
    """Whether the new term depends on the same as the old one, where anybody has asked."""
    if not c.followed:
        return True
    if before.flow is None or before.flow[1] is None:
        return False
    walk, env, known = before.flow
    assert isinstance(walk, activity.Walk)
    said = len(walk.reported)
    walk.nested = 1
    value = walk.value(env, new)
    walk.nested = 0
    return isinstance(value, Flow) and isinstance(known, Flow) and value == known and said == len(walk.reported)


def _forget(session: Session, gone: Instance) -> None:
    tables = session.tables
    for node in gone.made if gone.made is not None else [gone.top]:
        session.types.pop(node, None)
        tables.uses.pop(node, None)
        tables.proved.discard(node)


__all__ = ["replace"]
