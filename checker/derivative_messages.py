"""The sentences about differential operators: what they are applied to, and what tangents look like."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lang.surface import ast
from ..lang.types import FLOATS, Array, Fun, Meta, Record, Scalar, Tuple, Type
from .builtins import DERIVATIVES
from .messages import plural, short, show
from .result import BuiltinRef, GlobalRef

if TYPE_CHECKING:
    from .context import Checker

GRADIENTS = frozenset({"grad", "value_and_grad", "hessian", "hvp", "laplacian"})
"""Operators on functions to one float."""
FORWARD = frozenset({"jvp", "jvp2", "hvp", "jmp", "jmp2", "jvp_vec", "jvp2_vec"})
"""Operators whose third argument is a tangent of the second, or several."""
REVERSE = frozenset({"vjp", "vjp2", "mjp", "mjp2", "vjp_vec", "vjp2_vec"})
"""Operators whose third argument is a cotangent of the result, or several."""


def operator(c: Checker, f: ast.Exp) -> str | None:
    """The name of the differential operator that `f` is."""
    use = c.uses.get(f)
    return None if use is None else operator_of(use.target)


def operator_of(target: object) -> str | None:
    match target:
        case BuiltinRef(name=name) if name in DERIVATIVES:
            return name
        case GlobalRef(definition=definition) if definition.node.span.source.name == "prelude.dad" \
                and definition.name in FORWARD | REVERSE:
            return definition.name
    return None


def wrong_function(c: Checker, f: ast.Exp, arguments: Sequence[ast.Exp], found: Type) -> bool:
    """Report a first argument that the operator cannot differentiate, by its type; whether it was one."""
    name = operator(c, f)
    if name is None:
        return False
    function, t = arguments[0], c.solver.prune(found)
    text = short(" ".join(function.span.text.split()))
    if isinstance(t, (Scalar, Array, Tuple, Record)) or (isinstance(t, Meta) and t.uid in c.solver.kinds):
        c.error("E503", f"`{name}` differentiates a function, and this is a value", function.span,
                f"this is {show(c, t)}", help=_applied(name, function) or f"write a lambda: `{name} (\\x -> …)`")
        return True
    if not isinstance(t, Fun):
        return False
    if isinstance(c.solver.prune(t.param), Fun):
        c.error("E503", f"`{name}` differentiates with respect to numbers; this one takes a function", function.span,
                f"this is {show(c, t)}", help="let the function depend on a number, and differentiate by that")
        return True
    result = c.solver.prune(t.result)
    if name == "divergence" and isinstance(result, Scalar) and not isinstance(c.solver.prune(t.param), (Scalar, Meta)):
        c.error("E503", f"`divergence` needs a function to values like its argument; this one gives {show(c, result)}",
                function.span, f"this is {show(c, found)}",
                help=f"for the sum of second derivatives, use `laplacian {text} …`")
        return True
    if isinstance(result, Fun):
        _several(c, name, t, function, arguments, text)
        return True
    if name in GRADIENTS and isinstance(result, (Array, Tuple, Record, Scalar)) \
            and not (isinstance(result, Scalar) and result.name in FLOATS):
        gives = show(c, result)
        if "_" in gives:
            gives = "an array" if isinstance(result, Array) else "several values"
        c.error("E503", f"`{name}` needs a function to one float; this one gives {gives}", function.span,
                f"this is {show(c, found)}", help=_one_float(name, result))
        return True
    return False


def _several(c: Checker, name: str, t: Fun, function: ast.Exp, arguments: Sequence[ast.Exp], text: str) -> None:
    """A function that gives a function: most likely one of several parameters."""
    count, result = 0, c.solver.prune(t)
    while isinstance(result, Fun):
        count, result = count + 1, c.solver.prune(result.result)
    names = ("x", "y", "z", "v", "w")[:count] if count <= 5 else ("x", "y", "…")
    if not isinstance(function, ast.Name):
        text = "f"
    rest: Sequence[ast.Exp] = arguments[1:]
    if len(rest) == 1 and isinstance(rest[0], ast.TupleExp):
        rest = rest[0].items
    whole = len(rest) == count and name not in FORWARD | REVERSE  # what follows there is no point
    given = [short(a.span.text) for a in rest] if whole else []
    point = f" ({', '.join(given)})" if whole else ""
    fixed = " ".join([*(given or names)[1:], *(")" + f" {g}" for g in given[:1])] if whole else [*names[1:], ")"])
    lambda_ = f"\\({', '.join(names)}) -> {text} {' '.join(names)}"
    c.error("E503", f"`{name}` differentiates functions of one argument; this one takes {plural(count, 'argument')}",
            function.span, f"this is {show(c, t)}",
            help=f"to differentiate by all, write `{name} ({lambda_}){point}`; "
                 f"by the first, `{name} (\\x -> {text} x {fixed.replace(' )', ')')}`")


def _applied(name: str, e: ast.Exp) -> str | None:
    """`grad (f x)` where `grad f x` is meant."""
    if not isinstance(e, ast.Apply):
        return None
    texts = [short(" ".join(a.span.text.split())) for a in (e.function, *e.arguments)]
    if len(texts) == 2:
        return f"give function and point one after the other: `{name} {' '.join(texts)}`"
    names = ("x", "y", "z", "v", "w")
    if len(texts) > len(names):
        return None
    params = names[:len(texts) - 1]
    return f"give a function and a point: `{name} (\\({', '.join(params)}) -> {texts[0]} {' '.join(params)}) " \
           f"({', '.join(texts[1:])})`"


def _one_float(name: str, result: Type) -> str:
    if isinstance(result, Scalar):
        return "let the function give a float that depends on its argument smoothly"
    if name in ("grad", "value_and_grad"):
        return "use `jacobian f x`, or `vjp f x dy` with a weight for each number, or fold the result, such as by `sum`"
    return "fold the result to one number, such as `sum`, or take one of its parts"


def seed_advice(c: Checker, f: ast.Exp, k: int, arguments: Sequence[ast.Exp], found: Type, expected: Type
                ) -> tuple[list[str], str | None]:
    """Notes and a next step for a tangent or cotangent that does not fit."""
    name = operator(c, f)
    if name is None or k != 2:
        return [], None
    forward = name in FORWARD
    several = name not in ("jvp", "jvp2", "vjp", "vjp2", "hvp")
    notes = [f"{'each row' if several else 'a tangent' if forward else 'a cotangent'} has the type of the "
             f"{'point' if forward else 'result of the function'}, with its floats only"]
    found, expected = c.solver.prune(found), c.solver.prune(expected)
    point = short(" ".join(arguments[1].span.text.split()))
    function = short(" ".join(arguments[0].span.text.split()))
    if _has_unit(c, expected):
        return notes, "write `()` in the place of integers and bools"
    if several:
        one = name.replace("jmp", "jvp").replace("mjp", "vjp").removesuffix("_vec")
        return notes, f"for one direction, use `{one}`" if isinstance(found, (Scalar, Array, Meta)) else None
    if isinstance(expected, Array) and isinstance(found, (Scalar, Meta)):
        return notes, f"for all directions at once, use `jacobian {function} {point}`"
    if isinstance(expected, Scalar) and not forward:
        return notes, f"for the gradient of a function to one number, use `grad {function} {point}`"
    return notes, None


def _has_unit(c: Checker, t: Type) -> bool:
    t = c.solver.prune(t)
    match t:
        case Tuple(items):
            return not items or any(_has_unit(c, i) for i in items)
        case Record(fields):
            return any(_has_unit(c, i) for _, i in fields)
        case Array(_, element):
            return _has_unit(c, element)
        case _:
            return False

