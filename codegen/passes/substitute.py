"""Replaces free variables in blocks; binders keep their names, so the result stands where the block stood."""

from __future__ import annotations

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Lambda, Op, Stmt, Var


class Substitution:
    """`env` may grow while blocks are walked; its atoms are final, not looked up again."""

    def __init__(self, env: dict[Var, Atom] | None = None) -> None:
        self.env: dict[Var, Atom] = {} if env is None else env

    def atom(self, atom: Atom) -> Atom:
        return self.env.get(atom, atom) if isinstance(atom, Var) else atom

    def atoms(self, many: tuple[Atom, ...]) -> tuple[Atom, ...]:
        env = self.env
        for atom in many:
            if isinstance(atom, Var) and atom in env:
                return tuple([env.get(a, a) if isinstance(a, Var) else a for a in many])
        return many

    def shapes(self, shapes: tuple[tuple[Atom, ...], ...]) -> tuple[tuple[Atom, ...], ...]:
        return tuple([self.atoms(shape) for shape in shapes])

    def block(self, block: Block) -> Block:
        out: list[Stmt] = []
        for stmt in block.stmts:
            self.stmt(stmt, out)
        return Block(tuple(out), self.atoms(block.results))

    def stmt(self, stmt: Stmt, out: list[Stmt]) -> None:
        op = self.op(stmt.op)
        out.append(stmt if op is stmt.op else Stmt(stmt.vars, op, stmt.span))

    def function(self, body: Lambda) -> Lambda:
        return Lambda(body.params, self.block(body.body))

    def op(self, op: Op) -> Op:
        match op:
            case ir.Prim(name, args, attrs):
                made = self.atoms(args)
                return op if made is args else ir.Prim(name, made, attrs)
            case ir.Call(name, args, types):
                return ir.Call(name, self.atoms(args), types)
            case ir.If(cond, then, orelse):
                return ir.If(self.atom(cond), self.block(then), self.block(orelse))
            case ir.Map(arrays, body, shapes):
                return ir.Map(self.atoms(arrays), self.function(body), self.shapes(shapes))
            case ir.Reduce(arrays, neutral, body):
                return ir.Reduce(self.atoms(arrays), self.atoms(neutral), self.function(body))
            case ir.Scan(arrays, neutral, body):
                return ir.Scan(self.atoms(arrays), self.atoms(neutral), self.function(body))
            case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
                count = None if count is None else self.atom(count)
                cond = None if cond is None else self.function(cond)
                shapes = self.shapes(shapes)
                return ir.Loop(count, cond, index, params, self.atoms(init), self.block(body), shapes, ragged, part)
            case ir.Diff(mode, body, args, seeds):
                return ir.Diff(mode, self.function(body), self.atoms(args), self.atoms(seeds))
            case ir.Custom(mode, body, rule, args, origin):
                return ir.Custom(mode, self.function(body), self.function(rule), self.atoms(args), origin)
