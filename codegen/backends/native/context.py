"""The context of a run, as machine code and Python both see it, and the machine code that reserves memory in it.

A context is `WORDS` words of eight bytes; each name below is the offset of one in bytes. Its address is the first
parameter of every function of a program.
"""

from __future__ import annotations

TOP, END, DEPTH, FAILED, SLOT = 0, 8, 16, 24, 64
"""Of the arena: what is taken, and where what may be taken now ends. Calls inside each other; the check that failed,
from 1; the first free growable block."""
LIMIT, STACK, FUEL, TABLE, CAPACITY, STOP = 72, 80, 88, 96, 104, 112
"""Where the arena ends for good; below which address the thread's stack may not grow; iterations until signals are
looked at; growable blocks (address and size of each) and for how many there is room; whether the run is to stop."""
NEXT, OWNER, BUSY, START, FLOOR, LARGE, KEPT, POLLED, LOOK, RAISED = 120, 128, 136, 144, 152, 160, 168, 176, 184, 192
"""The next context of the process; the thread state that it belongs to; whether a run uses it; where the arena begins,
and where `END` is at first; whether there is memory to give back; bytes of growable blocks; when signals were last
looked at, by the clock; the table of what is needed to look, 0 where that is not for this thread; what a handler of
signals raised, in three words."""
POOL = 216
"""Where threads for parts of loops are described (`threads`): 0 where the run has none."""
VALUES, MOST_VALUES = 224, 68
"""The values of the check that failed, of which no more are told: an element of an array of NumPy's has 64 indices."""
WORDS = VALUES // 8 + MOST_VALUES
BUDGET = 1 << 18
"""Operations until the clock is looked at: below a millisecond, as most go."""

LARGEST = 1 << 40
"""More elements than any array has."""
USUAL = 1 << 26
"""Bytes of memory that a context may keep between runs."""

MORE = f"""
define internal i1 @more(ptr %ctx, ptr %after, i64 %count) noinline cold {{
  %huge = icmp ugt i64 %count, {LARGEST}
  %limit_at = getelementptr i8, ptr %ctx, i64 {LIMIT}
  %limit = load ptr, ptr %limit_at
  %beyond = icmp ugt ptr %after, %limit
  %full = or i1 %huge, %beyond
  br i1 %full, label %none, label %some
none:
  ret i1 true
some:
  %start_at = getelementptr i8, ptr %ctx, i64 {START}
  %start = load i64, ptr %start_at
  %to = ptrtoint ptr %after to i64
  %bytes = sub i64 %to, %start
  %zeros = call i64 @llvm.ctlz.i64(i64 %bytes, i1 false)
  %bits = sub i64 64, %zeros
  %whole = shl i64 1, %bits
  %end = add i64 %start, %whole
  %last = ptrtoint ptr %limit to i64
  %over = icmp ugt i64 %end, %last
  %new = select i1 %over, i64 %last, i64 %end
  %end_at = getelementptr i8, ptr %ctx, i64 {END}
  store i64 %new, ptr %end_at
  %large_at = getelementptr i8, ptr %ctx, i64 {LARGE}
  store i64 1, ptr %large_at
  ret i1 false
}}
"""

ALLOC = f"""
define internal ptr @alloc(ptr %ctx, i64 %count, i64 %width) {{
  %top_at = getelementptr i8, ptr %ctx, i64 {TOP}
  %top = load ptr, ptr %top_at
  %size = mul i64 %count, %width
  %padded = add i64 %size, 63
  %whole = and i64 %padded, -64
  %after = getelementptr i8, ptr %top, i64 %whole
  %end_at = getelementptr i8, ptr %ctx, i64 {END}
  %end = load ptr, ptr %end_at
  %far = icmp ugt ptr %after, %end
  %huge = icmp ugt i64 %count, {LARGEST}
  %beyond = or i1 %far, %huge
  br i1 %beyond, label %look, label %room
look:
  %full = call i1 @more(ptr %ctx, ptr %after, i64 %count)
  br i1 %full, label %none, label %room
room:
  store ptr %after, ptr %top_at
  ret ptr %top
none:
  ret ptr null
}}
"""

RESIZE = f"""
define internal ptr @resize(ptr %ctx, i64 %slot, i64 %count, i64 %width) noinline {{
  %capacity_at = getelementptr i8, ptr %ctx, i64 {CAPACITY}
  %capacity = load i64, ptr %capacity_at
  %table_at = getelementptr i8, ptr %ctx, i64 {TABLE}
  %table = load ptr, ptr %table_at
  %inside = icmp ult i64 %slot, %capacity
  br i1 %inside, label %look, label %widen
widen:
  %twice = shl i64 %slot, 1
  %wide = add i64 %twice, 16
  %wide_bytes = shl i64 %wide, 4
  %wider = call ptr @dad_realloc(ptr %table, i64 %wide_bytes)
  %no_table = icmp eq ptr %wider, null
  br i1 %no_table, label %none, label %widened
widened:
  %from = shl i64 %capacity, 4
  %fresh = getelementptr i8, ptr %wider, i64 %from
  %new_bytes = sub i64 %wide_bytes, %from
  call void @llvm.memset.p0.i64(ptr %fresh, i8 0, i64 %new_bytes, i1 false)
  store ptr %wider, ptr %table_at
  store i64 %wide, ptr %capacity_at
  br label %look
look:
  %cells = phi ptr [%table, %0], [%wider, %widened]
  %place = shl i64 %slot, 4
  %cell = getelementptr i8, ptr %cells, i64 %place
  %size_at = getelementptr i8, ptr %cell, i64 8
  %have = load i64, ptr %size_at
  %old = load ptr, ptr %cell
  %huge = icmp ugt i64 %count, {LARGEST}
  br i1 %huge, label %none, label %measure
measure:
  %bytes = mul i64 %count, %width
  %fits = icmp ult i64 %bytes, %have
  br i1 %fits, label %done, label %grow
grow:
  %double = shl i64 %bytes, 1
  %size = add i64 %double, 64
  %new = call ptr @dad_realloc(ptr %old, i64 %size)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %none, label %grown
grown:
  store ptr %new, ptr %cell
  store i64 %size, ptr %size_at
  %kept_at = getelementptr i8, ptr %ctx, i64 {KEPT}
  %kept0 = load i64, ptr %kept_at
  %kept1 = add i64 %kept0, %size
  %kept = sub i64 %kept1, %have
  store i64 %kept, ptr %kept_at
  %much = icmp ugt i64 %kept, {USUAL}
  br i1 %much, label %mark, label %end
mark:
  %large_at = getelementptr i8, ptr %ctx, i64 {LARGE}
  store i64 1, ptr %large_at
  br label %end
end:
  ret ptr %new
done:
  ret ptr %old
none:
  ret ptr null
}}
"""

POLL = f"""
define internal i1 @poll(ptr %ctx) noinline cold {{
  %fuel = getelementptr i8, ptr %ctx, i64 {FUEL}
  store i64 {BUDGET}, ptr %fuel
  %stop_at = getelementptr i8, ptr %ctx, i64 {STOP}
  %stop = load volatile i64, ptr %stop_at
  %go = icmp eq i64 %stop, 0
  br i1 %go, label %able, label %leave
able:
  %look_at = getelementptr i8, ptr %ctx, i64 {LOOK}
  %table = load ptr, ptr %look_at
  %none = icmp eq ptr %table, null
  br i1 %none, label %on, label %time
time:
  %clock = load ptr, ptr %table
  %period_at = getelementptr i64, ptr %table, i64 1
  %period = load i64, ptr %period_at
  %spec = alloca [2 x i64], align 8
  store [2 x i64] zeroinitializer, ptr %spec
  %utc = call i32 %clock(ptr %spec, i32 1)
  %seconds = load i64, ptr %spec
  %rest_at = getelementptr i64, ptr %spec, i64 1
  %rest32 = load i32, ptr %rest_at
  %rest = zext i32 %rest32 to i64
  %nanos = mul i64 %seconds, 1000000000
  %now = add i64 %nanos, %rest
  %polled_at = getelementptr i8, ptr %ctx, i64 {POLLED}
  %before = load i64, ptr %polled_at
  %first = icmp eq i64 %before, 0
  %passed = sub i64 %now, %before
  %early = icmp ult i64 %passed, %period
  br i1 %first, label %begin, label %later
begin:
  store i64 %now, ptr %polled_at
  br label %on
later:
  br i1 %early, label %on, label %look
look:
  store i64 %now, ptr %polled_at
  %ensure_at = getelementptr i64, ptr %table, i64 2
  %ensure = load ptr, ptr %ensure_at
  %state = call i32 %ensure()
  %check_at = getelementptr i64, ptr %table, i64 3
  %check = load ptr, ptr %check_at
  %raised = call i32 %check()
  %quiet = icmp eq i32 %raised, 0
  br i1 %quiet, label %release, label %take
take:
  %fetch_at = getelementptr i64, ptr %table, i64 4
  %fetch = load ptr, ptr %fetch_at
  %type = getelementptr i8, ptr %ctx, i64 {RAISED}
  %value = getelementptr i8, ptr %ctx, i64 {RAISED + 8}
  %trace = getelementptr i8, ptr %ctx, i64 {RAISED + 16}
  call void %fetch(ptr %type, ptr %value, ptr %trace)
  br label %release
release:
  %release_at = getelementptr i64, ptr %table, i64 5
  %give = load ptr, ptr %release_at
  call void %give(i32 %state)
  br i1 %quiet, label %on, label %leave
on:
  ret i1 false
leave:
  store i64 1, ptr %stop_at
  %failed = getelementptr i8, ptr %ctx, i64 {FAILED}
  store i64 -1, ptr %failed
  ret i1 true
}}
"""

LEAST = 1 << 19
"""Operations below which loops do not run in parts."""
SPREAD = f"""
define internal i1 @spread(ptr %ctx, ptr %body, ptr %env, i64 %count, i64 %work) {{
  %much = icmp sge i64 %work, {LEAST}
  br i1 %much, label %look, label %alone
look:
  %pool_at = getelementptr i8, ptr %ctx, i64 {POOL}
  %pool = load ptr, ptr %pool_at
  %none = icmp eq ptr %pool, null
  br i1 %none, label %alone, label %many
many:
  %run = load ptr, ptr %pool
  %failed = call i1 %run(ptr %ctx, ptr %body, ptr %env, i64 %count, i64 %work)
  ret i1 %failed
alone:
  %refused = call i1 %body(ptr %ctx, ptr %env, i64 0, i64 %count)
  ret i1 %refused
}}
"""

DECLARED: dict[str, dict[str, str]] = {
    "alloc": {},
    "poll": {},
    "spread": {},
    "more": {"llvm.ctlz.i64": "declare i64 @llvm.ctlz.i64(i64, i1)"},
    "resize": {"dad_realloc": "declare ptr @dad_realloc(ptr, i64)",
               "llvm.memset.p0.i64": "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"},
}
"""What these functions need of others."""
HELPERS = {"alloc": ALLOC, "more": MORE, "poll": POLL, "resize": RESIZE, "spread": SPREAD}
