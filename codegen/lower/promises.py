"""Grades in the program, for who checks them: statements that say them, and definitions lowered by themselves.

Nothing of this is in a compilation. With `lower(..., promises=True)`

- `e @ C1(x)`, `@ approx(1e-8)`, `@ allow(jump, "reason")` and `assume continuous(x) "reason"` are `promise`s, one to
  each float of what they are said of;
- where a definition is applied whose parameter is a function with a grade, a `demand` stands before it: the function
  that is given, lifted to one of the program's with what it captures before its own parameters, must have the grade;
- a definition of the library that demands something, or trusts itself, is not looked into: a call of a function that
  is not there;
- a definition that takes functions takes *unknown* ones: calls of functions that the program does not have
  (`Lowered.unknown` says what each may be trusted to be). Type parameters that are numbers are f64.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...checker.result import Checked, Definition, GlobalRef, Graded, LocalRef
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom
from ...lang.sizes import Size
from ...lang.source import Span
from ...lang.surface import ast
from ...lang.surface.walk import descendants
from .frame import Frame
from .patterns import axes, bind_key, data, project
from .values import FunV, RecV, TupV, Value, form, from_type, leaves, rebuild

if TYPE_CHECKING:
    from .functions import Specialiser


@dataclass(frozen=True)
class Unknown:
    """A function that a definition is given, where the definition is lowered by itself: of which it is a parameter, and
    what is promised of it; nothing, where its type says no grade."""

    definition: Definition
    parameter: str
    grades: tuple[ast.Grade, ...]
    names: tuple[str, ...]
    """What its type calls its parameters; empty where it has no names for them."""


# ---------------------------------------------------------------- what is said of values


def promised(f: Frame, value: Value, grade: ast.Grade, of: Sequence[tuple[str, Value]], span: Span,
             kind: str = "promise", reason: str = "", means: str = "") -> Value:
    """The value with a promise about each float of it; a function keeps it for what it gives."""
    if isinstance(value, FunV):
        return _promised_function(value, grade, of, span)
    atoms: list[Atom] = []
    names: list[str] = []
    for name, v in of:
        floats = [a for a in leaves(v) if a.type.is_float]
        atoms += floats
        names += [name] * len(floats)
    kind = grade.name if grade.name in ("approx", "allow") else kind
    said = grade.params[0] if kind == "allow" else means or grade.name

    def one(atom: Atom) -> Atom:
        if not atom.type.is_float:
            return atom
        op = ir.Prim("promise", (atom, *atoms), (
            ("grade", said), ("kind", kind), ("of", ",".join(names)), ("reason", grade.reason or reason),
            ("tolerance", "" if grade.tolerance is None else repr(grade.tolerance))))
        return f.b.bind(op, atom.name if isinstance(atom, ir.Var) else "t", span)[0]

    return rebuild(value, iter([one(a) for a in leaves(value)]))


def _promised_function(function: FunV, grade: ast.Grade, of: Sequence[tuple[str, Value]], span: Span) -> FunV:
    before, count = function.invoke, len(function.captured)

    def invoke(g: Frame, captured: tuple[Value, ...], args: list[Value]) -> Value:
        held = [(name, v) for (name, _), v in zip(of, captured[count:], strict=True)]
        return promised(g, before(g, captured[:count], args), grade, held, span)

    return replace(function, invoke=invoke, captured=(*function.captured, *(v for _, v in of)),
                   key=("promised", function.key, grade.name, grade.params, span.first, span.last))


def assumed(f: Frame, e: ast.Assume, means: str, value: Callable[[ast.Exp], Value]) -> None:
    """From here on the names stand for values of which this is trusted."""
    of = [(name.name, value(name)) for name in e.grade.of]
    for name in e.names:
        use = f.checked.uses[name]
        if isinstance(use.target, LocalRef):
            bind_key(f, use.target.key, promised(f, value(name), e.grade, of, e.grade.span, "assume", e.reason, means))


# ---------------------------------------------------------------- demands


def demands(f: Frame, definition: Definition, param_types: Sequence[ty.Type], args: Sequence[Value],
            spans: Sequence[Span | None]) -> None:
    """Write what the definition asks of the functions among its arguments."""
    for name, t, contracts, arg, span in zip(definition.param_names, param_types, definition.contracts, args, spans,
                                             strict=False):
        for contract in contracts:
            if not isinstance(contract, Graded):
                continue
            function, declared = projected(arg, t, contract.path)
            if isinstance(function, FunV) and isinstance(declared, ty.Fun):
                shown = ".".join((name, *contract.path))
                _demand(f, definition, shown, function, declared, contract, span or function.place or f.b.span)


def trusts_itself(definition: Definition) -> bool:
    """Whether a definition of the library has a grade that it takes on trust: then nothing is to be looked into."""
    node = definition.node
    return bool(node.grades) and not any(g.params for g in node.grades) and node.span.source.shipped \
        and "assume " in node.body.span.text


def steps(checked: Checked, definition: Definition) -> bool:
    """Whether a definition that demands something takes a given number of steps and says no grade of its own: what it
    gives is a function like others. Where a search stops, or which minimum it finds, may change suddenly.
    """
    if definition.node.grades:
        return False
    for node in descendants(definition.node):
        use = checked.uses.get(node)
        if isinstance(node, ast.Loop) and isinstance(node.form, ast.While):
            return False
        if use is not None and isinstance(use.target, GlobalRef) and use.target.definition.demands:
            return False
    return True


def unlooked(f: Frame, definition: Definition, result: ty.Type, inputs: Value) -> Value:
    """What a definition of the library gives that demands something of its arguments, as a search or a sampler, or that
    takes its own grade on trust. Nobody looks into it: it is what its header says."""
    made = from_type(f.concrete(result), lambda kind, _: ir.Var(0, "r", kind))
    types = tuple(a.type for a in leaves(made))
    name = f.specialiser.unique(definition.qualified)
    f.specialiser.unknown[name] = Unknown(definition, "", definition.node.grades, ())
    return rebuild(made, iter(f.b.bind(ir.Call(name, tuple(leaves(inputs)), types), "r") if types else ()))


def projected(value: Value, t: ty.Type, path: Sequence[str]) -> tuple[Value, ty.Type]:
    """The part of a value at a path, and its type."""
    for step in path:
        if isinstance(value, FunV):
            break
        value = project(value, (step,))
        t = t.items[int(step)] if isinstance(t, ty.Tuple) else dict(t.fields)[step] if isinstance(t, ty.Record) else t
    return value, t


def _demand(f: Frame, definition: Definition, parameter: str, function: FunV, declared: ty.Fun, contract: Graded,
            span: Span | None) -> None:
    name = lifted(f.specialiser, f, function, declared, f"{f.function}__{parameter}")
    captured = tuple(leaves(function))
    for grade in contract.grades:
        if grade.name in ("approx", "allow"):
            continue
        op = ir.Prim("demand", captured, (
            ("by", definition.name), ("function", name), ("grade", grade.name), ("of", ",".join(grade.params)),
            ("parameter", parameter)))
        f.b.bind(op, "demand", span)


def lifted(specialiser: Specialiser, f: Frame, function: FunV, declared: ty.Fun, hint: str) -> str:
    """The IR function of what `function` captures, then of its parameters, whose types `declared` says."""
    from .functions import apply

    key = ("lifted", form(function), form_of(declared))
    known = specialiser.lifted.get(key)
    if known is not None:
        return known
    name = specialiser.lifted[key] = specialiser.unique(hint)
    supply = Fresh()
    held = tuple([supply.var(a.name if isinstance(a, ir.Var) else "x", a.type) for a in leaves(function)])
    frame = Frame(f.checked, specialiser, Builder(supply, f.b.span), {}, {}, f.types, name)
    specialiser.looking.append(set())
    inner = rebuild(function, iter(held))
    assert isinstance(inner, FunV)
    params: list[ir.Var] = []
    args: list[Value] = []
    t: ty.Type = declared
    names = function.names[len(function.args):]
    while isinstance(t, ty.Fun):
        own = t.name or (names[len(args)] if len(args) < len(names) else "") or "x"
        given = f.concrete(t.param)
        args.append(unknown_value(frame, given, own, params, None, ()))
        frame.name_params(own, args[-1])
        if data(given):
            frame.note_dims(axes(given, args[-1]))
        t = t.result
    result = apply(frame, inner, args)
    specialiser.seen[name] = specialiser.looking.pop()
    whole = (*held, *frame.named(tuple(params)))
    dims = tuple(frame.param_dims.get(p.id, (None,) * p.type.rank) for p in whole)
    specialiser.functions[name] = ir.Function(name, whole, frame.b.block(leaves(result)), hint, dims)
    return name


def form_of(t: ty.Type) -> ty.Type:
    """The type with no sizes but numbers."""
    return ty.map_type(t, lambda _: None, lambda s: s if s.value is not None else Size.constant(-1))


# ---------------------------------------------------------------- definitions by themselves


def unknown_value(f: Frame, t: ty.Type, name: str, params: list[ir.Var], definition: Definition | None,
                  graded: Sequence[Graded]) -> Value:
    """A value of which nothing is known: fresh parameters, appended to `params`, and functions without a body."""
    if not ty.holds_function(t):
        def leaf(kind: ir.Type, sizes: tuple[Size, ...]) -> Atom:
            params.append(f.b.fresh("x", kind))
            return params[-1]

        return from_type(t, leaf)
    match t:
        case ty.Tuple(items):
            return TupV(tuple([unknown_value(f, item, f"{name}.{k}", params, definition, under(graded, str(k)))
                               for k, item in enumerate(items)]))
        case ty.Record(fields):
            return RecV(tuple([(n, unknown_value(f, item, f"{name}.{n}", params, definition, under(graded, n)))
                               for n, item in fields]))
        case ty.Fun():
            return _unknown_function(f, t, name, definition, graded)
        case _:
            raise Stuck


class Stuck(Exception):
    """A definition that cannot be lowered by itself: what it does depends on the types that it is used at."""


def under(graded: Sequence[Graded], step: str) -> list[Graded]:
    return [Graded(g.path[1:], g.grades, g.span) for g in graded if g.path[:1] == (step,)]


def _unknown_function(f: Frame, t: ty.Fun, name: str, definition: Definition | None, graded: Sequence[Graded]) -> FunV:
    specialiser = f.specialiser
    arity, names = 0, []
    result: ty.Type = t
    while isinstance(result, ty.Fun):
        arity += 1
        names.append(result.name or "")
        result = result.result
    if ty.holds_function(result):
        raise Stuck
    function = specialiser.unique(f"{f.function}__{name}")
    if definition is not None:
        grades = tuple(grade for g in graded if not g.path for grade in g.grades)
        specialiser.unknown[function] = Unknown(definition, name, grades, tuple(names) if all(names) else ())
    whole = result

    def invoke(g: Frame, captured: tuple[Value, ...], args: list[Value]) -> Value:
        made = from_type(g.concrete(whole), lambda kind, _: ir.Var(0, "r", kind))
        types = tuple(a.type for a in leaves(made))
        results = g.b.bind(ir.Call(function, tuple(leaves(TupV(tuple(args)))), types), "r") if types else ()
        return rebuild(made, iter(results))

    return FunV(arity, ("unknown", function), (), invoke, names=tuple(names))


def by_itself(specialiser: Specialiser, definition: Definition) -> bool:
    """Write the function of a definition that nobody calls; false where it depends on what it is used at."""
    from .functions import Special, definition_body, explicit_sizes, substituted

    types = number_types(definition)
    if types is None:
        return False
    name = definition.qualified
    f = Frame(specialiser.checked, specialiser, Builder(Fresh(), definition.node.name_span), {}, {}, types, name)
    params: list[ir.Var] = []
    declared = [substituted(t, types) for t in definition.param_types]
    extra = explicit_sizes(definition.scheme, declared)
    sizes: list[Value] = []
    for var in extra:
        params.append(f.b.fresh(var.name, ir.I64))
        f.sizes[var] = params[-1]
        sizes.append(params[-1])
    contracts = definition.contracts or ((),) * (len(declared) + 1)
    args = [unknown_value(f, t, n, params, definition, [c for c in found if isinstance(c, Graded)])
            for t, n, found in zip(declared, definition.param_names, contracts, strict=False)]
    key = (("def", name, tuple((v.uid, t) for v, t in types.items())), form(TupV((*sizes, *args))))
    specialiser.unfinished[key] = name
    specialiser.looking.append({definition})
    for t, arg, n in zip(declared, args, definition.param_names, strict=True):
        f.name_params(n, arg)
        if data(t):
            f.note_dims(axes(t, arg))
    f.named(tuple(params))  # functions that capture them call them so
    result = definition_body(f, definition, args)
    del specialiser.unfinished[key]
    specialiser.seen[name] = specialiser.looking.pop()
    dims = tuple(f.param_dims.get(p.id, (None,) * p.type.rank) for p in params)
    specialiser.functions[name] = ir.Function(name, tuple(params), f.b.block(leaves(result)), definition.name, dims)
    # Definitions below call this one.
    specialiser.made[key] = Special(name, tuple(a.type for a in leaves(result)), result)
    return True


def number_types(definition: Definition) -> dict[ty.TypeVar, ty.Type] | None:
    """f64 for type parameters that are numbers; None where there are others."""
    found: dict[ty.TypeVar, ty.Type] = {}
    for v in definition.scheme.type_vars:
        if v.constraint is None:
            return None
        found[v] = ty.I64 if v.constraint == "int" else ty.F64
    return found

