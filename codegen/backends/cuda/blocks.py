"""Loops of the host whose steps are narrow, in one block of threads: one launch, and no waiting for a condition.

In: a loop that the host would drive, step by step, since there is work for many threads in it. Where the arrays of a
step have few elements, launches take longer than what they launch. Then the whole loop is a kernel of one block:

    numbers, addresses, conditions      every thread computes them, all the same
    loops of independent iterations     a thread to each; so terms of a sum, which every thread then adds up in order
    stores, other loops that store      the first thread

with a barrier between what one thread writes and what others read or write. Widths that the host knows only when the
program runs decide then (`Run.in_block`), and both forms are written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from ..c.emit import ctype
from ..c.scalars import MEMORY
from ..loops import tree
from ..loops.operands import defined, everything, inner, read
from ..loops.tree import Code, Imm, Operand, Reg
from .bodies import BodyWriter
from .frame import WIDTH, stored, takes_scratch
from .glue import KERNEL
from .kernel import operand, register
from .kernels import Kernels
from .levels import escapes, few
from .roots import UNKNOWN

if TYPE_CHECKING:
    from .frame import Frame

SMALL = 16
"""So many elements every thread goes through itself."""
MOST_SHARED = 1 << 14
"""Bytes of small arrays that the threads of a block share."""
WAITING = -2
"""Stands for what threads read that lies in no array of the program."""


def wide(node: tree.Node) -> bool:
    """Whether its iterations are threads of the block."""
    match node:
        case tree.For(parallel=True) | tree.Sum():
            return not few(node)
        case tree.Copy(count=count):
            return not (isinstance(count, Imm) and int(count.value) <= SMALL)
    return False


def busy(node: tree.Node) -> bool:
    return any(map(wide, everything([node])))


def outs_of(node: tree.Node) -> Sequence[Reg]:
    """What a node leaves behind."""
    return node.outs if isinstance(node, tree.For | tree.While | tree.Choice | tree.Invoke) else ()


def fails(code: Code) -> bool:
    return any(isinstance(n, tree.Check | tree.Alloc | tree.Resize | tree.Invoke) for n in everything(code))


class BlockKernels(Kernels):
    """Writes loops as kernels of a block."""

    def narrow(self, node: tree.For | tree.While) -> bool:
        """Write the loop as one kernel; False where that is not possible, or not known to be good. What the host may
        have to do instead is written by `stepwise`."""
        found = self.widths(node)
        if found is None:
            return False
        widths, works = found
        self.flush()
        cond = f"run.in_block(({', '.join(widths)},), ({''.join(f'{w}, ' for w in works)}))"
        if all(w.isdigit() for w in widths) and not works and max(map(int, widths)) <= SMALL * SMALL:
            self.block(node, widths)
            return True
        self.either(cond, lambda: self.block(node, widths), lambda: self.stepwise(node))
        return True

    def stepwise(self, node: tree.For | tree.While) -> None:
        raise AssertionError("loops of the host are written elsewhere")

    def widths(self, node: tree.For | tree.While) -> tuple[list[str], list[str]] | None:
        """How many threads its steps have work for, and how much there is for all of them in each, as Python computes
        it before the loop; None where a block cannot run it."""
        shared = 0
        if escapes([node]) or not self.levels.threadable([node]):
            return None
        for n in everything([node]):
            match n:
                case tree.Resize() | tree.Host() | tree.Library() | tree.Invoke():
                    return None
                case tree.Local(out, size):
                    shared += size * WIDTH[out.dtype]
                case _:
                    pass
        if shared > MOST_SHARED:
            return None
        widths: list[str] = []
        works: list[str] = []
        for n in self.steps(node):
            assert isinstance(n, tree.For | tree.Sum | tree.Copy)
            width = self.ahead(n.count, node)
            if width is None:
                return None
            widths.append(width)
            if not isinstance(n, tree.Copy):
                works += [" * ".join([width, *more]) for more in self.depths(n.body, node)]
        return (widths, works) if widths else None

    def steps(self, node: tree.Node) -> Iterator[tree.Node]:
        """What many threads do, outermost."""
        for part in inner(node):
            for n in part:
                if wide(n):
                    yield n
                else:
                    yield from self.steps(n)

    def depths(self, code: Code, node: tree.For | tree.While) -> Iterator[list[str]]:
        """The numbers of iterations, one inside of the other, that the host knows."""
        for n in code:
            if isinstance(n, tree.For | tree.Sum) and not few(n):
                count = self.ahead(n.count, node)
                here = [] if count is None else [count]
                deeper = [here + more for more in self.depths(n.body, node)]
                yield from deeper or ([here] if here else [])
            else:
                for part in inner(n):
                    yield from self.depths(part, node)

    def block(self, node: tree.For | tree.While, widths: Sequence[str]) -> None:
        """The kernel, and what launches it."""
        name = self.owner.fresh("k")
        writer = BlockWriter(self)
        writer.node(node)
        used = [r for r in node.outs if self.total.get(r.id, 0)]
        here = [r for r in used if r.id in self.known.known]
        again = self.replayed(node, here)
        kept = {r: r if r not in here else self.reg("i64" if r.pointer else r.dtype) for r in used
                if r not in here or again is None}
        writer.line("if (threadIdx.x == 0) {")
        for r, cell in kept.items():
            self.home(cell)
            writer.line("  " + stored(self.at(cell), r, register(r)))
        writer.line("}")
        inside = set(defined([node]))
        kernel = self.given(name, [r for r in read([node]) if r not in inside])
        frame = bool(kept) or any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, frame)
        stops = self.stops(name, writer, params, args, block=True)
        turn = ["turn"] * writer.fails
        formal = ", ".join(["dad_thread *c", "dad_run *run", *(f"int64_t {t}" for t in turn),
                            *self.formal(kernel, frame)])
        actual = ", ".join(["c", "run", *turn, *self.actual(kernel, frame)])
        report = f"if ({name}_body({actual}) && c->failed && threadIdx.x == 0) dad_report(run, c, turn, 0);"
        text = [f"DAD_DEVICE bool {name}_body({formal}) {{", *writer.text(), "  return false;", "}",
                f"{KERNEL}{name}({', '.join(['dad_run *run', *params])}) {{",
                stops, *loads, "  dad_thread thread, *c = &thread;", "  dad_begin(c, run, 0, 1);",
                f"  {report if writer.fails else f'{name}_body({actual});'}", "}", ""]
        self.owner.kernel("\n".join(text), name)
        given = ", ".join([repr(name), f"({', '.join(widths)},)", *args])
        self.line(f"run.block({given})")
        for line in again or ():
            self.line(line)
        for r in here if again is None else ():
            self.line(f"{register(r)} = run.read({self.home(kept[r])}, {('i64' if r.pointer else r.dtype)!r})")

    def replayed(self, node: tree.For | tree.While, here: Collection[Reg]) -> list[str] | None:
        """Python that finds what the host knows behind the loop, where its steps only pass that on; else None."""
        if not here:
            return []
        count = self.local(node.count) if isinstance(node, tree.For) else None
        known = [k for k, r in enumerate(node.carried) if r.id in self.known.known]
        inside = set(defined([node]))
        carried = {node.carried[k] for k in known}
        if count is None or any(isinstance(x, Reg) and x in inside and x not in carried
                                for x in (node.next[k] for k in known)):
            return None
        firsts = [self.local(node.init[k]) for k in known]
        nexts = [self.local(node.next[k]) for k in known]
        if None in firsts or None in nexts:
            return None
        names = ", ".join(register(node.carried[k]) for k in known)
        step = ", ".join(map(str, nexts))
        lines = [f"{names} = {', '.join(map(str, firsts))}"]
        if step != names:
            lines += [f"for {register(node.index)} in range({count}):" if isinstance(node, tree.For) else "",
                      f"    {names} = {step}"]
        return [*lines, *(f"{register(node.outs[k])} = {register(node.carried[k])}" for k in known)]


class BlockWriter(BodyWriter):
    """Code that all threads of a block run together."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame.owner, frame.function)
        self.frame = frame
        self.alone = False
        """Whether what is written is one thread's."""
        self.reads: set[int] = set()
        self.writes: set[int] = set()
        """What threads have read and written since the last barrier."""

    # ------------------------------------------------------------ who waits for whom

    def barrier(self) -> None:
        if self.reads or self.writes:
            self.line("__syncthreads();")
        self.met()

    def met(self) -> None:
        self.reads, self.writes = set(), set()

    def touches(self, reads: set[int], writes: set[int]) -> None:
        """Something that reads and writes there comes."""
        if meet(self.writes, reads | writes) or meet(self.reads, writes) or (writes and WAITING in self.reads):
            self.barrier()

    def touched(self, reads: set[int], writes: set[int]) -> None:
        self.reads |= reads
        self.writes |= writes

    def roots(self, code: Code) -> tuple[set[int], set[int]]:
        """What code reads and writes that others see."""
        of = self.frame.memory.of
        mine = {n.out.id for n in everything(code) if isinstance(n, tree.Alloc | tree.Local)}
        reads: set[int] = set()
        writes: set[int] = set()
        for n in everything(code):
            match n:
                case tree.Load(base=base):
                    reads |= of(base)
                case tree.Store(base=base):
                    writes |= of(base)
                case tree.Copy(target, source):
                    reads |= of(source)
                    writes |= of(target)
                case _:
                    pass
        return reads - mine, writes - mine

    # ------------------------------------------------------------ code

    def node(self, node: tree.Node) -> None:
        if self.alone:
            super().node(node)
            return
        match node:
            case tree.Scalar() | tree.Shift() | tree.Data() | tree.Mark() | tree.Alloc() | tree.Check() | tree.Linked():
                super().node(node)
            case tree.Load() | tree.Store():
                reads, writes = self.roots([node])
                self.touches(reads, writes)
                if isinstance(node, tree.Store):
                    self.open("if (threadIdx.x == 0)")
                super().node(node)
                if isinstance(node, tree.Store):
                    self.close()
                self.touched(reads, writes)
            case tree.Local(out, size):
                held = self.fresh("shared")
                self.locals.append(f"  __shared__ {MEMORY[out.dtype]} {held}[{size}];")
                self.define(out, held)
            case tree.Release():
                self.barrier()  # others may get this memory
                super().node(node)
            case tree.Copy():
                self.copied(node)
            case tree.Sum() if wide(node):
                self.terms(node)
            case tree.For() if wide(node):
                self.each(node.index, node.count, node.body)
            case tree.For() | tree.While() | tree.Choice() if busy(node):
                self.together(node)
            case _:
                self.plain(node)

    def together(self, node: tree.For | tree.While | tree.Choice) -> None:
        """All threads go the same way."""
        if isinstance(node, tree.Choice):
            before = set(self.reads), set(self.writes)
            for out in node.outs:
                self.line(f"{ctype(out)} {register(out)};")
            after: list[tuple[set[int], set[int]]] = []
            for head, code, values in ((f"if ({operand(node.cond)})", node.then, node.then_values),
                                       ("else", node.orelse, node.orelse_values)):
                self.reads, self.writes = set(before[0]), set(before[1])
                self.open(head)
                self.code(code)
                for out, value in zip(node.outs, values, strict=True):
                    self.line(f"{register(out)} = {operand(value)};")
                self.close()
                after.append((self.reads, self.writes))
            self.reads, self.writes = after[0][0] | after[1][0], after[0][1] | after[1][1]
            return
        self.barrier()
        self.carry(node.carried, node.init)
        tested: tuple[set[int], set[int]] = set(), set()
        if isinstance(node, tree.For):
            index = register(node.index)
            self.open(f"for (int64_t {index} = 0; {index} < {operand(node.count)}; {index}++)")
        else:
            self.open("for (;;)")
            self.code(node.test)
            self.line(f"if (!{operand(node.cond)}) break;")
            tested = set(self.reads), set(self.writes)
        self.code(node.body)
        self.barrier()
        self.next(node.carried, node.next)
        self.close()
        self.touched(*tested)
        self.carry(node.outs, node.carried)

    def plain(self, node: tree.Node) -> None:
        """Every thread by itself, or, where something is written, the first one, which tells the others."""
        reads, writes = self.roots([node])
        self.touches(reads, writes)
        if not writes and not any(isinstance(n, tree.Alloc) for n in everything([node])):
            self.alone = True
            super().node(node)
            self.alone = False
            self.touched(reads, writes)
            return
        outs = outs_of(node)
        told = [self.fresh("told") for _ in outs]
        bad, one = self.fresh("bad"), self.fresh("one")
        self.locals += [f"  __shared__ dad_cell {cell};" for cell in told]
        self.line(f"bool {bad} = false;")
        self.open("if (threadIdx.x == 0)")
        self.open(f"auto {one} = [&](dad_thread *c) -> bool")
        self.alone = True
        super().node(node)
        self.alone = False
        for out, cell in zip(outs, told, strict=True):
            self.line(stored(cell, out, register(out)))
        self.line("return false;")
        self.close()
        self.lines[-1] += ";"
        self.line(f"{bad} = {one}(c);")
        self.close()
        self.line(f"if (__syncthreads_or({bad})) return true;")
        self.met()
        for out, cell in zip(outs, told, strict=True):
            self.get(cell, out)
        if told:
            self.reads.add(WAITING)

    # ------------------------------------------------------------ a thread to each

    def copied(self, node: tree.Copy) -> None:
        reads, writes = self.roots([node])
        self.touches(reads, writes)
        target, source, count = register(node.target), register(node.source), operand(node.count)
        if meet(reads, writes):  # they may overlap
            self.line(f"if (threadIdx.x == 0) dad_copy({target}, {source}, {count} * "
                      f"(int64_t)sizeof({MEMORY[node.target.dtype]}));")
        else:
            k = self.fresh("k")
            self.line(f"for (int64_t {k} = threadIdx.x; {k} < {count}; {k} += blockDim.x) {target}[{k}] = "
                      f"{source}[{k}];")
        self.touched(reads, writes)

    def each(self, index: Reg, count: Operand, body: Code) -> None:
        """Iterations in threads; the first that fails is reported."""
        reads, writes = self.roots(body)
        self.touches(reads, writes)
        name, k = self.fresh("each"), self.fresh("k")
        self.open(f"auto {name} = [&](dad_thread *c, int64_t {register(index)}) -> bool")
        self.alone = True
        self.code(body)
        self.alone = False
        self.line("return false;")
        self.close()
        self.lines[-1] += ";"
        mine, bad = self.fresh("mine"), self.fresh("bad")
        self.line(f"dad_thread {mine} = *c;")
        if takes_scratch(body):
            self.line(f"dad_share(&{mine}, threadIdx.x, blockDim.x);")
        can = fails(body)
        if can:
            self.line(f"bool {bad} = false;")
        self.line(f"char *top{k} = {mine}.top;")
        self.open(f"for (int64_t {k} = threadIdx.x; {k} < {operand(count)}; {k} += blockDim.x)")
        self.line(f"{mine}.top = top{k};")
        call = f"{name}(&{mine}, {k})"
        self.line(f"if ({call}) {{ dad_report(run, &{mine}, turn, {k}); {bad} = true; break; }}" if can else f"{call};")
        self.close()
        if can:
            self.line(f"if (__syncthreads_or({bad})) return true;")
            self.met()
        else:
            self.touched(reads, writes)

    def terms(self, node: tree.Sum) -> None:
        """A thread to each term; then every thread adds all of them."""
        frame = self.frame
        sums = ((node.out, node.value), *node.more)
        mark = frame.reg("i64", True)
        self.touches(set(), {WAITING})
        self.line(f"char *{register(mark)} = c->top;")
        rooms = [frame.reg(out.dtype, True) for out, _ in sums]
        for room in rooms:
            super().node(tree.Alloc(room, node.count))
        kept: Code = [tree.Store(room, node.index, value) for room, (_, value) in zip(rooms, sums, strict=True)]
        self.each(node.index, node.count, [*node.body, *kept])
        self.line("__syncthreads();")
        self.met()
        index = frame.reg("i64")
        loads = [tree.Load(frame.reg(out.dtype), room, index) for room, (out, _) in zip(rooms, sums, strict=True)]
        more = tuple((out, load.out) for (out, _), load in zip(node.more, loads[1:], strict=True))
        self.alone = True
        super().node(tree.Sum(node.out, index, node.count, list(loads), loads[0].out, more))
        self.alone = False
        self.line(f"c->top = {register(mark)};")
        self.reads.add(WAITING)


def meet(one: set[int], other: set[int]) -> bool:
    """Whether two sets of roots may lead to the same memory."""
    return bool(one & other) or (UNKNOWN in one and bool(other)) or (UNKNOWN in other and bool(one))
