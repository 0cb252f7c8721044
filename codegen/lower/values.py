"""What an expression is while it is lowered.

A value follows its source type, arrays aside: an array of records is a record of arrays. Scalars and arrays are IR
atoms. A value of a sum type is the number of its constructor and what each constructor would hold, zeros where it is
another one. A function is known at compile time (`FunV`): its code is identified by `key`, its data are `captured`, so
that it can be taken apart into atoms and put together again inside another IR function, which is how functions are
passed to functions (defunctionalisation by specialisation; Hovgaard, Henriksen & Elsman, *High-Performance
Defunctionalisation in Futhark*, TFP 2018, §3).
"""
from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.ir import Atom
from ...lang.sizes import Size

if TYPE_CHECKING:
    from ...checker.result import Use
    from ...lang.source import Span
    from .frame import Frame


@dataclass(frozen=True, eq=False, slots=True)
class TupV:
    items: tuple[Value, ...]


@dataclass(frozen=True, eq=False, slots=True)
class RecV:
    """Fields sorted by name, as in the type."""

    fields: tuple[tuple[str, Value], ...]

    def get(self, name: str) -> Value:
        for field, value in self.fields:
            if field == name:
                return value
        raise KeyError(name)


@dataclass(frozen=True, eq=False, slots=True)
class SumV:
    """Constructors sorted by name, as in the type, with what they hold; `tag` is the number of the one that it is.

    A sum that may hold functions is known while compiling: it has no tag, only the constructor `known`.
    """

    tag: Atom | None
    cases: tuple[tuple[str, tuple[Value, ...]], ...]
    known: str | None = None

    def get(self, name: str) -> tuple[Value, ...]:
        for case, payload in self.cases:
            if case == name:
                return payload
        raise KeyError(name)

    def number(self, name: str) -> int:
        return [case for case, _ in self.cases].index(name)


@dataclass(frozen=True, eq=False, slots=True)
class FunV:
    """A function of `arity` arguments, some of which (`args`) are given already.

    `invoke` gets the frame to write into, the captured values and all `arity` arguments.
    """

    arity: int
    key: Hashable
    captured: tuple[Value, ...]
    invoke: Callable[[Frame, tuple[Value, ...], list[Value]], Value]
    args: tuple[Value, ...] = ()
    generic: Callable[[FunV, Frame, Use, Span], FunV] | None = None
    """For a polymorphic local function: itself at the instance that a use says."""
    place: Span | None = None
    """Where it is written."""
    names: tuple[str, ...] = ()
    """What its parameters are called, as far as that is known."""


@dataclass(frozen=True, eq=False, slots=True)
class RowV:
    """What a name stands for that is a row of an array of terms, until somebody asks for its value."""

    array: ir.Var
    row: int
    name: str
    span: Span


Value = Atom | TupV | RecV | SumV | FunV
UNIT = TupV(())


def the_atom(value: Value) -> Atom:
    """A value that the checker says is a scalar or an array of scalars."""
    assert isinstance(value, (ir.Var, ir.Const)), value
    return value


def leaves(value: Value) -> list[Atom]:
    """The atoms of a value, in the order of its type; captured data of functions included."""
    found: list[Atom] = []
    pending: list[Value] = [value]
    while pending:
        here = pending.pop()
        match here:
            case TupV(items):
                pending.extend(reversed(items))
            case RecV(fields):
                pending.extend(v for _, v in reversed(fields))
            case SumV(tag, cases):
                pending.extend(v for _, payload in reversed(cases) for v in reversed(payload))
                if tag is not None:
                    pending.append(tag)
            case FunV(captured=captured, args=args):
                pending.extend(reversed(captured + args))
            case _:
                found.append(here)
    return found


def rebuild(value: Value, atoms: Iterator[Atom]) -> Value:
    """A value of the same form over other atoms."""
    match value:
        case TupV(items):
            return TupV(tuple([rebuild(i, atoms) for i in items]))
        case RecV(fields):
            return RecV(tuple([(f, rebuild(v, atoms)) for f, v in fields]))
        case SumV(tag, cases, known):
            new_tag = None if tag is None else next(atoms)
            return SumV(new_tag, tuple([(c, tuple([rebuild(v, atoms) for v in p])) for c, p in cases]), known)
        case FunV(captured=captured, args=args):
            new_captured = tuple([rebuild(v, atoms) for v in captured])
            return replace(value, captured=new_captured, args=tuple([rebuild(v, atoms) for v in args]))
        case _:
            return next(atoms)


def map_leaves(value: Value, change: Callable[[Atom], Atom]) -> Value:
    return rebuild(value, iter([change(a) for a in leaves(value)]))


def form(value: Value) -> Hashable:
    """What specialisation goes by: everything of a value but its atoms."""
    match value:
        case TupV(items):
            return ("tuple", *(form(i) for i in items))
        case RecV(fields):
            return ("record", *((f, form(v)) for f, v in fields))
        case SumV(tag, cases, known):
            return ("sum", known, tag and tag.type, *((c, *(form(v) for v in payload)) for c, payload in cases))
        case FunV(key=key, captured=captured, args=args):
            return ("fun", key, *(form(v) for v in captured), *(form(v) for v in args))
        case _:
            return value.type


def from_type(t: ty.Type, leaf: Callable[[ir.Type, tuple[Size, ...]], Atom], sizes: tuple[Size, ...] = ()) -> Value:
    """A value of type `t` whose atoms `leaf` makes, given each atom's IR type and its sizes."""
    match t:
        case ty.Scalar(name):
            return leaf(ir.Type(name, len(sizes)), sizes)
        case ty.Array(size, element):
            return from_type(element, leaf, (*sizes, size))
        case ty.Tuple(items):
            return TupV(tuple([from_type(i, leaf, sizes) for i in items]))
        case ty.Record(fields):
            return RecV(tuple([(f, from_type(i, leaf, sizes)) for f, i in fields]))
        case ty.Sum(constructors):
            tag = leaf(ir.Type(ty.TAG, len(sizes)), sizes)
            payloads = [(c, tuple([from_type(i, leaf, sizes) for i in items])) for c, items in constructors]
            return SumV(tag, tuple(payloads))
        case _:
            raise TypeError(f"no run-time form for values of type {ty.show(t)}")


def tangent_leaves(primal: Value, tangent: Value) -> list[Atom]:
    """The atoms of a tangent, one to each float atom of the primal; units stand where the primal has no floats."""
    found: list[Atom] = []
    pending: list[tuple[Value, Value]] = [(primal, tangent)]
    while pending:
        p, t = pending.pop()
        match p, t:
            case TupV(items), TupV(tangents) if len(items) == len(tangents):
                pending.extend(reversed(list(zip(items, tangents, strict=True))))
            case RecV(fields), RecV(tangents):
                pairs = [(v, dv) for (_, v), (_, dv) in zip(fields, tangents, strict=True)]
                pending.extend(reversed(pairs))
            case SumV(cases=cases), RecV():
                pending.extend(reversed([(TupV(payload), payload_tangent(payload, t.get(c)))
                                         for c, payload in cases if payload]))
            case ir.Var() | ir.Const(), ir.Var() | ir.Const():
                found.append(t)
            case _:
                pass
    return found


def payload_tangent(payload: tuple[Value, ...], tangent: Value) -> Value:
    """The tangents of what a constructor holds, as a tuple; one value has its tangent without one."""
    return tangent if len(payload) > 1 else TupV((tangent,))


def tangent_value(primal: Value, atoms: Iterator[Value]) -> Value:
    """The tangent of `primal` made of these values, one to each of its float atoms; inverse of `tangent_leaves`."""
    match primal:
        case TupV(items):
            return TupV(tuple([tangent_value(i, atoms) for i in items]))
        case RecV(fields):
            return RecV(tuple([(f, tangent_value(v, atoms)) for f, v in fields]))
        case SumV(cases=cases):
            parts = []
            for c, payload in cases:
                if payload:
                    made = [tangent_value(v, atoms) for v in payload]
                    parts.append((c, made[0] if len(made) == 1 else TupV(tuple(made))))
            flat = not any(a.type.is_float for a in leaves(primal))
            return UNIT if flat else RecV(tuple(parts))
        case FunV():
            return UNIT
        case _:
            return next(atoms) if primal.type.is_float else UNIT
