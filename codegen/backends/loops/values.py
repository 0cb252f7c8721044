"""What a variable of the IR is while its function is written as loops: a register, memory, or a recipe for elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .tree import Imm, Operand, Reg

Shape = tuple[Operand, ...]


@dataclass(frozen=True)
class Stored:
    """An array in memory: the element at indices i, j, … is `sum(index * stride)` elements past `base`."""

    base: Reg
    shape: Shape
    strides: Shape
    packed: bool
    """Whether it is contiguous, last axis fastest."""

    @property
    def dtype(self) -> str:
        return self.base.dtype


@dataclass(frozen=True)
class Lazy:
    """An array of which each element is computed where it is read; `at` writes the code into the current block."""

    dtype: str
    shape: Shape
    at: Callable[[Sequence[Operand]], Operand]
    cheap: bool = False
    """Whether reading an element twice costs nothing to speak of."""


@dataclass(frozen=True)
class Dest:
    """Where an array is to be written; with `adding` it is added to what is there."""

    array: Stored
    adding: bool = False


Value = Operand | Stored | Lazy
Array = Stored | Lazy
ZERO, ONE = Imm(0, "i64"), Imm(1, "i64")
