"""The bits of results do not depend on who compiles: nothing is contracted, and no function is called whose result the
standard of arithmetic leaves open.
"""

from __future__ import annotations

import inspect
import re

from dad.codegen.backends.cuda import images, nvrtc, preamble
from dad.codegen.backends.cuda.device import special
from dad.codegen.backends.cuda.scalars import DeviceScalars, Missing
from dad.codegen.backends.native.kernels.catalog import KERNELS, RESULTS
from dad.lang.core import ir
from dad.lang.core.primitive import PrimTypeError
from dad.lang.prims import PRIMITIVES
from dad.tests.cuda.standin import compiled, installed

EXACT = frozenset({
    "__clzll", "__dmul_rn", "__double_as_longlong", "__float_as_int", "__int_as_float", "__longlong_as_double",
    "__mul64hi", "__popcll", "__umul64hi", "ceil", "ceilf", "copysign", "copysignf", "fabs", "fabsf", "floor", "floorf",
    "fma", "fmaf", "fmod", "fmodf", "frexp", "isfinite", "isinf", "isnan", "ldexp", "ldexpf", "nextafter", "nextafterf",
    "rint", "rintf", "signbit", "sqrt", "sqrtf", "trunc", "truncf",
})
"""Functions of CUDA that give the one number which IEEE 754 says, or only move bits."""
WORDS = frozenset({"if", "for", "while", "return", "sizeof", "switch", "decltype", "operator", "defined", "unsigned",
                   "INFINITY", "NAN", "INT64_MIN"})
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
DTYPES = ("f64", "f32", "f16", "i64", "i32", "u8", "u64", "bool")


def calls(text: str) -> set[str]:
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    return {name for name in CALL.findall(text) if not name.startswith("dad_")} - WORDS


def test_primitives_call_what_is_exact() -> None:
    """And what they call is C++: NVRTC has more functions of one name than the compiler of this machine."""
    tried = 0
    functions: dict[str, str] = {}
    for name, primitive in PRIMITIVES.items():
        for dtype in DTYPES if primitive.elementwise else ():
            needed: dict[str, str] = {}
            for arity in (1, 2, 3):
                try:
                    out = primitive.infer((ir.Type(dtype),) * arity, {})
                    text = DeviceScalars(needed, {}).prim(name, out.dtype, (dtype,) * arity, tuple("xyz"[:arity]), ())
                except (PrimTypeError, Missing, LookupError, ValueError):
                    continue
                tried += 1
                assert calls(text) <= EXACT, (name, dtype, calls(text) - EXACT)
            for text in needed.values():
                assert calls(text) <= EXACT | {"x", "y"}, (name, dtype, calls(text) - EXACT)
            functions |= needed
    assert tried > 300
    assert len(functions) > 50
    if nvrtc.installed():
        text = "".join((preamble.TYPES, preamble.STATE, preamble.HALF, *functions.values()))
        assert nvrtc.compiled(text, 90, images.OPTIONS).ptx


def test_elementary_functions_call_what_is_exact() -> None:
    text = special.text(f"dad_{name}_{dtype}" for name in KERNELS if RESULTS.get(name, 1) == 1
                        for dtype in ("f64", "f32"))
    assert calls(text) <= EXACT, calls(text) - EXACT
    assert "fma(" in text
    if nvrtc.installed():
        assert nvrtc.compiled(preamble.TYPES + text, 90, images.OPTIONS).ptx


def test_no_compiler_contracts() -> None:
    with installed():
        from dad.codegen.runtime.device import Program

        default = inspect.signature(Program).parameters["options"].default
    assert "--fmad=false" in default
    assert set(images.OPTIONS) <= set(default)
    assert not any("fast" in option for option in default)
    assert "-ffp-contract=off" in compiled.STANDARD
    if not nvrtc.installed():
        return
    text = ('extern "C" __global__ void k(double *x, float *y) { x[0] = x[1] * x[2] + x[3]; '
            "x[4] = fma(x[1], x[2], x[3]); y[0] = y[1] * y[2] + y[3]; y[4] = sqrt(y[1]) / y[2]; }")
    made = nvrtc.compiled(text, 75, images.OPTIONS).ptx.decode()
    assert (made.count("fma.rn.f64"), made.count("fma.rn.f32")) == (1, 0)
    assert {"mul.rn.f64", "add.rn.f64", "mul.rn.f32", "add.rn.f32", "sqrt.rn.f32", "div.rn.f32"} <= set(
        re.findall(r"\b(?:mul|add|sqrt|div)\.rn\.f\d+", made))
