"""BLAS and LAPACK where SciPy has them: addresses of their routines, as Cython modules of SciPy export them.

SciPy is imported when a program that computes with matrices is loaded, and never else; without it there are no
addresses, and such programs run loops of their own.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any

BLAS = {"gemm": 13, "trsm": 11}
LAPACK = {"potrf": 5, "getrf": 6, "getrs": 9, "getri": 7, "geqrf": 8, "orgqr": 9, "syevd": 11, "gesdd": 14}
"""Routines, without the letter of the type, and how many arguments they have."""
MODULES = {"scipy.linalg.cython_blas": BLAS, "scipy.linalg.cython_lapack": LAPACK}
ROUTINES = frozenset(f"{letter}{name}" for names in MODULES.values() for name in names for letter in "ds")
"""What machine code may call: nothing else has an address."""
SETTERS = ("scipy_openblas_set_num_threads", "scipy_openblas_set_num_threads64_", "openblas_set_num_threads")


@cache
def addresses() -> dict[str, int]:
    """The address of each routine; none where one is missing."""
    found: dict[str, int] = {}
    for module, names in MODULES.items():
        try:
            exported = importlib.import_module(module).__pyx_capi__
            found |= {f"{letter}{name}": pointer(exported[f"{letter}{name}"], count)
                      for name, count in names.items() for letter in "ds"}
        except (ImportError, AttributeError, KeyError, ValueError):
            return {}
    one_thread()
    return found


def one_thread() -> None:
    """Have OpenBLAS, if that is SciPy's library, run in the thread that calls it: its threads are slower for matrices
    that are not large, and results would depend on how many there are. Where the environment says how many, so it is.

    It is done once and before the first call, since OpenBLAS must not run meanwhile.
    """
    if any(os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")):
        return
    package = Path(importlib.import_module("scipy").__file__ or "").parent
    for folder in (package.with_name("scipy.libs"), package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                code = ctypes.CDLL(str(file))
            except OSError:
                continue
            for name in SETTERS:
                if hasattr(code, name):
                    getattr(code, name)(ctypes.c_int(1))


def linked() -> bool:
    """Whether there are routines."""
    return bool(addresses())


def address(name: str) -> int:
    """Where a routine begins, or 0."""
    if name not in ROUTINES:
        from .symbols import ForeignSymbol

        raise ForeignSymbol(f"machine code calls {name}: no such routine may be called")
    return addresses().get(name, 0)


def pointer(capsule: Any, arguments: int) -> int:
    """What a capsule of Cython holds, whose name is the type of the function. Raises ValueError if it is no function
    that takes so many arguments, all by address, and gives nothing back."""
    api = ctypes.pythonapi
    name_of, get = api.PyCapsule_GetName, api.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    kind = name_of(capsule)
    taken = kind.decode().removeprefix("void (").split(")")[0].split(",") if kind else []
    if len(taken) != arguments or not kind.startswith(b"void (") or not all(t.strip().endswith("*") for t in taken):
        raise ValueError(f"a routine of type {kind!r}")
    return int(get(capsule, kind) or 0)
