"""Rules for array primitives and run-time checks; the same contract as in `algebra`, which these add to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import i64, is_const, zero
from ...lang.core.ir import Atom, Const, Prim, Var
from ...lang.prims import PRIMITIVES
from .algebra import attr_axis, attr_perm, integer, is_zero, rule, zeros
from .sizes import SAME_SHAPE, Dim, Origin

if TYPE_CHECKING:
    from .simplify import Simplifier


def _same_indices(p: tuple[Atom, ...], q: tuple[Atom, ...]) -> bool | None:
    """Whether two index tuples are surely the same (True), surely different (False), or neither (None)."""
    if p == q:
        return True
    if any(isinstance(a, Const) and isinstance(b, Const) and a.value != b.value for a, b in zip(p, q, strict=False)):
        return False
    return None


# ------------------------------------------------------------ making


@rule("dim")
def _dim(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """A length is read as close to its origin as is known, so that arrays that are only measured die."""
    x, axis = op.args[0], attr_axis(op)
    assert isinstance(x, Var)
    size = s.size(x, axis)
    if isinstance(size, Const):
        return size
    if isinstance(size, Var):
        return size if s.in_scope(size) else None
    base = s.prim(size.var)
    if base is not None and base.name == "concat" and size.axis == 0:
        total: Atom = i64(0)
        for part in base.args:
            length = s.emit(Prim("dim", (part,), (("axis", 0),)), "n")
            total = s.emit(Prim("add", (total, length)), "n")
        return total
    return Prim("dim", (size.var,), (("axis", size.axis),)) if size != (x, axis) else None


@rule("zeros_like")
def _zeros_like(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """Zeros of the shape of the operand's operand, and at last of sizes alone."""
    x = op.args[0]
    if x.type.rank == 0:
        return Const(zero(x.type.dtype), x.type.dtype)
    if is_zero(s, x):
        return x
    origin = s.origin.get(x) if isinstance(x, Var) else None
    if origin is None or (isinstance(origin, Origin) and origin.parameter) or _blank(s, x):
        return None
    inner = s.prim(x)
    if inner is not None and (inner.name in SAME_SHAPE or (PRIMITIVES[inner.name].elementwise and not s.broadcasting)):
        for arg in inner.args[:1] if inner.name in SAME_SHAPE else inner.args:
            if arg.type == x.type:
                return Prim("zeros_like", (arg,))
    assert isinstance(x, Var)
    sizes = [s.size(x, axis) for axis in range(x.type.rank)]
    if any(isinstance(size, Dim) and size.var == x for size in sizes):
        return None
    return zeros(s, sizes, x.type.dtype)


def _blank(s: Simplifier, x: Atom) -> bool:
    """Whether `x` is made of sizes and a constant zero alone."""
    inner = s.prim(x, "replicate")
    while inner is not None:
        x = inner.args[1]
        inner = s.prim(x, "replicate")
    return is_const(x, 0) or (isinstance(x, Const) and x.value is False)


@rule("transpose")
def _transpose(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, perm = op.args[0], attr_perm(op)
    if perm == tuple(range(x.type.rank)):
        return x
    inner = s.prim(x, "transpose")
    if inner is not None:
        first = attr_perm(inner)
        return Prim("transpose", inner.args, (("perm", tuple(first[p] for p in perm)),))
    return _moved_zeros(s, op)


def _moved_zeros(s: Simplifier, op: Prim) -> Atom | None:
    """What only moves zeros gives zeros."""
    x = op.args[0]
    if not is_zero(s, x):
        return None
    if op.name == "transpose":
        assert isinstance(x, Var)
        return zeros(s, [s.size(x, p) for p in attr_perm(op)], x.type.dtype)
    return x


@rule("reverse")
def _reverse(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x = op.args[0]
    inner = s.prim(x)
    if inner is not None and inner.name == "reverse":
        return inner.args[0]
    if inner is not None and inner.name == "replicate":
        return x
    return _moved_zeros(s, op)


@rule("rotate")
def _rotate(s: Simplifier, op: Prim) -> Atom | Prim | None:
    return op.args[0] if is_const(op.args[1], 0) else _moved_zeros(s, op)


@rule("stack")
def _stack(s: Simplifier, op: Prim) -> Atom | Prim | None:
    first = op.args[0]
    if len(op.args) > 1 and all(a == first for a in op.args):
        return Prim("replicate", (i64(len(op.args)), first))
    # [x[0], x[1], …, x[k-1]] = x when that is all of x
    rows = [s.prim(a, "index") for a in op.args]
    head = rows[0]
    if head is not None and len(head.args) == 2:
        x = head.args[0]
        assert isinstance(x, Var)
        if s.size(x, 0) == i64(len(rows)) and all(r is not None and r.args == (x, i64(k)) for k, r in enumerate(rows)):
            return x
    return None


@rule("concat")
def _concat(s: Simplifier, op: Prim) -> Atom | Prim | None:
    if len(op.args) == 1:
        return op.args[0]
    some = tuple(a for a in op.args if not (isinstance(a, Var) and s.size(a, 0) == i64(0)))
    return Prim("concat", some) if 0 < len(some) < len(op.args) else None


@rule("reshape")
def _reshape(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, *dims = op.args
    assert isinstance(x, Var)
    if x.type.rank == len(dims) and all(s.same(s.size(x, axis), n) for axis, n in enumerate(dims)):
        return x
    inner = s.prim(x, "reshape")
    if inner is not None:
        return Prim("reshape", (inner.args[0], *dims))
    return zeros(s, list(dims), x.type.dtype) if is_zero(s, x) else None


@rule("slice")
def _slice(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, start, count, step = op.args
    assert isinstance(x, Var)
    axis = attr_axis(op)
    if is_const(start, 0) and is_const(step, 1) and s.same(s.size(x, axis), count):
        return x
    inner = s.prim(x, "replicate")
    if inner is not None and axis == 0:
        return Prim("replicate", (count, inner.args[1]))
    if is_zero(s, x):
        return zeros(s, [count if k == axis else s.size(x, k) for k in range(x.type.rank)], x.type.dtype)
    return None


# ------------------------------------------------------------ reading


@rule("index")
def _index(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, *indices = op.args
    if not indices:
        return x
    inner = s.prim(x)
    if inner is None:
        return None
    first, rest = indices[0], tuple(indices[1:])
    match inner.name:
        case "index":  # x[i][j] = x[i, j]
            return Prim("index", (*inner.args, *indices))
        case "replicate":
            return Prim("index", (inner.args[1], *rest))
        case "iota":
            return first
        case "stack":
            k = integer(first)
            if k is not None and 0 <= k < len(inner.args):
                return Prim("index", (inner.args[k], *rest))
        case "transpose":
            perm = attr_perm(inner)
            if len(indices) == len(perm):
                return Prim("index", (inner.args[0], *(indices[perm.index(axis)] for axis in range(len(perm)))))
        case "zeros_like":
            assert isinstance(x, Var)
            return zeros(s, [s.size(x, axis) for axis in range(len(indices), x.type.rank)], x.type.dtype)
        case "slice" if attr_axis(inner) < len(indices):
            base, start, _, step = inner.args
            axis = attr_axis(inner)
            offset = s.emit(Prim("mul", (indices[axis], step)), "i")
            indices[axis] = s.emit(Prim("add", (start, offset)), "i")
            return Prim("index", (base, *indices))
        case "update":  # reading what was written, or past it
            base, value, *written = inner.args
            match _same_indices(tuple(written), tuple(indices[: len(written)])):
                case True:
                    return Prim("index", (value, *indices[len(written) :]))
                case False:
                    return Prim("index", (base, *indices))
    return None


@rule("gather")
def _gather(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, *indices = op.args
    assert isinstance(x, Var)
    if not indices:
        return x
    if is_zero(s, x):
        i = indices[0]
        assert isinstance(i, Var)
        sizes = [s.size(i, axis) for axis in range(i.type.rank)]
        return zeros(s, sizes + [s.size(x, axis) for axis in range(len(indices), x.type.rank)], x.type.dtype)
    iota = s.prim(indices[0], "iota")
    if iota is not None and len(indices) == 1 and s.same(iota.args[0], s.size(x, 0)):
        return x
    return None


# ------------------------------------------------------------ writing


@rule("update")
def _update(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, value, *indices = op.args
    if not indices:
        return value
    read = s.prim(value, "index")
    if read is not None and read.args == (x, *indices):
        return x
    inner = s.prim(x, "update")
    if inner is not None and inner.args[2:] == tuple(indices):
        return Prim("update", (inner.args[0], value, *indices))
    return None


@rule("accumulate")
def _accumulate(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, value, *indices = op.args
    if not indices:
        return Prim("add", (x, value))
    return x if is_zero(s, value) else None


@rule("accumulate_slice", "update_slice")
def _accumulate_slice(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, value, start, step = op.args
    axis = attr_axis(op)
    assert isinstance(x, Var)
    assert isinstance(value, Var)
    whole = is_const(start, 0) and is_const(step, 1) and s.same(s.size(x, axis), s.size(value, axis))
    if op.name == "update_slice":
        return value if whole else None
    if is_zero(s, value):
        return x
    return Prim("add", (x, value)) if whole else None


@rule("accumulate_at")
def _accumulate_at(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, values, *indices = op.args
    assert isinstance(x, Var)
    if is_zero(s, values):
        return x
    if not indices:
        return Prim("add", (x, values))
    if indices[0].type.rank == 0 and all(i.type.rank == 0 for i in indices):
        return None
    iota = s.prim(indices[0], "iota")
    if iota is not None and len(indices) == 1 and s.same(iota.args[0], s.size(x, 0)):
        return Prim("add", (x, values))
    return None


@rule("sum")
def _sum(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, axis = op.args[0], attr_axis(op)
    assert isinstance(x, Var)
    if is_zero(s, x):
        return zeros(s, [s.size(x, k) for k in range(x.type.rank) if k != axis], x.type.dtype)
    return None


@rule("cumsum")
def _cumsum(s: Simplifier, op: Prim) -> Atom | Prim | None:
    return op.args[0] if is_zero(s, op.args[0]) else None


# ------------------------------------------------------------ checks that cannot fail


@rule("check_index")
def _check_index(s: Simplifier, op: Prim) -> Atom | Prim | None:
    i, n = op.args
    if i.type.rank == 0:
        return i if n.type.rank == 0 and s.in_range(i, n) else None
    iota = s.prim(i, "iota")
    if iota is not None and n.type.rank == 0:
        (base, offset), (limit, more) = s.affine(iota.args[0]), s.affine(n)
        return i if base == limit and offset <= more else None
    return None


@rule("check_equal")
def _check_equal(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    return x if x == y or (x.type == y.type == ir.I64 and s.same(x, y)) else None


@rule("check_slice")
def _check_slice(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """The whole of an axis, or constants inside a known length."""
    start, count, step, n = op.args
    if any(a.type.rank for a in op.args) or not is_const(step, 1):
        return None
    begin, length = integer(start), s.affine(count)
    base, size = s.affine(n)
    if begin is None or begin < 0 or not s.nonnegative(count):
        return None
    return start if length[0] == base and begin + length[1] <= size else None


@rule("check_divisor")
def _check_divisor(s: Simplifier, op: Prim) -> Atom | Prim | None:
    d = op.args[0]
    if isinstance(d, Const):
        return d if d.value != 0 else None
    return d if d.type == ir.I64 and any(s.is_positive(low) for low in s.bounds(d)[0]) else None


@rule("check_size")
def _check_size(s: Simplifier, op: Prim) -> Atom | Prim | None:
    n = op.args[0]
    return n if n.type == ir.I64 and s.nonnegative(n) else None


@rule("assert")
def _assert(s: Simplifier, op: Prim) -> Atom | Prim | None:
    c = op.args[0]
    return c if isinstance(c, Const) and bool(c.value) else None
