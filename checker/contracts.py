"""Contracts in types: bounds of floats, `f64{>0}`, and grades of functions, `(f: a -> b @ C1)`.

In: the type expression of an annotation. Out: its contracts, each with the path to what it is about, kept beside the
expression (`Checked.contracts`). Types themselves say nothing of contracts, so they are never inferred: a contract
holds where it is written, or where an abbreviation is written that has it.
"""
from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from ..lang.surface import ast
from ..lang.types import FLOATS, Array, Error, Fun, Record, Scalar, Sum, Tuple, Type, TypeVar
from .context import Checker
from .paths import exported_type, structure_at
from .result import Contract, Definition, GlobalRef, Graded, Limit, Refinement
from .scope import FileScope, Global, Local, TypeEntry, nearest
from .typexp import TypeContext, elaborate

NUMBERS = {"pi": math.pi, "e": math.e, "inf": math.inf}


def annotated(x: TypeContext, t: ast.TypeExp) -> Type:
    """The type that an annotation denotes, with its contracts kept."""
    noted = x.c.session.contracted
    made = elaborate(x, t)
    if x.c.session.contracted != noted:
        found = tuple(contracts_of(x, t))
        if found:
            x.c.session.tables.contracts[t] = found
    return made


def contracts_of(x: TypeContext, t: ast.TypeExp) -> Iterator[Contract]:
    """The contracts in a type expression that has been elaborated."""
    match t:
        case ast.TName():
            yield from _named(x, t)
        case ast.TArray(element=element):
            yield from contracts_of(x, element)
        case ast.TTuple(items=items):
            for k, item in enumerate(items):
                yield from (c.extended(str(k)) for c in contracts_of(x, item))
        case ast.TRecord(fields=fields):
            for name, inner in fields:
                yield from (c.extended(name) for c in contracts_of(x, inner))
        case ast.TSum(constructors=constructors):
            for name, items in constructors:
                for k, item in enumerate(items):
                    yield from (c.extended(f"#{name}.{k}") for c in contracts_of(x, item))
        case ast.TUnique(type=inner) | ast.TQualified(type=inner) | ast.TExists(body=inner):
            yield from contracts_of(x, inner)
        case ast.TFun():
            _within_function(x, t)
        case ast.TRefined(type=inner, op=op, bounds=bounds):
            yield from contracts_of(x, inner)
            refinement = _refinement(x, t, op, bounds)
            if refinement is not None:
                yield refinement
        case ast.TGraded(type=inner, grades=grades):
            yield from contracts_of(x, inner)
            yield Graded((), grades, t.span)
        case _:
            pass


def _named(x: TypeContext, t: ast.TName) -> Iterator[Contract]:
    """Those of an abbreviation, and those of its arguments wherever it has them."""
    entry = _entry(x, t)
    if entry is None:
        return
    yield from entry.contracts
    types = [a for a in t.arguments if not isinstance(a, ast.TSizeArg)]
    for var, argument in zip(entry.types, types, strict=False):
        given = list(contracts_of(x, argument))
        for path in _places(entry.body, var) if given else ():
            yield from (c.extended(*path) for c in given)


def _entry(x: TypeContext, t: ast.TName) -> TypeEntry | None:
    if t.qualifier:
        module = structure_at(x.c.session, x.file, t.qualifier, t.span, lambda *_, **__: Error())
        return exported_type(module, t.name) if isinstance(module, FileScope) else None
    if t.name in x.types or (not x.closed and t.name in x.c.type_names):
        return None
    return x.file.type(t.name)


def _places(t: Type, var: TypeVar) -> Iterator[tuple[str, ...]]:
    """Where a type parameter stands in a type."""
    match t:
        case TypeVar() if t == var:
            yield ()
        case Array(_, element):
            yield from _places(element, var)
        case Tuple(items):
            for k, item in enumerate(items):
                yield from ((str(k), *path) for path in _places(item, var))
        case Record(fields):
            for name, inner in fields:
                yield from ((name, *path) for path in _places(inner, var))
        case Sum(constructors):
            for name, items in constructors:
                for k, item in enumerate(items):
                    yield from ((f"#{name}.{k}", *path) for path in _places(item, var))
        case _:
            return


def _within_function(x: TypeContext, t: ast.TFun) -> None:
    """What a function takes and gives is its own: who is handed the function cannot look at it."""
    for part in (t.param, t.result):
        if isinstance(part, ast.TFun):
            _within_function(x, part)
            continue
        for contract in contracts_of(x, part):
            what = "a bound" if isinstance(contract, Refinement) else "a grade"
            x.c.error("E226", f"{what} inside of the type of a function", contract.span, "would never be looked at",
                      others=[(t.span, "the function's type")],
                      help="check the value where the function is called: `assert (x > 0) (f x)`"
                      if isinstance(contract, Refinement) else "let the definition itself take this function")


# ---------------------------------------------------------------- bounds


def _refinement(x: TypeContext, t: ast.TRefined, op: str, bounds: tuple[ast.Exp, ...]) -> Refinement | None:
    limits = [_limit(x, bound) for bound in bounds]
    if any(limit is None for limit in limits):
        return None
    low = limits[0] if op in (">", ">=", "..") else None
    high = limits[-1] if op in ("<", "<=", "..") else None
    text = " ".join(t.span.text[t.type.span.end - t.span.start:].strip("{} \n").split())
    if op != ".." and text.startswith(op):
        text = f"{op} {text[len(op):].strip()}"
    made = Refinement((), low, high, op in (">", "<"), text, t.span)
    if isinstance(low, float) and isinstance(high, float) and not low <= high:
        x.c.error("E227", f"no number is from {text.replace('..', ' to ')}", t.span, "an empty range",
                  help="the smaller number comes first: `f64{0..1}`")
        return None
    return made


_ARITHMETIC = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
               "**": lambda a, b: a ** b}


def _limit(x: TypeContext, e: ast.Exp) -> Limit | None:
    """A bound; None after a report."""
    made = _value(x, e, ())
    if isinstance(made, str):
        x.c.error("E227", f"a bound is a number, not {made}", e.span, "the bound",
                  help="bounds are made of numbers, of definitions that are numbers, of parameters to the left that "
                       "are floats, and of + - * / ** of these")
        return None
    if isinstance(made, float) and made != made:
        x.c.error("E227", "this bound is not a number", e.span, "the bound", help="write a number")
        return None
    return made


def _value(x: TypeContext, e: ast.Exp, through: tuple[Definition, ...]) -> Limit | str:
    """The value of a bound; what is wrong with it in words."""
    match e:
        case ast.Lit(value=value) if not isinstance(value, bool):
            return float(value)
        case ast.UnOp(op="-", operand=operand):
            inner = _value(x, operand, through)
            return inner if isinstance(inner, str) else _combined("-", 0.0, inner)
        case ast.BinOp(op=op, left=left, right=right) if op in _ARITHMETIC:
            a, b = _value(x, left, through), _value(x, right, through)
            if isinstance(a, str) or isinstance(b, str):
                return a if isinstance(a, str) else b
            return _combined(op, a, b)
        case ast.Name(name=name, qualifier=("f64" | "f32" | "f16",)) if name in NUMBERS:
            return NUMBERS[name]
        case ast.Name(name=name, qualifier=()):
            return _name(x, name, through)
        case _:
            return f"`{' '.join(e.span.text.split())}`"


def _combined(op: str, a: Limit, b: Limit) -> Limit | str:
    if not isinstance(a, float) or not isinstance(b, float):
        return op, a, b
    try:
        result = _ARITHMETIC[op](a, b)
    except (ArithmeticError, ValueError):
        return "what has no value"
    return result if isinstance(result, float) else "what has no value"


def _name(x: TypeContext, name: str, through: tuple[Definition, ...]) -> Limit | str:
    local = None if x.closed or through else x.c.names.get(name)
    if isinstance(local, Local):
        t = x.c.solver.prune(local.type)
        if local.scheme is None and isinstance(t, (Scalar, TypeVar)) and \
                (t.name in FLOATS if isinstance(t, Scalar) else t.constraint == "float"):
            return local.ref
        return f"`{name}`, which is {x.c.show(t)}"
    found = x.file.value(name) if local is None else None
    if isinstance(found, Global) and found.definition is not None:
        definition = found.definition
        if not definition.node.params and definition not in through:
            return _value(x, definition.node.body, (*through, definition))
        return f"`{name}`, which is a function"
    known = [n for n, meaning in x.c.names.items() if isinstance(meaning, Local)] if not x.closed else []
    meant = nearest(name, known)
    return f"`{name}`, which is not known here" + (f" (did you mean `{meant}`?)" if meant else "")


# ---------------------------------------------------------------- grades


def graded(x: TypeContext, t: ast.TGraded, base: Type) -> None:
    """Refuses grades of what is no function, and names that are none of its parameters."""
    x.c.session.contracted += 1
    if isinstance(base, Error):
        return
    if not isinstance(base, Fun):
        x.c.error("E511", f"a grade is promised of {x.c.show(base)}", t.grades[0].span, "only functions have one",
                  others=[(t.type.span, "not a function")],
                  help="say how smooth a definition is behind the type of its result: `def f (x: f64) : f64 @ C1 = …`")
        return
    names: list[str] = []
    inner: Type = base
    while isinstance(inner, Fun):
        names += [] if inner.name is None else [inner.name]
        inner = inner.result
    for grade in t.grades:
        if grade.name != "allow":
            unknown_roots(x.c, grade, names, "this function", "name a parameter in its type: `(x: f64) -> f64 @ C1(x)`")


def unknown_roots(c: Checker, grade: ast.Grade, names: Iterable[str], what: str, otherwise: str) -> None:
    """Reports names after a grade that are none of these."""
    known = set(names)
    for root, span in zip(grade.params, grade.spans, strict=True):
        name = root.split(".")[0]
        if name not in known:
            meant = nearest(name, known)
            c.error("E509", f"{what} has no parameter `{name}`", span, f"promised for `{name}`",
                    help=f"did you mean `{meant}`?" if meant else
                    f"its parameters are {', '.join(sorted(known))}" if known else otherwise)


# ---------------------------------------------------------------- definitions


def of_pattern(c: Checker, p: ast.Pattern) -> Iterator[Contract]:
    """The contracts of what a pattern is bound to."""
    match p:
        case ast.PAscribe(pattern=inner, type=t):
            yield from c.session.tables.contracts.get(t.type if isinstance(t, ast.TQualified) else t, ())
            yield from of_pattern(c, inner)
        case ast.PTuple(items=items):
            for k, item in enumerate(items):
                yield from (found.extended(str(k)) for found in of_pattern(c, item))
        case ast.PRecord(fields=fields):
            for name, item in fields:
                yield from (found.extended(name) for found in of_pattern(c, item))
        case _:
            return


def complete(c: Checker, definition: Definition, said: bool) -> None:
    """What a finished definition promises and asks for. `said`: an expression in it has a grade or an assumption."""
    node = definition.node
    of_result: Sequence[Contract] = () if node.result is None else c.session.tables.contracts.get(node.result, ())
    if c.session.contracted:
        definition.contracts = (*(tuple(of_pattern(c, p)) for p in node.params), tuple(of_result))
    definition.asks = said or bool(node.grades) or definition.demands or any(
        isinstance(use.target, GlobalRef) and use.target.definition.demands for use in c.uses.values())

