"""Overloading: constraints that wait until the types of their operands are known.

`Arithmetic` is `+` and its like: two scalars of one type, two arrays of one shape, or a scalar and an array. `Base`
asks that the scalars in a value be of a kind. `SameShape` relates the argument and the result of a function such as
`isnan`.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..lang.source import Span
from ..lang.types import (
    Abstract,
    Array,
    Derived,
    Error,
    Fun,
    Meta,
    Record,
    Scalar,
    Sum,
    Tuple,
    Type,
    TypeVar,
    map_type,
    tangent,
)
from . import call_messages, messages
from .clashes import Clash, Constraint, Kind

if TYPE_CHECKING:
    from .context import Checker


class Arithmetic(Constraint):
    def __init__(self, c: Checker, op: str, cls: str, left: Type, right: Type, result: Type,
                 span: Span, left_span: Span, right_span: Span) -> None:
        self.c, self.op, self.cls, self.left, self.right, self.result = c, op, cls, left, right, result
        self.span, self.left_span, self.right_span = span, left_span, right_span
        self.decided = False

    def attempt(self) -> bool:
        c = self.c
        if self.decided:
            return True
        left, right, result = c.solver.prune(self.left), c.solver.prune(self.right), c.solver.prune(self.result)
        if isinstance(left, Error) or isinstance(right, Error):
            self._give(Error())
            return True
        left_known, right_known = _known(c, left), _known(c, right)
        if left_known and right_known:
            self._decide(left, right)
            return True
        if _scalar(c, result):
            # A scalar result has scalar operands.
            self._equal(left, right)
            return True
        for one in (left, right):
            if isinstance(one, Array) and isinstance(result, Meta):
                if self._base_is_scalar(one):
                    self._give(one)
                return False
        return False

    def _base_is_scalar(self, t: Type) -> bool:
        while isinstance(t, Array):
            t = self.c.solver.prune(t.element)
        return _scalar(self.c, t)

    def blockers(self) -> Iterator[int]:
        yield from self.c.solver.unknowns(self.left)
        yield from self.c.solver.unknowns(self.right)
        yield from self.c.solver.unknowns(self.result)

    def default(self) -> bool:
        """Nothing says that an array is meant: both are scalars of one type, or as known."""
        left, right = self.c.solver.prune(self.left), self.c.solver.prune(self.right)
        array, other = (left, right) if isinstance(left, Array) else (right, left)
        if isinstance(array, Array) and isinstance(other, Meta):
            base: Type = array
            while isinstance(base, Array):
                base = self.c.solver.prune(base.element)
            assert isinstance(array, Array)
            self.c.solver.unify(other, base)
            self._give(array)
            self._require(base)
            return True
        self._equal(left, right)
        return True

    def _decide(self, left: Type, right: Type) -> None:
        c = self.c
        self.decided = True
        if isinstance(left, Array) and isinstance(right, Array):
            if call_messages.operands_agree(c, self, left, right):
                self._give(left)
                self._require(left)
            else:
                self._give(Error())
        elif isinstance(left, Array) or isinstance(right, Array):
            array, scalar = (left, right) if isinstance(left, Array) else (right, left)
            assert isinstance(array, Array)
            element = c.solver.prune(array.element)
            if isinstance(element, Array) or (isinstance(element, Meta) and not _scalar(c, element)):
                inner = c.solver.meta()
                c.solver.add(Arithmetic(c, self.op, self.cls, element, scalar, inner, self.span, self.left_span,
                                        self.right_span))
                self._give(Array(array.size, inner))
            elif call_messages.operands_agree(c, self, *((element, scalar) if array is left else (scalar, element))):
                self._give(array)
                self._require(element)
            else:
                self._give(Error())
        else:
            self._equal(left, right)

    def _equal(self, left: Type, right: Type) -> None:
        self.decided = True
        if not call_messages.operands_agree(self.c, self, left, right):
            self._give(Error())
            return
        self._give(left)
        self._require(left)

    def _require(self, t: Type) -> None:
        base = self.c.solver.prune(t)
        while isinstance(base, Array):
            base = self.c.solver.prune(base.element)
        if isinstance(base, Derived):  # of what is not known yet: only then will it be seen to be a number
            self.c.solver.add(Base(self.c, base, self.cls, self.op, self.span))
            return
        bad = self.c.solver.require(base, Kind(self.cls))
        if bad is not None:
            call_messages.not_arithmetic(self.c, self, bad)

    def _give(self, t: Type) -> None:
        try:
            self.c.solver.unify(self.result, t)
        except Clash:
            call_messages.wrong_result(self.c, self, t)


def _known(c: Checker, t: Type) -> bool:
    return not isinstance(t, (Meta, Derived)) or _scalar(c, t)


def _scalar(c: Checker, t: Type) -> bool:
    """Whether the type is known to be a scalar's."""
    return isinstance(t, (Scalar, TypeVar)) or (isinstance(t, Meta) and t.uid in c.solver.kinds)


class Base(Constraint):
    """The scalars in `t` (a scalar or an array) are of class `cls`."""

    def __init__(self, c: Checker, t: Type, cls: str, name: str, span: Span) -> None:
        self.c, self.type, self.cls, self.name, self.span = c, t, cls, name, span

    def _base(self) -> Type:
        t = self.c.solver.prune(self.type)
        while isinstance(t, Array):
            t = self.c.solver.prune(t.element)
        return t

    def attempt(self) -> bool:
        base = self._base()
        if not _known(self.c, base):
            return False
        bad = self.c.solver.require(base, Kind(self.cls, because=self.span))
        if bad is not None:
            call_messages.wrong_base(self.c, self, bad)
        return True

    def blockers(self) -> Iterator[int]:
        yield from self.c.solver.unknowns(self.type)

    def default(self) -> bool:
        bad = self.c.solver.require(self._base(), Kind(self.cls, because=self.span))
        if bad is not None and not isinstance(bad, Derived):
            call_messages.wrong_base(self.c, self, bad)
        return True


class Differentiated(Constraint):
    """A derivative is taken by a value of type `t`: written numbers in it are floats, if nothing else in it is one.

    So `grad (\\x -> x * x) 3` is 6.0, and `grad (\\(k, x) -> f64 k * x) (3, 2.0)` is by `x` alone.
    """

    def __init__(self, c: Checker, t: Type) -> None:
        self.c, self.type = c, t

    def attempt(self) -> bool:
        return not any(True for _ in self.blockers())

    def blockers(self) -> Iterator[int]:
        yield from self.c.solver.unknowns(self.type)

    def default(self) -> bool:
        solver = self.c.solver
        numbers: list[Meta] = []
        floats = False

        def leaf(t: Type) -> Type | None:
            nonlocal floats
            if isinstance(t, Meta) and t.uid in solver.kinds:
                numbers.append(t)
            floats = floats or (isinstance(t, (Scalar, TypeVar)) and tangent(t) == t) \
                or (isinstance(t, Meta) and t.uid in solver.kinds and solver.kinds[t.uid].cls == "float")
            return t if isinstance(t, (Scalar, Fun)) else None

        map_type(solver.zonk(self.type), leaf, lambda s: s)
        if not floats:
            for number in numbers:
                if solver.kinds[number.uid].cls == "num":
                    solver.require(number, Kind("float"))
                    solver.wake(number.uid)
        return True


class Equality(Constraint):
    """Values of type `t` are compared: whatever they hold, none of it is a function."""

    def __init__(self, c: Checker, t: Type, op: str, span: Span, op_span: Span) -> None:
        self.c, self.type, self.op, self.span, self.op_span = c, t, op, span, op_span

    def _parts(self) -> Iterator[Type]:
        """What the type is made of, as far as it is known."""
        pending: list[Type] = [self.type]
        while pending:
            t = self.c.solver.prune(pending.pop())
            match t:
                case Array(_, element):
                    pending.append(element)
                case Tuple(items):
                    pending.extend(items)
                case Record(fields):
                    pending.extend(i for _, i in fields)
                case Sum(constructors):
                    pending.extend(i for _, items in constructors for i in items)
                case _:
                    yield t

    def attempt(self) -> bool:
        parts = list(self._parts())
        for t in parts:
            if isinstance(t, (Fun, Abstract)) or (isinstance(t, TypeVar) and t.constraint is None):
                call_messages.not_equal(self.c, self.op, t, self.c.solver.prune(self.type), self.span)
                return True
        return not any(isinstance(t, (Meta, Derived)) and not _scalar(self.c, t) for t in parts)

    def blockers(self) -> Iterator[int]:
        for t in self._parts():
            yield from self.c.solver.unknowns(t)

    def default(self) -> bool:
        """What nothing else says is a scalar."""
        for t in self._parts():
            if isinstance(t, Meta) and t.uid not in self.c.solver.variants:
                self.c.solver.require(t, Kind("scalar", because=self.op_span))
        return self.attempt()


class SameShape(Constraint):
    """`result` is `argument` with `base` in place of its scalars."""

    def __init__(self, c: Checker, argument: Type, result: Type, base: Scalar, span: Span) -> None:
        self.c, self.argument, self.result, self.base, self.span = c, argument, result, base, span

    def attempt(self) -> bool:
        from .context import Because

        argument, result = self.c.solver.prune(self.argument), self.c.solver.prune(self.result)
        sizes = []
        while isinstance(argument, Array):
            sizes.append(argument.size)
            argument = self.c.solver.prune(argument.element)
        depth, scalar_result = len(sizes), result
        while isinstance(scalar_result, Array):
            depth -= 1
            scalar_result = self.c.solver.prune(scalar_result.element)
        if not _known(self.c, argument) and not (isinstance(scalar_result, Scalar) and depth == 0):
            return False
        t: Type = self.base
        for size in reversed(sizes):
            t = Array(size, t)
        self.c.unify(t, result, self.span, Because())
        return True

    def blockers(self) -> Iterator[int]:
        yield from self.c.solver.unknowns(self.argument)
        yield from self.c.solver.unknowns(self.result)

    def default(self) -> bool:
        base = self.c.solver.prune(self.argument)
        while isinstance(base, Array):
            base = self.c.solver.prune(base.element)
        self.c.solver.require(base, Kind("scalar"))
        return self.attempt()


class FieldAccess(Constraint):
    """`record` has a field `name` of type `result`; cannot be decided without knowing the record."""

    def __init__(self, c: Checker, record: Type, name: str, span: Span, record_span: Span, result: Type) -> None:
        self.c, self.record, self.name, self.span, self.record_span = c, record, name, span, record_span
        self.result = result

    def attempt(self) -> bool:
        from .context import Because

        known = self.c.solver.prune(self.record)
        if isinstance(known, (Meta, Derived)):
            return False
        found: Type | None = None
        if isinstance(known, Record):
            found = dict(known.fields).get(self.name)
        elif isinstance(known, Tuple) and self.name.isdigit() and int(self.name) < len(known.items):
            found = known.items[int(self.name)]
        if isinstance(known, Error):
            found = known
        if found is None:
            found = messages.no_field(self.c, known, self.name, self.span, self.record_span)
        self.c.unify(found, self.result, self.span, Because(f"the field `{self.name}`"))
        return True

    def blockers(self) -> Iterator[int]:
        yield from self.c.solver.unknowns(self.record)

    def give_up(self) -> None:
        if not self.c.failed:
            self.c.error("E208", f"the type of the record with field `{self.name}` is not known", self.record_span,
                         "which record is this?", help="write its type, as in `(p: point)`")
