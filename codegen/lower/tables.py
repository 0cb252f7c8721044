"""Many expressions of one shape become rows of a table over one kernel.

In: a long sum `t1 + t2 - t3 + …`, a long array literal or a run of `let`s, of scalar floats. Expressions of one *shape*
differ in their *leaves* alone: literals, scalars that have names, elements `x[3]` of arrays that have names. Out: of
each shape with many instances one `map` of the first instance, in which parameters stand for the leaves, over arrays
of what the leaves are: tables of constants (`ir.Table`), and elements gathered from arrays by tables of indices. So
code grows with the number of shapes, and what comes after (derivatives above all) costs the same for ten rows and for
ten thousand. Values do not change: each row does what its expression does, and a sum goes from left to right
(`cumsum`).

Only expressions that cannot fail are moved; checks of indices that the checker has not proved stay where they were.
"""
from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from ...checker.result import BuiltinRef, GlobalRef, LocalRef, Use
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom, Const, Lambda, Table, Var
from ...lang.core.walk import callees, scopes, summary
from ...lang.prims import PRIMITIVES
from ...lang.surface import ast
from . import access
from .frame import Frame
from .patterns import bind_key
from .values import FunV, RecV, SumV, TupV, Value, leaves, map_leaves, rebuild, the_atom

ROWS = 4  # instances that a shape must have
WORTH = 300  # nodes that all instances of a block must have together: below this, code is better
LARGEST = 200  # nodes of an instance
ROUNDS = 4  # how far `let`s that read each other's tables are followed

OPERATORS = frozenset({"+", "-", "*", "/", "**"})


@dataclass(slots=True)
class Source:
    """An operand of a row: a scalar at hand, or the element at constant `indices` of an array."""

    atom: Atom
    indices: tuple[int, ...] = ()

    def key(self) -> Hashable:
        return (self.atom, self.indices)


@dataclass(slots=True)
class Leaf:
    """A node of the syntax, and the sources of the atoms of its value; `form` is that value."""

    node: ast.Exp
    form: Value
    sources: list[Source]
    check: ast.Index | None = None
    """An element of which it is not proved that it exists."""


@dataclass(slots=True)
class Instance:
    node: ast.Exp
    key: tuple[Hashable, ...]
    leaves: list[Leaf]


@dataclass(slots=True)
class Group:
    """Rows of one kernel: instances by their number."""

    members: dict[int, Instance] = field(default_factory=dict)
    body: Lambda | None = None
    arrays: list[list[Source]] = field(default_factory=list)
    """A column to each parameter of the body."""


class NoShape(Exception):
    """An expression with parts that rows cannot have."""


# ------------------------------------------------------------------ shapes


class Scan:
    """The shape and the leaves of an expression, in one walk."""

    def __init__(self, f: Frame) -> None:
        self.f = f
        self.uses = f.checked.uses
        self.types = f.checked.types

    def instance(self, e: ast.Exp, sign: str = "+") -> Instance | None:
        self.key: list[Hashable] = [sign]
        self.leaves: list[Leaf] = []
        try:
            self.walk(e)
        except NoShape:
            return None
        return Instance(e, tuple(self.key), self.leaves) if self.leaves and len(self.key) > 2 else None

    def walk(self, e: ast.Exp) -> None:
        key = self.key
        if len(key) > LARGEST or e in self.f.checked.opened:
            raise NoShape
        match e:
            case ast.Lit(value=value):
                t = self.f.type_of(e)
                if not isinstance(t, ty.Scalar) or t.name not in ir.FLOATS:
                    key.append(("lit", t, value))
                    return
                self.leaf(e, Const(float(value), t.name))
            case ast.Name():
                use = self.uses[e]
                match use.target:
                    case LocalRef(key=number):
                        self.local(e, number, use)
                    case GlobalRef(definition=definition):
                        key.append(("def", definition.qualified, *_instance(use)))
                    case BuiltinRef(name=name, dtype=dtype):
                        key.append(("builtin", name, dtype, *_instance(use)))
                    case _:
                        raise NoShape
            case ast.Apply(function=function, arguments=arguments):
                key.append(("apply", len(arguments)))
                self.walk(function)
                for a in arguments:
                    if self.f.specialiser.sizes_of_expression(a):
                        raise NoShape
                    self.walk(a)
            case ast.BinOp(op=op, left=left, right=right):
                use = self.uses.get(e)  # type: ignore[assignment]
                if use is not None:
                    if not isinstance(use.target, GlobalRef):
                        raise NoShape
                    key.append(("infix", use.target.definition.qualified, *_instance(use)))
                elif op in OPERATORS:
                    key.append(op)
                else:
                    raise NoShape
                self.walk(left)
                if op == "**" and isinstance(right, ast.Lit):
                    key.append(("lit", self.f.type_of(right), right.value))  # small exponents are multiplications
                else:
                    self.walk(right)
            case ast.UnOp(op="-", operand=ast.Lit(value=value)) if self.floats(e):
                self.leaf(e, Const(-float(value), self.dtype(e)))
            case ast.UnOp(op=op, operand=operand):
                key.append(("unary", op))
                self.walk(operand)
            case ast.Ascribe(operand=operand) | ast.GradeAscribe(operand=operand):
                self.walk(operand)
            case ast.TupleExp(items=items):
                key.append(("tuple", len(items)))
                for item in items:
                    self.walk(item)
            case ast.Index() | ast.Field():
                self.element(e)
            case _:
                raise NoShape

    def dtype(self, e: ast.Exp) -> str:
        t = self.f.type_of(e)
        return t.name if isinstance(t, ty.Scalar) else ""

    def floats(self, e: ast.Exp) -> bool:
        return self.dtype(e) in ir.FLOATS

    def local(self, e: ast.Name | ast.Field, number: int, use: Use, path: Sequence[str] = ()) -> None:
        value = self.f.env.get(number)
        if value is None:
            raise NoShape
        for name in path:
            value = _part(value, name)
        if isinstance(value, Var | Const | RecV | TupV) and _scalars(value):
            self.leaf(e, value)
        else:  # an array or a function: the same one in each row
            self.key.append(("local", number, *path, *_instance(use)))

    def element(self, e: ast.Index | ast.Field) -> None:
        """`x[3]`, `p.x`, `p[3].x`, `m[1, 2]`, `ps.x[3]`: what stands at a constant place of something with a name."""
        path: list[str] = []
        at: ast.Exp = e
        index: ast.Index | None = None
        before: list[str] = []
        while True:
            match at:
                case ast.Field(record=record, name=name) if at not in self.uses:
                    (before if index is not None else path).append(name)
                    at = record
                case ast.Index(array=array) if index is None:
                    index = at
                    at = array
                case ast.Name():
                    break
                case _:
                    raise NoShape
        use = self.uses[at]
        if not isinstance(use.target, LocalRef):
            raise NoShape
        if index is None:
            assert isinstance(e, ast.Field)
            self.local(e, use.target.key, use, path[::-1])
            return
        value = self.f.env.get(use.target.key)
        if value is None:
            raise NoShape
        for name in before[::-1]:
            value = _part(value, name)
        places: list[int] = []
        for i in index.indices:
            if not isinstance(i, ast.Lit) or not isinstance(i.value, int) or i.value < 0:
                raise NoShape
            places.append(i.value)
        for name in path[::-1]:
            value = _part(value, name)
        if isinstance(value, FunV | SumV) or any(a.type.rank < len(places) for a in leaves(value)):
            raise NoShape
        checked = self.f.checked
        proved = index in checked.proved or all(i in checked.proved for i in index.indices)
        made: Leaf = Leaf(e, map_leaves(value, lambda a: Var(0, "x", ir.Type(a.type.dtype, a.type.rank - len(places)))),
                          [Source(a, tuple(places)) for a in leaves(value)], None if proved else index)
        self.key.append(_form(made.form))
        self.leaves.append(made)

    def leaf(self, e: ast.Exp, value: Value) -> None:
        rows, supply = self.f.specialiser.elements, self.f.b.supply
        sources = []
        for atom in leaves(value):
            row = rows.get((supply, atom)) if isinstance(atom, Var) else None
            sources.append(Source(atom) if row is None else Source(row[0], (row[1],)))
        self.key.append(_form(value))
        self.leaves.append(Leaf(e, value, sources))


def _instance(use: Use) -> tuple[Hashable, ...]:
    """What a polymorphic name stands for."""
    if not use.types and not use.sizes:
        return ()
    return (tuple(use.types.items()), tuple(use.sizes.items()))


def _part(value: Value, name: str) -> Value:
    if isinstance(value, TupV):
        return value.items[int(name)]
    if not isinstance(value, RecV):
        raise NoShape
    return value.get(name)


def _scalars(value: Value) -> bool:
    match value:
        case Var() | Const():
            return value.type.rank == 0
        case RecV(fields):
            return all(_scalars(v) for _, v in fields)
        case TupV(items):
            return all(map(_scalars, items))
        case _:
            return False


def _form(value: Value) -> Hashable:
    match value:
        case Var() | Const():
            return value.type
        case RecV(fields):
            return tuple((n, _form(v)) for n, v in fields)
        case TupV(items):
            return tuple(map(_form, items))
        case _:
            raise NoShape


# ------------------------------------------------------------------ groups


def groups_of(f: Frame, instances: Sequence[Instance | None]) -> list[Group]:
    """The shapes that are worth a table, with their kernels."""
    by_key: dict[tuple[Hashable, ...], Group] = {}
    for number, instance in enumerate(instances):
        if instance is not None:
            by_key.setdefault(instance.key, Group()).members[number] = instance
    found = [g for g in by_key.values() if len(g.members) >= ROWS]
    return [g for g in found if kernel(f, g)] if worth(found) else []


def worth(groups: Sequence[Group]) -> bool:
    return sum(len(g.members) * len(next(iter(g.members.values())).key) for g in groups) >= WORTH


def kernel(f: Frame, group: Group) -> bool:
    """Write the body of a group's map; False if it cannot be one."""
    from .expressions import expression

    instances = list(group.members.values())
    first = instances[0]
    g = f.nested()
    params: list[Var] = []
    columns: dict[tuple[Hashable, ...], Atom] = {}  # what is one value in each instance is one in each row
    given: dict[ast.Exp, Value] = {}
    for k, leaf in enumerate(first.leaves):
        atoms: list[Atom] = []
        for j, atom in enumerate(leaves(leaf.form)):
            column = [instance.leaves[k].sources[j] for instance in instances]
            key = tuple([s.key() for s in column])
            known = columns.get(key)
            if known is None:
                if len(set(key)) == 1 and not column[0].indices:
                    known = column[0].atom
                else:
                    param = g.b.fresh("x", atom.type)
                    params.append(param)
                    group.arrays.append(column)
                    known = param
                columns[key] = known
            atoms.append(known)
        given[leaf.node] = rebuild(leaf.form, iter(atoms))
    if not params:
        return False
    g.given = given
    value = the_atom(expression(g, first.node))
    if first.key[0] == "-":
        value = g.b.neg(value)
    body = g.b.block([value])
    if not total(f, body):
        return False
    group.body = Lambda(tuple(params), body)
    return True


def total(f: Frame, block: ir.Block) -> bool:
    """Whether the code surely ends without an error."""
    pending = [block]
    while pending:
        for stmt in pending.pop().stmts:
            op = stmt.op
            if isinstance(op, ir.Prim):
                if PRIMITIVES[op.name].fails:
                    return False
            elif isinstance(op, ir.Diff) or (isinstance(op, ir.Loop) and op.count is None):
                return False
            else:
                pending.extend(inner for _, inner in scopes(op))
    return all(total_function(f, name) for name in callees(block))


def total_function(f: Frame, name: str) -> bool:
    function = f.specialiser.functions.get(name)
    if function is None:  # it is being written: recursion
        return False
    found: bool | None = function.known.get("total")
    if found is None:
        known = summary(function)
        found = function.known["total"] = not known.endless and not known.diffs and not function.again \
            and not any(PRIMITIVES[p].fails for p in known.prims) \
            and all(other != name and total_function(f, other) for other in known.calls)
    return found


# ------------------------------------------------------------------ writing


def table(f: Frame, values: Sequence[float], dtype: str) -> Atom:
    specialiser = f.specialiser
    specialiser.tables += 1
    return f.b.prim("table", of=Table(f"table{specialiser.tables}", dtype, tuple(values)), as_="rows")


def column(f: Frame, sources: Sequence[Source]) -> Atom:
    """An array of the sources, row by row."""
    pieces: dict[Hashable, list[int]] = {}
    for row, source in enumerate(sources):
        kind = (source.atom, len(source.indices)) if source.indices else (type(source.atom), 0)
        pieces.setdefault(kind, []).append(row)
    made = [piece(f, [sources[row] for row in rows]) for rows in pieces.values()]
    return ordered(f, made, list(pieces.values()))


def piece(f: Frame, sources: Sequence[Source]) -> Atom:
    first = sources[0].atom
    if isinstance(first, Const):
        return table(f, [s.atom.value for s in sources if isinstance(s.atom, Const)], first.dtype)
    if not sources[0].indices:
        distinct = {s.atom: None for s in sources}
        places = {atom: k for k, atom in enumerate(distinct)}
        stacked = f.b.prim("stack", *distinct, as_="xs")
        return picked(f, stacked, [(places[s.atom],) for s in sources], len(distinct))
    return picked(f, first, [s.indices for s in sources], f.specialiser.rows.get((f.b.supply, first), -1))


def picked(f: Frame, array: Atom, places: Sequence[tuple[int, ...]], rows: int) -> Atom:
    """Elements of an array, which has this many rows as far as is known."""
    if places == [(k,) for k in range(rows)]:
        return array
    return f.b.prim("gather", array, *(table(f, axis, "i64") for axis in zip(*places, strict=True)), as_="xs")


def ordered(f: Frame, pieces: Sequence[Atom], rows: Sequence[Sequence[int]]) -> Atom:
    """One array of arrays, of which each says which rows it has."""
    if len(pieces) == 1:
        return pieces[0]
    place = {row: k for k, row in enumerate(row for some in rows for row in some)}
    joined = f.b.prim("concat", *pieces, as_="xs")
    return picked(f, joined, [(place[row],) for row in range(len(place))], len(place))


def write(f: Frame, group: Group) -> Var:
    """The array of a group's results."""
    assert group.body is not None
    first = next(iter(group.members.values()))
    f.at(first.node.span)
    arrays = [column(f, sources) for sources in group.arrays]
    (result,) = f.b.map(arrays, group.body, [()], "terms")
    f.specialiser.rows[f.b.supply, result] = len(group.members)
    return result


def terms(f: Frame, operands: Sequence[tuple[str, ast.Exp]]) -> Atom | None:
    """The values of scalar operands with their signs, in an array, where tables are worth it; else None."""
    if len(operands) < ROWS:
        return None
    t = f.type_of(operands[-1][1])
    if not isinstance(t, ty.Scalar) or t.name not in ir.FLOATS:
        return None
    scan = Scan(f)
    groups = groups_of(f, [scan.instance(e, sign) for sign, e in operands])
    if not groups:
        return None
    return written(f, operands, groups)


def written(f: Frame, operands: Sequence[tuple[str, ast.Exp]], groups: Sequence[Group]) -> Atom:
    from .expressions import expression

    member = {number: instance for group in groups for number, instance in group.members.items()}
    others: dict[int, Atom] = {}
    for number, (sign, e) in enumerate(operands):
        if number in member:
            for leaf in member[number].leaves:
                if leaf.check is not None:
                    check(f, leaf.check, leaf.sources)
        else:
            value = the_atom(expression(f, e))
            others[number] = f.b.neg(value) if sign == "-" else value
    pieces: list[Atom] = [write(f, group) for group in groups]
    rows = [list(group.members) for group in groups]
    if others:
        pieces.append(f.b.prim("stack", *others.values(), as_="xs"))
        rows.append(list(others))
    return ordered(f, pieces, rows)


def check(f: Frame, e: ast.Index, sources: Sequence[Source]) -> None:
    """The checks of an element's indices, where it stands."""
    if sources:
        args = [access.PlainArg(node, i64(k)) for node, k in zip(e.indices, sources[0].indices, strict=True)]
        access.resolve(f, e, e.array.span.text, sources[0].atom, args)


# ------------------------------------------------------------------ where tables may stand


def summed(f: Frame, spine: Sequence[ast.BinOp]) -> Value | None:
    """`a + b - c + …`, its outermost operator first, by tables; None where they are not worth it."""
    if len(spine) < ROWS:
        return None
    operands = [(node.op, node.right) for node in reversed(spine)]
    array = terms(f, [("+", spine[-1].left), *operands])
    if array is None:
        return None
    b = f.at(spine[0].span)
    sums = b.prim("cumsum", array, axis=0, as_="sums")
    return b.prim("index", sums, b.sub(b.dim(array), i64(1)), as_="t")


def let_rows(f: Frame, e: ast.LetPat) -> dict[ast.Exp, Value]:
    """The values of those of a run of `let`s that are rows of tables, and what they are bound to; written here."""
    run: list[ast.LetPat] = []
    at: ast.Exp = e
    while isinstance(at, ast.LetPat):
        run.append(at)
        at = at.body
    found: dict[ast.Exp, Value] = {}
    if len(run) < ROWS:
        return found
    left = [node for node in run if not node.sizes and plain_name(node.pattern) is not None and scalar(f, node.value)]
    for _ in range(ROUNDS):
        if len(left) < ROWS:
            break
        scan = Scan(f)
        instances = [scan.instance(node.value) for node in left]
        groups = groups_of(f, [i if i is None or all(leaf.check is None for leaf in i.leaves) else None
                               for i in instances])
        if not groups:
            break
        for group in groups:
            result = write(f, group)
            for row, number in enumerate(group.members):
                node = left[number]
                f.at(node.value.span)
                pattern = plain_name(node.pattern)
                assert pattern is not None
                value = f.b.prim("index", result, i64(row), as_=pattern.name)
                assert isinstance(value, Var)
                f.specialiser.elements[f.b.supply, value] = (result, row)
                found[node] = value
                bind_key(f, f.checked.bindings[pattern].key, value)
        left = [node for node in left if node not in found]
    return found


def plain_name(pattern: ast.Pattern) -> ast.PName | None:
    while isinstance(pattern, ast.PAscribe):
        pattern = pattern.pattern
    return pattern if isinstance(pattern, ast.PName) else None


def scalar(f: Frame, e: ast.Exp) -> bool:
    t = f.checked.types.get(e)
    return isinstance(t, ty.Scalar) and t.name in ir.FLOATS
