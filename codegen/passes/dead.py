"""Removes what nobody reads: statements, results, operands of maps, states and stacks of loops.

In: a function. Out: the function without them. One pass over the code builds a graph of what needs what, from values to
the parts of operations that make them; what the results and the statements that may fail reach is alive. So a loop
state that feeds only itself is dead, a map result that only a dead one reads is dead, at any depth of nesting, in
linear time. A loop without live results goes even if it might not end; a statement that may fail stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Lambda, Stmt, Var
from ...lang.core.walk import atoms, called, free_in_op
from ...lang.prims import PRIMITIVES
from .effects import Effects, reachable

# A node is a variable, id for an operation as such, or (id, k) for component k of a loop, reduce or scan. A primitive
# is alive when its result is, so what it needs is read off it, and no graph is made.
T = TypeVar("T")
Node = Var | int | tuple[int, int]


def remove_dead(function: ir.Function, effects: Effects) -> ir.Function:
    """The function without dead code; its own results and parameters stay."""
    return without_dead(function, effects)[0]


def without_dead(function: ir.Function, effects: Effects) -> tuple[ir.Function, bool]:
    """The same, and whether an operation was left with fewer results."""
    sweep = _Sweep(effects)
    sweep.block(function.body, None)
    sweep.read_all(None, function.body.results)
    shared = _shared_sizes(function)
    sweep.read_all(None, tuple(shared))
    sweep.mark()
    body = sweep.rebuild(function.body)
    if body is function.body and all(a in shared or isinstance(a, ir.Const | None) or a in sweep.live
                                     for dims in function.dims for a in dims):
        return function, False
    dims = tuple(tuple(a if a in shared or isinstance(a, ir.Const) or a in sweep.live else None for a in dims)
                 for dims in function.dims)
    made = ir.Function(function.name, function.params, body, function.source_name, dims, function.again)
    return made, sweep.narrowed


def _shared_sizes(function: ir.Function) -> dict[Var, None]:
    """Sizes that several axes of parameters have: the statements that read them carry knowledge."""
    seen: dict[Var, int] = {}
    for dims in function.dims:
        for atom in dims:
            if isinstance(atom, Var):
                seen[atom] = seen.get(atom, 0) + 1
    return {var: None for var, count in seen.items() if count > 1}


def drop_unused(program: ir.Program, roots: Sequence[str]) -> ir.Program:
    """The program without functions that no root calls."""
    kept = reachable({name: called(f) for name, f in program.functions.items()}, roots)
    if len(kept) == len(program.functions):
        return program
    return ir.Program({name: f for name, f in program.functions.items() if name in kept})


class _Sweep:
    def __init__(self, effects: Effects) -> None:
        self.effects = effects
        self.makers: dict[Node, tuple[Atom, ...]] = {}
        """Operands of the primitive that makes a variable."""
        self.needs: dict[Node, list[Node]] = {}
        self.roots: list[Node] = []
        self.narrowed = False
        """Whether an operation has lost some of its results."""
        self.maps: dict[int, tuple[ir.Map, Node]] = {}
        self.live: set[Node] = set()
        self.iotas: set[Atom] = set()

    # ------------------------------------------------------------ the graph

    def need(self, node: Node | None, other: Atom | Node) -> None:
        if isinstance(other, ir.Const):
            return
        if node is None:
            self.roots.append(other)
        else:
            self.needs.setdefault(node, []).append(other)

    def read_all(self, node: Node | None, read: tuple[Atom, ...]) -> None:
        for atom in read:
            self.need(node, atom)

    def block(self, block: Block, outer: Node | None) -> None:
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, ir.Prim):
                var = stmt.vars[0]
                self.makers[var] = op.args
                name = op.name
                if name == "iota":
                    self.iotas.add(var)
                elif PRIMITIVES[name].fails:
                    self.roots.append(var)
                    if outer is not None:
                        self.roots.append(outer)
                continue
            here: Node = id(stmt)
            for var in stmt.vars:
                self.need(var, here)
            if outer is not None:
                self.need(here, outer)
            if self.effects.fails(stmt.op):
                self.roots.append(here)
            self.op(stmt, here)

    def op(self, stmt: Stmt, here: Node) -> None:
        vars, op = stmt.vars, stmt.op
        match op:
            case ir.Prim() | ir.Call():
                self.read_all(here, atoms(op))
            case ir.Custom(body=body, args=args):
                self.read_all(here, args)
                self.block(body.body, here)
                self.read_all(here, body.body.results)
                self.read_all(here, tuple(free_in_op(op)))  # its rule does not run: nothing in it needs to stay
            case ir.Diff(body=body):
                self.read_all(here, atoms(op))
                self.block(body.body, here)
                self.read_all(here, body.body.results)
            case ir.If(cond, then, orelse):
                self.need(here, cond)
                for arm in (then, orelse):
                    self.block(arm, here)
                    for var, result in zip(vars, arm.results, strict=True):
                        self.need(var, result)
            case ir.Map(arrays, body, shapes):
                self.maps[id(stmt)] = (op, here)
                self.block(body.body, here)
                for param, array in zip(body.params, arrays, strict=True):
                    self.need(param, array)
                for var, result, shape in zip(vars, body.body.results, shapes, strict=True):
                    self.read_all(var, (result, *shape))
            case ir.Reduce(arrays, neutral, body) | ir.Scan(arrays, neutral, body):
                self.block(body.body, here)
                count = len(neutral)
                for k in range(count):
                    part = (id(stmt), k)
                    for var in (vars[k], body.params[k], body.params[count + k]):
                        self.need(var, part)
                    self.read_all(part, (arrays[k], neutral[k], body.body.results[k]))
                    self.need(part, here)
            case ir.Loop(count=times, cond=cond, params=params, init=init, body=block, collect_shapes=shapes):
                if times is not None:
                    self.need(here, times)
                self.block(block, here)
                if cond is not None:
                    self.block(cond.body, here)
                    self.read_all(here, cond.body.results)
                for k, param in enumerate(params):
                    part = (id(stmt), k)
                    for var in (vars[k], param, *(cond.params[k : k + 1] if cond is not None else ())):
                        self.need(var, part)
                    self.read_all(part, (init[k], block.results[k]))
                    self.need(part, here)
                for var, result, shape in zip(vars[len(params) :], block.results[len(params) :], shapes, strict=False):
                    self.read_all(var, (result, *shape))

    def mark(self) -> None:
        pending = self.roots
        live, makers, needs = self.live, self.makers, self.needs
        while pending:
            while pending:
                node = pending.pop()
                if node in live:
                    continue
                live.add(node)
                made = makers.get(node)
                if made is None:
                    pending.extend(needs.get(node, ()))
                else:
                    for atom in made:
                        if isinstance(atom, Var) and atom not in live:
                            pending.append(atom)
            # A live map over arrays that nobody reads still needs one for its length.
            for key, (op, here) in list(self.maps.items()):
                if here in self.live:
                    del self.maps[key]
                    if not any(p in self.live for p in op.body.params):
                        measured = next((a for a in op.arrays if a in self.iotas), op.arrays[0])
                        param = op.body.params[op.arrays.index(measured)]
                        pending.append(param)

    # ------------------------------------------------------------ what is left

    def rebuild(self, block: Block) -> Block:
        kept: list[Stmt] = []
        live = self.live
        same = True
        for stmt in block.stmts:
            if isinstance(stmt.op, ir.Prim):
                if stmt.vars[0] in live:
                    kept.append(stmt)
            elif id(stmt) in live:
                new = self.stmt(stmt)
                same = same and new is stmt
                kept.append(new)
        return block if same and len(kept) == len(block.stmts) else Block(tuple(kept), block.results)

    def stmt(self, stmt: Stmt) -> Stmt:
        new = self._narrowed(stmt)
        if len(new.vars) < len(stmt.vars):
            self.narrowed = True
        return stmt if new == stmt else new

    def _narrowed(self, stmt: Stmt) -> Stmt:
        vars, op, span = stmt.vars, stmt.op, stmt.span
        live = self.live
        match op:
            case ir.Prim() | ir.Call():
                return stmt
            case ir.Custom(mode, body, rule, args):
                return Stmt(vars, ir.Custom(mode, Lambda(body.params, self.rebuild(body.body)), rule, args), span)
            case ir.Diff(mode, body, args, seeds):
                return Stmt(vars, ir.Diff(mode, Lambda(body.params, self.rebuild(body.body)), args, seeds), span)
            case ir.If(cond, then, orelse):
                keep = [k for k, v in enumerate(vars) if v in live]
                arms = [_only(self.rebuild(arm), keep) for arm in (then, orelse)]
                return Stmt(_pick(vars, keep), ir.If(cond, arms[0], arms[1]), span)
            case ir.Map(arrays, body, shapes):
                keep = [k for k, v in enumerate(vars) if v in live]
                read = [k for k, p in enumerate(body.params) if p in live]
                block = _only(self.rebuild(body.body), keep)
                new = ir.Map(_pick(arrays, read), Lambda(_pick(body.params, read), block), _pick(shapes, keep))
                return Stmt(_pick(vars, keep), new, span)
            case ir.Reduce(arrays, neutral, body) | ir.Scan(arrays, neutral, body):
                keep = [k for k in range(len(neutral)) if (id(stmt), k) in live]
                params = _pick(body.params, keep) + _pick(body.params, [len(neutral) + k for k in keep])
                block = _only(self.rebuild(body.body), keep)
                return Stmt(
                    _pick(vars, keep), type(op)(_pick(arrays, keep), _pick(neutral, keep), Lambda(params, block)), span
                )
            case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
                states = [k for k in range(len(params)) if (id(stmt), k) in live]
                stacks = [k for k in range(len(shapes)) if vars[len(params) + k] in live]
                keep = states + [len(params) + k for k in stacks]
                kept_vars = _pick(vars, keep) + (vars[-1:] if count is None else ())
                test = None if cond is None else Lambda(_pick(cond.params, states), self.rebuild(cond.body))
                loop = ir.Loop(
                    count,
                    test,
                    index,
                    _pick(params, states),
                    _pick(init, states),
                    _only(self.rebuild(body), keep),
                    _pick(shapes, stacks),
                    ragged,
                    part,
                )
                return Stmt(kept_vars, loop, span)


def _pick(items: tuple[T, ...], keep: list[int]) -> tuple[T, ...]:
    return items if len(keep) == len(items) else tuple([items[k] for k in keep])


def _only(block: Block, keep: list[int]) -> Block:
    if len(keep) == len(block.results):
        return block
    return Block(block.stmts, _pick(block.results, keep))
