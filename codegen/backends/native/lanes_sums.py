"""The sum of a block for each of some lanes, as LLVM assembly."""

from __future__ import annotations

from .scalars import LLVM, SIZES


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
