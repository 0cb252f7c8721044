"""Recursion: which definitions form a group, and what a name means in the body of the function that it names.

A name that the program, or the prelude, gives a meaning before the definition keeps that meaning in its body, so that
`def sum xs = f64.sum xs` may wrap what it replaces. Any other mention of the own name is recursion. Definitions that
mention each other in a circle form a group and are checked together, at the place of the last of them.

Inside the group a function has the type that its header says: its declared sizes and type parameters may differ from
call to call. What the header leaves open is one unknown for all calls, solved with the body (Milner), and must then
mention nothing that differs from call to call.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from ..lang.sizes import Size, SizeAtom, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.surface.free import free_names
from ..lang.types import UNIT, Array, Fun, Type, TypeVar, map_type, sizes_of
from . import builtins, messages
from .context import Because, Checker, Mention, Pending, RawUse
from .result import GlobalRef, LocalRef, Scheme

Step = ast.Decl | tuple[ast.Def, ...]
"""A declaration, or a group that is checked together."""


# ---------------------------------------------------------------- groups


FUTHARK = frozenset((
    "id", "const", "curry", "uncurry", "flip", "not", "copy", "manifest", "opaque", "trace", "break", "length",
    "null", "head", "last", "init", "tail", "take", "drop", "split", "concat", "concat_to", "rotate", "indices",
    "reverse", "flatten", "flatten_3d", "flatten_4d", "unflatten", "unflatten_3d", "unflatten_4d", "transpose",
    "iota", "replicate", "rep", "foldl", "foldr", "iterate", "iterate_while", "iterate_until", "tabulate",
    "tabulate_2d", "tabulate_3d", "zip", "zip2", "zip3", "zip4", "zip5", "unzip", "unzip2", "unzip3", "unzip4",
    "unzip5", "map", "map1", "map2", "map3", "map4", "map5", "reduce", "reduce_comm", "hist", "reduce_by_index",
    "reduce_by_index_1d", "reduce_by_index_2d", "reduce_by_index_3d", "scan", "filter", "partition", "partition2",
    "scatter", "scatter_1d", "scatter_2d", "scatter_3d", "spread", "all", "any", "and", "or", "map_stream",
    "map_stream_per", "reduce_stream", "reduce_stream_per", "jvp", "jvp2", "vjp", "vjp2", "++",
))
"""What Futhark's prelude defines: its programs define such names anew by what they meant before."""


def built_in(name: str) -> bool:
    """Whether a definition of this name that mentions itself means the function that every program knows.

    It does where a Futhark program would mean it, and for operators and functions of numbers, such as `sin`. All
    other definitions that mention themselves are recursive.
    """
    from .calls import ARITHMETIC, COMPARISONS, EQUALITY, LOGIC, PIPES

    if any(name in names for names in (ARITHMETIC, COMPARISONS, EQUALITY, LOGIC, PIPES)):
        return True
    return name in FUTHARK or name in builtins.primitives()


def steps(declarations: Sequence[ast.Decl], older: Callable[[str], bool]) -> list[Step]:
    """The declarations in the order in which they are checked, groups put together.

    A group stands where its last member does; what stands between its members and mentions one of them comes after it.
    `older` says of a name whether it has a meaning already.
    """
    groups = _groups([d.declaration if isinstance(d, ast.Local) else d for d in declarations], older)
    if not groups:
        return list(declarations)
    out: list[Step] = []
    missing: dict[str, tuple[ast.Def, ...]] = {}
    delayed: list[ast.Decl] = []
    seen: dict[int, int] = {}

    def place(declaration: ast.Decl) -> None:
        inner = declaration.declaration if isinstance(declaration, ast.Local) else declaration
        group = groups.get(id(inner))
        if group is not None:
            count = seen[id(group)] = seen.get(id(group), 0) + 1
            if count < len(group):
                missing.update((d.name, group) for d in group)
                return
            for d in group:
                missing.pop(d.name, None)
            out.append(group)
            again, delayed[:] = list(delayed), []
            for waiting in again:
                place(waiting)
        elif missing and (waits_for(inner) or any(waits_for(inner, d) for d in delayed)):
            delayed.append(declaration)
        else:
            out.append(declaration)

    def waits_for(inner: ast.Decl, other: ast.Decl | None = None) -> bool:
        words = set(_WORD.findall(inner.span.text))
        if other is None:
            return not words.isdisjoint(missing)
        other = other.declaration if isinstance(other, ast.Local) else other
        return getattr(other, "name", "") in words

    for declaration in declarations:
        place(declaration)
    out.extend(delayed)
    return out


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_']*|[-+*/%<>=!&|^.~@#$?:]+")


_words_of: WeakKeyDictionary[ast.Def, frozenset[str]] = WeakKeyDictionary()


def _words(definition: ast.Def) -> frozenset[str]:
    """The words of its text, found once; perhaps some that were there before an edit."""
    known = _words_of.get(definition)
    if known is None:
        known = _words_of[definition] = frozenset(_WORD.findall(definition.span.text))
    for edit in definition.__dict__.get("edits", ()):  # words that are gone may stay
        if edit.new is not None:
            known = _words_of[definition] = known | frozenset(_WORD.findall(edit.new.span.text))
    return known


def _groups(declarations: Sequence[ast.Decl], older: Callable[[str], bool]) -> dict[int, tuple[ast.Def, ...]]:
    """Groups of two or more definitions, by the identity of each member."""
    defs: dict[str, ast.Def] = {}
    for d in declarations:
        if isinstance(d, ast.Def):
            defs.setdefault(d.name, d)
    place = {name: k for k, name in enumerate(defs)}
    words = {name: [w for w in _words(d) if w in defs] for name, d in defs.items()}
    if all(place[w] <= place[name] for name, found in words.items() for w in found):
        return {}  # nobody looks ahead
    mentions = {name: sorted((n for n in free_names(d) if n in defs and not (place[n] >= place[name] and older(n))),
                             key=place.__getitem__) for name, d in defs.items()}
    groups: dict[int, tuple[ast.Def, ...]] = {}
    for component in _components(mentions):
        if len(component) > 1:
            group = tuple(defs[n] for n in sorted(component, key=place.__getitem__))
            groups.update((id(d), group) for d in group)
    return groups


def _components(edges: dict[str, list[str]]) -> list[list[str]]:
    """Strongly connected components (Tarjan), without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on: set[str] = set()
    found: list[list[str]] = []
    for root in edges:
        if root in index:
            continue
        work: list[tuple[str, int]] = [(root, 0)]
        while work:
            here, k = work.pop()
            if k == 0:
                index[here] = low[here] = len(index)
                stack.append(here)
                on.add(here)
            for j in range(k, len(edges[here])):
                other = edges[here][j]
                if other not in index:
                    work.append((here, j + 1))
                    work.append((other, 0))
                    break
                if other in on:
                    low[here] = min(low[here], index[other])
            else:
                if low[here] == index[here]:
                    component: list[str] = []
                    while not component or component[-1] != here:
                        component.append(stack.pop())
                        on.discard(component[-1])
                    found.append(component)
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
    return found


# ---------------------------------------------------------------- mentions


def pending(c: Checker, node: ast.Def | ast.LetFun, ref: GlobalRef | LocalRef, size_vars: Sequence[SizeVar],
            type_vars: Sequence[TypeVar], params: Sequence[Type]) -> Pending:
    """What the header of a function says of its type; its parameters are bound, its body is still to be checked."""
    from .functions import chain, hide
    from .typexp import TypeContext, elaborate

    failed = c.failed
    result: Type
    if node.result is None:
        result = c.solver.meta()
    else:
        result = elaborate(TypeContext(c, c.file, lambda span: Size.of(c.solver.size_var(
            "_", span, "a size of the result"))), node.result)
    t = chain(c, node.params, params, result)
    c.solver.level -= 1
    if node.result is not None:
        t = hide(c, t, len(params), size_vars)
    c.solver.level += 1
    declared = (*(isinstance(p, ast.PAscribe) for p in node.params), node.result is not None)
    anonymous: dict[SizeMeta, None] = {}
    for param, written in zip(params, declared, strict=False):
        if written:
            for s in sizes_of(c.solver.zonk(param)):
                anonymous.update((a, None) for a in s.atoms()
                                 if isinstance(a, SizeMeta) and c.solver.levels[a.uid] >= c.solver.level)
    return Pending(node.name, node.name_span, ref, Scheme(tuple(type_vars), tuple(size_vars), t), tuple(anonymous),
                   declared, bool(node.params), c.failed and not failed)


def mention(c: Checker, node: ast.Node, function: Pending, span: Span) -> Type:
    """The type of a group's member where the group mentions it."""
    from .names import instantiate

    if not function.params:
        return c.error("E232", f"`{function.name}` is defined by itself", span, "its own value is needed here",
                       others=[(function.span, "the definition")],
                       notes=["only a function can mention itself: it does so when it is applied"],
                       help=f"name its parameters: `def {function.name} x = …`")
    header = function.scheme
    scheme = Scheme(header.type_vars, header.size_vars, c.solver.zonk(header.type))
    types, sizes, t = instantiate(c, scheme, function.name, span)
    anonymous: dict[SizeAtom, Size] = {a: c.solver.size_meta(a.name, a.origin, a.why) for a in function.anonymous}
    if anonymous:
        t = c.solver.substitute(t, anonymous)
    function.mentions.append(Mention(node, span, types, sizes, anonymous))
    c.uses[node] = RawUse(function.ref)
    return t


def same_result(c: Checker, function: Pending, body: ast.Exp, count: int, result: Type) -> None:
    """A result whose type is not written: what the body gives is what its mentions took it for."""
    from .infer import blame

    header: Type = function.scheme.type
    for _ in range(count):
        assert isinstance(header, Fun)
        header = header.result
    because = Because("from its use in its own body", function.mentions[0].span)
    c.unify(result, header, blame(body).span, because)


def settle(c: Checker, function: Pending, t: Type) -> bool:
    """Before generalisation: what the header leaves open is the same at every mention; otherwise say so."""
    if not function.mentions or c.failed:
        return True
    for m in function.mentions:
        here: dict[SizeAtom, Size] = {**dict(zip(function.scheme.size_vars, m.sizes, strict=True)), **m.anonymous}
        for meta, size in m.anonymous.items():
            found = c.solver.size(Size.of(meta))
            because = Because("", None, note=f"the body of `{function.name}` says which size this is")
            wanted = found.substitute(here)
            if found != Size.of(meta) and not c.unify(Array(size, UNIT), Array(wanted, UNIT), m.span, because):
                return False
    parts: list[Type] = []
    own: set[SizeVar] = set()
    for _ in function.declared[:-1]:
        assert isinstance(t, Fun)
        parts.append(t.param)
        if t.size_var is not None:
            own.add(t.size_var)
        t = t.result
    parts.append(t)
    header = function.scheme
    level, levels = c.solver.level, c.solver.levels
    for k, (part, declared) in enumerate(zip(parts, function.declared, strict=True)):
        if declared:
            continue
        part = c.solver.zonk(part)
        sizes: dict[SizeVar, None] = {}
        for s in sizes_of(part):
            sizes.update((a, None) for a in s.atoms() if isinstance(a, SizeVar))
        variables: list[TypeVar] = []

        def leaf(inner: Type, variables: list[TypeVar] = variables) -> Type | None:
            if isinstance(inner, TypeVar):
                variables.append(inner)
            return None

        map_type(part, leaf, lambda s: s)
        for m in function.mentions:
            differing = [v.name for v, s in zip(header.size_vars, m.sizes, strict=True)
                         if v in sizes and c.solver.size(s) != Size.of(v)]
            differing += [v.name for v, x in zip(header.type_vars, m.types, strict=True)
                          if v in variables and c.solver.prune(x) is not v]
            inside = [v for v in sizes if v in own or (v not in header.size_vars and levels.get(v.uid, 0) > level)]
            if differing or inside:
                _undeclared(c, function, k, part, m, differing)
                return False
    return True


def _undeclared(c: Checker, function: Pending, k: int, part: Type, at: Mention, differing: Sequence[str]) -> None:
    result = k == len(function.declared) - 1
    what = "the result" if result else f"parameter {k + 1}"
    why = (f"`{differing[0]}` may be another one in this call" if differing else
           "a call may give another size")
    c.error("E231", f"the type of {what} of `{function.name}` must be written, because it mentions itself", at.span,
            why, others=[(function.span, f"{what} is {messages.show(c, part)}")],
            notes=["what a recursive function's header leaves open is the same for all of its calls"],
            help=f"write the type of {what} in the header of `{function.name}`")


def finish(c: Checker, function: Pending, scheme: Scheme) -> None:
    """The mentions as uses of the type that the function turned out to have."""
    if c.failed:
        return
    header = function.scheme
    result = c.solver.zonk(scheme.type)
    for _ in function.declared[:-1]:
        assert isinstance(result, Fun)
        result = result.result
    if function.mentions and isinstance(result, Fun):
        c.error("E695", f"`{function.name}` calls itself and gives a function", function.mentions[0].span,
                "which function this call gives would be known only when it runs",
                others=[(function.span, f"its result is {messages.show(c, result)}")],
                help="take all arguments at once, so that the recursive call gives a value")
        return
    for m in function.mentions:
        if not scheme.type_vars and not scheme.size_vars:
            c.uses[m.node] = RawUse(function.ref, scheme if isinstance(function.ref, GlobalRef) else None)
            continue
        types = dict(zip(header.type_vars, m.types, strict=True))
        sizes: dict[SizeAtom | None, Size] = dict(zip(header.size_vars, m.sizes, strict=True))
        sizes.update((c.solver.size(Size.of(meta)).atom, size) for meta, size in m.anonymous.items())
        c.uses[m.node] = RawUse(function.ref, scheme, tuple(types.get(v, v) for v in scheme.type_vars),
                                tuple(sizes[v] if v in sizes else Size.of(v) for v in scheme.size_vars))
