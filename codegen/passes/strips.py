"""Arrays much larger than what comes in and goes out are made a strip at a time.

Runs on array code, after contraction, block by block. The sum of the least of n × k distances needs no n × k array:
statements around such an array that treat one of its axes element by element are put into a loop over strips of that
axis, which adds up sums over the axis and writes what has the axis into its place. A strip is as long as fits into a
cache, so that memory is bounded and read while it is near; where everything fits, the loop runs once.

    d = sub (expand x) (expand y)             for each strip of x, as xs:
    m = minimum d {axis = 1}          →           d = sub (expand xs) (expand y)
    s = sum m                                     m[strip] = minimum d {axis = 1}

An array is large when no array that exists anyway has all of its axes. A group grows from one of them and one of its
axes: what makes and what reads a large array must be in the group, and so must be what lies between; where a statement
mixes elements along the axis otherwise than by a sum, the group fails, and the next axis is tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64, zero
from ...lang.core.ir import Atom, Block, Const, Function, Lambda, Prim, Stmt, Var
from ...lang.core.primitive import PRIMITIVES
from ...lang.core.walk import free_in_op, free_vars
from .lane_sizes import axis_sources

STRIP = 2**19
"""Elements of all large arrays together in one strip."""

SMALL = 8
"""Axes of at most this constant size make no array large."""

Size = Const | tuple[Var, int] | Var
"""A constant, the length of an axis, or a variable."""

ALONG = frozenset(("cumsum", "cumprod", "cummax", "cummin", "argsort", "flip", "roll"))
FOLDS = frozenset(("sum", "prod", "maximum", "minimum", "all", "any", "argmax", "argmin"))
VIEWS = frozenset(("expand", "transpose", "broadcast"))


def strips(function: Function, body: Block, supply: Fresh) -> Block:
    """`body`, the function's in array code, in strips."""
    sizes = _Sizes()
    first: dict[Atom, tuple[Var, int]] = {}
    for param, known in zip(function.params, function.dims, strict=False):
        for axis, size in enumerate(known):
            if isinstance(size, Const):
                sizes.known[param, axis] = size
            elif size is not None:
                sizes.known[param, axis] = first.setdefault(size, (param, axis))
    return _block(body, sizes, supply)


def _block(block: Block, sizes: _Sizes, supply: Fresh) -> Block:
    stmts: list[Stmt] = []
    for stmt in block.stmts:
        made = replace(stmt, op=_inside(stmt.op, sizes, supply))
        sizes.define(made)
        stmts.append(made)
    block = Block(tuple(stmts), block.results)
    tried: set[tuple[Var, int]] = set()
    while True:
        group = _next_group(block, sizes, tried)
        if group is None:
            return block
        block = _written(block, group, sizes, supply)


def _inside(op: ir.Op, sizes: _Sizes, supply: Fresh) -> ir.Op:
    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, _block(then, sizes, supply), _block(orelse, sizes, supply))
        case ir.Loop(cond=cond, body=body):
            tested = None if cond is None else Lambda(cond.params, _block(cond.body, sizes, supply))
            return replace(op, cond=tested, body=_block(body, sizes, supply))
    return op


# ------------------------------------------------------------------ sizes


class _Sizes:
    """Where the length of each axis comes from, as far back as it can be followed."""

    def __init__(self) -> None:
        self.known: dict[tuple[Var, int], Size] = {}
        self.read: dict[Var, Size] = {}
        self.shapes: dict[Var, tuple[Size, ...]] = {}

    def define(self, stmt: Stmt) -> None:
        op = stmt.op
        if not isinstance(op, Prim):
            return
        var, attrs = stmt.vars[0], dict(op.attrs)
        if op.name == "dim":
            axis = op.attr("axis")
            assert isinstance(op.args[0], Var)
            assert isinstance(axis, int)
            self.read[var] = self.of(op.args[0])[axis]
        for axis in range(var.type.rank):
            operands = along(op, axis, self)
            found: list[Size] = []
            for x, k in zip(op.args, operands or [], strict=False):
                if isinstance(x, Var) and k is not None:
                    found.append(self.of(x)[k])
            if not found:
                for source in axis_sources(op.name, op.args, attrs, var.type)[axis]:
                    if isinstance(source, tuple):
                        found.append(self.of(source[0])[source[1]] if isinstance(source[0], Var) else i64(1))
                    elif source is not None:
                        found.append(self.read.get(source, source) if isinstance(source, Var) else source)
            full = [size for size in found if size != i64(1)]
            if found:
                self.known[var, axis] = full[0] if full else found[0]

    def of(self, atom: Atom) -> tuple[Size, ...]:
        if not isinstance(atom, Var):
            return ()
        found = self.shapes.get(atom)
        if found is None:
            found = tuple(self.known.get((atom, axis), (atom, axis)) for axis in range(atom.type.rank))
            self.shapes[atom] = found
        return found

    def flat(self, atom: Atom, axis: int) -> bool:
        return self.of(atom)[axis] == i64(1)


def measure(shape: Sequence[Size]) -> Counter[Size]:
    """The axes that count."""
    return Counter(s for s in shape if not (isinstance(s, Const) and s.value <= SMALL))


# ------------------------------------------------------------------ axes through operations


def along(op: Prim, axis: int, sizes: _Sizes) -> list[int | None] | None:
    """The operands' axes of which axis `axis` of the result is made element by element; None in the list for an operand
    that is used whole, None for no such axes.
    """
    args = op.args
    whole: list[int | None] = [None] * len(args)

    def each(k: int) -> list[int | None]:
        return [k if a.type.rank and not sizes.flat(a, k) else None for a in args]

    def only(k: int) -> list[int | None]:
        return [k, *whole[1:]]

    if PRIMITIVES[op.name].elementwise:
        rank = max(a.type.rank for a in args)
        return each(axis) if all(a.type.rank in (0, rank) for a in args) else None
    match op.name:
        case "expand" | "broadcast":
            axes = op.attr("axes")
            assert isinstance(axes, tuple)
            if axis not in axes:
                return only(axis - sum(k < axis for k in axes))
            return whole if op.name == "broadcast" else None
        case "replicate":
            return [None, axis - 1] if axis else whole
        case "transpose":
            perm = op.attr("perm")
            assert isinstance(perm, tuple)
            return [perm[axis]]
        case "zeros_like":
            return [axis]
        case name if name in FOLDS:
            return [axis + (axis >= _axis(op))]
        case name if name in ALONG:
            return only(axis) if axis != _axis(op) else None
        case "slice":
            return only(axis) if axis != _axis(op) else None
        case "join":
            return each(axis) if axis != _axis(op) else None
        case "pack":
            return each(axis - (axis > _axis(op))) if axis != _axis(op) else None
        case "stack":
            return each(axis - 1) if axis else None
        case "concat":
            return each(axis) if axis else None
        case "index":
            return only(axis + len(args) - 1)
        case "contract":
            inputs, out = _labels(op)
            return [labels.index(out[axis]) if out[axis] in labels else None for labels in inputs]
        case "take":
            lead, indices = op.attr("lead"), args[1:]
            assert isinstance(lead, int)
            depth = max(i.type.rank for i in indices)
            if axis < lead:
                return only(axis)
            if axis >= lead + depth:
                return only(axis - depth + len(indices))
            k = axis - lead
            return [None, *(k if i.type.rank and not sizes.flat(i, k) else None for i in indices)]
    return None


def _axis(op: Prim) -> int:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return axis


def _labels(op: Prim) -> tuple[list[str], str]:
    spec = op.attr("spec")
    assert isinstance(spec, str)
    inputs, out = spec.split("->")
    return inputs.split(","), out


def summed(op: Prim, position: int, axis: int) -> list[int | None] | None:
    """If `op` sums over axis `axis` of the operand at `position`: each operand's axis that is summed."""
    if op.name == "sum" and _axis(op) == axis:
        return [axis]
    if op.name == "contract":
        inputs, out = _labels(op)
        letter = inputs[position][axis]
        if letter not in out:
            return [labels.index(letter) if letter in labels else None for labels in inputs]
    return None


# ------------------------------------------------------------------ groups


class _Fails(Exception):
    """The group cannot be: something large would be needed whole."""


@dataclass
class _Group:
    size: Size
    axes: dict[Var, int] = field(default_factory=dict)
    """For results in the group, the axis that is cut."""
    operands: dict[int, list[int | None]] = field(default_factory=dict)
    """For statements in the group, by number, the axis of each operand that is cut."""
    sums: set[int] = field(default_factory=set)
    """Statements that sum over the axis."""
    large: set[Var] = field(default_factory=set)


class _Flow:
    """Who makes and who reads what in a block, and which arrays are large."""

    def __init__(self, block: Block, sizes: _Sizes) -> None:
        self.block, self.sizes = block, sizes
        self.maker: dict[Var, int] = {}
        self.readers: dict[Var, list[int]] = {}
        self.needs: list[list[int]] = []
        """For each statement, those whose results it reads."""
        for k, stmt in enumerate(block.stmts):
            needed = free_in_op(stmt.op)
            for var in needed:
                self.readers.setdefault(var, []).append(k)
            self.needs.append([self.maker[v] for v in needed if v in self.maker])
            for var in stmt.vars:
                self.maker[var] = k
        there = [*free_vars(block), *(r for r in block.results if isinstance(r, Var))]
        there += [v for s in block.stmts if not self.movable(s) for v in s.vars]
        measures = [measure(shape) for shape in {sizes.of(v): None for v in there}]
        is_large: dict[tuple[Size, ...], bool] = {}
        self.large: dict[Var, None] = {}
        for stmt in block.stmts:
            for var in stmt.vars if self.movable(stmt) else ():
                shape = sizes.of(var)
                if shape not in is_large:
                    own = measure(shape)
                    is_large[shape] = len(shape) > 1 and not any(own <= m for m in measures)
                if is_large[shape]:
                    self.large[var] = None

    def movable(self, stmt: Stmt) -> bool:
        return isinstance(stmt.op, Prim) and not PRIMITIVES[stmt.op.name].fails

    def op(self, k: int) -> Prim:
        op = self.block.stmts[k].op
        if not isinstance(op, Prim) or PRIMITIVES[op.name].fails:
            raise _Fails
        return op

    def after(self, group: set[int]) -> set[int]:
        """Statements that need a result of the group."""
        found: set[int] = set()
        for k in range(min(group), len(self.needs)):
            if any(m in group or m in found for m in self.needs[k]):
                found.add(k)
        return found

    def before(self, group: set[int]) -> set[int]:
        """Statements of which the group needs a result."""
        found: set[int] = set()
        for k in range(max(group), -1, -1):
            if k in group or k in found:
                found.update(self.needs[k])
        return found


def _next_group(block: Block, sizes: _Sizes, tried: set[tuple[Var, int]]) -> _Group | None:
    flow = _Flow(block, sizes)
    for var in flow.large:
        for axis in range(var.type.rank):
            if (var, axis) in tried:
                continue
            tried.add((var, axis))
            size = sizes.of(var)[axis]
            if isinstance(size, Const):
                continue
            group = _Group(size)
            try:
                _grow(flow, group, var, axis)
            except _Fails:
                continue
            return group
    return None


def _grow(flow: _Flow, group: _Group, seed: Var, axis: int) -> None:
    """The group of what must be computed with axis `axis` of `seed` in strips."""
    pending = [(seed, axis)]
    while True:
        while pending:
            _include(flow, group, *pending.pop(), pending)
        between = (flow.after(set(group.operands)) & flow.before(set(group.operands))) - group.operands.keys()
        for k in between:
            # What a group member reads cut must be cut itself; what it reads whole is complete only after the loop.
            var = flow.block.stmts[k].vars[0]
            wanted = {a for a in _wanted(flow, group, var) if a is not None}
            if wanted:
                pending.append((var, wanted.pop()))
        if not pending:
            if between:
                raise _Fails
            break
    made = {v for k in group.sums for v in flow.block.stmts[k].vars}
    read = {v: None for k in group.operands for v in flow.op(k).args if isinstance(v, Var) and v not in group.axes}
    if any(v in made for v in read):
        raise _Fails
    # Sums may be large only where the group reads, from outside, what is as large.
    whole = [measure(flow.sizes.of(v)) for v in read]
    if any(v in flow.large and not any(measure(flow.sizes.of(v)) <= m for m in whole) for v in made):
        raise _Fails
    for var in (*group.axes, *made):
        # Lengths are read before the loop.
        if any(isinstance(size, tuple) and size[0] in group.axes for size in flow.sizes.of(var)):
            raise _Fails
    _order(flow, set(group.operands))


def _wanted(flow: _Flow, group: _Group, var: Var) -> Iterator[int | None]:
    """The axes of `var` that members of the group want cut."""
    for k in flow.readers.get(var, ()):
        if k in group.operands:
            for arg, axis in zip(flow.op(k).args, group.operands[k], strict=True):
                if arg == var:
                    yield axis


def _include(flow: _Flow, group: _Group, var: Var, axis: int, pending: list[tuple[Var, int]]) -> None:
    """`var` and what goes with it, cut along `axis`."""
    if var in group.axes:
        if group.axes[var] != axis:
            raise _Fails
        return
    k = flow.maker[var]
    op = flow.op(k)
    operands = along(op, axis, flow.sizes)
    if operands is None or flow.sizes.of(var)[axis] != group.size:
        raise _Fails
    group.axes[var] = axis
    _member(flow, group, k, op, operands, pending)
    if var not in flow.large:
        return
    group.large.add(var)
    for reader in flow.readers.get(var, ()):
        if reader in group.operands:
            continue
        reading = flow.op(reader)
        if reading.name == "dim":
            continue
        position = reading.args.index(var)
        made = flow.block.stmts[reader].vars[0]
        for place in range(made.type.rank):
            operands = along(reading, place, flow.sizes)
            if operands is not None and operands[position] == axis:
                pending.append((made, place))
                break
        else:
            operands = summed(reading, position, axis)
            if operands is None or made.type.dtype == "bool":
                raise _Fails
            group.sums.add(reader)
            _member(flow, group, reader, reading, operands, pending)


def _member(
    flow: _Flow, group: _Group, k: int, op: Prim, operands: list[int | None], pending: list[tuple[Var, int]]
) -> None:
    group.operands[k] = operands
    for arg, axis in zip(op.args, operands, strict=True):
        if not isinstance(arg, Var):
            continue
        if axis is not None and (flow.sizes.of(arg)[axis] != group.size):
            raise _Fails
        if axis is None and (arg in group.axes or (arg in flow.large and group.size in flow.sizes.of(arg))):
            raise _Fails
        if axis is not None and (arg in flow.large or arg in group.axes):
            pending.append((arg, axis))


def _order(flow: _Flow, group: set[int]) -> list[int]:
    """Numbers of the other statements that follow the loop; checks stay in order."""
    behind = flow.after(group)
    last: dict[int, None] = {}
    failing = False
    for k, stmt in enumerate(flow.block.stmts):
        if k in group:
            continue
        if k in behind or (failing and not flow.movable(stmt)) or any(
            m in last for m in flow.needs[k]
        ):
            last[k] = None
            failing = failing or not flow.movable(stmt)
    if last.keys() & flow.before(group):
        raise _Fails
    return list(last)


# ------------------------------------------------------------------ code


def _written(block: Block, group: _Group, sizes: _Sizes, supply: Fresh) -> Block:
    flow = _Flow(block, sizes)
    members = sorted(group.operands)
    last = _order(flow, set(members))
    b = Builder(supply)
    for k, stmt in enumerate(block.stmts):
        if k not in group.operands and k not in last:
            b.stmts.append(stmt)
    b.span = block.stmts[members[0]].span
    results = [*block.results]
    leaves = [
        v
        for k in members
        for v in block.stmts[k].vars
        if v in results
        or any(r not in group.operands and not _is_dim(block.stmts[r]) for r in flow.readers.get(v, ()))
    ]
    loop = _loop(b, flow, group, members, leaves, sizes)
    stmt = Stmt(tuple(leaves), loop, b.span)
    b.stmts.append(stmt)
    for k in last:
        after = block.stmts[k]
        op = after.op
        if _is_dim(after) and isinstance(op, Prim) and op.args[0] in group.axes and op.args[0] not in leaves:
            size = _atom(b, sizes.read[after.vars[0]])
            op = Prim("broadcast", (size,), (("axes", ()),))
        b.stmts.append(replace(after, op=op))
    return Block(tuple(b.stmts), block.results)


def _is_dim(stmt: Stmt) -> bool:
    return isinstance(stmt.op, Prim) and stmt.op.name == "dim"


def _atom(b: Builder, size: Size) -> Atom:
    return b.dim(size[0], size[1]) if isinstance(size, tuple) else size


def _loop(
    b: Builder, flow: _Flow, group: _Group, members: Sequence[int], leaves: Sequence[Var], sizes: _Sizes
) -> ir.Loop:
    """for i < ⌈n / length⌉: the members for the places from i · length on."""
    n = _atom(b, group.size)
    length = b.prim("min", b.prim("max", b.prim("div", i64(STRIP), _row(b, flow, group)), i64(1)), n)
    length = b.prim("max", length, i64(1))
    count = b.prim("div", b.sub(b.add(n, length), i64(1)), length)
    starts: list[Atom] = []
    for var in leaves:
        nothing = Const(zero(var.type.dtype), var.type.dtype)
        own = [_atom(b, size) for size in sizes.of(var)]
        starts.append(b.prim("broadcast", nothing, *own, axes=tuple(range(len(own)))) if own else nothing)
    states = tuple(b.like(v) for v in leaves)
    index = b.fresh("i", ir.I64)
    body = b.nested()
    start = body.mul(index, length)
    here = body.prim("min", length, body.sub(n, start))
    cut: dict[tuple[Var, int], Atom] = {}
    inside: dict[Var, Atom] = {}
    for k in members:
        stmt = flow.block.stmts[k]
        op = flow.op(k)
        body.span = stmt.span
        args: list[Atom] = []
        for arg, axis in zip(op.args, group.operands[k], strict=True):
            if not isinstance(arg, Var) or axis is None:
                args.append(arg)
            elif arg in group.axes:
                args.append(inside[arg])
            else:
                if (arg, axis) not in cut:
                    cut[arg, axis] = body.prim("slice", arg, start, here, i64(1), axis=axis, as_=arg.name)
                args.append(cut[arg, axis])
        var = stmt.vars[0]
        if k not in group.sums:
            _shorten(op, args, group.axes[var], here)
        inside[var] = body.prim(op.name, *args, as_=var.name, **dict(op.attrs))
    ends = [
        body.prim("update_slice", state, inside[var], start, i64(1), axis=group.axes[var])
        if var in group.axes
        else body.add(state, inside[var])
        for state, var in zip(states, leaves, strict=True)
    ]
    return ir.Loop(count, None, index, states, tuple(starts), body.block(ends))


def _shorten(op: Prim, args: list[Atom], axis: int, here: Atom) -> None:
    """What makes the axis that is cut makes a strip of it."""
    if op.name == "replicate" and axis == 0:
        args[0] = here
    if op.name == "broadcast":
        axes = op.attr("axes")
        assert isinstance(axes, tuple)
        if axis in axes:
            args[1 + axes.index(axis)] = here


def _row(b: Builder, flow: _Flow, group: _Group) -> Atom:
    """Elements of all large arrays together, to one place of the axis; at least one."""
    total: Atom = i64(1)
    for var in flow.large:
        if var not in group.large or flow.op(flow.maker[var]).name in VIEWS:
            continue
        row: Atom = i64(1)
        for axis, size in enumerate(flow.sizes.of(var)):
            if axis != group.axes[var]:
                row = b.mul(row, _atom(b, size))
        total = b.add(total, row)
    return total
