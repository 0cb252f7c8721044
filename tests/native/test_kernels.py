"""Kernels: within a unit or so of the last place, the same in every lane, right where functions are special."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.native.kernels import coefficients as shipped
from dad.codegen.backends.native.kernels.table import KERNELS, Symbol, lanes, mentioned, provide, symbol
from dad.lang.prims import PRIMITIVES
from dad.lang.prims.elementwise import _direction

from . import coefficients
from .kernels import MEANING, Run, bits, exact, points, runners, units

BOUND = 1.2
"""Units of the last place; what `python -m dad.tests.native.sweep` finds over many points is below."""
FORMULAS = {"asin_slope": 2.5, "asinh_slope": 2.0, "acosh_slope": 1.8, "logit": 2.0, "log1mexp": 2.0,
            "lgamma": 2.0, "digamma": 1.8, "asinpi": 1.8, "acospi": 1.8, "atanpi": 1.8, "atan2pi": 1.8}
"""Of functions that are computed by a formula of others, each operation rounded."""
COUNT = 240
NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
         "atanh": "arctanh", "atan2": "arctan2", "pow": "power"}
INF, NAN = float("inf"), float("nan")
LEAST, NORMAL, GREATEST = 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, INF, -INF, NAN, LEAST, -LEAST, NORMAL, -NORMAL,
           GREATEST, -GREATEST, 1e16, -1e16, 9007199254740993.0, 709.782712893384, 709.7827128933841,
           -745.1332191019411, -745.1332191019412, 710.4758600739439, 1024.0, -1074.0, -1075.0, 1e-300, -1e-300,
           4503599627370497.0, 1.5, -1.5, 0.1]


@cache
def compiled(fma: bool) -> dict[Symbol, Run]:
    lanes = (1, 2, 4, 8) if fma else (1, 4)
    return runners([Symbol(name, "f64", n) for name in (*MEANING, "sin_cos") for n in lanes], fma, 0)


@pytest.mark.parametrize("name", MEANING)
def test_values(name: str) -> None:
    """In every exponent, with one rounding in a multiply-add and with two, one at a time and in vectors."""
    rng = np.random.default_rng(5)
    xs = points(rng, name, COUNT)
    wants = [exact(name, *map(float, x)) for x in zip(*xs, strict=True)]
    for fma in (True, False):
        got = {what.lanes: run(*xs) for what, run in compiled(fma).items() if what.kernel == name}
        errors = [units(float(g), w) for g, w in zip(got[1], wants, strict=True)]
        worst = int(np.argmax(errors))
        assert errors[worst] <= FORMULAS.get(name, BOUND), (fma, [float(x[worst]) for x in xs], got[1][worst])
        for y in got.values():
            assert np.array_equal(bits(got[1]), bits(y))


def test_direction_of_special_arguments() -> None:
    """As the primitive says, from the least numbers to the corners at infinity."""
    some = [*SPECIAL, 1e-150, 1e160, 1e-200, 1e200, 2.0**500, 2.0**-400]
    x, y = np.repeat(some, len(some)), np.tile(some, len(some))
    want = _direction(x, y)
    for fma in (True, False):
        got = compiled(fma)[Symbol("direction", "f64", 1)](x, y)
        assert np.array_equal(np.isnan(got), np.isnan(want))
        assert np.array_equal(np.signbit(got)[~np.isnan(want)], np.signbit(want)[~np.isnan(want)])
        assert np.allclose(got, want, 4e-16, 5e-324, equal_nan=True)


@pytest.mark.parametrize("name", [name for name in KERNELS if hasattr(np, NUMPY.get(name, name))])
def test_special_arguments(name: str) -> None:
    """As in C, which NumPy follows: nan, infinities, zeros with their signs, the least and the greatest numbers."""
    arity = KERNELS[name][1]
    size = len(SPECIAL)
    grid = [np.array(SPECIAL)] if arity == 1 else [np.repeat(SPECIAL, size), np.tile(SPECIAL, size)]
    with np.errstate(all="ignore"):
        wants = getattr(np, NUMPY.get(name, name))(*grid)
    for fma in (True, False):
        got = compiled(fma)[Symbol(name, "f64", 4)](*grid)
        assert np.array_equal(np.isnan(got), np.isnan(wants))
        fine = ~np.isnan(wants)
        got, right = got[fine], wants[fine]
        assert np.array_equal(np.signbit(got), np.signbit(right))
        exact_ones = (right == 0) | np.isinf(right)
        assert np.array_equal(got[exact_ones], right[exact_ones])
        with np.errstate(all="ignore"):
            close = abs(got - right) <= 3 * np.maximum(np.spacing(abs(right)), 5e-324)
        assert (close | exact_ones).all()


def test_erf_and_others_where_they_are_level() -> None:
    run = {what.kernel: f for what, f in compiled(True).items() if what.lanes == 1}
    x = np.array([INF, -INF, 0.0, -0.0, NAN])
    assert bits(run["erf"](x)).tolist() == bits([1.0, -1.0, 0.0, -0.0, NAN]).tolist()
    assert bits(run["erfc"](x)).tolist() == bits([0.0, 2.0, 1.0, 1.0, NAN]).tolist()
    assert bits(run["sigmoid"](x)).tolist() == bits([1.0, 0.0, 0.5, 0.5, NAN]).tolist()
    assert bits(run["sech"](x)).tolist() == bits([0.0, 0.0, 1.0, 1.0, NAN]).tolist()
    assert bits(run["gauss"](x)).tolist() == bits([0.0, 0.0, 1.0, 1.0, NAN]).tolist()
    assert bits(run["softplus"](x)[[0, 1, 4]]).tolist() == bits([INF, 0.0, NAN]).tolist()


def test_gamma_functions_of_negative_numbers() -> None:
    """By reflection, as the interpreter does; near their roots the digits that cancel are lost."""
    x = np.array([0.0, -0.0, -1.0, -2.0, -1.5, -0.3, -10.7, -1000.5, INF, -INF, NAN, -1e17, 5e-324, 1e-300, 1e-10,
                  -1e-10])
    for name in ("lgamma", "digamma"):
        got, want = compiled(True)[Symbol(name, "f64", 4)](x), np.asarray(PRIMITIVES[name].evaluate(x))
        assert np.array_equal(np.isnan(got), np.isnan(want))
        assert np.allclose(got, want, rtol=2e-14, atol=0, equal_nan=True)


def test_formulas_at_special_arguments() -> None:
    """As the interpreter has them; slopes with its bits."""
    x = np.array([*SPECIAL, 0.25, 0.75, 0.3, -0.7, -40.0])
    for name in ("asin_slope", "asinh_slope", "acosh_slope", "logit", "log1mexp", "asinpi", "acospi", "atanpi"):
        with np.errstate(all="ignore"):
            want = np.asarray(PRIMITIVES[name].evaluate(x))
        got = compiled(True)[Symbol(name, "f64", 1)](x)
        assert np.array_equal(np.isnan(got), np.isnan(want)), name
        assert np.allclose(got, want, rtol=5e-15, atol=0, equal_nan=True), name
        if name == "asin_slope":
            assert np.array_equal(bits(got), bits(want)), name


@pytest.mark.parametrize("fma", [True, False])
def test_angles_next_to_multiples_of_a_quarter_turn(fma: bool) -> None:
    """Where all digits of the multiple count; the last is the double that is nearest of all to a multiple of pi/2."""
    rng = np.random.default_rng(1)
    whole = np.concatenate([np.arange(1, 33), rng.integers(1, 1 << 18, 60), rng.integers(1 << 18, 1 << 45, 32)])
    x = np.concatenate([whole * (np.pi / 2), [6381956970095103.0 * 2.0**797, 1e22, 2.0**1023, 262144.0]])
    for name in ("sin", "cos", "tan"):
        got = compiled(fma)[Symbol(name, "f64", 4)](x)
        assert max(units(float(g), exact(name, float(v))) for g, v in zip(got, x, strict=True)) < BOUND


def test_sine_and_cosine_at_once() -> None:
    x = points(np.random.default_rng(2), "sin", 64)[0]
    run = compiled(True)
    both = run[Symbol("sin_cos", "f64", 4)](x)
    for name, y in zip(("sin", "cos"), both, strict=True):
        assert np.array_equal(bits(run[Symbol(name, "f64", 1)](x)), bits(y))


def test_single_precision() -> None:
    """Computed in double precision and rounded: half a unit, and in every lane the same."""
    rng = np.random.default_rng(3)
    names = ["exp", "sin", "log", "pow", "erfc", "atan2"]
    found = runners([Symbol(name, "f32", n) for name in names for n in (1, 4, 8)], True, 0)
    for name in names:
        xs: list[Any] = [rng.uniform(0.01, 20, 64).astype(np.float32) for _ in range(KERNELS[name][1])]
        got = {what.lanes: run(*xs) for what, run in found.items() if what.kernel == name}
        for g, *x in zip(got[1], *xs, strict=True):
            assert units(float(g), exact(name, *map(float, x)), single=True) < 0.501
        assert np.array_equal(bits(got[1]), bits(got[4]))
        assert np.array_equal(bits(got[1]), bits(got[8]))


def test_constants_are_derived() -> None:
    assert shipped.__file__ is not None
    assert coefficients.module() == Path(shipped.__file__).read_text(encoding="utf-8")


def test_symbols() -> None:
    what = Symbol("sin_cos", "f32", lanes("f32"))
    assert symbol(str(what)) == what
    assert symbol("dad_realloc") is None
    assert symbol("dad_none_f64_1") is None
    assert mentioned(b"\0dad_exp_f64_1\0dad_realloc\0x\0") == ["dad_exp_f64_1", "dad_realloc"]
    provide(["dad_exp_f64_1", "dad_realloc"])
