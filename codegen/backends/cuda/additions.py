"""Kernels of loops whose iterations meet in places that they add to."""

from __future__ import annotations

from ..c.emit import ctype
from ..c.scalars import MEMORY
from ..loops import tree
from ..loops.operands import defined, everything, read
from ..loops.tree import Imm, Operand, Reg
from .bodies import AddWriter, AtomicWriter
from .device import parts as device_parts
from .device import scatters
from .frame import takes_scratch
from .glue import KERNEL, report
from .kernel import register
from .levels import HOST_DTYPES, HOST_OPS
from .places import Places, bound
from .python import python_of
from .slots import Slots, slots_of
from .totals import Totals
from .zeros import mentions


class Additions(Totals):
    """Writes them, and what launches them."""

    def known_places(self, node: tree.For, found: Places) -> bool:
        """Whether the host knows where the arrays are that the loop adds to."""
        if any(self.local(t.root) is None or self.local(t.count) is None for t in found.targets):
            return False
        inside = set(defined([node]))
        return all(self.local(r) is not None for r in read(node.body) if r not in inside and r.id in found.pointers)

    def adding(self, node: tree.For, found: Places) -> bool:
        """Iterations that meet in places only that they add to, at once; False where the host does not know where
        these are."""
        if not self.known_places(node, found):
            return False
        outer = [r for r in read(node.body) if r not in set(defined([node]))]
        bounds = [self.count_of(bound(node.body, found, k), node) for k in range(len(found.targets))]
        count = self.force(node.count)
        targets_of = frozenset(t.root.id for t in found.targets)
        if self.pending or self.draft or any(mentions(node, self.memory, root) for _, roots in self.additions
                                             for root in roots - targets_of):
            self.flush()
        name = self.owner.fresh("k")
        writer = self.writer_of(node.body, {t.root.id: f"places{k}" for k, t in enumerate(found.targets)})
        writer.code(node.body)
        kernel = self.given(name, outer)
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(name, writer, params, args)
        for reg in kernel.values:
            if reg.id in found.pointers:
                k = found.pointers[reg.id]
                loads.append(f"  {register(reg)} = ({ctype(reg)})(at_{register(reg)} + shift{k});")
        index = register(node.index)
        each = range(len(found.targets))
        loads += [f"  dad_memory places{k} = {{(char *)room{k}, (char *)room{k} + 8 * part, number}};" for k in each]
        types = [MEMORY[t.root.dtype] for t in found.targets]
        firsts = [line for k, t in enumerate(found.targets) for line in (
            f"  for (int64_t j = 0; j < own{k}; j++) dad_word(places{k}, ({types[k]} *)room{k} + j) = "
            f"{device_parts.neutral(t.op, t.root.dtype)};",)]
        formal = ["dad_thread *c", *self.formal(kernel, False), *(f"dad_memory places{k}" for k in each),
                  f"int64_t {index}"]
        actual = ", ".join(["c", *self.actual(kernel, False), *(f"places{k}" for k in each), "k"])
        shifts = [f"int64_t {word}{k}" for k in each for word in ("shift", "room", "own")]
        head = ["dad_run *run", "int64_t count", "int64_t number", "int64_t size", *shifts, *params]
        text = [f"DAD_DEVICE bool {name}_body({', '.join(formal)}) {{", *writer.text(), "  return false;", "}",
                f"{KERNEL}{name}({', '.join(head)}) {{", stops,
                "  int64_t part = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;",
                "  if (part >= number) return;", *loads, *firsts, "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, part, (int64_t)gridDim.x * blockDim.x);", "  char *top = c->top, *end = c->end;",
                "  int64_t last = part * size + size < count ? part * size + size : count;",
                "  for (int64_t k = part * size; k < last; k++) {", "    c->top = top; c->end = end;",
                f"    if ({name}_body({actual})) {report(writer, 'k')}", "  }", "}", ""]
        self.owner.kernel("\n".join(text), name)
        kinds = [scatters.atomic(t.op, t.root.dtype, self.owner.nondet) for t in found.targets]
        other = "None"
        slots: list[Slots | None] = [None] * len(found.targets)
        if kinds and None not in kinds:
            other = repr(self.direct(node, found, outer, writer.fails))
        elif found.targets and None not in bounds:
            slots = slots_of(node.body, found, self.memory)
            other = repr(self.written_down(node, found, outer, writer.fails, slots))
            bounds = [most if made is None else str(made.count) for most, made in zip(bounds, slots, strict=True)]
        targets = []
        for t, most, row in zip(found.targets, bounds, [s.width if s else 0 for s in slots], strict=True):
            self.owner.joins(t.op, t.root.dtype)
            fresh = self.zeroed.pop(t.root.id, None) is not None
            targets.append(f"({self.local(t.root)}, {self.local(t.count)}, {t.root.dtype!r}, {t.op!r}, {most}, {row}, "
                           f"{fresh})")
        scratch = "True" if takes_scratch(node.body) else "False"
        where = f"[{', '.join(targets)}]"
        if None in kinds or not kinds:
            given = ", ".join([repr(name), other, count, scratch, where, f"({''.join(f'{a}, ' for a in args)})"])
            self.additions = [*self.additions, (f"({given})", targets_of)]
        else:
            self.flush()
            self.line(f"run.adding_there({', '.join([repr(name), other, count, scratch, where, *args])})")
        return True

    def direct(self, node: tree.For, found: Places, outer: list[Reg], fails: bool) -> str:
        """The kernel whose iterations add where the places are, in any order."""
        name = self.owner.fresh("k")
        writer = AtomicWriter(self.owner, self.function, found)
        writer.code(node.body)
        writer.fails = fails
        kernel = self.given(name, outer)
        params, loads, args = self.passed(kernel, any(r.id in self.cells for r in kernel.cells))
        stops = self.stops(name, writer, params, args)
        self.owner.kernel(self.thread_each(name, node, writer, kernel, params, [stops, *loads]), name)
        return name

    def count_of(self, terms: list[tuple[int, tuple[Operand, ...]]] | None, node: tree.For) -> str | None:
        """A number of additions, as Python computes it before the loop."""
        found = []
        for factor, counts in terms or ():
            sizes = [self.ahead(c, node) for c in counts]
            if None in sizes:
                return None
            found.append(" * ".join([str(factor), *(f"max({size}, 0)" for size in sizes)]))
        return None if terms is None else " + ".join(found) or "0"

    def ahead(self, x: Operand, node: tree.For | tree.While) -> str | None:
        """A number that a loop computes of what the host knows, as Python computes it before the loop."""
        makers = {n.out.id: n for n in everything([node]) if isinstance(n, tree.Scalar)}
        inside = {r.id for r in defined([node])}

        def before(x: Operand) -> str | None:
            if isinstance(x, Imm) or x.id not in inside:
                return self.local(x)
            maker = makers.get(x.id)
            if maker is None or maker.name not in HOST_OPS or any(
                    d not in HOST_DTYPES for d in (maker.out.dtype, *(a.dtype for a in maker.args))):
                return None
            args = [before(a) for a in maker.args]
            return None if None in args else f"({python_of(maker, [str(a) for a in args])})"

        return before(x)

    def written_down(self, node: tree.For, found: Places, outer: list[Reg], fails: bool, slots: list[Slots | None]
                     ) -> str:
        """The kernel that writes down what iterations add, and where; it takes what the one that adds takes."""
        name = self.owner.fresh("k")
        writer = AddWriter(self.owner, self.function, found, slots)
        writer.code(node.body)
        writer.end()
        writer.fails = fails
        kernel = self.given(name, outer)
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(name, writer, params, args)
        each = range(len(found.targets))
        types = [MEMORY[t.root.dtype] for t in found.targets]
        keys = ["int64_t" if made is None else "uint32_t" for made in slots]
        extra = [part for k in each for part in (
            f"{types[k]} *root{k}", f"{keys[k]} *places{k}", f"{types[k]} *values{k}", f"int64_t at{k}",
            f"int64_t none{k}")]
        formal = ["dad_thread *c", *self.formal(kernel, False), f"int64_t {register(node.index)}", *extra]
        actual = ", ".join(["c", *self.actual(kernel, False), "first + k", *(part for k in each for part in (
            f"({types[k]} *)root{k}", f"({keys[k]} *)places{k}", f"({types[k]} *)values{k}", f"k * most{k}",
            f"none{k}"))])
        rooms = [f"int64_t {word}{k}" for k in each for word in ("root", "places", "values", "most", "none")]
        head = ["dad_run *run", "int64_t first", "int64_t count", *rooms, *params]
        text = [f"DAD_DEVICE bool {name}_body({', '.join(formal)}) {{", *writer.text(), "  return false;", "}",
                f"{KERNEL}{name}({', '.join(head)}) {{", stops, *loads,
                "  int64_t from = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;",
                "  int64_t step = (int64_t)gridDim.x * blockDim.x;", "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, from, step);", "  char *top = c->top, *end = c->end;",
                "  for (int64_t k = from; k < count; k += step) {", "    c->top = top; c->end = end;",
                f"    if ({name}_body({actual})) {report(writer, 'first + k')}", "  }", "}", ""]
        self.owner.kernel("\n".join(text), name)
        for t in found.targets:
            self.owner.scatters(t.op, t.root.dtype)
        return name
