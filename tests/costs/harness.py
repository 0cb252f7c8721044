"""Formulas beside the interpreter that counts: a program and arguments in, an AssertionError if they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dad import driver
from dad.codegen.cost.analysis import Found, analyse, kept_values
from dad.codegen.cost.counted import Counts, count
from dad.codegen.cost.values import Abstract
from dad.codegen.lower import lower
from dad.interface import usual_transforms
from dad.lang.core import ir
from dad.lang.core.ir import Atom, Var
from dad.lang.formulas import Formula
from dad.lang.sizes import SizeAtom, SizeVar
from dad.lang.source import Source

Bound = list[tuple[SizeVar, int, int | None]]


def compiled(text: str, kinds: Sequence[str] = (), entry: str = "main") -> tuple[ir.Program, dict[str, str]]:
    """The optimised program, with marks around reverse sweeps, and the functions of an entry and its transforms."""
    checked = driver.check(Source("<test>", text)).require()
    wanted = [t for t in usual_transforms(checked) if t.kind in kinds and t.entry == entry]
    definition = next(d for d in checked.entries if d.name == entry)
    made = lower(checked, wanted, [definition])
    names = {"primal": made.entries[entry]}
    names.update({str(t.kind): f for t, f in made.transforms.items()})
    return driver.optimised(made.program, list(names.values()), marked=True), names


def arguments(function: ir.Function) -> tuple[list[Abstract], Bound]:
    """Symbols for the sizes and whole numbers of the parameters; where each stands."""
    shared: dict[Atom, SizeVar] = {}
    bound: Bound = []
    found = []
    for k, param in enumerate(function.params):
        dims = function.dims[k] if function.dims else (None,) * param.type.rank

        def new(name: str, axis: int | None, k: int = k) -> SizeVar:
            bound.append((SizeVar(name, len(bound) + 1), k, axis))
            return bound[-1][0]

        sizes = []
        for axis, equal in enumerate(dims):
            if isinstance(equal, ir.Const):
                sizes.append(Formula.of(int(equal.value)))
                continue
            size = shared.get(equal) if isinstance(equal, Var) else None
            if size is None:
                size = new(f"{param.name}_{axis}", axis)
                if equal is not None:
                    shared[equal] = size
            sizes.append(Formula.of(size))
        number = not param.type.rank and param.type.dtype in ("i64", "bool")
        found.append(Abstract(tuple(sizes), Formula.of(new(param.name, None)) if number else None))
    return found, bound


def agree(program: ir.Program, name: str, args: Sequence[Any]) -> tuple[Found, Counts]:
    """Formulas with the symbols' values give what the interpreter counts, line by line, to the last operation."""
    given, bound = arguments(program.functions[name])
    kept = kept_values(program, [name])
    values: dict[SizeAtom, int] = {v: int(args[k]) if axis is None else np.shape(args[k])[axis] for v, k, axis in bound}
    for careful in (False, True):
        found = analyse(program, name, given, careful, kept)
        counted = count(program, name, args, found.watch, kept)
        nothing: dict[SizeAtom, int] = dict.fromkeys(found.symbols, 0)
        symbols: dict[SizeAtom, int] = {**values, **counted.symbols}
        if all(c.at(nothing | symbols) >= 0 for c in found.counts):
            break
    for key in dict.fromkeys((*found.cost, *counted.cost)):
        formula = found.cost.get(key, Formula.of(0))
        assert formula.at(symbols) == counted.cost.get(key, 0), f"{name}: {key}: {formula} at {symbols}"
    return found, counted
