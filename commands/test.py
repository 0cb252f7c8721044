"""`dad test`: run the test blocks of programs, one line to each case that fails, and a count at the end."""
from __future__ import annotations

import sys
from collections.abc import Sequence

from ..lang.diagnostics.render import clean
from .options import Command, Option, Usage, help_line, parse
from .output import fail, show_diagnostics

COMMAND = Command(
    "test", "dad test FILE…",
    "Run the test blocks (`-- ==`) of programs as native code, on NumPy and on the interpreter.",
    (Option("target", "run on this one only", "TARGET", ("native", "numpy", "cuda", "interp")),
     Option("verbose", "print the cases that pass too", short="v")))


def main(args: Sequence[str]) -> int:
    from ..codegen.runtime.errors import DeviceError
    from ..testing.runner import run_file

    given = parse(args, COMMAND)
    if not given.words:
        raise Usage("`dad test` needs a file", help_line(COMMAND))
    targets = (given.options["target"],) if given.has("target") else None
    passed = failed = 0
    broken = False
    for path in given.words:
        try:
            result = run_file(path, targets)
        except DeviceError as error:
            raise fail(error.code, error.message) from None
        if result.diagnostics:
            show_diagnostics(result.diagnostics, sys.stderr)
            broken = True
        for outcome in result.outcomes:
            if outcome.problem is not None:
                print(clean(f"{outcome.place}: {outcome.name}: {outcome.problem}"))
            elif given.has("verbose"):
                print(clean(f"{outcome.place}: {outcome.name}: passed"))
        passed += sum(outcome.problem is None for outcome in result.outcomes)
        failed += sum(outcome.problem is not None for outcome in result.outcomes)
    print(f"{passed} passed, {failed} failed")
    return int(broken or failed > 0)
