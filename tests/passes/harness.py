"""What the tests of passes share: IR from text, IR compared up to the names of variables, runs compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dad.lang.prims  # noqa: F401  (fills the table of primitives)
import numpy as np
from dad.codegen.interp import run
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.build import Fresh
from dad.lang.core.ir import Var
from dad.lang.core.text import parse, show
from dad.lang.core.verify import verify
from dad.lang.core.walk import Renamer

Outcome = tuple[Any, ...] | RunError


def function(params: str, body: str, dims: str = "") -> ir.Program:
    """The program of one function `f` with these parameters and statements; `dims` as in the text form."""
    program = parse(f"def f ({params}) {{ {body} }}{' dims ' + dims if dims else ''}")
    verify(program)
    return program


def canonical(program: ir.Program) -> str:
    """The text of a program with variables named by the order in which they are bound."""
    return "\n".join(show(_renamed(f)) for f in program.functions.values())


def _renamed(f: ir.Function) -> ir.Function:
    renamer = _Plain(Fresh())
    params = tuple(renamer.binder(p) for p in f.params)
    return ir.Function(f.name, params, renamer.block(f.body))


class _Plain(Renamer):
    def binder(self, var: Var) -> Var:
        self.env[var] = new = self.supply.var("v", var.type)
        return new


def expect(
    transform: Callable[[ir.Program], ir.Program], params: str, before: str, after: str, dims: str = ""
) -> None:
    """`transform` turns the one into the other, and leaves the other as it is."""
    wanted = canonical(function(params, after))
    done = transform(function(params, before, dims))
    verify(done)
    assert canonical(done) == wanted
    assert transform(done) == done


def outcome(program: ir.Program, name: str, args: Sequence[Any]) -> Outcome:
    try:
        return run(program, name, args)
    except RunError as error:
        return error


def agree(found: Outcome, wanted: Outcome, tolerance: float = 1e-7) -> bool:
    """Whether two runs give the same up to rounding, or both fail."""
    if isinstance(found, RunError) or isinstance(wanted, RunError):
        return isinstance(found, RunError) and isinstance(wanted, RunError)
    return all(
        np.shape(x) == np.shape(y) and np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True)
        for x, y in zip(found, wanted, strict=True)
    )
