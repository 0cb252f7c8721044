"""Loop code as LLVM assembly.

A function takes the context, its parameters, and where to put its results (eight bytes to each); it returns true when a
check failed. `context` says what is in the context. A root, which Python calls, has a second function, called as it is
with `.flat` behind it: it takes context, arguments, results, eight bytes to each scalar, pointer and size.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ....lang.core.ir import AttrValue
from ...runtime.depth import LEVELS
from ..loops import tree
from ..loops.fuse import straight
from ..loops.sites import DEPTH_SITE, HostCall, Site
from ..loops.tree import Code, Imm, Operand, Reg
from . import chunks, lanes, parts, strips, sums
from .assembly import (
    ACCESS,
    CALLING,
    FEW,
    MEMMOVE,
    PARALLEL,
    ROLLED,
    WRITTEN_OUT,
    DataCell,
    Routine,
    Unit,
    UnitWriter,
    int_pow,
    word,
)
from .context import DECLARED, DEPTH, END, FAILED, FUEL, HELPERS, LARGEST, MOST_VALUES, SLOT, STACK, TOP, VALUES
from .kernels import table
from .scalars import LLVM, MEMORY, SIZES, Scalars, number

LONG, PIECE = 6000, 400
"""A function of more nodes is cut in pieces of so many for tier 1: LLVM's time grows faster than the function."""
MADE = 1 << 40
"""Registers of the writer's own have larger numbers."""
STRAIGHT = 300
"""Lines in a block."""


def unit(program: tree.Program, names: Sequence[str], exported: Collection[str] | None = None,
         roots: Collection[str] = (), cut: bool = False, whole: bool = False) -> Unit:
    """The unit of these functions, which call each other directly; others are called through the table.

    What is not `exported` cannot be called from outside. Of `roots` there is the flat function too, behind the others.
    """
    writer = UnitWriter({name: k for k, name in enumerate(names)}, cut, whole)
    functions = [FunctionWriter(writer, program, program.functions[name]).write(
        "" if exported is None or name in exported else "internal ") for name in names]
    called = [name for name in names if name in roots]
    functions += [flat(program.functions[name], names.index(name), len(names) + k) for k, name in enumerate(called)]
    table = f"@unit.t = hidden global [{1 + len(writer.cells)} x i64] zeroinitializer"
    return Unit((*names, *map(flat_name, called)), "\n".join([table, *writer.leaves, *functions]), writer.declared,
                writer.needed, writer.sites, list(writer.cells))


class FunctionWriter:
    def __init__(self, module: UnitWriter, program: tree.Program, function: tree.Function) -> None:
        self.module = module
        self.program = program
        self.function = function
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.count = 0
        self.label = "entry"
        self.outs = 0
        self.buffers: list[str] = []
        self.scalars = Scalars(self.line, self.declare, self.need, self.scalar_host)
        self.ctx = "%ctx"
        self.base = "0"
        self.host_dtypes: tuple[str, ...] = ()
        self.leaf = False
        self.access = ""
        self.plan: chunks.Plan | None = None
        self.nest = ""
        self.words = 0
        self.loops = 0
        """How many loops the code is in."""
        self.leaving: dict[int, str] = {}
        """Where the function is left: the label by the number of the failure, 0 for one that the context has."""
        self.called = False
        """Whether something is called back."""

    # ------------------------------------------------------------ text

    def fresh(self, prefix: str = "v") -> str:
        self.count += 1
        return f"%{prefix}{self.count}"

    def line(self, text: str) -> str:
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def new_label(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def declare(self, name: str, text: str) -> None:
        self.module.declared.setdefault(name, text)

    def need(self, name: str) -> None:
        if name not in self.module.needed:
            self.module.needed[name] = int_pow(name.rsplit("_", 1)[1])

    def name(self, reg: Reg) -> str:
        return self.names.setdefault(reg.id, f"%r{reg.id}")

    def at(self, operand: Operand) -> str:
        return number(operand.value, operand.dtype) if isinstance(operand, Imm) else self.name(operand)

    def typed(self, operand: Operand) -> str:
        return f"{kind(operand)} {self.at(operand)}"

    # ------------------------------------------------------------ functions

    def write(self, linkage: str = "") -> str:
        f = self.function
        params = ", ".join(["ptr %ctx", *[f"{kind(p)} {self.name(p)}" for p in f.params], "ptr %out"])
        if f.slots:
            self.base = self.line("load i64, ptr " + self.field(SLOT))
            after = self.line(f"add i64 {self.base}, {f.slots}")
            self.do(f"store i64 {after}, ptr {self.field(SLOT)}")
        self.plan = chunks.Plan(f, PIECE) if self.module.cut else None
        if self.plan is not None and self.plan.weight <= LONG:
            self.plan = None
        if self.plan is not None:
            frame = Reg(-7, "i64", True)
            self.alloc(frame, Imm(self.plan.words(), "i64"))
            self.nest = self.name(frame)
        self.code(f.body)
        for k, result in enumerate(f.results):
            self.put("%out", k, result)
        if f.slots:
            self.do(f"store i64 {self.base}, ptr {self.field(SLOT)}")
        self.do("ret i1 false")
        return self.text(f"define {linkage}i1 @unit.{self.module.names[f.name]}({params}) nounwind")

    def field(self, offset: int) -> str:
        return self.line(f"getelementptr i8, ptr {self.ctx}, i64 {offset}")

    def put(self, array: str, k: int, value: Operand) -> None:
        where = self.line(f"getelementptr i64, ptr {array}, i64 {k}")
        if value.dtype == "bool" and not is_pointer(value):
            wide = self.line(f"zext i1 {self.at(value)} to i8")
            self.do(f"store i8 {wide}, ptr {where}")
        else:
            self.do(f"store {self.typed(value)}, ptr {where}")

    def get(self, array: str, k: int, out: Reg) -> None:
        where = self.line(f"getelementptr i64, ptr {array}, i64 {k}")
        self.load(out, where)

    def load(self, out: Reg, where: str) -> None:
        if out.pointer:
            self.do(f"{self.name(out)} = load ptr, ptr {where}")
        elif out.dtype == "bool":
            byte = self.line(f"load i8, ptr {where}{self.access}")
            self.do(f"{self.name(out)} = trunc i8 {byte} to i1")
        else:
            self.do(f"{self.name(out)} = load {LLVM[out.dtype]}, ptr {where}{self.access}")

    # ------------------------------------------------------------ code

    def code(self, code: Code) -> None:
        if self.plan is not None and self.plan.heavy(code):
            chunks.write(self, code)
        else:
            self.in_order(code)

    def in_order(self, code: Code) -> None:
        """Code, in blocks of a bounded length: at level 0 LLVM's time for a block grows with its square."""
        begun = len(self.lines)
        paired = sines_and_cosines(code)
        for k, node in enumerate(code):
            if len(self.lines) - begun > STRAIGHT:
                following = self.new_label("more")
                self.do(f"br label %{following}")
                self.start(following)
                begun = len(self.lines)
            self.one(node, paired.get(k))

    def one(self, node: tree.Node, pair: dict[str, str] | None) -> None:
        if pair is not None and isinstance(node, tree.Scalar):
            self.names[node.out.id] = self.sine_and_cosine(node, pair)
        else:
            self.node(node)

    def sine_and_cosine(self, node: tree.Scalar, pair: dict[str, str]) -> str:
        """The sine or the cosine of an argument of which the code needs both: one call gives them."""
        if not pair:
            what = table.Symbol("sin_cos", node.out.dtype, 1)
            self.declare(str(what), what.declaration())
            both = self.line(f"call {what.result} @{what}({self.typed(node.args[0])})")
            for k, name in enumerate(("sin", "cos")):
                pair[name] = self.line(f"extractvalue {what.result} {both}, {k}")
        return pair[node.name]

    def inner(self) -> FunctionWriter:
        """What writes a piece of this function's code as a function of its own."""
        made = FunctionWriter(self.module, self.program, self.function)
        made.plan, made.loops = self.plan, self.loops
        return made

    def frame(self) -> str:
        """Memory for `words` registers."""
        if self.nest == "":
            self.nest = "%nest"
        return self.nest

    def text(self, head: str) -> str:
        """The function as it was written, after its head."""
        room = []
        if self.outs:
            room.append(f"  %slots = alloca [{self.outs} x i64], align 8")
        if self.words and self.nest == "%nest":
            room.append(f"  %nest = alloca [{self.words} x i64], align 8")
        for failure, label in self.leaving.items():
            self.start(label)
            if failure:
                self.fail(failure)
            else:
                self.do("ret i1 true")
        return "\n".join([head + " {", "entry:", *room, *self.buffers, *self.lines, "}", ""])

    def node(self, node: tree.Node) -> None:
        match node:
            case tree.Scalar(out, name, args, attrs):
                self.host_dtypes = tuple(a.dtype for a in args)
                result = self.scalars.prim(name, out.dtype, tuple(a.dtype for a in args),
                                           tuple(self.at(a) for a in args), attrs)
                self.names[out.id] = result
            case tree.Load(out, base, offset):
                self.load(out, self.address(base, offset))
            case tree.Store(base, offset, value):
                where = self.address(base, offset)
                if value.dtype == "bool":
                    wide = self.line(f"zext i1 {self.at(value)} to i8")
                    self.do(f"store i8 {wide}, ptr {where}{self.access}")
                else:
                    self.do(f"store {self.typed(value)}, ptr {where}{self.access}")
            case tree.Shift(out, base, offset):
                self.names[out.id] = self.address(base, offset)
            case tree.Alloc(out, count):
                self.alloc(out, count)
            case tree.Local(out, elements):
                self.buffers.append(f"  {self.name(out)} = alloca [{elements} x {MEMORY[out.dtype]}], align 8")
            case tree.Mark(out):
                self.names[out.id] = self.line(f"load ptr, ptr {self.field(TOP)}")
            case tree.Release(mark):
                self.do(f"store ptr {self.at(mark)}, ptr {self.field(TOP)}")
            case tree.Resize(out, slot, count):
                which = self.line(f"add i64 {self.base}, {self.at(slot)}")
                self.helper("resize")
                block = self.line(f"call ptr @resize(ptr {self.ctx}, i64 {which}, i64 {self.at(count)}, "
                                  f"i64 {SIZES[out.dtype]})")
                self.fail_if(self.line(f"icmp eq ptr {block}, null"), self.module.full())
                self.names[out.id] = block
            case tree.Copy(target, source, count):
                size = self.line(f"mul i64 {self.at(count)}, {SIZES[target.dtype]}")
                self.declare("llvm.memmove.p0.p0.i64", MEMMOVE)
                self.do(f"call void @llvm.memmove.p0.p0.i64(ptr {self.at(target)}, ptr {self.at(source)}, "
                        f"i64 {size}, i1 false)")
            case tree.For():
                self.loop(node)
            case tree.Spread():
                parts.write(self, node)
            case tree.Lanes():
                lanes.write(self, node)
            case tree.While():
                self.while_(node)
            case tree.Sum():
                sums.write(self, node)
            case tree.Choice():
                self.choice(node)
            case tree.Invoke():
                self.invoke(node)
            case tree.Data(out, count, table):
                self.names[out.id] = self.line(f"load ptr, ptr {self.module.cell(DataCell(table, 'address'))}")
                self.names[count.id] = self.line(f"load i64, ptr {self.module.cell(DataCell(table, 'count'))}")
            case tree.Host():
                self.host(node)
            case tree.Linked(out):
                some = self.line(f"load i64, ptr {self.module.cell(Routine())}")
                self.names[out.id] = self.line(f"icmp ne i64 {some}, 0")
            case tree.Library():
                self.routine(node)
            case tree.Check():
                self.check(node)
            case tree.Poll(operations):
                self.poll(operations)

    def address(self, base: Reg, offset: Operand) -> str:
        if isinstance(offset, Imm) and offset.value == 0:
            return self.at(base)
        return self.line(f"getelementptr {MEMORY[base.dtype]}, ptr {self.at(base)}, i64 {self.at(offset)}")

    def alloc(self, out: Reg, count: Operand) -> None:
        if not self.loops:  # where it happens once, short code matters more
            self.helper("more")
            self.helper("alloc")
            self.do(f"{self.name(out)} = call ptr @alloc(ptr {self.ctx}, i64 {self.at(count)}, i64 {SIZES[out.dtype]})")
            self.fail_if(self.line(f"icmp eq ptr {self.name(out)}, null"), self.module.full())
            return
        top = self.line(f"load ptr, ptr {self.field(TOP)}")
        size = self.line(f"mul i64 {self.at(count)}, {SIZES[out.dtype]}")
        padded = self.line(f"add i64 {size}, 63")
        whole = self.line(f"and i64 {padded}, -64")
        after = self.line(f"getelementptr i8, ptr {top}, i64 {whole}")
        end = self.line(f"load ptr, ptr {self.field(END)}")
        beyond = self.line(f"icmp ugt ptr {after}, {end}")
        if isinstance(count, Reg):
            huge = self.line(f"icmp ugt i64 {self.at(count)}, {LARGEST}")
            beyond = self.line(f"or i1 {beyond}, {huge}")
        self.helper("more")
        far, good = self.new_label("far"), self.new_label("room")
        self.do(f"br i1 {beyond}, label %{far}, label %{good}, !prof !0")
        self.start(far)
        full = self.line(f"call i1 @more(ptr {self.ctx}, ptr {after}, i64 {self.at(count)})")
        self.fail_if(full, self.module.full(), good)
        self.do(f"store ptr {after}, ptr {self.field(TOP)}")
        self.names[out.id] = top

    def helper(self, name: str) -> None:
        """Have this function of `context` in the module."""
        for symbol, text in DECLARED[name].items():
            self.declare(symbol, text)
        self.module.needed.setdefault(name, HELPERS[name])

    def fail(self, number: int) -> None:
        """Leave, with the check's number."""
        first = self.line(f"load i64, ptr {word(0)}")
        code = self.line(f"add i64 {first}, {number}")
        self.do(f"store i64 {code}, ptr {self.field(FAILED)}")
        self.do("ret i1 true")

    def fail_if(self, failed: str, number: int, on: str = "") -> None:
        good = on or self.new_label("good")
        self.do(f"br i1 {failed}, label %{self.left(number)}, label %{good}, !prof !0")
        self.start(good)

    def left(self, number: int) -> str:
        """Where the function is left with this failure, at its end."""
        if number not in self.leaving:
            self.leaving[number] = self.new_label("left")
        return self.leaving[number]

    def check(self, node: tree.Check) -> None:
        site = self.module.site(Site(node.name, node.attrs, tuple(v.dtype for v in node.values), node.span))
        bad, good = self.new_label("bad"), self.new_label("good")
        self.do(f"br i1 {self.at(node.holds)}, label %{good}, label %{bad}")
        self.start(bad)
        for k, value in enumerate(node.values[:MOST_VALUES]):
            self.put(self.field(VALUES), k, value)
        self.fail(site)
        self.start(good)

    def poll(self, operations: Operand) -> None:
        self.helper("poll")
        fuel = self.field(FUEL)
        less = self.line(f"sub i64 {self.line(f'load i64, ptr {fuel}')}, {self.at(operations)}")
        self.do(f"store i64 {less}, ptr {fuel}")
        dry, on = self.new_label("dry"), self.new_label("on")
        self.do(f"br i1 {self.line(f'icmp slt i64 {less}, 0')}, label %{dry}, label %{on}, !prof !0")
        self.start(dry)
        stopped = self.line(f"call i1 @poll(ptr {self.ctx})")
        self.do(f"br i1 {stopped}, label %{self.left(0)}, label %{on}")
        self.start(on)

    def leave_if(self, failed: str) -> None:
        good = self.new_label("on")
        self.do(f"br i1 {failed}, label %{self.left(0)}, label %{good}")
        self.start(good)

    # ------------------------------------------------------------ loops

    def reg(self, dtype: str = "i64", pointer: bool = False) -> Reg:
        """A register that is not in the function as it was given."""
        self.module.made += 1
        return Reg(MADE + self.module.made, dtype, pointer)

    def loop(self, node: tree.For) -> None:
        if self.module.cut and (node.parallel or node.last):
            code = strips.strips(self, node)
            if code is not None:
                self.in_order(code)
                return
        head, body, done = self.new_label("head"), self.new_label("body"), self.new_label("done")
        before = self.label
        index, following = self.name(node.index), self.fresh("next")
        self.do(f"br label %{head}")
        self.start(head)
        patch = len(self.lines)
        self.lines += [""] * (1 + len(node.carried))
        on = self.line(f"icmp slt i64 {index}, {self.at(node.count)}")
        self.do(f"br i1 {on}, label %{body}, label %{done}")
        self.start(body)
        apart = node.parallel and straight(node.body)
        self.access = ACCESS if apart else ""
        self.loops += 1
        self.code(node.body)
        self.loops -= 1
        self.access = ""
        self.do(f"{following} = add nsw i64 {index}, 1")
        latch = self.label
        few = isinstance(node.count, Imm) and int(node.count.value) <= FEW
        mark = WRITTEN_OUT if few else "" if not apart else CALLING if calling(node.body) else PARALLEL
        if not isinstance(node.count, Imm):
            mark = ROLLED.get(mark, mark)
        self.do(f"br label %{head}{mark}")
        self.lines[patch] = f"  {index} = phi i64 [0, %{before}], [{following}, %{latch}]"
        for k, (reg, start, value) in enumerate(zip(node.carried, node.init, node.next, strict=True)):
            self.lines[patch + 1 + k] = (f"  {self.name(reg)} = phi {kind(reg)} [{self.at(start)}, %{before}], "
                                         f"[{self.at(value)}, %{latch}]")
        self.start(done)
        for reg, out in zip(node.carried, node.outs, strict=True):
            self.names[out.id] = self.name(reg)

    def while_(self, node: tree.While) -> None:
        head, body, done = self.new_label("head"), self.new_label("body"), self.new_label("done")
        before = self.label
        self.do(f"br label %{head}")
        self.start(head)
        patch = len(self.lines)
        self.lines += [""] * len(node.carried)
        self.loops += 1
        self.code(node.test)
        self.do(f"br i1 {self.at(node.cond)}, label %{body}, label %{done}")
        self.start(body)
        self.code(node.body)
        self.loops -= 1
        latch = self.label
        self.do(f"br label %{head}")
        for k, (reg, start, value) in enumerate(zip(node.carried, node.init, node.next, strict=True)):
            self.lines[patch + k] = (f"  {self.name(reg)} = phi {kind(reg)} [{self.at(start)}, %{before}], "
                                     f"[{self.at(value)}, %{latch}]")
        self.start(done)
        for reg, out in zip(node.carried, node.outs, strict=True):
            self.names[out.id] = self.name(reg)

    def choice(self, node: tree.Choice) -> None:
        then, orelse, join = self.new_label("then"), self.new_label("else"), self.new_label("join")
        self.do(f"br i1 {self.at(node.cond)}, label %{then}, label %{orelse}{', !prof !0' if node.rare else ''}")
        self.start(then)
        self.code(node.then)
        end_then = self.label
        self.do(f"br label %{join}")
        self.start(orelse)
        self.code(node.orelse)
        end_else = self.label
        self.do(f"br label %{join}")
        self.start(join)
        for x, y, out in zip(node.then_values, node.orelse_values, node.outs, strict=True):
            self.do(f"{self.name(out)} = phi {kind(out)} [{self.at(x)}, %{end_then}], [{self.at(y)}, %{end_else}]")

    # ------------------------------------------------------------ calls

    def invoke(self, node: tree.Invoke) -> None:
        self.outs = max(self.outs, len(node.outs), 1)
        depth = self.field(DEPTH)
        now = self.line(f"load i64, ptr {depth}")
        deeper = self.line(f"add i64 {now}, 1")
        site = self.module.site(Site(DEPTH_SITE, (("function", node.function),), (), node.span))
        self.do(f"store i64 {deeper}, ptr {depth}")
        many = self.line(f"icmp sgt i64 {deeper}, {LEVELS}")
        low = self.line(f"icmp ult ptr %slots, {self.line(f'load ptr, ptr {self.field(STACK)}')}")
        self.fail_if(self.line(f"or i1 {many}, {low}"), site)
        args = ", ".join([f"ptr {self.ctx}", *[self.typed(a) for a in node.args], "ptr %slots"])
        if node.function in self.module.names:
            called = f"@unit.{self.module.names[node.function]}"
        else:
            called = self.line(f"load ptr, ptr {self.module.cell(node.function)}")
        failed = self.line(f"call i1 {called}({args})")
        self.leave_if(failed)
        self.do(f"store i64 {now}, ptr {depth}")
        for k, out in enumerate(node.outs):
            self.get("%slots", k, out)

    def host(self, node: tree.Host) -> None:
        call = HostCall(node.name, node.attrs, tuple((a[0].dtype, len(a) - 1) for a in node.args),
                        tuple((r[0].dtype, len(r) - 1) for r in node.results))
        args = [x for group in node.args for x in group]
        outs = [r for group in node.results for r in group]
        self.call_host(call, args)
        for k, out in enumerate(outs):
            self.get("%slots", k, out)

    def routine(self, node: tree.Library) -> None:
        """Numbers lie in words of this function; Fortran reads of each as much as it has."""
        given = []
        for arg in (*node.args, *([] if node.info is None else [Imm(0, "i32")])):
            where = self.at(arg)
            if not is_pointer(arg):
                where = self.fresh("by")
                self.buffers.append(f"  {where} = alloca i64, align 8")
                self.do(f"store {self.typed(arg)}, ptr {where}")
            given.append(where)
        called = self.line(f"load ptr, ptr {self.module.cell(Routine(node.routine))}")
        self.do(f"call void {called}({', '.join(f'ptr {x}' for x in given)})")
        if node.info is not None:
            self.names[node.info.id] = self.line(f"load i32, ptr {given[-1]}")

    def call_host(self, call: HostCall, args: list[Operand]) -> None:
        self.called = True
        called = self.line(f"load ptr, ptr {self.module.cell(call)}")
        wide = sum(1 + rank for _, rank in call.results)
        self.outs = max(self.outs, wide)
        room = self.fresh("in")
        self.buffers.append(f"  {room} = alloca [{len(args)} x i64], align 8")
        for k, arg in enumerate(args):
            self.put(room, k, arg)
        failed = self.line(f"call i1 {called}(ptr {self.ctx}, ptr {room}, ptr %slots)")
        if not self.leaf:  # what part of a sum fails in is seen when the call is over
            self.leave_if(failed)

    def scalar_host(self, name: str, attrs: tuple[tuple[str, AttrValue], ...], out: str,
                    args: tuple[str, ...]) -> str:
        dtypes = self.host_dtypes
        call = HostCall(name, attrs, tuple((d, 0) for d in dtypes), ((out, 0),))
        regs: list[Operand] = []
        for k, (arg, d) in enumerate(zip(args, dtypes, strict=True)):
            reg = Reg(-1000 - self.count * 8 - k, d)
            self.names[reg.id] = arg
            regs.append(reg)
        self.call_host(call, regs)
        result = Reg(-2000000 - self.count, out)
        self.names[result.id] = self.fresh("h")
        self.get("%slots", 0, result)
        return self.names[result.id]


def flat_name(function: str) -> str:
    return f"{function}.flat"


def flat(f: tree.Function, number: int, root: int) -> str:
    """The function that Python calls: it takes the arguments of function `number` from where they lie."""
    lines, args = [], ["ptr %ctx"]
    for k, p in enumerate(f.params):
        t = "ptr" if p.pointer else MEMORY[p.dtype]
        lines.append(f"  %p{k} = getelementptr i64, ptr %in, i64 {k}\n  %a{k} = load {t}, ptr %p{k}")
        if t != kind(p):
            lines.append(f"  %b{k} = trunc {t} %a{k} to {kind(p)}")
        args.append(f"{kind(p)} %{'a' if t == kind(p) else 'b'}{k}")
    call = f"  %failed = call i1 @unit.{number}({', '.join(args)}, ptr %out)\n  ret i1 %failed"
    head = f"define i1 @unit.{root}(ptr %ctx, ptr %in, ptr %out) nounwind {{\nentry:"
    return "\n".join([head, *lines, call, "}", ""])


def sines_and_cosines(code: Code) -> dict[int, dict[str, str]]:
    """Where sines and cosines of arguments stand of which both do, with one empty dictionary to each argument."""
    places: dict[tuple[str, Operand], list[int]] = {}
    for k, node in enumerate(code):
        if isinstance(node, tree.Scalar) and node.name in ("sin", "cos") and node.out.dtype in table.LETTERS:
            places.setdefault((node.name, node.args[0]), []).append(k)
    found: dict[int, dict[str, str]] = {}
    for (name, x), sines in places.items():
        if name == "sin" and ("cos", x) in places:
            pair: dict[str, str] = {}
            found |= dict.fromkeys([*sines, *places["cos", x]], pair)
    return found


def calling(code: Code) -> bool:
    """Whether straight code calls kernels."""
    return any(n.name in table.PRIMITIVES if isinstance(n, tree.Scalar) else
               isinstance(n, tree.Choice) and (calling(n.then) or calling(n.orelse)) for n in code)


def kind(operand: Operand) -> str:
    return "ptr" if is_pointer(operand) else LLVM[operand.dtype]


def is_pointer(operand: Operand) -> bool:
    return isinstance(operand, Reg) and operand.pointer
