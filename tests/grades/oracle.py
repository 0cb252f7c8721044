"""What a function of IR really does, in 50 digits: where it changes its way, how its values and slopes differ there,
and which of the grades that are claimed for it are false.

It knows nothing of the analysis. A function is run along lines; a run leaves a *trace*, what all comparisons,
roundings, extremes and places came out as. Where two points of a line have different traces, bisection finds where it
changes, and limits, slopes and second derivatives from either side are compared there. Literals mean what they say: 0.1
is a tenth. What goes through `stop_grad` is held at its value where the line begins.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
from dad.codegen import interp
from dad.codegen.passes.differentiate import differentiate
from dad.codegen.passes.extremes import extremes
from dad.codegen.passes.substitute import Substitution
from dad.codegen.runtime.depth import LEVELS, Room
from dad.codegen.runtime.errors import RunError
from dad.grades.lattice import better
from dad.lang.core import ir
from dad.tests.ad.harness import derive
from dad.tests.programs.exact import CONSTANTS, Exact, Stops, lifted, mp, mpf

Value = Any
Point = tuple[Value, ...]
EPS = mpf(10) ** -44
BITS = 150
MOST = 3
"""Changes of one line that are looked at."""
LARGEST = mpf(10) ** 24
MOVES = {"add", "sub", "mul", "neg", "dim", "lt", "le", "gt", "ge", "eq", "ne", "max", "min", "abs", "select", "index"}
NEWTON = 14
DIGITS = 100
"""Beside what differs by 1e-44, its square is still seen."""
KINKS = {"abs", "sign", "floor", "ceil", "round", "trunc", "max", "min", "maximum", "minimum", "cummax", "cummin",
         "mod", "rem", "sort", "atan2", "atan2pi", "cbrt"}

ENDS = {"div": 1, "sqrt": 0, "log": 0, "pow": 0, "rsqrt": 0}
"""The argument that something happens at the zeros of, though nothing is decided."""

SEARCHES = ("prelude___iterated", "prelude___newton")
"""What these decide on their way is not what they find depends on."""


class Vast(Exception):
    """A number so large that its sine would take for ever."""


@cache
def decimal(number: float, _prec: int) -> Any:
    """What is written is meant: 0.1 is a tenth."""
    return mpf(repr(number))


class Moving(Substitution):
    """Without the `stop_grad`s of the library: solutions of equations, for one, move with their arguments."""

    def stmt(self, stmt: ir.Stmt, out: list[ir.Stmt]) -> None:
        op = self.op(stmt.op)
        if isinstance(op, ir.Prim) and op.name == "stop_grad" and stmt.span is not None and stmt.span.source.shipped:
            self.env[stmt.vars[0]] = op.args[0]
        else:
            out.append(ir.Stmt(stmt.vars, op, stmt.span))


class Traced(Exact):
    """A run that notes every decision."""

    def __init__(self, program: ir.Program, env: interp.Env, stops: Stops, trace: list[Any], margins: list[Any],
                 zeros: list[Any]) -> None:
        super().__init__(program, env, stops)
        self.trace, self.margins, self.zeros = trace, margins, zeros

    def within(self, env: interp.Env) -> Exact:
        return Traced(self.program, env, self.stops, self.trace, self.margins, self.zeros)

    def constant(self, number: float) -> Any:
        return CONSTANTS.get(number) or decimal(number, mp.prec)

    def primitive(self, op: ir.Prim) -> Value:
        if op.name in ("promise", "demand"):
            return self.values(op.args)[0]
        if op.name not in MOVES and any(self.vast(a) for a in op.args if a.type.is_float):
            raise Vast
        result = super().primitive(op)
        if op.name in ENDS:
            self.zeros.append(margin("sign", [self.values(op.args)[ENDS[op.name]]]))
        if any(a.type.is_float for a in op.args):
            if not isinstance(result, mpf) and np.asarray(result).dtype.kind != "O":
                if op.name != "dim":
                    self.trace.append(np.asarray(result).tobytes())
                    self.margins.append(margin(op.name, self.values(op.args)))
            elif op.name in KINKS:
                self.trace.append(decision(op.name, self.values(op.args), result))
                self.margins.append(margin(op.name, self.values(op.args)))
        return result

    def vast(self, atom: ir.Atom) -> bool:
        value = self.value(atom)
        numbers = (value,) if isinstance(value, mpf) else np.ravel(value)
        return any(abs(x) > LARGEST for x in numbers if mp.isfinite(x))

    def op(self, op: ir.Op) -> tuple[Value, ...]:
        if isinstance(op, ir.Call) and op.function.startswith(SEARCHES):
            silent = Traced(self.program, self.env, self.stops, [], [], [])
            return Exact.op(silent, op)
        return super().op(op)

    def custom(self, op: ir.Custom) -> tuple[Value, ...]:
        return self.apply(op.body, self.values(op.args))


def decision(name: str, args: Sequence[Value], result: Value) -> Any:
    if name in ("max", "min"):
        return tuple(np.asarray(args[0] > args[1], bool).ravel())
    if name in ("atan2", "atan2pi"):
        return tuple(np.ravel(np.asarray([args[0] > 0, args[0] < 0, args[1] > 0], bool)))
    if name in ("abs", "sign", "cbrt"):
        return tuple(np.asarray(args[0] > 0, bool).ravel())
    if name in ("mod", "rem"):
        return tuple(np.ravel(np.asarray(np.frompyfunc(mp.nint, 1, 1)((args[0] - result) / args[1]))))
    if name in ("floor", "ceil", "round", "trunc"):
        return tuple(np.ravel(np.asarray(result)))
    return tuple(np.argsort(np.asarray(args[0]).ravel(), kind="stable"))


def margin(name: str, args: Sequence[Value]) -> Any:
    """How far a decision is from falling out otherwise, if it is one of numbers."""
    if all(isinstance(a, mpf) for a in args):
        if name in ("lt", "le", "gt", "ge", "eq", "ne", "max", "min"):
            return args[0] - args[1]
        if name in ("abs", "sign"):
            return args[0]
    return None


@dataclass(frozen=True)
class Violation:
    grade: str
    what: str
    point: Mapping[str, Any]
    direction: Mapping[str, Any]

    def __str__(self) -> str:
        return f"not {self.grade}: {self.what}, at {dict(self.point)} along {dict(self.direction)}"


def decimals(x: Value) -> Value:
    """Numbers that are read as literals are: 0.1 is a tenth."""
    x = np.asarray(x)
    return lifted(x) if x.dtype.kind != "f" else np.frompyfunc(lambda v: mpf(repr(float(v))), 1, 1)(x)


class Line:
    """The float results of a function along `point + t direction`, with the trace of each run."""

    def __init__(self, oracle: Oracle, point: Point, direction: Sequence[Value]) -> None:
        self.oracle, self.point, self.direction = oracle, point, direction
        self.start = [decimals(x) for x in point]
        self.ahead = [lifted(d) if d is not None else None for d in direction]
        self.seen: dict[Any, tuple[tuple[Any, ...], Any, list[Any]]] = {}
        self.stopped: Sequence[Value] = ()
        first = Stops()
        self.seen[mpf(0)] = oracle.run(self.start, first)
        self.stopped = first.seen

    def run(self, t: Any) -> tuple[tuple[Any, ...], Any, list[Any]]:
        """Results, flat, trace, and margins; no results where a check fails."""
        if t not in self.seen:
            args = [x if d is None else x + t * d for x, d in zip(self.start, self.ahead, strict=True)]
            self.seen[t] = self.oracle.run(args, Stops(self.stopped))
        return self.seen[t]

    def __call__(self, t: Any) -> tuple[Any, ...]:
        return self.run(t)[0]

    def trace(self, t: Any) -> Any:
        return self.run(t)[1]

    def changes(self, lo: Any, hi: Any, parts: int) -> Iterator[tuple[Any, Any]]:
        """Neighbours, 1e-44 apart, between which the trace changes: in some of the parts that have any."""
        ts = [lo + (hi - lo) * k / parts for k in range(parts + 1)]
        found = 0
        for a, b in pairwise(ts):
            left = self.trace(a)
            if left == self.trace(b) or found == MOST:
                continue
            found += 1
            near = self.crossed(a, b)
            if near is not None:
                yield near
                continue
            for _ in range(BITS):
                m = (a + b) / 2
                if self.trace(m) == left:
                    a = m
                else:
                    b = m
                if b - a < EPS:
                    break
            yield a, b


    def crossed(self, a: Any, b: Any) -> tuple[Any, Any] | None:
        """The same by regula falsi (Illinois) on the margin of the first decision that differs; None if that fails."""
        (_, left, at_a), (_, right, at_b) = self.run(a), self.run(b)
        if not isinstance(left, tuple) or not isinstance(right, tuple):
            return None
        k = next((k for k, (p, q) in enumerate(zip(left[0], right[0], strict=False)) if p != q), None)
        if k is None or at_a[k] is None or at_b[k] is None or not at_a[k] * at_b[k] < 0:
            return None
        u, v, lo, hi = at_a[k], at_b[k], a, b
        for _ in range(40):
            t = hi - v * (hi - lo) / (v - u)
            margins = self.run(t)[2]
            if k >= len(margins) or margins[k] is None:
                return None
            w = margins[k]
            if w == 0 or abs(t - hi) < EPS / 10 or abs(hi - lo) < EPS:
                below, above = t - EPS, t + EPS
                return (below, above) if self.trace(below) == left and self.trace(above) != left else None
            if w * v < 0:
                lo, u = hi, v
            else:
                u /= 2
            hi, v = t, w
        return None


class Oracle:
    """`active`: the numbers of the parameters that are roots, by name; `leaves` draws arguments."""

    def __init__(self, program: ir.Program, function: str, roots: Mapping[str, int],
                 draw: Callable[[Random, bool], Point], inside: Callable[[Sequence[Value]], bool]) -> None:
        self.program, self.function, self.roots, self.draw, self.inside = program, function, roots, draw, inside
        self.f = program.functions[function]
        plain = differentiate(extremes(program))
        self.plain = ir.Program({
            name: ir.Function(f.name, f.params, Moving().block(f.body), f.source_name, f.dims, f.again)
            for name, f in plain.functions.items()})

    @cached_property
    def first(self) -> tuple[ir.Program, str]:
        """With the first derivative along a line."""
        whole, name = derive(self.program, self.function, "jvp")
        return differentiate(extremes(whole)), name

    @cached_property
    def reverse(self) -> tuple[ir.Program, str]:
        """With the gradient, backwards."""
        whole, name = derive(self.program, self.function, "vjp")
        return differentiate(extremes(whole)), name

    @cached_property
    def second(self) -> tuple[ir.Program, str]:
        """With the second derivative along two lines."""
        whole, name = derive(self.program, self.function, "jvp")
        whole, name = derive(whole, name, "jvp")
        return differentiate(extremes(whole)), name

    def run(self, args: Sequence[Value], stops: Stops, zeros: list[Any] | None = None
            ) -> tuple[tuple[Any, ...], Any, list[Any]]:
        trace: list[Any] = []
        margins: list[Any] = []
        if not self.inside(args):
            return (), None, []
        f = self.plain.functions[self.function]
        try:
            with np.errstate(all="ignore"), Room(interp.FRAMES * LEVELS):
                env = dict(zip(f.params, args, strict=True))
                results = Traced(self.plain, env, stops, trace, margins, [] if zeros is None else zeros).block(f.body)
        except RunError as error:
            return (), error.code, []
        except Vast:
            return (), "vast", []
        flat = [v for r, t in zip(results, self.f.result_types, strict=True) if t.is_float for v in np.ravel(r)]
        return tuple(flat), (tuple(trace), tuple(np.shape(r) for r in results)), margins

    # ------------------------------------------------------------ derivatives of the program

    def derivative(self, point: Point, direction: Sequence[Value], order: int) -> tuple[float, ...]:
        """The first or second derivative along the direction, as the program's own derivatives give it, in doubles."""
        program, name = self.first if order == 1 else self.second
        seeds = [np.zeros_like(p) if d is None else np.asarray(d, np.float64)[()]
                  for p, d, v in zip(point, direction, self.f.params, strict=True) if v.type.is_float]
        args = [*point, *seeds]
        if order == 2:
            args += [*seeds, *(np.zeros_like(d) for d in seeds)]
        results = interp.run(program, name, args)
        floats = [float(v) for r in results if np.asarray(r).dtype.kind == "f" for v in np.ravel(r)]
        return tuple(floats[-(len(floats) // 2**order):])

    def gradient(self, point: Point, direction: Sequence[Value]) -> tuple[float, ...]:
        """The product of the direction and the program's own gradient, of a function with one number for a result."""
        program, name = self.reverse
        found = interp.run(program, name, [*point, 1.0])[1:]
        floats = [d for d, v in zip(direction, self.f.params, strict=True) if v.type.is_float]
        return (float(sum(np.sum(g * d) for g, d in zip(found, floats, strict=True) if d is not None)),)

    # ------------------------------------------------------------ claims

    def violations(self, grades: Mapping[str, str], rng: Random, lines: int = 6, parts: int = 8) -> list[Violation]:
        """What shows that grades are false, each claim tried on several lines."""
        with mp.workdps(DIGITS):
            return list(self._violations(grades, rng, lines, parts))

    def _violations(self, grades: Mapping[str, str], rng: Random, lines: int, parts: int) -> Iterator[Violation]:
        levels = sorted({g for g in (grades.get(root, "none") for root in self.roots) if g not in ("jump", "opaque")})
        for level in levels:
            moving = [root for root in self.roots
                      if better(grades.get(root, "none"), level) and (level == "flat") <= (grades.get(root, "none") in
                                                                                           ("flat", "none"))]
            for k in range(lines + (lines + 1) // 2 if moving else 0):
                point = self.draw(rng, k % 2 == 0)
                if k >= lines:
                    point = self.corner(point, rng) or point
                line = Line(self, point, self.direction(point, moving, rng, k % 4 < 2))
                yield from self.of_line(line, level, rng, parts)

    # ------------------------------------------------------------ corners

    def gaps(self, point: Point) -> list[Any]:
        """By how much decisions fall out as they do, and what is divided by: all that is 0 where something happens."""
        zeros: list[Any] = []
        _, _, margins = self.run([decimals(x) for x in point], Stops(), zeros)
        return [*margins, None, *zeros]

    def corner(self, point: Point, rng: Random) -> Point | None:
        """A point where two gaps, sometimes one or three, are 0, by Newton's method from here; none where that fails.
        Where decimals with few digits are such a point they are taken, so that it is exact in floats as well."""
        start = self.gaps(point)
        known = [k for k, gap in enumerate(start) if gap is not None and mp.isfinite(gap)]
        if not known:
            return None
        chosen = rng.sample(known, min(len(known), rng.choice((1, 2, 2, 2, 3))))

        def residual(at: Point) -> Any:
            found = self.gaps(at)
            if len(found) != len(start) or any(found[k] is None or not mp.isfinite(found[k]) for k in chosen):
                return None
            return np.asarray([found[k] for k in chosen], object)

        moved = [(i, at) for i in self.roots.values() for at in np.ndindex(np.shape(point[i]))]

        def shifted(at: Point, steps: Sequence[Any]) -> Point:
            arrays = [decimals(x) for x in at]
            for (i, place), step in zip(moved, steps, strict=True):
                arrays[i] = np.array(arrays[i], object)
                arrays[i][place] += step
            return tuple(np.asarray(x)[()] for x in arrays)

        here = residual(point)
        for _ in range(NEWTON):
            if here is None:
                return None
            if all(abs(r) < mpf("1e-85") for r in here):
                break
            h = mpf("1e-30")
            beside = [residual(shifted(point, [h * (j == k) for j in range(len(moved))])) for k in range(len(moved))]
            if any(b is None for b in beside):
                return None
            slopes = np.asarray([[float(v) for v in (b - here) / h] for b in beside]).T
            size = max(abs(r) for r in here)
            steps = np.linalg.lstsq(slopes, np.asarray([float(r / size) for r in -here]), rcond=1e-9)[0]
            if not np.isfinite(steps).all():
                return None
            point = shifted(point, [size * mpf(float(s)) for s in steps])
            here = residual(point)
        if here is None or not all(abs(r) < mpf("1e-24") for r in here):
            return None
        plain = tuple(x if k not in self.roots.values() else np.round(np.asarray(x, np.float64), 3)[()]
                      for k, x in enumerate(point))
        if all(abs(p - q) < mpf("1e-10") for k in self.roots.values()
               for p, q in zip(np.ravel(decimals(plain[k])), np.ravel(decimals(point[k])), strict=True)):
            return plain
        return point if all(abs(r) < mpf("1e-85") for r in here) else None

    def direction(self, point: Point, moving: Sequence[str], rng: Random, simple: bool) -> list[Value]:
        chosen = {self.roots[name] for name in moving}
        if simple and len(chosen) > 1 and rng.random() < 0.5:
            chosen = {rng.choice(sorted(chosen))}

        def number() -> float:
            return rng.choice((1.0, -1.0, 0.5, 0.0)) if simple else rng.gauss(0, 1)

        found: list[Value] = []
        for i, x in enumerate(point):
            if i not in chosen:
                found.append(None)
                continue
            numbers = [number() for _ in range(np.size(x))]
            if not any(numbers) and numbers:
                numbers[rng.randrange(len(numbers))] = 1.0
            found.append(np.asarray(numbers, np.float64).reshape(np.shape(x))[()])
        return found

    def of_line(self, line: Line, level: str, rng: Random, parts: int) -> Iterator[Violation]:
        names = list(self.roots)

        def violation(what: str, t: Any = 0) -> Violation:
            at = {name: shown(line.start[i] + (0 if line.ahead[i] is None else t * line.ahead[i]))
                  for name, i in self.roots.items()}
            return Violation(level, what, at, {n: line.direction[self.roots[n]] for n in names})

        reach = mpf(rng.choice((1, 4, 30)))
        lo, hi = -reach, reach
        while not line(lo) and lo < mpf("-1e-3"):
            lo /= 2
        while not line(hi) and hi > mpf("1e-3"):
            hi /= 2
        if level == "none":
            if line(lo) and line(hi) and not same(line(lo), line(hi), mpf("1e-30")):
                yield violation("the value changes")
            return
        if level == "affine":
            near = min(-lo, hi)
            if line(-near) and line(near) and line(mpf(0)):
                bent = [a + b - 2 * m for a, b, m in zip(line(-near), line(near), line(mpf(0)), strict=True)]
                if not small(bent, [*line(lo), *line(hi)], mpf("1e-25")):
                    yield violation(f"bent by {shown(bent)}")
            level = "smooth"
        if level == "flat":
            for t in (mpf(rng.uniform(float(lo), float(hi))) for _ in range(3)):
                h = mpf("1e-25")
                if line.trace(t - h) == line.trace(t + h) and not same(line(t - h), line(t + h), mpf("1e-38")):
                    yield violation("the slope is not 0", t)
            return
        pairs = [(mpf(0), mpf(0)), *line.changes(lo, hi, parts)]
        t = mpf(rng.uniform(float(lo), float(hi)))
        pairs.append((t, t))
        for a, b in pairs:
            yield from (violation(what, a) for what in self.at(line, a, b, level))

    def at(self, line: Line, a: Any, b: Any, level: str) -> Iterator[str]:
        """How the claim fails between `a` and `b`, or at the point where they are equal."""
        left, right = side(line, a, -1), side(line, b, 1)
        middle = [line(a), line(b)]
        if not finite(*middle, *left, *right):
            return
        scale = max([mpf(1), *(abs(v) for v in (*middle[0], *left[0], *right[0]))])
        for near, far in (((left[0], middle[0]), (left[1], middle[0])), ((right[0], middle[1]), (right[1], middle[1])),
                          ((left[0], right[0]), (left[1], right[1]))):
            gap, wide = greatest(*near), greatest(*far)
            if gap > mpf("1e-33") * scale and wide / 2 < gap < wide * 2:  # what is no jump changes with the distance
                yield f"the value jumps by {mp.nstr(gap, 8)}"
                return
        if level == "cont":
            return
        for values in (left, right):
            steep, before = slopes(values, 0), slopes(values, 1)
            if steep > 1e6 * scale and steep > 1e3 * before:
                yield f"the slope is not bounded: {mp.nstr(steep, 8)}"
                return
        if level == "lip":
            return
        orders = 1 if level == "C1" else 2
        for order in range(1, orders + 1):
            found = [(differences(line, a, -h, order), differences(line, b, h, order)) for h in STEPS]
            (below, above), (wide_below, wide_above) = found
            if below is None or above is None or wide_below is None or wide_above is None:
                return
            size = max([scale, *(abs(v) for v in (*below, *above))])
            gap = greatest(below, above)
            steady = max(greatest(below, wide_below), greatest(above, wide_above)) < gap / 8
            if gap > mpf("1e-12") * size and steady:
                yield f"the derivative of order {order} jumps by {mp.nstr(gap, 8)}"
                return
            yield from self.computed(line, a, order, below, above, size)

    def computed(self, line: Line, t: Any, order: int, below: Sequence[Any], above: Sequence[Any], size: Any
                 ) -> Iterator[str]:
        """The program's own derivative at the point, or at the nearest doubles."""
        ahead = [0.0 if d is None else float(t) * np.asarray(d) for d in line.direction]
        point = tuple(np.asarray(x + d, np.float64)[()] if np.asarray(x).dtype.kind in "fO" else x
                      for x, d in zip(line.point, ahead, strict=True))
        rounded = any(np.asarray(x).dtype == object for x in line.point)  # what does not move may be on another side
        if rounded or size > 1e8:
            return
        if t != 0 and (size > 1e6 or line.stopped):  # rounding; stop_grad holds where the line begins
            return
        if not self.inside(point):
            return
        try:
            found = self.derivative(point, line.direction, order)
        except RunError:
            return
        if not np.isfinite(np.asarray(found)).all() and size > 1e4:
            return
        if any(not abs(f - float(x)) <= 1e-4 * float(size) for f, x in zip(found, above, strict=True)):
            yield f"derivative {order} is computed as {found}, is {shown(above)}"
        elif order == 1 and [t for t in self.f.result_types if t.is_float] == [ir.F64] == list(self.f.result_types):
            back = self.gradient(point, line.direction)
            if not abs(back[0] - found[0]) <= 1e-6 * float(size):
                yield f"the gradient times the direction is {back[0]}, forwards it is {found[0]}"


def side(line: Line, t: Any, sign: int) -> list[tuple[Any, ...]]:
    """Values near `t` on one side: at 1e-42, 1e-34 and, for slopes, at twice these."""
    return [line(t + sign * mpf(h)) for h in ("1e-42", "1e-34", "2e-42", "2e-34")]


def slopes(values: Sequence[tuple[Any, ...]], k: int) -> Any:
    h = (mpf("1e-42"), mpf("1e-34"))[k]
    gap = greatest(values[k], values[k + 2])
    return gap / h if gap > mpf("1e-47") * max([mpf(1), *(abs(v) for v in values[0])]) * 10 else mpf(0)


FORWARD = {1: (mpf(-137) / 60, mpf(5), mpf(-5), mpf(10) / 3, mpf(-5) / 4, mpf(1) / 5),
           2: (mpf(15) / 4, mpf(-77) / 6, mpf(107) / 6, mpf(-13), mpf(61) / 12, mpf(-5) / 6)}


STEPS = (mpf("1e-12"), mpf("1e-9"))


def differences(line: Line, t: Any, h: Any, order: int) -> tuple[Any, ...] | None:
    """The derivative from one side, exact for polynomials of degree 5; none where the trace changes on the way."""
    ts = [t + mp.sign(h) * EPS * 100, *(t + k * h for k in range(1, 6))]
    if any(line.trace(x) != line.trace(ts[1]) for x in ts) or not finite(*(line(x) for x in ts)):
        return None
    rows = zip(*(line(x) for x in ts), strict=True)
    return tuple(sum((c * v for c, v in zip(FORWARD[order], row, strict=True)), mpf(0)) / h**order for row in rows)


def finite(*rows: Sequence[Any]) -> bool:
    return all(row and all(mp.isfinite(v) for v in row) for row in rows) and len({len(row) for row in rows}) == 1


def greatest(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return max((abs(x - y) for x, y in zip(a, b, strict=True)), default=mpf(0))


def same(a: Sequence[Any], b: Sequence[Any], tolerance: Any) -> bool:
    return len(a) == len(b) and (not finite(a, b) or small([x - y for x, y in zip(a, b, strict=True)], a, tolerance))


def small(values: Sequence[Any], beside: Sequence[Any], tolerance: Any) -> bool:
    return all(not mp.isfinite(v) or abs(v) <= tolerance * max([mpf(1), *(abs(b) for b in beside if mp.isfinite(b))])
               for v in values)


def shown(x: Any) -> Any:
    if isinstance(x, np.ndarray | list | tuple):
        return [shown(v) for v in np.ravel(np.asarray(x, object))]
    return float(x) if isinstance(x, mpf) else x
