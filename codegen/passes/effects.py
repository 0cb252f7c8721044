"""Which functions and operations can fail, and which surely end.

In: a program. Out: the names of functions that may raise a run-time error, and of those that neither fail nor might run
forever; both by propagation along calls. A statement that may fail is never dropped; one that may fail or run forever
is never run earlier than the program says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...lang.core import ir
from ...lang.core.ir import Op
from ...lang.core.walk import called, scopes, summary
from ...lang.prims import PRIMITIVES


class Effects:
    def __init__(self, program: ir.Program) -> None:
        calls = {name: called(f) for name, f in program.functions.items()}
        self.failing: set[str] = set()
        self.partial: set[str] = {name for name in calls if name in reachable(calls, calls[name])}
        """Functions that may fail or run forever: recursion and `while` count as perhaps endless."""
        for name, function in program.functions.items():
            fails, endless = _direct(function)
            missing = any(callee not in calls for callee in calls[name])
            if fails or missing:
                self.failing.add(name)
            if fails or endless or missing:
                self.partial.add(name)
        callers: dict[str, list[str]] = {name: [] for name in calls}
        for name, mentioned in calls.items():
            for callee in mentioned:
                if callee in callers:
                    callers[callee].append(name)
        for marked in (self.failing, self.partial):
            pending = list(marked)
            while pending:
                for caller in callers[pending.pop()]:
                    if caller not in marked:
                        marked.add(caller)
                        pending.append(caller)

    def refresh(self, function: ir.Function) -> None:
        """Take note of a function's new body, which may do less than the old one; its callees have been refreshed."""
        mentioned = called(function)
        fails, endless = _direct(function)
        if function.name in mentioned:
            return
        if not fails and not any(callee in self.failing for callee in mentioned):
            self.failing.discard(function.name)
        if not fails and not endless and not any(callee in self.partial for callee in mentioned):
            self.partial.discard(function.name)

    def fails(self, op: Op) -> bool:
        """Whether the operation itself, outside its blocks, may raise a run-time error."""
        match op:
            case ir.Prim(name=name):
                return PRIMITIVES[name].fails
            case ir.Call(function=function):
                return function in self.failing
            case _:
                return False

    def total(self, op: Op) -> bool:
        """Whether the operation surely ends without an error."""
        match op:
            case ir.Prim(name=name):
                return not PRIMITIVES[name].fails
            case ir.Call(function=function):
                return function not in self.partial
            case ir.Loop(count=None) | ir.Diff():
                return False
            case ir.Custom(body=body):  # its rule does not run here
                return all(self.total(stmt.op) for stmt in body.body.stmts)
            case _:
                return all(self.total(stmt.op) for _, block in scopes(op) for stmt in block.stmts)

    def harmless(self, op: Op) -> bool:
        """Whether the operation surely raises no error, blocks included."""
        if isinstance(op, ir.Custom):
            return all(self.harmless(stmt.op) for stmt in op.body.body.stmts)
        return not self.fails(op) and all(self.harmless(stmt.op) for _, block in scopes(op) for stmt in block.stmts)


def _direct(function: ir.Function) -> tuple[bool, bool]:
    """Whether a function holds a failing primitive, and whether it holds a `while`."""
    found = summary(function)
    return any(PRIMITIVES[name].fails for name in found.run), found.endless


def callees_first(calls: Mapping[str, Iterable[str]]) -> list[str]:
    """Functions in an order where callees come before callers, as far as recursion allows."""
    order: dict[str, None] = {}
    seen: set[str] = set()
    for start in calls:
        pending = [(start, False)]
        while pending:
            name, ready = pending.pop()
            if ready:
                order[name] = None
            elif name not in seen and name in calls:
                seen.add(name)
                pending.append((name, True))
                pending.extend((callee, False) for callee in calls[name])
    return list(order)


def reachable(calls: Mapping[str, Iterable[str]], start: Iterable[str]) -> dict[str, None]:
    """Functions of the program that can be called from `start`, itself included."""
    found: dict[str, None] = {}
    pending = list(start)
    while pending:
        name = pending.pop()
        if name not in found and name in calls:
            found[name] = None
            pending.extend(calls[name])
    return found
