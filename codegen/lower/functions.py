"""Definitions, closures and builtins as values, and the IR functions that come of them.

An IR function is made for each distinct use: (definition, type arguments, form of the arguments). Type arguments that
differ only in sizes are one use: sizes travel as i64 parameters.
"""
from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from ...checker.result import Checked, Definition, GlobalRef, Scheme, Use
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom
from ...lang.diagnostics.report import Diagnostic, Diagnostics, Label
from ...lang.sizes import Size, SizeVar
from ...lang.source import Span
from ...lang.surface import ast
from ...lang.surface.walk import descendants
from . import ranges
from .frame import Frame, UnknownSize
from .memory import Memory, of_data
from .patterns import axes, bind, data, derivable, open_sizes, plain_name
from .promises import Unknown, demands, steps, trusts_itself, unlooked
from .values import FunV, RowV, TupV, Value, form, from_type, leaves, rebuild, the_atom

Types = Mapping[ty.TypeVar, ty.Type]


MAX_FUNCTIONS = 10_000
MAX_CALLS = 1_000
MAX_INLINED = 12
MAX_LEAVES = 1_000
CHECKPOINTS: dict[str, Literal["sqrt", "log"]] = {"checkpoint": "sqrt", "checkpoint_log": "log"}
"""Functions of the prelude whose calls reverse mode runs again, and how it goes back through the loops in them."""
MAX_DEPTH = 64
"""Versions of one function that may be written inside each other."""


@dataclass(frozen=True, slots=True)
class Special:
    """An IR function and the form of its result."""

    name: str
    types: tuple[ir.Type, ...]
    result: Value


class Specialiser:
    """Holds the functions made so far, and writes expressions through `expression` (see `expressions.py`)."""

    def __init__(self, checked: Checked, expression: Callable[[Frame, ast.Exp], Value], memory: Memory | None = None
                 ) -> None:
        self.checked = checked
        self.expression = expression
        self.memory = memory
        self.seen: dict[str, set[Definition]] = {}
        """By function: the definitions that were looked up while it was written."""
        self.looking: list[set[Definition]] = [set()]
        """The same of functions that are being written, the innermost last."""
        self.called: dict[Hashable, Definition] = {}
        """Functions of definitions that were called since this was emptied, by what specialisation goes by."""
        self.functions: dict[str, ir.Function] = {}
        self.made: dict[Hashable, Special] = {}
        self.unfinished: dict[Hashable, str] = {}
        """Functions that are being written, by the same keys: their bodies may call them."""
        self.depth: dict[str, int] = {}
        self.names: dict[str, int] = {}
        self.tables: dict[str, int] = {}
        """How many tables each function has: their names are its own, in later versions of the program too."""
        self.rows: dict[tuple[Fresh, Atom], int] = {}
        """How many rows arrays of terms have."""
        self.inlined = 0
        """How many lambdas are being written out inside each other."""
        self.free: dict[ast.Node, tuple[tuple[int, ...], tuple[SizeVar, ...]]] = {}
        self.promises = False
        """Whether what is said of smoothness is written down (`promises.py`)."""
        self.unknown: dict[str, Unknown] = {}
        """Functions that definitions are given which are lowered by themselves."""
        self.lifted: dict[Hashable, str] = {}
        self.applied: tuple[Value | None, Sequence[Span]] = (None, ())
        """The function that is being applied, and where its arguments stand."""

        self.sizes_by_expression: dict[ast.Exp, list[SizeVar]] = {}
        for var, e in checked.size_values.items():
            self.sizes_by_expression.setdefault(e, []).append(var)

    def sizes_of_expression(self, e: ast.Exp) -> Sequence[SizeVar]:
        """The size variables that stand for the value of `e`."""
        return self.sizes_by_expression.get(e, ())

    def constant(self, f: Frame, definition: Definition) -> Atom:
        """The value of a definition without parameters, where it serves as a size."""
        return the_atom(definition_value(f, definition, Use(GlobalRef(definition)), definition.node.span))

    def unique(self, hint: str) -> str:
        base = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in hint) or "f"
        if base[0].isdigit():
            base = "f" + base
        count = self.names.get(base, 0)
        self.names[base] = count + 1
        return base if count == 0 else self.unique(f"{base}_{count + 1}")

    def call(self, f: Frame, hint: str, key: Hashable, inputs: Value, body: Callable[[Frame, Value], Value],
             result: ty.Type | None = None) -> Value:
        """Call the IR function that computes `body` of values of this form; it is written at the first call.

        `result` is the type of what it gives, for calls that stand in its own body.
        """
        full_key = (key, form(inputs))
        special = self.made.get(full_key)
        if special is None and full_key in self.unfinished:
            special = self.ahead(f, self.unfinished[full_key], hint, result)
        if special is None:
            special = self.remembered(full_key)
            if special is not None:
                self.made[full_key] = special
        if special is None:
            self.limit(f, hint, inputs)
            name = self.unfinished[full_key] = self.unique(hint)
            self.depth[hint] = self.depth.get(hint, 0) + 1
            special = self.write(name, hint, inputs, body)
            self.depth[hint] -= 1
            del self.unfinished[full_key]
            self.made[full_key] = special
            if isinstance(key, tuple) and key[0] == "def" and of_data((inputs,)):
                self.keep(full_key, special)
        results = f.b.bind(ir.Call(special.name, tuple(leaves(inputs)), special.types), "r") if special.types else ()
        return rebuild(special.result, iter(results))

    def remembered(self, full_key: Hashable, own: str = "") -> Special | None:
        """A function of an earlier version of the program that is as it was; `own` is a name that waits for it."""
        found = None if self.memory is None else self.memory.find(full_key, self.checked)
        if found is None or any(name in self.names and name != own and self.functions.get(name) is not f
                                for name, f in found.functions.items()):
            return None
        for name, function in found.functions.items():
            self.functions[name] = function
            self.names.setdefault(name, 1)
            self.seen[name] = set(found.seen)
        return found.special

    def have(self, calls: Mapping[Hashable, Definition], names: Container[str]) -> bool:
        """Whether there are these functions, by these names and as they were; they are looked up."""
        for full_key, definition in calls.items():
            if full_key not in self.made:
                special = None if full_key in self.unfinished else self.remembered(full_key)
                if special is None:
                    return False
                self.made[full_key] = special
            if self.checked.definitions.get(definition.qualified) is not definition \
                    or self.made[full_key].name not in names:
                return False
            self.looking[-1].add(definition)
        return True

    def keep(self, full_key: Hashable, special: Special) -> None:
        if self.memory is not None and of_data((special.result,)):
            self.memory.keep(full_key, special, self.functions, self.seen)

    def ahead(self, f: Frame, name: str, hint: str, result: ty.Type | None) -> Special:
        """A function that is still being written, by the type of its result."""
        assert f.b.span is not None
        if result is None or holds_functions(result):
            raise stuck(f.b.span, "E695", "a recursive function cannot give a function",
                        f"which function `{hint}` gives here would be known only when it runs",
                        "give all arguments at once, so that the recursive call gives a value")
        form = from_type(result, lambda t, _: ir.Var(0, "r", t))
        return Special(name, tuple(a.type for a in leaves(form)), form)

    def limit(self, f: Frame, hint: str, inputs: Value) -> None:
        depth = self.depth.get(hint, 0)
        if depth >= MAX_DEPTH or (depth > 4 and len(leaves(inputs)) > MAX_LEAVES):
            assert f.b.span is not None
            raise stuck(f.b.span, "E693", f"`{hint}` calls itself with another function or type again and again",
                        "each call needs a version of its own",
                        "pass the same functions and types in a recursive call, or data instead of them")
        if len(self.unfinished) >= MAX_CALLS:
            assert f.b.span is not None
            raise stuck(f.b.span, "E694", f"functions call each other more than {MAX_CALLS:,} deep",
                        f"`{hint}` is called by {MAX_CALLS:,} functions, one through the other",
                        "use a loop, or let fewer functions call each other in a row")
        if len(self.made) >= MAX_FUNCTIONS:
            span = f.b.span
            raise Diagnostics([Diagnostic(
                "E693", f"this program needs more than {MAX_FUNCTIONS:,} versions of its functions",
                () if span is None else (Label(span, "while writing this one", primary=True),), (),
                "pass data instead of functions where a function is passed to itself again and again")])

    def write(self, name: str, hint: str, inputs: Value, body: Callable[[Frame, Value], Value]) -> Special:
        supply = Fresh()
        # For who checks grades what functions capture keeps its name; code does not depend on what callers call it.
        params = tuple(supply.var(atom.name if self.promises and isinstance(atom, ir.Var) else "x", atom.type)
                       for atom in leaves(inputs))
        frame = Frame(self.checked, self, Builder(supply), {}, {}, {}, name)
        self.looking.append(set())
        result = body(frame, rebuild(inputs, iter(params)))
        self.seen[name] = self.looking.pop()
        dims = frame.param_dims
        function = ir.Function(name, frame.named(params), frame.b.block(leaves(result)), hint, again=frame.again)
        if dims:
            function = replace(function, dims=tuple(dims.get(p.id, (None,) * p.type.rank) for p in params))
        self.functions[name] = function
        return Special(name, tuple(a.type for a in function.body.results), result)


def holds_functions(t: ty.Type) -> bool:
    found = False

    def leaf(inner: ty.Type) -> ty.Type | None:
        nonlocal found
        found = found or isinstance(inner, ty.Fun)
        return None

    ty.map_type(t, leaf, lambda s: s)
    return found


def apply(f: Frame, function: Value, args: Sequence[Value]) -> Value:
    """Apply a function value; fewer arguments than it takes make a function value again."""
    pending = list(args)
    while pending:
        assert isinstance(function, FunV), "the checker lets only functions be applied"
        missing = function.arity - len(function.args)
        if len(pending) < missing:
            return replace(function, args=(*function.args, *pending))
        given = [*function.args, *pending[:missing]]
        del pending[:missing]
        function = function.invoke(f, function.captured, given)
    return function


def stuck(span: Span, code: str, message: str, label: str, help: str) -> Diagnostics:
    return Diagnostics([Diagnostic(code, message, (Label(span, label, primary=True),), (), help)])


# ---------------------------------------------------------------- type arguments


def canonical(f: Frame, types: Types) -> tuple[dict[ty.TypeVar, ty.Type], tuple[SizeVar, ...], tuple[Atom, ...]]:
    """Type arguments with their sizes named by position, those names, and what the sizes are here."""
    names: dict[Size, SizeVar] = {}

    def size(s: Size) -> Size:
        if s.value is not None:
            return s
        if s not in names:
            names[s] = SizeVar(f"s{len(names)}", -2 - len(names))
        return Size.of(names[s])

    made = {v: ty.map_type(f.concrete(t), lambda _: None, size) for v, t in types.items()}
    atoms: list[Atom] = []
    for s in names:
        try:
            atoms.append(f.size(s))
        except UnknownSize:  # only an element itself knows it: it matters to nothing but the shape of no elements
            atoms.append(i64(0))
    return made, tuple(names.values()), tuple(atoms)


def substituted(t: ty.Type, types: Types) -> ty.Type:
    return ty.map_type(t, lambda x: types[x] if isinstance(x, ty.TypeVar) and x in types else None, lambda s: s)


def explicit_sizes(scheme: Scheme, param_types: Sequence[ty.Type]) -> tuple[SizeVar, ...]:
    """Size parameters that the arguments' shapes do not give; callers pass them."""
    found = derivable(scheme.size_vars, param_types)
    return tuple(s for s in scheme.size_vars if s not in found)


def size_arguments(f: Frame, wanted: Iterable[SizeVar], sizes: Mapping[SizeVar, Size], span: Span) -> tuple[Atom, ...]:
    try:
        return tuple(f.size(sizes[s]) for s in wanted)
    except UnknownSize as unknown:
        raise stuck(
            span, "E692", f"the size `{unknown}` is not known where this function is used", "needs it as a value",
            "pass an array that has this size, or give the size a name with `let [n] (xs: [n]t) = …`",
        ) from None


# ---------------------------------------------------------------- definitions


def definition_value(f: Frame, definition: Definition, use: Use, span: Span) -> Value:
    """A top-level definition, at the instance that `use` says."""
    f.specialiser.looking[-1].add(definition)
    types, names, sizes = canonical(f, use.types)
    extra = explicit_sizes(definition.scheme, [substituted(t, types) for t in definition.param_types])
    captured: tuple[Value, ...] = (*sizes, *size_arguments(f, extra, use.sizes, span))
    key = ("def", definition.qualified, tuple((v.uid, t) for v, t in types.items()))
    result = substituted(definition.result_type, types) if definition.recursive else None
    bounded = any(definition.contracts)

    def invoke(g: Frame, captured: tuple[Value, ...], args: list[Value]) -> Value:
        inputs = TupV((*captured, *args))
        if g.specialiser.promises and (definition.demands or trusts_itself(definition)):
            applied, spans = g.specialiser.applied
            demands(g, definition, [substituted(t, types) for t in definition.param_types], args,
                    spans if applied is function else [None] * len(args))
            if definition.node.span.source.shipped and not steps(g.checked, definition):
                return unlooked(g, definition, substituted(definition.result_type, use.types), inputs)
        params = [g.concrete(substituted(t, use.types)) for t in definition.param_types] if bounded else ()
        checked = bounded and ranges.trusted(g, definition, params, args)
        own_key = (*key, "checked") if checked else key
        full_key = (own_key, form(inputs)) if of_data((inputs,)) else object()
        g.specialiser.called[full_key] = definition
        value = g.specialiser.call(g, definition.qualified, own_key, inputs, body if not checked else inside, result)
        if bounded:
            ranges.given(g, definition.contracts[-1], value, g.concrete(substituted(definition.result_type, use.types)))
        return value

    def inside(g: Frame, inputs: Value) -> Value:
        """The body, for arguments that are known to keep their bounds."""
        return body(g, inputs, True)

    def body(g: Frame, inputs: Value, checked: bool = False) -> Value:
        assert isinstance(inputs, TupV)
        g.specialiser.looking[-1].add(definition)
        known = inputs.items[:len(captured)]
        h = g.inside({}, {s: the_atom(a) for s, a in zip((*names, *extra), known, strict=True)}, types)
        args = inputs.items[len(captured):]
        if checked:
            for contracts, t, arg in zip(definition.contracts, definition.param_types, args, strict=False):
                ranges.given(h, contracts, arg, h.concrete(t))
        value = definition_body(h, definition, args)
        g.param_dims, g.param_names = h.param_dims, h.param_names
        if definition.node.span.source.shipped:
            g.again = CHECKPOINTS.get(definition.name, "")
        return value

    function = FunV(len(definition.param_types), key, captured, invoke, place=definition.node.name_span,
                    names=definition.param_names)
    return invoke(f, captured, []) if not definition.param_types else function


def definition_body(h: Frame, definition: Definition, args: Sequence[Value]) -> Value:
    """Write a definition's body where its arguments are `args`."""
    h.b.span = definition.node.span
    typed = [(h.concrete(t), a) for t, a in zip(definition.param_types, args, strict=True)]
    open_sizes(h, typed, definition.scheme.size_vars)
    for name, value in zip(definition.param_names, args, strict=True):
        h.name_params(name, value)
    for t, a in typed:
        if data(t):
            h.note_dims(axes(t, a))
    h.owner = definition.name
    for pattern, (_, a) in zip(definition.node.params, typed, strict=True):
        bind(h, pattern, a)
    h.owner = ""
    value = h.specialiser.expression(h, definition.node.body)
    if definition.contracts and definition.contracts[-1] and definition.node.result is not None:
        ranges.check(h, definition.contracts[-1], value, h.concrete(definition.result_type),
                     ranges.RESULT if definition.node.params else definition.name,
                     f" of `{definition.name}`" if definition.node.params else "", definition.node.result.span)
    return value


# ---------------------------------------------------------------- closures


def free_names(f: Frame, node: ast.Node) -> tuple[tuple[int, ...], tuple[SizeVar, ...]]:
    """Bindings and sizes that a function's text mentions; those bound inside are sorted out by who asks."""
    cache = f.specialiser.free
    if node not in cache:
        keys: dict[int, None] = {}
        sizes: dict[SizeVar, None] = {}
        checked = f.checked
        parts = (*node.params, node.value) if isinstance(node, ast.LetFun) else (node,)  # not what comes after it
        for here in chain.from_iterable(map(descendants, parts)):
            use = checked.uses.get(here)
            if use is not None:
                key = getattr(use.target, "key", None)
                if key is not None:
                    keys[key] = None
                var = getattr(use.target, "var", None)
                if var is not None:
                    sizes[var] = None
                for s in use.sizes.values():
                    sizes.update((a, None) for a in s.atoms() if isinstance(a, SizeVar))
                for t in use.types.values():
                    note_sizes(t, sizes)
            t = checked.types.get(here)  # type: ignore[call-overload]  # a node that is no expression has none
            if t is not None:
                note_sizes(t, sizes)
        cache[node] = (tuple(keys), tuple(sizes))
    return cache[node]


def note_sizes(t: ty.Type, found: dict[SizeVar, None]) -> None:
    for s in ty.sizes_of(t):
        found.update((a, None) for a in s.atoms() if isinstance(a, SizeVar))


def closure(f: Frame, node: ast.Lambda | ast.LetFun, params: Sequence[ast.Pattern], body: ast.Exp) -> FunV:
    """A lambda or local function as a value: its code is `node`, its data what it mentions of this frame.

    A lambda is written out where it is applied; a local function becomes a function of its own, and so does a lambda
    that is applied within many others, since each of those may apply it several times.
    """
    keys, sizes = free_names(f, node)
    here = tuple(k for k in keys if k in f.env)
    here_sizes = tuple(s for s in sizes if s in f.sizes)
    outer_types, names, outer_sizes = canonical(f, f.types)
    captured: tuple[Value, ...] = (*(f.local(k) for k in here), *(f.sizes[s] for s in here_sizes), *outer_sizes)
    scheme = f.checked.schemes.get(node) if isinstance(node, ast.LetFun) else None
    hint = node.name if isinstance(node, ast.LetFun) else "lambda"
    itself = f.checked.bindings[node] if node in f.checked.recursive else None

    def instance(
        self_captured: tuple[Value, ...], types: Types, extra_names: tuple[SizeVar, ...], extra: tuple[Value, ...]
    ) -> FunV:
        all_types = {**outer_types, **types}
        key = ("fn", id(node), tuple((v.uid, t) for v, t in all_types.items()))
        everything: tuple[Value, ...] = (*self_captured, *extra)
        result = None
        if itself is not None:
            assert scheme is not None
            body_type = scheme.type
            for _ in params:
                assert isinstance(body_type, ty.Fun)
                body_type = body_type.result
            result = substituted(body_type, all_types)

        def write(g: Frame, captured: Sequence[Value], args: Sequence[Value]) -> Value:
            env: dict[int, Value | RowV] = dict(zip(here, captured, strict=False))
            if itself is not None:
                env[itself.key] = replace(value, captured=tuple(captured[:len(self_captured)]))
            rest = captured[len(here):]
            known = {s: the_atom(a) for s, a in zip((*here_sizes, *names, *extra_names), rest, strict=True)}
            h = g.inside(env, known, all_types)
            if scheme is not None:
                open_sizes(h, [(h.concrete(f.checked.patterns[p]), a) for p, a in zip(params, args, strict=True)],
                           scheme.size_vars)
            h.owner = node.name if isinstance(node, ast.LetFun) else ""
            for p, a in zip(params, args, strict=True):
                bind(h, p, a)
            h.owner = ""
            made = h.specialiser.expression(h, body)
            promised = None if node.result is None else f.checked.contracts.get(node.result)
            if promised and node.result is not None:
                whose = f" of `{hint}`" if scheme is not None else ""
                ranges.check(h, promised, made, h.type_of(body), ranges.RESULT, whose, node.result.span)
            return made

        def invoke(g: Frame, captured: tuple[Value, ...], args: list[Value]) -> Value:
            count = len(captured)
            if scheme is None and g.specialiser.inlined < MAX_INLINED:
                g.specialiser.inlined += 1
                made = write(g, captured, args)
                g.specialiser.inlined -= 1
                return made

            def whole(h: Frame, inputs: Value) -> Value:
                assert isinstance(inputs, TupV)
                return write(h, inputs.items[:count], inputs.items[count:])

            return g.specialiser.call(g, hint, key, TupV((*captured, *args)), whole, result)

        return FunV(len(params), key, everything, invoke, place=node.span, names=tuple(map(plain_name, params)))

    value = instance(captured, {}, (), ())
    if scheme is not None and (scheme.type_vars or scheme.size_vars):
        declared = [f.checked.patterns[p] for p in params]

        def generic(self: FunV, g: Frame, use: Use, span: Span) -> FunV:
            types, type_sizes, atoms = canonical(g, use.types)
            extra_vars = explicit_sizes(scheme, [substituted(t, {**outer_types, **types}) for t in declared])
            return instance(self.captured, types, (*type_sizes, *extra_vars),
                            (*atoms, *size_arguments(g, extra_vars, use.sizes, span)))

        value = replace(value, generic=generic)
    return value
