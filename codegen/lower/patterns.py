"""Binding patterns to values, and reading the sizes that types name off the values' shapes."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom
from ...lang.sizes import Size, SizeVar
from ...lang.surface import ast
from .frame import Frame
from .values import FunV, RecV, SumV, TupV, Value, from_type, leaves


def bind(f: Frame, pattern: ast.Pattern, value: Value) -> None:
    """Give the pattern's names their parts of `value`."""
    match pattern:
        case ast.PName(name=name):
            bind_key(f, f.checked.bindings[pattern].key, named(f, value, name))
        case ast.PAscribe(pattern=inner):
            if f.checked.contracts:
                from .ranges import of_pattern

                of_pattern(f, pattern, value)
            bind(f, inner, value)
        case ast.PWild() if pattern in f.checked.bindings:
            bind_key(f, f.checked.bindings[pattern].key, value)
        case ast.PTuple(items=items) if isinstance(value, TupV):
            for item, part in zip(items, value.items, strict=True):
                bind(f, item, part)
        case ast.PRecord(fields=fields) if isinstance(value, RecV):
            for name, item in fields:
                bind(f, item, value.get(name))
        case ast.PConstr(name=name, arguments=arguments) if isinstance(value, SumV):
            for item, part in zip(arguments, value.get(name), strict=True):
                bind(f, item, part)
        case _:
            pass


def bind_key(f: Frame, key: int, value: Value) -> None:
    f.env[key] = value
    size = f.checked.binding_sizes.get(key)
    if size is not None and isinstance(value, (ir.Var, ir.Const)):
        f.sizes[size] = as_i64(f, value)
    for path, var in f.checked.field_sizes.get(key, {}).items():
        part = project(value, path)
        if isinstance(part, (ir.Var, ir.Const)):
            f.sizes[var] = as_i64(f, part)


def project(value: Value, path: Sequence[str]) -> Value:
    """The part of a record or tuple that stands at this path."""
    for name in path:
        if isinstance(value, TupV):
            value = value.items[int(name)]
        else:
            assert isinstance(value, RecV)
            value = value.get(name)
    return value


def plain_name(pattern: ast.Pattern) -> str:
    """The name that a pattern gives to the whole value, or nothing."""
    while isinstance(pattern, ast.PAscribe):
        pattern = pattern.pattern
    return pattern.name if isinstance(pattern, ast.PName) else ""


ANONYMOUS = frozenset({"t", "r", "x", "xs", "ys", "is", "n", "d", "s"})
"""Names that lowering gives where the source has none."""


def named(f: Frame, value: Value, name: str) -> Value:
    """The value, with the results of the last statement called `name` if they have no name of their own yet.

    Emitted code reads like its source.
    """
    if f.b.stmts and not isinstance(value, FunV):
        atoms = (value,) if isinstance(value, ir.Var) else leaves(value)
        for var in f.b.stmts[-1].vars:
            if var.name in ANONYMOUS and any(a is var for a in atoms):
                ir.called(var, name)
    return value


def as_i64(f: Frame, atom: Atom) -> Atom:
    if atom.type.dtype == "i64":
        return atom
    if isinstance(atom, ir.Const):
        return ir.Const(int(atom.value), "i64")
    return f.b.prim("cast", atom, to="i64")


def axes(t: ty.Type, value: Value) -> list[tuple[Size, Atom, int]]:
    """Each axis of each atom of `value`, with the size that its type `t` gives it."""
    found: list[tuple[Size, Atom, int]] = []
    atoms = iter(leaves(value))

    def leaf(_: ir.Type, sizes: tuple[Size, ...]) -> Atom:
        atom = next(atoms)
        found.extend((s, atom, axis) for axis, s in enumerate(sizes))
        return atom

    from_type(t, leaf)
    return found


def open_sizes(f: Frame, pairs: Iterable[tuple[ty.Type, Value]], wanted: Iterable[SizeVar]) -> None:
    """Learn `wanted` size variables from values of known types, by solving for them one axis at a time."""
    missing = {s for s in wanted if s not in f.sizes}
    if not missing:
        return
    known = [axis for t, value in pairs if data(t) for axis in axes(t, value)]
    for size, atom, axis in known:  # plain axes first, so that `n` is read where it stands alone
        var = size.atom
        if isinstance(var, SizeVar) and var in missing:
            f.sizes[var] = f.b.dim(atom, axis)
            missing.discard(var)
    progress = True
    while missing and progress:
        progress = False
        for size, atom, axis in known:
            unknown = {a for a in size.atoms() if isinstance(a, SizeVar) and a in missing}
            if len(unknown) != 1:
                continue
            var = unknown.pop()
            here = SizeVar("axis", -1)
            solved = (size - Size.of(here)).solve_for(var)
            if solved is not None and all(a == here or a in f.sizes or (isinstance(a, SizeVar) and a.fixed)
                                          for a in solved.atoms()):
                f.sizes[here] = f.b.dim(atom, axis)
                f.sizes[var] = f.size(solved)
                del f.sizes[here]
                missing.discard(var)
                progress = True
    for size, atom, axis in known:  # of an entry: `[2*n]` says what n is; its caller has checked that it does
        unknown = {a for a in size.atoms() if isinstance(a, SizeVar) and a in missing}
        if len(unknown) == 1:
            var = unknown.pop()
            parts = size.linear(var)
            if parts is not None:
                factor, rest = f.size(parts[0]), f.b.sub(f.b.dim(atom, axis), f.size(parts[1]))
                # Where the factor is 0, nothing is said of the size.
                f.sizes[var] = f.b.prim("div", rest, factor if isinstance(factor, ir.Const) else
                                        f.b.prim("max", factor, i64(1)))
                missing.discard(var)


def data(t: ty.Type) -> bool:
    """Whether values of the type hold no functions."""
    match t:
        case ty.Fun():
            return False
        case ty.Tuple(items):
            return all(data(i) for i in items)
        case ty.Record(fields):
            return all(data(i) for _, i in fields)
        case ty.Sum(constructors):
            return all(data(i) for _, items in constructors for i in items)
        case ty.Array(_, element):
            return data(element)
        case _:
            return True


def derivable(sizes: Iterable[SizeVar], param_types: Iterable[ty.Type]) -> set[SizeVar]:
    """The sizes that `open_sizes` finds from arguments of these types, whatever the arguments."""
    missing = set(sizes)
    known: list[Size] = []
    for t in param_types:
        if data(t):
            known.extend(leaf_sizes(t))
    found: set[SizeVar] = set()
    progress = True
    while missing and progress:
        progress = False
        for size in known:
            unknown = {a for a in size.atoms() if isinstance(a, SizeVar) and a in missing}
            if len(unknown) == 1:
                (var,) = unknown
                if (size - Size.of(SizeVar("axis", -1))).solve_for(var) is not None:
                    found.add(var)
                    missing.discard(var)
                    progress = True
    return found


def leaf_sizes(t: ty.Type) -> list[Size]:
    """Sizes of the axes that atoms of a value of this type have; a type variable counts as an atom or more."""
    match t:
        case ty.Array(size, element):
            inner = leaf_sizes(element)
            return [size, *inner] if has_leaf(element) else []
        case ty.Tuple(items):
            return [s for i in items for s in leaf_sizes(i)]
        case ty.Record(fields):
            return [s for _, i in fields for s in leaf_sizes(i)]
        case ty.Sum(constructors):
            return [s for _, items in constructors for i in items for s in leaf_sizes(i)]
        case _:
            return []


def has_leaf(t: ty.Type) -> bool:
    match t:
        case ty.Scalar() | ty.Sum():
            return True
        case ty.Array(_, element):
            return has_leaf(element)
        case ty.Tuple(items):
            return any(has_leaf(i) for i in items)
        case ty.Record(fields):
            return any(has_leaf(i) for _, i in fields)
        case _:
            return False
