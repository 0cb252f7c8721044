"""Entries without all their parameters: `entry total = reduce (+) 0` is checked as `entry total xs = reduce (+) 0 xs`.

Callers from outside pass values by position and name, so an entry whose body gives a function gets the parameters that
are missing, named as the function's type or the body's lambda names them.
"""
from __future__ import annotations

from ..lang.surface import ast
from ..lang.types import Fun, Type
from .result import Definition


def wants_parameters(definition: Definition) -> bool:
    """Whether a definition that callers from outside should call gives a function."""
    node = definition.node
    return (node.kind == "entry" or node.name == "main") and isinstance(definition.result_type, Fun)


def with_parameters(definition: Definition) -> ast.Def:
    """The same definition, its body applied to the parameters that its type has besides."""
    node = definition.node
    taken = {*definition.param_names}
    patterns: list[ast.Pattern] = []
    arguments: list[ast.Exp] = []
    for name in parameter_names(node.body, definition.result_type):
        base, number = name, 2
        while name in taken or name in node.body.span.text:
            name, number = f"{base}{number}", number + 1
        taken.add(name)
        patterns.append(ast.PName(node.name_span, name))
        arguments.append(ast.Name(node.name_span, name))
    body: ast.Exp = node.body
    if node.result is not None:
        body = ast.Ascribe(body.span, body, node.result)
    if isinstance(body, ast.Apply):
        body = ast.Apply(body.span, body.function, (*body.arguments, *arguments))
    else:
        body = ast.Apply(body.span, body, tuple(arguments))
    return ast.replace(node, params=(*node.params, *patterns), result=None, body=body)


def parameter_names(body: ast.Exp, t: Type) -> list[str]:
    """A name for each argument that a function of type `t` takes."""
    while isinstance(body, ast.LetPat | ast.LetFun | ast.LetUpdate | ast.Attributed):
        body = body.operand if isinstance(body, ast.Attributed) else body.body
    said = list(body.params) if isinstance(body, ast.Lambda) else []
    names: list[str] = []
    while isinstance(t, Fun):
        pattern = said[len(names)] if len(names) < len(said) else None
        while isinstance(pattern, ast.PAscribe):
            pattern = pattern.pattern
        here = pattern.name if isinstance(pattern, ast.PName) else t.name
        names.append(here or ("x" if not names else f"x{len(names) + 1}"))
        t = t.result
    return names
