"""What machine code may call outside of itself: a fixed list, each name bound to an address that we know.

A module that declares anything else is refused before it is compiled, so that no name of a program, of a cache or of a
mistake of ours reaches a function of the process.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Collection
from functools import cache
from typing import Any

MATH = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh",
    "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fma", "fmod", "hypot", "ldexp", "log", "log10",
    "log1p", "log2", "nextafter", "pow", "rint", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)
"""Functions of the C library for double; each has a sister for float, with `f` behind its name."""
MEMORY = ("memcpy", "memmove", "memset")
"""Functions of the C library that LLVM may call for its own intrinsics."""
INTRINSICS = frozenset((
    "abs", "assume", "bitreverse", "bswap", "ceil", "copysign", "ctlz", "ctpop", "cttz", "expect", "fabs",
    "floor", "fma", "fmuladd", "fptosi.sat", "fptoui.sat", "frameaddress", "fshl", "fshr", "ldexp",
    "lifetime.end", "lifetime.start", "masked.gather", "masked.load", "masked.scatter", "masked.store",
    "maximum", "maxnum", "memcpy", "memmove", "memset", "minimum", "minnum", "nearbyint", "prefetch", "rint",
    "round", "roundeven", "smax", "smin", "smul.with.overflow", "sadd.with.overflow", "sqrt", "trunc",
    "uadd.with.overflow", "umax",
    "umin", "umul.with.overflow", "usub.sat", "vector.extract", "vector.insert", "vector.reduce.add",
    "vector.reduce.and", "vector.reduce.fadd", "vector.reduce.fmax", "vector.reduce.fmin", "vector.reduce.fmul",
    "vector.reduce.or", "vector.reduce.smax", "vector.reduce.umax", "x86.sse2.pause",
))
"""Intrinsics of LLVM, without `llvm.` and the types behind."""


class ForeignSymbol(Exception):
    """A module declares what it may not call: a mistake of the compiler."""


def check(declared: Collection[str], bound: Collection[str] = ()) -> None:
    """Raise ForeignSymbol unless each name that a module declares is allowed or is one of `bound`."""
    foreign = sorted(name for name in declared if not (name in bound or allowed(name)))
    if foreign:
        raise ForeignSymbol(f"machine code declares {', '.join(foreign)}: no such function may be called")


def allowed(name: str) -> bool:
    if name.startswith("llvm."):
        parts = name.split(".")[1:]
        return any(".".join(parts[:k]) in INTRINSICS for k in range(1, len(parts) + 1))
    return name in addresses()


@cache
def addresses() -> dict[str, int]:
    """Name and address of each function of the list that the system has."""
    api = ctypes.pythonapi
    found = {"dad_realloc": address(api.PyMem_RawRealloc)}
    for library in libraries():
        for name in (*MATH, *(f"{name}f" for name in MATH), *MEMORY):
            if name not in found and hasattr(library, name):
                found[name] = address(getattr(library, name))
    return found


def libraries() -> list[Any]:
    """Where the C library's functions are, by platform."""
    names = {"win32": ("ucrtbase", "msvcrt"), "darwin": ("/usr/lib/libSystem.B.dylib",)}.get(
        sys.platform, ("libm.so.6", "libm.so", "libc.so.6"))
    found: list[Any] = []
    for name in names:
        try:
            found.append(ctypes.CDLL(name))
        except OSError:
            continue
    if sys.platform != "win32":
        found.append(ctypes.CDLL(None))
    return found


def clock() -> int:
    """The address of C's timespec_get, in 64 bits."""
    name = "_timespec64_get" if sys.platform == "win32" else "timespec_get"
    return next(address(getattr(library, name)) for library in libraries() if hasattr(library, name))


def address(function: Any) -> int:
    """Where a function of ctypes begins."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def install() -> None:
    """Tell LLVM the addresses; what it finds here it looks for nowhere else."""
    import llvmlite.binding as llvm

    for name, at in addresses().items():
        llvm.add_symbol(name, at)
