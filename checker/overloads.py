"""Names that mean one thing of arrays and another of a function: `solve matrix b`, `solve f x0`.

Which one is meant is decided by the first argument, by its form or by what its name is known to be, before anything is
inferred; without an argument it is the meaning for arrays.
"""
from __future__ import annotations

from ..lang.intrinsics import SIGNATURES
from ..lang.surface import ast
from ..lang.types import Error, Fun, Type
from .context import Checker
from .names import find, meaning_of, signature_scheme
from .result import Scheme
from .scope import Builtin, Global, Local, Sealed

OF_FUNCTIONS = {"solve": "root", "argmin": "minimiser"}
"""The definition of the prelude that a name means when its first argument is a function."""


def of_function(c: Checker, e: ast.Apply) -> Type | None:
    """The type of the applied name in its meaning for functions, if it has one and is applied to one."""
    f = e.function
    if not isinstance(f, ast.Name) or f.qualifier or f.name not in OF_FUNCTIONS:
        return None
    if not isinstance(find(c, f.name), Builtin) or not _function(c, e.arguments[0]):
        return None
    other = OF_FUNCTIONS[f.name]
    meaning = c.session.prelude.own_value(other)
    assert meaning is not None
    return meaning_of(c, f, meaning, other, f.span)


def _function(c: Checker, e: ast.Exp) -> bool:
    """Whether an expression is a function, by its form."""
    match e:
        case ast.Lambda() | ast.OpSection() | ast.FieldSection() | ast.IndexSection():
            return True
        case ast.BinOp(op=op):
            return op in (">->", "<-<")
        case ast.Ascribe(operand=operand):
            return _function(c, operand)
        case _:
            t = _known(c, e)
            return isinstance(t, Fun)


def _known(c: Checker, e: ast.Exp) -> Type | None:
    """The type of a name, or of a name applied to arguments, as far as it is known without inference."""
    match e:
        case ast.Name(qualifier=()):
            return _declared(c, e.name)
        case ast.Apply(function=function, arguments=arguments):
            t = _known(c, function)
            for _ in arguments:
                t = c.solver.prune(t.result) if isinstance(t, Fun) else None
            return t
        case _:
            return None


def _declared(c: Checker, name: str) -> Type | None:
    match find(c, name):
        case Local(scheme=Scheme() as scheme) | Sealed(scheme=Scheme() as scheme):
            return scheme.type
        case Local(scheme=None, type=t):
            return c.solver.prune(t)
        case Global(definition=definition) if definition is not None:
            return definition.scheme.type
        case Builtin(ref=ref, rule="scheme") if ref.name in SIGNATURES:
            return signature_scheme(ref.name).type
        case Builtin(rule=rule) if rule != "constant":
            return Fun(Error(), Error())
        case _:
            return None
