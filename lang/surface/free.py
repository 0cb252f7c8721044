"""Names that a piece of syntax mentions and does not bind itself; operators included, members of modules left out."""
from __future__ import annotations

from . import ast
from .walk import children


def free_names(node: ast.Node) -> dict[str, None]:
    """In order of appearance. Chains of `let` are walked in a loop, everything else by recursion on nesting."""
    found: dict[str, None] = {}
    _walk(node, frozenset(), found)
    return found


def _walk(node: ast.Node, bound: frozenset[str], found: dict[str, None]) -> None:
    while True:
        match node:
            case ast.Name(name=name, qualifier=qualifier):
                _note(qualifier[0] if qualifier else name, bound, found)
                return
            case ast.BinOp():
                spine = [node]
                while isinstance(spine[-1].left, ast.BinOp):
                    spine.append(spine[-1].left)
                _walk(spine[-1].left, bound, found)
                for link in reversed(spine):
                    _note(link.op.strip("`"), bound, found)
                    _walk(link.right, bound, found)
                return
            case ast.OpSection(op=op):
                _note(op.strip("`"), bound, found)
                _children(node, bound, found)
                return
            case ast.Def(sizes=sizes, params=params, body=body):
                bound |= _bound(*sizes, *params)
                _types((*params, node.result), bound, found)
                node = body
            case ast.Lambda(params=params, body=body):
                bound |= _bound(*params)
                _types((*params, node.result), bound, found)
                node = body
            case ast.LetPat(sizes=sizes, pattern=pattern, value=value, body=body):
                _walk(value, bound, found)
                bound |= _bound(*sizes, pattern)
                _types((pattern,), bound, found)
                node = body
            case ast.LetFun(name=name, sizes=sizes, params=params, value=value, body=body):
                inner = bound | _bound(*sizes, *params)
                if _open(name, bound):
                    inner |= {name}
                _types((*params, node.result), inner, found)
                _walk(value, inner, found)
                bound |= {name}
                node = body
            case ast.LetUpdate(name=target, body=body):
                for part in (target, *node.indices, node.value):
                    _walk(part, bound, found)
                bound |= {target.name}
                node = body
            case ast.Loop(sizes=sizes, pattern=pattern, init=init, form=form, body=body):
                if init is not None:
                    _walk(init, bound, found)
                else:
                    for name in _bound(pattern):
                        _note(name, bound, found)
                inner = bound | _bound(*sizes, pattern)
                _types((pattern,), inner, found)
                bound = _clause(form, inner, found)
                node = body
            case ast.Comprehension(body=body, clauses=clauses):
                for clause in clauses:
                    bound = _clause(clause, bound, found)
                node = body
            case ast.Case(pattern=pattern, body=body):
                bound |= _bound(pattern)
                node = body
            case _:
                _children(node, bound, found)
                return


def _open(name: str, bound: frozenset[str]) -> bool:
    """Whether a local function's own name means the function in its body."""
    return name not in bound


def _note(name: str, bound: frozenset[str], found: dict[str, None]) -> None:
    if name not in bound:
        found[name] = None


def _children(node: ast.Node, bound: frozenset[str], found: dict[str, None]) -> None:
    for child in children(node):
        _walk(child, bound, found)


def _clause(clause: ast.Node, bound: frozenset[str], found: dict[str, None]) -> frozenset[str]:
    match clause:
        case ast.ForBelow(name=name, bound=limit):
            _walk(limit, bound, found)
            return bound | {name}
        case ast.ForIn(pattern=pattern, array=array):
            _walk(array, bound, found)
            return bound | _bound(pattern)
        case ast.While(condition=condition):
            _walk(condition, bound, found)
    return bound


def _types(nodes: tuple[ast.Node | None, ...], bound: frozenset[str], found: dict[str, None]) -> None:
    """Sizes in types mention names too; names of types are others."""
    for node in nodes:
        if node is not None:
            _walk(node, bound, found)


def _bound(*nodes: ast.Node) -> frozenset[str]:
    """Names that patterns and size binders bind."""
    names: set[str] = set()
    pending = list(nodes)
    while pending:
        here = pending.pop()
        if isinstance(here, (ast.PName, ast.SizeBinder)):
            names.add(here.name)
        elif isinstance(here, ast.PAscribe):
            pending.append(here.pattern)
        else:
            pending.extend(children(here))
    return frozenset(names)
