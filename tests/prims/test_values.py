"""Every elementwise primitive's reference meaning, against mpmath at interior, special, huge, tiny and denormal points.

The points are exact numbers of the dtype; mpmath computes with 60 digits (and more where the argument is huge), and its
value is rounded to the dtype once. Where the true value is no real number, nan is expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from dad.lang.core.primitive import PRIMITIVES, Primitive
from dad.lang.prims.common import NUMPY_NAMES

# Integer-valued meanings in floats and correctly rounded operations are exact; the others may be off by a few units.
EXACT = {
    "fma",
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "abs",
    "sign",
    "floor",
    "ceil",
    "round",
    "trunc",
    "sqrt",
    "copysign",
    "max",
    "min",
}
LOOSE = {"lgamma": 1e-13, "gamma": 1e-13, "digamma": 1e-13, "polygamma": 1e-12, "mod": 1e-13, "rem": 1e-13}
EXTREMES = (
    5e-324,
    1e-310,
    2.3e-308,
    1e-300,
    1e-155,
    1e-20,
    1e-8,
    0.5,
    1.0,
    3.0,
    30.0,
    800.0,
    1e16,
    1e155,
    1e300,
    1.7e308,
)
CHECKED = [p for p in PRIMITIVES.values() if p.mp is not None]
DTYPES = ("f64", "f32")


def test_every_float_elementwise_primitive_has_a_meaning_and_points() -> None:
    for p in PRIMITIVES.values():
        if p.partials is not None or p.mp is not None:
            assert p.mp is not None, p.name
            assert p.sample, p.name


def points(p: Primitive, dtype: str) -> list[tuple[float, ...]]:
    rng = np.random.default_rng(7)
    found = [tuple(rng.uniform(low, high) for low, high in p.sample) for _ in range(40)]
    found += p.special
    extremes = [s * x for x in EXTREMES for s in (1.0, -1.0)] + [0.0]
    if p.name == "polygamma":  # mpmath takes forever at large arguments
        extremes = [x for x in extremes if abs(x) <= 800]
    if len(p.sample) == 1:
        found += [(x,) for x in extremes]
    elif p.name not in ("mod", "rem") and len(p.sample) == 2:
        found += [(x, y) for x in extremes for y in extremes[::3]]
    elif len(p.sample) == 3:
        found += [(x, y, z) for x in extremes[::2] for y in extremes[::3] for z in extremes[::5]]
    scalar = np.dtype(NUMPY_NAMES[dtype]).type
    with np.errstate(all="ignore"):
        rounded = [tuple(float(scalar(x)) + 0.0 for x in point) for point in found]  # mpmath has no -0.0
    return [point for point in rounded if all(map(math.isfinite, point))]


def exact(p: Primitive, point: Sequence[float]) -> Any:
    """The true value, nan where it is not real, None where mpmath has none (a pole)."""
    assert p.mp is not None
    digits = 60 + max(int(abs(math.log10(abs(x)))) if x else 0 for x in point)
    with mpmath.workdps(digits if p.name not in ("gamma", "lgamma", "digamma", "polygamma") else 60):
        try:
            value = p.mp(mpmath, *[mpmath.mpf(x) for x in point], **({"order": 2} if p.name == "polygamma" else {}))
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        if isinstance(value, mpmath.mpc):
            return value.real if value.imag == 0 else mpmath.nan
        return mpmath.mpf(value)


def rounded(value: Any, dtype: np.dtype[Any]) -> Any:
    """Once rounded to the dtype; double rounding through f64 costs f32 less than the tolerance."""
    if mpmath.isnan(value):
        return np.float64(np.nan)
    with np.errstate(all="ignore"):
        big = abs(value) >= mpmath.mpf(2) ** 1024
        number = math.copysign(math.inf, value) if big else float(value)
        return dtype.type(number)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", CHECKED, ids=lambda p: p.name)
def test_value(p: Primitive, dtype: str) -> None:
    kind = np.dtype(NUMPY_NAMES[dtype])
    attrs = {"order": 2} if p.name == "polygamma" else {}
    ulps = 0 if p.name in EXACT else 8
    for point in points(p, dtype):
        true = exact(p, point)
        if true is None:
            continue
        expected = rounded(true, kind)
        got = p.evaluate(*[kind.type(x) for x in point], **attrs)
        assert got.dtype == kind
        if np.isnan(expected):
            assert np.isnan(got), f"{p.name}{point} = {got}, not real"
            continue
        if p.name in LOOSE:
            slack = max(LOOSE[p.name], 1e-6 * (dtype == "f32")) * max(abs(float(expected)), 1.0)
        else:
            slack = ulps * float(np.spacing(np.abs(expected))) if np.isfinite(expected) else 0.0
        near_overflow = np.isinf(got) and abs(float(expected)) >= 0.9999 * float(np.finfo(kind).max)
        assert got == expected or abs(float(got) - float(expected)) <= slack or near_overflow, (
            f"{p.name}{point} = {got}, should be {expected}"
        )


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("log", (0.0,), -math.inf),
        ("lgamma", (0.0,), math.inf),
        ("lgamma", (-3.0,), math.inf),
        ("gamma", (0.0,), math.inf),
        ("gamma", (-0.0,), -math.inf),
        ("gamma", (-1.0,), math.nan),
        ("gamma", (200.0,), math.inf),
        ("digamma", (0.0,), math.nan),
        ("digamma", (-2.0,), math.nan),
        ("exp", (-math.inf,), 0.0),
        ("tanh", (math.inf,), 1.0),
        ("sigmoid", (-math.inf,), 0.0),
        ("sigmoid", (1000.0,), 1.0),
        ("pow", (0.0, 0.0), 1.0),
        ("pow", (0.0, -1.0), math.inf),
        ("div", (1.0, 0.0), math.inf),
        ("div", (0.0, 0.0), math.nan),
        ("mod", (5.0, 0.0), math.nan),
        ("max", (math.nan, 1.0), 1.0),
        ("min", (1.0, math.nan), 1.0),
        ("max", (math.nan, math.nan), math.nan),
        ("atan2", (0.0, -0.0), math.pi),
        ("copysign", (2.0, -0.0), -2.0),
        ("atan2", (-0.0, -1.0), -math.pi),
        ("erfc", (30.0,), 0.0),
        ("erfc", (1e300,), 0.0),
        ("erfc", (-1e300,), 2.0),
        ("digamma", (math.inf,), math.inf),
        ("digamma", (-math.inf,), math.nan),
        ("round", (2.5,), 2.0),
        ("mod", (-1.0, 3.0), 2.0),
        ("rem", (-1.0, 3.0), -1.0),
        ("mod", (5.0, 0.1), 5.0 % 0.1),
    ],
)
def test_poles_and_limits(name: str, args: tuple[float, ...], expected: float) -> None:
    got = PRIMITIVES[name].evaluate(*map(np.float64, args))
    assert (math.isnan(got) and math.isnan(expected)) or got == expected or abs(got - expected) < 1e-300


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("x", [-40.3, -3.75, -0.5, -1e-5, 1e-5, 0.3, 1.0, 2.5, 17.0, 1e6])
def test_polygamma_of_every_order(order: int, x: float) -> None:
    got = PRIMITIVES["polygamma"].evaluate(np.float64(x), order=order)
    with mpmath.workdps(40):
        expected = mpmath.polygamma(order, mpmath.mpf(x))
    assert float(got) == pytest.approx(float(expected), rel=1e-12)


# ------------------------------------------------------------------ integers, bits, truth

INTEGER_CASES = [
    ("div", (7, 2), 3),
    ("div", (-7, 2), -4),
    ("div", (7, -2), -4),
    ("quot", (-7, 2), -3),
    ("quot", (7, -2), -3),
    ("quot", (7, 2), 3),
    ("mod", (-7, 2), 1),
    ("mod", (7, -2), -1),
    ("rem", (-7, 2), -1),
    ("rem", (7, -2), 1),
    ("quot", (5, 0), 0),
    ("add", (127, 1), -128),
    ("mul", (64, 2), -128),
    ("neg", (-128,), -128),
    ("abs", (-128,), -128),
    ("sub", (-128, 1), 127),
    ("pow", (2, 6), 64),
    ("pow", (2, 7), -128),
    ("pow", (3, 5), -13),
    ("pow", (2, -1), 0),
    ("pow", (1, -5), 1),
    ("pow", (-1, -5), -1),
    ("pow", (-1, -4), 1),
    ("pow", (0, 0), 1),
    ("pow", (0, -1), 0),
    ("sign", (-5,), -1),
    ("min", (3, -4), -4),
    ("max", (3, -4), 3),
    ("band", (12, 10), 8),
    ("bor", (12, 10), 14),
    ("bxor", (12, 10), 6),
    ("bnot", (0,), -1),
    ("shl", (1, 3), 8),
    ("shl", (1, 7), -128),
    ("shl", (1, 8), 0),
    ("shl", (1, -1), 0),
    ("shr", (-8, 1), -4),
    ("shr", (-8, 9), -1),
    ("shr", (8, 9), 0),
    ("shr", (-8, -1), -1),
    ("ushr", (-8, 1), 124),
    ("ushr", (-1, 7), 1),
    ("ushr", (-1, 8), 0),
    ("mul_hi", (-1, -1), -2),
    ("mul_hi", (3, 127), 1),
    ("mul_hi", (100, 100), 39),
]


@pytest.mark.parametrize(("name", "args", "expected"), INTEGER_CASES)
def test_i8(name: str, args: tuple[int, ...], expected: int) -> None:
    scalar = PRIMITIVES[name].evaluate(*map(np.int8, args))
    assert scalar == expected
    assert scalar.dtype == np.int8
    array = PRIMITIVES[name].evaluate(*(np.array([x, x], np.int8) for x in args))
    assert array.tolist() == [expected, expected]
    assert array.dtype == np.int8


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("popc", 0, 0), ("popc", -1, 8), ("popc", 12, 2),
        ("clz", 0, 8), ("clz", 1, 7), ("clz", -1, 0), ("clz", 12, 4),
        ("ctz", 0, 8), ("ctz", 1, 0), ("ctz", 12, 2), ("ctz", -128, 7),
    ],
)  # fmt: skip
def test_counting_bits_of_i8(name: str, value: int, expected: int) -> None:
    got = PRIMITIVES[name].evaluate(np.int8(value))
    assert (got, got.dtype) == (expected, np.int32)


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (np.float32(-1), "u32", 0xBF800000),
        (np.float64(1), "u64", 0x3FF0000000000000),
        (np.uint32(0x7F800000), "f32", math.inf),
        (np.int8(-1), "u8", 255),
        (np.uint64(1), "f64", 5e-324),
    ],
)
def test_bits_as_another_type(value: Any, to: str, expected: float) -> None:
    got = PRIMITIVES["bitcast"].evaluate(value, to=to)
    assert (got, got.dtype) == (expected, np.dtype(NUMPY_NAMES[to]))


@pytest.mark.parametrize(
    ("x", "towards", "expected"),
    [(0.0, 1.0, 5e-324), (1.0, 0.0, 1 - 2**-53), (1.0, 1.0, 1.0), (math.inf, 0.0, 1.7976931348623157e308)],
)
def test_the_next_float(x: float, towards: float, expected: float) -> None:
    assert PRIMITIVES["nextafter"].evaluate(np.float64(x), np.float64(towards)) == expected


@pytest.mark.parametrize("dtype", ["i64", "i32", "i16", "u64", "u32", "u16", "u8"])
def test_integer_power_wraps_like_repeated_multiplication(dtype: str) -> None:
    kind = np.dtype(NUMPY_NAMES[dtype])
    expected = kind.type(1)
    with np.errstate(all="ignore"):
        for exponent in range(70):
            assert PRIMITIVES["pow"].evaluate(kind.type(7), kind.type(exponent)) == expected
            expected = expected * kind.type(7)


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (np.float64(2.9), "i32", 2),
        (np.float64(-2.9), "i64", -2),
        (np.float64(np.nan), "i64", 0),
        (np.float64(np.inf), "i8", 0),
        (np.float64(1e300), "i64", 2**63 - 1),
        (np.float64(-1e300), "i64", -(2**63)),
        (np.float64(300.0), "u8", 44),
        (np.float64(1.5e19), "u64", 15000000000000000000),
        (np.float64(1e300), "u64", 2**64 - 1),
        (np.float64(-1.0), "u8", 255),
        (np.int64(300), "i8", 44),
        (np.int64(-1), "u16", 65535),
        (np.int64(3), "f32", 3.0),
        (np.float64(0.5), "bool", True),
        (np.int64(0), "bool", False),
        (np.bool_(True), "f64", 1.0),
        (np.bool_(True), "i8", 1),
        (np.float64(0.1), "f32", np.float32(0.1)),
        (np.float32(1e30), "i64", 2**63 - 1),
        (np.float64(2.0**63), "i64", 2**63 - 1),
    ],
)
def test_cast(value: Any, to: str, expected: Any) -> None:
    got = PRIMITIVES["cast"].evaluate(value, to=to)
    assert got == expected
    assert got.dtype == np.dtype(NUMPY_NAMES[to])
    assert PRIMITIVES["cast"].evaluate(np.array([value]), to=to).tolist() == [got.item()]


def test_comparisons_and_truth() -> None:
    x, y = np.array([1.0, 2.0, np.nan]), np.array([1.0, 3.0, np.nan])
    for name, expected in [
        ("eq", [True, False, False]),
        ("ne", [False, True, True]),
        ("lt", [False, True, False]),
        ("le", [True, True, False]),
        ("gt", [False, False, False]),
        ("ge", [True, False, False]),
    ]:
        assert PRIMITIVES[name].evaluate(x, y).tolist() == expected
    p, q = np.array([True, True, False, False]), np.array([True, False, True, False])
    for name, expected in [
        ("and", [True, False, False, False]),
        ("or", [True, True, True, False]),
        ("xor", [False, True, True, False]),
    ]:
        assert PRIMITIVES[name].evaluate(p, q).tolist() == expected
    assert PRIMITIVES["not"].evaluate(p).tolist() == [False, False, True, True]
    assert PRIMITIVES["isnan"].evaluate(x).tolist() == [False, False, True]
    assert PRIMITIVES["isinf"].evaluate(np.array([1.0, -np.inf])).tolist() == [False, True]
    assert PRIMITIVES["select"].evaluate(p, np.int8(1), np.arange(4, dtype=np.int8)).tolist() == [1, 1, 2, 3]
