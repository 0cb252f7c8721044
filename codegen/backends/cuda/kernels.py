"""The kernels of a function of the host: glue in one thread, a thread to each iteration, sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..c.emit import ctype
from ..c.scalars import MEMORY, REGISTER
from ..loops import tree
from ..loops.fuse import straight
from ..loops.operands import defined, everything, own, read
from ..loops.tree import Code, Imm, Operand, Reg
from .apart import scratch_apart
from .bodies import AddWriter, AtomicWriter, BodyWriter
from .device import scatters
from .device import sums as device_sums
from .fold_kernels import fold_kernels
from .folding import ORDERED, Folded, outside, width
from .folds import Fold
from .frame import WIDTH, Frame, Kernel, Moves, stop, stored, takes_scratch
from .kernel import SHORT, ThreadWriter, operand, register
from .levels import HOST_DTYPES, HOST_OPS
from .nesting import Piece, pieces_of
from .places import Places, bound
from .python import python_of

if TYPE_CHECKING:
    pass

KERNEL = 'extern "C" __global__ void '


def together(body: Code) -> int:
    """How many terms a lane computes before it adds them: several of short code, so that it waits for memory once."""
    return 4 if len(body) <= SHORT and straight(body) else 1


def piece_key(number: int | None, k: str) -> str:
    """The place in the program's order of iteration `k` of an inner loop, which is piece `number` of its row: rows are
    fewer than 2^15, pieces than 2^8."""
    return k if number is None else f"(row << 48) + {number << 40}ll + {k}"


def behind(after: bool, number: int | None, leave: str = "continue;") -> list[str]:
    """A row in which an earlier piece failed, and those behind it, are left out: not all is there that they need."""
    return [f"    if (dad_behind(run, {piece_key(number, '0')})) {{ {leave} }}"] if after else []


def report(writer: ThreadWriter, key: str, then: str = "return;") -> str:
    """What happens where the function of a thread says that it failed."""
    return f"{{ dad_report(run, c, turn, {key}); {then} }}" if writer.fails else f"{{ {then} }}"


class Kernels(Frame):
    """Writes them, and what launches them."""

    def code(self, code: Code) -> None:
        raise AssertionError("the host's code is written elsewhere")

    def writer(self) -> BodyWriter:
        return BodyWriter(self.owner, self.function)

    def writer_of(self, code: Code, apart: Mapping[int, str] | None = None) -> BodyWriter:
        """Of code that each of many threads runs: its arrays lie beside each other."""
        made = BodyWriter(self.owner, self.function)
        made.memory, made.apart = self.memory, {**(apart or {}), **scratch_apart(code, self.memory)}
        return made
    def flush(self) -> None:
        """Run what waits."""
        items, self.pending = self.pending, []
        if not items:
            return
        nodes = [n for n in items if not isinstance(n, Moves)]
        reads: dict[int, int] = {}
        inputs: dict[Reg, None] = {}
        inside = set(defined(nodes))
        moved: set[Reg] = set()
        written = False
        for item in items:
            found = {x: 1 for _, x in item.pairs if isinstance(x, Reg)} if isinstance(item, Moves) else read([item])
            for reg, n in found.items():
                reads[reg.id] = reads.get(reg.id, 0) + n
                if reg not in moved:
                    inputs[reg] = None
            if isinstance(item, Moves):
                moved.update(reg for reg, _ in item.pairs)
        writer = self.writer()
        resizes = any(isinstance(n, tree.Resize) for n in everything(nodes))
        name = self.owner.fresh("k")
        if resizes:
            self.owner.made.blocks = True
            writer.line("dad_block *slots = (dad_block *)(frame + " + str(self.slots) + ");")
        moving: set[Reg] = set()
        for item in items:
            if isinstance(item, Moves):
                held = []
                for reg, x in item.pairs:
                    temp = writer.fresh("next")
                    writer.line(f"{ctype(reg)} {temp} = {operand(x)};")
                    held.append((reg, temp))
                for reg, temp in held:
                    writer.line(f"{register(reg)} = {temp};" if reg in inputs or reg in moving else
                                f"{ctype(reg)} {register(reg)} = {temp};")
                    writer.line(stored(self.at(reg), reg, temp))
                moving.update(reg for reg, _ in held)
                written = True
            else:
                writer.node(item)
        for reg in dict.fromkeys(r for n in nodes for r in own(n)[1]):
            if self.total.get(reg.id, 0) > reads.get(reg.id, 0):
                self.home(reg)
                writer.line(stored(self.at(reg), reg, register(reg)))
                written = True
        outer = [r for r in inputs if r not in inside]
        kernel = self.given(name, outer)
        needs_frame = written or resizes or any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, needs_frame)
        stops = self.stops(writer, params, args)
        body = [f"DAD_DEVICE bool {name}_body({', '.join(['dad_thread *c', *self.formal(kernel, needs_frame)])}) {{",
                *writer.text(), "  return false;", "}"]
        given = ", ".join(["c", *self.actual(kernel, needs_frame)])
        text = [*body, KERNEL + f"{name}({', '.join(['dad_run *run', *params])}) {{",
                stops, *loads, "  dad_thread thread, *c = &thread;", "  dad_begin(c, run, 0, 1);",
                f"  if ({name}_body({given})) {report(writer, '0')}",
                *(["  run->kept = run->size - (c->end - run->scratch);"] if resizes else []), "}", ""]
        self.owner.kernel("\n".join(text), name)
        self.line(f"run.one({', '.join([repr(name), *args])})")
    def grid(self, node: tree.For) -> None:
        """A thread to each iteration, or, where there are few of them, to each iteration of the loops inside."""
        count = self.force(node.count)
        self.flush()
        pieces = pieces_of(node, self.memory, lambda x: self.local(x) is not None)
        if pieces is None:
            self.threads(node, count)
            return
        widths = [str(self.local(p.node.count)) for p in pieces if p.node is not None]
        self.open(f"if run.nested({count}, {', '.join(widths)}):")
        self.nested(node, pieces, count)
        self.close(-1)
        self.open("else:")
        self.threads(node, count)
        self.close(-1)

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
        stops = self.stops(writer, params, args)
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
        stops = self.stops(writer, params, args)
        self.owner.kernel(self.thread_each(name, node, writer, kernel, params, [stops, *loads], number, after), name)
        scratch = "True" if takes_scratch(node.body) else "False"
        self.line(f"run.grid({', '.join([repr(name), count, scratch, *args])})")
        return writer.fails

    def thread_each(self, name: str, node: tree.For, writer: BodyWriter, kernel: Kernel, params: list[str],
                    begin: list[str], number: int | None = None, after: bool = False) -> str:
        """The text of a kernel with a thread to each iteration."""
        index = register(node.index)
        formal = ", ".join(["dad_thread *c", *self.formal(kernel, False), f"int64_t {index}"])
        row, key = ("k", "k") if number is None else ("row", piece_key(number, "0"))
        actual = ", ".join(["c", *self.actual(kernel, False), row])
        return "\n".join([
            f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}",
            KERNEL + f"{name}({', '.join(['dad_run *run', 'int64_t count', *params])}) {{", *begin,
            "  int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;",
            "  int64_t step = (int64_t)gridDim.x * blockDim.x;",
            "  dad_thread thread, *c = &thread;", "  dad_begin(c, run, first, step);",
            "  char *top = c->top, *end = c->end;",
            f"  for (int64_t {row} = first; {row} < count; {row} += step) {{", *behind(after, number),
            "    c->top = top; c->end = end;",
            f"    if ({name}_body({actual})) {report(writer, key)}", "  }", "}", ""])

    def adding(self, node: tree.For, found: Places) -> bool:
        """Iterations that meet in places only that they add to, at once; False where the host does not know where
        these are."""
        if any(self.local(t.root) is None or self.local(t.count) is None for t in found.targets):
            return False
        outer = [r for r in read(node.body) if r not in set(defined([node]))]
        if any(self.local(r) is None for r in outer if r.id in found.pointers):
            return False
        bounds = [self.count_of(bound(node.body, found, k), node) for k in range(len(found.targets))]
        count = self.force(node.count)
        self.flush()
        name = self.owner.fresh("k")
        writer = self.writer_of(node.body, {t.root.id: f"places{k}" for k, t in enumerate(found.targets)})
        writer.code(node.body)
        kernel = self.given(name, outer)
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(writer, params, args)
        for reg in kernel.values:
            if reg.id in found.pointers:
                k = found.pointers[reg.id]
                loads.append(f"  {register(reg)} = ({ctype(reg)})(at_{register(reg)} + shift{k});")
        index = register(node.index)
        each = range(len(found.targets))
        loads += [f"  dad_memory places{k} = {{(char *)room{k}, (char *)room{k} + 8 * part, number}};" for k in each]
        formal = ["dad_thread *c", *self.formal(kernel, False), *(f"dad_memory places{k}" for k in each),
                  f"int64_t {index}"]
        actual = ", ".join(["c", *self.actual(kernel, False), *(f"places{k}" for k in each), "k"])
        shifts = [f"int64_t {word}{k}" for k in each for word in ("shift", "room")]
        head = ["dad_run *run", "int64_t count", "int64_t number", "int64_t size", *shifts, *params]
        text = [f"DAD_DEVICE bool {name}_body({', '.join(formal)}) {{", *writer.text(), "  return false;", "}",
                f"{KERNEL}{name}({', '.join(head)}) {{", stops,
                "  int64_t part = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;",
                "  if (part >= number) return;", *loads, "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, part, (int64_t)gridDim.x * blockDim.x);", "  char *top = c->top, *end = c->end;",
                "  int64_t last = part * size + size < count ? part * size + size : count;",
                "  for (int64_t k = part * size; k < last; k++) {", "    c->top = top; c->end = end;",
                f"    if ({name}_body({actual})) {report(writer, 'k')}", "  }", "}", ""]
        self.owner.kernel("\n".join(text), name)
        kinds = [scatters.atomic(t.op, t.root.dtype, self.owner.nondet) for t in found.targets]
        other = "None"
        if kinds and None not in kinds:
            other = repr(self.direct(node, found, outer, writer.fails))
        elif found.targets and None not in bounds:
            other = repr(self.written_down(node, found, outer, writer.fails))
        targets = []
        for t, most in zip(found.targets, bounds, strict=True):
            self.owner.joins(t.op, t.root.dtype)
            targets.append(f"({self.local(t.root)}, {self.local(t.count)}, {t.root.dtype!r}, {t.op!r}, {most})")
        scratch = "True" if takes_scratch(node.body) else "False"
        given = ", ".join([repr(name), other, count, scratch, f"[{', '.join(targets)}]", *args])
        self.line(f"run.{'adding' if None in kinds or not kinds else 'adding_there'}({given})")
        return True

    def direct(self, node: tree.For, found: Places, outer: list[Reg], fails: bool) -> str:
        """The kernel whose iterations add where the places are, in any order."""
        name = self.owner.fresh("k")
        writer = AtomicWriter(self.owner, self.function, found)
        writer.code(node.body)
        writer.fails = fails
        kernel = self.given(name, outer)
        params, loads, args = self.passed(kernel, any(r.id in self.cells for r in kernel.cells))
        stops = self.stops(writer, params, args)
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

    def written_down(self, node: tree.For, found: Places, outer: list[Reg], fails: bool) -> str:
        """The kernel that writes down what iterations add, and where; it takes what the one that adds takes."""
        name = self.owner.fresh("k")
        writer = AddWriter(self.owner, self.function, found)
        writer.code(node.body)
        writer.fails = fails
        kernel = self.given(name, outer)
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(writer, params, args)
        each = range(len(found.targets))
        types = [MEMORY[t.root.dtype] for t in found.targets]
        extra = [part for k in each for part in (
            f"{types[k]} *root{k}", f"int64_t *places{k}", f"{types[k]} *values{k}", f"int64_t at{k}")]
        formal = ["dad_thread *c", *self.formal(kernel, False), f"int64_t {register(node.index)}", *extra]
        actual = ", ".join(["c", *self.actual(kernel, False), "first + k", *(part for k in each for part in (
            f"({types[k]} *)root{k}", f"(int64_t *)places{k}", f"({types[k]} *)values{k}", f"k * most{k}"))])
        rooms = [f"int64_t {word}{k}" for k in each for word in ("root", "places", "values", "most")]
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
        stops = self.stops(writer, both, all_args, block=True)
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
            args.insert(0, "run.turn()")
        scratch = "True" if takes_scratch(parts.element) else "False"
        what = [repr(name), repr(bool(parts.rest)), repr(bool(used)), count, scratch,
                str(width([r.dtype for r in node.carried])), str(ORDERED[parts.kind])]
        self.line(f"run.folding({', '.join([*what, *args, *places])})")

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
        stops = self.stops(writer, params, args, block=True)
        dtypes = [out.dtype for out, _ in sums]
        self.owner.sums_of(dtypes)
        signature = device_sums.signature(dtypes)
        types = [REGISTER[d] for d in dtypes]
        indices = [*([f"int64_t {register(row)}"] if row is not None else []), f"int64_t {register(node.index)}"]
        formal = ", ".join(["dad_thread *c", *self.formal(kernel, False), *indices,
                            *(f"{t} *v{k}" for k, t in enumerate(types))])
        given = ", ".join(["c", *self.actual(kernel, False), *(["row"] if row is not None else []), "k",
                           *(f"&v.x{k}" for k in range(len(sums)))])
        rooms = [f"int64_t to{k}" for k in range(len(sums))]
        places = ", ".join(f"({device_sums.MEMORY[d]} *)to{k}" for k, d in enumerate(dtypes))
        numbers = ["int64_t rows", "int64_t n", "int32_t depth", "int32_t steps"]
        text = [f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}",
                KERNEL + f"{name}({', '.join(['dad_run *run', *params, *numbers, *rooms])}) {{",
                stops, *loads, "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, (int64_t)blockIdx.x * blockDim.x + threadIdx.x, (int64_t)gridDim.x * blockDim.x);",
                "  char *top = c->top, *end = c->end;",
                f"  auto term = [&](long long row, long long k, dad_sums_{signature} &v) {{",
                *behind(after, number, "v = {}; return;"), "    c->top = top; c->end = end;",
                f"    if ({name}_body({given})) {report(writer, piece_key(number, 'k'), 'v = {};')}", "  };",
                f"  dad_sum_nodes_{signature}<{together(node.body)}>(term, rows, n, depth, steps, {places});", "}", ""]
        self.owner.kernel("\n".join(text), name)
        scratch = "True" if takes_scratch(code) else "False"
        self.line(f"run.sum({', '.join([repr(name), rows, count, scratch, f'({outs},)', *args])})")
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


@dataclass(frozen=True)
class Same:
    """A node, known by its identity."""

    node: tree.Node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.node is self.node

    def __hash__(self) -> int:
        return id(self.node)
