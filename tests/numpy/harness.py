"""Emitted modules beside the reference interpreter: a program and arguments in, an AssertionError if they disagree."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from dad.codegen import interp
from dad.codegen.backends.entry import (
    ArraySpec,
    DimSpec,
    EntrySpec,
    Module,
    ParamSpec,
    ScalarSpec,
    TupleSpec,
    ValueSpec,
)
from dad.codegen.backends.numpy import emit_module
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.text import parse
from dad.lang.core.verify import verify


def entry_of(function: ir.Function) -> EntrySpec:
    """An entry with one parameter to each parameter of the function and sizes that are all different."""
    sizes = iter(range(1000))

    def spec(type: ir.Type) -> ValueSpec:
        names = [f"s{next(sizes)}" for _ in range(type.rank)]
        dims = tuple(DimSpec(name, ((1, (name,)),)) for name in names)
        return ArraySpec(type.dtype, dims) if dims else ScalarSpec(type.dtype)

    params = tuple(ParamSpec(f"p{k}", spec(p.type)) for k, p in enumerate(function.params))
    return EntrySpec(function.name, function.name, params, TupleSpec(tuple(map(spec, function.result_types))))


def emitted(program: ir.Program, name: str) -> Module:
    return emit_module(program, [entry_of(program.functions[name])], "test")


def loaded(module: Module) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(module.python, "<emitted>", "exec"), space)
    return space


def outcome(function: Any, error: type[Exception], args: Sequence[Any]) -> tuple[str, Any]:
    try:
        return "results", function(*args)
    except error as failure:
        return "error", failure.code  # type: ignore[attr-defined]


def agree(program: ir.Program, name: str, args: Sequence[Any], tolerance: float = 1e-9) -> Module:
    """The emitted module, if it does what the interpreter does, without warnings and without changing its arguments."""
    module = emitted(program, name)
    space = loaded(module)
    before = [np.array(a) for a in args]
    kind, want = outcome(lambda *a: interp.run(program, name, a), RunError, args)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got_kind, got = outcome(space[name], space["RunError"], args)
    for arg, old in zip(args, before, strict=True):
        np.testing.assert_array_equal(np.asarray(arg), old, err_msg=f"an argument was changed by\n{module.body}")
    assert got_kind == kind, f"{got_kind} {got} instead of {kind} {want}\n{module.body}"
    if kind == "error":
        return module
    for position, (x, y) in enumerate(zip(want, got, strict=True)):
        x, y = np.asarray(x), np.asarray(y)
        where = f"result {position} of\n{module.body}"
        assert x.shape == y.shape, where
        if x.ndim:
            assert x.dtype == y.dtype, where
        np.testing.assert_allclose(y, x, tolerance, tolerance, err_msg=where)
    arrays = [x for x in got if isinstance(x, np.ndarray)]
    for position, x in enumerate(arrays):
        assert x.flags.writeable
        assert x.flags.c_contiguous
        assert not any(np.shares_memory(x, y) for y in (*arrays[:position], *map(np.asarray, args)) if x.size)
    return module


def check(text: str, *args: Any, tolerance: float = 1e-9) -> str:
    """`agree` for the last function of a program in text form; returns the Python written for it."""
    program = parse(text)
    verify(program)
    return agree(program, list(program.functions)[-1], args, tolerance).body
