"""Rules for single primitives: what a primitive is equal to when its operands are known to come from certain others.

In: a primitive with resolved operands, and the facts. Out: an atom or a simpler primitive equal to it, or None. No rule
changes a value beyond rounding: `0 * x` stays (x may be nan), except where the zero is `zeros_like`, which only
derivative code writes and which means that nothing flows. Every rule makes the program smaller or moves towards a
normal form, so that rewriting ends. A rule must not name variables of nested blocks, and where it looks at shapes
must hold its tongue after vectorisation, when elementwise operands may be broadcast (`facts.broadcasting`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...lang.core import ir
from ...lang.core.build import is_const, trivial, zero
from ...lang.core.ir import Atom, Const, Prim, Var
from ...lang.prims import PRIMITIVES
from .facts import OPPOSITE
from .sizes import CHECKS, Size

if TYPE_CHECKING:
    from .simplify import Simplifier

Rule = Callable[["Simplifier", Prim], "Atom | Prim | None"]
RULES: dict[str, Rule] = {}
BITS = {"i64": 64, "i32": 32, "i16": 16, "i8": 8}
DIVISIONS = frozenset(("div", "quot", "mod", "rem"))


def rule(*names: str) -> Callable[[Rule], Rule]:
    def declare(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return declare


def rewrite(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """A simpler equal of `op`, or None."""
    if PRIMITIVES[op.name].elementwise:
        constants = arrays = 0
        for atom in op.args:
            if isinstance(atom, Const):
                constants += 1
            elif atom.type.rank:
                arrays += 1
        known: Atom | Prim | None = None
        if constants:
            known = fold(op) if constants == len(op.args) else trivial(op.name, op.args)
        if known is None and arrays and not s.broadcasting:
            known = _of_copies(s, op)
        if known is not None:
            return known
    found = RULES.get(op.name)
    return found(s, op) if found is not None else None


def fold(op: Prim) -> Const | None:
    """The value of an elementwise primitive of constants, unless it fails or is an integer division by zero."""
    record = PRIMITIVES[op.name]
    constants = [a for a in op.args if isinstance(a, Const)]
    if record.fails or op.name in CHECKS or not constants:
        return None
    if op.name in DIVISIONS and constants[1].dtype in ir.INTEGERS and constants[1].value == 0:
        return None
    import numpy as np

    from ...lang.prims.common import NUMPY_NAMES

    result = record.infer([a.type for a in op.args], dict(op.attrs))
    with np.errstate(all="ignore"):
        values = [getattr(np, NUMPY_NAMES[a.dtype])(a.value) for a in constants]
        value = getattr(np, NUMPY_NAMES[result.dtype])(record.evaluate(*values, **dict(op.attrs))).item()
    return Const(value, result.dtype)


def _of_copies(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """Copies of a scalar meet an array as the scalar: replicate n 2 * x = 2 * x. Copies alone have a copied result."""
    copied = [copies_of(s, a) for a in op.args]
    if all(c is None for c in copied) or op.name in CHECKS:
        return None
    args = tuple(a if c is None else c for a, c in zip(op.args, copied, strict=True))
    if any(a.type.rank for a in args):
        return Prim(op.name, args, op.attrs)
    value = s.emit(Prim(op.name, args, op.attrs))
    shape = next(a for a, c in zip(op.args, copied, strict=True) if c is not None)
    sizes: list[Atom] = []
    while (made := s.prim(shape, "replicate")) is not None:
        sizes.append(made.args[0])
        shape = s.resolve(made.args[1])
    for size in reversed(sizes[1:]):
        value = s.emit(Prim("replicate", (size, value)))
    return Prim("replicate", (sizes[0], value))


# ------------------------------------------------------------ asking


def copies_of(s: Simplifier, atom: Atom) -> Atom | None:
    """The scalar of which an array holds copies, if it is one made of them."""
    made = s.prim(atom, "replicate")
    while made is not None:
        atom = s.resolve(made.args[1])
        if atom.type.rank == 0:
            return atom
        made = s.prim(atom, "replicate")
    return None


def is_zero(s: Simplifier, atom: Atom) -> bool:
    """Whether `atom` is an array through which no derivative flows."""
    return atom.type.rank > 0 and s.prim(atom, "zeros_like") is not None


def _fits(s: Simplifier, kept: Atom, *dropped: Atom) -> bool:
    """Whether an elementwise result has the shape of `kept` when `dropped` no longer takes part."""
    return all(kept.type.rank >= d.type.rank and (d.type.rank == 0 or not s.broadcasting) for d in dropped)


def integer(atom: Atom) -> int | None:
    return int(atom.value) if isinstance(atom, Const) and atom.type.dtype in ir.INTEGERS else None


def attr_axis(op: Prim) -> int:
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return axis


def attr_perm(op: Prim) -> tuple[int, ...]:
    perm = op.attr("perm")
    assert isinstance(perm, tuple)
    return perm


def zeros(s: Simplifier, sizes: list[Size], dtype: str) -> Atom:
    """Zeros of a shape given by sizes."""
    value: Atom = Const(zero(dtype), dtype)
    for size in reversed(sizes):
        value = s.emit(Prim("replicate", (s.atom_of(size), value)), "zeros")
    return s.emit(Prim("zeros_like", (value,)), "zeros") if sizes else value


# ------------------------------------------------------------ arithmetic


@rule("add", "sub")
def _add(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    dtype = x.type.dtype
    if dtype not in ir.FLOATS:
        if op.name == "sub" and x == y and x.type.rank == 0:
            return Const(0, dtype)
        if op.name == "sub" and dtype in BITS and x.type.rank == y.type.rank == 0:  # (x + 3) - (x + 1) = 2
            (base, more), (other, less) = _affine(s, x), _affine(s, y)
            if base == other:
                return Const(_wrapped(more - less, dtype), dtype)
        return _shifted(s, op) if dtype in BITS else None
    if is_zero(s, y) and _fits(s, x, y):
        return x
    if is_zero(s, x) and _fits(s, y, x):
        return y if op.name == "add" else Prim("neg", (y,))
    negated = s.prim(y, "neg")
    if negated is not None:  # x + -y = x - y, x - -y = x + y
        return Prim("sub" if op.name == "add" else "add", (x, negated.args[0]))
    negated = s.prim(x, "neg")
    if negated is not None and op.name == "add":  # -x + y = y - x
        return Prim("sub", (y, negated.args[0]))
    if op.name == "add" and isinstance(y, Const) and repr(y.value) == "-0.0":
        return x
    return None


def _wrapped(value: int, dtype: str) -> int:
    bits = BITS[dtype]
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _affine(s: Simplifier, x: Atom) -> tuple[Atom, int]:
    """A base and a constant that add up to `x`."""
    made = s.prim(x)
    if made is not None and made.name in ("add", "sub") and made.args[0].type.rank == 0:
        base, by = made.args
        if isinstance(base, Const) and made.name == "add":
            base, by = by, base
        shift = integer(by)
        if shift is not None and isinstance(base, Var):
            return base, shift if made.name == "add" else -shift
    return x, 0


def _shifted(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """x + c with c as far left as it goes: (x + 2) - 3 = x - 1."""
    x, y = op.args
    if isinstance(x, Const) and op.name == "add":
        x, y = y, x
    by = integer(y)
    if by is None or isinstance(x, Const):
        return None
    shift = by if op.name == "add" else -by
    inner = s.prim(x)
    if inner is not None and inner.name in ("add", "sub"):
        base, more = inner.args
        if isinstance(base, Const) and inner.name == "add":
            base, more = more, base
        moved = integer(more)
        if moved is not None and base.type.rank == x.type.rank:
            x, shift = base, shift + (moved if inner.name == "add" else -moved)
    shift = _wrapped(shift, x.type.dtype)
    if shift == 0:
        return x
    if shift == -(1 << (BITS[x.type.dtype] - 1)):
        return None
    new = Prim("add" if shift > 0 else "sub", (x, Const(abs(shift), x.type.dtype)))
    return None if new == op else new


@rule("mul")
def _mul(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    plain = isinstance(x, Var) and isinstance(y, Var) and not x.type.rank and not y.type.rank
    for a, b in () if plain else ((x, y), (y, x)):
        if is_zero(s, a) and _fits(s, a, b):
            return a
        if is_const(b, -1) and (x.type.dtype in ir.FLOATS or x.type.dtype in ir.SIGNED) and _fits(s, a, b):
            return Prim("neg", (a,))
        if is_const(b, 0) and a.type == ir.Type(b.type.dtype) and b.type.dtype in ir.INTEGERS:
            return b
    p, q = s.prim(x, "neg"), s.prim(y, "neg")
    if p is not None and q is not None:
        return Prim("mul", (p.args[0], q.args[0]))
    for negated, other in ((p, y), (q, x)):  # -x * 2 = x * -2
        if negated is not None and isinstance(other, Const) and other.dtype in ir.FLOATS:
            return Prim("mul", (negated.args[0], Const(-other.value, other.dtype)))
    return None


@rule("scaled")
def _scaled(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    if (isinstance(x, Const) and x.value != 0) or (isinstance(y, Const) and math.isfinite(y.value)):
        return Prim("mul", (x, y))
    return None


@rule("div")
def _div(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    if not x.type.is_float:
        return None
    if is_zero(s, x) and _fits(s, x, y):
        return x
    p, q = s.prim(x, "neg"), s.prim(y, "neg")
    if p is not None and q is not None:
        return Prim("div", (p.args[0], q.args[0]))
    if p is not None and isinstance(y, Const):
        return Prim("div", (p.args[0], Const(-y.value, y.dtype)))
    if q is not None and isinstance(x, Const):
        return Prim("div", (Const(-x.value, x.dtype), q.args[0]))
    return None


@rule("neg")
def _neg(s: Simplifier, op: Prim) -> Atom | Prim | None:
    inner = s.prim(op.args[0], "neg")
    if inner is not None:
        return inner.args[0]
    if is_zero(s, op.args[0]):
        return op.args[0]
    return None


@rule("abs")
def _abs(s: Simplifier, op: Prim) -> Atom | Prim | None:
    return op.args[0] if s.prim(op.args[0], "abs") is not None else None


@rule("pow")
def _pow(s: Simplifier, op: Prim) -> Atom | Prim | None:
    """Small whole exponents by multiplication: x ** 3 = x * x * x."""
    x, y = op.args
    if not isinstance(y, Const) or isinstance(x, Const):
        return None
    if y.value == 1:
        return x
    if y.value == 0 and x.type.rank == 0:
        return Const(1.0 if y.dtype in ir.FLOATS else 1, y.dtype)
    if y.value in (2, 3, 4):
        square = Prim("mul", (x, x))
        if y.value == 2:
            return square
        twice = s.emit(square, "square")
        return Prim("mul", (twice, x if y.value == 3 else twice))
    if y.value == -1 and y.dtype in ir.FLOATS:
        return Prim("div", (Const(1.0, y.dtype), x))
    return None


@rule("min", "max", "and", "or", "band", "bor")
def _idempotent(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    if x == y:
        return x
    if op.name == "max" and x.type == ir.I64 and isinstance(y, Const) and y.value <= 0 and s.nonnegative(x):
        return x  # a size is none below 0
    if op.name in ("and", "or"):
        for a, b in ((x, y), (y, x)):
            if isinstance(b, Const) and bool(b.value) == (op.name == "and"):
                return a
            if isinstance(b, Const) and a.type.rank == 0:
                return b
    return None


@rule("not")
def _not(s: Simplifier, op: Prim) -> Atom | Prim | None:
    inner = s.prim(op.args[0])
    if inner is None:
        return None
    if inner.name == "not":
        return inner.args[0]
    if inner.args[0].type.is_float and inner.name not in ("eq", "ne"):  # nan is neither below nor above
        return None
    opposite = OPPOSITE.get(inner.name)
    return Prim(opposite, inner.args) if opposite is not None else None


@rule("eq", "ne", "lt", "le", "gt", "ge")
def _compare(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x, y = op.args
    if x == y and x.type.rank == 0 and not x.type.is_float:
        return Const(op.name in ("eq", "le", "ge"), "bool")
    if x.type == ir.BOOL and op.name in ("eq", "ne"):
        for a, b in ((x, y), (y, x)):
            if isinstance(b, Const):
                return a if bool(b.value) == (op.name == "eq") else Prim("not", (a,))
    return None


@rule("select")
def _select(s: Simplifier, op: Prim) -> Atom | Prim | None:
    c, x, y = op.args
    rank = max(a.type.rank for a in op.args)
    if x == y and x.type.rank == rank and (c.type.rank == 0 or not s.broadcasting):
        return x
    negated = s.prim(c, "not")
    if negated is not None:
        return Prim("select", (negated.args[0], y, x))
    if isinstance(x, Const) and isinstance(y, Const) and x.dtype == "bool":
        return c if x.value and not y.value else Prim("not", (c,)) if y.value and not x.value else None
    for k, arm in ((1, x), (2, y)):
        inner = s.prim(arm, "select")  # select c (select c a b) d = select c a d
        if inner is not None and inner.args[0] == c and max(inner.args[k].type.rank, c.type.rank) == rank:
            return Prim("select", (c, inner.args[1], y) if k == 1 else (c, x, inner.args[2]))
    if is_zero(s, x) and is_zero(s, y) and x.type.rank == rank and not s.broadcasting:
        return x
    return None


@rule("cast")
def _cast(s: Simplifier, op: Prim) -> Atom | Prim | None:
    return op.args[0] if op.attr("to") == op.args[0].type.dtype else None


@rule("stop_grad")
def _stop_grad(s: Simplifier, op: Prim) -> Atom | Prim | None:
    x = op.args[0]
    return x if isinstance(x, Const) or not x.type.is_float or s.prim(x, "stop_grad") or is_zero(s, x) else None
