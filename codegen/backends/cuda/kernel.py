"""Loop code in a thread, as CUDA C.

What a thread runs is a function that returns true when a check failed, as in C (`backends/c/emit.py`): then its
`dad_thread` says which, and a kernel reports that. Sums take their terms from a function, eight partial sums at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ....lang.core.ir import Table
from ..c.emit import BLOCK, FunctionWriter, Unit, ctype
from ..c.scalars import MEMORY, REGISTER, half_bits, number
from ..loops import tree
from ..loops.fuse import straight
from ..loops.sites import FULL, Site
from ..loops.tree import Imm, Operand, Reg
from .device import orders, terms
from .device import sums as device_sums
from .scalars import DeviceScalars

SHORT = 16
"""Nodes of a body that a thread computes several times beside each other."""
FEW = 16
"""Terms of a sum whose arrays may be registers, each term with code of its own."""


def sorts(node: tree.Node) -> bool:
    """Whether it is a sort that a thread can do."""
    return isinstance(node, tree.Host) and node.name == "argsort" and len(node.args[0]) == 2 and (
        node.args[0][0].dtype != "f16")


def operand(x: Operand) -> str:
    return register(x) if isinstance(x, Reg) else number(x.value, x.dtype)


def register(reg: Reg) -> str:
    return f"{'p' if reg.pointer else 'r'}{reg.id}"


@dataclass
class DeviceUnit(Unit):
    """`special` are names of elementary and special functions that the text calls."""

    special: dict[str, None] = field(default_factory=dict)


class ThreadWriter(FunctionWriter):
    """Writes the functions of a thread."""

    def __init__(self, unit: DeviceUnit, function: tree.Function) -> None:
        super().__init__(unit, function)
        self.scalars = DeviceScalars(unit.needed, unit.special)
        self.locals: list[str] = []
        """Small arrays: they live as long as the function runs."""
        self.fails = False
        """Whether there is a check in the text."""

    def site(self, site: Site) -> int:
        self.fails = True
        return super().site(site)

    def head(self) -> str:
        f = self.function
        params = ", ".join(["dad_thread *c", *(f"{ctype(p)} {register(p)}" for p in f.params), "dad_cell *out"])
        return f"static __device__ bool {self.unit.names[f.name]}({params})"

    def write(self) -> str:
        f = self.function
        if f.slots:
            self.blocks(f.slots)
            self.line("char *kept_end = c->end;")
        self.code(f.body)
        for k, result in enumerate(f.results):
            self.put(f"out[{k}]", result)
        if f.slots:
            self.line("c->end = kept_end;")
        self.line("return false;")
        return "\n".join([f"{self.head()} {{", *self.locals, *self.lines, "}", ""])

    def blocks(self, count: int) -> None:
        self.line(f"dad_block slots[{count}];")
        self.line(f"for (int k = 0; k < {count}; k++) {{ slots[k].start = 0; slots[k].size = 0; }}")

    def get(self, cell: str, out: Reg) -> None:
        if out.pointer:
            self.define(out, f"({ctype(out)}){cell}.p")
        else:
            super().get(cell, out)

    def full(self, out: Reg) -> None:
        self.line(f"if (!{register(out)}) return dad_fail(c, {self.site(FULL)});")

    def node(self, node: tree.Node) -> None:
        match node:
            case tree.Alloc(out, count):
                self.define(out, f"({ctype(out)})dad_take(c, {operand(count)}, sizeof({MEMORY[out.dtype]}))")
                self.full(out)
            case tree.Host() if sorts(node):
                (x, n), (out, size) = node.args[0], node.results[0]
                self.unit.needed["dad_argsort"] = orders.TEXT
                self.define(out, f"(int64_t *)dad_take(c, {operand(n)}, sizeof(int64_t))")
                self.full(out)
                self.define(size, operand(n))
                self.line(f"if (dad_argsort(c, {operand(x)}, {operand(n)}, {register(out)})) "
                          f"return dad_fail(c, {self.site(FULL)});")
            case tree.Local(out, size):
                held = self.fresh("held")
                self.locals.append(f"  {MEMORY[out.dtype]} {held}[{size}];")
                self.define(out, held)
            case tree.Data(out, count, table):
                self.data(out, table)
                self.define(count, str(len(table.values)))
            case tree.Mark(out):
                self.line(f"char *{register(out)} = c->top;")
            case tree.Release(mark):
                self.line(f"c->top = {register(mark)};")
            case tree.Resize(out, slot, count):
                self.define(out, f"({ctype(out)})dad_resize(c, slots + {operand(slot)}, {operand(count)}, "
                                 f"sizeof({MEMORY[out.dtype]}))")
                self.full(out)
            case tree.Copy(target, source, count):
                self.line(f"dad_copy({register(target)}, {register(source)}, {operand(count)} * "
                          f"(int64_t)sizeof({MEMORY[target.dtype]}));")
            case _:
                super().node(node)

    def data(self, out: Reg, table: Table) -> None:
        """The address of a table that stands in the text."""
        name = "table_" + "".join(ch if ch.isalnum() else "_" for ch in table.name) + "_" + table.dtype
        held = [half_bits(v) for v in table.values] if out.dtype == "f16" else table.values
        shown = [str(v) if out.dtype == "f16" else number(v, out.dtype) for v in held] or ["0"]
        t = MEMORY[out.dtype]
        self.unit.needed.setdefault(name, f"static __device__ const {t} {name}[] = {{{', '.join(shown)}}};\n")
        self.define(out, f"({t} *){name}")

    def loop(self, node: tree.For) -> None:
        self.carry(node.carried, node.init)
        index, count = register(node.index), operand(node.count)
        self.open(f"for (int64_t {index} = 0; {index} < {count}; {index}++)")
        self.code(node.body)
        self.next(node.carried, node.next)
        self.close()
        self.carry(node.outs, node.carried)

    def invoke(self, node: tree.Invoke) -> None:
        """A call of a function that does not call itself: those are the host's."""
        self.fails = True
        outs = self.fresh("outs")
        self.line(f"dad_cell {outs}[{max(len(node.outs), 1)}];")
        args = ", ".join(["c", *map(operand, node.args), outs])
        self.line(f"if ({self.unit.names[node.function]}({args})) return true;")
        for k, out in enumerate(node.outs):
            self.get(f"{outs}[{k}]", out)

    # ------------------------------------------------------------ sums

    def term(self, node: tree.Sum) -> str:
        """A function of an index that gives the terms of the sums, and whether a check failed."""
        sums = ((node.out, node.value), *node.more)
        name = self.fresh("term")
        given = "".join(f", {REGISTER[out.dtype]} &v{k}" for k, (out, _) in enumerate(sums))
        self.open(f"auto {name} = [&](int64_t {register(node.index)}{given}) -> bool")
        self.code(node.body)
        for k, (_, value) in enumerate(sums):
            self.line(f"v{k} = {operand(value)};")
        self.line("return false;")
        self.close()
        self.lines[-1] += ";"
        return name

    def sum(self, node: tree.Sum) -> None:
        """In NumPy's order, by a template that has the term's code once, or, if it is short, a few times."""
        sums = [out for out, _ in ((node.out, node.value), *node.more)]
        dtypes = [out.dtype for out in sums]
        name = device_sums.signature(dtypes)
        self.unit.needed.setdefault(f"terms {name}", terms.text(dtypes))
        term = self.term(node)
        for out, d in zip(sums, dtypes, strict=True):
            self.line(f"{REGISTER[d]} {register(out)};")
        known = int(node.count.value) if isinstance(node.count, Imm) else BLOCK + 1
        times = 8 if known <= FEW or (len(node.body) <= SHORT and straight(node.body)) else 0
        outs = ", ".join(map(register, sums))
        way = f"dad_few_{name}<{times}>({term}, 0," if known <= BLOCK else f"dad_terms_{name}<{times}>({term},"
        self.line(f"if ({way} {operand(node.count)}, {outs})) return true;")
