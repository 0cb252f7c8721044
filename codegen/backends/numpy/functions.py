"""Functions of array code as Python functions: statements in order, single-use expressions nested where they stay
readable.

An expression that is used once waits until it is used (`waiting`). Before anything is written in place, and before a
nested block, all that waits is assigned to names first, so that no expression is evaluated later than where it
stands.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ....lang.core import ir
from ....lang.core.data import table_of
from ....lang.core.ir import Atom, Block, Const, Function, Prim, Stmt, Var
from ....lang.core.primitive import PRIMITIVES
from ....lang.core.walk import atoms, scopes
from ....lang.source import Span
from .expressions import CHECKS, REPEATING, VIEWS, WRITES, is_small, literal, numbers_of, stays_small, value, written
from .loops import emit_loop, emit_map
from .memory import Memory, frame_of
from .names import Names
from .syntax import WHOLE, add_place, assign, assign_place, call, const, method, name, size_of, subscript, tuple_

LONGEST = 24
"""Nodes of an expression that may still be nested into another."""


@dataclass(frozen=True)
class Callee:
    """What callers know of a function already written."""

    name: str
    fresh: tuple[bool, ...]
    """Whether each result is an array that only the caller has."""


class Tables:
    """Names of the module for tables of numbers, which are made when it is imported."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, tuple[object, ...]], str] = {}
        self.made: list[ast.stmt] = []

    def name(self, table: ir.Table) -> str:
        key = (table.dtype, tuple(map(repr, table.values)))
        if key not in self.names:
            self.names[key] = f"TABLE_{len(self.names) + 1}"
            self.made.append(assign(self.names[key], numbers_of(table)))
        return self.names[key]


def emit_function(
    function: Function, python_name: str, callees: dict[str, Callee], names: Names, tables: Tables
) -> tuple[ast.FunctionDef, Callee]:
    """The Python function, and what its callers may rely on."""
    return Emitter(function, callees, names, tables).emit(python_name)


class Emitter:
    def __init__(self, function: Function, callees: dict[str, Callee], names: Names, tables: Tables) -> None:
        self.function = function
        self.callees = callees
        self.names = names
        self.tables = tables
        self.constant: set[int] = set()
        """Buffers that belong to the module."""
        self.env: dict[Var, ast.expr] = {}
        self.waiting: dict[Var, ast.expr] = {}
        self.small: set[Var] = set()
        """Python integers; everything else of rank 0 is a NumPy scalar."""
        self.lengths: set[Var] = set()
        self.memory = Memory()
        self.uses: Counter[Var] = Counter()
        self.out: list[ast.stmt] = []

    def emit(self, python_name: str) -> tuple[ast.FunctionDef, Callee]:
        function, memory = self.function, self.memory
        self.uses = count_uses(function.body)
        for param in function.params:
            self.env[param] = name(self.names.new(param.name))
            memory.bind(param, frozenset({memory.new(owned=False)}))
        memory.frames.append(frame_of(function.body))
        self.block(function.body)
        memory.frames[-1].at = len(function.body.stmts)
        results = [self.lasting(a, self.typed(a)) for a in function.body.results]
        fresh = tuple(self.is_fresh(k) for k in range(len(results)))
        self.out.append(ast.Return(results[0] if len(results) == 1 else tuple_(results)))
        params = [ast.arg(p.id) for p in (self.env[v] for v in function.params) if isinstance(p, ast.Name)]
        made = ast.FunctionDef(python_name, ast.arguments([], params, None, [], [], None, []), self.out, [], lineno=0)
        return made, Callee(python_name, fresh)

    def lasting(self, atom: Atom, tree: ast.expr) -> ast.expr:
        """A result that is not the module's own array."""
        return method(tree, "copy") if self.memory.buffers(atom) & self.constant else tree

    def is_fresh(self, position: int) -> bool:
        atom = self.function.body.results[position]
        if not isinstance(atom, Var) or atom.type.rank == 0:
            return True
        mine = self.memory.of[atom]
        others = [self.memory.buffers(a) for k, a in enumerate(self.function.body.results) if k != position]
        return mine <= self.memory.owned and atom not in self.memory.repeating and not any(mine & o for o in others)

    # ------------------------------------------------------------ operands

    def use(self, atom: Atom) -> ast.expr:
        """The operand's expression; one that waited is used up."""
        if isinstance(atom, Const):
            return literal(atom)
        return self.waiting.pop(atom, None) or self.env[atom]

    def typed(self, atom: Atom) -> ast.expr:
        """As `use`, and a NumPy scalar also where it is a literal or a Python integer."""
        if isinstance(atom, Const):
            return literal(atom, typed=True)
        tree = self.use(atom)
        return call("np.int64", tree) if atom in self.small else tree

    def named(self, atom: Atom) -> ast.expr:
        """The operand as a name or a literal, so that it can be written twice."""
        if isinstance(atom, Var) and atom in self.waiting:
            self.settle(atom)
        return self.use(atom)

    def settle(self, var: Var) -> None:
        tree = self.waiting.pop(var)
        if isinstance(tree, ast.Name):
            self.env[var] = tree
            return
        target = self.names.new(var.name)
        self.out.append(assign(target, tree))
        self.env[var] = name(target)

    def settle_all(self, except_for: Sequence[Atom] = ()) -> None:
        for var in [v for v in self.waiting if v not in except_for]:
            self.settle(var)

    def define(self, var: Var, tree: ast.expr) -> None:
        """`var` is `tree`: named now, or nested where it is used when that is one place."""
        if isinstance(tree, ast.Name | ast.Constant):
            self.env[var] = tree
        elif self.uses[var] == 1 and size_of(tree) <= LONGEST:
            self.waiting[var] = tree
        else:
            self.assign(var, tree)

    def assign(self, var: Var, tree: ast.expr) -> None:
        target = self.names.new(var.name)
        self.out.append(assign(target, tree))
        self.env[var] = name(target)

    def is_length(self, atom: Atom) -> bool:
        """Whether it is known not to be negative."""
        return atom in self.lengths or (isinstance(atom, Const) and atom.value >= 0)

    # ------------------------------------------------------------ statements

    def block(self, block: Block) -> None:
        frame = self.memory.frames[-1]
        for k, stmt in enumerate(block.stmts):
            frame.at = k
            self.stmt(stmt)

    def inner(self, block: Block, always: frozenset[Var] = frozenset()) -> list[ast.stmt]:
        """Statements of a nested block; its results are settled, the caller reads them before `leave`."""
        outer, self.out = self.out, []
        self.memory.frames.append(frame_of(block, always))
        self.block(block)
        self.memory.frames[-1].at = len(block.stmts)
        made, self.out = self.out, outer
        return made

    def stmt(self, stmt: Stmt) -> None:
        match stmt.op:
            case Prim(name=prim):
                if prim in WRITES:
                    self.write(stmt, stmt.op)
                elif prim in CHECKS:
                    self.check(stmt, stmt.op)
                else:
                    self.prim(stmt.vars[0], stmt.op)
            case ir.Call():
                self.call(stmt, stmt.op)
            case ir.If():
                self.branch(stmt, stmt.op)
            case ir.Loop():
                emit_loop(self, stmt, stmt.op)
            case ir.Map():
                emit_map(self, stmt, stmt.op)
            case _:
                raise AssertionError(f"{type(stmt.op).__name__} in array code")

    def table(self, var: Var, table: ir.Table) -> None:
        """Numbers of the program, which nobody may change."""
        self.env[var] = name(self.tables.name(table))
        mine = self.memory.new(owned=False)
        self.constant.add(mine)
        self.memory.bind(var, frozenset({mine}))

    def prim(self, var: Var, op: Prim) -> None:
        if op.name == "table":
            self.table(var, table_of(op))
            return
        if op.name in ("dim", "zeros_like"):
            args = [self.named(op.args[0])]
        else:
            args = [self.use(a) for a in op.args]
        if stays_small(op, self.small):
            self.small.add(var)
        if op.name == "dim":
            self.lengths.add(var)
        full = self.nested_full(op, args)
        tree = full if full is not None else self.with_broadcasting(op, args)
        memory = self.memory
        if op.name in VIEWS and not any(a.type.rank for a in op.args[1:] if op.name == "take"):
            base = op.args[1] if op.name == "replicate" else op.args[0]
            if op.name in ("index", "take", "slice"):
                memory.part_of(var, base)
            else:
                memory.view(var, base, repeating=op.name in REPEATING and base.type.rank > 0 and full is None)
            if full is not None:
                memory.fresh(var)
        elif tree in args and isinstance(tree, ast.Name):
            memory.view(var, op.args[0])
        else:
            memory.fresh(var)
        self.define(var, tree)

    def nested_full(self, op: Prim, args: Sequence[ast.expr]) -> ast.expr | None:
        """replicate n (zeros_like x) as one new array."""
        if op.name != "replicate" or op.args[1].type.rank == 0:
            return None
        inner = args[1]
        match inner:
            case ast.Call(func=ast.Attribute(attr="zeros" | "full"), args=[sizes, *rest]):
                shape = sizes.elts if isinstance(sizes, ast.Tuple) else [sizes]
                if isinstance(sizes, ast.Attribute):
                    shape = [ast.Starred(sizes, ast.Load())]
                return ast.Call(inner.func, [tuple_([args[0], *shape]), *rest], [])
        return None

    def with_broadcasting(self, op: Prim, args: list[ast.expr]) -> ast.expr:
        """Axes of size one in front are left to NumPy where another operand has the whole rank."""
        if PRIMITIVES[op.name].elementwise and len(args) > 1:
            ranks = [visible_rank(a, tree) for a, tree in zip(op.args, args, strict=True)]
            top = max(a.type.rank for a in op.args)
            if top in ranks:
                args = [
                    shortened(a, tree) if rank < a.type.rank else tree
                    for a, tree, rank in zip(op.args, args, ranks, strict=True)
                ]
        return value(op, args, self.small)

    def check(self, stmt: Stmt, op: Prim) -> None:
        operands = [self.named(a) for a in op.args]
        texts = [const(v) for key, v in sorted(op.attrs, key=lambda kv: kv[0] != "what") if isinstance(v, int | str)]
        helper = "check_assert" if op.name == "assert" else op.name
        self.settle_all()
        checking: ast.stmt = ast.Expr(call(helper, *operands, *texts, const(place(stmt.span))))
        if op.name == "check_index" and len(self.memory.frames) > 1 and not any(a.type.rank for a in op.args):
            # In a loop a comparison is quicker than a call.
            inside = ast.Compare(const(0), [ast.LtE(), ast.Lt()], operands)
            checking = ast.If(ast.UnaryOp(ast.Not(), inside), [checking], [])
        self.out.append(checking)
        var, checked = stmt.vars[0], op.args[0]
        self.env[var] = operands[0]
        if is_small(checked, self.small):
            self.small.add(var)
        self.memory.view(var, checked)

    def write(self, stmt: Stmt, op: Prim) -> None:
        var, array = stmt.vars[0], op.args[0]
        in_place = self.memory.writable(array) or self.cleared(array)
        self.settle_all(except_for=op.args)
        if in_place:
            target = self.named(array)
            if not isinstance(target, ast.Name):
                raise AssertionError("an array without a name")
            self.memory.written |= self.memory.of[array] if isinstance(array, Var) else frozenset()
            self.memory.view(var, array)
            self.env[var] = target
        else:
            copied = method(self.use(array), "copy")
            target_name = self.names.new(var.name)
            self.out.append(assign(target_name, copied))
            target = name(target_name)
            self.memory.fresh(var)
            self.env[var] = target
        rest = [
            self.named(a) if op.name.endswith("_slice") and k == 0 else self.use(a) for k, a in enumerate(op.args[1:])
        ]
        how, place_, new = written(op, target, rest)
        if how == "call":
            self.out.append(ast.Expr(place_))
        else:
            assert new is not None
            self.out.append(assign_place(place_, new) if how == "=" else add_place(place_, new))

    def cleared(self, array: Atom) -> bool:
        """Copies rows and slices of an array that are still read, if then it can be changed in place."""
        shared = self.memory.in_the_way(array)
        if not shared:
            return False
        trees = [self.named(v) for v in shared]
        if not all(isinstance(tree, ast.Name) for tree in trees):
            return False
        self.settle_all()
        for v, tree in zip(shared, trees, strict=True):
            assert isinstance(tree, ast.Name)
            self.out.append(assign(tree.id, method(tree, "copy")))
            self.memory.separate(v)
        return True

    def call(self, stmt: Stmt, op: ir.Call) -> None:
        callee = self.callees.get(op.function)
        assert callee is not None
        args = [self.typed(a) for a in op.args]
        tree = ast.Call(name(callee.name), args, [])
        shared: frozenset[int] = frozenset().union(
            *(self.memory.buffers(a) for a in op.args), {self.memory.new(owned=False)}
        )
        self.bind_all(stmt.vars, tree)
        for var, fresh in zip(stmt.vars, callee.fresh or (False,) * len(stmt.vars), strict=True):
            if fresh:
                self.memory.fresh(var)
            else:
                self.memory.bind(var, shared, repeating=True)

    def bind_all(self, vars: Sequence[Var], tree: ast.expr) -> None:
        self.settle_all()
        targets = [self.names.new(v.name) for v in vars]
        for var, target in zip(vars, targets, strict=True):
            self.env[var] = name(target)
        if len(targets) == 1:
            self.out.append(assign(targets[0], tree))
        else:
            stores: list[ast.expr] = [ast.Name(t, ast.Store()) for t in targets]
            self.out.append(ast.Assign([ast.Tuple(stores, ast.Store())], tree, lineno=0) if targets else ast.Expr(tree))

    def branch(self, stmt: Stmt, op: ir.If) -> None:
        cond = self.use(op.cond)
        self.settle_all()
        targets = [self.names.new(v.name) for v in stmt.vars]
        arms: list[list[ast.stmt]] = []
        buffers: list[list[frozenset[int]]] = [[] for _ in targets]
        repeating = [False] * len(targets)
        for block in (op.then, op.orelse):
            made = self.inner(block)
            outer, self.out = self.out, made
            for k, (target, atom) in enumerate(zip(targets, block.results, strict=True)):
                self.out.append(assign(target, self.typed(atom)))
                buffers[k].append(self.memory.buffers(atom))
                repeating[k] |= isinstance(atom, Var) and atom in self.memory.repeating
            self.settle_all()
            self.memory.frames.pop()
            self.out = outer
            arms.append(made or [ast.Pass()])
        self.out.append(ast.If(cond, arms[0], [] if isinstance(arms[1][0], ast.Pass) else arms[1]))
        for k, var in enumerate(stmt.vars):
            self.env[var] = name(targets[k])
            self.memory.bind(var, frozenset().union(*buffers[k]), repeating=repeating[k])


def count_uses(block: Block) -> Counter[Var]:
    """How often each variable is read; inside a nested block counts as often, since it may run many times."""
    found: Counter[Var] = Counter()

    def visit(here: Block, depth: int, home: dict[Var, int]) -> None:
        for stmt in here.stmts:
            for atom in atoms(stmt.op):
                if isinstance(atom, Var):
                    found[atom] += 1 if home.get(atom) == depth else 2
            for _, inner in scopes(stmt.op):
                visit(inner, depth + 1, home)
            for var in stmt.vars:
                home[var] = depth
        for atom in here.results:
            if isinstance(atom, Var):
                found[atom] += 1 if home.get(atom) == depth else 2

    visit(block, 0, {})
    return found


def visible_rank(atom: Atom, tree: ast.expr) -> int:
    """The rank without axes of size one in front."""
    rank = atom.type.rank
    match tree:
        case ast.Subscript(slice=ast.Tuple(elts=places)):
            pass
        case ast.Subscript(slice=ast.Constant(value=None)):
            return rank - 1
        case _:
            return rank
    for place in places:
        if not (isinstance(place, ast.Constant) and place.value is None):
            break
        rank -= 1
    return rank


def shortened(atom: Atom, tree: ast.expr) -> ast.expr:
    """The tree without axes of size one in front."""
    assert isinstance(tree, ast.Subscript)
    if not isinstance(tree.slice, ast.Tuple):
        return tree.value
    places = list(tree.slice.elts)
    while places and isinstance(places[0], ast.Constant) and places[0].value is None:
        places.pop(0)
    while places and places[-1] is WHOLE:
        places.pop()
    return subscript(tree.value, places) if places else tree.value


def place(span: Span | None) -> str:
    """`file:line` of a source place; empty for what the compiler made."""
    return "" if span is None else f"{span.source.name}:{span.line}"
