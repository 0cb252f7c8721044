"""`dad run`: call an entry with values from the command line or from data files, and print what it gives."""
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import driver
from ..lang import types as ty
from ..lang.diagnostics.report import Diagnostic, Diagnostics, Label, Reporter
from ..lang.source import Source, Span
from .options import Command, Given, Option, Usage, help_line, parse, suggestion
from .output import fail, read, show_diagnostics, signature

if TYPE_CHECKING:
    from ..checker.result import Checked, Definition
    from ..codegen.runtime.errors import RunError
    from ..testing.literals import Literal

COMMAND = Command(
    "run", "dad run FILE [ENTRY] [VALUE…] [--grad] [--trap-nonfinite]",
    "Call an entry and print its result; ENTRY may be left out where there is one.",
    (Option("grad", "print the gradient too"),
     Option("trap-nonfinite", "stop at the first operation that gives nan or infinity, and say which"),
     Option("target", "where to run; without it native where llvmlite is installed, else numpy", "TARGET",
            ("native", "numpy", "cuda", "interp"))),
    "Values are written as in Futhark and quoted for the shell: 3  2.5f32  true  '[1, 2]'  '{x = 1, y = 2.0}'\n"
    "@file stands for the values in a data file, text or .npy.")


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if not given.words:
        raise Usage("`dad run` needs a file", help_line(COMMAND))
    path = given.words[0]
    source = read(path)
    checking = driver.check(source)
    checked = checking.require()
    show_diagnostics(checking.diagnostics, sys.stderr)
    definition, words = choose(checked, given.words[1:])
    values = arguments(definition, words)
    return call(source, definition, values, given)


def choose(checked: Checked, words: Sequence[str]) -> tuple[Definition, Sequence[str]]:
    """The entry, named by the first word or the only one, and the words that are left."""
    entries = {definition.name: definition for definition in checked.entries}
    if words and words[0] in entries:
        return entries[words[0]], words[1:]
    names = ", ".join(f"`{name}`" for name in entries)
    named = bool(words) and words[0].replace("'", "").isidentifier() and words[0] not in ("true", "false")
    if named:
        known = f"the entries are {names}" if names else "write `entry` in place of `def`"
        raise fail("U305", f"there is no entry `{words[0]}`", suggestion(words[0], list(entries)) or known)
    if len(entries) == 1:
        return next(iter(entries.values())), words
    if not entries:
        raise fail("U305", "the program has no entry to run", "write `entry` in place of `def`")
    raise fail("U305", "the program has several entries", f"name one of {names}")


def arguments(definition: Definition, words: Sequence[str]) -> list[Any]:
    """The values for the parameters. Raises Diagnostics: U301, U303 cannot be read, U302, U304 do not fit."""
    from ..testing.data import read_values
    from ..testing.literals import parse_value
    from ..testing.values import convert, spread

    report = Reporter()
    found: list[Literal] = []
    for number, word in enumerate(words, 1):
        source = Source(f"<argument {number}>", word)
        if word.startswith("@"):
            found += read_values(word[1:], Path("."), Span(source, 0, len(word)), report) or []
        else:
            value = parse_value(source, report)
            found += [value] if value is not None else []
    report.raise_if_failed()
    found = spread(found, definition.param_types)
    if len(found) != len(definition.param_names):
        count = len(definition.param_names)
        raise fail("U304", f"`{definition.name}` takes {count} value{'' if count == 1 else 's'}, {len(found)} given",
                   f"its head is: {signature(definition)}")
    values = [convert(literal, t, report, f"`{name}`")
              for literal, t, name in zip(found, definition.param_types, definition.param_names, strict=True)]
    report.raise_if_failed()
    return values


def call(source: Source, definition: Definition, values: Sequence[Any], given: Given) -> int:
    from .. import modules
    from ..codegen.runtime.errors import DadArgumentError, DeviceError, RunError
    from ..testing.values import show_value

    target = modules.wanted(given.options.get("target"))
    module = modules.Module(source, target, definition.name, trap=given.has("trap-nonfinite"))
    entry = module.entries[definition.name]
    try:
        if not given.has("grad"):
            print(show_value(entry(*values), definition.result_type))
            return 0
        value, gradient = entry.value_and_grad(*values)
    except (DadArgumentError, DeviceError) as error:
        raise fail(error.code, error.message) from None
    except RunError as error:
        raise Diagnostics([run_error(error, source)]) from None
    print("value    " + show_value(value, definition.result_type))
    print("gradient " + show_value(gradient, gradient_type(definition)))
    return 0


def run_error(error: RunError, source: Source) -> Diagnostic:
    """A failed run-time check with the place, or the line, of the program where it stands."""
    from ..codegen.trap import NonFinite

    if isinstance(error, NonFinite) and error.span is not None:
        return Diagnostic(error.code, error.summary, (Label(error.span, "", True),), (error.details,))
    name, _, number = error.where.rpartition(":")
    if name != source.name or not number.isdigit():
        return Diagnostic(error.code, error.message + (f" ({error.where})" if error.where else ""))
    lines = source.text.split("\n")[:int(number)]
    end = sum(len(line) + 1 for line in lines) - 1
    span = Span(source, end - len(lines[-1].lstrip()), end - len(lines[-1]) + len(lines[-1].rstrip()))
    return Diagnostic(error.code, error.message, (Label(span, "", True),))


def gradient_type(definition: Definition) -> ty.Type:
    """The type of what `value_and_grad` gives beside the value: one parameter's tangent, or a record by name."""
    from ..interface import entry_spec

    wrt = entry_spec(definition, "", {}).wrt
    types = [(name, ty.tangent(t)) for name, t in zip(definition.param_names, definition.param_types, strict=True)
             if name in wrt]
    return types[0][1] if len(types) == 1 else ty.Record(tuple(types))
