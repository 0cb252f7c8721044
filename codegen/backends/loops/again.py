"""What a later loop computes again, read from where an earlier one left it.

In: a function in loop form, fused. Out: the same function. Where two loops beside each other, or loops inside of them,
compute the same elementary function of the same numbers, or the same sum, at the same indices, the first one stores
it, and the second one loads it: a backward pass works out again what the forward pass had, which is cheap for
arithmetic and dear for these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import tree
from .copies import with_inner
from .fuse import UNKNOWN, Memory
from .operands import Loop, defined, everything, inner, own, without_unused
from .tree import Code, Imm, Node, Operand, Reg

PLAIN = {
    "add", "sub", "mul", "div", "neg", "abs", "max", "min", "select", "cast", "and", "or", "xor", "not",
    "eq", "ne", "lt", "le", "gt", "ge", "sign", "isnan", "isinf", "copysign", "fma", "scaled", "sqrt", "rsqrt",
    "floor", "ceil", "round", "trunc", "bitcast", "band", "bor", "bxor", "bnot", "shl", "shr", "ushr",
    "ctz", "clz", "popc", "mod", "rem", "quot", "mul_hi", "ldexp", "nextafter",
}
"""Primitives that cost less than memory does."""
LONGEST = 2000
"""Nodes of a function that is looked through."""


def once_for_all(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f) for name, f in program.functions.items()})


def function(f: tree.Function) -> tree.Function:
    dear = nodes = 0
    for node in everything(f.body):
        nodes += 1
        dear += isinstance(node, tree.Sum) or (isinstance(node, tree.Scalar) and node.name not in PLAIN)
    if dear < 2 or nodes > LONGEST:
        return f
    found = Again(f)
    body = found.block(f.body, False)
    return replace(f, body=body) if found.changed else f


@dataclass
class Value:
    """A number that a loop computes: where, in which loops from the outside in, and what memory it is made of."""

    out: Reg
    key: object
    loops: list[tree.For | tree.Sum]
    reads: set[int]
    place: Reg | None = None


@dataclass
class Nest:
    """A loop of a block, with what it computes that is dear."""

    at: int
    values: list[Value] = field(default_factory=list)


class Again:
    def __init__(self, f: tree.Function) -> None:
        self.memory = Memory(f)
        self.next = 1 + max((r.id for r in (*f.params, *defined(f.body))), default=0)
        self.changed = False
        self.made: dict[int, Node] = {r.id: n for n in everything(f.body) for r in own(n)[1]}

    def reg(self, dtype: str = "i64", pointer: bool = False) -> Reg:
        self.next += 1
        return Reg(self.next - 1, dtype, pointer)

    def block(self, code: Code, scoped: bool, arm: bool = False) -> Code:
        """`scoped`: the block is a loop's body, and has to give back what it takes. An arm cannot: it takes nothing."""
        code = [with_inner(n, [self.block(part, True, isinstance(n, tree.Choice)) for part in inner(n)])
                if inner(n) else n for n in code]
        if arm:
            return code
        stores: dict[int, list[Value]] = {}
        loads: dict[int, list[tuple[Value, Value]]] = {}
        known: dict[object, tuple[int, Value]] = {}
        marks: dict[Reg, int] = {}
        for at, node in enumerate(code):
            match node:
                case tree.Mark(mark):
                    marks[mark] = at
                case tree.Release(mark):  # what was taken since then is given back, and places of values with it
                    since = marks.get(mark, -1)
                    known = {key: found for key, found in known.items() if found[0] < since}
                case _:
                    pass
            if not isinstance(node, tree.For | tree.Sum):
                continue
            for value in self.values(node):
                first = known.get(value.key)
                if first is None:
                    known[value.key] = at, value
                    continue
                start, earlier = first
                if start == at:
                    continue
                if earlier.place is None:
                    if self.changes(code[start:at + 1], value.reads):
                        known[value.key] = at, value
                        continue
                    earlier.place = self.reg(value.out.dtype, True)
                    stores.setdefault(start, []).append(earlier)
                elif self.changes(code[start:at + 1], value.reads):
                    continue
                loads.setdefault(at, []).append((value, earlier))
        if not loads:
            return code
        self.changed = True
        out: Code = []
        for at, node in enumerate(code):
            for value in stores.get(at, ()):
                out += self.room(value)
                node = self.with_store(node, value)
            for value, earlier in loads.get(at, ()):
                node = self.with_load(node, value, earlier)
            out.append(node)
        if scoped and not isinstance(out[0], tree.Mark):
            mark = Reg(self.reg("u8", True).id, "u8", True)
            out = [tree.Mark(mark), *out, tree.Release(mark)]
        return out

    def changes(self, code: Sequence[Node], reads: set[int]) -> bool:
        """Whether memory that is read may be written meanwhile."""
        for node in everything(list(code)):
            match node:
                case tree.Store(base=base) | tree.Copy(target=base):
                    root = self.memory.root(base)
                    if root in reads or (root == UNKNOWN and UNKNOWN in reads):
                        return True
                case tree.Invoke() | tree.Host() | tree.Resize() | tree.Release():
                    if UNKNOWN in reads:
                        return True
                case _:
                    pass
        return False

    # ------------------------------------------------------------ what is computed

    def values(self, loop: Loop) -> list[Value]:
        found: list[Value] = []

        def look(loop: Loop, loops: list[Loop], depth: dict[int, object]) -> None:
            if isinstance(loop, tree.For) and loop.last:
                return
            loops = [*loops, loop]
            depth = depth | {loop.index.id: ("index", len(loops))}
            inside = {r.id for r in defined([loops[0]])}
            for node in loop.body:
                dear = isinstance(node, tree.Sum) or (isinstance(node, tree.Scalar) and node.name not in PLAIN)
                if dear:
                    for out in own(node)[1][1 if isinstance(node, tree.Sum) else 0:]:
                        if out.dtype not in ("f64", "f32"):
                            continue
                        reads: set[int] = set()
                        counts = [self.key(n.count, depth, inside, reads, 0) for n in loops]
                        key = self.key(out, depth, inside, reads, 0)
                        if key is not None and None not in counts and self.sized(loops, inside):
                            found.append(Value(out, (tuple(counts), key), list(loops), reads))
                if isinstance(node, tree.For):
                    look(node, loops, depth)

        look(loop, [], {})
        return found

    def sized(self, loops: list[Loop], inside: set[int]) -> bool:
        """Whether the counts are known before the first of the loops."""
        return all(isinstance(n.count, Imm) or n.count.id not in inside for n in loops)

    def key(self, x: Operand, depth: dict[int, object], inside: set[int], reads: set[int], level: int) -> Any:
        """The same for what is the same number: how it is computed of what is known outside and of indices."""
        if isinstance(x, Imm):
            return x.dtype, repr(x.value)
        if x.id in depth:
            return depth[x.id]
        if x.id not in inside:
            return x.id
        node = self.made.get(x.id)
        if level > 40:
            return None
        match node:
            case tree.Scalar(_, name, args, attrs):
                parts = [self.key(a, depth, inside, reads, level + 1) for a in args]
                return None if None in parts else (name, node.out.dtype, attrs, *parts)
            case tree.Shift(_, base, offset) | tree.Load(_, base, offset):
                parts = [self.key(a, depth, inside, reads, level + 1) for a in (base, offset)]
                if isinstance(node, tree.Load):
                    reads.add(self.memory.root(base))
                return None if None in parts else (type(node).__name__, *parts)
            case tree.Sum():
                value = next(v for out, v in ((node.out, node.value), *node.more) if out == x)
                deeper = depth | {node.index.id: ("term", level)}
                parts = [self.key(a, deeper, inside, reads, level + 1) for a in (node.count, value)]
                return None if None in parts else ("sum", level, *parts)
            case _:
                return None

    # ------------------------------------------------------------ store and load

    def room(self, value: Value) -> Code:
        assert value.place is not None
        code: Code = []
        size: Operand = Imm(1, "i64")
        for loop in value.loops:
            count: Operand = loop.count
            if isinstance(count, Reg):
                positive = self.reg()
                code.append(tree.Scalar(positive, "max", (count, Imm(0, "i64"))))
                count = positive
            if size == Imm(1, "i64"):
                size = count
            else:
                total = self.reg()
                code.append(tree.Scalar(total, "mul", (size, count)))
                size = total
        return [*code, tree.Alloc(value.place, size)]

    def offset(self, loops: Sequence[Loop]) -> tuple[Code, Operand]:
        code: Code = []
        at: Operand = loops[0].index
        for loop in loops[1:]:
            far, total = self.reg(), self.reg()
            code += [tree.Scalar(far, "mul", (at, loop.count)), tree.Scalar(total, "add", (far, loop.index))]
            at = total
        return code, at

    def with_store(self, node: Node, value: Value) -> Node:
        assert value.place is not None
        code, at = self.offset(value.loops)
        store = tree.Store(value.place, at, value.out)
        self.memory.roots[value.place.id] = value.place.id

        def put(node: Node) -> Node:
            if not isinstance(node, tree.For | tree.Sum):
                return node
            body: Code = []
            for n in node.body:
                body.append(put(n) if isinstance(n, tree.For) else n)
                if value.out in own(n)[1]:
                    body += [*code, store]
            return replace(node, body=body)

        return put(node)

    def with_load(self, node: Node, value: Value, earlier: Value) -> Node:
        assert earlier.place is not None
        code, at = self.offset(value.loops)
        load = tree.Load(value.out, earlier.place, at)

        def put(node: Node) -> Node:
            if not isinstance(node, tree.For | tree.Sum):
                return node
            body: Code = []
            for n in node.body:
                if value.out not in own(n)[1]:
                    body.append(put(n) if isinstance(n, tree.For) else n)
                    continue
                body += [*code, load]
                if isinstance(n, tree.Sum):
                    sums = [(out, x) for out, x in ((n.out, n.value), *n.more) if out != value.out]
                    if sums or any(isinstance(x, tree.Store) for x in everything(n.body)):
                        if not sums:
                            sums = [(self.reg(n.out.dtype), n.value)]
                        (first, x), *more = sums
                        body.append(replace(n, out=first, value=x, more=tuple(more)))
            return replace(node, body=without_unused(body, node))

        return put(node)
