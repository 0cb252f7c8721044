"""What only one arm of an `if` reads is computed in that arm.

People name things before they choose between them: `let low = e / (2 - x / e) in if x >= e then x else low`. What an
arm that is not taken would have read contributes nothing, to value or derivative, so it is looked at where it is read:
with the condition known, and only there. Comes in: a program. Goes out: the same with statements moved into arms, whose
checks, if any, are then asked for at fewer points.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..lang.core import ir
from ..lang.core.walk import atoms, free_in_op, free_of

FIXED = ("check", "promise", "demand", "assert")
"""Primitives whose names begin so stay: they say something of what comes behind."""


def sunk(program: ir.Program) -> ir.Program:
    """The program with every function's statements in the arms that alone read them."""
    functions = {}
    for name, f in program.functions.items():
        body = block(f.body)
        functions[name] = f if body is f.body else replace(f, body=body)
    return ir.Program(functions)


def block(given: ir.Block) -> ir.Block:
    stmts = list(given.stmts)
    arms: dict[tuple[int, int], list[int]] = {}
    if any(isinstance(s.op, ir.If) for s in stmts) and not any(excused(s) for s in stmts):
        arms = moves(given)
    gone = {k for moved in arms.values() for k in moved}
    out: list[ir.Stmt] = []
    changed = bool(gone)
    for k, stmt in enumerate(stmts):
        if k in gone:
            continue
        op = stmt.op
        if isinstance(op, ir.If):
            parts = []
            for side, arm in enumerate((op.then, op.orelse)):
                moved = arms.get((k, side), [])
                parts.append(block(ir.Block((*[stmts[i] for i in moved], *arm.stmts), arm.results) if moved else arm))
            if parts[0] is not op.then or parts[1] is not op.orelse:
                op = ir.If(op.cond, parts[0], parts[1])
        else:
            op = inner(op, block)
        if op is not stmt.op:
            stmt = ir.Stmt(stmt.vars, op, stmt.span)
            changed = True
        out.append(stmt)
    return ir.Block(tuple(out), given.results) if changed else given


def inner(op: ir.Op, of: Callable[[ir.Block], ir.Block]) -> ir.Op:
    """The operation with its nested block treated likewise."""
    match op:
        case ir.Map() | ir.Reduce() | ir.Scan():
            body = of(op.body.body)
            return op if body is op.body.body else replace(op, body=ir.Lambda(op.body.params, body))
        case ir.Loop():
            body = of(op.body)
            return op if body is op.body else replace(op, body=body)
        case _:
            return op


def excused(stmt: ir.Stmt) -> bool:
    """Whether it is a promise that speaks of statements before it: these stay together."""
    return isinstance(stmt.op, ir.Prim) and stmt.op.name == "promise" \
        and dict(stmt.op.attrs).get("kind") in ("approx", "allow")


def moves(given: ir.Block) -> dict[tuple[int, int], list[int]]:
    """To each arm, by the number of its `if` and 0 or 1, the statements that go there, in order.

    From the last statement to the first: where all its readers are, directly or as statements that go there.
    """
    stmts = given.stmts
    top = (-1, 0)
    readers: dict[ir.Var, set[tuple[int, int]]] = {r: {top} for r in given.results if isinstance(r, ir.Var)}
    found: dict[tuple[int, int], list[int]] = {}
    for k in range(len(stmts) - 1, -1, -1):
        stmt = stmts[k]
        places: set[tuple[int, int]] = set()
        for v in stmt.vars:
            places |= readers.get(v, set())
        here = top
        if len(places) == 1 and top not in places and movable(stmt.op):
            here = places.pop()
            found.setdefault(here, []).insert(0, k)
        if isinstance(stmt.op, ir.If) and here == top:
            for read in atoms(stmt.op):
                if isinstance(read, ir.Var):
                    readers.setdefault(read, set()).add(top)
            for side, arm in enumerate((stmt.op.then, stmt.op.orelse)):
                for v in free_of(arm):
                    readers.setdefault(v, set()).add((k, side))
        else:
            for v in free_in_op(stmt.op):
                readers.setdefault(v, set()).add(here)
    return found


def movable(op: ir.Op) -> bool:
    return not isinstance(op, ir.Prim) or not op.name.startswith(FIXED)
