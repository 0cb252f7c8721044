"""Unification of types and sizes: what is inferred.

A `Solver` holds the substitution of one definition. Types unify structurally; sizes are polynomials, unified by solving
their difference for an unknown that occurs linearly with coefficient ±1 (after division by the common divisor), and
otherwise kept until more is known. Overloading is a `Constraint` that waits for the types it looks at.

Levels say how deep a variable's scope is. A type variable of an outer level that would come to mention a size of an
inner one is an `Escape`: such a size differs from call to call. Generalisation quantifies over what is deeper than
its level.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from math import gcd
from typing import TYPE_CHECKING

from ..lang.sizes import Opaque, Size, SizeAtom, SizeMeta, SizeVar
from ..lang.types import (
    Abstract,
    Array,
    Derived,
    Error,
    Exists,
    Fun,
    Meta,
    Record,
    Scalar,
    Sum,
    Tuple,
    Type,
    TypeVar,
    map_type,
    opened,
    sizes_of,
)
from .clashes import (
    CONSTRAINTS,
    MAX_TYPE,
    MEMBERS,
    Clash,
    Constraint,
    Escape,
    Kind,
    KindClash,
    Occurs,
    SizeClash,
    TooLarge,
    TypeClash,
    TypeEscape,
)
from .equations import DerivedEquation, SizeEquation
from .substitution import Substitution

if TYPE_CHECKING:
    from .variants import Variants


class Solver(Substitution):
    def __init__(self, uids: Iterator[int], complain: Callable[[Clash, Type, Type, object], None],
                 unsolved: Callable[[Size, Size, object], None]) -> None:
        super().__init__(uids)
        self.complain = complain
        self.unsolved = unsolved
        self.context: object = None
        self.unifying = False
        self.waiting: dict[int, list[Constraint]] = {}
        self.open: dict[Constraint, int] = {}
        """What waits, with its number, in order."""
        self.added = 0
        self.ready: list[Constraint] = []
        self.parts = 0
        self.running = False

    # ------------------------------------------------------------ unification

    def unify(self, found: Type, expected: Type, context: object = None) -> None:
        """Make the two equal, or raise `Clash` and leave everything as it was.

        `context` is kept with what must wait and handed to `complain` when it fails later.
        """
        start = len(self.trail)
        pairs: list[tuple[Size, Size]] = []
        self.context, self.unifying = context, True
        try:
            self.unify_parts(found, expected, pairs)
            for one, other in pairs:
                if not self._unify_sizes(one, other):
                    self.add(SizeEquation(self, one, other))
        except Clash:
            self._undo(start)
            raise
        finally:
            self.unifying = False
        self._commit(start)

    def unify_sizes(self, found: Size, expected: Size) -> bool:
        """Make two sizes equal; False when that must wait. Raises `Clash`."""
        start = len(self.trail)
        try:
            solved = self._unify_sizes(found, expected)
        except Clash:
            self._undo(start)
            raise
        self._commit(start)
        return solved

    def _commit(self, start: int) -> None:
        for key in self.trail[start:]:
            assert not isinstance(key, (Opaque, SizeVar))
            woken = self.waiting.pop(key if isinstance(key, int) else key.uid, None)
            if woken:
                self.ready.extend(woken)
        del self.trail[start:]
        self.run()

    def _undo(self, start: int) -> None:
        for key in self.trail[start:]:
            if isinstance(key, int):
                del self.types[key]
            else:
                del self.sizes[key]
        del self.trail[start:]

    def fits(self, found: Type, expected: Type) -> bool:
        """Whether the two could be made equal; changes nothing."""
        start = len(self.trail)
        levels, kinds, variants = dict(self.levels), dict(self.kinds), dict(self.variants)
        pairs: list[tuple[Size, Size]] = []
        try:
            self.unify_parts(found, expected, pairs)
            for one, other in pairs:
                self._unify_sizes(one, other)
        except Clash:
            return False
        finally:
            self._undo(start)
            self.levels, self.kinds, self.variants = levels, kinds, variants
        return True

    def unify_parts(self, a: Type, b: Type, pairs: list[tuple[Size, Size]]) -> None:
        """Unify types inside a unification; pairs of sizes are collected and come last."""
        a, b = self.prune(a), self.prune(b)
        if a is b:
            return
        for one, other in ((a, b), (b, a)):
            if isinstance(one, Derived) and isinstance(other, Meta) \
                    and (other.uid in self.kinds or any(self.prune(x) == other for x in one.of)):
                # A number is the tangent of something that is not known yet: only later will that be seen to be a
                # scalar. And what is its own tangent consists of floats.
                self.add(DerivedEquation(self, a, b))
                return
        if isinstance(a, Meta):
            if isinstance(b, Meta) and a.uid == b.uid:
                return
            if isinstance(b, Meta) and self.variants.keys().isdisjoint((a.uid, b.uid)) \
                    and len(self.waiting.get(a.uid, ())) > len(self.waiting.get(b.uid, ())):
                self._bind(b, a, False, pairs)  # fewer have to look again
                return
            self._bind(a, b, True, pairs)
            return
        if isinstance(b, Meta):
            self._bind(b, a, False, pairs)
            return
        if isinstance(a, Error) or isinstance(b, Error):
            return
        if isinstance(a, Exists) or isinstance(b, Exists):
            self._unify_existential(a, b, pairs)
            return
        match a, b:
            case Scalar(x), Scalar(y) if x == y:
                return
            case Array(n, x), Array(m, y):
                self.unify_parts(x, y, pairs)
                if n != m:
                    pairs.append((n, m))
            case Tuple(xs), Tuple(ys) if len(xs) == len(ys):
                for x, y in zip(xs, ys, strict=True):
                    self.unify_parts(x, y, pairs)
            case Record(fs, _), Record(gs, _) if [f for f, _ in fs] == [g for g, _ in gs]:
                for (_, x), (_, y) in zip(fs, gs, strict=True):
                    self.unify_parts(x, y, pairs)
            case Sum(xs, _), Sum(ys, _) if [(x, len(p)) for x, p in xs] == [(y, len(q)) for y, q in ys]:
                for (_, p), (_, q) in zip(xs, ys, strict=True):
                    for x, y in zip(p, q, strict=True):
                        self.unify_parts(x, y, pairs)
            case Fun(), Fun():
                self._unify_functions(a, b, pairs)
            case TypeVar(), TypeVar() if a.uid == b.uid:
                return
            case Abstract(f, ns, xs), Abstract(g, ms, ys) if f is g:
                pairs.extend((n, m) for n, m in zip(ns, ms, strict=True) if n != m)
                for x, y in zip(xs, ys, strict=True):
                    self.unify_parts(x, y, pairs)
            case Derived(f, xs), Derived(g, ys) if f == g and f != "number":
                for x, y in zip(xs, ys, strict=True):
                    self.unify_parts(x, y, pairs)
            case (Derived(), _) | (_, Derived()):
                self.add(DerivedEquation(self, a, b))
            case _:
                raise TypeClash(a, b)

    def _unify_existential(self, a: Type, b: Type, pairs: list[tuple[Size, Size]]) -> None:
        """Each stands for some size: the same for two that say so, one that nothing else is otherwise."""
        together = isinstance(a, Exists) and isinstance(b, Exists) and len(a.vars) == len(b.vars)
        made: list[SizeVar] = []

        def some(v: SizeVar) -> SizeVar:
            made.append(self.another(v))
            return made[-1]

        one = opened(a, some)
        again = iter(list(made))
        other = opened(b, (lambda _: next(again)) if together else some)
        self.unify_parts(one, other, pairs)

    def _unify_functions(self, a: Fun, b: Fun, pairs: list[tuple[Size, Size]]) -> None:
        self.unify_parts(a.param, b.param, pairs)
        result_a, result_b = a.result, b.result
        if a.parts or b.parts:
            result_a, result_b = self._held(a, result_a), self._held(b, result_b)
        if a.exists:
            # What is found only says that there is some size: a value that nothing else may be.
            known: dict[SizeAtom, Size] = {}
            for v in a.exists:
                some = SizeVar(v.name, next(self.uids), v.origin, v.why)
                self.levels[some.uid] = 1 << 30
                known[v] = Size.of(some)
            result_a = self.substitute(result_a, known)
        if b.exists:
            # What is expected leaves the size open: any will do, those that only the function's inside knows too.
            free: dict[SizeAtom, Size] = {}
            for v in b.exists:
                any_size = SizeMeta(next(self.uids), v.origin, v.why, v.name)
                self.levels[any_size.uid] = 1 << 30
                free[v] = Size.of(any_size)
            result_b = self.substitute(result_b, free)
        if a.size_var is not None or b.size_var is not None:
            # One rigid value stands for both parameters; no unknown from outside may come to mention it.
            named = a.size_var or b.size_var
            assert named is not None
            shared = SizeVar(named.name, next(self.uids), named.origin, "the argument of the function")
            self.levels[shared.uid] = 1 << 30
            if a.size_var is not None:
                result_a = self.substitute(result_a, {a.size_var: Size.of(shared)})
            if b.size_var is not None:
                result_b = self.substitute(result_b, {b.size_var: Size.of(shared)})
        self.unify_parts(result_a, result_b, pairs)

    def _held(self, f: Fun, result: Type) -> Type:
        """The result with values of their own for what the argument holds."""
        env: dict[SizeAtom, Size] = {}
        for _, v in f.parts:
            some = SizeVar(v.name, next(self.uids), v.origin, v.why)
            self.levels[some.uid] = 1 << 30
            env[v] = Size.of(some)
        return self.substitute(result, env) if env else result

    def substitute(self, t: Type, env: dict[SizeAtom, Size]) -> Type:
        """Replace size variables in the type, looking through what is inferred already."""
        return map_type(self.zonk(t), lambda _: None, lambda s: s.substitute(env))

    def _bind(self, meta: Meta, t: Type, flipped: bool, pairs: list[tuple[Size, Size]]) -> None:
        mine, variants = self.kinds.get(meta.uid), self.variants.get(meta.uid)
        level = self.levels[meta.uid]
        if isinstance(t, Meta):
            theirs = self.kinds.get(t.uid)
            if (variants is not None and theirs is not None) or (mine is not None and t.uid in self.variants):
                raise TypeClash(meta, t) if flipped else TypeClash(t, meta)
            if mine is not None and theirs is not None:
                self.kinds[t.uid] = _meet(mine, theirs)
            elif mine is not None:
                self.kinds[t.uid] = mine
            level = self.levels[t.uid] = min(self.levels[t.uid], level)
        elif mine is not None and not self.allows(mine, t):
            raise KindClash(t, mine, flipped)
        elif variants is not None and not isinstance(t, (Sum, Error)):
            raise TypeClash(meta, t) if flipped else TypeClash(t, meta)
        self.parts = 0
        if meta.uid not in self.lifted:
            if isinstance(t, Meta):
                self.lifted.discard(t.uid)
            elif isinstance(t, Exists):
                raise Escape(Size.of(t.vars[0]))
        if not isinstance(t, Meta) or t.uid in self.variants:
            try:
                self._admit(meta, t, level, frozenset())
            except Escape:
                if meta.uid not in self.lifted:
                    raise
                t = self._existential(t, level)
                self._admit(meta, t, level, frozenset())
        self.types[meta.uid] = t
        self.trail.append(meta.uid)
        if variants is not None:
            self._bind_variants(variants, t, level, flipped, pairs)

    def _bind_variants(self, variants: Variants, t: Type, level: int, flipped: bool, pairs: list[tuple[Size, Size]]
                       ) -> None:
        """An unknown sum has become `t`: another unknown, or a sum."""
        from .variants import join, meet

        if isinstance(t, Meta):
            for payload in variants.constructors.values():
                for i in payload:
                    self._admit(t, i, level, frozenset())
            join(self, variants, t, flipped, pairs)
        elif isinstance(t, Sum):
            meet(self, variants, t, flipped, pairs)

    def _existential(self, t: Type, level: int) -> Type:
        """The type that a lifted parameter stands for when sizes in `t` differ from value to value."""
        t = self.zonk(t)
        if isinstance(t, Fun):
            result = self._existential(t.result, level)
            if not isinstance(result, Exists):
                return t
            return Fun(t.param, result.body, t.name, t.size_var, (*t.exists, *result.vars), t.parts)
        inner = dict.fromkeys(a for s in sizes_of(t) for a in s.atoms()
                              if isinstance(a, SizeVar) and self.levels.get(a.uid, 0) > level)
        if not inner:
            return t
        self.existential = True
        return Exists(tuple(inner), t)

    @staticmethod
    def allows(kind: Kind, t: Type) -> bool:
        match t:
            case Scalar(name):
                return name in MEMBERS[kind.cls]
            case TypeVar(constraint=constraint):
                return constraint is not None and CONSTRAINTS[constraint] <= MEMBERS[kind.cls]
            case Error():
                return True
            case _:
                return False

    def _admit(self, meta: Meta, t: Type, level: int, bound: frozenset[SizeVar]) -> None:
        """Check that `meta` does not occur in `t`, lower the levels in it, refuse sizes of inner scopes."""
        t = self.prune(t)
        self.parts += 1
        if self.parts > MAX_TYPE:
            raise TooLarge
        match t:
            case Meta(uid):
                if uid == meta.uid:
                    raise Occurs(meta, t)
                if self.levels[uid] > level:
                    self.levels[uid] = level
                if uid in self.variants:
                    for payload in self.variants[uid].constructors.values():
                        for i in payload:
                            self._admit(meta, i, level, bound)
            case Sum(constructors):
                for _, payload in constructors:
                    for i in payload:
                        self._admit(meta, i, level, bound)
            case Array(s, element):
                self._admit_size(s, level, bound)
                self._admit(meta, element, level, bound)
            case Tuple(items):
                for i in items:
                    self._admit(meta, i, level, bound)
            case Record(fields, _):
                for _, i in fields:
                    self._admit(meta, i, level, bound)
            case Fun(param, result, _, size_var, exists, parts):
                self._admit(meta, param, level, bound)
                inner = bound | {*exists, *(v for _, v in parts), *(() if size_var is None else (size_var,))}
                self._admit(meta, result, level, inner)
            case Abstract(_, sizes, types):
                for s in sizes:
                    self._admit_size(s, level, bound)
                for i in types:
                    self._admit(meta, i, level, bound)
            case Derived(_, of):
                for i in of:
                    self._admit(meta, i, level, bound)
            case Exists(vars, body):
                self._admit(meta, body, level, bound | set(vars))
            case TypeVar(uid=uid):
                if self.levels.get(uid, 0) > level:
                    raise TypeEscape(t)
            case _:
                return

    def _admit_size(self, s: Size, level: int, bound: frozenset[SizeVar]) -> None:
        s = self.size(s)
        for atom in s.atoms():
            if isinstance(atom, Opaque):
                continue
            if isinstance(atom, SizeVar) and atom in bound:
                continue
            if self.levels.get(atom.uid, 0) > level:
                if isinstance(atom, SizeVar):
                    raise Escape(s)
                self.levels[atom.uid] = level

    def _unify_sizes(self, found: Size, expected: Size) -> bool:
        one, other = self.size(found), self.size(expected)
        difference = one - other
        if not difference.terms:
            return True
        metas = [a for a in dict.fromkeys(difference.atoms()) if isinstance(a, SizeMeta)]
        if not metas:
            raise SizeClash(one, other)
        if self._sum_apart(found, expected) or self._sum_apart(expected, found):
            return True
        divisor = gcd(*(c for _, c in difference.terms))
        if divisor > 1:
            difference = Size(tuple((m, c // divisor) for m, c in difference.terms))
        escape: Escape | None = None
        metas.sort(key=lambda m: (-self.levels[m.uid], -m.uid))
        for meta in metas:
            solution = difference.solve_for(meta)
            if solution is None:
                continue
            if meta in (one.atom, other.atom):
                solution = other if one.atom == meta else one  # the same, as it is written
            try:
                self._admit_size(solution, self.levels[meta.uid], frozenset())
            except Escape as problem:
                escape = problem
                continue
            if solution.value is not None and solution.value < 0:
                raise SizeClash(one, other)
            self.sizes[meta] = solution
            self.trail.append(meta)
            return True
        if escape is not None:
            raise escape
        return False

    def _sum_apart(self, unknown: Size, known: Size) -> bool:
        """`[?n+?m]` is `[1+(k-1)]`: n is 1 and m is k-1, as written, where that fits."""
        if unknown.written is None or known.written is None or (unknown.written[0], known.written[0]) != ("+", "+"):
            return False
        parts = [self.size(s) for s in unknown.written[1:]]
        if parts[0] == parts[1] or not all(isinstance(s.atom, SizeMeta) for s in parts):
            return False
        start = len(self.trail)
        try:
            if all(self._unify_sizes(s, part) for s, part in zip(parts, known.written[1:], strict=True)):
                return True
        except Clash:
            pass
        self._undo(start)
        return False

    # ------------------------------------------------------------ constraints

    def add(self, constraint: Constraint) -> None:
        """Solve now, or keep until one of its unknowns is known."""
        self.added += 1
        self.open[constraint] = self.added
        self.ready.append(constraint)
        if not self.unifying:
            self.run()

    def wake(self, uid: int) -> None:
        """More is known of an unknown than before, though not what it is: what waits for it looks again."""
        self.ready.extend(self.waiting.pop(uid, ()))
        self.run()

    def run(self) -> None:
        """Attempt everything that was woken."""
        if self.running:
            return
        self.running = True
        try:
            while self.ready:
                self._attempt(self.ready.pop())
        finally:
            self.running = False

    def _attempt(self, constraint: Constraint) -> None:
        if constraint not in self.open:
            return
        if constraint.attempt():
            self.open.pop(constraint, None)
            return
        for uid in constraint.blockers():
            self.waiting.setdefault(uid, []).append(constraint)

    def settle_inner(self, level: int, since: int) -> None:
        """Before generalising at `level`: decide what concerns only deeper unknowns; keep the rest outside.

        Constraints older than number `since` concern unknowns of the outside only.
        """
        progress = True
        while progress:
            progress = False
            for constraint in self._newer(since):
                if constraint not in self.open:
                    continue
                uids = list(constraint.blockers())
                if constraint.attempt() or (all(self.levels[u] > level for u in uids) and constraint.default()):
                    self.open.pop(constraint, None)
                    progress = True
                    self.run()
        for constraint in self._newer(since):
            for uid in constraint.blockers():
                self.levels[uid] = min(self.levels[uid], level)

    def _newer(self, since: int) -> list[Constraint]:
        """The open constraints from number `since` on, in order."""
        found = []
        for constraint in reversed(self.open):
            if self.open[constraint] < since:
                break
            found.append(constraint)
        return found[::-1]

    def require(self, t: Type, kind: Kind) -> Type | None:
        """Ask that `t` be a scalar of `kind`; the offending type when it is not."""
        t = self.prune(t)
        if isinstance(t, Meta):
            if t.uid in self.variants:
                return t
            known = self.kinds.get(t.uid)
            try:
                self.kinds[t.uid] = kind if known is None else _meet(known, kind)
            except KindClash:
                return t
            return None
        return None if self.allows(kind, t) else t


def _meet(a: Kind, b: Kind) -> Kind:
    both = MEMBERS[a.cls] & MEMBERS[b.cls]
    for cls in ("scalar" if a.cls == b.cls == "scalar" else "ordered", "num", "bits", "int", "float"):
        if MEMBERS[cls] == both:
            return Kind(cls, a.literal or b.literal, a.because or b.because)
    raise KindClash(Scalar("i64" if a.cls in ("int", "bits") else "f64"), b, flipped=False)
