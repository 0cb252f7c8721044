"""Kernels of many programs, on the processor: `python -m dad.tests.cuda.campaign --files all --count 300`.

Programs are those of the tests, of the documentation, examples and benchmarks, with the inputs in their test blocks or
with random ones, and generated ones; their entries run forwards and in both modes of derivatives, with threads and
blocks in three orders. Results must be the interpreter's, bit for bit where nothing is computed that libraries compute
differently, and the same bits in all orders; a check that fails must be the one that fails first there. With `--nvrtc`
each text is compiled for cards too, where NVRTC is installed, by processes of their own; with `--card` the GPU of this
machine must give these bits. What was done is said at the end.
With `--sanitiser addresses` or `races` kernels are compiled with a sanitiser, each array in a block of memory of its
own; what it finds ends the process: the last line on standard output then names the program.

A process with a sanitiser must start with its library in front of all others, so this module starts itself once more.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from dad import Diagnostics, driver
from dad.codegen.backends.cuda import images, nvrtc
from dad.codegen.backends.cuda.module import emit_program
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.source import Source
from dad.tests.cuda.standin import compiled, installed, prepare
from dad.tests.native.sanitised import (
    CORPUS,
    STACK,
    TESTS,
    Job,
    difference,
    exact,
    files,
    generated,
    of_source,
    options_of,
    outcome_of_interpreter,
)

ALL = (*CORPUS, "numbers", "cuda/programs", "../examples", "../benchmarks", "../benchmarks/gradbench")
"""Folders of programs; `--files all` means these, the functions of `ad/functions`, and `docs`."""
BLOCK = re.compile(r"^```dad.*\n((?:.*\n)*?)```$", re.MULTILINE)

ORDERS = (("forward", 0), ("reverse", 0), ("random", 1))
SANITISERS = {"addresses": compiled.ADDRESSES, "races": compiled.RACES}
Function = Callable[..., tuple[Any, ...]]


def emitted(program: ir.Program, names: Sequence[str]) -> tuple[dict[str, Function], Any]:
    """Functions of a program, and its kernels. `cupy` must be there."""
    text = emit_program(program, list(dict.fromkeys(names)), driver.version())
    namespace: dict[str, Any] = {"__name__": "dad.compiled.test"}
    exec(compile(text, "<kernels>", "exec"), namespace)
    return namespace["FUNCTIONS"], namespace["_program"]


def apart() -> None:
    """Each array that a run takes is a block of memory of its own, given back when the run gives it back."""
    import cupy
    from dad.codegen.runtime.device import Run

    def take(run: Any, size: int) -> int:
        held = run.__dict__.setdefault("held", [])
        held.append(cupy.cuda.alloc(max(size, 1)))
        return int(held[-1].ptr)

    def mark(run: Any) -> int:
        return len(run.__dict__.setdefault("held", []))

    def release(run: Any, to: int) -> None:
        run.moving = run.held[to:]  # may be copied from, to what is taken next
        del run.held[to:]

    changed: Any = Run
    changed.take, changed.mark, changed.release = take, mark, release


def outcome(function: Function, leaves: Sequence[Any]) -> tuple[Any, ...] | RunError:
    try:
        return function(*(np.array(x)[()] for x in leaves))
    except RunError as error:
        return error


def examine(jobs: Iterable[Job], orders: Sequence[tuple[str, int]] = ORDERS, batch: int = 20, on_card: bool = False,
            cards: ForCards | None = None, done: Counter[str] | None = None) -> list[str]:
    """Runs all calls of the programs, `on_card` also on the GPU of this machine; what is wrong. `cards` get the texts;
    `done` counts.
    """
    wrong: list[str] = []
    done = Counter() if done is None else done
    rest = iter(jobs)
    while part := list(islice(rest, batch)):
        gc.collect()
        wrong += examine_some(part, orders, on_card, cards, done)
    return wrong


def examine_some(part: list[Job], orders: Sequence[tuple[str, int]], on_card: bool, cards: ForCards | None,
                 done: Counter[str]) -> list[str]:
    """The same of a few, which are compiled together."""
    wrong: list[str] = []
    done["programs"] += len(part)
    done["calls"] += sum(len(job.calls) for job in part)
    with installed():
        apart()
        made = []
        for job in list(part):
            try:
                made.append(emitted(job.program, [name for name, _ in job.calls]))
            except Exception as error:
                wrong.append(f"{job.name}: {type(error).__name__}: {error}")
                part.remove(job)
        for job, (_, program) in zip(part, made, strict=True):
            done["entries and derivatives"] += len({name for name, _ in job.calls})
            for text in program.sources:
                done["kernels"] += len(compiled.KERNEL.findall(text))
                if cards is not None:
                    cards.take(job.name, text)
        refused = together([program.sources for _, program in made])
    wrong += [f"{job.name}: {refused[k]}" for k, job in enumerate(part) if k in refused]
    made = [each for k, each in enumerate(made) if k not in refused]
    part = [job for k, job in enumerate(part) if k not in refused]
    wants = [[outcome_of_interpreter(job.program, *call) for call in job.calls] for job in part]
    first: dict[tuple[int, int], Any] = {}
    for order in orders:
        with installed(*order):
            for k, (job, (functions, _)) in enumerate(zip(part, made, strict=True)):
                wrong += calls_of(job, functions, wants[k], order, first, k, done)
    if on_card:
        with card():
            for k, job in enumerate(part):
                functions, _ = emitted(job.program, [name for name, _ in job.calls])
                wrong += calls_of(job, functions, wants[k], ("card", 0), first, k, done)
    return wrong


@contextlib.contextmanager
def card() -> Iterator[None]:
    """`cupy` is the real one inside, and what has imported another one is imported anew."""
    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("dad.codegen.runtime.device")]:
            del sys.modules[name]

    forget()
    importlib.import_module("cupy")
    try:
        yield
    finally:
        forget()


def together(programs: Sequence[Sequence[str]]) -> dict[int, str]:
    """Compiles texts of these programs; what the compiler says against some of them, by number."""
    try:
        prepare([text for texts in programs for text in texts])
        return {}
    except compiled.CompileError:
        refused = {}
        for k, texts in enumerate(programs):
            try:
                prepare(texts)
            except compiled.CompileError as error:
                refused[k] = str(error)[:1000]
        return refused


def calls_of(job: Job, functions: dict[str, Function], wants: Sequence[Any], order: tuple[str, int],
             first: dict[tuple[int, int], Any], number: int, done: Counter[str]) -> Iterator[str]:
    """What is wrong with calls of a program in one order; `first` has what the first order gave."""
    same = exact(job.program)
    for k, ((name, leaves), want) in enumerate(zip(job.calls, wants, strict=True)):
        if want is None:
            done["calls too long for the interpreter"] += order == ORDERS[0]
            continue
        done["runs"] += 1
        done["runs that fail a check"] += isinstance(want, RunError)
        done["runs with the interpreter's bits"] += same
        what = f"{job.name} {name} {order[0]}"
        print(what, flush=True)
        try:
            got = outcome(functions[name], leaves)
        except Exception as error:
            print(f"wrong: {error}", flush=True)
            yield f"{what}: {type(error).__name__}: {error}"
            continue
        before = first.setdefault((number, k), got)
        found = other_failure(want, got) or difference(want, got, same) or difference(before, got, True)
        if found:
            print(f"wrong: {found}", flush=True)
            yield f"{what}{' (bits)' * same}: {found}"


def other_failure(want: Any, got: Any) -> str | None:
    """What is said of a failed check is the same, place and values; how deep calls went is another number."""
    if isinstance(want, RunError) and isinstance(got, RunError) and want.code != "R110" and want.args != got.args:
        return f"{got} instead of {want}"
    return None


class ForCards:
    """NVRTC, in processes of its own: what it says against texts, and what kernels need on cards."""

    def __init__(self, architectures: Sequence[int] = nvrtc.ARCHITECTURES, processes: int = 0) -> None:
        self.architectures = [a for a in architectures if nvrtc.installed() and a in nvrtc.supported()]
        self.pool = ProcessPoolExecutor(processes or os.cpu_count(), get_context("spawn"))
        self.pending: list[tuple[str, int, Future[tuple[nvrtc.Usage, ...] | str]]] = []
        self.seen: set[str] = set()

    def take(self, name: str, text: str) -> None:
        if "__global__" in text and text not in self.seen:
            self.seen.add(text)
            self.pending += [(name, a, self.pool.submit(for_card, text, a)) for a in self.architectures]

    def end(self, done: Counter[str]) -> list[str]:
        """What is wrong."""
        wrong = []
        for name, architecture, future in self.pending:
            found = future.result()
            if isinstance(found, str):
                wrong.append(f"{name}: {found}")
                continue
            done[f"kernels for sm_{architecture}"] += len(found)
            done[f"of them with spills for sm_{architecture}"] += sum(u.spilled > 0 for u in found)
            done["bytes spilled at most"] = max(done["bytes spilled at most"], *(u.spilled for u in found))
        self.pool.shutdown()
        return wrong


def for_card(text: str, architecture: int) -> tuple[nvrtc.Usage, ...] | str:
    """What kernels of a text need on a card, or what NVRTC says against it. Options are those of `dad build`."""
    try:
        return nvrtc.compiled(text, architecture, images.OPTIONS).usage
    except nvrtc.CompileError as error:
        return str(error)[:2000]


def of_functions(path: Path) -> Job | None:
    """A file of functions, each as an entry."""
    text = re.sub(r"^def (\w+ \[n\] \(x: \[n\]f64\) : f64 =)", r"entry \1", path.read_text(encoding="utf-8"),
                  flags=re.MULTILINE)
    return of_source(Source(path.name, text), path.parent, path.name, drawn=True)


def of_page(path: Path) -> Iterator[Job]:
    """The programs of a page of the documentation."""
    for k, block in enumerate(BLOCK.findall(path.read_text(encoding="utf-8"))):
        with contextlib.suppress(Diagnostics):  # some are refused, or import others of the page
            job = of_source(Source(f"{path.stem} {k}", block), path.parent, f"{path.name} {k}", drawn=True)
            if job is not None:
                yield job


def corpus(folders: Sequence[str], pattern: str) -> Iterator[Job]:
    """Programs in folders of the tests."""
    if list(folders) != ["all"]:
        yield from files(folders, pattern, drawn=True)
        return
    yield from files(ALL, pattern, drawn=True)
    for path in sorted((TESTS / "ad" / "functions").glob("*.dad")):
        job = of_functions(path) if pattern in path.name else None
        if job is not None:
            yield job
    for path in sorted((TESTS.parent / "docs").rglob("*.md")):
        if pattern in path.name:
            yield from of_page(path)


# ------------------------------------------------------------------ the process


def worker(options: argparse.Namespace) -> int:
    driver.deepen()
    compiled.MODE.flags = SANITISERS.get(options.sanitiser, compiled.QUICK)
    jobs = chain(corpus(options.files, options.only), generated(options.first, options.count, options.largest))
    done: Counter[str] = Counter()
    cards = ForCards(options.nvrtc, options.processes) if options.nvrtc else None
    wrong = examine(jobs, ORDERS[:1] if options.sanitiser else ORDERS, options.batch, options.card, cards, done)
    if cards is not None:
        wrong += cards.end(done)
    for each in wrong:
        print(f"wrong: {each}", flush=True)
    print(f"{done.pop('programs', 0)} programs, {done.pop('calls', 0)} calls, {len(wrong)} wrong")
    print("\n".join(f"{count:10,} {what}" for what, count in done.items()), flush=True)
    return 1 if wrong else 0


def start(arguments: Sequence[str], sanitiser: str = "") -> subprocess.CompletedProcess[str]:
    """A process of this module, with what sanitisers need."""
    # One thread to BLAS: its own are not compiled with the sanitiser, which takes their ways of waiting for races.
    environment = {**os.environ, "DAD_WORKER": "1", "OPENBLAS_NUM_THREADS": "1"}
    if sanitiser:
        environment |= {"LD_PRELOAD": compiled.in_front(SANITISERS[sanitiser]),
                        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
                        "UBSAN_OPTIONS": "print_stacktrace=1",
                        "TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}
    return subprocess.run([sys.executable, "-m", "dad.tests.cuda.campaign", *arguments], env=environment,
                          capture_output=True, text=True, check=False)


def main() -> int:
    options = options_of("Run kernels on the processor.", "a run of the C++ compiler")
    options.add_argument("--sanitiser", choices=sorted(SANITISERS), default="")
    options.add_argument("--card", action="store_true", help="run on the GPU of this machine, too")
    options.add_argument("--nvrtc", nargs="*", type=int, metavar="ARCHITECTURE",
                         help="compile for cards, too: for these, or for those that modules are built for")
    options.add_argument("--processes", type=int, default=0, help="of NVRTC; as many as processors, if not said")
    given = options.parse_args()
    if given.nvrtc is not None:
        given.nvrtc = given.nvrtc or nvrtc.ARCHITECTURES
    if given.sanitiser and "DAD_WORKER" not in os.environ:
        done = start(sys.argv[1:], given.sanitiser)
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
