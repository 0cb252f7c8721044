"""Kernels of sums."""

from __future__ import annotations

from ..c.scalars import REGISTER
from ..loops import tree
from ..loops.operands import defined, everything, read
from ..loops.tree import Code, Imm, Operand, Reg
from .device import sums as device_sums
from .frame import WIDTH, takes_scratch
from .glue import KERNEL, Glue, Tail, behind, piece_key, report, together
from .kernel import operand, register


class Totals(Glue):
    """Writes them."""

    def sum(self, node: tree.Sum) -> None:
        if isinstance(node.count, Imm) and self.levels.glue(node):
            self.pending.append(node)
            return
        count = self.force(node.count)
        if not self.known.kernel(node):
            self.sum_of_stored(node, count)
            return
        self.flush()
        outs = ", ".join(f"({self.home(out)}, {out.dtype!r})" for out in (node.out, *(o for o, _ in node.more)))
        self.sums(node, node.body, None, "1", count, outs)

    def sums(self, node: tree.Sum, code: Code, row: Reg | None, rows: str, count: str, outs: str,
             number: int | None = None, after: bool = False) -> bool:
        """Sums of the terms that `code` computes, for each row; `outs` are places of the first row's and dtypes."""
        sums = [(node.out, node.value), *node.more]
        name = self.owner.fresh("k")
        writer = self.writer_of(code)
        if any(isinstance(n, tree.Resize) for n in everything(code)):
            writer.blocks(self.function.slots)
        writer.code(code)
        for k, (_, value) in enumerate(sums):
            writer.line(f"*v{k} = {operand(value)};")
        inside = {*defined(code), *(r for r in (row, node.index) if r is not None)}
        needed = dict.fromkeys([*read(code), *(v for _, v in sums if isinstance(v, Reg))])
        kernel = self.given(name, [r for r in needed if r not in inside])
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        dtypes = [out.dtype for out, _ in sums]
        self.owner.sums_of(dtypes)
        signature = device_sums.signature(dtypes)
        types = [REGISTER[d] for d in dtypes]
        indices = [*([f"int64_t {register(row)}"] if row is not None else []), f"int64_t {register(node.index)}"]
        formal = ", ".join(["dad_thread *c", *self.formal(kernel, False), *indices,
                            *(f"{t} *v{k}" for k, t in enumerate(types))])
        given = ", ".join(["c", *self.actual(kernel, False), *(["row"] if row is not None else []), "k",
                           *(f"&v.x{k}" for k in range(len(sums)))])
        scratch = "True" if takes_scratch(code) else "False"
        term = [f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}"]
        terms = [
            "  dad_thread thread, *c = &thread;",
            "  dad_begin(c, run, (int64_t)blockIdx.x * blockDim.x + threadIdx.x, (int64_t)gridDim.x * blockDim.x);",
            "  char *top = c->top, *end = c->end;",
            f"  auto term = [&](long long row, long long k, dad_sums_{signature} &v) {{",
            *behind(after, number, "v = {}; return;"), "    c->top = top; c->end = end;",
            f"    if ({name}_body({given})) {report(writer, piece_key(number, 'k'), 'v = {};')}", "  };"]
        each = range(len(sums))
        cells = [device_sums.MEMORY[d] for d in dtypes]
        nodes = (f"  dad_sum_nodes_{signature}<{together(node.body)}>(term, rows, n, depth, steps, "
                 f"{', '.join(f'({cells[k]} *)to{k}' for k in each)});")
        numbers = ["int64_t rows", "int64_t n", "int32_t depth", "int32_t steps"]
        if row is not None:
            stops = self.stops(name, writer, params, args, block=True)
            head = ["dad_run *run", *params, *numbers, *(f"int64_t to{k}" for k in each)]
            text = [*term, f"{KERNEL}{name}({', '.join(head)}) {{", stops, *loads, *terms, nodes, "}", ""]
            self.owner.kernel("\n".join(text), name)
            self.line(f"run.sum({', '.join([repr(name), rows, count, scratch, f'({outs},)', *args])})")
            return writer.fails

        def write(tail: Tail | None) -> None:
            """With what the last thread does."""
            fails, rest = writer.fails, "  auto rest = [&]() { };"
            if tail is not None:
                fails = fails or tail.fails
                extra = [(p, a) for p, a in zip(tail.params, tail.args, strict=True) if p not in params]
                params.extend(p for p, _ in extra)
                args.extend(a for _, a in extra)
                then = "dad_report(run, c, turn, INT64_MAX - 1); " if tail.fails else ""
                stopped = "if (*(volatile int64_t *)&run->failed) return; " if fails else ""
                rest = "\n".join([f"  auto rest = [&]() {{ {stopped}dad_begin(c, run, 0, 1);", *tail.loads,
                                  f"    if ({tail.call}) {{ {then}}} }};"])
            stops = self.begins(name, fails, params, args, block=True)
            head = ["dad_run *run", *params, *numbers, "int32_t size",
                    *(f"int64_t {word}{k}" for k in each for word in ("to", "all"))]
            pairs = ", ".join(f"({cells[k]} *)to{k}, ({cells[k]} *)all{k}" for k in each)
            text = [*(tail.body if tail else ()), *term, f"{KERNEL}{name}({', '.join(head)}) {{", stops, *loads, *terms,
                    nodes, rest, f"  dad_sum_total_{signature}(run, size, {pairs}, rest);", "}", ""]
            self.owner.kernel("\n".join(text), name)
            self.line(f"run.total({', '.join([repr(name), count, scratch, f'({outs},)', *args])})")

        self.draft = write
        return writer.fails

    def sum_of_stored(self, node: tree.Sum, count: str) -> None:
        """Terms that the host computes one by one, then their sums."""
        rooms = []
        for out, _ in ((node.out, node.value), *node.more):
            room = self.owner.fresh("t")
            rooms.append(room)
            self.line(f"{room} = run.take({WIDTH[out.dtype]} * {count})")
        self.flush()
        index = register(node.index)
        self.known.known.add(node.index.id)
        self.open(f"for {index} in range({count}):")
        start = len(self.lines)
        mark = self.owner.fresh("m")
        self.line(f"{mark} = run.mark()")
        self.code(node.body)
        for room, (out, value) in zip(rooms, ((node.out, node.value), *node.more), strict=True):
            self.put(f"{room} + {WIDTH[out.dtype]} * {index}", out.dtype, value)
        self.flush()
        self.line(f"run.release({mark})")
        self.close(start)
        for room, (out, _) in zip(rooms, ((node.out, node.value), *node.more), strict=True):
            self.stored_sum(room, count, out)

    def put(self, address: str, dtype: str, value: Operand) -> None:
        """One number to an address that the host knows."""
        held = self.reg(dtype, True, known=True)
        self.line(f"{register(held)} = {address}")
        self.pending.append(tree.Store(held, Imm(0, "i64"), value))

    def stored_sum(self, room: str, count: str, out: Reg) -> None:
        """The sum of numbers that lie one behind the other."""
        base, n = self.reg(out.dtype, True, known=True), self.reg("i64", known=True)
        index, value = self.reg("i64"), self.reg(out.dtype)
        self.line(f"{register(base)}, {register(n)} = {room}, {count}")
        self.sum(tree.Sum(out, index, n, [tree.Load(value, base, index)], value))
