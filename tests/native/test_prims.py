"""Every primitive in machine code does what its record says: on scalars, on arrays, and inside a map.

Arithmetic has the bits of the records. Elementary functions are compared within a few units in the last place:
`tests/native/test_kernels.py` holds each to its own bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from dad.codegen.interp import dtype_of
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES, Primitive
from dad.lang.prims.checks import MESSAGES, message_of
from dad.tests.native.agreement import EITHER_ZERO, EXACT, equal_bits, native
from dad.tests.prims import test_emitted as numpy_code

ULPS = 4
"""Native code is within 2 of the true value, NumPy within 2 or so."""
CANCELS = {"logaddexp": 64, "lgamma": 64, "digamma": 64, "logit": 8, "log1mexp": 8}
"""Sums whose terms may cancel, in the interpreter or here."""


def together(programs: Sequence[ir.Program]) -> list[Any]:
    """The functions `f` of several programs, compiled in one."""
    functions = {f"f{k}": ir.Function(f"f{k}", p.functions["f"].params, p.functions["f"].body)
                 for k, p in enumerate(programs)}
    return list(native(ir.Program(functions), functions).values())


def same(got: Any, expected: Any, name: str, bits: bool = False, ulps: int = ULPS) -> None:
    """The same dtype and shape; the same bits, or numbers a few units in the last place apart."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, name
    assert got.dtype == expected.dtype, name
    if expected.dtype.kind != "f" or bits:
        assert equal_bits(expected, got), f"{name}: {got} instead of {expected}"
        return
    usual = np.isfinite(got) & np.isfinite(expected)
    assert np.array_equal(got[~usual], expected[~usual], equal_nan=True), f"{name}: {got} instead of {expected}"
    with np.errstate(all="ignore"):
        away = np.abs(got[usual].astype(float) - expected[usual]) / np.spacing(np.abs(expected[usual])).astype(float)
    assert np.all(away <= ulps), f"{name}: {got[usual][away > ulps]} instead of {expected[usual][away > ulps]}"


@pytest.mark.parametrize("p", numpy_code.ELEMENTWISE, ids=lambda p: p.name)
def test_elementwise(p: Primitive) -> None:
    """All dtypes at once: a function for rows of interesting values, one for a map over them, one for a scalar."""
    cases = []
    for dtype in ir.DTYPES:
        columns = numpy_code.operands(p, dtype)
        if columns is None:
            continue
        if p.name in ("div", "mod", "quot", "rem") and dtype not in ir.FLOATS:
            columns = [c[columns[1] != 0] for c in columns]  # a check stands before
        cases.append((dtype, numpy_code.attributes(p, dtype), columns))
    programs = []
    for _, attrs, columns in cases:
        types = numpy_code.types_of([c[0] for c in columns])
        programs += [numpy_code.straight(p.name, numpy_code.types_of(columns), attrs),
                     numpy_code.mapped(p.name, types, attrs), numpy_code.straight(p.name, types, attrs)]
    functions = iter(together(programs))
    for dtype, attrs, columns in cases:
        with np.errstate(all="ignore"):
            expected = p.evaluate(*columns, **attrs)
        name, bits, ulps = f"{p.name} of {dtype}", p.name in EXACT - EITHER_ZERO, CANCELS.get(p.name, ULPS)
        for function in (next(functions), next(functions)):
            same(function(*columns)[0], expected, name, bits, ulps)
        scalar = next(functions)
        step = max(1, len(columns[0]) // 40)
        found = [scalar(*[c[k] for c in columns])[0] for k in range(0, len(columns[0]), step)]
        same(np.array(found, expected.dtype), expected[::step], name, bits, ulps)


@pytest.mark.parametrize("of", ir.DTYPES)
def test_cast(of: str) -> None:
    row = numpy_code.interesting(of)
    with np.errstate(all="ignore"):
        if of[0] == "f":
            more = [1e19, 300.7, -300.7, 2.0**31, 2.0**63, 2.0**64, 65519.0, 65520.0, 1 + 2.0**-11 + 2.0**-30, 6e-8]
            row = np.append(row, np.array(more).astype(row.dtype))
        programs = [numpy_code.straight("cast", [ir.Type(of, rank)], {"to": to})
                    for to in ir.DTYPES for rank in (0, 1)]
        functions = iter(together(programs))
        for to in ir.DTYPES:
            expected = PRIMITIVES["cast"].evaluate(row, to=to)
            one, many = next(functions), next(functions)
            same(many(row)[0], expected, f"{of} to {to}", True)
            same(np.array([one(x)[0] for x in row]), expected, f"{of} to {to}", True)


def test_select() -> None:
    c, x, y = np.array([True, False]), np.array([1.0, np.nan]), np.array([np.inf, 2.0])
    types = [ir.BOOL, ir.F64, ir.F64]
    whole, each, one = together([numpy_code.straight("select", [ir.Type(t.dtype, 1) for t in types], {}),
                                 numpy_code.mapped("select", types, {}), numpy_code.straight("select", types, {})])
    assert whole(c, x, y)[0].tolist() == each(c, x, y)[0].tolist() == [1, 2]
    assert [one(*row)[0] for row in zip(c, x, y, strict=True)] == [1, 2]


@pytest.mark.parametrize("name", sorted({name for name, _, _ in numpy_code.ARRAYS}))
def test_arrays(name: str) -> None:
    cases = [(numpy_code.as_values(given), attrs) for n, given, attrs in numpy_code.ARRAYS if n == name]
    functions = together([numpy_code.straight(name, numpy_code.types_of(args), attrs) for args, attrs in cases])
    for (args, attrs), function in zip(cases, functions, strict=True):
        with np.errstate(all="ignore"):
            expected = PRIMITIVES[name].evaluate(*args, **attrs)
        before = [np.copy(a) for a in args]
        found = function(*args)
        close(found if len(found) > 1 else found[0], expected, name)
        for a, b in zip(args, before, strict=True):
            np.testing.assert_array_equal(a, b)


def close(got: Any, expected: Any, name: str) -> None:
    """As NumPy's code is compared with the record: a library may add in an order of its own."""
    if isinstance(expected, tuple):
        for x, y in zip(got, expected, strict=True):
            close(x, y, name)
        return
    numpy_code.same(got, expected, name)


@pytest.mark.parametrize("name", sorted({name for name, _, _, _ in numpy_code.CHECKS}))
def test_checks(name: str) -> None:
    """The same outcome and the same words as the reference, alone and for the last of three elements."""
    cases = [case for case in numpy_code.CHECKS if case[0] == name]
    good = next(a for _, a, _, h in cases if h)
    types = numpy_code.check_types(name, len(good))
    for _, args, attrs, holds in cases:
        columns = [np.array([g, g, a]).astype(dtype_of(t)) for g, a, t in zip(good, args, types, strict=True)]
        one, each = together([numpy_code.straight(name, types, attrs), numpy_code.mapped(name, types, attrs)])
        for function, values in ((one, [c[-1] for c in columns]), (each, columns)):
            if holds:
                assert np.ravel(function(*values)[0])[-1] == args[0]
                continue
            with pytest.raises(RunError) as caught:
                function(*values)
            assert (caught.value.code, caught.value.message) == (MESSAGES[name][0], message_of(name, args, attrs))
