"""Kernels beside the interpreter: the same program in two hands, kernels on the processor (`standin`).

Arithmetic, comparisons, conversions and the order of sums are the interpreter's, so results have its bits; what rests
on an elementary function is compared with a tolerance, as for machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dad
import numpy as np
from dad import driver
from dad.codegen import interp
from dad.codegen.backends.cuda.module import emit_program
from dad.lang.core import ir
from dad.lang.core.text import parse
from dad.lang.core.verify import verify
from dad.tests.cuda.standin import compiled, installed
from dad.tests.native.agreement import compare, operations, outcome

Function = Callable[..., tuple[Any, ...]]


def on_device(program: ir.Program, names: Collection[str]) -> dict[str, Function]:
    """Functions of a program, as kernels and what drives them; `cupy` must be there to be imported."""
    text = emit_program(program, list(names), driver.version())
    namespace: dict[str, Any] = {"__name__": "dad.compiled.test"}
    exec(compile(text, "<kernels>", "exec"), namespace)
    return {name: namespace["FUNCTIONS"][name] for name in names}


@contextmanager
def compiled_twice(text: str, reference: str) -> Iterator[tuple[Any, Any]]:
    """A program's module of kernels, and one for another target."""
    with compiled.quick(), installed():
        yield dad.compile(text, target="cuda"), dad.compile(text, target=reference)


def leaves(value: Any) -> Iterator[Any]:
    """The arrays in a result."""
    if isinstance(value, tuple | list | Mapping):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(each)
    else:
        yield np.asarray(value)


def agree(program: ir.Program, name: str, args: Sequence[Any], tolerance: float = 1e-9) -> None:
    """Kernels do what the interpreter does with the same program, and leave their arguments alone."""
    before = [np.array(a) for a in args]
    function = on_device(program, [name])[name]
    with np.errstate(all="ignore"):
        want = outcome(lambda: interp.run(program, name, args))
        got = outcome(lambda: function(*args))
    compare(want, got, list(operations(program, name)), tolerance, f"cuda: {name}")
    for arg, old in zip(args, before, strict=True):
        np.testing.assert_array_equal(np.asarray(arg), old, err_msg="cuda: an argument was changed")


def check(text: str, *args: Any, tolerance: float = 1e-9) -> None:
    """`agree` for the last function of a program in text form."""
    program = parse(text)
    verify(program)
    agree(program, list(program.functions)[-1], args, tolerance)
