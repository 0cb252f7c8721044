"""Loop code as C11.

A function takes the context, its parameters, and where to put its results, a cell to each; it returns true when a check
failed: then the context holds the number of the check, and the values that its message needs. Text of several programs
can stand in one file: `emit` gives the functions of one, `whole` puts a head over them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from ...runtime.depth import LEVELS
from ..loops import tree
from ..loops.sites import DEPTH_SITE, FULL_SITE, HostCall, Site
from ..loops.tree import Code, Operand, Reg
from . import preamble
from .scalars import CELL, MEMORY, REGISTER, Attrs, Scalars, half_bits, number

BLOCK = 128
"""Numbers that are summed without halving them."""
DEEPEST = 64
"""Halvings of a sum, at most."""


@dataclass
class Unit:
    """The C functions of one program; `names` are theirs, `needed` the texts of what they call."""

    text: str
    names: dict[str, str]
    sites: list[Site] = field(default_factory=list)
    hosts: list[HostCall] = field(default_factory=list)
    needed: dict[str, str] = field(default_factory=dict)


def emit(program: tree.Program, prefix: str = "dad_of_") -> Unit:
    """The functions of a program, whose names begin with `prefix` in C."""
    names: dict[str, str] = {}
    for name in program.functions:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        taken = f"{prefix}{plain}" in names.values()
        names[name] = f"{prefix}{len(names)}_{plain}" if taken else f"{prefix}{plain}"
    unit = Unit("", names)
    heads = [f"bool {names[f.name]}({_params(f)});" for f in program.functions.values()]
    bodies = [FunctionWriter(unit, f).write() for f in program.functions.values()]
    unit.text = "\n".join([*heads, "", *bodies])
    return unit


def whole(units: Sequence[Unit]) -> str:
    """A file of C with the functions of several programs."""
    needed: dict[str, str] = {}
    for unit in units:
        needed |= unit.needed
    values = f"#define DAD_VALUES {most_values(units)}"
    return "\n".join([values, preamble.CONTEXT, preamble.MEMORY, preamble.HALF, preamble.FACE, *needed.values(),
                      *(unit.text for unit in units)])


def most_values(units: Sequence[Unit]) -> int:
    """How many values a failed check may leave."""
    return max((len(site.dtypes) for unit in units for site in unit.sites), default=0) or 1


def _params(f: tree.Function) -> str:
    return ", ".join(["dad_context *c", *(f"{ctype(p)} {_reg(p)}" for p in f.params), "dad_cell *out"])


def ctype(reg: Operand) -> str:
    """The type of a register."""
    return f"{MEMORY[reg.dtype]} *" if _pointer(reg) else REGISTER[reg.dtype]


def _pointer(x: Operand) -> bool:
    return isinstance(x, Reg) and x.pointer


def _reg(reg: Reg) -> str:
    return f"{'p' if reg.pointer else 'r'}{reg.id}"


def _at(x: Operand) -> str:
    return _reg(x) if isinstance(x, Reg) else number(x.value, x.dtype)


class FunctionWriter:
    def __init__(self, unit: Unit, function: tree.Function) -> None:
        self.unit = unit
        self.function = function
        self.lines: list[str] = []
        self.indent = "  "
        self.count = 0
        self.scalars = Scalars(unit.needed, self.scalar_host)

    def write(self) -> str:
        f = self.function
        if f.slots:
            self.line(f"int64_t slots = dad_slots(c, {f.slots});")
        self.code(f.body)
        for k, result in enumerate(f.results):
            self.put(f"out[{k}]", result)
        if f.slots:
            self.line("c->slot = slots;")
        self.line("return false;")
        return "\n".join([f"bool {self.unit.names[f.name]}({_params(f)}) {{", *self.lines, "}", ""])

    # ------------------------------------------------------------ text

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def fresh(self, name: str) -> str:
        self.count += 1
        return f"{name}{self.count}"

    def open(self, text: str) -> None:
        self.line(text + " {")
        self.indent += "  "

    def close(self) -> None:
        self.indent = self.indent[:-2]
        self.line("}")

    def define(self, reg: Reg, value: str) -> None:
        self.line(f"{ctype(reg)} {_reg(reg)} = {value};")

    def put(self, cell: str, value: Operand) -> None:
        if _pointer(value):
            self.line(f"{cell}.p = {_at(value)};")
        elif value.dtype == "f16":
            self.line(f"{cell}.f16 = dad_to_half({_at(value)});")
        else:
            self.line(f"{cell}.{CELL[value.dtype]} = {_at(value)};")

    def get(self, cell: str, out: Reg) -> None:
        if out.pointer:
            self.define(out, f"{cell}.p")
        elif out.dtype == "f16":
            self.define(out, f"dad_of_half({cell}.f16)")
        else:
            self.define(out, f"{cell}.{CELL[out.dtype]}")

    def site(self, site: Site) -> int:
        """Its number, from 1."""
        if site.name == FULL_SITE and site in self.unit.sites:
            return self.unit.sites.index(site) + 1
        self.unit.sites.append(site)
        return len(self.unit.sites)

    # ------------------------------------------------------------ code

    def code(self, code: Code) -> None:
        for node in code:
            self.node(node)

    def node(self, node: tree.Node) -> None:
        match node:
            case tree.Scalar(out, name, args, attrs):
                self.define(out, self.scalars.prim(name, out.dtype, tuple(a.dtype for a in args),
                                                   tuple(map(_at, args)), attrs))
            case tree.Load(out, base, offset):
                cell = f"{_reg(base)}[{_at(offset)}]"
                self.define(out, f"dad_of_half({cell})" if out.dtype == "f16" and not out.pointer else cell)
            case tree.Store(base, offset, value):
                given = f"dad_to_half({_at(value)})" if value.dtype == "f16" else _at(value)
                self.line(f"{_reg(base)}[{_at(offset)}] = {given};")
            case tree.Shift(out, base, offset):
                self.define(out, f"{_reg(base)} + {_at(offset)}")
            case tree.Alloc(out, count):
                self.define(out, f"dad_take(c, {_at(count)}, sizeof({MEMORY[out.dtype]}))")
                self.line(f"if (!{_reg(out)}) return dad_fail(c, {self.site(Site(FULL_SITE, (), (), None))});")
            case tree.Local(out, size):
                held = self.fresh("held")
                self.line(f"{MEMORY[out.dtype]} {held}[{size}];")
                self.define(out, held)
            case tree.Data(out, count, table):
                held = self.fresh("data")
                shown = [number(v, out.dtype) for v in table.values] or ["0"]
                if out.dtype == "f16":
                    shown = [str(half_bits(v)) for v in table.values] or ["0"]
                t = MEMORY[out.dtype]
                self.line(f"static const {t} {held}[] = {{{', '.join(shown)}}};")
                self.define(out, f"({t} *){held}")
                self.define(count, str(len(table.values)))
            case tree.Mark(out):
                self.line(f"char *{_reg(out)} = dad_mark(c);")
            case tree.Release(mark):
                self.line(f"dad_release(c, {_reg(mark)});")
            case tree.Resize(out, slot, count):
                self.define(out, f"dad_resize(c, slots + {_at(slot)}, {_at(count)}, sizeof({MEMORY[out.dtype]}))")
            case tree.Copy(target, source, count):
                self.line(f"dad_copy({_reg(target)}, {_reg(source)}, {_at(count)}, sizeof({MEMORY[target.dtype]}));")
            case tree.For():
                self.loop(node)
            case tree.Spread():
                self.spread(node)
            case tree.Lanes(index, start, count, body):
                k = self.fresh("k")
                self.open(f"for (int64_t {k} = 0; {k} < {count}; {k}++)")
                self.define(index, f"{_at(start)} + {k}")
                self.code(body)
                self.close()
            case tree.While():
                self.while_(node)
            case tree.Sum():
                self.sum(node)
            case tree.Choice():
                self.choice(node)
            case tree.Invoke():
                self.invoke(node)
            case tree.Host():
                self.host(node)
            case tree.Check():
                self.check(node)
            case tree.Linked(out):
                self.define(out, "false")
            case tree.Library(_, _, info):  # never run
                if info is not None:
                    self.define(info, "0")
            case tree.Poll():
                pass  # C runs to its end
            case _:
                assert_never(node)

    # ------------------------------------------------------------ loops

    def loop(self, node: tree.For) -> None:
        self.carry(node.carried, node.init)
        index, count = _reg(node.index), _at(node.count)
        if node.parallel:
            k = self.fresh("k")
            self.open(f"for (int64_t {k} = 0; {k} < {count}; {k}++)")
            self.line(f"int64_t {index} = DAD_ORDER({k}, {count});")
        else:
            self.open(f"for (int64_t {index} = 0; {index} < {count}; {index}++)")
        self.code(node.body)
        self.next(node.carried, node.next)
        self.close()
        self.carry(node.outs, node.carried)

    def spread(self, node: tree.Spread) -> None:
        """In parts, one after the other."""
        count, k = _at(node.count), self.fresh("k")
        self.open(f"for (int64_t {k} = 0; {k} < DAD_PARTS({count}); {k}++)")
        self.line(f"int64_t part{k} = DAD_ORDER({k}, DAD_PARTS({count}));")
        self.define(node.start, f"DAD_PART({count}, part{k})")
        self.define(node.stop, f"DAD_PART({count}, part{k} + 1)")
        self.code(node.body)
        self.close()

    def while_(self, node: tree.While) -> None:
        self.carry(node.carried, node.init)
        self.open("for (;;)")
        self.code(node.test)
        self.line(f"if (!{_at(node.cond)}) break;")
        self.code(node.body)
        self.next(node.carried, node.next)
        self.close()
        self.carry(node.outs, node.carried)

    def carry(self, regs: Sequence[Reg], values: Sequence[Operand]) -> None:
        for reg, value in zip(regs, values, strict=True):
            self.define(reg, _at(value))

    def next(self, regs: Sequence[Reg], values: Sequence[Operand]) -> None:
        """All at once: a value may be what another register was."""
        moved = [(reg, value) for reg, value in zip(regs, values, strict=True) if reg != value]
        changing = {reg.id for reg, _ in moved}
        late: list[str] = []
        for reg, value in moved:
            if isinstance(value, Reg) and value.id in changing:
                held = self.fresh("next")
                self.line(f"{ctype(reg)} {held} = {_at(value)};")
                late.append(f"{_reg(reg)} = {held};")
        for reg, value in moved:
            if not (isinstance(value, Reg) and value.id in changing):
                self.line(f"{_reg(reg)} = {_at(value)};")
        for text in late:
            self.line(text)

    def sum(self, node: tree.Sum) -> None:
        """Blocks from left to right, with a stack for the halves that wait; there is no room for many of them."""
        sums = [(out, value, self.fresh("room"), self.fresh("part")) for out, value in
                ((node.out, node.value), *node.more)]
        n, at, lo, k = self.fresh("n"), self.fresh("at"), self.fresh("lo"), self.fresh("k")
        left = " ".join(f"{REGISTER[out.dtype]} left{j};" for j, (out, *_) in enumerate(sums))
        for out, *_ in sums:
            d, t = out.dtype, REGISTER[out.dtype]
            self.unit.needed.setdefault(f"block_sum_{d}", preamble.block_sum(d, t))
            self.line(f"{t} {_reg(out)};")
        self.open("")
        self.line(f"struct {{ int64_t size; {left} bool half; }} wait[{DEEPEST}];")
        self.line(f"int64_t {n} = {_at(node.count)}, {lo} = 0;")
        self.line(f"int {at} = 0;")
        self.open("for (;;)")
        self.open(f"while ({n} > {BLOCK})")
        self.line(f"int64_t left = {n} / 2 / 8 * 8;")
        self.line(f"wait[{at}].size = {n} - left; wait[{at}++].half = false;")
        self.line(f"{n} = left;")
        self.close()
        for out, _, room, _ in sums:
            self.line(f"{REGISTER[out.dtype]} {room}[{BLOCK}];")
        self.open(f"for (int64_t {k} = 0; {k} < {n}; {k}++)")
        self.line(f"int64_t {_reg(node.index)} = {lo} + {k};")
        self.code(node.body)
        for _, value, room, _ in sums:
            self.line(f"{room}[{k}] = {_at(value)};")
        self.close()
        self.line(f"{lo} += {n};")
        for out, _, room, part in sums:
            self.line(f"{REGISTER[out.dtype]} {part} = dad_block_sum_{out.dtype}({room}, {n});")
        self.open(f"while ({at} && wait[{at} - 1].half)")
        self.line(f"{at}--;")
        for j, (out, _, _, part) in enumerate(sums):
            added = f"wait[{at}].left{j} + {part}"
            self.line(f"{part} = {f'dad_rounded({added})' if out.dtype == 'f16' else added};")
        self.close()
        ends = " ".join(f"{_reg(out)} = {part};" for out, _, _, part in sums)
        self.line(f"if (!{at}) {{ {ends} break; }}")
        kept = " ".join(f"wait[{at} - 1].left{j} = {part};" for j, (*_, part) in enumerate(sums))
        self.line(f"{kept} wait[{at} - 1].half = true; {n} = wait[{at} - 1].size;")
        self.close()
        self.close()

    def choice(self, node: tree.Choice) -> None:
        for out in node.outs:
            self.line(f"{ctype(out)} {_reg(out)};")
        self.open(f"if ({_at(node.cond)})")
        self.code(node.then)
        for out, value in zip(node.outs, node.then_values, strict=True):
            self.line(f"{_reg(out)} = {_at(value)};")
        self.close()
        if not node.orelse and not node.outs:
            return
        self.lines[-1] += " else {"
        self.indent += "  "
        self.code(node.orelse)
        for out, value in zip(node.outs, node.orelse_values, strict=True):
            self.line(f"{_reg(out)} = {_at(value)};")
        self.close()

    # ------------------------------------------------------------ calls and checks

    def check(self, node: tree.Check) -> None:
        site = self.site(Site(node.name, node.attrs, tuple(v.dtype for v in node.values), node.span))
        self.open(f"if (!{_at(node.holds)})")
        for k, value in enumerate(node.values):
            self.put(f"c->values[{k}]", value)
        self.line(f"return dad_fail(c, {site});")
        self.close()

    def invoke(self, node: tree.Invoke) -> None:
        site = self.site(Site(DEPTH_SITE, (("function", node.function),), (), node.span))
        outs = self.fresh("outs")
        self.line(f"dad_cell {outs}[{max(len(node.outs), 1)}];")
        self.line(f"if (++c->depth > {LEVELS}) return dad_fail(c, {site});")
        args = ", ".join(["c", *map(_at, node.args), outs])
        self.line(f"if ({self.unit.names[node.function]}({args})) return true;")
        self.line("c->depth--;")
        for k, out in enumerate(node.outs):
            self.get(f"{outs}[{k}]", out)

    def host(self, node: tree.Host) -> None:
        call = HostCall(node.name, node.attrs, tuple((a[0].dtype, len(a) - 1) for a in node.args),
                        tuple((r[0].dtype, len(r) - 1) for r in node.results))
        outs = self.fresh("outs")
        self.call_host(call, [x for group in node.args for x in group], outs)
        for k, out in enumerate(r for group in node.results for r in group):
            self.get(f"{outs}[{k}]", out)

    def call_host(self, call: HostCall, args: Sequence[Operand], outs: str) -> None:
        if call not in self.unit.hosts:
            self.unit.hosts.append(call)
        given = self.fresh("given")
        self.line(f"dad_cell {given}[{max(len(args), 1)}], {outs}[{sum(1 + rank for _, rank in call.results)}];")
        for k, arg in enumerate(args):
            self.put(f"{given}[{k}]", arg)
        self.line(f"if (c->host(c, {self.unit.hosts.index(call)}, {given}, {outs})) return true;")

    def scalar_host(self, name: str, attrs: Attrs, out: str, dtypes: tuple[str, ...], args: tuple[str, ...]) -> str:
        """A primitive on scalars that is called back: the name of the result."""
        call = HostCall(name, attrs, tuple((d, 0) for d in dtypes), ((out, 0),))
        if call not in self.unit.hosts:
            self.unit.hosts.append(call)
        given, outs = self.fresh("given"), self.fresh("outs")
        self.line(f"dad_cell {given}[{len(args)}], {outs}[1];")
        for k, (arg, d) in enumerate(zip(args, dtypes, strict=True)):
            self.line(f"{given}[{k}].{CELL[d]} = {f'dad_to_half({arg})' if d == 'f16' else arg};")
        self.line(f"if (c->host(c, {self.unit.hosts.index(call)}, {given}, {outs})) return true;")
        return f"dad_of_half({outs}[0].f16)" if out == "f16" else f"{outs}[0].{CELL[out]}"
