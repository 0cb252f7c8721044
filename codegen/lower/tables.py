"""Many expressions of one shape become rows of a table over one kernel.

In: a long sum `t1 + t2 - t3 + …`, a long array literal or a run of `let`s, of scalar floats. Expressions of one *shape*
differ in their *leaves* alone: literals, scalars that have names, elements `x[3]` of arrays that have names. Out: of
each shape with many instances one `map` of the first instance, in which parameters stand for the leaves, over arrays
of what the leaves are: tables of constants (`ir.Table`), and elements gathered from arrays by tables of indices. So
code grows with the number of shapes, and what comes after (derivatives above all) costs the same for ten rows and for
ten thousand. Values do not change: each row does what its expression does, and a sum goes from left to right
(`ordered_sum`).

Only expressions that cannot fail are moved; checks of indices that the checker has not proved stay where they were.
"""
from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import PLACES, Atom, Const, Lambda, Table, Var
from ...lang.core.walk import Renamer, callees, scopes, summary
from ...lang.prims import PRIMITIVES
from ...lang.surface import ast
from . import access
from .columns import Column, columns_of
from .frame import Frame
from .patterns import project
from .shapes import Instance, Scan, Slot, plain_name
from .values import RowV, Value, leaves, rebuild, the_atom

ROWS = 4  # instances that a shape must have
WORTH = 300  # nodes that all instances of a block must have together: below this, code is better
ROUNDS = 4  # how far `let`s that read each other's tables are followed

@dataclass(slots=True)
class Source:
    """A scalar, or the element of an array at constant places."""

    atom: Atom
    indices: tuple[int, ...] = ()


@dataclass(slots=True)
class Group:
    """Rows of one kernel: instances by their number."""

    members: dict[int, Instance] = field(default_factory=dict)
    body: Lambda | None = None
    columns: Sequence[Column] = ()
    """What each parameter of the body is, row by row."""


# ------------------------------------------------------------------ groups


def groups_of(f: Frame, instances: Sequence[Instance | None]) -> list[Group]:
    """The shapes that are worth a table, with their kernels, in an order that does not depend on that of the rows."""
    same: dict[int, Group] = {}  # most equal keys are one object
    by_key: dict[tuple[Hashable, ...], Group] = {}
    for number, instance in enumerate(instances):
        if instance is not None:
            group = same.get(id(instance.key))
            if group is None:
                group = same[id(instance.key)] = by_key.setdefault(instance.key, Group())
            group.members[number] = instance
    found = [(repr(key), g) for key, g in by_key.items() if len(g.members) >= ROWS and not f.specialiser.promises]
    found.sort(key=lambda one: one[0])
    groups = [g for _, g in found]
    return [g for g in groups if kernel(f, g)] if worth(groups) else []


def worth(groups: Sequence[Group]) -> bool:
    return sum(len(g.members) * len(next(iter(g.members.values())).key) for g in groups) >= WORTH


def kernel(f: Frame, group: Group) -> bool:
    """Write the body of a group's map; False if it cannot be one."""
    instances, memory = list(group.members.values()), f.specialiser.memory
    columns = columns_of(instances) if memory is None else memory.columns(instances, columns_of)
    group.columns, pattern = columns.columns, columns.pattern
    if not group.columns:
        return False
    key = (instances[0].key, pattern)
    kept = memory is not None and -1 not in pattern and memory.kernel(key)
    if kept and f.specialiser.have(kept.calls, callees(kept.body.body)):
        group.body = Renamer(f.b.supply).function(kept.body)
        return True
    f.specialiser.called.clear()
    group.body = written_kernel(f, instances[0], pattern, len(group.columns))
    if group.body is None:
        return False
    if memory is not None and -1 not in pattern and not any(
            isinstance(part, tuple) and part[:1] == ("local",) for part in instances[0].key):
        memory.keep_kernel(key, group.body, f.specialiser.called)
    return True


def written_kernel(f: Frame, instance: Instance, pattern: Sequence[int], columns: int) -> Lambda | None:
    """The body of a map over so many columns; None if it cannot be one."""
    from .expressions import expression

    first = Scan(f).slowly(instance.node, str(instance.key[0]))  # with its nodes
    assert first is not None
    g = f.nested()
    params: list[Var | None] = [None] * columns
    given: dict[ast.Exp, Value] = {}
    slots = iter(zip(first.slots, pattern, strict=True))
    for node, form in first.leaves:
        atoms: list[Atom] = []
        for atom in leaves(form):
            slot, place = next(slots)
            if place < 0:
                atoms.append(slot_value(f, slot))
                continue
            param = params[place]
            if param is None:
                param = params[place] = g.b.fresh("x", atom.type)
            atoms.append(param)
        assert node is not None
        given[node] = rebuild(form, iter(atoms))
    g.given = given
    value = the_atom(expression(g, first.node))
    if first.key[0] == "-":
        value = g.b.neg(value)
    body = g.b.block([value])
    return Lambda(tuple([p for p in params if p is not None]), body) if total(f, body) else None


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


def table(f: Frame, values: Sequence[float], dtype: str, name: str = "table") -> Var:
    counts = f.specialiser.tables
    number = counts[f.function] = counts.get(f.function, 0) + 1
    values = values if isinstance(values, tuple) else tuple(values)
    op = ir.Prim("table", (), (("of", Table(f"{name}{number} {f.function}", dtype, values)),))
    return bound(f, op, ir.Type(dtype, 1), "rows")


def places_table(f: Frame, places: Sequence[int]) -> Var:
    return table(f, places, "i64", PLACES)


def bound(f: Frame, op: ir.Op, t: ir.Type, name: str) -> Var:
    """As `Builder.bind`, where the type is known: there are many of these."""
    var = f.b.supply.var(name, t)
    f.b.stmts.append(ir.Stmt((var,), op, f.b.span))
    return var


def slot_value(f: Frame, slot: Slot) -> Atom:
    """The scalar, or the array of which it is an element."""
    if isinstance(slot, Const):
        return slot
    number, path, _, part = slot
    return leaves(project(f.local(number), path))[part]


def column(f: Frame, what: Column) -> Atom:
    """An array of the operands, row by row."""
    slots = what.slots
    one = slots[0]
    if isinstance(one, Const):
        if what.literals is not None:
            return table(f, what.literals, one.dtype)
    elif what.axes is not None and not isinstance(f.env[one[0]], RowV):
        array = slot_value(f, one)
        return gathered(f, array, what.axes, f.specialiser.rows.get((f.b.supply, array), -1))
    sources: dict[Hashable, Source] = {}
    pieces: dict[tuple[Atom | type, int], list[int]] = {}
    found: list[Source] = []
    for row, slot in enumerate(slots):
        origin: Hashable = None if isinstance(slot, Const) else (slot[0], slot[1], slot[3])
        source = sources.get(origin)
        if source is None:
            source = sources[origin] = source_of(f, slot)
        if isinstance(slot, Const):
            source = Source(slot)
        elif slot[2]:
            source = Source(source.atom, slot[2])
        found.append(source)
        kind: tuple[Atom | type, int] = (source.atom if source.indices else type(source.atom), len(source.indices))
        pieces.setdefault(kind, []).append(row)
    if len(pieces) == 1:
        return piece(f, found)
    ordered = [rows for _, rows in sorted(pieces.items(), key=lambda one: rank(one[0]))]
    made = [piece(f, [found[row] for row in rows]) for rows in ordered]
    return picked_in_order(f, *joined(f, made, ordered))


def rank(kind: tuple[Atom | type, int]) -> tuple[int, int]:
    """An order of the pieces of a column that does not depend on that of the rows."""
    what, indices = kind
    return (what.id if isinstance(what, Var) else -1 - (what is Const), indices)


def source_of(f: Frame, slot: Slot) -> Source:
    """The operand, or the array of which it is an element; a row of an array of terms as an element of that."""
    if isinstance(slot, Const):
        return Source(slot)
    value = f.env[slot[0]]
    if isinstance(value, RowV):
        return Source(value.array, (value.row,))
    return Source(slot_value(f, slot))


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
    return gathered(f, array, tuple(zip(*places, strict=True)), rows)


def gathered(f: Frame, array: Atom, places: Sequence[tuple[int, ...]], rows: int) -> Atom:
    """As `picked`; the places axis by axis."""
    if len(places) == 1 and len(places[0]) == rows and places[0] == tuple(range(rows)):
        return array
    axes = [places_table(f, axis) for axis in places]
    return bound(f, ir.Prim("gather", (array, *axes)), ir.Type(array.type.dtype, array.type.rank - len(axes) + 1), "xs")


def joined(f: Frame, pieces: Sequence[Atom], rows: Sequence[Sequence[int]]) -> tuple[Atom, list[int]]:
    """One array of arrays, of which each says which rows it has; and where the rows stand in it."""
    place = {row: k for k, row in enumerate(row for some in rows for row in some)}
    whole = f.b.prim("concat", *pieces, as_="xs") if len(pieces) > 1 else pieces[0]
    return whole, [place[row] for row in range(len(place))]


def picked_in_order(f: Frame, array: Atom, places: Sequence[int]) -> Atom:
    return picked(f, array, [(k,) for k in places], len(places))


def write(f: Frame, group: Group) -> Var:
    """The array of a group's results."""
    assert group.body is not None
    first = next(iter(group.members.values()))
    f.at(first.node.span)
    arrays = [column(f, what) for what in group.columns]
    (result,) = f.b.map(arrays, group.body, [()], "terms")
    f.specialiser.rows[f.b.supply, result] = len(group.members)
    return result


def items(f: Frame, nodes: Sequence[ast.Exp]) -> Atom | None:
    """The values of scalar expressions in an array, where tables are worth it; else None."""
    found = terms(f, [("+", node) for node in nodes])
    return None if found is None else picked_in_order(f, *found)


def terms(f: Frame, operands: Sequence[tuple[str, ast.Exp]]) -> tuple[Atom, list[int]] | None:
    """The values of scalar operands with their signs, in an array, and where they stand in it, where tables are worth
    it; else None."""
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


def written(f: Frame, operands: Sequence[tuple[str, ast.Exp]], groups: Sequence[Group]) -> tuple[Atom, list[int]]:
    from .expressions import expression

    member = {number: instance for group in groups for number, instance in group.members.items()}
    others: dict[int, Atom] = {}
    for number, (sign, e) in enumerate(operands):
        if number in member:
            for slot, index in member[number].checks:
                check(f, index, member[number].slots[slot])
        else:
            value = the_atom(expression(f, e))
            others[number] = f.b.neg(value) if sign == "-" else value
    pieces: list[Atom] = [write(f, group) for group in groups]
    rows = [list(group.members) for group in groups]
    if others:
        pieces.append(f.b.prim("stack", *others.values(), as_="xs"))
        rows.append(list(others))
    return joined(f, pieces, rows)


def check(f: Frame, e: ast.Index, slot: Slot) -> None:
    """The checks of an element's indices, where it stands."""
    assert not isinstance(slot, Const)
    args = [access.PlainArg(node, i64(k)) for node, k in zip(e.indices, slot[2], strict=True)]
    access.resolve(f, e, e.array.span.text, slot_value(f, slot), args)


# ------------------------------------------------------------------ where tables may stand


def summed(f: Frame, spine: Sequence[ast.BinOp]) -> Value | None:
    """`a + b - c + …`, its outermost operator first, by tables; None where they are not worth it."""
    if len(spine) < ROWS:
        return None
    operands = [(node.op, node.right) for node in reversed(spine)]
    found = terms(f, [("+", spine[-1].left), *operands])
    if found is None:
        return None
    array, places = found
    return f.at(spine[0].span).prim("ordered_sum", array, places_table(f, places), axis=0, as_="t")


def let_rows(f: Frame, e: ast.LetPat) -> set[ast.Exp]:
    """Those of a run of `let`s that are rows of tables; the tables are written here, and the names are bound."""
    run: list[ast.LetPat] = []
    at: ast.Exp = e
    while isinstance(at, ast.LetPat):
        run.append(at)
        at = at.body
    found: set[ast.Exp] = set()
    if len(run) < ROWS:
        return found
    left = [node for node in run if not node.sizes and plain_name(node.pattern) is not None and scalar(f, node.value)]
    for _ in range(ROUNDS):
        if len(left) < ROWS:
            break
        scan = Scan(f)
        instances = [scan.instance(node.value) for node in left]
        groups = groups_of(f, [i if i is None or not i.checks else None for i in instances])
        if not groups:
            break
        for group in groups:
            result = write(f, group)
            for row, number in enumerate(group.members):
                node = left[number]
                pattern = plain_name(node.pattern)
                assert pattern is not None
                f.env[f.checked.bindings[pattern].key] = RowV(result, row, pattern.name, node.value.span)
                found.add(node)
        left = [node for node in left if node not in found]
    return found


def scalar(f: Frame, e: ast.Exp) -> bool:
    t = f.checked.types.get(e)
    return isinstance(t, ty.Scalar) and t.name in ir.FLOATS
