"""The surface syntax tree: what the parser makes and the checker, lowering and formatter read.

Nodes are frozen and compared by identity (two equal-looking expressions at two places are two expressions), so that the
checker can keep types in tables keyed by node. Every node has a `span`. Names are as written; nothing is resolved here.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, dataclass_transform

from ..source import Span

_N = TypeVar("_N", bound="Node")


@dataclass_transform(frozen_default=True, eq_default=False)
class _Made:
    """For type checkers and `match` the classes below are frozen dataclasses.

    They are not made by `dataclasses`, which compiles the methods of each class when it is imported: for these eighty
    that took longer than reading and checking a small file. One constructor serves all, or one those of few fields
    without defaults, which are made by position (`_CONSTRUCTORS`); `FIELDS` are the names, `span` first.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()

    if not TYPE_CHECKING:
        def __init_subclass__(cls) -> None:
            cls.FIELDS = cls.__match_args__ = (*cls.__base__.FIELDS, *cls.__annotations__)
            if not any(name in cls.__dict__ for name in cls.FIELDS):
                make = _CONSTRUCTORS.get(len(cls.FIELDS))
                cls.__init__ = make(*cls.FIELDS) if make is not None else _Made.__init__

        def __init__(self, *values: Any, **named: Any) -> None:
            """Fields by position or by name; those with a default may be left out. `TypeError` otherwise."""
            fields = self.FIELDS
            given = self.__dict__
            given.update(zip(fields, values))  # noqa: B905  # `strict` costs as much as the rest
            if named or len(values) != len(fields):
                count = len(given) + len(named)
                given.update(named)
                for name in fields:
                    if name not in given and name in type(self).__dict__:
                        given[name] = type(self).__dict__[name]
                        count += 1
                if not count == len(given) == len(fields) or len(values) > count or not given.keys() <= set(fields):
                    raise TypeError(f"{type(self).__name__} takes the fields {', '.join(fields)}")

        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"nodes are frozen: {type(self).__name__}.{name}")


def _of_two(a: str, b: str) -> Any:
    def make(self: Any, x: Any, y: Any) -> None:
        given = self.__dict__
        given[a] = x
        given[b] = y
    return make


def _of_three(a: str, b: str, c: str) -> Any:
    def make(self: Any, x: Any, y: Any, z: Any) -> None:
        given = self.__dict__
        given[a] = x
        given[b] = y
        given[c] = z
    return make


def _of_five(a: str, b: str, c: str, d: str, e: str) -> Any:
    def make(self: Any, x: Any, y: Any, z: Any, u: Any, v: Any) -> None:
        given = self.__dict__
        given[a] = x
        given[b] = y
        given[c] = z
        given[d] = u
        given[e] = v
    return make


_CONSTRUCTORS = {2: _of_two, 3: _of_three, 5: _of_five}
"""By number of fields: almost all nodes of a program are of such classes, and `zip` costs twice as much as these."""


class Node(_Made):
    span: Span

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            """What a term that is an instance of a shape has below it is made when it is asked for (see `terms`)."""
            instance = self.__dict__.get("instance")
            if instance is None or instance.made is not None or name not in self.FIELDS:
                raise AttributeError(f"{type(self).__name__} has no {name}")
            instance.make()
            return self.__dict__[name]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.span}>"


def replace(node: _N, **changes: Any) -> _N:
    """A copy of the node with some fields changed."""
    if not changes.keys() <= set(node.FIELDS):
        raise TypeError(f"{type(node).__name__} takes the fields {', '.join(node.FIELDS)}")
    return type(node)(*[changes[name] if name in changes else getattr(node, name) for name in node.FIELDS])


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
    """`(e) @ C1`"""

    operand: Exp
    grades: tuple[Grade, ...]


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
       | Update | RecordUpdate | Ascribe | Coerce | GradeAscribe | Range | Constr | Assert | Attributed | LocalOpen)
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


class TQualified(Node):
    """`param t`, `data t`."""

    activity: Literal["param", "data"]
    type: TypeExp


TypeExp = (TName | TVar | TArray | TTuple | TRecord | TFun | TSum | TExists | TUnique | TRefined | TQualified)
TypeArg = TypeExp | TSizeArg

# ---------------------------------------------------------------- declarations


class Attribute(Node):
    """`#[name(arg, …)]`, kept as its text."""

    text: str


class Grade(Node):
    """`C1(theta, sigma)`; no names means jointly in all float parameters."""

    name: str
    params: tuple[str, ...]


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


Decl = Def | TypeDef | Import | Open | Local | ModuleDef | ModuleTypeDef

# ---------------------------------------------------------------- modules


class ModName(Node):
    """`M`, `M.N`"""

    name: str
    qualifier: tuple[str, ...]


class ModBody(Node):
    """`{ declarations }`"""

    declarations: tuple[Decl, ...]


class ModImport(Node):
    """`import "path"`"""

    path: str
    path_span: Span


class ModApply(Node):
    """`F A`"""

    function: ModuleExp
    argument: ModuleExp


class ModAscribe(Node):
    """`M : S`"""

    module: ModuleExp
    type: ModuleType


class ModLambda(Node):
    """`\\(P: S) : T -> body`"""

    param: ModuleParam
    ascription: ModuleType | None
    body: ModuleExp


ModuleExp = ModName | ModBody | ModImport | ModApply | ModAscribe | ModLambda


class SigName(Node):
    """`S`, `M.S`"""

    name: str
    qualifier: tuple[str, ...]


class SigBody(Node):
    """`{ specifications }`"""

    specs: tuple[Spec, ...]


class SigWith(Node):
    """`S with t [n] 'a = type`; `path` is `("M", "t")` for a type of a module in S."""

    type: ModuleType
    path: tuple[str, ...]
    path_span: Span
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]
    body: TypeExp


class SigArrow(Node):
    """`(P: S) -> T`, `S -> T`"""

    name: str | None
    param: ModuleType
    result: ModuleType


ModuleType = SigName | SigBody | SigWith | SigArrow


class ValSpec(Node):
    """`val f [n] 'a : [n]a -> a`"""

    name: str
    name_span: Span
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]
    type: TypeExp


class TypeSpec(Node):
    """`type t [n] 'a`: what it stands for is not said."""

    name: str
    name_span: Span
    lifted: str
    sizes: tuple[SizeBinder, ...]
    type_params: tuple[TypeParam, ...]


class ModuleSpec(Node):
    """`module N : S`"""

    name: str
    name_span: Span
    type: ModuleType


class Include(Node):
    """`include S`: everything that S says."""

    type: ModuleType


Spec = ValSpec | TypeSpec | TypeDef | ModuleSpec | ModuleTypeDef | Include

# ---------------------------------------------------------------- files


class Program(Node):
    """A whole file; `declarations` in source order."""

    declarations: tuple[Decl, ...]
    doc: str | None
