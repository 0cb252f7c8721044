"""Glue: what stands between loops of many threads, in one thread; and what all kernels have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..c.emit import ctype
from ..loops import tree
from ..loops.fuse import straight
from ..loops.operands import defined, everything, own, read
from ..loops.tree import Code, Reg
from .apart import scratch_apart
from .bodies import BodyWriter
from .frame import Frame, Item, Kernel, Moves, stored
from .kernel import SHORT, ThreadWriter, operand, register

KERNEL = 'extern "C" __global__ void '
TAIL = 32
"""Nodes of glue at most that the last thread of a launch does."""


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


@dataclass
class Tail:
    """Glue that the last thread of a launch does: a function, what it takes, and how it is called."""

    body: list[str]
    params: list[str]
    loads: list[str]
    args: list[str]
    call: str
    fails: bool


def ends_well(items: Sequence[Item]) -> bool:
    """Whether so little is to do that a kernel of many threads needs no more registers for it."""
    nodes = [n for item in items if not isinstance(item, Moves) for n in everything([item])]
    return len(nodes) <= TAIL and all(
        isinstance(n, tree.Scalar | tree.Load | tree.Store | tree.Shift | tree.Check | tree.Choice) for n in nodes)


def used_by(items: Sequence[Item]) -> tuple[dict[Reg, None], dict[int, int], set[Reg]]:
    """What glue reads from before it, how often it reads each register, and what it moves something to."""
    reads: dict[int, int] = {}
    inputs: dict[Reg, None] = {}
    moved: set[Reg] = set()
    for item in items:
        found = {x: 1 for _, x in item.pairs if isinstance(x, Reg)} if isinstance(item, Moves) else read([item])
        for reg, n in found.items():
            reads[reg.id] = reads.get(reg.id, 0) + n
            if reg not in moved:
                inputs[reg] = None
        if isinstance(item, Moves):
            moved.update(reg for reg, _ in item.pairs)
    return inputs, reads, moved


class Glue(Frame):
    """Writes it, and the kernel of many threads that goes through a loop."""

    draft: Callable[[Tail | None], None] | None = None
    """Writes the launch before, whose last thread may do glue."""

    def code(self, code: Code) -> None:
        raise AssertionError("the host's code is written elsewhere")

    def writer(self) -> BodyWriter:
        return BodyWriter(self.owner, self.function)

    def writer_of(self, code: Code, apart: Mapping[int, str] | None = None) -> BodyWriter:
        """Of code that each of many threads runs: its arrays lie beside each other."""
        made = BodyWriter(self.owner, self.function)
        made.memory, made.apart = self.memory, {**(apart or {}), **scratch_apart(code, self.memory)}
        return made

    def launch_additions(self) -> None:
        """Write the launches that wait for more of their kind."""
        waiting, self.additions = self.additions, []
        if len(waiting) == 1:
            self.line(f"run.adding{waiting[0][0]}")
        elif waiting:
            self.line(f"run.adding_all({', '.join(given for given, _ in waiting)})")

    def launch_draft(self) -> None:
        """Write the launch that waits for what else its last thread may do."""
        draft, self.draft = self.draft, None
        if draft is not None:
            draft(None)

    def flush(self) -> None:
        """Run what waits: launches, and a kernel of one thread, or what the last thread of the launch before does."""
        self.launch_additions()
        items, self.pending = self.pending, []
        if not items:
            self.launch_draft()
            return
        if not ends_well(items):
            self.launch_draft()
        draft, self.draft = self.draft, None
        nodes = [n for n in items if not isinstance(n, Moves)]
        inputs, reads, moved = used_by(items)
        inside = set(defined(nodes))
        written = bool(moved)
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
            else:
                writer.node(item)
        for reg in dict.fromkeys(r for n in nodes for r in own(n)[1]):
            if self.total.get(reg.id, 0) > reads.get(reg.id, 0):
                self.home(reg)
                writer.line(stored(self.at(reg), reg, register(reg)))
                written = True
        kernel = self.given(name, [r for r in inputs if r not in inside])
        needs_frame = written or resizes or any(r.id in self.cells for r in kernel.cells)
        params, loads, args = self.passed(kernel, needs_frame)
        head = f"DAD_DEVICE bool {name}_body({', '.join(['dad_thread *c', *self.formal(kernel, needs_frame)])}) {{"
        given = ", ".join(["c", *self.actual(kernel, needs_frame)])
        tail = Tail([head, *writer.text(), "  return false;", "}"], params, loads, args, f"{name}_body({given})",
                    writer.fails)
        if draft is not None:
            draft(tail)
            return
        stops = self.stops(name, writer, params, args)
        text = [*tail.body, KERNEL + f"{name}({', '.join(['dad_run *run', *params])}) {{",
                stops, *loads, "  dad_thread thread, *c = &thread;", "  dad_begin(c, run, 0, 1);",
                f"  if ({tail.call}) {report(writer, '0')}",
                *(["  run->kept = run->size - (c->end - run->scratch);"] if resizes else []), "}", ""]
        self.owner.kernel("\n".join(text), name)
        self.line(f"run.one({', '.join([repr(name), *args])})")

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
