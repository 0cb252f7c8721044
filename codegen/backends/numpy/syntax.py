"""Short ways to write Python expressions as trees. Nothing here or elsewhere in the back end pastes text together."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cache

OPERATORS: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "//": ast.FloorDiv,
    "@": ast.MatMult,
    "%": ast.Mod,
    "&": ast.BitAnd,
    "|": ast.BitOr,
    "^": ast.BitXor,
}


def name(id: str) -> ast.expr:
    return ast.Name(id, ast.Load())


def dotted(path: str) -> ast.expr:
    """`np.linalg.norm` from that text."""
    head, *rest = path.split(".")
    tree = name(head)
    for part in rest:
        tree = ast.Attribute(tree, part, ast.Load())
    return tree


def const(value: int | float | bool | str | None) -> ast.expr:
    if isinstance(value, int | float) and not isinstance(value, bool) and (value < 0 or str(value).startswith("-")):
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def call(function: str, *args: ast.expr, **keywords: ast.expr) -> ast.expr:
    return ast.Call(dotted(function), list(args), [ast.keyword(k, v) for k, v in keywords.items()])


def method(x: ast.expr, function: str, *args: ast.expr, **keywords: ast.expr) -> ast.expr:
    return ast.Call(
        ast.Attribute(x, function, ast.Load()), list(args), [ast.keyword(k, v) for k, v in keywords.items()]
    )


def tuple_(items: Sequence[ast.expr]) -> ast.expr:
    return ast.Tuple(list(items), ast.Load())


def list_(items: Sequence[ast.expr]) -> ast.expr:
    return ast.List(list(items), ast.Load())


def ints(values: Sequence[int]) -> ast.expr:
    return tuple_([const(v) for v in values])


def binary(operator: str, x: ast.expr, y: ast.expr) -> ast.expr:
    return ast.BinOp(x, OPERATORS[operator](), y)


def shape_of(x: ast.expr) -> ast.expr:
    return ast.Attribute(x, "shape", ast.Load())


WHOLE = ast.Slice()


def subscript(x: ast.expr, places: Sequence[ast.expr]) -> ast.expr:
    """x[places]; whole axes at the end are left out."""
    kept = list(places)
    while len(kept) > 1 and kept[-1] is WHOLE:
        kept.pop()
    return ast.Subscript(x, kept[0] if len(kept) == 1 else tuple_(kept), ast.Load())


def assign(target: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(target, ast.Store())], value, lineno=0)


def assign_place(place: ast.expr, value: ast.expr) -> ast.stmt:
    assert isinstance(place, ast.Subscript)
    return ast.Assign([ast.Subscript(place.value, place.slice, ast.Store())], value, lineno=0)


def add_place(place: ast.expr, value: ast.expr) -> ast.stmt:
    assert isinstance(place, ast.Subscript)
    return ast.AugAssign(ast.Subscript(place.value, place.slice, ast.Store()), ast.Add(), value)


# ------------------------------------------------------------------ templates of primitive records


@cache
def _parsed(template: str, count: int, attrs: tuple[tuple[str, object], ...]) -> ast.expr:
    holes = [f"argument_{k}" for k in range(count)]
    return ast.parse(template.format(*holes, **dict(attrs)), mode="eval").body


def filled(template: str, args: Sequence[ast.expr], attrs: Sequence[tuple[str, object]] = ()) -> ast.expr:
    """A record's template with these trees for `{0}`, `{1}`, …; attributes are constants of the compiler's own."""
    return _fill(_parsed(template, len(args), tuple(attrs)), args)


def _fill(tree: ast.expr, args: Sequence[ast.expr]) -> ast.expr:
    match tree:
        case ast.Name(id=id):
            return args[int(id.removeprefix("argument_"))] if id.startswith("argument_") else name(id)
        case ast.Attribute(value=value, attr=attr):
            return ast.Attribute(_fill(value, args), attr, ast.Load())
        case ast.Call(func=func, args=operands):
            return ast.Call(_fill(func, args), [_fill(a, args) for a in operands], [])
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(_fill(left, args), op, _fill(right, args))
        case ast.UnaryOp(op=op, operand=operand):
            return ast.UnaryOp(op, _fill(operand, args))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return ast.Compare(_fill(left, args), ops, [_fill(c, args) for c in comparators])
        case ast.Constant(value=value):
            return ast.Constant(value)
    raise AssertionError(f"template with {type(tree).__name__}")


def size_of(tree: ast.AST) -> int:
    """How many nodes: a measure of how much there is to read."""
    return sum(1 for _ in ast.walk(tree) if not isinstance(_, ast.expr_context))
