"""Passes: from IR to IR. `PIPELINE` lists them in the order in which they run; each takes and gives IR that verifies.

In: a program as lowered, and the functions that must stay callable. Out: the program that back ends emit: without
derivatives, small functions inlined, maps fused, common and dead code gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...lang import clock
from ...lang.core import ir


@dataclass(frozen=True, slots=True)
class Pass:
    """`run` takes the program and its roots."""

    name: str
    run: Callable[[ir.Program, Sequence[str]], ir.Program]


def _simplify(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .simplify import simplify

    return simplify(program)


def _tail_calls(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .tail_calls import tail_calls

    return tail_calls(program)


def _inline(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .inline import inline

    return inline(program, roots)


def _fuse(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .fuse import fuse

    return fuse(program)


def _differentiate(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .differentiate import differentiate

    return differentiate(program)


def _drop_stops(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .stops import drop_stops

    return drop_stops(program)


def _plain_zeros(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .zeros import plain_zeros

    return plain_zeros(program)


def _scatter_rows(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    from .scatters import scatter_rows

    return scatter_rows(program)


# Fusion comes before derivatives, so that the adjoint of an array read element by element is an array, not a scatter;
# and after them, for the maps that they write.
PIPELINE: tuple[Pass, ...] = (
    Pass("tail_calls", _tail_calls),
    Pass("simplify", _simplify),
    Pass("inline", _inline),
    Pass("simplify", _simplify),
    Pass("fuse", _fuse),
    Pass("simplify", _simplify),
    Pass("differentiate", _differentiate),
    Pass("drop_stops", _drop_stops),
    Pass("simplify", _simplify),
    Pass("inline", _inline),
    Pass("fuse", _fuse),
    Pass("simplify", _simplify),
    Pass("plain_zeros", _plain_zeros),
    Pass("scatter_rows", _scatter_rows),
)


def run_pipeline(
    program: ir.Program,
    roots: Sequence[str],
    *,
    verify: bool = False,
    observe: Callable[[str, ir.Program], None] | None = None,
    marked: bool = False,
) -> ir.Program:
    """Run all passes, `verify`ing after each if asked; `observe` gets each pass's name and the program after it.

    `marked`: reverse sweeps stand between marks, which `saved` reads.
    """
    from ...lang.core.verify import verify as check

    for stage in PIPELINE:
        with clock.stage(stage.name):
            if marked and stage.name == "differentiate":
                from .differentiate import differentiate

                program = differentiate(program, marked=True)
            else:
                program = stage.run(program, roots)
        if verify:
            check(program)
        if observe is not None:
            observe(stage.name, program)
    return program
