"""Iterations of a loop side by side, in the lanes of vectors.

In: a function in loop form. Out: the same function, in which some loops whose bodies have loops inside run so many
iterations at a time. Their inner loops are short, or wait from iteration to iteration, so that there is little in them
for vectors; the outer iterations do not wait for each other, or only where they add to an array, each once to each
element, which they do in their order then. So every number is what it was.

What must hold when the program runs (`Guard`) is asked before the loop; otherwise no iteration runs in lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import tree
from .ahead import ahead, apart, rooted
from .copies import copied, inlined, renamed
from .fuse import Memory, straight
from .operands import defined, everything, inner, own
from .tree import Code, Imm, Node, Operand, Reg
from .varying import Addition, NotAlike, Varying

WIDTH = 8
"""Iterations at a time."""
BLOCK = 128
"""Numbers that a sum in lanes has at most."""
LARGEST = 3000
"""Nodes of a body with all that it calls."""
USUAL = 16
"""Iterations of a loop of which nothing is known."""
WORTH = 0.7
"""What lanes may cost of what the loop costs as it is, so that they are worth the code."""


def side_by_side(program: tree.Program) -> tree.Program:
    """All functions of the program."""
    return tree.Program({name: function(f, program) for name, f in program.functions.items()})


def function(f: tree.Function, program: tree.Program) -> tree.Function:
    if not any(isinstance(n, tree.For) and any(map(inner, n.body)) for n in everything(f.body)):
        return f
    found = Rewriter(f, program)
    body = found.code(f.body, {})
    return replace(f, body=body) if found.changed else f


Known = dict[int, tree.Scalar]
"""Registers that are computed from others, by what computes them."""


class Rewriter:
    def __init__(self, f: tree.Function, program: tree.Program) -> None:
        self.program = program
        self.memory = Memory(f)
        self.next = 1 + max((r.id for r in (*f.params, *defined(f.body))), default=0)
        self.changed = False

    def reg(self, dtype: str = "i64", pointer: bool = False) -> Reg:
        self.next += 1
        return Reg(self.next - 1, dtype, pointer)

    def code(self, code: Code, known: Known) -> Code:
        out: Code = []
        for node in code:
            out += self.node(node)
        return out

    def node(self, node: Node) -> Code:
        match node:
            case tree.For():
                made = self.loop(node)
                return [replace(node, body=self.code(node.body, {}))] if made is None else made
            case tree.While():
                return [replace(node, test=self.code(node.test, {}), body=self.code(node.body, {}))]
            case tree.Choice():
                return [replace(node, then=self.code(node.then, {}), orelse=self.code(node.orelse, {}))]
            case tree.Sum():
                return [replace(node, body=self.code(node.body, {}))]
            case _:
                return [node]

    def loop(self, node: tree.For) -> Code | None:
        if node.carried or node.last or straight(node.body) or node.count in (Imm(0, "i64"), Imm(1, "i64")):
            return None
        plain = node
        if any(isinstance(n, tree.Invoke) for n in everything(node.body)):
            body = inlined(node.body, self.program, self.reg, LARGEST)
            if body is None:
                return None
            rooted(body, self.memory)
            node = replace(node, body=body)
        whole = node
        try:
            varying = Varying(node.index, node.body)
            divided = apart(node.body, varying, self.memory, self.reg)
            varying = Varying(node.index, divided)
            node = replace(node, body=ahead(divided, varying, self.memory, self.reg))
            varying = Varying(node.index, node.body)
            checks = Guard(self, node, varying)
            checks.run()
        except NotAlike:
            return None
        if not worth(whole, node, varying):
            return None
        self.changed = True
        return self.strips(plain, node.body, checks)

    def strips(self, node: tree.For, lanes: Code, guard: Guard) -> Code:
        out: Code = [*guard.code]
        if isinstance(node.count, Imm) and guard.holds is None:
            return [*out, *self.known_strips(node, lanes, int(node.count.value))]
        strips, done, rest, strip, start, at, index = (self.reg() for _ in range(7))
        out.append(tree.Scalar(strips, "quot", (node.count, Imm(WIDTH, "i64"))))
        if guard.holds is not None:
            chosen = self.reg()
            out.append(tree.Scalar(chosen, "select", (guard.holds, strips, Imm(0, "i64"))))
            strips = chosen
        out.append(tree.For(strip, strips, (), (), [
            tree.Scalar(start, "mul", (strip, Imm(WIDTH, "i64"))),
            tree.Lanes(node.index, start, WIDTH, lanes)], (), (), node.parallel))
        out += [tree.Scalar(done, "mul", (strips, Imm(WIDTH, "i64"))), tree.Scalar(rest, "sub", (node.count, done))]
        body = copied([tree.Scalar(index, "add", (done, at)), *renamed(node.body, {node.index.id: index})], self.reg)
        return [*out, tree.For(at, rest, (), (), body, (), (), node.parallel)]

    def known_strips(self, node: tree.For, lanes: Code, count: int) -> Code:
        out: Code = []
        whole = count // WIDTH if count >= WIDTH else 0
        if whole == 1:
            out.append(tree.Lanes(node.index, Imm(0, "i64"), WIDTH, lanes))
        elif whole:
            strip, start = self.reg(), self.reg()
            out.append(tree.For(strip, Imm(whole, "i64"), (), (), [
                tree.Scalar(start, "mul", (strip, Imm(WIDTH, "i64"))),
                tree.Lanes(node.index, start, WIDTH, lanes)], (), (), node.parallel))
        rest = count - whole * WIDTH
        if rest:
            index = self.reg()
            body = copied(renamed(lanes if rest > 1 else node.body, {node.index.id: index}), self.reg)
            start_ = Imm(whole * WIDTH, "i64")
            out.append(tree.Lanes(index, start_, rest, body) if rest > 1 else
                       tree.For(at := self.reg(), Imm(1, "i64"), (), (),
                                [tree.Scalar(index, "add", (start_, at)), *body], (), (), node.parallel))
        return out


# ------------------------------------------------------------------ what must hold


class Guard:
    """What must hold for a loop's iterations to run side by side. `code` computes `holds`; None always holds.
    Raises `NotAlike` where nothing that could be asked would do."""

    def __init__(self, owner: Rewriter, node: tree.For, varying: Varying) -> None:
        self.owner, self.loop, self.varying = owner, node, varying
        self.memory = owner.memory
        self.code: Code = []
        self.holds: Operand | None = None
        self.known: dict[int, Node] = {r.id: n for n in everything(node.body) for r in own(n)[1]}
        self.moved: dict[int, Operand] = {}

    def run(self) -> None:
        sites: dict[int, Addition] = {}
        reads: set[int] = set()
        part_of: set[int] = set()
        for a in self.varying.additions.values():
            if self.varying.shared(a):
                root = self.memory.root(a.store.base)
                if self.loop.parallel or root in sites or root not in self.memory.roots.values() or root < 0:
                    raise NotAlike
                sites[root] = a
                part_of |= {id(a.load), id(a.store)}
        for node in everything(self.loop.body):
            match node:
                case tree.Store(base=base, offset=offset) if id(node) not in part_of:
                    self.store(base, offset)
                case tree.Load(base=base) if id(node) not in part_of:
                    reads.add(self.memory.root(base))
                case tree.Copy(target=target, source=source):
                    self.store(target, Imm(0, "i64"))
                    reads.add(self.memory.root(source))
                case tree.Sum():
                    self.at_most(node.count, BLOCK)
                case _:
                    pass
        if self.memory.clash(reads, sites):
            raise NotAlike
        for a in sites.values():
            self.once(a)

    def store(self, base: Reg, offset: Operand) -> None:
        """What is written other than by adding lies apart from what other iterations write and read."""
        v = self.varying
        if v.root(base.id) in v.inside:
            return
        if not self.loop.parallel or not (v.varies(base) or v.varies(offset)):
            raise NotAlike

    def once(self, a: Addition) -> None:
        """Each iteration adds to each element once: loops around that lead to different places each time, one inside of
        the other as the digits of a number are."""
        around = self.around(a)
        offset = self.linear(a.store.offset, {n.index.id for n in around})
        base: Reg | None = a.store.base
        while base is not None and base.id in self.known:
            shift = self.known[base.id]
            if not isinstance(shift, tree.Shift):
                raise NotAlike
            more = self.linear(shift.offset, {n.index.id for n in around})
            for k, factors in more.items():
                if k in offset:
                    raise NotAlike
                offset[k] = factors
            base = shift.base
        if any(n.index.id not in offset for n in around):
            raise NotAlike
        extent: list[Operand] = []
        for n in self.by_step(around, offset):
            step = offset[n.index.id]
            if extent:
                size = self.product(extent)
                if [*map(self.available, step)] != extent:
                    self.require("ge", self.product([*map(self.available, step)]), size)
            elif not step:
                pass
            else:
                self.require("ge", self.product([*map(self.available, step)]), Imm(1, "i64"))
            extent = [*map(self.available, step), self.available(n.count)]

    def by_step(self, around: list[tree.For], offset: dict[int, list[Operand]]) -> list[tree.For]:
        """The loops, that with the smallest step first; of two of which it is not known, the inner one."""
        inwards = {id(n): -k for k, n in enumerate(around)}
        return sorted(around, key=lambda n: (len(offset[n.index.id]), inwards[id(n)]))

    def around(self, a: Addition) -> list[tree.For]:
        """The loops of the body that the addition stands in."""
        found: list[tree.For] = []

        def look(code: Code, loops: list[tree.For]) -> bool:
            for node in code:
                if node is a.store:
                    found.extend(loops)
                    return True
                if isinstance(node, tree.For):
                    if look(node.body, [*loops, node]):
                        return True
                elif isinstance(node, tree.Choice):
                    if look(node.then, loops) or look(node.orelse, loops):
                        return True
                elif inner(node) and any(n is a.store for n in everything([node])):
                    raise NotAlike
            return False

        look(self.loop.body, [])
        return found

    def linear(self, x: Operand, indices: set[int]) -> dict[int, list[Operand]]:
        """By what each of these indices is multiplied in a sum, as factors; raises where it is no such sum."""
        out: dict[int, list[Operand]] = {}

        def add(x: Operand, factors: list[Operand]) -> None:
            if isinstance(x, Imm):
                return
            if x.id in indices:
                if x.id in out:
                    raise NotAlike
                out[x.id] = factors
                return
            node = self.known.get(x.id)
            if not self.touches(x, indices):
                return
            match node:
                case tree.Scalar(_, "add" | "sub", (y, z)):
                    add(y, factors)
                    add(z, factors)
                case tree.Scalar(_, "mul", (y, z)):
                    if self.touches(y, indices):
                        y, z = z, y
                    if self.touches(y, indices):
                        raise NotAlike
                    add(z, [*factors, y])
                case _:
                    raise NotAlike

        # what is subtracted twice is there again: indices that cancel are not seen, so each may occur only once
        simple = self.cancelled(x)
        add(simple, [])
        return out

    def cancelled(self, x: Operand) -> Operand:
        """n - (n - k) as k."""
        if isinstance(x, Reg):
            node = self.known.get(x.id)
            if isinstance(node, tree.Scalar) and node.name == "sub" and isinstance(node.args[1], Reg):
                other = self.known.get(node.args[1].id)
                if isinstance(other, tree.Scalar) and other.name == "sub" and other.args[0] == node.args[0]:
                    return other.args[1]
        return x

    def touches(self, x: Operand, indices: set[int]) -> bool:
        if isinstance(x, Imm):
            return False
        if x.id in indices:
            return True
        node = self.known.get(x.id)
        if node is None:
            return False
        if not isinstance(node, tree.Scalar):
            raise NotAlike
        return any(self.touches(y, indices) for y in node.args)

    # -------------------------------------------------------------- numbers that are known before the loop

    def available(self, x: Operand) -> Operand:
        """What a register of the body will be, computed before the loop."""
        if isinstance(x, Imm) or x.id not in self.known:
            return x
        if x.id in self.moved:
            return self.moved[x.id]
        node = self.known[x.id]
        if not isinstance(node, tree.Scalar) or node.out.dtype != "i64" or \
                node.name not in ("add", "sub", "mul", "max", "min"):
            raise NotAlike
        out = self.owner.reg()
        self.code.append(tree.Scalar(out, node.name, tuple(map(self.available, node.args)), node.attrs))
        self.moved[x.id] = out
        return out

    def product(self, factors: Sequence[Operand]) -> Operand:
        total: Operand = Imm(1, "i64")
        for x in factors:
            if total == Imm(1, "i64"):
                total = x
            else:
                out = self.owner.reg()
                self.code.append(tree.Scalar(out, "mul", (total, x)))
                total = out
        return total

    def at_most(self, x: Operand, limit: int) -> None:
        if isinstance(x, Imm):
            if int(x.value) > limit:
                raise NotAlike
            return
        self.require("le", self.available(x), Imm(limit, "i64"))

    def require(self, name: str, x: Operand, y: Operand) -> None:
        for node in self.code:
            if isinstance(node, tree.Scalar) and node.name == name and node.args == (x, y):
                return
        one = self.owner.reg("bool")
        self.code.append(tree.Scalar(one, name, (x, y)))
        if self.holds is None:
            self.holds = one
        else:
            both = self.owner.reg("bool")
            self.code.append(tree.Scalar(both, "and", (self.holds, one)))
            self.holds = both


# ------------------------------------------------------------------ what it is worth


def worth(node: tree.For, lanes: tree.For, varying: Varying) -> bool:
    one, all_ = Cost(varying), Cost(varying)
    for inside in node.body:
        one.alone(inside, 1.0)
    for inside in lanes.body:
        all_.together(inside, 1.0)
    return all_.total < WORTH * one.total


class Cost:
    """About how long code takes, in numbers computed one at a time."""

    def __init__(self, varying: Varying) -> None:
        self.varying = varying
        self.total = 0.0

    def alone(self, node: Node, times: float) -> None:
        """As it is."""
        match node:
            case tree.For(count=count, body=body):
                n = length(count)
                if node.parallel and straight(body):
                    each = sum(weight(x) for x in everything(body))
                    self.total += times * (4 + each * (n / 4 if n >= 16 else n / 2))
                    return
                self.total += times * 2
                for x in body:
                    self.alone(x, times * n)
            case tree.Sum(count=count, body=body):
                n = length(count)
                if straight(body):
                    self.total += times * (16 + sum(weight(x) for x in everything(body)) * (n / 4 if n >= 16 else n / 2)
                                           + n / 2)
                    return
                self.total += times * 16
                for x in body:
                    self.alone(x, times * n)
            case _:
                self.total += times * weight(node)
                for part in inner(node):
                    for x in part:
                        self.alone(x, times * (USUAL if isinstance(node, tree.While) else 1))

    def together(self, node: Node, times: float) -> None:
        """In lanes, for one of them."""
        v = self.varying
        if v.only_adds(node):
            assert isinstance(node, tree.For)
            each = sum(weight(n) * 0.25 for n in node.body if not isinstance(n, tree.Load | tree.Shift)
                       or v.varies(n.base))
            self.total += times * (0.5 + each * length(node.count))
            return
        match node:
            case tree.For(count=count, body=body) | tree.Sum(count=count, body=body):
                self.total += times * 0.5 * (1 if isinstance(node, tree.For) else 4)
                for x in body:
                    self.together(x, times * length(count))
                if isinstance(node, tree.Sum):
                    self.total += times * length(count) * 0.3
            case tree.Load(base=base, offset=offset):
                if v.mine(base):
                    self.total += times * 0.25
                elif v.varies(base) or v.varies(offset):
                    self.total += times * 1.5
                else:
                    self.total += times * 0.15
            case tree.Store(base=base, offset=offset):
                added = v.additions.get(id(node))
                if v.mine(base):
                    self.total += times * 0.25
                elif added is not None and v.shared(added):
                    self.total += times * 1.0
                else:
                    self.total += times * (1.5 if v.varies(base) or v.varies(offset) else 0.15)
            case tree.Scalar(name=name, args=args):
                if any(map(v.varies, args)):
                    self.total += times * weight(node) * (0.25 if name in VECTORS or args[0].dtype == "f64" else 1.2)
                else:
                    self.total += times * weight(node) / WIDTH
            case _:
                self.total += times * 0.25
                for part in inner(node):
                    for x in part:
                        self.together(x, times * (USUAL if isinstance(node, tree.While) else 1))


VECTORS = {"add", "sub", "mul", "neg", "select", "and", "or", "xor", "not", "eq", "ne", "lt", "le", "gt", "ge", "max",
           "min", "band", "bor", "bxor", "abs"}
QUICK = {*VECTORS, "scaled", "sign", "isnan", "isinf", "copysign", "cast", "fma", "floor", "ceil", "round", "trunc",
         "shl", "shr", "ushr", "ctz", "clz", "popc"}


def weight(node: Node) -> float:
    match node:
        case tree.Scalar(name=name):
            return 1 if name in QUICK else 6 if name in ("div", "mod", "rem", "quot", "sqrt") else 12
        case tree.Load() | tree.Store():
            return 1
        case tree.Alloc():
            return 4
        case _:
            return 0.5


def length(count: Operand) -> float:
    return float(max(int(count.value), 0)) if isinstance(count, Imm) else USUAL
