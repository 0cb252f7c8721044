"""`lower`: a checked program to IR, entry by entry."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...checker.result import Checked, Definition
from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom
from ...lang.sizes import Size
from .expressions import expression
from .frame import Frame
from .functions import Specialiser, definition_body
from .values import Value, from_type, leaves


@dataclass(frozen=True, slots=True)
class Lowered:
    """The program, and the IR function of each entry, whose parameters are the atoms of the entry's parameters in order."""

    program: ir.Program
    entries: dict[str, str]


def lower(checked: Checked, definitions: Sequence[Definition] | None = None) -> Lowered:
    """IR of the entries (or of these definitions, which must not be polymorphic or take functions).

    Raises Diagnostics for what the checker accepts and no IR exists for: functions chosen at run time.
    """
    specialiser = Specialiser(checked, expression)
    entries: dict[str, str] = {}
    wanted = checked.entries if definitions is None else tuple(definitions)
    for definition in wanted:  # entries have their names before anything else can take them
        specialiser.names.setdefault(definition.qualified, 1)
    for definition in wanted:
        entries[definition.qualified] = write_entry(checked, specialiser, definition)
    return Lowered(ir.Program(dict(specialiser.functions)), entries)


def write_entry(checked: Checked, specialiser: Specialiser, definition: Definition) -> str:
    supply = Fresh()
    frame = Frame(checked, specialiser, Builder(supply), {}, {}, {})
    params: list[ir.Var] = []

    def leaf(t: ir.Type, sizes: tuple[Size, ...]) -> Atom:
        params.append(supply.var("x", t))
        return params[-1]

    args: list[Value] = [from_type(t, leaf) for t in definition.param_types]
    result = definition_body(frame, definition, args)
    block = frame.b.block(leaves(result))
    dims = tuple(frame.param_dims.get(p.id, (None,) * p.type.rank) for p in params)
    function = ir.Function(definition.qualified, frame.named(tuple(params)), block, definition.name)
    specialiser.functions[function.name] = replace(function, dims=dims)
    return function.name

