"""What is known of the unknowns of one definition: which types and sizes they stand for, and what else was found out.

`unify` adds to it; here it is read. Levels say how deep a variable's scope is.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..lang.sizes import Opaque, Size, SizeAtom, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.types import (
    UNIT,
    Abstract,
    Array,
    Derived,
    Fun,
    Meta,
    Record,
    Scalar,
    Sum,
    Tuple,
    Type,
    derived,
    map_type,
    pulled,
    tangent,
)
from .clashes import MAX_NESTING, MAX_TYPE, Kind

if TYPE_CHECKING:
    from .variants import Variants


class Substitution:
    def __init__(self, uids: Iterator[int]) -> None:
        self.uids = uids
        self.level = 1
        self.types: dict[int, Type] = {}
        self.sizes: dict[SizeAtom, Size] = {}
        self.levels: dict[int, int] = {}
        self.kinds: dict[int, Kind] = {}
        self.variants: dict[int, Variants] = {}
        """Unknowns that are sums of which only some constructors are known."""
        self.lifted: set[int] = set()
        """Unknowns that may stand for types whose sizes differ from value to value."""
        self.existential = False
        """Whether one does."""
        self.trail: list[int | SizeAtom] = []
        """What can still be taken back."""

    # ------------------------------------------------------------ unknowns

    def meta(self, kind: Kind | None = None, lifted: bool = False) -> Meta:
        uid = next(self.uids)
        if lifted:
            self.lifted.add(uid)
        self.levels[uid] = self.level
        if kind is not None:
            self.kinds[uid] = kind
        return Meta(uid)

    def size_meta(self, name: str = "", origin: Span | None = None, why: str = "") -> Size:
        meta = SizeMeta(next(self.uids), origin, why, name)
        self.levels[meta.uid] = self.level
        return Size.of(meta)

    def size_var(self, name: str, origin: Span | None, why: str, level: int | None = None) -> SizeVar:
        var = SizeVar(name, next(self.uids), origin, why)
        self.levels[var.uid] = self.level if level is None else level
        return var

    # ------------------------------------------------------------ reading the substitution

    def prune(self, t: Type) -> Type:
        """The type with its head known, when it is; not deeper."""
        if isinstance(t, Meta):
            types = self.types
            way: list[int] = []
            while isinstance(t, Meta):
                bound = types.get(t.uid)
                if bound is None:
                    break
                way.append(t.uid)
                t = bound
            if len(way) > 2 and not self.trail:  # nothing of the way can be taken back: next time it is one step
                for uid in way:
                    types[uid] = t
            if isinstance(t, Meta):
                return t
        if isinstance(t, Derived):
            of = tuple([self.prune(i) for i in t.of])
            last = of[-1]
            while t.function == "number" and isinstance(last, Array):
                last = self.prune(last.element)
            kind = self.kinds.get(last.uid) if isinstance(last, Meta) else None
            if kind is not None and kind.cls == "float":  # some float scalar: its tangents are of the same type
                return last if len(of) == 1 else self.prune(tangent(of[0]))
            if kind is not None and kind.cls in ("int", "bits"):
                return UNIT
            result = derived(t.function, of)
            return result if not isinstance(result, Meta) else self.prune(result)
        return t

    def size(self, s: Size) -> Size:
        sizes = self.sizes
        while len(s.terms) == 1:
            # Most sizes are one name, or an unknown that was solved.
            ((monomial, coefficient),) = s.terms
            if len(monomial) != 1 or isinstance(monomial[0], Opaque):
                break
            if coefficient != 1 or monomial[0] not in sizes:
                if monomial[0] not in sizes:
                    return s
                break
            s = sizes[monomial[0]]
        while any(a in sizes or isinstance(a, Opaque) for m, _ in s.terms for a in m):
            after = s.substitute(sizes)
            if after == s:
                break
            s = after
        return s

    def zonk(self, t: Type) -> Type:
        """The type with everything that is known put in."""
        if isinstance(t, Scalar):
            return t

        def leaf(inner: Type) -> Type | None:
            if isinstance(inner, Scalar):
                return inner
            if isinstance(inner, Meta):
                known = self.prune(inner)
                return known if isinstance(known, Meta) else map_type(known, leaf, self.size)
            return None

        t = map_type(t, leaf, self.size)
        return pulled(t, self.another) if self.existential else t

    def another(self, v: SizeVar) -> SizeVar:
        """A size of its own like `v`, that only the result of a function mentions."""
        made = SizeVar(v.name, next(self.uids), v.origin, v.why)
        self.levels[made.uid] = 1 << 30
        return made

    def unknowns(self, t: Type) -> Iterator[int]:
        """The uids of type unknowns in `t`."""
        t = self.prune(t)
        match t:
            case Meta(uid):
                yield uid
                if uid in self.variants:
                    for payload in self.variants[uid].constructors.values():
                        for i in payload:
                            yield from self.unknowns(i)
            case Sum(constructors):
                for _, payload in constructors:
                    for i in payload:
                        yield from self.unknowns(i)
            case Array(_, element):
                yield from self.unknowns(element)
            case Tuple(items):
                for i in items:
                    yield from self.unknowns(i)
            case Record(fields, _):
                for _, i in fields:
                    yield from self.unknowns(i)
            case Fun(param, result):
                yield from self.unknowns(param)
                yield from self.unknowns(result)
            case Abstract(_, _, types):
                for i in types:
                    yield from self.unknowns(i)
            case Derived(_, of):
                for i in of:
                    yield from self.unknowns(i)
            case _:
                return

    def too_large(self, t: Type) -> bool:
        """Whether the type, as far as it is known, has more than `MAX_TYPE` parts, or is nested too deeply."""
        level, parts, depth = [t], 0, 0
        while level and parts <= MAX_TYPE and depth <= MAX_NESTING:
            parts += len(level)
            depth += 1
            below: list[Type] = []
            for one in level:
                match self.prune(one):
                    case Scalar():
                        pass
                    case Array(_, element):
                        below.append(element)
                    case Tuple(items):
                        below.extend(items)
                    case Record(fields, _):
                        below.extend(i for _, i in fields)
                    case Sum(constructors):
                        below.extend(i for _, payload in constructors for i in payload)
                    case Fun(param, result):
                        below += [param, result]
                    case Abstract(_, _, types):
                        below.extend(types)
                    case Derived(_, of):
                        below.extend(of)
                    case _:
                        pass
            level = below
        return bool(level)
