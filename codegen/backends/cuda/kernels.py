"""The kernels of a function of the host: a thread to each iteration, loops inside of few iterations, folds."""

from __future__ import annotations

from dataclasses import dataclass

from ..c.scalars import REGISTER
from ..loops import tree
from ..loops.operands import defined, everything, read
from ..loops.tree import Code, Imm, Operand, Reg
from .additions import Additions
from .fold_kernels import fold_kernels
from .folding import ORDERED, Folded, outside, width
from .folds import Fold
from .frame import WIDTH, stop, stored, takes_scratch
from .glue import KERNEL, behind, piece_key, report
from .kernel import operand, register
from .nesting import Piece, pieces_of


class Kernels(Additions):
    """Writes them, and what launches them."""

    def grid(self, node: tree.For) -> None:
        """A thread to each iteration, or, where there are few of them, to each iteration of the loops inside."""
        count = self.force(node.count)
        self.flush()
        pieces = pieces_of(node, self.memory, lambda x: self.local(x) is not None)
        if pieces is None:
            self.threads(node, count)
            return
        widths = [str(self.local(p.node.count)) for p in pieces if p.node is not None]
        self.either(f"run.nested({count}, {', '.join(widths)})", lambda: self.nested(node, pieces, count),
                    lambda: self.threads(node, count))

    def nested(self, node: tree.For, pieces: list[Piece], count: str) -> None:
        """The pieces of a body, one after the other."""
        mark = self.owner.fresh("m")
        self.line(f"{mark} = run.mark()")
        rooms: dict[Reg, Reg] = {}
        for reg in dict.fromkeys(r for p in pieces for r in p.kept):
            rooms[reg] = self.reg(reg.dtype, True, known=True)
            self.line(f"{register(rooms[reg])} = run.take({WIDTH[reg.dtype]} * {count})")
        rows: dict[Reg, tuple[Reg, Operand]] = {}
        for n in dict.fromkeys(n for p in pieces for n in map(Same, p.before)):
            if isinstance(n.node, tree.Alloc | tree.Local):
                size = n.node.count if isinstance(n.node, tree.Alloc) else Imm(n.node.count, "i64")
                rows[n.node.out] = self.reg(n.node.out.dtype, True, known=True), size
                self.line(f"{register(rows[n.node.out][0])} = run.take({WIDTH[n.node.out.dtype]} * {count} * "
                          f"max({self.local(size)}, 0))")
        start, failing = len(self.lines), 0
        for number, piece in enumerate(pieces):
            before: Code = [tree.Load(r, rooms[r], node.index) for r in piece.loaded]
            for m in piece.before:
                if isinstance(m, tree.Alloc | tree.Local):
                    room, size = rows[m.out]
                    at = self.reg("i64")
                    before += [tree.Scalar(at, "mul", (node.index, size)), tree.Shift(m.out, room, at)]
                else:
                    before.append(m)
            if isinstance(piece.node, tree.Sum):
                outs = ", ".join(f"({register(rooms[r]) if r in rooms else 0}, {r.dtype!r})"
                                 for r in (piece.node.out, *(o for o, _ in piece.node.more)))
                width = str(self.local(piece.node.count))
                fails = self.sums(piece.node, [*before, *piece.node.body], node.index, count, width, outs, number,
                                  failing > 0)
            elif piece.node is not None:
                fails = self.both(node, piece.node, before, count, number, failing > 0)
            else:
                kept: Code = [tree.Store(rooms[r], node.index, r) for r in piece.kept]
                body = [*before, *piece.code, *kept]
                whole = tree.For(node.index, node.count, (), (), body, (), (), True)
                fails = self.threads(whole, count, number, failing > 0)
            failing += fails
        if failing:
            self.lines.insert(start, f"{self.indent}run.nest(True)")
            self.line("run.nest(False)")
        self.line(f"run.release({mark})")

    def both(self, node: tree.For, inner_loop: tree.For, before: Code, count: str, number: int, after: bool) -> bool:
        """A thread to each iteration of two loops, as piece `number`."""
        name = self.owner.fresh("k")
        code = [*before, *inner_loop.body]
        writer = self.writer_of(code)
        writer.code(code)
        inside = {*defined(code), node.index, inner_loop.index}
        kernel = self.given(name, [r for r in read(code) if r not in inside])
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(name, writer, params, args)
        formal = ", ".join(["dad_thread *c", *self.formal(kernel, False), f"int64_t {register(node.index)}",
                            f"int64_t {register(inner_loop.index)}"])
        actual = ", ".join(["c", *self.actual(kernel, False), "row", "k"])
        text = [f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}",
                f"{KERNEL}{name}({', '.join(['dad_run *run', 'int64_t rows', 'int64_t count', *params])}) {{",
                stops, *loads,
                "  int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;",
                "  int64_t step = (int64_t)gridDim.x * blockDim.x;", "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, blockIdx.y * step + first, step * gridDim.y);",
                "  char *top = c->top, *end = c->end;",
                "  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {",
                *behind(after, number),
                "    for (int64_t k = first; k < count; k += step) {", "      c->top = top; c->end = end;",
                f"      if ({name}_body({actual})) {report(writer, piece_key(number, 'k'))}", "    }", "  }",
                "}", ""]
        self.owner.kernel("\n".join(text), name)
        scratch = "True" if takes_scratch(code) else "False"
        width = str(self.local(inner_loop.count))
        self.line(f"run.both({', '.join([repr(name), count, width, scratch, *args])})")
        return writer.fails

    def threads(self, node: tree.For, count: str, number: int | None = None, after: bool = False) -> bool:
        """A thread to each iteration, perhaps of piece `number` of a body, `after` one that may fail."""
        name = self.owner.fresh("k")
        writer = self.writer_of(node.body)
        if any(isinstance(n, tree.Resize) for n in everything(node.body)):
            writer.blocks(self.function.slots)
        writer.code(node.body)
        inside = set(defined([node]))
        kernel = self.given(name, [r for r in read(node.body) if r not in inside])
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(name, writer, params, args)
        self.owner.kernel(self.thread_each(name, node, writer, kernel, params, [stops, *loads], number, after), name)
        scratch = "True" if takes_scratch(node.body) else "False"
        self.line(f"run.grid({', '.join([repr(name), count, scratch, *args])})")
        return writer.fails

    def fold(self, node: tree.For, found: Fold) -> None:
        """What a loop carries, by blocks."""
        count = self.force(node.count)
        self.flush()
        name = self.owner.fresh("k")
        writer = self.writer()
        writer.code(found.body)
        for j, value in enumerate(found.values):
            writer.line(f"s->x{j} = {operand(value)};")
        inside = set(defined([node]))
        needed = dict.fromkeys([*read(found.body), *(v for v in found.values if isinstance(v, Reg))])
        kernel = self.given(name, [r for r in needed if r not in inside])
        first = self.given(name, dict.fromkeys(x for x in node.init if isinstance(x, Reg)))
        for out in node.outs:
            self.home(out)
        params, loads, args = self.passed(kernel, True)
        more, more_loads, rest = self.passed(first, True)
        types = [REGISTER[r.dtype] for r in node.carried]
        state = f"{name}_state"
        scalars = writer.scalars

        def joined(j: int, x: str, y: str) -> str:
            d = node.carried[j].dtype
            return scalars.prim(found.ops[j], d, (d, d), (x, y), ())

        members = "".join(f" {part};" for part in self.formal(kernel, False))
        call = ", ".join(["&thread", *self.actual(kernel, False), "k", "&s"])
        both_joined = [joined(j, f"a.x{j}", f"b.x{j}") for j in range(len(types))]
        with_first = [joined(j, f"first.x{j}", f"total.x{j}") for j in range(len(types))]
        total = " ".join(f"total.x{j} = n > 0 ? {x} : first.x{j};" for j, x in enumerate(with_first))
        steps = " ".join(f"s.x{j} = {x};" for j, x in enumerate(both_joined))
        fields = " ".join(f"{t} x{j};" for j, t in enumerate(types))
        kept = " ".join(stored(self.at(out), out, f"total.x{j}") for j, out in enumerate(node.outs))
        begun = " ".join(f"first.x{j} = {operand(x)};" for j, x in enumerate(node.init))
        formal = ["dad_thread *c", *self.formal(kernel, False), f"int64_t {register(node.index)}", f"{state} *s"]
        numbers = ["int64_t rows", "int64_t n", "int32_t each", "int64_t part"]
        seen = set(params)
        both = [*params, *(p for p in more if p not in seen)]
        all_args = [*args, *(a for p, a in zip(more, rest, strict=True) if p not in seen)]
        stops = self.stops(name, writer, both, all_args, block=True)
        text = [
            f"struct {state} {{ {fields} }};",
            f"DAD_DEVICE bool {name}_body({', '.join(formal)}) {{", *writer.text(), "  return false;", "}",
            f"struct {name}_terms {{ dad_run *run; int64_t turn;{members}",
            "  static constexpr bool starts = false;",
            f"  __device__ {state} operator()(long long row, long long k) const {{",
            f"    {state} s = {state}(); dad_thread thread;",
            "    dad_begin(&thread, run, (int64_t)blockIdx.x * blockDim.x + threadIdx.x, "
            "(int64_t)gridDim.x * blockDim.x);",
            f"    if ({name}_body({call})) dad_report(run, &thread, turn, k);", "    return s;", "  }",
            f"  __device__ {state} start(long long) const {{ return {state}(); }}", "};",
            f"struct {name}_join {{ __device__ {state} operator()(const {state} &a, const {state} &b) const {{",
            f"  {state} s; {steps}",
            "  return s;", "} };",
            f"struct {name}_total {{ dad_cell *frame; int64_t n; {state} first;",
            f"  __device__ void operator()(long long, const {state} &given) const {{",
            f"    {state} total = given; {total} {kept}", "  }", "};",
            f"{KERNEL}{name}({', '.join(['dad_run *run', 'int64_t all', *both, *numbers])}) {{",
            stops, *loads, *(x for x in more_loads if x not in loads),
            f"  {state} first; {begun}",
            f"  {name}_terms f{{{', '.join(['run', 'turn' if writer.fails else '0', *self.actual(kernel, False)])}}};",
            f"  {name}_join o;",
            f"  {name}_total g{{frame, all, first}};",
            f"  dad_fold(f, o, g, rows, n, each, ({state} *)part);", "}",
            f"{KERNEL}{name}_more({', '.join(['dad_run *run', 'int64_t all', *more, 'int64_t from', *numbers])}) {{",
            stop(False, block=True), *more_loads, f"  {state} first; {begun}",
            f"  dad_stored<{state}> f{{(const {state} *)from, n}}; {name}_join o;",
            f"  {name}_total g{{frame, all, first}};",
            f"  dad_fold(f, o, g, rows, n, each, ({state} *)part);", "}", ""]
        self.owner.folds()
        self.owner.kernel("\n".join(text), name)
        scratch = "True" if takes_scratch(found.body) else "False"
        given = [repr(name), count, scratch, str(8 * len(types)), f"({', '.join(all_args)},)", f"({', '.join(rest)},)"]
        self.line(f"run.fold({', '.join(given)})")

    def folding(self, node: tree.For, parts: Folded) -> None:
        """A fold or a scan by many threads."""
        count = self.force(node.count)
        self.flush()
        name = self.owner.fresh("k")
        self.owner.folds()
        values = [x for x in parts.values if x is not None]
        regs = outside(node, (parts.element, parts.join, parts.rest), (*node.init, *values))
        kernel = self.given(name, regs)
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        used = [k for k, out in enumerate(node.outs) if self.total.get(out.id, 0)]
        places = [self.home(node.outs[k]) for k in used]
        given = [*kernel.values, *kernel.cells]
        taken = [*params, *(f"int64_t to{k}" for k in used)]
        texts, fails = fold_kernels(self.writer, name, node, parts, taken, loads, given, used)
        for each, text in texts:
            self.owner.kernel(text, each)
        if fails:
            args.insert(0, f"run.turn({name!r})")
        scratch = "True" if takes_scratch(parts.element) else "False"
        what = [repr(name), repr(bool(parts.rest)), repr(bool(used)), count, scratch,
                str(width([r.dtype for r in node.carried])), str(ORDERED[parts.kind])]
        self.line(f"run.folding({', '.join([*what, *args, *places])})")


@dataclass(frozen=True)
class Same:
    """A node, known by its identity."""

    node: tree.Node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.node is self.node

    def __hash__(self) -> int:
        return id(self.node)
