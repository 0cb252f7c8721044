"""The surface syntax tree: what the parser makes and the checker, lowering and formatter read.

Nodes are frozen and compared by identity (two equal-looking expressions at two places are two expressions), so that the
checker can keep types in tables keyed by node. Every node has a `span`. Names are as written; nothing is resolved here.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..source import Span
from .module_ast import Include as Include
from .module_ast import ModApply as ModApply
from .module_ast import ModAscribe as ModAscribe
from .module_ast import ModBody as ModBody
from .module_ast import ModImport as ModImport
from .module_ast import ModLambda as ModLambda
from .module_ast import ModName as ModName
from .module_ast import ModuleExp as ModuleExp
from .module_ast import ModuleSpec as ModuleSpec
from .module_ast import ModuleType as ModuleType
from .module_ast import SigArrow as SigArrow
from .module_ast import SigBody as SigBody
from .module_ast import SigName as SigName
from .module_ast import SigWith as SigWith
from .module_ast import TypeSpec as TypeSpec
from .module_ast import ValSpec as ValSpec
from .node import Node as Node
from .node import replace as replace

# ---------------------------------------------------------------- expressions


class Lit(Node):
    """A number or boolean. `suffix` is the type written after it (`1i32`, `2.0f32`) or None."""

    value: int | float | bool
    suffix: str | None


class Text(Node):
    """A string; a character is the number of its code point, a `Lit`."""

    value: str


class Name(Node):
    """`x`, or `M.x` with `qualifier = ("M",)`. Operators used as values are `OpSection`s."""

    name: str
    qualifier: tuple[str, ...] = ()

    if not TYPE_CHECKING:
        def __init__(self, span: Span, name: str, qualifier: tuple[str, ...] = ()) -> None:
            given = self.__dict__
            given["span"] = span
            given["name"] = name
            given["qualifier"] = qualifier


class Hole(Node):
    """`???`"""


class TupleExp(Node):
    """`()` has no items; `(a, b)` two. A parenthesised expression is that expression."""

    items: tuple[Exp, ...]


class RecordExp(Node):
    """`{x = e, y}`; the pun `y` stands for `y = y` and has a Name as its value."""

    fields: tuple[tuple[str, Exp], ...]


class ArrayLit(Node):
    items: tuple[Exp, ...]


class ForBelow(Node):
    """`for i < n`, in a comprehension or a loop."""

    name: str
    bound: Exp


class ForIn(Node):
    """`for p in xs`, in a comprehension or a loop."""

    pattern: Pattern
    array: Exp


class While(Node):
    condition: Exp


class Comprehension(Node):
    """`[body for i < n, j < m]`: the first clause is the outermost axis."""

    body: Exp
    clauses: tuple[ForBelow | ForIn, ...]


class Apply(Node):
    """`f a b` is one node with two arguments."""

    function: Exp
    arguments: tuple[Exp, ...]


class BinOp(Node):
    """All infix operators, pipes and `&&` `||` included; backticked names have `op` = "`name`"."""

    op: str
    op_span: Span
    left: Exp
    right: Exp


class UnOp(Node):
    """`-e` and `!e`."""

    op: str
    operand: Exp


class OpSection(Node):
    """`(+)`, `(1+)`, `(+1)`."""

    op: str
    left: Exp | None
    right: Exp | None


class FieldSection(Node):
    """`(.a.b)`"""

    path: tuple[str, ...]


class IndexSection(Node):
    """`(.[i, j])`"""

    indices: tuple[IndexArg, ...]


class Lambda(Node):
    params: tuple[Pattern, ...]
    result: TypeExp | None
    body: Exp


class LetPat(Node):
    """`let p = value in body`; `sizes` are the size names that the pattern opens (`let [n] (xs: [n]f64) = …`)."""

    sizes: tuple[SizeBinder, ...]
    pattern: Pattern
    value: Exp
    body: Exp


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


class LetUpdate(Node):
    """`let a[i] = v in body`: the same as `let a = a with [i] = v in body`."""

    name: Name
    indices: tuple[IndexArg, ...]
    value: Exp
    body: Exp


class If(Node):
    condition: Exp
    then: Exp
    orelse: Exp


class Case(Node):
    pattern: Pattern
    body: Exp


class Match(Node):
    scrutinee: Exp
    cases: tuple[Case, ...]


class Loop(Node):
    """`loop pattern = init form do body`; without `= init` the pattern's names are read as the initial value."""

    sizes: tuple[SizeBinder, ...]
    pattern: Pattern
    init: Exp | None
    form: ForBelow | ForIn | While
    body: Exp


class Slice(Node):
    """`i:j:s` inside brackets; any part may be missing."""

    start: Exp | None
    stop: Exp | None
    step: Exp | None


class Index(Node):
    array: Exp
    indices: tuple[IndexArg, ...]


class Field(Node):
    record: Exp
    name: str
    name_span: Span


class Update(Node):
    """`base with [i, j] = value`; slices may stand among the indices."""

    base: Exp
    indices: tuple[IndexArg, ...]
    value: Exp


class RecordUpdate(Node):
    """`base with f.g = value`"""

    base: Exp
    path: tuple[str, ...]
    value: Exp


class Ascribe(Node):
    """`e : t`"""

    operand: Exp
    type: TypeExp


class Coerce(Node):
    """`e :> t`: sizes checked at run time."""

    operand: Exp
    type: TypeExp


class GradeAscribe(Node):
    """`(e) @ C1(x)`; `names` are those of the grade, as expressions."""

    operand: Exp
    grades: tuple[Grade, ...]
    names: tuple[Exp, ...]


class Range(Node):
    """`a..b..<c`; `kind` is how the end is given: inclusive `...`, `..<` or `..>`."""

    start: Exp
    second: Exp | None
    end: Exp
    kind: Literal["...", "..<", "..>"]


class Constr(Node):
    """`#name a b`"""

    name: str
    arguments: tuple[Exp, ...]


class Assert(Node):
    condition: Exp
    body: Exp


class Assume(Node):
    """`assume continuous(x) "reason" in body`: in the body the names stand for values of which this is trusted."""

    grade: Grade
    names: tuple[Name, ...]
    reason: str
    body: Exp


class Attributed(Node):
    """`#[attr] e`"""

    attribute: Attribute
    operand: Exp


class LocalOpen(Node):
    """`M.(e)`: the names of M are in scope in `e`."""

    module: Name
    body: Exp


Exp = (Lit | Text | Name | Hole | TupleExp | RecordExp | ArrayLit | Comprehension | Apply | BinOp | UnOp | OpSection
       | FieldSection | IndexSection | Lambda | LetPat | LetFun | LetUpdate | If | Match | Loop | Index | Field
       | Update | RecordUpdate | Ascribe | Coerce | GradeAscribe | Range | Constr | Assert | Assume | Attributed
       | LocalOpen)
IndexArg = Exp | Slice

# ---------------------------------------------------------------- patterns


class PName(Node):
    name: str


class PWild(Node):
    pass


class PTuple(Node):
    items: tuple[Pattern, ...]


class PRecord(Node):
    """`{x = p, y}`; the pun `y` has PName("y")."""

    fields: tuple[tuple[str, Pattern], ...]


class PLit(Node):
    value: Lit


class PConstr(Node):
    name: str
    arguments: tuple[Pattern, ...]


class PAscribe(Node):
    """`p : t`; on parameters of definitions the type may be a `TQualified`."""

    pattern: Pattern
    type: TypeExp


Pattern = PName | PWild | PTuple | PRecord | PLit | PConstr | PAscribe

# ---------------------------------------------------------------- types


class SizeBinder(Node):
    """`[n]` among the parameters."""

    name: str


class TypeParam(Node):
    """`'a`, `'a: float`; `lifted` for `'^a` and `'~a`."""

    name: str
    constraint: str | None
    constraint_span: Span | None
    lifted: str


class TName(Node):
    """`f64`, `M.t`, or an abbreviation with arguments `mixture [k][d]`, `pair f64`."""

    name: str
    qualifier: tuple[str, ...]
    arguments: tuple[TypeArg, ...]


class TSizeArg(Node):
    """`[e]` as an argument of a type; `[]` has no expression."""

    size: Exp | None


class TVar(Node):
    """`'a` written with its quote in a type argument position; type variables in types are otherwise TNames."""

    name: str


class TArray(Node):
    """`[n]t`; `[]t` has no size."""

    size: Exp | None
    element: TypeExp


class TTuple(Node):
    items: tuple[TypeExp, ...]


class TRecord(Node):
    fields: tuple[tuple[str, TypeExp], ...]


class TFun(Node):
    """`(x: a) -> b`; `name` is None in `a -> b`."""

    name: str | None
    param: TypeExp
    result: TypeExp


class TSum(Node):
    constructors: tuple[tuple[str, tuple[TypeExp, ...]], ...]


class TExists(Node):
    """`?[k].t`"""

    sizes: tuple[SizeBinder, ...]
    body: TypeExp


class TUnique(Node):
    """`*t`, accepted and ignored."""

    type: TypeExp


class TRefined(Node):
    """`f64{>0}`: `op` is `>`, `>=`, `<`, `<=` with one bound, or `..` with two."""

    type: TypeExp
    op: str
    bounds: tuple[Exp, ...]


class TGraded(Node):
    """`(a -> b @ C1)`, and the type of `(f: a -> b @ C1)`: a function that is at least so smooth."""

    type: TypeExp
    grades: tuple[Grade, ...]


class TQualified(Node):
    """`param t`, `data t`."""

    activity: Literal["param", "data"]
    type: TypeExp


TypeExp = (TName | TVar | TArray | TTuple | TRecord | TFun | TSum | TExists | TUnique | TRefined | TGraded
           | TQualified)
TypeArg = TypeExp | TSizeArg

# ---------------------------------------------------------------- declarations


class Attribute(Node):
    """`#[name(arg, …)]`, kept as its text."""

    text: str


class Grade(Node):
    """`C1(theta, m.weight)`; no names means jointly in all float parameters. `spans` are where the names stand.

    `of` is for assumptions: `C1(y in x, d)` says that y is a C1 function of x and d.
    Two say something else: `approx` has a `tolerance`, `allow` one name, that of the grade, and a `reason`.
    """

    name: str
    params: tuple[str, ...]
    spans: tuple[Span, ...]
    tolerance: float | None = None
    reason: str | None = None
    of: tuple[Name, ...] = ()


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
    nondet: Span | None = None
    """Where its head says `@ nondet`."""


class TypeDef(Node):
    name: str
    name_span: Span
    lifted: str
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]
    body: TypeExp
    doc: str | None


class Import(Node):
    """`import "path"`: the same as `local open import "path"`."""

    path: str
    path_span: Span


class ModuleParam(Node):
    """`(P: S)`"""

    name: str
    name_span: Span
    type: ModuleType


class ModuleDef(Node):
    """`module M (P: S) … : T = body`"""

    name: str
    name_span: Span
    params: tuple[ModuleParam, ...]
    ascription: ModuleType | None
    body: ModuleExp
    doc: str | None


class ModuleTypeDef(Node):
    name: str
    name_span: Span
    body: ModuleType
    doc: str | None


class Open(Node):
    """`open M`: its names are in scope from here on, and exported."""

    module: ModuleExp


class Local(Node):
    """`local decl`: visible in this file or module, not exported."""

    declaration: Decl


class Unread(Node):
    """A declaration with a mistake, reported already: only its name is known, "" where it brings others along."""

    name: str


Decl = Def | TypeDef | Import | Open | Local | ModuleDef | ModuleTypeDef | Unread

Spec = ValSpec | TypeSpec | TypeDef | ModuleSpec | ModuleTypeDef | Include

# ---------------------------------------------------------------- files


class Program(Node):
    """A whole file; `declarations` in source order."""

    declarations: tuple[Decl, ...]
    doc: str | None
