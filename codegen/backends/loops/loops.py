"""Sequential loops: where their state lies from iteration to iteration.

An array of the state that the body updates in place has one buffer. Another has two: the body reads the one and writes
its next value into the other, and they change places. Arrays that change their size are copied at the end of each
iteration into blocks that grow; one that only grows at its end lies in its block all the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ....lang.core import ir
from ....lang.core.ir import Atom, Block, Stmt, Var
from ....lang.core.walk import free_vars
from . import tree
from .emitter import elements, small
from .tree import Code, Imm, Operand, Reg
from .values import ONE, ZERO, Dest, Stored

if TYPE_CHECKING:
    from .lower import Lowering


@dataclass
class State:
    """One array of the state: its registers in an iteration, and how its next value gets there."""

    param: Var
    kind: str  # "same", "place", "swap", "ragged", "grown", "elements"
    now: Reg
    other: Reg | None = None
    sizes: tuple[Operand, ...] = ()
    slot: int = 0
    elements: tuple[Reg, ...] = ()
    shared: bool = False
    """Whether its block is that of a loop around."""


def loop(lo: Lowering, stmt: Stmt, op: ir.Loop) -> None:
    e = lo.e
    count = None if op.count is None else lo.scalar(op.count)
    index = e.reg("i64")
    lo.env[op.index] = index
    free = frozenset(free_vars(op.body, op.params) | (
        free_vars(op.cond.body, op.cond.params) if op.cond is not None else {}))

    carried: list[Reg] = []
    init: list[Operand] = []
    states: list[State | None] = []
    for param, var, start, result in zip(op.params, stmt.vars, op.init, op.body.results, strict=False):
        if param.type.rank == 0:
            reg = e.reg(param.type.dtype)
            carried.append(reg)
            init.append(lo.scalar(start))
            lo.env[param] = reg
            states.append(None)
        else:
            states.append(_state(lo, op, param, var, start, result, carried, init, free))

    stacks = [_stack(lo, op, k, var, count)
              for k, var in enumerate(stmt.vars[len(op.params):len(op.params) + len(op.collect_shapes)])]
    done = index
    if count is None:
        carried.append(index)
        init.append(ZERO)

    test: Code = []
    cond: Operand = Imm(True, "bool")
    if op.cond is not None:
        assert len(op.cond.params) == len(op.params)
        with e.block() as test:
            _measure(lo, states)
            _unpacked(lo, states)
            for p, q in zip(op.cond.params, op.params, strict=True):
                lo.env[p] = lo.env[q]
                if p.type.rank:
                    lo.memory.bind(p, lo.memory.buffers(q), repeating=True)
            lo.block(op.cond.body, free)
            cond = lo.scalar(op.cond.body.results[0])

    with e.block() as body:
        _measure(lo, states)
        if op.cond is None:
            _unpacked(lo, states)
        _body(lo, op, states, stacks, done, free)
        following: list[Operand] = []
        inside = [s for s in states if s is not None]
        results = op.body.results[:len(op.params)]
        _deliver(lo, inside, [a for a in results if a.type.rank], following)
        scalars = [lo.scalar(a) for a in results if a.type.rank == 0]
        following = _in_order(op, states, scalars, following)
        if count is None:
            following.append(e.plus(done, ONE))
    outs = tuple(e.like(r) for r in carried)
    wrapped = lo.scoped(body)
    if count is None:
        e.add(tree.While(tuple(carried), tuple(init), lo.scoped(test), cond, wrapped, tuple(following), outs))
    else:
        e.add(tree.For(index, count, tuple(carried), tuple(init), wrapped, tuple(following), outs))
    _results(lo, stmt, op, states, carried, outs, stacks, e.at_least_zero(count) if count is not None else outs[-1])


def _state(lo: Lowering, op: ir.Loop, param: Var, var: Var, start: Atom, result: Atom, carried: list[Reg],
           init: list[Operand], free: frozenset[Var]) -> State:
    e = lo.e
    dtype = param.type.dtype
    if result == param:
        held = lo.cheap(start)
        lo.env[param] = held
        lo.memory.bind(param, lo.memory.buffers(start), repeating=True)
        return State(param, "same", Reg(0, dtype, True))
    if op.ragged and grows(lo, op.body, result, param):
        return _grown(lo, param, start, carried, init)
    if op.ragged and not in_place(op.body, result, param):
        held = e.contiguous(lo.array(start))
        now = e.reg(dtype, pointer=True)
        sizes = tuple(e.reg("i64") for _ in range(param.type.rank))
        slot, lo.slots = lo.slots, lo.slots + 2
        parity = e.reg("i64")
        carried += [now, *sizes, parity]
        init += [held.base, *held.shape, ZERO]
        lo.memory.bind(param, frozenset({lo.memory.new(owned=False)}))
        return State(param, "ragged", now, parity, sizes, slot)
    row = _added(lo, op.body, result, param)
    kind = "place" if row is not None or in_place(op.body, result, param) else "swap"
    value = lo.array(start)
    if kind == "swap" and small(value.shape):
        room = e.alloc(dtype, value.shape)
        regs = tuple(e.reg(dtype) for _ in range(elements(value.shape)))
        carried += regs
        init += e.elements(value, value.shape)
        lo.env[param] = room
        lo.memory.bind(param, frozenset({lo.memory.new(owned=True)}))
        return State(param, "elements", room.base, sizes=room.shape, elements=regs)
    if isinstance(value, Stored) and value.packed and _gone(lo, op, param, start, free):
        mine = value
    else:
        dest = lo.place.get(var) if kind == "place" and not small(value.shape) else None
        mine = e.alloc(dtype, value.shape) if dest is None else dest
        e.store(value, mine)
    now, other = mine.base, None
    if kind == "swap":
        now = e.reg(dtype, pointer=True)
        carried.append(now)
        init.append(mine.base)
        other = e.reg(dtype, pointer=True)
        carried.append(other)
        init.append(e.alloc(dtype, mine.shape).base)
    held = Stored(now, mine.shape, mine.strides, True)
    lo.env[param] = held
    if row is not None:
        assert isinstance(result, Var)
        lo.totals[result] = (param, row)
        made = next((s for s in op.body.stmts if row in s.vars), None)
        if made is not None and isinstance(row, Var) and lo.by_rows(row, made):
            lo.adding[row] = held
    lo.memory.bind(param, frozenset({lo.memory.new(owned=True)}))
    return State(param, kind, now, other, mine.shape)


def _gone(lo: Lowering, op: ir.Loop, param: Var, start: Atom, free: frozenset[Var]) -> bool:
    """Whether nobody but this state reads `start` from here on: no other state, nor the body by itself."""
    others = [a for p, a in zip(op.params, op.init, strict=True) if p != param]
    mine = lo.memory.buffers(start)
    return lo.memory.writable(start) and not any(mine & lo.memory.buffers(a) for a in (*others, *free))


def grows(lo: Lowering, block: Block, result: Atom, param: Var) -> bool:
    """Whether `result` is `param` with more behind it, or its first part, some of its places changed; nobody else reads
    `param` after that."""
    from .lower import UPDATES

    made = {var: k for k, stmt in enumerate(block.stmts) for var in stmt.vars}
    shorter = False
    while isinstance(result, Var) and result in made:
        stmt = block.stmts[made[result]]
        match stmt.op:
            case ir.Prim(name=name, args=args) if name in UPDATES:
                result = args[0]
            case ir.Prim(name="slice", args=(x, ir.Const(0), _, ir.Const(1))) if stmt.op.attr("axis") == 0:
                shorter, result = True, x
            case ir.Prim(name="concat", args=(first, *rest)) if first == param and param not in rest:
                before = block.stmts[:made[result]]
                if 1 + sum(_number(s.op, param) for s in before) != lo.uses.counts.get(param):
                    return False
                lo.growing.add(result)
                return True
            case ir.Loop(params=params, init=starts, body=body, ragged=True):
                k = stmt.vars.index(result)
                return k < len(params) and starts[k] == param and lo.uses.counts.get(param) == 1 and \
                    grows(lo, body, body.results[k], params[k])
            case _:
                return False
    return shorter and result == param


def _number(op: ir.Op, array: Var) -> bool:
    """Whether it reads the array once, for a number."""
    return isinstance(op, ir.Prim) and op.args.count(array) == 1 and op.name in ("index", "sum", "maximum", "minimum") \
        and len(op.args) == (1 if op.name != "index" else 1 + array.type.rank)


def _grown(lo: Lowering, param: Var, start: Atom, carried: list[Reg], init: list[Operand]) -> State:
    e = lo.e
    held = e.contiguous(lo.array(start))
    now, size = e.reg(held.dtype, pointer=True), e.reg("i64")
    slot = lo.block_of.get(held.base.id)
    shared = slot is not None and isinstance(start, Var) and lo.uses.counts.get(start) == 1
    first = held.base
    if slot is None or not shared:
        slot, lo.slots = lo.slots, lo.slots + 1
        first, count = e.reg(held.dtype, pointer=True), e.product(held.shape)
        e.add(tree.Resize(first, Imm(slot, "i64"), count))
        e.add(tree.Copy(first, held.base, count))
    carried += [now, size]
    init += [first, held.shape[0]]
    sizes = (size, *held.shape[1:])
    lo.block_of[now.id] = slot
    lo.env[param] = e.packed(now, sizes)
    lo.memory.bind(param, frozenset({lo.memory.new(owned=True)}))
    return State(param, "grown", now, sizes=sizes, slot=slot, shared=shared)


def _added(lo: Lowering, block: Block, result: Atom, param: Var) -> Atom | None:
    """The array that is added to `param`, all of it, where that is all that happens to it."""
    made = next((s.op for s in block.stmts if result in s.vars), None)
    match made:
        case ir.Prim(name="add", args=(x, y)) if param in (x, y) and lo.uses.counts.get(param) == 1:
            row = y if x == param else x
            return row if row.type.rank else None
    return None


def _measure(lo: Lowering, states: Sequence[State | None]) -> None:
    """Arrays whose sizes differ from iteration to iteration: strides are computed in each."""
    for state in states:
        if state is not None and state.kind == "ragged":
            lo.env[state.param] = lo.e.packed(state.now, state.sizes)


def in_place(block: Block, result: Atom, param: Var) -> bool:
    """Whether `result` is `param` with some places changed, as far as the statements say."""
    from .lower import UPDATES

    made = {var: stmt for stmt in block.stmts for var in stmt.vars}
    while isinstance(result, Var) and result != param:
        stmt = made.get(result)
        if stmt is None:
            return False
        match stmt.op:
            case ir.Prim(name=name, args=args) if name in UPDATES:
                result = args[0]
            case ir.Loop(params=params, init=init, body=body):
                k = stmt.vars.index(result)
                if k >= len(params) or not in_place(body, body.results[k], params[k]):
                    return False
                result = init[k]
            case ir.If(_, then, orelse):
                k = stmt.vars.index(result)
                return _through(block, then, then.results[k], param) and \
                    _through(block, orelse, orelse.results[k], param)
            case _:
                return False
    return result == param


def _through(outer: Block, block: Block, result: Atom, param: Var) -> bool:
    return in_place(Block((*outer.stmts, *block.stmts), block.results), result, param)


def _unpacked(lo: Lowering, states: Sequence[State | None]) -> None:
    """Small arrays of the state, from registers to where the body reads them."""
    for state in states:
        if state is not None and state.kind == "elements":
            held = lo.env[state.param]
            assert isinstance(held, Stored)
            rest = iter(state.elements)
            lo.e.each(held.shape, partial(_next, lo, held, rest))


def _next(lo: Lowering, held: Stored, rest: Iterator[Operand], at: Sequence[Operand]) -> None:
    lo.e.write(held, at, next(rest))


@dataclass
class Stack:
    var_type: ir.Type
    row: tuple[Operand, ...]
    whole: Dest | None
    slot: int = 0


def _stack(lo: Lowering, op: ir.Loop, k: int, var: Var, count: Operand | None) -> Stack:
    atom = op.body.results[len(op.params) + k]
    row = tuple(lo.e.at_least_zero(lo.scalar(s)) for s in op.collect_shapes[k])
    if count is not None:
        return Stack(atom.type, row, lo.dest(var, (lo.e.at_least_zero(count), *row)))
    slot, lo.slots = lo.slots, lo.slots + 1
    return Stack(atom.type, row, None, slot)


def _body(lo: Lowering, op: ir.Loop, states: Sequence[State | None], stacks: Sequence[Stack], done: Operand,
          free: frozenset[Var]) -> None:
    e = lo.e
    rows: list[Dest] = []
    for stack in stacks:
        if stack.whole is not None:
            rows.append(Dest(e.part(stack.whole.array, [done]), stack.whole.adding))
        else:
            size = e.product(stack.row)
            base = e.reg(stack.var_type.dtype, pointer=True)
            e.add(tree.Resize(base, Imm(stack.slot, "i64"), e.times(e.plus(done, ONE), size)))
            rows.append(Dest(e.packed(e.shift(base, e.times(done, size)), stack.row)))
    dests: list[Dest | None] = []
    for state in states:
        if state is not None and state.kind == "swap":
            assert state.other is not None
            dests.append(Dest(e.packed(state.other, state.sizes)))
        else:
            dests.append(None)
    lo.into(op.body, [*dests, *rows], free)


def _deliver(lo: Lowering, states: Sequence[State], results: Sequence[Atom], following: list[Operand]) -> None:
    """The next registers of array states; what must be copied is copied when all has been computed."""
    e = lo.e
    late: list[tuple[Stored, Stored]] = []
    for state, atom in zip(states, results, strict=True):
        match state.kind:
            case "swap":
                assert state.other is not None
                following += [state.other, state.now]
            case "place":
                value = lo.array(atom)
                dest = e.packed(state.now, state.sizes)
                if not (isinstance(value, Stored) and value.base is state.now):
                    late.append((e.contiguous(value), dest))
            case "ragged":
                value = e.contiguous(lo.array(atom))
                assert state.other is not None
                target = e.reg(value.dtype, pointer=True)
                slot = e.plus(Imm(state.slot, "i64"), state.other)
                size = e.product(value.shape)
                e.add(tree.Resize(target, slot, size))
                e.add(tree.Copy(target, value.base, size))
                following += [target, *value.shape, e.minus(ONE, state.other)]
            case "grown":
                held = e.contiguous(lo.array(atom))
                if lo.block_of.get(held.base.id) != state.slot:
                    target, size = e.reg(held.dtype, pointer=True), e.product(held.shape)
                    e.add(tree.Resize(target, Imm(state.slot, "i64"), size))
                    e.add(tree.Copy(target, held.base, size))
                    held = e.packed(target, held.shape)
                following += [held.base, held.shape[0]]
            case "elements":
                following += e.elements(lo.array(atom), state.sizes)
            case _:
                pass
    for value, dest in late:
        e.store(value, dest)


def _in_order(op: ir.Loop, states: Sequence[State | None], scalars: list[Operand], arrays: list[Operand]
              ) -> list[Operand]:
    out: list[Operand] = []
    at = 0
    rest = iter(scalars)
    for state in states:
        if state is None:
            out.append(next(rest))
        else:
            width = _width(state)
            out += arrays[at:at + width]
            at += width
    return out


def _width(state: State) -> int:
    match state.kind:
        case "same" | "place":
            return 0
        case "swap" | "grown":
            return 2
        case "elements":
            return len(state.elements)
        case _:
            return 2 + len(state.sizes)


def _results(lo: Lowering, stmt: Stmt, op: ir.Loop, states: Sequence[State | None], carried: Sequence[Reg],
             outs: Sequence[Reg], stacks: Sequence[Stack], count: Operand) -> None:
    e = lo.e
    at = 0
    for var, state in zip(stmt.vars, states, strict=False):
        if state is None:
            lo.env[var] = outs[at]
            at += 1
        elif state.kind == "same":
            lo.env[var] = lo.env[state.param]
            lo.memory.bind(var, lo.memory.buffers(state.param), repeating=True)
        elif state.kind == "ragged":
            sizes = tuple(outs[at + 1:at + 1 + len(state.sizes)])
            out = e.packed(outs[at], sizes)
            e.store(out, lo.fresh(var, sizes))
            at += _width(state)
        elif state.kind == "grown":
            out = e.packed(outs[at], (outs[at + 1], *state.sizes[1:]))
            if state.shared:
                lo.block_of[out.base.id] = state.slot
                lo.set(var, out)
            else:
                e.store(out, lo.fresh(var, out.shape))
            at += 2
        elif state.kind == "elements":
            lo.set(var, e.held(var.type.dtype, state.sizes, outs[at:at + _width(state)]))
            at += _width(state)
        else:
            base = outs[at] if state.kind == "swap" else state.now
            lo.env[var] = e.packed(base, state.sizes)
            lo.memory.bind(var, lo.memory.buffers(state.param))
            at += _width(state)
    for stack, var in zip(stacks, stmt.vars[len(states):], strict=False):
        if stack.whole is not None:
            lo.set(var, stack.whole.array)
        else:
            base = e.reg(stack.var_type.dtype, pointer=True)
            size = e.product((count, *stack.row))
            e.add(tree.Resize(base, Imm(stack.slot, "i64"), size))
            e.store(e.packed(base, (count, *stack.row)), lo.fresh(var, (count, *stack.row)))
    if op.count is None:
        lo.set(stmt.vars[-1], outs[-1])
