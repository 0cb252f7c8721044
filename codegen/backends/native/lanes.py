"""Iterations side by side: a body written once, with a vector where its registers vary from iteration to iteration.

What varies is told by `loops.varying`. Memory that each iteration has a part of its own of holds the elements of all
lanes side by side: element k of lane t lies at k * width + t. The same operations run in each lane, in the order of the
body, so results have the bits of iterations run one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ....lang.core import ir
from ..loops import tree
from ..loops.operands import defined, everything, own, read
from ..loops.tree import Code, Imm, Operand, Reg
from ..loops.varying import Addition, Varying
from .assembly import ACCESS, CALLING, FEW, WRITTEN_OUT
from .kernels import table
from .lanes_sums import lanes_sum
from .scalars import LLVM, MEMORY, SIZES, number
from .sums import block_sum
from .vectors import Elementwise

if TYPE_CHECKING:
    from .llvm import FunctionWriter

BLOCK = 128
SHORT = {"f64": "f64", "f32": "f32", "bool": "i8"} | {f"{s}{b}": f"i{b}" for s in "iu" for b in (8, 16, 32, 64)}


class Rows:
    """A place in each lane: `first`, and so many steps further, and `offsets` further where there are some."""

    def __init__(self, first: str, step: str, offsets: str | None) -> None:
        self.first, self.step, self.offsets = first, step, offsets


def write(w: FunctionWriter, node: tree.Lanes) -> None:
    LaneWriter(w, node).run()


class LaneWriter(Elementwise):
    def __init__(self, w: FunctionWriter, node: tree.Lanes) -> None:
        super().__init__(w, node.count)
        self.node_ = node
        self.v = Varying(node.index, node.body)
        self.vectors: dict[int, str] = {}
        """Vectors by register."""
        self.steps: dict[int, tuple[str, str]] = {}
        """Whole numbers that differ by the same from lane to lane: the first one and the step."""
        self.rows: dict[int, Rows] = {}
        self.additions = {id(a.store): a for a in self.v.additions.values() if self.v.shared(a)}
        self.parts = {id(n) for a in self.additions.values() for n in (a.load, a.add)}

    def run(self) -> None:
        start = self.w.at(self.node_.start)
        self.steps[self.node_.index.id] = start, "1"
        self.code(self.node_.body)

    # ------------------------------------------------------------ vectors

    def splat(self, text: str, t: str) -> str:
        one = self.w.line(f"insertelement <{self.width} x {t}> poison, {t} {text}, i64 0")
        return self.w.line(f"shufflevector <{self.width} x {t}> {one}, <{self.width} x {t}> poison, "
                           f"<{self.width} x i32> zeroinitializer")

    def vector(self, x: Operand) -> str:
        """A vector of its numbers."""
        if isinstance(x, Imm):
            return self.constant(number(x.value, x.dtype), x.dtype)
        if x.id in self.vectors:
            return self.vectors[x.id]
        if x.id in self.steps:
            return self.stepped(*self.steps[x.id])
        return self.splat(self.w.name(x), LLVM[x.dtype])

    def stepped(self, start: str, step: str) -> str:
        w, t = self.w, f"<{self.width} x i64>"
        lanes = "<" + ", ".join(f"i64 {k}" for k in range(self.width)) + ">"
        if step != "1":
            lanes = w.line(f"mul {t} {self.splat(step, 'i64')}, {lanes}")
        return w.line(f"add {t} {self.splat(start, 'i64')}, {lanes}")

    def lane(self, x: Operand, k: int) -> str:
        """Its number in a lane."""
        if isinstance(x, Reg) and self.v.varies(x):
            if x.id in self.steps:
                start, step = self.steps[x.id]
                return self.w.line(f"add i64 {start}, {self.w.line(f'mul i64 {step}, {k}')}")
            return self.w.line(f"extractelement {self.type(x.dtype)} {self.vectors[x.id]}, i64 {k}")
        return self.w.at(x)

    # ------------------------------------------------------------ code

    def code(self, code: Code) -> None:
        from .llvm import sines_and_cosines

        paired = sines_and_cosines(code)
        for k, node in enumerate(code):
            pair = paired.get(k)
            if pair is not None and isinstance(node, tree.Scalar) and self.v.varies(node.args[0]):
                self.sine_and_cosine(node, pair)
            else:
                self.one(node)

    def sine_and_cosine(self, node: tree.Scalar, pair: dict[str, str]) -> None:
        """The sine or the cosine of numbers of which the code needs both: one call gives them."""
        if not pair:
            both = self.kernels("sin_cos", node.out.dtype, [self.vector(node.args[0])], 2)
            pair |= dict(zip(("sin", "cos"), both, strict=True))
        self.vectors[node.out.id] = pair[node.name]

    def one(self, node: tree.Node) -> None:
        w, v = self.w, self.v
        if id(node) in self.parts:
            return
        match node:
            case tree.Scalar():
                if any(map(v.varies, node.args)):
                    self.scalar(node)
                else:
                    w.node(node)
            case tree.Load(out, base, offset):
                if v.varies(base) or v.varies(offset):
                    self.vectors[out.id] = self.load(base, offset)
                else:
                    w.node(node)
            case tree.Store(base, offset, value):
                if id(node) in self.additions:
                    self.addition(self.additions[id(node)])
                elif v.varies(base) or v.varies(offset):
                    self.store(base, offset, value)
                else:
                    w.node(node)
            case tree.Shift():
                self.shift(node)
            case tree.Alloc(out, count):
                if v.mine(out):
                    size = Reg(-3_000_000 - w.count, "i64")
                    w.names[size.id] = w.line(f"mul i64 {w.at(count)}, {self.width}")
                    w.alloc(out, size)
                else:
                    w.node(node)
            case tree.Local(out, count):
                w.node(tree.Local(out, count * self.width) if v.mine(out) else node)
            case tree.Copy():
                self.copy(node)
            case tree.For():
                self.loop(node)
            case tree.While():
                self.until(node)
            case tree.Sum():
                if self.alike([node]):
                    w.node(node)
                else:
                    self.sum(node)
            case tree.Choice():
                self.choice(node)
            case _:
                w.node(node)

    def alike(self, code: Code) -> bool:
        """Whether nothing in it varies."""
        for node in everything(code):
            reads, makes = own(node)
            if any(self.v.varies(x) for x in (*reads, *makes)) or id(node) in self.additions:
                return False
            if isinstance(node, tree.Load) and node.out.id in self.v.values:
                return False
        return True

    # ------------------------------------------------------------ memory

    def shift(self, node: tree.Shift) -> None:
        w, v, d = self.w, self.v, MEMORY[node.out.dtype]
        base, offset, out = node.base, node.offset, node.out
        if v.mine(base):
            scaled = w.line(f"mul i64 {w.at(offset)}, {self.width}")
            w.names[out.id] = w.line(f"getelementptr {d}, ptr {w.at(base)}, i64 {scaled}")
        elif base.id in self.rows or v.varies(offset):
            self.rows[out.id] = self.moved(base, offset)
        else:
            w.node(node)

    def moved(self, base: Reg, offset: Operand) -> Rows:
        """The places `offset` beyond `base` in all lanes."""
        w, d = self.w, MEMORY[base.dtype]
        rows = self.rows.get(base.id) or Rows(w.at(base), "0", None)
        if not self.v.varies(offset):
            if isinstance(offset, Imm) and offset.value == 0:
                return rows
            first = w.line(f"getelementptr {d}, ptr {rows.first}, i64 {w.at(offset)}")
            return Rows(first, rows.step, rows.offsets)
        assert isinstance(offset, Reg)
        if offset.id in self.steps:
            start, step = self.steps[offset.id]
            first = w.line(f"getelementptr {d}, ptr {rows.first}, i64 {start}")
            total = step if rows.step == "0" else w.line(f"add i64 {rows.step}, {step}")
            return Rows(first, total, rows.offsets)
        more = self.vectors[offset.id]
        if rows.offsets is not None:
            more = w.line(f"add <{self.width} x i64> {rows.offsets}, {more}")
        return Rows(rows.first, rows.step, more)

    def pointers(self, rows: Rows, dtype: str) -> str:
        """All addresses as a vector."""
        w = self.w
        offsets = rows.offsets
        if rows.step != "0":
            steps = self.stepped("0", rows.step)
            offsets = steps if offsets is None else w.line(f"add <{self.width} x i64> {offsets}, {steps}")
        if offsets is None:
            return self.splat(rows.first, "ptr")
        return w.line(f"getelementptr {MEMORY[dtype]}, ptr {rows.first}, <{self.width} x i64> {offsets}")

    def address(self, rows: Rows, k: int, dtype: str) -> str:
        w = self.w
        first = rows.first
        if rows.offsets is not None:
            more = w.line(f"extractelement <{self.width} x i64> {rows.offsets}, i64 {k}")
            first = w.line(f"getelementptr {MEMORY[dtype]}, ptr {first}, i64 {more}")
        if rows.step == "0" or k == 0:
            return first
        far = str(k) if rows.step == "1" else w.line(f"mul i64 {rows.step}, {k}")
        return w.line(f"getelementptr {MEMORY[dtype]}, ptr {first}, i64 {far}")

    def own_address(self, base: Reg, offset: Operand) -> str:
        """Of the elements of all lanes."""
        w = self.w
        scaled = w.line(f"mul i64 {w.at(offset)}, {self.width}")
        return w.line(f"getelementptr {MEMORY[base.dtype]}, ptr {w.at(base)}, i64 {scaled}")

    def load(self, base: Reg, offset: Operand, mask: str = "") -> str:
        w, dtype = self.w, base.dtype
        t = f"<{self.width} x {MEMORY[dtype]}>"
        if self.v.mine(base):
            found = w.line(f"load {t}, ptr {self.own_address(base, offset)}, align {SIZES[dtype]}")
        else:
            rows = self.moved(base, offset)
            if mask:
                name = f"llvm.masked.gather.v{self.width}{SHORT[dtype]}.v{self.width}p0"
                w.declare(name, f"declare {t} @{name}(<{self.width} x ptr>, i32, <{self.width} x i1>, {t})")
                all_ = self.pointers(rows, dtype)
                found = w.line(f"call {t} @{name}(<{self.width} x ptr> {all_}, i32 {SIZES[dtype]}, "
                               f"<{self.width} x i1> {mask}, {t} zeroinitializer)")
            elif rows.step == "1" and rows.offsets is None:
                found = w.line(f"load {t}, ptr {rows.first}, align {SIZES[dtype]}")
            elif rows.step == "0" and rows.offsets is None:
                found = self.splat(w.line(f"load {MEMORY[dtype]}, ptr {rows.first}"), MEMORY[dtype])
            else:
                found = self.gathered([w.line(f"load {MEMORY[dtype]}, ptr {self.address(rows, k, dtype)}")
                                       for k in range(self.width)], MEMORY[dtype])
        return w.line(f"trunc {t} {found} to {self.type(dtype)}") if dtype == "bool" else found

    def store(self, base: Reg, offset: Operand, value: Operand, mask: str = "") -> None:
        w, dtype = self.w, base.dtype
        t = f"<{self.width} x {MEMORY[dtype]}>"
        given = self.vector(value)
        if dtype == "bool":
            given = w.line(f"zext {self.type(dtype)} {given} to {t}")
        if self.v.mine(base):
            where = self.own_address(base, offset)
            if mask:
                old = w.line(f"load {t}, ptr {where}, align {SIZES[dtype]}")
                given = w.line(f"select <{self.width} x i1> {mask}, {t} {given}, {t} {old}")
            w.do(f"store {t} {given}, ptr {where}, align {SIZES[dtype]}")
            return
        rows = self.moved(base, offset)
        if mask:
            name = f"llvm.masked.scatter.v{self.width}{SHORT[dtype]}.v{self.width}p0"
            w.declare(name, f"declare void @{name}({t}, <{self.width} x ptr>, i32, <{self.width} x i1>)")
            all_ = self.pointers(rows, dtype)
            w.do(f"call void @{name}({t} {given}, <{self.width} x ptr> {all_}, i32 {SIZES[dtype]}, "
                 f"<{self.width} x i1> {mask})")
        elif rows.step == "1" and rows.offsets is None:
            w.do(f"store {t} {given}, ptr {rows.first}, align {SIZES[dtype]}")
        else:
            for k in range(self.width):
                one = w.line(f"extractelement {t} {given}, i64 {k}")
                w.do(f"store {MEMORY[dtype]} {one}, ptr {self.address(rows, k, dtype)}")

    def copy(self, node: tree.Copy) -> None:
        w, v = self.w, self.v
        if not v.varies(node.target):
            w.node(node)
        elif v.mine(node.target) and v.mine(node.source):
            count = Reg(-3_000_000 - w.count, "i64")
            w.names[count.id] = w.line(f"mul i64 {w.at(node.count)}, {self.width}")
            w.node(tree.Copy(node.target, node.source, count))
        else:
            index = Reg(-3_000_000 - w.count, "i64")
            held = Reg(index.id - 1, node.source.dtype)
            w.names[index.id] = w.fresh("i")
            w.count += 2
            if v.varies(node.source):
                v.values.add(held.id)
            self.loop(tree.For(index, node.count, (), (), [
                tree.Load(held, node.source, index), tree.Store(node.target, index, held)], (), ()))

    def addition(self, a: Addition, mask: str = "", numbers: list[str] | None = None) -> None:
        """What all lanes add to one element, one after the other."""
        w, d = self.w, a.add.out.dtype
        t = LLVM[d]
        where = w.address(a.load.base, a.load.offset)
        total = w.line(f"load {t}, ptr {where}{w.access}")
        first = a.add.args[0] == a.load.out
        for k in range(self.width):
            one = self.lane(a.value, k) if numbers is None else numbers[k]
            x, y = (total, one) if first else (one, total)
            more = w.line(f"{'fadd' if d in ir.FLOATS else 'add'} {t} {x}, {y}")
            if mask:
                on = w.line(f"extractelement <{self.width} x i1> {mask}, i64 {k}")
                more = w.line(f"select i1 {on}, {t} {more}, {t} {total}")
            total = more
        w.do(f"store {t} {total}, ptr {where}{w.access}")

    # ------------------------------------------------------------ control

    def phi(self, reg: Reg) -> tuple[str, str]:
        """The name and the type of a register that a block begins with."""
        if not reg.pointer and reg.id in self.v.values:
            name = self.vectors[reg.id] = self.w.fresh("x")
            return name, self.type(reg.dtype)
        return self.w.name(reg), "ptr" if reg.pointer else LLVM[reg.dtype]

    def given(self, reg: Reg, x: Operand) -> str:
        """`x` as what `reg` becomes."""
        return self.vector(x) if not reg.pointer and reg.id in self.v.values else self.w.at(x)

    def loop(self, node: tree.For) -> None:
        w = self.w
        if self.jammed(node):
            return
        if self.alike([node]):
            w.node(node)
            return
        start = [self.given(reg, x) for reg, x in zip(node.carried, node.init, strict=True)]
        head, body, done = w.new_label("head"), w.new_label("body"), w.new_label("done")
        before = w.label
        index, following = w.name(node.index), w.fresh("next")
        w.do(f"br label %{head}")
        w.start(head)
        patch = len(w.lines)
        w.lines += [""] * (1 + len(node.carried))
        phis = [self.phi(reg) for reg in node.carried]
        w.do(f"br i1 {w.line(f'icmp slt i64 {index}, {w.at(node.count)}')}, label %{body}, label %{done}")
        w.start(body)
        self.code(node.body)
        last = [self.given(reg, x) for reg, x in zip(node.carried, node.next, strict=True)]
        w.do(f"{following} = add nsw i64 {index}, 1")
        latch = w.label
        few = isinstance(node.count, Imm) and int(node.count.value) <= FEW
        w.do(f"br label %{head}{WRITTEN_OUT if few else ''}")
        w.lines[patch] = f"  {index} = phi i64 [0, %{before}], [{following}, %{latch}]"
        for k, ((name, t), x, y) in enumerate(zip(phis, start, last, strict=True)):
            w.lines[patch + 1 + k] = f"  {name} = phi {t} [{x}, %{before}], [{y}, %{latch}]"
        w.start(done)
        self.leave(node.carried, node.outs)

    def leave(self, carried: Sequence[Reg], outs: Sequence[Reg]) -> None:
        for reg, out in zip(carried, outs, strict=True):
            if reg.id in self.vectors:
                self.vectors[out.id] = self.vectors[reg.id]
            else:
                self.w.names[out.id] = self.w.name(reg)

    @contextmanager
    def counting(self, reg: Reg, count: Operand, note: str = "") -> Iterator[str]:
        """A loop that carries nothing, around what is written meanwhile; the name of its index."""
        w = self.w
        head, body, done = w.new_label("head"), w.new_label("body"), w.new_label("done")
        before = w.label
        index, following = w.name(reg), w.fresh("next")
        w.do(f"br label %{head}")
        w.start(head)
        patch = len(w.lines)
        w.lines.append("")
        w.do(f"br i1 {w.line(f'icmp slt i64 {index}, {w.at(count)}')}, label %{body}, label %{done}")
        w.start(body)
        yield index
        w.do(f"{following} = add nsw i64 {index}, 1")
        w.do(f"br label %{head}{note}")
        w.lines[patch] = f"  {index} = phi i64 [0, %{before}], [{following}, %{w.label}]"
        w.start(done)

    def until(self, node: tree.While) -> None:
        w = self.w
        start = [self.given(reg, x) for reg, x in zip(node.carried, node.init, strict=True)]
        head, body, done = w.new_label("head"), w.new_label("body"), w.new_label("done")
        before = w.label
        w.do(f"br label %{head}")
        w.start(head)
        patch = len(w.lines)
        w.lines += [""] * len(node.carried)
        phis = [self.phi(reg) for reg in node.carried]
        self.code(node.test)
        w.do(f"br i1 {w.at(node.cond)}, label %{body}, label %{done}")
        w.start(body)
        self.code(node.body)
        last = [self.given(reg, x) for reg, x in zip(node.carried, node.next, strict=True)]
        latch = w.label
        w.do(f"br label %{head}")
        for k, ((name, t), x, y) in enumerate(zip(phis, start, last, strict=True)):
            w.lines[patch + k] = f"  {name} = phi {t} [{x}, %{before}], [{y}, %{latch}]"
        w.start(done)
        self.leave(node.carried, node.outs)

    def choice(self, node: tree.Choice) -> None:
        w = self.w
        if self.v.varies(node.cond):
            self.both(node, "")
            return
        then, orelse, join = w.new_label("then"), w.new_label("else"), w.new_label("join")
        w.do(f"br i1 {w.at(node.cond)}, label %{then}, label %{orelse}")
        ends = []
        for label, code, values in ((then, node.then, node.then_values), (orelse, node.orelse, node.orelse_values)):
            w.start(label)
            self.code(code)
            found = [self.given(out, x) for out, x in zip(node.outs, values, strict=True)]
            ends.append((found, w.label))
            w.do(f"br label %{join}")
        w.start(join)
        (xs, one), (ys, other) = ends
        for out, x, y in zip(node.outs, xs, ys, strict=True):
            name, t = self.phi(out)
            w.do(f"{name} = phi {t} [{x}, %{one}], [{y}, %{other}]")

    def both(self, node: tree.Choice, mask: str) -> None:
        """Both arms, where lanes go into different ones: what memory they touch, they touch in their lanes only."""
        w, m = self.w, f"<{self.width} x i1>"
        cond = self.vector(node.cond)
        no = w.line(f"xor {m} {cond}, {self.constant('true', 'bool')}")
        yes = cond
        if mask:
            yes, no = w.line(f"and {m} {mask}, {cond}"), w.line(f"and {m} {mask}, {no}")
        for code, where in ((node.then, yes), (node.orelse, no)):
            for inside in code:
                self.masked(inside, where)
        for out, x, y in zip(node.outs, node.then_values, node.orelse_values, strict=True):
            t = self.type(out.dtype)
            self.vectors[out.id] = w.line(f"select {m} {cond}, {t} {self.vector(x)}, {t} {self.vector(y)}")

    def masked(self, node: tree.Node, mask: str) -> None:
        match node:
            case tree.Load(out, base, offset):
                if id(node) not in self.parts:
                    self.vectors[out.id] = self.load(base, offset, mask)
            case tree.Store(base, offset, value):
                if id(node) in self.additions:
                    self.addition(self.additions[id(node)], mask)
                else:
                    self.store(base, offset, value, mask)
            case tree.Choice():
                self.both(node, mask)
            case _:
                self.one(node)

    # ------------------------------------------------------------ sums

    def sum(self, node: tree.Sum) -> None:
        """Numbers of all lanes side by side in a block, then added as one block of a sum is (`sums`)."""
        w = self.w
        sums = [(node.out, node.value), *node.more]
        room = int(node.count.value) if isinstance(node.count, Imm) else BLOCK
        blocks = []
        for out, value in sums:
            name = w.fresh("block")
            wide = self.width if self.v.varies(value) else 1
            w.buffers.append(f"  {name} = alloca [{max(room, 1) * wide} x {LLVM[out.dtype]}], align 64")
            blocks.append(name)
        with self.counting(node.index, node.count) as index:
            self.code(node.body)
            at = w.line(f"mul i64 {index}, {self.width}")
            for block, (out, value) in zip(blocks, sums, strict=True):
                varies = self.v.varies(value)
                where = w.line(f"getelementptr {LLVM[out.dtype]}, ptr {block}, i64 {at if varies else index}")
                given = f"{self.type(out.dtype)} {self.vector(value)}" if varies else w.typed(value)
                w.do(f"store {given}, ptr {where}, align {SIZES[out.dtype]}")
        for block, (out, value) in zip(blocks, sums, strict=True):
            if self.v.varies(value):
                self.vectors[out.id] = self.block(block, w.at(node.count), out.dtype)
            else:
                w.module.needed.setdefault(f"block_sum_{out.dtype}", block_sum(out.dtype))
                w.names[out.id] = w.line(f"call {LLVM[out.dtype]} @block_sum_{out.dtype}(ptr {block}, "
                                         f"i64 {w.at(node.count)})")

    def block(self, block: str, count: str, dtype: str) -> str:
        """The sums of the lanes, as many at a time as a register holds."""
        w, t = self.w, LLVM[dtype]
        wide = 1
        while wide < table.lanes(dtype) and self.width % (2 * wide) == 0:
            wide *= 2
        name = f"lanes_sum_{dtype}_{wide}_{self.width}"
        w.module.needed.setdefault(name, lanes_sum(name, dtype, wide, self.width))
        parts = []
        for k in range(0, self.width, wide):
            where = w.line(f"getelementptr {t}, ptr {block}, i64 {k}")
            parts.append(w.line(f"call <{wide} x {t}> @{name}(ptr {where}, i64 {count})"))
        return self.joined(parts, wide, t)

    # ------------------------------------------------------------ additions of all lanes, along an axis

    def jammed(self, node: tree.For) -> bool:
        """A loop that only adds what all lanes give to elements that they share: each element is read once, gets the
        lanes' numbers in their order, and is stored once. LLVM makes vectors of the elements."""
        w, v = self.w, self.v
        if not v.only_adds(node):
            return False
        inside = {r.id for r in defined(node.body)}
        lanes: dict[int, list[str]] = {}
        for reg in read(node.body):
            if reg.id not in inside and v.varies(reg):
                lanes[reg.id] = [self.address(self.rows[reg.id], k, reg.dtype) if reg.pointer else self.lane(reg, k)
                                 for k in range(self.width)]
        with self.counting(node.index, node.count, CALLING):
            w.access = ACCESS
            for x in node.body:
                if id(x) in self.parts:
                    continue
                if id(x) in self.additions:
                    a = self.additions[id(x)]
                    self.addition(a, numbers=lanes.get(a.value.id) if isinstance(a.value, Reg) else None)
                    continue
                reads, makes = own(x)
                mine = [r for r in reads if isinstance(r, Reg) and r.id in lanes]
                if not mine:
                    w.node(x)
                    continue
                out = makes[0]
                made = lanes.setdefault(out.id, [])
                for k in range(self.width):
                    for r in mine:
                        w.names[r.id] = lanes[r.id][k]
                    w.names[out.id] = w.fresh("l")
                    w.node(x)
                    made.append(w.names[out.id])
            w.access = ""
        return True

    # ------------------------------------------------------------ elementwise

    def scalar(self, node: tree.Scalar) -> None:
        w, out, name, args = self.w, node.out, node.name, node.args
        if out.dtype == "i64" and name in ("add", "sub", "mul") and self.step(node):
            return
        d = args[0].dtype
        made = self.floats(node) if d in ir.FLOATS else self.others(node)
        if made is None:
            t = LLVM[out.dtype]
            numbers = []
            for k in range(self.width):
                w.host_dtypes = tuple(a.dtype for a in args)
                numbers.append(w.scalars.prim(name, out.dtype, tuple(a.dtype for a in args),
                                              tuple(self.lane(a, k) for a in args), node.attrs))
            made = self.gathered(numbers, t)
        self.vectors[out.id] = made

    def step(self, node: tree.Scalar) -> bool:
        """Index arithmetic."""
        w = self.w
        x, y = node.args
        steps = [self.steps.get(a.id) if isinstance(a, Reg) else None for a in (x, y)]
        if any(self.v.varies(a) and s is None for a, s in zip((x, y), steps, strict=True)):
            return False
        if node.name == "mul":
            moving, other = (steps[0], y) if steps[0] is not None else (steps[1], x)
            if None not in steps or moving is None:
                return False
            start, step = moving
            by = w.at(other)
            self.steps[node.out.id] = (w.line(f"mul i64 {start}, {by}"),
                                       by if step == "1" else w.line(f"mul i64 {step}, {by}"))
            return True
        (a, s), (b, t) = ((w.at(z), "0") if step is None else step for z, step in zip((x, y), steps, strict=True))
        if t == "0":
            total = s
        elif s == "0" and node.name == "add":
            total = t
        else:
            total = w.line(f"{node.name} i64 {s}, {t}")
        self.steps[node.out.id] = w.line(f"{node.name} i64 {a}, {b}"), total
        return True
