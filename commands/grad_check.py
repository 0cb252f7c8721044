"""`dad grad-check`: derivatives of entries, and every derivative rule, against differences."""
from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import driver
from ..lang.diagnostics.render import clean
from ..lang.diagnostics.report import Diagnostic, Diagnostics
from .check import FORMATS
from .options import Command, Given, Option, Usage, help_line, parse, suggestion
from .output import fail, read, show_diagnostics, summary

COMMAND = Command(
    "grad-check", "dad grad-check FILE… [--entry E] [--points K] [--seed N]",
    "Compare the derivatives of entries, and every derivative rule by itself, with differences.",
    (Option("entry", "check this entry only", "ENTRY"),
     Option("points", "inputs to try for each entry (5)", "K"),
     Option("seed", "what random inputs begin with (0)", "N"),
     Option("tolerance", "relative; by default 1e-5 for f64, 2e-2 for f32", "T"),
     Option("format", "how to print", "FORMAT", ("full", *FORMATS)),
     Option("quiet", "print findings only", short="q")),
    "Inputs are those of the test blocks, then random ones. `#[surrogate]` marks functions whose rules are other\n"
    "derivatives on purpose.")

WRITE = "write `entry` in place of `def`"


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if not given.words:
        raise Usage("`dad grad-check` needs a file", help_line(COMMAND))
    points, seed = number(given, "points", 5, 1), number(given, "seed", 0, 0)
    tolerance = fraction(given, "tolerance")
    findings: list[Diagnostic] = []
    lines: list[str] = []
    for path in given.words:
        try:
            lines += checked(path, given, points, seed, tolerance, findings)
        except Diagnostics as error:
            findings += error.diagnostics
    failed = any(d.severity == "error" for d in findings)
    style = given.get("format", "full")
    if style in ("json", "github", "sarif"):
        text = FORMATS[style](findings)
        if text:
            print(text)
        return int(failed)
    if style == "concise" and findings:
        print(FORMATS[style](findings))
    elif style == "full":
        show_diagnostics(findings, sys.stdout)
    if not given.has("quiet"):
        for line in lines:
            print(clean(line))
    if findings:
        print(summary(findings, given.words))
    return int(failed)


def checked(path: str, given: Given, points: int, seed: int, tolerance: float | None,
            findings: list[Diagnostic]) -> list[str]:
    """What was compared in one file; findings are added. Raises Diagnostics for what the program says."""
    from ..testing.grad_check import Options, grad_check

    source = read(path)
    checking = driver.check(source)
    tables = checking.require()
    findings += checking.diagnostics
    entries = tables.entries
    if given.has("entry"):
        wanted = given.options["entry"]
        entries = tuple(d for d in entries if d.name == wanted)
        if not entries:
            names = [d.name for d in tables.entries]
            known = f"the entries are {', '.join(f'`{n}`' for n in names)}" if names else WRITE
            raise fail("U305", f"there is no entry `{wanted}`", suggestion(wanted, names) or known)
    elif not entries:
        raise fail("U305", "the program has no entry to check", WRITE)
    report = grad_check(source, tables, entries, Options(seed, points, tolerance))
    findings += report.diagnostics
    return report.lines


def number(given: Given, name: str, default: int, least: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise Usage(f"`--{name}` is a whole number from {least}, not `{text}`", help_line(COMMAND))
    return int(text)


def fraction(given: Given, name: str) -> float | None:
    if not given.has(name):
        return None
    text = given.options[name]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise Usage(f"`--{name}` is a number between 0 and 1, not `{text}`", help_line(COMMAND))
    return value
