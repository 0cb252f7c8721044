"""Generated programs by the thousand: `python -m dad.tests.programs.campaign --count 1000`.

One number, the seed, makes a program, sizes, arguments and which properties are asked; `--seed N` replays one and, when
it fails, cuts it down. Failures go to build/generated/N.dad with what is wrong with them at the head. Exit status 1
when there were any.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from dad.codegen.runtime.errors import RunError
from dad.driver import deepen
from dad.tests.programs import properties
from dad.tests.programs.programs import Generated, program
from dad.tests.programs.properties import trial
from dad.tests.programs.subjects import Refused, Subject

FOLDER = Path(__file__).resolve().parents[2] / "build" / "generated"
SIZES = (0, 1, 2, 3)
ASKED = {"second": 20, "emitted": 30, "interpreter": 6, "verifies": 5, "vmap": 6, "built": 2}
"""How often, of 100 programs, a property is asked for; first derivatives always are."""
NATIVE = 30
"""The same for machine code; a tenth of it in tier 1."""
LIMIT = 15.0
"""Seconds of computing that one program may take."""


class Case:
    """What a seed stands for."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        self.seed = seed
        self.sizes = {"n": rng.choice(SIZES), "m": rng.choice(SIZES)}
        self.risky = rng.randrange(8) == 0
        self.budget = rng.choice((6, 10, 15, 20, 40))
        self.asked = {name for name, percent in ASKED.items() if rng.randrange(100) < percent}
        self.program = program(rng, self.budget, self.risky)
        if Random(f"native {seed}").randrange(100) < NATIVE:
            self.asked.add("native")
        self.tier = 0 if seed % 10 else 1


def examine(made: Generated, case: Case) -> str:
    """Puts a program to the test; what became of it. Whatever it raises is a failure."""
    try:
        subject = Subject(made, mapped="vmap" in case.asked)
    except Refused:
        return "refused"
    t = trial(subject, case.sizes, case.seed)
    try:
        found = properties.derivatives(t)
    except RunError as error:
        if "emitted" in case.asked:
            properties.failing(t, error.code)
        if "native" in case.asked:
            properties.native(t, case.tier)
        return "failing"
    if "second" in case.asked and found == "fine":
        properties.second_derivatives(t, emitted="emitted" in case.asked)
    if "verifies" in case.asked:
        properties.verifies(t)
    if "emitted" in case.asked:
        properties.emitted(t)
    if "interpreter" in case.asked:
        properties.interpreter(t)
    if "native" in case.asked:
        properties.native(t, case.tier)
    if "built" in case.asked:
        properties.built(t)
    if "vmap" in case.asked:
        properties.mapped(t, case.sizes, case.seed, 2)
    return found


def kind_of(error: BaseException) -> str:
    """What is wrong, without the numbers: the property, or the exception and where it was raised."""
    if isinstance(error, AssertionError) and ":" in str(error):
        return str(error).split(":")[0] + (str(error).split(":")[1][:6] if str(error).startswith("diag") else "")
    if isinstance(error, TookTooLong):
        return "TookTooLong"
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f"{at.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{at.tb_frame.f_code.co_name}" if at else ""
    return f"{type(error).__name__} in {place}"


class TookTooLong(Exception):
    """A program that is still not done after `LIMIT` seconds."""


@contextmanager
def limited(seconds: float = LIMIT) -> Iterator[None]:
    def alarm(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"more than {seconds:g} s of computing")

    before = signal.signal(signal.SIGVTALRM, alarm)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def failure(made: Generated, case: Case) -> BaseException | None:
    try:
        with limited():
            examine(made, case)
    except Exception as error:
        return error
    return None


def keep(case: Case, text: str, error: BaseException) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{case.seed}.dad"
    what = " ".join(str(error).split())[:400]
    head = f"-- seed {case.seed}, sizes {case.sizes}, asked {sorted(case.asked)}\n-- {kind_of(error)}\n-- {what}\n"
    path.write_text(head + text, encoding="utf-8")
    return path


def run(first: int, count: int, seconds: float = 1e9) -> tuple[Counter[str], list[int]]:
    """Examines seeds in order, at least one, until there were `count` or time is over."""
    outcomes: Counter[str] = Counter()
    failed = []
    deadline = time.monotonic() + seconds
    for seed in range(first, first + count):
        if seed % 200 == 0:
            gc.collect()
        case = Case(seed)
        try:
            with limited():
                outcomes[examine(case.program, case)] += 1
        except Exception as error:
            outcomes["FAILED"] += 1
            failed.append(seed)
            path = keep(case, case.program.text, error)
            print(f"seed {seed}: {kind_of(error)}: {' '.join(str(error).split())[:200]} ({path})", flush=True)
        if time.monotonic() > deadline:
            break
    return outcomes, failed


def replay(seed: int, seconds: float) -> int:
    from dad.tests.programs.shrink import shrunk

    case = Case(seed)
    error = failure(case.program, case)
    if error is None:
        print(f"{case.program.text}\nseed {seed}: all is well")
        return 0
    smallest = shrunk(case.program, case, error, seconds)
    error = failure(smallest, case) or error
    path = keep(case, smallest.text, error)
    print(f"{smallest.text}\nseed {seed}, sizes {case.sizes}: {kind_of(error)}: {error}\n{path}")
    return 1


def main() -> int:
    options = argparse.ArgumentParser(description="Generate programs and ask what must hold of them.")
    options.add_argument("--seed", type=int, default=None, help="replay one, and cut it down if it fails")
    options.add_argument("--first", type=int, default=0, help="the first seed of many")
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=1e9, help="stop after this long")
    given = options.parse_args()
    deepen()
    gc.disable()  # compiling makes many small objects and few cycles
    if given.seed is not None:
        return replay(given.seed, min(given.seconds, 120))
    started = time.process_time()
    outcomes, failed = run(given.first, given.count, given.seconds)
    total = sum(outcomes.values())
    told = ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items()))
    each = (time.process_time() - started) / total * 1e3
    print(f"seeds {given.first} to {given.first + total - 1}: {told}; {each:.0f} ms each")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
