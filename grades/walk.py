"""The abstract interpreter: what is known of the values of a function, statement by statement."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.core.walk import free_vars
from ..lang.source import Span
from .lattice import at_least, joined
from .report import Graded, Root, Step
from .values import NOTHING, Value, derived


class Walker:
    """Walks the functions of one program."""

    def __init__(self, program: ir.Program) -> None:
        self.program = program

    def function(self, name: str, args: Sequence[Value]) -> list[Value]:
        function = self.program.functions[name]
        return self.block(function.body, dict(zip(function.params, args, strict=True)))

    def block(self, block: ir.Block, env: dict[ir.Var, Value]) -> list[Value]:
        for stmt in block.stmts:
            for var, value in zip(stmt.vars, self.statement(stmt, env), strict=True):
                env[var] = value
        return [self.atom(a, env) for a in block.results]

    def atom(self, atom: ir.Atom, env: Mapping[ir.Var, Value]) -> Value:
        return env[atom] if isinstance(atom, ir.Var) else NOTHING

    def statement(self, stmt: ir.Stmt, env: dict[ir.Var, Value]) -> list[Value]:
        match stmt.op:
            case ir.Prim(name, args):
                values = [self.atom(a, env) for a in args]
                record = PRIMITIVES[name]
                grades = at_least(joined(v.grades for v in values), record.grade)
                return [derived(grades, values, stmt.span, name, False) for _ in stmt.vars]
            case ir.Call(function, args):
                return self.function(function, [self.atom(a, env) for a in args])
            case _:
                used = [env[v] for v in free_vars(ir.Block((stmt,), ())) if v in env]
                grades = at_least(joined(v.grades for v in used), "jump")
                return [derived(grades, used, stmt.span, "", False) for _ in stmt.vars]


def grade_function(program: ir.Program, function: str, roots: Sequence[Root | None], span: Span | None, name: str
                   ) -> Graded:
    """The grades of a function of the program; `roots` has one entry to a parameter, None for those held fixed."""
    walker = Walker(program)
    args = []
    for root in roots:
        if root is None:
            args.append(Value())
        else:
            args.append(Value({root.name: "affine"}, {root.name: Step(root.span, root.name, "affine")}))
    results = walker.function(function, args)
    grades = joined(v.grades for v in results)
    chains: dict[str, Step] = {}
    for v in results:
        for root_name, step in v.steps.items():
            if v.grades[root_name] == grades[root_name]:
                chains.setdefault(root_name, step)
    found = tuple(r for r in roots if r is not None)
    return Graded(name, span, found, grades, tuple(v.grades for v in results), chains)
