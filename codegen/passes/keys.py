"""Keys of operations: equal for operations that compute the same thing, up to the names of what they bind inside.

In: an operation. Out: a hashable key. Operands of commutative primitives are put in order; checks of the same condition
have one key, whatever they would say.
"""

from __future__ import annotations

from collections.abc import Hashable

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Op, Var
from ...lang.core.walk import atoms, scopes
from ...lang.prims import PRIMITIVES
from .sizes import CHECKS

Key = Hashable


class _Namer:
    """Numbers bound variables in the order in which they are bound."""

    def __init__(self) -> None:
        self.bound: dict[Var, int] = {}

    def bind(self, vars: tuple[Var, ...]) -> Key:
        for var in vars:
            self.bound[var] = len(self.bound)
        return tuple(var.type for var in vars)

    def atom(self, atom: Atom) -> Key:
        if isinstance(atom, Var):
            number = self.bound.get(atom)
            if number is not None:
                return number
        return atom

    def atoms(self, atoms: tuple[Atom, ...]) -> tuple[Key, ...]:
        return tuple([self.atom(a) for a in atoms])

    def shapes(self, shapes: tuple[tuple[Atom, ...], ...]) -> Key:
        return tuple([self.atoms(shape) for shape in shapes])

    def block(self, block: Block) -> Key:
        lines: list[Key] = []
        bound = self.bound
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, ir.Prim):
                lines.append(self.prim(op))
                bound[stmt.vars[0]] = len(bound)
            else:
                lines.append(self.op(op))
                lines.append(self.bind(stmt.vars))
        return (tuple(lines), self.atoms(block.results))

    def function(self, body: ir.Lambda) -> Key:
        return (self.bind(body.params), self.block(body.body))

    def prim(self, op: ir.Prim) -> Key:
        name = op.name
        keys = self.atoms(op.args)
        if name in CHECKS:
            return (name, keys)
        if name == "mark":
            return object()  # each is one of its own
        if len(keys) == 2 and PRIMITIVES[name].commutative:
            keys = tuple(sorted(keys, key=_order))
        return (name, keys, op.attrs)

    def op(self, op: Op) -> Key:
        match op:
            case ir.Prim():
                return self.prim(op)
            case ir.Call(function, args, _):
                return ("call", function, self.atoms(args))
            case ir.If(cond, then, orelse):
                return ("if", self.atom(cond), self.block(then), self.block(orelse))
            case ir.Map(arrays, body, shapes):
                return ("map", self.atoms(arrays), self.shapes(shapes), self.function(body))
            case ir.Reduce(arrays, neutral, body):
                return ("reduce", self.atoms(arrays), self.atoms(neutral), self.function(body))
            case ir.Scan(arrays, neutral, body):
                return ("scan", self.atoms(arrays), self.atoms(neutral), self.function(body))
            case ir.Loop(count, cond, index, params, init, body, shapes):
                head = (None if count is None else self.atom(count), self.atoms(init), self.shapes(shapes))
                test = None if cond is None else self.function(cond)
                return ("loop", head, test, self.bind((index, *params)), self.block(body))
            case ir.Diff(mode, body, args, seeds):
                return ("diff", mode, self.atoms(args), self.atoms(seeds), self.function(body))
            case ir.Custom(mode, body, rule, args):
                return ("custom", mode, self.atoms(args), self.function(body), self.function(rule))


def _order(key: Key) -> tuple[int, object]:
    match key:
        case int():
            return (0, key)
        case Var(id=number):
            return (1, number)
        case _:
            return (2, repr(key))


def key_of_prim(op: ir.Prim) -> Key:
    """The key of a primitive."""
    name, args = op.name, op.args
    if name in CHECKS:
        return (name, args)
    if len(args) == 2 and PRIMITIVES[name].commutative:
        x, y = args
        if not isinstance(x, Var):
            if isinstance(y, Var) or repr(x) > repr(y):
                args = (y, x)
        elif isinstance(y, Var) and x.id > y.id:
            args = (y, x)
    elif name == "mark":
        return object()  # each is one of its own
    return (name, args, op.attrs)


class Nest:
    """The key of an operation with blocks, or of a call. It is worked out when another one looks alike: it is as long
    as all that is inside.
    """

    __slots__ = ("_key", "op", "sketch", "vars")

    def __init__(self, op: Op) -> None:
        self.op = op
        self.vars: tuple[Var, ...] = ()
        """The results, once it is written."""
        self._key: Key = None
        self.sketch: Key = (type(op), atoms(op), tuple([(len(b.stmts), len(b.results)) for _, b in scopes(op)]))

    def key(self) -> Key:
        if self._key is None:
            self._key = _Namer().op(self.op)
        return self._key

    def same(self, other: Nest) -> bool:
        return self.op is other.op or self.key() == other.key()
