"""How primitives on arrays become loops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ....lang.core import ir
from ....lang.core.data import table_of
from ....lang.core.ir import Stmt, Var
from ....lang.core.primitive import Attrs, Primitive
from . import tree
from .emitter import merged, small
from .tree import Imm, Operand
from .values import ONE, ZERO, Array, Lazy, Stored

if TYPE_CHECKING:
    from .lower import Lowering

Rule = Callable[["Lowering", Var, ir.Prim], None]
Indices = Sequence[Operand]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


# ------------------------------------------------------------------ elementwise


def elementwise(lo: Lowering, stmt: Stmt, op: ir.Prim, primitive: Primitive) -> None:
    var = stmt.vars[0]
    e = lo.e
    if primitive.fails:
        _checked(lo, stmt, op)
        return
    if var.type.rank == 0:
        lo.env[var] = e.scalar(op.name, var.type.dtype, *[lo.scalar(a) for a in op.args], attrs=op.attrs)
        return
    if var in lo.totals:
        total(lo, var)
        return
    operands = [lo.value(a) for a in op.args]
    shape = merged(*(x.shape for x in operands if isinstance(x, Stored | Lazy)))

    def at(indices: Indices) -> Operand:
        args = [e.read(x, indices) if isinstance(x, Stored | Lazy) else x for x in operands]
        return e.scalar(op.name, var.type.dtype, *args, attrs=op.attrs)

    lo.lazy(var, Lazy(var.type.dtype, shape, at), op.args)


def total(lo: Lowering, var: Var) -> None:
    """The sum of a state and an array, where the state lies."""
    state, row = lo.totals[var]
    dest = lo.env[state]
    assert isinstance(dest, Stored)
    if row not in lo.adding:
        lo.e.add_to(dest, lo.array(row))
    lo.set(var, dest, state)


def _checked(lo: Lowering, stmt: Stmt, op: ir.Prim) -> None:
    var = stmt.vars[0]
    e = lo.e
    values = [lo.cheap(a) if a.type.rank else lo.scalar(a) for a in op.args]
    shape: Sequence[Operand] = next((x.shape for x in values if isinstance(x, Stored | Lazy)), ())
    with e.nest(shape, parallel=False) as indices:
        args = [e.read(x, indices) if isinstance(x, Stored | Lazy) else x for x in values]
        e.add(tree.Check(_holds(lo, op.name, args, dict(op.attrs)), op.name, tuple(args), op.attrs, stmt.span))
    first = values[0]
    if isinstance(first, Stored | Lazy):
        lo.set(var, first, op.args[0])
    elif var.type.rank:
        lo.lazy(var, Lazy(var.type.dtype, tuple(shape), lambda _: first, True), ())
    else:
        lo.env[var] = first


def _holds(lo: Lowering, name: str, args: Sequence[Operand], attrs: Attrs) -> Operand:
    def s(op: str, *operands: Operand, dtype: str = "bool") -> Operand:
        return lo.e.scalar(op, dtype, *operands)

    zero = Imm(0, args[0].dtype)
    match name:
        case "check_index":
            return s("and", s("ge", args[0], ZERO), s("lt", args[0], args[1]))
        case "check_slice":
            start, count, step, size = args
            last = lo.e.plus(start, lo.e.times(lo.e.minus(count, ONE), step))
            inside = s("and", s("ge", start, ZERO), s("lt", start, size))
            inside = s("and", inside, s("and", s("ge", last, ZERO), s("lt", last, size)))
            inside = s("and", inside, s("gt", count, ZERO))
            first = s("select", s("lt", step, ZERO), Imm(-1, "i64"), ZERO, dtype="i64")
            empty = s("and", s("ge", start, first), s("le", start, size))
            return s("or", inside, s("and", s("eq", count, ZERO), empty))
        case "check_equal":
            return s("eq", args[0], args[1])
        case "check_divisor":
            return s("ne", args[0], zero)
        case "check_size":
            return s("ge", args[0], zero)
        case "check_pivot":
            return s("lt", args[0], zero)
        case "check_settled":
            return s("le", args[0], args[1])
        case "check_range":
            x, low, high = args[:3]
            if not attrs["open"]:
                return s("and", s("ge", x, low), s("le", x, high))
            # An infinite limit is none: infinity is greater than 0.
            above = s("or", s("gt", x, low), s("eq", low, Imm(-math.inf, "f64")))
            below = s("or", s("lt", x, high), s("eq", high, Imm(math.inf, "f64")))
            return s("and", s("and", above, below), s("eq", x, x))
        case "assert":
            return args[0]
    raise AssertionError(name)


# ------------------------------------------------------------------ making arrays


@rule("iota")
def _iota(lo: Lowering, var: Var, op: ir.Prim) -> None:
    size = lo.e.at_least_zero(lo.scalar(op.args[0]))
    lo.lazy(var, Lazy("i64", (size,), lambda indices: indices[0], True), ())


@rule("table")
def _table(lo: Lowering, var: Var, op: ir.Prim) -> None:
    base, count = lo.e.reg(var.type.dtype, pointer=True), lo.e.reg("i64")
    lo.e.add(tree.Data(base, count, table_of(op)))
    lo.e.sizes.add(count.id)
    lo.memory.bind(var, frozenset({lo.memory.new(owned=False)}))
    lo.env[var] = lo.e.packed(base, lo.rows_of.setdefault(lo.uses.rows.get(var, var), (count,)))
    if table_of(op).places:
        lo.places.add(var)


@rule("replicate")
def _replicate(lo: Lowering, var: Var, op: ir.Prim) -> None:
    size = lo.e.at_least_zero(lo.scalar(op.args[0]))
    if op.args[1].type.rank == 0:
        value = lo.scalar(op.args[1])
        lo.lazy(var, Lazy(var.type.dtype, (size,), lambda _: value, True), ())
        return
    row = lo.cheap(op.args[1])
    if isinstance(row, Lazy):
        lo.lazy(var, Lazy(var.type.dtype, (size, *row.shape), lambda indices: row.at(indices[1:]), True), [op.args[1]])
    else:
        lo.env[var] = Stored(row.base, (size, *row.shape), (ZERO, *row.strides), False)
        lo.memory.view(var, op.args[1], repeating=True)


@rule("zeros_like")
def _zeros_like(lo: Lowering, var: Var, op: ir.Prim) -> None:
    dtype = var.type.dtype
    zero = Imm(0.0 if dtype in ir.FLOATS else False if dtype == "bool" else 0, dtype)
    if var.type.rank == 0:
        lo.env[var] = zero
    else:
        lo.lazy(var, Lazy(dtype, lo.array(op.args[0]).shape, lambda _: zero, True), ())


@rule("dim")
def _dim(lo: Lowering, var: Var, op: ir.Prim) -> None:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    lo.env[var] = lo.array(op.args[0]).shape[axis]


@rule("stop_grad")
def _stop(lo: Lowering, var: Var, op: ir.Prim) -> None:
    lo.set(var, lo.value(op.args[0]), op.args[0])


@rule("stack")
def _stack(lo: Lowering, var: Var, op: ir.Prim) -> None:
    count = Imm(len(op.args), "i64")
    if op.args[0].type.rank == 0:
        out = lo.fresh(var, (count,))
        for k, atom in enumerate(op.args):
            lo.e.write(out, [Imm(k, "i64")], lo.scalar(atom))
        return
    if var in lo.uses.columns:
        columns(lo, var, op)
        return
    rows = [lo.array(a) for a in op.args]
    out = lo.fresh(var, (count, *rows[0].shape))
    for k, row in enumerate(rows):
        dest = lo.e.below(out, [Imm(k, "i64")])
        assert isinstance(dest, Stored)
        lo.e.store(row, dest)


def columns(lo: Lowering, var: Var, op: ir.Prim) -> None:
    """Arrays side by side, of which a scatter asks for one by its number."""
    rows = [lo.cheap(a) for a in op.args]
    count = Imm(len(rows), "i64")
    shape = (count, *merged(*(row.shape for row in rows)))

    def at(ix: Indices) -> Operand:
        first = ix[0]
        assert isinstance(first, Imm)
        return lo.e.read(rows[int(first.value)], ix[1:])

    lo.lazy(var, Lazy(var.type.dtype, shape, at, True), op.args)


@rule("concat")
def _concat(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    parts = [lo.array(a) for a in op.args]
    total: Operand = ZERO
    for part in parts:
        total = e.plus(total, part.shape[0])
    shape = (total, *parts[0].shape[1:])
    start: Operand = ZERO
    if var in lo.growing:
        first = parts.pop(0)
        assert isinstance(first, Stored)
        slot, base = lo.block_of[first.base.id], e.reg(first.dtype, pointer=True)
        e.add(tree.Resize(base, Imm(slot, "i64"), e.product(shape)))
        lo.block_of[base.id] = slot
        out, start = e.packed(base, shape), first.shape[0]
        lo.set(var, out, op.args[0])
    else:
        out = lo.fresh(var, shape)
    for part in parts:
        dest = Stored(e.shift(out.base, e.times(start, out.strides[0])), part.shape, out.strides, True)
        e.store(part, dest)
        start = e.plus(start, part.shape[0])


# ------------------------------------------------------------------ rearranging


def view(lo: Lowering, var: Var, base: ir.Atom, value: Array) -> None:
    """An array that is another one, read differently."""
    if isinstance(value, Stored):
        lo.set(var, value, base)
    else:
        lo.lazy(var, value, [base])


@rule("transpose")
def _transpose(lo: Lowering, var: Var, op: ir.Prim) -> None:
    perm = op.attr("perm")
    assert isinstance(perm, tuple)
    x = lo.array(op.args[0])
    shape = tuple(x.shape[k] for k in perm)
    if isinstance(x, Stored):
        plain = perm == tuple(range(len(perm)))
        view(lo, var, op.args[0], Stored(x.base, shape, tuple(x.strides[k] for k in perm), x.packed and plain))
        return
    places = [perm.index(k) for k in range(len(perm))]
    view(lo, var, op.args[0], Lazy(x.dtype, shape, lambda ix: x.at([ix[k] for k in places]), x.cheap))


@rule("reverse")
def _reverse(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    x = lo.array(op.args[0])
    last = e.minus(x.shape[0], ONE)
    if isinstance(x, Stored):
        base = e.shift(x.base, e.times(last, x.strides[0]))
        view(lo, var, op.args[0], Stored(base, x.shape, (e.times(Imm(-1, "i64"), x.strides[0]), *x.strides[1:]), False))
    else:
        view(lo, var, op.args[0], Lazy(x.dtype, x.shape, lambda ix: x.at([e.minus(last, ix[0]), *ix[1:]]), x.cheap))


@rule("rotate")
def _rotate(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    x = lo.cheap(op.args[0])
    n = x.shape[0]
    by = e.scalar("mod", "i64", lo.scalar(op.args[1]), e.scalar("max", "i64", n, ONE))

    def at(ix: Indices) -> Operand:
        moved = e.plus(ix[0], by)
        around = e.scalar("select", "i64", e.scalar("ge", "bool", moved, n), e.minus(moved, n), moved)
        return e.read(x, [around, *ix[1:]])

    lo.lazy(var, Lazy(x.dtype, x.shape, at), [op.args[0]])


@rule("reshape")
def _reshape(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    shape = tuple(lo.scalar(a) for a in op.args[1:])
    if op.args[0].type.rank == 0:
        value = lo.scalar(op.args[0])
        if not shape:
            lo.env[var] = value
        else:
            lo.lazy(var, Lazy(var.type.dtype, shape, lambda _: value, True), ())
        return
    x = lo.array(op.args[0])
    if not shape:
        lo.env[var] = e.read(x, [ZERO] * len(x.shape))
    elif len(x.shape) == len(shape) == 1:
        lo.set(var, x, op.args[0]) if isinstance(x, Stored) else view(lo, var, op.args[0], x)
    elif isinstance(x, Stored) and x.packed:
        view(lo, var, op.args[0], e.packed(x.base, shape))
    else:
        out = lo.fresh(var, shape)
        e.store(x, e.packed(out.base, x.shape))


# ------------------------------------------------------------------ one place, or a slice


@rule("index")
def _index(lo: Lowering, var: Var, op: ir.Prim) -> None:
    indices = [lo.scalar(a) for a in op.args[1:]]
    if var.type.rank == 0:
        lo.env[var] = lo.e.read(lo.array(op.args[0]), indices)
    else:
        view(lo, var, op.args[0], lo.e.below(lo.array(op.args[0]), indices))
        lo.memory.partial[var] = len(lo.memory.frames)


def changed(lo: Lowering, var: Var, atom: ir.Atom) -> Stored:
    """The array `atom`, in memory that may be written: its own when nobody reads it any more, or a copy."""
    value = lo.array(atom)
    if isinstance(value, Stored) and lo.memory.writable(atom) and (value.packed or var not in lo.place):
        lo.set(var, value, atom)
        return value
    if isinstance(value, Stored) and (value.packed or var not in lo.place) and lo.separated(atom):
        lo.set(var, value, atom)
        return value
    dest = lo.place.get(var)
    if dest is not None and isinstance(value, Stored) and value.base is dest.base:
        lo.keep(dest)
    out = lo.fresh(var, value.shape)
    lo.e.store(value, out)
    return out


def apart(lo: Lowering, value: Array, atom: ir.Atom, array: ir.Atom) -> Array:
    """`value`, which is `atom`, where writing into `array` cannot reach it."""
    if isinstance(value, Stored) and lo.memory.buffers(atom) & lo.memory.buffers(array):
        made = lo.e.alloc(value.dtype, value.shape)
        lo.e.store(value, made)
        return made
    return value


@rule("update", "accumulate")
def _update(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    array, value, *indices = op.args
    at = [lo.scalar(a) for a in indices]
    new: Operand | Array = apart(lo, lo.stored(value), value, array) if value.type.rank else lo.scalar(value)
    out = changed(lo, var, array)
    if isinstance(new, Stored):
        dest = e.below(out, at)
        assert isinstance(dest, Stored)
        _put(lo, dest, new, op.name == "accumulate")
        return
    assert not isinstance(new, Lazy)
    if op.name == "accumulate":
        new = e.scalar("add", var.type.dtype, e.read(out, at), new)
    e.write(out, at, new)


def _put(lo: Lowering, dest: Stored, new: Array, adding: bool) -> None:
    if adding:
        lo.e.add_to(dest, new)
    else:
        lo.e.store(new, dest)


def _part(lo: Lowering, x: Stored, axis: int, start: Operand, count: Operand, step: Operand) -> Stored:
    e = lo.e
    base = e.shift(x.base, e.times(start, x.strides[axis]))
    shape = (*x.shape[:axis], count, *x.shape[axis + 1:])
    strides = (*x.strides[:axis], e.times(step, x.strides[axis]), *x.strides[axis + 1:])
    return Stored(base, shape, strides, x.packed and axis == 0 and step == ONE)


@rule("slice")
def _slice(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    axis = op.attr("axis")
    assert isinstance(axis, int)
    x = lo.array(op.args[0])
    start, count, step = (lo.scalar(a) for a in op.args[1:])
    count = e.at_least_zero(count)
    if isinstance(x, Stored):
        view(lo, var, op.args[0], _part(lo, x, axis, start, count, step))
        lo.memory.partial[var] = len(lo.memory.frames)
        return

    def at(ix: Indices) -> Operand:
        return x.at([*ix[:axis], e.plus(start, e.times(ix[axis], step)), *ix[axis + 1:]])

    view(lo, var, op.args[0], Lazy(x.dtype, (*x.shape[:axis], count, *x.shape[axis + 1:]), at, x.cheap))


@rule("update_slice", "accumulate_slice")
def _update_slice(lo: Lowering, var: Var, op: ir.Prim) -> None:
    array, value, start, step = op.args
    axis = op.attr("axis")
    assert isinstance(axis, int)
    new = apart(lo, lo.stored(value), value, array)
    out = changed(lo, var, array)
    dest = _part(lo, out, axis, lo.scalar(start), new.shape[axis], lo.scalar(step))
    _put(lo, dest, new, op.name == "accumulate_slice")


# ------------------------------------------------------------------ many places


def _all_nonnegative(lo: Lowering, at: Sequence[Operand], atoms: Sequence[ir.Atom]) -> Operand:
    """Whether the indices, which are elements of these atoms, are; a constant where that is known."""
    ok: Operand = Imm(True, "bool")
    for k, atom in zip(at, atoms, strict=True):
        if atom in lo.places or (isinstance(k, Imm) and int(k.value) >= 0):
            continue
        here = lo.e.scalar("ge", "bool", k, ZERO)
        ok = here if isinstance(ok, Imm) else lo.e.scalar("and", "bool", ok, here)
    return ok


def _when(lo: Lowering, cond: Operand) -> _When:
    return _When(lo, cond)


class _When:
    def __init__(self, lo: Lowering, cond: Operand) -> None:
        self.e, self.cond = lo.e, cond

    def __enter__(self) -> None:
        self.outer, self.e.code = self.e.code, []

    def __exit__(self, *error: object) -> None:
        body, self.e.code = self.e.code, self.outer
        if isinstance(self.cond, Imm) and self.cond.value:
            self.e.code += body
        else:
            self.e.add(tree.Choice(self.cond, body, (), [], (), ()))


@rule("gather")
def _gather(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    x = lo.cheap(op.args[0])
    if op.args[1].type.rank == 0:
        places: list[Array | Operand] = [lo.scalar(a) for a in op.args[1:]]
        outer: tuple[Operand, ...] = ()
    else:
        places = [lo.cheap(a) for a in op.args[1:]]
        first = places[0]
        assert isinstance(first, Stored | Lazy)
        outer = first.shape
    rest = x.shape[len(places):]
    shape = (*outer, *rest)
    zero = Imm(0.0 if x.dtype in ir.FLOATS else False if x.dtype == "bool" else 0, x.dtype)
    cheap = var in lo.uses.mapped and all(p.cheap for p in (x, *places) if isinstance(p, Lazy))

    def at(ix: Indices) -> Operand:
        where = [e.read(p, ix[:len(outer)]) if isinstance(p, Stored | Lazy) else p for p in places]
        ok = _all_nonnegative(lo, where, op.args[1:])
        if isinstance(ok, Imm):
            return e.read(x, [*where, *ix[len(outer):]])
        out = e.reg(x.dtype)
        with e.block() as code:
            value = e.read(x, [*where, *ix[len(outer):]])
        e.add(tree.Choice(ok, code, (value,), [], (zero,), (out,)))
        return out

    if not shape:
        lo.env[var] = at(())
    else:
        lo.lazy(var, Lazy(x.dtype, shape, at, cheap), op.args)


@rule("accumulate_at")
def _accumulate_at(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    array, values, *indices = op.args
    if not indices[0].type.rank:
        flat = [lo.scalar(a) for a in indices]
        new = apart(lo, lo.stored(values), values, array) if values.type.rank else lo.scalar(values)
        out = changed(lo, var, array)
        with _when(lo, _all_nonnegative(lo, flat, indices)):
            if isinstance(new, Stored):
                dest = e.below(out, flat)
                assert isinstance(dest, Stored)
                _put(lo, dest, new, True)
            else:
                assert not isinstance(new, Lazy)
                e.write(out, flat, e.scalar("add", var.type.dtype, e.read(out, flat), new))
        return
    places = [apart(lo, lo.cheap(a), a, array) for a in indices]
    added = apart(lo, lo.cheap(values), values, array)
    out = changed(lo, var, array)
    outer = places[0].shape
    if values in lo.uses.rows_of_columns:  # what a row adds is written out, one after the other
        count = outer[1]
        assert isinstance(count, Imm)
        with e.nest(outer[:1], parallel=False) as row:
            for k in range(int(count.value)):
                ix: Indices = [*row, Imm(k, "i64")]
                where = [e.read(p, ix) for p in places]
                column = [lo.uses.rows_of_columns[a][k] for a in indices if isinstance(a, Var)]
                with _when(lo, _all_nonnegative(lo, where, column)):
                    e.write(out, where, e.scalar("add", var.type.dtype, e.read(out, where), e.read(added, ix)))
        return
    with e.nest(outer, parallel=False) as ix:
        where = [e.read(p, ix) for p in places]
        with _when(lo, _all_nonnegative(lo, where, indices)), e.nest(out.shape[len(where):]) as more:
            to = [*where, *more]
            e.write(out, to, e.scalar("add", var.type.dtype, e.read(out, to), e.read(added, [*ix, *more])))


@rule("scatter")
def _scatter(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    array, indices, values = op.args
    places, new = apart(lo, lo.cheap(indices), indices, array), apart(lo, lo.cheap(values), values, array)
    out = changed(lo, var, array)
    with e.nest(places.shape, parallel=False) as ix:
        k = e.read(places, ix)
        inside = e.scalar("and", "bool", e.scalar("ge", "bool", k, ZERO), e.scalar("lt", "bool", k, out.shape[0]))
        with _when(lo, inside), e.nest(out.shape[1:]) as more:
            e.write(out, [k, *more], e.read(new, [*ix, *more]))


@rule("positions")
def _positions(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    flags = lo.cheap(op.args[0])
    room = e.alloc("i64", flags.shape)
    with e.fold(flags.shape[0], [ZERO]) as f:
        e.write(room, [f.state[0]], f.index)
        f.next = (e.plus(f.state[0], e.scalar("cast", "i64", e.read(flags, [f.index]), attrs=(("to", "i64"),))),)
    lo.set(var, e.packed(room.base, (f.outs[0],)))


# ------------------------------------------------------------------ what the host does


ON_DEVICE = frozenset({
    "scatter", "argsort", "positions", "matmul", "solve_triangular", "solve",
    "inverse", "cholesky", "orthogonal", "log_det", "det", "det_sign", "eigen", "svd", "failed_pivot"})
"""Primitives that a device has its own ways for, on whole arrays."""


def on_whole_arrays(lo: Lowering, op: ir.Prim) -> bool:
    """Whether a device does it so: not where arrays are known to be small."""
    if op.name not in ON_DEVICE and not (op.name == "sum" and op.args[0].type.rank >= 2):
        return False
    values = [lo.array(a) for a in op.args if a.type.rank]
    return not all(small(x.shape) for x in values)


def host(lo: Lowering, stmt: Stmt, op: ir.Prim) -> None:
    e = lo.e
    args: list[tuple[Operand, ...]] = []
    for atom in op.args:
        if atom.type.rank:
            held = e.contiguous(lo.array(atom))
            args.append((held.base, *held.shape))
        else:
            args.append((lo.scalar(atom),))
    results = []
    for var in stmt.vars:
        rank = var.type.rank
        results.append((e.reg(var.type.dtype, pointer=rank > 0), *(e.reg("i64") for _ in range(rank))))
    e.add(tree.Host(op.name, op.attrs, tuple(args), tuple(results)))
    for var, (first, *sizes) in zip(stmt.vars, results, strict=True):
        if var.type.rank:
            lo.set(var, e.packed(first, tuple(sizes)))
        else:
            lo.env[var] = first
