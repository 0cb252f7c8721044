"""The surface syntax tree: what the parser makes and the checker, lowering and formatter read.

Nodes are frozen and compared by identity (two equal-looking expressions at two places are two expressions), so that the
checker can keep types in tables keyed by node. Every node has a `span`. Names are as written; nothing is resolved here.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..source import Span


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    span: Span


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, eq=False, slots=True)
class Lit(Node):
    """A number or boolean. `suffix` is the type written after it (`1i32`, `2.0f32`) or None."""

    value: int | float | bool
    suffix: str | None


@dataclass(frozen=True, eq=False, slots=True)
class Text(Node):
    """A string or character literal."""

    value: str
    char: bool


@dataclass(frozen=True, eq=False, slots=True)
class Name(Node):
    """`x`, or `M.x` with `qualifier = ("M",)`. Operators used as values are `OpSection`s."""

    name: str
    qualifier: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Hole(Node):
    """`???`"""


@dataclass(frozen=True, eq=False, slots=True)
class TupleExp(Node):
    """`()` has no items; `(a, b)` two. A parenthesised expression is that expression."""

    items: tuple[Exp, ...]


@dataclass(frozen=True, eq=False, slots=True)
class RecordExp(Node):
    """`{x = e, y}`; the pun `y` stands for `y = y` and has a Name as its value."""

    fields: tuple[tuple[str, Exp], ...]


@dataclass(frozen=True, eq=False, slots=True)
class ArrayLit(Node):
    items: tuple[Exp, ...]


@dataclass(frozen=True, eq=False, slots=True)
class ForBelow(Node):
    """`for i < n`, in a comprehension or a loop."""

    name: str
    bound: Exp


@dataclass(frozen=True, eq=False, slots=True)
class ForIn(Node):
    """`for p in xs`, in a comprehension or a loop."""

    pattern: Pattern
    array: Exp


@dataclass(frozen=True, eq=False, slots=True)
class While(Node):
    condition: Exp


@dataclass(frozen=True, eq=False, slots=True)
class Comprehension(Node):
    """`[body for i < n, j < m]`: the first clause is the outermost axis."""

    body: Exp
    clauses: tuple[ForBelow | ForIn, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Apply(Node):
    """`f a b` is one node with two arguments."""

    function: Exp
    arguments: tuple[Exp, ...]


@dataclass(frozen=True, eq=False, slots=True)
class BinOp(Node):
    """All infix operators, pipes and `&&` `||` included; backticked names have `op` = "`name`"."""

    op: str
    op_span: Span
    left: Exp
    right: Exp


@dataclass(frozen=True, eq=False, slots=True)
class UnOp(Node):
    """`-e` and `!e`."""

    op: str
    operand: Exp


@dataclass(frozen=True, eq=False, slots=True)
class OpSection(Node):
    """`(+)`, `(1+)`, `(+1)`."""

    op: str
    left: Exp | None
    right: Exp | None


@dataclass(frozen=True, eq=False, slots=True)
class FieldSection(Node):
    """`(.a.b)`"""

    path: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class IndexSection(Node):
    """`(.[i, j])`"""

    indices: tuple[IndexArg, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Lambda(Node):
    params: tuple[Pattern, ...]
    result: TypeExp | None
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class LetPat(Node):
    """`let p = value in body`; `sizes` are the size names that the pattern opens (`let [n] (xs: [n]f64) = …`)."""

    sizes: tuple[SizeBinder, ...]
    pattern: Pattern
    value: Exp
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class LetFun(Node):
    """`let f [n] 'a (x: [n]a) : t = value in body`"""

    name: str
    name_span: Span
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]
    params: tuple[Pattern, ...]
    result: TypeExp | None
    value: Exp
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class LetUpdate(Node):
    """`let a[i] = v in body`: the same as `let a = a with [i] = v in body`."""

    name: Name
    indices: tuple[IndexArg, ...]
    value: Exp
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class If(Node):
    condition: Exp
    then: Exp
    orelse: Exp


@dataclass(frozen=True, eq=False, slots=True)
class Case(Node):
    pattern: Pattern
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class Match(Node):
    scrutinee: Exp
    cases: tuple[Case, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Loop(Node):
    """`loop pattern = init form do body`; without `= init` the pattern's names are read as the initial value."""

    sizes: tuple[SizeBinder, ...]
    pattern: Pattern
    init: Exp | None
    form: ForBelow | ForIn | While
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class Slice(Node):
    """`i:j:s` inside brackets; any part may be missing."""

    start: Exp | None
    stop: Exp | None
    step: Exp | None


@dataclass(frozen=True, eq=False, slots=True)
class Index(Node):
    array: Exp
    indices: tuple[IndexArg, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Field(Node):
    record: Exp
    name: str
    name_span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Update(Node):
    """`base with [i, j] = value`; slices may stand among the indices."""

    base: Exp
    indices: tuple[IndexArg, ...]
    value: Exp


@dataclass(frozen=True, eq=False, slots=True)
class RecordUpdate(Node):
    """`base with f.g = value`"""

    base: Exp
    path: tuple[str, ...]
    value: Exp


@dataclass(frozen=True, eq=False, slots=True)
class Ascribe(Node):
    """`e : t`"""

    operand: Exp
    type: TypeExp


@dataclass(frozen=True, eq=False, slots=True)
class Coerce(Node):
    """`e :> t`: sizes checked at run time."""

    operand: Exp
    type: TypeExp


@dataclass(frozen=True, eq=False, slots=True)
class GradeAscribe(Node):
    """`(e) @ C1`"""

    operand: Exp
    grades: tuple[Grade, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Range(Node):
    """`a..b..<c`; `kind` is how the end is given: inclusive `...`, `..<` or `..>`."""

    start: Exp
    second: Exp | None
    end: Exp
    kind: Literal["...", "..<", "..>"]


@dataclass(frozen=True, eq=False, slots=True)
class Constr(Node):
    """`#name a b`"""

    name: str
    arguments: tuple[Exp, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Assert(Node):
    condition: Exp
    body: Exp


@dataclass(frozen=True, eq=False, slots=True)
class Attributed(Node):
    """`#[attr] e`"""

    attribute: Attribute
    operand: Exp


Exp = (Lit | Text | Name | Hole | TupleExp | RecordExp | ArrayLit | Comprehension | Apply | BinOp | UnOp | OpSection
       | FieldSection | IndexSection | Lambda | LetPat | LetFun | LetUpdate | If | Match | Loop | Index | Field
       | Update | RecordUpdate | Ascribe | Coerce | GradeAscribe | Range | Constr | Assert | Attributed)
IndexArg = Exp | Slice

# ---------------------------------------------------------------- patterns


@dataclass(frozen=True, eq=False, slots=True)
class PName(Node):
    name: str


@dataclass(frozen=True, eq=False, slots=True)
class PWild(Node):
    pass


@dataclass(frozen=True, eq=False, slots=True)
class PTuple(Node):
    items: tuple[Pattern, ...]


@dataclass(frozen=True, eq=False, slots=True)
class PRecord(Node):
    """`{x = p, y}`; the pun `y` has PName("y")."""

    fields: tuple[tuple[str, Pattern], ...]


@dataclass(frozen=True, eq=False, slots=True)
class PLit(Node):
    value: Lit


@dataclass(frozen=True, eq=False, slots=True)
class PConstr(Node):
    name: str
    arguments: tuple[Pattern, ...]


@dataclass(frozen=True, eq=False, slots=True)
class PAscribe(Node):
    """`p : t`; on parameters of definitions the type may be a `TQualified`."""

    pattern: Pattern
    type: TypeExp


Pattern = PName | PWild | PTuple | PRecord | PLit | PConstr | PAscribe

# ---------------------------------------------------------------- types


@dataclass(frozen=True, eq=False, slots=True)
class SizeBinder(Node):
    """`[n]` among the parameters."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class TypeParam(Node):
    """`'a`, `'a: float`; `lifted` for `'^a` and `'~a`."""

    name: str
    constraint: str | None
    constraint_span: Span | None
    lifted: str


@dataclass(frozen=True, eq=False, slots=True)
class TName(Node):
    """`f64`, `M.t`, or an abbreviation with arguments `mixture [k][d]`, `pair f64`."""

    name: str
    qualifier: tuple[str, ...]
    arguments: tuple[TypeArg, ...]


@dataclass(frozen=True, eq=False, slots=True)
class TSizeArg(Node):
    """`[e]` as an argument of a type; `[]` has no expression."""

    size: Exp | None


@dataclass(frozen=True, eq=False, slots=True)
class TVar(Node):
    """`'a` written with its quote in a type argument position; type variables in types are otherwise TNames."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class TArray(Node):
    """`[n]t`; `[]t` has no size."""

    size: Exp | None
    element: TypeExp


@dataclass(frozen=True, eq=False, slots=True)
class TTuple(Node):
    items: tuple[TypeExp, ...]


@dataclass(frozen=True, eq=False, slots=True)
class TRecord(Node):
    fields: tuple[tuple[str, TypeExp], ...]


@dataclass(frozen=True, eq=False, slots=True)
class TFun(Node):
    """`(x: a) -> b`; `name` is None in `a -> b`."""

    name: str | None
    param: TypeExp
    result: TypeExp


@dataclass(frozen=True, eq=False, slots=True)
class TSum(Node):
    constructors: tuple[tuple[str, tuple[TypeExp, ...]], ...]


@dataclass(frozen=True, eq=False, slots=True)
class TExists(Node):
    """`?[k].t`"""

    sizes: tuple[SizeBinder, ...]
    body: TypeExp


@dataclass(frozen=True, eq=False, slots=True)
class TUnique(Node):
    """`*t`, accepted and ignored."""

    type: TypeExp


@dataclass(frozen=True, eq=False, slots=True)
class TRefined(Node):
    """`f64{>0}`: `op` is `>`, `>=`, `<`, `<=` with one bound, or `..` with two."""

    type: TypeExp
    op: str
    bounds: tuple[Exp, ...]


@dataclass(frozen=True, eq=False, slots=True)
class TQualified(Node):
    """`param t`, `data t`."""

    activity: Literal["param", "data"]
    type: TypeExp


TypeExp = (TName | TVar | TArray | TTuple | TRecord | TFun | TSum | TExists | TUnique | TRefined | TQualified)
TypeArg = TypeExp | TSizeArg

# ---------------------------------------------------------------- declarations


@dataclass(frozen=True, eq=False, slots=True)
class Attribute(Node):
    """`#[name(arg, …)]`, kept as its text."""

    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Grade(Node):
    """`C1(theta, sigma)`; no names means jointly in all float parameters."""

    name: str
    params: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Def(Node):
    """`def` and `entry`."""

    kind: Literal["def", "entry"]
    name: str
    name_span: Span
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]
    params: tuple[Pattern, ...]
    result: TypeExp | None
    grades: tuple[Grade, ...]
    body: Exp
    doc: str | None
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, eq=False, slots=True)
class TypeDef(Node):
    name: str
    name_span: Span
    lifted: str
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]
    body: TypeExp
    doc: str | None


@dataclass(frozen=True, eq=False, slots=True)
class Import(Node):
    path: str
    path_span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Open(Node):
    """`open M`"""

    module: Name


@dataclass(frozen=True, eq=False, slots=True)
class Local(Node):
    """`local decl`: visible in this file, not exported."""

    declaration: Decl


@dataclass(frozen=True, eq=False, slots=True)
class Unsupported(Node):
    """A declaration that parses and has no meaning yet (modules); the checker reports it with code and span."""

    what: str
    name: str


Decl = Def | TypeDef | Import | Open | Local | Unsupported


@dataclass(frozen=True, eq=False, slots=True)
class Program(Node):
    """A whole file; `declarations` in source order."""

    declarations: tuple[Decl, ...]
    doc: str | None
