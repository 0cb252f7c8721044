"""Native code beside the interpreter: the same program in two hands, and what the results may differ in.

Arithmetic, comparisons, conversions and the order of sums are the interpreter's, so results have its bits. What rests
on an elementary function (a few ulp) or on the order of additions in a library's matrix product is compared with a
tolerance.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
from dad.codegen import interp
from dad.codegen.backends.native import jit
from dad.codegen.backends.native.call import function
from dad.codegen.backends.native.engine import Engine
from dad.codegen.backends.native.memory import entered, left
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.core.text import parse
from dad.lang.core.verify import verify
from dad.lang.core.walk import scopes

EXACT = frozenset({
    "add", "sub", "mul", "div", "neg", "abs", "sqrt", "rsqrt", "min", "max", "sign", "floor", "ceil", "round", "trunc",
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "copysign", "nextafter", "select", "cast", "bitcast",
    "scaled", "mod", "rem", "ldexp",
})
"""Primitives of floats that are rounded once, or as the interpreter rounds them."""
EITHER_ZERO = frozenset({"max", "min", "maximum", "minimum", "cummax", "cummin", "max_at", "min_at"})
"""Primitives of which NumPy gives the one or the other of zeros with different signs, as the processor has it."""
LIBRARY = frozenset({
    "matmul", "solve", "solve_triangular", "inverse", "det", "log_det", "cholesky", "cofactors", "cofactors_along",
    "orthogonal", "eigen", "eigen_toward", "svd", "lu", "det_sign", "failed_pivot",
})
"""Primitives on matrices: additions in an order of their own."""

SOIL = 1 << 22
"""Bytes of the arena: more than small programs use."""
Function = Callable[..., tuple[Any, ...]]
Outcome = tuple[str, Any]


def native(program: ir.Program, names: Collection[str], tier: int = 0) -> dict[str, Function]:
    """Functions of a program, as machine code."""
    with mock.patch.object(jit, "parsed", verified):
        engine = Engine(program, tier, frozenset(names))
    return {name: soiled(function(engine, name)) for name in names}


PARSED = jit.parsed


def verified(text: str) -> Any:
    """Assembly that LLVM's verifier accepts; programs are compiled without it."""
    made = PARSED(text)
    made.verify()
    return made


def soiled(function: Function) -> Function:
    """The same; before each call its memory is filled with nan, so that reading what nobody wrote shows."""
    def call(*values: Any) -> tuple[Any, ...]:
        room = entered()
        ctypes.memset(room.start, 255, SOIL)
        left(room)
        return function(*values)

    return call


def same_bits(op: ir.Op) -> bool:
    """Whether it gives the interpreter's bits."""
    if not isinstance(op, ir.Prim) or op.name in EXACT:
        return True
    floats = any(a.type.is_float for a in op.args)
    return op.name not in LIBRARY and not (floats and PRIMITIVES[op.name].elementwise and not PRIMITIVES[op.name].fails)


def operations(program: ir.Program, name: str) -> Iterator[ir.Op]:
    """All operations of a function and of what it calls."""
    seen = {name}
    functions = [name]
    while functions:
        blocks = [program.functions[functions.pop()].body]
        while blocks:
            for stmt in blocks.pop().stmts:
                yield stmt.op
                blocks.extend(inner for _, inner in scopes(stmt.op))
                if isinstance(stmt.op, ir.Call) and stmt.op.function not in seen:
                    seen.add(stmt.op.function)
                    functions.append(stmt.op.function)


def outcome(call: Callable[[], Sequence[Any]]) -> Outcome:
    """What it returns, or all that a failed check says."""
    try:
        return "results", call()
    except RunError as error:
        return "error", error.args


def compare(want: Outcome, got: Outcome, ops: Sequence[ir.Op], tolerance: float, what: str) -> None:
    """Raises AssertionError where native code, that does `ops`, does not do what the interpreter does."""
    bits = all(map(same_bits, ops))
    zeros = not any(isinstance(op, ir.Prim) and op.name in EITHER_ZERO for op in ops)
    assert got[0] == want[0], f"{what}: {got[1]} instead of {want[1]}"
    if want[0] == "error":
        assert got[1] == want[1], f"{what}: {got[1]} instead of {want[1]}"
        return
    assert len(got[1]) == len(want[1]), f"{what}: {len(got[1])} values instead of {len(want[1])}"
    for k, (x, y) in enumerate(zip(map(np.asarray, want[1]), map(np.asarray, got[1]), strict=True)):
        where = f"{what}: result {k}: {y} instead of {x}"
        assert x.shape == y.shape, f"{where}: shapes {y.shape} and {x.shape}"
        assert x.dtype == y.dtype, f"{where}: {y.dtype} and {x.dtype}"
        if bits or x.dtype.kind != "f":
            assert equal_bits(x, y, zeros), where
        else:
            assert near(x, y, tolerance), where


def equal_bits(x: Any, y: Any, zeros: bool = True) -> bool:
    """Any nan is as good as another; `zeros`: zeros have their signs."""
    if x.dtype.kind != "f":
        return bool(np.array_equal(x, y))
    signs = not zeros or np.array_equal(np.signbit(x)[x == 0], np.signbit(y)[x == 0])
    return bool(np.array_equal(x, y, equal_nan=True) and signs)


def near(x: Any, y: Any, tolerance: float) -> bool:
    usual = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(x[~usual], y[~usual], equal_nan=True):
        return False
    scale = 1 + np.max(np.abs(x[usual]), initial=0.0)
    return bool(np.all(np.abs(x.astype(float) - y)[usual] <= tolerance * scale))


def agree(program: ir.Program, name: str, args: Sequence[Any], tolerance: float = 1e-9, tier: int = 0) -> None:
    """Native code does what the interpreter does with the same program, and leaves its arguments alone."""
    before = [np.array(a) for a in args]
    compiled = native(program, [name], tier)[name]
    with np.errstate(all="ignore"):
        want = outcome(lambda: interp.run(program, name, args))
        got = outcome(lambda: compiled(*args))
    compare(want, got, list(operations(program, name)), tolerance, f"native: {name}")
    for arg, old in zip(args, before, strict=True):
        np.testing.assert_array_equal(np.asarray(arg), old, err_msg="native: an argument was changed")
    arrays = [x for x in (got[1] if got[0] == "results" else ()) if np.ndim(x)]
    for k, x in enumerate(arrays):
        assert x.flags.writeable
        assert x.flags.c_contiguous
        assert not any(np.shares_memory(x, y) for y in (*arrays[:k], *map(np.asarray, args)) if x.size)


def check(text: str, *args: Any, tolerance: float = 1e-9, tier: int = 0) -> None:
    """`agree` for the last function of a program in text form."""
    program = parse(text)
    verify(program)
    agree(program, list(program.functions)[-1], args, tolerance, tier)
