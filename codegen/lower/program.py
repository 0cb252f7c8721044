"""`lower`: a checked program to IR, entry by entry, with the derived functions that are wanted of them."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from ...checker.result import Checked, Definition, GlobalRef, Use
from ...lang import types as ty
from ...lang.clock import timed
from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom
from ...lang.core.walk import called
from ...lang.diagnostics.report import Diagnostics
from ...lang.sizes import Size, SizeVar
from .builtins import loop_over
from .derivatives import curvature, derivative, jacobian_by, product_with, second_derivatives
from .expressions import expression
from .frame import Frame, UnknownSize
from .functions import Special, Specialiser, apply, definition_body, definition_value
from .memory import Memory
from .patterns import axes, open_sizes
from .promises import Stuck, Unknown, by_itself
from .values import FunV, RecV, TupV, Value, form, from_type, leaves, rebuild, the_atom

Kind = Literal["value_and_grad", "jvp", "vjp", "vmap", "jacobian", "jacfwd", "jacrev", "hessian", "hvp", "laplacian"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Transform:
    """A derived function that somebody wants of an entry.

    `value_and_grad`, `vjp`: parameters are the entry's, then (vjp) the cotangents of the result's floats; results are
    the value, then the cotangents of the floats of the parameters `wrt`. `jvp`: the entry's parameters, then the
    tangents of the floats of `wrt`; results are the value, then the tangents of its floats. `vmap`: parameters named in
    `wrt` have one more axis in front, and so have all results. `jacobian`, `jacfwd`, `jacrev`, `hessian`, `laplacian`:
    the entry's parameters; results are the derivative's floats: for each float of the result (`hessian`: of the
    gradient) the floats of a gradient. `hvp`: the parameters, then tangents of `wrt`; results are the product's floats.
    """

    entry: str
    kind: Kind
    wrt: tuple[str, ...]

    @property
    def function(self) -> str:
        return "__".join([self.entry, self.kind, *self.wrt])


@dataclass(frozen=True, slots=True)
class Lowered:
    """The program, and the IR function of each entry.

    That function's parameters are the atoms of the entry's parameters in order.
    """

    program: ir.Program
    entries: dict[str, str]
    transforms: dict[Transform, str]
    unknown: dict[str, Unknown] = field(default_factory=dict)
    """Functions that are called and have no body: those that definitions are given (`promises.py`)."""


@timed("lower")
def lower(
    checked: Checked, transforms: Sequence[Transform] = (), entries: Sequence[Definition] | None = None, *,
    promises: bool = False
) -> Lowered:
    """IR of the entries (or only of those given) and of `transforms` of them.

    With `promises` the entries may be any definitions, each is lowered by itself, and what the program says of grades
    is written down, for who checks it: see `promises.py`. Definitions that cannot be lowered by themselves are left
    out.

    Raises Diagnostics for what the checker accepts and no IR exists for: functions chosen at run time.
    """
    if promises:
        return alone(checked, checked.entries if entries is None else entries)
    made = Lowering(checked, transforms, entries)
    return Lowered(ir.Program(dict(made.specialiser.functions)), made.names, made.derived)


def alone(checked: Checked, definitions: Sequence[Definition]) -> Lowered:
    """Each definition by itself, with what it promises and demands."""
    specialiser = Specialiser(checked, expression)
    specialiser.promises = True
    for definition in definitions:
        specialiser.unique(definition.qualified)
    names: dict[str, str] = {}
    for definition in definitions:
        unfinished, looking = dict(specialiser.unfinished), list(specialiser.looking)
        try:
            if by_itself(specialiser, definition):
                names[definition.qualified] = definition.qualified
        except (Diagnostics, Stuck, UnknownSize):
            specialiser.unfinished, specialiser.looking, specialiser.inlined = unfinished, looking, 0
    return Lowered(ir.Program(dict(specialiser.functions)), names, {}, dict(specialiser.unknown))


class Lowering:
    """The IR of a checked program, to which derived functions are added as they are wanted.

    Raises Diagnostics as `lower` does; then it is of no use any more.
    """

    @timed("lower")
    def __init__(self, checked: Checked, transforms: Sequence[Transform] = (),
                 entries: Sequence[Definition] | None = None, memory: Memory | None = None) -> None:
        """`memory` is that of a program that is being edited."""
        self.checked = checked
        self.specialiser = specialiser = Specialiser(checked, expression, memory)
        wanted = checked.entries if entries is None else tuple(entries)
        for definition in wanted:  # entries have their names before anything else can take them
            specialiser.unique(definition.qualified)
        functions = {transform: specialiser.unique(transform.function) for transform in transforms}
        self.names = {definition.qualified: write_entry(checked, specialiser, definition) for definition in wanted}
        self.derived: dict[Transform, str] = {}
        self.by_name = {d.name: d for d in wanted}
        for transform, function in functions.items():
            self._write(transform, function)

    @timed("lower")
    def transform(self, transform: Transform) -> str:
        """The name of the function of a transform, written now if it was not yet."""
        if transform not in self.derived:
            self._write(transform, self.specialiser.unique(transform.function))
        return self.derived[transform]

    def _write(self, transform: Transform, name: str) -> None:
        definition = self.by_name[transform.entry]
        self.derived[transform] = write_transform(self.checked, self.specialiser, definition, transform, name)

    def reached(self, *roots: str) -> ir.Program:
        """What these functions call, in an order that says nothing of what else was lowered: callees first, as they
        are met.
        """
        functions = self.specialiser.functions
        found: dict[str, ir.Function] = {}
        entered: set[str] = set()
        pending: list[tuple[str, bool]] = [(root, False) for root in reversed(roots)]
        while pending:
            name, done = pending.pop()
            if done:
                found[name] = functions[name]
            elif name not in entered:
                entered.add(name)
                pending.append((name, True))
                pending.extend((other, False) for other in reversed(called(functions[name])))
        return ir.Program(found)

    def lowered(self, definition: Definition, *transforms: Transform) -> Lowered:
        """An entry with derived functions of it, and what they call."""
        name = self.names[definition.qualified]
        derived = {t: self.transform(t) for t in transforms}
        return Lowered(self.reached(name, *derived.values()), {definition.qualified: name}, derived)


def new_frame(checked: Checked, specialiser: Specialiser, name: str) -> Frame:
    return Frame(checked, specialiser, Builder(Fresh()), {}, {}, {}, name)


def parameters(frame: Frame, types: Sequence[ty.Type], names: Sequence[str], found: list[ir.Var]) -> list[Value]:
    """Fresh parameters for values of these types, appended to `found`."""
    values: list[Value] = []
    made: list[ir.Var] = []

    def leaf(t: ir.Type, sizes: tuple[Size, ...]) -> Atom:
        made.append(frame.b.fresh("x", t))
        return made[-1]

    for t, name in zip(types, names, strict=True):
        values.append(from_type(t, leaf))
        frame.name_params(name, values[-1])
    found.extend(frame.named(tuple(made)))
    return values


def write_entry(checked: Checked, specialiser: Specialiser, definition: Definition) -> str:
    name = definition.qualified
    frame = new_frame(checked, specialiser, name)
    frame.at(definition.node.name_span)
    params: list[ir.Var] = []
    args = parameters(frame, definition.param_types, definition.param_names, params)
    key = (("def", name, ()), form(TupV(tuple(args))))
    before = specialiser.remembered(("entry", key), name)
    if before is not None:
        specialiser.made[key] = before
        return name
    specialiser.unfinished[key] = name
    specialiser.looking.append({definition})
    check_constants(frame, definition, args)
    result = definition_body(frame, definition, args)
    del specialiser.unfinished[key]
    dims = tuple(frame.param_dims.get(p.id, (None,) * p.type.rank) for p in params)
    specialiser.functions[name] = ir.Function(name, tuple(params), frame.b.block(leaves(result)), definition.name, dims)
    special = Special(name, tuple(a.type for a in leaves(result)), result)
    specialiser.made[key] = special  # definitions below call this one
    specialiser.seen[name] = specialiser.looking.pop()
    specialiser.keep(("entry", key), special)
    return name


def check_constants(f: Frame, definition: Definition, args: Sequence[Value]) -> None:
    """Axes whose size is the value of a definition: who calls from outside cannot know it."""
    f = f.inside({}, {}, {})  # what is found here is not known of the parameters before it is checked
    for t, a in zip(definition.param_types, args, strict=True):
        for size, atom, axis in axes(t, a):
            if any(isinstance(s, SizeVar) and s.fixed for s in size.atoms()) and isinstance(size.atom, SizeVar):
                b = f.at(definition.node.name_span)
                b.prim("check_equal", b.dim(atom, axis), f.size(size), what=f"axis {axis} must have size {size}")


def write_transform(checked: Checked, specialiser: Specialiser, definition: Definition, transform: Transform,
                    name: str) -> str:
    frame = new_frame(checked, specialiser, name)
    frame.at(definition.node.name_span)
    params: list[ir.Var] = []
    wrt = set(transform.wrt)
    mapped = transform.kind == "vmap"
    batch = SizeVar("batch", -1)
    types = [ty.Array(Size.of(batch), t) if mapped and n in wrt else t
             for t, n in zip(definition.param_types, definition.param_names, strict=True)]
    args = parameters(frame, types, definition.param_names, params)
    open_sizes(frame, zip(types, args, strict=True), [batch, *definition.scheme.size_vars])
    for t, a in zip(types, args, strict=True):
        frame.note_dims(axes(t, a))
    itself = Use(GlobalRef(definition), sizes={v: Size.of(v) for v in definition.scheme.size_vars})
    target = definition_value(frame, definition, itself, definition.node.span)
    picked = tuple(a for a, n in zip(args, definition.param_names, strict=True) if n in wrt)

    def of_picked(g: Frame, given: Sequence[Value]) -> Value:
        """The entry, with these in place of the parameters in `wrt`."""
        supply = iter(given)
        return apply(g, target, [next(supply) if n in wrt else a
                                 for a, n in zip(args, definition.param_names, strict=True)])

    def invoke(g: Frame, captured: tuple[Value, ...], given: list[Value]) -> Value:
        inner = given[0]
        assert isinstance(inner, TupV)
        return of_picked(g, inner.items)

    function = FunV(1, ("transform", transform), (), invoke)
    x = TupV(picked)
    extra: list[ir.Var] = []

    def seeds(result: Value) -> list[Atom]:
        if transform.kind == "value_and_grad":
            return [ir.Const(1.0, a.type.dtype) for a in leaves(result)]
        floats = x if transform.kind in ("jvp", "hvp") else result
        extra.extend(frame.b.fresh("seed", a.type) for a in leaves(floats) if a.type.is_float)
        return list(extra)

    if mapped:
        values_as_sizes(frame, definition, [None if n in wrt else a
                                            for a, n in zip(args, definition.param_names, strict=True)])
        outputs = leaves(over_rows(frame, picked, definition.result_type, of_picked))
    elif transform.kind not in ("value_and_grad", "jvp", "vjp"):
        values_as_sizes(frame, definition, args)
        domain = ty.Tuple(tuple(t for t, n in zip(types, definition.param_names, strict=True) if n in wrt))
        outputs = leaves(of_higher_order(frame, transform.kind, function, x, domain, definition.result_type, seeds))
    else:
        mode: Literal["jvp", "vjp"] = "jvp" if transform.kind == "jvp" else "vjp"
        value, derived = derivative(frame, mode, function, x, seeds)
        outputs = [*leaves(value), *derived]
    dims = tuple(frame.param_dims.get(p.id, (None,) * p.type.rank) for p in (*params, *extra))
    specialiser.functions[name] = ir.Function(name, (*params, *extra), frame.b.block(outputs), definition.name, dims)
    return name


def of_higher_order(f: Frame, kind: Kind, function: FunV, x: Value, a: ty.Type, b: ty.Type,
                    seeds: Callable[[Value], list[Atom]]) -> Value:
    """A derivative of `function` from `a` to `b` at `x` in all directions, or of second order."""
    match kind:
        case "hessian":
            return second_derivatives(f, function, x, a)
        case "hvp":
            return product_with(f, function, x, seeds)
        case "laplacian":
            assert isinstance(b, ty.Scalar)
            return curvature(f, function, x, a, b.name)
        case "jacfwd" | "jacrev":
            return jacobian_by(f, kind, function, x, a, b)
        case _:
            return jacobian_by(f, "jacobian", function, x, a, b)


def over_rows(f: Frame, picked: Sequence[Value], element: ty.Type, of_picked: Callable[[Frame, Sequence[Value]], Value]
              ) -> Value:
    """The entry of each row of `picked`. Sizes that only a result knows are those of the first row's; others must have
    the same ones, as rows of one array."""
    def unknown(size: Size) -> bool:
        try:
            f.nested().size(size)
        except UnknownSize:
            return True
        return False

    sizes: list[Size] = []

    def leaf(_: ir.Type, found: tuple[Size, ...]) -> Atom:
        sizes.extend(s for s in found if unknown(s) and s not in sizes)
        return i64(0)

    from_type(element, leaf)
    if not sizes:
        return loop_over(f, picked, element, of_picked)
    there = f.b.prim("gt", f.b.dim(leaves(TupV(tuple(picked)))[0], 0), i64(0))
    first, none = f.nested(), f.nested()
    row = of_picked(first, [rebuild(v, iter([first.b.prim("index", a, i64(0)) for a in leaves(v)])) for v in picked])
    where = {size: (atom, axis) for size, atom, axis in reversed(axes(element, row)) if size in sizes}
    found = first.b.block([first.b.dim(*where[size]) for size in sizes])
    known = dict(zip(sizes, f.b.bind(ir.If(there, found, none.b.block([i64(0)] * len(sizes))), "size"), strict=True))

    def of_row(g: Frame, rows: list[Value]) -> Value:
        result = of_picked(g, rows)
        for size, atom, axis in axes(element, result):
            if size in known:
                g.b.prim("check_equal", g.b.dim(atom, axis), known[size],
                         what="the elements of an array differ in size")
        return result

    return loop_over(f, picked, element, of_row, known)


def values_as_sizes(f: Frame, definition: Definition, args: Sequence[Value | None]) -> None:
    """Sizes of the result that are the values of parameters, or of what these hold; None for parameters left out."""
    t: ty.Type = definition.scheme.type
    for arg in args:
        assert isinstance(t, ty.Fun)
        parts = [] if arg is None else [*t.parts, *([((), t.size_var)] if t.size_var is not None else [])]
        for path, var in parts:
            assert arg is not None
            value = arg
            for step in path:
                assert isinstance(value, TupV | RecV)
                value = value.items[int(step)] if isinstance(value, TupV) else value.get(step)
            f.sizes[var] = the_atom(value)
        t = t.result
