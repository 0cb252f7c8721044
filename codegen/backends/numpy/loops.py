"""Sequential loops, and maps that could not become array code, as Python loops.

State lives in one Python variable a parameter. An array state that the body updates in place belongs to the loop
alone: its start value is copied once before the loop unless nobody else reads it, and where a next state is shared
with something that is still read, it is copied at the end of the body.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....lang.core import ir
from ....lang.core.ir import Stmt, Var
from ....lang.core.walk import free_vars
from .expressions import dtype
from .memory import Buffers
from .syntax import assign, assign_place, call, const, list_, method, name, subscript, tuple_

if TYPE_CHECKING:
    from .functions import Emitter


def emit_loop(e: Emitter, stmt: Stmt, op: ir.Loop) -> None:
    """`for` and `while`, with their state and the rows they collect."""
    memory, width = e.memory, len(op.params)
    outside = frozenset(free_vars(op.body, (op.index, *op.params)))
    if op.cond is not None:
        outside |= frozenset(free_vars(op.cond.body, op.cond.params))
    count = None if op.count is None else e.named(op.count)
    shapes = [[e.named(size) for size in shape] for shape in op.collect_shapes]
    alone = [_alone(e, op, k, outside) for k in range(width)]
    given = [memory.buffers(a) for a in op.init]
    starts = [e.typed(a) for a in op.init]
    e.settle_all()

    counter = e.names.new(op.index.name if op.cond is None else stmt.vars[-1].name)
    e.env[op.index] = name(counter)
    e.small.add(op.index)
    params = [e.names.new(p.name) for p in op.params]
    own = [memory.new(owned=True) for _ in params]
    for param, python, buffer in zip(op.params, params, own, strict=True):
        e.env[param] = name(python)
        memory.bind(param, frozenset({buffer}))
    stacks = [e.names.new(v.name) for v in stmt.vars[width : width + len(op.collect_shapes)]]

    body = e.inner(op.body, outside)
    written, ends = _end_of_body(e, op, params, own, stacks, counter, body)
    memory.frames.pop()
    for k, (python, start) in enumerate(zip(params, starts, strict=True)):
        e.out.append(assign(python, method(start, "copy") if k in written and not alone[k] else start))
        if k in written and alone[k]:
            memory.written |= given[k]
    rows = op.body.results[width:]
    if op.cond is None:
        assert count is not None
        assert op.count is not None
        for stack, shape, row in zip(stacks, shapes, rows, strict=True):
            length = count if e.is_length(op.count) else call("max", count, const(0))
            e.out.append(assign(stack, call("np.empty", tuple_([length, *shape]), dtype(row.type.dtype))))
        e.out.append(ast.For(ast.Name(counter, ast.Store()), call("range", count), body or [ast.Pass()], [], lineno=0))
    else:
        counted = bool(e.uses[op.index] or e.uses[stmt.vars[-1]])
        if counted:
            e.out.append(assign(counter, const(0)))
            body.append(ast.AugAssign(ast.Name(counter, ast.Store()), ast.Add(), const(1)))
        e.out.extend(assign(stack, list_([])) for stack in stacks)
        e.out.append(_while(e, op.cond, params, own, outside, body))
        for stack, shape, row in zip(stacks, shapes, rows, strict=True):
            e.out.append(assign(stack, call("stacked_rows", name(stack), tuple_(shape), dtype(row.type.dtype))))

    everything: Buffers = frozenset().union(*given, *(b for b in ends)) - frozenset(own)
    repeating = any(isinstance(a, Var) and a in memory.repeating for a in (*op.init, *op.body.results[:width]))
    for k, (var, python) in enumerate(zip(stmt.vars, params, strict=False)):
        e.env[var] = name(python)
        if k in written:
            memory.fresh(var)
        else:
            memory.bind(var, everything | {memory.new(owned=True)}, repeating=repeating)
    for var, stack in zip(stmt.vars[width:], stacks, strict=False):
        e.env[var] = name(stack)
        memory.fresh(var)
    if op.cond is not None:
        e.env[stmt.vars[-1]] = name(counter)
        e.small.add(stmt.vars[-1])


def _alone(e: Emitter, op: ir.Loop, k: int, outside: frozenset[Var]) -> bool:
    """Whether the loop may have the start value of state `k` for itself without a copy."""
    start = op.init[k]
    if not isinstance(start, Var) or start.type.rank == 0:
        return False
    mine = e.memory.buffers(start)
    if any(mine & e.memory.buffers(other) for j, other in enumerate(op.init) if j != k):
        return False
    return e.memory.writable(start) and not any(mine & e.memory.buffers(v) for v in outside)


def _end_of_body(
    e: Emitter, op: ir.Loop, params: list[str], own: list[int], stacks: list[str], counter: str, body: list[ast.stmt]
) -> tuple[set[int], list[Buffers]]:
    """Writes collected rows and the next state. Returns which states are updated in place, and the buffers of each
    next state.
    """
    memory, width = e.memory, len(params)
    states, rows = op.body.results[:width], op.body.results[width:]
    ends = [memory.buffers(a) for a in states]
    written = {k for k in range(width) if own[k] in memory.written}
    while True:
        # What becomes a state that is written must itself be the loop's own.
        more = written | {j for j in range(width) for k in written if own[j] in ends[k]}
        if more == written:
            break
        written = more
    outer, e.out = e.out, body
    for stack, row in zip(stacks, rows, strict=True):
        tree = e.typed(row) if op.cond is not None else e.use(row)
        if op.cond is None:
            e.out.append(assign_place(subscript(name(stack), [name(counter)]), tree))
        else:
            e.out.append(ast.Expr(method(name(stack), "append", method(tree, "copy") if row.type.rank else tree)))
    pairs: list[tuple[str, ast.expr]] = []
    for k, (python, atom) in enumerate(zip(params, states, strict=True)):
        tree = e.typed(atom)
        if isinstance(tree, ast.Name) and tree.id == python:
            continue
        private = memory.writable(atom) and not any(ends[k] & ends[j] for j in range(width) if j != k)
        pairs.append((python, method(tree, "copy") if k in written and not private else tree))
    e.settle_all()
    e.out.extend(_assigned(pairs))
    e.out = outer
    return written, ends


def _assigned(pairs: Sequence[tuple[str, ast.expr]]) -> list[ast.stmt]:
    """All targets get their values at once; one after the other where no value reads an earlier target."""
    for k, (_, tree) in enumerate(pairs):
        earlier = {target for target, _ in pairs[:k]}
        if any(isinstance(node, ast.Name) and node.id in earlier for node in ast.walk(tree)):
            stores: list[ast.expr] = [ast.Name(target, ast.Store()) for target, _ in pairs]
            return [ast.Assign([ast.Tuple(stores, ast.Store())], tuple_([t for _, t in pairs]), lineno=0)]
    return [assign(target, tree) for target, tree in pairs]


def _while(
    e: Emitter, cond: ir.Lambda, params: list[str], own: list[int], outside: frozenset[Var], body: list[ast.stmt]
) -> ast.stmt:
    for param, python, buffer in zip(cond.params, params, own, strict=True):
        e.env[param] = name(python)
        e.memory.bind(param, frozenset({buffer}))
    head = e.inner(cond.body, outside | frozenset(cond.params))
    outer, e.out = e.out, head
    test = e.use(cond.body.results[0])
    e.settle_all()
    e.out = outer
    e.memory.frames.pop()
    if not head:
        return ast.While(test, body or [ast.Pass()], [])
    leave = ast.If(ast.UnaryOp(ast.Not(), test), [ast.Break()], [])
    return ast.While(ast.Constant(True), [*head, leave, *body], [])


def emit_map(e: Emitter, stmt: Stmt, op: ir.Map) -> None:
    """One element after the other, each result into its place."""
    memory = e.memory
    outside = frozenset(free_vars(op.body.body, op.body.params))
    arrays = [e.named(a) for a in op.arrays]
    shapes = [[e.named(size) for size in shape] for shape in op.shapes]
    e.settle_all()
    length, index = e.names.new("n"), e.names.new("i")
    e.out.append(assign(length, subscript(ast.Attribute(arrays[0], "shape", ast.Load()), [const(0)])))
    results = [e.names.new(v.name) for v in stmt.vars]
    for python, shape, var in zip(results, shapes, stmt.vars, strict=True):
        if shape:
            e.out.append(assign(python, list_([])))
        else:
            e.out.append(assign(python, call("np.empty", name(length), dtype(var.type.dtype))))
    body: list[ast.stmt] = []
    for param, array, atom in zip(op.body.params, arrays, op.arrays, strict=True):
        python = e.names.new(param.name)
        body.append(assign(python, subscript(array, [name(index)])))
        e.env[param] = name(python)
        memory.view(param, atom)
    made = e.inner(op.body.body, outside)
    outer, e.out = e.out, made
    for python, atom in zip(results, op.body.body.results, strict=True):
        if atom.type.rank:
            e.out.append(ast.Expr(method(name(python), "append", method(e.use(atom), "copy"))))
        else:
            e.out.append(assign_place(subscript(name(python), [name(index)]), e.use(atom)))
    e.settle_all()
    memory.frames.pop()
    e.out = outer
    e.out.append(ast.For(ast.Name(index, ast.Store()), call("range", name(length)), [*body, *made], [], lineno=0))
    for var, python, shape in zip(stmt.vars, results, shapes, strict=True):
        if shape:
            e.out.append(assign(python, call("stacked_rows", name(python), tuple_(shape), dtype(var.type.dtype))))
        e.env[var] = name(python)
        memory.fresh(var)
