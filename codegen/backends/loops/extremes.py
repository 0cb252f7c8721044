"""The largest or smallest of many numbers, eight at a time.

A maximum that waits for the one before it takes as long as a comparison does, each time; eight of them, of every eighth
number, do not wait for each other. The largest number is the same in any order, but for the sign of a zero, which is
the processor's to choose as it is; the order is fixed, so it is the same on each run.
"""

from __future__ import annotations

from dataclasses import replace

from . import tree
from .copies import copied, renamed, with_inner
from .fuse import straight
from .operands import defined, everything, inner, read
from .tree import Code, Imm, Operand, Reg

EIGHT = 8
LONGEST = 12
"""Nodes of a body that is written eight times."""


def apart(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    if not any(isinstance(n, tree.For) and extreme(n) is not None for n in everything(f.body)):
        return f
    return replace(f, body=Extremes(f).code(f.body))


def extreme(node: tree.For) -> tree.Scalar | None:
    """What makes the next number of a loop that does nothing but look for the largest or smallest of floats."""
    if len(node.carried) != 1 or node.last or not 0 < len(node.body) <= LONGEST or not straight(node.body):
        return None
    if isinstance(node.count, Imm) and int(node.count.value) < 4 * EIGHT:
        return None
    state, following = node.carried[0], node.next[0]
    made = node.body[-1]
    if not isinstance(made, tree.Scalar) or made.name not in ("max", "min") or made.out != following or \
            made.out.dtype not in ("f64", "f32") or made.args[0] != state or made.args[1] == state:
        return None
    if read(node.body).get(state) != 1 or any(isinstance(n, tree.Store | tree.Choice) for n in node.body):
        return None
    return made


class Extremes:
    def __init__(self, f: tree.Function) -> None:
        self.next = 1 + max((r.id for r in (*f.params, *defined(f.body))), default=0)

    def reg(self, dtype: str = "i64", pointer: bool = False) -> Reg:
        self.next += 1
        return Reg(self.next - 1, dtype, pointer)

    def code(self, code: Code) -> Code:
        out: Code = []
        for node in code:
            if isinstance(node, tree.For) and extreme(node) is not None:
                out += self.eight(node)
            elif inner(node) and not isinstance(node, tree.Lanes):
                out.append(with_inner(node, [self.code(part) for part in inner(node)]))
            else:
                out.append(node)
        return out

    def eight(self, node: tree.For) -> Code:
        """for k < n / 8 { m0 = max m0 x[8 k]; …; m7 = max m7 x[8 k + 7] }; the largest of m0 … m7; the rest."""
        made = extreme(node)
        assert made is not None
        d, start = made.out.dtype, node.init[0]
        whole, first, rest, done, strip, at, index = (self.reg() for _ in range(7))
        carried = tuple(self.reg(d) for _ in range(EIGHT))
        outs = tuple(self.reg(d) for _ in range(EIGHT))
        body: Code = [tree.Scalar(first, "mul", (strip, Imm(EIGHT, "i64")))]
        following: list[Operand] = []
        for k, state in enumerate(carried):
            place = self.reg()
            body.append(tree.Scalar(place, "add", (first, Imm(k, "i64"))))
            names: dict[int, Operand] = {node.index.id: place, node.carried[0].id: state}
            one = copied(renamed(node.body, names), self.reg)
            body += one
            last = one[-1]
            assert isinstance(last, tree.Scalar)
            following.append(last.out)
        code: Code = [
            tree.Scalar(whole, "quot", (node.count, Imm(EIGHT, "i64"))),
            tree.For(strip, whole, carried, (start,) * EIGHT, body, tuple(following), outs)]
        best: list[Operand] = list(outs)
        while len(best) > 1:
            pairs = [self.reg(d) for _ in best[::2]]
            code += [tree.Scalar(r, made.name, (x, y)) for r, x, y in zip(pairs, best[::2], best[1::2], strict=True)]
            best = list(pairs)
        names = {node.index.id: index}
        code += [tree.Scalar(done, "mul", (whole, Imm(EIGHT, "i64"))),
                 tree.Scalar(rest, "sub", (node.count, done)),
                 replace(node, index=at, count=rest, init=(best[0],),
                         body=[tree.Scalar(index, "add", (done, at)), *renamed(node.body, names)])]
        return code
