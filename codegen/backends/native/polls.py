"""Looks for signals put into loops, so that a long run can be stopped.

A context counts operations down (`FUEL`); where they are used up, `poll` of `context` looks at the clock, and every now
and then has Python look for signals. A `Poll` costs about a nanosecond, so loops do not have one in each iteration. A
loop that is not inside of another runs in pieces of `PIECE` operations, where its iterations take all the same, else it
counts in a register, and tells the context when a piece is over. Loops inside of it go on with that register, or do not
count at all where somebody outside can say beforehand how much they do: then they are as they were, and nothing
changes in what vectorises. If what they do is much they look by themselves: short code is there twice for that, and a
comparison chooses. Only an inner loop of independent iterations that is long by itself is waited for. Rows of the
program's own tables are few, since the program is a text: loops over them run through, and the function tells in the
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..loops import tree
from ..loops.copies import renamed
from ..loops.operands import defined, everything
from ..loops.room import WIDTH
from ..loops.tree import Code, Imm, Operand, Reg
from .scalars import COMPARE, FLOAT_OPS, INT_OPS, INTRINSICS, called_back

PIECE = 1 << 14
"""Operations that nobody needs to be told of."""
LONG = 1 << 13
"""Iterations of a loop in another one that nobody needs to be told of."""
TWICE = 40
"""Nodes of a loop in another one that may be there twice."""
NEVER_TWICE = (tree.Check, tree.Invoke, tree.Host, tree.Linked, tree.Library, tree.Resize, tree.While, tree.Lanes)
MANY = 1 << 17
"""Operations of loops in another one that nobody needs to be told of."""
HEAVY = 20
"""Operations that each not in `LIGHT` counts for."""
LIGHT = {*COMPARE, *FLOAT_OPS, *INT_OPS, *INTRINSICS, "select", "and", "or", "xor", "not", "neg", "max", "min", "cast",
         "scaled", "sign", "isnan", "isinf", "copysign", "fma", "shl", "shr", "ushr", "bitcast"}


def polled(program: tree.Program) -> tree.Program:
    """The same program, which can be stopped."""
    recursive = in_circles(program)
    return tree.Program({name: Polls(f, recursive).run() for name, f in program.functions.items()})


def in_circles(program: tree.Program) -> set[str]:
    """Functions that may call themselves."""
    calls = {name: {node.function for node in everything(f.body) if isinstance(node, tree.Invoke)}
             for name, f in program.functions.items()}
    found = set()
    for name in calls:
        seen: set[str] = set()
        pending = list(calls[name])
        while pending:
            other = pending.pop()
            if other not in seen:
                seen.add(other)
                pending += calls.get(other, ())
        if name in seen:
            found.add(name)
    return found


class Counted:
    """Code with its polls; how many operations it has but for loops; the loops that are to be counted outside of it, by
    their length and the operations of an iteration; whether there are loops or calls in it at all, and whether some of
    them take operations that nobody outside knows of; and what is left behind it until the context is told."""

    def __init__(self, code: Code, cost: int = 0, loops: Sequence[tuple[Operand, int]] = (), inside: bool = False,
                 tells: bool = False, left: Operand | None = None) -> None:
        self.code, self.cost, self.loops, self.inside, self.tells = code, cost, list(loops), inside, tells
        self.left = left

    def add(self, other: Counted) -> None:
        """What else there is in it."""
        self.cost += other.cost
        self.loops += other.loops
        self.inside = self.inside or other.inside
        self.tells = self.tells or other.tells


class Polls:
    """Of one function.

    `left` is, within a loop, the register that counts; code gives the one that holds the count behind it. Outside of
    loops there is none.
    """

    def __init__(self, function: tree.Function, recursive: set[str]) -> None:
        self.function = function
        self.recursive = function.name in recursive
        self.next = -1
        self.rows = {node.count for node in function.body if isinstance(node, tree.Data)}
        """How many rows tables of the program have."""
        self.alike = False
        """Whether it is in lanes of vectors."""
        self.over_rows: list[tuple[Operand, int]] = []

    def reg(self, dtype: str = "i64", pointer: bool = False) -> Reg:
        if self.next < 0:
            self.next = 1 + max((r.id for r in (*self.function.params, *defined(self.function.body))), default=0)
        self.next += 1
        return Reg(self.next - 1, dtype, pointer)

    def run(self) -> tree.Function:
        found = self.code(self.function.body, None)
        body = found.code
        if self.over_rows:
            work, total = self.work(Counted([], 0, self.over_rows))
            body = [*body, *work, tree.Poll(total)]
        if self.recursive:
            body = [tree.Poll(Imm(1 + found.cost, "i64")), *body]
        return self.function if body is self.function.body else replace(self.function, body=body)

    def code(self, code: Code, left: Operand | None) -> Counted:
        """The code with polls."""
        made: Code = []
        found = Counted(code, left=left)
        changed = False
        for node in code:
            part = self.node(node, found.left)
            changed = changed or len(part.code) != 1 or part.code[0] is not node
            made += part.code
            found.add(part)
            if part.left is not None:
                found.left = part.left
        if changed:
            found.code = made
        return found

    def node(self, node: tree.Node, left: Operand | None) -> Counted:
        within = left is not None
        match node:
            case tree.For():
                return self.loop(node, left)
            case tree.Spread():
                body = self.code(node.body, None).code
                return Counted([node if body is node.body else replace(node, body=body)], 2, inside=True, tells=True)
            case tree.Lanes():
                return self.lanes(node)
            case tree.While():
                return self.until(node, left)
            case tree.Choice():
                return self.choice(node, left)
            case tree.Sum():
                each = 1 + self.code(node.body, Imm(0, "i64")).cost
                if isinstance(node.count, Imm):
                    return Counted([node], int(node.count.value) * each)
                return Counted([node], HEAVY, [(node.count, each)] if within else [], True)
            case tree.Copy():
                return Counted([node], 1, [(node.count, 1)] if within else [], True)
            case tree.Scalar(name=name):
                return Counted([node], 1 if name in LIGHT else HEAVY)
            case tree.Invoke():
                return Counted([node], 5, inside=True, tells=True)
            case tree.Host() | tree.Library():
                return Counted([node], 1000)
        return Counted([node], 1)

    def lanes(self, node: tree.Lanes) -> Counted:
        """What is in there runs equally often in all lanes; what it counts by itself is half a piece outside."""
        outside, self.alike = self.alike, True
        body = self.code(node.body, Imm(PIECE, "i64"))
        self.alike = outside
        made = node if body.code is node.body else replace(node, body=body.code)
        cost = node.count * (1 + body.cost) + (PIECE // 2 if body.tells else 0)
        return Counted([made], cost, [(n, node.count * each) for n, each in body.loops], body.inside, body.tells)

    def choice(self, node: tree.Choice, left: Operand | None) -> Counted:
        then, orelse = self.branch(node.then, left), self.branch(node.orelse, left)
        cost, inside, tells = 1 + max(then.cost, orelse.cost), then.inside or orelse.inside, then.tells or orelse.tells
        if then.left == left == orelse.left:
            same = then.code is node.then and orelse.code is node.orelse
            made = node if same else replace(node, then=then.code, orelse=orelse.code)
            return Counted([made], cost, inside=inside, tells=tells)
        assert then.left is not None
        assert orelse.left is not None
        after = self.reg()
        made = tree.Choice(node.cond, then.code, (*node.then_values, then.left), orelse.code,
                           (*node.orelse_values, orelse.left), (*node.outs, after))
        return Counted([made], cost, inside=inside, tells=tells, left=after)

    def branch(self, code: Code, left: Operand | None) -> Counted:
        """An arm, which counts its own loops."""
        found = self.code(code, left)
        if found.loops:
            work, total = self.work(Counted([], 0, found.loops))
            if found.left is None:
                return Counted([*found.code, *work, tree.Poll(total)], found.cost, inside=True, tells=True)
            less = self.reg()
            found = Counted([*found.code, *work, tree.Scalar(less, "sub", (found.left, total))], found.cost,
                            inside=True, tells=True, left=less)
        return found

    def loop(self, node: tree.For, left: Operand | None) -> Counted:
        within = left is not None
        inner = self.reg()
        body = self.code(node.body, inner)
        if body.inside and not within and not body.tells and self.even(node, body):
            code, work = self.work(body)
            size, least = self.reg(), self.reg()
            code += [tree.Scalar(size, "quot", (Imm(PIECE, "i64"), work)),
                     tree.Scalar(least, "max", (size, Imm(1, "i64")))]
            whole = node if body.code is node.body else replace(node, body=body.code)
            return Counted([*code, *self.pieces(whole, least, work)], 2, inside=True, tells=True)
        if body.inside and within and not body.tells and self.even(node, body) and self.twice(node):
            return self.nest(node, body)
        if body.inside:
            return self.counting(node, body, inner, left)
        each = max(body.cost, 1)
        if isinstance(node.count, Imm) and int(node.count.value) * each <= PIECE:
            return Counted([node], int(node.count.value) * each)
        if not within and node.count in self.rows:
            self.over_rows.append((node.count, each))
            return Counted([node], 2, inside=True, tells=True)
        if not within:
            made = self.pieces(node, Imm(max(PIECE // each & -WIDTH, WIDTH), "i64"), Imm(each, "i64"))
            return Counted(made, 2, inside=True, tells=True)
        return Counted(self.looking(node, each) if node.carried else [node], 1, [(node.count, each)], True)

    def even(self, node: tree.For, body: Counted) -> bool:
        """Whether all iterations take the same operations."""
        bound = {node.index.id, *(r.id for r in (*node.carried, *defined(body.code)))}
        return all(isinstance(count, Imm) or count.id not in bound for count, _ in body.loops)

    def looking(self, node: tree.For, each: int) -> Code:
        """A loop in another one, which counts for it: when it is long it looks by itself."""
        if self.twice(node):
            long = self.reg("bool")
            return [tree.Scalar(long, "gt", (node.count, Imm(LONG, "i64"))), *self.either(node, long)]
        bits, dry = self.reg(), self.reg("bool")
        look = tree.Choice(dry, [tree.Poll(Imm(LONG * each, "i64"))], (), [], (), (), True)
        return [replace(node, body=[tree.Scalar(bits, "band", (node.index, Imm(LONG - 1, "i64"))),
                                    tree.Scalar(dry, "eq", (bits, Imm(LONG - 1, "i64"))), look, *node.body])]

    def nest(self, node: tree.For, body: Counted) -> Counted:
        """Loops in another one, which counts for them: when they take long they look by themselves."""
        code, work = self.work(body)
        positive, total, long = self.reg(), self.reg(), self.reg("bool")
        code += [tree.Scalar(positive, "max", (node.count, Imm(0, "i64"))),
                 tree.Scalar(total, "mul", (positive, work)),
                 tree.Scalar(long, "gt", (total, Imm(MANY, "i64")))]
        return Counted([*code, *self.either(node, long)], 1, [(total, 1)], True)

    def twice(self, node: tree.For) -> bool:
        """Whether the code may be there twice: it is short, and nothing in it can fail."""
        if self.alike:
            return False
        for k, n in enumerate(everything([node])):
            if k > TWICE or isinstance(n, NEVER_TWICE) or (
                    isinstance(n, tree.Scalar) and called_back(n)):
                return False
        return not any(r.pointer for r in node.carried)

    def either(self, node: tree.For, long: Reg) -> Code:
        """The loop as it is, and with looks in a function of its own, which runs where it is `long`: so that nothing is
        in the way where it is short."""
        names = {r.id: self.reg(r.dtype, r.pointer) for r in defined([node])}
        rooms = tuple(self.reg(r.dtype, True) for r in node.outs)
        loaded = tuple(self.reg(r.dtype) for r in node.outs)
        outs = tuple(self.reg(r.dtype) for r in node.outs)
        again = renamed([node], names)[0]
        assert isinstance(again, tree.For)
        apart = [*self.loop(again, None).code,
                 *(tree.Store(room, Imm(0, "i64"), r) for room, r in zip(rooms, again.outs, strict=True))]
        return [*(tree.Local(room, 1) for room in rooms),
                tree.Choice(long, [tree.Spread(self.reg(), self.reg(), Imm(1, "i64"), Imm(0, "i64"), apart),
                                   *(tree.Load(r, room, Imm(0, "i64")) for r, room in zip(loaded, rooms, strict=True))],
                            loaded, [replace(node, outs=outs)], outs, node.outs, True)]

    def counting(self, node: tree.For, body: Counted, inner: Reg, left: Operand | None) -> Counted:
        """The loop with a count: that of the loop around, else one that the context is told in the end."""
        after, end = self.reg(), self.reg()
        made = replace(node, carried=(*node.carried, inner), init=(*node.init, left or Imm(PIECE, "i64")),
                       body=[*body.code, *self.step(body, after)], next=(*node.next, after),
                       outs=(*node.outs, end), parallel=False, room=False, last=0)
        return self.ended(made, end, left)

    def until(self, node: tree.While, left: Operand | None) -> Counted:
        inner = self.reg()
        test = self.code(node.test, inner)
        body = self.code(node.body, test.left)
        code = body.code
        body.add(test)
        after, end = self.reg(), self.reg()
        steps = self.step(Counted([], body.cost, body.loops, left=body.left), after)
        made = replace(node, carried=(*node.carried, inner), init=(*node.init, left or Imm(PIECE, "i64")),
                       test=test.code, body=[*code, *steps], next=(*node.next, after), outs=(*node.outs, end))
        return self.ended(made, end, left)

    def ended(self, made: tree.Node, end: Reg, left: Operand | None) -> Counted:
        if left is not None:
            return Counted([made], 2, inside=True, tells=True, left=end)
        spent = self.reg()
        told: Code = [tree.Scalar(spent, "sub", (Imm(PIECE, "i64"), end)), tree.Poll(spent)]
        return Counted([made, *told], 2, inside=True, tells=True)

    def step(self, body: Counted, after: Reg) -> Code:
        """Count an iteration."""
        assert body.left is not None
        code, work = self.work(body)
        less, dry, spent = self.reg(), self.reg("bool"), self.reg()
        return [*code, tree.Scalar(less, "sub", (body.left, work)), tree.Scalar(dry, "lt", (less, Imm(0, "i64"))),
                tree.Choice(dry, [tree.Scalar(spent, "sub", (Imm(PIECE, "i64"), less)), tree.Poll(spent)],
                            (Imm(PIECE, "i64"),), [], (less,), (after,), True)]

    def work(self, body: Counted) -> tuple[Code, Operand]:
        """The operations of a body, with the loops in it."""
        code: Code = []
        total: Operand = Imm(1 + body.cost, "i64")
        rates: dict[Operand, int] = {}
        for count, each in body.loops:
            rates[count] = rates.get(count, 0) + each
        for count, each in rates.items():
            positive, product, added = self.reg(), self.reg(), self.reg()
            code += [tree.Scalar(positive, "max", (count, Imm(0, "i64"))),
                     tree.Scalar(product, "mul", (positive, Imm(each, "i64"))),
                     tree.Scalar(added, "add", (total, product))]
            total = added
        return code, total

    def pieces(self, node: tree.For, size: Operand, each: Operand) -> Code:
        """The loop, `size` iterations at a time."""
        start, left, count, index, after, work, end = (self.reg() for _ in range(7))
        on = self.reg("bool")
        carried = tuple(self.reg(r.dtype, r.pointer) for r in node.carried)
        outs = tuple(self.reg(r.dtype, r.pointer) for r in node.carried)
        piece = tree.For(index, count, node.carried, carried,
                         [tree.Scalar(node.index, "add", (start, index)), *node.body], node.next, outs, node.parallel,
                         node.room, node.last)
        body: Code = [
            tree.Scalar(left, "sub", (node.count, start)),
            tree.Scalar(count, "min", (left, size)),
            tree.Scalar(work, "mul", (count, each)), tree.Poll(work),
            piece,
            tree.Scalar(after, "add", (start, count)),
        ]
        init: tuple[Operand, ...] = (Imm(0, "i64"), *node.init)
        return [tree.While((start, *carried), init, [tree.Scalar(on, "lt", (start, node.count))], on, body,
                           (after, *outs), (end, *node.outs))]
