"""Loops whose iterations may run at once, in parts.

In: a program in loop form, fused. Out: the same program with `Spread` around what is worth it: the outermost loops of
independent iterations, those inside of loops that run in order too, and sums.

A sum is cut where its halves are cut anyway: `parts` numbers of indices, each summed as it would be within the whole,
and added up in the same order. So results have the same bits, however many parts there are and whoever runs them.

Code that calls the host, which runs one thing at a time, stays whole. What a loop costs is estimated from the sizes
that are known where it begins: see `Work`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from . import tree
from .fuse import straight
from .operands import defined, everything, inner
from .tree import Code, Imm, Operand, Reg

LEAST = 1 << 19
"""Operations below which loops do not run in parts."""
HALVINGS, SMALLEST = 5, 1 << 10
"""A sum has up to 2 to the power of this many parts, each of at least so many terms."""
GUESS = 4
"""Iterations of a loop of which is not known how many it has where that is asked."""
CALL = 100
"""Operations that a call counts for besides the straight code of what it calls."""
ONE, ZERO = Imm(1, "i64"), Imm(0, "i64")
Cost = Callable[[str], int]
"""Operations that an elementwise primitive counts for."""


def spread(program: tree.Program, cost: Cost, called_back: Callable[[tree.Scalar], bool]) -> tree.Program:
    """The program, with loops in parts; `called_back` says which primitives on scalars the host runs."""
    whole = with_hosts(program, called_back)
    return tree.Program({name: Spreads(program, f, cost, called_back, whole).run()
                         for name, f in program.functions.items()})


def with_hosts(program: tree.Program, called_back: Callable[[tree.Scalar], bool]) -> set[str]:
    """The functions that may call the host, or that call functions that may."""
    callers: dict[str, set[str]] = {name: set() for name in program.functions}
    pending: list[str] = []
    for name, f in program.functions.items():
        for node in everything(f.body):
            if isinstance(node, tree.Invoke):
                callers[node.function].add(name)
            elif isinstance(node, tree.Host) or (isinstance(node, tree.Scalar) and called_back(node)):
                pending.append(name)
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += callers[name]
    return found


class Spreads:
    """Of one function."""

    def __init__(self, program: tree.Program, function: tree.Function, cost: Cost,
                 called_back: Callable[[tree.Scalar], bool], whole: set[str]) -> None:
        self.program, self.function, self.cost = program, function, cost
        self.called_back, self.whole = called_back, whole
        self.next = -1
        self.bounds = {n.out: n for n in everything(function.body) if isinstance(n, tree.Scalar) and n.name == "min"}

    def reg(self, dtype: str = "i64", pointer: bool = False) -> Reg:
        if self.next < 0:
            self.next = max((r.id for r in (*self.function.params, *defined(self.function.body))), default=0)
        self.next += 1
        return Reg(self.next, dtype, pointer)

    def run(self) -> tree.Function:
        body = self.code(self.function.body, False)
        return self.function if body is self.function.body else replace(self.function, body=body)

    def code(self, code: Code, within: bool) -> Code:
        """`within` a loop that runs in order."""
        made: Code = []
        for node in code:
            made += self.node(node, within)
        return code if len(made) == len(code) and all(x is y for x, y in zip(made, code, strict=True)) else made

    def node(self, node: tree.Node, within: bool) -> Code:
        match node:
            case tree.For(parallel=True, carried=()) if self.apart(node):
                return self.loop(node, within)
            case tree.For():
                return [replaced(node, body=self.code(node.body, True))]
            case tree.While():
                return [replaced(node, test=self.code(node.test, True), body=self.code(node.body, True))]
            case tree.Choice():
                return [replaced(node, then=self.code(node.then, within), orelse=self.code(node.orelse, within))]
            case tree.Sum() if straight(node.body) and self.apart(node):
                return self.sum(node, within)
        return [node]

    def apart(self, node: tree.For | tree.Sum) -> bool:
        """Whether parts of it may run at once and some of them for long."""
        if isinstance(node.count, Imm) and (int(node.count.value) < 2 or self.short(node)):
            return False
        blocks: set[int] = set()
        for part in everything(node.body):
            match part:
                case tree.Host():
                    return False
                case tree.Scalar() if self.called_back(part):
                    return False
                case tree.Invoke(function=name) if name in self.whole:
                    return False
                case tree.Resize():
                    blocks.add(id(part))
        return not blocks or self.own_blocks(node, blocks)

    def own_blocks(self, node: tree.For | tree.Sum, inside: set[int]) -> bool:
        """Whether the growable blocks that it uses are used nowhere else."""
        made = {n.out: n.args for n in everything(self.function.body) if isinstance(n, tree.Scalar) and n.name == "add"}

        def slot(x: Operand) -> int | None:
            if isinstance(x, Imm):
                return int(x.value)
            return next((int(a.value) for a in made.get(x, ()) if isinstance(a, Imm)), None)

        within = {slot(n.slot) for n in everything(node.body) if isinstance(n, tree.Resize)}
        outside = {slot(n.slot) for n in everything(self.function.body)
                   if isinstance(n, tree.Resize) and id(n) not in inside}
        return None not in within | outside and not within & outside

    def short(self, node: tree.For | tree.Sum) -> bool:
        """Whether it is known to be over soon."""
        work = Work(self, {}).of([node])
        return isinstance(work, Imm) and int(work.value) < LEAST

    # ------------------------------------------------------------ loops

    def loop(self, node: tree.For, within: bool) -> Code:
        if straight(node.body) and sum(1 for n in everything(node.body) if isinstance(n, tree.Scalar)) < 2:
            return [node]  # memory is what it waits for
        work = Work(self, dict.fromkeys(defined([node])))
        total = work.of([node])
        start, stop, index, count = self.reg(), self.reg(), self.reg(), self.reg()
        part = tree.For(index, count, (), (), [tree.Scalar(node.index, "add", (start, index)), *node.body], (), (),
                        True)
        made = tree.Spread(start, stop, node.count, total, [tree.Scalar(count, "sub", (stop, start)), part])
        if not within or not straight(node.body):
            return [*work.code, made]
        much = self.reg("bool")
        return [*work.code, tree.Scalar(much, "ge", (total, Imm(LEAST, "i64"))),
                tree.Choice(much, [made], (), [node], (), ())]

    # ------------------------------------------------------------ sums

    def sum(self, node: tree.Sum, within: bool) -> Code:
        work = Work(self, dict.fromkeys(defined([node])))
        total = work.of([node])
        much = self.reg("bool")
        before: Code = [*work.code, tree.Scalar(much, "ge", (total, Imm(LEAST, "i64")))]
        outs = (node.out, *(out for out, _ in node.more))
        if not within:
            depth: Operand = self.reg()
            assert isinstance(depth, Reg)
            halvings = self.halvings(node.count)
            return [*before, *halvings[0], tree.Scalar(depth, "select", (much, halvings[1], ZERO)),
                    *self.in_parts(node, depth, total, outs)]
        code, depth = self.halvings(node.count)
        parts = tuple(self.reg(out.dtype) for out in outs)
        alone = tuple(self.reg(out.dtype) for out in outs)
        whole = replace(node, out=alone[0], more=tuple(
            (out, value) for out, (_, value) in zip(alone[1:], node.more, strict=True)))
        return [*before, tree.Choice(much, [*code, *self.in_parts(node, depth, total, parts)], parts, [whole], alone,
                                     outs)]

    def halvings(self, count: Operand) -> tuple[Code, Operand]:
        """How often the terms are halved until parts are small."""
        code: Code = []
        total: Operand = ZERO
        for k in range(1, HALVINGS + 1):
            enough, one, more = self.reg("bool"), self.reg(), self.reg()
            code += [tree.Scalar(enough, "ge", (count, Imm(SMALLEST << k, "i64"))),
                     tree.Scalar(one, "cast", (enough,), (("to", "i64"),)),
                     tree.Scalar(more, "add", (total, one))]
            total = more
        return code, total

    def in_parts(self, node: tree.Sum, depth: Operand, work: Operand, outs: Sequence[Reg]) -> Code:
        """The sums, in 2 to the power of `depth` parts."""
        start, stop, k, count, parts, at = (self.reg() for _ in range(6))
        lo, size, index = self.reg(), self.reg(), self.reg()
        rooms = [self.reg(out.dtype, True) for out in outs]
        sums = [self.reg(out.dtype) for out in outs]
        place, find = self.place(node.count, depth, at, lo, size)
        summed = tree.Sum(sums[0], index, size, [tree.Scalar(node.index, "add", (lo, index)), *node.body], node.value,
                          tuple((s, value) for s, (_, value) in zip(sums[1:], node.more, strict=True)))
        each = [tree.Scalar(at, "add", (start, k)), *place, find, summed,
                *(tree.Store(room, at, s) for room, s in zip(rooms, sums, strict=True))]
        body: Code = [tree.Scalar(count, "sub", (stop, start)), tree.For(k, count, (), (), each, (), (), True)]
        return [*(tree.Local(room, 1 << HALVINGS) for room in rooms), tree.Scalar(parts, "shl", (ONE, depth)),
                tree.Spread(start, stop, parts, work, body), self.added(rooms, depth),
                *(tree.Load(out, room, ZERO) for out, room in zip(outs, rooms, strict=True))]

    def place(self, count: Operand, depth: Operand, part: Reg, lo: Reg, size: Reg) -> tuple[Code, tree.For]:
        """Where a part begins and how many terms it has: the bits of its number say which halves it is in."""
        last, d, bit, shifted, right, begin, many, half, left, rest, moved, next_lo, next_size = (
            self.reg() for _ in range(13))
        after = self.reg("bool")
        body: Code = [
            tree.Scalar(bit, "sub", (last, d)), tree.Scalar(shifted, "shr", (part, bit)),
            tree.Scalar(right, "band", (shifted, ONE)), tree.Scalar(after, "ne", (right, ZERO)),
            tree.Scalar(half, "shr", (many, Imm(4, "i64"))), tree.Scalar(left, "shl", (half, Imm(3, "i64"))),
            tree.Scalar(rest, "sub", (many, left)), tree.Scalar(moved, "add", (begin, left)),
            tree.Scalar(next_lo, "select", (after, moved, begin)),
            tree.Scalar(next_size, "select", (after, rest, left)),
        ]
        return [tree.Scalar(last, "sub", (depth, ONE))], tree.For(
            d, depth, (begin, many), (ZERO, count), body, (next_lo, next_size), (lo, size))

    def added(self, rooms: Sequence[Reg], depth: Operand) -> tree.For:
        """Parts side by side are added, until one is left."""
        d, last, bits, pairs, j, even, odd = (self.reg() for _ in range(7))
        adds: Code = [tree.Scalar(even, "add", (j, j)), tree.Scalar(odd, "add", (even, ONE))]
        for room in rooms:
            x, y, both = (self.reg(room.dtype) for _ in range(3))
            adds += [tree.Load(x, room, even), tree.Load(y, room, odd), tree.Scalar(both, "add", (x, y)),
                     tree.Store(room, j, both)]
        return tree.For(d, depth, (), (), [
            tree.Scalar(last, "sub", (depth, ONE)), tree.Scalar(bits, "sub", (last, d)),
            tree.Scalar(pairs, "shl", (ONE, bits)), tree.For(j, pairs, (), (), adds, (), ())], (), ())


def replaced(node: tree.Node, **code: Code) -> tree.Node:
    """The node with other code inside, itself where that is the same."""
    if all(getattr(node, name) is part for name, part in code.items()):
        return node
    return replace(node, **code)  # type: ignore[arg-type]


class Work:
    """About how many operations code takes, as code: what is not known outside of it is guessed.

    An operation is about a quarter of a nanosecond: one that is done in vectors.
    """

    def __init__(self, of: Spreads, inside: dict[Reg, None]) -> None:
        self.owner, self.inside = of, inside
        self.bounds = of.bounds
        self.code: Code = []

    def of(self, code: Code) -> Operand:
        fixed, loops = self.counted(code)
        total: Operand = Imm(fixed, "i64")
        for count, each in loops:
            total = self.both("add", total, self.both("mul", count, each))
        return total

    def counted(self, code: Code) -> tuple[int, list[tuple[Operand, Operand]]]:
        """Operations, and loops: how many iterations of how many operations."""
        fixed = 0
        loops: list[tuple[Operand, Operand]] = []
        for node in code:
            match node:
                case tree.Scalar(name=name):
                    fixed += self.owner.cost(name)
                case tree.For(count=count) | tree.Sum(count=count):
                    each = self.of([*node.body])
                    known = self.known(count)
                    if isinstance(known, Imm) and isinstance(each, Imm):
                        fixed += max(int(known.value), 0) * (1 + int(each.value))
                    else:
                        loops.append((known, self.both("add", each, ONE)))
                case tree.Invoke(function=name):
                    f = self.owner.program.functions[name]
                    fixed += CALL + sum(self.owner.cost(n.name) * (GUESS if inner(m) else 1) for m in f.body
                                        for n in everything([m]) if isinstance(n, tree.Scalar))
                case _:
                    parts = [self.counted(part) for part in inner(node)]
                    times = GUESS if isinstance(node, tree.While) else 1
                    fixed += 1 + times * max((k for k, _ in parts), default=0)
                    loops += [loop for _, more in parts for loop in more]
        return fixed, loops

    def known(self, count: Operand) -> Operand:
        """The number, or one that it is not larger than, or a guess."""
        if isinstance(count, Imm) or count not in self.inside:
            return count
        made = self.bounds.get(count)
        return Imm(GUESS, "i64") if made is None else min(map(self.known, made.args), key=lambda x: isinstance(x, Imm))

    def both(self, name: str, x: Operand, y: Operand) -> Operand:
        if isinstance(x, Imm) and isinstance(y, Imm):
            a, b = int(x.value), int(y.value)
            return Imm(a + b if name == "add" else a * b, "i64")
        if name == "add" and ZERO in (x, y):
            return y if x == ZERO else x
        out = self.owner.reg()
        self.code.append(tree.Scalar(out, name, (x, y)))
        return out
