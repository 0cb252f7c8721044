"""Elementary and special functions in CUDA C: the bits that they have in machine code, whatever the argument."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.cuda.device import special
from dad.codegen.backends.native.kernels.catalog import FAMILIES, KERNELS, RESULTS, meaning, named
from dad.codegen.backends.native.kernels.table import Symbol
from dad.lang.core.primitive import PRIMITIVES
from dad.tests.native.kernels import Run, runners

NUMBERS = {"polygamma": (2,), "polygamma_rise": (2,), "gamma_shape": (1,), "beta_shape": (1, 0), "bessel_order": (2,)}
NAMES = [*(k for k in KERNELS if RESULTS.get(k, 1) == 1),
         *(named(f, dict(zip(keys, NUMBERS[f], strict=True))) for f, (_, _, keys) in FAMILIES.items())]
HEAD = """\
#include <math.h>
#define __device__
#define __constant__ static
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline
static double __dmul_rn(double x, double y) { return x * y; }
"""
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, -2.2e-308, 1.7e308, np.inf, -np.inf, np.nan, 2.0**18, 3 * np.pi, 1e22,
         -1e300]


def runner(dtype: str, name: str) -> str:
    t = {"f64": "double", "f32": "float"}[dtype]
    arity = meaning(name)[1]
    params = ", ".join(f"const {t} *x{k}" for k in range(arity))
    args = ", ".join(f"x{k}[i]" for k in range(arity))
    return (f'extern "C" void run_{name}_{dtype}({params}, {t} *y, long n) '
            f"{{ for (long i = 0; i < n; i++) y[i] = dad_{name}_{dtype}({args}); }}\n")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("special")
    wanted = [(d, n) for n in NAMES for d in ("f64", "f32") if d == "f64" or n in ("exp", "sin", "betainc")]
    text = special.text(f"dad_{n}_{d}" for d, n in wanted)
    source = folder / "special.cpp"
    source.write_text(HEAD + text + "".join(runner(d, n) for d, n in wanted), encoding="utf-8")
    subprocess.run(["g++", "-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", str(source), "-o",
                    str(folder / "special.so")], check=True)
    return ctypes.CDLL(str(folder / "special.so"))


@pytest.fixture(scope="module")
def native() -> dict[Symbol, Run]:
    return runners([Symbol(n, "f64", 1) for n in NAMES] + [Symbol(n, "f32", 1) for n in ("exp", "sin", "betainc")],
                   True, 0)


def arguments(name: str, dtype: str) -> list[Any]:
    rng = np.random.default_rng(7)
    arity = meaning(name)[1]
    usual = 10.0**rng.uniform(-3, 3, 150)
    spread = np.concatenate([rng.normal(size=80) * 10, rng.uniform(-1, 1, 80), EDGES,
                             10.0**rng.uniform(-300, 300, 80) * rng.choice([-1.0, 1.0], 80)])
    made = [rng.permutation(np.concatenate([usual, spread])) for _ in range(arity)]
    if name.startswith("beta"):
        made[-1][:200] = rng.uniform(0, 1, 200)
    with np.errstate(over="ignore"):
        return [x.astype({"f64": np.float64, "f32": np.float32}[dtype]) for x in made]


@pytest.mark.parametrize(("dtype", "name"), [*(("f64", n) for n in NAMES), ("f32", "exp"), ("f32", "sin"),
                                             ("f32", "betainc")])
def test_bits_are_those_of_machine_code(compiled: Any, native: dict[Symbol, Run], dtype: str, name: str) -> None:
    xs = arguments(name, dtype)
    got = np.zeros_like(xs[0])
    function = getattr(compiled, f"run_{name}_{dtype}")
    function(*(ctypes.c_void_p(x.ctypes.data) for x in (*xs, got)), ctypes.c_long(len(got)))
    want = native[Symbol(name, dtype, 1)](*xs)
    integer = np.int64 if dtype == "f64" else np.int32
    assert ((got.view(integer) == want.view(integer)) | (np.isnan(got) & np.isnan(want))).all()


def test_every_elementary_function_is_known() -> None:
    """What is left are operations that every card has."""
    others = {"nextafter", "ldexp", "fma", "rem", "mod", "abs", "floor", "ceil", "round", "trunc", "copysign", "sqrt",
              "rsqrt", "max", "min", "sign", "scaled", "isnan", "isinf", "neg", "add", "sub", "mul", "div", "select",
              "cast", "bitcast", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not", "band", "bor", "bxor",
              "bnot", "shl", "shr", "ushr", "quot", "popc", "clz", "ctz", "mul_hi", "mark"}
    left = {p.name for p in PRIMITIVES.values() if p.elementwise and not p.fails and not special.knows(p.name)}
    assert left <= others


def test_text_is_the_same_each_time() -> None:
    names = [special.function("sin", {}, "f32"), special.function("polygamma", {"order": 1}, "f64")]
    assert names == ["dad_sin_f32", "dad_polygamma_1_f64"]
    assert special.text(names) == special.text(names)
    assert special.text([]) == ""
