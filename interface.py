"""From the checker's types to what a back end is told about entries (`codegen/backends/entry.py`)."""
from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from .checker.result import Checked, Definition
from .codegen.backends.entry import (
    ArrayOf,
    ArraySpec,
    DimSpec,
    EntrySpec,
    ParamSpec,
    RecordSpec,
    ScalarSpec,
    SumSpec,
    TupleSpec,
    ValueSpec,
    is_float,
    leaves,
)
from .codegen.backends.numpy.module import plain
from .codegen.lower import Kind, Lowered, Transform
from .codegen.runtime.entry import shared_sizes
from .lang import types as ty
from .lang.core import ir
from .lang.sizes import Opaque, Size, SizeAtom, SizeVar

USUAL: tuple[Kind, ...] = ("value_and_grad", "jvp", "vjp", "vmap")
"""What built modules have without being asked."""
OF_NUMBERS: tuple[Kind, ...] = ("value_and_grad", "hessian", "hvp", "laplacian")
"""Derivatives of entries to one float."""
JACOBIANS: tuple[Kind, ...] = ("jacobian", "jacfwd", "jacrev")


def entry_specs(checked: Checked, lowered: Lowered, grades: Mapping[str, str] | None = None) -> tuple[EntrySpec, ...]:
    """The entries of a program, with the derived functions that were lowered with it, and (by their names) how smooth
    they are.
    """
    specs = []
    for definition in checked.entries:
        derived: dict[str, str] = {t.kind: name for t, name in lowered.transforms.items() if t.entry == definition.name}
        wrt = next((t.wrt for t in lowered.transforms if t.entry == definition.name and t.kind != "vmap"), None)
        spec = entry_spec(definition, lowered.entries[definition.qualified], derived, wrt)
        specs.append(replace(spec, grades=(grades or {}).get(definition.name, "")))
    return tuple(specs)


def entry_spec(definition: Definition, function: str, transforms: dict[str, str], active: tuple[str, ...] | None = None
               ) -> EntrySpec:
    *types, result = told_apart(definition)
    params = tuple(ParamSpec(name, value_spec(t), activity) for name, t, activity in
                   zip(definition.param_names, types, definition.activities, strict=True))
    return EntrySpec(definition.name, function, params, value_spec(result), definition.node.doc or "",
                     transforms, active, nondet=definition.nondet)


def told_apart(definition: Definition) -> list[ty.Type]:
    """The types of the parameters and of the result, each size with a name of its own.

    Back ends know sizes by name, but inference may have left two sizes that are both called `n`, or one that is called
    like a parameter which it is not.
    """
    types = [*definition.param_types, definition.result_type]
    found = dict.fromkeys(a for t in types for size in ty.sizes_of(t) for a in variables(size))
    own: set[SizeVar] = set()
    t: ty.Type = definition.scheme.type
    for _ in definition.param_types:
        assert isinstance(t, ty.Fun)
        if t.size_var is not None:
            own.add(t.size_var)
        t = t.result
    taken = set(definition.param_names)
    renamed: dict[SizeAtom, Size] = {}
    for var in sorted(found, key=lambda v: v not in own):
        name, number = var.name, 2
        while name in taken and var not in own:
            name, number = f"{var.name}_{number}", number + 1
        taken.add(name)
        if name != var.name:
            renamed[var] = Size.of(SizeVar(name, var.uid, var.origin, var.why))
    if not renamed:
        return types
    return [ty.map_type(t, lambda _: None, lambda size: renaming(size, renamed)) for t in types]


def variables(size: Size) -> Iterator[SizeVar]:
    for atom in size.atoms():
        if isinstance(atom, SizeVar):
            yield atom
        elif isinstance(atom, Opaque):
            for operand in atom.operands:
                yield from variables(operand)


def renaming(size: Size, renamed: Mapping[SizeAtom, Size]) -> Size:
    """The size with other names for its variables; these are equal to the old ones, so terms are put together anew."""
    terms = []
    for monomial, coefficient in size.terms:
        atoms: list[SizeAtom] = []
        for atom in monomial:
            if isinstance(atom, Opaque):
                atoms.append(Opaque(atom.op, tuple(renaming(o, renamed) for o in atom.operands)))
            else:
                new = renamed.get(atom)
                only = new.atom if new is not None else None
                atoms.append(only if only is not None else atom)
        terms.append((tuple(atoms), coefficient))
    return Size(tuple(terms))


def usual_transforms(checked: Checked) -> Sequence[Transform]:
    """What `dad build` derives: first derivatives and `vmap`, where an entry's type allows them."""
    return transforms_of(checked, USUAL)


def transforms_of(checked: Checked, kinds: Collection[Kind]) -> list[Transform]:
    """Those of these kinds that the entries' types allow, for the usual parameters."""
    return [Transform(definition.name, kind, wrt) for definition in checked.entries
            for kind, wrt in possible(definition) if kind in kinds]


def axis_formulas(definition: Definition) -> dict[tuple[int, int], Size]:
    """Of the IR function of an entry, or of a derivative of it: the declared size of each axis of a parameter."""
    from .codegen.lower.values import from_type

    found: list[tuple[Size, ...]] = []

    def leaf(t: ir.Type, sizes: tuple[Size, ...]) -> ir.Atom:
        found.append(sizes)
        return ir.Var(len(found), "x", t)

    *types, _ = told_apart(definition)
    for t in types:
        from_type(t, leaf)
    return {(k, axis): size for k, sizes in enumerate(found) for axis, size in enumerate(sizes)}


def possible(definition: Definition) -> list[tuple[Kind, tuple[str, ...]]]:
    """Kinds of transforms that make sense for an entry, with the parameters they are taken over."""
    spec = entry_spec(definition, "", {})
    kinds: list[tuple[Kind, tuple[str, ...]]] = []
    if spec.wrt:
        if isinstance(spec.result, ScalarSpec) and spec.result.dtype in ty.FLOATS:
            kinds += [(kind, spec.wrt) for kind in OF_NUMBERS]
        if any(is_float(dtype) for dtype, _ in leaves(spec.result)):
            kinds += [("jvp", spec.wrt), ("vjp", spec.wrt)]
            if not unknown_sizes(definition):
                kinds += [(kind, spec.wrt) for kind in JACOBIANS]
    plain_params = [(p.name, p.activity, plain(p.value)) for p in spec.params]
    shared = shared_sizes(plain_params, plain(spec.result))
    mapped = tuple(name for name in definition.param_names if name not in shared)
    if any(True for p in spec.params if p.name in mapped for _ in leaves(p.value)):
        kinds.append(("vmap", mapped))
    return kinds


def unknown_sizes(definition: Definition) -> list[SizeVar]:
    """Sizes of an entry's result that neither its arguments' shapes nor their values say."""
    known: set[SizeVar] = {v for t in definition.param_types for size in ty.sizes_of(t) for v in variables(size)}
    t: ty.Type = definition.scheme.type
    for _ in definition.param_types:
        assert isinstance(t, ty.Fun)
        known.update(v for _, v in t.parts)
        if t.size_var is not None:
            known.add(t.size_var)
        t = t.result
    return [v for size in ty.sizes_of(definition.result_type) for v in variables(size)
            if v not in known and not v.fixed]


def value_spec(t: ty.Type, dims: tuple[DimSpec, ...] = ()) -> ValueSpec:
    match t:
        case ty.Scalar(name):
            return ArraySpec(name, dims) if dims else ScalarSpec(name)
        case ty.Array(size, element):
            return value_spec(element, (*dims, dim_spec(size)))
        case ty.Tuple(items):
            whole = TupleSpec(tuple(value_spec(i) for i in items))
            return ArrayOf(dims, whole) if dims else whole
        case ty.Record(_, name):
            record = RecordSpec(name, tuple((f, value_spec(i)) for f, i in t.written))
            return ArrayOf(dims, record) if dims else record
        case ty.Sum(_, name):
            cases = tuple((c, tuple(value_spec(i) for i in items)) for c, items in t.written)
            variant = SumSpec(name, ty.TAG, cases)
            return ArrayOf(dims, variant) if dims else variant
        case _:
            raise TypeError(f"no Python form for values of type {ty.show(t)}")


def dim_spec(size: Size) -> DimSpec:
    if any(isinstance(a, SizeVar) and a.fixed for a in size.atoms()):
        return DimSpec(str(size), ((1, (f"{size} (a constant)",)),))
    terms = tuple((c, tuple(str(Size.of(a)) for a in monomial)) for monomial, c in size.terms)
    return DimSpec(str(size), terms)
