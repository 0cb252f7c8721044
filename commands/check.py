"""`dad check`: parse and check files, show all findings, and the entries with their types."""
from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import driver
from ..lang.diagnostics.render import clean, render_concise, render_github, render_json, render_sarif
from ..lang.diagnostics.report import Diagnostic, Diagnostics
from ..lang.source import Source
from .options import Command, Given, Option, Usage, help_line, parse
from .output import read, show_diagnostics, signature, summary

if TYPE_CHECKING:
    from ..grades.report import Report

FORMATS = {"concise": render_concise, "json": render_json, "github": render_github, "sarif": render_sarif}
COMMAND = Command(
    "check", "dad check FILE… [--watch] [--format FORMAT]",
    "Report every mistake of the files; `-` reads standard input.",
    (Option("format", "how to print", "FORMAT", ("full", *FORMATS)), Option("quiet", "print no entries", short="q"),
     Option("watch", "check again whenever a file changes, until Ctrl-C", short="w"),
     Option("notes", "say of each branch on a parameter how smooth it is"),
     Option("explain", "how smooth a name is in each parameter, and why: `loss`, `loss:12`, `y:12`", "NAME:LINE"),
     Option("trust", "list what is taken on trust")))
INTERVAL = 0.1
"""Seconds between two looks at the files."""


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if not given.words:
        raise Usage("`dad check` needs a file", help_line(COMMAND))
    if given.has("watch"):
        if "-" in given.words:
            raise Usage("standard input cannot be watched", "give the name of a file")
        return watch(given)
    status, _ = once(given, dict.fromkeys(given.words, driver.check), {})
    return status


def watch(given: Given) -> int:
    """Check again and again, until somebody interrupts."""
    editing = {path: driver.Editing() for path in given.words}
    checks = {path: each.update for path, each in editing.items()}
    shown: dict[str, list[str]] = {}
    before: list[tuple[str, object]] = []
    try:
        while True:
            now = [(file, stamp(file)) for path, each in editing.items() for file in (path, *each.files())]
            if now != before:
                if before:
                    changed = dict.fromkeys(clean(os.path.basename(file)) for file, _ in set(now) - set(before))
                    print(f"\n--- {', '.join(sorted(changed)) or 'files'} changed")
                _, shown = once(given, checks, shown)
                sys.stdout.flush()
                # A file that changed meanwhile is looked at again; those that were imported just now are known.
                looked = dict(now)
                before = [(file, looked.get(file, stamp(file)))
                          for path, each in editing.items() for file in (path, *each.files())]
            time.sleep(INTERVAL)
    except KeyboardInterrupt:
        return 0


def stamp(path: str) -> object:
    """What changes when the file does."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def once(given: Given, checks: Mapping[str, Callable[[Source], driver.Checking]], before: Mapping[str, list[str]]
         ) -> tuple[int, dict[str, list[str]]]:
    """Check and print; the status, and the signatures of entries. Those that were printed before are left out."""
    found: dict[tuple[str, str, str], Diagnostic] = {}
    results: list[tuple[str, driver.Checking | None]] = []
    reports: dict[str, Report] = {}
    asked = any(given.has(name) for name in ("notes", "explain", "trust"))
    for path, check in checks.items():
        checking: driver.Checking | None = None
        try:
            checking = check(read(path))
            diagnostics = checking.diagnostics
            if checking.typed is not None and (asked or checking.typed.promises):
                report = reports[path] = driver.graded(checking, asking=not asked, examples=given.has("notes"))
                diagnostics += report.diagnostics
                if given.has("notes"):
                    diagnostics += report.notes
        except Diagnostics as error:
            diagnostics = error.diagnostics
        for each in diagnostics:  # files that import one another report the same thing once
            found.setdefault((each.code, str(each.span), each.message), each)
        results.append((path, checking))
    everything = list(found.values())
    failed = any(d.severity == "error" for d in everything)
    style = given.get("format", "full")
    if style in ("json", "github", "sarif"):
        text = FORMATS[style](everything)
        if text:
            print(text)
        return int(failed), {}
    if style == "concise":
        if everything:
            print(render_concise(everything))
    else:
        show_diagnostics(everything, sys.stdout)
    if asked:
        from .grades import explained, trusted

        for report in reports.values():
            if given.has("explain"):
                print(explained(report, given.options["explain"]))
            if given.has("trust"):
                print(trusted(report))
    if failed:
        print(summary(everything, given.words))
        return 1, dict(before)
    shown = {path: [signature(d) for d in checking.checked.entries]
             for path, checking in results if checking is not None and checking.checked is not None}
    for path, signatures in shown.items():
        count = len(signatures)
        name = "<stdin>" if path == "-" else path
        print(f"ok: {clean(name)} ({count} {'entry' if count == 1 else 'entries'})")
        if not given.has("quiet") and style == "full":
            for each_signature in signatures:
                if each_signature not in before.get(path, ()):
                    print("  " + each_signature)
    if everything:
        print(summary(everything, given.words))
    return 0, shown
