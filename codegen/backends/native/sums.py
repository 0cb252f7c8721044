"""Sums in NumPy's order, as LLVM assembly: blocks of at most 128 in eight partial sums, blocks in halves.

Several sums over the same indices run together. What is computed for one block is a function of its own (a leaf): it
stores the numbers to be added, in a loop that LLVM can do in vectors, then adds them. A number of at most one block's
length calls its leaf at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..loops import tree
from ..loops.fuse import straight
from ..loops.operands import defined, read
from ..loops.tree import Code, Imm, Reg
from .context import FAILED, FUEL
from .scalars import LLVM, number

if TYPE_CHECKING:
    from .llvm import FunctionWriter

BLOCK = 128


def block_sum(dtype: str) -> str:
    """The sum of at most 128 numbers, as NumPy adds them."""
    t = LLVM[dtype]
    zero = number(0.0, dtype)
    return f"""
define internal {t} @block_sum_{dtype}(ptr %x, i64 %n) nounwind {{
  %few = icmp slt i64 %n, 8
  br i1 %few, label %tail, label %eights
eights:
  %r0 = load <8 x {t}>, ptr %x, align 8
  %whole = and i64 %n, -8
  %longer = icmp sgt i64 %whole, 8
  br i1 %longer, label %more, label %join
more:
  %i = phi i64 [8, %eights], [%next, %more]
  %r = phi <8 x {t}> [%r0, %eights], [%s, %more]
  %at = getelementptr {t}, ptr %x, i64 %i
  %v = load <8 x {t}>, ptr %at, align 8
  %s = fadd <8 x {t}> %r, %v
  %next = add i64 %i, 8
  %on = icmp slt i64 %next, %whole
  br i1 %on, label %more, label %join
join:
  %eight = phi <8 x {t}> [%r0, %eights], [%s, %more]
  %even8 = shufflevector <8 x {t}> %eight, <8 x {t}> undef, <4 x i32> <i32 0, i32 2, i32 4, i32 6>
  %odd8 = shufflevector <8 x {t}> %eight, <8 x {t}> undef, <4 x i32> <i32 1, i32 3, i32 5, i32 7>
  %four = fadd <4 x {t}> %even8, %odd8
  %even4 = shufflevector <4 x {t}> %four, <4 x {t}> undef, <2 x i32> <i32 0, i32 2>
  %odd4 = shufflevector <4 x {t}> %four, <4 x {t}> undef, <2 x i32> <i32 1, i32 3>
  %two = fadd <2 x {t}> %even4, %odd4
  %one0 = extractelement <2 x {t}> %two, i32 0
  %one1 = extractelement <2 x {t}> %two, i32 1
  %t07 = fadd {t} %one0, %one1
  br label %tail
tail:
  %start = phi i64 [0, %0], [%whole, %join]
  %sum0 = phi {t} [{zero}, %0], [%t07, %join]
  br label %thead
thead:
  %j = phi i64 [%start, %tail], [%jn, %tbody]
  %sum = phi {t} [%sum0, %tail], [%sumn, %tbody]
  %ton = icmp slt i64 %j, %n
  br i1 %ton, label %tbody, label %done
tbody:
  %pj = getelementptr {t}, ptr %x, i64 %j
  %vj = load {t}, ptr %pj
  %sumn = fadd {t} %sum, %vj
  %jn = add i64 %j, 1
  br label %thead
done:
  ret {t} %sum
}}
"""


def pairwise(dtypes: tuple[str, ...]) -> str:
    """Sums of more than a block, in halves; the results of a part lie eight bytes apart."""
    adds = "\n".join(f"""  %p{k} = getelementptr i64, ptr %out, i64 {k}
  %q{k} = getelementptr i64, ptr %other, i64 {k}
  %x{k} = load {LLVM[d]}, ptr %p{k}
  %y{k} = load {LLVM[d]}, ptr %q{k}
  %s{k} = fadd {LLVM[d]} %x{k}, %y{k}
  store {LLVM[d]} %s{k}, ptr %p{k}""" for k, d in enumerate(dtypes))
    name = pairwise_name(dtypes)
    return f"""
define internal void @{name}(ptr %leaf, ptr %env, i64 %lo, i64 %n, ptr %out) noinline nounwind {{
  %other = alloca [{len(dtypes)} x i64], align 8
  %small = icmp sle i64 %n, {BLOCK}
  br i1 %small, label %one, label %two
one:
  call void %leaf(ptr %env, i64 %lo, i64 %n, ptr %out)
  ret void
two:
  %long = icmp sgt i64 %n, 4095
  br i1 %long, label %count, label %on
count:
  %ctx = load ptr, ptr %env
  %failed_at = getelementptr i8, ptr %ctx, i64 {FAILED}
  %failed = load i64, ptr %failed_at
  %fine = icmp eq i64 %failed, 0
  br i1 %fine, label %less, label %quit
less:
  %fuel_at = getelementptr i8, ptr %ctx, i64 {FUEL}
  %fuel = load i64, ptr %fuel_at
  %rest = sub i64 %fuel, 4096
  store i64 %rest, ptr %fuel_at
  %dry = icmp slt i64 %rest, 0
  br i1 %dry, label %ask, label %on
ask:
  %stop = call i1 @poll(ptr %ctx)
  br i1 %stop, label %quit, label %on
quit:
  ret void
on:
  %half = lshr i64 %n, 1
  %left = and i64 %half, -8
  %middle = add i64 %lo, %left
  %right = sub i64 %n, %left
  call void @{name}(ptr %leaf, ptr %env, i64 %lo, i64 %left, ptr %out)
  call void @{name}(ptr %leaf, ptr %env, i64 %middle, i64 %right, ptr %other)
{adds}
  ret void
}}
"""


def pairwise_name(dtypes: tuple[str, ...]) -> str:
    return "pairwise_" + "_".join(dtypes)


def free_regs(node: tree.Sum) -> list[Reg]:
    """Registers read in the body that are defined outside."""
    bound = defined([node])
    return [reg for reg in read([replace(node, count=Imm(0, "i64"))]) if reg not in bound]


def write(w: FunctionWriter, node: tree.Sum) -> None:
    """The sum, in the function that `w` writes."""
    w.helper("poll")
    sums = [(node.out, node.value), *node.more]
    dtypes = tuple(out.dtype for out, _ in sums)
    needed = w.module.needed
    for d in dtypes:
        needed.setdefault(f"block_sum_{d}", block_sum(d))
    needed.setdefault(pairwise_name(dtypes), pairwise(dtypes))
    free = free_regs(node)
    leaf = w.inner()
    leaf.leaf = True
    leaf.count = w.count + 1
    symbol = f"unit.l{len(w.module.leaves)}"
    w.module.leaves.append("")
    place = len(w.module.leaves) - 1
    leaf.ctx = leaf.line("load ptr, ptr %env")
    for k, reg in enumerate(free):
        where = leaf.line(f"getelementptr i64, ptr %env, i64 {k + 1}")
        leaf.load(reg, where)
    loop, at, count = Reg(-1, "i64"), Reg(-2, "i64"), Reg(-4, "i64")
    buffers = [Reg(-100 - k, d, True) for k, d in enumerate(dtypes)]
    leaf.names |= {-1: "%at", -2: "%lo", -4: "%n"} | {b.id: f"%buffer{k}" for k, b in enumerate(buffers)}
    body: Code = [tree.Scalar(node.index, "add", (loop, at)), *node.body,
                  *(tree.Store(b, loop, value) for b, (_, value) in zip(buffers, sums, strict=True))]
    leaf.loop(tree.For(loop, count, (), (), body, (), (), straight(node.body), node.room))
    for k, d in enumerate(dtypes):
        one = leaf.line(f"call {LLVM[d]} @block_sum_{d}(ptr %buffer{k}, i64 %n)")
        where = leaf.line(f"getelementptr i64, ptr %out, i64 {k}")
        leaf.do(f"store {LLVM[d]} {one}, ptr {where}")
    leaf.do("ret void")
    leaf.buffers += [f"  %buffer{k} = alloca [{BLOCK} x {LLVM[d]}], align 64" for k, d in enumerate(dtypes)]
    w.module.leaves[place] = leaf.text(  # from two places: not a copy for each
        f"define internal void @{symbol}(ptr %env, i64 %lo, i64 %n, ptr %out) noinline nounwind")
    env, results = w.fresh("env"), w.fresh("sums")
    w.buffers += [f"  {env} = alloca [{len(free) + 1} x i64], align 8",
                  f"  {results} = alloca [{len(sums)} x i64], align 8"]
    w.do(f"store ptr {w.ctx}, ptr {env}")
    for k, reg in enumerate(free):
        w.put(env, k + 1, reg)
    few, many, done = w.new_label("few"), w.new_label("many"), w.new_label("added")
    small = w.line(f"icmp sle i64 {w.at(node.count)}, {BLOCK}")
    w.do(f"br i1 {small}, label %{few}, label %{many}")
    w.start(few)
    w.do(f"call void @{symbol}(ptr {env}, i64 0, i64 {w.at(node.count)}, ptr {results})")
    w.do(f"br label %{done}")
    w.start(many)
    w.do(f"call void @{pairwise_name(dtypes)}(ptr @{symbol}, ptr {env}, i64 0, i64 {w.at(node.count)}, ptr {results})")
    w.do(f"br label %{done}")
    w.start(done)
    w.count = max(w.count, leaf.count)
    if not w.leaf and (leaf.called or not isinstance(node.count, Imm)):  # what failed inside has not returned
        failed = w.line(f"load i64, ptr {w.field(FAILED)}")
        w.leave_if(w.line(f"icmp ne i64 {failed}, 0"))
    w.called = w.called or leaf.called
    for k, (out, _) in enumerate(sums):
        w.get(results, k, out)
