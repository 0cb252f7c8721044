"""Takes all derivatives: a program with `Diff` operations in, one without out.

Innermost first: when a `Diff` is removed, its body has none left, and the derivative of a derivative is that of
ordinary code. Derivatives of functions that are called become functions of the program (`derived`), placed before the
function that first needed them. Functions are taken up on demand, so that a derivative may run through functions that
stand later.

>>> from dad.lang.core.build import Builder, Fresh
>>> b = Builder(Fresh(1))
>>> x = ir.Var(0, "x", ir.F64)
>>> inner = b.nested()
>>> p = b.fresh("p", ir.F64)
>>> square = ir.Lambda((p,), inner.block([inner.mul(p, p)]))
>>> value, slope = b.bind(ir.Diff("vjp", square, (x,), (ir.Const(1.0, "f64"),)))
>>> program = ir.Program({"f": ir.Function("f", (x,), b.block([slope]))})
>>> [stmt.op.name for stmt in differentiate(program).functions["f"].body.stmts]
['mul', 'mul', 'mul', 'add']
"""
from __future__ import annotations

from ...lang.core import ir
from ...lang.core.build import Fresh, i64
from ...lang.core.ir import Block, Function, Lambda, Program, Stmt
from ...lang.core.walk import Renamer, callees, next_id, scopes
from ...lang.diagnostics.report import Diagnostic, Diagnostics, Label
from ...lang.source import Span
from .derived import Derived
from .jvp import jvp_lambda
from .stops import drop_stops
from .vjp import vjp_lambda


def differentiate(program: Program, marked: bool = False) -> Program:
    """The program without `Diff`. Raises Diagnostics when a function takes a derivative of itself.

    `marked`: with a `mark` before and behind the reverse sweep of each, for `saved`.
    """
    if not any(_has_diff(f.body) for f in program.functions.values()):
        return program
    if not any(_has_diff(f.body, rules=False) for f in program.functions.values()):
        return drop_stops(program)  # nothing asks for the rules that functions have
    return _Differentiation(program, marked).run()


def self_derivative(function: str, span: Span | None) -> Diagnostics:
    """The function takes its own derivative at `span`; the checker finds it where no functions are passed around."""
    return Diagnostics([Diagnostic(
        "E512", f"`{function}` takes its own derivative, so it would need derivatives of every order",
        () if span is None else (Label(span, "the derivative runs through the function that takes it", primary=True),),
        (), "differentiate another function, or say how often in a loop")])


class _Differentiation:
    def __init__(self, program: Program, marked: bool) -> None:
        self.marked = marked
        self.sites = 0
        self.source = program.functions
        self.clean: dict[str, Function] = {name: f for name, f in self.source.items() if not _has_diff(f.body)}
        self.busy: list[tuple[str, Span | None]] = []
        self.derived = Derived(self.source, self.function, self.declare)
        self.made: dict[str, Function] = {}

    def run(self) -> Program:
        order = list(self.source)
        for name in order:
            self.function(name)
        functions = {name: self.clean[name] for name in order} | self.made
        return Program(_callees_first(functions))

    def declare(self, function: Function) -> None:
        self.made[function.name] = function

    def function(self, name: str) -> Function:
        """A function of the program or a derived one, without derivatives left to take."""
        found = self.clean.get(name) or self.made.get(name)
        if found is not None:
            return found
        f = self.source[name]
        if any(name == other for other, _ in self.busy):
            raise self_derivative(f.source_name or name, self.busy[-1][1])
        self.busy.append((name, None))
        remover = _Remover(Fresh(next_id(f)), self)
        params = tuple(remover.binder(p) for p in f.params)
        body = remover.block(f.body)
        dims = tuple(tuple(d if d is None else remover.atom(d) for d in row) for row in f.dims)
        self.busy.pop()
        self.clean[name] = Function(name, params, body, f.source_name, dims, f.again)
        return self.clean[name]


class _Remover(Renamer):
    """Copies a function's body with the statements of the derivative in place of each `Diff`."""

    def __init__(self, supply: Fresh, owner: _Differentiation) -> None:
        super().__init__(supply)
        self.owner = owner

    def block(self, block: Block) -> Block:
        stmts: list[Stmt] = []
        for stmt in block.stmts:
            if not isinstance(stmt.op, ir.Diff):
                stmts.append(self.stmt(stmt))
                continue
            op = stmt.op
            self.owner.busy[-1] = (self.owner.busy[-1][0], stmt.span)
            taken = self.derivative(op.mode, self.function(op.body), stmt.span)
            values = self.atoms(op.args + op.seeds)
            inlined = Renamer(self.supply, dict(zip(taken.params, values, strict=True)))
            body = inlined.block(taken.body)
            stmts.extend(body.stmts)
            self.env.update(zip(stmt.vars, body.results, strict=True))
        return Block(tuple(stmts), self.atoms(block.results))

    def derivative(self, mode: str, lam: Lambda, span: Span | None) -> Lambda:
        calls = self.owner.derived
        if mode == "jvp":
            return jvp_lambda(lam, self.supply, calls)
        if not self.owner.marked:
            return vjp_lambda(lam, self.supply, calls)
        self.owner.sites += 1
        site = i64(self.owner.sites)

        def mark(end: bool) -> Stmt:
            return Stmt((self.supply.var("site", ir.I64),), ir.Prim("mark", (site,), (("end", end),)), span)

        return vjp_lambda(lam, self.supply, calls, mark)


def _has_diff(block: Block, rules: bool = True) -> bool:
    """Whether a derivative is taken in the block, or (`rules`) in the derivative rule of a function."""
    pending = [block]
    while pending:
        for stmt in pending.pop().stmts:
            if isinstance(stmt.op, ir.Diff):
                return True
            if isinstance(stmt.op, ir.Custom) and not rules:
                pending.append(stmt.op.body.body)
            else:
                pending.extend(inner for _, inner in scopes(stmt.op))
    return False


def _callees_first(functions: dict[str, Function]) -> dict[str, Function]:
    """In dependency order, otherwise as they stood."""
    ordered: dict[str, Function] = {}
    seen: set[str] = set()
    for name in functions:
        # An explicit stack: chains of calls may be long.
        pending: list[tuple[str, list[str]]] = []

        def enter(here: str, pending: list[tuple[str, list[str]]] = pending) -> None:
            if here not in seen:
                seen.add(here)
                pending.append((here, list(callees(functions[here].body))))

        enter(name)
        while pending:
            here, left = pending[-1]
            if left:
                enter(left.pop(0))
            else:
                pending.pop()
                ordered[here] = functions[here]
    return ordered
