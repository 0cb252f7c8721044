"""Names: what a file declares, what imports and the prelude bring along, and which name a misspelt one may have been.

A `Session` is one run over a program: it owns the tables that lowering reads and the files' environments. A name is
looked up among locals (in `context`), then the file's declarations, then built-in functions, then the prelude. The
prelude and the modules of the library are read declaration by declaration, when these are first used.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING
from typing import TypeVar as Parameter

from ..lang.diagnostics.report import Reporter
from ..lang.record import dataclass, field
from ..lang.sizes import Size, SizeAtom, SizeVar
from ..lang.source import Source, Span
from ..lang.surface import ast
from ..lang.types import Family, Type, TypeVar
from .result import Bound, BuiltinRef, Contract, Definition, GlobalRef, LocalRef, Scheme, Use

if TYPE_CHECKING:
    from ..lang.surface.terms import Instance
    from .context import Checker, Pending


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
    sort: object = None
    """What stands for it where terms are compared (see `instances`)."""


@dataclass(eq=False)
class SizeParam:
    """`[n]`: a size, and an i64 value."""

    name: str
    span: Span
    size: Size
    sort: object = None


@dataclass(eq=False)
class Global:
    """A definition of a file or module; `definition` is None when it had errors, reported already."""

    name: str
    span: Span
    definition: Definition | None
    constant: Size | None = None
    pending: Pending | None = None
    """Inside the group of definitions that is being checked."""


@dataclass(eq=False)
class Sealed:
    """A value as a module type shows it.

    `scheme` is the type that is seen; `target` the value that it is, whose own scheme's variables `types` and `sizes`
    say in terms of the seen one's. `target` is None for a member of a parameter while a parametric module is checked by
    itself.
    """

    name: str
    span: Span
    scheme: Scheme
    target: GlobalRef | BuiltinRef | None = None
    inner: Scheme | None = None
    types: tuple[Type, ...] = ()
    sizes: tuple[Size, ...] = ()
    constant: Size | None = None


@dataclass(eq=False)
class TypeEntry:
    """`type name [n] 'a = body`, over its parameters. `open` are sizes that the body leaves open: each use has its own.

    For a type that a module type keeps closed, `closed` says which one, and the body is the closed type itself.
    """

    name: str
    span: Span
    sizes: tuple[SizeVar, ...]
    types: tuple[TypeVar, ...]
    open: tuple[SizeVar, ...]
    body: Type
    lifted: str = ""
    closed: Family | None = None
    contracts: tuple[Contract, ...] = ()
    """Bounds and grades that values of the type keep."""


@dataclass(eq=False)
class SigEntry:
    """A module type: its syntax, made into types anew at each use, and where its names are looked up."""

    name: str
    span: Span
    node: ast.ModuleType
    scope: FileScope
    substitution: Substitution | None = None
    """What stands for closed types that were in scope there, since an application has put types in their place."""


@dataclass(eq=False)
class ModuleEntry:
    name: str
    span: Span
    module: FileScope | Functor


@dataclass(eq=False)
class Functor:
    """A parametric module: its parameter and body, checked afresh for each application.

    With `inner` it is another parametric module, seen through a module type with an arrow, to which `view` says what
    closed types are. Without `inner` and `body` only its type is known: it is a parameter of a parametric module.
    """

    span: Span
    scope: FileScope
    param: str | None
    param_type: ast.ModuleType
    ascription: ast.ModuleType | None
    body: ast.ModuleExp | None
    prefix: str = ""
    inner: Functor | None = None
    view: Substitution | None = None
    substitution: Substitution | None = None
    """As in `SigEntry`."""
    broken: bool = False
    """Its body had errors, which are reported: an application fits everything."""


@dataclass(eq=False)
class Substitution:
    """What stands for closed types, and for the sizes that values are; `signatures` puts it into types."""

    types: dict[Family, TypeEntry] = field(default_factory=dict)
    sizes: dict[SizeAtom, Size] = field(default_factory=dict)


@dataclass(eq=False)
class FileScope:
    """The names of a file or module that are visible so far; `later` are those that are still to come.

    A module sees the names around it (`parent`); what it exports are its own, except those that are `private`.
    """

    values: dict[str, Global | Sealed | Builtin] = field(default_factory=dict)
    types: dict[str, TypeEntry] = field(default_factory=dict)
    modules: dict[str, ModuleEntry] = field(default_factory=dict)
    module_types: dict[str, SigEntry] = field(default_factory=dict)
    later: dict[str, Span] = field(default_factory=dict)
    prefix: str = ""
    parent: FileScope | None = None
    private: set[tuple[str, str]] = field(default_factory=set)
    """Kind ("values", "types", "modules", "module_types") and name of what is not exported."""
    abstract: bool = False
    """Types are checked, and nothing is kept: a parametric module by itself."""
    broken: bool = False
    """The module has errors, reported already: names that it lacks fit everything."""
    unread: set[str] = field(default_factory=set)
    """Names whose declarations do not parse: they fit everything, too."""

    def value(self, name: str) -> Global | Sealed | Builtin | None:
        found = self.own_value(name)
        return found if found is not None or self.parent is None else self.parent.value(name)

    def type(self, name: str) -> TypeEntry | None:
        found = self.own_type(name)
        return found if found is not None or self.parent is None else self.parent.type(name)

    def module(self, name: str) -> ModuleEntry | None:
        found = self.own_module(name)
        return found if found is not None or self.parent is None else self.parent.module(name)

    def module_type(self, name: str) -> SigEntry | None:
        found = self.own_module_type(name)
        return found if found is not None or self.parent is None else self.parent.module_type(name)

    def lacks(self, name: str) -> bool:
        """Whether the name may be missing because what should bring it along has errors, reported already."""
        return self.broken or name in self.unread or (self.parent is not None and self.parent.lacks(name))

    def declared_later(self, name: str) -> Span | None:
        found = self.later.get(name)
        return found if found is not None or self.parent is None else self.parent.declared_later(name)

    def own_value(self, name: str) -> Global | Sealed | Builtin | None:
        return self.values.get(name)

    def own_type(self, name: str) -> TypeEntry | None:
        return self.types.get(name)

    def own_module(self, name: str) -> ModuleEntry | None:
        return self.modules.get(name)

    def own_module_type(self, name: str) -> SigEntry | None:
        return self.module_types.get(name)

    def exports(self, kind: str, name: str) -> bool:
        return (kind, name) not in self.private

    def declare(self, kind: str, name: str, entry: object, exported: bool) -> None:
        """Bring a name into scope."""
        getattr(self, kind)[name] = entry
        if exported:
            self.private.discard((kind, name))
        else:
            self.private.add((kind, name))

    def names(self, kind: str) -> list[str]:
        """Exported names of one kind."""
        return [n for n in getattr(self, kind) if (kind, n) not in self.private]

    def value_names(self) -> list[str]:
        """Values in scope here, for suggestions."""
        return [*self.values, *(self.parent.value_names() if self.parent is not None else ())]

    def type_names(self) -> list[str]:
        return [*self.types, *(self.parent.type_names() if self.parent is not None else ())]

    def module_names(self) -> list[str]:
        return [*self.modules, *(self.parent.module_names() if self.parent is not None else ())]


@dataclass(eq=False)
class Builtin:
    """A built-in function: its type scheme, and a rule of its own (see `builtins`) for overloaded ones."""

    ref: BuiltinRef
    scheme: Scheme | None
    rule: str = ""
    arity: int = 0
    constraints: tuple[TypeVar, ...] = ()


Member = Global | Sealed | Builtin
Meaning = Local | SizeParam | Member
Module = FileScope | Functor


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
        self.text = Source("<built in>", "")
        self.numbers: dict[str, ModuleEntry] = {}
        """The modules `f64`, `i32` … as far as they were used as modules."""
        self.instances = 0
        """Applications of parametric modules so far."""
        self.prelude = LibraryScope(self, "prelude")
        self.libraries: dict[str, ModuleEntry] = {}
        self.checking: list[str] = []
        self.warned: set[str] = set()
        self.contracted = 0
        """How many bounds and grades were met in types."""
        self.keeps = False
        """Whether edits are to come."""
        self.finished: dict[ast.Def, Checker] = {}
        """How long definitions were checked: what is needed when a term in one is edited."""
        self.constants: dict[SizeAtom, Size] = {}
        """Sizes that are values of parameters of parametric modules, with what they are in each application."""
        self.differential: set[Definition] = set()
        """Definitions that differentiate, or whose parameters are `param` or `data`, and those that call them."""

    def failures(self, start: int) -> bool:
        """Whether there are errors among the findings from number `start` on."""
        return any(d.severity == "error" for d in self.report.diagnostics[start:])

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
    field_sizes: dict[int, dict[tuple[str, ...], SizeVar]] = field(default_factory=dict)
    global_sizes: dict[SizeVar, Definition] = field(default_factory=dict)
    bounds: list[Bound | Instance] = field(default_factory=list)
    loose_slices: set[ast.Slice] = field(default_factory=set)
    loop_sizes: dict[ast.Loop, tuple[SizeVar, ...]] = field(default_factory=dict)
    flat: dict[tuple[str, str], tuple[str, Span | None, str]] = field(default_factory=dict)
    """What is said of a parameter that the result does not depend on; where the dependence is lost, and how."""
    proved: set[ast.Node] = field(default_factory=set)
    recursive: set[ast.LetFun] = field(default_factory=set)
    """Local functions that mention themselves."""
    contracts: dict[ast.TypeExp, tuple[Contract, ...]] = field(default_factory=dict)
    """By type expression of an annotation: the bounds and grades in it."""


# ---------------------------------------------------------------- the library's text

LIBRARY = os.path.join(os.path.dirname(os.path.dirname(__file__)), "stdlib")
_NAME = "[A-Za-z_][A-Za-z0-9_']*"
_DECLARATION = re.compile(rf"^(local )?(def|type[\^~]?|module(?: type)?)\s+(\([^)\s]+\)|{_NAME})", re.MULTILINE)
_KINDS = {"def": "values", "type": "types", "type^": "types", "type~": "types", "module": "modules",
          "module type": "module_types"}
Place = tuple[int, int, bool]
"""Where a declaration begins and ends in the text of a library file, and whether it is exported."""


@lru_cache(maxsize=1)
def library_names() -> frozenset[str]:
    """The modules of the library, which every program has."""
    files = os.listdir(LIBRARY)
    return frozenset(f.removesuffix(".dad") for f in files if f.endswith(".dad") and f != "prelude.dad")


@lru_cache(maxsize=64)
def library_index(library: str) -> tuple[str, dict[str, dict[str, Place]]]:
    """The text of a file of the library, and by kind and name where in it each declaration stands."""
    with open(os.path.join(LIBRARY, f"{library}.dad"), encoding="utf-8") as file:
        text = file.read()
    found = list(_DECLARATION.finditer(text))
    ends = [m.start() for m in found[1:]] + [len(text)]
    index: dict[str, dict[str, Place]] = {kind: {} for kind in _KINDS.values()}
    for m, end in zip(found, ends, strict=True):
        index[_KINDS[m[2]]].setdefault(m[3].strip("()"), (m.start(), end, m[1] is None))
    return text, index


@lru_cache(maxsize=512)
def library_declaration(library: str, kind: str, name: str) -> ast.Decl:
    """The syntax of one declaration of the library, at its place in the file."""
    from ..lang.surface.parser import parse

    text, index = library_index(library)
    start, end, _ = index[kind][name]
    body = re.sub(r"\n--[^\n]*(?=\n|$)", "\n", text[start:end])
    source = Source(f"{library}.dad", "\n" * text.count("\n", 0, start) + body.rstrip() + "\n", True)
    report = Reporter()
    (declaration,) = parse(source, report).declarations
    if report.failed:
        raise AssertionError(f"{library}'s {name} does not parse: {report.diagnostics[0].message}")
    return declaration.declaration if isinstance(declaration, ast.Local) else declaration


def prelude_names() -> dict[str, Place]:
    """The definitions of the prelude."""
    return library_index("prelude")[1]["values"]


class OpenedScope(FileScope):
    """The scope of `e` in `M.(e)`: what M exports, and what was in scope outside."""

    def __init__(self, module: FileScope, outside: FileScope) -> None:
        super().__init__(prefix=outside.prefix, parent=outside, abstract=outside.abstract)
        self.opened = module

    def own_value(self, name: str) -> Member | None:
        found = self.opened.own_value(name)
        return found if self.opened.exports("values", name) else None

    def own_type(self, name: str) -> TypeEntry | None:
        found = self.opened.own_type(name)
        return found if self.opened.exports("types", name) else None

    def own_module(self, name: str) -> ModuleEntry | None:
        found = self.opened.own_module(name)
        return found if self.opened.exports("modules", name) else None

    def own_module_type(self, name: str) -> SigEntry | None:
        found = self.opened.own_module_type(name)
        return found if self.opened.exports("module_types", name) else None

    def value_names(self) -> list[str]:
        return [*self.opened.names("values"), *super().value_names()]


Entry = Parameter("Entry")


class LibraryScope(FileScope):
    """A file of the library: each declaration is cut out of the text, parsed and checked when it is first used."""

    def __init__(self, session: Session, library: str) -> None:
        super().__init__(prefix=library)
        self.session = session
        self.title = library
        self.loading: set[tuple[str, str]] = set()

    def _load(self, entries: dict[str, Entry], kind: str, name: str) -> Entry | None:
        known = entries.get(name)
        if known is not None or (kind, name) in self.loading:
            return known
        place = library_index(self.title)[1][kind].get(name)
        if place is None:
            return None
        from .definitions import declare

        self.loading.add((kind, name))
        declare(self.session, self, library_declaration(self.title, kind, name), place[2])
        self.loading.discard((kind, name))
        return entries.get(name)

    def own_value(self, name: str) -> Member | None:
        return self._load(self.values, "values", name)

    def own_type(self, name: str) -> TypeEntry | None:
        return self._load(self.types, "types", name)

    def own_module(self, name: str) -> ModuleEntry | None:
        return self._load(self.modules, "modules", name)

    def own_module_type(self, name: str) -> SigEntry | None:
        return self._load(self.module_types, "module_types", name)

    def names(self, kind: str) -> list[str]:
        return [n for n, (_, _, exported) in library_index(self.title)[1][kind].items() if exported]


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
    "pi": "`f64.pi`", "inf": "`f64.inf`", "nan": "`f64.nan`", "euler": "`f64.e`", "NaN": "`f64.nan`",
    "Inf": "`f64.inf`", "Infinity": "`f64.inf`", "relu": "`max x 0`",
    "return": "the value alone: what a definition gives stands after `=`",
    "True": "`true`", "False": "`false`", "None": "a value of the right type: Dad has no null", "not": "`!`",
    "and": "`&&`", "or": "`||`", "mod": "`%`", "inner": "`dot x y`", "matmul": "`matmul a b`", "dot": "`dot x y`",
    "gradient": "`grad f x`", "stop_gradient": "`stop_grad x`", "array": "an array literal `[a, b, c]`",
    "T": "`transpose a`", "exp": "`exp x`", "sum": "`sum xs`", "argmax": "`argmax xs`",
                             "maximum": "`max a b`, elementwise",
    "minimum": "`min a b`, elementwise", "print": "no printing: a program is a function; return the value",
}
"""How names of NumPy, Python and Haskell are said here."""
