"""The machine code of threads that run parts of loops: one module, which all programs share.

A *pool* is a block of words. `dad_run` is what a run calls that has a loop to run in parts: it takes the pool, if
nobody has it, wakes as many workers as are worth it, and takes part itself. Parts are taken in order, each by whoever
is free. `dad_work` is what a worker's thread runs: it looks for work for a moment, then sleeps. Locks are CPython's,
which every system has; they are used without the interpreter's lock.

A part that fails ends the loop: parts before it are finished, parts behind it are not begun, and of several that fail
the first in order counts. What it leaves in its context is copied into that of the run.
"""

from __future__ import annotations

from .context import (
    BUDGET,
    DEPTH,
    FAILED,
    FUEL,
    HELPERS,
    LARGE,
    MOST_VALUES,
    POLLED,
    POOL,
    SLOT,
    STACK,
    START,
    STOP,
    TOP,
    VALUES,
)
from .jit import ROOM_FOR_LINKS

RUN, STARTED, WANTED, BEGIN, ACQUIRE, RELEASE, DONE, ROOM = range(8)
"""Words of a pool: where `dad_run` is; how many workers there are, and how many there should be; what starts them;
CPython's functions for locks; the lock that the run waits for; bytes of stack that a worker has."""
BUSY, NEXT, FIRST, LEFT = 8, 16, 24, 32
"""Whether a run has it; the next number that nobody has taken; the first part that failed; workers that are not done,
and `WAITING` where the run sleeps until they are. Each has a line of the cache to itself."""
BODY, ENV, COUNT, GRAIN, DEEP, HALT, PIECE = range(40, 47)
"""The loop: its body and what that reads, how many numbers, how many of them make a part, calls inside calls so far,
whether it is to stop; and how many operations a part should have at least, whatever the loop."""
WORKERS, EACH = 48, 8
"""Where the first worker's words are, and how many each has."""
STATE, LOCK, CONTEXT, FAILED_AT, OWNER = range(5)
"""Words of a worker: IDLE, ASLEEP or CALLED; its lock; its context; the part that failed; its pool."""
IDLE, ASLEEP, CALLED = range(3)
WAITING = 1 << 32
USUAL_PIECE = 1 << 17
"""What `PIECE` says."""
PARTS = 8
"""Parts to each thread."""
LOOKS = {True: 200, False: 4000}
"""How often somebody looks before he sleeps, with and without pauses: some ten microseconds."""
PATIENCE = 20_000
"""Microseconds from one look for signals to the next, while the run sleeps."""


def words(workers: int) -> int:
    """The size of a pool."""
    return WORKERS + EACH * workers


def w(base: str, k: int, name: str) -> str:
    return f"  %{name} = getelementptr i64, ptr %{base}, i64 {k}\n"


def context(name: str, offset: int, base: str = "ctx") -> str:
    return f"  %{name} = getelementptr i8, ptr %{base}, i64 {offset}\n"


def text(pause: str = "") -> str:
    """The module; `pause` is the instruction of a processor that waits."""
    return "\n".join([ROOM_FOR_LINKS, HELPERS["poll"], run(), work(), take(pause), *_waiting(pause)])


def _waiting(pause: str) -> list[str]:
    return [f"declare void @{pause}()"] if pause else []


def take(pause: str) -> str:
    call = f"  call void @{pause}()\n" if pause else ""
    return f"""
define internal i1 @becomes(ptr %word, i64 %value) noinline nounwind {{
  br label %look
look:
  %k = phi i64 [0, %0], [%next, %again]
  %now = load atomic i64, ptr %word seq_cst, align 8
  %there = icmp eq i64 %now, %value
  br i1 %there, label %yes, label %again
again:
{call}  %next = add i64 %k, 1
  %on = icmp ult i64 %next, {LOOKS[bool(pause)]}
  br i1 %on, label %look, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}

define i1 @dad_take(ptr %pool) nounwind {{
{w('pool', BUSY, 'busy_at')}  %pair = cmpxchg ptr %busy_at, i64 0, i64 1 seq_cst seq_cst
  %taken = extractvalue {{i64, i1}} %pair, 1
  ret i1 %taken
}}

define void @dad_give(ptr %pool) nounwind {{
{w('pool', BUSY, 'busy_at')}  store atomic i64 0, ptr %busy_at seq_cst, align 8
  ret void
}}
"""


def part(over: str, failed: str) -> str:
    """Take the next part and run it, unless there is none or one before it has failed: then go to `over`. A part that
    fails goes to `failed`, another to `take`."""
    return f"""  %lo = atomicrmw add ptr %next_at, i64 %grain seq_cst
  %over = icmp sge i64 %lo, %count
  br i1 %over, label %{over}, label %is_before
is_before:
  %first = load atomic i64, ptr %first_at seq_cst, align 8
  %behind = icmp ugt i64 %lo, %first
  br i1 %behind, label %{over}, label %do
do:
  %end = add i64 %lo, %grain
  %inside = icmp slt i64 %end, %count
  %hi = select i1 %inside, i64 %end, i64 %count
  %failed = call i1 %body(ptr %ctx, ptr %env, i64 %lo, i64 %hi)
  br i1 %failed, label %{failed}, label %take"""


def run() -> str:
    copied = "".join(
        context(f"from{k}", offset, "that") + context(f"to{k}", offset)
        + f"  %copied{k} = load i64, ptr %from{k}\n  store i64 %copied{k}, ptr %to{k}\n"
        for k, offset in enumerate((FAILED, DEPTH)))
    return f"""
define i1 @dad_run(ptr %ctx, ptr %body, ptr %env, i64 %count, i64 %work) nounwind {{
entry:
{context('pool_at', POOL)}  %pool = load ptr, ptr %pool_at
  %taken = call i1 @dad_take(ptr %pool)
  br i1 %taken, label %mine, label %alone
mine:
{w('pool', STARTED, 'started_at')}{w('pool', WANTED, 'wanted_at')}  %have = load i64, ptr %started_at
  %wanted = load i64, ptr %wanted_at
  %few = icmp slt i64 %have, %wanted
  br i1 %few, label %more, label %count_parts
more:
{w('pool', BEGIN, 'begin_at')}  %begin = load ptr, ptr %begin_at
  %now_have = call i64 %begin()
  br label %count_parts
count_parts:
  %all = phi i64 [%have, %mine], [%now_have, %more]
  %fewer = icmp slt i64 %all, %wanted
  %workers = select i1 %fewer, i64 %all, i64 %wanted
  %threads = add i64 %workers, 1
  %most = mul i64 %threads, {PARTS}
{w('pool', PIECE, 'piece_at')}  %piece = load i64, ptr %piece_at
  %worth = sdiv i64 %work, %piece
  %less = icmp slt i64 %worth, %most
  %p1 = select i1 %less, i64 %worth, i64 %most
  %scarce = icmp slt i64 %count, %p1
  %p2 = select i1 %scarce, i64 %count, i64 %p1
  %single = icmp slt i64 %p2, 2
  %nobody = icmp slt i64 %workers, 1
  %not = or i1 %single, %nobody
  br i1 %not, label %leave_it, label %prepare
leave_it:
  call void @dad_give(ptr %pool)
  br label %alone
alone:
  %refused = call i1 %body(ptr %ctx, ptr %env, i64 0, i64 %count)
  ret i1 %refused
prepare:
  %up = add i64 %count, %p2
  %up1 = sub i64 %up, 1
  %grain = udiv i64 %up1, %p2
  %cover = add i64 %count, %grain
  %cover1 = sub i64 %cover, 1
  %pieces = udiv i64 %cover1, %grain
  %others = sub i64 %pieces, 1
  %enough = icmp slt i64 %others, %workers
  %need = select i1 %enough, i64 %others, i64 %workers
{w('pool', NEXT, 'next_at')}{w('pool', FIRST, 'first_at')}{w('pool', LEFT, 'left_at')}{w('pool', BODY, 'body_at')}\
{w('pool', ENV, 'env_at')}{w('pool', COUNT, 'count_at')}{w('pool', GRAIN, 'grain_at')}{w('pool', DEEP, 'deep_at')}\
{w('pool', HALT, 'halt_at')}{w('pool', RELEASE, 'release_at')}{w('pool', ACQUIRE, 'acquire_at')}\
{w('pool', DONE, 'done_at')}{w('pool', WORKERS, 'them')}{context('depth_at', DEPTH)}{context('stop_at', STOP)}\
{context('failed_at', FAILED)}  %depth = load i64, ptr %depth_at
  store i64 %depth, ptr %deep_at
  store ptr %body, ptr %body_at
  store ptr %env, ptr %env_at
  store i64 %count, ptr %count_at
  store i64 %grain, ptr %grain_at
  store i64 0, ptr %halt_at
  store i64 0, ptr %next_at
  store i64 -1, ptr %first_at
  store i64 %need, ptr %left_at
  %release = load ptr, ptr %release_at
  br label %call
call:
  %k = phi i64 [0, %prepare], [%k1, %called]
  %place = mul i64 %k, {EACH}
  %it = getelementptr i64, ptr %them, i64 %place
{w('it', FAILED_AT, 'its_failed')}{w('it', CONTEXT, 'its_context')}{w('it', LOCK, 'its_lock')}\
  store i64 -1, ptr %its_failed
  %c = load ptr, ptr %its_context
{context('c_stop', STOP, 'c')}  store i64 0, ptr %c_stop
  %old = atomicrmw xchg ptr %it, i64 {CALLED} seq_cst
  %slept = icmp eq i64 %old, {ASLEEP}
  br i1 %slept, label %wake, label %called
wake:
  %lock = load ptr, ptr %its_lock
  call void %release(ptr %lock)
  br label %called
called:
  %k1 = add i64 %k, 1
  %another = icmp slt i64 %k1, %need
  br i1 %another, label %call, label %take
take:
{part('join', 'mine_failed')}
mine_failed:
  %before = atomicrmw umin ptr %first_at, i64 %lo seq_cst
  %stopped = load volatile i64, ptr %stop_at
  %is_stopped = icmp ne i64 %stopped, 0
  br i1 %is_stopped, label %halt, label %join
halt:
  store atomic i64 1, ptr %halt_at seq_cst, align 8
  br label %tell
tell:
  %t = phi i64 [0, %halt], [%t1, %tell]
  %t_place = mul i64 %t, {EACH}
  %t_it = getelementptr i64, ptr %them, i64 %t_place
{w('t_it', CONTEXT, 't_context')}  %tc = load ptr, ptr %t_context
{context('tc_stop', STOP, 'tc')}  store volatile i64 1, ptr %tc_stop
  %t1 = add i64 %t, 1
  %t_more = icmp slt i64 %t1, %need
  br i1 %t_more, label %tell, label %join
join:
  %at_once = call i1 @becomes(ptr %left_at, i64 0)
  br i1 %at_once, label %joined, label %sleep
sleep:
  %flagged = atomicrmw or ptr %left_at, i64 {WAITING} seq_cst
  %rest = and i64 %flagged, {WAITING - 1}
  %finished = icmp eq i64 %rest, 0
  br i1 %finished, label %joined, label %wait
wait:
  %acquire = load ptr, ptr %acquire_at
  %done = load ptr, ptr %done_at
  %got = call i32 %acquire(ptr %done, i64 {PATIENCE}, i32 0)
  %woken = icmp eq i32 %got, 1
  br i1 %woken, label %joined, label %lost_them
lost_them:
  %still = load atomic i64, ptr %left_at seq_cst, align 8
  %gone = icmp eq i64 %still, 0
  br i1 %gone, label %joined, label %ask_first
ask_first:
  %stopping = load volatile i64, ptr %stop_at
  %known = icmp ne i64 %stopping, 0
  br i1 %known, label %wait, label %ask
ask:
  %leave = call i1 @poll(ptr %ctx)
  br i1 %leave, label %halt, label %wait
joined:
  %large_at = getelementptr i8, ptr %ctx, i64 {LARGE}
  br label %look
look:
  %j = phi i64 [0, %joined], [%j1, %looked]
  %from = phi ptr [null, %joined], [%that, %looked]
  %j_place = mul i64 %j, {EACH}
  %j_it = getelementptr i64, ptr %them, i64 %j_place
{w('j_it', CONTEXT, 'j_context')}{w('j_it', FAILED_AT, 'j_failed_at')}  %jc = load ptr, ptr %j_context
{context('j_large_at', LARGE, 'jc')}  %j_large = load i64, ptr %j_large_at
  %is_large = icmp ne i64 %j_large, 0
  br i1 %is_large, label %large, label %not_large
large:
  store i64 1, ptr %large_at
  br label %not_large
not_large:
  %j_failed = load i64, ptr %j_failed_at
  %last_first = load atomic i64, ptr %first_at seq_cst, align 8
  %is_it = icmp eq i64 %j_failed, %last_first
  %bad = icmp ne i64 %last_first, -1
  %it_is = and i1 %is_it, %bad
  %that = select i1 %it_is, ptr %jc, ptr %from
  br label %looked
looked:
  %j1 = add i64 %j, 1
  %j_more = icmp slt i64 %j1, %need
  br i1 %j_more, label %look, label %decide
decide:
  %halted = load i64, ptr %halt_at
  call void @dad_give(ptr %pool)
  %to_stop = icmp ne i64 %halted, 0
  br i1 %to_stop, label %stop, label %whose
whose:
  %theirs = icmp ne ptr %that, null
  br i1 %theirs, label %copy, label %is_mine
copy:
{copied}{context('said_from', VALUES, 'that')}{context('said_to', VALUES)}  br label %say
say:
  %said = phi i64 [0, %copy], [%said1, %say]
  %one_from = getelementptr i64, ptr %said_from, i64 %said
  %one_to = getelementptr i64, ptr %said_to, i64 %said
  %one_said = load i64, ptr %one_from
  store i64 %one_said, ptr %one_to
  %said1 = add i64 %said, 1
  %say_more = icmp slt i64 %said1, {MOST_VALUES}
  br i1 %say_more, label %say, label %copied
copied:
  ret i1 true
is_mine:
  %nothing = icmp eq i64 %last_first, -1
  %any = xor i1 %nothing, true
  ret i1 %any
stop:
  store i64 1, ptr %stop_at
  store i64 -1, ptr %failed_at
  ret i1 true
}}
"""


def work() -> str:
    return f"""
define void @dad_work(ptr %me) nounwind {{
entry:
  %here = alloca i64, align 8
{w('me', OWNER, 'pool_at')}{w('me', CONTEXT, 'context_at')}{w('me', LOCK, 'lock_at')}{w('me', FAILED_AT, 'mine')}\
  %pool = load ptr, ptr %pool_at
  %ctx = load ptr, ptr %context_at
  %lock = load ptr, ptr %lock_at
{w('pool', ROOM, 'room_at')}  %room = load i64, ptr %room_at
  %top = ptrtoint ptr %here to i64
  %lowest = sub i64 %top, %room
{context('stack_at', STACK)}  store i64 %lowest, ptr %stack_at
{w('pool', ACQUIRE, 'acquire_at')}{w('pool', RELEASE, 'release_at')}{w('pool', DONE, 'done_at')}\
{w('pool', NEXT, 'next_at')}{w('pool', FIRST, 'first_at')}{w('pool', LEFT, 'left_at')}{w('pool', BODY, 'body_at')}\
{w('pool', ENV, 'env_at')}{w('pool', COUNT, 'count_at')}{w('pool', GRAIN, 'grain_at')}{w('pool', DEEP, 'deep_at')}\
{w('pool', HALT, 'halt_at')}{context('start_at', START)}{context('top_at', TOP)}{context('depth_at', DEPTH)}\
{context('failed_at', FAILED)}{context('slot_at', SLOT)}{context('polled_at', POLLED)}{context('fuel_at', FUEL)}\
  %acquire = load ptr, ptr %acquire_at
  %release = load ptr, ptr %release_at
  br label %wait
wait:
  %soon = call i1 @becomes(ptr %me, i64 {CALLED})
  br i1 %soon, label %begin, label %tired
tired:
  %pair = cmpxchg ptr %me, i64 {IDLE}, i64 {ASLEEP} seq_cst seq_cst
  %asleep = extractvalue {{i64, i1}} %pair, 1
  br i1 %asleep, label %sleep, label %wait
sleep:
  %got = call i32 %acquire(ptr %lock, i64 -1, i32 0)
  %now = load atomic i64, ptr %me seq_cst, align 8
  %called = icmp eq i64 %now, {CALLED}
  br i1 %called, label %begin, label %sleep
begin:
  %start = load i64, ptr %start_at
  store i64 %start, ptr %top_at
  %depth = load i64, ptr %deep_at
  store i64 %depth, ptr %depth_at
  store i64 0, ptr %failed_at
  store i64 0, ptr %slot_at
  store i64 0, ptr %polled_at
  store i64 {BUDGET}, ptr %fuel_at
  %body = load ptr, ptr %body_at
  %env = load ptr, ptr %env_at
  %count = load i64, ptr %count_at
  %grain = load i64, ptr %grain_at
  br label %take
take:
  %halt = load atomic i64, ptr %halt_at seq_cst, align 8
  %go = icmp eq i64 %halt, 0
  br i1 %go, label %next, label %done
next:
{part('done', 'bad')}
bad:
  %before = atomicrmw umin ptr %first_at, i64 %lo seq_cst
  store i64 %lo, ptr %mine
  br label %done
done:
  %finished = load ptr, ptr %done_at
  store atomic i64 {IDLE}, ptr %me seq_cst, align 8
  %left = atomicrmw sub ptr %left_at, i64 1 seq_cst
  %last = icmp eq i64 %left, {WAITING + 1}
  br i1 %last, label %tell, label %wait
tell:
  call void %release(ptr %finished)
  br label %wait
}}
"""
