"""Writes loop code: a stack of blocks, registers, and index arithmetic that folds what is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ....lang.core import ir
from ....lang.core.ir import AttrValue
from . import tree
from .tree import Code, Imm, Node, Operand, Reg
from .values import ONE, ZERO, Array, Lazy, Shape, Stored


class Emitter:
    def __init__(self) -> None:
        self.count = 0
        self.code: Code = []

    def reg(self, dtype: str, pointer: bool = False) -> Reg:
        self.count += 1
        return Reg(self.count, dtype, pointer)

    def like(self, operand: Operand) -> Reg:
        return self.reg(operand.dtype, isinstance(operand, Reg) and operand.pointer)

    def add(self, node: Node) -> None:
        self.code.append(node)

    @contextmanager
    def block(self) -> Iterator[Code]:
        outer, self.code = self.code, []
        try:
            yield self.code
        finally:
            self.code = outer

    # ------------------------------------------------------------ scalars

    def scalar(self, name: str, dtype: str, *args: Operand, attrs: tuple[tuple[str, AttrValue], ...] = ()) -> Operand:
        out = self.reg(dtype)
        self.add(tree.Scalar(out, name, args, attrs))
        return out

    def plus(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, Imm) and isinstance(y, Imm):
            return Imm(int(x.value) + int(y.value), "i64")
        if x == ZERO:
            return y
        return x if y == ZERO else self.scalar("add", "i64", x, y)

    def minus(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, Imm) and isinstance(y, Imm):
            return Imm(int(x.value) - int(y.value), "i64")
        return x if y == ZERO else self.scalar("sub", "i64", x, y)

    def times(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, Imm) and isinstance(y, Imm):
            return Imm(int(x.value) * int(y.value), "i64")
        if ZERO in (x, y):
            return ZERO
        if x == ONE:
            return y
        return x if y == ONE else self.scalar("mul", "i64", x, y)

    def product(self, sizes: Sequence[Operand]) -> Operand:
        total: Operand = ONE
        for size in sizes:
            total = self.times(total, size)
        return total

    def at_least_zero(self, size: Operand) -> Operand:
        if isinstance(size, Imm):
            return Imm(max(int(size.value), 0), "i64")
        return self.scalar("max", "i64", size, ZERO)

    # ------------------------------------------------------------ memory

    def row_major(self, shape: Shape) -> Shape:
        strides: list[Operand] = []
        for k in range(len(shape)):
            strides.append(self.times(strides[-1], shape[-k]) if k else ONE)
        return tuple(reversed(strides))

    def packed(self, base: Reg, shape: Shape) -> Stored:
        return Stored(base, shape, self.row_major(shape), True)

    def alloc(self, dtype: str, shape: Shape) -> Stored:
        base = self.reg(dtype, pointer=True)
        self.add(tree.Alloc(base, self.product(shape)))
        return self.packed(base, shape)

    def shift(self, base: Reg, offset: Operand) -> Reg:
        if offset == ZERO:
            return base
        out = self.reg(base.dtype, pointer=True)
        self.add(tree.Shift(out, base, offset))
        return out

    def offset(self, strides: Sequence[Operand], indices: Sequence[Operand]) -> Operand:
        total: Operand = ZERO
        for stride, index in zip(strides, indices, strict=False):
            total = self.plus(total, self.times(index, stride))
        return total

    def read(self, array: Array, indices: Sequence[Operand]) -> Operand:
        """One element."""
        if isinstance(array, Lazy):
            return array.at(indices)
        out = self.reg(array.dtype)
        self.add(tree.Load(out, array.base, self.offset(array.strides, indices)))
        return out

    def write(self, array: Stored, indices: Sequence[Operand], value: Operand) -> None:
        self.add(tree.Store(array.base, self.offset(array.strides, indices), value))

    def below(self, array: Array, indices: Sequence[Operand]) -> Array:
        """The part at these first indices, of lower rank."""
        if not indices:
            return array
        rest = array.shape[len(indices):]
        if isinstance(array, Lazy):
            first = tuple(indices)
            return Lazy(array.dtype, rest, lambda more: array.at((*first, *more)), array.cheap)
        return self.part(array, indices)

    def part(self, array: Stored, indices: Sequence[Operand]) -> Stored:
        """As `below`, of an array in memory."""
        base = self.shift(array.base, self.offset(array.strides, indices))
        return Stored(base, array.shape[len(indices):], array.strides[len(indices):], array.packed)

    # ------------------------------------------------------------ loops

    @contextmanager
    def nest(self, shape: Sequence[Operand], *, parallel: bool = True) -> Iterator[list[Operand]]:
        """Loops over all indices of a shape; the code of one element is written inside."""
        indices = [self.reg("i64") for _ in shape]
        bodies: list[Code] = []
        outer = self.code
        for _ in shape:
            self.code = []
            bodies.append(self.code)
        yield list(indices)
        for k in reversed(range(len(shape))):
            loop = tree.For(indices[k], shape[k], (), (), bodies[k], (), (), parallel)
            (bodies[k - 1] if k else outer).append(loop)
        self.code = outer

    def fold(self, count: Operand, start: Sequence[Operand]) -> Fold:
        return Fold(self, count, start)

    def store(self, value: Array, dest: Stored) -> None:
        """All elements of `value`, into memory of the same shape."""
        if isinstance(value, Stored) and value.packed and dest.packed:
            self.add(tree.Copy(dest.base, value.base, self.product(value.shape)))
            return
        with self.nest(value.shape) as indices:
            self.write(dest, indices, self.read(value, indices))

    def add_to(self, dest: Stored, value: Array) -> None:
        """All elements of `value`, added to those of `dest`."""
        with self.nest(dest.shape) as indices:
            self.write(dest, indices, self.scalar("add", dest.dtype, self.read(dest, indices),
                                                  self.read(value, indices)))

    def fill(self, dest: Stored, value: Operand) -> None:
        with self.nest(dest.shape) as indices:
            self.write(dest, indices, value)

    def stored(self, value: Array) -> Stored:
        """In memory, wherever that is."""
        if isinstance(value, Stored):
            return value
        made = self.alloc(value.dtype, value.shape)
        self.store(value, made)
        return made

    def contiguous(self, value: Array) -> Stored:
        if isinstance(value, Stored) and value.packed:
            return value
        made = self.alloc(value.dtype, value.shape)
        self.store(value, made)
        return made


class Fold:
    """A sequential loop with state, used as `with e.fold(n, start) as f: f.next = …`, then `f.outs`."""

    def __init__(self, e: Emitter, count: Operand, start: Sequence[Operand]) -> None:
        self.e = e
        self.index = e.reg("i64")
        self.count = count
        self.start = tuple(start)
        self.state = tuple(e.like(x) for x in start)
        self.outs = tuple(e.like(x) for x in start)
        self.next: tuple[Operand, ...] = ()

    def __enter__(self) -> Fold:
        self.outer, self.e.code = self.e.code, []
        return self

    def __exit__(self, *error: object) -> None:
        body, self.e.code = self.e.code, self.outer
        if error[0] is None:
            self.e.add(tree.For(self.index, self.count, self.state, self.start, body, self.next, self.outs))


def imm(atom: ir.Const) -> Imm:
    return Imm(atom.value, atom.dtype)
