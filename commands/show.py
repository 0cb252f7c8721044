"""`dad show`: print a stage of the compiler for a program, so that one can see what became of it."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import driver
from ..lang.source import Source
from .options import Command, Given, Option, Usage, help_line, parse, suggestion
from .output import fail, read, signature

if TYPE_CHECKING:
    from ..checker.result import Checked, Definition
    from ..codegen.lower import Lowered, Transform
    from ..lang.core import ir

STAGES = ("tokens", "ast", "types", "bounds", "ir", "grades", "saved", "python", "loops", "c", "llvm")
PLANNED_STAGES = ("memory",)
COMMAND = Command(
    "show", "dad show FILE [--stage STAGE] [--entry E] [--grad] [--pass NAME]",
    "Print a stage of the compiler; `python` when none is named.",
    (Option("stage", "what to print", "STAGE", (*STAGES, *PLANNED_STAGES)),
     Option("entry", "only this entry and what it needs", "E"),
     Option("grad", "value and gradient in place of the value"),
     Option("pass", "of `ir`, only the program before and after this pass", "NAME"),
     Option("verify", "check the compiler's own work after every pass")))


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if len(given.words) != 1:
        raise Usage("`dad show` takes one file", help_line(COMMAND))
    stage = given.get("stage", "python")
    if stage in PLANNED_STAGES:
        raise Usage(f"the stage {stage} is not in this version of Dad", f"there is {', '.join(STAGES)}", "U002")
    if given.has("pass") and stage != "ir":
        raise Usage("`--pass` goes with `--stage ir`", help_line(COMMAND))
    source = read(given.words[0])
    if stage == "tokens":
        from ..lang.surface.show import show_tokens

        print(show_tokens(source))
        return 0
    checking = driver.check(source) if stage != "ast" else None
    if checking is None:
        print(syntax_tree(source))
        return 0
    checked = checking.require()
    entries = chosen(checked, given)
    if stage == "types":
        only = entries if given.has("entry") else None
        print("\n".join(type_lines(source, checked, only)))
        return 0
    if stage == "bounds":
        print("\n".join(bound_lines(source, checked, entries if given.has("entry") else None)))
        return 0
    if stage == "grades":
        from .grades import shown

        print("\n".join(shown(driver.graded(checking, [d.name for d in entries] if given.has("entry") else None))))
        return 0
    if stage == "saved":
        from .saved import lines

        print("\n".join(lines(checked, entries, given.has("verify"))))
        return 0
    made, roots = lowered(checked, entries, given)
    match stage:
        case "ir":
            print(ir_stages(made, roots, given))
        case "python":
            print(python(entries, made, given))
        case _:
            print(native(made, roots, given, stage))
    return 0


def syntax_tree(source: Source) -> str:
    from ..lang.diagnostics.report import Reporter
    from ..lang.surface.parser import parse as parse_source
    from ..lang.surface.show import show_ast

    driver.deepen()
    report = Reporter()
    program = parse_source(source, report)
    report.raise_if_failed()
    return show_ast(program)


def chosen(checked: Checked, given: Given) -> tuple[Definition, ...]:
    if not given.has("entry"):
        return checked.entries
    name = given.options["entry"]
    found = tuple(d for d in checked.entries if d.name == name)
    if not found:
        names = [d.name for d in checked.entries]
        known = f"the entries are {', '.join(names)}" if names else "the program has none"
        raise fail("U305", f"there is no entry `{name}`", suggestion(name, names) or known)
    return found


# ---------------------------------------------------------------- types


def type_lines(source: Source, checked: Checked, only: Sequence[Definition] | None) -> Iterator[str]:
    """Each definition of the file with all its types, and under it every name that it binds."""
    from ..lang.surface import ast
    from ..lang.surface.walk import descendants
    from ..lang.types import show

    mine = [d for d in checked.definitions.values() if d.node.span.source is source and (only is None or d in only)]
    for definition in sorted(mine, key=lambda d: d.node.span.start):
        yield f"{definition.node.span.line}: {signature(definition)}"
        bound: list[tuple[int, str]] = []
        for node in descendants(definition.node.body):
            if isinstance(node, ast.LetFun) and node in checked.schemes:
                bound.append((node.name_span.start, f"{node.name} : {show(checked.schemes[node].type)}"))
            elif isinstance(node, ast.PName) and node in checked.patterns:
                bound.append((node.span.start, f"{node.name} : {show(checked.patterns[node])}"))
        for start, text in sorted(bound):
            line, column = source.position(start)
            yield f"  {line}:{column} {text}"


def bound_lines(source: Source, checked: Checked, only: Sequence[Definition] | None) -> Iterator[str]:
    """Each index and slice of the file, and whether it needs a check when the program runs, and why."""
    mine = [b for b in checked.bounds if b.span.source is source and (only is None or any(
        d.node.span.start <= b.span.start < d.node.span.end for d in only))]
    for b in sorted(mine, key=lambda b: b.span.start):
        line, column = source.position(b.span.start)
        verdict = "proved" if b.proved else f"checked: {b.why}"
        yield f"{line}:{column} {b.array}[{b.text}], axis {b.axis} of size {b.size}: {verdict}"
    count = sum(1 for b in mine if not b.proved)
    yield f"{len(mine) - count} proved, {count} checked when the program runs"


# ---------------------------------------------------------------- IR, Python, loops


def lowered(checked: Checked, entries: Sequence[Definition], given: Given) -> tuple[Lowered, list[str]]:
    """The IR of the entries, or of their values and gradients, and the functions that count."""
    from ..codegen.lower import Transform, lower
    from ..interface import possible

    transforms: list[Transform] = []
    if given.has("grad"):
        transforms = [Transform(d.name, kind, wrt) for d in entries for kind, wrt in possible(d)
                      if kind == "value_and_grad"]
        if not transforms:
            raise fail("U306", "no entry has a gradient", "an entry needs a float result and a float parameter")
    made = lower(checked, transforms, entries)
    return made, list(made.transforms.values()) if transforms else list(made.entries.values())


def ir_stages(made: Lowered, roots: Sequence[str], given: Given) -> str:
    """The program as lowered and after each pass, or around the one that is named, however often it runs."""
    from ..codegen.passes import PIPELINE
    from ..lang.core.text import show

    stages: list[tuple[str, ir.Program]] = [("lower", made.program)]
    driver.optimised(made.program, roots, verify=given.has("verify"),
                     observe=lambda name, program: stages.append((name, program)))
    names = [stage.name for stage in PIPELINE]
    wanted = given.get("pass", "")
    if wanted and wanted not in names:
        raise Usage(f"there is no pass `{wanted}`",
                    suggestion(wanted, names) or f"one of {', '.join(dict.fromkeys(names))}")
    parts = []
    for number, (name, program) in enumerate(stages):
        if not wanted:
            parts.append((f"after {name}" if number else "as lowered", program))
        elif number and name == wanted:
            parts.append((f"before {name} ({number})", stages[number - 1][1]))
            parts.append((f"after {name} ({number})", program))
    return "\n\n".join(f"-- {title}\n{show(program).rstrip()}" for title, program in parts)


def python(entries: Sequence[Definition], made: Lowered, given: Given) -> str:
    """The part of the module that is written for this program, as people read it."""
    from ..codegen.backends.numpy import emit_module
    from ..interface import entry_spec

    specs = []
    for definition in entries:
        derived = {t.kind: (name, t.wrt) for t, name in made.transforms.items() if t.entry == definition.name}
        names: dict[str, str] = {kind: name for kind, (name, _) in derived.items()}
        active = next((wrt for _, wrt in derived.values()), None)
        specs.append(entry_spec(definition, made.entries[definition.qualified], names, active))
    program = driver.optimised(made.program, [*made.entries.values(), *made.transforms.values()],
                               verify=given.has("verify"))
    return emit_module(program, tuple(specs), driver.version()).body.rstrip()


def native(made: Lowered, roots: Sequence[str], given: Given, stage: str) -> str:
    """Machine code on its way: the loop nests of a program, or what is written from them, in C or for LLVM."""
    from ..codegen.backends.loops.nests import nests

    program = nests(driver.optimised(made.program, roots, verify=given.has("verify")))
    if stage == "loops":
        from ..codegen.backends.loops.show import show

        return show(program)
    if stage == "c":
        from ..codegen.backends.c.emit import emit as emit_c
        from ..codegen.backends.c.emit import whole

        return whole([emit_c(program)]).rstrip()
    from ..codegen.backends.native.units import shown

    return shown(program).strip()
