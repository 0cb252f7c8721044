"""Which code runs where: what the host drives, what becomes a kernel, and what the host knows.

In: a program in loop form. A node at the outer level of a function of the host is one of

    glue    runs in one thread, with what stands beside it: scalars, elements, loops without much in them
    grid    a loop of independent iterations, a thread to each
    sum     a sum, its terms in threads
    drive   the host's: allocation, calls, branches and loops that hold work for many threads

A register is known to the host, or it lies in device memory. Pointers and numbers of elements are known unless they
come out of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ....lang.core import ir
from ..loops import tree
from ..loops.fuse import straight
from ..loops.operands import everything
from ..loops.tree import Code, Imm, Operand, Reg
from .folding import Folded, folded, marked
from .scalars import DeviceScalars, Missing

FEW = 32
"""Loops of at most so many iterations of straight code are no work for many threads."""
HOST_DTYPES = ("i64", "bool")
"""What the host computes with."""
HOST_OPS = frozenset({
    "add", "sub", "mul", "neg", "min", "max", "abs", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not",
    "select", "quot", "rem", "div", "mod", "shl", "shr", "band", "bor", "bxor", "cast",
})


def circular(calls: dict[str, set[str]]) -> set[str]:
    """The functions that may call themselves."""
    found: set[str] = set()
    for name, called in calls.items():
        seen: set[str] = set()
        pending = list(called)
        while pending:
            other = pending.pop()
            if other not in seen:
                seen.add(other)
                pending += calls[other]
        if name in seen:
            found.add(name)
    return found


class Levels:
    """Of a program."""

    def __init__(self, program: tree.Program, types: Mapping[str, Types]) -> None:
        """`types` are those of functions of the IR."""
        self.program, self.types = program, types
        self.spoken: dict[tuple[str, str, tuple[str, ...], tuple[object, ...]], bool] = {}
        calls = {name: {n.function for n in everything(f.body) if isinstance(n, tree.Invoke)}
                 for name, f in program.functions.items()}
        self.recursive = circular(calls)
        self.threads = {name for name, f in program.functions.items()
                        if name not in self.recursive and all(self.simple(n) for n in everything(f.body))}
        """Functions that a thread can call."""
        while True:
            lost = {name for name in self.threads if not calls[name] <= self.threads}
            if not lost:
                break
            self.threads -= lost
        self.busy: dict[str, bool] = {}
        self.told: dict[tuple[str, tuple[bool, ...]], list[bool]] = {}

    def params(self, name: str) -> list[bool]:
        """Which parameters of a function are addresses and sizes."""
        if name in self.types:
            return arrays(self.types[name][0])
        return shapes_of(self.program.functions[name].params)

    def results(self, name: str) -> list[bool]:
        if name in self.types:
            return arrays(self.types[name][1])
        return shapes_of(self.program.functions[name].results)

    def fails(self, root: str) -> bool:
        """Whether something on the device may fail in a call: a check, or what takes scratch memory."""
        seen: set[str] = set()
        pending = [root]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            body = self.program.functions[name].body
            outer = {id(n) for n in body}
            for n in everything(body):
                if isinstance(n, tree.Check | tree.Resize) or (
                        isinstance(n, tree.Alloc | tree.Host) and id(n) not in outer):
                    return True
                if isinstance(n, tree.Invoke):
                    pending.append(n.function)
        return bool(seen & self.recursive)

    def results_known(self, name: str, params: tuple[bool, ...]) -> list[bool]:
        """Which results of a function the host knows that knows these parameters."""
        if (name, params) not in self.told:
            found = self.results(name)
            if name not in self.recursive:
                f = self.program.functions[name]
                known = Known(self, f, params)
                found = [here or (known.knows(x) and x.dtype in HOST_DTYPES)
                         for x, here in zip(f.results, found, strict=True)]
            self.told[name, params] = found
        return self.told[name, params]

    def simple(self, node: tree.Node) -> bool:
        """Whether a thread can do it, calls and what is inside aside."""
        match node:
            case tree.Host() | tree.Library() | tree.Spread() | tree.Lanes():
                return False
            case tree.Scalar():
                return self.speaks(node)
        return True

    def speaks(self, node: tree.Scalar) -> bool:
        """Whether there is CUDA C for a primitive."""
        key = node.name, node.out.dtype, tuple(a.dtype for a in node.args), tuple(node.attrs)
        if key not in self.spoken:
            try:
                names = tuple("xyzuvw"[:len(node.args)])
                DeviceScalars({}, {}).prim(node.name, node.out.dtype, key[2], names, node.attrs)
                self.spoken[key] = True
            except Missing:
                self.spoken[key] = False
        return self.spoken[key]

    def threadable(self, code: Code) -> bool:
        """Whether a thread can run it."""
        return all(self.simple(n) and (not isinstance(n, tree.Invoke) or n.function in self.threads)
                   for n in everything(code))

    def much(self, code: Code) -> bool:
        """Whether there is work for many threads in it."""
        for n in everything(code):
            match n:
                case tree.For(parallel=True) | tree.Sum() if not few(n):
                    return True
                case tree.For() if marked(n):
                    return True
                case tree.Copy(count=count) if not isinstance(count, Imm):
                    return True
                case tree.Invoke(function=name) if self.calls_much(name):
                    return True
        return False

    def calls_much(self, name: str) -> bool:
        if name not in self.busy:
            self.busy[name] = False
            self.busy[name] = self.much(self.program.functions[name].body)
        return self.busy[name]

    def glue(self, node: tree.Node) -> bool:
        """Whether it runs in one thread beside others."""
        return not escapes([node]) and self.threadable([node]) and not self.much([node])

    def own_blocks(self, function: tree.Function, node: tree.For | tree.Sum) -> bool:
        """Whether blocks that grow in a loop are used in it alone, so that each thread may have its own."""
        inside = {id(n): n for n in everything(node.body) if isinstance(n, tree.Resize)}
        if not inside:
            return True
        made = {n.out: n.args for n in everything(function.body) if isinstance(n, tree.Scalar) and n.name == "add"}

        def slot(x: Operand) -> int | None:
            if isinstance(x, Imm):
                return int(x.value)
            return next((int(a.value) for a in made.get(x, ()) if isinstance(a, Imm)), None)

        within = {slot(n.slot) for n in inside.values()}
        outside = {slot(n.slot) for n in everything(function.body)
                   if isinstance(n, tree.Resize) and id(n) not in inside}
        if None in within | outside:
            return False
        return not {s + d for s in within if s is not None for d in (-1, 0, 1)} & outside


def few(node: tree.For | tree.Sum) -> bool:
    return isinstance(node.count, Imm) and int(node.count.value) <= FEW and straight(node.body)


def escapes(code: Code) -> bool:
    """Whether it takes memory that it does not give back: others may read what lies there."""
    for node in code:
        match node:
            case tree.Alloc():
                return True
            case tree.Invoke(outs=outs) if any(r.pointer for r in outs):
                return True
            case tree.Choice(then=then, orelse=orelse, outs=outs):
                if escapes(then) or escapes(orelse):
                    return True
                if any(r.pointer for r in outs) and any(isinstance(n, tree.Local) for n in everything([node])):
                    return True
            case tree.Mark():
                return False  # the rest of this block is given back at its end
            case tree.For(body=body) | tree.Sum(body=body):
                if escapes(body):
                    return True
            case tree.While(test=test, body=body):
                if escapes(test) or escapes(body):
                    return True
    return False


class Known:
    """What the host knows in a function, and which nodes it drives: its own, and those in what it drives.

    `params` says of each parameter whether the host knows it.
    """

    def __init__(self, levels: Levels, function: tree.Function, params: Sequence[bool]) -> None:
        self.levels, self.function = levels, function
        self.known = {r.id for r, here in zip(function.params, params, strict=True) if here}
        self.driven: set[int] = set()
        """Identities of nodes."""
        self.code(function.body)

    def knows(self, x: Operand) -> bool:
        return isinstance(x, Imm) or x.id in self.known

    def all(self, xs: Iterable[Operand]) -> bool:
        return all(self.knows(x) for x in xs)

    def computes(self, node: tree.Scalar) -> bool:
        """Whether the host computes it."""
        return node.name in HOST_OPS and node.out.dtype in HOST_DTYPES and self.all(node.args) and all(
            a.dtype in HOST_DTYPES for a in node.args)

    def code(self, code: Code) -> None:
        for node in code:
            self.node(node)

    def node(self, node: tree.Node) -> None:
        levels, known = self.levels, self.known
        match node:
            case tree.Scalar(out):
                if self.computes(node):
                    known.add(out.id)
            case tree.Shift(out, base, offset):
                if self.knows(base) and self.knows(offset):
                    known.add(out.id)
            case tree.Alloc(out) | tree.Local(out) | tree.Mark(out):
                known.add(out.id)
            case tree.Linked(out):
                known.add(out.id)
            case tree.Data(out, count):
                known.update((out.id, count.id))
            case tree.Invoke(outs=outs):
                if not self.inline(node):
                    self.driven.add(id(node))
                    given = tuple(sized or self.knows(x) for x, sized in zip(
                        node.args, levels.params(node.function), strict=True))
                    found = levels.results_known(node.function, given)
                    known.update(r.id for r, here in zip(outs, found, strict=True) if here)
            case tree.Host(results=results):
                for first, *sizes in results:
                    if first.pointer:
                        known.update((first.id, *(s.id for s in sizes)))
            case tree.For():
                if not self.kernel(node) and not levels.glue(node):
                    self.loop(node)
            case tree.While():
                if not levels.glue(node):
                    self.loop(node)
            case tree.Choice():
                self.choice(node)
            case _:
                pass

    def inline(self, node: tree.Invoke) -> bool:
        """Whether a call is a thread's."""
        return node.function in self.levels.threads and not self.levels.calls_much(node.function) and not any(
            r.pointer for r in node.outs)

    def fold(self, node: tree.For) -> Folded | None:
        """The parts of a fold that many threads do."""
        found = folded(node, self.function)
        fine = found is not None and all(map(self.levels.threadable, (found.element, found.join, found.rest)))
        return found if fine else None

    def kernel(self, node: tree.For | tree.Sum) -> bool:
        """Whether its iterations are threads."""
        if isinstance(node, tree.For) and self.fold(node) is not None:
            return True
        if isinstance(node, tree.For) and (not node.parallel or node.carried or node.last):
            return False
        return self.levels.threadable(node.body) and self.levels.own_blocks(self.function, node)

    def loop(self, node: tree.For | tree.While) -> None:
        """A loop that the host drives; what it carries is known where that is known before it and after each turn."""
        self.driven.add(id(node))
        carried = {r.id for r, x in zip(node.carried, node.init, strict=True)
                   if self.knows(x) and (r.pointer or r.dtype in HOST_DTYPES)}
        before = set(self.known)
        while True:
            self.known.clear()
            self.known |= before | carried
            if isinstance(node, tree.For):
                self.known.add(node.index.id)
            else:
                self.code(node.test)
            self.code(node.body)
            lost = {r.id for r, x in zip(node.carried, node.next, strict=True)
                    if r.id in carried and not self.knows(x)}
            if not lost:
                break
            carried -= lost
        self.known.update(out.id for out, r in zip(node.outs, node.carried, strict=True) if r.id in carried)

    def choice(self, node: tree.Choice) -> None:
        glue = self.levels.glue(node)
        sizes = all(r.pointer or r.dtype in HOST_DTYPES for r in node.outs) and bool(node.outs)
        if glue and not (self.knows(node.cond) and sizes):
            self.driven.discard(id(node))
            return
        self.driven.add(id(node))
        self.code(node.then)
        self.code(node.orelse)
        for out, x, y in zip(node.outs, node.then_values, node.orelse_values, strict=True):
            if (out.pointer or out.dtype in HOST_DTYPES) and self.knows(x) and self.knows(y):
                self.known.add(out.id)


Types = tuple[Sequence[ir.Type], Sequence[ir.Type]]
"""Of parameters and of results."""


def arrays(types: Sequence[ir.Type]) -> list[bool]:
    """Which of the operands that values of these types are belong to arrays."""
    return [t.rank > 0 for t in types for _ in range(1 + t.rank)]


def shapes_of(regs: Sequence[Operand]) -> list[bool]:
    """The same of a function of which there are no types: pointers and the sizes behind them. A number of its own
    looks like a size there, and counts as one."""
    found: list[bool] = []
    inside = False
    for r in regs:
        pointer = isinstance(r, Reg) and r.pointer
        inside = pointer or (inside and r.dtype == "i64")
        found.append(inside)
    return found
