"""A generated program on its way through the compiler, each stage once, with everything that properties ask for.

Programs are run on *leaves*: a scalar or array to each IR parameter, in order.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from dad import driver
from dad.codegen import interp
from dad.codegen.backends.entry import Module
from dad.codegen.backends.numpy import emit_module
from dad.codegen.lower import Lowered, Transform
from dad.codegen.passes.differentiate import differentiate
from dad.codegen.passes.extremes import extremes
from dad.interface import entry_specs
from dad.lang.core import ir
from dad.lang.source import Source
from dad.tests.ad.harness import derive, weighted
from dad.tests.native.agreement import native
from dad.tests.numpy.harness import entry_of
from dad.tests.programs.programs import Generated

Function = Callable[..., tuple[Any, ...]]


class Refused(Exception):
    """Not every size of a loop in a loop is inferred: a program like this one needs an annotation."""


class Subject:
    """The program, and transforms of its entry by all parameters with floats. Raises AssertionError for diagnostics,
    but `Refused` for the one that is to be expected.

    `mapped`: with `vmap` too.
    """

    def __init__(self, program: Generated, mapped: bool = False) -> None:
        self.generated = program
        checking = driver.check(Source("generated.dad", program.text))
        for found in checking.diagnostics:
            if "a size that a loop arrived at" in str(found):
                raise Refused
            raise AssertionError(f"diagnostics: {found.code} {found}")
        self.checked = checking.require()
        wrt, names = program.active, tuple(name for name, _ in program.params)
        self.transforms = {kind: Transform("main", kind, wrt) for kind in ("jvp", "vjp")} if wrt else {}
        if mapped:
            self.transforms["vmap"] = Transform("main", "vmap", names)
        self.lowered: Lowered = driver.lowered(self.checked, list(self.transforms.values()))

    def name(self, kind: str) -> str:
        """The IR function of a transform, or of the entry itself, `main`."""
        return "main" if kind == "main" else self.transforms[kind].function

    @cached_property
    def plain(self) -> ir.Program:
        """As lowered, derivatives taken, nothing optimised; folds with `max` and `min` have the slope of extremes."""
        return differentiate(extremes(self.lowered.program))

    @cached_property
    def to_second(self) -> tuple[ir.Program, Mapping[str, str]]:
        """The gradient of a weighted sum of the results, and its derivatives in three nestings, all still to take."""
        whole, total = weighted(self.lowered.program, "main")
        whole, gradient = derive(whole, total, "vjp", called=True)
        whole, pushed = derive(whole, total, "jvp", called=True)
        names = {"gradient": gradient}
        whole, names["forward of reverse"] = derive(whole, gradient, "jvp")
        whole, names["reverse of forward"] = derive(whole, pushed, "vjp")
        whole, names["reverse of reverse"] = derive(whole, gradient, "vjp")
        return whole, names

    @cached_property
    def second(self) -> tuple[ir.Program, Mapping[str, str]]:
        """The same with derivatives taken, nothing optimised."""
        whole, names = self.to_second
        return differentiate(extremes(whole)), names

    @cached_property
    def second_emitted(self) -> dict[str, Function]:
        """NumPy functions of the same, by nesting."""
        whole, names = self.to_second
        program = driver.optimised(whole, list(names.values()))
        entries = [entry_of(program.functions[name]) for name in names.values()]
        made = executed(emit_module(program, entries, "").linked)
        return {way: made[name].function for way, name in names.items()}

    @property
    def roots(self) -> list[str]:
        return [*self.lowered.entries.values(), *self.lowered.transforms.values()]

    @cached_property
    def optimised(self) -> ir.Program:
        return driver.optimised(self.lowered.program, self.roots)

    def verified(self) -> ir.Program:
        """As `optimised`, looked at by the verifier after every pass."""
        return driver.optimised(self.lowered.program, self.roots, verify=True)

    def module(self) -> Module:
        return emit_module(self.optimised, entry_specs(self.checked, self.lowered), driver.version())

    @cached_property
    def emitted(self) -> dict[str, Function]:
        """NumPy functions of leaves, by kind."""
        return functions_of(executed(self.module().linked))


    def native(self, tier: int) -> dict[str, Function]:
        """Functions of leaves in machine code, by kind."""
        kinds = ["main", *self.transforms]
        made = native(self.optimised, [self.name(kind) for kind in kinds], tier)
        return {kind: made[self.name(kind)] for kind in kinds}


def executed(text: str, alone: bool = False) -> dict[str, Any]:
    """The names that an emitted module defines; `alone`: it may import NumPy and Python's library, nothing of dad."""

    def importing(name: str, *rest: Any) -> Any:
        assert not alone or name.split(".")[0] != "dad", f"built: a built module imports {name}"
        return builtins.__import__(name, *rest)

    names: dict[str, Any] = {"__name__": "generated", "__builtins__": {**vars(builtins), "__import__": importing}}
    exec(builtins.compile(text, "generated.py", "exec"), names)
    return names


def functions_of(names: Mapping[str, Any]) -> dict[str, Function]:
    entry = names["main"]
    return {"main": entry.function, **entry.transforms}


def run(function: Function, leaves: Sequence[Any]) -> tuple[Any, ...]:
    """Results of an emitted function; arguments are copied, since it may keep or write them."""
    with np.errstate(all="ignore"):
        results = function(*(np.array(x)[()] for x in leaves))
    return results if isinstance(results, tuple) else (results,)


def interpreted(program: ir.Program, name: str, leaves: Sequence[Any]) -> tuple[Any, ...]:
    return interp.run(program, name, leaves)
