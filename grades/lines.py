"""Points and lines in the space of a function's arguments: where a search for witnesses looks.

Numbers are short decimals, so that a witness can be read; what a parameter may be (`Bounds`) is respected by points and
by all of a line that is looked at.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from ..lang.core import ir
from ..lang.core.walk import atoms, scopes
from ..lang.prims.common import NUMPY_NAMES
from ..lang.record import dataclass
from .jets import Jet
from .reals import context

NICE = tuple(map(Fraction, ("1/2", "1", "2", "-1", "3/2", "-1/2", "3", "-2", "1/4", "5/2", "-3/2", "4", "3/4", "-3")))
WIDE = tuple(map(Fraction, ("0", "10", "1/10", "-10", "100", "1/1000", "-100", "5", "20", "1000", "1/100000")))
STEPS = tuple(map(Fraction, (
    "1/16", "3/16", "3/8", "3/4", "5/4", "7/4", "11/4", "15/4", "23/4", "10", "20", "100", "1000", "100000")))
"""How far along a line is looked, in both directions."""
Spot = tuple[int, tuple[int, ...]]
"""A number of the arguments: which parameter, which element."""


@dataclass(frozen=True)
class Bounds:
    """Where a parameter's numbers may lie: a refinement of its type."""

    lo: float = -math.inf
    hi: float = math.inf
    lo_open: bool = True
    hi_open: bool = True

    def hold(self, x: Fraction) -> bool:
        above = x > self.lo if self.lo_open or self.lo == -math.inf else x >= self.lo
        below = x < self.hi if self.hi_open or self.hi == math.inf else x <= self.hi
        return above and below


FREE = Bounds()


@dataclass(frozen=True)
class Line:
    """A point of the arguments (fractions for floats, else what NumPy takes) and how the moving numbers change."""

    point: tuple[Any, ...]
    slopes: Mapping[Spot, Fraction]
    lo: float
    hi: float
    """Between which t all bounds hold."""

    def at(self, t: float) -> list[Any]:
        """Arguments in doubles."""
        args = [_doubles(x) for x in self.point]
        for (k, at), slope in self.slopes.items():
            if at:
                args[k][at] += t * float(slope)
            else:
                args[k] += t * float(slope)
        return args

    def many(self, t: Any) -> list[Any]:
        """Arguments in many digits."""
        args = [_many(x) for x in self.point]
        for (k, at), slope in self.slopes.items():
            moved = t * slope.numerator / slope.denominator
            if at:
                args[k][at] += moved
            else:
                args[k] += moved
        return args

    def series(self, t: Any, length: int, way: int) -> list[Any]:
        """Arguments as jets in the distance from t, forwards or (`way` -1) backwards."""
        args = self.many(t)
        zero = context().zero
        for (k, at), slope in self.slopes.items():
            rate = context().mpf(way * slope.numerator) / slope.denominator
            jet = Jet(((args[k][at] if at else args[k]), rate, *[zero] * (length - 2)))
            if at:
                args[k][at] = jet
            else:
                args[k] = jet
        return args


def _doubles(x: Any) -> Any:
    if isinstance(x, Fraction):
        return float(x)
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.asarray(np.frompyfunc(float, 1, 1)(x), object)
    return x


def _many(x: Any) -> Any:
    mp = context()
    if isinstance(x, Fraction):
        return mp.mpf(x.numerator) / x.denominator
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.asarray(np.frompyfunc(lambda v: mp.mpf(v.numerator) / v.denominator, 1, 1)(x), object)
    return x


def numbers(program: ir.Program, function: str) -> list[Fraction]:
    """The numbers that a function and what it calls are written with, if they are none that are tried anyway."""
    found: dict[Fraction, None] = {}
    seen: set[str] = set()
    names = [function]
    while names:
        name = names.pop()
        if name in seen or name not in program.functions:
            continue
        seen.add(name)
        blocks = [program.functions[name].body]
        while blocks:
            block = blocks.pop()
            for stmt in block.stmts:
                for a in atoms(stmt.op):
                    if isinstance(a, ir.Const) and a.type.is_float and math.isfinite(a.value) and abs(a.value) > 4:
                        found[Fraction(repr(float(a.value)))] = None
                if isinstance(stmt.op, ir.Call):
                    names.append(stmt.op.function)
                blocks += [inner for _, inner in scopes(stmt.op)]
    return [x for x in found if abs(x) < 10**12][:40]


class Space:
    """The arguments of a function: sizes that fit each other, numbers that fit their bounds."""

    def __init__(self, function: ir.Function, moving: Sequence[bool], bounds: Mapping[int, Bounds], seed: int,
                 named: Sequence[Fraction] = ()) -> None:
        self.function = function
        self.named = tuple(named)
        """Numbers of the program itself: what it compares with may lie far from all others."""
        self.moving = moving
        self.bounds = bounds
        self.random = Random(seed)

    def sizes(self) -> dict[Any, int]:
        """Of each distinct size that the parameters have in common."""
        found: dict[Any, int] = {}
        for shape in self.function.dims:
            for atom in shape:
                if isinstance(atom, ir.Var) and atom not in found:
                    found[atom] = self.random.choice((2, 3, 2, 3, 1, 4))
        return found

    def point(self, wide: bool, all_of: Fraction | None = None) -> tuple[Any, ...]:
        """A point; with `all_of` at this number, where bounds allow it: some things happen at the origin alone."""
        sizes = self.sizes()
        usual = self.random.choice((2, 3))
        point: list[Any] = []
        for k, param in enumerate(self.function.params):
            known = self.function.dims[k] if self.function.dims else (None,) * param.type.rank
            shape = tuple(a.value if isinstance(a, ir.Const) else usual if a is None else sizes[a] for a in known)
            point.append(self.value(param.type, tuple(map(int, shape)), self.bounds.get(k, FREE), wide,
                                    all_of if self.moving[k] else None))
        return tuple(point)

    def value(self, type: ir.Type, shape: tuple[int, ...], bounds: Bounds, wide: bool, all_of: Fraction | None) -> Any:
        if type.is_float:
            out = np.empty(shape, object)
            for at in np.ndindex(shape):
                out[at] = self.number(bounds, wide) if all_of is None or not bounds.hold(all_of) else all_of
            return out if shape else out[()]
        if not shape:
            return self.integer(type.dtype, 4, bounds)
        numbers = [self.integer(type.dtype, min(shape), bounds) for _ in range(math.prod(shape))]
        return np.array(numbers, NUMPY_NAMES[type.dtype]).reshape(shape)

    def number(self, bounds: Bounds, wide: bool) -> Fraction:
        if wide and self.named and self.random.random() < 0.5:
            far = [x for x in self.named if bounds.hold(x)]
            if far:
                return self.random.choice(far)
        fitting = [x for x in (NICE + WIDE if wide else NICE) if bounds.hold(x)]
        if len(fitting) < 3:
            fitting += [x for x in inside(bounds) if bounds.hold(x)]
        return self.random.choice(fitting) if fitting else Fraction(bounds.lo if bounds.lo > -math.inf else 0)

    def integer(self, dtype: str, below: int, bounds: Bounds) -> int | bool:
        if dtype == "bool":
            return self.random.random() < 0.5
        numbers = [x for x in range(max(below, 1)) if bounds.hold(Fraction(x))]
        if not numbers:
            start = bounds.lo if bounds.lo > -math.inf else bounds.hi
            numbers = [x for x in (math.floor(start) + d for d in (-1, 0, 1, 2)) if bounds.hold(Fraction(x))] or [0]
        return self.random.choice(numbers)

    def lines(self, point: tuple[Any, ...], across: bool) -> Iterator[Line]:
        """Through a point: along each number that moves, some only if they are many, then across, or that first."""
        spots = [(k, at) for k, moves in enumerate(self.moving) if moves and self.function.params[k].type.is_float
                 for at in np.ndindex(np.shape(point[k]))]
        if not spots:
            return
        choices = (1, -1, 2, -1, Fraction(1, 2), -2, 3)
        slopes: list[dict[Spot, Fraction]] = [{spot: Fraction(1)}
                                              for spot in self.random.sample(spots, min(len(spots), 4))]
        if len(spots) > 1:
            slanted = {spot: Fraction(self.random.choice(choices)) for spot in spots}
            slopes.insert(0 if across else len(slopes), slanted)
        for each in slopes:
            yield self.line(point, each)

    def beside(self, line: Line) -> Line:
        """A line of the same direction, a little off it by numbers that are not short."""
        def off(x: Fraction, bounds: Bounds) -> Fraction:
            moved = x + Fraction(self.random.randrange(-8999, 8999), 1_000_003)
            return moved if bounds.hold(moved) else x

        point: list[Any] = []
        for k, x in enumerate(line.point):
            bounds = self.bounds.get(k, FREE)
            if not self.moving[k]:
                point.append(x)
            elif isinstance(x, np.ndarray) and x.dtype == object:
                point.append(np.asarray(np.frompyfunc(lambda v, bounds=bounds: off(v, bounds), 1, 1)(x), object))
            else:
                point.append(off(x, bounds) if isinstance(x, Fraction) else x)
        return self.line(tuple(point), line.slopes)

    def line(self, point: tuple[Any, ...], slopes: Mapping[Spot, Fraction]) -> Line:
        lo, hi = -math.inf, math.inf
        for (k, at), slope in slopes.items():
            bounds = self.bounds.get(k, FREE)
            value = float(point[k][at] if at else point[k])
            ends = sorted(((bounds.lo - value) / float(slope), (bounds.hi - value) / float(slope)))
            lo, hi = max(lo, ends[0]), min(hi, ends[1])
        return Line(point, slopes, lo, hi)


def inside(bounds: Bounds) -> list[Fraction]:
    """Some numbers that fit."""
    parts = tuple(map(Fraction, ("1/2", "1/4", "3/4", "1/10", "9/10")))
    if bounds.lo > -math.inf and bounds.hi < math.inf:
        lo, hi = Fraction(repr(float(bounds.lo))), Fraction(repr(float(bounds.hi)))
        return [lo + (hi - lo) * part for part in parts]
    if bounds.lo > -math.inf:
        return [Fraction(repr(float(bounds.lo))) + x for x in NICE if x > 0]
    return [Fraction(repr(float(bounds.hi))) - x for x in NICE if x > 0]


def samples(line: Line) -> list[float]:
    """Places on a line to look at, in order of their distance from 0, which is left out."""
    found = {sign * float(step) for step in STEPS for sign in (1, -1)}
    if line.lo > -math.inf and line.hi < math.inf:
        found |= {line.lo + (line.hi - line.lo) * part for part in (0.01, 0.1, 0.3, 0.6, 0.9, 0.99)}
    return sorted((t for t in found if line.lo < t < line.hi and t), key=abs)
