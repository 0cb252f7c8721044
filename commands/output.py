"""What is printed, and where: diagnostics with colours where somebody looks, summaries, and files that are read."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from ..lang.diagnostics.render import clean, render_full
from ..lang.diagnostics.report import Diagnostic, Diagnostics
from ..lang.source import Source

if TYPE_CHECKING:
    from ..checker.result import Contract, Definition


def colored(stream: TextIO) -> bool:
    """Whether a person reads the stream on a terminal that knows colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def show_diagnostics(diagnostics: Iterable[Diagnostic], stream: TextIO) -> None:
    """Full frames, an empty line behind each."""
    for diagnostic in diagnostics:
        print(render_full([diagnostic], color=colored(stream)), end="\n\n", file=stream)


def fail(code: str, message: str, help: str | None = None) -> Diagnostics:
    """A finding without a place in a program, to raise."""
    return Diagnostics([Diagnostic(code, message, help=help)])


def read(path: str) -> Source:
    """The text of a file, or of standard input for `-`. Raises Diagnostics (U101 to U103)."""
    from .. import driver

    if path != "-":
        return driver.read(path)
    data = sys.stdin.buffer.read(driver.MAX_BYTES + 1)
    if len(data) > driver.MAX_BYTES:
        raise fail("U103", f"standard input is larger than {driver.MAX_BYTES // 1_000_000} MB")
    try:
        return Source("<stdin>", data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise fail("U102", f"standard input is not UTF-8 text (byte {error.start})", "save it as UTF-8") from None


def summary(diagnostics: Sequence[Diagnostic], names: Sequence[str]) -> str:
    """`2 errors, 1 warning in model.dad`"""
    parts = []
    for severity in ("error", "warning"):
        count = sum(d.severity == severity for d in diagnostics)
        if count:
            parts.append(f"{count} {severity}{'s' if count > 1 else ''}")
    where = clean(names[0]) if len(names) == 1 else f"{len(names)} files"
    return f"{', '.join(parts) or 'no errors'} in {where}"


def signature(definition: Definition) -> str:
    """A definition's head in Dad's syntax, with all types: `entry loss [n] (x: param [n]f64) : f64`."""
    from ..lang.types import show

    words = [definition.node.kind, definition.name]
    words += ["".join(f"[{var.name}]" for var in definition.scheme.size_vars)] * bool(definition.scheme.size_vars)
    words += [f"'{var.name.lstrip(chr(39))}" + (f": {var.constraint}" if var.constraint else "")
              for var in definition.scheme.type_vars]
    bounds = [bounds_of(c) for c in definition.contracts] or [""] * (len(definition.param_types) + 1)
    for name, type, activity, kept in zip(definition.param_names, definition.param_types, definition.activities,
                                          bounds, strict=False):
        words.append(f"({name}: {'' if activity == 'plain' else activity + ' '}{show(type)}{kept})")
    words += [":", show(definition.result_type) + bounds[-1]]
    return " ".join([*words, *(["@ nondet"] if definition.nondet else [])])


def bounds_of(contracts: Sequence[Contract]) -> str:
    """The bounds of a number, or of each element of an array of numbers, behind its type: `{>0}`."""
    from ..checker.result import Refinement

    return "".join("{" + (c.text.replace(" ", "", 1) if c.text[0] in "<>" else c.text) + "}" for c in contracts
                   if isinstance(c, Refinement) and not c.path)

