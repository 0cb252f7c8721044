"""Writes loop code: a stack of blocks, registers, and index arithmetic that folds what is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from math import prod

from ....lang.core import ir
from ....lang.core.ir import AttrValue
from . import tree
from .tree import Code, Imm, Node, Operand, Reg
from .values import ONE, ZERO, Array, Lazy, Shape, Stored

SMALL = 16
"""Arrays of at most so many elements may lie in registers."""


class Emitter:
    def __init__(self) -> None:
        self.count = 0
        self.code: Code = []
        self.body = self.code
        """The code of the function: what is computed there is known everywhere behind it."""
        self.sizes: set[int] = set()
        """Registers that are not below zero."""
        self.known: dict[tuple[str, Operand, Operand], tuple[Operand, Code]] = {}
        """Numbers of elements that have been computed, and where."""
        self.local: set[int] = set()
        """Pointers that may lead to memory of the function's own, which ends with it."""

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
        return x if y == ZERO else self.number("add", x, y, self.is_size(x) and self.is_size(y))

    def minus(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, Imm) and isinstance(y, Imm):
            return Imm(int(x.value) - int(y.value), "i64")
        return x if y == ZERO else self.number("sub", x, y, False)

    def times(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, Imm) and isinstance(y, Imm):
            return Imm(int(x.value) * int(y.value), "i64")
        if ZERO in (x, y):
            return ZERO
        if x == ONE:
            return y
        return x if y == ONE else self.number("mul", x, y, self.is_size(x) and self.is_size(y))

    def product(self, sizes: Sequence[Operand]) -> Operand:
        total: Operand = ONE
        for size in sizes:
            total = self.times(total, size)
        return total

    def at_least_zero(self, size: Operand) -> Operand:
        if isinstance(size, Imm):
            return Imm(max(int(size.value), 0), "i64")
        return size if self.is_size(size) else self.number("max", size, ZERO, True)

    def is_size(self, x: Operand) -> bool:
        return x.id in self.sizes if isinstance(x, Reg) else int(x.value) >= 0

    def number(self, name: str, x: Operand, y: Operand, size: bool) -> Operand:
        """A number of elements; what this block or the function's has computed before is not computed again."""
        found, where = self.known.get((name, x, y), (None, None))
        if found is None or (where is not self.code and where is not self.body):
            found = self.scalar(name, "i64", x, y)
            self.known[name, x, y] = found, self.code
            if size and isinstance(found, Reg):
                self.sizes.add(found.id)
        return found

    # ------------------------------------------------------------ memory

    def row_major(self, shape: Shape) -> Shape:
        strides: list[Operand] = []
        for k in range(len(shape)):
            strides.append(self.times(strides[-1], shape[-k]) if k else ONE)
        return tuple(reversed(strides))

    def packed(self, base: Reg, shape: Shape) -> Stored:
        return Stored(base, shape, self.row_major(shape), True)

    def alloc(self, dtype: str, shape: Shape) -> Stored:
        """Memory for an array: local where it is small."""
        base = self.reg(dtype, pointer=True)
        if small(shape):
            self.add(tree.Local(base, max(elements(shape), 1)))
            self.local.add(base.id)
        else:
            self.add(tree.Alloc(base, self.product(shape)))
        return self.packed(base, shape)

    def lasting(self, dtype: str, shape: Shape) -> Stored:
        """Memory for an array that the function returns."""
        base = self.reg(dtype, pointer=True)
        self.add(tree.Alloc(base, self.product(shape)))
        return self.packed(base, shape)

    def shift(self, base: Reg, offset: Operand) -> Reg:
        if offset == ZERO:
            return base
        out = self.reg(base.dtype, pointer=True)
        if base.id in self.local:
            self.local.add(out.id)
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

    def each(self, shape: Shape, one: Callable[[Sequence[Operand]], None], *, parallel: bool = True) -> None:
        """The code of `one` for all indices of a shape: written out where they are few."""
        if small(shape):
            for indices in product(*(range(int(n.value)) for n in shape if isinstance(n, Imm))):
                one([Imm(k, "i64") for k in indices])
            return
        with self.nest(shape, parallel=parallel) as inside:
            one(inside)

    def elements(self, value: Array, shape: Shape) -> list[Operand]:
        """All elements of an array of a small shape, in order."""
        found: list[Operand] = []
        self.each(shape, lambda at: found.append(self.read(value, at)))
        return found

    def held(self, dtype: str, shape: Shape, values: Sequence[Operand]) -> Stored:
        """A small array of these elements."""
        made = self.alloc(dtype, shape)
        rest = iter(values)
        self.each(shape, lambda at: self.write(made, at, next(rest)))
        return made

    def fold(self, count: Operand, start: Sequence[Operand]) -> Fold:
        return Fold(self, count, start)

    def store(self, value: Array, dest: Stored) -> None:
        """All elements of `value`, into memory of the same shape."""
        if isinstance(value, Stored) and value.packed and dest.packed and not small(value.shape):
            self.add(tree.Copy(dest.base, value.base, self.product(value.shape)))
            return
        self.each(merged(value.shape, dest.shape), lambda at: self.write(dest, at, self.read(value, at)))

    def add_to(self, dest: Stored, value: Array) -> None:
        """All elements of `value`, added to those of `dest`."""
        self.each(merged(value.shape, dest.shape), lambda at: self.write(
            dest, at, self.scalar("add", dest.dtype, self.read(dest, at), self.read(value, at))))

    def fill(self, dest: Stored, value: Operand) -> None:
        self.each(dest.shape, lambda at: self.write(dest, at, value))

    def stored(self, value: Array) -> Stored:
        """In memory, wherever that is."""
        if isinstance(value, Stored):
            return value
        made = self.alloc(value.dtype, value.shape)
        self.store(value, made)
        return made

    def copied(self, value: Array) -> Stored:
        """In memory of its own."""
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


def small(shape: Sequence[Operand]) -> bool:
    """Whether an array of this shape has few elements, and how many is known."""
    return all(isinstance(n, Imm) for n in shape) and elements(shape) <= SMALL


def elements(shape: Sequence[Operand]) -> int:
    return prod(max(int(n.value), 0) for n in shape if isinstance(n, Imm))


def merged(*shapes: Shape) -> Shape:
    """The one shape that they all say, in numbers where one of them knows."""
    return tuple(next((n for n in sizes if isinstance(n, Imm)), sizes[0]) for sizes in zip(*shapes, strict=True))


def imm(atom: ir.Const) -> Imm:
    return Imm(atom.value, atom.dtype)
