"""Names: what a file declares, what imports and the prelude bring along, and which name a misspelt one may have been.

A `Session` is one run over a program: it owns the tables that lowering reads and the files' environments. A name is
looked up among locals (in `context`), then the file's declarations, then built-in functions, then the prelude, whose
definitions are cut out of its text, parsed and checked when they are first used.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING

from ..lang.diagnostics.report import Reporter
from ..lang.record import dataclass, field
from ..lang.sizes import Size, SizeVar
from ..lang.source import Source, Span
from ..lang.surface import ast
from ..lang.types import Type, TypeVar
from .result import BuiltinRef, Definition, LocalRef, Scheme, Use

if TYPE_CHECKING:
    from .context import Pending


@dataclass(eq=False)
class Local:
    """A bound name. `size` is its value as a size expression; where it is none, `var` stands for it once needed."""

    name: str
    span: Span
    ref: LocalRef
    type: Type
    level: int
    what: str
    scheme: Scheme | None = None
    size: Size | None = None
    var: SizeVar | None = None
    below: Size | None = None
    """The name is an index: it runs over 0 … below-1."""
    pending: Pending | None = None
    """A local function inside its own body."""


@dataclass(eq=False)
class SizeParam:
    """`[n]`: a size, and an i64 value."""

    name: str
    span: Span
    size: Size


@dataclass(eq=False)
class Global:
    """A top-level definition; `definition` is None when it had errors, reported already."""

    name: str
    span: Span
    definition: Definition | None
    constant: Size | None = None
    exported: bool = True
    pending: Pending | None = None
    """Inside the group of definitions that is being checked."""


@dataclass(eq=False)
class TypeEntry:
    name: str
    span: Span
    node: ast.TypeDef
    file: FileScope
    exported: bool = True


@dataclass(eq=False)
class FileScope:
    """The declarations of one file that are visible so far; `later` those that are still to come."""

    values: dict[str, Global] = field(default_factory=dict)
    types: dict[str, TypeEntry] = field(default_factory=dict)
    later: dict[str, Span] = field(default_factory=dict)
    modules: dict[str, FileScope] = field(default_factory=dict)
    prefix: str = ""
    broken: set[str] = field(default_factory=set)
    """Type abbreviations that had errors: they fit everything."""
    promises: list[tuple[str, Span]] = field(default_factory=list)
    """Definitions with grades or refinements, which nobody verifies yet."""


@dataclass(eq=False)
class Builtin:
    """A built-in function: its type scheme, and a rule of its own (see `builtins`) for overloaded ones."""

    ref: BuiltinRef
    scheme: Scheme | None
    rule: str = ""
    arity: int = 0
    constraints: tuple[TypeVar, ...] = ()


Meaning = Local | SizeParam | Global | Builtin


class Session:
    """One run of the checker."""

    def __init__(self, report: Reporter, resolve_import: Callable[[str, Span], ast.Program | None] | None) -> None:
        self.report = report
        self.resolve_import = resolve_import
        self.uids = count(1)
        self.definitions: dict[str, Definition] = {}
        self.types: dict[ast.Exp, Type] = {}
        self.tables = Tables()
        self.imported: dict[int, FileScope] = {}
        self.kept: list[ast.Program] = []
        self.prelude = FileScope(prefix="prelude")
        self.checking: list[str] = []
        self.warned: set[str] = set()
        self.differential: set[Definition] = set()
        """Definitions that differentiate, or whose parameters are `param` or `data`, and those that call them."""

    def unique(self, name: str, prefix: str) -> str:
        """A name for a definition that no other has and that is an identifier."""
        plain = name if name.isidentifier() else "op_" + "_".join(str(ord(c)) for c in name)
        base = f"{prefix}__{plain}" if prefix else plain
        result, number = base, 2
        while result in self.definitions:
            result, number = f"{base}_{number}", number + 1
        return result


@dataclass(eq=False)
class Tables:
    """The parts of `Checked` that definitions fill when they are finished."""

    patterns: dict[ast.Pattern, Type] = field(default_factory=dict)
    uses: dict[ast.Node, Use] = field(default_factory=dict)
    bindings: dict[ast.Node, LocalRef] = field(default_factory=dict)
    schemes: dict[ast.LetFun, Scheme] = field(default_factory=dict)
    opened: dict[ast.Exp, tuple[SizeVar, ...]] = field(default_factory=dict)
    size_values: dict[SizeVar, ast.Exp] = field(default_factory=dict)
    binding_sizes: dict[int, SizeVar] = field(default_factory=dict)
    loop_sizes: dict[ast.Loop, tuple[SizeVar, ...]] = field(default_factory=dict)
    flat: dict[tuple[str, str], str] = field(default_factory=dict)
    proved: set[ast.Node] = field(default_factory=set)
    recursive: set[ast.LetFun] = field(default_factory=set)
    """Local functions that mention themselves."""


# ---------------------------------------------------------------- the prelude's text

_DECLARATION = re.compile(r"^(?:def|type|local def)\s+(\([^)\s]+\)|[A-Za-z_][A-Za-z0-9_']*)", re.MULTILINE)


@lru_cache(maxsize=1)
def prelude_index() -> tuple[str, str, dict[str, tuple[int, int]]]:
    """Name and text of the prelude and where in it each definition stands; its documentation comments are left out."""
    with open(os.path.join(os.path.dirname(__file__), "..", "stdlib", "prelude.dad"), encoding="utf-8") as file:
        text = file.read()
    starts = [(m.start(), m.group(1).strip("()")) for m in _DECLARATION.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return "prelude.dad", text, {name: (start, end) for (start, name), end in zip(starts, ends, strict=True)}


@lru_cache(maxsize=256)
def prelude_program(name: str) -> ast.Program | None:
    """The syntax of one definition of the prelude, at its place in the prelude's text."""
    from ..lang.surface.parser import parse

    file, text, index = prelude_index()
    if name not in index:
        return None
    start, end = index[name]
    body = re.sub(r"\n--[^\n]*(?=\n|$)", "\n", text[start:end])
    source = Source(file, "\n" * text.count("\n", 0, start) + body.rstrip() + "\n")
    report = Reporter()
    program = parse(source, report)
    if report.failed:
        raise AssertionError(f"the prelude's {name} does not parse: {report.diagnostics[0].message}")
    return program


# ---------------------------------------------------------------- names that were meant


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a person most likely meant, or None when none is near."""
    limit = 1 if len(name) <= 4 else 2 if len(name) <= 8 else 3
    best: tuple[int, int, str] | None = None
    for candidate in candidates:
        if abs(len(candidate) - len(name)) > limit or candidate == name:
            continue
        shared = next((k for k, (x, y) in enumerate(zip(name, candidate, strict=False)) if x != y), len(candidate))
        distance = 0 if candidate.lower() == name.lower() else _distance(name, candidate, limit)
        if distance <= limit and (len(name) > 2 or distance == 0):
            entry = (distance, -shared, candidate)
            best = entry if best is None or entry < best else best
    return best[2] if best else None


def _distance(a: str, b: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours that make `a` into `b`."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        following = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, following[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        if min(following) > limit:
            return limit + 1
        before, row = row, following
    return row[-1]


ELSEWHERE: dict[str, str] = {
    "len": "`length xs`", "range": "`iota n` or `0..<n`", "arange": "`iota n` or `0..<n`", "zeros": "`replicate n 0.0`",
    "ones": "`replicate n 1.0`", "full": "`replicate n x`", "linspace": "`linspace a b n`",
                             "concatenate": "`concat xs ys`",
    "append": "`concat xs ys`", "stack": "an array literal `[xs, ys]`", "mean": "`mean xs`", "fabs": "`abs x`",
    "absolute": "`abs x`", "power": "`x ** y`", "pow": "`x ** y`",
                             "where": "`if c then a else b`, inside `map` for arrays",
    "foldr": "`foldr f x xs`", "fold": "`foldl f x xs` or `reduce op ne xs`", "enumerate": "`zip (indices xs) xs`",
    "fmax": "`max a b`", "fmin": "`min a b`", "prod": "`product xs`", "cumsum": "`scan (+) 0 xs`",
                             "shape": "`length xs`",
    "size": "`length xs`", "ln": "`log x`", "arctan2": "`atan2 y x`", "arcsin": "`asin x`", "arccos": "`acos x`",
    "arctan": "`atan x`", "float": "`f64 x`", "int": "`i64 x`", "double": "`f64 x`",
                             "eye": "a comprehension with `if i == j`",
    "einsum": "a comprehension such as `[sum [a[i,k] * b[k,j] for k < n] for i < m, j < p]`", "clip": "`clip lo hi x`",
    "True": "`true`", "False": "`false`", "None": "a value of the right type: Dad has no null", "not": "`!`",
    "and": "`&&`", "or": "`||`", "mod": "`%`", "inner": "`dot x y`", "matmul": "`matmul a b`", "dot": "`dot x y`",
    "gradient": "`grad f x`", "stop_gradient": "`stop_grad x`", "array": "an array literal `[a, b, c]`",
    "T": "`transpose a`", "exp": "`exp x`", "sum": "`sum xs`", "argmax": "`argmax xs`",
                             "maximum": "`max a b`, elementwise",
    "minimum": "`min a b`, elementwise", "print": "no printing: a program is a function; return the value",
}
"""How names of NumPy, Python and Haskell are said here."""
