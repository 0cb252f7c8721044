"""Checking a program again after an edit: what the edit does not touch keeps its result.

A *unit* is what is checked together: a declaration of the file, or a group of definitions that call each other. All
that a unit finds out follows from its own syntax and from what the names in its text mean; so it is kept as long as its
trees are the same (the parser keeps them) and none of its words has come to mean something else. Where a definition was
checked again and looks from outside as before, those that use it are kept too, and only told where it is now.

Three kinds of unit follow from more than that, and are kept less often:

- one with findings may mention places and names that it does not say: it is kept while nothing before it is touched;
- one that is followed for derivatives (entries, and what differentiates) depends on what the definitions do that it
  calls: it is checked again when one of those, however far away, was;
- modules, module types and `open` hold definitions: they are checked again when one that they use was.

`Kept.check` gives what `check` gives; a test compares the two over thousands of edits. Whatever is out of the ordinary
(two definitions that would get the same name) begins anew.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..lang.diagnostics.report import Diagnostic, Reporter
from ..lang.sizes import SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.surface.walk import standing
from ..lang.types import Family, TypeVar
from .result import Bound, Definition, GlobalRef, Use
from .scope import FileScope, Global, Session

if TYPE_CHECKING:
    from ..lang.surface.edits import Edit
    from ..lang.surface.terms import Instance

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
_KINDS = ("values", "types", "modules", "module_types")
MAX_ROUNDS = 500
"""After so many edits everything is checked anew, so that what few tables still hold of replaced trees goes too."""


class Again(Exception):
    """Begin anew."""


class Unit:
    """What is checked together, and what came of it."""

    __slots__ = ("active", "bounds", "broken", "concerned", "declared", "definitions", "diagnostics", "flat", "holds",
                 "names", "nodes", "text", "words")

    def __init__(self, nodes: tuple[ast.Decl, ...]) -> None:
        self.nodes = nodes
        self.text = "\n".join(node.span.text for node in nodes)
        self.words = frozenset(_WORD.findall(self.text))
        self.declared: list[tuple[str, str, object, bool]] = []
        """Kind, name, meaning, and whether it is exported."""
        self.names: frozenset[str] = frozenset()
        self.definitions: list[Definition] = []
        self.diagnostics: list[Diagnostic] = []
        self.bounds: list[Bound | Instance] = []
        self.flat: dict[tuple[str, str], tuple[str, Span | None, str]] = {}
        self.concerned: frozenset[str] = frozenset()
        """Names of definitions that concern derivatives."""
        self.broken = False
        """Names may be missing that it should have brought along."""
        self.active = False
        """Derivatives were followed through what it calls."""
        self.holds = not all(isinstance(_inner(node), (ast.Def, ast.TypeDef)) for node in nodes)
        """It holds definitions of others: a module, or what opens one."""

    def say(self, edits: Sequence[Edit]) -> None:
        """Terms of it are others now. Words that are gone may stay: it is checked once more than it had to be."""
        self.text = "\n".join(node.span.text for node in self.nodes)
        for edit in edits:
            if edit.new is not None:
                self.words |= frozenset(_WORD.findall(edit.new.span.text))

    def says(self, names: set[str]) -> bool:
        """Whether one of the names occurs in its text; those of operators anywhere in it."""
        return not self.words.isdisjoint(names) or any(not n.isidentifier() and n in self.text for n in names
                                                       if not _WORD.fullmatch(n))


def _inner(node: ast.Decl) -> ast.Decl:
    return node.declaration if isinstance(node, ast.Local) else node


class Kept:
    """The checking of one file through its edits."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.keeps = True
        self.file = FileScope()
        self.units: list[Unit] = []
        self.rounds = 0
        self._before: dict[tuple[int, ...], int] = {}
        self._old: list[Unit] = []
        self._next = 0
        self._clean = True
        self._changed: set[str] = set()
        self._deep: set[str] = set()
        self._replaced: dict[str, tuple[Definition, Definition]] = {}
        self._around: set[str] = set()
        self._seen: set[ast.Decl] = set()
        """Declarations that this round has checked: some may have been part of a unit that is gone."""
        self.rechecked = 0
        """How many units the last check looked at anew."""

    def begin(self, report: Reporter, program: ast.Program) -> FileScope:
        """A new version of the file. Nothing is in scope yet but what the session loaded from elsewhere."""
        session, file, declarations = self.session, self.file, program.declarations
        self.rounds += 1
        if self.rounds > MAX_ROUNDS:
            raise Again
        session.report = report
        session.warned.clear()
        session.tables.bounds = []
        session.tables.flat = {}
        session.instances = 0
        mine = {d for unit in self.units for d in unit.definitions}
        session.definitions = {name: d for name, d in session.definitions.items() if d not in mine}
        for table in (file.values, file.types, file.modules, file.module_types, file.later):
            table.clear()
        file.private.clear()
        file.broken = False
        unread = {d.name for d in declarations if isinstance(d, ast.Unread)}
        if self.rounds > 1 and "" in unread ^ file.unread:
            raise Again
        self._changed = unread | file.unread
        file.unread.clear()
        self._old, self.units = self.units, []
        self._before = {tuple(map(id, unit.nodes)): k for k, unit in enumerate(self._old)}
        self._next, self._clean, self.rechecked = 0, True, 0
        self._deep, self._replaced, self._seen = set(), {}, set()
        now, before = set(declarations), {node for unit in self._old for node in unit.nodes}
        self._around = {getattr(_inner(d), "name", "") for d in declarations
                        if d not in before or "edits" in _inner(d).__dict__}
        self._around |= {getattr(_inner(d), "name", "") for d in before - now}
        return file

    def step(self, nodes: tuple[ast.Decl, ...], check: Callable[[], None]) -> None:
        """One unit: taken over if it can be, otherwise checked."""
        number = self._before.get(tuple(map(id, nodes)), -1)
        if number < self._next:
            self._fresh(Unit(nodes), None, check)
            return
        for gone in self._old[self._next:number]:
            self._forget(gone)
        self._next = number + 1
        unit = self._old[number]
        edits = [edit for node in unit.nodes for edit in _inner(node).__dict__.pop("edits", ())]
        if edits:
            unit.say(edits)
        if self._stale(unit) or (edits and not self._replace(unit, edits)):
            self._drop(unit)
            self._fresh(Unit(nodes), unit, check)
        else:
            self._take_over(unit)

    def end(self) -> None:
        for gone in self._old[self._next:]:
            self._forget(gone)
        self._old = []

    # ------------------------------------------------------------ kept units

    def _stale(self, unit: Unit) -> bool:
        if self._changed and unit.says(self._changed):
            return True
        if unit.diagnostics and not (self._clean and not unit.says(self._around)):
            return True
        return bool(self._deep) and (unit.active or unit.holds) and unit.says(self._deep)

    def _take_over(self, unit: Unit) -> None:
        session, file = self.session, self.file
        if self._deep and unit.says(self._deep):
            self._deep |= unit.names
            self._relink(unit)
        for kind, name, entry, exported in unit.declared:
            file.declare(kind, name, entry, exported)
        for node in unit.nodes:
            file.later.pop(getattr(_inner(node), "name", ""), None)
        for definition in unit.definitions:
            if session.definitions.setdefault(definition.qualified, definition) is not definition:
                raise Again
        session.report.diagnostics += unit.diagnostics
        session.tables.bounds += unit.bounds
        session.tables.flat.update(unit.flat)
        file.broken = file.broken or unit.broken
        self.units.append(unit)

    def _replace(self, unit: Unit, edits: Sequence[Edit]) -> bool:
        """Look at the edited terms of a definition alone; whether all else is as it was."""
        from .edits import replace

        found = replace(self.session, unit.nodes, edits) if not unit.diagnostics else None
        if found is None:
            return False
        self._clean = False
        self._deep |= unit.names
        self.rechecked += 1
        unit.bounds = found(unit.bounds)
        for definition in unit.definitions:
            definition.edits += 1
        return True

    def _relink(self, unit: Unit) -> None:
        """Uses of definitions that were checked again and look the same from outside."""
        moved = {old: new for name, (old, new) in self._replaced.items() if unit.says({name})}
        if not moved:
            return
        uses = self.session.tables.uses

        def again(use: Use) -> Use:
            new = moved.get(use.target.definition) if isinstance(use.target, GlobalRef) else None
            if new is None:
                return use
            assert isinstance(use.target, GlobalRef)
            old = use.target.definition.scheme
            types = dict(zip(old.type_vars, new.scheme.type_vars, strict=True))
            sizes = dict(zip(old.size_vars, new.scheme.size_vars, strict=True))
            return Use(GlobalRef(new), {types[v]: t for v, t in use.types.items()},
                       {sizes[v]: s for v, s in use.sizes.items()})

        for root in {*map(_inner, unit.nodes), *(d.node for d in unit.definitions)}:
            checker = self.session.finished.get(root) if isinstance(root, ast.Def) else None
            for plan in checker.plans.values() if checker is not None else ():
                if plan is not None and plan.done is not None:
                    plan.done = plan.done[0], [(at, use and again(use)) for at, use in plan.done[1]]
            for here in standing(root):
                use = uses.get(here)
                if use is not None and isinstance(use.target, GlobalRef):
                    uses[here] = again(use)

    # ------------------------------------------------------------ units that are checked

    def _fresh(self, unit: Unit, before: Unit | None, check: Callable[[], None]) -> None:
        session, file = self.session, self.file
        self._clean = False
        self.rechecked += 1
        self._seen.update(map(_inner, unit.nodes))
        for node in unit.nodes:
            _inner(node).__dict__.pop("edits", None)
        found, bounded = len(session.report.diagnostics), len(session.tables.bounds)
        scope = {kind: dict(getattr(file, kind)) for kind in _KINDS} if unit.holds else {}
        known, flat = set(session.definitions), set(session.tables.flat)
        check()
        unit.diagnostics = session.report.diagnostics[found:]
        unit.bounds = session.tables.bounds[bounded:]
        unit.flat = {key: said for key, said in session.tables.flat.items() if key not in flat}
        if unit.holds:
            unit.broken = file.broken
            for kind, entries in scope.items():
                for name, entry in getattr(file, kind).items():
                    if entries.get(name) is not entry:
                        unit.declared.append((kind, name, entry, file.exports(kind, name)))
        else:
            for node in unit.nodes:
                inner = _inner(node)
                assert isinstance(inner, (ast.Def, ast.TypeDef))
                kind, name = "values" if isinstance(inner, ast.Def) else "types", inner.name
                entry = getattr(file, kind).get(name)
                if entry is not None:
                    unit.declared.append((kind, name, entry, file.exports(kind, name)))
        unit.names = frozenset(name for _, name, _, _ in unit.declared)
        source = unit.nodes[0].span.source
        unit.definitions = [d for name, d in session.definitions.items()
                            if name not in known and d.node.span.source is source]
        unit.concerned = frozenset(d.name for d in unit.definitions if d in session.differential)
        unit.active = bool(unit.concerned) or any(d.entry for d in unit.definitions)
        self.units.append(unit)
        if before is not None:
            self._compare(before, unit)
        else:
            # It may stand for one that is gone, or is about to be: compared when that is met.
            self._changed |= unit.names - self._same(unit)
        self._deep |= unit.names

    def _same(self, unit: Unit) -> set[str]:
        """Names of definitions that an old unit in front of the next kept one declared, and that look the same."""
        same: set[str] = set()
        for gone in self._old[self._next:]:
            if gone.names & unit.names and set(gone.nodes).isdisjoint(unit.nodes):
                self._compare(gone, unit)
                same |= {n for n in gone.names if n in self._replaced}
                break
        return same

    def _compare(self, before: Unit, unit: Unit) -> None:
        """Which of the names still mean the same, seen from outside."""
        old = {(kind, name): entry for kind, name, entry, _ in before.declared}
        new = {(kind, name): entry for kind, name, entry, _ in unit.declared}
        for key in {**old, **new}:
            if key in old and key in new and not before.holds and not unit.holds:
                replaced = _replacement(old[key], new[key])
                if replaced is not None and (key[1] in before.concerned) == (key[1] in unit.concerned):
                    self._replaced[key[1]] = replaced
                    continue
            self._replaced.pop(key[1], None)
            self._changed.add(key[1])
        self._deep |= before.names | unit.names

    def _forget(self, unit: Unit) -> None:
        """It is gone from the file."""
        self._clean = False
        self._changed |= {name for name in unit.names if name not in self._replaced}
        self._deep |= unit.names
        self._drop(unit)

    def _drop(self, unit: Unit) -> None:
        """Its entries in the tables go."""
        session, tables = self.session, self.session.tables
        by_node: tuple[Any, ...] = (session.types, tables.patterns, tables.uses, tables.bindings, tables.schemes,
                                    tables.opened, tables.loop_sizes, tables.contracts)
        roots: list[ast.Decl] = [_inner(node) for node in unit.nodes]
        roots += [d.node for d in unit.definitions if d.node not in roots]
        roots = [root for root in roots if root not in self._seen]
        for root in roots:
            if isinstance(root, ast.Def):
                session.finished.pop(root, None)
            for node in standing(root):
                for table in by_node:
                    table.pop(node, None)
                tables.proved.discard(node)
                tables.loose_slices.discard(node)
                tables.recursive.discard(node)
        gone = set(unit.definitions)
        for var in [var for var, d in tables.global_sizes.items() if d in gone]:
            del tables.global_sizes[var]
        session.differential -= gone


def _replacement(old: object, new: object) -> tuple[Definition, Definition] | None:
    """Two definitions, when they look the same to all that use them."""
    if not isinstance(old, Global) or not isinstance(new, Global):
        return None
    one, two = old.definition, new.definition
    if one is None or two is None or old.pending is not None or new.pending is not None:
        return None
    if not (old.constant is None and new.constant is None) and (
            old.constant is None or new.constant is None or old.constant.value is None
            or old.constant.value != new.constant.value):
        return None
    return (one, two) if _outside(one) == _outside(two) else None


def _outside(d: Definition) -> object:
    """All that others see of a definition, its variables numbered."""
    numbers: dict[int, int] = {}
    return (d.qualified, d.activities, d.param_names, d.entry, d.recursive, d.nondet,
            _canonical(d.scheme.type_vars, numbers), _canonical(d.scheme.size_vars, numbers),
            _canonical(d.scheme.type, numbers), _canonical(d.param_types, numbers),
            _canonical(d.result_type, numbers))


def _canonical(x: Any, numbers: dict[int, int]) -> object:
    if isinstance(x, tuple):
        return tuple([_canonical(item, numbers) for item in x])
    if isinstance(x, Span):
        return None
    if isinstance(x, Family):
        return id(x)
    if isinstance(x, (SizeVar, TypeVar)):
        return (type(x).__name__, numbers.setdefault(x.uid, len(numbers)), x.name, getattr(x, "constraint", None))
    fields = getattr(x, "_fields_of_record", None)
    if fields is None:
        return x
    return (type(x).__name__, *[_canonical(getattr(x, name), numbers) for name in fields])


__all__ = ["Again", "Kept"]
