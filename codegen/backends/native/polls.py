"""Looks for signals put into loops, so that a long run can be stopped.

A context counts operations down (`FUEL`); where they are used up, `poll` of `context` looks at the clock, and every now
and then has Python look for signals. A `Poll` costs about a nanosecond, so loops do not have one in each iteration: a
loop that has loops inside, or that ends when it will, counts in a register of its own and tells the context when
`PIECE` operations are over, and what is left when it ends. A loop inside of another one that has no loops inside stays
as it is, and the outer one counts for it; one inside of none runs in pieces. So nothing changes in what vectorises.
Only an inner loop of independent iterations that is long by itself is waited for. Rows of the program's own tables are
few, since the program is a text: loops over them run through, and the function tells in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..loops import tree
from ..loops.operands import defined, everything
from ..loops.room import WIDTH
from ..loops.tree import Code, Imm, Operand, Reg
from .scalars import COMPARE, FLOAT_OPS, INT_OPS, INTRINSICS

PIECE = 1 << 14
"""Operations that nobody needs to be told of."""
LONG = 1 << 13
"""Iterations of a loop in another one that nobody needs to be told of."""
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
    them take operations that nobody outside knows of."""

    def __init__(self, code: Code, cost: int = 0, loops: Sequence[tuple[Operand, int]] = (), inside: bool = False,
                 tells: bool = False) -> None:
        self.code, self.cost, self.loops, self.inside, self.tells = code, cost, list(loops), inside, tells

    def add(self, other: Counted) -> None:
        """What else there is in it."""
        self.cost += other.cost
        self.loops += other.loops
        self.inside = self.inside or other.inside
        self.tells = self.tells or other.tells


class Polls:
    """Of one function."""

    def __init__(self, function: tree.Function, recursive: set[str]) -> None:
        self.function = function
        self.recursive = function.name in recursive
        self.next = -1
        self.rows = {node.count for node in function.body if isinstance(node, tree.Data)}
        """How many rows tables of the program have."""
        self.over_rows: list[tuple[Operand, int]] = []

    def reg(self) -> Reg:
        if self.next < 0:
            self.next = 1 + max((r.id for r in (*self.function.params, *defined(self.function.body))), default=0)
        self.next += 1
        return Reg(self.next - 1, "i64")

    def run(self) -> tree.Function:
        found = self.code(self.function.body, False)
        body = found.code
        if self.over_rows:
            work, total = self.work(Counted([], 0, self.over_rows))
            body = [*body, *work, tree.Poll(total)]
        if self.recursive:
            body = [tree.Poll(Imm(1 + found.cost, "i64")), *body]
        return self.function if body is self.function.body else replace(self.function, body=body)

    def code(self, code: Code, within: bool) -> Counted:
        """The code with polls; `within` a loop, inner loops are left to be counted outside."""
        made: Code = []
        found = Counted(code)
        changed = False
        for node in code:
            part = self.node(node, within)
            changed = changed or len(part.code) != 1 or part.code[0] is not node
            made += part.code
            found.add(part)
        if changed:
            found.code = made
        return found

    def node(self, node: tree.Node, within: bool) -> Counted:
        match node:
            case tree.For():
                return self.loop(node, within)
            case tree.Spread():
                body = self.code(node.body, False).code
                return Counted([node if body is node.body else replace(node, body=body)], 2, inside=True, tells=True)
            case tree.Lanes():
                lanes = self.code(node.body, True)
                code: Code = [node if lanes.code is node.body else replace(node, body=lanes.code)]
                return Counted(code, node.count * (1 + lanes.cost), [(n, node.count * each) for n, each in lanes.loops],
                               lanes.inside, lanes.tells)
            case tree.While():
                return self.until(node)
            case tree.Choice():
                then, orelse = self.branch(node.then, within), self.branch(node.orelse, within)
                same = then.code is node.then and orelse.code is node.orelse
                made = node if same else replace(node, then=then.code, orelse=orelse.code)
                return Counted([made], 1 + max(then.cost, orelse.cost), inside=then.inside or orelse.inside,
                               tells=then.tells or orelse.tells)
            case tree.Sum():
                each = 1 + self.code(node.body, True).cost
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

    def branch(self, code: Code, within: bool) -> Counted:
        found = self.code(code, within)
        if found.loops:
            work, total = self.work(Counted([], 0, found.loops))
            found = Counted([*found.code, *work, tree.Poll(total)], found.cost, inside=True, tells=True)
        return found

    def loop(self, node: tree.For, within: bool) -> Counted:
        body = self.code(node.body, True)
        if body.inside and not within and not body.tells and self.even(node, body):
            code, work = self.work(body)
            size, least = self.reg(), self.reg()
            code += [tree.Scalar(size, "quot", (Imm(PIECE, "i64"), work)),
                     tree.Scalar(least, "max", (size, Imm(1, "i64")))]
            inner = node if body.code is node.body else replace(node, body=body.code)
            return Counted([*code, *self.pieces(inner, least, work)], 2, inside=True, tells=True)
        if body.inside:
            return self.counting(node, body)
        each = max(body.cost, 1)
        if isinstance(node.count, Imm) and int(node.count.value) * each <= PIECE:
            return Counted([node], int(node.count.value) * each)
        if not within and node.count in self.rows:
            self.over_rows.append((node.count, each))
            return Counted([node], 2, inside=True, tells=True)
        if not within:
            made = self.pieces(node, Imm(max(PIECE // each & -WIDTH, WIDTH), "i64"), Imm(each, "i64"))
            return Counted(made, 2, inside=True, tells=True)
        made = self.pieces(node, Imm(LONG, "i64"), Imm(each, "i64"), within) if node.carried else [node]
        return Counted(made, 1, [(node.count, each)], True)

    def even(self, node: tree.For, body: Counted) -> bool:
        """Whether all iterations take the same operations."""
        bound = {r.id for r in defined([node])}
        return all(isinstance(count, Imm) or count.id not in bound for count, _ in body.loops)

    def counting(self, node: tree.For, body: Counted) -> Counted:
        """The loop with a count of its own; the context is told it in the end."""
        left, after, end = self.reg(), self.reg(), self.reg()
        made = replace(node, carried=(*node.carried, left), init=(*node.init, Imm(PIECE, "i64")),
                       body=[*body.code, *self.step(body, left, after)], next=(*node.next, after),
                       outs=(*node.outs, end), parallel=False)
        return Counted([made, *self.told(end)], 2, inside=True, tells=True)

    def until(self, node: tree.While) -> Counted:
        test, body = self.code(node.test, True), self.code(node.body, True)
        code = body.code
        body.add(test)
        left, after, end = self.reg(), self.reg(), self.reg()
        made = replace(node, carried=(*node.carried, left), init=(*node.init, Imm(PIECE, "i64")), test=test.code,
                       body=[*code, *self.step(Counted([], body.cost, body.loops), left, after)],
                       next=(*node.next, after), outs=(*node.outs, end))
        return Counted([made, *self.told(end)], 2, inside=True, tells=True)

    def step(self, body: Counted, left: Reg, after: Reg) -> Code:
        """Count an iteration."""
        code, work = self.work(body)
        less, dry, spent = self.reg(), Reg(self.reg().id, "bool"), self.reg()
        return [*code, tree.Scalar(less, "sub", (left, work)), tree.Scalar(dry, "lt", (less, Imm(0, "i64"))),
                tree.Choice(dry, [tree.Scalar(spent, "sub", (Imm(PIECE, "i64"), less)), tree.Poll(spent)],
                            (Imm(PIECE, "i64"),), [], (less,), (after,))]

    def told(self, end: Reg) -> Code:
        spent = self.reg()
        return [tree.Scalar(spent, "sub", (Imm(PIECE, "i64"), end)), tree.Poll(spent)]

    def work(self, body: Counted) -> tuple[Code, Operand]:
        """The operations of a body, with the loops in it."""
        code: Code = []
        total: Operand = Imm(1 + body.cost, "i64")
        for count, each in body.loops:
            positive, product, added = self.reg(), self.reg(), self.reg()
            code += [tree.Scalar(positive, "max", (count, Imm(0, "i64"))),
                     tree.Scalar(product, "mul", (positive, Imm(each, "i64"))),
                     tree.Scalar(added, "add", (total, product))]
            total = added
        return code, total

    def pieces(self, node: tree.For, size: Operand, each: Operand, within: bool = False) -> Code:
        """The loop, `size` iterations at a time; `within` another loop, which counts them, it only looks when there are
        many.
        """
        start, left, count, index, on = self.reg(), self.reg(), self.reg(), self.reg(), self.reg()
        on = Reg(on.id, "bool")
        after, work = self.reg(), self.reg()
        carried = tuple(Reg(self.reg().id, r.dtype, r.pointer) for r in node.carried)
        outs = tuple(Reg(self.reg().id, r.dtype, r.pointer) for r in node.carried)
        end = Reg(self.reg().id, "i64")
        piece = tree.For(index, count, node.carried, carried,
                         [tree.Scalar(node.index, "add", (start, index)), *node.body], node.next, outs, node.parallel,
                         node.room, node.last)
        more = Reg(self.reg().id, "bool")
        tell: Code = [tree.Scalar(work, "mul", (count, each)), tree.Poll(work)]
        body: Code = [
            tree.Scalar(left, "sub", (node.count, start)),
            tree.Scalar(count, "min", (left, size)),
            *([] if within else tell),
            piece,
            tree.Scalar(after, "add", (start, count)),
        ]
        if within:
            body += [tree.Scalar(more, "lt", (after, node.count)), tree.Choice(more, tell, (), [], (), ())]
        init: tuple[Operand, ...] = (Imm(0, "i64"), *node.init)
        return [tree.While((start, *carried), init, [tree.Scalar(on, "lt", (start, node.count))], on, body,
                           (after, *outs), (end, *node.outs))]
