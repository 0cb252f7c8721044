"""Every elementwise primitive's partial derivatives, run by the interpreter, against high-precision differences.

Interior, huge and tiny points are compared with central differences of mpmath's functions at hundreds of digits;
special points with the published table, written out below.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from dad.codegen import interp
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.primitive import PRIMITIVES, Primitive
from dad.lang.core.verify import verify
from dad.lang.prims.common import NUMPY_NAMES

ELEMENTWISE = [p for p in PRIMITIVES.values() if p.partials is not None]
FLAT = [p for p in PRIMITIVES.values() if p.flat and p.mp is not None]
EXTREMES = (1e-300, 1e-155, 1e-20, 1e-8, 1.0, 30.0, 1000.0, 1e20, 1e155, 1e300, 1.7e308)
INF, NAN = math.inf, math.nan

# The published table: primitive, point, its partial derivatives there.
TABLE: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("abs", (0.0,), (0.0,)),
    ("abs", (-0.0,), (0.0,)),
    ("max", (1.5, 1.5), (0.5, 0.5)),
    ("min", (1.5, 1.5), (0.5, 0.5)),
    ("max", (0.0, -0.0), (0.5, 0.5)),
    ("max", (0.0, 0.0), (0.5, 0.5)),
    ("min", (0.0, 0.0), (0.5, 0.5)),
    ("max", (2.0, 1.0), (1.0, 0.0)),
    ("min", (2.0, 1.0), (0.0, 1.0)),
    ("max", (INF, 1.0), (1.0, 0.0)),
    ("max", (NAN, 1.0), (0.0, 1.0)),
    ("min", (1.0, NAN), (1.0, 0.0)),
    ("min", (-INF, -INF), (0.5, 0.5)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (0.0, 1.0), (1.0, 0.0)),
    ("pow", (0.0, 2.0), (0.0, 0.0)),
    ("pow", (0.0, 1.5), (0.0, 0.0)),
    ("pow", (0.0, 0.5), (INF, 0.0)),
    ("pow", (-2.0, 3.0), (12.0, NAN)),
    ("pow", (-2.0, 0.0), (0.0, NAN)),
    ("pow", (1e300, -2.0), (0.0, 0.0)),
    ("pow", (1e-300, 2.0), (2e-300, 0.0)),
    ("pow", (5.0, 0.0), (0.0, math.log(5.0))),
    ("sqrt", (0.0,), (INF,)),
    ("cbrt", (0.0,), (INF,)),
    ("log", (0.0,), (INF,)),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),
    ("direction", (0.0, 0.0), (0.0, 0.0)),
    ("hypot", (INF, 1.0), (1.0, 0.0)),
    ("hypot", (3e-320, 4e-320), (0.6, 0.8)),
    ("hypot", (1.5e308, 1.5e308), (0.5**0.5, 0.5**0.5)),
    ("atan2", (0.0, 0.0), (0.0, 0.0)),
    ("atan2pi", (0.0, 0.0), (0.0, 0.0)),
    ("atan2", (INF, 1.0), (0.0, 0.0)),
    ("atan2", (1e200, 1e200), (5e-201, -5e-201)),
    ("copysign", (2.0, 3.0), (1.0, 0.0)),
    ("copysign", (-2.0, 3.0), (-1.0, 0.0)),
    ("copysign", (-2.0, -3.0), (1.0, 0.0)),
    ("copysign", (0.0, 1.0), (1.0, 0.0)),
    ("copysign", (-0.0, 1.0), (-1.0, 0.0)),
    ("mod", (5.5, 2.0), (1.0, -2.0)),
    ("mod", (-5.5, 2.0), (1.0, 3.0)),
    ("mod", (6.0, 2.0), (1.0, -3.0)),
    ("mod", (5.0, 0.1), (1.0, -49.0)),
    ("rem", (-5.5, 2.0), (1.0, 2.0)),
    ("rem", (5.5, -2.0), (1.0, 2.0)),
    ("rem", (6.0, 2.0), (1.0, -3.0)),
    ("tanh", (1000.0,), (0.0,)),
    ("tanh", (-INF,), (0.0,)),
    ("sigmoid", (1000.0,), (0.0,)),
    ("sigmoid", (-1000.0,), (0.0,)),
    ("atan", (1e200,), (0.0,)),
    ("erf", (1e200,), (0.0,)),
    ("erfc", (-1e200,), (0.0,)),
    ("log1p", (INF,), (0.0,)),
    ("asinh", (1e200,), (1e-200,)),
    ("acosh", (1e200,), (1e-200,)),
    ("acosh", (1.0,), (INF,)),
    ("asin", (1.0,), (INF,)),
    ("acos", (-1.0,), (-INF,)),
    ("acos", (1.0,), (-INF,)),
    ("expm1", (-1000.0,), (0.0,)),
    ("exp2", (-2000.0,), (0.0,)),
    ("div", (1e300, 1e200), (1e-200, -1e-100)),
    ("gamma", (1.0,), (-0.5772156649015329,)),
    ("lgamma", (1e300,), (300 * math.log(10),)),
    ("digamma", (1e300,), (1e-300,)),
]


def run_partials(p: Primitive, args: Sequence[Any], active: Sequence[bool], constants: bool = False) -> list[Any]:
    """Partials as IR, verified and interpreted; None where the rule gives None. `constants`: arguments are literals."""
    assert p.partials is not None
    b = Builder(Fresh())
    types = [
        ir.Type(next(k for k, v in NUMPY_NAMES.items() if v == np.asarray(a).dtype.name), np.ndim(a)) for a in args
    ]
    params = [] if constants else [b.fresh("x", type) for type in types]
    atoms: list[ir.Atom] = (
        [ir.Const(float(a), t.dtype) for a, t in zip(args, types, strict=True)] if constants else [*params]
    )
    result = b.bind(ir.Prim(p.name, tuple(atoms)))[0]
    factors = p.partials(b, atoms, result, active)
    assert len(factors) == len(args)
    for factor, wanted in zip(factors, active, strict=True):
        assert wanted or factor is None
        assert factor is None or (factor.type.dtype == result.type.dtype and factor.type.rank in (0, result.type.rank))
    given = [f for f in factors if f is not None]
    program = ir.Program({"f": ir.Function("f", tuple(params), b.block(given))})
    verify(program)
    values = iter(interp.run(program, "f", [] if constants else args))
    return [None if f is None else next(values) for f in factors]


def as_float(factor: Any) -> float:
    return 0.0 if factor is None else float(factor)


def same(got: float, expected: float, rtol: float, atol: float) -> bool:
    if math.isnan(expected) or math.isinf(expected):
        return got == expected or (math.isnan(got) and math.isnan(expected))
    return abs(got - expected) <= rtol * abs(expected) + atol


@pytest.mark.parametrize(("name", "point", "expected"), TABLE)
def test_the_table(name: str, point: tuple[float, ...], expected: tuple[float, ...]) -> None:
    p = PRIMITIVES[name]
    for constants in (False, True):
        if constants and not all(map(math.isfinite, point)):
            continue
        got = [as_float(f) for f in run_partials(p, [np.float64(x) for x in point], [True] * len(point), constants)]
        for mine, true in zip(got, expected, strict=True):
            assert same(mine, true, 1e-14, 0.0), f"{name}{point}: {got}, the table says {expected}"


def test_special_points_are_in_the_table() -> None:
    """Each record's special points have their derivative written down here, or it is checked as an ordinary one."""
    listed = {(name, point) for name, point, _ in TABLE}
    for p in ELEMENTWISE:
        for point in p.special:
            if (p.name, point) in listed:
                continue
            for k, factor in enumerate(run_partials(p, [np.float64(x) for x in point], [True] * len(point))):
                assert same(as_float(factor), float(derivative(p, point, k)), 1e-12, 1e-14), f"{p.name}{point}"


@pytest.mark.parametrize("p", FLAT, ids=lambda p: p.name)
def test_flat_functions_are_flat(p: Primitive) -> None:
    assert p.partials is None
    assert p.jvp is None
    assert p.mp is not None
    with mpmath.workdps(40):
        assert mpmath.diff(lambda x: p.mp(mpmath, x), mpmath.mpf("1.3")) == 0


def derivative(p: Primitive, point: Sequence[float], k: int) -> Any:
    """The true partial derivative in argument `k`; None where there is none that is real."""
    assert p.mp is not None
    magnitudes = [abs(math.log10(abs(x))) if x else 0 for x in point]
    with mpmath.workdps(100 + int(3 * max(magnitudes) + sum(magnitudes))):
        where = [mpmath.mpf(x) for x in point]
        step = min([abs(where[k]) or mpmath.mpf(1), mpmath.mpf(1), *(1 / abs(x) for x in where if x)]) * mpmath.mpf(
            "1e-25"
        )
        try:
            after = p.mp(mpmath, *where[:k], where[k] + step, *where[k + 1 :])
            before = p.mp(mpmath, *where[:k], where[k] - step, *where[k + 1 :])
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        value = (after - before) / (2 * step)
        return None if isinstance(value, mpmath.mpc) or mpmath.isnan(value) or mpmath.isinf(value) else value


def interior(p: Primitive, count: int) -> list[tuple[float, ...]]:
    rng = np.random.default_rng(11)
    return [tuple(float(rng.uniform(low, high)) for low, high in p.sample) for _ in range(count)]


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("p", ELEMENTWISE, ids=lambda p: p.name)
def test_interior(p: Primitive, dtype: str) -> None:
    kind = np.dtype(NUMPY_NAMES[dtype]).type
    rtol, atol = (1e-12, 1e-14) if dtype == "f64" else (5e-5, 5e-6)
    for point in interior(p, 12):
        args = [kind(x) for x in point]
        got = run_partials(p, args, [True] * len(args))
        for k, factor in enumerate(got):
            expected = derivative(p, [float(x) for x in args], k)
            assert factor is None or factor.dtype == kind
            assert same(as_float(factor), float(expected), rtol, atol), f"{p.name}{point} in argument {k}"


def has_corner(p: Primitive, point: Sequence[float]) -> bool:
    """Where mpmath's differences straddle a kink, a jump or the edge of the domain."""
    if p.name in ("max", "min"):
        return point[0] == point[1]
    if p.name in ("abs", "copysign", "hypot", "direction"):
        return 0 in point
    return p.name in ("atan2", "atan2pi") and point[0] == 0


@pytest.mark.parametrize(
    "p", [p for p in ELEMENTWISE if p.name not in ("mod", "rem", "lgamma", "gamma", "digamma")], ids=lambda p: p.name
)
def test_huge_and_tiny(p: Primitive) -> None:
    """Never nan, nor infinite, where the true derivative is a number of the dtype."""
    signed = [s * x for x in EXTREMES for s in (1.0, -1.0)]
    others = [signed[::3], signed[::5]][: len(p.sample) - 1]
    points: list[tuple[float, ...]] = [*itertools.product(signed, *others)]
    for point in points:
        value = float(p.evaluate(*map(np.float64, point)))
        if math.isnan(value) or has_corner(p, point):
            continue
        for k, factor in enumerate(run_partials(p, [np.float64(x) for x in point], [True] * len(point))):
            true = derivative(p, point, k)
            if true is None or abs(true) > 1.7e308:
                continue
            got, expected = as_float(factor), float(true)
            # Powers near overflow, and odd ones that floats can't tell from even ones.
            if p.name == "pow" and (math.isinf(value) or (point[0] < 0 and abs(point[1]) > 2**53)):
                assert not math.isnan(got), f"{p.name}{point} in argument {k}"
                continue
            assert same(got, expected, 1e-12, 1e-14), f"{p.name}{point} in argument {k}: {got}, should be {expected}"


@pytest.mark.parametrize("p", ELEMENTWISE, ids=lambda p: p.name)
def test_only_active_arguments_are_differentiated(p: Primitive) -> None:
    point = [np.float64(x) for x in interior(p, 1)[0]]
    both = run_partials(p, point, [True] * len(point))
    for k in range(len(point)):
        active = [j == k for j in range(len(point))]
        alone = run_partials(p, point, active)
        assert as_float(alone[k]) == as_float(both[k])
    assert run_partials(p, point, [False] * len(point)) == [None] * len(point)


@pytest.mark.parametrize("p", ELEMENTWISE, ids=lambda p: p.name)
def test_scalars_with_arrays(p: Primitive) -> None:
    """Factors broadcast: for every mixture of ranks they are those of each element."""
    points = interior(p, 3)
    count = len(p.sample)
    for mask in range(2**count):
        ranks = [mask >> k & 1 for k in range(count)]
        args = [np.array([x[k] for x in points]) if ranks[k] else np.float64(points[0][k]) for k in range(count)]
        got = run_partials(p, args, [True] * count)
        for element in range(3):
            here = [np.float64(points[element if ranks[k] else 0][k]) for k in range(count)]
            for mine, single in zip(got, run_partials(p, here, [True] * count), strict=True):
                found = np.broadcast_to(0.0 if mine is None else mine, (3,))[element]
                assert found == pytest.approx(as_float(single), rel=1e-14)
