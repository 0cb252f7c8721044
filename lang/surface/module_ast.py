"""The syntax of modules and of module types: the part of the tree (`ast`, which has all of it) that stands between
declarations.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..source import Span
from .node import Node

if TYPE_CHECKING:
    from .ast import Decl, ModuleParam, SizeBinder, Spec, TypeExp, TypeParam


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
