"""Dad programs as Python modules in memory: `dad.load` and `dad.compile`.

The module's attributes are the program's entries. What an entry is asked to derive (`.grad`, `.jvp`, …, `wrt=`) is
compiled when it is first asked for, and kept: compiling costs milliseconds, and most programs use one or two
transforms.
"""
from __future__ import annotations

import builtins
import importlib.util
import sys
import threading
import types
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import driver
from .checker.result import Checked, Definition
from .codegen.backends.entry import EntrySpec
from .codegen.backends.native import installed
from .codegen.lower import KINDS, Kind, Lowered, Lowering, Memory, Transform
from .codegen.runtime.entry import Entry
from .codegen.runtime.errors import DadArgumentError
from .interface import entry_spec, possible, unknown_sizes
from .lang import types as ty
from .lang.core import ir
from .lang.core.walk import summary
from .lang.diagnostics.report import Diagnostic, Diagnostics
from .lang.source import Source

if TYPE_CHECKING:
    from .codegen.passes.certificate import Site

Target = Literal["numpy", "native", "cuda", "interp"]
Function = Callable[..., Any]


def load(path: str | Path, *, target: str | None = None, tier: int | None = None, trap_nonfinite: bool = False
         ) -> Module:
    """The module of a `.dad` file. Raises `Diagnostics` when the program has errors or the file cannot be read.

    `target` is "native" (machine code, through llvmlite), "numpy" (vectorised NumPy code) or "interp" (the slow
    reference semantics); without one it is "native" where llvmlite is installed, else "numpy". `tier` is for targets
    that compile in several tiers: 0 gives code at once,
    1 fast code; the others have one. With `trap_nonfinite` a call raises `RunError` (R109) at
    the first operation that makes nan or infinity of finite numbers.
    """
    return Module(driver.read(path), wanted(target), Path(path).stem, trap=trap_nonfinite, tier=tier)


def compile(text: str, *, target: str | None = None, tier: int | None = None, name: str = "<string>",
            trap_nonfinite: bool = False) -> Module:
    """The module of a program given as text; `name` is what messages call it. The rest is as for `load`.

    >>> compile("entry twice (x: f64) : f64 = 2 * x").twice(4)
    8.0
    """
    return Module(Source(name, text), wanted(target), "program", trap=trap_nonfinite, tier=tier)


def wanted(target: str | None) -> Target:
    """The target of this name; without a name the first of `available`. Raises Diagnostics (U110)."""
    match target:
        case None:
            return available()[0]
        case "numpy" | "interp":
            return target
        case "cuda":
            no_cupy()
            return target
        case "native" if target in available():
            return target
        case "native":
            raise Diagnostics([Diagnostic("U110", f"the target `native` {installed.missing(installed.version())}",
                                          help="pip install \"dad-lang[native]\", or use \"numpy\"")])
    raise Diagnostics([Diagnostic("U110", f"there is no target `{target}` in this version",
                                  help='use "native", "numpy", "cuda" or "interp"')])


def no_cupy() -> None:
    """Raise Diagnostics (U112) unless CuPy can be imported."""
    if "cupy" not in sys.modules and importlib.util.find_spec("cupy") is None:
        raise Diagnostics([Diagnostic("U112", "the target `cuda` runs through CuPy, which is not installed",
                                      help='pip install "cupy-cuda13x[ctk]", or use "native"')])


@cache
def available() -> tuple[Target, ...]:
    """The targets that can be used here, the quickest first."""
    return ("numpy", "interp") if installed.missing(installed.version()) else ("native", "numpy", "interp")


class Module(types.ModuleType):
    """A compiled program. Its entries are attributes, and in `entries` by name; `diagnostics` holds warnings.

    >>> m = compile("entry scale [n] (a: f64) (xs: [n]f64) : [n]f64 = a * xs")
    >>> m.scale(2.0, [1.0, 2.0])
    array([2., 4.])
    """

    def __init__(self, source: Source, target: Target, name: str, steps: int | None = None, trap: bool = False,
                 tier: int | None = None, editing: Editing | None = None) -> None:
        """`steps` limits the interpreter: a call that takes more raises `codegen.interp.OutOfSteps`. `trap`: calls
        raise `RunError` (R109) at the first operation that makes nan or infinity of finite numbers. `editing` knows
        earlier versions of the text.
        """
        super().__init__(name)
        with driver.without_collection():
            checking = driver.check(source) if editing is None else editing.update(source)
            checked = checking.require()
            self.diagnostics = checking.diagnostics
            compiler = Compiler(checked, target, source.name, steps, trap, tier, source, editing)
            self.entries: dict[str, LiveEntry] = compiler.entries()
        for entry_name, entry in self.entries.items():
            setattr(self, entry_name, entry)

    def __getattr__(self, name: str) -> Any:
        """Only called for what is not there."""
        have = ", ".join(f"`{e}`" for e in self.__dict__.get("entries", ())) or "no entries"
        raise AttributeError(f"this Dad module has no entry `{name}`; it has {have}")

    def __repr__(self) -> str:
        return f"<Dad module {self.__name__}: {', '.join(self.entries)}>"


class Editing(driver.Editing):
    """What is known of the program that a module is a version of."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory()
        self.version = 0

    def update(self, source: Source) -> driver.Checking:
        self.version += 1
        self.memory.begin()
        return super().update(source)


class Live:
    """A program that is being edited. `update` gives the module of its text of now, in the time that the edit takes.

    What the edit does not touch is neither checked nor compiled again: with other numbers in it, or with more or fewer
    terms of known shapes in a long sum, nothing is compiled. The module of an earlier text goes on working. `path` is
    the file that is read when `update` gets no text, and what messages call the program; the rest is as for `load`.

    >>> program = Live("rate.dad")
    >>> program.update("entry f (x: f64) : f64 = 2.0 * x * x").f.grad(1.0)
    4.0
    >>> program.update("entry f (x: f64) : f64 = 3.0 * x * x").f.grad(1.0)
    6.0
    """

    def __init__(self, path: str | Path, *, target: str | None = None, tier: int | None = None,
                 trap_nonfinite: bool = False) -> None:
        self.path = path
        self.target = wanted(target)
        self.tier = tier
        self.trap = trap_nonfinite
        self.module: Module | None = None
        """The last module that there was."""
        self._editing = Editing()
        self._lock = threading.Lock()

    def update(self, text: str | None = None) -> Module:
        """The module of this text, or of the file as it is now. Raises `Diagnostics` when the program has errors or
        the file cannot be read; then the next update is as quick, and `module` is what it was.
        """
        source = driver.read(self.path) if text is None else Source(str(self.path), text)
        with self._lock, driver.without_collection():
            before = self.module
            self.module = Module(source, self.target, Path(self.path).stem, trap=self.trap, tier=self.tier,
                                 editing=self._editing)
            if before is not None:  # what it is asked for from now on begins with its text
                for entry in before.entries.values():
                    entry.compiler.lowering = None
            return self.module

    def files(self) -> list[str]:
        """The files that the program imports, those that do not exist included: a change of one is an edit too."""
        return self._editing.files()


class LiveEntry(Entry):
    """An entry that is compiled, like its transforms, when it is first asked for; without a function of leaves it asks
    the compiler for one.
    """

    def __init__(self, spec: EntrySpec, function: Function | None, definition: Definition, compiler: Compiler) -> None:
        if compiler.target == "cuda":
            from .codegen.runtime.device import DeviceLeaves

            self.plan = DeviceLeaves
        super().__init__(function=function, **plainly(spec))
        self.definition = definition
        self.compiler = compiler
        self.compiled: dict[Transform, Function] = {}
        self.programs: dict[Transform | None, tuple[ir.Program, str]] = {}
        self.certificates: dict[tuple[str, ...], tuple[Function, Callable[[], Function], tuple[Site, ...]]] = {}

    def __repr__(self) -> str:
        from .commands.output import signature

        return f"<{signature(self.definition)}>"

    def __getattr__(self, name: str) -> Any:
        """Only called for what is not there: what belongs to a function that is not compiled yet."""
        if name not in ("function", "value"):
            raise AttributeError(f"`{self.__name__}` has no attribute `{name}`")
        with driver.without_collection():
            self.settle(self.compiler.value(self.definition))
        return getattr(self, name)

    def _transform(self, kind: str, wrt: tuple[str, ...]) -> Function:
        transform = next((Transform(self.__name__, k, wrt) for k in KINDS if k == kind), None)
        assert transform is not None, kind
        function = self.compiled.get(transform)
        if function is None:
            self.refuse(transform.kind, wrt)
            with driver.without_collection():
                function = self.compiled[transform] = self.compiler.transform(self.definition, transform)
        return function

    def sparse_hessian(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """The Hessian of one float, as a sparse matrix (CSR, of SciPy if that is there, else data, indices, indptr).

        Rows and columns count the floats of the parameters in order, fields by name, arrays row by row. It takes a
        product with the Hessian for each colour of its pattern, not for each column.
        """
        from .sparse import sparse_hessian

        return sparse_hessian(self, self.leaves(args, named), self.active(wrt))

    def sparse_jacobian(self, *args: Any, wrt: Any = None, **named: Any) -> Any:
        """The Jacobian as a sparse matrix, like `sparse_hessian`; rows count the floats of the result."""
        from .sparse import sparse_jacobian

        return sparse_jacobian(self, self.leaves(args, named), self.active(wrt))

    def _certified(self, args: tuple[Any, ...], wrt: Any, named: dict[str, Any]) -> Any:
        from .certificate import certificate_of

        value, gradient = self.value_and_grad(*args, wrt=wrt, **named)
        return value, gradient, certificate_of(self, self.leaves(args, named), self.active(wrt))

    def watched(self, wrt: tuple[str, ...]) -> tuple[Function, Callable[[], Function], tuple[Site, ...]]:
        """The functions of leaves that count what is decided by parameters and that take steps to switches."""
        if wrt not in self.certificates:
            from .certificate import active_leaves

            self.certificates[wrt] = self.compiler.certificate(self.definition, active_leaves(self, wrt))
        return self.certificates[wrt]

    def leaves(self, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        return list(self.inputs.converted(self.parts(self.arguments(args, named))))

    def compiled_for(self, kind: Kind, wrt: tuple[str, ...]) -> Function:
        """The function of leaves for a transform, compiled now if it was not yet."""
        return self._transform(kind, wrt)

    def pattern_program(self, kind: Kind | None, wrt: tuple[str, ...]) -> tuple[ir.Program, str]:
        """The IR of a transform, or of the entry itself, as the interpreter runs it."""
        transform = None if kind is None else Transform(self.__name__, kind, wrt)
        if transform not in self.programs:
            self.programs[transform] = self.compiler.plain(self.definition, transform)
        return self.programs[transform]

    def refuse(self, kind: Kind, wrt: tuple[str, ...]) -> None:
        """Raise DadArgumentError when there is no such derivative, saying why."""
        name = self.__name__
        if kind == "vmap":
            if all(k != "vmap" for k, _ in possible(self.definition)):
                raise DadArgumentError("A105", f"`{name}` has no parameters to map over")
            return
        d = self.definition
        for param, t, activity in zip(d.param_names, d.param_types, d.activities, strict=True):
            if param not in wrt:
                continue
            if activity == "data":
                raise DadArgumentError(
                    "A106",
                    f"parameter `{param}` of `{name}` is declared `data`: it has no derivative; "
                    "declare it `param` if it is to be fitted",
                )
            if not has_floats(ty.tangent(t)):
                raise DadArgumentError(
                    "A106",
                    f"parameter `{param}` of `{name}` is {ty.show(t)}: integers and booleans have no derivative",
                )
        if not wrt:
            raise DadArgumentError(
                "A106",
                f"`{name}` has no parameter to differentiate with respect to: every one is `data` or has no floats",
            )
        if kind not in {k for k, _ in possible(d)}:
            result = ty.show(d.result_type)
            what = {"value_and_grad": "a gradient is of one float", "hessian": "a Hessian is of one float",
                    "hvp": "a Hessian is of one float", "laplacian": "a Laplacian is of one float"}.get(kind)
            use = "use `.jacobian`, `.vjp` or `.jvp`"
            if not has_floats(ty.tangent(d.result_type)):
                what, use = "no float depends on its parameters", "it has no derivative"
            elif unknown := unknown_sizes(d):
                what = what or f"the size `{unknown[0].name}` is known only when it has run"
                use = "use `.vjp` or `.jvp`"
            raise DadArgumentError("A105", f"`{name}` returns {result}: {what}; {use}")
        reasons = [self.compiler.checked.flat.get((d.qualified, param)) for param in wrt]
        if all(reasons):
            raise DadArgumentError("A107", f"{reasons[0]}: its derivative would be zero everywhere")


def has_floats(tangent: ty.Type) -> bool:
    match tangent:
        case ty.Scalar() | ty.Array():
            return True
        case ty.Tuple(items):
            return any(has_floats(i) for i in items)
        case ty.Record(fields):
            return any(has_floats(t) for _, t in fields)
    return False


class Compiler:
    """Turns checked definitions into Python functions of leaves, for one target."""

    def __init__(self, checked: Checked, target: Target, name: str, steps: int | None = None, trap: bool = False,
                 tier: int | None = None, source: Source | None = None, editing: Editing | None = None) -> None:
        """`source` is what was checked, `editing` what will check versions after it."""
        self.checked = checked
        self.source = source
        self.editing = editing
        self.version = editing.version if editing is not None else 0
        self.tier = tier
        self.trap = trap
        self.target = target
        self.name = name
        self.steps = steps
        self.lowering: Lowering | None = None
        self.lock = threading.Lock()

    def lowered(self, definition: Definition | None = None, *transforms: Transform) -> Lowered:
        """IR of an entry and of derived functions of it, or of all entries. What is lowered is kept."""
        with self.lock, driver.without_collection():
            lowering, self.lowering = self.lowering, None  # gone if this fails half way
            if self.editing is not None and self.editing.version != self.version:
                assert self.source is not None  # the tables are those of a later version: this one is checked anew
                self.checked, self.editing, lowering = driver.check(self.source).require(), None, None
            if lowering is None:
                lowering = Lowering(self.checked, memory=self.editing.memory if self.editing is not None else None)
            if definition is not None:
                made = lowering.lowered(definition, *transforms)
            else:
                made = Lowered(lowering.reached(*lowering.names.values()), lowering.names, {})
            self.lowering = lowering
        return made

    def entries(self) -> dict[str, LiveEntry]:
        lowered = self.lowered()
        specs = {d: entry_spec(d, lowered.entries[d.qualified], {}) for d in self.checked.entries}
        made: dict[str, Entry] = {}
        if self.target != "native" or self.trap or takes_derivatives(lowered.program):
            made = self.emitted(lowered, list(specs.values()), list(lowered.entries.values()))
        return {d.name: LiveEntry(spec, made[d.name].function if made else None, d, self) for d, spec in specs.items()}

    def value(self, definition: Definition) -> Function:
        """The function of an entry itself."""
        lowered = self.lowered(definition)
        spec = entry_spec(definition, lowered.entries[definition.qualified], {})
        return self.emitted(lowered, [spec], [spec.function])[definition.name].function

    def transform(self, definition: Definition, transform: Transform) -> Function:
        lowered = self.lowered(definition, transform)
        function = lowered.transforms[transform]
        if self.target == "native" and not self.trap:
            return native(lowered.program, [function], self.tier)(function)
        active = None if transform.kind == "vmap" else transform.wrt
        spec = entry_spec(definition, lowered.entries[definition.qualified], {transform.kind: function}, active)
        return self.emitted(lowered, [spec], [spec.function, function])[definition.name].transforms[transform.kind]

    def certificate(self, definition: Definition, active: Sequence[bool]
                    ) -> tuple[Function, Callable[[], Function], tuple[Site, ...]]:
        """The functions of leaves of `codegen.passes.certificate`, the second when it is asked for, and the sites."""
        from .codegen.passes.certificate import certificate, steps

        lowered = self.lowered(definition)
        name = lowered.entries[definition.qualified]
        with driver.without_collection():
            program, watched, sites = certificate(lowered.program, name, active, self.target == "native")

        def moved() -> Function:
            slopes, made, _ = certificate(lowered.program, name, active)
            return self.leaves_function(definition, *steps(slopes, name, made, active))

        return self.leaves_function(definition, program, watched), cache(moved), sites

    def leaves_function(self, definition: Definition, program: ir.Program, name: str) -> Function:
        """A function of leaves from IR as lowered, in place of that of an entry."""
        spec = entry_spec(definition, name, {})
        function: Function = self.emitted(Lowered(program, {}, {}), [spec], [name])[definition.name].function
        return function

    def plain(self, definition: Definition, transform: Transform | None) -> tuple[ir.Program, str]:
        """The program that the interpreter runs for a transform, or for the entry, and the name of its function."""
        lowered = self.lowered(definition, *(() if transform is None else (transform,)))
        with driver.without_collection():
            function = lowered.entries[definition.qualified] if transform is None else lowered.transforms[transform]
            return differentiated(lowered.program), function

    def emitted(self, lowered: Lowered, specs: list[EntrySpec], roots: list[str]) -> dict[str, Entry]:
        """The entries of these specs, by source name."""
        if self.target == "interp":
            if self.trap:
                return trapping(lowered.program, specs, roots, self.steps)
            return interpreted(lowered.program, specs, self.steps)
        if self.target == "native" and not self.trap:
            return entries_of(specs, native(lowered.program, roots, self.tier))
        with driver.without_collection():
            program = driver.optimised(lowered.program, roots)
        if self.target == "cuda" and not self.trap:
            return self.on_device(program, specs)
        made = self.vectorised(program, specs)  # NumPy notes where infinity begins; machine code does not
        if self.trap:
            trap(made, specs, program, lowered.program)
        return made

    def vectorised(self, program: ir.Program, specs: list[EntrySpec]) -> dict[str, Entry]:
        """NumPy code for entries."""
        from .codegen.backends.numpy import emit_module

        with driver.without_collection():
            module = emit_module(program, specs, driver.version())
        return self.entries_in(module.linked)

    def on_device(self, program: ir.Program, specs: list[EntrySpec]) -> dict[str, Entry]:
        """Kernels for entries."""
        from .codegen.backends.cuda.module import emit_module

        with driver.without_collection():
            module = emit_module(program, specs, driver.version())
        return self.entries_in(module.linked)

    def entries_in(self, text: str) -> dict[str, Entry]:
        """The entries of a module's text, by source name."""
        namespace: dict[str, Any] = {"__name__": f"dad.compiled.{Path(self.name).stem}"}
        exec(builtins.compile(text, f"<compiled from {self.name}>", "exec"), namespace)
        return {e.__name__: e for e in namespace.values() if isinstance(e, Entry)}


def takes_derivatives(program: ir.Program) -> bool:
    """Whether the program itself asks for derivatives: then what has none is found when it is compiled."""
    return any(summary(f).diffs for f in program.functions.values())


def native(program: ir.Program, roots: Sequence[str], tier: int | None) -> Callable[[str], Function]:
    """Machine code of functions of a program as lowered, by name; without a tier, tier 0 at once and tier 1 when it
    pays.
    """
    from .codegen.backends.native.call import function
    from .codegen.backends.native.programs import engine

    with driver.without_collection():
        made = engine(program, set(roots), tier, driver.optimised)
    return lambda name: function(made, name)


def trap(entries: dict[str, Entry], specs: list[EntrySpec], optimised: ir.Program, lowered: ir.Program) -> None:
    """Have the functions of entries look out for nan and infinity; where there may be some, IR as lowered is run."""
    from .codegen.trap import guarded

    plain_program = differentiated(lowered, dead=False)
    for spec in specs:
        entry = entries[spec.name]
        entry.function = guarded(entry.function, optimised, plain_program, spec.function)
        entry.transforms = {kind: guarded(function, optimised, plain_program, spec.transforms[kind])
                            for kind, function in entry.transforms.items()}


def differentiated(program: ir.Program, dead: bool = True) -> ir.Program:
    """IR that nothing has optimised, without derivatives to take; `dead`: with what nobody reads."""
    from .codegen.passes.dead import remove_dead
    from .codegen.passes.differentiate import differentiate
    from .codegen.passes.effects import Effects
    from .codegen.passes.extremes import extremes
    from .codegen.passes.tail_calls import tail_calls

    made = differentiate(tail_calls(extremes(program)))
    if dead:
        return made
    effects = Effects(made)
    return ir.Program({name: remove_dead(f, effects) for name, f in made.functions.items()})


def trapping(program: ir.Program, specs: list[EntrySpec], roots: list[str], steps: int | None) -> dict[str, Entry]:
    """Entries that run the interpreter until something gives nan or infinity."""
    from .codegen.trap import run_confirmed

    plain_program = differentiated(program, dead=False)
    optimised = cache(lambda: driver.optimised(program, roots))
    return entries_that(specs, lambda name, values: run_confirmed(plain_program, optimised, name, values, steps))


def interpreted(program: ir.Program, specs: list[EntrySpec], steps: int | None = None) -> dict[str, Entry]:
    """Entries that run the reference interpreter on IR that nothing has optimised; calls that come last are loops."""
    from .codegen.interp import run

    plain_program = differentiated(program)
    return entries_that(specs, lambda function, values: run(plain_program, function, values, steps))


def entries_that(specs: list[EntrySpec], run: Callable[[str, list[Any]], Sequence[Any]]) -> dict[str, Entry]:
    """Entries whose functions are run so."""

    def runner(function: str) -> Function:
        def call(*values: Any) -> tuple[Any, ...]:
            return tuple(x if isinstance(x, np.ndarray) and x.ndim else np.asarray(x)[()] for x in
                         run(function, list(values)))

        return call

    return entries_of(specs, runner)


def entries_of(specs: list[EntrySpec], runner: Callable[[str], Function]) -> dict[str, Entry]:
    """Entries that call what `runner` makes of the names of their functions."""
    return {s.name: Entry(function=runner(s.function), transforms={k: runner(f) for k, f in s.transforms.items()},
                          **plainly(s)) for s in specs}


def plainly(spec: EntrySpec) -> dict[str, Any]:
    """What an `Entry` is told about its parameters and result."""
    from .codegen.backends.numpy.module import plain

    return {"name": spec.name, "params": tuple((p.name, p.activity, plain(p.value)) for p in spec.params),
            "result": plain(spec.result), "doc": spec.doc, "wrt": spec.wrt}
