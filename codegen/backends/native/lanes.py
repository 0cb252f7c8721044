"""Iterations side by side: a body written once, with a vector where its registers vary from iteration to iteration.

What varies is told by `loops.varying`. Memory that each iteration has a part of its own of holds the elements of all
lanes side by side: element k of lane t lies at k * width + t. The same operations run in each lane, in the order of the
body, so results have the bits of iterations run one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....lang.core import ir
from ..loops import tree
from ..loops.fuse import straight
from ..loops.operands import defined, everything, own, read
from ..loops.tree import Code, Imm, Operand, Reg
from ..loops.varying import Addition, Varying
from .kernels import table
from .scalars import COMPARE, FLOAT_OPS, INT_OPS, INTRINSICS, LLVM, MEMORY, SIZES, SUFFIX, number

if TYPE_CHECKING:
    from .llvm import FunctionWriter

BLOCK = 128


def write(w: FunctionWriter, node: tree.Lanes) -> None:
    LaneWriter(w, node).run()


class LaneWriter:
    def __init__(self, w: FunctionWriter, node: tree.Lanes) -> None:
        self.w = w
        self.node_ = node
        self.width = node.count
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

    def type(self, dtype: str) -> str:
        return f"<{self.width} x {LLVM[dtype]}>"

    def constant(self, text: str, dtype: str) -> str:
        return "<" + ", ".join([f"{LLVM[dtype]} {text}"] * self.width) + ">"

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

    def gathered(self, numbers: Sequence[str], t: str) -> str:
        made = "poison"
        for k, x in enumerate(numbers):
            made = self.w.line(f"insertelement <{self.width} x {t}> {made}, {t} {x}, i64 {k}")
        return made

    # ------------------------------------------------------------ code

    def code(self, code: Code) -> None:
        for node in code:
            self.one(node)

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
                found = w.line(f"call {t} @{name}(<{self.width} x ptr> {self.pointers(rows, dtype)}, i32 {SIZES[dtype]}, "
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
            w.do(f"call void @{name}({t} {given}, <{self.width} x ptr> {self.pointers(rows, dtype)}, i32 {SIZES[dtype]}, "
                 f"<{self.width} x i1> {mask})")
        elif rows.step == "1" and rows.offsets is None:
            w.do(f"store {t} {given}, ptr {rows.first}, align {SIZES[dtype]}")
        else:
            for k in range(self.width):
                one = w.line(f"extractelement {t} {given}, i64 {k}")
                w.do(f"store {MEMORY[dtype]} {one}, ptr {self.address(rows, k, dtype)}")

    def copy(self, node: tree.Copy) -> None:
        w, v = self.w, self.v
        if not v.mine(node.target):
            w.node(node)
        elif v.mine(node.source):
            count = Reg(-3_000_000 - w.count, "i64")
            w.names[count.id] = w.line(f"mul i64 {w.at(node.count)}, {self.width}")
            w.node(tree.Copy(node.target, node.source, count))
        else:
            index = Reg(-3_000_000 - w.count, "i64")
            held = Reg(index.id - 1, node.source.dtype)
            w.names[index.id] = w.fresh("i")
            w.count += 2
            v.values.add(held.id)
            self.loop(tree.For(index, node.count, (), (), [
                tree.Load(held, node.source, index), tree.Store(node.target, index, held)], (), ()))

    def addition(self, a: Addition, mask: str = "") -> None:
        """What all lanes add to one element, one after the other."""
        w, d = self.w, a.add.out.dtype
        t = LLVM[d]
        where = w.address(a.load.base, a.load.offset)
        total = w.line(f"load {t}, ptr {where}")
        first = a.add.args[0] == a.load.out
        for k in range(self.width):
            one = self.lane(a.value, k)
            x, y = (total, one) if first else (one, total)
            more = w.line(f"{'fadd' if d in ir.FLOATS else 'add'} {t} {x}, {y}")
            if mask:
                on = w.line(f"extractelement <{self.width} x i1> {mask}, i64 {k}")
                more = w.line(f"select i1 {on}, {t} {more}, {t} {total}")
            total = more
        w.do(f"store {t} {total}, ptr {where}")

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
        w.do(f"br label %{head}")
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
            for x in code:
                self.masked(x, where)
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
        for out, _ in sums:
            name = w.fresh("block")
            w.buffers.append(f"  {name} = alloca [{max(room, 1) * self.width} x {LLVM[out.dtype]}], align 64")
            blocks.append(name)
        head, body, done = w.new_label("head"), w.new_label("body"), w.new_label("done")
        before = w.label
        index, following = w.name(node.index), w.fresh("next")
        w.do(f"br label %{head}")
        w.start(head)
        patch = len(w.lines)
        w.lines.append("")
        w.do(f"br i1 {w.line(f'icmp slt i64 {index}, {w.at(node.count)}')}, label %{body}, label %{done}")
        w.start(body)
        self.code(node.body)
        at = w.line(f"mul i64 {index}, {self.width}")
        for block, (out, value) in zip(blocks, sums, strict=True):
            t = self.type(out.dtype)
            where = w.line(f"getelementptr {LLVM[out.dtype]}, ptr {block}, i64 {at}")
            w.do(f"store {t} {self.vector(value)}, ptr {where}, align {SIZES[out.dtype]}")
        w.do(f"{following} = add nsw i64 {index}, 1")
        w.do(f"br label %{head}")
        w.lines[patch] = f"  {index} = phi i64 [0, %{before}], [{following}, %{w.label}]"
        w.start(done)
        for block, (out, _) in zip(blocks, sums, strict=True):
            self.vectors[out.id] = self.block(block, w.at(node.count), out.dtype)

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

    def joined(self, parts: list[str], wide: int, t: str) -> str:
        """Vectors one behind the other."""
        w = self.w
        if len(parts) == 1:
            return parts[0]
        if len(parts) & (len(parts) - 1):
            made = "poison"
            for k, part in enumerate(parts):
                for j in range(wide):
                    one = w.line(f"extractelement <{wide} x {t}> {part}, i64 {j}")
                    made = w.line(f"insertelement <{self.width} x {t}> {made}, {t} {one}, i64 {k * wide + j}")
            return made
        while len(parts) > 1:
            lanes = "<" + ", ".join(f"i32 {k}" for k in range(2 * wide)) + ">"
            parts = [w.line(f"shufflevector <{wide} x {t}> {x}, <{wide} x {t}> {y}, <{2 * wide} x i32> {lanes}")
                     for x, y in zip(parts[::2], parts[1::2], strict=True)]
            wide *= 2
        return parts[0]

    # ------------------------------------------------------------ additions of all lanes, along an axis

    def jammed(self, node: tree.For) -> bool:
        return False

    # ------------------------------------------------------------ elementwise

    def scalar(self, node: tree.Scalar) -> None:
        w, out, name, args = self.w, node.out, node.name, node.args
        if out.dtype == "i64" and name in ("add", "sub", "mul") and self.step(node):
            return
        d = args[0].dtype
        made = self.floats(node) if d in ir.FLOATS or (name == "select" and out.dtype in ir.FLOATS) else self.others(node)
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
            if None not in steps:
                return False
            (start, step), other = (steps[0], y) if steps[0] is not None else (steps[1], x)  # type: ignore[misc]
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

    def intrinsic(self, name: str, d: str, *args: str) -> str:
        t = self.type(d)
        full = f"llvm.{name}.v{self.width}{SUFFIX[d]}"
        self.w.declare(full, f"declare {t} @{full}({', '.join([t] * len(args))})")
        return self.w.line(f"call {t} @{full}({', '.join(f'{t} {a}' for a in args)})")

    def floats(self, node: tree.Scalar) -> str | None:
        line, name, d = self.w.line, node.name, node.args[0].dtype
        m = f"<{self.width} x i1>"
        args = [self.vector(a) for a in node.args]
        if name == "select":
            t = self.type(node.out.dtype)
            return line(f"select {m} {args[0]}, {t} {args[1]}, {t} {args[2]}")
        t = self.type(d)
        x, y = args[0], args[-1]
        if name in COMPARE:
            return line(f"fcmp {COMPARE[name][0]} {t} {x}, {y}")
        if name in FLOAT_OPS:
            return line(f"{FLOAT_OPS[name]} {t} {x}, {y}")
        if name in INTRINSICS:
            return self.intrinsic(INTRINSICS[name], d, x)
        if name in table.KERNELS:
            return self.kernel(name, d, args)

        def c(value: float) -> str:
            return self.constant(number(value, d), d)

        match name:
            case "neg":
                return line(f"fneg {t} {x}")
            case "scaled":
                zero = line(f"fcmp oeq {t} {x}, {c(0.0)}")
                product = line(f"fmul {t} {x}, {y}")
                return line(f"select {m} {zero}, {t} {x}, {t} {product}")
            case "max" | "min":
                wins = line(f"fcmp {'oge' if name == 'max' else 'ole'} {t} {x}, {y}")
                other = line(f"fcmp uno {t} {y}, {y}")
                return line(f"select {m} {line(f'or {m} {wins}, {other}')}, {t} {x}, {t} {y}")
            case "sign":
                positive = line(f"fcmp ogt {t} {x}, {c(0.0)}")
                negative = line(f"fcmp olt {t} {x}, {c(0.0)}")
                bad = line(f"fcmp uno {t} {x}, {x}")
                down = line(f"select {m} {negative}, {t} {c(-1.0)}, {t} {c(0.0)}")
                up = line(f"select {m} {positive}, {t} {c(1.0)}, {t} {down}")
                return line(f"select {m} {bad}, {t} {x}, {t} {up}")
            case "isnan":
                return line(f"fcmp uno {t} {x}, {x}")
            case "isinf":
                return line(f"fcmp oeq {t} {self.intrinsic('fabs', d, x)}, {c(float('inf'))}")
            case "copysign":
                return self.intrinsic("copysign", d, x, y)
            case "fma":
                return self.intrinsic("fma", d, *args)
            case "rsqrt":
                return line(f"fdiv {t} {c(1.0)}, {self.intrinsic('sqrt', d, x)}")
            case "cast" if node.out.dtype in ir.FLOATS and d != node.out.dtype:
                wide = SIZES[node.out.dtype] > SIZES[d]
                return line(f"{'fpext' if wide else 'fptrunc'} {t} {x} to {self.type(node.out.dtype)}")
            case "cast" if node.out.dtype == d:
                return x
        return None

    def others(self, node: tree.Scalar) -> str | None:
        """Of whole numbers and truth values."""
        line, name, d = self.w.line, node.name, node.args[0].dtype
        t, m = self.type(d), f"<{self.width} x i1>"
        unsigned = d[0] == "u" or d == "bool"
        if name == "select":
            of = self.type(node.out.dtype)
            c, x, y = (self.vector(a) for a in node.args)
            return line(f"select {m} {c}, {of} {x}, {of} {y}")
        if name not in COMPARE and name not in INT_OPS and name not in (
                "and", "or", "xor", "not", "neg", "bnot", "max", "min", "cast"):
            return None
        args = [self.vector(a) for a in node.args]
        x, y = args[0], args[-1]
        if name in COMPARE:
            kind = COMPARE[name][1]
            prefix = "" if kind in ("eq", "ne") else "u" if unsigned else "s"
            return line(f"icmp {prefix}{kind} {t} {x}, {y}")
        if name in INT_OPS:
            return line(f"{INT_OPS[name]} {t} {x}, {y}")
        match name:
            case "and" | "or" | "xor":
                return line(f"{name} {t} {x}, {y}")
            case "not":
                return line(f"xor {t} {x}, {self.constant('true', 'bool')}")
            case "neg":
                return line(f"sub {t} zeroinitializer, {x}")
            case "bnot":
                return line(f"xor {t} {x}, {self.constant('-1', d)}")
            case "max" | "min":
                first = line(f"icmp {'u' if unsigned else 's'}{'ge' if name == 'max' else 'le'} {t} {x}, {y}")
                return line(f"select {m} {first}, {t} {x}, {t} {y}")
            case _:
                return self.cast(x, d, node.out.dtype)

    def cast(self, x: str, d: str, out: str) -> str | None:
        line, t, to = self.w.line, self.type(d), self.type(out)
        if out == "f16":
            return None
        if t == to:
            return x
        if out in ir.FLOATS:
            return line(f"{'sitofp' if d in ir.SIGNED else 'uitofp'} {t} {x} to {to}")
        if out == "bool":
            return line(f"icmp ne {t} {x}, zeroinitializer")
        if d == "bool":
            return line(f"zext {t} {x} to {to}")
        if SIZES[out] < SIZES[d]:
            return line(f"trunc {t} {x} to {to}")
        return line(f"{'sext' if d in ir.SIGNED else 'zext'} {t} {x} to {to}")

    def kernel(self, name: str, d: str, args: Sequence[str]) -> str:
        """A function of our own, for as many numbers at a time as it takes."""
        w, t = self.w, LLVM[d]
        what = table.Symbol(name, d, table.lanes(d))
        if self.width == 1 or what.lanes == 1:
            what = table.Symbol(name, d, 1)
            w.declare(str(what), what.declaration())
            found = []
            for k in range(self.width):
                each = ", ".join(f"{t} {w.line(f'extractelement {self.type(d)} {a}, i64 {k}')}" for a in args)
                found.append(w.line(f"call {t} @{what}({each})"))
            return self.gathered(found, t)
        w.declare(str(what), what.declaration())
        parts = []
        for start in range(0, self.width, what.lanes):
            lanes = [start + j if start + j < self.width else start for j in range(what.lanes)]
            order = "<" + ", ".join(f"i32 {k}" for k in lanes) + ">"
            pieces = [w.line(f"shufflevector {self.type(d)} {a}, {self.type(d)} poison, <{what.lanes} x i32> {order}")
                      for a in args]
            parts.append(w.line(f"call {what.type} @{what}({', '.join(f'{what.type} {p}' for p in pieces)})"))
        if self.width % what.lanes:
            made = "poison"
            for k in range(self.width):
                one = w.line(f"extractelement {what.type} {parts[k // what.lanes]}, i64 {k % what.lanes}")
                made = w.line(f"insertelement {self.type(d)} {made}, {t} {one}, i64 {k}")
            return made
        return self.joined(parts, what.lanes, t)


class Rows:
    """A place in each lane: `first`, and so many steps further, and `offsets` further where there are some."""

    def __init__(self, first: str, step: str, offsets: str | None) -> None:
        self.first, self.step, self.offsets = first, step, offsets


SHORT = {"f64": "f64", "f32": "f32", "bool": "i8"} | {f"{s}{b}": f"i{b}" for s in "iu" for b in (8, 16, 32, 64)}


def lanes_sum(name: str, dtype: str, wide: int, step: int) -> str:
    """`sums.block_sum` for vectors of `wide` numbers that lie `step` numbers apart."""
    t = LLVM[dtype]
    v = f"<{wide} x {t}>"
    align = SIZES[dtype]
    first = "\n".join(f"  %p{k} = getelementptr {t}, ptr %x, i64 {k * step}\n"
                      f"  %r{k} = load {v}, ptr %p{k}, align {align}" for k in range(8))
    phis = "\n".join(f"  %a{k} = phi {v} [%r{k}, %eights], [%s{k}, %more]" for k in range(8))
    adds = "\n".join(f"  %q{k} = getelementptr {t}, ptr %at, i64 {k * step}\n"
                     f"  %v{k} = load {v}, ptr %q{k}, align {align}\n"
                     f"  %s{k} = fadd {v} %a{k}, %v{k}" for k in range(8))
    ends = "\n".join(f"  %e{k} = phi {v} [%r{k}, %eights], [%s{k}, %more]" for k in range(8))
    return f"""
define internal {v} @{name}(ptr %x, i64 %n) nounwind {{
  %few = icmp slt i64 %n, 8
  br i1 %few, label %tail, label %eights
eights:
{first}
  %whole = and i64 %n, -8
  %longer = icmp sgt i64 %whole, 8
  br i1 %longer, label %more, label %join
more:
  %i = phi i64 [8, %eights], [%next, %more]
{phis}
  %far = mul i64 %i, {step}
  %at = getelementptr {t}, ptr %x, i64 %far
{adds}
  %next = add i64 %i, 8
  %on = icmp slt i64 %next, %whole
  br i1 %on, label %more, label %join
join:
{ends}
  %e01 = fadd {v} %e0, %e1
  %e23 = fadd {v} %e2, %e3
  %e45 = fadd {v} %e4, %e5
  %e67 = fadd {v} %e6, %e7
  %e03 = fadd {v} %e01, %e23
  %e47 = fadd {v} %e45, %e67
  %e07 = fadd {v} %e03, %e47
  br label %tail
tail:
  %start = phi i64 [0, %0], [%whole, %join]
  %sum0 = phi {v} [zeroinitializer, %0], [%e07, %join]
  br label %thead
thead:
  %j = phi i64 [%start, %tail], [%jn, %tbody]
  %sum = phi {v} [%sum0, %tail], [%sumn, %tbody]
  %ton = icmp slt i64 %j, %n
  br i1 %ton, label %tbody, label %done
tbody:
  %jf = mul i64 %j, {step}
  %pj = getelementptr {t}, ptr %x, i64 %jf
  %vj = load {v}, ptr %pj, align {align}
  %sumn = fadd {v} %sum, %vj
  %jn = add i64 %j, 1
  br label %thead
done:
  ret {v} %sum
}}
"""
