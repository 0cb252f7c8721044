"""Runs the test blocks of a program: each case on every target, native code, NumPy and the reference interpreter.

In: the path of a program. Out: an outcome for each case and target, with the place and, if it failed, why.
Floats of a result may differ from the expected ones by Futhark's tolerance, since people write few digits; where
nothing is expected (`auto output`), the targets must agree much more closely.
"""
from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from .. import driver, modules
from ..checker.result import Definition
from ..codegen.interp import OutOfSteps
from ..codegen.runtime.errors import DadArgumentError, RunError
from ..lang import types as ty
from ..lang.diagnostics.codes import explain
from ..lang.diagnostics.futhark import in_its_words
from ..lang.diagnostics.render import render_concise, render_full
from ..lang.diagnostics.report import Diagnostic, Diagnostics, Reporter
from ..lang.source import Span
from .blocks import Auto, Block, Case, DataFile, Failure, RandomInput, RandomType, ScriptInput, Values, parse_blocks
from .data import read_script, read_values
from .evaluate import Evaluator, Parts, Unfit, fitted
from .literals import Given, Group, Literal
from .properties import Property, properties
from .script import Script
from .values import DTYPES, convert, mismatch, natural, show_value, spread

EXPECTED = {"f64": 2e-3, "f32": 2e-3, "f16": 2e-2}
"""Tolerance against values written in a test, as in Futhark."""
AGREEMENT = {"f64": 1e-8, "f32": 1e-3, "f16": 2e-2}
"""Tolerance between targets: what another order of summation may do."""
MAX_ELEMENTS = 100_000_000
STEPS = 1_000_000
"""What the interpreter may do for one case while another target runs it too, a few seconds: the rest is left out."""
LEFT_OUT = frozenset({"disable", "notest"})
"""Tags of files and of cases that are not tested."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case of one entry on one target; `problem` is None when it passed. `place` is `file:line`."""

    place: str
    name: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """`diagnostics`: a file or block that cannot be read, a program that does not compile though no test expects it."""

    outcomes: tuple[Outcome, ...]
    diagnostics: tuple[Diagnostic, ...]


class Problem(Exception):
    """Ends a case that failed; the text says why."""


def run_file(path: str, targets: Sequence[str] | None = None) -> Result:
    """All test blocks of the program at `path`, on all targets that there are or on these. Nothing raises for what the
    file says.
    """
    if targets is None:
        targets = modules.available()
    try:
        source = driver.read(path)
    except Diagnostics as error:
        return Result((), error.diagnostics)
    report = Reporter()
    blocks = parse_blocks(source, report)
    if report.failed:
        return Result((), tuple(report.diagnostics))
    if any(block.tags & LEFT_OUT for block in blocks):
        return Result((), ())
    checking = driver.check(source)
    rejected = [b for b in blocks if b.error is not None]
    outcomes = [outcome for b in blocks for outcome in compile_outcomes(b, checking)]
    if rejected:
        return Result(tuple(outcomes), ())
    if checking.checked is None:
        return Result(tuple(outcomes), tuple(d for d in checking.diagnostics if d.severity == "error"))
    steps = STEPS if len(targets) > 1 else None
    try:
        loaded = {t: modules.Module(source, modules.wanted(t), "test", steps) for t in targets if blocks}
    except Diagnostics as error:
        return Result(tuple(outcomes), error.diagnostics)
    entries = {d.name: d for d in checking.checked.entries}
    suite = Suite(Path(path).parent, entries, loaded)
    for block in blocks:
        if not (block.cases or block.properties or block.warnings):
            outcomes.append(Outcome(place(block.span), "compilation", None))
        for case in (case for case in block.cases if not case.tags & LEFT_OUT):
            for entry, span in case.entries:
                outcomes += suite.outcomes(case, entry, span)
        for entry, span in block.properties:
            outcomes += suite.property(entry, span)
    return Result(tuple(outcomes), ())


def place(span: Span) -> str:
    return f"{span.source.name}:{span.line}"


def compile_outcomes(block: Block, checking: driver.Checking) -> list[Outcome]:
    """Whether the checker said what `error:` and `warning:` expect, in the message or in its code's explanation."""
    outcomes = []
    wanted = [(block.error, "error")] if block.error is not None else []
    wanted += [(each, "warning") for each in block.warnings]
    for failure, severity in wanted:
        said = [d for d in checking.diagnostics if d.severity == severity]
        problem = None
        if not any(fits(failure, render_full([d]), d.code) for d in said):
            found = render_concise(said).replace("\n", "; ") if said else "none"
            problem = f"expected a compile-time {severity} that fits `{failure.regex.pattern}`, found {found}"
        outcomes.append(Outcome(place(failure.span), f"compile-time {severity}", problem))
    return outcomes


@dataclass(frozen=True)
class Suite:
    """A compiled program with what its cases need: `loaded` holds a module for each target."""

    folder: Path
    entries: dict[str, Definition]
    loaded: dict[str, Any]

    def outcomes(self, case: Case, entry: str, span: Span) -> list[Outcome]:
        """One outcome for each target; what is wrong with the case itself counts once."""
        name = f"{entry}, {case.name}"
        try:
            definition = self.definition(entry)
            arguments = self.arguments(case, definition)
            expected = self.expected(case, definition)
        except Problem as problem:
            return [Outcome(place(case.span), name, str(problem))]
        outcomes = []
        results: dict[str, Any] = {}
        for target, module in self.loaded.items():
            if target == "interp" and "compiled" in case.tags and len(self.loaded) > 1:
                continue
            problem_text: str | None = None
            try:
                results[target] = self.run(module.entries[entry], definition, arguments, case, expected)
            except OutOfSteps:
                continue
            except Problem as problem:
                problem_text = str(problem)
            outcomes.append(Outcome(place(case.span), f"{name} ({target})", problem_text))
        if isinstance(case.output, Auto) and len(results) > 1:
            (first, one), *others = results.items()
            for second, other in others:
                different = mismatch(other, one, tolerance=AGREEMENT)
                if different is not None:
                    text = f"{first} and {second} differ: by {second} {different.removeprefix('expected ')} by {first}"
                    outcomes.append(Outcome(place(case.span), name, text))
        return outcomes

    def property(self, entry: str, span: Span) -> list[Outcome]:
        """One outcome for each target: whether the entry gave true for all that it was given."""
        name = f"{entry}, property"
        outcomes = []
        for target, module in self.loaded.items():
            problem_text: str | None = None
            try:
                said = properties(Property.of(self.definition(entry)), self.entries, module.entries)
                problem_text = said
            except OutOfSteps:
                continue
            except Problem as problem:
                problem_text = str(problem)
            outcomes.append(Outcome(place(span), f"{name} ({target})", problem_text))
        return outcomes

    def definition(self, entry: str) -> Definition:
        if entry in self.entries:
            return self.entries[entry]
        near = get_close_matches(entry, self.entries, n=1)
        raise Problem(f"there is no entry `{entry}`" + (f"; did you mean `{near[0]}`?" if near else ""))

    # ------------------------------------------------------------ data

    def arguments(self, case: Case, definition: Definition) -> list[Any]:
        types, names = definition.param_types, definition.param_names
        values = [t for t in types if t != ty.UNIT]
        try:
            match case.input:
                case RandomInput(items):
                    given = [draw(item, k) for k, item in enumerate(items)]
                case ScriptInput(script):
                    loaded = next(iter(self.loaded.values())).entries
                    given = Evaluator(self.entries, loaded, self.folder).arguments(self.script(script), len(types))
                case data:
                    given = list(spread(self.literals(data), values))
            if len(given) == len(values) < len(types):  # nothing is written for a parameter `()`
                supply = iter(given)
                given = [Group((), case.span) if t == ty.UNIT else next(supply) for t in types]
            if len(given) != len(types):
                given = grouped(given, types)
            if len(given) != len(types):
                noun = "value" if len(types) == 1 else "values"
                raise Problem(f"`{definition.name}` takes {len(types)} {noun}, the input has {len(given)}")
            return [fitted(made, t, f"`{name}`") for made, t, name in zip(given, types, names, strict=True)]
        except Unfit as error:
            raise Problem(str(error)) from None

    def script(self, script: Script | DataFile) -> Script:
        """The script itself, or the one in a file."""
        if not isinstance(script, DataFile):
            return script
        report = Reporter()
        found = read_script(script.path, self.folder, script.span, report)
        stop_if_failed(report)
        assert found is not None
        return found

    def literals(self, data: Values | DataFile) -> list[Literal]:
        if isinstance(data, Values):
            return list(data.values)
        report = Reporter()
        found = read_values(data.path, self.folder, data.span, report)
        stop_if_failed(report)
        return found or []

    def expected(self, case: Case, definition: Definition) -> Any:
        """The expected result by the entry's type, None where no values are given; several values make a tuple."""
        if not isinstance(case.output, Values | DataFile):
            return None
        literals = self.literals(case.output)
        report = Reporter()
        wanted = definition.result_type
        literals = spread(literals, wanted.items if isinstance(wanted, ty.Tuple) else (wanted,))
        if isinstance(wanted, ty.Tuple) and len(literals) == len(wanted.items) and len(literals) != 1:
            value: Any = tuple(convert(literal, t, report, "the output")
                               for literal, t in zip(literals, wanted.items, strict=True))
        elif len(literals) == 1:
            value = convert(literals[0], wanted, report, "the output")
        else:
            raise Problem(f"`{definition.name}` gives {ty.show(wanted)}, the output has {len(literals)} values")
        stop_if_failed(report)
        return natural(value, wanted)

    # ------------------------------------------------------------ running

    def run(self, entry: Any, definition: Definition, arguments: Sequence[Any], case: Case, expected: Any) -> Any:
        """The entry's result, after comparison with what is expected of it."""
        failure = case.output if isinstance(case.output, Failure) else None
        try:
            result = natural(entry(*arguments), definition.result_type)
        except (RunError, DadArgumentError) as error:
            text = str(error)
            if failure is None:
                raise Problem(text) from None
            if not fits(failure, f"Error: {text}", error.code):
                raise Problem(f"expected an error that fits `{failure.regex.pattern}`, found {text}") from None
            return None
        except MemoryError:
            raise Problem("not enough memory") from None
        if failure is not None:
            found = show_value(result, limit=10)
            raise Problem(f"expected an error that fits `{failure.regex.pattern}`, found {found}")
        if expected is not None:
            different = mismatch(expected, result, tolerance=EXPECTED)
            if different is not None:
                raise Problem(different)
        return result


def grouped(given: Sequence[Any], types: Sequence[ty.Type]) -> list[Any]:
    """The items of tuples may be given as values of their own; the values as they are where that does not fit."""
    counts = [len(t.items) if isinstance(t, ty.Tuple) else 1 for t in types]
    if sum(counts) != len(given):
        return list(given)
    supply = iter(given)
    return [Parts(tuple(next(supply) for _ in t.items), None, False) if isinstance(t, ty.Tuple) else next(supply)
            for t in types]


def fits(failure: Failure, text: str, code: str) -> bool:
    """Whether the expected error is in the message, or in its code's explanation, which has Futhark's words for it.

    Names may stand in quotes of either kind.
    """
    whole = f"{text}\n{explain(code)}\n{in_its_words(code, text)}"
    return any(failure.regex.search(form) for form in (whole, whole.replace("`", '"')))


def stop_if_failed(report: Reporter) -> None:
    """A case whose values cannot be read or do not fit fails with the first reason."""
    if report.failed:
        first = next(d for d in report.diagnostics if d.severity == "error")
        label = next((each.text for each in first.labels if each.primary and each.text), "")
        raise Problem(f"{first.code}: {first.message}" + (f": {label}" if label else ""))


def draw(item: RandomType | Literal, position: int) -> Any:
    """A value of random input: floats from 0 to 1, integers over all of their type, the same ones each time."""
    if not isinstance(item, RandomType):
        return item
    count = 1
    for size in item.shape:
        count *= size
    if count > MAX_ELEMENTS:
        raise Problem(f"random input of {count} elements; there may be {MAX_ELEMENTS}")
    described = "".join(f"[{n}]" for n in item.shape) + item.dtype
    generator = np.random.default_rng(zlib.crc32(f"{position} {described}".encode()))
    dtype = DTYPES[item.dtype]
    if item.dtype in ty.FLOATS:
        array = np.asarray(generator.random(item.shape)).astype(dtype)
    elif item.dtype == "bool":
        array = np.asarray(generator.integers(0, 2, item.shape)).astype(dtype)
    else:
        info = np.iinfo(dtype)
        array = np.asarray(generator.integers(info.min, info.max, item.shape, dtype=dtype, endpoint=True))
    return Given(array, item.span)
