"""The way from text to a module, stage by stage.

    text ─parse→ AST ─check→ typed AST ─lower→ IR ─passes→ IR ─emit→ module

Each stage is a pure function; this file strings them together for the faces (command line, Python, tests). All errors
of a run are collected in one `Reporter`; bad source raises `Diagnostics` and nothing else.
"""
from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from .lang.clock import stage
from .lang.diagnostics.report import Diagnostic, Diagnostics, Reporter
from .lang.record import dataclass, field
from .lang.source import Source, Span

if TYPE_CHECKING:
    from pathlib import Path

    from .checker import Checker
    from .checker.result import Checked
    from .codegen.backends.entry import Module
    from .codegen.lower import Lowered, Transform
    from .grades.report import Report
    from .lang.core import ir
    from .lang.surface import ast
    from .lang.surface.parser import Chunk

MAX_BYTES = 4_000_000
MAX_IMPORTS = 100
GRADED = 50_000
"""Characters of a program whose grades a built module tells even where nothing is promised."""
RECURSION = 20_000
"""Stages recurse on nesting, which the parser limits to 256; each level costs a few Python frames."""


# ---------------------------------------------------------------- text


def read(path: str | Path, at: Span | None = None) -> Source:
    """The text of a file. Raises Diagnostics (U-codes) when it cannot be read as UTF-8 text of at most 4 MB."""
    name = str(path)
    report = Reporter()
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)  # also of a device that never ends
        if len(data) > MAX_BYTES:
            report.error("U103", f"`{name}` is larger than {MAX_BYTES // 1_000_000} MB", at,
                         help="split the program into files that import each other; keep data in data files")
        else:
            return Source(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        report.error("U102", f"`{name}` is not UTF-8 text (byte {error.start})", at, help="save it as UTF-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        report.error("U101", f"cannot read `{name}`: {why}", at,
                     help="check the path; `dad check FILE.dad` takes a file")
    raise Diagnostics(report.diagnostics)


@dataclass
class Imports:
    """Finds and parses imported files, each once.

    An import names a file below the folder of the main file, without `.dad`.
    """

    root: str
    report: Reporter
    programs: dict[str, ast.Program | None] = field(default_factory=dict)
    active: list[str] = field(default_factory=list)
    sought: dict[str, None] = field(default_factory=dict)
    """All files that imports name, those that do not exist included."""
    refused: set[Span] = field(default_factory=set)
    """Where it has been said why not."""

    def _refuse(self, code: str, message: str, span: Span, label: str, help: str) -> None:
        if span not in self.refused:
            self.refused.add(span)
            self.report.error(code, message, span, label, help=help)

    def resolve(self, path: str, span: Span) -> ast.Program | None:
        from .lang.surface.parser import parse

        file = self._file(path, span)
        if file is None:
            return None
        if file in self.active:
            circle = [*self.active[self.active.index(file):], file]
            chain = " → ".join(os.path.basename(p).removesuffix(".dad") for p in circle)
            self._refuse("E191", f"files import each other in a circle: {chain}", span,
                         "this import closes the circle", help="move what both need into a third file")
            return None
        if len(self.active) > MAX_IMPORTS:
            self._refuse("E194", f"imports are nested more than {MAX_IMPORTS} deep", span, "the innermost import",
                         help="import what is needed directly")
            return None
        if file not in self.programs:
            self.active.append(file)
            try:
                self.programs[file] = parse(read(file, span), self.report)
                self._follow(self.programs[file])
            except Diagnostics as error:
                self.report.diagnostics.extend(error.diagnostics)
                self.programs[file] = None
            finally:
                self.active.pop()
        return self.programs[file]

    def unchanged(self) -> bool:
        """Whether all files that were found still say what they said."""
        try:
            return all(program is not None and read(file).text == program.span.source.text
                       for file, program in self.programs.items())
        except Diagnostics:
            return False

    def _follow(self, program: ast.Program | None) -> None:
        """Parse what the file imports while it is active, so that circles are found."""
        for node in imports_in(program.declarations if program is not None else ()):
            self.resolve(node.path, node.path_span)

    def _file(self, path: str, span: Span) -> str | None:
        here = os.path.dirname(span.source.name)
        try:
            root = os.path.realpath(self.root)
            file = os.path.realpath(os.path.join(here, f"{path}.dad"))
            inside = "\0" not in path and os.path.commonpath([root, file]) == root
            exists = inside and os.path.isfile(file)
        except (OSError, ValueError):
            inside, exists, file = False, False, here
        if not inside:
            self._refuse("E192", f"`{path}` lies outside the program's folder", span,
                         "not below the main file's folder",
                         help="put the imported file beside the main file or in a folder below it")
            return None
        self.sought[file] = None
        if not exists:
            from .checker.scope import library_names

            self._refuse("E193", f"there is no file `{path}.dad`", span, f"looked for {path}.dad beside this file",
                         help=f"`{path}` is a module of the library and needs no import: write `{path}.NAME`"
                         if path in library_names() else "imports are paths relative to this file, without `.dad`")
            return None
        return file


def imports_in(declarations: Sequence[ast.Decl]) -> Iterator[ast.Import | ast.ModImport]:
    """The imports among declarations, those inside modules included."""
    from .lang.surface import ast
    from .lang.surface.walk import children

    pending: list[ast.Node] = list(reversed(declarations))
    while pending:
        here = pending.pop()
        if isinstance(here, (ast.Import, ast.ModImport)):
            yield here
        elif not isinstance(here, (ast.Def, ast.TypeDef, ast.ModuleTypeDef)):
            pending.extend(reversed(list(children(here))))


# ---------------------------------------------------------------- the front half


@dataclass(frozen=True)
class Checking:
    """What `dad check` knows: the tree, the checker's tables (None after errors), all findings.

    `typed`: the tables also where a `param` is lost and nothing else is wrong: then grades can be asked for.
    """

    source: Source
    program: ast.Program
    checked: Checked | None
    diagnostics: tuple[Diagnostic, ...]
    typed: Checked | None

    def require(self) -> Checked:
        """The tables; raises Diagnostics when there were errors."""
        if self.checked is None:
            raise Diagnostics(self.diagnostics)
        return self.checked


def check(source: Source) -> Checking:
    """Parse and check. Never raises for what the text says; all findings are in the result."""
    deepen()
    report = Reporter()
    with without_collection():
        from .checker import check as check_program
        from .lang.surface.parser import parse

        with stage("parse"):
            program = parse(source, report)
            imports = Imports(os.path.dirname(source.name), report)
            if not source.name.startswith("<"):
                imports.active.append(os.path.realpath(source.name))
                imports._follow(program)
        parsed = not report.failed
        checked = None
        try:
            with stage("check"):
                checked = check_program(program, report, resolve_import=imports.resolve)
        except RecursionError:
            report.diagnostics.append(too_deep())
    return checking_of(source, program, checked if parsed else None, report)


def checking_of(source: Source, program: ast.Program, typed: Checked | None, report: Reporter) -> Checking:
    return Checking(source, program, None if report.failed else typed, tuple(report.diagnostics), typed)


class Editing:
    """A file that is being edited: `update` gives what `check` gives, in the time that the edit takes.

    Only the last result is good: its trees and tables are those of the one before, changed.
    """

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.imports: Imports | None = None
        self.checker: Checker | None = None
        self.importing: tuple[ast.Decl, ...] = ()
        self.faulty = False
        """Whether imports have errors: then all is looked at again."""

    def update(self, source: Source) -> Checking:
        """Parse and check what was touched since the last text. Never raises for what the text says."""
        from .checker import Checker
        from .lang.surface.parser import read as read_again

        deepen()
        report = Reporter()
        with without_collection():
            program, self.chunks = read_again(source, report, self.chunks)
            importing = tuple(d for d in program.declarations if "import" in d.span.text)
            before = len(report.diagnostics)
            if self.imports is not None and importing == self.importing and not self.faulty \
                    and self.imports.unchanged():
                self.imports.report = report
            else:
                self.imports = imports = Imports(os.path.dirname(source.name), report)
                if not source.name.startswith("<"):
                    imports.active.append(os.path.realpath(source.name))
                    imports._follow(program)
                self.importing, self.faulty = importing, len(report.diagnostics) > before
                self.checker = Checker(imports.resolve)
            parsed = not report.failed
            assert self.checker is not None
            checked = None
            try:
                checked = self.checker.check(program, report)
            except RecursionError:
                report.diagnostics.append(too_deep())
        return checking_of(source, program, checked if parsed else None, report)

    def files(self) -> list[str]:
        """The files that the program imports, those that do not exist included."""
        return list(self.imports.sought) if self.imports is not None else []


@contextmanager
def without_collection() -> Iterator[None]:
    """Compiling makes many small objects and few cycles; the collector's visits would cost a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def too_deep() -> Diagnostic:
    return Diagnostic("E694", "this program is nested too deeply for the compiler",
                      help="name inner parts with `let` or `def`, and let fewer functions call each other in a row")


def deepen() -> None:
    if sys.getrecursionlimit() < RECURSION:
        sys.setrecursionlimit(RECURSION)


# ---------------------------------------------------------------- the back half

Observe = Callable[[str, "ir.Program"], None]


def lowered(checked: Checked, transforms: Sequence[Transform] = ()) -> Lowered:
    from .codegen.lower import lower

    try:
        with without_collection():
            return lower(checked, transforms)
    except RecursionError:
        raise Diagnostics([too_deep()]) from None


def optimised(program: ir.Program, roots: Sequence[str], *, verify: bool = False, observe: Observe | None = None,
              marked: bool = False) -> ir.Program:
    """All passes; nothing is left of derivatives and of functions that the roots don't reach.

    `marked`: each reverse sweep stands between marks (`codegen/passes/saved.py`).
    """
    from .codegen.passes import run_pipeline

    try:
        with without_collection():
            return run_pipeline(program, roots, verify=verify, observe=observe, marked=marked)
    except RecursionError:
        raise Diagnostics([too_deep()]) from None


def graded(checking: Checking, names: Sequence[str] | None = None, *, asking: bool = False, examples: bool = False
           ) -> Report:
    """How smooth the program's definitions are in their float parameters (`grades`), and what of that is promised.

    `names`: only of these definitions; `asking`: only of those that promise or demand something. `examples`: notes
    show points at which branches jump, which takes some time to find. Raises Diagnostics when the program has errors
    (but see `Checking.typed`).
    """
    from .graded import graded as of

    deepen()
    typed = checking.typed or checking.require()
    try:
        with without_collection():
            return of(typed, names, asking=asking, examples=examples)
    except RecursionError:
        raise Diagnostics([too_deep()]) from None


def promises(checking: Checking) -> tuple[Diagnostic, ...]:
    """What the program promises, or demands of its functions, and does not hold."""
    if checking.typed is None or not checking.typed.promises:
        return ()
    return graded(checking, asking=True).diagnostics


def compile_source(source: Source, *, transforms: Callable[[Checked], Sequence[Transform]] | None = None,
                   verify: bool = False, target: Literal["numpy", "native", "cuda"] = "numpy",
                   promises: bool = False) -> Module:
    """The whole way: the emitted module. Raises Diagnostics.

    `promises`: also what the program promises and does not hold; the module's stub says how smooth entries are.
    """
    if target == "native":
        from .codegen.backends.built import emit_built as emit_module
    elif target == "cuda":
        from .codegen.backends.cuda.module import emit_module
    else:
        from .codegen.backends.numpy import emit_module

    checking = check(source)
    checked = checking.require()
    grades: dict[str, str] = {}
    if promises and (checked.promises or len(source.text) < GRADED):
        from .graded import smoothness

        report = graded(checking)
        if report.diagnostics:
            raise Diagnostics(report.diagnostics)
        grades = {name: smoothness(one) for name, one in report.functions.items()}
    made = lowered(checked, transforms(checked) if transforms is not None else ())
    roots = [*made.entries.values(), *made.transforms.values()]
    program = optimised(made.program, roots, verify=verify)
    from .interface import entry_specs

    return emit_module(program, entry_specs(checked, made, grades), version())


def version() -> str:
    from . import __version__

    return __version__
