"""`dad fmt`: programs in the one style that Dad has."""
from __future__ import annotations

import contextlib
import difflib
import os
import sys
import tempfile
from collections.abc import Sequence

from .. import driver
from ..formatter.formatted import formatted
from ..lang.diagnostics.render import clean
from ..lang.source import Source
from .options import Command, Option, Usage, help_line, parse
from .output import fail, read, show_diagnostics

COMMAND = Command(
    "fmt", "dad fmt FILE… [--check | --diff]",
    "Write programs in Dad's style, in place; `-` reads standard input and writes standard output.",
    (Option("check", "write nothing; name the files that would change, with status 1"),
     Option("diff", "write nothing; show what would change, with status 1")),
    "There is one style and nothing to set: lines of 100 characters, two spaces of indentation.\n"
    "Comments stay, and so do line breaks between the rows of a table, the stages of a pipeline\n"
    "and the like. A program with syntax errors is left as it is.")


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if not given.words:
        raise Usage("`dad fmt` needs a file", help_line(COMMAND))
    looking = given.has("check") or given.has("diff")
    status = 0
    for path in given.words:
        source = read(path)
        driver.deepen()
        with driver.without_collection():
            made = formatted(source)
        if made.text is None:
            show_diagnostics(made.diagnostics, sys.stderr)
            status = max(status, 3 if any(d.code == "U905" for d in made.diagnostics) else 1)
            continue
        name = "<stdin>" if path == "-" else path
        changed = made.text != source.text
        if looking and changed:
            if given.has("diff"):
                print(difference(source, made.text, clean(name)), end="")
            else:
                print(clean(name))
            status = max(status, 1)
        elif path == "-" and not looking:
            sys.stdout.write(made.text)
        elif changed:
            replace(path, made.text)
            print(f"formatted {clean(name)}")
    return status


def difference(source: Source, text: str, name: str) -> str:
    """What formatting changes, as a unified diff."""
    before, after = ([clean(line) for line in each.splitlines()] for each in (source.text, text))
    lines = difflib.unified_diff(before, after, f"{name}", f"{name} (formatted)", lineterm="")
    return "".join(line + "\n" for line in lines)


def replace(path: str, text: str) -> None:
    """The file with another text: whole or not at all, with the permissions it had; a link stays a link."""
    try:
        real = os.path.realpath(path)
        handle, name = tempfile.mkstemp(dir=os.path.dirname(real), prefix=f".{os.path.basename(real)}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(name, os.stat(real).st_mode & 0o7777)
            os.replace(name, real)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        why = error.strerror or error
        raise fail("U104", f"cannot write `{clean(path)}`: {why}", "check its permissions") from None
