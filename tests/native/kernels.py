"""Kernels run over arrays, beside their meaning in high precision."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
from dad.codegen.backends.native import jit
from dad.codegen.backends.native.kernels.table import LETTERS, RESULTS, Symbol, meaning, source

_kept: list[Any] = []
Run = Callable[..., Any]


def loop(what: Symbol) -> str:
    """`void run(inputs…, outputs…, n)` over n vectors."""
    arity, results = meaning(what.kernel)[1], RESULTS.get(what.kernel, 1)
    size = 8 if what.dtype == "f64" else 4
    pointers = [f"ptr %p{k}" for k in range(arity)] + [f"ptr %q{k}" for k in range(results)]
    lines = [f"define void @run_{what}({', '.join(pointers)}, i64 %n) {{", "entry:", "  br label %head", "head:",
             "  %i = phi i64 [0, %entry], [%next, %body]", "  %on = icmp slt i64 %i, %n",
             "  br i1 %on, label %body, label %done", "body:"]
    for k in range(arity):
        lines += [f"  %a{k} = getelementptr {what.type}, ptr %p{k}, i64 %i",
                  f"  %v{k} = load {what.type}, ptr %a{k}, align {size}"]
    args = ", ".join(f"{what.type} %v{k}" for k in range(arity))
    lines.append(f"  %r = call {what.result} @{what}({args})")
    for k in range(results):
        value = "%r"
        if results > 1:
            value = f"%r{k}"
            lines.append(f"  {value} = extractvalue {what.result} %r, {k}")
        lines += [f"  %b{k} = getelementptr {what.type}, ptr %q{k}, i64 %i",
                  f"  store {what.type} {value}, ptr %b{k}, align {size}"]
    return "\n".join([*lines, "  %next = add i64 %i, 1", "  br label %head", "done:", "  ret void", "}", ""])


def runners(symbols: list[Symbol], fma: bool, opt: int = 1) -> dict[Symbol, Run]:
    """Functions of arrays whose length is a multiple of the lanes."""
    made = jit.parsed(source(symbols, fma) + "".join(map(loop, symbols)))
    made.verify()
    loaded = jit.Loaded(jit.object_code(made, opt))
    _kept.append(loaded)
    return {what: runner(what, loaded.function(f"run_{what}")) for what in symbols}


def runner(what: Symbol, address: int) -> Run:
    arity, results = meaning(what.kernel)[1], RESULTS.get(what.kernel, 1)
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + results), ctypes.c_int64)(address)
    dtype = np.dtype(LETTERS[what.dtype].replace("double", "f8").replace("float", "f4"))

    def run(*arrays: Any) -> Any:
        held = [np.ascontiguousarray(a, dtype) for a in arrays]
        assert len(held) == arity
        assert held[0].size % what.lanes == 0
        out = [np.empty_like(held[0]) for _ in range(results)]
        native(*[a.ctypes.data for a in (*held, *out)], held[0].size // what.lanes)
        return out[0] if results == 1 else tuple(out)

    return run


MEANING: dict[str, Callable[..., Any]] = {
    "exp": mp.exp, "exp2": lambda x: mp.power(2, x), "expm1": mp.expm1, "log": mp.log, "log2": lambda x: mp.log(x, 2),
    "log10": mp.log10, "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "asin": mp.asin, "acos": mp.acos,
    "atan": mp.atan, "atan2": mp.atan2, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "asinh": mp.asinh,
    "acosh": mp.acosh, "atanh": mp.atanh, "erf": mp.erf, "erfc": mp.erfc, "pow": mp.power,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "hypot": mp.hypot,
    "direction": lambda x, y: x / mp.hypot(x, y) if x else x, "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "sech": mp.sech, "gauss": lambda x: mp.exp(-x * x), "softplus": lambda x: mp.log1p(mp.exp(x)),
    "asin_slope": lambda x: 1 / mp.sqrt(1 - x * x), "asinh_slope": lambda x: 1 / mp.sqrt(1 + x * x),
    "acosh_slope": lambda x: 1 / mp.sqrt(x * x - 1),
    "logit": lambda x: mp.log(x / (1 - x)),
    "log1mexp": lambda x: mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x)),
    "bell": lambda x: mp.exp(-x * x / 2), "ndtr": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "asinpi": lambda x: mp.asin(x) / mp.pi, "acospi": lambda x: mp.acos(x) / mp.pi,
    "atanpi": lambda x: mp.atan(x) / mp.pi, "atan2pi": lambda y, x: mp.atan2(y, x) / mp.pi,
    "lgamma": lambda x: mp.re(mp.loggamma(x)), "digamma": mp.digamma,
    "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
}
DOMAIN: dict[str, tuple[float, float]] = {
    "exp": (-746.0, 710.0), "exp2": (-1076.0, 1025.0), "expm1": (-746.0, 710.0), "log": (0.0, 1e308),
    "log2": (0.0, 1e308), "log10": (0.0, 1e308), "log1p": (-1.0, 1e308), "asin": (-1.0, 1.0), "acos": (-1.0, 1.0),
    "sinh": (-710.5, 710.5), "cosh": (-710.5, 710.5), "acosh": (1.0, 1e308), "atanh": (-1.0, 1.0),
    "asin_slope": (-0.9999, 0.9999), "acosh_slope": (1.0001, 1e308), "logit": (0.0, 1.0),
    "log1mexp": (-746.0, 0.0),
    "bell": (-40.0, 40.0), "ndtr": (-40.0, 40.0), "asinpi": (-1.0, 1.0), "acospi": (-1.0, 1.0),
    "lgamma": (0.0, 2e305), "digamma": (0.0, 1e308), "erfc": (-28.0, 28.0),
    "sech": (-746.0, 746.0), "sigmoid": (-746.0, 746.0), "gauss": (-28.0, 28.0),
}
"""Where the function is neither undefined nor constant."""


def points(rng: np.random.Generator, name: str, count: int) -> list[Any]:
    """Arguments in every exponent, and where the function's values vary."""
    low, high = DOMAIN.get(name, (-1.7e308, 1.7e308))
    arity = meaning(name)[1]
    out: list[Any] = []
    for _ in range(arity):
        exponents = rng.permutation(np.arange(count) % 2100 - 1075)
        spread = np.ldexp(rng.uniform(1, 2, count), np.clip(exponents, -1075, 1023).astype(np.int32))
        spread *= rng.choice([-1.0, 1.0], count)
        middle = rng.uniform(max(low, -40.0), min(high, 40.0), count)
        wide = rng.uniform(max(low, -1e6), min(high, 1e6), count)
        near = np.ldexp(rng.uniform(-1, 1, count), rng.integers(-20, 6, count).astype(np.int32))
        chosen = np.choose(rng.integers(0, 4, count), [spread, middle, wide, near])
        inside = (chosen >= low) & (chosen <= high)
        if name == "pow" and not out:
            chosen, inside = abs(chosen), np.ones(count, bool)
        if name == "pow" and out:  # so that the power is a number
            chosen = np.where(rng.random(count) < 0.8, rng.uniform(-720, 710, count) / np.log(out[0]), chosen)
        out.append(np.where(inside, chosen, np.where((-chosen >= low) & (-chosen <= high), -chosen, middle)))
    return out


def exact(name: str, *xs: float) -> Any:
    """In a precision that is enough whatever cancels."""
    extra = 60
    for x in xs:
        if x and abs(x) < 1e308:
            extra += abs(int(np.frexp(x)[1]))
    with mp.workprec(160 + extra):
        return +MEANING[name](*[mp.mpf(x) for x in xs])


def units(got: float, want: Any, single: bool = False) -> float:
    """The distance in units of the last place of what is right."""
    digits, least = (24, -149) if single else (53, -1074)
    with mp.workprec(120):
        want = +want
    if not mp.isfinite(want):
        return 0.0 if got == float(want) else float("inf")
    exponent = max(int(mp.floor(mp.log(abs(want), 2))) - digits + 1, least) if want else least
    largest = 3.4028234663852886e38 if single else 1.7976931348623157e308
    if np.isinf(got):
        return 0.0 if abs(want) > mp.mpf(largest) else float("inf")
    return float(abs(mp.mpf(float(got)) - want) / mp.ldexp(1, exponent))


def bits(x: Any) -> Any:
    """For comparison; all nans are one."""
    x = np.asarray(x)
    return np.where(np.isnan(x), 0x7FF1, x.view(np.int64 if x.dtype == np.float64 else np.int32))


def hexadecimal(x: float) -> str:
    return struct.pack(">d", x).hex()
