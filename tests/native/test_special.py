"""Special functions in machine code: within stated units of the true values, of the same bits in every lane, and no
elementwise primitive left that is called back."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from dad.codegen.backends.loops.lower import lower
from dad.codegen.backends.native.kernels.table import FAMILIES, KERNELS, Symbol, meaning, named, symbol
from dad.codegen.backends.native.llvm import unit
from dad.codegen.backends.native.units import targets
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.prims.probability import NAMES
from dad.tests.prims import test_emitted as numpy_code

from .kernels import Run, bits, runners

INF, NAN = float("inf"), float("nan")
NUMBERS = {"polygamma": (2,), "polygamma_rise": (1,), "gamma_shape": (1,), "beta_shape": (1, 0), "bessel_order": (2,)}
SPECIAL = ["sinpi", "cospi", "tanpi", "gamma", "polygamma", *(n for n in NAMES if n not in ("bell", "ndtr"))]


def kernel(name: str) -> str:
    return named(name, dict(zip(FAMILIES[name][2], NUMBERS[name], strict=True)) if name in FAMILIES else {})


@cache
def compiled(fma: bool) -> dict[Symbol, Run]:
    """All of them; four at a time too."""
    return runners([Symbol(kernel(name), "f64", n) for name in SPECIAL for n in ((1, 4) if fma else (1,))], fma, 0)


def run(name: str, *xs: Any, lanes: int = 4, fma: bool = True) -> Any:
    return compiled(fma)[Symbol(kernel(name), "f64", lanes)](*xs)


def test_no_elementwise_primitive_is_called_back() -> None:
    """In no dtype of floats, and with no order of derivative."""
    functions = {}
    for p in PRIMITIVES.values():
        for dtype in ("f64", "f32", "f16"):
            columns = numpy_code.operands(p, dtype) if p.elementwise and not p.fails else None
            if columns is None or p.name in ("nextafter",):
                continue
            types = numpy_code.types_of([c[0] for c in columns])
            made = numpy_code.straight(p.name, types, numpy_code.attributes(p, dtype)).functions["f"]
            functions[f"{p.name}_{dtype}"] = ir.Function(f"{p.name}_{dtype}", made.params, made.body)
    for name in SPECIAL:
        arity = meaning(kernel(name))[1]
        attrs = dict(zip(FAMILIES[name][2], NUMBERS[name], strict=True)) if name in FAMILIES else {}
        for dtype in ("f64", "f32", "f16"):
            made = numpy_code.straight(name, [ir.Type(dtype, 0)] * arity, attrs).functions["f"]
            functions[f"{name}_{dtype}"] = ir.Function(f"{name}_{dtype}", made.params, made.body)
    assert len(functions) > 200
    program = lower(ir.Program(functions))
    assert {call.name for name in functions for call in targets(unit(program, (name,)))} == set()


def units(got: float, want: Any) -> float:
    """How far off, in units of the last place of the true value."""
    near = float(want)
    if not np.isfinite(near):
        return 0.0 if got == near or (got != got and near != near) else INF
    return float(abs(mp.mpf(got) - want) / max(np.spacing(abs(near)), 5e-324))


def below(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def quantile(p: Any) -> Any:
    q = min(p, 1 - p)
    y, step = mp.sqrt(-2 * mp.log(q)) if q < 0.3 else mp.mpf("0.2"), mp.mpf(1)
    while abs(step) > mp.mpf("1e-40"):
        step = (mp.log(below(-y)) - mp.log(q)) / (mp.npdf(y) / below(-y))
        y += step
    return -y if p < 0.5 else y


def slope(f: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative in argument number k, from differences."""
    def derivative(*xs: Any) -> Any:
        h = xs[k] * mp.mpf("1e-15")
        ahead, back = ([x + (sign * h if j == k else 0) for j, x in enumerate(xs)] for sign in (1, -1))
        return (f(*ahead) - f(*back)) / (2 * h)

    return derivative


def lower_gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def lower_beta(p: Any, q: Any, x: Any) -> Any:
    return mp.betainc(p, q, 0, x, regularized=True)


def spread(x: Any) -> Any:
    with mp.workdps(100):
        ratio = mp.besseli(1, x) / mp.besseli(0, x)
        return 1 - ratio / x - ratio * ratio


MEANING: dict[str, tuple[Callable[..., Any], float, str]] = {
    "sinpi": (mp.sinpi, 1, "angles"), "cospi": (mp.cospi, 1, "angles"),
    "tanpi": (lambda x: mp.sinpi(x) / mp.cospi(x), 1, "angles"),
    "gamma": (mp.gamma, 1, "gamma"),
    "polygamma": (lambda x: mp.polygamma(2, x), 2, "positive"),
    "trigamma": (lambda x: mp.polygamma(1, x), 2, "positive"),
    "polygamma_rise": (lambda x, d: mp.polygamma(1, x + d) - mp.polygamma(1, x), 4, "two"),
    "lbeta": (lambda x, y: mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y), 8, "two"),
    "log_ndtr": (lambda x: mp.log1p(-below(-x)) if x > 0 else mp.log(below(x)), 1, "normal"),
    "inverse_mills": (lambda x: mp.npdf(x) / below(x), 2, "normal"),
    "mills_excess": (lambda x: x + mp.npdf(x) / below(x), 2.5, "normal"),
    "ndtri": (quantile, 1.2, "probabilities"),
    "ndtri_slope": (lambda p: 1 / mp.npdf(quantile(p)), 2.5, "probabilities"),
    "erfinv": (lambda x: quantile((1 + x) / 2) / mp.sqrt(2), 1.2, "probabilities"),
    "erfinv_slope": (lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(quantile((1 + x) / 2) ** 2 / 2), 2.5, "probabilities"),
    "gamma_density": (lambda a, x: mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a)), 12, "shape"),
    "gammainc": (lower_gamma, 16, "shape"),
    "gammaincc": (lambda a, x: mp.gammainc(a, x, regularized=True), 16, "shape"),
    "gamma_shape": (slope(lower_gamma, 0), 40, "shape"),
    "gamma_moved": (lambda a, x: x, 0, "shape"),
    "beta_density": (lambda p, q, x: mp.exp((p - 1) * mp.log(x) + (q - 1) * mp.log1p(-x)) / mp.beta(p, q), 40,
                     "shapes"),
    "betainc": (lower_beta, 40, "shapes"),
    "beta_shape": (slope(lower_beta, 0), 100, "shapes"),
    "bessel_i0": (lambda x: mp.besseli(0, x), 4, "bessel"), "bessel_i1": (lambda x: mp.besseli(1, x), 4, "bessel"),
    "bessel_order": (lambda x: mp.besseli(2, x), 4, "bessel"),
    "log_i0": (lambda x: mp.log(mp.besseli(0, x)), 3, "bessel"),
    "bessel_ratio": (lambda x: mp.besseli(1, x) / mp.besseli(0, x), 4, "bessel"),
    "bessel_spread": (spread, 40, "bessel"),
}
"""The true value, units of the last place that are allowed, and kinds of arguments."""


def arguments(kind: str, count: int) -> list[Any]:
    rng = np.random.default_rng(8)

    def mixed(*parts: Any) -> Any:
        return rng.permutation(np.concatenate(parts))[:count]

    half = count // 2
    wide = mixed(rng.uniform(0, 30, half), 10 ** rng.uniform(-8, 12, half))
    match kind:
        case "angles":
            return [mixed(rng.uniform(-5, 5, half), rng.uniform(-1e6, 1e6, half))]
        case "gamma":
            return [mixed(rng.uniform(0, 171, half), rng.uniform(-170, 5, half - 8), 10 ** rng.uniform(-300, 0, 8))]
        case "positive":
            return [wide]
        case "two":
            return [wide, rng.permutation(wide)]
        case "normal":
            return [mixed(rng.uniform(-9, 5, half), rng.uniform(-60, 37, half))]
        case "probabilities":
            ends = 10 ** rng.uniform(-14, -1, half)
            return [mixed(rng.uniform(0, 1, half), ends[::2], 1 - ends[1::2])]
        case "bessel":
            far = rng.uniform(0, 600, half // 2)
            return [mixed(rng.uniform(-9, 9, half), far, 10 ** rng.uniform(-3, 2, half // 2))]
        case "shape":
            a = 10 ** rng.uniform(-3, 3, count)
            return [a, a * np.exp(rng.normal(0, 2, count) / np.sqrt(1 + a))]
    p, q = 10 ** rng.uniform(-1, 2.2, count), 10 ** rng.uniform(-1, 2.2, count)
    return [p, q, np.clip(rng.beta(p, q), 1e-9, 1 - 1e-9)]


SLOW = {"shape": 24, "shapes": 16}


@pytest.mark.parametrize("name", SPECIAL)
def test_values(name: str) -> None:
    """With one rounding in a multiply-add and with two, one at a time and in vectors."""
    f, allowed, kind = MEANING[name]
    xs = arguments(kind, SLOW.get(kind, 64))
    with mp.workdps(45):
        wants = [f(*map(mp.mpf, map(float, x))) for x in zip(*xs, strict=True)]
        for fma in (True, False):
            got = run(name, *xs, lanes=1, fma=fma)
            assert not fma or np.array_equal(bits(got), bits(run(name, *xs)))
            errors = [units(float(g), w) for g, w in zip(got, wants, strict=True)]
            worst = int(np.argmax(errors))
            assert errors[worst] <= allowed, (fma, [float(x[worst]) for x in xs], got[worst], wants[worst])


ONE = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, INF, -INF, NAN, 5e-324, 1e-10, -1e-10, 30.0, -30.0, 1.7e308, -1.7e308,
       -2.0, -2.5, 1 - 1e-16, 171.6, 171.7, -171.5, 1e16]
MORE = [0.0, -1.0, 0.5, 3.0, NAN, 1.0, 20.0]


@pytest.mark.parametrize("name", SPECIAL)
def test_special_arguments(name: str) -> None:
    """As the primitive says: poles, ends of the domain, nan. At infinity it says nan of some that have limits."""
    arity = meaning(kernel(name))[1]
    grid = [np.array(c) for c in zip(*product(ONE if arity == 1 else MORE, repeat=arity), strict=True)]
    grid = [np.append(g, np.full(-len(g) % 4, 0.5)) for g in grid]
    attrs = dict(zip(FAMILIES[name][2], NUMBERS[name], strict=True)) if name in FAMILIES else {}
    with np.errstate(all="ignore"):
        want = np.asarray(PRIMITIVES[name].evaluate(*grid, **attrs))
        got = run(name, *grid)
        limits = np.isnan(want) & np.any(np.isinf(grid), axis=0)
        near = abs(got - want) <= 1e-13 * abs(want) + 1e-16
    assert np.all((np.isnan(got) & np.isnan(want)) | (got == want) | near | limits), (got, want)


def test_names_of_families() -> None:
    assert symbol("dad_polygamma_rise_2_f64_1") == Symbol("polygamma_rise_2", "f64", 1)
    assert symbol("dad_beta_shape_1_0_f32_16") == Symbol("beta_shape_1_0", "f32", 16)
    assert symbol("dad_beta_shape_1_f64_1") is None
    assert symbol("dad_polygamma_x_f64_1") is None
    assert not set(KERNELS) & set(FAMILIES)
