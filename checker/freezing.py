"""What was found of a definition goes into the tables that others read, with nothing left open."""
from __future__ import annotations

from ..lang.sizes import Size, SizeAtom, SizeMeta
from ..lang.types import UNIT, Abstract, Meta, Scalar, Type, TypeVar, map_type, revealed, unbound
from .context import Checker
from .result import Scheme, Use
from .scope import Session


def freeze(c: Checker, session: Session) -> None:
    """Put what was found into every table; unknowns that nothing depends on become unit, or 0."""
    solver, tables = c.solver, session.tables
    entry_types: dict[TypeVar, Type] = c.entry_types
    ground: dict[int, Type] = {}

    def leaf(t: Type) -> Type | None:
        if isinstance(t, Scalar):
            return t
        if isinstance(t, Meta):
            known = solver.prune(t)
            if isinstance(known, Meta):
                return UNIT
            result = ground.get(t.uid)
            if result is None:
                result = ground[t.uid] = map_type(known, leaf, size)
            return result
        if isinstance(t, TypeVar) and t in entry_types:
            return entry_types[t]
        if isinstance(t, Abstract):
            return map_type(revealed(solver.zonk(t)), leaf, size)
        return None

    constants = session.constants

    def size(s: Size) -> Size:
        s = solver.size(s)
        if constants:
            s = s.substitute(constants)
        unknown: dict[SizeAtom, Size] = {a: Size.constant(0) for a in s.atoms() if isinstance(a, SizeMeta)}
        return s.substitute(unknown) if unknown else s

    done: dict[int, tuple[Type, Type]] = {}

    def final(t: Type) -> Type:
        if isinstance(t, Scalar):
            return t
        known = done.get(id(t))
        if known is None:
            # The original is kept with the result, so that its id stays its own.
            made = map_type(t, leaf, size)
            known = done[id(t)] = (t, unbound(made) if solver.existential else made)
        return known[1]

    session.types.update((e, final(t)) for e, t in c.types.items())
    tables.patterns.update((p, final(t)) for p, t in c.patterns.items())
    tables.bindings.update(c.bindings)
    for e, scheme in c.schemes.items():
        tables.schemes[e] = Scheme(scheme.type_vars, scheme.size_vars, final(scheme.type))
    for node, raw in c.uses.items():
        if raw.scheme is not None:
            tables.uses[node] = Use(raw.target, dict(zip(raw.scheme.type_vars, map(final, raw.types), strict=True)),
                                    dict(zip(raw.scheme.size_vars, map(size, raw.sizes), strict=True)))
        elif raw.sizes and hasattr(raw.target, "var"):
            tables.uses[node] = Use(raw.target, {}, {raw.target.var: size(raw.sizes[0])})
        else:
            tables.uses[node] = Use(raw.target)
    if c.copies:
        from . import instances

        instances.freeze(c)
    tables.opened.update(c.opened)
    tables.size_values.update(c.size_values)
    tables.binding_sizes.update(c.binding_sizes)
    tables.loop_sizes.update(c.loop_sizes)
    tables.loose_slices.update(c.loose_slices)
    tables.field_sizes.update(c.field_sizes)
