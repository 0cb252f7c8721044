"""Inlining: calls of small functions, and of functions called from one place only, are replaced by their bodies.

In: a program and its roots. Out: an equal program, without the functions that nobody calls any more. Recursive
functions keep their calls. Callees are done before their callers, so a chain of small functions collapses in one
sweep; the growth of a function is bounded, so that sharing by functions can't blow up exponentially.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...lang.core import ir
from ...lang.core.build import Fresh
from ...lang.core.ir import Block, Stmt
from ...lang.core.part import placed
from ...lang.core.walk import Renamer, called, next_id, scopes, summary
from ...lang.source import Span
from .dead import drop_unused
from .effects import callees_first, reachable
from .substitute import Substitution

SMALL = 60  # statements, nested ones included: always inlined
GROWTH = 4000  # statements that inlining may add to one function


def inline(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    """`program` with calls of small and single-use functions expanded; `roots` stay callable."""
    program = drop_unused(program, roots)
    calls = {name: called(f) for name, f in program.functions.items()}
    if not any(calls.values()):
        return program
    recursive = {name for name in calls if name in reachable(calls, calls[name])}
    uses: dict[str, int] = {}
    for counts in calls.values():
        for name, count in counts.items():
            uses[name] = uses.get(name, 0) + count
    done: dict[str, ir.Function] = {}
    sizes: dict[str, int] = {}
    for name in callees_first(calls):
        function = program.functions[name]
        if not calls[name]:
            done[name], sizes[name] = function, summary(function).size
            continue
        expanded = _Inliner(function, done, sizes, recursive, {f for f in uses if uses[f] == 1 and f not in roots})
        done[name] = expanded.inlined()
        sizes[name] = expanded.size
    return drop_unused(ir.Program({name: done[name] for name in program.functions}), roots)


def size_of(block: Block) -> int:
    """Statements, nested ones included."""
    total = 0
    pending = [block]
    while pending:
        for stmt in pending.pop().stmts:
            total += 1
            pending.extend(inner for _, inner in scopes(stmt.op))
    return total


class _Copier(Renamer):
    """Copies a callee. What comes of the library keeps the place in the program that uses it, for messages."""

    def __init__(self, supply: Fresh, env: dict[ir.Var, ir.Atom], place: Span | None) -> None:
        super().__init__(supply, env)
        self.place = place

    def stmt(self, stmt: Stmt) -> Stmt:
        made = super().stmt(stmt)
        if self.place is None or stmt.span is None or not stmt.span.source.shipped or self.place.source.shipped:
            return made
        return Stmt(made.vars, made.op, placed(stmt.span, self.place))


class _Inliner(Substitution):
    def __init__(
        self,
        function: ir.Function,
        done: dict[str, ir.Function],
        sizes: dict[str, int],
        recursive: set[str],
        once: set[str],
    ) -> None:
        super().__init__()
        self.source = function
        self.done = done
        self.sizes = sizes
        self.recursive = recursive
        self.once = once
        self.fresh = Fresh(next_id(function))
        self.size = summary(function).size
        self.limit = self.size + GROWTH

    def inlined(self) -> ir.Function:
        f = self.source
        if not any(map(self.wanted, called(f))):
            return f
        body = self.block(f.body)
        dims = tuple(tuple(None if a is None else self.atom(a) for a in axes) for axes in f.dims)
        return ir.Function(f.name, f.params, body, f.source_name, dims, f.again)

    def wanted(self, name: str) -> bool:
        if name in self.recursive or name not in self.done or self.done[name].again:
            return False
        size = self.sizes[name]
        return name in self.once or (size <= SMALL and self.size + size <= self.limit)

    def stmt(self, stmt: Stmt, out: list[Stmt]) -> None:
        op = self.op(stmt.op)
        if not isinstance(op, ir.Call) or not self.wanted(op.function):
            out.append(Stmt(stmt.vars, op, stmt.span))
            return
        callee = self.done[op.function]
        self.size += self.sizes[op.function]
        renamer = _Copier(self.fresh, dict(zip(callee.params, op.args, strict=True)), stmt.span)
        for inner in callee.body.stmts:
            out.append(renamer.stmt(inner))
        self.env.update(zip(stmt.vars, renamer.atoms(callee.body.results), strict=True))
