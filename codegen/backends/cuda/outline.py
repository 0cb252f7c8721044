"""The outer level of functions, as Python that drives kernels, and the kernels that it launches.

A function of the host is a Python function of the run, then of its parameters: addresses, sizes and numbers that the
host knows, and for other numbers the address of the cell in device memory where each lies. Nodes that one thread can
run are put off until something else has to happen: then they are one glue kernel. What a glue kernel computes and
others read goes to the function's *frame*, cells in device memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ....lang.core.ir import AttrValue, Table
from ..c.emit import ctype
from ..c.scalars import CELL, REGISTER
from ..loops import tree
from ..loops.operands import defined, everything, own, read
from ..loops.sites import DEPTH_SITE, HostCall, Site
from ..loops.tree import Code, Imm, Operand, Reg
from .device import sums as device_sums
from .kernel import DeviceUnit, ThreadWriter, operand, register, whole
from .levels import Known, Levels, Types

WIDTH = {"f64": 8, "f32": 4, "f16": 2, "bool": 1} | {f"{s}{b}": b // 8 for s in "iu" for b in (8, 16, 32, 64)}
"""Bytes of an element."""
KERNEL = 'extern "C" __global__ void '
SMALL = 8
"""Launches for so few threads are not worth it where a glue kernel stands beside."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Cells that get values, all at once: the next state of a loop, what a branch gives."""

    pairs: tuple[tuple[Reg, Operand], ...]


Item = tree.Node | Moves


@dataclass
class Outlined:
    """A program for the device: CUDA C, and Python text of functions of the host."""

    source: str = ""
    python: list[str] = field(default_factory=list)
    kernels: list[str] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    """The Python function of each root."""
    hosts: list[HostCall] = field(default_factory=list)
    """Primitives that NumPy computes on the host, by number."""
    blocks: bool = False
    """Whether threads have blocks that grow and stay."""


@dataclass
class Kernel:
    """What a kernel takes: numbers by value, cells of the frame, cells at addresses of their own."""

    name: str
    values: list[Reg] = field(default_factory=list)
    cells: list[Reg] = field(default_factory=list)


def outlined(program: tree.Program, roots: Sequence[str], types: Mapping[str, Types]) -> Outlined:
    """The program, of which Python calls `roots`; `types` of its functions, parameters and results."""
    return Outline(program, types).run(roots)


class Outline:
    """Writes a program."""

    def __init__(self, program: tree.Program, types: Mapping[str, Types]) -> None:
        self.program = program
        self.levels = Levels(program, types)
        self.unit = DeviceUnit("", {name: f"dad_f{k}" for k, name in enumerate(program.functions)})
        self.made = Outlined()
        self.needed_functions: dict[str, None] = {}
        self.texts: list[str] = []
        self.pieces: dict[str, str] = {}
        """Texts of the device library, by what they are for."""
        self.known: dict[tuple[str, tuple[bool, ...]], tuple[str, list[bool]]] = {}
        """Functions of the host by what it knows of their parameters: Python's name, and what it knows of results."""
        self.count = 0

    def run(self, roots: Sequence[str]) -> Outlined:
        for root in roots:
            f = self.program.functions[root]
            self.made.roots[root], _ = self.host_function(root, (True,) * len(f.params), root=True)
        functions = self.thread_functions()
        self.made.source = whole(self.unit, functions, self.texts, list(self.pieces.values()))
        self.made.sites = self.unit.sites
        return self.made

    def host_function(self, name: str, params: tuple[bool, ...], root: bool = False) -> tuple[str, list[bool]]:
        key = name, params
        if key not in self.known:
            f = self.program.functions[name]
            python = f"_f{len(self.known)}"
            results = self.levels.results(name)
            self.known[key] = python, results
            HostWriter(self, f, params, python, results, root).write()
        return self.known[key]

    def thread_functions(self) -> list[str]:
        """The functions that threads call, heads first."""
        heads: list[str] = []
        bodies: list[str] = []
        done: set[str] = set()
        pending = list(self.needed_functions)
        while pending:
            name = pending.pop()
            if name in done:
                continue
            done.add(name)
            f = self.program.functions[name]
            writer = ThreadWriter(self.unit, f)
            heads.append(writer.head() + ";")
            bodies.append(writer.write())
            pending += [n.function for n in everything(f.body) if isinstance(n, tree.Invoke)]
        return [*heads, *bodies]

    def kernel(self, text: str, name: str) -> None:
        self.texts.append(text)
        self.made.kernels.append(name)

    def fresh(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def sums_of(self, dtypes: Sequence[str]) -> None:
        """Kernels that add numbers of these dtypes side by side."""
        name = device_sums.signature(dtypes)
        if name not in self.pieces:
            self.pieces[name] = device_sums.text(dtypes)
            self.made.kernels.append(f"dad_sum_tree_{name}")


class HostWriter:
    """Writes one function of the host."""

    def __init__(self, owner: Outline, function: tree.Function, params: Sequence[bool], python: str,
                 results: Sequence[bool], root: bool) -> None:
        self.owner, self.function, self.params, self.python = owner, function, params, python
        self.results, self.root = results, root
        self.levels = owner.levels
        self.known = Known(owner.levels, function, params)
        self.unit = owner.unit
        self.lines: list[str] = []
        self.indent = "    "
        self.pending: list[Item] = []
        self.cells: dict[int, int] = {}
        """Places of registers in the frame."""
        self.places: dict[int, str] = {}
        """Addresses of cells elsewhere, as Python says them."""
        self.size = 0
        self.forced: list[dict[int, str]] = [{}]
        """What the host has read, by blocks of Python."""
        self.total = {r.id: n for r, n in read(function.body).items()}
        for x in function.results:
            if isinstance(x, Reg):
                self.total[x.id] = self.total.get(x.id, 0) + 1
        own_results = {x.id for x in function.results if isinstance(x, Reg) and x.pointer}
        self.fresh_results = {n.out.id for n in function.body if isinstance(n, tree.Alloc) and n.out.id in own_results
                              } if root else set()
        self.slots = -1
        self.next = 1 + max((r.id for r in (*function.params, *defined(function.body))), default=0)

    def reg(self, dtype: str, pointer: bool = False, known: bool = False) -> Reg:
        self.next += 1
        if known:
            self.known.known.add(self.next - 1)
        return Reg(self.next - 1, dtype, pointer)

    # ------------------------------------------------------------ text

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def open(self, text: str) -> None:
        self.line(text)
        self.indent += "    "
        self.forced.append({})

    def close(self, start: int) -> None:
        if len(self.lines) == start:
            self.line("pass")
        self.indent = self.indent[:-4]
        self.forced.pop()

    def write(self) -> None:
        f = self.function
        names = []
        for reg, here in zip(f.params, self.params, strict=True):
            names.append(register(reg))
            if not here:
                self.places[reg.id] = register(reg)
        head = f"def {self.python}({', '.join(['run', *names])}):"
        if f.slots:
            self.slots = self.size
            self.size += 2 * f.slots
        self.code(f.body)
        given = []
        for x, here in zip(f.results, self.results, strict=True):
            if here:
                given.append(self.force(x))
            elif self.known.knows(x):
                given.append(self.kept(x))
            else:
                assert isinstance(x, Reg)
                given.append(self.home(x))
        self.flush()
        body = []
        if self.size:
            body.append(f"    frame = run.take({8 * self.size})")
        if f.slots:
            body.append(f"    run.clear(frame + {8 * self.slots}, {16 * f.slots})")
        returned = ", ".join(given)
        text = [head, *body, *self.lines, f"    return ({returned}{',' if len(given) == 1 else ''})"]
        self.owner.made.python.append("\n".join(text) + "\n")

    def kept(self, x: Operand) -> str:
        """The address of a cell for a number that the host knows."""
        reg = self.reg(x.dtype)
        self.moves([(reg, x)])
        return self.home(reg)

    def cell(self) -> int:
        self.size += 1
        return self.size - 1

    # ------------------------------------------------------------ values

    def home(self, reg: Reg) -> str:
        """The address of a register in device memory."""
        if reg.id in self.places:
            return self.places[reg.id]
        if reg.id not in self.cells:
            self.cells[reg.id] = self.cell()
        return f"frame + {8 * self.cells[reg.id]}"

    def local(self, x: Operand) -> str | None:
        """What the host knows, as Python says it."""
        if isinstance(x, Imm):
            return literal(x)
        if x.id in self.known.known:
            return register(x)
        return next((names[x.id] for names in self.forced if x.id in names), None)

    def force(self, x: Operand) -> str:
        """The value on the host: it waits for the device where that is not known."""
        here = self.local(x)
        if here is not None:
            return here
        assert isinstance(x, Reg)
        self.flush()
        name = self.owner.fresh("h")
        self.line(f"{name} = run.read({self.home(x)}, {('i64' if x.pointer else x.dtype)!r})")
        self.forced[-1][x.id] = name
        return name

    # ------------------------------------------------------------ glue

    def moves(self, pairs: Iterable[tuple[Reg, Operand]]) -> None:
        made = tuple((r, x) for r, x in pairs if r != x)
        for r, _ in made:
            self.home(r)
        if made:
            self.pending.append(Moves(made))

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
        body = [f"DAD_DEVICE bool {name}_body({', '.join(['dad_thread *c', *self.formal(kernel, needs_frame)])}) {{",
                *writer.text(), "  return false;", "}"]
        given = ", ".join(["c", *self.actual(kernel, needs_frame)])
        text = [*body, KERNEL + f"{name}({', '.join(['dad_run *run', *params])}) {{",
                "  if (run->failed) return;", *loads, "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, 0, 1);",
                f"  if ({name}_body({given})) dad_report(run, c, 0);",
                *(["  run->kept = run->size - (c->end - run->scratch);"] if resizes else []), "}", ""]
        self.owner.kernel("\n".join(text), name)
        self.line(f"run.one({', '.join([repr(name), *args])})")

    def at(self, reg: Reg) -> str:
        return f"frame[{self.cells[reg.id]}]"

    def writer(self) -> BodyWriter:
        return BodyWriter(self.owner, self.function)

    def given(self, name: str, regs: Iterable[Reg]) -> Kernel:
        kernel = Kernel(name)
        for reg in regs:
            (kernel.cells if self.local(reg) is None else kernel.values).append(reg)
        return kernel

    def passed(self, kernel: Kernel, frame: bool) -> tuple[list[str], list[str], list[str]]:
        """Parameters of the kernel, what it loads first, and the arguments in Python."""
        params: list[str] = []
        loads: list[str] = []
        args: list[str] = []
        if frame:
            params.append("dad_cell *frame")
            args.append("frame")
        for x in kernel.values:
            if x.pointer:  # as a number: what nobody reads may lead beyond memory
                params.append(f"int64_t at_{register(x)}")
                loads.append(f"  {ctype(x)} {register(x)} = ({ctype(x)})at_{register(x)};")
            else:
                params.append(f"{ctype(x)} {register(x)}")
            here = self.local(x)
            assert here is not None
            args.append(here)
        for reg in kernel.cells:
            if reg.id in self.cells:
                cell = self.at(reg)
            else:
                params.append(f"const dad_cell *at_{register(reg)}")
                args.append(self.home(reg))
                cell = f"(*at_{register(reg)})"
            loads.append(f"  {ctype(reg)} {register(reg)} = {loaded(cell, reg)};")
        return params, loads, args

    def formal(self, kernel: Kernel, frame: bool) -> list[str]:
        """Parameters of the function of a thread."""
        return [*(["dad_cell *frame"] if frame else []),
                *(f"{ctype(x)} {register(x)}" for x in (*kernel.values, *kernel.cells))]

    def actual(self, kernel: Kernel, frame: bool) -> list[str]:
        return [*(["frame"] if frame else []),
                *(register(x) for x in (*kernel.values, *kernel.cells))]

    # ------------------------------------------------------------ code

    def code(self, code: Code) -> None:
        for node in code:
            self.node(node)

    def node(self, node: tree.Node) -> None:
        match node:
            case tree.Scalar():
                self.scalar(node)
            case tree.Load() | tree.Store() | tree.Resize():
                self.pending.append(node)
            case tree.Shift(out, base, offset):
                if out.id in self.known.known:
                    self.line(f"{register(out)} = {self.local(base)} + {WIDTH[out.dtype]} * {self.local(offset)}")
                else:
                    self.pending.append(node)
            case tree.Alloc(out, count):
                take = "fresh" if out.id in self.fresh_results else "take"
                self.line(f"{register(out)} = run.{take}({WIDTH[out.dtype]} * {self.force(count)})")
            case tree.Local(out, size):
                first = self.size
                self.size += (size * WIDTH[out.dtype] + 7) // 8
                self.line(f"{register(out)} = frame + {8 * first}")
            case tree.Data(out, count, table):
                if table not in self.owner.made.tables:
                    self.owner.made.tables.append(table)
                self.line(f"{register(out)}, {register(count)} = run.table({self.owner.made.tables.index(table)})")
            case tree.Mark(out):
                self.line(f"{register(out)} = run.mark()")
            case tree.Release(mark):
                self.line(f"run.release({register(mark)})")
            case tree.Copy(target, source, count):
                target_here, source_here, n = self.force(target), self.force(source), self.force(count)
                self.flush()
                self.line(f"run.copy({target_here}, {source_here}, {WIDTH[target.dtype]} * {n})")
            case tree.For():
                self.loop(node)
            case tree.Sum():
                self.sum(node)
            case tree.While():
                if id(node) in self.known.driven:
                    self.while_(node)
                else:
                    self.pending.append(node)
            case tree.Choice():
                if id(node) in self.known.driven:
                    self.choice(node)
                else:
                    self.pending.append(node)
            case tree.Invoke():
                if id(node) in self.known.driven:
                    self.invoke(node)
                else:
                    self.pending.append(node)
            case tree.Host():
                self.host(node.name, node.attrs, node.args, node.results)
            case tree.Check():
                self.check(node)
            case tree.Linked(out):
                self.line(f"{register(out)} = False")
            case tree.Library() | tree.Poll():
                pass
            case tree.Spread() | tree.Lanes():
                raise AssertionError("a pass for processors has run")

    def scalar(self, node: tree.Scalar) -> None:
        if node.out.id in self.known.known:
            args = [self.local(a) for a in node.args]
            self.line(f"{register(node.out)} = {python_of(node, [str(a) for a in args])}")
        elif self.levels.speaks(node):
            self.pending.append(node)
        else:
            self.host(node.name, node.attrs, tuple((a,) for a in node.args), ((node.out,),))

    def check(self, node: tree.Check) -> None:
        here = [self.local(x) for x in (node.holds, *node.values)]
        if any(x is None for x in here):
            self.pending.append(node)
            return
        holds, *values = map(str, here)
        self.flush()
        site = self.site(Site(node.name, node.attrs, tuple(v.dtype for v in node.values), node.span))
        self.line(f"if not {holds}: run.fail({', '.join([str(site), *values])})")

    def site(self, site: Site) -> int:
        if site in self.unit.sites:
            return self.unit.sites.index(site) + 1
        self.unit.sites.append(site)
        return len(self.unit.sites)

    # ------------------------------------------------------------ kernels

    def loop(self, node: tree.For) -> None:
        if self.known.kernel(node):
            if isinstance(node.count, Imm) and int(node.count.value) <= SMALL and self.levels.glue(node):
                self.pending.append(node)
            else:
                self.grid(node)
        elif id(node) in self.known.driven:
            self.driven(node)
        else:
            self.pending.append(node)

    def grid(self, node: tree.For) -> None:
        """A thread to each iteration."""
        count = self.force(node.count)
        self.flush()
        name = self.owner.fresh("k")
        writer = self.writer()
        if any(isinstance(n, tree.Resize) for n in everything(node.body)):
            writer.blocks(self.function.slots)
        writer.code(node.body)
        inside = set(defined([node]))
        kernel = self.given(name, [r for r in read(node.body) if r not in inside])
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        index = register(node.index)
        formal = ", ".join(["dad_thread *c", *self.formal(kernel, False), f"int64_t {index}"])
        actual = ", ".join(["c", *self.actual(kernel, False), "k"])
        text = [f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}",
                KERNEL + f"{name}({', '.join(['dad_run *run', 'int64_t count', *params])}) {{",
                "  if (run->failed) return;", *loads,
                "  int64_t first = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;",
                "  int64_t step = (int64_t)gridDim.x * blockDim.x;",
                "  dad_thread thread, *c = &thread;", "  dad_begin(c, run, first, step);",
                "  char *top = c->top, *end = c->end;",
                "  for (int64_t k = first; k < count; k += step) {",
                "    c->top = top; c->end = end;",
                f"    if ({name}_body({actual})) {{ dad_report(run, c, k); return; }}", "  }", "}", ""]
        self.owner.kernel("\n".join(text), name)
        scratch = "True" if takes_scratch(node.body) else "False"
        self.line(f"run.grid({', '.join([repr(name), count, scratch, *args])})")

    def sum(self, node: tree.Sum) -> None:
        if isinstance(node.count, Imm) and self.levels.glue(node):
            self.pending.append(node)
            return
        count = self.force(node.count)
        if not self.known.kernel(node):
            self.sum_of_stored(node, count)
            return
        self.flush()
        sums = [(node.out, node.value), *node.more]
        name = self.owner.fresh("k")
        writer = self.writer()
        if any(isinstance(n, tree.Resize) for n in everything(node.body)):
            writer.blocks(self.function.slots)
        writer.code(node.body)
        for k, (_, value) in enumerate(sums):
            writer.line(f"*v{k} = {operand(value)};")
        inside = set(defined([node]))
        read_here = dict.fromkeys([*read(node.body), *(v for _, v in sums if isinstance(v, Reg))])
        kernel = self.given(name, [r for r in read_here if r not in inside])
        frame = any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        dtypes = [out.dtype for out, _ in sums]
        self.owner.sums_of(dtypes)
        signature = device_sums.signature(dtypes)
        types = [REGISTER[d] for d in dtypes]
        formal = ", ".join(["dad_thread *c", *self.formal(kernel, False), f"int64_t {register(node.index)}",
                            *(f"{t} *v{k}" for k, t in enumerate(types))])
        given = ", ".join(["c", *self.actual(kernel, False), "k", *(f"&v.x{k}" for k in range(len(sums)))])
        rooms = [f"int64_t to{k}" for k in range(len(sums))]
        outs = ", ".join(f"({device_sums.MEMORY[d]} *)to{k}" for k, d in enumerate(dtypes))
        numbers = ["int64_t rows", "int64_t n", "int32_t depth", "int32_t steps"]
        text = [f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}",
                KERNEL + f"{name}({', '.join(['dad_run *run', *params, *numbers, *rooms])}) {{",
                "  if (run->failed) return;", *loads,
                "  dad_thread thread, *c = &thread;",
                "  dad_begin(c, run, (int64_t)blockIdx.x * blockDim.x + threadIdx.x, (int64_t)gridDim.x * blockDim.x);",
                "  char *top = c->top, *end = c->end;",
                f"  auto term = [&](long long row, long long k, dad_sums_{signature} &v) {{",
                "    c->top = top; c->end = end;",
                f"    if ({name}_body({given})) dad_report(run, c, k);", "  };",
                f"  dad_sum_nodes_{signature}<1>(term, rows, n, depth, steps, {outs});", "}", ""]
        self.owner.kernel("\n".join(text), name)
        places = ", ".join(f"({self.home(out)}, {out.dtype!r})" for out, _ in sums)
        scratch = "True" if takes_scratch(node.body) else "False"
        self.line(f"run.sum({', '.join([repr(name), count, scratch, f'({places},)', *args])})")

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

    # ------------------------------------------------------------ what the host drives

    def begin(self, carried: Sequence[Reg], init: Sequence[Operand]) -> None:
        """What a loop carries gets its first values."""
        late = []
        for reg, value in zip(carried, init, strict=True):
            if reg.id in self.known.known:
                self.line(f"{register(reg)} = {self.force(value)}")
            else:
                late.append((reg, value))
        self.moves(late)
        self.flush()

    def again(self, carried: Sequence[Reg], following: Sequence[Operand]) -> None:
        pairs = [(reg, value) for reg, value in zip(carried, following, strict=True) if reg != value]
        here = [(reg, self.force(value)) for reg, value in pairs if reg.id in self.known.known]
        self.moves((reg, value) for reg, value in pairs if reg.id not in self.known.known)
        self.flush()
        if here:
            self.line(f"{', '.join(register(r) for r, _ in here)} = {', '.join(v for _, v in here)}")

    def end(self, outs: Sequence[Reg], carried: Sequence[Reg]) -> None:
        for out, reg in zip(outs, carried, strict=True):
            if out.id in self.known.known:
                self.line(f"{register(out)} = {register(reg)}")
            else:
                self.moves([(out, reg)])

    def driven(self, node: tree.For) -> None:
        count = self.force(node.count)
        self.begin(node.carried, node.init)
        self.known.known.add(node.index.id)
        self.open(f"for {register(node.index)} in range({count}):")
        start = len(self.lines)
        self.code(node.body)
        self.again(node.carried, node.next)
        self.close(start)
        self.end(node.outs, node.carried)

    def while_(self, node: tree.While) -> None:
        self.begin(node.carried, node.init)
        self.open("while True:")
        start = len(self.lines)
        self.code(node.test)
        cond = self.force(node.cond)
        self.flush()
        self.line(f"if not {cond}: break")
        self.code(node.body)
        self.again(node.carried, node.next)
        self.close(start)
        self.end(node.outs, node.carried)

    def choice(self, node: tree.Choice) -> None:
        cond = self.force(node.cond)
        self.flush()
        for head, code, values in ((f"if {cond}:", node.then, node.then_values),
                                   ("else:", node.orelse, node.orelse_values)):
            self.open(head)
            start = len(self.lines)
            self.code(code)
            late = []
            for out, value in zip(node.outs, values, strict=True):
                if out.id in self.known.known:
                    self.line(f"{register(out)} = {self.force(value)}")
                else:
                    late.append((out, value))
            self.moves(late)
            self.flush()
            self.close(start)

    def invoke(self, node: tree.Invoke) -> None:
        kinds = []
        args = []
        for x, sized in zip(node.args, self.levels.params(node.function), strict=True):
            here = self.force(x) if sized else self.local(x)
            kinds.append(here is not None)
            if here is None:
                assert isinstance(x, Reg)
                here = self.home(x)
            args.append(here)
        self.flush()
        python, results = self.owner.host_function(node.function, tuple(kinds))
        outs = ", ".join(register(r) for r in node.outs)
        site = self.site(Site(DEPTH_SITE, (("function", node.function),), (), node.span))
        call = f"{python}({', '.join(['run', *args])})"
        if node.function in self.levels.recursive:
            self.line(f"run.deeper({site})")
        self.line(f"{outs}{',' if len(node.outs) == 1 else ''} = {call}" if outs else call)
        if node.function in self.levels.recursive:
            self.line("run.depth -= 1")
        for reg, sized in zip(node.outs, results, strict=True):
            if not sized:
                self.places[reg.id] = register(reg)

    def host(self, name: str, attrs: tuple[tuple[str, AttrValue], ...], args: Sequence[tuple[Operand, ...]],
             results: Sequence[tuple[Reg, ...]]) -> None:
        """A primitive on whole arrays, by a library or by NumPy on the host."""
        given = []
        for first, *sizes in args:
            if isinstance(first, Reg) and first.pointer:
                shape = ", ".join(self.force(s) for s in sizes)
                given.append(f"({first.dtype!r}, {self.force(first)}, ({shape}{',' if len(sizes) == 1 else ''}))")
            else:
                here = self.local(first)
                if here is not None:
                    given.append(f"({first.dtype!r}, {here}, None)")
                else:
                    assert isinstance(first, Reg)
                    given.append(f"({first.dtype!r}, {self.home(first)}, ())")
        self.flush()
        call = HostCall(name, attrs, tuple((g[0].dtype, len(g) - 1) for g in args),
                        tuple((g[0].dtype, len(g) - 1) for g in results))
        hosts = self.owner.made.hosts
        if call not in hosts:
            hosts.append(call)
        types = ", ".join(f"({first.dtype!r}, {len(sizes)})" for first, *sizes in results)
        outs = ", ".join(register(r) for group in results for r in group)
        count = sum(len(group) for group in results)
        self.line(f"{outs}{',' if count == 1 else ''} = run.host({str(hosts.index(call))!r}, [{', '.join(given)}], "
                  f"[{types}])")
        for first, *_ in results:
            if not first.pointer:
                self.places[first.id] = register(first)


class BodyWriter(ThreadWriter):
    """Code of one kernel."""

    def __init__(self, owner: Outline, function: tree.Function) -> None:
        super().__init__(owner.unit, function)
        self.owner = owner
        self.count = 0

    def invoke(self, node: tree.Invoke) -> None:
        self.owner.needed_functions[node.function] = None
        super().invoke(node)

    def text(self) -> list[str]:
        return [*self.locals, *self.lines]


def takes_scratch(code: Code) -> bool:
    return any(isinstance(n, tree.Alloc | tree.Invoke | tree.Resize) for n in everything(code))


def stored(cell: str, reg: Reg, value: str) -> str:
    """A cell gets the value of a register."""
    if reg.pointer:
        return f"{cell}.p = {value};"
    if reg.dtype == "f16":
        return f"{cell}.f16 = dad_to_half({value});"
    return f"{cell}.{CELL[reg.dtype]} = {value};"


def loaded(cell: str, reg: Reg) -> str:
    if reg.pointer:
        return f"({ctype(reg)}){cell}.p"
    return f"dad_of_half({cell}.f16)" if reg.dtype == "f16" else f"{cell}.{CELL[reg.dtype]}"


def literal(x: Imm) -> str:
    """A constant as Python writes it: the host knows numbers of other dtypes by their NumPy scalars."""
    if x.dtype in ("i64", "bool"):
        return repr(x.value)
    return f"_number({x.value!r}, {x.dtype!r})" if x.value == x.value and abs(x.value) != float("inf") else \
        f"_number(float({str(x.value)!r}), {x.dtype!r})"


OPERATORS = {"add": "+", "sub": "-", "mul": "*", "band": "&", "bor": "|", "bxor": "^"}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def python_of(node: tree.Scalar, args: Sequence[str]) -> str:
    """What the host computes: numbers of 64 bits that wrap, and truth values."""
    x, y = args[0], args[1] if len(args) > 1 else ""
    truth = node.args[0].dtype == "bool"
    match node.name:
        case "add" | "sub" | "mul" if not truth:
            return f"_wrapped({x} {OPERATORS[node.name]} {y})"
        case "neg":
            return f"_wrapped(-{x})"
        case "abs":
            return f"_wrapped(abs({x}))"
        case "min" | "max":
            return f"{node.name}({x}, {y})"
        case "and" | "or":
            return f"{x} {node.name} {y}"
        case "xor":
            return f"{x} != {y}"
        case "not":
            return f"not {x}"
        case "select":
            return f"{y} if {x} else {args[2]}"
        case "cast":
            return f"{x} != 0" if node.out.dtype == "bool" else f"int({x})"
        case "band" | "bor" | "bxor":
            return f"{x} {OPERATORS[node.name]} {y}"
        case _ if node.name in COMPARE:
            return f"{x} {COMPARE[node.name]} {y}"
    return f"_{node.name}({x}, {y})"

