"""What the checking of one definition carries along: scopes, the solver, the tables it fills, and how to report.

`Checker` is passed to the functions of `infer`, `calls`, `arrays` and `patterns`; it holds no rules of its own.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..lang.record import dataclass, field
from ..lang.sizes import Size, SizeAtom, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import (
    Abstract,
    Array,
    Derived,
    Error,
    Exists,
    Fun,
    Meta,
    Record,
    Scalar,
    Sum,
    Tuple,
    Type,
    TypeVar,
    map_type,
    sizes_of,
    substituted,
)
from ..lang.types import opened as types_opened
from . import messages
from .clashes import Clash, Kind
from .guesses import Guess
from .result import BuiltinRef, GlobalRef, LocalRef, Scheme, SizeRef
from .scope import FileScope, Local, Session, SizeParam
from .unify import Solver

if TYPE_CHECKING:
    from ..lang.surface.terms import Instance
    from .instances import Plan


@dataclass(eq=False)
class Because:
    """Why a type was expected: a label at `span`, a sentence for notes, and a code other than the general one."""

    label: str = ""
    span: Span | None = None
    note: str = ""
    code: str = ""
    help: str = ""
    title: str = ""


@dataclass(eq=False)
class Context:
    """Where two types met, kept for messages. `found` and `expected` are the whole types."""

    span: Span
    because: Because
    found: Type
    expected: Type


@dataclass(eq=False)
class RawUse:
    """A `Use` whose types still contain unknowns."""

    target: LocalRef | GlobalRef | BuiltinRef | SizeRef
    scheme: Scheme | None = None
    types: tuple[Type, ...] = ()
    sizes: tuple[Size, ...] = ()
    seen: Scheme | None = None
    """What a module type says of it, for messages."""


@dataclass(eq=False)
class Mention:
    """Where a function is mentioned while its body is checked, and what its declared variables are there."""

    node: ast.Node
    span: Span
    types: tuple[Type, ...]
    sizes: tuple[Size, ...]
    anonymous: dict[SizeAtom, Size]
    """What the sizes `[]` of parameters are there."""


@dataclass(eq=False)
class Pending:
    """A function whose body is being checked (see `recursion`): its type as far as its header says."""

    name: str
    span: Span
    ref: GlobalRef | LocalRef
    scheme: Scheme
    anonymous: tuple[SizeMeta, ...]
    """The sizes `[]` of parameters: another in each call, unless the body says what they are."""
    declared: tuple[bool, ...]
    """Whether the type of each parameter, and last of the result, is written."""
    params: bool
    broken: bool
    """The result's type has errors, reported already."""
    mentions: list[Mention] = field(default_factory=list)


@dataclass(eq=False)
class BoundsJob:
    """An index to be proved inside its axis when all is known; `facts` are sizes known to be at least 0 there."""

    node: ast.Node
    index: ast.Exp
    array: ast.Exp
    axis: int
    size: Size
    value: Size | None
    facts: tuple[Size, ...]
    given: tuple[Size, ...] = ()
    unknown: str = ""
    """Of a slice: the part that is no size expression."""


class Checker:
    def __init__(self, session: Session, file: FileScope, span: Span) -> None:
        self.session = session
        self.file = file
        self.span = span
        """Of the definition's name: where something is reported that has no better place."""
        self.solver = Solver(session.uids, self._complain, self._unsolved)
        self.names: dict[str, Local | SizeParam] = {}
        self.type_names: dict[str, Type] = {}
        self.undo: list[tuple[str, Local | SizeParam | None]] = []
        self.log: list[tuple[str, Local | SizeParam | None]] = []
        """What names came to mean, one after another: from this follows what was in scope anywhere."""
        self.types: dict[ast.Exp, Type] = {}
        self.patterns: dict[ast.Pattern, Type] = {}
        self.uses: dict[ast.Node, RawUse] = {}
        self.bindings: dict[ast.Node, LocalRef] = {}
        self.schemes: dict[ast.LetFun, Scheme] = {}
        self.opened: dict[ast.Exp, tuple[SizeVar, ...]] = {}
        self.size_values: dict[SizeVar, ast.Exp] = {}
        self.binding_sizes: dict[int, SizeVar] = {}
        self.field_sizes: dict[int, dict[tuple[str, ...], SizeVar]] = {}
        """By `LocalRef.key`: fields of bound names whose values are used as sizes."""
        self.anonymous: set[SizeAtom] = set()
        """Sizes left open in the parameters' types, `[]`: any, until something asks for another one."""
        self.loose_slices: set[ast.Slice] = set()
        """Slices that are replaced by something whose size is to be compared when the program runs."""
        self.loop_sizes: dict[ast.Loop, tuple[SizeVar, ...]] = {}
        self.indices: dict[SizeVar, Size] = {}
        """Size variables of loop and comprehension indices, with what they stay below."""
        self.index_params: dict[ast.Pattern, Size] = {}
        """Parameters of lambdas that run over indices, with what they stay below."""
        self.values: set[SizeVar] = set()
        """Size variables that may be negative: they stand for i64 values, or occur only in sums such as `[n+m]`."""
        self.facts: tuple[Size, ...] = ()
        self.given: tuple[Size, ...] = ()
        """Sizes that are at least 0 here because a condition holds."""
        self.bounds: list[BoundsJob] = []
        self.literals: list[ast.Lit] = []
        self.starts: dict[SizeAtom, Size] = {}
        """Unknown sizes of the states of the loops that are being checked, with what they are at the start."""
        self.guess = Guess()
        self.negated: set[ast.Lit] = set()
        self.holes: list[tuple[ast.Hole, Type, list[tuple[str, Type]]]] = []
        self.at_end: list[Callable[[], None]] = []
        self.type_defaults: dict[int, Type] = {}
        self.entry_types: dict[TypeVar, Type] = {}
        """What the type parameters of an entry became."""
        self.failed = False
        self.unknown: set[str] = set()
        """Names that were said to be unknown."""
        self.oversized = False
        self.followed = False
        """Whether it was followed what the definition depends on (`activity`)."""
        self.expansions = 0
        self.plans: dict[tuple[Any, ...], Plan | None] = {}
        """What is known of instances of shapes, and which of these are instances of (see `instances`)."""
        self.copies: list[Instance] = []
        self.sorts: dict[str, str] = {}
        self.current: str | None = None
        """The definition's own name, while its body is checked, if the prelude gives it another meaning there."""

    # ------------------------------------------------------------ reporting

    def error(self, code: str, message: str, span: Span, label: str = "", *,
              others: list[tuple[Span, str]] | None = None, notes: list[str] | None = None,
              help: str | None = None) -> Error:
        self.failed = True
        self.session.report.error(code, message, span, label, others=others or (), notes=notes or (), help=help or None)
        return Error()

    def said(self, span: Span) -> bool:
        """Whether an error was told of this place, or of a part of it."""
        return self.failed and any(
            d.severity == "error" and d.span is not None and span.start <= d.span.start and d.span.end <= span.end
            for d in self.session.report.diagnostics)

    def warning(self, code: str, message: str, span: Span, label: str = "", *,
                others: list[tuple[Span, str]] | None = None, notes: list[str] | None = None,
                help: str | None = None) -> None:
        self.session.report.warning(code, message, span, label, others=others or (), notes=notes or (), help=help)

    def _complain(self, clash: Clash, found: Type, expected: Type, context: object) -> None:
        place = context if isinstance(context, Context) else Context(self.span, Because(), found, expected)
        messages.clash(self, clash, place)

    def _unsolved(self, found: Size, expected: Size, context: object) -> None:
        if not self.failed:
            whole = Array(found, Error())
            place = context if isinstance(context, Context) else Context(self.span, Because(), whole, whole)
            messages.unsolved_size(self, found, expected, place)

    def unify(self, found: Type, expected: Type, span: Span, because: Because) -> bool:
        """Make the types equal or report, once, that they differ."""
        context = Context(span, because, found, expected)
        try:
            self.solver.unify(found, expected, context)
        except Clash as clash:
            messages.clash(self, clash, context)
            return False
        return True

    # ------------------------------------------------------------ scopes

    def bind(self, name: str, meaning: Local | SizeParam) -> None:
        self.undo.append((name, self.names.get(name)))
        self.log.append((name, meaning))
        self.names[name] = meaning

    def hide(self, name: str) -> None:
        """Let a bound name mean, until `leave`, what it means outside."""
        self.undo.append((name, self.names.pop(name)))
        self.log.append((name, None))

    def leave(self, mark: int) -> None:
        """Forget what was bound since `mark = len(undo)`."""
        while len(self.undo) > mark:
            name, before = self.undo.pop()
            self.log.append((name, before))
            if before is None:
                self.names.pop(name, None)
            else:
                self.names[name] = before

    def local(self, node: ast.Node, name: str, span: Span, type: Type, what: str) -> Local:
        """Bind a name that `node` introduces."""
        ref = LocalRef(name, next(self.session.uids))
        local = Local(name, span, ref, type, self.solver.level, what)
        self.bindings[node] = ref
        self.bind(name, local)
        return local

    def value_size(self, local: Local) -> Size:
        """The value of a bound i64 name as a size."""
        if local.size is None:
            local.var = self.solver.size_var(local.name, local.span, local.what, local.level)
            local.size = Size.of(local.var)
            self.binding_sizes[local.ref.key] = local.var
            self.values.add(local.var)
            if local.below is not None:
                self.indices[local.var] = local.below
        return local.size

    def field_size(self, local: Local, path: tuple[str, ...], span: Span) -> Size:
        """The value of an i64 field of a bound name as a size."""
        known = self.field_sizes.setdefault(local.ref.key, {})
        if path not in known:
            text = ".".join((local.name, *path))
            known[path] = self.solver.size_var(text, local.span, f"`{text}`", local.level)
            self.values.add(known[path])
        return Size.of(known[path])

    # ------------------------------------------------------------ sizes of inner scopes

    def is_inner(self, s: Size) -> bool:
        """Whether the size is known only in a scope inside the current one."""
        levels, level = self.solver.levels, self.solver.level
        return any(isinstance(a, SizeVar) and levels.get(a.uid, 0) > level for a in self.solver.size(s).atoms())

    def open_inner(self, node: ast.Exp, t: Type, why: str) -> Type:
        """Give names to the sizes in `t` that only an inner scope knows: `node` opens them."""
        t = self.solver.prune(t)
        if not _has_sizes(t):
            return t
        t = self.solver.zonk(t)
        fresh: dict[Size, Size] = {}
        env: dict[SizeAtom, Size] = {}

        def opening(_: SizeVar | None = None) -> SizeVar:
            var = self.solver.size_var(name_of(node.span.text), node.span, why)
            self.opened[node] = (*self.opened.get(node, ()), var)
            return var

        def opened() -> Size:
            return Size.of(opening())

        if self.solver.existential:
            t = types_opened(t, opening)

        def alone(s: Size) -> Size:
            """What stands alone keeps what other sizes say of it: the parts of a partition are `[k]` and `[n-k]`."""
            s = self.solver.size(s)
            if isinstance(s.atom, SizeVar) and s.atom not in env and self.is_inner(s):
                env[s.atom] = opened()
            return s

        def replace(s: Size) -> Size:
            s = self.solver.size(s).substitute(env)
            if not self.is_inner(s):
                return s
            if s not in fresh:
                fresh[s] = opened()
            return fresh[s]

        map_sizes(t, alone)
        if not env and not any(self.is_inner(s) for s in sizes_of(t)):
            return t
        return map_type(t, lambda inner: substituted(inner, {}, env) if isinstance(inner, Fun) else None, replace)

    def fresh_kind(self, cls: str, literal: bool = False, because: Span | None = None) -> Type:
        return self.solver.meta(Kind(cls, literal, because))

    def ground(self, t: Type) -> bool:
        """Whether nothing in the type is unknown."""
        known = True

        def leaf(inner: Type) -> Type | None:
            nonlocal known
            if isinstance(inner, (Meta, Error, Derived, Exists)):
                known = False
            return inner if not known or isinstance(inner, Scalar) else None

        def size(s: Size) -> Size:
            nonlocal known
            known = known and not self.unsolved(s)
            return s

        map_type(self.solver.zonk(t), leaf, size)
        return known

    def unsolved(self, s: Size) -> bool:
        """Whether there is an unknown in the size."""
        return any(isinstance(a, SizeMeta) for a in self.solver.size(s).atoms())

    def show(self, t: Type) -> str:
        return messages.show(self, t)


def map_sizes(t: Type, size: Callable[[Size], Size]) -> Type:
    """Replace sizes, except in function types: what a function's result mentions is opened where it is applied."""
    return map_type(t, lambda inner: inner if isinstance(inner, Fun) else None, size)


def _has_sizes(t: Type) -> bool:
    return isinstance(t, (Array, Tuple, Record, Sum, Abstract, Derived, Exists))


def name_of(text: str) -> str:
    """A name for the size that an expression opens: its text when that is short."""
    text = " ".join(text.split())
    if len(text) > 24:
        text = text[:23] + "…"
    return text if text.isidentifier() or (text.startswith("(") and text.endswith(")")) else f"({text})"

