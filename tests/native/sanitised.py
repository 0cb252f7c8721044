"""C from loops under the sanitisers of addresses and of undefined behaviour: `python -m dad.tests.native.sanitised`.

Programs are those of the tests, with the inputs in their test blocks, and generated ones; their entries run forwards
and in both modes of derivatives. Results must be the interpreter's, bit for bit where nothing is computed that
libraries compute differently, and the same again when independent iterations run from the last to the first. What a
sanitiser finds ends the process: the last line on standard output then names the program. With `--optimised`, the
fastest code of the compiler must give what its slowest gives, without sanitisers.

The process must start with the sanitisers' library in front of all others, so this module starts itself once more.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from dad import driver, modules
from dad.checker.result import Definition
from dad.codegen import interp
from dad.codegen.backends.c.scalars import LIBM
from dad.codegen.backends.entry import leaves as leaves_of
from dad.codegen.lower import Transform, lower
from dad.codegen.runtime.arguments import DTYPES
from dad.codegen.runtime.errors import RunError
from dad.interface import entry_spec, possible
from dad.lang.core import ir
from dad.lang.core.walk import summary
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.testing.blocks import parse_blocks
from dad.testing.properties import Drawn, Undrawn
from dad.testing.runner import LEFT_OUT, Problem, Suite
from dad.tests.native import compiled_c
from dad.tests.native.compiled_c import Library, build, compiler
from dad.tests.programs.campaign import Case
from dad.tests.programs.properties import seeded, trial
from dad.tests.programs.subjects import Refused, Subject

TESTS = Path(__file__).parents[1]
CORPUS = ("programs/regressions", "programs/about_arrays", "programs/variants", "language", "models")
KINDS = ("value_and_grad", "jvp", "vjp")
STEPS = 30_000
"""Statements that the interpreter may run for one call; longer ones are left out."""
FREE = (frozenset(LIBM) - {"nextafter", "sqrt", "floor", "ceil", "round", "trunc", "abs", "copysign", "fma", "ldexp"}
        | {"sigmoid", "sech", "mod", "matmul"})
"""Primitives whose last bits a library chooses, and sums whose order is not said."""
STACK = 1 << 30


@dataclass
class Job:
    """A program and calls of its functions, on leaves."""

    name: str
    program: ir.Program
    calls: list[tuple[str, list[Any]]]


# ------------------------------------------------------------------ programs


def generated(first: int, count: int, largest: int) -> Iterator[Job]:
    """Generated programs, as `tests/programs` makes them, up to so many characters."""
    for seed in range(first, first + count):
        case = Case(seed)
        if len(case.program.text) > largest:
            continue
        try:
            subject = Subject(case.program)
        except Refused:
            continue
        t = trial(subject, case.sizes, seed)
        program = subject.optimised
        calls = [("main", list(t.leaves))]
        results = program.functions[subject.name("main")].result_types
        shapes = outcome_of_interpreter(program, "main", t.leaves)
        if isinstance(shapes, tuple):
            rng = np.random.default_rng(seed)
            t.weights = [np.asarray(rng.uniform(-1, 1, np.shape(x)))[()]
                         for x, r in zip(shapes, results, strict=True) if r.dtype in ir.FLOATS]
            calls += [(subject.name(kind), list(seeded(t, kind))) for kind in subject.transforms]
        yield Job(f"seed {seed}", program, calls)


def of_file(path: Path, drawn: bool = False) -> Job | None:
    """A program of the tests, with the inputs in its test blocks; `drawn`: also with random ones, where an entry has
    none there.
    """
    return of_source(driver.read(str(path)), path.parent, path.name, drawn)


def of_source(source: Source, folder: Path, name: str, drawn: bool = False) -> Job | None:
    report = Reporter()
    blocks = parse_blocks(source, report)
    checked = driver.check(source).checked
    if checked is None or report.failed or not checked.entries:
        return None
    module = modules.Module(source, "interp", "test")
    entries = {d.name: d for d in checked.entries}
    suite = Suite(folder, entries, {"interp": module})
    inputs: list[tuple[str, list[Any]]] = []
    for case in (case for block in blocks for case in block.cases if not case.tags & LEFT_OUT):
        for name, _ in case.entries:
            try:
                given = suite.arguments(case, entries[name])
                inputs.append((name, list(module.entries[name].leaves(tuple(given), {}))))
            except (Problem, TypeError, ValueError, RunError):
                continue
    for k, d in enumerate(checked.entries if drawn else ()):
        if all(d.name != known for known, _ in inputs):
            with contextlib.suppress(Undrawn, TypeError, ValueError, RunError):
                draw = Small(np.random.default_rng(k), 4)
                made = tuple(draw.value(t) for t in d.param_types)
                inputs.append((d.name, list(module.entries[d.name].leaves(made, {}))))
    wanted = [Transform(d.name, kind, wrt) for d in checked.entries if any(d.name == name for name, _ in inputs)
              for kind, wrt in possible(d) if kind in KINDS]
    with driver.without_collection():
        lowered = lower(checked, wanted)
        program = driver.optimised(lowered.program, [*lowered.entries.values(), *lowered.transforms.values()])
    calls: list[tuple[str, list[Any]]] = []
    rng = np.random.default_rng(1)
    for name, leaves in inputs:
        function = lowered.entries[entries[name].qualified]
        results = outcome_of_interpreter(program, function, leaves)
        if results is None:
            continue
        calls.append((function, leaves))
        for transform, derived in lowered.transforms.items():
            if transform.entry != name or not isinstance(results, tuple):
                continue
            params = program.functions[derived].params[len(leaves):]
            about = results if transform.kind == "vjp" else moving(entries[name], leaves, transform.wrt)
            shapes = iter([np.shape(x) for x in about if np.asarray(x).dtype.kind == "f"])
            seeds = [np.asarray(rng.uniform(-1, 1, next(shapes))).astype(np.dtype(interp.dtype_of(p.type)))[()]
                     for p in params]
            calls.append((derived, [*leaves, *seeds]))
    return Job(name, program, calls)


def moving(definition: Definition, leaves: Sequence[Any], wrt: Sequence[str]) -> list[Any]:
    """The leaves of some parameters."""
    rest = iter(leaves)
    return [leaf for param in entry_spec(definition, "", {}).params
            for leaf in islice(rest, sum(1 for _ in leaves_of(param.value))) if param.name in wrt]


class Small(Drawn):
    """Sizes from 1 on, floats that most functions are defined at, integers that may be indices."""

    def length(self, size: str) -> int:
        found = super().length(size)
        if not found and size in self.sizes:
            found = self.sizes[size] = 2
        return found

    def scalars(self, name: str, shape: tuple[int, ...]) -> Any:
        dtype = np.dtype(DTYPES[name])
        made = self.generator.uniform(0.2, 1.4, shape) if dtype.kind == "f" else self.generator.integers(0, 2, shape)
        array = np.asarray(made).astype(dtype)
        return array if shape else array[()]


def files(folders: Sequence[str], pattern: str = "", drawn: bool = False) -> Iterator[Job]:
    for folder in folders:
        for path in sorted((TESTS / folder).glob("*.dad")):
            if pattern in path.name:
                job = of_file(path, drawn)
                if job is not None:
                    yield job


# ------------------------------------------------------------------ outcomes


def outcome_of_interpreter(program: ir.Program, name: str, leaves: Sequence[Any]) -> tuple[Any, ...] | RunError | None:
    """None when it takes too long."""
    try:
        return interp.run(program, name, [np.array(x)[()] for x in leaves], STEPS)
    except RunError as error:
        return error
    except interp.OutOfSteps:
        return None


def outcome_of_c(library: Library, number: int, name: str, leaves: Sequence[Any], backwards: bool
                 ) -> tuple[Any, ...] | RunError:
    try:
        return library.run(number, name, leaves, backwards)
    except RunError as error:
        return error


def exact(program: ir.Program) -> bool:
    """Whether every library must give the same bits."""
    return not any(FREE & set(summary(f).prims) for f in program.functions.values())


def difference(want: Any, got: Any, bits: bool) -> str | None:
    """What is wrong with `got`."""
    if isinstance(want, RunError) or isinstance(got, RunError):
        code = want.code if isinstance(want, RunError) else None
        found = got.code if isinstance(got, RunError) else None
        return None if code == found else f"{want} and {got}"
    narrow = min((x.dtype.itemsize for x in map(np.asarray, want) if x.dtype.kind == "f"), default=8)
    for k, (x, y) in enumerate(zip(map(np.asarray, want), map(np.asarray, got), strict=True)):
        if x.shape != y.shape or x.dtype != y.dtype:
            return f"result {k}: {x.dtype}{x.shape} and {y.dtype}{y.shape}"
        if x.dtype.kind != "f" or bits:
            if not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                return f"result {k}: {x} and {y}"
            continue
        usual = np.isfinite(x) & np.isfinite(y)
        scale = 1 + np.max(np.abs(x[usual]), initial=0.0)
        tolerance = {8: 1e-10, 4: 2e-4, 2: 2e-2}[narrow]  # libraries differ in the last bits of narrow numbers, too
        if not np.array_equal(x[~usual], y[~usual], equal_nan=True) or \
                not np.all(np.abs(x - y)[usual] <= tolerance * scale):
            return f"result {k}: {x} and {y}"
    return None


def examine(jobs: Sequence[Job], flags: Sequence[str], folder: Path, batch: int, backwards: bool) -> list[str]:
    """Runs all calls; what is wrong."""
    wrong: list[str] = []
    libraries = build([job.program for job in jobs], flags, folder, batch)
    for k, job in enumerate(jobs):
        library, number = libraries[k // batch], k % batch
        same = exact(job.program)
        for name, leaves in job.calls:
            want = outcome_of_interpreter(job.program, name, leaves)
            if want is None:
                continue
            for turned in (False, True)[:1 + backwards]:
                print(f"{job.name} {name}{' backwards' * turned}", flush=True)
                found = difference(want, outcome_of_c(library, number, name, leaves, turned), same)
                if found:
                    wrong.append(f"{job.name} {name}{' backwards' * turned}{' (bits)' * same}: {found}")
    return wrong


# ------------------------------------------------------------------ the process


def worker(options: argparse.Namespace) -> int:
    driver.deepen()
    jobs = list(files(options.files, options.only))
    jobs += generated(options.first, options.count, options.largest)
    gc.collect()
    with tempfile.TemporaryDirectory() as folder:
        if options.optimised:
            wrong = [each for flags in (compiled_c.SLOWEST, compiled_c.FASTEST)
                     for each in examine(jobs, flags, Path(folder), options.batch, False)]
        else:
            wrong = examine(jobs, compiled_c.SANITISED, Path(folder), options.batch, True)
    for each in wrong:
        print(f"wrong: {each}", flush=True)
    print(f"{len(jobs)} programs, {sum(len(job.calls) for job in jobs)} calls, {len(wrong)} wrong")
    return 1 if wrong else 0


def in_front() -> str:
    """The path of the library that sanitised code needs to have in front."""
    command = compiler()
    assert command is not None
    names = ("libasan.so",) if "clang" not in command else ("libclang_rt.asan-x86_64.so", "libclang_rt.asan.so")
    for name in names:
        found = subprocess.run([command, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        if "/" in found.stdout:
            return found.stdout.strip()
    raise AssertionError(f"{command} has no sanitisers")


def start(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A process of this module, with what sanitisers need."""
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
                   "UBSAN_OPTIONS": "print_stacktrace=1", "DAD_WORKER": "1"}
    if "--optimised" not in arguments:
        environment["LD_PRELOAD"] = in_front()
    return subprocess.run([sys.executable, "-m", "dad.tests.native.sanitised", *arguments], env=environment,
                          capture_output=True, text=True, check=False)


def options_of(description: str, batch: str) -> argparse.ArgumentParser:
    """Which programs a campaign runs; so many of them to a `batch`."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--files", nargs="*", default=[], help="folders of tests with programs, or `all`")
    options.add_argument("--only", default="", help="files whose names have this in them")
    options.add_argument("--first", type=int, default=0, help="the first seed of generated programs")
    options.add_argument("--count", type=int, default=0)
    options.add_argument("--largest", type=int, default=10**6, help="characters of a generated program, at most")
    options.add_argument("--batch", type=int, default=20, help=f"programs to {batch}")
    return options


def main() -> int:
    options = options_of("Run C from loops under sanitisers.", "a file of C")
    options.add_argument("--optimised", action="store_true", help="fastest and slowest code without sanitisers")
    given = options.parse_args()
    if given.files == ["all"]:
        given.files = CORPUS
    if "DAD_WORKER" not in os.environ:
        done = start(sys.argv[1:])
        print("\n".join(done.stdout.splitlines()[-20:]), done.stderr[-6000:], sep="\n")
        return done.returncode
    status = [1]
    threading.stack_size(STACK)
    thread = threading.Thread(target=lambda: status.__setitem__(0, worker(given)))
    thread.start()
    thread.join()
    return status[0]


if __name__ == "__main__":
    sys.exit(main())
