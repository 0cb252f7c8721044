"""`dad check`: parse and check files, show all findings, and the entries with their types."""
from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import driver
from ..lang.diagnostics.render import clean, render_concise, render_github, render_json, render_sarif
from ..lang.diagnostics.report import Diagnostic, Diagnostics
from .options import Command, Option, Usage, help_line, parse
from .output import read, show_diagnostics, signature, summary

FORMATS = {"concise": render_concise, "json": render_json, "github": render_github, "sarif": render_sarif}
COMMAND = Command(
    "check", "dad check FILE… [--format FORMAT]", "Report every mistake of the files; `-` reads standard input.",
    (Option("format", "how to print", "FORMAT", ("full", *FORMATS)), Option("quiet", "print no entries", short="q")),
    planned=("--watch", "--trust"))


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if not given.words:
        raise Usage("`dad check` needs a file", help_line(COMMAND))
    found: dict[tuple[str, str, str], Diagnostic] = {}
    results: list[tuple[str, driver.Checking | None]] = []
    for path in given.words:
        checking: driver.Checking | None = None
        try:
            checking = driver.check(read(path))
            diagnostics = checking.diagnostics
        except Diagnostics as error:
            diagnostics = error.diagnostics
        for each in diagnostics:  # files that import one another report the same thing once
            found.setdefault((each.code, str(each.span), each.message), each)
        results.append(("<stdin>" if path == "-" else path, checking))
    everything = list(found.values())
    failed = any(d.severity == "error" for d in everything)
    style = given.get("format", "full")
    if style in ("json", "github", "sarif"):
        text = FORMATS[style](everything)
        if text:
            print(text)
        return int(failed)
    if style == "concise":
        if everything:
            print(render_concise(everything))
    else:
        show_diagnostics(everything, sys.stdout)
    if failed:
        print(summary(everything, given.words))
        return 1
    for name, checking in results:
        if checking is None or checking.checked is None:
            continue
        entries = checking.checked.entries
        count = len(entries)
        print(f"ok: {clean(name)} ({count} {'entry' if count == 1 else 'entries'})")
        if not given.has("quiet") and style == "full":
            for definition in entries:
                print("  " + signature(definition))
    if everything:
        print(summary(everything, given.words))
    return 0
