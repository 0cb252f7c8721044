"""What must hold of every generated program; a property that does not raises AssertionError, its name in front.

`exact`: in 50 digits, without any optimisation, the derivative forward is that of differences, reverse mode is its
transpose, and second derivatives are symmetric, the same in every nesting and those of differences. These leave no
room for rounding. `emitted`: the NumPy module gives the same numbers in float64. Then: the interpreter on optimised
code and NumPy agree closely, machine code has its bits where nothing elementary is computed, passes leave what
verifies, `vmap` is a loop of calls, a built module stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from dad.codegen.interp import InterpreterError
from dad.tests.native import agreement
from dad.tests.programs import exact
from dad.tests.programs.exact import Stops, lifted, lowered, mp, mpf
from dad.tests.programs.programs import Generated, arguments
from dad.tests.programs.subjects import Function, Subject, executed, functions_of, interpreted, run

Leaves = list[Any]
STEP = mpf("1e-15")
FIRST, SECOND, TRANSPOSED = mpf("1e-18"), mpf("1e-15"), mpf("1e-25")
"""How far derivatives may be from differences, relative to the size of the values: the error of differences is the
third derivative times 1e-30 and rounding 1e-35; constants in derivatives are exact (`exact.CONSTANTS`)."""
KINK = mpf("1e-8")
"""Slopes to both sides that differ by more: there is no derivative to compare with."""
WILD = mpf("1e7")
"""Greater values are left alone: nothing can be said of float64 there, and differences lose their digits."""


@dataclass
class Trial:
    """A program at a point: leaves of arguments, in float64 and in 50 digits; directions and weights of its floats."""

    subject: Subject
    leaves: Leaves
    rng: np.random.Generator
    exact: Leaves = field(default_factory=list)
    directions: Leaves = field(default_factory=list)
    weights: Leaves = field(default_factory=list)
    found: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Results in 50 digits, by kind."""
    kink: bool = False
    """Whether a result has no derivative here."""


def trial(subject: Subject, sizes: dict[str, int], seed: int) -> Trial:
    leaves = list(leaves_of(arguments(subject.generated, sizes, seed)))
    made = Trial(subject, leaves, np.random.default_rng(seed))
    made.exact = [lifted(x) for x in leaves]
    made.directions = [like(x, made.rng) for x in leaves if is_float(x)]
    return made


def leaves_of(value: Any) -> Iterator[Any]:
    match value:
        case Mapping():
            for key in sorted(value):
                yield from leaves_of(value[key])
        case tuple() | list():
            for item in value:
                yield from leaves_of(item)
        case _:
            yield np.asarray(value)[()]


def is_float(x: Any) -> bool:
    return isinstance(x, mpf) or np.asarray(x).dtype.kind in "fO"


def floats(values: Sequence[Any]) -> Leaves:
    return [x for x in values if is_float(x)]


def like(x: Any, rng: np.random.Generator) -> Any:
    """A random float64 value of the shape of `x`."""
    return np.asarray(rng.uniform(-1, 1, np.shape(x)))[()]


def flat(values: Sequence[Any]) -> list[Any]:
    return [v for x in values for v in np.ravel(np.asarray(x, object)).tolist()]


def largest(values: Sequence[Any]) -> Any:
    return max((abs(v) for v in flat(values)), default=exact.ZERO)


def finite(values: Sequence[Any]) -> bool:
    return all(mp.isfinite(v) for v in flat(floats(values)))


def dot(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    return mp.fdot(flat(xs), flat(ys))


# ---------------------------------------------------------------- in 50 digits


def derivatives(t: Trial) -> str:
    """First derivatives in 50 digits: what became of the program, `fine` when there is something to go on with."""
    plain, transforms = t.subject.plain, t.subject.transforms
    stops = Stops()
    base = t.found["main"] = exact.run(plain, "main", t.exact, stops)
    t.weights = [like(x, t.rng) for x in floats(base)]
    if "jvp" not in transforms:
        return "no floats"
    directions, weights = list(map(lifted, t.directions)), list(map(lifted, t.weights))
    t.found["jvp"] = exact.run(plain, transforms["jvp"].function, [*t.exact, *directions])
    t.found["vjp"] = exact.run(plain, transforms["vjp"].function, [*t.exact, *weights])
    count = len(base)
    for kind in ("jvp", "vjp"):
        assert same(t.found[kind][:count], base), f"values: of {kind}: {t.found[kind][:count]} and {base}"
    slopes, gradients = t.found["jvp"][count:], t.found["vjp"][count:]
    if not finite(base):
        return "not finite"
    if max(largest(floats(base)), largest(slopes), largest(gradients)) > WILD:
        return "wild"
    ahead, back = dot(slopes, weights), dot(directions, gradients)
    if mp.isfinite(ahead) and mp.isfinite(back):
        scale = 1 + largest(slopes) + largest(gradients)
        assert abs(ahead - back) <= TRANSPOSED * scale, f"transposition: {mp.nstr(ahead, 20)} and {mp.nstr(back, 20)}"

    def at(step: Any) -> Leaves:
        return floats(exact.run(plain, "main", moved(t.exact, directions, step), fixed(t, stops)))

    t.kink = differences(at, floats(base), slopes, FIRST, "differences")
    return "a kink" if t.kink else "fine"


def fixed(t: Trial, stops: Stops) -> Stops:
    implicit = any(word in t.subject.generated.text for word in ("fixpoint", "root", "minimiser"))
    return Stops() if implicit else Stops(stops.seen)


def same(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
    return all(x == y or x != x for x, y in zip(flat(xs), flat(ys), strict=True))


def moved(values: Sequence[Any], directions: Sequence[Any], step: Any) -> Leaves:
    rest = iter(directions)
    return [x + step * next(rest) if is_float(x) else x for x in values]


def differences(
    at: Callable[[Any], Leaves], base: Sequence[Any], slopes: Sequence[Any], tolerance: Any, what: str
) -> bool:
    """Compares with central differences; whether one-sided ones say that there is no derivative."""
    ahead, behind = at(STEP), at(-STEP)
    kink = False
    for k, (high, middle, low, slope) in enumerate(zip(ahead, base, behind, slopes, strict=True)):
        expected = (high - low) / (2 * STEP)
        scale = 1 + largest([expected, slope]) + largest([middle])
        if not finite([expected, slope]) or largest([(high - 2 * middle + low) / STEP]) > KINK * scale:
            kink = True
        else:
            shown = f"float result {k}: {shorter(slope)}, by differences {shorter(expected)}"
            assert largest([expected - slope]) <= tolerance * scale, f"{what}: {shown}"
    return kink


def shorter(x: Any) -> str:
    return "[" + ", ".join(mp.nstr(v, 12) if isinstance(v, mpf) else str(v) for v in flat([x])) + "]"


def second_derivatives(t: Trial, emitted: bool) -> None:
    """After `derivatives` found all fine: Hessians of the weighted sum of results, times two directions.

    `emitted`: in NumPy too.
    """
    program, names = t.subject.second
    point = [*t.exact, *map(lifted, t.weights)]
    count, inputs = len(t.weights), len(t.directions)
    nothing = [lifted(0 * w) for w in t.weights]
    u = [*map(lifted, t.directions), *nothing]
    v = [*(lifted(like(x, t.rng)) for x in t.directions), *nothing]
    one, zero = exact.ONE, exact.ZERO
    stops = Stops()
    gradient = exact.run(program, names["gradient"], [*point, one], stops)[1:]

    def seeds(direction: Leaves, way: str) -> Leaves:
        match way:
            case "forward of reverse":
                return [one, *direction, zero]
            case "reverse of forward":
                return [*direction, zero, one]
        return [one, zero, *direction]

    def times(direction: Leaves, way: str) -> Leaves:
        return product_of(exact.run(program, names[way], [*point, *seeds(direction, way)]), way, inputs + count)

    products = {way: times(u, way)[:inputs] for way in list(names)[1:]}
    first, *rest = products.values()
    if not all(map(finite, products.values())) or max(map(largest, products.values())) > WILD:
        return
    scale = 1 + largest(first) + largest(gradient)
    for way, product in zip(list(products)[1:], rest, strict=True):
        away = largest([x - y for x, y in zip(first, product, strict=True)])
        shown = f"{[shorter(x) for x in first]} and {[shorter(x) for x in product]}"
        assert away <= TRANSPOSED * scale, f"second: forward of reverse and {way}: {shown}"
    left, right = dot(first, v), dot(times(v, "forward of reverse")[:inputs], u)
    assert abs(left - right) <= TRANSPOSED * scale, f"symmetric: {mp.nstr(left, 20)} and {mp.nstr(right, 20)}"

    def at(step: Any) -> Leaves:
        there = [*moved(point, u, step), one]
        return list(exact.run(program, names["gradient"], there, fixed(t, stops))[1 : 1 + inputs])

    differences(at, gradient[:inputs], first, SECOND, "second differences")
    if emitted and t.subject.generated.floats == "f64":
        there = [*t.leaves, *t.weights]
        for way in products:
            given = [*there, *(lowered(s) for s in seeds(u, way))]
            found = product_of(run(t.subject.second_emitted[way], given), way, inputs + count)[:inputs]
            for x, y in zip(found, map(lowered, first), strict=True):
                away = np.max(np.abs(x - y), initial=0.0)
                assert away <= 1e-7 * (1 + np.max(np.abs(y), initial=0.0)), f"second emitted: {way}: {x}, exact {y}"


def product_of(results: Sequence[Any], way: str, inputs: int) -> Leaves:
    """The Hessian times the direction, out of what that nesting gives beside it; for weights too."""
    start = {"forward of reverse": len(results) - inputs, "reverse of forward": 2, "reverse of reverse": 1 + inputs}
    return list(results[start[way] :])


# ---------------------------------------------------------------- in float64


def emitted(t: Trial) -> None:
    """NumPy's numbers are those of 50 digits, as far as the point's own uncertainty allows."""
    for kind, reference in t.found.items():
        found = run(t.subject.emitted[kind], seeded(t, kind))
        assert len(found) == len(reference), f"emitted: {kind} gives {len(found)} values, not {len(reference)}"
        single = t.subject.generated.floats == "f32"
        for k, (x, y) in enumerate(zip(found, reference, strict=True)):
            assert np.shape(x) == np.shape(y), f"emitted: {kind}, result {k}: shapes {np.shape(x)} and {np.shape(y)}"
            if not is_float(y):
                assert single or np.array_equal(x, y), f"emitted: {kind}, result {k}: {x} and {y}"
            elif finite([y]) and largest([y]) < WILD:
                assert close(t, kind, k, np.asarray(x, float), np.asarray(lowered(y), float), 1e-3 if single else 1e-9)


def close(t: Trial, kind: str, k: int, x: Any, y: Any, tolerance: float) -> bool:
    scale = 1 + np.max(np.abs(y), initial=0.0)
    away = np.max(np.abs(x - y), initial=0.0)
    if away <= tolerance * scale:
        return True
    # How much the result moves when the arguments move a little tells how much may be lost.
    nearby = [p * (1 + mpf(tolerance) / 1000 * mpf(like(0.0, t.rng))) if is_float(p) else p for p in t.exact]
    seeds = [lifted(s) for s in seeded(t, kind)[len(t.exact) :]]
    name = t.subject.name(kind)
    there = np.asarray(lowered(exact.run(t.subject.plain, name, [*nearby, *seeds])[k]), float)
    allowed = 1000 * np.max(np.abs(there - y), initial=0.0) + tolerance * scale
    assert away <= allowed, f"emitted: {kind}, result {k}: {x}, in 50 digits {y}"
    return True


def seeded(t: Trial, kind: str) -> Leaves:
    """Arguments of a transform."""
    seeds = {"jvp": t.directions, "vjp": t.weights}.get(kind, [])
    dtype = np.float32 if t.subject.generated.floats == "f32" else np.float64
    return [*t.leaves, *(np.asarray(s, dtype)[()] for s in seeds)]


def interpreter(t: Trial) -> None:
    """The interpreter runs optimised code to the numbers of NumPy, up to the order of sums."""
    for kind in t.found:
        expected = interpreted(t.subject.optimised, t.subject.name(kind), seeded(t, kind))
        agree(expected, run(t.subject.emitted[kind], seeded(t, kind)), t.subject, f"interpreter: {kind}")


def native(t: Trial, tier: int) -> None:
    """Machine code does what the interpreter does with the same code: bits where nothing elementary is computed, and
    the same errors in the same words. `vmap` too, where it is asked for."""
    functions = t.subject.native(tier)
    for kind, function in functions.items():
        name = t.subject.name(kind)
        given = [np.stack([x, x]) for x in t.leaves] if kind == "vmap" else seeded(t, kind)
        given = [np.array(x)[()] for x in given]
        if len(given) < len(t.subject.optimised.functions[name].params):
            continue  # the program failed before there were results to give weights to
        kept = [np.array(x) for x in given]
        with np.errstate(all="ignore"):
            want = agreement.outcome(partial(interpreted, t.subject.optimised, name, given))
            got = agreement.outcome(partial(function, *given))
        tolerance = 2e-4 if t.subject.generated.floats == "f32" else 1e-9
        if got[0] == want[0] == "results" and largest_float(want[1]) > 1e7:
            continue
        ops = list(agreement.operations(t.subject.optimised, name))
        agreement.compare(want, got, ops, tolerance, f"native: {kind}")
        assert all(np.array_equal(x, y) for x, y in zip(given, kept, strict=True)), "native: an argument was changed"


def largest_float(values: Sequence[Any]) -> float:
    return max((float(np.max(np.abs(x), initial=0)) for x in map(np.asarray, values) if x.dtype.kind == "f"), default=0)


def agree(xs: Sequence[Any], ys: Sequence[Any], subject: Subject, what: str) -> None:
    tolerance = 2e-4 if subject.generated.floats == "f32" else 1e-10
    assert len(xs) == len(ys), f"{what}: {len(xs)} and {len(ys)} values"
    for x, y in zip(map(np.asarray, xs), map(np.asarray, ys), strict=True):
        assert x.shape == y.shape, f"{what}: shapes {x.shape} and {y.shape}"
        assert x.dtype == y.dtype, f"{what}: {x.dtype} and {y.dtype}"
        if x.dtype.kind != "f":
            assert np.array_equal(x, y), f"{what}: {x} and {y}"
            continue
        usual = np.isfinite(x) & np.isfinite(y)
        assert np.array_equal(x[~usual], y[~usual], equal_nan=True), f"{what}: {x} and {y}"
        scale = 1 + np.max(np.abs(x[usual]), initial=0.0)
        assert np.all(np.abs(x - y)[usual] <= tolerance * scale), f"{what}: {x} and {y}"


def verifies(t: Trial) -> None:
    """Every pass leaves what verifies."""
    t.subject.verified()


def mapped(t: Trial, sizes: dict[str, int], seed: int, rows: int) -> None:
    """`vmap` is a loop of calls."""
    each = [list(leaves_of(arguments(t.subject.generated, sizes, seed + k))) for k in range(rows)]
    single = [outcome(t.subject.emitted["main"], values) for values in each]
    whole = outcome(t.subject.emitted["vmap"], [np.stack(parts) for parts in zip(*each, strict=True)])
    failed = [found for found in single if isinstance(found, str)]
    if failed:
        assert whole in failed, f"vmap: {whole}, but a call fails with {failed}"
        return
    assert not isinstance(whole, str), f"vmap: {whole}, but no call fails"
    stacks = [np.stack(parts) for parts in zip(*single, strict=True)]
    agree(stacks, whole, t.subject, "vmap")


def outcome(function: Function, leaves: Sequence[Any]) -> Any:
    """Results, or the code of the run-time error; a built module has an error class of its own."""
    try:
        return run(function, leaves)
    except Exception as error:
        if type(error).__name__ != "RunError":
            raise
        return error.args[0]


def built(t: Trial) -> None:
    """What `dad build` writes needs NumPy alone, and gives the same."""
    functions = functions_of(executed(t.subject.module().python, alone=True))
    for kind in t.found:
        agree(run(t.subject.emitted[kind], seeded(t, kind)), run(functions[kind], seeded(t, kind)), t.subject, "built")


def failing(t: Trial, code: str) -> None:
    """A check that fails in 50 digits fails alike in emitted code and in derivatives."""
    t.weights = [like(x, t.rng) for x in t.weights]
    found = outcome(t.subject.emitted["main"], t.leaves)
    assert found == code, f"failing: {found}, in 50 digits {code}"
    if "jvp" in t.subject.transforms:
        found = outcome(t.subject.emitted["jvp"], seeded(t, "jvp"))
        assert found == code, f"failing: jvp: {found}, in 50 digits {code}"


__all__ = ["Generated", "InterpreterError", "Trial", "trial"]
