"""Calls that go from Python to machine code through machine code: plans for `direct_text`, functions that follow them.

Where this Python or this NumPy is not laid out as expected there are no such functions, and calls take the longer way.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from ....lang.core import ir
from ...runtime.arguments import DTYPES, Leaves
from ...runtime.results import record_class
from . import direct_text as t
from . import jit, store, symbols
from .memory import HEAD, at

MOST = 512
"""Words of arguments and results: these lie on the stack."""
SETTLE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
METH_FASTCALL = 0x80
KINDS = {"f64": t.AN_F64, "i64": t.AN_I64, "bool": t.A_BOOL, "f32": t.AN_F32}


class MethodDef(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
                ("doc", ctypes.c_char_p)]


class Unplanned(Exception):
    """These arguments or results are not for a plan."""


def direct(cell: Any, params: Sequence[ir.Type], results: Sequence[ir.Type], release: bool, inputs: Leaves, spec: Any,
           slow: Callable[..., Any], fail: Callable[..., Any], wanted: Sequence[bool] = ()
           ) -> Callable[..., Any] | None:
    """A function of leaves that gives values of type `spec`, without Python in between; None when there is none.

    `cell` holds the address of the flat function, `release` says whether the interpreter's lock is released meanwhile.
    `slow` is called for arguments that must be converted or refused, `fail` when a check has failed. With `spec` None
    the arguments end with the arrays that those results are written to that are `wanted`.
    """
    code = machine_code()
    if code is None:
        return None
    try:
        plan, kept = planned(cell, params, results, release, inputs, spec, slow, fail, wanted)
    except Unplanned:
        return None
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.argtypes, new.restype = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p], ctypes.py_object
    made: Callable[..., Any] = new(ctypes.addressof(code.method), (plan, *kept, code), None)
    return made


def planned(cell: Any, params: Sequence[ir.Type], results: Sequence[ir.Type], release: bool, inputs: Leaves, spec: Any,
            slow: Callable[..., Any], fail: Callable[..., Any], wanted: Sequence[bool]) -> tuple[bytes, list[Any]]:
    """The plan, and what must live as long."""
    kept: list[Any] = [cell, slow, fail]
    targets = [k for k, is_wanted in enumerate(wanted) if is_wanted]
    rows: list[int] = []
    slots: list[int] = []
    for p in params:
        slots.append(slots[-1] + 1 + params[len(slots) - 1].rank if slots else 0)
        dtype = DTYPES[p.dtype]
        kept += [dtype, dtype.type]
        kind = t.AN_ARRAY if p.rank else KINDS.get(p.dtype, t.A_SCALAR)
        rows += [kind, id(dtype), p.rank, id(dtype.type)]
    for k in targets:
        kept.append(DTYPES[results[k].dtype])
        rows += [t.TO_ARRAY, id(DTYPES[results[k].dtype]), results[k].rank, 0]
    given = sum(1 + p.rank for p in params)
    taken = sum(1 + r.rank for r in results)
    if max(given, taken) > MOST:
        raise Unplanned
    variables, size_steps = size_plan(inputs, slots)
    places = [sum(1 + r.rank for r in results[:k]) for k in range(len(results))]
    if spec is None:
        steps = [[t.WRITE_ARRAY if results[k].rank else t.WRITE_NUMBER, places[k], results[k].rank, len(params) + j,
                  DTYPES[results[k].dtype].itemsize] for j, k in enumerate(targets)]
    else:
        leaves = iter(zip(places, results, strict=True))
        steps = list(result_plan(spec, leaves, kept))
        if next(leaves, None) is not None:
            raise Unplanned
    sizes_at = 8 * (t.ROWS + len(rows))
    size_words = [word for step in size_steps for word in (1 + len(step), *step)]
    head = [0] * t.ROWS
    head[:22] = [
        len(params) + len(targets), ctypes.addressof(cell), int(release), max(given, 1), max(taken, 1), sizes_at,
        len(size_steps), sizes_at + 8 * len(size_words), len(steps), max(variables, 1), id(slow), id(fail), id(float),
        id(int), id(np.ndarray), id(True), id(False), ctypes.addressof(HEAD), symbols.address(settle), *array_api(),
        id(None)]
    words = [*head, *rows, *size_words, *(word for step in steps for word in step)]
    return struct.pack(f"={len(words)}q", *words), kept


def size_plan(inputs: Leaves, slots: Sequence[int]) -> tuple[int, list[list[int]]]:
    """How many size variables there are, and the steps that compare sizes as `Leaves.check` does."""
    if not inputs.checks:
        return 0, []
    number: dict[str, int] = {}
    steps: list[list[int]] = []

    def terms(of: Any) -> list[int]:
        words = [len(of)]
        for coefficient, factors in of:
            words += [coefficient, len(factors), *(number.setdefault(name, len(number)) for name in factors)]
        return words

    for name, k, axis, _ in inputs.binders:
        steps.append([t.BIND, number.setdefault(name, len(number)), slots[k] + 1 + axis])
    for name, k, axis, _, of in inputs.solved:
        steps.append([t.SOLVE, number.setdefault(name, len(number)), slots[k] + 1 + axis, *terms(of)])
    for k, axis, (_, of) in inputs.checks:
        steps.append([t.CHECK, slots[k] + 1 + axis, *terms(of)])
    return len(number), steps


def result_plan(spec: Any, leaves: Iterator[tuple[int, ir.Type]], kept: list[Any], outer: int = 0
                ) -> Iterator[list[int]]:
    """The steps that make a value of this type; `leaves` are where its leaves are, in their order."""
    match spec:
        case ("scalar", _) | ("array", _, _):
            place, r = next(leaves)
            dtype = DTYPES[r.dtype]
            kept.append(dtype)
            kind = {"f64": t.GIVE_FLOAT, "i64": t.GIVE_INT, "bool": t.GIVE_BOOL}.get(r.dtype, t.GIVE_SCALAR)
            yield [t.GIVE_ARRAY if r.rank else kind, place, r.rank, id(dtype), dtype.itemsize]
        case ("rows", dims, element):
            yield from result_plan(element, leaves, kept, outer + len(dims))
        case ("tuple", items):
            for item in items:
                yield from result_plan(item, leaves, kept, outer)
            yield [t.GIVE_TUPLE, len(items), 0, 0, 0]
        case ("record", name, fields):
            made = {field: list(result_plan(item, leaves, kept, outer)) for field, item in sorted(fields)}
            for field, _ in fields:
                yield from made[field]
            yield named(record_class(name or "record", tuple(field for field, _ in fields)), kept)
        case ("params", items):
            for _, item in items:
                yield from result_plan(item, leaves, kept, outer)
            yield named(record_class("gradient", tuple(field for field, _ in items)), kept)
        case _:
            raise Unplanned


def named(made: Any, kept: list[Any]) -> list[int]:
    kept.append(made)
    return [t.GIVE_NAMED, len(made._fields), id(made), 0, 0]


settle = SETTLE(lambda context: at(context).settle())


class MachineCode:
    """The compiled function, as Python's calls find it."""

    def __init__(self, code: bytes) -> None:
        self.loaded = jit.Loaded(code)
        table = self.loaded.words("dad.t", len(t.API))
        table[:] = [symbols.address(getattr(ctypes.pythonapi, name)) for name in t.API]
        self.method = MethodDef(b"entry", self.loaded.function("dad_direct"), METH_FASTCALL, None)


@cache
def machine_code() -> MachineCode | None:
    """The function that follows plans; None where Python or NumPy are not what it expects."""
    if not expected():
        return None
    key = jit.environment().key("direct", 0)
    about = {"environment": vars(jit.environment()), "tier": 0, "units": {}}
    entry = store.read(key)
    if entry is not None and entry.about == about:
        return MachineCode(entry.code)
    made = jit.parsed(t.text())
    symbols.check(jit.declared(made))
    code = jit.object_code(made, 0)
    store.write([key], about, code)
    return MachineCode(code)


@cache
def array_api() -> tuple[int, int]:
    """The addresses of NumPy's PyArray_Empty and PyArray_Scalar."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.argtypes, get.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    core = sys.modules.get("numpy._core.multiarray") or sys.modules["numpy.core.multiarray"]
    table = (ctypes.c_void_p * 185).from_address(get(core._ARRAY_API, None))
    return int(table[184] or 0), int(table[60] or 0)


def expected() -> bool:
    """Whether objects are laid out as `direct_text` says."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED") or sys.maxsize < 1 << 32:
        return False
    try:
        return laid_out(np.arange(6.0).reshape(2, 3)) and laid_out(np.arange(4, dtype=np.int32)[::2]) and works()
    except (AttributeError, TypeError, ValueError, KeyError, OSError):
        return False


def laid_out(a: Any) -> bool:
    def word(of: Any, offset: int) -> int:
        return ctypes.c_int64.from_address(id(of) + offset).value

    dims = (ctypes.c_int64 * a.ndim).from_address(word(a, 32))
    number = ctypes.c_double.from_address(id(value := 2.5 + a.ndim) + 16).value
    scalars = all(word(x, 8) == id(type(x)) for x in (value, 1, True, a, a.dtype.type(3)))
    single = ctypes.c_int64.from_address(id(wide := np.int64(-7)) + 16).value
    return (scalars and number == value and single == int(wide)
            and ctypes.c_double.from_address(id(wide_float := np.float64(1.25)) + 16).value == float(wide_float)
            and word(a, 16) == a.ctypes.data and ctypes.c_int32.from_address(id(a) + 24).value == a.ndim
            and tuple(dims) == a.shape and word(a, 56) == id(a.dtype)
            and ctypes.c_int32.from_address(id(a) + 64).value & 0x501 == a.flags.num & 0x501
            and all(np.dtype(d.type) is d for d in DTYPES.values()))


def works() -> bool:
    """Whether NumPy's functions are those that we take them for."""
    empty_at, scalar_at = array_api()
    empty = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_int, ctypes.c_void_p, ctypes.py_object, ctypes.c_int)(empty_at)
    scalar = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(scalar_at)
    dims = (ctypes.c_int64 * 2)(3, 5)
    dtype = DTYPES["f32"]
    increment = ctypes.pythonapi.Py_IncRef
    increment.argtypes = [ctypes.py_object]
    increment(dtype)
    made = empty(2, ctypes.addressof(dims), dtype, 0)
    cell = ctypes.c_float(0.5)
    one = scalar(ctypes.addressof(cell), dtype, None)
    return (type(made) is np.ndarray and made.shape == (3, 5) and made.dtype is dtype and made.flags.owndata
            and made.flags.c_contiguous and type(one) is np.float32 and float(one) == 0.5)
